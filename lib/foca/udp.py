"""UDP on CPython, unix, rp2 and esp32: whole datagrams out and in, nothing raised. Floor 4.

Losing a datagram is allowed. So an error of the socket is a count, at worst a new socket. `recv`
reads one datagram (`readinto` glues them: py/stream.c); a poll comes first, because a `recv` that
finds nothing costs its buffer and an exception.

    port     holds   an empty datagram  would block
    CPython  many    reads as b""       EAGAIN
    unix     many    reads as b""       EAGAIN
    rp2      1 or 4  reads as b""       ENOMEM     1 up to 1.25 (PR 17261)
    esp32    6       ends the socket    ETIMEDOUT  ENOMEM while ARP has no answer (#12842)

- esp32: after an empty datagram all reads give b"" (micropython-lib #736): open a new socket.
- Linux broadcasts only with SO_BROADCAST. SO_REUSEADDR would let two nodes share a port: never.
- A cut datagram looks whole: ask for a byte more than the limit; what fills it was too long.
- Addresses and error numbers of each: sockaddr.py.
Source: as there; measured on unix and rp2 1.25, for the esp32 read.
"""

from ._port import PLATFORM, const, entropy, ticks_add, ticks_diff, ticks_ms
from .errors import UsageError
from .sockaddr import IN_USE, check_host, choose, kind_of, refused

_TYPING = const(0)
if _TYPING:
    from typing import Any  # noqa: TID251

    from .identity import Layout

COUNTER_NAMES = (
    "Sent",
    "Received",
    "LostWouldBlock",
    "LostNoMemory",
    "LostUnreachable",
    "LostOther",
    "Empty",
    "TooLong",
    "ReceiveErrors",
    "Reopened",
)
_SENT = const(0)
_RECEIVED = const(1)
_LOST_BY_KIND = const(2)  # to 5
_EMPTY = const(6)
_TOO_LONG = const(7)
_RECEIVE_ERRORS = const(8)
_REOPENED = const(9)
_MASK = const(0x3FFFFFFF)
_OTHER = const(3)

_ERRORS = (OSError, MemoryError, ValueError)  # what a socket raises; anything else is our bug
_SKIPS_MAX = const(8)  # useless datagrams passed over by one `receive`
_FAILURES_MAX = const(8)  # reads or other sends, without a success: a new socket
_REOPEN_MS = const(1000)  # between attempts, at least
_TRIES_MAX = const(32)  # ports, to find a free one


class Udp:
    """A socket. `host`, `port`: as bound; `counters[i]`: of COUNTER_NAMES[i], modulo 2**30.

    `layout`: of the records for `send`; those without a port mean ours. `host`: a literal;
    "0.0.0.0" is every address, also of IPv6. `port`: 0 is a free one, chosen here: only CPython
    tells what the system chose. `packet_bytes_max`: accepted. `modules`: socket, select and
    perhaps network and platform, for tests. Raises UsageError, and then leaves nothing open.
    """

    if _TYPING:
        _sock: Any
        _view: Any
        _view_of: bytearray | None

    def __init__(
        self,
        layout: "Layout",
        host: str = "0.0.0.0",
        port: int = 36220,
        packet_bytes_max: int = 1400,
        broadcast: bool = True,
        modules: "tuple[Any, ...] | None" = None,
    ) -> None:
        if modules is None:
            import select
            import socket

            modules = (socket, select)
        self._socket = socket = modules[0]
        self._select = modules[1]
        self._network, self._platform = modules[2:] or (None, PLATFORM)
        if not 0 <= port <= 65535 or not 1 <= packet_bytes_max <= 65507:
            raise UsageError("port is not 0 .. 65535, or packet_bytes_max not 1 .. 65507")
        self.packet_bytes_max = packet_bytes_max
        self._ask_bytes = packet_bytes_max + 1
        self.counters = [0] * len(COUNTER_NAMES)
        self.last_errno = 0
        self._layout = layout
        self._broadcast = broadcast
        self._six = layout.tag > 0
        self._sock = self._view_of = self._view = None
        self._failures = 0
        self._tried_ms = ticks_add(ticks_ms(), -_REOPEN_MS)
        self._closed = False
        self._addresses = choose(layout, socket, self._platform)
        self._put = self._addresses.put
        self.host, self._bind_host = check_host(layout, host)
        self._shut()
        self._bind(port)

    def _bind(self, port: int) -> None:
        """Open on `port`, or for 0 on a free one of the dynamic range."""
        tries = 1 if port else _TRIES_MAX
        while True:
            tries -= 1
            self.port = port or 49152 + entropy() % 16384
            try:
                return self._open()
            except OSError as error:
                if not tries or error.args[0] not in IN_USE:
                    raise refused(error, self.host, self.port) from None

    def _open(self) -> None:
        """A new socket, bound and polled; after an exception there is none."""
        module = self._socket
        sock = module.socket(module.AF_INET6 if self._six else module.AF_INET, module.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if self._broadcast and hasattr(module, "SO_BROADCAST"):
                sock.setsockopt(module.SOL_SOCKET, module.SO_BROADCAST, 1)
            if self._six and self._platform != "rp2":  # IPV6_V6ONLY; unix has no names for it
                only = 27 if self._platform == "darwin" else 26
                sock.setsockopt(41, only, int(self._layout.tag == 1))
            sock.bind(self._addresses.local(self._bind_host, self.port))
            self._poll.register(sock, self._select.POLLIN)
        except Exception:
            sock.close()
            raise
        self._sock = sock

    def _shut(self) -> None:
        try:
            if self._sock:
                self._sock.close()
        except _ERRORS:
            pass
        self._sock = None
        self._poll = self._select.poll()  # the old one may watch a closed socket
        self._ipoll = getattr(self._poll, "ipoll", None)

    def _reopen(self, at_once: bool = False) -> bool:
        """Replace the socket, if _REOPEN_MS are over; whether there is one then."""
        now_ms = ticks_ms()
        soon = 0 <= ticks_diff(now_ms, self._tried_ms) < _REOPEN_MS and not at_once
        if self._closed or soon:
            return self._sock is not None
        self._tried_ms = now_ms
        self._failures = 0
        try:
            self._shut()
            self._open()
        except _ERRORS as error:
            self._kind(error)
            return False
        self._count(_REOPENED)
        return True

    def _count(self, index: int) -> None:
        self.counters[index] = self.counters[index] + 1 & _MASK

    def _kind(self, error: Exception) -> int:
        number = error.args[0] if error.args else 0
        self.last_errno = number = 12 if isinstance(error, MemoryError) else number
        return kind_of(number)

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= _FAILURES_MAX:
            self._reopen()

    def send(self, ids: bytes | bytearray, at: int, buf: bytearray, count: int) -> bool:
        """Send `buf[:count]` to the address of the record at `ids[at:]`; False: lost, counted.

        A view of `buf` is kept: change it at will, but on CPython do not resize it.
        """
        try:
            if self._sock or self._reopen():
                if count < len(buf):
                    if buf is not self._view_of:
                        self._view = memoryview(buf)
                        self._view_of = buf
                    buf = self._view[:count]
                self._sock.sendto(buf, self._put(ids, at))
                self._failures = 0
                self._count(_SENT)
                return True
            self._count(_LOST_BY_KIND + _OTHER)
        except _ERRORS as error:
            self._not_sent(error)
        return False

    def _not_sent(self, error: Exception) -> None:
        kind = self._kind(error)
        self._count(_LOST_BY_KIND + kind)
        if kind == _OTHER:
            self._failed()

    def receive(self) -> bytes | None:
        """The next datagram, exact; None: nothing there, or only _SKIPS_MAX useless ones."""
        for _ in range(_SKIPS_MAX):
            data = self._read()
            if data is None:
                return None
            if not data:
                self._count(_EMPTY)
                if self._platform == "esp32":
                    self._reopen(True)  # or a stranger could keep us deaf
                    return None
            elif len(data) > self.packet_bytes_max:
                self._count(_TOO_LONG)
            else:
                self._failures = 0
                self._count(_RECEIVED)
                return data
        return None

    def _read(self) -> bytes | None:
        try:
            if (self._sock or self._reopen()) and self._readable(0):
                return self._sock.recv(self._ask_bytes)  # type: ignore[no-any-return]
        except _ERRORS as error:
            self._not_read(error)
        return None

    def _not_read(self, error: Exception) -> None:
        if self._kind(error):
            self._count(_RECEIVE_ERRORS)
            self._failed()

    def _readable(self, timeout_ms: int) -> bool:
        if self._ipoll:  # allocates nothing
            for _ in self._ipoll(timeout_ms):
                return True
            return False
        return bool(self._poll.poll(timeout_ms))

    def wait(self, timeout_ms: int) -> bool:
        """Sleep until a datagram is there or `timeout_ms` are over; whether one is."""
        try:
            return self._readable(timeout_ms)
        except _ERRORS:
            return False

    def close(self) -> None:
        """Close for good; a second time: nothing."""
        self._closed = True
        self._shut()
        self._view_of = self._view = None

    def local_address(self, peer_host: str | None = None) -> str | None:
        """The host that others reach us at; None: it must be told. See interface.py."""
        if self.host not in ("0.0.0.0", "::"):
            return self.host
        from .interface import local_address

        return local_address(self._socket, self._network, self._layout.tag == 1, peer_host)
