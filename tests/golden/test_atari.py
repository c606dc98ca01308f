"""Every case of `atari_preproc`, bit for bit.

The cases of ale-py's vector environment, and those of gymnasium's wrappers that do the same, are
replayed by the suite's engine. All cases are replayed by gymnasium's wrappers, some of them with
a raw seed.
"""

import zlib
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import AtariPreprocessing
from support.atari_reference import FrameStack, RawSeedPreprocessing, raw_game
from support.golden import content

from rlbench import suites
from rlbench.suites.atari.envs import AtariEnvs

Row = list[Any]

SAME_AS_OURS = {"alevec_noop0", "gym_noop0", "gym_rawaleseed_noop0"}
RAW_SEED = {"alevec_noop0", "gym_rawaleseed_noop0", "envpool_noop1"}


def seed_of(traces: dict[str, dict[str, list[Row]]]) -> int:
    """Find the seed: the actions are those of default_rng(seed), and meta names the seeds."""
    case = traces["Pong:gray84"]["alevec_noop0"]
    recorded = [(k - 1, row[0]) for k, row in enumerate(case) if row[0] != "R"]
    for seed in range(1000):
        actions = np.random.default_rng(seed).integers(6, size=len(case) - 1)
        if all(actions[k] == action for k, action in recorded):
            return seed
    raise AssertionError("the golden file's actions belong to no seed below 1000")


def row(
    action: Any, stack: np.ndarray, reward: float, terminated: bool, truncated: bool, lives: int
) -> Row:
    def crc(array: np.ndarray) -> int:
        return zlib.crc32(np.ascontiguousarray(array).tobytes())

    ends = [int(terminated), int(truncated)]
    return [action, crc(stack), crc(stack[-1]), float(reward), *ends, int(lives)]


def replay_with_ours(game: str, kind: str, seed: int, case: list[Row]) -> list[Row]:
    """Replay with the suite's engine, whose step holds an end's row and the reset row after it."""
    suite = suites.get("atari100k")
    task = suite.task(game)
    side = 64 if kind == "rgb64" else 84
    constants = {
        **suite.constants(task),
        "sticky_actions": 0.25 if kind == "sticky" else 0.0,
        "noop_max": 0,
        "grayscale": kind != "rgb64",
        "height": side,
        "width": side,
    }
    env = AtariEnvs(task.assets["rom"], constants, np.array([seed]))
    obs, _ = env.reset()
    rows = [row("R", obs[0], 0.0, False, False, env._lives[0])]
    while len(rows) < len(case):
        action = case[len(rows)][0]
        obs, reward, terminated, truncated, info = env.step(np.array([action]))
        ended = terminated[0] or truncated[0]
        shown = info["final_obs"] if ended else obs
        # The engine reports the lives after the reset; a game that is over has none.
        lives = 0 if terminated[0] else env._lives[0]
        rows.append(row(action, shown[0], reward[0], terminated[0], truncated[0], lives))
        if ended:
            rows.append(row("R", obs[0], 0.0, False, False, env._lives[0]))
    env.close()
    return rows[: len(case)]


def replay_with_gymnasium(
    raw: gym.Env, kind: str, engine: str, seed: int, case: list[Row]
) -> list[Row]:
    """Replay with wrappers around a game, which the seed puts back to its beginning."""
    picture = {"grayscale_obs": kind != "rgb64", "screen_size": 64 if kind == "rgb64" else 84}
    noops = 1 if engine.endswith("noop1") else 0
    is_envpool = engine == "envpool_noop1"
    if engine in RAW_SEED:
        env: AtariPreprocessing = RawSeedPreprocessing(
            raw, seed=seed, noops=lambda: noops, draw_end=is_envpool, **picture
        )
    else:
        env = AtariPreprocessing(raw, noop_max=noops, **picture)
    stack = FrameStack(env, repeat_first=is_envpool)
    rows: list[Row] = []
    for recorded in case:
        action = recorded[0]
        if action == "R":
            obs = stack.reset(**({} if rows else {"seed": seed}))
            rows.append(row("R", obs, 0.0, False, False, stack.lives))
        else:
            obs, reward, terminated, truncated = stack.step(action)
            rows.append(row(action, obs, reward, terminated, truncated, stack.lives))
    return rows


def test_every_case_is_replayed_bit_for_bit(golden: Path) -> None:
    traces = content("atari_preproc", golden)["traces"]
    seed = seed_of(traces)
    replayed = 0
    for name, engines in traces.items():
        game, kind = name.split(":")
        raw = raw_game(game, sticky=0.25 if kind == "sticky" else 0.0)
        ours: list[list[Row]] = []  # some engines' cases are equal
        for engine, case in engines.items():
            assert replay_with_gymnasium(raw, kind, engine, seed, case) == case, (name, engine)
            if engine in SAME_AS_OURS and case not in ours:
                ours.append(case)
                assert replay_with_ours(game, kind, seed, case) == case, (name, engine)
                replayed += 1
    assert replayed >= len(traces)
