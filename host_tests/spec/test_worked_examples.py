"""Datagrams that the reference itself has sent, byte for byte, through a whole node both ways.

A, B, C, D are 127.0.0.1:8000 to :8003 with the bumps 1 to 4 and incarnation 0 unless it is said
otherwise. In the hex below `A` .. `D` stand for an identity in the codec at hand; blanks, bars and
brackets are for the eye.
"""

from foca.address import parse
from foca.bincode import Bincode
from foca.identity import ip, ipv4
from foca.postcard import Postcard
from foca.status import OK
from foca.wire import ALIVE, DOWN, SUSPECT
from support.check import same_bytes
from support.scenario import Keyed, Scene

V4 = ipv4()
A = parse(V4, "127.0.0.1:8000", 1)
B = parse(V4, "127.0.0.1:8001", 2)
C = parse(V4, "127.0.0.1:8002", 3)
D = parse(V4, "127.0.0.1:8003", 4)
B9 = parse(V4, "127.0.0.1:8001", 9)

BINCODE = {
    "A": "00 7f000001 fb401f 01",
    "B": "00 7f000001 fb411f 02",
    "C": "00 7f000001 fb421f 03",
    "D": "00 7f000001 fb431f 04",
    "E": "00 7f000001 fb411f 09",
}
POSTCARD = {
    "A": "00 7f000001 c03e 01",
    "B": "00 7f000001 c13e 02",
    "C": "00 7f000001 c23e 03",
    "D": "00 7f000001 c33e 04",
    "E": "00 7f000001 c13e 09",
}
WAYS = ((Bincode, BINCODE), (Postcard, POSTCARD))
BOTH = (False, True)


def raw(text, names):
    """The bytes that `text` stands for."""
    for name in names:
        text = text.replace(name, names[name])
    for filler in " |[]":
        text = text.replace(filler, "")
    return bytes.fromhex(text)


def node_of(codec, identity, known=(), strict=False, **fields):
    """A connected node that knows `known` and has nothing to tell."""
    node = Scene(identity=identity, codec=codec, layout=V4, strict=strict, **fields)
    node.applies([(one, 0, ALIVE) for one in known], False)
    node.clear()
    return node


def says(node, expected, dst):
    """The node has sent these bytes to `dst`, and nothing else."""
    sent = node.sent()
    assert len(sent) == 1, "%d datagrams" % len(sent)
    same_bytes(sent[0].data, expected)
    assert sent[0].dst == dst


def every_way():
    for codec, names in WAYS:
        for strict in BOTH:
            yield codec, names, strict


def test_e1_a_ping_without_updates():
    """foca: the reference's bytes, E1."""
    for codec, names, strict in every_way():
        ping = raw("A 00 B 00 01 0000", names)
        node = node_of(codec, A, [B], strict)
        node.passes(1500)
        says(node, ping, B)
        peer = node_of(codec, B, [A], strict)
        assert peer.takes(ping) == OK
        says(peer, raw("B 00 A 01 01 0000", names), A)


def test_e2_an_ack_with_two_updates():
    """foca: the reference's bytes, E2."""
    for codec, names, strict in every_way():
        told = "[C 05 01] [D 00 02]" if strict else "[D 00 02] [C 05 01]"  # a Down first
        ack = raw("A 00 B 01 2a 0002 " + told, names)
        node = node_of(codec, A, [B], strict)
        node.applies([(C, 5, SUSPECT), (D, 0, DOWN)])
        assert node.takes(raw("B 00 A 00 2a 0000", names)) == OK
        says(node, ack, B)
        peer = node_of(codec, B, [], strict)
        assert peer.takes(ack) == OK
        assert peer.everybody() == {A: (0, ALIVE), C: (5, SUSPECT), D: (0, DOWN)}


def test_e3_an_announce():
    """foca: the reference's bytes, E3."""
    for codec, names, strict in every_way():
        announce = raw("A 00 B 06", names)
        assert len(announce) == (20 if codec is Bincode else 18)
        node = node_of(codec, A, [], strict)
        assert node.foca.announce(B) == OK
        says(node, announce, B)
        peer = node_of(codec, B9, [], strict)
        assert peer.takes(announce) == OK, "the bump was a guess"
        says(peer, raw("E 00 A 07 0000", names), A)


def test_e4_a_feed():
    """foca: the reference's bytes, E4."""
    for codec, names, strict in every_way():
        feed = raw("A 00 E 07 0001 [C 00 00]", names)
        node = node_of(codec, A, [C], strict)
        assert node.takes(raw("E 00 A 06", names)) == OK
        says(node, feed, B9)
        node = node_of(codec, A, [], strict)
        assert node.takes(raw("E 00 A 06", names)) == OK
        says(node, raw("A 00 E 07 0000", names), B9)
        peer = node_of(codec, B9, [], strict)
        assert peer.takes(feed) == OK
        assert peer.everybody() == {A: (0, ALIVE), C: (0, ALIVE)}


def test_e5_the_four_steps_of_an_indirect_probe():
    """foca: the reference's bytes, E5. A probes B through C, who learns of B on the way."""
    for codec, names, strict in every_way():
        request = raw("A 00 C 02 B 01 0000", names)
        ping = raw("C 00 B 03 A 01 0000", names)
        ack = raw("B 00 C 04 A 01 0000", names)
        forwarded = raw("C 00 A 05 B 01 0001 [B 00 00]", names)
        a = node_of(codec, A, [B], strict)
        b = node_of(codec, B, [C], strict)
        c = node_of(codec, C, [A], strict)
        a.passes(1500)
        a.applies([(C, 0, ALIVE)], False)
        a.clear()
        a.passes(500)
        says(a, request, C)
        assert c.takes(request) == OK
        says(c, ping, B)
        assert b.takes(ping) == OK
        says(b, ack, C)
        assert c.takes(ack) == OK
        says(c, forwarded, A)
        assert a.takes(forwarded) == OK
        assert a.foca.probe.acked


def test_e6_a_gossip_with_items():
    """foca: the reference's bytes, E6. The longest item first."""
    for codec, names, strict in every_way():
        gossip = raw("A 00 B 08 0001 [B 00 00] 0006 02016c6f6e67 0003 010262", names)
        node = node_of(codec, A, [], strict, handler=Keyed())
        node.applies([(B, 0, ALIVE)])
        node.adds(b"\x01\x02b")
        node.adds(b"\x02\x01long")
        node.foca.gossip()
        says(node, gossip, B)
        handler = Keyed()
        peer = node_of(codec, B, [], strict, handler=handler)
        assert peer.takes(gossip) == OK
        assert handler.versions == {2: 1, 1: 2}
        assert peer.everybody() == {A: (0, ALIVE)}, "and nothing about itself"


def test_e7_a_broadcast():
    """foca: the reference's bytes, E7. No count."""
    for codec, names, strict in every_way():
        broadcast = raw("A 00 B 09 0006 02016c6f6e67 0003 010262", names)
        node = node_of(codec, A, [B], strict, handler=Keyed())
        node.adds(b"\x01\x02b")
        node.adds(b"\x02\x01long")
        node.foca.broadcast()
        says(node, broadcast, B)
        handler = Keyed()
        peer = node_of(codec, B, [], strict, handler=handler)
        assert peer.takes(broadcast) == OK
        assert handler.versions == {2: 1, 1: 2}
        assert peer.foca.custom_broadcast_backlog() == 2


def test_e8_a_turn_undead():
    """foca: the reference's bytes, E8."""
    for codec, names, strict in every_way():
        turn_undead = raw("A 00 B 0a", names)
        node = node_of(codec, A, [], strict, notify_down_members=True)
        node.applies([(B, 0, DOWN)], False)
        assert node.takes(raw("B 00 A 08", names)) == OK
        says(node, turn_undead, B)
        peer = node_of(codec, B, [], strict)
        assert peer.takes(turn_undead) == OK
        assert peer.me() == B[:-1] + b"\x03"


def test_e9_leaving():
    """foca: the reference's bytes, E9."""
    for codec, names, strict in every_way():
        gossip = raw("A 00 B 08 0001 [A 00 02]", names)
        node = node_of(codec, A, [B], strict)
        node.foca.leave_cluster()
        says(node, gossip, B)
        peer = node_of(codec, B, [A], strict)
        assert peer.takes(gossip) == OK
        assert peer.everybody() == {A: (0, DOWN)}
        assert peer.sent() == []


def test_e10_the_stock_agent():
    """foca: the example agent's bytes, E10: bincode, unix seconds as a 64-bit bump."""
    ping = raw(
        "007f000001fb3d23fc38fd036b 00 007f000001fba023fc3afd036b 00 02 0001"
        "[007f000001fba023fc3afd036b 00 00]",
        {},
    )
    src = parse(V4, "127.0.0.1:9021", 1795423544)
    dst = parse(V4, "127.0.0.1:9120", 1795423546)
    for strict in BOTH:
        node = node_of(Bincode, src, [], strict)
        node.applies([(dst, 0, ALIVE)])
        node.foca.probe.number = 1
        node.passes(1500)
        says(node, ping, dst)
        peer = node_of(Bincode, dst, [src], strict)
        assert peer.takes(ping) == OK
        ack = raw("007f000001fba023fc3afd036b 00 007f000001fb3d23fc38fd036b 01 02 0000", {})
        says(peer, ack, src)


def test_e11_ipv6_and_a_header_only():
    """foca: the reference's bytes, E11. Both families in one datagram, no room for a count."""
    six = "20010db8000000000000000000000001"
    loop = "00000000000000000000000000000001"
    for codec, names, strict in every_way():
        del names
        for bits in (16, 32, 64):
            layout = ip(bits)
            src = parse(layout, "[2001:db8::1]:7946", 1)
            helper = parse(layout, "127.0.0.1:8000", 2)
            target = parse(layout, "[::1]:250", 3)
            if codec is Bincode:
                text = "01 %s fb0a1f 01 00 007f000001fb401f 02 02 01 %s fa 03 c8" % (six, loop)
            else:
                text = "01 %s 8a3e 01 00 007f000001c03e 02 02 01 %s fa01 03 c8" % (six, loop)
            request = raw(text, {})
            node = Scene(
                identity=src,
                codec=codec,
                layout=layout,
                strict=strict,
                send_bytes_max=len(request),
            )
            node.applies([(target, 0, ALIVE)], False)
            node.foca.probe.number = 199
            node.passes(1500)
            node.applies([(helper, 0, ALIVE)], False)
            node.clear()
            node.passes(500)
            says(node, request, helper)
            peer = Scene(identity=helper, codec=codec, layout=layout, strict=strict)
            assert peer.takes(request) == OK
            (ping,) = peer.sent()
            assert (ping.dst, ping.third, ping.number) == (target, src, 200)


def test_e12_incarnations_at_the_edges():
    """foca: the reference's bytes, E12. Raised by refuting, so that the header is a real one."""
    for codec, edges in (
        (Bincode, {250: "fa", 251: "fbfb00", 65535: "fbffff"}),
        (Postcard, {127: "7f", 128: "8001", 16384: "808001", 65535: "ffff03"}),
    ):
        names = BINCODE if codec is Bincode else POSTCARD
        for strict in BOTH:
            for incarnation in edges:
                node = node_of(codec, A, [B], strict)
                node.applies([(A, incarnation - 1, SUSPECT)])
                gossip = raw("A" + edges[incarnation] + "B 08 0000", names)
                says(node, gossip, B)
                peer = node_of(codec, B, [], strict)
                assert peer.takes(gossip) == OK
                assert peer.knows(A) == (incarnation, ALIVE)
