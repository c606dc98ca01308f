"""What agents in torch share, against numpy, scipy and torch's own."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box
from scipy import stats

from rlbench.errors import UsageError

torch = pytest.importorskip("torch", reason="needs the extra agents")

from rlbench.runners.agents.common.batches import Replay  # noqa: E402
from rlbench.runners.agents.common.networks import (  # noqa: E402
    MLP,
    Network,
    Numbers,
    Target,
    generators_of,
    glorot,
    normal,
)
from rlbench.runners.agents.common.policies import (  # noqa: E402
    Actions,
    Gaussian,
    gaussian,
    log_density,
    squash,
)
from rlbench.runners.agents.common.states import gather, load_state, save_state, scatter  # noqa: E402

SHAPE = MLP(sizes=(5, 16, 16, 2), members=3)


def slowly(layers: Any, x: np.ndarray) -> np.ndarray:
    """One perceptron on one input, in numpy."""
    for k, (weight, bias) in enumerate(layers):
        x = x @ weight + bias
        x = np.maximum(x, 0.0) if k < len(layers) - 1 else x
    return x


def test_members_of_all_seeds_are_perceptrons_of_their_own() -> None:
    network = Network(SHAPE, generators_of([7, 8], "cpu"), rate=1e-3)
    x = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    got = SHAPE(network.still, torch.from_numpy(x)).numpy()
    assert got.shape == (6, 4, 2)
    for seed in range(2):
        for member in range(3):
            row = 3 * seed + member
            layers = [(w[row].numpy(), b[row, 0].numpy()) for w, b in network.still]
            for k in range(4):
                np.testing.assert_allclose(
                    got[row, k], slowly(layers, x[seed, k]), rtol=1e-5, atol=1e-6
                )


def test_a_seed_learns_as_if_it_were_alone() -> None:
    """Bit for bit: its draws, its batches and its gradient are those of a run without others."""
    x = normal((32, 5), generators_of([1, 2, 3], "cpu"))

    def learn(places: slice) -> list[Any]:
        network = Network(SHAPE, generators_of([7, 8, 9][places], "cpu"), rate=1e-2)
        for step in range(1, 20):
            network.descend(SHAPE(network.layers(), x[places]).square().mean(1).sum(), step)
        return [SHAPE.of_seed(network.flat, k) for k in range(len(x[places]))]

    together = learn(slice(None))
    for k, parts in enumerate(together):
        alone = learn(slice(k, k + 1))[0]
        assert all(torch.equal(a, b) for a, b in zip(parts, alone, strict=True))
    assert not torch.equal(together[0][0], together[1][0])


def test_first_parameters_are_uniform_within_their_bounds() -> None:
    for bounds, least in ((None, 1 / math.sqrt(200)), (glorot, math.sqrt(6 / 500))):
        options = {} if bounds is None else {"bounds": bounds}
        shape = MLP(sizes=(200, 300), **options)
        (weight, bias), *_ = shape.layers(shape.draw(generators_of([0], "cpu")))
        assert stats.kstest(weight.ravel().numpy(), "uniform", (-least, 2 * least)).pvalue > 0.01
        assert bool(bias.any()) == (bounds is None)


def test_adam_is_torchs() -> None:
    network = Network(SHAPE, generators_of([0], "cpu"), rate=3e-3)
    weights = [part.clone().requires_grad_() for pair in network.still for part in pair]
    theirs = torch.optim.Adam(weights, lr=3e-3)
    x = normal((64, 5), generators_of([1], "cpu"))
    for step in range(1, 50):
        network.descend(SHAPE(network.layers(), x).sin().mean(), step)
        theirs.zero_grad()
        SHAPE(list(zip(weights[::2], weights[1::2], strict=True)), x).sin().mean().backward()
        theirs.step()
    for ours, other in zip([part for pair in network.still for part in pair], weights, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-5)


def test_a_target_follows() -> None:
    network = Network(SHAPE, generators_of([0], "cpu"), rate=0.1)
    target = Target(network)
    before = network.flat.clone()
    x = normal((8, 5), generators_of([1], "cpu"))
    network.descend(SHAPE(network.layers(), x).square().sum(), 1)
    target.follow(network, 0.25)
    torch.testing.assert_close(target.flat, 0.75 * before + 0.25 * network.flat)
    assert torch.equal(target.still[0][0].flatten(), target.flat[: 3 * 5 * 16])


def test_densities_of_squashed_actions() -> None:
    """The logarithm of the density is that of the normal less that of the slope of tanh."""
    random = np.random.default_rng(0)
    mean, log_deviation, noise = random.normal(0, 1, (3, 50, 2))
    policy = Gaussian(torch.from_numpy(mean), torch.from_numpy(log_deviation))
    action, log = squash(policy, torch.from_numpy(noise))
    inner = mean + np.exp(log_deviation) * noise
    np.testing.assert_allclose(action.numpy(), np.tanh(inner))
    want = stats.norm.logpdf(inner, mean, np.exp(log_deviation)) - np.log(1 - np.tanh(inner) ** 2)
    np.testing.assert_allclose(log.numpy(), want.sum(-1), rtol=1e-6)
    near = np.abs(action.numpy()).max(-1) < 0.999
    np.testing.assert_allclose(
        log_density(policy, action).numpy()[near], want.sum(-1)[near], rtol=1e-6
    )


def test_logged_actions_at_a_bound_have_a_density() -> None:
    policy = Gaussian(torch.zeros(3, 1), torch.zeros(3, 1))
    found = log_density(policy, torch.tensor([[1.0], [-1.0], [1.0 - 1e-6]]))
    assert found.isfinite().all()
    torch.testing.assert_close(found, found[:1].expand(3))


@pytest.mark.parametrize(("squashed", "want"), [(False, [-5.0, 0.0, 2.0]), (True, None)])
def test_deviations_stay_in_their_range(squashed: bool, want: list[float] | None) -> None:
    raw = torch.tensor([[-9.0], [0.0], [9.0]])
    found = gaussian(torch.cat([raw, raw], -1), -5.0, 2.0, squashed=squashed)
    if want is None:
        want = (-5.0 + 3.5 * (np.tanh([-9.0, 0.0, 9.0]) + 1.0)).tolist()
    torch.testing.assert_close(found.log_deviation[:, 0], torch.tensor(want))
    assert torch.equal(found.mean, raw)


def rows(n: int, first: int = 0) -> dict[str, np.ndarray]:
    number = np.arange(first, first + n, dtype=np.float64)
    return {
        "obs": number[:, None] + [0.0, 0.25],
        "action": -number[:, None],
        "reward": 10 * number,
        "next_obs": number[:, None] + [1.0, 1.25],
        "terminated": number % 2 == 1,
    }


def test_a_replay_keeps_the_last_and_draws_whole_transitions() -> None:
    replay = Replay(8, 2, 1, "cpu")
    for first in range(0, 15, 3):
        replay.add(**rows(3, first))
    assert (len(replay), replay.added) == (8, 15)
    batch = replay.draw(generators_of([0, 1], "cpu"), 200)
    number = batch.obs[..., 0]
    assert sorted(set(number.flatten().tolist())) == list(range(7, 15))
    assert torch.equal(batch.obs[..., 1], number + 0.25)
    assert torch.equal(batch.action[..., 0], -number)
    assert torch.equal(batch.reward, 10 * number)
    assert torch.equal(batch.next_obs, batch.obs + 1)
    assert torch.equal(batch.goes_on, 1 - number % 2)
    assert not torch.equal(number[0], number[1])
    again = replay.draw(generators_of([1], "cpu"), 200)
    assert torch.equal(again.obs[0], batch.obs[1])


def test_a_replay_that_was_restored_goes_on_alike(tmp_path: Any) -> None:
    one, other = Replay(8, 2, 1, "cpu"), Replay(8, 2, 1, "cpu")
    one.add(**rows(5))
    save_state(tmp_path, one.state())
    other.restore(load_state(tmp_path, "cpu"))
    for replay in (one, other):
        replay.add(**rows(6, 5))
    left, right = (r.draw(generators_of([3], "cpu"), 50) for r in (one, other))
    assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_what_is_loaded_is_data_only(tmp_path: Any) -> None:
    torch.save({"a": pairwise}, tmp_path / "state.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        load_state(tmp_path, "cpu")


def test_views_are_filled_with_what_was_gathered() -> None:
    network = Network(SHAPE, generators_of([0, 1], "cpu"), rate=0.1)
    network.descend(SHAPE(network.layers(), normal((8, 5), generators_of([1, 2], "cpu"))).sum(), 1)
    kept, other = gather(network.of_seed(1)), gather(network.of_seed(0))
    scatter(kept, network.of_seed(0))
    scatter(other, network.of_seed(1))
    assert torch.equal(gather(network.of_seed(0)), kept)
    assert torch.equal(gather(network.of_seed(1)), other)
    assert not torch.equal(kept, other)
    with pytest.raises(ValueError, match="what was saved has 2 numbers, not 1"):
        scatter(torch.zeros(2), [torch.zeros(1)])


def test_numbers_are_trained_by_adam() -> None:
    numbers = Numbers(0.5, generators_of([0, 1], "cpu"), rate=0.1)
    numbers.descend(torch.tensor([3.0, -2.0]), 1)
    torch.testing.assert_close(numbers.flat, torch.tensor([0.4, 0.6]))


def test_actions_of_a_box() -> None:
    actions = Actions(Box(np.array([0.0, -3.0]), np.array([4.0, 1.0]), dtype=np.float64), "sac")
    inner = actions.inner(np.array([[0.0, 1.0], [3.0, -1.0]]))
    assert inner.tolist() == [[-1.0, 1.0], [0.5, 0.0]]
    assert actions.outer(inner).tolist() == [[0.0, 1.0], [3.0, -1.0]]
    with pytest.raises(UsageError, match="the agent sac needs actions in a bounded box"):
        Actions(Box(-np.inf, np.inf, (1,)), "sac")
