"""Custom broadcasts: what the application sends along with the members. Floor 3.

    the section  := [ len:u16be  item ]*     behind the members, to the end of the datagram

What an item is, and whether it is news, only the handler knows (broadcast.py); items.py keeps what
is still to be told.
Source: docs/WIRE.md, "Custom broadcasts".
"""

from ._port import const

_TYPING = const(0)
if _TYPING:
    from .cursor import Cursor
    from .items import Items
    from .node import Foca

_CUSTOM_BROADCAST = const(6)
_DATA_TOO_BIG = const(1)
_ITEMS_EVICTED = const(24)
_ITEMS_REFUSED = const(25)
_MALFORMED_PACKET = const(2)
_OK = const(0)
_SRC = const(1)
_STALE = const(15)


def take_items(foca: "Foca", cursor: "Cursor") -> int:
    """Offer every item of the custom section to the handler; returns a status."""
    while cursor.end - cursor.pos > 2:
        size = cursor.read_u16be()
        if not size or size > cursor.end - cursor.pos:
            return _MALFORMED_PACKET
        if not foca.items:
            return _CUSTOM_BROADCAST
        news = foca.handler.receive_item(cursor.buf, cursor.pos, cursor.pos + size, _SRC)
        if news < 0:
            return _CUSTOM_BROADCAST
        if news:
            _keep(foca, cursor.buf, cursor.pos, cursor.pos + size)
        cursor.pos += size
    return _MALFORMED_PACKET if cursor.pos < cursor.end else _OK


def _keep(foca: "Foca", buf: bytes | bytearray, start: int, end: int) -> None:
    """Queue news for others; counts what had to give way."""
    items: Items = foca.items  # type: ignore[assignment]
    if not items.add(buf, start, end, foca.config.max_transmissions):
        foca.counters[_ITEMS_REFUSED] += 1
    foca.counters[_ITEMS_EVICTED] = items.evicted


def add_broadcast(foca: "Foca") -> int:
    """Queue the bytes of the inbox as a custom broadcast."""
    size = foca.inbox.end
    if not size:
        return _MALFORMED_PACKET
    limit = foca.config.packet_bytes_max
    if not foca.config.strict:  # with a Broadcast's header in front it must fit into what we send
        limit = foca.config.send_bytes_max - foca.header_bytes_max - 2
    if size > limit:
        return _DATA_TOO_BIG
    if not foca.items:
        return _CUSTOM_BROADCAST
    news = foca.handler.receive_item(foca.inbox.buf, 0, size, -1)
    if news <= 0:
        return _CUSTOM_BROADCAST if news else _STALE
    _keep(foca, foca.inbox.buf, 0, size)
    return _OK
