"""A runtime that only collects: take what it holds after every call. Floor 4.

For programs that want to send and react after the call instead of inside it (the reference's
AccumulatingRuntime). Both queues are bounded; when one is full the new entry is dropped and
counted in `dropped`. Timers need no queue, they live inside `Foca`. The order between the two
queues is lost.
"""

from ._port import const
from .runtime import Runtime

_TYPING = const(0)
if _TYPING:
    from .node import Foca


class AccumulatingRuntime(Runtime):
    def __init__(self, entries_max: int = 64) -> None:
        """`entries_max`: how many datagrams, and how many events, are held at the most."""
        self.foca: Foca = None  # type: ignore[assignment]
        """Set it to the node after constructing both."""
        self.entries_max = entries_max
        self.dropped = 0
        self._sends: list[tuple[bytes, bytes]] = []
        self._events: list[tuple[int, bytes]] = []

    def send_to(self, row: int, buf: bytearray, count: int) -> None:
        if self._has_room(self._sends):
            self._sends.append((self.foca.identity_of(row), bytes(buf[:count])))

    def notify(self, event: int, row: int) -> None:
        if self._has_room(self._events):
            self._events.append((event, self.foca.identity_of(row)))

    def _has_room(self, queue: list[tuple[bytes, bytes]] | list[tuple[int, bytes]]) -> bool:
        if len(queue) < self.entries_max:
            return True
        self.dropped += 1
        return False

    def to_send(self) -> tuple[bytes, bytes] | None:
        """The oldest (identity record, datagram), or None."""
        return self._sends.pop(0) if self._sends else None

    def to_notify(self) -> tuple[int, bytes] | None:
        """The oldest (event, identity record), or None."""
        return self._events.pop(0) if self._events else None

    def backlog(self) -> int:
        """How many entries wait, in both queues."""
        return len(self._sends) + len(self._events)
