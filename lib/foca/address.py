"""Addresses as people write them: text to records and back. Floor 4.

Allocates freely: for the edges only.
A record is described in identity.py. Every function takes the `Layout` first; `ids` is any bytes
with a record at `at`. Names are never resolved: a board's resolver blocks for seconds, and sendto
on a board would not use it anyway.
"""

from ._port import const
from .errors import ConfigError

_TYPING = const(0)
if _TYPING:
    from .identity import Layout

_UNTAGGED = const(-1)
_V4 = const(0)
_V6 = const(1)
_BOTH = const(2)


def pack(layout: "Layout", host: str | bytes | bytearray, port: int = 0, bump: int = 0) -> bytes:
    """The record for an address and a bump, as bytes.

    `host`: "192.168.1.5", "2001:db8::1" or the octets as bytes. `port`: 0 .. 65535, `bump`: 0 ..
    2**bump_bits - 1.
    Raises ConfigError saying which part does not fit.
    """
    octets: bytes | bytearray
    if isinstance(host, str):
        octets = b""
        if (
            layout.tag == _UNTAGGED
        ):  # eight pairs are an IPv6 literal only where addresses are IPv6
            from .literal import parse_pairs

            octets = parse_pairs(host)
        octets = octets or parse_host(host)
    else:
        octets = host
    family = b""
    if layout.tag == _BOTH:
        family = b"\x00" if len(octets) == 4 else b"\x01"
        if len(octets) == 4:
            octets = bytes(octets) + bytes(12)
    if len(octets) != layout.octets:
        raise ConfigError(
            "address %r has %d octets, this node's identities have %d"
            % (host, len(octets), layout.octets)
        )
    if not 0 <= port <= (65535 if layout.has_port else 0):
        raise ConfigError("port %r is not 0 .. %d" % (port, 65535 if layout.has_port else 0))
    if not 0 <= bump < 1 << 8 * layout.bump_bytes:
        raise ConfigError("bump %r does not fit into %d bits" % (bump, 8 * layout.bump_bytes))
    ports = bytes((port >> 8, port & 255)) if layout.has_port else b""
    return family + bytes(octets) + ports + bump.to_bytes(layout.bump_bytes, "big")


def parse(layout: "Layout", text: str, bump: int = 0) -> bytes:
    """The record for "192.168.1.5:36220" or "[2001:db8::1]:36220".

    Without ports: for "aa:bb:cc:dd:ee:ff". Raises ConfigError saying what is expected.
    """
    if not layout.has_port:
        return pack(layout, text, 0, bump)
    name, separator, digits = text.rpartition(":")
    if not separator or not _is_number(digits):
        raise ConfigError("address %r is not HOST:PORT, like 192.168.1.5:36220" % (text,))
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    elif ":" in name and layout.tag != _UNTAGGED:
        raise ConfigError("address %r needs brackets, like [2001:db8::1]:36220" % (text,))
    return pack(layout, name, int(digits), bump)


def family_of(layout: "Layout", ids: bytes | bytearray, at: int = 0) -> int:
    """The wire's family index of the record at `at`: 0 IPv4, 1 IPv6, -1 neither."""
    return ids[at] if layout.tag == _BOTH else layout.tag


def host_of(layout: "Layout", ids: bytes | bytearray, at: int = 0) -> str:
    """The address at `at` as text, without the port. Allocates."""
    first = at + layout.octets_at
    family = family_of(layout, ids, at)
    if family == _V4 or (family == _UNTAGGED and layout.octets == 4):
        return ".".join([str(ids[first + i]) for i in range(4)])
    if family == _V6:
        from .literal import format_ipv6

        return format_ipv6(ids, first)
    return ":".join(["%02x" % ids[first + i] for i in range(layout.octets)])


def port_of(layout: "Layout", ids: bytes | bytearray, at: int = 0) -> int:
    """The port at `at`, 0 where addresses have none."""
    port_at = at + layout.port_at
    return ids[port_at] << 8 | ids[port_at + 1] if layout.has_port else 0


def bump_of(layout: "Layout", ids: bytes | bytearray, at: int = 0) -> int:
    """The bump at `at` as an int. Allocates when it exceeds 2**30 on a board."""
    return int.from_bytes(ids[at + layout.address_bytes : at + layout.record_bytes], "big")


def text_of(layout: "Layout", ids: bytes | bytearray, at: int = 0) -> str:
    """The address at `at` as text with its port: what `parse` takes. Allocates."""
    name = host_of(layout, ids, at)
    if not layout.has_port:
        return name
    return ("[%s]:%d" if family_of(layout, ids, at) == _V6 else "%s:%d") % (
        name,
        port_of(layout, ids, at),
    )


def parse_host(text: str) -> bytes:
    """The octets of a literal: four for IPv4, sixteen for IPv6, else one for each pair of digits.

    Raises ConfigError; names are not resolved here.
    """
    parts = text.split(".")
    if len(parts) == 4 and ":" not in text:
        if all([_is_number(part) and len(part) < 4 and int(part) < 256 for part in parts]):
            return bytes([int(part) for part in parts])
    elif ":" in text:
        from .literal import parse_ipv6, parse_pairs

        is_ipv6 = "::" in text or len(text.split(":")) == 8
        octets = parse_ipv6(text) if is_ipv6 else parse_pairs(text)
        if octets:
            return octets
    raise ConfigError(
        "host %r is not a literal like 192.168.1.5, 2001:db8::1 or aa:bb:cc:dd:ee:ff: "
        "names are not resolved" % (text,)
    )


def _is_number(text: str) -> bool:
    return all([digit in "0123456789" for digit in text]) and 1 <= len(text) <= 5
