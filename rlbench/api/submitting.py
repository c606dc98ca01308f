"""Bundles of an agent's runs, to be submitted to a leaderboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rlbench import suites
from rlbench.api.stores import Tell, load_store
from rlbench.errors import UsageError
from rlbench.files import read_bounded, replace_file
from rlbench.results import Record, Store, submissions
from rlbench.results.labels import run_labels
from rlbench.results.store import is_store
from rlbench.results.submissions import Refusal

DEFAULT_CARD = Path("card.toml")


class Bundle(NamedTuple):
    """What came of making a bundle.

    Attributes:
        path: Where it is, if it was written.
        refused: Why it was not.
        notes: What a reviewer will see of it.
    """

    path: Path
    refused: Sequence[Refusal]
    notes: Sequence[str]


def make_bundle(
    records: Sequence[Record],
    store: Store,
    card: Path,
    said: Mapping[str, Any],
    *,
    actions: bool,
    out: Path,
) -> Bundle:
    """Write the bundle of one agent's records on one suite, unless it would be refused.

    Args:
        records: All that there are, failed ones too.
        store: Where they are.
        card: The card's file; without it, a card to fill in is written.
        said: Fields of the card that stand over those of the file.
        actions: Add the actions, so that others can replay.
        out: The folder of submissions.

    Raises:
        UsageError: The card is not complete, or the suite is not registered.
    """
    made = card_for(card, said, records)
    try:
        official = suites.get(records[0].identity.suite)
    except UsageError as error:
        raise UsageError(f"only runs of registered suites can be submitted: {error}") from error
    files = submissions.make_bundle(records, made, official)
    if actions:
        files |= submissions.actions_of(records, store)
    place = submissions.place_of(made.namespace, records[0].identity)
    submission, refused = submissions.check_files(place, files)
    if refused or submission is None:
        return Bundle(out / place, refused, ())
    submissions.write_bundle(files, out / place)
    return Bundle(out / place, (), submissions.notes_of(submission))


def runs_in(runs: Path, tell: Tell) -> tuple[Store, list[Record]]:
    """Return a store and those of its records that stand in a folder; tell of bad files."""
    folder = runs.resolve()
    top = next((path for path in (folder, *folder.parents[:3]) if is_store(path)), folder)
    store = Store(top)
    records = load_store(top, tell).records
    below = folder.relative_to(top).parts
    return store, [r for r in records if r.identity.folder[: len(below)] == below]


def one_agent(records: Sequence[Record], suite: str, agent: str, runs: Path) -> list[Record]:
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


def card_for(path: Path, said: Mapping[str, Any], records: Sequence[Record]) -> Any:
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
