"""GoalGAN and Setter-Solver: their networks, and what they come to propose to a known student."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box
from support.teachers import Floats, Gambler, report, stump_space, task_info, teach

pytest.importorskip("torch", reason="needs the extra teachers-torch")

import torch

from rlbench.runners.teachers import networks
from rlbench.runners.teachers.flow import Flow, scale_of
from rlbench.runners.teachers.goal_gan import GAN
from rlbench.runners.teachers.teacher import load_teacher

SPACE = stump_space()
GOOD = (0.25, 0.75)  # chances of good goals


def is_good(tasks: Floats) -> Any:
    chance = Gambler().chance(tasks)
    return (GOOD[0] <= chance) & (chance <= GOOD[1])


@cache
def shares_of_good_goals(seed: int) -> Floats:
    """Return the share of good goals in each 400 of 6,400 episodes of GoalGAN."""
    teacher, student, found = teach("goal-gan", seed, easy=True), Gambler(seed), []
    for _ in range(6400):
        tasks = teacher.propose(1)
        found.append(is_good(tasks[0]))
        report(teacher, tasks, np.array([student.play(tasks[0])]))
    return np.reshape(found, (16, 400)).mean(axis=1)


@cache
def agreement(seed: int) -> float:
    """Return the correlation of wanted and true chances after 600 updates of Setter-Solver."""
    teacher = teach("setter-solver", seed, hidden=16, rate=3e-3)
    student, random = Gambler(seed), np.random.default_rng(0)
    for _ in range(600):
        tasks = teacher.propose(50)
        report(teacher, tasks, np.array([student.play(task) for task in tasks]))
    wanted = random.uniform(size=1000)
    drawn = teacher.draw(random.standard_normal((1000, 2)), wanted)
    tasks = SPACE.low + drawn * (SPACE.high - SPACE.low)
    return float(np.corrcoef(wanted, student.chance(tasks))[0, 1])


def interval(values: Any) -> tuple[float, float]:
    """Return an interval of 95% of the mean of 20 values."""
    draws = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.slow
def test_the_generator_comes_to_draw_good_goals() -> None:
    shares = shares_of_good_goals(0)
    assert shares[0] < 0.05  # it begins with easy tasks
    assert shares[-1] > 0.25


@pytest.mark.slow
def test_more_good_goals_than_even_tasks() -> None:
    """Over 20 seeds."""
    even = is_good(np.random.default_rng(0).uniform(SPACE.low, SPACE.high, (100_000, 2))).mean()
    shares = [float(shares_of_good_goals(seed)[-2:].mean()) for seed in range(20)]
    low, high = interval(shares)
    print(
        f"goal-gan: {np.mean(shares):.2f} [{low:.2f}, {high:.2f}] good goals, even {even:.2f};"
        f" more than even in {sum(share > even for share in shares)} of 20"
    )
    assert low > even


@pytest.mark.slow
def test_the_setter_comes_to_draw_tasks_as_feasible_as_they_are_to_be() -> None:
    assert agreement(0) > 0.5


@pytest.mark.slow
def test_feasibilities_agree() -> None:
    """Over 20 seeds; 0 is no agreement."""
    found = [agreement(seed) for seed in range(20)]
    low, high = interval(found)
    print(f"setter-solver: correlation {np.mean(found):.2f} [{low:.2f}, {high:.2f}]")
    assert low > 0.0


@pytest.mark.parametrize("dimensions", [1, 2, 3, 6])
def test_the_flow_is_inverted_and_knows_its_density(dimensions: int) -> None:
    random = np.random.default_rng(dimensions)
    flow = Flow(dimensions, 8, random)
    latent = torch.as_tensor(random.standard_normal((5, dimensions)))
    condition = torch.as_tensor(random.uniform(size=(5, 1)))
    tasks, log_density = flow.sample(latent, condition)
    assert ((tasks > 0.0) & (tasks < 1.0)).all()
    torch.testing.assert_close(flow.log_density(tasks, condition), log_density)
    slopes = torch.autograd.functional.jacobian(
        lambda one: flow.sample(one, condition[:1])[0][0], latent[:1]
    ).reshape(dimensions, dimensions)
    expected = -0.5 * (latent[0] ** 2).sum() - torch.log(torch.linalg.det(slopes).abs())
    torch.testing.assert_close(log_density[0].detach(), expected)


def test_the_scale_is_positive_and_rises_everywhere() -> None:
    x = torch.cat([-torch.logspace(6, -3, 200, dtype=torch.float64),
                   torch.logspace(-3, 6, 200, dtype=torch.float64)])  # fmt: skip
    scales = scale_of(x)
    assert (scales >= 0.01).all()
    assert (scales.diff() >= 0.0).all()
    at_zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    scale_of(at_zero).sum().backward()
    assert at_zero.grad is not None
    assert at_zero.grad.item() == pytest.approx(0.5)
    assert scale_of(at_zero).item() == pytest.approx(0.01 + 1 / np.pi)


def test_a_gan_learns_to_draw_what_is_labelled() -> None:
    random = np.random.default_rng(0)
    tasks = np.concatenate([random.normal(0.3, 0.05, (60, 2)), random.normal(-0.3, 0.05, (60, 2))])
    gan = GAN(2, random)
    gan.train(tasks, np.arange(120) < 60, 400)
    assert gan.draw(500).detach().numpy().mean(axis=0) == pytest.approx([0.3, 0.3], abs=0.1)


def test_each_goal_gets_its_rollouts_and_mastered_ones_are_kept() -> None:
    teacher = teach("goal-gan", rollouts=3, update_every=1000, old_share=0.0)
    tasks = teacher.propose(9)
    np.testing.assert_array_equal(tasks, np.repeat(tasks[::3], 3, axis=0))
    returns = np.array([300.0, 300.0, 300.0, 300.0, 0.0, 300.0, 0.0, 0.0, 0.0])
    report(teacher, tasks, returns)
    np.testing.assert_array_equal(teacher.old, tasks[:1])
    report(teacher, tasks[:3], returns[:3])  # not asked for again: an old one
    np.testing.assert_array_equal(teacher.old, tasks[:1])


def test_episodes_that_had_not_ended_are_proposed_again(tmp_path: Any) -> None:
    teacher = teach("goal-gan", rollouts=2)
    going_on = teacher.propose(1)
    teacher.save(tmp_path)
    other = teach("goal-gan", seed=1, rollouts=2)
    other.load(tmp_path)
    np.testing.assert_array_equal(other.propose(2), np.repeat(going_on, 2, axis=0))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    for name in ("goal-gan", "setter-solver"):
        teacher = teach(name)
        report(teacher, teacher.propose(60), np.zeros(60))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_task_of_one_parameter() -> None:
    space = Box(np.array([0.0]), np.array([1.0]), dtype=np.float64)
    for name in ("goal-gan", "setter-solver"):
        teacher = load_teacher(name)(task_info(space=space), seed=0)
        tasks = teacher.propose(60)
        report(teacher, tasks, np.where(tasks[:, 0] > 0.4, 300.0, 0.0))
        assert ((tasks >= 0.0) & (tasks <= 1.0)).all()


def test_networks_are_read_without_running_what_they_hold(tmp_path: Any) -> None:
    layer = networks.linear(np.random.default_rng(0), 2, 3)
    torch.save({"layer": print}, tmp_path / "networks.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        networks.load_networks(tmp_path, layer=layer)
