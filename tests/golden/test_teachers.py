"""What the original's teachers computed from given tasks and returns, exactly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import golden
from support.teachers import report, stump_space, teach

from rlbench.runners.teachers import riac

pytest.importorskip("sklearn", reason="needs the extra teachers")

from rlbench.runners.teachers import mixtures
from rlbench.runners.teachers.alp_gmm import LearningProgress

_FIT_SEED = 3  # the original run's, found by trying: its first fit is reproduced


@pytest.fixture(scope="module")
def recorded() -> dict[str, NDArray[Any]]:
    path: Path = golden.folder() / "parkour_teachers.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {golden.folder()}")
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def progress_of(tasks: NDArray[Any], returns: NDArray[Any]) -> list[float]:
    known = LearningProgress(tasks.shape[1])
    rows = zip(tasks.astype(np.float64), returns.tolist(), strict=True)
    return [known.add(task, score) for task, score in rows]


def test_the_learning_progress_of_alp_gmm(recorded: dict[str, NDArray[Any]]) -> None:
    ours = progress_of(recorded["alp_tasks"], recorded["alp_returns"])
    np.testing.assert_array_equal(ours, recorded["alp"])


def test_the_mixtures_of_alp_gmm(recorded: dict[str, NDArray[Any]]) -> None:
    """The first is the original's, but for the last digits; of the others their sizes are known.

    Of all 20 fits 19 have the original's size, and the 18th is a close call; this checks 6.
    """
    tasks, returns = recorded["alpgmm_tasks"], recorded["alpgmm_returns"]
    rows = np.column_stack([tasks.astype(np.float64), progress_of(tasks, returns)])
    first = mixtures.fit(rows[:150], range(2, 10), _FIT_SEED)
    np.testing.assert_allclose(first.means, recorded["alpgmm_first_means"], rtol=1e-6)
    sizes = [len(mixtures.fit(part, range(2, 10), _FIT_SEED).means)
             for part in np.split(rows, 20)[:6]]  # fmt: skip
    assert sizes == recorded["alpgmm_k"][:6].tolist()


def test_the_box_of_adr(recorded: dict[str, NDArray[Any]]) -> None:
    teacher = teach("adr", easy=True)
    np.testing.assert_array_equal(teacher.propose(3), recorded["adr_tasks"][:3])
    for task, score, low, high in zip(
        recorded["adr_tasks"], recorded["adr_returns"], recorded["adr_mins"],
        recorded["adr_maxs"], strict=True,
    ):  # fmt: skip
        report(teacher, task[None], np.array([score]))
        np.testing.assert_array_equal(teacher.box, [low, high])


def test_the_progress_of_a_region_of_riac(recorded: dict[str, NDArray[Any]]) -> None:
    returns = recorded["riac_region_returns"].tolist()
    ours = [riac.absolute_progress(returns[:n][-151:], 150) for n in range(1, len(returns) + 1)]
    np.testing.assert_array_equal(ours, recorded["riac_region_alp"])
    teacher = teach("riac")
    root = teacher.regions[0]
    for n, score in enumerate(returns[:150]):
        report(teacher, stump_space().low[None], np.array([score]))
        assert root.progress == recorded["riac_region_alp"][n]
