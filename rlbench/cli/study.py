"""`rlbench study`: a comparison that a file describes."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from rlbench.api.asking import STEP_TIMEOUT, parse_suite
from rlbench.cli.examples import examples
from rlbench.cli.options import JsonOption, PriceOption, StepTimeoutOption, TimeoutOption

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
    from rlbench.api.entrants import resolve_entrants
    from rlbench.api.study import read_study
    from rlbench.cli.dry_run import Outlook
    from rlbench.cli.run import parse_tasks
    from rlbench.cli.sequential import How, decide
    from rlbench.cli.tuning import tuned
    from rlbench.runners import Limits

    study = read_study(file)
    chosen = parse_suite(study.suite, study.unofficial)
    tasks = parse_tasks(chosen, study.tasks)
    placement = replace(study.placement, device=device, jobs=jobs, runs_per_gpu=runs_per_gpu)
    how = How(
        study.tasks, "", new_plan, dry_run, json, study.figures, price_per_hour,
        Limits(step_timeout, timeout),
    )  # fmt: skip
    outlook = Outlook(price_per_hour, json=json)
    agents, code = tuned(study, chosen, tasks, placement, how, outlook)
    if code:
        return code
    entrants = resolve_entrants(chosen, tasks, agents)
    settings = dict(study.settings)
    # In a curriculum, labels name teachers as well.
    of_name = dict(zip(study.agents, entrants.agents, strict=True))
    if "baseline" in settings:
        settings["baseline"] = of_name[settings["baseline"]]
    outlook.awaiting = {of_name[name] for name in outlook.awaiting}
    return decide(entrants, study.store, how, placement, settings, outlook)
