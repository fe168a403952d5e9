"""foca.picker: k different members at random, and every active one once a round."""

from foca.members import FIRST
from foca.picker import Picker
from foca.wire import ALIVE, DOWN, SUSPECT
from support.table import Table

MORE_THAN_ANY = 300


class Wants:
    """A broadcast handler that wants some rows only."""

    def __init__(self, rows):
        self.rows = rows

    def should_add_broadcast_data(self, row):
        return row in self.rows


def bench(members_max, alive, down=0, seed=1):
    """A table with the addresses 1 ..

    alive Alive or Suspect, the following Down; and its picker.
    """
    table = Table(members_max, seed)
    for address in range(1, alive + 1):
        table.apply(address, 0, SUSPECT if address % 3 == 0 else ALIVE)
    for address in range(alive + 1, alive + down + 1):
        table.apply(address, 0, DOWN)
    return table, Picker(table.members)


def chosen(table, picker, want, down=0, exclude=0, handler=None):
    """The addresses of one choice, checked for being different."""
    count = picker.choose(want, down, exclude, handler)
    addresses = [table.address(picker.rows[i]) for i in range(count)]
    assert count <= want
    assert len(set(addresses)) == count, "twice in %r" % addresses
    assert all([picker.rows[i] >= FIRST for i in range(count)])
    return addresses


def test_nobody_is_chosen_from_an_empty_table():
    """foca: choose_active_members_behaviour."""
    table, picker = bench(5, 0)
    for want in (0, 1, 3, MORE_THAN_ANY):
        assert picker.choose(want, 0, 0, None) == 0
        assert picker.choose(want, 1, 0, None) == 0


def test_wanting_none_chooses_none():
    table, picker = bench(40, 40)
    assert picker.choose(0, 0, 0, None) == 0
    table, picker = bench(40, 2)
    assert picker.choose(0, 0, 0, None) == 0


def test_only_active_members_are_chosen_or_only_down_ones():
    """foca: choose_active_members_behaviour."""
    for alive, down in ((3, 4), (40, 5), (5, 40), (60, 60)):
        table, picker = bench(120, alive, down)
        for want in (1, 2, 3, 7, 8, 20, 70, MORE_THAN_ANY):
            addresses = chosen(table, picker, want)
            assert len(addresses) == min(want, alive)
            assert all([address <= alive for address in addresses])
            addresses = chosen(table, picker, want, 1)
            assert len(addresses) == min(want, down)
            assert all([address > alive for address in addresses])


def test_the_excluded_member_is_never_chosen():
    for alive in (1, 2, 5, 50):
        table, picker = bench(50, alive)
        row = table.find(1)
        for _ in range(60):
            addresses = chosen(table, picker, 3, 0, row)
            assert 1 not in addresses
            assert len(addresses) == min(3, alive - 1)


def test_a_handler_has_the_say():
    table, picker = bench(60, 50)
    wanted = [table.find(address) for address in (4, 9, 17, 33, 50)]
    for want in (1, 3, 5, 7, 20):
        addresses = chosen(table, picker, want, 0, 0, Wants(wanted))
        assert len(addresses) == min(want, 5)
        assert all([address in (4, 9, 17, 33, 50) for address in addresses])
    assert chosen(table, picker, 3, 0, 0, Wants([])) == []
    assert 4 not in chosen(table, picker, 5, 0, table.find(4), Wants(wanted))


def check_uniform(alive, down, want, exclude, draws):
    """Every member that may be chosen is, equally often.

    The seed is fixed, so this never wavers.
    """
    table, picker = bench(alive + down, alive, down, seed=7)
    row = table.find(1) if exclude else 0
    counts = {}
    for _ in range(draws):
        for address in chosen(table, picker, want, 0, row):
            counts[address] = counts.get(address, 0) + 1
    eligible = alive - 1 if exclude else alive
    assert len(counts) == eligible
    expected = draws * want // eligible
    for address in counts:
        assert abs(counts[address] - expected) * 4 < expected, counts


def test_choosing_few_of_many_is_uniform():
    check_uniform(30, 0, 3, False, 2000)
    check_uniform(30, 15, 3, True, 2000)


def test_choosing_many_of_more_is_uniform():
    """As for a Feed: these come from one random place of the order on, past its end too."""
    check_uniform(60, 0, 17, False, 1500)
    check_uniform(60, 20, 16, True, 2000)


def test_choosing_among_few_is_uniform():
    check_uniform(5, 2, 3, False, 600)
    check_uniform(6, 0, 3, True, 600)
    check_uniform(12, 0, 9, False, 600)


def test_the_order_of_a_choice_is_random_too():
    """A caller that stops early favours nobody."""
    table, picker = bench(30, 30, seed=3)
    first = {}
    for _ in range(1500):
        address = chosen(table, picker, 3)[0]
        first[address] = first.get(address, 0) + 1
    assert len(first) == 30
    assert 25 < min(first.values()) and max(first.values()) < 80


def test_a_needle_in_a_haystack_is_found():
    """Few active ones among many Down ones.

    Giving up guessing costs one pass, and misses nobody.
    """
    table, picker = bench(200, 4, 196)
    for _ in range(20):
        assert len(chosen(table, picker, 1)) == 1
    assert sorted(chosen(table, picker, 7)) == [1, 2, 3, 4]


def test_a_table_of_more_than_255_rows_is_chosen_from_whole():
    table, picker = bench(300, 300)
    assert sorted(chosen(table, picker, 300)) == list(range(1, 301))
    assert sorted(one_round(table, picker, 300)) == list(range(1, 301))


# round robin


def one_round(table, picker, count):
    return [table.address(picker.next()) for _ in range(count)]


def test_next_yields_none_with_no_active_members():
    """foca: next_yields_none_with_no_active_members."""
    table, picker = bench(5, 0)
    assert picker.next() == 0
    table.apply(1, 0, DOWN)
    assert picker.next() == 0
    assert picker.next() == 0
    table.apply(2)
    for _ in range(5):
        assert table.address(picker.next()) == 2


def test_each_active_member_comes_once_a_round():
    """foca: next_walks_sequentially_then_shuffles."""
    for alive in (1, 2, 7, 60):
        table, picker = bench(60, alive)
        for _ in range(12):
            assert sorted(one_round(table, picker, alive)) == list(range(1, alive + 1))
        table.check()


def test_with_down_members_nobody_waits_for_more_than_two_rounds():
    """Down ones at the end of the order let a round close with a member that had its turn.

    So does the reference.
    """
    for alive, down in ((1, 5), (7, 5), (20, 40)):
        table, picker = bench(60, alive, down)
        last = {}
        for turn, address in enumerate(one_round(table, picker, 30 * alive)):
            assert address <= alive
            assert turn - last.get(address, -1) <= 2 * alive
            last[address] = turn
        assert len(last) == alive
        assert min(last.values()) >= 28 * alive
        table.check()


def test_each_round_has_a_new_order():
    table, picker = bench(8, 8)
    rounds = [tuple(one_round(table, picker, 8)) for _ in range(20)]
    assert len(set(rounds)) == 20


def test_every_place_in_a_round_is_equally_likely():
    table, picker = bench(5, 5)
    counts = [0] * 25
    for _ in range(1000):
        for place, address in enumerate(one_round(table, picker, 5)):
            counts[place * 5 + address - 1] += 1
    assert 150 < min(counts) and max(counts) < 250, counts


def test_a_member_that_joins_during_a_round_is_probed_within_two():
    for seed in range(30):
        table, picker = bench(9, 8, 0, seed)
        one_round(table, picker, 4)
        table.apply(9)
        assert 9 in one_round(table, picker, 5 + 9)


def test_a_member_that_leaves_during_a_round_disturbs_no_later_one():
    for seed in range(30):
        table, picker = bench(8, 8, 0, seed)
        one_round(table, picker, 3)
        table.apply(5, 0, DOWN)
        table.members.remove(table.find(5))
        rest = one_round(table, picker, 20)
        assert 5 not in rest
        assert set(rest) == {1, 2, 3, 4, 6, 7, 8}
        table.check()


def test_a_newcomer_does_not_keep_a_finished_round_alive():
    """Found before the cursor means that the round is over, even if somebody joins meanwhile.

    Source: docs/WIRE.md, "Members": the cursor goes to infinity, not to the current length.
    """
    for seed in range(20):
        table, picker = bench(12, 3, 0, seed)
        last = table.members.order[2]
        members = table.members
        picker.next()
        picker.next()
        members.states[last] = DOWN  # what remains lies before the cursor
        members.active -= 1
        row = picker.next()
        assert row == members.order[0] or row == members.order[1]
        for address in range(4, 12):
            table.apply(address)
        active = members.active
        assert len(set(one_round(table, picker, active))) == active, "the round started anew"
