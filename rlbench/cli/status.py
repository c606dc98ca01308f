"""`rlbench status`: what is being run, from any terminal."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from rlbench.api.asking import DEFAULT_STORE
from rlbench.api.words import duration
from rlbench.cli.options import JsonOption, StoreOption, load_store
from rlbench.cli.output import echo, print_json, print_table
from rlbench.errors import RLBenchError
from rlbench.results import Identity, Loaded, Phase, read_claim
from rlbench.results.labels import run_labels
from rlbench.results.store import check_recordable

_COLUMNS = ("agent", "task", "seed", "state", "phase", "budget_used", "budget", "episodes",
            "attempt", "for", "where")  # fmt: skip
_LEFT = "left"  # what begins anew


def status(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Show the runs that are going on or were left unfinished, and how many are done."""
    loaded = load_store(store)
    outcomes = {record.identity.key: record.status for record in loaded.records}
    outcomes |= {r.identity.key: r.status for r in loaded.records if r.status == "ok"}
    open_rows = []
    claimed = [row for path in sorted((store / "claims").glob("*.json")) if (row := _row(path))]
    identities = [row["agent"] for row in claimed] + [r.identity for r in loaded.records]
    names = run_labels(identities)
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
        echo(f"left out: {path}: it is no claim", err=True)
        return None
    phase = data.get("phase", "start")
    kept = any((path.parents[1] / "checkpoints" / identity.key).glob("[0-9]*"))
    left = "to go on" if kept else _LEFT
    return {
        "key": identity.key,
        "suite": identity.suite,
        "agent": identity,
        "task": identity.task,
        "seed": identity.seed,
        "state": left if claim.stale else "running",
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
        echo(f"nothing is run or kept in {store}")
