"""foca.aio: the agent, with a transport and a clock of the test's own; nothing here waits."""

from foca.address import parse
from foca.aio import Agent, Member
from foca.bincode import Bincode
from foca.broadcast import BroadcastHandler, VersionedHandler
from foca.config import Config
from foca.errors import ConfigError, UsageError
from foca.identity import ipv4
from foca.runtime import Runtime
from foca.status import CUSTOM_BROADCAST, STALE
from foca.trace import DEBUG, TracingRuntime
from support.check import raises

WAIT_CLOSED_MS = 60000


class Net:
    """Transports that reach each other, and a clock that the test moves."""

    def __init__(self):
        self.boxes = {}
        self.now_ms = 5

    def clock(self):
        return self.now_ms

    def agent(self, text, seeds=(), **arguments):
        arguments.setdefault("bump", 1)
        udp = arguments.pop("udp", None) or Transport(self, text)
        return Agent(text, seeds, udp=udp, clock=self.clock, seed=3, **arguments)


class Transport:
    def __init__(self, net, text):
        host, _, port = text.rpartition(":")
        self.port = int(port)
        self.host = host
        self.closed = 0
        self.found = host
        self.asked = None
        self.boxes = net.boxes
        self.box = net.boxes[text] = []

    def send(self, ids, at, buf, count):
        host = ".".join([str(ids[at + i]) for i in range(4)])
        box = self.boxes.get("%s:%d" % (host, ids[at + 4] << 8 | ids[at + 5]))
        if box is not None:
            box.append(bytes(buf[:count]))
        return box is not None

    def receive(self):
        return self.box.pop(0) if self.box else None

    def wait(self, timeout_ms):
        self.waited_ms = timeout_ms
        return bool(self.box)

    def close(self):
        self.closed += 1

    def local_address(self, peer_host=None):
        self.asked = peer_host
        return self.found


def run(net, agents, until_ms):
    while net.now_ms < until_ms:
        for agent in agents:
            agent.poll()
        net.now_ms += 10


def pair(**arguments):
    net = Net()
    first = net.agent("10.0.0.1:5000", **arguments)
    second = net.agent("10.0.0.2:5000", ["10.0.0.1:5000"], **arguments)
    run(net, [first, second], 100)
    return net, first, second


# finding each other, and parting


def test_two_agents_find_each_other():
    _, first, second = pair()
    assert [str(member) for member in first.members()] == ["10.0.0.2:5000#1 Alive 0"]
    assert [member.address for member in second.members()] == ["10.0.0.1:5000"]
    assert (first.address, first.bump) == ("10.0.0.1:5000", 1)
    assert second.joining.announced == 1


def test_one_that_leaves_is_down_at_once_and_closed():
    net, first, second = pair()
    assert second.leave() == 0
    assert second.udp.closed == 1
    first.poll()
    assert first.members() == []
    assert [str(member) for member in first.members(include_down=True)] == [
        "10.0.0.2:5000#1 Down 0"
    ]
    assert second.poll() == WAIT_CLOSED_MS
    assert second.leave() == 0, "a second time nothing happens"
    assert net.boxes["10.0.0.1:5000"] == []


def test_one_that_vanishes_is_found_out():
    net, first, _ = pair(config=Config.lan(2))
    states = []
    while net.now_ms < 10000:
        first.poll()
        for member in first.members(include_down=True):
            if [member.state] != states[-1:]:
                states.append(member.state)
        net.now_ms += 10
    assert states == ["Alive", "Suspect", "Down"]


def test_announce_reaches_one_that_is_no_seed():
    net = Net()
    first, second = net.agent("10.0.0.1:5000"), net.agent("10.0.0.2:5000")
    run(net, [first, second], 2000)
    assert first.members() == []
    assert second.announce("10.0.0.1:5000") == 0
    run(net, [first, second], 2100)
    assert len(first.members()) == len(second.members()) == 1


# construction


def test_what_cannot_work_is_refused_and_a_socket_is_closed_again():
    net = Net()
    transport = Transport(net, "10.0.0.1:5000")
    for arguments in (
        {"bump": -1},
        {"bump": 2**64},
        {"address": "10.0.0.1"},
        {"address": "[::1]:5000"},
    ):
        raises(ConfigError, net.agent, "10.0.0.1:5000", udp=transport, **arguments)
    assert transport.closed == 4
    raises(ConfigError, net.agent, "10.0.0.1:5000", ["nobody"], udp=transport)
    error = raises(ConfigError, Agent, "10.0.0.1")
    assert "HOST:PORT" in str(error)


def test_the_address_that_others_use_may_be_another_one():
    net = Net()
    agent = net.agent("10.0.0.1:5000", address="192.168.1.9:7000")
    assert agent.address == "192.168.1.9:7000"


def test_bound_to_every_interface_the_transport_says_where():
    net = Net()
    transport = Transport(net, "0.0.0.0:5000")
    transport.found = "10.0.0.7"
    agent = net.agent("0.0.0.0:5000", ["10.0.0.9:5000"], udp=transport)
    assert agent.address == "10.0.0.7:5000"
    assert transport.asked == "10.0.0.9", "the route to a seed tells which interface"
    transport.found = None
    error = raises(UsageError, net.agent, "0.0.0.0:5000", udp=transport)
    assert "address='HOST:PORT'" in str(error)
    assert transport.asked is None
    assert transport.closed == 1


def test_a_port_that_was_chosen_is_the_one_that_others_are_told():
    net = Net()
    transport = Transport(net, "10.0.0.1:0")
    transport.port = 51234
    assert net.agent("10.0.0.1:0", udp=transport).address == "10.0.0.1:51234"


def test_brackets_make_a_node_of_both_families():
    net = Net()
    agent = net.agent("[2001:db8::1]:5000", ["10.0.0.9:5000"])
    assert agent.address == "[2001:db8::1]:5000"
    transport = Transport(net, "[::]:5000")
    transport.found = "2001:db8::2"
    agent = net.agent("[::]:5000", ["[2001:db8::1]:5000"], udp=transport)
    assert agent.address == "[2001:db8::2]:5000"
    assert transport.asked == "2001:db8::1"


def test_a_bump_of_its_own_is_never_0_and_fits():
    net = Net()
    assert net.agent("10.0.0.1:5000", bump=None).bump > 0
    assert net.agent("10.0.0.1:5000", bump=None, layout=ipv4(16)).bump < 2**16
    assert net.agent("10.0.0.1:5000", bump=None, layout=ipv4(0)).bump == 0


def test_codec_and_config_are_passed_on():
    net = Net()
    config = Config.wan(3, members_max=5)
    agent = net.agent("10.0.0.1:5000", codec=Bincode, config=config)
    assert isinstance(agent.foca.codec, Bincode)
    assert agent.foca.config is config


# a turn


def test_a_turn_is_bounded_and_says_when_there_is_more():
    config = Config.lan(2, datagrams_per_turn_max=4)
    net, first, _ = pair(config=config)
    box = net.boxes["10.0.0.1:5000"]
    box.extend([b"?"] * 10)
    assert first.poll() == 0
    assert len(box) == 6
    first.poll()
    first.poll()
    assert box == []
    assert 0 < first.poll() <= 1000, "until the next probe"


def test_rubbish_is_counted_and_changes_nothing():
    net, first, _ = pair()
    before = str(first.members())
    net.boxes["10.0.0.1:5000"].extend([b"", b"\x00", b"\xff" * 40, bytes(1401)])
    first.poll()
    assert str(first.members()) == before
    assert sum(first.foca.counters[1:16]) == 4


def test_run_forever_sleeps_in_the_transport_until_something_is_due_or_it_is_closed():
    net = Net()
    waits = []

    class Sleeper(Transport):
        def wait(self, timeout_ms):
            waits.append(timeout_ms)
            net.now_ms += 20
            if len(waits) == 5:
                agent.close()

    agent = net.agent("10.0.0.1:5000", udp=Sleeper(net, "10.0.0.1:5000"))
    agent.run_forever()
    assert len(waits) == 5
    first = waits[0]  # when it looks for peers again, a second later give or take a quarter
    assert 750 <= first <= 1000
    assert waits == [first, first - 20, first - 40, first - 60, first - 80]


# the application's part


def test_a_callback_gets_every_event_between_turns_and_may_call_anything():
    net = Net()
    seen = []

    def note(event):
        seen.append((event.name, event.address))
        if event.name == "MemberUp":
            assert first.announce("10.0.0.2:5000") == 0, "not busy"

    first = net.agent("10.0.0.1:5000", on_event=note)
    second = net.agent("10.0.0.2:5000", ["10.0.0.1:5000"])
    run(net, [first, second], 100)
    second.leave()
    first.poll()
    assert seen == [
        ("MemberUp", "10.0.0.2:5000"),
        ("Active", "10.0.0.1:5000"),
        ("MemberDown", "10.0.0.2:5000"),
        ("Idle", "10.0.0.1:5000"),
    ]


def test_what_a_callback_raises_is_counted_and_the_node_goes_on():
    net = Net()

    def fail(event):
        raise ValueError("of the test: a callback that fails")

    first = net.agent("10.0.0.1:5000", on_event=fail)
    second = net.agent("10.0.0.2:5000", ["10.0.0.1:5000"])
    run(net, [first, second], 100)
    assert first.callback_errors == 2
    assert len(first.members()) == 1


def test_what_a_broadcast_handler_raises_is_counted_and_the_node_goes_on():
    class Broken(BroadcastHandler):
        def receive_item(self, buf, start, end, sender):
            if sender < 0:
                return 1
            raise ValueError("of the test: a handler that fails")

    net, first, second = pair(handler=Broken())
    assert second.broadcast(b"item") == 0
    run(net, [first, second], 500)
    assert first.callback_errors >= 1
    run(net, [first, second], 5000)
    assert len(first.members()) == len(second.members()) == 1


def test_every_queue_of_events_gets_all_from_its_start():
    net, first, second = pair()
    early = first.events()
    second.leave()
    first.poll()
    late = first.events()
    names = []
    event = early.get()
    while event:
        names.append(event.name)
        event = early.get()
    assert names == ["MemberDown", "Idle"]
    assert late.get() is None


def test_a_broadcast_reaches_the_other_at_once():
    heard = []

    def note(origin, version, payload):
        heard.append((origin, version, payload))

    handler = VersionedHandler(Bincode, note)
    net, first, second = pair(codec=Bincode, handler=handler)
    second.foca.handler = second.foca.items.handler = VersionedHandler(Bincode)
    item = handler.pack(parse(ipv4(), second.address, 6), b"hello")
    assert second.broadcast(item) == 0
    first.poll()
    assert heard == [("10.0.0.2:5000", 6, b"hello")]
    assert second.broadcast(item) == STALE
    assert net.agent("10.0.0.3:5000").broadcast(item) == CUSTOM_BROADCAST


def test_a_tracing_runtime_stands_between():
    lines = []
    net = Net()
    tracing = TracingRuntime(None, lines.append, DEBUG)
    first = net.agent("10.0.0.1:5000", runtime=tracing)
    second = net.agent("10.0.0.2:5000", ["10.0.0.1:5000"])
    run(net, [first, second], 100)
    assert lines == ["DEBUG foca: MemberUp 10.0.0.2:5000#1", "DEBUG foca: Active 10.0.0.1:5000#1"]
    assert len(second.members()) == 1
    assert isinstance(first, Runtime)


def test_a_member_says_what_it_is():
    assert repr(Member("10.0.0.1:5", 7, "Suspect", 3)) == "10.0.0.1:5#7 Suspect 3"


def test_run_is_one_task_that_ends_with_close():
    import asyncio

    if not hasattr(asyncio, "run"):  # the WebAssembly port, whose loop is the browser's
        return
    net = Net()
    names = []

    async def main():
        first = net.agent("10.0.0.1:5000")
        second = net.agent("10.0.0.2:5000", ["10.0.0.1:5000"])
        tasks = [asyncio.create_task(agent.run()) for agent in (first, second)]
        async for event in first.events():
            names.append(event.name)
            if event.name == "Active":
                second.leave()
            if event.name == "Idle":
                break
        first.close()
        for task in tasks:
            await task

    asyncio.run(main())
    assert names == ["MemberUp", "Active", "MemberDown", "Idle"]
