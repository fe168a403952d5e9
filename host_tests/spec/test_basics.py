"""A fresh node, its configuration, and what the application may ask of it."""

from foca.bincode import Bincode
from foca.broadcast import NEWS, BroadcastHandler
from foca.config import Config, suspicion_ms_for
from foca.errors import ConfigError
from foca.identity import ipv4
from foca.node import Foca
from foca.postcard import Postcard
from foca.status import (
    BUSY,
    DATA_TOO_BIG,
    DECODE,
    ENCODE,
    INVALID_CONFIG,
    NOT_UNDEAD,
    OK,
    SAME_IDENTITY,
)
from foca.timers import (
    TIMER_ANNOUNCE,
    TIMER_ANNOUNCE_DOWN,
    TIMER_GOSSIP,
    TIMER_INDIRECT_PROBE,
    TIMER_PROBE,
    Timers,
)
from foca.wire import (
    ALIVE,
    ANNOUNCE,
    DOWN,
    FLAGS,
    FORWARDED_ACK,
    GOSSIP,
    HAS_MEMBERS,
    HAS_NUMBER,
    HAS_THIRD,
    INDIRECT_PING,
    PING,
    PING_REQ,
    SUSPECT,
)
from support.check import raises
from support.scenario import Desk, Keyed, Scene, Sent, who

BOTH = (False, True)


def round_trip(codec, layout, src, dst, third):
    """Every message with every section, written and read again."""
    desk = Desk(layout, codec)
    updates = [(third, 300, DOWN), (src, 0, ALIVE), (dst, 65535, SUSPECT)]
    for tag in range(len(FLAGS)):
        number = 200 if FLAGS[tag] & HAS_NUMBER else 0
        told = updates if FLAGS[tag] & HAS_MEMBERS else []
        data = desk.packet(
            src, dst, tag, number, third if FLAGS[tag] & HAS_THIRD else None, told, (), 513
        )
        sent = Sent(data, desk, dst)
        assert (sent.src, sent.incarnation, sent.header_dst) == (src, 513, dst)
        assert (sent.tag, sent.number, sent.updates) == (tag, number, told)
        assert sent.third == (third if FLAGS[tag] & HAS_THIRD else None)
        assert desk.packet(
            sent.src, dst, sent.tag, sent.number, sent.third, sent.updates, (), 513
        ) == data  # fmt: skip


def test_what_bincode_writes_it_reads():
    """foca: bincode_roundtrip."""
    records = [bytes((127, 0, 0, i, 31, 64, 0, 0, 0, 0, 107, 3, 253, i)) for i in (1, 2, 3)]
    round_trip(Bincode, ipv4(), records[0], records[1], records[2])


def test_what_postcard_writes_it_reads():
    """foca: postcard_roundtrip."""
    records = [bytes((127, 0, 0, i, 31, 64, 0, 0, 0, 0, 107, 3, 253, i)) for i in (1, 2, 3)]
    round_trip(Postcard, ipv4(), records[0], records[1], records[2])


def test_what_the_tests_own_identities_look_like_is_read_again():
    """foca: message_roundtrip, header_roundtrip, member_roundtrip (of its test codec)."""
    for codec in (Postcard, Bincode):
        round_trip(codec, Scene().layout, who(1), who(2, 65535), who(3, 128))


def test_the_time_to_refute_grows_slowly_with_the_cluster():
    """foca: suspicion_scales_slowly."""
    assert suspicion_ms_for(5, 1000, 4) == 4000
    assert suspicion_ms_for(10, 1000, 4) == 4000
    assert suspicion_ms_for(100, 1000, 4) == 8000
    assert Config.lan(50).suspect_to_down_after_ms == 6796, "6795.88 ms, rounded up"


def test_equal_deadlines_come_in_focas_order():
    """foca: timers_sort.

    SendIndirectProbe, ProbeRandomMember, ChangeSuspectToDown, .., RemoveDown.
    """
    node = Scene(1)
    timers = Timers(node.foca.members)
    node.applies([(who(2), 0, ALIVE)], False)
    row = node.row(who(2))
    timers.set_row(5, row, 0, 100)
    for kind in (TIMER_ANNOUNCE_DOWN, TIMER_GOSSIP, TIMER_ANNOUNCE, TIMER_PROBE):
        timers.set(kind, 0, 100)
    timers.set_row(2, row, 0, 100)
    timers.set(TIMER_INDIRECT_PROBE, 0, 100)
    assert timers.due(99) == -1
    assert [timers.due(100) for _ in range(8)] == [0, 1, 2, 3, 4, 5, 6, -1]


def test_a_fresh_node():
    """foca: invariants. Disconnected, alone, and not Undead."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.foca.num_members() == 0
        assert list(node.foca.iter_members()) == []
        assert list(node.foca.iter_membership_state()) == []
        assert node.foca.updates_backlog() == node.foca.custom_broadcast_backlog() == 0
        assert not node.foca.is_undead()
        assert node.foca.reuse_down_identity() == NOT_UNDEAD
        assert node.foca.change_identity(who(1)) == SAME_IDENTITY
        assert node.foca.tick(node.now_ms) == 60000, "nothing to wait for"
        assert node.sent() == [] and node.news() == []
        assert node.foca.change_identity(who(1, 2)) == OK
        assert node.me() == who(1, 2)
        assert node.news() == [] and node.sent() == []


def test_probe_timers_cannot_change_while_running():
    """foca: cant_change_config_probe_timers. The same numbers are fine."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        before = node.foca.config
        for change in ({"probe_period_ms": 2000}, {"probe_rtt_ms": 400}):
            assert node.foca.set_config(Config.simple(strict=strict, **change)) == INVALID_CONFIG
            assert node.foca.config is before
        same = Config.simple(strict=strict)
        assert node.foca.set_config(same) == OK
        assert node.foca.config is same


def off_then_on(strict, name):
    """A periodic message may be switched off or changed, never on."""
    on = Config.simple(strict=strict, **{name: 1000})
    off = Config.simple(strict=strict)
    node = Scene(1, config=off)
    assert node.foca.set_config(on) == INVALID_CONFIG
    assert node.foca.config is off
    node = Scene(1, config=on)
    assert node.foca.set_config(Config.simple(strict=strict, **{name: 700})) == OK
    assert node.foca.set_config(off) == OK
    assert node.foca.set_config(on) == INVALID_CONFIG


def test_periodic_announce_cannot_be_switched_on_while_running():
    """foca: periodic_announce_cannot_be_enabled_at_runtime."""
    for strict in BOTH:
        off_then_on(strict, "periodic_announce_ms")


def test_periodic_announce_to_down_cannot_be_switched_on_while_running():
    """foca: periodic_announce_to_down_members_cannot_be_enabled_at_runtime."""
    for strict in BOTH:
        off_then_on(strict, "periodic_announce_to_down_ms")


def test_periodic_gossip_cannot_be_switched_on_while_running():
    """foca: periodic_gossip_cannot_be_enabled_at_runtime."""
    for strict in BOTH:
        off_then_on(strict, "periodic_gossip_ms")


def test_what_memory_was_taken_for_cannot_change_while_running():
    """Ours: set_config_fixed_memory. The send limit may shrink and grow back, not grow."""
    for strict in BOTH:
        config = {"strict": strict, "send_bytes_max": 500}
        node = Scene(1, **config)
        for change in (
            {"members_max": 65},
            {"items_max": 9},
            {"items_bytes_max": 1025},
            {"packet_bytes_max": 1300},
            {"send_bytes_max": 501},
            {"strict": not strict},
            {"feeds_max": 41},
        ):
            other = dict(config)
            other.update(change)
            assert node.foca.set_config(Config.simple(**other)) == INVALID_CONFIG, change
        for size in (100, 500):
            config["send_bytes_max"] = size
            assert node.foca.set_config(Config.simple(**config)) == OK
        broken = Config.simple(**config)
        broken.max_transmissions = 0
        assert node.foca.set_config(broken) == INVALID_CONFIG


def test_a_config_is_checked_at_construction():
    """Ours: config_is_checked.

    The reference takes any; strict allows a round-trip time above the period.
    """
    error = raises(ConfigError, Config.simple, probe_rtt_ms=1500)
    assert "probe_period_ms" in str(error)
    assert Config.simple(probe_rtt_ms=1500, strict=True).probe_rtt_ms == 1500
    raises(ConfigError, Config.simple, num_indirect_probes=0)
    error = raises(ConfigError, Foca, b"\x01", Config.simple(), Scene())
    assert "14" in str(error)


def test_what_cannot_be_encoded_or_decoded_is_said():
    """foca: codec_errors_are_forwarded_correctly."""
    for strict in BOTH:
        node = Scene(1, strict=strict, send_bytes_max=5)
        assert node.foca.announce(who(2)) == ENCODE
        assert node.sent() == []
        for data in (b"", b"\x02", b"\x02\x00\x00\x01\x00\x0b", b"\x02\x00\x00\x01\x00\x00"):
            assert node.takes(data) == DECODE
        good = node.packet(who(2), GOSSIP, updates=[(who(3), 0, ALIVE), (who(4), 0, ALIVE)])
        assert node.takes(good[:-1]) == DECODE
        assert node.takes(good[:-1] + b"\x03") == DECODE, "there is no fourth state"
        assert node.everybody() == {} and node.news() == [], "nothing was changed"
        assert node.counter(DECODE) == 6 and node.counter(ENCODE) == 1


def test_more_than_the_limit_is_refused():
    """foca: more_data_than_allowed_causes_error."""
    for strict in BOTH:
        node = Scene(1, strict=strict, handler=Keyed(), packet_bytes_max=100, send_bytes_max=100)
        data = node.packet(who(2), GOSSIP, items=[b"\x01\x00" + bytes(88)])
        assert len(data) == 100
        assert node.takes(data + b"\x00") == DATA_TOO_BIG
        assert node.takes(data) == OK
        assert node.adds(b"\x02\x00" + bytes(99)) == DATA_TOO_BIG


def test_a_node_that_is_not_connected_does_not_probe():
    """foca: cant_probe_when_not_connected. There is no NotConnected: the timers live inside."""
    for strict in BOTH:
        node = Scene(1, strict=strict, periodic_gossip_ms=100, periodic_announce_ms=100)
        node.applies([(who(2), 0, DOWN)])
        node.passes(60000)
        assert node.order == []
        node.applies([(who(3), 0, ALIVE)])
        assert node.due_in(TIMER_PROBE) == 1500
        node.applies([(who(3), 0, DOWN)])
        assert node.due_in(TIMER_PROBE) is None
        node.clear()
        node.passes(60000)
        assert node.order == []


class Meddler(BroadcastHandler):
    """Calls every verb from inside a callback and notes the answers."""

    def __init__(self):
        self.foca = None
        self.answers = []

    def receive_item(self, buf, start, end, sender):
        foca = self.foca
        config = foca.config
        self.answers = [
            foca.handle_data(buf, end, 0),
            foca.announce(who(9)),
            foca.gossip(),
            foca.broadcast(),
            foca.add_broadcast(buf, 1),
            foca.leave_cluster(),
            foca.change_identity(who(9)),
            foca.reuse_down_identity(),
            foca.apply_many(buf, 0, True, 0),
            foca.set_config(config),
        ]
        assert foca.tick(0) == 0
        return NEWS


def test_a_verb_called_from_a_callback_answers_busy():
    """Ours: busy. The reference cannot be called from a callback at all; here nothing happens."""
    for strict in BOTH:
        handler = Meddler()
        node = Scene(1, strict=strict, handler=handler)
        handler.foca = node.foca
        assert node.adds(b"item") == OK
        assert handler.answers == [BUSY] * 10
        assert node.counter(BUSY) == 11
        assert node.me() == who(1) and node.order == []
        assert node.foca.gossip() == OK


def test_three_parties_and_a_number_reach_the_reader():
    """foca: header_roundtrip, through a whole node: the four ints of a datagram are there to be
    looked at.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict, notify_data=True)
        node.applies([(who(2), 0, ALIVE)])
        node.clear()
        foca = node.foca
        node.hears(who(2), FORWARDED_ACK, 98, third=who(6), incarnation=7)
        assert node.news() == [("DataReceived", who(2))]
        assert (foca.message_tag, foca.message_number) == (FORWARDED_ACK, 98)
        assert foca.identity_of(foca.message_third) == who(6)
        node.hears(who(2), PING_REQ, 99, third=who(5), incarnation=7)
        assert node.news() == [("DataReceived", who(2)), ("DataSent", who(5))]
        assert (foca.message_tag, foca.message_number) == (INDIRECT_PING, 99)
        assert foca.identity_of(foca.message_third) == who(2)
        foca.probe.number = 54
        node.probes()
        assert (foca.message_tag, foca.message_number) == (PING, 55)


def test_a_node_may_be_told_of_members_before_it_starts():
    """foca: 2.2 apply_many, iter_membership_state: what `dump` wrote, another node takes."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        node.applies([(who(2), 3, ALIVE), (who(3), 0, SUSPECT), (who(4), 1, DOWN)])
        saved = bytearray(64)
        count = node.foca.dump(saved)
        other = Scene(1, bump=1, strict=strict)
        assert other.foca.apply_many(saved, count, False, other.now_ms) == OK
        assert other.everybody() == node.everybody()
        assert other.foca.num_members() == 2
        assert node.foca.dump(bytearray(5)) == -1
        assert other.foca.apply_many(saved, count - 1, False, other.now_ms) == DECODE


def test_announce_changes_nothing_locally():
    """foca: 2.2 announce. It works when Disconnected and when Undead."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.foca.announce(who(2, 77)) == OK
        node.foca.leave_cluster()
        node.clear()
        assert node.foca.announce(who(2, 77)) == OK
        (sent,) = node.sent()
        assert sent.what == (who(2, 77), ANNOUNCE, 0)
        assert node.everybody() == {} and node.news() == []
