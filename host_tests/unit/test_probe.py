"""foca.probe: one cycle, its number, and who may answer for whom."""

from foca.members import PROBED, SRC
from foca.probe import Probe
from foca.wire import DOWN
from support.table import Table


def bench(count=4):
    """A table with the addresses 1 .. count, and its probe."""
    table = Table(members_max=8)
    table.add(count)
    return table, Probe(table.members)


def test_nothing_is_probed_at_first():
    table, probe = bench()
    assert not probe.is_running
    assert probe.number == 0
    probe.receive_ack(table.put(SRC, 1), 0)
    probe.receive_forwarded_ack(table.put(SRC, 1), 0)
    assert not probe.acked


def test_starting_remembers_the_member_as_it_is_now():
    table, probe = bench()
    table.apply(2, 5, 0, 7)
    probe.start(table.find(2))
    assert probe.is_running
    assert not probe.asked and not probe.acked
    assert (table.address(PROBED), table.bump(PROBED)) == (2, 5)
    assert table.members.incarnations[PROBED] == 7
    table.apply(2, 6, 0, 9)
    assert table.bump(PROBED) == 5
    assert table.members.incarnations[PROBED] == 7


def test_the_first_probe_is_number_one_and_numbers_wrap():
    table, probe = bench()
    row = table.find(1)
    numbers = []
    for _ in range(257):
        probe.start(row)
        numbers.append(probe.number)
    assert numbers[:3] == [1, 2, 3]
    assert numbers[254:] == [255, 0, 1]


def test_an_ack_counts_from_the_probed_identity_with_the_right_number():
    """foca: probe_ping_ack_cycle, probe_cycle_requires_correct_probe_number."""
    table, probe = bench()
    probe.start(table.find(2))
    for address, bump, number in ((2, 0, 0), (2, 0, 2), (3, 0, 1), (2, 1, 1)):
        probe.receive_ack(table.put(SRC, address, bump), number)
        assert not probe.acked
    probe.receive_ack(table.put(SRC, 2), 1)
    assert probe.acked


def test_an_ack_after_the_end_of_the_cycle_is_ignored():
    table, probe = bench()
    probe.start(table.find(2))
    probe.clear()
    probe.receive_ack(table.put(SRC, 2), 1)
    assert not probe.acked


def test_clearing_keeps_the_number():
    table, probe = bench()
    probe.start(table.find(1))
    probe.asked = True
    probe.clear()
    assert (probe.is_running, probe.asked, probe.acked, probe.number) == (False, False, False, 1)


def test_only_those_who_were_asked_may_answer():
    """foca: probe_valid_indirect_ack_completes_succesfully."""
    table, probe = bench()
    probe.start(table.find(1))
    probe.add_helper(table.find(2))
    probe.receive_forwarded_ack(table.put(SRC, 3), 1)
    assert not probe.acked, "3 was not asked"
    probe.receive_forwarded_ack(table.put(SRC, 9), 1)
    assert not probe.acked, "9 is not known"
    probe.receive_forwarded_ack(table.put(SRC, 2), 2)
    assert not probe.acked, "another probe"
    probe.receive_forwarded_ack(table.put(SRC, 2, 1), 1)
    assert not probe.acked, "another identity at the helper's address"
    probe.receive_forwarded_ack(table.put(SRC, 2), 1)
    assert probe.acked


def test_any_helper_will_do():
    for helper in (2, 3):
        table, probe = bench()
        probe.start(table.find(1))
        probe.add_helper(table.find(2))
        probe.add_helper(table.find(3))
        probe.receive_forwarded_ack(table.put(SRC, helper), 1)
        assert probe.acked


def test_a_helper_counts_only_once():
    table, probe = bench()
    probe.start(table.find(1))
    probe.add_helper(table.find(2))
    probe.receive_forwarded_ack(table.put(SRC, 2), 1)
    probe.acked = False
    probe.receive_forwarded_ack(table.put(SRC, 2), 1)
    assert not probe.acked


def test_a_helper_that_renewed_its_identity_does_not_count():
    table, probe = bench()
    probe.start(table.find(1))
    probe.add_helper(table.find(2))
    table.apply(2, 1)
    probe.receive_forwarded_ack(table.put(SRC, 2, 1), 1)
    probe.receive_forwarded_ack(table.put(SRC, 2, 0), 1)
    assert not probe.acked


def test_the_helpers_of_one_cycle_are_none_of_the_next():
    for helper in (1, 2, 3, 8):
        table, probe = bench(8)
        probe.start(table.find(4))
        probe.add_helper(table.find(helper))
        probe.start(table.find(5))
        probe.receive_forwarded_ack(table.put(SRC, helper), 2)
        assert not probe.acked
        assert sum(table.members.marks) == 0


def test_a_row_that_was_a_helpers_is_no_helper_for_its_next_owner():
    table = Table(members_max=2)
    table.add(2)
    probe = Probe(table.members)
    probe.start(table.find(1))
    probe.add_helper(table.find(2))
    table.apply(2, 0, DOWN)
    table.members.remove(table.find(2))
    table.apply(3)
    probe.receive_forwarded_ack(table.put(SRC, 3), 1)
    assert not probe.acked
