"""UDP against each port's own behaviour, by scripted fakes. See support/fake_socket.py.

The fakes run on every interpreter, so the code of a board runs on the desktop and the other way
round. On MicroPython the texts of the boards are rewritten in place through the real uctypes.
"""

from foca import interface, sockaddr, udp
from foca._port import MICROPYTHON, ticks_add
from foca.address import pack
from foca.errors import UsageError
from foca.identity import Layout, ip, ipv4, ipv6, mac, own
from foca.rng import Rng
from foca.udp import COUNTER_NAMES, Udp
from support.check import raises
from support.fake_socket import (
    CPYTHON,
    ESP32,
    PROFILES,
    RP2,
    UNIX,
    FakeNet,
    FakeNetwork,
    parse_aton,
    parse_netutils,
)
from support.transport_contract import UdpWorld, run_contract

NEEDS = ("socket", "select")

PEER = "10.0.0.2"
PORT = 36220

# (port, number that its sendto raises, the counter that it belongs to)
SENDTO_ERRORS = (
    (CPYTHON, "EAGAIN", "LostWouldBlock"),
    (CPYTHON, "ENOMEM", "LostNoMemory"),
    (CPYTHON, "ENOBUFS", "LostNoMemory"),
    (CPYTHON, "ENETUNREACH", "LostUnreachable"),
    (CPYTHON, "ENETDOWN", "LostUnreachable"),
    (CPYTHON, "EHOSTUNREACH", "LostUnreachable"),
    (CPYTHON, "ECONNREFUSED", "LostUnreachable"),
    (CPYTHON, "EACCES", "LostOther"),
    (CPYTHON, "EINVAL", "LostOther"),
    (CPYTHON, "EMSGSIZE", "LostOther"),
    (CPYTHON, "EBADF", "LostOther"),
    (UNIX, "EAGAIN", "LostWouldBlock"),
    (UNIX, "ETIMEDOUT", "LostWouldBlock"),
    (UNIX, "ENOMEM", "LostNoMemory"),
    (UNIX, "ENOBUFS", "LostNoMemory"),
    (UNIX, "ENETUNREACH", "LostUnreachable"),
    (UNIX, "EHOSTUNREACH", "LostUnreachable"),
    (UNIX, "EACCES", "LostOther"),
    (UNIX, "EBADF", "LostOther"),
    (RP2, "EAGAIN", "LostWouldBlock"),
    (RP2, "ENOMEM", "LostNoMemory"),
    (RP2, "ENOBUFS", "LostNoMemory"),
    (RP2, "EHOSTUNREACH", "LostUnreachable"),
    (RP2, "ERR_IF", "LostUnreachable"),
    (RP2, "EINVAL", "LostOther"),
    (RP2, "ENOTCONN", "LostOther"),
    (RP2, "EIO", "LostOther"),
    (RP2, "EBADF", "LostOther"),
    (ESP32, "EAGAIN", "LostWouldBlock"),
    (ESP32, "ETIMEDOUT", "LostWouldBlock"),
    (ESP32, "ENOMEM", "LostNoMemory"),
    (ESP32, "ENOBUFS", "LostNoMemory"),
    (ESP32, "EHOSTUNREACH", "LostUnreachable"),
    (ESP32, "ENETUNREACH", "LostUnreachable"),
    (ESP32, "ENETDOWN", "LostUnreachable"),
    (ESP32, "EHOSTDOWN", "LostUnreachable"),
    (ESP32, "ENOTCONN", "LostOther"),
    (ESP32, "EBADF", "LostOther"),
)

# (port, number that its recv raises, whether that is an error or only a miss)
RECV_ERRORS = (
    (CPYTHON, "EAGAIN", False),
    (CPYTHON, "ECONNREFUSED", True),
    (CPYTHON, "ENETDOWN", True),
    (CPYTHON, "ENOMEM", True),
    (CPYTHON, "EBADF", True),
    (UNIX, "EAGAIN", False),
    (UNIX, "ECONNREFUSED", True),
    (UNIX, "ENOMEM", True),
    (UNIX, "EBADF", True),
    (RP2, "EAGAIN", False),
    (RP2, "ENOTCONN", True),
    (RP2, "EIO", True),
    (RP2, "EBADF", True),
    (ESP32, "EAGAIN", False),
    (ESP32, "ETIMEDOUT", False),
    (ESP32, "ENOTCONN", True),
    (ESP32, "ECONNABORTED", True),
    (ESP32, "EBADF", True),
)


def counted(a, name):
    return a.counters[COUNTER_NAMES.index(name)]


def open_one(net, layout=None, host="10.0.0.1", **options):
    return Udp(layout or ipv4(), host, modules=net.modules(), **options)


def peer(host=PEER, port=PORT):
    return pack(ipv4(), host, port)


def later(a, ms):
    """As if the last attempt to reopen were `ms` longer ago."""
    a._tried_ms = ticks_add(a._tried_ms, -ms)


def world(profile, layout, hosts):
    net = FakeNet(profile)

    def make(host, port):
        return Udp(layout, host, port, modules=net.modules())

    def inject(a, data):
        net.deliver(a.port, data)

    return UdpWorld(layout, hosts, make, inject, profile.queue, 0)


# ------------------------------------------------------------------------------------ contract


def test_the_contract_holds_on_every_port():
    for profile in PROFILES:
        run_contract(lambda p=profile: world(p, ipv4(), ("10.0.0.1", PEER, "192.168.100.200")))


def test_the_contract_holds_for_bare_ipv4_with_a_port():
    for profile in PROFILES:
        run_contract(lambda p=profile: world(p, own(4, True), ("10.0.0.1", PEER, "1.2.3.4")))


def test_the_contract_holds_on_ipv6_where_the_port_has_it():
    for profile in PROFILES:
        if profile.ipv6:
            run_contract(lambda p=profile: world(p, ipv6(), ("fd00::1", "fd00::2", "fd00::3")))


def test_the_contract_holds_with_both_families_where_one_socket_carries_both():
    for profile in (CPYTHON, UNIX):
        run_contract(lambda p=profile: world(p, ip(), ("10.0.0.1", "fd00::2", "fd00::3")))


# ----------------------------------------------------------------------------------- addresses


def test_every_octet_is_written_as_the_port_reads_it():
    """No leading zeros (octal on rp2), exact lengths (esp32 counts every byte)."""
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        for octet in range(256):
            host = "%d.%d.%d.%d" % (octet, 255 - octet, octet // 2, 0)
            port = 1 + octet * 256
            assert a.send(peer(host, port), 0, b"x", 1), (profile.name, host)
            assert net.sent[-1] == (host, port, b"x"), profile.name
        a.close()


def test_every_length_of_a_text_is_exact():
    hosts = (
        "1.2.3.4",
        "10.2.3.4",
        "10.20.3.4",
        "10.20.30.4",
        "10.20.30.40",
        "100.20.30.40",
        "100.200.30.40",
        "100.200.130.40",
        "100.200.130.140",
    )
    for profile in (RP2, ESP32):
        net = FakeNet(profile)
        a = open_one(net)
        for host in hosts + tuple(reversed(hosts)):
            assert a.send(peer(host), 0, b"x", 1)
            assert net.sent[-1][0] == host
        a.close()


def test_the_fakes_read_addresses_as_the_ports_do():
    """Why padding is no way: rp2 takes it for octal, esp32 for digits."""
    assert parse_aton(b"192.168.1.10\x00\x00\x00\x00") == "192.168.1.10"
    assert parse_aton(b"192.168.001.010") == "192.168.1.8"
    raises(ValueError, parse_aton, b"192.168.1")
    assert parse_netutils(b"192.168.001.010") == "192.168.1.10"
    assert parse_netutils(b"192.168.1.10\x00") != "192.168.1.10"
    raises(ValueError, parse_netutils, b"192.168.1")


def test_boards_rewrite_one_address_and_desktop_ports_fit():
    if not MICROPYTHON:
        return
    for profile in (UNIX, RP2, ESP32):
        a = open_one(FakeNet(profile))
        first = a._put(peer("10.0.0.2", 1), 0)
        again = a._put(peer("10.0.0.3", 2), 0)
        assert first is again
        a.close()


def test_a_board_without_uctypes_makes_a_text_each_time():
    for profile in (RP2, ESP32):
        net = FakeNet(profile)
        a = open_one(net)
        a._addresses = sockaddr.Tuples(ipv4())
        a._put = a._addresses.put
        assert a.send(peer("192.168.1.77"), 0, b"x", 1)
        assert net.sent == [("192.168.1.77", PORT, b"x")]
        a.close()


def test_texts_are_right_wherever_bytes_can_be_written():
    """What `Texts` does, on CPython too, with a uctypes whose texts are bytearrays."""

    class Uctypes:
        def addressof(self, text):
            return text

        def bytearray_at(self, text, count):
            return bytearray(count)

    texts = sockaddr.Texts(ipv4(), Uctypes())
    assert texts.local("10.0.0.1", 5) == ("10.0.0.1", 5)
    for host in ("1.2.3.4", "19.99.100.255", "255.255.255.255", "0.0.0.0", "9.10.90.109"):
        address = texts.put(b"\xff" + peer(host, 513), 1)
        assert address[1] == 513
        length = texts.texts.index(address[0]) + 7
        assert length == len(host)
        assert bytes(texts.views[length - 7]) == host.encode()
    no_port = sockaddr.Texts(own(4), Uctypes())
    no_port.local("10.0.0.1", 7)
    assert no_port.put(b"\x01\x02\x03\x04", 0)[1] == 7


def test_packed_addresses_of_both_families_overwrite_each_other():
    net = FakeNet(UNIX)
    layout = ip()
    a = open_one(net, layout, "::")
    four = pack(layout, "10.20.30.40", 1000)
    six = pack(layout, "2001:db8:1:2:3:4:5:6", 2000)
    for _ in range(2):
        assert a.send(six, 0, b"6", 1)
        assert net.sent[-1] == ("2001:db8:1:2:3:4:5:6", 2000, b"6")
        assert a.send(four, 0, b"4", 1)
        assert net.sent[-1] == ("::ffff:10.20.30.40", 1000, b"4")
    a.close()


def test_records_without_a_port_mean_ours():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net, own(4), port=4242)
        assert a.send(b"\x0a\x00\x00\x02", 0, b"x", 1)
        assert net.sent == [(PEER, 4242, b"x")]
        a.close()


def test_identities_that_udp_cannot_carry_are_refused():
    for layout in (mac(), own(6), own(16, True), own(3)):
        error = raises(UsageError, Udp, layout, modules=FakeNet(CPYTHON).modules())
        assert "ipv4()" in str(error)


def test_a_board_refuses_families_that_its_sockets_do_not_have():
    for profile, layout in ((ESP32, ipv6()), (ESP32, ip()), (RP2, ip())):
        net = FakeNet(profile)
        error = raises(UsageError, Udp, layout, "::", modules=net.modules())
        assert profile.platform in str(error)
        assert net.calls.get("socket", 0) == 0


# -------------------------------------------------------------------------------- construction


def test_a_bad_host_or_limit_is_one_clear_line_and_opens_nothing():
    cases = (
        (ipv4(), "localhost", PORT, 1400, "localhost"),
        (ipv4(), "10.0.0.256", PORT, 1400, "10.0.0.256"),
        (ipv4(), "fd00::1", PORT, 1400, "fd00::1"),
        (ipv4(), "::", PORT, 1400, "::"),
        (ipv4(), "aa:bb:cc:dd:ee:ff", PORT, 1400, "aa:bb"),
        (ipv6(), "10.0.0.1", PORT, 1400, "10.0.0.1"),
        (ipv4(), "10.0.0.1", -1, 1400, "65535"),
        (ipv4(), "10.0.0.1", 65536, 1400, "65535"),
        (ipv4(), "10.0.0.1", PORT, 0, "65507"),
        (ipv4(), "10.0.0.1", PORT, 65508, "65507"),
    )
    for layout, host, port, packet_bytes_max, word in cases:
        net = FakeNet(CPYTHON)
        error = raises(
            UsageError, Udp, layout, host, port, packet_bytes_max, modules=net.modules()
        )
        assert word in str(error), str(error)
        assert "\n" not in str(error)
        assert net.calls.get("socket", 0) == 0


def test_a_port_in_use_is_said_with_every_ports_number():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        error = raises(UsageError, open_one, net)
        assert "UDP port 36220 on 10.0.0.1 is in use" in str(error), profile.name
        assert net.sockets == [a._sock]
        a.close()
        open_one(net).close()


def test_whatever_fails_while_opening_leaves_nothing_open():
    for profile in PROFILES:
        for call in ("socket", "setsockopt", "bind"):
            net = FakeNet(profile)
            net.fail(call, net.error("ENOMEM"))
            error = raises(UsageError, open_one, net)
            assert "cannot be opened" in str(error)
            assert net.sockets == []
            assert net.calls.get("close", 0) == (0 if call == "socket" else 1)


def test_a_host_that_is_not_ours_is_said():
    for profile in (CPYTHON, UNIX, ESP32):
        net = FakeNet(profile)
        net.own_hosts = ("10.0.0.1",)
        error = raises(UsageError, open_one, net, host="10.0.0.9")
        assert "10.0.0.9" in str(error)
        assert "does not have that address" in str(error)


def test_port_0_tries_until_one_is_free():
    for profile in PROFILES:
        net = FakeNet(profile)
        net.fail("bind", net.error("EADDRINUSE"), 5)
        a = open_one(net, port=0)
        assert 49152 <= a.port <= 65535
        assert net.calls["bind"] == 6
        assert len(net.sockets) == 1
        assert net.sockets[0].port == a.port
        a.close()


def test_port_0_gives_up_after_a_while_and_at_once_on_another_error():
    net = FakeNet(CPYTHON)
    net.fail("bind", net.error("EADDRINUSE"), 1000)
    raises(UsageError, open_one, net, port=0)
    assert net.calls["bind"] == 32
    net = FakeNet(CPYTHON)
    net.fail("bind", net.error("EACCES"))
    raises(UsageError, open_one, net, port=0)
    assert net.calls["bind"] == 1


def test_0_0_0_0_is_every_address_of_the_family():
    for layout, host in ((ipv4(), "0.0.0.0"), (ipv6(), "::"), (ip(), "::")):
        for asked in ("0.0.0.0", ""):
            a = open_one(FakeNet(CPYTHON), layout, asked)
            assert a.host == host
            assert a._sock.host == host
            a.close()


def test_an_ipv6_socket_is_ipv6_only_unless_the_table_holds_both():
    for layout, only in ((ipv6(), 1), (ip(), 0)):
        for profile in (CPYTHON, UNIX):
            a = open_one(FakeNet(profile), layout, "::")
            assert a._sock.family == 10
            assert a._sock.options[(41, 26)] == only
            a.close()


def test_ports_are_never_shared_and_broadcasting_is_asked_for():
    for profile in PROFILES:
        a = open_one(FakeNet(profile))
        assert (1, 2) not in a._sock.options  # SO_REUSEADDR
        assert a._sock.options[(1, 6)] == 1  # SO_BROADCAST
        assert a._sock.blocking is False
        a.close()
        a = open_one(FakeNet(profile), broadcast=False)
        assert (1, 6) not in a._sock.options
        a.close()


# ------------------------------------------------------------------------------------- sending


def test_any_error_of_sendto_is_a_lost_datagram_of_its_kind():
    for profile, name, counter in SENDTO_ERRORS:
        net = FakeNet(profile)
        a = open_one(net)
        net.fail("sendto", net.error(name))
        assert a.send(peer(), 0, b"lost", 4) is False
        assert a.last_errno == profile.errno[name]
        assert counted(a, counter) == 1, (profile.name, name)
        assert sum(a.counters) == 1
        assert a.send(peer(), 0, b"sent", 4) is True
        assert net.sent == [(PEER, PORT, b"sent")]
        a.close()


def test_every_number_that_a_port_could_raise_is_survived():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        for number in range(-20, 200):
            net.fail("sendto", OSError(number))
            assert a.send(peer(), 0, b"lost", 4) is False
            net.deliver(PORT, b"x")
            net.fail("recv", OSError(number))
            assert a.receive() is None
        assert a.send(peer(), 0, b"sent", 4) is True
        a.close()


def test_an_error_without_a_number_and_one_of_the_heap_are_survived():
    net = FakeNet(RP2)
    a = open_one(net)
    net.fail("sendto", OSError())
    assert not a.send(peer(), 0, b"x", 1)
    assert counted(a, "LostOther") == 1
    net.fail("sendto", MemoryError("memory allocation failed"))
    assert not a.send(peer(), 0, b"x", 1)
    assert counted(a, "LostNoMemory") == 1
    assert a.last_errno == 12
    net.fail("sendto", ValueError("invalid arguments"))
    assert not a.send(peer(), 0, b"x", 1)
    assert counted(a, "LostOther") == 2
    net.deliver(PORT, b"kept")
    net.fail("recv", MemoryError("memory allocation failed"))
    assert a.receive() is None
    assert counted(a, "ReceiveErrors") == 1
    assert bytes(a.receive()) == b"kept"
    a.close()


def test_four_packets_wait_for_arp_then_esp32_has_no_memory():
    """micropython issue 12842. Those who answer are still reached."""
    net = FakeNet(ESP32)
    net.arp_known = ("10.0.0.1", "10.0.0.3")
    a = open_one(net)
    for _ in range(4):
        assert a.send(peer(), 0, b"x", 1)
    for _ in range(20):
        assert not a.send(peer(), 0, b"x", 1)
    assert counted(a, "LostNoMemory") == 20
    assert counted(a, "Reopened") == 0
    assert a.send(peer("10.0.0.3"), 0, b"x", 1)
    a.close()


def test_broadcasts_are_refused_on_linux_without_the_flag_and_on_no_board():
    for profile in PROFILES:
        for flag in (True, False):
            net = FakeNet(profile)
            a = open_one(net, broadcast=flag)
            sent = a.send(peer("10.0.0.255"), 0, b"x", 1)
            assert sent is (flag or profile.board)
            assert counted(a, "LostOther") == (0 if sent else 1)
            a.close()


def test_the_view_of_a_buffer_is_made_once():
    net = FakeNet(UNIX)
    a = open_one(net)
    buf = bytearray(b"hello world")
    a.send(peer(), 0, buf, 5)
    view = a._view
    buf[0] = 74
    a.send(peer(), 0, buf, 4)
    assert a._view is view
    other = bytearray(b"other")
    a.send(peer(), 0, other, 3)
    assert [data for _, _, data in net.sent] == [b"hello", b"Jell", b"oth"]
    a.close()
    assert a._view is None


# ----------------------------------------------------------------------------------- receiving


def test_a_poll_comes_before_every_read():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        for _ in range(5):
            assert a.receive() is None
        assert net.calls.get("recv", 0) == 0
        assert net.calls["poll"] == 5
        net.deliver(PORT, b"x")
        assert bytes(a.receive()) == b"x"
        assert net.calls["recv"] == 1
        a.close()


def test_any_error_of_recv_is_counted_and_survived():
    for profile, name, is_error in RECV_ERRORS:
        net = FakeNet(profile)
        a = open_one(net)
        net.deliver(PORT, b"kept")
        net.fail("recv", net.error(name))
        assert a.receive() is None
        assert counted(a, "ReceiveErrors") == (1 if is_error else 0), (profile.name, name)
        assert sum(a.counters) == (1 if is_error else 0)
        assert bytes(a.receive()) == b"kept"
        a.close()


def test_any_error_of_poll_is_counted_and_survived():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        net.deliver(PORT, b"kept")
        net.fail("poll", OSError(5))
        assert a.receive() is None
        assert counted(a, "ReceiveErrors") == 1
        net.fail("poll", OSError(5))
        assert a.wait(0) is False
        assert bytes(a.receive()) == b"kept"
        a.close()


def test_a_queue_loses_what_does_not_fit_and_nothing_else():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        for number in range(10):
            net.deliver(PORT, bytes((number,)))
        kept = min(10, profile.queue)
        assert net.dropped == 10 - kept
        for number in range(kept):
            assert bytes(a.receive()) == bytes((number,))
        assert a.receive() is None
        a.close()


def test_empty_datagrams_are_passed_over_where_the_port_survives_them():
    for profile in (CPYTHON, UNIX, RP2):
        net = FakeNet(profile)
        a = open_one(net)
        for data in (b"", b"", b"kept"):
            net.deliver(PORT, data)
        assert bytes(a.receive()) == b"kept"
        assert counted(a, "Empty") == 2
        assert counted(a, "Reopened") == 0
        a.close()


def test_an_empty_datagram_on_esp32_costs_a_socket_and_no_more():
    """micropython-lib issue 736: without a new socket every later read gives b"" for ever."""
    net = FakeNet(ESP32)
    a = open_one(net)
    for turn in range(20):  # a stranger who sends one before each of ours
        net.deliver(PORT, b"")
        first = a._sock
        assert a.receive() is None
        assert a._sock is not first
        assert not first.open
        assert len(net.sockets) == 1
        net.deliver(PORT, b"ours")
        assert bytes(a.receive()) == b"ours"
        assert counted(a, "Empty") == turn + 1
        assert counted(a, "Reopened") == turn + 1
    a.close()


def test_too_long_datagrams_are_recognised_although_every_port_cuts_silently():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net, packet_bytes_max=100)
        net.deliver(PORT, bytes(100))
        assert len(a.receive()) == 100
        for count in (101, 102, 5000):
            net.deliver(PORT, bytes(count))
            assert a.receive() is None
        assert counted(a, "TooLong") == 3
        assert counted(a, "Received") == 1
        a.close()


def test_useless_datagrams_do_not_keep_one_receive_busy():
    net = FakeNet(UNIX)
    a = open_one(net)
    for _ in range(20):
        net.deliver(PORT, b"")
    assert a.receive() is None
    assert net.calls["recv"] == 8
    assert a.receive() is None
    assert a.receive() is None
    assert counted(a, "Empty") == 20
    a.close()


# ----------------------------------------------------------------------------------- reopening


def test_a_socket_that_fails_persistently_is_replaced_on_the_same_port():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net, port=0)
        port = a.port
        first = a._sock
        net.fail("sendto", net.error("EBADF"), 8)
        for _ in range(8):
            assert not a.send(peer(), 0, b"x", 1)
        assert counted(a, "Reopened") == 1
        assert not first.open
        assert a._sock.port == port
        assert a.port == port
        assert a.send(peer(), 0, b"x", 1)
        net.deliver(port, b"hello")
        assert bytes(a.receive()) == b"hello"
        a.close()


def test_failing_reads_replace_the_socket_too():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        a._sock.close()  # EBADF from now on, and poll says it is readable
        for _ in range(8):
            assert a.receive() is None
        assert counted(a, "ReceiveErrors") == 8
        assert counted(a, "Reopened") == 1
        net.deliver(PORT, b"hello")
        assert bytes(a.receive()) == b"hello"
        a.close()


def test_a_success_forgives_earlier_failures():
    net = FakeNet(RP2)
    a = open_one(net)
    for _ in range(10):
        net.fail("sendto", net.error("EIO"), 7)
        for _ in range(7):
            assert not a.send(peer(), 0, b"x", 1)
        assert a.send(peer(), 0, b"x", 1)
    for _ in range(10):
        net.fail("sendto", net.error("EIO"), 7)
        for _ in range(7):
            assert not a.send(peer(), 0, b"x", 1)
        net.deliver(PORT, b"x")
        assert a.receive()
    assert counted(a, "Reopened") == 0
    a.close()


def test_an_unreachable_network_is_no_reason_to_replace_the_socket():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        net.fail("sendto", net.error("EHOSTUNREACH"), 100)
        net.fail("sendto", net.error("ENOMEM"), 100)
        net.fail("sendto", net.error("EAGAIN"), 100)
        for _ in range(300):
            assert not a.send(peer(), 0, b"x", 1)
        assert counted(a, "Reopened") == 0
        a.close()


def test_sockets_are_replaced_at_a_bounded_rate():
    net = FakeNet(UNIX)
    a = open_one(net)
    net.fail("sendto", net.error("EBADF"), 1000)
    for _ in range(100):
        assert not a.send(peer(), 0, b"x", 1)
    assert counted(a, "Reopened") == 1
    later(a, 1000)
    for _ in range(100):
        assert not a.send(peer(), 0, b"x", 1)
    assert counted(a, "Reopened") == 2
    a.close()


def test_long_after_the_last_attempt_the_next_one_is_allowed():
    """Ticks wrap: five and twelve days later must not look like the future."""
    for days in (1, 5, 7, 12):
        net = FakeNet(UNIX)
        a = open_one(net)
        for _ in range(days):
            later(a, 86400000)
        net.fail("sendto", net.error("EBADF"), 8)
        for _ in range(8):
            assert not a.send(peer(), 0, b"x", 1)
        assert counted(a, "Reopened") == 1, days
        a.close()


def test_without_a_socket_everything_is_lost_until_one_can_be_had():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        net.fail("sendto", net.error("EBADF"), 8)
        net.fail("socket", net.error("ENOMEM"))
        for _ in range(8):
            assert not a.send(peer(), 0, b"x", 1)
        assert net.sockets == []
        assert a.last_errno == 12
        assert a.send(peer(), 0, b"x", 1) is False
        assert a.receive() is None
        assert a.wait(0) is False
        assert counted(a, "LostOther") == 9
        assert net.calls["socket"] == 2
        later(a, 1000)
        assert a.receive() is None
        assert counted(a, "Reopened") == 1
        assert a.send(peer(), 0, b"x", 1) is True
        net.deliver(PORT, b"hello")
        assert bytes(a.receive()) == b"hello"
        a.close()


def test_a_heap_too_full_for_a_new_socket_is_survived():
    net = FakeNet(ESP32)
    a = open_one(net)
    net.deliver(PORT, b"")
    net.fail("socket", MemoryError("memory allocation failed"))
    assert a.receive() is None
    assert net.sockets == []
    later(a, 1000)
    assert a.send(peer(), 0, b"x", 1) is True
    a.close()


def test_no_storm_of_errors_is_ever_raised_or_outlasts_its_cause():
    """Any number, at any call, in any order: 30 seeds on every port. Afterwards all is well."""
    calls = ("socket", "setsockopt", "bind", "sendto", "recv", "poll", "close")
    for profile in PROFILES:
        for seed in range(1, 31):
            rng = Rng(seed)
            net = FakeNet(profile)
            a = open_one(net)
            for _ in range(200):
                if rng.below(3) == 0:
                    call = calls[rng.below(len(calls))]
                    number = rng.below(140) - 5
                    net.fail(call, OSError(number) if number else MemoryError(), 1 + rng.below(4))
                action = rng.below(6)
                if action == 0:
                    net.deliver(PORT, bytes(rng.below(4) * 700))
                elif action == 1:
                    later(a, rng.below(1500))
                elif action == 2:
                    assert a.wait(0) in (True, False)
                elif action == 3:
                    assert a.send(peer(), 0, b"hello", 1 + rng.below(5)) in (True, False)
                else:
                    data = a.receive()
                    assert data is None or len(data) in (700, 1400)
                assert len(net.sockets) <= 1
            net.failures = {}
            later(a, 1000)
            for _ in range(40):  # what still waits in the queue, and a failed read or two
                if a.receive() is None and net.sockets and not net.sockets[0].queue:
                    break
            net.deliver(PORT, b"calm")
            assert bytes(a.receive()) == b"calm", (profile.name, seed)
            assert a.send(peer(), 0, b"calm", 4), (profile.name, seed)
            a.close()
            assert net.sockets == []


def test_close_is_final_even_when_it_fails():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        net.fail("close", net.error("EBADF"))
        a.close()
        a.close()
        later(a, 5000)
        assert a.send(peer(), 0, b"x", 1) is False
        assert a.receive() is None
        assert net.calls["socket"] == 1


def test_counters_wrap_where_small_ints_end():
    net = FakeNet(UNIX)
    a = open_one(net)
    a.counters[0] = (1 << 30) - 1
    a.send(peer(), 0, b"x", 1)
    assert a.counters[0] == 0
    a.close()


def test_every_counter_has_a_name():
    names = list(COUNTER_NAMES)
    assert len(names) == len(set(names)) == 10
    assert udp.COUNTER_NAMES is COUNTER_NAMES


# -------------------------------------------------------------------------------- local address


def test_a_concrete_host_is_the_local_address():
    for profile in PROFILES:
        net = FakeNet(profile)
        a = open_one(net)
        assert a.local_address() == "10.0.0.1"
        assert net.calls.get("connect", 0) == 0
        a.close()


def test_a_board_asks_its_station_then_its_access_point():
    cases = (
        ("10.0.0.7", "192.168.4.1", "10.0.0.7"),
        (None, "192.168.4.1", "192.168.4.1"),
        ("0.0.0.0", "192.168.4.1", "192.168.4.1"),
        ("0.0.0.0", None, None),
        (None, None, None),
    )
    for profile in (RP2, ESP32):
        for ipconfig in (True, False):
            for station, access_point, expected in cases:
                net = FakeNet(profile)
                net.network = FakeNetwork(station, access_point, ipconfig)
                a = open_one(net, host="0.0.0.0")
                assert a.local_address() == expected
                a.close()


def test_a_board_whose_network_module_fails_must_be_told():
    class Broken:
        STA_IF = 0

        def WLAN(self, which):  # noqa: N802
            raise OSError(1)

    net = FakeNet(RP2)
    net.network = Broken()
    a = open_one(net, host="0.0.0.0")
    assert a.local_address() is None
    a.close()


def test_an_ipv6_board_must_be_told():
    net = FakeNet(RP2)
    net.network = FakeNetwork("10.0.0.7")
    a = open_one(net, ipv6(), "::")
    assert a.local_address() is None
    a.close()


def test_the_route_to_a_peer_tells_the_local_address_without_sending():
    net = FakeNet(CPYTHON)
    net.route_host = "10.0.0.5"
    a = open_one(net, host="0.0.0.0")
    assert a.local_address() == "10.0.0.5"
    assert a.local_address("10.9.9.9") == "10.0.0.5"
    assert net.sent == []
    assert len(net.sockets) == 1
    assert net.calls["close"] == 2
    a.close()


def test_without_a_route_the_local_address_must_be_told():
    for profile in (CPYTHON, UNIX):
        for layout, host in ((ipv4(), "0.0.0.0"), (ipv6(), "::")):
            net = FakeNet(profile)
            a = open_one(net, layout, host)
            assert a.local_address() is None
            net.fail("socket", net.error("ENOMEM"))
            assert a.local_address() is None
            a.close()
    net = FakeNet(CPYTHON)
    net.route_host = "0.0.0.0"
    a = open_one(net, host="0.0.0.0")
    assert a.local_address() is None
    a.close()


def test_the_real_network_module_is_asked_when_none_is_given():
    """A desktop has none: told apart from a board without an address by nobody."""
    assert interface.local_address(FakeNet(RP2).modules()[0], None, False) is None


# ------------------------------------------------------------------------------------ arithmetic


def test_layouts_say_where_the_address_is():
    """What the address writers rely on."""
    for layout, octets_at, port_at in ((ipv4(), 0, 4), (ipv6(), 0, 16), (ip(), 1, 17)):
        assert layout.octets_at == octets_at
        assert layout.port_at == port_at
    assert Layout(4, True, 0, -1).port_at == 4
