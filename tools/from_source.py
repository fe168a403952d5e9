"""MicroPython built from source with foca in it: what a frozen library costs, and a real image.

    python tools/from_source.py manifests     boards/*/manifest.py by MicroPython's own reader
    python tools/from_source.py frozen        RAM and heap of the frozen library, 32-bit unix port
    python tools/from_source.py image         an RP2040 image by `make firmware`, library frozen
    python tools/from_source.py image --plain the same image without foca, for mip and deploy

    --source DIR    a clone of MicroPython with its submodules; without it, the source packages of
                    Debian 13 (MicroPython 1.25, Pico SDK 2.1.1, lwIP, TinyUSB, Mbed TLS), which
                    apt fetches into .cache/from-source/, 20 MB, no root needed

Debian has neither the driver of the Pico W's radio nor micropython-lib. So the image is of the
board RPI_PICO: the same chip, port, heap and USB, and no `network`; and what a manifest requires
from micropython-lib is left empty. host_tests/emulator runs it: PICO_W_UF2=.cache/from-source/...

`frozen` needs a C compiler for 32 bits (apt-get install gcc-multilib), `image` needs
apt-get install cmake gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib.

Exit status: 0; 1 when something could not be fetched or built, the line says what; 2 wrong usage.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import find_micropython
import size

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "from-source"
SUITE = "trixie"
SOURCES = ("micropython", "lwip", "mbedtls")
PACKAGES = ("pico-sdk-source", "tinyusb-source")
# What goes where in MicroPython's tree.
PLACES = {"lwip": "lib/lwip", "mbedtls": "lib/mbedtls"}
UNPACKED = {"usr/src/pico-sdk": "lib/pico-sdk", "usr/src/tinyusb": "lib/tinyusb"}
NEEDED = {
    "frozen": "gcc-multilib",
    "image": "cmake gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
}
UNIX = ("MICROPY_FORCE_32BIT=1", "MICROPY_PY_FFI=0", "MICROPY_PY_SSL=0", "MICROPY_PY_BTREE=0")
RP2040_FAMILY = "0xE48BFF56"
RP2040_FLASH = "0x10000000"

say = find_micropython.say


class BuildError(Exception):
    """What could not be fetched or built, in one line."""


def run(argv: list[str], cwd: Path, what: str, **environment: str) -> None:
    """A step of the build; its output goes to a log that the complaint names."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / f"{what}.log"
    with open(log, "wb") as output:
        done = subprocess.run(
            argv, cwd=cwd, env=os.environ | environment, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        hint = f"; it needs: apt-get install {NEEDED[what]}" if what in NEEDED else ""
        raise BuildError(f"{what} failed, see {log}{hint}")


# ---- the source


def fetch() -> Path:
    """MicroPython's tree with what Debian has of its submodules, below FOLDER."""
    tree = FOLDER / f"micropython-{SUITE}"
    if tree.exists():
        return tree
    say(f"fetching the source packages of {SUITE}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=FOLDER) as temporary:
        folder = Path(temporary)
        apt = find_micropython.Apt(folder / "apt", "amd64")
        try:
            apt.update(SUITE, kinds=("deb", "deb-src"))
            apt.run(["source", "--download-only", *SOURCES], folder)
            apt.run(["download", *PACKAGES], folder)
        except find_micropython.CannotInstallError as error:
            raise BuildError(str(error)) from None
        fresh = folder / "tree"
        for name in SOURCES:
            (archive,) = folder.glob(f"{name}_*.orig.tar.*")
            place = fresh / PLACES.get(name, "")
            place.mkdir(parents=True, exist_ok=True)
            words = ["tar", "-xf", str(archive), "--strip-components=1", "-C", str(place)]
            run(words, folder, f"unpack-{name}")
        for package in folder.glob("*.deb"):
            run(["dpkg-deb", "-x", str(package), "unpacked"], folder, "unpack-packages")
        for source, target in UNPACKED.items():
            shutil.copytree(
                folder / "unpacked" / source, fresh / target, dirs_exist_ok=True, symlinks=True
            )
        (fresh / "lib/pico-sdk/README.md").touch()  # looked for as a sign of the submodule
        fresh.rename(tree)
    return tree


def stand_in_library(tree: Path) -> Path:
    """micropython-lib: the tree's own, or a folder where all that is required is empty."""
    own = tree / "lib/micropython-lib"
    if (own / "micropython").exists():
        return own
    folder = FOLDER / "no-micropython-lib"
    manifests = [
        *tree.glob("ports/*/boards/manifest.py"),
        *tree.glob("ports/*/boards/*/manifest.py"),
    ]
    for path in manifests:
        for name in re.findall(r'require\("([\w.-]+)"', path.read_text()):
            (folder / "micropython" / name).mkdir(parents=True, exist_ok=True)
            (folder / "micropython" / name / "manifest.py").touch()
    (folder / "README.md").touch()
    return folder


def build_cross_compiler(tree: Path) -> None:
    run(["make", f"-j{os.cpu_count()}"], tree / "mpy-cross", "mpy-cross")


# ---- what can be made of it


def check_manifests(tree: Path) -> None:
    """Each board's manifest, read by MicroPython's tools/manifestfile.py in freeze mode."""
    library = stand_in_library(tree)
    for folder in sorted((ROOT / "boards").glob("*/")):
        if not (folder / "manifest.py").exists():
            continue
        port = tree / "ports" / ("rp2" if "PICO" in folder.name else "esp32")
        words = [sys.executable, "tools/manifestfile.py", "--freeze", "--lib", str(library)]
        words += ["--port", str(port), "--board", str(port / "boards" / folder.name)]
        done = subprocess.run(
            [*words, str(folder / "manifest.py")],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )
        files = [line for line in done.stdout.splitlines() if line.startswith("ManifestOutput")]
        ours = [line for line in files if str(ROOT) in line and str(tree) not in line]
        if done.returncode or not ours:
            raise BuildError(f"{folder.name}: {(done.stderr or 'freezes nothing').strip()}")
        print(
            f"{folder.name:18} {len(ours)} files of ours, {len(files) - len(ours)} of the port's"
        )


def measure_frozen(tree: Path) -> None:
    """The unix port with 32-bit words, library and firmware's modules frozen as on a board."""
    build_cross_compiler(tree)
    words = ["make", f"-j{os.cpu_count()}", "-C", "ports/unix", "BUILD=build-foca", *UNIX]
    words += [f"MPY_LIB_DIR={stand_in_library(tree)}"]
    words += [f"FROZEN_MANIFEST={ROOT / 'boards' / 'manifest_common.py'}"]
    words += ["MPY_CROSS_FLAGS=-march=x86"]  # for foca.fast; a board's port names its own
    run(words, tree, "frozen")
    argv = [str(tree / "ports/unix/build-foca/micropython")]
    vm = find_micropython.probe(argv)
    if vm is None or vm.word_bits != 32:
        raise BuildError("the program that was built does not run here as a 32-bit MicroPython")
    names = ", ".join(f"foca.{name}" for name in size.MINIMAL)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "firmware" / "main.py", folder)  # the one file that stays a file
        frozen = size.Vm(argv, Path(folder))
        whole, _ = frozen.numbers(size.WHOLE.format(program=f"import {names}"))
        agent, _ = frozen.numbers(size.WHOLE.format(program="from foca import Agent"))
        heap_kib = frozen.smallest_heap_kib(f"import {names}")
        node_kib = frozen.smallest_heap_kib(size.NODE_FOR_16)
        program = size.FIRMWARE_PROGRAM.replace("{port}", str(size.free_port()))
        firmware, _ = frozen.numbers(program)
        firmware_kib = frozen.smallest_heap_kib(program)
    if "whole" not in whole or "whole" not in agent or "running" not in firmware:
        raise BuildError("the frozen library cannot be imported")
    print(f"MicroPython {vm.version} unix, 32 bits, foca frozen")
    print(f"minimal_frozen_ram_bytes   {whole['whole']:7}")
    print(f"agent_frozen_ram_bytes     {agent['whole']:7}")
    print(f"minimal_frozen_heap_kib    {heap_kib:7}")
    print(f"node_of_16_frozen_heap_kib {node_kib:7}")
    print(f"firmware_frozen_ram_bytes  {firmware['running']:7}  at work, for 64 members")
    print(f"firmware_frozen_heap_kib   {firmware_kib:7}")


def build_image(tree: Path, is_plain: bool) -> None:
    """An image for the RP2040 by the port's own build; prints where it is."""
    build_cross_compiler(tree)
    port = tree / "ports/rp2"
    manifest = FOLDER / "plain.py"
    manifest.write_text('include("$(PORT_DIR)/boards/manifest.py")\n')
    build = port / ("build-plain" if is_plain else "build-foca")
    shutil.rmtree(build, ignore_errors=True)
    library = stand_in_library(tree)
    arguments = f"-DPICO_NO_PICOTOOL=1 -DMICROPY_LIB_DIR={library}"
    words = ["make", f"BUILD={build.name}", f"MAKE_ARGS=-j{os.cpu_count()}"]
    if is_plain:
        words += ["-C", str(port), "BOARD=RPI_PICO", f"FROZEN_MANIFEST={manifest}"]
    else:
        words += ["-C", str(ROOT), "firmware", "BOARD=RPI_PICO_W", "MICROPYTHON_BOARD=RPI_PICO"]
        words += [f"PORT_DIR={port}"]
    run(words, port, "image", CMAKE_ARGS=arguments)
    image = FOLDER / ("RPI_PICO.uf2" if is_plain else "RPI_PICO-foca.uf2")
    words = [sys.executable, str(tree / "tools/uf2conv.py"), "-b", RP2040_FLASH]
    words += ["-f", RP2040_FAMILY, "-c", "-o", str(image), str(build / "firmware.bin")]
    run(words, port, "uf2")
    print(f"{image}  {image.stat().st_size:,} B")


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("manifests", "frozen", "image"))
    parser.add_argument("--source", type=Path, metavar="DIR", help="a clone of MicroPython")
    parser.add_argument("--plain", action="store_true", help="image: without foca")
    options = parser.parse_args(argv)
    try:
        tree = options.source.resolve() if options.source else fetch()
        if not (tree / "py/mpconfig.h").exists():
            raise BuildError(f"{tree} is no clone of MicroPython")
        if options.what == "manifests":
            check_manifests(tree)
        elif options.what == "frozen":
            measure_frozen(tree)
        else:
            build_image(tree, options.plain)
    except BuildError as error:
        print(f"from_source: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
