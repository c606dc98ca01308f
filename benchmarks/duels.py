"""How often duels err, and how many start states they take beside tests of a fixed number.

    python benchmarks/duels.py [--simulations 2000]

Two policies succeed or fail on each start state, independently of each other, or get returns of a
beta law. A duel looks after every start state and stops when it is decided, or after four times the
number that a fixed test needs for power .8. Beside it stands the sign test of matched pairs with a
number of start states fixed beforehand for power .8, .9 or .99 at just this difference, which is
known here and never known in practice (Connor 1987, equation 1; a paired z test for returns).
"""

import argparse
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.stats.duels import SHARES

ALPHA = 0.05
AT_MOST = 400  # start states of equal policies
Floats = NDArray[np.float64]


class Cell(NamedTuple):
    """What two policies get: differences are drawn, (starts,) in [-1, 1]."""

    title: str
    draw: Callable[[np.random.Generator, int], Floats]


def successes(first: float, second: float) -> Cell:
    """Return policies that succeed with these probabilities."""
    return Cell(
        f"successes, {first:g} and {second:g}",
        lambda g, n: (g.random(n) < first).astype(float) - (g.random(n) < second),
    )


def returns(first: float, second: float) -> Cell:
    """Return policies with returns in [0, 1] of these means, standard deviations about .2."""
    return Cell(
        f"returns, {first:g} and {second:g}",
        lambda g, n: (
            g.beta(5 * first, 5 * (1 - first), n) - g.beta(5 * second, 5 * (1 - second), n)
        ),
    )


CELLS = [
    *(successes(a, b) for a, b in ((0.5, 0.5), (0.9, 0.9), (0.6, 0.5), (0.7, 0.5), (0.9, 0.5),
                                   (0.9, 0.8), (0.95, 0.8))),
    *(returns(a, b) for a, b in ((0.5, 0.5), (0.55, 0.5), (0.6, 0.5), (0.7, 0.5))),
]  # fmt: skip


def decided_at(values: Floats) -> tuple[int, int]:
    """Return after how many start states a duel is decided, and for whom (1, -1); 0 if for nobody.

    It is what `rlbench.stats.duel` decides after each start state, for one pair.
    """
    bets = np.stack([SHARES, -SHARES])[:, None]
    fortunes = np.exp(np.log1p(bets * values[:, None]).cumsum(axis=1)).mean(axis=2)
    won = fortunes >= 2 / ALPHA
    firsts = [int(of.argmax()) + 1 if of.any() else len(values) + 1 for of in won]
    if min(firsts) > len(values):
        return len(values), 0
    return min(firsts), 1 if firsts[0] < firsts[1] else -1


def fixed(values: Floats, power: float) -> float:
    """Return how many start states a fixed test needs, from many differences."""
    normal = NormalDist()
    mean, spread = values.mean(), values.std()
    spread0 = np.sqrt((values**2).mean())  # under no difference
    needed = normal.inv_cdf(1 - ALPHA / 2) * spread0 + normal.inv_cdf(power) * spread
    return float((needed / mean) ** 2)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    given = parser.parse_args()
    print("| policies | first found | second found | starts, mean | median | fixed .8 | .9 | .99 |")
    print("|" + "---|" * 8)
    for cell in CELLS:
        generator = np.random.default_rng(0)
        many = cell.draw(generator, 1_000_000)
        is_equal = abs(many.mean()) < 0.005
        fixed_numbers = [None if is_equal else fixed(many, power) for power in (0.8, 0.9, 0.99)]
        most = AT_MOST if fixed_numbers[0] is None else int(4 * fixed_numbers[0])
        found = [decided_at(cell.draw(generator, most)) for _ in range(given.simulations)]
        starts = np.array([number for number, _ in found])
        winners = np.array([winner for _, winner in found])
        numbers = " | ".join("–" if number is None else f"{number:.0f}" for number in fixed_numbers)
        print(
            f"| {cell.title} | {(winners == 1).mean():.3f} | {(winners == -1).mean():.3f} "
            f"| {starts.mean():.0f} | {np.median(starts):.0f} | {numbers} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
