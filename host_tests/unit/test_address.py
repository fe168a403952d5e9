"""foca.address: literals to records and back; what is refused says what to write instead."""

from foca.address import (
    bump_of,
    family_of,
    host_of,
    pack,
    parse,
    parse_host,
    port_of,
    text_of,
)
from foca.errors import ConfigError
from foca.identity import ip, ipv4, ipv6, mac, own
from foca.literal import format_ipv6
from support.check import raises, same_bytes

BIG = 1795423544


def test_an_ipv4_record_is_octets_port_and_bump_big_endian():
    same_bytes(
        parse(ipv4(), "192.168.1.5:36220", BIG),
        b"\xc0\xa8\x01\x05\x8d\x7c\x00\x00\x00\x00\x6b\x03\xfd\x38",
    )
    same_bytes(parse(ipv4(16), "1.2.3.4:0", 258), b"\x01\x02\x03\x04\x00\x00\x01\x02")
    same_bytes(parse(ipv4(0), "1.2.3.4:65535"), b"\x01\x02\x03\x04\xff\xff")


def test_an_ipv6_record_is_octets_port_and_bump():
    same_bytes(
        parse(ipv6(16), "[2001:db8::1]:250", 3),
        b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01" + b"\x00\xfa" + b"\x00\x03",
    )


def test_a_table_of_both_families_keeps_the_family_in_front():
    same_bytes(parse(ip(0), "1.2.3.4:5"), b"\x00\x01\x02\x03\x04" + bytes(12) + b"\x00\x05")
    same_bytes(parse(ip(0), "[::1]:5"), b"\x01" + bytes(15) + b"\x01" + b"\x00\x05")


def test_a_mac_address_has_no_port():
    same_bytes(parse(mac(16), "0a:1B:2c:3D:4e:ff", 1), b"\x0a\x1b\x2c\x3d\x4e\xff\x00\x01")


def test_octets_are_taken_as_they_are():
    same_bytes(pack(own(3, True, 16), b"\x07\x08\x09", 258, 5), b"\x07\x08\x09\x01\x02\x00\x05")
    same_bytes(pack(ipv4(0), bytearray(b"\x01\x02\x03\x04"), 1), b"\x01\x02\x03\x04\x00\x01")


def test_text_and_record_round_trip():
    for layout, texts in (
        (ipv4(), ("0.0.0.0:0", "127.0.0.1:8000", "255.255.255.255:65535")),
        (ipv6(), ("[::]:0", "[::1]:1", "[fe80::1:2]:36220", "[1:2:3:4:5:6:7:8]:80")),
        (ip(), ("10.1.2.3:1", "[2001:db8::1]:1")),
        (mac(), ("aa:bb:cc:dd:ee:ff", "00:00:00:00:00:01")),
        (own(1), ("7f",)),
        (own(4), ("10.0.0.1",)),
        (own(8), ("00:12:4b:00:01:02:03:04",)),
        (own(6, True), ("aa:bb:cc:dd:ee:ff:80",)),
        (own(16), ("20:01:0d:b8:00:00:00:00:00:00:00:00:00:00:00:01",)),
    ):
        for text in texts:
            record = parse(layout, text, 9)
            assert len(record) == layout.record_bytes
            assert text_of(layout, record) == text
            assert bump_of(layout, record) == 9


def test_parts_are_read_at_an_offset():
    layout = ip(64)
    ids = b"\xee" * 5 + parse(layout, "[2001:db8::9]:443", BIG << 32)
    assert host_of(layout, ids, 5) == "2001:db8::9"
    assert port_of(layout, ids, 5) == 443
    assert bump_of(layout, ids, 5) == BIG << 32
    assert text_of(layout, ids, 5) == "[2001:db8::9]:443"
    assert port_of(mac(), parse(mac(), "aa:bb:cc:dd:ee:ff")) == 0


def test_the_family_is_the_wire_index():
    assert family_of(ipv4(), b"\x09") == 0
    assert family_of(ipv6(), b"\x09") == 1
    assert family_of(mac(), b"\x09") == -1
    assert family_of(ip(), b"\x00") == 0
    assert family_of(ip(), b"\x07\x01", 1) == 1


def test_ipv6_text_is_that_of_rfc_5952():
    """The longest run of zero groups is shortened, the first one of equals, a single one never."""
    for text, shortest in (
        ("0:0:0:0:0:0:0:0", "::"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("1:0:0:0:0:0:0:0", "1::"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:DB8::ABCD", "2001:db8::abcd"),
        ("00a:0b::", "a:b::"),
    ):
        octets = parse_host(text)
        assert len(octets) == 16
        assert format_ipv6(octets, 0) == shortest
        assert parse_host(shortest) == octets


def test_the_shorthand_stands_for_at_least_one_group():
    same_bytes(parse_host("1:2:3:4:5:6:7::"), b"\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\0")
    same_bytes(parse_host("::2:3:4:5:6:7:8"), b"\0\0\0\2\0\3\0\4\0\5\0\6\0\7\0\x08")


NO_LITERALS = (
    "",
    "localhost",
    "example.org",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.-4",
    "1.2.3.+4",
    "1.2.3. 4",
    "1.2.3.",
    "1.2.3.0004",
    "1.2.3.4\u00b2",
    "::ffff:1.2.3.4",
    "1::2::3",
    "::12345",
    "::g",
    "1:2:3:4:5:6:7:8:9::",
    "1:2:3:4:5:6:7::8",  # the shorthand would stand for no group at all
    "1:2:3:4:5:6:7:",
    "fe80::1%eth0",
    "[::1]",
    "aa:bb:cc:dd:ee:f",
    "aa:bb:cc:dd:ee:fg",
    "aabb:cc",
)


def test_a_host_that_is_no_literal_is_refused_with_examples():
    for text in NO_LITERALS:
        error = str(raises(ConfigError, parse_host, text))
        assert "not a literal like 192.168.1.5, 2001:db8::1" in error, text
        assert "names are not resolved" in error


def refusal(layout, text, bump=0):
    return str(raises(ConfigError, parse, layout, text, bump))


def test_a_missing_port_is_asked_for():
    for text in ("192.168.1.5", "192.168.1.5:", "192.168.1.5:port", "192.168.1.5:-1", ""):
        assert "is not HOST:PORT, like 192.168.1.5:36220" in refusal(ipv4(), text), text
    assert "is not HOST:PORT" in refusal(ipv6(), "[::1]")


def test_a_port_out_of_range_is_refused():
    assert "port 65536 is not 0 .. 65535" in refusal(ipv4(), "1.2.3.4:65536")
    assert "port 1 is not 0 .. 0" in str(raises(ConfigError, pack, mac(), bytes(6), 1))
    assert "port -1 is not" in str(raises(ConfigError, pack, ipv4(), "1.2.3.4", -1))


def test_an_ipv6_host_without_brackets_is_refused():
    """`::1:8000` may be an address without a port: better to ask than to guess."""
    assert "needs brackets, like [2001:db8::1]:36220" in refusal(ipv6(), "::1:8000")
    assert "needs brackets" in refusal(ip(), "fe80::1:8000")


def test_an_address_of_another_kind_is_refused():
    assert "has 16 octets, this node's identities have 4" in refusal(ipv4(), "[::1]:80")
    assert "has 4 octets, this node's identities have 16" in refusal(ipv6(), "1.2.3.4:80")
    assert "has 6 octets, this node's identities have 16" in refusal(ip(), "[aa:bb:cc:dd:ee:ff]:1")
    assert "has 4 octets, this node's identities have 6" in refusal(mac(), "1.2.3.4")
    assert "has 16 octets, this node's identities have 8" in refusal(own(8), "::1")


def test_a_bump_that_does_not_fit_is_refused():
    assert "bump 65536 does not fit into 16 bits" in refusal(ipv4(16), "1.2.3.4:5", 65536)
    assert "bump 1 does not fit into 0 bits" in refusal(ipv4(0), "1.2.3.4:5", 1)
    assert "bump -1 does not fit" in refusal(ipv4(), "1.2.3.4:5", -1)
    assert bump_of(ipv4(32), parse(ipv4(32), "1.2.3.4:5", 0xFFFFFFFF)) == 0xFFFFFFFF
    assert bump_of(ipv4(0), parse(ipv4(0), "1.2.3.4:5")) == 0
