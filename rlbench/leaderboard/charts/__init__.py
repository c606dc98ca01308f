"""Charts of the site: rows of numbers to Vega-Lite specifications, pictures and their script.

The picture (`svg_of`) is what a page shows without scripts; ``charts.js`` draws the same
specification anew in its place.
"""

from rlbench.leaderboard.charts.lines import SHOWN, choose, curve_chart, look_of, profile_chart
from rlbench.leaderboard.charts.look import COLOURS, DASHES, DATA, INKS, Spec, shown
from rlbench.leaderboard.charts.matrix import improvement_chart
from rlbench.leaderboard.charts.pictures import svg_of
from rlbench.leaderboard.charts.points import best_so_far, cost_chart, years_chart
from rlbench.leaderboard.charts.script import bundle, escape_json

__all__ = [
    "COLOURS",
    "DASHES",
    "DATA",
    "INKS",
    "SHOWN",
    "Spec",
    "best_so_far",
    "bundle",
    "choose",
    "cost_chart",
    "curve_chart",
    "escape_json",
    "improvement_chart",
    "look_of",
    "profile_chart",
    "shown",
    "svg_of",
    "years_chart",
]
