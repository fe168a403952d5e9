"""The postcard 1.x codec: integers as LEB128 varints, low group first. Floor 2.

    u16         7 bits per byte, the high bit set when more follow; at most 3 bytes, the third at
                most 0x03
    u32, u64    the same; at most 5 and 10 bytes, the last permitted one at most 0x0f and 0x01
    enum index  a u32

Longer forms than necessary are accepted, as in the reference. See codec.py for the rules.
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


class Postcard(Codec):
    def __init__(self, members: "Members | VersionedHandler") -> None:
        Codec.__init__(self, members)
        bits = self.bump_width * 8
        self._bump_count_max = (bits + 6) // 7
        self._bump_last_max = (1 << bits % 7) - 1

    def _skip_varint(self, cursor: "Cursor", count_max: int, last_max: int) -> None:
        """Pass a varint of at most `count_max` bytes, the last possible one at most `last_max`."""
        buf = cursor.buf
        pos = cursor.pos
        while pos < cursor.end:
            count_max -= 1
            if count_max == 0 and buf[pos] > last_max:
                break
            pos += 1
            if buf[pos - 1] < 128:
                cursor.pos = pos
                return
        cursor.ok = False

    def skip_identity(self, cursor: "Cursor") -> bool:
        native = True
        buf = cursor.buf
        pos = cursor.pos
        end = cursor.end
        left = self._octets
        if self._tag >= 0:
            if pos < end and buf[pos] < 2:
                left = buf[pos]
                pos += 1
            else:
                left = self.skip_index(cursor, 2)
                pos = cursor.pos
            native = left == self._tag or self._tag == _BOTH
            left = 16 if left else 4
        pos += left
        if self._has_port:
            if pos < end and buf[pos] > 127:
                pos += 1
                if pos < end and buf[pos] > 127:
                    pos += 1
                    if pos < end and buf[pos] > 3:
                        cursor.ok = False
            pos += 1
        left = self._bump_count_max
        if left:
            while left > 1 and pos < end and buf[pos] > 127:
                left -= 1
                pos += 1
            if left == 1 and pos < end and buf[pos] > self._bump_last_max:
                cursor.ok = False
            pos += 1
        if pos > end or not cursor.ok:
            cursor.ok = False
            return False
        cursor.pos = pos
        return native

    def skip_u16(self, cursor: "Cursor") -> None:
        self._skip_varint(cursor, 3, 3)

    def skip_index_long(self, cursor: "Cursor") -> int:
        """Pass an index of two to five bytes; returns its value, or 128 for anything above 127."""
        pos = cursor.pos
        self._skip_varint(cursor, 5, 15)
        if cursor.ok:
            self.read_index_long(cursor.buf, pos)
        return self.value

    def read_index_long(self, buf: bytes | bytearray, pos: int) -> int:
        value = buf[pos] & 127
        while buf[pos] > 127:
            pos += 1
            if buf[pos] & 127:
                value = 128
        self.value = value
        return pos + 1

    def read_u16(self, buf: bytes | bytearray, pos: int) -> int:
        value = buf[pos]
        if value > 127:
            pos += 1
            value = value & 127 | (buf[pos] & 127) << 7
            if buf[pos] > 127:
                pos += 1
                value |= buf[pos] << 14
        self.value = value
        return pos + 1

    def read_identity(self, buf: bytes | bytearray, pos: int, at: int) -> int:
        ids = self.ids
        if self._tag or buf[pos]:
            pos = self.read_octets(buf, pos, at)
            at += self._port_at
        else:  # IPv4 with a family
            ids[at] = buf[pos + 1]
            ids[at + 1] = buf[pos + 2]
            ids[at + 2] = buf[pos + 3]
            ids[at + 3] = buf[pos + 4]
            pos += 5
            at += 4
        if self._has_port:
            value = buf[pos]
            if value > 127:
                pos += 1
                value = value & 127 | (buf[pos] & 127) << 7
                if buf[pos] > 127:
                    pos += 1
                    value |= buf[pos] << 14
            pos += 1
            ids[at] = value >> 8
            ids[at + 1] = value & 255
            at += 2
        if self.bump_width:
            at += self.bump_width
            pos = self._read_bump(buf, pos, at)
        return pos

    def _read_bump(self, buf: bytes | bytearray, pos: int, at: int) -> int:
        """Read into the big-endian bytes of the table that end at `at` (exclusive)."""
        ids = self.ids
        stop = at - self.bump_width
        bits = value = 0
        while buf[pos] > 127:
            value |= (buf[pos] & 127) << bits
            pos += 1
            if bits:
                at -= 1
                ids[at] = value & 255
                value >>= 8
                bits -= 1
            else:
                bits = 7
        value |= buf[pos] << bits
        while at > stop:
            at -= 1
            ids[at] = value & 255
            value >>= 8
        return pos + 1

    def read_member(self, cursor: "Cursor", row: int) -> None:
        """Read the validated, native member at the cursor into `row` and pass it."""
        buf = cursor.buf
        pos = self.read_identity(buf, cursor.pos, row * self.width)
        if buf[pos] < 128 and buf[pos + 1] < 128:
            self._incarnations[row] = buf[pos]
            self._states[row] = buf[pos + 1]
            cursor.pos = pos + 2
        else:
            pos = self.read_u16(buf, pos)
            self._incarnations[row] = self.value
            cursor.pos = self.read_index(buf, pos)
            self._states[row] = self.value

    def u16_bytes(self, value: int) -> int:
        return 1 if value < 128 else 2 if value < 16384 else 3

    def bump_bytes(self, i: int) -> int:
        """The length on the wire of the bump whose big-endian bytes end at `i` (exclusive)."""
        at = i - self.bump_width
        i -= 1
        while at < i and not self.ids[at]:
            at += 1
        bits = (i - at) * 8 + 6
        value = self.ids[at] or 1
        while value:
            value >>= 1
            bits += 1
        return bits // 7

    def write_u16(self, buf: bytearray, pos: int, value: int) -> int:
        while value > 127:
            buf[pos] = value & 127 | 128
            pos += 1
            value >>= 7
        buf[pos] = value
        return pos + 1

    def write_identity(self, buf: bytearray, pos: int, at: int) -> int:
        """Write the record at byte `at` of the table; returns the position after it."""
        ids = self.ids
        if self._tag:
            pos = self.write_octets(buf, pos, at)
            at += self._port_at
        else:  # IPv4 with a family
            buf[pos] = 0
            buf[pos + 1] = ids[at]
            buf[pos + 2] = ids[at + 1]
            buf[pos + 3] = ids[at + 2]
            buf[pos + 4] = ids[at + 3]
            pos += 5
            at += 4
        if self._has_port:
            value = ids[at] << 8 | ids[at + 1]
            while value > 127:
                buf[pos] = value & 127 | 128
                pos += 1
                value >>= 7
            buf[pos] = value
            pos += 1
            at += 2
        if self.bump_width:
            at += self.bump_width
            pos = self._write_bump(buf, pos, at)
        return pos

    def _write_bump(self, buf: bytearray, pos: int, i: int) -> int:
        """Write the big-endian bytes of the table that end at `i` (exclusive)."""
        ids = self.ids
        at = i - self.bump_width
        while at < i and not ids[at]:
            at += 1
        if at == i:
            buf[pos] = 0
            return pos + 1
        bits = value = 0
        while i > at:
            i -= 1
            if bits == 7:
                buf[pos] = value | 128
                pos += 1
                bits = value = 0
            value |= ids[i] << bits
            bits += 1
            buf[pos] = value & 127 | 128
            pos += 1
            value >>= 7
        if not value:
            pos -= 1
            value = buf[pos] & 127
        buf[pos] = value
        return pos + 1
