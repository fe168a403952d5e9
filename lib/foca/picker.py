"""Every random pick of members goes through this one hook. Floor 2.

`choose` picks k distinct members for a message, `next` walks round robin for the probes. A test
that must follow another implementation's choices replaces `Foca.picker` by an object with the same
two methods and `rows`.
Source: docs/WIRE.md, "Members".
"""

from array import array

from ._port import const

_TYPING = const(0)
if _TYPING:
    from .broadcast import BroadcastHandler
    from .members import Members

_DOWN = const(2)
_MANY = const(16)
_PICKED = const(2)


class Picker:
    def __init__(self, members: "Members") -> None:
        self.members = members
        self.rows = array("H" if members.rows > 255 else "B", [0] * len(members.order))
        """What the last `choose` chose, in the order to be used."""
        self._cursor = 0
        # here, because an attribute that comes later makes the object grow on a board's heap
        self._down = self._exclude = 0
        self._handler: BroadcastHandler | None = None

    def choose(
        self, want: int, down: int, exclude: int, handler: "BroadcastHandler | None"
    ) -> int:
        """Choose up to `want` members at random into `rows`; returns how many.

        `down`: Down ones instead of active ones. `exclude`: a row never chosen, 0 for none.
        `handler`: None, or only those that it wants to have custom broadcasts. Costs O(want) while
        plenty are to choose from.
        """
        self._down = down
        self._exclude = exclude
        self._handler = handler
        if want > len(self.rows):
            want = len(self.rows)
        pool = self.members.active
        if down:
            pool = self.members.count - pool
        if pool > 3 * want and self._by_rejection(want):
            return want
        return self._by_reservoir(want)

    def _fits(self, row: int) -> bool:
        if (self.members.states[row] == _DOWN) != self._down or row == self._exclude:
            return False
        return self._handler is None or self._handler.should_add_broadcast_data(row)

    def _by_rejection(self, want: int) -> bool:
        """Try places for `want` different fitting members; returns whether it went well.

        Few: random places. Many, for a Feed: a random one and what follows, as the order itself is
        random.
        """
        members = self.members
        found = 0
        place = -1
        tries = want * 8
        while found < want and tries:
            tries -= 1
            if want < _MANY or place < 0:
                place = members.rng.below(members.count)
            else:
                place = (place + 1) % members.count
            row = members.order[place]
            if self._fits(row) and members.marks[row] < _PICKED:
                members.marks[row] |= _PICKED
                self.rows[found] = row
                found += 1
        tries = found
        while tries:
            tries -= 1
            members.marks[self.rows[tries]] ^= _PICKED
        return found == want

    def _by_reservoir(self, want: int) -> int:
        """One pass over the order; every fitting member has the same chance."""
        members = self.members
        i = seen = 0
        while i < members.count:
            row = members.order[i]
            i += 1
            if self._fits(row):
                place = seen
                seen += 1
                if place >= want:
                    place = members.rng.below(seen)
                if place < want:
                    self.rows[place] = row
        return seen if seen < want else want

    def next(self) -> int:
        """The next member to probe, 0 when none is active.

        Each active one comes once a round, each round in a new order.
        """
        members = self.members
        if self._cursor >= members.count:
            self._shuffle()
            self._cursor = 0
        row = self._scan(self._cursor, members.count)
        if not row:
            row = self._scan(0, self._cursor)
            # the round is over: shuffle next time, whoever joins before
            self._cursor = members.rows
        return row

    def _scan(self, first: int, end: int) -> int:
        members = self.members
        while first < end:
            row = members.order[first]
            first += 1
            if members.states[row] < _DOWN:
                self._cursor = first
                return row
        return 0

    def _shuffle(self) -> None:
        order = self.members.order
        left = self.members.count
        while left > 1:
            other = self.members.rng.below(left)
            left -= 1
            row = order[left]
            order[left] = order[other]
            order[other] = row
