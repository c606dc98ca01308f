"""Families of DeepMind Control: physics of models edited by hand, and evaluations as stated."""

import subprocess
import sys
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support.dm_control import flat, load

pytest.importorskip("mujoco")
pytest.importorskip("dm_control")

import mujoco

from rlbench import suites
from rlbench.disturbances import DisturbedVectorEnv
from rlbench.errors import UsageError
from rlbench.runners.check.suites import check_suite
from rlbench.suites.dmc import physics
from rlbench.suites.dmc.engine import Simulations
from rlbench.suites.dmc.envs import ControlEnvs
from rlbench.suites.dmc.families import FACTORS
from rlbench.suites.dmc.physics import Region
from rlbench.suites.stori.stori26 import STRENGTHS

HIDDEN, VISIBLE = suites.get("dmc-context"), suites.get("dmc-context-visible")
TRANSFER, FREQUENCY = suites.get("dmc-transfer"), suites.get("dmc-frequency")
PIXELS = suites.get("dmc-transfer-vision")
TASKS = [task.name for task in HIDDEN.tasks]
SEEDS = np.array([5, 2**30 + 1])
OUTSIDE = Region(0.75, 1.0)
REGIONS = {"train": (0.0, 0.5), "inside": (0.0, 0.5), "edge": (0.5, 0.75), "outside": (0.75, 1.0)}
FIELDS = ("qpos", "qvel", "act", "qacc_warmstart", "sensordata")


def constants(suite: suites.Suite = HIDDEN, **changed: Any) -> dict[str, Any]:
    return {**suite.constants(suite.tasks[0]), **changed}


class ByHand:
    """dm_control's environment of a task, whose model is edited by hand."""

    def __init__(self, task: str, seed: int) -> None:
        self.env = load(task, seed)
        model = self.env.physics.model
        self.kept = {
            name: np.array(getattr(model, name))
            for name in ("body_mass", "body_inertia", "geom_friction", "dof_damping")
        }
        self.gain, self.gravity = np.array(model.actuator_gainprm), np.array(model.opt.gravity)

    def edit(
        self, mass: float, friction: float, damping: float, gain: float, gravity: float
    ) -> None:
        """Multiply what the model was compiled with."""
        model, data = self.env.physics.model, self.env.physics.data
        model.body_mass[:] = self.kept["body_mass"] * mass
        model.body_inertia[:] = self.kept["body_inertia"] * mass
        model.geom_friction[:] = self.kept["geom_friction"] * friction
        model.dof_damping[:] = self.kept["dof_damping"] * damping
        model.actuator_gainprm[:] = self.gain * gain
        model.opt.gravity[:] = self.gravity * gravity
        mujoco.mj_setConst(model.ptr, data.ptr)


def compare(simulations: Simulations, oracles: list[ByHand], steps: int) -> None:
    """Compare starts and steps bit for bit; observations and rewards up to 1e-12."""
    rng = np.random.default_rng(0)
    low, high = simulations.control_range.T
    for slot, oracle in enumerate(oracles):
        begun = simulations.reset(slot)
        if simulations.contexts is not None:
            oracle.edit(*np.exp2(simulations.contexts.now[slot]))
        close(begun, flat(oracle.env.reset().observation))
        for field in FIELDS:
            found = getattr(simulations.scene.data, field)
            np.testing.assert_array_equal(found, getattr(oracle.env.physics.data, field))
    for _ in range(steps):
        controls = rng.uniform(low, high, (len(oracles), len(low)))
        rewards, obs = simulations.step(controls), simulations.observe()
        for slot, oracle in enumerate(oracles):
            step = oracle.env.step(controls[slot])
            for field in FIELDS:
                found = simulations.batch.bind(field)[slot]
                np.testing.assert_array_equal(found, getattr(oracle.env.physics.data, field))
            close(obs[slot], flat(step.observation))
            close(rewards[slot], step.reward)
    simulations.check()


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_contexts_are_the_physics_of_a_model_edited_by_hand(task: str) -> None:
    """Three episodes in each of two slots, of contexts far from dm_control's own."""
    simulations = Simulations(task, SEEDS, region=OUTSIDE)
    oracles = [ByHand(task, int(seed)) for seed in SEEDS]
    for _ in range(3):
        compare(simulations, oracles, steps=20)
    for slot, oracle in enumerate(oracles):
        batched, edited = simulations.batch.get_model(slot), oracle.env.physics.model.ptr
        for name in filter(lambda name: not name.startswith("_"), dir(edited)):
            if isinstance(getattr(edited, name), np.ndarray):
                np.testing.assert_array_equal(getattr(batched, name), getattr(edited, name))
        np.testing.assert_array_equal(batched.opt.gravity, edited.opt.gravity)
        assert batched.stat.meaninertia == edited.stat.meaninertia


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("task", TASKS)
def test_changed_physics_are_those_of_a_model_edited_by_hand(task: str, factor: str) -> None:
    factors = {**dict.fromkeys(FACTORS, 1.0), factor: 0.67}
    oracle = ByHand(task, 5)
    oracle.edit(**factors)
    simulations = Simulations(task, SEEDS[:1], factors=tuple(factors.values()))
    compare(simulations, [oracle], steps=30)
    same = Simulations(task, SEEDS[:1])
    same.reset(0)
    rng = np.random.default_rng(0)
    for _ in range(30):
        same.step(rng.uniform(*same.control_range.T, (1, len(same.control_range))))
    alike = np.array_equal(same.batch.bind("qpos"), simulations.batch.bind("qpos"))
    # Cartpole touches nothing; of the ball, 30 steps see no contact that slides.
    assert alike == (factor == "friction" and task in ("cartpole_swingup", "ball_in_cup_catch"))


@pytest.mark.parametrize("task", TASKS)
def test_factors_change_all_that_is_meant(task: str) -> None:
    """No position servos, whose bias would have to follow the gain, and no contact pairs."""
    model = Simulations(task, SEEDS[:1]).model
    assert not model.actuator_biasprm.any()
    assert model.npair == 0
    assert not model.dof_dampingpoly.any()
    assert not model.tendon_damping.any()
    assert not model.dof_frictionloss.any()


def test_cartpole_touches_nothing() -> None:
    model = Simulations("cartpole_swingup", SEEDS[:1]).model
    assert model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_CONTACT


def drawn(suite: suites.Suite, task: str, evaluation: str, resets: int = 60) -> np.ndarray:
    """Return (resets, 4, 5) contexts of the slots of an evaluation, or of training."""
    split: Any = "train" if evaluation == "train" else "eval"
    named = "" if split == "train" else evaluation
    env = suite.make(suite.task(task), split=split, num_envs=4, seed=1, evaluation=named)
    found = np.array([env.reset()[0][:, -5:] for _ in range(resets)])
    env.close()
    return found


def test_contexts_stay_where_the_card_says_and_regions_share_nothing() -> None:
    assert tuple(VISIBLE.protocol.evaluations) == ("inside", "edge", "outside")
    for evaluation, (low, high) in REGIONS.items():
        contexts = drawn(VISIBLE, "cartpole_swingup", evaluation)
        largest = np.abs(contexts).max(axis=2)
        # float32 rounds by up to 2^-25.
        assert (largest > low - 1e-7).all()
        assert (largest <= high).all()
        assert largest.max() > low + 0.9 * (high - low)
        assert largest.min() < low + 0.6 * (high - low)
        assert (contexts.max(axis=(0, 1)) > 0.9 * high).all()
        assert (contexts.min(axis=(0, 1)) < -0.9 * high).all()
        assert abs(contexts.mean()) < 0.05
        assert len(np.unique(contexts)) == contexts.size
    bounds = sorted(set(REGIONS.values()))
    assert all(a[1] <= b[0] for a, b in pairwise(bounds))


def test_regions_are_drawn_uniformly() -> None:
    """Within the bounds, the share of contexts in a smaller box is that of the volumes."""
    random = np.random.default_rng(0)
    region = Region(0.5, 0.75)
    largest = np.array([np.abs(region.draw(random)).max() for _ in range(4000)])
    expected = (0.65**5 - 0.5**5) / (0.75**5 - 0.5**5)
    assert (largest <= 0.65).mean() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (-0.1, 1.0), (0.0, float("nan"))])
def test_a_region_without_contexts_is_refused(low: float, high: float) -> None:
    with pytest.raises(UsageError, match="contexts need 0 <= context_low < context_high"):
        physics.region_of(low, high)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_factor_that_is_none_is_refused(factor: float) -> None:
    with pytest.raises(UsageError, match="gain must be a factor above 0"):
        Simulations("cartpole_swingup", SEEDS, factors=(1.0, 1.0, 1.0, factor, 1.0))


def test_the_hidden_context_is_hidden_and_all_else_is_alike() -> None:
    """The same seeds: of the visible suite only the end of an observation is more."""
    envs = [
        ControlEnvs("walker_walk", constants(max_episode_steps=3), SEEDS, region=OUTSIDE,
                    shows_context=visible)
        for visible in (False, True)
    ]  # fmt: skip
    hidden, visible = (trace(env, 7) for env in envs)
    assert [env.single_observation_space.shape for env in envs] == [(24,), (29,)]
    for (obs, reward, info), (more, same, other) in zip(hidden, visible, strict=True):
        np.testing.assert_array_equal(obs, more[:, :24])
        np.testing.assert_array_equal(reward, same)
        if info:
            np.testing.assert_array_equal(info["final_obs"], other["final_obs"][:, :24])
            # The final observation is of the episode that ended, with its context.
            assert (other["final_obs"][:, 24:] != more[:, 24:]).all()


def trace(env: Any, steps: int) -> list[tuple[Any, ...]]:
    """Return observations, rewards and infos of steps of random actions, alike for each slot."""
    rng = np.random.default_rng(1)
    found = [(env.reset()[0], np.zeros(env.num_envs), {})]
    for _ in range(steps):
        actions = rng.uniform(-1, 1, (8, *env.single_action_space.shape)).astype(np.float32)
        obs, reward, _, _, info = env.step(actions[: env.num_envs])
        found.append((obs, reward, info))
    env.close()
    return found


@pytest.mark.parametrize("task", TASKS)
def test_results_do_not_depend_on_slots_or_threads(task: str) -> None:
    seeds = np.arange(5)
    traces = [
        trace(
            ControlEnvs(task, constants(max_episode_steps=3), seeds[:n], threads, region=OUTSIDE,
                        shows_context=True),
            8,
        )
        for n, threads in ((2, 1), (5, 1), (5, 2))
    ]  # fmt: skip
    for other in traces[1:]:
        for (obs, reward, _), (other_obs, other_reward, _) in zip(traces[0], other, strict=True):
            np.testing.assert_array_equal(obs, other_obs[:2])
            np.testing.assert_array_equal(reward, other_reward[:2])


PLAY = """
from hashlib import sha256
from itertools import pairwise
import numpy as np
from rlbench import suites

suite = suites.get("dmc-context-visible").make_unofficial({"max_episode_steps": 4})
env = suite.make(suite.task("cheetah_run"), split="eval", num_envs=3, seed=2, evaluation="edge")
shown = [env.reset()[0]]
for k in range(9):
    obs, reward, *_ = env.step(np.full((3, 6), np.sin(k), dtype=np.float32))
    shown += [obs, reward]
found = sha256(b"".join(part.tobytes() for part in shown)).hexdigest()
"""


def test_results_do_not_depend_on_the_process() -> None:
    here: dict[str, Any] = {}
    exec(PLAY, here)
    code = PLAY + "print(found)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here["found"]
    assert here["found"] != sha256(b"").hexdigest()


def test_transfer_is_evaluated_under_the_disturbances_that_mean_something() -> None:
    for suite, without in ((TRANSFER, ("salt-and-pepper", "occlusion", "disc")), (PIXELS, ())):
        rows = [
            row
            for row in STRENGTHS
            if row.mode not in without and not row.mode.startswith("reward-")
        ]
        evaluations = dict(suite.protocol.evaluations)
        assert evaluations.pop("clean") == {}
        for row in rows:
            steps = row.steps // {"sudden-drift": 4, "cyclic-drift": 8}.get(row.mode, 1)
            assert evaluations.pop(f"{row.mode.replace('-', '_')}_{row.strength}") == {
                "disturbance": row.mode, "amount": row.amount, "steps": steps
            }  # fmt: skip
        assert len(evaluations) == 30
        for name, changed in evaluations.items():
            ((factor, value),) = changed.items()
            way, strength = name.removeprefix(f"{factor}_").split("_")
            k = int(strength) - 1
            assert value == {"up": (1.25, 1.5, 2.0), "down": (0.8, 0.67, 0.5)}[way][k]


def test_every_evaluation_of_transfer_can_be_played_and_differs() -> None:
    """Their streams differ in any case, so that all are played in one stream."""
    task = TRANSFER.task("cheetah_run")
    stream = TRANSFER.stream(task, "eval", 0)
    shown: dict[bytes, str] = {}
    for name, changed in TRANSFER.protocol.evaluations.items():
        env = TRANSFER.make_from(task, stream, split="eval", num_envs=2, changed=changed)
        assert isinstance(env, DisturbedVectorEnv) == ("disturbance" in changed)
        found = b"".join(obs.tobytes() for obs, _, _ in trace(env, 260))
        assert found not in shown, (name, shown.get(found))
        shown[found] = name


def test_training_for_transfer_is_clean() -> None:
    task = TRANSFER.task("cheetah_run")
    stream = TRANSFER.stream(task, "train", 0)
    mini = suites.get("dmc-mini")
    ours, plain = (
        trace(suite.make_from(task, stream, split="train", num_envs=1), 20)
        for suite in (TRANSFER, mini)
    )
    for (obs, reward, _), (other, same, _) in zip(ours, plain, strict=True):
        np.testing.assert_array_equal(obs, other)
        np.testing.assert_array_equal(reward, same)


def test_pictures_are_disturbed_too() -> None:
    task = PIXELS.task("cartpole_swingup")
    shown = {}
    for name in ("clean", "crop_2", "gravity_up_3"):
        try:
            env = PIXELS.make_from(
                task, PIXELS.stream(task, "eval", 0), split="eval", num_envs=1,
                changed=PIXELS.protocol.evaluations[name],
            )  # fmt: skip
        except UsageError as error:
            pytest.skip(str(error))
        shown[name] = [obs for obs, _, _ in trace(env, 5)]
    assert shown["clean"][0].shape == (1, 3, 84, 84, 3)
    np.testing.assert_array_equal(shown["crop_2"][3][..., 42:, :], shown["clean"][3][..., 42:, :])
    assert not shown["crop_2"][3][..., :42, :].any()
    np.testing.assert_array_equal(shown["gravity_up_3"][0], shown["clean"][0])
    assert (shown["gravity_up_3"][5] != shown["clean"][5]).any()


def test_episodes_have_as_many_control_steps_at_every_rate() -> None:
    """The same starts and the same constant action: the same control steps, grouped otherwise."""
    lengths, returns = {}, {}
    for changed in FREQUENCY.protocol.evaluations.values():
        env = ControlEnvs("cheetah_run", constants(FREQUENCY, **changed), SEEDS)
        env.reset()
        length, total, truncated = 0, np.zeros(2), np.zeros(2, dtype=bool)
        while not truncated.all():
            _, reward, _, truncated, _ = env.step(np.full((2, 6), 0.3))
            length, total = length + 1, total + reward
        lengths[changed["action_repeat"]], returns[changed["action_repeat"]] = length, total
    assert lengths == {2: 500, 1: 1000, 4: 250, 8: 125, 16: 63}
    for total in returns.values():
        np.testing.assert_allclose(total, returns[1], rtol=1e-12)


@pytest.mark.parametrize("suite", [HIDDEN, VISIBLE, TRANSFER, FREQUENCY], ids=lambda s: s.name)
def test_the_contract_of_suites_is_kept(suite: suites.Suite) -> None:
    results = list(check_suite(suite, suite.task("cheetah_run"), steps=40))
    assert [(r.name, r.detail) for r in results if r.status == "failed"] == []
