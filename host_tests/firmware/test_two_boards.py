"""Two boards find each other by real broadcasts in a real network: two network namespaces and a
cable between them (veth), the real firmware on a real MicroPython in each, and not one address
configured. Nothing leaves the namespaces: there is no way out of them.
"""

import os
import queue
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import find_micropython
import pytest
from emulator import without_network

ROOT = Path(__file__).resolve().parent.parent.parent
BOARD = ROOT / "host_tests" / "support" / "lone_board.py"
SETTINGS = 'SSID = "home"\nPASSWORD = "secret99"\nCONSOLE = False\nLED = None\n'
TOGETHER_S = 30.0  # on a busy machine; they need a second

# A board at each end of the cable. ROUTE is the command that says where 255.255.255.255 goes.
NETWORK = """
set -e
start() {  # a board: NAME of its end of the cable, its ADDRESS
    ip link set lo up
    ip address add "$2/24" broadcast + dev "$1"
    ip link set "$1" up
    $ROUTE "$1"
    cd "$1"
    exec $MICROPYTHON $BOARD "$2" 255.255.255.0
}
ip link add left type veth peer name right
mkfifo moved
unshare -n sh -c 'read go < moved; '"$(declare -f start)"'; start right 10.7.0.2' &
other=$!
while ip link show right >/dev/null 2>&1; do ip link set right netns $other; done
echo go > moved
start left 10.7.0.1
"""


@pytest.fixture
def micropython():
    for vm in find_micropython.find():
        if vm.name in ("mp32", "mp64"):
            return vm.argv[0]
    pytest.skip(find_micropython.missing_line("mp32"))


class Pair:
    """Both boards; `lines` is what they say."""

    def __init__(self, folder, micropython, route):
        for name in ("left", "right"):
            (folder / name).mkdir()
            (folder / name / "settings.py").write_text(SETTINGS)
        self.lines = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [*without_network(), "bash", "-c", NETWORK],
            cwd=folder,
            env={**os.environ, "MICROPYTHON": micropython, "BOARD": str(BOARD), "ROUTE": route},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put("the boards ended")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def wait_for(self, *wanted):
        """Until all of these were said."""
        said = []
        while not all(any(text in line for line in said) for text in wanted):
            try:
                said.append(self.lines.get(timeout=TOGETHER_S))
            except queue.Empty:
                said.append("nothing more")
            assert said[-1] not in ("nothing more", "the boards ended"), said


@pytest.mark.parametrize(
    "route",
    ["ip route add default dev", "true"],
    ids=["both-broadcast-addresses", "the-subnets-own-only"],
)
def test_two_boards_with_nothing_but_a_network_find_each_other(tmp_path, micropython, route):
    """Without a route for it, Linux refuses to send to 255.255.255.255 at all."""
    if not without_network() or not shutil.which("ip"):
        pytest.skip("no network namespaces here: unshare -rn, and ip (apt-get install iproute2)")
    with Pair(tmp_path, micropython, route) as boards:
        boards.wait_for("foca: MemberUp 10.7.0.1:36220", "foca: MemberUp 10.7.0.2:36220")
