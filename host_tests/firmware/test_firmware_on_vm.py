"""The firmware's tests once more on the 32-bit MicroPython, where main.py runs as on a board."""

import os
import subprocess
from pathlib import Path

import find_micropython
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = ("joining", "main", "memory", "options", "weather", "wifi", "witness")


@pytest.mark.parametrize("name", FILES)
def test_on_vm(name):
    vms = {vm.name: vm for vm in find_micropython.find()}
    if "mp32" not in vms:
        pytest.skip(find_micropython.missing_line("mp32"))
    path = f"host_tests/firmware/test_{name}.py"
    done = subprocess.run(
        [*vms["mp32"].argv, "-X", "heapsize=8M", "host_tests/on_vm/run.py", path],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": "lib:host_tests:.frozen"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
