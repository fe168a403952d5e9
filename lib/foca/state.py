"""A whole node as a plain dict, ready for JSON, and back. Floor 4; allocates freely.

    save = dump(foca, now_ms)           all that decides what the node will do; deadlines as
                                        milliseconds to go
    foca = load(save, now_ms, runtime)  a new node that goes on where the other one was

Loss-free: a node that was saved and loaded sends the same bytes as one that just ran on;
host_tests/unit/test_state.py lets both run. Members look as in plain.py; what is not valid raises
ConfigError naming the entry.
Source: the reference's serde feature (Config, Timer), and what its user has to keep beside them.
"""

from ._port import const, ticks_diff
from .address import parse
from .config import Config
from .errors import ConfigError
from .identity import Layout
from .members import GONE, PROBED, SELF
from .node import Foca
from .plain import SINGLES, get, identity_to_dict, member_to_dict
from .postcard import Postcard

_TYPING = const(0)
if _TYPING:
    from typing import Any  # noqa: TID251

    from .broadcast import BroadcastHandler
    from .codec import Codec
    from .items import Items
    from .members import Members
    from .runtime import Runtime

_VERSION = 1


def dump(foca: Foca, now_ms: int) -> "dict[str, Any]":
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
        "newcomer": foca.newcomer,
        "probe": _probe_to_dict(foca),
        "timers": [_left(foca.timers.at[kind], now_ms) for kind in SINGLES],
        "rng": [members.rng._a, members.rng._b, members.rng._c],
        "limits": [
            [foca.limits._tokens[kind], ticks_diff(now_ms, foca.limits._since[kind])]
            for kind in range(len(foca.limits._tokens))
        ],
        "items": _items_to_list(foca.items) if foca.items else [],
        "counters": list(foca.counters),
    }


def _row_to_dict(foca: Foca, row: int, now_ms: int) -> dict[str, object]:
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


def _probe_to_dict(foca: Foca) -> dict[str, object]:
    probe = foca.probe
    return {
        "number": probe.number,
        "is_running": probe.is_running,
        "asked": probe.asked,
        "acked": probe.acked,
        "target": identity_to_dict(foca, PROBED),
        "incarnation": foca.members.incarnations[PROBED],
    }


def _free_rows(members: "Members") -> list[int]:
    rows = []
    row = members._free
    while row:
        rows.append(row)
        row = members.links[row]
    return rows


def _left(deadline: int, now_ms: int) -> int | None:
    """Milliseconds until a deadline, negative when it is overdue, None when it is not set."""
    return ticks_diff(deadline, now_ms) if deadline else None


def _items_to_list(items: "Items") -> list[dict[str, object]]:
    entries = []
    for index in range(items.count):
        first = items._starts[index]
        data = items.store[first : first + items._sizes[index]]
        entries.append({"data": bytes(data).hex(), "left": items._left[index]})
    return entries


def load(
    save: "dict[str, Any]",
    now_ms: int,
    runtime: "Runtime",
    codec: "type[Codec]" = Postcard,
    layout: Layout | None = None,
    handler: "BroadcastHandler | None" = None,
) -> Foca:
    """A new `Foca` that goes on where the dumped one was; the other arguments as for `Foca`.

    `now_ms`: the time that deadlines are counted from. A handler starts empty: give it back its
    own state yourself.
    Raises ConfigError naming the entry that is missing or wrong, and then there is no node.
    """
    if get(save, "version", int, "state") != _VERSION:
        raise ConfigError("state.version %r is not %d" % (save["version"], _VERSION))
    config = Config.from_dict(get(save, "config", dict, "state"))
    own = get(save, "identity", dict, "state")
    layout = layout or Layout()
    record = parse(layout, get(own, "addr", str, "identity"), get(own, "bump", int, "identity"))
    foca = Foca(record, config, runtime, codec, layout, handler, seed=0)
    from .restore import fill

    fill(foca, save, now_ms)
    return foca
