"""Scores in a file that are those of a paper, typed again: whose they are."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from rlbench.results.published import Published

FEWEST = 3  # tasks on which scores must agree; on fewer they may do by chance
CLOSE = 0.005  # of a score: what rounding may hide; whole numbers are coarse for small scores

Scores = NDArray[np.float64]


def origin_of(
    tasks: Mapping[str, Scores], papers: Mapping[str, Published]
) -> tuple[Published, int, int] | None:
    """Return the published scores that an agent's scores are, if they are some.

    On more than half of the tasks that both have, and on `FEWEST` at least, each score must be the
    published mean or the score of a published run, to the digits that it has.

    Args:
        tasks: Task to the raw scores of the agent's runs.
        papers: Published scores of the same suite.

    Returns:
        Those that agree on the most tasks, on how many, and how many tasks both have; or None.
    """
    best: tuple[Published, int, int] | None = None
    for paper in papers.values():
        common = [task for task in tasks if task in paper.values]
        alike = sum(_agree(tasks[task], paper.values[task]) for task in common)
        if alike >= FEWEST and 2 * alike > len(common) and (best is None or alike > best[1]):
            best = paper, alike, len(common)
    return best


def _agree(mine: Scores, theirs: Scores) -> bool:
    """Say whether each score is a published one, or the mean of these, to its own digits."""
    known = np.append(theirs, theirs.mean())
    return all(
        np.abs(known - score).min() <= _rounding(score) * (1 + 1e-6) for score in mine.tolist()
    )


def _rounding(score: float) -> float:
    """Return how far a score may be from what it was before it was rounded.

    It is half a unit of its last digit after the point, and at most `CLOSE` of the score.

    >>> _rounding(571.9), _rounding(3.0)
    (0.05, 0.015)
    """
    exponent = Decimal(repr(score)).normalize().as_tuple().exponent
    digits = max(0, -exponent) if isinstance(exponent, int) else 0
    return max(min(0.5 * 10.0**-digits, CLOSE * abs(score)), 1e-9 * abs(score))
