"""tools/mpy.py and tools/frames.py: what they count is what the VM does."""

import subprocess
from pathlib import Path

import find_micropython
import frames
import mpy
import pytest

KNOWN = '''
def nothing():
    return 1

def ten(a):
    b = c = d = e = f = g = h = i = a
    return i

class Node:
    """Words."""
    def tick(self, now):
        try:
            with self:
                return now
        except ValueError:
            return 0

    def __init__(self, a, *rest, b=1, **more):
        self.a = lambda: [b for b in rest]

    class Inner:
        def send(self): pass

def generator():
    yield 1

async def coroutine():
    await generator()
'''


def write(folder, text, name="known.py"):
    path = folder / name
    path.write_text(text)
    return path


def test_every_function_is_found_with_its_name_and_kind(tmp_path):
    found = {
        function.name: function.kind
        for function in mpy.functions(mpy.compile_source(write(tmp_path, KNOWN)))
    }
    assert found == {
        "<module>": "module",
        "nothing": "function",
        "ten": "function",
        "Node": "class",
        "Node.tick": "function",
        "Node.__init__": "function",
        "Node.__init__.<lambda>": "function",
        "Node.__init__.<lambda>.<listcomp>": "function",
        "Node.Inner": "class",
        "Node.Inner.send": "function",
        "generator": "generator",
        "coroutine": "generator",
    }


def test_words_are_arguments_locals_expression_and_three_per_nested_try(tmp_path):
    found = {
        function.name: function
        for function in mpy.functions(mpy.compile_source(write(tmp_path, KNOWN)))
    }
    assert found["nothing"].frame_words == 1
    assert found["ten"].frame_words == 9 + 2  # a value and its copy while assigning in a row
    assert found["Node.tick"].try_depth == 2
    assert found["Node.tick"].frame_words == found["Node.tick"].state_words + 6


def test_a_frame_of_more_than_sixteen_words_and_many_tries_is_read_whole(tmp_path):
    """The prelude's first byte holds 4 bits of the state and 1 of the exception stack."""
    for count, depth in ((1, 0), (16, 1), (17, 2), (63, 3), (64, 5), (100, 7), (300, 1)):
        lines = ["def f():"] + [f"    v{index} = 1" for index in range(count)]
        for level in range(depth):
            lines.append("    " * (level + 1) + "try:")
        lines.append("    " * (depth + 1) + "pass")
        for level in reversed(range(depth)):
            lines.append("    " * (level + 1) + "finally: pass")
        path = write(tmp_path, "\n".join(lines) + "\n")
        function = mpy.functions(mpy.compile_source(path))[1]
        assert function.try_depth == depth
        assert count < function.state_words <= count + 2 + 3 * depth


def test_the_fixed_names_are_those_of_the_compiler(tmp_path):
    numbers = [
        number
        for number, name in enumerate(mpy.STATIC_NAMES)
        if name.isidentifier() and name not in ("_",)
    ]
    assert len(numbers) > 140
    text = "".join(f"a.{mpy.STATIC_NAMES[number]}\n" for number in numbers)
    data = mpy._Bytes(mpy.compile_source(write(tmp_path, text)))
    data.take(4)
    count = data.uint()
    data.uint()
    seen = set()
    for _ in range(count):
        length = data.uint()
        if length & 1:
            seen.add(length >> 1)
        else:
            data.take((length >> 1) + 1)
    assert seen >= set(numbers)


def test_what_cannot_be_read_is_refused_with_words(tmp_path):
    with pytest.raises(mpy.MpyError, match="not a .mpy"):
        mpy.functions(b"PK\3\4")
    compiled = mpy.compile_source(write(tmp_path, KNOWN))
    for length in range(len(compiled)):
        with pytest.raises(mpy.MpyError):
            mpy.functions(compiled[:length])
    with pytest.raises(mpy.MpyError, match="SyntaxError"):
        mpy.compile_source(write(tmp_path, "def f(a, /): pass\n"))


# ---- the limit, measured: does a call of this function touch the heap?

MEASURE = """
import gc, micropython, shapes
gc.collect()
gc.disable()
for name in shapes.names:
    function = getattr(shapes, name)
    before = micropython.mem_total()
    before = micropython.mem_total()
    function(7)
    after = micropython.mem_total()
    print(name, after - before)
"""


def shapes():
    """Functions of one argument around the limit: locals, nested try, deep expressions."""
    texts = {}
    for count in range(14):
        lines = ["def {}(a):", *(f"    v{index} = a" for index in range(count)), "    return a"]
        texts[f"locals_{count}"] = "\n".join(lines)
        inner = "\n".join(f"        v{index} = a" for index in range(count))
        body = f"{inner}\n        return a"
        texts[f"try_{count}"] = f"def {{}}(a):\n    try:\n{body}\n    finally:\n        pass"
        deep = "+(".join(["a"] * (count + 1)) + ")" * count
        texts[f"deep_{count}"] = f"def {{}}(a):\n    return {deep}"
    for count in range(6):
        lines = [f"        v{index} = a" for index in range(count)]
        nested = ["def {}(a):", "    try:", "      try:", *lines, "        return a"]
        nested += ["      except ValueError:", "        pass", "    finally:", "      pass"]
        texts[f"nested_{count}"] = "\n".join(nested)
    return texts


@pytest.mark.parametrize("name", ["mp32", "mp64"])
def test_the_vm_takes_the_heap_from_twelve_words_on(tmp_path, name):
    vms = {vm.name: vm for vm in find_micropython.find()}
    if name not in vms:
        pytest.skip(find_micropython.missing_line(name))
    texts = shapes()
    source = "\n\n".join(text.format(name) for name, text in texts.items())
    path = write(tmp_path, f"names = {list(texts)!r}\n{source}\n", "shapes.py")
    compiled = mpy.compile_source(path)
    path.unlink()
    (tmp_path / "shapes.mpy").write_bytes(compiled)
    script = write(tmp_path, MEASURE, "measure.py")
    done = subprocess.run(
        [*vms[name].argv, str(script)],
        env={"MICROPYPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    taken = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()}
    counted = {f.name: f.frame_words for f in mpy.functions(compiled) if f.kind == "function"}
    assert taken.keys() == counted.keys() == texts.keys()
    for shape, words in counted.items():
        assert (taken[shape] > 0) == (words > mpy.FRAME_WORDS_MAX), (shape, words, taken[shape])
    assert {11, 12} <= set(counted.values()), "the shapes must straddle the limit"
    smallest = min(taken[shape] for shape, words in counted.items() if words == 12)
    if name == "mp32":
        assert smallest == 68  # code state 20 + 12 words, as facts on 1.25 say


# ---- the tool


def test_a_large_frame_is_named_and_fails(tmp_path, capsys):
    large = write(tmp_path, "def big(a):\n    " + "=".join("bcdefghijkl") + " = a\n", "large.py")
    assert frames.main([str(large)]) == 1
    assert capsys.readouterr().out == "large.py big:  14 words: 3 too many\n"
    assert frames.main(["--max", "14", str(large)]) == 0
    assert frames.main(["--all", "--max", "14", str(large)]) == 0
    assert "<module> [module]" in capsys.readouterr().out


def test_exceptions_need_a_reason_and_must_be_needed(tmp_path, capsys):
    large = write(tmp_path, "def big(a):\n    " + "=".join("bcdefghijkl") + " = a\n", "large.py")
    allowed = write(tmp_path, "# a comment\n\nlarge.py big 3 us instead of 5 us\n", "allowed.txt")
    assert frames.main(["--allowed", str(allowed), str(large)]) == 0
    allowed.write_text("large.py big\n")
    assert frames.main(["--allowed", str(allowed), str(large)]) == 1
    assert "allowed.txt:1: needs file, function and the measured gain" in capsys.readouterr().out
    allowed.write_text("large.py big 3 us\nlarge.py gone 4 us\n")
    assert frames.main(["--allowed", str(allowed), str(large)]) == 1
    assert "large.py gone is allowed a large frame but has none" in capsys.readouterr().out


def test_a_file_that_is_not_there_exits_2(tmp_path, capsys):
    assert frames.main([str(tmp_path / "none.mpy")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert frames.main([str(tmp_path / "none.py")]) == 2


def test_a_compiled_file_reads_the_same_as_its_source(tmp_path):
    source = write(tmp_path, KNOWN)
    target = Path(tmp_path / "known.mpy")
    target.write_bytes(mpy.compile_source(source))
    of_source = [row.function for row in frames.read([source])]
    of_target = [row.function for row in frames.read([target])]
    assert of_source == of_target
