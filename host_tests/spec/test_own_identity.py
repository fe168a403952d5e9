"""Suspicion, refutation, renewal, leaving; and who is who when two share an address."""

from foca.status import DATA_FROM_OURSELVES, NOT_FOR_US, NOT_UNDEAD, OK, SAME_IDENTITY
from foca.wire import (
    ACK,
    ALIVE,
    ANNOUNCE,
    DOWN,
    FEED,
    GOSSIP,
    PING,
    SUSPECT,
    TURN_UNDEAD,
)
from support.scenario import FIXED, RENEWABLE, Scene, who

BOTH = (False, True)


def member_of(strict, others, **fields):
    """A connected node with so many members."""
    node = Scene(1, strict=strict, **fields)
    node.applies([(who(2 + i), 0, ALIVE) for i in range(others)], False)
    node.clear()
    return node


def suspect_of(strict, **fields):
    """A node that has just begun to suspect one of three members: (node, suspect)."""
    node = member_of(strict, 3, **fields)
    suspect, _ = node.probes()
    for other in (who(2), who(3), who(4)):
        node.lives[other] = 0
    del node.lives[suspect]
    node.passes(1500)
    node.clear()
    assert node.knows(suspect) == (0, SUSPECT)
    return node, suspect


def test_a_suspected_node_refutes_by_raising_its_incarnation():
    """foca: suspicion_refutal.

    The last legal incarnation cannot be refuted: the node goes Undead.
    """
    for strict in BOTH:
        node = member_of(strict, 1, layout=FIXED)
        for incarnation in (0, 1, 7, 127, 16383, 65533, 65534):
            node.hears(who(2), GOSSIP, updates=[(who(1), incarnation, SUSPECT)])
            assert node.incarnation() == incarnation + 1
            assert not node.foca.is_undead()
        assert node.sent()[-1].incarnation == 65535, "every header carries it"
        assert node.news() == []
        node.hears(who(2), GOSSIP, updates=[(who(1), 3, SUSPECT)])
        assert node.foca.is_undead() and node.news() == [("Defunct",)]
        node = member_of(strict, 1, layout=FIXED)
        node.hears(who(2), GOSSIP, updates=[(who(1), 65535, SUSPECT)])
        assert node.foca.is_undead()


def test_the_last_incarnation_renews_a_renewable_identity():
    """foca: 4.8. Suspicion at 65535 is as good as Down."""
    for strict in BOTH:
        node = member_of(strict, 1)
        node.hears(who(2), GOSSIP, updates=[(who(1), 65535, SUSPECT)])
        assert node.me() == who(1, 1) and node.incarnation() == 0
        assert node.news() == [("Rejoin", who(1, 1)), ("Active",)]


def test_a_new_identity_starts_with_incarnation_zero():
    """foca: 4.2 reset. Renewed, changed or reused."""
    for strict in BOTH:
        for become in ("renewed", "changed", "reused"):
            node = member_of(strict, 1, notify_down_members=True)
            node.hears(who(2), GOSSIP, updates=[(who(1), 4, SUSPECT)])
            assert node.incarnation() == 5
            if become == "renewed":
                node.hears(who(2), GOSSIP, updates=[(who(1), 0, DOWN)])
            elif become == "changed":
                node.foca.change_identity(who(1, 1))
            else:
                node.foca.leave_cluster()
                node.foca.reuse_down_identity()
            node.clear()
            node.hears(who(2), PING, 1)
            (ack,) = node.sent()
            assert ack.incarnation == node.incarnation() == 0


def test_stale_suspicion_raises_nothing():
    """foca: incarnation_does_not_increase_for_stale_suspicion."""
    for strict in BOTH:
        node = member_of(strict, 1)
        node.hears(who(2), GOSSIP, updates=[(who(1), 4, SUSPECT)])
        for stale in (0, 1, 4):
            node.hears(who(2), GOSSIP, updates=[(who(1), stale, SUSPECT)])
            assert node.incarnation() == 5
        node.hears(who(2), GOSSIP, updates=[(who(1), 900, ALIVE)])
        assert node.incarnation() == 5, "nobody else raises it"


def test_who_hears_that_it_is_suspected_gossips():
    """foca: gossips_when_being_suspected. Every time, stale or not; through apply_many as well."""
    for strict in BOTH:
        node = member_of(strict, 2)
        for incarnation in (0, 0, 0, 5, 3):
            node.hears(who(2), GOSSIP, updates=[(who(1), incarnation, SUSPECT)])
            assert [one.tag for one in node.sent()] == [GOSSIP] * 2
        node.applies([(who(1), 0, SUSPECT)], False)
        assert [one.tag for one in node.sent()] == [GOSSIP] * 2


def test_a_suspect_that_knows_saves_itself():
    """foca: message_from_aware_suspect_refutes_suspicion. One that does not know goes Down."""
    for strict in BOTH:
        for aware in BOTH:
            node, suspect = suspect_of(strict)
            node.lives[suspect] = 1 if aware else 0
            assert node.hears(suspect, GOSSIP, incarnation=1 if aware else 0) == OK
            node.hears(suspect, ACK, node.foca.probe.number, incarnation=node.lives[suspect])
            assert node.knows(suspect) == ((1, ALIVE) if aware else (0, SUSPECT))
            node.passes(3000)
            assert node.knows(suspect) == ((1, ALIVE) if aware else (0, DOWN))
            assert node.news() == ([] if aware else [("MemberDown", suspect)])


def test_a_new_identity_is_told_at_once():
    """foca: change_identity_gossips_immediately. The previous one is Down, under its address."""
    for strict in BOTH:
        node = member_of(strict, 2)
        assert node.foca.change_identity(who(1)) == SAME_IDENTITY
        assert node.foca.change_identity(who(1, 5)) == OK
        assert node.news() == [], "no event"
        sent = node.sent()
        assert len(sent) == 2
        for one in sent:
            assert one.tag == GOSSIP and one.src == who(1, 5)
            assert one.updates == [(who(1), 0, DOWN)]
        assert node.foca.updates_backlog() == 1
        assert node.foca.num_members() == 2, "members are kept"


def test_leaving_tells_of_our_death():
    """foca: leave_cluster_gossips_about_our_death."""
    for strict in BOTH:
        node = member_of(strict, 3)
        node.hears(who(2), GOSSIP, updates=[(who(1), 4, SUSPECT)])
        node.clear()
        assert node.foca.leave_cluster() == OK
        assert node.order == [GOSSIP] * 3 + ["Defunct"]
        for one in node.sent():
            assert (who(1), 0, DOWN) in one.updates, "with incarnation 0, whatever ours is"
        assert node.foca.is_undead()
        node.clear()
        node.passes(60000)
        assert node.hears(who(2), PING, 1) == OK
        assert node.order == [], "it says nothing any more"


def test_leaving_tells_each_member_once():
    """foca: leave_cluster_doesnt_gossip_to_duplicates. The fan-out is larger than the cluster."""
    for strict in BOTH:
        node = member_of(strict, 3, num_indirect_probes=200)
        node.foca.leave_cluster()
        assert sorted([one.dst for one in node.sent()]) == [who(2), who(3), who(4)]


def test_who_is_declared_down_rejoins_under_a_renewed_identity():
    """foca: auto_rejoin_behaviour.

    No Defunct; the Rejoin is reported after the gossip was sent.
    """
    for strict in BOTH:
        node = member_of(strict, 2)
        node.hears(who(2), GOSSIP, updates=[(who(1), 0, DOWN)])
        assert node.me() == who(1, 1)
        assert node.order == [GOSSIP, GOSSIP, "Rejoin", "Active"]
        assert node.news() == [("Rejoin", who(1, 1)), ("Active",)]
        for one in node.sent():
            assert one.src == who(1, 1) and one.updates == [(who(1), 0, DOWN)]


def test_who_cannot_be_renewed_is_defunct():
    """foca: auto_rejoin_behaviour, the other branch: renew gives nothing."""
    for strict in BOTH:
        node = member_of(strict, 2, layout=FIXED)
        node.hears(who(2), GOSSIP, updates=[(who(1), 0, DOWN)])
        assert node.me() == who(1) and node.order == ["Defunct"]


def test_a_member_declared_down_is_told():
    """foca: declaring_a_member_as_down_notifies_them. Only with notify_down_members."""
    for strict in BOTH:
        for notify in BOTH:
            node, suspect = suspect_of(strict, notify_down_members=notify)
            node.passes(3000)
            assert node.knows(suspect) == (0, DOWN)
            told = [one.what for one in node.sent() if one.tag == TURN_UNDEAD]
            assert told == ([(suspect, TURN_UNDEAD, 0)] if notify else [])


def test_a_member_that_we_hold_down_is_told_when_it_speaks():
    """foca: message_from_down_member_is_replied_with_turn_undead. Nothing else of it counts."""
    for strict in BOTH:
        node = member_of(strict, 1, notify_down_members=True)
        node.applies([(who(9), 5, DOWN)])
        node.clear()
        for tag in (PING, GOSSIP, FEED, ACK):
            updates = [(who(7), 0, ALIVE)]
            assert node.hears(who(9), tag, updates=updates, incarnation=9) == OK
            assert [one.what for one in node.sent()] == [(who(9), TURN_UNDEAD, 0)]
        assert node.knows(who(7)) is None and node.knows(who(9)) == (5, DOWN)
        assert node.hears(who(9), ANNOUNCE) == OK
        assert [one.tag for one in node.sent()] == [TURN_UNDEAD]
        assert node.news() == []


def test_even_a_down_member_can_tell_us_that_we_are_down():
    """foca: reacts_to_turnundead_even_if_sender_is_down. We answer it from the new identity."""
    for strict in BOTH:
        node = member_of(strict, 0, notify_down_members=True)
        node.applies([(who(2), 0, DOWN)])
        node.clear()
        assert node.hears(who(2), TURN_UNDEAD) == OK
        assert node.me() == who(1, 1) and node.news() == [("Rejoin", who(1, 1))]
        (sent,) = node.sent()
        assert sent.what == (who(2), TURN_UNDEAD, 0) and sent.src == who(1, 1)


def test_strict_a_turn_undead_renews_and_the_next_datagram_connects():
    """foca: 4.8. Between the two the node is Disconnected: no timer runs."""
    node = member_of(True, 1)
    assert node.hears(who(2), TURN_UNDEAD) == OK
    assert node.order == [GOSSIP, "Rejoin"]
    node.clear()
    node.passes(60000)
    assert node.order == []
    assert node.hears(who(2), PING, 1) == OK
    assert node.order == ["Active", ACK]


def test_hardened_a_turn_undead_renews_and_connects():
    """Nobody that we know may go by its name any more: we must probe, or we wait for ever."""
    node = member_of(False, 1)
    assert node.hears(who(2), TURN_UNDEAD) == OK
    assert node.order == [GOSSIP, "Rejoin", "Active"]
    node.clear()
    assert node.hears(who(2), PING, 1) == OK
    assert node.order == [ACK]


def test_we_are_no_member_of_our_own_under_a_former_identity():
    """foca: cannot_learn_about_own_previous_identity."""
    for strict in BOTH:
        node = member_of(strict, 1, notify_down_members=True)
        node.foca.change_identity(who(1, 5))
        node.clear()
        for bump in (0, 3):
            node.hears(who(2), GOSSIP, updates=[(who(1, bump), 9, ALIVE)])
            assert node.foca.num_members() == 1
            assert node.knows(who(1, bump)) == (0, DOWN)
        assert node.me() == who(1, 5)
        assert ("MemberUp", who(1)) not in node.news()


def test_of_two_identities_at_one_address_the_newer_counts():
    """foca: handles_member_addr_conflict. The older one is ignored whatever it claims to be."""
    for strict in BOTH:
        node = member_of(strict, 0)
        for state in (ALIVE, SUSPECT, DOWN):
            node.applies([(who(2, 10), 0, state)])
            for older in (ALIVE, SUSPECT, DOWN):
                node.applies([(who(2, 9), 65535, older)])
                assert node.everybody() == {who(2, 10): (0, state)}
            for newer in (ALIVE, SUSPECT, DOWN):
                other = Scene(1, strict=strict)
                other.applies([(who(2, 10), 7, state), (who(2, 11), 0, newer)])
                assert other.everybody() == {who(2, 11): (0, newer)}
                assert other.foca.num_members() == (0 if newer == DOWN else 1)


def test_an_old_suspicion_does_not_hurt_a_new_identity():
    """foca: does_not_mark_renewed_identity_as_down."""
    for strict in BOTH:
        node, suspect = suspect_of(strict)
        renewed = who(suspect[0], 1)
        node.lives[renewed] = 0
        node.hears(renewed, GOSSIP)
        node.passes(4000)
        assert node.knows(renewed) == (0, ALIVE)
        assert node.news() == [("Rename", suspect, renewed)]


def test_what_is_reported_when_identities_meet():
    """foca: notifies_on_conflict_resolution. Old ones produce nothing at all."""
    for strict in BOTH:
        node = member_of(strict, 1)
        node.applies([(who(2, 1), 0, ALIVE)])
        assert node.news() == [("Rename", who(2), who(2, 1))]
        node.applies([(who(2, 2), 0, DOWN)])
        assert node.news() == [
            ("Rename", who(2, 1), who(2, 2)),
            ("MemberDown", who(2, 2)),
            ("Idle",),
        ]
        node.applies([(who(2, 3), 0, SUSPECT)])
        assert node.news() == [
            ("Rename", who(2, 2), who(2, 3)),
            ("MemberUp", who(2, 3)),
            ("Active",),
        ]
        node.applies([(who(2, 4), 0, DOWN), (who(2, 5), 0, DOWN)])
        assert ("Rename", who(2, 4), who(2, 5)) == node.news()[2]
        for state in (ALIVE, SUSPECT, DOWN):
            node.applies([(who(2, 4), 9, state)])
        assert node.news() == []


def test_what_an_old_identity_says_is_discarded():
    """foca: discards_known_old_identities_data. From the new one it is applied."""
    for strict in BOTH:
        node = member_of(strict, 0, notify_down_members=True)
        node.applies([(who(2, 5), 0, ALIVE)])
        node.clear()
        updates = [(who(3), 0, ALIVE)]
        assert node.hears(who(2, 4), GOSSIP, updates=updates) == OK
        assert node.knows(who(3)) is None and node.news() == []
        assert [one.what for one in node.sent()] == [(who(2, 4), TURN_UNDEAD, 0)]
        assert node.hears(who(2, 5), GOSSIP, updates=updates) == OK
        assert node.knows(who(3)) == (0, ALIVE)


def test_we_do_not_listen_to_ourselves():
    """foca: cant_receive_data_from_same_identity."""
    for strict in BOTH:
        node = Scene(1, bump=3, strict=strict)
        assert node.hears(who(1, 3), ANNOUNCE) == DATA_FROM_OURSELVES
        assert node.hears(who(1, 3), PING, 1) == DATA_FROM_OURSELVES
        assert node.everybody() == {} and node.order == []


def test_we_do_not_listen_to_our_address():
    """foca: cant_receive_data_from_same_addr.

    Older and newer; before the destination is looked at.
    """
    for strict in BOTH:
        node = Scene(1, bump=3, strict=strict)
        for bump in (2, 4):
            assert node.hears(who(1, bump), PING, 1) == DATA_FROM_OURSELVES
            assert node.hears(who(1, bump), PING, 1, dst=who(50)) == DATA_FROM_OURSELVES
        assert node.everybody() == {} and node.order == []


def test_a_datagram_about_ourselves_is_taken_calmly():
    """foca: debug_no_panic_when_handling_data_with_self_updates."""
    for strict in BOTH:
        for tag in (PING, ACK, FEED, GOSSIP):
            node = member_of(strict, 1)
            updates = [(who(1), 0, SUSPECT), (who(1), 0, ALIVE), (who(3), 0, ALIVE)]
            assert node.hears(who(2), tag, updates=updates) == OK
            assert node.incarnation() == 1 and node.knows(who(3)) == (0, ALIVE)


def test_an_update_list_meets_the_identity_as_it_is_by_then():
    """foca: 4.8. We renew in the middle of a packet; what follows is about a former identity."""
    for strict in BOTH:
        node = member_of(strict, 1)
        updates = [(who(1), 0, DOWN), (who(1), 0, DOWN), (who(1, 1), 0, SUSPECT)]
        assert node.hears(who(2), GOSSIP, updates=updates) == OK
        assert node.me() == who(1, 1) and node.incarnation() == 1


def test_a_renewal_that_would_lose_is_refused():
    """foca: try rejoin.

    The successor must win against the identity, or the node is Undead (B-10).
    """

    class Fading(type(RENEWABLE)):
        def renew(self, ids, at, step):
            ids[at + 2] -= 1
            return True

    for strict in BOTH:
        node = Scene(1, bump=5, strict=strict, layout=Fading(1, False, 16, -1))
        node.applies([(who(2), 0, ALIVE), (who(1, 5), 0, DOWN)])
        assert node.me() == who(1, 5) and node.foca.is_undead()


def test_reuse_needs_an_undead_node_and_sends_nothing():
    """foca: 2.2 reuse_down_identity."""
    for strict in BOTH:
        node = member_of(strict, 1)
        assert node.foca.reuse_down_identity() == NOT_UNDEAD
        node.foca.leave_cluster()
        node.clear()
        assert node.foca.reuse_down_identity() == OK
        assert node.order == [] and not node.foca.is_undead() and node.me() == who(1)
        assert node.hears(who(2), PING, 1) == OK
        assert node.order == ["Active", ACK]


def test_an_undead_node_that_changes_identity_does_not_tell_of_the_old_one():
    """foca: 2.2 change_identity. It was told Down already."""
    for strict in BOTH:
        node = member_of(strict, 1, layout=FIXED)
        node.applies([(who(1), 0, DOWN)])
        assert node.foca.is_undead()
        node.clear()
        assert node.foca.change_identity(who(1, 1)) == OK
        (sent,) = node.sent()
        assert sent.tag == GOSSIP and sent.updates == [] and node.foca.updates_backlog() == 0


def test_what_is_meant_for_a_former_identity_is_dropped():
    """foca: 4.9. Silently; peers learn the new one from its gossip."""
    for strict in BOTH:
        node = member_of(strict, 1)
        node.foca.change_identity(who(1, 5))
        node.clear()
        assert node.hears(who(2), PING, 1, dst=who(1)) == OK
        assert node.order == [] and node.counter(NOT_FOR_US) == 1
