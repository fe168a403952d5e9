"""Compose one datagram and hand it to the runtime. Floor 3, lowest step.

    header  [ count:u16be  members ]  [ len:u16be item ]*

Members come from the backlog, or for a Feed from the active members; items from the custom
broadcasts. A count is written, even a zero, whenever the message has one and more than two bytes
are left.
Rules: a packet never exceeds `send_bytes_max`; a header that does not fit is the status ENCODE and
nothing is sent.
Hardened: a Ping or IndirectPing to a member that we hold as Suspect always tells it so, because
only a suspect that hears of it can refute (Lifeguard's buddy system; the reference leaves it to
chance).
Source: docs/WIRE.md, "Filling a packet".
"""

from ._port import const
from .codec import FLAGS

_TYPING = const(0)
if _TYPING:
    from .node import Foca

_BYTES_SENT = const(27)
_DATAGRAMS_SENT = const(26)
_DATA_SENT = const(9)
_ENCODE = const(7)
_LIMIT_TURN_UNDEAD = const(0)
_OK = const(0)
_TURN_UNDEAD_LIMITED = const(20)
_PING = const(0)
_INDIRECT_PING = const(3)
_GOSSIP = const(8)
_TURN_UNDEAD = const(10)
_HAS_MEMBERS = const(1)
_HAS_CUSTOM = const(2)
_IS_FEED = const(16)
_SUSPECT = const(1)


def send(foca: "Foca", dst: int, head: int, third: int) -> int:
    """Send one message to the identity at row `dst`; returns a status.

    `head`: tag | number << 4. `third`: the row of the third party, for tags that have one.
    """
    out = foca.outbox
    out.end = foca.config.send_bytes_max
    if (
        foca.header_bytes_max > out.end
        and foca.codec.header_bytes(dst, head & 15, third) > out.end
    ):
        return _ENCODE
    out.pos = foca.codec.write_header(out.buf, dst, head, third)
    if FLAGS[head & 15]:
        _add_sections(foca, dst, head & 15)
    foca.counters[_DATAGRAMS_SENT] += 1
    foca.counters[_BYTES_SENT] = (foca.counters[_BYTES_SENT] + out.pos) & 0x3FFFFFFF
    foca.runtime.send_to(dst, out.buf, out.pos)
    if foca.config.notify_data:
        foca.message_tag = head & 15
        foca.message_number = head >> 4
        foca.message_third = third
        foca.runtime.notify(_DATA_SENT, dst)
    return _OK


def _add_sections(foca: "Foca", dst: int, tag: int) -> None:
    out = foca.outbox
    if FLAGS[tag] & _HAS_MEMBERS and out.end - out.pos > 2:
        out.pos += 2
        _fill(foca, dst, tag)
    if FLAGS[tag] & _HAS_CUSTOM and foca.items and foca.items.count and out.pos < out.end:
        if foca.handler.should_add_broadcast_data(dst):
            foca.items.fill(out)


def _fill(foca: "Foca", dst: int, tag: int) -> None:
    """Write the members section and, in front of it, their count."""
    out = foca.outbox
    start = out.pos
    if FLAGS[tag] & _IS_FEED:
        count = _feed(foca, dst)
    elif tag == _PING or tag == _INDIRECT_PING:
        count = _tell_suspect(foca, dst)
    else:
        count = foca.backlog.fill(out)
    out.buf[start - 2] = count >> 8
    out.buf[start - 1] = count & 255


def _feed(foca: "Foca", dst: int) -> int:
    """Write random active members, never the receiver, until one does not fit; how many."""
    out = foca.outbox
    most = out.end - out.pos
    most //= (out.end - most) // 2
    if most < 5:
        most = 5
    dst = foca.members.find_identity(dst)
    most = foca.picker.choose(most, 0, dst, None)
    count = 0
    while count < most and _write_one(foca, foca.picker.rows[count]):
        count += 1
    if (
        count < most and foca.config.strict
    ):  # the reference leaves no room behind a member that did not fit
        out.end = out.pos
    return count


def _tell_suspect(foca: "Foca", dst: int) -> int:
    """Fill from the backlog, but a suspect's own update first, be it still queued or not."""
    members = foca.members
    dst = 0 if foca.config.strict else members.find_identity(dst)
    if not dst or members.states[dst] != _SUSPECT:
        return foca.backlog.fill(foca.outbox)
    left = members.left[dst]
    members.left[dst] = 0
    count = _write_one(foca, dst)
    if left:
        left -= count
    count += foca.backlog.fill(foca.outbox)
    foca.backlog.queue(dst, left)  # not set in place: the backlog may have forgotten that level
    return count


def _write_one(foca: "Foca", row: int) -> int:
    """Write the member at `row` if it fits; returns how many were written, 0 or 1."""
    out = foca.outbox
    room = out.end - out.pos
    if room < foca.codec.member_bytes_max and foca.codec.member_bytes(row) > room:
        return 0
    out.pos = foca.codec.write_member(out.buf, out.pos, row)
    return 1


def spread(foca: "Foca", tag: int, count: int) -> int:
    """Send `tag` to the first `count` members that the picker chose, until a status is not OK."""
    status = _OK
    i = 0
    while i < count and not status:
        status = send(foca, foca.picker.rows[i], tag, 0)
        i += 1
    return status


def gossip(foca: "Foca") -> int:
    """Gossip to a few random active members, even with nothing queued; returns a status."""
    count = foca.picker.choose(foca.config.num_indirect_probes, 0, 0, None)
    return spread(foca, _GOSSIP, count)


def turn_undead(foca: "Foca", dst: int) -> int:
    """Tell the identity at `dst` that we hold it Down, if configured; hardened: rate limited."""
    if not foca.config.notify_down_members:
        return _OK
    if not foca.config.strict and not foca.limits.take(_LIMIT_TURN_UNDEAD, foca.now_ms):
        foca.counters[_TURN_UNDEAD_LIMITED] += 1
        return _OK
    return send(foca, dst, _TURN_UNDEAD, 0)
