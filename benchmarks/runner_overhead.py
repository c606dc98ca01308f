"""What the runner adds to a bare loop over the same AtariVectorEnv.

    python benchmarks/runner_overhead.py [GAME ...]

Two jobs, each timed in turn with its bare loop in this one process, several rounds; the ratio is
that of a round, and the median ratio is printed with the least and the greatest. Both sides have
the same seeds and draw their actions from the same random agent.

- training: the runner's online loop with one environment and an agent that observes, against
  `env.step` in a loop. Overhead is to stay below 5 %.
- evaluation: 100 episodes in 100 slots. The bare loop steps one AtariVectorEnv of 100, with as
  many threads as there are CPUs, until every slot has ended an episode. Ours steps groups and
  retires those that are done, so two ratios are given: a vector step while all slots play
  (overhead, to stay below 5 %), and the time for the 100 episodes. Making and seeding the
  emulators is not in either; it is printed by itself.
"""

import os
import statistics
import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode

from rlbench import suites
from rlbench.runners import MeteredEnv, Progress, TaskInfo, Transitions, evaluate
from rlbench.runners.agents.random import RandomAgent
from rlbench.runners.online import train
from rlbench.suites.atari.envs import slot_seeds

ROUNDS = 7
TRAIN_STEPS = 4_000
SLOTS = 100


class Observer(RandomAgent):
    """The random agent, which also takes delivery of what it could learn from."""

    def observe(self, batch: Transitions) -> None:
        self.last = batch


def info_for(env: object) -> TaskInfo:
    return TaskInfo(
        suite="atari100k@1", task="", observation_space=env.single_observation_space,
        action_space=env.single_action_space, num_envs=1, budget=1, unit="steps",
        max_episode_steps=27_000, kind="online",
    )  # fmt: skip


def bare(game: str, num_envs: int, threads: int) -> AtariVectorEnv:
    return AtariVectorEnv(
        suites.get("atari100k").task(game).assets["rom"], num_envs, num_threads=threads,
        autoreset_mode=AutoresetMode.SAME_STEP, reward_clipping=False, use_fire_reset=False,
    )  # fmt: skip


def train_bare(game: str) -> Callable[[], float]:
    env = bare(game, 1, 1)
    agent = RandomAgent(info_for(env), seed=0)
    task = suites.get("atari100k").task(game)
    stream = suites.get("atari100k").stream(task, "train", 0)
    env.reset(seed=slot_seeds(stream, 1, "train"))

    def once() -> float:
        first = np.zeros(1, dtype=bool)
        obs = None
        started = perf_counter()
        for _ in range(TRAIN_STEPS):
            obs, _, terminated, truncated, _ = env.step(agent.act(obs, first, phase="train"))
            first = terminated | truncated
        return perf_counter() - started

    return once


def train_ours(game: str) -> Callable[[], float]:
    suite = suites.get("atari100k")
    env = suite.make(suite.task(game), split="train", num_envs=1, seed=0)
    meter = MeteredEnv(env, 10**9)
    agent = Observer(info_for(env), seed=0)
    points = range(TRAIN_STEPS, 10**9, TRAIN_STEPS)
    loop = train(agent, meter, points, Progress(), lambda: None)

    def once() -> float:
        started = perf_counter()
        next(loop)
        return perf_counter() - started

    return once


def evaluate_bare(game: str) -> tuple[float, float, float]:
    """Return the seconds to set up, a step while all play, and the seconds for 100 episodes."""
    started = perf_counter()
    env = bare(game, SLOTS, os.cpu_count() or 1)
    agent = RandomAgent(info_for(env), seed=0)
    suite = suites.get("atari100k")
    seeds = slot_seeds(suite.stream(suite.task(game), "eval", 0), SLOTS, "eval")
    obs, _ = env.reset(seed=seeds)
    set_up = perf_counter() - started
    done = np.zeros(SLOTS, dtype=bool)
    first, stamps = np.ones(SLOTS, dtype=bool), [perf_counter()]
    full = 0
    while not done.all():
        obs, _, terminated, truncated, _ = env.step(agent.act(obs, first, phase="eval"))
        first = terminated | truncated
        done |= first
        stamps.append(perf_counter())
        full += not done.any()
    return set_up, (stamps[full] - stamps[0]) / full, stamps[-1] - stamps[0]


def evaluate_ours(game: str) -> tuple[float, float, float]:
    suite = suites.get("atari100k")
    started = perf_counter()
    env = suite.make(suite.task(game), split="eval", num_envs=SLOTS, seed=0)
    agent = RandomAgent(info_for(env), seed=0)
    stamps: list[tuple[float, int]] = []
    evaluate(agent, env, episodes=SLOTS, progress=lambda n: stamps.append((perf_counter(), n)))
    env.close()
    full = [stamp for stamp, finished in stamps if finished == 0]
    a_step = (full[-1] - full[0]) / (len(full) - 1)
    first_step = full[0] - a_step
    return first_step - started, a_step, stamps[-1][0] - first_step


def show(name: str, ratios: list[float]) -> None:
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"  {name:<46} {middle:.3f}  ({low:.3f} to {high:.3f})")


def main() -> None:
    for game in sys.argv[1:] or ["Pong", "Breakout"]:
        print(f"{game}: time of the runner / time of the bare loop, {ROUNDS} rounds")
        loops = train_bare(game), train_ours(game)
        pairs = [(loops[0](), loops[1]()) for _ in range(ROUNDS + 1)][1:]
        show("training, 1 environment", [ours / base for base, ours in pairs])
        speed = TRAIN_STEPS / statistics.median([ours for _, ours in pairs])
        print(f"  {'(runner, steps/s)':<46} {speed:,.0f}")
        rounds = [(evaluate_bare(game), evaluate_ours(game)) for _ in range(ROUNDS)]
        show("evaluation, a step of all 100 slots", [o[1] / b[1] for b, o in rounds])
        show("evaluation, 100 episodes", [o[2] / b[2] for b, o in rounds])
        show("evaluation, making and seeding 100 emulators", [o[0] / b[0] for b, o in rounds])


if __name__ == "__main__":
    main()
