"""What is still to be told about members: a column of transmissions left. Floor 2.

A queued update is not stored: it is encoded from its row when it is sent, so a newer state
overtakes a queued one. `left[row]` counts the transmissions it still has; the row GONE stands for
our own Down.

Rules: `lengths[row]` remembers the encoded length, 0 when the row changed since. A packet takes
the updates with most transmissions left first, among them the longest first, each at most once;
one that does not fit is kept, and a shorter one may overtake it. `top` is an upper bound of the
column, so that an empty backlog costs one comparison; rows of one level are found by
`bytearray.find`, at the speed of C.
Source: docs/WIRE.md, "Dissemination"; SWIM, section 4.1 (piggybacking).
"""

from array import array

from ._port import const

_TYPING = const(0)
if _TYPING:
    from .codec import Codec
    from .cursor import Cursor
    from .members import Members

_BOTH = const(2)
_GONE = const(8)


class Backlog:
    def __init__(self, members: "Members", codec: "Codec", send_bytes_max: int) -> None:
        """`send_bytes_max`: the longest packet, which bounds how many updates one can carry."""
        most = 4 if members.layout.tag == _BOTH else members.layout.octets
        most = min(members.rows, send_bytes_max // (most + 2) + 1)
        self.members = members
        self.codec = codec
        self.top = 0
        self._key = bytearray(1)
        self._count = 0
        self._sent = array("H", bytes(2 * most))

    def queue(self, row: int, transmissions: int) -> None:
        """Tell the state of `row`, a member or GONE, 1 .. 255 times from now on; 0: no more."""
        self.members.left[row] = transmissions
        if transmissions > self.top:
            self.top = transmissions

    def _next(self, level: int, row: int) -> int:
        """The first row from `row` on with `level` transmissions left, or -1."""
        self._key[0] = level
        return self.members.left.find(self._key, row)

    def is_empty(self) -> bool:
        """Whether nothing is queued. Lowers `top` to the highest level that is in use."""
        while self.top and self._next(self.top, _GONE) < 0:
            self.top -= 1
        return not self.top

    def count(self) -> int:
        """How many updates are queued. O(rows): for people and tests."""
        return sum([1 for transmissions in self.members.left if transmissions])

    def fill(self, cursor: "Cursor") -> int:
        """Write as many queued updates as fit at the cursor; returns how many.

        Each loses one transmission.
        """
        self._count = 0
        level = 0 if self.is_empty() else self.top
        while level and cursor.pos < cursor.end:
            self._fill_level(cursor, level)
            level -= 1
        level = self._count
        while level:
            level -= 1
            self.members.left[self._sent[level]] -= 1
        return self._count

    def _fill_level(self, cursor: "Cursor", level: int) -> None:
        """Write what fits of the updates with `level` transmissions left, the longest first."""
        shortest = self._span(level)
        longest = shortest >> 8
        shortest &= 255
        while longest >= shortest:
            self._fill_length(cursor, level, longest)
            longest -= 1

    def _span(self, level: int) -> int:
        """longest << 8 | shortest of the updates with `level` transmissions left; 255: none."""
        lengths = self.members.lengths
        shortest = 255
        longest = 0
        row = self._next(level, _GONE)
        while row >= 0:
            if not lengths[row]:
                lengths[row] = self.codec.member_bytes(row)
            if lengths[row] < shortest:
                shortest = lengths[row]
            if lengths[row] > longest:
                longest = lengths[row]
            row = self._next(level, row + 1)
        return longest << 8 | shortest

    def _fill_length(self, cursor: "Cursor", level: int, length: int) -> None:
        """Write what fits of the updates of this level that are `length` bytes long."""
        row = self._next(level, _GONE)
        while row >= 0 and cursor.end - cursor.pos >= length:
            if self.members.lengths[row] == length:
                cursor.pos = self.codec.write_member(cursor.buf, cursor.pos, row)
                self._sent[self._count] = row
                self._count += 1
            row = self._next(level, row + 1)
