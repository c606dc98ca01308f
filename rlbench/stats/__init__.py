"""What scores mean: pure functions of arrays, and small result objects."""

from rlbench.stats.aggregates import (
    iqm,
    mean,
    median,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from rlbench.stats.intervals import Estimate, bootstrap, difference
from rlbench.stats.summary import SummaryRow, summarise

__all__ = [
    "Estimate",
    "SummaryRow",
    "bootstrap",
    "difference",
    "iqm",
    "mean",
    "median",
    "optimality_gap",
    "performance_profile",
    "probability_of_improvement",
    "summarise",
]
