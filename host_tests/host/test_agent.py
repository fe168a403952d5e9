"""tools/agent.py as a person uses it: two processes on loopback, one on each interpreter."""

import signal
import socket

import demo
import pytest
from support.program import Program, interpreter, run

AGENT = "tools/agent.py"


@pytest.fixture(params=["cpython", "micropython"])
def argv(request):
    return [*interpreter(request.param), AGENT]


@pytest.fixture
def micropython():
    return [*interpreter("micropython"), AGENT]


@pytest.fixture
def cpython():
    return [*interpreter("cpython"), AGENT]


def addresses(count):
    return [f"127.0.0.1:{port}" for port in demo.free_ports(count)]


def test_help_and_version(argv):
    for word in ("-h", "--help"):
        status, output = run([*argv, word])
        assert status == 0
        assert output.startswith("usage: agent.py [OPTIONS] BIND_ADDR")
        assert "FOCA_LOG" in output
    for word in ("-V", "--version"):
        status, output = run([*argv, word])
        assert status == 0
        assert output.startswith("foca agent 0.")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "BIND_ADDR is missing, like 127.0.0.1:8000: see --help"),
        (["127.0.0.1"], "address '127.0.0.1' is not HOST:PORT, like 192.168.1.5:36220"),
        (["localhost:8000"], "names are not resolved"),
        (["127.0.0.1:8000", "-x"], "'-x' is not expected here: see --help"),
        (["127.0.0.1:8000", "127.0.0.1:8001"], "is not expected here: see --help"),
        (["127.0.0.1:8000", "-a"], "-a needs a value: see --help"),
        (["127.0.0.1:0", "-a", "nobody"], "address 'nobody' is not HOST:PORT"),
        (["127.0.0.1:8000", "--codec=json"], "codec 'json' is not bincode or postcard"),
        (["127.0.0.1:0", "--bump", "soon"], "bump 'soon' is not a whole number"),
        (["127.0.0.1:0", "--bump", "-1"], "bump -1 does not fit into 64 bits"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(argv, words, says):
    status, output = run([*argv, *words])
    assert status == 2
    assert says in output
    assert "\n" not in output


def test_a_port_in_use_is_one_line_and_exit_2(argv):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        status, output = run([*argv, f"127.0.0.1:{port}"])
    assert status == 2
    assert f"UDP port {port} on 127.0.0.1 is in use" in output
    assert "\n" not in output


def test_two_interpreters_meet_and_part(micropython, cpython, tmp_path):
    """The whole of the reference's README, with the members files and the custom broadcasts."""
    one, two = addresses(2)
    file_one, file_two = tmp_path / "one", tmp_path / "two"
    with Program([*micropython, one, "-f", str(file_one)], FOCA_LOG="debug") as first:
        assert f"ID({one}, " in first.expect("INFO agent: Started")
        assert not file_one.exists(), "written before there was a change"
        words = [two, "-a", one, "--filename", str(file_two), "--bump", "77"]
        with Program([*cpython, *words], FOCA_LOG="agent=debug") as second:
            second.expect(f"DEBUG agent: MemberUp ID({one}, ")
            second.expect("members file written")
            assert file_two.read_text() == one + "\n"
            first.expect(f"DEBUG foca: MemberUp {two}#77")
            first.expect("members file written")
            assert file_one.read_text() == two + "\n"
            assert f"Hello from ID({two}, 77)! I have 0 peers" in first.expect(
                f"INFO agent: new custom broadcast from {two}"
            )
            # Five seconds later its version has moved on with the membership: it is news again.
            assert "I have 1 peers" in first.expect(f"new custom broadcast from {two}")
            second.interrupt()
            assert second.end() == 130
            assert second.lines[-1].endswith("INFO agent: Left")
        first.expect("INFO agent: cluster empty")
        first.expect("members file written")
        assert file_one.read_text() == ""
        assert (tmp_path / "one.old").read_text() == two + "\n"
        assert not (tmp_path / "one.new").exists()
        assert f"new custom broadcast from {one}" in second.output
        first.interrupt()
        assert first.end() == 130


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("cpython", signal.SIGINT),
        ("cpython", signal.SIGTERM),
        ("micropython", signal.SIGINT),  # its unix port has no way to catch SIGTERM
    ],
)
def test_ctrl_c_and_sigterm_leave(name, number, tmp_path):
    (one,) = addresses(1)
    with Program([*interpreter(name), AGENT, one], TMPDIR=str(tmp_path)) as agent:
        started = agent.expect("Started")
        assert f"members in {tmp_path}/foca_cluster_members." in started
        agent.interrupt(number)
        assert agent.end() == 130
        assert agent.lines[-1].endswith("INFO agent: Left")


def test_an_ipv6_address(argv):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no ::1")
    one = f"[::1]:{demo.free_ports(1)[0]}"
    with Program([*argv, one]) as agent:
        agent.expect(f"Started ID({one}, ")
        agent.interrupt()
        assert agent.end() == 130


def test_the_filter_decides_what_is_said(argv):
    (one,) = addresses(1)
    with Program([*argv, one], FOCA_LOG="off,agent=loud,agent=info") as agent:
        agent.expect("FOCA_LOG: ignored 'agent=loud'")
        agent.expect("INFO agent: Started")
        agent.interrupt()
        agent.end()


def test_one_that_cannot_write_its_file_goes_on(cpython, tmp_path):
    one, two = addresses(2)
    missing = str(tmp_path / "missing" / "file")
    with Program([*cpython, one, "-f", missing]) as first:
        first.expect("Started")
        with Program([*cpython, two, "-a", one, "-f", str(tmp_path / "two")]) as second:
            second.expect("Started")
            first.expect("ERROR agent: members file " + missing)
            first.expect("new custom broadcast")
            first.interrupt()
            assert first.end() == 130
