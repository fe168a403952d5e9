"""figures.py prints what the documentation says, and the documentation says what it prints."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "host_tests/firmware"))
    monkeypatch.syspath_prepend(str(ROOT / "host_tests/unit"))
    import figures

    return figures


def test_the_table_of_errors_in_the_documentation_is_what_the_tests_try(figures):
    text = (ROOT / "docs/TESTING.md").read_text()
    table = "\n".join(figures.error_table())
    assert table.count("\n") > 20
    assert table in text, "run: .venv/bin/python host_tests/firmware/figures.py errors"


def test_a_year_of_flash_keeps_its_promise(figures):
    """As docs/BOARDS.md says: at most 8,760 writes beside those of the boots."""
    always = figures.year(1, lambda minute: (minute, figures.test_memory.peers(minute % 200)))
    assert 8700 <= always <= 8761
    assert figures.year(1, lambda minute: (1, figures.test_memory.peers(2))) == 2


def test_two_boards_are_measured(figures):
    first_ms, all_know_ms, packets, broadcasts = figures.together(1, 2, 0, 4)
    assert 0 < first_ms <= all_know_ms < 5000
    assert packets > 10 and broadcasts >= 1


def test_an_unknown_word_is_wrong_usage(figures, capsys):
    assert figures.main(["weather"]) == 2
    assert "figures.py recovery" in capsys.readouterr().out
