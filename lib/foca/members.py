"""The member table: one row for each address, columns of plain arrays. Floor 2.

    row     0      1    2    3      4       5    6       7     8     9 .. rows-1
            SELF   SRC  DST  THIRD  UPDATE  OLD  PROBED  CALL  GONE  members
            '------------- scratch, outside index and order ---------'

    states, incarnations, marks, left, lengths, suspects, forgets: one cell a row
    order         the members in random order, as they are probed; `active` of `count` not Down

Invariants: every member row is in exactly one chain and once in `order`; free rows hang on `_free`
through `links`; `active` equals a recount.
Rules: others read the columns and own some (backlog.py: left, lengths; timers.py: suspects,
forgets); only this file adds, replaces or removes a member. Such a row loses deadlines and marks.
Source: docs/WIRE.md, "Members".
"""

from array import array

from ._port import const, ticks_diff
from .records import Records

_TYPING = const(0)
if _TYPING:
    from .identity import Layout
    from .rng import Rng

_UPDATE = const(4)
_OLD = const(5)
_FIRST = const(9)
_DOWN = const(2)

SELF = 0  # our own identity and incarnation
SRC = 1  # the sender of the datagram at hand
DST = 2  # its destination
THIRD = 3  # its third party
UPDATE = 4  # the update at hand
OLD = 5  # what a RENAME replaced; scratch of a renewal
PROBED = 6  # the member being probed, as it was then
CALL = 7  # what an application's call names
GONE = 8  # our own Down, once we left or changed
FIRST = 9  # the first member row

IS_ACTIVE = 1  # the member is Alive or Suspect now
SUCCESS = 2  # the update was applied
CHANGED = 4  # ... and the member entered or left the active set
REPLACED = 8  # ... and another identity of this address gave way: OLD
LOST = 16  # the known identity beats the update's: nothing changed
REFUSED = 32  # the table is full and nobody can be evicted: nothing changed

_IS_ACTIVE = const(1)
_SUCCESS = const(2)
_CHANGED = const(4)
_REPLACED = const(8)
_LOST = const(16)
_REFUSED = const(32)


class Members(Records):
    def __init__(self, layout: "Layout", members_max: int, rng: "Rng") -> None:
        """A table for `members_max` others, 1 .. 16,000. `rng`: places newcomers in the order."""
        rows = _FIRST + members_max
        kind = "B" if rows < 256 else "H"
        buckets = 8
        while buckets < members_max:
            buckets *= 2
        Records.__init__(self, layout, rows, buckets)
        self.rng = rng
        self.rows = rows
        self.states = bytearray(rows)
        self.incarnations = array("H", bytes(2 * rows))
        self.marks = bytearray(rows)
        self.left = bytearray(rows)
        self.lengths = bytearray(rows)
        self.suspects = array("i", bytes(4 * rows))
        self.forgets = array("i", bytes(4 * rows))
        self.order = array(kind, [0] * members_max)
        self.count = 0
        self.active = 0
        self.row = 0
        """The member that the last `apply` was about, 0: refused."""
        self.evicted = 0
        """How many were evicted, ever."""
        self._free = _FIRST
        for row in range(_FIRST, rows - 1):
            self.links[row] = row + 1

    # changing

    def refresh(self, row: int) -> int:
        """Apply UPDATE to the active member `row`, of that very identity: the usual `apply`.

        Returns the flags above, or 0: that was no news.
        """
        state = self.states[_UPDATE]
        if state == _DOWN:
            return self._set(row, _UPDATE, 1, _SUCCESS)
        incarnation = self.incarnations[_UPDATE]
        if incarnation < self.incarnations[row] or (
            incarnation == self.incarnations[row] and state <= self.states[row]
        ):
            return 0
        self.states[row] = state
        self.incarnations[row] = incarnation
        self.lengths[row] = 0
        return _SUCCESS | _IS_ACTIVE

    def apply(self, update: int) -> int:
        """Apply the member at row `update`: identity, state, incarnation; returns the flags above.

        `row` tells which member it was about. Equal identities: a Down stays; Down beats the rest;
        Suspect beats an Alive of its own incarnation; else the higher incarnation.
        """
        row = self.row = self.find(update)
        if not row:
            return self._insert(update)
        was_active = 1 if self.states[row] < _DOWN else 0
        if self.same(row, update, self._bump_at, self.width):
            if not self._can_change(row, update):
                return was_active
            outcome = _SUCCESS
        elif self.wins(row, update):
            return _LOST | was_active
        else:
            self.copy(row, _OLD)
            self.copy(update, row)
            self.marks[row] = 0
            self.suspects[row] = 0
            outcome = _SUCCESS | _REPLACED
        return self._set(row, update, was_active, outcome)

    def _set(self, row: int, update: int, was_active: int, outcome: int) -> int:
        """Overwrite state and incarnation of `row`; returns the completed flags."""
        is_active = 1 if self.states[update] < _DOWN else 0
        self.states[row] = self.states[update]
        self.incarnations[row] = self.incarnations[update]
        self.lengths[row] = 0
        if is_active:
            self.forgets[row] = 0
        if is_active != was_active:
            self.active += is_active - was_active
            outcome |= _CHANGED
        return outcome | is_active

    def _can_change(self, row: int, update: int) -> bool:
        state = self.states[row]
        if state == _DOWN:
            return False
        if self.states[update] == _DOWN:
            return True
        if state < self.states[update]:
            return self.incarnations[update] >= self.incarnations[row]
        return self.incarnations[update] > self.incarnations[row]

    def _insert(self, update: int) -> int:
        row = self._free or self._evict()
        if not row:
            return _REFUSED
        self._free = self.links[row]
        self.row = row
        self.copy(update, row)
        bucket = self._bucket(row)
        self.links[row] = self.heads[bucket]
        self.heads[bucket] = row
        order = self.order
        self.count += 1
        bucket = self.rng.below(self.count)
        order[self.count - 1] = order[bucket]
        order[bucket] = row
        return self._set(row, update, 0, _SUCCESS)

    def _evict(self) -> int:
        """Make a row free: of the Down members with nothing to tell, the first to be forgotten.

        Those never forgotten go last. Returns the row, or 0.
        """
        best = 0
        for row in range(_FIRST, self.rows):
            if self.states[row] == _DOWN and not self.left[row]:
                if not best or self._goes_before(row, best):
                    best = row
        if best:
            self.remove(best)
            self.evicted += 1
        return best

    def _goes_before(self, row: int, other: int) -> int:
        mine = self.forgets[row]
        theirs = self.forgets[other]
        return mine and (not theirs or ticks_diff(mine, theirs) < 0)

    def remove(self, row: int) -> None:
        """Forget the Down member at `row`, with its update if that is still queued."""
        links = self.links
        bucket = self._bucket(row)
        other = self.heads[bucket]
        if other == row:
            self.heads[bucket] = links[row]
        else:
            while links[other] != row:
                other = links[other]
            links[other] = links[row]
        links[row] = self._free
        self._free = row
        self.states[row] = self.marks[row] = self.left[row] = 0
        self.suspects[row] = self.forgets[row] = 0
        order = self.order
        other = 0
        while order[other] != row:
            other += 1
        self.count -= 1
        order[other] = order[self.count]
