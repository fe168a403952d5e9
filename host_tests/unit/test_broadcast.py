"""foca.broadcast: the latest item of each origin, told apart by a version."""

from foca.address import parse
from foca.bincode import Bincode
from foca.broadcast import NEWS, REFUSED, STALE, BroadcastHandler, VersionedHandler
from foca.config import Config
from foca.identity import ip, ipv4
from foca.node import Foca
from foca.postcard import Postcard
from foca.runtime import Runtime
from foca.status import CUSTOM_BROADCAST
from support.check import same_bytes

LAYOUT = ipv4()
TEXT = b"Hello from ID(127.0.0.1:9001, 1795423454)! I have 2 peers"


class Heard:
    """A handler, and what it has said."""

    def __init__(self, codec=Postcard, layout=None, origins_max=32):
        self.items = []
        self.handler = VersionedHandler(codec, self.note, layout, origins_max)

    def note(self, origin, version, payload):
        self.items.append((origin, version, payload))

    def receive(self, item, sender=9):
        """As if it stood in the middle of a datagram."""
        buf = b"\xaa\xbb" + item + b"\xcc"
        return self.handler.receive_item(buf, 2, 2 + len(item), sender)


class Queue:
    """What `invalidates` is shown: an item that waits."""

    def __init__(self, item):
        self.store = b"\xdd" + item
        self.old_start = 1
        self.old_end = len(self.store)


def item(number, version, payload=b"x", codec=Postcard, layout=LAYOUT):
    origin = parse(layout, "10.0.0.%d:5000" % number, version)
    return VersionedHandler(codec, layout=layout).pack(origin, payload)


def test_an_item_has_the_bytes_of_the_reference_s_example():
    """Recorded from foca_insecure_udp_agent: its key, then its text."""
    origin = parse(LAYOUT, "127.0.0.1:9001", 0x6B03FCE0)
    expected = bytes.fromhex("007f000001fb2923fce0fc036b39") + TEXT
    same_bytes(VersionedHandler(Bincode).pack(origin, TEXT), expected)
    heard = Heard(Bincode)
    assert heard.receive(expected) == NEWS
    assert heard.items == [("127.0.0.1:9001", 0x6B03FCE0, TEXT)]


def test_an_item_is_news_once_and_a_larger_version_is_news_again():
    for codec in (Postcard, Bincode):
        heard = Heard(codec)
        for version in (0, 1, 2**40, 2**64 - 1):
            new = item(1, version, b"at %d" % version, codec)
            assert heard.receive(new) == NEWS
            assert heard.receive(new) == STALE
            assert heard.items[-1] == ("10.0.0.1:5000", version, b"at %d" % version)
        assert heard.receive(item(1, 5, b"late", codec)) == STALE
        assert heard.receive(item(2, 0, b"", codec)) == NEWS, "an origin of its own"
        assert len(heard.items) == 5


def test_our_own_items_are_remembered_but_not_told():
    heard = Heard()
    assert heard.receive(item(1, 4), -1) == NEWS
    assert heard.receive(item(1, 4)) == STALE
    assert heard.items == []


def test_long_payloads_and_both_address_families():
    both = ip()
    for codec in (Postcard, Bincode):
        heard = Heard(codec, both)
        payload = bytes(300)
        assert heard.receive(item(1, 1, payload, codec, both)) == NEWS
        six = VersionedHandler(codec, layout=both).pack(parse(both, "[::1]:9", 7), b"six")
        assert heard.receive(six) == NEWS
        assert heard.items == [("10.0.0.1:5000", 1, payload), ("[::1]:9", 7, b"six")]


def test_what_is_malformed_is_refused_and_counted():
    good = item(1, 1, b"payload")
    heard = Heard()
    for cut in range(len(good)):
        assert heard.receive(good[:cut]) == REFUSED
    assert heard.receive(good + b"!") == REFUSED
    six = VersionedHandler(Postcard, layout=ip()).pack(parse(ip(), "[::1]:9", 7), b"six")
    assert heard.receive(six) == REFUSED, "an origin that this node cannot hold"
    assert heard.handler.malformed == len(good) + 2
    assert heard.items == []


def test_a_newer_item_makes_a_queued_one_of_the_same_origin_pointless():
    handler = Heard().handler

    def invalidates(new, queued):
        return handler.invalidates(b"\xee" + new, 1, 1 + len(new), Queue(queued))

    assert invalidates(item(1, 2), item(1, 1))
    assert not invalidates(item(1, 2), item(1, 2))
    assert not invalidates(item(1, 1), item(1, 2))
    assert not invalidates(item(2, 2), item(1, 1))
    assert not invalidates(item(1, 2), b"something else")
    assert not invalidates(b"something else", item(1, 1))


def test_origins_beyond_the_limit_replace_the_oldest():
    heard = Heard(origins_max=2)
    for number in (1, 2, 3):
        assert heard.receive(item(number, 1)) == NEWS
    assert heard.receive(item(3, 1)) == STALE
    assert heard.receive(item(2, 1)) == STALE
    assert heard.receive(item(1, 1)) == NEWS, "forgotten, so it is news"
    assert heard.receive(item(2, 1)) == NEWS, "and that one had to go for it"
    assert heard.receive(item(3, 1)) == NEWS


def test_without_a_callback_items_are_kept_all_the_same():
    handler = VersionedHandler(Postcard)
    new = item(1, 1)
    assert handler.receive_item(new, 0, len(new), 9) == NEWS
    assert handler.receive_item(new, 0, len(new), 9) == STALE


def test_the_plain_handler_refuses_everything():
    handler = BroadcastHandler()
    assert handler.receive_item(b"x", 0, 1, 9) == REFUSED
    assert not handler.invalidates(b"x", 0, 1, None)
    assert handler.should_add_broadcast_data(9)
    node = Foca(parse(LAYOUT, "10.0.0.1:5000", 1), Config(), Runtime(), handler=handler, seed=1)
    assert node.add_broadcast(b"x", 1) == CUSTOM_BROADCAST
