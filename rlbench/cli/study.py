"""`rlbench study`: a comparison that a file describes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlbench.api.asking import STEP_TIMEOUT
from rlbench.cli.examples import examples
from rlbench.cli.options import JsonOption, PriceOption, StepTimeoutOption, TimeoutOption
from rlbench.cli.output import EXIT_UNDECIDED, print_json
from rlbench.cli.run import EXIT_FAILED, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from rlbench.api.clusters import Placement
    from rlbench.api.study import Study
    from rlbench.cli.dry_run import Outlook
    from rlbench.cli.sequential import Decided, How
    from rlbench.suites import Suite, Task

_WORST_FIRST = (EXIT_INTERRUPTED, EXIT_FAILED, EXIT_UNDECIDED)  # exit codes of several suites

app = typer.Typer(help="Run comparisons that files describe.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE.toml", help="The study.")]


@app.command("run", epilog=examples("study run"))
def run_study(
    file: FileArgument,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Workers at a time; 0: one a CPU.")
    ] = 0,
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda (all GPUs), cuda:0,1 or auto.")
    ] = "cpu",
    runs_per_gpu: Annotated[
        int, typer.Option("--runs-per-gpu", min=1, help="Runs that share a GPU.")
    ] = 1,
    timeout: TimeoutOption = None,
    step_timeout: StepTimeoutOption = STEP_TIMEOUT,
    new_plan: Annotated[
        bool, typer.Option("--new-plan", help="Begin another plan for the same agents.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what is left, and what it takes.")
    ] = False,
    price_per_hour: PriceOption = None,
    json: JsonOption = False,
) -> int:
    """Tune, run, test and draw what a file describes. The same command resumes.

    Exit code 3 means undecided (--dry-run), 1 that runs failed.
    """
    from rlbench.api.study import read_study, suites_of
    from rlbench.cli.dry_run import Outlook
    from rlbench.cli.sequential import How
    from rlbench.runners import Limits

    study = read_study(file)
    suites = suites_of(study, file)
    placement = replace(study.placement, device=device, jobs=jobs, runs_per_gpu=runs_per_gpu)
    how = How(
        "", "", new_plan, dry_run, json, study.figures, price_per_hour,
        Limits(step_timeout, timeout),
    )  # fmt: skip
    outlook = Outlook(price_per_hour, json=json)
    codes, rows = list[int](), list[Mapping[str, Any]]()
    for suite, tasks in suites:
        if len(suites) > 1:
            outlook.say(f"suite {suite.id}")
            how = how._replace(out=study.figures and study.figures / suite.name)
        found = _carry_out(study, suite, tasks, placement, how, outlook)
        codes.append(found.code)
        rows += found.rows
        if found.code == EXIT_INTERRUPTED:
            break
    if dry_run:
        outlook.end()
    elif json and rows:
        print_json(rows)
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _carry_out(
    study: "Study",
    suite: "Suite",
    tasks: list["Task"],
    placement: "Placement",
    how: "How",
    outlook: "Outlook",
) -> "Decided":
    """Tune and compare the agents of a study on a suite."""
    from rlbench.api.entrants import resolve_entrants
    from rlbench.cli.sequential import Decided, decide
    from rlbench.cli.tuning import tuned

    outlook.awaiting = set()
    agents, code = tuned(study, suite, tasks, placement, how, outlook)
    if code:
        return Decided(code)
    entrants = resolve_entrants(suite, tasks, agents)
    settings = dict(study.settings)
    # In a curriculum, labels name teachers as well.
    of_name = dict(zip(study.agents, entrants.agents, strict=True))
    if "baseline" in settings:
        settings["baseline"] = of_name[settings["baseline"]]
    outlook.awaiting = {of_name[name] for name in outlook.awaiting}
    return decide(entrants, study.store, how, placement, settings, outlook)
