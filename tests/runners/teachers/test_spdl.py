"""SPDL: its steps, and where its Gaussian goes with a student that learns and one that does not."""

from typing import Any

import numpy as np
import pytest
from support.teachers import Floats, report, stump_space, teach

from rlbench.runners.teachers import spdl
from rlbench.runners.teachers.spdl import Gaussian, divergence, gradient, objective

EPISODES, AT_ONCE = 35_000, 50  # of 100 steps each


@pytest.fixture(scope="module")
def drawn() -> tuple[Gaussian, Gaussian, Floats, Floats]:
    random = np.random.default_rng(0)
    factor = np.tril(random.normal(size=(3, 3)), -1) + np.diag([0.5, 1.0, 2.0])
    gaussian = Gaussian(random.normal(size=3), factor)
    target = Gaussian(random.normal(size=3), np.diag([1.0, 2.0, 3.0]))
    tasks = gaussian.mean + random.standard_normal((50, 3)) @ factor.T
    return gaussian, target, tasks, random.normal(size=50)


def differences(of: Any, size: int, width: float) -> Floats:
    steps = width * np.eye(size)
    return np.array([(of(step) - of(-step)) / (2 * width) for step in steps])


def test_the_gradient_is_that_of_the_objective(drawn: Any) -> None:
    gaussian, target, tasks, values = drawn

    def value_at(step: Floats) -> float:
        return objective(gaussian.moved(step), gaussian, target, tasks, values, 0.7)

    found = gradient(gaussian, target, tasks, values, 0.7)
    np.testing.assert_allclose(found, differences(value_at, 9, 1e-6), rtol=1e-6, atol=1e-7)


def test_the_divergence_is_that_of_drawn_tasks(drawn: Any) -> None:
    gaussian, target, _, _ = drawn
    tasks = gaussian.mean + np.random.default_rng(1).standard_normal((200_000, 3)) @ (
        gaussian.factor.T
    )
    found = (gaussian.log_density(tasks) - target.log_density(tasks)).mean()
    assert divergence(gaussian, target) == pytest.approx(found, rel=0.01)
    assert divergence(gaussian, gaussian) == pytest.approx(0.0, abs=1e-12)


def test_the_metric_is_the_curvature_of_the_divergence(drawn: Any) -> None:
    gaussian = drawn[0]

    def slope_at(step: Floats) -> Floats:
        return differences(lambda more: divergence(gaussian, gaussian.moved(step + more)), 9, 1e-4)

    found = differences(slope_at, 9, 1e-4)
    np.testing.assert_allclose(spdl.fisher(gaussian), found, rtol=1e-4, atol=1e-4)


def test_a_step_raises_the_objective_within_its_divergence(drawn: Any) -> None:
    gaussian, target, tasks, values = drawn
    new = spdl.stepped(gaussian, target, tasks, values, 0.7, 0.1)
    assert 0.05 < divergence(gaussian, new) <= 0.15
    scores = [objective(p, gaussian, target, tasks, values, 0.7) for p in (gaussian, new)]
    assert scores[1] > scores[0]
    flat = spdl.stepped(gaussian, target, tasks, np.zeros(50), 0.0, 0.1)
    assert flat is gaussian


def returns_of(tasks: Floats, episode: int) -> Floats:
    """The synthetic student of the original's recordings, which here comes to master all tasks."""
    ease = 0.35 - tasks[..., 0] / 3.0 - (6.0 - tasks[..., 1]) / 12.0
    return np.clip(300.0 * (3.0 * min(1.0, episode / 15_000) + ease), -120.0, 300.0)


def curriculum(seed: int, *, learns: bool) -> list[float]:
    """Return the divergence from all tasks, at the start and at the end."""
    teacher, episode = teach("spdl", seed, easy=True), 0

    def play(tasks: Floats) -> Floats:
        return returns_of(tasks, episode) if learns else np.zeros(len(tasks))

    teacher.ask(play)  # the first observations are the tasks
    start = divergence(teacher.gaussian, teacher.target)
    for episode in range(0, EPISODES, AT_ONCE):  # noqa: B007 - the student's age
        tasks = teacher.propose(AT_ONCE)
        report(teacher, tasks, play(tasks))
    assert teacher.updates == (3_500_000 - 150_000) // 50_000
    return [start, divergence(teacher.gaussian, teacher.target)]


def test_it_begins_with_easy_tasks_and_goes_to_all_as_they_are_mastered() -> None:
    """Over 20 seeds, by an interval of 95% of the mean of what is left of the divergence."""
    left = np.array([end / start for start, end in (curriculum(k, learns=True) for k in range(20))])
    draws = np.random.default_rng(0).choice(left, (2000, 20)).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    print(
        f"spdl: {left.mean():.3f} [{low:.3f}, {high:.3f}] of the divergence is left; less than a"
        f" tenth in {(left < 0.1).sum()} of 20"
    )
    assert high < 0.5


def test_it_stays_with_easy_tasks_of_a_student_that_learns_nothing() -> None:
    start, end = curriculum(0, learns=False)
    assert end == start
    easy = teach("spdl", easy=True).propose(500)
    assert easy.mean(axis=0) == pytest.approx([0.12, 5.76], abs=0.1)  # clipped at the corner


def test_without_easy_tasks_it_begins_somewhere() -> None:
    starts = np.array([teach("spdl", seed).gaussian.mean for seed in range(40)])
    space = stump_space()
    assert ((space.low <= starts) & (starts <= space.high)).all()
    assert (starts.std(axis=0) > 0.2 * (space.high - space.low)).all()
    deviations = np.diag(teach("spdl").gaussian.factor)
    np.testing.assert_allclose(deviations, 0.1 * (space.high - space.low))


def test_the_first_updates_come_when_there_were_enough_steps() -> None:
    teacher = teach("spdl", update_every=500, first_update=1200)
    counts = []
    for _ in range(20):
        report(teacher, teacher.propose(1), np.zeros(1))
        counts.append(teacher.updates)
    assert counts == [0] * 14 + [1] * 5 + [2]
