"""Fixtures of the interop tests: the peer, or a skip that says which command makes it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def peer() -> Path:
    """The built Rust peer."""
    import build_peer

    try:
        return build_peer.peer_path()
    except build_peer.PeerMissingError as error:
        pytest.skip(str(error).splitlines()[0])
