"""The events are measured on every interpreter, and none takes heap, not even on the way."""

import os
import subprocess

import bench
import find_micropython
import pytest

WORDS = ["--members", "16", "--times", "3"]


def test_events_are_measured_and_take_no_heap(capsys):
    assert bench.main(WORDS) == 0
    out = capsys.readouterr().out
    assert "| Ping: answered |" in out
    assert "CPython, 16" in out
    assert out.splitlines()[-1].startswith("heap taken per event, to keep or on the way: 0 bytes")


def test_an_event_that_takes_heap_is_named_and_fails(capsys, monkeypatch):
    for kind, what in (("heap", "bytes of heap"), ("words", "words of heap on the way")):
        row = {"members": 16, "event": "Ping: answered", "us": 1, "heap": 0, "words": 0}
        row[kind] = 16
        monkeypatch.setattr(bench, "measure", lambda *words, row=row: [row])
        assert bench.main(WORDS) == 1
        assert f"Ping: answered at 16 members takes 16 {what}" in capsys.readouterr().out


LARGE_FRAME = """
import events_on_vm
def large(a):
    b = c = d = e = f = g = h = i = j = k = l = a
    return len(a) + len(b)
print(events_on_vm.best(large, lambda: b"", 3)[2] > 0, events_on_vm.best(len, lambda: b"", 3)[2])
"""


def test_what_is_given_back_is_counted_too(tmp_path):
    """A frame of more than eleven words comes from the heap at each call."""
    machines = [vm for vm in find_micropython.find() if vm.name in ("mp32", "mp64")]
    if not machines:
        pytest.skip(find_micropython.missing_line("mp32"))
    program = tmp_path / "large_frame.py"
    program.write_text(LARGE_FRAME)
    for vm in machines:
        out = subprocess.run(
            [*vm.argv, str(program)],
            env={**os.environ, "MICROPYPATH": f"{bench.ROOT}/lib:{bench.ROOT}/tools:.frozen"},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        assert out == "True 0\n"
