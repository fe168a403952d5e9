"""The simulated boards and wires do what they are said to do."""

import pytest
from foca.config import Config
from simulation_measure import codec_bytes, join, plain, steady
from simulation_world import MASK, SECOND, Datagram, World, record_of

MILLISECOND = 1000


def pair(count=2, seed=1, **fields):
    """A world of nodes that are up and know each other, one millisecond apart, and calm."""
    return steady(seed, count, plain(count, **fields))


def arrivals(world, node):
    """A list that grows with (microsecond, datagram) whenever something reaches `node`."""
    seen = []
    arrive = node.arrive

    def watch(datagram):
        seen.append((world.now_us, datagram))
        arrive(datagram)

    node.arrive = watch
    return seen


# clocks


def test_a_clock_starts_where_it_is_told_and_wraps_at_30_bits():
    world = World(1, 1)
    (node,) = world.nodes
    node.start_ms = MASK - 4
    world.now_us = 4 * MILLISECOND
    assert node.local_ms() == MASK
    world.now_us += MILLISECOND
    assert node.local_ms() == 0


def test_a_clock_drifts_by_parts_of_a_million():
    world = World(1, 2)
    fast, slow = world.nodes
    fast.drift_ppm, slow.drift_ppm = 20000, -20000
    world.now_us = 100 * SECOND
    assert (fast.local_ms(), slow.local_ms()) == (102000, 98000)


@pytest.mark.parametrize("drift_ppm", [-20000, -7, 0, 13, 20000])
def test_a_node_is_woken_when_its_own_clock_says_so(drift_ppm):
    world = World(3, 1)
    (node,) = world.nodes
    node.drift_ppm = drift_ppm
    node.phase_us = 12345
    node.start_ms = MASK - 30000  # wraps on the way
    ticks = []
    node.boot(plain(2), 1, [])
    data = codec_bytes(1, 1)
    node.foca.apply_many(data, len(data), False, node.local_ms())
    connected_ms = node.local_ms()
    tick = node.foca.tick

    def watch(now_ms):
        before = node.sent
        wait_ms = tick(now_ms)
        if node.sent > before:
            ticks.append((now_ms - connected_ms) & MASK)
        return wait_ms

    node.foca.tick = watch
    world.run(60 * SECOND)
    periods = [at for at in ticks if at % 1000 == 0]
    assert periods[:3] == [1000, 2000, 3000], "probes leave on the very millisecond"


def test_phases_are_staggered():
    world = pair(30)
    sent = sorted([node.wake_us % SECOND for node in world.nodes])
    assert max([b - a for a, b in zip(sent, sent[1:], strict=False)]) < 300 * MILLISECOND


# boards


def test_a_blocked_loop_keeps_what_fits_into_its_queue_and_loses_the_rest():
    world = pair()
    node, other = world.nodes
    node.queue_max = 4
    node.block(SECOND)
    for _ in range(10):
        other.foca.gossip()
    before = node.foca.counters[28]
    world.run(world.now_us + SECOND // 2)
    assert node.foca.counters[28] == before and len(node.queue) == 4 and node.overruns >= 6
    world.run(world.now_us + SECOND)
    assert node.foca.counters[28] >= before + 4 and not node.queue


def test_a_polling_loop_reads_on_its_own_grid():
    world = pair()
    node, other = world.nodes
    node.poll_us = 20 * MILLISECOND
    other.foca.gossip()
    world.run(world.now_us + 2 * MILLISECOND)
    assert len(node.queue) == 1
    world.run(world.now_us + 20 * MILLISECOND)
    assert not node.queue


def test_a_dozing_radio_hears_at_its_beacon_and_at_once_after_it_spoke():
    world = pair()
    node, other = world.nodes
    node.beacon_us = 300 * MILLISECOND
    seen = arrivals(world, node)
    node.awake_us = 0
    other.foca.gossip()
    world.run(world.now_us + 400 * MILLISECOND)
    assert (seen[0][0] - node.phase_us) % node.beacon_us == 0
    seen.clear()
    start_us = world.now_us
    node.foca.gossip()
    other.foca.gossip()
    world.run(start_us + 5 * MILLISECOND)
    assert seen and seen[0][0] - start_us < 2 * MILLISECOND


def test_a_radio_that_is_off_neither_sends_nor_hears():
    world = pair()
    node, other = world.nodes
    node.radio(False)
    here, there = arrivals(world, node), arrivals(world, other)
    lost = world.wires.lost
    node.foca.gossip()
    world.run(world.now_us + 10 * MILLISECOND)
    assert not there and world.wires.lost > lost
    received = node.foca.counters[28]
    other.foca.gossip()
    world.run(world.now_us + 10 * MILLISECOND)
    assert here and node.foca.counters[28] == received
    assert not node.is_healthy() or not node.has_radio


def test_an_arp_table_of_three_forgets_and_a_few_datagrams_wait_for_the_answer():
    world = pair(6)
    node = world.nodes[0]
    node.arp_max = 3
    there = arrivals(world, world.nodes[1])
    for _ in range(5):
        world.wires.send(node, 1, Datagram(0, bytearray(b"x")))
    assert node.unresolved == 2 and not node.arp, "one asks, two wait with it, two are lost"
    world.run(world.now_us + 10 * MILLISECOND)
    assert len([d for _, d in there if len(d.data) == 1]) == 3
    for target in (2, 3, 4):
        world.wires.send(node, target, Datagram(0, bytearray(b"x")))
        world.run(world.now_us + 10 * MILLISECOND)
    assert 1 not in node.arp and len(node.arp) == 3


def test_nobody_answers_for_a_dead_address():
    world = pair(3)
    node = world.nodes[0]
    node.arp_max = 3
    world.nodes[1].kill()
    world.wires.send(node, 1, Datagram(0, bytearray(b"x")))
    before = node.unresolved
    world.run(world.now_us + 4 * SECOND)
    assert node.unresolved > before


def test_a_broadcast_reaches_everybody_but_radios_that_doze_may_miss_it():
    world = pair(40)
    for node in world.nodes[20:]:
        node.beacon_us = 100 * MILLISECOND
        node.awake_us = 0
    seen = [arrivals(world, node) for node in world.nodes]
    world.wires.send(world.nodes[0], -2, Datagram(0, bytearray(b"x")))
    world.run(world.now_us + 150 * MILLISECOND)
    heard = [len([d for _, d in one if len(d.data) == 1]) for one in seen]
    assert heard[:20] == [1] * 20 and 8 <= sum(heard[20:]) < 20


def test_a_restart_remembers_what_it_is_given():
    world = pair(4)
    node = world.nodes[2]
    node.kill()
    assert node.bump == 1 and len(node.memory) > 20
    node.boot(plain(4), node.bump + 1, [], node.memory)
    assert node.foca.num_members() == 3 and node.foca.identity() == record_of(3, 2)


# wires


def test_a_cut_has_a_direction_and_cuts_overlap():
    world = pair()
    wires = world.wires
    first, second = [2, 0], [2, 1]
    wires.set_cut(first, True)
    assert wires.is_cut(0, 1) and not wires.is_cut(1, 0)
    wires.set_cut(second, True)
    wires.set_cut(first, False)
    assert wires.is_cut(0, 1) and wires.is_cut(1, 0)
    wires.set_cut(second, False)
    assert not wires.is_cut(0, 1) and not wires.is_cut(1, 0)


@pytest.mark.parametrize("loss", [10, 100, 300, 1000])
def test_loss_is_as_frequent_as_it_is_said_to_be(loss):
    world = pair()
    world.wires.loss = loss
    before = world.wires.lost
    for _ in range(4000):
        world.wires.send(world.nodes[0], 1, Datagram(0, bytearray(b"x")))
    lost = world.wires.lost - before
    assert abs(lost - 4 * loss) < 4 * (4 * loss) ** 0.5 + 1


def test_datagrams_come_twice_late_and_cut_short_as_often_as_they_are_said_to():
    world = pair()
    wires = world.wires
    wires.duplicate, wires.reorder, wires.truncate = 200, 300, 100
    wires.reorder_us = SECOND
    seen = arrivals(world, world.nodes[1])
    start_us = world.now_us
    for _ in range(1000):
        wires.send(world.nodes[0], 1, Datagram(0, bytearray(b"\xff" * 40)))
    world.run(start_us + 2 * SECOND)
    own = [(at, d) for at, d in seen if not any(d.data.strip(b"\xff"))]
    assert 1130 < len(own) < 1270
    assert 240 < len([1 for at, d in own if at - start_us > 60 * MILLISECOND]) < 420
    assert 60 < len([1 for at, d in own if len(d.data) < 40]) < 150


def test_latencies_have_the_distribution_that_is_asked_for():
    wires = World(5, 2).wires
    assert {wires.latency() for _ in range(50)} == {2000}
    wires.spread_us = 1000
    times = [wires.latency() for _ in range(4000)]
    assert 2000 <= min(times) < 2010 and 2990 < max(times) < 3000
    assert abs(sum(times) / len(times) - 2500) < 20
    wires.tail = 200
    times = sorted([wires.latency() for _ in range(4000)])
    assert times[2000] < 3000 and times[-20] > 16000 and times[-1] < 800000


# the world


def test_events_of_one_moment_happen_in_the_order_in_which_they_were_asked_for():
    world = World(1, 1)
    seen = []
    for name in "abc":
        world.call(5, lambda name=name: seen.append(name))
    world.call(4, lambda: seen.append("first"))
    world.run(10)
    assert seen == ["first", "a", "b", "c"] and world.now_us == 10


def test_the_digest_depends_on_the_seed_and_on_nothing_else():
    def digest(seed):
        world = World(seed, 4)
        for node in world.nodes:
            node.boot(Config.lan(4, members_max=8), 1, [record_of(1, 0), record_of(2, 0)])
        world.wires.loss = 100
        world.run(20 * SECOND)
        return world.finish()

    assert digest(1) == digest(1) != digest(2)


def test_a_preloaded_cluster_knows_itself_and_is_quiet():
    world = steady(1, 12, Config.lan(12, members_max=12))
    assert [node.foca.num_members() for node in world.nodes] == [11] * 12
    before = sum([node.datagrams for node in world.nodes])
    world.run(world.now_us + 10 * SECOND)
    assert sum([node.datagrams for node in world.nodes]) - before == 2 * 12 * 10


def test_a_cluster_of_thirty_joins_through_one_seed_within_seconds():
    done = join(30, 30, Config.lan(30, members_max=30))
    assert 0 < done.nearly <= done.complete < 15 and done.share == 1.0
