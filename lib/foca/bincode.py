"""The bincode 2 `standard()` codec: a marker byte, then little-endian bytes. Floor 2.

    below 251     one byte
    0xfb, 0xfc, 0xfd: 2, 4 or 8 bytes follow, low byte first
    enum index    a u32

A marker above the width of the type is an error (0xfb is the largest for u16, 0xfc for u32 and
indexes, 0xfd for u64); longer forms than necessary are accepted, as in the reference. See codec.py
for the rules.
Source: docs/WIRE.md.
"""

from ._port import const
from .codec import Codec

_TYPING = const(0)
if _TYPING:
    from .broadcast import VersionedHandler
    from .cursor import Cursor
    from .members import Members

_BOTH = const(2)
_U16 = const(251)
_U32 = const(252)
_U64 = const(253)


class Bincode(Codec):
    def __init__(self, members: "Members | VersionedHandler") -> None:
        Codec.__init__(self, members)
        self._marker_max = _U16 if self.bump_width == 2 else _U32 if self.bump_width == 4 else _U64

    def _skip_int(self, cursor: "Cursor", marker_max: int) -> None:
        """Pass an integer whose marker is at most `marker_max`."""
        marker = cursor.read_u8()
        if marker > marker_max:
            cursor.ok = False
        elif marker >= _U16:
            cursor.pos += 2 << marker - _U16
            if cursor.pos > cursor.end:
                cursor.pos = cursor.end
                cursor.ok = False

    def skip_identity(self, cursor: "Cursor") -> bool:
        native = True
        count = self._octets
        if self._tag >= 0:
            count = self.skip_index(cursor, 2)
            native = count == self._tag or self._tag == _BOTH
            count = 16 if count else 4
        if cursor.end - cursor.pos < count:
            cursor.ok = False
        if cursor.ok:
            cursor.pos += count
            if self._has_port:
                self.skip_u16(cursor)
            if self.bump_width and cursor.ok:
                self._skip_int(cursor, self._marker_max)
        return native and cursor.ok

    def skip_u16(self, cursor: "Cursor") -> None:
        self._skip_int(cursor, _U16)

    def skip_index_long(self, cursor: "Cursor") -> int:
        """Pass an index in its longer forms; returns its value, or 128 for anything above 127."""
        pos = cursor.pos
        self._skip_int(cursor, _U32)
        if cursor.ok:
            self.read_index_long(cursor.buf, pos)
        return self.value

    def read_index_long(self, buf: bytes | bytearray, pos: int) -> int:
        value = buf[pos]
        pos += 1
        if value >= _U16:
            count = 2 << value - _U16
            value = buf[pos]
            while True:
                pos += 1
                count -= 1
                if not count:
                    break
                if buf[pos]:
                    value = 128
        self.value = value
        return pos

    def read_u16(self, buf: bytes | bytearray, pos: int) -> int:
        value = buf[pos]
        if value == _U16:
            pos += 2
            value = buf[pos - 1] | buf[pos] << 8
        self.value = value
        return pos + 1

    def read_identity(self, buf: bytes | bytearray, pos: int, at: int) -> int:
        ids = self.ids
        pos = self.read_octets(buf, pos, at)
        at += self._port_at
        if self._has_port:
            pos = self.read_u16(buf, pos)
            ids[at] = self.value >> 8
            ids[at + 1] = self.value & 255
            at += 2
        return self._read_bump(buf, pos, at) if self.bump_width else pos

    def _read_bump(self, buf: bytes | bytearray, pos: int, stop: int) -> int:
        """Read into the big-endian bytes of the table that start at `stop`."""
        at = stop + self.bump_width
        count = 1
        if buf[pos] >= _U16:
            count = 2 << buf[pos] - _U16
            pos += 1
        while at > stop:
            at -= 1
            if count:
                self.ids[at] = buf[pos]
                pos += 1
                count -= 1
            else:
                self.ids[at] = 0
        return pos

    def read_member(self, cursor: "Cursor", row: int) -> None:
        """Read the validated, native member at the cursor into `row` and pass it."""
        buf = cursor.buf
        pos = self.read_identity(buf, cursor.pos, row * self.width)
        pos = self.read_u16(buf, pos)
        self._incarnations[row] = self.value
        cursor.pos = self.read_index(buf, pos)
        self._states[row] = self.value

    def u16_bytes(self, value: int) -> int:
        return 1 if value < _U16 else 3

    def bump_bytes(self, i: int) -> int:
        """The length on the wire of the bump whose big-endian bytes end at `i` (exclusive)."""
        at = i - self.bump_width
        i -= 1
        while at < i and not self.ids[at]:
            at += 1
        i -= at
        if i:
            return 3 if i < 2 else 5 if i < 4 else 9
        return 1 if self.ids[at] < _U16 else 3

    def write_u16(self, buf: bytearray, pos: int, value: int) -> int:
        if value < _U16:
            buf[pos] = value
            return pos + 1
        buf[pos] = _U16
        buf[pos + 1] = value & 255
        buf[pos + 2] = value >> 8
        return pos + 3

    def write_identity(self, buf: bytearray, pos: int, at: int) -> int:
        """Write the record at byte `at` of the table; returns the position after it."""
        ids = self.ids
        pos = self.write_octets(buf, pos, at)
        at += self._port_at
        if self._has_port:
            self.value = ids[at] << 8 | ids[at + 1]
            pos = self.write_u16(buf, pos, self.value)
            at += 2
        at += self.bump_width
        return self._write_bump(buf, pos, at) if self.bump_width else pos

    def _write_bump(self, buf: bytearray, pos: int, at: int) -> int:
        """Write the big-endian bytes of the table that end at `at` (exclusive)."""
        count = self.bump_bytes(at) - 1
        if count:
            buf[pos] = _U16 + (count >> 2)
            pos += 1
        else:
            count = 1
        while count:
            at -= 1
            buf[pos] = self.ids[at]
            pos += 1
            count -= 1
        return pos
