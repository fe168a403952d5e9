"""What the application's calls do, behind the guard in node.py. Floor 3.

Each takes the node and returns a status; arguments wait in the row CALL, in the inbox cursor, or
in `passes_on`.
"""

from ._port import const
from .effects import reconsider
from .outgoing import send
from .probing import fire
from .selfhood import apply_update

_TYPING = const(0)
if _TYPING:
    from .node import Foca

_DECODE = const(3)
_OK = const(0)
_FOREIGN_MEMBERS = const(17)
_REFUSED_MEMBERS = const(18)
_TABLE_FULL = const(14)
_UPDATE = const(4)
_CALL = const(7)
_ANNOUNCE = const(6)
_BROADCAST = const(9)


def tick(foca: "Foca") -> int:
    """Fire what is due at `now_ms`, the earliest first, `timers_per_tick_max` at most."""
    left = foca.config.timers_per_tick_max
    while left:
        kind = foca.timers.due(foca.now_ms)
        if kind < 0:
            break
        foca.count(fire(foca, kind))
        left -= 1
    return _OK


def announce(foca: "Foca") -> int:
    """Announce to the identity in CALL."""
    return send(foca, _CALL, _ANNOUNCE, 0)


def broadcast(foca: "Foca") -> int:
    """Send the custom broadcasts to some members that want them, until none is left."""
    items = foca.items
    if not items or not items.count:
        return _OK
    count = foca.picker.choose(foca.config.num_indirect_probes, 0, 0, foca.handler)
    status = _OK
    i = 0
    while i < count and items.count and not status:
        status = send(foca, foca.picker.rows[i], _BROADCAST, 0)
        i += 1
    return status


def dump(foca: "Foca", buf: bytearray) -> int:
    """Write all known members into `buf`; returns the number of bytes, or -1: it is too small."""
    members = foca.members
    i = pos = 0
    while i < members.count:
        if foca.codec.member_bytes(members.order[i]) > len(buf) - pos:
            return -1
        pos = foca.codec.write_member(buf, pos, members.order[i])
        i += 1
    return pos


def apply_many(foca: "Foca") -> int:
    """Apply the members in the inbox, after validating all of them."""
    cursor = foca.inbox
    while cursor.pos < cursor.end:
        foca.codec.skip_members(cursor, 1)
        if not cursor.ok:
            return _DECODE
    cursor.pos = 0
    refused = foca.counters[_REFUSED_MEMBERS]
    status = _OK
    while cursor.pos < cursor.end and not status:
        if foca.codec.skip_foreign(cursor):
            foca.counters[_FOREIGN_MEMBERS] += 1
        else:
            foca.codec.read_member(cursor, _UPDATE)
            status = apply_update(foca, foca.passes_on)
    if status and foca.config.strict:  # the reference stops half way
        return status
    reconsider(foca)
    if not status and refused != foca.counters[_REFUSED_MEMBERS]:
        return _TABLE_FULL
    return status
