"""What one event costs the machine: microseconds and heap. Runs on MicroPython and CPython.

    MICROPYPATH=lib:.frozen micropython tools/events_on_vm.py [fast] [times=N] 16 64 200

For each number of members it prints a line of JSON per event, the best of N runs (40):

    us      microseconds of the least disturbed run
    heap    bytes of heap that the event keeps, counted with the collector off; null on CPython
    words   machine words that it takes from the heap and gives back, frames of functions included;
            null where the interpreter does not count them

`fast` measures with foca.fast. tools/bench.py makes a table of it.
"""

import gc
import json
import sys
import time

from foca._port import const
from foca.address import parse
from foca.codec import FLAGS
from foca.config import Config
from foca.identity import ipv4
from foca.node import Foca
from foca.outgoing import send
from foca.runtime import Runtime

try:
    import micropython
except ImportError:
    micropython = None

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable

_GOSSIP = 8
_HAS_MEMBERS = 1
_PLAIN_MEMBERS = 17  # with members, and those are not a Feed's
_MESSAGES = (
    (0, "Ping", ": answered"),
    (1, "Ack", ""),
    (2, "PingReq", ": passed on"),
    (3, "IndirectPing", ": answered"),
    (4, "IndirectAck", ": passed on"),
    (5, "ForwardedAck", ""),
    (6, "Announce", ": answered by a Feed"),
    (7, "Feed", ", what fits"),
    (8, "Gossip", ""),
    (9, "Broadcast", ""),
    (10, "TurnUndead", ": renewed, told"),
)
_SRC = 1
_CALL = 7
_FIRST = 9
_WIDTH = 14

_COUNTS_ALL = hasattr(micropython, "mem_total")
_WORD_BYTES = 4 if sys.maxsize < 1 << 40 else 8


def _mem_total() -> int:
    return micropython.mem_total() if _COUNTS_ALL else 0


_ticks_us = getattr(time, "ticks_us", None)


def microseconds() -> int:
    """Now, for the seconds that this runs."""
    return int(_ticks_us() if _ticks_us else time.perf_counter_ns() // 1000)


class Quiet(Runtime):
    def send_to(self, row: int, buf: bytearray, count: int) -> None:
        pass

    def notify(self, event: int, row: int) -> None:
        pass


class Catch(Runtime):
    """Keeps the last datagram."""

    def __init__(self) -> None:
        self.data = b""

    def send_to(self, row: int, buf: bytearray, count: int) -> None:
        self.data = bytes(buf[:count])


def cluster(members: int) -> "tuple[Foca, Foca, Catch]":
    """Two nodes that know the same `members` others: the one that is measured, and its peer."""
    layout = ipv4()
    config = Config.lan(members, members_max=members, send_bytes_max=1400)
    node = Foca(parse(layout, "10.0.0.1:36220", 1795000000), config, Quiet(), seed=1)
    caught = Catch()
    peer = Foca(parse(layout, "10.0.0.2:36220", 1795000001), config, caught, seed=2)
    buf = bytearray(64)
    for foca in (node, peer):
        for i in range(members - 1):
            record = parse(layout, "10.0.1.%d:36220" % (i + 1), 1795000002 + i)
            ids = foca.members.ids
            ids[_CALL * _WIDTH : (_CALL + 1) * _WIDTH] = record
            foca.members.states[_CALL] = foca.members.incarnations[_CALL] = 0
            count = foca.codec.write_member(buf, 0, _CALL)
            foca.apply_many(buf, count, False, 0)
    record = parse(layout, "10.0.0.1:36220", 1795000000)
    peer.members.ids[_CALL * _WIDTH : (_CALL + 1) * _WIDTH] = record
    return node, peer, caught


def forget_updates(foca: Foca) -> None:
    for row in range(foca.members.rows):
        foca.members.left[row] = 0
    foca.backlog.top = 0


def queue_updates(foca: Foca, updates: int) -> None:
    """Queue `updates` that are news to everybody."""
    forget_updates(foca)
    for row in range(_FIRST, _FIRST + updates):
        incarnations = foca.members.incarnations
        incarnations[row] = (incarnations[row] + 1) % 120
        foca.members.lengths[row] = 0
        foca.backlog.queue(row, 1)


def datagram(peer: Foca, caught: Catch, head: int, updates: int) -> bytes:
    """A datagram from the peer with `updates` updates; its third party, if any, is a member."""
    queue_updates(peer, updates)
    send(peer, _CALL, head, _FIRST + updates)
    return caught.data


def best(
    run: "Callable[[bytes], None]", prepare: "Callable[[], bytes]", times: int
) -> "tuple[int, int | None, int | None]":
    """(least microseconds, heap bytes, words on the way) of `times` runs."""
    least = 1 << 29
    taken = words = None
    for _ in range(times):
        argument = prepare()
        gc.collect()
        if hasattr(gc, "mem_alloc"):
            gc.disable()
            taken = gc.mem_alloc()
        passed = _mem_total()
        start = microseconds()
        run(argument)
        spent = microseconds() - start
        passed = _mem_total() - passed
        if hasattr(gc, "mem_alloc"):
            taken = gc.mem_alloc() - taken
            gc.enable()
        if _COUNTS_ALL:
            words = passed // _WORD_BYTES
        least = min(least, spent)
    return least, taken, words


class Bench:
    """A node, and a peer whose datagrams it gets."""

    def __init__(self, members: int) -> None:
        self.node, self.peer, self.caught = cluster(members)
        self.most = min(20, members - 2)

    def receive(self, data: bytes) -> None:
        self.node.handle_data(data, len(data), 0)

    def incoming(self, head: int, updates: int) -> bytes:
        """A datagram for the node as it is called now, which nothing limits."""
        self.peer.members.ids[_CALL * _WIDTH : (_CALL + 1) * _WIDTH] = self.node.identity()
        data = datagram(self.peer, self.caught, head, updates)
        forget_updates(self.node)
        tokens = self.node.limits._tokens
        for kind in range(len(tokens)):
            tokens[kind] = 1
        return data

    def gossip(self, _: bytes) -> None:
        send(self.node, _SRC, _GOSSIP, 0)

    def tick(self, _: bytes) -> None:
        self.node.tick(1)

    def probe_due(self) -> bytes:
        """The last probe went well, the next one is due: the verdict and a Ping."""
        forget_updates(self.node)
        self.node.probe.asked = self.node.probe.acked = True
        self.node.timers.set(1, 1, 0)
        return b""

    def queued(self, updates: int) -> bytes:
        queue_updates(self.node, updates)
        return b""

    def stopped(self) -> bytes:
        self.node.timers.clear()
        return b""

    def events(self) -> "list[tuple[str, Callable[[bytes], None], Callable[[], bytes]]]":
        """(name, what is measured, what prepares its argument) of every event."""
        found: list[tuple[str, Callable[[bytes], None], Callable[[], bytes]]] = []
        for head, name, what in _MESSAGES:
            for updates in (0, 5, self.most):
                if updates == 0 or FLAGS[head] & _PLAIN_MEMBERS == _HAS_MEMBERS:
                    label = name + (", %d updates" % updates if updates else "") + what
                    found.append((label, self.receive, self._incoming(head, updates)))
        for updates in (0, 5, self.most):
            label = "Gossip, %d updates: sent" % updates
            found.append((label, self.gossip, self._queued(updates)))
        found.append(("idle tick", self.tick, self.stopped))
        found.append(("probe: verdict and next Ping", self.tick, self.probe_due))
        return found

    def _incoming(self, head: int, updates: int) -> "Callable[[], bytes]":
        return lambda: self.incoming(head | 7 << 4, updates)

    def _queued(self, updates: int) -> "Callable[[], bytes]":
        return lambda: self.queued(updates)


def main(words: list[str]) -> None:
    """See the module's docstring."""
    times = 40
    for word in words:
        if word == "fast":
            from foca import fast

            fast.install()
        elif word.startswith("times="):
            times = int(word[6:])
    for word in [word for word in words if word.isdigit()] or ("16", "64", "200"):
        for name, run, prepare in Bench(int(word)).events():
            spent, taken, passed = best(run, prepare, times)
            line = {
                "members": int(word),
                "event": name,
                "us": spent,
                "heap": taken,
                "words": passed,
            }
            print(json.dumps(line))


if __name__ == "__main__":
    main(sys.argv[1:])
