"""foca.cursor: nothing is read or written outside pos .. end, and a failure sticks."""

from foca.cursor import Cursor
from support.check import same_bytes


def cursor_on(data, pos=0, end=None):
    cursor = Cursor()
    cursor.open(bytearray(data), pos, len(data) if end is None else end)
    return cursor


def test_a_new_cursor_has_nothing_to_give():
    cursor = Cursor()
    assert cursor.ok
    assert cursor.left() == 0
    assert cursor.read_u8() == 0
    assert not cursor.ok


def test_reading_moves_on():
    cursor = cursor_on(b"\x01\x02\x03\x04", 1)
    assert cursor.left() == 3
    assert cursor.read_u8() == 2
    assert cursor.read_u16be() == 0x0304
    assert cursor.left() == 0
    assert cursor.ok


def test_reading_past_the_end_gives_zero_and_stays_put():
    cursor = cursor_on(b"\x01\x02\x03", 0, 1)
    assert cursor.read_u16be() == 0
    assert not cursor.ok
    assert cursor.pos == 0
    assert cursor.read_u8() == 1, "what is left can still be read"
    assert not cursor.ok, "but the failure is remembered"
    assert cursor.read_u8() == 0
    assert cursor.pos == 1


def test_a_caller_rewinds_by_setting_pos_and_ok():
    cursor = cursor_on(b"\x07")
    mark = cursor.pos
    cursor.read_u16be()
    cursor.pos, cursor.ok = mark, True
    assert cursor.read_u8() == 7
    assert cursor.ok


def test_opening_again_forgets_a_failure():
    cursor = cursor_on(b"")
    cursor.read_u8()
    cursor.open(b"\x05", 0, 1)
    assert cursor.ok
    assert cursor.read_u8() == 5


def test_writing_stays_between_pos_and_end():
    cursor = cursor_on(bytes(6), 1, 5)
    cursor.write_u8(255)
    cursor.write_u16be(0xABCD)
    cursor.write_u16be(1)
    assert not cursor.ok, "two bytes do not fit into one"
    assert cursor.pos == 4
    cursor.write_u8(9)
    cursor.write_u8(10)
    assert cursor.pos == 5
    same_bytes(cursor.buf, b"\x00\xff\xab\xcd\x09\x00")


def test_prefixes_are_big_endian():
    cursor = cursor_on(bytes(2))
    cursor.write_u16be(65534)
    same_bytes(cursor.buf, b"\xff\xfe")
    cursor.pos = 0
    assert cursor.read_u16be() == 65534


def test_copying_out_takes_all_or_nothing():
    cursor = cursor_on(b"\x01\x02\x03\x04", 1, 4)
    target = bytearray(5)
    cursor.copy_out(target, 1, 3)
    same_bytes(target, b"\x00\x02\x03\x04\x00")
    assert cursor.ok
    cursor.copy_out(target, 0, 0)
    assert cursor.ok
    cursor.copy_out(target, 0, 1)
    assert not cursor.ok
    same_bytes(target, b"\x00\x02\x03\x04\x00")


def test_copying_in_writes_all_or_nothing():
    cursor = cursor_on(bytes(5), 1, 4)
    cursor.copy_in(b"\x09\x08\x07\x06", 1, 2)
    same_bytes(cursor.buf, b"\x00\x08\x07\x00\x00")
    cursor.copy_in(b"\x01\x02", 0, 2)
    assert not cursor.ok
    assert cursor.left() == 1
    same_bytes(cursor.buf, b"\x00\x08\x07\x00\x00")
    cursor.copy_in(b"", 0, 0)
    assert cursor.pos == 3
