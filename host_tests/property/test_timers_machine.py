"""Deadlines against a sorted list, over the wrap of the clock.

In order, once, never early or lost.
"""

from foca._port import ticks_add
from foca.members import FIRST
from foca.timers import TIMER_FORGET, TIMER_SUSPECT, Timers
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.table import Table

SINGLES = (0, 1, 3, 4, 6, 7)
COLUMNS = (TIMER_SUSPECT, TIMER_FORGET)
SIX_DAYS = 518400000
DELAYS = st.one_of(
    st.integers(0, 5), st.integers(0, 3000), st.sampled_from((60000, 86400000, SIX_DAYS))
)
ROWS = st.integers(FIRST, FIRST + 4)


class Deadlines(RuleBasedStateMachine):
    """The model keeps whole milliseconds; a wrapped deadline of 0 is kept as 1, one later."""

    @initialize(start=st.sampled_from((1, 500, (1 << 29) - 10, (1 << 30) - 2000, (1 << 30) - 1)))
    def begin(self, start):
        self.members = Table(members_max=5).members
        self.timers = Timers(self.members)
        self.now = start
        self.model = {}  # (kind, row) -> deadline

    def clock(self):
        return self.now & 0x3FFFFFFF

    def deadline(self, delay):
        deadline = self.now + delay
        return deadline if deadline & 0x3FFFFFFF else deadline + 1

    @rule(kind=st.sampled_from(SINGLES), delay=DELAYS)
    def set(self, kind, delay):
        self.timers.set(kind, self.clock(), delay)
        self.model[kind, 0] = self.deadline(delay)

    @rule(kind=st.sampled_from(COLUMNS), row=ROWS, delay=DELAYS)
    def set_row(self, kind, row, delay):
        self.timers.set_row(kind, row, self.clock(), delay)
        self.model[kind, row] = self.deadline(delay)

    @rule(kind=st.sampled_from(COLUMNS), row=ROWS)
    def the_table_clears_a_row(self, kind, row):
        column = self.members.suspects if kind == TIMER_SUSPECT else self.members.forgets
        column[row] = 0
        self.model.pop((kind, row), None)

    @rule()
    def clear(self):
        self.timers.clear()
        self.model = {key: at for key, at in self.model.items() if key[0] == TIMER_FORGET}

    @rule(
        delay=st.one_of(st.integers(0, 3), st.integers(0, 4000), st.integers(0, 90000)),
        take=st.integers(1, 20),
    )
    def time_passes(self, delay, take):
        """A tick, maybe with more due than it may fire."""
        self.now += delay
        for _ in range(take):
            kind = self.timers.due(self.clock())
            ready = sorted((at, key) for key, at in self.model.items() if at <= self.now)
            if not ready:
                assert kind == -1
                break
            key = (kind, self.timers.row if kind in COLUMNS else 0)
            assert key == ready[0][1], "%r before %r" % (key, ready)
            del self.model[key]

    @rule(days=st.integers(1, 6))
    def long_waits_are_slept_in_steps(self, days):
        """A node is called at least once a minute; here the sleeps are as long as it allows."""
        end = self.now + days * 86400000
        while self.now < end:
            sleep = min(list(self.model.values()) + [end]) - self.now
            self.now += max(sleep, 0)
            self.time_passes(0, 60)

    @invariant()
    def it_never_sleeps_past_a_deadline(self):
        if not hasattr(self, "model"):
            return
        left = self.timers.remaining_ms(self.clock())
        assert 0 <= left <= 60000
        if self.model:
            assert left <= max(min(self.model.values()) - self.now, 0)
        assert ticks_add(self.clock(), left) >= 0


TestDeadlines = Deadlines.TestCase
TestDeadlines.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=40)
