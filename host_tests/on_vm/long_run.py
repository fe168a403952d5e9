"""Three nodes, a day of simulated time, a heap of 64 kB, the collector off.

    MICROPYPATH=FOLDER_OF_MPY .vm/mp32 -X heapsize=64K -c "
        import gc; gc.threshold(512); import sys, long_run; sys.exit(long_run.main(24))"
    PYTHONPATH=lib python host_tests/on_vm/long_run.py [HOURS]      the same, without the proof

The load, per node: a probe every 2 s, gossip every second while there is news, an Announce every
30 s and one to Down members every 65 s; tables of 12 rows, datagrams up to 160 bytes. Three of a
hundred datagrams are lost. Every half minute something happens: a node is unplugged for 5 minutes
(all declare each other Down, and it renews its identity when it is back), leaves and comes back
under a new identity, changes its identity while running, or a stranger announces itself and is
never heard of again (so tables fill up, suspect, and evict). The clock wraps at noon.

The heap in use after the first minute is compared with that at the end: `gc.mem_alloc()` must be
the same, without a single collection in between, because nothing may be allocated at all. The
threshold is for importing: collected often, the modules do not lie about in pieces.
Prints one line of figures. Exit status 0 when all is well, 1 when not.
"""

import gc
import sys
from array import array

from foca._port import ticks_add, ticks_diff
from foca.config import Config
from foca.node import Foca
from foca.rng import Rng
from foca.runtime import Runtime

NODES = 3
SLOTS = 16
SLOT_BYTES = 160
CHURN_MS = 30000
QUIET_MS = 900000  # the last quarter of an hour, in which all must find each other again
OCTET = 3  # where the last octet of a record is; its bump are the last eight bytes


class Port(Runtime):
    """One node's way out, and what became of it."""

    def __init__(self, net, index):
        self.net = net
        self.foca = None
        self.wake_ms = 0
        self.unplugged = 0  # in units of CHURN_MS
        self.record = bytearray(b"\x0a\x00\x00\x00\x1b\x58\x00\x00\x00\x00\x6b\x03\xfd\x00")
        self.record[OCTET] = index + 1

    def send_to(self, row, buf, count):
        target = NODES if self.unplugged else self.foca.members.ids[row * 14 + OCTET] - 1
        self.net.put(target, buf, count)

    def notify(self, event, row):
        self.net.events[event] += 1


class Net:
    """The nodes, the datagrams on their way, the clock."""

    def __init__(self):
        self.now_ms = (1 << 30) - 43200000
        self.rng = Rng(2026)
        self.events = array("i", [0] * 10)
        self.store = bytearray(SLOTS * SLOT_BYTES)
        self.sizes = array("h", [0] * SLOTS)
        self.targets = array("h", [0] * SLOTS)
        self.first = self.count = 0
        self.sent = self.lost = self.overflows = self.strangers = 0
        self.slot = bytearray(SLOT_BYTES)
        # Announce from 10.0.0.x:7000 bump 1 to 10.0.0.y:7000 bump 0, in postcard
        self.stranger = bytearray(
            b"\x00\x0a\x00\x00\x00\xd8\x36\x01\x00\x00\x0a\x00\x00\x00\xd8\x36\x00\x06"
        )
        config = Config.lan(
            NODES, members_max=12, send_bytes_max=SLOT_BYTES, probe_period_ms=2000,
            periodic_gossip_ms=1000, remove_down_after_ms=3600000,
        )  # fmt: skip
        self.ports = []
        for index in range(NODES):
            gc.collect()
            port = Port(self, index)
            port.foca = Foca(port.record, config, port, seed=index)
            self.ports.append(port)
        for port in self.ports:
            port.foca.announce(self.ports[0].record)

    def put(self, target, buf, count):
        """A datagram leaves."""
        self.sent += 1
        if target >= NODES or self.rng.below(100) < 3:
            self.lost += 1
            return
        if self.count == SLOTS:
            self.overflows += 1
            return
        slot = (self.first + self.count) % SLOTS
        self.count += 1
        self.sizes[slot] = count
        self.targets[slot] = target
        slot *= SLOT_BYTES
        while count:
            count -= 1
            self.store[slot + count] = buf[count]

    def deliver(self):
        """Everything arrives, and what is answered to it."""
        while self.count:
            slot = self.first
            self.first = (slot + 1) % SLOTS
            self.count -= 1
            count = self.sizes[slot]
            port = self.ports[self.targets[slot]]
            slot *= SLOT_BYTES
            i = 0
            while i < count:
                self.slot[i] = self.store[slot + i]
                i += 1
            if not port.unplugged:
                port.foca.handle_data(self.slot, count, self.now_ms)
                port.wake_ms = self.now_ms

    def run(self, until_ms):
        """Serve every deadline up to `until_ms`."""
        while True:
            self.deliver()
            next_ms = until_ms
            for port in self.ports:
                while ticks_diff(port.wake_ms, self.now_ms) <= 0:
                    port.wake_ms = ticks_add(self.now_ms, port.foca.tick(self.now_ms))
                if ticks_diff(port.wake_ms, next_ms) < 0:
                    next_ms = port.wake_ms
            if self.count:
                continue
            self.now_ms = next_ms
            if next_ms == until_ms:
                return

    def churn(self):
        """One thing happens to somebody."""
        for port in self.ports:
            if port.unplugged:
                port.unplugged -= 1
        port = self.ports[self.rng.below(NODES)]
        if port.unplugged:
            return
        what = self.rng.below(8)
        if what == 0:
            port.unplugged = 10
        elif port.foca.is_undead():
            self.renamed(port)
        elif what == 1:
            port.foca.leave_cluster()
        elif what == 2:
            self.renamed(port)
        elif what < 6:
            self.strangers += 1
            self.stranger[4] = 100 + self.strangers % 150
            self.stranger[13] = port.record[OCTET]
            port.foca.handle_data(self.stranger, 18, self.now_ms)
        port.wake_ms = self.now_ms

    def renamed(self, port):
        """Under a larger bump than it has now; then it asks a neighbour for the members."""
        i = 13
        while i > 5:
            port.record[i] = port.foca.members.ids[i]
            i -= 1
        i = 13
        while port.record[i] == 255:
            port.record[i] = 0
            i -= 1
        port.record[i] += 1
        port.foca.change_identity(port.record)
        port.foca.announce(self.ports[port.record[OCTET] % NODES].record)

    def calm(self):
        """Nobody is away any more."""
        for port in self.ports:
            port.unplugged = 0
            if port.foca.is_undead():
                self.renamed(port)

    def look_for_others(self):
        """Who has no members left asks a neighbour, as foca.join would."""
        for port in self.ports:
            if not port.foca.num_members():
                port.foca.announce(self.ports[port.record[OCTET] % NODES].record)
                port.wake_ms = self.now_ms


def main(hours):
    """Run it; returns the exit status."""
    net = Net()
    gc.collect()
    if hasattr(gc, "mem_alloc"):
        gc.disable()
    net.run(ticks_add(net.now_ms, 60000))
    measured = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
    left_ms = hours * 3600000 - 60000
    while left_ms > 0:
        net.run(ticks_add(net.now_ms, CHURN_MS))
        left_ms -= CHURN_MS
        if left_ms > QUIET_MS:
            net.churn()
        elif left_ms + CHURN_MS > QUIET_MS:
            net.calm()
        net.look_for_others()
    after = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0
    gc.enable()
    gc.collect()
    print(
        "%d h, %d nodes, %d datagrams, %d lost: up %d, down %d, renamed %d, rejoined %d;"
        % ((hours, NODES, net.sent, net.lost) + tuple([net.events[i] for i in (0, 1, 2, 6)])),
        "heap in use after 1 minute %d, at the end %d bytes" % (measured, after),
    )
    problems = []
    if after != measured:
        problems.append("the heap grew by %d bytes" % (after - measured))
    if net.overflows:
        problems.append("%d datagrams found the queue full" % net.overflows)
    for event in range(7):
        if not net.events[event] > hours:
            problems.append("event %d happened %d times only" % (event, net.events[event]))
    for port in net.ports:
        here = sum([1 for row in port.foca.iter_members() if is_one_of_us(port.foca, row)])
        if here != NODES - 1:
            problems.append("node %d knows %d of the others" % (port.record[OCTET], here))
        if not port.foca.members.evicted:
            problems.append("node %d never evicted" % port.record[OCTET])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def is_one_of_us(foca, row):
    return foca.members.ids[row * 14 + OCTET] <= NODES


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 24))
