"""See what a node does: a runtime around another one that writes a line for everything. Floor 4.

    DEBUG   protocol interactions: events, probes, joins
    TRACE   also every datagram in and out, with its size

Only these two levels, as in the reference. A node without this wrapper pays nothing; with DEBUG it
pays per event, with TRACE it also switches `notify_data` on in the config it is given.
"""

from . import runtime
from ._port import const
from .address import bump_of, text_of
from .wire import FLAGS, HAS_THIRD, MESSAGE_NAMES

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable

    from .node import Foca

DEBUG = 1
TRACE = 2


class TracingRuntime(runtime.Runtime):
    def __init__(
        self, inner: runtime.Runtime, write: "Callable[[str], object]" = print, level: int = DEBUG
    ) -> None:
        """inner: the runtime to wrap. write: called with a line of text. level: DEBUG or TRACE."""
        self.inner = inner
        self.write = write
        self.level = level
        self.foca: Foca = None  # type: ignore[assignment]

    def attach(self, foca: "Foca") -> None:
        """Trace `foca`, whose runtime this is. Call it once, after constructing the node."""
        self.foca = foca
        if self.level >= TRACE:
            foca.config.notify_data = True

    def send_to(self, row: int, buf: bytearray, count: int) -> None:
        if self.level >= TRACE and self.foca:
            self.write("TRACE foca: send %d bytes to %s" % (count, self._name(row)))
        self.inner.send_to(row, buf, count)

    def notify(self, event: int, row: int) -> None:
        if self.foca:
            if event >= runtime.DATA_RECEIVED:
                if self.level >= TRACE:
                    self.write(
                        "TRACE foca: %s %s" % (runtime.EVENT_NAMES[event], self._message(row))
                    )
            else:
                self.write(
                    "DEBUG foca: %s %s" % (runtime.EVENT_NAMES[event], self._detail(event, row))
                )
        self.inner.notify(event, row)

    def _name(self, row: int) -> str:
        foca = self.foca
        record = foca.identity_of(row)
        return "%s#%d" % (text_of(foca.layout, record), bump_of(foca.layout, record))

    def _detail(self, event: int, row: int) -> str:
        if event == runtime.RENAME:
            from .members import OLD

            return "%s is now %s" % (self._name(OLD), self._name(row))
        if event == runtime.PROBE_FAILED:
            return "%s, probe %d" % (self._name(row), self.foca.probe.number)
        return self._name(row)

    def _message(self, row: int) -> str:
        foca = self.foca
        tag = foca.message_tag
        text = "%s(%d) %s" % (MESSAGE_NAMES[tag], foca.message_number, self._name(row))
        if FLAGS[tag] & HAS_THIRD:
            text += " about " + self._name(foca.message_third)
        return text
