"""A whole node as a plain dict, ready for JSON, and back. Floor 4: allocates freely.

    save = dump(foca, now_ms)               all that decides what the node will do; deadlines as milliseconds to go
    foca = load(save, now_ms, runtime)      a new node that goes on where the other one was

Loss-free: a node that was saved and loaded sends the same bytes as one that just ran on; host_tests/unit/test_state.py
lets both run. Members look as in plain.py; what is not valid raises ConfigError naming the entry.
Source: the reference's serde feature (Config, Timer), and what its user has to keep beside them.
"""

from ._port import ticks_add, ticks_diff
from .address import parse
from .config import Config
from .errors import ConfigError
from .identity import ipv4
from .members import FIRST, GONE, PROBED, SELF
from .node import Foca
from .plain import (
    get,
    identity_from_dict,
    identity_to_dict,
    member_from_dict,
    member_to_dict,
    number,
    numbers,
)
from .postcard import Postcard
from .probe import HELPER
from .timers import TIMER_FORGET, TIMER_SUSPECT

_VERSION = 1
_SINGLES = (0, 1, 3, 4, 6)  # the kinds of timers.py that are not columns


def dump(foca, now_ms):
    """The whole node as a dict. `now_ms`: the time that deadlines are counted from."""
    members = foca.members
    rows = [members.order[i] for i in range(members.count)]
    gone = _row_to_dict(foca, GONE, now_ms) if members.left[GONE] else None
    return {
        "version": _VERSION,
        "config": foca.config.to_dict(),
        "identity": identity_to_dict(foca, SELF),
        "incarnation": members.incarnations[SELF],
        "connection": foca.connection,
        "generation": foca.generation,
        "has_left": foca.has_left,
        "renewed_ago_ms": ticks_diff(now_ms, foca.renewed_ms) if foca.renew_step else 0,
        "renew_step": foca.renew_step,
        "members": [_row_to_dict(foca, row, now_ms) for row in rows],
        "free": _free_rows(members),
        "gone": gone,
        "cursor": foca.picker._cursor,
        "probe": _probe_to_dict(foca),
        "timers": [_left(foca.timers.at[kind], now_ms) for kind in _SINGLES],
        "rng": [members.rng._a, members.rng._b, members.rng._c],
        "limits": [
            [foca.limits._tokens[kind], ticks_diff(now_ms, foca.limits._since[kind])]
            for kind in range(len(foca.limits._tokens))
        ],
        "items": _items_to_list(foca.items) if foca.items else [],
        "counters": list(foca.counters),
    }


def _row_to_dict(foca, row, now_ms):
    members = foca.members
    entry = member_to_dict(foca, row)
    entry["row"] = row
    entry["left"] = members.left[row]
    entry["suspect_in_ms"] = _left(members.suspects[row], now_ms)
    entry["forget_in_ms"] = _left(members.forgets[row], now_ms)
    entry["helper"] = bool(members.marks[row])
    if foca.suspected is not None:
        entry["suspected"] = foca.suspected[row]
    return entry


def _probe_to_dict(foca):
    probe = foca.probe
    return {
        "number": probe.number,
        "is_running": probe.is_running,
        "asked": probe.asked,
        "acked": probe.acked,
        "target": identity_to_dict(foca, PROBED),
        "incarnation": foca.members.incarnations[PROBED],
    }


def _free_rows(members):
    rows = []
    row = members._free
    while row:
        rows.append(row)
        row = members.links[row]
    return rows


def _left(deadline, now_ms):
    """Milliseconds until a deadline, negative when it is overdue, None when it is not set."""
    return ticks_diff(deadline, now_ms) if deadline else None


def _items_to_list(items):
    entries = []
    for index in range(items.count):
        first = items._starts[index]
        data = items.store[first : first + items._sizes[index]]
        entries.append({"data": bytes(data).hex(), "left": items._left[index]})
    return entries


def load(save, now_ms, runtime, codec=Postcard, layout=None, handler=None):
    """A new `Foca` that goes on where the dumped one was; the other arguments as for `Foca`.

    `now_ms`: the time that deadlines are counted from. A handler starts empty: give it back its own state yourself.
    Raises ConfigError naming the entry that is missing or wrong, and then there is no node.
    """
    if get(save, "version", int, "state") != _VERSION:
        raise ConfigError("state.version %r is not %d" % (save["version"], _VERSION))
    config = Config.from_dict(get(save, "config", dict, "state"))
    own = get(save, "identity", dict, "state")
    layout = layout or ipv4()
    record = parse(layout, get(own, "addr", str, "identity"), get(own, "bump", int, "identity"))
    foca = Foca(record, config, runtime, codec, layout, handler, seed=0)
    members = foca.members
    members.incarnations[SELF] = number(save, "incarnation", 65535, "state")
    foca.connection = number(save, "connection", 2, "state")
    foca.generation = number(save, "generation", 255, "state")
    foca.has_left = get(save, "has_left", bool, "state")
    foca.renew_step = number(save, "renew_step", 1 << 29, "state")
    foca.renewed_ms = ticks_add(now_ms, -number(save, "renewed_ago_ms", 1 << 29, "state"))
    foca.picker._cursor = number(save, "cursor", 65535, "state")
    entries = get(save, "members", list, "state")
    if len(entries) > config.members_max:
        raise ConfigError(
            "state.members has %d entries, members_max is %d" % (len(entries), config.members_max)
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
    return foca


def _load_row(foca, entry, now_ms, where):
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


def _row_from_dict(foca, entry, row, now_ms, where):
    members = foca.members
    member_from_dict(foca, entry, row, where)
    members.left[row] = number(entry, "left", 255, where)
    members.suspects[row] = _deadline(get(entry, "suspect_in_ms", _TIME, where), now_ms)
    members.forgets[row] = _deadline(get(entry, "forget_in_ms", _TIME, where), now_ms)
    members.marks[row] = HELPER if get(entry, "helper", bool, where) else 0
    if foca.suspected is not None:
        foca.suspected[row] = number(entry, "suspected", 65535, where)


def _load_free(members, rows):
    """Hang up the free rows in their old order, so that newcomers get the same rows."""
    used = [members.order[i] for i in range(members.count)]
    if sorted(rows + used) != list(range(FIRST, members.rows)):
        raise ConfigError("state.free and the rows of state.members are not all rows once")
    members._free = 0
    for row in reversed(rows):
        members.links[row] = members._free
        members._free = row


def _load_probe(foca, entry):
    probe = foca.probe
    probe.number = number(entry, "number", 255, "probe")
    probe.is_running = get(entry, "is_running", bool, "probe")
    probe.asked = get(entry, "asked", bool, "probe")
    probe.acked = get(entry, "acked", bool, "probe")
    probe._helpers = max(foca.members.marks) > 0
    identity_from_dict(foca, get(entry, "target", dict, "probe"), PROBED, "probe.target")
    foca.members.incarnations[PROBED] = number(entry, "incarnation", 65535, "probe")


def _load_timers(foca, lefts, now_ms):
    timers = foca.timers
    members = foca.members
    if len(lefts) != len(_SINGLES):
        raise ConfigError("state.timers has %d entries, not %d" % (len(lefts), len(_SINGLES)))
    for index, kind in enumerate(_SINGLES):
        if lefts[index] is not None:
            timers._note(kind, _deadline(lefts[index], now_ms))
    for kind, column in ((TIMER_SUSPECT, members.suspects), (TIMER_FORGET, members.forgets)):
        for row in range(FIRST, members.rows):
            left = ticks_diff(column[row], now_ms)
            if column[row] and (not timers.at[kind] or left < ticks_diff(timers.at[kind], now_ms)):
                timers._note(kind, column[row])


def _load_small(foca, save, now_ms):
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


_TIME = (int, type(None))


def _deadline(left, now_ms):
    return 0 if left is None else ticks_add(now_ms, left) or 1
