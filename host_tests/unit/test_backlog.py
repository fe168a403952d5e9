"""foca.backlog: most transmissions left first, then the longest; what does not fit waits.

The lengths on the wire follow from bump and incarnation: 5 bytes for small ones, one more for each
from 128 on, and again from 16384 on.
"""

from foca.address import pack
from foca.backlog import Backlog
from foca.cursor import Cursor
from foca.identity import ip, own
from foca.members import GONE, UPDATE, Members
from foca.postcard import Postcard
from foca.rng import Rng
from foca.wire import ALIVE, DOWN, SUSPECT
from support.table import Table


class Bench:
    """A table, its backlog, and a packet to fill."""

    def __init__(self, members_max=8, send_bytes_max=200):
        self.table = Table(members_max)
        self.members = self.table.members
        self.codec = Postcard(self.members)
        self.backlog = Backlog(self.members, self.codec, send_bytes_max)

    def queue(self, address, transmissions, bump=0, incarnation=0):
        """Let a member be known and its state be told; returns its row."""
        self.table.apply(address, bump, ALIVE, incarnation)
        row = self.table.find(address)
        self.backlog.queue(row, transmissions)
        return row

    def fill(self, room):
        """Fill a packet with `room` bytes left; returns the addresses in it, in order."""
        cursor = Cursor()
        buf = bytearray(b"\xee" * (room + 20))
        cursor.open(buf, 10, 10 + room)
        count = self.backlog.fill(cursor)
        assert bytes(buf[:10]) == b"\xee" * 10 and bytes(buf[10 + room :]) == b"\xee" * 10
        assert bytes(buf[cursor.pos :]) == b"\xee" * (len(buf) - cursor.pos), "written past pos"
        end = cursor.pos
        cursor.open(buf, 10, end)
        addresses = []
        while cursor.left():
            self.codec.read_member(cursor, UPDATE)
            addresses.append(self.table.address(UPDATE))
        assert len(addresses) == count
        return addresses

    def left(self, address):
        return self.members.left[self.table.find(address)]


def test_an_empty_backlog_writes_nothing():
    bench = Bench()
    assert bench.backlog.is_empty()
    assert bench.backlog.count() == 0
    assert bench.fill(100) == []
    bench.table.apply(1)
    assert bench.fill(100) == []


def test_an_update_is_told_exactly_as_often_as_asked():
    """foca: piggyback_behaviour (broadcast.rs)."""
    bench = Bench()
    bench.queue(1, 3)
    for left in (3, 2, 1):
        assert not bench.backlog.is_empty()
        assert bench.left(1) == left
        assert bench.fill(100) == [1]
    assert bench.fill(100) == []
    assert bench.backlog.is_empty()
    assert bench.backlog.count() == 0


def test_queueing_again_starts_over():
    """foca: piggyback_behaviour (broadcast.rs): the same key replaces."""
    bench = Bench()
    row = bench.queue(1, 5)
    bench.fill(100)
    bench.backlog.queue(row, 2)
    assert bench.backlog.count() == 1
    assert bench.fill(100) == [1]
    assert bench.fill(100) == [1]
    assert bench.fill(100) == []


def test_queueing_zero_takes_an_update_back():
    bench = Bench()
    row = bench.queue(1, 5)
    bench.backlog.queue(row, 0)
    assert bench.backlog.is_empty()
    assert bench.fill(100) == []


def test_what_does_not_fit_is_kept_untouched():
    """foca: fill_does_nothing_if_buffer_full."""
    bench = Bench()
    bench.queue(1, 2)
    for room in range(5):
        assert bench.fill(room) == []
        assert bench.left(1) == 2
    assert bench.fill(5) == [1]
    assert bench.left(1) == 1


def test_the_longest_goes_first():
    """foca: piggyback_consumes_largest_first."""
    bench = Bench()
    bench.queue(1, 2, bump=1)
    bench.queue(2, 2, bump=20000, incarnation=20000)
    bench.queue(3, 2, bump=300)
    bench.queue(4, 2, bump=300, incarnation=300)
    assert bench.fill(100) == [2, 4, 3, 1]


def test_most_transmissions_left_go_first_whatever_their_length():
    """foca: highest_max_tx_is_consumed_first."""
    bench = Bench()
    bench.queue(1, 3, bump=1)
    bench.queue(2, 1, bump=20000)
    bench.queue(3, 2, bump=300)
    assert bench.fill(100) == [1, 3, 2]
    assert bench.fill(100) == [1, 3]
    assert bench.fill(100) == [1]
    assert bench.fill(100) == []


def test_an_update_that_was_told_falls_behind_its_equals():
    bench = Bench()
    for address in (1, 2, 3):
        bench.queue(address, 2)
    told = bench.fill(10)
    assert len(told) == 2
    third = bench.fill(5)
    assert third == [6 - sum(told)]
    assert sorted([bench.left(address) for address in (1, 2, 3)]) == [1, 1, 1]


def test_a_shorter_update_overtakes_one_that_does_not_fit():
    bench = Bench()
    bench.queue(1, 9, bump=20000, incarnation=20000)  # 9 bytes
    bench.queue(2, 1, bump=300)  # 6 bytes
    bench.queue(3, 1)  # 5 bytes
    assert bench.fill(8) == [2]
    assert (bench.left(1), bench.left(2), bench.left(3)) == (9, 0, 1)
    assert bench.fill(5) == [3]
    assert bench.fill(9) == [1]


def test_within_a_level_too_the_shorter_overtakes():
    bench = Bench()
    bench.queue(1, 4, bump=20000)  # 7 bytes
    bench.queue(2, 4)  # 5 bytes
    assert bench.fill(6) == [2]
    assert (bench.left(1), bench.left(2)) == (4, 3)
    assert bench.fill(12) == [1, 2]


def test_each_update_stands_in_a_packet_once():
    """foca: piggyback_respects_limit."""
    bench = Bench()
    bench.queue(1, 200)
    bench.queue(2, 199)
    assert bench.fill(190) == [1, 2]
    assert (bench.left(1), bench.left(2)) == (199, 198)


def test_a_newer_state_overtakes_the_queued_one():
    """The bytes are made when they are sent."""
    bench = Bench()
    row = bench.queue(1, 5)
    bench.table.apply(1, 0, SUSPECT, 7)
    bench.fill(100)
    assert bench.members.states[UPDATE] == SUSPECT
    assert bench.members.incarnations[UPDATE] == 7
    assert bench.left(1) == 4
    bench.table.apply(1, 0, DOWN, 7)
    bench.members.remove(row)
    assert bench.backlog.count() == 0, "the update of a forgotten member goes with it"
    assert bench.backlog.is_empty()


def test_an_update_that_grew_is_measured_again():
    bench = Bench()
    bench.queue(1, 5)
    assert bench.fill(5) == [1]
    bench.table.apply(1, 0, ALIVE, 20000)
    assert bench.fill(6) == [], "it is 7 bytes long now"
    assert bench.fill(7) == [1]
    bench.table.apply(1, 300, ALIVE, 0)
    assert bench.fill(6) == [1], "and 6 now"


def test_our_own_down_is_told_like_any_other():
    bench = Bench()
    bench.queue(1, 1)
    bench.table.put(GONE, 99, 3, DOWN)
    bench.members.lengths[GONE] = 0
    bench.backlog.queue(GONE, 2)
    assert bench.backlog.count() == 2
    assert bench.fill(100) == [99, 1]
    assert bench.fill(100) == [99]
    assert bench.fill(100) == []


def test_all_levels_are_told_one_after_the_other():
    """Any mix of counts is told to the end: sum of the counts, each address as often as asked."""
    bench = Bench(members_max=40)
    counts = {}
    rng = Rng(5)
    for address in range(40):
        counts[address] = 1 + rng.below(30)
        bench.queue(address, counts[address], bump=rng.below(20001))
    told = {}
    while not bench.backlog.is_empty():
        expected_top = max([bench.left(address) for address in range(40)])
        addresses = bench.fill(40)
        assert addresses
        for address in addresses:
            told[address] = told.get(address, 0) + 1
        assert bench.backlog.top <= expected_top
    assert told == counts


def test_a_packet_of_the_shortest_updates_fits_the_backlogs_own_memory():
    """A table of both families: an IPv4 update takes 8 bytes where an IPv6 one takes 20."""
    layout = ip(0)
    members = Members(layout, 200, Rng(1))
    codec = Postcard(members)
    backlog = Backlog(members, codec, 1400)
    width = layout.record_bytes
    for number in range(200):
        members.ids[UPDATE * width : (UPDATE + 1) * width] = pack(
            layout, bytes((10, 0, 0, number)), 1
        )
        members.states[UPDATE] = ALIVE
        members.apply(UPDATE)
        backlog.queue(members.row, 2)
    cursor = Cursor()
    cursor.open(bytearray(1400), 0, 1400)
    assert backlog.fill(cursor) == 1400 // 8
    assert sum(members.left) == 400 - 1400 // 8


def test_the_shortest_updates_of_any_layout_fit_into_memory():
    """One octet, no port, no bump: three bytes each, and a packet that holds them exactly."""
    layout = own(1, False, 0)
    members = Members(layout, 200, Rng(1))
    backlog = Backlog(members, Postcard(members), 300)
    for number in range(200):
        members.ids[UPDATE] = number
        members.states[UPDATE] = ALIVE
        members.apply(UPDATE)
        backlog.queue(members.row, 1)
    cursor = Cursor()
    cursor.open(bytearray(300), 0, 300)
    assert backlog.fill(cursor) == 100
