"""The process of an emulated board, and the name of the terminal that it offers.

    with Emulator([sys.executable, "-m", "rp2040py", ...], folder) as emulator:
        mpremote("connect", emulator.port, ...)

Nothing here knows which emulator it is, but for the line by which rp2040py names its terminal.
"""

import os
import queue
import re
import select
import shutil
import subprocess
import termios
import threading
import tty

START_S = 300.0  # a download included
BOOT_S = 60.0  # a tenth of it is enough for an image that starts at all


def without_network():
    """Words before a command that runs it in a network namespace of its own; none if refused."""
    words = ["unshare", "-rn"]
    if not shutil.which("unshare"):
        return []
    return words if subprocess.run([*words, "true"], check=False).returncode == 0 else []


class Emulator:
    """The process; what it says is read all the time, because a full pipe would stop it."""

    def __init__(self, words, folder):
        self.words = words
        self.folder = folder
        self.said = ""

    def __enter__(self):
        self.process = subprocess.Popen(
            self.words,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.lines = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        try:
            self.port = self._announced_port()
            self._await_prompt()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _announced_port(self):
        """Read what the emulator says until it names its terminal."""
        while True:
            try:
                line = self.lines.get(timeout=START_S)
            except queue.Empty:
                line = None
            match = line and re.search(r"PTY REPL listening on (/\S+)", line)
            if match:
                return match[1]
            if line is None:
                raise AssertionError("the emulator did not start:\n" + self.said)
            self.said += line

    def _await_prompt(self):
        """Read the terminal until the REPL asks: what is sent before that hangs the USB."""
        terminal = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        try:
            tty.setraw(terminal, termios.TCSANOW)  # else what has come already is lost
            got = b""
            while b">>> " not in got:
                if not select.select([terminal], [], [], BOOT_S)[0]:
                    raise AssertionError(f"no prompt on {self.port}: {got!r}\n{self.said}")
                got += os.read(terminal, 4096)
        finally:
            os.close(terminal)
