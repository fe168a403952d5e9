"""Records of identities, one a row, and the way from an address to its row. Floor 1.

    ids           records (identity.py), `width` bytes each
    heads, links  address -> row: chains hanging off a power of two of buckets; 0 ends a chain

Rules: comparing bytes in a loop is slow, so the two rows that a datagram is read into have
windows, `source` and `update`: bytearray.find compares them with a record at the speed of C. Most
members of a datagram are known by exactly this identity, and `match` finds those.
"""

from array import array

from ._port import const, window

_TYPING = const(0)
if _TYPING:
    from .identity import Layout

_SELF = const(0)
_SRC = const(1)
_UPDATE = const(4)
_DOWN = const(2)


class Records:
    if _TYPING:
        states: bytearray

    def __init__(self, layout: "Layout", rows: int, buckets: int) -> None:
        """Room for `rows` identities, all zero. `buckets`: a power of two."""
        kind = "B" if rows < 256 else "H"
        self.layout = layout
        self.width = layout.record_bytes
        self.ids = bytearray(rows * layout.record_bytes)
        self.source = window(self.ids, _SRC * self.width, self.width)
        self.update = window(self.ids, _UPDATE * self.width, self.width)
        self.heads = array(kind, [0] * buckets)
        self.links = array(kind, [0] * rows)
        self._bump_at = layout.address_bytes
        # where addresses of one network differ: two octets and the port's low byte
        self._first = 4 if layout.octets_at else max(0, layout.port_at - 2)
        self._second = layout.port_at - 1
        self._third = layout.address_bytes - 1
        self._bucket_mask = buckets - 1
        self._own_bucket = 0

    # comparing and copying records

    def same(self, row: int, other: int, first: int, end: int) -> bool:
        """Whether bytes first .. end - 1 of two records are equal; records differ at the end."""
        ids = self.ids
        row = row * self.width + end
        other = other * self.width + end
        end -= first
        while end > 1:
            if ids[row - 1] != ids[other - 1] or ids[row - 2] != ids[other - 2]:
                return False
            row -= 2
            other -= 2
            end -= 2
        return not end or ids[row - 1] == ids[other - 1]

    def same_address(self, row: int, other: int) -> bool:
        return self.same(row, other, 0, self._bump_at)

    def same_identity(self, row: int, other: int) -> bool:
        return self.same(row, other, 0, self.width)

    def wins(self, row: int, other: int) -> bool:
        """Whether the identity at `row` beats the one at `other`, of the same address."""
        return self.layout.wins(self.ids, row * self.width, other * self.width)

    def copy(self, source: int, target: int) -> None:
        """Copy the identity at `source`, and nothing else of that row, to `target`."""
        ids = self.ids
        count = self.width
        source *= count
        target *= count
        while count:
            ids[target] = ids[source]
            source += 1
            target += 1
            count -= 1

    # address -> row

    def _bucket(self, row: int) -> int:
        """Where the address at `row` is chained."""
        row *= self.width
        row = (
            self.ids[row + self._first] * 19
            ^ self.ids[row + self._second] * 5
            ^ self.ids[row + self._third]
        )
        return row & self._bucket_mask

    def know_own(self) -> None:
        """To be called when the row SELF changed."""
        self._own_bucket = self._bucket(_SELF)

    def match(self, key: "bytearray | memoryview") -> int:
        """The active member with exactly the identity `key`: the window `source` or `update`.

        Or 0: there is none, or it hangs in the chain where our own address would.
        """
        ids = self.ids
        row = (
            key[self._first] * 19 ^ key[self._second] * 5 ^ key[self._third]
        ) & self._bucket_mask
        if row == self._own_bucket:
            return 0
        row = self.heads[row]
        while row:
            at = row * self.width
            if ids.find(key, at, at + self.width) == at:
                return row if self.states[row] < _DOWN else 0
            row = self.links[row]
        return 0

    def find(self, row: int) -> int:
        """The member with the address of the record at `row`, or 0."""
        other = self.heads[self._bucket(row)]
        while other and not self.same(row, other, 0, self._bump_at):
            other = self.links[other]
        return other

    def find_identity(self, row: int) -> int:
        """The member with exactly the identity at `row`, or 0."""
        other = self.find(row)
        return other if other and self.same_identity(other, row) else 0
