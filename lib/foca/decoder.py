"""What both codecs share of reading: the order of fields, not how an integer looks. Floor 1.

    header := src  src_incarnation:u16  dst  tag:index  [third]  [number:u8]
    member := id  incarnation:u16  state:index
    id     := [family:index]  octets  [port:u16]  [bump]

Rules: `skip_*` validates bytes from the network and moves a bounded Cursor; `read_*` trusts what
was validated: positions in, positions out, in place between a packet and the records of one member
table. Any index below 128 is one byte in either codec; a longer form is legal and left to the
subclass. A codec supplies the integers: `skip_u16`, `read_u16`, and `skip_index_long`,
`read_index_long` for the longer forms of an index; and, because calls are slow on a board, whole
identities and members: `skip_identity` (returns whether this node's layout can hold it; not `ok`
if malformed), `read_identity`, `read_member`.
Source: docs/WIRE.md.
"""

from ._port import const

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable

    from .broadcast import VersionedHandler
    from .cursor import Cursor
    from .members import Members

_BOTH = const(2)
_HAS_NUMBER = const(4)
_HAS_THIRD = const(8)
_TAGS = const(11)
_SRC = const(1)
_DST = const(2)
_THIRD = const(3)
_MALFORMED = const(-1)
_FOREIGN = const(-2)


FLAGS = b"\x07\x07\x0f\x0f\x0f\x0f\x00\x13\x03\x02\x00"
"""What each message carries, as in wire.py, which a node need not load."""


class Decoder:
    if _TYPING:
        skip_u16: Callable[[Cursor], None]
        skip_identity: Callable[[Cursor], bool]
        skip_index_long: Callable[[Cursor], int]
        read_u16: Callable[[bytes | bytearray, int], int]
        read_index_long: Callable[[bytes | bytearray, int], int]
        read_identity: Callable[[bytes | bytearray, int, int], int]
        read_member: Callable[[Cursor, int], None]

    def __init__(self, members: "Members | VersionedHandler") -> None:
        """Bind to the table whose records it reads and writes."""
        layout = members.layout
        self.ids = members.ids
        self.width = layout.record_bytes
        self.bump_width = layout.bump_bytes
        self._incarnations = members.incarnations
        self._states = members.states
        self._layout = layout
        self._tag = layout.tag
        self._octets = layout.octets
        self.value = 0
        """The integer at hand: what `read_u16` or `read_index_long` read last."""
        self._has_port = layout.has_port
        self._port_at = layout.port_at
        self.member_bytes_max = self.identity_bytes_max() + 4
        self._own = bytearray(self.member_bytes_max)
        self._own_bytes = 0
        self.is_for_us = False
        """Whether the last header was addressed to our identity, see `read_header`."""

    def identity_bytes_max(self) -> int:
        """The longest identity on the wire, in either codec."""
        return 1 + self._layout.octets + 3 + self.bump_width + 2

    # validating: the cursor is bounded, and not `ok` after a failure

    def skip_index(self, cursor: "Cursor", limit: int) -> int:
        """Pass an enum index, return it; not `ok` if malformed or not below `limit`, 1 .. 128."""
        pos = cursor.pos
        if pos < cursor.end and cursor.buf[pos] < limit:
            cursor.pos = pos + 1
            return cursor.buf[pos]
        value = self.skip_index_long(cursor)
        if value >= limit:
            cursor.ok = False
        return value

    def skip_members(self, cursor: "Cursor", count: int) -> int:
        """Pass `count` members; returns how many are foreign. Not `ok` when one is malformed."""
        foreign = 0
        while count and cursor.ok:
            count -= 1
            if not self.skip_identity(cursor):
                foreign += 1
            pos = cursor.pos
            if cursor.end - pos > 1 and cursor.buf[pos] < 128 and cursor.buf[pos + 1] < 3:
                cursor.pos = pos + 2  # a small incarnation is one byte in either codec
            elif cursor.ok:
                self.skip_u16(cursor)
                if cursor.ok:
                    self.skip_index(cursor, 3)
        return foreign

    def read_header(self, cursor: "Cursor") -> int:
        """Read a header into the rows SRC, DST and THIRD; returns tag | number << 4.

        -1: malformed. -2: well-formed, but one of its addresses has a family that this layout
        cannot hold; the three rows may hold anything then. `is_for_us` tells that the destination
        is our identity in its usual form; the row DST was not touched in that case.
        """
        native = self._take_identity(cursor, _SRC)
        tag = cursor.pos
        if tag < cursor.end and cursor.buf[tag] < 128:  # a small incarnation, in either codec
            self._incarnations[_SRC] = cursor.buf[tag]
            cursor.pos = tag + 1
        else:
            self.skip_u16(cursor)
            if cursor.ok:
                self.read_u16(cursor.buf, tag)
                self._incarnations[_SRC] = self.value
        if cursor.ok:
            self.is_for_us = self._skip_own(cursor)
            if not self.is_for_us and not self._take_identity(cursor, _DST):
                native = False
        tag = self.skip_index(cursor, _TAGS) if cursor.ok else 0
        if cursor.ok and FLAGS[tag] & _HAS_THIRD and not self._take_identity(cursor, _THIRD):
            native = False
        if cursor.ok and FLAGS[tag] & _HAS_NUMBER:
            tag |= cursor.read_u8() << 4
        if not cursor.ok:
            return _MALFORMED
        return tag if native else _FOREIGN

    def _take_identity(self, cursor: "Cursor", row: int) -> bool:
        """Validate an identity and read it into `row`; returns whether this layout can hold it."""
        pos = cursor.pos
        if not self.skip_identity(cursor):
            return False
        self.read_identity(cursor.buf, pos, row * self.width)
        return True

    def _skip_own(self, cursor: "Cursor") -> bool:
        """Pass our own identity in its usual form; False, and nothing passed, for any other."""
        own = self._own
        buf = cursor.buf
        i = self._own_bytes
        pos = cursor.pos + i
        if not i or pos > cursor.end:
            return False
        while i > 1:
            if buf[pos - 1] != own[i - 1] or buf[pos - 2] != own[i - 2]:
                return False
            pos -= 2
            i -= 2
        if i and buf[pos - 1] != own[0]:
            return False
        cursor.pos += self._own_bytes
        return True

    def skip_foreign(self, cursor: "Cursor") -> bool:
        """Whether the validated member ahead is foreign; if so pass it, else stay."""
        start = cursor.pos
        if self.skip_identity(cursor):
            cursor.pos = start
            return False
        cursor.pos = start
        self.skip_members(cursor, 1)
        return True

    # reading what was validated: positions in, positions out

    def read_octets(self, buf: bytes | bytearray, pos: int, at: int) -> int:
        """Read family and octets into the record at byte `at`; returns where they end."""
        ids = self.ids
        count = left = self._octets
        if self._tag >= 0:
            pos = self.read_index(buf, pos)
            if self._tag == _BOTH:
                ids[at] = self.value
                at += 1
                if not self.value:
                    count = 4  # the other twelve octets are zero: records must compare
        while left:
            left -= 1
            if count:
                count -= 1
                ids[at] = buf[pos]
                pos += 1
            else:
                ids[at] = 0
            at += 1
        return pos

    def read_index(self, buf: bytes | bytearray, pos: int) -> int:
        if buf[pos] > 127:
            return self.read_index_long(buf, pos)
        self.value = buf[pos]
        return pos + 1
