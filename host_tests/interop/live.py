"""Live members as processes on loopback: Rust agents, ours on CPython, ours on MicroPython.

Every member prints JSON lines and takes commands on standard input (peer/README.md). A Member
reads its lines in a thread and remembers when each came, so that a test can wait for a line, and
say afterwards how long something took.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from _paths import ROOT

NODE = "host_tests/interop/live_node.py"
Json = dict[str, Any]

# Faster than any preset, so that a test takes seconds. The same numbers on every member.
PERIOD_MS = 500
RTT_MS = 200
SUSPECT_MS = 1500
GOSSIP_MS = 200
ANNOUNCE_DOWN_MS = 2000
TRANSMISSIONS = 8

OUR_CONFIG = {
    "probe_period_ms": PERIOD_MS,
    "probe_rtt_ms": RTT_MS,
    "suspect_to_down_after_ms": SUSPECT_MS,
    "periodic_gossip_ms": GOSSIP_MS,
    "periodic_announce_to_down_ms": ANNOUNCE_DOWN_MS,
    "max_transmissions": TRANSMISSIONS,
}
RUST_CONFIG = {
    "--probe-period-ms": PERIOD_MS,
    "--probe-rtt-ms": RTT_MS,
    "--suspect-ms": SUSPECT_MS,
    "--periodic-gossip-ms": GOSSIP_MS,
    "--periodic-announce-down-ms": ANNOUNCE_DOWN_MS,
    "--max-transmissions": TRANSMISSIONS,
}


def address(identity: str) -> str:
    """The address of an identity."""
    return identity.rpartition("#")[0]


class Member:
    """One process. `kind`: rust, cpython or micropython; `identity`: as last heard of."""

    def __init__(
        self, kind: str, argv: list[str], environment: dict[str, str], first_line: str = ""
    ) -> None:
        self.kind = kind
        self.lines: list[tuple[float, Json]] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if first_line:
            self.command(first_line)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.identity: str = self.wait_for(lambda line: "started" in line, 10)["started"]

    @property
    def address(self) -> str:
        """Where it is reached."""
        return address(self.identity)

    def _read(self) -> None:
        assert self.process.stdout
        for text in self.process.stdout:
            with self._changed:
                self.lines.append((time.monotonic(), json.loads(text)))
                self._changed.notify_all()

    def wait_for(self, wanted: Callable[[Json], bool], seconds: float, start: int = 0) -> Json:
        """The first line from number `start` on that is wanted. AssertionError after `seconds`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for _, line in self.lines[start:]:
                    if wanted(line):
                        return line
                start = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("%s never said it; it said %s" % (self, self.tail()))
                self._changed.wait(left)

    def when(self, wanted: Callable[[Json], bool], start: int = 0) -> float | None:
        """When the first wanted line from number `start` on came, or None."""
        with self._changed:
            return next((at for at, line in self.lines[start:] if wanted(line)), None)

    def count(self, wanted: Callable[[Json], bool]) -> int:
        """How many lines are wanted."""
        with self._changed:
            return sum(1 for _, line in self.lines if wanted(line))

    def tail(self) -> list[Json]:
        """The last lines, for a failure."""
        return [line for _, line in self.lines[-12:]]

    def command(self, text: str) -> None:
        """Give a command."""
        assert self.process.stdin
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ask(self, text: str, field: str) -> Json:
        """Give a command that is answered by a line with `field`."""
        start = len(self.lines)
        self.command(text)
        return self.wait_for(lambda line: field in line, 10, start)

    def view(self) -> set[str]:
        """The identities that it holds active, itself included."""
        told = self.ask("members", "members")
        self.identity = told["identity"]
        return {told["identity"]} | {m[0] for m in told["members"] if m[2] != "Down"}

    def kill(self) -> None:
        """End it without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(2)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass

    def __repr__(self) -> str:
        return "%s %s" % (self.kind, getattr(self, "identity", "(starting)"))


def notified(name: str, where: str) -> Callable[[Json], bool]:
    """A line that notifies `name` about the address `where`."""

    def wanted(line: Json) -> bool:
        told = line.get("notify")
        return bool(told and told[0] == name and address(told[-1]) == where)

    return wanted


class Cluster:
    """Members of several kinds that share codec and bump width. Use as a context manager."""

    def __init__(
        self, peer: Path, micropython: list[str] | None, codec: str, bump_width: int
    ) -> None:
        self.peer = peer
        self.micropython = micropython
        self.codec = codec
        self.bump_width = bump_width
        self.members: list[Member] = []

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.end()

    def start(
        self,
        kind: str,
        seeds: Iterable[str] = (),
        bump: int = 1000,
        bind: str = "127.0.0.1:0",
        loss_percent: int = 0,
    ) -> Member:
        """Start a member of `kind` (rust, cpython, micropython) that joins through `seeds`."""
        if kind == "rust":
            argv = [str(self.peer), "agent", "--bind", bind, "--codec", self.codec]
            argv += ["--bump-width", str(self.bump_width), "--bump", str(bump)]
            for name, value in RUST_CONFIG.items():
                argv += [name, str(value)]
            for seed in seeds:
                argv += ["--announce", seed]
            member = Member(kind, argv, {})
        else:
            options = {
                "bind": bind,
                "codec": self.codec,
                "bump_width": self.bump_width,
                "bump": bump,
                "announce": list(seeds),
                "config": OUR_CONFIG,
                "loss_percent": loss_percent,
                "seed": 1 + len(self.members),
            }
            program = [sys.executable] if kind == "cpython" else self.micropython
            assert program
            environment = {"PYTHONPATH": "lib", "MICROPYPATH": "lib:.frozen"}
            member = Member(kind, [*program, NODE], environment, json.dumps(options))
        self.members.append(member)
        return member

    def start_mixed(self, seed_kind: str, each: int = 2, loss_percent: int = 0) -> list[Member]:
        """A seed of `seed_kind`, then the others, `each` of each kind, joining through it."""
        kinds = [kind for kind in ("rust", "cpython", "micropython") for _ in range(each)]
        kinds.remove(seed_kind)
        seed = self.start(seed_kind, loss_percent=loss_percent)
        for kind in kinds:
            self.start(kind, [seed.address], loss_percent=loss_percent)
        return self.members

    def remove(self, member: Member) -> None:
        """Forget a member that was ended."""
        member.end()
        self.members.remove(member)

    def converge(self, seconds: float, members: list[Member] | None = None) -> float:
        """Wait until every member's view is exactly these members; returns the seconds it took.

        AssertionError with every view when it does not happen in time.
        """
        members = members or self.members
        started = time.monotonic()
        while True:
            views = {member: member.view() for member in members}
            everybody = {member.identity for member in members}
            if all(view == everybody for view in views.values()):
                return time.monotonic() - started
            if time.monotonic() - started > seconds:
                told = "\n".join("%s: %s" % (m, sorted(v)) for m, v in views.items())
                raise AssertionError("views differ after %.1f s:\n%s" % (seconds, told))
            time.sleep(0.05)
