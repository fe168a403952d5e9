"""One strict node of ours, driven by the same script steps as the published crate.

Runs on CPython and on MicroPython. The steps and the notation are told in
host_tests/interop/peer/README.md; results hold what both sides must agree on, with events as
`["send", identity, hex]` and `["notify", name, identity...]` in their exact order; of DataReceived
and DataSent, the other party and the message.
"""

from conformance.golden import CODECS, split_id
from conformance.hello import HelloHandler
from foca.address import bump_of, parse, text_of
from foca.config import Config
from foca.identity import ip
from foca.members import OLD, SELF, UPDATE
from foca.node import Foca
from foca.runtime import (
    ACTIVE,
    DATA_RECEIVED,
    DATA_SENT,
    DEFUNCT,
    EVENT_NAMES,
    IDLE,
    RENAME,
    Runtime,
)
from foca.status import STALE, STATUS_NAMES
from foca.timers import TIMER_FORGET, TIMER_NAMES, TIMER_SUSPECT
from foca.wire import FLAGS, HAS_NUMBER, HAS_THIRD, MESSAGE_NAMES, STATE_NAMES

MS = (
    "probe_period_ms",
    "probe_rtt_ms",
    "num_indirect_probes",
    "max_transmissions",
    "suspect_to_down_after_ms",
    "remove_down_after_ms",
    "notify_down_members",
)
"""Fields that both sides call the same."""

PERIODIC = {
    "periodic_announce": "periodic_announce",
    "periodic_announce_to_down_members": "periodic_announce_to_down",
    "periodic_gossip": "periodic_gossip",
}


def our_fields(theirs):
    """The fields of our Config for those of a script; what a script leaves out is left out."""
    fields = {}
    for name, value in theirs.items():
        if name in MS:
            fields[name] = value
        elif name == "max_packet_size":
            fields["packet_bytes_max"] = fields["send_bytes_max"] = value
        else:
            ours = PERIODIC[name]
            fields[ours + "_ms"] = value[0] if value else 0
            if value:
                fields[ours + "_members"] = value[1]
    return fields


class Fixed:
    """Changes an identity layout's `renew`: a member that cannot renew is Defunct at once."""

    @staticmethod
    def renew(ids, at, step):
        return False


class Recorder(Runtime):
    """Writes down everything that the node says."""

    def __init__(self, session):
        self.session = session
        self.events = []

    def send_to(self, row, buf, count):
        self.events.append(["send", self.session.text(row), bytes(buf[:count]).hex()])

    def message(self):
        """The message of the datagram at hand, as scripts write it."""
        foca = self.session.foca
        tag = foca.message_tag
        message = [MESSAGE_NAMES[tag]]
        if FLAGS[tag] & HAS_THIRD:
            message.append(self.session.text(foca.message_third))
        if FLAGS[tag] & HAS_NUMBER:
            message.append(foca.message_number)
        return message

    def notify(self, event, row):
        if event in (DATA_RECEIVED, DATA_SENT):
            who = self.session.text(row)
            self.events.append(["notify", EVENT_NAMES[event], who, self.message()])
            return
        told = ["notify", EVENT_NAMES[event]]
        if event == RENAME:
            told.append(self.session.text(OLD))
        if EVENT_NAMES[event] == "ProbeFailed":
            told.append(self.session.foca.probe.number)
        if event not in (ACTIVE, IDLE, DEFUNCT):
            told.append(self.session.text(row))
        self.events.append(told)


class Session:
    """Runs steps. `new` is the first step of a script; a fresh script needs a fresh Session."""

    def __init__(self, new):
        self.layout = ip(new["bump_width"])
        if not new["renew"]:
            self.layout.renew = Fixed.renew
        self.fields = our_fields(new.get("config", {}))
        self.recorder = Recorder(self)
        handler = None
        if new["handler"] == "versioned":
            handler = HelloHandler(self.text, new.get("refuse_to", []))
        self.now_ms = 0
        self.foca = Foca(
            self.record(new["identity"]),
            self.config(),
            self.recorder,
            CODECS[new["codec"]],
            self.layout,
            handler,
            new["seed"],
        )

    def config(self):
        """Our config as the script has it by now. One timer a tick, so that each is seen alone."""
        return Config(
            strict=True,
            members_max=64,
            items_max=64,
            items_bytes_max=4096,
            timers_per_tick_max=1,
            notify_data=True,
            **self.fields,
        )

    def record(self, text):
        """An identity as bytes."""
        name, bump = split_id(text)
        return parse(self.layout, name, bump)

    def text(self, row):
        """The identity at `row` as `ADDR#BUMP`."""
        ids = self.foca.members.ids
        at = row * self.layout.record_bytes
        return "%s#%d" % (text_of(self.layout, ids, at), bump_of(self.layout, ids, at))

    def member(self, row):
        """The member at `row` as scripts write it."""
        members = self.foca.members
        return [self.text(row), members.incarnations[row], STATE_NAMES[members.states[row]]]

    # steps

    def step(self, step):
        """Carry out one step that is not `new`, `advance` or `fire`; returns its result."""
        status = getattr(self, "do_" + step["op"])(step)
        added = None
        if step["op"] == "add_broadcast" and status in (0, STALE):
            added = status == 0
            status = 0
        result = self.result(STATUS_NAMES[status])
        if added is not None:
            result["added"] = added
        return result

    def result(self, status):
        """The result of a step, with the events since the last one."""
        foca = self.foca
        events = self.recorder.events
        self.recorder.events = []
        return {
            "result": status,
            "events": events,
            "identity": self.text(SELF),
            "members": [self.member(row) for row in foca.iter_membership_state()],
            "num_members": foca.num_members(),
            "updates_backlog": foca.updates_backlog(),
            "custom_backlog": foca.custom_broadcast_backlog(),
        }

    def do_data(self, step):
        data = bytes.fromhex(step["hex"])
        return self.foca.handle_data(data, len(data), self.now_ms)

    def do_apply_many(self, step):
        foca = self.foca
        buf = bytearray(64 * len(step["updates"]))
        pos = 0
        for text, incarnation, state in step["updates"]:
            width = self.layout.record_bytes
            foca.members.ids[UPDATE * width : UPDATE * width + width] = self.record(text)
            foca.members.incarnations[UPDATE] = incarnation
            foca.members.states[UPDATE] = STATE_NAMES.index(state)
            pos = foca.codec.write_member(buf, pos, UPDATE)
        return foca.apply_many(buf, pos, step["do_broadcast"], self.now_ms)

    def do_sleep(self, step):
        self.now_ms += step["ms"]
        return 0

    def do_announce(self, step):
        return self.foca.announce(self.record(step["to"]))

    def do_gossip(self, step):
        return self.foca.gossip()

    def do_broadcast(self, step):
        return self.foca.broadcast()

    def do_add_broadcast(self, step):
        item = step["item"]
        data = bytes.fromhex(item) if isinstance(item, str) else HelloHandler.encode(*item)
        return self.foca.add_broadcast(data, len(data))

    def do_leave(self, step):
        return self.foca.leave_cluster()

    def do_change_identity(self, step):
        return self.foca.change_identity(self.record(step["identity"]))

    def do_reuse_down_identity(self, step):
        return self.foca.reuse_down_identity()

    def do_set_config(self, step):
        before = self.fields
        self.fields = dict(before)
        self.fields.update(our_fields(step["config"]))
        status = self.foca.set_config(self.config())
        if status:
            self.fields = before
        return status

    # time

    def pending(self):
        """Every deadline as [deadline, name, identity or None], in the order of firing."""
        foca = self.foca
        found = []
        for kind, deadline in enumerate(foca.timers.at):
            if deadline and kind not in (TIMER_SUSPECT, TIMER_FORGET):
                found.append((deadline, kind, 0))
        for row in foca.iter_membership_state():
            if foca.members.suspects[row]:
                found.append((foca.members.suspects[row], TIMER_SUSPECT, row))
            if foca.members.forgets[row]:
                found.append((foca.members.forgets[row], TIMER_FORGET, row))
        found.sort()
        return [
            [deadline, TIMER_NAMES[kind], self.text(row) if row else None]
            for deadline, kind, row in found
        ]

    def fire_next(self, now_ms):
        """Fire the one timer that is next, at its deadline or late; returns the result."""
        counters = self.foca.counters
        before = list(counters)
        self.now_ms = max(self.now_ms, now_ms)
        self.foca.tick(self.now_ms)
        for status in range(1, len(STATUS_NAMES)):
            if counters[status] != before[status]:
                return self.result(STATUS_NAMES[status])
        return self.result("Ok")
