"""rliable's names: its signatures, its numbers, and both ways to compute them the same."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgba
from support.golden import cases, has_one_run

from rlbench import stats
from rlbench.compat.rliable import library, metrics, plot_utils
from rlbench.compat.rliable.probe import asked
from rlbench.errors import InvalidScores, MissingExtra, UnknownName, UsageError

mpl.use("Agg")

REPETITIONS = 100_000  # the golden tolerances allow for the original's 20,000 to 40,000
X = np.random.default_rng(0).gamma(1.0, size=(6, 9))
Y = np.random.default_rng(1).gamma(1.2, size=(4, 9))
CURVES = np.cumsum(np.random.default_rng(2).gamma(1.0, size=(5, 6, 4)), axis=2)
TAUS = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 100.0]
METRICS = {
    "median": metrics.aggregate_median,
    "iqm": metrics.aggregate_iqm,
    "mean": metrics.aggregate_mean,
    "optimality_gap": metrics.aggregate_optimality_gap,
}

NEEDED = inspect.Parameter.empty
SIGNATURES = {
    "metrics.aggregate_mean": {"scores": NEEDED},
    "metrics.aggregate_median": {"scores": NEEDED},
    "metrics.aggregate_iqm": {"scores": NEEDED},
    "metrics.aggregate_optimality_gap": {"scores": NEEDED, "gamma": 1},
    "metrics.probability_of_improvement": {"scores_x": NEEDED, "scores_y": NEEDED},
    "library.run_score_deviation": {"scores": NEEDED, "tau": NEEDED},
    "library.mean_score_deviation": {"scores": NEEDED, "tau": NEEDED},
    "library.score_distributions": {"scores": NEEDED, "tau": NEEDED},
    "library.average_score_distributions": {"scores": NEEDED, "tau": NEEDED},
    "library.get_interval_estimates": {
        "score_dict": NEEDED,
        "func": NEEDED,
        "method": "percentile",
        "task_bootstrap": False,
        "reps": 50000,
        "confidence_interval_size": 0.95,
        "random_state": None,
    },
    "library.create_performance_profile": {
        "score_dict": NEEDED,
        "tau_list": NEEDED,
        "use_score_distribution": True,
        "custom_profile_func": None,
        "method": "percentile",
        "task_bootstrap": False,
        "reps": 2000,
        "confidence_interval_size": 0.95,
    },
    "plot_utils.plot_performance_profiles": {
        "performance_profiles": NEEDED,
        "tau_list": NEEDED,
        "performance_profile_cis": None,
        "use_non_linear_scaling": False,
        "ax": None,
        "colors": None,
        "color_palette": "colorblind",
        "alpha": 0.15,
        "figsize": (10, 5),
        "xticks": None,
        "yticks": None,
        "xlabel": r"Normalized Score ($\tau$)",
        "ylabel": r"Fraction of runs with score $> \tau$",
        "linestyles": None,
        "kwargs": NEEDED,
    },
    "plot_utils.plot_interval_estimates": {
        "point_estimates": NEEDED,
        "interval_estimates": NEEDED,
        "metric_names": NEEDED,
        "algorithms": None,
        "colors": None,
        "color_palette": "colorblind",
        "max_ticks": 4,
        "subfigure_width": 3.4,
        "row_height": 0.37,
        "xlabel_y_coordinate": -0.1,
        "xlabel": "Normalized Score",
        "kwargs": NEEDED,
    },
    "plot_utils.plot_sample_efficiency_curve": {
        "frames": NEEDED,
        "point_estimates": NEEDED,
        "interval_estimates": NEEDED,
        "algorithms": None,
        "colors": None,
        "color_palette": "colorblind",
        "figsize": (7, 5),
        "xlabel": "Number of Frames (in millions)",
        "ylabel": "Aggregate Human Normalized Score",
        "ax": None,
        "labelsize": "xx-large",
        "ticklabelsize": "xx-large",
        "kwargs": NEEDED,
    },
    "plot_utils.plot_probability_of_improvement": {
        "probability_estimates": NEEDED,
        "probability_interval_estimates": NEEDED,
        "pair_separator": ",",
        "ax": None,
        "figsize": (4, 3),
        "colors": None,
        "color_palette": "colorblind",
        "alpha": 0.75,
        "xticks": None,
        "xlabel": "P(X > Y)",
        "left_ylabel": "Algorithm X",
        "right_ylabel": "Algorithm Y",
        "kwargs": NEEDED,
    },
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_those_of_rliable(name: str) -> None:
    module, function = name.split(".")
    value = getattr({"library": library, "metrics": metrics, "plot_utils": plot_utils}[module],
                    function)  # fmt: skip
    parameters = inspect.signature(value).parameters
    assert [(key, each.default) for key, each in parameters.items()] == [*SIGNATURES[name].items()]
    assert all(
        each.kind is (each.VAR_KEYWORD if key == "kwargs" else each.POSITIONAL_OR_KEYWORD)
        for key, each in parameters.items()
    )


def close(case: dict[str, Any]) -> dict[str, float]:
    return {"rel": 1e-6 if case.get("dtype") == "float32" else 1e-12, "abs": 1e-14}


def arranged(*names: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.array([METRICS[name](x) for name in names])


def at_each_point(x: np.ndarray) -> np.ndarray:
    return np.array([metrics.aggregate_iqm(x[..., k]) for k in range(x.shape[-1])])


def fits(case: dict[str, Any], intervals: np.ndarray) -> np.ndarray:
    low = np.abs(intervals[0] - case["lower"]) <= case["tol_lower"]
    high = np.abs(intervals[1] - case["upper"]) <= case["tol_upper"]
    return low & high


def test_points(golden: Path) -> None:
    for case in cases("stats_metrics", golden):
        scores = np.array(case["scores"], dtype=case["dtype"])
        for name in ("mean", "median", "iqm"):
            assert METRICS[name](scores) == pytest.approx(case[name], **close(case)), case["id"]
        for gamma, expected in case["optimality_gap"].items():
            found = metrics.aggregate_optimality_gap(scores, gamma=float(gamma))
            assert found == pytest.approx(expected, **close(case)), case["id"]
    for case in cases("stats_prob_improvement", golden):
        x, y = np.array(case["x"], dtype=float), np.array(case["y"], dtype=float)
        found = metrics.probability_of_improvement(x, y)
        assert found == pytest.approx(case["p_x_gt_y"], **close(case)), case["id"]


@pytest.mark.filterwarnings("ignore:one run")
def test_profiles(golden: Path) -> None:
    for case in cases("stats_profiles", golden):
        scores, taus = np.array(case["scores"], dtype=case["dtype"]), np.array(case["taus"])
        runs, means = (
            library.create_performance_profile({"a": scores}, taus, each, reps=2)[0]["a"]
            for each in (True, False)
        )
        assert runs == pytest.approx(case["run_score"], **close(case)), case["id"]
        assert means == pytest.approx(case["mean_score"], **close(case)), case["id"]
        assert library.run_score_deviation(scores, taus[1]) == runs[1]
        assert library.mean_score_deviation(scores, taus[1]) == means[1]


@pytest.mark.filterwarnings("ignore:one run")
def test_intervals(golden: Path) -> None:
    """The original's `bca` is wrong in `arch_bug` cases, where ours must differ."""
    compared = set()
    for case in cases("stats_bootstrap_ci", golden):
        points, intervals = library.get_interval_estimates(
            {"a": np.array(case["scores"])}, arranged(*case["names"]), case["method"],
            case["task_bootstrap"], REPETITIONS, case["size"], random_state=3,
        )  # fmt: skip
        assert points["a"] == pytest.approx(case["point"], rel=1e-12), case["id"]
        if has_one_run(case["scores"]):
            assert np.isnan(intervals["a"]).all()
            continue
        assert fits(case, intervals["a"]).all() != case.get("arch_bug", False), case["id"]
        compared.add(case["method"])
    assert compared == {
        case["method"]
        for case in cases("stats_bootstrap_ci", golden)
        if not has_one_run(case["scores"])
    }


@pytest.mark.filterwarnings("ignore:one run")
def test_improvement_intervals(golden: Path) -> None:
    for case in cases("stats_poi_ci", golden):
        pair = [np.array(case[side], dtype=float) for side in "xy"]
        points, intervals = library.get_interval_estimates(
            {"x,y": pair}, metrics.probability_of_improvement, case["method"],
            reps=REPETITIONS, confidence_interval_size=case["size"],
        )  # fmt: skip
        assert points["x,y"] == pytest.approx(case["point"][0], rel=1e-12), case["id"]
        assert intervals["x,y"].shape == (2, 1)
        if has_one_run(*pair):
            assert np.isnan(intervals["x,y"]).all()
            continue
        assert fits(case, intervals["x,y"]).all(), case["id"]


@pytest.mark.filterwarnings("ignore:one run")
def test_sample_efficiency(golden: Path) -> None:
    for case in cases("stats_sample_efficiency", golden):
        points, intervals = library.get_interval_estimates(
            {"a": np.array(case["scores"])}, at_each_point, reps=REPETITIONS
        )
        assert points["a"] == pytest.approx(case["point"], rel=1e-12)
        if has_one_run(case["scores"]):
            assert np.isnan(intervals["a"]).all()
            continue
        assert fits(case, intervals["a"]).all()


@pytest.mark.filterwarnings("ignore:one run")
def test_profile_bands(golden: Path) -> None:
    for case in cases("stats_profile_ci", golden):
        points, bands = library.create_performance_profile(
            {"a": np.array(case["scores"])}, case["taus"], "mean" not in case["id"],
            method=case["method"], reps=20_000, confidence_interval_size=case["size"],
        )  # fmt: skip
        assert points["a"] == pytest.approx(case["point"], rel=1e-12), case["id"]
        if has_one_run(case["scores"]):
            assert np.isnan(bands["a"]).all()
            continue
        assert fits(case, bands["a"]).all(), case["id"]
        assert (bands["a"][0] == bands["a"][1]).any(), "zero width at 0 and 1"


def test_metrics_are_those_of_rlbench() -> None:
    for name, metric in METRICS.items():
        assert metric(X) == pytest.approx(getattr(stats, name)(X), rel=1e-14)
        assert metric(X.tolist()) == metric(X)
        assert isinstance(metric(X), np.float64)
    assert metrics.aggregate_mean(CURVES) == pytest.approx(CURVES.mean(axis=(0, 1)))
    assert metrics.aggregate_median(CURVES) == pytest.approx(np.median(CURVES.mean(axis=0), axis=0))
    assert metrics.aggregate_iqm(X[:, 0]) == stats.iqm([X[:, 0]])
    assert metrics.aggregate_median(X[:, 0]) == pytest.approx(X[:, 0].mean())


def test_many_runs_of_few_tasks_are_not_taken_for_swapped_axes() -> None:
    scores = np.random.default_rng(0).normal(size=(100, 2))
    points, _ = library.get_interval_estimates({"a": scores}, arranged(*METRICS), reps=10)
    assert points["a"][2] == pytest.approx(scores.mean())


class Counted:
    """A function, and how often it was called with arrays."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, *scores: Any) -> Any:
        self.calls += all(isinstance(each, np.ndarray) for each in scores)
        return self.function(*scores)


FAST = {
    "one": (metrics.aggregate_iqm, [X]),
    "four": (arranged(*METRICS), [X]),
    "again, in any order": (arranged("mean", "iqm", "mean"), [X]),
    "a list": (lambda x: [metrics.aggregate_iqm(x), metrics.aggregate_mean(x)], [X]),
    "joined": (lambda x: np.hstack([arranged("iqm", "mean")(x), arranged("median")(x)]), [X]),
    "gamma": (lambda x: metrics.aggregate_optimality_gap(x, gamma=1.0), [X]),
    "integers": (arranged(*METRICS), [(10 * X).astype(np.int64)]),
    "points": (at_each_point, [CURVES]),
    "some points": (
        lambda x: np.array([metrics.aggregate_mean(x[:, :, -1]), metrics.aggregate_iqm(x[..., 1])]),
        [CURVES],
    ),
    "improvement": (metrics.probability_of_improvement, [X, Y]),
    "improvement of y": (lambda x, y: metrics.probability_of_improvement(y, x), [X, Y]),
    "improvement at points": (
        lambda x, y: np.array(
            [metrics.probability_of_improvement(x[..., k], y[..., k]) for k in range(4)]
        ),
        [CURVES, CURVES[:3] ** 2],
    ),
    "both agents": (
        lambda x, y: np.array([metrics.aggregate_iqm(y), metrics.aggregate_iqm(x)]),
        [X, Y],
    ),
}


def estimated(scores: list[np.ndarray], function: Callable[..., Any], **options: Any) -> np.ndarray:
    """Return intervals of an array, or of several as a list of them."""
    given = scores[0] if len(scores) == 1 else scores
    return library.get_interval_estimates({"a": given}, function, **options)[1]["a"]


@pytest.mark.parametrize("method", ["percentile", "basic", "bc", "norm"])
@pytest.mark.parametrize("case", FAST)
def test_kernels_and_calls_agree(case: str, method: str) -> None:
    function, scores = FAST[case]
    fast = Counted(function)
    slow = Counted(lambda *drawn: 1.0 * np.array(function(*drawn)))
    options = {"method": method, "reps": 200, "random_state": 5}
    assert estimated(scores, fast, **options) == pytest.approx(
        estimated(scores, slow, **options), rel=1e-12, abs=1e-12
    )
    assert fast.calls < 20
    assert slow.calls > 200


@pytest.mark.parametrize("options", [{"task_bootstrap": True}, {"method": "bca"}], ids=str)
@pytest.mark.parametrize("case", ["four", "points"])
def test_kernels_and_calls_agree_with_options(case: str, options: dict[str, Any]) -> None:
    function, scores = FAST[case]
    fast = Counted(function)
    assert estimated(scores, fast, reps=300, **options) == pytest.approx(
        estimated(scores, lambda x: 1.0 * function(x), reps=300, **options), rel=1e-12
    )
    assert fast.calls < 30


def swallows(x: Any) -> Any:
    try:
        return np.array([2 * metrics.aggregate_iqm(x)])
    except TypeError:
        return np.array([metrics.aggregate_mean(x)])


def looks(x: Any) -> Any:
    return metrics.aggregate_iqm(x) if isinstance(x, np.ndarray) else metrics.aggregate_mean(x)


def fills(x: Any) -> Any:
    out = np.zeros(2)
    out[:] = metrics.aggregate_iqm(x), metrics.aggregate_mean(x)
    return out


def doubles(x: Any) -> Any:
    x *= 2
    return metrics.aggregate_iqm(x)


MORE = {
    "arithmetic": lambda x: 100 * arranged("iqm", "mean")(x),
    "difference": lambda x: metrics.aggregate_iqm(x) - metrics.aggregate_mean(x),
    "absolute": lambda x: np.abs(arranged("iqm")(x)),
    "extreme": lambda x: np.array([max(metrics.aggregate_iqm(x), metrics.aggregate_mean(x))]),
    "sorted": lambda x: np.sort(arranged("iqm", "mean", "median")(x)),
    "middle": lambda x: np.median(arranged("iqm", "mean", "median")(x)),
    "clipped": lambda x: np.clip(arranged("iqm", "mean")(x), 0.9, 1.0),
    "rounded": lambda x: np.round(arranged("iqm", "mean")(x), 1),
    "compared": lambda x: [metrics.aggregate_iqm(x) > 1, metrics.aggregate_iqm(x) == 1],
    "if": lambda x: metrics.aggregate_iqm(x) if x.mean() > 1 else metrics.aggregate_mean(x),
    "unless": lambda x: metrics.aggregate_iqm(x) or 7.0,
    "where": lambda x: metrics.aggregate_iqm(x) if np.any(x == x[0, 0]) else 7.0,
    "mixed": lambda x: np.array([metrics.aggregate_iqm(x), x.max()]),
    "transformed": lambda x: metrics.aggregate_iqm(x**2),
    "some tasks": lambda x: metrics.aggregate_iqm(x[:, :3]),
    "gamma": lambda x: metrics.aggregate_optimality_gap(x, 2.0),
    "numpy": lambda x: np.percentile(x, [10, 90]),
    "swallows": swallows,
    "looks": looks,
    "fills": fills,
    "doubles": doubles,
}


@pytest.mark.parametrize("case", MORE)
def test_a_function_that_does_more_is_called(case: str) -> None:
    """Against plain calls with resamples, caught by a function that nothing can stand in for."""
    function = MORE[case]
    caught: list[np.ndarray] = []
    library.StratifiedBootstrap(X).apply(lambda x: caught.append(1.0 * x) or x.sum(), reps=30)
    expected = np.array([np.atleast_1d(function(x)).astype(float) for x in caught[-30:]])
    assert library.StratifiedBootstrap(X).apply(function, reps=30) == pytest.approx(expected)


def test_all_scores_of_curves_are_no_point() -> None:
    for metric in (metrics.aggregate_iqm, metrics.aggregate_mean):
        assert asked(metric, [CURVES]) is None
        assert asked(lambda x, metric=metric: metric(x[..., 9]), [CURVES]) is None
    assert estimated([CURVES], metrics.aggregate_mean, reps=50).shape == (2, 4)


def test_percentiles_are_the_very_numbers_of_rlbench() -> None:
    intervals = estimated([X], arranged(*METRICS), reps=2_000, random_state=4)
    native = stats.bootstrap(X, [*METRICS], method="percentile", repetitions=2_000, seed=4)
    assert intervals.T.tolist() == [[each.low, each.high] for each in native.values()]

    intervals = estimated([X, Y], metrics.probability_of_improvement, reps=2_000, random_state=4)
    pair = stats.improvement(X, Y, method="percentile", repetitions=2_000, seed=4)
    assert intervals[:, 0].tolist() == [pair.low, pair.high]

    intervals = estimated([CURVES], at_each_point, reps=2_000, random_state=4)
    curve = stats.learning_curve(CURVES, "iqm", method="percentile", repetitions=2_000, seed=4)
    assert intervals.tolist() == [curve.low.tolist(), curve.high.tolist()]


def test_bca_is_that_of_rlbench() -> None:
    intervals = estimated([X], arranged(*METRICS), reps=2_000, method="bca")
    native = stats.bootstrap(X, [*METRICS], method="bca", repetitions=2_000)
    expected = [[each.low, each.high] for each in native.values()]
    assert pytest.approx(np.array(expected), rel=1e-9) == intervals.T


def test_names_of_methods_that_arch_knows() -> None:
    for alias, method in (("debiased", "bc"), ("bias-corrected", "bc"), ("var", "norm")):
        found, expected = (
            estimated([X], metrics.aggregate_iqm, method=each, reps=99) for each in (alias, method)
        )
        assert found.tolist() == expected.tolist()


def test_norm_has_the_width_of_the_replicates() -> None:
    replicates = library.StratifiedBootstrap(X).apply(metrics.aggregate_mean, reps=500)
    assert replicates.shape == (500, 1)
    low, high = library.StratifiedBootstrap(X).conf_int(metrics.aggregate_mean, 500, "norm", 0.9)
    assert high - low == pytest.approx(2 * 1.6448536 * replicates.std(axis=0))
    assert (low + high) / 2 == pytest.approx(X.mean())


def states() -> list[Any]:
    return [7, np.int64(7), np.random.RandomState(7), np.random.default_rng(7)]


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("factor", [1.0, None], ids=["calls", "kernels"])
def test_the_seed_is_honoured(kind: int, factor: float | None) -> None:
    def function(x: Any) -> Any:
        found = arranged("iqm", "mean")(x)
        return found if factor is None else factor * found

    first, again = (
        estimated([X], function, reps=100, random_state=states()[kind]) for _ in range(2)
    )
    other = estimated([X], function, reps=100, random_state=8)
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_generator_goes_on() -> None:
    for state in states()[2:]:
        first, second = (
            estimated([X], metrics.aggregate_iqm, reps=100, random_state=state) for _ in range(2)
        )
        assert first.tolist() != second.tolist()


def test_without_a_seed_it_is_0_and_global_randomness_is_not_touched() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    found, zero = (
        estimated([X], lambda x: x.mean(), reps=50, random_state=each) for each in (None, 0)
    )
    assert found.tolist() == zero.tolist()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("state", [-1, 0.5, "seed"])
def test_what_is_no_seed_is_refused(state: Any) -> None:
    with pytest.raises(UsageError, match="random_state is"):
        estimated([X], metrics.aggregate_iqm, reps=9, random_state=state)


def test_an_agent_has_its_interval_whoever_else_is_there() -> None:
    alone = estimated([X], metrics.aggregate_iqm, reps=99)
    _, among = library.get_interval_estimates({"b": Y, "a": X}, metrics.aggregate_iqm, reps=99)
    assert among["a"].tolist() == alone.tolist()


def test_one_run_has_no_interval() -> None:
    with pytest.warns(UserWarning, match="one run gives no interval"):
        points, intervals = library.get_interval_estimates({"a": X[:1]}, arranged(*METRICS))
    assert points["a"][2] == pytest.approx(X[0].mean())
    assert intervals["a"].shape == (2, 4)
    assert np.isnan(intervals["a"]).all()
    with pytest.warns(UserWarning, match="one run"):
        assert np.isnan(estimated([X, Y[:1]], metrics.probability_of_improvement)).all()
    with pytest.warns(UserWarning, match="one run"):
        _, bands = library.create_performance_profile({"a": X[:1]}, TAUS)
    assert np.isnan(bands["a"]).all()


def test_curves_are_drawn_whole() -> None:
    """A run that is twice another at every point stays so in every resample."""
    curves = np.stack([CURVES[..., 0], 2 * CURVES[..., 0]], axis=2)
    ratios = library.StratifiedBootstrap(curves).apply(lambda x: (x[..., 1] / x[..., 0]).ravel(), 9)
    assert (ratios == 2).all()


def test_arrays_that_are_drawn_together_and_apart() -> None:
    def gaps(x: np.ndarray, y: np.ndarray) -> Any:
        return np.abs(x - y).max()

    assert library.StratifiedBootstrap(X, X, task_bootstrap=True).apply(gaps, 20).max() == 0
    assert library.StratifiedIndependentBootstrap(X, X).apply(gaps, 20).min() > 0
    draw = library.StratifiedBootstrap(X, X, task_bootstrap=True)
    assert draw.apply(metrics.probability_of_improvement, 20) == pytest.approx(0.5)


@pytest.mark.parametrize("task_bootstrap", [False, True])
def test_arrays_by_keyword_are_drawn_with_those_by_position(task_bootstrap: bool) -> None:
    backwards, curves = X[::-1], np.stack([X, 2 * X], axis=2)
    drawn = library.StratifiedBootstrap(
        X, y=backwards, curves=curves, task_bootstrap=task_bootstrap
    )
    assert drawn.data == (drawn.pos_data, drawn.kw_data)
    for given in (drawn.pos_data[0], X[drawn.index]):
        assert given.tolist() == X.tolist(), "before anything is drawn"
    seen = []
    for by_position, by_keyword in drawn.bootstrap(20):
        (x,) = by_position
        assert x.tolist() == X[drawn.index].tolist() == drawn.pos_data[0].tolist()
        for name, array in (("y", backwards), ("curves", curves)):
            expected = array[drawn.index].tolist()
            assert by_keyword[name].tolist() == getattr(drawn, name).tolist() == expected
        assert sorted(by_keyword) == ["curves", "y"]
        seen.append(x)
    assert len({x.tobytes() for x in seen}) == 20
    replicates = library.StratifiedBootstrap(X, task_bootstrap=task_bootstrap).apply(np.ravel, 20)
    assert replicates.tolist() == [x.ravel().tolist() for x in seen]
    again = [x.tolist() for (x,), _ in drawn.bootstrap(20)]
    assert again == [x.tolist() for x in seen]


def test_arrays_by_keyword_are_drawn_apart_in_the_independent_bootstrap() -> None:
    drawn = library.StratifiedIndependentBootstrap(X, y=X, other=Y)
    for (x,), by_keyword in drawn.bootstrap(5):
        (index,), by_name = drawn.index
        assert x.tolist() == X[index].tolist()
        assert by_keyword["y"].tolist() == drawn.y.tolist() == X[by_name["y"]].tolist()
        assert by_keyword["other"].tolist() == Y[by_name["other"]].tolist()
        assert x.tolist() != by_keyword["y"].tolist()


def test_functions_get_arrays_by_keyword_under_their_names() -> None:
    def gap(x: np.ndarray, *, y: np.ndarray) -> Any:
        return metrics.aggregate_mean(x) - metrics.aggregate_mean(y)

    def chance(x: np.ndarray, y: np.ndarray) -> Any:
        return metrics.probability_of_improvement(x, y)

    together = library.StratifiedBootstrap(X, y=X - 1)
    assert together.apply(gap, 50) == pytest.approx(1.0)
    apart = library.StratifiedIndependentBootstrap(X, y=Y)
    by_position = library.StratifiedIndependentBootstrap(X, Y)
    for method in ("percentile", "norm"):
        found, expected = (each.conf_int(chance, 200, method) for each in (apart, by_position))
        assert found == pytest.approx(expected)
    assert np.ptp(library.StratifiedBootstrap(X, y=X[::-1]).conf_int(gap, 99, "bca")) > 0
    alone = library.StratifiedBootstrap(y=X)
    assert alone.apply(lambda y: y.mean(), 5).shape == (5, 1)


def test_names_of_arrays_that_are_taken_are_refused() -> None:
    for name in ("index", "data", "bootstrap", "_keys"):
        with pytest.raises(UsageError, match=f"an array cannot be called '{name}'"):
            library.StratifiedBootstrap(X, **{name: X})
    with pytest.raises(InvalidScores, match="drawn together"):
        library.StratifiedBootstrap(X, y=Y)


def test_drawing_tasks_draws_tasks() -> None:
    scores = np.broadcast_to(np.arange(5.0), (3, 5)).copy()
    apart, drawn = (
        library.StratifiedBootstrap(scores, task_bootstrap=each).apply(lambda x: x[0], reps=50)
        for each in (False, True)
    )
    assert (apart == np.arange(5)).all()
    assert len({tuple(row) for row in drawn.tolist()}) > 40


@pytest.mark.parametrize("use_runs", [True, False], ids=["runs", "means"])
def test_a_profile_has_the_band_of_its_resamples(use_runs: bool) -> None:
    """Also as a function of one's own, which nothing is known of."""
    own = library.score_distributions if use_runs else library.average_score_distributions
    points, bands = library.create_performance_profile({"a": X}, TAUS, use_runs, reps=4_000)
    _, called = library.create_performance_profile(
        {"a": X}, TAUS, custom_profile_func=lambda x, taus: own(x, taus), reps=4_000
    )
    step = 1 / (X.size if use_runs else X.shape[1])
    assert points["a"].tolist() == own(X, TAUS).tolist()
    assert (np.abs(bands["a"] - called["a"]) <= 1.01 * step).all()
    assert (bands["a"][1] - bands["a"][0]).max() > step
    assert bands["a"][:, -1].tolist() == [0, 0]


def test_profiles_take_the_other_options() -> None:
    for options in ({"task_bootstrap": True}, {"method": "basic"}):
        _, bands = library.create_performance_profile({"a": X}, TAUS, reps=500, **options)
        _, plain = library.create_performance_profile({"a": X}, TAUS)
        assert bands["a"].tolist() != plain["a"].tolist()
        assert (bands["a"][0] <= bands["a"][1]).all()
    assert library.score_distributions(X, np.ones((2, 3))).shape == (2, 3)


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ([X[:, 0]], {}, r"must be \(runs, tasks\)"),
        ([X[:0]], {}, "scores"),
        ([np.where(X[2, 1] == X, np.nan, X)], {}, r"score at \(2, 1\) is nan"),
        ([np.where(X[2, 1] == X, 1e16, X)], {}, r"score at \(2, 1\) is 1e\+16"),
        ([X, Y], {"method": "bca"}, "as many runs"),
        ([np.ones((4, 3))], {"method": "bc"}, "both sides"),
        ([X], {"reps": 0}, "at least 1"),
        ([X], {"confidence_interval_size": 95}, "level 95"),
    ],
)
def test_what_cannot_be_computed_is_refused(
    scores: list[np.ndarray], options: dict[str, Any], message: str
) -> None:
    function = metrics.aggregate_iqm if len(scores) == 1 else metrics.probability_of_improvement
    with pytest.raises(InvalidScores, match=message):
        estimated(scores, function, **options)


def test_other_mistakes_are_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'percentile'"):
        estimated([X], metrics.aggregate_iqm, method="percentiles")
    with pytest.raises(UnknownName, match="method 'studentized'"):
        library.create_performance_profile({"a": X}, TAUS, method="studentized")
    with pytest.raises(InvalidScores, match="func must return"):
        estimated([X], lambda x: x)
    with pytest.raises(InvalidScores, match="drawn together"):
        library.StratifiedBootstrap(X, Y)
    with pytest.raises(InvalidScores, match="no array"):
        library.StratifiedIndependentBootstrap()
    with pytest.raises(InvalidScores, match="9 tasks and y has 3"):
        metrics.probability_of_improvement(X, Y[:, :3])


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


POINTS = {"DQN": np.array([0.5, 0.75]), "PPO": np.array([0.25, 1.0]), "C51": np.array([0.1, 0.2])}
ENDS = {name: np.stack([point - 0.125, point + 0.25]) for name, point in POINTS.items()}


def bars(ax: Any) -> list[tuple[float, float]]:
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]


def lines_across(ax: Any) -> list[float]:
    return [line.get_segments()[0][0][0] for line in ax.collections]


def names_of(ticks: list[Any]) -> list[str]:
    return [tick.get_text() for tick in ticks]


def drawn(ax: Any) -> None:
    ax.get_figure().canvas.draw()


def test_intervals_are_drawn() -> None:
    figure, axes = plot_utils.plot_interval_estimates(
        POINTS, ENDS, ["IQM", "Mean"], algorithms=["PPO", "DQN"], colors={"PPO": "r", "DQN": "b"}
    )
    drawn(axes[0])
    for metric, ax in enumerate(axes):
        assert bars(ax) == [tuple(ENDS[name][:, metric]) for name in ("PPO", "DQN")]
        assert lines_across(ax) == [POINTS[name][metric] for name in ("PPO", "DQN")]
        assert [bar.get_facecolor()[:3] for bar in ax.patches] == [(1, 0, 0), (0, 0, 1)]
        assert ax.get_title() == ["IQM", "Mean"][metric]
    assert names_of(axes[0].get_yticklabels()) == ["PPO", "DQN"]
    assert set(names_of(axes[1].get_yticklabels())) == {""}
    assert "Normalized Score" in [text.get_text() for text in figure.texts]


def test_one_metric_has_one_panel_and_no_interval_no_bar() -> None:
    alone = {"DQN": [0.5]}, {"DQN": np.full((2, 1), np.nan)}
    _, ax = plot_utils.plot_interval_estimates(*alone, ["IQM"], interval_height=0.4)
    drawn(ax)
    assert bars(ax) == []
    assert lines_across(ax) == [0.5]


def test_profiles_are_drawn() -> None:
    points, bands = library.create_performance_profile({"DQN": X, "PPO": Y}, TAUS)
    del bands["PPO"]
    ax = plot_utils.plot_performance_profiles(
        points, TAUS, bands, linewidth=5, linestyles={"DQN": "--"}, legend=True, xticks=[0, 4]
    )
    drawn(ax)
    for line, name in zip(ax.lines, ("DQN", "PPO"), strict=True):
        assert line.get_xydata().tolist() == [
            [*each] for each in zip(TAUS, points[name], strict=True)
        ]
        assert line.get_linewidth() == 5, "of every line"
    assert [line.get_linestyle() for line in ax.lines] == ["--", "-"]
    assert [line.get_color() for line in ax.lines] == [*plot_utils.COLORBLIND[:2]]
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices.tolist()
    for ends in bands["DQN"]:
        assert all([tau, end] in corners for tau, end in zip(TAUS, ends.tolist(), strict=True))
    assert ax.get_yticks().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert ax.get_xticks().tolist() == [0, 4]
    assert names_of(ax.get_legend().get_texts()) == ["DQN", "PPO"]
    assert not ax.spines["top"].get_visible()


def test_thresholds_are_spread_by_runs() -> None:
    profiles = {"DQN": np.array([1.0, 0.6, 0.2, 0.0]), "PPO": np.array([1.0, 0.8, 0.6, 0.2])}
    taus = [0.0, 0.5, 1.0, 8.0]
    ax = plot_utils.plot_performance_profiles(profiles, taus, use_non_linear_scaling=True)
    expected = [0.0, 0.3, 0.6, 0.9]
    assert ax.lines[0].get_xdata() == pytest.approx(expected)
    assert ax.get_xticks()[-1] == pytest.approx(0.9)
    ax = plot_utils.plot_performance_profiles(
        profiles, taus, use_non_linear_scaling=True, xticks=[0.5, 8.0], yticks=[0, 1]
    )
    drawn(ax)
    assert ax.get_xticks() == pytest.approx([0.3, 0.9])
    assert names_of(ax.get_xticklabels()) == ["0.5", "8"]
    assert ax.get_yticks().tolist() == [0, 1]
    with pytest.raises(UsageError, match=r"tick 0\.7 is not in tau_list"):
        plot_utils.plot_performance_profiles(
            profiles, taus, use_non_linear_scaling=True, xticks=[0.7]
        )


def test_curves_are_drawn() -> None:
    _, given = pyplot.subplots()
    ends = {**ENDS, "C51": np.full((2, 2), np.nan)}
    ax = plot_utils.plot_sample_efficiency_curve(
        [1, 2], POINTS, ends, ax=given, marker="s", linewidth=3, xticks=[1, 2],
        xticklabels=["one", "two"], yticks=[0, 1],
    )  # fmt: skip
    drawn(ax)
    assert ax is given
    assert [line.get_ydata().tolist() for line in ax.lines] == [each.tolist() for each in
                                                                POINTS.values()]  # fmt: skip
    assert {line.get_marker() for line in ax.lines} == {"s"}
    assert {line.get_linewidth() for line in ax.lines} == {3}
    assert [len(band.get_paths()) for band in ax.collections] == [1, 1, 0], "none where it is NaN"
    corners = ax.collections[1].get_paths()[0].vertices.tolist()
    assert [1.0, ends["PPO"][0, 0]] in corners
    assert [2.0, ends["PPO"][1, 1]] in corners
    assert names_of(ax.get_xticklabels()) == ["one", "two"]


def test_improvements_are_drawn() -> None:
    points, ends = library.get_interval_estimates(
        {"DQN,C51": [X, Y], ("PPO, tuned", "DQN"): [Y, X]},
        metrics.probability_of_improvement, reps=200,
    )  # fmt: skip
    ends[("none", "DQN")], points[("none", "DQN")] = np.full(2, np.nan), 0.5
    ax = plot_utils.plot_probability_of_improvement(points, ends, xticks=[0, 0.5, 1])
    drawn(ax)
    (twin,) = (each for each in ax.get_figure().axes if each is not ax)
    assert bars(ax) == [pytest.approx(tuple(ends[pair][:, 0])) for pair in [*points][:2]]
    assert lines_across(ax) == [*points.values()]
    assert names_of(ax.get_yticklabels()) == ["DQN", "PPO, tuned", "none"]
    assert names_of(twin.get_yticklabels()) == ["C51", "DQN", "DQN"]
    assert twin.get_ylim() == ax.get_ylim()
    assert ax.get_xticks().tolist() == [0, 0.5, 1]
    with pytest.raises(UsageError, match="not a pair of names separated by ','"):
        plot_utils.plot_probability_of_improvement({"a,b,c": 0.5}, {"a,b,c": (0.4, 0.6)})
    other = plot_utils.plot_probability_of_improvement(
        {"a,b;c": 0.5}, {"a,b;c": (0.4, 0.6)}, pair_separator=";", colors=["r"]
    )
    assert names_of(other.get_yticklabels()) == ["a,b"]
    assert other.patches[0].get_facecolor() == to_rgba("r", 0.75)


def test_palettes() -> None:
    def colours(palette: Any) -> list[Any]:
        ax = plot_utils.plot_sample_efficiency_curve([1, 2], POINTS, ENDS, color_palette=palette)
        return [to_rgba(line.get_color()) for line in ax.lines]

    assert colours("colorblind") == [to_rgba(each) for each in plot_utils.COLORBLIND[:3]]
    assert colours("tab10") == [to_rgba(f"C{k}") for k in range(3)]
    assert colours(["r", "g"]) == [to_rgba(each) for each in "rgr"]
    assert len(set(colours("viridis"))) == 3
    with pytest.raises(UnknownName, match="Did you mean 'colorblind'"):
        colours("colourblind")


def test_mistakes_in_figures_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'linewidth'"):
        plot_utils.plot_performance_profiles({"a": [1.0, 0.0]}, [0, 1], line_width=2)
    with pytest.raises(UsageError, match="'DQN' has 2 estimates, and there are 1 metric names"):
        plot_utils.plot_interval_estimates(POINTS, ENDS, ["IQM"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"rlbench\[plot\]"):
        plot_utils.plot_interval_estimates(POINTS, ENDS, ["IQM", "Mean"])


def test_the_code_in_the_guide_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/migrating-from-rliable.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    script = "import matplotlib\nmatplotlib.use('Agg')\n" + "\n".join(blocks)
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, cwd=tmp_path)
    assert (tmp_path / "intervals.png").stat().st_size > 1000


def test_the_tool_runs_rliables_tests_with_the_import_changed(tmp_path: Path) -> None:
    """Here those of a checkout with two tests, of which one fails."""
    tool = [sys.executable, Path(__file__).parents[2] / "tools/rliable_tests.py", tmp_path]
    without = subprocess.run(tool, capture_output=True, text=True, check=False)
    assert (without.returncode, "has no tests" in without.stderr) == (1, True)
    (tmp_path / "tests/rliable").mkdir(parents=True)
    for name, expected in (("tests/rliable/a_test.py", 2.0), ("tests/b_test.py", 3.0)):
        (tmp_path / name).write_text(
            "import rliable.metrics as metrics\n\n"
            "def test_mean():\n"
            "    assert metrics.__name__ == 'rlbench.compat.rliable.metrics'\n"
            f"    assert metrics.aggregate_mean([[2.0]]) == {expected}\n"
        )
    found = subprocess.run(tool, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "a_test.py::test_mean PASSED" in found.stdout
    assert "b_test.py::test_mean FAILED" in found.stdout
