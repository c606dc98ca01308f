"""Downloads: what a board shows, as files for programs and papers."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from itertools import combinations
from typing import Any

from rlbench import __version__
from rlbench.leaderboard.boards import Board, Entry
from rlbench.leaderboard.captions import METRICS, coverage_note
from rlbench.leaderboard.tables import escape_latex, table
from rlbench.leaderboard.task_curves import task_curve_rows
from rlbench.results import published, rows, write_csv
from rlbench.results.published import Published, PublishedSource
from rlbench.results.rankable import why_not_ranked
from rlbench.stats.proportions import METHOD as BY_RATE
from rlbench.stats.reporting import BIBTEX, HOW
from rlbench.suites import Suite

Row = dict[str, Any]

AGENT_COLUMNS = (
    "agent", "page", "badge", "pool", "rank_low", "rank_high", "pool_size", "tier", "not_ranked",
    "tasks", "runs_min", "runs_max", "failed", "hours", "date",
    *(name for metric in METRICS for name in (metric, f"{metric}_low", f"{metric}_high")),
    "interval_method", "interval_notes", "rank_method", "source", "deviations", "licence", "url",
    "remarks",
)  # fmt: skip
RUN_COLUMNS = (
    "agent", "task", "run", "score", "normalised", "episodes", "budget_used", "steps", "seconds",
    "key", "sha256", "engine", "stand_in", "std", "of",
)  # fmt: skip
NOT_RANKED = "their protocols differ"


def downloads(board: Board) -> dict[str, bytes]:
    """Return the files of a board by their names.

    - ``board.json``: all of it: the tasks with their reference scores and digests, the rows of both
      CSV files, agents of which every run failed, and the points of the charts. Numbers are exact
      and finite; what there is not, is null.
    - ``agents.csv``: a row an agent, by `AGENT_COLUMNS`; `page` is the slug of its page.
    - ``runs.csv``: a row a run, by `RUN_COLUMNS`; `score` is raw. `budget_used` counts what the
      suite's budget counts; `steps` is when a published score was taken, in the unit of its budget.
      `stand_in` marks a published score that is of before the end. Where a source has means only,
      the run is ``mean``, and `std` and `of` are of the runs behind it.
    - ``agents.tex``: a table of the agents with records on all tasks, if there are any.
    - ``published.tex``: the same of published runs. Nobody is bold, since protocols differ.
    - ``cite.bib``: rlbench, the methods of the board, and each published source.

    In CSV files, text that a spreadsheet would take for a formula gets a leading quote.
    """
    agents = [_agent_row(entry) for entry in board.entries]
    runs = [row for entry in board.entries for row in _run_rows(entry, board.suite)]
    files = {
        "board.json": _json(board, agents, runs),
        "agents.csv": _csv(agents, AGENT_COLUMNS),
        "runs.csv": _csv(runs, RUN_COLUMNS),
        "agents.tex": _latex(board, board.own, _why_not_ranked(board.own)),
        "published.tex": _latex(board, board.papers, NOT_RANKED),
        "cite.bib": _bibtex(board.entries),
    }
    # A name may hold half a surrogate pair, which UTF-8 has no bytes for.
    return {name: text.encode(errors="backslashreplace") for name, text in files.items() if text}


def _agent_row(entry: Entry) -> Row:
    row: Row = dict.fromkeys(AGENT_COLUMNS)
    row |= {
        "agent": entry.agent,
        "page": entry.slug,
        "badge": entry.badge,
        "not_ranked": entry.not_ranked,
        "tasks": len(entry.values),
        "failed": entry.failed,
        "hours": entry.hours,
        "date": entry.date,
        "remarks": "; ".join(entry.remarks) or None,
    }
    if numbers := _numbers_of_runs(entry):
        row |= {"runs_min": min(numbers), "runs_max": max(numbers)}
    for metric, found in entry.metrics.items():
        row |= {metric: found.point, f"{metric}_low": found.low, f"{metric}_high": found.high}
    row["interval_method"] = entry.metrics["mean"].method
    noted = (
        coverage_note(found.low, found.method, metric, found.tasks, found.runs)
        for metric, found in entry.metrics.items()
    )
    row["interval_notes"] = " ".join(filter(None, noted)) or None
    if entry.place:
        pool, low, high, of, tier, method = entry.place
        row |= {
            "pool": pool,
            "rank_low": low,
            "rank_high": high,
            "pool_size": of,
            "tier": tier,
            "rank_method": method,
        }
    if entry.paper:
        row |= {
            "source": entry.paper.source.slug,
            "deviations": published.in_words(published.deviations(entry.paper)),
            "licence": entry.paper.source.licence,
            "url": entry.paper.source.url,
        }
    return row


def _numbers_of_runs(entry: Entry) -> set[int]:
    """Return how many runs the tasks have, those behind means included; none if unknown."""
    if entry.paper and entry.paper.source.means_only:
        return {of for _, of in entry.paper.spread.values()}
    return {len(scores) for scores in entry.values.values()}


def _run_rows(entry: Entry, suite: Suite) -> list[Row]:
    return _of_paper(entry, entry.paper) if entry.paper else _of_records(entry, suite)


def _of_records(entry: Entry, suite: Suite) -> list[Row]:
    found = []
    for record, row in zip(entry.records, rows(entry.records, suite), strict=True):
        known = {name: row[name] for name in RUN_COLUMNS if name in row}
        engine = record.engine.fingerprint if record.engine else None
        more = {
            "agent": entry.agent,
            "run": str(row["seed"]),
            "sha256": record.sha256,
            "engine": engine,
        }
        found.append({**dict.fromkeys(RUN_COLUMNS), **known, **more})
    return found


def _of_paper(entry: Entry, paper: Published) -> list[Row]:
    found = []
    for task, scores in paper.values.items():
        runs, steps = paper.runs[task], paper.steps.get(task, ())
        if len(steps) == 1:
            steps *= len(runs)
        std, of = paper.spread.get(task, (None, None))
        columns = (
            runs,
            scores.tolist(),
            entry.normalised[task].tolist(),
            steps or (None,) * len(runs),
        )
        for run, score, normalised, step in zip(*columns, strict=True):
            more = {
                "agent": entry.agent,
                "task": task,
                "run": run,
                "score": score,
                "normalised": normalised,
                "steps": step,
                "stand_in": "yes" if run in paper.stand_ins.get(task, ()) else None,
                "std": std,
                "of": of,
            }
            found.append({**dict.fromkeys(RUN_COLUMNS), **more})
    return found


def _json(board: Board, agents: Sequence[Row], runs: Sequence[Row]) -> str:
    suite = board.suite
    content = {
        "suite": suite.id,
        "title": suite.title,
        "unofficial": board.unofficial,
        "references": list(suite.references),
        "reference_source": suite.reference_source,
        "rlbench": __version__,
        "tasks": [
            {"task": task.name, "low": task.low, "high": task.high, "digest": suite.digest(task)}
            for task in suite.tasks
        ],
        "agents": agents,
        "without_scores": [
            {"agent": agent, "failed": failed} for agent, failed in board.without_scores.items()
        ],
        "runs": runs,
        "profiles": [
            {"panel": panel, **row} for panel, found in board.profiles.items() for row in found
        ],
        "improvements": [
            {"pool": pool, **row} for pool, found in board.improvements.items() for row in found
        ],
        "curves": board.curves,
        "task_curves": task_curve_rows(board),
        "retention": [row._asdict() for row in board.retention],
        "evaluations": [row._asdict() for row in board.evaluations],
        "data": board.data_returns,
        "beside_data": [row._asdict() for row in board.beside_data],
        "measures": [row._asdict() for row in board.measures],
    }
    return json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":")) + "\n"


def _csv(table: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    file = StringIO(newline="")
    write_csv(table, file, columns)
    return file.getvalue()


def _latex(board: Board, entries: Sequence[Entry], not_ranked: str = "") -> str:
    """Return a table of the agents with runs of all tasks, or nothing if there is none."""
    suite = board.suite
    shown = [e for e in entries if len(e.values) == len(suite.tasks) and "iqm" in e.metrics]
    if not shown:
        return ""
    text = table(
        {entry.agent: list(entry.normalised.values()) for entry in shown},
        normalised_by=f"the {' and '.join(suite.references)} scores of {suite.id}",
        not_ranked=not_ranked,
        remark=f"Unofficial: {board.unofficial}." if board.unofficial else "",
        summary=[row for entry in shown for row in entry.metrics.values()],
    )
    return f"{text}\n"


def _why_not_ranked(entries: Sequence[Entry]) -> str:
    """Return why agents with records may not all be ranked against each other, or nothing."""
    own = {entry.agent: entry.terms for entry in entries}
    pairs = ((a, b, why_not_ranked(a, b, {}, own)) for a, b in combinations(own, 2))
    return next((f"{a} and {b} are not ranked: {why}" for a, b, why in pairs if why), "")


def _bibtex(entries: Sequence[Entry]) -> str:
    cited = ["rlbench"]
    metrics = [row for entry in entries for row in entry.metrics.values()]
    if any(row.metric == "iqm" for row in metrics):
        cited.append("agarwal2021deep")
    methods = {row.method for row in metrics if row.low is not None}
    if methods - {BY_RATE}:
        cited.append(HOW["rao-wu"][1])
    if BY_RATE in methods:
        cited.append("korn1998confidence")
    sources = [entry.paper.source for entry in entries if entry.paper]
    return "\n\n".join([*(BIBTEX[key] for key in cited), *map(citation, sources)]) + "\n"


def citation(source: PublishedSource) -> str:
    """Return the BibTeX entry of published scores, under the name of whose agent it is."""
    match = re.match(r"(?:Runs by )?(.+?) (\d{4})", source.paper)
    assert match
    note = f"{source.paper}; scores from {source.path}"
    return "\n".join([
        f"@misc{{{source.slug},",
        f"  title = {{{{Scores of {_bibtex_text(source.agent)}}}}},",
        f"  author = {{{_bibtex_text(match[1].replace(' et al.', ' and others'))}}},",
        f"  howpublished = {{\\url{{{source.url}}}}},",
        f"  note = {{{_bibtex_text(note)}}},",
        f"  year = {{{match[2]}}}",
        "}",
    ])  # fmt: skip


def _bibtex_text(text: str) -> str:
    r"""Return text for a field; BibTeX counts the brace in ``\{`` as one that must be closed."""
    escaped = escape_latex(text)
    return escaped.replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")
