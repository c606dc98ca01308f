"""Scores: records as arrays, one for each agent and task."""

import csv
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.limits import MAX_VALUE
from rlbench.results.engines import other_engines, usual_engines
from rlbench.results.labels import all_options, labels
from rlbench.results.record import SCHEMA_VERSION, Evaluation, Record
from rlbench.results.values import unofficial_text
from rlbench.suites import Constant, Suite

if TYPE_CHECKING:
    import pandas as pd

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]  # budgets and scores of one run
_HASH = re.compile(r"[0-9a-f]{32,}")
_SHOWN = 40  # characters of a constant
NamedScores = Mapping[int, Mapping[str, float]]  # of one run, by budget, then evaluation
FRAME_COLUMNS = ("suite", "agent", "task", "seed", "score", "normalised")


def curve_of(record: Record, suite: Suite) -> Curve:
    """Return budgets and normalised scores (points,) of a run's main evaluations.

    Of two evaluations at one budget the later counts.
    """
    at = {float(e.budget_used): record.score_of(e) for e in record.main_evaluations}
    task = suite.task(record.identity.task)
    return np.array(list(at)), suite.normalise(task, np.array(list(at.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of agents on the tasks of one suite.

    Attributes:
        suite: The suite; all scores have its digests.
        values: Agent, then task, to the raw scores of its runs, (runs,) float64 in the order of
            seeds. Only tasks with runs are there, in the suite's order.
        seeds: Agent, then task, to the seeds of these runs, (runs,) int64.
        records: Agent to its records, in the same order; none where the scores came without.
        engines: Agent to the engine that it ran on, where that is not the usual one: see
            `rlbench.results.engines`.
    """

    suite: Suite
    values: Mapping[str, Mapping[str, NDArray[np.float64]]]
    seeds: Mapping[str, Mapping[str, NDArray[np.int64]]]
    records: Mapping[str, tuple[Record, ...]]
    engines: Mapping[str, str] = field(default_factory=dict)

    def normalised(self, agent: str) -> dict[str, NDArray[np.float64]]:
        """Return normalised scores (runs,) by task, in the suite's order."""
        return {
            name: self.suite.normalise(self.suite.task(name), scores)
            for name, scores in self.values[agent].items()
        }

    def curves(self, agent: str) -> dict[str, list[Curve]]:
        """Return the learning curves of an agent's records, by task.

        Returns:
            One pair (budgets, normalised scores) a run, each (points,), by the evaluations that
            give scores; of two at one budget the later counts.
        """
        found: dict[str, list[Curve]] = {task: [] for task in self.values[agent]}
        for record in self.records[agent]:
            found[record.identity.task].append(curve_of(record, self.suite))
        return found

    def named(self, agent: str) -> dict[str, list[NamedScores]]:
        """Return the normalised scores of all named evaluations of an agent's records, by task.

        Returns:
            One mapping a run, from budgets to scores by the names of the evaluations; of two of one
            name at one budget the later counts.
        """
        found: dict[str, list[NamedScores]] = {task: [] for task in self.values[agent]}
        for record in self.records[agent]:
            task = self.suite.task(record.identity.task)
            of_run: dict[int, dict[str, float]] = {}
            for e in record.evaluations:
                score = self.suite.normalise(task, np.array(record.score_of(e)))
                of_run.setdefault(e.budget_used, {})[e.name] = float(score)
            found[task.name].append(of_run)
        return found

    def measures(self, agent: str) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Return the measures in the final evaluations of an agent's records, by task.

        Returns:
            By name, ``score`` first: the mean over episodes of each run that has it, (runs,).
        """
        found: dict[str, dict[str, list[float]]] = {task: {} for task in self.values[agent]}
        for record in self.records[agent]:
            of_task = found[record.identity.task]
            means = {name: fmean(values) for name, values in record.final.measures.items()}
            for name, value in {"score": record.score, **means}.items():
                of_task.setdefault(name, []).append(value)
        return {
            task: {name: np.array(values) for name, values in measures.items()}
            for task, measures in found.items()
        }

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas frame, one row per run: suite, agent, task, seed, score, normalised."""
        import pandas as pd

        rows = [
            (self.suite.id, agent, task, seed, score, normalised)
            for agent, tasks in self.values.items()
            for (task, of_task) in self.normalised(agent).items()
            for seed, score, normalised in zip(
                self.seeds[agent][task].tolist(),
                tasks[task].tolist(),
                of_task.tolist(),
                strict=True,
            )
        ]
        return pd.DataFrame(rows, columns=FRAME_COLUMNS)

    @classmethod
    def from_frame(cls, frame: "pd.DataFrame", suite: Suite) -> "Scores":
        """Return the scores of a pandas frame.

        Args:
            frame: A row a run with the columns agent, task, seed and score (raw); others are left
                alone, but a column ``suite`` must name this suite.
            suite: The suite.

        Raises:
            InvalidScores: A column is missing, a run appears twice, a score is not a finite
                number, a seed is none, or the rows are of another suite; the message names the
                row.
            UnknownName: A task is not of the suite.
        """
        missing = [name for name in ("agent", "task", "seed", "score") if name not in frame]
        if missing:
            raise InvalidScores(f"the frame has no column {', '.join(missing)}")
        if "suite" in frame and (frame["suite"] != suite.id).any():
            raise InvalidScores(f"the frame holds scores of other suites than {suite.id}")
        found: dict[str, dict[str, dict[int, float]]] = {}
        columns = (frame[name] for name in ("agent", "task", "seed", "score"))
        for row, (agent, task, seed, score) in enumerate(zip(*columns, strict=True)):
            runs = found.setdefault(str(agent), {}).setdefault(suite.task(str(task)).name, {})
            if not isinstance(seed, numbers.Integral):
                raise InvalidScores(f"row {row} of the frame: the seed {seed!r} is not an integer")
            # Compared as it is: a large integer has no float.
            if not (
                isinstance(score, numbers.Real) and -MAX_VALUE <= score <= MAX_VALUE  # type: ignore[operator]
            ):
                raise InvalidScores(
                    f"row {row} of the frame: {score!r} is not a finite number of at most "
                    f"{MAX_VALUE:g}"
                )
            if int(seed) in runs:
                raise InvalidScores(
                    f"row {row} of the frame: agent {agent!r}, task {task!r}, seed {seed} "
                    "already exists"
                )
            runs[int(seed)] = float(score)
        ordered = {
            agent: {
                task.name: dict(sorted(tasks[task.name].items()))
                for task in suite.tasks
                if task.name in tasks
            }
            for agent, tasks in found.items()
        }
        return cls(
            suite=suite,
            values={
                agent: {task: np.array(list(runs.values())) for task, runs in tasks.items()}
                for agent, tasks in ordered.items()
            },
            seeds={
                agent: {task: np.array(list(runs)) for task, runs in tasks.items()}
                for agent, tasks in ordered.items()
            },
            records=dict.fromkeys(ordered, ()),
        )


def belongs(record: Record, suite: Suite) -> bool:
    """Say whether a record was made under exactly this suite's constants."""
    return bool(members([record], suite))


def members(records: Iterable[Record], suite: Suite) -> list[Record]:
    """Return the records that were made under exactly this suite's constants."""
    tasks = {task.name: task for task in suite.tasks}
    digests: dict[str, str] = {}
    found = []
    for record in records:
        name = record.identity.task
        if record.identity.suite != suite.id or name not in tasks:
            continue
        if name not in digests:
            digests[name] = suite.digest(tasks[name])
        if digests[name] == record.identity.digest:
            found.append(record)
    return found


def under_other_constants(records: Iterable[Record], suite: Suite) -> str:
    """Say how many records are of a suite of that name but of other constants, and of which.

    A suite in a file may be changed between two commands, and two files may give one name.

    Returns:
        One line, or nothing if there is none.
    """
    ours = {task.name: suite.constants(task) for task in suite.tasks}
    number, differ = 0, dict[str, None]()
    for record in records:
        identity = record.identity
        if (identity.suite, identity.unofficial) != (suite.id, suite.unofficial) or record.is_old:
            continue
        here = ours.get(identity.task)
        if here == identity.constants:
            continue
        number += 1
        if here is None:
            differ[f"no task {identity.task} here"] = None
            continue
        for name in sorted({*here, *identity.constants}):
            pair = identity.constants.get(name, "nothing"), here.get(name, "nothing")
            if pair[0] != pair[1]:
                differ[f"{name} {_short(pair[0])}, here {_short(pair[1])}"] = None
    if not number:
        return ""
    some = "; ".join(list(differ)[:3]) + ("; ..." if len(differ) > 3 else "")
    return f"{number} records of {suite.id} under other constants ({some})"


def _short(value: Constant) -> str:
    """Return a constant as a line can hold it; of a hash, the beginning."""
    text = str(value)
    return text[:8] if _HASH.fullmatch(text) else text[:_SHOWN]


def is_old_of(record: Record, suite: Suite) -> bool:
    """Say whether a record is of schema 1 and was made for this suite: shown, never ranked."""
    identity = record.identity
    names = {task.name for task in suite.tasks}
    return (
        record.is_old
        and identity.suite == suite.id
        and identity.task in names
        and identity.unofficial == suite.unofficial
    )


def collect(
    records: Iterable[Record], suite: Suite, usual: Mapping[str, str] | None = None
) -> Scores:
    """Gather the scores of a suite.

    Args:
        records: Any records; failed ones and those of other digests are left out.
        suite: The suite, with unofficial constants if those are meant.
        usual: The usual engines, see `usual_engines`; by default those of these records.

    Returns:
        The scores, by the labels of the agents: see `rlbench.results.labels`. Those of agents that
        differ in anything (factory, version, options, source, what they were given) are never
        pooled, nor are runs on engines that behave differently: ``hp [ale-py 0.10.0]``.
    """
    mine = members(records, suite)
    named = _named(mine, suite, usual)
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in mine:
        if record.status == "ok":
            groups.setdefault(named[record.sha256], []).append(record)
    values, seeds, by_agent, engines = {}, {}, {}, {}
    for (label, engine), group_records in sorted(groups.items()):
        engines[label] = engine
        group_records.sort(key=lambda record: record.identity.seed)
        by_task: dict[str, list[Record]] = {task.name: [] for task in suite.tasks}
        for record in group_records:
            by_task[record.identity.task].append(record)
        values[label] = {t: np.array([r.score for r in rs]) for t, rs in by_task.items() if rs}
        seeds[label] = {
            t: np.array([r.identity.seed for r in rs]) for t, rs in by_task.items() if rs
        }
        by_agent[label] = tuple(group_records)
    return Scores(suite=suite, values=values, seeds=seeds, records=by_agent, engines=engines)


def _named(
    records: Sequence[Record], suite: Suite, usual: Mapping[str, str] | None
) -> dict[str, tuple[str, str]]:
    """Return the label of each record's agent and its engine if that is another, by sha256."""
    names = labels(record.identity for record in records)
    others = other_engines(
        records, suite, usual_engines(records, suite) if usual is None else usual
    )
    groups: dict[tuple[str, str], list[str]] = {}
    for record in records:
        pair = names[record.identity.agent_key], others.get(record.sha256, "")
        groups.setdefault(pair, []).append(record.sha256)
    found: dict[str, tuple[str, str]] = {}
    used: set[str] = set()
    for (name, engine), of_pair in sorted(groups.items()):
        label = f"{name} [{engine}]" if engine else name
        while label in used or (engine and label in names.values()):
            label += "*"  # an agent may be named like another's label
        used.add(label)
        found.update(dict.fromkeys(of_pair, (label, engine)))
    return found


COLUMNS = (
    "suite", "unofficial", "task", "agent", "version", "seed", "status", "score", "normalised",
    "episodes", "distinct_starts", "budget_used", "seconds", "key", "schema", "options",
)  # fmt: skip
CURVE_COLUMNS = (*COLUMNS, "step")


def rows(
    records: Iterable[Record], suite: Suite, *, curves: bool = False, training_episodes: int = 0
) -> list[dict[str, Any]]:
    """Return one flat row per record of the suite, with the names in `COLUMNS`.

    The score of a failed run is None. The agent is named as `collect` names it. A record of schema
    1 has the status ``old`` if it has a score: no statistics take it in.

    Args:
        records: Any records; those of other digests are left out.
        suite: The suite.
        curves: Return one row an evaluation of a run instead, by the names in `CURVE_COLUMNS`; of
            two at one budget the later counts, and a run without one has one row.
        training_episodes: If positive, the score of a run is the mean return of its last so many
            training episodes, as papers do that evaluate by training (Machado et al. 2018). Records
            keep at least the last 5,000. A run in which no episode ended has no score. Such a mean
            is normalised only where the protocol's own score is a mean.
    """
    out = []
    records = list(records)
    members_too = {id(record) for record in members(records, suite)}
    mine = [r for r in records if id(r) in members_too or is_old_of(r, suite)]
    named = _named(mine, suite, usual=None)
    for record in mine:
        about = _about(record, named[record.sha256][0])
        evaluations: list[Evaluation | None] = [record.final if record.status == "ok" else None]
        if curves and record.status == "ok":
            evaluations = list({e.budget_used: e for e in record.main_evaluations}.values())
        for evaluation in evaluations:
            row = about | (
                _of_training(record, training_episodes, suite)
                if training_episodes
                else _of_evaluation(record, evaluation, suite)
            )
            out.append({**row, "step": evaluation and evaluation.budget_used} if curves else row)
    return out


def _about(record: Record, agent: str) -> dict[str, Any]:
    """Return what a row says of a run."""
    identity = record.identity
    return {
        "suite": identity.suite,
        "unofficial": unofficial_text(identity.unofficial),
        "task": identity.task,
        "agent": agent,
        "version": identity.agent.version,
        "seed": identity.seed,
        "status": "old" if record.is_old and record.status == "ok" else record.status,
        "budget_used": record.budget_used,
        "seconds": record.timing.get("seconds"),
        "key": identity.key,
        "schema": 1 if record.is_old else SCHEMA_VERSION,
        "options": unofficial_text(all_options(identity)),
    }


def _of_evaluation(record: Record, evaluation: Evaluation | None, suite: Suite) -> dict[str, Any]:
    """Return what a row says of an evaluation; of a failed run there is none."""
    if evaluation is None:
        return dict.fromkeys(("score", "normalised", "episodes", "distinct_starts"))
    score = record.score_of(evaluation)
    return {
        "score": score,
        "normalised": float(suite.normalise(suite.task(record.identity.task), np.array(score))),
        "episodes": len(evaluation.returns),
        "distinct_starts": evaluation.distinct_starts,
    }


def _of_training(record: Record, number: int, suite: Suite) -> dict[str, Any]:
    """Return what a row says of a run's last training episodes."""
    returns = record.training.returns[-number:] if record.status == "ok" else ()
    if not returns:
        return dict.fromkeys(("score", "normalised", "episodes", "distinct_starts"))
    score = fmean(returns)
    task = suite.task(record.identity.task)
    by_mean = record.identity.constants.get("score_rule", "mean") == "mean"
    return {
        "score": score,
        "normalised": float(suite.normalise(task, np.array(score))) if by_mean else None,
        "episodes": len(returns),
        "distinct_starts": None,
    }


def write_csv(
    table: Iterable[Mapping[str, Any]], file: TextIO, columns: Sequence[str] = COLUMNS
) -> None:
    """Write rows as CSV; a leading quote marks text that a spreadsheet would read as a formula."""
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    for row in table:
        writer.writerow({name: _harmless(value) for name, value in row.items()})


def _harmless(value: object) -> object:
    if isinstance(value, str) and value[:1] in tuple("=+-@\t\r"):
        return f"'{value}"
    return value
