"""firmware/ and the boards' constants: typed as the stubs of the boards want it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_firmware_fits_the_boards_own_modules():
    if not (ROOT / "typings" / "machine.pyi").exists():
        pytest.skip("no stubs of the boards' modules: make typings")
    sources = [path for path in (ROOT / "firmware").glob("*.py") if "example" not in path.name]
    sources += (ROOT / "boards").glob("common.py")
    words = [sys.executable, "-m", "mypy", "--config-file", "host_tests/firmware/mypy.ini"]
    done = subprocess.run(
        [*words, *map(str, sorted(sources))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Found" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr
    ours = [line for line in done.stdout.splitlines() if line.startswith(("firmware/", "boards/"))]
    assert not ours, "\n".join(ours)
