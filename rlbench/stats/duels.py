"""Duels: policies that play the same start states, until it is decided which is better.

What the two policies of a pair get from a start state differs by d, which lies in [-1, 1]: the
difference of two returns over the width of all that a return can be, or the winner (1, 0 or -1).
Who bets a share ``l < 1`` of a fortune on d, start after start, owns the product of ``1 + l d`` of
what he began with. If the mean of d is not positive, whatever came before, that is a
supermartingale: the chance that it ever reaches ``1 / p`` of its beginning is at most p (Ville
1939), however often one looks and for whatever reason one stops (Waudby-Smith & Ramdas 2024,
section 4). So one over the greatest fortune so far is a p-value at any time against "the first
policy is not better"; bets on -d give one against "the second is not better".

A fortune is spread evenly over ten fixed shares, so that no share must be guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import InvalidScores
from rlbench.stats.comparisons import holm
from rlbench.stats.evalues import LOG_CAP, SHARES
from rlbench.stats.permutation import Pair
from rlbench.stats.resampling import Floats

DuelDecision = Literal["better", "worse", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelResult:
    """The decisions about policies after the start states so far.

    Attributes:
        decisions: Of each pair (a, b): ``better`` if the mean of its differences is positive, so
            that a is better than b, ``worse`` if it is negative, or ``undecided``.
        p_values: Of each pair: twice the smaller of its two p-values, by Holm over all pairs. They
            hold at any time and only fall over time.
        differences: Of each pair, the mean difference so far.
        starts: Of each pair, how many start states both policies have played.
    """

    decisions: Mapping[Pair, DuelDecision]
    p_values: Mapping[Pair, float]
    differences: Mapping[Pair, float]
    starts: Mapping[Pair, int]

    @property
    def undecided_policies(self) -> tuple[str, ...]:
        """Policies that need more start states, in the order of the pairs."""
        pairs = [pair for pair, decision in self.decisions.items() if decision == "undecided"]
        return tuple(dict.fromkeys(policy for pair in pairs for policy in pair))


def duel(differences: Mapping[Pair, ArrayLike], *, alpha: float = 0.05) -> DuelResult:
    """Say which policies are better, from their returns on the same start states.

    It is a function of all differences so far and keeps no state. Start states must be drawn
    independently of each other. More of them may be added at any time, to any pairs, and for any
    reason: the chance that any pair is ever decided wrongly is at most alpha.

    Args:
        differences: By pair (a, b): what a got less what b got, over the width of all that can be
            got, start state by start state in the order in which they were played: (starts,) in
            [-1, 1].
        alpha: The level, over all pairs, both directions and all times.

    Raises:
        InvalidScores: There is no pair, a difference is out of range, or alpha is.

    >>> duel({("a", "b"): [1, 1, 0, 1, 1, 1, 1, 1, 1]}).decisions
    {('a', 'b'): 'better'}
    """
    if not 0 < alpha < 1 or not differences:
        raise InvalidScores(f"alpha {alpha} must be inside (0, 1), and there must be a pair")
    seen = {pair: _checked(pair, values) for pair, values in differences.items()}
    greatest = {pair: fortunes(values).max(axis=1) for pair, values in seen.items()}
    raw = [min(1.0, 2 / float(both.max())) for both in greatest.values()]
    p_values = dict(zip(greatest, holm(raw).tolist(), strict=True))
    decisions: dict[Pair, DuelDecision] = {
        pair: "undecided" if p_values[pair] > alpha else "better" if both[0] > both[1] else "worse"
        for pair, both in greatest.items()
    }
    return DuelResult(
        decisions=decisions,
        p_values=p_values,
        differences={pair: float(values.mean()) for pair, values in seen.items()},
        starts={pair: len(values) for pair, values in seen.items()},
    )


def _checked(pair: Pair, values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not (np.abs(found) <= 1).all():
        raise InvalidScores(
            f"the differences of {pair[0]!r} and {pair[1]!r} must be (starts,) numbers in [-1, 1]"
        )
    return found


def fortunes(values: Floats) -> Floats:
    """Return what bets on the first and on the second policy have become after each start state.

    Args:
        values: Differences of a pair, (starts,) in [-1, 1].

    Returns:
        (2, starts), each the multiple of what was begun with.
    """
    bets = np.stack([SHARES, -SHARES])[:, None]
    logs = np.log1p(bets * values[:, None]).cumsum(axis=1)
    return np.asarray(np.exp(np.minimum(logs, LOG_CAP)).mean(axis=2))
