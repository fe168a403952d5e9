"""The second half of `load` in state.py: fill a new node with what was saved. Floor 4.

Allocates freely. Loaded only by `load`: a board that just saves needs no memory for it.
"""

from ._port import const, ticks_add, ticks_diff
from .errors import ConfigError
from .members import FIRST, GONE, PROBED, SELF
from .plain import SINGLES, get, identity_from_dict, member_from_dict, number, numbers
from .probe import HELPER
from .timers import TIMER_FORGET, TIMER_SUSPECT

_TYPING = const(0)
if _TYPING:
    from typing import Any  # noqa: TID251

    from .members import Members
    from .node import Foca

_TIME = (int, type(None))


def fill(foca: "Foca", save: "dict[str, Any]", now_ms: int) -> None:
    """Put everything but config and identity into `foca`; raises ConfigError."""
    members = foca.members
    members.incarnations[SELF] = number(save, "incarnation", 65535, "state")
    foca.connection = number(save, "connection", 2, "state")
    foca.generation = number(save, "generation", 255, "state")
    foca.has_left = get(save, "has_left", bool, "state")
    foca.renew_step = number(save, "renew_step", 1 << 29, "state")
    foca.renewed_ms = ticks_add(now_ms, -number(save, "renewed_ago_ms", 1 << 29, "state"))
    foca.picker._cursor = number(save, "cursor", 65535, "state")
    foca.newcomer = number(save, "newcomer", foca.members.rows - 1, "state")
    entries = get(save, "members", list, "state")
    if len(entries) > foca.config.members_max:
        raise ConfigError(
            "state.members has %d entries, members_max is %d"
            % (len(entries), foca.config.members_max)
        )
    for index, entry in enumerate(entries):
        _load_row(foca, entry, now_ms, "members[%d]" % index)
    _load_free(members, get(save, "free", list, "state"))
    if get(save, "gone", (dict, type(None)), "state"):
        _row_from_dict(foca, save["gone"], GONE, now_ms, "gone")
    foca.backlog.top = max(members.left)
    _load_probe(foca, get(save, "probe", dict, "state"))
    _load_timers(foca, get(save, "timers", list, "state"), now_ms)
    _load_small(foca, save, now_ms)


def _load_row(foca: "Foca", entry: "dict[str, Any]", now_ms: int, where: str) -> None:
    """Put a dumped member into its old row, and the row into the order and its chain."""
    members = foca.members
    row = number(entry, "row", members.rows - 1, where)
    if row < FIRST or members.lengths[row]:
        raise ConfigError("%s.row %d is no member row, or is there twice" % (where, row))
    _row_from_dict(foca, entry, row, now_ms, where)
    if members.find(row):
        raise ConfigError("%s.id has the address of another member" % where)
    bucket = members._bucket(row)
    members.links[row] = members.heads[bucket]
    members.heads[bucket] = row
    members.order[members.count] = row
    members.count += 1
    members.active += entry["state"] != "Down"
    members.lengths[row] = foca.codec.member_bytes(row)


def _row_from_dict(
    foca: "Foca", entry: "dict[str, Any]", row: int, now_ms: int, where: str
) -> None:
    members = foca.members
    member_from_dict(foca, entry, row, where)
    members.left[row] = number(entry, "left", 255, where)
    members.suspects[row] = _deadline(get(entry, "suspect_in_ms", _TIME, where), now_ms)
    members.forgets[row] = _deadline(get(entry, "forget_in_ms", _TIME, where), now_ms)
    members.marks[row] = HELPER if get(entry, "helper", bool, where) else 0
    if foca.suspected is not None:
        foca.suspected[row] = number(entry, "suspected", 65535, where)


def _load_free(members: "Members", rows: list[int]) -> None:
    """Hang up the free rows in their old order, so that newcomers get the same rows."""
    used = [members.order[i] for i in range(members.count)]
    if sorted(rows + used) != list(range(FIRST, members.rows)):
        raise ConfigError("state.free and the rows of state.members are not all rows once")
    members._free = 0
    for row in reversed(rows):
        members.links[row] = members._free
        members._free = row


def _load_probe(foca: "Foca", entry: "dict[str, Any]") -> None:
    probe = foca.probe
    probe.number = number(entry, "number", 255, "probe")
    probe.is_running = get(entry, "is_running", bool, "probe")
    probe.asked = get(entry, "asked", bool, "probe")
    probe.acked = get(entry, "acked", bool, "probe")
    probe._helpers = max(foca.members.marks) > 0
    identity_from_dict(foca, get(entry, "target", dict, "probe"), PROBED, "probe.target")
    foca.members.incarnations[PROBED] = number(entry, "incarnation", 65535, "probe")


def _load_timers(foca: "Foca", lefts: list[int | None], now_ms: int) -> None:
    timers = foca.timers
    members = foca.members
    if len(lefts) != len(SINGLES):
        raise ConfigError("state.timers has %d entries, not %d" % (len(lefts), len(SINGLES)))
    for index, kind in enumerate(SINGLES):
        if lefts[index] is not None:
            timers._note(kind, _deadline(lefts[index], now_ms))
    for kind, column in ((TIMER_SUSPECT, members.suspects), (TIMER_FORGET, members.forgets)):
        for row in range(FIRST, members.rows):
            left = ticks_diff(column[row], now_ms)
            if column[row] and (not timers.at[kind] or left < ticks_diff(timers.at[kind], now_ms)):
                timers._note(kind, column[row])


def _load_small(foca: "Foca", save: "dict[str, Any]", now_ms: int) -> None:
    rng = foca.members.rng
    rng._a, rng._b, rng._c = numbers(save, "rng", 3)
    limits = get(save, "limits", list, "state")
    for kind in range(len(foca.limits._tokens)):
        tokens, since = limits[kind] if len(limits) > kind else (0, 0)
        foca.limits._tokens[kind] = tokens
        foca.limits._since[kind] = ticks_add(now_ms, -since)
    for index, value in enumerate(numbers(save, "counters", len(foca.counters))):
        foca.counters[index] = value
    for index, entry in enumerate(get(save, "items", list, "state")):
        where = "items[%d]" % index
        data = bytes.fromhex(get(entry, "data", str, where))
        if foca.items is None or not foca.items.add(
            data, 0, len(data), number(entry, "left", 255, where)
        ):
            raise ConfigError("%s finds no room: pass the handler, and the same limits" % where)


def _deadline(left: int | None, now_ms: int) -> int:
    return 0 if left is None else ticks_add(now_ms, left) or 1
