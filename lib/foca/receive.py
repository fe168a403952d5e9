"""React to one datagram. Floor 3.

    too long? decode header; from ourselves? malformed? for us? validate all members
    -- nothing was changed so far
    the sender is alive; then its updates; then its custom broadcasts; then the answer

Invariant: a datagram is either refused whole, with a status and nothing changed, or its sender and
updates are applied. Only a bad custom section is found later: what stood before it stays applied,
and the message is answered.
Hardened: an Announce to 255.255.255.255 is for us too. About three of those who hear it answer,
within 0.4 s, and not when the newcomer has shown in the meantime that it knows us: fifty boards
must not answer at once.
Source: docs/WIRE.md, "Receiving".
"""

from ._port import const
from .custom import take_items
from .effects import apply, follow, reconsider
from .outgoing import send, turn_undead
from .selfhood import about_us, apply_update, jump

_TYPING = const(0)
if _TYPING:
    from .cursor import Cursor
    from .members import Members
    from .node import Foca

_DATAGRAMS_RECEIVED = const(28)
_DATA_FROM_OURSELVES = const(4)
_DATA_RECEIVED = const(8)
_DATA_TOO_BIG = const(1)
_DECODE = const(3)
_FEEDS_LIMITED = const(22)
_FOREIGN_ADDRESS = const(13)
_FOREIGN_MEMBERS = const(17)
_INDIRECT_FOR_OURSELVES = const(5)
_FEEDERS = const(3)
_FEED_WITHIN_MS = const(400)
_LIMIT_FEED = const(2)
_LIMIT_RELAY = const(1)
_MALFORMED_PACKET = const(2)
_NOT_FOR_US = const(16)
_OK = const(0)
_RELAYS_LIMITED = const(21)
_TIMER_FEED = const(7)
_SELF = const(0)
_SRC = const(1)
_DST = const(2)
_THIRD = const(3)
_UPDATE = const(4)
_PROBED = const(6)
_ALIVE = const(0)
_DOWN = const(2)
_PING = const(0)
_ACK = const(1)
_PING_REQ = const(2)
_INDIRECT_PING = const(3)
_INDIRECT_ACK = const(4)
_FORWARDED_ACK = const(5)
_ANNOUNCE = const(6)
_FEED = const(7)
_BROADCAST = const(9)
_TURN_UNDEAD = const(10)
_FOREIGN = const(-2)
_CONNECTED = const(1)
_UNDEAD = const(2)
_IS_ACTIVE = const(1)
_LOST = const(16)
_REFUSED = const(32)


def receive(foca: "Foca") -> int:
    """React to the datagram in the inbox; returns a status."""
    cursor = foca.inbox
    status = _accept(foca, cursor)
    if status:
        return status
    if foca.head < 0:
        foca.counters[_NOT_FOR_US] += 1
        return _OK
    foca.counters[_DATAGRAMS_RECEIVED] += 1
    if foca.config.notify_data:
        foca.message_tag = foca.head & 15
        foca.message_number = foca.head >> 4
        foca.message_third = _THIRD
        foca.runtime.notify(_DATA_RECEIVED, _SRC)
    if not _source_counts(foca, foca.members):
        return _answer_inactive(foca)
    if foca.newcomer and foca.newcomer == foca.members.row and foca.head & 15 != _ANNOUNCE:
        foca.newcomer = 0  # somebody has fed it already
    if foca.updates:
        status = _apply_updates(foca, cursor)
        if status:  # a gossip about ourselves could not be sent
            return status
    reconsider(foca)
    if foca.custom_at < cursor.end:
        cursor.pos = foca.custom_at
        status = take_items(foca, cursor)
    if foca.connection == _CONNECTED:
        status = _react(foca, foca.head & 15, foca.head >> 4) or status
    return status


def _source_counts(foca: "Foca", members: "Members") -> bool:
    """Apply the sender, which is alive; whether it is active, under the identity that counts."""
    row = members.row
    if row and members.incarnations[_SRC] <= members.incarnations[row]:
        return True  # nothing new, as most of the time
    members.states[_SRC] = _ALIVE
    row = apply(foca, _SRC, True)
    return not row & _LOST and row & (_IS_ACTIVE | _REFUSED) != 0


def _accept(foca: "Foca", cursor: "Cursor") -> int:
    """Everything that can refuse a datagram before it changes anything; returns a status.

    Leaves in foca.head: tag | number << 4, or -1 when it is for somebody else; in `updates` and
    `foreign` how many members follow at the cursor, in `custom_at` where the custom section
    starts, in `members.row` the active member with exactly the identity of the sender, or 0.
    """
    if cursor.end > foca.config.packet_bytes_max:
        return _DATA_TOO_BIG
    head = foca.head = foca.codec.read_header(cursor)
    if head < 0:
        return _FOREIGN_ADDRESS if head == _FOREIGN else _DECODE
    members = foca.members
    members.row = members.match(members.source)
    if not members.row and members.same_address(_SRC, _SELF):
        return _DATA_FROM_OURSELVES
    head &= 15
    if cursor.left() == 1 or (head == _ANNOUNCE and cursor.left()):
        return _MALFORMED_PACKET
    if not foca.codec.is_for_us and not members.same_identity(_DST, _SELF):
        if head != _ANNOUNCE or not (members.same_address(_DST, _SELF) or _is_to_all(foca)):
            foca.head = -1
            return _not_for_us(foca)
    foca.updates = foca.foreign = 0
    foca.custom_at = cursor.pos
    if head != _BROADCAST and cursor.left():
        foca.updates = cursor.read_u16be()
        head = cursor.pos
        foca.foreign = foca.codec.skip_members(cursor, foca.updates)
        if not cursor.ok:
            return _DECODE
        foca.counters[_FOREIGN_MEMBERS] += foca.foreign
        foca.custom_at = cursor.pos
        cursor.pos = head
    return _OK


def _is_to_all(foca: "Foca") -> bool:
    """Whether the row DST is 255.255.255.255 with our port. Strict: that is nobody."""
    members = foca.members
    octets = foca.layout.octets
    if foca.config.strict or octets != 4:
        return False
    at = _DST * members.width + foca.layout.octets_at
    while octets and members.ids[at] == 255:
        at += 1
        octets -= 1
    return not octets and members.same(_DST, _SELF, foca.layout.port_at, foca.layout.address_bytes)


def _not_for_us(foca: "Foca") -> int:
    """Nothing changes; hardened: when somebody talks to a later life of ours, we jump past it."""
    if foca.config.strict or foca.has_left or not foca.members.same_address(_DST, _SELF):
        return _OK
    if foca.members.wins(_DST, _SELF):
        foca.members.copy(_DST, _UPDATE)
        return jump(foca)
    return _OK


def _answer_inactive(foca: "Foca") -> int:
    """The sender is Down or an older identity: it can only tell us that we are Down ourselves."""
    if foca.head & 15 == _TURN_UNDEAD:
        status = about_us(foca, _DOWN, 0)
        if status or (foca.connection == _UNDEAD and not foca.config.strict):
            return status  # hardened: two Undead nodes do not tell each other so for ever
    return turn_undead(foca, _SRC)


def _apply_updates(foca: "Foca", cursor: "Cursor") -> int:
    """Apply the validated members, until a gossip about ourselves cannot be sent; that status."""
    members = foca.members
    left = foca.updates
    while left:
        left -= 1
        if foca.foreign and foca.codec.skip_foreign(cursor):
            continue
        foca.codec.read_member(cursor, _UPDATE)
        row = members.match(members.update)
        if row:
            outcome = members.refresh(row)
            if outcome:
                follow(foca, row, outcome, True)
        else:
            row = apply_update(foca, True)
            if row:
                return row
    return _OK


def _react(foca: "Foca", tag: int, number: int) -> int:
    """Answer a message from an active member; returns a status."""
    if tag == _PING:
        return send(foca, _SRC, _ACK | number << 4, 0)
    if tag == _ACK:
        foca.probe.receive_ack(_SRC, number)
    elif tag == _ANNOUNCE:
        return _answer_announce(foca)
    elif tag == _TURN_UNDEAD:
        return about_us(foca, _DOWN, 0)
    elif tag < _ANNOUNCE:
        if foca.members.same_identity(_THIRD, _SELF):
            return _INDIRECT_FOR_OURSELVES
        return _react_to_indirect(foca, tag, number << 4)
    return _OK


def _react_to_indirect(foca: "Foca", tag: int, number: int) -> int:
    """The four messages of an indirect probe. `number` is shifted already."""
    if tag == _INDIRECT_PING:
        return send(foca, _SRC, _INDIRECT_ACK | number, _THIRD)
    if tag == _FORWARDED_ACK:
        if foca.config.strict or foca.members.same_identity(_THIRD, _PROBED):
            foca.probe.receive_forwarded_ack(_SRC, number >> 4)
        return _OK
    if not foca.config.strict and not foca.members.find_identity(_THIRD):
        if not foca.limits.take(_LIMIT_RELAY, foca.now_ms):
            foca.counters[_RELAYS_LIMITED] += 1
            return _OK
    return send(
        foca, _THIRD, (_INDIRECT_PING if tag == _PING_REQ else _FORWARDED_ACK) | number, _SRC
    )


def _answer_announce(foca: "Foca") -> int:
    """Feed the sender at once; one that asked everybody later and perhaps, see above."""
    members = foca.members
    to_all = not foca.codec.is_for_us and _is_to_all(foca)
    if to_all and (foca.newcomer or members.rng.below(members.active) >= _FEEDERS):
        return _OK
    if not foca.config.strict and not foca.limits.take(_LIMIT_FEED, foca.now_ms):
        foca.counters[_FEEDS_LIMITED] += 1
        return _OK
    if not to_all:
        return send(foca, _SRC, _FEED, 0)
    foca.newcomer = members.row  # 0, nobody, when the table is full
    foca.timers.set(_TIMER_FEED, foca.now_ms, members.rng.below(_FEED_WITHIN_MS + 1))
    return _OK
