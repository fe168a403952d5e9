"""The house rules of lib/foca (tools/floors.py), and that a board can read every file of it."""

import ast
from pathlib import Path

import floors
import frames
import mpy
import pytest

FILES = floors.read()
ALLOWED = Path(__file__).resolve().parent.parent / "support" / "frames_allowed.txt"


def make(name, text):
    return floors.File(name, text, ast.parse(text))


def none(complaints):
    assert not complaints, "\n" + "\n".join(complaints)


def test_imports_point_down_only():
    none(floors.check_imports(FILES))


def test_files_and_functions_are_small_enough_for_a_board():
    none(floors.check_sizes(FILES))


def test_repeated_constants_are_equal():
    none(floors.check_constants(FILES))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_board_can_parse_the_file(file):
    mpy.compile_source(floors.LIBRARY / f"{file.name}.py", optimise=0)


def test_frames_of_the_core_stay_off_the_heap():
    """Floors 0 to 3; the exceptions are named with their measured gain and none is stale."""
    standing = floors.places()
    names = [f.name for f in FILES if f.name in standing and standing[f.name].floor < 4]
    rows = frames.read([floors.LIBRARY / f"{name}.py" for name in names])
    called = [row for row in rows if not once(row.function.name)]
    none(frames.judge(called, ALLOWED, mpy.FRAME_WORDS_MAX))


def once(name):
    """Constructors take all memory anyway, and run once."""
    return name.split(".")[-1] == "__init__"


# ---- the rules themselves


def test_an_import_that_points_up_names_the_file_to_move():
    (complaint,) = floors.check_imports([make("rng", '"""R. Floor 1."""\nfrom .node import Foca')])
    assert complaint.startswith("rng.py (floor 1) imports node (floor 3)")
    assert "move rng up" in complaint


def test_neighbours_on_a_floor_do_not_import_each_other():
    text = '"""B. Floor 2."""\nfrom .members import SELF'
    (complaint,) = floors.check_imports([make("backlog", text)])
    assert "stands beside it on floor 2" in complaint


def test_floor_3_has_steps():
    down = [
        make("node", '"""N. Floor 3."""\nfrom .receive import x\nfrom . import outgoing'),
        make("receive", '"""R. Floor 3."""\nimport foca.outgoing'),
        make("outgoing", '"""O. Floor 3."""\nfrom foca.members import x'),
    ]
    assert floors.check_imports(down) == []
    up = make("outgoing", '"""O. Floor 3."""\ndef f():\n    from .receive import x')
    assert len(floors.check_imports([up])) == 1
    beside = make("receive", '"""R. Floor 3."""\nfrom . import probing')
    assert len(floors.check_imports([beside])) == 1


def test_what_only_the_type_checker_reads_may_point_up():
    text = '"""R. Floor 1."""\nif _TYPING:\n    import socket\n    from .node import Foca\n'
    assert floors.check_imports([make("rng", text)]) == []
    for at_once in (False, True):
        assert floors.imports(make("rng", text), at_once) == (set(), set())
    other = text.replace("_TYPING", "_BOARD") + "def f():\n    import select\n"
    assert floors.imports(make("rng", other)) == ({"node"}, {"select", "socket"})
    assert floors.imports(make("rng", other), at_once=True) == ({"node"}, {"socket"})


def test_nothing_below_floor_4_does_io_and_only_port_knows_the_clock():
    text = '"""M. Floor 2."""\nimport socket\nimport asyncio.events\nimport time\nfrom os import x'
    complaints = floors.check_imports([make("members", text)])
    assert [line.split(" imports ")[1].split(":")[0] for line in complaints] == [
        "asyncio",
        "socket",
        "os",
        "time",
    ]
    assert floors.check_imports([make("_port", '"""P. Floor 0."""\nimport os, time')]) == []
    assert floors.check_imports([make("udp", '"""U. Floor 4."""\nimport socket')]) == []


def test_a_file_without_a_floor_or_with_another_one_in_its_docstring():
    (complaint,) = floors.check_imports([make("new", '"""N. Floor 1."""')])
    assert "give it one in tools/floors.py" in complaint
    (complaint,) = floors.check_imports([make("rng", '"""R. Floor 2."""')])
    assert "says Floor 2 and stands on 1" in complaint
    (complaint,) = floors.check_imports([make("rng", '"""R."""')])
    assert "does not say 'Floor 1.'" in complaint


def test_a_long_file_and_a_long_function_are_named():
    long = make("rng", "def f():\n" + "    f()\n" * 69)
    (complaint,) = floors.check_sizes([long])
    assert complaint == "rng.py:1 f has 70 lines, 69 is the limit"
    (complaint,) = floors.check_sizes([make("rng", "f()\n" * 400)])
    assert "400 lines" in complaint
    (complaint,) = floors.check_sizes([make("rng", f"a = '{'x' * 10_000}'\n")])
    assert "10006 bytes" in complaint or "bytes" in complaint


def test_repeated_constants_are_compared_with_each_other_and_with_their_home():
    wire = make("wire", "PING = 0\nACK = 1\nFLAGS = b'1'\n")
    good = make("receive", "_PING = const(0)\n_OWN = const(7)\n_TABLE = (1, 2)\n")
    assert floors.check_constants([wire, good]) == []
    (complaint,) = floors.check_constants([wire, make("receive", "_ACK = const(2)\n")])
    assert complaint == "receive.py: _ACK is 2, but ACK is 1 in wire.py"
    (complaint,) = floors.check_constants([wire, good, make("node", "_OWN = const(8)\n")])
    assert complaint.startswith("node.py: _OWN is 8, but 7 in receive.py")


def test_the_command_line_lists_what_must_be_covered(capsys, monkeypatch):
    monkeypatch.setattr(floors, "COVERED_FLOORS", (0,))
    assert floors.main(["--covered"]) == 0
    names = ("_port", "errors", "status", "wire")
    assert capsys.readouterr().out == ",".join(f"lib/foca/{name}.py" for name in names) + "\n"
    monkeypatch.setattr(floors, "read", lambda: [make("rng", '"""R. Floor 1."""\nimport os')])
    assert floors.main([]) == 1
    assert "belongs in _port.py" in capsys.readouterr().out
