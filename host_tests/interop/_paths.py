"""Where things are, and how a program of this folder that is run by hand finds them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

for folder in ("lib", "host_tests"):
    if str(ROOT / folder) not in sys.path:
        sys.path.insert(1, str(ROOT / folder))
