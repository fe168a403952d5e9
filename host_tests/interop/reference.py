"""The published crate as a partner: one `replay` process, asked step by step."""

import json
import subprocess
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class ScriptRefusedError(Exception):
    """The replay program refused a step: the step is wrong, not the crate."""


class Reference:
    """A running `replay`. Use as a context manager; each `new` step starts a fresh node."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [str(program), "replay"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Reference":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def step(self, step: Json) -> Json:
        """Carry out one step and return its result."""
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        try:
            process.stdin.write(json.dumps(step) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # the reason is on stderr
        line = process.stdout.readline()
        if not line:
            raise ScriptRefusedError("%s in %s" % (process.stderr.read().strip(), step))
        result: Json = json.loads(line)
        return result
