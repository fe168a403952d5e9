"""Announce and Feed: how nodes meet, and how they keep meeting."""

from foca.config import Config
from foca.status import ENCODE, FEEDS_LIMITED, MALFORMED_PACKET, NOT_FOR_US, OK
from foca.timers import TIMER_ANNOUNCE, TIMER_ANNOUNCE_DOWN, TIMER_GOSSIP, TIMER_PROBE
from foca.wire import ALIVE, ANNOUNCE, DOWN, FEED, GOSSIP, SUSPECT
from support.scenario import Keyed, Scene, who

BOTH = (False, True)


def test_two_nodes_join():
    """foca: can_join_with_another_client."""
    for strict in BOTH:
        one = Scene(1, strict=strict)
        two = Scene(2, strict=strict)
        assert one.foca.announce(who(2)) == OK
        assert one.foca.num_members() == 0 and one.news() == []
        (announce,) = one.sent()
        assert announce.tag == ANNOUNCE

        assert two.takes(announce.data) == OK
        assert two.news() == [("MemberUp", who(1)), ("Active",)]
        assert two.due_in(TIMER_PROBE) == 1500
        (feed,) = two.sent()
        assert feed.what == (who(1), FEED, 0) and feed.has_count

        assert one.takes(feed.data) == OK
        assert one.news() == [("MemberUp", who(2)), ("Active",)]
        assert one.foca.num_members() == two.foca.num_members() == 1
        assert one.sent() == [], "a Feed is not answered"


def test_a_feed_tells_of_active_members_only():
    """foca: feed_contains_only_active_members.

    Suspects as Suspects; not the requester, not ourselves.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict)
        node.applies([(who(2), 1, ALIVE), (who(3), 2, SUSPECT), (who(4), 0, DOWN)])
        assert node.hears(who(5), ANNOUNCE) == OK
        (feed,) = node.sent()
        assert sorted(feed.updates) == [(who(2), 1, ALIVE), (who(3), 2, SUSPECT)]
        assert node.foca.updates_backlog() == 4, "a Feed spends no transmissions"


def test_a_feed_ends_cleanly_at_the_member_that_does_not_fit():
    """foca: feed_does_not_contain_trailing_jumk. `Sent` would find any byte left over."""
    for strict in BOTH:
        for limit in range(8, 40):
            node = Scene(1, strict=strict, packet_bytes_max=limit, send_bytes_max=limit)
            node.applies([(who(address, 300), 0, ALIVE) for address in range(2, 12)])
            assert node.hears(who(200), ANNOUNCE) == OK
            (feed,) = node.sent()
            assert len(feed.data) <= limit
            if limit > 8:
                assert len(feed.updates) == (limit - 8) // 5


def test_a_feed_holds_about_as_many_as_fit():
    """foca: feed_fits_as_many_as_it_can."""
    for strict in BOTH:
        node = Scene(1, strict=strict, members_max=254)
        node.applies([(who(address), 0, ALIVE) for address in range(2, 255)])
        node.hears(who(255), ANNOUNCE)
        (feed,) = node.sent()
        assert len(feed.updates) > 200
        assert len(set(feed.updates)) == len(feed.updates)
        assert (who(255), 0, ALIVE) not in feed.updates


def test_an_announce_needs_to_know_our_address_only():
    """foca: announce_to_wrong_id_is_accepted_if_same_prefix."""
    for strict in BOTH:
        node = Scene(1, bump=9, strict=strict)
        assert node.hears(who(3), ANNOUNCE, dst=who(7)) == OK
        assert node.hears(who(3), GOSSIP, dst=who(1, 8)) == OK
        assert node.everybody() == {} and node.order == []
        assert node.counter(NOT_FOR_US) == 2
        assert node.hears(who(2), ANNOUNCE, dst=who(1, 8)) == OK
        (feed,) = node.sent()
        assert feed.what == (who(2), FEED, 0) and feed.src == who(1, 9)


def test_nothing_may_follow_an_announce():
    """foca: cant_receive_announce_with_extra_data."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        for tail in (b"\x00", b"\x00\x00", b"\x00\x00\x00"):
            assert node.hears(who(2), ANNOUNCE, tail=tail) == MALFORMED_PACKET
        assert node.everybody() == {} and node.order == []
        assert node.hears(who(2), ANNOUNCE) == OK


def test_periodic_announces_go_to_active_members():
    """foca: periodic_announce_behaviour."""
    for strict in BOTH:
        node = Scene(
            1, strict=strict, periodic_announce_ms=5000, periodic_announce_members=2,
            probe_period_ms=60000,
        )  # fmt: skip
        node.applies([(who(2), 0, ALIVE), (who(3), 0, SUSPECT), (who(4), 0, DOWN)])
        assert node.due_in(TIMER_ANNOUNCE) == 5000
        node.clear()
        for _ in range(3):
            node.passes(4999)
            assert node.sent() == []
            node.passes(1)
            sent = node.sent()
            assert [one.tag for one in sent] == [ANNOUNCE] * 2
            assert sorted([one.dst for one in sent]) == [who(2), who(3)]
            assert node.due_in(TIMER_ANNOUNCE) == 5000


def test_periodic_announces_go_to_down_members():
    """foca: periodic_announce_to_down_members_behaviour."""
    for strict in BOTH:
        node = Scene(
            1, strict=strict, periodic_announce_to_down_ms=5000,
            periodic_announce_to_down_members=2, probe_period_ms=60000,
        )  # fmt: skip
        node.applies([(who(2), 0, DOWN), (who(3), 0, DOWN), (who(4), 0, ALIVE)])
        assert node.due_in(TIMER_ANNOUNCE_DOWN) == 5000
        node.clear()
        for _ in range(3):
            node.passes(5000)
            sent = node.sent()
            assert [one.tag for one in sent] == [ANNOUNCE] * 2
            assert sorted([one.dst for one in sent]) == [who(2), who(3)]
            assert node.due_in(TIMER_ANNOUNCE_DOWN) == 5000


def test_periodic_gossip_goes_out_while_there_is_something_to_tell():
    """foca: periodic_gossip_behaviour. An item is something to tell, too."""
    for strict in BOTH:
        node = Scene(
            1, strict=strict, periodic_gossip_ms=200, periodic_gossip_members=2,
            probe_period_ms=60000, max_transmissions=4, handler=Keyed(),
        )  # fmt: skip
        node.applies([(who(2), 0, ALIVE), (who(3), 0, ALIVE), (who(4), 0, DOWN)])
        assert node.due_in(TIMER_GOSSIP) == 200
        node.clear()
        for _ in range(2 if strict else 4):  # hardened: a Down is told twice as often
            node.passes(200)
            sent = node.sent()
            assert [one.tag for one in sent] == [GOSSIP] * 2
            assert sorted([one.dst for one in sent]) == [who(2), who(3)]
        assert node.foca.updates_backlog() == 0
        node.passes(2000)
        assert node.sent() == [] and node.due_in(TIMER_GOSSIP) == 200
        node.adds(b"\x01\x00item")
        node.passes(200)
        assert [one.items for one in node.sent()] == [[b"\x01\x00item"]] * 2


def test_a_periodic_message_that_was_switched_off_ends():
    """foca: 4.6. The chain is not rescheduled."""
    for strict in BOTH:
        kinds = {
            "periodic_announce_ms": TIMER_ANNOUNCE,
            "periodic_announce_to_down_ms": TIMER_ANNOUNCE_DOWN,
            "periodic_gossip_ms": TIMER_GOSSIP,
        }
        fields = dict.fromkeys(kinds, 700)
        node = Scene(1, strict=strict, probe_period_ms=60000, **fields)
        node.applies([(who(2), 0, ALIVE)])
        for name in kinds:
            assert node.due_in(kinds[name]) == 700
        node.clear()
        assert node.foca.set_config(Config.simple(strict=strict, probe_period_ms=60000)) == OK
        node.passes(700)
        for name in kinds:
            assert node.due_in(kinds[name]) is None
        node.passes(7000)
        assert node.sent() == []


def test_a_disconnected_node_joins_before_it_answers():
    """foca: 4.2.

    A first datagram connects; the answer comes after that, so even the first Announce is fed.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.hears(who(2), ANNOUNCE) == OK
        assert node.order == ["MemberUp", "Active", FEED]


def test_an_undead_node_takes_in_and_does_not_answer():
    """foca: 4.2. Members are still tracked."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        node.foca.leave_cluster()
        node.clear()
        assert node.hears(who(2), ANNOUNCE) == OK
        assert node.order == ["MemberUp"]


def test_announces_are_answered_up_to_a_limit():
    """Hardened: feeds_limit. Strict answers every one."""
    for strict in BOTH:
        node = Scene(1, strict=strict, feeds_max=5)
        for _ in range(12):
            assert node.hears(who(2), ANNOUNCE) == OK
        assert len(node.sent()) == (12 if strict else 5)
        assert node.counter(FEEDS_LIMITED) == (0 if strict else 7)
        node.lives[who(2)] = 0
        node.passes(10000)
        node.clear()
        node.hears(who(2), ANNOUNCE)
        assert [one.tag for one in node.sent()] == [FEED]


def test_a_feed_whose_header_does_not_fit_is_a_status():
    """foca: 2.10 Encode. The requester was taken in."""
    for strict in BOTH:
        node = Scene(1, strict=strict, send_bytes_max=5)
        assert node.hears(who(2), ANNOUNCE) == ENCODE
        assert node.knows(who(2)) == (0, ALIVE)
