"""The golden vectors, read line by line, and one table with a codec to hold them against.

Runs on CPython and on MicroPython, where a whole file of vectors would not fit. A vector file is a
JSON list with one vector per line; its first element tells what it is. How identities, members,
headers and messages look in JSON is told in host_tests/interop/peer/README.md.
"""

import json

from foca.address import bump_of, parse, text_of
from foca.bincode import Bincode
from foca.cursor import Cursor
from foca.identity import ip
from foca.members import DST, SELF, SRC, THIRD, UPDATE, Members
from foca.postcard import Postcard
from foca.rng import Rng
from foca.wire import (
    FLAGS,
    HAS_MEMBERS,
    HAS_NUMBER,
    HAS_THIRD,
    IS_FEED,
    MESSAGE_NAMES,
    STATE_NAMES,
)
from support.check import take

FOLDER = "host_tests/conformance/vectors/"
COMBINATIONS = (("bincode", 16), ("bincode", 64), ("postcard", 16), ("postcard", 64))
CODECS = {"bincode": Bincode, "postcard": Postcard}


def vectors(codec, width, kind):
    """Every vector of a file for one codec and bump width; the first tells what the file is."""
    return read("%s-%d-%s.json" % (codec, width, kind))


def read(name):
    """Every element of one file in order, line by line."""
    path = FOLDER + name
    with open(path) as lines:
        for number, line in enumerate(lines):
            line = line.rstrip()
            if line in ("[", "]"):
                continue
            try:
                yield json.loads(line[:-1] if line.endswith(",") else line)
            except ValueError as error:
                raise ValueError("%s, line %d: %s" % (path, number + 1, error)) from error


def check_all(kind, check):
    """Call `check(bench, vector)` for every vector of `kind` of each codec and bump width.

    A failure names the file and the vector. Returns how many vectors agreed; the files' own counts
    must be met, so that a file cut short does not pass.
    """
    total = 0
    for codec, width in COMBINATIONS:
        bench = Bench(codec, width)
        source = vectors(codec, width, kind)
        expected = next(source)["count"]
        count = 0
        for vector in source:
            try:
                check(bench, vector)
            except AssertionError as error:
                raise AssertionError(
                    "%s-%d-%s: %s: %s" % (codec, width, kind, vector, error)
                ) from error
            count += 1
        assert count == expected, "%d vectors instead of %d" % (count, expected)
        total += count
    return total


def split_id(text):
    """("127.0.0.1:8000", 5) for "127.0.0.1:8000#5"."""
    name, _, bump = text.rpartition("#")
    return name, int(bump)


class Bench:
    """A member table of socket addresses of both families, a codec on it, and a packet buffer."""

    def __init__(self, codec, width, layout=None):
        self.layout = layout or ip(width)
        self.members = Members(self.layout, 4, Rng(1))
        self.codec = CODECS[codec](self.members)
        self.cursor = Cursor()
        self.buf = bytearray(2048)

    # rows and text

    def put(self, row, text):
        """Write the identity `text` into the record of `row`."""
        name, bump = split_id(text)
        width = self.layout.record_bytes
        record = parse(self.layout, name, bump)
        self.members.ids[row * width : row * width + width] = record

    def put_member(self, row, member):
        """Write the identity, incarnation and state of a JSON member into `row`."""
        text, incarnation, state = member
        self.put(row, text)
        self.members.incarnations[row] = incarnation
        self.members.states[row] = STATE_NAMES.index(state)

    def text(self, row):
        """The identity at `row` as `ADDR#BUMP`."""
        at = row * self.layout.record_bytes
        ids = self.members.ids
        return "%s#%d" % (
            text_of(self.layout, ids, at),
            bump_of(self.layout, ids, at),
        )

    def member(self, row):
        """The member at `row` as it stands in JSON."""
        members = self.members
        return [self.text(row), members.incarnations[row], STATE_NAMES[members.states[row]]]

    # decoding

    def open(self, data):
        """Let the cursor read `data`."""
        self.cursor.open(data, 0, len(data))

    def read_member(self):
        """(member, bytes passed) at the cursor, or (None, None) when it is malformed."""
        cursor = self.cursor
        start = cursor.pos
        foreign = self.codec.skip_members(cursor, 1)
        if not cursor.ok:
            return None, None
        assert not foreign
        end = cursor.pos
        cursor.pos = start
        self.codec.read_member(cursor, UPDATE)
        assert cursor.pos == end, "reading passed %d bytes, validating %d" % (cursor.pos, end)
        return self.member(UPDATE), end - start

    def read_header(self):
        """(header, bytes passed) at the start of the data, or (None, None)."""
        status = self.codec.read_header(self.cursor)
        if status < 0:
            return None, None
        if self.codec.is_for_us:
            self.members.copy(SELF, DST)
        tag = status & 15
        message = [MESSAGE_NAMES[tag]]
        if FLAGS[tag] & HAS_THIRD:
            message.append(self.text(THIRD))
        if FLAGS[tag] & HAS_NUMBER:
            message.append(status >> 4)
        incarnation = self.members.incarnations[SRC]
        return [self.text(SRC), incarnation, self.text(DST), message], self.cursor.pos

    def read_packet(self, data):
        """(header, updates or None, items as hex) of a well-formed packet."""
        self.open(data)
        cursor = self.cursor
        header, _ = self.read_header()
        assert header is not None, "the header is malformed"
        updates = None
        has_count = FLAGS[MESSAGE_NAMES.index(header[3][0])] & (HAS_MEMBERS | IS_FEED)
        if has_count and cursor.left():
            updates = [self.read_member()[0] for _ in range(cursor.read_u16be())]
        items = []
        while cursor.ok and cursor.left():
            items.append(take(cursor, cursor.read_u16be()).hex())
        assert cursor.ok, "the packet ends early"
        return header, updates, items

    # encoding

    def write_member(self, pos, member):
        """Write a JSON member at `pos`; returns the position behind it."""
        self.put_member(UPDATE, member)
        end = self.codec.write_member(self.buf, pos, UPDATE)
        assert end - pos == self.codec.member_bytes(UPDATE), "member_bytes is wrong"
        return end

    def write_header(self, header):
        """Write a JSON header at the start of the buffer; returns its length."""
        src, incarnation, dst, message = header
        tag = MESSAGE_NAMES.index(message[0])
        self.put(SELF, src)
        self.codec.know_own()
        self.members.incarnations[SELF] = incarnation
        self.put(DST, dst)
        if FLAGS[tag] & HAS_THIRD:
            self.put(THIRD, message[1])
        number = message[-1] if FLAGS[tag] & HAS_NUMBER else 0
        end = self.codec.write_header(self.buf, DST, tag | number << 4, THIRD)
        assert end == self.codec.header_bytes(DST, tag, THIRD), "header_bytes is wrong"
        return end

    def write_packet(self, header, updates, items):
        """The bytes of a whole packet."""
        pos = self.write_header(header)
        if updates is not None:
            pos = self.write_count(pos, len(updates))
            for member in updates:
                pos = self.write_member(pos, member)
        for item in items:
            pos = self.write_count(pos, len(item) // 2)
            self.buf[pos : pos + len(item) // 2] = bytes.fromhex(item)
            pos += len(item) // 2
        return self.buf[:pos]

    def write_count(self, pos, count):
        """Write a big-endian prefix; returns the position behind it."""
        self.buf[pos : pos + 2] = bytes((count >> 8, count & 255))
        return pos + 2
