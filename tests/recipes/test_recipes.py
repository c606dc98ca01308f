"""Agents made with other people's libraries, through the commands that a user calls.

`make recipes` installs the libraries; docs/recipes.md says with which releases it was run.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from support.command import rlbench
from support.registered import register

from rlbench.results import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
SUITE = ("--suite", "control")
BUDGET = 300

pytestmark = pytest.mark.recipes


class Recipe(NamedTuple):
    """An agent as it is named on the command line."""

    library: str
    agent: str
    task: str
    options: str

    def arguments(self) -> list[str]:
        """Return the options as the command line takes them."""
        return [word for option in self.options.split() for word in ("-o", option)]


RECIPES = [
    Recipe("torch", "cleanrl_agent.py", "CartPole-v1", "num_steps=16"),
    Recipe("torchrl", "torchrl_agent.py", "CartPole-v1", "learning_starts=20 batch_size=8"),
    Recipe("skrl", "skrl_agent.py", "Pendulum-v1", "learning_starts=10 batch_size=16 memory=1000"),
    Recipe("stable_baselines3", "sb3_agent.py", "CartPole-v1", "n_steps=16 batch_size=16"),
    Recipe("stable_baselines3", "sb3:DQN", "CartPole-v1", "learning_starts=20 buffer_size=1000"),
    Recipe("sbx", "sbx:PPO", "CartPole-v1", "n_steps=16 batch_size=16"),
    Recipe("sbx", "sbx:DQN", "CartPole-v1", "learning_starts=20 buffer_size=1000 batch_size=16"),
    Recipe("sbx", "sbx:SAC", "Pendulum-v1", "learning_starts=20 buffer_size=1000 batch_size=16"),
]


@pytest.fixture(params=RECIPES, ids=[recipe.agent for recipe in RECIPES])
def recipe(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe whose library is there, with the suite registered."""
    if find_spec(request.param.library) is None:
        pytest.skip(f"{request.param.library} is not installed")
    registered = register(tmp_path / "installed", {"control": "support.control:CONTROL"})
    monkeypatch.setenv("PYTHONPATH", registered["PYTHONPATH"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # small networks: more threads wait for each other
    return request.param


def test_a_recipe_passes_the_check_and_makes_a_run(recipe: Recipe, tmp_path: Path) -> None:
    agent = str(EXAMPLES / recipe.agent) if recipe.agent.endswith(".py") else recipe.agent
    checked = rlbench(
        "check", agent, *SUITE, "--task", recipe.task, *recipe.arguments(), cwd=tmp_path
    )
    assert "0 failed" in checked.stdout
    rlbench(
        "run", *SUITE, "--agent", agent, "--tasks", recipe.task, "--seeds", "1",
        "--unofficial", f"budget={BUDGET},episodes=2,eval_envs=2", *recipe.arguments(),
        cwd=tmp_path,
    )  # fmt: skip
    (record,) = Store(tmp_path / "runs").load().records
    assert (record.status, record.budget_used) == ("ok", BUDGET)
    assert [len(evaluation.returns) for evaluation in record.evaluations] == [2]
