"""One node of the comparison: the shipped agent, its events as JSON lines. Either interpreter.

    MICROPYPATH=lib .vm/mp32 tools/compare_node.py SIZE BIND ADDRESS [-s SEED]...

SIZE is the cluster's, for `Config.lan`. BIND, ADDRESS and SEED are HOST:PORT: where it listens,
where the others reach it, whom it joins through. `tools/compare.py` starts these. Says the same as
the Rust agent of host_tests/interop/peer, so that one parser reads both:

    {"started": ADDRESS}            the socket is open; nothing is sent before the line `join`
    {"notify": [EVENT, ADDRESS]}    an event of foca.runtime.EVENT_NAMES; of these ProbeFailed is
                                    the moment at which this node begins to suspect
    {"stats": {...}}                answers the line `stats`: datagrams and bytes `sent`, and
                                    `heap_bytes` in use after a collection (null on CPython)

Its turns are those of `Agent.run_forever`, with one look at standard input in each. It ends as
soon as standard input does.
"""

import gc
import json
import select
import sys

from demo_node import arguments
from foca.aio import Agent
from foca.config import Config
from foca.events import Event
from foca.status import BYTES_SENT, DATAGRAMS_SENT

TURN_MS = 1000  # as in Agent.run_forever


def say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()


def on_event(event: Event) -> None:
    say({"notify": [event.name, event.address]})


def stats(agent: Agent) -> dict[str, object]:
    counters = agent.foca.counters
    heap_bytes = None
    if hasattr(gc, "mem_alloc"):
        gc.collect()
        heap_bytes = gc.mem_alloc()
    return {
        "sent": counters[DATAGRAMS_SENT],
        "sent_bytes": counters[BYTES_SENT],
        "heap_bytes": heap_bytes,
    }


def main(words: list[str]) -> int:
    """The command line; see the module's docstring."""
    address = words[2]
    size, bind, seeds, fields = arguments(words[:2] + words[3:])
    config = Config.lan(size, **fields)
    agent = Agent(bind, seeds=seeds, address=address, config=config, on_event=on_event)
    say({"started": agent.address})
    commands = select.poll()
    commands.register(sys.stdin, select.POLLIN | select.POLLHUP)
    line = sys.stdin.readline()  # `join`
    while line:
        if line.strip() == "stats":
            say({"stats": stats(agent)})
        while not commands.poll(0):
            agent.udp.wait(min(agent.poll(), TURN_MS))
        line = sys.stdin.readline()
    agent.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
