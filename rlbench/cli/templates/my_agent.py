"""An agent for rlbench: a bandit that learns which action is worth holding on to.

    rlbench check my_agent.py
    rlbench run --suite atari100k --agent my_agent.py --tasks Freeway --seeds 3

It is small rather than good. Put your own learning into `act` and `observe`.
"""

import json
from pathlib import Path

import numpy as np
from gymnasium.spaces import Box, Discrete

from rlbench.runners import TaskInfo, Transitions


class MyAgent:
    """Holds one action for a stretch of steps, and comes back to those that paid."""

    def __init__(self, task: TaskInfo, seed: int, stretch: int, explore: float) -> None:
        self.stretch, self.explore = stretch, explore
        # A generator for each phase: an evaluation must not change how training goes on.
        self.random = {
            phase: np.random.default_rng((seed, k)) for k, phase in enumerate(("train", "eval"))
        }
        self.actions = some_actions(task.action_space, self.random["train"])
        self.earned = np.zeros(len(self.actions))
        self.tried = np.zeros(len(self.actions))
        self.held = 0  # the action that is being tried
        self.left = stretch

    def act(self, obs: np.ndarray, first: np.ndarray, *, phase: str) -> np.ndarray:
        """Return (n, ...) actions for (n, ...) observations; `first` marks new episodes."""
        random, n = self.random[phase], len(obs)
        held = self.held if phase == "train" else self.means().argmax()
        anything = random.integers(len(self.actions), size=n)
        chosen: np.ndarray = self.actions[np.where(random.random(n) < self.explore, anything, held)]
        return chosen

    def observe(self, batch: Transitions) -> None:
        """Learn from one step: every field is (n, ...). It is not called in evaluation."""
        # The budget did not pay for slots that are not active.
        self.earned[self.held] += np.sign(batch.reward[batch.active]).sum()
        self.left -= 1
        if self.left == 0:
            self.left = self.stretch
            self.tried[self.held] += 1
            bonus = np.sqrt(2 * np.log(self.tried.sum()) / np.maximum(self.tried, 1))
            self.held = int(np.where(self.tried == 0, np.inf, self.means() + bonus).argmax())

    def save(self, folder: Path) -> None:
        """Write all that was learned and drawn: after an interruption the run goes on from it."""
        state = {
            "earned": self.earned.tolist(),
            "tried": self.tried.tolist(),
            "held": self.held,
            "left": self.left,
            "random": {phase: random.bit_generator.state for phase, random in self.random.items()},
        }
        (folder / "state.json").write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        """Become what was saved, from a new agent of the same seed."""
        state = json.loads((folder / "state.json").read_text())
        self.earned, self.tried = np.array(state["earned"]), np.array(state["tried"])
        self.held, self.left = state["held"], state["left"]
        for phase, random in self.random.items():
            random.bit_generator.state = state["random"][phase]

    def means(self) -> np.ndarray:
        """Return (actions,) what a stretch of each earned on average."""
        means: np.ndarray = self.earned / np.maximum(self.tried, 1)
        return means


def some_actions(space: object, random: np.random.Generator) -> np.ndarray:
    """Return (actions, ...): all of a discrete space, or 16 out of a box."""
    if isinstance(space, Discrete):
        return np.arange(space.start, space.start + space.n)
    assert isinstance(space, Box)  # suites have no others
    drawn: np.ndarray = random.uniform(-1, 1, size=(16, *space.shape)).astype(space.dtype)
    return drawn.clip(space.low, space.high)


def make(
    task: TaskInfo, *, seed: int, device: str, stretch: int = 50, explore: float = 0.1
) -> MyAgent:
    """Make the agent; `-o stretch=100` on the command line sets an option."""
    return MyAgent(task, seed, stretch, explore)
