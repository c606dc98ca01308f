"""The `rlbench` command, as a user calls it."""

import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "rlbench"]
SHORT = "budget=40,episodes=2,max_episode_steps=30"


def rlbench(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder and check its exit code."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_short(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run an agent on a small unofficial budget."""
    options = ("--suite", "atari100k", "--unofficial", SHORT)
    return rlbench("run", *options, *arguments, cwd=cwd, code=code)
