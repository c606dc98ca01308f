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
from rlbench.stats.comparisons import (
    Comparison,
    Equivalence,
    TaskComparison,
    compare,
    compare_tasks,
    equivalent,
    leave_one_task_out,
)
from rlbench.stats.constant import (
    ConstantComparison,
    TaskAgainst,
    compare_tasks_with_constants,
    compare_with_constant,
)
from rlbench.stats.curves import align, area_under_curve, learning_curve
from rlbench.stats.drops import Drop, drops
from rlbench.stats.duels import DuelResult, duel
from rlbench.stats.evalues import BettingResult, betting
from rlbench.stats.intervals import Estimate, bootstrap
from rlbench.stats.pairs import difference, differences, improvement
from rlbench.stats.planning import PlanRow, RunsNeeded, plan, runs_needed
from rlbench.stats.profiles import profile_band
from rlbench.stats.ranks import RankRow, rank_sets, ranks_of
from rlbench.stats.reporting import methods_text
from rlbench.stats.robustness import Retention, retention
from rlbench.stats.speedups import Speedup, speedup
from rlbench.stats.stopping import AdaStopResult, adastop, blind_looks
from rlbench.stats.summary import SummaryRow, TaskRow, summarise, summarise_tasks
from rlbench.stats.task_ranks import Friedman, friedman
from rlbench.stats.worst import solved_by_some, worst_levels

__all__ = [
    "AdaStopResult",
    "BettingResult",
    "Comparison",
    "ConstantComparison",
    "CurveEstimate",
    "Drop",
    "DuelResult",
    "Equivalence",
    "Estimate",
    "Friedman",
    "PlanRow",
    "RankRow",
    "Retention",
    "RunsNeeded",
    "Speedup",
    "SummaryRow",
    "TaskAgainst",
    "TaskComparison",
    "TaskRow",
    "adastop",
    "align",
    "area_under_curve",
    "betting",
    "blind_looks",
    "bootstrap",
    "compare",
    "compare_tasks",
    "compare_tasks_with_constants",
    "compare_with_constant",
    "difference",
    "differences",
    "drops",
    "duel",
    "equivalent",
    "friedman",
    "improvement",
    "iqm",
    "learning_curve",
    "leave_one_task_out",
    "mean",
    "median",
    "methods_text",
    "optimality_gap",
    "performance_profile",
    "plan",
    "probability_of_improvement",
    "profile_band",
    "rank_sets",
    "ranks_of",
    "retention",
    "runs_needed",
    "solved_by_some",
    "speedup",
    "summarise",
    "summarise_tasks",
    "worst_levels",
]
