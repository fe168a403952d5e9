"""foca.accumulate: collect first, send and react later."""

from foca.accumulate import AccumulatingRuntime
from foca.address import parse, text_of
from foca.config import Config
from foca.identity import ipv4
from foca.node import Foca
from foca.runtime import ACTIVE, MEMBER_UP

LAYOUT = ipv4()


def node(number, entries_max=64):
    runtime = AccumulatingRuntime(entries_max)
    identity = parse(LAYOUT, "10.0.0.%d:5" % number, number)
    runtime.foca = Foca(identity, Config.simple(), runtime, seed=number)
    return runtime


def carry(source, target):
    """Give everything that `source` holds to `target`; returns the datagrams' destinations."""
    destinations = []
    entry = source.to_send()
    while entry:
        destinations.append(text_of(LAYOUT, entry[0]))
        assert target.foca.handle_data(entry[1], len(entry[1]), 0) == 0
        entry = source.to_send()
    return destinations


def test_datagrams_and_events_wait_until_they_are_taken():
    first, second = node(1), node(2)
    assert first.to_send() is None
    assert first.to_notify() is None
    second.foca.announce(first.foca.identity())
    assert second.backlog() == 1
    assert carry(second, first) == ["10.0.0.1:5"]
    assert first.backlog() == 3
    peer = second.foca.identity()
    assert first.to_notify() == (MEMBER_UP, peer)
    assert first.to_notify() == (ACTIVE, first.foca.identity())
    assert first.to_notify() is None
    assert carry(first, second) == ["10.0.0.2:5"]
    assert second.to_notify() == (MEMBER_UP, first.foca.identity())


def test_datagrams_are_copies():
    """The node reuses its buffer for the next one."""
    runtime = node(1)
    for number in (2, 3):
        runtime.foca.announce(parse(LAYOUT, "10.0.0.%d:5" % number, 0))
    one, two = runtime.to_send(), runtime.to_send()
    assert one[1] != two[1]


def test_a_full_queue_drops_what_is_new_and_counts_it():
    runtime = node(1, entries_max=2)
    for number in range(2, 7):
        runtime.foca.announce(parse(LAYOUT, "10.0.0.%d:5" % number, 0))
    assert runtime.backlog() == 2
    assert runtime.dropped == 3
    assert text_of(LAYOUT, runtime.to_send()[0]) == "10.0.0.2:5"
    for _ in range(3):
        runtime.notify(ACTIVE, 0)
    assert runtime.dropped == 4
