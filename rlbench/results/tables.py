"""Scores from tables that any tool may have written.

Long form: a row a run, with the columns ``agent``, ``task``, ``score`` and, if they are known,
``seed`` and ``step`` (the last step of a run counts). Wide form: a row a run and a column a task,
with ``agent`` and ``seed`` if they are known, or a column an agent. `reading` says which other
names of columns are understood, and what a user may say. What is not understood is refused.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.files import read_bounded
from rlbench.limits import MAX_VALUE, advice
from rlbench.results.reading import (
    AGENTS,
    EPISODE,
    TASKS,
    Reading,
    Roles,
    fold,
    in_words,
    roles_of,
)
from rlbench.results.task_names import are_tasks, fold_task, task_of, tasks_among
from rlbench.suites import Suite

MAX_TABLE_BYTES = 1_000_000_000
TASK_OF_ARRAY = "task {}"  # the name of a task that came without one, by its place

EARLY = 0.99  # a run that ends before this share of the longest one's steps ended early
PUBLISHED = "published"  # the status of rows of scores from papers
COUNTED = ("ok", PUBLISHED)  # rows of any other status are left out

Runs = Mapping[str, Mapping[str, NDArray[np.float64]]]
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # steps and scores of one run

# Words in the name of a column that holds a measure of training and is no task.
_OF_LOGS = {
    "step", "steps", "timestep", "timesteps", "iter", "iteration", "iterations", "epoch",
    "epochs", "episode", "episodes", "frame", "frames", "time", "timestamp", "hour", "hours",
    "seconds", "elapsed", "fps", "sps", "loss", "return", "returns", "reward", "rewards", "rew",
    "score", "scores", "length", "len", "success", "index", "lr", "entropy",
}  # fmt: skip
_OF_SPREAD = {"std", "stddev", "stdev", "sem", "stderr", "se", "ci", "ci95", "var", "variance"}
_OF_MEANS = _OF_SPREAD | {"mean", "means", "avg", "average", "median"}
TELLING = ("options", "unofficial")  # columns of an export that tell settings of an agent apart
SEPARATORS = {";": "semicolons", "\t": "tabs"}  # besides commas
_UNHARMED = re.compile(r"^'(?=[=+@-])")  # the quote that `write_csv` puts before a formula
_SPREAD = re.compile(r"\d\s*(±|\+/?-)\s*\d")
_GROUP = re.compile(r"\w+: .+")  # how Weights & Biases names a group of runs


class ScoreFile(NamedTuple):
    """What a file holds.

    Attributes:
        runs: Agent, then task, to scores (runs,).
        note: What must be said of the scores wherever they are shown, or nothing.
        seeds: Agent, then task, to the name of each run, in the same order, where they have names:
            two files may hold runs of one agent on one task if these differ.
        curves: Agent, then task, to the steps and scores of each run, where they are known.
        is_batch: The columns are agents: files of this form are batches of the same agents.
        sources: Agent to the published source that its rows name, where they have the status
            ``published``.
    """

    runs: Runs
    note: str = ""
    seeds: Mapping[str, Mapping[str, list[str]]] = MappingProxyType({})
    curves: Mapping[str, Mapping[str, list[Curve]]] = MappingProxyType({})
    is_batch: bool = False
    sources: Mapping[str, str] = MappingProxyType({})


class Table(NamedTuple):
    """A table as it stands in a file.

    Attributes:
        path: The file.
        header: The columns' names.
        body: Where a row is (``line 3``), and its cells.
        remark: What must be said of how it was read, or nothing.
    """

    path: Path
    header: list[str]
    body: list[tuple[str, list[str]]]
    remark: str = ""


def read_csv(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        InvalidScores: It cannot be read, is not CSV, or has no rows.
    """
    try:
        text = read_bounded(path, MAX_TABLE_BYTES).decode("utf-8-sig")
        separator = _separator(text)
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        rows = [[cell.strip() for cell in row] for row in lines]
    except OSError as error:
        raise InvalidScores(f"cannot read {path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidScores(f"{path} is not CSV: {error}") from error
    if len(rows) < 2:
        raise InvalidScores(f"{path} has no rows below its header")
    body = [(f"line {n}", row) for n, row in enumerate(rows[1:], 2) if any(row)]
    remark = "" if separator == "," else f"cells are separated by {SEPARATORS[separator]}"
    return Table(path, rows[0], body, remark)


def _separator(text: str) -> str:
    """Return what separates cells: a comma, unless the header has none and another of them."""
    header = text.partition("\n")[0]
    others = [other for other in SEPARATORS if other in header]
    return others[0] if others and "," not in header else ","


def runs_of(
    table: Table,
    normalise_by: tuple[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008
) -> ScoreFile:
    """Return the scores of a table in long or wide form.

    Args:
        table: Rows whose ``status`` is not ``ok`` or ``published`` are left out.
        normalise_by: Two columns of the long form with the reference scores of the row's task:
            a score becomes ``(score - first) / (second - first)``.
        reading: What the user says of the table.

    Returns:
        Agent, then task, to scores (runs,) in the order of seeds, or of the table without them.
        Without a column for it, the agent is the file's name. The note says what was read as what.

    Raises:
        InvalidScores: There are no scores, one is not a finite number, a run is there twice, rows
            are no runs, or what the columns are is not clear; the message names the row or the
            columns, and the option that helps.
    """
    path, header, body, _ = table
    if len(set(header)) != len(header):
        raise InvalidScores(f"{path} names a column twice: {', '.join(header)}")
    for place, row in body:
        if len(row) != len(header):
            raise InvalidScores(f"{path}, {place}: {len(row)} cells under {len(header)} names")
    roles = roles_of(path, header, [row for _, row in body], reading)
    _refuse_means(table, roles)
    table, remarks = _with_status(table, roles.known)
    of_file = [table.remark] if table.remark else []
    roles = roles._replace(remarks=[*of_file, *roles.remarks, *remarks])
    if reading.agent and "agent" in roles.known and not reading.path:
        raise InvalidScores(
            f"{path} has a column of agents, {header[roles.known['agent']]!r}: leave --agent out"
        )
    if reading.metric and _is_transposed(header, roles):
        table = _turned(table, roles, reading.metric)
        roles = Roles({"task": 0, "seed": 1, "score": 2}, [], [], roles.remarks)
        reading = replace(reading, metric="")
    if "score" in roles.known and not reading.wide and not reading.columns_are:
        return _runs_of_long(table, roles, normalise_by, reading)
    if normalise_by is not None:
        raise InvalidScores(f"{path} has a column a task: only the long form is normalised by two")
    return _runs_of_wide(table, roles, reading)


def select(runs: Runs, suite: Suite) -> Runs:
    """Return normalised scores of a suite's tasks, in the suite's order.

    Raises:
        InvalidScores: The scores came as arrays, which do not name their tasks, or one task is
            there in two spellings.
        UnknownName: A task is not of the suite.
    """
    out: dict[str, dict[str, NDArray[np.float64]]] = {}
    for agent, tasks in runs.items():
        if TASK_OF_ARRAY.format(1) in tasks:
            raise InvalidScores(
                f"the arrays of {agent!r} do not name their tasks, so {suite.id} cannot normalise "
                "them: normalise them first, and leave the suite out"
            )
        by_name: dict[str, NDArray[np.float64]] = {}
        for name, scores in tasks.items():
            task = task_of(suite, name).name
            if task in by_name:
                raise InvalidScores(f"{task} is there twice for {agent!r}, once as {name!r}")
            by_name[task] = scores
        out[agent] = {
            task.name: suite.normalise(task, by_name[task.name])
            for task in suite.tasks
            if task.name in by_name
        }
    return out


def _is_transposed(header: Sequence[str], roles: Roles) -> bool:
    """Say whether rows are ``METRIC:TASK`` and columns the numbers of runs."""
    return set(roles.known) == {"metric"} and all(header[k].isdecimal() for k in roles.others)


def _turned(table: Table, roles: Roles, metric: str) -> Table:
    """Return a transposed table's scores of one metric in long form: task, seed, score."""
    path, header, body, _ = table
    cells = [(place, *row[roles.known["metric"]].partition(":")[::2], row) for place, row in body]
    if metric not in (known := list(dict.fromkeys(name for _, name, _, _ in cells))):
        raise InvalidScores(f"{path} has the metrics {', '.join(known[:20])}, and no {metric!r}")
    turned = [
        (place, [task, header[k], row[k]])
        for place, name, task, row in cells
        if name == metric
        for k in roles.others
        if row[k]
    ]
    return Table(path, ["task", "run", "score"], turned)


def _with_status(table: Table, known: Mapping[str, int]) -> tuple[Table, list[str]]:
    """Return the table's rows that count, and what was left out."""
    if "status" not in known:
        return table, []
    column = known["status"]
    kept = [row for row in table.body if row[1][column].casefold() in COUNTED]
    others = {row[column] for _, row in table.body if row[column].casefold() not in COUNTED}
    said = ", ".join(sorted(repr(status) for status in others))
    if not kept:
        raise InvalidScores(
            f"{table.path} has no scores: rows count whose {table.header[column]} is 'ok', and "
            f"there are only {said}"
        )
    left = len(table.body) - len(kept)
    remarks = [f"left out: {left} rows with the status {said}"] if left else []
    return table._replace(body=kept), remarks


def _words(name: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", name.casefold()))


def _refuse_means(table: Table, roles: Roles) -> None:
    """Refuse means over runs, of which no interval and no test can be made."""
    path, header, body, _ = table
    why = ""
    for place, row in body[:1]:  # further down `number_of` says so
        spread = [cell for cell in row if _SPREAD.search(cell)]
        why = f"{place} has {spread[0]!r}" if spread else ""
    means = [header[k] for k in roles.others if _words(header[k]) & _OF_MEANS]
    if means and "seed" not in roles.known:
        if "score" not in roles.known:
            why = why or f"there is no column of scores, but {', '.join(means)}"
        else:
            of_pair = [k for role, k in roles.known.items() if role in ("agent", "task", "step")]
            pairs = {tuple(row[k] for k in of_pair) for _, row in body}
            if len(pairs) == len(body) and any(_words(name) & _OF_SPREAD for name in means):
                why = why or f"beside the score there is {', '.join(means)}, and no seed"
    names = [k for k in roles.others if fold(header[k]) == "name"]
    in_groups = names and body and all(_GROUP.fullmatch(row[names[0]]) for _, row in body)
    if in_groups and "seed" not in roles.known:
        why = why or f"its rows are groups of runs, {body[0][1][names[0]]!r}"
    if why:
        raise InvalidScores(
            f"{path} holds means without runs ({why}): statistics need the score of every run"
        )


def _references(table: Table, normalise_by: tuple[str, str]) -> list[tuple[float, float]]:
    """Return the two reference scores of each row."""
    columns = [_column(table, name) for name in normalise_by]
    found = []
    for place, row in table.body:
        low, high = (number_of(table.path, place, row[k]) for k in columns)
        if low == high:
            raise InvalidScores(f"{table.path}, {place}: both reference scores are {low:g}")
        found.append((low, high))
    return found


def _runs_of_long(
    table: Table, roles: Roles, normalise_by: tuple[str, str] | None, reading: Reading
) -> ScoreFile:
    table, notes = _of_metric(table, roles, reading)
    path, header, _, _ = table
    known = roles.known
    if reading.task and "task" in known and not reading.path:
        raise InvalidScores(
            f"{path} has a column of tasks, {header[known['task']]!r}: leave --task out"
        )
    if reading.at_step is not None and "step" not in known:
        raise InvalidScores(f"{path} has no column of steps for --at-step: {', '.join(header)}")
    notes += _of_export(table, reading)
    if "task" not in known and "score" not in reading.columns:
        _refuse_tasks_beside(table, roles)
    rows = _rows_of_long(table, known, normalise_by, reading)
    seeds, more = _seeds_of(table, roles, rows)
    notes += more
    runs = _points_of(table, roles, rows, seeds)
    names: dict[str, str] = {}
    for task in rows.tasks:
        names.setdefault(fold_task(task), task)
    if merged := sorted({task for task in rows.tasks if task not in names.values()}):
        said = ", ".join(f"{task} as {names[fold_task(task)]}" for task in merged)
        notes.append(f"one task in two spellings, taken together: {said}")
    if "step" in known:
        notes += _ends(runs, names, reading.at_step, one_run="seed" in known)
    found: dict[str, dict[str, list[float]]] = {}
    of_runs: dict[str, dict[str, list[str]]] = {}
    curves: dict[str, dict[str, list[Curve]]] = {}
    for agent, task, _ in runs:
        found.setdefault(agent, {})[names[task]] = []
        of_runs.setdefault(agent, {})[names[task]] = []
        curves.setdefault(agent, {})[names[task]] = []
    ordered = sorted(runs, key=lambda run: place_of(run[2])) if "seed" in known else list(runs)
    for run in ordered:
        agent, task = run[0], names[run[1]]
        found[agent][task].append(rows.scores[_last(path, run, runs[run], reading.at_step)])
        of_runs[agent][task].append(run[2])
        steps = sorted(runs[run])
        of_run = np.array([rows.scores[runs[run][step]] for step in steps])
        curves[agent][task].append((np.array(steps), of_run))
    of_header = {role: header[known[role]] for role in _SAID if role in known}
    outside = {
        role: _from_outside(name, path)
        for role, name in (("agent", reading.agent), ("task", reading.task))
        if role not in known
    }
    ignored = [k for k in (*roles.unnamed, *roles.others) if header[k] not in (normalise_by or ())]
    said = in_words(header, outside | of_header, ignored)
    has_curves = "step" in known and None not in seeds
    return ScoreFile(
        as_arrays(path, found),
        ". ".join([said, *roles.remarks, *notes]),
        seeds=of_runs if "seed" in known else {},
        curves=curves if has_curves else {},
        sources=_sources_of(table, known, rows),
    )


def _refuse_tasks_beside(table: Table, roles: Roles) -> None:
    """Refuse columns of a suite's tasks beside a column that is called like one of scores."""
    tasks = [table.header[k] for k in roles.others if are_tasks([table.header[k]])]
    if tasks:
        scores = table.header[roles.known["score"]]
        raise InvalidScores(
            f"{table.path}: the column {scores!r} may be scores, and {_some(tasks)} may be tasks: "
            f"say --wide, or --columns score={scores}"
        )


def _sources_of(table: Table, known: Mapping[str, int], rows: "_Rows") -> dict[str, str]:
    """Return the published source of each agent whose rows have the status ``published``."""
    if "status" not in known or "source" not in table.header:
        return {}
    column = table.header.index("source")
    return {
        agent: row[column]
        for agent, (_, row) in zip(rows.agents, table.body, strict=True)
        if row[known["status"]].casefold() == PUBLISHED
    }


_SAID = ("agent", "task", "seed", "step", "score")


class _Rows(NamedTuple):
    """The rows of a table in long form, column by column."""

    agents: list[str]
    tasks: list[str]
    steps: list[float]
    scores: list[float]

    def pair(self, row: int) -> tuple[str, str]:
        """Return whose row it is: the agent, and the task in its folded spelling."""
        return self.agents[row], fold_task(self.tasks[row])


def _rows_of_long(
    table: Table,
    known: Mapping[str, int],
    normalise_by: tuple[str, str] | None,
    reading: Reading,
) -> _Rows:
    path, _, body, _ = table
    scores = [number_of(path, place, row[known["score"]]) for place, row in body]
    if normalise_by is not None:
        ends = _references(table, normalise_by)
        scores = [(s - low) / (high - low) for s, (low, high) in zip(scores, ends, strict=True)]
    columns = {
        role: [row[known[role]] for _, row in body]
        if role in known
        else [given or path.stem] * len(body)
        for role, given in (("agent", reading.agent), ("task", reading.task))
    }
    steps = [
        number_of(path, place, row[known["step"]]) if "step" in known else 0.0
        for place, row in body
    ]
    return _Rows(_told_apart(table, columns["agent"]), columns["task"], steps, scores)


def _told_apart(table: Table, agents: list[str]) -> list[str]:
    """Return the names of agents, with what tells settings of one agent apart in an export."""
    agents = [_UNHARMED.sub("", name) if name[:1] == "'" else name for name in agents]
    for name in TELLING:
        if name not in table.header:
            continue
        column = table.header.index(name)
        settings: dict[str, set[str]] = {}
        for agent, (_, row) in zip(agents, table.body, strict=True):
            settings.setdefault(agent, set()).add(row[column])
        agents = [
            f"{agent} [{row[column] or f'no {name}'}]" if len(settings[agent]) > 1 else agent
            for agent, (_, row) in zip(agents, table.body, strict=True)
        ]
    return agents


def _of_export(table: Table, reading: Reading) -> list[str]:
    """Return what an export says of its rows' suite and of constants that were changed.

    Raises:
        InvalidScores: The rows are of another suite than scores are normalised by, or of several.
    """
    path, header, body, _ = table
    if "suite" not in header or "unofficial" not in header:
        return []
    found = sorted({row[header.index("suite")] for _, row in body})
    if len(found) > 1 or (reading.suite and found != [reading.suite.id]):
        wanted = reading.suite.id if reading.suite else "one suite"
        raise InvalidScores(f"{path} holds scores of {' and '.join(found)}, not of {wanted}")
    changed = sorted({row[header.index("unofficial")] for _, row in body} - {""})
    return [f"UNOFFICIAL: {'; '.join(changed)}"] if changed else []


def _seeds_of(table: Table, roles: Roles, rows: _Rows) -> tuple[list[str | None], list[str]]:
    """Return a seed for each row that belongs to a run, and what must be said of them."""
    if "seed" in roles.known:
        return [row[roles.known["seed"]] for _, row in table.body], []
    if episodes := _episodes_in(table, roles):
        raise InvalidScores(
            f"{table.path}: the column {episodes!r} says that rows are episodes, not runs: add a "
            f"column seed, and say --columns step={episodes}"
        )
    return _runs_without_seeds(table, roles, rows)


def _episodes_in(table: Table, roles: Roles) -> str:
    """Return the name of a column that counts episodes, or nothing."""
    return next((table.header[k] for k in roles.others if fold(table.header[k]) in EPISODE), "")


def _points_of(
    table: Table, roles: Roles, rows: _Rows, seeds: Sequence[str | None]
) -> dict[tuple[str, str, str], dict[float, int]]:
    """Return the row at each step of each run, by agent, folded task and seed."""
    path, _, body, _ = table
    runs: dict[tuple[str, str, str], dict[float, int]] = {}
    for n, seed in enumerate(seeds):
        if seed is None:
            continue
        points = runs.setdefault((*rows.pair(n), seed), {})
        there = points.get(rows.steps[n], next(iter(points.values()), n))
        if rows.steps[n] in points or rows.tasks[there] != rows.tasks[n]:
            said = ""
            if rows.tasks[there] != rows.tasks[n]:
                said = f", where the task is spelled {rows.tasks[there]!r}"
            elif episodes := _episodes_in(table, roles):
                said = f"; --columns step={episodes} takes the last episode of each run"
            raise InvalidScores(
                f"{path}, {body[n][0]}: agent {rows.agents[n]!r}, task {rows.tasks[n]!r}, seed "
                f"{seed!r} is there already, in {body[there][0]}{said}"
            )
        points[rows.steps[n]] = n
    return runs


def _from_outside(name: str, path: Path) -> str:
    return repr(name) if name else f"{path.stem!r}, the file's name"


def _of_metric(table: Table, roles: Roles, reading: Reading) -> tuple[Table, list[str]]:
    """Return the rows of one metric, where a column says of which metric a row is."""
    path, header, body, _ = table
    if "metric" not in roles.known:
        if reading.metric:
            raise InvalidScores(
                f"{path} has no column of metrics for --metric: {', '.join(header)}"
            )
        return table, []
    column = roles.known["metric"]
    metrics = list(dict.fromkeys(row[column] for _, row in body))
    wanted = reading.metric or metrics[0]
    if (len(metrics) > 1 and not reading.metric) or wanted not in metrics:
        raise InvalidScores(
            f"{path} has the metrics {', '.join(metrics[:20])}: name one, --metric {metrics[0]}"
        )
    kept = [row for row in body if row[1][column] == wanted]
    return table._replace(body=kept), [f"metric: {wanted}"]


def _runs_without_seeds(
    table: Table, roles: Roles, rows: _Rows
) -> tuple[list[str | None], list[str]]:
    """Return a seed for each row that belongs to a run, and what must be said of it.

    Without steps each row is a run. Of several rows at a step those at the last step are runs. The
    log of one run, without columns of agents and tasks, is its curve.
    """
    if "step" not in roles.known:
        return [place for place, _ in table.body], []
    pairs, steps = [rows.pair(n) for n in range(len(table.body))], rows.steps
    at: dict[tuple[str, str], dict[float, int]] = {}
    for pair, step in zip(pairs, steps, strict=True):
        counts = at.setdefault(pair, {})
        counts[step] = counts.get(step, 0) + 1
    if all(len(counts) == 1 for counts in at.values()):
        return [place for place, _ in table.body], []
    if not {"agent", "task"} & set(roles.known) and max(at[pairs[0]].values()) == 1:
        return [""] * len(pairs), ["no column of seeds: the rows are one run's"]
    step_name = table.header[roles.known["step"]]
    notes = [f"no column of seeds: the rows at the last {step_name} are taken as runs"]
    for (agent, task), counts in at.items():
        if max(counts.values()) == 1 and len(counts) > 1:
            raise InvalidScores(
                f"{table.path} has a column of steps, {step_name!r}, and none of seeds: whether "
                "rows are runs or points of one run is not known; add a column seed"
            )
        ended = counts[max(counts)]
        if ended < max(counts.values()):
            notes.append(
                f"{agent}, task {task}: {ended} rows at the last {step_name}, "
                f"{max(counts.values())} before: some runs end early"
            )
    seeds = [
        place if step == max(at[pair]) else None
        for pair, step, (place, _) in zip(pairs, steps, table.body, strict=True)
    ]
    return seeds, notes


def _last(
    path: Path, run: tuple[str, str, str], points: Mapping[float, int], at_step: float | None
) -> int:
    """Return the row of a run that counts: the last one, or the last up to a step."""
    steps = [step for step in points if at_step is None or step <= at_step]
    if not steps:
        raise InvalidScores(
            f"{path}: agent {run[0]!r}, task {run[1]!r}, seed {run[2]!r} begins at step "
            f"{min(points):.15g}, after --at-step {at_step:.15g}"
        )
    return points[max(steps)]


def _ends(
    runs: Mapping[tuple[str, str, str], Mapping[float, int]],
    names: Mapping[str, str],
    at_step: float | None,
    *,
    one_run: bool,
) -> list[str]:
    """Return which runs end before others of their task, if some do."""
    last = {run: max(points) for run, points in runs.items()}
    longest: dict[str, float] = {}
    for (_, task, _), step in last.items():
        longest[task] = max(step, longest.get(task, step))
    if at_step is not None:
        longest = {task: min(step, at_step) for task, step in longest.items()}
    early = [(run, step) for run, step in last.items() if step < EARLY * longest[run[1]]]
    said = (
        [f"scores are those of the last step up to {at_step:.15g}"] if at_step is not None else []
    )
    if not early:
        return said
    first = "; ".join(
        f"{agent}, task {names[task]}{f', run {seed}' if one_run else ''} ends at step {step:.15g} "
        f"of {longest[task]:.15g}"
        for (agent, task, seed), step in early[:3]
    )
    more = f"; and {len(early) - 3} more" if len(early) > 3 else ""
    helps = f"; --at-step {min(last.values()):.15g} cuts all runs at one budget"
    return [*said, f"runs end early: {first}{more}{helps if at_step is None else ''}"]


def _column(table: Table, name: str) -> int:
    if name not in table.header:
        raise InvalidScores(f"{table.path} has no column {name!r}: {', '.join(table.header)}")
    return table.header.index(name)


def _runs_of_wide(table: Table, roles: Roles, reading: Reading) -> ScoreFile:
    path, header, body, _ = table
    roles_of_wide = ("agent", "seed", "status")
    known = {role: roles.known[role] for role in roles_of_wide if role in roles.known}
    columns = [k for k in range(len(header)) if k not in {*known.values(), *roles.unnamed}]
    if not columns:
        raise InvalidScores(f"{path} has no scores: its columns are {', '.join(header)}")
    _refuse_logs(table, roles, columns, reading)
    are_agents = _columns_are(path, header, columns, known, reading) == AGENTS
    named: dict[str, str] = {}
    for name in () if are_agents else [header[k] for k in columns]:
        if (other := named.setdefault(fold_task(name), name)) != name:
            raise InvalidScores(f"{path} spells one task in two ways: {other!r} and {name!r}")
    agents = [
        row[known["agent"]] if "agent" in known else reading.agent or path.stem for _, row in body
    ]
    found: dict[str, dict[str, list[float]]] = {agent: {} for agent in agents if not are_agents}
    of_runs: dict[str, dict[str, list[str]]] = {}
    order = list(range(len(body)))
    seeds = [row[known["seed"]] if "seed" in known else place for place, row in body]
    if "seed" in known:
        _refuse_twice(path, [place for place, _ in body], agents, seeds)
        order.sort(key=lambda n: place_of(seeds[n]))
    task = reading.task or TASK_OF_ARRAY.format(1)
    for n in order:
        place, row = body[n]
        for k in columns:
            if row[k]:
                who, what = (header[k], task) if are_agents else (agents[n], header[k])
                scores = found.setdefault(who, {}).setdefault(what, [])
                scores.append(number_of(path, place, row[k]))
                of_runs.setdefault(who, {}).setdefault(what, []).append(seeds[n])
    taken = {role: header[k] for role, k in known.items() if role != "status"}
    if are_agents:
        taken |= {"agents": _some([header[k] for k in columns]), "task": reading.task or "unnamed"}
    else:
        if "agent" not in known:
            taken = {"agent": _from_outside(reading.agent, path), **taken}
        taken["tasks"] = _some([header[k] for k in columns])
    said = in_words(header, taken, roles.unnamed)
    runs = as_arrays(path, {agent: tasks for agent, tasks in found.items() if tasks})
    names = of_runs if "seed" in known else {}
    return ScoreFile(runs, ". ".join([said, *roles.remarks]), names, is_batch=are_agents)


def _refuse_twice(
    path: Path, places: Sequence[str], agents: Sequence[str], seeds: Sequence[str]
) -> None:
    seen: dict[tuple[str, str], str] = {}
    for place, agent, seed in zip(places, agents, seeds, strict=True):
        if (agent, seed) in seen:
            raise InvalidScores(
                f"{path}, {place}: agent {agent!r}, seed {seed!r} is there already, in "
                f"{seen[agent, seed]}"
            )
        seen[agent, seed] = place


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _refuse_logs(table: Table, roles: Roles, columns: Sequence[int], reading: Reading) -> None:
    """Refuse a table whose columns look like a log's rather than like tasks."""
    path, header, _, _ = table
    names = [header[k] for k in columns]
    if reading.wide or reading.columns_are:
        return
    if len(tasks_among(names, reading.suite)) == len(names) if reading.suite else are_tasks(names):
        return
    why = ""
    if "task" in roles.known:
        why = f"{header[roles.known['task']]!r} are tasks, and no column is known as scores"
    else:
        odd = [
            name
            for name in names
            if _words(name) & _OF_LOGS or name.endswith(("__MIN", "__MAX")) or not fold(name)
            or fold(name).startswith("unnamed:")
        ]  # fmt: skip
        odd += [header[roles.known[r]] for r in ("step", "metric") if r in roles.known]
        if odd:
            why = f"{_some([name or 'a column without a name' for name in odd])} looks like a log's"
    if "metric" in roles.known:
        why = f"{header[roles.known['metric']]!r} are metrics: name one with --metric"
    if why:
        guess = header[columns[-1]] or "NAME"
        raise InvalidScores(
            f"{path}: what its columns {', '.join(name or repr(name) for name in header)} are is "
            f"not clear: {why}. Name them, e.g. --columns score={guess}, or say --wide if every "
            "column is a task"
        )


def _columns_are(
    path: Path,
    header: Sequence[str],
    columns: Sequence[int],
    known: Mapping[str, int],
    reading: Reading,
) -> str:
    """Return what the columns of a wide table are.

    Raises:
        InvalidScores: Neither a column of agents, nor the user, nor a suite's tasks say so.
    """
    names = [header[k] for k in columns]
    if "agent" in known:
        if reading.columns_are == AGENTS:
            raise InvalidScores(
                f"{path} has a column of agents, {header[known['agent']]!r}: its columns are tasks"
            )
        return TASKS
    if reading.columns_are:
        return reading.columns_are
    if reading.task and reading.agent:
        raise InvalidScores(f"{path} has a column a task or an agent: leave --agent or --task out")
    if reading.task:
        return AGENTS
    if reading.agent or reading.wide:
        return TASKS
    if tasks_among(names, reading.suite) if reading.suite else are_tasks(names):
        return TASKS  # a name that is none of the suite's is refused later
    raise InvalidScores(
        f"{path}: its columns {_some(names)} may be tasks or agents: say --columns-are agents or "
        "--columns-are tasks"
    )


def place_of(seed: str) -> tuple[bool, int, str]:
    """Return where a seed stands among others: numbers by their size, before other texts."""
    number = seed.isascii() and seed.isdigit()
    digits = seed.lstrip("0")
    return (not number, len(digits) if number else 0, digits if number else seed)


def number_of(path: Path, place: str, text: str) -> float:
    """Return the number that a cell holds.

    Raises:
        InvalidScores: It is none, not finite, or beyond 1e15 in magnitude.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if np.isnan(value) and _SPREAD.search(text):
        raise InvalidScores(f"{path}, {place}: {text!r} is a mean without its runs")
    if not np.isfinite(value):
        raise InvalidScores(
            f"{path}, {place}: {text!r} is not a finite number; leave a run without score out"
        )
    if abs(value) > MAX_VALUE:
        raise InvalidScores(f"{path}, {place}: {text}: {advice(value)}")
    return value


def as_arrays(path: Path, found: Mapping[str, Mapping[str, Sequence[float]]]) -> Runs:
    """Return scores as arrays.

    Raises:
        InvalidScores: There are none.
    """
    if not found:
        raise InvalidScores(f"{path} has no scores")
    return {
        agent: {task: np.array(scores) for task, scores in tasks.items()}
        for agent, tasks in found.items()
    }
