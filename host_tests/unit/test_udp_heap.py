"""What UDP costs the heap, measured on the MicroPython VM; elsewhere only what it does is checked.

Budgets on the 32-bit VM, garbage per datagram: 32 bytes sent, its size and 64 received, 0 for a
look that finds nothing; nothing is retained after 10,000 datagrams and a collection. A 64-bit VM
has words of twice the size: twice the fixed part. Real sockets of 127.0.0.1; the addresses of the
boards are measured through the fakes' modules without sending.
"""

import gc
import sys

from foca._port import MICROPYTHON
from foca.address import pack
from foca.identity import ip, ipv4
from foca.udp import COUNTER_NAMES, Udp
from support.fake_socket import ESP32, RP2, UNIX, FakeNet

NEEDS = ("socket", "select")

PATIENCE_MS = 2000
WORDS = 2 if sys.maxsize > 1 << 31 else 1  # of 32 bits

if MICROPYTHON:
    from micropython import heap_lock, heap_unlock

    allocated = gc.mem_alloc
else:

    def allocated():
        return 0

    def heap_lock():
        pass

    heap_unlock = heap_lock


def pair():
    a = Udp(ipv4(), "127.0.0.1", 0)
    b = Udp(ipv4(), "127.0.0.1", 0)
    return a, b, pack(ipv4(), "127.0.0.1", b.port)


class Meter:
    """The garbage of one send, one look that finds something, and one that does not."""

    def __init__(self):
        self.sent = 0
        self.received = 0
        self.missed = 0

    def measure(self, a, b, to_b, buf, count):
        gc.collect()
        gc.disable()
        try:
            before = allocated()
            assert a.send(to_b, 0, buf, count)
            after = allocated()
            self.sent = after - before
            assert b.wait(PATIENCE_MS)
            before = allocated()
            data = b.receive()
            after = allocated()
            self.received = after - before
            before = allocated()
            nothing = b.receive()
            after = allocated()
            self.missed = after - before
        finally:
            gc.enable()
        assert len(data) == count
        assert nothing is None


def test_garbage_per_datagram_is_within_the_budgets():
    a, b, to_b = pair()
    buf = bytearray(1400)
    meter = Meter()
    meter.measure(a, b, to_b, buf, 40)  # makes the view
    for count in (1, 16, 40, 41, 64, 100, 255, 512, 1023, 1399, 1400):
        meter.measure(a, b, to_b, buf, count)
        assert meter.sent <= 32 * WORDS, (count, meter.sent)
        assert meter.received <= count + 64 * WORDS, (count, meter.received)
        assert meter.missed == 0, (count, meter.missed)
    a.close()
    b.close()


def test_a_whole_buffer_is_sent_without_any_garbage():
    a, b, to_b = pair()
    buf = bytearray(100)
    meter = Meter()
    meter.measure(a, b, to_b, buf, 100)
    meter.measure(a, b, to_b, buf, 100)
    assert meter.sent == 0
    a.close()
    b.close()


def test_a_look_that_finds_nothing_works_with_a_locked_heap():
    a, b, to_b = pair()
    assert b.receive() is None
    before = allocated()
    heap_lock()
    try:
        nothing = b.receive()
        nobody = b.wait(0)
    finally:
        heap_unlock()
    assert nothing is None
    assert nobody is False
    assert allocated() == before
    a.close()
    b.close()


def test_a_whole_buffer_is_sent_with_a_locked_heap():
    a, b, to_b = pair()
    buf = bytearray(b"hello")
    assert a.send(to_b, 0, buf, 5)
    heap_lock()
    try:
        sent = a.send(to_b, 0, buf, 5)
    finally:
        heap_unlock()
    assert sent
    for _ in range(2):
        assert b.wait(PATIENCE_MS)
        assert bytes(b.receive()) == b"hello"
    a.close()
    b.close()


def test_addresses_are_rewritten_with_a_locked_heap():
    """Every port of MicroPython: the packed address and the texts of the boards."""
    for profile, layout, hosts in (
        (UNIX, ipv4(), ("10.0.0.2", "192.168.100.200")),
        (UNIX, ip(), ("10.0.0.2", "fd00::1:2:3")),
        (RP2, ipv4(), ("1.2.3.4", "192.168.100.200", "10.20.30.40")),
        (ESP32, ipv4(), ("1.2.3.4", "192.168.100.200", "10.20.30.40")),
    ):
        host = "::" if layout.tag else "10.0.0.1"
        a = Udp(layout, host, modules=FakeNet(profile).modules())
        records = b"".join([pack(layout, host, 36220) for host in hosts])
        locked = MICROPYTHON  # without uctypes a text is made each time
        before = allocated()
        if locked:
            heap_lock()
        try:
            at = 0
            while at < len(records):
                a._put(records, at)
                at += layout.record_bytes
        finally:
            if locked:
                heap_unlock()
        assert allocated() == before
        a.close()


def test_nothing_is_retained_after_10000_datagrams():
    a, b, to_b = pair()
    buf = bytearray(512)
    exchange(a, b, to_b, buf, 100)
    gc.collect()
    before = allocated()
    exchange(a, b, to_b, buf, 10000)
    gc.collect()
    assert allocated() <= before
    assert b.counters[COUNTER_NAMES.index("Received")] == 10100
    a.close()
    b.close()


def exchange(a, b, to_b, buf, datagrams):
    number = 0
    while number < datagrams:
        assert a.send(to_b, 0, buf, 1 + (number * 37) % 512)
        assert b.wait(PATIENCE_MS)
        data = b.receive()
        assert len(data) == 1 + (number * 37) % 512
        assert b.receive() is None
        number += 1


def test_nothing_is_retained_after_errors_of_every_kind():
    """Exceptions come and go, sockets are replaced, too long and empty datagrams are dropped."""
    net = FakeNet(ESP32)
    a = Udp(ipv4(), "10.0.0.1", modules=net.modules())
    to_b = pack(ipv4(), "10.0.0.2", 36220)
    buf = bytearray(10)
    retained = []
    for rounds in (200, 200, 1000):  # the first leaves an object or two in dead stack slots
        misfortunes(net, a, to_b, buf, rounds)
        gc.collect()
        retained.append(allocated())
    assert retained[2] <= max(retained[:2])
    a.close()


def misfortunes(net, a, to_b, buf, turns):
    for _ in range(turns):
        for name in ("ETIMEDOUT", "ENOMEM", "EHOSTUNREACH", "EBADF"):
            net.failures["sendto"] = [net.error(name)]
            assert not a.send(to_b, 0, buf, 5)
        net.failures["recv"] = [net.error("ENOTCONN")]
        net.deliver(36220, b"x")
        assert a.receive() is None
        assert a.receive() == b"x"
        net.deliver(36220, bytes(1500))
        assert a.receive() is None
        net.deliver(36220, b"")
        assert a.receive() is None


def test_the_texts_of_a_board_take_a_known_amount():
    """Nine texts of 7 .. 15 bytes, a view on each, two lists and the address."""
    if not MICROPYTHON:
        return
    import uctypes
    from foca.sockaddr import Texts

    layout = ipv4()
    Texts(layout, uctypes)
    gc.collect()
    before = allocated()
    texts = Texts(layout, uctypes)
    gc.collect()
    assert allocated() - before <= 768 * WORDS
    assert len(texts.texts) == 9
