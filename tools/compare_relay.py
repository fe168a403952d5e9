"""Counts what nodes send each other where the interface cannot be read: a relay between them.

A node binds 127.0.0.1:PORT and tells the others that it lives at 127.0.0.2:PORT. There the relay
listens, by UDP and TCP, and hands on what comes. A datagram leaves it through the socket at its
sender's public address: the receiver sees who has sent it, and an answer takes the same way. One
that comes from no node is dropped and counted as `unread`.

Each is counted once, as a capture without a relay would have it:

    UDP    a packet per datagram: its payload, and 28 bytes of headers
    TCP    the payload of both directions, as it is handed on. The packets are those between the
           relay and the node that was called, as the kernel counts them (TCP_INFO); they are
           added when the connection ends

It has no thread: whoever owns it waits for `fileno` and calls `drain`. A datagram waits in the
relay for as long as that takes. Linux; no rights are needed, and nothing leaves 127.0.0.0/8.
"""

import collections.abc
import functools
import selectors
import socket
import struct

from compare_traffic import TCP, UDP, Counts, Packet

NODES_HOST, PUBLIC_HOST = "127.0.0.1", "127.0.0.2"
_UDP_HEADERS = 28
_TCP_HEADERS, _TIMESTAMPS, _SYN_OPTIONS = 40, 12, 20
_CONNECT_S = 1.0
_BYTES_MAX = 65536
_INFO_BYTES, _SEGMENTS_AT = 144, 136  # of struct tcp_info: both counts of segments are its end


class Half:
    """One direction of a connection."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.payload_bytes = 0
        self.pending = b""
        """what the sink had no room for"""
        self.has_ended = False

    def move(self) -> int:
        """Hand on some of what is there now; returns how many bytes were read."""
        data = b""
        try:
            if not self.pending and not self.has_ended:
                self.pending = data = self.source.recv(_BYTES_MAX)
                self.payload_bytes += len(data)
                if not data:
                    self.has_ended = True
                    self.sink.shutdown(socket.SHUT_WR)
            if self.pending:
                self.pending = self.pending[self.sink.send(self.pending) :]
        except BlockingIOError:
            pass
        return len(data)


class Relay(Counts):
    """Between the nodes at these ports, until `close`."""

    how = "relay"

    def __init__(self, ports: collections.abc.Iterable[int]) -> None:
        super().__init__(UDP, TCP)
        self._selector = selectors.EpollSelector()
        self._sockets: set[socket.socket] = set()
        self._udp: dict[int, socket.socket] = {}
        self._tcp: dict[int, socket.socket] = {}
        try:
            for port in ports:
                udp = self._udp[port] = self._own(socket.socket(type=socket.SOCK_DGRAM))
                udp.bind((PUBLIC_HOST, port))
                self._watch(udp, selectors.EVENT_READ, functools.partial(self._datagram, port))
                tcp = self._tcp[port] = self._own(socket.create_server((PUBLIC_HOST, port)))
                self._watch(tcp, selectors.EVENT_READ, functools.partial(self._accept, port))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        return self._selector.fileno()

    def drain(self) -> None:
        """Hand on all that is there."""
        while ready := self._selector.select(0):
            for key, _ in ready:
                if key.fileobj in self._sockets:  # else closed by the one before
                    key.data()

    def close(self) -> None:
        """Stop; a second time: nothing. The counts stay."""
        while self._sockets:
            self._sockets.pop().close()
        self._selector.close()

    def _own(self, one: socket.socket) -> socket.socket:
        one.setblocking(False)
        self._sockets.add(one)
        return one

    def _watch(
        self, one: socket.socket, mask: int, turn: collections.abc.Callable[[], None]
    ) -> None:
        """Have `turn` called for these events; 0: for none."""
        if one in self._selector.get_map():
            self._selector.unregister(one)
        if mask:
            self._selector.register(one, mask, turn)

    def _drop(self, one: socket.socket) -> None:
        self._watch(one, 0, self.drain)
        self._sockets.remove(one)
        one.close()

    def _datagram(self, port: int) -> None:
        """Hand one on to the node at `port`."""
        data, (host, sender) = self._udp[port].recvfrom(_BYTES_MAX)
        if host != NODES_HOST or sender not in self._udp:
            self.unread += 1
            return
        self.add(Packet(UDP, sender, port, len(data), len(data) + _UDP_HEADERS))
        try:
            self._udp[sender].sendto(data, (NODES_HOST, port))
        except BlockingIOError:
            self.lost += 1

    def _accept(self, port: int) -> None:
        """Connect a caller to the node at `port`."""
        caller = self._own(self._tcp[port].accept()[0])
        try:
            callee = self._own(socket.create_connection((NODES_HOST, port), _CONNECT_S))
        except OSError:
            self._drop(caller)
            return
        for one in (caller, callee):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._turn(Half(caller, callee), Half(callee, caller))

    def _turn(self, there: Half, back: Half) -> None:
        """Hand on what a connection has, and see what it waits for."""
        try:
            for half in (there, back):
                self.sums[TCP].payload_bytes += half.move()
        except OSError:  # one of the two has broken off
            there.has_ended = back.has_ended = True
        if there.has_ended and back.has_ended:
            self._end(there, back)
            return
        for half, other in ((there, back), (back, there)):
            mask = selectors.EVENT_WRITE if other.pending else 0
            if not half.pending and not half.has_ended:
                mask |= selectors.EVENT_READ
            self._watch(half.source, mask, functools.partial(self._turn, there, back))

    def _end(self, there: Half, back: Half) -> None:
        """Count the packets of a connection, and close it."""
        info = there.sink.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        packets = sum(struct.unpack_from("II", info, _SEGMENTS_AT))
        headers = packets * (_TCP_HEADERS + _TIMESTAMPS) + 2 * (_SYN_OPTIONS - _TIMESTAMPS)
        self.sums[TCP].packets += packets
        self.sums[TCP].ip_bytes += there.payload_bytes + back.payload_bytes + headers
        self._drop(there.source)
        self._drop(there.sink)
