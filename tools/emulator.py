"""An emulated RP2040 with MicroPython's real firmware: its process, its terminal, mpremote on it.

    with Emulator(words_for(image), folder) as emulator:
        install_library(emulator.port, folder)
        mpremote(emulator.port, "run", "program.py")

The emulator is rp2040py (pip install -e '.[emulator]'). With an image of ours it runs in a network
namespace without a way out where the system allows that (unshare -rn), because its bridge would
pass what a guest sends on to this machine's network.
"""

import json
import os
import queue
import re
import select
import shutil
import subprocess
import sys
import termios
import threading
import tty
from pathlib import Path

import package

COMMAND_S = 3000.0  # minutes on an idle machine, many beside other work
START_S = 300.0  # a download included
BOOT_S = 60.0  # a tenth of it is enough for an image that starts at all


def without_network() -> list[str]:
    """Words before a command that runs it in a network namespace of its own; none if refused."""
    words = ["unshare", "-rn"]
    if not shutil.which("unshare"):
        return []
    return words if subprocess.run([*words, "true"], check=False).returncode == 0 else []


class Emulator:
    """The process; what it says is read all the time, because a full pipe would stop it."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.words = words
        self.folder = folder
        self.said = ""

    def __enter__(self) -> "Emulator":
        self.process = subprocess.Popen(
            self.words,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        try:
            self.port = self._announced_port()
            self._await_prompt()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.put(line)
        self.lines.put(None)

    def _announced_port(self) -> str:
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

    def _await_prompt(self) -> None:
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


def words_for(image: Path | None) -> list[str]:
    """The command line that starts an image; None: the emulator downloads MicroPython's own."""
    words = [sys.executable, "-m", "rp2040py", "micropython", "--board", "pico_w", "--pty"]
    return [*without_network(), *words, "--image", str(image)] if image else words


def mpremote(port: str, *words: str) -> str:
    """The command line, as a person types it; its output. AssertionError when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", port, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stdout)
    return done.stdout


_IS_FROZEN = """
import sys
sys.path[:] = [".frozen"]
try:
    import foca
    print("frozen")
except ImportError:
    print("not frozen")
"""


def install_library(port: str, folder: Path) -> None:
    """Have mip install the compiled library, built in `folder`, unless the image has it."""
    if mpremote(port, "exec", _IS_FROZEN).strip() == "frozen":
        return
    manifest = package.build(folder).with_suffix("") / "package.json"
    out = mpremote(port, "mip", "install", "--target", "/lib", str(manifest))
    if out.splitlines()[-1] != "Done":
        raise AssertionError(out)


def run_events(port: str, script: Path, words: list[str]) -> list[dict[str, object]]:
    """Run tools/events_on_vm.py there with these words; its lines."""
    arguments = f"import sys; sys.argv[:] = {['', *words]!r}"
    lines = mpremote(port, "exec", arguments, "run", str(script)).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
