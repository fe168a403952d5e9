"""What follows when the table changed: tell it, remember it, report it, start or stop. Floor 3.

    Disconnected --- a member is active ---> Connected --- none is ---> Disconnected
         ^                                       |
         '---- reset -------- Undead <-----------'  (we left, or are Down and cannot renew)

Connected means that the timers run. Source: docs/WIRE.md, "State machine".
"""

from ._port import const

_TYPING = const(0)
if _TYPING:
    from .node import Foca

_ACTIVE = const(3)
_DEFUNCT = const(5)
_EVICTED_MEMBERS = const(19)
_IDLE = const(4)
_MEMBER_DOWN = const(1)
_MEMBER_UP = const(0)
_REFUSED_MEMBERS = const(18)
_RENAME = const(2)
_TIMER_ANNOUNCE = const(3)
_TIMER_ANNOUNCE_DOWN = const(6)
_TIMER_FORGET = const(5)
_TIMER_GOSSIP = const(4)
_TIMER_PROBE = const(1)
_SELF = const(0)
_GONE = const(8)
_DOWN = const(2)
_IS_ACTIVE = const(1)
_SUCCESS = const(2)
_CHANGED = const(4)
_REPLACED = const(8)
_REFUSED = const(32)

DISCONNECTED = 0
CONNECTED = 1
UNDEAD = 2

_DISCONNECTED = const(0)
_CONNECTED = const(1)
_UNDEAD = const(2)


def apply(foca: "Foca", update: int, broadcast: bool) -> int:
    """Apply the member at row `update` and do what follows; returns the flags of `Members.apply`.

    `broadcast`: whether to pass it on.
    """
    outcome = foca.members.apply(update)
    if outcome & _SUCCESS:
        foca.counters[_EVICTED_MEMBERS] = foca.members.evicted
        follow(foca, foca.members.row, outcome, broadcast)
    elif outcome & _REFUSED:
        foca.counters[_REFUSED_MEMBERS] += 1
    return outcome


def follow(foca: "Foca", row: int, outcome: int, broadcast: bool) -> None:
    """What follows from the success of an update of `row`."""
    if broadcast:
        tell(foca, row)
    if not foca.config.strict:
        foca.members.suspects[row] = 0
    if not outcome & _IS_ACTIVE and foca.config.remove_down_after_ms:
        foca.timers.set_row(_TIMER_FORGET, row, foca.now_ms, foca.config.remove_down_after_ms)
    if outcome & _REPLACED:
        foca.runtime.notify(_RENAME, row)
    if outcome & _CHANGED:
        foca.runtime.notify(_MEMBER_UP if outcome & _IS_ACTIVE else _MEMBER_DOWN, row)


def tell(foca: "Foca", row: int) -> None:
    """Queue the state of `row`; what was queued under that address gives way, our own Down too.

    Hardened: a Down is told twice as often. With foca's numbers some members of a small cluster
    are never told, and find out by themselves many seconds later (docs/DECISIONS.md).
    """
    members = foca.members
    transmissions = foca.config.max_transmissions
    if members.states[row] == _DOWN and not foca.config.strict:
        transmissions = min(2 * transmissions, 255)
    if members.left[_GONE] and members.same_address(row, _GONE):
        members.left[_GONE] = 0
    foca.backlog.queue(row, transmissions)


def reconsider(foca: "Foca") -> None:
    """Connect when there is somebody, disconnect when there is nobody."""
    if foca.members.active:
        if foca.connection == _DISCONNECTED:
            _connect(foca)
    elif foca.connection == _CONNECTED:
        stop(foca, _DISCONNECTED)
        foca.runtime.notify(_IDLE, _SELF)


def _connect(foca: "Foca") -> None:
    config = foca.config
    timers = foca.timers
    foca.connection = _CONNECTED
    timers.set(_TIMER_PROBE, foca.now_ms, config.probe_period_ms)
    if config.periodic_announce_ms:
        timers.set(_TIMER_ANNOUNCE, foca.now_ms, config.periodic_announce_ms)
    if config.periodic_announce_to_down_ms:
        timers.set(_TIMER_ANNOUNCE_DOWN, foca.now_ms, config.periodic_announce_to_down_ms)
    if config.periodic_gossip_ms:
        timers.set(_TIMER_GOSSIP, foca.now_ms, config.periodic_gossip_ms)
    foca.runtime.notify(_ACTIVE, _SELF)


def stop(foca: "Foca", connection: int) -> None:
    """End the probe, all timers but FORGET and what waits for one. `connection`: the new state."""
    foca.connection = connection
    foca.generation = (foca.generation + 1) & 255
    foca.newcomer = 0
    foca.probe.clear()
    foca.timers.clear()


def become_undead(foca: "Foca") -> None:
    """We are out of the cluster until the identity changes. Hardened: reported only once."""
    was_undead = foca.connection == _UNDEAD
    stop(foca, _UNDEAD)
    if foca.config.strict or not was_undead:
        foca.runtime.notify(_DEFUNCT, _SELF)
