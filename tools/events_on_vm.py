"""What one event costs the machine: microseconds and heap bytes. Runs on MicroPython and CPython.

    MICROPYPATH=lib:.frozen micropython tools/events_on_vm.py 16 64 200

For each number of members it prints a line of JSON per event: the best of many runs in
microseconds (the least disturbed one) and the heap bytes that one run took, counted with the
collector off (null on CPython). tools/bench.py makes a table of it.
"""

import gc
import json
import sys
import time

from foca._port import const
from foca.address import parse
from foca.config import Config
from foca.identity import ipv4
from foca.node import Foca
from foca.outgoing import send
from foca.runtime import Runtime

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable

_PING = 0
_GOSSIP = 8
_ANNOUNCE = 6
_SRC = 1
_CALL = 7
_FIRST = 9
_WIDTH = 14

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
    """A datagram from the peer with `updates` updates."""
    queue_updates(peer, updates)
    send(peer, _CALL, head, 0)
    return caught.data


def best(
    run: "Callable[[bytes], None]", prepare: "Callable[[], bytes]", times: int
) -> "tuple[int, int | None]":
    """The least time of one run in microseconds, and the heap bytes of the last one."""
    least = 1 << 29
    taken = None
    for _ in range(times):
        argument = prepare()
        gc.collect()
        if hasattr(gc, "mem_alloc"):
            gc.disable()
            taken = gc.mem_alloc()
        start = microseconds()
        run(argument)
        spent = microseconds() - start
        if hasattr(gc, "mem_alloc"):
            taken = gc.mem_alloc() - taken
            gc.enable()
        least = min(least, spent)
    return least, taken


def events(
    members: int,
) -> "tuple[tuple[str, Callable[[bytes], None], Callable[[], bytes]], ...]":
    """(name, what is measured, what prepares its argument) of every event."""
    node, peer, caught = cluster(members)
    most = min(20, members - 1)

    def receive(data: bytes) -> None:
        node.handle_data(data, len(data), 0)

    def incoming(tag: int, updates: int) -> bytes:
        data = datagram(peer, caught, tag, updates)
        forget_updates(node)
        return data

    def gossip(_: bytes) -> None:
        send(node, _SRC, _GOSSIP, 0)

    def tick(_: bytes) -> None:
        node.tick(1)

    def probe_due() -> bytes:
        """The last probe went well, the next one is due: the verdict and a Ping."""
        forget_updates(node)
        node.probe.asked = node.probe.acked = True
        node.timers.set(1, 1, 0)
        return b""

    def queued(updates: int) -> bytes:
        queue_updates(node, updates)
        return b""

    def stopped() -> bytes:
        node.timers.clear()
        return b""

    return (
        ("Ping answered", receive, lambda: incoming(_PING, 0)),
        ("Gossip received, 0 updates", receive, lambda: incoming(_GOSSIP, 0)),
        ("Gossip received, 5 updates applied", receive, lambda: incoming(_GOSSIP, 5)),
        ("Gossip received, %d updates applied" % most, receive, lambda: incoming(_GOSSIP, most)),
        ("Announce answered by a Feed", receive, lambda: incoming(_ANNOUNCE, 0)),
        ("Gossip sent, 0 updates", gossip, lambda: queued(0)),
        ("Gossip sent, 5 updates", gossip, lambda: queued(5)),
        ("Gossip sent, %d updates" % most, gossip, lambda: queued(most)),
        ("idle tick", tick, stopped),
        ("probe: verdict and next Ping", tick, probe_due),
    )


def main(words: list[str]) -> None:
    for word in words or ("16", "64", "200"):
        for name, run, prepare in events(int(word)):
            spent, taken = best(run, prepare, 40)
            line = {"members": int(word), "event": name, "us": spent, "heap": taken}
            print(json.dumps(line))


if __name__ == "__main__":
    main(sys.argv[1:])
