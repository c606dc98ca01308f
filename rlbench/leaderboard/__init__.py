"""How it is shown: a static site, figures and tables, made from records and stats alone."""

from rlbench.leaderboard.ablation_figure import plot_ablation
from rlbench.leaderboard.drawing import WIDTHS
from rlbench.leaderboard.figures import (
    plot_curves,
    plot_improvement,
    plot_intervals,
    plot_profiles,
)
from rlbench.leaderboard.plots import Plot
from rlbench.leaderboard.rank_figures import plot_cd, plot_ranks
from rlbench.leaderboard.site import build_site
from rlbench.leaderboard.speedup_figure import plot_speedups
from rlbench.leaderboard.stopping_figure import plot_stopping
from rlbench.leaderboard.tables import table, task_table
from rlbench.leaderboard.task_figures import plot_task_curves, plot_tasks
from rlbench.leaderboard.teaching import plot_levels, plot_teaching

__all__ = [
    "WIDTHS",
    "Plot",
    "build_site",
    "plot_ablation",
    "plot_cd",
    "plot_curves",
    "plot_improvement",
    "plot_intervals",
    "plot_levels",
    "plot_profiles",
    "plot_ranks",
    "plot_speedups",
    "plot_stopping",
    "plot_task_curves",
    "plot_tasks",
    "plot_teaching",
    "table",
    "task_table",
]
