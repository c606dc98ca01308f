"""AdaStop: compare agents batch by batch, and stop as soon as the answer is there.

The test of Mathieu, Della Vecchia, Shilova, Centa de Medeiros, Kohler, Preux & Tuyls (2023), in its
published, two-sided form. After every batch of runs (a look) the differences of all pairs are
compared with a boundary from permutations within batches; the chance of a false rejection that may
have been spent grows linearly from look to look. The released package (0.1.3) departs from this: it
takes the boundary of signed differences, which doubles the level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlbench.errors import InvalidScores, UsageError
from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.permutation import (
    Pair,
    Paths,
    all_masks,
    batches_of,
    number_of_paths,
    pairs_of,
    random_masks,
)
from rlbench.stats.resampling import Floats, keys_of

Decision = Literal["larger", "smaller", "not separated", "undecided"]

CLAIM = (
    "larger and smaller say that the two agents' scores do not have the same distribution, and "
    "which way the statistic differs; not separated says that this test did not tell them apart, "
    "not that they are equal"
)
TOLERANCE = 1e-10  # of the greatest statistic: differences that are equal but for rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaStopResult:
    """What AdaStop says of the scores so far.

    Attributes:
        decisions: Of each pair (a, b): ``larger`` if a has larger scores than b, ``smaller``,
            ``not separated`` once the last look has passed, or ``undecided``: more runs are needed.
            `CLAIM` says what that means.
        boundaries: After each look, what a difference had to exceed; differences of look k are
            multiplied by k.
        level_spent: The chance of a false rejection spent so far, at most alpha.
        looks: How many batches have been looked at, and how many there may be.
        runs: By agent, the runs a task that were looked at.
        undecided_agents: Agents that need another batch.
        blind_looks: Looks at which nothing can be rejected, whatever the scores: there are too
            few permutations for the level.
    """

    decisions: Mapping[Pair, Decision]
    boundaries: tuple[float, ...]
    level_spent: float
    looks: tuple[int, int]
    runs: Mapping[str, int]
    undecided_agents: tuple[str, ...]
    blind_looks: tuple[int, ...]

    def rows(self) -> list[dict[str, str]]:
        """Return a row a pair: a, b, decision."""
        return [{"a": a, "b": b, "decision": d} for (a, b), d in self.decisions.items()]


def adastop(
    scores: Mapping[str, ScoresLike | ArrayLike],
    *,
    batch: int,
    max_batches: int,
    alpha: float = 0.05,
    beta: float = 0.0,
    statistic: Literal["mean", "median", "iqm"] = "mean",
    comparisons: Sequence[Pair] | None = None,
    permutations: int = 10_000,
    seed: int = 0,
    per_seed: bool = False,
    compat: bool = False,
) -> AdaStopResult:
    """Compare agents on the scores so far, and say which need more runs.

    It is a function of all scores so far and keeps no state. The chance that any two agents of the
    same distribution are told apart is at most alpha over all looks and pairs (family-wise; for
    several agents of which some differ, see docs/statistics.md for what was measured).

    On several tasks, runs are permuted within task and batch, and the statistic is the pooled one
    of `bootstrap`.

    Args:
        scores: By agent: (runs,) on one task, (runs, tasks), or one array (runs,) a task, in the
            order in which they were run. Agents that need no more runs may have fewer.
        batch: Runs a task that are added from look to look, at least 1.
        max_batches: How many looks there may be.
        alpha: The level, over all looks and pairs.
        beta: What of the chance to miss a difference may be spent on stopping early without one.
        statistic: ``mean``, ``median`` or ``iqm``.
        comparisons: Pairs of agents; by default all.
        permutations: Paths to draw where there are more than so many.
        seed: Of the drawing.
        per_seed: Make one score of each seed over all tasks first. With few seeds this has far
            less power.
        compat: Do as the package adastop 0.1.3 does, whose level is about twice alpha; only where
            all paths are enumerated. For regression tests.

    Raises:
        InvalidScores: Scores are bad, an option is out of range, or an agent that is still
            needed has no whole batch.
        UnknownName: There is no such statistic.
        UsageError: A comparison names an agent that is not there.
    """
    _check(alpha, beta, max_batches, permutations)
    blocks = batches_of(scores, batch, statistic, per_seed)
    pairs = pairs_of(list(blocks), comparisons)
    needed = {agent for pair in pairs for agent in pair}
    empty = [agent for agent in needed if not len(blocks[agent])]
    if empty:
        raise InvalidScores(f"{empty[0]!r} has less than one batch of {batch} runs on every task")
    sizes = [(batch, batch)] * blocks[pairs[0][0]].shape[1]
    spending = _Spending(alpha, beta, max_batches, compat)
    decisions: dict[Pair, Decision] = dict.fromkeys(pairs, "undecided")
    runs = dict.fromkeys(blocks, 0)
    live = list(pairs)
    looked: list[_Look] = []
    paths, alive, drawn = Paths(sizes, statistic), np.ones(0, dtype=bool), False
    keys = keys_of(seed, max_batches)
    while live and len(looked) < max_batches:
        look = len(looked) + 1
        agents = {agent for pair in live for agent in pair}
        if any(len(blocks[agent]) < look for agent in agents):
            break
        runs.update(dict.fromkeys(agents, look * batch))
        total = number_of_paths(sizes, look)
        exact = total < permutations if compat else total <= permutations
        if compat and not exact:
            raise UsageError("compat needs all paths enumerated: give more permutations")
        if exact or not drawn:
            masks = (
                all_masks(sizes, look)
                if exact
                else [random_masks(sizes, key, 0, permutations) for key in keys[:look]]
            )
            paths = Paths(sizes, statistic)
            for earlier in range(look):
                paths.extend(masks[earlier], _pooled(blocks, pairs, earlier))
            alive = _survivors(paths, pairs, looked, compat)
        else:
            paths.extend(
                random_masks(sizes, keys[look - 1], 0, permutations),
                _pooled(blocks, pairs, look - 1),
            )
        drawn = not exact
        values = paths.differences(look)
        live, boundary = spending.look(
            look, values, alive, pairs, live, total if exact else permutations, decisions
        )
        looked.append(_Look(boundary, tuple(live)))
        if live:
            alive = alive & _within(values, pairs, looked[-1], compat)
    if len(looked) == max_batches:
        decisions.update(dict.fromkeys(live, "not separated"))
        live = []
    return AdaStopResult(
        decisions=decisions,
        boundaries=tuple(look.boundary for look in looked),
        level_spent=spending.level,
        looks=(len(looked), max_batches),
        runs=runs,
        undecided_agents=tuple(a for a in blocks if any(a in pair for pair in live)),
        blind_looks=blind_looks(batch, max_batches, alpha, len(sizes), permutations),
    )


def blind_looks(
    batch: int, max_batches: int, alpha: float = 0.05, tasks: int = 1, permutations: int = 10_000
) -> tuple[int, ...]:
    """Return the looks at which AdaStop can reject nothing, whatever the scores will be.

    A path and its mirror image have the same absolute difference, so no difference is rarer than
    2 paths of all, or 1 of those drawn.
    """
    blind = []
    for look in range(1, max_batches + 1):
        total = number_of_paths([(batch, batch)] * tasks, look)
        rarest = 2 / total if total <= permutations else 1 / permutations
        if rarest > alpha * look / max_batches * (1 + 1e-12):
            blind.append(look)
    return tuple(blind)


@dataclass(frozen=True, slots=True)
class _Look:
    """A look that has passed: its last boundary, and the pairs that it was computed for."""

    boundary: float
    live: tuple[Pair, ...]


class _Spending:
    """The level spent so far, and the boundaries that follow from it."""

    def __init__(self, alpha: float, beta: float, looks: int, compat: bool) -> None:
        self._alpha, self._beta, self._looks, self._compat = alpha, beta, looks, compat
        self.level = 0.0
        self._missed = 0.0

    def look(
        self,
        look: int,
        values: Floats,
        alive: np.ndarray,
        pairs: Sequence[Pair],
        live: list[Pair],
        total: int,
        decisions: dict[Pair, Decision],
    ) -> tuple[list[Pair], float]:
        """Decide pairs one after the other, the most different first.

        Args:
            look: The number of the look, from 1.
            values: (paths, pairs) signed differences; path 0 is what was observed.
            alive: (paths,) those that no earlier boundary has rejected.
            pairs: Of the columns of `values`.
            live: The pairs that are still compared.
            total: How many paths there are.
            decisions: Where decisions are written.

        Returns:
            The pairs that are still compared, and the last boundary.
        """
        kept = values[alive]
        sized = kept if self._compat else np.abs(kept)
        rounding = TOLERANCE * float(np.abs(values).max(initial=0.0))
        boundary, tail, missed = np.inf, 0.0, 0.0
        while live:
            at = [pairs.index(pair) for pair in live]
            observed = np.abs(values[0, at])
            maxima = np.sort(sized[:, at].max(axis=1))
            boundary, tail = self._upper(maxima, look, total, rounding)
            lower, missed = self._lower(maxima, look, total, rounding)
            most, least = int(observed.argmax()), int(observed.argmin())
            if observed[most] > boundary + (0.0 if self._compat else rounding):
                pair = live[most]
                larger = values[0, at[most]] > 0
                decisions[pair] = "larger" if larger else "smaller"
            elif observed[least] < lower - rounding:
                pair = live[least]
                decisions[pair] = "not separated"
            else:
                break
            live = [other for other in live if other != pair]
        self.level += tail
        self._missed += missed
        return live, boundary

    def _upper(self, maxima: Floats, look: int, total: int, rounding: float) -> tuple[float, float]:
        """Return the least value that may be the boundary, and the share of paths above it."""
        allowed = self._alpha * look / self._looks
        if self._compat:
            above = np.arange(len(maxima))[::-1] / total
        else:
            above = (len(maxima) - np.searchsorted(maxima, maxima + rounding, "right")) / total
        fits = self.level + above <= allowed * (1 + 1e-12)
        if not fits.any():
            return np.inf, 0.0
        first = int(fits.argmax())
        return float(maxima[first]), float(above[first])

    def _lower(self, maxima: Floats, look: int, total: int, rounding: float) -> tuple[float, float]:
        """Return the greatest value that may be the lower boundary, and the share below it."""
        if not self._beta:
            return -np.inf, 0.0
        below = np.searchsorted(maxima, maxima - rounding, "left") / total
        fits = np.flatnonzero(self._missed + below < self._beta * look / self._looks)
        if not len(fits):
            return -np.inf, 0.0
        return float(maxima[fits[-1]]), float(below[fits[-1]])


def _survivors(
    paths: Paths, pairs: Sequence[Pair], looked: Sequence[_Look], compat: bool
) -> np.ndarray:
    """Return which paths no look that has passed would have rejected, (paths,)."""
    alive = np.ones(len(paths.differences(1)), dtype=bool)
    for number, look in enumerate(looked, 1):
        alive &= _within(paths.differences(number), pairs, look, compat)
    return alive


def _within(values: Floats, pairs: Sequence[Pair], look: _Look, compat: bool) -> np.ndarray:
    at = [pairs.index(pair) for pair in look.live]
    rounding = 0.0 if compat else TOLERANCE * float(np.abs(values).max(initial=0.0))
    within: np.ndarray = np.abs(values[:, at]).max(axis=1) <= look.boundary + rounding
    return within


def _pooled(blocks: Mapping[str, Floats], pairs: Sequence[Pair], look: int) -> Floats:
    """Return one batch of every pair, (pairs, runs): task by task, the first agent's runs first.

    Agents that needed no more runs by then stand there with zeros; their pairs are decided.
    """

    def of(agent: str) -> Floats:
        batches = blocks[agent]
        return batches[look] if look < len(batches) else np.zeros(batches.shape[1:])

    return np.stack([np.concatenate([of(a), of(b)], axis=1).ravel() for a, b in pairs])


def _check(alpha: float, beta: float, max_batches: int, permutations: int) -> None:
    if not 0 < alpha < 1 or not 0 <= beta < 1:
        raise InvalidScores(f"alpha {alpha} must be inside (0, 1), beta {beta} in [0, 1)")
    if max_batches < 1 or permutations < 2:
        raise InvalidScores("there must be at least 1 batch and 2 permutations")
