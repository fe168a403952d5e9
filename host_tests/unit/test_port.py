"""foca._port: one clock for every interpreter, wrapped at 2**30 milliseconds."""

import os
import time

import foca._port as _port
from foca._port import const, entropy, ticks_add, ticks_diff, ticks_ms, unix_seconds

WRAP = 1 << 30
SIX_DAYS = 518400000


def test_const_returns_its_value():
    value = 7  # a name, so that the compiler of MicroPython does not fold the call
    assert const(3) == 3
    assert _port.MICROPYTHON or const(value) == 7


def test_the_clock_stays_within_thirty_bits():
    for _ in range(100):
        now = ticks_ms()
        assert 0 <= now < WRAP


def test_the_clock_counts_milliseconds_and_does_not_go_back():
    start = now = ticks_ms()
    until = time.time() + 3
    while ticks_diff(now, start) < 20 and time.time() < until:
        later = ticks_ms()
        assert ticks_diff(later, now) >= 0
        now = later
    assert ticks_diff(now, start) >= 20


def test_adding_wraps_in_both_directions():
    assert ticks_add(5, 10) == 15
    assert ticks_add(WRAP - 1, 1) == 0
    assert ticks_add(0, -1) == WRAP - 1
    assert ticks_add(WRAP - 10, SIX_DAYS) == SIX_DAYS - 10


def test_a_difference_is_signed():
    assert ticks_diff(15, 5) == 10
    assert ticks_diff(5, 15) == -10
    assert ticks_diff(7, 7) == 0


def test_a_difference_is_right_across_the_wrap():
    assert ticks_diff(3, WRAP - 2) == 5
    assert ticks_diff(WRAP - 2, 3) == -5


def test_a_difference_holds_for_six_days_from_any_start():
    for start in (0, 1, WRAP // 2 - 1, WRAP // 2, WRAP - 1):
        for delta in (0, 1, 999, SIX_DAYS):
            assert ticks_diff(ticks_add(start, delta), start) == delta
            assert ticks_diff(start, ticks_add(start, delta)) == -delta


def test_half_a_period_is_the_first_difference_that_turns_negative():
    half = WRAP // 2
    assert ticks_diff(half - 1, 0) == half - 1
    assert ticks_diff(half, 0) == -half


def test_entropy_is_a_seed_of_29_bits_and_not_always_the_same():
    if not hasattr(os, "urandom"):
        return  # the WebAssembly port has no random source: a node there wants a seed
    seeds = [entropy() for _ in range(8)]
    assert all([0 <= seed < 1 << 29 for seed in seeds])
    assert len(set(seeds)) > 1


class Clock:
    """Stands for the module `time` of a board."""

    def __init__(self, seconds, epoch):
        self.seconds = seconds
        self.epoch = epoch

    def time(self):
        return self.seconds

    def gmtime(self, seconds):
        assert seconds == 0
        return (self.epoch, 1, 1, 0, 0, 0, 0, 1)


def at_clock(seconds, epoch):
    """What unix_seconds() gives on a board whose clock stands there."""
    kept = _port.time
    _port.time = Clock(seconds, epoch)
    try:
        return unix_seconds()
    finally:
        _port.time = kept


def test_unix_seconds_counts_from_1970_on_every_port():
    """Source: MicroPython's epoch is 2000-01-01 on esp32 and rp2, 1970-01-01 on unix."""
    assert at_clock(1795423544, 1970) == 1795423544
    assert at_clock(1795423544.9, 1970) == 1795423544
    assert at_clock(1795423544 - 946684800, 2000) == 1795423544


def test_a_clock_that_was_never_set_gives_zero():
    assert at_clock(12, 1970) == 0
    assert at_clock(12, 2000) == 0
    assert at_clock(1600000000, 1970) == 0
    assert at_clock(1600000001, 1970) == 1600000001
