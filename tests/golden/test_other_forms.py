"""Cases of other forms than the project's own: the tests of golden cases take them too.

They are made up here, with expected values from plain numpy, and read from a folder that
``RLBENCH_GOLDEN`` names.
"""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from support.golden import OWN, cases

ROOT = Path(__file__).parents[2]
MANY = np.random.default_rng(5).gamma(1.0, size=(40, 3))  # runs of few tasks
OTHERS = np.random.default_rng(6).gamma(1.2, size=(40, 3))
TAUS = [0.1, 0.5, 2.0]
ADASTOP, STATS = "tests/golden/test_adastop.py", "tests/golden/test_stats.py"
COMPAT = "tests/compat/test_rliable.py"
OF_COMPAT = ("points", "profiles", "intervals", "improvement_intervals")
INTERVAL = {"method": "percentile", "size": 0.95, "task_bootstrap": False}


def wins(x: np.ndarray, y: np.ndarray) -> float:
    return float((x[:, None] > y[None]).mean())


def adastop_cases() -> list[dict[str, Any]]:
    """One of the project's own, one of unequal numbers of runs, and one without scores."""
    own = next(case for case in cases("stats_adastop", OWN) if case["id"] == "L3n4K2_grad")
    first, *others = own["agents"]
    unequal = {
        "id": "unequal",
        "agents": {first: own["agents"][first][:6], **{o: own["agents"][o] for o in others}},
        "n": [3, 4, 4],
    }
    steps = {"steps": [{"decisions": {}, "boundary": 1.0, "level_spent": 0.5}]}
    rest = {key: own[key] for key in ("K", "B", "alpha", "comparisons")}
    flags = {"deterministic": True, "fp_fragile": False, "pypi_0.1.3": steps}
    walker = {"id": "walker", "n": 4, "reference_two_sided": None}
    return [
        own,
        {**unequal, **rest, **flags},
        {**unequal, **rest, **flags, "n": 3, "reference_two_sided": None},
        {**walker, **rest, **flags},
        {**walker, **rest, **flags, "agents": None, "fp_fragile": True},
    ]


def improvement_cases() -> list[dict[str, Any]]:
    """Cases of one run, which have no interval."""
    own = cases("stats_poi_ci", OWN)[0]
    alone = {"id": "alone", "x": MANY[:1].tolist(), "y": OTHERS[:1].tolist(), **INTERVAL}
    alone["point"] = [wins(MANY[:1], OTHERS[:1])]
    empty = {"lower": [None], "upper": [None], "tol_lower": [None], "tol_upper": [None]}
    several = {**alone, "x": MANY.tolist(), "point": [wins(MANY, OTHERS[:1])]}
    return [own, alone, {**alone, **empty}, several]


def interval_case() -> dict[str, Any]:
    """A bootstrap of the mean by plain numpy."""
    draws = np.random.default_rng(7).integers(40, size=(20_000, 40, 3))
    ends = np.quantile(MANY[draws, np.arange(3)].mean(axis=(1, 2)), [0.025, 0.975])
    return {
        "id": "40x3", "names": ["mean"], "scores": MANY.tolist(), "point": [MANY.mean()],
        "lower": [ends[0]], "upper": [ends[1]], "tol_lower": [0.01], "tol_upper": [0.01],
        **INTERVAL,
    }  # fmt: skip


def other_cases() -> dict[str, list[dict[str, Any]]]:
    ordered = np.sort(MANY.ravel())
    many = {"id": "40x3", "dtype": "float64", "scores": MANY.tolist()}
    metrics = {
        "mean": MANY.mean(), "median": float(np.median(MANY.mean(axis=0))),
        "iqm": ordered[30:90].mean(), "optimality_gap": {"1": 1 - np.minimum(MANY, 1).mean()},
    }  # fmt: skip
    profiles = {
        "taus": TAUS,
        "run_score": [(tau < MANY).mean() for tau in TAUS],
        "mean_score": [(MANY.mean(axis=0) > tau).mean() for tau in TAUS],
    }
    pair = {"id": "40x3", "x": MANY.tolist(), "y": OTHERS.tolist()}
    shares = {"p_x_gt_y": wins(MANY, OTHERS), "p_y_gt_x": wins(OTHERS, MANY)}
    return {
        "stats_adastop": adastop_cases(),
        "stats_bootstrap_ci": [interval_case()],
        "stats_metrics": [{**many, **metrics}],
        "stats_poi_ci": improvement_cases(),
        "stats_prob_improvement": [{**pair, **shares}],
        "stats_profiles": [{**many, **profiles}],
    }


def outcomes(folder: Path, tests: Sequence[str]) -> dict[str, str]:
    """Run tests of golden statistics on a folder of cases; return what became of each."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--verbose", "--color=no"]
    done = subprocess.run(
        [*command, *tests], cwd=ROOT, text=True, capture_output=True,
        env={**os.environ, "RLBENCH_GOLDEN": str(folder)},
    )  # fmt: skip
    found = re.findall(r"^(tests/\S+::\S+) ([A-Z]+)", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    return dict(found)


def test_cases_of_other_forms_are_taken_and_wrong_ones_found(tmp_path: Path) -> None:
    files = other_cases()
    for number, (name, listed) in enumerate(files.items()):
        data = json.dumps({"cases": listed}).encode()
        if number % 2:
            (tmp_path / f"{name}.json").write_bytes(data)
        else:
            (tmp_path / f"{name}.json.gz").write_bytes(gzip.compress(data))
    found = outcomes(tmp_path, [ADASTOP, STATS, *(f"{COMPAT}::test_{name}" for name in OF_COMPAT)])
    skipped = {name for name, became in found.items() if became == "SKIPPED"}
    assert skipped == {f"{STATS}::test_sample_efficiency", f"{STATS}::test_profile_intervals"}
    assert {became for name, became in found.items() if name not in skipped} == {"PASSED"}
    assert len(found) == 15

    files["stats_metrics"][0]["iqm"] += 1e-6
    files["stats_adastop"][0]["reference_two_sided"]["steps"][0]["boundary"] += 1e-6
    for name in ("stats_metrics", "stats_adastop"):
        (tmp_path / f"{name}.json.gz").unlink()
        (tmp_path / f"{name}.json").write_text(json.dumps({"cases": files[name]}))
    wrong = [f"{file}::test_points" for file in (STATS, COMPAT)]
    wrong.append(f"{ADASTOP}::test_the_published_rule")
    assert outcomes(tmp_path, wrong) == dict.fromkeys(wrong, "FAILED")
