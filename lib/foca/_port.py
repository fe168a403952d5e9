"""What differs between interpreters, and nothing else. Floor 0: imports nothing of ours.

The only file that knows which interpreter runs, and the only one below floor 4 that may import
time and os.

Time is a wrapped millisecond: 0 .. 2**30 - 1 on every interpreter, as on every 32-bit MicroPython
port, so that the wrap after 12.4 days is met in tests on the desktop too. `ticks_diff(a, b)` is
right while |a - b| < 6.2 days. CPython counts from an arbitrary start, and 64-bit MicroPython
wraps at 2**62: both are masked here.
"""

import os
import sys
import time

MICROPYTHON = sys.implementation.name == "micropython"
PLATFORM = sys.platform

if MICROPYTHON:  # pragma: no cover - the VM runs the same tests
    from micropython import const
    from uctypes import addressof, bytearray_at

    def window(buf: bytearray, at: int, count: int) -> bytearray:
        """buf[at : at + count] itself, not a copy: for `find`, which compares at the speed of C.

        Valid while somebody holds `buf`, whose length must not change.
        """
        return bytearray_at(addressof(buf) + at, count)

else:

    def window(buf: bytearray, at: int, count: int) -> memoryview:
        """buf[at : at + count] itself, not a copy: for `find`, which compares at the speed of C.

        Valid while somebody holds `buf`, whose length must not change.
        """
        return memoryview(buf)[at : at + count]

    def const(value: int) -> int:
        """Mark a compile-time constant (MicroPython folds it away); returns `value`."""
        return value


_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)

if MICROPYTHON and time.ticks_add(0, -1) == _MASK:  # pragma: no cover - as above
    # a 32-bit port: its own functions are right and do not allocate
    ticks_ms = time.ticks_ms
    ticks_add = time.ticks_add
    ticks_diff = time.ticks_diff
else:

    def ticks_add(ticks: int, delta_ms: int) -> int:
        """A time `delta_ms` after `ticks`, wrapped; |delta_ms| < 2**29."""
        return (ticks + delta_ms) & _MASK

    def ticks_diff(end: int, start: int) -> int:
        """Signed milliseconds from `start` to `end`; right while they are under 6.2 days apart."""
        return ((end - start + _HALF) & _MASK) - _HALF

    if MICROPYTHON:  # pragma: no cover - as above
        # 64-bit: small ints are wide enough, only the period differs

        def ticks_ms() -> int:
            """Milliseconds since an arbitrary start, 0 .. 2**30 - 1."""
            return time.ticks_ms() & _MASK

    else:

        def ticks_ms() -> int:
            """Milliseconds since an arbitrary start, 0 .. 2**30 - 1."""
            return time.monotonic_ns() // 1000000 & _MASK


def entropy() -> int:
    """A seed of 29 bits from the system's random source. Allocates: call it at construction."""
    raw = os.urandom(4)
    return (raw[0] & 0x1F) << 24 | raw[1] << 16 | raw[2] << 8 | raw[3]


def unix_seconds() -> int:
    """Seconds since 1970; 0 where the clock was never set (boards then start in 2000 or 1970).

    Source: MicroPython's epoch is 2000-01-01 on esp32 and rp2, 1970-01-01 on unix;
    `time.gmtime(0)` tells which.
    """
    now = int(time.time())
    if time.gmtime(0)[0] == 2000:
        now += 946684800
    return now if now > 1600000000 else 0
