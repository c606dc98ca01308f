"""Options that several verbs share, and how their values are read."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from rlbench import suites
from rlbench.cli.output import echo
from rlbench.errors import UsageError
from rlbench.results import Loaded, Record, Store, belongs, unofficial_text
from rlbench.results.scores import is_old_of
from rlbench.results.values import parse_assignment, parse_assignments
from rlbench.suites import Suite

DEFAULT_STORE = Path("runs")
PUBLISHED = Path("published")  # where a store is read: the published scores that rlbench brings
MAX_EXTRA_POINTS = 200  # evaluations that a user may add to a run
MAX_SEEDS = 10_000
MAX_SEED = 2**32 - 1


def _own(store: Path) -> Path:
    """Return a store of the user's own.

    Raises:
        UsageError: It names the published scores.
    """
    if store == PUBLISHED:
        raise UsageError(
            f"--store {PUBLISHED} names the published scores, which have no records: name a folder "
            f"of that name by its full path"
        )
    return store


def suite_names(incomplete: str) -> list[str]:
    """Return the suites whose names begin so, for the shell to complete."""
    return [name for name in suites.names() if name.startswith(incomplete)]


SuiteOption = Annotated[
    str,
    typer.Option("--suite", help="A suite, e.g. atari100k.", autocompletion=suite_names),
]
StoreOption = Annotated[Path, typer.Option("--store", help="The folder of records.", callback=_own)]
ReadableStoreOption = Annotated[
    Path, typer.Option("--store", help="The folder of records, or: published.")
]
UnofficialOption = Annotated[
    str,
    typer.Option(
        "--unofficial",
        metavar="NAME=VALUE,...",
        help="Constants of the protocol to change for trying things out.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON: a list of flat rows.")]


def parse_suite(name: str, unofficial: str = "") -> Suite:
    """Return the suite of that name, with the constants in `unofficial` changed."""
    return suites.get(name).make_unofficial(parse_assignments(unofficial))


def parse_options(texts: list[str] | None) -> dict[str, Any]:
    """Return the values of ``name=value`` texts by name; the last one of a name counts."""
    return dict(parse_assignment(text) for text in texts or [])


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
        raise UsageError("--seeds 0 is no seed at all: write 0-0 for the one seed 0")
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
        parts = min(numbers[0], MAX_EXTRA_POINTS + 1)
        numbers = [budget * k // parts for k in range(1, parts)] if numbers[0] > 1 else []
    points = tuple(sorted(set(numbers)))
    if not points or points[0] < 1 or points[-1] > budget or len(points) > MAX_EXTRA_POINTS:
        raise UsageError(
            f"--eval-points {text!r} is neither how many evaluations are spread over the budget "
            f"(10, the end counted) nor where (1000,2000; one: 1000,); at most {MAX_EXTRA_POINTS}, "
            f"within the budget of {budget:,}"
        )
    return points


def load_store(path: Path) -> Loaded:
    """Read a store, naming each bad file on standard error; the published scores have no record."""
    if path == PUBLISHED:
        return Loaded([], [])
    loaded = Store(path).load()
    for problem in loaded.problems:
        echo(f"left out: {problem.path}: {problem.reason}", err=True)
    return loaded


def records_of(path: Path, suite: Suite, *, old: bool = False) -> list[Record]:
    """Return a store's records of a suite.

    Args:
        path: The store.
        suite: The suite.
        old: Return those of schema 1, too.

    Raises:
        UsageError: There is none; the message says what there is instead.
    """
    records = load_store(path).records
    fitting = [
        record for record in records if belongs(record, suite) or (old and is_old_of(record, suite))
    ]
    if fitting:
        return fitting
    what = f"records of {suite.id}"
    if suite.unofficial:
        what += f" with {unofficial_text(suite.unofficial)}"
    message = f"the store {path} holds no {what}."
    others = {
        unofficial_text(record.identity.unofficial)
        for record in records
        if record.identity.suite == suite.id
    } - {"", unofficial_text(suite.unofficial)}
    if any(is_old_of(record, suite) for record in records):
        message += " It has old ones, of schema 1: rlbench export shows them, nothing ranks them"
    elif others:
        message += (
            f" It has unofficial ones: add --unofficial {' or --unofficial '.join(sorted(others))}"
        )
    elif records:
        message += f" It has {', '.join(sorted({r.identity.suite for r in records}))}"
    raise UsageError(message)
