"""`rlbench init`: write an agent to start from."""

import re
import shlex
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from rlbench.cli.output import echo
from rlbench.errors import UsageError

DEFAULT_FILE = Path("my_agent.py")


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a small agent that learns, to start from."""
    if file.suffix != ".py":
        raise UsageError(f"an agent's file ends in .py: {file}")
    text = resources.files("rlbench.cli").joinpath("templates/my_agent.py").read_text("utf-8")
    if re.fullmatch(r"[\w./-]+", str(file)):
        text = text.replace(DEFAULT_FILE.name, str(file))  # in the commands that it shows
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already: name another file, or add --force") from error
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    echo(f"wrote {file}. Next: rlbench check {shlex.quote(str(file))}")
