"""The original simulators of NeoRL-2, step by step, with the exogenous values that they drew.

Tolerances, task by task:

- Pipeline and RocketRecovery equal the original: flows and rewards are float32 there and here, and
  Box2D's world is the same.
- DMSD: the original's force is float32. A step changes a speed by .2 / 20 of it, so half a unit in
  the last place of 30 N is 1e-8 a step, and 100 steps add up to less than 2e-6. A reward may change
  by 1 / .01 of that for each mass.
- Simglucose: the original integrates by an adaptive method to a relative 1e-6; fixed steps agree to
  5e-3 mg/dL over whole episodes. Rewards change by .0174 a mg/dL at most, at 40 mg/dL.
- Fusion: float32 networks, whose sums of 200 are off by 1e-5 of what they are scaled by. Every step
  begins from the recorded window. Integers are equal.
- SafetyHalfCheetah: contacts are solved to 1e-8. Every step begins from the recorded state, since a
  difference grows without bound over many.
- RandomFrictionHopper: recorded with MuJoCo 2.3.7, whose contacts are others; compared are the
  steps without any, and without a joint at its limit. There the equations of motion are the same,
  to rounding. `make test-hopper` replays all steps with 2.3.7.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.golden import OWN, folder
from support.hopper import touches_nothing

from rlbench.suites.neorl2 import dmsd, pipeline, simglucose
from rlbench.suites.neorl2.simulator import EquationSimulator, Outcome, Simulator

SHARED = Path(__file__).parents[3] / "shared/data/neorl2"
Case = dict[str, Any]


def cases_of(task: str) -> list[Any]:
    """Return the task's files, for `pytest.mark.parametrize`."""
    return [pytest.param(path, id=path.stem) for path in sorted(folder().glob(f"neorl2_{task}*"))]


def read(path: Path) -> list[Case]:
    """Return the episodes of a file: what it has of each step, and of the reset first."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    lengths = arrays["ep_len"]
    steps, states = np.cumsum([0, *lengths]), np.cumsum([0, *(lengths + 1)])
    sizes = {int(steps[-1]): steps, int(states[-1]): states, len(lengths): range(len(lengths) + 1)}
    return [
        {
            name: array[sizes[len(array)][k] : sizes[len(array)][k + 1]]
            for name, array in arrays.items()
        }
        for k in range(len(lengths))
    ]


def play(simulator: Simulator, start: Any, rows: Any, actions: Any) -> tuple[Any, ...]:
    """Play an episode in one slot; return its observations, rewards and ends."""
    obs = [simulator.begin(np.arange(1), np.array([start], dtype=np.float64))[0]]
    steps = [
        simulator.step(action[None], row[None])
        for action, row in zip(actions, np.array(rows, dtype=np.float64), strict=True)
    ]
    obs += [out.obs[0] for out in steps]
    return np.array(obs), *(np.array([out[i][0] for out in steps]) for i in (1, 2))


def step_each(simulator: Simulator, start: Any, actions: Any) -> Outcome:
    """Play one step from each of many starts."""
    simulator.begin(np.arange(len(start)), np.array(start, dtype=np.float64))
    return simulator.step(actions, np.zeros((len(start), 0)))


def no_rows(case: Case) -> Any:
    return np.zeros((len(case["actions"]), 0))


def test_there_are_cases() -> None:
    if not folder().is_dir():
        pytest.skip(f"no golden cases at {folder()}")
    assert len(list(folder().glob("neorl2_*.npz"))) >= (8 if folder() == OWN else 1)


@pytest.mark.parametrize("path", cases_of("pipeline"))
def test_pipeline(path: Path) -> None:
    for case in read(path):
        start = case["x_gate"][0], case["x_target"][0]
        simulator = EquationSimulator(pipeline.equations(), 1)
        obs, reward, over = play(simulator, start, case["x_target"][1:, None], case["actions"])
        np.testing.assert_array_equal(obs, case["obs"])
        np.testing.assert_array_equal(reward, case["reward"])
        np.testing.assert_array_equal(over, case["terminated"])
        assert simulator.state is not None
        np.testing.assert_array_equal(simulator.state.flow[0, :20], case["x_pipe"][-1])


@pytest.mark.parametrize("path", cases_of("dmsd"))
def test_dmsd(path: Path) -> None:
    for case in read(path):
        targets = case["targets"][0]
        start = [*case["x_state"][0], *targets[[0, -1], 0], *targets[[0, -1], 1]]
        simulator = EquationSimulator(dmsd.equations("train", reference=True), 1)
        obs, reward, over = play(simulator, start, no_rows(case), case["actions"])
        assert obs.dtype == np.float64
        np.testing.assert_allclose(obs, case["obs"], rtol=0, atol=2e-6)
        np.testing.assert_array_equal(obs[:, 4:], case["obs"][:, 4:])
        np.testing.assert_allclose(reward, case["reward"], rtol=0, atol=4e-4)
        assert not over.any()


@pytest.mark.parametrize("path", cases_of("dmsd"))
def test_rewards_of_dmsd_are_those_of_what_is_observed(path: Path) -> None:
    for case in read(path):
        found = dmsd.reward(case["obs"][:-1], case["actions"], case["obs"][1:])
        np.testing.assert_array_equal(found, case["reward"])


@pytest.mark.parametrize("path", cases_of("simglucose"))
def test_simglucose(path: Path) -> None:
    names = simglucose.patients().names
    for case in read(path):
        start = names.index(str(case["patient"][0])), case["hour"][0]
        simulator = EquationSimulator(simglucose.equations("train", reference=True), 1)
        obs, reward, over = play(simulator, start, no_rows(case), case["actions"])
        np.testing.assert_array_equal(obs[:, 1:], case["obs"][:, 1:])
        np.testing.assert_allclose(obs[:, 0], case["obs"][:, 0], rtol=0, atol=5e-3)
        np.testing.assert_allclose(reward, case["reward"], rtol=0, atol=2e-4)
        np.testing.assert_array_equal(over, case["terminated"])


@pytest.mark.parametrize("path", cases_of("fusion"))
def test_fusion(path: Path) -> None:
    from rlbench.suites.neorl2 import fusion, fusion_networks

    weights = Path(os.environ.get("RLBENCH_DATA", SHARED.parent)) / "neorl2/fusion"
    if not weights.is_dir():
        pytest.skip(f"no networks at {weights}: rlbench data fetch neorl2 --task Fusion")
    networks = fusion_networks.load(weights)
    episodes = read(path)
    some = slice(None, None, 5 if folder() == OWN else 1)  # 190 steps take ten seconds

    def before(name: str) -> Any:
        return np.concatenate([case[name][:-1] for case in episodes])[some]

    def after(name: str) -> Any:
        return np.concatenate([case[name][1:] for case in episodes])[some]

    state = fusion.State(
        before("x_inputs_milli"), before("x_targets_milli"), before("x_lstm_x"),
        before("obs")[:, 6:9],
    )  # fmt: skip
    drawn = np.concatenate([after("x_targets_milli"), after("x_inputs_milli")[:, 3:6]], axis=1)
    actions = np.concatenate([case["actions"] for case in episodes])[some]
    state = fusion.advance(state, actions, (drawn + 0.5) / 1000.0, networks)
    np.testing.assert_array_equal(state.inputs, after("x_inputs_milli"))
    np.testing.assert_array_equal(state.targets, after("x_targets_milli"))
    np.testing.assert_allclose(state.window, after("x_lstm_x"), rtol=1e-7, atol=2e-5)
    np.testing.assert_allclose(fusion.observe(state), after("obs"), rtol=1e-7, atol=2e-5)
    found = fusion.reward(before("obs"), actions, after("obs"))
    reward = np.concatenate([case["reward"] for case in episodes])[some]
    np.testing.assert_allclose(found, reward, rtol=0, atol=2e-6)

    for case in episodes:  # the first of an environment, or one that takes over what was
        given = fusion.State(
            case["x_inputs_milli"][:1], case["x_targets_milli"][:1], case["x_lstm_x"][:1],
            np.zeros((1, 3)),
        )  # fmt: skip
        fresh = case["episode_in_env"][0] == 0
        begun = fusion.begin(np.zeros((1, 0)), None if fresh else given, networks)
        np.testing.assert_allclose(begun.window, case["x_lstm_x"][:1], rtol=1e-7, atol=2e-5)
        np.testing.assert_allclose(fusion.observe(begun), case["obs"][:1], rtol=1e-7, atol=2e-5)


@pytest.mark.parametrize("path", cases_of("rocketrecovery"))
def test_rocket_recovery(path: Path) -> None:
    pytest.importorskip("Box2D", reason="pip install 'rlbench[neorl2]'", exc_type=ImportError)
    from rlbench.suites.neorl2.rocket import Rockets

    for case in read(path):
        start = [*case["init_force"][0], case["wind_idx0"][0]]
        simulator = Rockets(1, "train", reference=True)
        obs, reward, over = play(simulator, start, case["e_dispersion"], case["actions"])
        np.testing.assert_array_equal(obs, case["obs"])
        np.testing.assert_array_equal(reward, case["reward"])
        np.testing.assert_array_equal(over, case["terminated"])


@pytest.mark.parametrize("path", cases_of("safetyhalfcheetah"))
def test_safety_half_cheetah(path: Path) -> None:
    pytest.importorskip("mujoco", reason="pip install 'rlbench[neorl2]'")
    from rlbench.suites.neorl2.locomotion import HalfCheetahs

    for case in read(path):
        state = np.concatenate([case["x_qpos"], case["x_qvel"]], axis=1)[:-1]
        simulator = HalfCheetahs(len(state), reference=True)
        out = step_each(simulator, state, case["actions"])
        np.testing.assert_allclose(out.obs, case["obs"][1:], rtol=0, atol=1e-7)
        np.testing.assert_allclose(out.reward, case["reward"], rtol=0, atol=1e-7)
        np.testing.assert_array_equal(out.cost, case["cost"])
        np.testing.assert_array_equal(out.terminated, case["terminated"])


@pytest.mark.parametrize("path", cases_of("randomfrictionhopper"))
def test_random_friction_hopper(path: Path) -> None:
    mujoco = pytest.importorskip("mujoco", reason="pip install 'rlbench[neorl2]'")
    from rlbench.suites.neorl2 import locomotion

    compared = 0
    for case in read(path):
        state = np.concatenate([case["x_qpos"], case["x_qvel"]], axis=1)[:-1]
        model = locomotion.load_model("hopper.xml")
        free = [
            touches_nothing(mujoco, model, *pair)
            for pair in zip(state, case["actions"], strict=True)
        ]
        if not any(free):
            continue
        state[:, :6] -= model.qpos0
        start = np.concatenate([state, case["x_friction_obs"][:-1, None]], axis=1)[free]
        out = step_each(locomotion.Hoppers(sum(free), reference=True), start, case["actions"][free])
        np.testing.assert_allclose(out.obs, case["obs"][1:][free], rtol=0, atol=1e-9)
        np.testing.assert_allclose(out.reward, case["reward"][free], rtol=0, atol=1e-9)
        np.testing.assert_array_equal(out.terminated, case["terminated"][free])
        compared += sum(free)
        over = locomotion.hopper_terminal(case["obs"][:-1], case["actions"], case["obs"][1:])
        np.testing.assert_array_equal(over, case["terminated"])
        gained = locomotion.hopper_reward(case["obs"][:-1], case["actions"], case["obs"][1:])
        np.testing.assert_allclose(gained, case["reward"], rtol=0, atol=1e-9)
    assert compared >= (20 if folder() == OWN else 0)
