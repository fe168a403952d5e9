"""A node under glass: what goes in is said in plain words, what comes out is written down.

node = Node(1)                                   # 10.0.0.1, bump 1
status = node.receive(packet(ANNOUNCE, 2, 1))    # 10.0.0.2 announces itself
assert node.events == [(MEMBER_UP, (2, 1)), (ACTIVE, (1, 1))]
assert node.sent[0][:2] == ((2, 1), FEED)

A peer is a number, which stands for bump 1, or a pair (number, bump). Runs on CPython and on
MicroPython.
"""

from foca.config import Config
from foca.cursor import Cursor
from foca.identity import ipv4
from foca.members import DST, FIRST, SELF, SRC, THIRD, UPDATE, Members
from foca.node import Foca
from foca.postcard import Postcard
from foca.rng import Rng
from foca.runtime import Runtime
from foca.wire import (
    ALIVE,
    BROADCAST,
    FLAGS,
    HAS_CUSTOM,
    HAS_MEMBERS,
    HAS_NUMBER,
    HAS_THIRD,
    IS_FEED,
)

from support.check import take

LAYOUT = ipv4(16)
WIDTH = LAYOUT.record_bytes


def record(peer):
    """The identity of a peer, as bytes."""
    number, bump = peer if isinstance(peer, tuple) else (peer, 1)
    return bytes((10, 0, number >> 8, number & 255, 0x1B, 0x58, bump >> 8, bump & 255))


def peer(identity):
    """(number, bump) of an identity."""
    return (identity[2] << 8 | identity[3], identity[6] << 8 | identity[7])


class Writer:
    """Writes and reads packets with a table of its own."""

    def __init__(self, codec=Postcard):
        self.members = Members(LAYOUT, 1, Rng(1))
        self.codec = codec(self.members)
        self.cursor = Cursor()

    def put(self, row, who, incarnation=0, state=ALIVE):
        self.members.ids[row * WIDTH : (row + 1) * WIDTH] = record(who)
        self.members.incarnations[row] = incarnation
        self.members.states[row] = state

    def at(self, row):
        return peer(self.members.ids[row * WIDTH : (row + 1) * WIDTH])

    def member(self, who, state=ALIVE, incarnation=0):
        """One member as it stands in a packet, and as `apply_many` takes it."""
        self.put(UPDATE, who, incarnation, state)
        buf = bytearray(self.codec.member_bytes(UPDATE))
        self.codec.write_member(buf, 0, UPDATE)
        return bytes(buf)

    def packet(self, tag, src, dst, third=None, number=0, incarnation=0, updates=None, items=()):
        """A whole packet; without `updates` it ends with the header.

        updates: member() arguments, or bytes.
        """
        self.put(SELF, src, incarnation)
        self.codec.know_own()
        self.put(DST, dst)
        if third is not None:
            self.put(THIRD, third)
        buf = bytearray(64)
        head = tag | number << 4
        data = bytes(buf[: self.codec.write_header(buf, DST, head, THIRD)])
        if (updates is not None or items) and tag != BROADCAST:
            updates = updates or ()
            data += bytes((len(updates) >> 8, len(updates) & 255))
            for update in updates:
                data += update if isinstance(update, bytes) else self.member(*update)
        for item in items:
            data += bytes((len(item) >> 8, len(item) & 255)) + item
        return data

    def read(self, data):
        """(dst, tag, src, third, number, updates, items) of a packet.

        Asserts that it is well-formed.
        """
        cursor = self.cursor
        cursor.open(data, 0, len(data))
        head = self.codec.read_header(cursor)
        assert head >= 0, "a malformed header was sent"
        if self.codec.is_for_us:
            self.members.copy(SELF, DST)
        tag = head & 15
        src, dst = self.at(SRC), self.at(DST)
        third = self.at(THIRD) if FLAGS[tag] & HAS_THIRD else None
        number = head >> 4 if FLAGS[tag] & HAS_NUMBER else None
        updates = []
        if FLAGS[tag] & (HAS_MEMBERS | IS_FEED) and cursor.left():
            count = cursor.read_u16be()
            start = cursor.pos
            self.codec.skip_members(cursor, count)
            assert cursor.ok, "malformed members were sent"
            cursor.pos = start
            for _ in range(count):
                self.codec.read_member(cursor, UPDATE)
                updates.append(
                    (
                        self.at(UPDATE),
                        self.members.states[UPDATE],
                        self.members.incarnations[UPDATE],
                    )
                )
        items = []
        while cursor.left():
            assert FLAGS[tag] & HAS_CUSTOM, "bytes behind a message that has none"
            size = cursor.read_u16be()
            assert size, "a malformed item was sent"
            items.append(take(cursor, size))
        return dst, tag, src, third, number, updates, items


WRITER = Writer()
packet = WRITER.packet
member = WRITER.member


class Node(Runtime):
    """A `Foca`, its runtime, and a clock that is moved by hand.

    `sent`: (dst, tag, src, third, number, updates, items) of every datagram; `packets`: the
    same as bytes; `events`: (event, peer).
    """

    def __init__(self, who=1, config=None, seed=1, handler=None, now_ms=1000):
        self.foca = Foca(
            record(who),
            config or Config.simple(members_max=8),
            self,
            layout=LAYOUT,
            handler=handler,
            seed=seed,
        )
        self.now_ms = now_ms
        self.inside = None
        self.clear()

    def clear(self):
        self.sent = []
        self.packets = []
        self.events = []

    # the runtime

    def send_to(self, row, buf, count):
        data = bytes(buf[:count])
        self.packets.append(data)
        message = WRITER.read(data)
        assert message[0] == peer(self.foca.identity_of(row)), "sent to another than named"
        self.sent.append(message)
        if self.inside:
            self.inside(row)

    def notify(self, event, row):
        self.events.append((event, peer(self.foca.identity_of(row))))
        if self.inside:
            self.inside(row)

    # the calls

    def receive(self, data):
        """One datagram arrives; returns the status."""
        return self.foca.handle_data(data, len(data), self.now_ms)

    def apply(self, *updates, do_broadcast=True):
        """Members from elsewhere; returns the status."""
        data = b"".join([member(*update) for update in updates])
        return self.foca.apply_many(data, len(data), do_broadcast, self.now_ms)

    def wait(self, ms):
        """Let time pass and everything in it fire; returns what the last tick did."""
        end = self.now_ms + ms
        left = self.foca.tick(self.now_ms)
        while self.now_ms + left <= end:
            self.now_ms += left
            left = self.foca.tick(self.now_ms)
        self.now_ms = end
        return left

    # looking

    def known(self):
        """peer -> (state, incarnation) of every member."""
        members = self.foca.members
        return {
            peer(self.foca.identity_of(row)): (members.states[row], members.incarnations[row])
            for row in self.foca.iter_membership_state()
        }

    def tags(self):
        """What was sent, as (dst, tag)."""
        return [message[:2] for message in self.sent]


def everything(foca):
    """The whole state of a node, but for its counters: two that are equal behave the same."""
    members = foca.members
    probe = foca.probe
    rows = members.rows
    ids = bytes(members.ids)
    state = [
        ids[:WIDTH],
        ids[FIRST * WIDTH :],
        [(members.order[i]) for i in range(members.count)],
        (members.count, members.active, members.evicted, members.incarnations[SELF]),
        (probe.number, probe.is_running, probe.asked, probe.acked),
        ids[6 * WIDTH : 7 * WIDTH] if probe.is_running else b"",
        (foca.connection, foca.generation, foca.has_left, foca.renew_step, foca.renewed_ms),
        (foca.updates_backlog(), foca.custom_broadcast_backlog(), members.left[8]),
        list(foca.timers.at),
        foca.config.to_dict(),
    ]
    for column in (
        members.states,
        members.incarnations,
        members.marks,
        members.left,
        members.suspects,
        members.forgets,
    ):
        state.append([column[row] for row in range(FIRST, rows)])
    if foca.items:
        items = foca.items
        state.append(bytes(items.store))
    return state
