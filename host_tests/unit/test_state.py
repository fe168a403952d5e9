"""A node saved as JSON and loaded goes on exactly as the one that just ran on."""

import json

from foca import plain, state
from foca._port import ticks_add
from foca.address import parse
from foca.bincode import Bincode
from foca.broadcast import VersionedHandler
from foca.config import Config
from foca.errors import ConfigError
from foca.identity import ipv4
from foca.node import Foca
from foca.outgoing import send
from foca.postcard import Postcard
from foca.rng import Rng
from foca.runtime import Runtime
from support.check import raises

START_MS = 0x3FFFFFFF - 30000  # the clock wraps on the way


class Log(Runtime):
    def __init__(self):
        self.entries = []

    def send_to(self, row, buf, count):
        self.entries.append((row, bytes(buf[:count])))

    def notify(self, event, row):
        self.entries.append((event, row))


def make(codec, strict):
    handler = VersionedHandler(codec)
    config = Config.lan(8, strict=strict, members_max=12, remove_down_after_ms=20000)
    identity = parse(ipv4(), "10.0.0.1:7000", 5)
    return Foca(identity, config, Log(), codec, None, handler, seed=3)


def packets(codec, count):
    """Datagrams for 10.0.0.1:7000 from peers that come, talk nonsense about each other, and go."""
    layout = ipv4()
    rng = Rng(17)
    result = []
    for number in range(count):
        peer = Foca(
            parse(layout, "10.0.0.%d:7000" % (2 + rng.below(9)), 1 + rng.below(3)),
            Config.lan(8),
            Log(),
            codec,
            seed=number,
        )
        for _ in range(rng.below(4)):
            entry = {
                "id": {"addr": "10.0.0.%d:7000" % (2 + rng.below(12)), "bump": rng.below(3)},
                "incarnation": rng.below(3),
                "state": ("Alive", "Suspect", "Down")[rng.below(3)],
            }
            plain.members_from_list(peer, [entry], True, 0)
        peer.runtime.entries.clear()
        peer.announce(parse(layout, "10.0.0.1:7000", 5))
        peer.members.ids[7 * 14 : 8 * 14] = parse(layout, "10.0.0.1:7000", 5)
        send(peer, 7, rng.below(6) | rng.below(4) << 4, 7 if rng.below(9) == 0 else 0)
        result += [data for row, data in peer.runtime.entries if row == 7]
    return result


def run(foca, datagrams, now_ms, rng):
    """Feed the datagrams, a few hundred milliseconds apart; returns the time afterwards."""
    for data in datagrams:
        now_ms = ticks_add(now_ms, 50 + rng.below(700))
        foca.handle_data(data, len(data), now_ms)
        while foca.tick(now_ms) == 0:
            pass
    return now_ms


def goes_on(codec, strict):
    foca = make(codec, strict)
    datagrams = packets(codec, 120)
    rng = Rng(1)
    now_ms = START_MS
    origin = parse(ipv4(), "10.0.0.1:7000", 1)
    item = foca.handler.pack(origin, b"news")
    assert foca.add_broadcast(item, len(item)) == 0
    for part in range(6):
        now_ms = run(foca, datagrams[20 * part : 20 * part + 20], now_ms, rng)
        text = json.dumps(state.dump(foca, now_ms))
        later_ms = ticks_add(now_ms, 123456)  # deadlines are kept relative
        twin = state.load(json.loads(text), later_ms, Log(), codec, None, VersionedHandler(codec))
        assert json.loads(json.dumps(state.dump(twin, later_ms))) == json.loads(text)
        foca.runtime.entries.clear()
        for step in range(100):
            foca.tick(ticks_add(now_ms, 97 * step))
            twin.tick(ticks_add(later_ms, 97 * step))
        assert twin.runtime.entries == foca.runtime.entries
        now_ms = ticks_add(now_ms, 9700)
    assert len(foca.runtime.entries) > 5


def test_a_loaded_node_goes_on_as_the_saved_one():
    for codec in (Postcard, Bincode):
        for strict in (False, True):
            goes_on(codec, strict)


def test_a_newcomer_that_waits_for_a_feed_still_gets_it():
    foca = make(Postcard, False)
    peer = Foca(parse(ipv4(), "10.0.0.3:7000", 1), Config.lan(8), Log(), seed=5)
    peer.announce(parse(ipv4(), "255.255.255.255:7000", 0))
    data = peer.runtime.entries[-1][1]
    foca.handle_data(data, len(data), START_MS)
    assert foca.newcomer, "the answer to everybody waits a little"
    save = state.dump(foca, START_MS)
    twin = state.load(json.loads(json.dumps(save)), START_MS, Log(), handler=foca.handler)
    later_ms = ticks_add(START_MS, 401)
    foca.runtime.entries.clear()
    for node in (foca, twin):
        node.tick(later_ms)
    assert len(foca.runtime.entries) > 0
    assert foca.runtime.entries == twin.runtime.entries


def test_members_and_headers_are_plain_dicts():
    foca = make(Postcard, False)
    entry = {
        "id": {"addr": "10.0.0.9:7000", "bump": 1 << 40},
        "incarnation": 3,
        "state": "Suspect",
    }
    assert plain.members_from_list(foca, [entry], False, 5) == 0
    (row,) = foca.iter_members()
    assert plain.member_to_dict(foca, row) == entry
    foca.runtime.entries.clear()
    foca.announce(parse(ipv4(), "10.0.0.9:7000", 7))
    sent = foca.runtime.entries[-1][1]
    other = Foca(parse(ipv4(), "10.0.0.9:7000", 7), Config.simple(), Log(), seed=1)
    other.inbox.open(sent, 0, len(sent))
    header = plain.header_to_dict(other, other.codec.read_header(other.inbox))
    assert header == {
        "src": {"addr": "10.0.0.1:7000", "bump": 5},
        "src_incarnation": 0,
        "dst": {"addr": "10.0.0.9:7000", "bump": 7},
        "message": {"type": "Announce"},
    }


def test_what_is_not_valid_is_named_and_makes_no_node():
    foca = make(Postcard, False)
    run(foca, packets(Postcard, 30), START_MS, Rng(1))
    good = json.dumps(state.dump(foca, START_MS))
    for change, text in (
        (lambda save: save.pop("probe"), "state.probe is missing"),
        (lambda save: save.update(version=9), "state.version 9"),
        (lambda save: save["members"][0].update(row=3), "members[0].row 3"),
        (lambda save: save["members"][0].update(incarnation=70000), "members[0].incarnation"),
        (lambda save: save["members"][0].update(state="Dead"), "members[0].state"),
        (lambda save: save["members"][1].update(save["members"][0]), "members[1].row"),
        (lambda save: save["members"][0]["id"].update(addr="nowhere"), "nowhere"),
        (lambda save: save["config"].update(probe_rtt_ms=0), "probe_rtt_ms"),
        (lambda save: save.update(free=[]), "state.free"),
        (lambda save: save.update(timers=[1]), "state.timers"),
        (lambda save: save.update(rng=[1]), "state.rng"),
        (lambda save: save.update(has_left=1), "state.has_left"),
        (lambda save: save.update(items=[{"data": "00" * 2000, "left": 1}]), "items[0]"),
    ):
        save = json.loads(good)
        change(save)
        error = raises(ConfigError, state.load, save, START_MS, Log())
        assert text in str(error), (text, str(error))


def test_a_list_with_a_mistake_changes_nothing():
    foca = make(Postcard, False)
    entry = {"id": {"addr": "10.0.0.9:7000", "bump": 1}, "incarnation": 0, "state": "Alive"}
    bad = {"id": {"addr": "10.0.0.8:7000", "bump": 1}, "incarnation": 0}
    error = raises(ConfigError, plain.members_from_list, foca, [entry, bad], True, 0)
    assert "members[1].state is missing" in str(error)
    assert foca.num_members() == 0
