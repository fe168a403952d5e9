"""foca.fast: the same results as without it, for any datagram; on CPython the same lines run."""

from foca.bincode import Bincode
from foca.config import Config
from foca.identity import ipv4, own
from foca.node import Foca
from foca.rng import Rng
from foca.runtime import Runtime
from foca.status import DECODE, OK
from support.nodes import everything

try:
    from foca import fast
except SyntaxError:  # a port without machine code, WebAssembly for one, says so at the import
    fast = None

_BUMPS = (0, 1, 127, 128, 300, 1795000000, (1 << 40) + 5, (1 << 63) + 1, (1 << 64) - 1)


class Wire(Runtime):
    """Keeps what a node sends and reports."""

    def __init__(self):
        self.log = []

    def send_to(self, row, buf, count):
        self.log.append(bytes(buf[:count]))

    def notify(self, event, row):
        self.log.append((event, row))


def varint(value):
    data = []
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes(data + [value])


def identity(rng, bits):
    """Some IPv4 identity on the wire; most hosts keep to one of all kinds of bumps."""
    host = rng.below(40)
    bump = _BUMPS[(host if rng.below(9) else rng.below(40)) % len(_BUMPS)] & ((1 << bits) - 1)
    port = varint(36220 if rng.below(9) else rng.below(300))
    if not rng.below(60):
        port = b"\xfc\x9a\x04"  # beyond 65,535
    return b"\x00\x0a\x00\x00" + bytes((host,)) + port + (varint(bump) if bits else b"")


def member(rng, bits):
    data = identity(rng, bits)
    if not rng.below(12):  # another family, of which this table knows nothing
        data = b"\x01" + bytes(16) + data[5:]
    incarnation = 120 + rng.below(16) if rng.below(9) else rng.below(65536)
    state = rng.below(16) // 6 if rng.below(60) else 3  # seldom Down, hardly ever nonsense
    return data + varint(incarnation) + bytes((state,))


def datagram(rng, bits, own_wire):
    """A Gossip with up to twelve members, sometimes damaged."""
    data = identity(rng, bits) + varint(rng.below(3)) + own_wire + b"\x08"
    count = rng.below(13)
    data += bytes((0, count)) + b"".join([member(rng, bits) for _ in range(count)])
    if not rng.below(8):
        data = data[: rng.below(len(data) + 1)]
    if not rng.below(8):
        at = rng.below(len(data) + 1)
        data = data[:at] + bytes((rng.below(256),)) + data[at + 1 :]
    return data


def session(seed, bits, is_fast, members_max, is_strict):
    """What a node makes of 60 datagrams; statuses, messages, events, and its state at the end."""
    rng = Rng(seed)
    wire = Wire()
    config = Config.simple(members_max=members_max, strict=is_strict)
    record = bytes((10, 0, 0, 7, 36220 >> 8, 36220 & 255)) + bytes(bits // 8)
    node = Foca(record, config, wire, layout=ipv4(bits), seed=seed)
    own_wire = b"\x00\x0a\x00\x00\x07" + varint(36220) + (b"\x00" if bits else b"")
    statuses = []
    for step in range(60):
        data = datagram(rng, bits, own_wire)
        fast.install(is_fast)
        statuses.append(node.handle_data(data, len(data), 1000 + step * 400))
        fast.install(False)
        node.tick(1000 + step * 400)
    return statuses, wire.log, list(node.counters), [everything(node), bytes(node.members.lengths)]


def test_any_datagrams_have_the_same_effect():
    if fast is None:
        return
    seen = set()
    for seed in range(24):
        bits = (64, 32, 16, 0)[seed % 4]
        members_max = (6, 60, 300)[seed % 3]
        strict = seed % 5 == 0
        plain = session(seed, bits, False, members_max, strict)
        quick = session(seed, bits, True, members_max, strict)
        for name, one, other in zip(("status", "log", "counters", "state"), plain, quick):  # noqa: B905
            assert one == other, "seed %d: %s differs" % (seed, name)
        seen.update(plain[0])
    assert OK in seen and DECODE in seen, seen


def test_other_codecs_and_identities_go_on_as_before():
    if fast is None:
        return
    fast.install()
    try:
        for codec, layout in ((Bincode, ipv4()), (None, own(4)), (None, own(6, True, 16))):
            words = {} if codec is None else {"codec": codec}
            nodes = []
            wires = [Wire(), Wire()]
            for index in (0, 1):
                record = bytes((index + 1,)) + bytes(layout.record_bytes - 1)
                config = Config.simple(members_max=8)
                node = Foca(record, config, wires[index], layout=layout, seed=1, **words)
                nodes.append(node)
            nodes[0].announce(nodes[1].identity())
            data = wires[0].log[-1]
            assert nodes[1].handle_data(data, len(data), 5) == OK
            data = [entry for entry in wires[1].log if isinstance(entry, bytes)][-1]
            assert nodes[0].handle_data(data, len(data), 5) == OK
            assert nodes[0].num_members() == nodes[1].num_members() == 1
    finally:
        fast.install(False)


def test_an_update_about_ourselves_in_the_middle_ends_nothing():
    """A suspicion about us between two others: all three are applied, and we refute."""
    if fast is None:
        return
    for is_fast in (False, True):
        wire = Wire()
        node = Foca(bytes((10, 0, 0, 7, 1, 1)), Config.simple(), wire, layout=ipv4(0), seed=1)
        others = [b"\x00\x0a\x00\x00" + bytes((i,)) + varint(257) for i in (1, 2, 3, 7)]
        head = others[2] + b"\x00" + others[3] + b"\x08"
        data = head + b"\x00\x02" + others[0] + b"\x00\x00" + others[1] + b"\x00\x00"
        assert node.handle_data(data, len(data), 5) == OK
        updates = others[0] + b"\x01\x01" + others[3] + b"\x00\x01" + others[1] + b"\x02\x00"
        data = head + b"\x00\x03" + updates
        fast.install(is_fast)
        assert node.handle_data(data, len(data), 6) == OK
        fast.install(False)
        members = node.members
        known = []
        for row in sorted(members.order[:3], key=lambda row: node.identity_of(row)):
            known.append(
                (node.identity_of(row)[3], members.incarnations[row], members.states[row])
            )
        assert known == [(1, 1, 1), (2, 2, 0), (3, 0, 0)], known
        assert members.incarnations[0] == 1
