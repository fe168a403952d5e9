"""Commands of the serial console. No I/O: characters in, lines out.

members         who is in the mesh: address, bump, state, incarnation
stats           address, link, counters, memory
why ADDRESS     what this board last heard about that one, and from whom
leave           tell the others, and keep out until the next reset
log debug, log info
reset           reset the board
"""

HELP = "commands: members, stats, why ADDRESS, leave, log debug, log info, reset"
_LINE_MAX = 80


class Console:
    def __init__(self, commands):
        """commands: name -> function of the rest of the line, which returns lines of text."""
        self._commands = commands
        self._line = ""

    def feed(self, character):
        """Take one character; returns the lines to print, if it ended a command."""
        if character in ("\r", "\n"):
            line = self._line.strip()
            self._line = ""
            return self.execute(line) if line else []
        if character in ("\x08", "\x7f"):
            self._line = self._line[:-1]
        elif len(self._line) < _LINE_MAX and character >= " ":
            self._line += character
        return []

    def execute(self, line):
        """The answer to one command."""
        name, _, rest = line.partition(" ")
        command = self._commands.get(name)
        if command is None:
            return ["%r is no command; %s" % (name, HELP)]
        return command(rest.strip())


class Commands:
    """What the commands do, for one `Station`."""

    def __init__(self, station):
        self.station = station

    def table(self):
        """What `Console` takes."""
        return {
            "help": lambda rest: [HELP],
            "members": self.tell_members,
            "stats": self.tell_stats,
            "why": lambda rest: self.station.agent.why(rest.strip()),
            "leave": self.leave,
            "log": self.set_log,
            "reset": lambda rest: self.reset(),
        }

    def tell_members(self, rest):
        members = self.station.agent.members(include_down=True)
        return [repr(member) for member in members] or ["nobody"]

    def tell_stats(self, rest):
        import gc

        import led
        from foca import udp
        from foca.status import COUNTER_NAMES

        station = self.station
        agent = station.agent
        lines = [
            "address %s bump %d, %s" % (agent.address, agent.bump, led.NAMES[station.state()]),
            "up %d s, boot %d, %d crashes, last crash: %s"
            % (
                agent.uptime_s,
                station.memory.boots,
                station.memory.crashes,
                station.memory.last_crash() or "none",
            ),
            "link lost %d times, radio errors %d %s; flash written %d times %s"
            % (
                station.link.losses,
                station.radio.errors,
                station.radio.last_error,
                station.memory.writes,
                station.memory.error,
            ),
            "members %d active, heard %d s ago, clashes %d, RAM free %d"
            % (
                agent.foca.num_members(),
                agent.deaf_ms // 1000,
                agent.clashes,
                gc.mem_free() if hasattr(gc, "mem_free") else 0,
            ),
        ]
        for names, counters in (
            (COUNTER_NAMES, agent.foca.counters),
            (udp.COUNTER_NAMES, getattr(agent.udp, "counters", ())),
        ):
            words = ["%s %d" % pair for pair in zip(names, counters) if pair[1]]  # noqa: B905
            lines.append(", ".join(words) or "nothing counted")
        return lines

    def leave(self, rest):
        self.station.agent.foca.leave_cluster()
        return ["left the mesh; the next reset joins again"]

    def set_log(self, rest):
        if rest not in ("debug", "info"):
            return ["log debug, or log info"]
        self.station.is_debug = rest == "debug"
        return ["log " + rest]

    def reset(self):
        from station import reset

        self.station.memory.note_planned_reset()
        reset()
        return []
