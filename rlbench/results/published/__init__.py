"""Scores from papers: figures with their source, their licence and their protocol's deviations.

>>> from rlbench import suites
>>> from rlbench.results import published
>>> spr = published.load(suites.get("atari100k"))["SPR"]
>>> spr.values["Pong"].shape, spr.source.licence
((100,), 'GPL-3.0')

They carry no digest. `load` returns what stands on a suite's board; `obstacle` says why scores may
not be ranked against others.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results.published.fields import (
    Deviation,
    differences,
    fields_of,
    in_words,
)
from rlbench.results.published.source import SOURCES, PublishedSource, Repository, slug_of
from rlbench.suites import Suite, sha256_of
from rlbench.suites.papers import Field

__all__ = [
    "COLUMNS",
    "Deviation",
    "Published",
    "PublishedSource",
    "Repository",
    "deviations",
    "fields_of",
    "get",
    "in_words",
    "load",
    "obstacle",
    "sha256_of_scores",
    "slug_of",
    "sources",
    "unrankable",
]

COLUMNS = ("source", "task", "steps", "runs", "scores", "stand_ins", "std", "of")


class _Row(NamedTuple):
    """One task of one source, as a file beside this module has it; numbers by spaces.

    Attributes:
        source: The slug.
        task: The task's display name.
        steps: When the scores were taken, one for all runs or one a run; nothing if unknown.
        runs: The source's names of the runs.
        scores: Raw, in the order of the runs.
        stand_ins: Runs whose score is not that of the end.
        std: Of the runs behind a mean.
        of: How many runs these were.
    """

    source: str
    task: str
    steps: str
    runs: str
    scores: str
    stand_ins: str
    std: str
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The scores of one source on a suite's board.

    Attributes:
        source: Where they come from.
        suite: The suite, which normalises them.
        values: Task to raw scores (runs,), in the suite's order; of means, one.
        runs: Task to the source's names of the runs. They are seeds in some sources only.
        steps: Task to when the scores were taken; nothing where nobody knows.
        stand_ins: Task to the runs whose score is of before the end, as the source's note says.
        spread: Task to standard deviation and number of the runs behind a mean.
    """

    source: PublishedSource
    suite: Suite
    values: Mapping[str, NDArray[np.float64]]
    runs: Mapping[str, tuple[str, ...]]
    steps: Mapping[str, tuple[int, ...]]
    stand_ins: Mapping[str, tuple[str, ...]]
    spread: Mapping[str, tuple[float, int]]

    @property
    def fields(self) -> dict[str, Field]:
        """The protocol's fields, with the budget that the scores' steps show."""
        spent = [self.steps.get(task, ()) for task in self.values]
        every = {step for steps in spent for step in steps}
        budget: Field = None
        if all(spent):
            low, high = min(every), max(every)
            budget = low if low == high else f"{low:,} to {high:,}"
        return {"budget": budget, **self.source.fields}

    def normalised(self) -> dict[str, NDArray[np.float64]]:
        """Return normalised scores (runs,) by task."""
        return {
            name: self.suite.normalise(self.suite.task(name), scores)
            for name, scores in self.values.items()
        }

    def matrix(self) -> NDArray[np.float64]:
        """Return normalised scores (runs, tasks) with a run's scores in one row.

        Raises:
            InvalidScores: The source's runs do not pair across tasks, or not all tasks have them.
        """
        if not self.source.pairs:
            raise InvalidScores(
                f"the runs of {self.source.slug} do not pair across tasks: resample task by task"
            )
        if len(set(self.runs.values())) != 1:
            raise InvalidScores(f"{self.source.slug} does not have the same runs on every task")
        return np.column_stack(list(self.normalised().values()))


def sources(board: str = "") -> tuple[PublishedSource, ...]:
    """Return all sources, or those with scores on a board."""
    return tuple(source for source in SOURCES if not board or board in source.boards)


def get(slug: str) -> PublishedSource:
    """Return a source by its slug.

    Raises:
        UnknownName: There is none.
    """
    for source in SOURCES:
        if source.slug == slug:
            return source
    names = [source.slug for source in SOURCES]
    raise UnknownName("source", slug, names, see="rlbench list runs --store published")


def load(suite: Suite) -> dict[str, Published]:
    """Return the published scores on a suite's board, by the agents' display names.

    Raises:
        UsageError: There are none, or the suite's constants were changed: published scores never
            stand beside unofficial ones.
    """
    if suite.unofficial:
        raise UsageError("published scores cannot be combined with unofficial ones: leave out "
                         "--unofficial or --store published")  # fmt: skip
    found = sources(suite.name)
    if not found:
        boards = dict.fromkeys(board for source in SOURCES for board in source.boards)
        raise UsageError(
            f"there are no published scores of {suite.id}; there are of {', '.join(boards)}"
        )
    return {source.agent: _on(suite, source) for source in found}


def sha256_of_scores(source: PublishedSource) -> str:
    """Return the hash of a source's scores on all boards, and of the protocol they were made by."""
    rows = sorted(row for row in _rows(source.file) if row.source == source.slug)
    fields = dict(source.fields)
    return sha256_of({"fields": fields, "means_only": source.means_only, "rows": rows})


def deviations(published: Published) -> tuple[Deviation, ...]:
    """Return in what the protocol of published scores differs from that of their suite."""
    return differences(fields_of(published.suite), published.fields)


def obstacle(published: Published, other: Published | None = None) -> str:
    """Say why published scores may not be ranked against others; nothing if they may.

    Args:
        published: On a board.
        other: On the same board; None for runs of the suite itself.
    """
    if reason := unrankable(published):
        return f"{published.source.agent}: {reason}"
    if other is None:
        differ = [deviation.field for deviation in deviations(published)]
        whom = "the suite"
    else:
        if back := other.source.never_ranked:
            return f"{other.source.agent}: {back}"
        differ = [name for name, value in published.fields.items() if other.fields[name] != value]
        whom = other.source.agent
    return f"{published.source.agent} and {whom} differ in {_listed(differ)}" if differ else ""


def unrankable(published: Published) -> str:
    """Say why published scores may be ranked against none at all; nothing if they may."""
    unknown = [name for name, value in published.fields.items() if value is None]
    return published.source.never_ranked or (f"not known: {_listed(unknown)}" if unknown else "")


def _listed(fields: list[str]) -> str:
    return ", ".join(field.replace("_", " ") for field in fields)


def _on(suite: Suite, source: PublishedSource) -> Published:
    """Return the scores of a source on a suite's tasks, in the suite's order."""
    found = {row.task: row for row in _rows(source.file) if row.source == source.slug}
    rows = [found[task.name] for task in suite.tasks if task.name in found]
    return Published(
        source=source,
        suite=suite,
        values={row.task: np.array(row.scores.split(), dtype=np.float64) for row in rows},
        runs={row.task: tuple(row.runs.split()) for row in rows},
        steps={row.task: tuple(map(int, row.steps.split())) for row in rows},
        stand_ins={row.task: tuple(row.stand_ins.split()) for row in rows if row.stand_ins},
        spread={row.task: (float(row.std), int(row.of)) for row in rows if row.std},
    )


@cache
def _rows(name: str) -> tuple[_Row, ...]:
    """Return the rows of a file beside this module."""
    text = files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    header, *body = csv.reader(StringIO(text))
    assert tuple(header) == COLUMNS
    return tuple(_Row(*cells) for cells in body)
