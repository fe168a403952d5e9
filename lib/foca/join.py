"""Finding the first peer, and never giving up. Floor 4; no I/O of its own, and its own deadline.

    alone         seeds, then Down members, one Announce per peer and round; rounds 1, 2, 4 .. 60 s
                  apart
    in a cluster  once a minute, one seed that is not an active member: two clusters that grew
                  apart meet again

Every delay is spread by a quarter to either side, so that boards switched on together do not speak
together. An Announce that is lost costs a round, nothing else. Source: the reference leaves
joining to its user and never leaves zero members by itself (docs/DIFFERENCES.md, B-5).
"""

from ._port import const, ticks_add, ticks_diff
from .rng import Rng

_TYPING = const(0)
if _TYPING:
    from .node import Foca

_CALL = const(7)
_SELF = const(0)
_DOWN = const(2)
_FIRST_MS = const(1000)
_LAST_MS = const(60000)
_DOWN_PER_ROUND = const(4)


class Join:
    def __init__(self, foca: "Foca", seeds: list[bytes], seed: int) -> None:
        """`seeds`: records to announce to, any bump; our own is skipped. `seed`: of the jitter."""
        self.foca = foca
        self.seeds = seeds
        self.announced = 0
        """Announces sent, ever."""
        self._rng = Rng(seed)
        self._delay_ms = _FIRST_MS
        self._deadline = -1
        self._index = 0
        self._was_alone = True

    def step(self, now_ms: int) -> int:
        """Announce if it is time; returns the milliseconds until it may be again, 0 .. 75,000."""
        foca = self.foca
        if foca.is_undead():
            return _LAST_MS
        alone = not foca.num_members()
        if alone and not self._was_alone:  # everybody went: look for them at once
            self._delay_ms = _FIRST_MS
            self._deadline = -1
        self._was_alone = alone
        if self._deadline >= 0:
            left = ticks_diff(self._deadline, now_ms)
            if left > 0:
                return left
        if alone:
            self._announce_to_all()
            delay = self._delay_ms
            self._delay_ms = min(2 * delay, _LAST_MS)
        else:
            self._announce_to_stranger()
            delay = _LAST_MS
        delay = delay * 3 // 4 + self._rng.below(delay // 2 + 1)
        self._deadline = ticks_add(now_ms, delay)
        return delay

    def _announce_to_all(self) -> None:
        for record in self.seeds:
            self._announce(record)
        foca = self.foca
        members = foca.members
        downs = [row for row in foca.iter_membership_state() if members.states[row] == _DOWN]
        for _ in range(min(_DOWN_PER_ROUND, len(downs))):
            self._index = (self._index + 1) % len(downs)
            self._announce(foca.identity_of(downs[self._index]))

    def _announce_to_stranger(self) -> None:
        """Announce to the next seed that is not an active member, if there is one."""
        foca = self.foca
        for _ in range(len(self.seeds)):
            self._index = (self._index + 1) % len(self.seeds)
            record = self.seeds[self._index]
            foca.members.ids[_CALL * len(record) : (_CALL + 1) * len(record)] = record
            row = foca.members.find(_CALL)
            if not row or foca.members.states[row] == _DOWN:
                self._announce(record)
                return

    def _announce(self, record: bytes) -> None:
        address_bytes = self.foca.layout.address_bytes
        if record[:address_bytes] != self.foca.identity()[:address_bytes]:
            self.announced += 1
            self.foca.announce(record)
