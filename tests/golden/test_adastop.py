"""AdaStop: the published rule, enumerated; and the released package where it is deterministic."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.stats import adastop

WORDS = {"continue": "undecided", "equal": "not separated"}


def load(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def expected_of(step: dict[str, Any], names: list[str], separator: str) -> dict[tuple, str]:
    def agents(key: str) -> tuple[str, ...]:
        parts = key.split(separator)
        return tuple(names[int(part)] for part in parts) if separator == "-" else tuple(parts)

    return {agents(key): WORDS.get(d, d) for key, d in step["decisions"].items()}


def replay(
    case: dict[str, Any], steps: list[dict[str, Any]], *, compat: bool, decided: bool
) -> int:
    """Compare the result after each look with what the golden file has of it."""
    names = list(case["agents"])
    pairs = case["comparisons"]
    compared = 0
    for look, step in enumerate(steps, 1):
        result = adastop(
            {name: np.array(scores)[: look * case["n"]] for name, scores in case["agents"].items()},
            batch=case["n"], max_batches=case["K"], alpha=case["alpha"],
            comparisons=pairs and [(names[a], names[b]) for a, b in pairs],
            permutations=case["B"] if decided else 10**6, compat=compat,
        )  # fmt: skip
        where = (case["id"], look)
        assert dict(result.decisions) == expected_of(step, names, "-"), where
        boundary = np.inf if step["boundary"] is None else step["boundary"]
        assert result.boundaries[-1] == pytest.approx(boundary, rel=1e-9), where
        assert result.level_spent == pytest.approx(step["level_spent"], abs=1e-12), where
        assert len(result.boundaries) == look
        compared += 1
    return compared


def test_the_default_is_the_published_rule(golden: Path) -> None:
    """Also where the reference enumerates more paths than the default number of permutations."""
    compared = 0
    for case in load(golden, "stats_adastop.json")["cases"]:
        if not case["fp_fragile"] and case["reference_two_sided"]:
            steps = case["reference_two_sided"]["steps"]
            compared += replay(case, steps, compat=False, decided=False)
    assert compared > 10


def test_fragile_cases_too_by_the_tolerant_rule(golden: Path) -> None:
    """The reference merges ties as we do, so that rounding decides nothing in it."""
    for case in load(golden, "stats_adastop.json")["cases"]:
        if case["fp_fragile"]:
            replay(case, case["reference_two_sided"]["steps"], compat=False, decided=False)


@pytest.mark.parametrize("version", ["pypi_0.1.3"])
def test_compat_is_the_released_package(version: str, golden: Path) -> None:
    compared = 0
    for case in load(golden, "stats_adastop.json")["cases"]:
        if case["deterministic"] and not case["fp_fragile"]:
            compared += replay(case, case[version]["steps"], compat=True, decided=True)
    assert compared > 5


def test_drawn_paths_agree_with_enumerated_ones(golden: Path) -> None:
    """Drawn paths give nearly the enumerated boundaries, also after a change between the two."""
    for case in load(golden, "stats_adastop.json")["cases"]:
        if case["fp_fragile"] or not case["reference_two_sided"].get("truncated"):
            continue
        for look, step in enumerate(case["reference_two_sided"]["steps"], 1):
            names = list(case["agents"])
            pairs = case["comparisons"]
            result = adastop(
                {n: np.array(s)[: look * case["n"]] for n, s in case["agents"].items()},
                batch=case["n"], max_batches=case["K"], alpha=case["alpha"],
                comparisons=pairs and [(names[a], names[b]) for a, b in pairs],
                permutations=10_000,
            )  # fmt: skip
            assert dict(result.decisions) == expected_of(step, names, "-"), case["id"]
            assert result.boundaries[-1] == pytest.approx(step["boundary"], rel=0.1)
