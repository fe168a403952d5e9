"""A seeded generator of scripts for the differential tester.

A script is a list of symbolic steps: identities may be `self`, `probed` or `helper`, and the probe
number `current`, which the driver fills in while the script runs. So a step stays meaningful when
the steps before it are taken away, and a failing script can be made shorter.

Everything is drawn from one `random.Random(seed)`; the same seed gives the same script.
"""

from random import Random
from typing import Any

Json = dict[str, Any]

NODE = "127.0.0.1:8000"
PEERS = (
    "127.0.0.1:8001",
    "127.0.0.1:8002",
    "10.0.0.3:250",
    "10.0.0.4:9",
    "10.0.0.5:36220",
    "[::1]:8006",
    "[2001:db8::7]:65535",
    "10.0.0.8:251",
    "10.0.0.9:128",
)
EVERYBODY = ("255.255.255.255:8000", "127.255.255.255:8000", "0.0.0.0:8000")
STATES = ("Alive", "Suspect", "Down")
NUMBERED = ("Ping", "Ack", "PingReq", "IndirectPing", "IndirectAck", "ForwardedAck")
WITH_THIRD = ("PingReq", "IndirectPing", "IndirectAck", "ForwardedAck")

BUMP_BASES = {
    16: (1, 100, 126, 249, 254, 16382, 65532),
    64: (1, 126, 249, 65534, 2**32 - 2, 1_795_423_454, 2**63 - 1, 2**64 - 4),
}


def script(seed: int, length: int = 60) -> list[Json]:
    """The script of `seed`: a `new` step and up to `length` others."""
    return _Maker(Random(seed), seed).make(length)


class _Maker:
    """Draws steps; holds what is fixed for one script."""

    def __init__(self, random: Random, seed: int) -> None:
        self.random = random
        self.seed = seed
        self.width = random.choice((16, 64))
        self.base = random.choice(BUMP_BASES[self.width])
        self.peers = random.sample(PEERS, random.randint(1, len(PEERS)))
        self.most_at_once = 5
        if random.random() < 0.1:
            self.peers += ["10.1.0.%d:%d" % (n, 100 + 7 * n) for n in range(30)]
            self.most_at_once = 30
        self.versioned = random.random() < 0.6
        self.renew = random.random() < 0.75
        self.packet_sizes = random.choice(
            ((1400,),) * 6 + ((90, 120, 200), (30, 45, 60), (25, 35))
        )
        self.config = self.first_config()

    def make(self, length: int) -> list[Json]:
        """The whole script."""
        steps = [self.new()]
        kinds = self.weights()
        for _ in range(length):
            name = self.random.choices(list(kinds), list(kinds.values()))[0]
            steps.append(getattr(self, name)())
        return steps

    def weights(self) -> dict[str, float]:
        """How often each kind of step comes: drawn for each script, so that scripts differ."""
        usual = {
            "packet": 30.0,
            "answer": 12.0,
            "advance": 25.0,
            "sleep": 1.0,
            "apply_many": 5.0,
            "gossip": 2.0,
            "broadcast": 2.0,
            "announce": 1.5,
            "add_broadcast": 4.0,
            "leave": 0.6,
            "change_identity": 0.8,
            "reuse_down_identity": 1.0,
            "set_config": 1.5,
            "garbage": 2.0,
        }
        return {name: weight * self.random.uniform(0.3, 1.7) for name, weight in usual.items()}

    # configuration

    def periodic(self, frequencies: tuple[int, ...]) -> list[int] | None:
        """A periodic setting, or none."""
        if self.random.random() < 0.5:
            return None
        return [self.random.choice(frequencies), self.random.randint(1, 4)]

    def first_config(self) -> Json:
        """Durations are short against a step, so that timers of every kind fire."""
        choice = self.random.choice
        period = choice((800, 1000, 1500))
        return {
            "probe_period_ms": period,
            "probe_rtt_ms": choice((200, 200, 300, 300, 500, 500, period, period + 300)),
            "num_indirect_probes": choice((1, 2, 3, 3, 5)),
            "max_transmissions": choice((1, 2, 3, 4, 10, 255)),
            "suspect_to_down_after_ms": choice((900, 2500, 3000, 4100)),
            "remove_down_after_ms": choice((2000, 7000, 20_000, 86_400_000, 86_400_000)),
            "max_packet_size": choice(self.packet_sizes),
            "notify_down_members": self.random.random() < 0.6,
            "periodic_announce": self.periodic((2500, 6000)),
            "periodic_announce_to_down_members": self.periodic((3100, 6500)),
            "periodic_gossip": self.periodic((200, 700)),
        }

    def new(self) -> Json:
        """The first step."""
        return {
            "op": "new",
            "codec": self.random.choice(("bincode", "postcard")),
            "bump_width": self.width,
            "identity": "%s#%d" % (NODE, self.base + self.random.randint(0, 3)),
            "config": self.config,
            "seed": self.seed,
            "renew": self.renew,
            "handler": "versioned" if self.versioned else "none",
            "refuse_to": self.random.sample(self.peers, 1) if self.random.random() < 0.2 else [],
        }

    def set_config(self) -> Json:
        """A change that may be refused."""
        changes = {
            "probe_period_ms": 700,
            "probe_rtt_ms": 250,
            "num_indirect_probes": self.random.randint(1, 4),
            "max_transmissions": self.random.randint(1, 6),
            "suspect_to_down_after_ms": self.random.choice((500, 2000)),
            "remove_down_after_ms": self.random.choice((1000, 9000)),
            "notify_down_members": self.random.random() < 0.5,
            "periodic_announce": self.periodic((1000, 4000)),
            "periodic_announce_to_down_members": self.periodic((1000, 4000)),
            "periodic_gossip": self.periodic((300, 500)),
        }
        if self.random.random() < 0.05:
            changes = {"max_packet_size": self.random.choice((60, 300, 1400, 3000))}
        names = self.random.sample(sorted(changes), min(self.random.randint(1, 3), len(changes)))
        return {"op": "set_config", "config": {name: changes[name] for name in names}}

    # identities, members, items

    def bump(self) -> int:
        """One of a few bumps, so that identities of one address meet."""
        return self.base + self.random.choice((0, 1, 1, 1, 1, 2, 3))

    def peer(self) -> str:
        """An identity of a peer."""
        return "%s#%d" % (self.random.choice(self.peers), self.bump())

    def incarnation(self) -> int:
        """Mostly small, sometimes at an edge."""
        return self.random.choice((0, 0, 0, 0, 1, 1, 2, 3, 250, 251, 65534, 65535))

    def member(self) -> list[Any]:
        """An update about a peer, or about ourselves in some life."""
        draw = self.random.random()
        state = self.random.choices(STATES, (5, 3, 2))[0]
        if draw < 0.06:
            return ["self", self.incarnation(), state]
        if draw < 0.09:
            return ["%s#%d" % (NODE, self.bump()), self.incarnation(), state]
        return [self.peer(), self.incarnation(), state]

    def members(self, most: int) -> list[list[Any]]:
        """Up to `most` updates."""
        return [self.member() for _ in range(self.random.randint(0, most))]

    def item(self) -> list[Any]:
        """A custom broadcast. The text grows with the version, so that lengths differ."""
        version = self.random.randint(0, 5)
        return [self.random.choice((*self.peers, NODE)), version, "x" * self.random.randint(0, 20)]

    def items(self, most: int) -> list[Any]:
        """Up to `most` custom broadcasts, if the script has any."""
        if self.random.random() < 0.6:
            return []
        return [self.item() for _ in range(self.random.randint(1, most))]

    # steps

    def message(self) -> list[Any]:
        """Any message."""
        name = self.random.choice((*NUMBERED, "Announce", "Feed", "Gossip", "Broadcast"))
        if self.random.random() < 0.05:
            name = "TurnUndead"
        third = [self.peer() if self.random.random() < 0.9 else "self"]
        number = [self.random.choice(("current", 0, 1, 255))]
        return [
            name,
            *(third if name in WITH_THIRD else []),
            *(number if name in NUMBERED else []),
        ]

    def packet(self) -> Json:
        """A datagram from a peer, now and then not for us or not from somebody else."""
        message = self.message()
        bare = message[0] in ("Announce", "TurnUndead")
        draw = self.random.random()
        src = "self" if draw < 0.01 else self.peer()
        dst = "self"
        if draw > 0.97:
            dst = self.peer()
        elif draw > 0.94:
            dst = "%s#%d" % (NODE, self.bump())
        elif draw > 0.93:
            dst = "%s#%d" % (self.random.choice(EVERYBODY), self.bump())
        updates = None if bare or message[0] == "Broadcast" else self.members(4)
        step: Json = {
            "op": "packet",
            "header": [src, self.incarnation(), dst, message],
            "updates": updates,
            "items": [] if bare else self.items(2),
        }
        if self.random.random() < 0.03:
            step["damage"] = self.damage()
        if self.random.random() < (0.15 if message[0] == "Announce" else 0.02):
            step["repeat"] = self.random.choice((2, 12, 50))
        return step

    def damage(self) -> list[Any]:
        """What happens to the bytes of a packet on its way."""
        return self.random.choice(
            (
                ["cut", self.random.randint(1, 12)],
                ["append", self.random.choice(("00", "01", "0000", "000100", "0003ffffff"))],
                ["flip", self.random.randint(0, 60), self.random.randint(1, 255)],
            )
        )

    def answer(self) -> Json:
        """What keeps the protocol going: an ack of the probed member, or one through a helper."""
        incarnation = self.random.choice((0, 0, 0, 1))
        if self.random.random() < 0.75:
            header = ["probed", incarnation, "self", ["Ack", "current"]]
        else:
            origin = self.random.choice(("probed", "probed", "probed", self.peer()))
            header = ["helper", incarnation, "self", ["ForwardedAck", origin, "current"]]
        return {"op": "packet", "header": header, "updates": self.members(1), "items": []}

    def advance(self) -> Json:
        """Some time passes."""
        config = self.config
        usual = (
            config["probe_rtt_ms"],
            config["probe_period_ms"],
            config["probe_period_ms"],
            config["suspect_to_down_after_ms"],
            1,
            100,
            self.random.randint(1, 4000),
        )
        return {"op": "advance", "ms": self.random.choice(usual)}

    def sleep(self) -> Json:
        """The node does not run for a while: what falls due meanwhile is done late."""
        return {"op": "sleep", "ms": self.random.choice((10, 400, 1100, 6000))}

    def apply_many(self) -> Json:
        """Members from the application."""
        return {
            "op": "apply_many",
            "updates": self.members(self.most_at_once),
            "do_broadcast": self.random.random() < 0.8,
        }

    def gossip(self) -> Json:
        return {"op": "gossip"}

    def broadcast(self) -> Json:
        return {"op": "broadcast"}

    def announce(self) -> Json:
        return {"op": "announce", "to": self.peer()}

    def add_broadcast(self) -> Json:
        """An item of ours: new, stale, empty, not an item, or too long."""
        draw = self.random.random()
        if draw < 0.05:
            return {"op": "add_broadcast", "item": ""}
        if draw < 0.1:
            return {"op": "add_broadcast", "item": "0909"}
        if draw < 0.13:
            return {"op": "add_broadcast", "item": "00" * (self.config["max_packet_size"] + 1)}
        return {"op": "add_broadcast", "item": self.item()}

    def leave(self) -> Json:
        return {"op": "leave"}

    def change_identity(self) -> Json:
        """Another life of the same address, mostly."""
        return {"op": "change_identity", "identity": "%s#%d" % (NODE, self.bump())}

    def reuse_down_identity(self) -> Json:
        return {"op": "reuse_down_identity"}

    def garbage(self) -> Json:
        """Bytes that nobody meant."""
        count = self.random.randint(0, 40)
        return {"op": "data", "hex": self.random.randbytes(count).hex()}
