"""What a board runs: load the settings, bring up WiFi, be a member, and come back from everything.

A mistake in settings.py, or three crashes in a row, lead to safe mode: the reason stands on the
console, the LED is on, no watchdog runs and the REPL is open. A crash leaves one line in
foca-crash.txt and resets. Ctrl-C stops the node and keeps the watchdog fed (watchdog.py).
To run code of your own beside it, write mine.py with a function `start(agent)`: it is called once,
before the radio is up, and may return a function that is called once a turn; see docs/BOARDS.md.
"""

import sys

import machine
import memory
import options
import watchdog
from foca._port import const, unix_seconds

_CRASHES_MAX = const(3)


class SafeModeError(Exception):
    """The node cannot run; the text says why."""


def load_settings():
    """The settings of this board. Raises SafeModeError."""
    try:
        with open("settings.py") as file:
            text = file.read()
    except OSError:
        raise SafeModeError("settings.py is missing: copy settings_example.py to it") from None
    try:
        return options.parse(text)
    except ValueError as error:
        raise SafeModeError(str(error)) from None


def one_line(error):
    """An exception with the last place of its traceback, as one line."""
    import io

    buffer = io.StringIO()
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, buffer)
    else:
        import traceback

        traceback.print_exception(error, file=buffer)
    lines = [line.strip() for line in buffer.getvalue().split("\n") if line.strip()]
    places = [line for line in lines if line.startswith("File ")]
    return "%s, %s" % (lines[-1], places[-1] if places else "nowhere")


def begin():
    """What the last life left; counts this one. Raises SafeModeError after three crashes."""
    remembered = memory.Memory()
    was_watchdog = machine.reset_cause() == getattr(machine, "WDT_RESET", -1)
    if remembered.begin(unix_seconds(), was_watchdog):
        print("foca: crashed before: " + (remembered.last_crash() or "the watchdog bit"))
    print("foca: boot %d, bump %d" % (remembered.boots, remembered.bump))
    if remembered.error:
        print("foca: " + remembered.error)
    if remembered.crashes >= _CRASHES_MAX:
        remembered.note_healthy()  # the next reset tries again
        raise SafeModeError("%d crashes in a row; reset to try again" % _CRASHES_MAX)
    return remembered


def run():
    """Run the node until something ends it."""
    remembered = station = None
    try:
        watchdog.stop_feeding()
        remembered = begin()
        settings = load_settings()
        from station import Station

        station = Station(remembered, settings)
        while True:
            station.turn()
    except SafeModeError as error:
        print("foca: safe mode: %s" % error)
        light_up()
    except KeyboardInterrupt:
        print("foca: stopped at the console; reset to start again")
        if station and station.dog:
            watchdog.leave_flag()
            watchdog.keep_fed()
    except Exception as error:
        line = one_line(error)
        print("foca: crashed: " + line)
        (remembered or memory.Memory()).note_crash(line)
        machine.reset()


def light_up():
    """The LED of safe mode, if this board has one that needs no setting."""
    from led import SAFE_MODE
    from station import Lamp

    try:
        Lamp("board").show(SAFE_MODE, 0)
    except Exception as error:  # whatever broke the node may break this: the REPL must open
        print("foca: no LED: %r" % (error,))


if __name__ == "__main__":
    run()
