"""`rlbench evaluate`: a saved or fixed policy on a suite; no training budget is spent."""

from typing import Annotated

import typer

from rlbench.api.asking import (
    DEFAULT_STORE,
    STEP_TIMEOUT,
    parse_seeds,
    parse_suite,
)
from rlbench.cli.options import StoreOption, SuiteOption, UnofficialOption
from rlbench.cli.output import echo
from rlbench.cli.run import parse_tasks, print_sources, run_wanted, words_in
from rlbench.results.values import parse_options


def evaluate(
    suite: SuiteOption,
    agent: Annotated[str, typer.Option("--agent", help="sb3-zip:FILE, or what rlbench run takes.")],
    tasks: Annotated[str, typer.Option("--tasks", help="Some tasks, e.g. Pong,Breakout.")] = "",
    seeds: Annotated[str, typer.Option("--seeds", help="How many (5), or which (0-4).")] = "1",
    store: StoreOption = DEFAULT_STORE,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the policy."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The policy's display name.")] = "",
    given: Annotated[
        str,
        typer.Option(
            "--given",
            metavar="WORD,...",
            help="What it was given: by default pretraining. nothing: nothing was given.",
        ),
    ] = "",
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a policy from a file that can run code.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Workers at a time; 0: one a CPU.")
    ] = 0,
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda (all GPUs), cuda:0,1 or auto.")
    ] = "cpu",
    unofficial: UnofficialOption = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> int:
    """Evaluate a policy that does not learn, and keep a record of each run.

    The records say that no budget was spent, and that the policy was given pretraining: it is
    never ranked with agents that learned within the budget. Exit code 1 means that some runs
    failed, e.g. because the agent learns.
    """
    from rlbench.api.running import want_evaluations
    from rlbench.runners import Limits

    chosen = parse_suite(suite, unofficial)
    said = None if not given else [word for word in words_in(given) if word != "nothing"]
    wanted = want_evaluations(
        chosen, parse_tasks(chosen, tasks), agent, parse_seeds(seeds),
        config=parse_options(option or []), name=name, given=said, trust=trust, store=store,
        device=device, jobs=jobs,
    )  # fmt: skip
    if not quiet:
        print_sources(wanted.agent, None)
        echo("no training budget is spent: the policy is evaluated as it is")
    return run_wanted(wanted, Limits(STEP_TIMEOUT, None), quiet=quiet, trains=False)
