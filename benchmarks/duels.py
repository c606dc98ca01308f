"""How often duels err, and how many start states they take beside other tests.

    python benchmarks/duels.py [--simulations 2000] [--table duels|barnard|three]

Three tables, each over simulated policies whose outcomes are drawn independently:

- ``duels``: a duel looks after every start state. It stops when it is decided, or after four times
  the number that a fixed test needs for power .8. Beside it stands the sign test of matched pairs
  (for returns, a paired z test) with a number of start states fixed beforehand for power .8, .9 or
  .99 at just this difference, which is known here and never in practice (Connor 1987, equation 1).
- ``barnard``: successes only, at most 500 start states. Beside the duel stands a sequential test of
  two proportions in the style of Barnard: see `Barnard`. Then Barnard's exact test of a fixed
  number of start states (score statistic, worst case over the success rate).
- ``three``: three policies in rounds of 20 start states, as `rlbench duel` plays them.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.stats import duel
from rlbench.stats.duels import fortunes

ALPHA = 0.05
AT_MOST = 400  # start states of equal policies
MOST_OF_BARNARD = 500
ROUND, ROUNDS = 20, 25
RATES = np.array([0.005, 0.01, *np.arange(0.02, 0.5, 0.02), 0.5])  # of the null; 1 - p is as p
BIN = 0.005  # of |z|: outcomes in a bin are rejected together
BINS = 8001
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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


RATES_OF_TWO = (
    (0.5, 0.5), (0.9, 0.9), (0.6, 0.5), (0.7, 0.5), (0.9, 0.5), (0.9, 0.8), (0.95, 0.8)
)  # fmt: skip
CELLS = [
    *(successes(a, b) for a, b in RATES_OF_TWO),
    *(returns(a, b) for a, b in ((0.5, 0.5), (0.55, 0.5), (0.6, 0.5), (0.7, 0.5))),
]
THREE = ((0.5, 0.5, 0.5), (0.9, 0.9, 0.9), (0.7, 0.5, 0.5), (0.8, 0.65, 0.5), (0.9, 0.5, 0.5))


def decided_at(values: Floats) -> tuple[int, int]:
    """Return after how many start states a duel is decided, and for whom (1, -1); 0 if for nobody.

    It is what `rlbench.stats.duel` decides after each start state, for one pair.
    """
    won = fortunes(values) >= 2 / ALPHA
    firsts = [int(of.argmax()) + 1 if of.any() else len(values) + 1 for of in won]
    if min(firsts) > len(values):
        return len(values), 0
    return min(firsts), 1 if firsts[0] < firsts[1] else -1


def fixed(values: Floats, power: float, alpha: float = ALPHA) -> float:
    """Return how many start states a fixed test needs, from many differences."""
    normal = NormalDist()
    mean, spread = values.mean(), values.std()
    spread0 = np.sqrt((values**2).mean())  # under no difference
    needed = normal.inv_cdf(1 - alpha / 2) * spread0 + normal.inv_cdf(power) * spread
    return float((needed / mean) ** 2)


def score_bins(first: Floats, second: Floats, starts: int) -> Ints:
    """Return |z| of two numbers of successes, in bins; z is the pooled score statistic."""
    pooled = (first + second) / (2 * starts)
    variance = 2 * starts * pooled * (1 - pooled)
    z = np.abs(first - second) / np.sqrt(np.maximum(variance, 1e-12))
    return np.asarray(np.minimum((z + 1e-9) / BIN, BINS - 1).astype(np.int64))


class Barnard:
    """A sequential test of two proportions, in the style of Barnard (1947) and STEP.

    This is not the authors' code, and not STEP itself, which optimises the region that rejects
    (Snyder and others 2025, arXiv 2503.10966). What was made here: after n of N start states, it
    rejects if |z| is at least c(n). The c(n) are the smallest such that, for every success rate p
    of a grid, two policies of that rate have been told apart by n with a chance of at most
    alpha n / N. That chance is exact, by recursion over all pairs of numbers of successes.

    Args:
        most: N, the start states at most.

    Attributes:
        bounds: c(n) in bins, (most,).
        spent: The level that is spent in the end, the largest over the grid.
    """

    def __init__(self, most: int) -> None:
        alive = np.zeros((len(RATES), most + 1, most + 1))
        alive[:, 0, 0] = 1.0
        spent = np.zeros(len(RATES))
        self.bounds = np.empty(most, dtype=np.int64)
        p, q = RATES[:, None, None], 1 - RATES[:, None, None]
        for starts in range(1, most + 1):
            old = alive[:, :starts, :starts].copy()
            new = alive[:, : starts + 1, : starts + 1]
            new[:] = 0.0
            new[:, :-1, :-1] += q * q * old
            new[:, 1:, :-1] += p * q * old
            new[:, :-1, 1:] += p * q * old
            new[:, 1:, 1:] += p * p * old
            counts = np.arange(starts + 1, dtype=np.float64)
            bins = score_bins(counts[:, None], counts[None, :], starts)
            mass = np.stack([np.bincount(bins.ravel(), of.ravel(), BINS) for of in new])
            tails = mass[:, ::-1].cumsum(axis=1)[:, ::-1]
            fits = (spent[:, None] + tails).max(axis=0) <= ALPHA * starts / most
            bound = int(fits.argmax()) if fits.any() else len(fits)
            self.bounds[starts - 1] = bound
            if bound < len(fits):
                spent += tails[:, bound]
                new[:, bins >= bound] = 0.0
        self.spent = float(spent.max())

    def decided_at(self, first: Floats, second: Floats) -> tuple[int, int]:
        """Return after how many start states it is decided, and for whom, as `decided_at` does."""
        starts = np.arange(1, len(self.bounds) + 1)
        a, b = first.cumsum(), second.cumsum()
        pooled = (a + b) / (2 * starts)
        z = np.abs(a - b) / np.sqrt(np.maximum(2 * starts * pooled * (1 - pooled), 1e-12))
        over = np.minimum((z + 1e-9) / BIN, BINS - 1).astype(np.int64) >= self.bounds
        if not over.any():
            return len(starts), 0
        at = int(over.argmax())
        return at + 1, 1 if a[at] > b[at] else -1


@cache
def exact_bound(starts: int) -> tuple[Ints, int]:
    """Return the bins of all outcomes, and from which on Barnard's exact test rejects."""
    counts = np.arange(starts + 1, dtype=np.float64)
    bins = score_bins(counts[:, None], counts[None, :], starts)
    tails = np.stack([
        np.bincount(bins.ravel(), np.outer(of, of).ravel(), BINS)[::-1].cumsum()[::-1]
        for of in (binomial(starts, rate) for rate in RATES)
    ]).max(axis=0)  # fmt: skip
    return bins, int((tails <= ALPHA).argmax())


def binomial(starts: int, rate: float) -> Floats:
    """Return the chances of 0, 1, ... successes."""
    from scipy.stats import binom

    return np.asarray(binom.pmf(np.arange(starts + 1), starts, rate))


def fixed_exact(first: float, second: float, power: float) -> int:
    """Return the smallest number of start states, of a bisection, for an exact test's power."""

    def reaches(starts: int) -> bool:
        bins, bound = exact_bound(starts)
        chances = np.outer(binomial(starts, first), binomial(starts, second))
        return bool(chances[bins >= bound].sum() >= power)

    low, high = 1, 8
    while not reaches(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def of_two(simulations: int) -> None:
    """Print the table of duels beside fixed tests."""
    print("| policies | first found | second found | starts, mean | median | fixed .8 | .9 | .99 |")
    print("|" + "---|" * 8)
    for cell in CELLS:
        generator = np.random.default_rng(0)
        many = cell.draw(generator, 1_000_000)
        is_equal = abs(many.mean()) < 0.005
        fixed_numbers = [None if is_equal else fixed(many, power) for power in (0.8, 0.9, 0.99)]
        most = AT_MOST if fixed_numbers[0] is None else int(4 * fixed_numbers[0])
        found = [decided_at(cell.draw(generator, most)) for _ in range(simulations)]
        starts = np.array([number for number, _ in found])
        winners = np.array([winner for _, winner in found])
        numbers = " | ".join("–" if number is None else f"{number:.0f}" for number in fixed_numbers)
        print(
            f"| {cell.title} | {(winners == 1).mean():.3f} | {(winners == -1).mean():.3f} "
            f"| {starts.mean():.0f} | {np.median(starts):.0f} | {numbers} |",
            flush=True,
        )


def beside_barnard(simulations: int) -> None:
    """Print the table of duels beside Barnard's tests, on the same successes."""
    barnard = Barnard(MOST_OF_BARNARD)
    print(f"sequential Barnard: spends {barnard.spent:.4f} at most over the grid")
    print(
        "| successes | duel: first found | second | starts | Barnard-style: first found | second "
        "| starts | exact .8 | .9 | .99 |"
    )
    print("|" + "---|" * 10)
    for rates in RATES_OF_TWO:
        generator = np.random.default_rng(1)
        results: list[list[tuple[int, int]]] = [[], []]
        for _ in range(simulations):
            first, second = (
                (generator.random(MOST_OF_BARNARD) < rate).astype(float) for rate in rates
            )
            results[0].append(decided_at(first - second))
            results[1].append(barnard.decided_at(first, second))
        columns = []
        for found in results:
            starts, winners = np.array(found).T
            columns += [f"{(winners == who).mean():.3f}" for who in (1, -1)]
            columns.append(f"{starts.mean():.0f}")
        for power in (0.8, 0.9, 0.99):
            columns.append("–" if rates[0] == rates[1] else str(fixed_exact(*rates, power)))
        print(f"| {rates[0]:g} and {rates[1]:g} | {' | '.join(columns)} |", flush=True)


def of_three(simulations: int) -> None:
    """Print the table of duels of three policies."""
    print(
        "| successes | any wrong | all found | starts until then, mean | starts in all, mean "
        "| fixed .8 | .99 |"
    )
    print("|" + "---|" * 7)
    for rates in THREE:
        generator = np.random.default_rng(2)
        played = [play(rates, generator) for _ in range(simulations)]
        found = [one.found for one in played if one.found is not None]
        gaps = {pair for pair in combinations(rates, 2) if pair[0] != pair[1]}
        columns = ["–", "–", f"{np.mean([one.starts for one in played]):.0f}", "–", "–"]
        if gaps:
            columns[:2] = [f"{len(found) / simulations:.3f}", f"{np.mean(found):.0f}"]
            many = [successes(*p).draw(np.random.default_rng(0), 1_000_000) for p in gaps]
            columns[3:] = [
                f"{3 * max(fixed(of_pair, power, ALPHA / 3) for of_pair in many):.0f}"
                for power in (0.8, 0.99)
            ]
        title = ", ".join(f"{rate:g}" for rate in rates)
        wrong = np.mean([one.is_wrong for one in played])
        print(f"| {title} | {wrong:.3f} | {' | '.join(columns)} |", flush=True)


class Played(NamedTuple):
    """A duel of three policies.

    Attributes:
        is_wrong: Some pair was decided wrongly.
        found: Start states of all policies until all differences were found; None if never.
        starts: Start states of all policies until all was decided, or after the last round.
    """

    is_wrong: bool
    found: int | None
    starts: int


def play(rates: Sequence[float], generator: np.random.Generator) -> Played:
    """Play a duel; policies whose pairs are all decided play no further rounds."""
    outcomes = (generator.random((3, ROUND * ROUNDS)) < np.array(rates)[:, None]).astype(float)
    signs = {"better": 1, "worse": -1, "undecided": 0}
    names = dict(zip("012", rates, strict=True))
    truth = {(a, b): int(np.sign(names[a] - names[b])) for a, b in combinations("012", 2)}
    starts, needed = dict.fromkeys("012", 0), tuple("012")
    found, is_wrong = None, False
    for _ in range(ROUNDS):
        for policy in needed:
            starts[policy] += ROUND
        differences = {}
        for a, b in truth:
            both = min(starts[a], starts[b])
            differences[a, b] = outcomes[int(a), :both] - outcomes[int(b), :both]
        result = duel(differences, alpha=ALPHA)
        decided = {pair: signs[decision] for pair, decision in result.decisions.items()}
        is_wrong |= any(sign and sign != truth[pair] for pair, sign in decided.items())
        if found is None and all(decided[pair] == sign for pair, sign in truth.items() if sign):
            found = sum(starts.values())
        needed = result.undecided_policies
        if not needed:
            break
    return Played(is_wrong, found, sum(starts.values()))


TABLES = {"duels": of_two, "barnard": beside_barnard, "three": of_three}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--table", choices=TABLES, action="append")
    given = parser.parse_args()
    for name in given.table or TABLES:
        print(f"{name}:")
        TABLES[name](given.simulations)


if __name__ == "__main__":
    main()
