"""The environments of NeoRL-2: the contract, slots alone and among others, and their data."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from support.hopper import hopper_start, touches_nothing

from rlbench import suites
from rlbench.errors import MissingExtra, UsageError
from rlbench.suites.neorl2 import dmsd, fusion, pipeline, simglucose
from rlbench.suites.neorl2.envs import NeoRL2Env, NeoRL2Envs, make_simulator
from rlbench.suites.neorl2.onnx import read_constants
from rlbench.suites.neorl2.simulator import EquationSimulator

DATA = Path(__file__).parents[3] / "shared/data"
SUITE = suites.get("neorl2")
PLAIN = ["Pipeline", "DMSD", "Simglucose"]
OF_EXTRA = {"Box2D": ["RocketRecovery"], "mujoco": ["RandomFrictionHopper", "SafetyHalfCheetah"]}
HERE = PLAIN + [
    task for module, tasks in OF_EXTRA.items() if importlib.util.find_spec(module) for task in tasks
]
ABSENT = sorted({task for tasks in OF_EXTRA.values() for task in tasks} - set(HERE))


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks of Fusion, from where they are beside the checkout."""
    if not (DATA / "neorl2/fusion").is_dir():
        pytest.skip(f"no networks at {DATA / 'neorl2/fusion'}")
    monkeypatch.setenv("RLBENCH_DATA", str(DATA))


def play(name: str, slots: int, steps: int, limit: int = 25) -> tuple[np.ndarray, ...]:
    """Return (steps, slots, ...) of observations, final observations, rewards and ends."""
    simulator = make_simulator(name, slots)
    env = NeoRL2Envs(simulator, slots, np.random.SeedSequence(5), limit)
    random = np.random.default_rng(0)
    size = env.single_action_space.shape[0]
    rows: list[tuple[Any, ...]] = []
    env.reset()
    for _ in range(steps):
        action = np.repeat(random.uniform(-1, 1, (1, size)), slots, axis=0).astype(np.float32)
        obs, reward, over, cut, info = env.step(action)
        rows.append((obs, info.get("final_obs", obs), reward, over | cut))
    env.close()
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("name", HERE)
def test_a_slot_is_the_same_alone_and_among_others(name: str) -> None:
    alone, among = play(name, 1, 60), play(name, 7, 60)
    assert alone[3].any()
    for one, many in zip(alone, among, strict=True):
        assert one[:, 0].tobytes() == np.ascontiguousarray(many[:, 0]).tobytes()
    assert (among[0][:, 0] != among[0][:, 6]).any()


def test_a_slot_of_fusion_is_the_same_alone_and_among_others(networks: None) -> None:
    alone, among = play("Fusion", 1, 3, limit=2), play("Fusion", 3, 3, limit=2)
    for one, many in zip(alone, among, strict=True):
        assert one[:, 0].tobytes() == np.ascontiguousarray(many[:, 0]).tobytes()
    assert (among[0][-1, 0] != among[0][-1, 2]).any()


@pytest.mark.parametrize("name", HERE)
def test_slots_that_go_on_alone_do_as_they_would_have(name: str) -> None:
    def rewards(retired: bool) -> list[float]:
        env = NeoRL2Envs(make_simulator(name, 3), 3, np.random.SeedSequence(1), 12)
        env.reset()
        found = []
        for t in range(30):
            if retired and t == 5:
                env.retire(np.array([True, False, False]))
            if retired and t == 9:
                env.retire(np.array([False, False, True]))
            action = np.full((3, env.single_action_space.shape[0]), -0.98, np.float32)
            found.append(float(env.step(action)[1][1]))
        return found

    assert rewards(retired=True) == rewards(retired=False)


@pytest.mark.filterwarnings("ignore:.*infinity. This is probably too:UserWarning")
@pytest.mark.parametrize("name", HERE)
def test_gymnasium_finds_nothing_wrong(name: str) -> None:
    env = gymnasium.make(f"rlbench.envs:rlbench/{name}-v0")
    assert env.spec is not None
    assert env.spec.max_episode_steps == SUITE.protocol_of(SUITE.task(name)).max_episode_steps
    check_env(env.unwrapped, skip_render_check=True)


def test_an_environment_plays_beyond_the_usual_limit() -> None:
    env = NeoRL2Env("DMSD")
    env.reset(seed=3)
    for _ in range(150):
        obs, _, terminated, truncated, _ = env.step(np.zeros(2, np.float32))
    assert not terminated
    assert not truncated
    assert np.isfinite(obs).all()


def test_a_start_can_be_given() -> None:
    env = NeoRL2Env("Pipeline", reference=True)
    obs, _ = env.reset(options={"start": [90.0, 140.0]})
    assert obs[:3].tolist() == [90.0, 140.0, 90.0]


@pytest.mark.parametrize("name", ABSENT)
def test_a_missing_extra_is_one_line(name: str) -> None:
    task = SUITE.task(name)
    message = rf"^the task {name} .*needs an extra: pip install 'rlbench\[{task.extra}\]' .*$"
    with pytest.raises(MissingExtra, match=message):
        SUITE.make(task, split="eval", num_envs=2, seed=0)
    with pytest.raises(MissingExtra, match=rf"^the task {name} needs an extra"):
        NeoRL2Env(name)


def test_missing_networks_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path))
    message = r"^the networks of Fusion are not here .*: rlbench data fetch neorl2 --task Fusion$"
    with pytest.raises(UsageError, match=message):
        SUITE.make(SUITE.task("Fusion"), split="eval", num_envs=1, seed=0)


@pytest.mark.parametrize("damage", [b"", b"no onnx", b"\x3a\xff\xff\xff\x7f"])
def test_damaged_networks_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: bytes
) -> None:
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path))
    from rlbench.suites.neorl2.fusion_networks import FILES

    for name in FILES:
        path = tmp_path / "neorl2/fusion" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damage)
    with pytest.raises(UsageError) as caught:
        SUITE.make(SUITE.task("Fusion"), split="eval", num_envs=1, seed=0)
    assert "\n" not in str(caught.value)
    assert "differs from the pinned file" in str(caught.value)


@pytest.mark.parametrize("damage", [b"no onnx", b"\x3a\xff\xff\xff\x7f"])
def test_what_is_no_onnx_is_one_line(damage: bytes) -> None:
    with pytest.raises(UsageError, match=r"^it is not an ONNX file, or not a whole one \(.*\)$"):
        read_constants(damage)


def test_starts_and_targets_are_those_of_the_specification() -> None:
    random = np.random.default_rng(0)
    starts = np.array([pipeline.draw_start(random) for _ in range(500)])
    assert 80.0 <= starts[:, 0].min() < 82.0 < 118.0 < starts[:, 0].max() <= 120.0
    assert set(starts[:, 1]) == {50.0, 80.0, 110.0, 140.0}
    rows = pipeline.draw_rows(random, 100_000)
    assert 0.002 < np.mean(~np.isnan(rows)) < 0.004
    starts = np.array([dmsd.draw_start(random) for _ in range(500)])
    assert np.abs(starts).max(axis=0)[:4].round(2).tolist() == [0.25, 0.25, 0.1, 0.1]
    assert 0.4 < np.mean(starts[:, 4] == starts[:, 5]) < 0.6
    for mode, low, high in (("train", 1, 5), ("other", 6, 10)):
        names = [simglucose.patients().names[k] for k in simglucose.patients_of(mode)]
        assert len(names) == 15
        assert {int(name[-3:]) for name in names} == set(range(low, high + 1))


def test_a_safety_cost_is_a_measure_of_the_episode() -> None:
    pytest.importorskip("mujoco", reason="pip install 'rlbench[neorl2]'")
    env = NeoRL2Envs(make_simulator("SafetyHalfCheetah", 2), 2, np.random.SeedSequence(0), 3)
    env.reset()
    env._simulator.begin(np.arange(2), np.eye(18)[[9, 17]] * 6.0)
    costs = []
    for _ in range(3):
        *_, info = env.step(np.zeros((2, 6), np.float32))
        costs.append(info.get("measures", {}).get("cost"))
    assert costs[:2] == [None, None]
    assert costs[2].tolist()[0] >= 1.0
    assert costs[2].tolist()[1] == 0.0


def load(name: str) -> dict[str, Any]:
    """Return a published file, or skip."""
    path = DATA / "neorl2" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"no data at {path}")
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def test_dmsd_replays_its_data() -> None:
    """Episodes of 100 steps, from the first observation and the targets that were seen."""
    data = load("DMSD-val")
    obs, action, after = (
        data[key].reshape(200, 100, -1).astype(np.float64) for key in ("obs", "action", "next_obs")
    )
    ends = after[:, [0, 99], 4:].transpose(0, 2, 1).reshape(200, 4)
    state = dmsd.begin(np.concatenate([obs[:, 0, :4], ends], axis=1))
    for t in range(100):
        state = dmsd.advance(state, action[:, t].astype(np.float32), 20.0)
        np.testing.assert_allclose(dmsd.observe(state), after[:, t], rtol=0, atol=3e-6)
    found = dmsd.reward(data["obs"], data["action"], data["next_obs"])
    np.testing.assert_array_equal(found, data["reward"])


def test_simglucose_replays_its_data() -> None:
    """All episodes, with the hour that fits: it is not in the data."""
    data = load("Simglucose-val")
    ends = np.flatnonzero(data["done"] | data["truncated"])
    firsts = np.concatenate([[0], ends[:-1] + 1])
    table = simglucose.patients()
    seen = table.parameters[:, :30].astype(np.float32)
    wrong = 0
    for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
        (patient,) = np.flatnonzero((seen == data["obs"][first, 1:]).all(axis=1))
        hours = np.arange(24.0)
        state = simglucose.begin(np.stack([np.full(24, float(patient)), hours], axis=1))
        curve, over = [], []
        for action in data["action"][first : end + 1]:
            state = simglucose.advance(state, np.repeat(action[None], 24, axis=0))
            curve.append(state.seen)
            over.append(simglucose.terminal(state))
        error = np.abs(np.array(curve) - data["next_obs"][first : end + 1, :1]).max(axis=0)
        best = int(error.argmin())
        assert error[best] < 6e-3
        wrong += int((np.array(over)[:, best] != data["done"][first : end + 1]).sum())
    assert wrong == 0
    found = simglucose.reward(data["obs"], data["action"], data["next_obs"])
    np.testing.assert_allclose(found, data["reward"], rtol=0, atol=8e-7)


@pytest.mark.parametrize("name", ["Pipeline-train-regenerated", "Pipeline-val-unpublished-variant"])
def test_pipeline_replays_data(name: str) -> None:
    """Whole episodes of 1,000 steps, from the first flow and the targets that were seen."""
    data = load(name)
    obs, action, after = (
        data[key].reshape(-1, 1000, data[key].shape[1]) for key in ("obs", "action", "next_obs")
    )
    simulator = EquationSimulator(pipeline.equations(), len(obs))
    begun = simulator.begin(np.arange(len(obs)), obs[:, 0, :2].astype(np.float64))
    np.testing.assert_array_equal(begun, obs[:, 0])
    for t in range(1000):
        out = simulator.step(action[:, t], after[:, t, 1:2].astype(np.float64))
        np.testing.assert_array_equal(out.obs, after[:, t])
    found = pipeline.reward(data["obs"], data["action"], data["next_obs"])
    np.testing.assert_array_equal(found, data["reward"])


def test_fusion_replays_its_data(networks: None) -> None:
    """Two first observations, and one whole episode with the targets and powers that were seen."""
    data = load("Fusion-val")
    found = fusion.reward(data["obs"], data["action"], data["next_obs"])
    np.testing.assert_array_equal(found, data["reward"])
    env = make_simulator("Fusion", 2)
    obs = env.begin(np.arange(2), np.zeros((2, 0)))
    first = data["obs"].reshape(200, 100, -1)[:2]
    np.testing.assert_allclose(obs, first[:, 0], rtol=0, atol=2e-5)
    env.keep(np.arange(1))
    for action, after in zip(data["action"][:100], data["next_obs"][:100], strict=True):
        out = env.step(action[None], after[None, 9:].astype(np.float64) + 5e-4)
        np.testing.assert_allclose(out.obs[0], after, rtol=0, atol=2e-5)


def test_rocket_recovery_agrees_with_data() -> None:
    pytest.importorskip("Box2D", reason="pip install 'rlbench[neorl2]'", exc_type=ImportError)
    from rlbench.suites.neorl2 import rocket

    data = load("RocketRecovery-val")
    arrays = data["obs"], data["action"], data["next_obs"]
    np.testing.assert_array_equal(rocket.reward(*arrays), data["reward"])
    np.testing.assert_array_equal(rocket.terminal(*arrays), data["done"])


def test_rocket_recovery_replays_its_data() -> None:
    """The first 25 episodes: engines off by what the original's stream gives for the seed."""
    pytest.importorskip("Box2D", reason="pip install 'rlbench[neorl2]'", exc_type=ImportError)
    from rlbench.suites.neorl2 import rocket

    data = load("RocketRecovery-val")
    ends = np.flatnonzero(data["done"] | data["truncated"])[:25]
    winds = {
        np.float32(10.0 * np.tanh(np.sin(0.02 * i) + np.sin(np.pi * 0.01 * i))): i
        for i in range(-10_000, 30_000)
    }
    first = 0
    for seed, end in enumerate(ends.tolist()):
        random = np.random.default_rng(seed)
        random.random(12)  # the height of the ground
        force = random.uniform(-500.0, 500.0, 2)
        random.random(2)  # of the step that a reset plays
        rows = random.uniform(-1.0, 1.0, (end + 1 - first, 2))
        onset = winds[data["obs"][first, 6]]
        simulator = rocket.Rockets(1, "train", reference=False)
        obs = [simulator.begin(np.arange(1), np.array([[*force, onset]]))[0]]
        for action, row in zip(data["action"][first : end + 1], rows, strict=True):
            obs.append(simulator.step(action[None], row[None]).obs[0])
        np.testing.assert_array_equal(obs[:-1], data["obs"][first : end + 1])
        np.testing.assert_array_equal(obs[-1], data["next_obs"][end])
        first = end + 1


def test_safety_half_cheetah_agrees_with_data() -> None:
    """Every step by itself, from states that were rounded to float32."""
    pytest.importorskip("mujoco", reason="pip install 'rlbench[neorl2]'")
    from rlbench.suites.neorl2 import locomotion

    data = load("SafetyHalfCheetah-val")
    found = locomotion.cheetah_reward(data["obs"], data["action"], data["next_obs"])
    np.testing.assert_allclose(found, data["reward"], rtol=0, atol=2e-4)
    start = data["obs"].astype(np.float64)
    simulator = locomotion.HalfCheetahs(len(start), reference=False)
    simulator.begin(np.arange(len(start)), start)
    out = simulator.step(data["action"], np.zeros((len(start), 0)))
    error = np.abs(out.obs - data["next_obs"])
    assert np.median(error) < 1e-6
    assert error.max() < 1e-3
    assert not out.cost.any()


def test_random_friction_hopper_agrees_with_data() -> None:
    """Starts and frictions of all episodes, and every step without contacts by itself.

    Where a state that was rounded to float32 is about to touch, a step may differ by more.
    `make test-hopper` replays all episodes to the last bit.
    """
    mujoco = pytest.importorskip("mujoco", reason="pip install 'rlbench[neorl2]'")
    from rlbench.suites.neorl2 import locomotion

    data = load("RandomFrictionHopper-val")
    arrays = data["obs"], data["action"], data["next_obs"]
    np.testing.assert_allclose(locomotion.hopper_reward(*arrays), data["reward"], rtol=0, atol=2e-5)
    np.testing.assert_array_equal(locomotion.hopper_terminal(*arrays), data["done"])

    firsts = np.concatenate([[0], np.flatnonzero(data["done"])[:-1] + 1])
    model = locomotion.load_model("hopper.xml")
    starts = np.array([hopper_start(seed) for seed in range(218)])
    simulator = locomotion.Hoppers(218, reference=False)
    np.testing.assert_array_equal(simulator.begin(np.arange(218), starts), data["obs"][firsts])

    obs, action, after, done = (data[key][::5] for key in ("obs", "action", "next_obs", "done"))
    states = obs[:, :12].astype(np.float64)
    pairs = zip(states, action, strict=True)
    free = np.array([touches_nothing(mujoco, model, *pair) for pair in pairs])
    free &= (np.abs(states[:, 6:]) < 10.0).all(axis=1)  # beyond, speeds are not in the data
    assert free.sum() > 600
    start = obs[free].astype(np.float64)
    start[:, :6] -= model.qpos0
    simulator = locomotion.Hoppers(len(start), reference=False)
    simulator.begin(np.arange(len(start)), start)
    out = simulator.step(action[free], np.zeros((len(start), 0)))
    error = np.abs(out.obs - after[free]).max(axis=1)
    assert np.quantile(error, 0.99) < 2e-6
    assert error.max() < 0.1
    np.testing.assert_array_equal(out.terminated, done[free])


@pytest.mark.filterwarnings("ignore:.*infinity. This is probably too:UserWarning")
@pytest.mark.parametrize("name", [*HERE, "Fusion"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e300])
def test_actions_that_are_not_finite_are_refused(
    networks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrong: float
) -> None:
    monkeypatch.chdir(tmp_path)
    env = gymnasium.make(f"rlbench.envs:rlbench/{name}-v0", disable_env_checker=True)
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape or ())
    action[-1] = wrong
    with pytest.raises(
        UsageError, match=r"^the action \[.*\] is not finite: numbers are in \[-1, 1\]$"
    ):
        env.step(action)
    assert np.isfinite(env.step(np.zeros_like(action))[0]).all()
    assert list(tmp_path.iterdir()) == []  # MuJoCo would log it here
    slots = NeoRL2Envs(make_simulator(name, 2), 2, np.random.SeedSequence(0), 5)
    slots.reset()
    with pytest.raises(UsageError, match="is not finite"):
        slots.step(np.stack([np.zeros_like(action), action]))
    env.close()


REGISTERED = """
import sys
import gymnasium
env = gymnasium.make("rlbench.envs:rlbench/DMSD-v0")
assert env.reset(seed=0)[0].shape == (6,)
own = sorted(name for name in gymnasium.registry if name.startswith("rlbench/"))
assert not {"mujoco", "Box2D", "torch"} & sys.modules.keys()
print(*own)
"""


def test_the_names_of_all_environments_come_with_one_import(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REGISTERED], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    tasks = [f"rlbench/{task.name}-v0" for task in SUITE.tasks]
    assert done.stdout.split() == sorted([*tasks, "rlbench/Parkour-v1", "rlbench/StumpTracks-v1"])
