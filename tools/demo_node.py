"""One node of the demo: says what it sees as JSON lines, until it is told to leave.

    MICROPYPATH=lib .vm/mp32 tools/demo_node.py SIZE BIND [-s SEED]... [-c FIELD=MS]...

SIZE is the cluster's, for `Config.lan`; BIND and SEED are HOST:PORT; `-c` changes a field of the
configuration. Runs on MicroPython and on CPython. `tools/demo.py` starts these and reads them.

The node leaves, and exits with 0, as soon as its standard input can be read or has ended: a node
never outlives the program that started it. Exit status 2, with one line on stderr: it could not
start.

Every line has the milliseconds since the start as `at_ms` and says one `kind` of thing:

    up       the socket is open: `address`, `bump`
    event    a membership event: `name`, `address`, `bump`
    members  the view changed, looked at every 100 ms: `members`, each as
             [address, bump, state, incarnation, milliseconds since its last change]
    second   once a second: `members`; `bump`; `datagrams_out`, `bytes_out` and `datagrams_in`
             since the start; `heap_bytes` in use after a collection (null on CPython)
    left     the others were told and the socket is closed: the last line
"""

import gc
import json
import select
import sys

from foca._port import ticks_diff, ticks_ms
from foca.aio import Agent
from foca.config import Config
from foca.errors import ConfigError, UsageError
from foca.events import Event
from foca.status import BYTES_SENT, DATAGRAMS_RECEIVED, DATAGRAMS_SENT

LOOK_MS = 100
REPORT_MS = 1000


class Reporter:
    """Watches an agent and prints what changes."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.start_ms = ticks_ms()
        self.looked_ms = self.start_ms
        self.reported_ms = self.start_ms
        self.seen = b""
        self.changes: dict[str, tuple[object, int]] = {}
        """address -> what was said about it, and when that changed"""

    def say(self, kind: str, **fields: object) -> None:
        fields["kind"] = kind
        fields["at_ms"] = ticks_diff(ticks_ms(), self.start_ms)
        print(json.dumps(fields))
        if hasattr(sys.stdout, "flush"):
            sys.stdout.flush()

    def event(self, event: Event) -> None:
        self.seen = b""
        self.say("event", name=event.name, address=event.address, bump=event.bump)

    def members(self) -> list[object]:
        """Every member, Down ones included, with the milliseconds since it changed."""
        now_ms = ticks_ms()
        own = self.agent.address
        view: list[object] = []
        for member in self.agent.members(include_down=True):
            if member.address == own:  # an earlier life of ours
                continue
            facts = (member.address, member.bump, member.state, member.incarnation)
            known = self.changes.get(member.address)
            if known is None or known[0] != facts:
                known = (facts, now_ms)
                self.changes[member.address] = known
            view.append(facts + (ticks_diff(now_ms, known[1]),))
        return view

    def look(self) -> None:
        """Report the view if it changed, and once a second everything."""
        now_ms = ticks_ms()
        if ticks_diff(now_ms, self.looked_ms) < LOOK_MS:
            return
        self.looked_ms = now_ms
        table = self.agent.foca.members
        seen = bytes(table.states) + bytes(memoryview(table.incarnations))
        if ticks_diff(now_ms, self.reported_ms) >= REPORT_MS:
            self.reported_ms = now_ms
            self.second()
        elif seen != self.seen:
            self.say("members", members=self.members())
        self.seen = seen

    def second(self) -> None:
        counters = self.agent.foca.counters
        heap_bytes = None
        if hasattr(gc, "mem_alloc"):
            gc.collect()
            heap_bytes = gc.mem_alloc()
        self.say(
            "second",
            members=self.members(),
            bump=self.agent.bump,
            datagrams_out=counters[DATAGRAMS_SENT],
            bytes_out=counters[BYTES_SENT],
            datagrams_in=counters[DATAGRAMS_RECEIVED],
            heap_bytes=heap_bytes,
        )


def arguments(words: list[str]) -> tuple[int, str, list[str], dict[str, int]]:
    """(size, bind, seeds, config fields) of a command line."""
    seeds = []
    fields = {}
    for i in range(2, len(words), 2):
        if words[i] == "-s":
            seeds.append(words[i + 1])
        else:
            name, value = words[i + 1].split("=")
            fields[name] = int(value)
    return int(words[0]), words[1], seeds, fields


def main(words: list[str]) -> int:
    """The command line; see the module's docstring."""
    size, bind, seeds, fields = arguments(words)
    try:
        agent = Agent(bind, seeds=seeds, config=Config.lan(size, **fields))
    except (ConfigError, UsageError) as error:
        sys.stderr.write("%s\n" % error)
        return 2
    reporter = Reporter(agent)
    events = agent.events()
    reporter.say("up", address=agent.address, bump=agent.bump)
    stdin = select.poll()
    stdin.register(sys.stdin, select.POLLIN | select.POLLHUP)
    while not stdin.poll(0):
        wait_ms = agent.poll()
        event = events.get()
        while event:
            reporter.event(event)
            event = events.get()
        reporter.look()
        agent.udp.wait(min(wait_ms, LOOK_MS // 2))
    agent.leave()
    reporter.say("left")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
