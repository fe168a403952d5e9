"""Run a tool under the repository's own Python where the one that was called lacks a module.

    own_python.require("mpremote")       comes back only if it can be imported

Not a command. `python tools/deploy.py` must work in a fresh clone: the development tools are in
.venv, which make has made, and the system's Python does not see them.
"""

import os
import sys
from importlib import util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".venv" / "bin" / "python"


def require(module: str) -> None:
    """Start again under .venv's Python if `module` is missing here; else say how to get it."""
    if util.find_spec(module) is not None:
        return
    is_own = Path(sys.prefix).resolve() == OWN.parent.parent.resolve()
    if OWN.exists() and not is_own and sys.argv[0]:
        os.execv(OWN, [str(OWN), *sys.argv])
    raise SystemExit(f"the Python module {module} is missing: run make check once, then again")
