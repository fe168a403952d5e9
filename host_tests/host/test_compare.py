"""tools/compare.py: what it understands and counts, and small real runs of our own nodes."""

import json
import random
import signal
import sys

import compare
import compare_cluster
import compare_peers
import compare_report
import pytest
from compare_cluster import Cluster, CompareError
from compare_peers import DOWN, PEERS, READY, STATS, SUSPECT, UP, Place, Told, packed
from compare_traffic import OTHER, TCP, UDP, Packet, parse
from support.program import ROOT, WAIT_S, Program, all_ended, children, interpreter

# Packets of two serf agents, as a packet socket gave them.
SYN = bytes.fromhex(
    "4500003cc54e40004006776b7f0000017f000001c83a6209337015fa00000000a002ffd7fe3000000204ffd70402"
    "080a3f29893d000000000103030a"
)
REPLY = bytes.fromhex(
    "45000041cc0f4000400670a57f0000017f000001620aa60ce34d387ff9f1de5a80180040fe3500000101080ae03b"
    "8e8c1b17182482a54572726f72a0a353657100"
)
GOSSIP = bytes.fromhex(
    "4500009f600940004011dc427f0000017f00000162076208008bfe9e0cb09def930702003c003c0486a441646472"
    "a47f000001ab496e6361726e6174696f6e01a44d657461a2ff80a44e6f6465a26e32a4506f7274cd6208a356736e"
    "a60105020205050486a441646472a47f000001ab496e6361726e6174696f6e01a44d657461a2ff80a44e6f6465a2"
    "6e31a4506f7274cd6207a356736ea6010502020505"
)
JOIN_REQUEST = bytes.fromhex(
    "82a7436f6d6d616e64a968616e647368616b65a35365710081a756657273696f6e0182a7436f6d6d616e64a46a6f"
    "696ea35365710182a84578697374696e6791af3132372e302e302e313a3235303935a65265706c6179c2"
)


# ---- what is read


def test_packets_are_counted_by_their_own_headers():
    assert parse(SYN) == Packet(TCP, 51258, 25097, 0, 60)
    assert parse(REPLY) == Packet(TCP, 25098, 42508, 13, 65)
    assert parse(GOSSIP) == Packet(UDP, 25095, 25096, 131, 159)
    icmp = GOSSIP[:9] + b"\x01" + GOSSIP[10:]
    assert parse(icmp) == Packet(OTHER, 0, 0, 139, 159)
    assert parse(GOSSIP + b"padding of a frame") == parse(GOSSIP)


def test_what_is_cut_or_no_ipv4_is_no_packet():
    for data in (b"", GOSSIP[:19], GOSSIP[:-1], b"\x60" + GOSSIP[1:], b"\x4f" + GOSSIP[1:40]):
        assert parse(data) is None
    too_short = b"\x45\x00\x00\x1b" + GOSSIP[4:27]  # 27 bytes have no room for a UDP header
    assert parse(too_short) is None


def test_lines_of_serf():
    read = PEERS["serf"].parse
    stamp = b"    2026/11/25 23:45:19 [INFO] "
    assert read(stamp + b"agent: Serf agent starting") == Told(READY)
    assert read(stamp + b"serf: EventMemberJoin: n2 127.0.0.1") == Told(UP, "n2")
    assert read(stamp + b"serf: EventMemberFailed: n3 127.0.0.1") == Told(DOWN, "n3")
    suspect = b"memberlist: Suspect n3 has failed, no acks received"
    assert read(stamp + suspect) == Told(SUSPECT, "n3")
    marking = b"memberlist: Marking n3 as failed, suspect timeout reached (0 peer confirmations)"
    assert read(stamp + marking) is None
    assert read(stamp + b"agent: Received event: member-failed") is None


def test_lines_of_the_rust_agent_and_of_ours():
    read = PEERS["rust"].parse
    assert read(b'{"started":"127.0.0.1:9001#1795650333"}') == Told(READY)
    up = b'{"notify":["MemberUp","127.0.0.1:9002#1795650333"]}'
    assert read(up) == Told(UP, "127.0.0.1:9002")
    failed = b'{"notify":["ProbeFailed",2,"127.0.0.1:9003#1795650334"]}'
    assert read(failed) == Told(SUSPECT, "127.0.0.1:9003")
    down = b'{"notify": ["MemberDown", "127.0.0.1:9003"]}'
    assert PEERS["mp32"].parse(down) == Told(DOWN, "127.0.0.1:9003")
    renamed = b'{"notify":["Rename","127.0.0.1:9003#1","127.0.0.1:9003#2"]}'
    assert read(renamed) == Told(UP, "127.0.0.1:9003")
    assert read(b'{"stats":{"sent":3}}') == Told(STATS, stats={"sent": 3})
    for line in (b'{"notify":["Active"]}', b"Traceback", b"[1]", b'{"broadcast":{}}', b""):
        assert read(line) is None
    with pytest.raises(ValueError, match="missed events"):
        read(b'{"notify": ["Resync", ""]}')


def test_serf_is_told_to_join_in_the_bytes_that_it_has_understood():
    serf = PEERS["serf"]
    assert serf.join_data(Place(1, 25095, 25097)) == JOIN_REQUEST
    assert serf.join_data(None) == b""
    assert packed([True, 7, "a"]) == b"\x93\xc3\x07\xa1a"


# ---- what is written


def sample_report():
    """Two peers and a missing one, with numbers that are easy to check."""
    idle = {
        "window_s": 60.0, "news": 0, "how": "interface", "lost": 1, "unread": 0,
        "cpu_ms": 2.0, "cpu_ms_min": 1.0, "cpu_ms_max": 4.0,
        "rss_bytes": 3 << 20, "rss_bytes_min": 3 << 20, "rss_bytes_max": 3 << 20,
        "udp_ip_bytes": 120.0, "udp_ip_bytes_min": 110.0, "udp_ip_bytes_max": 130.0,
        "tcp_ip_bytes": 0.0, "tcp_packets": 0.0, "udp_packets": 2.0,
    }  # fmt: skip
    kills = [
        {"suspect_s": s, "last_down_s": d, "rejoin_s": r, "late": r is None and d == 10.0,
         "false_suspects": 0, "false_downs": int(d == 10.0)}
        for s, d, r in ((1.0, 5.0, 0.5), (2.0, 6.0, None), (None, 10.0, None))
    ]  # fmt: skip

    def cell(peer, what, samples):
        return {"peer": peer, "nodes": 5, "what": what, "samples": samples, "load": 0.5}

    return {
        "date": "2026-01-02",
        "settings": {
            "period_s": 1.0, "nodes": [5], "idle_s": 60.0, "settle_s": 10.0,
            "versions": {"serf": "serf 1", "mp32": "ours 1"},
            "machine": {"cores": 2, "cpu": "a CPU", "memory_gib": 4, "system": "Linux", "nice": 0},
        },
        "titles": {"serf": "serf", "rust": "foca (Rust)", "mp32": "ours, MicroPython"},
        "missing": {"rust": "cargo is not installed: install it\nand more"},
        "cells": [
            cell("serf", "idle", [{**idle, "udp_ip_bytes": 240.0}]),
            cell("mp32", "idle", [idle]),
            cell("mp32", "kill", kills[:1]),
            cell("mp32", "kill", kills[1:]),
            {"peer": "serf", "nodes": 5, "what": "join", "failed": "no luck", "load": 0.1},
        ],
    }  # fmt: skip


def test_the_table_has_means_medians_maxima_and_ratios():
    lines = compare_report.markdown(sample_report()).splitlines()
    ratios = "MicroPython / serf | MicroPython / Rust"
    assert f"| 5 nodes | serf | foca (Rust) | ours, MicroPython | {ratios} |" in lines
    assert "| UDP with IP headers, bytes/s | 240 |  | 120 | 0.50 | - |" in lines
    assert "| TCP with IP headers, bytes/s | 0 |  | 0 | - | - |" in lines
    assert "| CPU time, ms/s | 2.00 |  | 2.00 | 1.00 | - |" in lines
    assert "| memory (RSS), MiB | 3.0 |  | 3.0 | 1.00 | - |" in lines
    down = "| kill to last Down, s | not told |  | 7.00 / 6.00 / 10.00 | - | - |"
    assert down in lines
    assert "| kill to first suspicion, s | not told |  | 1.50 / 1.50 / 2.00 | - | - |" in lines
    assert "| samples: kills, joins | 0, 0 |  | 3, 0 | | |" in lines


def test_the_notes_tell_what_went_wrong():
    page = compare_report.markdown(sample_report())
    assert "- foca (Rust) is left out: cargo is not installed: install it\n" in page
    assert "- serf, 5 nodes, join: a cell failed: no luck\n" in page
    assert "MicroPython, 5 nodes, kill: 1 of 2 not within the limit, counted as it\n" in page
    assert "kill: after 1 restarts the views were not complete in time\n" in page
    assert "MicroPython, 5 nodes, kill: 0 false suspicions, 1 false Downs\n" in page
    assert "read from the interface; 2 were lost or not readable\n" in page
    assert "at the start of a cell: 0.1 .. 0.5\n" in page


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="make .venv/.made-from-pyproject installs matplotlib")
    compare_report.write(sample_report(), tmp_path)
    assert (tmp_path / "side_by_side.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "side_by_side.json").read_text()) == sample_report()
    kill = compare_report.bar(sample_report(), "mp32", 5, "kill", ("last_down_s",))
    assert kill == (7.0, 5.0, 10.0)


def test_the_cells_take_turns_and_add_up():
    todo = compare.cells(["serf", "mp32"], [5, 20], kills=12, joins=7)
    assert [cell.key() for cell in todo[:5]] == [
        "idle-0-5-serf",
        "idle-0-5-mp32",
        "join-0-5-serf",
        "join-0-5-mp32",
        "kill-0-5-serf",
    ]
    assert len({cell.key() for cell in todo}) == len(todo)
    for what, times in (("idle", 1), ("kill", 12), ("join", 7)):
        for nodes in (5, 20):
            of_serf = [c for c in todo if (c.what, c.nodes, c.peer) == (what, nodes, "serf")]
            assert sum(cell.times for cell in of_serf) == times


# ---- peers that misbehave, as small programs

SILENT = "import sys; print('{\"started\": 1}', flush=True); sys.stdin.read()"


class Fake(compare_peers.Cpython):
    """A node that runs this text instead."""

    def __init__(self, text):
        self.text = text

    def argv(self, place, size, contact):
        return [sys.executable, "-c", self.text]

    def stats_data(self):
        return b""


def test_a_node_that_ends_by_itself_is_a_failed_cell_and_the_run_goes_on(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(PEERS, "serf", Fake("exit('no luck')"))
    words = ["--peers", "serf", "--nodes", "2", "--kills", "0", "--joins", "1", "--idle", "0.1"]
    words += ["--relay", "--out", str(tmp_path)]
    assert compare.main(words) == 1
    said = capsys.readouterr().out
    assert "[1/2] idle 2 nodes, ours, CPython: FAILED: node" in said
    assert "[2/2] join 2 nodes, ours, CPython: FAILED: node" in said
    assert "no luck" in (tmp_path / "side_by_side.md").read_text()
    assert compare.main([*words, "--seed", "2"]) == 2
    assert "another seed" in capsys.readouterr().err
    words.remove("--relay")
    assert compare.main(words) == 2
    assert "another relay" in capsys.readouterr().err


def test_what_does_not_happen_in_time_is_late_and_never_a_number_of_its_own(monkeypatch):
    monkeypatch.setattr(compare_cluster, "COMPLETE_LIMIT_S", 0.1)
    with Cluster(Fake(SILENT), 2, random.Random(1)) as cluster:
        joined = cluster.form()
        assert joined["late"]
        assert joined["join_s"] >= 0.1
        monkeypatch.setattr(compare_cluster, "down_limit_s", lambda size: 0.1)
        sample = cluster.kill(2)
        assert sample["late"]
        assert sample["last_down_s"] == 0.1
        assert sample["suspect_s"] is sample["first_down_s"] is sample["rejoin_s"] is None
        with pytest.raises(CompareError, match="2 entries are missing"):
            cluster.end()
            cluster.form_or_fail()


def test_a_peer_that_is_not_here_is_named_with_its_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["--peers", "serf", "--out", str(tmp_path), "--kills", "0", "--relay"]
    assert compare.main(words) == 1
    said = capsys.readouterr()
    assert "serf is left out: no serf here: apt-get install serf" in said.out
    assert said.err == "nobody is here to be compared\n"
    assert "apt-get install serf" in (tmp_path / "side_by_side.md").read_text()


def test_wrong_usage():
    for words in (["--nodes", "1"], ["--peers", "raft"], ["--kills", "-1"], ["--nonsense"]):
        with pytest.raises(SystemExit) as ended:
            compare.main(words)
        assert ended.value.code == 2


# ---- real

COUNT_THREE = """
import socket, sys
sys.path.insert(0, "tools")
import compare_traffic
if not compare_traffic.enter_namespace():
    sys.exit(77)
capture = compare_traffic.Capture()
one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
one.bind(("127.0.0.1", 5001))
two.bind(("127.0.0.2", 5002))
for count in (0, 10, 60000):
    one.sendto(bytes(count), ("127.0.0.2", 5002))
    two.recv(65536)
capture.close()
capture.close()
udp = capture.sums["udp"]
print(udp.packets, udp.payload_bytes, udp.ip_bytes, capture.udp_by_port[5001].packets)
print(capture.sums["tcp"].packets, capture.sums["other"].packets, capture.lost, capture.unread)
"""


def test_every_packet_of_a_namespace_is_counted_once():
    with Program([sys.executable, "-c", COUNT_THREE]) as program:
        status = program.end()
    if status == 77:
        pytest.skip("no network namespace for this user: run as root")
    assert program.lines == ["3 60010 60094 3", "0 0 0 0"], program.output
    assert status == 0


HALF_ALLOWED = """
import os, sys
sys.path.insert(0, "tools")
import compare_traffic

def refuse(*_):
    raise PermissionError

compare_traffic.fcntl.ioctl = refuse
before = os.readlink("/proc/self/ns/net")
print(compare_traffic.enter_namespace(), os.readlink("/proc/self/ns/net") == before)
"""


def test_a_namespace_without_rights_in_it_is_not_entered():
    with Program([sys.executable, "-c", HALF_ALLOWED]) as program:
        assert program.end() == 0, program.output
    assert program.lines == ["False True"]


def start(folder, peer, *words):
    argv = [*interpreter("cpython"), "tools/compare.py", "--peers", peer, "--nodes", "3"]
    argv += ["--idle", "1", "--kills", "1", "--joins", "0", "--out", str(folder), *words]
    return Program(argv)


def sample_of(folder, what):
    """The one idle window, or the one kill, that a run has measured."""
    report = json.loads((folder / "side_by_side.json").read_text())
    [sample] = next(cell["samples"] for cell in report["cells"] if cell["what"] == what)
    return sample


def test_small_real_runs_stopped_and_continued(tmp_path):
    """All at once, because each takes the time of a kill: six to ten seconds."""
    if PEERS["mp32"].missing():
        pytest.skip(PEERS["mp32"].missing())
    ours, relayed, stopped, killed = (tmp_path / name for name in ("a", "b", "c", "d"))
    with (
        start(ours, "mp32") as on_vm,
        start(relayed, "cpython", "--relay", "--joins", "1") as on_cpython,
        start(stopped, "cpython") as second,
        start(killed, "cpython") as third,
    ):
        for program, number in ((second, signal.SIGINT), (third, signal.SIGKILL)):
            program.expect("[1/2] idle 3 nodes")
            nodes = children(program.process.pid)
            program.interrupt(number)
            assert program.end() == (130 if number == signal.SIGINT else -signal.SIGKILL)
            assert all_ended(nodes)
        assert second.lines[-1] == "interrupted: the same command goes on from here"
        with start(stopped, "cpython") as again:
            assert again.end(3 * WAIT_S) == 0, again.output
        assert "[1/2]" not in again.output
        assert on_vm.end(3 * WAIT_S) == 0, on_vm.output
        assert on_cpython.end(3 * WAIT_S) == 0, on_cpython.output
    for folder in (ours, relayed, stopped):
        kill = sample_of(folder, "kill")
        assert 0 < kill["suspect_s"] < kill["first_down_s"] <= kill["last_down_s"]
        assert not kill["late"]
        assert kill["rejoin_s"] > 0
        idle = sample_of(folder, "idle")
        assert idle["udp_packets"] > 1
        assert idle["cpu_ms"] > 0
        assert idle["rss_bytes"] > 1 << 20
        if folder == ours:
            assert idle["heap_bytes"] > 10_000
    assert sample_of(relayed, "idle")["how"] == "relay"
    assert "a relay counts the traffic of idle windows" in on_cpython.output
    assert "- traffic was counted by a relay" in (relayed / "side_by_side.md").read_text()
    text = "".join(
        path.read_text() for path in ours.glob("side_by_side.*") if path.suffix != ".png"
    )
    assert str(ROOT) not in text
