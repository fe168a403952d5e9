"""Finding the first peer, and never giving up. Floor 4; no I/O of its own, and its own deadline.

    alone         everybody (a broadcast Announce), from the second round on the seeds too, from
                  the third on remembered and Down peers too; without broadcast all from the first
                  round on. Rounds 1, 2, 4 .. 60 s apart
    in a cluster  2, 2, 4, 8, 16 s apart, a random member, for its Feed: the first one we got need
                  not have been complete. After that once a minute, one seed that is not an active
                  member: two clusters that grew apart meet again; and about once a minute in the
                  whole cluster, everybody

Every delay is spread by a quarter to either side, and the first broadcast by a second, so that
boards switched on together do not speak together: most hear another one first, and need not ask.
An Announce that is lost costs a round, nothing else. Source: the reference leaves joining to its
user and never leaves zero members by itself (docs/DIFFERENCES.md, B-5).
"""

from ._port import const, ticks_add, ticks_diff
from .rng import Rng

_TYPING = const(0)
if _TYPING:
    from .node import Foca

_CALL = const(7)
_DOWN = const(2)
_FIRST_MS = const(1000)
_LAST_MS = const(60000)
_CATCH_UP_MS = const(2000)
_DOWN_PER_ROUND = const(4)


class Join:
    def __init__(
        self,
        foca: "Foca",
        seeds: list[bytes],
        seed: int,
        broadcast: bool = False,
        remembered: list[bytes] | None = None,
    ) -> None:
        """`seeds`: records to announce to, any bump; our own is skipped. `seed`: of the jitter.

        `broadcast`: ask everybody on the subnet, at 255.255.255.255 and our own port; for layouts
        of four octets. Rust peers do not answer that: give them as seeds. `remembered`: records of
        peers of an earlier life, four of them a round.
        """
        self.foca = foca
        self.seeds = seeds
        self.remembered = remembered or []
        self.broadcast = broadcast and foca.layout.octets == 4
        self.announced = 0
        """Announces sent, ever."""
        self._rng = Rng(seed)
        self._index = 0
        self._was_alone = True
        self.restart()

    def restart(self) -> None:
        """Look for peers as if just switched on: the network is a new one."""
        self._delay_ms = _FIRST_MS
        self._deadline = -1
        self._round = 0 if self.broadcast else 2

    def step(self, now_ms: int) -> int:
        """Announce if it is time; returns the milliseconds until it may be again, 0 .. 75,000."""
        foca = self.foca
        if foca.is_undead():
            return _LAST_MS
        alone = not foca.num_members()
        if alone and not self._was_alone:  # everybody went: look for them at once
            self.restart()
        elif self._was_alone and not alone:
            self._delay_ms = _CATCH_UP_MS
            self._deadline = ticks_add(now_ms, self._spread(_CATCH_UP_MS))
        self._was_alone = alone
        if self._deadline < 0:
            first = self._rng.below(_FIRST_MS) if self.broadcast else 0
            self._deadline = ticks_add(now_ms, first)
        left = ticks_diff(self._deadline, now_ms)
        if left > 0:
            return left
        delay = self._delay_ms
        if alone:
            self._announce_to_all()
        elif delay < _LAST_MS:
            foca.picker.choose(1, 0, 0, None)
            self._announce(foca.identity_of(foca.picker.rows[0]))
        else:
            self._announce_to_stranger()
        self._delay_ms = min(2 * delay, _LAST_MS)
        delay = self._spread(delay)
        self._deadline = ticks_add(now_ms, delay)
        return delay

    def _spread(self, delay_ms: int) -> int:
        return delay_ms * 3 // 4 + self._rng.below(delay_ms // 2 + 1)

    def _announce_to_all(self) -> None:
        """One round; see the head of this file for who is asked in which."""
        if self.broadcast:
            self._announce_to_everybody()
        if self._round > 0:
            for record in self.seeds:
                self._announce(record)
        if self._round > 1:
            foca = self.foca
            states = foca.members.states
            peers = [
                foca.identity_of(row)
                for row in foca.iter_membership_state()
                if states[row] == _DOWN
            ]
            peers += self.remembered
            for _ in range(min(_DOWN_PER_ROUND, len(peers))):
                self._index = (self._index + 1) % len(peers)
                self._announce(peers[self._index])
        self._round += 1

    def _announce_to_everybody(self) -> None:
        """Announce to 255.255.255.255 and our own port."""
        layout = self.foca.layout
        own = self.foca.identity()
        head, tail = own[: layout.octets_at], own[layout.port_at : layout.address_bytes]
        self._announce(head + b"\xff\xff\xff\xff" + tail + bytes(layout.bump_bytes))

    def _announce_to_stranger(self) -> None:
        """Announce to the next seed that is not an active member, if there is one; see above."""
        foca = self.foca
        if self.broadcast and not self._rng.below(foca.num_members() + 1):
            self._announce_to_everybody()
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
