"""What is sent to a cluster is found there, and is what it was."""

from pathlib import Path

import pytest

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.runners import Recipe, resolve
from rlbench.runners.agents.agent import agent_version
from rlbench.runners.agents.resolving import open_options
from rlbench.runners.backends.shipping import Shipped, ship
from rlbench.runners.run import Players

MAKE = "def make(task, *, seed, device, data=''):\n    return VALUE\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with agents, which is the current one."""
    for name, text in {
        "agents/mine.py": "from beside import VALUE\n" + MAKE,
        "agents/beside.py": "VALUE = 1\n",
        "agents/unused.py": "VALUE = 2\n",
        "pack/__init__.py": "",
        "pack/deep/__init__.py": "",
        "pack/deep/agent.py": "from ..other import VALUE\n" + MAKE,
        "pack/other.py": "VALUE = 3\n",
        "data.bin": "the data",
    }.items():
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_text(text)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def send(recipe: Recipe, folder: Path, suite: str = "atari100k") -> Shipped:
    folder.mkdir()
    return ship([Players(recipe)], suites.get(suite), folder)


def agent_in(shipped: Shipped) -> Recipe:
    ((_, there),) = shipped.players
    return there.agent


def files_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("spec", "named", "files"),
    [
        ("agents/mine.py", "agent/0/mine.py:make", ["agent/0/beside.py", "agent/0/mine.py"]),
        (
            "pack.deep.agent:make",
            "pack.deep.agent:make",
            ["pack/__init__.py", "pack/deep/__init__.py", "pack/deep/agent.py", "pack/other.py"],
        ),
        ("random", "random", []),
        ("sb3:PPO", "sb3:PPO", []),
    ],
)
def test_code(
    spec: str, named: str, files: list[str], here: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shipped = send(Recipe(spec=spec, options={}), tmp_path / "there")
    assert (agent_in(shipped).spec, shipped.suite) == (named, "atari100k@1")
    assert files_in(tmp_path / "there") == files
    if files and "/" in spec:
        there = agent_version(spec, {})
        monkeypatch.chdir(tmp_path / "there")
        assert agent_version(agent_in(shipped).spec, {}) == there


def test_agents_of_one_name_are_kept_apart(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "others").mkdir()
    (here / "others/mine.py").write_text("VALUE = 4\n" + MAKE)
    specs = ["agents/mine.py", "others/mine.py", "pack.deep.agent:make"]
    before = [agent_version(spec, {}) for spec in specs]
    assert len(set(before)) == 3
    (tmp_path / "there").mkdir()
    players = [Players(Recipe(spec=spec, options={})) for spec in specs]
    shipped = ship(players, suites.get("atari100k"), tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    assert [here for here, _ in shipped.players] == players
    assert [agent_version(there.agent.spec, {}) for _, there in shipped.players] == before


def test_files_that_options_name(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = resolve("agents/mine.py", {"data": Path("data.bin")}).recipe
    shipped = send(recipe, tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    path = Path(open_options(agent_in(shipped).options)["data"])
    assert not path.is_absolute()
    assert path.read_text() == "the data"


def test_suites_in_files(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "mine.toml").write_text(
        'name = "mine"\nversion = 1\n[protocol]\nbudget = 50\nepisodes = 2\neval_envs = 1\n'
        'max_episode_steps = 10\n[[tasks]]\nid = "CartPole-v1"\nlow = 0\nhigh = 500\n'
    )
    suite = suites.get("mine.toml")
    shipped = send(Recipe(spec="random", options={}), tmp_path / "there", "mine.toml")
    assert shipped.suite == "suite/mine.toml"
    monkeypatch.chdir(tmp_path / "there")
    there = suites.get(shipped.suite)
    assert there.digest(there.tasks[0]) == suite.digest(suite.tasks[0])


@pytest.mark.parametrize("spec", ["cmd:./agent --fast", "sb3-zip:model.zip"])
def test_agents_whose_files_are_not_known(spec: str, here: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="working_dir"):
        send(Recipe(spec=spec, options={}), tmp_path / "there")
