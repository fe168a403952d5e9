"""foca.limits: a burst up to the limit, then a tenth of it every second."""

from foca._port import ticks_add
from foca.limits import (
    LIMIT_FEED,
    LIMIT_RELAY,
    LIMIT_RENEWAL,
    LIMIT_TURN_UNDEAD,
    Limits,
)

WRAP = 1 << 30


def taken(limits, kind, now, tries):
    """How many of `tries` uses are allowed."""
    return sum([1 for _ in range(tries) if limits.take(kind, now)])


def test_the_kinds_are_the_places_in_what_the_node_passes():
    kinds = (LIMIT_TURN_UNDEAD, LIMIT_RELAY, LIMIT_FEED, LIMIT_RENEWAL)
    assert kinds == (0, 1, 2, 3)


def test_a_burst_is_allowed_up_to_the_limit():
    for now in (0, 5, 123456, WRAP - 1, WRAP // 2, WRAP // 2 + 5):
        limits = Limits((20,))
        assert taken(limits, 0, now, 50) == 20
        assert taken(limits, 0, now, 50) == 0


def test_kinds_do_not_share():
    limits = Limits((2, 3, 1, 5))
    assert [taken(limits, kind, 50, 9) for kind in range(4)] == [2, 3, 1, 5]


def test_uses_come_back_evenly():
    limits = Limits((20,))
    assert taken(limits, 0, 1000, 50) == 20
    assert not limits.take(0, 1499)
    assert taken(limits, 0, 1500, 9) == 1
    assert taken(limits, 0, 2500, 9) == 2
    assert taken(limits, 0, 11000, 50) == 17


def test_after_ten_seconds_the_burst_is_allowed_again():
    for start in (1000, WRAP - 3000):
        limits = Limits((20,))
        taken(limits, 0, start, 50)
        assert taken(limits, 0, ticks_add(start, 10000), 50) == 20
        assert taken(limits, 0, ticks_add(start, 1000000), 50) == 20


def test_unused_time_is_not_saved_up():
    limits = Limits((5,))
    for now in range(0, 60000, 2000):
        assert taken(limits, 0, now, 1) == 1
    assert taken(limits, 0, 60000, 50) == 5


def test_asking_often_does_not_cost_what_is_due():
    """Each look takes whole uses only, so fractions of one are not lost."""
    for limit in (1, 3, 7, 20, 1000):
        limits = Limits((limit,))
        start = 777
        assert taken(limits, 0, start, limit + 5) == limit
        count = 0
        for now in range(start + 1, start + 60001, 7):
            if limits.take(0, now):
                count += 1
        assert 6 * limit - 2 <= count <= 6 * limit, "limit %d: %d" % (limit, count)


def test_no_more_than_the_limit_and_one_refill_in_ten_seconds():
    limits = Limits((20,))
    count = taken(limits, 0, 5000, 50)
    for now in range(5000, 15000, 10):
        count += taken(limits, 0, now, 3)
    assert count < 40


def test_a_clock_far_away_fills_the_bucket():
    limits = Limits((4,))
    taken(limits, 0, 100, 9)
    assert taken(limits, 0, 100 + WRAP // 2, 9) == 4
    assert taken(limits, 0, 100, 9) == 4
