"""PPO of Stable-Baselines3 in an agent of one's own: callbacks, `VecNormalize`, saved statistics.

    pip install 'rlbench[sb3]'
    rlbench check examples/sb3_agent.py --suite SUITE -o n_steps=16

Without callbacks no file is needed: ``--agent sb3:PPO -o normalize=true`` does the same.
"""

from pathlib import Path

import numpy as np
from gymnasium.vector import VectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from rlbench.runners import TaskInfo
from rlbench.runners.agents.adapters.sb3_env import SB3Env, load_normalizer

__version__ = "1"


class PrintReturns(BaseCallback):
    """Print the mean return of late, every so many steps; it lands in the run's log."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every, self.next = every, every

    def _on_step(self) -> bool:
        if self.num_timesteps >= self.next and self.model.ep_info_buffer:
            self.next += self.every
            mean = np.mean([episode["r"] for episode in self.model.ep_info_buffer])
            print(f"{self.num_timesteps} steps: mean return {mean:.1f}")
        return True  # False would end training


class NormalizedPPO:
    """PPO on observations and rewards that are normalised by running statistics."""

    def __init__(self, task: TaskInfo, seed: int, device: str, config: dict) -> None:
        self.task = task
        self.options = {"seed": seed, "device": device, **config}
        self.model = self.normalizer = None

    def train(self, env: VectorEnv) -> None:
        """Learn until the budget is spent; the runner evaluates in between."""
        self.normalizer = VecNormalize(SB3Env(env))  # the runner's own are no VecEnv
        self.model = PPO("MlpPolicy", self.normalizer, **self.options)
        self.model.learn(self.task.budget, callback=PrintReturns(self.task.budget // 10))

    def act(self, obs: np.ndarray, first: np.ndarray, *, phase: str) -> np.ndarray:
        """Act by the mode of the policy. `normalize_obs` leaves the statistics as they are."""
        return self.model.predict(self.normalizer.normalize_obs(obs), deterministic=True)[0]

    def save(self, folder: Path) -> None:
        """Write the model and the statistics, for ``sb3-zip:`` too."""
        self.model.save(folder / "model.zip")
        self.normalizer.save(folder / "vecnormalize.pkl")

    def load(self, folder: Path) -> None:
        """Become what was saved."""
        self.model = PPO.load(folder / "model.zip", device=self.options["device"])
        space = self.task.observation_space
        self.normalizer = load_normalizer(folder / "vecnormalize.pkl", space)


def make(task: TaskInfo, *, seed: int, device: str, **config: object) -> NormalizedPPO:
    """Make the agent; `-o n_steps=64` and the like are options of PPO."""
    return NormalizedPPO(task, seed, device, config)
