"""`rlbench compare` and `rlbench plan`: which agent is better, and how many runs it takes."""

from pathlib import Path
from typing import Annotated

import typer

from rlbench.api.against import against as compare_against
from rlbench.api.apart import Question, despite_of
from rlbench.api.asking import STEP_TIMEOUT, Asked
from rlbench.api.batches import draw_stopping
from rlbench.api.comparing import (
    ADASTOP,
    Stopping,
    check_number,
    check_stop,
    compared,
    futility_lines,
    gather_to_compare,
    is_apart,
    planned,
    statistic_of,
    stopping,
)
from rlbench.api.gathering import Gathered
from rlbench.api.pairs import NEW_RUNS, POWER, aligned, coverage_notes, needed_text
from rlbench.api.scales import Scale
from rlbench.cli.against import show_against
from rlbench.cli.apart import show_apart
from rlbench.cli.config import Settings
from rlbench.cli.options import (
    ConfigOption,
    JsonOption,
    PriceOption,
    StepTimeoutOption,
    TimeoutOption,
    UnofficialOption,
    tell,
)
from rlbench.cli.output import EXIT_UNDECIDED, echo, print_json, print_table
from rlbench.cli.pairs import show_comparison
from rlbench.cli.sources import (
    LowerOption,
    NormaliseByOption,
    SuiteToNormalise,
    print_deviations,
    reads_files,
)
from rlbench.errors import UnknownName, UsageError
from rlbench.stats.aggregates import LABELS
from rlbench.stats.permutation import STATISTICS

StatisticOption = Annotated[
    str, typer.Option("--statistic", help=f"What is compared: {', '.join(STATISTICS)}.")
]
AlphaOption = Annotated[float, typer.Option("--alpha", help="The level, over all pairs.")]


@reads_files
def compare_agents(
    context: typer.Context,
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
            help="Test agents even if their protocols differ; every line then says so.",
        ),
    ] = False,
    batch: Annotated[int, typer.Option("--batch", help="Runs a task in a batch.")] = 5,
    max_batches: Annotated[int, typer.Option("--max-batches", help="How many at most.")] = 6,
    futility: Annotated[
        float | None,
        typer.Option(
            "--futility",
            metavar="DIFFERENCE",
            help="Give up a pair once a difference of this size can be ruled out.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --stop: the folder for a figure of the boundaries."),
    ] = None,
    run: Annotated[
        bool,
        typer.Option(
            "--run", help="Take agents, [NAME=]AGENT, and do the runs that --stop asks for."
        ),
    ] = False,
    tasks: Annotated[str, typer.Option("--tasks", help="With --run: some tasks.")] = "",
    teacher: Annotated[
        str, typer.Option("--teacher", help="With --run: of agents without one, AGENT+TEACHER.")
    ] = "",
    baseline: Annotated[
        str, typer.Option("--baseline", help="With --run: compare all others with this one only.")
    ] = "",
    first_seed: Annotated[
        int, typer.Option("--first-seed", min=0, help="With --run: the first seed.")
    ] = 0,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="With --run: workers at a time.")
    ] = 0,
    device: Annotated[
        str, typer.Option("--device", help="With --run: cpu, cuda (all GPUs), cuda:0,1 or auto.")
    ] = "cpu",
    runs_per_gpu: Annotated[
        int, typer.Option("--runs-per-gpu", min=1, help="With --run: runs that share a GPU.")
    ] = 1,
    backend: Annotated[
        str, typer.Option("--backend", help="With --run: local, ray or slurm.")
    ] = "local",
    ray_address: Annotated[
        str, typer.Option("--ray-address", help="With --backend ray: the cluster's address.")
    ] = "auto",
    timeout: TimeoutOption = None,
    step_timeout: StepTimeoutOption = STEP_TIMEOUT,
    config: ConfigOption = None,
    new_plan: Annotated[
        bool,
        typer.Option("--new-plan", help="With --run: begin another plan for the same agents."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --run: print the plan and the next runs.")
    ] = False,
    price_per_hour: PriceOption = None,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
    *,
    asked: Asked,
) -> int:
    """Compare agents on the tasks that all of them have runs of.

    With --stop adastop, exit code 3 means that some pair is undecided and needs more runs. With
    --run these runs are done, batch after batch, until all pairs are decided.
    """
    chosen = statistic_of(statistic)
    if run:
        from rlbench.api.clusters import Placement
        from rlbench.cli.sequential import How, run_comparison
        from rlbench.runners import Limits

        _check_run(stop, against, normalise_by, lower_is_better, despite_protocols)
        settings: Settings = context.obj
        return run_comparison(
            asked, suite, unofficial,
            How(
                tasks, teacher, new_plan, dry_run, json, out, price_per_hour,
                Limits(step_timeout, timeout), settings.checkpoint_every, settings.track,
            ),
            Placement(
                backend=backend, address=ray_address, options=settings.clusters, device=device,
                jobs=jobs, runs_per_gpu=runs_per_gpu,
            ),
            {
                "statistic": chosen, "alpha": alpha, "batch": batch, "max_batches": max_batches,
                "futility": futility, "first_seed": first_seed, "baseline": baseline,
            },
        )  # fmt: skip
    scale = Scale(suite, unofficial, normalise_by, lower_is_better=lower_is_better)
    gathered = gather_to_compare(asked, scale, tell)
    check_number(list(gathered.agents), 2 if against is None else 1)
    check_stop(stop, gathered, against)
    if against is not None:
        found = compare_against(gathered, against, chosen, alpha, scale)
        show_against(found, statistic, alpha, scale, json)
        _print_notes(gathered, found.notes, json)
        return 0
    question = Question(chosen, alpha, scale, despite_protocols)
    if stop and not is_apart(gathered, question):
        decided = stopping(gathered, question, batch, max_batches, futility)
        for line in [] if json else futility_lines(futility, max_batches, alpha):
            echo(line)
        _show_adastop(decided, json)
        draw_stopping(decided.result, out, tell)
        _print_notes(gathered, decided.notes, json)
        return EXIT_UNDECIDED if decided.result.undecided_agents else 0
    if json:
        answer = compared(gathered, question)
        print_json(answer.rows)
        _print_notes(gathered, answer.notes, json)
    elif is_apart(gathered, question):
        show_apart(gathered, question)
    else:
        _show_together(gathered, question)
    return 0


def _check_run(stop: str, against: float | None, *options: str | bool) -> None:
    """Raise unless runs can be done for what is asked.

    Raises:
        UnknownName: There is no such stopping rule.
        UsageError: An option is about scores that are there already.
    """
    if stop not in ("", ADASTOP):
        raise UnknownName("stopping rule", stop, [ADASTOP])
    if against is not None or any(options):
        raise UsageError(
            "--run decides between agents by AdaStop, on scores as the suite normalises them: "
            "leave out --against, --normalise-by, --lower-is-better and --despite-protocols"
        )


def _show_together(found: Gathered, question: Question) -> None:
    """Show agents that are all tested together."""
    notes = list(found.notes)
    scores = aligned(found.agents, question.scale, notes)
    despite = despite_of(found, question) if question.despite else None
    show_comparison(scores, question.statistic, question.alpha, question.scale, despite)
    _print_notes(found, [*notes, *coverage_notes(scores, question.statistic)], json=False)


def _print_notes(found: Gathered, notes: list[str], json: bool) -> None:
    print_deviations(found.published, err=json)
    for note in notes:
        echo(note, err=json)


@reads_files
def plan_runs(
    suite: SuiteToNormalise = "",
    normalise_by: NormaliseByOption = "",
    statistic: StatisticOption = "iqm",
    alpha: AlphaOption = 0.05,
    power: Annotated[
        float, typer.Option("--power", help="The chance of separating a pair, to plan for.")
    ] = POWER,
    difference: Annotated[
        float | None,
        typer.Option(
            "--difference", help="Plan for this difference; by default for the observed ones."
        ),
    ] = None,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
    *,
    asked: Asked,
) -> None:
    """Print power and width of intervals for numbers of runs, from the runs there are."""
    chosen = statistic_of(statistic)
    scale = Scale(suite, unofficial, normalise_by)
    gathered = gather_to_compare(asked, scale, tell)
    check_number(list(gathered.agents), 2)
    question = Question(chosen, alpha, scale, despite=False)
    found = planned(gathered, question, power=power, difference=difference)
    if json:
        print_json(found.rows)
    else:
        print_table(found.rows, list(found.rows[0]), f"{LABELS[statistic]} of {scale.title}")
        for (a, b), runs in found.needed.items():
            echo(f"{a} and {b}: {needed_text(runs, power)}.")
        if difference is None:
            echo(
                "The power is for the observed differences, which are uncertain; the ranges are "
                "for their 80% intervals."
            )
        echo(NEW_RUNS)
    _print_notes(gathered, found.notes, json)


def _show_adastop(decided: Stopping, json: bool) -> None:
    for line in decided.warnings:
        echo(f"warning: {line}", err=True)
    if json:
        print_json(decided.rows)
        return
    done, most = decided.result.looks
    print_table(
        decided.rows, ["a", "b", "decision"], f"AdaStop after batch {done} of at most {most}"
    )
    for line in decided.sentences:
        echo(line)
