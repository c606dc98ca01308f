"""`rlbench compare` and `rlbench plan`: which agent is better, and how many runs it takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from numpy.typing import NDArray

from rlbench.cli.options import DEFAULT_STORE, JsonOption, UnofficialOption
from rlbench.cli.output import print_json, print_table
from rlbench.cli.sources import (
    Agents,
    NormaliseByOption,
    Scale,
    StoresOption,
    SuiteToNormalise,
    gather,
)
from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.stats import adastop, compare, plan, rank_sets, runs_needed
from rlbench.stats.comparisons import Comparison, TestStatistic
from rlbench.stats.permutation import STATISTICS
from rlbench.stats.stopping import CLAIM, AdaStopResult

EXIT_UNDECIDED = 3
POWER = 0.8
LABELS = {"mean": "mean", "median": "median", "iqm": "IQM"}

Scores = dict[str, list[NDArray[np.float64]]]

SourcesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Files of scores, folders of logs, and names of agents in the stores."),
]
StatisticOption = Annotated[
    str, typer.Option("--statistic", help=f"What is compared: {', '.join(STATISTICS)}.")
]
AlphaOption = Annotated[float, typer.Option("--alpha", help="The level, over all pairs.")]


def compare_agents(
    sources: SourcesArgument = None,
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    store: StoresOption = None,
    statistic: StatisticOption = "iqm",
    alpha: AlphaOption = 0.05,
    stop: Annotated[
        str, typer.Option("--stop", help="adastop: compare batch by batch, and say what to run.")
    ] = "",
    batch: Annotated[int, typer.Option("--batch", help="Runs a task in a batch.")] = 5,
    max_batches: Annotated[int, typer.Option("--max-batches", help="How many at most.")] = 6,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
) -> int:
    """Compare agents on the tasks that all of them have runs of.

    With --stop adastop, exit code 3 means that some pair is undecided and needs more runs.
    """
    chosen = _statistic(statistic)
    scale = Scale(suite, unofficial, normalise_by)
    scores, notes = _scores(sources or [], store, scale)
    if stop not in ("", "adastop"):
        raise UnknownName("stopping rule", stop, ["adastop"])
    if stop:
        result = adastop(
            scores, batch=batch, max_batches=max_batches, alpha=alpha, statistic=chosen
        )
        _show_adastop(result, batch, json)
    else:
        _show_comparison(scores, chosen, alpha, scale, json)
    for note in notes:
        typer.echo(note, err=json)
    return EXIT_UNDECIDED if stop and result.undecided_agents else 0


def plan_runs(
    sources: SourcesArgument = None,
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    store: StoresOption = None,
    statistic: StatisticOption = "iqm",
    alpha: AlphaOption = 0.05,
    power: Annotated[
        float, typer.Option("--power", help="The chance of separating a pair to plan for.")
    ] = POWER,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
) -> None:
    """Print power and width of intervals for numbers of runs, from the runs there are."""
    chosen = _statistic(statistic)
    scale = Scale(suite, unofficial, normalise_by)
    scores, notes = _scores(sources or [], store, scale)
    rows = [row._asdict() for row in plan(scores, statistic=chosen, alpha=alpha)]
    needed = runs_needed(scores, power=power, statistic=chosen, alpha=alpha)
    if json:
        print_json(rows)
    else:
        print_table(rows, list(rows[0]), f"{LABELS[statistic]} of {scale.title}")
        for (a, b), runs in needed.items():
            typer.echo(f"{a} and {b}: {_needed_text(runs, power)}")
        typer.echo("This takes the differences seen so far for the true ones; they are uncertain.")
    for note in notes:
        typer.echo(note, err=json)


def _statistic(name: str) -> TestStatistic:
    if name not in STATISTICS:
        raise UnknownName("statistic", name, STATISTICS)
    return cast(TestStatistic, name)


def _scores(
    sources: Sequence[str], stores: Sequence[Path] | None, scale: Scale
) -> tuple[Scores, list[str]]:
    """Return the scores of agents on the tasks that all have, and what must be said of them.

    A source is a file or folder, whose agents are all taken, or the name of an agent in a store.
    Without names all agents of the stores are taken.
    """
    files = [Path(source) for source in sources if Path(source).exists() or "." in source]
    names = [source for source in sources if Path(source) not in files]
    from_files, notes = gather(files, [], scale) if files else ({}, [])
    in_stores: Agents = {}
    if stores or names or not files:
        in_stores, more = gather([], stores or [DEFAULT_STORE], scale)
        notes += more
    for name in names:
        if name not in in_stores and name not in from_files:
            raise UnknownName("agent", name, [*in_stores, *from_files])
    if both := set(from_files) & set(in_stores) & set(names or in_stores):
        raise InvalidScores(f"the agent {min(both)!r} is in two sources")
    agents = {**from_files, **{n: t for n, t in in_stores.items() if not names or n in names}}
    if len(agents) < 2:
        found = f" there is only {next(iter(agents))!r}" if agents else " there is none"
        raise UsageError(f"a comparison needs at least two agents:{found}")
    first = next(iter(agents.values()))
    common = [task for task in first if all(task in tasks for tasks in agents.values())]
    if not common:
        raise UsageError("the agents have no task in common")
    every = {task for tasks in agents.values() for task in tasks}
    total = len(scale.suite.tasks) if scale.suite else len(every)
    if len(common) < total:
        notes.append(
            f"Compared on the {len(common)} of {total} tasks that all of them have runs of."
        )
    return {agent: [tasks[t] for t in common] for agent, tasks in agents.items()}, notes


def _show_comparison(
    scores: Scores, statistic: TestStatistic, alpha: float, scale: Scale, json: bool
) -> None:
    found = compare(scores, statistic=statistic, alpha=alpha)
    needed = _runs_needed(scores, statistic, alpha)
    rows = [
        {
            "a": pair.a,
            "b": pair.b,
            "statistic": statistic,
            "difference": pair.difference.point,
            "low": pair.difference.low,
            "high": pair.difference.high,
            "method": pair.difference.method,
            "improvement": pair.improvement.point,
            "improvement_low": pair.improvement.low,
            "improvement_high": pair.improvement.high,
            "cliffs_delta": pair.cliffs_delta,
            "p_value": pair.p_value,
            "test": pair.test,
            "decision": pair.decision,
            "runs_needed": needed.get((pair.a, pair.b)),
        }
        for pair in found
    ]
    if json:
        print_json(rows)
        return
    for pair in found:
        typer.echo(_sentence(pair, statistic, needed.get((pair.a, pair.b)), bool(needed)))
    shown = ["a", "b", "difference", "low", "high", "improvement", "p_value", "decision"]
    texts = [{**row, "p_value": f"{row['p_value']:.2g}"} for row in rows]
    print_table(texts, shown, f"{LABELS[statistic]} of {scale.title}")
    ranks = rank_sets(scores, statistic=statistic, alpha=alpha)
    print_table(
        [
            {
                "agent": row.agent,
                LABELS[statistic]: row.point,
                "ranks": "-" if row.low is None else f"{row.low} to {row.high}",
                "tier": row.tier or "-",
            }
            for row in ranks
        ],
        ["agent", LABELS[statistic], "ranks", "tier"],
        "possible ranks",
    )
    typer.echo("Agents that share a letter are not separated.")
    typer.echo(
        f"Intervals: {100 * (1 - alpha):g}%, {found[0].difference.method}, each for itself. "
        f"P-values: {found[0].test}. Ranks: {ranks[0].method}."
    )


def _sentence(pair: Comparison, statistic: str, needed: int | None, planned: bool) -> str:
    gap = pair.difference
    interval = "" if gap.low is None else f", interval {gap.low:.3f} to {gap.high:.3f}"
    what = f"difference {gap.point:.3f}{interval}, p = {pair.p_value:.3g}"
    if pair.decision != "not separated":
        return f"{pair.a} has a {pair.decision} {LABELS[statistic]} than {pair.b}: {what}."
    more = f" {_needed_text(needed, POWER)}" if planned else ""
    return f"{pair.a} and {pair.b} are not separated: {what}.{more}"


def _needed_text(runs: int | None, power: float) -> str:
    if runs is None:
        return "More than 10,000 runs a task would be needed for a difference of this size."
    number = f"About {runs} runs" if runs > 1 else "One run"
    return f"{number} a task would separate a difference of this size with power {power:g}."


def _runs_needed(
    scores: Scores, statistic: TestStatistic, alpha: float
) -> dict[tuple[str, str], int | None]:
    """Return how many runs pairs need, or nothing where a task has one run."""
    if min(len(runs) for tasks in scores.values() for runs in tasks) < 2:
        return {}
    return runs_needed(scores, power=POWER, statistic=statistic, alpha=alpha)


def _show_adastop(result: AdaStopResult, batch: int, json: bool) -> None:
    if result.blind_looks:
        looks = ", ".join(map(str, result.blind_looks))
        typer.echo(
            f"warning: nothing can be decided after batch {looks}, whatever the scores: there are "
            "too few permutations for the level. Take larger batches.",
            err=True,
        )
    rows: list[dict[str, Any]] = list(result.rows())
    if json:
        print_json(rows)
        return
    done, most = result.looks
    print_table(rows, ["a", "b", "decision"], f"AdaStop after batch {done} of at most {most}")
    typer.echo(f"Level spent: {result.level_spent:.4f}. Here {CLAIM}.")
    if result.undecided_agents:
        agents = ", ".join(result.undecided_agents)
        typer.echo(f"To go on, runs {done * batch + 1} to {(done + 1) * batch} of: {agents}.")
