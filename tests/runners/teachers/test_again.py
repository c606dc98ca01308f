"""AGAIN: which earlier curriculum it chooses, and what it teaches of it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.teachers import Floats, Student, earlier, report, stump_space, task_info, teach

from rlbench.errors import UsageError
from rlbench.results.curricula import dump_curricula, read_curricula
from rlbench.runners.teachers.teacher import load_teacher, resolve_teacher

pytest.importorskip("sklearn", reason="needs the extra teachers")

from rlbench.runners.teachers import again

WIDTH = stump_space().high - stump_space().low
CENTRES = ((1.8, 2.4), (0.8, 4.4))  # of what two kinds of students can learn
PRETEST = 150


def play(teacher: Any, seed: int, kind: int, episodes: int) -> tuple[Student, Floats, Floats, Any]:
    """Return the student, its tasks, its returns, and which tasks were in its region."""
    student, tasks, returns, hits = Student(1000 + seed, CENTRES[kind]), [], [], []
    for _ in range(episodes):
        proposed = teacher.propose(1)
        hits.append(student.progresses(proposed[0]))
        returns.append(student.play(proposed[0]))
        tasks.append(proposed[0].copy())
        report(teacher, proposed, np.array(returns[-1:]))
    return student, np.array(tasks), np.array(returns), np.array(hits)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two students of each kind, taught by ALP-GMM."""
    found = []
    for number in range(4):
        student, tasks, returns, _ = play(teach("alp-gmm", 100 + number), number, number % 2, 1000)
        found.append(earlier(f"{number:016x}", tasks, returns, student.mastered))
    path = tmp_path_factory.mktemp("history") / "history.json"
    path.write_bytes(dump_curricula(found))
    return path


@cache
def compare(path: Path, seed: int) -> tuple[bool, Floats, Floats]:
    """Return if AGAIN chose well; the shares in the region after the pretest, and the mastered.

    Each of the two is of AGAIN, then of ALP-GMM.
    """
    kind = seed % 2
    teachers = [
        teach("again", seed, history=str(path), pretest=PRETEST, neighbours=2),
        teach("alp-gmm", seed),
    ]
    played = [play(teacher, seed, kind, 600) for teacher in teachers]
    shares = np.array([hits[PRETEST : PRETEST + 300].mean() for _, _, _, hits in played])
    mastered = np.array([student.mastered for student, _, _, _ in played])
    return teachers[0].chosen % 2 == kind, shares, mastered


@pytest.mark.parametrize("seed", [0, 1])
def test_it_teaches_where_a_similar_student_progressed(history: Path, seed: int) -> None:
    chose_well, shares, mastered = compare(history, seed)
    assert chose_well
    assert shares[0] >= 0.8
    assert shares[0] > shares[1]
    assert mastered[0] > mastered[1]


@pytest.mark.slow
def test_it_is_ahead_of_alp_gmm_from_the_pretest_on(history: Path) -> None:
    """Over 20 seeds, by an interval of 95% of the mean difference."""
    outcomes = [compare(history, seed) for seed in range(20)]
    gains = np.array([mastered[0] - mastered[1] for _, _, mastered in outcomes])
    draws = np.random.default_rng(0).choice(gains, (2000, 20)).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    share = np.mean([shares for _, shares, _ in outcomes], axis=0)
    print(
        f"again: {gains.mean():.1f} [{low:.1f}, {high:.1f}] more than alp-gmm after 600 episodes,"
        f" in the region {share[0]:.2f} against {share[1]:.2f}"
    )
    assert all(chose_well for chose_well, _, _ in outcomes)
    assert low > 0.0


def test_unlikeness_compares_the_returns_of_near_tasks() -> None:
    tasks = np.array([[0.0, 0.0], [3.0, 6.0], [1.5, 3.0]])
    one = earlier("a", tasks, np.array([0.0, 100.0, 50.0]))
    near, returns = tasks + 0.1, np.array([10.0, 70.0, 50.0])
    assert again.unlikeness(one, near, returns, WIDTH) == pytest.approx(40.0 / 3.0)


def test_the_best_of_the_most_similar_is_chosen() -> None:
    tasks = np.array([[0.0, 0.0], [3.0, 6.0]])
    history = [
        earlier(name, tasks, np.array(returns), score)
        for name, returns, score in (
            ("a", [0.0, 100.0], 10.0), ("b", [0.0, 90.0], 20.0), ("c", [100.0, 0.0], 90.0),
        )
    ]  # fmt: skip
    for k, best in ((1, 0), (2, 1), (3, 2)):
        assert again.choose_earlier(history, tasks, np.array([0.0, 100.0]), WIDTH, k) == best


def test_stages_hold_what_progressed_and_the_bar_is_what_was_reached() -> None:
    random = np.random.default_rng(0)
    tasks = random.uniform(0.0, 1.0, (300, 2))
    left = tasks[:, 0] < 0.5
    returns = np.where(left, np.repeat([0.0, 100.0, 200.0], 100), 0.0)
    stages = again.stages_of(
        earlier("a", tasks, returns), range(2, 5), 0, block=100, least_progress=20.0, recent=50
    )
    assert [stage.bar for stage in stages] == pytest.approx([200.0], abs=40.0)
    for stage in stages:
        assert (stage.niches.means[:, 0] < 0.6).all()
        assert (stage.niches.means[:, 2] > 20.0).all()


def test_it_goes_on_when_the_bar_is_reached_and_ends_as_alp_gmm(history: Path) -> None:
    teacher = teach("again", 0, history=str(history), pretest=PRETEST, recent=10)
    play(teacher, 0, 0, PRETEST)
    assert teacher.teaches_earlier
    stages = 0
    while teacher.teaches_earlier:
        stages, tasks = teacher.stage, teacher.propose(1)
        report(teacher, tasks, np.array([1000.0]))
    assert teacher.stage == stages + 1
    assert teacher.propose(5).shape == (5, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "not a file of curricula: rlbench export --proposals writes one"),
        (b'{"format":"rlbench curricula 1","curricula":[{"key":"a"}]}', "not a file of curricula"),
        (dump_curricula([]), "holds no curricula"),
        (dump_curricula([earlier("a", np.zeros((2, 3)), np.zeros(2))]), r"have \[3\] parameters"),
        (dump_curricula([earlier("a", np.zeros((2, 2)), np.zeros(3))]), "not a file of curricula"),
    ],
)
def test_a_file_that_does_not_fit(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_teacher("again")(task_info(), seed=0, history=str(path))


def test_what_was_read_is_what_was_written(history: Path) -> None:
    assert dump_curricula(read_curricula(history, 2)) == history.read_bytes()


def test_the_file_is_part_of_what_a_run_is(history: Path, tmp_path: Path) -> None:
    found = resolve_teacher("again", {"history": history}).id
    assert found.config["history"]["file"] == "history.json"
    assert found.given == ("earlier_data",)
    other = tmp_path / "history.json"
    other.write_bytes(history.read_bytes() + b"\n")
    again_found = resolve_teacher("again", {"history": other}).id
    assert again_found.config["history"]["sha256"] != found.config["history"]["sha256"]
    with pytest.raises(UsageError, match="needs the option 'history'"):
        resolve_teacher("again", {})
