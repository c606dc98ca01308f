"""An agent to copy: a bandit that learns which action is worth holding on to.

    rlbench run --suite atari100k --agent examples/my_agent.py --tasks Freeway,Boxing --seeds 3

It is small rather than good, but it does learn: on Freeway, for one, it finds out to walk. What
it shows is all that an agent needs: a factory `make`, `act` for training and evaluation, and
`observe` to learn from.
"""

import numpy as np

from rlbench.runners import TaskInfo, Transitions


class HoldingBandit:
    """UCB1 over arms; an arm holds one action, with now and then a random one, for a stretch."""

    def __init__(self, task: TaskInfo, seed: int, stretch: int, explore: float) -> None:
        self.actions = int(task.action_space.n)
        self.stretch = stretch
        self.explore = explore
        self.pulls = np.zeros(self.actions)
        self.rewards = np.zeros(self.actions)
        self.arm = 0
        self.left = stretch
        # A generator for each phase: evaluation must not change how training goes on.
        self.random = {
            phase: np.random.default_rng((seed, k)) for k, phase in enumerate(("train", "eval"))
        }

    def act(self, obs: np.ndarray, first: np.ndarray, *, phase: str) -> np.ndarray:
        """Hold the arm that is being tried, or in evaluation the one that paid best."""
        random, n = self.random[phase], len(obs)
        arm = self.arm if phase == "train" else int(np.argmax(self.means()))
        anything = random.integers(self.actions, size=n)
        return np.where(random.random(n) < self.explore, anything, arm)

    def observe(self, batch: Transitions) -> None:
        """Credit the arm with the reward, and after a stretch choose the next one."""
        self.rewards[self.arm] += float(np.sign(batch.reward[batch.active]).sum())
        self.left -= 1
        if self.left == 0:
            self.pulls[self.arm] += 1
            self.left = self.stretch
            bonus = np.sqrt(2 * np.log(self.pulls.sum()) / np.maximum(self.pulls, 1))
            self.arm = int(np.argmax(np.where(self.pulls == 0, np.inf, self.means() + bonus)))

    def means(self) -> np.ndarray:
        """Return (actions,) mean clipped reward of a stretch with each arm."""
        return self.rewards / np.maximum(self.pulls, 1)


def make(
    task: TaskInfo, *, seed: int, device: str, stretch: int = 100, explore: float = 0.1
) -> HoldingBandit:
    """Make the agent; `-o stretch=50` on the command line sets an option."""
    return HoldingBandit(task, seed, stretch, explore)
