"""Identities: what a member is called, as a record of fixed width. Floor 1.

    record := [ family:1 ]  octets  [ port:2 ]  bump    (family: in a table of IPv4 and IPv6)
              '---------- address ----------'

An identity is an address, unique in the cluster, and a bump that tells successive lives at that
address apart: the larger bump wins. All integers are big-endian, so that comparing bytes compares
numbers, and a 64-bit bump never becomes an int on the hot path (ints above 2**30 allocate on a
board).

A `Layout` says how wide the parts are and what goes on the wire; the codec owns how integers are
written there. To change who wins a conflict or how an identity is renewed, subclass it and
override `wins` or `renew`. Text and numbers are turned into records, and back, in address.py.
Source: docs/WIRE.md; SocketAddr on the wire carries a family index (0 IPv4, 1 IPv6), a bare IPv4
or own address none.
"""

from ._port import const

_UNTAGGED = const(-1)
_V4 = const(0)
_V6 = const(1)
_BOTH = const(2)


def _problem(octets: int, port: bool, bump_bits: int, tag: int) -> str | None:
    if bump_bits not in (0, 16, 32, 64):
        return "bump_bits %r is not 0, 16, 32 or 64" % (bump_bits,)
    if tag not in (_UNTAGGED, _V4, _V6, _BOTH):
        return "tag %r is not -1 (none), 0 (IPv4), 1 (IPv6) or 2 (both)" % (tag,)
    if not isinstance(octets, int) or not 1 <= octets <= 32:
        return "octets %r is not 1 .. 32" % (octets,)
    if tag != _UNTAGGED and (not port or octets != (4 if tag == _V4 else 16)):
        return "a tagged address is a socket address: 4 octets for IPv4, else 16, and a port"
    return None


class Layout:
    """Widths and rules of one kind of identity, in bytes; offsets are from the start of a record.

    `tag`: what the wire says in front of the address: -1 nothing, 0 IPv4, 1 IPv6, 2 one of both,
    kept per record. `octets`: width of the address proper. `record_bytes` = `address_bytes` +
    `bump_bytes`.
    """

    def __init__(
        self, octets: int = 4, port: bool = True, bump_bits: int = 64, tag: int = _V4
    ) -> None:
        problem = _problem(octets, port, bump_bits, tag)
        if problem:
            from .errors import ConfigError

            raise ConfigError(problem)
        self.tag = tag
        self.octets = octets
        self.octets_at = 1 if tag == _BOTH else 0
        self.has_port = bool(port)
        self.port_at = self.octets_at + octets
        self.address_bytes = self.port_at + (2 if port else 0)
        self.bump_bytes = bump_bits // 8
        self.record_bytes = self.address_bytes + self.bump_bytes

    def wins(self, ids: bytearray, at: int, other_at: int) -> bool:
        """Whether the record at `at`, with the larger bump, beats the one at `other_at`.

        Both have the same address; equal identities do not beat each other. Called on the hot
        path: must not allocate.
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

    def renew(self, ids: bytearray, at: int, step: int) -> bool:
        """Turn the record at `at` into its successor: the bump grows by `step`, 1 .. 2**28.

        It wraps. Returns False, with nothing changed, when this kind of identity cannot be
        renewed. A successor that does not win against its predecessor (a bump that wrapped) is
        refused by the caller.
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

    def check(self, record: bytes | bytearray) -> None:
        """Raise ConfigError unless `record` is as long as ours."""
        if len(record) != self.record_bytes:
            from .errors import ConfigError

            raise ConfigError(
                "identity has %d bytes, its layout wants %d: "
                "make it with foca.address.parse(layout, ...)" % (len(record), self.record_bytes)
            )

    def put(self, ids: bytearray, row: int, record: bytes | bytearray) -> None:
        """Copy `record` to `row` of the table `ids`. Allocates nothing."""
        row *= self.record_bytes
        i = self.record_bytes
        while i:
            i -= 1
            ids[row + i] = record[i]


def ipv4(bump_bits: int = 64) -> Layout:
    """IPv4 socket addresses, on the wire as Rust's SocketAddr: the default."""
    return Layout(4, True, bump_bits, _V4)


def ipv6(bump_bits: int = 64) -> Layout:
    """IPv6 socket addresses, on the wire as Rust's SocketAddr. Zone and flow are not carried."""
    return Layout(16, True, bump_bits, _V6)


def ip(bump_bits: int = 64) -> Layout:
    """IPv4 and IPv6 socket addresses in one table, 13 bytes more per member than IPv4 alone."""
    return Layout(16, True, bump_bits, _BOTH)


def mac(bump_bits: int = 64) -> Layout:
    """MAC addresses, six octets without a port (ESP-NOW)."""
    return Layout(6, False, bump_bits, _UNTAGGED)


def own(octets: int, port: bool = False, bump_bits: int = 64) -> Layout:
    """An address of your own: `octets` 1 .. 32 bytes, maybe with a port; untagged on the wire."""
    return Layout(octets, port, bump_bits, _UNTAGGED)
