"""A board on a serial port, for programs: mpremote's transport, with each failure as one line.

    board = Board("/dev/ttyACM0")
    board.open()
    board.enter(soft_reset=True)          stop what runs, wait at the raw REPL
    print(board.identify())
    board.close()

Used by deploy.py; not a command. Every byte on the wire is mpremote's: this module calls its
SerialTransport and, for work that would take a round trip per file, sends small functions first
(_TOOLS). What mpremote or pyserial raise comes out as a BoardError: one line that names the port
and the next step, and a number for the caller's exit status.
"""

import ast
import collections.abc
import contextlib
import errno
import hashlib
import io
import os
import time
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import own_python

own_python.require("mpremote")

from mpremote.transport import (  # type: ignore[import-untyped]  # noqa: E402
    TransportError,
    TransportExecError,
)
from mpremote.transport_serial import (  # type: ignore[import-untyped]  # noqa: E402
    SerialTransport,
)

REFUSED = 1
NO_BOARD, WHICH_BOARD, PORT_BUSY, TOO_OLD, FLASH_FULL, CABLE, SETTINGS = range(3, 10)
NO_REPL, WRONG_BOARD, NOT_FROZEN, NOT_COMPILED, NO_ADDRESS, NO_PEER = range(10, 16)

# Folder in boards/ -> (sys.platform, the chip: how sys.implementation._machine ends).
BOARDS = {
    "ESP32_GENERIC": ("esp32", "ESP32"),
    "ESP32_GENERIC_C3": ("esp32", "ESP32C3"),
    "ESP32_GENERIC_S3": ("esp32", "ESP32S3"),
    "RPI_PICO_W": ("rp2", "RP2040"),
    "RPI_PICO2_W": ("rp2", "RP2350"),
}

TEMPORARY = ".new"
CHUNK_BYTES = 1024
ANSWER_S = 10.0
BUSY_S = 3.0  # a modem manager looks at a port that is new
RETURN_S = 15.0  # for a port to come back after a reset
QUIET_S = 3.0  # after a reset, a port that goes away or a board that talks does so sooner


class BoardError(Exception):
    """What went wrong and what to do next, in one line; `code` is the exit status."""

    def __init__(self, code: int, line: str) -> None:
        self.code = code
        super().__init__(line)


class Wanted(NamedTuple):
    """One file that the board must have."""

    path: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Facts(NamedTuple):
    """What a board says about itself."""

    platform: str
    version: tuple[int, ...]
    machine: str
    mpy: int
    has_wifi: bool

    @property
    def version_text(self) -> str:
        return ".".join(str(number) for number in self.version)

    @property
    def board(self) -> str:
        """The name in BOARDS, or ""."""
        chip = self.machine.rpartition(" ")[2]
        for name, (platform, its_chip) in BOARDS.items():
            if (platform, its_chip) == (self.platform, chip):
                return name
        return ""


class Found(NamedTuple):
    """A file on the board."""

    size: int
    sha256: str


_IDENTIFY = """
import sys
def foca_wifi():
    try:
        import network
    except ImportError:
        return False
    return True
"""
_IDENTITY = (
    "(sys.platform, tuple(sys.implementation.version)[:3],"
    " getattr(sys.implementation, '_machine', ''),"
    " getattr(sys.implementation, '_mpy', 0) & 0xFF, foca_wifi())"
)

_TOOLS = """
import os, hashlib, binascii
def foca_hash(path):
    hash = hashlib.sha256()
    buf = bytearray(512)
    view = memoryview(buf)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buf)
            if not count:
                return binascii.hexlify(hash.digest()).decode()
            hash.update(view[:count])
def foca_list(folder):
    try:
        for entry in os.ilistdir(folder):
            path = folder.rstrip("/") + "/" + entry[0]
            if entry[1] == 0x8000:
                print(repr((path, os.stat(path)[6], foca_hash(path))))
    except OSError:
        pass
def foca_remove(path):
    try:
        os.remove(path)
    except OSError:
        pass
def foca_rename(old, new):
    try:
        os.rename(old, new)
    except OSError:
        os.remove(new)
        os.rename(old, new)
def foca_commit(path, sha256):
    if foca_hash(path + "%s") != sha256:
        return False
    foca_rename(path + "%s", path)
    return True
def foca_is_ours(path):
    try:
        with open(path, "rb") as file:
            return b"foca" in file.read()
    except OSError:
        return True
""" % (TEMPORARY, TEMPORARY)

_FROZEN = """
import sys
foca_path = sys.path[:]
sys.path[:] = [".frozen"]
try:
    import foca, wifi
    foca_frozen = foca.__version__
except ImportError:
    foca_frozen = ""
sys.path[:] = foca_path
"""


class Board:
    """One board on one port, through mpremote's transport."""

    def __init__(self, port: str) -> None:
        self.port = port
        self._transport: Any = None

    @property
    def transport(self) -> Any:
        if self._transport is None:
            raise BoardError(CABLE, f"{self.port}: the connection was lost; run this again")
        return self._transport

    @contextlib.contextmanager
    def doing(self, what: str) -> collections.abc.Iterator[None]:
        """Whatever mpremote and pyserial raise inside becomes one line with the next step."""
        try:
            yield
        except TransportExecError as error:
            lines = [line for line in error.error_output.splitlines() if line.strip()]
            last = lines[-1] if lines else "no reason given"
            if "ENOSPC" in last or last.endswith("OSError: 28"):
                raise self.full(what) from None
            raise BoardError(REFUSED, f"{self.port}: the board could not {what}: {last}") from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise self.full(what) from None
            raise self.lost(what) from None
        except TransportError:
            raise self.lost(what) from None

    def full(self, what: str) -> BoardError:
        return BoardError(
            FLASH_FULL,
            f"{self.port}: the flash is full, could not {what}: remove files of yours"
            f" (mpremote connect {self.port} rm :NAME) or use --frozen; then run this again",
        )

    def lost(self, what: str) -> BoardError:
        return BoardError(
            CABLE,
            f"{self.port}: the connection was lost while trying to {what}: check the cable, then"
            " run the same command again, it goes on where it stopped",
        )

    # ---- connection

    def open(self) -> None:
        """Open the port, or say why that is not possible."""
        is_path = self.port.startswith("/")
        if is_path and not os.path.exists(self.port):
            raise BoardError(NO_BOARD, f"{self.port}: no such port: plug the board in")
        if is_path and not os.access(self.port, os.R_OK | os.W_OK):
            raise BoardError(
                PORT_BUSY,
                f"{self.port}: no permission: join the group that owns it"
                " (sudo usermod -a -G dialout $USER), then log in again",
            )
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                self._transport = SerialTransport(self.port, timeout=ANSWER_S)
                return
            except (TransportError, OSError):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
        raise BoardError(
            PORT_BUSY,
            f"{self.port}: in use by another program: close the other terminal, mpremote or"
            " editor that is connected to the board",
        )

    def close(self) -> None:
        if self._transport is not None:
            with contextlib.suppress(OSError):
                if self._transport.in_raw_repl:
                    self._transport.exit_raw_repl()
            with contextlib.suppress(OSError):
                self._transport.close()
            # mpremote leaves a port open that is gone, and then its name is not free for the next.
            self._transport.serial.close()
            self._transport = None

    def enter(self, soft_reset: bool) -> None:
        """Stop what runs, wait at the raw REPL.

        Twice: a board that was just plugged in does not notice a Ctrl-C while it boots.
        """
        for limit_s in (ANSWER_S / 4, ANSWER_S):
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it read
                    self.transport.enter_raw_repl(soft_reset, timeout_overall=limit_s)
                return
            except OSError:
                raise self.lost("reach the REPL") from None
            except TransportError:
                pass
        raise BoardError(
            NO_REPL,
            f"{self.port}: no MicroPython answers: press the reset button and run this again;"
            " if it stays so, flash MicroPython first (docs/BOARDS.md)",
        )

    def reset(self) -> None:
        """A reset as by power: the connection stays open where the port survives it."""
        with contextlib.suppress(OSError, TransportError):
            self.transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self.transport.in_raw_repl = False

    def let_go(self) -> None:
        """After a refusal: what ran before we came runs again, if there still is a connection."""
        if self._transport is not None and self._transport.in_raw_repl:
            self.reset()
        self.close()

    def lines(self, quiet_s: float) -> collections.abc.Iterator[str | None]:
        """What the board says, line by line; None when `quiet_s` passed without a whole line.

        Opens the port again when it goes away and comes back, as a native USB port does.
        """
        rest = b""
        while True:
            try:
                data = bytes(self.transport.read_until(1, b"\n", timeout=quiet_s))
            except OSError:
                self.reopen()
                yield None
                continue
            rest += data
            if rest.endswith(b"\n"):
                yield rest.decode(errors="replace").strip()
                rest = b""
            elif not data:
                yield None

    def type(self, text: bytes) -> None:
        """Send this to the program that runs on the board."""
        with contextlib.suppress(OSError):  # if the port is away, `lines` waits for it
            self.transport.serial.write(text)

    def reopen(self) -> None:
        """Wait until the port is there again and open it."""
        self.close()
        deadline = time.monotonic() + RETURN_S
        while True:
            try:
                self.open()
                return
            except BoardError:
                if time.monotonic() > deadline:
                    raise self.lost("wait for its reset") from None
                time.sleep(0.05)

    def restart_held(self) -> None:
        """Reset a board that has no main.py and wait at its raw REPL."""
        self.reset()
        try:
            self.transport.read_until(1, b">>> ", timeout=QUIET_S, timeout_overall=RETURN_S)
        except OSError:
            self.reopen()
        self.enter(soft_reset=False)

    # ---- questions

    def identify(self) -> Facts:
        with self.doing("say what it is"):
            self.transport.exec(_IDENTIFY)
            platform, version, machine, mpy_version, has_wifi = self.transport.eval(_IDENTITY)
        return Facts(platform, version, machine, mpy_version, has_wifi)

    def load_tools(self) -> None:
        """The functions that the rest of this class calls on the board."""
        with self.doing("load the helpers"):
            self.transport.exec(_TOOLS)

    def look(self, folders: list[str]) -> dict[str, Found]:
        """All files in these folders, not below them."""
        with self.doing("list its files"):
            text = self.transport.exec(f"for folder in {folders!r}: foca_list(folder)").decode()
        found = {}
        for line in text.splitlines():
            path, size, sha256 = ast.literal_eval(line)
            found[path] = Found(size, sha256)
        return found

    def space(self) -> tuple[int, int]:
        """(free bytes, bytes of a block)"""
        with self.doing("tell its free space"):
            status = self.transport.eval("os.statvfs('/')")
        return status[1] * status[3], status[0]

    def read(self, path: str) -> bytes:
        with self.doing(f"read {path}"):
            return bytes(self.transport.fs_readfile(path, chunk_size=CHUNK_BYTES))

    def frozen_version(self) -> str:
        with self.doing("look into its image"):
            self.transport.exec(_FROZEN)
            return str(self.transport.eval("foca_frozen"))

    # ---- changes

    def write(self, file: Wanted, progress: collections.abc.Callable[[int], None]) -> None:
        """Copy under a temporary name, compare the sha256, rename."""
        temporary = file.path + TEMPORARY
        try:
            with self.doing(f"write {file.path}"):
                self.transport.fs_writefile(
                    temporary, file.data, CHUNK_BYTES, lambda written, _: progress(written)
                )
                is_good = self.transport.eval(f"foca_commit({file.path!r}, {file.sha256!r})")
        except BoardError as error:
            if error.code == FLASH_FULL:
                self.discard(temporary)
            raise
        if not is_good:
            raise BoardError(
                REFUSED,
                f"{self.port}: {file.path} came back different: run this again; if it stays so,"
                " the flash is worn out",
            )

    def discard(self, path: str) -> None:
        """Give back the room of a half-written file."""
        with contextlib.suppress(OSError, TransportError):
            self.transport.exec(f"try:\n f.close()\nexcept OSError:\n pass\nfoca_remove({path!r})")

    def call(self, name: str, *arguments: str) -> Any:
        """One of the functions of _TOOLS."""
        with self.doing(f"{name.removeprefix('foca_')} {arguments[0]}"):
            return self.transport.eval(f"{name}({', '.join(map(repr, arguments))})")

    def make_folders(self, paths: list[str]) -> None:
        """Every folder above these files."""
        folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
        for folder in sorted(folders - {"/"}):
            with self.doing(f"make the folder {folder}"):
                if not self.transport.fs_exists(folder):
                    self.transport.fs_mkdir(folder)
