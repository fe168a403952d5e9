"""Our strict node against the reference's: packet sizes to the byte, and bad datagrams."""

from conformance.golden import COMBINATIONS, Bench, vectors
from conformance.session import Session


def sent(result):
    """The datagrams of a result."""
    return [event[2] for event in result["events"] if event[0] == "send"]


def backlogs(result):
    return [result["updates_backlog"], result["custom_backlog"]]


def outcome(steps, size):
    """What a script of the limits does at one packet size."""
    new = dict(steps[0])
    new["config"] = dict(new["config"])
    new["config"]["max_packet_size"] = size
    session = Session(new)
    results = ["Ok"]
    for step in steps[1:]:
        last = session.step(step)
        results.append(last["result"])
    return {"results": results, "sent": sent(last), "backlogs": backlogs(last)}


def test_packets_are_filled_to_the_byte_like_the_reference_s():
    rows = 0
    for codec, width in COMBINATIONS:
        source = vectors(codec, width, "limits")
        next(source)
        for script in source:
            for first, last, expected in script["rows"]:
                for size in (first, last):
                    got = outcome(script["steps"], size)
                    assert got == expected, "%s-%d, %s, %d bytes: %s instead of %s" % (
                        codec,
                        width,
                        script["name"],
                        size,
                        got,
                        expected,
                    )
                rows += 1
    assert rows >= 200


def parts(bench, datagrams):
    """What datagrams say, whatever the order of updates of equal rank, which is not specified."""
    told = []
    for text in datagrams:
        header, updates, items = bench.read_packet(bytes.fromhex(text))
        told.append([header, sorted(updates or []), updates is None, items])
    return sorted(told, key=str)


def check_verdict(bench, new, vector):
    result = Session(new).step({"op": "data", "hex": vector["hex"]})
    got = {
        "verdict": result["result"],
        "members": sorted(result["members"]),
        "backlogs": backlogs(result),
        "sent": parts(bench, sent(result)),
    }
    vector["sent"] = parts(bench, vector["sent"])
    for name in got:
        assert got[name] == vector[name], "%s: %s is %s instead of %s (%s)" % (
            vector["why"],
            name,
            got[name],
            vector[name],
            vector["hex"],
        )


def test_bad_datagrams_have_the_reference_s_verdict_and_effect():
    count = 0
    for codec, width in COMBINATIONS:
        bench = Bench(codec, width)
        source = vectors(codec, width, "malformed")
        new = next(source)["new"]
        for vector in source:
            if "verdict" in vector:
                check_verdict(bench, new, vector)
                count += 1
    assert count >= 800
