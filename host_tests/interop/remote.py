"""Our partner in another process, so that it can be MicroPython.

As a program (`remote.py`, run by a MicroPython with lib, host_tests and host_tests/interop on its
path) it reads one JSON line per call, `[name, arguments...]`, and prints one JSON line: what the
call returned, our pending deadlines and what was queued before it; or `{"raised": ...}`.
"""

import json
import sys


class RemoteOurs:
    """Stands for an `Ours` that runs elsewhere."""

    def __init__(self, ask, new):
        """`ask`: takes a call as a list, returns the answer."""
        self._ask = ask
        self._pending = []
        self.queued = {}
        self._call("new", new)

    def _call(self, *call):
        answer = self._ask(list(call))
        if "raised" in answer:
            raise RuntimeError(answer["raised"])
        self._pending = answer["pending"]
        self.queued = answer["queued"]
        return answer["returned"]

    def pending(self):
        """As of the last call."""
        return self._pending

    def step(self, step, crate):
        return self._call("step", step, crate)

    def fire(self, timer, crate):
        return self._call("fire", timer, crate)

    def idle(self, now_ms):
        return self._call("idle", now_ms)

    def result(self, status):
        return self._call("result", status)


def serve():
    """Answer calls until standard input ends."""
    from ours import Ours

    ours = None
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        name, *arguments = json.loads(line)
        try:
            if name == "new":
                ours = Ours(*arguments)
                returned = None
            else:
                returned = getattr(ours, name)(*arguments)
            answer = {"returned": returned, "pending": ours.pending(), "queued": ours.queued}
        except Exception as error:
            answer = {"raised": repr(error)}
        print(json.dumps(answer))


if __name__ == "__main__":
    serve()
