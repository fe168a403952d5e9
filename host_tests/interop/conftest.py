"""Fixtures of the interop tests: the peer, or a skip that says which command makes it; figures."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

FIGURES: list[str] = []


@pytest.fixture(scope="session")
def peer() -> Path:
    """The built Rust peer. No cargo: skipped. cargo, but no peer: a failure."""
    import build_peer

    try:
        path = build_peer.peer_path()
    except build_peer.PeerMissingError as error:
        pytest.skip(str(error))
    if build_peer.build_report:
        FIGURES.append(build_peer.build_report)
    return path


@pytest.fixture(scope="session")
def figures() -> list[str]:
    """Lines for the end of the run: what was measured."""
    return FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    if FIGURES:
        terminalreporter.section("interop figures")
        for line in FIGURES:
            terminalreporter.line(line)
