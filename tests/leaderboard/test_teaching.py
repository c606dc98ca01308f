"""Figures and panels of curricula: what teachers proposed, and the worst levels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.records import make_record

from rlbench import suites
from rlbench.errors import InvalidScores
from rlbench.leaderboard import build_site, plot_levels, plot_teaching
from rlbench.leaderboard.teaching import Lessons, levels_of, panels_of, worst_quarters
from rlbench.results import Loaded, Proposals, Record, Store

SUITE = suites.get("stump-tracks-1m")
LEVELS = 100


def record(agent: str = "sac", seed: int = 0, mastered: int = 10, lessons: int = 30) -> Record:
    """Return a record of a run that masters the first levels, taught from low stumps to high."""
    made = make_record("plain", agent, seed, suite=SUITE)
    returns = tuple(300.0 if level < mastered else -100.0 for level in range(LEVELS))
    ends = tuple(1000 * (k + 1) for k in range(lessons))
    proposals = Proposals(
        every=2,
        ends=ends,
        parameters=tuple((3.0 * k / lessons, 6.0 - seed) for k in range(lessons)),
        returns=tuple(float(k) for k in range(lessons)),
        lengths=(500,) * lessons,
        successes=tuple(k % 3 == 0 for k in range(lessons)),
    )
    final = replace(made.evaluations[0], returns=returns)
    return replace(made, evaluations=(final,), proposals=proposals)


def lessons_of(*records: Record) -> Lessons:
    found = Lessons.of(records)
    assert found is not None
    return found


def test_lessons_are_those_of_all_runs() -> None:
    found = lessons_of(record(seed=0), record(seed=1))
    assert (len(found.ends), found.runs, found.every) == (60, 2, 2)
    assert found.parameters[30:, 1].tolist() == [5.0] * 30
    assert Lessons.of([replace(record(), proposals=None)]) is None


def test_the_figure_holds_every_proposal() -> None:
    plot = plot_teaching({"a": lessons_of(record()), "b": lessons_of(record(seed=1))},
                         names=SUITE.parameters)  # fmt: skip
    assert len(plot.rows) == 60
    assert plot.rows[3]["stump height"] == pytest.approx(0.3)
    assert plot.rows[3]["mastered"] == 1
    assert "one in up to 2" in plot.caption
    assert "a: 1, b: 1" in plot.caption
    panels = [axes for axes in plot.figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["a", "b"]
    (points,) = panels[0].collections
    np.testing.assert_allclose(points.get_offsets(), lessons_of(record()).parameters)
    np.testing.assert_allclose(points.get_array(), lessons_of(record()).ends)
    assert plot.to_bytes("png").startswith(b"\x89PNG")


def test_other_task_spaces_are_drawn_over_time() -> None:
    of = lessons_of(record())
    wide = of._replace(parameters=np.hstack([of.parameters, of.parameters[:, :1]]))
    plot = plot_teaching({"a": wide})
    assert [axes.get_ylabel() for axes in plot.figure.axes] == [
        "parameter 1", "parameter 2", "parameter 3",
    ]  # fmt: skip
    with pytest.raises(InvalidScores, match="different task spaces"):
        plot_teaching({"a": of, "b": wide})
    with pytest.raises(InvalidScores, match="no run keeps"):
        plot_teaching({})


def test_levels_are_rated_among_those_that_somebody_masters() -> None:
    agents = {
        name: [levels_of([record(name, seed, mastered) for seed in range(2)], 230.0)]
        for name, mastered in (("good", 20), ("bad", 10))
    }
    plot = plot_levels(agents, repetitions=100)
    rows = {(row["agent"], row["share"]): row for row in plot.rows}
    assert rows["good", 0.05]["point"] == 1.0
    assert rows["bad", 0.5]["point"] == 0.0
    assert rows["bad", 1.0]["point"] == 0.5
    assert rows["bad", 1.0]["levels"] == 20
    assert "Of 100 test levels those 20 count" in plot.caption


def test_panels_of_a_page_are_thinned_and_stay_within() -> None:
    panels = panels_of([record(lessons=1000)], SUITE)
    assert [panel.parameter for panel in panels] == ["stump height", "space between stumps"]
    first = panels[0]
    points = first.mastered.count("M") + first.others.count("M")
    assert 300 <= points <= 400
    assert (first.low, first.high, first.budget) == (0.0, pytest.approx(2.997), 1e6)
    path = first.mastered + first.others
    numbers = [float(word) for word in path.replace("h0", "").replace("M", " ").split()]
    assert min(numbers) >= 0
    assert max(numbers) <= 320


def test_the_worst_quarter_is_of_the_tasks_that_an_agent_has() -> None:
    found = worst_quarters(
        {"good": [record("good", s, 20) for s in range(2)], "bad": [record("bad", 0, 10)]}, SUITE
    )
    assert found["good"].point[0] == 1.0
    assert found["bad"].point[0] == 0.0
    assert worst_quarters({"none": [record("none", 0, 0)]}, SUITE) == {}


def test_the_agents_page_shows_its_curriculum(tmp_path: Path) -> None:
    records = [record("sac", seed) for seed in range(2)]
    index = build_site(Loaded(records, []), tmp_path / "site", only=[SUITE.name])
    (page,) = index.parent.glob("stump-tracks-1m-1/agents/sac*.html")
    text = page.read_text()
    assert text.count('class="panel"') == 2
    assert "plain: stump height, 0 to 2.9" in text
    assert "Worst quarter of the levels: mastered at a mean rate of 1.000" in text


def test_the_command_draws_both_kinds(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for seed in range(2):
        store.write(record("sac", seed))
    done = rlbench(
        "figures", "--store", "runs", "--suite", SUITE.name, "--kind", "teaching,levels",
        "--out", "out", "--format", "png", cwd=tmp_path,
    )  # fmt: skip
    assert "teaching: out/teaching.png" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "levels.csv", "levels.png", "levels.txt", "teaching.csv", "teaching.png", "teaching.txt",
    ]  # fmt: skip
