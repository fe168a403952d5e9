"""firmware/wifi.py: the link supervisor, step by step, without a radio."""

import sys

FIRMWARE = __file__.rpartition("/host_tests/")[0]
sys.path.insert(0, (FIRMWARE + "/" if FIRMWARE else "") + "firmware")
import wifi  # noqa: E402

sys.path.pop(0)
sys.modules.pop("wifi")

MINUTE = 60000
HOUR = 60 * MINUTE


class Bench:
    """A link and the status it sees; `actions`: (ms, name) of everything it wanted."""

    def __init__(self, port=wifi.RP2, start_ms=1000, **rest):
        self.link = wifi.Link(port, **rest)
        self.status = wifi.Status()
        self.now_ms = start_ms
        self.actions = []

    def step(self):
        action = self.link.step(self.now_ms & 0x3FFFFFFF, self.status)
        if action:
            self.actions.append((self.now_ms, wifi.ACTION_NAMES[action]))
        return action

    def run(self, duration_ms, step_ms=250):
        end = self.now_ms + duration_ms
        first = len(self.actions)
        while self.now_ms < end:
            self.step()
            self.now_ms += step_ms
            if self.status.deaf_ms >= 0:
                self.status.deaf_ms += step_ms
        return [name for _, name in self.actions[first:]]

    def connect(self, host="10.0.0.1"):
        self.status.code = self.link.port.up
        self.status.is_connected = True
        self.status.host = host

    def disconnect(self, code=0):
        self.status.code = code
        self.status.is_connected = False
        self.status.host = "0.0.0.0"


def up(port=wifi.RP2):
    bench = Bench(port)
    bench.run(1000)
    bench.connect()
    bench.run(1000)
    assert bench.link.is_up
    bench.actions.clear()
    return bench


def test_the_radio_is_restarted_then_connected_then_there_is_an_address():
    bench = Bench()
    assert bench.run(3000) == ["start", "connect"]
    bench.connect()
    assert bench.run(1000) == ["address"]
    assert bench.link.host == "10.0.0.1"
    assert bench.link.reason == ""
    assert bench.run(HOUR) == []


def test_connected_without_an_address_is_not_up():
    """esp32: a lost lease leaves isconnected() True and 0.0.0.0."""
    bench = Bench()
    bench.run(1000)
    bench.connect("0.0.0.0")
    assert "address" not in bench.run(5000)
    bench.connect()
    assert bench.run(1000) == ["address"]
    bench.connect("0.0.0.0")
    assert bench.run(1000)[0] == "lost"


def test_failures_are_named_and_tried_again_ever_more_slowly():
    bench = Bench(wifi.ESP32)
    bench.status.code = 1001
    bench.run(1000)
    bench.disconnect(201)
    bench.run(10 * MINUTE)
    assert bench.link.reason in ("no access point with that name", "connecting")
    connects = [when for when, name in bench.actions if name == "connect"]
    gaps = [later - earlier for earlier, later in zip(connects, connects[1:])]  # noqa: B905
    assert gaps[0] < 2000
    assert max(gaps) < 31000
    assert 18 <= len(connects) <= 25
    starts = [when for when, name in bench.actions if name == "start"]
    assert len(starts) - 1 == (len(connects) - 1) // 4
    for (_, earlier), (_, later) in zip(bench.actions, bench.actions[1:]):  # noqa: B905
        if later == "connect":
            assert earlier in ("start", "disconnect")


def test_each_port_has_words_for_its_codes():
    for port, code, word in (
        (wifi.RP2, -1, "failed"),
        (wifi.RP2, -2, "no access point"),
        (wifi.RP2, -3, "wrong password"),
        (wifi.ESP32, 201, "no access point"),
        (wifi.ESP32, 202, "wrong password"),
        (wifi.ESP32, 15, "wrong password"),
        (wifi.ESP32, 200, "silent"),
    ):
        bench = Bench(port)
        bench.run(1000)
        bench.disconnect(code)
        bench.step()
        assert word in bench.link.reason, (port.name, code)


def test_codes_that_only_mean_wait_are_no_failure():
    for port, codes in ((wifi.RP2, (0, 1, 2)), (wifi.ESP32, (1000, 1001))):
        for code in codes:
            bench = Bench(port)
            bench.run(500)
            bench.disconnect(code)
            assert bench.run(28000) == []
            assert bench.run(4000)[0] == "disconnect"
            assert "DHCP" in bench.link.reason or bench.link.reason == "connecting"


def test_a_lost_link_is_tried_again_at_once():
    bench = up()
    bench.disconnect()
    assert bench.run(1000) == ["lost", "connect"]
    bench.connect()
    assert bench.run(1000) == ["address"]
    assert bench.link.losses == 1


def test_a_new_address_is_told_without_a_loss():
    bench = up()
    bench.connect("10.0.0.99")
    assert bench.run(1000) == ["address"]
    assert bench.link.host == "10.0.0.99"


def test_nobody_heard_on_a_link_that_says_it_is_up():
    """rp2: status 3 and isconnected() stay though the link is dead."""
    bench = up()
    bench.status.deaf_ms = 0
    assert bench.run(89000) == []
    assert bench.run(5000) == ["lost", "start", "connect", "address"]


def test_a_board_that_is_really_alone_is_left_in_peace_more_and_more():
    bench = up()
    bench.status.deaf_ms = 0
    bench.run(24 * HOUR, 1000)
    losses = [when for when, name in bench.actions if name == "lost"]
    assert 26 <= len(losses) <= 31
    gaps = [later - earlier for earlier, later in zip(losses, losses[1:])]  # noqa: B905
    assert gaps == sorted(gaps)
    assert gaps[-1] >= HOUR


def test_hearing_somebody_ends_the_patience_counting():
    bench = up()
    bench.status.deaf_ms = 0
    bench.run(20 * MINUTE)
    losses = bench.link.losses
    assert losses >= 3
    bench.status.deaf_ms = 0
    bench.run(30000)
    bench.status.deaf_ms = 0
    bench.run(95000)
    assert bench.link.losses == losses + 1


def test_a_board_that_never_heard_anybody_does_not_touch_the_link():
    bench = up()
    assert bench.run(24 * HOUR, 1000) == []


def test_an_hour_without_an_address_resets_the_board():
    bench = Bench()
    actions = bench.run(HOUR - 60000)
    assert "reset" not in actions
    assert "reset" in bench.run(120000)


def test_the_time_without_an_address_counts_from_the_loss():
    bench = up()
    bench.run(3 * HOUR)
    bench.disconnect(-2)
    assert "reset" not in bench.run(59 * MINUTE)
    assert "reset" in bench.run(2 * MINUTE)


def test_short_losses_do_not_add_up_to_a_reset():
    bench = up()
    for _ in range(100):
        bench.disconnect()
        bench.run(MINUTE)
        bench.connect()
        bench.run(MINUTE)
    assert "reset" not in [name for _, name in bench.actions]


def test_a_clock_that_wraps_changes_nothing():
    bench = Bench(start_ms=(1 << 30) - 300)
    assert bench.run(3000) == ["start", "connect"]
    bench.connect()
    assert bench.run(1000) == ["address"]


def test_giving_the_address_back():
    bench = up()
    assert bench.link.drop(bench.now_ms, "two of us") == wifi.LOST
    bench.disconnect()
    assert bench.run(3000) == ["start", "connect"]


# ---- the radio


class Wlan:
    def __init__(self, error=None):
        self.calls = []
        self.error = error

    def note(self, *call):
        if self.error:
            raise self.error
        self.calls.append(call)

    def active(self, flag):
        self.note("active", flag)

    def config(self, **fields):
        self.note("config", fields)

    def connect(self, ssid, password):
        self.note("connect", ssid, password)

    def disconnect(self):
        self.note("disconnect")

    def status(self):
        self.note()
        return 3

    def isconnected(self):
        return True

    def ifconfig(self):
        return ("10.0.0.7", "", "", "")


class Network:
    STA_IF = 0

    def __init__(self, wlan):
        self.wlan = wlan
        self.WLAN = lambda which: wlan
        self.country = lambda code: wlan.note("country", code)
        self.hostname = lambda name: wlan.note("hostname", name)


def test_starting_is_off_on_and_no_power_save():
    wlan = Wlan()
    radio = wifi.Radio(Network(wlan), wifi.ESP32, "home", "secret99", "DE", "board-7")
    radio.do(wifi.START)
    assert wlan.calls == [
        ("country", "DE"),
        ("hostname", "board-7"),
        ("active", False),
        ("active", True),
        ("config", {"pm": 0}),
        ("config", {"reconnects": 0}),
    ]
    wlan.calls.clear()
    radio.do(wifi.CONNECT)
    radio.do(wifi.DISCONNECT)
    radio.do(wifi.NOTHING)
    assert wlan.calls == [("connect", "home", "secret99"), ("disconnect",)]


def test_an_open_network_and_rp2():
    wlan = Wlan()
    radio = wifi.Radio(Network(wlan), wifi.RP2, "home", "")
    radio.do(wifi.START)
    radio.do(wifi.CONNECT)
    assert wlan.calls[2:] == [("config", {"pm": 0xA11140}), ("connect", "home", None)]


def test_before_1_23_ifconfig_tells_the_address():
    radio = wifi.Radio(Network(Wlan()), wifi.RP2, "home", "")
    status = wifi.Status()
    radio.read(status)
    assert (status.code, status.is_connected, status.host) == (3, True, "10.0.0.7")


def test_a_radio_that_raises_is_counted_and_not_connected():
    radio = wifi.Radio(Network(Wlan(OSError(12))), wifi.RP2, "home", "")
    status = wifi.Status()
    status.is_connected = True
    radio.read(status)
    radio.do(wifi.CONNECT)
    assert not status.is_connected
    assert radio.errors == 2
    assert "12" in radio.last_error
