"""What every transport must do, whatever carries its datagrams: run it against yours.

    for rule in CONTRACT:
        world = MyWorld()
        rule(world)
        world.close()

A world makes transports that can reach each other:

    world.open() -> transport              one more of them, with an address of its own
    world.record(transport) -> bytes       the identity record whose address is that transport's
    world.nowhere() -> bytes               a record with a well-formed address where nobody listens
    world.arrived(transport) -> bool       wait, with a limit, until it has something
    world.inject(transport, data)          a datagram from a stranger: of any length, 0 too
    world.queue_max                        how many datagrams a transport holds at least
    world.close()                          close everything that was opened

A transport has send(ids, at, buf, count), receive(), close(), wait(timeout_ms) and
`packet_bytes_max`. It never raises: losing a datagram is allowed, damaging or gluing one is not.
"""

from foca.address import pack


def _message(count, seed):
    return bytearray([(seed + 7 * index) & 255 for index in range(count)])


def _exchange(world, sender, receiver, buf, count):
    """Send and take what comes: the datagram as bytes, or None."""
    record = world.record(receiver)
    assert sender.send(record, 0, buf, count) is True
    assert world.arrived(receiver)
    data = receiver.receive()
    return None if data is None else bytes(data)


def rule_a_datagram_arrives_whole_and_unchanged(world):
    a = world.open()
    b = world.open()
    for count in (1, 2, 40, 255, 256, a.packet_bytes_max):
        message = _message(count, count & 255)
        assert _exchange(world, a, b, message, count) == bytes(message)


def rule_only_the_first_count_bytes_are_sent(world):
    a = world.open()
    b = world.open()
    buf = _message(100, 3)
    assert _exchange(world, a, b, buf, 10) == bytes(buf[:10])
    assert _exchange(world, a, b, buf, 100) == bytes(buf)
    assert _exchange(world, a, b, buf, 1) == bytes(buf[:1])


def rule_the_buffer_is_free_after_the_return(world):
    a = world.open()
    b = world.open()
    buf = bytearray(b"first")
    assert a.send(world.record(b), 0, buf, 5)
    buf[:] = b"other"
    assert world.arrived(b)
    assert bytes(b.receive()) == b"first"


def rule_the_record_may_stand_anywhere_in_the_table(world):
    a = world.open()
    b = world.open()
    record = world.record(b)
    table = bytearray(b"\xff" * (3 * len(record) + 5))
    table[2 * len(record) + 1 : 3 * len(record) + 1] = record
    assert a.send(table, 2 * len(record) + 1, b"x", 1)
    assert world.arrived(b)
    assert bytes(b.receive()) == b"x"


def rule_each_transport_gets_what_is_addressed_to_it(world):
    a = world.open()
    b = world.open()
    c = world.open()
    assert a.send(world.record(b), 0, b"for b", 5)
    assert a.send(world.record(c), 0, b"for c", 5)
    assert world.arrived(c)
    assert world.arrived(b)
    assert bytes(c.receive()) == b"for c"
    assert bytes(b.receive()) == b"for b"
    assert a.receive() is None


def rule_two_datagrams_are_never_glued_together(world):
    a = world.open()
    b = world.open()
    sizes = (10, 5, 20)[: world.queue_max]
    for count in sizes:
        assert a.send(world.record(b), 0, _message(count, count), count)
    for count in sizes:
        assert world.arrived(b)
        assert bytes(b.receive()) == bytes(_message(count, count))
    assert b.receive() is None


def rule_silence_is_none(world):
    a = world.open()
    for _ in range(3):
        assert a.receive() is None
    assert a.wait(0) is False


def rule_wait_says_whether_something_is_there(world):
    a = world.open()
    b = world.open()
    assert a.send(world.record(b), 0, b"hello", 5)
    assert world.arrived(b)
    assert b.wait(0) is True
    assert bytes(b.receive()) == b"hello"
    assert b.wait(0) is False


def rule_a_datagram_to_nowhere_is_lost_without_a_word(world):
    a = world.open()
    for _ in range(3):
        assert a.send(world.nowhere(), 0, b"hello", 5) in (True, False)
        assert a.receive() is None


def rule_an_empty_datagram_does_not_stop_the_next_one(world):
    a = world.open()
    b = world.open()
    world.inject(b, b"")
    world.arrived(b)
    b.receive()
    assert _exchange(world, a, b, b"after", 5) == b"after"


def rule_a_datagram_longer_than_the_limit_is_dropped_not_cut(world):
    a = world.open()
    b = world.open()
    for extra in (1, 2, 500):
        world.inject(b, bytes(b.packet_bytes_max + extra))
        world.arrived(b)
        assert b.receive() is None
    assert _exchange(world, a, b, b"after", 5) == b"after"


def rule_a_closed_transport_is_silent_and_loses_what_is_sent(world):
    a = world.open()
    b = world.open()
    record = world.record(a)
    a.close()
    a.close()
    assert a.send(world.record(b), 0, b"hello", 5) is False
    assert a.receive() is None
    assert a.wait(0) is False
    assert b.receive() is None
    assert b.send(record, 0, b"hello", 5) in (True, False)


CONTRACT = (
    rule_a_datagram_arrives_whole_and_unchanged,
    rule_only_the_first_count_bytes_are_sent,
    rule_the_buffer_is_free_after_the_return,
    rule_the_record_may_stand_anywhere_in_the_table,
    rule_each_transport_gets_what_is_addressed_to_it,
    rule_two_datagrams_are_never_glued_together,
    rule_silence_is_none,
    rule_wait_says_whether_something_is_there,
    rule_a_datagram_to_nowhere_is_lost_without_a_word,
    rule_an_empty_datagram_does_not_stop_the_next_one,
    rule_a_datagram_longer_than_the_limit_is_dropped_not_cut,
    rule_a_closed_transport_is_silent_and_loses_what_is_sent,
)


def run_contract(make_world):
    """Every rule in a world of its own; raises the first failure with the rule's name in it."""
    for rule in CONTRACT:
        world = make_world()
        try:
            rule(world)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (rule.__name__, error)) from error
        finally:
            world.close()


class UdpWorld:
    """Transports that are `Udp`, on fakes or on real sockets.

    `make(host, port)` makes one; `hosts` are their hosts in turn; `inject(port, data)` sends as a
    stranger; `patience_ms` is the limit of `arrived`, 0 where everything happens at once.
    """

    def __init__(self, layout, hosts, make, inject, queue_max, patience_ms):
        self.layout = layout
        self.hosts = hosts
        self.make = make
        self.send_as_stranger = inject
        self.queue_max = queue_max
        self.patience_ms = patience_ms
        self.opened = []

    def open(self):
        udp = self.make(self.hosts[len(self.opened) % len(self.hosts)], 0)
        self.opened.append(udp)
        return udp

    def record(self, udp):
        return pack(self.layout, udp.host, udp.port if self.layout.has_port else 0, 5)

    def nowhere(self):
        udp = self.make(self.hosts[0], 0)
        record = self.record(udp)
        udp.close()
        return record

    def arrived(self, udp):
        return udp.wait(self.patience_ms)

    def inject(self, udp, data):
        self.send_as_stranger(udp, data)

    def close(self):
        for udp in self.opened:
            udp.close()
