"""What every codec must do for every layout: the specification of reading and writing.

    check(Postcard, ipv4(64), Varints())

`integers` says how integers look in that codec, in plain code of its own:
    canonical(value)        the bytes a sender writes
    longer(value, bits)     other bytes that a receiver must take for it: `bits` wide
    malformed(bits)         bytes that are no integer of that width
An index (family, message, state) is an integer of 32 bits.

A newcomer's codec is done when this passes. Runs on CPython and on MicroPython.
"""

from foca.cursor import Cursor
from foca.members import DST, FIRST, SELF, SRC, THIRD, UPDATE, Members
from foca.rng import Rng
from foca.wire import DOWN, FLAGS, HAS_NUMBER, HAS_THIRD, SUSPECT

from support.check import same_bytes

PORTS = (0, 127, 128, 250, 251, 255, 256, 16383, 16384, 65535)
INCARNATIONS = (0, 1, 127, 128, 250, 251, 252, 255, 256, 16383, 16384, 65534, 65535)
BUMP_EDGES = (7, 8, 14, 16, 21, 24, 28, 30, 31, 32, 35, 40, 42, 48, 49, 56, 62, 63, 64)
NO_INDEX = (128, 250, 255, 256, 259, 65536, 65538, 1 << 24, 1 << 31, 0xFFFFFFFF)
MARGINS = (0, 1, 40)  # bytes that follow in the packet: a codec may be faster when there are many


def check(codec_class, layout, integers):
    """Every rule."""
    bench = Bench(codec_class, layout, integers)
    members_look_as_they_should(bench)
    longer_forms_are_taken(bench)
    malformed_integers_are_refused(bench)
    unknown_indexes_are_refused(bench)
    a_member_cut_anywhere_is_refused(bench)
    members_lie_one_behind_the_other(bench)
    headers_look_as_they_should(bench)
    headers_in_longer_forms_are_taken(bench)
    a_header_cut_anywhere_is_refused(bench)
    unknown_messages_are_refused(bench)
    our_own_identity_is_recognised(bench)
    foreign_members_are_passed(bench)
    foreign_headers_are_told_apart(bench)


class Bench:
    """A table, a codec on it, and the plain way to say what belongs into a packet."""

    def __init__(self, codec_class, layout, integers):
        self.layout = layout
        self.integers = integers
        self.members = Members(layout, 4, Rng(1))
        self.codec = codec_class(self.members)
        self.cursor = Cursor()

    # identities as (family, octets, port, bump)

    def identity(self, seed, port=8000, bump=1, family=None):
        """An identity of this layout with octets that follow from `seed`."""
        layout = self.layout
        if family is None:
            family = 0 if layout.tag == 2 and seed & 1 else 1 if layout.tag == 2 else layout.tag
        count = layout.octets if family < 0 else 16 if family else 4
        octets = bytes([(seed * 31 + i * 7) & 255 for i in range(count)])
        bits = 8 * layout.bump_bytes
        return (
            family,
            octets,
            port if layout.has_port else 0,
            bump & ((1 << bits) - 1) if bits else 0,
        )

    def record(self, identity):
        """The identity as a record."""
        layout = self.layout
        family, octets, port, bump = identity
        record = bytes((family,)) if layout.tag == 2 else b""
        record += octets + bytes(layout.octets - len(octets))
        if layout.has_port:
            record += bytes((port >> 8, port & 255))
        for i in range(layout.bump_bytes):
            record += bytes((bump >> 8 * (layout.bump_bytes - 1 - i) & 255,))
        return record

    def put(self, row, identity, incarnation=0, state=0):
        """Write an identity, an incarnation and a state into a row."""
        width = self.layout.record_bytes
        self.members.ids[row * width : (row + 1) * width] = self.record(identity)
        self.members.incarnations[row] = incarnation
        self.members.states[row] = state

    def stands_at(self, row, identity, incarnation=None, state=None):
        """Assert what a row holds."""
        width = self.layout.record_bytes
        same_bytes(self.members.ids[row * width : (row + 1) * width], self.record(identity))
        if incarnation is not None:
            assert self.members.incarnations[row] == incarnation
        if state is not None:
            assert self.members.states[row] == state

    # the wire, from integers alone

    def parts(self, identity):
        """The identity on the wire as (bytes, integer, bits) parts.

        `bits` 0 for bytes as they are.
        """
        family, octets, port, bump = identity
        parts = [(self.integers.canonical(family), family, 32)] if family >= 0 else []
        parts.append((octets, 0, 0))
        if self.layout.has_port:
            parts.append((self.integers.canonical(port), port, 16))
        if self.layout.bump_bytes:
            parts.append((self.integers.canonical(bump), bump, 8 * self.layout.bump_bytes))
        return parts

    def member_parts(self, identity, incarnation, state):
        canonical = self.integers.canonical
        return self.parts(identity) + [
            (canonical(incarnation), incarnation, 16),
            (canonical(state), state, 32),
        ]

    def header_parts(self, src, incarnation, dst, tag, third, number):
        canonical = self.integers.canonical
        parts = self.parts(src) + [(canonical(incarnation), incarnation, 16)] + self.parts(dst)
        parts.append((canonical(tag), tag, 32))
        if FLAGS[tag] & HAS_THIRD:
            parts += self.parts(third)
        if FLAGS[tag] & HAS_NUMBER:
            parts.append((bytes((number,)), 0, 0))
        return parts

    # reading

    def open(self, data, margin=0, filler=b"\x00"):
        """Let the cursor stand at `data` in a packet where `margin` bytes follow.

        Others lie around.
        """
        self.cursor.open(
            filler * 3 + data + filler * margin + filler * 40, 3, 3 + len(data) + margin
        )

    def skip_one(self, data, margin, filler=b"\x00"):
        """Validate one member; returns whether it is well-formed.

        It must end where the data ends.
        """
        self.open(data, margin, filler)
        foreign = self.codec.skip_members(self.cursor, 1)
        if self.cursor.ok:
            assert foreign == 0
            assert self.cursor.pos == 3 + len(data), "a member must end where it ends"
        return self.cursor.ok

    def read_one(self, data, margin=0):
        """Read the validated member into UPDATE, which held something else.

        Nothing else may change.
        """
        ids = self.members.ids
        width = self.layout.record_bytes
        for i in range(UPDATE * width, (UPDATE + 1) * width):
            ids[i] = 0xA5
        before = bytes(ids)
        self.open(data, margin)
        self.codec.read_member(self.cursor, UPDATE)
        assert self.cursor.pos == 3 + len(data)
        same_bytes(ids[: UPDATE * width], before[: UPDATE * width])
        same_bytes(ids[(UPDATE + 1) * width :], before[(UPDATE + 1) * width :])

    def samples(self):
        """Members of this layout: (identity, incarnation, state) with every edge of every part."""
        samples = [(self.identity(i), 0, i % 3) for i in range(5)]
        for port in PORTS if self.layout.has_port else ():
            samples.append((self.identity(port, port), 1, 0))
        for bits in BUMP_EDGES:
            if bits <= 8 * self.layout.bump_bytes:
                samples.append((self.identity(bits, 300, (1 << bits) - 1), 2, 1))
                samples.append((self.identity(bits + 1, 300, 1 << bits - 1), 2, 1))
        for bump in (0, 2, 250, 251, 252, 253, 254, 255, 256, 0x0100_0001, 0xFC00_0000):
            samples.append((self.identity(bump & 1, 200, bump), 3, 2))
        for incarnation in INCARNATIONS:
            samples.append((self.identity(7), incarnation, incarnation % 3))
        return samples


def joined(parts):
    return b"".join([data for data, _, _ in parts])


def variants(bench, parts, forms):
    """The whole of `parts` with one integer in each of its other `forms(value, bits)`."""
    for index in range(len(parts)):
        value, bits = parts[index][1:]
        for form in forms(value, bits) if bits else ():
            yield joined(parts[:index]) + form + joined(parts[index + 1 :])


def members_look_as_they_should(bench):
    """Written bytes are the plain ones, of the length told beforehand; both directions agree."""
    codec = bench.codec
    for identity, incarnation, state in bench.samples():
        expected = joined(bench.member_parts(identity, incarnation, state))
        bench.put(FIRST, identity, incarnation, state)
        assert codec.member_bytes(FIRST) == len(expected)
        assert codec.identity_bytes(FIRST) == len(joined(bench.parts(identity)))
        assert codec.identity_bytes(FIRST) <= codec.identity_bytes_max()
        buf = bytearray(b"\xee" * (len(expected) + 6))
        assert codec.write_member(buf, 3, FIRST) == 3 + len(expected)
        same_bytes(buf, b"\xee\xee\xee" + expected + b"\xee\xee\xee")
        tight = bytearray(len(expected))
        codec.write_member(tight, 0, FIRST)
        same_bytes(tight, expected)
        for margin in MARGINS:
            assert bench.skip_one(expected, margin), repr(expected)
            bench.read_one(expected, margin)
            bench.stands_at(UPDATE, identity, incarnation, state)


def longer_forms_are_taken(bench):
    for sample in bench.samples():
        parts = bench.member_parts(*sample)
        for data in variants(bench, parts, bench.integers.longer):
            for margin in MARGINS:
                assert bench.skip_one(data, margin), repr(data)
            bench.read_one(data)
            bench.stands_at(UPDATE, *sample)


def malformed_integers_are_refused(bench):
    for sample in ((bench.identity(1), 0, 0), (bench.identity(2, 65535, 300), 300, 2)):
        parts = bench.member_parts(*sample)
        for data in variants(bench, parts, lambda value, bits: bench.integers.malformed(bits)):
            for margin in MARGINS:
                for filler in (b"\x00", b"\xff"):
                    assert not bench.skip_one(data, margin, filler), repr(data)


def unknown_indexes_are_refused(bench):
    """A state from 3 on, a family from 2 on, in all forms.

    Those that look right in their low byte too.
    """
    parts = bench.member_parts(bench.identity(2), 0, 1)
    places = [(len(parts) - 1, 3)] + ([(0, 2)] if bench.layout.tag >= 0 else [])
    for place, limit in places:
        for index in (limit,) + NO_INDEX:
            forms = [bench.integers.canonical(index)] + list(bench.integers.longer(index, 32))
            for form in forms:
                data = joined(parts[:place]) + form + joined(parts[place + 1 :])
                for margin in MARGINS:
                    assert not bench.skip_one(data, margin), repr(data)


def a_member_cut_anywhere_is_refused(bench):
    """The packet ends there: what lies behind it in the buffer must not be looked at."""
    for sample in (
        (bench.identity(2, 65535, (1 << 64) - 1), 65535, SUSPECT),
        (bench.identity(1), 0, 0),
    ):
        data = joined(bench.member_parts(*sample))
        for end in range(len(data)):
            for buf in (data[:end], data + bytes(9), data[:end] + b"\xff" * 20):
                bench.cursor.open(buf, 0, end)
                bench.codec.skip_members(bench.cursor, 1)
                assert not bench.cursor.ok, "%r ends after %d bytes" % (data, end)
                assert bench.cursor.pos <= end


def members_lie_one_behind_the_other(bench):
    samples = bench.samples()[:9]
    data = b"".join([joined(bench.member_parts(*sample)) for sample in samples])
    cursor = bench.cursor
    cursor.open(data + b"\x01\x02", 0, len(data) + 2)
    assert bench.codec.skip_members(cursor, len(samples)) == 0
    assert cursor.ok and cursor.left() == 2
    cursor.pos = 0
    assert bench.codec.skip_members(cursor, 0) == 0
    assert cursor.ok and cursor.pos == 0
    for sample in samples:
        assert not bench.codec.skip_foreign(cursor)
        bench.codec.read_member(cursor, UPDATE)
        bench.stands_at(UPDATE, *sample)
    assert cursor.left() == 2
    cursor.open(data, 0, len(data))
    bench.codec.skip_members(cursor, len(samples) + 1)
    assert not cursor.ok


def header_samples(bench):
    """(src, incarnation, dst, tag, third, number) for every message."""
    for tag in range(11):
        yield (
            bench.identity(tag, PORTS[tag % 10], 1 << tag * 5),
            INCARNATIONS[tag],
            bench.identity(tag + 1, PORTS[9 - tag % 10], 1 << 63 - tag * 5),
            tag,
            bench.identity(tag + 2, 60000, 251),
            (tag * 50 + 5) & 255,
        )


def read_header(bench, data, margin=0):
    """Read a header whose end is followed by `margin` bytes of the packet; returns the status."""
    for row in (SRC, DST, THIRD):
        bench.put(row, bench.identity(99 + row))
    bench.open(data, margin, b"\xff")
    return bench.codec.read_header(bench.cursor)


def check_header(bench, data, sample, margin):
    src, incarnation, dst, tag, third, number = sample
    status = read_header(bench, data, margin)
    assert status >= 0, repr(data)
    assert bench.cursor.pos == 3 + len(data), "what follows the header is left alone"
    assert status & 15 == tag
    assert status >> 4 == (number if FLAGS[tag] & HAS_NUMBER else 0)
    bench.stands_at(SRC, src, incarnation)
    if not bench.codec.is_for_us:
        bench.stands_at(DST, dst)
    bench.stands_at(THIRD, third if FLAGS[tag] & HAS_THIRD else bench.identity(99 + THIRD))


def headers_look_as_they_should(bench):
    codec = bench.codec
    for sample in header_samples(bench):
        src, incarnation, dst, tag, third, number = sample
        expected = joined(bench.header_parts(*sample))
        bench.put(SELF, src, incarnation)
        codec.know_own()
        bench.put(DST, dst)
        bench.put(THIRD, third)
        assert codec.header_bytes(DST, tag, THIRD) == len(expected)
        buf = bytearray(b"\xee" * (len(expected) + 3))
        if not FLAGS[tag] & HAS_NUMBER:
            number = 0
        assert codec.write_header(buf, DST, tag | number << 4, THIRD) == len(expected)
        same_bytes(buf, expected + b"\xee\xee\xee")
        tight = bytearray(len(expected))
        codec.write_header(tight, DST, tag | number << 4, THIRD)
        same_bytes(tight, expected)
        bench.put(SELF, bench.identity(55))
        codec.know_own()
        for margin in MARGINS:
            check_header(bench, expected, sample, margin)
            assert not codec.is_for_us


def headers_in_longer_forms_are_taken(bench):
    for sample in header_samples(bench):
        for data in variants(bench, bench.header_parts(*sample), bench.integers.longer):
            check_header(bench, data, sample, 0)
        for data in variants(
            bench,
            bench.header_parts(*sample),
            lambda value, bits: bench.integers.malformed(bits),
        ):
            for margin in MARGINS:
                assert read_header(bench, data, margin) == -1, repr(data)


def a_header_cut_anywhere_is_refused(bench):
    for sample in header_samples(bench):
        data = joined(bench.header_parts(*sample))
        for end in range(len(data)):
            for buf in (data[:end], data + bytes(9)):
                bench.cursor.open(buf, 0, end)
                assert bench.codec.read_header(bench.cursor) == -1, "%r cut at %d" % (data, end)


def unknown_messages_are_refused(bench):
    parts = bench.parts(bench.identity(1))
    data = joined(parts) + bench.integers.canonical(0) + joined(parts)
    for tag in (11, 12, 127) + NO_INDEX:
        for form in [bench.integers.canonical(tag)] + list(bench.integers.longer(tag, 32)):
            for margin in MARGINS:
                assert read_header(bench, data + form + bytes(20), margin) == -1, tag


def our_own_identity_is_recognised(bench):
    """In its usual form by its bytes alone; in a longer form DST holds it, and comparing tells."""
    layout = bench.layout
    on_the_wire = list(range(layout.octets_at, layout.octets_at + min(4, layout.octets)))
    on_the_wire += range(layout.port_at, layout.record_bytes)
    for seed, port, bump in ((1, 0, 0), (2, 8000, 1), (3, 65535, (1 << 64) - 1)):
        own = bench.identity(seed, port, bump)
        other = bench.identity(seed + 4, port, bump)
        bench.put(SELF, own)
        bench.codec.know_own()
        for margin in MARGINS:
            check_header(
                bench,
                joined(bench.header_parts(other, 5, own, 6, own, 0)),
                (other, 5, own, 6, own, 0),
                margin,
            )
            assert bench.codec.is_for_us
            check_header(
                bench,
                joined(bench.header_parts(own, 5, other, 6, own, 0)),
                (own, 5, other, 6, own, 0),
                margin,
            )
            assert not bench.codec.is_for_us
        head = joined(bench.parts(other)) + bench.integers.canonical(5)
        tail = bench.integers.canonical(6)
        for form in variants(bench, bench.parts(own), bench.integers.longer):
            check_header(bench, head + form + tail, (other, 5, own, 6, own, 0), 0)
            assert bench.codec.is_for_us or bench.members.same_identity(DST, SELF)
        for i in on_the_wire:
            bench.members.ids[i] ^= 1
            bench.codec.know_own()
            assert read_header(bench, head + joined(bench.parts(own)) + tail, 9) >= 0
            assert not bench.codec.is_for_us
            bench.members.ids[i] ^= 1


def foreign_members_are_passed(bench):
    """A node with IPv4 identities skips an IPv6 member, counts it, and reads the rest.

    And the other way.
    """
    if bench.layout.tag not in (0, 1):
        return
    native = (bench.identity(1, 8000, 5), 3, DOWN)
    for port, bump in ((1, 1), (65535, (1 << 64) - 1), (128, 128), (251, 251)):
        identity = bench.identity(2, port, bump, 1 - bench.layout.tag)
        foreign = joined(bench.member_parts(identity, 65535, SUSPECT))
        data = foreign + joined(bench.member_parts(*native)) + foreign
        for margin in MARGINS:
            bench.open(data, margin)
            cursor = bench.cursor
            assert bench.codec.skip_members(cursor, 3) == 2
            assert cursor.ok and cursor.left() == margin
            cursor.pos = 3
            assert bench.codec.skip_foreign(cursor)
            assert cursor.pos == 3 + len(foreign)
            assert not bench.codec.skip_foreign(cursor)
            bench.codec.read_member(cursor, UPDATE)
            bench.stands_at(UPDATE, *native)
            assert bench.codec.skip_foreign(cursor)
            assert cursor.left() == margin
        for end in range(len(foreign)):
            for buf in (foreign[:end], foreign[:end] + b"\xff" * 30, foreign + bytes(9)):
                bench.cursor.open(buf, 0, end)
                bench.codec.skip_members(bench.cursor, 1)
                assert not bench.cursor.ok, "%r cut at %d" % (foreign, end)


def foreign_headers_are_told_apart(bench):
    """-2, whichever of the three identities it is, and only when the rest is well-formed."""
    if bench.layout.tag not in (0, 1):
        return
    native = bench.identity(1)
    foreign = bench.identity(2, 65535, (1 << 64) - 1, 1 - bench.layout.tag)
    bench.put(SELF, native)
    bench.codec.know_own()
    for src, dst, third in (
        (foreign, native, native),
        (native, foreign, native),
        (native, native, foreign),
        (foreign, foreign, foreign),
    ):
        data = joined(bench.header_parts(src, 300, dst, 2, third, 9))
        for margin in MARGINS:
            assert read_header(bench, data, margin) == -2
            assert bench.cursor.pos == 3 + len(data)
        for end in range(len(data)):
            bench.cursor.open(data[:end], 0, end)
            assert bench.codec.read_header(bench.cursor) == -1, "%r cut at %d" % (data, end)
