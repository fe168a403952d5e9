"""foca.cursor: nothing is read outside pos .. end, and a failure sticks."""

from foca.cursor import Cursor


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


def test_prefixes_are_big_endian():
    assert cursor_on(b"\xff\xfe").read_u16be() == 65534
