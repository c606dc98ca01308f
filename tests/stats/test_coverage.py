"""Warnings say what was measured where intervals cover too rarely, once a statistic."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from rlbench.errors import UnknownName
from rlbench.stats import coverage
from rlbench.stats.aggregates import AGGREGATES
from rlbench.stats.coverage import (
    LEAST,
    coverage_warning,
    coverage_warnings,
    enough_runs,
    measured_coverage,
)
from rlbench.stats.intervals import POINTS

STATISTICS = [*POINTS, *(f"difference of {name}" for name in POINTS), "improvement"]
GENERATOR = np.random.default_rng(0)
TABLE = json.loads(Path(coverage.__file__).with_name("coverage.json").read_text())
SIMULATIONS = TABLE["simulations"]


@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_cell_is_a_share(statistic: str) -> None:
    for shares in TABLE["coverage"][statistic].values():
        cells = np.array(shares)
        assert cells.shape == (len(TABLE["tasks"]), len(TABLE["runs"]))
        assert ((cells >= 0) & (cells <= 1)).all()


def test_few_runs_of_few_tasks_are_warned_of() -> None:
    warning = coverage_warning("iqm", tasks=1, runs=3)
    low, high = measured_coverage("iqm", 1, 3)
    assert low < 0.8
    assert warning == (
        "On 1 task with 3 runs a nominal 95% interval of the IQM was measured to cover "
        f"{100 * low:.0f} to {100 * high:.0f}%."
    )
    assert "of the difference of optimality gaps" in coverage_warning(
        "difference of optimality_gap", 2, 2
    )
    for runs in (10, 20, 1000):
        assert coverage_warning("iqm", 26, runs) == ""
    assert coverage_warning("iqm", 1, 1) == "", "there is no interval"


def test_numbers_between_those_measured_count_as_the_next_lower() -> None:
    """The user's numbers are said first, and those that were measured where they are others."""
    low, high = measured_coverage("iqm", 6, 2)
    assert coverage_warning("iqm", 8, 2) == (
        "On 8 tasks with 2 runs a nominal 95% interval of the IQM was measured to cover "
        f"{100 * low:.0f} to {100 * high:.0f}% (that of 6 tasks with 2 runs, the next lower "
        "measured)."
    )
    assert measured_coverage("mean", 3, 4) == measured_coverage("mean", 2, 3)
    assert measured_coverage("iqm", 500, 500) == measured_coverage("iqm", 50, 20)
    assert measured_coverage("iqm", 26, 5)[0] >= LEAST
    with pytest.raises(UnknownName, match="iqm"):
        coverage_warning("iqr", 1, 2)


def test_of_agents_the_one_is_named_whose_intervals_cover_least() -> None:
    def agent(tasks: int, runs: int) -> list:
        return [GENERATOR.normal(size=runs) for _ in range(tasks)]

    many, few = agent(26, 10), agent(2, 3)
    without = [np.ones(3)], [np.ones(1)], [np.array([0.0, 1.0, 1.0])]
    assert coverage_warnings(["iqm", "mean"], [many, few, *without]) == [
        coverage_warning("iqm", 2, 3),
        coverage_warning("mean", 2, 3),
    ]
    assert coverage_warnings(["iqm", "mean"], without) == []


def test_a_cell_that_is_known() -> None:
    """Of two runs of one task, rao-wu draws one: the interval is their range.

    It holds the mean of a normal law half of the time, and that of two values whenever they differ.
    """
    cells = TABLE["coverage"]["mean"]
    assert cells["normal"][0][0] == pytest.approx(0.5, abs=4 * math.sqrt(0.25 / SIMULATIONS))
    assert cells["two values"][0][0] == 1.0


@pytest.mark.parametrize("statistic", STATISTICS)
def test_enough_runs_are_those_from_which_on_no_interval_is_warned_of(statistic: str) -> None:
    for tasks in TABLE["tasks"]:
        enough = enough_runs(statistic, tasks)
        after = [runs for runs in TABLE["runs"] if enough is not None and runs >= enough]
        before = [runs for runs in TABLE["runs"] if runs not in after]
        assert not any(coverage_warning(statistic, tasks, runs) for runs in after)
        assert not before or coverage_warning(statistic, tasks, before[-1])
        if statistic in AGGREGATES:
            assert AGGREGATES[statistic].enough_runs(tasks) == enough


def test_the_documentation_says_how_many_runs_are_enough() -> None:
    text = (Path(__file__).parents[2] / "docs/coverage.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ((?:\d+ runs|more than).*) \|$", text, flags=re.MULTILINE)
    assert [int(tasks) for tasks, _ in rows] == TABLE["tasks"]
    shown = ("iqm", "mean", "optimality_gap", "difference of iqm", "improvement")
    for tasks, cells in rows:
        for statistic, cell in zip(shown, cells.split(" | "), strict=True):
            enough = enough_runs(statistic, int(tasks))
            assert cell == (f"{enough} runs" if enough else f"more than {TABLE['runs'][-1]}")


def test_the_documentation_shows_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs/coverage.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (.*) \|$", text, flags=re.MULTILINE)
    assert len(rows) == len(TABLE["tasks"]) * len(TABLE["runs"])
    shown = ("iqm", "mean", "optimality_gap", "difference of iqm", "improvement")
    for tasks, runs, cells in rows:
        for statistic, cell in zip(shown, cells.split(" | "), strict=True):
            ends = [float(end) for end in cell.split(" to ")]
            measured = measured_coverage(statistic, int(tasks), int(runs))
            assert ends == pytest.approx(measured, abs=0.0051)
