"""Headlines say who is best and how sure that is; tables group agents by pool."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.records import ATARI, make_record

from rlbench import suites
from rlbench.leaderboard.axes import aggregate_axis
from rlbench.leaderboard.boards import Board, make_boards
from rlbench.leaderboard.headlines import facts, head_of, headline_metric, leads, score_text, top
from rlbench.leaderboard.parts import part_of
from rlbench.results import Record, published
from rlbench.suites import Task

EQUAL = "Among the {} agents of pool 1, whose protocols are equal, "


def runs_of(
    agent: str,
    level: float,
    seeds: int = 3,
    *,
    tasks: Sequence[Task] = ATARI.tasks,
    day: str = "2026-03-04",
    given: tuple[str, ...] = (),
) -> Iterator[Record]:
    generator = np.random.default_rng(len(agent))
    for task in tasks:
        for seed in range(seeds):
            share = generator.normal(level, 0.1)
            score = float(task.low + share * (task.high - task.low))
            record = make_record(task.name, agent, seed, score, given=given)
            yield replace(record, timing={"finished": f"{day}T05:06:07+00:00"})


def board_of(*agents: Iterator[Record], papers: frozenset[str] = frozenset()) -> Board:
    records = [record for runs in agents for record in runs]
    (board,) = make_boards(records, papers=papers, only=["atari100k"])
    return board


def published_board(name: str) -> Board:
    (board,) = make_boards([], only=[name])
    return board


@pytest.fixture(scope="module")
def mixed() -> Board:
    """Two pools, and an agent of neither."""
    return board_of(
        runs_of("good", 0.9),
        runs_of("poor", 0.1),
        runs_of("taught", 0.6, given=("pretraining",)),
        runs_of("guided", 0.3, given=("pretraining",)),
        runs_of("alone", 0.95, seeds=1),
    )


def test_a_leader_that_is_separated_from_all_ranks_first() -> None:
    board = board_of(runs_of("one", 0.9), runs_of("four", 0.5), runs_of("third", 0.1))
    (lead,) = leads(board)
    assert lead.entry.agent == "one"
    assert lead.metric == "iqm"
    assert lead.claim == "has the highest IQM of 3 agents run here"
    assert lead.certainty == EQUAL.format(3) + "it ranks first with 95% confidence."


def test_a_leader_that_is_not_separated_says_from_whom() -> None:
    board = board_of(runs_of("one", 0.5), runs_of("four", 0.5), runs_of("third", -0.9))
    (lead,) = leads(board)
    (other,) = {"one", "four"} - {lead.entry.agent}
    assert lead.certainty == (
        EQUAL.format(3) + "its rank is 1 to 2 with 95% confidence: "
        f"it was not separated from {other}."
    )


def test_an_agent_alone_is_not_ranked_and_has_no_interval_of_one_run() -> None:
    (lead,) = leads(board_of(runs_of("one", 0.5, seeds=1)))
    assert lead.claim == "is the only agent run here"
    assert lead.certainty == "It is not ranked (fewer than 3 runs on a task)."
    text = score_text(lead.entry.metrics[lead.metric])
    assert text.endswith(" (no interval: a task has only one run)")


def test_agents_that_lack_tasks_lead_nothing() -> None:
    few = board_of(runs_of("good", 0.9, tasks=ATARI.tasks[:-1]))
    assert leads(few) == ()
    assert top(few, 5) == ()
    both = board_of(runs_of("good", 0.9, tasks=ATARI.tasks[:-1]), runs_of("poor", 0.1))
    (lead,) = leads(both)
    assert lead.entry.agent == "poor"
    assert lead.claim == "is the only agent run here on all tasks"


def test_the_highest_of_several_pools_is_not_said_to_beat_all(mixed: Board) -> None:
    (lead,) = leads(mixed)
    assert lead.entry.agent == "alone"
    assert lead.claim == "has the highest IQM of 5 agents run here"
    assert lead.certainty == "It is not ranked (fewer than 3 runs on a task)."


def test_published_agents_have_a_lead_of_their_own() -> None:
    board = published_board("atari100k")
    (lead,) = leads(board)
    ranked = [entry for entry in board.papers if "iqm" in entry.metrics]
    assert lead.entry is max(ranked, key=lambda entry: entry.metrics["iqm"].point)
    assert lead.claim == f"has the highest IQM of {len(ranked)} published agents " + (
        "with runs on all tasks"
    )
    assert lead.entry.place
    assert lead.entry.paper
    fields = [d.field for d in published.deviations(lead.entry.paper) if d.theirs is not None]
    assert lead.differs == " and ".join(field.replace("_", " ") for field in fields)
    differ = f"Its protocol differs from this one in {lead.differs}. "
    assert lead.certainty == differ + EQUAL.format(lead.entry.place.of) + (
        "it ranks first with 95% confidence. The others are not ranked against it."
    )
    of_means = published_board("parkour")
    assert headline_metric(of_means.entries) == "mean"
    (lead,) = leads(of_means)
    assert lead.claim == f"has the highest mean of {len(of_means.papers)} published agents"
    assert lead.certainty.endswith("It is not ranked (its scores are means, not runs).")
    assert "(no interval: means, not runs)" in score_text(lead.entry.metrics["mean"])


def test_the_best_run_here_is_drawn_below_better_published_ones() -> None:
    sources = frozenset(f"atari100k.{name}" for name in ("bbf", "spr", "iris", "storm"))
    board = board_of(runs_of("best", 0.05), runs_of("worse", 0.01), papers=sources)
    assert [entry.agent for entry in top(board, 3)] == ["BBF", "STORM", "best"]
    assert [lead.entry.agent for lead in leads(board)] == ["best", "BBF"]
    head = head_of(board, 3)
    assert head.shown == top(board, 3)
    assert head.axis == aggregate_axis(entry.metrics["iqm"] for entry in head.shown)


def test_facts_count_runs_and_name_real_dates_alone() -> None:
    board = board_of(
        runs_of("one", 0.9), runs_of("two", 0.5, day="2026-05-06"), runs_of("odd", 0.1, day="zzzz")
    )
    number = 9 * len(ATARI.tasks)
    assert facts(board) == (
        f"{len(ATARI.tasks)} tasks", f"3 agents with {number} runs, the last on 2026-05-06",
    )  # fmt: skip
    hostile = replace(board, entries=tuple(replace(e, date="<b>2026-05-06") for e in board.entries))
    assert facts(hostile)[1] == f"3 agents with {number} runs"
    assert facts(replace(board, entries=())) == (f"{len(ATARI.tasks)} tasks",)
    # Of means the source says how many runs stand behind them.
    parkour = published_board("parkour")
    runs = sum(n for e in parkour.papers if e.paper for _, n in e.paper.spread.values())
    tasks = len(suites.get("parkour").tasks)
    assert facts(parkour) == (f"{tasks} tasks", f"8 published agents with {runs} runs, 2021")


def test_tables_group_agents_by_pool_and_name_tiers_by_it(mixed: Board) -> None:
    part = part_of("Agents", mixed.own)
    names = {pool: [e.agent for e in entries] for pool, entries in part.groups.items()}
    assert names == {1: ["good", "poor"], 2: ["taught", "guided"], 0: ["alone"]}
    assert list(names) == [1, 2, 0]
    assert [e.agent for e in part.entries] == ["good", "poor", "taught", "guided", "alone"]
    assert [e.place.label for e in part.entries if e.place] == ["1a", "1b", "2a", "2b"]
    assert part_of("Published", ()).groups == {}


def test_axes_hold_both_references_and_all_intervals(mixed: Board) -> None:
    axis = part_of("Agents", mixed.own).axis
    rows = [entry.metrics["iqm"] for entry in mixed.own]
    places = [axis.percent(end) for row in rows for end in (row.low, row.high) if end is not None]
    assert 0 < axis.percent(0.0) < axis.percent(1.0) < 100
    assert len(places) == 8
    assert all(0 < place < 100 for place in places)
    middle = (axis.percent(0.0) + axis.percent(1.0)) / 2
    assert axis.percent(0.5) == pytest.approx(middle, abs=0.01)
