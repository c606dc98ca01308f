"""The axes of the small plots that stand in pages."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from rlbench.stats.summary import SummaryRow

PLOT_WIDTH = 160  # px
_MARGIN = 8  # px at either end of a plot
_SIDE = 3  # per cent at either end of a plot that is as wide as there is room


class Axis(NamedTuple):
    """The common axis of small plots: in px, or in per cent of whatever width there is."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def x(self, value: float) -> float:
        """Return where a value stands, in px."""
        return round(_MARGIN + self._share(value) * (PLOT_WIDTH - 2 * _MARGIN), 1)

    def percent(self, value: float) -> float:
        """Return where a value stands, in per cent of the width."""
        return round(_SIDE + self._share(value) * (100 - 2 * _SIDE), 2)

    def _share(self, value: float) -> float:
        return (value - self.low) / ((self.high - self.low) or 1.0)


def aggregate_axis(rows: Iterable[SummaryRow]) -> Axis:
    """Return an axis for some aggregates, with both references on it."""
    ends = [end for row in rows for end in (row.point, row.low, row.high) if end is not None]
    return axis_of([0.0, 1.0, *ends])


def axis_of(values: Sequence[float]) -> Axis:
    """Return an axis that all values stand on, with two to five round ticks."""
    low, high = min(values), max(values)
    power = 10.0 ** np.floor(np.log10((high - low) or 1.0))
    ticks: tuple[float, ...] = ()
    for share in (1.0, 0.5, 0.2):
        step = float(power) * share
        first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
        ticks = tuple(float(k * step) for k in range(first, last + 1))
        if len(ticks) > 1:
            break
    if len(ticks) > 5:
        ticks = tuple(tick for tick in ticks if round(tick / step) % 2 == 0)
    return Axis(low, high, ticks)
