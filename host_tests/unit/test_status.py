"""foca.status: status codes and counters have one number and one name each."""

import foca.status as status
from foca.status import COUNTER_NAMES, COUNTERS, STATUS_NAMES


def constant_name(name):
    """DataTooBig -> DATA_TOO_BIG."""
    spread = ""
    for letter in name:
        spread += "_" + letter if letter == letter.upper() and spread else letter
    return spread.upper()


def test_every_name_stands_at_its_number():
    for number, name in enumerate(COUNTER_NAMES):
        assert getattr(status, constant_name(name)) == number, name


def test_every_number_has_a_name():
    numbers = [
        value
        for name, value in [(name, getattr(status, name)) for name in dir(status)]
        if name == name.upper() and type(value) is int and name != "COUNTERS"
    ]
    assert sorted(numbers) == list(range(COUNTERS))
    assert len(COUNTER_NAMES) == COUNTERS


def test_the_counters_start_with_the_status_codes():
    assert COUNTER_NAMES[: len(STATUS_NAMES)] == STATUS_NAMES
    assert status.OK == 0
    assert status.NOT_FOR_US == len(STATUS_NAMES)


def test_the_first_codes_are_the_variants_of_the_reference():
    """foca: Error. NotConnected has no counterpart: timers live inside, and are cleared."""
    for name in (
        "DataTooBig MalformedPacket Decode DataFromOurselves IndirectForOurselves CustomBroadcast"
        " Encode NotUndead SameIdentity IncompleteProbeCycle InvalidConfig"
    ).split():
        assert STATUS_NAMES.index(name) <= status.INVALID_CONFIG
