"""One cluster of one kind of peer: started, formed, measured, hurt and ended.

All that the nodes say is read by one loop with one clock: the time of a thing is the moment when
its line is read from the pipe (time.monotonic). The loop sleeps in the kernel until a line is
there, so the granularity is that of the scheduler, well below a millisecond on an idle machine.

A view is the set of members that a node has called up and not yet down. Views are complete when
every running node has all the others in it.
"""

import collections.abc
import ctypes
import math
import os
import random
import selectors
import signal
import socket
import subprocess
import time

from compare_peers import DOWN, ENVIRONMENT, READY, ROOT, STATS, SUSPECT, UP, Peer, Place, Told
from compare_relay import NODES_HOST, PUBLIC_HOST, Relay
from compare_traffic import Capture, Counts, cpu_seconds, resident_bytes
from demo import free_ports

PERIOD_S = 1.0
READY_LIMIT_S = 30.0
COMPLETE_LIMIT_S = 120.0
_PR_SET_PDEATHSIG = 1

Sample = dict[str, float | int | bool | str | None]
_libc = ctypes.CDLL(None)


class CompareError(Exception):
    """What did not happen, in one line."""


def die_with_parent() -> None:
    """In a new process: be killed when the driver ends, however that ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def suspicion_s(size: int) -> float:
    """How long a suspect has to refute, in the LAN settings of all four."""
    return 4 * max(1.0, math.log10(size)) * PERIOD_S


def down_limit_s(size: int) -> float:
    """The longest wait for all to declare a member down.

    Everybody probes it within two rounds; memberlist may stretch the suspicion six times.
    """
    return (2 * size + 2) * PERIOD_S + 6 * suspicion_s(size)


class Process:
    """One running node."""

    def __init__(self, argv: list[str]) -> None:
        self.rest = b""
        self.last_line = b""
        self.is_ready = False
        self.stats: dict[str, int | None] | None = None
        self.connection: socket.socket | None = None
        self.popen = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the driver
            preexec_fn=die_with_parent,
        )

    def write(self, data: bytes) -> None:
        """Give it a command, through its connection where it has one."""
        if self.connection:
            self.connection.sendall(data)
        elif data:
            assert self.popen.stdin
            self.popen.stdin.write(data)
            self.popen.stdin.flush()

    def disconnect(self) -> None:
        if self.connection:
            self.connection.close()
            self.connection = None

    def end(self) -> None:
        """Kill it, if it still runs, and leave nothing open."""
        self.popen.kill()
        self.popen.wait()
        self.disconnect()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()


class Cluster:
    """Use as a context manager: no process outlives it."""

    def __init__(self, peer: Peer, size: int, rng: random.Random, has_relay: bool = False) -> None:
        """`has_relay`: the nodes reach each other through a relay that counts."""
        self.peer = peer
        self.size = size
        self.rng = rng
        ports = free_ports(2 * size)
        host = PUBLIC_HOST if has_relay else NODES_HOST
        self.places = {
            n: Place(n, ports[n - 1], ports[size + n - 1], host) for n in range(1, size + 1)
        }
        self.numbers = {peer.name(place): n for n, place in self.places.items()}
        self.running: dict[int, Process] = {}
        self.views: dict[int, set[int]] = {}
        self.news: list[tuple[float, int, str, int]] = []
        """(when, who says it, DOWN or SUSPECT, about whom) since the list was last emptied"""
        self.relay = Relay(ports[:size]) if has_relay else None
        self.selector = selectors.DefaultSelector()
        if self.relay:
            self.selector.register(self.relay, selectors.EVENT_READ, self.relay)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.selector.close()
        if self.relay:
            self.relay.close()

    def end(self) -> None:
        """End all nodes at once."""
        for process in self.running.values():
            process.popen.kill()
        for number in list(self.running):
            self.remove(number)

    # ---- processes and what they say

    def start(self, number: int, contact: int | None) -> None:
        place = self.places[number]
        target = self.places[contact] if contact else None
        process = Process(self.peer.argv(place, self.size, target))
        self.running[number] = process
        self.views[number] = set()
        assert process.popen.stdout
        self.selector.register(process.popen.stdout, selectors.EVENT_READ, number)

    def remove(self, number: int) -> None:
        process = self.running.pop(number)
        assert process.popen.stdout
        self.selector.unregister(process.popen.stdout)
        process.end()

    def listen(self, timeout_s: float) -> None:
        """Read what is there, waiting at most so long. CompareError when a node has ended."""
        for key, _ in self.selector.select(max(0.0, timeout_s)):
            if isinstance(key.data, Counts):
                key.data.drain()
                continue
            process = self.running[key.data]
            data = os.read(key.fd, 65536)
            now = time.monotonic()
            *lines, process.rest = (process.rest + data).split(b"\n")
            for line in lines:
                process.last_line = line.strip() or process.last_line
                told = self.peer.parse(line)
                if told:
                    self.take(now, key.data, told)
            if not data:
                said = process.last_line.decode(errors="replace")
                raise CompareError(f"node {key.data} of {self.peer.title} has ended: {said}")

    def take(self, now: float, number: int, told: Told) -> None:
        """Remember what node `number` has said."""
        if told.kind == READY:
            self.running[number].is_ready = True
        elif told.kind == STATS:
            self.running[number].stats = told.stats
        else:
            about = self.numbers.get(told.who)
            if about is None or about == number:
                return
            if told.kind == UP:
                self.views[number].add(about)
            else:
                self.news.append((now, number, told.kind, about))
            if told.kind == DOWN:
                self.views[number].discard(about)

    def until(self, happened: collections.abc.Callable[[], bool], limit_s: float) -> bool:
        """Listen until `happened`; False when it has not within the limit."""
        deadline = time.monotonic() + limit_s
        while not happened():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            self.listen(left_s)
        return True

    def rest(self, seconds: float) -> None:
        self.until(lambda: False, seconds)

    # ---- forming

    def is_complete(self) -> bool:
        everybody = set(self.running)
        return all(self.views[number] == everybody - {number} for number in everybody)

    def bring_up(self, numbers: list[int], contact: int | None) -> float:
        """Start these, wait until all are ready, tell them to join; returns when that was.

        contact: the one to join through; among `numbers` it is the first.
        """
        for number in numbers:
            self.start(number, contact if number != contact else None)
        ready = self.until(lambda: all(self.running[n].is_ready for n in numbers), READY_LIMIT_S)
        if not ready:
            raise CompareError(f"{self.peer.title} did not start within {READY_LIMIT_S:.0f} s")
        for number in numbers:
            self.running[number].connection = self.peer.connect(self.places[number])
        told = time.monotonic()
        for number in numbers:
            target = self.places[contact] if contact and number != contact else None
            self.running[number].write(self.peer.join_data(target))
        return told

    def form(self) -> Sample:
        """Everybody joins through number 1 at once, and all processes are ready before that."""
        told = self.bring_up(list(self.places), 1)
        is_complete = self.until(self.is_complete, COMPLETE_LIMIT_S)
        seconds = time.monotonic() - told
        for process in self.running.values():
            process.disconnect()
        return {"join_s": seconds, "late": not is_complete}

    def form_or_fail(self) -> None:
        if self.form()["late"]:
            missing = self.size * (self.size - 1) - sum(map(len, self.views.values()))
            raise CompareError(
                f"{self.size} nodes of {self.peer.title} did not find each other within "
                f"{COMPLETE_LIMIT_S:.0f} s: {missing} entries are missing"
            )

    # ---- the idle window

    def idle(self, settle_s: float, window_s: float) -> Sample:
        """A formed cluster is left alone: what it sends and costs, per node and second.

        The relay counts, where there is one; else the interface is read, which needs the right.
        """
        self.form_or_fail()
        self.rest(settle_s)
        self.news.clear()
        pids = [process.popen.pid for process in self.running.values()]
        counts: Counts = self.relay or Capture()
        if self.relay:
            self.relay.restart()
        else:
            self.selector.register(counts, selectors.EVENT_READ, counts)
        cpu = [cpu_seconds(pid) for pid in pids]
        began = time.monotonic()
        self.rest(window_s)
        seconds = time.monotonic() - began
        spent = [1000 * (cpu_seconds(p) - c) / seconds for p, c in zip(pids, cpu, strict=True)]
        if not self.relay:
            self.selector.unregister(counts)
            counts.close()
        sample: Sample = {"window_s": seconds, "news": len(self.news)}
        sample |= self.traffic(counts, seconds)
        resident = [resident_bytes(pid) for pid in pids]
        told = self.own_counters()
        heaps = [heap for stats in told if (heap := stats.get("heap_bytes")) is not None]
        sample |= spread("cpu_ms", spent) | spread("rss_bytes", resident)
        return sample | spread("heap_bytes", heaps)

    def traffic(self, counts: Counts, seconds: float) -> Sample:
        """Rates per node."""
        found: Sample = {"how": counts.how, "lost": counts.lost, "unread": counts.unread}
        for kind, total in counts.sums.items():
            found[f"{kind}_packets"] = total.packets / seconds / self.size
            found[f"{kind}_bytes"] = total.payload_bytes / seconds / self.size
            found[f"{kind}_ip_bytes"] = total.ip_bytes / seconds / self.size
        nodes = [counts.udp_by_port.get(place.port) for place in self.places.values()]
        rates = [node.ip_bytes / seconds if node else 0.0 for node in nodes]
        return found | {"udp_ip_bytes_min": min(rates), "udp_ip_bytes_max": max(rates)}

    def own_counters(self) -> list[dict[str, int | None]]:
        """What every node says about itself; nothing where this peer has no counters."""
        question = self.peer.stats_data()
        if not question:
            return []
        for process in self.running.values():
            process.stats = None
            process.write(question)
        processes = list(self.running.values())
        if not self.until(lambda: all(p.stats is not None for p in processes), READY_LIMIT_S):
            raise CompareError(f"{self.peer.title} did not tell its counters")
        return [process.stats or {} for process in processes]

    # ---- kills

    def kills(self, count: int) -> list[Sample]:
        """Kill one after the other, each after all views were complete again."""
        self.form_or_fail()
        samples = []
        for _ in range(count):
            self.rest(self.rng.uniform(2, 3) * PERIOD_S)  # any phase of everybody's probes
            if not self.is_complete():  # somebody was wrongly declared down and comes back
                self.until(self.is_complete, COMPLETE_LIMIT_S)
            sample = self.kill(self.rng.choice(sorted(self.running)))
            samples.append(sample)
            if sample["late"] or sample["rejoin_s"] is None:
                self.end()
                self.form_or_fail()
        return samples

    def kill(self, victim: int) -> Sample:
        """SIGKILL one, wait until all others have declared it down, start it again."""
        self.news.clear()
        killed = time.monotonic()
        self.remove(victim)
        down: dict[int, float] = {}

        def all_know() -> bool:
            for when, observer, kind, about in self.news:
                if about == victim and kind == DOWN:
                    down.setdefault(observer, when - killed)
            return len(down) == self.size - 1

        is_late = not self.until(all_know, down_limit_s(self.size))
        suspected = [
            w - killed for w, _, k, about in self.news if about == victim and k == SUSPECT
        ]
        wrong = [kind for _, _, kind, about in self.news if about != victim]
        sample: Sample = {
            "suspect_s": min(suspected, default=None),
            "first_down_s": min(down.values(), default=None),
            "last_down_s": down_limit_s(self.size) if is_late else max(down.values()),
            "late": is_late,
            "false_suspects": wrong.count(SUSPECT),
            "false_downs": wrong.count(DOWN),
            "rejoin_s": None,
        }
        told = self.bring_up([victim], self.rng.choice(sorted(self.running)))
        if not is_late and self.until(self.is_complete, COMPLETE_LIMIT_S):
            sample["rejoin_s"] = time.monotonic() - told
        self.running[victim].disconnect()
        return sample


def spread(name: str, values: list[float] | list[int]) -> Sample:
    """Mean, smallest and largest of what the nodes have."""
    if not values:
        return {}
    mean = sum(values) / len(values)
    return {name: mean, f"{name}_min": min(values), f"{name}_max": max(values)}
