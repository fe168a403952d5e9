"""What the swarm has found, each with its seed: these runs must stay good."""

import pytest
from simulation_scenario import Play
from simulation_swarm import Case

FOUND = {
    # without the kinds that came later: they would make another run of it
    Case(229, without=("custom", "limited")): (
        "renewed by a TurnUndead, and knowing only outdated identities, a node slept for ever"
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_found_by_the_swarm(case):
    outcome = Play(case.scenario()).run()
    assert not outcome.check, f"{FOUND[case]}: {outcome.problem}\n  replay: {case.command()}"
