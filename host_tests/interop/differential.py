"""The published crate and our strict core, step by step through the same seeded scripts.

    python host_tests/interop/differential.py --seeds 2000        seeds 0 .. 1999
    python host_tests/interop/differential.py --seed 17           one seed, and what it did
    python host_tests/interop/differential.py --script FILE       symbolic steps, one per line

After each step both must agree on the result, on the sends and notifications in their exact order
(destination and bytes), on the members in their exact order, on the backlogs, and on every pending
deadline. Random picks of ours follow the crate's (see follow.py). What may differ is a named mask:
a row of docs/DIFFERENCES.md, and counted here.

A disagreement is shown as the shortest script that still shows it. Exit status: 0 when all agreed,
1 when not, 2 when there is no cargo.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import build_peer
import scripts
from _paths import ROOT
from masks import MASKS
from ours import Ours
from reference import Json, Reference
from remote import RemoteOurs

TIMER_ORDER = (
    "SendIndirectProbe",
    "ProbeRandomMember",
    "ChangeSuspectToDown",
    "PeriodicAnnounce",
    "PeriodicGossip",
    "RemoveDown",
    "PeriodicAnnounceDown",
)
TRIES_TO_SHORTEN = 1500

MakeOurs = Callable[[Json], Any]


class DisagreementError(Exception):
    """The first difference of a script: at which step, in what, and both sides."""

    def __init__(self, index: int, what: str, crate: object, ours: object) -> None:
        super().__init__("step %d: %s differs" % (index, what))
        self.index = index
        self.what = what
        self.crate = crate
        self.ours = ours


class ListedDifferenceError(Exception):
    """A difference that docs/DIFFERENCES.md lists, after which the two states are apart."""


class Tally:
    """What many runs did: masks used, and how often the crate did what."""

    def __init__(self) -> None:
        self.steps = 0
        self.timers = 0
        self.masks: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()

    def note(self, step: Json, crate: Json) -> None:
        """Count one result of the crate: the step, its verdict, its notifications and messages."""
        self.seen["step " + step["op"]] += 1
        self.seen["result " + crate["result"]] += 1
        if "timer" in crate:
            self.seen["timer " + crate["timer"][2][0]] += 1
        for event in crate["events"]:
            if "notify" in event:
                self.seen["notify " + event["notify"][0]] += 1
                if event["notify"][0] == "DataReceived":
                    self.seen["received " + event["notify"][1][3][0]] += 1
            elif "send" in event:
                self.seen["sent " + event["send"]["header"][3][0]] += 1


class Run:
    """One script on both sides."""

    def __init__(self, reference: Reference, tally: Tally, make_ours: MakeOurs = Ours) -> None:
        self.reference = reference
        self.tally = tally
        self.make_ours = make_ours
        self.resolved: list[Json] = []
        self.index = 0
        self.state: Json = {}
        self.probed = ["%s#1" % scripts.PEERS[0], 0]
        self.helper = self.probed[0]
        self.forgotten: set[str] = set()
        self.alone = False
        self.overlapping: set[int] = set()
        self.trace: Callable[[Json, Json, Json], None] | None = None

    def run(self, script: list[Json]) -> None:
        """Raises DisagreementError; ends early at a listed difference that parts the states."""
        try:
            for self.index, step in enumerate(script):
                self.one(step)
        except ListedDifferenceError:
            pass

    def one(self, step: Json) -> None:
        """One symbolic step."""
        self.tally.steps += 1
        if step["op"] == "new":
            self.resolved.append(step)
            crate = self.reference.step(step)
            self.ours = self.make_ours(step)
            self.compare(step, crate, self.ours.result("Ok"))
        elif step["op"] == "advance":
            self.resolved.append(step)
            self.advance(self.state["now_ms"] + step["ms"])
        elif step.get("repeat"):
            for _ in range(step["repeat"]):
                self.one({name: step[name] for name in step if name != "repeat"})
        else:
            step = self.resolve(step)
            self.resolved.append(step)
            crate = self.reference.step(step)
            self.compare(step, crate, self.tried(lambda: self.ours.step(step, crate)))

    def tried(self, act: Callable[[], Json]) -> Json:
        """What ours did. An exception is a disagreement: data never raises."""
        try:
            return act()
        except Exception as error:
            trace = traceback.extract_tb(error.__traceback__)[-1]
            place = "%s:%s" % (Path(trace.filename).name, trace.name)
            raise DisagreementError(self.index, "exception", None, [repr(error), place]) from error

    # symbolic names

    def resolve(self, step: Json) -> Json:
        """The step with every symbolic name replaced; a packet becomes `data`."""
        step = copy.deepcopy(step)
        if "updates" in step and step["updates"]:
            step["updates"] = [[self.name(row[0]), *row[1:]] for row in step["updates"]]
        if step["op"] != "packet":
            return step
        src, incarnation, dst, message = step["header"]
        message = [message[0], *(self.name(part) for part in message[1:])]
        encoded = self.reference.step(
            {
                "op": "encode",
                "header": [self.name(src), incarnation, self.name(dst), message],
                "updates": step["updates"],
                "items": step["items"],
            }
        )
        return {"op": "data", "hex": damaged(encoded["hex"], step.get("damage"))}

    def name(self, part: Any) -> Any:
        """What a symbolic name stands for now; anything else stands for itself."""
        return {
            "self": self.state.get("identity"),
            "probed": self.probed[0],
            "current": self.probed[1],
            "helper": self.helper,
        }.get(part, part)

    # time

    def advance(self, until_ms: int) -> None:
        """Let both sides fire what falls due, one timer at a time."""
        while True:
            pair = self.next_timers(until_ms)
            if pair is None:
                break
            self.tally.timers += 1
            self.fire(*pair)
        step = {"op": "advance", "ms": until_ms - self.state["now_ms"]}
        crate = self.reference.step(step)
        self.compare(step, crate, self.ours.idle(until_ms))

    def next_timers(self, until_ms: int) -> tuple[Any, Any] | None:
        """(the crate's next timer or None, ours or None); None when nothing is due until then.

        Timers are [id, deadline, [name, ...]] there and [deadline, name, identity] here. Among
        equals the crate's are delivered in our order, which a caller of the crate is free to do.
        """
        theirs = [timer for timer in self.state["timers"] if timer[1] <= until_ms]
        mine = [timer for timer in self.ours.pending() if timer[0] <= until_ms]
        first = mine[0] if mine else None
        if not theirs:
            return (None, first) if first else None
        crate_key = timer_key(theirs[0][1], theirs[0][2][0])
        if first is None or crate_key < timer_key(first[0], first[1]):
            return theirs[0], None
        if crate_key > timer_key(first[0], first[1]):
            return None, first
        return self.match([t for t in theirs if timer_key(t[1], t[2][0]) == crate_key], first)

    def match(self, equals: list[Any], mine: Any) -> tuple[Any, Any]:
        """Pair our timer with one of the crate's of the same deadline and kind."""
        if mine[1] in ("ChangeSuspectToDown", "RemoveDown"):
            for timer in equals:
                if timer[2][1] == mine[2]:
                    return timer, mine
            return equals[0], None
        # Several of a single kind: all but the last one submitted are of an older generation.
        return (equals[0], None) if len(equals) > 1 else (equals[0], mine)

    def fire(self, theirs: Any, mine: Any) -> None:
        """Fire a timer of one side or of both, and compare."""
        if theirs is None:
            raise DisagreementError(self.index, "timer (ours only)", None, mine)
        step = {"op": "fire", "timer_id": theirs[0]}
        crate = self.reference.step(step)
        if mine is None:
            self.alone = True
            self.compare(step, crate, self.ours.result("Ok"))
            self.alone = False
        else:
            self.compare(step, crate, self.tried(lambda: self.ours.fire(mine, crate)))

    # comparing

    def compare(self, step: Json, crate: Json, ours: Json) -> None:
        """Compare one result, and take what later steps refer to from the crate's."""
        if self.trace:
            self.trace(step, crate, ours)
        self.tally.note(step, crate)
        theirs = observed(crate)
        for name, mask in MASKS.items():
            verdict = mask(self, step, crate, theirs, ours)
            if verdict:
                self.tally.masks[name] += 1
            if verdict == "ends":
                raise ListedDifferenceError(name)
        for what in theirs:
            if theirs[what] != ours[what]:
                raise DisagreementError(self.index, what, theirs[what], ours[what])
        self.state = crate["state"]
        self.compare_timers()
        self.note_overlapping()
        if crate.get("timer", [0, 0, [""]])[2][0] == "RemoveDown":
            self.forgotten.add(crate["timer"][2][1])
        for event in crate["events"]:
            if "send" in event:
                message = event["send"]["header"][3]
                if message[0] == "Ping":
                    self.probed = [event["send"]["to"], message[1]]
                elif message[0] == "PingReq":
                    self.helper = event["send"]["to"]

    def note_overlapping(self) -> None:
        """Remember the crate's suspicion timers of which a member has more than one."""
        pending: dict[str, list[int]] = {}
        for identifier, _, timer in self.state["timers"]:
            if timer[0] == "ChangeSuspectToDown":
                pending.setdefault(timer[1], []).append(identifier)
        for identifiers in pending.values():
            if len(identifiers) > 1:
                self.overlapping.update(identifiers)

    def compare_timers(self) -> None:
        """Each of our deadlines must be one of the crate's, which also keeps outdated ones."""
        theirs = Counter(timer_name(timer[1], timer[2]) for timer in self.state["timers"])
        mine = Counter(tuple(timer) for timer in self.ours.pending())
        extra = mine - theirs
        if extra:
            raise DisagreementError(self.index, "deadlines", sorted(theirs), sorted(extra))


class MicroPython:
    """Our side on a MicroPython; call it to start a node there. Use as a context manager."""

    def __init__(self, argv: list[str]) -> None:
        path = "lib:host_tests:host_tests/interop:.frozen"
        self._process = subprocess.Popen(
            [*argv, "-X", "heapsize=4m", "host_tests/interop/remote.py"],
            cwd=ROOT,
            env={**os.environ, "MICROPYPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "MicroPython":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def __call__(self, new: Json) -> RemoteOurs:
        return RemoteOurs(self._ask, new)

    def _ask(self, call: list[Any]) -> Json:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer: Json = json.loads(line) if line else {"raised": "the process ended"}
        return answer


def timer_key(deadline_ms: int, name: str) -> tuple[int, int]:
    """Timers fire in this order."""
    return deadline_ms, TIMER_ORDER.index(name)


def timer_name(deadline_ms: int, timer: list[Any]) -> tuple[Any, ...]:
    """A timer of the crate as ours tells its own: without token and incarnation."""
    about = timer[1] if timer[0] in ("ChangeSuspectToDown", "RemoveDown") else None
    return deadline_ms, timer[0], about


def damaged(text: str, damage: list[Any] | None) -> str:
    """Hex with bytes cut off, appended or changed."""
    if not damage:
        return text
    if damage[0] == "append":
        return text + str(damage[1])
    data = bytearray.fromhex(text)
    if damage[0] == "cut":
        return data[: -damage[1]].hex()
    data[damage[1] % len(data)] ^= damage[2]
    return data.hex()


def short_header(told: list[Any]) -> list[Any]:
    """A notification as ours tells it: of a header, the other party and the message."""
    if told[0] not in ("DataReceived", "DataSent"):
        return told
    src, _, dst, message = told[1]
    return [told[0], src if told[0] == "DataReceived" else dst, message]


def observed(crate: Json) -> Json:
    """What both sides must agree on, from a result of the crate."""
    events: list[Any] = []
    for event in crate["events"]:
        if "send" in event:
            events.append(["send", event["send"]["to"], event["send"]["hex"]])
        elif "notify" in event:
            events.append(["notify", *short_header(event["notify"])])
    state = crate["state"]
    seen = {
        "result": crate["result"],
        "events": events,
        "identity": state["identity"],
        "members": state["members"],
        "num_members": state["num_members"],
        "updates_backlog": state["updates_backlog"],
        "custom_backlog": state["custom_backlog"],
    }
    if "added" in crate:
        seen["added"] = crate["added"]
    return seen


def attempt(
    reference: Reference, script: list[Json], tally: Tally, make_ours: MakeOurs = Ours
) -> None:
    """Run a script; a DisagreementError carries the last concrete step as a note."""
    run = Run(reference, tally, make_ours)
    try:
        run.run(script)
    except DisagreementError as found:
        found.add_note(json.dumps(run.resolved[-1]))
        raise


def disagrees(reference: Reference, script: list[Json], what: str) -> bool:
    """Whether a script still shows a disagreement of the same kind."""
    try:
        attempt(reference, script, Tally())
    except DisagreementError as found:
        return found.what == what
    return False


def smaller(script: list[Json]) -> list[list[Json]]:
    """Scripts with something taken away, the boldest first. The first step always stays."""
    candidates = []
    size = len(script) - 1
    while size:
        for start in range(len(script) - size, 0, -size):
            candidates.append(script[:start] + script[start + size :])
        size //= 2
    for index, step in enumerate(script):
        for fewer in {step.get("repeat", 0) // 2, step.get("repeat", 0) - 1} - {0, -1}:
            lighter = {**step, "repeat": fewer}
            candidates.append(script[:index] + [lighter] + script[index + 1 :])
        for name in ("updates", "items"):
            for at in range(len(step.get(name) or ())):
                lighter = copy.deepcopy(step)
                del lighter[name][at]
                candidates.append(script[:index] + [lighter] + script[index + 1 :])
        for name in step.get("config", {}):
            lighter = copy.deepcopy(step)
            if name.startswith("periodic"):
                lighter["config"][name] = None
            elif step["op"] == "set_config":
                del lighter["config"][name]
            if lighter != step:
                candidates.append(script[:index] + [lighter] + script[index + 1 :])
    return candidates


def shortened(reference: Reference, script: list[Json], found: DisagreementError) -> list[Json]:
    """The shortest script with a disagreement of the same kind that removal finds."""
    script = script[: found.index + 1]
    tries = TRIES_TO_SHORTEN
    progress = True
    while progress and tries:
        progress = False
        for candidate in smaller(script):
            tries -= 1
            if not tries:
                break
            if disagrees(reference, candidate, found.what):
                script = candidate
                progress = True
                break
    return script


def report(reference: Reference, name: str, script: list[Json], found: DisagreementError) -> str:
    """What a person needs to look at a disagreement."""
    script = shortened(reference, script, found)
    lines = ["%s: shortest script, %d steps:" % (name, len(script))]
    lines += [json.dumps(step) for step in script]
    try:
        attempt(reference, script, Tally())
    except DisagreementError as shortest:
        lines += [str(shortest), *getattr(shortest, "__notes__", [])]
        lines += [
            "  crate %s" % json.dumps(shortest.crate),
            "  ours  %s" % json.dumps(shortest.ours),
        ]
    return "\n".join(lines)


def read_script(path: Path) -> list[Json]:
    """Symbolic steps from a file. Raises ValueError naming the line."""
    steps: list[Json] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            step = json.loads(line)
            if step["op"] == "new" if steps else step["op"] != "new":
                raise ValueError('field "op": the first step, and only it, is "new"')
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("%s, line %d: %s" % (path, number, error)) from error
        steps.append(step)
    return steps


def show(step: Json, crate: Json, ours: Json) -> None:
    """Print one step and what both did."""
    print("%s\n  crate %s" % (json.dumps(step), json.dumps(observed(crate))))
    print("  ours  %s" % json.dumps(ours))


def main(arguments: list[str]) -> int:
    """Run the seeds asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description="the published crate against our strict core")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds, from --first on")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--length", type=int, default=60, help="steps per script")
    parser.add_argument("--seed", type=int, help="one seed only, shown step by step")
    parser.add_argument("--script", type=Path, help="a script from a file, shown step by step")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first one")
    options = parser.parse_args(arguments)
    try:
        program = build_peer.peer_path()
        chosen = read_script(options.script) if options.script else None
    except (build_peer.PeerMissingError, build_peer.PeerBrokenError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    with Reference(program) as reference:
        if chosen is not None or options.seed is not None:
            return run_shown(reference, chosen or scripts.script(options.seed, options.length))
        seeds = range(options.first, options.first + options.seeds)
        return run_seeds(reference, seeds, options.length, options.keep_going)


def run_shown(reference: Reference, script: list[Json]) -> int:
    """Run one script with a trace."""
    tally = Tally()
    run = Run(reference, tally)
    run.trace = show
    try:
        run.run(script)
    except DisagreementError as found:
        print("%s\n  crate %s\n  ours  %s" % (found, found.crate, found.ours))
        return 1
    print("agreed; masks used: %s" % dict(tally.masks))
    return 0


def run_seeds(reference: Reference, seeds: range, length: int, keep_going: bool) -> int:
    """Run many seeds; prints each disagreement and a summary. Returns the exit status."""
    tally = Tally()
    disagreements = 0
    started = time.monotonic()
    for seed in seeds:
        script = scripts.script(seed, length)
        try:
            attempt(reference, script, tally)
        except DisagreementError as found:
            disagreements += 1
            print(report(reference, "seed %d" % seed, script, found))
            if not keep_going:
                break
    print("the crate did: %s" % ", ".join("%s %d" % row for row in sorted(tally.seen.items())))
    print("listed differences met: %s" % dict(sorted(tally.masks.items())))
    print(
        "%d seeds, %d steps and %d timers in %.1f s, %d disagreements"
        % (len(seeds), tally.steps, tally.timers, time.monotonic() - started, disagreements)
    )
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
