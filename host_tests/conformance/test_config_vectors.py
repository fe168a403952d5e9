"""The presets against the reference's own numbers, for cluster sizes around every edge."""

from conformance.golden import read
from foca.config import Config

PRESETS = {"lan": Config.lan, "wan": Config.wan}
PERIODIC = {
    "periodic_announce": "periodic_announce",
    "periodic_announce_to_down_members": "periodic_announce_to_down",
    "periodic_gossip": "periodic_gossip",
}


def in_ms(nanoseconds):
    """Rounded up: a clock that ticks in milliseconds fires then."""
    return (nanoseconds + 999999) // 1000000


def expected(vector):
    """The reference's numbers under our names."""
    fields = {
        "num_indirect_probes": vector["num_indirect_probes"],
        "max_transmissions": vector["max_transmissions"],
        "packet_bytes_max": vector["max_packet_size"],
        "notify_down_members": vector["notify_down_members"],
    }
    for name in ("probe_period", "probe_rtt", "suspect_to_down_after", "remove_down_after"):
        fields[name + "_ms"] = in_ms(vector[name])
    for theirs, ours in PERIODIC.items():
        if vector[theirs]:
            fields[ours + "_ms"] = in_ms(vector[theirs][0])
            fields[ours + "_members"] = vector[theirs][1]
        else:
            fields[ours + "_ms"] = 0
    return fields


def test_presets_have_the_reference_s_numbers():
    source = read("config.json")
    count = next(source)["count"]
    for vector in source:
        name = vector["preset"]
        config = PRESETS[name](vector["size"]) if name in PRESETS else Config.simple()
        for field, value in expected(vector).items():
            got = getattr(config, field)
            assert got == value, "%s(%d).%s is %r, not %r" % (
                name,
                vector["size"],
                field,
                got,
                value,
            )
        count -= 1
    assert not count
