"""One life of a board: radio, node, LED, console and flash in one loop. main.py starts it.

    memory -> settings -> tables -> radio -> loop { radio, node, LED, console, flash, watchdog }

The watchdog is fed only by the loop, and only while the radio answers something else than errors.
"""

import gc
import sys
import time

import led
import machine
import network
import watchdog
import wifi
from agent import BoardAgent
from console import Commands, Console
from foca._port import PLATFORM, const, ticks_diff, ticks_ms

_TURN_MS = const(250)  # at least so often: console, watchdog, link
_BLINK_MS = const(50)
_FLASH_MS = const(10000)  # so often what is worth remembering is looked at
_HEALTHY_MS = const(600000)
_RADIO_MS = const(60000)  # a radio that answers nothing but errors for so long: the watchdog bites
_ALONE_MS = const(30000)
_RESET_WAIT_MS = const(100)


class Station:
    """Everything of one life of a board. `turn` is one round of the loop."""

    def __init__(self, memory, settings):
        """memory: a `Memory` that has begun; settings: `Settings`. The radio is touched last."""
        self.memory = memory
        self.settings = settings
        self.is_debug = settings.LOG_DEBUG
        self.agent = BoardAgent(
            settings, memory.bump, memory.peers, open_udp, ticks_ms, self.on_event
        )
        self.mine = start_mine(self.agent)
        self.lamp = Lamp(settings.LED)
        self.stdin = Keyboard() if settings.CONSOLE else None
        self.console = Console(Commands(self).table())
        port = wifi.PORTS.get(PLATFORM, wifi.ESP32)
        self.link = wifi.Link(port, settings.RESET_AFTER_MINUTES * 60000)
        self.status = wifi.Status()
        gc.collect()
        self.radio = wifi.Radio(
            network, port, settings.SSID, settings.PASSWORD, settings.COUNTRY, settings.HOSTNAME
        )
        self.dog = watchdog.start() if settings.WATCHDOG else None
        self.started_ms = self.radio_ms = self.flash_ms = ticks_ms()
        self.radio_errors = 0
        self.reason = self.link.reason
        self.has_told_alone = False
        self.is_healthy = False
        self.clashes = 0

    def say(self, text):
        print("foca: " + text)

    # the loop

    def turn(self):
        """One round; returns after sleeping until something is due."""
        now_ms = ticks_ms()
        self.follow_link(now_ms)
        wait_ms = min(self.agent.turn(), _TURN_MS)
        if self.mine:
            self.mine()
        self.report()
        if self.lamp.pin:
            self.lamp.show(self.state(), now_ms)
            wait_ms = min(wait_ms, _BLINK_MS)
        if self.stdin:
            self.read_console(self.stdin)
        if ticks_diff(now_ms, self.flash_ms) >= _FLASH_MS:
            self.flash_ms = now_ms
            self.remember(now_ms)
        if self.dog and 0 <= ticks_diff(now_ms, self.radio_ms) < _RADIO_MS:
            self.dog.feed()
        if self.agent.is_up and not self.agent.is_silent:
            self.agent.udp.wait(wait_ms)
        else:
            time.sleep_ms(wait_ms)

    def follow_link(self, now_ms):
        """Ask the radio, and do what the link supervisor wants."""
        status = self.status
        self.radio.read(status)
        if self.radio.errors == self.radio_errors:
            self.radio_ms = now_ms
        self.radio_errors = self.radio.errors
        status.deaf_ms = self.agent.deaf_ms
        self.act(self.link.step(now_ms, status))

    def act(self, action):
        if action == wifi.NOTHING:
            return
        if action == wifi.ADDRESS:
            self.agent.come_up(self.link.host, self.link.mask)
            self.say("address %s" % self.agent.address)
            self.has_told_alone = False
        elif action == wifi.RESET:
            self.say("no address for %d minutes: reset" % self.settings.RESET_AFTER_MINUTES)
            self.memory.note_planned_reset()
            reset()
        else:
            if action == wifi.LOST:
                self.agent.go_down()
                self.say("no WiFi: " + self.link.reason)
            self.radio.do(action)

    def report(self):
        """Say once what a person should know."""
        agent = self.agent
        if not self.link.is_up and self.link.reason != self.reason:
            self.reason = self.link.reason
            if self.reason != "connecting":
                self.say("no WiFi: " + self.reason)
        if agent.clashes != self.clashes:
            self.clashes = agent.clashes
            self.say(
                "address clash: another node uses %s too. Give each its own; silent for %d s"
                % (agent.address, agent.aside_ms // 1000)
            )
            if self.link.is_up:
                self.act(self.link.drop(ticks_ms(), "asking for another address"))
        if agent.alone_ms >= _ALONE_MS and not self.has_told_alone:
            self.has_told_alone = True
            self.say(
                "alone: no other board is on, they use another port, or the access point keeps"
                " its clients apart (client isolation, guest network)"
            )

    def state(self):
        """One of led.py's states."""
        if not self.agent.is_up:
            return led.NO_WIFI
        if self.agent.foca.num_members():
            return led.IN_MESH
        return led.ALONE if self.agent.alone_ms >= _ALONE_MS else led.JOINING

    def on_event(self, event):
        """MemberUp and the like; with `log debug` also failed probes."""
        if event.name != "ProbeFailed" or self.is_debug:
            self.say("%s %s bump %d" % (event.name, event.address, event.bump))

    def remember(self, now_ms):
        active = [member.address for member in self.agent.members()]
        self.memory.update(now_ms, self.agent.bump, active)
        if not self.is_healthy and ticks_diff(now_ms, self.started_ms) >= _HEALTHY_MS:
            self.is_healthy = True
            self.memory.note_healthy()

    def read_console(self, keyboard):
        """Take what was typed, and print the answers."""
        character = keyboard.read()
        while character:
            for line in self.console.feed(character):
                print(line)
            character = keyboard.read()


class Lamp:
    """The LED. `pin` is None when there is none."""

    def __init__(self, setting):
        """setting: a GPIO number, None, or "board": named LED on rp2, none on esp32."""
        self.pin = None
        if setting == "board":
            setting = board_constant("LED", "LED" if PLATFORM == "rp2" else None)
        self._lit_by = 0 if setting != "LED" and board_constant("LED_ON", 1) == 0 else 1
        if setting is not None:
            self.pin = machine.Pin(setting, machine.Pin.OUT)

    def show(self, state, now_ms):
        if self.pin:
            self.pin.value(self._lit_by if led.is_on(state, now_ms) else 1 - self._lit_by)


class Keyboard:
    """Characters that wait on the console, without blocking."""

    def __init__(self):
        import select

        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)

    def read(self):
        """One character, or an empty text."""
        return sys.stdin.read(1) if self._poll.poll(0) else ""


def board_constant(name, default):
    """A constant of boards/NAME/board.py, where that is frozen or copied, else `default`."""
    try:
        import board  # type: ignore[import-not-found]
    except ImportError:
        return default
    return getattr(board, name, default)


def open_udp(layout, port):
    from foca.udp import Udp

    return Udp(layout, "0.0.0.0", port)


def start_mine(agent):
    """The application in mine.py: what its `start` returns, or None."""
    try:
        import mine  # type: ignore[import-not-found]
    except ImportError as error:
        if "mine" not in str(error):
            raise
        return None
    return mine.start(agent)


def reset():
    """Reset the board, after the console had time to speak."""
    time.sleep_ms(_RESET_WAIT_MS)
    machine.reset()
