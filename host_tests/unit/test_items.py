"""foca.items: custom broadcasts queue, invalidate each other, and share packets like updates.

The handler here is the one of the reference's tests in spirit: an item is a key byte, a version
byte, and text; a newer version of a key invalidates the older one.
"""

from foca.cursor import Cursor
from foca.items import Items
from support.check import same_bytes, take


class Versioned:
    def invalidates(self, buf, start, end, items):
        assert items.old_end > items.old_start
        return buf[start] == items.store[items.old_start]


class Never:
    def invalidates(self, buf, start, end, items):
        return False


def add(items, data, transmissions=3):
    """Add with foreign bytes around, which must not be stored."""
    return items.add(b"\xee" + data + b"\xee", 1, 1 + len(data), transmissions)


def fill(items, room):
    """The items of one packet with `room` bytes left, in order."""
    cursor = Cursor()
    buf = bytearray(b"\xee" * (room + 6))
    cursor.open(buf, 3, 3 + room)
    items.fill(cursor)
    assert cursor.ok
    assert bytes(buf[:3]) == b"\xee" * 3
    assert bytes(buf[cursor.pos :]) == b"\xee" * (len(buf) - cursor.pos)
    cursor.open(buf, 3, cursor.pos)
    found = []
    while cursor.left():
        found.append(take(cursor, cursor.read_u16be()))
    return found


def test_an_empty_store_writes_nothing():
    items = Items(Never(), 4, 100)
    assert items.count == 0
    assert fill(items, 50) == []


def test_an_item_is_told_exactly_as_often_as_asked_behind_its_length():
    """foca: fill_with_len_prefix."""
    items = Items(Never(), 4, 100)
    assert add(items, b"long item", 2)
    cursor = Cursor()
    buf = bytearray(20)
    cursor.open(buf, 0, 20)
    items.fill(cursor)
    same_bytes(buf[: cursor.pos], b"\x00\x09long item")
    assert items.count == 1
    assert fill(items, 50) == [b"long item"]
    assert items.count == 0
    assert fill(items, 50) == []


def test_a_long_items_length_is_big_endian():
    items = Items(Never(), 4, 1000)
    add(items, b"x" * 258)
    assert fill(items, 300) == [b"x" * 258]
    cursor = Cursor()
    buf = bytearray(300)
    cursor.open(buf, 0, 300)
    items.fill(cursor)
    same_bytes(buf[:3], b"\x01\x02x")


def test_most_transmissions_first_then_the_longest():
    items = Items(Never(), 8, 100)
    add(items, b"a", 2)
    add(items, b"bbb", 2)
    add(items, b"cc", 3)
    add(items, b"dddd", 1)
    assert fill(items, 90) == [b"cc", b"bbb", b"a", b"dddd"]
    assert fill(items, 90) == [b"cc", b"bbb", b"a"]
    assert fill(items, 90) == [b"cc"]
    assert items.count == 0


def test_what_does_not_fit_is_kept_and_a_shorter_one_overtakes():
    items = Items(Never(), 8, 100)
    add(items, b"0123456789", 3)
    add(items, b"ab", 1)
    assert fill(items, 11) == [b"ab"]
    assert items.count == 1
    assert fill(items, 11) == []
    assert fill(items, 12) == [b"0123456789"]


def test_nothing_fits_into_no_room():
    items = Items(Never(), 8, 100)
    add(items, b"a")
    for room in (0, 1, 2):
        assert fill(items, room) == []
    assert fill(items, 3) == [b"a"]


def test_a_new_item_drops_what_it_invalidates():
    """foca: custom_broadcast."""
    items = Items(Versioned(), 8, 100)
    add(items, b"K1 first")
    add(items, b"L1")
    add(items, b"K2 second, and longer")
    assert items.count == 2
    assert fill(items, 90) == [b"K2 second, and longer", b"L1"]
    add(items, b"L2")
    add(items, b"K3")
    assert sorted(fill(items, 90)) == [b"K3", b"L2"]


def test_a_new_item_may_invalidate_several():
    class All:
        def invalidates(self, buf, start, end, items):
            return True

    items = Items(Never(), 8, 100)
    for data in (b"a", b"bb", b"ccc"):
        add(items, data)
    items.handler = All()
    add(items, b"new")
    assert fill(items, 90) == [b"new"]


def test_the_handler_sees_each_old_item_whole():
    seen = []

    class Watching:
        def invalidates(self, buf, start, end, items):
            seen.append(bytes(items.store[items.old_start : items.old_end]))
            assert bytes(buf[start:end]) == b"new"
            return False

    items = Items(Never(), 8, 100)
    for data in (b"a", b"bb", b"ccc"):
        add(items, data)
    items.handler = Watching()
    add(items, b"new")
    assert sorted(seen) == [b"a", b"bb", b"ccc"]


def test_too_many_items_evict_the_most_told_one():
    items = Items(Never(), 3, 100)
    add(items, b"a", 5)
    add(items, b"b", 2)
    add(items, b"c", 4)
    assert add(items, b"d", 3)
    assert items.evicted == 1
    assert fill(items, 90) == [b"a", b"c", b"d"]


def test_of_equally_told_items_the_oldest_goes():
    items = Items(Never(), 3, 100)
    for data in (b"a", b"b", b"c"):
        add(items, data, 2)
    add(items, b"d", 2)
    assert sorted(fill(items, 90)) == [b"b", b"c", b"d"]


def test_too_many_bytes_evict_until_the_new_one_fits():
    items = Items(Never(), 8, 20)
    add(items, b"a" * 8, 3)
    add(items, b"b" * 8, 2)
    add(items, b"c" * 4, 1)
    assert add(items, b"d" * 10, 5)
    assert items.evicted == 2
    assert fill(items, 90) == [b"d" * 10, b"a" * 8]


def test_an_item_as_large_as_the_store_is_kept_and_a_larger_one_refused():
    items = Items(Never(), 8, 20)
    add(items, b"small")
    assert not add(items, b"x" * 21)
    assert items.count == 1
    assert items.evicted == 0
    assert add(items, b"y" * 20)
    assert items.evicted == 1
    assert fill(items, 90) == [b"y" * 20]


def test_the_store_is_closed_up_when_an_item_goes():
    """Whatever order items come and go in, those that stay keep their bytes."""
    items = Items(Versioned(), 6, 60)
    for step in range(40):
        key = bytes((65 + step * 7 % 5,))
        data = key + b"0123456789"[: step * 3 % 10]
        assert add(items, data, 1 + step % 4)
        told = fill(items, 25)
        for item in told:
            assert item[1:] == b"0123456789"[: len(item) - 1]
        assert len(told) == len(set(told))
    while items.count:
        assert fill(items, 200)
    assert fill(items, 200) == []
