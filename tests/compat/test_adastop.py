"""adastop's comparator, computed by our rule: its form, its errors and its state."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench import stats
from rlbench.compat.adastop import MultipleAgentsComparator
from rlbench.errors import InvalidScores, UsageError

Scores = dict[str, np.ndarray]


def batches(seed: int, shifts: Mapping[str, float], n: int) -> Callable[[int], Scores]:
    """Return a function that returns the scores of a number of batches."""
    drawn = {
        name: np.random.default_rng([seed, k]).normal(shift, size=20 * n)
        for k, (name, shift) in enumerate(shifts.items())
    }
    return lambda number: {name: scores[: number * n] for name, scores in drawn.items()}


def decided(shifts: Mapping[str, float], seed: int = 0, **options: Any) -> MultipleAgentsComparator:
    """Return a comparator that was given batches until it was done."""
    comparator = MultipleAgentsComparator(alpha=0.05, seed=seed, **options)
    scores = batches(seed, shifts, comparator.n)
    while not comparator.is_finished:
        comparator.partial_compare(scores(comparator.k + 1), verbose=False)
    return comparator


def test_batch_by_batch() -> None:
    scores = batches(0, {"a": 0.0, "b": 0.1, "c": 5.0}, 4)
    comparator = MultipleAgentsComparator(4, 3, 2000, None, 0.05, 0, 7)
    assert (comparator.decisions, comparator.is_finished, comparator.k) == ({}, False, 0)
    comparator.partial_compare(scores(1), verbose=False)
    apart = {"[0 1]": "continue", "[0 2]": "smaller", "[1 2]": "smaller"}
    seen = [dict(comparator.decisions)]
    for number in (2, 3):
        assert not comparator.is_finished
        comparator.partial_compare(scores(number), verbose=False)
        seen.append(dict(comparator.decisions))
    assert seen[1] == apart
    assert seen[2] == {**apart, "[0 1]": "equal"}
    assert comparator.is_finished
    assert comparator.current_comparisons.shape == (0, 2)
    assert comparator.n_iters == {"a": 12, "b": 12, "c": 12}
    assert comparator.agent_names == ["a", "b", "c"]
    assert comparator.mean_eval_values == [each.mean() for each in scores(3).values()]
    direct = stats.adastop(scores(3), batch=4, max_batches=3, alpha=0.05, permutations=2000, seed=7)
    assert comparator.result == direct
    assert comparator.level_spent == direct.level_spent


def test_what_is_decided_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    comparator = MultipleAgentsComparator(n=5, K=2, alpha=0.05)
    scores = batches(0, {"a": 0.0, "b": 9.0, "c": 9.1}, 5)
    comparator.partial_compare(scores(1))
    assert capsys.readouterr().out == "Step 0\na vs b: smaller\na vs c: smaller\n"
    comparator.partial_compare(scores(2))
    assert capsys.readouterr().out == "Step 1\nb vs c: equal\n"


@pytest.mark.parametrize("pairs", [[(0, 1), (0, 2)], np.array([[0, 1], [0, 2]])])
def test_chosen_comparisons(pairs: Any) -> None:
    comparator = MultipleAgentsComparator(n=5, K=2, alpha=0.05, comparisons=pairs)
    scores = batches(0, {"a": 0.0, "b": 0.1, "c": 5.0}, 5)
    comparator.partial_compare(scores(1), verbose=False)
    assert comparator.decisions == {"[0 1]": "continue", "[0 2]": "smaller"}
    assert comparator.current_comparisons.tolist() == [[0, 1]]
    # c needs no more runs.
    comparator.partial_compare({**scores(2), "c": scores(1)["c"]}, verbose=False)
    assert comparator.decisions == {"[0 1]": "equal", "[0 2]": "smaller"}


def test_keys_of_many_agents_are_those_of_a_printed_row() -> None:
    comparator = MultipleAgentsComparator(n=2, K=1, B=100, comparisons=[(0, 10)])
    comparator.partial_compare({f"agent {k}": [0.0, k] for k in range(11)}, verbose=False)
    assert list(comparator.decisions) == [str(np.array([0, 10]))] == ["[ 0 10]"]


def test_errors_of_the_first_kind() -> None:
    """At most .05; 12 or more of 100 have a chance of .005."""
    equal = dict.fromkeys("ab", 0.0)
    found = [decided(equal, seed, n=4, K=3, B=500).decisions["[0 1]"] for seed in range(100)]
    assert sum(decision != "equal" for decision in found) < 12


def test_errors_of_the_second_kind() -> None:
    shifts = {"a": 0.0, "b": 2.0, "c": 4.0}
    found = [decided(shifts, seed, n=5, K=3, B=500) for seed in range(20)]
    assert [set(each.decisions.values()) for each in found].count({"smaller"}) > 16
    assert min(sum(each.n_iters.values()) for each in found) < 3 * 15


COLUMNS = ["Agent1 vs Agent2", "mean Agent1", "mean Agent2", "mean diff", "std Agent 1",
           "std Agent 2", "decisions"]  # fmt: skip


def test_results_are_a_frame_or_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    comparator = decided({"a": 0.0, "b": 3.0}, n=5, K=3)
    frame = comparator.get_results()
    a, b = comparator.eval_values.values()
    assert frame.columns.tolist() == COLUMNS
    row = ["a vs b", a.mean(), b.mean(), a.mean() - b.mean(), a.std(), b.std(), "smaller"]
    assert frame.values.tolist() == [row]
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert comparator.get_results() == dict(zip(COLUMNS, ([each] for each in row), strict=True))


def test_the_state_is_json_and_goes_on(tmp_path: Path) -> None:
    scores = batches(3, {"z": 0.0, "b": 0.2, "c": 5.0}, 4)
    path = tmp_path / "state.json"
    comparator = MultipleAgentsComparator(n=4, K=3, B=300, alpha=0.05, seed=5)
    comparator.save(path)
    assert MultipleAgentsComparator.load(path).k == 0
    comparator.partial_compare(scores(1), verbose=False)
    comparator.save(path)
    loaded = MultipleAgentsComparator.load(path)
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
    assert loaded.agent_names == ["z", "b", "c"]
    for each in (comparator, loaded):
        each.partial_compare(scores(2), verbose=False)
    assert loaded.result == comparator.result
    assert (loaded.k, loaded.B, loaded.alpha) == (2, 300, 0.05)
    chosen = MultipleAgentsComparator(n=np.int64(4), K=3, comparisons=np.array([[2, 0]]))
    chosen.partial_compare(scores(1), verbose=False)
    chosen.save(path)
    assert MultipleAgentsComparator.load(path).decisions == chosen.decisions != {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decisions": {"[0 1]": "larger"}}, "decides otherwise on its scores: .*smaller"),
        ({"scores": [[1, 2], [3, None]]}, "is not a saved comparison"),
        ({"scores": [[1, 2]]}, "is not a saved comparison"),
        ({"alpha": 2}, "is not a saved comparison: alpha 2"),
        ({"n": "x"}, "is not a saved comparison"),
        ({"k": "x"}, "is not a saved comparison"),
    ],
)
def test_files_that_hold_no_state_are_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    decided({"a": 0.0, "b": 9.0}, n=5, K=1).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match=message):
        MultipleAgentsComparator.load(path)
    for text in ("", "[]", "{}"):
        path.write_text(text)
        with pytest.raises(UsageError, match="is not a saved comparison"):
            MultipleAgentsComparator.load(path)
    with pytest.raises(UsageError, match="cannot read"):
        MultipleAgentsComparator.load(tmp_path / "none")


def test_mistakes_are_refused_and_change_nothing() -> None:
    comparator = MultipleAgentsComparator(n=3, K=2, alpha=0.05)
    scores = batches(0, dict.fromkeys("ab", 0.0), 3)
    comparator.partial_compare(scores(1), verbose=False)
    with pytest.raises(InvalidScores, match="'a' has 3 scores and needs 6 for batch 2"):
        comparator.partial_compare(scores(1), verbose=False)
    with pytest.raises(InvalidScores, match="is nan"):
        comparator.partial_compare({**scores(2), "b": [np.nan] * 6}, verbose=False)
    with pytest.raises(UsageError, match="no scores of 'b'"):
        comparator.partial_compare({"a": scores(2)["a"]}, verbose=False)
    assert (comparator.k, comparator.n_iters) == (1, {"a": 3, "b": 3})
    comparator.partial_compare(scores(2), verbose=False)
    with pytest.raises(UsageError, match="every comparison is decided"):
        comparator.partial_compare(scores(3), verbose=False)
    for options, message in (
        ({"n": np.array([5, 6])}, "n must be one number"),
        ({"comparisons": [(0, 2)]}, "agents 0 to 1"),
        ({"comparisons": ["ab"]}, "pairs of whole numbers"),
        ({"alpha": -1e-5}, "alpha"),
    ):
        with pytest.raises((UsageError, InvalidScores), match=message):
            MultipleAgentsComparator(**options).partial_compare(scores(5))


def test_the_code_in_the_guide_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/migrating-from-adastop.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    script = "\n".join(blocks)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=True, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    said = re.findall(r"print\(.*?\)  # (\{.*?\})", script)
    assert len(said) == 2
    assert run.stdout.splitlines()[:2] == said
    assert MultipleAgentsComparator.load(tmp_path / "comparison.json").is_finished
