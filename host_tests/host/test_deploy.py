"""tools/deploy.py with the real mpremote and a real MicroPython with a real littlefs; only the
cable is a pseudo terminal, and the radio is played (support/fake_board_repl.py).

Some deploy the real firmware and follow it until it meets a real node over UDP on this machine's
loopback network. Most deploy a small library from a folder that looks like a clone, to be quick.
"""

import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

import board_files
import board_link
import board_settings
import deploy
import find_micropython
import pytest
import serial
from foca.aio import Agent, Member
from foca.config import Config
from mpremote import transport_serial
from support.fake_board_repl import BoardOnCable

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "correct horse battery"
SMALL_LIBRARY = ("__init__.py", "_port.py", "errors.py", "wire.py")
RUNS_AND_JOINS = """\
# foca: what a node says, without a radio
import time
import foca, radio
print("foca", foca.__version__)
while True:
    print("address 192.168.1.7:36220")
    print("MemberUp 192.168.1.8:36220")
    time.sleep_ms(20)
"""

SLEEPS = "import time\nwhile True:\n    time.sleep(1)\n"
ANSWERS = """\
# foca: silent until it is asked
import sys
while True:
    line = ""
    while not line.endswith("\\r"):
        line += sys.stdin.read(1)
    line = line.strip()
    if line == "stats":
        print("address 192.168.1.7:36220 bump 1, in the mesh")
    elif line == "members":
        print("192.168.1.8:36220#7 Alive 0")
"""


@pytest.fixture(scope="session")
def micropython():
    for vm in find_micropython.find():
        if vm.name in ("mp32", "mp64"):
            return vm.argv
    pytest.skip(find_micropython.missing_line("mp32"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def clone(tmp_path, monkeypatch, cache):
    """A folder with `library` and `firmware`, and a person who has set the password."""
    folder = tmp_path / "clone"
    library, firmware = folder / "library", folder / "firmware"
    library.mkdir(parents=True)
    firmware.mkdir()
    for name in SMALL_LIBRARY:
        shutil.copy(ROOT / "lib" / "foca" / name, library)
    for name in ("options.py", "settings_example.py"):
        shutil.copy(ROOT / "firmware" / name, firmware)
    (firmware / "boot.py").write_text("# foca: blocks nothing\n")
    (firmware / "main.py").write_text(RUNS_AND_JOINS)
    (firmware / "radio.py").write_text("power = 1\n")
    monkeypatch.setattr(board_files, "LIBRARY", library)
    monkeypatch.setattr(board_files, "FIRMWARE", firmware)
    monkeypatch.setattr(board_files, "BOARDS", folder / "boards")
    monkeypatch.setattr(board_files, "CACHE", cache)
    monkeypatch.setattr(board_link, "RETURN_S", 5.0)
    monkeypatch.setattr(board_link, "BUSY_S", 1.0)
    monkeypatch.setattr(transport_serial, "time", Hurry)
    monkeypatch.setenv(board_settings.PASSWORD_VARIABLE, PASSWORD)
    return folder


@pytest.fixture
def plug(tmp_path, micropython):
    """plug(name, **what) -> a board on a cable; all are pulled at the end."""
    boards = []

    def make(name="board", **what):
        board = BoardOnCable(tmp_path / name, micropython, **what)
        boards.append(board)
        board.plug_in()
        return board

    yield make
    for board in boards:
        board.unplug()


@pytest.fixture
def board(plug):
    return plug()


def run(board, *arguments, ssid="our net"):
    """The exit status of deploy for one board."""
    words = ["--port", board.port, "--wait", "10", *arguments]
    return deploy.main(words + (["--ssid", ssid] if ssid else []))


def wanted(form="mpy"):
    """What the board must have in the end, settings aside."""
    files = board_files.library_files(form) + board_files.firmware_files(form)
    return {file.path: file.data for file in files}


def on_board(board):
    """What it has, settings aside."""
    files = board.files()
    files.pop("/settings.py", None)
    return files


class Hurry:
    """What mpremote sees as the module `time`: it looks for an answer every 10 ms, which is most
    of what a test would last."""

    monotonic = staticmethod(time.monotonic)

    @staticmethod
    def sleep(seconds):
        time.sleep(min(seconds, 0.001))


class UsbPort:
    """What pyserial's list says about one port."""

    def __init__(self, device, vid=0x2E8A):
        self.device = device
        self.vid = vid


@pytest.fixture
def usb(monkeypatch):
    """usb(*ports): what is plugged in, as far as pyserial knows."""

    def set_ports(*ports):
        monkeypatch.setattr(deploy, "comports", lambda: list(ports))

    set_ports()
    return set_ports


# ---- all is well


def test_a_new_board_gets_everything_and_is_followed_into_the_mesh(clone, board, capsys):
    assert run(board, "--board", "RPI_PICO_W") == 0
    assert on_board(board) == wanted()
    assert "/radio.mpy" in wanted() and "/main.py" in wanted()
    settings = board.files()["/settings.py"].decode()
    assert 'SSID = "our net"' in settings and f'PASSWORD = "{PASSWORD}"' in settings
    out = capsys.readouterr().out
    assert "RPI_PICO_W, MicroPython 1.25.0" in out
    assert "in the mesh at 192.168.1.7:36220, first peer 192.168.1.8:36220" in out


def test_the_password_goes_to_the_board_and_nowhere_else(clone, board, cache, capsys):
    assert run(board) == 0
    captured = capsys.readouterr()
    assert PASSWORD not in captured.out + captured.err
    for folder in (clone, cache):
        for path in folder.rglob("*"):
            assert path.is_dir() or PASSWORD.encode() not in path.read_bytes(), path


def test_deploying_again_copies_nothing(clone, board, capsys):
    assert run(board) == 0
    flash = board.flash.read_bytes()
    capsys.readouterr()
    assert run(board) == 0
    assert f"all {len(wanted()) + 1} files are up to date" in capsys.readouterr().out
    assert board.flash.read_bytes() == flash


def test_one_changed_file_is_copied_alone(clone, board, capsys):
    assert run(board) == 0
    capsys.readouterr()
    (clone / "firmware" / "radio.py").write_text("power = 2\n")
    assert run(board) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^  1/1  (\S+)", out, re.MULTILINE) == ["/radio.mpy"]
    assert on_board(board) == wanted()


def test_the_constants_of_the_board_come_along(clone, board, monkeypatch):
    for name, led in (("RPI_PICO_W", "LED"), ("ESP32_GENERIC", 2)):
        (clone / "boards" / name).mkdir(parents=True)
        (clone / "boards" / name / "board.py").write_text(f"LED = {led!r}\n")
    assert run(board, "--source", "--no-follow") == 0
    files = on_board(board)
    assert files.pop("/board.py") == b"LED = 'LED'\n"
    assert files == wanted("source")
    assert run(board, "--no-follow") == 0
    assert on_board(board).keys() - wanted().keys() == {"/board.mpy"}


def test_on_a_terminal_a_bar_grows(clone, board, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(board, "--no-follow") == 0
    bars = re.findall(r"\r  \[(#*)(-*)\] +(\d+)%  (\d+)/(\d+) (/\S+)", capsys.readouterr().out)
    shares = [int(share) for _, _, share, _, _, _ in bars]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 100
    assert all(len(done) + len(left) == 20 for done, left, *_ in bars)
    assert {int(number) for *_, number, _, _ in bars} == set(range(1, len(wanted()) + 2))
    assert {path for *_, path in bars} == {*wanted(), "/settings.py"}


def test_a_file_that_left_the_library_leaves_the_board(clone, board):
    assert run(board) == 0
    (clone / "library" / "errors.py").unlink()
    assert run(board) == 0
    assert on_board(board) == wanted()


def test_a_dry_run_changes_nothing_and_lets_the_program_go_on(clone, board, capsys):
    assert run(board) == 0
    flash = board.flash.read_bytes()
    (clone / "firmware" / "radio.py").write_text("power = 3\n")
    (clone / "library" / "errors.py").unlink()
    capsys.readouterr()
    assert run(board, "--dry-run") == 0
    out = capsys.readouterr().out
    assert re.findall(r"would (?:copy|remove) +(\S+)", out) == [
        "/lib/foca/errors.mpy",
        "/radio.mpy",
    ]
    assert "nothing was changed" in out
    assert board.flash.read_bytes() == flash
    board.wait_for_reset("H")


def test_a_port_that_goes_away_during_a_reset_is_opened_again(clone, plug):
    board = plug(has_native_usb=True)
    assert run(board) == 0
    (clone / "firmware" / "main.py").write_text(RUNS_AND_JOINS + "# changed\n")
    assert run(board) == 0
    assert on_board(board) == wanted()


def test_a_change_of_form_leaves_no_twin_behind(clone, board):
    assert run(board, "--source") == 0
    assert on_board(board) == wanted("source")
    assert run(board, "--mpy") == 0
    assert on_board(board) == wanted("mpy")


def test_all_does_every_board_and_waits_for_all(clone, plug, usb, capsys):
    first = plug("first", machine="Raspberry Pi Pico 2 W with RP2350")
    second = plug("second", platform="esp32", machine="ESP32C3 module with ESP32C3")
    usb(UsbPort(first.port), UsbPort(second.port, vid=0x303A), UsbPort("/dev/mouse", vid=0x046D))
    assert deploy.main(["--all", "--ssid", "our net", "--wait", "10"]) == 0
    for board in (first, second):
        assert on_board(board) == wanted()
    out = capsys.readouterr().out
    assert "RPI_PICO2_W" in out and "ESP32_GENERIC_C3" in out
    assert out.count("in the mesh at") == 2


def test_the_only_board_is_found(clone, board, usb):
    usb(UsbPort(board.port), UsbPort("/dev/mouse", vid=0x046D))
    assert deploy.main(["--board", "RPI_PICO_W", "--ssid", "x", "--dry-run"]) == 0


def test_a_main_of_somebody_else_is_kept(clone, board):
    assert run(board) == 0
    run_on_board(board, "f = open('main.py', 'w'); f.write('print(1)'); f.close()")
    assert run(board) == 0
    files = on_board(board)
    assert files.pop("/main_before_foca.py") == b"print(1)"
    assert files == wanted()


def test_1_23_is_expected_to_work_and_says_so(clone, plug, capsys):
    assert run(plug(version=(1, 23, 0))) == 0
    assert "tested from 1.25" in capsys.readouterr().out


def run_on_board(board, program):
    """Run a program on the board with the same transport."""
    link = board_link.Board(board.port)
    link.open()
    link.enter(soft_reset=True)
    try:
        return link.transport.exec(program).decode()
    finally:
        link.close()


# ---- the real firmware


@pytest.fixture
def real_clone(clone, monkeypatch):
    """The whole library and the real firmware, compiled into the clone's own cache."""
    monkeypatch.setattr(board_files, "LIBRARY", ROOT / "lib" / "foca")
    monkeypatch.setattr(board_files, "FIRMWARE", ROOT / "firmware")
    monkeypatch.setattr(board_files, "BOARDS", ROOT / "boards")
    monkeypatch.setattr(board_files, "CACHE", ROOT / ".cache" / "deploy")
    return ROOT


class Peer:
    """A node of this machine's own, running in a thread. `seen`: [(event, address, bump)]."""

    def __init__(self):
        self.seen = []
        port = free_port()
        note = self.seen.append
        self.node = Agent(
            f"127.0.0.1:{port}",
            config=Config.lan(8),
            on_event=lambda event: note((event.name, event.address, event.bump)),
        )
        self.thread = threading.Thread(target=self.node.run_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def bump_told(self, event, address):
        """The bump of the member in the only event of that name about `address`."""
        (bump,) = [bump for name, where, bump in self.seen if (name, where) == (event, address)]
        return bump

    def __exit__(self, *_):
        self.node.is_closed = True
        self.thread.join()
        self.node.close()


def free_port():
    """A UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        return probe.getsockname()[1]


def loopback_settings(tmp_path, peer, port):
    """Settings that keep every datagram on this machine."""
    file = tmp_path / "loopback.py"
    file.write_text(
        f'SSID = "our net"\nPASSWORD = "{PASSWORD}"\nPORT = {port}\nBROADCAST = False\n'
        f'SEEDS = ["{peer.node.address}"]\n'
    )
    return str(file)


def test_the_real_firmware_is_followed_until_it_has_met_a_real_node(
    real_clone, plug, tmp_path, capsys
):
    """Twice: the second time it runs when deploy comes, and is known as a new life after."""
    board = plug(wifi=(PASSWORD, "127.0.0.77"))
    with Peer() as peer:
        port = free_port()
        file = loopback_settings(tmp_path, peer, port)
        assert run(board, "--settings", file, ssid=None) == 0
        files = on_board(board)
        assert wanted().keys() < files.keys() and "/board.mpy" in files
        mesh = f"in the mesh at 127.0.0.77:{port}, first peer {peer.node.address}"
        assert mesh in capsys.readouterr().out
        first = peer.bump_told("MemberUp", f"127.0.0.77:{port}")
        assert f"foca: boot 1, bump {first}\n".encode() in board.log
        with open(file, "a") as changed:
            changed.write('NETWORK = "lan"\n')
        assert run(board, "--settings", file, ssid=None) == 0
        out = capsys.readouterr().out
        assert mesh in out and "1 copied" in out
        assert b"stopped at the console" in board.log
        second = peer.bump_told("Rename", f"127.0.0.77:{port}")
        assert second > first
        assert f"foca: boot 2, bump {second}\n".encode() in board.log
        assert run(board, "--dry-run", ssid=None) == 0
        assert "would copy" not in capsys.readouterr().out


def test_the_real_firmware_says_that_the_password_is_wrong(real_clone, plug, tmp_path, capsys):
    board = plug(wifi=("another password", "127.0.0.78"))
    with Peer() as peer:
        file = loopback_settings(tmp_path, peer, free_port())
        assert run(board, "--settings", file, "--wait", "4", ssid=None) == board_link.NO_ADDRESS
        captured = capsys.readouterr()
    assert "| foca: no WiFi: wrong password" in captured.out
    assert "no address yet: is the password right" in captured.err


def test_a_mistake_in_the_settings_on_the_board_is_named_on_its_console(
    real_clone, plug, tmp_path, capsys
):
    """deploy refuses such a file; here a person has written it onto the board."""
    board = plug(wifi=(PASSWORD, "127.0.0.79"))
    with Peer() as peer:
        file = loopback_settings(tmp_path, peer, free_port())
        assert run(board, "--settings", file, "--no-follow", ssid=None) == 0
        text = 'SSID = "x"\nPROT = 1\n'
        run_on_board(board, f"f = open('settings.py', 'w'); f.write({text!r}); f.close()")
        capsys.readouterr()
        assert run(board, ssid=None) == board_link.SETTINGS
        assert "settings.py on the board line 2: PROT is no setting" in complaint(capsys)
        follower = board_link.Board(board.port)
        follower.open()
        try:
            follower.enter(soft_reset=False)
            follower.reset()
            mistake = "foca: safe mode: settings.py line 2: PROT is no setting"
            deadline = time.monotonic() + 30
            for line in follower.lines(1.0):
                if line and line.startswith(mistake):
                    break
                assert time.monotonic() < deadline, bytes(board.log)
        finally:
            follower.close()
        assert run(board, "--settings", file, ssid=None) == 0, "mended by the same command"


# ---- cut off


def bytes_of_a_deploy(plug, prepare):
    """How many bytes deploy sends until the board is reset."""
    board = plug("measured")
    prepare(board)
    before = board.received
    assert run(board, "--no-follow") == 0
    return board.received - before


def nothing(_board):
    pass


def an_older_one(board):
    """The board runs an earlier version of everything."""
    assert run(board, "--source") == 0


@pytest.mark.parametrize("prepare", [nothing, an_older_one])
def test_a_deploy_that_is_cut_off_is_mended_by_the_same_command(clone, plug, prepare, capsys):
    """Whenever the cable is pulled."""
    total = bytes_of_a_deploy(plug, prepare)
    points = 8 if prepare is nothing else 5
    for point in range(points):
        board = plug(f"cut-{point}")
        prepare(board)
        board.cut_after(1 + total * point // points)
        capsys.readouterr()
        assert run(board, "--no-follow") == board_link.CABLE, point
        assert "run the same command again" in capsys.readouterr().err
        board.wait_until_gone()
        board.plug_in()
        assert run(board) == 0
        assert on_board(board) == wanted(), point
        board.unplug()


def test_a_board_that_was_cut_off_starts_no_half_program(clone, plug):
    total = bytes_of_a_deploy(plug, an_older_one)
    board = plug()
    an_older_one(board)
    board.cut_after(total * 2 // 3)
    assert run(board) == board_link.CABLE
    board.wait_until_gone()
    files = on_board(board)
    assert "/main.py" not in files and "/main.py.held" in files
    assert files != wanted() and files != wanted("source")


# ---- refused


def complaint(capsys):
    """The one line that was said, without the name of the program."""
    err = capsys.readouterr().err
    assert err.startswith("deploy: ") and err.count("\n") == 1, err
    return err


def test_no_board(clone, usb, tmp_path, capsys):
    assert deploy.main(["--ssid", "x"]) == deploy.NO_BOARD
    assert "plug it in with a data cable" in complaint(capsys)
    assert deploy.main(["--port", str(tmp_path / "none"), "--ssid", "x"]) == deploy.NO_BOARD
    assert "no such port" in complaint(capsys)


def test_two_boards_and_no_choice(clone, usb, capsys):
    usb(UsbPort("/dev/ttyACM0"), UsbPort("/dev/ttyACM1"), UsbPort("/dev/ttyUSB0", vid=0x10C4))
    assert deploy.main(["--board", "RPI_PICO_W", "--ssid", "x"]) == deploy.WHICH_BOARD
    assert "2 boards found (/dev/ttyACM0, /dev/ttyACM1)" in complaint(capsys)


def test_a_busy_port(clone, board, capsys):
    with serial.Serial(board.port, exclusive=True):
        assert run(board) == board_link.PORT_BUSY
    assert "in use by another program" in complaint(capsys)


def test_a_port_that_something_looks_at_for_a_moment(clone, board):
    """As a desktop's modem manager does with each new port."""
    other = serial.Serial(board.port, exclusive=True)
    timer = threading.Timer(0.2, other.close)
    timer.start()
    try:
        assert run(board, "--dry-run") == 0
    finally:
        timer.join()


def test_a_micropython_that_is_too_old(clone, plug, capsys):
    board = plug(version=(1, 22, 2))
    assert run(board) == deploy.TOO_OLD
    line = complaint(capsys)
    assert "1.22.2" in line and "cannot load today's .mpy files" in line and "1.25" in line
    assert board.files() == {}


def test_another_board_than_was_said(clone, board, plug, capsys):
    assert run(board, "--board", "ESP32_GENERIC") == deploy.WRONG_BOARD
    assert "this is no ESP32_GENERIC but RPI_PICO_W" in complaint(capsys)
    assert run(plug("none", machine="Teensy with iMXRT1062")) == deploy.WRONG_BOARD
    assert "none of ESP32_GENERIC" in complaint(capsys)
    assert run(plug("pico", has_wifi=False)) == deploy.WRONG_BOARD
    assert "no WiFi" in complaint(capsys)


def test_a_flash_that_would_become_full_is_left_alone(clone, plug, capsys):
    board = plug(blocks=8)
    assert run(board) == board_link.FLASH_FULL
    assert "nothing was changed" in complaint(capsys)
    assert board.files() == {}


def test_a_flash_that_is_full_after_all_is_mended_after_making_room(
    clone, plug, monkeypatch, capsys
):
    """littlefs itself says ENOSPC, in the middle of a file."""
    board = plug(blocks=48)
    hog = "f = open('hog', 'w')\nfor _ in range(%d):\n f.write('x' * 4096)\nf.close()"
    run_on_board(board, hog % 33)
    monkeypatch.setattr(deploy, "check_room", lambda *_: None)
    (clone / "firmware" / "radio.py").write_text(f"power = {'1234567890' * 2000!r}\n")
    assert run(board) == board_link.FLASH_FULL
    assert "the flash is full, could not write /" in complaint(capsys)
    assert not any(path.endswith(".new") for path in board.files())
    run_on_board(board, "import os; os.remove('hog')")
    assert run(board) == 0
    assert on_board(board) == wanted()


def test_a_ctrl_c_that_is_lost_while_the_board_boots_is_sent_again(clone, board, monkeypatch):
    assert run(board) == 0
    monkeypatch.setattr(board_link, "ANSWER_S", 2.0)
    board.ctrl_c_to_lose = 1
    assert run(board) == 0


def test_a_port_where_nothing_answers(clone, monkeypatch, capsys):
    monkeypatch.setattr(board_link, "ANSWER_S", 0.3)
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        assert deploy.main(["--port", os.ttyname(slave), "--ssid", "x"]) == board_link.NO_REPL
    finally:
        os.close(slave)
        os.close(master)
    assert "no MicroPython answers" in complaint(capsys)


def test_an_image_without_the_library_cannot_be_deployed_as_frozen(clone, board, capsys):
    assert run(board, "--frozen") == deploy.NOT_FROZEN
    assert "the image on the board has no foca" in complaint(capsys)


def test_with_all_in_the_image_nothing_is_left_that_would_be_used_instead(
    clone, board, monkeypatch, capsys
):
    """Debian's MicroPython has no foca in it, so the board's answer is played."""
    assert run(board, "--no-follow") == 0
    assert {"/lib/foca/wire.mpy", "/radio.mpy"} <= on_board(board).keys()
    monkeypatch.setattr(board_link, "_FROZEN", "foca_frozen = '0.0.9'")
    assert run(board, "--frozen", "--no-follow") == 0
    assert on_board(board) == wanted("frozen")
    assert wanted("frozen").keys() == {"/boot.py", "/main.py"}
    assert "foca 0.0.9 is in the image" in capsys.readouterr().out


def test_a_file_that_does_not_compile(clone, board, capsys):
    (clone / "firmware" / "radio.py").write_text("def f(a, /): pass\n")
    assert run(board) == board_link.NOT_COMPILED
    assert "mpy-cross refuses it" in capsys.readouterr().err


# ---- settings


def test_mistakes_in_settings_are_named_with_their_line(clone, board, tmp_path, capsys):
    file = tmp_path / "mine.py"
    for text, words in (
        ('SSID = "x"\nPROT = 1\n', "mine.py line 2: PROT is no setting"),
        ('SSID = "x"\nPORT = "1"\n', "mine.py line 2: PORT must be a number"),
        ("PORT = 1\n", "SSID is missing"),
        ('SSID = "x"\nPASSWORD = "short"\n', "mine.py line 2: PASSWORD must have"),
    ):
        file.write_text(text)
        assert run(board, "--settings", str(file), ssid=None) == board_link.SETTINGS
        assert words in complaint(capsys)
    assert board.files() == {}
    assert run(board, "--settings", str(tmp_path / "none.py"), ssid=None) == board_link.SETTINGS
    assert "cannot be read" in complaint(capsys)


def test_a_new_board_needs_a_network(clone, board, capsys):
    assert run(board, ssid=None) == board_link.SETTINGS
    assert "say --ssid NAME or --settings FILE" in complaint(capsys)


def test_a_password_that_no_network_can_have(clone, board, monkeypatch, capsys):
    monkeypatch.setenv(board_settings.PASSWORD_VARIABLE, "short")
    assert run(board) == board_link.SETTINGS
    line = complaint(capsys)
    assert "8 to 63 characters" in line and "short" not in line


def test_without_a_terminal_and_without_the_variable_there_is_no_password(
    clone, board, monkeypatch, capsys
):
    monkeypatch.delenv(board_settings.PASSWORD_VARIABLE)
    assert run(board) == board_link.SETTINGS
    assert "set FOCA_WIFI_PASSWORD" in complaint(capsys)


def test_the_password_is_asked_for_without_echo(clone, board, monkeypatch):
    monkeypatch.delenv(board_settings.PASSWORD_VARIABLE)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    answers = [PASSWORD, "", ""]
    prompts = []
    monkeypatch.setattr(
        board_settings.getpass, "getpass", lambda text: prompts.append(text) or answers.pop(0)
    )
    assert run(board) == 0
    before = board.files()["/settings.py"]
    assert run(board) == 0
    assert board.files()["/settings.py"] == before, "nothing typed: as on the board"
    assert run(board, ssid="open net") == 0
    assert b'PASSWORD = ""' in board.files()["/settings.py"], "unknown there: an open network"
    assert prompts[0].startswith("Password of our net")


def test_another_network_changes_two_lines_and_keeps_the_rest(clone, board, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text('# mine\nSSID = "a"  # home\nPORT = 4000\n')
    assert run(board, "--settings", str(file), ssid=None) == 0
    assert run(board, ssid=None) == 0
    assert board.files()["/settings.py"] == file.read_bytes()
    assert run(board, ssid='the "b\\') == 0
    text = board.files()["/settings.py"].decode()
    assert text == (
        f'PASSWORD = "{PASSWORD}"\n# mine\nSSID = "the \\"b\\\\"  # home\nPORT = 4000\n'
    )
    assert board_settings.check(text, "settings.py").SSID == 'the "b\\'


def test_the_example_is_what_the_board_reads():
    board_settings.check((ROOT / "firmware" / "settings_example.py").read_text(), "example")


# ---- after the reset


def test_no_address_in_time(clone, board, capsys):
    (clone / "firmware" / "main.py").write_text("print('foca: no WiFi')\n" + SLEEPS)
    assert run(board, "--wait", "0.5") == board_link.NO_ADDRESS
    assert "is the password right" in complaint(capsys)
    assert on_board(board) == wanted()


def test_no_peer_in_time_is_fine_for_the_first_board(clone, board, capsys):
    (clone / "firmware" / "main.py").write_text("print('foca: address 1.2.3.4:5')\n" + SLEEPS)
    assert run(board, "--wait", "0.5") == board_link.NO_PEER
    assert "at 1.2.3.4:5, but no peer yet" in complaint(capsys)
    assert run(board, "--first") == 0


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("print('foca: safe mode: line 3')\n", "the board is in safe mode"),
        ("print('foca: crashed: line 3')\n" + SLEEPS, "the program on the board crashed"),
        ("print('foca ends')\n", "the program on the board ended"),
    ],
)
def test_trouble_is_not_taken_for_a_wrong_password(clone, board, program, words, capsys):
    (clone / "firmware" / "main.py").write_text(program)
    assert run(board, "--wait", "0.5") == board_link.NO_ADDRESS
    assert words in complaint(capsys)


def test_a_board_that_spoke_while_its_port_was_away_is_asked(clone, plug, monkeypatch):
    """As firmware/console.py answers; `0.0.0.0` is what it says before it has an address."""
    monkeypatch.setattr(deploy, "ASK_AFTER_S", 0.1)
    (clone / "firmware" / "main.py").write_text(ANSWERS)
    assert run(plug(has_native_usb=True)) == 0


def test_what_is_looked_for_is_what_the_firmware_says():
    """The literals stand in the firmware, and what they print is recognised."""
    texts = {path.name: path.read_text() for path in (ROOT / "firmware").glob("*.py")}
    for name, literal, values, pattern in (
        ("station.py", "address %s", ("10.0.0.1:36220",), deploy.ADDRESS_LINE),
        ("console.py", "address %s bump %d, %s", ("10.0.0.1:1", 1, "in"), deploy.ADDRESS_LINE),
        ("station.py", "%s %s bump %d", ("MemberUp", "10.0.0.2:1", 1), deploy.PEER_LINE),
        ("main.py", "foca: safe mode: %s", ("line 3",), deploy.TROUBLE_LINE),
        ("main.py", "foca: crashed: ", (), deploy.TROUBLE_LINE),
    ):
        assert f'"{literal}"' in texts[name], (name, literal)
        assert pattern.search("foca: " + literal % values)
    assert deploy.PEER_LINE.search(repr(Member("10.0.0.2:1", 1, "Alive", 0)))
    assert not deploy.ADDRESS_LINE.search("address 0.0.0.0:36220 bump 1, connecting")
    for command in deploy.ASK.split():
        assert f'"{command.decode()}"' in texts["console.py"]


# ---- the manual


def test_the_manual_lists_every_exit_status(capsys):
    with pytest.raises(SystemExit) as stop:
        deploy.main(["--help"])
    assert stop.value.code == 0
    manual = capsys.readouterr().out
    listed = {int(number) for number in re.findall(r"^    (\d+) +\S", manual, re.MULTILINE)}
    codes = {
        value
        for name, value in vars(board_link).items()
        if name.isupper() and isinstance(value, int) and name not in ("CHUNK_BYTES",)
    }
    assert codes <= listed


def test_any_python_finds_the_tools_that_make_has_installed():
    """`python tools/deploy.py` with one that has no mpremote: -S hides what is installed."""
    system = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}"
    done = subprocess.run(
        [system, "-S", "tools/deploy.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: deploy.py")


def test_all_and_one_port_exclude_each_other():
    with pytest.raises(SystemExit) as stop:
        deploy.main(["--all", "--port", "/dev/ttyACM0"])
    assert stop.value.code == 2
