"""Custom broadcasts: the handler's interface, and a ready one with a version per origin. Floor 4.

A handler decides, for every item that arrives, whether it is news; news is queued and spread further. It must say "news"
once per item only, or the item circulates for ever.

`VersionedHandler` keeps the latest item of each origin apart by a version:

    item := origin:SocketAddr  version:u64  size  payload        (integers as the codec writes them)

which is the item of the reference's example agent. Origin and version together look like an identity with a 64-bit
bump, and so they are kept: one record per origin, and a larger version wins.
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

_NEW = const(0)
_OLD = const(1)
_FIRST = const(2)


class BroadcastHandler:
    """What the application supplies. This one refuses everything: override `receive_item` and `invalidates`."""

    def receive_item(self, buf, start, end, sender):
        """An item, buf[start:end], came from the member at row `sender` (who passed it on), or from us (-1).

        Returns NEWS to keep and spread it, STALE to drop it, REFUSED when it makes no sense.
        """
        return REFUSED

    def invalidates(self, buf, start, end, items):
        """Whether the new item buf[start:end] makes the queued items.store[items.old_start:items.old_end] pointless."""
        return False

    def should_add_broadcast_data(self, row):
        """Whether the member at `row` is to get custom broadcasts at all."""
        return True


class VersionedHandler(BroadcastHandler):
    """Keeps the latest version of each origin's item, for `origins_max` origins; then the oldest origin is forgotten.

    codec: Postcard or Bincode. on_item: None, or called with (origin, version, payload) for every item that is news and
    not our own; the payload is bytes. layout: of the origins, a `Layout` with a 64-bit bump. `malformed`: items refused.
    """

    def __init__(self, codec, on_item=None, layout=None, origins_max=32):
        self.layout = layout or ipv4()
        rows = _FIRST + origins_max
        self.ids = bytearray(rows * self.layout.record_bytes)
        self.incarnations = array("H", [0] * rows)
        self.states = bytearray(rows)
        self.malformed = 0
        self.on_item = on_item
        self._codec = codec(self)
        self._cursor = Cursor()
        self._rows = rows
        self._count = _FIRST
        self._oldest = _FIRST

    def pack(self, origin, payload):
        """The item for `payload` (bytes, up to 65,535) of `origin` (a record whose bump is the version)."""
        self._put(_NEW, origin)
        buf = bytearray(self._codec.identity_bytes_max() + 3 + len(payload))
        pos = self._codec.write_identity(buf, 0, 0)
        pos = self._codec.write_u16(buf, pos, len(payload))
        return bytes(buf[:pos]) + payload

    def receive_item(self, buf, start, end, sender):
        size_at = self._read(buf, start, end, _NEW)
        if size_at < 0:
            self.malformed += 1
            return REFUSED
        row = self._find()
        if row and not self._wins(_NEW, row):
            return STALE
        if not row:
            row = self._take_row()
        self._put(row, self._record(_NEW))
        if self.on_item is not None and sender >= 0:
            record = self._record(row)
            origin = text_of(self.layout, record)
            payload = bytes(buf[self._codec.read_u16(buf, size_at) : end])
            self.on_item(origin, bump_of(self.layout, record), payload)
        return NEWS

    def invalidates(self, buf, start, end, items):
        if self._read(buf, start, end, _NEW) < 0:
            return False
        if self._read(items.store, items.old_start, items.old_end, _OLD) < 0:
            return False
        address_bytes = self.layout.address_bytes
        if self._record(_NEW)[:address_bytes] != self._record(_OLD)[:address_bytes]:
            return False
        return self._wins(_NEW, _OLD)

    def _read(self, buf, start, end, row):
        """Read origin and version into `row`; returns where the size stands, -1 when malformed or foreign."""
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

    def _find(self):
        address = self._record(_NEW)[: self.layout.address_bytes]
        for row in range(_FIRST, self._count):
            if self._record(row)[: len(address)] == address:
                return row
        return 0

    def _take_row(self):
        if self._count < self._rows:
            self._count += 1
            return self._count - 1
        row = self._oldest
        self._oldest = row + 1 if row + 1 < self._rows else _FIRST
        return row

    def _wins(self, row, other):
        width = self.layout.record_bytes
        return Layout.wins(self.layout, self.ids, row * width, other * width)

    def _record(self, row):
        width = self.layout.record_bytes
        return bytes(self.ids[row * width : (row + 1) * width])

    def _put(self, row, record):
        width = self.layout.record_bytes
        self.ids[row * width : (row + 1) * width] = record
