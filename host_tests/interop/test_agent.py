"""`tools/agent.py` beside a Rust agent with the settings of the reference's example agent.

Those are: bincode, a 64-bit bump in unix seconds, `Config::new_lan(10)`, and custom broadcasts
that say "Hello". Each learns of the other, hears its Hello, and lists it in the members file.
"""

import os
import subprocess
import sys
import threading
import time

import find_micropython
import pytest
from _paths import ROOT
from live import Member, address, notified

WAIT_S = 20


class Agent:
    """A running tools/agent.py and what it printed."""

    def __init__(self, argv, arguments):
        self.text = ""
        self.process = subprocess.Popen(
            [*argv, "tools/agent.py", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "lib", "MICROPYPATH": "lib:.frozen"},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.text += line

    def wait_for(self, wanted):
        """Wait until it has printed `wanted`."""
        eventually(lambda: wanted in self.text, lambda: "%r is not in:\n%s" % (wanted, self.text))

    def end(self):
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(2)
        self.process.stdout.close()


def eventually(true, what):
    """Wait until `true()`; AssertionError with `what()` when that takes too long."""
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def content(path):
    """The lines of a file, none when there is no such file."""
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(params=["cpython", "mp32", "mp64"])
def program(request):
    """How to start each interpreter."""
    if request.param == "cpython":
        return [sys.executable]
    found = {vm.name: vm for vm in find_micropython.find()}
    if request.param not in found:
        pytest.skip(find_micropython.missing_line(request.param))
    return found[request.param].argv


@pytest.fixture
def rust(peer):
    """A Rust agent as the reference's example agent sets it up."""
    argv = [str(peer), "agent", "--bind", "127.0.0.1:0", "--codec", "bincode"]
    member = Member("rust", [*argv, "--bump-width", "64", "--config", "lan", "--size", "10"], {})
    yield member
    member.end()


def test_it_meets_greets_and_lists_the_reference_s_agent(program, rust, tmp_path):
    members = tmp_path / "members.txt"
    # Another address of the loopback: no port to choose, none to collide with.
    ours = Agent(program, ["127.0.0.2:0", "-a", rust.address, "-f", str(members)])
    try:
        up = rust.wait_for(lambda line: line.get("notify", [""])[0] == "MemberUp", WAIT_S)
        identity = up["notify"][1]
        our_address, bump = address(identity), identity.rpartition("#")[2]
        assert our_address.startswith("127.0.0.2:")
        assert abs(int(bump) - time.time()) < 60, "the bump is not unix seconds"

        hello = "Hello from ID(%s, %s)! I have 1 peers" % (our_address, bump)
        heard = rust.wait_for(lambda line: line.get("broadcast", {}).get("msg") == hello, WAIT_S)
        assert heard["broadcast"]["addr"] == our_address
        assert abs(heard["broadcast"]["version"] - time.time()) < 60

        greeting = "Hello from ID(%s)! I have 1 peers" % rust.identity.replace("#", ", ")
        rust.command("broadcast " + greeting)
        ours.wait_for("new custom broadcast from %s: %s\n" % (rust.address, greeting))

        assert content(members) == [rust.address]
        assert not (tmp_path / "members.txt.old").exists()
        rust.command("leave")
        eventually(lambda: content(members) == [], lambda: content(members))
        ours.wait_for("cluster empty")
        assert content(tmp_path / "members.txt.old") == [rust.address]
    finally:
        ours.end()


def test_the_reference_s_agent_joins_through_it(program, rust, tmp_path):
    members = tmp_path / "members.txt"
    ours = Agent(program, ["127.0.0.3:0", "--bump", "1", "-f", str(members)])
    try:
        ours.wait_for("Started ID(127.0.0.3:")
        where = ours.text.partition("Started ID(")[2].partition(",")[0]
        rust.command("announce " + where)
        rust.wait_for(notified("MemberUp", where), WAIT_S)
        eventually(lambda: content(members) == [rust.address], lambda: content(members))
        rust.kill()
        eventually(lambda: content(members) == [], lambda: ours.text)
    finally:
        ours.end()
