"""Builds `peer/`, the program around the published foca crate, and tells where it is.

    python host_tests/interop/build_peer.py      builds, prints the path

cargo fetches the crates by name; nothing is committed but our own sources. The first build takes
some seconds and is reported; later calls find everything up to date.
"""

import functools
import shutil
import subprocess
import sys
import time
from pathlib import Path

PEER = Path(__file__).resolve().parent / "peer"
COMMAND = ["cargo", "build", "--release", "--quiet"]


class PeerMissingError(Exception):
    """There is no peer, and why; the text is one line for a person."""


@functools.cache
def peer_path() -> Path:
    """The built program. Raises PeerMissingError when there is no cargo or it does not build."""
    if shutil.which("cargo") is None:
        raise PeerMissingError(
            "cargo is not installed: install it, then run `%s` in %s"
            % (" ".join(COMMAND), "peer/")
        )
    program = PEER / "target" / "release" / "foca-interop-peer"
    was_there = program.exists()
    started = time.monotonic()
    done = subprocess.run(COMMAND, cwd=PEER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerMissingError("`%s` failed in peer/:\n%s" % (" ".join(COMMAND), done.stderr))
    if not was_there:
        print("peer built in %.1f s" % (time.monotonic() - started), file=sys.stderr)
    return program


def main() -> int:
    """Build and print the path; 1 and one line when that is not possible."""
    try:
        print(peer_path())
    except PeerMissingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
