"""A bounded position in the bytes of one datagram. Floor 1.

Invariant: 0 <= pos <= end <= len(buf). `ok` is sticky: the first read that would cross `end`
clears it and gives 0, so that a caller checks once, at the end. `mark` is `pos`; to rewind, set
`pos` back and `ok` to True. Multi-byte prefixes that the protocol itself writes (member count,
item length) are big-endian whatever the codec. Who writes sees to it first that it fits, then
writes in place and moves `pos`.
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
