"""Agents that cheat in their own process, and what `rlbench verify` makes of their records.

`docs/reliability.md` lists the attacks and names these tests.
"""

import subprocess
from pathlib import Path

import pytest
from support.faults import Bench
from support.processes import COMMAND

from rlbench.results import Store

AGENT = """
import dataclasses
import numpy as np
from rlbench.results import Store
from support import toy

step, begin, write = toy.Walks.step, toy.Walks._begin, Store.write


def generous_step(self, actions):
    obs, reward, *others = step(self, actions)
    return obs, reward + 1.0, *others


def long_begin(self, slot):
    begin(self, slot)
    self.lengths[slot] = 30


def generous_write(self, record, actions=b""):
    evaluations = tuple(
        dataclasses.replace(e, returns=tuple(r + 1.0 for r in e.returns))
        for e in record.evaluations
    )
    return write(self, dataclasses.replace(record, evaluations=evaluations), actions)


class Agent:
    def act(self, obs, first, *, phase):
        return np.zeros(len(obs), dtype=int)


def make(task, *, seed, device):
    {attack}
    return Agent()
"""
ATTACKS = {
    "none": ("pass", "equal: "),
    "rewards are patched": ("toy.Walks.step = generous_step", "step 1 differs"),
    "starts are patched": ("toy.Walks._begin = long_begin", "the first observation differs"),
    "returns are patched": ("Store.write = generous_write", "episode 0 has return"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_patched_in_the_agents_process_is_found_by_verify(
    attack: str, tmp_path: Path
) -> None:
    code, said = ATTACKS[attack]
    (tmp_path / "cheat.py").write_text(AGENT.replace("{attack}", code))
    bench = Bench(tmp_path, "--tasks", "Walk", "--seeds", "1", agent="cheat.py")
    bench.run()
    (record,) = Store(bench.store).load().records
    assert record.status == "ok"
    done = subprocess.run(
        [*COMMAND, "verify"], cwd=tmp_path, env=bench.environment, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert said in done.stdout
    assert done.returncode == (0 if attack == "none" else 1), done.stderr


INNER = """
import numpy as np


class Agent:
    def train(self, env):
        env.reset()
        inner = env
        while hasattr(inner, "env"):
            inner = inner.env
        self.played = 0
        for _ in range(1000):
            inner.step(np.zeros(env.num_envs, dtype=int))
            self.played += env.num_envs
        print("played", self.played, flush=True)
        while True:
            env.step(np.zeros(env.num_envs, dtype=int))

    def act(self, obs, first, *, phase):
        return np.zeros(len(obs), dtype=int)


def make(task, *, seed, device):
    return Agent()
"""


def test_an_inner_environment_can_be_stepped_unseen(tmp_path: Path) -> None:
    """It is in the agent's own process: the page says that this cannot be prevented."""
    (tmp_path / "inner.py").write_text(INNER)
    bench = Bench(tmp_path, "--tasks", "Walk", "--seeds", "1", agent="inner.py")
    bench.run()
    (record,) = Store(bench.store).load().records
    assert (record.status, record.budget_used) == ("ok", 300)
    assert "played 3000" in Store(bench.store).log_of(record.identity).read_text()
