"""Every unit and spec test, once more, on each MicroPython of this machine.

The files in host_tests/unit and host_tests/spec are written for both interpreters; here `run.py`
runs each of them in a process of its own. A file that cannot run on a VM by nature belongs in
host_tests/host or host_tests/property.
"""

import os
import subprocess
import sys
from pathlib import Path

import find_micropython
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNER = "host_tests/on_vm/run.py"
FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("unit", "spec")
    for path in (ROOT / "host_tests" / folder).glob("test_*.py")
)
VMS = {vm.name: vm for vm in find_micropython.find()}
SAMPLES = Path(__file__).resolve().parent / "samples"


def run_file(argv, *arguments):
    """Run `run.py` with `arguments` on one interpreter; exit status and all its output."""
    environment = {
        **os.environ,
        "MICROPYPATH": "lib:host_tests:.frozen",
        "PYTHONPATH": "lib:host_tests",
    }
    done = subprocess.run(
        [*argv, RUNNER, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(params=find_micropython.NAMES)
def vm(request):
    """Each interpreter; skipped with the reason and the command where there is none."""
    if request.param not in VMS:
        pytest.skip(find_micropython.missing_line(request.param))
    return VMS[request.param]


@pytest.mark.parametrize("path", FILES)
def test_on_vm(vm, path):
    status, output = run_file(vm.argv, path)
    assert status == 0, f"{path} on {vm.name} (MicroPython {vm.version}):\n{output}"


@pytest.fixture(params=["cpython", *find_micropython.NAMES])
def interpreter(request):
    """How to start each interpreter that run.py must behave the same on."""
    if request.param == "cpython":
        return [sys.executable]
    if request.param not in VMS:
        pytest.skip(find_micropython.missing_line(request.param))
    return VMS[request.param].argv


def test_a_failing_test_is_named_and_fails_the_run(interpreter):
    status, output = run_file(interpreter, str(SAMPLES / "sample_failing.py"))
    assert status == 1
    assert "sample_failing.py::test_that_fails" in output
    assert "AssertionError: seven is not eight" in output
    assert output.endswith("1 passed, 1 failed\n")


def test_a_file_that_cannot_be_imported_fails_the_run(interpreter):
    status, output = run_file(interpreter, str(SAMPLES / "sample_broken.py"))
    assert status == 1
    assert "(import)" in output
    assert output.endswith("0 passed, 1 failed\n")


def test_two_tests_of_one_name_fail_the_run(interpreter):
    status, output = run_file(interpreter, str(SAMPLES / "sample_twice.py"))
    assert status == 1
    assert "two tests are called test_same" in output


def test_a_file_that_needs_a_missing_module_is_skipped(interpreter):
    status, output = run_file(interpreter, str(SAMPLES / "sample_needs.py"))
    assert status == 0
    assert "no module not_there_at_all here" in output
    assert output.endswith("0 passed, 0 failed, 2 skipped\n")


def test_functions_run_as_they_stand_and_k_chooses(interpreter):
    path = str(SAMPLES / "sample_order.py")
    status, output = run_file(interpreter, "-v", path)
    assert status == 0
    assert output.find("test_zebra") < output.find("test_apple") < output.find("test_mango")
    status, output = run_file(interpreter, "-k", "app", path)
    assert output.endswith("0 passed, 1 failed\n"), (
        "test_apple alone must miss what test_zebra left"
    )


def test_wrong_usage_exits_2(interpreter):
    assert run_file(interpreter)[0] == 2
    assert run_file(interpreter, "nonsense")[0] == 2
