"""Every conformance test of this folder, once more, on each MicroPython of this machine."""

import os
import subprocess
from pathlib import Path

import find_micropython
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve()
FILES = sorted(path.name for path in HERE.parent.glob("test_*.py") if path != HERE)
VMS = {vm.name: vm for vm in find_micropython.find()}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("vm_name", ["mp32", "mp64", "wasm"])
def test_on_vm(vm_name, name):
    if vm_name not in VMS:
        pytest.skip(find_micropython.missing_line(vm_name))
    done = subprocess.run(
        [*VMS[vm_name].argv, "host_tests/on_vm/run.py", "host_tests/conformance/" + name],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": "lib:host_tests:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert ", 0 failed" in done.stdout
