"""Play scenarios and print their digests: the same on CPython and on MicroPython.

    MICROPYPATH=lib:tools .vm/mp32 tools/simulation_on_vm.py SEED...
    PYTHONPATH=lib:tools python tools/simulation_on_vm.py SEED...

One line for each seed: the seed, the digest of the whole run, and "good" or what failed.
tools/simulate.py runs a sample of a swarm with this on the 32-bit VM and compares.
"""

import sys

from simulation_scenario import Play, Scenario


def main(seeds: list[str]) -> int:
    """Play each seed; returns 1 when a check failed."""
    status = 0
    for seed in seeds:
        outcome = Play(Scenario(int(seed))).run()
        print(seed, outcome.digest, outcome.problem or "good")
        if outcome.check:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
