"""The published crate and our strict core agree on seeded scripts; and the comparison works.

SEEDS=2000 makes a long run (`make interop SEEDS=2000`).
"""

import os

import differential
import find_micropython
import pytest
import scripts
from _paths import ROOT
from differential import (
    DisagreementError,
    MicroPython,
    Tally,
    attempt,
    read_script,
    report,
    shortened,
)
from masks import MASKS
from reference import Reference

SEEDS = int(os.environ.get("SEEDS") or 100)

MESSAGES = (
    *("Ping", "Ack", "PingReq", "IndirectPing", "IndirectAck", "ForwardedAck"),
    *("Announce", "Feed", "Gossip", "Broadcast", "TurnUndead"),
)
NOTIFICATIONS = (
    *("MemberUp", "MemberDown", "Rename", "Active", "Idle", "Defunct", "Rejoin"),
    *("ProbeFailed", "DataReceived", "DataSent"),
)
# All but NotConnected: the token of an outdated probe timer never matches (spec 2.10).
RESULTS = (
    *("Ok", "DataTooBig", "NotUndead", "SameIdentity", "IncompleteProbeCycle"),
    *("DataFromOurselves", "IndirectForOurselves", "MalformedPacket", "Encode", "Decode"),
    *("CustomBroadcast", "InvalidConfig"),
)


@pytest.fixture(scope="module")
def reference(peer):
    with Reference(peer) as running:
        yield running


def test_every_step_of_every_seed_agrees(reference, figures):
    """... and together the seeds make the crate do everything that it can do."""
    tally = Tally()
    for seed in range(SEEDS):
        script = scripts.script(seed)
        try:
            attempt(reference, script, tally)
        except DisagreementError as found:
            pytest.fail(report(reference, "seed %d" % seed, script, found), pytrace=False)
    figures.append(
        "differential: %d seeds, %d steps, %d timers, 0 disagreements; listed differences met: %s"
        % (SEEDS, tally.steps, tally.timers, dict(sorted(tally.masks.items())))
    )
    wanted = [
        *("sent " + name for name in MESSAGES),
        *("received " + name for name in MESSAGES),
        *("notify " + name for name in NOTIFICATIONS),
        *("result " + name for name in RESULTS),
        *("timer " + name for name in differential.TIMER_ORDER),
    ]
    assert [name for name in wanted if not tally.seen[name]] == []


@pytest.mark.parametrize("name", ["mp32", "mp64"])
def test_micropython_agrees_as_well(reference, name):
    found = {vm.name: vm for vm in find_micropython.find()}
    if name not in found:
        pytest.skip(find_micropython.missing_line(name))
    tally = Tally()
    with MicroPython(found[name].argv) as micropython:
        for seed in range(max(SEEDS // 10, 5)):
            attempt(reference, scripts.script(seed), tally, micropython)
    assert tally.steps >= 200


def probing_script(rounds, answers):
    """One peer, probed for so many rounds."""
    new = dict(scripts.script(0)[0])
    new["config"] = {"probe_period_ms": 1000, "probe_rtt_ms": 200}
    new["renew"] = True
    peer = ["127.0.0.1:8001#1", 0, "Alive"]
    script = [new, {"op": "apply_many", "updates": [peer], "do_broadcast": False}]
    for _ in range(rounds):
        script.append({"op": "advance", "ms": 1000})
        if answers:
            header = ["probed", 0, "self", ["Ack", "current"]]
            script.append({"op": "packet", "header": header, "updates": [], "items": []})
    return script


def test_probe_numbers_wrap(reference):
    """The number is one byte: after probe 255 comes probe 0."""
    tally = Tally()
    attempt(reference, probing_script(300, True), tally)
    assert tally.seen["sent Ping"] == 300
    assert not tally.masks


def test_generations_wrap(reference):
    """The crate's timer token is one byte; ours has none, and no timer comes back to life."""
    script = probing_script(1, True)
    for bump in range(2, 300):
        script.append({"op": "change_identity", "identity": "127.0.0.1:8000#%d" % bump})
        script.append({"op": "advance", "ms": 40})
        script.append({"op": "apply_many", "updates": [], "do_broadcast": False})
    tally = Tally()
    attempt(reference, script, tally)
    assert tally.seen["notify Active"] == 299


def test_incarnations_climb_to_the_last_one(reference):
    """Each suspicion is refuted until there is no higher incarnation; then the identity renews."""
    script = probing_script(1, True)
    for incarnation in (0, 1, 5, 250, 251, 65533, 65534, 65535, 0):
        update = ["self", incarnation, "Suspect"]
        script.append({"op": "apply_many", "updates": [update], "do_broadcast": True})
    tally = Tally()
    attempt(reference, script, tally)
    assert tally.seen["notify Rejoin"] == 1


@pytest.mark.parametrize("codec", ["bincode", "postcard"])
def test_feeds_of_every_size(reference, codec):
    """How many members a Feed asks for is an estimate from the header; all sizes agree."""
    members = [["10.0.0.%d:9#1" % n, 0, "Alive"] for n in range(1, 15)]
    header = ["[2001:db8::1]:65535#65535", 0, "self", ["Announce"]]
    feeds = 0
    for size in range(30, 250):
        new = dict(scripts.script(0)[0])
        new.update(codec=codec, bump_width=16, identity="127.0.0.1:8000#1")
        new["config"] = {"probe_period_ms": 1000, "probe_rtt_ms": 200, "max_packet_size": size}
        script = [
            new,
            {"op": "apply_many", "updates": members, "do_broadcast": False},
            {"op": "packet", "header": header, "updates": None, "items": []},
        ]
        tally = Tally()
        attempt(reference, script, tally)
        feeds += tally.seen["sent Feed"]
    assert feeds >= 200


def test_a_seed_always_makes_the_same_script():
    assert scripts.script(7) == scripts.script(7)
    assert scripts.script(7) != scripts.script(8)


class Tampered(Reference):
    """A crate that never says that a member came up."""

    def step(self, step):
        result = Reference.step(self, step)
        for part in (result, *result.get("fired", ())):
            part["events"] = [
                event
                for event in part.get("events", ())
                if event.get("notify", [""])[0] != "MemberUp"
            ]
        return result


def test_a_disagreement_is_found_and_shortened(peer):
    """One packet is enough to show that a notification is missing."""
    with Tampered(peer) as tampered:
        script = scripts.script(0)
        with pytest.raises(DisagreementError) as caught:
            attempt(tampered, script, Tally())
        assert caught.value.what == "events"
        short = shortened(tampered, script, caught.value)
        assert len(short) == 2
        text = report(tampered, "seed 0", script, caught.value)
        assert "shortest script, 2 steps" in text
        assert '"MemberUp"' in text


def test_a_shorter_script_keeps_its_first_step():
    script = scripts.script(3, length=8)
    for candidate in differential.smaller(script):
        assert candidate[0]["op"] == "new"
        assert len(candidate) <= len(script)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{"op": "leave"}\n', 1, 'the first step, and only it, is "new"'),
        ('# a comment\n{"op": "new"}\n\n{"op": "new"}\n', 4, 'field "op"'),
        ('{"op": "new"}\nnonsense\n', 2, "Expecting value"),
        ('{"op": "new"}\n{"ms": 5}\n', 2, "op"),
    ],
)
def test_a_script_file_that_is_not_valid_says_which_line(tmp_path, text, line, reason):
    path = tmp_path / "script.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match="line %d" % line) as caught:
        read_script(path)
    assert reason in str(caught.value)


def test_every_mask_has_its_row():
    """docs/DIFFERENCES.md is the list; a mask without a row there would hide a bug."""
    path = ROOT / "docs" / "DIFFERENCES.md"
    if not path.exists():
        pytest.skip("docs/DIFFERENCES.md is not written yet")
    text = path.read_text()
    assert [name for name in MASKS if name not in text] == []
