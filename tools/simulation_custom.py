"""Custom broadcasts in a simulated cluster: who publishes, who hears of it, and what must hold.

Every node has the ready handler (foca.broadcast), which keeps the newest version of each origin.
The payload says for itself which one it is, between a mark that nothing else contains and a
filler, so that what a datagram carries is counted without the code under test.

    always       what arrives was published, byte for byte; no version arrives twice in one life,
                 none after a newer one; nobody is told more often than max_transmissions says, or
                 tells what he does not know; after a datagram that was accepted its reader knows
                 what it said; the store equals a recount and holds nothing outdated, and what is
                 in it no more was told as often as it should, or counted as evicted
    the end      nothing is left to tell, and of some versions in a row everybody hears one

More is not promised, by the reference neither: who has an item tells it max_transmissions times,
to whom it happens to write, so that each single version may miss somebody, even without any loss
(`simulate.py custom` measures how many). Who needs more publishes again.

All are the check `custom`; `recount` covers the store. Parses on MicroPython.
"""

from foca._port import const
from foca.broadcast import VersionedHandler
from simulation_world import LAYOUT, record_of

_TYPING = const(0)
if _TYPING:
    from foca.items import Items
    from foca.node import Foca
    from simulation_checks import Checks
    from simulation_world import Datagram, Node, World

_MARK = b"\xf0\x9f\xa6\xad"
_TOLD_BYTES = const(10)
_ITEMS_EVICTED = const(24)
_OK = const(0)


def payload_of(index: int, version: int) -> bytes:
    """What node `index` says with `version`: 10 to 30 bytes."""
    head = _MARK + bytes((index >> 8, index & 255, version >> 8, version & 255, 0, 0))
    return head + bytes([(version + i) & 127 for i in range(version * 7 % 21)])


def told_by(data: bytes | bytearray, start: int = 0) -> list[tuple[int, int]]:
    """Origin and version of everything that `data` contains from `start` on."""
    told = []
    at = data.find(_MARK, start)
    while 0 <= at <= len(data) - _TOLD_BYTES:
        told.append((data[at + 4] << 8 | data[at + 5], data[at + 6] << 8 | data[at + 7]))
        at = data.find(_MARK, at + _TOLD_BYTES)
    return told


class Customs:
    """All custom broadcasts of one world."""

    def __init__(self, world: "World", checks: "Checks") -> None:
        self.world = world
        self.checks = checks
        count = len(world.nodes)
        self.newest = [0] * count
        """The last version that each origin has published."""
        self.known: list[dict[int, int]] = [{} for _ in range(count)]
        """The version of each origin that a node knows, since it booted."""
        self._sent: list[dict[tuple[int, int], int]] = [{} for _ in range(count)]
        self.delivered = 0
        world.make_handler = self._make_handler

    def _make_handler(self, node: "Node") -> VersionedHandler:
        """Called at each boot: whoever boots knows nothing."""
        self.known[node.index] = {}
        self._sent[node.index] = {}

        def on_item(origin: str, version: int, payload: bytes) -> None:
            self._arrived(node, origin, version, payload)

        return VersionedHandler(node.codec, on_item, LAYOUT, len(self.newest))

    def publish(self, node: "Node") -> None:
        """`node` has something new to say, if it is up."""
        if not node.is_up:
            return
        index = node.index
        self.newest[index] += 1
        version = self.newest[index]
        self.known[index][index] = version
        handler: VersionedHandler = node.handler  # type: ignore[assignment]
        item = handler.pack(record_of(index + 1, version), payload_of(index, version))
        status = node.foca.add_broadcast(item, len(item))
        if status:
            self._fail("node %d cannot publish: status %d" % (index, status))

    def _fail(self, text: str) -> None:
        self.checks.fail("custom", text)

    def _arrived(self, node: "Node", origin: str, version: int, payload: bytes) -> None:
        self.delivered += 1
        index = int(origin.partition(":")[0].split(".")[3]) - 1
        self.world.log("item %d %d %d;" % (node.index, index, version))
        who = "node %d hears version %d of node %d" % (node.index, version, index)
        if not 0 < version <= self.newest[index]:
            self._fail(who + ", which was never published")
        if payload != payload_of(index, version):
            self._fail(who + ", and what it says is not what was published")
        before = self.known[node.index].get(index, 0)
        if version == before:
            self._fail(who + " twice")
        if version < before:
            self._fail(who + " after version %d" % before)
        self.known[node.index][index] = version

    def sent(self, node: "Node", datagram: "Datagram") -> None:
        """`node` sends a datagram."""
        counts = self._sent[node.index]
        for told in told_by(datagram.data):
            count = counts[told] = counts.get(told, 0) + 1
            text = "node %d tells version %d of node %d" % (node.index, told[1], told[0])
            if count > node.foca.config.max_transmissions:
                self._fail(text + " %d times" % count)
            if told[1] != self.known[node.index].get(told[0], 0):
                self._fail(text + ", which is not what it knows")

    def accepted(self, node: "Node", datagram: "Datagram", status: int) -> None:
        """`node` has read a datagram of an active member, with this status."""
        if status != _OK:
            return  # of a custom section that is cut short the front counts
        for origin, version in told_by(datagram.data):
            if self.known[node.index].get(origin, 0) < version:
                text = "node %d was told version %d of node %d and does not know it"
                self._fail(text % (node.index, version, origin))

    def recount(self, node: "Node") -> str:
        """What of a node's store does not equal a recount; "" when all does."""
        foca = node.foca
        problem = recount_items(foca)
        items: Items = foca.items  # type: ignore[assignment]
        if problem:
            return problem
        known = self.known[node.index]
        queued = []
        for i in range(items.count):
            start = items._starts[i]
            queued += told_by(items.store[start : start + items._sizes[i]])
        for origin, version in queued:
            if version != known.get(origin, 0):
                return "version %d of node %d is queued and outdated" % (version, origin)
        gone = 0
        for told in known.items():
            count = self._sent[node.index].get(told, 0)
            if told not in queued and count < foca.config.max_transmissions:
                gone += 1
        if gone > items.evicted:
            return "%d items are gone, %d counted as evicted" % (gone, items.evicted)
        return ""

    # the end

    def queued(self) -> str:
        """Who still has something to tell; "": nobody who has anybody to tell it."""
        for node in self.world.nodes:
            if node.is_up and node.foca.num_members() and node.foca.custom_broadcast_backlog():
                return "node %d still has an item to tell" % node.index
        return ""

    def missing(self, origin: "Node", version: int) -> str:
        """Who has heard nothing of `origin` since it published `version`; "" when all have."""
        for node in self.world.nodes:
            if node.is_up and self.known[node.index].get(origin.index, 0) < version:
                return "node %d" % node.index
        return ""


def recount_items(foca: "Foca") -> str:
    """The books of the store of custom broadcasts."""
    items: Items = foca.items  # type: ignore[assignment]
    end = 0
    if not 0 <= items.count <= len(items._left):
        return "%d items in %d places" % (items.count, len(items._left))
    origins = []
    for i in range(items.count):
        if items._starts[i] != end:
            return "item %d starts at %d, the one before ends at %d" % (i, items._starts[i], end)
        end += items._sizes[i]
        if not 0 < items._left[i] <= foca.config.max_transmissions:
            return "item %d has %d transmissions left" % (i, items._left[i])
        told = told_by(items.store[items._starts[i] : end])
        if len(told) != 1:
            return "item %d contains %d" % (i, len(told))
        if told[0][0] in origins:
            return "two items of node %d are queued" % told[0][0]
        origins.append(told[0][0])
    if end > len(items.store):
        return "%d bytes of items in a store of %d" % (end, len(items.store))
    if foca.counters[_ITEMS_EVICTED] != items.evicted:
        return "counted %d evicted items of %d" % (foca.counters[_ITEMS_EVICTED], items.evicted)
    return ""
