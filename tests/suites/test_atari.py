"""The Atari suites: the fast engine is the plain Python reference, and streams are what we say."""

import numpy as np
import pytest
from support.atari_reference import FrameStack, RawSeedPreprocessing, raw_game, raw_word_noops

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.suites.atari import envs
from rlbench.suites.atari.envs import AtariEnvs, slot_seeds
from rlbench.suites.atari.games import GAMES


def make(name: str, game: str, num_envs: int, *, split: str = "train", **unofficial: int):
    suite = suites.get(name).make_unofficial(unofficial)
    return suite.make(suite.task(game), split=split, num_envs=num_envs, seed=3)


@pytest.mark.parametrize("name", ["atari100k", "atari100k-sticky", "atari100k-rgb64"])
@pytest.mark.parametrize("game", ["Breakout", "MsPacman"])
def test_the_engine_is_the_reference_bit_for_bit(name: str, game: str) -> None:
    """Two slots, with no-ops, over several episodes that end and are cut off."""
    cap, steps = 130, 400
    suite = suites.get(name).make_unofficial({"max_episode_steps": cap})
    task = suite.task(game)
    constants = suite.protocol_of(task).environment
    env = suite.make(task, split="train", num_envs=2, seed=3)
    seeds = slot_seeds(suite.stream(task, "train", 3), 2, "train")
    references = [
        FrameStack(
            RawSeedPreprocessing(
                raw_game(
                    game,
                    sticky=constants["sticky_actions"],
                    full_action_set=constants["full_action_set"],
                ),
                seed=int(seed),
                noops=raw_word_noops(int(seed), constants["noop_max"]),
                max_frames=cap * 4,
                grayscale_obs=constants["grayscale"],
                screen_size=constants["height"],
            )
        )
        for seed in seeds
    ]

    def shown(stack: np.ndarray) -> np.ndarray:
        return stack[-1] if constants["stack"] == 1 else stack

    obs, _ = env.reset()
    lives = []
    for slot, reference in enumerate(references):
        np.testing.assert_array_equal(obs[slot], shown(reference.reset()))
        lives.append(reference.lives)
    actions = np.random.default_rng(0).integers(env.single_action_space.n, size=(steps, 2))
    truncations = lost = 0
    for action in actions:
        obs, reward, terminated, truncated, info = env.step(action)
        for slot, reference in enumerate(references):
            stack, expected, is_terminal, is_cut = reference.step(int(action[slot]))
            assert (reward[slot], terminated[slot], truncated[slot]) == (
                expected,
                is_terminal,
                is_cut,
            )
            if is_terminal or is_cut:
                np.testing.assert_array_equal(info["final_obs"][slot], shown(stack))
                stack = reference.reset()
            elif constants["life_loss_signal"]:
                assert info["life_lost"][slot] == (reference.lives < lives[slot])
                lost += reference.lives < lives[slot]
            lives[slot] = reference.lives
            np.testing.assert_array_equal(obs[slot], shown(stack))
            truncations += is_cut
    assert truncations > 0
    assert lost > 0 or game != "Breakout" or not constants["life_loss_signal"]
    assert ("life_lost" in info) == constants["life_loss_signal"]
    assert obs.shape == (2, *env.single_observation_space.shape)
    assert obs.dtype == np.uint8
    assert reward.dtype == np.float64


def test_termination_is_met_by_the_engine_and_the_reference() -> None:
    """Breakout with FIRE alone loses its five lives soon: the end must be seen as one."""
    env = make("atari100k", "Breakout", 1)
    env.reset()
    ends = [bool(env.step(np.array([1]))[2][0]) for _ in range(400)]
    assert any(ends)


def test_streams_of_training_and_evaluation_share_nothing() -> None:
    suite = suites.get("atari100k")
    task = suite.task("Pong")
    seen: set[int] = set()
    for seed in range(50):
        for split in ("train", "eval"):
            seeds = slot_seeds(suite.stream(task, split, seed), 100, split)
            assert len(set(seeds)) == 100
            assert {int(s) % 2 for s in seeds} == {int(split == "eval")}
            assert seeds.max() < 2**31
            seen.update(map(int, seeds))
    assert len(seen) > 9_990


def test_a_slot_has_the_same_stream_however_many_there_are() -> None:
    stream = suites.get("atari100k").stream(suites.get("atari100k").task("Pong"), "eval", 0)
    np.testing.assert_array_equal(slot_seeds(stream, 5, "eval"), slot_seeds(stream, 50, "eval")[:5])


def test_the_environment_stream_does_not_depend_on_the_actions() -> None:
    """The no-ops of later episodes are the next words of the slot's stream, come what may."""
    starts = []
    for action in (0, 3):
        env = make("atari100k", "Pong", 1, max_episode_steps=20)
        _, info = env.reset()
        episode_starts = [int(info["start"][0])]
        for _ in range(100):
            _, _, _, truncated, info = env.step(np.array([action]))
            if truncated[0]:
                episode_starts.append(int(info["start"][0]))
        starts.append(episode_starts)
    assert starts[0] == starts[1]
    assert len(set(starts[0])) > 1


@pytest.mark.parametrize("name", ["atari100k", "atari100k-rgb64"])
def test_groups_and_threads_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suites.get(name).make_unofficial({"max_episode_steps": 25})
    task = suite.task("Boxing")
    seeds = slot_seeds(suite.stream(task, "train", 3), 5, "train")
    constants = suite.protocol_of(task).constants()
    traces = []
    for group, threads in ((1, 1), (3, 1), (5, 1), (5, 4)):
        monkeypatch.setattr(envs, "_GROUP", 5 if threads == 1 else 2)
        monkeypatch.setattr(envs, "usable_cpus", lambda threads=threads: threads)
        env = AtariEnvs(task.assets["rom"], constants, seeds, group=group)
        obs, info = env.reset()
        trace = [obs, info["start"]]
        actions = np.random.default_rng(1).integers(18, size=(60, 5))
        for action in actions:
            obs, reward, terminated, truncated, info = env.step(action)
            trace += [obs, reward, terminated, truncated, info["start"], info["life_lost"]]
            trace.append(info["final_obs"][terminated | truncated] if "final_obs" in info else obs)
        traces.append(trace)
    for trace in traces[1:]:
        for expected, found in zip(traces[0], trace, strict=True):
            np.testing.assert_array_equal(expected, found)


def test_retired_slots_leave_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envs, "_GROUP", 2)
    whole, partly = (make("atari100k", "Boxing", 6, split="eval") for _ in range(2))
    whole.reset()
    partly.reset()
    mask = np.array([False, False, True, True, True, False])
    partly.retire(mask)
    for action in np.random.default_rng(1).integers(18, size=(50, 6)):
        expected, found = whole.step(action), partly.step(action)
        for part in range(4):
            np.testing.assert_array_equal(expected[part][~mask], found[part][~mask])
    assert not found[1][2:4].any()


def test_observations_are_not_overwritten_by_later_steps() -> None:
    for count in (1, 6):
        env = make("atari100k", "Boxing", count)
        first, _ = env.reset()
        kept = first.copy()
        for _ in range(20):
            second, *_ = env.step(np.full(count, 2))
        assert (second != kept).any()
        np.testing.assert_array_equal(first, kept)


def test_a_seed_at_reset_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Suite\.make"):
        make("atari100k", "Pong", 1).reset(seed=1)


def test_another_rom_is_refused() -> None:
    with pytest.raises(UsageError, match="the protocol needs 0000"):
        envs.check_rom("pong", "0000")


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_every_game_has_the_rom_that_is_named(game) -> None:
    envs.check_rom(game.rom, game.rom_md5)
    assert game.human > game.random


def test_minimal_and_full_action_sets() -> None:
    assert make("atari100k", "Pong", 1).single_action_space.n == 6
    assert make("atari100k-sticky", "Pong", 1).single_action_space.n == 18
    assert isinstance(make("atari100k-rgb64", "Pong", 1), AtariEnvs)
