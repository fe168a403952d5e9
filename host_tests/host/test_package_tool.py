"""tools/package.py, and that the real `mpremote mip` installs what it made and the sources.

The board is a real MicroPython with a littlefs behind a pseudo terminal, as in test_deploy.py.
"""

import hashlib
import json
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import board_files
import find_micropython
import foca
import package
import pytest
from support.fake_board_repl import BoardOnCable, OwnRepl

ROOT = Path(__file__).resolve().parent.parent.parent
TWO_NODES = str(ROOT / "host_tests" / "support" / "two_nodes.py")
NAME = f"foca-{foca.__version__}-mpy"
MODULES = sorted(path.stem for path in (ROOT / "lib" / "foca").glob("*.py"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    assert package.main(["--output", str(folder)]) == 0
    return folder


def files_below(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_second_build_has_the_same_bytes(dist, tmp_path, monkeypatch):
    """Also with nothing in the cache, from another folder, and over an older build."""
    monkeypatch.setattr(board_files, "CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "again"
    (output / NAME / "foca").mkdir(parents=True)
    (output / NAME / "foca" / "gone.mpy").write_bytes(b"of an older build")
    assert package.main(["--output", str(output)]) == 0
    assert files_below(output) == files_below(dist)


def test_the_bundle_is_the_library_and_nothing_else(dist):
    names = sorted(f"foca/{m}.py" if m == "fast" else f"foca/{m}.mpy" for m in MODULES)
    manifest = json.loads((dist / NAME / "package.json").read_text())
    assert manifest == {
        "urls": [[name, name] for name in names],
        "deps": [],
        "version": foca.__version__,
    }
    inside = sorted([*names, "package.json", "LICENSE"])
    with zipfile.ZipFile(dist / f"{NAME}.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [f"{NAME}/{name}" for name in inside]
        for name in inside:
            assert archive.read(f"{NAME}/{name}") == (dist / NAME / name).read_bytes()


def test_tracebacks_name_the_file_and_no_folder_of_the_builder(dist):
    for path in (dist / NAME / "foca").iterdir():
        data = path.read_bytes()
        assert f"foca/{path.stem}.py".encode() in data or path.suffix == ".py"
        assert str(ROOT).encode() not in data


def test_the_checksums_are_those_of_the_files(dist):
    sums = dict(
        reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines()
    )
    files = files_below(dist)
    del files["SHA256SUMS"]
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_a_file_that_does_not_compile_is_named(tmp_path, monkeypatch, capsys):
    library = tmp_path / "foca"
    library.mkdir()
    (library / "__init__.py").write_text('__version__ = "0.0.1"\n')
    (library / "bad.py").write_text("def f(a, /): pass\n")
    monkeypatch.setattr(board_files, "LIBRARY", library)
    monkeypatch.setattr(board_files, "CACHE", tmp_path / "cache")
    assert package.main(["--output", str(tmp_path / "dist")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("package: ") and "bad.py" in err


# ---- mip


def mpremote(board, *words):
    """The command line, as a person types it; its output."""
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", board.port, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def install(board, manifest, *before):
    """mip install, then two nodes in the memory of the board; what they said last."""
    out = mpremote(board, *before, "mip", "install", "--target", "/lib", str(manifest))
    assert out.splitlines()[-1] == "Done"
    return mpremote(board, *before, "run", TWO_NODES).splitlines()[-1]


@pytest.fixture(scope="module")
def micropython():
    for vm in find_micropython.find():
        if vm.name in ("mp32", "mp64"):
            return vm
    pytest.skip(find_micropython.missing_line("mp32"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def published():
    """The repository as others get it: over HTTP, file by file; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=ROOT)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_mip_installs_clone_repository_and_bundle_and_all_form_a_mesh(
    dist, tmp_path, micropython, published
):
    manifests = (ROOT / "package.json", f"{published}/package.json", dist / NAME / "package.json")
    with (
        BoardOnCable(tmp_path / "sources", micropython.argv) as sources,
        BoardOnCable(tmp_path / "published", micropython.argv) as from_afar,
        BoardOnCable(tmp_path / "bundle", micropython.argv) as bundle,
        ThreadPoolExecutor(3) as pool,
    ):
        said = pool.map(install, (sources, from_afar, bundle), manifests)
        assert list(said) == ["mesh", "mesh", "mesh"]
        assert sorted(sources.files()) == [f"/lib/foca/{module}.py" for module in MODULES]
        assert from_afar.files() == sources.files()
        assert bundle.files() == {
            "/lib/foca/" + path.name: path.read_bytes()
            for path in (dist / NAME / "foca").iterdir()
        }


def test_mip_also_works_with_a_raw_repl_that_is_micropythons_own(dist, tmp_path):
    """The unix port has one since 1.27; it has no soft reset, hence `resume`."""
    vms = [vm for vm in find_micropython.find() if vm.name != "wasm"]
    vms = [vm for vm in vms if find_micropython.version_numbers(vm.version) >= (1, 27)]
    if not vms:
        pytest.skip(find_micropython.missing_line("new64"))
    with OwnRepl(tmp_path, vms[0].argv) as board:
        manifest = dist / NAME / "package.json"
        words = ("resume", "mip", "install", "--target", "lib", str(manifest))
        assert mpremote(board, *words).splitlines()[-1] == "Done"
        mpremote(board, "resume", "exec", "import sys; sys.path.append('lib')")
        assert mpremote(board, "resume", "run", TWO_NODES).splitlines()[-1] == "mesh"
