"""What the machine costs per event, on this computer.

    python tools/bench.py [--json] [--members N ...] [--times N]

Prints, for 16, 64 and 200 members (or those given) and for CPython and every MicroPython of this
machine, the microseconds of each message received, with 0, 5 and 20 updates where it carries any,
of Gossip sent, and of the timers; for the 32-bit MicroPython also with foca.fast. The events and
the way they are measured are in tools/events_on_vm.py. With PICO_W_UF2=IMAGE in the environment a
second table has the emulated RP2040, without and with foca.fast, for 16 members, in microseconds
of the chip; that takes some minutes (tools/from_source.py image makes an image, tools/emulator.py
runs it).

Budgets are in tools/budgets_events.json. Times are only reported beside what we aim for, because
they are this computer's. Exit status 1 when an event takes more heap than its budget, to keep or
on the way; 0 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import find_micropython

ROOT = Path(__file__).resolve().parent.parent
_SCRIPT = ROOT / "tools" / "events_on_vm.py"
_BUDGETS = ROOT / "tools" / "budgets_events.json"

Rows = list[dict[str, object]]


def measure(argv: list[str], members: list[int], times: int, is_fast: bool = False) -> Rows:
    """Run the events on `argv`: a list of {"members", "event", "us", "heap", "words"}."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = str(ROOT / "lib")
    environment["MICROPYPATH"] = f"{ROOT / 'lib'}:.frozen"
    words = [*(["fast"] if is_fast else []), f"times={times}", *map(str, members)]
    done = subprocess.run(
        [*argv, str(_SCRIPT), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure_emulated(image: Path) -> dict[str, Rows]:
    """The same on the real firmware in the emulator, which counts instructions: for 16 members."""
    import emulator

    words = ["times=3", "16"]
    with (
        tempfile.TemporaryDirectory() as folder,
        emulator.Emulator(emulator.words_for(image.resolve()), Path(folder)) as board,
    ):
        emulator.install_library(board.port, Path(folder) / "dist")
        return {
            "RP2040": emulator.run_events(board.port, _SCRIPT, words),
            "RP2040 fast": emulator.run_events(board.port, _SCRIPT, ["fast", *words]),
        }


def table(results: dict[str, Rows], members: list[int]) -> str:
    """The results as a table in Markdown, one row per event and one column per VM and size.

    The number of updates is the largest that a cluster of that size has.
    """
    columns = [(name, count) for name in results for count in members]
    lines = [
        "| microseconds | " + " | ".join(f"{name}, {count}" for name, count in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    spent = {
        (name, row["members"], index % (len(rows) // len(members))): row
        for name, rows in results.items()
        for index, row in enumerate(rows)
    }
    for event in range(max(key[2] for key in spent) + 1):
        cells = [spent[(name, count, event)] for name, count in columns]
        label = str(cells[-1]["event"])
        lines.append(f"| {label} | " + " | ".join(f"{row['us']:.0f}" for row in cells) + " |")
    return "\n".join(lines)


def too_much(results: dict[str, Rows], budgets: dict[str, int]) -> list[str]:
    """One line for each event above its budget of heap."""
    lines = []
    for name, rows in results.items():
        for row in rows:
            for kind, what in (("heap", "bytes of heap"), ("words", "words of heap on the way")):
                taken = row[kind]
                if isinstance(taken, int) and taken > budgets[f"heap_{_UNITS[kind]}_max"]:
                    lines.append(
                        f"{name}: {row['event']} at {row['members']} members takes {taken} {what}"
                    )
    return lines


_UNITS = {"heap": "bytes", "words": "words"}


def beside_aims(rows: Rows, aims: dict[str, int]) -> list[str]:
    """One line for each event that has an aim: the largest time of all sizes beside it."""
    lines = []
    for event, aim in aims.items():
        spent = [int(str(row["us"])) for row in rows if row["event"] == event]
        if spent:
            lines.append(f"{event}: {max(spent)} us at most, aim {aim}")
    return lines


def main(words: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--members", type=int, nargs="+", default=[16, 64, 200], metavar="N")
    parser.add_argument("--times", type=int, default=40, help="runs per event (40)")
    options = parser.parse_args(words)
    budgets = json.loads(_BUDGETS.read_text())
    results = {"CPython": measure([sys.executable], options.members, options.times)}
    for vm in find_micropython.find():
        if vm.name == "wasm":  # its clock counts whole milliseconds
            continue
        argv = list(vm.argv)
        results[vm.name] = measure(argv, options.members, options.times)
        if vm.name == budgets["measured_on"]:
            results[f"{vm.name} fast"] = measure(argv, options.members, options.times, True)
    image = os.environ.get("PICO_W_UF2")
    emulated = measure_emulated(Path(image)) if image else {}
    taken = too_much({**results, **emulated}, budgets)
    if options.json:
        print(json.dumps({**results, **emulated}, indent=1))
        return 1 if taken else 0
    print(table(results, options.members))
    if emulated:
        print(f"\n{table(emulated, [16])}\n")
    for line in beside_aims(results.get(budgets["measured_on"], []), budgets["microseconds_aim"]):
        print(line)
    for line in taken or ["heap taken per event, to keep or on the way: 0 bytes on MicroPython"]:
        print(line)
    return 1 if taken else 0


if __name__ == "__main__":
    sys.exit(main())
