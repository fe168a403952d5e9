"""Mixed clusters on loopback: Rust agents, ours on CPython, ours on MicroPython, both codecs.

Each cluster is 2 + 2 + 2 members and is taken through a whole life: joining, custom broadcasts,
leaving, kill -9, a pause longer than the suspicion time, a restart with a lower bump. Times are
shown at the end of the run and bounded generously: what matters is that views become equal.
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


class Times:
    """One figure for the end of the run: what was done, and how long each part took."""

    def __init__(self, figures, title):
        self.figures = figures
        self.title = title
        self.parts = []

    def note(self, what, seconds):
        self.parts.append("%s %.1f s" % (what, seconds))

    def finish(self):
        self.figures.append("%s: %s" % (self.title, ", ".join(self.parts)))


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
    peer, micropython, figures, codec, bump_width, seed_kind, leaver_kind
):
    times = Times(figures, "live %s, %d-bit bump, %s seed" % (codec, bump_width, seed_kind))
    with Cluster(peer, micropython, codec, bump_width) as cluster:
        cluster.start_mixed(seed_kind)
        times.note("six members converge", cluster.converge(CONVERGE_S))
        spread_broadcasts(cluster)
        detected, healed = pause_and_resume(cluster)
        times.note("three paused are declared down", detected)
        times.note("resumed are back", healed)
        for member in one_of_each(cluster):
            restart_lower(cluster, member)
        times.note("three restarts with a lower bump converge", cluster.converge(CONVERGE_S))
        leaver = one_of_each(cluster)[KINDS.index(leaver_kind)]
        took = lose(cluster, [leaver], lambda member: member.ask("leave", "done"))
        times.note("%s leaves" % leaver_kind, took)
        cluster.remove(leaver)
        victims = one_of_each(cluster)
        times.note("kill -9 of one of each kind", lose(cluster, victims, live.Member.kill))
        for member in victims:
            cluster.remove(member)
        times.note("the rest converges", cluster.converge(CONVERGE_S))
    times.finish()


@pytest.mark.parametrize("loss_percent", [10, 30])
def test_a_mixed_cluster_converges_under_loss(peer, micropython, figures, loss_percent):
    """Ours lose this share of what they send, and again of what they receive."""
    times = Times(figures, "live postcard, %d %% loss" % loss_percent)
    with Cluster(peer, micropython, "postcard", 64) as cluster:
        cluster.start_mixed("rust", loss_percent=loss_percent)
        times.note("six members converge", cluster.converge(60))
        victim = one_of_each(cluster)[0]
        times.note("kill -9 of a Rust member", lose(cluster, [victim], live.Member.kill))
        cluster.remove(victim)
        times.note("the rest converges", cluster.converge(60))
    times.finish()
