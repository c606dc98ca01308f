"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

from rlbench import suites
from rlbench.api import stores
from rlbench.api.asking import PUBLISHED
from rlbench.cli.config import read_config
from rlbench.cli.output import echo
from rlbench.errors import UsageError
from rlbench.results import Loaded, Record


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
    typer.Option("--suite", help="A suite: atari100k, or a file.", autocompletion=suite_names),
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
PriceOption = Annotated[
    float | None,
    typer.Option(
        "--price-per-hour",
        min=0,
        metavar="PRICE",
        help="With --dry-run: what an hour of a slot, for one worker, costs.",
    ),
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=1, help="Seconds that a run may take.")
]
StepTimeoutOption = Annotated[
    float,
    typer.Option(
        "--step-timeout", min=1, help="Seconds that a step may take, with all calls in it."
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        callback=read_config,
        is_eager=True,
        help="Take options from a file.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON: a list of flat rows.")]


def tell(text: str) -> None:
    """Print a line of what was left out on standard error."""
    echo(text, err=True)


def load_store(path: Path) -> Loaded:
    """Read a store, naming each bad file on standard error; the published scores have no record."""
    return stores.load_store(path, tell)


def ended_run(key: str, loaded: Loaded, store: object) -> Record:
    """Return the ``ok`` record of a run.

    Raises:
        UsageError: There is none, or several runs have keys that start so.
    """
    found = [
        record
        for record in loaded.records
        if record.status == "ok" and record.identity.key.startswith(key.lower())
    ]
    if len(found) != 1:
        said = f"{len(found)} runs that ended well have keys" if found else (
            "no run that ended well has a key"
        )  # fmt: skip
        raise UsageError(f"{said} that starts with {key!r}. See: rlbench list runs --store {store}")
    return found[0]
