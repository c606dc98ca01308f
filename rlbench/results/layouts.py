"""Folders of files: which of them are runs, of which agent, on which task.

- Logs of Stable-Baselines3 and rl-zoo3, ``AGENT/RUN/``: a run's score is the mean of its last
  evaluation in ``evaluations.npz``; without these, the mean return of its last 100 episodes in
  ``*monitor.csv``; without these, the last score in ``progress.csv``. All runs are scored alike.
- Files that fit the pattern that the user gives: see `patterns`.
- CSV files that say themselves whose runs they hold, and charts of TensorBoard, exported as CSV.
"""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.files import read_bounded
from rlbench.results.formats.arrays import CALLBACK, read_npz
from rlbench.results.merging import early_ends, merge, shortened
from rlbench.results.patterns import (
    PLACEHOLDERS,
    Names,
    Pattern,
    files_below,
    files_that_fit,
    some_paths,
)
from rlbench.results.reading import Reading
from rlbench.results.score_files import Curve, ScoreFile, as_arrays
from rlbench.results.tables import MAX_TABLE_BYTES, Table, number_of, numbers_in

LAST_EPISODES = 100

MONITOR_NOTE = (
    f"the scores are mean returns of a run's last {LAST_EPISODES} episodes in training, "
    "not of an evaluation"
)
EVALUATIONS, MONITOR, PROGRESS = "evaluations.npz", "*monitor.csv", "progress.csv"
NOTES = {
    EVALUATIONS: f"the scores are means over the episodes of a run's last row in {EVALUATIONS}",
    MONITOR: MONITOR_NOTE,
    PROGRESS: f"the scores are the last ones in {PROGRESS}",
}
# Patterns of paths to show, for files in the folder itself, in folders in it, and deeper.
_EXAMPLES = ("{agent}_{task}.csv", "{agent}/{task}_{seed}.csv", "{agent}/{task}/{seed}.csv")
_NUMBERED = re.compile(r"(.+)_\d+")  # rl-zoo3 calls the folder of the n-th run of a task TASK_n
# Of progress.csv: what is a score, an evaluation rather than a mean in training.
_SCORES = ("eval/mean_reward", "rollout/ep_rew_mean")
_STEPS = "time/total_timesteps"

ReadFile = Callable[[Path, Reading], ScoreFile]


def read_folder(
    folder: Path, reading: Reading, read_file: ReadFile, *, is_normalised: bool = False
) -> ScoreFile:
    """Read the scores in a folder.

    Args:
        folder: The folder.
        reading: What the user says of its files.
        read_file: How one file is read.
        is_normalised: Columns of the files normalise the scores.

    Raises:
        InvalidScores: What its files are is not clear, or one is bad.
    """
    if reading.path:
        return _of_pattern(folder, reading, read_file)
    logs = {kind: files_below(folder, kind) for kind in NOTES}
    if any(logs.values()):
        _refuse_options(folder, reading, ["--agent", "--at-step"], is_normalised=is_normalised)
        return _of_logs(folder, logs, reading)
    files = files_below(folder, "*.csv")
    return _of_tables(folder, files, reading, read_file)


def named_by_path(path: Path, reading: Reading) -> Reading:
    """Return what is known of a file, with what its path says.

    Raises:
        InvalidScores: The path does not fit the pattern.
    """
    pattern = _pattern(reading)
    names = pattern.names_in(path)
    if names is None:
        raise InvalidScores(f"{path} does not fit --path {pattern.text!r}")
    return _with_names(reading, names)


def _with_names(reading: Reading, names: Names) -> Reading:
    known = {role: names.get(role, "") for role in PLACEHOLDERS}
    return replace(
        reading,
        agent=known["agent"] or reading.agent,
        task=known["task"] or reading.task,
        seed=known["seed"],
    )


def with_seed(found: ScoreFile, seed: str) -> ScoreFile:
    """Return what a file holds, with the name of its runs, if it has one run a task without one."""
    sizes = {len(scores) for tasks in found.runs.values() for scores in tasks.values()}
    if not seed or found.seeds or sizes != {1}:
        return found
    return found._replace(seeds={a: {t: [seed] for t in of} for a, of in found.runs.items()})


def _pattern(reading: Reading) -> Pattern:
    """Return the pattern of paths; what it names, no option names too."""
    pattern = Pattern(reading.path)
    for role, option in (("agent", reading.agent), ("task", reading.task)):
        if option and role in pattern.placeholders:
            raise InvalidScores(f"--path {reading.path!r} names the {role}: leave --{role} out")
    return pattern


def _of_pattern(folder: Path, reading: Reading, read_file: ReadFile) -> ScoreFile:
    """Read all files below a folder that fit a pattern."""
    pattern = _pattern(reading)
    fitting, others = files_that_fit(folder, pattern)
    found, notes = [], []
    for path, names in fitting:
        of_file = read_file(path, _with_names(reading, names))
        found.append((str(path), with_seed(of_file, names.get("seed", ""))))
        notes.append(_without_names(of_file.note, names))
    said = [f"files that fit {pattern.text}: {len(fitting)}"]
    if others:
        said.append(f"ignored: {some_paths(others)}")
    return _as_one(found, reading, said, notes)


def _without_names(note: str, names: Names) -> str:
    """Return a file's note without what differs between the files of a pattern."""
    for name, value in names.items():
        note = note.replace(f"{name}: {value!r}", f"{name}: its path")
    return note


def _of_tables(
    folder: Path, files: Sequence[Path], reading: Reading, read_file: ReadFile
) -> ScoreFile:
    """Read the CSV files below a folder.

    Raises:
        InvalidScores: There are none, or one does not say whose runs it holds.
    """
    if not files:
        raise InvalidScores(
            f"the folder {folder} holds neither logs of Stable-Baselines3 ({', '.join(NOTES)}) nor "
            "CSV files; a store of records is given by --store"
        )
    found = []
    for file in files:
        of_file = read_file(file, reading)
        tasks = {task for of_agent in of_file.runs.values() for task in of_agent}
        for role, names in (("agent", set(of_file.runs)), ("task", tasks)):
            if file.stem in names and (len(files) > 1 or file.parent != folder):
                example = _EXAMPLES[min(len(file.relative_to(folder).parts), len(_EXAMPLES)) - 1]
                raise InvalidScores(
                    f"{file} names no {role}: say --{role}, or where the paths of files name it, "
                    f"e.g. --path '{example}'"
                )
        found.append((str(file), of_file))
    return _as_one(found, reading, [f"CSV files: {len(files)}"], [of.note for _, of in found])


def _as_one(
    found: Sequence[tuple[str, ScoreFile]], reading: Reading, said: list[str], notes: Sequence[str]
) -> ScoreFile:
    merged = merge(found, at_step=reading.at_step)
    files = [note for note in merged.notes if not note.startswith("Taken together")]
    different = list(dict.fromkeys(filter(None, notes)))
    said = [*said, shortened(different, "; "), *(note.removesuffix(".") for note in files)]
    return merged.scores._replace(note=". ".join(filter(None, said)))


def _refuse_options(
    folder: Path, reading: Reading, known: Sequence[str], *, is_normalised: bool
) -> None:
    """Refuse what says nothing of logs."""
    useless = [option for option in reading.options if option not in known]
    if is_normalised:
        useless.append("--normalise-by")
    if useless:
        raise InvalidScores(f"{folder} holds logs, not a table: leave out {', '.join(useless)}")


class _Run(NamedTuple):
    """A run of a training log: its task, its score, its curve if it has steps, and its column."""

    task: str
    score: float
    curve: Curve | None = None
    column: str = ""


def _of_logs(folder: Path, logs: Mapping[str, Sequence[Path]], reading: Reading) -> ScoreFile:
    """Return the scores of runs, each a folder."""
    of_runs: dict[str, dict[Path, list[Path]]] = {kind: {} for kind in logs}
    for kind, files in logs.items():
        for file in files:
            of_runs[kind].setdefault(file.parent, []).append(file)
    kind, notes = _kind_of_all(of_runs)
    known = {file for files in logs.values() for file in files}
    if others := [file for file in files_below(folder, "*.csv") if file not in known]:
        notes.append(f"ignored: {some_paths(others)}")
    if reading.at_step is not None and kind == MONITOR:
        raise InvalidScores(f"{folder}: {MONITOR} files have no steps for --at-step")
    agents = _agents_of(folder, list(of_runs[kind]), reading.agent)
    runs: dict[str, dict[str, list[_Run]]] = {}
    seeds: dict[str, dict[str, list[str]]] = {}
    last: dict[str, list[tuple[float, str]]] = {}
    for path, files in of_runs[kind].items():
        run = _READ[kind](path, files, of_runs[MONITOR].get(path, []), reading.at_step)
        if run is None:
            notes.append(f"left out: {path}, which has no score")
            continue
        agent = agents[path]
        if run.curve:
            end = float(run.curve[0].max()), f"{agent}, {path.name}"
            last.setdefault(run.task, []).append(end)
        runs.setdefault(agent, {}).setdefault(run.task, []).append(run)
        seeds.setdefault(agent, {}).setdefault(run.task, []).append(path.resolve().name)
    columns = {run.column for tasks in runs.values() for of in tasks.values() for run in of} - {""}
    if len(columns) > 1:
        raise InvalidScores(
            f"runs cannot be scored alike: some {PROGRESS} have {_SCORES[0]}, and some do not"
        )
    notes += [f"score: {column}" for column in columns]
    scores = {a: {t: [r.score for r in rs] for t, rs in of.items()} for a, of in runs.items()}
    curves = {
        agent: {
            task: found
            for task, of_task in tasks.items()
            if len(found := [run.curve for run in of_task if run.curve]) == len(of_task)
        }
        for agent, tasks in runs.items()
    }
    notes += [note.removesuffix(".") for note in early_ends(last, reading.at_step)]
    return ScoreFile(as_arrays(folder, scores), ". ".join(notes), seeds=seeds, curves=curves)


def _agents_of(folder: Path, runs: Sequence[Path], given: str) -> dict[Path, str]:
    """Return the agent of each run: the folder that it is in; those of one name by their paths.

    Raises:
        InvalidScores: The user names one agent, and there are several.
    """
    places = {run: folder if folder in (run, run.parent) else run.parent for run in runs}
    of_name: dict[str, set[Path]] = {}
    for place in places.values():
        of_name.setdefault(place.resolve().name, set()).add(place)
    if given and len(set(places.values())) > 1:
        raise InvalidScores(f"{folder} holds runs of {', '.join(of_name)}: leave --agent out")
    called = {}
    for place in places.values():
        name = place.resolve().name
        is_alone = len(of_name[name]) == 1 or place == folder
        called[place] = given or (name if is_alone else place.relative_to(folder).as_posix())
    return {run: called[place] for run, place in places.items()}


def _kind_of_all(of_runs: Mapping[str, Mapping[Path, object]]) -> tuple[str, list[str]]:
    """Return the kind of file that all runs have and are scored by, and what must be said of it.

    Raises:
        InvalidScores: No kind is there for all.
    """
    every = {run for runs in of_runs.values() for run in runs}
    complete = [kind for kind, runs in of_runs.items() if len(runs) == len(every)]
    if not complete:
        lacking = [
            f"{next(run for run in sorted(every) if run not in runs)} has no {kind}"
            for kind, runs in of_runs.items()
            if runs
        ]
        raise InvalidScores(f"runs cannot be scored alike: {', '.join(lacking)}")
    kind = complete[0]
    notes = [NOTES[kind]]
    if kind == EVALUATIONS and of_runs[MONITOR]:
        notes.append(
            f"{MONITOR} files are ignored: they hold training returns, which may rank the "
            "agents differently"
        )
    for better in list(of_runs)[: list(of_runs).index(kind)]:
        if of_runs[better]:
            without = sorted(every - set(of_runs[better]))
            notes.append(f"{better} files are ignored: there is none of {some_paths(without)}")
    return kind, notes


def _task_of(run: Path, monitors: Sequence[Path]) -> str:
    """Return the task that a run's folder names, or else a monitor in it."""
    name = run.resolve().name
    if match := _NUMBERED.fullmatch(name):
        return match[1]
    return next((task for file in monitors if (task := _episodes_of(file)[0])), name)


def _of_evaluations(
    run: Path, files: Sequence[Path], monitors: Sequence[Path], at_step: float | None
) -> _Run:
    """Return the run of an evaluation callback."""
    (file,) = files
    table = read_npz(file, Reading())
    if not isinstance(table, Table) or table.header != CALLBACK:
        raise InvalidScores(f"{file} holds no timesteps and results of Stable-Baselines3")
    curve = numbers_in(table, 0), numbers_in(table, 1)
    return _of_curve(file, _task_of(run, monitors), curve, at_step)


def _of_monitors(
    run: Path, files: Sequence[Path], monitors: Sequence[Path], at_step: float | None
) -> _Run | None:
    """Return a run that has a monitor a parallel environment; None if no episode ended."""
    ends: list[tuple[float, float]] = []
    named: set[str] = set()
    for file in files:
        env_id, of_file = _episodes_of(file)
        ends += of_file
        named.add(env_id or _task_of(run, []))
    if len(named) > 1:
        raise InvalidScores(f"{run} holds monitors of two tasks: {' and '.join(sorted(named))}")
    returns = [value for _, value in sorted(ends)[-LAST_EPISODES:]]
    return _Run(named.pop(), float(np.mean(returns))) if returns else None


def _of_progress(
    run: Path, files: Sequence[Path], monitors: Sequence[Path], at_step: float | None
) -> _Run | None:
    """Return the run of a logger's table; None if it holds no score."""
    (file,) = files
    rows = list(csv.DictReader(_lines_of(file)))
    for column in _SCORES:
        points = [
            (number_of(file, f"row {n}", row[_STEPS]), number_of(file, f"row {n}", row[column]))
            for n, row in enumerate(rows, 1)
            if row.get(column) and row.get(_STEPS)
        ]
        if points:
            steps, scores = np.array(points).T
            found = _of_curve(file, _task_of(run, monitors), (steps, scores), at_step)
            return found._replace(column=column)
    if not rows or _STEPS not in rows[0] or not set(_SCORES) & set(rows[0]):
        raise InvalidScores(f"{file} has no columns {_STEPS} and {' or '.join(_SCORES)}")
    return None


def _of_curve(
    file: Path, task: str, curve: tuple[NDArray[np.float64], NDArray[np.float64]],
    at_step: float | None,
) -> _Run:  # fmt: skip
    steps, scores = curve
    kept = steps <= (np.inf if at_step is None else at_step)
    if not kept.any():
        raise InvalidScores(
            f"{file} begins at step {steps.min():.15g}, after --at-step {at_step:.15g}"
        )
    return _Run(task, float(scores[kept][np.argmax(steps[kept])]), curve)


_READ: Mapping[
    str, Callable[[Path, Sequence[Path], Sequence[Path], float | None], _Run | None]
] = {EVALUATIONS: _of_evaluations, MONITOR: _of_monitors, PROGRESS: _of_progress}  # fmt: skip


def _episodes_of(file: Path) -> tuple[str, list[tuple[float, float]]]:
    """Return a monitor's task, if it names one, and when each episode ended with which return."""
    lines = _lines_of(file)
    try:
        start = json.loads(lines[0].removeprefix("#"))
        began, env_id = float(start["t_start"]), start.get("env_id")
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidScores(f"{file}, line 1: no monitor of Stable-Baselines3") from error
    header = lines[1].split(",") if len(lines) > 1 else []
    if header[:3] != ["r", "l", "t"]:
        raise InvalidScores(f"{file}, line 2: a monitor has the columns r,l,t")
    ends = []
    for n, line in enumerate(lines[2:], 3):
        cells = line.split(",")
        if len(cells) < 3:
            raise InvalidScores(f"{file}, line {n}: {len(cells)} cells under {len(header)} names")
        at = began + number_of(file, f"line {n}", cells[2])
        ends.append((at, number_of(file, f"line {n}", cells[0])))
    return (env_id if isinstance(env_id, str) and env_id != "None" else ""), ends


def _lines_of(file: Path) -> list[str]:
    """Return the lines of a text file that are not empty, at least one.

    Raises:
        InvalidScores: It cannot be read, or has none.
    """
    try:
        text = read_bounded(file, MAX_TABLE_BYTES).decode()
    except OSError as error:
        raise InvalidScores(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidScores(f"{file} is not text: {error}") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InvalidScores(f"{file} is empty")
    return lines
