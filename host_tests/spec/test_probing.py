"""The probe cycle: Ping, the helpers, the verdict."""

from foca.members import PROBED
from foca.status import INCOMPLETE_PROBE_CYCLE, INDIRECT_FOR_OURSELVES, OK, RELAYS_LIMITED
from foca.timers import TIMER_INDIRECT_PROBE, TIMER_PROBE
from foca.wire import (
    ACK,
    ALIVE,
    ANNOUNCE,
    DOWN,
    FORWARDED_ACK,
    GOSSIP,
    INDIRECT_ACK,
    INDIRECT_PING,
    PING,
    PING_REQ,
    SUSPECT,
)
from support.scenario import Scene, who

BOTH = (False, True)


def probing(strict, others, **fields):
    """A node with so many members, in the middle of its first probe: (node, target)."""
    node = Scene(1, strict=strict, **fields)
    node.applies([(who(2 + i), 0, ALIVE) for i in range(others)], False)
    node.clear()
    target, number = node.probes()
    assert number == 1
    return node, target


def asked(node):
    """Let the round-trip time pass; returns who was asked to help."""
    node.passes(500)
    return [one for one in node.sent() if one.tag == PING_REQ]


def test_an_ack_in_time_ends_the_matter():
    """foca: probe_ping_ack_cycle."""
    for strict in BOTH:
        node, target = probing(strict, 5)
        assert node.hears(target, ACK, 1) == OK
        assert asked(node) == []
        node.passes(1000)
        assert node.knows(target) == (0, ALIVE)
        assert node.news() == [], "not even ProbeFailed"
        assert node.counter(INCOMPLETE_PROBE_CYCLE) == 0


def test_an_ack_counts_until_the_next_probe():
    """foca: 4.5 step 2. Later than the round-trip time is early enough."""
    for strict in BOTH:
        node, target = probing(strict, 5)
        assert len(asked(node)) == 3
        node.passes(999)
        assert node.hears(target, ACK, 1) == OK
        node.passes(1)
        assert node.knows(target) == (0, ALIVE)


def test_an_ack_counts_only_with_the_right_number_and_sender():
    """foca: probe_cycle_requires_correct_probe_number."""
    for strict in BOTH:
        node, target = probing(strict, 5)
        other = who(3) if target != who(3) else who(4)
        for src, number in ((target, 0), (target, 2), (target, 255), (other, 1)):
            assert node.hears(src, ACK, number) == OK
        assert len(asked(node)) == 3
        node.passes(1000)
        assert node.knows(target) == (0, SUSPECT)
        assert node.news() == [("ProbeFailed", target)]


def test_any_helpers_answer_counts_and_no_outsiders():
    """foca: probe_valid_indirect_ack_completes_succesfully."""
    for strict in BOTH:
        for answering in range(3):
            node, target = probing(strict, 6)
            requests = asked(node)
            helpers = [one.dst for one in requests]
            assert len(set(helpers)) == 3, "num_indirect_probes of them"
            assert target not in helpers and who(1) not in helpers
            for one in requests:
                assert (one.number, one.third) == (1, target)
            outsiders = [one for one in range(2, 8) if who(one) not in helpers + [target]]
            for outsider in (who(outsiders[0]), who(99)):
                assert node.hears(outsider, FORWARDED_ACK, 1, third=target) == OK
            assert not node.foca.probe.acked
            assert node.hears(helpers[answering], FORWARDED_ACK, 2, third=target) == OK
            assert not node.foca.probe.acked
            assert node.hears(helpers[answering], FORWARDED_ACK, 1, third=target) == OK
            assert node.foca.probe.acked
            node.passes(1000)
            assert node.knows(target) == (0, ALIVE)


def test_a_helper_of_an_earlier_probe_does_not_count():
    """foca: 4.5 step 4. Who was asked is forgotten with the cycle; an answer counts once."""
    for strict in BOTH:
        node, target = probing(strict, 6)
        helpers = [one.dst for one in asked(node)]
        node.passes(1000)
        now = node.foca.identity_of(PROBED)
        for helper in helpers:
            number = node.foca.probe.number
            assert number == 2
            assert node.hears(helper, FORWARDED_ACK, number, third=now) == OK
        assert not node.foca.probe.acked


def test_a_lonely_pair_has_no_helpers():
    """foca: 4.5 step 3."""
    for strict in BOTH:
        node, target = probing(strict, 1)
        assert asked(node) == []
        node.passes(1000)
        assert node.knows(target) == (0, SUSPECT)


def test_nobody_answered():
    """foca: 4.5, the timeline.

    Suspect one period after the Ping, Down suspect_to_down_after later.
    """
    for strict in BOTH:
        node, target = probing(strict, 2, notify_down_members=True)
        node.passes(1499)
        assert node.knows(target) == (0, ALIVE)
        node.passes(1)
        assert node.knows(target) == (0, SUSPECT)
        assert node.suspicion_ends_in(target) == 3000
        assert node.foca.updates_backlog() == 1, "the suspicion is told"
        node.passes(2999)
        assert node.knows(target)[1] == SUSPECT
        node.passes(1)
        assert node.knows(target)[1] == DOWN
        assert ("MemberDown", target) in node.news()


def test_everyone_is_probed_once_a_round():
    """foca: 4.3 next, through the node. Numbers count on and wrap."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        everybody = [who(2 + i) for i in range(5)]
        node.applies([(one, 0, ALIVE) for one in everybody], False)
        node.lives = dict.fromkeys(everybody, 0)
        node.foca.probe.number = 250
        probed = [node.probes() for _ in range(15)]
        assert [number for _, number in probed] == list(range(251, 256)) + list(range(10))
        for first in (0, 5, 10):
            assert sorted([one for one, _ in probed[first : first + 5]]) == everybody


def test_a_ping_is_acknowledged():
    """foca: probe_receiving_ping_replies_with_ack.

    From an unknown sender too, who is a member then.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.hears(who(2, 5), PING, 200) == OK
        (sent,) = node.sent()
        assert sent.what == (who(2, 5), ACK, 200) and sent.src == who(1)
        assert node.knows(who(2, 5)) == (0, ALIVE)


def test_a_request_becomes_an_indirect_ping():
    """foca: probe_receiving_ping_req_sends_indirect_ping."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.hears(who(2), PING_REQ, 7, third=who(3)) == OK
        (sent,) = node.sent()
        assert sent.what == (who(3), INDIRECT_PING, 7) and sent.third == who(2)
        assert node.knows(who(3)) is None, "named is not known"


def test_an_indirect_ping_is_acknowledged_to_the_helper():
    """foca: probe_receiving_indirect_ping_sends_indirect_ack."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.hears(who(2), INDIRECT_PING, 7, third=who(3)) == OK
        (sent,) = node.sent()
        assert sent.what == (who(2), INDIRECT_ACK, 7) and sent.third == who(3)


def test_an_indirect_ack_is_forwarded():
    """foca: probe_receiving_indirect_ack_sends_forwarded_ack."""
    for strict in BOTH:
        node = Scene(1, strict=strict)
        assert node.hears(who(2), INDIRECT_ACK, 7, third=who(3)) == OK
        (sent,) = node.sent()
        assert sent.what == (who(3), FORWARDED_ACK, 7) and sent.third == who(2)


def test_whoever_names_us_as_the_third_party_is_wrong():
    """foca: receiving_indirect_for_ourselves_causes_error.

    All four; the sender counts all the same.
    """
    for strict in BOTH:
        for tag in (PING_REQ, INDIRECT_PING, INDIRECT_ACK, FORWARDED_ACK):
            node = Scene(1, strict=strict)
            updates = [(who(3), 0, ALIVE)]
            status = node.hears(who(2), tag, 7, third=who(1), updates=updates)
            assert status == INDIRECT_FOR_OURSELVES
            assert node.sent() == []
            assert node.knows(who(2)) == (0, ALIVE) and node.knows(who(3)) == (0, ALIVE)


def test_a_probe_without_its_indirect_stage_is_reported():
    """foca: not_submitting_indirect_probe_timer_causes_probe_error.

    Timers live inside, so it takes a round-trip time above the period, which only strict allows.
    """
    node = Scene(1, strict=True, probe_rtt_ms=1600)
    node.applies([(who(2), 0, ALIVE)])
    node.passes(1500)
    assert node.counter(INCOMPLETE_PROBE_CYCLE) == 0
    node.passes(1500)
    assert node.counter(INCOMPLETE_PROBE_CYCLE) == 1


def test_an_incomplete_cycle_is_followed_by_a_whole_one():
    """foca: can_recover_from_incomplete_probe_cycle.

    A new number, both timers; nobody is suspected.
    """
    for strict in BOTH:
        node, target = probing(strict, 3)
        node.foca.timers.at[TIMER_INDIRECT_PROBE] = 0  # as if it had been lost
        _, number = node.probes()
        assert node.counter(INCOMPLETE_PROBE_CYCLE) == 1
        assert number == 2
        assert node.knows(target) == (0, ALIVE)
        assert node.due_in(TIMER_INDIRECT_PROBE) == 500
        assert node.due_in(TIMER_PROBE) == 1500
        assert len(asked(node)) == 2
        node.passes(1000)
        assert node.counter(INCOMPLETE_PROBE_CYCLE) == 1


def test_going_idle_forgets_the_probe():
    """foca: going_idle_clears_probe_state."""
    for strict in BOTH:
        node, target = probing(strict, 1)
        node.applies([(target, 0, DOWN)])
        assert node.news()[-1] == ("Idle",)
        assert not node.foca.probe.is_running
        assert node.due_in(TIMER_PROBE) is None and node.due_in(TIMER_INDIRECT_PROBE) is None
        node.applies([(who(50), 0, ALIVE)])
        _, number = node.probes()
        assert number == 2, "the number is never reset"
        assert node.counter(INCOMPLETE_PROBE_CYCLE) == 0


def test_nobody_is_asked_about_somebody_who_is_gone():
    """foca: no_indirect_cycle_if_probed_disappears.

    Renamed or declared Down while being probed.
    """
    for strict in BOTH:
        for renamed in BOTH:
            node, target = probing(strict, 4)
            newer = who(target[0], 1)
            node.applies([(newer, 0, ALIVE) if renamed else (target, 0, DOWN)])
            assert asked(node) == []
            node.passes(1000)
            assert node.counter(INCOMPLETE_PROBE_CYCLE) == 0
            assert node.knows(newer) == ((0, ALIVE) if renamed else None)


def test_changing_identity_during_a_probe_is_no_error():
    """foca: renew_during_probe_shouldnt_cause_errors. The old timers do nothing any more."""
    for strict in BOTH:
        node, _ = probing(strict, 3)
        assert node.foca.change_identity(who(1, 1)) == OK
        assert node.due_in(TIMER_PROBE) is None and node.due_in(TIMER_INDIRECT_PROBE) is None
        node.clear()
        node.passes(5000)
        assert node.order == []
        assert node.hears(who(2), GOSSIP) == OK
        assert node.news() == [("Active",)]
        node.probes()
        assert node.counter(INCOMPLETE_PROBE_CYCLE) == 0


def test_changing_identity_starts_a_new_generation_of_timers():
    """foca: changing_identity_resets_timer_token.

    No token is needed: what it would void is cleared.
    """
    for strict in BOTH:
        node = Scene(1, strict=strict, remove_down_after_ms=9000, periodic_gossip_ms=100)
        node.applies([(who(2), 0, ALIVE), (who(3), 0, ALIVE), (who(4), 0, DOWN)])
        target, _ = node.probes()
        node.passes(1500)
        assert node.suspicion_ends_in(target) == 3000
        generation = node.foca.generation
        node.foca.change_identity(who(1, 1))
        assert node.foca.generation == generation + 1
        assert node.suspicion_ends_in(target) is None
        assert list(node.foca.timers.at)[:5] == [0] * 5
        assert node.forgets_in(who(4)) == 6000, "a Down member is forgotten whoever we are"
        node.passes(6000)
        assert node.knows(who(4)) is None


def test_a_suspect_keeps_its_first_deadline():
    """Ours: one-suspicion-per-member. The reference starts another one with every failed probe."""
    for strict in BOTH:
        node = Scene(1, strict=strict, suspect_to_down_after_ms=4000)
        node.applies([(who(2), 0, ALIVE)])
        node.probes()
        node.passes(1500)
        assert node.suspicion_ends_in(who(2)) == 4000
        node.passes(1500)
        assert node.suspicion_ends_in(who(2)) == 2500
        node.passes(2500)
        assert node.knows(who(2)) == (0, DOWN)


def test_the_probe_remembers_whom_it_asked():
    """foca: 4.5. Identity and incarnation as they were when the Ping went out."""
    for strict in BOTH:
        node, target = probing(strict, 2)
        node.applies([(target, 1, ALIVE)])
        assert node.foca.identity_of(PROBED) == target
        assert node.foca.members.incarnations[PROBED] == 0
        node.passes(1500)
        assert ("ProbeFailed", target) in node.news()
        assert node.knows(target) == (1, ALIVE), "Suspect with incarnation 0 is stale"


def test_requests_to_strangers_are_relayed_up_to_a_limit():
    """Hardened: relays_limit (B-9). Known targets are always helped; strict helps everybody."""
    for strict in BOTH:
        node = Scene(1, strict=strict, relays_max=3)
        node.applies([(who(2), 0, ALIVE), (who(3), 0, ALIVE)])
        node.clear()
        for number in range(6):
            assert node.hears(who(2), PING_REQ, number, third=who(77)) == OK
        assert len(node.sent()) == (6 if strict else 3)
        for number in range(6):
            assert node.hears(who(2), INDIRECT_ACK, number, third=who(78)) == OK
        assert len(node.sent()) == (6 if strict else 0)
        assert node.counter(RELAYS_LIMITED) == (0 if strict else 9)
        for number in range(6):
            assert node.hears(who(2), PING_REQ, number, third=who(3)) == OK
        assert len(node.sent()) == 6
        assert node.hears(who(4), ANNOUNCE) == OK
