"""The peers of the comparison: how each is found, started, told to join, and understood.

    key      what                                        its view changes by          suspicion
    serf     Debian's agent, memberlist inside           EventMemberJoin, ..Failed   Suspect
    rust     host_tests/interop/peer on the foca crate   MemberUp, MemberDown        ProbeFailed
    cpython  tools/compare_node.py on CPython            the same                    the same
    mp32     tools/compare_node.py, 32-bit MicroPython   the same                    the same

Each prints a line at the moment when something happens to its view, and all of them have one for
the end of a probe without an answer, which is when that node begins to suspect. So one method
holds for all: the time of a thing is when its line arrives at the driver's pipe.

The four get the same: a name or port of 127.0.0.1 of their own, their LAN settings for a period
of 1 s, no contact at the start and later one command to join through one contact. The Rust agent
and ours speak the same bytes (postcard, a socket address and a bump of 64 bits).
"""

import functools
import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import find_micropython
from compare_relay import NODES_HOST
from demo import HEAP

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "host_tests" / "interop")]

import build_peer  # type: ignore[import-not-found] # noqa: E402
import foca  # noqa: E402

NODE = "tools/compare_node.py"
ENVIRONMENT = {"MICROPYPATH": "lib:.frozen", "PYTHONPATH": "lib"}
READY, UP, DOWN, SUSPECT, STATS = "ready", "up", "down", "suspect", "stats"


class Told(NamedTuple):
    """What one line says: `kind` of the five above, `who` it is about, `stats` if it has them."""

    kind: str
    who: str = ""
    stats: dict[str, int | None] = {}


class Place(NamedTuple):
    """Where a node lives: its number from 1 on, its port, and one more for commands.

    `host`: where the others reach it; another one than 127.0.0.1 is that of a relay.
    """

    number: int
    port: int
    command_port: int
    host: str = NODES_HOST

    @property
    def address(self) -> str:
        """What the others are told."""
        return f"{self.host}:{self.port}"

    @property
    def bind(self) -> str:
        """What it listens at."""
        return f"{NODES_HOST}:{self.port}"


class Peer:
    """One kind of node."""

    key = ""
    title = ""

    def missing(self) -> str:
        """Why it cannot run here, with the command that helps; empty when it can."""
        raise NotImplementedError

    def version(self) -> str:
        """What runs; only where nothing is missing."""
        raise NotImplementedError

    def argv(self, place: Place, size: int, contact: Place | None) -> list[str]:
        """How to start a node of a cluster of `size`."""
        raise NotImplementedError

    def name(self, place: Place) -> str:
        """What the lines of others call the node there."""
        return place.address

    def connect(self, place: Place) -> socket.socket | None:
        """Open what `join_data` is sent through, before the clock runs; None: its pipe."""
        return None

    def join_data(self, contact: Place | None) -> bytes:
        """What tells a node to join through `contact`, or to be the first."""
        raise NotImplementedError

    def stats_data(self) -> bytes:
        """What asks a node for its own counters; empty: it has none."""
        return b"stats\n"

    def parse(self, line: bytes) -> Told | None:
        """What a line says, None for all that does not matter here."""
        return parse_notification(line)


def parse_notification(line: bytes) -> Told | None:
    """A line of the Rust agent or of ours."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    if "started" in said:
        return Told(READY)
    if "stats" in said:
        return Told(STATS, stats=said["stats"])
    if "notify" not in said:
        return None
    kinds = {"MemberUp": UP, "Rename": UP, "MemberDown": DOWN, "ProbeFailed": SUSPECT}
    name, *facts = said["notify"]
    if name == "Resync":
        raise ValueError("a node has missed events of its own")
    if name not in kinds:
        return None
    return Told(kinds[name], facts[-1].partition("#")[0])


def packed(value: object) -> bytes:
    """MessagePack of what serf's commands are made of: short texts, lists, dicts, small numbers.

    `value`: maps and lists of at most 15, texts of at most 31 bytes, bools, 0 .. 127.
    """
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value])
    if isinstance(value, str):
        return bytes([0xA0 + len(value)]) + value.encode()
    if isinstance(value, dict):
        pairs = (packed(key) + packed(item) for key, item in value.items())
        return bytes([0x80 + len(value)]) + b"".join(pairs)
    assert isinstance(value, list)
    return bytes([0x90 + len(value)]) + b"".join(map(packed, value))


_SERF_LINES = (
    (READY, re.compile(rb"agent: Serf agent starting()")),
    (UP, re.compile(rb"serf: EventMember(?:Join|Update): (\S+)")),
    (DOWN, re.compile(rb"serf: EventMember(?:Failed|Leave|Reap): (\S+)")),
    (SUSPECT, re.compile(rb"memberlist: Suspect (\S+) has failed")),
)


class Serf(Peer):
    key = "serf"
    title = "serf"

    def missing(self) -> str:
        return "" if shutil.which("serf") else "no serf here: apt-get install serf"

    def version(self) -> str:
        own = _first_line("serf", "version")
        package = _first_line("dpkg-query", "-W", "-f", "${Version}", "serf")
        return f"Debian package {package}, says {own}" if package else own

    def argv(self, place: Place, size: int, contact: Place | None) -> list[str]:
        command_address = f"{NODES_HOST}:{place.command_port}"
        words = ["serf", "agent", "-node", self.name(place), "-rpc-addr", command_address]
        words += ["-bind", place.bind, "-advertise", place.address]
        return [*words, "-profile", "lan", "-log-level", "info"]

    def name(self, place: Place) -> str:
        return f"n{place.number}"

    def connect(self, place: Place) -> socket.socket | None:
        return socket.create_connection((NODES_HOST, place.command_port), timeout=5)

    def join_data(self, contact: Place | None) -> bytes:
        if contact is None:
            return b""
        requests: list[object] = [
            {"Command": "handshake", "Seq": 0},
            {"Version": 1},
            {"Command": "join", "Seq": 1},
            {"Existing": [contact.address], "Replay": False},
        ]
        return b"".join(map(packed, requests))

    def stats_data(self) -> bytes:
        return b""

    def parse(self, line: bytes) -> Told | None:
        for kind, pattern in _SERF_LINES:
            found = pattern.search(line)
            if found:
                return Told(kind, found[1].decode())
        return None


class Rust(Peer):
    key = "rust"
    title = "foca (Rust)"

    def missing(self) -> str:
        try:
            self.path()
        except build_peer.PeerMissingError as error:
            return str(error)
        return ""

    @functools.cache  # noqa: B019
    def path(self) -> str:
        return str(build_peer.peer_path())

    def version(self) -> str:
        manifest = (build_peer.PEER / "Cargo.toml").read_text()
        found = re.search(r'^foca = \{ version = "=([\d.]+)"', manifest, re.M)
        compiler = " ".join(_first_line("rustc", "--version").split()[:2])
        return f"crate foca {found[1] if found else '?'}, {compiler}"

    def argv(self, place: Place, size: int, contact: Place | None) -> list[str]:
        words = [self.path(), "agent", "--bind", place.bind, "--identity", place.address]
        words += ["--codec", "postcard", "--bump-width", "64"]
        return [*words, "--config", "lan", "--size", str(size)]

    def join_data(self, contact: Place | None) -> bytes:
        return f"announce {contact.address}\n".encode() if contact else b""


class Cpython(Peer):
    key = "cpython"
    title = "ours, CPython"

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        return f"foca for MicroPython {foca.__version__}, CPython {sys.version.split()[0]}"

    def interpreter(self) -> list[str]:
        return [sys.executable]

    def argv(self, place: Place, size: int, contact: Place | None) -> list[str]:
        seeds = ["-s", contact.address] if contact else []
        return [*self.interpreter(), NODE, str(size), place.bind, place.address, *seeds]

    def join_data(self, contact: Place | None) -> bytes:
        return b"join\n"


class Mp32(Cpython):
    key = "mp32"
    title = "ours, MicroPython"

    @functools.cache  # noqa: B019
    def vm(self) -> find_micropython.Vm | None:
        return next((vm for vm in find_micropython.find(32) if vm.name == "mp32"), None)

    def missing(self) -> str:
        return "" if self.vm() else find_micropython.missing_line("mp32")

    def version(self) -> str:
        vm = self.vm()
        number = vm.version if vm else "?"
        return (
            f"foca for MicroPython {foca.__version__}, MicroPython {number}, 32 bits, heap {HEAP}"
        )

    def interpreter(self) -> list[str]:
        vm = self.vm()
        return [*(vm.argv if vm else ["micropython"]), "-X", f"heapsize={HEAP}"]


PEERS: dict[str, Peer] = {peer.key: peer for peer in (Serf(), Rust(), Cpython(), Mp32())}


def _first_line(*argv: str) -> str:
    """The first line that a program prints; empty where it does not run."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return ""
    lines = done.stdout.splitlines()
    return lines[0].strip() if lines and done.returncode == 0 else ""
