"""One truth for the version and for the list of files that mip and pip install."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import foca
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(path.name for path in (ROOT / "lib" / "foca").glob("*.py"))


def expected_package():
    """package.json as it must be; relative paths work from any copy of the repository."""
    return {
        "urls": [[f"foca/{name}", f"lib/foca/{name}"] for name in FILES],
        "deps": [],
        "version": foca.__version__,
    }


def write_package():
    """`python host_tests/host/test_package.py`: bring package.json up to date."""
    lines = json.dumps(expected_package(), indent=2)
    lines = re.sub(r'\[\s+"(.*?)",\s+"(.*?)"\s+\]', r'["\1", "\2"]', lines)
    (ROOT / "package.json").write_text(lines + "\n")


def test_mip_installs_every_file_of_the_library():
    package = json.loads((ROOT / "package.json").read_text())
    hint = "bring it up to date: PYTHONPATH=lib python host_tests/host/test_package.py"
    assert package == expected_package(), hint


def test_the_changelog_tells_about_this_version_first():
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == foca.__version__


def test_the_version_is_a_plain_literal_of_three_numbers():
    """pip, mip and this test read it without running the package."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", foca.__version__)
    text = (ROOT / "lib" / "foca" / "__init__.py").read_text()
    assert re.search(rf'^__version__ = "{re.escape(foca.__version__)}"$', text, re.MULTILINE)


def test_pip_builds_the_desktop_side(tmp_path):
    """What `pip install .` does, without the network: build the files of the package."""
    pytest.importorskip("setuptools")
    program = (
        "from setuptools import build_meta as b; import sys, os; os.chdir(sys.argv[1]); "
        "print(b.build_wheel(sys.argv[2]))"
    )
    source = tmp_path / "source"
    (source / "lib").mkdir(parents=True)
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            (source / name).write_bytes((ROOT / name).read_bytes())
    (source / "lib" / "foca").mkdir()
    for name in FILES:
        target = source / "lib" / "foca" / name
        target.write_bytes((ROOT / "lib" / "foca" / name).read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"foca_micropython-{foca.__version__}-py3-none-any.whl"
    packed = sorted(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py"))
    assert packed == [f"foca/{name}" for name in FILES]


if __name__ == "__main__":
    write_package()
