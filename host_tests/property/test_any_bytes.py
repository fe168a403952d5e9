"""Whatever arrives: a status code, no exception, and nothing changed unless it was accepted."""

from foca.config import Config
from foca.errors import ConfigError
from foca.status import (
    COUNTERS,
    DATA_FROM_OURSELVES,
    DATA_TOO_BIG,
    DATAGRAMS_RECEIVED,
    DECODE,
    FOREIGN_ADDRESS,
    MALFORMED_PACKET,
    NOT_FOR_US,
    OK,
    RENEWALS,
    STATUS_NAMES,
)
from foca.timers import TIMER_PROBE
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from support.nodes import Node, everything, member, packet
from support.table import check

EXAMPLES = settings().max_examples
NEVER_ACCEPTED = (DATA_TOO_BIG, DECODE, DATA_FROM_OURSELVES, FOREIGN_ADDRESS)
PEERS = st.tuples(st.integers(1, 9), st.sampled_from((0, 1, 2, 300, 65535)))
UPDATES = st.tuples(PEERS, st.integers(0, 2), st.sampled_from((0, 1, 5, 200, 65534, 65535)))
FOREIGN = st.tuples(st.binary(min_size=16, max_size=16), st.sampled_from((b"\x01", b"\xff\x7f")))
ITEMS = st.binary(min_size=1, max_size=12)


class Handler:
    """Takes an item that starts below 128, knows those below 192 already, and refuses the rest."""

    def receive_item(self, buf, start, end, row):
        return 1 if buf[start] < 128 else 0 if buf[start] < 192 else -1

    def should_add_broadcast_data(self, row):
        return row & 1 == 0

    def invalidates(self, buf, start, end, items):
        return buf[start] == items.store[items.old_start]


@st.composite
def foreign(draw):
    """A member with an IPv6 address, which no node here can hold."""
    octets, port = draw(FOREIGN)
    bump = draw(st.sampled_from((b"\x01", b"\xff\xff\x03")))
    return (
        b"\x01" + octets + port + bump + draw(st.sampled_from((b"\x00\x00", b"\xff\xff\x03\x02")))
    )


MEMBERS = st.one_of(st.none(), st.lists(st.one_of(UPDATES, UPDATES, foreign()), max_size=6))


@st.composite
def well_formed(draw):
    """A packet that some peer could have sent, mostly to us, which is peer 1."""
    tag = draw(st.integers(0, 10))
    return packet(
        tag,
        draw(PEERS),
        draw(st.one_of(st.just((1, 1)), st.just((1, 1)), PEERS)),
        draw(st.one_of(st.just((1, 1)), PEERS)),
        draw(st.integers(0, 255)),
        draw(st.sampled_from((0, 1, 300, 65535))),
        draw(MEMBERS) if tag not in (6, 10) else None,
        draw(st.lists(ITEMS, max_size=3)) if tag not in (6, 10) else (),
    )


@st.composite
def mutated(draw):
    """A well-formed packet with a few bytes changed, cut, doubled or added."""
    data = bytearray(draw(well_formed()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.integers(0, 4))
        if kind == 0 and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif kind == 1:
            data = data[:at]
        elif kind == 2:
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif kind == 3:
            data = data[:at] + data[at // 2 :]
        elif at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@st.composite
def nodes(draw, strict=None):
    """A node that has lived: members in every state, a running probe, full backlogs."""
    if strict is None:
        strict = draw(st.booleans())
    limit = draw(st.sampled_from((40, 120, 1400)))
    config = Config.lan(
        10,
        members_max=draw(st.sampled_from((1, 3, 8))),
        strict=strict,
        packet_bytes_max=limit,
        send_bytes_max=draw(st.sampled_from((20, 40, limit))),
        items_max=2,
        items_bytes_max=30,
        notify_data=draw(st.booleans()),
        remove_down_after_ms=draw(st.sampled_from((0, 5000))),
    )
    node = Node((1, 1), config, draw(st.integers(0, 99)), draw(st.sampled_from((None, Handler()))))
    node.apply(*draw(st.lists(UPDATES, max_size=6)))
    if draw(st.booleans()):
        node.foca.add_broadcast(b"\x05item", 5)
    for _ in range(draw(st.integers(0, 3))):
        node.wait(draw(st.sampled_from((400, 600, 4000))))
    if draw(st.integers(0, 5)) == 0:
        node.foca.leave_cluster()
    node.clear()
    return node


def receive(node, data):
    """Hand over `data` and hold the outcome against the rule."""
    foca = node.foca
    before = everything(foca)
    counters = list(foca.counters)
    status = node.receive(data)
    changed = [i for i in range(COUNTERS) if foca.counters[i] != counters[i]]
    assert 0 <= status < len(STATUS_NAMES)
    check(foca.members)
    if status:
        assert foca.counters[status] >= counters[status] + 1
    accepted = DATAGRAMS_RECEIVED in changed
    if status in NEVER_ACCEPTED:
        assert not accepted
    if not accepted:
        jumped = RENEWALS in changed
        assert status or NOT_FOR_US in changed
        if not jumped:
            assert everything(foca) == before, STATUS_NAMES[status]
            assert node.sent == [] and node.events == []
            assert len(changed) == 1, "counters %r" % changed
        else:
            assert not foca.config.strict
    for data in node.packets:
        assert len(data) <= foca.config.send_bytes_max
    assert not foca._busy
    return status


@given(nodes(), st.binary(max_size=150))
@settings(max_examples=3 * EXAMPLES)
def test_any_bytes_are_answered_with_a_status(node, data):
    receive(node, data)


@given(nodes(), st.lists(st.one_of(well_formed(), mutated(), mutated()), min_size=1, max_size=4))
@settings(max_examples=6 * EXAMPLES)
def test_well_formed_and_mutated_packets_are_applied_whole_or_not_at_all(node, packets):
    for data in packets:
        node.clear()
        receive(node, data)
    node.clear()
    node.wait(3000)
    check(node.foca.members)


@given(nodes(), well_formed())
@settings(max_examples=3 * EXAMPLES)
def test_a_packet_cut_at_any_byte_is_applied_whole_or_not_at_all(node, data):
    assume(len(data) <= 80)
    for end in range(len(data)):
        node.clear()
        receive(node, data[:end])


@given(nodes(), well_formed(), st.binary(min_size=1, max_size=40))
def test_what_lies_behind_the_datagram_in_the_buffer_is_not_read(node, data, behind):
    """A transport hands over one buffer for every datagram.

    Old bytes stand behind the new ones.
    """
    other = Node(1, node.foca.config)
    first = other.receive(data)
    again = Node(1, node.foca.config)
    second = again.foca.handle_data(data + behind, len(data), again.now_ms)
    assert first == second
    assert everything(other.foca) == everything(again.foca)
    assert other.packets == again.packets


@given(nodes(), well_formed())
def test_the_same_datagram_twice_is_harmless(node, data):
    """Duplicates happen on any network.

    No member's state moves the second time, unless ours did.
    """
    receive(node, data)
    known = node.known()
    identity = node.foca.identity()
    node.clear()
    receive(node, data)
    if node.foca.identity() == identity and not node.foca.members.evicted:
        assert node.known() == known


@given(nodes(), st.binary(max_size=60), st.lists(UPDATES, max_size=5), st.booleans())
@example(Node(1), b"", [((2, 1), 0, 0)], True)
def test_apply_many_takes_all_or_nothing(node, junk, updates, do_broadcast):
    data = b"".join([member(*update) for update in updates]) + junk
    foca = node.foca
    before = everything(foca)
    status = foca.apply_many(data, len(data), do_broadcast, node.now_ms)
    assert 0 <= status < len(STATUS_NAMES)
    if status == DECODE:
        assert everything(foca) == before
        assert node.events == [] and node.sent == []
    check(foca.members)


@given(nodes())
def test_what_dump_writes_apply_many_takes_back(node):
    buf = bytearray(300)
    count = node.foca.dump(buf)
    copy = Node(50, Config.simple(members_max=8))
    assert copy.foca.apply_many(buf, count, False, 1) == OK
    assert copy.known() == node.known()
    assert copy.foca.updates_backlog() == 0
    for room in range(count):
        assert node.foca.dump(bytearray(room)) == -1


@given(nodes(), st.binary(max_size=60))
def test_add_broadcast_queues_or_changes_nothing(node, data):
    foca = node.foca
    before = everything(foca)
    status = foca.add_broadcast(data, len(data))
    if status:
        assert everything(foca) == before
    else:
        assert foca.custom_broadcast_backlog()
    assert node.sent == []


@given(nodes(strict=False), st.integers(0, 0x3FFFFFFF), st.integers(0, 100000))
def test_time_may_stand_anywhere(node, start, late):
    """A node that is first called at any time, then late, keeps probing."""
    fresh = Node(1, node.foca.config, now_ms=start)
    fresh.apply(((2, 1), 0, 0))
    fresh.foca.tick((start + late) & 0x3FFFFFFF)
    assert fresh.foca.connection == 1 and fresh.foca.timers.at[TIMER_PROBE]
    assert 0 <= fresh.foca.tick((start + late + 1) & 0x3FFFFFFF) <= 60000


@given(st.binary(max_size=20))
def test_an_identity_of_another_width_is_refused(identity):
    from foca.node import Foca
    from foca.runtime import Runtime

    assume(len(identity) != 14)
    try:
        Foca(identity, Config(), Runtime())
    except ConfigError as error:
        assert "its layout wants 14" in str(error)
    else:
        raise AssertionError("taken")


def test_the_generator_reaches_every_status_of_a_datagram():
    """A generator that finds nothing proves nothing: one packet for each way to be refused."""
    node = Node(1, Config.simple(packet_bytes_max=60, send_bytes_max=60))
    for status, data in (
        (OK, packet(0, 2, 1, number=1)),
        (OK, packet(0, 2, 7)),
        (DATA_TOO_BIG, bytes(61)),
        (DECODE, b""),
        (DECODE, packet(8, 2, 1, updates=[(3,)])[:-1]),
        (FOREIGN_ADDRESS, b"\x01" + bytes(18) + packet(6, 2, 1)[8:]),
        (DATA_FROM_OURSELVES, packet(0, (1, 5), 1, number=1)),
        (MALFORMED_PACKET, packet(6, 2, 1) + b"\x00\x00"),
        (MALFORMED_PACKET, packet(8, 2, 1) + b"\x00"),
        (MALFORMED_PACKET, packet(8, 2, 1, updates=[]) + b"\x00"),
    ):
        node.clear()
        assert receive(node, data) == status, (status, data)
