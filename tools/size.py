"""How much of a board the library takes: per file, as a minimal node, and per member.

    python tools/size.py              print the tables (make size also checks)
    python tools/size.py --check      and compare with tools/budgets.json
    python tools/size.py --json       the same numbers for a program to read

Lines and bytes are of the source, .mpy bytes of what mpy-cross makes of it at -O3. RAM is what one
import leaves in use on the 32-bit VM, which has a board's word size and heap block, after all that
the file imports was there already, and after a collection. Frame is the largest of the file's
functions (tools/frames.py). A minimal node is what MINIMAL names and all that importing those
loads. The smallest heap is found by bisection with -X heapsize. Bytes per member are read off
tables for 16, 64 and 200 members. The firmware is everything that deploy.py copies, compiled as it
copies it, with a `machine` and a `network` that do nothing: what importing it all leaves in use,
what is in use when it runs (64 members, socket open), and the smallest heap it starts in. A budget
must not be exceeded; an aim is what we would like.

Without a 32-bit VM the RAM columns stay empty and their budgets are not compared; one line says
so.

Exit status: 0; with --check 1 when a budget is exceeded; 2 when the library cannot be compiled.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import find_micropython
import floors
import mpy

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "lib" / "foca"
FIRMWARE = ROOT / "firmware"
BUDGETS = ROOT / "tools" / "budgets.json"

# A minimal node: the core, one codec, UDP. Whatever these import is counted with them.
MINIMAL = ("node", "postcard", "udp", "config", "identity")
MEMBER_COUNTS = (16, 64, 200)

_IMPORT = """
import gc
gc.collect()
def used():
    gc.collect()
    return gc.mem_alloc()
def measure(name):
    before = used()
    try:
        __import__(name)
    except Exception as error:
        return "-1 %r" % error
    return used() - before
measure("gc")
for name in {names!r}:
    print(name, measure(name))
"""

WHOLE = """
import gc
gc.collect()
before = gc.mem_alloc()
{program}
gc.collect()
print("whole", gc.mem_alloc() - before)
"""

_TABLE = """
import gc
from foca.backlog import Backlog
from foca.identity import Layout
from foca.members import Members
from foca.picker import Picker
from foca.postcard import Postcard
from foca.rng import Rng
from foca.timers import Timers
layout = Layout()
rng = Rng(1)
def used():
    gc.collect()
    return gc.mem_alloc()
def cost(count):
    before = used()
    members = Members(layout, count, rng)
    parts = [members, Timers(members), Picker(members)]
    total = used() - before
    codec = Postcard(members)
    before = used()
    parts.append(Backlog(members, codec, 512))
    return total + used() - before
cost(8)
for count in {counts!r}:
    print(count, cost(count))
"""


_NODE = """
import gc
from foca.config import Config
from foca.identity import ipv4
from foca.node import Foca
from foca.runtime import Runtime
layout = ipv4()
def used():
    gc.collect()
    return gc.mem_alloc()
def cost(count):
    config = Config(members_max=count, send_bytes_max=512)
    before = used()
    kept = Foca(bytes(layout.record_bytes), config, Runtime(), seed=1)
    return used() - before
cost(8)
for count in {counts!r}:
    print(count, cost(count))
"""

FIRMWARE_PROGRAM = """
import gc, sys
class Anything:
    OUT = STA_IF = WDT_RESET = 1
    def __init__(self, *words, **fields):
        pass
    def __getattr__(self, name):
        return Anything
sys.modules["machine"] = sys.modules["network"] = Anything()
def used():
    gc.collect()
    return gc.mem_alloc()
before = used()
import foca._port
foca._port.PLATFORM = "rp2"
import main, station, foca.udp
print("code", used() - before)
text = "SSID = 'home'\\nBROADCAST = False\\nCONSOLE = False\\nPORT = %d" % {port}
life = station.Station(main.memory.Memory(), main.options.parse(text))
life.agent.come_up("127.0.0.1")
for _ in range(3):
    life.agent.turn()
print("running", used() - before)
"""
NODE_FOR_16 = _NODE.format(counts=(16,))


class FileSize(NamedTuple):
    """One file of the library."""

    name: str
    floor: int
    lines: int
    source_bytes: int
    mpy_bytes: int
    ram_bytes: int | None
    frame_words: int
    minimal: bool


class Report(NamedTuple):
    """Everything that was measured; None where there was nothing to measure it with."""

    files: list[FileSize]
    minimal_ram_bytes: int | None
    source_heap_kib: int | None
    mpy_heap_kib: int | None
    table_bytes: dict[int, int]
    node_bytes: dict[int, int]
    cannot_import: dict[str, str]  # name -> the VM's own words
    firmware: dict[str, int]


# ---- what belongs to what


def dependencies(files: list[floors.File]) -> dict[str, set[str]]:
    """name -> the files of ours that importing it loads."""
    known = {file.name for file in files}
    return {file.name: floors.imports(file, at_once=True)[0] & known for file in files}


def in_import_order(names: list[str], needs: dict[str, set[str]]) -> list[str]:
    """These files and all that they import, each after what it imports."""
    ordered: list[str] = []

    def add(name: str, on_the_way: tuple[str, ...]) -> None:
        if name in ordered or name in on_the_way:
            return
        for other in sorted(needs.get(name, ())):
            add(other, (*on_the_way, name))
        ordered.append(name)

    for name in names:
        add(name, ())
    return ordered


# ---- the 32-bit VM


class Vm:
    """A 32-bit VM with one folder to import from."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self.argv = argv
        self.environment = {**os.environ, "MICROPYPATH": f"{folder}:.frozen"}

    def run(self, program: str, heap_kib: int = 0) -> str | None:
        """What the program prints; None if it fails."""
        heap = ["-X", f"heapsize={heap_kib}K"] if heap_kib else []
        done = subprocess.run(
            [*self.argv, *heap, "-c", program],
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None

    def numbers(self, program: str) -> tuple[dict[str, int], dict[str, str]]:
        """The lines `name number` that the program prints, and the words after a negative one."""
        found: dict[str, int] = {}
        complaints: dict[str, str] = {}
        for line in (self.run(program) or "").splitlines():
            name, value, *words = line.split(maxsplit=2)
            if int(value) >= 0:
                found[name] = int(value)
            else:
                complaints[name] = " ".join(words)
        return found, complaints

    def by_count(self, program: str) -> dict[int, int]:
        """What the program prints for each of MEMBER_COUNTS; nothing if it fails."""
        found, _ = self.numbers(program.format(counts=MEMBER_COUNTS))
        return {int(count): cost for count, cost in found.items()}

    def smallest_heap_kib(self, program: str, kib_max: int = 512) -> int | None:
        """The smallest heap in which the program runs; None if none up to `kib_max` will do."""
        if self.run(program, kib_max) is None:
            return None
        too_small, enough = 1, kib_max
        while enough - too_small > 1:
            middle = (too_small + enough) // 2
            if self.run(program, middle) is None:
                too_small = middle
            else:
                enough = middle
        return enough


# ---- measuring


def compile_library(folder: Path, library: Path = LIBRARY) -> dict[str, bytes]:
    """Write foca/*.mpy below `folder`; name -> bytes."""
    target = folder / library.name
    target.mkdir()
    compiled = {}
    for path in sorted(library.glob("*.py")):
        if mpy.has_machine_code(path):
            continue  # an option, and of another size on each processor
        compiled[path.stem] = mpy.compile_source(path)
        (target / f"{path.stem}.mpy").write_bytes(compiled[path.stem])
    return compiled


def free_port() -> int:
    """A UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure_firmware(vm_argv: list[str]) -> dict[str, int]:
    """Everything on a board, by the names of budgets.json; empty when it does not start."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        compile_library(folder)
        for path in FIRMWARE.glob("*.py"):
            if path.name == "main.py":  # the one that a board compiles itself
                (folder / path.name).write_bytes(path.read_bytes())
            elif path.name not in ("boot.py", "settings_example.py"):
                (folder / f"{path.stem}.mpy").write_bytes(mpy.compile_source(path, 2, path.name))
        vm = Vm(vm_argv, folder)
        program = FIRMWARE_PROGRAM.replace("{port}", str(free_port()))
        found, _ = vm.numbers(program)
        heap_kib = vm.smallest_heap_kib(program)
        source_vm = Vm(vm_argv, FIRMWARE)
        source_vm.environment["MICROPYPATH"] = f"{LIBRARY.parent}:{FIRMWARE}:.frozen"
        source_heap_kib = source_vm.smallest_heap_kib(program)
    if "running" not in found or heap_kib is None or source_heap_kib is None:
        return {}
    return {
        "firmware_code_ram_bytes": found["code"],
        "firmware_running_ram_bytes": found["running"],
        "firmware_heap_kib": heap_kib,
        "firmware_source_heap_kib": source_heap_kib,
    }


def measure(library: Path = LIBRARY, vm_argv: list[str] | None = None) -> Report:
    """Everything about the library. mpy.MpyError when a file does not compile."""
    files = [
        file
        for file in floors.read(library)
        if not mpy.has_machine_code(library / f"{file.name}.py")
    ]
    standing = floors.places()
    needs = dependencies(files)
    order = in_import_order(["__init__", *sorted(needs)], needs)
    minimal = in_import_order(["__init__", *(name for name in MINIMAL if name in needs)], needs)
    program = "import " + ", ".join(_dotted(name, library) for name in minimal)
    ram: dict[str, int] = {}
    heap_source = heap_mpy = minimal_ram = None
    table: dict[int, int] = {}
    node: dict[int, int] = {}
    complaints: dict[str, str] = {}
    firmware: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as temporary:
        compiled = compile_library(Path(temporary), library)
        if vm_argv is not None:
            vm = Vm(vm_argv, Path(temporary))
            wanted = [_dotted(name, library) for name in order]
            ram, complaints = vm.numbers(_IMPORT.format(names=wanted))
            whole, _ = vm.numbers(WHOLE.format(program=program))
            minimal_ram = whole.get("whole")
            heap_mpy = vm.smallest_heap_kib(program)
            heap_source = Vm(vm_argv, library.parent).smallest_heap_kib(program)
            table = vm.by_count(_TABLE)
            node = vm.by_count(_NODE)
            if library == LIBRARY:
                firmware = measure_firmware(vm_argv)
    sizes = []
    for file in files:
        rows = mpy.functions(compiled[file.name])
        sizes.append(
            FileSize(
                name=file.name,
                floor=standing[file.name].floor if file.name in standing else -1,
                lines=len(file.text.splitlines()),
                source_bytes=len(file.text.encode()),
                mpy_bytes=len(compiled[file.name]),
                ram_bytes=ram.get(_dotted(file.name, library)),
                frame_words=max(
                    [row.frame_words for row in rows if row.kind == "function"] or [0]
                ),
                minimal=file.name in minimal,
            )
        )
    sizes.sort(key=lambda size: (size.floor, size.name))
    return Report(sizes, minimal_ram, heap_source, heap_mpy, table, node, complaints, firmware)


def _dotted(name: str, library: Path) -> str:
    return library.name if name == "__init__" else f"{library.name}.{name}"


def per_member(table: dict[int, int]) -> tuple[int, int] | None:
    """(bytes for one more member, bytes that do not depend on members), both rounded up."""
    if len(table) < 2:
        return None
    least, most = min(table), max(table)
    marginal = -(-(table[most] - table[least]) // (most - least))
    return marginal, max(0, table[least] - marginal * least)


def measured(report: Report) -> dict[str, int]:
    """What budgets.json can be compared with, by its names."""
    found: dict[str, int | None] = {
        "minimal_mpy_bytes": sum(size.mpy_bytes for size in report.files if size.minimal),
        "minimal_ram_bytes": report.minimal_ram_bytes,
        "minimal_source_heap_kib": report.source_heap_kib,
    }
    shares = per_member(report.table_bytes)
    if shares is not None:
        found["member_bytes"], found["table_fixed_bytes"] = shares
    found.update(report.firmware)
    return {name: value for name, value in found.items() if value is not None}


def exceeded(found: dict[str, int], budgets: dict[str, dict[str, object]]) -> list[str]:
    """One line for each budget that is not kept."""
    complaints = []
    for name, value in found.items():
        limit = budgets[name]["limit"]
        assert isinstance(limit, int)
        if value > limit:
            complaints.append(
                f"{name} is {value}, {limit} is the budget ({budgets[name]['what']})"
            )
    return complaints


# ---- printing


def print_report(report: Report) -> None:
    """The tables."""
    print("floor  file           lines  source B   .mpy B   RAM B  frame  in a minimal node")
    for size in report.files:
        ram = "-" if size.ram_bytes is None else str(size.ram_bytes)
        print(
            f"{size.floor:5}  {size.name:12}  {size.lines:6} {size.source_bytes:9} "
            f"{size.mpy_bytes:8} {ram:>7} {size.frame_words:6}  {'yes' if size.minimal else ''}"
        )
    print()
    budgets = json.loads(BUDGETS.read_text())
    for name, value in measured(report).items():
        budget = budgets[name]
        aim = f", aim {budget['aim']}" if "aim" in budget else ""
        print(f"{name:26} {value:7}  budget {budget['limit']}{aim}")
    if report.mpy_heap_kib is not None:
        print(f"{'minimal_mpy_heap_kib':26} {report.mpy_heap_kib:7}")
    for count, cost in sorted(report.table_bytes.items()):
        print(f"table for {count:3} members      {cost:7}  {cost / count:.1f} bytes a member")
    for count, cost in sorted(report.node_bytes.items()):
        print(f"node for {count:3} members       {cost:7}  with its buffers of 512 bytes")
    for name, words in report.cannot_import.items():
        print(f"{name} cannot be imported on the 32-bit VM: {words}")


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare with tools/budgets.json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--library", type=Path, default=LIBRARY, help="folder of a package")
    options = parser.parse_args(argv)
    vms = [vm for vm in find_micropython.find(32) if vm.name == "mp32"]
    if not vms:
        print(find_micropython.missing_line("mp32") + ": RAM is not measured", file=sys.stderr)
    try:
        report = measure(options.library.resolve(), vms[0].argv if vms else None)
    except mpy.MpyError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        files = [size._asdict() for size in report.files]
        table = {str(count): cost for count, cost in report.table_bytes.items()}
        node = {str(count): cost for count, cost in report.node_bytes.items()}
        whole = {"files": files, "table": table, "node": node, **measured(report)}
        print(json.dumps(whole, indent=1))
    else:
        print_report(report)
    complaints = exceeded(measured(report), json.loads(BUDGETS.read_text()))
    if vms and report.minimal_ram_bytes is None:
        complaints.append("a minimal node cannot be imported on the 32-bit VM: nothing to compare")
    if vms and options.library.resolve() == LIBRARY and not report.firmware:
        complaints.append("the firmware does not start on the 32-bit VM: nothing to compare")
    for line in complaints if options.check else ():
        print(line)
    return 1 if options.check and complaints else 0


if __name__ == "__main__":
    sys.exit(main())
