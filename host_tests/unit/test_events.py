"""foca.events: what happened is kept in order, in a ring that never grows."""

from foca.address import parse
from foca.events import Event, Events
from foca.identity import ipv4
from foca.members import OLD, Members
from foca.rng import Rng
from foca.runtime import MEMBER_DOWN, MEMBER_UP, RENAME

LAYOUT = ipv4()
WIDTH = LAYOUT.record_bytes
ROW = 12


def table():
    return Members(LAYOUT, 4, Rng(1)).ids


def name(ids, row, text, bump):
    ids[row * WIDTH : (row + 1) * WIDTH] = parse(LAYOUT, text, bump)


def test_events_come_out_in_the_order_they_went_in():
    ids = table()
    queue = Events(LAYOUT, 4)
    assert queue.get() is None
    name(ids, ROW, "10.0.0.1:5", 2**40)
    queue.put(MEMBER_UP, ids, ROW)
    name(ids, ROW, "10.0.0.2:5", 3)
    queue.put(MEMBER_DOWN, ids, ROW)
    event = queue.get()
    assert (event.name, event.address, event.bump) == ("MemberUp", "10.0.0.1:5", 2**40)
    assert str(queue.get()) == "MemberDown 10.0.0.2:5#3"
    assert queue.get() is None


def test_a_rename_says_which_bump_was_replaced_and_others_do_not():
    ids = table()
    queue = Events(LAYOUT, 4)
    name(ids, ROW, "10.0.0.1:5", 8)
    name(ids, OLD, "10.0.0.1:5", 7)
    queue.put(RENAME, ids, ROW)
    queue.put(MEMBER_UP, ids, ROW)
    event = queue.get()
    assert (event.name, event.bump, event.previous_bump) == ("Rename", 8, 7)
    assert queue.get().previous_bump == 0


def test_the_oldest_goes_when_it_overflows_and_a_resync_says_so_first():
    ids = table()
    queue = Events(LAYOUT, 3)
    for bump in range(1, 6):
        name(ids, ROW, "10.0.0.1:5", bump)
        queue.put(MEMBER_UP, ids, ROW)
    assert queue.missed == 2
    assert queue.get().name == "Resync"
    assert [queue.get().bump for _ in range(3)] == [3, 4, 5]
    assert queue.get() is None
    queue.put(MEMBER_UP, ids, ROW)
    assert queue.get().name == "MemberUp", "one Resync is enough"


def test_a_ring_is_used_again_and_again():
    ids = table()
    queue = Events(LAYOUT, 3)
    for bump in range(50):
        name(ids, ROW, "10.0.0.1:5", bump)
        queue.put(MEMBER_UP, ids, ROW)
        assert queue.get().bump == bump
    assert queue.missed == 0


def test_async_for_takes_what_is_there_without_waiting():
    ids = table()
    queue = Events(LAYOUT, 3)
    name(ids, ROW, "10.0.0.1:5", 9)
    queue.put(MEMBER_UP, ids, ROW)
    assert queue.__aiter__() is queue
    try:
        queue.__anext__().send(None)
    except StopIteration as stop:
        assert isinstance(stop.value, Event)
        assert stop.value.bump == 9
