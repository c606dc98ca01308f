"""On which scale scores are, and what must be said of scores side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rlbench.api.asking import parse_suite
from rlbench.errors import UsageError
from rlbench.results import published, unofficial_text
from rlbench.results.published import Published
from rlbench.results.task_names import nearest_of
from rlbench.stats.intervals import Estimate
from rlbench.suites import Suite

Agents = dict[str, dict[str, NDArray[np.float64]]]

WIDE = 100  # times that the scores of a task are those of another, and decide an aggregate


class Scale:
    """How scores are normalised: by a suite, by two columns, or not.

    Args:
        suite: A suite, its name, or nothing.
        unofficial: Its constants that are changed.
        normalise_by: Two columns, or nothing.
        lower_is_better: Raw scores are better the lower they are.

    Raises:
        UsageError: Both are given, the columns are not two, or normalised scores are said to be
            better the lower they are.
    """

    def __init__(
        self,
        suite: str | Suite,
        unofficial: str,
        normalise_by: str,
        *,
        lower_is_better: bool = False,
    ) -> None:
        self.suite: Suite | None = parse_suite(suite, unofficial) if suite else None
        self.columns: tuple[str, str] | None = None
        self.lower_is_better = lower_is_better
        if lower_is_better and (suite or normalise_by):
            raise UsageError(
                "--lower-is-better is for raw scores: of normalised scores, higher ones are always "
                "better. For costs say --normalise-by WORST,BEST"
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
        low, high = (None if end is None else 0.0 - end for end in (estimate.high, estimate.low))
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


def common_tasks(agents: Agents) -> list[str]:
    """Return the tasks that all agents have runs of, in the order of the first agent.

    Raises:
        UsageError: There is none; the message names those that are spelled alike.
    """
    first = next(iter(agents))
    common = [task for task in agents[first] if all(task in of for of in agents.values())]
    if common:
        return common
    other = next((a for a in agents if not set(agents[a]) & set(agents[first])), first)
    said = f"the agents have no task in common: {first} has {_some(agents[first])}"
    if other != first:
        said += f", {other} has {_some(agents[other])}"
        near = [f"{a!r} and {b!r}" for a, b in nearest_of(agents[first], agents[other])[:3]]
        if near:
            said += f". Most similar names: {', '.join(near)}"
        if [*agents[first], *agents[other]] == [first, other]:
            said += ". If these are tasks of one agent, say --agent NAME"
    raise UsageError(said)


def _some(tasks: Iterable[str]) -> str:
    names = list(tasks)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def deviations_of(agent: str, papers: Mapping[str, Published]) -> str | None:
    """Return in one line how the protocol of an agent from a paper differs from the suite's."""
    return published.in_words(published.deviations(papers[agent])) if agent in papers else None


def said_of_papers(papers: Mapping[str, Published]) -> list[str]:
    """Return how the protocols of agents from papers differ from the suite's, and more."""
    return [
        f"{agent} ({scores.source.slug}): {deviations_of(agent, papers)}"
        for agent, scores in papers.items()
    ] + said_of_stand_ins(papers)


def said_of_stand_ins(papers: Mapping[str, Published]) -> list[str]:
    """Return how many runs from papers hold a score of before the end."""
    counts = {agent: sum(map(len, scores.stand_ins.values())) for agent, scores in papers.items()}
    return [
        f"{agent}: {count} runs have a score from before the end "
        f"(rlbench show {papers[agent].source.slug})."
        for agent, count in counts.items()
        if count
    ]


def said_of_limits(
    limits: Mapping[str, float], kept: Mapping[tuple[str, str], tuple[int, int]]
) -> list[str]:
    """Return how many runs keep some limits, and what scores of these runs alone can say.

    Args:
        limits: By the name of the measure.
        kept: As `constrained` returns it.
    """
    what = ", ".join(f"{name} <= {limit:g}" for name, limit in limits.items())
    counts = "; ".join(
        f"{agent} {within} of {total} on {task}" for (agent, task), (within, total) in kept.items()
    )
    dropped = sum(total - within for within, total in kept.values())
    return [
        f"Only runs with {what}: {counts}. {dropped} run{'s' * (dropped != 1)} left out: scores "
        "and tests describe the other runs only, not how often an agent keeps the limit."
    ]
