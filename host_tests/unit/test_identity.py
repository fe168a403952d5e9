"""foca.identity: records of fixed width, the larger bump wins, both rules can be overridden."""

from foca.errors import ConfigError
from foca.identity import Layout, ip, ipv4, ipv6, mac, own
from support.check import raises, same_bytes
from support.identity_contract import check

BUMP_BITS = (0, 16, 32, 64)


def test_every_ready_layout_keeps_the_contract():
    for bits in BUMP_BITS:
        for layout in (
            ipv4(bits),
            ipv6(bits),
            ip(bits),
            mac(bits),
            own(1, False, bits),
            own(32, True, bits),
        ):
            check(layout)


class Whole(Layout):
    """A user's own rules: the bump counts down, and there is none below zero."""

    def __init__(self):
        Layout.__init__(self, 3, False, 16, -1)

    def wins(self, ids, at, other_at):
        return ids[at + 3] << 8 | ids[at + 4] < ids[other_at + 3] << 8 | ids[other_at + 4]

    def renew(self, ids, at, step):
        return False


class Fixed(Layout):
    """Identities with a bump that the owner does not want to renew."""

    def renew(self, ids, at, step):
        return False


class Lowest(Layout):
    """The lower bump wins: a successor counts down."""

    def wins(self, ids, at, other_at):
        return Layout.wins(self, ids, other_at, at)

    def renew(self, ids, at, step):
        end = at + self.record_bytes
        for i in range(end - self.bump_bytes, end):
            ids[i] ^= 255
        Layout.renew(self, ids, at, step)
        for i in range(end - self.bump_bytes, end):
            ids[i] ^= 255
        return True


def test_a_users_own_rules_keep_the_contract():
    check(Whole(), renews=False)
    check(Fixed(), renews=False)
    for bits in BUMP_BITS[1:]:
        check(Lowest(4, True, bits))


def test_widths_of_the_ready_layouts():
    assert [layout.address_bytes for layout in (ipv4(), ipv6(), ip(), mac(), own(3))] == [
        6,
        18,
        19,
        6,
        3,
    ]
    assert own(3, True).address_bytes == 5
    assert [ipv4(bits).record_bytes for bits in BUMP_BITS] == [6, 8, 10, 14]


def test_the_default_is_ipv4_with_a_64_bit_bump():
    layout = Layout()
    assert (layout.tag, layout.octets, layout.has_port, layout.bump_bytes) == (0, 4, True, 8)


def test_the_larger_bump_wins_compared_as_a_number():
    layout = own(1, False, 32)
    ids = b"\x01\x00\x00\x01\x00" + b"\x01\x00\x00\x00\xff"
    assert layout.wins(ids, 0, 5)
    assert not layout.wins(ids, 5, 0)


def test_renewing_carries_through_all_bytes():
    layout = own(1, False, 32)
    ids = bytearray(b"\xff\x00\x00\xff\xff")
    assert layout.renew(ids, 0, 1)
    same_bytes(ids, b"\xff\x00\x01\x00\x00")
    assert layout.renew(ids, 0, 1 << 20)
    same_bytes(ids, b"\xff\x00\x11\x00\x00")


def test_renewing_stops_as_soon_as_nothing_is_carried():
    layout = own(1, False, 64)
    ids = bytearray(b"\xff\x80\x00\x00\x00\x00\x00\x00\x05")
    assert layout.renew(ids, 0, 3)
    same_bytes(ids, b"\xff\x80\x00\x00\x00\x00\x00\x00\x08")


def test_the_longest_step_fits_into_small_ints():
    layout = own(1, False, 64)
    ids = bytearray(b"\x01" + b"\x00" * 4 + b"\xff" * 4)
    assert layout.renew(ids, 0, 1 << 28)
    same_bytes(ids, b"\x01\x00\x00\x00\x01\x0f\xff\xff\xff")


def test_the_last_bump_wraps_and_then_loses():
    """Source: the reference's agent compares without wrap-around, so 65535 cannot renew (B-10)."""
    layout = own(1, False, 16)
    ids = bytearray(b"\x01\xff\xff\x01\xff\xff")
    assert layout.renew(ids, 3, 1)
    same_bytes(ids, b"\x01\xff\xff\x01\x00\x00")
    assert not layout.wins(ids, 3, 0)
    assert layout.wins(ids, 0, 3)


def refusal(*arguments):
    return str(raises(ConfigError, Layout, *arguments))


def test_a_refused_layout_says_what_to_write():
    assert "bump_bits 24 is not 0, 16, 32 or 64" in refusal(4, True, 24, 0)
    assert "tag 3 is not -1" in refusal(4, True, 64, 3)
    assert "octets 0 is not 1 .. 32" in refusal(0, False, 64, -1)
    assert "octets 33 is not 1 .. 32" in refusal(33, False, 64, -1)
    for octets, port, tag in ((4, False, 0), (16, True, 0), (4, True, 1), (16, False, 2)):
        assert "4 octets for IPv4, else 16, and a port" in refusal(octets, port, 64, tag)
