"""The package: public names, layout, what importing it costs, and that documents tell the truth."""

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rlbench
from rlbench import suites
from rlbench.suites.procgen.pool import VERIFIED

ROOT = Path(__file__).parents[1]
PUBLIC = ["rlbench", "rlbench.suites", "rlbench.runners", "rlbench.results", "rlbench.stats",
          "rlbench.leaderboard"]  # fmt: skip


def test_the_public_names_are_these() -> None:
    """A name that goes away breaks somebody's script; one more is for ever."""
    assert sorted(rlbench.__all__) == [
        "Answer", "RLBenchError", "Results", "TaskInfo", "Transitions", "__version__",
        "build_leaderboard", "check", "compare", "decide", "duel", "evaluate", "figure", "load",
        "run", "study", "suites",
    ]  # fmt: skip
    assert set(rlbench.__all__) <= set(dir(rlbench))
    with pytest.raises(AttributeError, match="module 'rlbench' has no attribute 'loads'"):
        rlbench.loads  # noqa: B018
    assert rlbench.suites is suites


def test_what_can_be_asked_of_results_is_this() -> None:
    named = {name for name in vars(rlbench.Results) if not name.startswith("_")}
    assert named == {
        "agents", "compare", "curves", "export", "figure", "plan", "scores", "show", "stats",
        "submit", "table", "to_frame", "verify",
    }  # fmt: skip


def test_the_extra_procgen_installs_only_engines_that_equal_openais() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)", "\n".join(extras["procgen"]), re.M))
    assert len(pins) == len(extras["procgen"])
    assert (pins["envpool"], pins["pyqt5-qt5"]) in VERIFIED


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_what_is_public(name: str) -> None:
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, public


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        (
            "rlbench",
            {
                "numpy",
                "gymnasium",
                "ale_py",
                "numba",
                "torch",
                "matplotlib",
                "typer",
                "scipy",
                "pandas",
                "rich",
            },
        ),
        ("rlbench.api.loading", {"gymnasium", "scipy", "pandas", "numba", "matplotlib", "typer"}),
        ("rlbench.api.runs", {"scipy", "pandas", "numba", "matplotlib", "rich", "typer"}),
        ("rlbench.api.checking", {"pandas", "matplotlib", "rich", "typer"}),
        ("rlbench.api.deciding", {"pandas", "numba", "matplotlib", "rich", "typer"}),
        ("rlbench.api.sites", {"gymnasium", "pandas", "numba", "matplotlib", "rich", "typer"}),
        (
            "rlbench.suites",
            {"gymnasium", "scipy", "pandas", "numba", "matplotlib", "rich", "typer"},
        ),
        (
            "rlbench.results",
            {"gymnasium", "scipy", "pandas", "numba", "matplotlib", "rich", "typer"},
        ),
        (
            "rlbench.runners.backends.worker",
            {"scipy", "pandas", "numba", "matplotlib", "rich", "typer"},
        ),
        ("rlbench.stats", {"gymnasium", "rich", "typer", "jinja2", "scipy", "pandas", "numba"}),
        ("rlbench.leaderboard", {"gymnasium", "matplotlib", "pandas", "rich", "typer"}),
        ("rlbench.compat.rliable.library", {"gymnasium", "scipy", "pandas", "numba", "rich"}),
        ("rlbench.compat.rliable.plot_utils", {"matplotlib", "scipy", "pandas", "numba"}),
    ],
)
def test_imports_are_lazy(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not unwanted & set(out.stdout.split())


@pytest.mark.parametrize("part", ["suites", "runners", "stats", "leaderboard", "results"])
def test_the_links_at_the_root_lead_into_the_package(part: str) -> None:
    link = ROOT / part
    assert link.is_symlink()
    assert str(link.readlink()) == f"rlbench/{part}"


def test_folders_import_only_what_the_design_lets_them() -> None:
    allowed = {
        "disturbances": {"disturbances", "errors"},
        "suites": {
            "suites", "disturbances", "compiled", "cpus", "errors", "files", "limits", "registry",
            "sources",
        },
        "results": {"results", "suites", "errors", "files", "limits"},
        "stats": {"stats", "compiled", "cpus", "errors", "limits"},
        "runners": {
            "runners", "suites", "results", "stats", "errors", "files", "limits", "registry",
            "sources",
        },
        "leaderboard": {"leaderboard", "results", "stats", "suites", "errors", "files"},
        "api": {
            "api", "leaderboard", "runners", "results", "stats", "suites", "cpus", "errors",
            "files", "limits",
        },
        "compat": {"compat", "stats", "errors", "limits", "files"},
    }  # fmt: skip
    for part, names in allowed.items():
        for path in (ROOT / "rlbench" / part).rglob("*.py"):
            text = path.read_text()
            for found in re.findall(
                r"^\s*(?:from|import) rlbench(?:\.(\w+)| import (\w+))", text, re.M
            ):
                used = found[0] or found[1]
                assert used in names | {"__version__"}, (path, used)


def test_links_in_the_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), (path.name, target)


def test_every_suite_has_a_protocol_card() -> None:
    cards = [path.read_text() for path in (ROOT / "docs/suites").glob("*.md")]
    for name in suites.names():
        assert any(f"`{name}@{suites.get(name).version}`" in card for card in cards), name


def test_the_agent_in_the_readme_runs(tmp_path: Path) -> None:
    from support.command import run_short

    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (tmp_path / "my_agent.py").write_text(blocks[0])
    out = run_short("--agent", "my_agent", "--tasks", "Pong", "--seeds", "1", cwd=tmp_path)
    assert "1 runs recorded in runs, 0 failed" in out.stdout


@pytest.mark.parametrize("page", ["statistics", "comparisons"])
def test_the_code_in_the_guides_runs(page: str) -> None:
    """Blocks that are marked as continuations run after those before them."""
    text = (ROOT / f"docs/{page}.md").read_text()
    blocks = re.findall(r"```python( continuation)?\n(.*?)```", text, re.S)
    assert blocks
    programs: list[str] = []
    for continues, block in blocks:
        if continues:
            programs[-1] += block
        else:
            programs.append(block)
    for program in programs:
        subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize("page", ["comparisons", "from-scores-to-claims"])
def test_outputs_in_the_guides_are_what_the_command_prints(page: str) -> None:
    from support.command import rlbench

    text = (ROOT / f"docs/{page}.md").read_text()
    blocks = re.findall(r"```(sh|text)\n(.*?)\n```", text, re.S)
    assert len(blocks) == text.count("```") / 2 - text.count("```python")
    printed, checked = "", 0
    for kind, block in blocks:
        if kind == "sh":
            words = block.split()
            assert words.pop(0) == "rlbench"
            printed = rlbench(*words, cwd=ROOT, code=None).stdout
        else:
            lines = [line.rstrip() for line in printed.splitlines()]
            shown = [line.rstrip() for line in block.splitlines()]
            assert any(lines[k : k + len(shown)] == shown for k in range(len(lines))), block
            checked += 1
    assert checked >= 2


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 60


def test_a_test_file_that_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    """Looking for its doctests would forgive that, and then it would have no tests."""
    (tmp_path / "test_broken.py").write_text("import nowhere\n\ndef test_it(): ...\n")
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "conftest"]
    done = subprocess.run(
        [*command, tmp_path / "test_broken.py"], cwd=ROOT / "tests", capture_output=True, text=True
    )
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout
    assert "No module named 'nowhere'" in done.stdout
