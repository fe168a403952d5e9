"""Deadlines of the protocol: who must be woken, and when. Floor 2.

    at      one deadline for each kind; the kinds are numbered in foca's order, in which equal
            deadlines fire
    TIMER_SUSPECT, TIMER_FORGET: the members' columns `suspects` and `forgets` hold one deadline a
            row, `at` a lower bound of them

Invariant: a deadline is a wrapped 30-bit millisecond; 0 means "not set" (a real 0 is stored as 1).
Durations are limited to 6 days, because `ticks_diff` is.
Rules: nothing here knows what a timer does. Equal deadlines come out in foca's order, because a
probe that ends before its indirect stage was reached is reported as a bug. No tokens: what foca's
token would invalidate is cleared.
Source: docs/WIRE.md, "Timers".
"""

from array import array

from ._port import const, ticks_add, ticks_diff

TIMER_INDIRECT_PROBE = 0
TIMER_PROBE = 1
TIMER_SUSPECT = 2
TIMER_ANNOUNCE = 3
TIMER_GOSSIP = 4
TIMER_FORGET = 5
TIMER_ANNOUNCE_DOWN = 6
TIMER_FEED = 7

TIMER_NAMES = (
    "SendIndirectProbe",
    "ProbeRandomMember",
    "ChangeSuspectToDown",
    "PeriodicAnnounce",
    "PeriodicGossip",
    "RemoveDown",
    "PeriodicAnnounceDown",
    "FeedNewcomer",  # hardened: not foca's
)

_TYPING = const(0)
if _TYPING:
    from .members import Members

_TIMER_SUSPECT = const(2)
_TIMER_FORGET = const(5)
_KINDS = const(8)
_FIRST = const(9)
_IDLE_MS = const(60000)
_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)


class Timers:
    def __init__(self, members: "Members") -> None:
        self.members = members
        self.at = array("i", [0] * _KINDS)
        self.row = 0
        """The row of the last SUSPECT or FORGET that came due."""
        self._next = 0  # a lower bound of all deadlines, 0 for none

    def set(self, kind: int, now_ms: int, delay_ms: int) -> None:
        """Wake `kind` once, `delay_ms` (0 .. 6 days) after `now_ms`."""
        self._note(kind, ticks_add(now_ms, delay_ms) or 1)

    def set_row(self, kind: int, row: int, now_ms: int, delay_ms: int) -> None:
        """The same for a row: SUSPECT or FORGET."""
        deadline = ticks_add(now_ms, delay_ms) or 1
        column = self.members.suspects if kind == _TIMER_SUSPECT else self.members.forgets
        column[row] = deadline
        if not self.at[kind] or ticks_diff(deadline, self.at[kind]) < 0:
            self._note(kind, deadline)

    def _note(self, kind: int, deadline: int) -> None:
        self.at[kind] = deadline
        if not self._next or ticks_diff(deadline, self._next) < 0:
            self._next = deadline

    def clear(self) -> None:
        """Unset everything but FORGET."""
        suspects = self.members.suspects
        row = _FIRST
        while row < self.members.rows:
            suspects[row] = 0
            row += 1
        row = _KINDS
        while row:
            row -= 1
            if row != _TIMER_FORGET:
                self.at[row] = 0

    def due(self, now_ms: int) -> int:
        """Take the earliest deadline up to `now_ms`; returns its kind (`row`: whose), or -1."""
        if not self._next or ticks_diff(self._next, now_ms) > 0:
            return -1
        while True:
            kind = self._earliest_kind()
            if kind < 0:
                self._next = 0
                return -1
            self._next = self.at[kind]
            if ticks_diff(self._next, now_ms) > 0:
                return -1
            if kind != _TIMER_SUSPECT and kind != _TIMER_FORGET:
                self.at[kind] = 0
                return kind
            if self._take_row(kind):
                return kind

    def _earliest_kind(self) -> int:
        at = self.at
        best = -1
        earliest = kind = 0
        while kind < _KINDS:
            # what ticks_diff says, without a call
            if at[kind] and (best < 0 or (at[kind] - earliest) & _MASK >= _HALF):
                best = kind
                earliest = at[kind]
            kind += 1
        return best

    def _take_row(self, kind: int) -> bool:
        """Take the earliest row of a column if its deadline is noted, else note the right one."""
        column = self.members.suspects if kind == _TIMER_SUSPECT else self.members.forgets
        best = 0
        row = _FIRST
        while row < self.members.rows:
            if column[row] and (not best or ticks_diff(column[row], column[best]) < 0):
                best = row
            row += 1
        if not best:
            self.at[kind] = 0
            return False
        if column[best] != self.at[kind]:
            self.at[kind] = column[best]
            return False
        column[best] = 0
        self.row = best
        return True

    def remaining_ms(self, now_ms: int) -> int:
        """Milliseconds until the next deadline, 0 .. 60,000. Never late, maybe early."""
        if not self._next:
            return _IDLE_MS
        left = ticks_diff(self._next, now_ms)
        return 0 if left < 0 else _IDLE_MS if left > _IDLE_MS else left
