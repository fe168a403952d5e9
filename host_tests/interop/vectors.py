"""Writes the golden vectors from the published crate: `make vectors`.

python host_tests/interop/vectors.py             into host_tests/conformance/vectors/
python host_tests/interop/vectors.py --check     writes nothing; 1 when a file would change
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import build_peer

FOLDER = Path(__file__).resolve().parent.parent / "conformance" / "vectors"


def generate(folder: Path) -> str:
    """Let the crate write every file into `folder`; returns its report, one line per file."""
    command = [str(build_peer.peer_path()), "vectors", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def differing(folder: Path, other: Path) -> list[str]:
    """Names of the files that are not the same in both folders, missing ones included."""
    names = {path.name for place in (folder, other) for path in place.glob("*.json")}
    return sorted(name for name in names if content(folder / name) != content(other / name))


def content(path: Path) -> bytes:
    """The bytes of a file, none when there is no such file."""
    return path.read_bytes() if path.exists() else b""


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(description="golden vectors from the published crate")
    parser.add_argument("--check", action="store_true", help="only say which files would change")
    options = parser.parse_args(arguments)
    try:
        if not options.check:
            FOLDER.mkdir(parents=True, exist_ok=True)
            print(generate(FOLDER), end="")
            return 0
        with tempfile.TemporaryDirectory() as fresh:
            report = generate(Path(fresh))
            changed = differing(FOLDER, Path(fresh))
    except (build_peer.PeerMissingError, build_peer.PeerBrokenError) as error:
        print(error, file=sys.stderr)
        return 1
    for name in changed:
        print("not what the crate writes: %s (run make vectors)" % name)
    print("%d files compared, %d differ" % (len(report.splitlines()), len(changed)))
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
