"""What charts are made of: rows, the best so far, heights of names, groups, small curves."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from support.records import ATARI, make_record

from rlbench import suites
from rlbench.leaderboard.board_charts import costs_of, years_of
from rlbench.leaderboard.boards import Board, make_boards
from rlbench.leaderboard.charts import SHOWN, best_so_far, look_of
from rlbench.leaderboard.charts.lines import HEIGHT, LINE_HEIGHT, choose, profile_chart, spread
from rlbench.leaderboard.charts.points import APART, WITHIN, side_by_side
from rlbench.leaderboard.downloads import downloads
from rlbench.leaderboard.heat import columns_of, rows_of, shade
from rlbench.leaderboard.task_curves import (
    MOST_POINTS,
    drawn_agents,
    picture,
    task_curve_rows,
    task_curves,
)
from rlbench.results import Record, published

SVG = "{http://www.w3.org/2000/svg}"


def records_of(agents: int, points: int = 40) -> list[Record]:
    """Return runs of a few agents with an evaluation at many points; the first agent is best."""
    found = []
    for place in range(agents):
        for task in ATARI.tasks:
            for seed in range(3):
                value = task.low + (1 - 0.1 * place + 0.01 * seed) * (task.high - task.low)
                record = make_record(task.name, f"agent {place}", seed, value)
                (final,) = record.evaluations
                earlier = [
                    replace(
                        final,
                        budget_used=final.budget_used * k // points,
                        returns=tuple(r * k / points for r in final.returns),
                    )
                    for k in range(1, points)
                ]
                timing: dict[str, str | float] = {"seconds": 3600.0 * (place + 1)}
                found.append(replace(record, evaluations=(*earlier, final), timing=timing))
    return found


@pytest.fixture(scope="module")
def board() -> Board:
    (found,) = make_boards(records_of(SHOWN + 2), only=["atari100k"])
    return found


# --- Points -----------------------------------------------------------------------------------


def test_the_best_so_far_beat_all_that_came_before() -> None:
    rows = [
        {"agent": "late and worse", "hours": 9.0, "point": 0.4},
        {"agent": "first", "hours": 1.0, "point": 0.2},
        {"agent": "first too, worse", "hours": 1.0, "point": 0.1},
        {"agent": "equal", "hours": 2.0, "point": 0.2},
        {"agent": "best", "hours": 3.0, "point": 0.5},
    ]
    assert best_so_far(rows, "hours") == ["first", "best"]
    assert best_so_far(rows[::-1], "hours") == ["first", "best"]
    random = np.random.default_rng(0)
    many = [
        {"agent": f"{k}", "hours": float(h), "point": float(p)}
        for k, (h, p) in enumerate(random.integers(1, 9, size=(200, 2)))
    ]
    kept = best_so_far(many, "hours")
    for row in many:
        beaten = any(
            other["hours"] <= row["hours"] and other["point"] >= row["point"] and other is not row
            for other in many
        )
        assert row["agent"] in kept or beaten
    on_line = [row for name in kept for row in many if row["agent"] == name]
    assert all(a["hours"] < b["hours"] and a["point"] < b["point"] for a, b in pairwise(on_line))


def test_agents_of_one_year_stand_side_by_side_within_it() -> None:
    rows = [
        {"agent": f"{year} {k}", "year": year, "point": 0.1 * k}
        for year, number in ((2021, 1), (2022, 3), (2025, 20))
        for k in range(number)
    ]
    found = side_by_side(rows)
    assert sorted(row["agent"] for row in found) == sorted(row["agent"] for row in rows)
    for year in (2021, 2022, 2025):
        places = [row["at"] for row in found if row["year"] == year]
        # The best stands first.
        assert places == sorted(places)
        assert np.mean(places) == pytest.approx(year)
        assert max(places) - min(places) <= WITHIN
        if len(places) == 3:
            assert np.diff(places) == pytest.approx(APART)


def test_years_are_those_of_the_publications_with_runs_on_all_tasks() -> None:
    (found,) = make_boards([], only=["atari100k"])
    rows = {row["agent"]: row for row in years_of(found.papers)}
    assert rows["BBF"]["year"] == 2023
    assert rows["SPR"]["year"] == 2021
    means = {e.agent for e in found.papers if e.paper and e.paper.source.means_only}
    assert means
    assert set(rows) == {e.agent for e in found.papers} - means
    entry = next(e for e in found.papers if e.agent == "BBF")
    assert rows["BBF"]["point"] == entry.metrics["iqm"].point
    few = replace(entry, values={"Pong": entry.values["Pong"]})
    assert years_of([few]) == []


def test_costs_are_the_mean_hours_of_runs(board: Board) -> None:
    rows = costs_of(board.own)
    assert [(row["agent"], row["hours"]) for row in rows] == [
        (f"agent {k}", k + 1.0) for k in range(SHOWN + 2)
    ]
    # The cheapest is the best here.
    assert best_so_far(rows, "hours") == ["agent 0"]


# --- Lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [[0.0] * 5, [HEIGHT] * 6, [10.0, 12.0, 300.0], [], np.linspace(0, HEIGHT, 20).tolist()],
)
def test_names_stand_a_line_apart_in_the_order_of_their_lines(wanted: Sequence[float]) -> None:
    found = spread(wanted)
    order = sorted(range(len(wanted)), key=lambda place: (wanted[place], place))
    heights = [found[place] for place in order]
    assert all(b - a >= LINE_HEIGHT - 1e-9 for a, b in pairwise(heights))
    assert all(-1e-9 <= height <= HEIGHT for height in heights)


def test_a_chart_of_few_lines_holds_these_alone() -> None:
    rows = [
        {"agent": f"agent {k}", "tau": tau, "point": 1 - tau * k / 9, "low": None, "high": None}
        for k in range(9)
        for tau in (0.0, 0.5, 1.0)
    ]
    spec = profile_chart(rows)
    few = choose(spec, ["agent 8", "agent 2"])
    assert {row["agent"] for row in few["datasets"]["rows"]} == {"agent 8", "agent 2"}
    ends = {row["agent"]: row for row in few["datasets"]["ends"]}
    assert ends["agent 8"]["point"] == pytest.approx(1 - 8 / 9, abs=1e-4)
    assert ends["agent 8"]["label"] == pytest.approx(ends["agent 8"]["point"], abs=1e-4)
    colours = next(x for x in few["layer"] if x["name"] == "lines")["encoding"]["color"]["scale"]
    assert dict(zip(colours["domain"], colours["range"], strict=True)) == {
        "agent 8": look_of(0)[0], "agent 2": look_of(1)[0],
    }  # fmt: skip
    # The whole is as it was.
    assert len(spec["datasets"]["rows"]) == len(rows)


# --- The heat map -----------------------------------------------------------------------------


def test_rows_of_the_heat_map_stand_by_kind_and_pool(board: Board) -> None:
    groups = rows_of(board)
    titles = [group.title for group in groups]
    assert titles[0] == "Records, pool 1"
    assert titles[-1] == "Published, not ranked"
    assert [entry for group in groups for entry in group.entries if not entry.paper] == [*board.own]
    found = [entry.agent for group in groups for entry in group.entries]
    assert sorted(found) == sorted(entry.agent for entry in board.entries)
    for group in groups:
        pools = {entry.place.pool if entry.place else 0 for entry in group.entries}
        assert len(pools) == 1
        (pool,) = pools
        assert group.title.endswith(f"pool {pool}" if pool else "not ranked")


def test_columns_of_the_heat_map_stand_by_what_names_begin_with() -> None:
    tasks = suites.get("stori").tasks
    groups = columns_of(tasks)
    assert [group.title for group in groups] == ["Breakout", "Boxing", "Gopher", "BankHeist"]
    assert [task for group in groups for _, task in group.tasks] == [*tasks]
    assert all(f"{g.title}/{name}" == task.name for g in groups for name, task in g.tasks)
    (whole,) = columns_of(ATARI.tasks)
    assert whole.title == ""
    assert [name for name, _ in whole.tasks] == [task.name for task in ATARI.tasks]


def test_shades_are_clipped_at_both_references() -> None:
    assert [shade(value) for value in (-9.0, 0.0, 0.04, 0.06, 0.94, 0.96, 1.0, 99.0)] == [
        0, 0, 0, 1, 9, 10, 10, 10,
    ]  # fmt: skip


# --- Curves task by task ----------------------------------------------------------------------


def test_curves_of_tasks_are_means_over_runs_of_the_first_agents(board: Board) -> None:
    assert [entry.agent for entry in drawn_agents(board)] == [f"agent {k}" for k in range(SHOWN)]
    rows = task_curve_rows(board)
    assert {row["task"] for row in rows} == {task.name for task in ATARI.tasks}
    pong = [row for row in rows if (row["agent"], row["task"]) == ("agent 1", "Pong")]
    assert 2 < len(pong) <= MOST_POINTS
    assert pong[-1]["step"] == ATARI.protocol.budget
    assert pong[-1]["point"] == pytest.approx(0.9 + 0.01)
    task = ATARI.task("Pong")
    at_end = task.low + 0.91 * (task.high - task.low)
    first = (at_end * pong[0]["step"] / ATARI.protocol.budget - task.low) / (task.high - task.low)
    assert pong[0]["point"] == pytest.approx(first)
    assert b'"task_curves":[{"agent":"agent 0"' in downloads(board)["board.json"]


def test_pictures_of_tasks_hold_a_line_an_agent_and_no_name(board: Board) -> None:
    found = task_curves(board)
    assert [curve.task for curve in found] == [task.name for task in ATARI.tasks]
    for curve in found:
        assert "agent" not in curve.svg
        root = ElementTree.fromstring(curve.svg)
        width, height = (float(root.get(side, "0")) for side in ("width", "height"))
        lines = root.findall(f"{SVG}polyline")
        assert [line.get("stroke") for line in lines] == [look_of(k)[0] for k in range(SHOWN)]
        for line in lines:
            points = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
            assert 2 < len(points) <= MOST_POINTS
            assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
            # From left to right, and upwards as the scores rise.
            assert points == sorted(points)
        assert [t.text for t in root.findall(f"{SVG}text")][-2:] == ["0", "100k"]


def test_a_flat_curve_can_be_drawn() -> None:
    root = ElementTree.fromstring(picture({0: ([0.0, 10.0], [0.0, 0.0])}))
    assert root.find(f"{SVG}polyline") is not None


def test_without_evaluation_points_there_are_no_pictures() -> None:
    (found,) = make_boards(records_of(1, points=1), only=["atari100k"])
    assert task_curves(found) == []
    assert published.sources("atari100k")
