"""STORI: Atari under stochasticity and partial observation."""

from rlbench.suites.stori.protocols import STORI

__all__ = ["STORI"]
