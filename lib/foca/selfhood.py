"""Our own identity: refute, renew, change, leave. Floor 3.

    Suspect(i) about us        raise our incarnation above i and gossip; at 65535 renew instead
    Down about us              renew (a larger bump), gossip as the new one; if impossible: Undead
    our address, another bump  it is not alive, we are: recorded as Down

Hardened, beyond the reference: after `leave_cluster` nobody can make us rejoin; renewals that
repeat quickly grow in steps of 1, 16, 256 .. (peers remember a later life of a board without a
clock, and hold it Down); an identity with our address and a larger bump makes us jump past it at
once; renewals are rate limited, so that two boards with one address do not bump each other for
ever.
Source: docs/WIRE.md, "Our own identity"; docs/DIFFERENCES.md.
"""

from ._port import const, ticks_diff
from .effects import apply, become_undead, reconsider, stop, tell
from .outgoing import gossip

_TYPING = const(0)
if _TYPING:
    from .node import Foca

_LIMIT_RENEWAL = const(3)
_NOT_UNDEAD = const(8)
_OK = const(0)
_REJOIN = const(6)
_RENEWALS = const(23)
_RENEWALS_LIMITED = const(29)
_SAME_IDENTITY = const(9)
_SELF = const(0)
_UPDATE = const(4)
_OLD = const(5)
_CALL = const(7)
_GONE = const(8)
_SUSPECT = const(1)
_DOWN = const(2)
_INCARNATION_MAX = const(65535)
_DISCONNECTED = const(0)
_UNDEAD = const(2)
_QUICK_MS = const(10000)
_STEP_MAX = const(1 << 28)


def apply_update(foca: "Foca", broadcast: bool) -> int:
    """Apply the member at row UPDATE, whoever it is about; returns a status.

    A failed gossip on the way is the status; the update is applied all the same.
    """
    members = foca.members
    if not members.same_address(_UPDATE, _SELF):
        apply(foca, _UPDATE, broadcast)
        return _OK
    if members.same_identity(_UPDATE, _SELF):
        return about_us(foca, members.states[_UPDATE], members.incarnations[_UPDATE])
    if not foca.config.strict and members.wins(_UPDATE, _SELF) and not foca.has_left:
        return jump(foca)
    members.states[_UPDATE] = _DOWN
    members.incarnations[_UPDATE] = 0
    apply(foca, _UPDATE, broadcast)
    return _OK


def about_us(foca: "Foca", state: int, incarnation: int) -> int:
    """Somebody says that we are in `state`; returns a status."""
    own = foca.members.incarnations[_SELF]
    if state == _SUSPECT:
        highest = incarnation if incarnation > own else own
        if highest == _INCARNATION_MAX:
            return _rejoin_or_die(foca)
        if incarnation >= own:
            foca.members.incarnations[_SELF] = highest + 1
        return gossip(foca)
    if state == _DOWN:
        return _rejoin_or_die(foca)
    return _OK


def _rejoin_or_die(foca: "Foca") -> int:
    strict = foca.config.strict
    if not strict and foca.has_left:
        return _OK
    members = foca.members
    members.copy(_SELF, _OLD)
    if _renew_old(foca, 1 if strict else _step(foca)) and members.wins(_OLD, _SELF):
        return _rejoin(foca)
    members.copy(_SELF, _OLD)  # a long step may have left the range
    if not strict and _renew_old(foca, 1) and members.wins(_OLD, _SELF):
        return _rejoin(foca)
    become_undead(foca)
    return _OK


def _renew_old(foca: "Foca", step: int) -> bool:
    return foca.layout.renew(foca.members.ids, _OLD * foca.layout.record_bytes, step)


def jump(foca: "Foca") -> int:
    """UPDATE has our address and a larger bump: become its successor, or wait if there is none."""
    members = foca.members
    members.copy(_UPDATE, _OLD)
    if _renew_old(foca, 1) and members.wins(_OLD, _UPDATE):
        return _rejoin(foca)
    return _OK


def _step(foca: "Foca") -> int:
    """How far to renew: 16 times as far as last time when that was only just, else by one."""
    elapsed = ticks_diff(foca.now_ms, foca.renewed_ms)  # negative after six days
    if not foca.renew_step or elapsed > _QUICK_MS or elapsed < 0:
        return 1
    return foca.renew_step * 16 if foca.renew_step < _STEP_MAX else _STEP_MAX


def _rejoin(foca: "Foca") -> int:
    """Take the identity in OLD; returns a status. Hardened: as often as `renewals_max` allows."""
    if not foca.config.strict:
        if not foca.limits.take(_LIMIT_RENEWAL, foca.now_ms):
            foca.counters[_RENEWALS_LIMITED] += 1
            return _OK
        foca.renew_step = _step(foca)
        foca.renewed_ms = foca.now_ms
    foca.counters[_RENEWALS] += 1
    status = _become(foca, _OLD)
    if not status or not foca.config.strict:  # the reference stops half way
        foca.runtime.notify(_REJOIN, _SELF)
    if not foca.config.strict:
        # who else would wake us, if nobody we know goes by that name any more?
        reconsider(foca)
    return status


def _become(foca: "Foca", row: int) -> int:
    """Swap identities, start over, tell that the old one is Down, and gossip from the new one."""
    members = foca.members
    if foca.connection != _UNDEAD:
        _queue_gone(foca)
    members.copy(row, _SELF)
    foca.codec.know_own()
    members.know_own()
    reset(foca)
    return gossip(foca)


def _queue_gone(foca: "Foca") -> None:
    """Tell that our identity is Down: after leaving, and when it changes."""
    members = foca.members
    members.copy(_SELF, _GONE)
    members.states[_GONE] = _DOWN
    members.incarnations[_GONE] = 0
    members.lengths[_GONE] = 0
    tell(foca, _GONE)
    row = members.find(_SELF)
    if row:
        members.left[row] = 0


def reset(foca: "Foca") -> None:
    """Start over as a Disconnected node with incarnation 0; members and backlogs are kept."""
    stop(foca, _DISCONNECTED)
    foca.members.incarnations[_SELF] = 0
    foca.has_left = False


def change_identity(foca: "Foca") -> int:
    """Become the identity at row CALL."""
    if foca.members.same_identity(_CALL, _SELF):
        return _SAME_IDENTITY
    return _become(foca, _CALL)


def reuse_down_identity(foca: "Foca") -> int:
    """Be alive again under the same identity. Hardened: our own Down is not told any more."""
    if foca.connection != _UNDEAD:
        return _NOT_UNDEAD
    if not foca.config.strict:
        foca.members.left[_GONE] = 0
    reset(foca)
    return _OK


def leave(foca: "Foca") -> int:
    """Tell a few members that we are Down, then be Undead."""
    _queue_gone(foca)
    status = gossip(foca)
    if status and foca.config.strict:  # the reference stops half way
        return status
    become_undead(foca)
    foca.has_left = True
    return status
