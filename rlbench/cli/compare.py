"""`rlbench compare` and `rlbench plan`: which agent is better, and how many runs it takes."""

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, cast

import typer

from rlbench.cli.against import show_against
from rlbench.cli.apart import Question, barring, despite_of, show_apart
from rlbench.cli.cells import LABELS
from rlbench.cli.gathering import Gathered, gather
from rlbench.cli.options import JsonOption, UnofficialOption
from rlbench.cli.output import echo, print_json, print_table
from rlbench.cli.pairs import (
    NEW_RUNS,
    POWER,
    aligned,
    coverage_notes,
    needed_text,
    show_comparison,
)
from rlbench.cli.sources import (
    Asked,
    LowerOption,
    NormaliseByOption,
    Scale,
    SuiteToNormalise,
    of_raw_scores,
    print_deviations,
    reads_files,
)
from rlbench.errors import UnknownName, UsageError
from rlbench.results.rankable import ranked_together, why_not_ranked
from rlbench.stats import adastop, plan, runs_needed
from rlbench.stats.comparisons import TestStatistic
from rlbench.stats.permutation import STATISTICS
from rlbench.stats.stopping import CLAIM, AdaStopResult

EXIT_UNDECIDED = 3

StatisticOption = Annotated[
    str, typer.Option("--statistic", help=f"What is compared: {', '.join(STATISTICS)}.")
]
AlphaOption = Annotated[float, typer.Option("--alpha", help="The level, over all pairs.")]


@reads_files
def compare_agents(
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    lower_is_better: LowerOption = False,
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
    despite_protocols: Annotated[
        bool,
        typer.Option(
            "--despite-protocols",
            help="Test agents whose protocols differ all the same; every line then says so.",
        ),
    ] = False,
    batch: Annotated[int, typer.Option("--batch", help="Runs a task in a batch.")] = 5,
    max_batches: Annotated[int, typer.Option("--max-batches", help="How many at most.")] = 6,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
    *,
    asked: Asked,
) -> int:
    """Compare agents on the tasks that all of them have runs of.

    With --stop adastop, exit code 3 means that some pair is undecided and needs more runs.
    """
    chosen = _statistic(statistic)
    scale = Scale(suite, unofficial, normalise_by, lower_is_better=lower_is_better)
    gathered = _gathered(asked, scale, least=2 if against is None else 1)
    if against is not None:
        if stop:
            raise UsageError("--stop decides between agents, not --against a constant: leave one")
        show_against(gathered, against, chosen, alpha, scale, json)
        return 0
    agents, notes, papers, own, _, unordered, _ = gathered
    if stop not in ("", "adastop"):
        raise UnknownName("stopping rule", stop, ["adastop"])
    if stop and papers:
        raise UsageError(
            f"--stop decides on runs that are still to be done; those of {min(papers)} are "
            "published: leave --stop out"
        )
    question = Question(chosen, alpha, scale, despite_protocols)
    barred = barring(papers, despite=despite_protocols)
    if len(ranked_together(agents, barred, own)) > 1:
        show_apart(gathered, question, json)
        return 0
    scores = aligned(agents, scale, notes)
    if stop:
        result = adastop(
            scores, batch=batch, max_batches=max_batches, alpha=alpha, statistic=chosen
        )
        _show_adastop(result, batch, scale, json)
        notes.append(_order(unordered, list(agents)))
    else:
        despite = despite_of(gathered, question) if despite_protocols else None
        show_comparison(scores, papers, chosen, alpha, scale, json, despite)
        notes += coverage_notes(scores, chosen)
    print_deviations(papers, err=json)
    for note in notes:
        echo(note, err=json)
    return EXIT_UNDECIDED if stop and result.undecided_agents else 0


@reads_files
def plan_runs(
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
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
    asked: Asked,
) -> None:
    """Print power and width of intervals for numbers of runs, from the runs there are."""
    chosen = _statistic(statistic)
    scale = Scale(suite, unofficial, normalise_by)
    agents, notes, papers, own, *_ = _gathered(asked, scale)
    for a, b in combinations(agents, 2):
        if why := why_not_ranked(a, b, papers, own):
            raise UsageError(f"{a} and {b} are not planned for, since they are not ranked: {why}")
    scores = aligned(agents, scale, notes)
    found = plan(scores, statistic=chosen, alpha=alpha, difference=difference)
    rows = [row._asdict() for row in found]
    needed = runs_needed(scores, power=power, statistic=chosen, alpha=alpha, difference=difference)
    if json:
        print_json(rows)
    else:
        print_table(rows, list(rows[0]), f"{LABELS[statistic]} of {scale.title}")
        for (a, b), runs in needed.items():
            echo(f"{a} and {b}: {needed_text(runs, power)}.")
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


def _gathered(asked: Asked, scale: Scale, *, least: int = 2) -> Gathered:
    """Return the agents to compare, `least` or more, and what must be said of their scores."""
    found = gather(asked, scale)
    if len(found.agents) < least:
        there = f" there is only {next(iter(found.agents))!r}" if found.agents else " there is none"
        raise UsageError(
            f"a comparison needs at least {('one agent', 'two agents')[least - 1]}:{there}"
        )
    found.notes.extend(of_raw_scores(found.agents, scale))
    return found


def _order(unordered: Sequence[str], agents: Sequence[str]) -> str:
    """Return in which order runs are taken."""
    if not unordered:
        return "Runs are taken in the order of seeds."
    whose = "" if len(unordered) == len(agents) else f" of {', '.join(unordered)}"
    others = "" if len(unordered) == len(agents) else ", those of the others in that of seeds"
    return f"Runs{whose} have no numbers as seeds and are taken in the order of the files{others}."


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
