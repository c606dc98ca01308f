"""The first steps of a newcomer run as the page says, and print what it says."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.documents import ROOT, blocks_of

PAGE = ROOT / "docs/start.md"
NOT_EXECUTED = re.compile(r"<!-- not executed: .+ -->\n```sh\n(.*?)^```$", re.S | re.M)


def do(line: str, cwd: Path) -> str:
    """Run a command of the page and return what it printed."""
    program, *words = shlex.split(line)
    assert program == "rlbench"
    return rlbench(*words, cwd=cwd).stdout


def test_the_first_steps_run_and_print_what_the_page_says(tmp_path: Path) -> None:
    pytest.importorskip("ale_py")
    pytest.importorskip("matplotlib")
    skipped = set(NOT_EXECUTED.findall(PAGE.read_text()))
    assert len(skipped) == 1
    printed = ""
    for kind, block in blocks_of(PAGE):
        if kind == "csv":
            (tmp_path / "mine.csv").write_text(block)
        elif kind == "text":
            assert block in printed
        elif block not in skipped:
            printed = "".join(do(line, tmp_path) for line in block.splitlines())
    for name in ("intervals.png", "intervals.csv", "intervals.txt"):
        assert (tmp_path / "figures" / name).stat().st_size > 0


def test_the_readme_opens_with_commands_that_print_and_draw_what_it_shows(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    commands, printed, figure, *_ = (block for _, block in blocks_of(ROOT / "README.md"))
    (compare,) = (line for line in commands.splitlines() if line.startswith("rlbench compare"))
    assert printed in do(compare.partition("#")[0], tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    do(figure.splitlines()[-1], tmp_path)
    assert (tmp_path / "figures/intervals.png").stat().st_size > 0


def test_a_saved_policy_is_evaluated_as_the_guide_says(tmp_path: Path) -> None:
    pytest.importorskip("ale_py")
    _, section = (ROOT / "docs/running.md").read_text().split("## Evaluate a saved policy\n")
    (code,), (commands,) = (
        re.findall(rf"^```{kind}\n(.*?)^```$", section.partition("\n## ")[0], re.S | re.M)
        for kind in ("python", "sh")
    )
    (tmp_path / "my_policy.py").write_text(code)
    np.save(tmp_path / "weights.npy", np.random.default_rng(0).normal(size=(4 * 84 * 84, 6)))
    evaluate, look = commands.splitlines()
    said = do(f"{evaluate} --unofficial episodes=2,max_episode_steps=50", tmp_path)
    assert "3 runs recorded in runs, 0 failed" in said
    assert do(look, tmp_path).count("my_policy") == 3


def test_the_command_of_the_first_page_runs(tmp_path: Path) -> None:
    ((kind, block),) = blocks_of(ROOT / "docs/index.md")
    assert kind == "sh"
    assert "SPR is better than DrQ(eps)" in do(block.strip(), tmp_path)
