"""Many boards on one simulated network, in virtual time: whole nodes, `Join`, and a radio between.

    network = Network(seed=1, loss_percent=5)
    boards = [network.add(2 + i, starts_ms=0) for i in range(50)]
    network.run_until(network.all_know_all, 20000)

A board sleeps in its socket, as firmware/main.py does: a datagram wakes it, or `POLL_MS` do; a
turn keeps it busy for `BUSY_MS`, while its socket holds `queue` datagrams and drops the rest. A
datagram takes 2 .. 8 ms. A broadcast reaches everybody but is lost for each receiver by itself,
and three times as often as a unicast, because an access point sends it once, unacknowledged.
Everything is drawn from one seed. What a board costs in time is an estimate, not a measurement.
Runs on CPython and on MicroPython.
"""

from foca._port import ticks_add
from foca.address import parse
from foca.config import Config
from foca.identity import ipv4
from foca.join import Join
from foca.node import Foca
from foca.rng import Rng
from foca.runtime import Runtime
from foca.wire import MESSAGE_NAMES

POLL_MS = 20
BUSY_MS = 5
LAYOUT = ipv4()
_LIMITED = b"\xff\xff\xff\xff"
_DIRECTED = b"\x0a\x00\x00\xff"  # of 10.0.0.0/24
EVERYBODY = (_LIMITED, _DIRECTED)


class Network:
    def __init__(self, seed, loss_percent=0, start_ms=5000):
        self.now_ms = start_ms  # plain, not wrapped
        self.rng = Rng(seed)
        self.loss_percent = loss_percent
        self.boards = []
        self.outsiders = []
        """Receivers that are no `Board`, see fake_board.py."""
        self.broadcasts = 0
        self.drops = b""
        """The broadcast address that the access point does not forward, if any."""
        self.isolated = False
        self.poll_ms = POLL_MS
        """Client isolation: boards do not reach each other."""

    def add(self, number, starts_ms=0, queue=4, seeds=(), broadcast=True, bump=1, **fields):
        """A board at 10.0.0.`number` that gets its address `starts_ms` from now."""
        board = Board(self, number, self.now_ms + starts_ms, queue, seeds, broadcast, bump, fields)
        self.boards.append(board)
        return board

    def send(self, sender, octets, data):
        to_all = octets in EVERYBODY
        self.broadcasts += to_all
        if octets == self.drops:
            return
        for board in self.boards + self.outsiders:
            if board is sender or not board.is_on:
                continue
            if to_all or octets == board.octets:
                loss = self.loss_percent * (3 if to_all else 1)
                if self.isolated or self.rng.below(100) < loss:
                    continue
                arrives_ms = self.now_ms + 2 + self.rng.below(7)
                board.air.append((arrives_ms, data))
                if arrives_ms < board.wakes_ms:
                    board.wakes_ms = max(arrives_ms, board.free_ms)

    def step(self):
        """Go on to the next board that looks at its socket, and let it."""
        board = self.boards[0]
        for other in self.boards:
            if other.wakes_ms < board.wakes_ms:
                board = other
        self.now_ms = board.wakes_ms
        board.turn()

    def run(self, duration_ms):
        end = self.now_ms + duration_ms
        while self.now_ms < end:
            self.step()

    def run_until(self, happened, limit_ms):
        """Run until `happened()`; returns the milliseconds that took, -1 when it did not."""
        start = self.now_ms
        look = start
        while self.now_ms < start + limit_ms:
            self.step()
            if self.now_ms > look:
                look = self.now_ms
                if happened():
                    return self.now_ms - start
        return -1

    def all_have_a_peer(self):
        return all([board.foca.num_members() > 0 for board in self.boards])

    def all_know_all(self):
        most = len(self.boards) - 1
        return all([board.foca.num_members() == most for board in self.boards])


class Board(Runtime):
    def __init__(self, network, number, starts_ms, queue, seeds, broadcast, bump, fields):
        self.network = network
        self.queue_max = queue
        self.air = []
        self.dropped = 0
        self.sent = {}
        self.bytes_sent = 0
        self.is_on = True
        self.starts_ms = starts_ms
        self.peer_after_ms = -1
        """How long after its address it had its first peer."""
        record = parse(LAYOUT, "10.0.0.%d:36220" % number, bump)
        self.octets = record[:4]
        make = Config.wan if fields.pop("wan", False) else Config.lan
        config = make(32, send_bytes_max=512, **fields)
        seed = network.rng.below(1 << 20)
        self.foca = Foca(record, config, self, layout=LAYOUT, seed=seed)
        seeds = [parse(LAYOUT, "10.0.0.%d:36220" % seed) for seed in seeds]
        self.join = Join(self.foca, seeds, seed, broadcast)
        self.free_ms = starts_ms
        self.wakes_ms = starts_ms + network.rng.below(POLL_MS)

    def send_to(self, row, buf, count):
        at = row * LAYOUT.record_bytes
        head = buf[:count]
        tag = self.tag_of(head)
        self.sent[tag] = self.sent.get(tag, 0) + 1
        self.bytes_sent += count
        self.network.send(self, bytes(self.foca.members.ids[at : at + 4]), bytes(head))

    def tag_of(self, data):
        """The message's name: it stands behind two identities and the incarnation."""
        codec = self.foca.codec
        pos = codec.identity_bytes(0)
        pos += codec.u16_bytes(self.foca.members.incarnations[0])
        cursor = self.foca.outbox
        end, was = cursor.end, cursor.pos
        cursor.end, cursor.pos = len(data), pos
        codec.skip_identity(cursor)
        name = MESSAGE_NAMES[data[cursor.pos]]
        cursor.end, cursor.pos = end, was
        return name

    def packets(self):
        return sum(self.sent.values())

    def turn(self):
        network = self.network
        self.free_ms = network.now_ms + BUSY_MS
        self.wakes_ms = network.now_ms + network.poll_ms
        if not self.is_on:
            return
        now_ms = ticks_add(network.now_ms, 0)
        arrived = [item for item in self.air if item[0] <= network.now_ms]
        self.air = [item for item in self.air if item[0] > network.now_ms]
        arrived.sort(key=lambda item: item[0])
        for item in self.air:
            self.wakes_ms = min(self.wakes_ms, max(item[0], self.free_ms))
        self.dropped += max(0, len(arrived) - self.queue_max)
        for _, data in arrived[: self.queue_max]:
            self.foca.handle_data(data, len(data), now_ms)
        due_ms = max(BUSY_MS, min(self.join.step(now_ms), self.foca.tick(now_ms)))
        self.wakes_ms = min(self.wakes_ms, network.now_ms + due_ms)
        if self.peer_after_ms < 0 and self.foca.num_members():
            self.peer_after_ms = network.now_ms - self.starts_ms
