"""Compiled kernels equal their numpy twins, and neither pieces nor threads change a resample."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from rlbench import stats
from rlbench.errors import UsageError
from rlbench.stats import kernels, kernels_numba
from rlbench.stats.resampling import keys_of, layout_of, resamples

NAMES = kernels_numba.NAMES
# Ties are likely, and scores may be huge; more than 256 runs draw by other lanes.
SCORE = st.one_of(st.sampled_from([0.0, 1.0, -1.0]), st.floats(-1e12, 1e12))
TASK = st.lists(SCORE, min_size=1, max_size=7)
TASKS = st.lists(TASK, min_size=1, max_size=6)
METHOD = st.sampled_from(["rao-wu", "percentile"])


def drawable(tasks: list, method: str) -> str:
    """Return the method, or one that can draw from a single run."""
    return "percentile" if min(len(task) for task in tasks) < 2 else method


def assert_twins(first: np.ndarray, second: np.ndarray, scale: float) -> None:
    np.testing.assert_allclose(first, second, rtol=1e-11, atol=1e-12 * scale)


@settings(max_examples=150)
@given(TASKS, METHOD, st.integers(0, 2**64 - 1), st.sets(st.sampled_from(NAMES), min_size=1))
def test_aggregates(tasks: list, method: str, key: int, names: set) -> None:
    layout = layout_of(tasks, drawable(tasks, method))
    column = np.concatenate([np.array(task, dtype=float) for task in tasks])
    values = np.stack([column, column[::-1]], axis=1)
    arguments = (values, layout, sorted(names), key, 20)
    assert_twins(
        kernels_numba.aggregates_by_numba(*arguments),
        kernels.aggregates_by_numpy(*arguments),
        max(1.0, np.abs(column).max()),
    )


@settings(max_examples=100)
@given(st.lists(st.tuples(TASK, TASK), min_size=1, max_size=5), METHOD, st.integers(0, 2**64 - 1))
def test_improvements(pairs: list, method: str, key: int) -> None:
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    layouts = layout_of(x, drawable(x, method)), layout_of(y, drawable(y, method))
    arrays = [[np.array(task, dtype=float) for task in side] for side in (x, y)]
    arguments = (*arrays, layouts, (key, key ^ 1), 20)
    assert_twins(
        kernels_numba.improvements_by_numba(*arguments),
        kernels.improvements_by_numpy(*arguments),
        1.0,
    )


def weighted_trimmed(tasks: list[np.ndarray], cut: float) -> tuple[float, float]:
    """Return the trimmed mean and its variance, run by run as they are defined."""
    weights = [np.full(len(task), 1 / len(task) / len(tasks)) for task in tasks]
    scores, weight = np.concatenate(tasks), np.concatenate(weights)
    order = np.argsort(scores, kind="stable")
    upper = np.cumsum(weight[order])
    inside = np.clip(upper, cut, 1 - cut) - np.clip(upper - weight[order], cut, 1 - cut)
    low = scores[order][np.flatnonzero(upper > cut + 1e-9)[0]]
    high = scores[order][np.flatnonzero(upper - weight[order] < 1 - cut - 1e-9)[-1]]
    variances = [np.var(np.clip(t, low, high), ddof=1) / len(t) if len(t) > 1 else 0 for t in tasks]
    kept = 1 - 2 * cut
    return float(inside @ scores[order] / kept), sum(variances) / len(tasks) ** 2 / kept**2


@settings(max_examples=120)
@given(
    st.lists(st.tuples(*[st.integers(1, 5)] * 3), min_size=1, max_size=4),
    st.integers(2, 3),
    st.sampled_from([0, 1, 2]),
    st.data(),
)
def test_group_estimates(all_sizes: list, groups: int, trimmed: int, data) -> None:
    """Twins are equal, and are what the definition gives for each group of each path."""
    sizes = np.array([row[:groups] for row in all_sizes])
    runs = int(sizes.sum())
    drawn = st.lists(SCORE, min_size=runs, max_size=runs)
    scores = np.array([data.draw(drawn), data.draw(drawn)], dtype=float)
    cuts = np.array([trimmed * (n // 4) / n / 2 for n in sizes.sum(axis=0)])
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    blocks = [np.repeat(np.arange(groups, dtype=np.uint8), row) for row in sizes]
    labels = np.stack(
        [np.concatenate([generator.permutation(block) for block in blocks]) for _ in range(12)]
    )
    found = kernels_numba.group_estimates_by_numba(labels, scores, sizes, cuts)
    twin = kernels.group_estimates_by_numpy(labels, scores, sizes, cuts)
    scale = np.abs(scores).max()
    assert_twins(found[..., 0], twin[..., 0], scale)
    assert_twins(found[..., 1], twin[..., 1], scale**2)
    ends = np.cumsum(sizes.sum(axis=1))[:-1]
    for path, label in enumerate(labels):
        for point, values in enumerate(scores):
            tasks = list(zip(np.split(values, ends), np.split(label, ends), strict=True))
            for group, cut in enumerate(cuts):
                plain = weighted_trimmed([x[of == group] for x, of in tasks], cut)
                mean, variance = found[path, point, group]
                assert mean == pytest.approx(plain[0], rel=1e-9, abs=1e-11 * scale)
                assert variance == pytest.approx(plain[1], rel=1e-9, abs=1e-11 * scale**2)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4), st.data())
def test_gaps_of_means_are_those_of_groups(all_sizes: list, data) -> None:
    sizes = np.array(all_sizes)
    runs = int(sizes.sum())
    drawn = st.lists(SCORE, min_size=runs, max_size=runs)
    scores = np.array([data.draw(drawn), data.draw(drawn)], dtype=float)
    masks = kernels.random_splits(sizes[:, 0], sizes[:, 1], data.draw(st.integers(0, 99)), 0, 12)
    gaps, variances = kernels.mean_gaps(masks, scores, sizes)
    labels = (~masks).view(np.uint8)
    groups = kernels.group_estimates(labels, scores, sizes, np.zeros(2))
    scale = np.abs(scores).max()
    assert_twins(gaps, groups[:, :, 0, 0] - groups[:, :, 1, 0], scale)
    assert_twins(variances, groups[..., 1].sum(axis=2), scale**2)


def test_runs_that_are_alike_have_no_variance() -> None:
    """Also where rounding would make some: .1, .7 and -3.3 have no exact binary form."""
    tasks = np.repeat([0.1, 0.7, 1e9, -3.3], 6)
    masks = np.tile(np.arange(6) < 3, (1, 4))
    split = np.tile([0.1, 0.1, 0.1, 0.3, 0.3, 0.3], 4)
    sizes = np.full((4, 2), 3)
    for scores in (tasks, split):
        assert (kernels.mean_gaps(masks, scores[None], sizes)[1] == 0).all()
        for twin in (kernels_numba.group_estimates_by_numba, kernels.group_estimates_by_numpy):
            for cut in (0.0, 0.25):
                found = twin(masks.view(np.uint8), scores[None], sizes, np.full(2, cut))
                assert (found[..., 1] == 0).all()


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=5),
    st.integers(0, 2**64 - 1),
)
def test_random_splits(sizes: list, key: int) -> None:
    first, second = (np.array(part) for part in zip(*sizes, strict=True))
    found = kernels_numba.random_splits_by_numba(first, second, key, 0, 30)
    np.testing.assert_array_equal(found, kernels.random_splits_by_numpy(first, second, key, 0, 30))
    np.testing.assert_array_equal(
        found[7:20], kernels_numba.random_splits_by_numba(first, second, key, 7, 20)
    )
    ends = np.cumsum(first + second)[:-1]
    for part, n in zip(np.split(found, ends, axis=1), first, strict=True):
        assert (part.sum(axis=1) == n).all()


@settings(max_examples=60)
@given(st.integers(2, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**64 - 1))
def test_groups(groups: int, size: int, tasks: int, key: int) -> None:
    arguments = (groups, size, tasks, key)
    labels = kernels_numba.random_groups_by_numba(*arguments, 0, 20)
    np.testing.assert_array_equal(labels, kernels.random_groups_by_numpy(*arguments, 0, 20))
    np.testing.assert_array_equal(
        labels[5:9], kernels_numba.random_groups_by_numba(*arguments, 5, 9)
    )
    whole = np.sort(labels.reshape(20, tasks, groups * size), axis=2)
    assert (whole == np.repeat(np.arange(groups), size)).all()


def test_groups_are_all_as_likely() -> None:
    labels = kernels.random_groups(3, 1, 2, 5, 0, 60_000)
    codes = labels.astype(np.int64) @ 3 ** np.arange(6)
    counts = np.unique(codes, return_counts=True)[1]
    assert len(counts) == 36
    assert np.abs(counts / 60_000 * 36 - 1).max() < 0.1


@pytest.mark.parametrize("runs", [(300, 300), (300, 2), (257, 256, 5)])
def test_many_runs(runs: tuple) -> None:
    """Lanes of 32 bits, and a layout whose tasks weigh unlike."""
    generator = np.random.default_rng(0)
    tasks = [generator.normal(size=n) for n in runs]
    values = np.concatenate(tasks)[:, None]
    arguments = (values, layout_of(tasks, "rao-wu"), NAMES, 7, 50)
    assert_twins(
        kernels_numba.aggregates_by_numba(*arguments), kernels.aggregates_by_numpy(*arguments), 1.0
    )


SCORES = np.random.default_rng(0).gamma(1.0, size=(5, 26))


def estimates() -> list:
    return [
        stats.bootstrap(SCORES, list(NAMES), seed=1, repetitions=5_000),
        stats.improvement(SCORES, SCORES[::-1] + 0.1, seed=1, repetitions=5_000),
    ]


def test_threads_do_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for threads, small in (("1", kernels_numba.SMALL), ("2", 1), ("3", 7_000)):
        monkeypatch.setenv("RLBENCH_THREADS", threads)
        monkeypatch.setattr(kernels_numba, "SMALL", small)
        results.append(estimates())
    assert results[0] == results[1] == results[2]


def test_a_wrong_number_of_threads_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLBENCH_THREADS", "many")
    with pytest.raises(UsageError, match="RLBENCH_THREADS is 'many'"):
        stats.bootstrap(SCORES, "iqm")


def test_without_numba_the_answer_is_the_same() -> None:
    """In a process that cannot import numba: equal but for rounding, and so are the curves."""
    code = """if True:
        import sys
        sys.modules["numba"] = None
        import numpy as np
        from rlbench import stats
        scores = np.random.default_rng(0).gamma(1.0, size=(5, 26))
        one = stats.bootstrap(scores, "iqm", seed=1, repetitions=5000)
        two = stats.improvement(scores, scores[::-1] + 0.1, seed=1, repetitions=5000)
        print(one.low, one.high, two.low, two.high)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    aggregated, improved = estimates()
    one = aggregated["iqm"]
    assert [float(word) for word in done.stdout.split()] == pytest.approx(
        [one.low, one.high, improved.low, improved.high], rel=1e-12
    )


SMALL_AND_LARGE = """if True:
    import sys
    import numpy as np
    from rlbench import stats
    from rlbench.stats import kernels
    scores = {name: np.random.default_rng(ord(name)).gamma(1.0, size=(5, 26)) for name in "abc"}
    with kernels.sooner():
        stats.summarise(scores)
        stats.compare(scores)
        loaded = {"numba", "scipy", "pandas", "gymnasium"} & set(sys.modules)
        assert not loaded, loaded
        stats.runs_needed(scores)  # the power of a t test needs scipy.special
        loaded = {"numba", "scipy.stats", "scipy.optimize", "pandas"} & set(sys.modules)
        assert not loaded, loaded
        stats.bootstrap(scores["a"], "iqm", repetitions=200_000)
    assert "numba" in sys.modules
"""


def test_small_work_does_not_import_numba() -> None:
    """Nor what else takes longer to import than three agents to be compared."""
    subprocess.run([sys.executable, "-c", SMALL_AND_LARGE], check=True)


def test_the_outermost_call_chooses_the_twins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is small by itself goes by how much the whole is."""
    monkeypatch.setattr(kernels, "SMALL_WORK", 1_000)
    with kernels.sooner():
        with kernels.work(1_001), kernels.work(1):
            assert kernels._is_compiled()
        with kernels.work(1_000), kernels.work(10**9):
            assert not kernels._is_compiled()
        assert kernels._is_compiled(), "what nobody measured is taken for large"
    with kernels.work(1):
        assert kernels._is_compiled(), "a process that may go on imports numba once"


def test_chunks_do_not_change_resamples() -> None:
    layout = layout_of(list(SCORES.T), "rao-wu")
    whole = np.concatenate(list(resamples(layout, 3, 100)))
    pieces = list(resamples(layout, 3, 100, chunk=700))
    assert len(pieces) > 10
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize(("runs", "tasks"), [(3, 7), (10, 26), (300, 3)])
def test_every_run_is_drawn_as_often(runs: int, tasks: int) -> None:
    layout = layout_of([range(runs)] * tasks, "percentile")
    picks = np.concatenate(list(resamples(layout, keys_of(0)[0], 20_000))) % runs
    counts = np.stack([np.bincount(draws, minlength=runs) for draws in picks.T[:: runs // 2]])
    expected = 20_000 / runs
    statistic = ((counts - expected) ** 2 / expected).sum()
    low, high = chi2.ppf([0.001, 0.999], counts.shape[0] * (runs - 1))
    assert low < statistic < high


def test_draws_are_independent_of_each_other() -> None:
    """Pairs of draws of a resample, and of a draw in two resamples that follow each other."""
    layout = layout_of([range(4)] * 9, "percentile")
    picks = np.concatenate(list(resamples(layout, keys_of(0)[0], 40_000))) % 4
    pairs = [(picks[:, a], picks[:, b]) for a, b in ((0, 1), (0, 9), (0, 27), (5, 14), (34, 35))]
    pairs.append((picks[1:, 0], picks[:-1, 0]))
    for first, second in pairs:
        counts = np.bincount(4 * first + second, minlength=16)
        expected = len(first) / 16
        assert ((counts - expected) ** 2 / expected).sum() < chi2.ppf(0.9995, 15)


def test_drawn_tasks_are_whole() -> None:
    """With tasks drawn too, each slot of a resample holds runs of one task, any of them."""
    layout = layout_of([range(3)] * 5, "percentile")
    picks = np.concatenate(list(resamples(layout, 1, 500, task_key=2))) // 3
    slots = picks.reshape(500, 5, 3)
    assert (slots == slots[:, :, :1]).all()
    assert len(np.unique(slots[:, 0, 0])) == 5


@pytest.mark.parametrize("tasks", [32, 33, 34, 101, 400])
@pytest.mark.parametrize("ties", [False, True])
def test_medians_of_many_tasks_are_the_twins(tasks: int, ties: bool) -> None:
    scores = np.random.default_rng(tasks).normal(size=(3, tasks))
    if ties:
        scores = scores.round()
    layout = layout_of(list(scores.T), "percentile")
    arguments = (scores.T.ravel()[:, None], layout, ("median",), keys_of(1)[0], 300)
    assert_twins(
        kernels_numba.aggregates_by_numba(*arguments), kernels.aggregates_by_numpy(*arguments), 1.0
    )
