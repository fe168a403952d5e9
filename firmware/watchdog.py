"""The watchdog: it cannot be stopped, so it must be fed while somebody works at the REPL.

The limit of the RP2040 is 8,388 ms; 8,000 on every port. Ctrl-C leaves the file FLAG; while it is
there boot.py feeds the watchdog by a timer, because a soft reset, which mpremote makes before each
command, ends main.py's timer but not the watchdog. main.py removes the file when it starts.
Source: MicroPython's documentation of machine.WDT and machine.Timer.
"""

import os

import machine
from foca._port import PLATFORM

TIMEOUT_MS = 8000
FLAG = "foca-console.flag"

_timers: list[machine.Timer] = []


def start():
    """Start it; returns what to `feed`."""
    return machine.WDT(timeout=TIMEOUT_MS)


def keep_fed():
    """Feed it from a timer, until `stop_feeding` or a reset."""
    dog = start()
    timer = machine.Timer(0 if PLATFORM == "esp32" else -1)
    timer.init(period=2000, mode=machine.Timer.PERIODIC, callback=lambda _: dog.feed())
    _timers.append(timer)


def stop_feeding():
    """The node feeds it again: no timer, no flag."""
    while _timers:
        _timers.pop().deinit()
    try:
        os.remove(FLAG)
    except OSError:
        pass


def leave_flag():
    """Tell boot.py that somebody works at the console."""
    try:
        open(FLAG, "w").close()
    except OSError:
        pass
