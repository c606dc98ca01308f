"""rlbench: fixed protocols, kept records and sound statistics for reinforcement learning.

The parts are sub-packages: `rlbench.suites` (what is run), `rlbench.runners` (who runs it),
`rlbench.results` (what is kept), `rlbench.stats` (what it means) and `rlbench.leaderboard`
(how it is shown). Importing `rlbench` imports none of them.
"""

from rlbench._version import __version__

__all__ = ["__version__"]
