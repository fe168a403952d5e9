"""tools/size.py, on a small package of its own, and that its budgets are those it can name."""

import json

import find_micropython
import pytest
import size

FILES = {
    "__init__": '"""Small. Floor 4."""\n\n__version__ = "0.0.1"\n',
    "wire": '"""Words. Floor 0."""\n\nPING = 0\n',
    "rng": '"""Numbers. Floor 1."""\n\nfrom .wire import PING\n\ntable = bytearray(1000)\n',
    "node": '"""The machine. Floor 3."""\n\nfrom .rng import table\n\n\ndef big(a):\n    '
    + " = ".join("bcdefghijkl")
    + " = a\n",
    "udp": '"""A shell. Floor 4."""\n\nfrom . import wire\n',
    "join": '"""An option. Floor 4."""\n\nfrom .node import big\n',
}


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture
def mp32():
    for vm in find_micropython.find(32):
        if vm.name == "mp32":
            return vm.argv
    pytest.skip(find_micropython.missing_line("mp32"))


def test_lines_bytes_and_the_largest_frame_need_no_vm(library):
    report = size.measure(library)
    node = {file.name: file for file in report.files}["node"]
    assert (node.floor, node.lines, node.frame_words) == (3, 7, 14)
    assert node.source_bytes == len(FILES["node"])
    assert 60 < node.mpy_bytes < 150
    assert node.ram_bytes is None
    assert report.minimal_ram_bytes is report.source_heap_kib is None
    assert list(size.measured(report)) == ["minimal_mpy_bytes"]


def test_a_minimal_node_is_what_it_imports_and_no_more(library):
    minimal = {file.name for file in size.measure(library).files if file.minimal}
    assert minimal == {"__init__", "node", "rng", "wire", "udp"}


def test_files_come_after_what_they_import():
    needs = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert size.in_import_order(["d"], needs) == ["c", "b", "a", "d"]


def test_ram_is_what_the_file_itself_leaves_in_use(library, mp32):
    report = size.measure(library, mp32)
    ram = {file.name: file.ram_bytes for file in report.files}
    assert 1000 < ram["rng"] < 1600
    assert 0 < ram["wire"] < 600
    assert 0 < ram["join"] < 600, "node was there already"
    assert report.minimal_ram_bytes > 1000


def test_the_smallest_heap_is_the_smallest(mp32, tmp_path):
    vm = size.Vm(mp32, tmp_path)
    least = vm.smallest_heap_kib("a = bytearray(20000)")
    assert 20 <= least <= 30
    assert vm.run("a = bytearray(20000)", least) is not None
    assert vm.run("a = bytearray(20000)", least - 1) is None
    assert vm.smallest_heap_kib("a = bytearray(2000000)") is None


def test_bytes_per_member_are_split_into_a_marginal_and_a_fixed_share():
    assert size.per_member({16: 1240, 64: 3160, 200: 8600}) == (40, 600)
    assert size.per_member({16: 1240}) is None


def test_a_budget_that_is_exceeded_is_named():
    budgets = json.loads(size.BUDGETS.read_text())
    limits = {name: budget["limit"] for name, budget in budgets.items()}
    assert size.exceeded(limits, budgets) == []
    (line,) = size.exceeded({"member_bytes": 41}, budgets)
    assert line.startswith("member_bytes is 41, 40 is the budget (table bytes")


def test_the_command_line_prints_and_checks(library, capsys):
    assert size.main(["--library", str(library), "--check"]) == 0
    assert "minimal_mpy_bytes" in capsys.readouterr().out
    assert size.main(["--library", str(library), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {file["name"] for file in report["files"]} == set(FILES)
    (library / "bad.py").write_text("def f(a, /): pass\n")
    assert size.main(["--library", str(library)]) == 2
    assert "mpy-cross refuses it" in capsys.readouterr().err


def test_a_file_that_the_vm_cannot_import_is_named_and_fails_the_check(library, mp32, capsys):
    (library / "udp.py").write_text('"""A shell. Floor 4."""\n\nfrom .wire import PONG\n')
    assert size.main(["--library", str(library), "--check"]) == 1
    out = capsys.readouterr().out
    assert "small.udp cannot be imported on the 32-bit VM: ImportError" in out
    assert "a minimal node cannot be imported" in out


def test_the_library_keeps_its_budgets(mp32, capsys):
    assert size.main(["--check"]) == 0, capsys.readouterr().out
