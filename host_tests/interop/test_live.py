"""Mixed clusters on loopback: Rust agents, ours on CPython, ours on MicroPython, both codecs.

Each cluster is 2 + 2 + 2 members and is taken through a whole life: joining, custom broadcasts,
leaving, kill -9, a pause longer than the suspicion time, a restart with a lower bump. Times are
printed (pytest -s) and bounded generously: what matters here is that views become equal.
"""

import time

import find_micropython
import live
import pytest
from live import Cluster, notified

KINDS = ("rust", "cpython", "micropython")
CONVERGE_S = 15
DETECT_S = 15

# (codec, bump width, kind of the seed, kind of the one that leaves)
CLUSTERS = [
    ("bincode", 64, "rust", "cpython"),
    ("postcard", 64, "cpython", "rust"),
    ("bincode", 16, "micropython", "rust"),
    ("postcard", 16, "rust", "micropython"),
]


@pytest.fixture(scope="module")
def micropython():
    """A MicroPython with sockets, the 32-bit one if there is one."""
    found = {vm.name: vm for vm in find_micropython.find()}
    for name in ("mp32", "mp64"):
        if name in found:
            return found[name].argv
    pytest.skip(find_micropython.missing_line("mp32"))


def say(what, seconds):
    """A figure for the person who runs this with -s."""
    print("  %-52s %5.1f s" % (what, seconds))


def one_of_each(cluster):
    """The last member of each kind: the seed is never among them."""
    return [next(m for m in reversed(cluster.members) if m.kind == kind) for kind in KINDS]


def spread_broadcasts(cluster):
    """One custom broadcast from each kind reaches every other member exactly once."""
    for author in one_of_each(cluster):
        text = "from %s" % author
        author.command("broadcast " + text)

        def wanted(line, text=text):
            return line.get("broadcast", {}).get("msg") == text

        others = [member for member in cluster.members if member is not author]
        for member in others:
            member.wait_for(wanted, CONVERGE_S)
        time.sleep(0.5)
        assert [member.count(wanted) for member in others] == [1] * len(others)
        assert author.count(wanted) == 0


def lose(cluster, victims, act):
    """Let `victims` go by `act`; every other member must say so. Returns the longest time."""
    others = [member for member in cluster.members if member not in victims]
    marks = {member: len(member.lines) for member in others}
    started = time.monotonic()
    for victim in victims:
        act(victim)
    longest = 0.0
    for member in others:
        for victim in victims:
            wanted = notified("MemberDown", victim.address)
            member.wait_for(wanted, DETECT_S, marks[member])
            seen = member.when(wanted, marks[member])
            longest = max(longest, seen - started)
    return longest


def pause_and_resume(cluster):
    """One of each kind freezes for longer than the suspicion time, and comes back renewed."""
    sleepers = one_of_each(cluster)
    before = {member: member.identity for member in sleepers}
    detected = lose(cluster, sleepers, lambda member: member.ask("pause", "done"))
    for member in sleepers:
        member.ask("resume", "done")
    healed = cluster.converge(CONVERGE_S)
    for member in sleepers:
        assert member.identity != before[member], "%s did not renew" % member
        assert member.count(lambda line: line.get("notify", [""])[0] == "Rejoin") >= 1
    return detected, healed


def restart_lower(cluster, member):
    """The same address comes back with a bump that the others know to be old."""
    bind, kind = member.address, member.kind
    seed = next(m for m in cluster.members if m is not member)
    bump = int(member.identity.rpartition("#")[2])
    member.kill()
    cluster.remove(member)
    cluster.start(kind, [seed.address], bump=bump - 5, bind=bind)


@pytest.mark.parametrize(("codec", "bump_width", "seed_kind", "leaver_kind"), CLUSTERS)
def test_a_mixed_cluster_lives_through_everything(
    peer, micropython, codec, bump_width, seed_kind, leaver_kind
):
    with Cluster(peer, micropython, codec, bump_width) as cluster:
        print("\n%s, %d-bit bump, seed: %s" % (codec, bump_width, seed_kind))
        cluster.start_mixed(seed_kind)
        say("six members converge", cluster.converge(CONVERGE_S))
        spread_broadcasts(cluster)
        detected, healed = pause_and_resume(cluster)
        say("three paused members are declared down", detected)
        say("... and are back after their resumption", healed)
        for member in one_of_each(cluster):
            restart_lower(cluster, member)
        say("three restarts with a lower bump converge", cluster.converge(CONVERGE_S))
        leaver = one_of_each(cluster)[KINDS.index(leaver_kind)]
        took = lose(cluster, [leaver], lambda member: member.ask("leave", "done"))
        say("%s leaves and is seen to" % leaver.kind, took)
        cluster.remove(leaver)
        victims = one_of_each(cluster)
        say("kill -9 of one of each kind is seen", lose(cluster, victims, live.Member.kill))
        for member in victims:
            cluster.remove(member)
        say("the rest converges", cluster.converge(CONVERGE_S))


@pytest.mark.parametrize("loss_percent", [10, 30])
def test_a_mixed_cluster_converges_under_loss(peer, micropython, loss_percent):
    """Ours lose this share of what they send, and again of what they receive."""
    with Cluster(peer, micropython, "postcard", 64) as cluster:
        print("\n%d %% loss" % loss_percent)
        cluster.start_mixed("rust", loss_percent=loss_percent)
        say("six members converge", cluster.converge(60))
        victim = one_of_each(cluster)[0]
        say("kill -9 of a Rust member is seen", lose(cluster, [victim], live.Member.kill))
        cluster.remove(victim)
        say("the rest converges", cluster.converge(60))
