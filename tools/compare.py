"""Side by side on loopback: serf, the Rust agent on the foca crate, and ours on two interpreters.

    make compare                                the whole of it: about an hour, mostly waiting
    python tools/compare.py --quick             a small one: a minute or two
    python tools/compare.py --out docs/benchmark --results .cache/compare/full.jsonl
    python tools/compare.py --peers serf,mp32 --nodes 5,10 --kills 5 --joins 3 --idle 30

Clusters of 5, 10 and 20 processes on 127.0.0.1, LAN settings with a period of 1 s, one at a time:

    idle   formed, left alone for 10 s, then measured for 60 s: UDP and TCP packets and bytes per
           node and second, CPU time, memory
    kill   twenty SIGKILLs of random nodes at random phases: the first suspicion, the first and
           the last observer to declare it down; it starts again, and the next one waits until all
           views are complete
    join   ten times: all processes are up, are told at once to join through one of them, and the
           time is until every view is complete

The peers take turns: one idle window, or at most five kills or joins, is a cell, and the cells of
all peers at one size follow each other, round by round. Each cell that is done is a line of the
results file; a run that was stopped goes on there, if its settings are the same. A peer that is
not here is left out, with the command that gets it.

The run moves into a network namespace of its own, so that it sees its own packets only. Where the
kernel does not allow that, and with --relay, the nodes of an idle window reach each other through
a relay that counts, and the table says so. Method, reading and limits: docs/BENCHMARK.md.

Writes side_by_side.md, .json and .png (that needs matplotlib) into --out. Exit status: 0 when all
cells are measured, 1 when one was not (a line says why; the others are in the table), 2 for wrong
usage, 130 after Ctrl-C; no node outlives the run, however that ends.
"""

import argparse
import datetime
import json
import os
import platform
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import compare_report
from compare_cluster import Cluster, CompareError, Sample
from compare_peers import PEERS, ROOT
from compare_traffic import enter_namespace

IDLE, KILL, JOIN = "idle", "kill", "join"
BATCH = 5
SIZE_MAX = 60
FOLDER = ROOT / ".cache" / "compare"


class Cell(NamedTuple):
    """What is measured in one go. `times`: samples."""

    round: int
    nodes: int
    peer: str
    what: str
    times: int

    def key(self) -> str:
        return f"{self.what}-{self.round}-{self.nodes}-{self.peer}"


def cells(peers: list[str], sizes: list[int], kills: int, joins: int) -> list[Cell]:
    """All cells in the order in which they are measured: by round, by size, by kind, by peer."""
    found = []
    for round_ in range(max(1, -(-kills // BATCH), -(-joins // BATCH))):
        for nodes in sizes:
            counts = {
                IDLE: 1 if round_ == 0 else 0,
                JOIN: min(BATCH, joins - round_ * BATCH),
                KILL: min(BATCH, kills - round_ * BATCH),
            }
            for what, count in counts.items():
                if count > 0:
                    found += [Cell(round_, nodes, peer, what, count) for peer in peers]
    return found


def measure(cell: Cell, idle_s: float, settle_s: float, can_capture: bool, seed: int) -> list[Any]:
    """The samples of one cell. Raises CompareError."""
    rng = random.Random(f"{seed} {cell.key()}")
    peer = PEERS[cell.peer]
    if cell.what == JOIN:
        samples: list[Sample] = []
        for _ in range(cell.times):
            with Cluster(peer, cell.nodes, rng) as cluster:
                samples.append(cluster.form())
        return samples
    if cell.what == IDLE:
        with Cluster(peer, cell.nodes, rng, has_relay=not can_capture) as cluster:
            return [cluster.idle(settle_s, idle_s)]
    with Cluster(peer, cell.nodes, rng) as cluster:
        return cluster.kills(cell.times)


class Results:
    """The file of cells that are done: a first line with the settings, then one line each."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        """Raises ValueError when the file is of a run with other settings."""
        self.done: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            first, *lines = [json.loads(line) for line in path.read_text().splitlines()]
            different = [k for k in settings if first.get("settings", {}).get(k) != settings[k]]
            if different:
                raise ValueError(
                    f"{path} is of a run with another {different[0]}: delete it, or name another"
                )
            self.done = {line["key"]: line for line in lines if "failed" not in line}
        self._file = path.open("a")
        if not path.stat().st_size:
            self._write({"settings": settings})

    def add(self, cell: Cell, outcome: dict[str, Any]) -> None:
        line = {"key": cell.key(), **cell._asdict(), **outcome}
        self.done[cell.key()] = line
        self._write(line)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def machine() -> dict[str, Any]:
    """What this runs on; no name of it."""
    model = "?"
    memory_kb = 0
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            memory_kb = int(line.split()[1])
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "cores": os.cpu_count(),
        "cpu": model,
        "memory_gib": round(memory_kb / 1024 / 1024, 1),
        "system": f"{platform.system()} {kernel}, {platform.machine()}",
        "nice": os.nice(0),
    }


def say_of(samples: list[Any], what: str) -> str:
    """One line about a cell, for the person in front of the screen."""
    if what == IDLE:
        sample = samples[0]
        traffic = f"{sample['udp_ip_bytes']:.0f} bytes of UDP"
        return f"{traffic}, {sample['cpu_ms']:.2f} ms of CPU per node and second"
    name = "last_down_s" if what == KILL else "join_s"
    values = [sample[name] for sample in samples]
    return f"{name} {min(values):.2f} .. {max(values):.2f}"


def run(todo: list[Cell], results: Results, settings: dict[str, Any], can_capture: bool) -> int:
    """Measure all that is not done yet; returns how many cells failed."""
    failed = 0
    for index, cell in enumerate(todo, 1):
        if cell.key() in results.done:
            continue
        began = time.monotonic()
        load = os.getloadavg()[0]
        label = f"[{index}/{len(todo)}] {cell.what} {cell.nodes} nodes, {PEERS[cell.peer].title}"
        outcome: dict[str, Any]
        try:
            seconds = (settings["idle_s"], settings["settle_s"])
            samples = measure(cell, *seconds, can_capture, settings["seed"])
            outcome = {"samples": samples}
            said = say_of(samples, cell.what)
        except (CompareError, OSError, ValueError) as error:
            failed += 1
            outcome = {"failed": str(error)}
            said = f"FAILED: {error}"
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        seconds_taken = round(time.monotonic() - began, 1)
        outcome |= {"date": today, "seconds": seconds_taken, "load": round(load, 2)}
        results.add(cell, outcome)
        print(f"{label}: {said} ({seconds_taken:.0f} s)", flush=True)
    return failed


def _numbers(text: str) -> list[int]:
    numbers = [int(word) for word in text.split(",")]
    for number in numbers:
        if not 2 <= number <= SIZE_MAX:
            raise argparse.ArgumentTypeError(f"{number} is not 2 .. {SIZE_MAX}")
    return numbers


def _peers(text: str) -> list[str]:
    for word in text.split(","):
        if word not in PEERS:
            raise argparse.ArgumentTypeError(f"{word!r} is none of: {' '.join(PEERS)}")
    return text.split(",")


def _count(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return int(text)


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--peers", type=_peers, default=list(PEERS), help=f"of {','.join(PEERS)} (default: all)")
    add("--nodes", type=_numbers, metavar="N,..", help="cluster sizes (default 5,10,20)")
    add("--kills", type=_count, metavar="N", help="per size (default 20)")
    add("--joins", type=_count, metavar="N", help="per size (default 10)")
    add("--idle", type=float, metavar="S", help="seconds of the idle window (default 60)")
    add("--settle", type=float, default=10.0, metavar="S", help="seconds before it (default 10)")
    add("--seed", type=int, default=1, help="of victims and phases (default 1)")
    add("--quick", action="store_true", help="3 and 5 nodes, 2 kills, 2 joins, 5 s")
    add("--relay", action="store_true", help="no namespace: count traffic by a relay")
    add("--out", type=Path, default=FOLDER, help="folder of the table and the picture")
    add("--results", type=Path, metavar="FILE", help="cells that are done (default: in --out)")
    add("--report", action="store_true", help="measure nothing: write the table anew")
    options = parser.parse_args(words)
    quick = options.quick
    options.nodes = options.nodes or ([3, 5] if quick else [5, 10, 20])
    options.kills = (2 if quick else 20) if options.kills is None else options.kills
    options.joins = (2 if quick else 10) if options.joins is None else options.joins
    options.idle = (5.0 if quick else 60.0) if options.idle is None else options.idle
    options.results = options.results or options.out / "side_by_side.jsonl"
    return options


def interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def compare(options: argparse.Namespace) -> int:
    """Find the peers, measure, write the table; returns the exit status."""
    missing = {key: reason for key in options.peers if (reason := PEERS[key].missing())}
    for key, reason in missing.items():
        print(f"{PEERS[key].title} is left out: {reason.splitlines()[0]}")
    peers = [key for key in options.peers if key not in missing]
    settings = {
        "period_s": 1.0,
        "nodes": options.nodes,
        "kills": options.kills,
        "joins": options.joins,
        "idle_s": options.idle,
        "settle_s": min(options.settle, options.idle),
        "seed": options.seed,
        "relay": options.relay,
        "versions": {key: PEERS[key].version() for key in peers},
        "machine": machine(),
    }
    try:
        results = Results(options.results, settings)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    todo = cells(peers, options.nodes, options.kills, options.joins)
    failed = 0
    try:
        if not options.report:
            can_capture = not options.relay and enter_namespace()
            if not can_capture:
                print("no network namespace: a relay counts the traffic of idle windows")
            failed = run(todo, results, settings, can_capture)
    finally:
        results.close()
    done = [results.done[cell.key()] for cell in todo if cell.key() in results.done]
    report = {
        "date": max((line["date"] for line in done), default="never"),
        "settings": settings,
        "titles": {key: PEERS[key].title for key in options.peers},
        "missing": missing,
        "cells": done,
    }
    print(compare_report.write(report, options.out))
    if not peers:
        print("nobody is here to be compared", file=sys.stderr)
    return 1 if failed or len(done) < len(todo) or not peers else 0


def main(words: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    options = _arguments(words)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        return compare(options)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
