"""Every check catches a core that is broken on purpose, and says so by its own name."""

import foca.backlog
import foca.broadcast
import foca.identity
import foca.items
import foca.join
import foca.limits
import foca.members
import foca.node
import foca.outgoing
import foca.picker
import foca.probing
import foca.receive
import foca.selfhood
import foca.timers
import pytest
from simulation_checks import Bounds, attempts, recount
from simulation_custom import recount_items
from simulation_scenario import KINDS, Play, Scenario
from simulation_world import SECOND

SUSPECT = 1


def caught(check, seeds=range(12), **how):
    """Whether some of the seeds fails this check; the problem it reports."""
    seen = []
    for seed in seeds:
        outcome = Play(Scenario(seed, **how)).run()
        if outcome.check == check:
            return outcome.problem
        seen.append(outcome.check or "good")
    raise AssertionError(f"{check} did not catch it: {seen}")


@pytest.fixture
def break_core(monkeypatch):
    """Put something broken in the place of a part of the core."""

    def patch(owner, name, broken):
        original = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args: broken(original, *args))

    return patch


def test_refutation_catches_who_does_not_refute(break_core):
    def deaf(original, node, state, incarnation):
        return 0 if state == SUSPECT else original(node, state, incarnation)

    break_core(foca.selfhood, "about_us", deaf)
    assert "suspects incarnation" in caught("refutation")


def test_refutation_catches_updates_that_are_dropped(break_core):
    break_core(foca.receive, "_apply_updates", lambda original, *args: 0)
    assert "suspects incarnation" in caught("refutation", only=("loss",))


def test_refutation_catches_a_ping_that_does_not_tell(break_core):
    """As in the reference: a suspect hears of it by chance only."""
    break_core(
        foca.outgoing, "_tell_suspect", lambda original, node, dst: node.backlog.fill(node.outbox)
    )
    caught("refutation", range(30))


def test_incarnation_catches_what_shrinks(break_core):
    break_core(foca.members.Members, "_can_change", lambda original, *args: True)
    caught("incarnation", range(40), only=("loss", "block", "reorder", "duplicate"))


def test_incarnation_catches_what_was_never_said(break_core):
    def exaggerate(original, node):
        node.members.incarnations[6] += 7  # of the row PROBED
        original(node)

    break_core(foca.probing, "_suspect", exaggerate)
    assert "never said" in caught("incarnation")


def test_incarnation_catches_a_refutation_downwards(break_core):
    def downwards(original, node, state, incarnation):
        if state == SUSPECT and node.members.incarnations[0]:
            node.members.incarnations[0] = 0
            return 0
        return original(node, state, incarnation)

    break_core(foca.selfhood, "about_us", downwards)
    assert "lowers its own" in caught("incarnation", only=("loss", "block"))


def test_identity_catches_who_comes_back_older(break_core):
    break_core(foca.identity.Layout, "wins", lambda original, *args: False)
    assert "older than" in caught("identity", range(40), only=("restart", "reorder", "partition"))


def test_identity_catches_who_is_known_twice(break_core):
    def exact(original, members, row):
        found = original(members, row)
        return found if row != 4 or members.same_identity(found, row) else 0  # row 4: UPDATE

    break_core(foca.members.Members, "find", exact)
    assert "under two identities" in caught("identity", only=("restart",))


def test_identity_catches_who_never_existed(break_core):
    def miscopy(original, members, source, target):
        original(members, source, target)
        if source == 4 and target >= 9:  # UPDATE into a member's row
            members.ids[(target + 1) * 14 - 1] ^= 64

    break_core(foca.members.Members, "copy", miscopy)
    assert "never existed" in caught("identity", only=("latency",))


def test_early_catches_an_impatient_deadline(break_core):
    def impatient(original, timers, kind, row, now_ms, delay_ms):
        original(timers, kind, row, now_ms, delay_ms - 100 if kind == 2 else delay_ms)

    break_core(foca.timers.Timers, "set_row", impatient)
    assert "too soon" in caught("early", only=("kill", "partition"))


def test_down_catches_who_never_renews(break_core):
    break_core(foca.selfhood, "_rejoin_or_die", lambda original, node: 0)
    assert "who is there" in caught("down", range(6), only=("oneway",))


def test_limits_catches_a_node_that_sleeps_too_long(break_core):
    break_core(foca.node.Foca, "tick", lambda original, *args: original(*args) + 60001)
    assert "wants to wait" in caught("limits")


def test_limits_catches_a_clock_that_must_not_wrap(break_core):
    break_core(foca.timers, "ticks_diff", lambda original, one, other: one - other)
    assert "finds no rest" in caught("limits", only=("wrap",))


def test_limits_catches_too_many_transmissions(break_core):
    def eager(original, backlog, row, transmissions):
        original(backlog, row, transmissions + 1 if transmissions else 0)

    break_core(foca.backlog.Backlog, "queue", eager)
    assert "transmissions left" in caught("limits")


def test_recount_catches_a_wrong_number_of_active_members(break_core):
    def forgetful(original, members, row, update, was_active, outcome):
        before = members.active
        outcome = original(members, row, update, was_active, outcome)
        members.active = max(before, members.active)
        return outcome

    break_core(foca.members.Members, "_set", forgetful)
    assert "a recount gives" in caught("recount", only=("kill", "partition"))


def test_recount_catches_a_datagram_that_was_not_counted(break_core):
    def silent(original, node, *args):
        node.counters[26] -= 1
        original(node, *args)

    break_core(foca.outgoing, "_add_sections", silent)
    assert "datagrams" in caught("recount")


def test_recount_catches_a_status_that_was_not_counted(break_core):
    def silent(original, node, status):
        return status if status == 2 else original(node, status)

    break_core(foca.node.Foca, "count", silent)
    assert "counted status 2" in caught("recount", only=("truncate",))


def test_recount_catches_a_member_that_is_up_without_an_event(break_core):
    def silent(original, *args):
        outcome = original(*args)
        return outcome & ~4 if outcome & 8 else outcome  # a new identity, and active again

    break_core(foca.members.Members, "_set", silent)
    assert "the events tell" in caught("recount", only=("restart",))


def test_limits_catches_answers_without_a_limit(break_core):
    break_core(foca.limits.Limits, "take", lambda original, *args: True)
    assert "within ten seconds" in caught("limits", only=("limited", "loss"))


def test_recount_sees_each_kind_of_disorder():
    play = Play(Scenario(1, only=("kill",)))
    play.run()
    node = play.world.nodes[0].foca
    assert recount(node) == ""
    members = node.members

    def spoilt(column, index, value):
        before = column[index]
        column[index] = value
        problem = recount(node)
        column[index] = before
        assert recount(node) == ""
        return problem

    row = members.order[0]
    assert "row 3 in the order" in spoilt(members.order, 0, 3)
    assert "twice" in spoilt(members.order, 0, members.order[1])
    assert "not found" in spoilt(members.ids, row * 14 + 3, 77)
    assert "state 3" in spoilt(members.states, row, 3)
    assert "recount gives" in spoilt(members.states, row, 2 - members.states[row])
    assert "deadline" in spoilt(members.suspects, row, 5)
    assert spoilt(members.forgets, row, 5)
    assert "top" in spoilt(members.left, row, 250)
    assert "connected without" in spoilt(node.timers.at, 1, 0)


def test_dead_catches_who_never_declares_anybody_down(break_core):
    break_core(foca.probing, "_set_deadline", lambda original, *args: None)
    assert "after its death" in caught("dead", only=("kill",))


def test_views_catches_a_cluster_that_does_not_heal(break_core):
    break_core(foca.receive, "_answer_announce", lambda original, *args: 0)
    break_core(foca.probing, "periodic_announce_down", lambda original, node: 0)
    break_core(foca.join.Join, "step", lambda original, join, now_ms: 60000)
    caught("views", only=("latency",))


def test_quiet_catches_gossip_without_a_reason(break_core):
    break_core(foca.backlog.Backlog, "is_empty", lambda original, backlog: False)
    break_core(foca.backlog.Backlog, "fill", lambda original, backlog, cursor: 0)
    assert "would do" in caught("quiet", only=("wrap",))


def test_overflow_catches_the_dead_in_crowded_tables(break_core):
    break_core(foca.probing, "_set_deadline", lambda original, *args: None)
    assert "active" in caught("overflow", only=("overflow", "kill"))


def test_custom_catches_an_item_that_is_told_for_ever(break_core):
    def tireless(original, items, cursor):
        before = bytes(items._left)
        count = items.count
        original(items, cursor)
        if items.count == count:
            items._left[:] = before

    break_core(foca.items.Items, "fill", tireless)
    assert "times" in caught("custom", only=("custom",))


def test_custom_catches_what_is_delivered_twice(break_core):
    break_core(foca.broadcast.VersionedHandler, "_wins", lambda original, *args: True)
    assert "twice" in caught("custom", only=("custom", "duplicate"))


def test_custom_catches_what_is_not_delivered(break_core):
    def deaf(original, handler, buf, start, end, sender):
        return original(handler, buf, start, end, sender) if sender < 0 else 0

    break_core(foca.broadcast.VersionedHandler, "receive_item", deaf)
    assert "does not know it" in caught("custom", only=("custom",))


def test_custom_catches_bytes_that_are_not_those_published(break_core):
    def offset(original, items, buf, start, end, transmissions):
        kept = original(items, buf, start, end, transmissions)
        items.store[items._used() - 1] ^= 1 if end - start > 30 else 0
        return kept

    break_core(foca.items.Items, "add", offset)
    assert "not what was published" in caught("custom", only=("custom",))


def test_recount_catches_news_that_is_not_passed_on(break_core):
    break_core(foca.items.Items, "add", lambda original, *args: True)
    assert "items are gone" in caught("recount", only=("custom",))


def test_recount_catches_an_eviction_that_was_not_counted(break_core):
    break_core(foca.items.Items, "_evict", lambda original, items: items._remove(0))
    assert "items are gone" in caught("recount", only=("custom",))


def test_recount_sees_each_kind_of_disorder_among_items():
    play = Play(Scenario(1, 6, only=("custom",)))
    play.config.items_max = 16
    world = play.world
    world.run(5 * SECOND)
    node, other = world.nodes[:2]
    play.checks.customs.publish(other)
    while not node.foca.items.count:
        world.run(world.now_us + 1000)
    play.checks.customs.publish(node)
    items = node.foca.items
    assert recount_items(node.foca) == ""

    def spoilt(column, index, value):
        before = column[index]
        column[index] = value
        problem = recount_items(node.foca)
        column[index] = before
        assert recount_items(node.foca) == ""
        return problem

    assert "starts at" in spoilt(items._starts, 1, 3)
    assert "transmissions" in spoilt(items._left, 0, 0)
    assert "transmissions" in spoilt(items._left, 1, 99)
    assert "contains 0" in spoilt(items.store, items.store.find(b"\xf0\x9f"), 0)
    assert "evicted" in spoilt(node.foca.counters, 24, 5)
    items.evicted, before = items.evicted + 1, items.evicted
    assert "evicted" in recount_items(node.foca)
    items.evicted = before


def test_crash_catches_an_exception(break_core):
    def stumble(original, node):
        raise IndexError("bytearray index out of range")

    break_core(foca.probing, "_suspect", stumble)
    assert "IndexError" in caught("crash")


def test_bounds_grow_with_the_cluster_and_with_loss():
    config = Scenario(1, 8).config()
    small, large, lossy = Bounds(config, 4, 0), Bounds(config, 64, 0), Bounds(config, 4, 300)
    assert small.dead_ms < large.dead_ms and small.refute_ms < lossy.refute_ms
    assert small.dead_ms > 2 * 2 * 4 * 1000 + config.suspect_to_down_after_ms
    assert attempts(0) == 1 and 10 < attempts(300) < 30


def test_every_kind_of_trouble_is_drawn_and_changes_the_run():
    plain = Play(Scenario(7, only=("wrap",), seconds=15)).run()
    assert not plain.check
    drawn = set()
    for seed in range(60):
        drawn.update(Scenario(seed).kinds)
    assert drawn == set(KINDS)
    for kind in KINDS:
        outcome = Play(Scenario(7, only=("wrap", kind), seconds=15)).run()
        assert not outcome.check, (kind, outcome.problem)
        if kind not in ("wrap", "late", "slow", "forget", "small", "limited"):  # may not matter
            assert outcome.digest != plain.digest, kind


def test_a_run_ends_when_its_cluster_is_quiet():
    outcome = Play(Scenario(7, only=("kill",), seconds=15)).run()
    assert 15 * SECOND < outcome.end_us < 90 * SECOND
    assert outcome.views_us >= 0
