"""`rlbench verify`: play the final evaluations of runs again, and compare."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from rlbench.api.asking import DEFAULT_STORE, parse_suite
from rlbench.api.keeping import verified
from rlbench.cli.options import JsonOption, StoreOption, ended_run, load_store
from rlbench.cli.output import echo, print_json
from rlbench.errors import RLBenchError, UsageError
from rlbench.results import Loaded, Record, Store
from rlbench.results.labels import run_labels

EXIT_DIFFERENT = 1


def verify(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            help="The (starts of) keys of runs; by default all that kept their actions."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    suite: Annotated[
        str,
        typer.Option(
            "--suite", help="Runs of this suite, e.g. my_suite.toml: one in a file must be named."
        ),
    ] = "",
    retrained: Annotated[
        Path | None,
        typer.Option("--retrained", help="A store of the same agents, trained by somebody else."),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="With --retrained: who trained them.")] = "",
    json: JsonOption = False,
) -> int:
    """Replay the recorded actions of final evaluations, and compare returns.

    Exit code 1 means that an environment is not the same here, that a return differs from the
    recorded one, or that a run could not be replayed: its line says why. A replay does not show
    that the agent chose those actions. --json prints a row for each replayed run; rlbench
    leaderboard build --replays reads it.

    With --retrained nothing is replayed: the scores of two trainings are compared, and rlbench
    leaderboard build --retrained reads what --json prints. Exit code 1 means that the scores do
    not agree.
    """
    if retrained or by:
        return _compare_trainings(store, retrained, suite, by, json=json)
    loaded = load_store(store)
    rows = []
    names = run_labels(record.identity for record in loaded.records)
    not_played = 0
    named = parse_suite(suite) if suite else None
    if named:
        mine = [r for r in loaded.records if r.identity.suite == named.id]
        loaded = Loaded(mine, loaded.problems)
    chosen = [ended_run(key, loaded, store) for key in runs or ()] or _all_of(loaded, store)
    for record in chosen:
        identity = record.identity
        name = f"{identity.key} {identity.task} seed {identity.seed}"
        try:
            row = verified(record, Store(store), names[identity.key], named)
        except RLBenchError as error:
            echo(f"not replayed: {name}: {error}", err=True)
            not_played += 1
            continue
        rows.append(row)
        said = "equal" if row["equal"] else "DIFFERENT"
        echo(f"{said}: {name}: {row['detail']}", err=json)
    if json:
        print_json(rows)
    return EXIT_DIFFERENT if not_played or not all(row["equal"] for row in rows) else 0


def _compare_trainings(store: Path, again: Path | None, suite: str, by: str, *, json: bool) -> int:
    """Compare the scores of two trainings; return the exit code."""
    from rlbench.leaderboard.retrained import compare_trainings

    if again is None or not by.strip() or not suite:
        raise UsageError("--retrained STORE needs --by NAME and --suite NAME")
    found = compare_trainings(
        load_store(store).records, load_store(again).records, parse_suite(suite), by,
        datetime.now(UTC).date().isoformat(),
    )  # fmt: skip
    for row in found:
        said = "agree" if row.compatible else "DIFFERENT"
        echo(
            f"{said}: agent {row.agent_key[:8]}: the IQM differs by {row.difference:.3f} "
            f"[{row.low:.3f}, {row.high:.3f}]",
            err=json,
        )
    if json:
        print_json([row.to_row() for row in found])
    return 0 if all(row.compatible for row in found) else EXIT_DIFFERENT


def _all_of(loaded: Loaded, store: object) -> list[Record]:
    """Return the ``ok`` records that have something to replay.

    Raises:
        UsageError: There is none.
    """
    ended_well = [record for record in loaded.records if record.status == "ok"]
    found = [record for record in ended_well if record.replay is not None]
    if not found:
        raise UsageError(f"no run in the store {store} ended well and kept its actions")
    if without := len(ended_well) - len(found):
        echo(f"records without actions, which are not replayed: {without}", err=True)
    return found
