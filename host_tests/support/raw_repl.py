"""A board's REPL, run by the unix port of MicroPython on its standard input and output.

    micropython raw_repl.py STATUS_FD MODE SPEC

Debian's MicroPython 1.25 is built without a raw REPL, so this program speaks that protocol the way
a board does: it is what the real mpremote talks to in the tests (fake_board_repl.py starts it, and
restarts it after every reset, so that a reset gives a fresh heap). MODE is "raw" after a soft
reset out of the raw REPL, else "friendly". SPEC is a file with a dict as repr (an
argument has 255 bytes at most):

    flash     the file behind the board's file system: a real littlefs, mounted at "/"
    blocks    its size in blocks of 4,096 bytes
    platform, version, machine, build
              what sys says about the board
    has_wifi  whether there is a module network
    wifi      (password, address): with that password its radio gets this address of the loopback
              network at once, with any other one none; the sockets are the system's own

The protocol: Ctrl-A enters the raw REPL, Ctrl-B leaves it; Ctrl-D runs what was typed, and resets
softly when nothing was; Ctrl-E A Ctrl-A pastes with flow control. What ran answers with its output
and its traceback, each ended by \\x04. Ctrl-C comes as SIGINT, because the port reads its input
while it runs nothing else. boot.py and main.py run at start, main.py not in MODE raw.

One byte each goes to STATUS_FD: U up and listening, C a Ctrl-C was taken, S and F a soft reset
into the raw or the friendly REPL, H a hard reset; after these three the process ends.

Source: MicroPython 1.25 shared/runtime/pyexec.c, tools: mpremote's transport_serial.py.
"""

import os
import sys

import vfs

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = 1, 2, 3, 4, 5
RETURN, NEWLINE = 13, 10
PASTE_WINDOW = 128
BLOCK_BYTES = 4096
BANNER = 'MicroPython v%s on 2025-01-01; %s\r\nType "help()" for more information.\r\n'


class Flash:
    """A block device in a file; it keeps its contents when the process is killed."""

    def __init__(self, path, blocks):
        self.blocks = blocks
        try:
            self.file = open(path, "r+b")
        except OSError:
            with open(path, "wb") as file:
                for _ in range(blocks):
                    file.write(b"\xff" * BLOCK_BYTES)
            self.file = open(path, "r+b")

    def readblocks(self, block, buf, offset=0):
        self.file.seek(block * BLOCK_BYTES + offset)
        self.file.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        self.file.seek(block * BLOCK_BYTES + (offset or 0))
        self.file.write(buf)

    def ioctl(self, operation, _argument):
        if operation == 4:
            return self.blocks
        if operation == 5:
            return BLOCK_BYTES
        return 0


class Namespace:
    """An object with attributes, standing in for a module."""

    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)


def copy_of(module, **attributes):
    """What is in `module`, and these instead or besides."""
    made = Namespace()
    for name in dir(module):
        if not name.startswith("__"):
            setattr(made, name, getattr(module, name))
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


class Radio:
    """An rp2's station: what firmware/wifi.py asks, and nothing else."""

    def __init__(self, password, address, mask="255.0.0.0"):
        self.password = password
        self.address = address
        self.mask = mask
        self.code = 0

    def active(self, flag):
        self.code = 0

    def config(self, pm):
        pass

    def connect(self, ssid, password):
        self.code = 3 if password == self.password else -3

    def disconnect(self):
        self.code = 0

    def status(self):
        return self.code

    def isconnected(self):
        return self.code == 3

    def ipconfig(self, what):
        return (self.address if self.code == 3 else "0.0.0.0", self.mask)


class Idle:
    """A watchdog, a timer or a pin that nobody sees."""

    PERIODIC = OUT = 1

    def __init__(self, *_words, **_fields):
        pass

    def feed(self):
        pass

    def init(self, period, mode, callback):
        pass

    def deinit(self):
        pass

    def value(self, level):
        pass


class Board:
    """The REPL and what it needs."""

    def __init__(self, status, mode, spec):
        self.status = status
        self.is_raw = mode == "raw"
        self.spec = spec
        self.input = sys.stdin.buffer
        self.one = bytearray(1)
        self.globals = {"__name__": "__main__"}

    # ---- becoming a board

    def mount(self):
        device = Flash(self.spec["flash"], self.spec["blocks"])
        try:
            system = vfs.VfsLfs2(device)
        except OSError:
            vfs.VfsLfs2.mkfs(device)
            system = vfs.VfsLfs2(device)
        vfs.umount("/")
        vfs.mount(system, "/")
        os.chdir("/")
        sys.path[:] = ["", ".frozen", "/lib"]

    def disguise(self):
        """Put our sys and machine where programs import them from."""
        import machine
        import micropython

        spec = self.spec
        fake_sys = copy_of(sys)
        fake_sys.platform = spec["platform"]
        fake_sys.implementation = Namespace(
            name="micropython",
            version=tuple(spec["version"]) + ("",),
            _machine=spec["machine"],
            _build=spec["build"],
            _mpy=sys.implementation._mpy,
        )
        fake_machine = copy_of(
            machine,
            reset=lambda: self.die("H"),
            soft_reset=lambda: self.die("S" if self.is_raw else "F"),
            reset_cause=lambda: 1,
            PWRON_RESET=1,
            WDT_RESET=3,
            WDT=Idle,
            Timer=Idle,
            Pin=Idle,
        )
        sys.modules["sys"] = fake_sys
        sys.modules["machine"] = fake_machine
        sys.modules["micropython"] = copy_of(
            micropython, alloc_emergency_exception_buf=lambda size: None
        )
        if spec["has_wifi"]:
            radio = Radio(*spec["wifi"])
            sys.modules["network"] = Namespace(STA_IF=0, WLAN=lambda which: radio)

    def die(self, kind):
        """A reset: nothing runs after it, no `finally` either."""
        self.status.write(kind)
        os.system("kill -9 $PPID")
        while True:
            pass

    # ---- bytes

    def write(self, text):
        sys.stdout.write(text)

    def byte(self):
        """The next byte. 0xFF, which no UTF-8 text holds, marks that none has been read yet."""
        one = self.one
        one[0] = 0xFF
        while one[0] == 0xFF:
            if self.input.readinto(one) == 0:
                sys.exit(0)  # the cable is gone
        return one[0]

    # ---- running

    def run(self, text):
        """Run a program; False when it raised, after its traceback was kept in `self.error`."""
        self.error = None
        try:
            exec(text, self.globals)
        except SystemExit:
            self.leave("S" if self.is_raw else "F")
        except KeyboardInterrupt as error:
            self.status.write("C")
            self.error = error
        except BaseException as error:
            self.error = error
        return self.error is None

    def run_file(self, name):
        """Run a file if it exists; False when it raised."""
        try:
            with open(name) as file:
                text = file.read()
        except OSError:
            return True
        good = self.run(text)
        if not good:
            sys.print_exception(self.error, sys.stdout)
        return good

    def leave(self, kind):
        """A soft reset: announced, then the process ends and is started again."""
        self.write("MPY: soft reboot\r\n")
        self.status.write(kind)
        sys.exit(0)

    # ---- the two REPLs

    def serve(self):
        is_announced = False
        files = ["boot.py"] if self.is_raw else ["boot.py", "main.py"]
        while True:
            try:
                if not is_announced:
                    is_announced = True
                    self.status.write("U")
                while files:
                    if not self.run_file(files.pop(0)):
                        files.clear()  # main.py does not run when boot.py was interrupted
                if self.is_raw:
                    self.raw()
                else:
                    self.friendly()
            except KeyboardInterrupt:
                files.clear()
                self.status.write("C")

    def raw(self):
        self.write("raw REPL; CTRL-B to exit\r\n>")
        line = bytearray()
        while True:
            try:
                byte = self.byte()
            except KeyboardInterrupt:
                self.status.write("C")
                byte = CTRL_C
            if byte == CTRL_A:
                return
            if byte == CTRL_B:
                self.is_raw = False
                return
            if byte == CTRL_C:
                line = bytearray()
            elif byte == CTRL_E and not line:
                self.paste()
            elif byte == CTRL_D and not line:
                self.write("OK\r\n")
                self.leave("S")
            elif byte == CTRL_D:
                self.write("OK")
                self.answer(line)
                line = bytearray()
            else:
                line.append(byte)

    def paste(self):
        """Ctrl-E A Ctrl-A: the host may send a window of bytes, and another for each \\x01."""
        if self.byte() != ord("A") or self.byte() != CTRL_A:
            return
        sys.stdout.buffer.write(bytes((ord("R"), 1, PASTE_WINDOW, 0, 1)))
        line = bytearray()
        while True:
            byte = self.byte()
            if byte == CTRL_D:
                break
            line.append(byte)
            if len(line) % PASTE_WINDOW == 0:
                self.write("\x01")
        self.write("\x04")
        self.answer(line)

    def answer(self, line):
        good = self.run(bytes(line).decode())
        self.write("\x04")
        if not good:
            sys.print_exception(self.error, sys.stdout)
        self.write("\x04>")

    def friendly(self):
        version = ".".join([str(number) for number in self.spec["version"]])
        self.write("\r\n" + BANNER % (version, self.spec["machine"]))
        while True:
            self.write(">>> ")
            line = bytearray()
            while True:
                byte = self.byte()
                if byte == CTRL_A:
                    self.is_raw = True
                    return
                if byte == CTRL_B:
                    return
                if byte == CTRL_D and not line:
                    self.write("\r\n")
                    self.leave("F")
                if byte in (RETURN, NEWLINE):
                    break
                line.append(byte)
                self.write(chr(byte))
            self.write("\r\n")
            if line and not self.run(bytes(line).decode()):
                sys.print_exception(self.error, sys.stdout)


def dump(folder=""):
    """Print a dict entry for every file below `folder`, with its contents."""
    for name, kind, *_ in os.ilistdir(folder or "/"):
        path = folder + "/" + name
        if kind == 0x4000:
            dump(path)
        else:
            with open(path, "rb") as file:
                print("%r: %r," % (path, file.read()))


def read(path):
    with open(path) as file:
        return file.read()


def main(argv):
    """The command line; STATUS_FD 1 and MODE "dump" print all files as the text of a dict."""
    status = open("/dev/fd/" + argv[1], "wb")
    board = Board(status, argv[2], eval(read(argv[3])))
    board.mount()
    if argv[2] == "dump":
        dump()
        return
    board.disguise()
    board.serve()


if __name__ == "__main__":
    main(sys.argv)
