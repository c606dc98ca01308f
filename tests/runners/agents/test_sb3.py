"""Algorithms of Stable-Baselines3, for real, on their own loop; skipped where it is missing."""

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from support.toy import TOY

from rlbench.errors import UnknownName
from rlbench.runners import Progress, load_factory, resolve, run_online

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

SMALL = {
    "PPO": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "A2C": {},
    "DQN": {"learning_starts": 10, "buffer_size": 100},
    "RecurrentPPO": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "QRDQN": {"learning_starts": 10, "buffer_size": 100},
    "SAC": {"learning_starts": 10, "buffer_size": 100},
    "TD3": {"learning_starts": 10, "buffer_size": 100},
}


def play(algorithm: str, num_envs: int = 1, seed: int = 0) -> Progress:
    continuous = algorithm in ("SAC", "TD3")
    suite = TOY.make_unofficial({"continuous": continuous, "train_envs": num_envs})
    suite = replace(suite, protocol=replace(suite.protocol, eval_points=(30,)))
    progress = Progress()
    run_online(
        suite, suite.tasks[0], load_factory(f"sb3:{algorithm}"), config=SMALL[algorithm],
        seed=seed, device="cpu", progress=progress,
    )  # fmt: skip
    return progress


@pytest.mark.parametrize("algorithm", SMALL)
def test_exactly_the_budget_is_trained_and_checkpoints_evaluated(algorithm: str) -> None:
    """Rollouts of 16 steps do not divide the budget of 50: it is not overspent."""
    progress = play(algorithm)
    assert progress.budget_used == 50
    assert [e.budget_used for e in progress.evaluations] == [30, 50]
    assert progress.training.episodes > 0


@pytest.mark.parametrize("algorithm", ["PPO", "DQN", "RecurrentPPO"])
def test_a_run_is_a_function_of_its_seed(algorithm: str) -> None:
    first, second = play(algorithm), play(algorithm)
    assert first.evaluations == second.evaluations
    assert first.training == second.training


def test_several_environments_side_by_side() -> None:
    assert play("PPO", num_envs=4).budget_used == 50


def test_ends_and_cuts_are_told_apart() -> None:
    """A cut-off episode is marked, with the observation that it was cut off at."""
    from rlbench.runners.agents.adapters.sb3_env import SB3Env

    env = TOY.make(TOY.tasks[0], split="train", num_envs=2, seed=0)
    plain_step = env.step

    def step(actions):
        obs, reward, terminated, _, info = plain_step(actions)
        cut = terminated & np.array([True, False])
        return obs, reward, terminated & ~cut, cut, info

    env.step = step
    wrapped = SB3Env(env)
    wrapped.reset()
    seen = set()
    for _ in range(80):
        _, _, dones, infos = wrapped.step(np.zeros(2, dtype=int))
        for slot in np.flatnonzero(dones):
            length, clock = infos[slot]["terminal_observation"]
            assert length == clock
            assert infos[slot]["TimeLimit.truncated"] == (slot == 0)
            seen.add(int(slot))
    assert seen == {0, 1}


@pytest.mark.filterwarnings("ignore::UserWarning")  # advice on spaces
def test_the_checker_of_sb3_finds_nothing_wrong() -> None:
    """It takes single environments, so it sees one slot of ours."""
    from stable_baselines3.common.env_checker import check_env

    from rlbench.runners.agents.adapters.sb3_env import SB3Env

    slots = SB3Env(TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0))

    class Slot(gymnasium.Env):
        observation_space, action_space = slots.observation_space, slots.action_space

        def reset(self, *, seed: Any = None, options: Any = None):
            return slots.reset()[0], {}

        def step(self, action: Any):
            obs, reward, ended, infos = slots.step(np.array([action]))
            cut = infos[0].get("TimeLimit.truncated", False)
            obs = infos[0].get("terminal_observation", obs[0])
            return obs, float(reward[0]), bool(ended[0] and not cut), cut, infos[0]

    check_env(Slot())


def test_the_release_is_the_version() -> None:
    agent = resolve("sb3:PPO", {"learning_rate": 0.001}).id
    assert (agent.name, agent.source, agent.factory) == ("PPO", None, "sb3:PPO")
    assert agent.version.startswith("stable-baselines3-")
    assert resolve("sb3:TQC", {}).id.version.startswith("sb3-contrib-")
    with pytest.raises(UnknownName, match="Did you mean 'PPO'"):
        resolve("sb3:PP0", {})


def test_the_config_holds_what_the_constructor_takes() -> None:
    kwargs = {"net_arch": [64, 64]}
    agent = resolve("sb3:PPO", {"learning_rate": 0.001, "policy_kwargs": kwargs}).id
    assert agent.config["policy_kwargs"] == kwargs
    assert (agent.config["learning_rate"], agent.config["n_steps"]) == (0.001, 2048)
    assert (agent.config["policy"], agent.config["deterministic"]) == ("", True)
    assert not {"env", "seed", "device", "task"} & set(agent.config)
    default = resolve("sb3:PPO", {"n_steps": 2048}).id
    assert default.content() == resolve("sb3:PPO", {}).id.content()
    with pytest.raises(UnknownName, match="Did you mean 'n_steps'"):
        resolve("sb3:PPO", {"n_step": 16})
