"""foca.config: the reference's numbers for every cluster size; refusals that say what to do."""

from foca._port import MICROPYTHON, PLATFORM
from foca.config import FIELDS, FIXED, Config, suspicion_ms_for, transmissions_for
from foca.errors import ConfigError
from support.check import raises

DAY_MS = 86400000


def test_simple_is_the_references():
    """foca: Config::simple."""
    config = Config.simple()
    assert config.to_dict() == Config().to_dict()
    assert (config.probe_period_ms, config.probe_rtt_ms) == (1500, 500)
    assert (config.num_indirect_probes, config.max_transmissions) == (3, 10)
    assert (config.suspect_to_down_after_ms, config.remove_down_after_ms) == (3000, DAY_MS)
    assert config.packet_bytes_max == 1400
    assert config.send_bytes_max == (512 if PLATFORM in ("esp32", "rp2") else 1400)
    assert not config.notify_down_members
    assert not config.strict
    assert config.periodic_announce_ms == 0
    assert config.periodic_announce_to_down_ms == 0
    assert config.periodic_gossip_ms == 0


def test_lan_is_the_references():
    """foca: Config::new_lan."""
    config = Config.lan(10)
    assert (config.probe_period_ms, config.probe_rtt_ms) == (1000, 500)
    assert (config.num_indirect_probes, config.max_transmissions) == (3, 4)
    assert (config.suspect_to_down_after_ms, config.remove_down_after_ms) == (4000, DAY_MS)
    assert config.notify_down_members
    assert (config.periodic_announce_ms, config.periodic_announce_members) == (30000, 1)
    assert config.periodic_announce_to_down_ms == 65000
    assert config.periodic_announce_to_down_members == 2
    assert (config.periodic_gossip_ms, config.periodic_gossip_members) == (200, 3)


def test_wan_is_the_references():
    """foca: Config::new_wan."""
    config = Config.wan(10)
    assert (config.probe_period_ms, config.probe_rtt_ms) == (5000, 3000)
    assert (config.num_indirect_probes, config.max_transmissions) == (3, 4)
    assert (config.suspect_to_down_after_ms, config.remove_down_after_ms) == (30000, DAY_MS)
    assert config.notify_down_members
    assert (config.periodic_announce_ms, config.periodic_announce_members) == (60000, 2)
    assert config.periodic_announce_to_down_ms == 125000
    assert config.periodic_announce_to_down_members == 3
    assert (config.periodic_gossip_ms, config.periodic_gossip_members) == (500, 4)


def test_transmissions_grow_with_the_logarithm():
    """trunc(4 * log10(n + 1)): steps lie where (n + 1)**4 gains a digit."""
    for size, expected in (
        (1, 1),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 3),
        (8, 3),
        (9, 4),
        (10, 4),
        (50, 6),
        (98, 7),
        (99, 8),
        (100, 8),
        (998, 11),
        (999, 12),
        (1000, 12),
        (1000000, 24),
        (0xFFFFFFFE, 38),
        (0xFFFFFFFF, 38),
    ):
        assert transmissions_for(size) == expected, size
        assert Config.lan(size).max_transmissions == expected
        assert Config.wan(size).max_transmissions == expected


def test_suspicion_scales_slowly():
    """foca: suspicion_scales_slowly."""
    assert suspicion_ms_for(5, 1000, 4) == 4000
    assert suspicion_ms_for(10, 1000, 4) == 4000
    assert suspicion_ms_for(100, 1000, 4) == 8000


def test_suspicion_is_the_references_rounded_up_to_a_millisecond():
    for size, lan, wan in (
        (1, 4000, 30000),
        (10, 4000, 30000),
        (11, 4166, 31242),
        (50, 6796, 50970),
        (99, 7983, 59870),
        (100, 8000, 60000),
        (101, 8018, 60130),
        (1000, 12000, 90000),
        (1000000000, 36000, 270000),
    ):
        assert Config.lan(size).suspect_to_down_after_ms == lan, size
        assert Config.wan(size).suspect_to_down_after_ms == wan, size


def test_suspicion_agrees_with_a_double_wherever_there_is_one():
    """log10 of a double is right to 1e-15; the integer form must round to the same millisecond."""
    if MICROPYTHON:
        return  # its logarithm may be single precision: that is why the integer form exists
    import math

    for size in list(range(1, 3000)) + [10**i + d for i in range(2, 10) for d in (-1, 0, 1)]:
        exact = max(1.0, math.log10(size)) * 4000
        assert suspicion_ms_for(size, 1000, 4) == math.ceil(exact - 1e-9), size


def test_suspicion_never_falls_while_a_cluster_grows():
    last = 0
    for size in list(range(1, 1100)) + [9999, 10000, 10001, 99999, 100000, 0xFFFFFFFF]:
        now = suspicion_ms_for(size, 1000, 4)
        assert now >= last, size
        last = now


def test_a_preset_takes_changes():
    config = Config.lan(10, members_max=200, notify_down_members=False)
    assert config.members_max == 200
    assert not config.notify_down_members
    assert config.probe_period_ms == 1000
    assert Config.wan(10, probe_rtt_ms=2000).probe_rtt_ms == 2000
    assert Config.simple(strict=True).strict


def test_an_impossible_cluster_size_is_refused():
    for size in (0, -1, 0x100000000, 2.5, "ten", None):
        for preset in (Config.lan, Config.wan):
            error = str(raises(ConfigError, preset, size))
            assert "must be 1 .. 4294967295" in error, size


def test_every_field_takes_its_smallest_and_largest_value():
    for name in FIELDS:
        default, smallest, largest = FIELDS[name]
        assert smallest <= default <= largest
        for value in (smallest, largest):
            fields = {name: value, "strict": True, "packet_bytes_max": 65507}
            if name == "packet_bytes_max":
                fields["send_bytes_max"] = 1
            fields[name] = value
            assert getattr(Config(**fields), name) == value, name


def test_every_field_refuses_what_lies_outside():
    for name in FIELDS:
        smallest, largest = FIELDS[name][1:]
        if largest is True:
            continue
        for value in (smallest - 1, largest + 1):
            error = str(raises(ConfigError, Config, **{name: value}))
            assert (
                "%s %d is out of range: choose %d .. %d"
                % (
                    name,
                    value,
                    smallest,
                    largest,
                )
                in error
            )


def test_every_field_refuses_another_type():
    for name in FIELDS:
        if FIELDS[name][2] is True:
            for value in (0, 1, None, "yes"):
                error = str(raises(ConfigError, Config, **{name: value}))
                assert name in error and "must be True or False" in error
        else:
            for value in (None, "5", 5.0, True):
                error = str(raises(ConfigError, Config, **{name: value}))
                assert name in error and "must be a whole number" in error


def test_an_unknown_field_is_named():
    error = str(raises(ConfigError, Config, probe_periods_ms=5))
    assert "'probe_periods_ms' is no field of Config" in error
    assert "unknown" not in Config().to_dict()
    raises(ConfigError, Config.from_dict, {"unknown": 1})


def test_sending_more_than_peers_accept_is_refused():
    error = str(raises(ConfigError, Config, packet_bytes_max=500, send_bytes_max=501))
    assert "send_bytes_max 501 is above packet_bytes_max 500" in error
    assert "lower it" in error
    assert Config(packet_bytes_max=500, send_bytes_max=500).send_bytes_max == 500


def test_a_probe_must_be_over_before_the_next_one_starts():
    error = str(raises(ConfigError, Config, probe_rtt_ms=900, probe_period_ms=800))
    assert "probe_rtt_ms 900 must be below probe_period_ms 800" in error
    assert "raise probe_period_ms to about 2700" in error
    raises(ConfigError, Config, probe_rtt_ms=800, probe_period_ms=800)
    assert Config(probe_rtt_ms=799, probe_period_ms=800).probe_rtt_ms == 799


def test_strict_mode_allows_it_like_the_reference():
    assert Config(strict=True, probe_rtt_ms=900, probe_period_ms=800).probe_rtt_ms == 900


def test_a_config_changed_by_hand_is_checked_again():
    config = Config()
    config.members_max = 0
    assert "members_max 0" in config.problem()
    assert "members_max 0" in str(raises(ConfigError, config.check))
    config.members_max = 5
    assert config.problem() is None
    assert config.check() is None


def test_the_dict_holds_every_field_and_comes_back():
    config = Config.wan(77, members_max=9, strict=True, items_max=3)
    fields = config.to_dict()
    assert sorted(fields) == sorted(FIELDS)
    assert Config.from_dict(fields).to_dict() == fields
    assert Config.from_dict({}).to_dict() == Config().to_dict()


def test_the_dict_survives_json():
    import json

    fields = Config.lan(12).to_dict()
    assert Config.from_dict(json.loads(json.dumps(fields))).to_dict() == fields


# what a running node may change


def test_probe_timings_cannot_change_while_running():
    """foca: cant_change_config_probe_timers."""
    config = Config.lan(10)
    for name in ("probe_period_ms", "probe_rtt_ms"):
        other = Config.lan(10, **{name: getattr(config, name) + 1})
        assert config.forbids(other) == name + " cannot change while running"
    assert config.forbids(Config.lan(10)) is None


def test_limits_that_memory_was_taken_for_cannot_change_while_running():
    config = Config.simple(packet_bytes_max=2000)
    for name in FIXED:
        fields = {"packet_bytes_max": 2000}
        value = getattr(config, name)
        fields[name] = not value if name == "strict" else value - 1
        other = Config.simple(**fields)
        assert config.forbids(other) == name + " cannot change while running"


def test_periodic_messages_cannot_be_switched_on_while_running():
    """foca: periodic_announce_cannot_be_enabled_at_runtime and its two siblings."""
    for name in ("periodic_announce_ms", "periodic_announce_to_down_ms", "periodic_gossip_ms"):
        off = Config.simple()
        on = Config.simple(**{name: 100})
        assert off.forbids(on) == name + " cannot be switched on while running"
        assert on.forbids(off) is None
        assert on.forbids(Config.simple(**{name: 700})) is None


def test_everything_else_may_change_while_running():
    config = Config.lan(10, send_bytes_max=1400)
    for name in FIELDS:
        if name in FIXED or name in ("probe_period_ms", "probe_rtt_ms"):
            continue
        value = getattr(config, name)
        smallest, largest = FIELDS[name][1:]
        fields = {"send_bytes_max": 1400}
        fields[name] = not value if largest is True else smallest + 2
        assert config.forbids(Config.lan(10, **fields)) is None, name


def test_a_config_that_cannot_work_is_forbidden_too():
    other = Config.simple()
    other.max_transmissions = 0
    assert "max_transmissions 0" in Config.simple().forbids(other)
