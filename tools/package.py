"""Build what a release carries: the library as .mpy files, for mip and for unzipping.

    make package                          into dist/
    python tools/package.py --output DIR

    dist/foca-VERSION-mpy/package.json    for mip: mpremote mip install THIS_FILE
    dist/foca-VERSION-mpy/foca/*.mpy      what it installs; copy it to /lib on a board by any means
    dist/foca-VERSION-mpy.zip             the same folder in one file
    dist/SHA256SUMS                       of all of these: cd dist && sha256sum -c SHA256SUMS

Compiled with -O3 and the name foca/NAME.py in tracebacks: without asserts and line numbers, which
is a third of the size. The .mpy version (6) is that of MicroPython 1.23 and newer, of every port:
there is only bytecode in them. The package.json at the top of the repository installs the sources.

The same sources and the same mpy-cross give the same bytes, on any day and machine: files are
sorted, have one date, and are stored uncompressed, because compressors differ.

Exit status: 0; 1 when a file does not compile or DIR cannot be written; 2 for wrong usage.
"""

import argparse
import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path

import board_files
from board_link import BoardError

ROOT = Path(__file__).resolve().parent.parent
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold


def contents() -> dict[str, bytes]:
    """{path inside the bundle: bytes}, sorted."""
    files = {
        file.path.removeprefix("/lib/"): file.data for file in board_files.library_files("mpy")
    }
    package = {
        "urls": [[name, name] for name in sorted(files)],
        "deps": [],
        "version": board_files.library_version(),
    }
    files["package.json"] = (json.dumps(package, indent=1) + "\n").encode()
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    return dict(sorted(files.items()))


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    """The same bytes for the same files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system = 3  # Unix, wherever this runs
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)


def build(output: Path) -> Path:
    """Write everything below `output`; returns the zip file. What was there before is replaced."""
    name = f"foca-{board_files.library_version()}-mpy"
    files = {f"{name}/{path}": data for path, data in contents().items()}
    shutil.rmtree(output / name, ignore_errors=True)
    for path, data in files.items():
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        (output / path).write_bytes(data)
    archive = output / f"{name}.zip"
    write_zip(archive, files)
    sums = {archive.name: archive.read_bytes(), **files}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sums.items()]
    (output / "SHA256SUMS").write_text("".join(lines))
    return archive


def main(argv: list[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist/"
    )
    options = parser.parse_args(argv)
    try:
        archive = build(options.output)
    except (BoardError, OSError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    size = archive.stat().st_size
    print(f"{archive}  {size:,} B  sha256 {hashlib.sha256(archive.read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
