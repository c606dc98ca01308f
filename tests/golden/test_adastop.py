"""AdaStop: the published rule, enumerated; and the released package where it is deterministic."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.golden import OWN, cases

from rlbench.stats import adastop
from rlbench.stats.stopping import Rule

WORDS = {"continue": "undecided", "equal": "not separated"}


def replayable(folder: Path) -> list[dict[str, Any]]:
    """Return the cases that have scores, and of each agent as many.

    With unequal numbers the package mixes up its permutations and there is no published rule.
    """
    return [
        case
        for case in cases("stats_adastop", folder)
        if case.get("agents")
        and isinstance(case["n"], int)
        and len({len(scores) for scores in case["agents"].values()}) == 1
    ]


def published(case: dict[str, Any]) -> dict[str, Any]:
    """Return what the published rule gives; there may be nothing."""
    return case.get("reference_two_sided") or {"steps": []}


def least(number: int, folder: Path) -> int:
    """Return how many looks are compared at least: so many of the project's own cases."""
    return number if folder == OWN else 1


def expected_of(step: dict[str, Any], names: list[str], separator: str) -> dict[tuple, str]:
    def agents(key: str) -> tuple[str, ...]:
        parts = key.split(separator)
        return tuple(names[int(part)] for part in parts) if separator == "-" else tuple(parts)

    return {agents(key): WORDS.get(d, d) for key, d in step["decisions"].items()}


def replay(case: dict[str, Any], steps: list[dict[str, Any]], rule: Rule, *, decided: bool) -> int:
    """Compare the result after each look with what the golden file has of it."""
    names = list(case["agents"])
    pairs = case["comparisons"]
    compared = 0
    for look, step in enumerate(steps, 1):
        result = adastop(
            {name: np.array(scores)[: look * case["n"]] for name, scores in case["agents"].items()},
            batch=case["n"], max_batches=case["K"], alpha=case["alpha"],
            comparisons=pairs and [(names[a], names[b]) for a, b in pairs],
            permutations=case["B"] if decided else 10**6, rule=rule,
        )  # fmt: skip
        where = (case["id"], look)
        assert dict(result.decisions) == expected_of(step, names, "-"), where
        boundary = np.inf if step["boundary"] is None else step["boundary"]
        assert result.boundaries[-1] == pytest.approx(boundary, rel=1e-9), where
        assert result.level_spent == pytest.approx(step["level_spent"], abs=1e-12), where
        assert len(result.boundaries) == look
        compared += 1
    return compared


def test_the_published_rule(golden: Path) -> None:
    """Also where the reference enumerates more paths than the default number of permutations."""
    compared = 0
    for case in replayable(golden):
        if not case["fp_fragile"]:
            compared += replay(case, published(case)["steps"], "published", decided=False)
    assert compared >= least(15, golden)


def test_fragile_cases_too_by_the_tolerant_rule(golden: Path) -> None:
    """The reference merges ties as we do, so that rounding decides nothing in it."""
    for case in replayable(golden):
        if case["fp_fragile"]:
            replay(case, published(case)["steps"], "published", decided=False)


@pytest.mark.parametrize("version", ["pypi_0.1.3"])
def test_the_rule_of_the_released_package(version: str, golden: Path) -> None:
    compared = 0
    for case in replayable(golden):
        if case["deterministic"] and not case["fp_fragile"]:
            compared += replay(case, case[version]["steps"], "released", decided=True)
    assert compared >= least(6, golden)


def test_drawn_paths_agree_with_enumerated_ones(golden: Path) -> None:
    """Drawn paths give nearly the enumerated boundaries, also after a change between the two."""
    for case in replayable(golden):
        if case["fp_fragile"] or not published(case).get("truncated"):
            continue
        for look, step in enumerate(published(case)["steps"], 1):
            names = list(case["agents"])
            pairs = case["comparisons"]
            result = adastop(
                {n: np.array(s)[: look * case["n"]] for n, s in case["agents"].items()},
                batch=case["n"], max_batches=case["K"], alpha=case["alpha"],
                comparisons=pairs and [(names[a], names[b]) for a, b in pairs],
                permutations=10_000, rule="published",
            )  # fmt: skip
            assert dict(result.decisions) == expected_of(step, names, "-"), case["id"]
            assert result.boundaries[-1] == pytest.approx(step["boundary"], rel=0.1)
