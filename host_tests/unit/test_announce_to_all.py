"""An Announce to 255.255.255.255 is for all with that port: answered late, rarely, not twice."""

from foca.address import parse
from foca.identity import ip, ipv4, mac, own
from foca.status import DATA_FROM_OURSELVES, FEEDS_LIMITED, NOT_FOR_US, OK
from foca.timers import TIMER_FEED
from foca.wire import ANNOUNCE, FEED, GOSSIP, PING
from support.scenario import Scene

LAYOUT = ipv4()


def at(number, bump=1, port=36220):
    return parse(LAYOUT, "10.0.0.%d:%d" % (number, port), bump)


TO_ALL = parse(LAYOUT, "255.255.255.255:36220")


def scene(seed=7, **fields):
    return Scene(identity=at(1), layout=LAYOUT, seed=seed, **fields)


def feeds(node):
    return [sent.dst for sent in node.sent() if sent.tag == FEED]


def test_the_sender_becomes_a_member_and_is_fed_within_400_ms():
    node = scene()
    assert node.hears(at(2), ANNOUNCE, dst=TO_ALL) == OK
    assert node.news() == [("MemberUp", at(2)), ("Active",)]
    assert node.sent() == []
    assert 0 <= node.due_in(TIMER_FEED) <= 400
    node.passes(400)
    assert feeds(node) == [at(2)]
    assert node.foca.newcomer == 0
    node.passes(400)
    assert feeds(node) == []


def test_the_delay_differs_from_node_to_node():
    delays = []
    for seed in range(40):
        node = scene(seed)
        node.hears(at(2), ANNOUNCE, dst=TO_ALL)
        delays.append(node.due_in(TIMER_FEED))
    assert min(delays) < 40 and max(delays) > 360


def test_strict_drops_it_like_the_reference():
    node = scene(strict=True)
    assert node.hears(at(2), ANNOUNCE, dst=TO_ALL) == OK
    assert node.everybody() == {}
    assert node.counter(NOT_FOR_US) == 1


def test_only_an_announce_may_be_addressed_to_all():
    node = scene()
    assert node.hears(at(2), GOSSIP, dst=TO_ALL) == OK
    assert node.hears(at(2), PING, 3, dst=TO_ALL) == OK
    assert node.everybody() == {}
    assert node.counter(NOT_FOR_US) == 2


def test_another_port_and_other_addresses_are_not_everybody():
    node = scene()
    for text in ("255.255.255.255:36221", "255.255.255.254:36220", "0.255.255.255:36220"):
        node.hears(at(2), ANNOUNCE, dst=parse(LAYOUT, text))
    assert node.everybody() == {}
    assert node.counter(NOT_FOR_US) == 3


def test_other_layouts_have_no_everybody():
    for layout, me, you, everybody in (
        (ip(), "10.0.0.1:5", "10.0.0.2:5", "255.255.255.255:5"),
        (mac(), "02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff"),
    ):
        node = Scene(identity=parse(layout, me, 1), layout=layout)
        node.hears(parse(layout, you, 1), ANNOUNCE, dst=parse(layout, everybody))
        assert node.everybody() == {}


def test_four_octets_without_a_port_work_too():
    layout = own(4)
    node = Scene(identity=parse(layout, "0a:00:00:01", 1), layout=layout)
    node.hears(parse(layout, "0a:00:00:02", 1), ANNOUNCE, dst=parse(layout, "ff:ff:ff:ff"))
    node.passes(400)
    assert feeds(node) == [parse(layout, "0a:00:00:02", 1)]


def test_our_own_echo_is_ignored():
    node = scene()
    assert node.hears(at(1), ANNOUNCE, dst=TO_ALL) == DATA_FROM_OURSELVES
    assert node.everybody() == {}
    assert node.due_in(TIMER_FEED) is None


def test_a_newcomer_that_was_fed_by_somebody_else_is_not_fed_again():
    node = scene()
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.hears(at(2), GOSSIP)
    node.passes(400)
    assert feeds(node) == []


def test_asking_again_or_hearing_others_does_not_cancel():
    node = scene()
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.hears(at(3), GOSSIP)
    node.passes(400)
    assert feeds(node) == [at(2)]


def test_an_announce_to_us_alone_is_answered_at_once_beside_a_pending_one():
    node = scene()
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.hears(at(3), ANNOUNCE)
    assert feeds(node) == [at(3)]
    node.passes(400)
    assert feeds(node) == [at(2)]


def test_one_newcomer_waits_at_a_time():
    node = scene()
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.hears(at(3), ANNOUNCE, dst=TO_ALL)
    node.passes(400)
    assert feeds(node) == [at(2)]
    assert node.knows(at(3)) == (0, 0)


def test_about_three_of_many_answer():
    answered = 0
    for seed in range(400):
        node = scene(seed)
        members = [(at(number), 0, 0) for number in range(3, 32)]
        node.applies(members, do_broadcast=False)
        node.hears(at(2), ANNOUNCE, dst=TO_ALL)
        answered += node.due_in(TIMER_FEED) is not None
    # each of 400 nodes of a cluster with 30 others answers with probability 3/30
    assert 25 <= answered <= 55, answered


def test_a_full_table_leaves_the_answer_to_others():
    node = scene(members_max=1)
    node.hears(at(3), GOSSIP)
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.passes(400)
    assert feeds(node) == []


def test_feeds_are_limited_as_always():
    node = scene(feeds_max=1)
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.passes(400)
    node.hears(at(3), ANNOUNCE, dst=TO_ALL)
    node.passes(400)
    assert feeds(node) == [at(2)]
    assert node.counter(FEEDS_LIMITED) == 1


def test_losing_everybody_forgets_the_newcomer_quietly():
    node = scene()
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.hears(at(3), GOSSIP, updates=[(at(2), 0, 2)])
    node.hears(at(2, 2), GOSSIP)
    node.passes(400)
    assert feeds(node) == []


def test_who_left_does_not_answer():
    node = scene()
    node.foca.leave_cluster()
    node.clear()
    node.hears(at(2), ANNOUNCE, dst=TO_ALL)
    node.passes(400)
    assert node.sent() == []
