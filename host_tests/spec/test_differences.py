"""Where we differ from the reference by construction: fixed memory, one row for each address.

docs/DIFFERENCES.md lists each with its reason. Unless a test says so, strict and hardened agree.
"""

from foca.address import parse
from foca.config import Config
from foca.errors import ConfigError
from foca.identity import ip, ipv4
from foca.status import (
    ENCODE,
    EVICTED_MEMBERS,
    FOREIGN_ADDRESS,
    FOREIGN_MEMBERS,
    INCOMPLETE_PROBE_CYCLE,
    ITEMS_EVICTED,
    ITEMS_REFUSED,
    OK,
    REFUSED_MEMBERS,
    STALE,
    TABLE_FULL,
)
from foca.timers import TIMER_GOSSIP
from foca.wire import (
    ACK,
    ALIVE,
    ANNOUNCE,
    DOWN,
    FEED,
    FORWARDED_ACK,
    GOSSIP,
    PING,
    PING_REQ,
    SUSPECT,
    TURN_UNDEAD,
)
from support.check import raises
from support.scenario import Keyed, Scene, who

BOTH = (False, True)


def knowing(strict, others, **fields):
    """A connected node with so many members, addresses 2 and up, and nothing to tell."""
    node = Scene(1, strict=strict, **fields)
    node.applies([(who(2 + i), 0, ALIVE) for i in range(others)], False)
    node.clear()
    return node


# a bounded table


def test_a_full_table_forgets_the_down_member_that_would_go_first():
    """Ours: full-table. Only one with nothing left to tell; the others stay."""
    for strict in BOTH:
        node = Scene(1, strict=strict, members_max=4)
        node.applies([(who(2), 0, ALIVE), (who(3), 0, DOWN)], False)
        node.passes(10)
        node.applies([(who(4), 0, DOWN)], False)
        node.applies([(who(5), 0, DOWN)], True)
        node.applies([(who(6), 0, ALIVE)])
        assert node.knows(who(3)) is None and node.counter(EVICTED_MEMBERS) == 1
        node.applies([(who(7), 0, ALIVE)])
        assert node.knows(who(4)) is None and node.counter(EVICTED_MEMBERS) == 2
        assert node.applies([(who(8), 0, ALIVE)]) == TABLE_FULL, "5 still has to be told"
        assert sorted(node.everybody()) == [who(2), who(5), who(6), who(7)]


def test_members_that_are_never_forgotten_are_evicted_last():
    """Ours: full-table. Well-known placeholders are Down and have no deadline."""
    for strict in BOTH:
        node = Scene(1, strict=strict, members_max=3, remove_down_after_ms=0)
        node.applies([(who(2), 0, DOWN)], False)
        node.passes(10)
        assert node.forgets_in(who(2)) is None
        node.foca.set_config(Config.simple(strict=strict, members_max=3))
        node.applies([(who(3), 0, DOWN), (who(4), 0, DOWN)], False)
        node.applies([(who(5), 0, ALIVE), (who(6), 0, ALIVE)])
        assert sorted(node.everybody()) == [who(2), who(5), who(6)]
        node.applies([(who(7), 0, ALIVE)])
        assert sorted(node.everybody()) == [who(5), who(6), who(7)]


def test_a_table_full_of_active_members_refuses_and_still_answers():
    """Ours: full-table. The sender is answered, and what it brings about others is applied."""
    for strict in BOTH:
        node = knowing(strict, 2, members_max=2)
        updates = [(who(2), 1, SUSPECT), (who(9), 0, ALIVE)]
        assert node.hears(who(8), PING, 5, updates=updates) == OK
        assert [one.what for one in node.sent()] == [(who(8), ACK, 5)]
        assert node.knows(who(8)) is None and node.knows(who(9)) is None
        assert node.knows(who(2)) == (1, SUSPECT)
        assert node.counter(REFUSED_MEMBERS) == 2 and node.news() == []
        assert node.hears(who(8), ANNOUNCE) == OK
        assert [one.tag for one in node.sent()] == [FEED]
        assert node.applies([(who(3), 1, ALIVE), (who(7), 0, ALIVE)]) == TABLE_FULL
        assert node.knows(who(3)) == (1, ALIVE), "the others were applied"


# one row for each address: one deadline, one update


def suspecting(strict, **fields):
    """A node with one member, suspected this very moment: deadline in 3 s."""
    node = knowing(strict, 1, **fields)
    node.passes(3000)
    assert node.knows(who(2)) == (0, SUSPECT)
    assert node.suspicion_ends_in(who(2)) == 3000
    node.clear()
    return node


def test_a_suspect_has_one_deadline_the_earliest():
    """Ours: one-suspicion-per-member. The reference's later ones repeat the TurnUndead."""
    node = suspecting(True, notify_down_members=True, periodic_gossip_ms=10000)
    node.applies([(who(3), 0, ALIVE)])
    node.lives[who(3)] = 0
    node.passes(10000)
    told = [one.dst for one in node.sent() if one.tag == TURN_UNDEAD]
    assert told == [who(2)], "two failed probes, one TurnUndead"


def test_a_replaced_identity_takes_its_suspicion_along():
    """Ours: suspicion-of-a-former-identity. The reference tells it TurnUndead at the deadline."""
    for strict in BOTH:
        node = suspecting(strict, notify_down_members=True)
        node.lives[who(2, 1)] = 0
        node.applies([(who(2, 1), 0, ALIVE)])
        node.passes(3000)
        assert not any([one.tag == TURN_UNDEAD for one in node.sent()])
        assert node.knows(who(2, 1)) == (0, ALIVE)


def test_a_forgotten_suspect_that_is_met_again_starts_afresh():
    """Ours: suspicion-of-a-forgotten-member. The reference's old timer takes it down."""
    for strict in BOTH:
        node = suspecting(strict, remove_down_after_ms=500)
        node.applies([(who(3), 0, ALIVE), (who(2), 0, DOWN)])
        node.lives = {who(2): 0, who(3): 0}
        node.passes(500)
        assert node.knows(who(2)) is None
        node.hears(who(2), ACK, node.foca.probe.number)
        node.passes(6000)
        assert node.knows(who(2)) == (0, ALIVE)


def test_a_member_down_again_has_one_deadline_to_be_forgotten():
    """Ours: one-forget-deadline-per-member. A newer Down replaces the deadline of an older one."""
    for strict in BOTH:
        node = knowing(strict, 0, remove_down_after_ms=5000)
        node.applies([(who(2), 0, DOWN)])
        node.passes(1000)
        node.foca.set_config(Config.simple(strict=strict, remove_down_after_ms=2000))
        node.applies([(who(2, 1), 0, DOWN)])
        assert node.forgets_in(who(2, 1)) == 2000
        node.passes(2000)
        assert node.knows(who(2, 1)) is None
        node.applies([(who(2, 1), 0, DOWN)])
        node.passes(1999)
        assert node.knows(who(2, 1)) == (0, DOWN), "the reference forgot it 1 s after that"


def test_a_forgotten_members_update_goes_with_it():
    """Ours: forgotten-with-its-update. The reference goes on telling it."""
    for strict in BOTH:
        node = knowing(strict, 1, remove_down_after_ms=1000, probe_period_ms=60000)
        node.applies([(who(3), 0, DOWN)])
        assert node.foca.updates_backlog() == 1
        node.passes(1000)
        assert node.foca.updates_backlog() == 0


def test_a_newer_state_overtakes_the_queued_one():
    """Ours: newer-state-overtakes.

    An update is encoded when it is sent, from what is known then.
    """
    for strict in BOTH:
        node = knowing(strict, 1, num_indirect_probes=1)
        node.applies([(who(3), 0, DOWN)], True)
        node.applies([(who(3, 1), 0, DOWN)], False)
        node.foca.gossip()
        (sent,) = node.sent()
        assert sent.updates == [(who(3, 1), 0, DOWN)]


def test_one_former_identity_of_ours_is_told():
    """Ours: one-gone-record. The reference tells as many as had different addresses."""
    for strict in BOTH:
        node = knowing(strict, 1, num_indirect_probes=1)
        node.foca.change_identity(who(50))
        node.foca.change_identity(who(51))
        told = [one.updates for one in node.sent()]
        assert told == [[(who(1), 0, DOWN)], [(who(50), 0, DOWN)]]
        node.applies([(who(50, 1), 0, ALIVE)])
        assert node.foca.updates_backlog() == 1, "somebody newer at that address takes its place"


def test_a_helper_that_is_renamed_by_its_own_answer_is_unknown():
    """Ours: helper-renamed-by-its-own-answer. The updates of a packet count before its message."""
    for strict in BOTH:
        node = knowing(strict, 4)
        target, number = node.probes()
        node.passes(500)
        helper = [one.dst for one in node.sent() if one.tag == PING_REQ][0]
        updates = [(who(helper[0], 1), 0, ALIVE)]
        node.hears(helper, FORWARDED_ACK, number, third=target, updates=updates)
        assert not node.foca.probe.acked


def feed_with_items(strict):
    """A Feed that ends at a member which does not fit, with an item that would."""
    node = Scene(1, strict=strict, handler=Keyed(), send_bytes_max=48)
    node.applies([(who(2 + i, 40000), 300, ALIVE) for i in range(9)], False)
    assert node.adds(b"\x01\x00x") == OK
    node.clear()
    node.hears(who(99), ANNOUNCE)
    (feed,) = node.sent()
    assert feed.tag == FEED and len(feed.updates) == 5
    return feed.items


def test_strict_a_feed_that_is_full_of_members_has_no_items():
    """foca: what a member that did not fit leaves behind is lost."""
    assert feed_with_items(True) == []


def test_hardened_a_feed_uses_what_a_member_that_did_not_fit_left():
    """Ours: room-of-a-feed."""
    assert feed_with_items(False) == [b"\x01\x00x"]


def test_one_indirect_stage_at_a_time():
    """Ours: one-indirect-stage-at-a-time.

    Only strict allows a round-trip time above the period.
    """
    node = knowing(True, 5, probe_rtt_ms=1600)
    for _ in range(4):
        node.passes(1500)
    assert node.counter(INCOMPLETE_PROBE_CYCLE) == 3
    assert not any([one.tag == PING_REQ for one in node.sent()])


# leaving and renewing when a gossip does not fit


def leaves_without_room(strict):
    node = knowing(strict, 1)
    node.foca.set_config(Config.simple(strict=strict, send_bytes_max=5))
    assert node.foca.leave_cluster() == ENCODE
    return node


def test_strict_leaving_stops_half_way_when_its_gossip_does_not_fit():
    """foca: 2.10 Encode. We are still there, and our Down is queued."""
    node = leaves_without_room(True)
    assert not node.foca.is_undead() and node.news() == []
    assert node.foca.updates_backlog() == 1


def test_hardened_leaving_is_completed_though_its_gossip_does_not_fit():
    """Ours: completed-all-the-same. The status tells that nobody heard of it."""
    node = leaves_without_room(False)
    assert node.foca.is_undead() and node.news() == [("Defunct",)]


# durations and timers


def test_durations_have_a_limit_and_zero_means_never():
    """Ours: durations. Whole milliseconds, six days at most, because the clock wraps."""
    day_ms = 24 * 60 * 60 * 1000
    assert Config.simple(remove_down_after_ms=6 * day_ms).remove_down_after_ms == 518400000
    error = raises(ConfigError, Config.simple, remove_down_after_ms=6 * day_ms + 1)
    assert "remove_down_after_ms" in str(error)
    assert Config.lan(50).suspect_to_down_after_ms == 6796, "6795.880017 ms, rounded up"
    for strict in BOTH:
        node = Scene(1, strict=strict, remove_down_after_ms=0)
        node.applies([(who(2), 0, DOWN)])
        for _ in range(10):
            node.passes(day_ms)
        assert node.knows(who(2)) == (0, DOWN)


def test_the_clock_may_wrap_under_all_deadlines():
    """Ours: durations. 2**30 ms are 12.4 days; a deadline of exactly 0 is stored as 1."""
    for strict in BOTH:
        node = Scene(1, strict=strict, remove_down_after_ms=10000)
        node.now_ms = (1 << 30) - 4500
        node.applies([(who(2), 0, ALIVE)])
        node.passes(3000)
        assert node.knows(who(2)) == (0, SUSPECT)
        node.passes(3000)
        assert node.knows(who(2)) == (0, DOWN)
        node.passes(9999)
        assert node.knows(who(2)) == (0, DOWN)
        node.passes(2)
        assert node.knows(who(2)) is None


def test_a_late_board_ticks_late_and_does_not_catch_up():
    """Ours: timers-inside. Every timer fires once and is set anew from now."""
    for strict in BOTH:
        node = knowing(strict, 2, periodic_gossip_ms=100)
        node.now_ms += 60000
        assert node.foca.tick(node.now_ms) > 0
        assert [one.tag for one in node.sent()] == [PING]
        assert node.due_in(TIMER_GOSSIP) == 100


def test_a_tick_serves_so_many_timers_and_leaves_the_rest():
    """Ours: timers_per_tick_max. It answers 0: call again at once."""
    for strict in BOTH:
        node = Scene(1, strict=strict, timers_per_tick_max=4, remove_down_after_ms=1000)
        node.applies([(who(2 + i), 0, DOWN) for i in range(10)])
        node.now_ms += 1000
        left = []
        while not node.foca.tick(node.now_ms):
            left.append(len(node.everybody()))
        assert left == [6, 2] and node.everybody() == {}


# limits and families


def test_what_we_send_and_what_we_accept_have_limits_of_their_own():
    """Ours: two-packet-limits. The reference has one for both."""
    for strict in BOTH:
        node = knowing(strict, 1, send_bytes_max=50, packet_bytes_max=1400)
        updates = [(who(10 + i), 0, DOWN) for i in range(60)]
        data = node.packet(who(2), PING, 1, updates=updates)
        assert len(data) == 249 and node.takes(data) == OK
        assert len(node.everybody()) == 61
        (ack,) = node.sent()
        assert len(ack.data) <= 50


def test_the_store_of_items_is_bounded():
    """Ours: bounded-items. The one told most often makes room; one larger than the store never."""
    for strict in BOTH:
        node = knowing(
            strict, 1, handler=Keyed(), items_max=3, items_bytes_max=60, num_indirect_probes=1
        )
        node.adds(b"\x01\x00a")
        node.foca.gossip()
        node.adds(b"\x02\x00b")
        node.adds(b"\x03\x00c")
        assert node.adds(b"\x04\x00d") == OK
        assert node.counter(ITEMS_EVICTED) == 1
        node.clear()
        node.foca.gossip()
        (sent,) = node.sent()
        assert sorted(sent.items) == [b"\x02\x00b", b"\x03\x00c", b"\x04\x00d"]
        assert node.adds(b"\x05\x00" + bytes(60)) == OK, "news for the handler"
        assert node.counter(ITEMS_REFUSED) == 1
        assert node.foca.custom_broadcast_backlog() == 3
        assert node.adds(b"\x05\x00" + bytes(60)) == STALE


def test_members_of_another_family_are_skipped_and_counted():
    """Ours: families. The rest of the packet is applied; in the header it is a status."""
    both = ip()
    v4 = ipv4()
    ours = parse(v4, "10.0.0.1:7000", 1)
    six = (parse(both, "[2001:db8::1]:7000", 1), 0, ALIVE)
    four = (parse(both, "10.0.0.3:7000", 1), 0, ALIVE)
    peer = Scene(identity=parse(both, "10.0.0.2:7000", 1), layout=both)
    stranger = Scene(identity=six[0], layout=both)
    for strict in BOTH:
        for updates in ([six, four], [four, six], [six, six, four]):
            node = Scene(identity=ours, layout=v4, strict=strict)
            dst = parse(both, "10.0.0.1:7000", 1)
            assert node.takes(peer.desk.packet(peer.me(), dst, GOSSIP, updates=updates)) == OK
            assert node.foca.num_members() == 2
            assert node.counter(FOREIGN_MEMBERS) == len(updates) - 1
        assert node.takes(stranger.desk.packet(six[0], dst, PING, 1)) == FOREIGN_ADDRESS
        data = peer.desk.packet(peer.me(), dst, PING_REQ, 1, third=six[0])
        assert node.takes(data) == FOREIGN_ADDRESS
        assert node.foca.num_members() == 2
