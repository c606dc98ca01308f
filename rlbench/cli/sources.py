"""What a user says of scores: which sources, how files are read, which agents, which scale."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from rlbench.cli.docs import docs_url
from rlbench.cli.options import parse_suite, suite_names
from rlbench.cli.output import echo, print_table
from rlbench.errors import UnknownName, UsageError
from rlbench.results import published, unofficial_text
from rlbench.results.patterns import Pattern
from rlbench.results.published import Published
from rlbench.results.reading import AGENTS, ALIASES, TASKS, Reading
from rlbench.results.task_names import nearest_of
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
# What is compared, by the name of the verb's parameter.
_SOURCE_OPTIONS: dict[str, Any] = {
    "sources": Annotated[
        list[str] | None,
        typer.Argument(
            help="Files of scores, folders of logs, and names of agents in stores or papers."
        ),
    ],
    "store": Annotated[
        list[Path] | None,
        typer.Option(
            "--store",
            help="A folder of records; runs if no file is given. published: scores from papers.",
        ),
    ],
    "agents": Annotated[
        str, typer.Option("--agents", metavar="NAME,...", help="Take these agents, in this order.")
    ],
    "rename": Annotated[
        str,
        typer.Option(
            "--rename",
            metavar="OLD=NEW,...",
            help="Call agents otherwise; 'OLD (FILE)=NEW' is that of one file.",
        ),
    ],
}
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
    "path": Annotated[
        str,
        typer.Option(
            "--path",
            metavar="PATTERN",
            help="Where paths of files name what these do not: {agent}/{task}_{seed}.csv; * is "
            "anything.",
        ),
    ],
}  # fmt: skip
_DEFAULTS = {"sources": None, "store": None, "wide": False, "at_step": None}


class Asked(NamedTuple):
    """What a user asks for.

    Attributes:
        sources: Files, folders, and names of agents.
        stores: Stores; ``published`` are scores from papers.
        agents: The agents to take, in this order; all if there is none.
        rename: What agents are called, by the names of their sources.
        reading: What is said of files.
    """

    sources: list[str]
    stores: list[Path]
    agents: list[str]
    rename: dict[str, str]
    reading: Reading


def reads_files(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that say what is compared and how it is read, as ``asked``."""
    own = signature(verb, eval_str=True)
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name, ""), annotation=what)
        for name, what in (_SOURCE_OPTIONS | _READING_OPTIONS).items()
    ]

    @wraps(verb)
    def reading_verb(**given: Any) -> Any:
        said = {name: given.pop(name) for name in _READING_OPTIONS}
        asked = Asked(
            sources=given.pop("sources") or [],
            stores=given.pop("store") or [],
            agents=[name.strip() for name in outside_brackets(given.pop("agents"))],
            rename=_renamed(given.pop("rename")),
            reading=_reading(**said),
        )
        return verb(**given, asked=asked)

    parameters = [
        p.replace(kind=Parameter.KEYWORD_ONLY) for p in own.parameters.values() if p.name != "asked"
    ]
    at = len(parameters) - 1  # before the last option, which is --json or --unofficial
    parameters[at:at] = options
    reading_verb.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    reading_verb.__annotations__ = {p.name: p.annotation for p in parameters}
    return reading_verb


def outside_brackets(text: str, separator: str = ",") -> list[str]:
    """Return the parts of a list of names; a comma in brackets is part of a name.

    >>> outside_brackets("DrQ(eps),hp [k=1, l=2]")
    ['DrQ(eps)', 'hp [k=1, l=2]']
    """
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([") - (c in ")]" and depth > 0)
        if c == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part for part in parts if part.strip()]


def _renamed(text: str) -> dict[str, str]:
    """Return the new name of each agent.

    Raises:
        UsageError: A part is not ``OLD=NEW``, or names an agent twice.
    """
    found: dict[str, str] = {}
    for part in outside_brackets(text):
        old, *new = (word.strip() for word in outside_brackets(part, "="))
        if len(new) != 1 or old in found:
            raise UsageError(f"--rename {text!r} is not OLD=NEW,..., each agent once")
        found[old] = new[0]
    return found


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
    if said["path"]:
        Pattern(said["path"])  # a bad one is refused whatever the sources are
    return Reading(columns=by_role, columns_are=columns_are, **said)


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
            said += f". Spelled most alike: {', '.join(near)}"
        if [*agents[first], *agents[other]] == [first, other]:
            said += ". If these are tasks of one agent, say --agent NAME"
    raise UsageError(said)


def _some(tasks: Iterable[str]) -> str:
    names = list(tasks)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


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
