"""NeoRL-2's published grid: the authors' pooling of two configurations, and what is without it.

The card prints scores of that grid beside those of our own runs.
"""

import csv
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median

import pytest

from rlbench import suites

ROOT = Path(__file__).parents[2]
GRID = ROOT.parent / "shared/data/published/neorl2_grid.csv"
SUITE = suites.get("neorl2")


def printed() -> dict[tuple[str, str], list[str]]:
    """Return the rows of the card's table by agent and kind."""
    lines = (ROOT / "docs/suites/neorl2.md").read_text(encoding="utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if ", " in line]
    rows = [row for row in cells if row[0].startswith(("MOPO, ", "RAMBO, "))]
    return {(agent, kind): row[1:] for row in rows for agent, kind in [row[0].split(", ")]}


@pytest.mark.parametrize("agent", ["MOPO", "RAMBO"])
def test_the_card_has_what_the_grid_gives(agent: str) -> None:
    if not GRID.is_file():
        pytest.skip(f"no published grid at {GRID}")
    runs: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with GRID.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["algorithm"] == agent:
                options, _, last = row["protocol_note"].partition(" + ")
                for kind, name in (("published", options), ("corrected", f"{options} {last}")):
                    runs[row["task"], kind, name].append(float(row["score"]))
    table = printed()
    for kind in ("published", "corrected"):
        best = []
        for task in SUITE.tasks:
            means = [fmean(v) for (t, k, _), v in runs.items() if (t, k) == (task.name, kind)]
            best.append(100 * (max(means) - task.low) / (task.high - task.low))
        assert table[agent, kind] == [f"{value:.2f}" for value in (*best, fmean(best))]


@pytest.mark.parametrize(
    ("agent", "options"),
    [("BC", "actor_layers=2,actor_lr=0.0005"), ("TD3+BC", "alpha=0.1000,policy_noise=1.5000")],
)
def test_the_card_has_the_grid_beside_our_own_runs(agent: str, options: str) -> None:
    if not GRID.is_file():
        pytest.skip(f"no published grid at {GRID}")
    runs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with GRID.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["algorithm"] == agent:
                runs[row["task"]][row["protocol_note"]].append(float(row["score"]))
    lines = (ROOT / "docs/suites/neorl2.md").read_text(encoding="utf-8").splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    (tasks,) = [row[1:] for row in cells if row[0] == "normalised score"]
    of = {row[0]: row[1:] for row in cells}
    for column, name in enumerate(tasks):
        task = SUITE.task(name)
        means = {config: fmean(scores) for config, scores in runs[name].items()}
        wanted = {
            "the same options": means[f"config: {options}"],
            "median of the grid": median(means.values()),
            "best of the grid": max(means.values()),
        }
        for what, mean in wanted.items():
            score = f"{(mean - task.low) / (task.high - task.low):.3f}".removeprefix("0")
            assert of[f"{agent}, {what}"][column] == score


def test_rambo_is_the_best_on_two_tasks_once_it_is_corrected() -> None:
    from rlbench.results import published

    corrected = [float(cell) for cell in printed()["RAMBO", "corrected"]]
    others = {name: scores.normalised() for name, scores in published.load(SUITE).items()}
    best = {
        task.name
        for task, score in zip(SUITE.tasks, corrected, strict=False)
        if score > max(100 * of[task.name].mean() for of in others.values())
    }
    assert best == {"RocketRecovery", "Fusion"}
