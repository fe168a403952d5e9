"""A configuration comes back from its dict, and whatever is refused is refused in words."""

import json
import math

from foca.config import FIELDS, Config, suspicion_ms_for, transmissions_for
from foca.errors import ConfigError
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLES = settings().max_examples
VALUES = st.one_of(
    st.integers(),
    st.integers(0, 70000),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=True),
    st.text(max_size=3),
)


@st.composite
def legal(draw):
    """Fields that fit: each in its own range, and the two rules between fields kept."""
    fields = {}
    for name in draw(st.sets(st.sampled_from(sorted(FIELDS)))):
        smallest, largest = FIELDS[name][1:]
        fields[name] = draw(st.booleans() if largest is True else st.integers(smallest, largest))
    fields["packet_bytes_max"] = draw(st.integers(1, 65507))
    fields["send_bytes_max"] = draw(st.integers(1, fields["packet_bytes_max"]))
    if not fields.get("strict"):
        fields["probe_period_ms"] = draw(st.integers(2, 518400000))
        fields["probe_rtt_ms"] = draw(st.integers(1, fields["probe_period_ms"] - 1))
    return fields


@given(legal())
@settings(max_examples=3 * EXAMPLES)
def test_legal_fields_are_taken_and_come_back(fields):
    config = Config(**fields)
    for name in fields:
        assert getattr(config, name) == fields[name]
    everything = json.loads(json.dumps(config.to_dict()))
    assert Config.from_dict(everything).to_dict() == config.to_dict()
    assert config.forbids(Config.from_dict(everything)) is None


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(sorted(FIELDS)), st.text(max_size=5)), VALUES, max_size=4
    )
)
@settings(max_examples=5 * EXAMPLES)
def test_any_fields_are_taken_or_refused_by_name(fields):
    try:
        config = Config.from_dict(fields)
    except ConfigError as error:
        assert any(name in str(error) or repr(name) in str(error) for name in fields), str(error)
    else:
        assert config.problem() is None
        for name, value in fields.items():
            assert type(getattr(config, name)) is type(value)
            assert getattr(config, name) == value


@given(legal(), legal())
def test_what_a_running_node_may_change_leaves_its_memory_alone(fields, others):
    config, other = Config(**fields), Config(**others)
    if config.forbids(other) is None:
        for name in ("members_max", "items_max", "items_bytes_max", "packet_bytes_max", "strict"):
            assert getattr(config, name) == getattr(other, name)
    assert config.forbids(config) is None


@given(st.integers(1, 0xFFFFFFFF))
@settings(max_examples=5 * EXAMPLES)
def test_the_presets_agree_with_doubles_away_from_the_edges(size):
    """A double is off by less than 1e-9 here: compare where that cannot decide."""
    transmissions = 4 * math.log10(min(size + 1, 0xFFFFFFFF))
    if abs(transmissions - round(transmissions)) > 1e-9:
        assert transmissions_for(size) == max(1, int(transmissions))
    for period, multiplier in ((1000, 4), (5000, 6)):
        exact = max(1.0, math.log10(size)) * period * multiplier
        if abs(exact - round(exact)) > 1e-6:
            assert suspicion_ms_for(size, period, multiplier) == math.ceil(exact)
