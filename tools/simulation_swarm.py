"""Many seeds, each played twice: the swarm, its result file, and making a failure shorter.

A result file has one line of JSON per seed, under a first line that names the code it was made
with: seeds that are in it are not played again, unless the core or the simulator changed since.
"""

import collections.abc
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, TextIO

import find_micropython
from simulation_scenario import Outcome, Play, Scenario

ROOT = Path(__file__).resolve().parent.parent
ON_VM = "tools/simulation_on_vm.py"

Player = collections.abc.Callable[[Scenario], Outcome]


def play(scenario: Scenario) -> Outcome:
    """Play it once."""
    return Play(scenario).run()


def play_twice(scenario: Scenario, player: Player = play) -> Outcome:
    """Play it twice: a different digest is a failure of its own, called "replay"."""
    outcome = player(scenario)
    again = player(scenario)
    if again.digest != outcome.digest:
        outcome.check = "replay"
        outcome.problem = f"replay: digests {outcome.digest} and {again.digest} of equal runs"
    return outcome


class Case(NamedTuple):
    """Everything that says which run it is."""

    seed: int
    nodes: int = 0
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    keep: tuple[int, ...] | None = None
    seconds: int = 0

    def scenario(self) -> Scenario:
        """Draw it."""
        return Scenario(self.seed, self.nodes, self.without, self.only, self.keep, self.seconds)

    def command(self) -> str:
        """The one command that replays it."""
        words = ["python tools/simulate.py run", str(self.seed)]
        if self.nodes:
            words.append(f"--nodes {self.nodes}")
        if self.only:
            words.append(f"--only {','.join(self.only)}")
        if self.without:
            words.append(f"--without {','.join(self.without)}")
        if self.keep is not None:
            words.append(f"--keep {','.join(map(str, self.keep)) or 'none'}")
        if self.seconds:
            words.append(f"--seconds {self.seconds}")
        return " ".join(words)


def shrink(
    case: Case,
    check: str,
    player: Player = play,
    seconds_max: float = 120,
    say: collections.abc.Callable[[str], None] | None = None,
) -> Case:
    """The smallest case found within `seconds_max` that still fails `check`.

    Tried again and again until nothing helps: fewer kinds, fewer actions, fewer nodes, less time.
    """
    deadline = time.monotonic() + seconds_max
    best = case

    def fails(candidate: Case) -> bool:
        if time.monotonic() > deadline:
            return False
        if player(candidate.scenario()).check != check:
            return False
        if say:
            say(candidate.command())
        return True

    while time.monotonic() < deadline:
        before = best
        for smaller in _smaller:
            best = smaller(best, fails)
        if best == before:
            break
    return best


Fails = collections.abc.Callable[[Case], bool]


def _fewer_kinds(case: Case, fails: Fails) -> Case:
    for kind in case.scenario().kinds:
        # which actions there are depends on the kinds: their numbers would shift
        if case.keep is None:
            candidate = case._replace(without=(*case.without, kind))
            if fails(candidate):
                case = candidate
    return case


def _fewer_actions(case: Case, fails: Fails) -> Case:
    keep = list(case.keep) if case.keep is not None else list(range(case.scenario().drawn))
    step = max(1, len(keep) // 2)
    while keep:
        start = 0
        while start < len(keep):
            fewer = keep[:start] + keep[start + step :]
            if fails(case._replace(keep=tuple(fewer))):
                keep = fewer
                case = case._replace(keep=tuple(keep))
            else:
                start += step
        if step == 1:
            break
        step //= 2
    return case


def _fewer_nodes(case: Case, fails: Fails) -> Case:
    count = case.scenario().count
    while count > 2:
        count -= 1
        candidate = case._replace(nodes=count)
        if not fails(candidate):
            break
        case = candidate
    return case


def _less_time(case: Case, fails: Fails) -> Case:
    seconds = case.scenario().fault_us // 1000000
    for fewer in (5, 10, 15, 20, 30, 40):
        if fewer < seconds and fails(case._replace(seconds=fewer)):
            return case._replace(seconds=fewer)
    return case


_smaller = (_fewer_kinds, _fewer_nodes, _less_time, _fewer_actions)


def code_version() -> str:
    """A digest of everything that a result depends on."""
    digest = hashlib.sha256()
    paths = sorted((ROOT / "lib" / "foca").glob("*.py"))
    parts = ("world", "checks", "custom", "scenario")
    paths += [ROOT / "tools" / f"simulation_{part}.py" for part in parts]
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Results:
    """The result file, or nothing when there is no path."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.done: dict[int, dict[str, object]] = {}
        self._file: TextIO | None = None
        if path is None:
            return
        version = code_version()
        self._read(path, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a" if self.done else "w")
        if not self.done:
            self._write({"code": version})

    def _read(self, path: Path, version: str) -> None:
        if not path.exists():
            return
        for number, line in enumerate(path.read_text().splitlines()):
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut short when the last run was stopped
            if number == 0:
                if entry.get("code") != version:
                    return
            else:
                self.done[entry["seed"]] = entry

    def _write(self, entry: dict[str, object]) -> None:
        if self._file:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def add(self, seed: int, outcome: Outcome) -> None:
        """Note how a seed ended."""
        entry: dict[str, object] = {
            "seed": seed,
            "digest": outcome.digest,
            "problem": outcome.problem,
            "views_ms": outcome.views_us // 1000,
            "down_ms": outcome.longest_down_us // 1000,
            "false_downs": outcome.false_downs,
            "datagrams": outcome.datagrams,
        }
        self.done[seed] = entry
        self._write(entry)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


class Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, total: int, stream: TextIO = sys.stderr) -> None:
        self.total = total
        self.stream = stream
        self.start = time.monotonic()
        self.shown = 0.0
        self.is_on = stream.isatty()

    def show(self, done: int, failed: int) -> None:
        """Draw it, at most five times a second."""
        now = time.monotonic()
        if not self.is_on or (now - self.shown < 0.2 and done < self.total):
            return
        self.shown = now
        full = 30 * done // max(1, self.total)
        left = (now - self.start) / max(1, done) * (self.total - done)
        bar = "#" * full + "." * (30 - full)
        text = f"\r[{bar}] {done}/{self.total} seeds, {failed} failed, {left:.0f} s left  "
        self.stream.write(text)
        self.stream.flush()

    def end(self) -> None:
        """Leave the line."""
        if self.is_on:
            self.stream.write("\n")


class Swarm(NamedTuple):
    """How a swarm ended."""

    played: int
    known: int
    failures: list[tuple[int, str]]
    stopped_early: bool
    worst_views_ms: int
    datagrams: int
    seconds: float


def _play_seed(seed: int) -> Outcome:
    return play_twice(Scenario(seed))


def _outcomes(
    seeds: collections.abc.Sequence[int], player: Player, jobs: int
) -> collections.abc.Iterator[tuple[int, Outcome]]:
    """Each seed and how it ended, in order. jobs: processes; one plays here, with `player`."""
    if jobs == 1 or not seeds:
        for seed in seeds:
            yield seed, play_twice(Scenario(seed), player)
        return
    with multiprocessing.Pool(jobs) as pool:
        yield from zip(seeds, pool.imap(_play_seed, seeds), strict=True)


def swarm(
    seeds: collections.abc.Sequence[int],
    results: Results,
    budget_seconds: float = 0,
    jobs: int = 1,
    player: Player = play,
) -> Swarm:
    """Play every seed twice, until the budget (0: none) is used up; at least one is played."""
    start = time.monotonic()
    progress = Progress(len(seeds))
    missing = [seed for seed in seeds if seed not in results.done]
    known = len(seeds) - len(missing)
    failed = len([s for s in seeds if s in results.done and results.done[s]["problem"]])
    played = 0
    stopped = False
    for seed, outcome in _outcomes(missing, player, jobs):
        results.add(seed, outcome)
        played += 1
        failed += bool(outcome.check)
        progress.show(known + played, failed)
        if budget_seconds and time.monotonic() - start > budget_seconds and played < len(missing):
            stopped = True
            break
    progress.end()
    entries = [results.done[seed] for seed in seeds if seed in results.done]
    return Swarm(
        played,
        known,
        [(int(str(one["seed"])), str(one["problem"])) for one in entries if one["problem"]],
        stopped,
        max([int(str(one["views_ms"])) for one in entries], default=0),
        sum([int(str(one["datagrams"])) for one in entries]),
        time.monotonic() - start,
    )


def on_vm(seeds: collections.abc.Sequence[int], bits: int = 32) -> dict[int, str] | None:
    """The digest of each seed on a MicroPython of this word size, or None where there is none.

    A line that is missing (the VM stopped) is missing in the answer too.
    """
    machines = [vm for vm in find_micropython.find() if vm.word_bits == bits]
    if not machines:
        return None
    done = subprocess.run(
        [*machines[0].argv, ON_VM, *map(str, seeds)],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": "lib:tools:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    digests = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) > 2 and words[0].isdigit():
            digests[int(words[0])] = words[1]
    return digests
