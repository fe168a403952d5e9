"""The address of a record in the form that this port's sendto takes. Floor 4; used by udp.

And what error numbers mean, because each port has its own as well.

    port     form             families    class
    CPython  (text, port)     4, 6, both  Tuples: a new one each time
    unix     packed sockaddr  4, 6, both  Packed: one, rewritten
    rp2      [text, port]     4           Texts: one list and nine texts, rewritten
             (text, port)     6           Tuples
    esp32    [text, port]     4           Texts

Each has `local(host, port)`, the form for bind, and `put(ids, at)`, the form of the record at
`ids[at:]`, valid until the next call. Packed and Texts allocate nothing there.

- A text has the exact length: a leading zero is octal on rp2 (lwIP ip4addr_aton), and the esp32
  takes every byte up to the end for a digit or a dot (netutils_parse_ipv4_addr). Neither takes a
  bytearray, so a bytes object for each length, 7 .. 15, is rewritten through uctypes.
- "Both" is one IPv6 socket with IPV6_V6ONLY off, where IPv4 is ::ffff:a.b.c.d (RFC 4291); lwIP's
  UDP sockets have one family (extmod/modlwip.c: udp_new), the esp32's only IPv4 (modsocket.c).
Source: MicroPython ports/unix/modsocket.c, extmod/modlwip.c (lwip_parse_inet_addr),
ports/esp32/modsocket.c (socket_sendto), shared/netutils/netutils.c. Texts were measured on rp2
1.25; for the esp32 the source was read.
"""

from ._port import const
from .address import host_of, parse_host, port_of
from .errors import ConfigError, UsageError

_TYPING = const(0)
if _TYPING:
    from typing import Any  # noqa: TID251

    from .identity import Layout

_MAPPED = b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"

IN_USE = (98, 112, 48)  # EADDRINUSE: Linux and lwIP, newlib (esp32), macOS
_NOT_OURS = (99, 125, 49)  # EADDRNOTAVAIL

# Linux and lwIP (-1: ERR_IF), newlib (esp32), macOS. None means two things here.
_KINDS = (
    (11, 110, 116, 35, 60),  # would block
    (12, 105, 55),  # no memory
    (113, 101, 100, 112, 111, -1, 118, 114, 115, 117, 65, 51, 50, 64, 61),  # unreachable
)
_OTHER = const(3)


def kind_of(number: int) -> int:
    """What an error number means: 0 .. 2 as in _KINDS, 3 is anything else."""
    for kind in range(_OTHER):
        if number in _KINDS[kind]:
            return kind
    return _OTHER


def choose(layout: "Layout", socket: "Any", platform: str) -> "Packed | Texts | Tuples":
    """What writes addresses for records of `layout`, by what `socket` has. Raises UsageError."""
    if layout.tag < 0 and layout.octets != 4:
        raise UsageError("UDP carries IPv4 and IPv6 identities: use ipv4(), ipv6() or ip()")
    if hasattr(socket, "sockaddr"):
        return Packed(layout, socket)
    if not hasattr(socket, "gaierror"):  # not CPython: a board
        if layout.tag == 2 or (layout.tag == 1 and platform == "esp32"):
            raise UsageError("sockets of %s carry one IP version: use ipv4()" % (platform,))
        if layout.octets == 4:
            try:
                import uctypes

                return Texts(layout, uctypes)
            except ImportError:  # then every send makes a new text
                pass
    return Tuples(layout)


def check_host(layout: "Layout", host: str) -> tuple[str, str]:
    """(host, text to bind); "0.0.0.0" is every address of the family. Raises UsageError."""
    everything = "::" if layout.tag > 0 else "0.0.0.0"
    if host in ("", "0.0.0.0"):
        host = everything
    try:
        octets = len(parse_host(host))
    except ConfigError as error:
        raise UsageError(str(error)) from None
    if octets == 4 and layout.tag == 2:
        return host, "::ffff:" + host
    if octets != layout.octets:
        raise UsageError("host %s is not of the IP version of the identities" % (host,))
    return host, host


def refused(error: OSError, host: str, port: int) -> UsageError:
    """What to tell a person when a socket cannot be opened: a UsageError."""
    number = error.args[0] if error.args else 0
    why = "cannot be opened: %s" % (error,)
    if number in IN_USE:
        why = "is in use: stop what uses it or choose another port"
    elif number in _NOT_OURS:
        why = "cannot be opened: this machine does not have that address"
    return UsageError("UDP port %d on %s %s" % (port, host, why))


class Tuples:
    def __init__(self, layout: "Layout") -> None:
        self.layout = layout
        self.port = 0

    def local(self, host: str, port: int) -> tuple[str, int]:
        self.port = port
        return (host, port)

    def put(self, ids: bytes | bytearray, at: int) -> tuple[str, int]:
        layout = self.layout
        host = host_of(layout, ids, at)
        if layout.tag == 2 and ids[at] == 0:
            host = "::ffff:" + host
        return host, port_of(layout, ids, at) if layout.has_port else self.port


class Packed:
    def __init__(self, layout: "Layout", socket: "Any") -> None:
        self.layout = layout
        self.getaddrinfo = socket.getaddrinfo
        self.address = bytearray(0)

    def local(self, host: str, port: int) -> bytes:
        """Ours; `put` rewrites a copy of it, so that family and length are the system's own."""
        address: bytes = self.getaddrinfo(host, port)[0][-1]
        self.address = bytearray(address)
        return address

    def put(self, ids: bytes | bytearray, at: int) -> bytearray:
        """The port is at 2, the octets at 4 for IPv4 and at 8 for IPv6, on Linux and on BSD."""
        layout = self.layout
        if layout.has_port:
            self.address[2] = ids[at + layout.port_at]
            self.address[3] = ids[at + layout.port_at + 1]
        if layout.octets == 4:
            return _copy(ids, at, self.address, 4, 8)
        if layout.tag == 1 or ids[at]:
            return _copy(ids, at + layout.octets_at, self.address, 8, 24)
        _copy(_MAPPED, 0, self.address, 8, 20)
        return _copy(ids, at + 1, self.address, 20, 24)


def _copy(source: bytes | bytearray, at: int, target: bytearray, to: int, end: int) -> bytearray:
    while to < end:
        target[to] = source[at]
        at += 1
        to += 1
    return target


class Texts:
    def __init__(self, layout: "Layout", uctypes: "Any") -> None:
        self.has_port = layout.has_port
        self.texts = [bytes(length) for length in range(7, 16)]
        self.views = [uctypes.bytearray_at(uctypes.addressof(t), len(t)) for t in self.texts]
        self.address: list[Any] = [None, 0]

    def local(self, host: str, port: int) -> tuple[str, int]:
        self.address[1] = port
        return (host, port)

    def put(self, ids: bytes | bytearray, at: int) -> "list[Any]":
        address = self.address
        if self.has_port:
            address[1] = ids[at + 4] << 8 | ids[at + 5]
        end = at + 4
        length = 0  # beyond 7
        while at < end:
            length += (ids[at] > 9) + (ids[at] > 99)
            at += 1
        address[0] = self.texts[length]
        _put_text(self.views[length], ids, at - 4)
        return address


def _put_text(view: bytearray, ids: bytes | bytearray, at: int) -> None:
    end = at + 4
    to = _put_number(view, 0, ids[at])
    at += 1
    while at < end:
        view[to] = 46  # .
        to = _put_number(view, to + 1, ids[at])
        at += 1


def _put_number(view: bytearray, to: int, number: int) -> int:
    """0 .. 255 without leading zeros; where the next character goes."""
    if number > 99:
        view[to] = 48 + number // 100
        to += 1
    if number > 9:
        view[to] = 48 + number // 10 % 10
        to += 1
    view[to] = 48 + number % 10
    return to + 1
