"""Very many agents: what is decided without all statistics is what all statistics decide."""

import numpy as np
import pytest

from rlbench.stats import many
from rlbench.stats.comparisons import agents_of, p_values_of
from rlbench.stats.kernels import HAS_NUMBA
from rlbench.stats.permutation import pairs_of
from rlbench.stats.ranks import rank_sets

pytestmark = pytest.mark.skipif(not HAS_NUMBA, reason="needs numba")
ALPHA = 0.05


def scores_of(kind: str, agents: int = 9, runs: int = 4, tasks: int = 5) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(len(kind))
    found = generator.normal(size=(agents, runs, tasks))
    if kind == "apart":
        found += np.arange(agents)[:, None, None]
    elif kind == "tied":
        found = np.round(found + np.arange(agents)[:, None, None] / 4)
    elif kind == "two values":
        found = np.where(found > 0, 1.5, 2.5)
    elif kind == "far from 0":
        found = 1e6 + found + np.arange(agents)[:, None, None] / 2
    elif kind == "some do not vary":
        found[::3] = np.arange(agents)[::3, None, None]
    return {f"agent {number}": scores for number, scores in enumerate(found)}


@pytest.mark.parametrize(
    "kind", ["equal", "apart", "tied", "two values", "far from 0", "some do not vary"]
)
def test_what_is_rejected_is_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "MANY", 1)
    agents = agents_of(scores_of(kind), ALPHA)
    pairs = pairs_of(list(agents), None)
    found = many.rejected_of_many(agents, pairs, "iqm", alpha=ALPHA, permutations=1000, seed=3)
    p_values, _ = p_values_of(agents, pairs, "iqm", None, 1000, 3)
    assert found is not None
    assert found.tolist() == (p_values <= ALPHA).tolist()


@pytest.mark.parametrize("runs", [3, 5])
def test_rank_sets_are_the_same(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = scores_of("apart", runs=runs)
    expected = rank_sets(scores, permutations=1000, repetitions=1000)
    monkeypatch.setattr(many, "MANY", 1)
    assert rank_sets(scores, permutations=1000, repetitions=1000) == expected


def test_few_pairs_and_other_statistics_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    agents = agents_of(scores_of("equal"), ALPHA)
    pairs = pairs_of(list(agents), None)

    def found(statistic: str) -> object:
        return many.rejected_of_many(
            agents, pairs, statistic, alpha=ALPHA, permutations=1000, seed=0
        )

    assert found("iqm") is None
    monkeypatch.setattr(many, "MANY", 1)
    assert found("mean") is None
    few = agents_of(scores_of("equal", runs=2, tasks=3), ALPHA)  # 216 splits of the runs
    assert many.rejected_of_many(few, pairs, "iqm", alpha=ALPHA, permutations=999, seed=0) is None
    agents["agent 0"][0] = agents["agent 0"][0][:-1]
    assert found("iqm") is None
