"""Well-known members: start from a list of addresses that may or may not be there.

The list goes in as Down members with bump 0. Any real identity beats a bump of 0, so the first
contact is a Rename and a MemberUp; until then the agent announces to them whenever it is alone,
and `periodic_announce_to_down_ms` does it in company. `remove_down_after_ms=0` forgets none.
"""

from foca import Agent, Config
from foca.members import CALL
from foca.plain import member_from_dict


def member(well_known=()):
    config = Config.lan(3, remove_down_after_ms=0, periodic_announce_to_down_ms=1000)
    agent = Agent("127.0.0.1:0", config=config, on_event=print)
    if well_known:
        learn(agent.foca, well_known)
    return agent


def learn(foca, addresses):
    """Tell the node about these, and nobody else."""
    buf = bytearray(32 * len(addresses))
    count = 0
    for address in addresses:
        placeholder = {"id": {"addr": address, "bump": 0}, "incarnation": 0, "state": "Down"}
        member_from_dict(foca, placeholder, CALL)
        count = foca.codec.write_member(buf, count, CALL)
    foca.apply_many(buf, count, False, 0)


def run_until(agents, happened):
    for _ in range(1000):
        for agent in agents:
            agent.poll()
        if happened():
            return
        agents[0].udp.wait(10)
    raise SystemExit("that took too long")


first = member()
second = member()
third = member([first.address, second.address, "127.0.0.1:9"])
print("it knows", sorted([known.state for known in third.members(include_down=True)]))
run_until([first, second, third], lambda: len(third.members()) == 2)
print("it knows", sorted([known.state for known in third.members(include_down=True)]))
for agent in (first, second, third):
    agent.leave()
