"""tools/from_source.py without building: what it says when something is missing.

What it builds is looked at by hand, and by host_tests/emulator: that takes minutes and compilers.
"""

from pathlib import Path

import from_source
import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(from_source, "FOLDER", tmp_path / "made")
    return tmp_path


def tree_of(folder, manifest_reader):
    """A tree that looks like MicroPython's, with this as its tools/manifestfile.py."""
    tree = folder / "micropython"
    for name in ("py/mpconfig.h", "tools/manifestfile.py", "ports/rp2/boards/manifest.py"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    (tree / "tools/manifestfile.py").write_text(manifest_reader)
    (tree / "ports/rp2/boards/manifest.py").write_text('require("onewire")\n')
    return tree


def test_a_folder_that_is_no_clone(folder, capsys):
    assert from_source.main(["frozen", "--source", str(folder)]) == 1
    assert capsys.readouterr().err == f"from_source: {folder} is no clone of MicroPython\n"


def test_a_step_that_fails_names_its_log_and_what_to_install(folder, capsys):
    with pytest.raises(from_source.BuildError, match="see .*image.log.*gcc-arm-none-eabi"):
        from_source.run(["sh", "-c", "echo no compiler; exit 2"], folder, "image")
    assert (folder / "made" / "image.log").read_text() == "no compiler\n"


def test_what_is_required_from_a_library_that_is_missing_is_there_and_empty(folder):
    library = from_source.stand_in_library(tree_of(folder, ""))
    assert (library / "micropython" / "onewire" / "manifest.py").read_bytes() == b""
    assert (library / "README.md").exists()


def test_every_board_is_read_and_a_manifest_that_freezes_nothing_is_an_error(folder, capsys):
    lists = f"print('ManifestOutput {from_source.ROOT}/lib/foca/node.py')\n"
    tree = tree_of(folder, lists + "print('ManifestOutput /port/neopixel.py')\n")
    assert from_source.main(["manifests", "--source", str(tree)]) == 0
    lines = capsys.readouterr().out.splitlines()
    boards = sorted(path.name for path in (Path(from_source.ROOT) / "boards").glob("*_*/"))
    assert [line.split()[0] for line in lines] == boards
    assert all(line.endswith("1 files of ours, 1 of the port's") for line in lines)
    tree = tree_of(folder, "import sys; sys.exit('manifest error: gone.py')\n")
    assert from_source.main(["manifests", "--source", str(tree)]) == 1
    assert "ESP32_GENERIC: manifest error: gone.py" in capsys.readouterr().err
