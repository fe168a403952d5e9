"""firmware/memory.py: what is remembered survives a power cut at any byte, and wears no flash."""

import sys

FIRMWARE = __file__.rpartition("/host_tests/")[0]
sys.path.insert(0, (FIRMWARE + "/" if FIRMWARE else "") + "firmware")
import memory  # noqa: E402

sys.path.pop(0)
sys.modules.pop("memory")

MINUTE = 60000
HOUR = 60 * MINUTE


class Flash:
    """Files; `cut_at` bytes into the next write the power goes, and the write leaves `style`."""

    def __init__(self):
        self.files = {}
        self.cut_at = -1
        self.style = ""
        self.is_full = False
        self.writes = 0

    def open(self, name, mode="r"):
        if "w" in mode and self.is_full:
            raise OSError(28)
        if "w" not in mode and name not in self.files:
            raise OSError(2)
        return File(self, name, mode)


class PowerCutError(Exception):
    pass


class File:
    def __init__(self, flash, name, mode):
        self.flash = flash
        self.name = name
        self.mode = mode
        self.written = b""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        pass

    def read(self):
        data = self.flash.files[self.name]
        return data if "b" in self.mode else data.decode()

    def write(self, data):
        flash = self.flash
        data = data if "b" in self.mode else data.encode()
        flash.writes += 1
        old = flash.files.get(self.name, b"")
        if flash.cut_at >= 0:
            part = data[: flash.cut_at]
            if flash.style == "mixed":  # overwritten in place
                part += old[len(part) :]
            elif flash.style == "erased":  # the block was erased first
                part += b"\xff" * (len(data) - len(part))
            elif flash.style == "old":  # a copy-on-write file system that did not get to the end
                part = old
            flash.files[self.name] = part
            raise PowerCutError()
        flash.files[self.name] = data


def boot(flash, unix_seconds=0, was_watchdog=False):
    memory.open = flash.open
    remembered = memory.Memory()
    remembered.crashed = remembered.begin(unix_seconds, was_watchdog)
    return remembered


def run(remembered, start_ms, duration_ms, bump, active, step_ms=10000):
    now_ms = start_ms
    while now_ms < start_ms + duration_ms:
        remembered.update(now_ms & 0x3FFFFFFF, bump, active)
        now_ms += step_ms


def peers(*numbers):
    return ["10.0.0.%d:36220" % number for number in numbers]


def test_the_bump_grows_at_every_boot_without_a_clock():
    flash = Flash()
    bumps = [boot(flash).bump for _ in range(20)]
    assert bumps == list(range(1, 21))
    assert boot(flash).boots == 21


def test_the_bump_follows_a_clock_and_never_goes_back():
    flash = Flash()
    boot(flash)
    assert boot(flash, 1763900000).bump == 1763900000
    assert boot(flash, 0).bump == 1763900001
    assert boot(flash, 1763800000).bump == 1763900002


def test_a_bump_that_grew_in_a_life_is_the_next_ones_start():
    flash = Flash()
    run(boot(flash), 0, 2 * MINUTE, 500, [])
    assert boot(flash).bump == 501


def test_the_largest_bump_stays():
    flash = Flash()
    run(boot(flash), 0, 2 * MINUTE, 0xFFFFFFFFFFFFFFFF, [])
    assert boot(flash).bump == 0xFFFFFFFFFFFFFFFF


def test_peers_are_remembered_after_a_minute():
    flash = Flash()
    run(boot(flash), 5000, 2 * MINUTE, 1, peers(2, 3))
    assert boot(flash).peers == peers(2, 3)


def test_nothing_is_written_while_nothing_changes():
    flash = Flash()
    remembered = boot(flash)
    run(remembered, 0, 48 * HOUR, 1, peers(2, 3), MINUTE)
    assert flash.writes == 2


def test_eight_are_enough_and_those_that_stay_are_kept():
    flash = Flash()
    remembered = boot(flash)
    run(remembered, 0, 2 * HOUR, 1, peers(*range(2, 40)))
    assert remembered.peers == peers(*range(2, 10))
    writes = flash.writes
    for hour in range(30):  # others come and go
        run(remembered, (2 + hour) * HOUR, HOUR, 1, peers(*range(2, 10 + hour)), MINUTE)
    assert flash.writes == writes


def test_those_that_went_are_kept_while_there_is_room():
    flash = Flash()
    remembered = boot(flash)
    run(remembered, 0, 2 * HOUR, 1, peers(2, 3))
    run(remembered, 2 * HOUR, 2 * HOUR, 1, [])
    run(remembered, 4 * HOUR, 2 * HOUR, 1, peers(4))
    assert sorted(boot(flash).peers) == peers(2, 3, 4)


def test_a_restless_cluster_costs_one_write_an_hour():
    """8,760 a year of running, whatever happens; a day of a change every ten seconds here."""
    flash = Flash()
    remembered = boot(flash)
    wrap = (1 << 30) - 6 * HOUR
    for i in range(8640):
        remembered.update((wrap + i * 10000) & 0x3FFFFFFF, i, peers(i % 200, i // 7 % 200))
    assert 23 <= flash.writes - 1 <= 25


def test_a_quiet_month_does_not_stop_the_clock():
    """ticks_diff is right for 6.2 days only."""
    flash = Flash()
    remembered = boot(flash)
    run(remembered, 0, 30 * 24 * HOUR, 1, peers(2), HOUR)
    run(remembered, 30 * 24 * HOUR, 20000, 1, peers(2, 3))
    assert boot(flash).peers == peers(2, 3)


def test_a_power_cut_at_any_byte_of_a_write_loses_only_that_write():
    for style in ("short", "mixed", "erased", "old"):
        cut = 0
        while True:
            flash = Flash()
            run(boot(flash), 0, 2 * MINUTE, 7, peers(2, 3))
            run(boot(flash), 0, 2 * MINUTE, 9, peers(2, 3, 4))
            remembered = memory.Memory()
            before = (remembered.sequence, remembered.boots, remembered.bump, remembered.peers)
            assert before[2:] == (9, peers(2, 3, 4))
            size = len(remembered._pack())
            flash.cut_at = cut
            flash.style = style
            try:
                remembered.begin(0, False)
                raise AssertionError("no cut")
            except PowerCutError:
                pass
            flash.cut_at = -1
            again = memory.Memory()
            after = (again.sequence, again.boots, again.bump, again.peers)
            assert after == before or (cut >= size and after[1] == before[1] + 1), (style, cut)
            # and a life after that goes on counting
            assert boot(flash).bump >= 10
            assert boot(flash).bump >= 11
            if cut == size:
                break
            cut += 1


def test_a_bump_is_never_used_twice_whatever_is_cut():
    """Each boot is cut at another byte; those that got through have growing bumps."""
    flash = Flash()
    bumps = []
    for cut in range(-1, 60):
        flash.cut_at = cut
        flash.style = ("short", "mixed", "erased", "old")[cut % 4]
        try:
            bumps.append(boot(flash).bump)
        except PowerCutError:
            pass
        flash.cut_at = -1
        bumps.append(boot(flash).bump)
    for earlier, later in zip(bumps, bumps[1:]):  # noqa: B905
        assert earlier < later


def test_any_other_byte_is_noticed():
    flash = Flash()
    run(boot(flash), 0, 2 * MINUTE, 7, peers(2))
    remembered = memory.Memory()
    data = flash.files["foca-memory-b.bin"]
    assert memory.is_valid(data)
    for at in range(len(data)):
        for flip in (1, 0x80, 0xFF):
            assert not memory.is_valid(data[:at] + bytes((data[at] ^ flip,)) + data[at + 1 :])
    for length in range(len(data)):
        assert not memory.is_valid(data[:length])
    assert not memory.is_valid(data + b"\x00")
    assert remembered.peers == peers(2)


def test_a_full_flash_is_no_reason_to_stop():
    flash = Flash()
    flash.is_full = True
    remembered = boot(flash)
    assert "28" in remembered.error
    assert remembered.bump == 1
    remembered.note_crash("x")
    assert remembered.last_crash() == ""
    flash.is_full = False
    remembered.note_planned_reset()
    assert remembered.error == ""
    assert boot(flash).bump == 2


def test_crashes_in_a_row_are_counted_and_forgiven():
    flash = Flash()
    for number in (1, 2, 3):
        remembered = boot(flash)
        assert remembered.crashed == (number > 1)
        remembered.note_crash("ValueError: no, line %d" % number)
    remembered = boot(flash)
    assert remembered.crashes == 3
    assert remembered.last_crash() == "ValueError: no, line 3"
    remembered.note_healthy()
    remembered.note_healthy()
    assert boot(flash).crashes == 0


def test_a_bite_of_the_watchdog_is_a_crash_and_a_planned_reset_is_none():
    flash = Flash()
    boot(flash)
    remembered = boot(flash, was_watchdog=True)
    assert (remembered.crashed, remembered.crashes) == (True, 1)
    remembered.note_planned_reset()
    remembered = boot(flash, was_watchdog=True)
    assert (remembered.crashed, remembered.crashes) == (False, 1)


def test_a_boot_counter_that_wrapped_goes_on():
    flash = Flash()
    remembered = boot(flash)
    flash.files = {}
    remembered.sequence = 0xFFFFFFFE
    for number in range(6):
        remembered.bump = 100 + number
        remembered._write()
        assert memory.Memory().bump == 100 + number
