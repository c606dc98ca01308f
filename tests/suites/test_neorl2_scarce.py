"""NeoRL-2 with scarce data: which trajectories are given, and what is kept of the score."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.command import rlbench
from support.records import make_record

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.results import Store
from rlbench.suites import Suite, Task
from rlbench.suites.dataset import Episodes
from rlbench.suites.neorl2.files import DataFile, chosen

SHARED = Path(__file__).parents[3] / "shared/data"
SUITE = suites.get("neorl2-scarce")
WHOLE = suites.get("neorl2")


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (SHARED / "neorl2/DMSD-train.npz").is_file():
        pytest.skip(f"no data at {SHARED / 'neorl2'}")
    monkeypatch.setenv("RLBENCH_DATA", str(SHARED))


def returns_of(episodes: Episodes) -> list[float]:
    return np.add.reduceat(episodes.reward, np.flatnonzero(episodes.first)).tolist()


def test_each_task_stands_with_four_shares_and_is_the_clean_one_with_all() -> None:
    assert len(SUITE.tasks) == 28
    assert [task.name for task in SUITE.tasks[:4]] == [f"Pipeline/{p}%" for p in (100, 50, 10, 1)]
    for task in SUITE.tasks:
        base, _, share = task.name.partition("/")
        assert SUITE.constants(task)["percent"] == int(share[:-1])
        assert task.clean == ("" if share == "100%" else f"{base}/100%")
        assert (task.low, task.high) == (WHOLE.task(base).low, WHOLE.task(base).high)


def test_the_order_is_the_stated_one() -> None:
    hashes = [hashlib.sha256(f"0 Fusion val {n}".encode()).hexdigest() for n in range(5)]
    order = sorted(range(5), key=hashes.__getitem__)
    file = DataFile("Fusion", "val")
    assert [chosen(file, 5, percent, 0) for percent in (1, 10, 50, 100)] == [
        order[:1], order[:1], order[:3], order,
    ]  # fmt: skip
    assert chosen(file, 5, 50, 1) != order[:3]


def test_parts_hold_the_smaller_ones_and_whole_trajectories(shared: None) -> None:
    parts = [SUITE.dataset(SUITE.task(f"DMSD/{p}%")) for p in (1, 10, 50, 100)]
    counts = [(int(d.train.first.sum()), int(d.validation.first.sum())) for d in parts]
    assert counts == [(10, 2), (100, 20), (500, 100), (1000, 200)]
    whole = WHOLE.dataset(WHOLE.task("DMSD"))
    assert parts[-1].train.obs.tobytes() == whole.train.obs.tobytes()
    for split in ("train", "validation"):
        found = [returns_of(getattr(part, split)) for part in parts]
        for few, many in pairwise(found):
            assert set(few) < set(many)
    one = parts[0].train
    assert one.truncated.sum() == one.first.sum() == 10
    inner = ~one.first[1:]
    np.testing.assert_array_equal(one.obs[1:][inner], one.next_obs[:-1][inner])


def test_few_trajectories_are_at_least_one(shared: None) -> None:
    for name, train in (("SafetyHalfCheetah/1%", 1), ("SafetyHalfCheetah/10%", 2),
                        ("Fusion/1%", 1), ("Simglucose/1%", 3)):  # fmt: skip
        if name.startswith("Safety"):
            pytest.importorskip("mujoco", reason="pip install 'rlbench[neorl2]'")
        dataset = SUITE.dataset(SUITE.task(name))
        assert (dataset.train.first.sum(), dataset.validation.first.sum()) == (train, 1)


@pytest.mark.parametrize("suite", [WHOLE, SUITE], ids=["neorl2", "neorl2-scarce"])
def test_returns_of_the_data_are_those_of_the_files(shared: None, suite: Suite) -> None:
    compared = 0
    for task in suite.tasks:
        base = task.name.partition("/")[0]
        if base not in ("Simglucose", "DMSD", "Fusion"):
            continue
        assert task.data == pytest.approx(np.mean(returns_of(suite.dataset(task).train)), abs=6e-5)
        compared += 1
    assert compared == 3 * (len(suite.tasks) // 7)


def test_a_share_is_from_1_to_100(shared: None) -> None:
    none = SUITE.make_unofficial({"percent": 0})
    with pytest.raises(UsageError, match=r"^the constant percent is from 1 to 100, not 0$"):
        none.dataset(none.task("DMSD/1%"))


def test_returns_of_other_data_are_not_claimed() -> None:
    assert set(WHOLE.data_returns()) == {task.name for task in WHOLE.tasks}
    assert WHOLE.make_unofficial({"budget": 10}).data_returns() == WHOLE.data_returns()
    assert WHOLE.make_unofficial({"train_trajectories": 10}).data_returns() == {}
    assert suites.get("atari100k").data_returns() == {}


def lasting(task: Task) -> int:
    return min(100, SUITE.protocol_of(task).max_episode_steps)


def test_what_is_kept_of_the_score(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    kept = {"DMSD/100%": 1.0, "DMSD/10%": 0.5, "DMSD/1%": 0.25}
    for name, share in kept.items():
        task = SUITE.task(name)
        for seed in range(3):
            score = task.low + (task.high - task.low) * share * (0.6 + 0.01 * (seed - 1))
            store.write(
                make_record(name, suite=SUITE, seed=seed, score=score, length=lasting(task))
            )
    out = rlbench("stats", "--suite", "neorl2-scarce", "--retention", "--json", cwd=tmp_path).stdout
    rows = {row["type"]: row for row in json.loads(out)}
    assert rows["10%"]["point"] == pytest.approx(0.5)
    assert rows["1%"]["point"] == pytest.approx(0.25)
    assert rows["1%"]["low"] < 0.25 < rows["1%"]["high"]
    assert "50%" not in rows
