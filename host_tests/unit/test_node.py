"""The machine where no scenario of the reference leads: misuse, limits, and the hardened rules.

What the reference's own tests describe is in host_tests/spec.
"""

import os

from foca.address import pack, parse
from foca.config import Config
from foca.errors import ConfigError
from foca.identity import Layout, ip, ipv4
from foca.members import CALL, FIRST
from foca.node import Foca
from foca.runtime import (
    ACTIVE,
    DATA_RECEIVED,
    DATA_SENT,
    DEFUNCT,
    EVENT_NAMES,
    IDLE,
    MEMBER_DOWN,
    MEMBER_UP,
    PROBE_FAILED,
    REJOIN,
    RENAME,
    Runtime,
)
from foca.status import (
    BUSY,
    BYTES_SENT,
    CUSTOM_BROADCAST,
    DATA_TOO_BIG,
    DATAGRAMS_RECEIVED,
    DATAGRAMS_SENT,
    ENCODE,
    EVICTED_MEMBERS,
    FEEDS_LIMITED,
    FOREIGN_ADDRESS,
    FOREIGN_MEMBERS,
    INCOMPLETE_PROBE_CYCLE,
    INVALID_CONFIG,
    ITEMS_EVICTED,
    ITEMS_REFUSED,
    MALFORMED_PACKET,
    NOT_FOR_US,
    NOT_UNDEAD,
    OK,
    REFUSED_MEMBERS,
    RELAYS_LIMITED,
    RENEWALS,
    RENEWALS_LIMITED,
    SAME_IDENTITY,
    STALE,
    TABLE_FULL,
    TURN_UNDEAD_LIMITED,
)
from foca.timers import TIMER_FORGET, TIMER_PROBE, TIMER_SUSPECT
from foca.wire import (
    ACK,
    ALIVE,
    ANNOUNCE,
    BROADCAST,
    DOWN,
    FEED,
    FORWARDED_ACK,
    GOSSIP,
    INDIRECT_PING,
    PING,
    PING_REQ,
    SUSPECT,
    TURN_UNDEAD,
)
from support.check import raises
from support.nodes import LAYOUT, Node, everything, member, packet, record

UNHEARD = b"\x01" + bytes(16) + b"\x01\x01\x00\x00"  # an IPv6 member


class Handler:
    """An item is a key byte and a text; keys from 'a' on are stale, 'X' is refused."""

    def __init__(self):
        self.heard = []

    def receive_item(self, buf, start, end, row):
        self.heard.append((bytes(buf[start:end]), row))
        return -1 if buf[start] == 88 else 0 if buf[start] >= 97 else 1

    def should_add_broadcast_data(self, row):
        return True

    def invalidates(self, buf, start, end, items):
        return buf[start] == items.store[items.old_start]


def counted(node, *names):
    return [node.foca.counters[name] for name in names]


# construction


def test_an_identity_of_the_wrong_width_is_refused_and_the_remedy_named():
    error = str(raises(ConfigError, Foca, b"\x01\x02", Config(), Runtime()))
    assert "identity has 2 bytes, its layout wants 14" in error
    assert "foca.address.parse" in error


def test_a_config_changed_by_hand_is_checked_at_construction():
    config = Config()
    config.max_transmissions = 0
    raises(ConfigError, Foca, record(1), config, Runtime())


def test_the_defaults_are_ipv4_a_64_bit_bump_and_entropy():
    seed = None if hasattr(os, "urandom") else 1  # the WebAssembly port has no random source
    foca = Foca(parse(ipv4(), "127.0.0.1:8000", 5), Config(), Runtime(), seed=seed)
    assert foca.identity() == parse(ipv4(), "127.0.0.1:8000", 5)
    assert foca.announce(parse(ipv4(), "127.0.0.1:8001", 5)) == OK, "the runtime may do nothing"
    assert foca.handle_data(b"", 0, 0) != OK
    assert not foca.is_undead()


def test_event_names_stand_at_their_numbers():
    import foca.runtime as runtime

    for number, name in enumerate(EVENT_NAMES):
        spread = "".join(["_" + c if c == c.upper() else c for c in name])[1:].upper()
        assert getattr(runtime, spread) == number


# calls from inside a callback


def test_every_call_from_inside_a_callback_is_busy_and_does_nothing():
    node = Node(1)
    foca = node.foca
    answers = []

    def inside(row):
        before = everything(foca), list(node.sent), list(node.events)
        answers.append(
            [
                foca.handle_data(b"\x00", 1, 5),
                foca.announce(record(3)),
                foca.gossip(),
                foca.broadcast(),
                foca.add_broadcast(b"x", 1),
                foca.leave_cluster(),
                foca.change_identity(record((1, 9))),
                foca.reuse_down_identity(),
                foca.apply_many(b"\x00", 1, True, 5),
                foca.set_config(Config.simple(members_max=8)),
            ]
        )
        assert foca.tick(node.now_ms) == 0
        assert (everything(foca), list(node.sent), list(node.events)) == before

    node.inside = inside
    assert node.receive(packet(PING, 2, 1, number=7)) == OK
    assert answers == [[BUSY] * 10] * 3, "MemberUp, Active and the Ack"
    assert foca.counters[BUSY] == 33
    node.inside = None
    assert foca.gossip() == OK, "and afterwards it works again"


def test_an_exception_in_a_callback_passes_through_and_leaves_the_node_usable():
    node = Node(1)

    def inside(row):
        raise KeyError("application")

    node.inside = inside
    raises(KeyError, node.receive, packet(PING, 2, 1, number=7))
    node.inside = None
    assert node.receive(packet(PING, 2, 1, number=8)) == OK
    assert node.tags() == [((2, 1), ACK)]


# what is counted


def test_datagrams_and_bytes_are_counted():
    node = Node(1)
    node.receive(packet(PING, 2, 1, number=7))
    node.receive(packet(PING, 2, 9, number=7))
    size = sum([len(data) for data in node.packets])
    assert counted(node, DATAGRAMS_RECEIVED, DATAGRAMS_SENT, BYTES_SENT, NOT_FOR_US) == [
        1,
        1,
        size,
        1,
    ]


def test_evicted_and_refused_members_are_counted():
    node = Node(1, Config.simple(members_max=2))
    assert node.apply((2, DOWN), (3,), do_broadcast=False) == OK
    assert node.apply((4,)) == OK
    assert counted(node, EVICTED_MEMBERS, REFUSED_MEMBERS, TABLE_FULL) == [1, 0, 0]
    assert sorted(node.known()) == [(3, 1), (4, 1)]
    assert node.apply((5,), (6,), (3, SUSPECT)) == TABLE_FULL
    assert counted(node, EVICTED_MEMBERS, REFUSED_MEMBERS, TABLE_FULL) == [1, 2, 1]
    assert node.known() == {(3, 1): (SUSPECT, 0), (4, 1): (ALIVE, 0)}


def test_a_sender_that_finds_the_table_full_is_still_answered_and_its_updates_count():
    node = Node(1, Config.simple(members_max=2))
    node.apply((2,), (3,))
    node.clear()
    assert node.receive(packet(PING, 4, 1, number=9, updates=[(2, SUSPECT)])) == OK
    assert node.tags() == [((4, 1), ACK)]
    assert node.known() == {(2, 1): (SUSPECT, 0), (3, 1): (ALIVE, 0)}
    assert counted(node, REFUSED_MEMBERS) == [1]


def test_foreign_members_are_skipped_and_counted_and_the_rest_applied():
    node = Node(1)
    data = packet(GOSSIP, 2, 1, updates=[UNHEARD, (3, SUSPECT, 4), UNHEARD, (4, DOWN)])
    assert node.receive(data) == OK
    assert counted(node, FOREIGN_MEMBERS) == [2]
    assert node.known() == {(2, 1): (ALIVE, 0), (3, 1): (SUSPECT, 4), (4, 1): (DOWN, 0)}
    data = UNHEARD + member(5)
    assert node.foca.apply_many(data, len(data), True, 1) == OK
    assert (5, 1) in node.known()


def test_a_packet_of_another_family_is_a_status():
    node = Node(1)
    data = b"\x01" + bytes(18) + packet(ANNOUNCE, 2, 1)[8:]
    assert node.receive(data) == FOREIGN_ADDRESS
    assert counted(node, FOREIGN_ADDRESS) == [1]
    assert node.known() == {}


# what the application's calls answer


def test_verbs_answer_misuse_with_a_status_and_change_nothing():
    node = Node(1)
    foca = node.foca
    before = everything(foca)
    assert foca.change_identity(record(1)) == SAME_IDENTITY
    assert foca.reuse_down_identity() == NOT_UNDEAD
    assert foca.add_broadcast(b"", 0) == MALFORMED_PACKET
    assert foca.add_broadcast(b"A", 1) == CUSTOM_BROADCAST, "there is no handler"
    assert foca.broadcast() == OK
    assert foca.custom_broadcast_backlog() == 0
    assert everything(foca) == before
    assert node.sent == [] and node.events == []


def test_add_broadcast_asks_the_handler():
    node = Node(1, handler=Handler())
    foca = node.foca
    assert foca.add_broadcast(b"Avail", 1) == OK
    assert foca.handler.heard == [(b"A", -1)], "so many bytes as said, from nobody"
    assert foca.add_broadcast(b"a", 1) == STALE
    assert foca.add_broadcast(b"X", 1) == CUSTOM_BROADCAST
    assert foca.custom_broadcast_backlog() == 1
    assert counted(node, STALE, CUSTOM_BROADCAST) == [1, 1]


def test_add_broadcast_refuses_what_no_packet_could_carry():
    """Hardened: the header is counted in. Strict: as the reference, the packet limit alone."""
    for strict in (False, True):
        config = Config.simple(
            strict=strict, packet_bytes_max=200, send_bytes_max=200, items_bytes_max=999
        )
        node = Node(1, config, handler=Handler())
        node.apply((2,))
        limit = 200 if strict else 200 - node.foca.header_bytes_max - 2
        assert node.foca.add_broadcast(b"A" * 999, limit + 1) == DATA_TOO_BIG
        assert node.foca.add_broadcast(b"A" * 999, limit) == OK
        node.foca.broadcast()
        assert bool(node.sent) and bool(node.sent[0][6]) == (not strict)


def test_items_that_give_way_are_counted():
    config = Config.simple(items_max=2, items_bytes_max=10)
    node = Node(1, config, handler=Handler())
    for item in (b"A", b"B", b"C"):
        assert node.foca.add_broadcast(item, 1) == OK
    assert counted(node, ITEMS_EVICTED, ITEMS_REFUSED) == [1, 0]
    assert node.receive(packet(BROADCAST, 2, 1, items=[b"D" * 11])) == OK
    assert counted(node, ITEMS_EVICTED, ITEMS_REFUSED) == [1, 1]
    assert node.foca.custom_broadcast_backlog() == 2


def test_broadcast_stops_when_everything_is_told():
    node = Node(1, Config.simple(max_transmissions=1, members_max=8), handler=Handler())
    node.apply((2,), (3,), (4,), do_broadcast=False)
    node.foca.add_broadcast(b"A", 1)
    node.clear()
    assert node.foca.broadcast() == OK
    assert [message[1] for message in node.sent] == [BROADCAST]
    assert node.sent[0][6] == [b"A"]
    assert node.foca.broadcast() == OK
    assert len(node.sent) == 1


def test_a_header_that_does_not_fit_is_a_status_and_nothing_is_sent():
    for strict in (False, True):
        node = Node(1, Config.lan(10, send_bytes_max=12, strict=strict), handler=Handler())
        foca = node.foca
        assert foca.announce(record(2)) == ENCODE
        assert node.receive(packet(PING, 2, 1, number=7)) == ENCODE
        assert node.apply((3,)) == OK
        foca.items.add(b"A", 0, 1, 3)
        assert foca.gossip() == ENCODE
        assert foca.broadcast() == ENCODE
        assert node.receive(packet(GOSSIP, 2, 1, updates=[((1, 1), SUSPECT), (4,)])) == ENCODE
        assert (4, 1) not in node.known(), "what follows the failed gossip is not applied"
        assert node.receive(packet(TURN_UNDEAD, 2, 1)) == ENCODE
        assert foca.identity() == record((1, 2)), "renewed, though nobody could be told"
        assert node.packets == []


def test_a_ping_that_cannot_be_sent_stops_the_chain_only_in_strict_mode():
    """B-14: hardened, the next probe is scheduled first."""
    for strict in (False, True):
        node = Node(1, Config.simple(send_bytes_max=12, strict=strict))
        node.apply((2,))
        node.wait(1500)
        assert counted(node, ENCODE) == [1]
        assert bool(node.foca.timers.at[TIMER_PROBE]) == (not strict)


def test_a_gossip_that_cannot_be_sent_ends_strict_calls_half_way():
    """The reference returns its error at once: still not Undead, still not Disconnected."""
    for strict in (False, True):
        config = Config.simple(members_max=8, send_bytes_max=12, strict=strict)
        node = Node(1, config)
        node.apply((2,))
        node.clear()
        assert node.foca.leave_cluster() == ENCODE
        assert node.foca.is_undead() == (not strict)
        assert node.foca.updates_backlog() == 2
        node = Node(1, config)
        assert node.apply((2,), (1, SUSPECT), (3,)) == ENCODE
        assert sorted(node.known()) == [(2, 1)], "what follows the failed gossip is not applied"
        assert node.foca.connection == (0 if strict else 1)


def test_set_config_takes_what_fits_and_refuses_the_rest():
    node = Node(1, Config.simple(members_max=8, send_bytes_max=100))
    foca = node.foca
    new = Config.simple(members_max=8, send_bytes_max=50, max_transmissions=3)
    assert foca.set_config(new) == OK
    assert foca.config is new
    assert foca.set_config(Config.simple(members_max=8, send_bytes_max=100)) == OK
    assert foca.set_config(Config.simple(members_max=8, send_bytes_max=101)) == INVALID_CONFIG
    assert foca.set_config(Config.simple(members_max=9, send_bytes_max=50)) == INVALID_CONFIG
    assert counted(node, INVALID_CONFIG) == [2]
    assert foca.config.send_bytes_max == 100


# events with everything switched on


def test_notify_data_shows_every_datagram():
    node = Node(1, Config.simple(members_max=8, notify_data=True))
    seen = []

    def inside(row):
        foca = node.foca
        if node.events and node.events[-1][0] in (DATA_SENT, DATA_RECEIVED):
            seen.append((foca.message_tag, foca.message_number, node.events[-1]))

    node.inside = inside
    node.receive(packet(PING, 2, 1, number=77))
    assert (PING, 77, (DATA_RECEIVED, (2, 1))) == seen[0]
    assert (ACK, 77, (DATA_SENT, (2, 1))) == seen[-1]
    node.receive(packet(PING_REQ, 2, 1, 3, number=5))
    assert node.foca.identity_of(node.foca.message_third) == record(2)
    assert node.foca.message_tag == INDIRECT_PING


# timers


def test_a_tick_fires_so_many_timers_and_asks_to_be_called_again():
    config = Config.lan(10, timers_per_tick_max=1, members_max=8)
    node = Node(1, config)
    node.apply((2,))
    node.now_ms += 90000
    fired = 0
    while node.foca.tick(node.now_ms) == 0:
        fired += 1
        assert fired < 20
    assert fired >= 3, "probe, gossip, announce: one each"


def test_a_probe_that_never_reached_its_indirect_stage_is_reported_and_replaced():
    """foca: not_submitting_indirect_probe_timer_causes_probe_error.

    Here: a tick that limits itself.
    """
    node = Node(1, Config.simple(members_max=8))
    node.apply((2,))
    node.wait(1500)
    assert [message[1] for message in node.sent] == [PING]
    node.foca.timers.at[0] = 0  # the indirect stage is lost
    node.wait(1500)
    assert counted(node, INCOMPLETE_PROBE_CYCLE) == [1]
    assert [message[4] for message in node.sent] == [1, 2]


def test_a_forgotten_target_is_not_suspected():
    node = Node(1, Config.simple(members_max=8, remove_down_after_ms=100))
    node.apply((2,), (3,))
    node.wait(1500)
    target = node.sent[0][0]
    node.apply((target, DOWN))
    node.wait(1500)
    assert target not in node.known()
    assert (PROBE_FAILED, target) in node.events


def test_a_target_that_others_suspect_at_a_higher_incarnation_gets_no_deadline_from_us():
    for strict in (False, True):
        node = Node(1, Config.simple(members_max=8, strict=strict))
        node.apply((2,))
        node.wait(1500)
        node.apply((2, SUSPECT, 7))
        node.wait(1500)
        assert node.known() == {(2, 1): (SUSPECT, 7)}
        assert bool(node.foca.members.suspects[FIRST]) == strict


def test_a_probe_without_anybody_to_probe_waits_for_the_next_period():
    """The picker is a hook: it may have nobody."""

    class Nobody:
        rows = ()

        def next(self):
            return 0

        def choose(self, want, down, exclude, handler):
            return 0

    for strict in (False, True):
        node = Node(1, Config.simple(members_max=8, strict=strict))
        node.apply((2,))
        node.foca.picker = Nobody()
        node.wait(10000)
        assert node.sent == []
        assert node.foca.timers.at[TIMER_PROBE]


def test_a_deadline_on_the_wrong_member_does_nothing():
    """The table clears deadlines by itself; a stray one must not hurt."""
    node = Node(1, Config.simple(members_max=8, notify_down_members=True))
    node.apply((2,), (3, DOWN), do_broadcast=False)
    members = node.foca.members
    rows = {node.foca.identity_of(row): row for row in node.foca.iter_membership_state()}
    node.foca.timers.set_row(TIMER_FORGET, rows[record(2)], node.now_ms, 5)
    node.foca.timers.set_row(TIMER_SUSPECT, rows[record(3)], node.now_ms, 5)
    before = node.known()
    node.clear()
    node.wait(10)
    assert node.known() == before
    assert node.sent == [] and node.events == []
    assert members.active == 1


# the hardened rules


def test_a_suspect_is_always_told_when_it_is_pinged():
    """B-3. Whether its update is still queued or not, and without disturbing the backlog."""
    for strict in (False, True):
        node = Node(1, Config.simple(members_max=8, strict=strict, max_transmissions=1))
        node.apply((2, SUSPECT, 3), do_broadcast=False)
        node.wait(1500)
        assert node.sent[0][:2] == ((2, 1), PING)
        assert node.sent[0][5] == ([] if strict else [((2, 1), SUSPECT, 3)])
        assert node.foca.updates_backlog() == 0


def test_a_suspect_that_was_told_by_a_ping_stays_queued_for_the_others():
    """Also when its update was the only one: the backlog must not take itself for empty."""
    node = Node(1, Config.simple(members_max=8, max_transmissions=3))
    node.apply((2, SUSPECT, 3))
    assert node.foca.updates_backlog() == 1
    told = 0
    node.wait(1500)
    assert node.sent[0][5] == [((2, 1), SUSPECT, 3)]
    assert not node.foca.backlog.is_empty()
    while node.foca.updates_backlog():
        node.clear()
        assert node.foca.gossip() == OK
        assert node.sent[0][5] == [((2, 1), SUSPECT, 3)]
        told += 1
    assert told == 2


def test_an_update_that_does_not_fit_beside_the_ping_keeps_its_transmissions():
    node = Node(1, Config.simple(members_max=8, send_bytes_max=22, max_transmissions=3))
    node.apply((2, SUSPECT, 3))
    node.wait(1500)
    assert node.sent[0][:2] == ((2, 1), PING)
    assert node.sent[0][5] == []
    assert max(node.foca.members.left) == 3
    assert not node.foca.backlog.is_empty()


def test_turn_undead_is_rate_limited():
    """B-2: two nodes that hold each other Down must not shout for ever."""
    for strict in (False, True):
        config = Config.lan(10, members_max=8, strict=strict, turn_undeads_max=3)
        node = Node(1, config)
        node.apply((2, DOWN), (3,))
        node.clear()
        for _ in range(10):
            assert node.receive(packet(PING, 2, 1, number=1)) == OK
        assert node.tags() == [((2, 1), TURN_UNDEAD)] * (10 if strict else 3)
        assert counted(node, TURN_UNDEAD_LIMITED) == [0 if strict else 7]


def test_relays_to_strangers_are_rate_limited():
    """B-9: whoever asks makes us send to whom he names. Members are not limited."""
    for strict in (False, True):
        node = Node(1, Config.simple(members_max=8, strict=strict, relays_max=2))
        node.apply((2,), (3,))
        node.clear()
        for number in range(6):
            assert node.receive(packet(PING_REQ, 2, 1, 99, number)) == OK
            assert node.receive(packet(PING_REQ, 2, 1, 3, number)) == OK
        assert len(node.sent) == (12 if strict else 8)
        assert counted(node, RELAYS_LIMITED) == [0 if strict else 4]


def test_feeds_are_rate_limited():
    """B-9: an Announce of 20 bytes is answered with up to 1,400, to whom its sender says to be."""
    for strict in (False, True):
        node = Node(1, Config.simple(members_max=8, strict=strict, feeds_max=2))
        for _ in range(5):
            assert node.receive(packet(ANNOUNCE, 2, 1)) == OK
        assert node.tags() == [((2, 1), FEED)] * (5 if strict else 2)
        assert counted(node, FEEDS_LIMITED) == [0 if strict else 3]


def test_renewals_are_rate_limited():
    """Two boards with one address must not bump each other for ever."""
    for strict in (False, True):
        node = Node((1, 1), Config.simple(members_max=8, strict=strict, renewals_max=3))
        node.apply((2,))
        for _ in range(6):
            identity = node.foca.identity()
            bump = identity[6] << 8 | identity[7]
            node.receive(packet(TURN_UNDEAD, 2, (1, bump)))
        assert counted(node, RENEWALS, RENEWALS_LIMITED) == ([6, 0] if strict else [3, 3])
        assert not node.foca.is_undead()


def test_renewals_that_repeat_quickly_take_longer_steps():
    """B-4: a board without a clock gets past what its peers remember in few datagrams."""
    node = Node((1, 0), Config.simple(members_max=8))
    bumps = []
    for pause in (0, 100, 100, 11000):
        node.now_ms += pause
        identity = node.foca.identity()
        node.receive(packet(TURN_UNDEAD, 2, (1, identity[6] << 8 | identity[7])))
        identity = node.foca.identity()
        bumps.append(identity[6] << 8 | identity[7])
    assert bumps == [1, 17, 273, 274]


def test_a_long_step_that_leaves_the_range_is_taken_as_a_short_one():
    node = Node((1, 65533), Config.simple(members_max=8))
    for expected in (65534, 65535):
        identity = node.foca.identity()
        node.receive(packet(TURN_UNDEAD, 2, (1, identity[6] << 8 | identity[7])))
        identity = node.foca.identity()
        assert identity[6] << 8 | identity[7] == expected
    node.receive(packet(TURN_UNDEAD, 2, (1, 65535)))
    assert node.foca.is_undead(), "B-10: there is no later life"
    assert node.events[-1] == (DEFUNCT, (1, 65535))


def test_the_longest_step_is_not_exceeded():
    """Seven quick renewals reach 16**7; the eighth takes that step again."""
    foca = Foca(
        parse(ipv4(), "10.0.0.1:7000", 0), Config.simple(renewals_max=20), Runtime(), seed=1
    )
    writer = packet_writer_64()
    for _ in range(9):
        bump = int.from_bytes(foca.identity()[-8:], "big")
        data = writer(foca.identity())
        assert foca.handle_data(data, len(data), 5) == OK
        step = int.from_bytes(foca.identity()[-8:], "big") - bump
    assert step == 16**7


def packet_writer_64():
    """TurnUndead packets for identities with a 64-bit bump."""
    from foca.members import DST, SELF, Members
    from foca.postcard import Postcard
    from foca.rng import Rng

    layout = ipv4()
    members = Members(layout, 1, Rng(1))
    codec = Postcard(members)
    width = layout.record_bytes
    members.ids[SELF * width : width] = parse(layout, "10.0.0.2:7000", 1)
    codec.know_own()

    def write(dst):
        members.ids[DST * width : (DST + 1) * width] = dst
        buf = bytearray(80)
        return bytes(buf[: codec.write_header(buf, DST, TURN_UNDEAD, 0)])

    return write


def test_a_message_to_a_later_life_of_ours_makes_us_jump_past_it():
    """B-11. Strict: it is dropped like any that is for somebody else."""
    for strict in (False, True):
        node = Node((1, 3), Config.simple(members_max=8, strict=strict))
        node.apply((2,))
        node.clear()
        assert node.receive(packet(PING, 2, (1, 40), number=1)) == OK
        assert counted(node, NOT_FOR_US) == [1]
        assert node.foca.identity() == record((1, 3) if strict else (1, 41))
        assert ((REJOIN, (1, 41)) in node.events) == (not strict)
        assert node.receive(packet(PING, 2, (1, 2), number=1)) == OK
        assert node.foca.identity() == record((1, 3) if strict else (1, 41)), "an earlier one"


def test_an_update_about_a_later_life_of_ours_makes_us_jump_past_it():
    for strict in (False, True):
        node = Node((1, 3), Config.simple(members_max=8, strict=strict))
        node.apply((2,), ((1, 40), ALIVE))
        assert node.foca.identity() == record((1, 3) if strict else (1, 41))
        assert node.known().get((1, 40)) == ((DOWN, 0) if strict else None)


def test_there_is_no_jump_past_the_last_bump():
    node = Node((1, 3), Config.simple(members_max=8))
    node.apply((2,), ((1, 65535), ALIVE))
    assert node.foca.identity() == record((1, 3))
    assert node.events == [(MEMBER_UP, (2, 1)), (ACTIVE, (1, 3))]


def test_an_older_life_of_ours_is_recorded_as_down():
    node = Node((1, 3), Config.simple(members_max=8))
    node.apply((2,), ((1, 2), ALIVE, 9))
    assert node.known()[(1, 2)] == (DOWN, 0)
    assert node.foca.num_members() == 1


def test_after_leaving_nobody_makes_us_rejoin():
    """B-7."""
    for strict in (False, True):
        node = Node((1, 3), Config.simple(members_max=8, strict=strict))
        node.apply((2,))
        assert node.foca.leave_cluster() == OK
        assert node.foca.is_undead()
        assert node.events[-1] == (DEFUNCT, (1, 3))
        node.receive(packet(TURN_UNDEAD, 2, (1, 3)))
        node.apply(((1, 3), DOWN), ((1, 9), ALIVE))
        node.receive(packet(PING, 2, (1, 9), number=1))
        assert node.foca.is_undead() == (not strict)
        assert (node.foca.identity() == record((1, 3))) == (not strict)


def test_reusing_the_identity_takes_our_own_down_back():
    """B-6. Strict: the next packet tells it, and kills us again."""
    for strict in (False, True):
        node = Node(1, Config.simple(members_max=8, strict=strict))
        node.apply((2,), do_broadcast=False)
        node.foca.leave_cluster()
        assert node.foca.reuse_down_identity() == OK
        assert node.foca.updates_backlog() == (1 if strict else 0)
        assert not node.foca.has_left


class Fixed(Layout):
    """Identities that nobody renews."""

    def renew(self, ids, at, step):
        return False


def test_being_undead_is_said_once():
    for strict in (False, True):
        events = []

        class Listening(Runtime):
            def notify(self, event, row, events=events):
                events.append(event)

        foca = Foca(
            record(1),
            Config.lan(10, members_max=8, strict=strict),
            Listening(),
            layout=Fixed(4, True, 16, 0),
            seed=1,
        )
        for _ in range(3):
            data = member(1, DOWN)
            assert foca.apply_many(data, len(data), True, 5) == OK
        assert events.count(DEFUNCT) == (3 if strict else 1)
        assert foca.is_undead()


def test_two_undead_nodes_do_not_answer_each_other():
    """B-2: the flood. Strict: endless, as the reference."""
    for strict in (False, True):
        node = Node((1, 65535), Config.lan(10, members_max=8, strict=strict))
        node.apply((2, DOWN))
        node.clear()
        for _ in range(3):
            assert node.receive(packet(TURN_UNDEAD, 2, (1, 65535))) == OK
        assert node.foca.is_undead()
        assert len(node.sent) == (3 if strict else 0)


def test_an_answer_through_a_helper_must_name_the_target():
    """B-16."""
    for strict in (False, True):
        node = Node(1, Config.simple(members_max=8, strict=strict))
        node.apply((2,), (3,), do_broadcast=False)
        node.wait(2000)
        target, helper = node.sent[0][0], node.sent[1][0]
        assert [message[1] for message in node.sent] == [PING, PING_REQ]
        assert node.receive(packet(FORWARDED_ACK, helper, 1, (7, 7), 1)) == OK
        assert node.foca.probe.acked == strict
        node.foca.probe.acked = False
        node.foca.probe.add_helper(FIRST)
        node.foca.probe.add_helper(FIRST + 1)
        assert node.receive(packet(FORWARDED_ACK, helper, 1, target, 1)) == OK
        assert node.foca.probe.acked


def test_going_idle_is_told_and_stops_every_timer_but_forget():
    node = Node(1, Config.lan(10, members_max=8))
    node.apply((2,))
    node.clear()
    node.apply((2, DOWN))
    assert node.events == [(MEMBER_DOWN, (2, 1)), (IDLE, (1, 1))]
    armed = [kind for kind, at in enumerate(node.foca.timers.at) if at]
    assert armed == [TIMER_FORGET]


def test_a_renamed_member_is_one_event():
    node = Node(1, Config.simple(members_max=8))
    node.apply((2,))
    node.clear()
    node.apply(((2, 5), ALIVE))
    assert node.events == [(RENAME, (2, 5))]
    assert node.known() == {(2, 5): (ALIVE, 0)}


# an Announce to everybody


EVERYBODY = (0xFFFF, 0)


def to_everybody(src):
    """An Announce to 255.255.255.255:7000."""
    data = packet(ANNOUNCE, src, EVERYBODY)
    return data.replace(b"\x0a\x00\xff\xff", b"\xff\xff\xff\xff")


def crowded(size, seed=1, **fields):
    """A node that knows `size` members."""
    fields["members_max"] = size + 2
    node = Node(1, Config.simple(**fields), seed)
    node.apply(*[(2 + i,) for i in range(size)], do_broadcast=False)
    node.clear()
    return node


def test_an_announce_to_everybody_is_answered_soon():
    node = crowded(1)
    assert node.receive(to_everybody(50)) == OK
    assert (50, 1) in node.known()
    assert node.sent == []
    node.wait(401)
    assert ((50, 1), FEED) in node.tags()
    assert node.foca.newcomer == 0


def test_strict_mode_does_not_know_everybody():
    node = crowded(1, strict=True)
    assert node.receive(to_everybody(50)) == OK
    assert counted(node, NOT_FOR_US) == [1]
    assert (50, 1) not in node.known()


def test_only_an_announce_is_for_everybody_and_only_on_our_port():
    node = crowded(1)
    data = packet(PING, 50, EVERYBODY, number=1)
    assert node.receive(data.replace(b"\x0a\x00\xff\xff", b"\xff\xff\xff\xff")) == OK
    data = to_everybody(50).replace(b"\xff\xff\xff\xff\xd8\x36", b"\xff\xff\xff\xff\xd9\x36")
    assert node.receive(data) == OK
    data = to_everybody(50).replace(b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe")
    assert node.receive(data) == OK
    assert counted(node, NOT_FOR_US) == [3]


def test_about_three_of_many_answer_everybody():
    answers = 0
    for seed in range(100):
        node = crowded(30, seed)
        node.receive(to_everybody(50))
        answers += 1 if node.foca.newcomer else 0
    assert 2 <= answers <= 22, "3 of 30 on average, %d of 100 nodes answered" % answers


def test_a_newcomer_that_was_fed_is_not_fed_again():
    node = crowded(1)
    node.receive(to_everybody(50))
    node.receive(packet(PING, 50, 1, number=1))
    node.wait(500)
    assert ((50, 1), FEED) not in node.tags()


def test_only_one_newcomer_waits_at_a_time():
    node = crowded(1)
    for who in (50, 51, 50):
        assert node.receive(to_everybody(who)) == OK
    node.wait(500)
    feeds = [dst for dst, tag in node.tags() if tag == FEED]
    assert feeds == [(50, 1)]


def test_answers_to_everybody_are_rate_limited_too():
    node = crowded(1, feeds_max=1)
    node.receive(packet(ANNOUNCE, 2, 1))
    assert node.receive(to_everybody(50)) == OK
    assert counted(node, FEEDS_LIMITED) == [1]
    assert node.foca.newcomer == 0


def test_a_newcomer_does_not_wait_for_a_timer_that_was_cleared():
    """Going idle or renewing clears the timers: who announces afterwards must be answered."""
    node = crowded(1)
    node.receive(to_everybody(50))
    assert node.foca.newcomer
    node.apply(((1, 1), DOWN))
    assert node.foca.newcomer == 0
    node.clear()
    assert node.receive(to_everybody(51)) == OK
    node.wait(500)
    assert ((51, 1), FEED) in node.tags()


# reading


def test_members_are_read_without_the_down_ones():
    node = Node(1)
    node.apply((2,), (3, DOWN), (4, SUSPECT))
    foca = node.foca
    active = sorted([foca.identity_of(row) for row in foca.iter_members()])
    assert active == [record(2), record(4)]
    assert len(list(foca.iter_membership_state())) == 3
    assert foca.num_members() == 2


def test_a_dump_that_does_not_fit_says_so():
    node = Node(1)
    node.apply((2,), (3, DOWN, 300))
    size = node.foca.dump(bytearray(100))
    assert size == len(member(2)) + len(member(3, DOWN, 300))
    assert node.foca.dump(bytearray(size)) == size
    assert node.foca.dump(bytearray(size - 1)) == -1
    assert LAYOUT.record_bytes == 8


def test_members_of_another_family_in_a_list_are_skipped_and_counted():
    layout = ip()
    both = Foca(pack(layout, "10.0.0.9", 7, 1), Config.simple(), Runtime(), layout=layout, seed=1)
    buf = bytearray(64)
    size = 0
    for host in ("2001:db8::1", "10.0.0.2"):
        width = layout.record_bytes
        both.members.ids[CALL * width : (CALL + 1) * width] = pack(layout, host, 7, 1)
        size = both.codec.write_member(buf, size, CALL)
    node = Foca(pack(ipv4(), "10.0.0.1", 7, 1), Config.simple(), Runtime(), seed=1)
    assert node.apply_many(buf, size, False, 0) == OK
    assert node.num_members() == 1
    assert node.counters[FOREIGN_MEMBERS] == 1
