"""`rlbench init`: write an agent or a suite to start from."""

import re
import shlex
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from rlbench import suites
from rlbench.cli.output import echo
from rlbench.errors import UsageError
from rlbench.suites import slug

_AGENT, _SUITE = Path("my_agent.py"), Path("my_suite.toml")


def init(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="The file to write: my_agent.py, with --suite my_suite.toml or my_suite.py."
        ),
    ] = None,
    suite: Annotated[
        bool, typer.Option("--suite", help="Write a suite, by default as my_suite.toml.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a small agent that learns, or a small suite, to start from."""
    file = file or (_SUITE if suite else _AGENT)
    if not suite and file.suffix != ".py":
        more = f"; a suite's is written by --suite {file}" if file.suffix == ".toml" else ""
        raise UsageError(f"an agent's file ends in .py: {file}{more}")
    if suite and file.suffix not in (".toml", ".py"):
        raise UsageError(f"a suite's file ends in .toml or .py: {file}")
    template = f"{_SUITE.stem}{file.suffix}" if suite else _AGENT.name
    text = resources.files("rlbench.cli").joinpath(f"templates/{template}").read_text("utf-8")
    if re.fullmatch(r"[\w./-]+", str(file)):
        text = text.replace(template, str(file))  # in the commands that it shows
    if suite:
        text = text.replace('"my-suite"', f'"{_name(file)}"')
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} already exists: name another file, or add --force") from error
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    option = "--suite " if suite else ""
    echo(f"wrote {file}. Next: rlbench check {option}{shlex.quote(str(file))}")


def _name(file: Path) -> str:
    """Return a suite's name after its file, if that gives one that is free."""
    try:
        name = slug(file.stem).replace("_", "-")
    except UsageError:
        return "my-suite"
    return "my-suite" if name in suites.names() else name
