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
    """There is no cargo to build the peer with; the text is one line for a person."""


class PeerBrokenError(Exception):
    """cargo is there, but the peer does not build; the text is what cargo said."""


build_report = ""
"""How long the build took, if this process built the peer."""


@functools.cache
def peer_path() -> Path:
    """The built program. Raises PeerMissingError or PeerBrokenError."""
    global build_report
    if shutil.which("cargo") is None:
        raise PeerMissingError(
            "cargo is not installed: install it, then run `%s` in %s"
            % (" ".join(COMMAND), "host_tests/interop/peer")
        )
    program = PEER / "target" / "release" / "foca-interop-peer"
    was_there = program.exists()
    started = time.monotonic()
    done = subprocess.run(COMMAND, cwd=PEER, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerBrokenError(
            "`%s` failed in host_tests/interop/peer:\n%s" % (" ".join(COMMAND), done.stderr)
        )
    if not was_there:
        build_report = "the Rust peer was built in %.1f s" % (time.monotonic() - started)
    return program


def main() -> int:
    """Build and print the path; 1 and one line when that is not possible."""
    try:
        print(peer_path())
    except (PeerMissingError, PeerBrokenError) as error:
        print(error, file=sys.stderr)
        return 1
    if build_report:
        print(build_report, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
