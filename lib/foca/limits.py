"""Token buckets: how often we may let strangers make us act. Floor 2.

Each kind may be used `limit` times at once and refills to `limit` within ten seconds.
"""

from array import array

from ._port import const, ticks_add, ticks_diff

LIMIT_TURN_UNDEAD = 0
LIMIT_RELAY = 1
LIMIT_FEED = 2
LIMIT_RENEWAL = 3

_PERIOD_MS = const(10000)


class Limits:
    def __init__(self, limits: tuple[int, ...]) -> None:
        """`limits`: uses per ten seconds for each kind, 1 .. 1000."""
        self._limits = limits
        self._tokens = array("i", limits)
        self._since = array("i", [0] * len(limits))

    def take(self, kind: int, now_ms: int) -> bool:
        """Whether `kind` may be used now; if so, one use is taken."""
        limit = self._limits[kind]
        elapsed = ticks_diff(now_ms, self._since[kind])
        if elapsed < 0 or elapsed >= _PERIOD_MS:
            self._tokens[kind] = limit
            self._since[kind] = now_ms
        else:
            fresh = elapsed * limit // _PERIOD_MS
            if fresh:
                self._since[kind] = ticks_add(self._since[kind], fresh * _PERIOD_MS // limit)
                fresh += self._tokens[kind]
                self._tokens[kind] = limit if fresh > limit else fresh
        if not self._tokens[kind]:
            return False
        self._tokens[kind] -= 1
        return True
