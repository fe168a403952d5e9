"""What the swarm has found, each with its seed: these runs must stay good."""

import pytest
from simulation_scenario import Play
from simulation_swarm import Case

FOUND = {
    # found when there were no custom broadcasts yet, so without them
    Case(229, without=("custom",)): (
        "renewed by a TurnUndead, and knowing only outdated identities, a node slept for ever"
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_found_by_the_swarm(case):
    outcome = Play(case.scenario()).run()
    assert not outcome.check, f"{FOUND[case]}: {outcome.problem}\n  replay: {case.command()}"
