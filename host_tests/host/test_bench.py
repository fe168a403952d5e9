"""The events are measured on every interpreter, and none takes heap."""

import bench


def test_events_are_measured_and_take_no_heap(capsys):
    assert bench.main(["--members", "16"]) == 0
    out = capsys.readouterr().out
    assert "| Ping answered |" in out
    assert "CPython, 16" in out


def test_an_event_that_takes_heap_is_named_and_fails(capsys, monkeypatch):
    row = {"members": 16, "event": "Ping answered", "us": 1.0, "heap": 16}
    monkeypatch.setattr(bench, "measure", lambda argv, members: [row])
    assert bench.main(["--members", "16"]) == 1
    assert "Ping answered at 16 members takes 16 bytes of heap" in capsys.readouterr().out
