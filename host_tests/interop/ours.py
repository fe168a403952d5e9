"""Our strict core as the other partner: a Session whose random picks follow the crate's.

The crate chooses at random in four places. What it chose is seen in what it did, and ours is made
to choose the same, so that everything else can be compared to the byte:

* where a newcomer is put into the order of members: told by the order after the step, undone
  swap by swap;
* which members a message goes to: the destinations of the crate's sends, in order; for a Feed the
  members in it;
* the order of a new probe round: told by the order after the step. Which member of a round is
  probed is not followed: that is our own round robin;
* which of several queued updates or items of equal rank goes first: told by the packet.

What cannot be followed (the crate sent something that ours would never choose from) simply shows
as a disagreement. Runs on CPython and, behind a pipe, on MicroPython: see remote.py.
"""

from conformance.session import Session
from foca.items import Items
from foca.picker import Picker
from foca.wire import DOWN


def address(identity):
    """The address of an identity."""
    return identity.rpartition("#")[0]


def without_newcomers(order, newcomers):
    """The order before the newcomers came, one after the other.

    A newcomer is appended and then swapped with a random place; this undoes it.
    """
    order = list(order)
    for name in reversed(newcomers):
        if name not in order:
            return []
        order[order.index(name)] = order[-1]
        order.pop()
    return order


class AppendingRng:
    """Leaves newcomers at the end, until `Ours.settle` puts them where the crate did."""

    def below(self, limit):
        return limit - 1


class FollowingPicker(Picker):
    """Chooses what the crate chose; walks the probe rounds by itself."""

    def __init__(self, ours):
        Picker.__init__(self, ours.foca.members)
        self.ours = ours

    def choose(self, want, down, exclude, handler):
        foca = self.ours.foca
        rows = {}
        for row in foca.iter_membership_state():
            if (foca.members.states[row] == DOWN) == bool(down) and row != exclude:
                if handler is None or handler.should_add_broadcast_data(row):
                    rows[self.ours.text(row)] = row
        count = min(want, len(rows))
        chosen = []
        for name in self.wanted():
            if len(chosen) < count and name in rows:
                chosen.append(rows.pop(name))
        # The crate chose more than it could use: the rest must not fit either, largest first.
        size = foca.codec.member_bytes if self.is_feed() else foca.codec.identity_bytes
        rest = sorted(rows.values(), key=size, reverse=True)
        chosen += rest[: count - len(chosen)]
        for index, row in enumerate(chosen):
            self.rows[index] = row
        return count

    def ahead(self):
        """What the crate sent and ours has not, yet."""
        return self.ours.sends[self.ours.sent_count() :]

    def is_feed(self):
        """Whether members are chosen for the inside of a packet, not as receivers."""
        ahead = self.ahead()
        return bool(ahead) and ahead[0]["header"][3][0] == "Feed"

    def wanted(self):
        """Whom the crate chose, in order."""
        if self.is_feed():
            return [member[0] for member in self.ahead()[0]["updates"] or ()]
        return [send["to"] for send in self.ahead()]

    def _shuffle(self):
        self.ours.take_order()


class Ours(Session):
    """A session whose node follows."""

    def __init__(self, new):
        self.sends = []
        """What the crate sent in the step at hand."""
        self.crate_order = []
        """The addresses of its members after that step."""
        self.known = []
        """The addresses of our members before that step."""
        self.queued = {}
        """Address -> member, of the updates that were queued before that step."""
        Session.__init__(self, new)
        foca = self.foca
        foca.picker = FollowingPicker(self)
        foca.members.rng = AppendingRng()
        foca.backlog._fill_length = self.fill_length
        if foca.items:
            foca.items._best = self.best_item

    def sent_count(self):
        """How many datagrams this step has sent so far."""
        return sum([1 for event in self.recorder.events if event[0] == "send"])

    def told(self, section):
        """What the crate put into the packet that is being filled: its `updates` or `items`."""
        done = self.sent_count()
        return self.sends[done].get(section) or [] if done < len(self.sends) else []

    def order(self):
        """The addresses of our members, in their order."""
        return [address(self.text(row)) for row in self.foca.iter_membership_state()]

    def follow(self, crate):
        """Prepare for a step that the crate has just done."""
        members = self.foca.members
        self.sends = [event["send"] for event in crate["events"] if "send" in event]
        self.crate_order = [address(member[0]) for member in crate["state"]["members"]]
        self.known = self.order()
        self.queued = {}
        for row in self.foca.iter_membership_state():
            if members.left[row]:
                self.queued[address(self.text(row))] = self.member(row)

    def take_order(self):
        """Put our members into the crate's order, if they are the same ones."""
        members = self.foca.members
        now = self.order()
        if sorted(now) == sorted(self.crate_order):
            rows = [members.order[now.index(name)] for name in self.crate_order]
            for index, row in enumerate(rows):
                members.order[index] = row

    def settle(self):
        """Put newcomers where the crate did, if one swap for each explains the crate's order."""
        now = self.order()
        newcomers = now[len(self.known) :]
        if newcomers and now[: len(self.known)] == self.known:
            if without_newcomers(self.crate_order, newcomers) == self.known:
                self.take_order()

    def result(self, status):
        """The result of a step, when every newcomer has its place."""
        self.settle()
        return Session.result(self, status)

    def step(self, step, crate):
        """One step, following the crate."""
        self.follow(crate)
        return Session.step(self, step)

    def fire(self, timer, crate):
        """Fire our next timer, which is `timer`."""
        self.follow(crate)
        return self.fire_next(timer[0])

    def idle(self, now_ms):
        """Nothing was due up to `now_ms`."""
        self.now_ms = now_ms
        return self.result("Ok")

    # instead of two methods of the core that break ties in their own order

    def fill_length(self, cursor, level, length):
        """Backlog._fill_length, updates of equal rank in the crate's order."""
        backlog = self.foca.backlog
        members = self.foca.members
        names = [member[0] for member in self.told("updates")]
        rows = []
        for row in range(len(members.left)):
            if members.left[row] == level and members.lengths[row] == length:
                name = self.text(row)
                rows.append((names.index(name) if name in names else len(names), row))
        for _, row in sorted(rows):
            if cursor.end - cursor.pos >= length:
                cursor.pos = backlog.codec.write_member(cursor.buf, cursor.pos, row)
                backlog._sent[backlog._count] = row
                backlog._count += 1

    def best_item(self):
        """Items._best, items of equal rank in the crate's order."""
        items = self.foca.items
        best = Items._best(items)
        names = self.told("items")
        if best < 0:
            return best
        ranked = []
        for index in range(items.count):
            same = items._left[index] == items._left[best]
            if same and items._sizes[index] == items._sizes[best] and not items._done[index]:
                start = items._starts[index]
                name = bytes(items.store[start : start + items._sizes[index]]).hex()
                ranked.append((names.index(name) if name in names else len(names), index))
        return sorted(ranked)[0][1]
