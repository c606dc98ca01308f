"""The command's entry: verbs, exit codes, errors in one line."""

import os
import sys
from typing import Annotated

import typer

from rlbench import __version__
from rlbench.cli import (
    check,
    compare,
    doctor,
    export,
    figures,
    init,
    leaderboard,
    listing,
    run,
    show,
    stats,
    status,
    table,
    verify,
)
from rlbench.cli.output import echo, use_any_encoding
from rlbench.errors import RLBenchError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="rlbench",
    help="Run reinforcement-learning agents on fixed protocols, keep every run, compare soundly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("status")(status.status)
app.command("show")(show.show)
app.command("verify")(verify.verify)
app.command("export")(export.export)
app.command("stats")(stats.stats)
app.command("compare")(compare.compare_agents)
app.command("plan")(compare.plan_runs)
app.command("figures")(figures.figures)
app.command("table")(table.table)
app.add_typer(listing.app, name="list")
app.add_typer(leaderboard.app, name="leaderboard")


def _print_version(wanted: bool) -> None:
    if wanted:
        echo(f"rlbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version)
    ] = False,
) -> None:
    """Hold the options of the command itself."""


def main() -> None:
    """Run the command; exit 0 (ok), 1 (runs failed), 2 (usage), 3 (undecided) or 130 (Ctrl-C)."""
    use_any_encoding()
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        _fail("interrupted", EXIT_INTERRUPTED)
    except RLBenchError as error:
        _fail(str(error), EXIT_USAGE)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        # Typer's own errors (an unknown option, a bad value) are of no public type.
        if type(error).__name__ == "Abort":
            _fail("interrupted", EXIT_INTERRUPTED)
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message() or "no command given. See: rlbench --help", EXIT_USAGE)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    """Print one line on standard error and exit."""
    echo("rlbench: " + " ".join(message.split()), err=True)
    sys.exit(code)
