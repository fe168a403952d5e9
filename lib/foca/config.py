"""Configuration: the protocol's timing, and a limit on everything. Floor 1.

Durations are milliseconds, 1 .. 518,400,000 (6 days); 0 switches a periodic message off, and
`remove_down_after_ms=0` means never. `Config.simple()`, `Config.lan(n)` and `Config.wan(n)` give
foca's numbers for a cluster of n, computed with integers, because a board's single-precision
logarithm is wrong at powers of ten. Where foca's number is not a whole millisecond it is rounded
up: a clock that ticks in milliseconds fires then.

    probe_period_ms                         one member is probed every period
    probe_rtt_ms                            wait for an Ack before asking others; below the period
    num_indirect_probes                     how many are asked, and how many get a gossip
    max_transmissions                       how often an update is told
    suspect_to_down_after_ms                time for a suspect to refute
    remove_down_after_ms                    how long a Down member is known, not to relearn it
    notify_down_members                     tell members that we hold them Down (TurnUndead)
    periodic_announce_ms, _members          Announce to so many active members (anti-entropy)
    periodic_announce_to_down_ms, _members  Announce to so many Down members (heals partitions)
    periodic_gossip_ms, _members            spread what is queued without waiting for a probe
    notify_data                             DATA_SENT and DATA_RECEIVED events
    strict                                  as the reference, defects too (docs/DIFFERENCES.md)
    packet_bytes_max, send_bytes_max        accept limit, send limit; boards send 512
    members_max                             others held; then Down ones go or newcomers are refused
    items_max, items_bytes_max              custom broadcasts queued; then the most told ones go
    timers_per_tick_max                     the rest waits for the next call
    datagrams_per_turn_max                  the same for datagrams (the agent)
    turn_undeads_max, relays_max,           uses per ten seconds; then they are skipped and
    feeds_max, renewals_max                 counted

Source: foca's Config; docs/WIRE.md, "Configuration".
"""

from ._port import PLATFORM, const

_TYPING = const(0)
_BYTE = const(255)
_DAYS_6 = const(518400000)

FIELDS = {
    "probe_period_ms": (1500, 1, _DAYS_6),
    "probe_rtt_ms": (500, 1, _DAYS_6),
    "num_indirect_probes": (3, 1, _BYTE),
    "max_transmissions": (10, 1, _BYTE),
    "suspect_to_down_after_ms": (3000, 1, _DAYS_6),
    "remove_down_after_ms": (86400000, 0, _DAYS_6),
    "periodic_announce_ms": (0, 0, _DAYS_6),
    "periodic_announce_members": (1, 1, _BYTE),
    "periodic_announce_to_down_ms": (0, 0, _DAYS_6),
    "periodic_announce_to_down_members": (1, 1, _BYTE),
    "periodic_gossip_ms": (0, 0, _DAYS_6),
    "periodic_gossip_members": (1, 1, _BYTE),
    "notify_down_members": (False, False, True),
    "notify_data": (False, False, True),
    "strict": (False, False, True),
    "packet_bytes_max": (1400, 1, 65507),
    "send_bytes_max": (512 if PLATFORM in ("esp32", "rp2") else 1400, 1, 65507),
    "members_max": (64, 1, 16000),
    "items_max": (8, 1, _BYTE),
    "items_bytes_max": (1024, 1, 65535),
    "timers_per_tick_max": (32, 1, _BYTE),
    "datagrams_per_turn_max": (16, 1, _BYTE),
    "turn_undeads_max": (20, 1, 1000),
    "relays_max": (20, 1, 1000),
    "feeds_max": (40, 1, 1000),
    "renewals_max": (10, 1, 1000),
}
"""name -> (default, smallest, largest); the defaults are foca's Config::simple."""

FIXED = (
    "strict",
    "packet_bytes_max",
    "members_max",
    "items_max",
    "items_bytes_max",
    "turn_undeads_max",
    "relays_max",
    "feeds_max",
    "renewals_max",
)
"""What `set_config` cannot change: memory was taken for it. `send_bytes_max` may only shrink."""


class Config:
    if _TYPING:  # every name of FIELDS is an attribute; a bool is an int here

        def __getattr__(self, name: str) -> int:
            raise NotImplementedError

        def __setattr__(self, name: str, value: int) -> None: ...

    def __init__(self, **fields: int) -> None:
        """foca's simple() with `fields` changed. Raises ConfigError: the field, why, a remedy."""
        for name in FIELDS:
            setattr(self, name, fields.pop(name, FIELDS[name][0]))
        for name in fields:
            _refuse("%r is no field of Config: see foca/config.py for the list" % (name,))
        self.check()

    @classmethod
    def simple(cls, **fields: int) -> "Config":
        """foca's Config::simple: no periodic messages, 1.5 s period."""
        return cls(**fields)

    @classmethod
    def lan(cls, cluster_size: int, **fields: int) -> "Config":
        """foca's Config::new_lan for `cluster_size`, 1 .. 2**32 - 1; detects in about 2 + 4 s."""
        settings = _sized(cluster_size, 1000, 500, 4)
        settings.update(_periodic(30000, 1, 65000, 2, 200, 3))
        settings.update(fields)
        return cls(**settings)

    @classmethod
    def wan(cls, cluster_size: int, **fields: int) -> "Config":
        """foca's Config::new_wan for `cluster_size`, 1 .. 2**32 - 1."""
        settings = _sized(cluster_size, 5000, 3000, 6)
        settings.update(_periodic(60000, 2, 125000, 3, 500, 4))
        settings.update(fields)
        return cls(**settings)

    def to_dict(self) -> dict[str, int]:
        """Every field by name: what `from_dict` takes, ready for JSON."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_dict(cls, fields: dict[str, int]) -> "Config":
        """The config with these fields, as the constructor makes it."""
        return cls(**fields)

    def check(self) -> None:
        """Raise ConfigError for the first field that cannot work. Strict: as the reference."""
        problem = self.problem()
        if problem:
            _refuse(problem)

    def problem(self) -> str | None:
        """What cannot work, as a sentence with a remedy, or None."""
        for name in FIELDS:
            value = getattr(self, name)
            smallest, largest = FIELDS[name][1:]
            if type(value) is not type(largest):  # on MicroPython a bool is no int
                return "%s %r must be %s" % (
                    name,
                    value,
                    "True or False" if largest is True else "a whole number",
                )
            if not smallest <= value <= largest:
                return "%s %r is out of range: choose %d .. %d" % (name, value, smallest, largest)
        if self.send_bytes_max > self.packet_bytes_max:
            return (
                "send_bytes_max %d is above packet_bytes_max %d: "
                "peers would refuse what we send, lower it"
            ) % (self.send_bytes_max, self.packet_bytes_max)
        if not self.strict and self.probe_rtt_ms >= self.probe_period_ms:
            return (
                "probe_rtt_ms %d must be below probe_period_ms %d: "
                "raise probe_period_ms to about %d"
            ) % (self.probe_rtt_ms, self.probe_period_ms, 3 * self.probe_rtt_ms)
        return None

    def forbids(self, other: "Config") -> str | None:
        """Why a running node cannot go over to `other`, or None.

        Source: foca's set_config, and our fixed memory.
        """
        for name in ("probe_period_ms", "probe_rtt_ms") + FIXED:
            if getattr(self, name) != getattr(other, name):
                return "%s cannot change while running" % name
        for name in ("periodic_announce_ms", "periodic_announce_to_down_ms", "periodic_gossip_ms"):
            if not getattr(self, name) and getattr(other, name):
                return "%s cannot be switched on while running" % name
        return other.problem()


def _refuse(problem: str) -> None:
    from .errors import ConfigError

    raise ConfigError(problem)


def _sized(cluster_size: int, period_ms: int, rtt_ms: int, multiplier: int) -> dict[str, int]:
    if not isinstance(cluster_size, int) or not 1 <= cluster_size <= 0xFFFFFFFF:
        _refuse("cluster size %r must be 1 .. 4294967295" % (cluster_size,))
    return {
        "probe_period_ms": period_ms,
        "probe_rtt_ms": rtt_ms,
        "max_transmissions": transmissions_for(cluster_size),
        "suspect_to_down_after_ms": suspicion_ms_for(cluster_size, period_ms, multiplier),
        "notify_down_members": True,
    }


def _periodic(
    announce_ms: int,
    announce_members: int,
    down_ms: int,
    down_members: int,
    gossip_ms: int,
    gossip_members: int,
) -> dict[str, int]:
    return {
        "periodic_announce_ms": announce_ms,
        "periodic_announce_members": announce_members,
        "periodic_announce_to_down_ms": down_ms,
        "periodic_announce_to_down_members": down_members,
        "periodic_gossip_ms": gossip_ms,
        "periodic_gossip_members": gossip_members,
    }


def transmissions_for(cluster_size: int) -> int:
    """trunc(4 * log10(n + 1)), 1 .. 255: how often to tell an update to a cluster of that size."""
    digits = len(str(min(cluster_size + 1, 0xFFFFFFFF) ** 4))
    return max(1, digits - 1)


def suspicion_ms_for(cluster_size: int, period_ms: int, multiplier: int) -> int:
    """max(1, log10(n)) * multiplier * period, in whole milliseconds, rounded up."""
    product = period_ms * multiplier
    if cluster_size <= 10:
        return product
    power = len(str(cluster_size)) - 1
    if cluster_size == 10**power:
        return product * power
    # log10 by repeated squaring: 64 bits of the fraction, from a mantissa in 1 .. 10 with 192 bits
    # behind the point
    one = 1 << 192
    mantissa = cluster_size * one // 10**power
    fraction = 0
    for _ in range(64):
        mantissa = mantissa * mantissa >> 192
        fraction *= 2
        if mantissa >= 10 * one:
            mantissa //= 10
            fraction += 1
    return product * power + (product * fraction >> 64) + 1
