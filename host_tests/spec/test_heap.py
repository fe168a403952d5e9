"""The core takes no heap: every message, every timer and every verb, measured one by one.

Each step of a long script runs twice, on nodes of their own: once with the collector off, where
`gc.mem_alloc()` must be the same afterwards, and once under `micropython.heap_lock()`, where any
allocation raises. There is no warming up: the first Ping of a node's life takes no heap either.
What allocates by design is not here: construction, set_config, dump, and what people read.
On CPython the script runs as well, and must do all that the last test lists.
"""

import gc
import sys
from array import array

from foca._port import ticks_add
from foca.address import parse
from foca.bincode import Bincode
from foca.broadcast import NEWS, REFUSED, STALE, BroadcastHandler
from foca.config import Config
from foca.identity import ip, ipv4
from foca.node import Foca
from foca.postcard import Postcard
from foca.runtime import DATA_RECEIVED, DATA_SENT, EVENT_NAMES, Runtime
from foca.status import (
    BUSY,
    COUNTERS,
    CUSTOM_BROADCAST,
    DATA_FROM_OURSELVES,
    DATA_TOO_BIG,
    DECODE,
    ENCODE,
    EVICTED_MEMBERS,
    FOREIGN_ADDRESS,
    FOREIGN_MEMBERS,
    INDIRECT_FOR_OURSELVES,
    ITEMS_EVICTED,
    ITEMS_REFUSED,
    MALFORMED_PACKET,
    NOT_FOR_US,
    NOT_UNDEAD,
    OK,
    REFUSED_MEMBERS,
    RENEWALS,
    SAME_IDENTITY,
    TABLE_FULL,
    TURN_UNDEAD_LIMITED,
)  # fmt: skip
from foca.status import (
    STALE as KNOWN,
)
from foca.timers import TIMER_NAMES, Timers
from foca.wire import (
    ACK,
    ALIVE,
    ANNOUNCE,
    BROADCAST,
    DOWN,
    FEED,
    FORWARDED_ACK,
    GOSSIP,
    INDIRECT_ACK,
    INDIRECT_PING,
    MESSAGE_NAMES,
    PING,
    PING_REQ,
    SUSPECT,
    TURN_UNDEAD,
)
from support.scenario import Desk

VM = sys.implementation.name == "micropython"
SECONDS = 1795423544  # a bump that is no small int anywhere
V4 = ipv4()

if VM:
    from micropython import heap_lock, heap_unlock


class Latest(BroadcastHandler):
    """Items of key, version, payload; refuses those that start with 255. Takes no heap."""

    def __init__(self):
        self.versions = bytearray(256)
        self.meddle = None
        self.status = OK

    def receive_item(self, buf, start, end, sender):
        if self.meddle:
            self.status = self.meddle.gossip()
        if buf[start] == 255:
            return REFUSED
        if self.versions[buf[start]] >= buf[start + 1]:
            return STALE
        self.versions[buf[start]] = buf[start + 1]
        return NEWS

    def invalidates(self, buf, start, end, items):
        return items.store[items.old_start] == buf[start]


class Watched(Timers):
    """Counts what fired."""

    def __init__(self, members):
        Timers.__init__(self, members)
        self.fired = array("i", [0] * len(TIMER_NAMES))

    def due(self, now_ms):
        kind = Timers.due(self, now_ms)
        if kind >= 0:
            self.fired[kind] += 1
        return kind


class Bench(Runtime):
    """A node whose every step is measured. Builds what a step needs before it, outside."""

    def __init__(self, codec, strict, locked, bump=SECONDS, **fields):
        self.locked = locked
        self.desk = Desk(V4, codec)
        self.six = Desk(ip(), codec)
        self.handler = Latest()
        self.events = array("i", [0] * len(EVENT_NAMES))
        self.tags_sent = array("i", [0] * 16)
        self.tags_received = array("i", [0] * 16)
        self.now_ms = (1 << 30) - 20000  # the clock wraps on the way
        self.data = b""
        self.verb = None
        self.until_ms = 0
        self.status = 0
        self.steps = 0
        self.bytes_sent = 0
        config = Config.lan(
            20, strict=strict, members_max=8, notify_data=True, remove_down_after_ms=20000,
            periodic_announce_ms=3000, periodic_announce_to_down_ms=4000,
            items_max=3, items_bytes_max=80, turn_undeads_max=5, **fields
        )  # fmt: skip
        self.foca = Foca(at(1, bump), config, self, codec, V4, self.handler, 5)
        self.foca.timers = Watched(self.foca.members)

    def send_to(self, row, buf, count):
        self.bytes_sent += count

    def notify(self, event, row):
        self.events[event] += 1
        if event == DATA_SENT:
            self.tags_sent[self.foca.message_tag] += 1
        elif event == DATA_RECEIVED:
            self.tags_received[self.foca.message_tag] += 1

    def measured(self, function, name):
        """Call `function`; fail when it takes heap."""
        self.steps += 1
        before = after = 0
        if not VM:
            function()
        elif self.locked:
            heap_lock()
            try:
                function()
            finally:
                heap_unlock()
        else:
            gc.collect()
            gc.disable()
            before = gc.mem_alloc()
            function()
            after = gc.mem_alloc()
            gc.enable()
        assert after == before, "%s takes %d bytes of heap" % (name, after - before)

    # steps

    def takes(self, data, name):
        """A datagram; returns the status."""
        self.data = data
        self.measured(self._take, name)
        return self.status

    def _take(self):
        self.status = self.foca.handle_data(self.data, len(self.data), self.now_ms)

    def hears(self, src, tag, number=0, **rest):
        dst = rest.pop("dst", None) or self.foca.identity()
        data = self.desk.packet(src, dst, tag, number, **rest)
        return self.takes(data, MESSAGE_NAMES[tag])

    def passes(self, delay_ms):
        self.until_ms = delay_ms
        self.measured(self._pass, "time")

    def _pass(self):
        while True:
            wait_ms = self.foca.tick(self.now_ms)
            if wait_ms:
                if not self.until_ms:
                    return
                if wait_ms > self.until_ms:
                    wait_ms = self.until_ms
                self.until_ms -= wait_ms
                self.now_ms = ticks_add(self.now_ms, wait_ms)

    def applies(self, members, do_broadcast=True):
        self.data = self.desk.write_members(members)
        self.measured(self._apply if do_broadcast else self._learn, "apply_many")
        return self.status

    def _apply(self):
        self.status = self.foca.apply_many(self.data, len(self.data), True, self.now_ms)

    def _learn(self):
        self.status = self.foca.apply_many(self.data, len(self.data), False, self.now_ms)

    def adds(self, item):
        self.data = item
        self.measured(self._add, "add_broadcast")
        return self.status

    def _add(self):
        self.status = self.foca.add_broadcast(self.data, len(self.data))

    def does(self, verb, name):
        """A verb without arguments."""
        self.verb = verb
        self.measured(self._do, name)
        return self.status

    def _do(self):
        self.status = self.verb()

    def names(self, verb, identity, name):
        """A verb that takes an identity."""
        self.verb = verb
        self.data = identity
        self.measured(self._name, name)
        return self.status

    def _name(self):
        self.status = self.verb(self.data)


def at(number, bump=SECONDS):
    """The identity of 10.0.0.number:7000."""
    return parse(V4, "10.0.0.%d:7000" % number, bump)


def every_message(bench):
    """Each kind received, with updates and items where it may have them, and answered."""
    assert bench.hears(at(2), ANNOUNCE) == OK
    assert bench.hears(at(9), ANNOUNCE, dst=at(1, 3)) == OK, "a guessed bump"
    assert bench.hears(at(9), ANNOUNCE, dst=parse(V4, "255.255.255.255:7000")) == OK
    bench.passes(450)
    news = [(at(3), 0, ALIVE), (at(4), 70, ALIVE)]
    assert bench.hears(at(2), PING, 9, updates=news, items=[b"\x01\x01first"]) == OK
    for tag in (PING, ACK):
        assert bench.hears(at(3), tag, 200) == OK
    for tag in (PING_REQ, INDIRECT_PING, INDIRECT_ACK, FORWARDED_ACK):
        for third in (at(3), at(66)):
            updates = [(at(4), 71 + tag, SUSPECT)]
            assert bench.hears(at(2), tag, 3, third=third, updates=updates) == OK
        assert bench.hears(at(2), tag, 3, third=bench.foca.identity()) == INDIRECT_FOR_OURSELVES
    assert bench.hears(at(3), FEED, updates=[(at(5), 0, ALIVE), (at(6), 1, SUSPECT)]) == OK
    assert bench.hears(at(3), GOSSIP, items=[b"\x01\x02second", b"\x02\x01other"]) == OK
    assert bench.hears(at(3), BROADCAST, items=[b"\x03\x01third", b"\x04\x01fourth"]) == OK


def bad_datagrams(bench):
    """Every way to refuse."""
    good = bench.desk.packet(at(2), bench.foca.identity(), PING, 1, updates=[(at(3), 0, ALIVE)])
    for end in (0, 5, 13, len(good) - 1):
        assert bench.takes(good[:end], "a cut datagram") == DECODE
    assert bench.takes(good + b"\x00", "a byte too many") == MALFORMED_PACKET
    assert bench.takes(bytes(1401), "a giant") == DATA_TOO_BIG
    assert bench.hears(at(2), ANNOUNCE, tail=b"\x00\x00") == MALFORMED_PACKET
    assert bench.hears(at(1, 8), PING, 1) == DATA_FROM_OURSELVES
    assert bench.hears(at(2), PING, 1, dst=at(50)) == OK
    assert bench.hears(at(2), GOSSIP, items=[b"\xff\x00refused"]) == CUSTOM_BROADCAST
    assert bench.hears(at(2), GOSSIP, tail=b"\x00\x09\x00") == MALFORMED_PACKET
    both = ip()
    six = parse(both, "[2001:db8::1]:7000", SECONDS)
    src = parse(both, "10.0.0.2:7000", SECONDS)
    dst = parse(both, "10.0.0.1:7000", SECONDS)
    updates = [(six, 300, DOWN), (parse(both, "10.0.0.3:7000", SECONDS), 300, ALIVE)]
    data = bench.six.packet(src, dst, GOSSIP, updates=updates)
    assert bench.takes(data, "a foreign member") == OK
    data = bench.six.packet(six, dst, PING, 1)
    assert bench.takes(data, "a foreign sender") == FOREIGN_ADDRESS


def every_timer(bench):
    """Probes that a helper answers, that are answered in time, that fail; the periodic ones."""
    bench.passes(1600)  # to the first indirect stage
    foca = bench.foca
    for number in range(2, 7):
        third = foca.identity_of(6)
        bench.hears(at(number), FORWARDED_ACK, foca.probe.number, third=third)
    bench.passes(1000)
    bench.hears(foca.identity_of(6), ACK, foca.probe.number)
    for _ in range(30):
        bench.passes(1000)


def churn(bench):
    """Joins, renames, refutations, downs and evictions."""
    assert bench.hears(at(2, SECONDS + 1), PING, 1) == OK
    for number in range(3, 9):
        assert bench.hears(at(number, SECONDS + 2), PING, number) == OK
    bench.passes(2500)
    for number in range(2, 9):  # whoever is a suspect by now refutes
        bench.hears(at(number, SECONDS + 2), GOSSIP, incarnation=300)
    bench.passes(1000)
    bench.hears(at(3, SECONDS + 2), PING, 1, incarnation=300)
    told = [(at(number, SECONDS + 3), 0, DOWN) for number in (4, 5, 6)]
    assert bench.hears(at(3, SECONDS + 2), GOSSIP, updates=told, incarnation=300) == OK
    for number in (4, 4, 5, 5, 6, 6):
        bench.hears(at(number, SECONDS + 3), PING, 1)
    for _ in range(8):  # until nothing is left to tell, so that they may be evicted
        bench.does(bench.foca.gossip, "gossip")
    for number in range(20, 40):
        assert bench.hears(at(number), PING, 1) == OK
    bench.passes(1200)
    bench.hears(at(20), PING, 2)


def verbs(bench):
    """What the application may call."""
    foca = bench.foca
    assert bench.names(foca.announce, at(77), "announce") == OK
    assert bench.does(foca.gossip, "gossip") == OK
    assert bench.adds(b"\x07\x01" + b"x" * 20) == OK
    assert bench.adds(b"\x07\x02" + b"y" * 20) == OK
    assert bench.adds(b"\x07\x02" + b"y" * 20) == KNOWN
    for key in range(8, 14):
        assert bench.adds(b"%c\x01zzz" % key) == OK
    assert bench.adds(b"\x0e\x01" + b"z" * 90) == OK
    assert bench.adds(b"") == MALFORMED_PACKET
    assert bench.adds(b"\xff\x01") == CUSTOM_BROADCAST
    assert bench.adds(bytes(1401)) == DATA_TOO_BIG
    assert bench.does(foca.broadcast, "broadcast") == OK
    members = [(at(20), 5, SUSPECT), (at(21), 5, DOWN), (at(20), 6, ALIVE)]
    bench.applies(members)
    bench.applies([(at(22), 5, SUSPECT)], False)
    bench.applies([(at(number), 0, ALIVE) for number in range(40, 60)])
    bench.handler.meddle = foca
    bench.adds(b"\x20\x01busy")
    bench.handler.meddle = None
    assert bench.handler.status == BUSY
    assert bench.does(foca.reuse_down_identity, "reuse_down_identity") == NOT_UNDEAD
    assert bench.names(foca.change_identity, foca.identity(), "change_identity") == SAME_IDENTITY


def ourselves(bench):
    """Suspected, refuting, told Down, renewing, jumping, changing, leaving, coming back."""
    foca = bench.foca
    for incarnation in (0, 0, 200, 40000):
        updates = [(foca.identity(), incarnation, SUSPECT)]
        assert bench.hears(at(20), GOSSIP, updates=updates, incarnation=6) == OK
    for _ in range(2):
        assert bench.hears(at(20), TURN_UNDEAD, incarnation=6) == OK
        assert bench.hears(at(20), PING, 1, incarnation=6) == OK
    updates = [(foca.identity(), 65535, SUSPECT), (at(1, SECONDS + 900), 0, ALIVE)]
    assert bench.hears(at(20), GOSSIP, updates=updates, incarnation=6) == OK
    assert bench.hears(at(20), PING, 1, dst=at(1, SECONDS + 5000), incarnation=6) == OK
    bench.hears(at(20), PING, 1, incarnation=6)
    assert bench.names(foca.change_identity, at(1, SECONDS + 9000), "change_identity") == OK
    bench.applies([])
    assert bench.does(foca.leave_cluster, "leave_cluster") == OK
    bench.hears(at(20), TURN_UNDEAD, incarnation=6)
    if not foca.config.strict:  # strict was called back just now (B-7)
        assert bench.does(foca.reuse_down_identity, "reuse_down_identity") == OK
    assert bench.hears(at(20), PING, 1, incarnation=6) == OK
    bench.passes(60000)
    bench.applies([(at(200), 0, ALIVE)])
    bench.passes(1500)
    bench.applies([(at(200), 0, DOWN)])  # idle


def the_end(bench):
    """An identity that has no successor is Defunct."""
    foca = bench.foca
    bench.names(foca.change_identity, at(1, (1 << 64) - 1), "change_identity")
    bench.hears(at(201), PING, 1)
    bench.hears(at(201), TURN_UNDEAD)
    assert foca.is_undead()
    bench.passes(1000)


def whole_script(codec, strict, locked):
    bench = Bench(codec, strict, locked)
    every_message(bench)
    bad_datagrams(bench)
    every_timer(bench)
    churn(bench)
    verbs(bench)
    ourselves(bench)
    the_end(bench)
    return bench


def test_no_step_takes_heap():
    """`gc.mem_alloc()` is the same after each step as before it, with the collector off."""
    for codec in (Postcard, Bincode):
        for strict in (False, True):
            whole_script(codec, strict, False)


def test_every_step_runs_with_the_heap_locked():
    """Any allocation would raise."""
    for codec in (Postcard, Bincode):
        for strict in (False, True):
            whole_script(codec, strict, True)


def test_a_packet_too_small_for_anything_takes_no_heap():
    """Every way to fail at composing."""
    for strict in (False, True):
        for limit in (1, 20, 28, 31, 36, 60):
            bench = Bench(Postcard, strict, False, send_bytes_max=limit)
            for number in range(2, 6):
                bench.hears(at(number), PING, 1, items=[b"%c\x01item" % number])
            for _ in range(10):
                bench.passes(1000)
            bench.does(bench.foca.broadcast, "broadcast")
            bench.does(bench.foca.leave_cluster, "leave_cluster")
            assert limit > 31 or bench.foca.counters[ENCODE]


def test_the_script_leaves_nothing_out():
    """Every message both ways, every event, every timer, and every counter that it is about."""
    for strict in (False, True):
        bench = whole_script(Postcard, strict, False)
        for tag in range(len(MESSAGE_NAMES)):
            assert bench.tags_received[tag], "not received: " + MESSAGE_NAMES[tag]
            assert bench.tags_sent[tag], "not sent: " + MESSAGE_NAMES[tag]
        for event in range(len(EVENT_NAMES)):
            assert bench.events[event], "not reported: " + EVENT_NAMES[event]
        for kind in range(len(TIMER_NAMES)):
            by_hardened_only = kind == 7  # a Feed for who asked everybody
            fired = bench.foca.timers.fired[kind]
            assert bool(fired) != (by_hardened_only and strict), "timer " + TIMER_NAMES[kind]
        counted = [
            BUSY, CUSTOM_BROADCAST, DATA_FROM_OURSELVES, DATA_TOO_BIG, DECODE, EVICTED_MEMBERS,
            FOREIGN_ADDRESS, FOREIGN_MEMBERS, INDIRECT_FOR_OURSELVES, ITEMS_EVICTED,
            ITEMS_REFUSED, MALFORMED_PACKET, NOT_FOR_US, NOT_UNDEAD, REFUSED_MEMBERS, RENEWALS,
            SAME_IDENTITY, KNOWN, TABLE_FULL,
        ]  # fmt: skip
        if not strict:
            counted.append(TURN_UNDEAD_LIMITED)
        assert len(bench.foca.counters) == COUNTERS
        for index in counted:
            assert bench.foca.counters[index], "counter %d" % index
        assert bench.steps > 150 and bench.bytes_sent > 10000


def test_the_measure_itself_finds_an_allocation():
    """The proof is worth nothing if it cannot fail."""
    if not VM:
        return
    bench = Bench(Postcard, False, False)
    for locked, error in ((False, AssertionError), (True, MemoryError)):
        bench.locked = locked
        try:
            bench.does(bench.foca.identity, "identity")
        except error:
            pass
        else:
            raise AssertionError("an allocation was not seen")
