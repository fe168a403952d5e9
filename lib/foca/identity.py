"""Identities: what a member is called, as a record of fixed width. Floor 1.

    record := [ family:1 ]  octets  [ port:2 ]  bump        (family only where a table holds both IPv4 and IPv6)
              '---------- address ----------'

An identity is an address, unique in the cluster, and a bump that tells successive lives at that address apart: the
larger bump wins. All integers are big-endian, so that comparing bytes compares numbers, and a 64-bit bump never
becomes an int on the hot path (ints above 2**30 allocate on a board).

A `Layout` says how wide the parts are and what goes on the wire; the codec owns how integers are written there. To
change who wins a conflict or how an identity is renewed, subclass it and override `wins` or `renew`.
Source: docs/WIRE.md; SocketAddr on the wire carries a family index (0 IPv4, 1 IPv6), a bare IPv4 or own address none.
"""

from ._port import const
from .errors import ConfigError

_UNTAGGED = const(-1)
_V4 = const(0)
_V6 = const(1)
_BOTH = const(2)


class Layout:
    """Widths and rules of one kind of identity. Everything is in bytes; offsets are from the start of a record.

    `tag`: what the wire says in front of the address: -1 nothing, 0 IPv4, 1 IPv6, 2 one of both, kept per record.
    `octets`: width of the address proper. `record_bytes` = `address_bytes` + `bump_bytes`.
    """

    def __init__(self, octets=4, port=True, bump_bits=64, tag=_V4):
        if bump_bits not in (0, 16, 32, 64):
            raise ConfigError("bump_bits %r is not 0, 16, 32 or 64" % (bump_bits,))
        if tag not in (_UNTAGGED, _V4, _V6, _BOTH):
            raise ConfigError("tag %r is not -1 (none), 0 (IPv4), 1 (IPv6) or 2 (both)" % (tag,))
        if tag != _UNTAGGED and (not port or octets != (4 if tag == _V4 else 16)):
            raise ConfigError(
                "a tagged address is a socket address: 4 octets for IPv4, else 16, and a port"
            )
        if not 1 <= octets <= 32:
            raise ConfigError("octets %r is not 1 .. 32" % (octets,))
        self.tag = tag
        self.octets = octets
        self.octets_at = 1 if tag == _BOTH else 0
        self.has_port = bool(port)
        self.port_at = self.octets_at + octets
        self.address_bytes = self.port_at + (2 if port else 0)
        self.bump_bytes = bump_bits // 8
        self.record_bytes = self.address_bytes + self.bump_bytes

    def wins(self, ids, at, other_at):
        """Whether the record at `at` beats the one with the same address at `other_at`: the larger bump does.

        Called on the hot path: must not allocate. Equal identities do not beat each other.
        """
        i = self.address_bytes
        end = self.record_bytes
        while i < end:
            mine = ids[at + i]
            theirs = ids[other_at + i]
            if mine != theirs:
                return mine > theirs
            i += 1
        return False

    def renew(self, ids, at, step):
        """Turn the record at `at` into its successor: the bump grows by `step`, 1 .. 2**20. Wraps like an integer.

        Returns False, with nothing changed, when this kind of identity cannot be renewed. A successor that does not win
        against its predecessor (a bump that wrapped) is refused by the caller.
        """
        first = at + self.address_bytes
        i = at + self.record_bytes
        if i == first:
            return False
        while i > first and step:
            i -= 1
            step += ids[i]
            ids[i] = step & 255
            step >>= 8
        return True

    def pack(self, host, port=0, bump=0):
        """The record for an address and a bump, as bytes.

        `host`: "192.168.1.5", "2001:db8::1" or the octets as bytes. `port`: 0 .. 65535, `bump`: 0 .. 2**bump_bits - 1.
        Raises ConfigError saying which part does not fit.
        """
        octets = host if isinstance(host, (bytes, bytearray)) else parse_host(host)
        family = b""
        if self.tag == _BOTH:
            family = b"\x00" if len(octets) == 4 else b"\x01"
            if len(octets) == 4:
                octets = bytes(octets) + bytes(12)
        if len(octets) != self.octets:
            raise ConfigError(
                "address %r has %d octets, this node's identities have %d"
                % (host, len(octets), self.octets)
            )
        if not 0 <= port <= (65535 if self.has_port else 0):
            raise ConfigError("port %r is not 0 .. %d" % (port, 65535 if self.has_port else 0))
        if not 0 <= bump < 1 << 8 * self.bump_bytes:
            raise ConfigError("bump %r does not fit into %d bits" % (bump, 8 * self.bump_bytes))
        ports = bytes((port >> 8, port & 255)) if self.has_port else b""
        return family + bytes(octets) + ports + bump.to_bytes(self.bump_bytes, "big")

    def parse(self, text, bump=0):
        """The record for "192.168.1.5:36220", "[2001:db8::1]:36220" or, without ports, "aa:bb:cc:dd:ee:ff".

        Raises ConfigError saying what is expected.
        """
        if not self.has_port:
            return self.pack(text, 0, bump)
        host, separator, port = text.rpartition(":")
        if not separator or not port.isdigit():
            raise ConfigError("address %r is not HOST:PORT, like 192.168.1.5:36220" % (text,))
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        return self.pack(host, int(port), bump)

    def family(self, ids, at=0):
        """The wire's family index of the record at `at`: 0 IPv4, 1 IPv6, -1 neither."""
        return ids[at] if self.tag == _BOTH else self.tag

    def host(self, ids, at=0):
        """The address at `at` as text, without the port. Allocates."""
        first = at + self.octets_at
        family = self.family(ids, at)
        if family == _V4 or (family == _UNTAGGED and self.octets == 4):
            return ".".join([str(ids[first + i]) for i in range(4)])
        if family == _V6:
            return format_ipv6(ids, first)
        return ":".join(["%02x" % ids[first + i] for i in range(self.octets)])

    def port(self, ids, at=0):
        """The port at `at`, 0 where addresses have none."""
        port_at = at + self.port_at
        return ids[port_at] << 8 | ids[port_at + 1] if self.has_port else 0

    def bump(self, ids, at=0):
        """The bump at `at` as an int. Allocates when it exceeds 2**30 on a board."""
        return int.from_bytes(ids[at + self.address_bytes : at + self.record_bytes], "big")

    def address(self, ids, at=0):
        """The address at `at` as text with its port: what `parse` takes. Allocates."""
        host = self.host(ids, at)
        if not self.has_port:
            return host
        return ("[%s]:%d" if self.family(ids, at) == _V6 else "%s:%d") % (host, self.port(ids, at))


def parse_host(text):
    """The octets of a literal: four for IPv4, sixteen for IPv6, else as many as the pairs of hex digits.

    Raises ConfigError; names are not resolved here.
    """
    parts = text.split(".")
    if len(parts) == 4 and ":" not in text:
        if all([part.isdigit() and len(part) <= 3 and int(part) < 256 for part in parts]):
            return bytes([int(part) for part in parts])
    elif "::" in text or len(text.split(":")) == 8:
        octets = _parse_ipv6(text)
        if octets:
            return octets
    else:
        pairs = text.split(":")
        if all([len(pair) == 2 and _is_hex(pair) for pair in pairs]):
            return bytes([int(pair, 16) for pair in pairs])
    raise ConfigError(
        "host %r is not a literal like 192.168.1.5, 2001:db8::1 or aa:bb:cc:dd:ee:ff: names are not resolved"
        % (text,)
    )


def _is_hex(text):
    return all([digit in "0123456789abcdefABCDEF" for digit in text]) and text != ""


def _parse_ipv6(text):
    """Sixteen octets, or b"" when `text` is not a plain IPv6 literal (no zone, no embedded IPv4)."""
    halves = text.split("::")
    if len(halves) > 2:
        return b""
    groups = [half.split(":") if half else [] for half in halves]
    count = sum([len(half) for half in groups])
    for half in groups:
        for group in half:
            if not _is_hex(group) or len(group) > 4:
                return b""
    if (count != 8) if len(halves) == 1 else (count > 7):
        return b""
    octets = bytearray(16)
    at = 0
    for half in groups:
        for group in half:
            value = int(group, 16)
            octets[at] = value >> 8
            octets[at + 1] = value & 255
            at += 2
        at = 16 - 2 * len(groups[-1])
    return bytes(octets)


def format_ipv6(ids, first):
    """The sixteen octets at `first` as text; the longest run of zero groups is shortened, as in RFC 5952."""
    groups = [ids[first + i] << 8 | ids[first + i + 1] for i in range(0, 16, 2)]
    best = length = 0
    for start in range(8):
        run = 0
        while start + run < 8 and groups[start + run] == 0:
            run += 1
        if run > length:
            best, length = start, run
    if length < 2:
        return ":".join(["%x" % group for group in groups])
    head = ":".join(["%x" % group for group in groups[:best]])
    tail = ":".join(["%x" % group for group in groups[best + length :]])
    return head + "::" + tail


def ipv4(bump_bits=64):
    """IPv4 socket addresses, on the wire as Rust's SocketAddr: the default."""
    return Layout(4, True, bump_bits, _V4)


def ipv6(bump_bits=64):
    """IPv6 socket addresses, on the wire as Rust's SocketAddr. Zone and flow are not carried."""
    return Layout(16, True, bump_bits, _V6)


def ip(bump_bits=64):
    """IPv4 and IPv6 socket addresses in one table, 13 bytes more per member than IPv4 alone."""
    return Layout(16, True, bump_bits, _BOTH)


def mac(bump_bits=64):
    """MAC addresses, six octets without a port (ESP-NOW)."""
    return Layout(6, False, bump_bits, _UNTAGGED)


def own(octets, port=False, bump_bits=64):
    """An address of your own: `octets` 1 .. 32 bytes, with or without a port, nothing in front of it on the wire."""
    return Layout(octets, port, bump_bits, _UNTAGGED)
