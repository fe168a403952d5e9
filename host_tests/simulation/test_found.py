"""What the swarm has found, each with its seed: these runs must stay good."""

import pytest
from simulation_scenario import Play, Scenario

FOUND = {
    229: "renewed by a TurnUndead, and knowing only outdated identities, a node slept for ever",
}


@pytest.mark.parametrize("seed", FOUND)
def test_found_by_the_swarm(seed):
    outcome = Play(Scenario(seed)).run()
    assert not outcome.check, f"{FOUND[seed]}: {outcome.problem}"
