"""What must hold in a simulated cluster, whatever happens to it: safety, limits, liveness.

    name          looked at     what must hold
    refutation    each datagram  a Ping from somebody who suspects us tells so, and we refute it
    incarnation   each datagram, each look: ours grows while we keep our identity; what others know
                                of one identity neither shrinks nor exceeds what its owner said
    identity      each look     nobody is known under an identity he never had; at one address
                                identities only get newer; nobody holds himself active
    early         each Down     who declares a suspect Down waited suspect_to_down_after_ms first
    down          each look     who is up and can hear us is not Down with us for longer than it
                                takes him to learn it and to refute
    limits        each call     packets, transmissions, tables, waiting times and what is rate
                                limited keep to the config
    recount       each look     active, order, chains, free rows, deadlines, backlog and counters
                                equal a recount; the events tell as many active members
    dead          the end       the dead are Down everywhere within their bound
    views         the end       after the faults all views are equal within a bound
    quiet         the end       ... and stay equal, at the price of two datagrams a period
    custom        each datagram, the end: custom broadcasts, see simulation_custom.py
    crash         always        the machine raises nothing

A run whose tables are too small for the cluster has `overflow` instead of the last three: every
table is used to its limit, and holds nobody for alive who is long dead.

`Bounds` computes every bound from the configuration. These files parse on MicroPython.
"""

from foca._port import const, ticks_diff
from simulation_world import MASK, SECOND, WIDTH

_TYPING = const(0)
if _TYPING:
    from foca.config import Config
    from simulation_custom import Customs
    from simulation_world import Datagram, Node, World

_FIRST = const(9)
_PROBED = const(6)
_GONE = const(8)
_SUSPECT = const(1)
_DOWN = const(2)

_MEMBER_UP = const(0)
_MEMBER_DOWN = const(1)
_REJOIN = const(6)
_PROBE_FAILED = const(7)
_DATA_RECEIVED = const(8)
_DATA_SENT = const(9)

_PING = const(0)
_INDIRECT_PING = const(3)
_FEED = const(7)
_TURN_UNDEAD = const(10)

_DISCONNECTED = const(0)
_CONNECTED = const(1)
_UNDEAD = const(2)

_TIMER_PROBE = const(1)
_TIMER_SUSPECT = const(2)
_TIMER_FORGET = const(5)

_RENEWALS = const(23)
_DATAGRAMS_SENT = const(26)
_BYTES_SENT = const(27)
_DATAGRAMS_RECEIVED = const(28)

_DATA_STATUSES = (1, 2, 3, 4, 5, 6, 13)
"""What nothing but a datagram is answered with here, see foca/status.py."""

_JOIN_MS = const(75000)  # the longest pause between two tries to find peers
_RESTLESS = const(100)  # a turn does many things, so a few are enough for all that can be due
_LIMITS_MS = const(10000)  # what is rate limited is allowed again after so long


class Tally:
    """What one life of a node is seen to do, to be compared with what it counted itself."""

    def __init__(self) -> None:
        self.active = 0
        self.received = 0
        self.renewals = 0
        self.restless = 0
        """How many turns in a row wanted another one at once."""
        self.statuses = [0] * 16
        self.limited: dict[int, list[int]] = {_FEED: [], _TURN_UNDEAD: [], -_REJOIN: []}
        """The times of what is rate limited, by tag or minus event: the last ten seconds."""


class CheckError(Exception):
    """A check failed: `check` is its name, `text` what was seen."""

    def __init__(self, check: str, text: str) -> None:
        Exception.__init__(self, check + ": " + text)
        self.check = check
        self.text = text


def attempts(loss: int) -> int:
    """How often to ask until one of a million questions stays without an answer.

    `loss`: of 1000 datagrams, on each way.
    """
    keep = 1000 - loss
    failing = 1000 - keep * keep // 1000
    left = 1000000
    count = 0
    while left > 0 and count < 1000:
        left = left * failing // 1000
        count += 1
    return count


class Bounds:
    """How long things may take, in milliseconds, for `count` nodes under `config`.

    Every member is probed at least once in two rounds of the round robin (2n - 1 periods), and
    everybody detects for himself if he hears nothing. Clocks may be 2 % slow. `loss`: in 1000.
    """

    def __init__(self, config: "Config", count: int, loss: int) -> None:
        period_ms = config.probe_period_ms
        round_ms = 2 * count * period_ms
        tries = attempts(loss)
        suspicion_ms = config.suspect_to_down_after_ms
        slow_ms = max(config.periodic_announce_ms, config.periodic_announce_to_down_ms, _JOIN_MS)
        spread_ms = 2 * len(bin(count)) * period_ms
        self.refute_ms = _slow(tries * (round_ms + 2 * period_ms) + _LIMITS_MS)
        """From being held Down by somebody we talk to, until he knows better."""
        down_ms = config.periodic_announce_to_down_ms or slow_ms
        picks = (count + 1) // 2 // config.periodic_announce_to_down_members + 1
        self.heal_ms = _slow(6 * tries * picks * down_ms)
        """The same, when both hold each other Down: one of them announces itself to the other."""
        self.dead_ms = _slow(2 * round_ms + 2 * period_ms + suspicion_ms)
        """From the last breath until Down everywhere, without loss."""
        self.views_ms = _slow(4 * slow_ms + self.dead_ms + 2 * spread_ms)
        """From the end of all faults until all views are equal."""
        self.settle_ms = _slow(suspicion_ms + 3 * period_ms)
        """From then on nothing is left to happen after so long."""
        self.quiet_ms = 10 * period_ms
        per_second = 2200 // period_ms + 1
        for interval_ms, members in (
            (config.periodic_announce_ms, config.periodic_announce_members),
            (config.periodic_announce_to_down_ms, config.periodic_announce_to_down_members),
        ):
            if interval_ms:
                per_second += 2 * members * 1000 // interval_ms + 1
        self.quiet_per_second = per_second
        """Datagrams that a node sends at most, on average, when nothing happens."""


def _slow(duration_ms: int) -> int:
    return duration_ms * 103 // 100 + 1000


class Checks:
    """Watches one world. A violation is raised where it is seen."""

    def __init__(self, world: "World", bounds: Bounds, forgets: bool, overflows: bool) -> None:
        """forgets: members are forgotten during the run; overflows: tables are too small."""
        self.world = world
        self.bounds = bounds
        self.forgets = forgets or overflows
        self.overflows = overflows
        self.customs: Customs | None = None
        self.issued: dict[bytes, int] = {}
        """Every identity that anybody ever had, and the highest incarnation he gave it."""
        count = len(world.nodes)
        self.identity: list[bytes] = [b""] * count
        self.incarnation = [0] * count
        self.accepted = [False] * count
        self.tally = [Tally() for _ in range(count)]
        self.failed: list[list[tuple[bytes, int]]] = [[] for _ in range(count)]
        self.seen: list[dict[int, tuple[bytes, int, int]]] = [{} for _ in range(count)]
        self.down_us = [-1] * (count * count)
        """Since when one holds the other Down, who could hear it."""
        self.talks_us = [-1] * (count * count)
        """... and talks to him all the time."""
        self.died_us = [-1] * count
        # what a run is described by
        self.looks = 0
        self.false_suspicions = 0
        self.false_downs = 0
        self.longest_down_us = 0
        self.told = 0

    def fail(self, check: str, text: str) -> None:
        """Raise the violation."""
        raise CheckError(check, "%d.%06d s: %s" % (self._second() + (text,)))

    def _second(self) -> tuple[int, int]:
        return self.world.now_us // SECOND, self.world.now_us % SECOND

    # what the nodes tell

    def booted(self, node: "Node") -> None:
        """`node` has a new machine."""
        self._know(node)
        self.tally[node.index] = Tally()
        self.seen[node.index] = {}
        self.failed[node.index] = []
        self.died_us[node.index] = -1

    def _know(self, node: "Node") -> None:
        identity = node.foca.identity()
        self.identity[node.index] = identity
        self.incarnation[node.index] = 0
        if identity not in self.issued:
            self.issued[identity] = 0

    def notified(self, node: "Node", event: int, row: int) -> None:
        """The machine of `node` reports an event."""
        tally = self.tally[node.index]
        if event == _DATA_RECEIVED:
            self.accepted[node.index] = True
            tally.received += 1
        elif event == _DATA_SENT:
            self._sent(node, row)
        elif event == _MEMBER_UP:
            tally.active += 1
        elif event == _REJOIN:
            self._know(node)
            tally.renewals += 1
            self._limit(node, -_REJOIN, node.foca.config.renewals_max)
        elif event == _PROBE_FAILED:
            record = node.foca.identity_of(_PROBED)
            self.failed[node.index].append((record, node.local_ms()))
            if self._is_there(record):
                self.false_suspicions += 1
        elif event == _MEMBER_DOWN:
            tally.active -= 1
            if node.in_tick:
                self._declared(node, node.foca.identity_of(row))

    def _is_there(self, record: bytes) -> bool:
        """Whether the owner of `record` is up and can hear."""
        index = (record[1] << 16 | record[2] << 8 | record[3]) - 1
        return self.world.nodes[index].is_healthy() and self.identity[index] == record

    def _sent(self, node: "Node", row: int) -> None:
        """Note what a Ping has to tell, and check the limits of what goes out."""
        foca = node.foca
        datagram = node.last
        if datagram is None:
            return
        if len(datagram.data) > foca.config.send_bytes_max:
            self.fail("limits", "node %d sends %d bytes" % (node.index, len(datagram.data)))
        datagram.sender = foca.identity()
        if self.customs:
            self.customs.sent(node, datagram)
        tag = foca.message_tag
        if tag == _FEED:
            self._limit(node, tag, foca.config.feeds_max)
        elif tag == _TURN_UNDEAD:
            self._limit(node, tag, foca.config.turn_undeads_max)
        if tag == _PING or tag == _INDIRECT_PING:
            row = foca.members.find_identity(row)
            if row and foca.members.states[row] == _SUSPECT:
                datagram.told = foca.members.incarnations[row]

    def _limit(self, node: "Node", kind: int, limit: int) -> None:
        """What may be done `limit` times at once, and as often again within ten seconds."""
        times = self.tally[node.index].limited[kind]
        now_ms = node.local_ms()
        times.append(now_ms)
        while ticks_diff(now_ms, times[0]) >= _LIMITS_MS:
            times.pop(0)
        if len(times) > 2 * limit:
            what = "renews" if kind < 0 else "sends message %d" % kind
            text = "node %d %s %d times within ten seconds"
            self.fail("limits", text % (node.index, what, len(times)))

    def _declared(self, node: "Node", record: bytes) -> None:
        """`node` declares a suspect Down: was its time really over?"""
        if self._is_there(record):
            self.false_downs += 1
        now_ms = node.local_ms()
        wait_ms = node.foca.config.suspect_to_down_after_ms
        for suspect, at_ms in self.failed[node.index]:
            if suspect == record and ticks_diff(now_ms, at_ms) >= wait_ms:
                return
        self.fail("early", "node %d declares %s Down too soon" % (node.index, name_of(record)))

    def before_data(self, node: "Node", datagram: "Datagram") -> None:
        """`node` is about to read a datagram."""
        self.accepted[node.index] = False

    def after_data(self, node: "Node", datagram: "Datagram", status: int) -> None:
        """`node` has read it."""
        self.tally[node.index].statuses[status] += 1
        before = self.identity[node.index]
        own = self.incarnation[node.index]
        self._own_incarnation(node)
        if not self.accepted[node.index]:
            return
        if self.customs and _holds_active(node, datagram.sender):
            self.customs.accepted(node, datagram, status)
        if datagram.told < own:
            return
        if node.has_left or before != node.foca.identity() or node.foca.connection == _UNDEAD:
            return
        if not _holds_active(node, datagram.sender):
            return  # nothing that an inactive sender says counts
        self.told += 1
        if node.foca.members.incarnations[0] <= datagram.told:
            text = "node %d is pinged by node %d, who suspects incarnation %d of it, and has %d"
            have = node.foca.members.incarnations[0]
            self.fail("refutation", text % (node.index, datagram.source, datagram.told, have))

    def _own_incarnation(self, node: "Node") -> None:
        own = node.foca.members.incarnations[0]
        if own != self.incarnation[node.index]:
            identity = node.foca.identity()
            if own < self.incarnation[node.index] and identity == self.identity[node.index]:
                text = "node %d lowers its own from %d to %d"
                self.fail("incarnation", text % (node.index, self.incarnation[node.index], own))
            self.incarnation[node.index] = own
            if own > self.issued.get(identity, -1):
                self.issued[identity] = own

    def after_turn(self, node: "Node", wait_ms: int) -> None:
        """`node` has ticked."""
        self._own_incarnation(node)
        if not 0 <= wait_ms <= 60000:
            self.fail("limits", "node %d wants to wait %d ms" % (node.index, wait_ms))
        tally = self.tally[node.index]
        tally.restless = 0 if wait_ms else tally.restless + 1
        if tally.restless > _RESTLESS:
            self.fail("limits", "node %d finds no rest" % node.index)

    # a look at everybody, now and then

    def look(self) -> None:
        """Check what can be seen from outside at any moment."""
        self.looks += 1
        for node in self.world.nodes:
            if node.is_up:
                self._compare(node)
                self._recount(node)
                self._downs(node)
                self._zombies(node)

    def _compare(self, node: "Node") -> None:
        """Against what this node knew at the last look, and against the truth."""
        foca = node.foca
        members = foca.members
        own = foca.identity()
        before = self.seen[node.index]
        now: dict[int, tuple[bytes, int, int]] = {}
        for i in range(members.count):
            row = members.order[i]
            record = foca.identity_of(row)
            state = members.states[row]
            incarnation = members.incarnations[row]
            who = "node %d knows %s" % (node.index, name_of(record))
            if record not in self.issued:
                self.fail("identity", who + ", who never existed")
            if incarnation > self.issued[record]:
                self.fail("incarnation", who + " with %d: never said" % incarnation)
            if record[:6] == own[:6] and state != _DOWN:
                self.fail("identity", who + ", its own address, as active")
            address = record[1] << 16 | record[2] << 8 | record[3]
            if address in now:
                self.fail("identity", who + ", under two identities")
            now[address] = (record, state, incarnation)
            if address in before and not self.forgets:
                self._later(who, before[address], now[address])
        self.seen[node.index] = now

    def _later(
        self, who: str, before: tuple[bytes, int, int], now: tuple[bytes, int, int]
    ) -> None:
        """What is known about one address only gets newer."""
        if now[0] < before[0]:
            self.fail("identity", who + ", older than " + name_of(before[0]))
        if now[0] > before[0]:
            return
        if before[1] == _DOWN and now[1] != _DOWN:
            self.fail("identity", who + ": Down, and back under the same identity")
        if now[1] != _DOWN and now[2] < before[2]:
            self.fail("incarnation", who + ": %d, then %d" % (before[2], now[2]))

    def _downs(self, node: "Node") -> None:
        """Who is up and can be reached is not Down with this node for long."""
        nodes = self.world.nodes
        for address, (_, state, _) in self.seen[node.index].items():
            other = nodes[address - 1]
            at = node.index * len(nodes) + other.index
            is_down = state == _DOWN and other is not node and self._can_talk(node, other)
            self._judge(node, other, self.down_us, at, is_down)
            is_down = is_down and self._talks(other, node)
            self._judge(node, other, self.talks_us, at, is_down)

    def _judge(
        self, node: "Node", other: "Node", since: list[int], at: int, is_down: bool
    ) -> None:
        """Has `other` been Down with `node` for too long?"""
        now_us = self.world.now_us
        if not is_down or since[at] < 0:
            since[at] = now_us if is_down else -1
            return
        allowed_ms = self.bounds.refute_ms
        if since is self.down_us:
            allowed_ms += self.bounds.heal_ms
        span_us = now_us - since[at]
        self.longest_down_us = max(self.longest_down_us, span_us)
        if span_us > allowed_ms * 1000 and not self.overflows:
            text = "node %d holds node %d Down for %d s, who is there and can hear"
            self.fail("down", text % (node.index, other.index, span_us // SECOND))

    def _can_talk(self, node: "Node", other: "Node") -> bool:
        """Whether both run, in company, and datagrams pass both ways."""
        if not node.is_healthy() or not other.is_healthy():
            return False
        if not node.foca.num_members() or not other.foca.num_members():
            return False  # who is alone looks for peers at his own pace
        wires = self.world.wires
        return not (wires.is_cut(node.index, other.index) or wires.is_cut(other.index, node.index))

    def _talks(self, node: "Node", other: "Node") -> bool:
        """Whether `node` holds the present identity of `other` active, and so pings it."""
        seen = self.seen[node.index].get(other.index + 1)
        return seen is not None and seen[1] != _DOWN and seen[0] == self.identity[other.index]

    def _zombies(self, node: "Node") -> None:
        """The dead are Down within their bound; counted from the calm if it came later."""
        if self.overflows:
            return
        calm_us = self.calm_us()
        for address, (record, state, _) in self.seen[node.index].items():
            died_us = self.died_us[address - 1]
            if state == _DOWN or died_us < 0 or calm_us < 0:
                continue
            since_us = self.world.now_us - max(died_us, calm_us, node.healthy_us)
            if since_us > self.bounds.dead_ms * 1000:
                text = "node %d holds %s active, %d s after its death"
                self.fail("dead", text % (node.index, name_of(record), since_us // SECOND))

    def calm_us(self) -> int:
        """Since when nothing disturbs the network; -1: something does."""
        wires = self.world.wires
        if wires.loss or wires.burst or wires.cuts or wires.truncate or wires.reorder:
            return -1
        return max(wires.cut_us, wires.calm_us)

    # the recount

    def _recount(self, node: "Node") -> None:
        problem = recount(node.foca) or self._counters(node)
        if self.customs and not problem:
            problem = self.customs.recount(node)
        if problem:
            self.fail("recount", "node %d: %s" % (node.index, problem))
        members = node.foca.members
        most = node.foca.config.max_transmissions
        for row in range(_GONE, members.rows):
            # hardened: a Down is told twice as often
            twice = members.states[row] == _DOWN and not node.foca.config.strict
            if members.left[row] > (min(2 * most, 255) if twice else most):
                text = "node %d: %d transmissions left of row %d"
                self.fail("limits", text % (node.index, members.left[row], row))
        if len(node.queue) > node.queue_max:
            self.fail("limits", "node %d: queue" % node.index)

    def _counters(self, node: "Node") -> str:
        counters = node.foca.counters
        if counters[_DATAGRAMS_SENT] != node.sent:
            return "counted %d datagrams, sent %d" % (counters[_DATAGRAMS_SENT], node.sent)
        if counters[_BYTES_SENT] != node.sent_bytes & MASK:
            return "counted %d bytes, sent %d" % (counters[_BYTES_SENT], node.sent_bytes)
        tally = self.tally[node.index]
        if counters[_DATAGRAMS_RECEIVED] != tally.received:
            text = "counted %d datagrams received, reported %d"
            return text % (counters[_DATAGRAMS_RECEIVED], tally.received)
        if counters[_RENEWALS] != tally.renewals:
            return "counted %d renewals of %d" % (counters[_RENEWALS], tally.renewals)
        for status in _DATA_STATUSES:
            if counters[status] != tally.statuses[status]:
                text = "counted status %d %d times, answered it %d times"
                return text % (status, counters[status], tally.statuses[status])
        if node.foca.num_members() != tally.active:
            text = "%d members are active, the events tell %d"
            return text % (node.foca.num_members(), tally.active)
        return ""

    # the end

    def living(self) -> list[bytes]:
        """The identities of who is up and did not leave."""
        return [self.identity[node.index] for node in self.world.nodes if node.is_up]

    def difference(self) -> str:
        """Where views differ from the truth; "" when all are equal."""
        living = self.living()
        for node in self.world.nodes:
            if node.is_up:
                text = self._difference(node, living)
                if text:
                    return text
        return ""

    def _difference(self, node: "Node", living: list[bytes]) -> str:
        foca = node.foca
        active: dict[bytes, int] = {}
        for row in foca.iter_members():
            active[foca.identity_of(row)] = foca.members.states[row]
        for record in living:
            if record != self.identity[node.index] and record not in active:
                return "node %d does not hold %s active" % (node.index, name_of(record))
        if len(active) != len(living) - 1:
            for record in sorted(active):
                if record not in living:
                    return "node %d holds %s active" % (node.index, name_of(record))
        for record in living:
            if active.get(record, 0) == _SUSPECT:
                return "node %d suspects %s" % (node.index, name_of(record))
        return ""

    def crowded(self) -> str:
        """The same for tables that are too small: full of living members, and of no others."""
        living = self.living()
        for node in self.world.nodes:
            if not node.is_up:
                continue
            foca = node.foca
            wanted = min(foca.config.members_max, len(living) - 1)
            if not foca.num_members() and wanted:
                return "node %d is alone" % node.index
            for row in foca.iter_members():
                if foca.identity_of(row) not in living:
                    record = foca.identity_of(row)
                    return "node %d holds %s active" % (node.index, name_of(record))
        return ""


def _holds_active(node: "Node", record: bytes) -> bool:
    members = node.foca.members
    for i in range(members.count):
        row = members.order[i]
        if members.states[row] < _DOWN and node.foca.identity_of(row) == record:
            return True
    return False


def name_of(record: bytes) -> str:
    """node 3#17: index and bump, short."""
    index = (record[1] << 16 | record[2] << 8 | record[3]) - 1
    return "node %d#%d" % (index, int.from_bytes(record[6:WIDTH], "big"))


def recount(foca) -> str:  # type: ignore[no-untyped-def]
    """What of a machine's books does not equal a recount; "" when all does."""
    return (
        _recount_rows(foca.members)
        or _recount_free(foca.members)
        or _recount_deadlines(foca)
        or _recount_connection(foca)
    )


def _recount_rows(members) -> str:  # type: ignore[no-untyped-def]
    if not 0 <= members.count <= len(members.order):
        return "%d members in %d places" % (members.count, len(members.order))
    seen = bytearray(members.rows)
    active = 0
    for i in range(members.count):
        row = members.order[i]
        if not _FIRST <= row < members.rows:
            return "row %d in the order" % row
        if seen[row]:
            return "row %d twice in the order" % row
        seen[row] = 1
        if members.find(row) != row:
            return "row %d is not found by its address" % row
        if members.states[row] > _DOWN:
            return "row %d has state %d" % (row, members.states[row])
        if members.states[row] < _DOWN:
            active += 1
    if active != members.active:
        return "active is %d, a recount gives %d" % (members.active, active)
    return ""


def _recount_free(members) -> str:  # type: ignore[no-untyped-def]
    chained = 0
    for head in members.heads:
        while head:
            chained += 1
            head = members.links[head]
            if chained > members.count:
                return "more rows in chains than members"
    if chained != members.count:
        return "%d rows in chains, %d members" % (chained, members.count)
    free = 0
    row = members._free
    while row:
        free += 1
        if free > members.rows:
            return "the free list has no end"
        if members.left[row] or members.suspects[row] or members.forgets[row]:
            return "free row %d is not empty" % row
        row = members.links[row]
    if free + members.count != members.rows - _FIRST:
        return "%d free and %d used rows of %d" % (free, members.count, members.rows - _FIRST)
    return ""


def _recount_deadlines(foca) -> str:  # type: ignore[no-untyped-def]
    members = foca.members
    timers = foca.timers
    for kind, column in ((_TIMER_SUSPECT, members.suspects), (_TIMER_FORGET, members.forgets)):
        for row in range(_FIRST, members.rows):
            if column[row] and (
                not timers.at[kind] or ticks_diff(timers.at[kind], column[row]) > 0
            ):
                return "the deadline of row %d comes before the noted one" % row
    for row in range(_FIRST, members.rows):
        if members.suspects[row] and not foca.config.strict and members.states[row] != _SUSPECT:
            return "row %d has a suspect's deadline and is none" % row
        if members.forgets[row] and members.states[row] != _DOWN:
            return "row %d is to be forgotten and not Down" % row
    for at in timers.at:
        if at and (not timers._next or ticks_diff(timers._next, at) > 0):
            return "a deadline comes before the next one"
    return ""


def _recount_connection(foca) -> str:  # type: ignore[no-untyped-def]
    members = foca.members
    top = 0
    for left in members.left:
        top = max(top, left)
    if foca.backlog.top < top:
        return "the backlog's top is %d, %d are left" % (foca.backlog.top, top)
    if foca.connection == _CONNECTED:
        if not members.active:
            return "connected to nobody"
        if not foca.timers.at[_TIMER_PROBE]:
            return "connected without a probe to come"
    elif foca.timers.at[_TIMER_PROBE]:
        return "probes without being connected"
    if foca.newcomer and members.find(foca.newcomer) != foca.newcomer:
        return "row %d waits for a Feed and is no member" % foca.newcomer
    return ""
