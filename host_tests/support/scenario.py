"""One node in a bottle: give it datagrams and time, look at what it sends and reports.

    node = Scene(1, strict=True, notify_down_members=True)  # address 1, Config.simple with changes
    assert node.hears(who(2), PING, 7) == OK                # a datagram from address 2
    assert [m.what for m in node.sent()] == [(who(2), ACK, 7)]
    node.passes(1500)                                       # every timer on the way fires in time
    assert node.news() == [("MemberUp", who(2)), ("Active",)]

Identities are the smallest that can be renewed: one octet and a 16-bit bump, `who(address, bump)`;
the layout `FIXED` cannot be renewed. Members are tuples: (identity, incarnation, state). All
is seeded and nothing sleeps. Runs on CPython and on MicroPython.
"""

from foca._port import ticks_add, ticks_diff
from foca.broadcast import NEWS, REFUSED, STALE, BroadcastHandler
from foca.config import Config
from foca.cursor import Cursor
from foca.identity import Layout, own
from foca.members import DST, OLD, SELF, SRC, THIRD, UPDATE, Members
from foca.node import Foca
from foca.postcard import Postcard
from foca.rng import Rng
from foca.runtime import ACTIVE, DEFUNCT, EVENT_NAMES, IDLE, RENAME, Runtime
from foca.wire import ACK, FLAGS, HAS_MEMBERS, HAS_NUMBER, HAS_THIRD, PING

from support.check import take

START_MS = 5000


class Fixed(Layout):
    """Identities that cannot be renewed; their larger bump still wins."""

    def renew(self, ids, at, step):
        return False


RENEWABLE = own(1, False, 16)
FIXED = Fixed(1, False, 16, -1)


def who(address, bump=0):
    """The identity of `address` 0 .. 255 with `bump` 0 .. 65535, as a record."""
    return bytes((address, bump >> 8, bump & 255))


class Sent:
    """A decoded datagram: `dst`, `src`, `incarnation`, `tag`, `number`, `third`, `updates`,
    `items`, `data`.
    """

    def __init__(self, data, desk, dst):
        self.data = data
        self.dst = dst
        cursor = desk.cursor
        cursor.open(data, 0, len(data))
        head = desk.codec.read_header(cursor)
        assert head >= 0, "not a datagram: %r" % data
        if desk.codec.is_for_us:
            desk.members.copy(SELF, DST)
        self.src = desk.identity(SRC)
        self.incarnation = desk.members.incarnations[SRC]
        self.header_dst = desk.identity(DST)
        self.tag = head & 15
        self.number = head >> 4
        self.third = desk.identity(THIRD) if FLAGS[self.tag] & HAS_THIRD else None
        self.has_count = bool(FLAGS[self.tag] & HAS_MEMBERS and cursor.left())
        self.updates = []
        self.items = []
        if self.has_count:
            self.updates = desk.read_members(cursor, cursor.read_u16be())
        while cursor.left():
            self.items.append(take(cursor, cursor.read_u16be()))
        assert cursor.ok, "malformed: %r" % data
        self.what = (dst, self.tag, self.number)


class Desk:
    """Where datagrams are written and read: a table and a codec of its own, beside the node's."""

    def __init__(self, layout, codec):
        self.layout = layout
        self.members = Members(layout, 1, Rng(1))
        self.codec = codec(self.members)
        self.cursor = Cursor()

    def identity(self, row):
        width = self.layout.record_bytes
        return bytes(self.members.ids[row * width : (row + 1) * width])

    def put(self, row, identity, incarnation=0, state=0):
        width = self.layout.record_bytes
        self.members.ids[row * width : (row + 1) * width] = identity
        self.members.incarnations[row] = incarnation
        self.members.states[row] = state

    def read_members(self, cursor, count):
        start = cursor.pos
        assert self.codec.skip_members(cursor, count) == 0
        assert cursor.ok
        cursor.pos = start
        result = []
        for _ in range(count):
            self.codec.read_member(cursor, UPDATE)
            result.append(
                (
                    self.identity(UPDATE),
                    self.members.incarnations[UPDATE],
                    self.members.states[UPDATE],
                )
            )
        return result

    def write_members(self, members):
        buf = bytearray(len(members) * 64 + 64)
        pos = 0
        for identity, incarnation, state in members:
            self.put(UPDATE, identity, incarnation, state)
            pos = self.codec.write_member(buf, pos, UPDATE)
        return bytes(buf[:pos])

    def packet(
        self, src, dst, tag, number=0, third=None, updates=(), items=(), incarnation=0, tail=b""
    ):
        """A datagram as a peer would send it; `tail` are bytes after all that."""
        assert bool(FLAGS[tag] & HAS_THIRD) == (third is not None)
        assert FLAGS[tag] & HAS_NUMBER or not number
        self.put(SELF, src, incarnation)
        self.codec.know_own()
        self.put(DST, dst)
        if third is not None:
            self.put(THIRD, third)
        buf = bytearray(256)
        pos = self.codec.write_header(buf, DST, tag | number << 4, THIRD)
        data = bytes(buf[:pos])
        if FLAGS[tag] & HAS_MEMBERS:
            data += bytes((len(updates) >> 8, len(updates) & 255)) + self.write_members(updates)
        for item in items:
            data += bytes((len(item) >> 8, len(item) & 255)) + item
        return data + tail


class Scene(Runtime):
    """A node, its clock, and everything it did. See the file's head."""

    def __init__(
        self,
        address=1,
        bump=0,
        codec=Postcard,
        layout=RENEWABLE,
        handler=None,
        seed=7,
        config=None,
        identity=None,
        **fields,
    ):
        self.layout = layout
        self.desk = Desk(layout, codec)
        self.now_ms = START_MS
        self.lives = {}
        """identity -> incarnation of those who answer every Ping while time passes."""
        self._sent = []
        self._news = []
        self.order = []
        """Tags of datagrams and names of events since `clear`, in the order in which they
        happened.
        """
        self.foca = Foca(
            identity or who(address, bump),
            config or Config.simple(**fields),
            self,
            codec,
            layout,
            handler,
            seed,
        )

    # what the node does

    def send_to(self, row, buf, count):
        sent = Sent(bytes(buf[:count]), self.desk, self.foca.identity_of(row))
        assert sent.header_dst == sent.dst, "sent to one, addressed to another"
        self._sent.append(sent)
        self.order.append(sent.tag)

    def notify(self, event, row):
        name = EVENT_NAMES[event]
        self.order.append(name)
        if event == RENAME:
            self._news.append((name, self.foca.identity_of(OLD), self.foca.identity_of(row)))
        elif event in (ACTIVE, IDLE, DEFUNCT):
            assert row == SELF
            self._news.append((name,))
        else:
            self._news.append((name, self.foca.identity_of(row)))

    def sent(self):
        """The datagrams since the last look, decoded."""
        sent, self._sent = self._sent, []
        return sent

    def news(self):
        """The events since the last look: (name, identity), or (name,) when it is about
        ourselves.
        """
        news, self._news = self._news, []
        return news

    def clear(self):
        """Forget what was sent and reported so far."""
        self._sent = []
        self._news = []
        self.order = []

    # what happens to it

    def me(self):
        return self.foca.identity()

    def packet(self, src, tag, number=0, **rest):
        """A datagram for this node; `rest` as in `Desk.packet`."""
        dst = rest.pop("dst", None) or self.me()
        return self.desk.packet(src, dst, tag, number, **rest)

    def takes(self, data):
        """handle_data; returns its status."""
        return self.foca.handle_data(data, len(data), self.now_ms)

    def hears(self, src, tag, number=0, **rest):
        """Receive such a datagram; returns the status."""
        return self.takes(self.packet(src, tag, number, **rest))

    def applies(self, members, do_broadcast=True):
        """apply_many; returns its status."""
        data = self.desk.write_members(members)
        return self.foca.apply_many(data, len(data), do_broadcast, self.now_ms)

    def adds(self, item):
        """add_broadcast; returns its status."""
        return self.foca.add_broadcast(item, len(item))

    def passes(self, delay_ms):
        """Let time pass; every deadline on the way is served at its very millisecond."""
        while True:
            count = len(self._sent)
            wait_ms = self.foca.tick(self.now_ms)
            for sent in self._sent[count:]:
                if sent.tag == PING and sent.dst in self.lives:
                    self.hears(sent.dst, ACK, sent.number, incarnation=self.lives[sent.dst])
            if wait_ms:
                if not delay_ms:
                    return
                step_ms = wait_ms if wait_ms < delay_ms else delay_ms
                delay_ms -= step_ms
                self.now_ms = ticks_add(self.now_ms, step_ms)

    def probes(self):
        """Let time pass to the next probe; returns the probed identity and the number of its
        Ping.
        """
        self.passes(ticks_diff(self.foca.timers.at[1], self.now_ms))
        pings = [sent for sent in self.sent() if sent.tag == PING]
        assert len(pings) == 1, "%d pings" % len(pings)
        return pings[0].dst, pings[0].number

    # what it knows

    def row(self, identity):
        """The row of a member with exactly this identity, or 0."""
        self.foca.members.ids[OLD * len(identity) : (OLD + 1) * len(identity)] = identity
        return self.foca.members.find_identity(OLD)

    def knows(self, identity):
        """(incarnation, state) of a member, or None."""
        row = self.row(identity)
        members = self.foca.members
        return (members.incarnations[row], members.states[row]) if row else None

    def everybody(self):
        """identity -> (incarnation, state) of all members."""
        identities = [self.foca.identity_of(row) for row in self.foca.iter_membership_state()]
        return {identity: self.knows(identity) for identity in identities}

    def incarnation(self):
        return self.foca.members.incarnations[SELF]

    def due_in(self, kind):
        """Milliseconds until a timer of foca.timers fires, None when it is not set."""
        deadline = self.foca.timers.at[kind]
        return ticks_diff(deadline, self.now_ms) if deadline else None

    def suspicion_ends_in(self, identity):
        """Milliseconds until a suspect is declared Down, None when nothing is set."""
        deadline = self.foca.members.suspects[self.row(identity)]
        return ticks_diff(deadline, self.now_ms) if deadline else None

    def forgets_in(self, identity):
        """Milliseconds until a Down member is forgotten, None for never."""
        deadline = self.foca.members.forgets[self.row(identity)]
        return ticks_diff(deadline, self.now_ms) if deadline else None

    def counter(self, index):
        """One of foca.status's counters."""
        return self.foca.counters[index]


class Keyed(BroadcastHandler):
    """Items of the form key, version, payload: news when the version is greater.

    Shorter ones are refused. `unwanted`: an identity that is to get no items.
    """

    def __init__(self):
        self.versions = {}
        self.unwanted = None
        self.scene = None
        self.senders = []

    def receive_item(self, buf, start, end, sender):
        self.senders.append(sender)
        if end - start < 3:
            return REFUSED
        if self.versions.get(buf[start], -1) >= buf[start + 1]:
            return STALE
        self.versions[buf[start]] = buf[start + 1]
        return NEWS

    def invalidates(self, buf, start, end, items):
        return items.store[items.old_start] == buf[start]

    def should_add_broadcast_data(self, row):
        return self.scene is None or self.scene.foca.identity_of(row) != self.unwanted


def deliver(scenes):
    """Carry datagrams between scenes until all are silent; returns how many, 500 at most.

    What they report on the way is not kept.
    """
    carried = 0
    while carried < 500:
        waiting = [sent for scene in scenes for sent in scene.sent()]
        if not waiting:
            break
        for sent in waiting:
            for scene in scenes:
                end = scene.layout.address_bytes
                if scene.me()[:end] == sent.dst[:end]:
                    scene.takes(sent.data)
            carried += 1
        for scene in scenes:
            scene.news()
            scene.order = []
    return carried
