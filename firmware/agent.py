"""The node of a board: `foca.Agent` that waits for an address, survives its loss, and can say why.

All memory is taken by the constructor, before the radio is up. `come_up` and `go_down` follow the
WiFi link (wifi.py). While there is no link the machine stands still: it would only learn that
everybody is dead, and tell them so afterwards. When the link is back, probing starts afresh, and a
gossip at once lets the others say whether they gave us up meanwhile.

Everybody is asked at 255.255.255.255 and at the subnet's own broadcast address in turn (10.0.0.255
in 10.0.0.0/24), because some access points drop the one and some the other. The message is the
same: it names 255.255.255.255 as its receiver, whatever address the datagram travels to.

Clash of addresses: two nodes with one address make their peers tell each of them that it is Down,
for ever. Signs: a datagram from our own address while we asked nobody (two within ten minutes),
or more than twenty renewals of our identity in a minute (fourteen are what a board with an empty
memory needs at most to pass a life with unix seconds). Then the board says so, asks for a new
address, and keeps silent for a minute if it gets the same one; the next times for 2, 4 .. 60.
"""

from foca._port import const, ticks_diff
from foca.address import parse, text_of
from foca.aio import Agent
from foca.config import Config
from foca.effects import reconsider, stop
from witness import Witness

_DISCONNECTED = const(0)
_CONNECTED = const(1)
_DATA_FROM_OURSELVES = const(4)
_RENEWALS = const(23)
_RENEWALS_LIMITED = const(29)
_CALL = const(7)  # the row of what an Announce is addressed to
_AGE_MAX_MS = const(500000000)
_ECHO_MS = const(1000)
_SIGNS_MAX = const(2)
_SIGNS_MS = const(600000)
_RENEWALS_MAX = const(20)
_RENEWALS_MS = const(60000)
_ASIDE_FIRST_MS = const(60000)
_ASIDE_LAST_MS = const(3600000)


class NoSocket:
    """Stands in for the socket until there is an address."""

    port = 0

    def send(self, ids, at, buf, count):
        return False

    def receive(self):
        return None

    def wait(self, timeout_ms):
        return False

    def close(self):
        pass


def broadcast_of(host, mask):
    """The four octets of everybody on the subnet; none where there is nobody else (/31, /32)."""
    try:
        hosts = [int(part) for part in host.split(".")]
        masks = [int(part) for part in mask.split(".")]
        octets = bytes([hosts[i] | 255 - masks[i] for i in range(4)])
    except (ValueError, IndexError):
        return b""
    return octets if masks[3] < 254 else b""


def config_of(settings):
    """The `Config` for these settings; a board sends at most 512 bytes, whatever it accepts."""
    make = Config.wan if settings.NETWORK == "wan" else Config.lan
    size = settings.CLUSTER_SIZE
    return make(size, members_max=settings.MEMBERS_MAX, send_bytes_max=512)


class BoardAgent(Agent):
    """Public, to read, beside `Agent`'s: `host`, `deaf_ms`, `uptime_s`, `clashes`, `witness`."""

    def __init__(self, settings, bump, peers, open_udp, clock, on_event=None, seed=None):
        """settings: `options.Settings`. bump, peers: from `memory.Memory`.

        open_udp: called with (layout, port) when there is an address; returns a `foca.udp.Udp`.
        """
        self._open_udp = open_udp
        self._subnet = b""  # the record of everybody on it
        self._is_subnets_turn = False
        Agent.__init__(
            self,
            bind="0.0.0.0:%d" % settings.PORT,
            seeds=settings.SEEDS,
            address="0.0.0.0:%d" % settings.PORT,
            bump=bump,
            config=config_of(settings),
            on_event=on_event,
            udp=NoSocket(),  # type: ignore[arg-type]
            clock=clock,
            seed=seed,
            broadcast=settings.BROADCAST,
            remembered=[text for text in peers if text.rpartition(":")[0] != "0.0.0.0"],
        )
        self.port = settings.PORT
        self.host = ""
        self.is_up = False
        self.uptime_s = 0
        self.deaf_ms = -1
        """Since the last datagram, at most 500,000 s; -1: there was none since the start."""
        self.alone_ms = 0
        """Time with an address and without a peer."""
        self.clashes = 0
        self.aside_ms = 0
        """So long we still keep silent."""
        self.is_silent = False
        self.witness = Witness(self.foca)
        self.foca.handle_data = self._hear  # type: ignore[method-assign]
        self._handle_data = type(self.foca).handle_data
        self._before = -1
        self._rest_ms = 0
        self._announced = 0
        self._asked_ms = -1
        self._signs = self._signs_ms = 0
        self._renewals = self._renewals_ms = 0
        self._next_aside_ms = _ASIDE_FIRST_MS

    # the link

    def come_up(self, host, mask=""):
        """`host` is our address, now or again. Another one than before is another identity."""
        foca = self.foca
        octets = broadcast_of(host, mask)
        port = self.port.to_bytes(2, "big")
        self._subnet = octets and octets + port + bytes(foca.layout.bump_bytes)
        if isinstance(self.udp, NoSocket):
            self.udp = self._open_udp(foca.layout, self.port)
        now_ms = foca.now_ms = self._clock()
        if host != self.host:
            self._take_address(host)
            self.joining.restart()
        elif not foca.num_members():
            self.joining.restart()
        self.is_up = True
        self.alone_ms = 0
        self._before = now_ms
        if self.is_silent:
            return
        if foca.connection == _CONNECTED:  # what was due while we could not hear is void
            stop(foca, _DISCONNECTED)
        if not foca.is_undead():
            reconsider(foca)
            foca.gossip()

    def _take_address(self, host):
        foca = self.foca
        width = foca.layout.record_bytes
        text = "%s:%d" % (host, self.port)
        if not self.host:  # nobody has heard of the placeholder
            foca.members.ids[:width] = parse(foca.layout, text, self.bump)
            foca.codec.know_own()
        else:
            foca.change_identity(parse(foca.layout, text, self.bump + 1))
            self.aside_ms = 0
            self.is_silent = False
            self._next_aside_ms = _ASIDE_FIRST_MS
        self.host = host

    def go_down(self):
        """There is no link: stand still."""
        self.is_up = False

    def send_to(self, row, buf, count):
        """`Agent.send_to`; every second question to everybody goes to the subnet's own address."""
        if row == _CALL and self._subnet and self._is_to_all():
            self._is_subnets_turn = not self._is_subnets_turn
            if not self._is_subnets_turn:
                self.udp.send(self._subnet, 0, buf, count)
                return
        Agent.send_to(self, row, buf, count)

    def _is_to_all(self):
        ids = self.foca.members.ids
        at = _CALL * self.foca.members.width
        return ids[at] & ids[at + 1] & ids[at + 2] & ids[at + 3] == 255

    # running

    def turn(self):
        """`poll`, if there is a link; returns the milliseconds until something is due."""
        now_ms = self._clock()
        self._age(ticks_diff(now_ms, self._before) if self._before >= 0 else 0)
        self._before = now_ms
        if self.joining.announced != self._announced:
            self._announced = self.joining.announced
            self._asked_ms = now_ms
        if self.is_silent and not self.aside_ms:
            self.is_silent = False
            if self.is_up:
                self.come_up(self.host)
        if self.is_silent or not self.is_up:
            return 1000
        wait_ms = self.poll()
        self._watch_renewals(now_ms)
        return wait_ms

    def _age(self, elapsed_ms):
        self._rest_ms += elapsed_ms
        self.uptime_s += self._rest_ms // 1000
        self._rest_ms %= 1000
        self.witness.now_s = self.uptime_s
        if 0 <= self.deaf_ms < _AGE_MAX_MS:
            self.deaf_ms += elapsed_ms
        if self.foca.num_members():
            self.alone_ms = 0
        elif self.is_up and self.alone_ms < _AGE_MAX_MS:
            self.alone_ms += elapsed_ms
        if self.aside_ms:
            self.aside_ms = max(0, self.aside_ms - elapsed_ms)

    def _hear(self, buf, count, now_ms):
        """`Foca.handle_data`, and who was heard."""
        status = self.witness.hear(self._handle_data, buf, count, now_ms)
        self.deaf_ms = 0
        if status == _DATA_FROM_OURSELVES:
            self._note_own_address(now_ms)
        return status

    # two nodes with one address

    def _note_own_address(self, now_ms):
        """Our own broadcast comes back within a second; at any other time it is somebody else."""
        announced = self.joining.announced != self._announced
        if announced or (
            self._asked_ms >= 0 and 0 <= ticks_diff(now_ms, self._asked_ms) < _ECHO_MS
        ):
            return
        if not self._signs or not 0 <= ticks_diff(now_ms, self._signs_ms) < _SIGNS_MS:
            self._signs = 0
            self._signs_ms = now_ms
        self._signs += 1
        if self._signs >= _SIGNS_MAX:
            self._step_aside()

    def _watch_renewals(self, now_ms):
        counters = self.foca.counters
        renewals = counters[_RENEWALS] + counters[_RENEWALS_LIMITED]
        if not 0 <= ticks_diff(now_ms, self._renewals_ms) < _RENEWALS_MS:
            self._renewals_ms = now_ms
            self._renewals = renewals
        if renewals - self._renewals > _RENEWALS_MAX:
            self._step_aside()

    def _step_aside(self):
        counters = self.foca.counters
        self._renewals = counters[_RENEWALS] + counters[_RENEWALS_LIMITED]
        self._signs = 0
        if not self.aside_ms:
            self.clashes += 1
            self.is_silent = True
            spread = self.foca.members.rng.below(self._next_aside_ms // 2)
            self.aside_ms = self._next_aside_ms + spread
            self._next_aside_ms = min(2 * self._next_aside_ms, _ASIDE_LAST_MS)

    # telling

    def why(self, address):
        """What this board last heard about HOST:PORT and from whom, as lines of text."""
        foca = self.foca
        for row in foca.iter_membership_state():
            if text_of(foca.layout, foca.identity_of(row)) == address:
                return self.witness.lines(row)
        if address == self.address:
            return ["%s is this board" % address]
        return ["%s: never heard of, or forgotten" % address]
