"""How the command helps: without a verb, with -h, by examples, and on names that are none."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from support.command import call, rlbench
from support.processes import COMMAND

from rlbench import cli
from rlbench.api.docs import docs_url
from rlbench.cli.app import VERBS, command
from rlbench.cli.examples import EXAMPLES

ROOT = Path(__file__).parents[2]


def verbs() -> Iterator[tuple[str, Any]]:
    """Yield all verbs and groups by their names, e.g. ``list suites``."""
    top: Any = typer.main.get_command(command())
    yield "", top
    for name, verb in top.commands.items():
        yield name, verb
        for of_group, inner in getattr(verb, "commands", {}).items():
            yield f"{name} {of_group}", inner


ALL = dict(verbs())


def test_every_verb_has_examples() -> None:
    assert set(ALL) == set(EXAMPLES)
    assert all(len(lines) >= 2 for lines in EXAMPLES.values())
    assert 3 <= len(EXAMPLES[""]) <= 5
    assert list(ALL[""].commands) == list(VERBS)


@pytest.mark.parametrize("example", sorted({line for lines in EXAMPLES.values() for line in lines}))
def test_examples_parse(example: str) -> None:
    """Every option is one of the verb, every value fits, and nothing that it needs is missing."""
    program, *words = shlex.split(example)
    assert program == "rlbench"
    verb = ALL[""]
    while hasattr(verb, "commands"):
        verb = verb.commands[words.pop(0)]
    verb.make_context("verb", words)


@pytest.mark.parametrize("verb", ALL)
def test_help_ends_with_examples_line_by_line(verb: str, tmp_path: Path) -> None:
    long, short = (call(*verb.split(), flag, cwd=tmp_path) for flag in ("--help", "-h"))
    assert (long.returncode, short.returncode) == (0, 0)
    assert long.stdout == short.stdout
    lines = [line.strip() for line in long.stdout.rstrip().splitlines()]
    assert lines[-len(EXAMPLES[verb]) - 1 :] == ["Examples:", *EXAMPLES[verb]]
    assert "\b" not in long.stdout
    assert max(map(len, long.stdout.splitlines())) <= 80
    if verb in ("", "list", "leaderboard"):
        bare = call(*verb.split(), cwd=tmp_path)
        assert (bare.returncode, bare.stderr) == (0, "")
        assert bare.stdout.strip() == long.stdout.strip()


@pytest.mark.parametrize("verb", [name for name in ALL if not hasattr(ALL[name], "commands")])
def test_an_option_of_one_value_is_refused_twice(verb: str) -> None:
    """Typer would take the last value without a word."""
    options = [one for one in ALL[verb].params if one.opts[0].startswith("--") and not one.is_flag]
    for option in options:
        words = [option.opts[0], "1", option.opts[0], "2"]
        given = f"{option.opts[0]} is given 2 times"
        try:
            ALL[verb].make_context("verb", words)
            said = ""
        except Exception as error:
            said = str(error)
        assert (given in said) is not option.multiple, option.opts


def test_an_option_twice_is_one_line(tmp_path: Path) -> None:
    words = ["run", "--suite", "atari100k", "--agent", "random", "--tasks", "Pong"]
    out = call(*words, "--unofficial", "budget=9", "--unofficial", "episodes=1", cwd=tmp_path)
    assert (out.returncode, out.stdout) == (2, "")
    assert out.stderr.startswith("rlbench: --unofficial is given 2 times")
    assert out.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_verb_alone_is_imported() -> None:
    code = "import sys\nfrom rlbench.cli.app import command\ncommand(['list'])\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    loaded = set(out.stdout.split())
    assert "rlbench.cli.listing" in loaded
    assert not {"rlbench.cli.run", "rlbench.cli.compare", "rich.console", "scipy"} & loaded


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"COMP_WORDS": "rlbench list tasks --suite atari100k-s", "COMP_CWORD": "4"}
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", words["COMP_WORDS"])
    monkeypatch.setenv("_RLBENCH_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    done = call(cwd=tmp_path)
    assert done.returncode == 0
    assert "atari100k-sticky" in done.stdout
    assert "stori" not in done.stdout


def test_show_of_a_published_agent(tmp_path: Path) -> None:
    text = rlbench("show", "SPR", cwd=tmp_path).stdout
    assert text.splitlines()[0].split() == ["source", "atari100k.spr"]
    assert text == rlbench("show", "spr", cwd=tmp_path).stdout
    assert text == rlbench("show", "atari100k.spr", cwd=tmp_path).stdout
    both = rlbench("show", "DreamerV3", cwd=tmp_path).stdout
    for slug in ("atari100k.dreamerv3", "stori-100k.dreamerv3"):
        assert re.search(rf"^source +{re.escape(slug)}$", both, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "nearest"), [("atari", "atari100k"), ("SPRR", "SPR"), ("bbf.", "BBF")]
)
def test_show_of_nothing_names_the_nearest(name: str, nearest: str, tmp_path: Path) -> None:
    (line,) = rlbench("show", name, cwd=tmp_path, code=2).stderr.splitlines()
    assert f"Did you mean {nearest!r}?" in line


@pytest.mark.parametrize("verb", [["check"], ["run", "--suite", "atari100k", "--agent"]])
def test_a_file_that_is_not_there(verb: list[str], tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()

    def said(spec: str) -> str:
        done = call(*verb, spec, cwd=tmp_path)
        (line,) = done.stderr.splitlines()
        assert done.returncode == 2
        return line

    where = f"there is no such file in {tmp_path}"
    assert where in said("nosuch.py")
    assert "rlbench init" in said("nosuch.py")
    (tmp_path / "agents/my_agent.py").touch()
    assert "Did you mean 'agents/my_agent.py'?" in said("my_agent.py")
    assert f"{where}/agents. Did you mean 'agents/my_agent.py'?" in said("agents/my_agnt.py:make")
    assert f"there is no folder {tmp_path}/no" in said("no/such.py")


def docs_pages() -> Iterator[tuple[Path, str]]:
    """Yield the pages of the documentation that the code names to users."""
    for path in (ROOT / "rlbench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "docs_url":
                yield path, ast.literal_eval(node.args[0])


def test_pages_that_messages_name_exist() -> None:
    pages = dict.fromkeys(page for _, page in docs_pages())
    assert len(pages) >= 3
    for page in pages:
        assert (ROOT / "docs" / page).is_file(), page
        assert re.match(r"(https|file)://.*/" + re.escape(page), docs_url(page))


def test_messages_name_pages_by_their_address() -> None:
    """No text but docstrings names a page by its path."""
    found = []
    for path in Path(cli.__file__).parents[1].rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body and isinstance(node.body[0], ast.Expr)
        }  # fmt: skip
        found += [
            f"{path.name}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            and id(node) not in docstrings and re.search(r"\bdocs/\w+[\w/-]*\.md", node.value)
        ]  # fmt: skip
    assert found == []


def test_the_command_by_itself_prints_help(tmp_path: Path) -> None:
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rlbench compare SPR" in done.stdout
