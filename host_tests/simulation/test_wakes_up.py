"""A renewed node that knows nobody's present identity goes on probing, and finds out."""

from foca.address import pack
from foca.config import Config
from foca.identity import ipv4
from foca.node import Foca
from foca.runtime import Runtime

LAYOUT = ipv4()


class Wire(Runtime):
    def __init__(self):
        self.sent = []

    def send_to(self, row, buf, count):
        self.sent.append(bytes(buf[:count]))


def make(last, bump):
    wire = Wire()
    record = pack(LAYOUT, bytes((10, 0, 0, last)), 36220, bump)
    return Foca(record, Config.lan(8), wire, seed=last), wire


def test_a_node_renewed_by_a_turn_undead_goes_on_probing():
    node, wire = make(1, 1)
    peer, peer_wire = make(2, 1)
    peer.announce(node.identity())
    node.handle_data(peer_wire.sent[-1], len(peer_wire.sent[-1]), 1)
    peer.handle_data(wire.sent[-1], len(wire.sent[-1]), 1)
    # the peer has buried us, and says so as his last word under this identity
    peer.apply_many(bytes([0, 10, 0, 0, 1, 0xFC, 0x9A, 2, 1, 0, 2]), 11, False, 1)
    peer.tick(2)
    ping = next(data for data in wire.sent)
    peer.handle_data(ping, len(ping), 2)
    node.handle_data(peer_wire.sent[-1], len(peer_wire.sent[-1]), 3)
    assert node.identity()[-1] == 2, "renewed"
    wire.sent.clear()
    node.tick(1004)
    assert wire.sent, "nobody will write to the new identity first: it has to speak"
    node.tick(1504)
    node.tick(2005)
    node.tick(6006)
    assert node.num_members() == 0, "and to find out that nobody answers"
