"""`rlbench verify`: play the final evaluations of runs again, and compare."""

from typing import Annotated

import typer

from rlbench.cli.options import DEFAULT_STORE, JsonOption, StoreOption, load_store
from rlbench.cli.output import print_json
from rlbench.errors import UsageError
from rlbench.results import Loaded, Record, Store
from rlbench.results.scores import display_name

EXIT_DIFFERENT = 1


def verify(
    runs: Annotated[list[str], typer.Argument(help="The (starts of) keys of runs.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Play the final evaluation of runs again by the actions that were kept.

    Exit code 1 means that an environment is not the same here, or that a return is not what the
    actions lead to. That the agent chose those actions is not shown.
    """
    from rlbench.runners.replay import verify as verify_record

    loaded = load_store(store)
    rows = []
    for record in [_record_of(key, loaded, store) for key in runs]:
        verdict = verify_record(record, Store(store))
        identity = record.identity
        rows.append(
            {
                "key": identity.key,
                "suite": identity.suite,
                "agent": display_name(identity),
                "task": identity.task,
                "seed": identity.seed,
                "equal": verdict.equal,
                "detail": verdict.detail,
            }
        )
        if not json:
            said = "equal" if verdict.equal else "DIFFERENT"
            typer.echo(f"{said}: {identity.key} {identity.task} seed {identity.seed}: "
                       f"{verdict.detail}")  # fmt: skip
    if json:
        print_json(rows)
    return 0 if all(row["equal"] for row in rows) else EXIT_DIFFERENT


def _record_of(key: str, loaded: Loaded, store: object) -> Record:
    """Return the ``ok`` record of a run.

    Raises:
        UsageError: There is none, or several runs have keys that start so.
    """
    found = [
        record
        for record in loaded.records
        if record.status == "ok" and record.identity.key.startswith(key.lower())
    ]
    if len(found) != 1:
        said = f"{len(found)} runs that ended well have keys" if found else (
            "no run that ended well has a key"
        )  # fmt: skip
        raise UsageError(f"{said} that starts with {key!r}. See: rlbench list runs --store {store}")
    return found[0]
