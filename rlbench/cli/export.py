"""`rlbench export`: the runs of a suite as CSV."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from rlbench.cli.options import (
    DEFAULT_STORE,
    StoreOption,
    SuiteOption,
    UnofficialOption,
    parse_suite,
    records_of,
)
from rlbench.errors import StoreError
from rlbench.results import rows, write_csv


def export(
    suite: SuiteOption,
    csv: Annotated[Path, typer.Option("--csv", help="The file to write; - prints it.")],
    store: StoreOption = DEFAULT_STORE,
    unofficial: UnofficialOption = "",
) -> None:
    """Write one row a run, failed ones too, with raw and normalised scores."""
    chosen = parse_suite(suite, unofficial)
    table = rows(records_of(store, chosen), chosen)
    if str(csv) == "-":
        write_csv(table, sys.stdout)
        return
    try:
        with csv.open("w", newline="", encoding="utf-8") as file:
            write_csv(table, file)
    except OSError as error:
        raise StoreError(f"cannot write {csv}: {error.strerror}") from error
    typer.echo(f"{len(table)} runs in {csv}")
