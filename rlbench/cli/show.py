"""`rlbench show`: a suite's protocol card, or one run."""

import json as json_module
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from rlbench import suites
from rlbench.api.asking import DEFAULT_STORE, parse_suite
from rlbench.api.words import format_cell
from rlbench.cli.options import StoreOption, ended_run, load_store
from rlbench.cli.output import echo, print_json
from rlbench.errors import UnknownName, UsageError
from rlbench.files import replace_file
from rlbench.results import AgentId, Record, Store, published, unofficial_text
from rlbench.results.labels import run_labels
from rlbench.results.published import PublishedSource
from rlbench.suites import Suite


def show(
    what: Annotated[
        str,
        typer.Argument(
            help="A suite or its file, the (start of the) key of a run, a published source or its "
            "agent."
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    json: Annotated[bool, typer.Option("--json", help="Print the record as it is kept.")] = False,
    picture: Annotated[
        bool, typer.Option("--picture", help="Write moments of a run's evaluation as a PNG.")
    ] = False,
    video: Annotated[
        bool, typer.Option("--video", help="Write an episode of it as an animated PNG.")
    ] = False,
    terrains: Annotated[
        bool, typer.Option("--terrains", help="Write tasks that a run's teacher proposed as a PNG.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file; by default TASK-SEED-KEY.png.")
    ] = None,
    suite: Annotated[
        str, typer.Option("--suite", help="The suite of the run, if it is in a file.")
    ] = "",
) -> None:
    """Show a suite's protocol, or what is known of a run or of a source of published scores.

    Pictures are of the first episode of a run's final evaluation. It is replayed from the
    recorded actions, and shows what the environment renders, or else what the agent saw.
    """
    asked = {"picture": picture, "video": video, "terrains": terrains}
    if kinds := [kind for kind, is_asked in asked.items() if is_asked]:
        if len(kinds) > 1:
            raise UsageError(f"--{' and --'.join(kinds)} make a file each: give one of them")
        _draw(what, store, kinds[0], out, suite)
        return
    if out is not None or suite:
        raise UsageError(
            "--out and --suite are for --picture, --video or --terrains: add one of them"
        )
    if suites.names_file(what) or what.partition("@")[0] in suites.names():
        _show_suite(suites.get(what))
        return
    sources = [s for s in published.sources() if what.casefold() in (s.slug, s.agent.casefold())]
    for number, source in enumerate(sources):
        if number:
            echo()
        _show_source(source)
    if not sources:
        _show_runs(what, store, json=json)


def _show_runs(what: str, store: Path, *, json: bool) -> None:
    """Show what the records of a run say, or name what there is to show."""
    records = [] if store == DEFAULT_STORE and not store.exists() else load_store(store).records
    found = [r for r in records if r.identity.key.startswith(what.lower())]
    if not found:
        names = [n for s in published.sources() for n in (s.agent, s.slug)]
        raise UnknownName(
            "suite, run or published agent", what, [*suites.names(), *names],
            see=f"rlbench list suites, rlbench list runs --store {store} (or published)",
        )  # fmt: skip
    if len({r.identity.key for r in found}) > 1:
        raise UsageError(f"{len(found)} runs have keys that start with {what!r}: give more of it")
    if json:
        print_json([json_module.loads(r.to_bytes()) for r in found])
        return
    labels = run_labels(record.identity for record in records)
    for record in found:
        _show_run(record, labels[record.identity.key])


def _draw(what: str, store: Path, kind: str, out: Path | None, suite: str) -> None:
    """Write a picture or a video of a run, or of what its teacher proposed."""
    from rlbench.api.pictures import picture_of, terrains_of, video_of

    named = parse_suite(suite) if suite else None
    record = ended_run(what, load_store(store), store)
    identity = record.identity
    name = f"{identity.task.replace('/', '-')}-{identity.seed}-{identity.key[:8]}"
    path = out or Path(f"{name}.png" if kind == "picture" else f"{name}-{kind}.png")
    if path.suffix.lower() != ".png":
        what_is = "terrains are" if kind == "terrains" else f"a {kind} is"
        raise UsageError(f"{path}: {what_is} a PNG: give its name the end .png")
    of_it = ""
    if kind == "picture":
        content = picture_of(record, Store(store), named)
    elif kind == "terrains":
        content = terrains_of(record, named)
    else:
        content, every = video_of(record, Store(store), named)
        of_it = f", 1 of {every} steps" if every > 1 else ""
    try:
        replace_file(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    if kind == "terrains":
        echo(f"{path}: tasks that the teacher proposed, the first on top")
        return
    returns, steps = record.final.returns[0], record.final.lengths[0]
    echo(f"{path}: the first of {len(record.final.returns)} episodes, {steps} steps{of_it}, "
         f"return {returns:g}")  # fmt: skip


def _show_suite(suite: Suite) -> None:
    echo(f"{suite.id}: {suite.title}. {suite.summary}".rstrip())
    echo()
    if not suite.can_run:
        echo("It cannot be run yet: it holds published scores only.")
        echo()
    for name, value in suite.protocol.constants().items():
        echo(f"  {name:<18} {value}".rstrip())
    echo()
    for note in suite.notes:
        echo(f"- {note}")
    if suite.notes:
        echo()
    source = suite.reference_source or "no source is stated"
    echo(f"Reference scores ({', '.join(suite.references)}): {source}")
    echo(f"Tasks: {', '.join(task.name for task in suite.tasks)}")
    if suite.file:
        for task in suite.tasks:
            own = {**task.overrides, **task.assets}
            echo(f"  {task.name}: {unofficial_text(own)}; digest {suite.digest(task)[:12]}")


def _show_source(source: PublishedSource) -> None:
    suite = suites.get(source.boards[0])
    scores = published.load(suite)[source.agent]
    runs = sorted({len(values) for values in scores.values.values()})
    each = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    fields = {name: value for name, value in scores.fields.items() if value is not None}
    unknown = [name.replace("_", " ") for name in scores.fields if name not in fields]
    lines: dict[str, object] = {
        "source": source.slug,
        "agent": source.agent,
        "paper": source.paper,
        "taken from": f"{source.url} {source.path}",
        "licence": source.licence,
        "boards": ", ".join(source.boards),
        "tasks": f"{len(scores.values)} of {len(suite.tasks)}",
        "runs a task": None if source.means_only else each,
        "never ranked": source.never_ranked or None,
        "note": source.note or None,
        **{name.replace("_", " "): value for name, value in fields.items()},
        "not known": ", ".join(unknown) or None,
        "deviations": published.in_words(published.deviations(scores)),
    }
    for name, value in lines.items():
        if value is not None:
            echo(f"{name:<20} {value}")


def _gaps(record: Record) -> Iterator[tuple[int, str, float]]:
    """Yield how far each other evaluation's score is above the main one's, point by point."""
    main = {e.budget_used: e for e in record.main_evaluations}
    for evaluation in record.evaluations:
        at = main.get(evaluation.budget_used)
        if at is not None and evaluation.name != at.name:
            gap = record.score_of(evaluation) - record.score_of(at)
            yield evaluation.budget_used, f"{evaluation.name} - {at.name}", gap


def _version(agent: AgentId) -> str:
    return agent.version or f"source {str(agent.source)[:12]}"


def _show_run(record: Record, label: str) -> None:
    identity = record.identity
    teacher = identity.teacher
    lines: dict[str, object] = {
        "run": identity.key,
        "suite": identity.suite,
        "unofficial": unofficial_text(identity.unofficial) or None,
        "task": identity.task,
        "agent": f"{label} ({identity.agent.spec})",
        "factory": identity.agent.factory or None,
        "version": _version(identity.agent),
        "options": unofficial_text(identity.agent.config) or None,
        "given": ", ".join(identity.agent.given) or None,
        "teacher": teacher and f"{teacher.name} ({teacher.spec})",
        "teacher's factory": teacher and teacher.factory,
        "teacher's version": teacher and _version(teacher),
        "teacher's options": teacher and (unofficial_text(teacher.config) or None),
        "seed": identity.seed,
        "digest": identity.digest,
        "status": record.status,
        "schema": "1 (old: not ranked with newer records)" if record.is_old else None,
        "engine": record.engine and record.engine.fingerprint,
    }
    if record.error:
        error = record.error
        lines["reason"] = error.reason
        lines["where"] = f"{error.phase}, step {'unknown' if error.step is None else error.step}"
    for evaluation in record.evaluations:
        is_main = evaluation in record.main_evaluations
        what = "score" if is_main else evaluation.name
        extra = ", extra" if evaluation.extra else ""
        lines[f"{what} at {evaluation.budget_used}"] = (
            f"{format_cell(record.score_of(evaluation))} ({len(evaluation.returns)} episodes, "
            f"{evaluation.distinct_starts} distinct starts{extra})"
        )
        for name, values in evaluation.measures.items():
            of = "" if is_main else f" of {evaluation.name}"
            lines[f"{name}{of} at {evaluation.budget_used}"] = (
                f"{format_cell(float(np.mean(values)))} (mean of episodes)"
            )
    for step, name, gap in _gaps(record):
        lines[f"{name} at {step}"] = format_cell(gap)
    lines["budget used"] = record.budget_used
    lines["training episodes"] = record.training.episodes
    if record.replay:
        lines["replay"] = f"rlbench verify {identity.key[:8]}"
    lines.update({**record.provenance, **record.timing})
    for name, value in lines.items():
        if value is not None:
            echo(f"{name:<20} {value}")
