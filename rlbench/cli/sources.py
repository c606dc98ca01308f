"""Where verbs that compare take scores from: files, folders, stores and papers together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from rlbench.cli.options import DEFAULT_STORE, PUBLISHED, parse_suite, records_of
from rlbench.cli.output import echo, print_table
from rlbench.errors import InvalidScores, UsageError
from rlbench.results import Runs, Scores, collect, published, read_scores, select, unofficial_text
from rlbench.results.engines import usual_engines
from rlbench.results.published import Published
from rlbench.results.rankable import Terms, terms_of
from rlbench.stats.intervals import Estimate
from rlbench.suites import Suite

Agents = dict[str, dict[str, NDArray[np.float64]]]

WIDE = 100  # times that the scores of a task are those of another, and decide an aggregate

SuiteToNormalise = Annotated[
    str, typer.Option("--suite", help="Normalise by this suite's reference scores.")
]
NormaliseByOption = Annotated[
    str,
    typer.Option(
        "--normalise-by",
        metavar="LOW,HIGH",
        help="Normalise by two columns of the files: LOW becomes 0, HIGH becomes 1.",
    ),
]
LowerOption = Annotated[
    bool,
    typer.Option("--lower-is-better", help="Raw scores are losses or costs: less is better."),
]
StoresOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--store",
        help="A folder of records; runs if no file is given. published: scores from papers.",
    ),
]


class Gathered(NamedTuple):
    """Scores of all sources.

    Attributes:
        agents: Scores by agent and task.
        notes: What must be said of them.
        published: Those of the agents that come from papers.
        own: The terms of those that have records.
    """

    agents: Agents
    notes: list[str]
    published: dict[str, Published]
    own: dict[str, Terms]


class Scale:
    """How scores are normalised: by a suite, by two columns, or not.

    Args:
        suite: The name of a suite, or nothing.
        unofficial: Its constants that are changed.
        normalise_by: Two columns, or nothing.
        lower_is_better: Raw scores are better the lower they are.

    Raises:
        UsageError: Both are given, the columns are not two, or normalised scores are said to be
            better the lower they are.
    """

    def __init__(
        self, suite: str, unofficial: str, normalise_by: str, *, lower_is_better: bool = False
    ) -> None:
        self.suite: Suite | None = parse_suite(suite, unofficial) if suite else None
        self.columns: tuple[str, str] | None = None
        self.lower_is_better = lower_is_better
        if lower_is_better and (suite or normalise_by):
            raise UsageError(
                "--lower-is-better is for raw scores: normalised ones are better the higher they "
                "are; --normalise-by WORST,BEST turns costs round"
            )
        if normalise_by:
            low, comma, high = (part.strip() for part in normalise_by.partition(","))
            if not comma or not low or not high:
                raise UsageError(f"--normalise-by {normalise_by!r} is not two columns: LOW,HIGH")
            if suite:
                raise UsageError(
                    "give --suite or --normalise-by, not both: each says how to normalise"
                )
            self.columns = low, high

    @property
    def sign(self) -> int:
        """What scores are multiplied by so that larger ones are better."""
        return -1 if self.lower_is_better else 1

    @property
    def better(self) -> dict[str, str]:
        """What the rows of a program say besides."""
        return {"better": "lower"} if self.lower_is_better else {}

    def shown(self, estimate: Estimate) -> Estimate:
        """Return an estimate of scores that were multiplied by the sign, in the user's sign."""
        if not self.lower_is_better:
            return estimate
        low, high = (None if end is None else -end for end in (estimate.high, estimate.low))
        return replace(estimate, point=-estimate.point, low=low, high=high)

    def shown_decision(self, decision: str) -> str:
        """Return a decision on scores that were multiplied by the sign, in the user's sign."""
        turned = {"larger": "smaller", "smaller": "larger"} if self.lower_is_better else {}
        return turned.get(decision, decision)

    @property
    def by(self) -> str:
        """What scores are normalised by, or nothing."""
        if self.suite:
            return f"the {' and '.join(self.suite.references)} scores of {self.suite.id}"
        return f"the columns {' and '.join(self.columns)}" if self.columns else ""

    @property
    def title(self) -> str:
        """What a table says of its scores."""
        if self.lower_is_better:
            return "raw scores, as they stand in the files; lower is better"
        if not self.by:
            return "raw scores, as they stand in the files; --suite normalises them"
        title = f"scores normalised by {self.by}"
        if self.suite and self.suite.unofficial:
            title += f"; UNOFFICIAL: {unofficial_text(self.suite.unofficial)}"
        return title


def gather(files: Sequence[Path], stores: Sequence[Path] | None, scale: Scale) -> Gathered:
    """Return the scores of all sources by agent and task, and what must be said of them.

    Raises:
        InvalidScores: A file is bad, or an agent is in two sources.
        UsageError: A store is given without a suite, or holds no scores.
    """
    agents: Agents = {}
    notes = []
    papers: dict[str, Published] = {}
    own: dict[str, Terms] = {}
    for file in files:
        runs, note = read_scores(file, scale.columns)
        _add(agents, select(runs, scale.suite) if scale.suite else runs, str(file))
        if note:
            notes.append(f"{file}: {note}.")
    places = list(stores or ([] if files else [DEFAULT_STORE]))
    if places and scale.suite is None:
        raise UsageError("records need a suite: add --suite, e.g. --suite atari100k")
    if PUBLISHED in places and scale.suite:
        papers = published.load(scale.suite)
        runs = {agent: scores.normalised() for agent, scores in papers.items()}
        _add(agents, runs, str(PUBLISHED))
    if scale.suite:
        for place, scores in _from_stores([p for p in places if p != PUBLISHED], scale.suite):
            _add(agents, {a: scores.normalised(a) for a in scores.values}, str(place))
            own |= {a: terms_of(scores.records[a], scores.engines[a]) for a in scores.values}
    return Gathered(agents, notes, papers, own)


def of_raw_scores(agents: Agents, scale: Scale) -> list[str]:
    """Return what must be said of aggregates over tasks whose raw scores differ widely in size."""
    if scale.by:
        return []
    runs: dict[str, list[NDArray[np.float64]]] = {}
    for tasks in agents.values():
        for task, scores in tasks.items():
            runs.setdefault(task, []).append(np.abs(scores))
    sizes = {task: float(np.concatenate(parts).mean()) for task, parts in runs.items()}
    sizes = {task: size for task, size in sizes.items() if size > 0}
    if len(sizes) < 2 or max(sizes.values()) < WIDE * min(sizes.values()):
        return []
    large, small = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
    times = min(sizes[large] / sizes[small], 1e6)
    return [
        f"Raw scores: {large} is about {float(f'{times:.1g}'):,.0f} times larger than {small}. The "
        "largest tasks decide the mean, and the IQM cuts whole tasks: give --suite or "
        "--normalise-by."
    ]


def deviations_of(agent: str, papers: Mapping[str, Published]) -> str | None:
    """Return in one line how the protocol of an agent from a paper differs from the suite's."""
    return published.in_words(published.deviations(papers[agent])) if agent in papers else None


def print_deviations(papers: Mapping[str, Published], *, err: bool) -> None:
    """Print how the protocols of agents from papers differ from that of their suite.

    Args:
        papers: The agents that come from papers.
        err: Print lines on standard error, since standard output is for a program.
    """
    rows = [
        {
            "agent": agent,
            "source": scores.source.slug,
            "deviations": deviations_of(agent, papers),
        }
        for agent, scores in papers.items()
    ]
    if not rows:
        return
    if err:
        for row in rows:
            echo(f"{row['agent']} ({row['source']}): {row['deviations']}", err=True)
    else:
        suite = next(iter(papers.values())).suite
        title = f"published scores: how their protocols differ from {suite.id}"
        print_table(rows, list(rows[0]), title)
        echo("Where they come from: rlbench show SOURCE, or docs/published-scores.md")
    for agent, scores in papers.items():
        if count := sum(map(len, scores.stand_ins.values())):
            echo(
                f"{agent}: {count} runs hold a score of before the end "
                f"(rlbench show {scores.source.slug}).",
                err=err,
            )


def _from_stores(stores: Sequence[Path], suite: Suite) -> Iterator[tuple[Path, Scores]]:
    """Yield the scores of each store, told apart by the engines of all of them."""
    records = {store: records_of(store, suite) for store in stores}
    usual = usual_engines([r for of_store in records.values() for r in of_store], suite)
    for store, of_store in records.items():
        scores = collect(of_store, suite, usual)
        if not scores.values:
            raise UsageError(
                f"every run of {suite.id} in the store {store} failed: there is no score"
            )
        yield store, scores


def _add(agents: Agents, more: Runs, source: str) -> None:
    """Add agents from one source; one agent comes from one source only."""
    for agent, tasks in more.items():
        if agent in agents:
            raise InvalidScores(f"the agent {agent!r} of {source} is in another source too")
        agents[agent] = dict(tasks)
