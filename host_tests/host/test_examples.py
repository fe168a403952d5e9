"""README.md and docs/examples, run as they stand, on CPython and on MicroPython.

`python host_tests/host/test_examples.py` prints the README's programs as they are taken from it.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = {
    "transport": ["10.0.0.2:5000: MemberUp 10.0.0.1:5000", "alone again after "],
    "identity": ["stove: MemberDown lamp#2", "lamp: Rejoin lamp#102", "is number 102 now"],
    "small_identities": ["two octets stand for 192.168.4.17:8080"],
    "broadcast": ["says 21.5 C (version 1)", "says 22.0 C (version 2)", "known already"],
    "round_trip": [" answered after "] * 3,
    "well_known": ["['Down', 'Down', 'Down']", "Rename", "['Alive', 'Alive', 'Down']"],
}


def blocks(language):
    """The fenced blocks of the README in this language, exactly as printed."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


if __name__ == "__main__":
    print(("\n" + "-" * 40 + "\n").join(blocks("python")))
    raise SystemExit

import pytest  # noqa: E402
from support.program import Program, interpreter, run  # noqa: E402


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("on", ["cpython", "micropython"])
def test_example(name, on):
    status, output = run([*interpreter(on), f"docs/examples/{name}.py"])
    assert status == 0, output
    rest = output
    for wanted in EXAMPLES[name]:
        assert wanted in rest, output
        rest = rest.split(wanted, 1)[1]


def test_every_example_is_run_and_named_in_the_readme():
    found = {path.stem for path in (ROOT / "docs" / "examples").glob("*.py")}
    assert found == set(EXAMPLES)
    for name in found:
        assert f"(docs/examples/{name}.py)" in README


@pytest.mark.parametrize(
    ("first", "second"), [("cpython", "micropython"), ("micropython", "cpython")]
)
def test_the_readme_s_two_nodes_meet_and_leave(first, second, tmp_path):
    """Both forms on both interpreters; each takes the other one for its only seed."""
    asyncio_node, plain_node = blocks("python")
    assert "async for" in asyncio_node
    assert "node.poll()" in plain_node
    (tmp_path / "one.py").write_text(asyncio_node)
    (tmp_path / "two.py").write_text(plain_node)
    with Program([*interpreter(first), str(tmp_path / "one.py")]) as one:
        with Program([*interpreter(second), str(tmp_path / "two.py")]) as two:
            assert "[127.0.0.1:36221#" in one.expect("MemberUp 127.0.0.1:36221#")
            two.expect("MemberUp 127.0.0.1:36220#")
            two.interrupt()
            assert two.end() != 0
            assert "KeyboardInterrupt" in two.output
        one.expect("MemberDown 127.0.0.1:36221#")
        one.interrupt()
        one.end()
        assert "KeyboardInterrupt" in one.output


def test_a_node_has_about_ten_lines():
    lengths = [len([line for line in block.split("\n") if line]) for block in blocks("python")]
    assert lengths == [11, 9]


def test_what_the_readme_names_is_there():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)", README)) - {"it"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"(?:tools|host_tests)/[\w/]+\.py", README):
        assert (ROOT / path).exists(), path
