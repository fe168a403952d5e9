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
as a disagreement.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
for folder in ("host_tests", "lib"):
    if str(ROOT / folder) not in sys.path:
        sys.path.insert(0, str(ROOT / folder))

from conformance.session import Session  # noqa: E402
from foca.backlog import Backlog  # noqa: E402
from foca.items import Items  # noqa: E402
from foca.picker import Picker  # noqa: E402
from foca.wire import DOWN  # noqa: E402

Json = dict[str, Any]


class Observed:
    """What the crate did in the step at hand."""

    def __init__(self) -> None:
        self.sends: list[Json] = []
        self.order: list[str] = []

    def load(self, crate: Json) -> None:
        """Take a result of the crate."""
        self.sends = [event["send"] for event in crate["events"] if "send" in event]
        self.order = [address(member[0]) for member in crate["state"]["members"]]


def address(identity: str) -> str:
    """The address of an identity."""
    return identity.rpartition("#")[0]


def without_newcomers(order: list[str], newcomers: list[str]) -> list[str]:
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

    def below(self, limit: int) -> int:
        return limit - 1


class FollowingPicker(Picker):
    """Chooses what the crate chose; walks the probe rounds by itself."""

    def __init__(self, session: "Ours", observed: Observed) -> None:
        Picker.__init__(self, session.foca.members)
        self.session = session
        self.observed = observed

    def choose(self, want: int, down: bool, exclude: int, handler: Any) -> int:
        states = self.session.foca.members.states
        fitting = [
            row
            for row in self.session.foca.iter_membership_state()
            if (states[row] == DOWN) == bool(down)
            and row != exclude
            and (handler is None or handler.should_add_broadcast_data(row))
        ]
        count = min(want, len(fitting))
        done = self.session.sent_count()
        ahead = self.observed.sends[done:]
        if ahead and ahead[0].get("header") and ahead[0]["header"][3][0] == "Feed":
            wanted = [member[0] for member in ahead[0]["updates"] or ()]
        else:
            wanted = [send["to"] for send in ahead]
        rows = {self.session.text(row): row for row in fitting}
        chosen = [rows.pop(name) for name in dict.fromkeys(wanted[:count]) if name in rows]
        # The crate chose more than it could use: the rest must not fit either, largest first.
        rest = sorted(rows.values(), key=self.session.foca.codec.member_bytes, reverse=True)
        chosen += rest[: count - len(chosen)]
        for index, row in enumerate(chosen):
            self.rows[index] = row
        return len(chosen)

    def _shuffle(self) -> None:
        self.session.take_order()


class FollowingBacklog(Backlog):
    """Breaks ties as the crate did in the packet that is being filled."""

    session: "Ours"
    observed: Observed

    def _fill_length(self, cursor: Any, level: int, length: int) -> None:
        members = self.members
        rows = [
            row
            for row in range(8, members.rows)
            if members.left[row] == level and members.lengths[row] == length
        ]
        done = self.session.sent_count()
        told: list[str] = []
        if done < len(self.observed.sends):
            updates = self.observed.sends[done].get("updates") or ()
            told = [member[0] for member in updates]
        rank = {name: index for index, name in enumerate(told)}
        rows.sort(key=lambda row: rank.get(self.session.text(row), len(rank)))
        for row in rows:
            if cursor.end - cursor.pos >= length:
                cursor.pos = self.codec.write_member(cursor.buf, cursor.pos, row)
                self._sent[self._count] = row
                self._count += 1


class FollowingItems(Items):
    """Breaks ties as the crate did in the packet that is being filled."""

    session: "Ours"
    observed: Observed

    def _best(self) -> int:
        best = Items._best(self)
        done = self.session.sent_count()
        if best < 0 or done >= len(self.observed.sends):
            return best
        told = self.observed.sends[done].get("items") or []
        equals = [
            index
            for index in range(self.count)
            if not self._done[index]
            and self._left[index] == self._left[best]
            and self._sizes[index] == self._sizes[best]
        ]
        rank = {name: index for index, name in enumerate(told)}
        return min(equals, key=lambda index: rank.get(self._hex(index), len(rank)))

    def _hex(self, index: int) -> str:
        start = self._starts[index]
        return bytes(self.store[start : start + self._sizes[index]]).hex()


class Ours(Session):
    """A session whose node follows."""

    def __init__(self, new: Json) -> None:
        Session.__init__(self, new)
        foca = self.foca
        self.observed = Observed()
        self.queued: dict[str, list[Any]] = {}
        """Address -> member, of the updates that were queued before the last step."""
        foca.picker = FollowingPicker(self, self.observed)
        foca.members.rng = AppendingRng()
        self.known: list[str] = []
        for part, kind in ((foca.backlog, FollowingBacklog), (foca.items, FollowingItems)):
            if part:
                part.__class__ = kind
                part.session = self
                part.observed = self.observed

    def sent_count(self) -> int:
        """How many datagrams this step has sent so far."""
        return sum(1 for event in self.recorder.events if event[0] == "send")

    def order(self) -> list[str]:
        """The addresses of our members, in their order."""
        return [address(self.text(row)) for row in self.foca.iter_membership_state()]

    def follow(self, crate: Json) -> None:
        """Prepare for a step that the crate has just done."""
        foca = self.foca
        self.known = self.order()
        self.observed.load(crate)
        self.queued = {
            address(self.text(row)): self.member(row)
            for row in foca.iter_membership_state()
            if foca.members.left[row]
        }

    def take_order(self) -> None:
        """Put our members into the crate's order, if they are the same ones."""
        members = self.foca.members
        rows = dict(zip(self.order(), list(members.order[: members.count]), strict=True))
        if sorted(rows) == sorted(self.observed.order):
            for index, name in enumerate(self.observed.order):
                members.order[index] = rows[name]

    def settle(self) -> None:
        """Put newcomers where the crate did, if one swap for each explains the crate's order."""
        now = self.order()
        newcomers = now[len(self.known) :]
        if newcomers and now[: len(self.known)] == self.known:
            if without_newcomers(self.observed.order, newcomers) == self.known:
                self.take_order()

    def result(self, status: str) -> Json:
        """The result of a step, when every newcomer has its place."""
        self.settle()
        result: Json = Session.result(self, status)
        return result

    def step(self, step: Json, crate: Json | None = None) -> Json:
        """One step, following the crate."""
        if crate:
            self.follow(crate)
        result: Json = Session.step(self, step)
        return result

    def fire(self, timer: list[Any], crate: Json) -> Json:
        """Fire our next timer, which is `timer`."""
        self.follow(crate)
        result: Json = self.fire_next(timer[0])
        return result
