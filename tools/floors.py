"""The house rules of lib/foca that a program can check: floors, sizes, repeated constants.

    python tools/floors.py              check lib/foca, one line for each breach
    python tools/floors.py --covered    the files that must have full branch coverage, with commas

    floor 4   shells and options   address aio accumulate broadcast events fast interface join
                                   literal plain restore sockaddr state trace udp
    floor 3   the machine          node -> verbs -> receive, probing -> selfhood, custom
                                   -> effects -> outgoing
    floor 2   state and codecs     members backlog items picker probe timers limits | the codecs
    floor 1   tools                cursor rng config identity runtime records decoder codec
    floor 0   ground               _port wire errors status

1. Imports point down only; within floor 3 along the arrows. A file says its floor in its first
   docstring ("Floor 2."), and that must be the floor of this table. What stands in `if _TYPING:`
   is not counted: only the type checker reads it, mpy-cross drops it (`_TYPING = const(0)`).
2. Nothing below floor 4 does I/O, and `_port` alone knows the clock and the operating system.
3. A file stays below 400 lines and 10,000 bytes, because a board that installs from source must
   compile the largest one; a function below 70 lines.
4. `_PING = const(0)` may be repeated, because a const is folded only in the file that writes it:
   all repeats are equal, and equal to the public name that they repeat.

Exit status: 0 when all is well, 1 when a rule is broken.
"""

import argparse
import ast
import collections.abc
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "lib" / "foca"

FLOORS = {
    4: "__init__ address aio accumulate broadcast events fast interface join literal plain "
    "restore sockaddr state trace udp",
    3: "node verbs probing receive custom selfhood effects outgoing",
    2: "members backlog items picker probe timers limits postcard bincode",
    1: "cursor rng config identity runtime records codec decoder",
    0: "_port wire errors status",
}
# Within a floor a file may import those on a lower step; all others stand on step 0.
STEPS = {
    "node": 5,
    "verbs": 4,
    "receive": 3,
    "probing": 3,
    "selfhood": 2,
    "custom": 1,
    "codec": 1,
    "effects": 1,
    # The shells of floor 4 use each other in this order.
    "__init__": 9,
    "aio": 4,
    "udp": 3,
    "join": 3,
    "state": 4,
    "restore": 3,
    "sockaddr": 2,
    "events": 2,
    "broadcast": 2,
    "trace": 2,
    "plain": 2,
    "interface": 1,
    "address": 1,
}

# Whose floors must have every line and branch run by the tests. `make test` asks for it.
COVERED_FLOORS: tuple[int, ...] = (0, 1, 2, 3)

LINES_MAX = 399
BYTES_MAX = 10_000
FUNCTION_LINES_MAX = 69

_DEVICES = {"_thread", "asyncio", "machine", "network", "select", "socket", "threading"}
_PORT_ONLY = {"os", "time"}


class Place(NamedTuple):
    """Where a file stands; compares from the ground up."""

    floor: int
    step: int


def places() -> dict[str, Place]:
    """The place of every name in the table."""
    return {
        name: Place(floor, STEPS.get(name, 0))
        for floor, names in FLOORS.items()
        for name in names.split()
    }


class File(NamedTuple):
    """One file of the library, parsed."""

    name: str  # without .py
    text: str
    tree: ast.Module


def read(folder: Path = LIBRARY) -> list[File]:
    """Every file of the library."""
    paths = sorted(folder.glob("*.py"))
    texts = [path.read_text() for path in paths]
    return [File(p.stem, t, ast.parse(t)) for p, t in zip(paths, texts, strict=True)]


def covered_files(folder: Path = LIBRARY) -> list[str]:
    """The files that must be covered whole, relative to the repository."""
    standing = places()
    names = sorted(path.stem for path in folder.glob("*.py"))
    return [
        f"lib/foca/{n}.py" for n in names if n in standing and standing[n][0] in COVERED_FLOORS
    ]


# ---- imports


def imports(file: File, at_once: bool = False) -> tuple[set[str], set[str]]:
    """(files of ours, other modules) that this file imports, anywhere in it.

    at_once: only what importing it loads, not what a function of it imports when called.
    """
    ours: set[str] = set()
    others: set[str] = set()
    for node in _run(file.tree, at_once):
        if isinstance(node, ast.Import):
            for alias in node.names:
                words = alias.name.split(".")
                if words[0] == "foca":
                    ours.add(words[1] if len(words) > 1 else "__init__")
                else:
                    others.add(words[0])
        elif isinstance(node, ast.ImportFrom):
            words = (node.module or "").split(".")
            if node.level or words[0] == "foca":
                inner = words if node.level else words[1:]
                if inner and inner[0]:
                    ours.add(inner[0])
                else:  # from . import members
                    ours.update(alias.name for alias in node.names)
            else:
                others.add(words[0])
    return ours, others


def _run(tree: ast.AST, at_once: bool) -> collections.abc.Iterator[ast.AST]:
    """Everything below `tree` that an interpreter runs; at_once: that it runs at the import."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "_TYPING":
            continue
        if at_once and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        yield from _run(node, at_once)


def check_imports(files: list[File]) -> list[str]:
    """Rules 1 and 2."""
    standing = places()
    complaints = []
    for file in files:
        if file.name not in standing:
            complaints.append(f"{file.name}.py has no floor: give it one in tools/floors.py")
            continue
        place = standing[file.name]
        ours, others = imports(file)
        for other in sorted(ours):
            below = standing.get(other)
            if below is not None and below >= place:
                complaints.append(_move(file.name, place, other, below))
        devices = others & _DEVICES if place.floor < 4 else set()
        for device in sorted(devices):
            complaints.append(
                f"{file.name}.py (floor {place.floor}) imports {device}: "
                "only floor 4 does I/O; pass in what it needs"
            )
        if file.name != "_port":
            for module in sorted(others & _PORT_ONLY):
                complaints.append(f"{file.name}.py imports {module}: that belongs in _port.py")
        complaints += _check_own_word(file, place)
    return complaints


def _move(name: str, place: Place, other: str, below: Place) -> str:
    if below.floor == place.floor:
        return (
            f"{name}.py imports {other}, which stands beside it on floor {place.floor}: "
            f"move what they share to a lower floor, or pass {other} in"
        )
    return (
        f"{name}.py (floor {place.floor}) imports {other} (floor {below.floor}): imports point "
        f"down; move {name} up, or what it needs of {other} down"
    )


def _check_own_word(file: File, place: Place) -> list[str]:
    docstring = ast.get_docstring(file.tree) or ""
    said = re.search(r"Floor (\d)\b", docstring)
    if said is None:
        return [f"{file.name}.py: its docstring does not say 'Floor {place.floor}.'"]
    if int(said[1]) != place.floor:
        return [
            f"{file.name}.py says Floor {said[1]} and stands on {place.floor} in tools/floors.py"
        ]
    return []


# ---- sizes


def check_sizes(files: list[File]) -> list[str]:
    """Rule 3."""
    complaints = []
    for file in files:
        lines = len(file.text.splitlines())
        if lines > LINES_MAX:
            complaints.append(f"{file.name}.py has {lines} lines, {LINES_MAX} is the limit: split")
        size = len(file.text.encode())
        if size > BYTES_MAX:
            complaints.append(f"{file.name}.py has {size} bytes, {BYTES_MAX} is the limit: split")
        for node in ast.walk(file.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = (node.end_lineno or node.lineno) - node.lineno + 1
                if count > FUNCTION_LINES_MAX:
                    complaints.append(
                        f"{file.name}.py:{node.lineno} {node.name} has {count} lines, "
                        f"{FUNCTION_LINES_MAX} is the limit"
                    )
    return complaints


# ---- constants


def constants(file: File) -> tuple[dict[str, object], dict[str, object]]:
    """(private consts, public numbers) that the file's top level gives a literal value."""
    private: dict[str, object] = {}
    public: dict[str, object] = {}
    for node in file.tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        value = node.value
        folded = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const"
        if folded and isinstance(value, ast.Call) and value.args:
            value = value.args[0]
        try:
            number = ast.literal_eval(value)
        except ValueError:
            continue
        if name.startswith("_") and folded:
            private[name] = number
        elif name.isupper() and isinstance(number, int):
            public[name] = number
    return private, public


def check_constants(files: list[File]) -> list[str]:
    """Rule 4: what is repeated is equal everywhere, and equal to the public name it repeats."""
    complaints = []
    first: dict[str, tuple[str, object]] = {}
    homes: dict[str, dict[str, object]] = {}
    for file in files:
        for name, value in constants(file)[1].items():
            homes.setdefault(name, {})[file.name] = value
    for file in files:
        for name, value in constants(file)[0].items():
            where, before = first.setdefault(name, (file.name, value))
            if value != before:
                complaints.append(
                    f"{file.name}.py: {name} is {value!r}, but {before!r} in {where}.py: "
                    "make them equal, or give one another name"
                )
            home = homes.get(name[1:], {})
            home = {"wire": home["wire"]} if "wire" in home else home
            if home and value not in home.values():
                wanted = ", ".join(f"{number!r} in {at}.py" for at, number in home.items())
                complaints.append(
                    f"{file.name}.py: {name} is {value!r}, but {name[1:]} is {wanted}"
                )
    return complaints


def check(files: list[File]) -> list[str]:
    """All rules."""
    return check_imports(files) + check_sizes(files) + check_constants(files)


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--covered", action="store_true", help="print the files to be covered")
    options = parser.parse_args(argv)
    if options.covered:
        print(",".join(covered_files()))
        return 0
    complaints = check(read())
    for line in complaints:
        print(line)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
