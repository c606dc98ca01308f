"""Every block of code in the documents is executed, or checked, or says why it is neither.

- executed: the tests of `EXECUTED` run the blocks of these pages.
- checked: here, all blocks. Commands of rlbench are parsed, and the suites, tasks, agents and
  teachers in them exist. What is called in Python exists and takes these arguments. TOML goes
  through the reader of its kind.
- not executed: ``<!-- not executed: REASON -->`` above a block that neither can be done to.
"""

import ast
import importlib
import inspect
import json
import re
import shlex
import textwrap
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import typer
from support.documents import ROOT

from rlbench import suites
from rlbench.api.figures import KINDS
from rlbench.api.study import read_study
from rlbench.cli.app import command
from rlbench.registry import Registry
from rlbench.results.published import sources
from rlbench.results.submissions.card import problems_of, read_fields
from rlbench.runners.agents.agent import ADAPTERS, AGENTS
from rlbench.runners.teachers.teacher import TEACHERS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
# Which tests run the blocks of a page, and of which kinds.
EXECUTED = {
    ("README.md", "python"): [
        "tests/test_package.py::test_the_agent_in_the_readme_runs",
        "tests/api/test_documents.py::test_the_code_in_the_readme_runs",
    ],
    ("docs/comparisons.md", "python"): ["tests/test_package.py::test_the_code_in_the_guides_runs"],
    ("docs/comparisons.md", "sh"): [
        "tests/test_package.py::test_outputs_in_the_guides_are_what_the_command_prints"
    ],
    ("docs/disturbances.md", "python"): [
        "tests/disturbances/test_disturbances.py::test_the_example_in_the_guide_runs"
    ],
    ("docs/figures.md", "python"): [
        "tests/leaderboard/test_figures.py::test_the_lines_in_the_guide_run"
    ],
    ("docs/from-scores-to-claims.md", "sh"): [
        "tests/test_package.py::test_outputs_in_the_guides_are_what_the_command_prints"
    ],
    ("docs/index.md", "sh"): ["tests/test_start.py::test_the_command_of_the_first_page_runs"],
    ("docs/migrating-from-adastop.md", "python"): [
        "tests/compat/test_adastop.py::test_the_code_in_the_guide_runs"
    ],
    ("docs/migrating-from-rliable.md", "python"): [
        "tests/compat/test_rliable.py::test_the_code_in_the_guide_runs"
    ],
    **{
        ("docs/own-suites.md", kind): [
            "tests/cli/test_own_suites.py::test_the_examples_in_the_guide_run"
        ]
        for kind in ("python", "sh", "toml")
    },
    ("docs/python-api.md", "python"): [
        "tests/api/test_documents.py::test_the_page_runs_and_prints_what_it_says"
    ],
    ("docs/running.md", "python"): [
        "tests/test_start.py::test_a_saved_policy_is_evaluated_as_the_guide_says"
    ],
    ("docs/start.md", "sh"): [
        "tests/test_start.py::test_the_first_steps_run_and_print_what_the_page_says"
    ],
    ("docs/statistics.md", "python"): ["tests/test_package.py::test_the_code_in_the_guides_runs"],
}
MARK = re.compile(r"\s*<!-- not executed: (.{10,}) -->")
OUTPUT = ("", "text", "csv")  # kinds of blocks that hold no code
# Files and agents of a reader, which are not in this repository.
OF_READER = {"log.csv", "logs", "my_agent", "rl-trained-agents", "runs"}
TOP: Any = typer.main.get_command(command())


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    """Yield the fenced blocks of all pages, also those that are indented in lists."""
    for path in PAGES:
        lines = path.read_text(encoding="utf-8").splitlines()
        start: int | None = None
        for number, line in enumerate(lines):
            if not line.lstrip().startswith("```"):
                continue
            if start is None:
                start = number
                continue
            mark = MARK.fullmatch(lines[start - 1])
            kind = lines[start].strip().removeprefix("```").partition(" ")[0]
            text = textwrap.dedent("\n".join(lines[start + 1 : number]) + "\n")
            name = path.relative_to(ROOT).as_posix()
            yield Block(name, start + 1, kind, text, mark[1] if mark else "")
            start = None
        assert start is None, path


def of_kind(*kinds: str) -> Any:
    """Run a test on every block of a kind."""
    found = [block for block in blocks() if block.kind in kinds]
    assert found
    return pytest.mark.parametrize("block", found, ids=str)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # files of examples/ are found


def test_every_kind_of_block_is_known() -> None:
    known = {*OUTPUT, "sh", "python", "toml", "json", "yaml"}
    assert [f"{block}: {block.kind}" for block in blocks() if block.kind not in known] == []


def test_the_tests_that_execute_pages_are_there() -> None:
    of_pages = {(block.page, block.kind) for block in blocks()}
    for (page, kind), tests in EXECUTED.items():
        assert (page, kind) in of_pages
        for test in tests:
            path, _, function = test.partition("::")
            source = (ROOT / path).read_text(encoding="utf-8")
            assert f"def {function}(" in source, test
            assert Path(page).stem in source, test


# --- Commands.


@of_kind("sh")
def test_commands_are_executed_or_checked(block: Block) -> None:
    """A block needs its mark: one that is checked whole, or executed, has none."""
    rest = [words for words in commands_in(block.text) if not is_checked(words)]
    executed = (block.page, "sh") in EXECUTED
    assert not rest or block.mark or executed, f"neither executed nor checked: {rest}"
    assert not block.mark or rest or executed, "it is checked, so it needs no mark"


@of_kind("", "text")
def test_commands_with_their_output_are_checked(block: Block) -> None:
    lines = re.findall(r"^\$ (.+)$", block.text, re.M)
    assert [line for line in lines for words in commands_in(line) if not is_checked(words)] == []


@of_kind("yaml")
def test_commands_of_workflows_are_checked(block: Block) -> None:
    lines = re.findall(r"^ +- run: (.+)$", block.text, re.M)
    assert lines
    assert [line for line in lines for words in commands_in(line) if not is_checked(words)] == []


def commands_in(text: str) -> Iterator[list[str]]:
    """Yield the commands of a block of shell, without comments, redirections and variables."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;>")
        lexer.whitespace_split = True
        words = list(lexer)
        for part in re.split(r"\0(?:&&|\|\|?|;)\0", "\0" + "\0".join(words) + "\0"):
            found = part.strip("\0").partition("\0>\0")[0].split("\0")
            while re.match(r"[A-Z_]+=", found[0]):
                found = found[1:]
            if found[0]:
                yield found


def is_checked(words: list[str]) -> bool:
    """Check a command; return False for one that nothing here knows."""
    program, *rest = words
    name = Path(program).name
    if name == "rlbench":
        check_rlbench(rest)
    elif name == "pip":
        check_extras(rest)
    elif name == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert {word for word in rest if "=" not in word} <= set(targets)
    elif name in ("python", "bash"):
        assert (ROOT / rest[0]).is_file(), rest[0]
        assert all((ROOT / word).is_file() for word in rest if word.endswith(".py"))
    else:
        return words == ["source", ".venv/bin/activate"]
    return True


def check_extras(words: list[str]) -> None:
    """Assert that the extras of rlbench that are installed are there."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for named in re.findall(r"(?:rlbench|\.) ?\[([\w,-]+)\]", " ".join(words)):
        assert set(named.split(",")) <= set(extras), named


def check_rlbench(words: list[str]) -> None:
    """Assert that the command line takes a command, and that the names in it exist."""
    verb, rest = TOP, list(words)
    while hasattr(verb, "commands"):
        verb = verb.commands[rest.pop(0)]
    if "--config" in rest and not Path(rest[at := rest.index("--config") + 1]).is_file():
        del rest[at - 1 : at + 1]  # a file of the reader's, shown on the page
    values = verb.make_context(verb.name, rest).params
    assert all((ROOT / word).exists() for word in words if word.startswith("examples/"))
    for kind in parts(values.get("kind")):
        assert kind in KINDS
    for teacher in parts(values.get("teacher")):
        check_registered(TEACHERS, teacher)
    if "option" in values and "seeds" in values:  # run and evaluate
        check_agent(values["agent"])
    for policy in values.get("policies") or ():
        check_agent(policy.partition("=")[2] or policy)
    for source in values.get("sources") or ():
        if values.get("run"):
            check_agent(source)
        else:
            check_source(source)
    suite = values.get("suite")
    for one in suite if isinstance(suite, list) else parts(suite):
        check_tasks(one, [*parts(values.get("tasks")), *parts(values.get("task"))])


def parts(value: str | None) -> list[str]:
    """Return the items of an option that takes a list."""
    return [part.strip() for part in (value or "").split(",") if part]


def check_tasks(suite: str, tasks: list[str]) -> None:
    """Assert that a suite is there, and has these tasks; a file of the reader's is not read."""
    if not suite.endswith((".toml", ".py")):
        found = suites.get(suite)
        for task in tasks:
            found.task(task)


def check_agent(spec: str) -> None:
    """Assert that an agent can be named so, with its teacher and options behind it."""
    spec, _, teacher = spec.partition(" [")[0].partition("+")
    if teacher:
        check_registered(TEACHERS, teacher)
    if not spec.startswith(tuple(ADAPTERS.own)):
        check_registered(AGENTS, spec)


def check_registered(registry: Registry, spec: str) -> None:
    """Assert that a name is one of ours, or names a file."""
    if "/" in spec:
        assert (ROOT / spec.partition(":")[0]).is_file(), spec
    elif not spec.partition(":")[0].endswith(".py") and spec not in OF_READER:
        assert spec in registry.own, spec


def check_source(name: str) -> None:
    """Assert that scores can be named so: by a file, or an agent with published scores."""
    if not re.search(r"\.\w+$|/", name) and name not in OF_READER:
        assert name in {source.agent for source in sources()}, name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_prose_have_such_verbs_and_options(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for code in re.findall(r"`(rlbench [^`]+)`", text):
        verb, words = TOP, code.split()[1:]
        while hasattr(verb, "commands") and words and words[0] in verb.commands:
            verb = verb.commands[words.pop(0)]
        if hasattr(verb, "commands"):
            assert not words or not re.match(r"[a-z]", words[0]), code
            continue
        options = {name for parameter in verb.params for name in parameter.opts}
        named = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert named <= {*options, "--help"}, code


# --- Python.


@of_kind("python")
def test_python_compiles_and_what_it_names_of_rlbench_exists(block: Block) -> None:
    assert not block.mark, "it is checked, so it needs no mark"
    tree = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST)
    names: dict[str, Any] = {"rlbench": importlib.import_module("rlbench")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if module := imported(str(node.module)):
                names |= {one.asname or one.name: attribute(module, one.name) for one in node.names}
        elif isinstance(node, ast.Import):
            for one in node.names:
                imported(one.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := resolved(node.func, names)) is not None:
            bind(called, node)


def imported(name: str) -> ModuleType | None:
    """Return a module; None if it, or a package that it needs, is another's and not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package == "rlbench" or find_spec(package):
            raise
        return None


def attribute(module: Any, name: str) -> Any:
    """Return a name of a module, which may be a submodule."""
    if not hasattr(module, name):
        return importlib.import_module(f"{module.__name__}.{name}")
    return getattr(module, name)


def resolved(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return what an expression like ``stats.iqm`` names, if it begins at an imported name."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = resolved(node.value, names)
        return getattr(owner, node.attr) if inspect.ismodule(owner) else None
    return None


def bind(called: Any, node: ast.Call) -> None:
    """Assert that a function takes the arguments of a call."""
    if not getattr(called, "__module__", "").startswith("rlbench"):
        return
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    if not starred and all(keyword.arg for keyword in node.keywords):
        named = {str(keyword.arg): None for keyword in node.keywords}
        inspect.signature(called).bind(*node.args, **named)


# --- TOML and JSON.


@of_kind("toml")
def test_toml_goes_through_its_reader(block: Block, tmp_path: Path) -> None:
    assert not block.mark, "it is checked, so it needs no mark"
    content = tomllib.loads(block.text)
    path = tmp_path / "file.toml"
    path.write_text(block.text)
    if "agents" in content:
        study = read_study(path)
        for one in study.suites:
            check_tasks(one.suite, parts(one.tasks))
    elif "namespace" in content:
        fields, problem = read_fields(block.text.encode())
        assert not problem
        assert problems_of(fields) == []
    elif "protocol" in content:
        suites.load_file(str(path))
    elif "project" in content:
        assert content["project"].keys() == {"entry-points"}
    else:
        check_rlbench(["run", "--suite", "atari100k", "--agent", "random", "--config", str(path)])
        check_tasks(content.get("suite", "atari100k"), content.get("tasks", []))


@of_kind("json")
def test_json_parses(block: Block) -> None:
    for line in block.text.splitlines():
        json.loads(line)
