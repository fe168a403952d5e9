"""foca.members: precedence, conflicts, the full table, a structure that survives everything."""

from foca._port import ticks_add
from foca.identity import Layout, ipv4, own
from foca.members import (
    CHANGED,
    FIRST,
    GONE,
    IS_ACTIVE,
    LOST,
    OLD,
    REFUSED,
    REPLACED,
    SRC,
    SUCCESS,
    UPDATE,
    Members,
)
from foca.rng import Rng
from foca.wire import ALIVE, DOWN, SUSPECT
from support.table import Table, check

NEW_ACTIVE = IS_ACTIVE | SUCCESS | CHANGED


def transitions(state, incarnation, allowed):
    """Apply every state with the incarnations around `incarnation`; exactly `allowed` may pass."""
    for update in (ALIVE, SUSPECT, DOWN):
        for other in (incarnation - 1, incarnation, incarnation + 1):
            table = Table()
            table.apply(1, 0, state, incarnation)
            outcome = table.apply(1, 0, update, other)
            passes = (update, other - incarnation) in allowed
            note = "%d/%d -> %d/%d" % (state, incarnation, update, other)
            assert bool(outcome & SUCCESS) == passes, note
            now = (update, other) if passes else (state, incarnation)
            assert table.known() == {1: (0, now[0], now[1])}, note
            assert bool(outcome & IS_ACTIVE) == (now[0] != DOWN), note
            assert bool(outcome & CHANGED) == ((state == DOWN) != (now[0] == DOWN)), note
            table.check()


def test_alive_transitions():
    """foca: alive_transitions. Suspect beats an Alive of its own incarnation."""
    transitions(
        ALIVE, 5, {(ALIVE, 1), (SUSPECT, 0), (SUSPECT, 1), (DOWN, -1), (DOWN, 0), (DOWN, 1)}
    )


def test_suspect_transitions():
    """foca: suspect_transitions. Only a higher incarnation refutes."""
    transitions(SUSPECT, 5, {(ALIVE, 1), (SUSPECT, 1), (DOWN, -1), (DOWN, 0), (DOWN, 1)})


def test_down_never_transitions():
    """foca: down_never_transitions."""
    transitions(DOWN, 5, set())


def test_the_last_incarnation_is_compared_as_a_number():
    table = Table()
    table.apply(1, 0, ALIVE, 65534)
    assert table.apply(1, 0, ALIVE, 65535) & SUCCESS
    assert not table.apply(1, 0, ALIVE, 0) & SUCCESS


def test_apply_summary_behaviour():
    """foca: apply_summary_behaviour."""
    table = Table()
    assert table.apply(1, 0, SUSPECT, 1) == NEW_ACTIVE
    assert table.apply(1, 0, ALIVE, 1) == IS_ACTIVE
    assert table.apply(1, 0, ALIVE, 2) == IS_ACTIVE | SUCCESS
    assert table.apply(1, 0, DOWN, 0) == SUCCESS | CHANGED
    assert table.apply(1, 0, DOWN, 0) == 0
    assert table.apply(2, 0, DOWN, 0) == SUCCESS, "first heard of as Down: nobody left"
    assert table.known() == {1: (0, DOWN, 0), 2: (0, DOWN, 0)}


def test_the_row_that_was_meant_is_left_in_row():
    table = Table()
    for state in (ALIVE, SUSPECT):
        for address in (1, 2):
            assert table.apply(address, 0, state) & SUCCESS
            row = table.members.row
            assert row == table.find(address)
            assert row >= FIRST


# one address, several identities


def test_a_newer_identity_replaces_whatever_is_known():
    """foca: sets_replaced_id_on_addr_conflict, handles_member_addr_conflict."""
    for known in (ALIVE, SUSPECT, DOWN):
        for update in (ALIVE, SUSPECT, DOWN):
            table = Table()
            table.apply(1, 4, known, 9)
            outcome = table.apply(1, 5, update, 2)
            assert outcome & SUCCESS and outcome & REPLACED
            assert table.known() == {1: (5, update, 2)}
            assert table.bump(OLD) == 4 and table.address(OLD) == 1
            assert bool(outcome & CHANGED) == ((known == DOWN) != (update == DOWN))
            assert table.members.count == 1
            table.check()


def test_an_older_identity_changes_nothing_in_any_state():
    for known in (ALIVE, SUSPECT, DOWN):
        for update in (ALIVE, SUSPECT, DOWN):
            table = Table()
            table.apply(1, 5, known, 2)
            outcome = table.apply(1, 4, update, 9)
            assert outcome == LOST | (IS_ACTIVE if known != DOWN else 0)
            assert table.known() == {1: (5, known, 2)}
            table.check()


class NobodyWins(Layout):
    def __init__(self):
        Layout.__init__(self, 2, False, 16, -1)

    def wins(self, ids, at, other_at):
        return False


def test_where_neither_identity_wins_the_update_replaces_the_known_one():
    table = Table(layout=NobodyWins())
    table.apply(1, 5)
    assert table.apply(1, 4) & REPLACED
    assert table.known() == {1: (4, ALIVE, 0)}


def test_a_replaced_identity_takes_its_marks_and_deadline_along():
    table = Table()
    table.apply(1, 1, SUSPECT)
    row = table.find(1)
    members = table.members
    members.marks[row] = 1
    members.suspects[row] = 77
    table.apply(1, 2, SUSPECT)
    assert table.find(1) == row
    assert (members.marks[row], members.suspects[row]) == (0, 0)


def test_a_member_that_comes_back_is_not_forgotten_any_more():
    table = Table()
    table.apply(1, 1, DOWN)
    row = table.find(1)
    table.members.forgets[row] = 77
    table.apply(1, 2, DOWN)
    assert table.members.forgets[row] == 77
    table.apply(1, 3, ALIVE)
    assert table.members.forgets[row] == 0


# comparing records


def test_records_are_compared_whole_or_by_address():
    for layout in (ipv4(0), ipv4(64), own(1, False, 0), own(3, False, 16), own(5, False, 0)):
        members = Members(layout, 4, Rng(1))
        width = layout.record_bytes
        for row in (SRC, GONE):
            members.ids[row * width : (row + 1) * width] = bytes(range(1, width + 1))
        assert members.same_identity(SRC, GONE)
        assert members.same_address(SRC, GONE)
        for i in range(width):
            members.ids[SRC * width + i] ^= 128
            assert not members.same_identity(SRC, GONE), i
            assert members.same_address(SRC, GONE) == (i >= layout.address_bytes), i
            members.ids[SRC * width + i] ^= 128
        for neighbour in (SRC - 1, SRC + 1, GONE - 1, GONE + 1):
            members.ids[neighbour * width : (neighbour + 1) * width] = b"\xff" * width
        assert members.same_identity(SRC, GONE)


def test_any_part_of_two_records_can_be_compared():
    table = Table()
    members = table.members
    width = members.width
    for row in (SRC, GONE):
        members.ids[row * width : (row + 1) * width] = b"\x01\x02\x03\x04"
    for different in range(width):
        members.ids[GONE * width + different] ^= 255
        for first in range(width + 1):
            for end in range(first, width + 1):
                expected = not first <= different < end
                assert members.same(SRC, GONE, first, end) == expected, (different, first, end)
        members.ids[GONE * width + different] ^= 255


def test_copying_a_record_copies_the_identity_only():
    table = Table()
    members = table.members
    table.put(SRC, 0x0102, 0x0304, SUSPECT, 9)
    table.put(GONE, 0xFFFF, 0xFFFF, DOWN, 7)
    members.copy(SRC, GONE)
    assert (table.address(GONE), table.bump(GONE)) == (0x0102, 0x0304)
    assert (members.states[GONE], members.incarnations[GONE]) == (DOWN, 7)


def test_finding_asks_for_the_address_or_the_whole_identity():
    table = Table()
    table.apply(1, 5)
    members = table.members
    row = members.find(table.put(SRC, 1, 5))
    assert row >= FIRST
    assert members.find_identity(SRC) == row
    assert members.find(table.put(SRC, 1, 6)) == row
    assert members.find_identity(SRC) == 0
    assert members.find(table.put(SRC, 2, 5)) == 0
    assert members.find_identity(SRC) == 0


def test_scratch_rows_are_never_found():
    table = Table()
    for row in range(FIRST):
        table.put(row, 100 + row)
    for row in range(FIRST):
        assert table.members.find(row) == 0


# removing


def test_remove_makes_room_and_forgets_all():
    """foca: remove_if_down_works."""
    table = Table(members_max=2)
    table.apply(1)
    table.apply(2, 0, DOWN)
    row = table.find(2)
    members = table.members
    members.left[row] = 3
    members.marks[row] = 1
    members.forgets[row] = 9
    members.suspects[row] = 9
    members.remove(row)
    assert table.known() == {1: (0, ALIVE, 0)}
    table.check()
    assert table.apply(3) == NEW_ACTIVE
    row = table.find(3)
    assert (members.left[row], members.marks[row], members.forgets[row]) == (0, 0, 0)
    table.check()


def test_members_sharing_a_chain_are_removed_in_any_order():
    for order in ((1, 2, 3), (3, 2, 1), (2, 3, 1), (2, 1, 3)):
        table = Table(members_max=8)
        addresses = chain_of_three(table)
        for address in addresses:
            table.apply(address, 0, DOWN)
        for index in order:
            table.members.remove(table.find(addresses[index - 1]))
            table.check()
        assert table.known() == {}


def chain_of_three(table):
    """Three addresses that hang on one bucket."""
    chains = {}
    for address in range(1000):
        bucket = table.members._bucket(table.put(UPDATE, address))
        chains[bucket] = chains.get(bucket, ()) + (address,)
        if len(chains[bucket]) == 3:
            return chains[bucket]
    raise AssertionError("no bucket is hit three times by a thousand addresses")


def test_the_structure_survives_many_joins_and_removals():
    rng = Rng(11)
    for layout in (own(2, False, 16), own(4, False, 0)):
        table = Table(members_max=30, layout=layout)
        expected = {}
        for _ in range(1500):
            address = rng.below(50)
            row = table.find(address)
            if row and rng.below(3) == 0:
                table.apply(address, 0, DOWN)
                table.members.remove(row)
                expected.pop(address)
            elif row or len(expected) < 30:
                table.apply(address)
                expected[address] = (0, ALIVE, 0)
        assert table.known() == expected
        table.check()


def test_a_table_of_more_than_255_rows_works_the_same():
    table = Table(members_max=300)
    for address in range(300):
        assert table.apply(address * 7) == NEW_ACTIVE
    assert len(table.known()) == 300
    table.check()
    assert table.apply(9999) & REFUSED
    for address in range(0, 300, 2):
        table.apply(address * 7, 0, DOWN)
        table.members.remove(table.find(address * 7))
    assert sorted(table.known()) == [address * 7 for address in range(1, 300, 2)]
    table.check()


def test_a_table_for_one_member_works():
    table = Table(members_max=1)
    for address in (1, 2, 3):
        assert table.apply(address) == NEW_ACTIVE
        assert table.apply(address + 1) == REFUSED
        assert table.apply(address, 0, DOWN) & SUCCESS
        table.check()
    assert table.members.evicted == 2


def test_newcomers_take_a_random_place_in_the_order():
    """Each newcomer is swapped with a random member.

    No address keeps its place over many tables.
    """
    first = [0] * 5
    for seed in range(400):
        table = Table(members_max=5, seed=seed)
        table.add(5)
        first[table.address(table.members.order[0]) - 1] += 1
    assert sum(first) == 400
    assert 50 < min(first) and max(first) < 110, first


# the full table


def full_of_down():
    """A table whose three members are Down, with nothing left to tell."""
    table = Table(members_max=3)
    table.add(3, DOWN)
    assert table.members.count == 3
    return table


def test_a_full_table_of_active_members_refuses_and_changes_nothing():
    table = Table(members_max=3)
    table.add(3, SUSPECT)
    before = table.known()
    assert table.apply(4) == REFUSED
    assert table.members.row == 0
    assert table.apply(4, 0, DOWN) == REFUSED
    assert table.known() == before
    assert table.members.evicted == 0
    table.check()


def test_known_members_are_still_updated_in_a_full_table():
    table = Table(members_max=2)
    table.add(2)
    assert table.apply(1, 0, SUSPECT) & SUCCESS
    assert table.apply(2, 1, ALIVE) & REPLACED
    table.check()


def test_a_down_member_with_nothing_left_to_tell_makes_room():
    table = full_of_down()
    assert table.apply(4) == NEW_ACTIVE
    assert table.members.evicted == 1
    assert len(table.known()) == 3
    table.check()


def test_the_member_to_be_forgotten_first_goes_first():
    for now in (1000, (1 << 30) - 2000):
        table = full_of_down()
        for address, delay in ((1, 3000), (2, 1000), (3, 5000)):
            table.members.forgets[table.find(address)] = ticks_add(now, delay) or 1
        for newcomer, gone in ((4, 2), (5, 1), (6, 3)):
            table.apply(newcomer)
            assert table.find(gone) == 0, "%d should have made room" % gone
            table.check()
        assert table.apply(7) == REFUSED


def test_members_that_are_never_forgotten_go_last():
    table = full_of_down()
    table.members.forgets[table.find(3)] = 1
    table.apply(4)
    assert table.find(3) == 0
    table.apply(5)
    table.apply(6)
    assert sorted(table.known()) == [4, 5, 6]
    assert table.members.evicted == 3


def test_a_member_with_an_update_left_to_tell_stays():
    table = full_of_down()
    for address in (1, 2, 3):
        table.members.left[table.find(address)] = 1
    assert table.apply(4) == REFUSED
    table.members.left[table.find(2)] = 0
    assert table.apply(4) == NEW_ACTIVE
    assert sorted(table.known()) == [1, 3, 4]
    table.check()


def test_a_fresh_table_is_sound_and_empty():
    for members_max in (1, 8, 9, 246, 247, 300):
        members = Members(ipv4(), members_max, Rng(0))
        check(members)
        assert (members.count, members.active, members.row) == (0, 0, 0)
        assert members.find(UPDATE) == 0
