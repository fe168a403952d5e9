"""A node that runs: the machine, a UDP socket and the search for peers behind one object. Floor 4.

    while True:                 await agent.run()        one task, no task per packet
        agent.poll()
        time.sleep(0.02)        async for event in agent.events(): ...

One turn reads at most `datagrams_per_turn_max` datagrams, fires what is due, looks for peers if
there are none, and then tells the application: callbacks run between turns, never inside the
machine, so they may call anything here. What they raise, and what a broadcast handler raises
inside the machine, is counted and printed, and the node goes on.
"""

from ._port import const, entropy, ticks_ms, unix_seconds
from .address import bump_of, parse, text_of
from .config import Config
from .errors import UsageError
from .events import Event, Events, Member, print_exception, sleep_ms
from .identity import ip, ipv4
from .join import Join
from .node import Foca
from .postcard import Postcard
from .runtime import DATA_RECEIVED, Runtime
from .wire import STATE_NAMES

PORT = 36220
"""The default UDP port. One fleet per port: datagrams are not authenticated."""

_TYPING = const(0)
if _TYPING:
    from collections.abc import Callable, Iterable

    from .broadcast import BroadcastHandler
    from .codec import Codec
    from .identity import Layout
    from .trace import TracingRuntime
    from .udp import Udp

_POLL_MS = const(20)


class Agent(Runtime):
    """A running member.

    Public, to read: `foca` (the machine), `udp` (the socket), `joining`, `callback_errors`.
    """

    def __init__(
        self,
        bind: str = "0.0.0.0:36220",
        seeds: "Iterable[str]" = (),
        address: str | None = None,
        bump: int | None = None,
        config: Config | None = None,
        codec: "type[Codec]" = Postcard,
        layout: "Layout | None" = None,
        handler: "BroadcastHandler | None" = None,
        on_event: "Callable[[Event], object] | None" = None,
        udp: "Udp | None" = None,
        clock: "Callable[[], int]" = ticks_ms,
        seed: int | None = None,
        runtime: "TracingRuntime | None" = None,
        broadcast: bool = False,
        remembered: "Iterable[str]" = (),
    ) -> None:
        """Open the socket and start looking for peers at the first `poll`.

        bind: HOST:PORT to listen at; [HOST]:PORT takes IPv6 and IPv4 members. seeds: HOST:PORT
        of members to join through. address: where others reach us, if that is not `bind`; needed
        when bound to 0.0.0.0 and the interface cannot be found out. bump: tells this life from
        earlier ones and must grow; default unix seconds, 1 without a clock. config: default
        Config.lan(32). codec, layout, handler, seed: see `Foca`. on_event: called with every
        `Event`. udp, clock, runtime: replace the transport, the time, and what stands between the
        machine and this object (`TracingRuntime`). broadcast: also look for peers by asking
        everybody on the subnet (IPv4). remembered: addresses of peers of an earlier life, asked
        when neither of the others helps. Raises ConfigError or UsageError saying what to change,
        and leaves no socket open.
        """
        layout = layout or (ip() if bind.startswith("[") else ipv4())
        config = config or Config.lan(32)
        listen = parse(layout, bind)
        records = [parse(layout, text) for text in seeds]
        old_records = [parse(layout, text) for text in remembered]
        seed = entropy() if seed is None else seed
        self.udp = udp or _open_udp(layout, listen, config)
        try:
            identity = self._identity(layout, address, bump, listen, records)
            self.foca = Foca(identity, config, runtime or self, codec, layout, handler, seed)
        except Exception:
            self.udp.close()
            raise
        if runtime is not None:
            runtime.inner = self
            runtime.attach(self.foca)
        self.joining = Join(self.foca, records, seed, broadcast, old_records)
        self.callback_errors = 0
        self.on_event = on_event
        self.is_closed = False
        self._clock = clock
        self._queues: list[Events] = []
        self._own = self.events() if on_event else None

    def _identity(
        self,
        layout: "Layout",
        address: str | None,
        bump: int | None,
        listen: bytes,
        seeds: list[bytes],
    ) -> bytes:
        if bump is None:  # 0 is for placeholders, if it can be anything else
            largest = (1 << 8 * layout.bump_bytes) - 1
            bump = unix_seconds() & largest or min(1, largest)
        if address is not None:
            return parse(layout, address, bump)
        host: str | None = text_of(layout, listen).rpartition(":")[0]
        if host in ("0.0.0.0", "[::]"):
            peer = text_of(layout, seeds[0]).rpartition(":")[0] if seeds else None
            host = self.udp.local_address(peer and peer.strip("[]"))
            if not host:
                raise UsageError(
                    "bound to every interface, and this system does not tell our address: "
                    "pass address='HOST:PORT'"
                )
            if ":" in host:
                host = "[" + host + "]"
        return parse(layout, "%s:%d" % (host, self.udp.port), bump)

    # the machine's runtime

    def send_to(self, row: int, buf: bytearray, count: int) -> None:
        self.udp.send(self.foca.members.ids, row * self.foca.layout.record_bytes, buf, count)

    def notify(self, event: int, row: int) -> None:
        if event < DATA_RECEIVED:
            for queue in self._queues:
                queue.put(event, self.foca.members.ids, row)

    # running

    def poll(self) -> int:
        """One turn; returns the milliseconds until something is due, 0 .. 60,000.

        Datagrams may come earlier.
        """
        if self.is_closed:
            return 60000
        try:
            wait_ms = self._turn()
        except Exception as error:  # of a broadcast handler: it runs inside the machine
            self._show(error)
            wait_ms = _POLL_MS
        if self._own:
            self._tell(self._own)
        return wait_ms

    def _turn(self) -> int:
        foca = self.foca
        left = foca.config.datagrams_per_turn_max
        while left:
            data = self.udp.receive()
            if data is None:
                break
            foca.handle_data(data, len(data), self._clock())
            left -= 1
        now_ms = self._clock()
        wait_ms = self.joining.step(now_ms)
        due_ms = foca.tick(now_ms)
        return min(due_ms, wait_ms) if left else 0

    def _tell(self, own: Events) -> None:
        while True:
            event = own.get()
            if event is None:
                return
            try:
                if self.on_event:
                    self.on_event(event)
            except Exception as error:
                self._show(error)

    def _show(self, error: Exception) -> None:
        self.callback_errors += 1
        print_exception(error)

    async def run(self) -> None:
        """Turn after turn until `close`, as one task. Cancelled, it leaves the socket open."""
        while not self.is_closed:
            await sleep_ms(min(self.poll(), _POLL_MS))

    def run_forever(self) -> None:
        """The same without asyncio; sleeps in the socket until there is something to do."""
        while not self.is_closed:
            self.udp.wait(min(self.poll(), 1000))

    # what the application asks for

    def events(self, events_max: int = 32) -> Events:
        """A new queue that gets every event from now on; not read, it counts what it missed."""
        queue = Events(self.foca.layout, events_max)
        self._queues.append(queue)
        return queue

    def members(self, include_down: bool = False) -> list[Member]:
        """The active members, ourselves not among them; with the Down ones if asked."""
        foca = self.foca
        rows = foca.iter_membership_state() if include_down else foca.iter_members()
        return [self._member(row) for row in rows]

    def _member(self, row: int) -> Member:
        foca = self.foca
        record = foca.identity_of(row)
        return Member(
            text_of(foca.layout, record),
            bump_of(foca.layout, record),
            STATE_NAMES[foca.members.states[row]],
            foca.members.incarnations[row],
        )

    @property
    def address(self) -> str:
        """Where others reach us, HOST:PORT."""
        return text_of(self.foca.layout, self.foca.identity())

    @property
    def bump(self) -> int:
        """The bump of our current identity; it grows when we are declared down and come back."""
        return bump_of(self.foca.layout, self.foca.identity())

    def announce(self, address: str) -> int:
        """Send one Announce to HOST:PORT now, whether it is a seed or not; returns a status."""
        return self.foca.announce(parse(self.foca.layout, address))

    def broadcast(self, data: bytes) -> int:
        """Queue a custom broadcast and send it to a few members at once; returns a status."""
        return self.foca.add_broadcast(data, len(data)) or self.foca.broadcast()

    def leave(self) -> int:
        """Tell a few members that we go, and close; returns a status.

        A member that just vanishes is found out seconds later instead.
        """
        status = 0 if self.is_closed else self.foca.leave_cluster()
        self.close()
        return status

    def close(self) -> None:
        """Close the socket; the second time does nothing."""
        self.is_closed = True
        self.udp.close()


def _open_udp(layout: "Layout", listen: bytes, config: Config) -> "Udp":
    from .udp import Udp

    host, _, port = text_of(layout, listen).rpartition(":")
    return Udp(layout, host.strip("[]"), int(port), config.packet_bytes_max)
