"""What every `Layout`, and every subclass of one, must do: the specification of an identity.

    check(mac(32))                   every rule below
    check(MyLayout(), renews=False)  for one that has no successors by choice

A newcomer's layout is done when this passes. Runs on CPython and on MicroPython.
"""

from foca.identity import Layout

_PAD = 3  # bytes in front of and behind every record: nobody may touch them


def check(layout, renews=None):
    """Every rule. `renews`: whether identities of this kind have successors.

    None: if they have a bump.
    """
    assert isinstance(layout, Layout)
    if renews is None:
        renews = layout.bump_bytes > 0
    widths_add_up(layout)
    equal_identities_do_not_beat_each_other(layout)
    at_most_one_of_two_wins(layout)
    winning_looks_at_nothing_but_the_two_records(layout)
    if renews:
        a_successor_wins(layout)
        a_successor_keeps_the_address(layout)
        successors_of_successors_win(layout)
        a_longer_step_beats_a_shorter_one(layout)
    else:
        what_cannot_renew_says_so_and_changes_nothing(layout)


def table(layout, *bumps):
    """Records with one address behind each other, with a margin; returns (ids, offsets).

    `bumps`: the last byte of each; the first one is 0x20, so that there is room below and above.
    """
    ids = bytearray(b"\xa5" * _PAD)
    offsets = []
    for bump in bumps:
        offsets.append(len(ids))
        ids.extend(bytes([17 + i & 255 for i in range(layout.address_bytes)]))
        if layout.bump_bytes:
            ids.extend(b"\x20" + bytes(layout.bump_bytes - 2) + bytes([bump]))
    ids.extend(b"\xa5" * _PAD)
    return ids, offsets


def widths_add_up(layout):
    assert layout.octets >= 1
    assert layout.octets_at == (1 if layout.tag == 2 else 0)
    assert layout.port_at == layout.octets_at + layout.octets
    assert layout.address_bytes == layout.port_at + (2 if layout.has_port else 0)
    assert layout.bump_bytes in (0, 2, 4, 8)
    assert layout.record_bytes == layout.address_bytes + layout.bump_bytes


def equal_identities_do_not_beat_each_other(layout):
    ids, at = table(layout, 3, 3)
    assert not layout.wins(ids, at[0], at[1])
    assert not layout.wins(ids, at[0], at[0])


def at_most_one_of_two_wins(layout):
    """Two winners would take each other's place for ever."""
    for one in (0, 1, 2, 127, 128, 255):
        for other in (0, 1, 2, 127, 128, 255):
            ids, at = table(layout, one, other)
            assert not (layout.wins(ids, at[0], at[1]) and layout.wins(ids, at[1], at[0]))


def winning_looks_at_nothing_but_the_two_records(layout):
    ids, at = table(layout, 1, 2)
    before = bytes(ids)
    outcome = bool(layout.wins(ids, at[0], at[1]))
    assert bytes(ids) == before, "wins() must not write"
    for i in range(_PAD):
        ids[i] = ids[len(ids) - 1 - i] = 0x5A
    assert bool(layout.wins(ids, at[0], at[1])) == outcome


def a_successor_wins(layout):
    ids, at = table(layout, 7, 7)
    assert layout.renew(ids, at[1], 1)
    assert layout.wins(ids, at[1], at[0])
    assert not layout.wins(ids, at[0], at[1])


def a_successor_keeps_the_address(layout):
    ids, at = table(layout, 7)
    before = bytes(ids)
    assert layout.renew(ids, at[0], 1)
    end = at[0] + layout.address_bytes
    assert bytes(ids[:end]) == before[:end], "renew() must keep the address, and what precedes it"
    assert bytes(ids[-_PAD:]) == b"\xa5" * _PAD, "renew() must not write behind the record"
    assert bytes(ids) != before, "renew() must change the identity"


def successors_of_successors_win(layout):
    """More than once around the low byte, so that a carry is seen."""
    ids, at = table(layout, 0, 0)
    for _ in range(300):
        assert layout.renew(ids, at[1], 1)
        assert layout.wins(ids, at[1], at[0])
        width = layout.record_bytes
        ids[at[0] : at[0] + width] = ids[at[1] : at[1] + width]


def a_longer_step_beats_a_shorter_one(layout):
    """Renewals that repeat quickly take longer steps, to get past what peers remember."""
    ids, at = table(layout, 9, 9)
    assert layout.renew(ids, at[0], 1)
    assert layout.renew(ids, at[1], 16)
    assert layout.wins(ids, at[1], at[0])


def what_cannot_renew_says_so_and_changes_nothing(layout):
    ids, at = table(layout, 7)
    before = bytes(ids)
    assert not layout.renew(ids, at[0], 1)
    assert bytes(ids) == before
