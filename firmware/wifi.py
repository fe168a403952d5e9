"""The WiFi link as a state machine that touches no radio: `step(now_ms, status) -> action`.

    OFF --START--> IDLE --CONNECT--> CONNECTING --address--> UP --ADDRESS (again when it changes)
                    ^                   | failed, or 30 s      | no link, no address, or deaf
                    '---- DISCONNECT ---'<------- LOST --------'

Rules
- It never gives up: tries are 1, 2, 4 .. 30 s apart, every fourth one switches the radio off and
  on, and after an hour without an address the board is reset (a stuck radio chip needs that).
- What the radio says is not believed alone: a link on which others were heard and then nobody for
  90 s is made anew (then 3, 6 .. 60 min apart, since the others may really be gone).
- An address that comes back after a short loss is the same life; another one is another identity.

Quirks, and where they are known from (numbers are of MicroPython's GitHub issues):

both
- The radio stays up across a soft reset (docs, espnow: "wifi_reset"): START is off, then on.
- Power save is on by default: UDP comes late and in bursts, broadcasts are lost (8330, esp-idf
  3445); a Pico W drops out after minutes of silence (9455): `pm` is set after each START.
esp32
- It connects again by itself for ever and says CONNECTING meanwhile, also with a wrong password
  (ports/esp32/network_wlan.c): `reconnects=0`, so we do it, and see why it failed.
- A lost lease is not noticed (IP_EVENT_STA_LOST_IP is not handled): 0.0.0.0 is "no link".
- connect() while it is connecting raises OSError: DISCONNECT before each further CONNECT.
rp2
- It does not connect again by itself: we do.
- isconnected() and status() 3 stay though the link is dead (16290, 16482, pico-sdk 2153,
  circuitpython 3967 and 6996): the rule about hearing nobody, above.
- The chip may stall while sending (pico-sdk 1661, error -12): radio off and on, then a reset.
"""

from foca._port import const, ticks_add, ticks_diff

NOTHING = 0
START = 1  # radio off and on, country, host name, power save off, no reconnecting by itself
CONNECT = 2
DISCONNECT = 3
ADDRESS = 4  # `Link.host` is our address now: after a loss, or because it changed
LOST = 5  # no link: sending is pointless
RESET = 6  # reset the board

ACTION_NAMES = ("nothing", "start", "connect", "disconnect", "address", "lost", "reset")

_OFF = const(0)
_IDLE = const(1)
_CONNECTING = const(2)
_UP = const(3)

_SETTLE_MS = const(100)
_CONNECT_MS = const(30000)
_RETRY_FIRST_MS = const(1000)
_RETRY_LAST_MS = const(30000)
_RESTART_EVERY = const(4)
_DEAF_FIRST_MS = const(90000)
_DEAF_LAST_MS = const(3600000)
_RESET_MS = const(3600000)
_AGE_MAX_MS = const(86400000)


class Port:
    """What differs between ports: words for status codes, and the settings for START."""

    def __init__(self, name, up, failures, power_save_off, has_reconnects):
        self.name = name
        self.up = up
        self.failures = failures
        self.power_save_off = power_save_off
        self.has_reconnects = has_reconnects


ESP32 = Port(
    "esp32",
    1010,
    {
        2: "the access point ended the authentication",
        15: "wrong password, or the signal is too weak (handshake timeout)",
        200: "the access point fell silent (beacon timeout)",
        201: "no access point with that name",
        202: "wrong password",
        203: "the access point refused us",
        204: "wrong password, or the signal is too weak (handshake timeout)",
        205: "the connection failed",
        210: "no access point with that name and a security we can use",
        211: "no access point with that name and a security we accept",
        212: "no access point with that name is strong enough",
    },
    0,
    True,
)
"""Codes: WIFI_REASON_* of ESP-IDF esp_wifi_types.h, passed through by network_wlan.c."""

RP2 = Port(
    "rp2",
    3,
    {-1: "the connection failed", -2: "no access point with that name", -3: "wrong password"},
    0xA11140,
    False,
)
"""Codes: CYW43_LINK_* of the cyw43 driver; 0 down, 1 joining, 2 no address yet, 3 up."""

PORTS = {"esp32": ESP32, "rp2": RP2}


class Status:
    """What the radio says now. `deaf_ms`: since the last datagram, -1: there was none ever."""

    def __init__(self):
        self.code = 0
        self.is_connected = False
        self.host = "0.0.0.0"
        self.mask = ""
        self.deaf_ms = -1


class Link:
    """`host`, `mask`: our address and subnet, "" without a link. `reason`: why there is none."""

    def __init__(self, port, reset_ms=_RESET_MS):
        """port: ESP32 or RP2. reset_ms: so long without an address and the board is reset."""
        self.port = port
        self.host = self.mask = ""
        self.reason = "not started"
        self.losses = 0
        self.tries = 0
        """Since the last address."""
        self._state = _OFF
        self._reset_ms = reset_ms
        self._wait_until = -1
        self._retry_ms = _RETRY_FIRST_MS
        self._deaf_limit_ms = _DEAF_FIRST_MS
        self._for_ms = 0  # with or without an address; added up, as ticks wrap
        self._before = -1

    @property
    def is_up(self):
        return self._state == _UP

    def step(self, now_ms, status):
        """The one action to take now. Call it again soon: at least once a second."""
        elapsed = ticks_diff(now_ms, self._before) if self._before >= 0 else 0
        self._before = now_ms
        if self._for_ms < _AGE_MAX_MS:
            self._for_ms += elapsed
        if self._state == _UP:
            return self._step_up(now_ms, status)
        if self._for_ms >= self._reset_ms:
            self._for_ms = 0
            return RESET
        if self._wait_until >= 0:
            if ticks_diff(self._wait_until, now_ms) > 0 and self._state != _CONNECTING:
                return NOTHING
        if self._state == _OFF:
            return self._go(_IDLE, now_ms, _SETTLE_MS, START)
        if self._state == _IDLE:
            self.tries += 1
            self.reason = "connecting"
            return self._go(_CONNECTING, now_ms, _CONNECT_MS, CONNECT)
        return self._step_connecting(now_ms, status)

    def _go(self, state, now_ms, wait_ms, action):
        self._state = state
        self._wait_until = ticks_add(now_ms, wait_ms)
        return action

    def _has_address(self, status):
        return status.is_connected and status.host not in ("", "0.0.0.0")

    def _step_connecting(self, now_ms, status):
        if self._has_address(status):
            return self._come_up(status)
        if status.code in self.port.failures:
            self.reason = self.port.failures[status.code]
        elif ticks_diff(self._wait_until, now_ms) > 0:
            return NOTHING
        else:
            self.reason = "no address: the access point or its DHCP does not answer"
        wait_ms = self._retry_ms
        self._retry_ms = min(2 * wait_ms, _RETRY_LAST_MS)
        restart = self.tries % _RESTART_EVERY == 0
        return self._go(_OFF if restart else _IDLE, now_ms, wait_ms, DISCONNECT)

    def _come_up(self, status):
        self._state = _UP
        self.host = status.host
        self.mask = status.mask
        self.reason = ""
        self.tries = 0
        self._for_ms = 0
        self._retry_ms = _RETRY_FIRST_MS
        return ADDRESS

    def _step_up(self, now_ms, status):
        if not self._has_address(status):
            self.reason = "the link was lost"
            return self._lose(now_ms, _IDLE, 0)
        if status.host != self.host:
            return self._come_up(status)
        if status.deaf_ms < 0:
            return NOTHING
        deaf_ms = status.deaf_ms
        if deaf_ms > self._for_ms:
            deaf_ms = self._for_ms
        elif deaf_ms < _DEAF_FIRST_MS:
            self._deaf_limit_ms = _DEAF_FIRST_MS
        if deaf_ms < self._deaf_limit_ms:
            return NOTHING
        self._deaf_limit_ms = min(2 * self._deaf_limit_ms, _DEAF_LAST_MS)
        self.reason = "nobody was heard for %d s" % (deaf_ms // 1000)
        return self._lose(now_ms, _OFF, _RETRY_FIRST_MS)

    def drop(self, now_ms, reason):
        """Give the address back and ask for another one; returns LOST. Only while `is_up`."""
        self.reason = reason
        return self._lose(now_ms, _OFF, _RETRY_FIRST_MS)

    def _lose(self, now_ms, state, wait_ms):
        self.losses += 1
        self.host = self.mask = ""
        self._for_ms = 0
        return self._go(state, now_ms, wait_ms, LOST)


class Radio:
    """What touches the radio: `read` and `do`. It raises nothing: a radio that fails says so."""

    def __init__(self, network, port, ssid, password, country="", hostname=""):
        """network: the board's module."""
        self._network = network
        self._port = port
        self._ssid = ssid
        self._password = password
        self._country = country
        self._hostname = hostname
        self.wlan = network.WLAN(network.STA_IF)
        self.errors = 0
        self.last_error = ""

    def read(self, status):
        """Fill in code, is_connected, host and mask."""
        try:
            wlan = self.wlan
            status.code = wlan.status()
            status.is_connected = wlan.isconnected()
            config = wlan.ipconfig("addr4") if hasattr(wlan, "ipconfig") else wlan.ifconfig()
            status.host = config[0]
            status.mask = config[1]
        except (OSError, ValueError) as error:
            self._note(error)
            status.is_connected = False
            status.host = ""

    def do(self, action):
        """START, CONNECT or DISCONNECT."""
        try:
            if action == START:
                self._start()
            elif action == CONNECT:
                self.wlan.connect(self._ssid, self._password or None)
            elif action == DISCONNECT or action == LOST:
                self.wlan.disconnect()
        except (OSError, RuntimeError, ValueError) as error:
            self._note(error)

    def _start(self):
        network = self._network
        if self._country:
            network.country(self._country)
        if self._hostname:
            network.hostname(self._hostname)
        self.wlan.active(False)
        self.wlan.active(True)
        self.wlan.config(pm=self._port.power_save_off)
        if self._port.has_reconnects:
            self.wlan.config(reconnects=0)

    def _note(self, error):
        self.errors += 1
        self.last_error = repr(error)
