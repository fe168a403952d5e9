"""Simulated means agree with the formulas of SWIM within 5 %: F1'', F5 and F7."""

import math

import simulation_measure as measure


def test_means_agree_with_the_formulas():
    for row in measure.golden(750):
        text = f"{row.what}: {row.simulated:.4f}, not {row.formula:.4f}"
        assert abs(row.off()) < measure.TOLERANCE, text


def test_the_formulas_are_those_of_the_literature():
    assert measure.first_ping(9, 1.0) == 0.9
    assert [round(100 * measure.failing(q, 1), 1) for q in (0.05, 0.1, 0.2)] == [1.8, 6.5, 21.3]
    assert round(100 * measure.failing(0.2, 3), 1) == 7.4
    assert round(measure.informed(64, 3), 1) == 55.0
    assert math.isclose(measure.informed(10, 0), 1.0)


def test_an_idle_cluster_sends_a_ping_and_an_ack_a_period():
    """F3: two datagrams per member and period, whatever the size."""
    for count in (5, 20):
        traffic = measure.idle(1, count, 20, measure.plain(count))
        assert math.isclose(traffic.datagrams, 2.0)


def test_an_update_reaches_everybody_about_as_fast_as_the_limit_curve():
    """F4 is a limit for many nodes: drawn, not enforced. Here only the order of magnitude."""
    config = measure.plain(32, max_transmissions=255, suspect_to_down_after_ms=measure.NEVER_MS)
    known = [measure.spread(seed, 32, config) for seed in range(5)]
    assert all([len(times) == 31 for times in known])
    assert 2.5 < sum([times[-1] for times in known]) / 5 < 6.5
