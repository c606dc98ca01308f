"""The names and signatures of rliable 1.2.0, computed by `rlbench.stats`.

Code changes one line: ``from rlbench.compat.rliable import library, metrics, plot_utils``.
"""

__all__ = ["library", "metrics", "plot_utils"]
