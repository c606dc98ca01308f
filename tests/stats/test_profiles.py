"""Profile bands: the exact law is that of resamples, and no end claims more than is known."""

import numpy as np
import pytest
from scipy.stats import beta

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.stats import profile_band, profiles
from rlbench.stats.bands import BANDS
from rlbench.stats.resampling import keys_of, layout_of

SCORES = np.random.default_rng(0).gamma(1.0, size=(5, 12))
TAUS = np.linspace(-0.5, 7, 40)


@pytest.mark.parametrize("method", ["rao-wu", "percentile"])
@pytest.mark.parametrize("ragged", [False, True])
def test_the_exact_law_is_that_of_resamples(method: str, ragged: bool) -> None:
    tasks = [task[: 3 + t % 3] if ragged else task for t, task in enumerate(SCORES.T)]
    found = profile_band(tasks, TAUS, method=method)
    assert found.method.startswith("stratified" if ragged else "exact")
    layout = layout_of(tasks, method)
    replicates = profiles._profiles(tasks, TAUS, "run", layout, 20_000, keys_of(1)[0])
    low, high = np.quantile(replicates, [0.025, 0.975], axis=1)
    varies = low < high
    step = 1.01 * layout.weights.max() / len(np.concatenate(tasks))
    assert varies.sum() > 20
    assert np.abs(found.low - low)[varies].max() <= step
    assert np.abs(found.high - high)[varies].max() <= step
    assert found.point == pytest.approx(stats.performance_profile(tasks, TAUS))


@pytest.mark.parametrize("kind", ["run", "mean"])
@pytest.mark.parametrize("band", BANDS)
def test_ends_have_width_everywhere(kind: str, band: str) -> None:
    found = profile_band(SCORES, TAUS, kind, band=band)
    assert set(found.point) >= {0.0, 1.0}
    assert (found.low < found.high).all()
    assert (found.low <= found.point).all()
    assert (found.point <= found.high).all()


def test_where_resamples_do_not_differ_the_ends_are_those_of_clopper_pearson() -> None:
    """All 60 runs above, none above, and tasks that are all above or all below."""
    found = profile_band(SCORES, [-1.0])
    assert (found.low[0], found.high[0]) == (pytest.approx(0.025 ** (1 / 60)), 1.0)
    found = profile_band(SCORES, [99.0])
    assert (found.low[0], found.high[0]) == (0.0, pytest.approx(1 - 0.025 ** (1 / 60)))
    found = profile_band(np.tile([0.0, 2.0, 2.0], (4, 1)), [1.0])
    ends = beta.ppf([0.025, 0.975], [8, 9], [5, 4])
    assert [found.low[0], found.high[0]] == pytest.approx(ends.tolist())
    assert "Clopper-Pearson" in found.method
    ragged = [np.zeros(3), np.full(10, 2.0), np.full(3, 2.0)]
    found = profile_band(ragged, [1.0])
    ends = beta.ppf([0.025, 0.975], [6, 7], [4, 3])  # of the three runs that every task has
    assert [found.low[0], found.high[0]] == pytest.approx(ends.tolist())


def test_other_thresholds_narrow_them() -> None:
    """A share at a threshold is at most the share at a lower one, however few runs there are."""
    few = SCORES.mean(axis=0).max() - 0.01
    alone = profile_band(SCORES, [99.0], "mean")
    beside = profile_band(SCORES, [99.0, few], "mean")
    assert alone.high[0] > beside.high[1] == beside.high[0] > 0


def test_simultaneous_bands_are_wider() -> None:
    pointwise, together = (
        profile_band(SCORES, TAUS, band=b) for b in ("pointwise", "simultaneous")
    )
    assert (together.high - together.low).mean() > 1.2 * (pointwise.high - pointwise.low).mean()


def test_thresholds_need_no_order() -> None:
    mixed = np.random.default_rng(0).permutation(len(TAUS))
    for kind in ("run", "mean"):
        one, other = profile_band(SCORES, TAUS, kind), profile_band(SCORES, TAUS[mixed], kind)
        np.testing.assert_array_equal(one.low[mixed], other.low)
        np.testing.assert_array_equal(one.high[mixed], other.high)


def test_one_run_has_no_band_and_wrong_options_are_named() -> None:
    assert profile_band(SCORES[:1], TAUS).low is None
    with pytest.raises(InvalidScores, match="taus"):
        profile_band(SCORES, [[1.0]])
    with pytest.raises(UnknownName, match="method"):
        profile_band(SCORES, TAUS, method="bca")
