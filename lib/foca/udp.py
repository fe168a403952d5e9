"""UDP on CPython, unix, rp2 and esp32: whole datagrams out and in, and nothing raised. Floor 4.

Theory: losing a datagram is allowed, everything else is not. So every error of a socket is a count and at worst a new
socket; a datagram is read by `recv`, which keeps its bounds (`readinto` on a stream fills the buffer, so it glues
datagrams: py/stream.c); and a poll comes first, because a `recv` that finds nothing costs its buffer and an exception.

    port      sendto takes            queue   an empty datagram    families        numbers of errors
    CPython   (text, port)            kernel  is read as b""       4, 6, both      the system's
    unix      a packed sockaddr       kernel  the same             4, 6, both      Linux: 11, 101, 113
    rp2       [text, port]            1 or 4  the same             4, 6            its own: 11, 12, 113, -1
    esp32     [text, port]            6       ends the socket      4               newlib: 116, 118

- rp2: lwIP reads a number with a leading zero as octal; esp32 reads to the end of the text and takes any byte for a
  digit. So the text is exact: one bytes object per length, 7 .. 15, rewritten in place through uctypes.
- esp32: after an empty datagram every read gives b"" for ever (micropython-lib issue 736): close, open anew.
- esp32: what would block raises ETIMEDOUT; four packets to a host that does not answer ARP, then ENOMEM (issue 12842).
- rp2 up to 1.25 holds one datagram (pull request 17261): call `receive` often.
- Linux refuses broadcasts without SO_BROADCAST (EACCES). SO_REUSEADDR is never set: it would let two nodes share a port.
- No port tells that a datagram was cut: one byte more than the limit is asked for, and what fills it was too long.
Source: MicroPython 1.25 and 1.26 ports/unix/modsocket.c, extmod/modlwip.c, ports/esp32/modsocket.c,
shared/netutils/netutils.c; lwIP ip4addr_aton; newlib sys/errno.h. Measured on unix and rp2; esp32 is read, not run.
"""

import sys

from ._port import MICROPYTHON, PLATFORM, const, entropy, ticks_add, ticks_diff, ticks_ms
from .errors import ConfigError, UsageError
from .identity import format_ipv6, parse_host

_SENT = const(0)
_RECEIVED = const(1)
_LOST_WOULD_BLOCK = const(2)  # and the two kinds after it, in the order of _kinds
_LOST_OTHER = const(5)
_EMPTY = const(6)
_TOO_LONG = const(7)
_RECEIVE_ERRORS = const(8)
_REOPENED = const(9)
_MASK = const(0x3FFFFFFF)

# `Udp.counters[i]` counts COUNTER_NAMES[i]; each wraps at 2**30.
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

_SKIPS_MAX = const(8)  # empty or too long datagrams passed over in one `receive`
_FAILURES_MAX = const(8)  # in a row, then the socket is replaced
_REOPEN_MS = const(1000)  # at most once in
_PORT_TRIES_MAX = const(32)
_ANY = ("0.0.0.0", "::")
_IN_USE = (48, 98, 112, 10048)  # EADDRINUSE: macOS, Linux and lwIP, newlib, Windows
_NOT_OURS = (49, 99, 125, 10049)  # EADDRNOTAVAIL, the same order


class Udp:
    """One non-blocking UDP socket. `host` and `port` are what it is bound to; `last_errno` is of the latest failure.

    `layout`: identity.Layout of the records in `send`; with octets of IPv4 or IPv6, its port or else our own.
    `host`: a literal of this machine; "0.0.0.0" is every IPv4 and, for IPv6, every IPv6 address ("::").
    `port`: 1 .. 65535, or 0 for a free one, chosen here because only CPython tells which one the system chose.
    `packet_bytes_max`: 1 .. 65507, of a datagram that is accepted. `modules`: for tests, (socket, select, network,
    platform) or the first two. Raises UsageError saying what to change; nothing stays open then.
    """

    def __init__(
        self, layout, host="0.0.0.0", port=36220, packet_bytes_max=1400, broadcast=True, modules=None
    ):
        if modules is None:
            import select
            import socket

            modules = (socket, select)
        self._modules = modules = (tuple(modules) + (None, PLATFORM))[: 4 if len(modules) < 4 else None][:4]
        if len(modules) < 4 or modules[3] is None:
            self._modules = modules = (modules[0], modules[1], None, PLATFORM)
        self.closed = False
