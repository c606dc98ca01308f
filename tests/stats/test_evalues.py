"""Betting: a fair game under the null, decisions that stay, and the case by hand."""

from itertools import combinations

import numpy as np
import pytest

from rlbench.errors import InvalidScores, UsageError
from rlbench.stats import betting
from rlbench.stats.evalues import SHARES

DECIDED = {"a": np.arange(20.0) + 100, "b": np.arange(20.0), "c": np.arange(20.0) + 0.5}


def splits(pooled: list[float]) -> list[tuple[list[float], list[float]]]:
    """Return all ways to give half of the runs to either agent."""
    chosen = combinations(range(len(pooled)), len(pooled) // 2)
    return [
        (
            [pooled[i] for i in first],
            [value for i, value in enumerate(pooled) if i not in first],
        )
        for first in chosen
    ]


def test_a_small_case_by_hand() -> None:
    """Two strata: a wins 3 of 4 pairs (w = 1/2), then ties one of 4 and wins the rest (w = 3/4)."""
    found = betting({"a": [1.0, 3.0, 5.0, 6.0], "b": [0.0, 2.0, 5.0, 4.0]}, batch=2)
    on = (1 + SHARES / 2) * (1 + 3 * SHARES / 4)
    against = (1 - SHARES / 2) * (1 - 3 * SHARES / 4)
    assert found.e_values["a", "b"] == pytest.approx((on.mean() + against.mean()) / 2)
    greatest = max(found.e_values["a", "b"], 1.0)
    assert found.p_values["a", "b"] == pytest.approx(1 / greatest)
    assert found.rows() == [
        {
            "a": "a",
            "b": "b",
            "e_value": found.e_values["a", "b"],
            "p_value": found.p_values["a", "b"],
            "decision": "undecided",
        }
    ]


@pytest.mark.parametrize("pooled", [[0.1, 0.7, 3.0, 4.0], [1.0, 1.0, 2.0, 5.0]])
def test_the_game_is_fair(pooled: list[float]) -> None:
    """Over all splits of the runs of every stratum the capital is 1 on average, also with ties."""
    e_values = [
        betting({"a": a + c, "b": b + d}, batch=2).e_values["a", "b"]
        for a, b in splits(pooled)
        for c, d in splits([2.0, 2.5, 0.0, 9.0])
    ]
    assert np.mean(e_values) == pytest.approx(1.0, abs=1e-12)
    assert max(e_values) > 1.2 > 0.9 > min(e_values)


def test_equal_agents_are_rarely_told_apart() -> None:
    """Three agents of one law, with ties, looked at after each of 60 runs on 2 tasks."""
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(600):
        scores = generator.integers(4, size=(3, 2, 60)).astype(float)
        agents = {agent: list(tasks) for agent, tasks in zip("abc", scores, strict=True)}
        decisions = betting(agents, alpha=0.2).decisions
        wrong += set(decisions.values()) != {"undecided"}
    assert 0 < wrong <= 0.2 * 600


def test_a_difference_is_found_and_swapped_agents_mirror() -> None:
    found = betting(DECIDED)
    assert found.decisions == {
        ("a", "b"): "larger", ("a", "c"): "larger", ("b", "c"): "smaller",
    }  # fmt: skip
    swapped = betting(dict(reversed(DECIDED.items())))
    mirror = {"larger": "smaller", "smaller": "larger"}
    for (a, b), decision in found.decisions.items():
        assert swapped.decisions[b, a] == mirror[decision]
        assert swapped.e_values[b, a] == pytest.approx(found.e_values[a, b], rel=1e-12)
        assert swapped.p_values[b, a] == pytest.approx(found.p_values[a, b], rel=1e-12)


def test_more_data_takes_no_decision_back() -> None:
    """Not even data that turn: then the e-value falls, and the p-value stays."""
    turned = np.concatenate([DECIDED["a"], np.full(80, -1.0)])
    scores = {"a": turned, "b": np.tile(DECIDED["b"], 5)}
    before = betting({agent: values[:20] for agent, values in scores.items()})
    after = betting(scores)
    assert before.decisions["a", "b"] == after.decisions["a", "b"] == "larger"
    assert after.e_values["a", "b"] > 1 / 0.05  # by now it speaks for b, and still a is decided
    middle = betting({agent: values[:40] for agent, values in scores.items()})
    assert middle.e_values["a", "b"] < 1
    assert middle.p_values["a", "b"] == before.p_values["a", "b"]
    assert middle.decisions == before.decisions


def test_decisions_stay_whoever_gets_more_runs() -> None:
    generator = np.random.default_rng(1)
    shifts = {"a": 0.0, "b": 0.0, "c": 1.0, "d": 2.0}
    full = {agent: generator.normal(shift, size=(2, 40)) for agent, shift in shifts.items()}
    runs = dict.fromkeys(full, 1)
    decided: dict[tuple[str, str], str] = {}
    for _ in range(120):
        agent = str(generator.choice(list(full)))
        runs[agent] = min(runs[agent] + 1, 40)
        decisions = betting({a: list(full[a][:, : runs[a]]) for a in full}).decisions
        assert all(decisions[pair] == decision for pair, decision in decided.items())
        decided = {pair: d for pair, d in decisions.items() if d != "undecided"}
    assert ("a", "d") in decided


def test_pairs_share_the_level_by_holm() -> None:
    """A pair alone needs an e-value of 20; the least of three needs all others decided first."""
    alone = betting(
        {agent: values[:7] for agent, values in DECIDED.items()}, comparisons=[("a", "b")]
    )
    assert alone.decisions == {("a", "b"): "undecided"}
    scores = {agent: values[:9] for agent, values in DECIDED.items()}
    p = betting(scores, comparisons=[("a", "b")]).p_values["a", "b"]
    three = betting(scores).p_values
    assert 0.01 < p < 0.05 < 3 * p
    assert list(three.values()) == pytest.approx([3 * p] * 3)
    one_tied = {**scores, "c": scores["b"]}
    assert betting(one_tied).p_values == pytest.approx(
        {("a", "b"): 3 * p, ("a", "c"): 3 * p, ("b", "c"): 1.0}
    )


def test_shapes_and_runs_beyond_what_both_have() -> None:
    scores = np.random.default_rng(0).normal(size=(2, 6, 3))
    first = betting({"a": scores[0], "b": scores[1]})
    ragged = betting(
        {"a": list(scores[0].T), "b": [*scores[1].T[:2], np.append(scores[1, :, 2], 5)]}
    )
    assert ragged.e_values == first.e_values
    longer = betting({"a": np.vstack([scores[0], scores[1]]), "b": scores[1]})
    assert longer.e_values == first.e_values


def test_a_long_record_stays_finite() -> None:
    found = betting({"a": np.arange(3000.0) + 1, "b": np.zeros(3000)})
    assert np.isfinite(found.e_values["a", "b"])
    assert found.decisions["a", "b"] == "larger"


@pytest.mark.parametrize(
    ("scores", "options", "error", "message"),
    [
        ({"a": [1.0, 2.0]}, {}, InvalidScores, "at least two agents"),
        ({"a": [1.0], "b": [np.nan]}, {}, InvalidScores, "run 0 on task 0 of scores of 'b' is nan"),
        ({"a": [1.0], "b": [2.0]}, {"batch": 2}, InvalidScores, "'a' has less than one batch of 2"),
        ({"a": [1.0], "b": [2.0]}, {"batch": 0}, InvalidScores, "at least one run a task, not 0"),
        ({"a": [1.0], "b": [2.0]}, {"alpha": 1.0}, InvalidScores, r"alpha 1.0 must be inside"),
        ({"a": [[1.0], [2.0]], "b": [[2.0]]}, {}, InvalidScores, "different numbers of tasks"),
        ({"a": [1.0], "b": [2.0]}, {"comparisons": [("a", "c")]}, UsageError, "'a' and 'c'"),
        ({"a": [1.0], "b": [2.0]}, {"comparisons": []}, UsageError, "at least one pair"),
    ],
)
def test_bad_input_is_named(scores, options, error, message: str) -> None:
    with pytest.raises(error, match=message):
        betting(scores, **options)
