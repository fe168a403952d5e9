"""Both codecs against a plain decoder, written a second time from docs/WIRE.md, on any bytes."""

from foca.bincode import Bincode
from foca.cursor import Cursor
from foca.identity import ip, ipv4, ipv6, mac, own
from foca.members import UPDATE, Members
from foca.postcard import Postcard
from foca.rng import Rng
from hypothesis import assume, given, settings
from hypothesis import strategies as st

EXAMPLES = settings().max_examples
LAYOUTS = (
    ipv4(64),
    ipv4(0),
    ipv6(16),
    ip(32),
    ip(64),
    mac(64),
    own(2, True, 16),
    own(1, False, 0),
)


class MalformedError(Exception):
    pass


class PlainPostcard:
    """Positions in, (value, position) out."""

    codec = Postcard

    @staticmethod
    def integer(data, pos, bits):
        value = 0
        for index in range((bits + 6) // 7):
            if pos + index >= len(data):
                raise MalformedError
            byte = data[pos + index]
            value |= (byte & 127) << 7 * index
            if byte < 128:
                if value >> bits:
                    raise MalformedError
                return value, pos + index + 1
        raise MalformedError


class PlainBincode:
    codec = Bincode

    @staticmethod
    def integer(data, pos, bits):
        if pos >= len(data):
            raise MalformedError
        marker = data[pos]
        if marker < 251:
            return marker, pos + 1
        count = {251: 2, 252: 4, 253: 8}.get(marker, 99)
        if 8 * count > bits or pos + 1 + count > len(data):
            raise MalformedError
        return int.from_bytes(data[pos + 1 : pos + 1 + count], "little"), pos + 1 + count


def plain_index(plain, data, pos, limit):
    value, pos = plain.integer(data, pos, 32)
    if value >= limit:
        raise MalformedError
    return value, pos


def plain_member(plain, layout, data, pos):
    """((family, octets, port, bump), incarnation, state), position."""
    family, count = layout.tag, layout.octets
    if layout.tag >= 0:
        family, pos = plain_index(plain, data, pos, 2)
        count = 16 if family else 4
    octets = data[pos : pos + count]
    pos += count
    if len(octets) < count:
        raise MalformedError
    port = bump = 0
    if layout.has_port:
        port, pos = plain.integer(data, pos, 16)
    if layout.bump_bytes:
        bump, pos = plain.integer(data, pos, 8 * layout.bump_bytes)
    incarnation, pos = plain.integer(data, pos, 16)
    state, pos = plain_index(plain, data, pos, 3)
    return ((family, octets, port, bump), incarnation, state), pos


def plain_record(layout, identity):
    family, octets, port, bump = identity
    record = bytes([family]) if layout.tag == 2 else b""
    record += octets.ljust(layout.octets, b"\0")
    record += port.to_bytes(2, "big") if layout.has_port else b""
    return record + bump.to_bytes(layout.bump_bytes, "big")


INTERESTING = st.one_of(
    st.sampled_from(
        [bytes([n]) for n in (0, 1, 2, 3, 4, 127, 128, 129, 250, 251, 252, 253, 254, 255)]
    ),
    st.sampled_from((b"\x80\x80\x03", b"\x80\x80\x04", b"\xff\xff\xff\xff\x0f", b"\xfb\x01\x00")),
    st.sampled_from((b"\x7f\x00\x00\x01", b"\xfc\x01\x00\x00\x00", b"\xfd" + bytes(8))),
    st.binary(max_size=5),
)
SOUP = st.lists(INTERESTING, max_size=14).map(b"".join)


@st.composite
def benches(draw):
    layout = draw(st.sampled_from(LAYOUTS))
    plain = draw(st.sampled_from((PlainPostcard, PlainBincode)))
    members = Members(layout, 2, Rng(1))
    return plain, layout, members, plain.codec(members)


@st.composite
def encoded(draw, plain, layout):
    """A member in any of its forms, by hand; maybe of a family that the layout cannot hold."""

    def integer(value, bits):
        if plain is PlainBincode:
            least = 0 if value < 251 else 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8
            widths = [w for w in (0, 2, 4, 8) if w >= least and 8 * w <= bits]
            width = draw(st.sampled_from(widths))
            marker = {2: b"\xfb", 4: b"\xfc", 8: b"\xfd"}
            return marker[width] + value.to_bytes(width, "little") if width else bytes([value])
        groups = [value >> i & 127 for i in range(0, max(value.bit_length(), 1), 7)]
        groups += [0] * draw(st.integers(0, (bits + 6) // 7 - len(groups)))
        return bytes([group | 128 for group in groups[:-1]] + groups[-1:])

    def any_of(bits):
        return (1 << draw(st.integers(0, bits))) - draw(st.integers(0, 1))

    family = draw(st.integers(0, 1)) if layout.tag >= 0 else -1
    count = layout.octets if family < 0 else 16 if family else 4
    identity = (
        family,
        draw(st.binary(min_size=count, max_size=count)),
        min(any_of(16), 65535) if layout.has_port else 0,
        min(any_of(8 * layout.bump_bytes), (1 << 8 * layout.bump_bytes) - 1),
    )
    member = (identity, draw(st.integers(0, 65535)), draw(st.integers(0, 2)))
    data = integer(family, 32) if family >= 0 else b""
    data += identity[1]
    data += integer(identity[2], 16) if layout.has_port else b""
    data += integer(identity[3], 8 * layout.bump_bytes) if layout.bump_bytes else b""
    return member, data + integer(member[1], 16) + integer(member[2], 32)


def compare(bench, data, behind):
    """The codec makes of `data` what the plain decoder does; `behind` stands behind it."""
    plain, layout, members, codec = bench
    cursor = Cursor()
    cursor.open(data + behind, 0, len(data))
    foreign = codec.skip_members(cursor, 1)
    assert 0 <= cursor.pos <= len(data)
    try:
        (identity, incarnation, state), end = plain_member(plain, layout, data, 0)
    except MalformedError:
        assert not cursor.ok
        return
    assert cursor.ok
    assert cursor.pos == end
    is_foreign = layout.tag in (0, 1) and identity[0] != layout.tag
    assert foreign == is_foreign
    cursor.pos = 0
    assert codec.skip_foreign(cursor) == is_foreign
    assert cursor.pos == (end if is_foreign else 0)
    if is_foreign:
        return
    width = layout.record_bytes
    members.ids[UPDATE * width : (UPDATE + 1) * width] = b"\xa5" * width
    codec.read_member(cursor, UPDATE)
    assert cursor.pos == end
    record = bytes(members.ids[UPDATE * width : (UPDATE + 1) * width])
    assert record == plain_record(layout, identity)
    assert members.incarnations[UPDATE] == incarnation
    assert members.states[UPDATE] == state
    # and back: the usual form, of the length told beforehand, is read as the same member
    count = codec.member_bytes(UPDATE)
    assert count <= end, "no form is shorter than the usual one"
    written = bytearray(count)
    assert codec.write_member(written, 0, UPDATE) == count
    again, pos = plain_member(plain, layout, bytes(written), 0)
    assert pos == count
    assert again == (identity, incarnation, state)


@given(benches(), SOUP, st.binary(max_size=20))
@settings(max_examples=10 * EXAMPLES)
def test_any_bytes_are_judged_like_the_plain_decoder_does(bench, data, behind):
    compare(bench, data, behind)


@given(st.data(), benches(), st.binary(max_size=20))
@settings(max_examples=8 * EXAMPLES)
def test_any_form_of_any_member_is_read_as_it_is(data, bench, behind):
    member, raw = data.draw(encoded(bench[0], bench[1]))
    assert plain_member(bench[0], bench[1], raw, 0) == (member, len(raw)), "the test itself"
    compare(bench, raw + data.draw(st.binary(max_size=20)), behind)


@given(st.data(), benches())
def test_a_member_cut_at_any_byte_is_refused(data, bench):
    raw = data.draw(encoded(bench[0], bench[1]))[1]
    for end in range(len(raw)):
        compare(bench, raw[:end], raw[end:])
        compare(bench, raw[:end], b"")


@given(st.data(), benches())
def test_several_members_are_judged_like_one_after_the_other(data, bench):
    plain, layout, members, codec = bench
    raws = [data.draw(encoded(plain, layout))[1] for _ in range(data.draw(st.integers(0, 4)))]
    raw = b"".join(raws) + data.draw(SOUP)
    count = data.draw(st.integers(0, 6))
    cursor = Cursor()
    cursor.open(raw, 0, len(raw))
    foreign = codec.skip_members(cursor, count)
    pos = expected = 0
    try:
        for _ in range(count):
            (identity, _, _), pos = plain_member(plain, layout, raw, pos)
            expected += layout.tag in (0, 1) and identity[0] != layout.tag
    except MalformedError:
        assert not cursor.ok
    else:
        assert cursor.ok and cursor.pos == pos and foreign == expected


@given(st.data(), benches(), st.integers(0, 255), st.integers(0, 10))
def test_headers_come_back(data, bench, number, tag):
    from foca.members import DST, SELF, SRC, THIRD
    from foca.wire import FLAGS, HAS_NUMBER, HAS_THIRD

    plain, layout, members, codec = bench
    width = layout.record_bytes
    records = {}
    for row in (SELF, DST, THIRD):
        identity = data.draw(encoded(plain, layout))[0][0]
        assume(layout.tag not in (0, 1) or identity[0] == layout.tag)
        records[row] = plain_record(layout, identity)
        members.ids[row * width : (row + 1) * width] = records[row]
    codec.know_own()
    members.incarnations[SELF] = incarnation = data.draw(st.integers(0, 65535))
    head = tag | (number << 4 if FLAGS[tag] & HAS_NUMBER else 0)
    count = codec.header_bytes(DST, tag, THIRD)
    buf = bytearray(count)
    assert codec.write_header(buf, DST, head, THIRD) == count
    members.ids[SRC * width : (THIRD + 1) * width] = b"\xa5" * (3 * width)
    cursor = Cursor()
    cursor.open(buf + b"\x01\x02", 0, count + 2)
    assert codec.read_header(cursor) == head
    assert cursor.pos == count
    assert members.ids[SRC * width : (SRC + 1) * width] == records[SELF]
    written = SELF if codec.is_for_us else DST  # that row is not touched then
    assert members.ids[written * width : (written + 1) * width] == records[DST]
    assert members.incarnations[SRC] == incarnation
    if FLAGS[tag] & HAS_THIRD:
        assert members.ids[THIRD * width : (THIRD + 1) * width] == records[THIRD]
    for end in range(count):
        cursor.open(buf, 0, end)
        assert codec.read_header(cursor) == -1
