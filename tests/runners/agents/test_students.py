"""The students SAC and PPO: losses as slow numpy has them, the same bits again, and learning."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="no torch: pip install 'rlbench[agents]'")

from rlbench.errors import UsageError  # noqa: E402
from rlbench.runners import TaskInfo, Transitions  # noqa: E402
from rlbench.runners.agents import ppo, sac  # noqa: E402
from rlbench.runners.agents.common.batches import Batch  # noqa: E402
from rlbench.runners.agents.common.moments import Moments  # noqa: E402

OBS, ACTIONS = 3, 2
SMALL: dict[ModuleType, dict[str, Any]] = {
    sac: {"hidden": [8, 6], "batch_size": 16, "start_steps": 40, "update_every": 2},
    ppo: {"hidden": [8, 6], "steps": 40, "batches": 4, "epochs": 2},
}
STUDENTS = pytest.mark.parametrize("module", [sac, ppo])
Floats = NDArray[np.float64]


def task_of(**changes: Any) -> TaskInfo:
    told: dict[str, Any] = {
        "suite": "toy@1", "task": "toy", "num_envs": 1, "budget": 1000, "unit": "steps",
        "observation_space": Box(-np.inf, np.inf, (OBS,), np.float32),
        "action_space": Box(-1.0, 3.0, (ACTIONS,), np.float32),
        "max_episode_steps": 10, "kind": "curriculum",
    }  # fmt: skip
    return TaskInfo(**{**told, **changes})


def make(module: ModuleType, seed: int = 0, **options: Any) -> Any:
    return module.make(task_of(), seed=seed, device="cpu", **{**SMALL[module], **options})


def live(agent: Any, steps: int, seed: int = 0) -> tuple[list[Floats], list[float]]:
    """Let an agent act and learn where it pays to act as observed; episodes have 5 or 10 steps."""
    random = np.random.default_rng(seed)
    obs = random.uniform(-1, 1, (1, OBS)).astype(np.float32)
    no, yes = np.array([False]), np.array([True])
    actions, rewards = [], []
    for step in range(1, steps + 1):
        action = agent.act(obs, no, phase="train")
        reward = -np.abs(action - 1.0 - obs[:, :ACTIONS]).sum(axis=1).astype(np.float64)
        following = random.uniform(-1, 1, (1, OBS)).astype(np.float32)
        ends = yes if step % 15 == 5 else no, yes if step % 15 == 0 else no
        agent.observe(Transitions(obs, action, reward, *ends, following, no, no, yes))
        obs = following
        actions.append(action.copy())
        rewards.append(float(reward[0]))
    return actions, rewards


def forward(layers: Any, x: Floats, member: int = 0) -> Floats:
    """Return what a network of ReLU layers gives for one input."""
    for number, (weights, biases) in enumerate(layers):
        x = x @ weights[member].numpy().astype(np.float64) + biases[member, 0].numpy()
        x = x if number == len(layers) - 1 else np.maximum(x, 0.0)
    return x


def test_the_losses_of_sac_are_those_of_slow_numpy() -> None:
    agent = make(sac, alpha=0.3)
    random = np.random.default_rng(1)
    n = 5
    obs, after = random.normal(size=(2, n, OBS)).astype(np.float32)
    action = random.uniform(-1, 1, (n, ACTIONS)).astype(np.float32)
    noise = random.normal(size=(n, ACTIONS)).astype(np.float32)
    reward = random.normal(size=n).astype(np.float32)
    goes_on = np.array([1, 1, 0, 1, 1], dtype=np.float32)
    agent._slow_value.flat.add_(0.1)  # so that it is not the value network
    parts = (obs, action, reward, after, goes_on)
    found = agent.losses(
        Batch(*(torch.from_numpy(part[None]) for part in parts)), torch.from_numpy(noise[None])
    )
    policy = critics = value = 0.0
    for k in range(n):
        outputs = forward(agent._policy.still, obs[k].astype(np.float64))
        mean, log_std = outputs[:ACTIONS], -20 + 11 * (np.tanh(outputs[ACTIONS:]) + 1)
        before = mean + np.exp(log_std) * noise[k]
        log_p = 0.0
        for d in range(ACTIONS):
            normal = np.exp(-0.5 * noise[k, d] ** 2) / np.sqrt(2 * np.pi) / np.exp(log_std[d])
            log_p += np.log(normal / (1 - np.tanh(before[d]) ** 2))
        drawn = np.concatenate([obs[k], np.tanh(before)])
        judged = [forward(agent._critics.still, drawn, m)[0] for m in range(2)]
        policy += (0.3 * log_p - judged[0]) / n
        later = forward(agent._slow_value.still, after[k].astype(np.float64))[0]
        target = reward[k] + 0.99 * goes_on[k] * later
        pair = np.concatenate([obs[k], action[k]]).astype(np.float64)
        for m in range(2):
            critics += 0.5 * (forward(agent._critics.still, pair, m)[0] - target) ** 2 / n
        soft = min(judged) - 0.3 * log_p
        value += 0.5 * (forward(agent._value.still, obs[k].astype(np.float64))[0] - soft) ** 2 / n
    # Single precision.
    assert found.policy.item() == pytest.approx(policy, rel=1e-5)
    assert found.critics.item() == pytest.approx(critics, rel=1e-5)
    assert found.value.item() == pytest.approx(value, rel=1e-5)


def test_targets_of_sac_carry_no_gradient() -> None:
    agent = make(sac)
    live(agent, 30)
    batch = agent._replay.draw([agent._draws], 8)
    losses = agent.losses(batch, torch.randn(1, 8, ACTIONS))
    for loss, network in zip(losses, (agent._policy, agent._critics, agent._value), strict=True):
        others = {agent._policy, agent._critics, agent._value} - {network}
        leaves = [network._leaf, *(other._leaf for other in others)]
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
        assert gradients[0] is not None
        assert gradients[1:] == (None, None)


@pytest.mark.parametrize(("length", "updates"), [(1, 1), (10, 1), (11, 2), (25, 3)])
def test_sac_learns_at_the_end_of_an_episode(length: int, updates: int) -> None:
    agent = make(sac, update_every=10)
    obs, one = np.zeros((1, OBS), np.float32), np.array([True])
    for step in range(1, length + 1):
        action = agent.act(obs, one, phase="train")
        ends = np.array([step == length])
        assert agent._updates == 0
        agent.observe(
            Transitions(obs, action, np.ones(1), ~one, ends, obs, ~one, ~one, one)
        )  # fmt: skip
    assert agent._updates == updates


def test_the_loss_of_ppo_is_that_of_slow_numpy() -> None:
    nets = make(ppo)._nets.double()
    random = np.random.default_rng(2)
    n = 6
    with torch.no_grad():
        nets.log_std.copy_(torch.tensor([0.2, -0.3]))
        nets.mean.weight.mul_(100.0)
    obs, action = random.normal(size=(n, OBS)), random.normal(size=(n, ACTIONS))
    log_p, value, advantage, ret = random.normal(size=(4, n))
    with torch.no_grad():  # close, so that some ratios are clipped and some are not
        drawn = nets.log_density(nets(torch.from_numpy(obs))[0], torch.from_numpy(action))
    log_p = drawn.numpy() + 0.3 * log_p
    batch = ppo.Batch(*map(torch.from_numpy, (obs, action, log_p, value, advantage, ret)))
    found = ppo.loss(nets, batch, clip=0.2, value_weight=0.7).item()

    layers = {name: part.detach().numpy() for name, part in nets.state_dict().items()}
    policy = errors = 0.0
    clipped = 0
    for k in range(n):
        h = np.tanh(layers["trunk.0.weight"] @ obs[k] + layers["trunk.0.bias"])
        h = np.tanh(layers["trunk.2.weight"] @ h + layers["trunk.2.bias"])
        mean = layers["mean.weight"] @ h + layers["mean.bias"]
        now = layers["value.weight"][0] @ h + layers["value.bias"][0]
        density = 1.0
        for d in range(ACTIONS):
            std = np.exp(layers["log_std"][d])
            density *= np.exp(-0.5 * ((action[k, d] - mean[d]) / std) ** 2)
            density /= std * np.sqrt(2 * np.pi)
        ratio = density / np.exp(log_p[k])
        clipped += abs(ratio - 1) > 0.2
        scaled = (advantage[k] - np.mean(advantage)) / np.std(advantage)
        policy -= min(ratio * scaled, np.clip(ratio, 0.8, 1.2) * scaled) / n
        near = value[k] + np.clip(now - value[k], -0.2, 0.2)
        errors += max((now - ret[k]) ** 2, (near - ret[k]) ** 2) / n
    assert 0 < clipped < n
    assert found == pytest.approx(policy + 0.7 * 0.5 * errors, rel=1e-6)


def test_advantages_are_sums_of_discounted_errors() -> None:
    random = np.random.default_rng(3)
    rewards, values, after = random.normal(size=(3, 7, 2))
    ended = random.uniform(size=(7, 2)) < 0.3
    found = ppo.advantages(rewards, values, after, ended, gamma=0.9, lam=0.8)
    for slot in range(2):
        for t in range(7):
            total, weight = 0.0, 1.0
            for k in range(t, 7):
                total += weight * (rewards[k, slot] + 0.9 * after[k, slot] - values[k, slot])
                if ended[k, slot]:
                    break
                weight *= 0.9 * 0.8
            assert found[t, slot] == pytest.approx(total, rel=1e-12)


def test_ppo_goes_on_after_a_cut_and_not_after_an_end() -> None:
    agent = make(ppo, steps=4, batches=1, epochs=1, lam=0.0)
    seen: list[ppo.Batch] = []
    agent._update = seen.append
    obs = np.ones((1, OBS), np.float32)
    no, yes = np.array([False]), np.array([True])
    values = []
    for step in range(4):
        action = agent.act(obs, no, phase="train")
        values.append(agent.value(obs)[0])
        ends = (yes, no) if step == 0 else (no, yes) if step == 1 else (no, no)
        agent.observe(Transitions(obs, action, np.zeros(1), *ends, obs, no, no, yes))
    # No reward, so a return is what follows: nothing, the cut episode's rest, the next value, and
    # at the end of the batch the rest again.
    expected = [0.0, 0.99 * values[1], 0.99 * values[3], 0.99 * values[3]]
    np.testing.assert_allclose(np.sort(seen[0].ret.numpy()), np.sort(expected), rtol=1e-5)


def test_running_moments_are_those_of_all_rows() -> None:
    rows = np.random.default_rng(4).normal(3.0, 2.0, (100, 2))
    moments = Moments(2)
    for part in np.split(rows, [1, 7, 50]):
        moments.add(part)
    # They begin with a ten-thousandth of a number.
    np.testing.assert_allclose(moments.state[1].numpy(), rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(moments.deviation(), rows.std(0), rtol=1e-5)
    assert np.abs(moments.normalise(np.array([[1e9, 3.0]]))).max() == 10.0


@STUDENTS
def test_a_seed_gives_the_same_bits_again(module: ModuleType) -> None:
    state = torch.get_rng_state()
    actions, _ = live(make(module, 5), 100)
    again, _ = live(make(module, 5), 100)
    other, _ = live(make(module, 6), 100)
    np.testing.assert_array_equal(actions, again)
    assert not np.array_equal(actions, other)
    assert torch.equal(torch.get_rng_state(), state)


@STUDENTS
@pytest.mark.parametrize("steps", [0, 57])
def test_what_was_saved_goes_on_as_if_nothing_had_been(
    module: ModuleType, steps: int, tmp_path: Path
) -> None:
    agent, other = make(module, 1), make(module, 2)
    live(agent, steps)
    agent.save(tmp_path)
    other.load(tmp_path)
    np.testing.assert_array_equal(live(agent, 60, seed=9)[0], live(other, 60, seed=9)[0])


@STUDENTS
def test_evaluation_is_deterministic_and_changes_nothing(module: ModuleType) -> None:
    agent, other = make(module, 1), make(module, 1)
    live(agent, 50)
    live(other, 50)
    obs = np.random.default_rng(0).normal(size=(4, OBS)).astype(np.float32)
    first = np.zeros(4, np.bool_)
    shown = agent.act(obs, first, phase="eval")
    np.testing.assert_array_equal(agent.act(obs, first, phase="eval"), shown)
    assert shown.shape == (4, ACTIONS)
    assert shown.dtype == np.float32
    assert (shown >= -1).all()
    assert (shown <= 3).all()
    assert agent.value(obs).shape == (4,)
    np.testing.assert_array_equal(live(agent, 40)[0], live(other, 40)[0])


@pytest.mark.parametrize(
    ("module", "options", "steps"),
    [
        (sac, {"update_every": 1, "start_steps": 200}, 400),
        (ppo, {"steps": 200, "epochs": 10}, 1000),
    ],
)
def test_students_learn_what_pays(module: ModuleType, options: dict[str, Any], steps: int) -> None:
    obs = np.random.default_rng(8).uniform(-1, 1, (200, OBS)).astype(np.float32)
    best = 1.0 + obs[:, :ACTIONS]
    agent = make(module, hidden=[32], learning_rate=3e-3, gamma=0.0, **options)
    off = []
    for more in (1, steps):
        live(agent, more)
        off.append(np.abs(agent.act(obs, np.zeros(200, np.bool_), phase="eval") - best).mean())
    assert off[1] < off[0] / 2


@STUDENTS
def test_what_students_cannot_play_is_said(module: ModuleType) -> None:
    with pytest.raises(UsageError, match="actions in a bounded box"):
        module.make(task_of(action_space=Discrete(3)), seed=0, device="cpu")
    pixels = Box(0, 255, (8, 8, 3), np.uint8)
    with pytest.raises(UsageError, match="observations that are vectors"):
        module.make(task_of(observation_space=pixels), seed=0, device="cpu")


def test_ppo_refuses_steps_that_do_not_divide() -> None:
    with pytest.raises(UsageError, match="steps must be a multiple"):
        make(ppo, steps=41)
