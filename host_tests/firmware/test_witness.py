"""firmware/witness.py: who told us what about whom."""

import sys

from foca.node import Foca
from foca.status import OK
from foca.wire import GOSSIP, SUSPECT
from support.nodes import Node, packet

FIRMWARE = __file__.rpartition("/host_tests/")[0]
sys.path.insert(0, (FIRMWARE + "/" if FIRMWARE else "") + "firmware")
import witness  # noqa: E402

sys.path.pop(0)
sys.modules.pop("witness")


def test_why_names_who_told_of_a_suspicion_that_somebody_else_had():
    node = Node(1)
    seen = witness.Witness(node.foca)
    hears(seen, packet(GOSSIP, 3, 1, updates=[]))
    seen.now_s = 5
    hears(seen, packet(GOSSIP, 2, 1, updates=[(3, SUSPECT)]))
    row = [r for r in node.foca.iter_members() if node.foca.identity_of(r)[3] == 3][0]
    seen.now_s = 7
    assert seen.lines(row) == [
        "10.0.0.3:7000 is Suspect, incarnation 0",
        "heard from itself 7 s ago",
        "Suspect since 2 s: told by 10.0.0.2:7000",
    ]
    seen.now_s = 8
    assert hears(seen, packet(GOSSIP, 3, 1, updates=[])[:-1]) != OK
    assert seen.lines(row)[1] == "heard from itself 8 s ago", "what was refused counts for nothing"
    assert hears(seen, packet(GOSSIP, 3, 1, updates=[])) == OK
    assert seen.lines(row)[1] == "heard from itself 0 s ago"


def hears(seen, data):
    return seen.hear(Foca.handle_data, data, len(data), 1000)
