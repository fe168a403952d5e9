"""The reference's defects B-1 to B-16: strict has them, hardened mends them.

docs/DIFFERENCES.md lists each. Source: the reference's behaviour as observed; foca's issues
#15, #17, #19, #25, #28 and #40.
"""

from foca.config import Config
from foca.identity import own
from foca.join import Join
from foca.status import (
    DATA_FROM_OURSELVES,
    DATA_TOO_BIG,
    ENCODE,
    FEEDS_LIMITED,
    OK,
    RELAYS_LIMITED,
    RENEWALS_LIMITED,
    TURN_UNDEAD_LIMITED,
)
from foca.timers import TIMER_PROBE
from foca.wire import (
    ACK,
    ALIVE,
    ANNOUNCE,
    DOWN,
    FORWARDED_ACK,
    GOSSIP,
    INDIRECT_PING,
    PING,
    PING_REQ,
    SUSPECT,
    TURN_UNDEAD,
)
from support.scenario import FIXED, Keyed, Scene, deliver, who


def knowing(strict, others, **fields):
    """A connected node with so many members, addresses 2 and up, and nothing to tell."""
    node = Scene(1, strict=strict, **fields)
    node.applies([(who(2 + i), 0, ALIVE) for i in range(others)], False)
    node.clear()
    return node


def suspecting(strict, **fields):
    """A node that has just begun to suspect the first of its three members: (node, suspect)."""
    node = knowing(strict, 3, **fields)
    suspect, _ = node.probes()
    for address in (2, 3, 4):
        if who(address) != suspect:
            node.lives[who(address)] = 0
    node.passes(1500)
    assert node.knows(suspect) == (0, SUSPECT)
    node.clear()
    return node, suspect


# B-1: TurnUndead when the deadline of a suspect passes, whatever became of it


def told_after_the_deadline(strict, becomes):
    """To whom TurnUndead goes at the deadline of a suspect who `becomes` that before."""
    node, suspect = suspecting(strict, notify_down_members=True)
    incarnation, state = becomes
    node.lives[suspect] = incarnation
    if state == ALIVE:
        node.hears(suspect, ACK, node.foca.probe.number, incarnation=incarnation)
    else:
        node.applies([(suspect, incarnation, state)])
    node.clear()
    node.passes(3000)
    return [one.dst == suspect for one in node.sent() if one.tag == TURN_UNDEAD]


def test_strict_b1_a_refuted_suspicion_still_sends_turn_undead():
    """Quirk B-1."""
    assert told_after_the_deadline(True, (1, ALIVE)) == [True]
    assert told_after_the_deadline(True, (0, DOWN)) == [True]


def test_hardened_b1_only_who_goes_down_now_is_told():
    """Quirk B-1, mended."""
    assert told_after_the_deadline(False, (1, ALIVE)) == []
    assert told_after_the_deadline(False, (0, DOWN)) == []
    node, suspect = suspecting(False, notify_down_members=True)
    node.passes(3000)
    assert [one.dst for one in node.sent() if one.tag == TURN_UNDEAD] == [suspect]


# B-2: two nodes that cannot renew, and hold each other Down


def mutual_down(strict, layout, **fields):
    """Two nodes that hold each other Down; one speaks. Returns (datagrams, one, two)."""
    one = Scene(1, strict=strict, layout=layout, notify_down_members=True, **fields)
    two = Scene(2, strict=strict, layout=layout, notify_down_members=True, **fields)
    one.applies([(who(2), 0, DOWN)], False)
    two.applies([(who(1), 0, DOWN)], False)
    one.foca.announce(who(2))
    return deliver((one, two)), one, two


def test_strict_b2_turn_undead_is_answered_by_turn_undead_for_ever():
    """Quirk B-2. The harness carries five hundred and gives up."""
    assert mutual_down(True, FIXED)[0] >= 500


def test_hardened_b2_an_undead_node_does_not_answer_turn_undead_with_turn_undead():
    """Quirk B-2, mended."""
    carried, one, two = mutual_down(False, FIXED)
    assert carried == 2, "an Announce and its answer"
    assert one.foca.is_undead() and not two.foca.is_undead()
    two.foca.announce(who(1))
    assert deliver((one, two)) == 2
    assert one.foca.is_undead() and two.foca.is_undead()


def test_strict_b2_turn_undead_is_not_limited():
    """Quirk B-2."""
    node = knowing(True, 1, notify_down_members=True)
    node.applies([(who(9), 0, DOWN)])
    for _ in range(50):
        node.hears(who(9), PING, 1)
    assert len([one for one in node.sent() if one.tag == TURN_UNDEAD]) == 50


def test_hardened_b2_turn_undead_is_limited():
    """Quirk B-2, mended: turn_undeads_limit, twenty in ten seconds by default."""
    node = knowing(False, 1, notify_down_members=True)
    node.lives[who(2)] = 0
    node.applies([(who(9), 0, DOWN)])
    for _ in range(50):
        node.hears(who(9), PING, 1)
    assert len([one for one in node.sent() if one.tag == TURN_UNDEAD]) == 20
    assert node.counter(TURN_UNDEAD_LIMITED) == 30
    node.passes(10000)
    node.clear()
    node.hears(who(9), PING, 1)
    assert len(node.sent()) == 1


def test_two_renewable_nodes_that_hold_each_other_down_heal():
    """foca: issue #25. In both modes: a few datagrams, and both have renewed."""
    for strict in (False, True):
        carried, one, two = mutual_down(strict, one_byte())
        assert carried <= 6
        assert one.me() == who(1, 1) and two.me() == who(2, 1)
        one.foca.announce(two.me())
        deliver((one, two))
        assert one.foca.num_members() == two.foca.num_members() == 1


def one_byte():
    return own(1, False, 16)


# B-3: a suspect that answers but never hears that it is suspected


def ping_to_a_suspect(strict):
    """The next Ping to a suspect when its update has been told often enough already."""
    node, suspect = suspecting(strict, suspect_to_down_after_ms=60000, max_transmissions=2)
    while node.foca.updates_backlog():
        node.foca.gossip()
    node.clear()
    while True:
        node.passes(1500)
        for sent in node.sent():
            if sent.tag == PING and sent.dst == suspect:
                return node, suspect, sent


def test_strict_b3_a_suspect_may_never_hear_of_it():
    """Quirk B-3. It answers every ping and goes Down all the same."""
    node, suspect, ping = ping_to_a_suspect(True)
    assert ping.updates == []
    node.lives[suspect] = 0
    node.passes(60000)
    assert node.knows(suspect) == (0, DOWN)


def test_hardened_b3_a_ping_to_a_suspect_tells_it():
    """Quirk B-3, mended: the buddy rule of Lifeguard. An IndirectPing does so, too."""
    node, suspect, ping = ping_to_a_suspect(False)
    assert ping.updates == [(suspect, 0, SUSPECT)]
    peer = Scene(suspect[0])
    peer.applies([(who(1), 0, ALIVE)], False)
    peer.takes(ping.data)
    assert peer.incarnation() == 1, "so it refutes"
    node.hears(who(99), PING_REQ, 5, third=suspect)
    told = [one for one in node.sent() if one.tag == INDIRECT_PING]
    assert told[0].dst == suspect and (suspect, 0, SUSPECT) in told[0].updates
    assert node.hears(suspect, ACK, ping.number, incarnation=1) == OK
    assert node.knows(suspect) == (1, ALIVE)


# B-4: back with a lower bump than the others remember


def comes_back(strict, remembered, state):
    """A node with bump 0 joins somebody who remembers a later life: (datagrams, node, peer)."""
    node = Scene(1, strict=strict, notify_down_members=True)
    peer = Scene(2, strict=strict, notify_down_members=True)
    peer.applies([(who(1, remembered), 0, state)], False)
    peer.clear()
    node.foca.announce(who(2))
    return deliver((node, peer)), node, peer


def test_strict_b4_every_missing_bump_costs_a_round_trip():
    """Quirk B-4. Two datagrams for each of a hundred missing bumps."""
    carried, node, peer = comes_back(True, 100, DOWN)
    assert carried > 200
    assert node.me() == who(1, 101)
    assert comes_back(True, 600, DOWN)[0] >= 500


def test_hardened_b4_renewals_that_repeat_grow():
    """Quirk B-4, mended: steps of 1, 16, 256, ..; a 16-bit bump is through after four."""
    carried, node, peer = comes_back(False, 600, DOWN)
    assert carried < 12
    assert node.me()[0] == 1 and node.me() > who(1, 600)
    assert peer.knows(node.me()) == (0, ALIVE)


def test_hardened_b4_renewals_that_do_not_repeat_quickly_stay_small():
    """Quirk B-4, mended: ten seconds later the step is one again."""
    node = knowing(False, 1)
    node.lives[who(2)] = 0
    bumps = []
    for wait_ms in (0, 0, 11000, 11000):
        node.passes(wait_ms)
        node.hears(who(2), TURN_UNDEAD)
        bumps.append(node.me()[1] << 8 | node.me()[2])
        node.hears(who(2), GOSSIP)
    assert bumps == [1, 17, 18, 19]


def test_hardened_b4_a_renewal_of_last_week_is_not_a_quick_one():
    """Quirk B-4, mended: the clock has wrapped half way round since."""
    node = knowing(False, 1)
    node.hears(who(2), TURN_UNDEAD)
    for days in (7, 10, 12):
        node.now_ms = (node.now_ms + days * 86400000) & 0x3FFFFFFF
        node.hears(who(2), TURN_UNDEAD)
        node.hears(who(2), GOSSIP)
    assert node.me() == who(1, 4)


def test_hardened_b4_a_long_step_that_leaves_the_range_is_one():
    """Quirk B-4, mended: near the end of a narrow bump there is still a successor."""
    node = knowing(False, 1, bump=65530)
    for bump in (65531, 65532):
        node.hears(who(2), TURN_UNDEAD)
        assert node.me() == who(1, bump)


def test_strict_b4_a_packet_for_a_later_life_is_dropped():
    """Quirk B-4. The sender goes on probing somebody who does not exist."""
    node = knowing(True, 1)
    assert node.hears(who(2), PING, 1, dst=who(1, 700)) == OK
    assert node.me() == who(1) and node.order == []


def test_hardened_b4_a_packet_for_a_later_life_makes_us_jump_past_it():
    """Quirk B-4, mended: one look at the destination of a Ping is enough."""
    node = knowing(False, 1)
    assert node.hears(who(2), PING, 1, dst=who(1, 700)) == OK
    assert node.me() == who(1, 701)
    assert node.order == [GOSSIP, "Rejoin", "Active"]
    node.clear()
    assert node.hears(who(2), PING, 1, dst=who(1, 700)) == OK
    assert node.order == [], "an earlier life is nothing to jump past"


def test_hardened_b4_renewals_are_limited():
    """Quirk B-4, mended: renewals_limit. Two boards with one address do not bump for ever."""
    node = knowing(False, 1, renewals_max=3)
    for bump in range(10, 20):
        node.hears(who(2), GOSSIP, updates=[(who(1, 100 * bump), 0, ALIVE)])
    assert node.me() == who(1, 1201)
    assert node.counter(RENEWALS_LIMITED) == 7


# B-5: nothing happens with zero active members


def alone_after_a_partition(strict):
    """A node whose only member has gone Down."""
    node = knowing(strict, 1, periodic_announce_to_down_ms=1000)
    node.passes(20000)
    assert node.everybody() == {who(2): (0, DOWN)} and node.news()[-1] == ("Idle",)
    node.clear()
    return node


def test_strict_b5_a_node_without_active_members_does_nothing():
    """Quirk B-5. Not even the announce to Down members, which it was configured for."""
    node = alone_after_a_partition(True)
    node.passes(600000)
    assert node.order == []


def test_hardened_b5_join_announces_to_seeds_and_down_members():
    """Quirk B-5, mended by foca.join, a part of its own: it keeps asking, ever more slowly."""
    node = alone_after_a_partition(False)
    node.passes(600000)
    assert node.order == [], "the machine itself does nothing in this mode, either"
    join = Join(node.foca, [who(7)], 1)
    asked = []
    for _ in range(600):
        join.step(node.now_ms)
        asked += [(node.now_ms, one.dst) for one in node.sent() if one.tag == ANNOUNCE]
        node.passes(1000)
    assert {dst for _, dst in asked} == {who(2), who(7)}
    assert 8 < len(asked) < 60
    node.hears(who(2, 1), GOSSIP)
    assert node.foca.num_members() == 1


# B-6: reuse_down_identity after leave_cluster


def left_and_back(strict):
    node = knowing(strict, 1)
    node.foca.leave_cluster()
    assert node.foca.reuse_down_identity() == OK
    node.clear()
    node.hears(who(2), PING, 1)
    return node, node.sent()[0]


def test_strict_b6_a_reused_identity_still_tells_of_its_own_death():
    """Quirk B-6. Its first Ack kills it again."""
    _, ack = left_and_back(True)
    assert ack.tag == ACK and (who(1), 0, DOWN) in ack.updates


def test_hardened_b6_a_reused_identity_is_not_told_down():
    """Quirk B-6, mended."""
    node, ack = left_and_back(False)
    assert ack.tag == ACK and ack.updates == []
    assert node.foca.updates_backlog() == 0


# B-7: who left is called back


def called_back(strict):
    """A node that left hears that it is Down, that a later life exists, and TurnUndead."""
    node = knowing(strict, 1)
    node.foca.leave_cluster()
    node.clear()
    node.hears(who(2), GOSSIP, updates=[(who(1), 0, DOWN)])
    node.hears(who(2), TURN_UNDEAD)
    node.hears(who(2), GOSSIP, updates=[(who(1, 40), 0, ALIVE)])
    node.hears(who(2), PING, 1, dst=who(1, 41))
    return node


def test_strict_b7_who_left_is_called_back():
    """Quirk B-7."""
    node = called_back(True)
    assert node.me() != who(1) and not node.foca.is_undead()
    assert ("Rejoin", who(1, 1)) in node.news()


def test_hardened_b7_who_left_stays_away():
    """Quirk B-7, mended; until the application changes or reuses the identity."""
    node = called_back(False)
    assert node.me() == who(1) and node.foca.is_undead()
    assert node.news() == [] and node.sent() == []
    node.foca.change_identity(who(1, 50))
    node.hears(who(2), TURN_UNDEAD)
    assert node.me() == who(1, 51), "a new life can be renewed again"


# B-8: announcing to ourselves


def with_a_former_life(strict):
    """A node that has a Down member at its own address, and one elsewhere."""
    node = knowing(
        strict, 1, bump=5, periodic_announce_to_down_ms=5000,
        periodic_announce_to_down_members=3, probe_period_ms=60000,
    )  # fmt: skip
    node.applies([(who(1, 2), 0, ALIVE), (who(8), 0, DOWN)])
    assert node.knows(who(1, 2)) == (0, DOWN)
    node.clear()
    node.passes(5000)
    return node, node.sent()


def test_strict_b8_a_node_announces_to_its_own_address():
    """Quirk B-8."""
    node, sent = with_a_former_life(True)
    assert sorted([one.dst for one in sent]) == [who(1, 2), who(8)]
    assert node.takes(sent[0].data if sent[0].dst[0] == 1 else sent[1].data) == (
        DATA_FROM_OURSELVES
    )


def test_hardened_b8_a_node_does_not_announce_to_its_own_address():
    """Quirk B-8, mended."""
    _, sent = with_a_former_life(False)
    assert [one.what for one in sent] == [(who(8), ANNOUNCE, 0)]


# B-9: strangers make us send to strangers


def asked_by_strangers(strict):
    node = knowing(strict, 1)
    for number in range(100):
        assert node.hears(who(66), PING_REQ, number, third=who(77)) == OK
        assert node.hears(who(66), ANNOUNCE) == OK
    tags = [one.tag for one in node.sent()]
    return node, tags.count(INDIRECT_PING), len(tags) - tags.count(INDIRECT_PING)


def test_strict_b9_strangers_are_relayed_and_fed_without_limit():
    """Quirk B-9."""
    assert asked_by_strangers(True)[1:] == (100, 100)


def test_hardened_b9_strangers_are_relayed_and_fed_up_to_a_limit():
    """Quirk B-9, mended as far as datagrams without a seal allow."""
    node, relayed, fed = asked_by_strangers(False)
    assert (relayed, fed) == (20, 40)
    assert node.counter(RELAYS_LIMITED) == 80 and node.counter(FEEDS_LIMITED) == 60


# B-10: the end of a narrow bump


def test_strict_b10_the_last_bump_cannot_be_renewed():
    """Quirk B-10. 65535 renews to 0, which does not win."""
    node = knowing(True, 1, bump=65535)
    node.hears(who(2), TURN_UNDEAD)
    assert node.foca.is_undead() and node.news() == [("Defunct",)]


def test_hardened_b10_the_last_bump_is_defunct_and_a_wider_one_goes_on():
    """Quirk B-10: the application is told; the default bump has 64 bits."""
    node = knowing(False, 1, bump=65535)
    node.hears(who(2), TURN_UNDEAD)
    assert node.foca.is_undead() and node.news() == [("Defunct",)]
    wide = b"\x01\x00\x00\x00\x00\x00\x00\xff\xff"
    node = Scene(identity=wide, layout=own(1, False, 64))
    node.applies([(wide, 0, DOWN)])
    assert node.me() == b"\x01\x00\x00\x00\x00\x00\x01\x00\x00"


# B-11: a newer identity at our address


def told_of_a_newer_self(strict, state):
    node = knowing(strict, 1)
    node.hears(who(2), GOSSIP, updates=[(who(1, 40), 3, state)])
    return node


def test_strict_b11_a_newer_identity_at_our_address_is_declared_down():
    """Quirk B-11."""
    for state in (ALIVE, SUSPECT, DOWN):
        node = told_of_a_newer_self(True, state)
        assert node.me() == who(1) and node.knows(who(1, 40)) == (0, DOWN)
        assert node.foca.num_members() == 1


def test_hardened_b11_a_newer_identity_at_our_address_makes_us_jump_past_it():
    """Quirk B-11, mended: its successor is us, and it is not recorded at all."""
    for state in (ALIVE, SUSPECT, DOWN):
        node = told_of_a_newer_self(False, state)
        assert node.me() == who(1, 41) and node.knows(who(1, 40)) is None
        assert node.news() == [("Rejoin", who(1, 41)), ("Active",)]
    node = knowing(False, 1)
    node.hears(who(2), GOSSIP, updates=[(who(1, 65535), 0, ALIVE)])
    assert node.me() == who(1), "there is nothing past the last one"
    assert not node.foca.is_undead()


# B-12: a smaller packet at run time


def packets_of_every_size(strict):
    """Shrink the packet to nothing and let it grow back, with more to tell than ever fits."""
    node = knowing(strict, 1, handler=Keyed(), num_indirect_probes=1)
    node.applies([(who(address), 0, DOWN) for address in range(20, 60)])
    node.adds(b"\x01\x00" + bytes(100))
    for limit in (1400, 40, 9, 8, 6, 5, 1, 1400):
        config = Config.simple(strict=strict, num_indirect_probes=1, send_bytes_max=limit)
        assert node.foca.set_config(config) == OK
        assert node.foca.gossip() == (OK if limit > 5 else ENCODE)
        assert all([len(one.data) <= limit for one in node.sent()])


def test_strict_b12_a_smaller_packet_at_run_time_is_no_panic():
    """Quirk B-12: a debug build of the reference panics; there is nothing to reproduce here."""
    packets_of_every_size(True)


def test_hardened_b12_a_smaller_packet_at_run_time_is_no_panic():
    """Quirk B-12."""
    packets_of_every_size(False)


# B-13: an item that never fits


def too_large_item(strict):
    """An item that fits into a packet, but not together with a header."""
    node = knowing(strict, 1, handler=Keyed(), packet_bytes_max=100, send_bytes_max=100)
    return node, node.adds(b"\x01\x00" + bytes(96))


def test_strict_b13_an_item_that_never_fits_stays_queued():
    """Quirk B-13."""
    node, status = too_large_item(True)
    assert status == OK
    for _ in range(40):
        node.foca.gossip()
        node.foca.broadcast()
    assert not any([one.items for one in node.sent()])
    assert node.foca.custom_broadcast_backlog() == 1


def test_hardened_b13_an_item_that_never_fits_is_refused():
    """Quirk B-13, mended. The longest that is taken goes out, behind the longest header."""
    node, status = too_large_item(False)
    assert status == DATA_TOO_BIG and node.foca.custom_broadcast_backlog() == 0
    size = 100
    while node.adds(b"\x02\x00" + bytes(size - 2)) == DATA_TOO_BIG:
        size -= 1
    assert size == 100 - node.foca.header_bytes_max - 2
    node.foca.broadcast()
    assert node.sent()[0].items == [b"\x02\x00" + bytes(size - 2)]


# B-14: a Ping that cannot be encoded


def after_a_ping_that_does_not_fit(strict):
    """One Ping exceeds the packet; afterwards there is room again."""
    node = knowing(strict, 1)
    node.foca.set_config(Config.simple(strict=strict, send_bytes_max=5))
    node.passes(1500)
    assert node.counter(ENCODE) == 1 and node.sent() == []
    node.foca.set_config(Config.simple(strict=strict))
    return node


def test_strict_b14_a_ping_that_cannot_be_sent_ends_all_probing():
    """Quirk B-14."""
    node = after_a_ping_that_does_not_fit(True)
    assert node.due_in(TIMER_PROBE) is None
    node.passes(60000)
    assert node.order == []


def test_hardened_b14_probing_goes_on_after_a_ping_that_cannot_be_sent():
    """Quirk B-14, mended."""
    node = after_a_ping_that_does_not_fit(False)
    assert node.due_in(TIMER_PROBE) == 1500
    node.passes(1500)
    assert [one.what for one in node.sent()] == [(who(2), PING, 2)]


# B-15: stale suspicion


def gossips_when_stale(strict):
    node = knowing(strict, 3)
    node.hears(who(2), GOSSIP, updates=[(who(1), 9, SUSPECT)])
    node.clear()
    for _ in range(30):
        node.hears(who(2), GOSSIP, updates=[(who(1), 0, SUSPECT)])
    assert node.incarnation() == 10
    return [one.tag for one in node.sent()]


def test_strict_b15_stale_suspicion_makes_us_gossip_each_time():
    """Quirk B-15, by design since 0.13."""
    assert gossips_when_stale(True) == [GOSSIP] * 90


def test_hardened_b15_stale_suspicion_makes_us_gossip_each_time():
    """Quirk B-15, copied on purpose: a suspect that is late must be heard. There is no limit."""
    assert gossips_when_stale(False) == [GOSSIP] * 90


# B-16: whose ping was answered


def forwarded_for_somebody_else(strict):
    """A helper answers with the right number, but names another member as the one that it
    reached.
    """
    node = knowing(strict, 4)
    target, number = node.probes()
    node.passes(500)
    helper = [one.dst for one in node.sent() if one.tag == PING_REQ][0]
    assert node.hears(helper, FORWARDED_ACK, number, third=who(55)) == OK
    return node, helper, target


def test_strict_b16_a_forwarded_ack_for_somebody_else_counts():
    """Quirk B-16."""
    node, _, target = forwarded_for_somebody_else(True)
    assert node.foca.probe.acked
    node.passes(1000)
    assert node.knows(target) == (0, ALIVE)


def test_hardened_b16_a_forwarded_ack_must_name_the_probed_member():
    """Quirk B-16, mended; the helper may still answer properly."""
    node, helper, target = forwarded_for_somebody_else(False)
    assert not node.foca.probe.acked
    node.hears(helper, FORWARDED_ACK, node.foca.probe.number, third=target)
    assert node.foca.probe.acked


# beyond the list


def test_strict_defunct_is_reported_each_time():
    """foca: 2.7. Repeats if it happens again while Undead."""
    node = knowing(True, 1, layout=FIXED)
    node.applies([(who(1), 0, DOWN), (who(1), 0, DOWN)])
    assert node.news() == [("Defunct",), ("Defunct",)]


def test_hardened_defunct_is_reported_once():
    """Once per fall: the application was told."""
    node = knowing(False, 1, layout=FIXED)
    node.applies([(who(1), 0, DOWN), (who(1), 0, DOWN)])
    assert node.news() == [("Defunct",)]
