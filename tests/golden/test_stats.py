"""What rliable returned for the same scores: exact for points, within tolerance for intervals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.stats import METRICS, bootstrap, optimality_gap

# The golden tolerances are for 20,000 resamples; Monte Carlo error grows with the square root.
REPETITIONS = 4_000
WIDER = (20_000 / REPETITIONS) ** 0.5


def cases(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    found: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    assert found
    return found


def test_points(golden: Path) -> None:
    for case in cases(golden, "stats_metrics.json"):
        scores = np.array(case["scores"], dtype=case["dtype"])
        close = {"rel": 1e-6 if case["dtype"] == "float32" else 1e-12, "abs": 1e-14}
        for metric in ("mean", "median", "iqm"):
            assert METRICS[metric](scores) == pytest.approx(case[metric], **close), case["id"]
        for gamma, expected in case["optimality_gap"].items():
            found = optimality_gap(scores, gamma=float(gamma))
            assert found == pytest.approx(expected, **close), case["id"]


def test_percentile_intervals(golden: Path) -> None:
    compared = 0
    for case in cases(golden, "stats_bootstrap_ci.json"):
        if case["method"] != "percentile" or case["task_bootstrap"]:
            continue
        scores = np.array(case["scores"])
        for k, metric in enumerate(case["names"]):
            found = bootstrap(
                scores, METRICS[metric], repetitions=REPETITIONS, level=case["size"], seed=3
            )
            where = (case["id"], metric)
            assert found.point == pytest.approx(case["point"][k], rel=1e-12), where
            assert abs(found.low - case["lower"][k]) <= WIDER * case["tol_lower"][k], where
            assert abs(found.high - case["upper"][k]) <= WIDER * case["tol_upper"][k], where
            compared += 1
    assert compared
