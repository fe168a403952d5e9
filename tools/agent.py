"""One member of a cluster as a program: the reference's own example agent, under the same names.

The manual is HELP below (MicroPython keeps no docstrings). What it does, for comparing with the
reference's `foca_insecure_udp_agent`:

1. The same identity (a socket address and a 64-bit bump, unix seconds by default), codec (bincode)
   and configuration (`Config.lan(10)`): the two meet.
2. Announces exactly once, at the start. An `Agent` with seeds would go on until somebody answers;
   this one has none and calls `announce`, so where nobody listens yet, start it again.
3. Every 5 s, the first time at once, it adds the custom broadcast "Hello from ID(address, bump)! I
   have N peers", with the second of the last MemberUp or MemberDown as its version (0 before).
   Until that moves on, the same version is refused again, so few of them travel.
4. The members file has one active member's address per line, suspects too, ourselves not. It is
   written after a MemberUp or MemberDown, to FILE.new; then FILE is renamed to FILE.old and
   FILE.new to FILE. For an instant between the two there is no FILE.

Beyond the reference: Ctrl-C (on CPython SIGTERM too) tells the others before it goes; once all
members are Down it announces to them again; bound to 0.0.0.0 it finds its own address.
"""

import os
import sys
import time

import foca
from foca._port import ticks_add, ticks_diff, ticks_ms, unix_seconds
from foca.address import parse
from foca.aio import Agent
from foca.bincode import Bincode
from foca.broadcast import VersionedHandler
from foca.config import Config
from foca.errors import ConfigError, UsageError
from foca.events import Event
from foca.identity import ip, ipv4
from foca.postcard import Postcard
from foca.runtime import Runtime
from foca.status import STALE, STATUS_NAMES
from foca.trace import DEBUG, TRACE, TracingRuntime

HELP = """usage: agent.py [OPTIONS] BIND_ADDR

A cluster member on UDP at BIND_ADDR, HOST:PORT or [HOST]:PORT, as the reference's example agent.

    tools/agent.py 127.0.0.1:8000
    tools/agent.py 127.0.0.1:8001 -a 127.0.0.1:8000

  -i, --identity ADDR    the address others reach us at (default: BIND_ADDR)
  -a, --announce ADDR    a member to join through; it is asked once, at the start
  -f, --filename FILE    where the active members are listed
                         (default: $TMPDIR/foca_cluster_members.<random>.txt)
      --codec NAME       bincode or postcard (default: bincode); the same for all members
      --bump N           tells this life from earlier ones, must grow (default: unix seconds)
  -h, --help             this text
  -V, --version          the version

FOCA_LOG=FILTER says what is logged: off, error, warn, info (the default), debug or trace, for all
or, as target=level with commas between, for the targets agent and foca: FOCA_LOG=info,foca=trace

Datagrams are not authenticated: use it where you trust the network.
Exit status: 2 when it cannot start, with one line that says why; 130 after Ctrl-C, which tells the
others that it leaves.
"""

LEVELS = ("off", "error", "warn", "info", "debug", "trace")
ERROR, INFO, DEBUG_LEVEL, TRACE_LEVEL = 1, 3, 4, 5
HELLO_MS = 5000
WAIT_MS_MAX = 50
MEMBERS_MAX = 256
CODECS = {"bincode": Bincode, "postcard": Postcard}
LONG_NAMES = {"-i": "--identity", "-a": "--announce", "-f": "--filename"}
SWITCHES = {"-h": "help", "--help": "help", "-V": "version", "--version": "version"}


class Log:
    """Lines on stdout: the time of day (UTC), level, target and text."""

    def __init__(self, filter_text: str) -> None:
        """`filter_text`: as in FOCA_LOG; what is no filter is named on stderr and ignored."""
        self.default = INFO
        self.targets: dict[str, int] = {}
        for part in filter_text.split(","):
            target, equals, level = part.strip().rpartition("=")
            if level.lower() in LEVELS:
                number = LEVELS.index(level.lower())
                if equals:
                    self.targets[target] = number
                else:
                    self.default = number
            elif level:
                sys.stderr.write("FOCA_LOG: ignored %r: no level of %s\n" % (part, LEVELS))

    def level(self, target: str) -> int:
        return self.targets.get(target, self.default)

    def write(self, text: str) -> None:
        hour, minute, second = time.gmtime()[3:6]
        sys.stdout.write("%02d:%02d:%02d %s\n" % (hour, minute, second, text))
        if hasattr(sys.stdout, "flush"):
            sys.stdout.flush()

    def say(self, level: int, text: str) -> None:
        if level <= self.level("agent"):
            self.write("%s agent: %s" % (LEVELS[level].upper(), text))


class Program:
    """An agent, its members file and its Hello."""

    def __init__(self, options: dict[str, str], log: Log) -> None:
        """`options`: what `arguments` returns. Raises ConfigError or UsageError."""
        self.log = log
        bind = options["bind"]
        codec = CODECS.get(options.get("--codec", "bincode"))
        if codec is None:
            raise UsageError("codec %r is not bincode or postcard" % options["--codec"])
        self.filename = options.get("--filename") or default_filename()
        self.layout = ip() if bind.startswith("[") else ipv4()
        self.handler = VersionedHandler(codec, self.heard, self.layout, MEMBERS_MAX)
        self.agent = Agent(
            bind,
            address=options.get("--identity"),
            bump=whole(options.get("--bump")),
            config=Config.lan(10, members_max=MEMBERS_MAX, items_max=32, items_bytes_max=4096),
            codec=codec,
            layout=self.layout,
            handler=self.handler,
            runtime=tracing(log),
        )
        self.events = self.agent.events(64)
        self.version = 0
        self.hello_ms = ticks_ms()
        self.counted = [0] * len(STATUS_NAMES)
        try:
            if "--announce" in options:
                target = parse(self.layout, options["--announce"], unix_seconds())
                self.agent.foca.announce(target)
        except ConfigError:
            self.agent.close()
            raise

    def run(self) -> None:
        """Turn after turn, until an exception."""
        agent = self.agent
        self.log.say(INFO, "Started %s, members in %s" % (self.name(), self.filename))
        while True:
            if ticks_diff(ticks_ms(), self.hello_ms) >= 0:
                self.hello_ms = ticks_add(self.hello_ms, HELLO_MS)
                self.say_hello()
            wait_ms = agent.poll()
            self.tell_events()
            self.tell_errors()
            agent.udp.wait(min(wait_ms, WAIT_MS_MAX))

    def name(self) -> str:
        return "ID(%s, %d)" % (self.agent.address, self.agent.bump)

    # ---- custom broadcasts

    def say_hello(self) -> None:
        agent = self.agent
        text = "Hello from %s! I have %d peers" % (self.name(), agent.foca.num_members())
        origin = parse(self.layout, agent.address, self.version)
        item = self.handler.pack(origin, text.encode())
        status = agent.foca.add_broadcast(item, len(item))
        if status == STALE:
            self.log.say(DEBUG_LEVEL, "Hello not repeated: no change since")

    def heard(self, origin: str, version: int, payload: bytes) -> None:
        """Called by the handler, inside the machine: nothing may be raised here."""
        try:
            text = payload.decode()
        except UnicodeError:
            text = repr(payload)
        self.log.say(INFO, "new custom broadcast from %s: %s" % (origin, text))

    # ---- what happened

    def tell_events(self) -> None:
        changed = False
        event = self.events.get()
        while event is not None:
            changed = self.tell(event) or changed
            event = self.events.get()
        if changed:
            self.version = unix_seconds()
            self.save()

    def tell(self, event: Event) -> bool:
        """Log one event; whether it changes the members file."""
        who = "ID(%s, %d)" % (event.address, event.bump)
        if event.name == "Idle":
            self.log.say(INFO, "cluster empty")
        elif event.name == "Rename":
            before = "ID(%s, %d)" % (event.address, event.previous_bump)
            self.log.say(INFO, "member %s is now known as %s" % (before, who))
        else:
            self.log.say(DEBUG_LEVEL, "%s %s" % (event.name, who))
        return event.name in ("MemberUp", "MemberDown", "Resync")

    def tell_errors(self) -> None:
        """Log what the machine has counted since the last turn."""
        counters = self.agent.foca.counters
        for status in range(1, STALE):
            if counters[status] != self.counted[status]:
                self.counted[status] = counters[status]
                self.log.say(ERROR, "Ignored error: " + STATUS_NAMES[status])

    def save(self) -> None:
        """Write the members file; a failure is logged."""
        name = self.filename
        try:
            with open(name + ".new", "w") as file:
                for member in self.agent.members():
                    file.write(member.address + "\n")
            try:
                os.rename(name, name + ".old")
            except OSError:  # the first time there is none
                pass
            os.rename(name + ".new", name)
            self.log.say(DEBUG_LEVEL, "members file written")
        except OSError as error:
            self.log.say(ERROR, "members file %s: %s" % (name, error))


def tracing(log: Log) -> TracingRuntime | None:
    """What writes the lines of the target foca, or None when nobody wants them."""
    if log.level("foca") < DEBUG_LEVEL:
        return None
    return TracingRuntime(
        Runtime(), log.write, TRACE if log.level("foca") >= TRACE_LEVEL else DEBUG
    )


def default_filename() -> str:
    number = int.from_bytes(os.urandom(8), "big")
    return "%s/foca_cluster_members.%d.txt" % (os.getenv("TMPDIR") or "/tmp", number)


def whole(text: str | None) -> int | None:
    """The number that `text` is, or None for None."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise UsageError("bump %r is not a whole number" % text) from None


def arguments(words: list[str]) -> dict[str, str]:
    """A command line as a dict: long option -> value, and `bind`, `help` or `version`.

    One parser for both interpreters; `--name value` and `--name=value`. Raises UsageError.
    """
    options: dict[str, str] = {}
    words = list(words)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name = LONG_NAMES.get(name, name)
        if name in SWITCHES:
            return {SWITCHES[name]: ""}
        if name in ("--identity", "--announce", "--filename", "--codec", "--bump"):
            if not equals:
                if not words:
                    raise UsageError("%s needs a value: see --help" % word)
                value = words.pop(0)
            options[name] = value
        elif word.startswith("-") or "bind" in options:
            raise UsageError("%r is not expected here: see --help" % word)
        else:
            options["bind"] = word
    if "bind" not in options:
        raise UsageError("BIND_ADDR is missing, like 127.0.0.1:8000: see --help")
    return options


def interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(words: list[str]) -> int:
    """The command line; see HELP."""
    try:
        options = arguments(words)
        if "help" in options:
            print(HELP, end="")
            return 0
        if "version" in options:
            print("foca agent " + foca.__version__)
            return 0
        program = Program(options, Log(os.getenv("FOCA_LOG") or "info"))
    except (ConfigError, UsageError) as error:
        sys.stderr.write("%s\n" % error)
        return 2
    try:
        import signal

        signal.signal(signal.SIGTERM, interrupted)
    except ImportError:  # MicroPython has none: SIGTERM ends it without a word to the others
        pass
    try:
        program.run()
    except KeyboardInterrupt:
        program.agent.leave()
        program.log.say(INFO, "Left")
    return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
