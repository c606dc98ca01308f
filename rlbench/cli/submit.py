"""`rlbench submit`: make a bundle of runs, to be submitted to a leaderboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from rlbench.api.asking import DEFAULT_STORE
from rlbench.cli.check_submissions import EXIT_REFUSED, print_refusals
from rlbench.cli.options import load_store, suite_names
from rlbench.cli.output import echo
from rlbench.errors import UsageError
from rlbench.files import read_bounded, replace_file
from rlbench.results import Record, Store
from rlbench.results.labels import run_labels
from rlbench.results.store import is_store

DEFAULT_CARD = Path("card.toml")


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
    from rlbench import suites
    from rlbench.results import submissions

    store, records = _runs_in(runs)
    chosen = _one_agent(records, suite, agent, runs)
    said: dict[str, Any] = {
        "namespace": namespace or None, "who": who or None, "paper": paper, "code": code,
        "licence": licence or None, "configurations": configurations or None,
    }  # fmt: skip
    made = _card(card, {n: v for n, v in said.items() if v is not None}, chosen)
    try:
        official = suites.get(chosen[0].identity.suite)
    except UsageError as error:
        raise UsageError(f"only runs of registered suites can be submitted: {error}") from error
    files = submissions.make_bundle(chosen, made, official)
    if actions:
        files |= submissions.actions_of(chosen, store)
    place = submissions.place_of(made.namespace, chosen[0].identity)
    submission, refused = submissions.check_files(place, files)
    if refused or submission is None:
        print_refusals(refused)
        return EXIT_REFUSED
    submissions.write_bundle(files, out / place)
    for note in submissions.notes_of(submission):
        echo(note)
    echo(f"bundle: {out / place}. To check it again: rlbench check {out / place}")
    return 0


def _runs_in(runs: Path) -> tuple[Store, list[Record]]:
    """Return a store and those of its records that stand in a folder."""
    folder = runs.resolve()
    top = next((path for path in (folder, *folder.parents[:3]) if is_store(path)), folder)
    store = Store(top)
    records = load_store(top).records
    below = folder.relative_to(top).parts
    return store, [r for r in records if r.identity.folder[: len(below)] == below]


def _one_agent(records: Sequence[Record], suite: str, agent: str, runs: Path) -> list[Record]:
    """Return the official records of the agent and suite that are asked for.

    Raises:
        UsageError: There is none, or there are several.
    """
    names = run_labels(record.identity for record in records)
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        identity = record.identity
        if identity.unofficial or record.is_old or suite not in (
            "", identity.suite, identity.suite.partition("@")[0]
        ):  # fmt: skip
            continue
        known = (names[identity.key], identity.agent.name)
        if not agent or agent in known or identity.agent_key.startswith(agent.lower()):
            groups.setdefault((identity.suite, identity.agent_key), []).append(record)
    if len(groups) == 1:
        return next(iter(groups.values()))
    if not groups:
        raise UsageError(
            f"{runs} holds no such run under an official protocol. See: rlbench list runs --store "
            f"{runs}"
        )
    said = [
        f"{names[of[0].identity.key]} ({key[:8]}) on {suite_id}"
        for (suite_id, key), of in list(groups.items())[:5]
    ]
    more = f" and {len(groups) - 5} more" if len(groups) > 5 else ""
    raise UsageError(
        f"a bundle holds one agent on one suite, and {runs} has {', '.join(said)}{more}: add "
        "--suite, or --agent with a label or key"
    )


def _card(path: Path, said: Mapping[str, Any], records: Sequence[Record]) -> Any:
    """Return the card in a file and in options; write one to fill in where neither is enough.

    Raises:
        UsageError: The card is not complete.
    """
    from rlbench.results.submissions import card as cards

    known: dict[str, Any] = {
        "given": list(records[0].identity.agent.given),
        "seeds": sorted({record.identity.seed for record in records}),
        "other_seeds": 0,
        "failed": sum(record.status != "ok" for record in records),
        "deterministic": False,
        "note": "",
    }
    is_there = path.exists()
    try:
        in_file, why = (
            cards.read_fields(read_bounded(path, cards.MAX_BYTES)) if is_there else ({}, "")
        )
        if why:
            raise UsageError(f"{path}: {why}")
        fields = {**known, **in_file, **said} if not is_there else {**in_file, **said}
        problems = cards.problems_of(fields)
        if not problems:
            return cards.card_of(fields)
        if is_there:
            raise UsageError(f"{path}: {'; '.join(problems)}")
        replace_file(path, cards.to_toml(fields))
    except OSError as error:
        raise UsageError(f"cannot read or write the card {path}: {error.strerror}") from error
    empty = [name for name in cards.FIELDS if name not in fields]
    wrong = [problem for problem in problems if problem.split()[0] not in empty]
    what = f"fill in {', '.join(empty)}" if empty else "mend it"
    raise UsageError(
        f"wrote the card {path}: {what}{'; '.join(['', *wrong])}; see that seeds are those that "
        f"you planned; then the same command again with --card {path}"
    )
