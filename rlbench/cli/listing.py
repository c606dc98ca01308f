"""`rlbench list`: suites, tasks, agents, teachers, runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from rlbench import suites
from rlbench.api.asking import DEFAULT_STORE, PUBLISHED, parse_suite
from rlbench.cli.examples import examples
from rlbench.cli.options import (
    JsonOption,
    ReadableStoreOption,
    SuiteOption,
    load_store,
)
from rlbench.cli.output import echo, print_json, print_table
from rlbench.registry import Registry
from rlbench.results import published, unofficial_text
from rlbench.results.labels import run_labels
from rlbench.results.record import SCHEMA_VERSION

PUBLISHED_COLUMNS = ("source", "suite", "agent", "tasks", "runs", "paper", "licence")

app = typer.Typer(help="List suites, tasks, agents, teachers or runs.", no_args_is_help=True)


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        print_table(rows, columns)


@app.command("suites", epilog=examples("list suites"))
def list_suites(json: JsonOption = False) -> None:
    """List the suites."""
    rows: list[dict[str, Any]] = []
    found, problems = suites.load_all()
    for problem in problems:
        echo(f"note: {problem}", err=True)
    for suite in found:
        protocol = suite.protocol
        rows.append(
            {
                "id": suite.name,
                "version": suite.version,
                "kind": protocol.kind,
                "tasks": len(suite.tasks),
                "budget": protocol.budget,
                "unit": protocol.unit,
                "episodes": protocol.episodes,
                "extra": suite.extra,
                "can_run": suite.can_run,
                "summary": suite.summary,
            }
        )
    if not json:
        rows = [
            row | {"id": suites.get(row["id"]).id, "run": "yes" if row["can_run"] else "not yet"}
            for row in rows
        ]
    _print(rows, ("id", "tasks", "run", "summary"), json)


@app.command("tasks", epilog=examples("list tasks"))
def list_tasks(suite: SuiteOption, json: JsonOption = False) -> None:
    """List the tasks of a suite with their reference scores and digests."""
    chosen = parse_suite(suite)
    low, high = chosen.references
    rows = [
        {
            "suite": chosen.id,
            "task": task.name,
            f"{low}_score": task.low,
            f"{high}_score": task.high,
            "digest": chosen.digest(task),
        }
        for task in chosen.tasks
    ]
    if not json:
        rows = [{**row, "digest": str(row["digest"])[:12]} for row in rows]
    _print(rows, ("task", f"{low}_score", f"{high}_score", "digest"), json)


@app.command("agents", epilog=examples("list agents"))
def list_agents(json: JsonOption = False) -> None:
    """List the registered agents."""
    from rlbench.runners.agents.agent import AGENTS

    _print_registered(AGENTS, json)


@app.command("teachers", epilog=examples("list teachers"))
def list_teachers(json: JsonOption = False) -> None:
    """List the registered teachers of curricula."""
    from rlbench.runners.teachers.teacher import TEACHERS

    _print_registered(TEACHERS, json)


def _print_registered(registry: Registry, as_json: bool) -> None:
    """Print what comes with rlbench, and what other packages register."""
    kind, own = registry.kind, registry.own
    rows = [
        {
            kind: name,
            "factory": target,
            "version": own[name].version if name in own else None,
            "extra": own[name].extra or None if name in own else None,
            "from": "rlbench" if name in own else "entry point",
        }
        for name, target in registry.targets().items()
    ]
    _print(rows, (kind, "factory", "version", "extra", "from"), as_json)


@app.command("runs", epilog=examples("list runs"))
def list_runs(store: ReadableStoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """List the runs in a store, or the sources of published ones."""
    if store == PUBLISHED:
        _print(_published_rows(), PUBLISHED_COLUMNS, json)
        return
    rows = []
    records = load_store(store).records
    names = run_labels(record.identity for record in records)
    for record in records:
        identity = record.identity
        rows.append(
            {
                "key": identity.key,
                "suite": identity.suite,
                "unofficial": unofficial_text(identity.unofficial),
                "agent": names[identity.key],
                "task": identity.task,
                "seed": identity.seed,
                "status": record.status,
                "score": record.score if record.status == "ok" else None,
                "seconds": record.timing.get("seconds"),
                "schema": 1 if record.is_old else SCHEMA_VERSION,
                "digest": identity.digest,
            }
        )
    if not json:
        rows = _told_apart(rows)
        rows = [{**r, "status": f"{r['status']} (old)"} if r["schema"] == 1 else r for r in rows]
    columns = ("key", "suite", "unofficial", "agent", "task", "seed", "status", "score", "seconds")
    _print(rows, columns, json)


def _told_apart(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows whose suite says more where one name stands for several protocols of a task."""
    digests: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        if row["schema"] == SCHEMA_VERSION:
            one = (row["suite"], row["unofficial"], row["task"])
            digests.setdefault(one, set()).add(row["digest"])
    several = {suite for (suite, _, _), of_task in digests.items() if len(of_task) > 1}
    return [
        {**row, "suite": f"{row['suite']} {row['digest'][:6]}"} if row["suite"] in several else row
        for row in map(dict, rows)
    ]


def _published_rows() -> list[dict[str, Any]]:
    """Return one row a source, on the board that it is nearest to."""
    out = []
    for source in published.sources():
        suite = suites.get(source.boards[0])
        scores = published.load(suite)[source.agent]
        runs = 0 if source.means_only else sum(map(len, scores.values.values()))
        values = (
            source.slug, suite.id, source.agent, len(scores.values), runs, source.paper,
            source.licence,
        )  # fmt: skip
        out.append(dict(zip(PUBLISHED_COLUMNS, values, strict=True)))
    return out
