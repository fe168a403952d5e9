"""What the LED says. No I/O: `is_on(state, now_ms)`.

JOINING   blinks fast                  ##..##..##..##..     0.2 s on, 0.2 s off
IN_MESH   a short flash every 3 s      #...............
ALONE     two short flashes every 3 s  #.#.............     no peer for 30 s
NO_WIFI   slow                         ########........     1 s on, 1 s off
SAFE_MODE on                           ################     look at the console
"""

from foca._port import const

JOINING = 0
IN_MESH = 1
ALONE = 2
NO_WIFI = 3
SAFE_MODE = 4

NAMES = ("joining", "in the mesh", "alone", "no WiFi", "safe mode")

_FLASH_MS = const(100)
_CYCLE_MS = const(3000)


def is_on(state, now_ms):
    """Whether the LED is lit at `now_ms`."""
    if state == JOINING:
        return now_ms % 400 < 200
    if state == NO_WIFI:
        return now_ms % 2000 < 1000
    phase = now_ms % _CYCLE_MS
    if state == IN_MESH:
        return phase < _FLASH_MS
    if state == ALONE:
        return phase < _FLASH_MS or 3 * _FLASH_MS <= phase < 4 * _FLASH_MS
    return True
