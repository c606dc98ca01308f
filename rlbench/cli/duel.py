"""`rlbench duel`: policies on common start states, until it is decided which is better."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlbench.api.asking import DEFAULT_STORE, MAX_EPISODES, STEP_TIMEOUT, parse_suite
from rlbench.cli.config import Settings
from rlbench.cli.options import (
    ConfigOption,
    JsonOption,
    PriceOption,
    StepTimeoutOption,
    StoreOption,
    SuiteOption,
    TimeoutOption,
    UnofficialOption,
)
from rlbench.cli.output import EXIT_UNDECIDED, echo, print_json, print_table
from rlbench.cli.run import parse_tasks, run_together
from rlbench.errors import UsageError

if TYPE_CHECKING:
    from rlbench.api.duels import By, Returns
    from rlbench.api.running import Wanted
    from rlbench.cli.dry_run import Outlook
    from rlbench.stats import DuelResult


def duel(
    context: typer.Context,
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY POLICY...", help="Each [NAME=]AGENT.")
    ],
    suite: SuiteOption,
    tasks: Annotated[str, typer.Option("--tasks", help="Some tasks, e.g. Pong,Breakout.")] = "",
    alpha: Annotated[
        float, typer.Option("--alpha", help="The level, over all pairs and all times.")
    ] = 0.05,
    episodes: Annotated[
        int,
        typer.Option("--episodes", min=1, max=MAX_EPISODES, help="Start states a task in a round."),
    ] = 20,
    max_rounds: Annotated[
        int, typer.Option("--max-rounds", min=1, help="Stop after so many rounds at the latest.")
    ] = 50,
    by: Annotated[
        str,
        typer.Option("--by", help="return or wins; by default return where returns are bounded."),
    ] = "",
    store: StoreOption = DEFAULT_STORE,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a policy from a file that can run code.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Workers at a time; 0: one a CPU.")
    ] = 0,
    device: Annotated[
        str, typer.Option("--device", help="cpu, cuda (all GPUs), cuda:0,1 or auto.")
    ] = "cpu",
    runs_per_gpu: Annotated[
        int, typer.Option("--runs-per-gpu", min=1, help="Runs that share a GPU.")
    ] = 1,
    backend: Annotated[
        str, typer.Option("--backend", help="Where rounds go: local, ray or slurm.")
    ] = "local",
    ray_address: Annotated[
        str, typer.Option("--ray-address", help="Of the Ray cluster; auto: this machine's.")
    ] = "auto",
    timeout: TimeoutOption = None,
    step_timeout: StepTimeoutOption = STEP_TIMEOUT,
    config: ConfigOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the next round, and what rounds take.")
    ] = False,
    price_per_hour: PriceOption = None,
    unofficial: UnofficialOption = "",
    json: JsonOption = False,
) -> int:
    """Say which of several saved or fixed policies is better, on as few episodes as it takes.

    All play the same start states, round after round, until all pairs are decided. You may stop
    and go on at any time. Exit code 3 means that a pair is undecided (--dry-run), or is so after
    the last round.
    """
    from rlbench.api.clusters import Placement
    from rlbench.api.duels import by_of, described, next_round, play, policies_of
    from rlbench.api.entrants import parse_entrant
    from rlbench.cli.dry_run import Outlook
    from rlbench.runners import Limits
    from rlbench.runners.tracking import check_trackers

    settings: Settings = context.obj
    check_trackers(settings.track)
    placement = Placement(
        backend=backend, address=ray_address, options=settings.clusters, device=device, jobs=jobs,
        runs_per_gpu=runs_per_gpu,
    )  # fmt: skip
    if not 0 < alpha < 1:
        raise UsageError(f"--alpha {alpha} must be inside (0, 1)")
    chosen = parse_suite(suite, unofficial)
    named = parse_tasks(chosen, tasks)
    compared_by = by_of(by, named)
    entrants = policies_of(chosen, named, list(map(parse_entrant, policies)), episodes, trust=trust)
    if not json:
        echo(described(compared_by, len(entrants.tasks), episodes, alpha))
    where: dict[str, Any] = {"max_rounds": max_rounds, "store": store, "placement": placement}
    if dry_run:
        at = next_round(entrants, compared_by, alpha, **where)
        outlook = Outlook(price_per_hour, json=json, trains=False)
        _print_next(at.needed, at.wanted, at.done, max_rounds, outlook)
        return EXIT_UNDECIDED if at.needed else 0

    def execute(wanted: "Sequence[Wanted]", title: str) -> int:
        return run_together(
            wanted, title, Limits(step_timeout, timeout), quiet=json, trains=False,
            checkpoint_every=settings.checkpoint_every, track=settings.track,
        )  # fmt: skip

    code, at = play(entrants, compared_by, alpha, execute=execute, **where)
    if code:
        return code
    assert at.result is not None
    _report(at.result, at.returns, compared_by, json=json)
    return EXIT_UNDECIDED if at.result.undecided_policies else 0


def _print_next(
    needed: Sequence[str],
    wanted: "Mapping[str, Wanted]",
    done: int,
    max_rounds: int,
    outlook: "Outlook",
) -> None:
    """Print what the next round takes, and all rounds that may follow; do nothing.

    Args:
        needed: The policies that are undecided.
        wanted: Their runs of the next round, by policy; none after the last round.
        done: How many rounds they have played.
        max_rounds: How many there may be.
        outlook: Says it.
    """
    if wanted:
        part = f"round {done + 1} of at most {max_rounds}"
        outlook.say(f"{part} comes next:")
        outlook.add(part, wanted, batches=max_rounds - done, called="rounds")
    elif needed:
        outlook.say(f"undecided after round {done}, the last: --max-rounds {2 * done} allows more")
    else:
        outlook.say("decided: no more rounds are needed")
    outlook.end()


def _report(result: "DuelResult", returns: "Returns", by: "By", *, json: bool) -> None:
    from rlbench.api.duels import rows_of, sentence, tested_text

    rows = rows_of(result, returns)
    if json:
        print_json(rows)
        return
    print_table(rows, list(rows[0]), tested_text(by))
    for row in rows:
        echo(sentence(row, by))
