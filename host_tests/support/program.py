"""Run a program beside the test: wait for what it says, interrupt it, and leave nothing behind.

    with Program([*argv, "tools/agent.py", "127.0.0.1:20001"]) as agent:
        agent.expect("Started")
        agent.interrupt()
        assert agent.end() == 130

Every wait is bounded; a failure shows all that the program has said. Only the process that was
started is ever signalled.
"""

import functools
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import find_micropython
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT_S = 20


def interpreter(name):
    """How to start "cpython" or "micropython" (32 bits if possible); skips where there is none."""
    if name == "cpython":
        return [sys.executable]
    found = _micropythons()
    for word_size in ("mp32", "mp64"):
        if word_size in found:
            return found[word_size]
    pytest.skip(find_micropython.missing_line("mp32"))


@functools.cache
def _micropythons():
    return {vm.name: vm.argv for vm in find_micropython.find()}


class Program:
    def __init__(self, argv, cwd=ROOT, **environment):
        """`environment`: variables beside the test's own; lib and host_tests can be imported."""
        paths = {
            "PYTHONPATH": f"{ROOT}/lib",
            "MICROPYPATH": f"{ROOT}/lib:.frozen",
            "PYTHONUNBUFFERED": "1",
        }
        self.lines = []
        self._queue = queue.Queue()
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **paths, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(WAIT_S)
        self.process.stdout.close()

    def expect(self, text, seconds=WAIT_S):
        """The next line that contains `text`; fails when there is none in time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                pytest.fail(f"no {text!r} within {seconds} s, but:\n{self.output}")
            self.lines.append(line)
            if text in line:
                return line

    @property
    def output(self):
        return "\n".join(self.lines)

    def interrupt(self, number=signal.SIGINT):
        """Ctrl-C."""
        self.process.send_signal(number)

    def end(self, seconds=WAIT_S):
        """Its exit status, once it has ended by itself; `lines` is then all it has said."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {seconds} s:\n{self.output}")
        self._reader.join(WAIT_S)
        while (line := self._queue.get()) is not None:
            self.lines.append(line)
        return status


def children(pid):
    """The processes that `pid` has started."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_ended(pids):
    """Whether they all end within a while."""
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


def run(argv, **keywords):
    """(exit status, all output) of a program that ends by itself."""
    with Program(argv, **keywords) as program:
        return program.end(), program.output
