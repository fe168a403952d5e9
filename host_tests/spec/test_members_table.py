"""The member table: which update changes what, who is probed next, who is chosen.

Foca's member.rs, test by test.
"""

from foca.members import CHANGED, IS_ACTIVE, LOST, OLD, REPLACED, SUCCESS, UPDATE
from foca.picker import Picker
from foca.wire import ACK, ALIVE, DOWN, SUSPECT
from support.scenario import Scene, who
from support.table import Table


def outcome_of(known, update):
    """Apply `update` (state, incarnation) to a member that is `known`; returns whether it was
    taken.
    """
    table = Table()
    table.apply(5, 1, known[0], known[1])
    flags = table.apply(5, 1, update[0], update[1])
    table.check()
    assert table.known() == {5: (1,) + (update if flags & SUCCESS else known)}
    assert bool(flags & IS_ACTIVE) == (table.known()[5][1] != DOWN)
    return bool(flags & SUCCESS)


def test_what_changes_an_alive_member():
    """foca: alive_transitions."""
    for incarnation in (0, 1, 2, 65535):
        assert outcome_of((ALIVE, 1), (ALIVE, incarnation)) == (incarnation > 1)
        assert outcome_of((ALIVE, 1), (SUSPECT, incarnation)) == (incarnation >= 1)
        assert outcome_of((ALIVE, 1), (DOWN, incarnation))


def test_what_changes_a_suspect():
    """foca: suspect_transitions."""
    for incarnation in (0, 1, 2, 65535):
        assert outcome_of((SUSPECT, 1), (ALIVE, incarnation)) == (incarnation > 1)
        assert outcome_of((SUSPECT, 1), (SUSPECT, incarnation)) == (incarnation > 1)
        assert outcome_of((SUSPECT, 1), (DOWN, incarnation))


def test_nothing_changes_a_down_member():
    """foca: down_never_transitions."""
    for incarnation in (0, 1, 2, 65535):
        for state in (ALIVE, SUSPECT, DOWN):
            assert not outcome_of((DOWN, 1), (state, incarnation))


def test_probes_walk_through_everybody_and_then_in_a_new_order():
    """foca: next_walks_sequentially_then_shuffles."""
    table = Table(members_max=12)
    table.add(10)
    picker = Picker(table.members)
    rounds = [[picker.next() for _ in range(10)] for _ in range(6)]
    for each in rounds:
        assert sorted(each) == sorted(rounds[0]), "everybody once a round"
    assert len({tuple(each) for each in rounds}) > 3, "rounds differ"


def test_a_condition_decides_what_a_late_timer_does():
    """foca: apply_existing_if_behaviour, where only ChangeSuspectToDown is conditional: on the
    incarnation.
    """
    for strict in (False, True):
        for refuted in (False, True):
            node = Scene(1, strict=strict)
            node.applies([(who(2), 0, ALIVE), (who(3), 0, ALIVE)])
            target, _ = node.probes()
            node.passes(1500)
            assert node.knows(target) == (0, SUSPECT)
            if refuted:
                node.lives[target] = 1
                node.hears(target, ACK, node.foca.probe.number, incarnation=1)
            node.passes(3000)
            assert node.knows(target) == ((1, ALIVE) if refuted else (0, DOWN))


def test_what_an_update_reports():
    """foca: apply_summary_behaviour."""
    table = Table()
    assert table.apply(1, 0, SUSPECT, 5) == SUCCESS | CHANGED | IS_ACTIVE
    assert table.apply(1, 0, ALIVE, 5) == IS_ACTIVE
    assert table.apply(1, 0, ALIVE, 6) == SUCCESS | IS_ACTIVE
    assert table.apply(1, 0, DOWN, 0) == SUCCESS | CHANGED
    assert table.apply(1, 0, DOWN, 9) == 0
    assert table.apply(2, 0, DOWN, 0) == SUCCESS
    assert table.members.active == 0 and table.members.count == 2
    assert table.known()[1] == (0, DOWN, 0), "a Down may lower the incarnation"


def test_only_a_down_member_is_forgotten():
    """foca: remove_if_down_works.

    Here the deadline lies at the row, so it cannot name somebody else.
    """
    for strict in (False, True):
        node = Scene(1, strict=strict, remove_down_after_ms=1000)
        node.applies([(who(2), 0, DOWN), (who(3), 0, DOWN)])
        node.applies([(who(3, 1), 0, ALIVE)])
        node.passes(1000)
        assert node.everybody() == {who(3, 1): (0, ALIVE)}


def test_nobody_is_next_when_nobody_is_active():
    """foca: next_yields_none_with_no_active_members.

    The only active one is returned again and again.
    """
    table = Table()
    picker = Picker(table.members)
    assert picker.next() == 0
    table.add(4, DOWN)
    assert [picker.next() for _ in range(5)] == [0] * 5
    table.apply(9)
    assert [picker.next() for _ in range(5)] == [table.find(9)] * 5


class Wants:
    """The part of a handler that is asked while choosing."""

    def __init__(self, rows):
        self.rows = rows

    def should_add_broadcast_data(self, row):
        return row in self.rows


def test_who_is_chosen():
    """foca: choose_active_members_behaviour.

    Only active ones, or only Down ones; a limit; a wish.
    """
    table = Table(members_max=16)
    active = table.add(5)
    table.apply(6, 0, SUSPECT)
    active.append(table.find(6))
    down = []
    for address in (7, 8, 9):
        table.apply(address, 0, DOWN)
        down.append(table.find(address))
    picker = Picker(table.members)

    def choose(*how):
        return sorted(picker.rows[: picker.choose(*how)])

    assert choose(0, 0, 0, None) == []
    assert choose(99, 0, 0, None) == sorted(active)
    assert choose(99, 1, 0, None) == sorted(down)
    assert choose(99, 0, active[0], None) == sorted(active[1:])
    assert choose(99, 0, 0, Wants(active[1:3] + down)) == sorted(active[1:3])
    seen = set()
    for _ in range(200):
        chosen = choose(2, 0, active[0], None)
        assert len(set(chosen)) == 2 and active[0] not in chosen
        seen.update(chosen)
        assert choose(2, 1, 0, None)[0] in down
    assert seen == set(active[1:])


def test_few_of_many_are_chosen_as_likely_as_one_another():
    """foca: choose_active_members_behaviour, where trying at random is cheaper than one pass."""
    table = Table(members_max=40)
    active = table.add(30)
    table.apply(31, 0, DOWN)
    picker = Picker(table.members)
    times = dict.fromkeys(active, 0)
    for _ in range(1000):
        assert picker.choose(3, 0, active[0], None) == 3
        chosen = [picker.rows[i] for i in range(3)]
        assert len(set(chosen)) == 3
        for row in chosen:
            times[row] += 1
    assert times.pop(active[0]) == 0
    assert min(times.values()) > 60 and max(times.values()) < 150, "about 103 each"


def test_a_newer_identity_replaces_and_an_older_one_loses():
    """foca: sets_replaced_id_on_addr_conflict. Lost describes the known one."""
    table = Table()
    table.apply(1, 5, ALIVE, 3)
    assert table.apply(1, 6, SUSPECT, 0) == SUCCESS | REPLACED | IS_ACTIVE
    assert (table.address(OLD), table.bump(OLD)) == (1, 5)
    assert table.apply(1, 5, ALIVE, 9) == LOST | IS_ACTIVE
    assert table.apply(1, 7, DOWN, 0) == SUCCESS | REPLACED | CHANGED
    assert table.apply(1, 6, ALIVE, 9) == LOST
    assert table.apply(1, 8, ALIVE, 1) == SUCCESS | REPLACED | CHANGED | IS_ACTIVE
    assert table.known() == {1: (8, ALIVE, 1)}
    table.check()


def test_where_neither_identity_wins_the_update_replaces():
    """foca: 2.3. Only a known identity that wins keeps its place."""
    table = Table()
    table.layout.wins = lambda ids, at, other_at: False
    table.apply(1, 5, ALIVE, 3)
    assert table.apply(1, 4, ALIVE, 0) == SUCCESS | REPLACED | IS_ACTIVE
    assert table.known() == {1: (4, ALIVE, 0)}


def test_scratch_rows_are_never_members():
    """The update at hand lies outside index and order."""
    table = Table()
    table.put(UPDATE, 3)
    assert table.members.find(UPDATE) == 0
    assert table.known() == {}
