"""Custom broadcasts still to be told: a small store of byte strings. Floor 2.

Loaded only when there is a handler.
Items lie one behind the other in one bytearray, oldest first; parallel arrays hold where each
starts, how long it is and how many transmissions it has left. The handler decides what is news and
which older item a new one invalidates.

Rules: a packet takes items with most transmissions left first, among them the longest first, each
with its length in front, each at most once; one that does not fit is kept. A new item that finds
the store full evicts those with the fewest transmissions left; one larger than the store is
refused. Both are counted.
Source: docs/WIRE.md, "Dissemination".
"""

from array import array

from ._port import const

_TYPING = const(0)
if _TYPING:
    from .broadcast import BroadcastHandler
    from .cursor import Cursor


class Items:
    def __init__(self, handler: "BroadcastHandler", items_max: int, bytes_max: int) -> None:
        """Room for `items_max` items, together `bytes_max` bytes."""
        self.handler = handler
        self.count = 0
        self.evicted = 0
        self.store = bytearray(bytes_max)
        self.old_start = self.old_end = 0
        """The item that the handler is asked about, store[old_start:old_end]."""
        self._starts = array("H", bytes(2 * items_max))
        self._sizes = array("H", bytes(2 * items_max))
        self._left = bytearray(items_max)
        self._done = bytearray(items_max)

    def add(self, buf: bytes | bytearray, start: int, end: int, transmissions: int) -> bool:
        """Keep a copy of `buf[start:end]`, after dropping what it invalidates.

        Returns False when it finds no room.
        """
        self._drop_invalidated(buf, start, end)
        if end - start > len(self.store):
            return False
        while self.count == len(self._left) or self._used() + end - start > len(self.store):
            self._evict()
        self._append(buf, start, end)
        self._left[self.count - 1] = transmissions
        return True

    def _drop_invalidated(self, buf: bytes | bytearray, start: int, end: int) -> None:
        index = self.count
        while index:
            index -= 1
            self.old_start = self._starts[index]
            self.old_end = self.old_start + self._sizes[index]
            if self.handler.invalidates(buf, start, end, self):
                self._remove(index)

    def _used(self) -> int:
        last = self.count - 1
        return self._starts[last] + self._sizes[last] if self.count else 0

    def _append(self, buf: bytes | bytearray, start: int, end: int) -> None:
        store = self.store
        at = self._used()
        self._starts[self.count] = at
        self._sizes[self.count] = end - start
        self.count += 1
        while start < end:
            store[at] = buf[start]
            at += 1
            start += 1

    def _evict(self) -> None:
        worst = index = self.count - 1
        while index >= 0:
            if self._left[index] <= self._left[worst]:
                worst = index
            index -= 1
        self._remove(worst)
        self.evicted += 1

    def _remove(self, index: int) -> None:
        """Drop an item and close the gap."""
        store = self.store
        size = self._sizes[index]
        at = self._starts[index]
        end = self._used() - size
        while at < end:
            store[at] = store[at + size]
            at += 1
        self.count -= 1
        while index < self.count:
            self._starts[index] = self._starts[index + 1] - size
            self._sizes[index] = self._sizes[index + 1]
            self._left[index] = self._left[index + 1]
            self._done[index] = self._done[index + 1]
            index += 1

    def fill(self, cursor: "Cursor") -> None:
        """Write as many items as fit at the cursor, each behind its length.

        Each loses one transmission.
        """
        index = self.count
        while index:
            index -= 1
            self._done[index] = 0
        while cursor.pos < cursor.end:
            index = self._best()
            if index < 0:
                break
            self._done[index] = 1
            if self._sizes[index] + 2 <= cursor.end - cursor.pos:
                self._write(cursor, self._starts[index], self._sizes[index])
                self._left[index] -= 1
        index = self.count
        while index:
            index -= 1
            if not self._left[index]:
                self._remove(index)

    def _write(self, cursor: "Cursor", start: int, size: int) -> None:
        """Write length and bytes of an item that was seen to fit."""
        buf = cursor.buf
        pos = cursor.pos
        buf[pos] = size >> 8
        buf[pos + 1] = size & 255
        pos += 2
        cursor.pos = pos + size
        while size:
            buf[pos] = self.store[start]
            pos += 1
            start += 1
            size -= 1

    def _best(self) -> int:
        """The item to write next, or -1."""
        best = -1
        index = 0
        while index < self.count:
            if not self._done[index] and (best < 0 or self._goes_before(index, best)):
                best = index
            index += 1
        return best

    def _goes_before(self, index: int, other: int) -> bool:
        if self._left[index] != self._left[other]:
            return self._left[index] > self._left[other]
        return self._sizes[index] > self._sizes[other]
