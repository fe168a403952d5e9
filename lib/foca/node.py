"""Class Foca: one member of the cluster. Floor 3, highest step.

    application -- handle_data, tick, verbs --> Foca -- send_to, notify --> Runtime

No I/O, no clock, no randomness: bytes, time and a seed come in, so that a run can be replayed on
any interpreter. All memory is taken by the constructor.

Rules: one thread, never from an interrupt: a call made inside another one answers BUSY. `now_ms`
is as `ticks_ms` of foca._port gives it and does not go back. Data from the network is answered
with a status and a counter, never with an exception.
Source: foca's API (docs/FEATURES.md, docs/DIFFERENCES.md).
"""

from array import array

from ._port import const, entropy
from .backlog import Backlog
from .cursor import Cursor
from .custom import add_broadcast
from .identity import Layout
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
from .verbs import announce, apply_many, broadcast, dump, tick

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable, Iterator

    from .broadcast import BroadcastHandler
    from .codec import Codec
    from .config import Config
    from .runtime import Runtime

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
    """One member. To read: `config`, `members`, `probe`, `counters`, `connection`, `generation`.

    In DATA_SENT, DATA_RECEIVED also `message_tag`, `message_number`, `message_third` (a row).
    """

    def __init__(
        self,
        identity: bytes | bytearray,
        config: "Config",
        runtime: "Runtime",
        codec: "type[Codec]" = Postcard,
        layout: Layout | None = None,
        handler: "BroadcastHandler | None" = None,
        seed: int | None = None,
    ) -> None:
        """A node alone in the world: Disconnected, incarnation 0, no members.

        identity: a record of `layout`, by default IPv4 and a 64-bit bump (foca.address.parse).
        config: kept, so do not change it, call `set_config`. codec: Postcard or Bincode.
        handler: None refuses custom broadcasts. seed: 0 and up, None: the system's entropy.
        Raises ConfigError.
        """
        config.check()
        layout = layout or Layout()
        layout.check(identity)
        self.config = config
        self.runtime = runtime
        self.layout = layout
        self.handler: BroadcastHandler = handler  # type: ignore[assignment] # as `items`
        rng = Rng(entropy() if seed is None else seed)
        self.members = members = Members(layout, config.members_max, rng)
        layout.put(members.ids, _SELF, identity)
        self.codec = codec(members)
        self.codec.know_own()
        members.know_own()
        self.header_bytes_max = 3 * self.codec.identity_bytes_max() + 5
        self.picker = Picker(members)
        self.backlog = Backlog(members, self.codec, config.send_bytes_max)
        self.probe = Probe(members)
        self.timers = Timers(members)
        self.limits = Limits(
            (config.turn_undeads_max, config.relays_max, config.feeds_max, config.renewals_max)
        )
        self.items = None
        if handler is not None:
            from .items import Items

            self.items = Items(handler, config.items_max, config.items_bytes_max)
        self.counters = array("i", [0] * _COUNTERS)
        self.suspected: array[int] = None  # type: ignore[assignment] # unless strict
        if config.strict:
            self.suspected = array("H", bytes(2 * members.rows))
        self.inbox = Cursor()
        self.outbox = Cursor()
        self.outbox.buf = bytearray(config.send_bytes_max)
        self.connection = _DISCONNECTED
        self.generation = self.now_ms = self.newcomer = 0
        self.renew_step = self.renewed_ms = 0
        self.head = self.updates = self.foreign = self.custom_at = 0
        self.message_tag = self.message_number = self.message_third = 0
        self.has_left = self.passes_on = self._busy = False

    def handle_data(self, buf: bytes | bytearray, count: int, now_ms: int) -> int:
        """React to the datagram buf[:count]; returns a status. Nothing of `buf` is kept.

        Only OK, INDIRECT_FOR_OURSELVES, CUSTOM_BROADCAST, ENCODE and the MALFORMED_PACKET of a
        custom section changed anything.
        """
        if not self._busy:
            self.inbox.open(buf, 0, count)
            self.now_ms = now_ms
        return self._run(receive)

    def tick(self, now_ms: int) -> int:
        """Do what is due, at most `timers_per_tick_max` things.

        Returns in how many milliseconds to call again at the latest, 0 .. 60,000.
        """
        if self._busy:
            self.count(_BUSY)
            return 0
        self.now_ms = now_ms
        if self.timers.remaining_ms(now_ms) == 0:
            self._run(tick)
        return self.timers.remaining_ms(now_ms)

    def _run(self, verb: "Callable[[Foca], int]") -> int:
        """Run `verb(self)` with the guard up, or answer BUSY; returns its status, counted."""
        status = _BUSY
        if not self._busy:
            self._busy = True
            try:
                status = verb(self)
            finally:
                self._busy = False
        return self.count(status)

    def count(self, status: int) -> int:
        """Count a status that is not OK, and return it."""
        if status:
            self.counters[status] += 1
        return status

    # foca's verbs; each answers BUSY, and does nothing, inside a callback

    def announce(self, identity: bytes | bytearray) -> int:
        """Send an Announce to `identity`, a record with a guessed bump: the way to join."""
        self._put(identity)
        return self._run(announce)

    def gossip(self) -> int:
        """Send a Gossip to `num_indirect_probes` active members, in any case."""
        return self._run(gossip)

    def broadcast(self) -> int:
        """Send the custom broadcasts to some members that want them, now."""
        return self._run(broadcast)

    def add_broadcast(self, data: bytes | bytearray, count: int) -> int:
        """Queue the custom broadcast data[:count]; nothing changes unless OK.

        STALE: the handler knew it. MALFORMED_PACKET: empty. DATA_TOO_BIG: for any packet.
        CUSTOM_BROADCAST: the handler refused it, or there is none.
        """
        if not self._busy:
            self.inbox.open(data, 0, count)
        return self._run(add_broadcast)

    def leave_cluster(self) -> int:
        """Tell some members that we are Down, then be Undead: only listen."""
        return self._run(leave)

    def change_identity(self, identity: bytes | bytearray) -> int:
        """Become `identity`, a record; the old one is told Down, members are kept."""
        self._put(identity)
        return self._run(change_identity)

    def reuse_down_identity(self) -> int:
        """After leaving or being declared Down: be alive again, once forgotten by others."""
        return self._run(reuse_down_identity)

    def apply_many(
        self, buf: bytes | bytearray, count: int, do_broadcast: bool, now_ms: int
    ) -> int:
        """Apply the members in buf[:count], as `dump` writes them. do_broadcast: pass them on.

        DECODE: malformed, nothing changed. TABLE_FULL: some found no room.
        """
        if not self._busy:
            self.inbox.open(buf, 0, count)
            self.now_ms = now_ms
            self.passes_on = do_broadcast
        return self._run(apply_many)

    def dump(self, buf: bytearray) -> int:
        """Write all known members into `buf`, for `apply_many`; how many bytes, -1: no room."""
        return dump(self, buf)

    def set_config(self, config: "Config") -> int:
        """Go over to `config`. INVALID_CONFIG, nothing changed: `Config.forbids` tells why not."""
        if self._busy:
            return self.count(_BUSY)
        if config.send_bytes_max > len(self.outbox.buf) or self.config.forbids(config):
            return self.count(_INVALID_CONFIG)
        self.config = config
        return _OK

    def _put(self, identity: bytes | bytearray) -> None:
        """Copy a record to the row CALL, unless busy."""
        if not self._busy:
            self.layout.put(self.members.ids, _CALL, identity)

    # reading

    def identity(self) -> bytes:
        """Our current identity, as a record. Allocates."""
        return self.identity_of(_SELF)

    def identity_of(self, row: int) -> bytes:
        """The identity at `row`, as a record. Allocates."""
        width = self.layout.record_bytes
        return bytes(self.members.ids[row * width : (row + 1) * width])

    def num_members(self) -> int:
        """How many active members we know, Suspects too, ourselves not."""
        return self.members.active

    def iter_members(self) -> "Iterator[int]":
        """The rows of the active members, in random order. No verbs while iterating."""
        return (row for row in self.iter_membership_state() if self.members.states[row] != _DOWN)

    def iter_membership_state(self) -> "Iterator[int]":
        """The rows of all known members, Down ones too; one may have our address."""
        members = self.members
        return (members.order[i] for i in range(members.count))

    def updates_backlog(self) -> int:
        """How many updates are queued."""
        return self.backlog.count()

    def custom_broadcast_backlog(self) -> int:
        """How many custom broadcasts are queued."""
        return self.items.count if self.items else 0

    def is_undead(self) -> bool:
        """Whether we are out of the cluster until the identity changes."""
        return self.connection == _UNDEAD
