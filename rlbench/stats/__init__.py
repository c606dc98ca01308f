"""What scores mean: pure functions of arrays, and small result objects."""

from rlbench.stats.aggregates import (
    iqm,
    mean,
    median,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)
from rlbench.stats.bands import CurveEstimate
from rlbench.stats.curves import align, area_under_curve, learning_curve
from rlbench.stats.intervals import Estimate, bootstrap
from rlbench.stats.pairs import difference, improvement
from rlbench.stats.profiles import profile_band
from rlbench.stats.reporting import methods_text
from rlbench.stats.stopping import AdaStopResult, adastop, blind_looks
from rlbench.stats.summary import SummaryRow, TaskRow, summarise, summarise_tasks

__all__ = [
    "AdaStopResult",
    "CurveEstimate",
    "Estimate",
    "SummaryRow",
    "TaskRow",
    "adastop",
    "align",
    "area_under_curve",
    "blind_looks",
    "bootstrap",
    "difference",
    "improvement",
    "iqm",
    "learning_curve",
    "mean",
    "median",
    "methods_text",
    "optimality_gap",
    "performance_profile",
    "probability_of_improvement",
    "profile_band",
    "summarise",
    "summarise_tasks",
]
