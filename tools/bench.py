"""What the machine costs per event, on this computer.

    python tools/bench.py [--json] [--members N ...]

Prints, for 16, 64 and 200 members (or those given) and for CPython and every MicroPython of this
machine, the microseconds of each event and the heap bytes that it takes. The events and the way
they are measured are in tools/events_on_vm.py. Exit status 1 when an event takes heap.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import find_micropython

ROOT = Path(__file__).resolve().parent.parent
_SCRIPT = ROOT / "tools" / "events_on_vm.py"


def measure(argv: list[str], members: list[int]) -> list[dict[str, object]]:
    """Run the events on the interpreter `argv`; a list of {"members", "event", "us", "heap"}."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = str(ROOT / "lib")
    environment["MICROPYPATH"] = f"{ROOT / 'lib'}:.frozen"
    done = subprocess.run(
        [*argv, str(_SCRIPT), *map(str, members)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(results: dict[str, list[dict[str, object]]], members: list[int]) -> str:
    """The results as a table in Markdown, one row per event and one column per VM and size."""
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
    count_of_events = max(key[2] for key in spent) + 1
    for event in range(count_of_events):
        cells = [spent[(name, count, event)] for name, count in columns]
        label = str(cells[-1]["event"])
        lines.append(f"| {label} | " + " | ".join(f"{row['us']:.0f}" for row in cells) + " |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--members", type=int, nargs="+", default=[16, 64, 200], metavar="N")
    options = parser.parse_args(words)
    interpreters = {"CPython": [sys.executable]}
    for vm in find_micropython.find():
        if vm.name != "wasm":
            interpreters[vm.name] = list(vm.argv)
    results = {name: measure(argv, options.members) for name, argv in interpreters.items()}
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        print(table(results, options.members))
    taken = [row for rows in results.values() for row in rows if row["heap"]]
    for row in taken:
        print(f"{row['event']} at {row['members']} members takes {row['heap']} bytes of heap")
    if not taken and not options.json:
        print("heap taken per event: 0 bytes, on every MicroPython")
    return 1 if taken else 0


if __name__ == "__main__":
    sys.exit(main())
