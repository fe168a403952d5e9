"""foca.timers: everything fires in order, once, never early; across the wrap too."""

from foca._port import ticks_add
from foca.members import FIRST
from foca.timers import (
    TIMER_ANNOUNCE,
    TIMER_ANNOUNCE_DOWN,
    TIMER_FEED,
    TIMER_FORGET,
    TIMER_GOSSIP,
    TIMER_INDIRECT_PROBE,
    TIMER_NAMES,
    TIMER_PROBE,
    TIMER_SUSPECT,
    Timers,
)
from support.table import Table

WRAP = 1 << 30
SIX_DAYS = 518400000
SINGLES = (
    TIMER_INDIRECT_PROBE,
    TIMER_PROBE,
    TIMER_ANNOUNCE,
    TIMER_GOSSIP,
    TIMER_ANNOUNCE_DOWN,
    TIMER_FEED,
)
STARTS = (1, 5000, WRAP // 2 - 700, WRAP - 700, WRAP - 1, 0)


def new_timers():
    return Timers(Table(members_max=8).members)


def fired(timers, now):
    """Everything due at `now`: kinds, and (kind, row) for those of a row."""
    kinds = []
    while True:
        kind = timers.due(now)
        if kind < 0:
            return kinds
        kinds.append((kind, timers.row) if kind in (TIMER_SUSPECT, TIMER_FORGET) else kind)


def test_timers_sort():
    """foca: timers_sort. The kinds are numbered in the order in which equal deadlines fire."""
    assert TIMER_INDIRECT_PROBE < TIMER_PROBE < TIMER_SUSPECT < TIMER_ANNOUNCE
    assert TIMER_ANNOUNCE < TIMER_GOSSIP < TIMER_FORGET < TIMER_ANNOUNCE_DOWN
    assert TIMER_NAMES[TIMER_PROBE] == "ProbeRandomMember"
    assert TIMER_NAMES[TIMER_FORGET] == "RemoveDown"
    assert len(TIMER_NAMES) == 8


def test_nothing_is_due_at_first():
    timers = new_timers()
    for now in STARTS:
        assert timers.due(now) == -1
        assert timers.remaining_ms(now) == 60000


def test_a_timer_fires_once_at_its_time_and_not_before():
    for kind in SINGLES:
        for start in STARTS:
            timers = new_timers()
            timers.set(kind, start, 1500)
            assert timers.remaining_ms(start) in (1499, 1500, 1501)
            assert timers.due(ticks_add(start, 1498)) == -1
            assert fired(timers, ticks_add(start, 1501)) == [kind]
            assert fired(timers, ticks_add(start, 9000)) == []
            assert timers.remaining_ms(ticks_add(start, 9000)) == 60000


def test_a_deadline_of_zero_is_kept_as_one():
    """0 means "not set"."""
    timers = new_timers()
    timers.set(TIMER_PROBE, WRAP - 10, 10)
    assert timers.due(WRAP - 1) == -1
    assert timers.due(0) == -1
    assert timers.due(1) == TIMER_PROBE
    timers.set_row(TIMER_SUSPECT, FIRST, WRAP - 10, 10)
    assert timers.due(0) == -1
    assert fired(timers, 1) == [(TIMER_SUSPECT, FIRST)]


def test_a_delay_of_nothing_is_due_at_once():
    timers = new_timers()
    timers.set(TIMER_GOSSIP, 77, 0)
    assert timers.remaining_ms(77) == 0
    assert fired(timers, 77) == [TIMER_GOSSIP]


def test_the_earliest_fires_first():
    for start in STARTS:
        timers = new_timers()
        for delay, kind in ((500, 4), (300, 3), (100, 6), (400, 0), (200, 1)):
            timers.set(kind, start, delay)
        timers.set_row(TIMER_SUSPECT, FIRST + 2, start, 250)
        timers.set_row(TIMER_FORGET, FIRST + 1, start, 450)
        assert fired(timers, ticks_add(start, 2000)) == [
            6,
            1,
            (TIMER_SUSPECT, FIRST + 2),
            3,
            0,
            (TIMER_FORGET, FIRST + 1),
            4,
        ]


def test_equal_deadlines_fire_in_the_references_order():
    for start in STARTS:
        timers = new_timers()
        for kind in (7, 6, 4, 3, 1, 0):
            timers.set(kind, start, 1000)
        for row in (FIRST + 3, FIRST):
            timers.set_row(TIMER_FORGET, row, start, 1000)
            timers.set_row(TIMER_SUSPECT, row, start, 1000)
        assert fired(timers, ticks_add(start, 1001)) == [
            0,
            1,
            (TIMER_SUSPECT, FIRST),
            (TIMER_SUSPECT, FIRST + 3),
            3,
            4,
            (TIMER_FORGET, FIRST),
            (TIMER_FORGET, FIRST + 3),
            6,
            7,
        ]


def test_setting_again_moves_a_timer():
    for first, second in ((500, 900), (900, 500)):
        timers = new_timers()
        timers.set(TIMER_PROBE, 10, first)
        timers.set(TIMER_PROBE, 10, second)
        assert timers.due(10 + second - 1) == -1
        assert fired(timers, 10 + second) == [TIMER_PROBE]
        assert fired(timers, 5000) == []


def test_every_row_has_its_own_deadline():
    for kind in (TIMER_SUSPECT, TIMER_FORGET):
        timers = new_timers()
        for row, delay in ((FIRST, 300), (FIRST + 7, 100), (FIRST + 3, 200), (FIRST + 1, 100)):
            timers.set_row(kind, row, 50, delay)
        assert fired(timers, 149) == []
        assert fired(timers, 150) == [(kind, FIRST + 1), (kind, FIRST + 7)]
        assert timers.remaining_ms(150) == 100
        assert fired(timers, 250) == [(kind, FIRST + 3)]
        assert fired(timers, 349) == []
        assert fired(timers, 350) == [(kind, FIRST)]
        assert fired(timers, 99999) == []


def test_a_row_whose_deadline_was_cleared_does_not_fire():
    """The table clears the column by itself; what was noted is only a lower bound."""
    timers = new_timers()
    timers.set_row(TIMER_SUSPECT, FIRST, 10, 100)
    timers.set_row(TIMER_SUSPECT, FIRST + 1, 10, 300)
    timers.set(TIMER_PROBE, 10, 200)
    timers.members.suspects[FIRST] = 0
    assert timers.remaining_ms(10) == 100, "early is allowed"
    assert fired(timers, 110) == []
    assert timers.remaining_ms(110) == 100, "and corrected by the first look"
    assert fired(timers, 310) == [TIMER_PROBE, (TIMER_SUSPECT, FIRST + 1)]


def test_a_column_that_was_emptied_is_forgotten():
    timers = new_timers()
    timers.set_row(TIMER_FORGET, FIRST, 10, 100)
    timers.members.forgets[FIRST] = 0
    assert fired(timers, 110) == []
    assert timers.remaining_ms(110) == 60000
    timers.set_row(TIMER_FORGET, FIRST, 110, 1000)
    assert timers.remaining_ms(110) == 1000
    assert fired(timers, 1110) == [(TIMER_FORGET, FIRST)]


def test_a_row_that_waits_longer_hides_behind_the_lower_bound():
    timers = new_timers()
    timers.set_row(TIMER_SUSPECT, FIRST, 10, 100)
    timers.set_row(TIMER_SUSPECT, FIRST, 10, 500)
    assert fired(timers, 110) == []
    assert fired(timers, 509) == []
    assert fired(timers, 510) == [(TIMER_SUSPECT, FIRST)]


def test_clear_unsets_everything_but_forget():
    timers = new_timers()
    for kind in SINGLES:
        timers.set(kind, 10, 100)
    for row in range(FIRST, FIRST + 8):
        timers.set_row(TIMER_SUSPECT, row, 10, 100)
    timers.set_row(TIMER_FORGET, FIRST + 4, 10, 300)
    timers.clear()
    assert sum(timers.members.suspects) == 0
    assert fired(timers, 200) == []
    assert fired(timers, 400) == [(TIMER_FORGET, FIRST + 4)]
    timers.set(TIMER_PROBE, 400, 50)
    assert timers.remaining_ms(400) == 50


def test_after_clearing_a_later_deadline_is_not_missed():
    timers = new_timers()
    timers.set(TIMER_PROBE, 10, 100)
    timers.clear()
    timers.set(TIMER_PROBE, 20, 1000)
    assert timers.remaining_ms(20) <= 1000
    assert fired(timers, 1019) == []
    assert timers.remaining_ms(1019) == 1
    assert fired(timers, 1020) == [TIMER_PROBE]


def test_remaining_is_never_late_and_at_most_a_minute():
    for start in STARTS:
        timers = new_timers()
        timers.set(TIMER_ANNOUNCE, start, 300000)
        assert timers.remaining_ms(start) == 60000
        assert timers.remaining_ms(ticks_add(start, 250000)) in (50000, 50001)
        timers.set(TIMER_PROBE, start, 700)
        assert timers.remaining_ms(start) in (699, 700, 701)
        assert timers.remaining_ms(ticks_add(start, 5000)) == 0, "overdue"


def test_a_late_caller_gets_everything_in_order():
    """A board that was busy for a minute: nothing is lost, nothing is repeated."""
    timers = new_timers()
    timers.set(TIMER_PROBE, WRAP - 5, 100)
    timers.set(TIMER_INDIRECT_PROBE, WRAP - 5, 50)
    timers.set_row(TIMER_SUSPECT, FIRST, WRAP - 5, 80)
    assert fired(timers, 60000) == [TIMER_INDIRECT_PROBE, (TIMER_SUSPECT, FIRST), TIMER_PROBE]


def test_six_days_are_waited_for():
    for start in STARTS:
        timers = new_timers()
        timers.set_row(TIMER_FORGET, FIRST, start, SIX_DAYS)
        timers.set(TIMER_ANNOUNCE, start, SIX_DAYS - 1)
        assert timers.remaining_ms(start) == 60000
        assert fired(timers, ticks_add(start, SIX_DAYS - 3)) == []
        assert fired(timers, ticks_add(start, SIX_DAYS + 1)) == [
            TIMER_ANNOUNCE,
            (TIMER_FORGET, FIRST),
        ]
