"""The command's entry: verbs, exit codes, errors in one line."""

import os
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
import typer.core

from rlbench import __version__
from rlbench.api.waiting import waiting
from rlbench.cli.examples import examples
from rlbench.cli.output import echo, echo_lines, use_any_encoding
from rlbench.errors import RLBenchError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_COMPLETING = "_RLBENCH_COMPLETE"  # set by the shell that asks for completions


class Verb(NamedTuple):
    """A verb, imported when it is called.

    Attributes:
        target: ``module:function`` in `rlbench.cli`; ``app`` is a group of verbs.
        summary: What it does, in a line of the help of the command.
    """

    target: str
    summary: str


VERBS = {
    "run": Verb("run:run", "Run an agent on a suite's tasks; keep every run."),
    "evaluate": Verb("evaluate:evaluate", "Evaluate a saved policy; nothing is trained."),
    "check": Verb("check:check", "Check an agent by running it, or a folder of submissions."),
    "init": Verb("init:init", "Write a small agent, or a suite, to start from."),
    "doctor": Verb("doctor:doctor", "Show what works here, and how to mend the rest."),
    "status": Verb("status:status", "Show runs that are running or unfinished."),
    "show": Verb("show:show", "Show a suite, a run or published scores."),
    "verify": Verb("verify:verify", "Replay recorded evaluations and compare."),
    "export": Verb("export:export", "Write one row a run as CSV."),
    "stats": Verb("stats:stats", "Print IQM, mean, median, optimality gap, intervals."),
    "compare": Verb("compare:compare_agents", "Say which agent is better, and how surely."),
    "duel": Verb("duel:duel", "Say which policy is better, on as few episodes as possible."),
    "plan": Verb("compare:plan_runs", "Say how many runs a comparison takes."),
    "figures": Verb("figures:figures", "Draw figures for a paper."),
    "table": Verb("table:table", "Print a table as LaTeX or Markdown."),
    "submit": Verb("submit:submit", "Bundle runs, to submit them to a leaderboard."),
    "list": Verb("listing:app", "List suites, tasks, agents, teachers or runs."),
    "data": Verb("data:app", "Fetch datasets, and inspect them."),
    "study": Verb("study:app", "Run a comparison that a file describes."),
    "leaderboard": Verb("leaderboard:app", "Build, freeze and serve the leaderboard."),
}


class Command(typer.core.TyperCommand):
    """A command that refuses an option given twice: Typer would take the last value silently."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what follows the verb."""
        if not ctx.resilient_parsing:
            _, _, given = self.make_parser(ctx).parse_args(args=list(args))
            for option, times in Counter(given).items():
                many = getattr(option, "multiple", False) or getattr(option, "is_flag", False)
                if times > 1 and not many:
                    ctx.fail(
                        f"{option.opts[0]} is given {times} times, but has one value. Give it "
                        "once; where it takes several values, put commas between them"
                    )
        return super().parse_args(ctx, args)


LONG = {"stats", "compare", "plan", "figures", "table"}  # may draw for minutes


def command(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """Return the command with some of its verbs, whose modules are imported."""
    made = typer.Typer(
        name="rlbench",
        help="Run reinforcement-learning agents on fixed protocols, keep every run, compare "
        "soundly.",
        epilog=examples(""),
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    made.callback()(_root)
    for name in verbs:
        module, _, function = VERBS[name].target.partition(":")
        found: Any = getattr(import_module(f"rlbench.cli.{module}"), function)
        summary, end = VERBS[name].summary, examples(name)
        if isinstance(found, typer.Typer):
            for one in found.registered_commands:
                one.cls = Command
            made.add_typer(found, name=name, short_help=summary, epilog=end)
        else:
            made.command(name, cls=Command, short_help=summary, epilog=end)(found)
    return made


def _print_version(wanted: bool) -> None:
    if wanted:
        echo(f"rlbench {__version__}")
        raise typer.Exit


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
        verbs = _wanted(sys.argv[1:])
        with waiting() if LONG & set(verbs) else nullcontext():
            code = command(verbs)(standalone_mode=False, prog_name="rlbench")
    except KeyboardInterrupt:
        _fail("interrupted", EXIT_INTERRUPTED)
    except RLBenchError as error:
        _fail(str(error), EXIT_USAGE)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        _end_by(error)
    sys.exit(code if isinstance(code, int) else 0)


def _wanted(words: list[str]) -> list[str]:
    """Return the verb that words begin with, or all verbs where it takes these to answer."""
    is_plain = bool(words) and words[0] in VERBS and _COMPLETING not in os.environ
    return words[:1] if is_plain else list(VERBS)


def _end_by(error: Exception) -> None:
    """Exit as an error of Typer's asks for, or raise it if it is none of these."""
    # They are of no public type.
    kind = type(error).__name__
    if kind == "Abort":
        _fail("interrupted", EXIT_INTERRUPTED)
    if not hasattr(error, "format_message"):
        raise error
    if kind == "NoArgsIsHelpError":
        echo_lines(error.format_message())
        sys.exit(0)
    _fail(error.format_message() or "no command given. See: rlbench --help", EXIT_USAGE)


def _fail(message: str, code: int) -> None:
    """Print one line on standard error and exit."""
    echo("rlbench: " + " ".join(message.split()), err=True)
    sys.exit(code)
