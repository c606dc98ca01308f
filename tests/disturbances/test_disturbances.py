"""Disturbances of any environment: what each does, and that its draws depend on nothing else."""

import hashlib
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlbench import suites
from rlbench.disturbances import (
    ActionCorruption,
    ActionDelay,
    Blackout,
    Crop,
    CyclicDrift,
    Disc,
    Disturbance,
    DisturbedEnv,
    DisturbedVectorEnv,
    FrameDrop,
    FrameFreeze,
    GaussianNoise,
    ObservationDelay,
    Occlusion,
    RewardDelay,
    RewardDrop,
    RewardNoise,
    SaltAndPepper,
    StickyActions,
    SuddenDrift,
    disturbance_of,
)
from rlbench.errors import UnknownName, UsageError

ONE_OF_EACH: list[Disturbance] = [
    ActionCorruption(0.5), StickyActions(0.5), ActionDelay(2), FrameDrop(0.5), FrameFreeze(0.3, 4),
    ObservationDelay(2), GaussianNoise(0.2), SaltAndPepper(0.2), Occlusion(0.4), Crop(0.25),
    Disc(0.35), Blackout(0.4), RewardNoise(1.0), RewardDrop(0.5), RewardDelay(3), SuddenDrift(5),
    CyclicDrift(4),
]  # fmt: skip
each = pytest.mark.parametrize("disturbance", ONE_OF_EACH, ids=lambda d: d.name)
SHAPES = [(8, 6), (8, 6, 3), (4, 8, 6), (4, 8, 6, 3)]


class Pictures(gymnasium.Env):
    """Grey pictures that tell the step; an episode has a length, or ends by action 9."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - as gymnasium has it

    def __init__(
        self, shape: tuple[int, ...] = (8, 6, 3), length: int = 20, box: Box | None = None
    ) -> None:
        self.observation_space = box or Box(0, 255, shape, np.uint8)
        self.action_space = Discrete(10)
        self.render_mode = "rgb_array"
        self.length = length
        self.executed: list[int] = []
        self.drawn = 0

    def _obs(self) -> np.ndarray:
        space = self.observation_space
        return np.full(space.shape, 100 + self.t % 150, dtype=space.dtype)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.executed.append(int(action))
        self.t += 1
        return self._obs(), float(self.t), bool(action == 9), self.t >= self.length, {}

    def render(self) -> Any:
        self.drawn += 1
        return np.full((8, 6, 3), self.t % 256, dtype=np.uint8)


def shown(env: gymnasium.Env, actions: Any) -> list[np.ndarray]:
    """Return the observations of the first episode."""
    out = [env.reset()[0]]
    for action in actions:
        obs, _, terminated, truncated, _ = env.step(action)
        out.append(obs)
        if terminated or truncated:
            break
    return out


def vector(
    lengths: list[int], disturbance: Disturbance, seed: Any = 0, **kwargs: Any
) -> DisturbedVectorEnv:
    made = [lambda length=length: Pictures(length=length, **kwargs) for length in lengths]
    env = SyncVectorEnv(made, autoreset_mode=AutoresetMode.SAME_STEP)
    return DisturbedVectorEnv(env, disturbance, seed=seed)


def trace(env: gymnasium.Env, steps: int = 50, act: int | None = None) -> str:
    """Return a checksum of all that comes of some steps, over episodes."""
    digest = hashlib.sha256(env.reset()[0].tobytes())
    generator = np.random.default_rng(1)
    for _ in range(steps):
        action = generator.integers(9) if act is None else act
        obs, reward, terminated, truncated, _ = env.step(action)
        digest.update(obs.tobytes() + repr((reward, terminated, truncated)).encode())
        digest.update(bytes(env.unwrapped.executed[-1:]))
        if terminated or truncated:
            digest.update(env.reset()[0].tobytes())
    return digest.hexdigest()


def test_there_is_one_of_each() -> None:
    assert [type(d) for d in ONE_OF_EACH] == list(get_args(Disturbance))
    assert len({d.name for d in ONE_OF_EACH}) == 17


# --- Actions.


def test_corrupted_actions_are_drawn_from_all_with_the_probability() -> None:
    env = Pictures(length=10**6)
    disturbed = DisturbedEnv(env, ActionCorruption(0.3))
    disturbed.reset()
    for _ in range(4000):
        disturbed.step(5)
    counts = np.bincount(env.executed, minlength=10)
    assert counts[5] / 4000 == pytest.approx(0.73, abs=0.03)
    assert (np.delete(counts, 5) / 4000) == pytest.approx(np.full(9, 0.03), abs=0.012)


def test_sticky_actions_repeat_what_was_executed_not_what_was_wanted() -> None:
    env = Pictures(length=10**6)
    disturbed = DisturbedEnv(env, StickyActions(0.5))
    disturbed.reset()
    wanted = [k % 9 for k in range(2000)]
    for action in wanted:
        disturbed.step(action)
    repeats = [a == b for a, b in pairwise(env.executed)]
    assert env.executed[0] == 0
    assert np.mean(repeats) == pytest.approx(0.5, abs=0.05)
    for k in range(1, 2000):
        assert env.executed[k] in (wanted[k], env.executed[k - 1])


def test_delayed_actions_come_later_and_none_is_carried_into_the_next_episode() -> None:
    env = Pictures(length=6)
    disturbed = DisturbedEnv(env, ActionDelay(2))
    for _ in range(2):
        shown(disturbed, [1, 2, 3, 4, 5, 6])
    assert env.executed == [0, 0, 1, 2, 3, 4] * 2


def test_delayed_continuous_actions_are_zeros_first_and_later_changes_do_not_reach_them() -> None:
    seen = []
    env = gymnasium.wrappers.TransformAction(
        gymnasium.make("Pendulum-v1"),
        lambda a: seen.append(np.array(a)) or a,
        Box(-2, 2, (1,), np.float32),
    )
    disturbed = DisturbedEnv(env, ActionDelay(1))
    disturbed.reset(seed=0)
    action = np.zeros(1, dtype=np.float32)
    for value in (1.0, 1.5, 2.0):
        action[0] = value
        disturbed.step(action)
    assert [float(a[0]) for a in seen] == [0.0, 1.0, 1.5]


# --- Observations.


def test_lost_frames_show_the_last_one_that_came() -> None:
    frames = [
        int(p[0, 0, 0]) - 100 for p in shown(DisturbedEnv(Pictures(), FrameDrop(0.5)), [0] * 20)
    ]
    assert frames[0] == 0
    assert all(new in (t, old) for t, (old, new) in enumerate(pairwise(frames), 1))
    assert 4 <= len(set(frames)) <= 17


def test_a_freeze_holds_for_its_steps() -> None:
    env = DisturbedEnv(Pictures(length=149), FrameFreeze(0.1, 4))
    frames = [int(p[0, 0, 0]) - 100 for p in shown(env, [0] * 149)]
    held = [frames.count(value) - 1 for value in sorted(set(frames))]
    assert {count % 4 for count in held[:-1]} == {0}
    assert 4 in held


def test_observations_come_late_and_the_first_one_stands_in() -> None:
    env = DisturbedEnv(Pictures(length=6), ObservationDelay(2))
    for _ in range(2):
        assert [int(p[0, 0, 0]) - 100 for p in shown(env, [0] * 6)] == [0, 0, 0, 1, 2, 3, 4]


def test_noise_has_its_deviation_and_stays_in_range() -> None:
    shape = (64, 64, 3)
    obs = shown(DisturbedEnv(Pictures(shape), GaussianNoise(0.1)), [])[0]
    assert obs.dtype == np.uint8
    assert obs.mean() == pytest.approx(100, abs=1)
    assert obs.std() == pytest.approx(25.5, rel=0.03)
    wild = shown(DisturbedEnv(Pictures(shape), GaussianNoise(3.0)), [])[0]
    assert (wild == 0).mean() > 0.3
    assert (wild == 255).mean() > 0.3
    floats = Pictures(box=Box(0.0, 200.0, shape, np.float32))
    noisy = shown(DisturbedEnv(floats, GaussianNoise(0.1)), [])[0]
    assert noisy.dtype == np.float32
    assert noisy.std() == pytest.approx(20, rel=0.03)
    assert len(np.unique(noisy)) > 5000


def test_salt_and_pepper_takes_its_share_of_pixels_with_all_their_colours() -> None:
    obs = shown(DisturbedEnv(Pictures((100, 100, 3)), SaltAndPepper(0.1)), [])[0]
    assert (obs == obs[:, :, :1]).all()
    assert (obs == 0).mean() == pytest.approx(0.05, abs=0.01)
    assert (obs == 255).mean() == pytest.approx(0.05, abs=0.01)
    assert (obs == 100).mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_square_is_whole_and_moves(shape: tuple[int, ...]) -> None:
    frames = shown(DisturbedEnv(Pictures(shape), Occlusion(0.4)), [0] * 19)
    places = set()
    for t, obs in enumerate(frames):
        black = obs.reshape(-1, 8, 6, 3 if shape[-1] == 3 else 1) == 0
        assert (black == black[:1, :, :, :1]).all()
        rows, columns = np.nonzero(black[0, :, :, 0])
        assert len(rows) == 9  # a side of round(.4 x 8)
        assert (np.ptp(rows), np.ptp(columns)) == (2, 2)
        assert (obs[obs != 0] == 100 + t).all()
        places.add((rows[0], columns[0]))
    assert len(places) > 8


@pytest.mark.parametrize("shape", SHAPES)
def test_the_left_is_cropped(shape: tuple[int, ...]) -> None:
    obs = shown(DisturbedEnv(Pictures(shape), Crop(0.5)), [])[0]
    frames = obs.reshape(-1, 8, 6, 3 if shape[-1] == 3 else 1)
    assert not frames[:, :, :3].any()
    assert (frames[:, :, 3:] == 100).all()


def test_only_a_disc_is_seen() -> None:
    """Against its definition; the middle is in the picture, the disc may reach over its edge."""
    frames = shown(DisturbedEnv(Pictures((20, 30)), Disc(0.2)), [0] * 20)
    y, x = np.mgrid[:20, :30]
    middles = set()
    for obs in frames:
        lit = obs != 0
        fits = [
            (b, a)
            for b in range(20)
            for a in range(30)
            if (lit == ((y - b) ** 2 + (x - a) ** 2 <= 16)).all()
        ]
        assert len(fits) == 1
        middles.update(fits)
    assert len(middles) > 15


def test_a_blackout_hides_all() -> None:
    frames = shown(DisturbedEnv(Pictures((8, 6), length=149), Blackout(0.3)), [0] * 149)
    dark = [not obs.any() for obs in frames]
    assert all(dark[t] or (obs == 100 + t).all() for t, obs in enumerate(frames))
    assert np.mean(dark) == pytest.approx(0.3, abs=0.12)


def test_drifts_come_in_their_steps() -> None:
    for disturbance, dark in (
        (SuddenDrift(5), [False] * 5 + [True] * 8),
        (CyclicDrift(4), [False] * 4 + [True] * 4 + [False] * 4 + [True]),
    ):
        env = DisturbedEnv(Pictures(length=12), disturbance)
        for _ in range(2):
            frames = shown(env, [0] * 12)
            assert [not obs[:, :3].any() for obs in frames] == dark
            assert all(obs[:, 3:].all() for obs in frames)


def test_black_is_the_lower_end_of_the_range() -> None:
    env = Pictures(box=Box(-1.0, 300.0, (8, 6, 3), np.float32))
    obs = shown(DisturbedEnv(env, Crop(0.5)), [])[0]
    assert (obs[:, :3] == -1.0).all()


# --- Rewards.


def rewards(disturbance: Disturbance, length: int = 6) -> list[float]:
    env = DisturbedEnv(Pictures(length=length), disturbance)
    env.reset()
    return [env.step(0)[1] for _ in range(length)]


def test_delayed_rewards_are_all_paid_by_the_end() -> None:
    assert rewards(RewardDelay(2)) == [0, 0, 1, 2, 3, 4 + 5 + 6]
    assert rewards(RewardDelay(80)) == [0, 0, 0, 0, 0, 21]


def test_dropped_and_noisy_rewards() -> None:
    paid = np.array(rewards(RewardDrop(0.25), 1000))
    true = np.arange(1.0, 1001.0)
    assert set(paid[paid != true]) == {0.0}
    assert np.mean(paid == 0) == pytest.approx(0.25, abs=0.05)
    factors = np.array(rewards(RewardNoise(0.5), 2000)) / np.arange(1, 2001)
    assert factors.mean() == pytest.approx(1.0, abs=0.05)
    assert factors.std() == pytest.approx(0.5, rel=0.06)


# --- Randomness.


@each
def test_the_same_seed_gives_the_same_in_another_process(disturbance: Disturbance) -> None:
    env = DisturbedEnv(Pictures(), disturbance, seed=7)
    assert trace(env) != trace(Pictures())
    found = trace(DisturbedEnv(Pictures(), disturbance, seed=7))
    if disturbance in (ActionCorruption(0.5), Disc(0.35), RewardNoise(1.0)):
        code = (
            "import importlib.util as u; "
            f"s = u.spec_from_file_location('t', {__file__!r}); m = u.module_from_spec(s); "
            "s.loader.exec_module(m); "
            f"print(m.trace(m.DisturbedEnv(m.Pictures(), m.{disturbance!r}, seed=7)))"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert out.stdout.strip() == found, out.stderr


@each
def test_another_seed_gives_something_else_where_something_is_drawn(
    disturbance: Disturbance,
) -> None:
    fixed = (ActionDelay, ObservationDelay, Crop, RewardDelay, SuddenDrift, CyclicDrift)
    env, other = (DisturbedEnv(Pictures(length=9**5), disturbance, seed=seed) for seed in (7, 8))
    acts = isinstance(disturbance, ActionCorruption | StickyActions | ActionDelay)
    generator = np.random.default_rng(0)
    env.reset(), other.reset()
    differ = False
    for _ in range(60):
        action = int(generator.integers(9))
        (a, r, *_), (b, q, *_) = env.step(action), other.step(action)
        differ |= r != q or (a != b).any()
    differ |= acts and env.unwrapped.executed != other.unwrapped.executed
    assert differ != isinstance(disturbance, fixed)


@each
def test_a_slot_sees_the_same_however_many_there_are(disturbance: Disturbance) -> None:
    lengths = [5, 7, 11, 20, 3, 9, 13, 4]
    few, many = vector(lengths[:3], disturbance), vector(lengths, disturbance)
    np.testing.assert_array_equal(few.reset()[0], many.reset()[0][:3])
    for actions in np.random.default_rng(0).integers(9, size=(40, 8)):
        found, expected = few.step(actions[:3]), many.step(actions)
        for part in range(4):
            np.testing.assert_array_equal(found[part], expected[part][:3])
        for i in np.flatnonzero(found[2] | found[3]):
            np.testing.assert_array_equal(found[4]["final_obs"][i], expected[4]["final_obs"][i])


@each
def test_slot_0_is_the_single_environment(disturbance: Disturbance) -> None:
    """Over episodes that end in both ways, with their final observations."""
    env = DisturbedEnv(Pictures(length=12), disturbance, seed=3)
    slots = vector([12, 5], disturbance, seed=3)
    obs, _ = env.reset()
    np.testing.assert_array_equal(slots.reset()[0][0], obs)
    ends = set()
    for action in np.random.default_rng(4).integers(10, size=100):
        obs, reward, terminated, truncated, _ = env.step(action)
        all_obs, all_rewards, all_terminated, all_truncated, info = slots.step([action, 0])
        assert (all_rewards[0], all_terminated[0], all_truncated[0]) == (
            reward, terminated, truncated,
        )  # fmt: skip
        if terminated or truncated:
            ends.add((terminated, truncated))
            np.testing.assert_array_equal(info["final_obs"][0], obs)
            obs, _ = env.reset()
        np.testing.assert_array_equal(all_obs[0], obs)
    assert len(ends) > 1 or disturbance.stage == "action"


@pytest.mark.parametrize(
    "disturbance",
    [d for d in ONE_OF_EACH if d.stage == "observation"],
    ids=lambda d: d.name,
)
def test_masks_depend_on_episode_and_step_alone(disturbance: Disturbance) -> None:
    """One agent plays episodes of 20 steps, the other's end early: what both see is alike."""
    seen: list[dict[tuple[int, int], np.ndarray]] = []
    for policy in (0, 1):
        env = DisturbedEnv(Pictures(length=20), disturbance, seed=5)
        pictures = {}
        for episode in range(4):
            actions = [0] * 20 if policy == 0 else [1] * (4 + 3 * episode) + [9]
            for t, obs in enumerate(shown(env, actions)):
                pictures[episode, t] = obs
        seen.append(pictures)
    common = seen[0].keys() & seen[1].keys()
    assert len(common) == sum(6 + 3 * episode for episode in range(4))
    for key in common:
        np.testing.assert_array_equal(seen[0][key], seen[1][key])


@pytest.mark.parametrize("disturbance", [ActionCorruption(0.4), StickyActions(0.4)])
def test_when_actions_are_disturbed_does_not_depend_on_them(disturbance: Disturbance) -> None:
    """Two agents whose actions never agree: the same steps are theirs or not theirs."""
    executed = []
    for wanted in (3, 4):
        env = Pictures(length=10**6)
        disturbed = DisturbedEnv(env, disturbance, seed=1)
        disturbed.reset()
        for t in range(300):
            disturbed.step(wanted + 2 * (t % 2))
        executed.append(np.array(env.executed))
    if isinstance(disturbance, StickyActions):
        np.testing.assert_array_equal(executed[0] + 1, executed[1])
    else:
        both = executed[0] == executed[1]
        assert 0.3 < both.mean() < 0.5
        assert (executed[1] - executed[0])[~both].min() == 1


def test_rendering_changes_nothing_and_is_passed_through() -> None:
    traces = []
    for renders in (False, True):
        env = DisturbedEnv(Pictures(), GaussianNoise(0.1))
        frames = [env.reset()[0]]
        for t in range(10):
            frames.append(env.step(0)[0])
            if renders:
                assert (env.render() == t + 1).all()
        traces.append(frames)
    np.testing.assert_array_equal(*traces)
    with SyncVectorEnvOfOne() as slots:
        slots.reset()
        slots.step(np.array([0]))
        assert (slots.render()[0] == 1).all()


class SyncVectorEnvOfOne:
    """One slot that is closed after use."""

    def __enter__(self) -> DisturbedVectorEnv:
        self.env = vector([20], Crop(0.5))
        return self.env

    def __exit__(self, *_: object) -> None:
        self.env.close()


def test_a_seed_at_reset_begins_again() -> None:
    env = DisturbedEnv(gymnasium.make("Pendulum-v1"), GaussianNoise(0.1), seed=2)
    action = np.zeros(1, dtype=np.float32)
    runs = []
    for _ in range(2):
        first, _ = env.reset(seed=4)
        runs.append([first, *(env.step(action)[0] for _ in range(10))])
    np.testing.assert_array_equal(*runs)
    assert (env.reset()[0] != runs[0][0]).any()
    slots = vector([20, 20], Disc(0.3))
    expected = slots.reset(seed=1)[0]
    assert (slots.reset()[0] != expected).any()
    np.testing.assert_array_equal(slots.reset(seed=1)[0], expected)


def test_two_disturbances_over_each_other_draw_apart() -> None:
    """The same seed does not make the steps of the one those of the other."""
    dark, lost = (
        [(obs != 100 + t).any() for t, obs in enumerate(shown(env, [0] * 149))]
        for env in (
            DisturbedEnv(Pictures(length=149), Blackout(0.5)),
            DisturbedEnv(Pictures(length=149), FrameDrop(0.5)),
        )
    )
    assert np.mean(np.equal(dark, lost)) == pytest.approx(0.5, abs=0.15)
    both = DisturbedEnv(DisturbedEnv(Pictures(length=149), Blackout(0.5)), FrameDrop(0.5))
    frames = shown(both, [0] * 149)
    for t, (is_dark, is_lost) in enumerate(zip(dark, lost, strict=True)):
        if not is_lost:
            assert (not frames[t].any()) == is_dark


def test_observations_are_not_overwritten_and_the_environments_own_are_left_alone() -> None:
    for disturbance in ONE_OF_EACH:
        env = DisturbedEnv(Pictures(), disturbance)
        first, _ = env.reset()
        kept = first.copy()
        first_again = first
        for _ in range(10):
            obs, *_ = env.step(0)
            if obs is not first_again:
                obs[...] = 7
        np.testing.assert_array_equal(first, kept)
        assert not (env.step(0)[0] == 7).any()


# --- Environments that there are.


@pytest.mark.parametrize(
    "disturbance",
    [d for d in ONE_OF_EACH if not isinstance(d, SaltAndPepper | Occlusion | Disc)],
    ids=lambda d: d.name,
)
@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
def test_vectors_of_gymnasium(name: str, disturbance: Disturbance) -> None:
    env = DisturbedEnv(gymnasium.make(name), disturbance, seed=1)
    env.action_space.seed(0)
    obs, _ = env.reset(seed=0)
    for _ in range(40):
        assert obs.dtype == np.float32
        assert obs.shape == env.observation_space.shape
        assert np.isfinite(obs).all()
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            obs, _ = env.reset()


def test_noise_on_entries_without_bounds_is_in_their_own_unit() -> None:
    noisy = DisturbedEnv(gymnasium.make("CartPole-v1"), GaussianNoise(0.5))
    drawn = np.array([noisy.reset(seed=None)[0] for _ in range(800)])
    assert drawn[:, 1].std() == pytest.approx(0.5, rel=0.1)  # of velocities, without bounds
    assert drawn[:, 0].std() > 2.5  # of a range of 9.6, clipped at both ends
    assert np.abs(drawn[:, 0]).max() == np.float32(4.8)


@pytest.fixture(scope="module", params=["atari100k", "atari100k-rgb64"])
def game(request: pytest.FixtureRequest) -> Any:
    suite = suites.get(request.param).make_unofficial({"max_episode_steps": 6})
    return suite.make(suite.task("Breakout"), split="train", num_envs=3, seed=0)


@each
def test_real_games_under_each(game: Any, disturbance: Disturbance) -> None:
    """Grey and stacked or in colour: spaces, flags and info are those of the game."""
    env = DisturbedVectorEnv(game, disturbance, seed=0)
    obs, info = env.reset()
    assert "start" in info
    ends = 0
    for t in range(14):
        obs, reward, _, truncated, info = env.step(np.full(3, t % 4))
        assert obs.shape == env.observation_space.shape
        assert (obs.dtype, reward.dtype) == (np.uint8, np.float64)
        assert "life_lost" in info
        assert ("final_obs" in info) == truncated.any()
        ends += truncated.sum()
    assert ends == 6


def test_retired_slots_stop_and_leave_the_others_alone() -> None:
    suite = suites.get("atari100k-rgb64").make_unofficial({"max_episode_steps": 6})
    games = [suite.make(suite.task("Pong"), split="eval", num_envs=7, seed=0) for _ in range(2)]
    whole, partly = (DisturbedVectorEnv(game, Disc(0.3), seed=0) for game in games)
    mask = np.array([False, True, False, False, False, True, True])
    whole.reset(), partly.reset()
    partly.retire(mask)
    for _ in range(15):
        expected, found = (env.step(np.full(7, 2)) for env in (whole, partly))
        for part in range(4):
            np.testing.assert_array_equal(found[part][~mask], expected[part][~mask])
    assert games[1]._running == [0]
    vector([5, 5], Disc(0.3)).retire(np.array([True, False]))  # an environment without retire


# --- What does not fit.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianNoise(-0.1), "sd of GaussianNoise must be 0 or more: -0.1"),
        (lambda: StickyActions(1.1), r"probability of StickyActions must be in \[0, 1\]: 1.1"),
        (lambda: Occlusion(float("nan")), r"side of Occlusion must be in \[0, 1\]: nan"),
        (lambda: ActionDelay(0), "steps of ActionDelay must be a whole number from 1 on: 0"),
        (lambda: RewardDelay(1.5), "whole number from 1 on: 1.5"),  # type: ignore[arg-type]
    ],
)
def test_parameters_out_of_range(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(
    ("name", "disturbance", "message"),
    [
        ("CartPole-v1", Disc(0.3), r"Disc needs pictures .* have the shape \(4,\)"),
        ("CartPole-v1", SaltAndPepper(0.3), "SaltAndPepper needs pictures"),
        ("FrozenLake-v1", Crop(0.3), r"Crop needs observations of a Box, not Discrete\(16\)"),
    ],
)
def test_a_disturbance_that_does_not_fit_the_spaces(
    name: str, disturbance: Disturbance, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        DisturbedEnv(gymnasium.make(name), disturbance)


def test_action_spaces_that_do_not_fit() -> None:
    env = Pictures()
    env.action_space = Box(-np.inf, np.inf, (2,), np.float32)
    with pytest.raises(UsageError, match="from a bounded Box of floats"):
        DisturbedEnv(env, ActionCorruption(0.1))
    DisturbedEnv(env, StickyActions(0.1))
    env.action_space = gymnasium.spaces.MultiDiscrete([2, 2])
    with pytest.raises(UsageError, match="needs Discrete or Box actions"):
        DisturbedEnv(env, StickyActions(0.1))
    DisturbedEnv(env, Crop(0.1))


def test_pictures_without_one_range_have_no_black() -> None:
    low = np.zeros((8, 6))
    low[0, 0] = -1
    env = Pictures(box=Box(low, np.ones((8, 6)), dtype=np.float64))
    with pytest.raises(UsageError, match="whose pixels have one range"):
        DisturbedEnv(env, Crop(0.1))


def test_other_ways_to_reset_are_refused() -> None:
    next_step = SyncVectorEnv([Pictures], autoreset_mode=AutoresetMode.NEXT_STEP)
    with pytest.raises(UsageError, match=r"SAME_STEP, not AutoresetMode\.NEXT_STEP"):
        DisturbedVectorEnv(next_step, Crop(0.1))
    with pytest.raises(UsageError, match="leave reset_mask out"):
        vector([5, 5], Crop(0.1)).reset(options={"reset_mask": np.array([True, False])})


def test_disturbances_by_name() -> None:
    assert disturbance_of("sticky", 0.5, 0) == StickyActions(0.5)
    assert disturbance_of("action-delay", 0.0, 4) == ActionDelay(4)
    assert disturbance_of("cyclic-drift", 0.5, 250) == CyclicDrift(250, 0.5)
    with pytest.raises(UnknownName, match="Did you mean 'sticky'"):
        disturbance_of("stickky", 0.5, 0)


def test_the_example_in_the_guide_runs() -> None:
    text = (Path(__file__).parents[2] / "docs/disturbances.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.S)
    subprocess.run([sys.executable, "-c", block], check=True)
    for mode in get_args(Disturbance):
        assert f"`{mode.__name__}`" in text


@each
@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pendulum's own actions are not in [-1, 1]
def test_gymnasium_finds_nothing_wrong(name: str, disturbance: Disturbance) -> None:
    plain = gymnasium.make(name, disable_env_checker=True)
    if isinstance(disturbance, SaltAndPepper | Occlusion | Disc):
        with pytest.raises(UsageError, match="needs pictures"):
            DisturbedEnv(plain, disturbance)
        return
    env = DisturbedEnv(plain, disturbance, seed=3)
    check_env(env, skip_render_check=True)
    assert env.spec is not None
    assert env.spec.additional_wrappers[-1].kwargs == {"disturbance": disturbance, "seed": 3}
