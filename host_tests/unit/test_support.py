"""The helpers that all tests stand on, and the promise that one file runs on both interpreters."""

from support.check import raises, same_bytes


def test_raises_returns_the_exception():
    error = raises(ValueError, int, "x")
    assert isinstance(error, ValueError)


def test_raises_fails_when_nothing_is_raised():
    error = raises(AssertionError, raises, ValueError, int, "1")
    assert "ValueError" in str(error)


def test_raises_lets_another_exception_through():
    raises(KeyError, raises, ValueError, {}.__getitem__, 1)


def test_same_bytes_names_the_first_difference():
    same_bytes(bytearray(b"\x01\x02"), b"\x01\x02")
    error = raises(AssertionError, same_bytes, b"\x01\x02", b"\x01\x03\x04", "header")
    assert "header differ at byte 1" in str(error)
    assert "01 03 04" in str(error)
    raises(AssertionError, same_bytes, b"\x01", b"\x01\x00")
