"""Addresses in hexadecimal: IPv6 literals and pairs of digits. Floor 4.

Loaded by address.py when one turns up: a node of IPv4 addresses never needs it.
"""


def is_hex(text: str) -> bool:
    """Whether `text` is hexadecimal digits, and at least one."""
    return all([digit in "0123456789abcdefABCDEF" for digit in text]) and text != ""


def parse_pairs(text: str) -> bytes:
    """The octets of pairs of hex digits, or b"" when `text` is something else."""
    pairs = text.split(":")
    if all([len(pair) == 2 and is_hex(pair) for pair in pairs]):
        return bytes([int(pair, 16) for pair in pairs])
    return b""


def parse_ipv6(text: str) -> bytes:
    """Sixteen octets; b"" when `text` is not a plain IPv6 literal (no zone, no embedded IPv4)."""
    halves = text.split("::")
    if len(halves) > 2:
        return b""
    groups = [half.split(":") if half else [] for half in halves]
    count = sum([len(half) for half in groups])
    for half in groups:
        for group in half:
            if not is_hex(group) or len(group) > 4:
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


def format_ipv6(ids: bytes | bytearray, first: int) -> str:
    """The sixteen octets at `first` as text, the longest run of zero groups cut as in RFC 5952."""
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
