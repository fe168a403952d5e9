"""A board on a cable: real MicroPython behind a pseudo terminal that the real mpremote opens.

    with BoardOnCable(folder) as board:
        mpremote("connect", board.port, "exec", "print(1)")

`board.port` is a link in `folder` that stays the same when the terminal behind it changes, like
the name of a serial port. `folder/flash` holds the board's file system: a littlefs as on a board,
which fills up, and which keeps what was written when the cable is pulled.

The process behind the terminal is a MicroPython that runs raw_repl.py. A relay in a thread passes
the bytes on: it turns a Ctrl-C into SIGINT and waits until it was taken, starts the process again
after a reset, and can pull the cable after a number of bytes (kill the process by its id, close
the terminal). Nothing here waits for a time to pass; the deadlines are for the case that the
process under test hangs.
"""

import ast
import contextlib
import os
import pty
import select
import signal
import subprocess
import threading
import tty
from pathlib import Path

REPL = Path(__file__).resolve().parent / "raw_repl.py"
HEAP = "192k"  # what a Pico W has, and little less than an ESP32
CTRL_C = b"\x03"
TAKEN_S = 5.0


class BoardOnCable:
    """One board. Public to read: `port`, `flash`; `resets`, a letter each as raw_repl.py reports
    them; `log`, all bytes that the board sent; `received`, how many bytes the host sent. To set:
    `ctrl_c_to_lose`, how many Ctrl-C are not noticed, as while a board boots."""

    def __init__(
        self,
        folder,
        argv,
        platform="rp2",
        version=(1, 25, 0),
        machine="Raspberry Pi Pico W with RP2040",
        build="RPI_PICO_W",
        blocks=212,
        has_wifi=True,
        has_native_usb=False,
        wifi=("", ""),
    ):
        """argv: how to start MicroPython. wifi: see raw_repl.py. has_native_usb: the port goes
        away during a hard reset, like a Pico's, and unlike a UART bridge's."""
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.port = str(self.folder / "port")
        self.flash = self.folder / "flash"
        self.has_native_usb = has_native_usb
        self.resets = ""
        self._was_reset = threading.Condition()
        self.log = bytearray()
        self.received = 0
        self.ctrl_c_to_lose = 0
        self._argv = argv
        self._spec = self.folder / "spec"
        spec = {
            "flash": str(self.flash),
            "blocks": blocks,
            "platform": platform,
            "version": version,
            "machine": machine,
            "build": build,
            "has_wifi": has_wifi,
            "wifi": wifi,
        }
        self._spec.write_text(repr(spec))
        self._cut_after = None
        self._process = None
        self._thread = None
        self._stop_read, self._stop_write = os.pipe()

    # ---- what tests do

    def __enter__(self):
        self.plug_in()
        return self

    def __exit__(self, *_):
        self.unplug()
        os.close(self._stop_read)
        os.close(self._stop_write)

    def plug_in(self):
        """Power on: boot.py and main.py run, the port is there."""
        self._open_terminal()
        self._spawn("friendly")
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def unplug(self):
        """Pull the cable, or clean up after it was pulled."""
        if self._thread:
            os.write(self._stop_write, b"x")
            self._thread.join(30)
            assert not self._thread.is_alive(), "the relay hangs"
            self._thread = None
            os.read(self._stop_read, 1)

    def cut_after(self, count):
        """Pull the cable when the host has sent `count` more bytes."""
        self._cut_after = count

    def wait_until_gone(self):
        """After `cut_after`: until the relay has ended by itself."""
        self._thread.join(30)
        assert not self._thread.is_alive(), "the cable was not cut"
        self._thread = None

    def wait_for_reset(self, kind):
        """Until the last reset is one of this kind, which the board may still be about to make."""
        with self._was_reset:
            assert self._was_reset.wait_for(lambda: self.resets.endswith(kind), 30), self.resets

    def files(self):
        """{path on the board: bytes}: what another MicroPython reads from the flash now."""
        done = subprocess.run(
            [*self._argv, str(REPL), "1", "dump", str(self._spec)],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return ast.literal_eval("{" + done.stdout + "}")

    # ---- the terminal and the process

    def _open_terminal(self):
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._unsent = b""
        link = Path(self.port)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))

    def _close_terminal(self):
        Path(self.port).unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)

    def _spawn(self, mode):
        self._status, status_write = os.pipe()
        self._process = subprocess.Popen(
            [*self._argv, "-X", f"heapsize={HEAP}", str(REPL)]
            + [str(status_write), mode, str(self._spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[status_write],
            start_new_session=True,
            bufsize=0,
        )
        os.close(status_write)
        self._is_up = False

    def _kill(self):
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        os.close(self._status)

    # ---- the relay

    def _relay(self):
        try:
            while self._turn():
                pass
        finally:
            self._kill()
            self._close_terminal()

    def _turn(self):
        """Pass on what has come; False at the end."""
        output = self._process.stdout.fileno()
        waiting = [self._stop_read, self._status]
        if not self._unsent:  # else the board waits until the host has read
            waiting.append(output)
        if self._is_up:
            waiting.append(self._master)
        full = [self._master] if self._unsent else []
        ready, writable, _ = select.select(waiting, full, [])
        if self._stop_read in ready:
            return False
        if writable:
            self._unsent = self._unsent[os.write(self._master, self._unsent) :]
        elif output in ready:
            self._unsent = os.read(output, 4096)
            if not self._unsent:
                return self._start_again()
            self.log += self._unsent
        elif self._status in ready:
            self._is_up |= self._peek_status() == b"U"
        elif self._master in ready:
            return self._pass_on(os.read(self._master, 4096))
        return True

    def _peek_status(self):
        """One status byte; a reset is remembered until the process has ended."""
        byte = os.read(self._status, 1)
        if byte in (b"S", b"F", b"H"):
            with self._was_reset:
                self.resets += byte.decode()
                self._was_reset.notify_all()
        elif not byte:
            select.select([self._process.stdout], [], [])  # it is ending: its output ends too
        return byte

    def _start_again(self):
        """The process has ended: in what way, the last status byte says."""
        while self._peek_status():
            pass
        kind = self.resets[-1:]
        self._kill()
        if kind == "H" and self.has_native_usb:
            self._close_terminal()
            self._open_terminal()
        self._spawn("raw" if kind == "S" else "friendly")
        return True

    def _pass_on(self, data):
        """Bytes from the host."""
        if self._cut_after is not None:
            data = data[: self._cut_after]
            self._cut_after -= len(data)
        self.received += len(data)
        *parts, last = data.split(CTRL_C)
        for part in parts:
            self._send(part)
            if self.ctrl_c_to_lose:
                self.ctrl_c_to_lose -= 1
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)
            self._until_taken()
        self._send(last)
        if self._cut_after == 0:
            self._cut_after = None
            return False
        return True

    def _send(self, data):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(data)

    def _until_taken(self):
        """Wait until the Ctrl-C was noticed: nothing that comes after it may overtake it."""
        while select.select([self._status], [], [], TAKEN_S)[0]:
            if self._peek_status() in (b"C", b"S", b"F", b"H", b""):
                return


class OwnRepl:
    """A MicroPython that has a raw REPL itself, on a pseudo terminal. Its root is our own: use
    relative paths, which are below `folder`.

    The unix port drops what it has not read whenever it changes the mode of its terminal, which is
    at each line that it is given; a board does not. So a relay passes the bytes of the friendly
    REPL on one line at a time, each after the prompt that answers the one before.
    """

    def __init__(self, folder, argv):
        self.port = str(Path(folder) / "port")
        self._folder = folder
        self._argv = argv

    def __enter__(self):
        self._board, slave = pty.openpty()
        self._host, self._name = pty.openpty()
        tty.setraw(slave)
        tty.setraw(self._name)
        Path(self.port).symlink_to(os.ttyname(self._name))
        self._process = subprocess.Popen(
            self._argv, cwd=self._folder, stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.write(self._stop_write, b"x")
        self._thread.join(30)
        for end in (self._board, self._host, self._name, self._stop_read, self._stop_write):
            os.close(end)

    def _relay(self):
        pending = said = b""
        is_raw = False
        while True:
            ready, _, _ = select.select([self._board, self._host, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            if self._board in ready:
                try:
                    data = os.read(self._board, 4096)
                except OSError:  # the process has ended
                    return
                said = (said + data)[-64:]
                os.write(self._host, data)
            if self._host in ready:
                pending += os.read(self._host, 4096)
            while pending and (is_raw or said.endswith(b">>> ")):
                count = len(pending)
                if not is_raw:
                    ends = [pending.find(end) + 1 for end in (b"\r", b"\x01", b"\x03")]
                    count = min([end for end in ends if end] or [count])
                    said = b""  # until the next prompt
                part, pending = pending[:count], pending[count:]
                os.write(self._board, part)
                is_raw = part.endswith(b"\x01") if not is_raw else not part.endswith(b"\x02")
