"""Runs that keep a limit, such as one on the safety cost of their episodes."""

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

import numpy as np

from rlbench.errors import UnknownName
from rlbench.results.record import Record
from rlbench.results.scores import Scores


class Constrained(NamedTuple):
    """The scores of the runs that keep all limits.

    Attributes:
        scores: Without agents that no run is left of.
        kept: By agent and task that has one of the measures: how many runs keep the limits, and of
            how many.
    """

    scores: Scores
    kept: Mapping[tuple[str, str], tuple[int, int]]


def constrained(scores: Scores, limits: Mapping[str, float]) -> Constrained:
    """Leave out runs whose final evaluation has a mean above a limit.

    Tasks on which nothing measures it have no limit: all their runs stay.

    Args:
        scores: With records.
        limits: The greatest mean over episodes, by the name of the measure.

    Raises:
        UnknownName: No run has such a measure.
    """
    all_records = [record for records in scores.records.values() for record in records]
    known = {name: None for record in all_records for name in record.final.measures}
    for name in limits:
        if name not in known:
            raise UnknownName(f"measure of the runs of {scores.suite.id}", name, known)
    kept: dict[tuple[str, str], tuple[int, int]] = {}
    records: dict[str, tuple[Record, ...]] = {}
    for agent, of_agent in scores.records.items():
        for task in scores.values[agent]:
            runs = [record for record in of_agent if record.identity.task == task]
            if any(limits.keys() & record.final.measures.keys() for record in runs):
                within = sum(_keeps(record, limits) for record in runs)
                kept[agent, task] = within, len(runs)
        records[agent] = tuple(record for record in of_agent if _keeps(record, limits))
    return Constrained(_only(scores, records), kept)


def _keeps(record: Record, limits: Mapping[str, float]) -> bool:
    measures = record.final.measures
    return all(fmean(measures[name]) <= limits[name] for name in limits if name in measures)


def _only(scores: Scores, records: Mapping[str, tuple[Record, ...]]) -> Scores:
    """Return the scores of these records alone."""
    by_task = {
        agent: {
            task: found
            for task in scores.values[agent]
            if (found := [record for record in of_agent if record.identity.task == task])
        }
        for agent, of_agent in records.items()
        if of_agent
    }
    return replace(
        scores,
        values={
            agent: {task: np.array([r.score for r in runs]) for task, runs in tasks.items()}
            for agent, tasks in by_task.items()
        },
        seeds={
            agent: {task: np.array([r.identity.seed for r in runs]) for task, runs in tasks.items()}
            for agent, tasks in by_task.items()
        },
        records={agent: records[agent] for agent in by_task},
    )
