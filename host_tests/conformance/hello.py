"""The custom broadcast of the reference's example agent, as a handler. Runs on both interpreters.

    item := addr: SocketAddr  version: u64  text: length, UTF-8      in bincode, always

An item is news when its address is unknown or its version is greater than the one seen last; it
makes queued items of its address with a lower version pointless.
Source: spec of the agent; host_tests/interop/peer/src/handler.rs is the same on the crate.
"""

from foca.address import parse_host


def write_int(value):
    """A bincode varint as bytes."""
    if value < 251:
        return bytes([value])
    if value < 1 << 16:
        return b"\xfb" + value.to_bytes(2, "little")
    if value < 1 << 32:
        return b"\xfc" + value.to_bytes(4, "little")
    return b"\xfd" + value.to_bytes(8, "little")


class Reader:
    """Reads bincode; anything wrong is a ValueError."""

    def __init__(self, data):
        self.data = data
        self.pos = 0

    def take(self, count):
        """The next `count` bytes."""
        if count > len(self.data) - self.pos:
            raise ValueError("ends early")
        self.pos += count
        return self.data[self.pos - count : self.pos]

    def integer(self, widest):
        """A varint of at most `widest` bytes: 2, 4 or 8."""
        marker = self.take(1)[0]
        if marker < 251:
            return marker
        count = 2 << (marker - 251)
        if count > widest:
            raise ValueError("marker %d" % marker)
        return int.from_bytes(self.take(count), "little")


def decode(data):
    """((family, octets, port), version, text) of an item. Raises ValueError."""
    reader = Reader(bytes(data))
    family = reader.integer(4)
    if family > 1:
        raise ValueError("family %d" % family)
    octets = reader.take(16 if family else 4)
    port = reader.integer(2)
    version = reader.integer(8)
    return (family, octets, port), version, str(reader.take(reader.integer(8)), "utf-8")


class HelloHandler:
    """Keeps the last version of each address."""

    def __init__(self, text_of_row, refuse_to=(), on_news=None):
        """`text_of_row`: an identity as text; members at `refuse_to` are sent no items.

        `on_news`: called with (address, version, text, row of the relay or -1) for each new item.
        """
        self.text_of_row = text_of_row
        self.refuse_to = refuse_to
        self.on_news = on_news
        self.seen = {}

    @staticmethod
    def encode(address, version, text):
        """An item as bytes. `address`: "127.0.0.1:8000" or "[::1]:8000"."""
        host, _, port = address.rpartition(":")
        octets = parse_host(host.strip("[]"))
        data = text.encode()
        return (
            bytes([0 if len(octets) == 4 else 1])
            + octets
            + write_int(int(port))
            + write_int(version)
            + write_int(len(data))
            + data
        )

    def receive_item(self, buf, start, end, row):
        """1 for news, 0 for what is known, -1 for what is no item."""
        try:
            address, version, text = decode(buf[start:end])
        except ValueError:  # UnicodeError is one
            return -1
        if address in self.seen and version <= self.seen[address]:
            return 0
        self.seen[address] = version
        if self.on_news:
            self.on_news(address, version, text, row)
        return 1

    def invalidates(self, buf, start, end, items):
        """Whether a new item makes the queued one that `items` points at pointless."""
        address, version, _ = decode(buf[start:end])
        other, other_version, _ = decode(items.store[items.old_start : items.old_end])
        return address == other and version > other_version

    def should_add_broadcast_data(self, row):
        return self.text_of_row(row).rpartition("#")[0] not in self.refuse_to
