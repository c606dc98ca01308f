"""Experimental: compare agents by betting, with no number of looks fixed in advance.

A stratum is a task in a batch, as in AdaStop. There the share of pairs of runs that the first agent
wins, ties half, is U (Mann-Whitney), and ``w = 2 U - 1`` lies in [-1, 1]. If the two agents have
the same distribution, their runs are exchangeable within the stratum, so the mean of w is 0
whatever came before. Who bets a share ``l < 1`` of a fortune on w, stratum after stratum, owns the
product of ``1 + l w`` of what he began with: a martingale that is never negative. The chance that
it ever reaches ``1 / alpha`` of its beginning is at most alpha (Ville 1939), however often one
looks and for whatever reason one stops (Waudby-Smith & Ramdas 2024; Shekhar & Ramdas 2024; Ramdas,
Grunwald, Vovk & Shafer 2023).

Half of the capital bets on the first agent and half against it, each spread evenly over ten fixed
shares l, so that no share must be guessed. What it has become is the pair's e-value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import InvalidScores
from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.comparisons import holm
from rlbench.stats.permutation import Pair, batches_of, pairs_of
from rlbench.stats.resampling import Floats

SHARES = (np.arange(10) + 0.5) / 10  # .05 to .95
LOG_CAP = 700.0  # keeps e-values finite; less than what it should be is still an e-value


@dataclass(frozen=True, slots=True, kw_only=True)
class BettingResult:
    """The decisions of betting on the scores so far.

    Attributes:
        decisions: Of each pair (a, b): ``larger`` if a has larger scores than b, ``smaller``, or
            ``undecided``. The first two say that the scores do not have the same distribution,
            and which agent won more bets.
        e_values: Of each pair: what a capital of 1 has become by now.
        p_values: Of each pair: one over the greatest e-value so far, by Holm over all pairs, at
            most 1. A pair is decided where it is at most alpha.
    """

    decisions: Mapping[Pair, Literal["larger", "smaller", "undecided"]]
    e_values: Mapping[Pair, float]
    p_values: Mapping[Pair, float]

    def rows(self) -> list[dict[str, str | float]]:
        """Return one row per pair: a, b, e_value, p_value, decision."""
        return [
            {
                "a": a,
                "b": b,
                "e_value": self.e_values[a, b],
                "p_value": self.p_values[a, b],
                "decision": decision,
            }
            for (a, b), decision in self.decisions.items()
        ]


def betting(
    scores: Mapping[str, ScoresLike | ArrayLike],
    *,
    alpha: float = 0.05,
    comparisons: Sequence[Pair] | None = None,
    batch: int = 1,
) -> BettingResult:
    """Compare agents on the scores so far, at any time. EXPERIMENTAL: it may change.

    It is a function of all scores so far and keeps no state. More runs may be added whenever one
    likes, to any agents, and for any reason. The chance that any two agents of the same
    distribution are ever told apart is at most alpha, over all pairs and looks, whichever agents
    differ: one over the greatest e-value so far is a p-value at any time by Ville's inequality,
    also at the end of time; Holm's method (1979) needs nothing of how p-values depend on each
    other; and as p-values only fall over time, no decision is ever taken back, so that all
    decisions ever made are those at the end of time. Power is paid for this: with few runs
    `adastop` decides more often (docs/adastop-level.md).

    Runs must be independent across tasks, and bets follow the order of the tasks and runs: do not
    sort either by score.

    Args:
        scores: By agent: (runs,) on one task, (runs, tasks), or one array (runs,) a task, in the
            order in which they were run. Agents may have different numbers of runs; a pair uses
            what both have.
        alpha: The level, over all pairs and all times.
        comparisons: Pairs of agents; by default all.
        batch: Runs a task that are exchangeable and bet on at once. With 1, the default, it
            decides soonest.

    Raises:
        InvalidScores: Scores are bad, alpha is out of range, or an agent has no whole batch.
        UsageError: A comparison names an agent that is not there.

    >>> found = betting({"a": [3.0, 4.0, 5.0], "b": [0.0, 1.0, 2.0]})
    >>> round(found.e_values["a", "b"], 4)  # 1 + 3 (.05^2 + .15^2 + ... + .95^2) / 10
    1.9975
    """
    if not 0 < alpha < 1:
        raise InvalidScores(f"alpha {alpha} must be inside (0, 1)")
    blocks = batches_of(scores, batch, "mean", per_seed=False)
    pairs = pairs_of(list(blocks), comparisons)
    decisions: dict[Pair, Literal["larger", "smaller", "undecided"]] = {}
    e_values, greatest = {}, []
    for pair in pairs:
        capital = _capital(_wins(blocks, pair))
        e_value = capital.sum(axis=0)
        e_values[pair] = float(e_value[-1])
        greatest.append(float(e_value.max()))
        # Who is ahead when the level is first reached: later runs do not change it.
        ahead = capital[:, int((e_value >= 1 / alpha).argmax())]
        decisions[pair] = "larger" if ahead[0] > ahead[1] else "smaller"
    p_values = dict(zip(pairs, holm([1 / value for value in greatest]).tolist(), strict=True))
    decisions.update({pair: "undecided" for pair in pairs if p_values[pair] > alpha})
    return BettingResult(decisions=decisions, e_values=e_values, p_values=p_values)


def _wins(blocks: Mapping[str, Floats], pair: Pair) -> Floats:
    """Return w of all strata in their order, (batches * tasks,)."""
    for agent in pair:
        if not len(blocks[agent]):
            size = blocks[agent].shape[2]
            raise InvalidScores(f"{agent!r} has less than one batch of {size} runs on every task")
    both = min(len(blocks[agent]) for agent in pair)
    first, second = (blocks[agent][:both] for agent in pair)
    signs = np.sign(first[..., :, None] - second[..., None, :])
    return np.asarray(signs.mean(axis=(2, 3)).ravel())


def _capital(wins: Floats) -> Floats:
    """Return what the halves on and against the first agent have become, (2, strata)."""
    bets = np.stack([SHARES, -SHARES])[:, None]
    logs = np.log1p(bets * wins[:, None]).cumsum(axis=1)
    return np.asarray(np.exp(np.minimum(logs, LOG_CAP)).mean(axis=2) / 2)
