"""Numbers from simulated clusters, beside the formulas that predict them. CPython only.

Clusters here begin as if they had run for long: every view is preloaded through `apply_many`, and
the phases of the nodes are staggered over one period. No checks, no digests: many samples.

    F1''  first Ping of a dead member   period * m / (m + 1)          m survivors, in their rounds
    F7    first Suspect -> first Down   4 * max(1, log10 n) * period  the config's own number
    F5    a probe of a live member      (1 - q^2) * (1 - q^4)^k       q = 1 - loss, k helpers
          fails
    F4    who knows an update           n / (1 + (n-1) e^-(2-1/n)t)   t in periods; a limit curve
    K     who hears a custom broadcast  s = 1 - e^-(t s)              t transmissions by each

Source: SWIM (DSN 2002), sections 3 and 4, and Monte Carlo runs of the formulas themselves. K: W.
Kermack, A. McKendrick (1927), the final size of an epidemic.
"""

import math
import os
import re
import resource
import subprocess
import sys
import time
from typing import NamedTuple

from foca.broadcast import VersionedHandler
from foca.config import Config
from foca.postcard import Postcard
from foca.rng import Rng
from foca.runtime import MEMBER_DOWN, PROBE_FAILED
from simulation_world import SECOND, Node, World, record_of

_SETTLED_US = SECOND  # by then every node has booted


def codec_bytes(index: int, bump: int, state: int = 0) -> bytes:
    """Node `index` as a member in postcard: what `apply_many` takes. bump: below 128."""
    record = record_of(index + 1, bump)
    return bytes([0]) + record[:4] + bytes([0xFC, 0x9A, 0x02, bump, 0, state])


def steady(seed: int, count: int, config: Config, group: int = 0) -> World:
    """`count` nodes that know each other, with phases spread over one period; at 1 s.

    group: they are clusters of so many nodes each, side by side; 0: one cluster.
    """
    world = World(seed, count, with_digest=False)
    populate(world, config, group)
    return world


def populate(world: World, config: Config, group: int = 0) -> None:
    """The same for a world that is there already."""
    count = len(world.nodes)
    group = group or count
    world.wires.base_us = 1000
    rng = Rng(world.seed * 8 + 5)
    members = [codec_bytes(index, 1) for index in range(count)]
    for node in world.nodes:
        first = node.index // group * group
        others = members[first : node.index] + members[node.index + 1 : first + group]
        node.phase_us = rng.below(SECOND)
        node.start_ms = rng.below(1 << 29)
        dump = b"".join(others)
        world.call(
            rng.below(_SETTLED_US),
            lambda node=node, dump=dump: node.boot(config, 1, [], dump),  # type: ignore[misc]
        )
    world.run(_SETTLED_US)


def plain(count: int, **fields: int) -> Config:
    """`Config.lan` with nothing but probes: what the formulas are about."""
    wanted: dict[str, int] = {
        "periodic_announce_ms": 0,
        "periodic_announce_to_down_ms": 0,
        "periodic_gossip_ms": 0,
        "members_max": count + 1,
    }
    wanted.update(fields)
    return Config.lan(count, **wanted)


class Detection(NamedTuple):
    """One death: seconds from it to the first suspicion, the first and the last Down."""

    survivors: int
    first_suspect: float
    first_down: float
    last_down: float


def detect(
    seed: int, count: int, kills: int, config: Config, until_down: bool = True
) -> list[Detection]:
    """Kill `kills` of `count` nodes one after the other, and see when who notices.

    until_down: wait until everybody knows it; without, only the first suspicion is measured.
    """
    world = steady(seed, count, config)
    rng = Rng(seed * 8 + 6)
    period_us = config.probe_period_ms * 1000
    suspicion_us = config.suspect_to_down_after_ms * 1000
    died: dict[bytes, int] = {}
    suspects: dict[bytes, int] = {}
    downs: dict[bytes, list[int]] = {}

    def watch(node: Node, event: int, row: int) -> None:
        record = node.foca.identity_of(row)
        if record not in died:
            return
        if event == PROBE_FAILED:
            suspects.setdefault(record, world.now_us)
        elif event == MEMBER_DOWN:
            downs.setdefault(record, []).append(world.now_us)

    world.watch = watch
    victims: list[tuple[bytes, int]] = []
    for kill in range(kills):
        # at any moment of anybody's round
        world.run(world.now_us + rng.below(min(count, 12) * period_us))
        node = world.nodes[(kill * 7 + rng.below(7)) % count]
        if not node.is_up:
            continue
        node.kill()
        record = record_of(node.index + 1, 1)
        died[record] = world.now_us
        victims.append((record, count - len(died)))
        while record not in suspects:
            world.run(world.now_us + period_us // 4)
    if until_down:
        world.run(world.now_us + suspicion_us + (count.bit_length() + 4) * period_us)
    found = []
    for record, survivors in victims:
        at_us = died[record]
        seen = downs.get(record, [0])
        found.append(
            Detection(
                survivors,
                (suspects[record] - at_us) / SECOND,
                (seen[0] - at_us) / SECOND,
                (seen[-1] - at_us) / SECOND,
            )
        )
    return found


def first_ping(survivors: int, period: float) -> float:
    """F1'': the mean time until somebody pings a dead member."""
    return period * survivors / (survivors + 1)


def failing(loss: float, helpers: int) -> float:
    """F5: how likely one probe of a live member fails."""
    keep = 1 - loss
    return float((1 - keep**2) * (1 - keep**4) ** helpers)


def informed(count: int, periods: float) -> float:
    """F4: how many know an update after so many periods."""
    return count / (1 + (count - 1) * math.exp(-(2 - 1 / count) * periods))


class Failures(NamedTuple):
    """What loss does to a cluster where nobody dies."""

    probes: int
    failed: int
    downs: int
    member_seconds: float


def lose(seed: int, count: int, loss: float, seconds: int, config: Config) -> Failures:
    """Run a healthy cluster with `loss` for so long, and count what it gets wrong."""
    world = steady(seed, count, config)
    world.wires.loss = round(1000 * loss)
    counts = {PROBE_FAILED: 0, MEMBER_DOWN: 0}
    numbers = [node.foca.probe.number for node in world.nodes]

    def watch(node: Node, event: int, row: int) -> None:
        if event == PROBE_FAILED or (event == MEMBER_DOWN and node.in_tick):
            counts[event] += 1

    world.watch = watch
    probes = 0
    end_us = world.now_us + seconds * SECOND
    while world.now_us < end_us:
        world.run(min(end_us, world.now_us + 100 * SECOND))
        for node in world.nodes:  # the probe's number wraps at 256
            number = node.foca.probe.number
            probes += (number - numbers[node.index]) % 256
            numbers[node.index] = number
    return Failures(probes, counts[PROBE_FAILED], counts[MEMBER_DOWN], count * seconds)


def spread(seed: int, count: int, config: Config) -> list[float]:
    """Tell one node that another one is Down; returns when each of the others knew, in periods."""
    world = steady(seed, count, config)
    rng = Rng(seed * 8 + 7)
    world.run(world.now_us + rng.below(3 * SECOND))
    start_us = world.now_us
    period_us = config.probe_period_ms * 1000
    victim = world.nodes[count - 1]
    record = record_of(count, 1)
    known: list[float] = []

    def watch(node: Node, event: int, row: int) -> None:
        if event == MEMBER_DOWN and node.foca.identity_of(row) == record:
            known.append((world.now_us - start_us) / period_us)

    world.watch = watch
    victim.kill()
    teller = world.nodes[rng.below(count - 1)]
    data = codec_bytes(count - 1, 1, 2)
    teller.foca.apply_many(data, len(data), True, teller.local_ms())
    world.run(start_us + 20 * period_us)
    return sorted(known)


class Heard(NamedTuple):
    """Who hears a custom broadcast: a part of the others, and a part of the versions."""

    share: float
    complete: float


def custom(seed: int, count: int, versions: int, config: Config) -> Heard:
    """Let node 0 publish a version every 10 s in a healthy cluster, and count who hears each."""
    world = World(seed, count, with_digest=False)
    heard = [0] * (versions + 1)

    def handler(node: Node) -> VersionedHandler:
        def on_item(origin: str, version: int, payload: bytes) -> None:
            heard[version] += 1

        return VersionedHandler(Postcard, on_item)

    world.make_handler = handler
    populate(world, config)
    origin = world.nodes[0]
    for version in range(1, versions + 1):
        item = origin.handler.pack(record_of(1, version), b"payload")  # type: ignore[union-attr]
        origin.foca.add_broadcast(item, len(item))
        world.run(world.now_us + 10 * SECOND)
    complete = sum([1 for number in heard[1:] if number == count - 1])
    return Heard(sum(heard) / versions / (count - 1), complete / versions)


def reached(transmissions: int) -> float:
    """K: the part of a large cluster that hears an item which each tells so often."""
    share = 1.0
    for _ in range(200):
        share = 1 - math.exp(-transmissions * share)
    return share


TOLERANCE = 0.05
NEVER_MS = 6 * 86400 * 1000


class Golden(NamedTuple):
    """A simulated mean and the formula that predicts it."""

    what: str
    simulated: float
    formula: float

    def off(self) -> float:
        """By which part the mean differs."""
        return self.simulated / self.formula - 1


def golden(samples: int) -> list[Golden]:
    """F1'' over `samples` deaths, F7, both together, and F5 over 20 probes for each sample.

    With 750 samples the standard deviation of each mean is about a third of the tolerance at most.
    """
    seen = [
        death
        for seed in range(samples // 3)
        for count in (5, 8, 12)
        for death in detect(seed, count, 1, plain(count), until_down=False)
    ]
    rows = [
        Golden(
            "F1'' 5, 8, 12 nodes: s until the first suspicion",
            sum([death.first_suspect for death in seen]) / len(seen),
            sum([first_ping(death.survivors, 1) + 1 for death in seen]) / len(seen),
        )
    ]
    seen = []
    for count, deaths in ((5, samples // 15), (16, samples // 25), (32, samples // 75)):
        few = [d for seed in range(deaths) for d in detect(seed, count, 1, plain(count))]
        seen += few
        rows.append(
            Golden(
                f"F7 {count} nodes: s from suspicion to down",
                sum([death.first_down - death.first_suspect for death in few]) / len(few),
                4 * max(1, math.log10(count)),
            )
        )
    formula = [
        first_ping(death.survivors, 1) + 1 + 4 * max(1, math.log10(death.survivors + 1))
        for death in seen
    ]
    rows.append(
        Golden(
            "F1'' + F7 5, 16, 32 nodes: s until the first down",
            sum([death.first_down for death in seen]) / len(seen),
            sum(formula) / len(seen),
        )
    )
    for loss, helpers in ((0.2, 1), (0.3, 3)):
        config = plain(12, num_indirect_probes=helpers, suspect_to_down_after_ms=NEVER_MS)
        lost = lose(1, 12, loss, 20 * samples // 12, config)
        rows.append(
            Golden(
                f"F5 {loss:.0%} loss, {helpers} helpers: a probe fails",
                lost.failed / lost.probes,
                failing(loss, helpers),
            )
        )
    return rows


class Traffic(NamedTuple):
    """Per node and second, when nothing happens."""

    datagrams: float
    payload_bytes: float

    def on_the_wire(self) -> float:
        """With the headers of IPv4 and UDP."""
        return self.payload_bytes + 28 * self.datagrams


def idle(seed: int, count: int, seconds: int, config: Config) -> Traffic:
    """What an idle cluster sends."""
    world = steady(seed, count, config)
    world.run(world.now_us + 5 * SECOND)
    datagrams = sum([node.datagrams for node in world.nodes])
    sent = sum([node.bytes for node in world.nodes])
    world.run(world.now_us + seconds * SECOND)
    datagrams = sum([node.datagrams for node in world.nodes]) - datagrams
    sent = sum([node.bytes for node in world.nodes]) - sent
    return Traffic(datagrams / count / seconds, sent / count / seconds)


class Size(NamedTuple):
    """What a run costs this machine: seconds on the wall, and seconds of one core."""

    nodes: int
    seconds: int
    preload: float
    wall: float
    cpu: float
    events: int
    datagrams: int
    bytes_per_second: float
    memory_mb: float

    def per_node_second_us(self) -> float:
        """Microseconds of one core for a node's second, without the preloading."""
        return self.cpu / self.nodes / self.seconds * 1e6


def size(count: int, seconds: int, config: Config, group: int = 0, report: bool = False) -> Size:
    """Run `count` preloaded nodes for so many simulated seconds and measure it."""
    start = time.perf_counter()
    world = steady(1, count, config, group)
    preload = time.perf_counter() - start
    events = world.events
    start = time.perf_counter()
    start_cpu = time.process_time()
    for second in range(seconds):
        world.run(world.now_us + SECOND)
        if report and second % 10 == 9:
            wall = time.perf_counter() - start
            print(f"  {second + 1:4} s simulated, {wall:6.1f} s", flush=True)
    wall = time.perf_counter() - start
    cpu = time.process_time() - start_cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sent = sum([node.datagrams for node in world.nodes])
    rate = sum([node.bytes for node in world.nodes]) / count / seconds
    return Size(count, seconds, preload, wall, cpu, world.events - events, sent, rate, memory)


FEEDS_SECONDS = 30
"""How often a node of `Config.lan` asks for a Feed: a run of a multiple of this has its share."""


def instructions(count: int, seconds: int, send_bytes_max: int) -> float:
    """How many instructions a node's second takes among `count`, as valgrind counts them.

    Unlike time, this depends neither on the load of the machine nor on its caches. Two runs, which
    differ by `seconds`: preloading does not count. Raises FileNotFoundError without valgrind.
    """
    script = (
        "import simulation_measure as m; from foca.config import Config; "
        "m.size(%d, %d, Config.lan(%d, members_max=%d, send_bytes_max=%d))"
    )
    command = [
        *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"),
        *(sys.executable, "-c"),
    ]
    env = dict(os.environ, PYTHONHASHSEED="0", PYTHONPATH=":".join(sys.path))
    env["PYTHONDONTWRITEBYTECODE"] = "1"  # else only one of the two runs compiles
    runs = [
        subprocess.Popen(
            [*command, script % (count, length, count, count, send_bytes_max)],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for length in (1, 1 + seconds)
    ]
    counts = []
    for one in runs:
        said = one.communicate()[1]
        found = re.search(r"I +refs: +([\d,]+)", said)
        if one.returncode or not found:
            raise RuntimeError(f"valgrind ended with {one.returncode}: {said}")
        counts.append(int(found[1].replace(",", "")))
    return (counts[1] - counts[0]) / count / seconds


FED = 125
"""How many members with a one-byte bump a Feed of 1,400 bytes holds."""


class Joined(NamedTuple):
    """A whole cluster that starts with one seed."""

    nodes: int
    complete: float
    """Seconds until every view was complete, -1: not in time."""
    nearly: float
    """Seconds until the mean view had 99 % of the others, -1: not in time."""
    missing: list[int]
    """How many pairs did not know each other after 10 s, and every 10 s from then on."""
    share: float
    """The part of the others that the mean view had at the end."""
    wall: float
    datagrams: int


def join(count: int, limit_seconds: int, config: Config) -> Joined:
    """Boot `count` nodes within a second that know only node 0, until every view is complete."""
    world = World(2, count, with_digest=False)
    rng = Rng(9)
    seeds = [record_of(1, 0)]
    for node in world.nodes:
        node.phase_us = rng.below(SECOND)
        world.call(rng.below(SECOND), lambda node=node: node.boot(config, 1, seeds))  # type: ignore[misc]
    start = time.perf_counter()
    complete = nearly = -1.0
    share = 0.0
    missing = []
    while world.now_us < limit_seconds * SECOND:
        world.run(world.now_us + SECOND // 2)
        known = [node.foca.num_members() for node in world.nodes if node.is_up]
        share = sum(known) / count / max(1, count - 1)
        if world.now_us % (10 * SECOND) == 0:
            missing.append(count * (count - 1) - sum(known))
        if nearly < 0 and share > 0.99:
            nearly = world.now_us / SECOND
        if len(known) == count and min(known) == count - 1:
            complete = world.now_us / SECOND
            break
    sent = sum([node.datagrams for node in world.nodes])
    return Joined(count, complete, nearly, missing, share, time.perf_counter() - start, sent)


def last_of(missing: int, count: int, fed: int, config: Config) -> float:
    """How many seconds `missing` pairs of a settled cluster take to find each other, on average.

    One finds the other in a Feed that holds `fed` members, one per periodic Announce, or in the
    Ping of the other, who goes round once in `count` periods: the last of several such waits.
    """
    announce = config.periodic_announce_members * 1000 / config.periodic_announce_ms
    rate = announce * min(1.0, fed / (count - 2)) + 1000 / config.probe_period_ms / (count - 1)
    return sum([1 / i for i in range(1, missing + 1)]) / rate
