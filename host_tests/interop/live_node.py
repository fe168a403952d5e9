"""One live member of ours, with the commands and JSON lines of the Rust agent. Either interpreter.

    echo '{"bind": "127.0.0.1:0"}' | PYTHONPATH=lib python host_tests/interop/live_node.py

The first line of standard input is a JSON object (an argument of more than 255 bytes ends the unix
port): `bind`, `codec` (bincode, postcard), `bump_width` (16, 64), `bump`,
`announce` (a list of IP:PORT), `config` (fields of Config), `loss_percent` (of what is sent and,
again, of what arrives), `seed`. The other lines are commands; for them and for the lines on
standard output see peer/README.md. `pause` drops what arrives, as there.
"""

import json
import select
import sys
import time

from foca.address import parse
from foca.aio import Agent
from foca.bincode import Bincode
from foca.broadcast import VersionedHandler
from foca.config import Config
from foca.identity import ip
from foca.postcard import Postcard
from foca.rng import Rng
from foca.udp import Udp

CODECS = {"bincode": Bincode, "postcard": Postcard}
WAIT_MS = 10
MICROPYTHON = sys.implementation.name == "micropython"


def report(value):
    """One JSON line; whoever started us reads it."""
    line = json.dumps(value) + "\n"
    sys.stdout.write(line)
    if not MICROPYTHON:
        sys.stdout.flush()


class Transport:
    """UDP that loses a share of the datagrams, and counts bytes."""

    def __init__(self, udp, loss_percent, seed):
        self.udp = udp
        self.port = udp.port
        self.loss_percent = loss_percent
        self.rng = Rng(seed)
        self.stats = {"sent": 0, "sent_bytes": 0, "received": 0, "received_bytes": 0, "lost": 0}

    def lost(self):
        """Whether this datagram is lost."""
        if self.rng.below(100) >= self.loss_percent:
            return False
        self.stats["lost"] += 1
        return True

    def send(self, ids, at, buf, count):
        """Send, or lose."""
        self.stats["sent"] += 1
        self.stats["sent_bytes"] += count
        if not self.lost():
            self.udp.send(ids, at, buf, count)

    def receive(self):
        """The next datagram that is not lost, or None."""
        while True:
            data = self.udp.receive()
            if data is None:
                return None
            self.stats["received"] += 1
            self.stats["received_bytes"] += len(data)
            if not self.lost():
                return data

    def wait(self, timeout_ms):
        return self.udp.wait(timeout_ms)

    def local_address(self, peer_host=None):
        return self.udp.local_address(peer_host)

    def close(self):
        self.udp.close()


class Commands:
    """Lines of standard input, without waiting for them."""

    def __init__(self):
        self.poll = select.poll()
        self.poll.register(sys.stdin, select.POLLIN)
        self.rest = b""
        self.ended = False

    def next(self):
        """The next line, or None."""
        if b"\n" not in self.rest and not self.ended and self.poll.poll(0):
            if MICROPYTHON:
                data = sys.stdin.buffer.readline()
            else:
                import os

                data = os.read(0, 4096)
            self.ended = not data
            self.rest += data
        line, newline, rest = self.rest.partition(b"\n")
        if not newline:
            return "quit" if self.ended else None
        self.rest = rest
        return line.decode().strip()


class Live:
    """The agent, its custom broadcasts, and its commands."""

    def __init__(self, options):
        layout = ip(options.get("bump_width", 64))
        config = Config.lan(8, **options.get("config", {}))
        seed = options.get("seed", 1)
        host, _, port = options["bind"].rpartition(":")
        udp = Udp(layout, host, int(port), config.packet_bytes_max)
        self.transport = Transport(udp, options.get("loss_percent", 0), seed)
        self.handler = VersionedHandler(Bincode, self.on_item, ip())
        self.agent = Agent(
            options["bind"],
            options.get("announce", ()),
            bump=options.get("bump"),
            config=config,
            codec=CODECS[options.get("codec", "postcard")],
            layout=layout,
            handler=self.handler,
            on_event=self.on_event,
            udp=self.transport,
        )
        self.version = 0
        self.paused = False

    def name(self):
        """Our identity as text."""
        return "%s#%d" % (self.agent.address, self.agent.bump)

    def on_event(self, event):
        told = [event.name]
        if event.name == "Rename":
            told.append("%s#%d" % (event.address, event.previous_bump))
        if event.name not in ("Active", "Idle", "Defunct"):
            told.append("%s#%d" % (event.address, event.bump))
        report({"notify": told})

    def on_item(self, origin, version, payload):
        report({"broadcast": {"addr": origin, "version": version, "msg": payload.decode()}})

    def broadcast(self, text):
        """A new item of ours; its version grows by one."""
        self.version += 1
        record = parse(self.handler.layout, self.agent.address, self.version)
        status = self.agent.broadcast(self.handler.pack(record, text.encode()))
        report({"done": "broadcast", "status": status})

    def report_members(self):
        known = self.agent.members(include_down=True)
        report(
            {
                "identity": self.name(),
                "members": [
                    ["%s#%d" % (m.address, m.bump), m.incarnation, m.state] for m in known
                ],
                "num_members": self.agent.foca.num_members(),
            }
        )

    def command(self, line):
        """Carry out one line; False when we are to end."""
        word, _, argument = line.partition(" ")
        if word == "announce":
            self.agent.announce(argument)
        elif word == "leave":
            self.agent.foca.leave_cluster()
            report({"done": "leave"})
        elif word == "broadcast":
            self.broadcast(argument)
        elif word in ("pause", "resume"):
            self.paused = word == "pause"
            report({"done": word})
        elif word == "members":
            self.report_members()
        elif word == "stats":
            report({"stats": self.transport.stats})
        elif word == "quit":
            return False
        elif word:
            report({"error": "%r is not a command" % word})
        return True

    def run(self, commands):
        """Until `quit`, or until standard input ends."""
        report({"started": self.name()})
        while True:
            line = commands.next()
            if line is not None and not self.command(line):
                return
            if self.paused:
                while self.transport.udp.receive() is not None:
                    pass
                time.sleep(0.01)
            else:
                self.transport.wait(min(self.agent.poll(), WAIT_MS))


def main():
    """Read the options, run, and leave no socket open."""
    commands = Commands()
    line = None
    while line is None:
        line = commands.next()
        time.sleep(0.01)
    live = Live(json.loads(line))
    try:
        live.run(commands)
    finally:
        live.agent.close()


if __name__ == "__main__":
    main()
