"""A day of weather for firmware/main.py, on every port, in simulated time.

`recovery` is the time from the end of the trouble until the board and all others know each other
again. Timing is that of `Config.wan`, so that a simulated day costs seconds; the tests of single
troubles use `Config.lan`. figures.py prints what docs/BOARDS.md says of it.
"""

import sys

from support.fake_board import SETTINGS, World

ON_A_BOARD = sys.implementation.name == "micropython"
PORTS = ("rp2 1.25", "rp2", "esp32")
SECOND = 1000
MINUTE = 60000
HOUR = 60 * MINUTE
QUIET = SETTINGS + b"CONSOLE = False\n"


class Watch:
    """Notes when the board and all others know each other, and when not."""

    def __init__(self, world, others):
        self.world = world
        self.others = others
        self.bad_since = -1
        self.trouble = ""
        self.recoveries = []
        """[(the trouble, ms from its end until all was well)]"""

    def is_well(self):
        world = self.world
        if world.current is None or not world.current.agent.is_up:
            return False
        if world.peers() < self.others:
            return False
        return all([board.foca.num_members() == self.others for board in world.network.boards])

    def after_trouble(self, trouble=""):
        """The trouble is over now: measure from here."""
        self.bad_since = self.world.now_ms
        self.trouble = trouble
        self.look()

    def look(self):
        if self.bad_since >= 0:
            if self.is_well():
                self.recoveries.append((self.trouble, self.world.now_ms - self.bad_since))
                self.bad_since = -1
            else:
                self.world.at(100, self.look)


def start(port, others=2, wan=False, seed=1, settings=QUIET):
    world = World(port, seed)
    world.flash["settings.py"] = settings + (b'NETWORK = "wan"\n' if wan else b"")
    if wan:
        world.network.poll_ms = 1000
    for number in range(others):
        world.network.add(2 + number, wan=wan)
    return world, Watch(world, others)


def after(port, trouble, lasts_ms, limit_ms, at_ms=MINUTE, **rest):
    """Milliseconds that recovery took after `trouble(world)`, which lasts `lasts_ms`."""
    world, watch = start(port, **rest)
    world.at(at_ms, trouble, world)
    world.at(at_ms + lasts_ms, watch.after_trouble)
    world.run(at_ms + lasts_ms + limit_ms)
    assert len(watch.recoveries) == 1, (port, world.log[-5:])
    return watch.recoveries[0][1], world


def test_a_link_lost_for_one_second_to_one_hour():
    for port in PORTS[1:]:
        for lasts_ms, limit_ms in ((SECOND, 5000), (10 * SECOND, 35000), (MINUTE, 35000)):
            took_ms, world = after(port, lambda w: w.lose_link(lasts_ms), lasts_ms, limit_ms)  # noqa: B023
            assert world.lives == 1
    took_ms, world = after("rp2", lambda w: w.lose_link(59 * MINUTE), 59 * MINUTE, 60000)
    assert world.lives == 1


def test_a_link_lost_for_longer_than_an_hour_resets_the_board_and_it_comes_back():
    took_ms, world = after("rp2", lambda w: w.lose_link(150 * MINUTE), 150 * MINUTE, 60000)
    assert world.lives == 3
    assert world.said("safe mode") == []
    assert world.said("crashed") == []


def test_a_dead_link_that_the_radio_does_not_notice():
    """rp2: status 3 stays, datagrams go nowhere; after 90 s in silence the link is made anew."""
    took_ms, world = after("rp2", lambda w: w.lose_link(30000, False), 30000, 120000)
    assert 55000 < took_ms < 75000  # 90 s since the last word
    assert world.lives == 1
    assert world.said("nobody was heard for")


def test_the_router_is_off_at_boot():
    for port in PORTS:
        world, watch = start(port)
        world.router_on = False
        world.at(20 * MINUTE, world.switch_router_on)
        world.at(20 * MINUTE, watch.after_trouble)
        world.run(21 * MINUTE)
        assert len(watch.recoveries) == 1, port
        assert watch.recoveries[0][1] < 36000
        assert world.lives == 1


def test_a_wrong_password_is_named_and_tried_for_ever():
    for port in PORTS[1:]:
        world, watch = start(port, settings=b'SSID = "home"\nPASSWORD = "12345678"\nLED = None\n')
        world.run(10 * MINUTE)
        assert world.said("wrong password")
        assert world.lives == 1
        assert world.radio.calls.count("connect") > 15


def test_dhcp_gives_another_address():
    took_ms, world = after("esp32", lambda w: w.renumber("10.0.0.77"), 0, 20000)
    assert took_ms < 10000
    assert world.agent().address == "10.0.0.77:36220"
    for board in world.network.boards:  # the old one was declared down, not just missed
        assert board.foca.num_members() == 2


def test_an_access_point_that_isolates_its_clients_is_told():
    world, watch = start("rp2")
    world.network.isolated = True
    world.at(10 * MINUTE, setattr, world.network, "isolated", False)
    world.at(10 * MINUTE, watch.after_trouble)
    world.run(12 * MINUTE)
    assert world.said("client isolation")
    assert watch.recoveries[0][1] < 76000
    assert world.lives == 1


def test_arp_that_loses_every_second_packet():
    """To unresolved hosts: ENOMEM, or silently nothing."""
    for port in PORTS[1:]:
        world, watch = start(port)
        world.arp_loss_percent = 50
        world.run(5 * MINUTE)
        assert world.peers() >= 1
        assert world.lives == 1
        assert sum(world.agent().udp.counters[2:6]) > 0


def test_every_queue_depth_gets_along():
    for port in PORTS:
        world, watch = start(port, others=9, seed=2)
        world.at(2 * SECOND, watch.after_trouble)
        world.run(MINUTE)
        assert watch.recoveries[0][1] < 20000, port
        assert world.peers() == 9


def day(port):
    """Everything above, one after the other, in 24 hours: (world, watch, how many troubles)."""
    world, watch = start(port, wan=True, seed=3)
    ended = watch.after_trouble
    world.router_on = False  # a power cut ended: the router needs two minutes, the board two s
    world.at(2 * MINUTE, world.switch_router_on)
    world.at(2 * MINUTE, ended, "router off at boot, for 2 min")
    for hour, lasts_ms in (
        (1, SECOND), (2, 5 * SECOND), (3, 30 * SECOND), (4, 5 * MINUTE), (5, 59 * MINUTE)
    ):  # fmt: skip
        world.at(hour * HOUR, world.lose_link, lasts_ms)
        world.at(hour * HOUR + lasts_ms, ended, "link lost for %d s" % (lasts_ms // SECOND))
    world.at(7 * HOUR, lambda w: w.lose_link(3000, False), world)
    world.at(7 * HOUR + MINUTE, ended, "a dead link unnoticed by the radio, since 60 s")
    world.at(8 * HOUR, world.renumber, "10.0.0.80")
    world.at(8 * HOUR + SECOND, ended, "another address, since 1 s")
    world.at(9 * HOUR, setattr, world.network, "isolated", True)
    world.at(9 * HOUR + 30 * MINUTE, setattr, world.network, "isolated", False)
    world.at(9 * HOUR + 30 * MINUTE, ended, "client isolation for 30 min")
    world.at(11 * HOUR, setattr, world, "is_frozen", True)
    world.at(11 * HOUR + 1, world.lose_link, SECOND)
    world.at(11 * HOUR + 8500, ended, "the driver hangs, since 8.5 s")
    world.at(12 * HOUR, setattr, world, "arp_loss_percent", 30)
    world.at(13 * HOUR, setattr, world, "arp_loss_percent", 0)
    world.at(13 * HOUR, ended, "30 % of ARP lost for 1 h")
    world.at(14 * HOUR, setattr, world.network, "loss_percent", 10)
    world.at(15 * HOUR, setattr, world.network, "loss_percent", 0)
    world.at(15 * HOUR, ended, "10 % of all lost for 1 h")
    world.at(16 * HOUR, setattr, world.network.boards[0], "is_on", False)
    world.at(17 * HOUR, setattr, world.network.boards[0], "is_on", True)
    world.at(17 * HOUR, ended, "another board off for 1 h")
    world.at(18 * HOUR, world.lose_link, 2 * HOUR)
    world.at(20 * HOUR, ended, "link lost for 7200 s")
    assert world.run(24 * HOUR) == "time"
    return world, watch, 14


def test_a_day_of_weather():
    """One port on CPython, one on the VM."""
    for port in ("esp32",) if ON_A_BOARD else ("rp2",):
        world, watch, troubles = day(port)
        assert len(watch.recoveries) == troubles, (port, watch.recoveries, world.log[-20:])
        assert max([took_ms for _, took_ms in watch.recoveries]) < 8 * MINUTE, watch.recoveries
        assert world.said("safe mode") == []
        assert world.lives <= 5
        assert sum(world.flash_writes.values()) <= 30, world.flash_writes
        assert watch.is_well()
