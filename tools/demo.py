"""A live cluster of real MicroPython processes: one is killed, the others say so, it comes back.

    make demo                     five nodes
    make demo N=20                twenty
    python tools/demo.py -n 20 --fast

The nodes run `tools/demo_node.py`, each in its own MicroPython with a heap as small as a board's
(the 32-bit unix port where this machine has or can get it, else the 64-bit one, else CPython, and
then a line says so). They know two of the others as seeds and speak UDP on 127.0.0.1, at free
ports, with the timing of `Config.lan(N)`.

    1  they find each other: every node sees all others Alive
    2  they are left alone for a few seconds, to see what an idle cluster sends
    3  one is killed (SIGKILL); the others suspect it, then declare it down
    4  it starts again at the same address, under a renewed identity (a larger bump)
    5  every node sees all others Alive again, and all leave

A terminal shows a live table; where the output is no terminal, there are only plain lines. The
timeline counts the seconds since the start, from the kill on those since the kill, as this program
reads what the nodes print. A node is suspected once it is a Suspect in the members() of another;
nodes look every 100 ms. The summary ends it.

Exit status: 0 only if all of this happened; 1 with one line saying what did not, within a time
derived from the configuration; 2 for wrong usage; 130 after Ctrl-C, when the cluster was left
cleanly. No node outlives this program, however that ends: a node leaves when its input ends.
"""

import argparse
import collections.abc
import json
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import find_micropython

ROOT = Path(__file__).resolve().parent.parent
NODE = "tools/demo_node.py"
sys.path.insert(0, str(ROOT / "lib"))

from foca.config import Config  # noqa: E402

SIZE_MAX = 60
HEAP = "192k"
PORT_FIRST, PORT_LAST = 20000, 32000  # below what systems give out by themselves
STARTUP_S = 5.0  # for processes to start, and half a second more for each
LEAVE_S = 5.0
REDRAW_S = 0.25
IDLE_PERIODS = 4
EACH_LINE_MAX = 10  # with more nodes only the first and the last observer are printed

# What --fast changes in the configuration: for tests, not for a network.
FAST = {
    "probe_period_ms": 400,
    "probe_rtt_ms": 200,
    "suspect_to_down_after_ms": 1200,
    "periodic_announce_ms": 2000,
}

ALIVE, SUSPECT, DOWN, UNKNOWN = "Alive", "Suspect", "Down", "unknown"


class DemoError(Exception):
    """What did not happen, in one line."""


class View:
    """What one node says about one member."""

    def __init__(self, bump: int, state: str, incarnation: int, changed_s: float) -> None:
        self.bump = bump
        self.state = state
        self.incarnation = incarnation
        self.changed_s = changed_s


class Node:
    """One process and what it has said so far."""

    def __init__(self, number: int, address: str) -> None:
        self.number = number
        self.address = address
        self.process: subprocess.Popen[bytes] | None = None
        self.rest = b""
        self.complaint = ""
        self.has_left = False
        self.has_ended = False
        """everything it wrote was read, and there will be no more"""
        self.bump = 0
        self.views: dict[str, View] = {}
        self.seconds: list[tuple[float, dict[str, int]]] = []
        """(when it was read, its line): of this process only"""

    def start(self, argv: list[str]) -> None:
        """Start the process. It has a session of its own: Ctrl-C reaches only the demo."""
        self.rest = b""
        self.complaint = ""
        self.has_ended = False
        self.views = {}
        self.seconds = []
        environment = {**os.environ, "MICROPYPATH": "lib:.frozen", "PYTHONPATH": "lib"}
        self.process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End the process we started (and what a wrapper script may have started) at once."""
        if self.is_running:
            os.killpg(self.pid, signal.SIGKILL)

    def ask_to_leave(self) -> None:
        if self.process and self.process.stdin:
            self.process.stdin.close()

    def read(self, stream_fd: int) -> list[dict[str, object]]:
        """The lines that have arrived; what is no JSON is kept as the node's complaint."""
        data = os.read(stream_fd, 65536)
        self.has_ended = not data
        lines = []
        *complete, self.rest = (self.rest + data).split(b"\n")
        for line in complete:
            try:
                said = json.loads(line)
            except ValueError:
                said = None
            if isinstance(said, dict):
                lines.append(said)
            elif line.strip():
                self.complaint = line.decode(errors="replace").strip()
        return lines


class Screen:
    """The timeline, and below it the table: redrawn on a terminal, never drawn elsewhere."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.height = 0

    def line(self, text: str) -> None:
        self._erase()
        print(text, flush=True)

    def table(self, rows: list[str]) -> None:
        if not self.is_terminal:
            return
        size = shutil.get_terminal_size()
        shown = rows[: max(2, size.lines - 2)]
        self._erase()
        print("\n".join(row[: size.columns - 1] for row in shown), flush=True)
        self.height = len(shown)

    def _erase(self) -> None:
        if self.height:
            print(f"\x1b[{self.height}A\x1b[J", end="")
            self.height = 0


class Times:
    """When what happened, in seconds of time.monotonic; None: not yet."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.formed: float | None = None
        self.idle: float | None = None
        self.killed: float | None = None
        self.suspected: dict[int, float] = {}
        """number of the observer -> when"""
        self.declared_down: dict[int, float] = {}
        self.restarted: float | None = None
        self.rejoined: float | None = None


class Demo:
    """The cluster, from the start to the last one's leaving."""

    def __init__(self, size: int, fields: dict[str, int], argv: list[str], what: str) -> None:
        self.size = size
        self.fields = fields
        config = Config.lan(size, **fields)
        self.period_s: float = config.probe_period_ms / 1000
        self.suspicion_s: float = config.suspect_to_down_after_ms / 1000
        self.announce_s: float = config.periodic_announce_ms / 1000
        self.argv = argv
        self.what = what
        self.nodes = [
            Node(number, f"127.0.0.1:{port}") for number, port in enumerate(free_ports(size), 1)
        ]
        self.victim = self.nodes[size // 2]
        self.names = {node.address: f"node {node.number}" for node in self.nodes}
        self.selector = selectors.DefaultSelector()
        self.screen = Screen()
        self.times = Times()
        self.drawn = 0.0
        self.idle_rates: list[tuple[float, float]] = []
        self.total_rates: list[tuple[float, float]] = []
        self.heaps: list[int] = []
        self.bump_before = 0

    # ---- processes

    def start(self, node: Node) -> None:
        seeds = [other.address for other in self.nodes if other not in (node, self.victim)][:2]
        words = [str(self.size), node.address]
        for seed in seeds:
            words += ["-s", seed]
        for name, value in self.fields.items():
            words += ["-c", f"{name}={value}"]
        node.start([*self.argv, NODE, *words])
        assert node.process and node.process.stdout
        self.selector.register(node.process.stdout, selectors.EVENT_READ, node)

    def listen(self, timeout_s: float) -> None:
        """Read what the nodes say for at most so long, and keep the table fresh."""
        for key, _ in self.selector.select(max(0.0, timeout_s)):
            node: Node = key.data
            for said in node.read(key.fd):
                self.take(node, said)
            if node.has_ended:
                self.selector.unregister(key.fileobj)
        now = time.monotonic()
        if now - self.drawn >= REDRAW_S:
            self.drawn = now
            self.screen.table(self.table(now))

    def take(self, node: Node, said: dict[str, object]) -> None:
        """Remember one line of a node."""
        now = time.monotonic()
        kind = said.get("kind")
        if kind == "up":
            self.came_up(node, said)
        elif kind == "event":
            self.saw_event(node, said)
        elif kind == "left":
            node.has_left = True
        members = said.get("members")
        if isinstance(members, list):
            node.views = {
                address: View(bump, state, incarnation, now - changed_ms / 1000)
                for address, bump, state, incarnation, changed_ms in members
            }
            self.saw_members(node)
        if kind == "second":
            node.seconds.append((now, {k: v for k, v in said.items() if isinstance(v, int)}))
            node.bump = node.seconds[-1][1]["bump"]

    def came_up(self, node: Node, said: dict[str, object]) -> None:
        node.bump = int(str(said["bump"]))
        if self.times.restarted is not None:
            self.tell(f"node {node.number} is up again: bump {self.bump_before} -> {node.bump}")

    def saw_event(self, node: Node, said: dict[str, object]) -> None:
        times = self.times
        if said["address"] != self.victim.address or times.killed is None:
            if said["name"] in ("MemberDown", "Rejoin", "Defunct") and times.formed:
                name = self.names.get(str(said["address"]), said["address"])
                self.tell(f"node {node.number} says {said['name']} {name}")
            return
        if said["name"] == "MemberDown" and times.restarted is None:
            times.declared_down.setdefault(node.number, time.monotonic())
            count, most = len(times.declared_down), self.size - 1
            if count in (1, most) or self.size <= EACH_LINE_MAX:
                line = f"node {node.number} declares node {self.victim.number} down"
                self.tell(f"{line} ({count} of {most})")

    def saw_members(self, node: Node) -> None:
        times = self.times
        view = node.views.get(self.victim.address)
        if times.killed is None or times.restarted is not None or view is None:
            return
        if view.state == SUSPECT and node.number not in times.suspected:
            times.suspected[node.number] = time.monotonic()
            if len(times.suspected) == 1 or self.size <= EACH_LINE_MAX:
                self.tell(f"node {node.number} suspects node {self.victim.number}")

    # ---- waiting

    def until(
        self, happened: collections.abc.Callable[[], bool], limit_s: float, what: str
    ) -> None:
        """Listen until `happened`; DemoError after `limit_s`, or when a node ends by itself."""
        deadline = time.monotonic() + limit_s
        while not happened():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise DemoError(f"{what} did not happen within {limit_s:.0f} s: {self.missing()}")
            self.listen(min(left_s, REDRAW_S))
            for node in self.nodes:
                if node.process and node.has_ended and not self.may_be_gone(node):
                    status = node.process.wait()
                    reason = f": {node.complaint}" if node.complaint else ""
                    raise DemoError(f"node {node.number} ended with status {status}{reason}")

    def may_be_gone(self, node: Node) -> bool:
        is_killed = self.times.killed is not None and self.times.restarted is None
        return node.has_left or (node is self.victim and is_killed)

    def missing(self) -> str:
        """Who lacks whom, as the reason of a failure."""
        for node in self.nodes:
            for other in self.nodes:
                if node is not other and node.is_running:
                    view = node.views.get(other.address)
                    if view is None or view.state != ALIVE:
                        state = view.state if view else UNKNOWN
                        return f"node {node.number} holds node {other.number} {state}"
        return "all views are complete"

    def is_complete(self) -> bool:
        """Whether every node sees every other one Alive, under its current identity."""
        return all(
            (view := node.views.get(other.address)) is not None
            and view.state == ALIVE
            and view.bump == other.bump
            for node in self.nodes
            for other in self.nodes
            if node is not other
        )

    def join_limit_s(self, starting: int) -> float:
        """So many nodes start, Announces may be lost, and a periodic one mends the rest."""
        return STARTUP_S + starting / 2 + self.announce_s + 2 * self.period_s

    def down_limit_s(self) -> float:
        """At worst the last observer finds out by itself, after two rounds of probes."""
        return (2 * self.size + 2) * self.period_s + self.suspicion_s

    # ---- the five acts

    def run(self, with_restart: bool = True) -> None:
        times = self.times
        self.tell(f"{self.size} nodes start: {self.what}")
        self.tell(
            f"Config.lan({self.size}): one probe each {self.period_s} s,"
            f" a suspect has {self.suspicion_s} s to refute"
        )
        for node in self.nodes:
            self.start(node)
        self.until(self.is_complete, self.join_limit_s(self.size), "forming one cluster")
        times.formed = time.monotonic()
        self.tell(f"formed: all {self.size} nodes see all others Alive")
        self.rest()
        self.until(self.is_complete, self.join_limit_s(0), "a calm cluster")
        self.idle_rates = rates(self.nodes, times.formed)
        self.kill_one()
        others = self.size - 1
        self.until(
            lambda: len(times.declared_down) == others, self.down_limit_s(), "being declared down"
        )
        if with_restart:
            times.restarted = time.monotonic()
            self.tell(f"node {self.victim.number} starts again at {self.victim.address}")
            self.start(self.victim)
        self.until(self.has_rejoined, self.join_limit_s(1), "rejoining")
        times.rejoined = time.monotonic()
        self.tell(f"rejoined: all {self.size} nodes see all others Alive")
        self.until(self.all_have_reported, 3.0, "a report of every node")
        self.total_rates = rates(self.nodes, times.start)
        self.heaps = [node.seconds[-1][1].get("heap_bytes", 0) for node in self.nodes]
        self.leave()

    def rest(self) -> None:
        """Leave the cluster alone for a while."""
        end = time.monotonic() + max(3.0, IDLE_PERIODS * self.period_s)
        self.until(lambda: time.monotonic() >= end, 1e9, "nothing")

    def kill_one(self) -> None:
        victim = self.victim
        self.bump_before = victim.bump
        if victim.process and victim.process.stdout:
            self.selector.unregister(victim.process.stdout)
            victim.process.stdout.close()
        self.times.killed = time.monotonic()
        victim.kill()
        self.tell(f"node {victim.number} ({victim.address}, pid {victim.pid}) is killed")
        if victim.process:
            victim.process.wait()

    def has_rejoined(self) -> bool:
        return self.is_complete() and self.victim.bump > self.bump_before

    def all_have_reported(self) -> bool:
        """Whether every node has given its numbers twice, so that there is a rate."""
        return all(len(node.seconds) >= 2 for node in self.nodes)

    def leave(self) -> None:
        """Everybody tells the others and ends."""
        for node in self.nodes:
            node.ask_to_leave()
        self.until(lambda: all(n.has_left for n in self.nodes), LEAVE_S, "leaving")
        for node in self.nodes:
            if node.process and node.process.wait(LEAVE_S) != 0:
                raise DemoError(f"node {node.number} left with status {node.process.returncode}")
        self.tell("all have left")

    def end(self) -> None:
        """Let all leave who still can, then end the rest: nothing of ours stays behind."""
        for node in self.nodes:
            node.ask_to_leave()
        deadline = time.monotonic() + LEAVE_S
        for node in self.nodes:
            try:
                if node.process:
                    node.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                node.kill()
            if node.process and node.process.stdout:
                node.process.stdout.close()
        self.selector.close()

    # ---- what is shown

    def tell(self, text: str) -> None:
        """A line of the timeline."""
        killed = self.times.killed
        since = self.times.start if killed is None else killed
        name = "start" if killed is None else "kill "
        self.screen.line(f"{name} {time.monotonic() - since:+7.2f} s  {text}")

    def table(self, now: float) -> list[str]:
        """One row per member as the others see it."""
        rows = ["", "member    address           state     seen so by  incarnation  last change"]
        for member in self.nodes:
            views = [
                node.views[member.address]
                for node in self.nodes
                if node.is_running and node is not member and member.address in node.views
            ]
            head = f"node {member.number:<4} {member.address:<17}"
            if not views:
                rows.append(f"{head} {UNKNOWN}")
                continue
            last = max(views, key=lambda view: view.changed_s)
            count = sum(view.state == last.state for view in views)
            share = f"{count} of {self.size - 1}"
            rows.append(
                f"{head} {last.state:<9} {share:<11} {last.incarnation:>11}"
                f"  {now - last.changed_s:>9.1f} s"
            )
        return rows

    def summary(self) -> list[str]:
        times = self.times
        assert times.formed and times.killed and times.restarted and times.rejoined
        down = sorted(times.declared_down.values())
        rows = [("to form", f"{times.formed - times.start:.2f} s")]
        if times.suspected:
            suspected = min(times.suspected.values()) - times.killed
            rows.append(("to suspect", f"{suspected:.2f} s after the kill"))
        first, half, last = (down[i] - times.killed for i in (0, len(down) // 2, -1))
        spread = f"first {first:.2f} s, half {half:.2f} s, last {last:.2f} s after the kill"
        rows.append(("to declare down", spread))
        rows.append(("to rejoin", f"{times.rejoined - times.restarted:.2f} s after the restart"))
        rows.append(("sent while idle", rate_text(self.idle_rates)))
        rows.append(("sent in all", rate_text(self.total_rates)))
        if any(self.heaps):
            low, high = min(self.heaps), max(self.heaps)
            rows.append(
                (
                    "heap in use",
                    f"{low} .. {high} bytes per node of {HEAP}, code from source included",
                )
            )
        else:
            rows.append(("heap in use", "not known on CPython"))
        rows.append(("nodes", self.what))
        return [f"  {name:<16} {text}" for name, text in rows]


def rates(nodes: list[Node], since: float) -> list[tuple[float, float]]:
    """(datagrams, bytes) per second that each node has sent since then, from its reports."""
    found = []
    for node in nodes:
        reports = [report for report in node.seconds if report[0] >= since]
        if len(reports) >= 2:
            (_, first), (_, last) = reports[0], reports[-1]
            seconds = (last["at_ms"] - first["at_ms"]) / 1000
            found.append(
                (
                    (last["datagrams_out"] - first["datagrams_out"]) / seconds,
                    (last["bytes_out"] - first["bytes_out"]) / seconds,
                )
            )
    return found


def rate_text(found: list[tuple[float, float]]) -> str:
    if not found:
        return "not measured"
    datagrams = sum(rate[0] for rate in found) / len(found)
    total = sum(rate[1] for rate in found) / len(found)
    return f"{datagrams:.1f} datagrams, {total:.0f} bytes per node and second"


def free_ports(count: int) -> list[int]:
    """So many UDP ports of 127.0.0.1 that nobody uses, outside of what systems give out."""
    found = []
    first = random.randrange(PORT_FIRST, PORT_LAST)
    for offset in range(PORT_LAST - PORT_FIRST):
        port = PORT_FIRST + (first - PORT_FIRST + offset) % (PORT_LAST - PORT_FIRST)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise DemoError(f"no {count} free UDP ports in {PORT_FIRST} .. {PORT_LAST}")


def interpreter() -> tuple[list[str], str]:
    """How to start a node, and what to call that."""
    for vm in find_micropython.find(install=True):
        if vm.name != "wasm":  # it has no sockets
            return [*vm.argv, "-X", f"heapsize={HEAP}"], (
                f"MicroPython {vm.version}, {vm.word_bits} bits, {HEAP} of heap each"
            )
    print(f"no MicroPython here, the nodes run on CPython: {find_micropython.HOW_TO_INSTALL}")
    return [sys.executable], "CPython " + sys.version.split()[0]


def size_of(text: str) -> int:
    size = int(text)
    if not 2 <= size <= SIZE_MAX:
        raise argparse.ArgumentTypeError(f"{size} is not 2 .. {SIZE_MAX}")
    return size


def interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--nodes", type=size_of, default=5, help="how many (default 5)")
    parser.add_argument("--fast", action="store_true", help="shorter timing, for tests")
    parser.add_argument(
        "--no-restart", action="store_true", help="keep the killed one dead: see the demo fail"
    )
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, interrupted)
    demo = None
    try:
        demo = Demo(options.nodes, FAST if options.fast else {}, *interpreter())
        demo.run(not options.no_restart)
    except DemoError as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: everybody leaves", file=sys.stderr)
        return 130
    finally:
        if demo:
            demo.end()
    print("\n".join(["", "summary", *demo.summary()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
