"""What the timers do: probe, suspect, declare Down, announce, gossip, forget. Floor 3.

    PROBE           verdict on the last probe, then Ping the next member; every probe_period_ms
    INDIRECT_PROBE  probe_rtt_ms after the Ping, no Ack yet: ask some members to ping it (PingReq)
    SUSPECT         suspect_to_down_after_ms after our verdict: it did not refute, so it is Down

         us ---Ping---> target            us --PingReq--> helper --IndirectPing--> target
         us <--Ack----- target            us <--ForwardedAck-- helper <--IndirectAck-- target

Only our own failed probe sets a suspect deadline, and the earliest one stays. Hardened: anything
that is applied to a member clears its deadline. Strict: it keeps running, and when it fires the
member gets a TurnUndead even if it refuted (the reference's behaviour); `suspected` keeps the
incarnation it was set for.
Source: docs/WIRE.md, "Probe cycle"; SWIM, section 3.1 and 4.2.
"""

from ._port import const, ticks_diff
from .effects import apply, reconsider
from .outgoing import send, spread, turn_undead

_TYPING = const(0)
if _TYPING:
    from .node import Foca

_INCOMPLETE_PROBE_CYCLE = const(10)
_OK = const(0)
_PROBE_FAILED = const(7)
_TIMER_ANNOUNCE = const(3)
_TIMER_ANNOUNCE_DOWN = const(6)
_TIMER_GOSSIP = const(4)
_TIMER_INDIRECT_PROBE = const(0)
_TIMER_PROBE = const(1)
_TIMER_SUSPECT = const(2)
_SELF = const(0)
_UPDATE = const(4)
_PROBED = const(6)
_PING = const(0)
_PING_REQ = const(2)
_ANNOUNCE = const(6)
_FEED = const(7)
_GOSSIP = const(8)
_SUSPECT = const(1)
_DOWN = const(2)
_IS_ACTIVE = const(1)
_SUCCESS = const(2)
_LOST = const(16)
_INDIRECT_PROBE = const(0)
_PROBE = const(1)
_SUSPECT_TIMER = const(2)
_ANNOUNCE_TIMER = const(3)
_GOSSIP_TIMER = const(4)
_FORGET_TIMER = const(5)
_FEED_TIMER = const(7)


def fire(foca: "Foca", kind: int) -> int:
    """Do what timer `kind` is for; returns a status. SUSPECT, FORGET: the row is `timers.row`."""
    if kind == _PROBE:
        return probe(foca)
    if kind == _INDIRECT_PROBE:
        return ask_helpers(foca)
    if kind == _GOSSIP_TIMER:
        return periodic_gossip(foca)
    if kind == _SUSPECT_TIMER:
        return suspect_to_down(foca, foca.timers.row)
    if kind == _FORGET_TIMER:
        if foca.members.states[foca.timers.row] == _DOWN:
            foca.members.remove(foca.timers.row)
        return _OK
    if kind == _ANNOUNCE_TIMER:
        return periodic_announce(foca)
    if kind == _FEED_TIMER:
        kind = foca.newcomer
        foca.newcomer = 0
        return send(foca, kind, _FEED, 0) if kind else _OK
    return periodic_announce_down(foca)


def probe(foca: "Foca") -> int:
    """End the last probe cycle with a verdict and start the next one."""
    current = foca.probe
    broken = current.is_running and not current.asked
    if broken:
        current.clear()
    if current.is_running and not current.acked:
        current.is_running = False
        foca.runtime.notify(_PROBE_FAILED, _PROBED)
        _suspect(foca)
    row = foca.picker.next()
    if not foca.config.strict:  # the chain goes on even if the Ping cannot be sent
        foca.timers.set(_TIMER_PROBE, foca.now_ms, foca.config.probe_period_ms)
    if row:
        current.start(row)
        row = send(foca, _PROBED, _PING | current.number << 4, 0)
        if row:
            return row
        foca.timers.set(_TIMER_INDIRECT_PROBE, foca.now_ms, foca.config.probe_rtt_ms)
    if foca.config.strict:
        foca.timers.set(_TIMER_PROBE, foca.now_ms, foca.config.probe_period_ms)
    return _INCOMPLETE_PROBE_CYCLE if broken else _OK


def _suspect(foca: "Foca") -> None:
    """PROBED gave no sign of life: suspect it, and set its deadline."""
    members = foca.members
    if not members.find(_PROBED):
        return
    members.copy(_PROBED, _UPDATE)
    members.states[_UPDATE] = _SUSPECT
    members.incarnations[_UPDATE] = members.incarnations[_PROBED]
    outcome = apply(foca, _UPDATE, True)
    if outcome & _LOST or not outcome & _IS_ACTIVE:
        return
    if foca.config.strict:
        _set_strict_deadline(foca, members.row)
    elif members.states[members.row] == _SUSPECT:
        if members.incarnations[members.row] == members.incarnations[_PROBED]:
            _set_deadline(foca, members.row)


def _set_deadline(foca: "Foca", row: int) -> None:
    """Give the suspect its time to refute; an earlier deadline stays (a config may be new)."""
    pending = foca.members.suspects[row]
    delay_ms = foca.config.suspect_to_down_after_ms
    if pending and ticks_diff(pending, foca.now_ms) <= delay_ms:
        return
    foca.timers.set_row(_TIMER_SUSPECT, row, foca.now_ms, delay_ms)


def _set_strict_deadline(foca: "Foca", row: int) -> None:
    """The reference sets one for each failed probe; here the earliest for an incarnation stays.

    A new incarnation sets it anew.
    """
    incarnation = foca.members.incarnations[_PROBED]
    if foca.suspected[row] != incarnation:
        foca.suspected[row] = incarnation
        foca.members.suspects[row] = 0
    _set_deadline(foca, row)


def ask_helpers(foca: "Foca") -> int:
    """The Ping was not answered within probe_rtt_ms: ask some others to try."""
    foca.probe.asked = True
    if not foca.probe.is_running or foca.probe.acked:
        return _OK
    row = foca.members.find_identity(_PROBED)
    if not row or foca.members.states[row] == _DOWN:
        return _OK
    count = foca.picker.choose(foca.config.num_indirect_probes, 0, row, None)
    head = _PING_REQ | foca.probe.number << 4
    row = 0
    status = _OK
    while row < count and not status:
        foca.probe.add_helper(foca.picker.rows[row])
        status = send(foca, foca.picker.rows[row], head, _PROBED)
        row += 1
    return status


def suspect_to_down(foca: "Foca", row: int) -> int:
    """The deadline of the suspect at `row` passed without a refutation."""
    members = foca.members
    outcome = 0
    members.copy(row, _UPDATE)
    if not foca.config.strict or foca.suspected[row] == members.incarnations[row]:
        members.states[_UPDATE] = _DOWN
        members.incarnations[_UPDATE] = members.incarnations[row]
        outcome = apply(foca, _UPDATE, True)
    reconsider(foca)
    if outcome & _SUCCESS or foca.config.strict:
        return turn_undead(foca, _UPDATE)
    return _OK


def periodic_announce(foca: "Foca") -> int:
    config = foca.config
    if not config.periodic_announce_ms:
        return _OK
    foca.timers.set(_TIMER_ANNOUNCE, foca.now_ms, config.periodic_announce_ms)
    count = foca.picker.choose(config.periodic_announce_members, 0, 0, None)
    return spread(foca, _ANNOUNCE, count)


def periodic_announce_down(foca: "Foca") -> int:
    """Announce to some Down members: after a partition they answer. Hardened: not to ourselves."""
    config = foca.config
    if not config.periodic_announce_to_down_ms:
        return _OK
    foca.timers.set(_TIMER_ANNOUNCE_DOWN, foca.now_ms, config.periodic_announce_to_down_ms)
    own = 0 if config.strict else foca.members.find(_SELF)
    count = foca.picker.choose(config.periodic_announce_to_down_members, 1, own, None)
    return spread(foca, _ANNOUNCE, count)


def periodic_gossip(foca: "Foca") -> int:
    """Gossip to some members, if there is anything to tell."""
    config = foca.config
    if not config.periodic_gossip_ms:
        return _OK
    foca.timers.set(_TIMER_GOSSIP, foca.now_ms, config.periodic_gossip_ms)
    if foca.backlog.is_empty() and not (foca.items and foca.items.count):
        return _OK
    count = foca.picker.choose(config.periodic_gossip_members, 0, 0, None)
    return spread(foca, _GOSSIP, count)
