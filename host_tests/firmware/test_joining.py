"""Boards without one configured address find each other, quickly and without a storm.

The figures of the README and of docs/BOARDS.md come from here; see fake_board_network.py for what
the simulated network and boards are like.
"""

import sys

from support.fake_board_network import Network

ON_A_BOARD = sys.implementation.name == "micropython"


def switched_on_together(seed, count, **rest):
    network = Network(seed, **rest)
    for number in range(count):
        network.add(2 + number)
    return network


def sent(network, name):
    return sum([board.sent.get(name, 0) for board in network.boards])


def test_two_boards_alone_find_each_other_in_less_than_5_s():
    for loss_percent, limit_ms in ((0, 1100), (10, 5000)):
        for seed in range(2 if ON_A_BOARD else 25):
            network = switched_on_together(seed, 2, loss_percent=loss_percent)
            assert 0 <= network.run_until(network.all_know_all, 5000) < limit_ms, seed


def test_the_second_board_is_found_whenever_it_comes():
    """The first one has long slowed down to a question a minute."""
    for seed in range(1 if ON_A_BOARD else 3):
        network = Network(seed)
        network.add(2)
        late = network.add(3, starts_ms=600000)
        network.run(600000)
        assert network.broadcasts < 18
        assert 0 <= network.run_until(network.all_know_all, 5000) < 1100
        assert late.peer_after_ms < 1100


def test_ten_boards_find_each_other():
    for seed in range(1 if ON_A_BOARD else 8):
        network = switched_on_together(seed, 10)
        assert 0 <= network.run_until(network.all_have_a_peer, 1500)
        assert 0 <= network.run_until(network.all_know_all, 5000)
        assert network.broadcasts <= 4


def test_fifty_boards_do_not_storm():
    """At most a handful of broadcasts, and per board no more than what gossiping 49 news costs."""
    if ON_A_BOARD:
        return  # fifty whole nodes need more memory than a board has
    for seed in range(2):
        network = switched_on_together(seed, 50)
        assert 0 <= network.run_until(network.all_have_a_peer, 1500)
        assert 0 <= network.run_until(network.all_know_all, 15000)
        network.run(max(0, 15000 - network.now_ms))  # ten seconds since the start
        assert network.broadcasts <= 6
        assert sent(network, "Feed") <= 6 * 50
        assert max([board.packets() for board in network.boards]) <= 150
        assert sum([board.packets() for board in network.boards]) <= 60 * 50


def test_fifty_boards_with_a_lossy_radio_and_short_queues_get_there_too():
    if ON_A_BOARD:
        return
    network = Network(9, loss_percent=5)
    for number in range(50):
        network.add(2 + number, queue=1)
    assert 0 <= network.run_until(network.all_know_all, 30000)
    assert network.broadcasts <= 8


def test_a_cluster_of_thirty_answers_a_newcomer_about_three_times():
    if ON_A_BOARD:
        return
    answers = []
    for seed in range(2):
        network = switched_on_together(seed, 30)
        assert network.run_until(network.all_know_all, 30000) >= 0
        network.run(90000)
        before = sent(network, "Feed")
        newcomer = network.add(100)
        network.run(1300)  # before anybody asks a second time
        assert newcomer.foca.num_members() == 30
        answers.append(sent(network, "Feed") - before)
    assert 1 <= sum(answers) / 2 <= 9, answers


def test_a_node_whose_members_all_vanish_keeps_looking():
    network = switched_on_together(4, 3)
    assert network.run_until(network.all_know_all, 5000) >= 0
    one = network.boards[0]
    for other in network.boards[1:]:
        other.is_on = False
    assert network.run_until(lambda: not one.foca.num_members(), 60000) >= 0
    network.run(600000)
    for other in network.boards[1:]:
        other.is_on = True
    assert network.run_until(lambda: one.foca.num_members() == 2, 80000) >= 0


def test_boards_kept_apart_by_their_access_point_meet_when_it_stops():
    network = switched_on_together(5, 3)
    network.isolated = True
    network.run(300000)
    assert not any([board.foca.num_members() for board in network.boards])
    asked = network.broadcasts
    assert asked < 3 * 14
    network.isolated = False
    assert network.run_until(network.all_know_all, 80000) >= 0


def test_two_clusters_that_never_met_become_one():
    """For example behind two access points, whose cable is plugged in later."""
    network = Network(6)
    groups = [[network.add(10 * group + i) for i in range(3)] for group in (1, 2)]
    carry = network.send

    def send(sender, octets, data):
        group = groups[0] if sender in groups[0] else groups[1]
        everybody, network.boards = network.boards, group
        carry(sender, octets, data)
        network.boards = everybody

    network.send = send
    network.run(200000)
    assert [board.foca.num_members() for board in network.boards] == [2] * 6
    network.send = carry
    assert network.run_until(network.all_know_all, 240000) >= 0


def test_a_seed_that_ignores_broadcasts_is_found_through_its_address():
    """As Rust peers, and nodes in strict mode, do."""
    network = Network(7)
    network.add(2, broadcast=False, strict=True)
    board = network.add(3, seeds=(2,))
    assert network.run_until(network.all_know_all, 5000) >= 0
    assert board.peer_after_ms < 2500
