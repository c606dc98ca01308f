"""Boards: all that the site shows of one suite version, computed from records and papers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import permutations
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.leaderboard.beside_data import DataRow, data_rows
from rlbench.leaderboard.captions import HEADLINE
from rlbench.leaderboard.evaluations import EvaluationRow, evaluation_rows
from rlbench.leaderboard.measures import MeasureRow, measure_rows
from rlbench.leaderboard.retention import (
    RetentionRow,
    evaluations_apart,
    has_clean_evaluation,
    retention_rows,
)
from rlbench.results import Identity, Record, Scores, collect, published, unofficial_text
from rlbench.results.labels import display_name, labels
from rlbench.results.published import Published
from rlbench.results.rankable import (
    MEANS,
    NOTHING,
    Terms,
    honest,
    ranked_together,
    terms_of,
    why_alone,
)
from rlbench.results.scores import members
from rlbench.stats import (
    align,
    improvement,
    learning_curve,
    profile_band,
    summarise,
    summarise_tasks,
)
from rlbench.stats.bands import CurveEstimate
from rlbench.stats.comparisons import MIN_RUNS, Separation, separate
from rlbench.stats.curves import MOST_DRAWN
from rlbench.stats.permutation import Pair
from rlbench.stats.ranks import ranks_of_separations
from rlbench.stats.summary import SummaryRow, TaskRow
from rlbench.suites import Constant, Suite, Task, slug

Badge = Literal["self-reported", "replayed", "replay differs", "retrained", "published"]
Floats = NDArray[np.float64]
Row = dict[str, Any]

MAX_DRAWN = 20  # agents in one chart
MAX_TASKS = 100  # that are all shown, whether or not they have runs
THRESHOLDS = 101  # of performance profiles
ALPHA = 0.05  # of all rank sets of a pool together
OF_MEANS = ("mean",)  # what can be said where a task has a mean and no runs


class Place(NamedTuple):
    """Where an agent stands among the agents that it may be ranked against.

    Attributes:
        pool: The number of these agents' pool, from 1 on.
        low: The best rank that it may have.
        high: The worst.
        of: How many agents the pool has.
        tier: Letters; agents of a pool that share one were not separated.
        method: Of the rank set.
    """

    pool: int
    low: int
    high: int
    of: int
    tier: str
    method: str

    @property
    def label(self) -> str:
        """The tier's name on a board of several pools, e.g. ``2a``."""
        return f"{self.pool}{self.tier}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An agent on a board.

    Attributes:
        agent: The display name; no other on the board has it.
        slug: The name of its page, which stays the same while others come and go.
        badge: How far its scores have been looked at.
        values: Task to raw scores (runs,), in the suite's order; of means, one a task.
        runs: Task to the names of its runs: seeds, or what the source calls them.
        normalised: Task to normalised scores (runs,).
        terms: What it was given, and on which engine.
        metrics: Aggregates of the normalised scores by name.
        tasks: Aggregates of the raw scores by task.
        place: Its rank set and tier, if it may be ranked.
        not_ranked: Why not, if it may not.
        hours: Mean wall-clock hours of a run, if known.
        date: When its last run ended (YYYY-MM-DD), or the year of the paper.
        records: Of its runs; none if it comes from a paper.
        failures: The last record of each run that failed and was not made good since.
        paper: What was published, if it comes from a paper.
    """

    agent: str
    slug: str
    badge: Badge
    values: Mapping[str, Floats]
    runs: Mapping[str, tuple[str, ...]]
    normalised: Mapping[str, Floats]
    terms: Terms
    metrics: Mapping[str, SummaryRow]
    tasks: Mapping[str, TaskRow]
    place: Place | None
    not_ranked: str
    hours: float | None
    date: str
    records: tuple[Record, ...]
    failures: tuple[Record, ...]
    paper: Published | None

    @property
    def failed(self) -> int:
        """How many of its runs failed and were not made good since."""
        return len(self.failures)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of its runs: what was not as in the plainest of runs."""
        found = []
        if self.terms.given:
            found.append(f"was given {', '.join(self.terms.given).replace('_', ' ')}")
        if self.terms.engine:
            found.append(f"ran on {self.terms.engine}, not on the expected engine")
        counts = {
            "with extra evaluations": sum(
                any(e.extra for e in record.evaluations) for record in self.records
            ),
            "with less than the whole budget spent": sum(
                record.budget_used != record.identity.constants["budget"] for record in self.records
            ),
            "begun again after a signal from outside": sum(
                bool(record.timing.get("signalled")) for record in self.records
            ),
        }
        found += [f"runs {what}: {number}" for what, number in counts.items() if number]
        return tuple(found)

    @property
    def source(self) -> str:
        """Where it comes from: the paper, or the agent's version, or else how it was named."""
        if self.paper:
            return self.paper.source.paper.partition(";")[0]
        agent = self.records[0].identity.agent
        return agent.version or agent.spec

    @property
    def headline(self) -> float:
        """What a board is sorted by: the IQM, or the mean where there are no runs."""
        return self.metrics[HEADLINE if HEADLINE in self.metrics else "mean"].point

    @property
    def runs_text(self) -> str:
        """How many runs a task has, as ``5`` or ``3 to 5``."""
        numbers = {len(scores) for scores in self.values.values()}
        if self.paper and self.paper.source.means_only:
            numbers = {runs for _, runs in self.paper.spread.values()}
        low, high = min(numbers, default=0), max(numbers, default=0)
        return "not known" if not high else f"{low}" if low == high else f"{low} to {high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All that one board shows.

    Attributes:
        suite: The suite version, with its constants.
        folder: The name of its pages' folder.
        unofficial: The constants that were changed, as the command line takes them; or nothing.
        entries: The agents: those with records first, then those from papers; in either part those
            with all tasks first, then by IQM.
        without_scores: Agents of which every run failed, and how many did.
        profiles: For ``records`` and ``papers``: agent, tau, point, low, high, method.
        improvements: Of each pool of at least two: x, y, point, low, high, method.
        separations: Of each pool, by the slugs of two agents, what decided between them: see
            `rlbench.stats.comparisons.separate`.
        curves: agent, step, point, low, high, method.
        retention: Of a suite with clean tasks or a clean evaluation, a row an agent and type of
            disturbance.
        evaluations: Of another suite with several named evaluations, a row an agent and
            evaluation, at the end of its runs.
        beside_data: How agents compare with their data, where these are known.
        measures: What else was measured, of agents with records: a row an agent, task and measure.
    """

    suite: Suite
    folder: str
    unofficial: str
    entries: tuple[Entry, ...]
    without_scores: Mapping[str, int]
    profiles: Mapping[str, list[Row]]
    improvements: Mapping[int, list[Row]]
    separations: Mapping[int, Mapping[Pair, Separation]]
    curves: list[Row]
    retention: list[RetentionRow]
    evaluations: list[EvaluationRow]
    beside_data: list[DataRow]
    measures: list[MeasureRow]

    @property
    def data_returns(self) -> dict[str, float]:
        """Task to the normalised mean return of its data, where that is known."""
        return self.suite.data_returns()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that are shown: all, or of very many those that have runs."""
        if len(self.suite.tasks) <= MAX_TASKS:
            return self.suite.tasks
        return tuple(
            task
            for task in self.suite.tasks
            if any(task.name in entry.values for entry in self.entries)
        )

    @property
    def own(self) -> tuple[Entry, ...]:
        """The agents with records."""
        return tuple(entry for entry in self.entries if not entry.paper)

    @property
    def papers(self) -> tuple[Entry, ...]:
        """The agents from papers."""
        return tuple(entry for entry in self.entries if entry.paper)

    @property
    def pools(self) -> dict[int, tuple[Entry, ...]]:
        """The agents that were ranked together, by the number of their pool."""
        found: dict[int, tuple[Entry, ...]] = {}
        for entry in self.entries:
            if entry.place:
                found[entry.place.pool] = (*found.get(entry.place.pool, ()), entry)
        return dict(sorted(found.items()))


def make_boards(
    records: Sequence[Record],
    replays: Mapping[str, bool] | None = None,
    papers: frozenset[str] | None = None,
    only: Collection[str] | None = None,
    more: Sequence[Suite] = (),
) -> list[Board]:
    """Return one board for each suite and set of unofficial constants, the official ones first.

    A suite of which there are published scores has one in any case.

    Args:
        records: Of any suites.
        replays: sha256 of a record to whether its final evaluation came out equal when it was
            played again.
        papers: The slugs of the published sources to show; by default all.
        only: The names of the suites to show; by default all.
        more: Suites besides those that are registered.
    """
    not_registered = {suite.id: suite for suite in more}
    groups: dict[tuple[str, str], tuple[Mapping[str, Constant], list[Record]]] = {}
    for record in records:
        identity = record.identity
        key = (identity.suite, unofficial_text(identity.unofficial))
        groups.setdefault(key, (identity.unofficial, []))[1].append(record)
    for name in suites.names():
        if published.sources(name):
            groups.setdefault((suites.get(name).id, ""), ({}, []))
    boards = []
    for (suite_id, unofficial), (changed, of_suite) in sorted(
        groups.items(), key=lambda item: (item[0][1] != "", item[0][0].split("@"), item[0][1])
    ):
        try:
            suite = not_registered.get(suite_id) or suites.get(suite_id)
            suite = suite.make_unofficial(changed)
        except UsageError:
            # Nobody here knows the suite, so nothing can be said of its scores.
            continue
        if only is not None and suite.name not in only:
            continue
        folder = suite_id.replace("@", "-")
        if unofficial:
            folder += f"-unofficial-{sha256(unofficial.encode()).hexdigest()[:8]}"
        found = {} if unofficial or not published.sources(suite.name) else published.load(suite)
        if papers is not None:
            found = {name: p for name, p in found.items() if p.source.slug in papers}
        mine = members(of_suite, suite)
        boards.append(_board(suite, folder, unofficial, mine, found, replays or {}))
    return boards


def _board(
    suite: Suite,
    folder: str,
    unofficial: str,
    records: list[Record],
    papers: Mapping[str, Published],
    replays: Mapping[str, bool],
) -> Board:
    failures = _failures(records)
    scores = collect(records, suite)
    own = [_from_records(scores, agent, failures, replays) for agent in scores.values]
    called = labels(record.identity for record in records)
    scored = {entry.records[0].identity.agent_key for entry in own}
    names = set(called.values())
    others = []
    for name, paper in papers.items():
        while name in names:
            name += " (published)"
        names.add(name)
        others.append(_from_paper(name, paper))
    entries, separations = _ranked(suite, [*own, *others])
    entries.sort(
        key=lambda entry: (
            entry.paper is not None, -len(entry.values), HEADLINE not in entry.metrics,
            -entry.headline, entry.agent,
        )
    )  # fmt: skip
    board = Board(
        suite=suite, folder=folder, unofficial=unofficial, entries=tuple(entries),
        without_scores={
            called[agent]: len(failures[agent])
            for agent in sorted(failures, key=called.__getitem__)
            if agent not in scored
        },
        profiles={}, improvements={}, separations=separations, curves=[], retention=[],
        evaluations=[], beside_data=[], measures=[],
    )  # fmt: skip
    total = len(suite.tasks)
    drawn = {
        name: [e for e in panel if len(e.values) == total and HEADLINE in e.metrics][:MAX_DRAWN]
        for name, panel in (("records", board.own), ("papers", board.papers))
    }
    named = {entry.agent: scores.named(entry.agent) for entry in drawn["records"]}
    has_clean = has_clean_evaluation(suite)
    return replace(
        board,
        profiles={name: _profiles(panel) for name, panel in drawn.items() if panel},
        improvements={
            number: _improvements(pool[:MAX_DRAWN]) for number, pool in board.pools.items()
        },
        curves=_curves(drawn["records"], scores),
        retention=retention_rows(
            {agent: evaluations_apart(tasks) for agent, tasks in named.items()}
            if has_clean
            else {entry.agent: entry.normalised for entry in entries if HEADLINE in entry.metrics},
            suite,
        ),
        evaluations=[] if has_clean else evaluation_rows(named, suite, last=True),
        beside_data=_beside_data(entries, board.data_returns),
        measures=measure_rows(
            {e.agent: scores.measures(e.agent) for e in board.own if not why_alone(e.terms)}
        ),
    )


def _beside_data(entries: Sequence[Entry], data: Mapping[str, float]) -> list[DataRow]:
    """Return how agents compare with their data."""
    untested = {
        entry.agent: entry.paper.source.never_ranked if entry.paper else why_alone(entry.terms)
        for entry in entries
    }
    return data_rows({entry.agent: entry.normalised for entry in entries}, data, untested)


def _failures(records: Sequence[Record]) -> dict[str, dict[str, Record]]:
    """Return by agent, then run, both by key, the runs that failed and were not made good since."""
    done = {record.identity.key for record in records if record.status == "ok"}
    found: dict[str, dict[str, Record]] = {}
    failed = [r for r in records if r.status != "ok" and r.identity.key not in done]
    # The last record of a run stays, whatever order they come in.
    for record in sorted(failed, key=lambda r: (str(r.timing.get("finished")), r.sha256)):
        found.setdefault(record.identity.agent_key, {})[record.identity.key] = record
    return found


def _in_order(suite: Suite, records: Iterable[Record]) -> tuple[Record, ...]:
    """Return records by task, in the suite's order, then by seed."""
    place = {task.name: number for number, task in enumerate(suite.tasks)}
    return tuple(sorted(records, key=lambda r: (place[r.identity.task], r.identity.seed)))


def _from_records(
    scores: Scores,
    agent: str,
    failures: Mapping[str, Mapping[str, Record]],
    replays: Mapping[str, bool],
) -> Entry:
    records = _in_order(scores.suite, scores.records[agent])
    terms = terms_of(records, scores.engines[agent])
    identity = records[0].identity
    known = [s for record in records if (s := record.slot_seconds) is not None]
    return Entry(
        agent=agent,
        slug=_page_name(identity),
        badge=_badge(records, replays),
        values=scores.values[agent],
        runs={
            task: tuple(str(seed) for seed in seeds.tolist())
            for task, seeds in scores.seeds[agent].items()
        },
        **_aggregates(agent, scores.values[agent], scores.normalised(agent), terms),
        place=None,
        not_ranked="",
        hours=float(np.mean(known)) / 3600 if len(known) == len(records) else None,
        date=max(str(record.timing.get("finished", ""))[:10] for record in records),
        records=records,
        failures=_in_order(scores.suite, failures.get(identity.agent_key, {}).values()),
        paper=None,
    )


def _page_name(identity: Identity) -> str:
    """Return what an agent's page is called: different agents never share one."""
    try:
        readable = slug(display_name(identity))[:40]
    except UsageError:  # nothing of the name is left
        readable = "agent"
    return f"{readable}-{identity.agent_key[:8]}"


def _badge(records: Sequence[Record], replays: Mapping[str, bool]) -> Badge:
    if not replays:
        return "self-reported"
    outcomes = [replays.get(record.sha256) for record in records]
    if False in outcomes:
        return "replay differs"
    return "replayed" if all(outcomes) else "self-reported"


def _from_paper(agent: str, paper: Published) -> Entry:
    parts = _aggregates(agent, paper.values, paper.normalised())
    if paper.source.means_only:
        parts["metrics"] = {
            name: parts["metrics"][name]._replace(method=MEANS) for name in OF_MEANS
        }
    return Entry(
        agent=agent,
        slug=paper.source.slug,
        badge="published",
        values=paper.values,
        runs=paper.runs,
        **parts,
        place=None,
        not_ranked="",
        hours=None,
        date=paper.source.year,
        records=(),
        failures=(),
        paper=paper,
    )


def _aggregates(
    agent: str,
    values: Mapping[str, Floats],
    normalised: Mapping[str, Floats],
    terms: Terms = NOTHING,
) -> dict[str, Any]:
    metrics = [honest(row, terms) for row in summarise({agent: list(normalised.values())})]
    tasks = [honest(row, terms) for row in summarise_tasks({agent: values})]
    return {
        "normalised": normalised,
        "terms": terms,
        "metrics": {row.metric: row for row in metrics},
        "tasks": {row.task: row for row in tasks},
    }


def _ranked(
    suite: Suite, entries: list[Entry]
) -> tuple[list[Entry], dict[int, dict[Pair, Separation]]]:
    """Return the agents with their rank sets, or why they have none, and what decided in pools."""
    why = {entry.slug: _why_alone(suite, entry) for entry in entries}
    by_slug = {entry.slug: entry for entry in entries if not why[entry.slug]}
    papers = {name: entry.paper for name, entry in by_slug.items() if entry.paper}
    places: dict[str, Place] = {}
    own = {name: entry.terms for name, entry in by_slug.items() if not entry.paper}
    pools = [pool for pool in ranked_together(by_slug, papers, own) if len(pool) > 1]
    # The suite's own runs first, then the largest.
    pools.sort(key=lambda pool: (all(name in papers for name in pool), -len(pool), pool))
    separations: dict[int, dict[Pair, Separation]] = {}
    for number, pool in enumerate(pools, 1):
        scores = {name: list(by_slug[name].normalised.values()) for name in pool}
        separations[number] = separate(scores, "iqm", alpha=ALPHA)
        for row in ranks_of_separations(scores, "iqm", separations[number]):
            assert row.low is not None
            assert row.high is not None
            places[row.agent] = Place(number, row.low, row.high, len(pool), row.tier, row.method)
    ranked = [
        replace(entry, place=places[entry.slug])
        if entry.slug in places
        else replace(entry, not_ranked=why[entry.slug] or _without_equals(entry.terms))
        for entry in entries
    ]
    return ranked, separations


def _without_equals(terms: Terms) -> str:
    """Say that an agent has nobody to be ranked with."""
    given = " that was given the same" if terms.given else ""
    engine = f" on {terms.engine}" if terms.engine else ""
    return f"no other agent under its protocol{given}{engine}"


def _why_alone(suite: Suite, entry: Entry) -> str:
    """Say why an agent can be ranked against nobody, if it cannot."""
    if entry.paper and (reason := published.unrankable(entry.paper)):
        return reason
    if reason := why_alone(entry.terms):
        return reason
    if len(entry.values) < len(suite.tasks):
        return f"{len(entry.values)} of {len(suite.tasks)} tasks"
    if min(len(scores) for scores in entry.values.values()) < MIN_RUNS:
        return f"fewer than {MIN_RUNS} runs on a task"
    return ""


def _profiles(entries: Sequence[Entry]) -> list[Row]:
    pooled = np.concatenate([task for entry in entries for task in entry.normalised.values()])
    low, high = np.quantile(pooled, (0.01, 0.97)).tolist()
    low = min(low, 0.0)
    taus = np.linspace(low, high if high > low else low + 1.0, THRESHOLDS)
    rows: list[Row] = []
    for entry in entries:
        band = profile_band(list(entry.normalised.values()), taus)
        rows += _rows_of(entry.agent, "tau", taus, band)
    return rows


def _improvements(pool: Sequence[Entry]) -> list[Row]:
    rows: list[Row] = []
    for x, y in permutations(pool, 2):
        found = improvement(list(x.normalised.values()), list(y.normalised.values()))
        rows.append({
            "x": x.agent, "y": y.agent, "point": found.point, "low": found.low, "high": found.high,
            "method": found.method,
        })  # fmt: skip
    return rows


def _curves(entries: Sequence[Entry], scores: Scores) -> list[Row]:
    """Return the IQM at every evaluation point of the agents whose runs all have several."""
    rows: list[Row] = []
    for entry in entries:
        tasks = scores.curves(entry.agent)
        if min(len(at) for curves in tasks.values() for at, _ in curves) < 2:
            continue
        steps, curves = align(list(tasks.values()), most=MOST_DRAWN)
        if len(steps) > 1:
            rows += _rows_of(entry.agent, "step", steps, learning_curve(curves, "iqm"))
    return rows


def _rows_of(agent: str, place: str, at: Floats, band: CurveEstimate) -> list[Row]:
    nothing = [None] * len(band.point)
    low = nothing if band.low is None else band.low.tolist()
    high = nothing if band.high is None else band.high.tolist()
    return [
        {"agent": agent, place: x, "point": point, "low": a, "high": b, "method": band.method}
        for x, point, a, b in zip(at.tolist(), band.point.tolist(), low, high, strict=True)
    ]
