"""What both codecs share of writing; reading is in decoder.py. Floor 1.

Rules: `write_*` trusts that what it writes was seen to fit: positions in, positions out. `*_bytes`
gives the exact length beforehand. A codec is a subclass that supplies the integers: those that
decoder.py names, and `write_u16`, `write_identity`, `u16_bytes`, `bump_bytes`.
host_tests/support/codec_contract.py is the specification of the whole.
Source: docs/WIRE.md.
"""

from ._port import const  # noqa: I001 one import of decoder is smaller than two
from .decoder import FLAGS as FLAGS, Decoder

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable

_BOTH = const(2)
_HAS_NUMBER = const(4)
_HAS_THIRD = const(8)


class Codec(Decoder):
    if _TYPING:
        write_u16: Callable[[bytearray, int, int], int]
        write_identity: Callable[[bytearray, int, int], int]
        u16_bytes: Callable[[int], int]
        bump_bytes: Callable[[int], int]

    # writing what was seen to fit: positions in, positions out

    def know_own(self) -> None:
        """Remember what the row SELF looks like on the wire: to be called when it changed."""
        self._own_bytes = self.write_identity(self._own, 0, 0)

    def identity_bytes(self, row: int) -> int:
        """The exact length of the identity at `row` on the wire."""
        ids = self.ids
        at = row * self.width + self._layout.port_at
        count = self._octets
        if self._tag >= 0:
            count += 1
            if self._tag == _BOTH and not ids[row * self.width]:
                count -= 12
        if self._has_port:
            row = ids[at] << 8 | ids[at + 1]
            count += self.u16_bytes(row)
            at += 2
        if self.bump_width:
            count += self.bump_bytes(at + self.bump_width)
        return count

    def member_bytes(self, row: int) -> int:
        """The exact length of the member at `row` on the wire."""
        return self.identity_bytes(row) + self.u16_bytes(self._incarnations[row]) + 1

    def header_bytes(self, dst: int, tag: int, third: int) -> int:
        """The exact length of a header from the row SELF; `third`: for tags that have one."""
        flags = FLAGS[tag]
        count = 1 + self.identity_bytes(0) + self.identity_bytes(dst)
        if flags & _HAS_THIRD:
            count += self.identity_bytes(third)
        if flags & _HAS_NUMBER:
            count += 1
        return count + self.u16_bytes(self._incarnations[0])

    def write_octets(self, buf: bytearray, pos: int, at: int) -> int:
        """Write family and octets of the record at byte `at` of the table; returns where next."""
        ids = self.ids
        count = self._octets
        if self._tag >= 0:
            buf[pos] = self._tag
            if self._tag == _BOTH:
                buf[pos] = ids[at]
                at += 1
                if not buf[pos]:
                    count = 4
            pos += 1
        while count:
            buf[pos] = ids[at]
            pos += 1
            at += 1
            count -= 1
        return pos

    def write_member(self, buf: bytearray, pos: int, row: int) -> int:
        """Write the member at `row`, `member_bytes(row)` long; returns the position after it."""
        pos = self.write_identity(buf, pos, row * self.width)
        if self._incarnations[row] < 128:
            buf[pos] = self._incarnations[row]
            pos += 1
        else:
            pos = self.write_u16(buf, pos, self._incarnations[row])
        buf[pos] = self._states[row]
        return pos + 1

    def write_header(self, buf: bytearray, dst: int, head: int, third: int) -> int:
        """Write a header from the row SELF at the start of `buf`; returns its length.

        `head`: tag | number << 4; `third` counts only for tags that have one.
        """
        pos = 0
        while pos < self._own_bytes:
            buf[pos] = self._own[pos]
            pos += 1
        if self._incarnations[0] < 128:
            buf[pos] = self._incarnations[0]
            pos += 1
        else:
            self.value = self._incarnations[0]
            pos = self.write_u16(buf, pos, self.value)
        dst *= self.width
        pos = self.write_identity(buf, pos, dst)
        buf[pos] = head & 15
        pos += 1
        if FLAGS[head & 15] & _HAS_THIRD:
            third *= self.width
            pos = self.write_identity(buf, pos, third)
        if FLAGS[head & 15] & _HAS_NUMBER:
            buf[pos] = head >> 4
            pos += 1
        return pos
