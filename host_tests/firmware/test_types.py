"""firmware/ and the boards' constants: typed as the stubs of the boards want it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_the_firmware_fits_the_boards_own_modules(port):
    stubs = ROOT / "typings" / port
    if not (stubs / "machine.pyi").exists():
        pytest.skip("no stubs of the boards' modules: make typings")
    sources = [path for path in (ROOT / "firmware").glob("*.py") if "example" not in path.name]
    sources += (ROOT / "boards").rglob("*.py")
    sources = [path for path in sources if not path.name.startswith("manifest")]
    found = check(stubs, sources)
    ours = [line for line in found if line.startswith(("firmware/", "boards/"))]
    assert not ours, "\n".join(ours)


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_call_that_a_port_does_not_have_is_found(port, tmp_path):
    stubs = ROOT / "typings" / port
    if not (stubs / "machine.pyi").exists():
        pytest.skip("no stubs of the boards' modules: make typings")
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import machine\n\nmachine.Pin(1, machine.Pin.OUT).no_such_call()\n")
    assert any("no_such_call" in line for line in check(stubs, [wrong]))


def check(stubs, sources):
    """The lines that mypy says about these files with a port's stubs."""
    words = [sys.executable, "-m", "mypy", "--config-file", "host_tests/firmware/mypy.ini"]
    words += ["--cache-dir", f".cache/mypy-firmware-{stubs.name}"]
    done = subprocess.run(
        [*words, *map(str, sorted(sources))],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(stubs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Found" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr
    return done.stdout.splitlines()
