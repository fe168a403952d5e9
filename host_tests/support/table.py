"""A member table whose addresses are small numbers, and the invariants that must hold in it.

table = Table(members_max=3)
assert table.apply(7, bump=1) & SUCCESS      # address 7, Alive, incarnation 0
assert table.known() == {7: (1, ALIVE, 0)}   # address -> (bump, state, incarnation)
table.check()

Runs on CPython and on MicroPython.
"""

from foca.identity import own
from foca.members import FIRST, UPDATE, Members
from foca.rng import Rng
from foca.wire import ALIVE, DOWN


class Table:
    """A `Members` with addresses 0 ..

    65535 and a 16-bit bump, unless a layout of four such bytes is given.
    """

    def __init__(self, members_max=8, seed=1, layout=None):
        self.layout = layout or own(2, False, 16)
        self.members = Members(self.layout, members_max, Rng(seed))
        self.members_max = members_max

    def put(self, row, address, bump=0, state=ALIVE, incarnation=0):
        """Write an identity, a state and an incarnation into a row, whatever it held.

        Returns the row.
        """
        at = row * self.layout.record_bytes
        self.members.ids[at : at + 4] = bytes((address >> 8, address & 255, bump >> 8, bump & 255))
        self.members.states[row] = state
        self.members.incarnations[row] = incarnation
        return row

    def apply(self, address, bump=0, state=ALIVE, incarnation=0):
        """Apply one update; returns the flags of `Members.apply`."""
        return self.members.apply(self.put(UPDATE, address, bump, state, incarnation))

    def find(self, address):
        """The row of an address, or 0."""
        return self.members.find(self.put(UPDATE, address))

    def add(self, count, state=ALIVE):
        """Apply members with the addresses 1 .. count; returns their rows, in that order."""
        for address in range(1, count + 1):
            self.apply(address, 0, state)
        return [self.find(address) for address in range(1, count + 1)]

    def address(self, row):
        """The address at a row."""
        at = row * self.layout.record_bytes
        return self.members.ids[at] << 8 | self.members.ids[at + 1]

    def bump(self, row):
        """The bump at a row."""
        at = row * self.layout.record_bytes + 2
        return self.members.ids[at] << 8 | self.members.ids[at + 1]

    def rows(self):
        """The member rows, in the order of the table."""
        return [self.members.order[i] for i in range(self.members.count)]

    def known(self):
        """address -> (bump, state, incarnation) of every member."""
        members = self.members
        return {
            self.address(row): (self.bump(row), members.states[row], members.incarnations[row])
            for row in self.rows()
        }

    def check(self):
        """Assert every invariant of a member table."""
        check(self.members)


def check(members):
    """Assert the invariants of a `Members`.

    Order, chains, free rows and the count of active ones.
    """
    listed = sorted([members.order[i] for i in range(members.count)])
    chained = []
    for bucket in range(len(members.heads)):
        row = members.heads[bucket]
        while row:
            assert members._bucket(row) == bucket, "row %d hangs on the wrong bucket" % row
            assert len(chained) <= members.rows, "a chain is closed to a circle"
            chained.append(row)
            row = members.links[row]
    assert sorted(chained) == listed, "chains %r, order %r" % (sorted(chained), listed)
    free = []
    row = members._free
    while row:
        assert len(free) <= members.rows, "the free rows form a circle"
        free.append(row)
        row = members.links[row]
    every = sorted(listed + free)
    assert every == list(range(FIRST, members.rows)), "rows lost or twice: %r" % every
    active = [row for row in listed if members.states[row] != DOWN]
    assert members.active == len(active), "active %d, counted %d" % (members.active, len(active))
    for row in listed:
        assert members.find(row) == row, "row %d is not found under its address" % row
    for row in free:
        assert not members.left[row], "a free row %d has an update queued" % row
        assert not members.suspects[row] and not members.forgets[row], "free row with a deadline"
