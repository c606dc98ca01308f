"""Where verbs that compare take scores from: files, folders, stores and papers together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from rlbench.cli.docs import docs_url
from rlbench.cli.options import DEFAULT_STORE, PUBLISHED, parse_suite, records_of, suite_names
from rlbench.cli.output import echo, print_table
from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results import Runs, Scores, collect, published, read_scores, select, unofficial_text
from rlbench.results.engines import usual_engines
from rlbench.results.published import Published
from rlbench.results.rankable import Terms, terms_of
from rlbench.results.reading import AGENTS, ALIASES, TASKS, Reading
from rlbench.results.task_names import fold_task, task_of
from rlbench.stats.intervals import Estimate
from rlbench.suites import Suite

Agents = dict[str, dict[str, NDArray[np.float64]]]

WIDE = 100  # times that the scores of a task are those of another, and decide an aggregate

SuiteToNormalise = Annotated[
    str,
    typer.Option(
        "--suite",
        help="Normalise by this suite's reference scores.",
        autocompletion=suite_names,
    ),
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

# What a user may say of the files, by the name of the verb's parameter.
_READING_OPTIONS: dict[str, Any] = {
    "columns": Annotated[
        str,
        typer.Option(
            "--columns",
            metavar="ROLE=COLUMN,...",
            help=f"What columns of the files are: {', '.join(ALIASES)}, "
            "e.g. score=episode_reward,step=frame.",
        ),
    ],
    "columns_are": Annotated[
        str,
        typer.Option("--columns-are", help="agents or tasks: what a file has a column for."),
    ],
    "wide": Annotated[
        bool, typer.Option("--wide", help="Every column of the files is a task.")
    ],
    "metric": Annotated[
        str, typer.Option("--metric", help="Take this one of a column of metrics.")
    ],
    "agent": Annotated[str, typer.Option("--agent", help="The agent of files that name none.")],
    "task": Annotated[str, typer.Option("--task", help="The task of files that name none.")],
    "at_step": Annotated[
        float | None,
        typer.Option("--at-step", help="Take the last score up to this step, not the last one."),
    ],
    "decimal": Annotated[
        str,
        typer.Option("--decimal", help="A comma, where files of text have decimal commas."),
    ],
}  # fmt: skip


def reads_files(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that say how files are read, as its argument ``reading``."""
    own = signature(verb, eval_str=True)
    defaults = {"wide": False, "at_step": None}
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=defaults.get(name, ""), annotation=what)
        for name, what in _READING_OPTIONS.items()
    ]

    @wraps(verb)
    def reading_verb(**given: Any) -> Any:
        said = {name: given.pop(name) for name in _READING_OPTIONS}
        return verb(**given, reading=_reading(**said))

    parameters = [
        p.replace(kind=Parameter.KEYWORD_ONLY)
        for p in own.parameters.values()
        if p.name != "reading"
    ]
    at = len(parameters) - 1  # before the last option, which is --json or --unofficial
    parameters[at:at] = options
    reading_verb.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    reading_verb.__annotations__ = {p.name: p.annotation for p in parameters}
    return reading_verb


def _reading(columns: str, columns_are: str, **said: Any) -> Reading:
    """Return what the user says of the files.

    Raises:
        UsageError: A part of the columns is not ``role=column``.
        UnknownName: There is no such role, or columns are something else.
    """
    by_role: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in columns.split(","))):
        role, equals, name = (word.strip() for word in part.partition("="))
        if not equals or not name or role in by_role:
            raise UsageError(f"--columns {columns!r} is not ROLE=COLUMN,..., each role once")
        if role not in ALIASES:
            raise UnknownName("role of a column", role, ALIASES)
        by_role[role] = name
    if columns_are not in ("", AGENTS, TASKS):
        raise UnknownName("kind of columns", columns_are, [AGENTS, TASKS])
    return Reading(columns=by_role, columns_are=columns_are, **said)


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


def gather(
    files: Sequence[Path],
    stores: Sequence[Path] | None,
    scale: Scale,
    reading: Reading = Reading(),  # noqa: B008
) -> Gathered:
    """Return the scores of all sources by agent and task, and what must be said of them.

    Raises:
        InvalidScores: A file is bad, or an agent is in two sources.
        UsageError: A store is given without a suite, or holds no scores.
    """
    agents, notes, papers = _of_files(files, scale, reading)
    own: dict[str, Terms] = {}
    places = list(stores or ([] if files else [DEFAULT_STORE]))
    if places and scale.suite is None:
        raise UsageError("records need a suite: add --suite, e.g. --suite atari100k")
    if PUBLISHED in places and scale.suite:
        every = published.load(scale.suite)
        runs = {agent: scores.normalised() for agent, scores in every.items()}
        _add(agents, runs, str(PUBLISHED))
        papers |= every
    if scale.suite:
        for place, scores in _from_stores([p for p in places if p != PUBLISHED], scale.suite):
            _add(agents, {a: scores.normalised(a) for a in scores.values}, str(place))
            own |= {a: terms_of(scores.records[a], scores.engines[a]) for a in scores.values}
    return Gathered(agents, notes, papers, own)


def _of_files(
    files: Sequence[Path], scale: Scale, reading: Reading
) -> tuple[Agents, list[str], dict[str, Published]]:
    """Return the scores of files by agent and task, what must be said, and those from papers."""
    agents: Agents = {}
    notes = []
    batches: list[str] = []
    of_batches: set[str] = set()
    papers: dict[str, Published] = {}
    for file in files:
        found = read_scores(file, scale.columns, replace(reading, suite=scale.suite))
        runs, note, sources = found.runs, found.note, found.sources
        if sources and scale.suite:
            every = {scores.source.slug: scores for scores in published.load(scale.suite).values()}
            papers |= {agent: every[slug] for agent, slug in sources.items() if slug in every}
        elif sources:
            notes.append(f"{file}: scores from papers: {', '.join(sources)}.")
        if scale.suite:
            spelled = {task for tasks in runs.values() for task in tasks}
            runs = select(runs, scale.suite)
            named = {task: task_of(scale.suite, task).name for task in sorted(spelled)}
            notes += _renamed(file, named)
        if found.is_batch:
            runs = _after(agents, of_batches, runs)
            of_batches |= set(runs)
            batches.append(str(file))
        _add(agents, runs, str(file))
        notes.append(f"{file}: {f'{note}. ' if note else ''}{_counts(runs)}.")
    if len(batches) > 1:
        notes.append(f"Batches of the same agents, in this order: {', '.join(batches)}.")
    if not scale.suite:
        agents, more = _in_one_spelling(agents)
        notes += more
    return agents, notes, papers


def _counts(runs: Runs) -> str:
    """Return how many agents, tasks and runs there are: ``2 agents, 1 task, 3 to 5 runs a task``.

    >>> _counts({"a": {"Pong": np.zeros(3)}, "b": {"Pong": np.zeros(5)}})
    '2 agents, 1 task, 3 to 5 runs a task'
    """
    tasks = {task for of_agent in runs.values() for task in of_agent}
    sizes = [len(scores) for of_agent in runs.values() for scores in of_agent.values()]
    least, most = min(sizes), max(sizes)
    each = f"{most} run{'s' if most > 1 else ''}" if least == most else f"{least} to {most} runs"
    return (
        f"{len(runs)} agent{'s' if len(runs) > 1 else ''}, {len(tasks)} "
        f"task{'s' if len(tasks) > 1 else ''}, {each} a task"
    )


def _after(agents: Agents, so_far: set[str], batch: Runs) -> Runs:
    """Take the agents of earlier batches out; return the batch with their earlier runs first."""
    joined = {}
    for agent, tasks in batch.items():
        earlier = agents.pop(agent) if agent in so_far else {}
        of_agent = {
            t: [part[t] for part in (earlier, tasks) if t in part] for t in {**earlier, **tasks}
        }
        joined[agent] = {t: np.concatenate(parts) for t, parts in of_agent.items()}
    return joined


def _in_one_spelling(agents: Agents) -> tuple[Agents, list[str]]:
    """Return scores with one name for each task, that of its first spelling."""
    names: dict[str, str] = {}
    for tasks in agents.values():
        for task in tasks:
            names.setdefault(fold_task(task), task)
    out: Agents = {}
    renamed: dict[str, str] = {}
    for agent, tasks in agents.items():
        out[agent] = {names[fold_task(task)]: scores for task, scores in tasks.items()}
        if len(out[agent]) < len(tasks):
            raise InvalidScores(f"{agent!r} has a task in two spellings: {', '.join(tasks)}")
        renamed |= {task: names[fold_task(task)] for task in tasks}
    return out, _renamed(None, renamed)


def _renamed(file: Path | None, names: Mapping[str, str]) -> list[str]:
    said = [f"{task} as {name}" for task, name in names.items() if task != name]
    where = f"{file}: tasks" if file else "Tasks"
    return [f"{where} taken by their other spelling: {', '.join(said)}."] if said else []


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
        echo(f"Where they come from: rlbench show SOURCE, or {docs_url('published-scores.md')}")
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
