"""What the emulator suite stands on, without an emulator or an image: both are optional."""

import subprocess
import sys

import emulator
import pytest
from emulator import Emulator, without_network

CHATTERS = """
import os, pty
master, slave = pty.openpty()
print("booting", flush=True)
print("PTY REPL listening on", os.ttyname(slave), "- e.g. `mpremote connect`", flush=True)
os.write(master, BANNER)
for _ in range(20000):
    print("[Core] something that fills a pipe within a second")
open("done", "w").close()
"""


def test_an_emulator_that_chatters_is_not_stopped_by_a_full_pipe(tmp_path):
    program = CHATTERS.replace("BANNER", "b'MicroPython\\r\\n>>> '")
    with Emulator([sys.executable, "-c", program], tmp_path) as board:
        assert board.port.startswith("/dev/")
        assert board.process.wait(60) == 0
    assert (tmp_path / "done").exists()


def test_an_image_that_does_not_boot_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(emulator, "BOOT_S", 0.2)
    program = CHATTERS.replace("BANNER", "b'hard fault'") + "import time; time.sleep(60)"
    with pytest.raises(AssertionError, match="no prompt on /dev/.*hard fault"):
        Emulator([sys.executable, "-c", program], tmp_path).__enter__()


def test_an_emulator_that_ends_says_why(tmp_path):
    with pytest.raises(AssertionError, match="did not start:\nInvalid UF2 block"):
        Emulator([sys.executable, "-c", "print('Invalid UF2 block')"], tmp_path).__enter__()


def test_the_namespace_has_no_way_out():
    """Where the system allows one: only the loopback interface, and that one is down."""
    words = without_network()
    if not words:
        pytest.skip("no network namespaces here: unshare -rn is refused")
    listed = subprocess.run(
        [*words, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True
    ).stdout
    names = [line.partition(":")[0].strip() for line in listed.splitlines() if ":" in line]
    assert names == ["lo"]
