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
        """As the base, but at once; anything unusual and a packet's last bytes are left to it."""
        buf = cursor.buf
        pos = cursor.pos
        # an IPv6 address is longer than any identity of an IPv4 table: it goes to the base too
        if cursor.end - pos < self._identity_bytes_max or (
            self._tag >= 0 and buf[pos] > (self._tag and 1)
        ):
            return Codec.skip_identity(self, cursor)
        native = True
        if self._tag >= 0:
            native = self._tag == buf[pos] or self._tag == _BOTH
            pos += 17 if buf[pos] else 5
        else:
            pos += self._octets
        if self._has_port:
            if buf[pos] > 127:
                pos += 1
                if buf[pos] > 127:
                    pos += 1
                    if buf[pos] > 3:
                        return Codec.skip_identity(self, cursor)
            pos += 1
        left = self._bump_count_max
        if left:
            while left > 1 and buf[pos] > 127:
                left -= 1
                pos += 1
            if left == 1 and buf[pos] > self._bump_last_max:
                return Codec.skip_identity(self, cursor)
            pos += 1
        cursor.pos = pos
        return native

    def skip_u16(self, cursor: "Cursor") -> None:
        self._skip_varint(cursor, 3, 3)

    def skip_bump(self, cursor: "Cursor") -> None:
        self._skip_varint(cursor, self._bump_count_max, self._bump_last_max)

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

    def read_bump(self, buf: bytes | bytearray, pos: int, i: int) -> int:
        """Read into the big-endian bytes of the table that end at `i` (exclusive)."""
        stop = i - self.bump_width
        bits = value = 0
        while True:
            value |= (buf[pos] & 127) << bits
            bits += 7
            if bits > 7:
                i -= 1
                self.ids[i] = value & 255
                value >>= 8
                bits -= 8
            pos += 1
            if buf[pos - 1] < 128:
                break
        while i > stop:
            i -= 1
            self.ids[i] = value
            value = 0
        return pos

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

    def write_bump(self, buf: bytearray, pos: int, i: int) -> int:
        """Write the big-endian bytes of the table that end at `i` (exclusive)."""
        at = i - self.bump_width
        while at < i and not self.ids[at]:
            at += 1
        bits = value = 0
        while True:
            if bits < 7 and i > at:
                i -= 1
                value |= self.ids[i] << bits
                bits += 8
            if i == at and value < 128:
                break
            buf[pos] = value & 127 | 128
            pos += 1
            value >>= 7
            bits -= 7
        buf[pos] = value
        return pos + 1
