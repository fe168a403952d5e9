"""Class Foca: one member of the cluster. Floor 3, highest step.

    application --- handle_data(datagram) / tick(now) / verbs ---> Foca --- send_to, notify ---> Runtime

No I/O, no clock, no randomness of its own kind: bytes, time and a seed come in as arguments, so a recorded run can be
replayed on any interpreter. All memory is taken by the constructor; nothing below allocates.

Rules: one thread, and never from an interrupt: a call made while another one runs answers BUSY. Time must be passed as
`ticks_ms` of foca._port gives it (wrapped at 2**30), and must not go back. Data from the network is answered with a status
code and a counter, never with an exception; docs/WIRE.md says what each message does.
Source: foca's API, name by name (docs/FEATURES.md); the deviations are in docs/DIFFERENCES.md.
"""

from array import array

from ._port import const, entropy
from .backlog import Backlog
from .cursor import Cursor
from .identity import ipv4
from .limits import Limits
from .members import Members
from .outgoing import gossip
from .picker import Picker
from .postcard import Postcard
from .probe import Probe
from .receive import receive
from .rng import Rng
from .selfhood import change_identity, leave, reuse_down_identity
from .timers import Timers
from .verbs import add_broadcast, announce, apply_many, broadcast, tick

_BUSY = const(12)
_COUNTERS = const(30)
_DISCONNECTED = const(0)
_INVALID_CONFIG = const(11)
_OK = const(0)
_UNDEAD = const(2)
_SELF = const(0)
_CALL = const(7)
_DOWN = const(2)


class Foca:
    """One member. Public attributes, to read: `config`, `members`, `probe`, `counters`, `connection`, `generation`.

    Inside a DATA_SENT or DATA_RECEIVED callback `message_tag`, `message_number` and `message_third` (a row) describe the
    datagram. `picker` may be replaced by a test.
    """

    def __init__(
        self, identity, config, runtime, codec=Postcard, layout=None, handler=None, seed=None
    ):
        """A node alone in the world: Disconnected, incarnation 0, no members.

        identity: a record (foca.address.parse makes one) of `layout` (default: IPv4 and a 64-bit bump), as bytes.
        config: a `Config`; a copy is kept by reference, so do not change it afterwards, call `set_config`.
        runtime: a `Runtime`. codec: the class Postcard or Bincode. handler: a `BroadcastHandler`, or None to refuse custom
        broadcasts. seed: a non-negative int for a replayable node, None for the system's entropy.
        Raises ConfigError; nothing is half-built.
        """
        config.check()
        layout = layout or ipv4()
        if len(identity) != layout.record_bytes:
            from .errors import ConfigError

            raise ConfigError(
                "identity has %d bytes, its layout wants %d: make it with foca.address.parse(layout, ...)"
                % (len(identity), layout.record_bytes)
            )
        self.config = config
        self.runtime = runtime
        self.layout = layout
        self.handler = handler
        self.members = Members(
            layout, config.members_max, Rng(entropy() if seed is None else seed)
        )
        self.members.ids[: layout.record_bytes] = identity
        self.codec = codec(self.members)
        self.codec.know_own()
        self.header_bytes_max = 3 * self.codec.identity_bytes_max() + 5
        self.picker = Picker(self.members)
        self.backlog = Backlog(self.members, self.codec, config.send_bytes_max)
        self.probe = Probe(self.members)
        self.timers = Timers(self.members)
        self.limits = Limits(
            (config.turn_undeads_max, config.relays_max, config.feeds_max, config.renewals_max)
        )
        self.items = None
        if handler is not None:
            from .items import Items

            self.items = Items(handler, config.items_max, config.items_bytes_max)
        self.counters = array("i", [0] * _COUNTERS)
        self.suspected = array("H", bytes(2 * self.members.rows)) if config.strict else None
        self.inbox = Cursor()
        self.outbox = Cursor()
        self.outbox.buf = bytearray(config.send_bytes_max)
        self.connection = _DISCONNECTED
        self.generation = 0
        self.has_left = False
        self.now_ms = 0
        self.renew_step = self.renewed_ms = 0
        self.newcomer = 0
        self.head = self.updates = self.foreign = self.custom_at = 0
        self.message_tag = self.message_number = self.message_third = 0
        self.passes_on = False
        self._busy = False

    # the two calls

    def handle_data(self, buf, count, now_ms):
        """One datagram, buf[:count], arrived at `now_ms`; returns a status. Nothing of `buf` is kept.

        Any status but OK, INDIRECT_FOR_OURSELVES, CUSTOM_BROADCAST, ENCODE and the MALFORMED_PACKET of a custom section
        means that nothing changed.
        """
        if self._busy:
            return self.count(_BUSY)
        self.inbox.open(buf, 0, count)
        self.now_ms = now_ms
        return self._run(receive)

    def tick(self, now_ms):
        """Do what is due at `now_ms`, at most `timers_per_tick_max` things.

        Returns the milliseconds until it wants to be called again, 0 .. 60,000; earlier calls are harmless.
        """
        if self._busy:
            self.count(_BUSY)
            return 0
        self.now_ms = now_ms
        if self.timers.remaining_ms(now_ms) == 0:
            self._run(tick)
        return self.timers.remaining_ms(now_ms)

    def _run(self, verb):
        """Run `verb(self)` with the guard up; returns its status, counted."""
        self._busy = True
        try:
            verb = verb(self)
        finally:
            self._busy = False
        return self.count(verb)

    def count(self, status):
        """Count a status that is not OK, and return it."""
        if status:
            self.counters[status] += 1
        return status

    # foca's verbs; each answers _BUSY, and does nothing, inside a callback

    def announce(self, identity):
        """Send one Announce to `identity` (a record; its bump is a guess): the way to join. Changes nothing locally."""
        return self._run(announce) if self._put(identity) else self.count(_BUSY)

    def gossip(self):
        """Send a Gossip to up to `num_indirect_probes` random active members, even with nothing queued."""
        return self.count(_BUSY) if self._busy else self._run(gossip)

    def broadcast(self):
        """Send the custom broadcasts to some members that want them, without waiting for a probe."""
        return self.count(_BUSY) if self._busy else self._run(broadcast)

    def add_broadcast(self, data, count):
        """Queue the custom broadcast data[:count]; sends nothing by itself.

        OK: queued. STALE: the handler knew it. MALFORMED_PACKET: empty. DATA_TOO_BIG: no packet could carry it.
        CUSTOM_BROADCAST: refused by the handler, or there is none. Nothing changes unless OK.
        """
        if self._busy:
            return self.count(_BUSY)
        self.inbox.open(data, 0, count)
        return self._run(add_broadcast)

    def leave_cluster(self):
        """Tell some members that we are Down, then be Undead: nothing is sent any more, members are still tracked."""
        return self.count(_BUSY) if self._busy else self._run(leave)

    def change_identity(self, identity):
        """Become `identity` (a record): the old one is told Down, members are kept. SAME_IDENTITY changes nothing."""
        return self._run(change_identity) if self._put(identity) else self.count(_BUSY)

    def reuse_down_identity(self):
        """After leaving or being declared Down: be alive again under the same identity. Others must forget us first."""
        return self.count(_BUSY) if self._busy else self._run(reuse_down_identity)

    def apply_many(self, buf, count, do_broadcast, now_ms):
        """Apply the members that lie one behind the other in buf[:count], in this node's codec (`dump` writes them).

        do_broadcast: whether to pass them on. DECODE: malformed, nothing changed. TABLE_FULL: some found no room.
        """
        if self._busy:
            return self.count(_BUSY)
        self.inbox.open(buf, 0, count)
        self.now_ms = now_ms
        self.passes_on = do_broadcast
        return self._run(apply_many)

    def dump(self, buf):
        """Write every known member, Down ones included, into `buf` as `apply_many` takes them.

        Returns the number of bytes, or -1 when `buf` is too small (what it holds then is not complete).
        """
        pos = 0
        for row in self.iter_membership_state():
            if self.codec.member_bytes(row) > len(buf) - pos:
                return -1
            pos = self.codec.write_member(buf, pos, row)
        return pos

    def set_config(self, config):
        """Go over to `config`. INVALID_CONFIG, with nothing changed, for what cannot change while running.

        Those are the probe timings, the limits that memory was taken for, and switching a periodic message on; see
        `Config.forbids` for the reason as text.
        """
        if self._busy:
            return self.count(_BUSY)
        if config.send_bytes_max > len(self.outbox.buf) or self.config.forbids(config):
            return self.count(_INVALID_CONFIG)
        self.config = config
        return _OK

    def _put(self, identity):
        """Copy a record into the row CALL; returns False, with nothing changed, inside a callback."""
        if self._busy:
            return False
        at = _CALL * self.layout.record_bytes
        i = 0
        while i < self.layout.record_bytes:
            self.members.ids[at + i] = identity[i]
            i += 1
        return True

    # reading

    def identity(self):
        """Our current identity, as a record. Allocates."""
        return self.identity_of(_SELF)

    def identity_of(self, row):
        """The identity at `row`, as a record. Allocates."""
        width = self.layout.record_bytes
        return bytes(self.members.ids[row * width : (row + 1) * width])

    def num_members(self):
        """How many active members we know, Suspects included, ourselves not."""
        return self.members.active

    def iter_members(self):
        """The rows of the active members, in random order. Do not call verbs while iterating."""
        return (row for row in self.iter_membership_state() if self.members.states[row] != _DOWN)

    def iter_membership_state(self):
        """The rows of all known members, Down ones included (one may have our own address)."""
        members = self.members
        return (members.order[i] for i in range(members.count))

    def updates_backlog(self):
        """How many updates are queued."""
        return self.backlog.count()

    def custom_broadcast_backlog(self):
        """How many custom broadcasts are queued."""
        return self.items.count if self.items else 0

    def is_undead(self):
        """Whether we are out of the cluster until the identity changes."""
        return self.connection == _UNDEAD
