"""tools/demo.py: a whole run with three nodes and short times, and runs that must not succeed."""

import signal

import demo
import find_micropython
import pytest
from support.program import Program, all_ended, children, interpreter, is_running

SMALL = ["tools/demo.py", "-n", "3", "--fast"]


def start(*words):
    return Program([*interpreter("cpython"), *SMALL, *words])


def test_the_demo_succeeds_and_one_that_cannot_fails():
    """Both at once, because each takes its time."""
    with start() as good, start("--no-restart") as bad:
        good.expect("formed: all 3 nodes see all others Alive")
        bad.expect("formed")
        good.expect("node 2 (127.0.0.1:")
        good.expect("suspects node 2")
        good.expect("declares node 2 down (1 of 2)")
        good.expect("declares node 2 down (2 of 2)")
        good.expect("node 2 starts again")
        before, after = good.expect("node 2 is up again: bump").split("bump ")[1].split(" -> ")
        assert int(after) > int(before)
        good.expect("rejoined: all 3 nodes see all others Alive")
        good.expect("all have left")
        good.expect("summary")
        for row in ("to form", "to suspect", "to declare down", "to rejoin", "sent while idle"):
            good.expect(row)
        if find_micropython.find(32):
            assert "bytes per node" in good.expect("heap in use")
        assert good.end() == 0
        assert bad.end() == 1
        last = bad.lines[-1]
        assert last.startswith("demo failed: rejoining did not happen within ")
        assert last.endswith("holds node 2 Down")
        assert "summary" not in bad.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_the_cluster_and_exits_130(number):
    with start() as program:
        program.expect("formed")
        nodes = children(program.process.pid)
        assert len(nodes) == 3
        program.interrupt(number)
        assert program.end() == 130
        assert program.lines[-1] == "interrupted: everybody leaves"
        assert not any(is_running(node) for node in nodes)


def test_nodes_do_not_outlive_a_demo_that_is_killed():
    with start() as program:
        program.expect("formed")
        nodes = children(program.process.pid)
        program.interrupt(signal.SIGKILL)
        assert program.end() == -signal.SIGKILL
        assert all_ended(nodes)


def test_a_node_that_ends_by_itself_fails_the_demo_and_says_why():
    broken = demo.Demo(2, {}, [*interpreter("cpython"), "-c", "exit('no luck')"], "broken nodes")
    try:
        with pytest.raises(demo.DemoError, match="node [12] ended with status 1: no luck"):
            broken.run()
    finally:
        broken.end()


def test_wrong_usage():
    for words in (["-n", "1"], ["-n", "many"], ["--nonsense"]):
        with pytest.raises(SystemExit) as ended:
            demo.main(words)
        assert ended.value.code == 2


def test_free_ports_are_free_and_different():
    ports = demo.free_ports(20)
    assert len(set(ports)) == 20
    assert all(demo.PORT_FIRST <= port < demo.PORT_LAST for port in ports)
