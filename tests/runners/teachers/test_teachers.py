"""Each teacher does what it is known for, on a student whose region of progress is known."""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box
from numpy.typing import NDArray
from support.teachers import Floats, Student, earlier, report, stump_space, task_info, teach

from rlbench.errors import MissingExtra, UsageError
from rlbench.results.curricula import dump_curricula
from rlbench.runners.teachers.teacher import TEACHERS, load_teacher, resolve_teacher

EPISODES = 2000
WHILE_LEARNING = slice(200, 800)  # a good teacher's student has little left to learn later
QUICK: dict[str, dict[str, Any]] = {
    "uniform": {},
    "alp-gmm": {"fit_every": 40, "most_gaussians": 3},
    "covar-gmm": {"fit_every": 40, "most_gaussians": 3},
    "riac": {"region": 40},
    "adr": {"queue": 3, "grow_at": 50.0},
    "spdl": {"update_every": 1000, "first_update": 1000, "free_updates": 2},
    "goal-gan": {"update_every": 20},
    "setter-solver": {"update_every": 15, "hidden": 8},
    "again": {
        "fit_every": 40, "most_gaussians": 3, "pretest": 15, "block": 20, "recent": 10,
        "least_progress": 0.01,
    },
}  # fmt: skip
MODULES = {"teachers": "sklearn", "teachers-torch": "torch"}  # of extras


def make(name: str, seed: int = 0, **config: Any) -> Any:
    if extra := TEACHERS.own[name].extra:
        pytest.importorskip(MODULES[extra], reason=f"needs the extra {extra}")
    return teach(name, seed, **config)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Options with which each teacher learns in few episodes."""
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("history") / "history.json"
    tasks = random.uniform(stump_space().low, stump_space().high, (80, 2))
    path.write_bytes(dump_curricula([earlier("a", tasks, 100.0 * random.random(80))]))
    return QUICK | {"again": {**QUICK["again"], "history": str(path)}}


@cache
def play(name: str, seed: int) -> tuple[int, NDArray[np.bool_]]:
    """Return how many tests are mastered, and which tasks were in the region of progress."""
    teacher, student, hits = make(name, seed), Student(seed), []
    for _ in range(EPISODES):
        tasks = teacher.propose(1)
        hits.append(student.progresses(tasks[0]))
        report(teacher, tasks, np.array([student.play(tasks[0])]))
    return student.mastered, np.array(hits)


@pytest.mark.parametrize("name", ["alp-gmm", "covar-gmm"])
@pytest.mark.parametrize("seed", [0])
def test_gaussians_find_the_region_of_progress(name: str, seed: int) -> None:
    """Of all tasks, the random ones too, 60% are in the region; it is 25% of the space."""
    assert play(name, seed)[1][WHILE_LEARNING].mean() >= 0.6
    assert play(name, seed)[0] >= 2 * play("uniform", seed)[0]


def test_regions_find_the_region_of_progress() -> None:
    """They are cut over time, so later than Gaussians do."""
    found = np.mean([play("riac", seed)[1][600:1200].mean() for seed in range(3)])
    even = np.mean([play("uniform", seed)[1][600:1200].mean() for seed in range(3)])
    assert found >= 1.5 * even
    assert min(play("riac", s)[0] for s in range(3)) > max(play("uniform", s)[0] for s in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alp-gmm", "covar-gmm", "riac"])
def test_more_is_mastered_than_with_random_tasks(name: str) -> None:
    """Over 20 seeds, by an interval of 95% of the mean difference."""
    gains = np.array([play(name, seed)[0] - play("uniform", seed)[0] for seed in range(20)])
    draws = np.random.default_rng(0).choice(gains, (2000, 20)).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    shares = [play(name, seed)[1][WHILE_LEARNING].mean() for seed in range(20)]
    print(
        f"{name}: {gains.mean():.1f} [{low:.1f}, {high:.1f}], in the region {np.mean(shares):.2f}"
    )
    assert low > 0.0
    if name != "riac":
        assert np.mean(shares) >= 0.6


def test_parts_of_a_region_tile_it_and_hold_its_episodes() -> None:
    teacher, random = make("riac", region=40), np.random.default_rng(0)
    for tasks in random.uniform(stump_space().low, stump_space().high, (400, 1, 2)):
        report(teacher, tasks, 100.0 * tasks[:, 0])
    leaves = [region for region in teacher.regions if region.cut is None]
    assert len(teacher.regions) == 2 * len(leaves) - 1 > 1
    areas = [np.prod(leaf.high - leaf.low) for leaf in leaves]
    assert sum(areas) == pytest.approx(18.0)
    for region in teacher.regions:
        assert ((region.high - region.low) >= 0.1 * np.array([3.0, 6.0]) - 1e-12).all()
        assert ((region.low <= region.tasks) & (region.tasks <= region.high)).all()


MASTERED = np.array([[0.0, 2.0], [1.55, 6.0]])  # lower and upper edges, that ADR is to find


@cache
def boxes(seed: int) -> dict[int, Floats]:
    """Return ADR's box after some numbers of episodes of a student that masters a fixed part."""
    teacher, found = make("adr", seed, easy=True), {}
    for episode in range(1, 3001):
        tasks = teacher.propose(1)
        masters = ((MASTERED[0] <= tasks) & (tasks <= MASTERED[1])).all()
        report(teacher, tasks, np.array([250.0 if masters else -50.0]))
        if episode % 1000 == 0:
            found[episode] = teacher.box.copy()
    return found


def test_the_box_of_adr_grows_to_what_is_mastered_and_not_further() -> None:
    assert boxes(0)[3000] == pytest.approx(MASTERED, abs=0.25)


@pytest.mark.slow
def test_the_box_of_adr_grows_so_with_other_seeds() -> None:
    """Over 20 seeds, by an interval of 95% of the mean distance of the edge that is farthest off.

    It begins as one task, 4 away, and each step of 0.1 takes 10 episodes on an edge.
    """
    for episodes in (2000, 3000):
        off = np.array([np.abs(boxes(k)[episodes] - MASTERED).max() for k in range(20)])
        draws = np.random.default_rng(0).choice(off, (2000, 20)).mean(axis=1)
        low, high = np.quantile(draws, [0.025, 0.975])
        print(
            f"adr: after {episodes} episodes the farthest edge is off by {off.mean():.3f}"
            f" [{low:.3f}, {high:.3f}], at most {off.max():.3f}; within 0.25 in"
            f" {(off <= 0.25).sum()} of 20"
        )
    assert off.max() <= 0.25


def test_adr_often_proposes_tasks_on_an_edge_of_its_box() -> None:
    teacher = make("adr", easy=True)
    teacher.box = MASTERED.astype(np.float32)
    tasks = teacher.propose(1000)
    on_edge = (tasks[:, None] == teacher.box).any(axis=(1, 2)).mean()
    assert on_edge == pytest.approx(0.7, abs=0.05)


def test_the_box_of_adr_stays_a_task_that_is_out_of_reach() -> None:
    teacher = make("adr", seed=3)
    start = teacher.propose(1)
    for _ in range(200):
        report(teacher, teacher.propose(1), np.array([-100.0]))
    np.testing.assert_array_equal(teacher.propose(5), np.repeat(start, 5, axis=0))


@pytest.mark.parametrize("name", ["adr", "goal-gan", "setter-solver"])
def test_some_need_to_know_which_returns_are_good(name: str) -> None:
    make(name)  # or its extra is missing
    with pytest.raises(UsageError, match=rf"{name} needs to know .*'mastered_above'"):
        load_teacher(name)(task_info(knows=False), seed=0)


@pytest.mark.parametrize("name", ["alp-gmm", "covar-gmm"])
def test_easy_tasks_come_first_where_they_are_known(name: str) -> None:
    known, unknown = (make(name, easy=easy).propose(200) for easy in (True, False))
    assert known.mean(axis=0) == pytest.approx([0.12, 5.76], abs=0.1)  # clipped at the corner
    assert unknown.mean(axis=0) == pytest.approx([1.5, 3.0], abs=0.3)


def _teach_some(teacher: Any, seed: int, rounds: int = 40) -> Floats:
    random, proposed = np.random.default_rng(seed), []
    for _ in range(rounds):
        tasks = teacher.propose(3)
        proposed.append(tasks)
        report(teacher, tasks, 100.0 * tasks[:, 0] + random.normal(0.0, 30.0, 3))
    return np.array(proposed)


@pytest.mark.parametrize("name", QUICK)
def test_saved_it_goes_on_as_if_nothing_happened(
    name: str, quick: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    teacher = make(name, **quick[name])
    early = _teach_some(teacher, 0, 1)
    begun, loaded = tmp_path / "begun", tmp_path / "loaded"
    begun.mkdir()
    teacher.save(begun)
    first = _teach_some(teacher, 1)
    other = make(name, seed=1, **quick[name])
    assert not np.array_equal(other.propose(3), early[0])
    other = make(name, **quick[name])
    other.load(begun)
    np.testing.assert_array_equal(_teach_some(other, 1), first)
    loaded.mkdir()
    teacher.save(loaded)
    other = make(name, **quick[name])
    other.load(loaded)
    np.testing.assert_array_equal(_teach_some(other, 2), _teach_some(teacher, 2))


@pytest.mark.parametrize("name", QUICK)
def test_proposals_are_in_a_space_that_float32_rounds_out_of(
    name: str, quick: dict[str, dict[str, Any]]
) -> None:
    """As those of parkour, whose upper edge 0.05 is larger in float32."""
    space = Box(np.array([-0.35, 0.6]), np.array([0.05, 0.7]), dtype=np.float64)
    teacher = make(name, space=space, **quick[name])
    tasks = _teach_some(teacher, 0).reshape(-1, 2)
    for _ in range(100):  # as a box grows to the edges
        report(teacher, teacher.propose(3), np.full(3, 300.0))
    tasks = np.concatenate([tasks, teacher.propose(300)])
    assert ((tasks >= space.low) & (tasks <= space.high)).all()
    assert teacher.propose(0).shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("riac", "random_share", 1.5, "random_share must be in"),
        ("riac", "random_share", 0.95, "must sum to <= 1"),
        ("riac", "discard_share", 0.001, "forget an episode"),
        ("adr", "queue", 0, "queue must be a whole number >= 1"),
        ("adr", "step", 0.0, "step must be above 0"),
        ("adr", "grow_at", -1.0, "must be below grow_at"),
        ("alp-gmm", "fit_every", 8, "fit_every must be a whole number >= 9"),
        ("covar-gmm", "most_gaussians", 1, "most_gaussians must be a whole number >= 2"),
        ("spdl", "zeta", 0.0, "zeta must be above 0"),
        ("goal-gan", "too_hard", 0.8, "0 <= too_hard <= too_easy <= 1"),
        ("goal-gan", "distance", -1.0, "distance must be 0 or more"),
        ("setter-solver", "noise", -1.0, "noise must be 0 or more"),
    ],
)
def test_options_that_do_not_fit(name: str, option: str, value: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(name, **{option: value})


def test_options_are_in_the_config() -> None:
    config = resolve_teacher("riac", {"cuts": 20}).id.config
    assert (config["cuts"], config["region"]) == (20, 150)


@pytest.mark.parametrize(
    ("name", "missing", "modules"),
    [
        ("alp-gmm", "sklearn.exceptions", ("mixtures", "alp_gmm")),
        ("goal-gan", "torch", ("networks", "goal_gan")),
        ("setter-solver", "torch", ("networks", "flow", "setter_solver")),
    ],
)
def test_without_an_extra_one_line_says_what_to_install(
    name: str, missing: str, modules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for module in modules:
        monkeypatch.delitem(sys.modules, f"rlbench.runners.teachers.{module}", raising=False)
        monkeypatch.delattr(f"rlbench.runners.teachers.{module}", raising=False)
    extra = TEACHERS.own[name].extra
    with pytest.raises(MissingExtra, match=rf"'{name}' needs an extra: .*rlbench\[{extra}\]"):
        resolve_teacher(name, {})
