"""Put foca on a board and watch it join: one command for a new board, an update, and a mended one.

    python tools/deploy.py --board RPI_PICO_W --port auto --ssid NAME
    python tools/deploy.py --all                     every board that is plugged in, settings kept
    python tools/deploy.py --dry-run                 what would change; nothing is written

It asks for the WiFi password without showing it, or takes it from FOCA_WIFI_PASSWORD. The password
goes to the board's settings.py and nowhere else. Without --ssid the board keeps its settings.

What happens, in this order:

    1  the board is asked for its MicroPython (tested from 1.25, expected to work from 1.23, older
       ones are refused: they cannot load the .mpy format of today), its chip and its files
    2  what changed is compiled; only files whose sha256 differs will be copied
    3  main.py is set aside and the board reset, so that no watchdog bites during the copying
    4  each file is copied under a temporary name, checked by its sha256 on the board, renamed;
       main.py comes last. A run that is cut off leaves a board that waits at its REPL: run the
       same command again
    5  the board is reset, and its log is shown until it says its address and its first peer

Forms, and where things go:

    --mpy      (default) compiled: /lib/foca/*.mpy, and beside main.py the firmware's modules and
               the board's constants (boards/NAME/board.py)
    --source   the same as .py files; a board compiles each one at every start
    --frozen   library and firmware are in the flashed image (make firmware): boot.py and main.py
               only; files of the other forms are removed, for they would be used instead

/lib/foca belongs to this program: what is not part of the library is removed from it. Elsewhere on
the board only files of these names are touched; a main.py that is not foca's is kept as
main_before_foca.py.

settings.py on the board is made from --settings FILE, else from what is on the board, else from
firmware/settings_example.py; --ssid changes the network in it, all else stays.

Exit status; with --all, that of the first board that failed:

    0   done; the board is in the mesh (or --no-follow, or --dry-run)
    1   the board refused something; the line says what
    2   wrong usage
    3   no board found
    4   several boards, and neither --port nor --all said which
    5   the port is in use by another program, or you may not open it
    6   MicroPython on the board is too old
    7   the flash is full
    8   the connection was lost half-way
    9   the settings are wrong, or the password is missing
    10  no MicroPython answers on the port
    11  the board is another one than --board says, or has no WiFi
    12  --frozen, and the image on the board has no foca in it
    13  a file could not be compiled
    14  installed, but the board did not say its address in time
    15  installed and on the network, but no peer in time (the first board of a mesh: --first)
    130 Ctrl-C

Built on mpremote's own transport: the same connection, REPL and file commands as `mpremote`.
"""

import argparse
import re
import sys
import time
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import board_files
from board_files import MAIN, SOURCE_ONLY, Plan, make_plan, room_needed
from board_link import (
    BOARDS,
    FLASH_FULL,
    NO_ADDRESS,
    NO_BOARD,
    NO_PEER,
    NOT_FROZEN,
    TOO_OLD,
    WHICH_BOARD,
    WRONG_BOARD,
    Board,
    BoardError,
    Facts,
    Found,
    Wanted,
)
from board_settings import EXAMPLE, ask_password, make_settings
from serial.tools.list_ports import comports  # type: ignore[import-untyped]

OLDEST = (1, 23)
TESTED = (1, 25)
MPY_VERSION = 6

# USB vendors behind which a board of that platform can be: Raspberry Pi; Espressif, Silicon Labs,
# WCH and FTDI (the UART bridges of ESP32 boards).
VENDORS = {"rp2": {0x2E8A}, "esp32": {0x303A, 0x10C4, 0x1A86, 0x0403}}

FORMS = {
    "mpy": "compiled files (the default)",
    "source": "source files",
    "frozen": "library and firmware are in the image",
}
HELD = "/main.py.held"
KEPT = "/main_before_foca.py"

# What the log says, by itself or when asked; the test reads firmware/ for these words.
ADDRESS_LINE = re.compile(r"\baddress ((?!0\.0\.0\.0)\d+\.\d+\.\d+\.\d+:\d+)")
PEER_LINE = re.compile(r"\bMemberUp (\d+\.\d+\.\d+\.\d+:\d+)|(\S+)#\d+ Alive")
TROUBLE_LINE = re.compile(r"foca: (safe mode|crashed): |^(Type \"help\(\)\")")
TROUBLES = {
    "safe mode": "the board is in safe mode",
    "crashed": "the program on the board crashed",
    'Type "help()"': "the program on the board ended",
}
ASK_AFTER_S = 4.0
ASK = b"stats\rmembers\r"  # commands of firmware/console.py


def say(line: str) -> None:
    print(line, flush=True)


# ---- choosing


def candidate_ports(board: str) -> list[str]:
    """USB ports behind which a board (of this name) can be."""
    vendors = VENDORS[BOARDS[board][0]] if board else set().union(*VENDORS.values())
    return sorted(str(port.device) for port in comports() if port.vid in vendors)


def choose_ports(port: str, board: str, every: bool) -> list[str]:
    """The ports to work on, or why that cannot be said."""
    if port != "auto":
        return [port]
    found = candidate_ports(board)
    if not found:
        name = board or "board"
        raise BoardError(
            NO_BOARD,
            f"no {name} found: plug it in with a data cable (charging cables have no data wires),"
            " or name the port with --port",
        )
    if len(found) > 1 and not every:
        raise BoardError(
            WHICH_BOARD,
            f"{len(found)} boards found ({', '.join(found)}): choose with --port, or say --all",
        )
    return found


def check_facts(facts: Facts, board: str, form: str) -> None:
    """Refuse a board that this cannot work on."""
    if facts.version[:2] < OLDEST:
        raise BoardError(
            TOO_OLD,
            f"MicroPython {facts.version_text} on the board is too old: it cannot load today's"
            " .mpy files. Flash 1.25 or newer (1.23 at least); docs/BOARDS.md says how",
        )
    if form != "source" and facts.mpy != MPY_VERSION:
        raise BoardError(
            TOO_OLD,
            f"this image loads .mpy version {facts.mpy}, not {MPY_VERSION}: use --source",
        )
    if board and facts.board != board:
        really = facts.board or facts.machine or facts.platform
        raise BoardError(WRONG_BOARD, f"this is no {board} but {really}: say --board or --port")
    if not facts.board:
        raise BoardError(
            WRONG_BOARD,
            f"{facts.machine or facts.platform} is none of {', '.join(BOARDS)}",
        )
    if not facts.has_wifi:
        raise BoardError(
            WRONG_BOARD,
            f"the image on this board has no WiFi: flash the one for {facts.board}",
        )


def show_plan(plan: Plan) -> None:
    for path in plan.remove:
        say(f"  would remove  {path}")
    for file in plan.copy:
        say(f"  would copy    {file.path}  {len(file.data):,} B")


class Progress:
    """One line per file; on a terminal a bar that grows."""

    def __init__(self, plan: Plan) -> None:
        self.files = len(plan.copy)
        self.total = sum(len(file.data) for file in plan.copy)
        self.done = 0
        self.number = 0
        self.is_terminal = sys.stdout.isatty()

    def start(self, file: Wanted) -> None:
        self.number += 1
        self.file = file
        self.step(0)

    def step(self, written: int) -> None:
        if self.is_terminal:
            share = (self.done + written) / max(1, self.total)
            bar = ("#" * round(20 * share)).ljust(20, "-")
            name = f"{self.number}/{self.files} {self.file.path}"
            print(f"\r  [{bar}] {share:4.0%}  {name:<44.44}", end="", flush=True)

    def end(self) -> None:
        self.done += len(self.file.data)
        if not self.is_terminal:
            say(f"  {self.number}/{self.files}  {self.file.path}  {len(self.file.data):,} B")

    def finish(self) -> None:
        if self.is_terminal and self.files:
            print("\r" + " " * 79 + "\r", end="", flush=True)


# ---- one board


class Job(NamedTuple):
    """What to do, the same for every board."""

    board: str
    form: str
    files: list[Wanted]
    settings_file: Path | None
    ssid: str | None
    password: str | None
    dry_run: bool


def install(board: Board, job: Job) -> None:
    """Bring one board up to date; it waits at its REPL to be reset."""
    board.open()
    board.enter(soft_reset=True)
    facts = board.identify()
    check_facts(facts, job.board, job.form)
    say(f"{board.port}: {facts.board}, MicroPython {facts.version_text}")
    if facts.version[:2] < TESTED:
        say(f"  tested from {'.'.join(map(str, TESTED))}; this one is expected to work")
    if job.form == "frozen":
        check_frozen(board)
    board.load_tools()
    folders = {str(PurePosixPath(file.path).parent) for file in job.files} | {"/", "/lib/foca"}
    found = board.look(sorted(folders))
    files = [*job.files, *board_files.board_file(facts.board, job.form)]
    files.append(settings_file(board, job, found))
    files.sort(key=lambda file: file.path[1:] in SOURCE_ONLY)
    plan = make_plan(files, found, board_files.frozen_twins(job.form))
    check_room(board, plan, found)
    if job.dry_run:
        show_plan(plan)
        say(f"  {plan.unchanged} files are up to date; nothing was changed")
    elif plan.is_empty:
        say(f"  all {plan.unchanged} files are up to date")
    else:
        carry_out(board, plan, found)


def check_frozen(board: Board) -> None:
    version = board.frozen_version()
    if not version:
        raise BoardError(
            NOT_FROZEN,
            f"{board.port}: the image on the board has no foca: flash the one that make firmware"
            " built, or leave --frozen out",
        )
    ours = re.search(
        r'^__version__ = "(.+)"', (board_files.LIBRARY / "__init__.py").read_text(), re.MULTILINE
    )
    if ours and version != ours[1]:
        say(f"  foca {version} is in the image, {ours[1]} is in this clone")


def settings_file(board: Board, job: Job, found: dict[str, Found]) -> Wanted:
    example = (board_files.FIRMWARE / EXAMPLE).read_text()
    text = None
    if "/settings.py" in found and not job.settings_file:
        text = board.read("/settings.py").decode(errors="replace")
    settings = make_settings(example, text, job.settings_file, job.ssid, job.password)
    return Wanted("/settings.py", settings.encode())


def check_room(board: Board, plan: Plan, found: dict[str, Found]) -> None:
    """Refuse before anything was changed rather than stop in the middle."""
    free, block_bytes = board.space()
    needed = room_needed(plan, found, block_bytes)
    if needed > free:
        raise BoardError(
            FLASH_FULL,
            f"{board.port}: the flash is full: {needed // 1024} kB are needed,"
            f" {free // 1024} kB are free, nothing was changed: remove files of yours"
            f" (mpremote connect {board.port} rm :NAME) or use --frozen",
        )


def carry_out(board: Board, plan: Plan, found: dict[str, Found]) -> None:
    """Hold the board, remove, copy, let main.py come back last."""
    hold(board, found)
    for path in plan.remove:
        say(f"  remove {path}")
        board.call("foca_remove", path)
    board.make_folders([file.path for file in plan.copy])
    progress = Progress(plan)
    for file in plan.copy:
        if file.path == MAIN:
            board.call("foca_remove", HELD)
        progress.start(file)
        board.write(file, progress.step)
        progress.end()
    progress.finish()
    if not any(file.path == MAIN for file in plan.copy):
        board.call("foca_rename", HELD, MAIN)
    say(f"  {len(plan.copy)} copied, {len(plan.remove)} removed, {plan.unchanged} up to date")


def hold(board: Board, found: dict[str, Found]) -> None:
    """Take main.py out of the way and reset: no watchdog, no WiFi, and the REPL stays open."""
    if MAIN not in found:
        return
    if not board.call("foca_is_ours", MAIN):
        say(f"  main.py on the board is not foca's: kept as {KEPT}")
        board.call("foca_rename", MAIN, KEPT)
    else:
        board.call("foca_rename", MAIN, HELD)
    board.restart_held()
    board.load_tools()


# ---- after the reset


class Follower:
    """What one board's log has said so far."""

    def __init__(self, board: Board, wants_peer: bool) -> None:
        self.board = board
        self.wants_peer = wants_peer
        self.address = ""
        self.peer = ""
        self.trouble = ""
        self.lines = board.lines(quiet_s=0.2)
        self.heard_s = time.monotonic()

    @property
    def is_done(self) -> bool:
        return bool(self.address and (self.peer or not self.wants_peer))

    def step(self) -> None:
        """Take one line, or a short silence; a board that is silent is asked.

        What it said while its port was away, which a native USB port is during a reset, is lost.
        """
        line = next(self.lines)
        now_s = time.monotonic()
        if line is None and not self.trouble and now_s - self.heard_s > ASK_AFTER_S:
            self.heard_s = now_s
            self.board.type(ASK)
        if not line:
            return
        self.heard_s = now_s
        say(f"{self.board.port}: | {line}")
        address = ADDRESS_LINE.search(line)
        peer = PEER_LINE.search(line)
        if address and not self.address:
            self.address = address[1]
        elif peer and self.address and not self.peer:
            self.peer = peer[1] or peer[2]
        trouble = TROUBLE_LINE.search(line)
        if trouble and not self.trouble:
            self.trouble = TROUBLES[trouble[1] or trouble[2]]

    def verdict(self) -> BoardError | None:
        """None when all is well."""
        port = self.board.port
        if self.is_done:
            return None
        if self.trouble:
            return BoardError(
                NO_ADDRESS,
                f"{port}: {self.trouble}, the lines above say why: mend that (a mistake in"
                " settings.py: --settings FILE or --ssid NAME), then run this again",
            )
        if not self.address:
            return BoardError(
                NO_ADDRESS,
                f"{port}: installed, but no address yet: is the password right (run this again"
                " with --ssid), and the network 2.4 GHz and in reach?"
                f" Watch on: mpremote connect {port} resume repl",
            )
        return BoardError(
            NO_PEER,
            f"{port}: installed, at {self.address}, but no peer yet: fine for the first board"
            " (--first). Else: same network on both? Guest networks and access points with client"
            f" isolation keep boards apart. Watch on: mpremote connect {port} resume repl",
        )


def follow(boards: list[Board], wait_s: float, wants_peer: bool) -> BoardError | None:
    """Show the logs until every board has said what it should; the first failure."""
    followers = [Follower(board, wants_peer) for board in boards]
    failures: list[BoardError] = []
    deadline = time.monotonic() + wait_s
    while followers and time.monotonic() < deadline:
        for follower in followers[:]:
            try:
                follower.step()
            except BoardError as error:
                failures.append(error)
                complain(error)
                followers.remove(follower)
                continue
            if follower.is_done:
                peer = f", first peer {follower.peer}" if follower.peer else ""
                say(f"{follower.board.port}: in the mesh at {follower.address}{peer}")
                followers.remove(follower)
    for follower in followers:
        verdict = follower.verdict()
        if verdict:
            failures.append(verdict)
            complain(verdict)
    return failures[0] if failures else None


# ---- command


def complain(error: BoardError) -> None:
    print(f"deploy: {error}", file=sys.stderr, flush=True)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--board", choices=sorted(BOARDS), default="", help="refuse any other")
    parser.add_argument("--port", default="auto", help="serial port; default: the only board")
    parser.add_argument("--all", action="store_true", help="every board found")
    parser.add_argument("--ssid", help="the WiFi network's name")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="a settings.py to install")
    form = parser.add_mutually_exclusive_group()
    for name, help_text in FORMS.items():
        form.add_argument(
            f"--{name}", dest="form", action="store_const", const=name, help=help_text
        )
    parser.set_defaults(form="mpy")
    parser.add_argument("--dry-run", action="store_true", help="show what would change")
    parser.add_argument("--first", action="store_true", help="do not wait for a peer")
    parser.add_argument("--no-follow", action="store_true", help="do not watch the log")
    parser.add_argument(
        "--wait", type=float, default=60.0, metavar="S", help="watch for so long (60 s)"
    )
    options = parser.parse_args(argv)
    if options.all and options.port != "auto":
        parser.error("--all and --port exclude each other")
    return options


def deploy(options: argparse.Namespace) -> int:
    ports = choose_ports(options.port, options.board, options.all)
    password = ask_password(options.ssid) if options.ssid is not None else None
    files = board_files.library_files(options.form) + board_files.firmware_files(options.form)
    job = Job(
        options.board,
        options.form,
        files,
        options.settings,
        options.ssid,
        password,
        options.dry_run,
    )
    boards = [Board(port) for port in ports]
    first_failure: BoardError | None = None
    installed: list[Board] = []
    try:
        for board in boards:
            try:
                install(board, job)
                installed.append(board)
            except BoardError as error:
                board.let_go()
                complain(error)
                first_failure = first_failure or error
        for board in installed:
            board.reset()
        if not options.dry_run and not options.no_follow:
            failure = follow(installed, options.wait, not options.first)
            first_failure = first_failure or failure
    finally:
        for board in boards:
            board.close()
    return first_failure.code if first_failure else 0


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    options = parse(argv)
    try:
        return deploy(options)
    except BoardError as error:
        complain(error)
        return error.code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("deploy: stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
