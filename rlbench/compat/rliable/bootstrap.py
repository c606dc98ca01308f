"""The stratified bootstrap of arrays of scores, for any function of them."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import index
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.compat.rliable.probe import Token, asked
from rlbench.errors import InvalidScores, UsageError
from rlbench.stats.intervals import check_options, replicates_of, tails_of
from rlbench.stats.resampling import CHUNK, Floats, keys_of, layout_of, resamples

Array = NDArray[Any]
Picks = NDArray[np.int64]  # scores by number: those of the first task, then of the second, ...
Index = tuple[Picks, Picks]  # runs and tasks, (runs, tasks) each
Function = Callable[..., Any]
RandomState = int | np.random.RandomState | np.random.Generator | None

METHODS = ("percentile", "basic", "bc", "bca", "norm")
ALIASES = {"bias-corrected": "bc", "debiased": "bc", "cov": "norm", "var": "norm"}
CHECKED = 8  # resamples on which what the kernels return is held against the function


class Bootstrap:
    """Resamples of arrays of scores, the same at every call.

    Attributes:
        pos_data: The arrays given by position: of the current resample in a loop over
            `bootstrap`, else as given. Each array given by keyword is an attribute too.
        kw_data: The arrays given by keyword, by name, likewise.
        data: Both.

    Args:
        arrays: (runs, tasks, ...) each.
        named: The same, by keyword.
        keys: Of the random numbers, one an array; those given by keyword come last.
        task_key: To draw the tasks as well.
    """

    def __init__(
        self,
        arrays: Sequence[Array],
        named: Mapping[str, Array],
        keys: Sequence[int],
        task_key: int | None = None,
    ) -> None:
        self._arrays = [np.array(array) for array in (*arrays, *named.values())]
        self._names = tuple(named)
        self._keys = keys
        self._task_key = task_key
        for array in self._arrays:
            if array.ndim < 2 or not array.size:
                raise InvalidScores(
                    f"scores must be (runs, tasks) or (runs, tasks, points), not of shape "
                    f"{array.shape}"
                )
        if not self._arrays:
            raise InvalidScores("there are no scores: no array")
        self._picks = [_all_of(*array.shape[:2]) for array in self._arrays]
        self.pos_data, self.kw_data = self.data = self._sorted(self._arrays)
        for name in named:
            if hasattr(self, name):
                raise UsageError(f"an array cannot be called {name!r}: that name is taken")
        self._show(self._arrays)

    def bootstrap(self, reps: int) -> Iterator[tuple[tuple[Array, ...], dict[str, Array]]]:
        """Yield resamples: the arrays given by position, and those given by keyword.

        Args:
            reps: Resamples.
        """
        for drawn in self._drawn(reps):
            for picks in zip(*drawn, strict=True):
                self._picks = list(picks)
                self._show(self._taken(picks))
                yield self.pos_data, self.kw_data

    def _show(self, arrays: Sequence[Array]) -> None:
        """Set the attributes that hold the current resample."""
        self.pos_data, self.kw_data = self.data = self._sorted(arrays)
        for name, array in self.kw_data.items():
            setattr(self, name, array)

    def _index(self, number: int) -> Index:
        """Return where the current resample of one of the arrays stands in it."""
        tasks, runs = np.divmod(self._picks[number], len(self._arrays[number]))
        return runs, tasks

    def _sorted(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what there is of each array, by position and by keyword."""
        first = len(arrays) - len(self._names)
        return tuple(arrays[:first]), dict(zip(self._names, arrays[first:], strict=True))

    def _called(self, func: Function, arrays: Sequence[Array]) -> Any:
        by_position, by_keyword = self._sorted(arrays)
        return func(*by_position, **by_keyword)

    def point(self, func: Function) -> Any:
        """Return what a function returns for the scores themselves, which it may write to."""
        return self._called(func, [array.copy() for array in self._arrays])

    def apply(self, func: Function, reps: int = 1000) -> Floats:
        """Return what a function returns for each resample, (reps, k).

        Args:
            func: As `library.get_interval_estimates` takes it.
            reps: Resamples.
        """
        self.point(func)  # which raises where scores are bad
        return self._replicates(func, reps).T

    def conf_int(
        self, func: Function, reps: int = 1000, method: str = "basic", size: float = 0.95
    ) -> Floats:
        """Return the ends of intervals, (2, k).

        Args:
            func: As `library.get_interval_estimates` takes it.
            reps: Resamples.
            method: ``percentile``; ``basic``: percentiles reflected about the point; ``bc``:
                corrected for bias (Efron 1981); ``bca``: and for skewness (Efron 1987), from the
                jackknife over runs, each statistic by itself; or ``norm``: the point and normal
                quantiles of the replicates' standard deviation.
            size: Nominal coverage, between 0 and 1.

        Returns:
            The ends; NaN, with a warning, where an array has one run.

        Raises:
            InvalidScores: What `func` returns is misshapen, an option is out of range, or a bias
                cannot be told.
            UnknownName: There is no such method.
        """
        method = ALIASES.get(method, method)
        check_options(method, reps, size, METHODS)
        points = _numbers(self.point(func))
        if min(len(array) for array in self._arrays) < 2:
            warnings.warn("one run gives no interval: its ends are NaN", stacklevel=2)
            return np.full((2, len(points)), np.nan)
        replicates = self._replicates(func, reps)
        if method == "norm":
            reach = NormalDist().inv_cdf(tails_of(size)[1]) * replicates.std(axis=1)
            return np.array([points - reach, points + reach])
        if method in ("bc", "bca"):
            skewness = self._acceleration(func) if method == "bca" else np.zeros(len(points))
            return _corrected_ends(points, replicates, skewness, size)
        low, high = np.quantile(replicates, tails_of(size), axis=1)
        if method == "basic":
            low, high = 2 * points - high, 2 * points - low
        return np.array([low, high])

    def _replicates(self, func: Function, reps: int) -> Floats:
        """Return what a function returns for each resample, (k, reps)."""
        tokens = None if self._names else asked(func, self._arrays)
        if tokens is not None and self._can_compute(tokens):
            found = np.array(self._by_kernels(tokens, reps))
            if _equal(found[:, :CHECKED], self._by_calls(func, min(reps, CHECKED))):
                return found
        return self._by_calls(func, reps)

    def _by_calls(self, func: Function, reps: int) -> Floats:
        return np.array(
            [
                _numbers(self._called(func, arrays))
                for drawn in self._drawn(reps)
                for arrays in zip(*self._taken(drawn), strict=True)
            ]
        ).T

    def _taken(self, picks: Sequence[Picks]) -> list[Array]:
        """Return the scores of each array at its picks (..., runs, tasks)."""
        return [
            array.swapaxes(0, 1).reshape(-1, *array.shape[2:])[which]
            for array, which in zip(self._arrays, picks, strict=True)
        ]

    def _drawn(self, reps: int) -> Iterator[tuple[Picks, ...]]:
        """Yield the picks of resamples, some resamples at a time: (n, runs, tasks) an array."""
        step = max(1, CHUNK // max(array.size for array in self._arrays))
        sides = []
        for array, key in zip(self._arrays, self._keys, strict=True):
            layout = layout_of(list(array.swapaxes(0, 1)), "percentile")
            picks = resamples(layout, key, reps, chunk=step * layout.draws, task_key=self._task_key)
            sides.append(_by_run(picks, *array.shape[:2]))
        yield from zip(*sides, strict=True)

    def _can_compute(self, tokens: Sequence[Token]) -> bool:
        """Say whether there is a kernel for every token: none draws tasks of two agents."""
        return self._task_key is None or all(len(token.of) == 1 for token in tokens)

    def _by_kernels(self, tokens: Sequence[Token], reps: int) -> list[Floats]:
        """Return what each token stands for, (reps,) each."""
        aggregates = {
            source: self._aggregates(source, tokens, reps)
            for source in {token.of[0].source for token in tokens if len(token.of) == 1}
        }
        return [
            aggregates[token.of[0].source][token.metric, token.of[0].point]
            if len(token.of) == 1
            else self._improvements(token, reps)
            for token in tokens
        ]

    def _aggregates(
        self, source: int, tokens: Sequence[Token], reps: int
    ) -> dict[tuple[str, int], Floats]:
        """Return the aggregates of one of the arrays, by metric and point."""
        mine = [token for token in tokens if len(token.of) == 1 and token.of[0].source == source]
        metrics = sorted({token.metric for token in mine})
        points = sorted({token.of[0].point for token in mine})
        tasks = list(self._curves(source)[:, :, points].swapaxes(0, 1))
        found = replicates_of(
            tasks, metrics, layout_of(tasks, "percentile"), reps, self._keys[source],
            self._task_key,
        )  # fmt: skip
        return {
            (metric, point): replicates
            for metric, curve in zip(metrics, found, strict=True)
            for point, replicates in zip(points, curve, strict=True)
        }

    def _improvements(self, token: Token, reps: int) -> Floats:
        """Return probabilities of improvement, (reps,)."""
        from rlbench.stats.kernels import improvements

        x, y = (list(self._curves(probe.source)[:, :, probe.point].T) for probe in token.of)
        keys = [self._keys[probe.source] for probe in token.of]
        return improvements(
            x, y, (layout_of(x, "percentile"), layout_of(y, "percentile")), keys, reps
        )

    def _curves(self, source: int) -> Floats:
        """Return scores as (runs, tasks, points), with one point where there is none."""
        array = self._arrays[source].astype(np.float64)
        return array[:, :, None] if array.ndim == 2 else array

    def _acceleration(self, func: Function) -> Floats:
        """Return BCa's acceleration of each statistic, (k,) (Efron 1987, eq. 6.6).

        Run i is left out of all tasks, and of all arrays, together.
        """
        runs = {len(array) for array in self._arrays}
        if len(runs) > 1:
            raise InvalidScores("bca needs as many runs in every array: use percentile")
        left_out = np.array(
            [
                _numbers(
                    self._called(func, [np.delete(array, run, axis=0) for array in self._arrays])
                )
                for run in range(runs.pop())
            ]
        )
        influence = left_out.mean(axis=0) - left_out
        squares = (influence**2).sum(axis=0)
        squares[squares == 0] = np.inf  # nothing varies, nothing is skewed
        return np.asarray((influence**3).sum(axis=0) / (6 * squares**1.5))


class StratifiedBootstrap(Bootstrap):
    """Draws runs within each task.

    Args:
        args: Scores (runs, tasks) or (runs, tasks, points), whose curves are drawn whole.
            Several arrays are drawn together, and need the same runs and tasks.
        random_state: As `library.get_interval_estimates` takes it.
        task_bootstrap: Draw the tasks too.
        kwargs: More arrays, drawn together with the others; functions get them by these names.

    Raises:
        InvalidScores: The shapes are not these.
        UsageError: An array has the name of an attribute.
    """

    def __init__(
        self,
        *args: Array,
        random_state: RandomState = None,
        task_bootstrap: bool = False,
        **kwargs: Array,
    ) -> None:
        key, task_key = keys_of(seed_of(random_state), 2)
        number = len(args) + len(kwargs)
        super().__init__(args, kwargs, [key] * number, task_key if task_bootstrap else None)
        if len({array.shape[:2] for array in self._arrays}) > 1:
            raise InvalidScores("arrays that are drawn together need the same runs and tasks")

    @property
    def index(self) -> Index:
        """Where the current resample stands in every array: ``x[index]`` is that of x."""
        return self._index(0)


class StratifiedIndependentBootstrap(Bootstrap):
    """Draws runs within each task, independently for each array.

    Args:
        args: As `StratifiedBootstrap` takes them; the numbers of runs may differ.
        random_state: As `library.get_interval_estimates` takes it.
        kwargs: More arrays, each drawn by itself too; functions get them by these names.

    Raises:
        InvalidScores: The shapes are not these.
        UsageError: An array has the name of an attribute.
    """

    def __init__(self, *args: Array, random_state: RandomState = None, **kwargs: Array) -> None:
        keys = keys_of(seed_of(random_state), len(args) + len(kwargs))
        super().__init__(args, kwargs, keys)

    @property
    def index(self) -> tuple[tuple[Index, ...], dict[str, Index]]:
        """Where the current resample of each array stands in it: by position, and by keyword."""
        return self._sorted([self._index(number) for number in range(len(self._arrays))])


def seed_of(random_state: RandomState) -> int:
    """Return the seed that is given, or that is drawn from what is given.

    Raises:
        UsageError: It is nothing of the kind.
    """
    if random_state is None:
        return 0
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**63 - 1, dtype=np.int64))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63 - 1))
    try:
        seed = index(random_state)
    except TypeError:
        seed = -1
    if seed < 0:
        raise UsageError(
            f"random_state is {random_state!r}: give None, a seed from 0, a RandomState or a "
            "Generator"
        )
    return seed


def _numbers(answer: Any) -> Floats:
    """Return what a function returned as (k,).

    Raises:
        InvalidScores: It is not that.
    """
    numbers = np.atleast_1d(np.asarray(answer, dtype=np.float64))
    if numbers.ndim != 1 or not len(numbers):
        raise InvalidScores(f"func must return a number or numbers (k,), not {numbers.shape}")
    return numbers


def _equal(found: Floats, checked: Floats) -> bool:
    """Say whether two ways to compute (k, reps) numbers agree up to rounding."""
    if found.shape != checked.shape:
        return False
    reach = 1e-9 * np.abs(checked).max(axis=1, keepdims=True)
    return bool((np.abs(found - checked) <= reach).all())


def _all_of(runs: int, tasks: int) -> Picks:
    """Return the picks that are the scores themselves, (runs, tasks)."""
    return np.arange(tasks * runs).reshape(tasks, runs).T


def _by_run(picks: Iterator[Picks], runs: int, tasks: int) -> Iterator[Picks]:
    """Yield picks (n, tasks * runs), which are task by task, as (n, runs, tasks)."""
    for which in picks:
        yield which.reshape(-1, tasks, runs).swapaxes(1, 2)


def _corrected_ends(
    points: Floats, replicates: Floats, acceleration: Floats, size: float
) -> Floats:
    """Return the ends of BCa intervals, (2, k) (Efron 1987, eq. 2.3).

    Raises:
        InvalidScores: All replicates of a statistic lie on one side of its point.
    """
    normal = NormalDist()
    # What equals the point but for rounding is not below it.
    edges = points - 1e-12 * np.abs(replicates).max(axis=1)
    below = (replicates < edges[:, None]).mean(axis=1)
    if not ((below > 0) & (below < 1)).all():
        raise InvalidScores("bc and bca need replicates on both sides of the point: use percentile")
    ends = []
    for values, share, skewness in zip(replicates, below, acceleration, strict=True):
        bias = normal.inv_cdf(share)
        shifted = [bias + normal.inv_cdf(tail) for tail in tails_of(size)]
        tails = [normal.cdf(bias + z / (1 - skewness * z)) for z in shifted]
        ends.append(np.quantile(values, tails))
    return np.array(ends).T
