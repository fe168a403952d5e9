"""What is told to whom, how often and in which order; what is reported to the application."""

from foca.config import Config
from foca.status import CUSTOM_BROADCAST, DATA_TOO_BIG, MALFORMED_PACKET, NOT_UNDEAD, OK, STALE
from foca.wire import (
    ACK,
    ALIVE,
    ANNOUNCE,
    BROADCAST,
    DOWN,
    FEED,
    GOSSIP,
    PING,
    SUSPECT,
    TURN_UNDEAD,
)
from support.scenario import FIXED, Keyed, Scene, who

BOTH = (False, True)
SMALL = 4  # bytes of a member here: octet, bump, incarnation, state
GOSSIP_BYTES = 8  # its header and the count


def telling(strict, **fields):
    """A node that knows member 9 and has nothing to tell; every gossip goes to 9."""
    node = Scene(1, strict=strict, num_indirect_probes=1, **fields)
    assert node.applies([(who(9), 0, ALIVE)], False) == OK
    node.clear()
    return node


def gossip(node):
    """One gossip; returns the updates that it carried."""
    assert node.foca.gossip() == OK
    (sent,) = node.sent()
    assert sent.tag == GOSSIP
    return sent.updates


def test_an_update_is_told_max_transmissions_times_and_a_newer_one_replaces_it():
    """foca: broadcast.rs piggyback_behaviour. One entry for each address."""
    for strict in BOTH:
        node = telling(strict, max_transmissions=3)
        node.applies([(who(2), 0, ALIVE)])
        assert node.foca.updates_backlog() == 1
        assert gossip(node) == [(who(2), 0, ALIVE)]
        node.applies([(who(2), 1, SUSPECT)])
        assert node.foca.updates_backlog() == 1
        for _ in range(3):
            assert node.foca.updates_backlog() == 1
            assert gossip(node) == [(who(2), 1, SUSPECT)]
        assert node.foca.updates_backlog() == 0
        assert gossip(node) == []


def test_an_update_that_does_not_fit_is_kept_untouched():
    """foca: fill_does_nothing_if_buffer_full."""
    for strict in BOTH:
        limit = GOSSIP_BYTES + SMALL - 1
        node = telling(strict, send_bytes_max=limit, max_transmissions=1)
        node.applies([(who(2), 0, DOWN)])
        for _ in range(5):
            assert gossip(node) == []
            assert node.foca.updates_backlog() == 1
        node = telling(strict, send_bytes_max=limit + 1, max_transmissions=1)
        node.applies([(who(2), 0, DOWN)])
        for _ in range(1 if strict else 2):
            assert gossip(node) == [(who(2), 0, DOWN)]
        assert node.foca.updates_backlog() == 0


def test_hardened_a_down_is_told_twice_as_often():
    """Not in the reference: with its numbers some member of a small cluster may never be told."""
    for strict in BOTH:
        for most, twice in ((1, 2), (5, 10), (200, 255)):
            node = telling(strict, max_transmissions=most)
            node.applies([(who(2), 0, ALIVE), (who(3), 0, DOWN), (who(4), 0, SUSPECT)])
            told = sum([gossip(node) for _ in range(520)], [])
            assert told.count((who(3), 0, DOWN)) == (most if strict else twice)
            assert told.count((who(2), 0, ALIVE)) == told.count((who(4), 0, SUSPECT)) == most
            node = telling(strict, max_transmissions=most)
            node.applies([(who(2), 0, ALIVE)])
            before = node.foca.members.left[8]
            node.foca.leave_cluster()
            assert before == 0
            assert node.foca.members.left[8] == (most if strict else twice) - 1, "our own, too"


def test_of_equally_fresh_updates_the_longest_goes_first():
    """foca: piggyback_consumes_largest_first. A shorter one may overtake one that does not fit."""
    for strict in BOTH:
        node = telling(strict)
        node.applies([(who(2), 0, DOWN), (who(3, 40000), 300, DOWN), (who(4, 300), 0, DOWN)])
        told = gossip(node)
        assert told == [(who(3, 40000), 300, DOWN), (who(4, 300), 0, DOWN), (who(2), 0, DOWN)]
        node = telling(strict, send_bytes_max=GOSSIP_BYTES + SMALL)
        node.applies([(who(2), 0, DOWN), (who(3, 40000), 300, DOWN)])
        assert gossip(node) == [(who(2), 0, DOWN)]


def test_updates_with_more_transmissions_left_go_first():
    """foca: highest_max_tx_is_consumed_first. Updates vanish as their count reaches zero."""
    for strict in BOTH:
        most = 2 if strict else 1  # hardened: a Down is told twice as often
        node = telling(strict, max_transmissions=most, send_bytes_max=GOSSIP_BYTES + SMALL)
        node.applies([(who(2), 0, DOWN)])
        assert gossip(node) == [(who(2), 0, DOWN)]
        node.applies([(who(3), 0, DOWN)])
        assert gossip(node) == [(who(3), 0, DOWN)]
        assert node.foca.updates_backlog() == 2
        told = gossip(node) + gossip(node)
        assert sorted(told) == [(who(2), 0, DOWN), (who(3), 0, DOWN)]
        assert node.foca.updates_backlog() == 0


def test_each_item_stands_behind_its_length_the_longest_first():
    """foca: fill_with_len_prefix. Two bytes, big-endian."""
    for strict in BOTH:
        node = Scene(1, strict=strict, handler=Keyed(), num_indirect_probes=1)
        node.applies([(who(9), 0, ALIVE)], False)
        node.clear()
        longest = b"\x01\x00" + b"x" * 298
        for item in (b"\x02\x00bb", longest, b"\x03\x00c"):
            assert node.adds(item) == OK
        assert node.foca.broadcast() == OK
        (sent,) = node.sent()
        assert sent.tag == BROADCAST and not sent.has_count
        assert sent.items == [longest, b"\x02\x00bb", b"\x03\x00c"]
        assert sent.data[6:8] == b"\x01\x2c" and sent.data[-5:-3] == b"\x00\x03"


def test_gossip_spends_one_transmission_of_each_update_a_message():
    """foca: lib.rs piggyback_behaviour.

    Three updates and their sender, told ten times in rounds of three.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict)
        updates = [(who(3), 0, ALIVE), (who(4), 1, SUSPECT), (who(5), 0, ALIVE)]
        assert node.hears(who(2), GOSSIP, updates=updates) == OK
        assert node.sent() == []
        assert node.foca.updates_backlog() == 4
        for _ in range(3):
            assert node.foca.gossip() == OK
            sent = node.sent()
            assert len(sent) == 3 and len({one.dst for one in sent}) == 3
            for one in sent:
                assert sorted(one.updates) == [(who(2), 0, ALIVE)] + updates
        assert node.foca.updates_backlog() == 4
        node.foca.gossip()
        assert [len(sent.updates) for sent in node.sent()] == [4, 0, 0]
        assert node.foca.updates_backlog() == 0


def test_a_member_is_forgotten_some_time_after_it_went_down():
    """foca: new_down_member_triggers_remove_down_scheduling.

    Once for each transition, never for an active one.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict, remove_down_after_ms=60000)
        node.applies([(who(2), 0, ALIVE), (who(3), 0, SUSPECT)])
        assert node.forgets_in(who(2)) is None and node.forgets_in(who(3)) is None
        node.applies([(who(2), 0, DOWN)])
        assert node.forgets_in(who(2)) == 60000
        node.passes(10000)
        node.applies([(who(2), 0, DOWN), (who(2), 5, ALIVE)])
        assert node.forgets_in(who(2)) == 50000, "nothing changed, nothing is set anew"
        node.applies([(who(4), 0, DOWN)])
        assert node.forgets_in(who(4)) == 60000
        node.passes(49999)
        assert node.knows(who(2)) == (0, DOWN)
        node.clear()
        node.passes(1)
        assert node.knows(who(2)) is None
        assert node.news() == [], "forgetting is no news"
        node.passes(10000)
        assert node.knows(who(4)) is None


def test_what_is_reported_and_when():
    """foca: notification_triggers.

    A Defunct node still tracks members; reuse makes it a member again.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict, layout=FIXED)
        node.applies([(who(2), 0, DOWN)])
        assert node.news() == [], "never for a member first heard of as Down"
        node.applies([(who(3), 0, SUSPECT)])
        assert node.news() == [("MemberUp", who(3)), ("Active",)]
        node.applies([(who(3), 1, ALIVE), (who(3), 1, SUSPECT), (who(4), 0, ALIVE)])
        assert node.news() == [("MemberUp", who(4))], "Suspect or Alive is no difference here"
        node.applies([(who(3), 0, DOWN), (who(3), 9, DOWN)])
        assert node.news() == [("MemberDown", who(3))]
        node.applies([(who(4), 0, DOWN)])
        assert node.news() == [("MemberDown", who(4)), ("Idle",)]
        node.applies([(who(5), 0, ALIVE)])
        assert node.news() == [("MemberUp", who(5)), ("Active",)]
        node.applies([(node.me(), 0, DOWN)])
        assert node.news() == [("Defunct",)]
        assert node.foca.is_undead()
        node.applies([(who(6), 0, ALIVE), (who(5), 0, DOWN)])
        assert node.news() == [("MemberUp", who(6)), ("MemberDown", who(5))]
        assert node.foca.reuse_down_identity() == OK
        assert node.news() == []
        node.applies([(who(5), 0, DOWN)])
        assert node.news() == [("Active",)], "an update that changes nothing is enough"
        assert node.foca.reuse_down_identity() == NOT_UNDEAD


def test_members_applied_without_broadcast_are_not_passed_on():
    """foca: apply_with_no_broadcast_doesnt_increase_backlog."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        members = [(who(2), 0, ALIVE), (who(3), 1, SUSPECT), (who(4), 0, DOWN)]
        node.applies(members, False)
        assert node.foca.updates_backlog() == 0
        assert len(node.everybody()) == 3
        node.applies([(who(2), 1, ALIVE)], True)
        assert node.foca.updates_backlog() == 1


def test_announce_and_turn_undead_are_a_header_and_nothing_else():
    """foca: lightweight_messages. Even when updates and items are waiting; a Ping carries both."""
    for strict in BOTH:
        node = Scene(1, strict=strict, handler=Keyed(), notify_down_members=True)
        node.applies([(who(2), 0, ALIVE), (who(3), 0, DOWN)])
        node.adds(b"\x01\x00item")
        node.foca.announce(who(7))
        node.hears(who(3), PING, 1)
        announce, turn_undead = node.sent()
        assert announce.what == (who(7), ANNOUNCE, 0)
        assert turn_undead.what == (who(3), TURN_UNDEAD, 0)
        assert len(announce.data) == len(turn_undead.data) == 6
        node.passes(1500)
        (ping,) = node.sent()
        assert ping.what == (who(2), PING, 1)
        assert len(ping.updates) == 2 and ping.items == [b"\x01\x00item"]


def test_custom_broadcasts_are_queued_replaced_delivered_and_withheld():
    """foca: custom_broadcast."""
    for strict in BOTH:
        handler = Keyed()
        node = Scene(1, strict=strict, handler=handler)
        assert node.adds(b"no") == CUSTOM_BROADCAST
        assert node.adds(b"") == MALFORMED_PACKET
        assert node.foca.custom_broadcast_backlog() == 0
        assert node.adds(b"\x01\x00first") == OK
        assert node.adds(b"\x02\x05other") == OK
        assert node.foca.custom_broadcast_backlog() == 2
        assert node.adds(b"\x01\x01second") == OK
        assert node.foca.custom_broadcast_backlog() == 2, "the new one took the place of the first"
        assert node.adds(b"\x01\x01again") == STALE
        assert node.foca.custom_broadcast_backlog() == 2
        assert handler.senders == [-1, -1, -1, -1, -1], "nobody sent them, the application did"

        handler.scene = node
        handler.unwanted = who(3)
        node.applies([(who(2), 0, ALIVE), (who(3), 0, ALIVE)])
        node.clear()
        node.foca.gossip()
        sent = {one.dst: one for one in node.sent()}
        assert sorted(sent) == [who(2), who(3)]
        assert sent[who(2)].items == [b"\x01\x01second", b"\x02\x05other"]
        assert sent[who(3)].items == [] and len(sent[who(3)].updates) == 2
        node.foca.broadcast()
        assert [one.what for one in node.sent()] == [(who(2), BROADCAST, 0)]


def test_received_items_are_offered_once_each_and_spread():
    """foca: custom_broadcast, the receiving side; the handler sees who passed them on."""
    for strict in BOTH:
        handler = Keyed()
        node = Scene(1, strict=strict, handler=handler)
        items = [b"\x01\x01one", b"\x02\x01two", b"\x01\x00old"]
        assert node.hears(who(2), GOSSIP, items=items) == OK
        assert handler.senders == [1, 1, 1], "the row SRC"
        assert node.foca.custom_broadcast_backlog() == 2
        assert node.hears(who(3), BROADCAST, items=items) == OK
        assert node.foca.custom_broadcast_backlog() == 2
        assert node.hears(who(2), PING, 9, items=[b"\x03\x00ok", b"no", b"\x04\x00ok"]) == (
            CUSTOM_BROADCAST
        )
        assert node.foca.custom_broadcast_backlog() == 3, "those before the refused one stay"
        assert [one.what for one in node.sent()] == [(who(2), ACK, 9)], "answered all the same"


def test_broadcast_stops_when_nothing_is_left_to_tell():
    """foca: 2.2 broadcast. No message without an item."""
    for strict in BOTH:
        node = Scene(1, strict=strict, handler=Keyed(), max_transmissions=2)
        node.applies([(who(address), 0, ALIVE) for address in range(2, 7)])
        node.clear()
        assert node.foca.broadcast() == OK
        assert node.sent() == []
        node.adds(b"\x01\x00item")
        assert node.foca.broadcast() == OK
        assert [(one.tag, len(one.items)) for one in node.sent()] == [(BROADCAST, 1)] * 2
        assert node.foca.custom_broadcast_backlog() == 0


def test_custom_broadcasts_need_a_handler():
    """foca: cant_use_broadcasts_by_default."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.adds(b"\x01\x00item") == CUSTOM_BROADCAST
        assert node.foca.broadcast() == OK
        assert node.hears(who(2), GOSSIP, items=[b"\x01\x00item"]) == CUSTOM_BROADCAST
        assert node.knows(who(2)) == (0, ALIVE), "the rest of the datagram counted"
        assert node.foca.custom_broadcast_backlog() == 0


def test_bytes_left_over_are_an_error():
    """foca: trailing_data_is_error. What stood before them was applied."""
    for strict in BOTH:
        for handler in (None, Keyed()):
            for tail in (b"\x00", b"\x00\x05", b"\x00\x00\x00", b"\x00\x05\x01\x02\x03\x04"):
                node = Scene(1, strict=strict, handler=handler)
                updates = [(who(3), 0, ALIVE)]
                assert node.hears(who(2), PING, 4, updates=updates, tail=tail) == MALFORMED_PACKET
                assert node.knows(who(3)) == (0, ALIVE)
                assert [one.what for one in node.sent()] == [(who(2), ACK, 4)]


def test_one_byte_behind_the_header_is_refused_whole():
    """foca: 4.7, step 4. No message can have it."""
    for strict in BOTH:
        for tag in (ACK, FEED, GOSSIP, BROADCAST, TURN_UNDEAD):
            node = Scene(1, strict=strict)
            data = node.packet(who(2), tag)
            if tag not in (BROADCAST, TURN_UNDEAD):
                data = data[:-2]
            assert node.takes(data + b"\x00") == MALFORMED_PACKET
            assert node.everybody() == {}
            assert node.takes(data) == OK, "a missing count is legal"
            assert node.knows(who(2)) == (0, ALIVE)


def test_a_small_packet_ends_behind_the_header():
    """foca: 3.1. With two bytes left there is no count, with three there is an empty one."""
    for strict in BOTH:
        for room, has_count in ((0, False), (1, False), (2, False), (3, True)):
            node = Scene(1, strict=strict, send_bytes_max=6 + room, num_indirect_probes=1)
            node.applies([(who(2), 0, ALIVE)])
            node.foca.gossip()
            (sent,) = node.sent()
            assert sent.has_count == has_count
            assert len(sent.data) == (8 if has_count else 6)


def test_items_use_what_the_updates_left():
    """foca: 3.5. An item that does not fit is kept; a shorter one may overtake it."""
    for strict in BOTH:
        node = Scene(
            1, strict=strict, handler=Keyed(), num_indirect_probes=1, max_transmissions=1,
            send_bytes_max=64, packet_bytes_max=64,
        )  # fmt: skip
        node.applies([(who(2), 0, ALIVE)])
        long_item = b"\x02\x00" + b"y" * 20
        node.adds(b"\x01\x00" + b"x" * 18)
        node.adds(long_item)
        node.adds(b"\x03\x00short")
        node.foca.gossip()
        (sent,) = node.sent()
        assert sent.updates == [(who(2), 0, ALIVE)]
        assert sent.items == [long_item, b"\x01\x00" + b"x" * 18], "12 + 24 + 22 of 64 bytes"
        assert node.foca.custom_broadcast_backlog() == 1


def test_the_transmissions_of_a_config_change_count_from_the_next_update():
    """foca: 2.2 set_config. What is queued keeps its count."""
    for strict in BOTH:
        node = telling(strict, max_transmissions=2)
        node.applies([(who(2), 0, DOWN)])
        config = Config.simple(strict=strict, num_indirect_probes=1, max_transmissions=3)
        assert node.foca.set_config(config) == OK
        node.applies([(who(3), 0, DOWN)])
        times = 1 if strict else 2  # hardened: a Down is told twice as often
        told = sum([gossip(node) for _ in range(7)], [])
        assert told.count((who(2), 0, DOWN)) == 2 * times
        assert told.count((who(3), 0, DOWN)) == 3 * times


def test_what_is_too_long_is_refused():
    """foca: 2.10 DataTooBig, for an item of the application's."""
    for strict in BOTH:
        node = Scene(1, strict=strict, handler=Keyed())
        assert node.adds(b"\x01\x00" + bytes(1399)) == DATA_TOO_BIG
        assert node.foca.custom_broadcast_backlog() == 0
