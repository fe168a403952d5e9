"""The few helpers that plain `assert` lacks. Runs on CPython and on MicroPython.

error = raises(ConfigError, Config, packet_bytes_max=0)
assert "packet_bytes_max" in str(error)
"""


def raises(exception_type, function, *args, **kwargs):
    """Call `function`; return the exception of `exception_type` it raises, fail if it raises none.

    Any other exception passes through.
    """
    try:
        function(*args, **kwargs)
    except exception_type as error:
        return error
    raise AssertionError("did not raise " + exception_type.__name__)


def same_bytes(got, expected, note=""):
    """Assert that two buffers hold the same bytes; on failure show both, and where they part."""
    got = bytes(got)
    expected = bytes(expected)
    if got == expected:
        return
    at = 0
    while at < len(got) and at < len(expected) and got[at] == expected[at]:
        at += 1
    raise AssertionError(
        "%s differ at byte %d:\n  got      %s\n  expected %s"
        % (note or "bytes", at, _hex(got), _hex(expected))
    )


def _hex(data):
    return " ".join(["%02x" % byte for byte in data])


def take(cursor, size):
    """The next `size` bytes, which must be there."""
    assert cursor.ok and size <= cursor.left(), "the packet ends early"
    data = bytes(cursor.buf[cursor.pos : cursor.pos + size])
    cursor.pos += size
    return data
