"""What a user asks for: a suite, seeds, points of evaluation, sources of scores."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from rlbench import suites
from rlbench.errors import UnknownName, UsageError
from rlbench.limits import MAX_VALUE
from rlbench.results.patterns import Pattern
from rlbench.results.reading import AGENTS, ALIASES, TASKS, Reading
from rlbench.results.values import parse_assignment, parse_assignments
from rlbench.suites import Suite

DEFAULT_STORE = Path("runs")
PUBLISHED = Path("published")  # where a store is read: the published scores that rlbench brings
CHECKPOINT_SECONDS = 600.0  # between two checkpoints
STEP_TIMEOUT = 3600.0  # a training phase of an agent that owns its loop counts as one step
TEACHER_PREFIX = "teacher."  # of the teacher's options among those of the agent
MAX_EXTRA_POINTS = 200  # evaluations that a user may add to a run
MAX_SEEDS = 10_000
MAX_EPISODES = 1000  # of a round of a duel, as many as environments side by side
MAX_SEED = 2**32 - 1
_SAID = (
    "wide",
    "metric",
    "agent",
    "task",
    "at_step",
    "decimal",
)  # of files


class Asked(NamedTuple):
    """What a user asks for.

    Attributes:
        sources: Files, folders, names of agents, and names in `data`.
        stores: Stores; ``published`` are scores from papers.
        agents: The agents to take, in this order; all if there is none.
        rename: What agents are called, by the names of their sources.
        reading: What is said of files.
        data: What is at hand and in no file, by what notes call it: frames of pandas, and mappings
            that `read_scores` takes.
        within: The greatest mean that a run may have of each measure, by its name.
    """

    sources: list[str]
    stores: list[Path]
    agents: list[str]
    rename: dict[str, str]
    reading: Reading
    data: Mapping[str, Any] = MappingProxyType({})
    within: Mapping[str, float] = MappingProxyType({})


def parse_limits(text: str) -> dict[str, float]:
    """Return the limits in ``cost=25,other=1`` by the names of the measures.

    Raises:
        UsageError: A part is not ``MEASURE=NUMBER``, or names a measure twice.
    """
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, value = parse_assignment(part)
        if type(value) not in (int, float) or not abs(value) <= MAX_VALUE or name in found:
            raise UsageError(f"--within {text!r} is not MEASURE=NUMBER,..., each measure once")
        found[name] = float(value)
    return found


def parse_suite(name: str | Suite, unofficial: str = "") -> Suite:
    """Return the suite of that name, with the constants in `unofficial` changed."""
    suite = name if isinstance(name, Suite) else suites.get(name)
    strings = {n for n, value in suite.protocol.constants().items() if isinstance(value, str)}
    return suite.make_unofficial(parse_assignments(unofficial, strings))


def parse_seeds(text: str) -> list[int]:
    """Return the seeds in ``5`` (0 to 4), ``3-7`` or ``0,2,5-8``, without repeats."""
    seeds: dict[int, None] = {}
    parts = text.split(",")
    if len(parts) == 1 and text.strip().isdecimal():
        parts = [f"0-{int(text) - 1}"] if int(text) > 0 else []
    for part in parts:
        match = re.fullmatch(r"\s*(\d{1,10})(?:-(\d{1,10}))?\s*", part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high or high > MAX_SEED or high - low >= MAX_SEEDS:
            break
        seeds.update(dict.fromkeys(range(low, high + 1)))
    else:
        if 0 < len(seeds) <= MAX_SEEDS:
            return list(seeds)
    if text.strip().isdecimal() and int(text) == 0:
        raise UsageError("--seeds 0 asks for no seed: write 0-0 for seed 0")
    raise UsageError(
        f"seeds {text!r} are neither a number of seeds (5) nor seeds (0-4 or 0,2,5-8); "
        f"at most {MAX_SEEDS:,}, each below 2^32"
    )


def parse_eval_points(text: str, budget: int) -> tuple[int, ...]:
    """Return extra evaluation points: ``10`` for tenths of the budget, or ``1000,2000``.

    Raises:
        UsageError: They are neither, beyond the budget, or too many.
    """
    numbers = [int(part) for part in text.split(",") if re.fullmatch(r"\s*\d{1,15}\s*", part)]
    if len(numbers) != len([part for part in text.split(",") if part.strip()]):
        numbers = []
    if len(numbers) == 1 and "," not in text:
        parts = min(numbers[0], MAX_EXTRA_POINTS + 2)  # one too many, whatever is asked
        numbers = [budget * k // parts for k in range(1, parts)] if numbers[0] > 1 else []
    points = tuple(sorted(set(numbers)))
    if not points or points[0] < 1 or points[-1] > budget or len(points) > MAX_EXTRA_POINTS:
        raise UsageError(
            f"--eval-points {text!r} is neither a number of evaluations (10, with the final one) "
            f"nor budgets to evaluate at (1000,2000; one: 1000,); at most {MAX_EXTRA_POINTS}, "
            f"within the budget of {budget:,}"
        )
    return points


def reading_of(
    *,
    columns: Mapping[str, str] = MappingProxyType({}),
    columns_are: str = "",
    path: str = "",
    **said: Any,
) -> Reading:
    """Return what the user says of the files.

    Args:
        columns: Role to the name of its column.
        columns_are: What the columns of a wide table are, or nothing.
        path: A pattern of `rlbench.results.patterns`, or nothing.
        said: More of `Reading`.

    Raises:
        UnknownName: There is no such role, columns are something else, or `Reading` knows no such
            thing.
        UsageError: The pattern is none.
    """
    for role in columns:
        if role not in ALIASES:
            raise UnknownName("role of a column", role, ALIASES)
    if columns_are not in ("", AGENTS, TASKS):
        raise UnknownName("kind of columns", columns_are, [AGENTS, TASKS])
    for name in said:
        if name not in _SAID:
            raise UnknownName("option", name, [*_SAID, "columns", "columns_are", "path"])
    if path:
        Pattern(path)  # a bad one is refused whatever the sources are
    return Reading(columns=dict(columns), columns_are=columns_are, path=path, **said)


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
