"""The figures of docs/BOARDS.md and docs/TESTING.md, made anew from the simulated boards.

    .venv/bin/python host_tests/firmware/figures.py joining    switched on together: 2, 10, 50
    .venv/bin/python host_tests/firmware/figures.py recovery   after each trouble, and the day
    .venv/bin/python host_tests/firmware/figures.py flash      writes in a year
    .venv/bin/python host_tests/firmware/figures.py errors     every (port, number, call) tried

Without a word: all of them, about five minutes. Everything is seeded: the same on any machine.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / name) for name in ("lib", "host_tests", "host_tests/firmware")]
sys.path.insert(0, str(ROOT / "host_tests/unit"))

import test_joining  # noqa: E402
import test_memory  # noqa: E402
import test_udp  # noqa: E402
import test_weather  # noqa: E402
from support.fake_socket import CPYTHON, ESP32, RP2, UNIX  # noqa: E402
from test_weather import MINUTE, SECOND  # noqa: E402

PORTS = (CPYTHON, UNIX, RP2, ESP32)


# ---- joining


def joining():
    """The worst of the seeds, counted from the address."""
    print("boards  loss  queue  first peer s  all know all s  packets per board  broadcasts")
    for count, loss, queue, seeds in (
        (2, 0, 4, 10), (2, 10, 4, 10), (10, 0, 6, 10), (10, 5, 4, 10),
        (50, 0, 6, 5), (50, 5, 4, 5), (50, 0, 1, 5),
    ):  # fmt: skip
        rows = [together(seed, count, loss, queue) for seed in range(seeds)]
        first, all_know, packets, broadcasts = [max(column) for column in zip(*rows, strict=True)]
        print(
            f"{count:6}  {loss:3}%  {queue:5}  {first / 1000:12.1f}  {all_know / 1000:14.1f}"
            f"  {packets:17.0f}  {broadcasts:10}"
        )
    for port in test_weather.PORTS:
        print(f"{port}: the whole firmware, first peer {from_power_on(port):.1f} s from power-on")


def from_power_on(port):
    """Seconds until firmware/main.py has met one of two others, 1.5 s for its radio included."""
    worst_ms = 0
    for seed in range(10):
        world, _ = test_weather.start(port, seed=seed)
        power_on_ms = world.now_ms
        world.run(15000)
        worst_ms = max(worst_ms, world.said("MemberUp")[0] - power_on_ms)
    return worst_ms / 1000


def together(seed, count, loss_percent, queue):
    """(ms to the last first peer, ms until all know all, packets per board in 10 s, broadcasts)"""
    network = test_joining.Network(seed, loss_percent=loss_percent)
    for number in range(count):
        network.add(2 + number, queue=queue)
    ends_ms = network.now_ms + 10000
    packets = []

    def look():
        if not packets and network.now_ms >= ends_ms:
            packets.append(sum(board.packets() for board in network.boards) / count)
            packets.append(network.broadcasts)
        return network.all_know_all()

    all_know_ms = network.run_until(look, 60000)
    assert all_know_ms >= 0, seed
    network.run(max(0, ends_ms - network.now_ms))
    look()
    return max(board.peer_after_ms for board in network.boards), all_know_ms, *packets


# ---- weather


def recovery():
    """From the end of the trouble until the board and both others know each other again."""
    lan = (
        ("link lost for 1 s", lambda w: w.lose_link(SECOND), SECOND),
        ("link lost for 10 s", lambda w: w.lose_link(10 * SECOND), 10 * SECOND),
        ("link lost for 60 s", lambda w: w.lose_link(MINUTE), MINUTE),
        ("link lost for 10 min", lambda w: w.lose_link(10 * MINUTE), 10 * MINUTE),
        ("link lost for 59 min", lambda w: w.lose_link(59 * MINUTE), 59 * MINUTE),
        ("link lost for 150 min", lambda w: w.lose_link(150 * MINUTE), 150 * MINUTE),
        ("a dead link unnoticed, since 30 s", lambda w: w.lose_link(SECOND, False), 30 * SECOND),
        ("another address, since 1 s", lambda w: w.renumber("10.0.0.77"), SECOND),
    )
    print("trouble, Config.lan                             rp2 s   esp32 s")
    for name, trouble, lasts_ms in lan:
        took = [test_weather.after(p, trouble, lasts_ms, 150000)[0] for p in ("rp2", "esp32")]
        print(f"{name:46}{took[0] / 1000:7.1f}{took[1] / 1000:10.1f}")
    print("router off at boot, for 20 min                ", end="")
    for port in ("rp2", "esp32"):
        world, watch = test_weather.start(port)
        world.router_on = False
        world.at(20 * MINUTE, world.switch_router_on)
        world.at(20 * MINUTE, watch.after_trouble)
        world.run(21 * MINUTE)
        print(f"{watch.recoveries[0][1] / 1000:7.1f}", end="   ")
    print("\na day, Config.wan")
    days = {port: test_weather.day(port) for port in ("rp2", "esp32")}
    pairs = zip(days["rp2"][1].recoveries, days["esp32"][1].recoveries, strict=True)
    for (name, rp2_ms), (_, esp32_ms) in pairs:
        print(f"{name:46}{rp2_ms / 1000:7.1f}{esp32_ms / 1000:10.1f}")
    for port, (world, _, _) in days.items():
        print(f"{port}: {world.lives} lives, flash written: {world.flash_writes}")


# ---- flash


def flash():
    """Writes of memory.py in a year, looked at once a minute."""
    quiet = test_memory.peers(2, 3, 4)
    print(f"a year in a quiet cluster         {year(1, lambda minute: (1, quiet)):6} writes")
    print(
        "a year switched on every day      "
        f"{year(365, lambda minute: (1, quiet)):6} writes, 365 boots among them"
    )
    restless = year(1, lambda minute: (minute, test_memory.peers(minute % 200, minute // 7 % 200)))
    print(f"a year in which all always changes{restless:6} writes")


def year(boots, what):
    """Writes in 365 days of `boots` lives; what(minute): (bump, active peers)."""
    board = test_memory.Flash()
    minute = 0
    for _ in range(boots):
        remembered = test_memory.boot(board)
        for _ in range(365 * 24 * 60 // boots):
            minute += 1
            bump, active = what(minute)
            remembered.update(minute * MINUTE & 0x3FFFFFFF, bump, active)
    return board.writes


# ---- errors


def errors():
    for line in error_table():
        print(line)


def error_table():
    """Lines of the Markdown table of docs/TESTING.md: what was raised where, and its effect."""
    found = {}
    for profile, name, counter in test_udp.SENDTO_ERRORS:
        found.setdefault(("sendto", name, counter), {})[profile.name] = profile.errno[name]
    for profile, name, is_error in test_udp.RECV_ERRORS:
        effect = "ReceiveErrors" if is_error else "nothing there"
        found.setdefault(("recv", name, effect), {})[profile.name] = profile.errno[name]
    lines = ["| call | error | CPython | unix | rp2 | esp32 | effect |", "| --- " * 7 + "|"]
    for (call, name, effect), numbers in sorted(found.items()):
        cells = [str(numbers.get(profile.name, "-")) for profile in PORTS]
        lines.append(f"| `{call}` | {name} | {' | '.join(cells)} | {effect} |")
    return lines


def main(words):
    parts = {"joining": joining, "recovery": recovery, "flash": flash, "errors": errors}
    if not set(words) <= set(parts):
        print(__doc__)
        return 2
    for name in words or parts:
        parts[name]()
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
