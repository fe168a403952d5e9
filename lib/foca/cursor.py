"""A bounded position in one bytearray, for reading and for writing. Floor 1.

Invariant: 0 <= pos <= end <= len(buf). `ok` is sticky: the first access that would cross `end`
clears it, reads give 0 from then on and writes write nothing, so that a caller checks once, at the
end. `mark` is `pos`; to rewind, set `pos` back and `ok` to True. Multi-byte prefixes that the
protocol itself writes (member count, item length) are big-endian whatever the codec.
"""


class Cursor:
    def __init__(self) -> None:
        self.buf: bytearray = b""  # type: ignore[assignment]
        self.pos = 0
        self.end = 0
        self.ok = True

    def open(self, buf: bytes | bytearray, pos: int, end: int) -> None:
        """Stand at `pos` in `buf`, bounded by `end` (exclusive). Who writes opens a bytearray."""
        self.buf = buf  # type: ignore[assignment]
        self.pos = pos
        self.end = end
        self.ok = True

    def left(self) -> int:
        """Bytes between the position and the end."""
        return self.end - self.pos

    def read_u8(self) -> int:
        """The next byte; 0 and not `ok` at the end."""
        pos = self.pos
        if pos < self.end:
            self.pos = pos + 1
            return self.buf[pos]
        self.ok = False
        return 0

    def read_u16be(self) -> int:
        """The next two bytes, high one first; 0 and not `ok` when fewer are left."""
        pos = self.pos
        if self.end - pos >= 2:
            self.pos = pos + 2
            return self.buf[pos] << 8 | self.buf[pos + 1]
        self.ok = False
        return 0

    def write_u8(self, value: int) -> None:
        """Write one byte 0 .. 255."""
        pos = self.pos
        if pos < self.end:
            self.buf[pos] = value
            self.pos = pos + 1
        else:
            self.ok = False

    def write_u16be(self, value: int) -> None:
        """Write 0 .. 65535 as two bytes, high one first."""
        pos = self.pos
        if self.end - pos >= 2:
            buf = self.buf
            buf[pos] = value >> 8
            buf[pos + 1] = value & 255
            self.pos = pos + 2
        else:
            self.ok = False

    def copy_out(self, target: bytearray, at: int, count: int) -> None:
        """Read `count` bytes into `target[at:at + count]`; nothing happens when fewer are left."""
        pos = self.pos
        if self.end - pos < count:
            self.ok = False
            return
        buf = self.buf
        self.pos = pos + count
        while count:
            target[at] = buf[pos]
            at += 1
            pos += 1
            count -= 1

    def copy_in(self, source: bytes | bytearray, at: int, count: int) -> None:
        """Write `source[at:at + count]`; nothing is written when it does not fit."""
        pos = self.pos
        if self.end - pos < count:
            self.ok = False
            return
        buf = self.buf
        self.pos = pos + count
        while count:
            buf[pos] = source[at]
            at += 1
            pos += 1
            count -= 1
