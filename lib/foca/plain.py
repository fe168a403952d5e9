"""An identity, a member or a header as a plain dict, ready for JSON, and back. Floor 4.

Allocates freely.
Addresses are text, bumps and incarnations ints, states words. What is not valid raises ConfigError
naming the entry.
Source: the reference's serde feature (Header, Message, Member, State).
"""

from ._port import const
from .address import bump_of, parse, text_of
from .errors import ConfigError
from .members import DST, SELF, SRC, THIRD
from .wire import FLAGS, HAS_NUMBER, HAS_THIRD, MESSAGE_NAMES, STATE_NAMES

_TYPING = const(0)
if _TYPING:
    from typing import Any  # noqa: TID251

    from .node import Foca

SINGLES = (0, 1, 3, 4, 6, 7)
"""The timers that are no column of the table, in the order of a saved list of them."""


def identity_to_dict(foca: "Foca", row: int) -> dict[str, object]:
    """{"addr": text, "bump": int} of the identity at `row`."""
    record = foca.identity_of(row)
    return {"addr": text_of(foca.layout, record), "bump": bump_of(foca.layout, record)}


def identity_from_dict(
    foca: "Foca", entry: dict[str, object], row: int, where: str = "identity"
) -> None:
    """Put an identity into the scratch or member row `row`."""
    record = parse(foca.layout, get(entry, "addr", str, where), get(entry, "bump", int, where))
    width = foca.layout.record_bytes
    foca.members.ids[row * width : (row + 1) * width] = record


def member_to_dict(foca: "Foca", row: int) -> dict[str, object]:
    """{"id": identity, "incarnation": int, "state": "Alive", "Suspect" or "Down"}."""
    members = foca.members
    return {
        "id": identity_to_dict(foca, row),
        "incarnation": members.incarnations[row],
        "state": STATE_NAMES[members.states[row]],
    }


def member_from_dict(
    foca: "Foca", entry: dict[str, object], row: int, where: str = "member"
) -> None:
    """Put a member into the scratch or member row `row`."""
    identity_from_dict(foca, get(entry, "id", dict, where), row, where + ".id")
    incarnation = number(entry, "incarnation", 65535, where)
    state = get(entry, "state", str, where)
    if state not in STATE_NAMES:
        raise ConfigError("%s.state %r is not one of %s" % (where, state, ", ".join(STATE_NAMES)))
    foca.members.incarnations[row] = incarnation
    foca.members.states[row] = STATE_NAMES.index(state)


def members_from_list(
    foca: "Foca", entries: list[dict[str, object]], do_broadcast: bool, now_ms: int
) -> int:
    """`Foca.apply_many` for a list of member dicts, all valid or nothing changes; its status."""
    buf = bytearray(len(entries) * (foca.codec.identity_bytes_max() + 4))
    pos = 0
    for index, entry in enumerate(entries):
        member_from_dict(foca, entry, THIRD, "members[%d]" % index)
        pos = foca.codec.write_member(buf, pos, THIRD)
    return foca.apply_many(buf, pos, do_broadcast, now_ms)


def header_to_dict(foca: "Foca", head: int) -> dict[str, object]:
    """The header in the rows SRC, DST and THIRD after `codec.read_header` gave `head`."""
    tag = head & 15
    message: dict[str, object] = {"type": MESSAGE_NAMES[tag]}
    if FLAGS[tag] & HAS_THIRD:
        message["third"] = identity_to_dict(foca, THIRD)
    if FLAGS[tag] & HAS_NUMBER:
        message["number"] = head >> 4
    return {
        "src": identity_to_dict(foca, SRC),
        "src_incarnation": foca.members.incarnations[SRC],
        "dst": identity_to_dict(foca, SELF if foca.codec.is_for_us else DST),
        "message": message,
    }


def get(entry: object, name: str, kind: "type | tuple[type, ...]", where: str) -> "Any":
    """entry[name], which must be there and of the type `kind`, or ConfigError names it."""
    if not isinstance(entry, dict) or name not in entry:
        raise ConfigError("%s.%s is missing" % (where, name))
    value = entry[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise ConfigError("%s.%s is %r, which is no valid value" % (where, name, value))
    return value


def number(entry: object, name: str, largest: int, where: str) -> int:
    """entry[name], a whole number 0 .. `largest`."""
    value: int = get(entry, name, int, where)
    if not 0 <= value <= largest:
        raise ConfigError("%s.%s %d is not 0 .. %d" % (where, name, value, largest))
    return value


def numbers(entry: object, name: str, count: int) -> list[int]:
    """entry[name], a list of `count` whole numbers."""
    values: list[int] = get(entry, name, list, "state")
    if len(values) != count or not all([isinstance(value, int) for value in values]):
        raise ConfigError("state.%s must be a list of %d whole numbers" % (name, count))
    return values
