"""`rlbench compare` and `rlbench plan`: which agent is better, and how many runs it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from numpy.typing import NDArray

from rlbench.cli.against import show_against
from rlbench.cli.options import DEFAULT_STORE, JsonOption, UnofficialOption
from rlbench.cli.output import echo, print_json, print_table
from rlbench.cli.sources import (
    Agents,
    Gathered,
    LowerOption,
    NormaliseByOption,
    Scale,
    StoresOption,
    SuiteToNormalise,
    deviations_of,
    gather,
    of_raw_scores,
    print_deviations,
    reads_files,
)
from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results.published import Published
from rlbench.results.rankable import Terms, ranked_together, why_not_ranked
from rlbench.results.reading import Reading
from rlbench.stats import RunsNeeded, adastop, compare, plan, ranks_of, runs_needed
from rlbench.stats.comparisons import REACHING_0, Comparison, TestStatistic
from rlbench.stats.coverage import coverage_warnings
from rlbench.stats.intervals import POINTS
from rlbench.stats.permutation import STATISTICS
from rlbench.stats.planning import MOST_RUNS
from rlbench.stats.stopping import CLAIM, AdaStopResult

EXIT_UNDECIDED = 3
POWER = 0.8
NEW_RUNS = (
    "Test new runs by themselves, or plan with --stop adastop: to add runs to these and test again "
    "errs more often than alpha says."
)
MOST_PAIRS = 6  # that are not ranked and are printed one by one
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


@reads_files
def compare_agents(
    sources: SourcesArgument = None,
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    lower_is_better: LowerOption = False,
    store: StoresOption = None,
    statistic: StatisticOption = "iqm",
    alpha: AlphaOption = 0.05,
    against: Annotated[
        float | None,
        typer.Option(
            "--against",
            metavar="CONSTANT",
            help="Compare each agent with a constant instead, e.g. 1: the human level.",
        ),
    ] = None,
    stop: Annotated[
        str, typer.Option("--stop", help="adastop: compare batch by batch, and say what to run.")
    ] = "",
    batch: Annotated[int, typer.Option("--batch", help="Runs a task in a batch.")] = 5,
    max_batches: Annotated[int, typer.Option("--max-batches", help="How many at most.")] = 6,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
    *,
    reading: Reading,
) -> int:
    """Compare agents on the tasks that all of them have runs of.

    With --stop adastop, exit code 3 means that some pair is undecided and needs more runs.
    """
    chosen = _statistic(statistic)
    scale = Scale(suite, unofficial, normalise_by, lower_is_better=lower_is_better)
    gathered = _chosen(sources or [], store, scale, reading, least=2 if against is None else 1)
    if against is not None:
        if stop:
            raise UsageError("--stop decides between agents, not --against a constant: leave one")
        show_against(gathered, against, chosen, alpha, scale, json)
        return 0
    agents, notes, papers, own = gathered
    if stop not in ("", "adastop"):
        raise UnknownName("stopping rule", stop, ["adastop"])
    if stop and papers:
        raise UsageError(
            f"--stop decides on runs that are still to be done; those of {min(papers)} are "
            "published: leave --stop out"
        )
    if len(ranked_together(agents, papers, own)) > 1:
        _show_apart(Gathered(agents, notes, papers, own), chosen, alpha, scale, json)
        return 0
    scores = _aligned(agents, scale, notes)
    if stop:
        result = adastop(
            scores, batch=batch, max_batches=max_batches, alpha=alpha, statistic=chosen
        )
        _show_adastop(result, batch, scale, json)
    else:
        _show_comparison(scores, papers, chosen, alpha, scale, json)
        notes += _coverage_notes(scores, chosen)
    print_deviations(papers, err=json)
    for note in notes:
        echo(note, err=json)
    return EXIT_UNDECIDED if stop and result.undecided_agents else 0


@reads_files
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
    difference: Annotated[
        float | None,
        typer.Option(
            "--difference", help="Plan for this difference, by default for those seen so far."
        ),
    ] = None,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
    *,
    reading: Reading,
) -> None:
    """Print power and width of intervals for numbers of runs, from the runs there are."""
    chosen = _statistic(statistic)
    scale = Scale(suite, unofficial, normalise_by)
    agents, notes, papers, own = _chosen(sources or [], store, scale, reading)
    for a, b in combinations(agents, 2):
        if why := why_not_ranked(a, b, papers, own):
            raise UsageError(f"{a} and {b} are not planned for, since they are not ranked: {why}")
    scores = _aligned(agents, scale, notes)
    found = plan(scores, statistic=chosen, alpha=alpha, difference=difference)
    rows = [row._asdict() for row in found]
    needed = runs_needed(scores, power=power, statistic=chosen, alpha=alpha, difference=difference)
    if json:
        print_json(rows)
    else:
        print_table(rows, list(rows[0]), f"{LABELS[statistic]} of {scale.title}")
        for (a, b), runs in needed.items():
            echo(f"{a} and {b}: {_needed_text(runs, power)}.")
        if difference is None:
            echo(
                "The power is that for the differences seen so far, which are uncertain; the "
                "ranges are those of their 80% intervals."
            )
        echo(NEW_RUNS)
    print_deviations(papers, err=json)
    for note in notes:
        echo(note, err=json)


def _statistic(name: str) -> TestStatistic:
    if name not in STATISTICS:
        raise UnknownName("statistic", name, STATISTICS)
    return cast(TestStatistic, name)


def _chosen(
    sources: Sequence[str],
    stores: Sequence[Path] | None,
    scale: Scale,
    reading: Reading,
    *,
    least: int = 2,
) -> Gathered:
    """Return the agents to compare, `least` or more, and what must be said of their scores.

    A source is a file or folder, whose agents are all taken, or the name of an agent in a store.
    Without names all agents of the stores are taken.
    """
    files = [Path(source) for source in sources if Path(source).exists() or "." in source]
    names = [source for source in sources if Path(source) not in files]
    none = Gathered({}, [], {}, {})
    from_files = gather(files, [], scale, reading) if files else none
    in_stores = none
    if stores or names or not files:
        in_stores = gather([], stores or [DEFAULT_STORE], scale)
    for name in names:
        if name not in in_stores.agents and name not in from_files.agents:
            raise UnknownName("agent", name, [*in_stores.agents, *from_files.agents])
    taken = {n: t for n, t in in_stores.agents.items() if not names or n in names}
    if both := set(from_files.agents) & set(taken):
        raise InvalidScores(f"the agent {min(both)!r} is in two sources")
    agents = _in_order({**from_files.agents, **taken}, list(sources), files)
    if len(agents) < least:
        found = f" there is only {next(iter(agents))!r}" if agents else " there is none"
        raise UsageError(
            f"a comparison needs at least {('one agent', 'two agents')[least - 1]}:{found}"
        )
    papers = {agent: scores for agent, scores in in_stores.published.items() if agent in taken}
    papers |= from_files.published
    notes = [*from_files.notes, *in_stores.notes, *of_raw_scores(agents, scale)]
    return Gathered(agents, notes, papers, in_stores.own)


def _in_order(agents: Agents, sources: list[str], files: Sequence[Path]) -> Agents:
    """Return agents in the order of the sources that they come from."""
    first = min((sources.index(source) for source in sources if Path(source) in files), default=0)
    place = {agent: sources.index(agent) if agent in sources else first for agent in agents}
    return {agent: agents[agent] for agent in sorted(agents, key=place.__getitem__)}


def _aligned(agents: Agents, scale: Scale, notes: list[str]) -> Scores:
    """Return scores on the tasks that all agents have; a note is added if these are not all.

    Larger ones are better: those of which lower ones are come with the other sign.
    """
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
    return {agent: [scale.sign * tasks[t] for t in common] for agent, tasks in agents.items()}


def _show_apart(
    gathered: Gathered, statistic: TestStatistic, alpha: float, scale: Scale, json: bool
) -> None:
    """Show agents that may not all be ranked: each group by itself, and what lies between them."""
    agents, notes, papers, own = gathered
    groups = [g for g in ranked_together(agents, papers, own) if len(g) > 1]
    between = [
        _unranked_row(a, b, agents, papers, own, statistic)
        for a, b in combinations(agents, 2)
        if not any(a in group and b in group for group in groups)
    ]
    rows: list[dict[str, Any]] = []
    for group in groups:
        of_group: list[str] = []
        scores = _aligned({agent: agents[agent] for agent in group}, scale, of_group)
        if json:
            rows += _comparison_rows(scores, statistic, alpha, scale)[0]
        else:
            echo(f"Of one protocol: {', '.join(group)}.")
            _show_comparison(scores, papers, statistic, alpha, scale, json)
        of_group += _coverage_notes(scores, statistic)
        notes += [f"{', '.join(group)}: {note}" for note in of_group]
    if json:
        print_json(_with_deviations(rows + between, papers))
    elif len(between) <= MOST_PAIRS:
        shown = ["a", "b", "difference", "reason"]
        print_table(between, shown, f"not ranked: {LABELS[statistic]} of {scale.title}")
    else:
        points = [
            {"agent": agent, LABELS[statistic]: _point(agent, list(tasks.values()), papers,
             statistic), "tasks": len(tasks)}
            for agent, tasks in agents.items()
        ]  # fmt: skip
        print_table(points, list(points[0]), f"every agent by itself, not ranked: {scale.title}")
        echo(f"{len(between)} pairs are not ranked; --json says for each why.")
    print_deviations(papers, err=json)
    for note in notes:
        echo(note, err=json)


def _coverage_notes(scores: Scores, statistic: TestStatistic) -> list[str]:
    return coverage_warnings([f"difference of {statistic}", "improvement"], scores.values())


def _with_deviations(
    rows: Sequence[Mapping[str, Any]], papers: Mapping[str, Published]
) -> list[dict[str, Any]]:
    """Return rows of pairs with why they are not ranked, and how their protocols differ."""
    return [
        {
            **row,
            "reason": row.get("reason"),
            "a_deviations": deviations_of(row["a"], papers),
            "b_deviations": deviations_of(row["b"], papers),
        }
        for row in rows
    ]


def _point(
    agent: str,
    tasks: list[NDArray[np.float64]],
    papers: Mapping[str, Published],
    statistic: TestStatistic,
) -> float | None:
    """Return an agent's statistic; of means over runs there is no IQM."""
    if statistic == "iqm" and agent in papers and papers[agent].source.means_only:
        return None
    return POINTS[statistic](tasks)


def _unranked_row(
    a: str,
    b: str,
    agents: Agents,
    papers: Mapping[str, Published],
    own: Mapping[str, Terms],
    statistic: TestStatistic,
) -> dict[str, Any]:
    """Return the row of a pair that is shown and not ranked, on the tasks that both have."""
    common = [task for task in agents[a] if task in agents[b]]
    points = [
        _point(agent, [agents[agent][task] for task in common], papers, statistic)
        if common
        else None
        for agent in (a, b)
    ]
    first, second = points
    return {
        **dict.fromkeys(PAIR_COLUMNS),
        "a": a,
        "b": b,
        "statistic": statistic,
        "difference": None if first is None or second is None else first - second,
        "method": "none: not ranked",
        "test": "none: not ranked",
        "decision": "not ranked",
        "reason": why_not_ranked(a, b, papers, own),
    }


PAIR_COLUMNS = (
    "a", "b", "statistic", "difference", "low", "high", "method", "improvement",
    "improvement_low", "improvement_high", "cliffs_delta", "p_value", "test", "decision",
    "runs_needed", "runs_needed_low", "runs_needed_high",
)  # fmt: skip


def _comparison_rows(
    scores: Scores, statistic: TestStatistic, alpha: float, scale: Scale
) -> tuple[list[dict[str, Any]], list[Comparison], dict[tuple[str, str], RunsNeeded]]:
    """Return a row a pair, the comparisons behind them, and how many runs pairs need."""
    found = compare(scores, statistic=statistic, alpha=alpha)
    needed = _runs_needed(scores, statistic, alpha)
    rows: list[dict[str, Any]] = [
        dict(
            zip(
                PAIR_COLUMNS,
                (
                    pair.a, pair.b, statistic, pair.difference.point, pair.difference.low,
                    pair.difference.high, pair.difference.method, pair.improvement.point,
                    pair.improvement.low, pair.improvement.high, pair.cliffs_delta, pair.p_value,
                    pair.test, pair.decision, *_counts(needed.get((pair.a, pair.b))),
                ),
                strict=True,
            )
        )
        for pair in (_shown(pair, scale) for pair in found)
    ]  # fmt: skip
    return [row | scale.better for row in rows], found, needed


def _shown(pair: Comparison, scale: Scale) -> Comparison:
    """Return a comparison in the user's sign; improvements are of what is better."""
    decision: Any = scale.shown_decision(pair.decision)
    return replace(pair, difference=scale.shown(pair.difference), decision=decision)


def _show_comparison(
    scores: Scores,
    papers: Mapping[str, Published],
    statistic: TestStatistic,
    alpha: float,
    scale: Scale,
    json: bool,
) -> None:
    rows, found, needed = _comparison_rows(scores, statistic, alpha, scale)
    if json:
        print_json(_with_deviations(rows, papers) if papers else rows)
        return
    for pair in found:
        wanted = needed.get((pair.a, pair.b))
        echo(_sentence(_shown(pair, scale), statistic, wanted, scale))
    if needed and any(pair.decision == "not separated" for pair in found):
        echo(NEW_RUNS)
    shown = ["a", "b", "difference", "low", "high", "improvement", "p_value", "decision"]
    texts = [{**row, "p_value": f"{row['p_value']:.2g}"} for row in rows]
    print_table(texts, shown, f"{LABELS[statistic]} of {scale.title}")
    ranks = ranks_of(scores, found, statistic=statistic)
    print_table(
        [
            {
                "agent": row.agent,
                LABELS[statistic]: scale.sign * row.point,
                "ranks": "-" if row.low is None else f"{row.low} to {row.high}",
                "tier": row.tier or "-",
            }
            for row in ranks
        ],
        ["agent", LABELS[statistic], "ranks", "tier"],
        "possible ranks",
    )
    echo("Which of two agents that share a letter is better is not established.")
    echo(
        f"Intervals: {100 * (1 - alpha):g}%, all together, {_methods(found)}. P-values: "
        f"{found[0].test}. Ranks: {'both' if ranks[0].low else ranks[0].method}."
    )


def _methods(found: Sequence[Comparison]) -> str:
    """Return how the intervals of differences were made."""
    return "; ".join(dict.fromkeys(p.difference.method.removesuffix(REACHING_0) for p in found))


def _sentence(pair: Comparison, statistic: str, needed: RunsNeeded | None, scale: Scale) -> str:
    """Return what was shown of a pair, in the order of the user's agents."""
    gap, wins = pair.difference, f"{pair.a} wins {100 * pair.improvement.point:.0f}% of run pairs"
    what = f"{LABELS[statistic]} {gap.point:+.3f}"
    if gap.low is not None:
        what += f" [{gap.low:.3f}, {gap.high:.3f}]"
    if pair.decision == "differ":
        return (
            f"{pair.a} and {pair.b}: their distributions differ; which {LABELS[statistic]} is "
            f"larger is not established: {what}; {wins}."
        )
    if pair.decision != "not separated":
        better = (pair.decision == "larger") != scale.lower_is_better
        return f"{pair.a} is {'better' if better else 'worse'} than {pair.b}: {what}; {wins}."
    more = f" They would need {_needed_text(needed, POWER)}." if needed else ""
    return f"{pair.a} and {pair.b} are not separated: {what}; {wins}.{more}"


def _needed_text(needed: RunsNeeded, power: float) -> str:
    """Return a range of runs in words; a pair that needs more than 10,000 has no number."""
    if needed.low is None:
        return f"more than {MOST_RUNS:,} new runs a task for power {power:g}"
    if needed.low == needed.runs == needed.high:
        return f"{needed.low:,} new runs a task for power {power:g}"
    most = "or more" if needed.high is None else f"to {needed.high:,}"
    seen = f"more than {MOST_RUNS:,}" if needed.runs is None else f"{needed.runs:,}"
    return (
        f"{needed.low:,} {most} new runs a task for power {power:g} ({seen} if the difference is "
        "the one seen)"
    )


def _counts(needed: RunsNeeded | None) -> tuple[int | None, int | None, int | None]:
    return (needed.runs, needed.low, needed.high) if needed else (None, None, None)


def _runs_needed(
    scores: Scores, statistic: TestStatistic, alpha: float
) -> dict[tuple[str, str], RunsNeeded]:
    """Return how many runs pairs need, or nothing where a task has one run."""
    if min(len(runs) for tasks in scores.values() for runs in tasks) < 2:
        return {}
    return runs_needed(scores, power=POWER, statistic=statistic, alpha=alpha)


def _show_adastop(result: AdaStopResult, batch: int, scale: Scale, json: bool) -> None:
    if result.blind_looks:
        looks = ", ".join(map(str, result.blind_looks))
        echo(
            f"warning: nothing can be decided after batch {looks}, whatever the scores: there are "
            "too few permutations for the level. Take larger batches.",
            err=True,
        )
    rows = [
        {**row, "decision": scale.shown_decision(row["decision"]), **scale.better}
        for row in result.rows()
    ]
    if json:
        print_json(rows)
        return
    done, most = result.looks
    print_table(rows, ["a", "b", "decision"], f"AdaStop after batch {done} of at most {most}")
    echo(f"Level spent: {result.level_spent:.4f}. Here {CLAIM}.")
    if result.undecided_agents:
        agents = ", ".join(result.undecided_agents)
        echo(f"To go on, runs {done * batch + 1} to {(done + 1) * batch} of: {agents}.")
