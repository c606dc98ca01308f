"""How `--agent` names an agent, and that none of its code runs before its own process does."""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from rlbench.errors import MissingExtra, UnknownName, UsageError
from rlbench.runners import TaskInfo, load_factory, resolve
from rlbench.runners.agents import noop, random

GOOD = "def make(task, *, seed, device, **config):\n    return ('agent', config)\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p])


@pytest.mark.parametrize("spec", ["mine", "mine.py", "./mine.py", "mine.py:make", "mine:make"])
def test_a_file_can_be_named_in_many_ways(spec: str) -> None:
    Path("mine.py").write_text(GOOD)
    agent = resolve(spec, {"a": 1}).id
    assert (agent.name, agent.version, agent.config) == ("mine", "", {"a": 1})
    assert load_factory(spec)(None, seed=0, device="cpu", a=1) == ("agent", {"a": 1})


@pytest.mark.parametrize("name", ["bc", "td3bc", "cql", "edac"])
def test_without_torch_an_agent_names_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = "rlbench.runners.agents."
    for module in [m for m in sys.modules if m.startswith((f"{ours}{name}", f"{ours}common"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=rf"^the agent '{name}' needs .*rlbench\[agents\]'$"):
        resolve(name, {})


def test_a_module_in_a_package() -> None:
    Path("zoo").mkdir()
    Path("zoo/__init__.py").touch()
    Path("zoo/parts.py").write_text(GOOD)
    Path("zoo/dqn.py").write_text("from .parts import make as build\n")
    assert resolve("zoo.dqn:build", {}).id.name == "dqn"
    assert load_factory("zoo.dqn:build")(None, seed=0, device="cpu") == ("agent", {})


def test_a_registered_name_goes_before_a_file() -> None:
    Path("noop.py").write_text(GOOD)
    assert resolve("noop", {}).id.version == "1"
    assert load_factory("noop") is noop.make
    assert resolve("./noop.py", {}).id.source is not None


def test_the_source_hash_follows_the_file_unless_it_names_a_version() -> None:
    Path("mine.py").write_text(GOOD)
    first = resolve("mine", {}).id
    Path("mine.py").write_text(GOOD + "# changed\n")
    assert resolve("mine", {}).id.source != first.source
    Path("mine.py").write_text(GOOD + "__version__ = '2.1'\n")
    assert (resolve("mine", {}).id.version, resolve("mine", {}).id.source) == ("2.1", None)


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    from fast import make\nexcept ImportError:\n    def make(): ...\n",
        "if True:\n    make = print\n",
        "make: object = print\n",
        "from zoo import *\n",
        "def __getattr__(name):\n    return dict\n",
    ],
)
def test_a_factory_may_be_bound_in_any_way(text: str) -> None:
    Path("zoo.py").write_text(GOOD)
    Path("mine.py").write_text(text + "__version__: str = '3'\n")
    assert resolve("mine", {}).id.version == "3"


def test_a_display_name() -> None:
    assert resolve("random", {}, "Random (uniform)").id.name == "Random (uniform)"
    with pytest.raises(UsageError, match="name"):
        resolve("random", {}, "x" * 101)
    with pytest.raises(UsageError, match="name"):
        resolve("random", {}, "evil\u202ename")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("rnadom", "Did you mean 'random'"),
        ("nothing_here", "unknown agent"),
        ("missing.py", "unknown agent"),
        ("a/b/c", "unknown agent"),
        ("", "unknown agent"),
        (":make", "unknown agent"),
        ("mine:buiuld", "factory in .*mine.py: 'buiuld'. Did you mean 'build'"),
        ("broken.py", "is not Python"),
        ("..", "unknown agent"),
    ],
)
def test_what_is_not_there_is_named(spec: str, message: str) -> None:
    Path("mine.py").write_text("def build(): ...\n")
    Path("broken.py").write_text("def make(:\n")
    with pytest.raises((UnknownName, UsageError), match=message):
        resolve(spec, {})


def task(space) -> TaskInfo:
    return TaskInfo(
        suite="s@1", task="t", observation_space=Box(0, 1), action_space=space, num_envs=1,
        budget=1, unit="steps", max_episode_steps=1, kind="online",
    )  # fmt: skip


def test_random_and_noop_act_in_the_space() -> None:
    obs, first = np.zeros((5, 2)), np.ones(5, dtype=bool)
    for space in (Discrete(3, start=2), Box(-2, 3, (4,), np.float32)):
        for agent in (
            random.make(task(space), seed=1, device="cpu"),
            noop.make(task(space), seed=1, device="cpu"),
        ):
            actions = agent.act(obs, first, phase="train")
            assert all(space.contains(a) for a in actions)
    assert (
        noop.make(task(Discrete(4)), seed=0, device="cpu").act(obs, first, phase="eval").tolist()
        == [0] * 5
    )


def test_evaluation_draws_nothing_from_training() -> None:
    one, two = (random.make(task(Discrete(100)), seed=1, device="cpu") for _ in range(2))
    obs, first = np.zeros((5, 2)), np.ones(5, dtype=bool)
    one.act(obs, first, phase="eval")
    np.testing.assert_array_equal(
        one.act(obs, first, phase="train"), two.act(obs, first, phase="train")
    )


@pytest.mark.parametrize("make", [random.make, noop.make])
def test_spaces_that_cannot_be_served_are_refused(make) -> None:
    with pytest.raises(UsageError):
        make(task(Dict({})), seed=0, device="cpu")


def test_an_algorithm_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(MissingExtra, match=r"'sb3:PPO' needs an extra: .*rlbench\[sb3\]"):
        resolve("sb3:PPO", {})
