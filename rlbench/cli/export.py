"""`rlbench export`: the runs of a suite as CSV."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rlbench.api.asking import DEFAULT_STORE, PUBLISHED, parse_suite
from rlbench.api.keeping import csv_of, export_rows, write_whole
from rlbench.api.stores import records_of
from rlbench.cli.options import ReadableStoreOption, SuiteOption, UnofficialOption, tell
from rlbench.cli.output import echo, print_data
from rlbench.errors import UsageError
from rlbench.results import published
from rlbench.results.curricula import curricula_of, dump_curricula
from rlbench.results.record import MAX_TRAINING_EPISODES
from rlbench.results.scores import COLUMNS, CURVE_COLUMNS
from rlbench.suites import Suite

LAST_KEPT = MAX_TRAINING_EPISODES // 2  # training episodes at the end that every record has
PUBLISHED_COLUMNS = (
    "suite", "task", "agent", "run", "status", "score", "normalised", "source", "paper", "url",
    "licence", "deviations",
)  # fmt: skip


def export(
    suite: SuiteOption,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="The file to write; - prints it.")
    ] = None,
    proposals: Annotated[
        Path | None,
        typer.Option("--proposals", help="Write proposals of teachers, for the teacher `again`."),
    ] = None,
    store: ReadableStoreOption = DEFAULT_STORE,
    curves: Annotated[
        bool, typer.Option("--curves", help="Write a row for each evaluation, with its step.")
    ] = False,
    training_episodes: Annotated[
        int | None,
        typer.Option(
            "--training-episodes",
            min=1,
            max=LAST_KEPT,
            metavar="N",
            help="Score each run by its last N training episodes instead.",
        ),
    ] = None,
    unofficial: UnofficialOption = "",
) -> None:
    """Write one row a run, failed ones too, with raw and normalised scores."""
    chosen = parse_suite(suite, unofficial)
    if (csv is None) == (proposals is None):
        raise UsageError("name the file to write: --csv FILE or --proposals FILE")
    if proposals is not None:
        _write_proposals(proposals, store, chosen)
        return
    assert csv is not None
    if store == PUBLISHED and curves:
        raise UsageError("published scores have no curves: leave --curves out")
    if training_episodes and (curves or store == PUBLISHED):
        with_ = "--curves" if curves else f"--store {PUBLISHED}"
        raise UsageError(f"--training-episodes does not go with {with_}: leave one of them out")
    columns: tuple[str, ...]
    if store == PUBLISHED:
        table, columns = _published_rows(chosen), PUBLISHED_COLUMNS
    else:
        number = training_episodes or 0
        table = export_rows([store], chosen, tell, curves=curves, training_episodes=number)
        columns = CURVE_COLUMNS if curves else COLUMNS
    if training_episodes:
        table = _of_training(table, training_episodes)
    text = csv_of(table, columns)
    if str(csv) == "-":
        print_data(text)
        return
    write_whole(csv, text.encode())
    echo(f"{len(table)} {'evaluations' if curves else 'runs'} in {csv}")


def _of_training(table: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Say by what the rows are scored; leave out runs in which no training episode ended.

    Raises:
        UsageError: No run has a score by its training episodes.
    """
    kept = [row for row in table if row["status"] != "ok" or row["score"] is not None]
    scored = [row for row in kept if row["status"] == "ok"]
    if not scored:
        raise UsageError("no training episode ended in these runs: leave --training-episodes out")
    tell(
        f"The scores are mean returns of a run's last {number} training episodes, "
        "not those of the protocol's evaluation."
    )
    if short := sum(row["episodes"] < number for row in scored):
        tell(f"In {short} of {len(scored)} runs fewer training episodes ended: all of them count.")
    if left_out := len(table) - len(kept):
        tell(f"Runs in which no training episode ended, left out: {left_out}.")
    return kept


def _write_proposals(path: Path, store: Path, suite: Suite) -> None:
    """Write the curricula of a store's runs of a suite into one file."""
    found = curricula_of(records_of(store, suite, tell))
    if not found:
        raise UsageError(f"no run of {suite.id} in {store} has proposals of a teacher")
    write_whole(path, dump_curricula(found))
    echo(f"the proposals of {len(found)} runs in {path}")


def _published_rows(suite: Suite) -> list[dict[str, Any]]:
    """Return one row a published run or mean; its status keeps it apart from runs of one's own."""
    out = []
    for agent, scores in published.load(suite).items():
        source = scores.source
        about = {
            "suite": suite.id,
            "agent": agent,
            "status": "published",
            "source": source.slug,
            "paper": source.paper,
            "url": source.url,
            "licence": source.licence,
            "deviations": published.in_words(published.deviations(scores)),
        }
        for task, normalised in scores.normalised().items():
            columns = (scores.runs[task], scores.values[task].tolist(), normalised.tolist())
            for run, score, share in zip(*columns, strict=True):
                out.append({**about, "task": task, "run": run, "score": score, "normalised": share})
    return out
