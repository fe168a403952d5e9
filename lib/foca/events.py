"""What the application is told: events in a bounded ring of records, and members. Floor 4.

The machine reports an event in the middle of a call; here it is copied, without allocating, and
read later at leisure. When the ring overflows the oldest goes, `missed` counts it, and the reader
gets an event named "Resync" first: look at `Agent.members()` afresh.
"""

import sys

from ._port import const
from .address import bump_of, text_of
from .runtime import EVENT_NAMES, RENAME

_TYPING = const(0)
if _TYPING:
    from .identity import Layout

_OLD = const(5)
_POLL_MS = const(20)


class Event:
    """What happened: `name` as in foca.runtime.EVENT_NAMES, to the member `address`, `bump`.

    `previous_bump`: for Rename.
    """

    def __init__(self, name: str, address: str, bump: int, previous_bump: int) -> None:
        self.name = name
        self.address = address
        self.bump = bump
        self.previous_bump = previous_bump

    def __repr__(self) -> str:
        return "%s %s#%d" % (self.name, self.address, self.bump)


class Events:
    """A bounded queue of events: `for event in queue.take()`, or `async for event in queue`."""

    def __init__(self, layout: "Layout", events_max: int) -> None:
        self.missed = 0
        self._layout = layout
        self._width = layout.record_bytes
        self._max = events_max
        self._kinds = bytearray(events_max)
        self._records = bytearray(2 * events_max * self._width)
        self._first = self._count = 0
        self._resync = False

    def put(self, event: int, ids: bytearray, row: int) -> None:
        """Copy an event into the ring. Allocates nothing."""
        if self._count == self._max:
            self._first = (self._first + 1) % self._max
            self._count -= 1
            self.missed += 1
            self._resync = True
        index = (self._first + self._count) % self._max
        self._count += 1
        self._kinds[index] = event
        self._copy(ids, row, 2 * index)
        self._copy(ids, _OLD, 2 * index + 1)

    def _copy(self, ids: bytearray, row: int, slot: int) -> None:
        width = self._width
        row *= width
        slot *= width
        while width:
            self._records[slot] = ids[row]
            slot += 1
            row += 1
            width -= 1

    def get(self) -> Event | None:
        """The oldest event, or None."""
        if self._resync:
            self._resync = False
            return Event("Resync", "", 0, 0)
        if not self._count:
            return None
        index = self._first
        self._first = (index + 1) % self._max
        self._count -= 1
        kind = self._kinds[index]
        at = 2 * index * self._width
        layout = self._layout
        previous = bump_of(layout, self._records, at + self._width) if kind == RENAME else 0
        return Event(
            EVENT_NAMES[kind],
            text_of(layout, self._records, at),
            bump_of(layout, self._records, at),
            previous,
        )

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> Event:
        while True:
            event = self.get()
            if event is not None:
                return event
            await sleep_ms(_POLL_MS)


async def sleep_ms(delay_ms: int) -> None:
    """Let other tasks run for `delay_ms` milliseconds."""
    import asyncio

    if hasattr(asyncio, "sleep_ms"):
        await asyncio.sleep_ms(delay_ms)
    else:
        await asyncio.sleep(delay_ms / 1000)


class Member:
    """One row of `Agent.members()`; `state`: "Alive", "Suspect" or "Down"."""

    def __init__(self, address: str, bump: int, state: str, incarnation: int) -> None:
        self.address = address
        self.bump = bump
        self.state = state
        self.incarnation = incarnation

    def __repr__(self) -> str:
        return "%s#%d %s %d" % (self.address, self.bump, self.state, self.incarnation)


def print_exception(error: Exception) -> None:
    """Show an application's exception without stopping for it."""
    if hasattr(sys, "print_exception"):
        sys.print_exception(error)
    else:
        import traceback

        traceback.print_exception(error)
