"""DeepMind Control: starts, observations and rewards are dm_control's; the protocol is kept."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import RandomState
from support.command import rlbench
from support.dm_control import flat, load
from support.processes import COMMAND

pytest.importorskip("mujoco")
pytest.importorskip("dm_control")

import mujoco
from dm_control.rl.control import PhysicsError

from rlbench import suites
from rlbench.errors import InvalidEnvironment, UnknownName, UsageError
from rlbench.runners.check.suites import check_suite
from rlbench.suites.dmc.domains.planar import Walker
from rlbench.suites.dmc.engine import Simulations
from rlbench.suites.dmc.envs import ControlEnvs
from rlbench.suites.dmc.scene import Scene
from rlbench.suites.dmc.tasks import CONTROL_STEPS, TASKS, control_task
from rlbench.suites.envs import slot_seeds

SUITES = ("dmc-state", "dmc-hard", "dmc-mini", "dmc-vision")
STATE = suites.get("dmc-state")
SEEDS = np.array([5, 2**30 + 1])
FIELDS = ("qpos", "qvel", "act", "qacc_warmstart", "sensordata")


def constants(**changed: Any) -> dict[str, Any]:
    return {**STATE.constants(STATE.tasks[0]), **changed}


def random_state(scene: Any, rng: np.random.Generator) -> None:
    """Write a state: near the default one as often as anywhere."""
    model, data = scene.model, scene.data
    data.qpos[:] = model.qpos0 + 0.1 * rng.standard_normal(model.nq)
    if rng.random() < 0.5:
        for kind, at, (low, high) in zip(
            model.jnt_type, model.jnt_qposadr, model.jnt_range, strict=True
        ):
            if kind == mujoco.mjtJoint.mjJNT_FREE:
                data.qpos[at : at + 3] = rng.uniform((-1, -1, 0), (1, 1, 2))
                data.qpos[at + 3 : at + 7] = rng.standard_normal(4)
            else:
                data.qpos[at] = rng.uniform(low, high) if high > low else rng.uniform(-4, 4)
    data.qvel[:] = rng.exponential(3) * rng.standard_normal(model.nv)
    if model.na:
        data.act[:] = rng.uniform(-1, 1, model.na)
    data.ctrl[:] = rng.uniform(*model.actuator_ctrlrange.T)
    data.qacc_warmstart[:] = 0


def compare_with_oracle(name: str, resets: int, steps: int, states: int) -> None:
    """Compare starts and steps bit for bit; observations and rewards up to 1e-12."""
    simulations = Simulations(name, SEEDS)
    oracles = [load(name, int(seed)) for seed in SEEDS]
    rng = np.random.default_rng(0)
    low, high = simulations.control_range.T
    spec = oracles[0].action_spec()
    np.testing.assert_array_equal([low, high], [spec.minimum, spec.maximum])
    assert oracles[0]._step_limit == CONTROL_STEPS
    batch = simulations.batch
    for _ in range(resets):
        for slot, oracle in enumerate(oracles):
            begun = simulations.reset(slot)
            start = oracle.reset()
            for field in FIELDS:
                theirs = getattr(oracle.physics.data, field)
                np.testing.assert_array_equal(getattr(simulations.scene.data, field), theirs)
            close(begun, flat(start.observation))
        for _ in range(steps):
            controls = rng.uniform(low, high, (len(SEEDS), len(low)))
            rewards, obs = simulations.step(controls), simulations.observe()
            for slot, oracle in enumerate(oracles):
                found = oracle.step(controls[slot])
                for field in FIELDS:
                    theirs = getattr(oracle.physics.data, field)
                    np.testing.assert_array_equal(batch.bind(field)[slot], theirs)
                close(obs[slot], flat(found.observation))
                close(rewards[slot], found.reward)
        simulations.check()
    scene, domain, oracle = simulations.scene, simulations._domain, oracles[-1]
    for _ in range(states):
        random_state(scene, rng)
        for field in ("qpos", "qvel", "act", "ctrl", "qacc_warmstart"):
            getattr(oracle.physics.data, field)[:] = getattr(scene.data, field)
        with oracle.physics.suppress_physics_errors():
            oracle.physics.forward()
        mujoco.mj_forward(scene.model, scene.data)
        close(
            np.concatenate(domain.observe(simulations._start), axis=1)[0],
            flat(oracle.task.get_observation(oracle.physics)),
        )
        close(domain.reward(simulations._start)[0], oracle.task.get_reward(oracle.physics))


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_that_of_dm_control(name: str) -> None:
    compare_with_oracle(name, resets=2, steps=3, states=10)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_that_of_dm_control_in_many_states(name: str) -> None:
    compare_with_oracle(name, resets=50, steps=3, states=1000)


def test_every_task_of_a_suite_is_one_of_the_engine() -> None:
    assert {task.name for name in SUITES for task in suites.get(name).tasks} <= set(TASKS)
    with pytest.raises(UnknownName, match=r"walker_wall.*Did you mean 'walker_walk'"):
        control_task("walker_wall")


def episodes(env: Any, steps: int) -> Iterator[tuple[Any, ...]]:
    """Yield what a reset and then steps of random actions show."""
    rng = np.random.default_rng(1)
    yield env.reset()[0], np.zeros(env.num_envs), np.zeros(env.num_envs, dtype=bool), {}
    size = env.single_action_space.shape
    for _ in range(steps):
        actions = rng.uniform(-1, 1, (8, *size)).astype(np.float32)[: env.num_envs]
        obs, reward, terminated, truncated, info = env.step(actions)
        assert not terminated.any()
        yield obs, reward, truncated, info


@pytest.mark.parametrize("name", ["cartpole_swingup", "quadruped_walk"])
def test_a_slot_plays_dm_controls_episodes_of_its_seed(name: str) -> None:
    """Two episodes of few steps; the quadruped's actuators take more than [-1, 1]."""
    suite = STATE.make_unofficial({"max_episode_steps": 4})
    task = suite.task(name)
    env = suite.make(task, split="eval", num_envs=2, seed=3)
    seeds = slot_seeds(suite.stream(task, "eval", 3), 2, "eval")
    oracle = load(name, int(seeds[1]))
    spec = oracle.action_spec()
    rng = np.random.default_rng(1)
    obs, _ = env.reset()
    for _ in range(2):
        expected = flat(oracle.reset().observation)
        for step in range(4):
            np.testing.assert_allclose(obs[1], expected.astype(np.float32), rtol=1e-6)
            actions = rng.uniform(-1, 1, (2, *spec.shape)).astype(np.float32)
            obs, reward, _, truncated, info = env.step(actions)
            scaled = spec.minimum + (spec.maximum - spec.minimum) / 2 * (
                actions[1].astype(float) + 1
            )
            found = [oracle.step(scaled) for _ in range(2)]
            assert reward[1] == pytest.approx(sum(f.reward for f in found), abs=1e-12)
            assert truncated.all() == (step == 3)
            expected = flat(found[1].observation)
            if step == 3:
                final = info["final_obs"][1]
                np.testing.assert_allclose(final, expected.astype(np.float32), rtol=1e-6)
    env.close()


def test_repeated_actions_stop_at_the_end_of_an_episode() -> None:
    """1,000 control steps are 333 steps of 3 and one of 1."""
    env = ControlEnvs("pendulum_swingup", constants(action_repeat=3), SEEDS)
    once = ControlEnvs(
        "pendulum_swingup", constants(action_repeat=1, max_episode_steps=1000), SEEDS
    )
    env.reset()
    once.reset()
    action = np.ones((2, 1), dtype=np.float32)
    for step in range(334):
        obs, reward, _, truncated, info = env.step(action)
        total = np.zeros(2)
        for _ in range(3 if step < 333 else 1):
            _, one, _, ended, last = once.step(action)
            total += one
        np.testing.assert_array_equal(reward, total)
        assert truncated.all() == ended.all() == (step == 333)
    np.testing.assert_array_equal(info["final_obs"], last["final_obs"])
    assert (info["final_obs"] != obs).any()


@pytest.mark.parametrize("name", ["cheetah_run", "finger_turn_hard", "humanoid_run", "dog_run"])
def test_results_do_not_depend_on_slots_or_threads(name: str) -> None:
    seeds = np.arange(5)
    shown = [
        [
            (obs[:2], reward[:2])
            for obs, reward, *_ in episodes(
                ControlEnvs(name, constants(max_episode_steps=3), seeds[:n], threads), 4
            )
        ]
        for n, threads in ((2, 1), (5, 1), (5, 2))
    ]
    for other in shown[1:]:
        for (obs, reward), (other_obs, other_reward) in zip(shown[0], other, strict=True):
            np.testing.assert_array_equal(obs, other_obs)
            np.testing.assert_array_equal(reward, other_reward)


@pytest.mark.parametrize(
    ("name", "slots", "threads"),
    [
        ("cheetah_run", 16, 1),
        ("cheetah_run", 156, 2),
        ("humanoid_run", 11, 2),
        ("humanoid_run", 6, 1),
    ],
)
def test_threads_step_what_is_worth_their_waking(
    name: str, slots: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    env = ControlEnvs(name, constants(), np.arange(slots))
    assert env._simulations.batch.nthread == threads


@pytest.mark.parametrize("name", ["ball_in_cup_catch", "walker_walk"])
def test_the_contract_of_suites_is_kept(name: str) -> None:
    suite = suites.get("dmc-mini")
    results = list(check_suite(suite, suite.task(name), steps=40))
    assert [(r.name, r.detail) for r in results if r.status == "failed"] == []


@pytest.mark.parametrize("kind", ["BADQPOS", "BADQVEL", "BADCTRL"])
def test_an_unstable_simulation_is_an_error_as_in_dm_control(kind: str) -> None:
    env, oracle = ControlEnvs("walker_walk", constants(), SEEDS), load("walker_walk", 0)
    env.reset()
    oracle.reset()
    actions = np.zeros((2, 6))
    if kind == "BADCTRL":
        actions[1] = np.nan
    else:
        field = kind.removeprefix("BAD").lower()
        env._simulations.batch.bind(field)[1] = 1e12
        getattr(oracle.physics.data, field)[:] = 1e12
    with pytest.raises(InvalidEnvironment, match=f"slot 1 became unstable: MuJoCo warns of {kind}"):
        env.step(actions)
    with pytest.raises(PhysicsError, match=f"mjWARN_{kind}"):
        oracle.step(actions[1])


def test_an_unstable_start_is_an_error_as_in_dm_control(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: Walker, scene: Scene, random: RandomState) -> None:
        scene.data.qvel[:] = 1e12
        scene.step(1)

    monkeypatch.setattr(Walker, "start", start)
    with pytest.raises(InvalidEnvironment, match="slot 1 became unstable: MuJoCo warns of BADQ"):
        Simulations("walker_walk", SEEDS).reset(1)


UNSTABLE = """
from functools import partial
import gymnasium, numpy as np
from rlbench.suites import Protocol, Suite, Task
from rlbench.suites.envs import make_slots

BOX = '<body><joint name="x" type="slide"/><geom size="1"/></body>'
XML = f'<mujoco><worldbody>{BOX}</worldbody><actuator><motor joint="x"/></actuator></mujoco>'

class Slide(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        import mujoco
        super().reset(seed=seed)
        self.model = mujoco.MjModel.from_xml_string(XML)
        self.data = mujoco.MjData(self.model)
        return self.np_random.uniform(-1, 1, 1).astype(np.float32), {}

    def step(self, action):
        import mujoco
        self.data.ctrl[:] = np.nan  # MuJoCo warns, and goes on
        mujoco.mj_step(self.model, self.data)
        return self.data.qpos.astype(np.float32), 0.0, False, False, {}

class Unstable(gymnasium.vector.VectorWrapper):
    def step(self, actions):
        self.env._simulations.batch.bind("qvel")[0] = 1e12
        return self.env.step(actions)

def make(task, constants, *, split, num_envs, stream):
    options = {"split": split, "num_envs": num_envs, "stream": stream}
    if task.name == "walker_walk":
        from rlbench.suites.dmc.envs import make as make_control
        return Unstable(make_control(task, constants, **options))
    return make_slots(Slide, max_episode_steps=9, workers=task.name == "worker", **options)

SUITE = Suite(
    name="unstable", version=1, title="Unstable", summary="It breaks down.",
    protocol=Protocol(budget=9, episodes=1, eval_envs=1, max_episode_steps=9, environment={
        "action_repeat": 1, "observation": "state"}),
    tasks=tuple(Task(name=name, low=0.0, high=1.0) for name in ("walker_walk", "here", "worker")),
    references=("none", "all"), reference_source="by definition",
    factory="unstable:make", extra="",
)
"""


def test_no_run_leaves_a_file_of_mujocos_warnings(tmp_path: Path) -> None:
    """Ours, which such a simulation ends, and one of another engine, also in a worker process."""
    (tmp_path / "unstable.py").write_text(UNSTABLE)
    words = "run --suite unstable.py --agent random --seeds 1 --store runs"
    done = rlbench(*words.split(), cwd=tmp_path, code=1)
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed:")]
    assert len(failed) == 1, failed
    assert "walker_walk, seed 0: the simulation of slot 0 became unstable" in failed[0]
    assert not list(tmp_path.rglob("MUJOCO_LOG.TXT"))
    logs = [path.read_text() for path in tmp_path.rglob("*.log")]
    assert len([log for log in logs if "MuJoCo warns: Nan, Inf or huge value in CTRL" in log]) == 2
    assert len([log for log in logs if "MuJoCo warns: Nan, Inf or huge value in QVEL" in log]) == 1


def test_pictures_are_stacked_and_begin_with_copies_of_the_first() -> None:
    suite = suites.get("dmc-vision").make_unofficial({"max_episode_steps": 3})
    try:
        env = suite.make(suite.task("cheetah_run"), split="train", num_envs=2, seed=0)
    except UsageError as error:
        pytest.skip(str(error))
    shown = list(episodes(env, 3))
    for obs, *_ in (shown[0], shown[3]):
        assert obs.shape == (2, 3, 84, 84, 3)
        assert obs.dtype == np.uint8
        assert (obs == obs[:, :1]).all()
    assert (shown[1][0][:, :2] == shown[0][0][:, 1:]).all()
    assert (shown[2][0][:, :2] == shown[1][0][:, 1:]).all()
    assert (shown[3][3]["final_obs"][:, :2] == shown[2][0][:, 1:]).all()
    assert len(np.unique(shown[2][0][0], axis=0)) == 3
    env.close()


def test_states_are_drawn_as_agents_that_see_pixels_see_them() -> None:
    """The target of reacher is drawn anew in each episode."""
    task = "reacher_easy"
    of_states, of_pixels = (suites.get(name) for name in ("dmc-state", "dmc-vision"))
    size = {"height": 240, "width": 320, "stack": 1}
    seeds = np.arange(2)
    env = ControlEnvs(task, of_states.constants(of_states.task(task)), seeds)
    other = ControlEnvs(task, {**of_pixels.constants(of_pixels.task(task)), **size}, seeds)
    try:
        env.reset()
        (obs, _), rng = other.reset(), np.random.default_rng(0)
        for _ in range(3):
            for slot in range(2):
                np.testing.assert_array_equal(env.draw(slot), obs[slot, -1])
            actions = rng.uniform(-1, 1, (2, 2)).astype(np.float32)
            env.step(actions)
            obs = other.step(actions)[0]
        assert other.draw(0) is None
    except UsageError as error:
        pytest.skip(str(error))
    finally:
        env.close()
        other.close()


def test_without_a_screen_glfw_has_the_same_message(tmp_path: Path) -> None:
    """It makes a context all the same, and fails only when that is used."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [*COMMAND, "check", "--suite", "dmc-vision", "--task", "cheetah_run"],
        cwd=tmp_path, env={**environment, "MUJOCO_GL": "glfw"}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no OpenGL to draw with (glfw: " in done.stdout
    assert "apt install" in done.stdout


def test_without_opengl_the_message_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries that are found first are empty files."""
    for name in ("libEGL.so", "libEGL.so.1", "libOSMesa.so", "libOSMesa.so.8", "libOSMesa.so.6"):
        (tmp_path / name).touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    for name in ("MUJOCO_GL", "PYOPENGL_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    words = "check --suite dmc-vision --task cheetah_run"
    done = rlbench(*words.split(), cwd=tmp_path, code=1)
    assert (
        "no OpenGL to draw with (egl: no library; osmesa: no library): apt install" in done.stdout
    )
