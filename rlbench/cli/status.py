"""`rlbench status`: what is being run, from any terminal."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from rlbench.api.asking import DEFAULT_STORE
from rlbench.api.words import duration
from rlbench.cli.options import JsonOption, StoreOption, load_store
from rlbench.cli.output import echo, print_json, print_table
from rlbench.errors import RLBenchError
from rlbench.results import Identity, Loaded, Phase, Store, read_claim
from rlbench.results.labels import run_labels
from rlbench.results.store import check_recordable

_COLUMNS = ("agent", "task", "seed", "state", "phase", "budget_used", "budget", "episodes",
            "attempt", "for", "where")  # fmt: skip
_LEFT = "left"  # what starts over
_STALE = "stale"  # what no command can resume

CleanOption = Annotated[
    bool,
    typer.Option(
        "--clean",
        help="Remove the checkpoints of stale runs: their agent's or teacher's source was changed.",
    ),
]


def status(
    store: StoreOption = DEFAULT_STORE, clean: CleanOption = False, json: JsonOption = False
) -> None:
    """Show the runs that are running or unfinished, and how many are done.

    A stale run is unfinished, and the source of its agent or teacher was changed since: no command
    can resume it. --clean removes its checkpoint.
    """
    loaded = load_store(store)
    outcomes = {record.identity.key: record.status for record in loaded.records}
    outcomes |= {r.identity.key: r.status for r in loaded.records if r.status == "ok"}
    open_rows = []
    claimed = [row for path in sorted((store / "claims").glob("*.json")) if (row := _row(path))]
    identities = [row["agent"] for row in claimed] + [r.identity for r in loaded.records]
    names = run_labels(identities)
    if clean:
        claimed = [row for row in claimed if not _is_removed(row, names, Store(store))]
    for row in claimed:
        row["agent"] = names[row["key"]]
        if outcomes.get(row["key"]) != "ok":
            if row["state"] == _LEFT:
                row["state"] = outcomes.get(row["key"], _LEFT)
            open_rows.append(row)
    if json:
        print_json(open_rows)
        return
    if open_rows:
        print_table(open_rows, _COLUMNS)
    _print_summary(loaded, names, len(open_rows), store)


def _is_removed(row: Mapping[str, Any], names: Mapping[str, str], store: Store) -> bool:
    """Remove what a stale run has left, and say so; return whether it was done."""
    if row["state"] != _STALE:
        return False
    from rlbench.runners.stale import discard

    size = discard(store, row["agent"])
    if size is None:
        return False
    what = f"{names[row['key']]}, {row['task']}, seed {row['seed']}"
    echo(f"removed: {what}: {size / 1e6:,.1f} MB; its source was changed", err=True)
    return True


def _row(path: Path) -> dict[str, Any] | None:
    """Return what a claim says of a run, its identity as the agent; if it is none, None."""
    claim = read_claim(path)
    if claim is None:
        return None
    data = claim.data
    try:
        identity = Identity.from_dict(data["identity"])
        check_recordable(identity)
        since = duration(time.time() - float(data["since"]))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RLBenchError):
        echo(f"left out: {path}: it is not a claim", err=True)
        return None
    phase = data.get("phase", "start")
    kept = any((path.parents[1] / "checkpoints" / identity.key).glob("[0-9]*"))
    state = "running"
    if claim.stale:
        from rlbench.runners.stale import is_stale

        state = "to go on" if kept else _LEFT
        state = _STALE if is_stale(identity, data.get("origin")) else state
    return {
        "key": identity.key,
        "suite": identity.suite,
        "agent": identity,
        "task": identity.task,
        "seed": identity.seed,
        "state": state,
        "phase": phase if phase in get_args(Phase) else "unknown",
        "budget_used": claim.count("budget_used"),
        "budget": identity.constants.get("budget"),
        "episodes": claim.count("episodes"),
        "attempt": claim.count("attempt"),
        "for": "" if claim.stale else since,
        "where": f"{str(data.get('host'))[:64]}, process {claim.count('pid')}",
    }


def _print_summary(loaded: Loaded, names: Mapping[str, str], unfinished: int, store: Path) -> None:
    """Print how many runs are done, by suite and agent."""
    counts = Counter(
        (record.identity.suite, names[record.identity.key], record.status)
        for record in loaded.records
    )
    for (suite, agent, outcome), number in sorted(counts.items()):
        echo(f"{suite}, {agent}: {number} {outcome}")
    if not counts and not unfinished:
        echo(f"there are no runs in {store}")
