"""The two loops that run once for each update of a datagram, as machine code. Floor 4.

    from foca import fast

    fast.install()        # for every node of this program, before or after it was made

For IPv4 socket addresses in postcard, the default; any other node goes on as before. On a
MicroPython that compiles to machine code (esp32, rp2, unix) this file must be there as source, or
compiled for the very processor: a .mpy with machine code runs on no other. docs/DECISIONS.md has
what it gains; nothing but time changes.

Rules: machine code checks no bounds, so `_pass_members` looks at `end` before each byte, and
`_apply_known` reads only what was validated. What is rare (a foreign or unknown member, a Down,
somebody whose address hangs in the chain of our own) is left to receive.py, at that very update.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, no-any-return"

from . import receive
from ._port import MICROPYTHON, const
from .codec import Codec
from .postcard import Postcard
from .selfhood import apply_update

_TYPING = const(0)
if _TYPING:
    from .cursor import Cursor
    from .node import Foca

if MICROPYTHON:
    import micropython
else:

    class micropython:  # noqa: N801 the compiler of MicroPython knows the decorator by this name
        @staticmethod
        def viper(function):
            return function

    def ptr8(buf):
        return buf

    ptr16 = ptr32 = ptr8

_UPDATE = const(4)
_GONE = const(8)
_OK = const(0)

_PLAIN = receive._apply_updates


def install(on: bool = True) -> None:
    """Use the machine code from now on, or, with False, no longer."""
    receive._apply_updates = _apply_updates if on else _PLAIN
    if on:
        Postcard.skip_members = _skip_members  # type: ignore[method-assign, assignment]
    else:
        Postcard.skip_members = Codec.skip_members  # type: ignore[method-assign]


def _skip_members(self: Postcard, cursor: "Cursor", count: int) -> int:
    """As Codec.skip_members; what is unusual is left to it."""
    if self._tag == 0:
        count = _pass_members(self, cursor, count)
    return Codec.skip_members(self, cursor, count) if count else 0


@micropython.viper
def _pass_members(codec, cursor, count: int) -> int:
    """Pass members as long as they are usual; returns how many are left."""
    buf = ptr8(cursor.buf)
    pos = int(cursor.pos)
    end = int(cursor.end)
    groups = int(codec._bump_count_max)
    while count > 0 and end - pos > 8 and buf[pos] == 0:
        at = pos + 5
        if buf[at] > 127:
            at += 1
            if buf[at] > 127:
                at += 1
                if buf[at] > 3:
                    break
        at += 1
        left = groups
        if left > 0:
            while left > 1 and at < end and buf[at] > 127:
                left -= 1
                at += 1
            if left == 1:  # as long as it can be: see whether it is too large
                break
            at += 1
        if end - at < 2 or buf[at] > 127 or buf[at + 1] > 2:
            break
        pos = at + 2
        count -= 1
    cursor.pos = pos
    return count


def _apply_updates(foca: "Foca", cursor: "Cursor") -> int:
    """As in receive.py."""
    left = foca.updates
    if type(foca.codec) is not Postcard or foca.layout.tag or foca.members.left[_GONE]:
        return _PLAIN(foca, cursor)
    while left:
        left = _apply_known(foca, cursor, left)
        if left:
            left -= 1
            if not foca.foreign or not foca.codec.skip_foreign(cursor):
                foca.codec.read_member(cursor, _UPDATE)
                status = apply_update(foca, True)
                if status:
                    return status
            if foca.members.left[_GONE]:
                foca.updates = left
                return _PLAIN(foca, cursor)
    return _OK


@micropython.viper
def _read_known(ids_of, buf_of, pos: int, update: int) -> int:
    """Read the identity at `pos` into the record at byte `update`; returns where it ends."""
    ids = ptr8(ids_of)
    buf = ptr8(buf_of)
    i = 0
    while i < 4:
        ids[update + i] = buf[pos + 1 + i]
        i += 1
    pos += 5
    value = buf[pos]
    if value > 127:
        pos += 1
        value = value & 127 | (buf[pos] & 127) << 7
        if buf[pos] > 127:
            pos += 1
            value |= buf[pos] << 14
    ids[update + 4] = value >> 8
    ids[update + 5] = value & 255
    return pos + 1


@micropython.viper
def _read_bump(ids_of, buf_of, pos: int, i: int) -> int:
    """Read the bump at `pos` into the bytes that end at `i`, 64 bits at most; where it ends.

    Bytes in front that the bump does not reach are left: they must be zero.
    """
    ids = ptr8(ids_of)
    buf = ptr8(buf_of)
    bits = value = 0
    while buf[pos] > 127:
        value |= (buf[pos] & 127) << bits
        pos += 1
        if bits > 0:
            i -= 1
            ids[i] = value & 255
            value >>= 8
            bits -= 1
        else:
            bits = 7
    value |= buf[pos] << bits
    while value > 0:
        i -= 1
        ids[i] = value & 255
        value >>= 8
    return pos + 1


@micropython.viper
def _find_known(members, update: int) -> int:
    """The active member with exactly the identity at byte `update`, or 0; see Records.match."""
    ids = ptr8(members.ids)
    width = int(members.width)
    row = ids[update + 2] * 19 ^ ids[update + 3] * 5 ^ ids[update + 5]
    row &= int(members._bucket_mask)
    if row == int(members._own_bucket):
        return 0
    is_wide = int(members.rows) > 255
    links = ptr8(members.links)
    wide_links = ptr16(members.links)
    if is_wide:
        row = ptr16(members.heads)[row]
    else:
        row = ptr8(members.heads)[row]
    while row > 0:
        i = width
        known = row * width
        while i > 0:
            i -= 1
            if ids[known + i] != ids[update + i]:
                i = -1
        if i == 0:
            if ptr8(members.states)[row] > 1:
                return 0
            return row
        if is_wide:
            row = wide_links[row]
        else:
            row = links[row]
    return 0


@micropython.viper
def _apply_known(foca, cursor, left: int) -> int:
    """Apply updates as long as they are of known members and no Down; how many are left."""
    members = foca.members
    ids = ptr8(members.ids)
    states = ptr8(members.states)
    incarnations = ptr16(members.incarnations)
    suspects = ptr32(members.suspects)
    lengths = ptr8(members.lengths)
    lefts = ptr8(members.left)
    width = int(members.width)
    is_strict = bool(foca.config.strict)
    transmissions = int(foca.config.max_transmissions)
    told = False
    buf = ptr8(cursor.buf)
    pos = int(cursor.pos)
    while left > 0 and buf[pos] == 0:
        at = int(_read_known(members.ids, cursor.buf, pos, 4 * width))
        i = 4 * width + 6
        while i < 5 * width:
            ids[i] = 0
            i += 1
        if width > 6:
            at = int(_read_bump(members.ids, cursor.buf, at, i))
        news = buf[at]
        state = buf[at + 1]
        row = int(_find_known(members, 4 * width))
        if news > 127 or state > 1 or row == 0:
            break
        if news > incarnations[row] or (news == incarnations[row] and state > states[row]):
            states[row] = state
            incarnations[row] = news
            lengths[row] = 0
            if not is_strict:
                suspects[row] = 0
            lefts[row] = transmissions
            told = True
        pos = at + 2
        left -= 1
    cursor.pos = pos
    if told and transmissions > int(foca.backlog.top):
        foca.backlog.top = transmissions
    return left
