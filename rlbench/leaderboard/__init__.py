"""How it is shown: a static site, made from records and stats alone."""

from rlbench.leaderboard.site import build_site

__all__ = ["build_site"]
