"""The tables and what a paper says of them."""

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import t as student

from rlbench import __version__
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats import methods_text, summarise, summarise_tasks
from rlbench.stats.intervals import METHODS, POINTS

SCORES = np.random.default_rng(0).normal(size=(5, 8))


def test_the_summary_has_a_row_for_each_metric() -> None:
    rows = summarise({"a": SCORES, "b": [[0.5, 2.0], [3.0, 4.0, 5.0]]}, repetitions=50)
    assert [(row.agent, row.metric) for row in rows] == [(a, m) for a in "ab" for m in POINTS]
    assert {(row.runs, row.tasks) for row in rows} == {(5, 8), (2, 2)}
    for row in rows:
        if row.metric == "median":
            assert (row.low, row.high) == (None, None)
            assert "unreliable with few runs" in row.method
        else:
            assert row.low <= row.point <= row.high or row.agent == "b"
            assert row.method == "stratified bootstrap, rao-wu"


def test_tasks_have_students_t() -> None:
    runs = SCORES[:, 0]
    many, one = summarise_tasks({"a": {"Pong": runs, "Boxing": [3.0]}}, level=0.9)
    low, high = student.interval(0.9, 4, runs.mean(), runs.std(ddof=1) / np.sqrt(5))
    assert (many.agent, many.task, many.runs) == ("a", "Pong", 5)
    assert (many.mean, many.low, many.high) == pytest.approx((runs.mean(), low, high))
    assert many.std == pytest.approx(runs.std(ddof=1))
    assert many.method == "Student's t"
    assert (one.mean, one.low, one.high, one.std) == (3.0, None, None, None)
    assert "only one run" in one.method
    same, rate = summarise_tasks({"a": {"Pong": [3.0, 3.0], "Maze": [1, 1, 0, 1, 1]}})
    assert (same.low, same.high, same.std) == (None, None, 0.0)
    assert same.method == "none: on every task all runs are equal"
    ends = binomtest(4, 5).proportion_ci(0.95, "exact")
    assert (rate.low, rate.high) == (pytest.approx(ends.low), pytest.approx(ends.high))
    assert rate.method == "Clopper-Pearson"
    with pytest.raises(InvalidScores, match="task 0 of scores of 'a' is nan"):
        summarise_tasks({"a": {"Pong": [np.nan]}})


@pytest.mark.parametrize("method", METHODS)
def test_what_a_paper_says(method: str) -> None:
    """Every key that the paragraph cites is there, once, and no other."""
    text = methods_text(runs=(3, 5), tasks=26, normalised_by="human scores", method=method)
    cited = {part.split("}")[0] for part in text.split("\\citep{")[1:]}
    entries = [line.split("{")[1].rstrip(",") for line in text.splitlines() if line[:1] == "@"]
    assert sorted(cited) == sorted(entries)
    both = methods_text(runs=(3, 5), tasks=2, normalised_by="", method=method, successes=True)
    assert both.count("korn1998confidence") == (2 if method == "rao-wu" else 0)
    for said in ("26 tasks", "3 to 5 runs a task", "95\\%", "10,000", "human scores", __version__):
        assert said in text


def test_a_paper_of_one_run_claims_no_interval() -> None:
    text = methods_text(runs=(1, 1), tasks=1, normalised_by="")
    assert "With one run on a task there are no intervals." in text
    assert "1 task with 1 runs" not in text
    assert "not normalised" in text
    assert "rao1988" not in text
    with pytest.raises(UnknownName):
        methods_text(runs=(3, 3), tasks=1, normalised_by="", method="magic")
