"""A whole cluster in one process, on a virtual clock: nodes, their hardware, and the network.

    World   the clock (microseconds), a heap of events, the nodes, the wires between them
    Node    one unmodified `Foca` with a search for peers, and the board under it
    Wires   what happens to a datagram on its way

Everything is decided by one seed, with integers only, so that a run is the same on CPython and on
MicroPython (both parse this file). `World.digest` takes in every datagram that is read, every
event and every action: equal digests mean equal runs.

A board is modelled by what hurts: a clock of its own (start, phase, drift; 30-bit milliseconds
that wrap), a loop that looks every `poll_us` or at once, a receive queue, pauses, a radio that
dozes until the next beacon (power save) or is off, an ARP table that forgets.

    arrive -> queue (full: lost) -> a turn of the loop: read, tick, look for peers -> send
    send   -> ARP (unresolved: wait, or lost) -> cut? lost? late, twice, cut short -> arrive

Nothing here judges: see simulation_checks.py. What happens when, is simulation_scenario.py.
"""

import hashlib
import sys
from heapq import heappop, heappush

from foca._port import const
from foca.address import pack
from foca.config import Config
from foca.identity import ipv4
from foca.join import Join
from foca.node import Foca
from foca.postcard import Postcard
from foca.rng import Rng
from foca.runtime import Runtime

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable

    from foca.broadcast import BroadcastHandler
    from simulation_checks import Checks

PORT = 36220
MASK = 0x3FFFFFFF
WIDTH = 14
"""Bytes of a record: four octets, a port, a 64-bit bump."""

EVERYBODY = -2
"""The destination of a broadcast."""

MILLISECOND = 1000
SECOND = 1000000

_AWAKE_US = const(200000)  # a dozing radio stays awake for so long after it sent something
_ARP_RETRY_US = const(1000000)
_ARP_TRIES = const(3)
_ARP_QUEUE = const(3)
_ARP_DEAF = const(250)  # how many of 1000 broadcasts a dozing radio misses

LAYOUT = ipv4()


def record_of(index: int, bump: int) -> bytes:
    """The identity of node `index` with `bump`."""
    return bytes(pack(LAYOUT, bytes((10, index >> 16, index >> 8 & 255, index & 255)), PORT, bump))


class Datagram:
    """On its way. `told`: the incarnation of the suspicion that it must carry, or -1.

    `sender`: whose it is, if there are checks.
    """

    __slots__ = ("data", "sender", "source", "told")

    def __init__(self, source: int, data: bytearray) -> None:
        self.source = source
        self.data = data
        self.told = -1
        self.sender = b""


class Question:
    """Who has the address of `destination`? Datagrams wait for the answer."""

    def __init__(self, destination: int, datagram: Datagram) -> None:
        self.destination = destination
        self.tries = _ARP_TRIES
        self.waiting = [datagram]


def _compact() -> type[Foca]:
    """`Foca` with its attributes in slots: the same code, and what it touches lies together.

    An idle node touches some 3 kB at each event. For a thousand nodes that is more than the caches
    next to a core hold, and half of it was dictionaries (docs/SIMULATION.md). MicroPython has no
    slots.
    """
    if sys.implementation.name != "cpython":
        return Foca
    names = vars(Foca(record_of(1, 0), Config.lan(2), Runtime(), seed=0))
    return type("Foca", (Foca,), {"__slots__": tuple(names)})


_Machine = _compact()


class Node(Runtime):
    """A board: its hardware, its condition, and the machine that runs on it."""

    __slots__ = tuple(
        (
            "world index foca join handler codec start_ms phase_us drift_ppm poll_us blocked_us "
            "wake_us awake_us beacon_us queue_max queue arp_max arp asking loss is_up has_left "
            "has_radio healthy_us in_tick lives bump memory sent sent_bytes datagrams bytes "
            "overruns unresolved last"
        ).split()
    )

    def __init__(self, world: "World", index: int) -> None:
        self.world = world
        self.index = index
        # hardware, to be set before `boot`
        self.start_ms = 0
        self.phase_us = 0
        self.drift_ppm = 0
        self.poll_us = 0
        self.queue_max = 64
        self.beacon_us = 0
        self.arp_max = 0
        self.loss = 0
        self.codec: type = Postcard
        # condition
        self.is_up = False
        self.has_left = False
        self.has_radio = True
        self.blocked_us = 0
        self.healthy_us = 0
        """Since when it has been up, with its radio on and its loop running."""
        self.lives = 0
        self.bump = 0
        self.memory = b""
        self.queue: list[Datagram] = []
        self.wake_us = -1
        self.awake_us = 0
        self.arp: list[int] = []
        self.asking: list[Question] = []
        self.foca: Foca = None  # type: ignore[assignment]
        self.handler: BroadcastHandler | None = None
        self.join: Join | None = None
        self.in_tick = False
        # counters of this life, for the checks
        self.sent = 0
        self.sent_bytes = 0
        # counters of all lives
        self.overruns = 0
        self.unresolved = 0
        self.datagrams = 0
        self.bytes = 0
        self.last: Datagram | None = None

    # its clock

    def local_us(self) -> int:
        """Microseconds of its own clock, not wrapped."""
        now = self.world.now_us + self.phase_us
        if self.drift_ppm:
            now += now * self.drift_ppm // 1000000
        return now

    def local_ms(self) -> int:
        """What its `ticks_ms` would say."""
        return (self.start_ms + self.local_us() // 1000) & MASK

    # being switched on and off

    def boot(
        self,
        config: "Config",
        bump: int,
        seeds: list[bytes],
        dump: bytes = b"",
        asks_everybody: bool = False,
    ) -> None:
        """A new life. `dump`: members remembered from the last one, in codec bytes.

        `seeds`, `asks_everybody`: how it looks for peers; with neither, it does not.
        """
        world = self.world
        self.lives += 1
        self.bump = bump
        self.is_up = True
        self.has_left = False
        self.blocked_us = 0
        self.queue = []
        self.arp = []
        self.asking = []
        self.sent = self.sent_bytes = 0
        self.wake_us = -1
        seed = world.seed * 4096 + self.index * 64 + self.lives
        record = record_of(self.index + 1, bump)
        self.handler = world.make_handler(self) if world.make_handler else None
        self.foca = _Machine(record, config, self, self.codec, LAYOUT, self.handler, seed)
        self.join = None
        if seeds or asks_everybody:
            self.join = Join(self.foca, seeds, seed, asks_everybody)
        self.healthy_us = world.now_us
        if world.checks:
            world.checks.booted(self)
        if dump:
            self.foca.apply_many(dump, len(dump), False, self.local_ms())
        self._wake(world.now_us)

    def kill(self) -> None:
        """Power off. What it knew stays in `memory`, as on a board that writes it to flash."""
        buf = bytearray(64 * (self.foca.members.count + 1))
        count = self.foca.dump(buf)
        self.memory = bytes(buf[:count])
        self.bump = int.from_bytes(self.foca.identity()[6:], "big")
        self.is_up = False
        self.queue = []
        self.asking = []
        self.wake_us = -1

    def leave(self) -> None:
        """Say goodbye and be switched off."""
        self.foca.leave_cluster()
        self.kill()
        self.has_left = True

    def block(self, duration_us: int) -> None:
        """The loop stands still for so long: a collection, a slow driver."""
        end_us = self.world.now_us + duration_us
        if end_us > self.blocked_us:
            self.blocked_us = end_us
        if duration_us > 100 * MILLISECOND:
            self.healthy_us = max(self.healthy_us, end_us)

    def radio(self, is_on: bool) -> None:
        """Switch the radio; the loop goes on."""
        self.has_radio = is_on
        self.healthy_us = max(self.healthy_us, self.world.now_us)

    def is_healthy(self) -> bool:
        """Whether it is up, can hear and runs."""
        return self.is_up and self.has_radio and self.healthy_us <= self.world.now_us

    # its loop

    def arrive(self, datagram: Datagram) -> None:
        """A datagram reached the board."""
        world = self.world
        if not self.is_up or not self.has_radio:
            world.wires.lost += 1
            return
        if self.poll_us or self.blocked_us > world.now_us:
            if len(self.queue) >= self.queue_max:
                self.overruns += 1
                return
            self.queue.append(datagram)
            self._wake(world.now_us)
            return
        now_ms = self.local_ms()
        self._take(datagram, now_ms)
        self._rest(now_ms, 0)

    def turn(self) -> None:
        """One turn of the loop, as in foca.aio: read some datagrams, tick, look for peers."""
        world = self.world
        if not self.is_up:
            return
        if self.blocked_us > world.now_us:
            self._wake(world.now_us)
            return
        now_ms = self.local_ms()
        left = self.foca.config.datagrams_per_turn_max
        while left and self.queue:
            left -= 1
            self._take(self.queue.pop(0), now_ms)
        self._rest(now_ms, len(self.queue))

    def _take(self, datagram: Datagram, now_ms: int) -> None:
        world = self.world
        data = datagram.data
        if world.digest:
            head = "%d %d %d;" % (world.now_us, self.index, len(data))
            world.digest.update(head.encode())
            world.digest.update(data)
        if world.checks:
            world.checks.before_data(self, datagram)
        status = self.foca.handle_data(data, len(data), now_ms)
        if world.checks:
            world.checks.after_data(self, datagram, status)

    def _rest(self, now_ms: int, waiting: int) -> None:
        """The rest of a turn: tick, look for peers, and plan the next one."""
        self.in_tick = True
        wait_ms = self.foca.tick(now_ms)
        self.in_tick = False
        if self.join:
            join_ms = self.join.step(now_ms)
            if join_ms < wait_ms:
                wait_ms = join_ms
        world = self.world
        if world.checks:
            world.checks.after_turn(self, wait_ms)
        if waiting or not wait_ms:
            delay_us = 100
        elif self.drift_ppm:
            delay_us = wait_ms * 1000 - self.local_us() % 1000
            delay_us = delay_us * 1000000 // (1000000 + self.drift_ppm) + 1
        else:
            delay_us = wait_ms * 1000 - (world.now_us + self.phase_us) % 1000
        self._wake(world.now_us + delay_us)

    def _wake(self, at_us: int) -> None:
        """Have a turn at `at_us`, or when the loop runs again and looks."""
        if at_us < self.blocked_us:
            at_us = self.blocked_us
        if self.poll_us:
            at_us += (self.phase_us - at_us) % self.poll_us
        if self.wake_us < 0 or at_us < self.wake_us:
            self.wake_us = at_us
            self.world.push(at_us, self)

    # what the machine asks for

    def send_to(self, row: int, buf: bytearray, count: int) -> None:
        self.sent += 1
        self.sent_bytes += count
        self.datagrams += 1
        self.bytes += count
        ids = self.foca.members.ids
        row *= WIDTH
        destination = (ids[row + 1] << 16 | ids[row + 2] << 8 | ids[row + 3]) - 1
        if ids[row] == 255:
            destination = EVERYBODY
        self.last = Datagram(self.index, buf[:count])
        self.world.wires.send(self, destination, self.last)

    def notify(self, event: int, row: int) -> None:
        world = self.world
        if world.digest and event < 8:
            text = "%d %d event %d;" % (world.now_us, self.index, event)
            world.digest.update(text.encode())
            world.digest.update(self.foca.identity_of(row))
        if world.watch:
            world.watch(self, event, row)
        if world.checks:
            world.checks.notified(self, event, row)


class Wires:
    """The network between the nodes. Parts of a thousand, microseconds."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.rng = Rng(world.seed * 8 + 3)
        self.base_us = 2000
        self.spread_us = 0
        self.tail = 0
        """How many of 1000 datagrams take twice as long, and again: a long tail."""
        self.tail_us_max = 400000
        self.loss = 0
        self.duplicate = 0
        self.reorder = 0
        self.reorder_us = 0
        self.truncate = 0
        self.burst = 0
        """Loss on top, for the time of a burst."""
        self.cuts: list[list[int]] = []
        """What is cut at present: lists of bit masks, one mask for each sender."""
        self.cut: list[int] = []
        self.cut_us = 0
        """When a cut last changed."""
        self.calm_us = 0
        """When loss and the like last changed."""
        self.lost = 0
        self.carried = 0

    def calm(self) -> None:
        """Loss, duplicates, long ways and truncation end; the distance stays."""
        self.loss = self.duplicate = self.reorder = self.truncate = self.burst = self.tail = 0
        self.calm_us = self.world.now_us

    def set_cut(self, masks: list[int], is_on: bool) -> None:
        """Start or end a cut; several may overlap."""
        if is_on:
            self.cuts.append(masks)
        elif masks in self.cuts:
            self.cuts.remove(masks)
        count = len(self.world.nodes)
        self.cut = [0] * count if self.cuts else []
        for cut in self.cuts:
            for index in range(count):
                self.cut[index] |= cut[index]
        self.cut_us = self.world.now_us

    def is_cut(self, source: int, target: int) -> bool:
        """Whether nothing from `source` reaches `target`."""
        return bool(self.cut and self.cut[source] >> target & 1)

    def send(self, node: Node, destination: int, datagram: Datagram) -> None:
        """Take a datagram from the machine."""
        world = self.world
        node.awake_us = world.now_us + _AWAKE_US
        if destination == EVERYBODY:
            self._broadcast(node, datagram)
            return
        if not node.has_radio or not 0 <= destination < len(world.nodes):
            self.lost += 1
            return
        if node.arp_max and not self._resolve(node, destination, datagram):
            return
        self.carry(node, world.nodes[destination], datagram)

    def _broadcast(self, node: Node, datagram: Datagram) -> None:
        """To everybody, the sender too (some systems do that), but past radios that doze."""
        if not node.has_radio:
            self.lost += 1
            return
        for target in self.world.nodes:
            if target is not node and self._is_deaf(target):
                self.lost += 1
            else:
                self.carry(node, target, datagram)

    def carry(self, node: Node, target: Node, datagram: Datagram) -> None:
        """Lose it, or bring it to `target` late, twice or cut short."""
        if self.cut and self.cut[node.index] >> target.index & 1:
            self.lost += 1
            return
        loss = self.loss + self.burst + node.loss + target.loss
        if loss and self.rng.below(1000) < loss:
            self.lost += 1
            return
        if self.truncate and self.rng.below(1000) < self.truncate:
            keep = self.rng.below(len(datagram.data))
            datagram = Datagram(datagram.source, datagram.data[:keep])
        delay_us = self.latency()
        if self.reorder and self.rng.below(1000) < self.reorder:
            delay_us += self.rng.below(self.reorder_us)
        self._deliver(target, datagram, delay_us)
        if self.duplicate and self.rng.below(1000) < self.duplicate:
            self._deliver(target, datagram, delay_us + self.rng.below(50 * MILLISECOND))

    def latency(self) -> int:
        """How long one datagram takes."""
        delay_us = self.base_us
        if self.spread_us:
            delay_us += self.rng.below(self.spread_us)
        if self.tail:
            while delay_us < self.tail_us_max and self.rng.below(1000) < self.tail:
                delay_us *= 2
        return delay_us

    def _deliver(self, target: Node, datagram: Datagram, delay_us: int) -> None:
        self.carried += 1
        at_us = self.world.now_us + delay_us
        if target.beacon_us and at_us > target.awake_us:
            at_us += (target.phase_us - at_us) % target.beacon_us
        self.world.push(at_us, target, datagram)

    # ARP, as in lwIP: a small table; a few datagrams wait; a dozing radio may miss the question

    def _resolve(self, node: Node, destination: int, datagram: Datagram) -> bool:
        """Whether the hardware address is known; if not, the datagram waits or is lost."""
        if destination in node.arp:
            node.arp.remove(destination)
            node.arp.append(destination)
            return True
        for question in node.asking:
            if question.destination == destination:
                if len(question.waiting) < _ARP_QUEUE:
                    question.waiting.append(datagram)
                else:
                    node.unresolved += 1
                return False
        question = Question(destination, datagram)
        node.asking.append(question)
        self._ask(node, question)
        return False

    def _ask(self, node: Node, question: Question) -> None:
        """Broadcast the question, and again a second later if nobody answers."""
        world = self.world
        if question not in node.asking:
            return
        target = world.nodes[question.destination]
        question.tries -= 1
        away = self.is_cut(node.index, target.index) or self.is_cut(target.index, node.index)
        if away or not target.is_up or not target.has_radio or self._is_deaf(target):
            if question.tries:
                world.call(world.now_us + _ARP_RETRY_US, lambda: self._ask(node, question))
                return
            node.asking.remove(question)
            node.unresolved += len(question.waiting)
            return
        self._learn(target, node.index)
        delay_us = 2 * self.latency()
        world.call(world.now_us + delay_us, lambda: self._answered(node, question))

    def _is_deaf(self, target: Node) -> bool:
        """Whether a broadcast passes by a radio that dozes."""
        if not target.beacon_us or self.world.now_us <= target.awake_us:
            return False
        return self.rng.below(1000) < _ARP_DEAF

    def _learn(self, node: Node, other: int) -> None:
        """Remember a hardware address; the one not used for the longest time is forgotten."""
        if node.arp_max and other not in node.arp:
            if len(node.arp) >= node.arp_max:
                node.arp.pop(0)
            node.arp.append(other)

    def _answered(self, node: Node, question: Question) -> None:
        if question not in node.asking:
            return
        node.asking.remove(question)
        self._learn(node, question.destination)
        if node.has_radio:
            for datagram in question.waiting:
                self.carry(node, self.world.nodes[question.destination], datagram)


class World:
    """The clock and everything that is going to happen."""

    def __init__(self, seed: int, count: int, with_digest: bool = True) -> None:
        self.seed = seed
        self.now_us = 0
        self.events = 0
        self.digest = hashlib.sha256() if with_digest else None
        self.checks: Checks | None = None
        self.watch: Callable[[Node, int, int], None] | None = None
        self.make_handler: Callable[[Node], BroadcastHandler] | None = None
        """Gives a node that boots its handler of custom broadcasts."""
        self._heap: list[tuple[int, int, Node | None, Datagram | Callable[[], None] | None]] = []
        self._sequence = 0
        self.nodes: list[Node] = []
        self.wires = Wires(self)
        self.nodes = [Node(self, index) for index in range(count)]

    def push(self, at_us: int, node: Node, datagram: Datagram | None = None) -> None:
        """Give `node` a turn, or a datagram, at `at_us`. What is pushed first happens first."""
        self._sequence += 1
        heappush(self._heap, (at_us, self._sequence, node, datagram))

    def call(self, at_us: int, what: "Callable[[], None]") -> None:
        """Have `what` called at `at_us`."""
        self._sequence += 1
        heappush(self._heap, (at_us, self._sequence, None, what))

    def run(self, until_us: int) -> None:
        """Let everything happen that is due up to `until_us`."""
        heap = self._heap
        while heap and heap[0][0] <= until_us:
            at_us, _, node, what = heappop(heap)
            self.now_us = at_us
            self.events += 1
            if node is None:
                what()  # type: ignore[misc, operator]
            elif what is not None:
                node.arrive(what)  # type: ignore[arg-type]
            elif node.wake_us == at_us:
                node.wake_us = -1
                node.turn()
        self.now_us = until_us

    def log(self, text: str) -> None:
        """Take a line into the digest."""
        if self.digest:
            self.digest.update(text.encode())

    def finish(self) -> str:
        """The digest of the whole run and of what everybody knows at its end, as 16 digits."""
        if not self.digest:
            return ""
        for node in self.nodes:
            if node.is_up:
                buf = bytearray(64 * (node.foca.members.count + 1))
                count = node.foca.dump(buf)
                self.digest.update(buf[:count])
                self.digest.update(bytes([node.foca.connection]))
        return "".join(["%02x" % byte for byte in self.digest.digest()[:8]])
