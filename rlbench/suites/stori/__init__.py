"""STORI: Atari under stochasticity and partial observation."""

from rlbench.suites.stori.protocols import STORI, STORI_ORIGINAL, STORI_TRANSFER
from rlbench.suites.stori.stori26 import STORI26

__all__ = ["STORI", "STORI26", "STORI_ORIGINAL", "STORI_TRANSFER"]
