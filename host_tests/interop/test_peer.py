"""The witness itself: its scripts are refused clearly, and the committed vectors are its own."""

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
import vectors

NEW = {
    "op": "new",
    "codec": "bincode",
    "bump_width": 64,
    "identity": "127.0.0.1:8000#1",
    "seed": 1,
    "renew": True,
    "handler": "none",
}


def replay(peer, *lines):
    """Exit status, results and messages of a script."""
    script = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        [str(peer), "replay"], input=script, capture_output=True, text=True, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_the_committed_vectors_are_what_the_crate_writes(peer):
    with tempfile.TemporaryDirectory() as fresh:
        vectors.generate(Path(fresh))
        assert vectors.differing(vectors.FOLDER, Path(fresh)) == []


def test_the_vectors_stay_small():
    total = sum(path.stat().st_size for path in vectors.FOLDER.glob("*.json"))
    assert 0 < total < 1_500_000


def test_a_script_runs(peer):
    status, results, _ = replay(peer, "# a comment\n", NEW, "\n", {"op": "leave"})
    assert status == 0
    assert [result["result"] for result in results] == ["Ok", "Ok"]
    assert results[1]["events"] == [{"notify": ["Defunct"]}]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("nonsense\n", "", "not JSON"),
        ({"op": "leave"}, "op", "first step"),
        ({**NEW, "codec": "xml"}, "codec", "neither bincode nor postcard"),
        ({**NEW, "bump_width": 32}, "bump_width", "must be 16 or 64"),
        ({**NEW, "identity": "127.0.0.1:8000"}, "identity", "ADDR#BUMP"),
        ({**NEW, "identity": "localhost:8000#1"}, "identity", "not IP:PORT"),
        ({**NEW, "bump_width": 16, "identity": "[::1]:1#65536"}, "identity", "not a 16-bit"),
        ({**NEW, "config": {"probe_period": 1}}, "config.probe_period", "not known"),
        ({**NEW, "config": {"max_transmissions": 0}}, "config.max_transmissions", "at least 1"),
        ({**NEW, "config": {"periodic_gossip": 5}}, "config.periodic_gossip", "null or"),
        ({**NEW, "renew": 1}, "renew", "true or false"),
        ({**NEW, "handler": "mine"}, "handler", "versioned"),
        ({key: NEW[key] for key in NEW if key != "seed"}, "seed", "missing"),
    ],
)
def test_a_bad_first_line_is_refused_by_line_and_field(peer, line, field, reason):
    status, results, message = replay(peer, "\n", line)
    assert status == 2
    assert results == []
    assert message.startswith('line 2, field "%s": ' % field)
    assert reason in message


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"op": "dance"}, "op"),
        ({"op": "data", "hex": "0"}, "hex"),
        ({"op": "advance", "ms": -1}, "ms"),
        ({"op": "fire", "timer_id": 0}, "timer_id"),
        ({"op": "gossip", "twice": True}, "twice"),
        ({"op": "announce", "to": 5}, "to"),
        ({"op": "add_broadcast", "item": ["here", 1, "x"]}, "item"),
        ({"op": "apply_many", "updates": [["[::1]:1#1", 0, "Sick"]]}, "updates[0]"),
        ({"op": "encode", "header": ["[::1]:1#1", 0]}, "header"),
    ],
)
def test_a_bad_step_is_refused_by_line_and_field(peer, step, field):
    status, results, message = replay(peer, NEW, step)
    assert status == 2
    assert len(results) == 1
    assert message.startswith('line 2, field "%s": ' % field)
