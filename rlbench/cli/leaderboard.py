"""`rlbench leaderboard`: the static site."""

from pathlib import Path
from typing import Annotated

import typer

from rlbench.cli.options import DEFAULT_STORE, StoreOption, load_store

app = typer.Typer(help="Build the leaderboard's static site.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `build` a command of its own, beside those to come."""


@app.command("build")
def build(
    store: StoreOption = DEFAULT_STORE,
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")] = Path("site"),
) -> None:
    """Build the site from the records in a store."""
    from rlbench.leaderboard import build_site

    index = build_site(load_store(store), out)
    typer.echo(f"site: {index}")
