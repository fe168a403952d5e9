"""What happens in a simulated run, drawn from one seed, and the run itself. Parses on MicroPython.

A scenario switches whole kinds of faults on or off: bugs hide where many things happen, and where
only a few do (swarm testing). Each kind draws from a generator of its own, so leaving one out does
not change the others: that is how a failure is made shorter.

    wires   latency loss burst duplicate reorder truncate partition oneway partial
    boards  collect block kill restart amnesia leave late powersave queue arp drift wrap sleep
    config  small bincode forget overflow slow broadcast limited
    use     custom

Time line: the nodes boot within two seconds ("late" ones later) and join through the first ones;
faults come and go until `fault_us`; then all of them end, the dead stay dead, clocks stay wrong,
queues and tables stay small, and the cluster has its bound to agree and to become quiet.

Source of the idea: A. Groce and others, "Swarm testing" (ISSTA 2012).
"""

from foca._port import const
from foca.bincode import Bincode
from foca.config import Config
from foca.postcard import Postcard
from foca.rng import Rng
from simulation_checks import Bounds, CheckError, Checks
from simulation_custom import Customs
from simulation_world import MILLISECOND, SECOND, Node, World, record_of

_TYPING = const(0)
if _TYPING:
    from collections.abc import Sequence

KINDS = (
    "latency",
    "loss",
    "burst",
    "duplicate",
    "reorder",
    "truncate",
    "partition",
    "oneway",
    "partial",
    "collect",
    "block",
    "kill",
    "restart",
    "amnesia",
    "leave",
    "late",
    "powersave",
    "queue",
    "arp",
    "drift",
    "wrap",
    "sleep",
    "small",
    "bincode",
    "forget",
    "overflow",
    "slow",
    "broadcast",
    "custom",
    "limited",
)
"""Every kind of fault or of trouble; the place of a name is part of what a seed means."""

_LOOK_US = const(500000)
_ON = const(300)  # of 1000 seeds, so many have a given kind
_RARELY = const(80)
_RARE = ("overflow", "forget", "slow")

_BUMP = const(1000)

_CUSTOM_US = const(2000000)  # between two versions, when all shall hear of one
_CUSTOM_VERSIONS = const(30)


class Action:
    """Something that happens to the cluster at `at_us`."""

    def __init__(
        self, at_us: int, verb: str, node: int, span_us: int, masks: "Sequence[int]" = ()
    ) -> None:
        """verb: see Play. span_us: for how long. masks: who is cut off; the loss of a burst."""
        self.at_us = at_us
        self.verb = verb
        self.node = node
        self.span_us = span_us
        self.masks = list(masks)

    def text(self) -> str:
        """One line for people."""
        text = "%8.3f s  %-8s" % (self.at_us / SECOND, self.verb)
        if self.node >= 0:
            text += " node %d" % self.node
        if self.span_us:
            text += " for %.3f s" % (self.span_us / SECOND)
        if self.masks:
            text += " " + " ".join(["%x" % mask for mask in self.masks])
        return text


class Scenario:
    """Drawn from `seed`; the other arguments make it smaller.

    count: how many nodes, 0: drawn. without: kinds left out. only: if not empty, exactly these
    kinds. keep: the actions to keep, by number, None: all. seconds: of faults, 0: drawn.
    """

    def __init__(
        self,
        seed: int,
        count: int = 0,
        without: "Sequence[str]" = (),
        only: "Sequence[str]" = (),
        keep: "Sequence[int] | None" = None,
        seconds: int = 0,
    ) -> None:
        rng = Rng(seed * 64 + 63)
        self.seed = seed
        drawn = 3 + rng.below(4) + (rng.below(8) if rng.below(3) == 0 else 0)
        self.count = count or drawn
        span = 20 + rng.below(31)
        self.fault_us = (seconds or span) * SECOND
        self.kinds: list[str] = []
        for kind in KINDS:
            is_on = rng.below(1000) < (_RARELY if kind in _RARE else _ON)
            if only:
                is_on = kind in only
            if is_on and kind not in without:
                self.kinds.append(kind)
        self.actions: list[Action] = []
        self.fields: dict[str, int] = {}
        self._draw_config()
        self._draw_actions()
        self.actions.sort(key=lambda action: action.at_us)
        self.drawn = len(self.actions)
        if keep is not None:
            self.actions = [a for i, a in enumerate(self.actions) if i in keep]

    def has(self, kind: str) -> bool:
        """Whether a kind is on."""
        return kind in self.kinds

    def rng(self, kind: str) -> Rng:
        """The generator of one kind."""
        return Rng(self.seed * 64 + KINDS.index(kind))

    def config(self) -> Config:
        """What every node is configured with."""
        return Config.lan(self.count, **self.fields)

    def worst_loss(self) -> int:
        """What the bounds must allow for, of 1000 datagrams."""
        loss = 0
        if self.has("loss"):
            loss += 300
        if self.has("truncate"):
            loss += 50
        if self.has("queue") or self.has("arp") or self.has("collect"):
            loss += 150
        return loss

    def _draw_config(self) -> None:
        fields = self.fields
        fields["notify_data"] = True
        fields["members_max"] = self.count + 2
        if self.has("overflow"):
            fields["members_max"] = max(2, self.count // 2)
        if not self.has("slow"):  # what takes minutes takes seconds, so that a run is short
            fields["periodic_announce_ms"] = 5000
            fields["periodic_announce_to_down_ms"] = 7000
        if self.has("small"):
            rng = self.rng("small")
            fields["send_bytes_max"] = (128, 256, 512)[rng.below(3)]
        if self.has("forget"):
            fields["remove_down_after_ms"] = 15000
        if self.has("limited"):
            for name in ("turn_undeads_max", "relays_max", "feeds_max", "renewals_max"):
                fields[name] = 2
        if self.has("custom"):
            fields["items_max"] = (1, 3, 16)[self.rng("custom").below(3)]

    def _draw_actions(self) -> None:
        self._draw_cuts()
        self._draw_pauses()
        self._draw_lives()
        if self.has("burst"):
            rng = self.rng("burst")
            for _ in range(1 + rng.below(4)):
                at_us, span_us = self._span(rng, 8)
                self._add(at_us, "burst", -1, span_us, (300 + rng.below(701),))
        if self.has("custom"):
            rng = self.rng("custom")
            for _ in range(3 + rng.below(10)):
                at_us, _ = self._span(rng, 1)
                # one of them, or all at once
                self._add(at_us, "publish", rng.below(self.count) if rng.below(4) else -1)

    def _add(
        self, at_us: int, verb: str, node: int, span_us: int = 0, masks: "Sequence[int]" = ()
    ) -> None:
        self.actions.append(Action(at_us, verb, node, span_us, masks))

    def _span(self, rng: Rng, seconds_max: int) -> tuple[int, int]:
        """A time after the start, and how long from then on, all before the faults end."""
        start_us = 3 * SECOND
        at_us = start_us + rng.below(max(1, self.fault_us - start_us))
        span_us = 100 * MILLISECOND + rng.below(seconds_max * SECOND)
        return at_us, min(span_us, max(1, self.fault_us - at_us))

    def _draw_cuts(self) -> None:
        count = self.count
        whole = (1 << count) - 1
        for kind in ("partition", "oneway", "partial"):
            if not self.has(kind):
                continue
            rng = self.rng(kind)
            for _ in range(1 + rng.below(3)):
                at_us, span_us = self._span(rng, 25)
                group = [0]
                for index in range(count):
                    group[0] |= rng.below(2) << index
                masks = []
                for index in range(count):
                    other = whole & ~group[0] if group[0] >> index & 1 else group[0]
                    if kind == "oneway":
                        other = other if group[0] >> index & 1 else 0
                    elif kind == "partial":
                        other = rng.below(1 << min(count, 20)) & rng.below(1 << min(count, 20))
                    masks.append(other & ~(1 << index))
                self._add(at_us, "cut", -1, span_us, masks)

    def _draw_pauses(self) -> None:
        if self.has("collect"):
            rng = self.rng("collect")
            for index in range(self.count):
                every_us = (1 + rng.below(5)) * SECOND
                span_us = (5 + rng.below(90)) * MILLISECOND
                self._add(2 * SECOND + rng.below(every_us), "collect", index, span_us, (every_us,))
        if self.has("block"):
            rng = self.rng("block")
            for _ in range(1 + rng.below(4)):
                at_us, span_us = self._span(rng, 12)
                self._add(at_us, "block", rng.below(self.count), span_us)
        if self.has("sleep"):
            rng = self.rng("sleep")
            for _ in range(1 + rng.below(2)):
                index = rng.below(self.count)
                every_us = (4 + rng.below(16)) * SECOND
                at_us = 3 * SECOND + rng.below(every_us)
                while at_us + SECOND < self.fault_us:
                    span_us = min(every_us // 2, self.fault_us - at_us)
                    self._add(at_us, "sleep", index, span_us)
                    at_us += every_us

    def _draw_lives(self) -> None:
        for kind, verb in (
            ("kill", "kill"),
            ("restart", "restart"),
            ("amnesia", "amnesia"),
            ("leave", "leave"),
        ):
            if not self.has(kind):
                continue
            rng = self.rng(kind)
            for _ in range(1 + rng.below(3)):
                index = rng.below(self.count)
                if kind == "kill" and index < 2:
                    continue  # two seeds stay, so that the others can come back
                at_us, span_us = self._span(rng, 15)
                self._add(at_us, verb, index, span_us)

    def text(self) -> str:
        """What it does, for people: a line, then one for each action."""
        lines = [
            "%d nodes, faults until %d s: %s"
            % (self.count, self.fault_us // SECOND, " ".join(self.kinds) or "none")
        ]
        return "\n".join(lines + [a.text() for a in self.actions])


class Outcome:
    """How a run ended."""

    def __init__(self) -> None:
        self.digest = ""
        self.check = ""
        """The check that failed, or ""."""
        self.problem = ""
        self.views_us = -1
        """How long after the faults the views were equal."""
        self.end_us = 0
        self.events = 0
        self.datagrams = 0
        self.lost = 0
        self.overruns = 0
        self.unresolved = 0
        self.renewals = 0
        self.false_suspicions = 0
        self.false_downs = 0
        self.longest_down_us = 0
        self.told = 0


class Play:
    """One scenario in one world."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario.seed, scenario.count)
        self.config = scenario.config()
        self.bounds = Bounds(self.config, scenario.count, scenario.worst_loss())
        self.checks = Checks(
            self.world, self.bounds, scenario.has("forget"), scenario.has("overflow")
        )
        self.world.checks = self.checks
        if scenario.has("custom"):
            self.checks.customs = Customs(self.world, self.checks)
        self.is_calm = False
        self.error: Exception | None = None
        seeds = min(2, scenario.count)
        self.seeds = [record_of(index + 1, 0) for index in range(seeds)]
        if scenario.has("broadcast") and scenario.rng("broadcast").below(2):
            self.seeds = []
        self._set_wires()
        for node in self.world.nodes:
            self._set_board(node)

    def _set_wires(self) -> None:
        scenario = self.scenario
        wires = self.world.wires
        if scenario.has("latency"):
            rng = scenario.rng("latency")
            wires.base_us = (500, 2000, 20000, 60000)[rng.below(4)]
            wires.spread_us = wires.base_us * (1 + rng.below(3))
            wires.tail = (0, 50, 200)[rng.below(3)]
        if scenario.has("loss"):
            wires.loss = (10, 50, 100, 200, 300)[scenario.rng("loss").below(5)]
        if scenario.has("duplicate"):
            wires.duplicate = (20, 200, 500)[scenario.rng("duplicate").below(3)]
        if scenario.has("reorder"):
            rng = scenario.rng("reorder")
            wires.reorder = (20, 200)[rng.below(2)]
            wires.reorder_us = (100 * MILLISECOND, 1500 * MILLISECOND)[rng.below(2)]
        if scenario.has("truncate"):
            wires.truncate = (10, 50)[scenario.rng("truncate").below(2)]

    def _set_board(self, node: Node) -> None:
        scenario = self.scenario
        rng = Rng(scenario.seed * 65536 + node.index * 64 + 62)
        node.phase_us = rng.below(SECOND)
        node.start_ms = rng.below(1 << 29) + 1
        boot_us = rng.below(2 * SECOND)
        late = 3 * SECOND + rng.below(max(1, scenario.fault_us - 3 * SECOND))
        drift = rng.below(40001) - 20000
        queue = rng.below(3)
        wrap = rng.below(scenario.fault_us // 1000 + 60000)
        beacon = (100 + 100 * rng.below(3)) * MILLISECOND
        draw = [rng.below(2) for _ in range(4)]
        if scenario.has("late") and node.index > 1 and draw[0]:
            boot_us = late
        if scenario.has("drift"):
            node.drift_ppm = drift
        if scenario.has("wrap"):
            node.start_ms = (1 << 30) - wrap
        if scenario.has("queue") and draw[1]:
            node.queue_max = (1, 4, 6)[queue]
            node.poll_us = 20 * MILLISECOND
        if scenario.has("powersave") and draw[2]:
            node.beacon_us = beacon
        if scenario.has("arp"):
            node.arp_max = 10 if scenario.count > 11 else 3
        node.codec = Bincode if scenario.has("bincode") else Postcard
        self.world.call(boot_us, lambda: self.boot(node, _BUMP))

    # what can happen

    def boot(self, node: Node, bump: int, dump: bytes = b"") -> None:
        """Switch a node on, unless it is."""
        if not node.is_up:
            node.boot(self.config, bump, self.seeds, dump, self.scenario.has("broadcast"))
            self.world.log("boot %d;" % node.index)

    def perform(self, action: Action) -> None:
        """Let an action begin, and have it end."""
        self.world.log("%s %d;" % (action.verb, action.node))
        if action.verb == "cut":
            self._cut(action)
        elif action.verb == "burst":
            self._burst(action)
        elif action.verb == "publish":
            self._publish(action.node)
        else:
            self._strike(self.world.nodes[action.node % self.scenario.count], action)

    def _cut(self, action: Action) -> None:
        world = self.world
        masks = action.masks
        world.wires.set_cut(masks, True)
        end_us = min(action.at_us + action.span_us, self.scenario.fault_us)
        world.call(end_us, lambda: world.wires.set_cut(masks, False))

    def _burst(self, action: Action) -> None:
        wires = self.world.wires
        wires.burst = action.masks[0]

        def end() -> None:
            wires.burst = 0
            wires.calm_us = self.world.now_us

        end_us = min(action.at_us + action.span_us, self.scenario.fault_us)
        self.world.call(end_us, end)

    def _publish(self, index: int) -> None:
        customs: Customs = self.checks.customs  # type: ignore[assignment]
        for node in self.world.nodes:
            if index < 0 or node.index == index % self.scenario.count:
                customs.publish(node)

    def _strike(self, node: Node, action: Action) -> None:
        """What happens to one node; nothing, if it is off."""
        world = self.world
        end_us = action.at_us + action.span_us
        if not node.is_up:
            return
        if action.verb == "collect":
            self._collect(node, action)
        elif action.verb == "block":
            node.block(action.span_us)
        elif action.verb == "sleep":
            node.radio(False)
            world.call(end_us, lambda: node.radio(True))
        elif action.verb == "kill":
            self._off(node)
        elif action.verb == "leave":
            node.leave()
            self.checks.died_us[node.index] = world.now_us
            if action.span_us % 2 or node.index < 2:  # the seeds come back
                world.call(end_us, lambda: self.boot(node, self._clock_bump(node)))
        elif action.verb == "restart":
            self._off(node)
            memory = node.memory if action.span_us % 2 else b""
            world.call(end_us, lambda: self.boot(node, self._clock_bump(node), memory))
        elif action.verb == "amnesia":
            self._off(node)
            world.call(end_us, lambda: self.boot(node, _BUMP))

    def _off(self, node: Node) -> None:
        node.kill()
        self.checks.died_us[node.index] = self.world.now_us

    def _clock_bump(self, node: Node) -> int:
        """A bump that is larger than every earlier one of this node."""
        return node.bump + 1

    def _collect(self, node: Node, action: Action) -> None:
        """A collection, and the next one."""
        if self.is_calm or not node.is_up:
            return
        node.block(action.span_us)
        at_us = self.world.now_us + action.masks[0]
        self.world.call(at_us, lambda: self._collect(node, action))

    def calm(self) -> None:
        """All faults end."""
        self.is_calm = True
        self.world.log("calm;")
        self.world.wires.calm()
        for node in self.world.nodes:
            node.loss = 0
            node.beacon_us = 0
            if not node.has_radio:
                node.radio(True)

    # the run

    def run(self) -> Outcome:
        """From the first boot to the last check."""
        outcome = Outcome()
        try:
            self._run(outcome)
        except CheckError as violation:
            outcome.check = violation.check
            outcome.problem = str(violation)
        except Exception as error:
            outcome.check = "crash"
            outcome.problem = "%s: %s" % (type(error).__name__, error)
            self.error = error
        self._describe(outcome)
        return outcome

    def _run(self, outcome: Outcome) -> None:
        world = self.world
        for action in self.scenario.actions:
            self._call(action)
        world.call(self.scenario.fault_us, self.calm)
        while world.now_us < self.scenario.fault_us:
            self._step()
        # a node that was to come back comes back
        end_us = self.scenario.fault_us + 16 * SECOND
        while self._is_expected(end_us):
            self._step()
        calm_us = world.now_us
        if self.scenario.has("overflow"):
            self._end_crowded(calm_us, outcome)
        else:
            self._end(calm_us, outcome)

    def _call(self, action: Action) -> None:
        self.world.call(action.at_us, lambda: self.perform(action))

    def _is_expected(self, end_us: int) -> bool:
        """Whether some node may still boot, or its loop has to come back."""
        world = self.world
        if world.now_us < end_us and (
            self.scenario.has("restart")
            or self.scenario.has("amnesia")
            or self.scenario.has("leave")
        ):
            return True
        return any([node.is_up and not node.is_healthy() for node in world.nodes])

    def _step(self) -> None:
        world = self.world
        world.run(world.now_us + _LOOK_US)
        self.checks.look()

    def _end(self, calm_us: int, outcome: Outcome) -> None:
        """Views become equal within the bound, then stay equal, and it becomes quiet."""
        world = self.world
        checks = self.checks
        bounds = self.bounds
        limit_us = calm_us + bounds.views_ms * 1000
        while checks.difference():
            if world.now_us > limit_us:
                text = "after %d s of calm %s"
                checks.fail("views", text % (bounds.views_ms // 1000, checks.difference()))
            self._step()
        outcome.views_us = world.now_us - calm_us
        settle_us = world.now_us + bounds.settle_ms * 1000
        while world.now_us < settle_us:
            self._step()
        before = sum([node.datagrams for node in world.nodes])
        start_us = world.now_us
        while world.now_us < start_us + bounds.quiet_ms * 1000:
            self._step()
            text = checks.difference()
            if text and not self._is_rough():
                checks.fail("quiet", "views were equal, and now " + text)
        living = sum([1 for node in world.nodes if node.is_up])
        sent = sum([node.datagrams for node in world.nodes]) - before
        allowed = bounds.quiet_per_second * living * bounds.quiet_ms // 1000
        if sent > allowed and not self._is_rough():
            text = "%d datagrams of %d nodes within %d s, %d would do"
            checks.fail("quiet", text % (sent, living, bounds.quiet_ms // 1000, allowed))
        if checks.customs:
            self._end_customs(checks.customs)

    def _end_customs(self, customs: Customs) -> None:
        """Nothing is left to tell; of some versions in a row everybody hears one."""
        world = self.world
        checks = self.checks
        if customs.queued():
            checks.fail("custom", customs.queued())
        origin = [node for node in world.nodes if node.is_up][0]
        first = customs.newest[origin.index] + 1
        for _ in range(_CUSTOM_VERSIONS):
            customs.publish(origin)
            end_us = world.now_us + _CUSTOM_US
            while world.now_us < end_us:
                self._step()
            if not customs.missing(origin, first):
                return
        text = "%s has heard of none of %d versions of node %d"
        who = customs.missing(origin, first)
        checks.fail("custom", text % (who, _CUSTOM_VERSIONS, origin.index))

    def _is_rough(self) -> bool:
        """Whether datagrams are lost even when nothing goes wrong."""
        return self.scenario.has("queue") or self.scenario.has("arp")

    def _end_crowded(self, calm_us: int, outcome: Outcome) -> None:
        """Small tables: they are used, and after a while nobody who is dead is in them."""
        world = self.world
        checks = self.checks
        bounds = self.bounds
        limit_us = calm_us + bounds.views_ms * 1000
        while checks.crowded():
            if world.now_us > limit_us:
                text = "after %d s of calm %s"
                checks.fail("overflow", text % (bounds.views_ms // 1000, checks.crowded()))
            self._step()
        outcome.views_us = world.now_us - calm_us

    def _describe(self, outcome: Outcome) -> None:
        world = self.world
        for node in world.nodes:
            outcome.datagrams += node.datagrams
            outcome.overruns += node.overruns
            outcome.unresolved += node.unresolved
            if node.foca is not None:
                outcome.renewals += node.foca.counters[23]
        checks = self.checks
        outcome.lost = world.wires.lost
        outcome.events = world.events
        outcome.end_us = world.now_us
        outcome.false_suspicions = checks.false_suspicions
        outcome.false_downs = checks.false_downs
        outcome.longest_down_us = checks.longest_down_us
        outcome.told = checks.told
        outcome.digest = world.finish()
