"""The swarm itself: a bounded run of it, on CPython and on MicroPython, and its tools.

`SEEDS=1000` plays so many seeds; the default is what a test run can afford.
"""

import json
import os
import subprocess
import sys
import time

import find_micropython
import pytest
import simulate
import simulation_swarm
from simulation_scenario import KINDS, Outcome, Scenario
from simulation_swarm import ROOT, Case, Results

SEEDS = int(os.environ.get("SEEDS") or 60)
BUDGET_SECONDS = 18 if SEEDS == 60 else 0


def test_the_swarm_finds_nothing(capsys):
    """On a slow machine fewer seeds are played; what is played must be good."""
    done = simulation_swarm.swarm(range(SEEDS), Results(None), BUDGET_SECONDS)
    assert not done.failures, "\n".join(
        f"{problem}\n  replay: {Case(seed).command()}" for seed, problem in done.failures
    )
    assert done.played >= min(10, SEEDS)


def test_the_same_digests_on_the_32_bit_machine():
    seeds = [2, 12, 19]
    digests = simulation_swarm.on_vm(seeds)
    if digests is None:
        pytest.skip(find_micropython.missing_line("mp32"))
    wanted = {seed: simulation_swarm.play(Scenario(seed)).digest for seed in seeds}
    assert digests == wanted


def fake(check=lambda scenario: "", digest=lambda scenario: "same"):
    """Something that plays scenarios without playing them."""

    def player(scenario):
        outcome = Outcome()
        outcome.digest = digest(scenario)
        outcome.check = check(scenario)
        outcome.problem = outcome.check and f"{outcome.check}: it happened"
        return outcome

    return player


def test_a_run_that_differs_from_itself_is_a_failure():
    ticket = iter(range(100))
    done = simulation_swarm.swarm(
        range(3), Results(None), player=fake(digest=lambda scenario: str(next(ticket)))
    )
    assert len(done.failures) == 3
    assert done.failures[0][1].startswith("replay: digests 0 and 1")


def test_results_are_kept_and_not_played_again(tmp_path, monkeypatch):
    path = tmp_path / "results" / "swarm.jsonl"
    fails = fake(check=lambda scenario: "views" if scenario.seed == 2 else "")
    results = Results(path)
    first = simulation_swarm.swarm(range(4), results, player=fails)
    results.close()
    with path.open("a") as file:
        file.write('{"seed": 5, "dig')  # stopped in the middle of a line

    def never(scenario):
        raise AssertionError("played again")

    again = Results(path)
    second = simulation_swarm.swarm(range(4), again, player=never)
    again.close()
    assert (first.played, first.known) == (4, 0) and (second.played, second.known) == (0, 4)
    assert first.failures == second.failures == [(2, "views: it happened")]
    assert json.loads(path.read_text().splitlines()[0]) == {
        "code": simulation_swarm.code_version()
    }

    monkeypatch.setattr(simulation_swarm, "code_version", lambda: "another")
    other = Results(path)
    other.close()
    assert other.done == {}, "results of other code do not count"


def test_processes_find_what_one_finds_in_the_same_order():
    alone, together = Results(None), Results(None)
    one = simulation_swarm.swarm(range(3), alone)
    two = simulation_swarm.swarm(range(3), together, jobs=2)
    assert alone.done == together.done and list(alone.done) == list(together.done)
    assert one._replace(seconds=0) == two._replace(seconds=0)


def test_a_budget_ends_a_swarm():
    def slow(scenario):
        time.sleep(0.01)
        return fake()(scenario)

    done = simulation_swarm.swarm(range(1000), Results(None), 0.2, player=slow)
    assert done.stopped_early and 1 <= done.played < 1000


def test_a_failure_is_made_shorter():
    """It takes "loss", at least 4 nodes, and a block of node 1: everything else goes."""

    def check(scenario):
        blocked = [a for a in scenario.actions if a.verb == "block"]
        return "views" if scenario.has("loss") and scenario.count >= 4 and blocked else ""

    case = next(
        Case(seed)
        for seed in range(1000)
        if check(Scenario(seed)) and len(Scenario(seed).kinds) > 7
    )
    short = simulation_swarm.shrink(case, "views", fake(check=check))
    scenario = short.scenario()
    assert sorted(scenario.kinds) == ["block", "loss"]
    assert scenario.count == 4 and len(scenario.actions) == 1 and scenario.fault_us == 5000000
    command = short.command().removeprefix("python tools/simulate.py ").split()
    options = simulate._parser().parse_args(command)
    assert (options.seed, options.nodes, options.keep) == (short.seed, 4, short.keep)
    assert options.without == short.without and options.seconds == 5


def test_leaving_a_kind_out_does_not_change_the_others():
    for seed in range(40):
        whole = Scenario(seed)
        if not whole.kinds:
            continue
        without = whole.kinds[0]
        less = Scenario(seed, without=(without,))
        assert less.kinds == whole.kinds[1:]
        kept = [a.text() for a in less.actions]
        assert set(kept) <= {a.text() for a in whole.actions}, seed


def test_the_programs_exit_status_says_what_happened(capsys, monkeypatch, tmp_path):
    assert simulate.main(["run", "1", "--only", "wrap", "--seconds", "10", "--trace"]) == 0
    assert "Active" in capsys.readouterr().out
    assert simulate.main(["swarm", "--seeds", "3", "--vm", "0"]) == 0
    assert "3 seeds twice (3 played), 0 failed" in capsys.readouterr().out
    with pytest.raises(SystemExit) as usage:
        simulate.main(["run", "1", "--without", "gravity"])
    assert usage.value.code == 2 and KINDS[0] in capsys.readouterr().err

    monkeypatch.setattr(
        simulation_swarm,
        "swarm",
        lambda *args: simulation_swarm.Swarm(1, 0, [(7, "views: it happened")], False, 0, 0, 1.0),
    )
    assert simulate.main(["swarm", "--seeds", "1", "--vm", "0"]) == 1
    assert "replay: python tools/simulate.py run 7" in capsys.readouterr().out


def test_the_driver_for_the_machine_runs_here_too():
    done = subprocess.run(
        [sys.executable, simulation_swarm.ON_VM, "2"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "lib:tools"},
        capture_output=True,
        text=True,
        check=False,
    )
    digest = simulation_swarm.play(Scenario(2)).digest
    assert done.stdout == f"2 {digest} good\n" and done.returncode == 0
