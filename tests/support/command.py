"""The `rlbench` command, as a user calls it."""

import io
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from rlbench.cli import main

COMMAND = [sys.executable, "-P", "-m", "rlbench"]
SHORT = "budget=40,episodes=2,max_episode_steps=30"
# Verbs that load no code of a user: they are called in this process, since to start one takes
# longer than most of what they do.
READING = {"compare", "data", "export", "figures", "list", "plan", "show", "stats", "table"}


def rlbench(*arguments: str, cwd: Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder and check its exit code; None takes any."""
    if arguments and arguments[0] in READING:
        done = call(*arguments, cwd=cwd)
    else:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
        )
    assert code in (None, done.returncode), f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call the command's entry point as a process of its own would."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    words = ["rlbench", *arguments]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", words)
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0
    texts = [stream.buffer.getvalue().decode().replace("\r\n", "\n") for stream in (out, err)]
    return subprocess.CompletedProcess(words, code, *texts)


def run_short(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run an agent on a small unofficial budget."""
    options = ("--suite", "atari100k", "--unofficial", SHORT)
    return rlbench("run", *options, *arguments, cwd=cwd, code=code)


def heed_interrupts() -> None:
    """Undo, in a process that begins, what a shell does to those in its background.

    They and all that they start ignore SIGINT.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
