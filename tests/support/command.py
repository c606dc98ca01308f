"""The `rlbench` command, as a user calls it."""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from rlbench.cli import main
from support.processes import COMMAND

SHORT = "budget=40,episodes=2,max_episode_steps=30"
_READING = ("compare", "data", "export", "figures", "list", "plan", "show", "stats", "table")
_LOADING = ("check", "run", "verify")  # they load what makes the environments of a suite
# Box2D cannot be imported where warnings are errors, and OpenGL is looked for once a process.
_ALONE = ("dmc", "neorl2", "parkour", "stump-tracks")


def rlbench(*arguments: str, cwd: Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder and check its exit code; None takes any.

    It is called in this process, since to start one takes longer than most of what it does, unless
    this process cannot do what that one would: see `_needs_process`.
    """
    if _needs_process(arguments):
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
        )
    else:
        done = call(*arguments, cwd=cwd)
    assert code in (None, done.returncode), f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _needs_process(arguments: Sequence[str]) -> bool:
    """Say whether code would be loaded that this process must not hold, or cannot find."""
    if not arguments or arguments[0] in _READING:
        return False
    if not set(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))) <= set(sys.path):
        return True
    suite = dict(pairwise(arguments)).get("--suite", "")
    return arguments[0] in _LOADING and (
        ".py" in suite or suite.endswith(".toml") or suite.startswith(_ALONE)
    )


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call the command's entry point as a process of its own would."""
    words = ["rlbench", *arguments]
    with pytest.MonkeyPatch.context() as patch, _printed(1) as out, _printed(2) as err:
        patch.chdir(cwd)
        patch.setattr(sys, "argv", words)
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0
    texts = [b"".join(said).decode().replace("\r\n", "\n") for said in (out, err)]
    return subprocess.CompletedProcess(words, code, *texts)


@contextmanager
def _printed(descriptor: int) -> Iterator[list[bytes]]:
    """Collect what this process, and those that it starts, print to standard output or error."""
    name, said = ("stdout", "stderr")[descriptor - 1], []
    before, kept = getattr(sys, name), os.dup(descriptor)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), descriptor)
        stream = io.TextIOWrapper(
            io.FileIO(descriptor, "w", closefd=False), "utf-8", write_through=True
        )
        setattr(sys, name, stream)
        try:
            yield said
        finally:
            setattr(sys, name, before)
            os.dup2(kept, descriptor)
            os.close(kept)
            file.seek(0)
            said.append(file.read())


def run_short(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run an agent on a small unofficial budget."""
    options = ("--suite", "atari100k", "--unofficial", SHORT)
    return rlbench("run", *options, *arguments, cwd=cwd, code=code)
