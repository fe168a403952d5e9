"""Custom broadcasts: the handler's interface, and a ready one with a version per origin. Floor 4.

A handler decides, for every item that arrives, whether it is news; news is queued and spread
further. It must say "news" once per item only, or the item circulates for ever.

`VersionedHandler` keeps the latest item of each origin apart by a version:

    item := origin:SocketAddr  version:u64  size  payload    (integers as the codec writes them)

which is the item of the reference's example agent. Origin and version together look like an
identity with a 64-bit bump, and so they are kept: one record per origin, and a larger version
wins.
Source: docs/WIRE.md, "Custom broadcasts".
"""

from array import array

from ._port import const
from .address import bump_of, text_of
from .cursor import Cursor
from .identity import Layout, ipv4

STALE = 0
NEWS = 1
REFUSED = -1

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable

    from .codec import Codec
    from .items import Items

_NEW_ITEM = const(0)
_OLD_ITEM = const(1)
_FIRST_ORIGIN = const(2)


class BroadcastHandler:
    """What the application supplies. This one refuses everything: override the first two."""

    def receive_item(self, buf: bytes | bytearray, start: int, end: int, sender: int) -> int:
        """An item, buf[start:end], was passed on by the member at row `sender`, or is ours (-1).

        Returns NEWS to keep and spread it, STALE to drop it, REFUSED when it makes no sense.
        """
        return REFUSED

    def invalidates(self, buf: bytes | bytearray, start: int, end: int, items: "Items") -> bool:
        """Whether the new item buf[start:end] makes a queued one pointless.

        That is items.store[items.old_start:items.old_end].
        """
        return False

    def should_add_broadcast_data(self, row: int) -> bool:
        """Whether the member at `row` is to get custom broadcasts at all."""
        return True


class VersionedHandler(BroadcastHandler):
    """Keeps the latest version of each origin's item, for `origins_max` origins.

    Beyond that the oldest origin is forgotten.
    codec: Postcard or Bincode. on_item: None, or called with (origin, version, payload) for every
    item that is news and not our own; the payload is bytes. layout: of the origins, a `Layout`
    with a 64-bit bump. `malformed`: items refused.
    """

    def __init__(
        self,
        codec: "type[Codec]",
        on_item: "Callable[[str, int, bytes], object] | None" = None,
        layout: Layout | None = None,
        origins_max: int = 32,
    ) -> None:
        self.layout = layout or ipv4()
        rows = _FIRST_ORIGIN + origins_max
        self.ids = bytearray(rows * self.layout.record_bytes)
        self.incarnations = array("H", [0] * rows)
        self.states = bytearray(rows)
        self.malformed = 0
        self.on_item = on_item
        self._codec = codec(self)
        self._cursor = Cursor()
        self._rows = rows
        self._count = _FIRST_ORIGIN
        self._oldest = _FIRST_ORIGIN

    def pack(self, origin: bytes, payload: bytes) -> bytes:
        """The item for `payload` (up to 65,535 bytes) of `origin`, a record; version: its bump."""
        self._put(_NEW_ITEM, origin)
        buf = bytearray(self._codec.identity_bytes_max() + 3 + len(payload))
        pos = self._codec.write_identity(buf, 0, 0)
        pos = self._codec.write_u16(buf, pos, len(payload))
        return bytes(buf[:pos]) + payload

    def receive_item(self, buf: bytes | bytearray, start: int, end: int, sender: int) -> int:
        size_at = self._read(buf, start, end, _NEW_ITEM)
        if size_at < 0:
            self.malformed += 1
            return REFUSED
        row = self._find()
        if row and not self._wins(_NEW_ITEM, row):
            return STALE
        if not row:
            row = self._take_row()
        self._put(row, self._record(_NEW_ITEM))
        if self.on_item is not None and sender >= 0:
            record = self._record(row)
            origin = text_of(self.layout, record)
            payload = bytes(buf[self._codec.read_u16(buf, size_at) : end])
            self.on_item(origin, bump_of(self.layout, record), payload)
        return NEWS

    def invalidates(self, buf: bytes | bytearray, start: int, end: int, items: "Items") -> bool:
        if self._read(buf, start, end, _NEW_ITEM) < 0:
            return False
        if self._read(items.store, items.old_start, items.old_end, _OLD_ITEM) < 0:
            return False
        address_bytes = self.layout.address_bytes
        if self._record(_NEW_ITEM)[:address_bytes] != self._record(_OLD_ITEM)[:address_bytes]:
            return False
        return self._wins(_NEW_ITEM, _OLD_ITEM)

    def _read(self, buf: bytes | bytearray, start: int, end: int, row: int) -> int:
        """Read origin and version into `row`; where the size is, or -1: malformed or foreign."""
        cursor = self._cursor
        cursor.open(buf, start, end)
        if not self._codec.skip_identity(cursor) or not cursor.ok:
            return -1
        size_at = cursor.pos
        self._codec.skip_u16(cursor)
        if not cursor.ok or self._codec.read_u16(buf, size_at) + self._codec.value != end:
            return -1
        self._codec.read_identity(buf, start, row * self.layout.record_bytes)
        return size_at

    def _find(self) -> int:
        address = self._record(_NEW_ITEM)[: self.layout.address_bytes]
        for row in range(_FIRST_ORIGIN, self._count):
            if self._record(row)[: len(address)] == address:
                return row
        return 0

    def _take_row(self) -> int:
        if self._count < self._rows:
            self._count += 1
            return self._count - 1
        row = self._oldest
        self._oldest = row + 1 if row + 1 < self._rows else _FIRST_ORIGIN
        return row

    def _wins(self, row: int, other: int) -> bool:
        width = self.layout.record_bytes
        return Layout.wins(self.layout, self.ids, row * width, other * width)

    def _record(self, row: int) -> bytes:
        width = self.layout.record_bytes
        return bytes(self.ids[row * width : (row + 1) * width])

    def _put(self, row: int, record: bytes) -> None:
        width = self.layout.record_bytes
        self.ids[row * width : (row + 1) * width] = record
