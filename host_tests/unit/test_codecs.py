"""foca.postcard and foca.bincode keep the codec contract, for every layout and bump width.

The integers are written here a second time, in the plainest way. Source: docs/WIRE.md.
"""

from foca.address import parse
from foca.bincode import Bincode
from foca.codec import Codec
from foca.identity import ip, ipv4, ipv6, mac, own
from foca.members import DST, SELF, THIRD, UPDATE, Members
from foca.postcard import Postcard
from foca.rng import Rng
from support.check import same_bytes
from support.codec_contract import check

BUMP_BITS = (0, 16, 32, 64)


class Varints:
    """postcard: seven bits per byte, the low ones first, the high bit set when more follow."""

    def canonical(self, value):
        data = b""
        while value > 127:
            data += bytes((value & 127 | 128,))
            value >>= 7
        return data + bytes((value,))

    def longer(self, value, bits):
        data = self.canonical(value)
        while len(data) < (bits + 6) // 7:
            data = data[:-1] + bytes((data[-1] | 128, 0))
            yield data

    def malformed(self, bits):
        count = (bits + 6) // 7
        last = (1 << bits - 7 * (count - 1)) - 1
        yield b"\x80" * (count - 1) + bytes((last + 1,))
        yield b"\xff" * (count - 1) + bytes((last + 1,))
        yield b"\x81" * (count - 1) + b"\x7f"
        yield b"\x80" * count + b"\x00"
        yield b"\xff" * count


class Markers:
    """bincode: one byte below 251, else a marker and 2, 4 or 8 bytes, the low one first."""

    def canonical(self, value):
        if value < 251:
            return bytes((value,))
        return self.wide(value, 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8)

    def wide(self, value, count):
        data = bytes((251 + (count >> 2),))
        for _ in range(count):
            data += bytes((value & 255,))
            value >>= 8
        return data

    def longer(self, value, bits):
        for count in (2, 4, 8):
            if 8 * count <= bits and value < 1 << 8 * count:
                if value < 251 or count > (2 if value < 1 << 16 else 4 if value < 1 << 32 else 8):
                    yield self.wide(value, count)

    def malformed(self, bits):
        for marker in (252, 253, 254, 255):
            if marker > {16: 251, 32: 252, 64: 253}[bits]:
                yield bytes((marker,)) + bytes(16)


def check_both(layout):
    check(Postcard, layout, Varints())
    check(Bincode, layout, Markers())


def test_ipv4_identities_keep_the_contract():
    for bits in BUMP_BITS:
        check_both(ipv4(bits))


def test_ipv6_identities_keep_the_contract():
    for bits in BUMP_BITS:
        check_both(ipv6(bits))


def test_a_table_of_both_families_keeps_the_contract():
    for bits in BUMP_BITS:
        check_both(ip(bits))


def test_mac_identities_keep_the_contract():
    for bits in BUMP_BITS:
        check_both(mac(bits))


def test_identities_of_ones_own_keep_the_contract():
    for bits in BUMP_BITS:
        check_both(own(1, False, bits))
    check_both(own(3, True, 16))
    check_both(own(32, True, 64))
    check_both(own(32, False, 0))


def test_a_codec_is_a_subclass_that_supplies_the_integers():
    assert issubclass(Postcard, Codec)
    assert issubclass(Bincode, Codec)


# examples that were emitted by the reference


class Bench:
    """A table of both families with the identities A to D of the worked examples."""

    def __init__(self, codec_class, layout=None):
        self.layout = layout or ipv4(64)
        self.members = Members(self.layout, 4, Rng(1))
        self.codec = codec_class(self.members)

    def put(self, row, text, bump, incarnation=0, state=0):
        width = self.layout.record_bytes
        self.members.ids[row * width : (row + 1) * width] = parse(self.layout, text, bump)
        self.members.incarnations[row] = incarnation
        self.members.states[row] = state

    def member(self, text, bump, incarnation, state):
        self.put(UPDATE, text, bump, incarnation, state)
        buf = bytearray(64)
        return bytes(buf[: self.codec.write_member(buf, 0, UPDATE)])

    def header(self, src, dst, head, third=None):
        self.put(SELF, src[0], src[1])
        self.codec.know_own()
        self.put(DST, dst[0], dst[1])
        if third:
            self.put(THIRD, third[0], third[1])
        buf = bytearray(96)
        return bytes(buf[: self.codec.write_header(buf, DST, head, THIRD)])


A = ("127.0.0.1:8000", 1)
B = ("127.0.0.1:8001", 2)
C = ("127.0.0.1:8002", 3)
D = ("127.0.0.1:8003", 4)


def unhex(text):
    text = text.replace(" ", "")
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


def same_in_both(bincode, postcard, write):
    same_bytes(write(Bench(Bincode)), unhex(bincode), "bincode")
    same_bytes(write(Bench(Postcard)), unhex(postcard), "postcard")


def test_a_ping_header_has_the_references_bytes():
    same_in_both(
        "007f000001fb401f01 00 007f000001fb411f02 00 01",
        "007f000001c03e01 00 007f000001c13e02 00 01",
        lambda bench: bench.header(A, B, 0 | 1 << 4),
    )


def test_members_have_the_references_bytes():
    same_in_both(
        "007f000001fb421f03 05 01",
        "007f000001c23e03 05 01",
        lambda bench: bench.member(C[0], C[1], 5, 1),
    )
    same_in_both(
        "007f000001fb431f04 00 02",
        "007f000001c33e04 00 02",
        lambda bench: bench.member(D[0], D[1], 0, 2),
    )


def test_an_announce_header_has_the_references_bytes():
    same_in_both(
        "007f000001fb401f01 00 007f000001fb411f02 06",
        "007f000001c03e01 00 007f000001c13e02 06",
        lambda bench: bench.header(A, B, 6),
    )


def test_the_indirect_chain_has_the_references_bytes():
    same_in_both(
        "007f000001fb401f0100007f000001fb421f0302007f000001fb411f0201",
        "007f000001c03e0100007f000001c23e0302007f000001c13e0201",
        lambda bench: bench.header(A, C, 2 | 1 << 4, B),
    )
    same_in_both(
        "007f000001fb421f0300007f000001fb401f0105007f000001fb411f0201",
        "007f000001c23e0300007f000001c03e0105007f000001c13e0201",
        lambda bench: bench.header(C, A, 5 | 1 << 4, B),
    )


def test_unix_seconds_have_the_references_bytes():
    """From the stock agent, live."""
    bench = Bench(Bincode)
    same_bytes(
        bench.header(("127.0.0.1:9021", 1795423544), ("127.0.0.1:9120", 1795423546), 0 | 2 << 4),
        unhex("007f000001fb3d23fc38fd036b 00 007f000001fba023fc3afd036b 00 02"),
    )


def test_mixed_families_have_the_references_bytes():
    src = ("[2001:db8::1]:7946", 1)
    third = ("[::1]:250", 3)
    address = "20010db8000000000000000000000001"
    local = "00000000000000000000000000000001"
    same_bytes(
        Bench(Bincode, ip(64)).header(src, ("127.0.0.1:8000", 2), 2 | 200 << 4, third),
        unhex("01" + address + "fb0a1f01 00 007f000001fb401f02 02 01" + local + "fa03 c8"),
    )
    same_bytes(
        Bench(Postcard, ip(64)).header(src, ("127.0.0.1:8000", 2), 2 | 200 << 4, third),
        unhex("01" + address + "8a3e01 00 007f000001c03e02 02 01" + local + "fa0103 c8"),
    )


def test_incarnations_have_the_references_bytes():
    for incarnation, bincode, postcard in (
        (127, "7f", "7f"),
        (128, "80", "8001"),
        (250, "fa", "fa01"),
        (251, "fbfb00", "fb01"),
        (16384, "fb0040", "808001"),
        (65535, "fbffff", "ffff03"),
    ):
        same_in_both(
            "007f000001fb401f01" + bincode + "00",
            "007f000001c03e01" + postcard + "00",
            lambda bench, incarnation=incarnation: bench.member(A[0], A[1], incarnation, 0),
        )
