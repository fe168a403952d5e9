"""What many nodes cost this machine: the tool says it, in time and in instructions."""

import re
import shutil

import pytest
import simulate
import simulation_measure


def test_size_compares_many_nodes_with_few(capsys):
    assert simulate.main(["size", "--nodes", "60", "--seconds", "2", "--packet", "512"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[:3]] == ["50 nodes", "60 nodes", "60 nodes"]
    assert re.match(r"time per node and second: [\d.]+ times that of 50 nodes; ", lines[3])


def test_without_valgrind_the_tool_says_how_to_get_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert simulate.main(["size", "--instructions"]) == 3
    assert capsys.readouterr().out.startswith("valgrind is missing: install it with  apt-get")


@pytest.mark.skipif(not shutil.which("valgrind"), reason="apt-get install valgrind")
def test_instructions_are_the_same_each_time():
    counts = [simulation_measure.instructions(10, 3, 512) for _ in range(2)]
    assert counts[0] == pytest.approx(counts[1], rel=0.001)
    assert 1e5 < counts[0] < 5e6
