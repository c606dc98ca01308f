"""`rlbench submit`: make a bundle of runs, to be submitted to a leaderboard."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rlbench.api.asking import DEFAULT_STORE
from rlbench.api.submitting import DEFAULT_CARD, make_bundle, one_agent, runs_in
from rlbench.cli.check_submissions import EXIT_REFUSED, print_refusals
from rlbench.cli.options import suite_names, tell
from rlbench.cli.output import echo


def submit(
    runs: Annotated[
        Path, typer.Argument(help="A store, or a folder in one: its runs alone.")
    ] = DEFAULT_STORE,
    suite: Annotated[
        str, typer.Option("--suite", help="Runs of this suite.", autocompletion=suite_names)
    ] = "",
    agent: Annotated[
        str, typer.Option("--agent", help="Runs of this agent: its label, or the start of its key.")
    ] = "",
    card: Annotated[
        Path, typer.Option("--card", help="The card; without it, a card to fill in is written.")
    ] = DEFAULT_CARD,
    namespace: Annotated[str, typer.Option("--namespace", help="Your folder.")] = "",
    who: Annotated[
        list[str] | None, typer.Option("--who", help="An author of the agent; repeat for several.")
    ] = None,
    paper: Annotated[str | None, typer.Option("--paper", help="https://...; or '' for none.")] = (
        None
    ),
    code: Annotated[str | None, typer.Option("--code", help="https://...; or '' for none.")] = None,
    licence: Annotated[str, typer.Option("--licence", help="Of the records: CC-BY-4.0.")] = "",
    configurations: Annotated[
        int, typer.Option("--configurations", min=0, help="How many you tried on the suite.")
    ] = 0,
    actions: Annotated[
        bool, typer.Option("--actions", help="Add the actions, so that others can replay.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="The folder of submissions.")] = Path(
        "submissions"
    ),
) -> int:
    """Make a bundle of one agent's runs on one suite: the records, their hashes and a card.

    The card says who submits and how many configurations were tried. Fields that neither an
    option nor --card gives are empty in a new card. Exit code 2 means that there is no bundle yet.
    """
    store, records = runs_in(runs, tell)
    chosen = one_agent(records, suite, agent, runs)
    said: dict[str, Any] = {
        "namespace": namespace or None, "who": who or None, "paper": paper, "code": code,
        "licence": licence or None, "configurations": configurations or None,
    }  # fmt: skip
    given = {n: v for n, v in said.items() if v is not None}
    bundle = make_bundle(chosen, store, card, given, actions=actions, out=out)
    if bundle.refused:
        print_refusals(bundle.refused)
        return EXIT_REFUSED
    for note in bundle.notes:
        echo(note)
    echo(f"bundle: {bundle.path}. To check it again: rlbench check {bundle.path}")
    return 0
