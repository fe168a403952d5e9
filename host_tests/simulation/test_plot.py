"""The pictures are drawn, and are the same each time."""

import pytest
import simulate

pytest.importorskip("matplotlib", reason="pip install --editable '.[plot]'")


def test_a_picture_is_written_as_png_and_svg_and_is_repeatable(tmp_path, capsys):
    for name in ("first", "second"):
        out = tmp_path / name
        assert simulate.main(["plot", "--quick", "--picture", "timeline", "--out", str(out)]) == 0
    first, second = [
        (tmp_path / name / "timeline.svg").read_text() for name in ("first", "second")
    ]
    assert first == second and "Who saw what when" in first
    assert (tmp_path / "first" / "timeline.png").read_bytes().startswith(b"\x89PNG")
    assert "timeline.png" in capsys.readouterr().out
