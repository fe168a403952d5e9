"""What was measured side by side, as Markdown, JSON and a picture.

A row of the table is a quantity, a column a peer; a cell with several samples reads `mean / median
/ maximum`. The last two columns are ratios of means, ours on MicroPython to serf and to the Rust
agent: below 1 is less (bytes, time, memory). `not told` stands where a peer does not tell, or
could not be measured; a dash where there is nothing to divide. JSON has every sample.
"""

import collections.abc
import json
import statistics
from pathlib import Path
from typing import Any

NAME = "side_by_side"
NOT_TOLD = "not told"
OURS = "mp32"
RATIOS = (("serf", "MicroPython / serf"), ("rust", "MicroPython / Rust"))
COLOURS = {"serf": "#8a8f98", "rust": "#b7410e", "cpython": "#4b8bbe", "mp32": "#2e8b57"}

# (text, kind of cell, field, factor, decimals). Rows of idle have one window, the others samples.
ROWS = (
    ("UDP, payload bytes/s", "idle", "udp_bytes", 1, 0),
    ("UDP with IP headers, bytes/s", "idle", "udp_ip_bytes", 1, 0),
    ("UDP packets/s", "idle", "udp_packets", 1, 2),
    ("TCP, payload bytes/s", "idle", "tcp_bytes", 1, 0),
    ("TCP with IP headers, bytes/s", "idle", "tcp_ip_bytes", 1, 0),
    ("TCP packets/s", "idle", "tcp_packets", 1, 2),
    ("CPU time, ms/s", "idle", "cpu_ms", 1, 2),
    ("memory (RSS), MiB", "idle", "rss_bytes", 1 / 1048576, 1),
    ("heap in use, KiB", "idle", "heap_bytes", 1 / 1024, 1),
    ("kill to first suspicion, s", "kill", "suspect_s", 1, 2),
    ("kill to first Down, s", "kill", "first_down_s", 1, 2),
    ("kill to last Down, s", "kill", "last_down_s", 1, 2),
    ("restart to complete views, s", "kill", "rejoin_s", 1, 2),
    ("join of all at once, s", "join", "join_s", 1, 2),
)

# Every method of counting, and what a reader must know about it.
TRAFFIC = {
    "interface": "every packet was read from the interface; %d were lost or not readable",
    "relay": "traffic was counted by a relay between the nodes, not read from the interface; "
    "%d datagrams were lost or of no node",
}


def values(report: dict[str, Any], peer: str, nodes: int, what: str, field: str) -> list[float]:
    """All samples of one quantity, of all rounds."""
    return [
        sample[field]
        for cell in report["cells"]
        if (cell["peer"], cell["nodes"], cell["what"]) == (peer, nodes, what)
        for sample in cell.get("samples", ())
        if sample.get(field) is not None
    ]


def text_of(found: list[float], factor: float, decimals: int) -> str:
    """One window's value, or mean / median / maximum of several samples."""
    if not found:
        return NOT_TOLD
    scaled = [value * factor for value in found]
    if len(scaled) == 1:
        return f"{scaled[0]:.{decimals}f}"
    three = (statistics.mean(scaled), statistics.median(scaled), max(scaled))
    return " / ".join(f"{value:.{decimals}f}" for value in three)


def ratio_of(ours: list[float], theirs: list[float]) -> str:
    """Ratio of the means."""
    if not ours or not theirs or not statistics.mean(theirs):
        return "-"
    return f"{statistics.mean(ours) / statistics.mean(theirs):.2f}"


def _line(words: collections.abc.Iterable[str]) -> str:
    return "| " + " | ".join(words) + " |"


def table(report: dict[str, Any], nodes: int) -> list[str]:
    """The rows for one cluster size."""
    peers = list(report["titles"])
    ratios = [(peer, title) for peer, title in RATIOS if OURS in peers and peer in peers]
    head = [f"{nodes} nodes", *report["titles"].values(), *(title for _, title in ratios)]
    lines = [_line(head), "| --- |" + " ---: |" * (len(head) - 1)]
    for text, what, field, factor, decimals in ROWS:
        found = {peer: values(report, peer, nodes, what, field) for peer in peers}
        if not any(found.values()):
            continue
        words = [text]
        for peer in peers:
            word = text_of(found[peer], factor, decimals)
            if field == "heap_bytes" and peer != OURS and not found[peer]:
                word = "-"
            words.append("" if peer in report["missing"] else word)
        words += [ratio_of(found[OURS], found[peer]) for peer, _ in ratios]
        lines.append(_line(words))
    lines.append(_line(["samples: kills, joins", *(_samples(report, p, nodes) for p in peers)]))
    lines[-1] += " |" * len(ratios)
    return lines


def _samples(report: dict[str, Any], peer: str, nodes: int) -> str:
    if peer in report["missing"]:
        return ""
    kills = len(values(report, peer, nodes, "kill", "last_down_s"))
    joins = len(values(report, peer, nodes, "join", "join_s"))
    return f"{kills}, {joins}"


def notes(report: dict[str, Any]) -> list[str]:
    """What a reader must know about these numbers beyond the table."""
    found = []
    for peer, reason in report["missing"].items():
        found.append(f"{report['titles'][peer]} is left out: {reason.splitlines()[0]}")
    for cell in report["cells"]:
        title = f"{report['titles'][cell['peer']]}, {cell['nodes']} nodes, {cell['what']}"
        if "failed" in cell:
            found.append(f"{title}: a cell failed: {cell['failed']}")
            continue
        samples = cell["samples"]
        wrong = [sum(s.get(k, 0) for s in samples) for k in ("false_suspects", "false_downs")]
        late = sum(bool(sample.get("late")) for sample in samples)
        apart = sum(s.get("rejoin_s", 0) is None and not s["late"] for s in samples)
        news = sum(sample.get("news", 0) for sample in samples)
        if any(wrong):
            found.append(f"{title}: {wrong[0]} false suspicions, {wrong[1]} false Downs")
        if late:
            found.append(f"{title}: {late} of {len(samples)} not within the limit, counted as it")
        if apart:
            found.append(f"{title}: after {apart} restarts the views were not complete in time")
        if news:
            found.append(f"{title}: {news} suspicions or Downs in the idle window")
    idle = [s for c in report["cells"] if c["what"] == "idle" for s in c.get("samples", ())]
    for how, text in TRAFFIC.items():
        of_it = [sample for sample in idle if sample["how"] == how]
        if of_it:
            found.append(text % sum(sample["lost"] + sample["unread"] for sample in of_it))
    loads = [cell["load"] for cell in report["cells"]]
    if loads:
        found.append(
            f"load average of the machine at the start of a cell: {min(loads)} .. {max(loads)}"
        )
    return found


def markdown(report: dict[str, Any]) -> str:
    """The page."""
    settings = report["settings"]
    of = settings["machine"]
    priority = f", priority {of['nice']}" if of["nice"] else ""
    machine = f"{of['cores']} cores, {of['cpu']}, {of['memory_gib']} GiB, {of['system']}{priority}"
    method = (
        f"LAN settings, a period of {settings['period_s']:.0f} s; per node; an idle window of "
        f"{settings['idle_s']:.0f} s, {settings['settle_s']:.0f} s after the views were complete; "
        "several samples read mean / median / maximum; ratios are of the means, below 1 is less."
    )
    lines = [
        "# Side by side on loopback",
        "",
        "Written by `tools/compare.py`; what it measures and how to read it: docs/BENCHMARK.md.",
        "",
        f"{report['date']}; {machine}.",
        "",
    ]
    lines += [f"- {report['titles'][key]}: {text}" for key, text in settings["versions"].items()]
    lines += ["", method]
    for nodes in settings["nodes"]:
        lines += ["", *table(report, nodes)]
    lines += ["", *(f"- {note}" for note in notes(report)), ""]
    return "\n".join(lines)


PANELS = (
    ("idle: UDP and TCP with IP headers, bytes/s", "idle", ("udp_ip_bytes", "tcp_ip_bytes"), 1),
    ("idle: packets/s", "idle", ("udp_packets", "tcp_packets"), 1),
    ("idle: CPU time, ms/s", "idle", ("cpu_ms",), 1),
    ("idle: memory (RSS), MiB", "idle", ("rss_bytes",), 1 / 1048576),
    ("kill to last Down, s", "kill", ("last_down_s",), 1),
    ("join of all at once, s", "join", ("join_s",), 1),
)


def bar(
    report: dict[str, Any], peer: str, nodes: int, what: str, fields: tuple[str, ...]
) -> tuple[float, float, float] | None:
    """(mean, lowest, highest) of a sum of fields: over samples, or in idle over the nodes."""
    found = [values(report, peer, nodes, what, field) for field in fields]
    if not found[0]:
        return None
    if what != "idle":
        return statistics.mean(found[0]), min(found[0]), max(found[0])
    mean = sum(rates[0] for rates in found if rates)
    if len(fields) > 1:  # TCP has no count per node
        return mean, mean, mean
    low, high = (values(report, peer, nodes, what, f"{fields[0]}_{end}") for end in ("min", "max"))
    return mean, low[0], high[0]


def picture(report: dict[str, Any], path: Path) -> None:
    """Bars by size and peer, as PNG. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"font.size": 8, "axes.spines.top": False})
    sizes = report["settings"]["nodes"]
    peers = [peer for peer in report["titles"] if peer not in report["missing"]]
    figure, panels = pyplot.subplots(2, 3, figsize=(11, 6))
    width = 0.8 / len(peers)
    for axes, (title, what, fields, factor) in zip(panels.flat, PANELS, strict=True):
        for index, peer in enumerate(peers):
            bars = [bar(report, peer, nodes, what, fields) for nodes in sizes]
            shown = [(at, b) for at, b in enumerate(bars) if b]
            heights = [b[0] * factor for _, b in shown]
            below = [(b[0] - b[1]) * factor for _, b in shown]
            above = [(b[2] - b[0]) * factor for _, b in shown]
            axes.bar(
                [at + (index - (len(peers) - 1) / 2) * width for at, _ in shown],
                heights,
                width,
                yerr=[below, above],
                capsize=2,
                color=COLOURS[peer],
                ecolor="#444444",
                error_kw={"linewidth": 0.8},
                label=report["titles"][peer],
            )
        axes.set_title(title, fontsize=9)
        axes.set_xticks(range(len(sizes)), [f"{nodes} nodes" for nodes in sizes])
        axes.spines["right"].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(peers), frameon=False)
    figure.text(
        0.5,
        0.055,
        f"{report['date']}, per node; bars: means; lines: lowest and highest sample (CPU and "
        "memory: node)",
        ha="center",
        fontsize=7,
    )
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def write(report: dict[str, Any], folder: Path) -> str:
    """Write the page, the samples and, with matplotlib, the picture; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page = markdown(report)
    (folder / f"{NAME}.md").write_text(page)
    (folder / f"{NAME}.json").write_text(json.dumps(report, indent=1) + "\n")
    try:
        if report["cells"]:
            picture(report, folder / f"{NAME}.png")
    except ImportError:
        page += "\nno picture: make .venv/.made-from-pyproject installs matplotlib\n"
    return page
