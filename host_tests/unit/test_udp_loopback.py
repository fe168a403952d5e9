"""UDP on real sockets of 127.0.0.1 and ::1: the transport contract, and what fakes cannot tell.

Every wait has a limit and ends as soon as the datagram is there. On a MicroPython of a desktop the
sockets are the unix port's, with packed addresses.
"""

import select
import socket
import sys

from foca import interface
from foca.address import pack
from foca.errors import UsageError
from foca.identity import ip, ipv4, ipv6, own
from foca.udp import COUNTER_NAMES, Udp
from support.check import raises
from support.transport_contract import UdpWorld, run_contract

NEEDS = ("socket", "select")

PATIENCE_MS = 2000


def counted(udp, name):
    return udp.counters[COUNTER_NAMES.index(name)]


def stranger(udp, data):
    """A socket of its own sends `data` to `udp`."""
    family = socket.AF_INET6 if ":" in udp.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.sendto(data, socket.getaddrinfo(udp.host, udp.port)[0][-1])
    sock.close()


def has_ipv6():
    """Whether this machine can bind ::1; some containers cannot."""
    try:
        Udp(ipv6(), "::1", 0).close()
    except UsageError:
        return False
    return True


def world(layout, hosts):
    def make(host, port):
        return Udp(layout, host, port)

    return UdpWorld(layout, hosts, make, stranger, 64, PATIENCE_MS)


def test_the_contract_holds_on_127_0_0_1():
    run_contract(lambda: world(ipv4(), ("127.0.0.1",)))


def test_the_contract_holds_on_other_hosts_of_loopback():
    run_contract(lambda: world(ipv4(16), ("127.0.0.1", "127.10.200.3", "127.255.255.254")))


def test_the_contract_holds_on_ipv6():
    if has_ipv6():
        run_contract(lambda: world(ipv6(), ("::1",)))


def test_the_contract_holds_with_both_families_in_one_table():
    if has_ipv6():
        run_contract(lambda: world(ip(), ("::1",)))
        run_contract(lambda: world(ip(), ("127.0.0.1",)))


def test_the_contract_holds_for_bare_ipv4_with_a_port():
    run_contract(lambda: world(own(4, True), ("127.0.0.1",)))


def test_one_socket_of_both_families_meets_ipv4_and_ipv6():
    if not has_ipv6():
        return
    both = Udp(ip(), "::", 0)
    four = Udp(ipv4(), "127.0.0.1", 0)
    six = Udp(ipv6(), "::1", 0)
    assert both.send(pack(ip(), "127.0.0.1", four.port), 0, b"to four", 7)
    assert four.wait(PATIENCE_MS)
    assert bytes(four.receive()) == b"to four"
    assert both.send(pack(ip(), "::1", six.port), 0, b"to six", 6)
    assert six.wait(PATIENCE_MS)
    assert bytes(six.receive()) == b"to six"
    assert four.send(pack(ipv4(), "127.0.0.1", both.port), 0, b"from four", 9)
    assert both.wait(PATIENCE_MS)
    assert bytes(both.receive()) == b"from four"
    assert six.send(pack(ipv6(), "::1", both.port), 0, b"from six", 8)
    assert both.wait(PATIENCE_MS)
    assert bytes(both.receive()) == b"from six"
    for udp in (both, four, six):
        udp.close()


def test_bare_ipv4_without_a_port_means_the_port_of_the_sender():
    layout = own(4)
    a = Udp(layout, "127.0.0.1", 0)
    b = Udp(layout, "127.0.0.2", a.port)
    assert a.send(pack(layout, "127.0.0.2"), 0, b"hello", 5)
    assert b.wait(PATIENCE_MS)
    assert bytes(b.receive()) == b"hello"
    assert b.send(pack(layout, "127.0.0.1"), 0, b"hi", 2)
    assert a.wait(PATIENCE_MS)
    assert bytes(a.receive()) == b"hi"
    a.close()
    b.close()


def test_a_port_in_use_is_one_clear_line_and_free_again_after_close():
    a = Udp(ipv4(), "127.0.0.1", 0)
    error = raises(UsageError, Udp, ipv4(), "127.0.0.1", a.port)
    assert "UDP port %d on 127.0.0.1 is in use" % a.port in str(error)
    assert "\n" not in str(error)
    raises(UsageError, Udp, ipv4(), "0.0.0.0", a.port)
    a.close()
    Udp(ipv4(), "127.0.0.1", a.port).close()


def test_port_0_is_a_port_of_its_own_for_each():
    udps = [Udp(ipv4(), "127.0.0.1", 0) for _ in range(10)]
    ports = sorted([udp.port for udp in udps])
    assert len(set(ports)) == 10
    assert ports[0] >= 49152
    assert ports[-1] <= 65535
    for udp in udps:
        udp.close()


def test_a_host_of_another_machine_is_refused():
    error = raises(UsageError, Udp, ipv4(), "192.0.2.77", 0)
    assert "192.0.2.77" in str(error)
    assert "does not have that address" in str(error)


def test_ten_datagrams_wait_in_their_order():
    a = Udp(ipv4(), "127.0.0.1", 0)
    b = Udp(ipv4(), "127.0.0.1", 0)
    to_b = pack(ipv4(), "127.0.0.1", b.port)
    for number in range(10):
        assert a.send(to_b, 0, bytes((number,) * (number + 1)), number + 1)
    for number in range(10):
        assert b.wait(PATIENCE_MS)
        assert bytes(b.receive()) == bytes((number,) * (number + 1))
    assert counted(a, "Sent") == 10
    assert counted(b, "Received") == 10
    a.close()
    b.close()


def test_too_long_and_empty_are_counted_and_passed_over_in_one_call():
    a = Udp(ipv4(), "127.0.0.1", 0, 50)
    for data in (b"", bytes(51), b"", bytes(2000), b"kept"):
        stranger(a, data)
    assert a.wait(PATIENCE_MS)
    assert bytes(a.receive()) == b"kept"
    assert counted(a, "Empty") == 2
    assert counted(a, "TooLong") == 2
    assert counted(a, "Received") == 1
    a.close()


def test_a_datagram_that_no_network_carries_is_lost_and_counted():
    a = Udp(ipv4(), "127.0.0.1", 0)
    assert not a.send(pack(ipv4(), "127.0.0.1", 9), 0, bytes(65508), 65508)  # EMSGSIZE
    assert not a.send(pack(ipv4(), "127.0.0.1", 0), 0, b"hello", 5)  # EINVAL on Linux
    assert counted(a, "LostOther") == 2
    assert counted(a, "Sent") == 0
    assert a.last_errno > 0
    a.close()


def test_broadcasting_needs_the_flag_and_has_it_unless_told_otherwise():
    """Linux: EACCES without SO_BROADCAST. 127.255.255.255 stays on this machine."""
    mute = Udp(ipv4(), "127.0.0.1", 0, 1400, False)
    to_all = pack(ipv4(), "127.255.255.255", mute.port)
    assert not mute.send(to_all, 0, b"hello", 5)
    assert mute.last_errno == 13
    mute.close()
    loud = Udp(ipv4(), "127.0.0.1", 0)
    assert loud.send(to_all, 0, b"hello", 5)
    loud.close()


def test_the_local_address_is_the_bound_host():
    a = Udp(ipv4(), "127.0.0.9", 0)
    assert a.local_address() == "127.0.0.9"
    assert a.local_address("127.0.0.1") == "127.0.0.9"
    a.close()


def test_bound_to_every_address_a_peer_tells_which_one_counts():
    a = Udp(ipv4(), "0.0.0.0", 0)
    assert a.host == "0.0.0.0"
    assert a.local_address("127.0.0.1") == "127.0.0.1"
    assert a.receive() is None
    a.close()


def test_the_local_address_of_an_ipv6_node():
    if not has_ipv6():
        return
    a = Udp(ipv6(), "0.0.0.0", 0)
    assert a.host == "::"
    assert a.local_address("::1") == "::1"
    a.close()


def test_addresses_of_proc_are_words_of_the_machine():
    if sys.byteorder == "little":
        assert interface.proc_octets("0100007F") == b"\x7f\x00\x00\x01"
        assert interface.proc_octets("B80D0120000000000000000001000000") == bytes(
            (0x20, 0x01, 0x0D, 0xB8) + (0,) * 11 + (1,)
        )


def test_linux_tells_the_source_of_a_connected_socket():
    """What the unix port does instead of getsockname; the same on CPython."""
    if sys.platform != "linux":
        return
    octets = b"\x7f\x00\x00\x01"
    packed = b"\x02\x00\x00\x09" + octets + bytes(8)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(socket.getaddrinfo("127.0.0.1", 9)[0][-1])
    assert interface._proc_address(packed) == "127.0.0.1"
    sock.close()
    assert interface._proc_address(packed[:4] + b"\x7f\x09\x09\x09" + bytes(8)) is None


def test_wait_sleeps_no_longer_than_asked():
    a = Udp(ipv4(), "127.0.0.1", 0)
    assert a.wait(1) is False
    a.close()
    assert a.wait(1) is False


def test_a_socket_that_someone_else_closed_is_replaced():
    """EBADF from the system itself, not from a fake."""
    a = Udp(ipv4(), "127.0.0.1", 0)
    b = Udp(ipv4(), "127.0.0.1", 0)
    to_a = pack(ipv4(), "127.0.0.1", a.port)
    to_b = pack(ipv4(), "127.0.0.1", b.port)
    a._sock.close()
    lost = 0
    while not a.send(to_b, 0, b"hello", 5):
        lost += 1
        assert lost < 20
    assert counted(a, "Reopened") == 1
    assert counted(a, "LostOther") == lost
    assert b.wait(PATIENCE_MS)
    assert bytes(b.receive()) == b"hello"
    assert b.send(to_a, 0, b"back", 4)
    assert a.wait(PATIENCE_MS)
    assert bytes(a.receive()) == b"back"
    a.close()
    b.close()


def test_what_poll_gives_is_what_udp_expects():
    """Level-triggered, and readable for an empty datagram too."""
    a = Udp(ipv4(), "127.0.0.1", 0)
    assert hasattr(select, "poll")
    stranger(a, b"")
    assert a.wait(PATIENCE_MS)
    assert a.wait(0)
    assert a.receive() is None
    assert not a.wait(0)
    a.close()
