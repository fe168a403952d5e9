"""A day of simulated churn on the 32-bit VM, in a heap of 64 kB: the heap in use does not change.

What happens in that day is told in long_run.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import find_micropython
import mpy
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "host_tests" / "on_vm" / "long_run.py"


def summary(output):
    """Everything but the heap's figures, which only a VM knows."""
    return output.partition(";")[0]


def test_a_day_of_churn_in_64_kb(tmp_path):
    vms = {vm.name: vm for vm in find_micropython.find()}
    if "mp32" not in vms:
        pytest.skip(find_micropython.missing_line("mp32"))
    (tmp_path / "foca").mkdir()
    for source in (ROOT / "lib" / "foca").glob("*.py"):
        (tmp_path / "foca" / (source.stem + ".mpy")).write_bytes(mpy.compile_source(source))
    (tmp_path / "long_run.mpy").write_bytes(mpy.compile_source(SCRIPT))
    start = "import gc; gc.threshold(512); import sys, long_run; sys.exit(long_run.main(24))"
    done = subprocess.run(
        [*vms["mp32"].argv, "-X", "heapsize=64K", "-c", start],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("\n") == 1, done.stdout


def test_an_hour_of_it_is_the_same_on_every_interpreter():
    """The same datagrams to the byte: the clock, the random numbers and the code are the same."""
    vms = [[sys.executable]] + [vm.argv for vm in find_micropython.find() if vm.name != "wasm"]
    outputs = []
    for argv in vms:
        done = subprocess.run(
            [*argv, str(SCRIPT), "1"],
            cwd=ROOT,
            env={**os.environ, "MICROPYPATH": "lib:.frozen", "PYTHONPATH": "lib"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        outputs.append(summary(done.stdout))
    assert outputs[0].startswith("1 h, 3 nodes, ")
    assert len(set(outputs)) == 1, outputs
