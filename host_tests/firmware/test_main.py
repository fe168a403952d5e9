"""firmware/main.py in a simulated board: what a person and a watchdog see of it."""

import sys

from foca.status import RENEWALS
from support.fake_board import SETTINGS, World
from support.fake_board_network import EVERYBODY

PORTS = ("rp2 1.25", "rp2", "esp32")
MINUTE = 60000
ON_A_BOARD = sys.implementation.name == "micropython"


def world(port="rp2", peers=2, settings=SETTINGS, seed=1, **rest):
    made = World(port, seed, **rest)
    made.flash["settings.py"] = settings
    for number in range(peers):
        made.network.add(2 + number)
    return made


def lines(made):
    return [line for _, line in made.log]


def test_from_power_on_to_the_mesh_on_every_port():
    for port in PORTS:
        made = world(port)
        assert made.run(15000) == "time"
        up_ms = made.said("address 10.0.0.1:36220")[0]
        assert 6500 <= up_ms < 7100  # 5000 is power-on, and the radio needs 1500
        assert made.said("MemberUp 10.0.0.2:36220")[0] < up_ms + 5000
        assert made.peers() == 2
        assert made.lives == 1
        for board in made.network.boards:
            assert board.foca.num_members() == 2
        assert not made.radio.power_save
        assert made.radio.calls[:3] == ["active False", "disconnect", "active True"]


def test_tables_are_allocated_before_the_radio_is_up():
    made = world()
    order = []

    def look(line):
        if "boot" in line:
            calls = made.radio.calls
            start = made.radio.active

            def active(flag):
                order.append(made.current.agent.foca.members.rows)
                start(flag)

            made.radio.active = active
            assert calls == []

    made.on_line = look
    made.run(3000)
    assert order == [73, 73]


def test_the_watchdog_is_fed_by_the_loop():
    made = world()
    made.run(10 * MINUTE)
    assert made.lives == 1
    assert made.feeds > 10 * 60
    assert made.dog_timeout_ms == 8000


def test_a_mistake_in_the_settings_is_named_with_its_line_and_leads_to_safe_mode():
    made = world(settings=b'SSID = "home"\nPROT = 1\n')
    assert made.run(MINUTE) == "safe mode"
    assert lines(made)[-1].startswith("foca: safe mode: settings.py line 2: PROT is no setting")
    assert made.dog_ms == -1
    assert made.lamp == [(5000, "LED", 1)]
    assert made.radio.calls == []


def test_missing_settings_lead_to_safe_mode():
    made = world("esp32")
    del made.flash["settings.py"]
    assert made.run(MINUTE) == "safe mode"
    assert "settings.py is missing" in lines(made)[-1]
    assert made.lamp == []


def test_a_crash_leaves_one_line_and_resets_and_the_third_in_a_row_ends_it():
    made = world()

    def crash(line):
        if "MemberUp" in line:
            made.at(0, sabotage)

    def sabotage():
        made.current.mine = lambda: {}["gone"]

    made.on_line = crash
    assert made.run(MINUTE) == "safe mode"
    assert made.lives == 4
    assert len(made.said("crashed: KeyError: ")) == 3
    cause = made.flash["foca-crash.txt"].decode()
    assert cause.startswith("KeyError: ")
    assert "line" in cause and cause.count("\n") == 1
    assert len(made.said("crashed before: KeyError: ")) == 3
    assert "3 crashes in a row" in lines(made)[-1]
    made.on_line = None
    assert made.run(MINUTE) == "safe mode" or made.lives == 5  # a reset tries again
    assert made.peers() == 2


def test_ten_healthy_minutes_forgive_crashes():
    made = world()
    for _ in range(5):
        made.at(11 * MINUTE, lambda: setattr(made.current, "mine", lambda: {}[0]))
        made.run(12 * MINUTE)
    assert made.said("safe mode") == []
    assert len(made.said("crashed: KeyError")) == 5


def test_a_driver_that_hangs_is_bitten_by_the_watchdog():
    made = world()
    made.at(MINUTE, setattr, made, "is_frozen", True)
    made.at(MINUTE + 10, made.lose_link, 1000)
    made.run(3 * MINUTE)
    assert made.lives == 2
    assert made.said("crashed before: the watchdog bit")
    assert made.peers() == 2


def test_a_radio_that_only_raises_is_bitten_after_a_minute():
    made = world()

    def broken():
        raise OSError(5)

    made.at(MINUTE, lambda: setattr(made.radio, "status", broken))
    made.run(4 * MINUTE)
    assert made.lives == 2
    assert made.peers() == 2


def test_without_a_watchdog_setting_there_is_none():
    made = world(settings=SETTINGS + b"WATCHDOG = False\n")
    made.run(MINUTE)
    assert made.dog_ms == -1


def test_ctrl_c_opens_the_console_and_keeps_the_watchdog_fed():
    for port in ("rp2", "esp32"):
        made = world(port)
        made.at(20000, setattr, made, "keys", "\x03")
        assert made.run(MINUTE) == "stopped"
        assert "stopped at the console" in lines(made)[-1]
        assert [timer.period_ms for timer in made.timers] == [2000]
        feeds = made.feeds
        made.timers[0].callback(None)
        assert made.feeds == feeds + 1
        assert "foca-console.flag" in made.flash  # for boot.py
        made.run(MINUTE)
        assert "foca-console.flag" not in made.flash
        assert made.peers() == 2


def test_the_led_tells_the_states():
    made = world(peers=1, settings=b'SSID = "home"\nPASSWORD = "secret99"\nLED = 5\n')
    made.network.boards[0].is_on = False
    made.at(40000, setattr, made.network.boards[0], "is_on", True)
    made.run(120000)

    def lit(first_ms, end_ms):
        """(share of time lit, times it went on)."""
        at = [(when - 5000, level) for when, _, level in made.lamp]
        on = changes = 0
        for (when, level), (after, _) in zip(at, at[1:]):  # noqa: B905
            if first_ms <= when < end_ms:
                on += level * (after - when)
        levels = [level for when, level in at if first_ms <= when < end_ms]
        for earlier, later in zip(levels, levels[1:]):  # noqa: B905
            changes += later > earlier
        return 100 * on // (end_ms - first_ms), changes

    assert 20 <= lit(0, 1600)[0] <= 70 and lit(0, 1600)[1] <= 1  # no WiFi: slow
    share, changes = lit(3000, 23000)  # joining
    assert 45 <= share <= 55 and 48 <= changes <= 51
    share, changes = lit(35000, 38900)
    assert share < 12 and changes in (2, 3, 4)  # alone
    share, changes = lit(100000, 112000)
    assert share <= 7 and changes in (3, 4)  # in the mesh


def type_at(made, after_ms, text):
    made.at(after_ms, lambda: setattr(made, "keys", made.keys + text))


def answer(made, command, after_ms=20000):
    """What the console prints for a command."""
    type_at(made, after_ms, command + "\r")
    first = []
    made.at(after_ms, lambda: first.append(len(made.log)))
    made.run(after_ms + 1000)
    return [line for line in lines(made)[first[0] :] if not line.startswith("foca:")]


def test_members_and_stats():
    made = world()
    assert (
        answer(made, "members")
        == ["10.0.0.2:36220#1 Alive 0", "10.0.0.3:36220#1 Alive 0"][
            :: 1 if lines(made)[-2].startswith("10.0.0.2") else -1
        ]
    )
    made = world()
    stats = answer(made, "stats")
    assert stats[0] == "address 10.0.0.1:36220 bump 1, in the mesh"
    assert "boot 1, 0 crashes, last crash: none" in stats[1]
    assert "members 2 active" in stats[3]
    assert "DatagramsSent" in stats[4]
    assert "Sent " in stats[5]


def test_commands_are_typed_with_mistakes_and_backspaces():
    made = world()
    assert answer(made, "membrr\x08\x7fers\r\r\nhelp\x01")[2:][:1] == [
        "commands: members, stats, why ADDRESS, leave, log debug, log info, reset"
    ]
    made = world()
    assert "is no command" in answer(made, "ping" + "x" * 200)[0]


def test_why_says_what_was_heard_and_from_whom():
    made = world(peers=3)
    victim = made.network.boards[1]
    made.at(20000, setattr, victim, "is_on", False)
    said = answer(made, "why 10.0.0.3:36220", 60000)
    assert said[0] == "10.0.0.3:36220 is Down, incarnation 0"
    assert "heard from itself" in said[1]
    assert said[2].startswith("Down since ")
    assert "told by 10.0.0." in said[2] or "our own probe" in said[2]
    made = world()
    said = answer(made, "why 10.0.0.2:36220")
    assert said[0] == "10.0.0.2:36220 is Alive, incarnation 0"
    assert said[1] in ["heard from itself %d s ago" % seconds for seconds in range(8)]
    assert said[2].startswith("Alive since ")
    made = world()
    assert answer(made, "why 10.0.0.77:36220") == ["10.0.0.77:36220: never heard of, or forgotten"]
    made = world()
    assert answer(made, "why 10.0.0.1:36220") == ["10.0.0.1:36220 is this board"]


def test_leave_log_and_reset():
    made = world()
    assert answer(made, "leave") == ["left the mesh; the next reset joins again"]
    made.network.run(10000)
    assert all([board.foca.num_members() == 1 for board in made.network.boards])
    made = world()
    assert answer(made, "log debug") == ["log debug"]
    made.network.boards[0].is_on = False
    made = world()
    assert answer(made, "log") == ["log debug, or log info"]
    made = world()
    type_at(made, 20000, "reset\r")
    made.run(MINUTE)
    assert made.lives == 2
    assert made.peers() == 2
    assert made.said("crashed") == []


def test_failed_probes_are_told_with_log_debug():
    made = world(settings=SETTINGS + b"LOG_DEBUG = True\n")
    made.at(20000, setattr, made.network.boards[0], "is_on", False)
    made.run(MINUTE)
    assert made.said("ProbeFailed 10.0.0.2:36220")


def test_a_reset_board_is_a_new_life_and_known_at_once():
    made = world()
    for _ in range(3):
        type_at(made, 90000, "reset\r")
        made.run(90000 + 10000)
        assert made.peers() == 2
        for board in made.network.boards:
            assert board.foca.num_members() == 2
    assert made.current.agent.bump >= 4
    assert made.current.memory.peers == ["10.0.0.2:36220", "10.0.0.3:36220"] or (
        made.current.memory.peers == ["10.0.0.3:36220", "10.0.0.2:36220"]
    )


def test_remembered_peers_help_where_broadcasts_do_not():
    """The access point swallows broadcasts; the peers are not configured anywhere."""
    made = world(settings=SETTINGS + b'SEEDS = ["10.0.0.2:36220"]\n')
    made.run(2 * MINUTE)
    made.flash["settings.py"] = SETTINGS + b"BROADCAST = False\n"
    type_at(made, 0, "reset\r")
    start = len(made.log)
    made.run(20000)
    assert any(["MemberUp" in line for _, line in made.log[start:]])


def test_an_access_point_that_drops_either_broadcast_address_keeps_nobody_apart():
    """The others ask at 255.255.255.255 only, so what is dropped they cannot say themselves."""
    for drops in EVERYBODY:
        made = world(settings=SETTINGS)
        made.network.drops = drops
        for board in made.network.boards:
            board.join.broadcast = False
        made.run(15000)
        up_ms = made.said("address 10.0.0.1:36220")[0]
        assert made.peers() == 2, drops
        assert made.said("MemberUp")[0] - up_ms < 3500, drops
        asked = made.net.broadcast_to
        assert asked and asked[:2] == ["255.255.255.255", "10.0.0.255"][: len(asked)], drops


def test_the_broadcast_address_of_a_subnet():
    made = world()
    made.run(10000)
    module = sys.modules.get("agent")
    assert module is None, "the firmware's modules are gone after a life"
    broadcast_of = made.agent().come_up.__globals__["broadcast_of"]
    for host, mask, octets in (
        ("10.0.0.1", "255.255.255.0", (10, 0, 0, 255)),
        ("192.168.7.9", "255.255.248.0", (192, 168, 7, 255)),
        ("172.16.1.2", "255.255.0.0", (172, 16, 255, 255)),
        ("10.0.0.5", "255.255.255.252", (10, 0, 0, 7)),
    ):
        assert broadcast_of(host, mask) == bytes(octets)
    for host, mask in (("10.0.0.1", "255.255.255.255"), ("10.0.0.1", ""), ("", "255.0.0.0")):
        assert broadcast_of(host, mask) == b""


def test_peers_with_unix_seconds_remember_a_later_life_of_us():
    """The board had a clock once; now it has none and an empty memory: it jumps, not climbs."""
    made = world(peers=3)
    made.flash["foca-memory-a.bin"] = b""
    later = made.network.add(1, bump=1763900000)
    made.device.octets = b""
    made.network.run(20000)
    later.is_on = False
    assert all([board.foca.num_members() == 3 for board in made.network.boards[:3]])
    made.network.boards.remove(later)
    made.run(30000)
    agent = made.agent()
    assert agent.bump > 1763900000
    assert made.peers() == 3
    assert agent.foca.counters[RENEWALS] <= 9
    assert agent.clashes == 0
    first_s = (made.said("Rejoin")[0] - made.said("address")[0]) / 1000
    assert first_s < 3
    for board in made.network.boards:
        assert board.foca.num_members() == 3
    # and it is remembered: the next life starts above it
    made.run(2 * MINUTE)
    type_at(made, 0, "reset\r")
    start = len(made.log)
    made.run(20000)
    again = [line for _, line in made.log[start:] if "Rejoin" in line]
    assert again == []
    assert agent.bump < made.agent().bump < agent.bump + 10


def test_two_boards_with_one_address_say_so_and_do_not_fight_for_ever():
    made = world(peers=3)
    twin = made.network.add(1, bump=50)
    made.run(30 * MINUTE)
    clashes = made.said("address clash: another node uses 10.0.0.1:36220 too")
    assert clashes
    assert clashes[0] < 5000 + 3 * MINUTE
    assert len(clashes) <= 6
    renewals = made.agent().foca.counters[RENEWALS]
    assert renewals < 200, renewals
    # the other one is switched off: the board is a member again
    twin.is_on = False
    made.network.boards.remove(twin)
    made.run(70 * MINUTE)
    assert made.peers() == 3


def test_a_clash_ends_when_the_router_gives_another_address():
    made = world(peers=3)
    made.network.add(1, bump=50)
    made.on_line = lambda line: setattr(made, "host", "10.0.0.9") if "clash" in line else None
    made.run(10 * MINUTE)
    assert made.said("address 10.0.0.9:36220")
    assert made.peers() == 4


def test_an_application_of_your_own_runs_beside_it():
    made = world()
    turns = []

    class Mine:
        def start(self, agent):
            turns.append(agent.address)
            return lambda: turns.append(1)

    made.mine = Mine()
    made.run(20000)
    assert turns[0] == "0.0.0.0:36220"
    assert len(turns) > 50


def test_a_flash_that_is_full_is_said_and_survived():
    made = world()
    made.flash_fails = True
    made.run(5 * MINUTE)
    assert made.said("cannot write to flash")
    assert made.peers() == 2
    assert made.lives == 1


def test_an_empty_datagram_does_not_make_an_esp32_deaf():
    made = world("esp32")
    made.at(30000, lambda: made.net.deliver(36220, b""))
    made.run(90000)
    assert made.peers() == 2
    assert made.agent().udp.counters[9] == 1  # Reopened
    for board in made.network.boards:
        assert board.foca.num_members() == 2
