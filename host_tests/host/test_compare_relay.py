"""tools/compare_relay.py: what it hands on, what it counts, and when compare.py takes it."""

import json
import random
import select
import socket
import struct

import compare
import pytest
from compare_cluster import Cluster
from compare_peers import PEERS
from compare_relay import NODES_HOST, PUBLIC_HOST, Half, Relay
from compare_traffic import TCP, UDP
from demo import free_ports
from support.program import WAIT_S, Program, interpreter


class Nodes:
    """Two UDP sockets, and a relay between them that is drained whenever something is there."""

    def __enter__(self):
        self.ports = free_ports(2)
        self.relay = Relay(self.ports)
        self.sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in self.ports]
        for one, port in zip(self.sockets, self.ports, strict=True):
            one.settimeout(WAIT_S)
            one.bind((NODES_HOST, port))
        return self

    def __exit__(self, *_):
        self.relay.close()
        self.relay.close()
        for one in self.sockets:
            one.close()

    def turn(self):
        assert select.select([self.relay], [], [], WAIT_S)[0]
        self.relay.drain()

    def counted(self, kind):
        total = self.relay.sums[kind]
        return total.packets, total.payload_bytes, total.ip_bytes


def listener(port):
    server = socket.create_server((NODES_HOST, port))
    server.settimeout(WAIT_S)
    return server


def test_a_datagram_comes_from_its_senders_public_address_and_is_counted_once():
    with Nodes() as nodes:
        (one, two), (first, second) = nodes.sockets, nodes.ports
        for text in (b"", b"ping", bytes(60000)):
            one.sendto(text, (PUBLIC_HOST, second))
            nodes.turn()
            data, origin = two.recvfrom(65536)
            assert (data, origin) == (text, (PUBLIC_HOST, first))
        two.sendto(b"answer", origin)
        nodes.turn()
        assert one.recvfrom(65536) == (b"answer", (PUBLIC_HOST, second))
        assert nodes.counted(UDP) == (4, 60010, 60010 + 4 * 28)
        by_port = nodes.relay.udp_by_port
        assert {port: found.packets for port, found in by_port.items()} == {first: 3, second: 1}
        assert nodes.counted(TCP) == (0, 0, 0)
        assert (nodes.relay.lost, nodes.relay.unread) == (0, 0)
        nodes.relay.restart()
        assert nodes.counted(UDP) == (0, 0, 0)
        assert nodes.relay.udp_by_port == {}


def test_a_datagram_of_no_node_is_dropped():
    with Nodes() as nodes, socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"hello", (PUBLIC_HOST, nodes.ports[0]))
        nodes.turn()
        assert not select.select(nodes.sockets, [], [], 0)[0]
        assert nodes.relay.unread == 1
        assert nodes.counted(UDP) == (0, 0, 0)


def test_a_connection_is_handed_on_both_ways_to_its_end():
    request, answer = random.Random(1).randbytes(3 << 20), b"answer"
    with Nodes() as nodes, listener(nodes.ports[1]) as server:
        with socket.create_connection((PUBLIC_HOST, nodes.ports[1]), WAIT_S) as caller:
            nodes.turn()
            callee, _ = server.accept()
            with callee:
                caller.setblocking(False)
                callee.settimeout(0)
                sent, got = 0, b""
                while len(got) < len(request):
                    _, writable, _ = select.select([], [caller], [], 0)
                    if writable and sent < len(request):
                        sent += caller.send(request[sent : sent + 100_000])
                    nodes.relay.drain()
                    if select.select([callee], [], [], 0)[0]:
                        got += callee.recv(1 << 16)
                assert got == request
                caller.shutdown(socket.SHUT_WR)
                nodes.turn()
                assert callee.recv(1) == b""
                callee.send(answer)
                nodes.turn()
                assert caller.recv(100) == answer
                assert nodes.relay.sums[TCP].packets == 0
            nodes.turn()
            assert caller.recv(1) == b""
        packets, payload_bytes, ip_bytes = nodes.counted(TCP)
        assert packets > 10
        assert payload_bytes == len(request) + len(answer)
        assert 40 * packets < ip_bytes - payload_bytes < 60 * packets


def test_what_the_other_end_has_no_room_for_waits_and_nothing_more_is_read():
    ends = [*socket.socketpair(), *socket.socketpair()]
    for one in ends:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        one.setblocking(False)
    caller, source, sink, callee = ends
    half = Half(source, sink)
    text, sent, got = random.Random(2).randbytes(50_000), 0, b""
    while not half.pending:
        sent += caller.send(text[sent : sent + 1000])
        half.move()
    assert half.move() == 0
    while len(got) < sent:
        got += callee.recv(1000)
        half.move()
    assert got == text[:sent]
    assert half.payload_bytes == sent
    assert not half.pending
    caller.close()
    assert half.move() == 0
    assert half.has_ended
    assert callee.recv(1) == b""
    for one in ends:
        one.close()


def test_a_call_to_nobody_is_ended_and_the_relay_goes_on():
    with Nodes() as nodes:
        with socket.create_connection((PUBLIC_HOST, nodes.ports[1]), WAIT_S) as caller:
            nodes.turn()
            assert caller.recv(1) == b""
        nodes.sockets[0].sendto(b"ping", (PUBLIC_HOST, nodes.ports[1]))
        nodes.turn()
        assert nodes.sockets[1].recv(100) == b"ping"


def test_a_caller_that_breaks_off_takes_its_connection_along():
    with Nodes() as nodes, listener(nodes.ports[1]) as server:
        caller = socket.create_connection((PUBLIC_HOST, nodes.ports[1]), WAIT_S)
        nodes.turn()
        callee, _ = server.accept()
        callee.settimeout(WAIT_S)
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.close()
        nodes.turn()
        assert callee.recv(1) == b""
        callee.close()
        assert nodes.relay.sums[TCP].packets > 0


def test_a_public_address_that_is_taken_leaves_nothing_open():
    first, second = free_ports(2)
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((PUBLIC_HOST, second))
        with pytest.raises(OSError, match="in use"):
            Relay([first, second])
    Relay([first, second]).close()


# ---- against the interface, and against the nodes' own counters

BOTH = """
import socket, sys
sys.path.insert(0, "tools")
import compare_relay, compare_traffic
if not compare_traffic.enter_namespace():
    sys.exit(77)
one, two = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
one.bind(("127.0.0.1", 5001))
two.bind(("127.0.0.1", 5002))
server = socket.create_server(("127.0.0.1", 5002))
relay = compare_relay.Relay([5001, 5002])
capture = compare_traffic.Capture()
ports = []
add = capture.add
capture.add = lambda packet: {*packet[1:3]} & {*ports} or add(packet)
for count in (0, 10, 60000):
    one.sendto(bytes(count), ("127.0.0.2", 5002))
    relay.drain()
    two.recv(65536)
for count in (1, 1000, 60_000):
    caller = socket.create_connection(("127.0.0.2", 5002))
    ports.append(caller.getsockname()[1])
    relay.drain()
    callee, _ = server.accept()
    caller.sendall(bytes(count))
    got = 0
    while got < count:
        relay.drain()
        got += len(callee.recv(65536))
    callee.sendall(b"answer")
    callee.close()
    relay.drain()
    caller.recv(100)
    caller.close()
    relay.drain()
capture.close()
udp, tcp = (capture.sums[kind] for kind in ("udp", "tcp"))
print(udp.packets, udp.payload_bytes, udp.ip_bytes)
print(tcp.packets, tcp.payload_bytes, tcp.ip_bytes, capture.lost, capture.unread)
udp, tcp = (relay.sums[kind] for kind in ("udp", "tcp"))
print(2 * udp.packets, 2 * udp.payload_bytes, 2 * udp.ip_bytes)
print(tcp.packets, tcp.payload_bytes, tcp.ip_bytes, relay.lost, relay.unread)
"""


def test_the_relay_counts_what_the_interface_carries():
    """UDP passes the interface twice, before and behind the relay; of TCP the call is left out."""
    with Program([*interpreter("cpython"), "-W", "ignore", "-c", BOTH]) as program:
        status = program.end()
    if status == 77:
        pytest.skip("no network namespace for this user: run as root")
    assert status == 0, program.output
    assert program.lines[:2] == program.lines[2:], program.output
    assert program.lines[0] == "6 120020 120188"


def test_the_relay_has_counted_what_the_nodes_say_that_they_have_sent():
    """Each node is asked before and after the relay: what it counted is in between."""
    with Cluster(PEERS["cpython"], 3, random.Random(1), has_relay=True) as cluster:
        cluster.form_or_fail()
        relay = cluster.relay
        assert cluster.until(lambda: relay.sums[UDP].packets > 30, WAIT_S)
        before = cluster.own_counters()
        relay.drain()
        counted = [relay.udp_by_port[place.port] for place in cluster.places.values()]
        relayed = [(found.packets, found.payload_bytes) for found in counted]
        after = cluster.own_counters()
        for least, (packets, payload_bytes), most in zip(before, relayed, after, strict=True):
            assert 0 < least["sent"] <= packets <= most["sent"]
            assert least["sent_bytes"] <= payload_bytes <= most["sent_bytes"]
        assert (relay.lost, relay.unread) == (0, 0)


def test_without_a_namespace_the_relay_counts_and_the_page_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "enter_namespace", lambda: False)
    words = ["--peers", "cpython", "--nodes", "2", "--kills", "0", "--joins", "0", "--idle", "1.2"]
    assert compare.main([*words, "--settle", "0", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "no network namespace: a relay counts the traffic of idle windows" in said
    page = (tmp_path / "side_by_side.md").read_text()
    assert "- traffic was counted by a relay between the nodes, not read from the" in page
    assert "from the interface;" not in page.replace("not read from the interface;", "")
    (cell,) = json.loads((tmp_path / "side_by_side.json").read_text())["cells"]
    (sample,) = cell["samples"]
    assert sample["how"] == "relay"
    assert sample["udp_packets"] > 0
    headers = sample["udp_ip_bytes"] - sample["udp_bytes"]
    assert headers == pytest.approx(28 * sample["udp_packets"])
    assert sample["udp_ip_bytes_min"] <= sample["udp_ip_bytes"] <= sample["udp_ip_bytes_max"]
    assert sample["tcp_packets"] == sample["tcp_bytes"] == sample["tcp_ip_bytes"] == 0
