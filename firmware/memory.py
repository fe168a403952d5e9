"""What a board remembers across resets: boot counter, bump, last peers, crashes. Two slots, CRC.

    slot := "fM" version:1 length:2 sequence:4 boots:4 crashes:1 flags:1 bump:8 peers:1
            (octets:4 port:2)*peers  crc32:4                       big-endian, at most 76 bytes

A write goes to the older slot, so the newer one survives a power cut at any byte of it; a slot is
valid when its length and its CRC are right, and of two valid ones the later sequence counts.

How often it is written: once at each boot; after that only when something changed, and not
within `INTERVAL_MS` of the last time, 60 minutes: at most 8,760 times a year of running, and not
at all in a quiet cluster, because peers that are still there are kept even if others would do as
well. A planned reset, a crash, and a bump that jumped by more than 1,000 write once more.

The bump is that of this life. The next one starts one above, or at unix seconds if the clock is
set and later, so it grows without a clock. If a life renewed its identity and ended before that
was written, the next one starts too low; then the node jumps past what the cluster remembers
(foca/selfhood.py), at the cost of a round trip.
"""

import binascii

from foca._port import const, ticks_diff

INTERVAL_MS = const(3600000)
FIRST_MS = const(60000)
"""After a boot the first change is written already after so long: else a board that is switched on
every day for half an hour would never remember anybody."""
PEERS_MAX = const(8)

_NAMES = ("foca-memory-a.bin", "foca-memory-b.bin")
_JUMP = const(1000)
_HEAD = const(24)
_PLANNED = const(1)
_CRASHED = const(2)


class Memory:
    """`boots`: this boot's number, 1 .. 2**32 - 1. `peers`: HOST:PORT texts. `error`: of flash."""

    def __init__(self, folder=""):
        self.folder = folder
        self.sequence = 0
        self.boots = 0
        self.crashes = 0
        """In a row, without ten healthy minutes between."""
        self.flags = 0
        """How the last life ended, if it said so: planned reset or crash."""
        self.bump = 0
        self.peers = []
        self.writes = 0
        self.error = ""
        self._slot = 1
        self._before = -1
        self._left_ms = FIRST_MS  # until the next write may be
        self._is_changed = False
        self._load()

    def _load(self):
        for slot in (0, 1):
            data = self._read(slot)
            if is_valid(data) and self._is_later(number(data, 5, 9)):
                self._slot = slot
                self._take(data)

    def _is_later(self, sequence):
        return not self.sequence or 0 < (sequence - self.sequence) & 0xFFFFFFFF < 0x80000000

    def _read(self, slot):
        try:
            with open(self.folder + _NAMES[slot], "rb") as file:
                return file.read()
        except OSError:
            return b""

    def _take(self, data):
        self.sequence = number(data, 5, 9)
        self.boots = number(data, 9, 13)
        self.crashes = data[13]
        self.flags = data[14]
        self.bump = number(data, 15, 23)
        self.peers = []
        for i in range(data[23]):
            at = _HEAD + 6 * i
            host = ".".join([str(octet) for octet in data[at : at + 4]])
            self.peers.append("%s:%d" % (host, number(data, at + 4, at + 6)))

    def _pack(self):
        peers = b""
        for text in self.peers[:PEERS_MAX]:
            host, _, port = text.rpartition(":")
            octets = bytes([int(part) for part in host.split(".")])
            peers += octets + int(port).to_bytes(2, "big")
        length = _HEAD + len(peers) + 4
        data = b"fM\x01" + length.to_bytes(2, "big") + self.sequence.to_bytes(4, "big")
        data += self.boots.to_bytes(4, "big") + bytes((min(self.crashes, 255), self.flags))
        data += self.bump.to_bytes(8, "big") + bytes((len(peers) // 6,)) + peers
        return data + (binascii.crc32(data) & 0xFFFFFFFF).to_bytes(4, "big")

    def _write(self):
        """Write to the older slot. A flash that refuses is not fatal: `error` says so."""
        self.sequence = self.sequence % 0xFFFFFFFF + 1
        self._slot ^= 1
        try:
            with open(self.folder + _NAMES[self._slot], "wb") as file:
                file.write(self._pack())
            self.error = ""
            self.writes += 1
        except OSError as error:
            self.error = "cannot write to flash: %r" % (error,)
            self._slot ^= 1

    # a life

    def begin(self, unix_seconds, was_watchdog):
        """Count this boot and choose its bump; one write. Returns whether the last life crashed.

        was_watchdog: the reset came from the watchdog. On rp2 a planned reset looks the same, so
        that says it was planned.
        """
        crashed = bool(self.flags & _CRASHED)
        if was_watchdog and not self.flags:
            self.crashes += 1
            crashed = True
        self.flags = 0
        self.boots = min(self.boots + 1, 0xFFFFFFFF)
        self.bump = min(max(self.bump + 1, self.boots, unix_seconds), 0xFFFFFFFFFFFFFFFF)
        self._write()
        return crashed

    def note_planned_reset(self):
        """A reset follows that is no crash."""
        self.flags = _PLANNED
        self._write()

    def note_crash(self, line):
        """A reset follows because of `line`; the line itself goes to foca-crash.txt."""
        self.flags = _CRASHED
        self.crashes += 1
        self._write()
        try:
            with open(self.folder + "foca-crash.txt", "w") as file:
                file.write(line + "\n")
        except OSError as error:
            self.error = "cannot write to flash: %r" % (error,)

    def last_crash(self):
        """The line of the last crash, or an empty text."""
        try:
            with open(self.folder + "foca-crash.txt") as file:
                return file.read().strip()
        except OSError:
            return ""

    def note_healthy(self):
        """Ten minutes went well: the crashes before do not count any more."""
        if self.crashes:
            self.crashes = 0
            self._write()

    def update(self, now_ms, bump, active):
        """Remember the bump and the peers, if something changed and it is time.

        `active`: HOST:PORT texts of the active members. Without any, the old ones are kept.
        """
        if (
            self._before >= 0 and self._left_ms > 0
        ):  # added up: a quiet month exceeds the clock's range
            self._left_ms -= ticks_diff(now_ms, self._before)
        self._before = now_ms
        if bump > self.bump:
            if bump - self.bump > _JUMP:  # past a life with unix seconds: worth a write at once
                self._left_ms = 0
            self.bump = bump
            self._is_changed = True
        peers = [text for text in self.peers if text in active]
        for text in active:
            if len(peers) < PEERS_MAX and text not in peers:
                peers.append(text)
        if len(peers) < PEERS_MAX:
            for text in self.peers:  # those that are gone may come back
                if len(peers) < PEERS_MAX and text not in peers:
                    peers.append(text)
        if sorted(peers) != sorted(self.peers):
            self.peers = peers
            self._is_changed = True
        if self._is_changed and self._left_ms <= 0:
            self._is_changed = False
            self._left_ms = INTERVAL_MS
            self._write()


def number(data, first, end):
    """The big-endian number in data[first:end]."""
    return int.from_bytes(data[first:end], "big")


def is_valid(data):
    """Whether `data` is a whole slot."""
    length = len(data)
    if length < _HEAD + 4 or data[:3] != b"fM\x01" or number(data, 3, 5) != length:
        return False
    if length != _HEAD + 6 * data[23] + 4 or data[23] > PEERS_MAX:
        return False
    return binascii.crc32(data[:-4]) & 0xFFFFFFFF == number(data, length - 4, length)
