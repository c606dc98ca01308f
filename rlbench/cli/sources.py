"""Options that say of scores which sources, how files are read, which agents, which scale."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from rlbench.api.asking import Asked, outside_brackets, parse_limits, reading_of
from rlbench.api.docs import docs_url
from rlbench.api.scales import deviations_of, said_of_papers, said_of_stand_ins
from rlbench.cli.options import suite_names
from rlbench.cli.output import echo, print_table
from rlbench.errors import UsageError
from rlbench.results.published import Published
from rlbench.results.reading import ALIASES, Reading

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
            help="Rename agents; 'OLD (FILE)=NEW' renames the one of that file.",
        ),
    ],
    "within": Annotated[
        str,
        typer.Option(
            "--within",
            metavar="MEASURE=LIMIT,...",
            help="Take only runs whose episodes have at most this mean of a measure, e.g. cost=25.",
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
        str, typer.Option("--metric", help="Take this metric from a column of metrics.")
    ],
    "agent": Annotated[str, typer.Option("--agent", help="The agent of files that name none.")],
    "task": Annotated[str, typer.Option("--task", help="The task of files that name none.")],
    "at_step": Annotated[
        float | None,
        typer.Option("--at-step", help="Take the last score up to this step, not that of the end."),
    ],
    "decimal": Annotated[
        str,
        typer.Option("--decimal", help="A comma, if text files have decimal commas."),
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
            within=parse_limits(given.pop("within")),
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


def _reading(columns: str, **said: Any) -> Reading:
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
        by_role[role] = name
    return reading_of(columns=by_role, **said)


def print_deviations(papers: Mapping[str, Published], *, err: bool) -> None:
    """Print how the protocols of agents from papers differ from that of their suite.

    Args:
        papers: The agents that come from papers.
        err: Print lines on standard error, since standard output is for a program.
    """
    if err:
        for line in said_of_papers(papers):
            echo(line, err=True)
    elif papers:
        rows = [
            {
                "agent": agent,
                "source": scores.source.slug,
                "deviations": deviations_of(agent, papers),
            }
            for agent, scores in papers.items()
        ]
        suite = next(iter(papers.values())).suite
        title = f"published scores: how their protocols differ from {suite.id}"
        print_table(rows, list(rows[0]), title)
        echo(f"Where they come from: rlbench show SOURCE, or {docs_url('published-scores.md')}")
        for line in said_of_stand_ins(papers):
            echo(line)
