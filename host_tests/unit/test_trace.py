"""foca.trace: a line for everything, in words."""

from foca.accumulate import AccumulatingRuntime
from foca.address import parse
from foca.config import Config
from foca.identity import ipv4
from foca.node import Foca
from foca.trace import DEBUG, TRACE, TracingRuntime

LAYOUT = ipv4()


def address(number, bump=1):
    return parse(LAYOUT, "10.0.0.%d:5" % number, bump)


class Traced:
    """A node whose trace is kept in `lines`, and what it sends in `inner`."""

    def __init__(self, number, level):
        self.lines = []
        self.inner = AccumulatingRuntime()
        tracing = TracingRuntime(self.inner, self.lines.append, level)
        self.foca = Foca(address(number), Config.simple(), tracing, seed=number)
        self.inner.foca = self.foca
        tracing.attach(self.foca)

    def take(self):
        lines = self.lines[:]
        self.lines.clear()
        return lines


def carry(source, target, now_ms=0):
    """Hand over all datagrams, those for others too; returns how many."""
    count = 0
    entry = source.inner.to_send()
    while entry:
        count += 1
        if entry[0] == target.foca.identity():
            target.foca.handle_data(entry[1], len(entry[1]), now_ms)
        entry = source.inner.to_send()
    return count


def joined(level):
    first, second = Traced(1, level), Traced(2, level)
    second.foca.announce(first.foca.identity())
    while carry(first, second) + carry(second, first):
        pass
    return first, second


def test_debug_tells_events_and_no_datagrams():
    first, second = joined(DEBUG)
    assert first.take() == [
        "DEBUG foca: MemberUp 10.0.0.2:5#1",
        "DEBUG foca: Active 10.0.0.1:5#1",
    ]
    assert second.inner.to_notify(), "what is inside hears of it too"
    assert not first.foca.config.notify_data


def test_trace_tells_every_datagram():
    first, second = joined(TRACE)
    lines = second.take()
    assert "TRACE foca: DataSent Announce(0) 10.0.0.1:5#1" in lines
    assert "TRACE foca: DataReceived Feed(0) 10.0.0.1:5#1" in lines
    assert "DEBUG foca: MemberUp 10.0.0.1:5#1" in lines
    sizes = [line for line in lines if " send " in line]
    assert sizes
    assert sizes[0].startswith("TRACE foca: send ")
    assert sizes[0].endswith(" bytes to 10.0.0.1:5#1")


def test_a_rename_names_both_and_a_failed_probe_its_number():
    first, _ = joined(DEBUG)
    first.take()
    renewed = Traced(2, DEBUG)
    renewed.foca.change_identity(address(2, 5))
    renewed.foca.announce(first.foca.identity())
    while carry(renewed, first):
        pass
    assert "DEBUG foca: Rename 10.0.0.2:5#1 is now 10.0.0.2:5#5" in first.take()
    for now_ms in range(0, 10000, 100):
        first.foca.tick(now_ms)
    assert "DEBUG foca: ProbeFailed 10.0.0.2:5#5, probe 1" in first.take()


def test_an_indirect_message_says_whom_it_is_about():
    first, _ = joined(TRACE)
    third = Traced(3, TRACE)
    third.foca.announce(first.foca.identity())
    while carry(third, first) + carry(first, third):
        pass
    first.take()
    for now_ms in range(0, 4000, 100):  # nobody answers: the other one is asked to try
        first.foca.tick(now_ms)
    about = [line for line in first.take() if " about " in line]
    assert about
    assert about[0].startswith("TRACE foca: DataSent PingReq(1) 10.0.0.")


def test_before_it_is_attached_it_only_passes_on():
    lines = []
    inner = AccumulatingRuntime()
    tracing = TracingRuntime(inner, lines.append, TRACE)
    inner.foca = Foca(address(1), Config.simple(), tracing, seed=1)
    inner.foca.announce(address(2))
    assert inner.backlog() == 1
    assert lines == []
    tracing.notify(3, 0)
    assert inner.backlog() == 2
