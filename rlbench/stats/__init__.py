"""What scores mean: pure functions of arrays, and small result objects."""

from rlbench.stats.aggregates import iqm, mean, median, optimality_gap
from rlbench.stats.bootstrap import Estimate, bootstrap
from rlbench.stats.summary import METRICS, SummaryRow, summarise

__all__ = [
    "METRICS",
    "Estimate",
    "SummaryRow",
    "bootstrap",
    "iqm",
    "mean",
    "median",
    "optimality_gap",
    "summarise",
]
