"""A whole board in a bottle: firmware/main.py runs in it unchanged, in simulated time.

    world = World("rp2", seed=1)
    world.flash["settings.py"] = b'SSID = "x"'
    world.network.add(2)                    another board, see fake_board_network.py
    world.at(60000, world.lose_link, 5000)  weather: after a minute, for five seconds
    world.run(3600000)                      an hour of it; resets start the next life
    world.log                               [(ms, line)], what stood on the console

It plays `machine`, `network`, `socket`, `select`, `time` and flash of one port:

    port        receive queue  errors from               after the link is lost
    "rp2 1.25"  1              lwIP: EHOSTUNREACH 113    status 3 or 0, no reconnecting
    "rp2"       4              lwIP                      the same
    "esp32"     6              newlib: EHOSTUNREACH 118  status 200, unless `reconnects` is not 0

and nothing else: a call that no port has is an AttributeError. The radio needs 1.5 s for an
address. A watchdog that is not fed for its timeout ends the life, as machine.reset does; so does
Ctrl-C, after which there is no next one. Sleeping and polling let time pass, and each turn of the
loop a millisecond.
Runs on CPython and on MicroPython.
"""

import sys

from support import fake_socket
from support.fake_board_network import EVERYBODY, Network

CONNECT_MS = 1500
OWN = ("main", "station", "agent", "console", "led", "memory", "options", "watchdog", "wifi")
OWN = OWN + ("mine", "board", "boot", "witness")
PROFILES = {
    "rp2 1.25": fake_socket.RP2_OLD,
    "rp2": fake_socket.RP2,
    "esp32": fake_socket.ESP32,
}
SETTINGS = b"""
SSID = "home"
PASSWORD = "secret99"
LED = None
"""


class ResetError(BaseException):
    """The board was reset: `machine.reset()`, or the watchdog."""


class World:
    def __init__(self, port="rp2", seed=1, **network):
        self.profile = PROFILES[port]
        self.port = self.profile.platform
        self.network = Network(seed, **network)
        self.device = Device(self)
        self.flash = {"settings.py": SETTINGS}
        self.flash_writes = {}
        self.flash_fails = False
        self.log = []
        self.on_line = None
        self.lives = 0
        self.reset_cause = 1
        self.events = []
        self.keys = ""
        self.lamp = []
        self.host = "10.0.0.1"
        """What DHCP gives."""
        self.router_on = True
        self.link_is_dead = False
        """The link is gone and the radio does not notice (rp2)."""
        self.arp_loss_percent = 0
        self.dog_ms = -1
        self.dog_timeout_ms = 0
        self.feeds = 0
        self.is_frozen = False
        """The radio driver hangs: a call of it takes for ever."""
        self.net = None
        self.radio = None
        self.timers = []
        self.current = None
        """The `Station` of this life."""
        self.until_ms = 0
        self.mine = None
        """The module mine.py, if there is one."""

    @property
    def now_ms(self):
        return self.network.now_ms

    # weather

    def at(self, after_ms, action, *arguments):
        """Do something `after_ms` from now."""
        self.events.append((self.now_ms + after_ms, len(self.events), action, arguments))
        self.events.sort(key=lambda event: event[:2])

    def lose_link(self, duration_ms, is_noticed=True):
        """The access point is gone for so long."""
        self.router_on = False
        self.at(duration_ms, self.switch_router_on)
        if is_noticed:
            self.radio.drop()
        else:
            self.link_is_dead = True

    def switch_router_on(self):
        self.router_on = True

    def renumber(self, host):
        """DHCP gives another address, in the middle of the lease."""
        self.host = host
        if self.radio.is_connected:
            self.radio.host = host
            self.device.octets = self.device.octets_of(host)

    # time

    def advance(self, duration_ms, until=None):
        """Let time pass, for the others and the weather; ends early when `until()` is true."""
        end = self.now_ms + duration_ms
        network = self.network
        while True:
            if until is not None and until():
                return
            wake = end
            for board in network.boards:
                if board.wakes_ms < wake:
                    wake = board.wakes_ms
            arrival = self.device.next_arrival()
            wake = arrival if 0 <= arrival < wake else wake
            if self.events and self.events[0][0] < wake:
                wake = self.events[0][0]
            network.now_ms = max(network.now_ms, wake)
            self._bite()
            while self.events and self.events[0][0] <= network.now_ms:
                _, _, action, arguments = self.events.pop(0)
                action(*arguments)
            self.device.take_arrivals()
            for board in network.boards:
                if board.wakes_ms <= network.now_ms and board is not self.device:
                    board.turn()
            if network.now_ms >= end:
                return

    def _bite(self):
        if self.dog_ms < 0:
            return
        if self.now_ms - self.dog_ms > self.dog_timeout_ms:
            self.reset_cause = 3
            raise ResetError("watchdog")

    # running

    def run(self, duration_ms):
        """Run life after life; returns how the last one ended: "time", "safe mode", "stopped"."""
        self.until_ms = self.now_ms + duration_ms
        while self.now_ms < self.until_ms:
            try:
                self._live()
            except ResetError:
                continue
            except EndError:
                break
            return "safe mode" if self.said("safe mode") else "stopped"
        return "time"

    def _live(self):
        """One life, from reset to reset."""
        self.lives += 1
        self.net = BoardNet(self)
        self.radio = FakeRadio(self)
        self.dog_ms = -1
        self.timers = []
        self.device.waiting = []
        before = self._install()
        try:
            import foca._port

            foca._port.PLATFORM = self.port
            foca._port.entropy = self.entropy
            import main
            import memory
            import station
            import watchdog

            for module in (main, memory, station, watchdog):
                module.print = self.print
                module.open = self.open
            watchdog.os = FakeOs(self)
            station.Keyboard = self.keyboard
            self._follow(station)
            main.run()
        finally:
            self._restore(before)

    def _follow(self, station):
        """Let `current` be what main.py makes."""
        make = station.Station

        def made(remembered, settings):
            self.current = None
            self.current = make(remembered, settings)
            turn = self.current.turn

            def slow_turn():
                self.advance(1)
                turn()

            self.current.turn = slow_turn
            return self.current

        station.Station = made

    def entropy(self):
        return self.network.rng.below(1 << 29)

    def check_end(self):
        if self.now_ms >= self.until_ms:
            raise EndError()

    def _install(self):
        before = {}
        for name in list(sys.modules):
            if name == "foca" or name.startswith("foca.") or name in OWN:
                before[name] = sys.modules[name]
                del sys.modules[name]
        fakes = {
            "machine": FakeMachine(self),
            "network": FakeNetworkModule(self),
            "socket": fake_socket.FakeSocketModule(self.net),
            "select": FakeSelect(self.net),
            "time": FakeTime(self),
        }
        if self.mine:
            fakes["mine"] = self.mine
        for name in fakes:
            before[name] = sys.modules.get(name)
            sys.modules[name] = fakes[name]
        sys.path.insert(0, FIRMWARE)
        return before

    def _restore(self, before):
        sys.path.remove(FIRMWARE)
        for name in list(sys.modules):
            if name == "foca" or name.startswith("foca.") or name in OWN:
                del sys.modules[name]
        for name in before:
            if before[name] is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = before[name]

    # what the firmware uses without importing it

    def print(self, *words):
        line = " ".join([str(word) for word in words])
        self.log.append((self.now_ms, line))
        if self.on_line:
            self.on_line(line)

    def keyboard(self):
        return self

    def read(self):
        """One key, or an empty text; "\\x03" is Ctrl-C."""
        key, self.keys = self.keys[:1], self.keys[1:]
        if key == "\x03":
            raise KeyboardInterrupt
        return key

    def open(self, name, mode="r"):
        if "w" in mode:
            if self.flash_fails:
                raise OSError(28)
            return FakeFile(self, name, mode)
        if name not in self.flash:
            raise OSError(2)
        return FakeFile(self, name, mode)

    # what tests ask

    def said(self, text):
        """When (ms) a line with `text` was printed."""
        return [when for when, line in self.log if text in line]

    def agent(self):
        """The node of the running life."""
        return self.current.agent

    def peers(self):
        """How many members the board sees active."""
        return self.current.agent.foca.num_members()


class EndError(BaseException):
    """The test's time is over."""


FIRMWARE = __file__.rpartition("/host_tests/")[0]
FIRMWARE = (FIRMWARE + "/" if FIRMWARE else "") + "firmware"


class Device:
    """The board under test, as the others' network sees it."""

    def __init__(self, world):
        self.world = world
        self.octets = b""
        self.air = []
        self.waiting = []
        self.wakes_ms = 1 << 60
        self.free_ms = 1 << 60
        self.is_on = True
        world.network.outsiders.append(self)

    def octets_of(self, host):
        return bytes([int(part) for part in host.split(".")])

    def is_reachable(self):
        radio = self.world.radio
        return (
            radio is not None
            and radio.is_connected
            and self.world.router_on
            and not self.world.link_is_dead
        )

    def next_arrival(self):
        best = -1
        for when, _ in self.air:
            if best < 0 or when < best:
                best = when
        return best

    def take_arrivals(self):
        now_ms = self.world.now_ms
        if not self.air:
            return
        arrived = [item for item in self.air if item[0] <= now_ms]
        arrived.sort(key=lambda item: item[0])
        self.air = [item for item in self.air if item[0] > now_ms]
        for _, data in arrived:
            if self.is_reachable():
                self.world.net.deliver(36220, data)


class BoardNet(fake_socket.FakeNet):
    """The sockets of the board under test: what they send goes into the simulated air."""

    def __init__(self, world):
        fake_socket.FakeNet.__init__(self, world.profile)
        self.world = world
        self.unreachable = 0
        self.broadcast_to = []
        """The addresses of everybody that were asked."""

    def route(self, sender, host, port, data):
        world = self.world
        if not world.radio.is_connected:
            self.unreachable += 1
            raise self.error("EHOSTUNREACH")
        if world.link_is_dead or not world.router_on:
            return
        octets = world.device.octets_of(host)
        if octets in EVERYBODY:
            self.broadcast_to.append(host)
        elif world.arp_loss_percent:
            if world.network.rng.below(100) < world.arp_loss_percent:
                if world.network.rng.below(2):
                    raise self.error("ENOMEM")
                return
        world.network.send(world.device, octets, bytes(data))


class FakeSelect:
    POLLIN = 1

    def __init__(self, net):
        self.net = net

    def poll(self):
        return FakePoll(self.net)


class FakePoll(fake_socket.FakeIpoll):
    """A poll that waits lets time pass."""

    def poll(self, timeout_ms=-1):
        ready = fake_socket.FakePoll.poll(self, timeout_ms)
        if ready or not timeout_ms:
            return ready
        self.net.world.advance(timeout_ms, self._is_ready)
        self.net.world.check_end()
        return fake_socket.FakePoll.poll(self, timeout_ms)

    def _is_ready(self):
        return any([sock.readable() for sock in self.registered])


class FakeTime:
    """`time` of a board; also what CPython's branch of foca._port asks."""

    def __init__(self, world):
        self._world = world

    def ticks_ms(self):
        return self._world.now_ms & 0x3FFFFFFF

    def ticks_add(self, ticks, delta):
        return (ticks + delta) & 0x3FFFFFFF

    def ticks_diff(self, end, start):
        return ((end - start + 0x20000000) & 0x3FFFFFFF) - 0x20000000

    def monotonic_ns(self):
        return self._world.now_ms * 1000000

    def sleep_ms(self, delay_ms):
        self._world.advance(delay_ms)
        self._world.check_end()

    def time(self):
        return self._world.now_ms // 1000  # never set

    def gmtime(self, seconds):
        return (2000, 1, 1, 0, 0, 0, 0, 1)


class FakeMachine:
    PWRON_RESET = 1
    WDT_RESET = 3

    def __init__(self, world):
        self._world = world
        self.Timer = FakeTimers(world)
        self.Pin = FakePins(world)

    def reset_cause(self):
        return self._world.reset_cause

    def reset(self):
        # the RP2040 resets itself by its watchdog, and says so afterwards
        self._world.reset_cause = 3 if self._world.port == "rp2" else 1
        raise ResetError("reset")

    def WDT(self, timeout):  # noqa: N802  (the board's name)
        assert self._world.port != "rp2" or timeout <= 8388, "the RP2040's limit"
        self._world.dog_timeout_ms = timeout
        return FakeDog(self._world)


class FakeDog:
    def __init__(self, world):
        self.world = world
        self.feed()

    def feed(self):
        self.world.dog_ms = self.world.now_ms
        self.world.feeds += 1


class FakeTimers:
    PERIODIC = 1

    def __init__(self, world):
        self.world = world

    def __call__(self, number):
        assert number == (0 if self.world.port == "esp32" else -1)
        timer = FakeTimer()
        self.world.timers.append(timer)
        return timer


class FakeTimer:
    def __init__(self):
        self.period_ms = 0
        self.callback = None

    def init(self, period, mode, callback):
        self.period_ms = period
        self.callback = callback

    def deinit(self):
        self.period_ms = 0


class FakePins:
    OUT = 1

    def __init__(self, world):
        self.world = world

    def __call__(self, name, mode):
        return FakePin(self.world, name)


class FakePin:
    def __init__(self, world, name):
        self.world = world
        self.name = name

    def value(self, level):
        self.world.lamp.append((self.world.now_ms, self.name, level))


class FakeFile:
    """A file of the flash; what was written is there when it is closed."""

    def __init__(self, world, name, mode):
        self.world = world
        self.name = name
        self.is_text = "b" not in mode
        self.is_output = "w" in mode
        self.data = b"" if self.is_output else world.flash[name]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.close()

    def read(self):
        return self.data.decode() if self.is_text else self.data

    def write(self, data):
        self.data += data.encode() if self.is_text else data

    def close(self):
        if self.is_output:
            self.world.flash[self.name] = self.data
            writes = self.world.flash_writes
            writes[self.name] = writes.get(self.name, 0) + 1


class FakeOs:
    def __init__(self, world):
        self.world = world

    def remove(self, name):
        if name not in self.world.flash:
            raise OSError(2)
        del self.world.flash[name]


class FakeNetworkModule:
    STA_IF = 0

    def __init__(self, world):
        self.world = world
        self.calls = world.radio.calls

    def WLAN(self, which):  # noqa: N802
        assert which == self.STA_IF
        return self.world.radio

    def country(self, code):
        self.calls.append("country")

    def hostname(self, name):
        self.calls.append("hostname")


class FakeRadio:
    """The station interface of one life."""

    def __init__(self, world):
        self.world = world
        self.is_esp32 = world.port == "esp32"
        self.calls = []
        self.is_active = False
        self.is_connected = False
        self.connect_ms = -1
        self.host = "0.0.0.0"
        self.code = self.idle()
        self.reconnects = -1 if self.is_esp32 else 0
        self.power_save = True
        self.password = ""
        self.deaf_to_password = False

    def idle(self):
        return 1000 if self.is_esp32 else 0

    def _hang(self):
        if self.world.is_frozen:
            self.world.is_frozen = False
            self.world.advance(1000000000)

    def active(self, flag):
        self.calls.append("active %s" % flag)
        if not flag:
            self.disconnect()
        self.is_active = flag
        self.power_save = True

    def config(self, pm=None, reconnects=None):
        assert self.is_active, "power save is set after active(True)"
        if pm is not None:
            assert pm == (0 if self.is_esp32 else 0xA11140)
            self.power_save = False
        if reconnects is not None:
            assert self.is_esp32, "ValueError on rp2: unknown config param"
            self.reconnects = reconnects

    def connect(self, ssid, password):
        self._hang()
        self.calls.append("connect")
        if not self.is_active or (self.is_esp32 and self.connect_ms >= 0):
            raise OSError("Wifi Internal Error")
        self.password = password
        self.connect_ms = self.world.now_ms
        self.code = 1001 if self.is_esp32 else 1

    def disconnect(self):
        self.calls.append("disconnect")
        self.is_connected = False
        self.world.link_is_dead = False
        self.connect_ms = -1
        self.code = self.idle()
        self.host = "0.0.0.0"
        self.world.device.octets = b""

    def drop(self):
        """The access point went, and the radio sees it."""
        if self.is_connected:
            self.disconnect()
            self.code = 200 if self.is_esp32 else 0

    def _progress(self):
        if self.connect_ms < 0 or self.world.now_ms - self.connect_ms < CONNECT_MS:
            return
        self.connect_ms = -1
        if not self.world.router_on:
            self.code = 201 if self.is_esp32 else -2
        elif self.password != "secret99":
            self.code = 202 if self.is_esp32 else -3
        else:
            self.is_connected = True
            self.code = 1010 if self.is_esp32 else 3
            self.host = self.world.host
            self.world.device.octets = self.world.device.octets_of(self.host)

    def status(self):
        self._hang()
        self._progress()
        return self.code

    def isconnected(self):
        self._progress()
        return self.is_connected

    def ipconfig(self, what):
        assert what == "addr4"
        return (self.host, "255.255.255.0")
