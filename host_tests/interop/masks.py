"""What the crate and our strict core may disagree on. Each mask is a row of docs/DIFFERENCES.md.

A mask looks at one compared step: `mask(run, step, crate, theirs, ours)`, where `theirs` and
`ours` hold what must agree, and `crate` is the whole result; `run.alone` tells that the crate
fired a timer that ours does not have. It returns "" when it has nothing to
say, "used" after it has made the two equal where they may differ, or "ends" when from now on the
two states are apart, so that the rest of the script tells nothing. How often each was used is
counted and printed.
"""

from collections.abc import Callable
from typing import Any

from ours import address

Json = dict[str, Any]
Mask = Callable[[Any, Json, Json, Json, Json], str]

MASKS: dict[str, Mask] = {}


def row(name: str) -> Callable[[Mask], Mask]:
    """Register a mask under the name of its row in docs/DIFFERENCES.md."""

    def register(mask: Mask) -> Mask:
        MASKS[name] = mask
        return mask

    return register


def late_suspicion(crate: Json, theirs: Json) -> str:
    """The identity of a ChangeSuspectToDown of the crate that only sent a TurnUndead, or ""."""
    timer = crate.get("timer", [0, 0, [""]])[2]
    if timer[0] != "ChangeSuspectToDown" or theirs["result"] != "Ok":
        return ""
    sends = [event["send"] for event in crate["events"] if "send" in event]
    if len(sends) != 1 or [event[:2] for event in theirs["events"]] != [
        ["send", timer[1]],
        ["notify", "DataSent"],
    ]:
        return ""
    identity: str = timer[1]
    told = sends[0]["header"][3] == ["TurnUndead"] and sends[0]["to"] == identity
    return identity if told else ""


@row("one-suspicion-per-member")
def one_suspicion_per_member(run: Any, step: Json, crate: Json, theirs: Json, ours: Json) -> str:
    """The crate starts a timer with every failed probe of a suspect; ours keeps the earliest.

    The later ones change nothing any more; they send a TurnUndead once again.
    """
    identity = late_suspicion(crate, theirs)
    if not identity or not run.alone or crate["timer"][0] not in run.overlapping:
        return ""
    if all(identity != member[0] for member in theirs["members"]):
        return ""
    theirs["events"] = []
    return "used"


@row("suspicion-of-a-former-identity")
def suspicion_of_a_former_identity(
    run: Any, step: Json, crate: Json, theirs: Json, ours: Json
) -> str:
    """A suspect came back under a newer identity: the crate still tells the former one that it is
    down; ours drops the deadline with the identity.
    """
    identity = late_suspicion(crate, theirs)
    if not identity or not run.alone:
        return ""
    known = [m[0] for m in theirs["members"] if address(m[0]) == address(identity)]
    if not known or known == [identity]:
        return ""
    theirs["events"] = []
    return "used"


@row("suspicion-of-a-forgotten-member")
def suspicion_of_a_forgotten_member(
    run: Any, step: Json, crate: Json, theirs: Json, ours: Json
) -> str:
    """A suspect was forgotten and met again before its time was up: the crate's old timer still
    takes it down; ours starts afresh.
    """
    timer = crate.get("timer", [0, 0, [""]])[2]
    if timer[0] != "ChangeSuspectToDown" or not run.alone or theirs == ours:
        return ""
    return "ends" if timer[1] in run.forgotten else ""


@row("forgotten-with-its-update")
def forgotten_with_its_update(run: Any, step: Json, crate: Json, theirs: Json, ours: Json) -> str:
    """A Down member is forgotten while its update is queued: ours drops the update with it."""
    timer = crate.get("timer", [0, 0, [""]])[2]
    if timer[0] != "RemoveDown" or theirs["updates_backlog"] != ours["updates_backlog"] + 1:
        return ""
    return "ends" if address(timer[1]) in run.ours.queued else ""


@row("newer-state-overtakes")
def newer_state_overtakes(run: Any, step: Json, crate: Json, theirs: Json, ours: Json) -> str:
    """Members applied without broadcast, whose older state is still queued: the crate goes on
    telling the old state, ours tells what it knows.
    """
    if step["op"] != "apply_many" or step["do_broadcast"]:
        return ""
    for member in ours["members"]:
        queued = run.ours.queued.get(address(member[0]))
        if queued and queued != member:
            return "ends"
    return ""


@row("helper-renamed-by-its-own-answer")
def helper_renamed_by_its_own_answer(
    run: Any, step: Json, crate: Json, theirs: Json, ours: Json
) -> str:
    """A helper's ForwardedAck also brings a newer identity of that helper: the crate still counts
    the ack, ours no longer knows the helper that it asked.
    """
    if step["op"] != "data":
        return ""
    for event in crate["events"]:
        if event.get("notify", [""])[0] == "DataReceived":
            src, _, _, message = event["notify"][1]
            before = [member[0] for member in run.state["members"]]
            after = [member[0] for member in theirs["members"]]
            if message[0] == "ForwardedAck" and src in before and src not in after:
                return "ends"
    return ""


@row("one-indirect-stage-at-a-time")
def one_indirect_stage_at_a_time(
    run: Any, step: Json, crate: Json, theirs: Json, ours: Json
) -> str:
    """With probe_rtt above probe_period (senseless, but legal) several indirect stages are pending
    in the crate at once; ours has one.
    """
    config = run.resolved[0]["config"]
    timer = crate.get("timer", [0, 0, [""]])[2][0]
    if config["probe_rtt_ms"] <= config["probe_period_ms"] or theirs == ours:
        return ""
    return "ends" if timer in ("SendIndirectProbe", "ProbeRandomMember") else ""


@row("one-forget-deadline-per-member")
def one_forget_deadline_per_member(
    run: Any, step: Json, crate: Json, theirs: Json, ours: Json
) -> str:
    """remove_down_after was shortened, a Down member forgotten by the newer timer and learned
    again as Down: the crate's older timer still forgets it, ours only has the new deadline.
    """
    timer = crate.get("timer", [0, 0, [""]])[2]
    if timer[0] != "RemoveDown" or len(theirs["members"]) != len(ours["members"]) - 1:
        return ""
    return "ends" if timer[1] in run.forgotten else ""


@row("packet-size-is-fixed")
def packet_size_is_fixed(run: Any, step: Json, crate: Json, theirs: Json, ours: Json) -> str:
    """set_config changes max_packet_size: ours took its memory when it was made, and refuses."""
    if step["op"] != "set_config" or "max_packet_size" not in step["config"]:
        return ""
    return "ends" if [theirs["result"], ours["result"]] == ["Ok", "InvalidConfig"] else ""
