"""foca.join: who is asked when, for ever; in a cluster, late partial knowledge is mended."""

from foca.address import parse, text_of
from foca.config import Config
from foca.identity import ip, ipv4
from foca.join import Join
from foca.node import Foca
from foca.runtime import Runtime

LAYOUT = ipv4()


class Ear(Runtime):
    def __init__(self):
        self.heard = []

    def send_to(self, row, buf, count):
        foca = self.foca
        self.heard.append(text_of(foca.layout, foca.identity_of(row)).split(":")[0])


def at(number, bump=1):
    return parse(LAYOUT, "10.0.0.%d:36220" % number, bump)


def joining(seeds=(), broadcast=True, remembered=(), seed=3, layout=LAYOUT):
    ear = Ear()
    ear.foca = Foca(parse(layout, "10.0.0.1:36220", 1), Config.lan(8), ear, layout=layout, seed=1)
    seeds = [parse(layout, "10.0.0.%d:36220" % number) for number in seeds]
    remembered = [parse(layout, "10.0.0.%d:36220" % number) for number in remembered]
    return ear, Join(ear.foca, seeds, seed, broadcast, remembered)


def rounds(ear, join, now_ms, count):
    """The next `count` rounds: ([who was asked], when after `now_ms`)."""
    found = []
    time_ms = now_ms
    while len(found) < count:
        ear.heard.clear()
        wait_ms = join.step(time_ms)
        if ear.heard:
            found.append((list(ear.heard), time_ms - now_ms))
        time_ms += wait_ms
    return found


def meet(ear, number, state=0):
    """Learn of a member from nowhere, without an answer to it."""
    members = ear.foca.members
    buf = bytearray(64)
    other = Foca(at(number), Config.simple(), Runtime(), seed=1)
    other.members.states[0] = state
    count = other.codec.write_member(buf, 0, 0)
    ear.foca.apply_many(buf, count, False, 5000)
    ear.heard.clear()
    return members.row


def test_everybody_is_asked_first_then_seeds_then_remembered_ones():
    ear, join = joining(seeds=(2, 3), remembered=(4,))
    found = rounds(ear, join, 5000, 4)
    assert [who for who, _ in found] == [
        ["255.255.255.255"],
        ["255.255.255.255", "10.0.0.2", "10.0.0.3"],
        ["255.255.255.255", "10.0.0.2", "10.0.0.3", "10.0.0.4"],
        ["255.255.255.255", "10.0.0.2", "10.0.0.3", "10.0.0.4"],
    ]
    assert found[0][1] < 1000
    assert join.announced == 12


def test_without_broadcast_all_are_asked_at_once():
    ear, join = joining(seeds=(2,), remembered=(4,), broadcast=False)
    assert rounds(ear, join, 5000, 1) == [(["10.0.0.2", "10.0.0.4"], 0)]


def test_rounds_grow_to_a_minute_and_never_end():
    ear, join = joining()
    times = [time_ms for _, time_ms in rounds(ear, join, 5000, 200)]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]  # noqa: B905
    for i in range(199):
        nominal = min(1000 << min(i, 6), 60000)
        assert nominal * 3 // 4 <= gaps[i] <= nominal * 5 // 4 + 1, i


def test_boards_switched_on_together_do_not_speak_together():
    firsts = []
    for seed in range(100):
        ear, join = joining(seed=seed)
        firsts.append(rounds(ear, join, 5000, 1)[0][1])
    assert min(firsts) < 100
    assert max(firsts) > 900
    assert max([firsts.count(first) for first in firsts]) < 5


def test_of_many_remembered_peers_four_a_round():
    ear, join = joining(broadcast=False, remembered=range(10, 20))
    asked = []
    for who, _ in rounds(ear, join, 5000, 5):
        assert len(who) == 4
        asked += who
    assert len(set(asked)) == 10


def test_down_members_are_asked_like_remembered_ones():
    ear, join = joining(broadcast=False)
    meet(ear, 7, state=2)
    assert rounds(ear, join, 5000, 1)[0][0] == ["10.0.0.7"]


def test_our_own_address_among_the_seeds_is_skipped():
    ear, join = joining(seeds=(1,), broadcast=False)
    join.step(5000)
    assert ear.heard == []
    assert join.announced == 0


def test_a_layout_without_broadcast_addresses_asks_only_seeds():
    ear, join = joining(seeds=(2,), layout=ip())
    assert rounds(ear, join, 5000, 1)[0][0] == ["10.0.0.2"]


def test_in_a_cluster_a_member_is_asked_soon_and_then_ever_more_rarely():
    """The first Feed may know only half of those who were switched on together."""
    ear, join = joining(seeds=(2,))
    join.step(5000)
    meet(ear, 2)
    found = rounds(ear, join, 6000, 6)
    assert [who for who, _ in found][:5] == [["10.0.0.2"]] * 5
    times = [0] + [time_ms for _, time_ms in found]
    for i, nominal in enumerate((2000, 2000, 4000, 8000, 16000, 32000)):
        assert nominal * 3 // 4 <= times[i + 1] - times[i] <= nominal * 5 // 4 + 1


def test_in_a_cluster_a_seed_that_is_no_member_is_asked_once_a_minute():
    ear, join = joining(seeds=(2, 3, 1), broadcast=False)
    join.step(5000)
    meet(ear, 2)
    found = rounds(ear, join, 6000, 8)
    assert [who for who, _ in found][5:] == [["10.0.0.3"]] * 3
    assert found[7][1] - found[6][1] >= 45000
    meet(ear, 3)
    ear.heard.clear()
    for minute in range(5):
        join.step(6000 + found[7][1] + 80000 * (minute + 1))
    assert ear.heard == []


def test_in_a_cluster_everybody_is_asked_about_once_a_minute_in_all():
    """Ten members: each asks with a chance of a tenth (nine others and itself)."""
    asked = 0
    for seed in range(20):
        ear, join = joining(seed=seed)
        join.step(5000)
        for number in range(2, 11):
            meet(ear, number)
        time_ms = 6000
        for _ in range(6):
            time_ms += join.step(time_ms)
        for _ in range(20):
            ear.heard.clear()
            time_ms += join.step(time_ms)
            asked += ear.heard.count("255.255.255.255")
    assert 20 <= asked <= 60, asked  # of 400 rounds


def test_a_node_whose_members_all_vanish_looks_again_at_once():
    ear, join = joining(seeds=(2,))
    rounds(ear, join, 5000, 12)
    meet(ear, 2)
    join.step(900000)
    meet(ear, 2, state=2)
    assert ear.foca.num_members() == 0
    found = rounds(ear, join, 901000, 3)
    assert found[0][0] == ["255.255.255.255"]
    assert found[0][1] < 1000
    assert found[1][1] - found[0][1] <= 1251
    assert found[2][0] == ["255.255.255.255", "10.0.0.2", "10.0.0.2"]  # seed, and Down member


def test_a_new_network_is_searched_like_the_first():
    ear, join = joining()
    last = rounds(ear, join, 5000, 12)[-1][1]
    join.restart()
    assert rounds(ear, join, 5000 + last, 1)[0][1] < 1000


def test_who_left_looks_for_nobody():
    ear, join = joining()
    ear.foca.leave_cluster()
    assert join.step(5000) == 60000
    assert ear.heard == []


def test_the_search_goes_on_across_the_wrap_of_the_clock():
    wrap = 1 << 30
    ear, join = joining()
    time_ms = wrap - 3000
    asked = 0
    for _ in range(40):
        ear.heard.clear()
        time_ms += join.step(time_ms & (wrap - 1))
        asked += len(ear.heard)
    assert asked == 39
