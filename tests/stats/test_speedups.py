"""Speed-ups: the ratio of steps to the baseline's final score, and what can be said of it."""

import math

import numpy as np
import pytest

from rlbench.errors import InvalidScores
from rlbench.stats.intervals import ONE_RUN
from rlbench.stats.speedups import METHOD, Speedup, reached, speedup

STEPS = np.arange(1, 21)
RUNS, TASKS = 8, 5


def curves(rate: float, *, runs: int = RUNS, seed: int = 0) -> np.ndarray:
    """Return scores that rise by a rate a step up to 1, with a little noise."""
    noise = np.random.default_rng(seed).normal(0.0, 0.02, (runs, TASKS, len(STEPS)))
    return np.minimum(rate * STEPS, 1.0) + noise


def of(agent: np.ndarray, baseline: np.ndarray, **options: object) -> Speedup:
    return speedup(agent, STEPS, baseline, STEPS, repetitions=500, **options)  # type: ignore[arg-type]


def test_an_agent_that_learns_twice_as_fast() -> None:
    found = of(curves(0.1), curves(0.05, seed=1))
    assert found.method == METHOD
    assert found.repetitions == 500
    assert found.score == pytest.approx(1.0, abs=0.02)
    assert found.point is not None
    assert found.low is not None
    assert found.high is not None
    assert found.steps is not None
    assert found.point == found.baseline_steps / found.steps
    assert found.low <= found.point <= found.high
    assert found.low <= 2.0 <= found.high
    assert found.low > 1.0


def test_an_agent_that_never_reaches_the_score_has_an_upper_bound_only() -> None:
    found = of(curves(0.01), curves(0.05, seed=1))
    assert (found.steps, found.point) == (None, None)
    assert found.low == 0.0
    assert found.high == 1.0  # it needs more than all its 20 steps; the baseline needs 20 at most


def test_an_agent_that_has_the_score_at_its_first_point_has_no_upper_bound() -> None:
    found = of(curves(1.0) + 0.5, curves(0.05, seed=1))
    assert found.steps == 1
    assert found.high == math.inf


def test_one_run_a_task_leaves_no_interval() -> None:
    found = of(curves(0.1, runs=1), curves(0.05, seed=1))
    assert (found.low, found.high, found.repetitions, found.method) == (None, None, 0, ONE_RUN)
    assert found.point is not None


def test_evaluations_before_training_are_left_out() -> None:
    later = np.concatenate([np.full((RUNS, TASKS, 1), 9.0), curves(0.1)], axis=2)
    found = speedup(later, [0, *STEPS], curves(0.05, seed=1), STEPS, repetitions=500)
    assert found == of(curves(0.1), curves(0.05, seed=1))


def test_steps_of_scores_are_those_of_a_plain_loop() -> None:
    generator = np.random.default_rng(2)
    found = generator.normal(size=(6, 200))
    steps = np.cumsum(generator.integers(1, 9, 6)).astype(float)
    scores = generator.normal(0.8, 0.8, 200)
    before, at = reached(found, steps, scores)
    for k in range(200):
        first = next((n for n in range(6) if found[n, k] >= scores[k]), None)
        assert at[k] == (math.inf if first is None else steps[first])
        assert before[k] == (steps[-1] if first is None else 0.0 if not first else steps[first - 1])
    assert np.isinf(at).any()
    assert (before == 0).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statistic": "optimality_gap"}, "iqm, mean or median, not of 'optimality_gap'"),
        ({"level": 1.5}, "level"),
        ({"agent": curves(0.1)[:, :3]}, "the agent has 3 tasks and the baseline has 5"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], message: str) -> None:
    given = {"agent": curves(0.1), "baseline": curves(0.05), **change}
    with pytest.raises(InvalidScores, match=message):
        of(**given)  # type: ignore[arg-type]
