"""foca.wire: the words of the protocol are complete, and their tables agree with their numbers."""

from foca import wire
from foca.wire import (
    ACK,
    ANNOUNCE,
    BROADCAST,
    FEED,
    FLAGS,
    FORWARDED_ACK,
    GOSSIP,
    HAS_CUSTOM,
    HAS_MEMBERS,
    HAS_NUMBER,
    HAS_THIRD,
    INDIRECT_ACK,
    INDIRECT_PING,
    IS_FEED,
    MESSAGE_NAMES,
    PING,
    PING_REQ,
    STATE_NAMES,
    TURN_UNDEAD,
)

SECTIONS = (
    # tag, third party, number, members, custom broadcasts
    (PING, False, True, True, True),
    (ACK, False, True, True, True),
    (PING_REQ, True, True, True, True),
    (INDIRECT_PING, True, True, True, True),
    (INDIRECT_ACK, True, True, True, True),
    (FORWARDED_ACK, True, True, True, True),
    (ANNOUNCE, False, False, False, False),
    (FEED, False, False, True, True),
    (GOSSIP, False, False, True, True),
    (BROADCAST, False, False, False, True),
    (TURN_UNDEAD, False, False, False, False),
)


def constant_name(name):
    """IndirectPing -> INDIRECT_PING."""
    spread = ""
    for letter in name:
        spread += "_" + letter if letter == letter.upper() and spread else letter
    return spread.upper()


def test_every_message_name_stands_at_its_tag():
    assert len(MESSAGE_NAMES) == 11
    for tag, name in enumerate(MESSAGE_NAMES):
        assert getattr(wire, constant_name(name)) == tag, name


def test_every_state_name_stands_at_its_number():
    assert STATE_NAMES == ("Alive", "Suspect", "Down")
    for state, name in enumerate(STATE_NAMES):
        assert getattr(wire, name.upper()) == state


def test_each_message_carries_what_the_reference_gives_it():
    assert len(SECTIONS) == len(FLAGS) == len(MESSAGE_NAMES)
    for tag, third, number, members, custom in SECTIONS:
        flags = FLAGS[tag]
        assert bool(flags & HAS_THIRD) == third, MESSAGE_NAMES[tag]
        assert bool(flags & HAS_NUMBER) == number, MESSAGE_NAMES[tag]
        assert bool(flags & HAS_MEMBERS) == members, MESSAGE_NAMES[tag]
        assert bool(flags & HAS_CUSTOM) == custom, MESSAGE_NAMES[tag]


def test_only_a_feed_brings_members_that_are_not_from_the_backlog():
    assert [tag for tag in range(11) if FLAGS[tag] & IS_FEED] == [FEED]


def test_messages_that_are_a_header_only_have_no_flag():
    assert [tag for tag in range(11) if not FLAGS[tag]] == [ANNOUNCE, TURN_UNDEAD]


def test_the_flags_are_one_bit_each():
    bits = (HAS_MEMBERS, HAS_CUSTOM, HAS_NUMBER, HAS_THIRD, IS_FEED)
    assert sorted(bits) == [1, 2, 4, 8, 16]


def test_the_last_incarnation_fills_sixteen_bits():
    assert wire.INCARNATION_MAX == 65535
