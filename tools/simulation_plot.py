"""Pictures of simulated clusters, each as PNG and SVG; equal on every run. Needs matplotlib.

    detect     time to the first suspicion, the first and the last Down against cluster size, F1''
    spread     who knows an update against time, with F4 for many nodes
    false      false suspicions and false downs against loss, with F5; hardened and strict
    traffic    bytes per node and second against cluster size
    timeline   one run: who saw what when

Made by `tools/simulate.py plot`; the numbers come from simulation_measure.py.
"""

import collections.abc
import math
from pathlib import Path
from typing import Any

import matplotlib
from foca.config import Config
from foca.runtime import (
    MEMBER_DOWN,
    MEMBER_UP,
    PROBE_FAILED,
    REJOIN,
    RENAME,
)
from simulation_measure import (
    NEVER_MS,
    detect,
    failing,
    first_ping,
    idle,
    informed,
    lose,
    plain,
    spread,
)
from simulation_scenario import Action, Play, Scenario
from simulation_world import SECOND, Node

matplotlib.use("Agg")
from matplotlib import pyplot, ticker

matplotlib.rcParams.update(
    {
        "svg.hashsalt": "foca",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.figsize": (7.2, 4.2),
        "figure.dpi": 110,
    }
)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def picture_detect(quick: bool) -> Any:
    """Time to detect against cluster size."""
    sizes = (8, 16, 32, 64) if quick else (8, 16, 32, 64, 128, 256, 512, 1000)
    rows: dict[str, list[tuple[float, float, float]]] = {"suspect": [], "first": [], "last": []}
    formula, downs = [], []
    for count in sizes:
        kills = min(24, max(1, count // 16))
        config = Config.lan(count, members_max=count)
        samples = 12 if quick else min(400, max(48, 16384 // count))
        seen = []
        for seed in range(math.ceil(samples / kills)):
            seen += detect(1000 * count + seed, count, kills, config)
        for name, values in (
            ("suspect", [d.first_suspect for d in seen]),
            ("first", [d.first_down for d in seen]),
            ("last", [d.last_down for d in seen]),
        ):
            values.sort()
            low, high = values[len(values) // 20], values[-1 - len(values) // 20]
            rows[name].append((_mean(values), low, high))
        formula.append(_mean([first_ping(d.survivors, 1) + 1 for d in seen]))
        downs.append(formula[-1] + config.suspect_to_down_after_ms / 1000)
    figure, axes = pyplot.subplots()
    for name, label, colour in (
        ("suspect", "first suspicion", "#e08a00"),
        ("first", "first Down", "#c43d3d"),
        ("last", "Down everywhere", "#7a2f8f"),
    ):
        means = [row[0] for row in rows[name]]
        axes.fill_between(
            sizes, [r[1] for r in rows[name]], [r[2] for r in rows[name]], color=colour, alpha=0.15
        )
        axes.plot(sizes, means, "o-", color=colour, label=f"{label}: mean, 5 to 95 %")
    axes.plot(sizes, formula, "k--", linewidth=1, label="F1'': m/(m+1) + 1 periods")
    axes.plot(sizes, downs, "k:", linewidth=1, label="F1'' + F7: and 4 log10 n periods to refute")
    _log_sizes(axes, sizes)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("seconds after the death")
    axes.set_title("Time to detect a death: Config.lan(n), a period of 1 s")
    axes.legend(fontsize=8, loc="upper left")
    return figure


def _log_sizes(axes: Any, sizes: collections.abc.Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("nodes")


def picture_spread(quick: bool) -> Any:
    """Who knows an update against time."""
    count = 32 if quick else 128
    runs = 4 if quick else 24
    figure, axes = pyplot.subplots()
    never = {"suspect_to_down_after_ms": NEVER_MS}
    for config, label, colour in (
        (
            plain(count, max_transmissions=255, **never),
            "on pings and acks alone: mean, each run",
            "#2f6f9f",
        ),
        (
            Config.lan(count, members_max=count, **never),
            "Config.lan, with gossip every 200 ms: mean, each run",
            "#3d8f3d",
        ),
    ):
        times = [spread(seed, count, config) for seed in range(runs)]
        grid = [step / 20 for step in range(20 * 8 + 1)]
        shares = [_mean([1 + sum([t <= at for t in one]) for one in times]) / count for at in grid]
        axes.plot(grid, shares, color=colour, label=label)
        for one in times:
            axes.step(
                [0.0, *one],
                [(1 + i) / count for i in range(len(one) + 1)],
                where="post",
                color=colour,
                alpha=0.12,
                linewidth=0.8,
            )
    axes.plot(
        grid,
        [informed(count, at) / count for at in grid],
        "k--",
        linewidth=1,
        label="F4: the limit for many nodes, pings and acks alone",
    )
    axes.set_xlim(0, 6)
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1))
    axes.set_xlabel("seconds, which are periods")
    axes.set_ylabel("of the cluster know")
    axes.set_title(f"Spread of one update among {count} nodes")
    axes.legend(fontsize=8, loc="lower right")
    return figure


def picture_false(quick: bool) -> Any:
    """False suspicions and false downs against loss."""
    losses = (0.05, 0.1, 0.2, 0.3) if quick else (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
    count, seconds = (12, 120) if quick else (20, 900)
    figure, axes = pyplot.subplots()
    for strict, label, marker in ((False, "hardened", "o"), (True, "strict, as foca", "s")):
        config = Config.lan(count, members_max=count, strict=strict)
        seen = [lose(1, count, loss, seconds, config) for loss in losses]
        minutes = count * seconds / 60
        floor = 0.5 / minutes
        axes.plot(
            losses,
            [max(floor, one.failed / minutes) for one in seen],
            f"{marker}-",
            color="#e08a00",
            markerfacecolor="none" if strict else None,
            label=f"failed probes, {label}",
        )
        axes.plot(
            losses,
            [max(floor, one.downs / minutes) for one in seen],
            f"{marker}-",
            color="#c43d3d",
            markerfacecolor="none" if strict else None,
            label=f"false downs, {label}",
        )
    axes.plot(
        losses, [60 * failing(loss, 3) for loss in losses], "k--", linewidth=1, label="F5, k = 3"
    )
    axes.axhline(floor, color="grey", linewidth=0.8, linestyle=":")
    text = f"on this line: none in {minutes:.0f} minutes of a member"
    axes.text(losses[-1], floor, text, ha="right", va="bottom", fontsize=7, color="grey")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.xaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    axes.set_xlabel("of all datagrams are lost")
    axes.set_ylabel("per member and minute")
    axes.set_title(f"What loss does to {count} nodes of which none dies")
    axes.legend(fontsize=8)
    return figure


def picture_traffic(quick: bool) -> Any:
    """Bytes per node and second against cluster size."""
    sizes = (8, 16, 32, 64) if quick else (8, 16, 32, 64, 128, 256, 512, 1000)
    seconds = 60
    figure, axes = pyplot.subplots()
    seen = [idle(1, count, seconds, Config.lan(count, members_max=count)) for count in sizes]
    probes = [idle(1, count, 20, plain(count)) for count in sizes if count <= 128]
    axes.plot(
        sizes,
        [t.on_the_wire() for t in seen],
        "o-",
        color="#2f6f9f",
        label="with the headers of IPv4 and UDP",
    )
    axes.plot(
        sizes,
        [t.payload_bytes for t in seen],
        "o-",
        color="#3d8f3d",
        label="payload: probes, and a Feed of at most 1,400 bytes every 30 s",
    )
    axes.plot(
        sizes[: len(probes)],
        [t.payload_bytes for t in probes],
        "k--",
        linewidth=1,
        label="F3: a Ping and an Ack a period, payload",
    )
    _log_sizes(axes, sizes)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("bytes per node and second")
    axes.set_title("What an idle cluster sends, Config.lan(n), postcard")
    axes.legend(fontsize=8)
    return figure


_EVENTS = {
    PROBE_FAILED: ("probe failed", ".", "#e08a00"),
    MEMBER_DOWN: ("member Down", "v", "#c43d3d"),
    MEMBER_UP: ("member Up", "^", "#3d8f3d"),
    RENAME: ("member renewed", "d", "#2f6f9f"),
    REJOIN: ("renewed itself", "*", "#7a2f8f"),
}


def picture_timeline(quick: bool) -> Any:
    """One run: a death, a partition, a restart, and who saw what when."""
    count = 8
    scenario = Scenario(1, count, only=("latency",), seconds=70)
    low, high = 0x0F, 0xF0
    masks = [high if index < 4 else low for index in range(count)]
    scenario.actions = [
        Action(10 * SECOND, "kill", 6, 0),
        Action(25 * SECOND, "cut", -1, 20 * SECOND, masks),
        Action(62 * SECOND, "restart", 3, 3 * SECOND),
    ]
    play = Play(scenario)
    marks: dict[int, list[tuple[float, float]]] = {event: [] for event in _EVENTS}

    def watch(node: Node, event: int, row: int) -> None:
        if event in marks:
            # several events of one moment stand beside each other
            at = (node.foca.identity_of(row)[3] - 1) / count - 0.45
            marks[event].append((play.world.now_us / SECOND, node.index + 0.7 * at))

    play.world.watch = watch
    outcome = play.run()
    figure, axes = pyplot.subplots(figsize=(7.2, 4.6))
    axes.axvspan(25, 45, color="grey", alpha=0.12)
    axes.text(35, -0.8, "0 .. 3 | 4 .. 7 cut", ha="center", fontsize=7, color="grey")
    end = outcome.end_us / SECOND
    for index, start, back, what in ((6, 10, end, "switched off"), (3, 62, 65, "restarts")):
        axes.plot([start, back], [index, index], color="black", linewidth=5, alpha=0.15)
        axes.text(back - 1, index - 0.2, what, ha="right", fontsize=7, color="grey")
    for event, (label, marker, colour) in _EVENTS.items():
        points = marks[event]
        axes.scatter(
            [p[0] for p in points],
            [p[1] for p in points],
            marker=marker,
            s=26,
            color=colour,
            label=label,
            linewidths=0,
        )
    axes.set_yticks(range(count), [f"node {index}" for index in range(count)])
    axes.set_ylim(count - 0.4, -1.1)
    axes.set_xlabel("seconds; the height within a row says whom the event is about")
    axes.set_title(f"Who saw what when: {count} nodes, Config.lan({count})")
    axes.legend(fontsize=7, ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return figure


PICTURES: dict[str, collections.abc.Callable[[bool], Any]] = {
    "detect": picture_detect,
    "spread": picture_spread,
    "false": picture_false,
    "traffic": picture_traffic,
    "timeline": picture_timeline,
}


def draw(
    folder: Path, names: collections.abc.Sequence[str] = (), quick: bool = False
) -> collections.abc.Iterator[Path]:
    """Draw these pictures, or all, into `folder`; yields each file when it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or PICTURES:
        figure = PICTURES[name](quick)
        figure.tight_layout()
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            figure.savefig(path, metadata={"Date": None} if kind == "svg" else None)
            yield path
        pyplot.close(figure)
