"""A small suite of CartPole in TOML, and agents on it: one that balances, one that fails."""

from pathlib import Path

SUITE = """
name = "poles"
version = 1
title = "Poles"
summary = "CartPole, at once."
references = ["random", "solved"]
reference_source = "made up"

[protocol]
budget = 40
train_envs = 2
episodes = 4
eval_envs = 4
max_episode_steps = 60

[[tasks]]
id = "CartPole-v1"
low = 10.0
high = 60.0
returns = [0, 60]
"""
AGENTS = """
import numpy as np


class Balance:
    def __init__(self, task, *, seed, device, flipped=False, pace=0.0):
        self.flipped, self.pace = flipped, pace

    def act(self, obs, first, *, phase):
        return ((obs[:, 2] + obs[:, 3] > 0) ^ self.flipped).astype(np.int64)


class Breaks:
    def __init__(self, task, *, seed, device):
        pass

    def act(self, obs, first, *, phase):
        raise ValueError("no")
"""
# Four runs share a worker: to start one takes most of the time.
GROUP = """

def make_group(tasks, seeds, *, device, **config):
    return [Balance(task, seed=seed, device=device, **config) for task, seed in zip(tasks, seeds)]
"""
SHARED = ("--runs-per-gpu", "4")


def write_files(folder: Path) -> Path:
    """Write ``poles.toml`` and ``agents.py`` into a folder, and return it."""
    (folder / "poles.toml").write_text(SUITE)
    (folder / "agents.py").write_text(AGENTS)
    return folder
