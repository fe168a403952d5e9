"""Whole clusters in one process, on a virtual clock, from one seed: the very code of the boards.

    python tools/simulate.py swarm                 300 seeds, each twice, a sample on MicroPython
    python tools/simulate.py swarm --seeds 10000 --results FILE        as many; can be continued
    python tools/simulate.py run 229               one seed, with what happens in it
    python tools/simulate.py run 229 --trace       ... and who saw what when
    python tools/simulate.py run 229 --shrink      find a shorter run that fails in the same way
    python tools/simulate.py golden                the formulas of SWIM against simulated means
    python tools/simulate.py size                  1,000 nodes for ten minutes: time and memory
    python tools/simulate.py size --instructions   ... what they cost, counted by valgrind
    python tools/simulate.py join --nodes 100      boot them all through one seed
    python tools/simulate.py custom                who hears a custom broadcast
    python tools/simulate.py plot --out DIR        the pictures, as PNG and SVG (needs matplotlib)

A seed draws a cluster of 3 to 14 nodes and switches whole kinds of trouble on or off: latencies,
loss, duplicates, reordering, partitions (whole, one-way, partial), collections, blocked loops,
kills, leaving, restarts with and without memory, power save, sleeping radios, receive queues of 1,
4 or 6 datagrams, small ARP tables, clocks that drift and wrap, small packets, crowded tables,
custom broadcasts.
After half a minute all faults end, and the cluster has a bound, computed from its configuration,
to agree and to become quiet. What must hold is listed in simulation_checks.py, what can happen in
simulation_scenario.py, what a board is in simulation_world.py, custom broadcasts in
simulation_custom.py; those four run on MicroPython too.

Every run is a function of its seed: played twice, or on another interpreter, it has the same
digest. A failure prints the one command that replays it. `--without KIND,..` leaves kinds of
trouble out, `--only KIND,..` takes just these, `--keep 0,3` only some of the actions, `--nodes`
and `--seconds` make it smaller; `--shrink` tries all that for you.

Exit status: 0 all is well, 1 a check failed, a digest differed or a mean was off, 2 wrong usage,
3 something that is needed is missing (the message says what).
"""

import argparse
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "tools")]

import simulation_measure  # noqa: E402
import simulation_swarm  # noqa: E402
from foca.config import Config  # noqa: E402
from foca.runtime import EVENT_NAMES  # noqa: E402
from simulation_checks import name_of  # noqa: E402
from simulation_scenario import KINDS, Play  # noqa: E402
from simulation_swarm import Case  # noqa: E402
from simulation_world import SECOND, Node  # noqa: E402


def _seeds(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("choose 1 or more")
    return number


def _packet(text: str) -> int:
    number = int(text)
    if not 128 <= number <= 1400:
        raise argparse.ArgumentTypeError("choose 128 to 1400 bytes")
    return number


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(word for word in text.split(",") if word)
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"{kind!r} is none of: {' '.join(KINDS)}")
    return kinds


def _keep(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(",") if word not in ("", "none"))


# ---- swarm


def swarm(options: argparse.Namespace) -> int:
    """The subcommand."""
    seeds = range(options.first, options.first + options.seeds)
    results = simulation_swarm.Results(options.results)
    try:
        done = simulation_swarm.swarm(seeds, results, options.budget, options.jobs)
    finally:
        results.close()
    for seed, problem in done.failures:
        print(f"FAILED {problem}\n  replay: {Case(seed).command()}")
    if options.shrink and done.failures:
        seed, problem = done.failures[0]
        check = problem.partition(":")[0]
        print(f"  shorter: {simulation_swarm.shrink(Case(seed), check).command()}")
    known = f", {done.known} known" if done.known else ""
    early = ", the budget is used up" if done.stopped_early else ""
    print(
        f"{done.played + done.known} seeds twice ({done.played} played{known}{early}), "
        f"{len(done.failures)} failed; views equal after {done.worst_views_ms / 1000:.1f} s at "
        f"most; {done.datagrams} datagrams, {done.seconds:.0f} s"
    )
    differing = _sample(options, results)
    return 1 if done.failures or differing else 0


def _sample(options: argparse.Namespace, results: simulation_swarm.Results) -> bool:
    """Play some of the seeds on MicroPython; whether a digest differs."""
    known = sorted(results.done)[:: max(1, len(results.done) // max(1, options.vm))][: options.vm]
    if not known:
        return False
    digests = simulation_swarm.on_vm(known)
    if digests is None:
        print("no 32-bit MicroPython here: python tools/find_micropython.py --install")
        return False
    differing = [s for s in known if digests.get(s) != results.done[s]["digest"]]
    for seed in differing:
        print(
            f"FAILED on the VM: seed {seed} has digest {digests.get(seed, 'none')}, "
            f"{results.done[seed]['digest']} here\n"
            f"  replay: MICROPYPATH=lib:tools .vm/mp32 {simulation_swarm.ON_VM} {seed}"
        )
    if not differing:
        print(f"{len(known)} of them on the 32-bit MicroPython: the same digests")
    return bool(differing)


# ---- run


def run(options: argparse.Namespace) -> int:
    """The subcommand."""
    case = Case(
        options.seed,
        options.nodes,
        options.without,
        options.only,
        options.keep,
        options.seconds,
    )
    scenario = case.scenario()
    print(scenario.text())
    player = Play(scenario)
    if options.trace:
        player.world.watch = _tracer(player)
    outcome = player.run()
    print(
        f"ended at {outcome.end_us / SECOND:.1f} s: {outcome.datagrams} datagrams sent, "
        f"{outcome.lost} lost, {outcome.overruns} found a full queue, {outcome.unresolved} no "
        f"hardware address; {outcome.false_suspicions} false suspicions, {outcome.false_downs} "
        f"false downs, {outcome.renewals} renewals"
    )
    if not outcome.check:
        print(f"good: views equal {outcome.views_us / SECOND:.1f} s after the faults")
        print(f"digest {outcome.digest}")
        return 0
    if outcome.check == "crash" and player.error is not None:
        traceback.print_exception(player.error)
    print(f"digest {outcome.digest}\nFAILED {outcome.problem}\n  replay: {case.command()}")
    if options.shrink:
        print("shrinking, two minutes at most")
        shorter = simulation_swarm.shrink(case, outcome.check, say=lambda text: print("  " + text))
        print(f"  shorter: {shorter.command()}")
    return 1


def _tracer(player: Play):  # type: ignore[no-untyped-def]
    def watch(node: Node, event: int, row: int) -> None:
        if event < len(EVENT_NAMES) - 2:
            print(
                f"{player.world.now_us / SECOND:9.3f} s  node {node.index:<3} "
                f"{EVENT_NAMES[event]:12} {name_of(node.foca.identity_of(row))}"
            )

    return watch


# ---- golden


def golden(options: argparse.Namespace) -> int:
    """The subcommand."""
    rows = simulation_measure.golden(options.samples)
    print(f"{'what':50} {'simulated':>10} {'formula':>10}  off by")
    bad = 0
    for row in rows:
        is_off = abs(row.off()) > simulation_measure.TOLERANCE
        bad += is_off
        mark = "  OFF" if is_off else ""
        print(f"{row.what:50} {row.simulated:10.4f} {row.formula:10.4f} {row.off():+7.1%}{mark}")
    return 1 if bad else 0


# ---- size


def size(options: argparse.Namespace) -> int:
    """The subcommand."""
    if options.instructions:
        return _instructions(options)
    count = options.nodes
    config = Config.lan(count, members_max=count, send_bytes_max=options.packet)
    group = min(50, count)
    seconds = options.seconds
    cost = {}
    for nodes, of in ((group, group), (count, group), (count, count)):
        one = simulation_measure.size(nodes, seconds, config, of, options.verbose)
        cost[nodes, of] = one.per_node_second_us()
        what = f"{nodes} nodes" if nodes == of else f"{nodes} nodes, in clusters of {of}"
        print(
            f"{what}, {seconds} s simulated: {one.wall:.1f} s, "
            f"{one.cpu:.1f} s of one core (+ {one.preload:.1f} s to preload), "
            f"{one.per_node_second_us():.1f} us per node and second, {one.events} events, "
            f"{one.datagrams} datagrams, {one.bytes_per_second:.1f} bytes per node and second, "
            f"{one.memory_mb:.0f} MB",
            flush=True,
        )
    small, many, large = cost.values()
    print(
        f"time per node and second: {large / small:.2f} times that of {group} nodes; "
        f"{many / small:.2f} for simulating many, {large / many:.2f} for what they say"
    )
    return 0


def _instructions(options: argparse.Namespace) -> int:
    """The same in instructions, for 30 of the seconds."""
    cost = []
    try:
        for count in (min(50, options.nodes), options.nodes):
            one = simulation_measure.instructions(
                count, simulation_measure.FEEDS_SECONDS, options.packet
            )
            cost.append(one)
            print(f"{count} nodes: {one:,.0f} instructions per node and second", flush=True)
    except FileNotFoundError:
        print("valgrind is missing: install it with  apt-get install valgrind")
        return 3
    print(f"instructions per node and second: {cost[1] / cost[0]:.2f} times that of the few")
    return 0


def join(options: argparse.Namespace) -> int:
    """The subcommand."""
    count = options.nodes
    config = Config.lan(count, members_max=count)
    done = simulation_measure.join(count, options.seconds, config)
    nearly = f"after {done.nearly:.1f} s" if done.nearly >= 0 else "not in time"
    complete = f"after {done.complete:.1f} s" if done.complete >= 0 else "not in time"
    print(
        f"{count} nodes through one seed: views 99 % complete on average {nearly}, all complete "
        f"{complete} ({done.share:.1%} at the end); {done.datagrams} datagrams, "
        f"{done.wall:.1f} s of this machine"
    )
    fed = min(count - 2, simulation_measure.FED)
    if done.missing and done.missing[0]:
        seconds = 10 + simulation_measure.last_of(done.missing[0], count, fed, config)
        print(
            f"pairs that did not know each other, every 10 s: {' '.join(map(str, done.missing))}; "
            f"with those of the first 10 s all are expected to be complete after {seconds:.0f} s"
        )
    return 0 if done.complete >= 0 else 1


def custom(options: argparse.Namespace) -> int:
    """The subcommand."""
    print("nodes  told by each  hear a version  formula  versions that all hear")
    for count in (3, 5, 10, 20, 50, 100):
        config = Config.lan(count, members_max=count)
        heard = simulation_measure.custom(1, count, options.versions, config)
        formula = simulation_measure.reached(config.max_transmissions)
        print(
            f"{count:5}  {config.max_transmissions:12}  {heard.share:14.1%}  {formula:7.1%}  "
            f"{heard.complete:22.0%}",
            flush=True,
        )
    return 0


def plot(options: argparse.Namespace) -> int:
    """The subcommand."""
    try:
        import simulation_plot
    except ImportError as error:
        print(f"{error}: install it with  .venv/bin/pip install --editable '.[plot]'")
        return 3
    start = time.monotonic()
    for path in simulation_plot.draw(options.out, options.picture, options.quick):
        print(f"{path}  ({time.monotonic() - start:.0f} s)", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser("swarm", help="many seeds, each twice")
    one.add_argument("--seeds", type=_seeds, default=300, help="how many (300)")
    one.add_argument("--first", type=int, default=0, help="the first one (0)")
    one.add_argument("--budget", type=float, default=0, help="stop after so many seconds")
    one.add_argument("--results", type=Path, help="a file that keeps the results")
    one.add_argument("--jobs", type=_seeds, default=1, help="how many processes (1)")
    one.add_argument("--vm", type=int, default=5, help="how many on MicroPython too (5)")
    one.add_argument("--shrink", action="store_true", help="make the first failure shorter")
    one.set_defaults(work=swarm)

    one = commands.add_parser("run", help="one seed")
    one.add_argument("seed", type=int)
    one.add_argument("--nodes", type=int, default=0, help="so many nodes")
    one.add_argument("--without", type=_kinds, default=(), help="leave kinds of trouble out")
    one.add_argument("--only", type=_kinds, default=(), help="exactly these kinds")
    one.add_argument("--keep", type=_keep, help="only these actions, by number")
    one.add_argument("--seconds", type=int, default=0, help="faults end after so long")
    one.add_argument("--trace", action="store_true", help="every membership event")
    one.add_argument("--shrink", action="store_true", help="make a failure shorter")
    one.set_defaults(work=run)

    one = commands.add_parser("golden", help="formulas against simulated means")
    one.add_argument("--samples", type=_seeds, default=1500, help="deaths (1500)")
    one.set_defaults(work=golden)

    one = commands.add_parser("size", help="a large cluster: time and memory")
    one.add_argument("--nodes", type=_seeds, default=1000)
    one.add_argument("--seconds", type=_seeds, default=600)
    one.add_argument("--packet", type=_packet, default=1400, help="longest datagram; boards: 512")
    one.add_argument("--instructions", action="store_true", help="count them, with valgrind")
    one.add_argument("--verbose", action="store_true")
    one.set_defaults(work=size)

    one = commands.add_parser("join", help="boot a cluster through one seed")
    one.add_argument("--nodes", type=_seeds, default=100)
    one.add_argument("--seconds", type=_seeds, default=300)
    one.set_defaults(work=join)

    one = commands.add_parser("custom", help="who hears a custom broadcast")
    one.add_argument("--versions", type=_seeds, default=100, help="how many of each (100)")
    one.set_defaults(work=custom)

    one = commands.add_parser("plot", help="the pictures")
    one.add_argument("--out", type=Path, default=Path("."), help="a folder")
    one.add_argument(
        "--picture",
        action="append",
        default=[],
        choices=("detect", "spread", "false", "traffic", "timeline"),
        help="only this one; may be repeated",
    )
    one.add_argument("--quick", action="store_true", help="small clusters, few samples")
    one.set_defaults(work=plot)
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    options = _parser().parse_args(argv)
    return int(options.work(options))


if __name__ == "__main__":
    sys.exit(main())
