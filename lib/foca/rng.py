"""A small random generator that gives the same numbers on every interpreter. Floor 1.

MicroPython's `random` differs from CPython's, so a seeded run could not be replayed across them.
This one combines three multiplicative generators with 15-bit moduli: every intermediate stays
below 2**30, so that no step allocates on a 32-bit board. Not for secrets.
Source: P. L'Ecuyer, "Efficient and portable combined random number generators", CACM 31 (1988):
the version for 16-bit machines, period about 8.1e12.
"""

from ._port import const

_M1 = const(32363)
_M2 = const(31727)
_M3 = const(31657)
_SPAN = const(32362)


class Rng:
    def __init__(self, seed: int) -> None:
        """`seed`: any non-negative int; equal seeds give equal sequences."""
        self._a = seed % (_M1 - 1) + 1
        seed //= _M1 - 1
        self._b = seed % (_M2 - 1) + 1
        seed //= _M2 - 1
        self._c = seed % (_M3 - 1) + 1
        for _ in range(8):  # small seeds differ in few bits: let them spread
            self._next()

    def _next(self) -> int:
        """The next number of the combined generator, 0 .. 32361."""
        self._a = a = self._a * 157 % _M1
        self._b = b = self._b * 146 % _M2
        self._c = c = self._c * 142 % _M3
        return (a - b + c) % _SPAN

    def below(self, limit: int) -> int:
        """A number 0 .. limit - 1, for `limit` 1 .. 2**29.

        Uniform to within 1 % up to 256 (one draw), to within limit / 10**9 above (two draws).
        """
        if limit <= 256:
            return self._next() * limit // _SPAN
        return (self._next() * _SPAN + self._next()) % limit
