"""What the runner adds to a bare loop over the same AtariVectorEnv.

    python benchmarks/runner_overhead.py [GAME ...]

Both sides have the same seeds and draw their actions from the same random agent. They take turns
in one process, in short stretches, so that both meet the machine in the same state; the ratio
(runner / bare loop, wall time) is that of a pair of stretches, and the median is printed with the
quartiles.

- training: the runner's online loop with an agent that observes, its actions logged as for a run
  that can go on after an interruption, against `env.step` in a loop. Overhead is to stay below 5 %
  with one environment, and below 3 % with 64.
- a step of 100 slots: the runner's evaluation while all slots play, against steps of one
  AtariVectorEnv of 100 with as many threads as there are CPUs. Overhead is to stay below 5 %.
- 100 episodes: the whole evaluation. The bare loop steps all 100 until each has ended an episode;
  ours retires slots that are done. Making and seeding the emulators is not in it; the last line
  gives that.
- two runs on two cores: `run_all` with two workers, against two processes with a bare loop each;
  the ratio is that of the steps per second (runner / bare loop), both added up, to be .95 or more.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from time import perf_counter

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode, VectorEnv

from rlbench import suites
from rlbench.results import Store, identities
from rlbench.runners import (
    MeteredEnv,
    Progress,
    Run,
    Slot,
    TaskInfo,
    Transitions,
    evaluate,
    resolve,
    run_all,
)
from rlbench.runners.agents.random import RandomAgent
from rlbench.runners.loops.traces import TrainingTrace
from rlbench.runners.loops.training import Rollout, train_until
from rlbench.suites.atari.envs import slot_seeds

SUITE = suites.get("atari100k")
PAIRS = 120
STRETCH = 400
WHOLE_ROUNDS = 3
PARALLEL_ROUNDS = 5
PARALLEL_STEPS = 20_000
SLOTS = 100


class Observer(RandomAgent):
    """The random agent, which also takes delivery of what it could learn from."""

    def observe(self, batch: Transitions) -> None:
        self.last = batch


def info_for(env: VectorEnv) -> TaskInfo:
    return TaskInfo(
        suite=SUITE.id, task="", observation_space=env.single_observation_space,
        action_space=env.single_action_space, num_envs=1, budget=1, unit="steps",
        max_episode_steps=27_000, kind="online",
    )  # fmt: skip


def make_bare(game: str, split: str, num_envs: int) -> AtariVectorEnv:
    task = SUITE.task(game)
    env = AtariVectorEnv(
        task.assets["rom"], num_envs, num_threads=min(num_envs, os.cpu_count() or 1),
        autoreset_mode=AutoresetMode.SAME_STEP, reward_clipping=False, use_fire_reset=False,
    )  # fmt: skip
    env.reset(seed=slot_seeds(SUITE.stream(task, split, 0), num_envs, split))
    return env


def bare_steps(env: AtariVectorEnv, phase: str) -> Iterator[np.ndarray]:
    """Step for ever, yielding which slots ended an episode."""
    agent = RandomAgent(info_for(env), seed=0)
    obs, first = np.zeros(0), np.ones(env.num_envs, dtype=bool)
    while True:
        obs, _, terminated, truncated, _ = env.step(agent.act(obs, first, phase=phase))
        first = terminated | truncated
        yield first


def training_ratios(game: str, num_envs: int) -> tuple[list[float], float]:
    """Return the ratios, and the runner's steps per second."""
    bare = bare_steps(make_bare(game, "train", num_envs), "train")
    env = SUITE.make(SUITE.task(game), split="train", num_envs=num_envs, seed=0)
    meter = MeteredEnv(env, 10**9)
    agent = Observer(info_for(env), seed=0)
    rollout = Rollout(meter.reset()[0], np.ones(num_envs, dtype=np.bool_))
    progress, trace = Progress(), TrainingTrace(env.single_action_space, num_envs)
    stretch = max(10, STRETCH // num_envs)
    ratios, seconds = [], []
    for point in count(stretch * num_envs, stretch * num_envs):
        if len(ratios) == PAIRS:
            break
        started = perf_counter()
        for _ in train_until(agent, meter, rollout, point, progress, lambda: None, trace):
            pass
        middle = perf_counter()
        for _ in range(stretch):
            next(bare)
        ratios.append((middle - started) / (perf_counter() - middle))
        seconds.append(middle - started)
        trace.clear()
    env.close()
    return ratios[5:], stretch * num_envs / statistics.median(seconds)


def parallel_ratios(game: str) -> list[float]:
    """Return the ratios of two runs at a time to two bare loops at a time."""
    suite = SUITE.make_unofficial({"budget": PARALLEL_STEPS, "episodes": 1, "eval_envs": 1})
    ratios = []
    for _ in range(PARALLEL_ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            store.prepare()
            agent = resolve("random", {})
            wanted = identities(suite, [suite.task(game)], agent.id, range(2))
            runs = [
                Run(
                    identity=i,
                    agent=agent.recipe,
                    teacher=None,
                    store=folder,
                    device="cpu",
                    threads=1,
                    checkpoint_every=600.0,
                )
                for i in wanted
            ]
            run_all(runs, slots=[Slot()] * 2, listen=lambda _: None)
            records = store.load().records
        ours = sum(PARALLEL_STEPS / float(r.timing["seconds_train"]) for r in records)
        command = [sys.executable, __file__, "--bare", game]
        loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        bare = sum(PARALLEL_STEPS / float(loop.communicate()[0]) for loop in loops)
        ratios.append(ours / bare)
    return ratios


def print_bare_seconds(game: str) -> None:
    """Print the seconds of a bare loop, for `parallel_ratios`."""
    steps = bare_steps(make_bare(game, "train", 1), "train")
    next(steps)
    started = perf_counter()
    for _ in range(PARALLEL_STEPS):
        next(steps)
    print(perf_counter() - started)


def slot_step_ratios(game: str) -> list[float]:
    """Return the ratios of single vector steps while all slots play."""
    bare = bare_steps(make_bare(game, "eval", SLOTS), "eval")
    env = SUITE.make(SUITE.task(game), split="eval", num_envs=SLOTS, seed=0)
    ratios: list[float] = []
    since = perf_counter()

    def take_turns(finished: int) -> None:
        nonlocal since
        if finished == 0:
            middle = perf_counter()
            next(bare)
            ratios.append((middle - since) / (perf_counter() - middle))
        since = perf_counter()

    evaluate(RandomAgent(info_for(env), seed=0), env, episodes=SLOTS, progress=take_turns)
    env.close()
    return ratios[5:]


def whole_bare(game: str) -> tuple[float, float]:
    """Return the seconds to set up, and those for 100 episodes."""
    started = perf_counter()
    env = make_bare(game, "eval", SLOTS)
    ready = perf_counter()
    done = np.zeros(SLOTS, dtype=bool)
    for ended in bare_steps(env, "eval"):
        done |= ended
        if done.all():
            return ready - started, perf_counter() - ready
    raise AssertionError("steps go on for ever")


def whole_ours(game: str) -> tuple[float, float]:
    started = perf_counter()
    env = SUITE.make(SUITE.task(game), split="eval", num_envs=SLOTS, seed=0)
    stamps: list[float] = []
    agent = RandomAgent(info_for(env), seed=0)
    evaluate(agent, env, episodes=SLOTS, progress=lambda _: stamps.append(perf_counter()))
    env.close()
    # The first step ends in the first stamp and has the reset before it.
    ready = stamps[0] - (stamps[1] - stamps[0])
    return ready - started, stamps[-1] - ready


def show(name: str, ratios: list[float]) -> None:
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(f"  {name:<34} {middle:.3f}  ({low:.3f} to {high:.3f}, {len(ratios)} pairs)", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--bare"]:
        print_bare_seconds(sys.argv[2])
        return
    for game in sys.argv[1:] or ["Pong", "Breakout"]:
        print(f"{game}: runner / bare loop, median (quartiles)")
        ratios, speed = training_ratios(game, 1)
        show("training, 1 environment", ratios)
        show("training, 64 environments", training_ratios(game, 64)[0])
        show("two runs, steps per second", parallel_ratios(game))
        show("evaluation, a step of 100 slots", slot_step_ratios(game))
        pairs = [(whole_ours(game), whole_bare(game)) for _ in range(WHOLE_ROUNDS)]
        show("evaluation, 100 episodes", [ours[1] / bare[1] for ours, bare in pairs])
        show("making and seeding 100 emulators", [ours[0] / bare[0] for ours, bare in pairs])
        print(f"  runner, training: {speed:,.0f} steps/s")


if __name__ == "__main__":
    main()
