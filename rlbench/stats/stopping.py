"""AdaStop: compare agents batch by batch, and stop as soon as the answer is there.

The test of Mathieu, Della Vecchia, Shilova, Centa de Medeiros, Kohler, Preux & Tuyls (2023), in its
published, two-sided form, with two changes. After every batch of runs (a look) the differences of
all pairs are compared with a boundary from permutations within batches; the chance of a false
rejection that may have been spent grows linearly from look to look.

First, differences are studentised as `rlbench.stats.permutation` says, so that one agent with noisy
scores does not raise the boundary of all pairs.

Second, the published rule applies the same permutation to every pair, which is exact for two
agents only: with six equal agents and batches of five it was measured to err in 6.4 % of
experiments at a nominal 5. So a pair is separated only if its difference also exceeds the boundary
that follows when the runs of agents are permuted together, for every group of three or more agents
to which both belong and of which no two are separated yet. That is exact if the agents of a group
are equal.

The released package (0.1.3) departs from what was published: it takes the boundary of signed
differences, which doubles the level.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.stats.aggregates import ScoresLike
from rlbench.stats.futility import check_futility, is_ruled_out
from rlbench.stats.permutation import (
    Masks,
    Pair,
    Paths,
    all_masks,
    batches_of,
    groups_of,
    joint_statistics,
    number_of_paths,
    pairs_of,
    random_masks,
)
from rlbench.stats.resampling import Floats, keys_of

Decision = Literal["larger", "smaller", "not separated", "undecided"]
Rule = Literal["studentised", "published", "released"]

CLAIM = (
    "larger and smaller say that the two agents' scores differ in distribution, and which way the "
    "statistic differs in these runs; not separated only says that this test did not tell them "
    "apart"
)
RULES = ("studentised", "published", "released")
JOINT_PATHS = 10_000
TOLERANCE = 1e-10  # of the greatest finite statistic: those that are equal but for rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaStopResult:
    """The decisions of AdaStop on the scores so far.

    Attributes:
        decisions: Of each pair (a, b): ``larger`` if a has larger scores than b, ``smaller``,
            ``not separated`` once the last look has passed, or ``undecided``: more runs are needed.
            `CLAIM` says what that means.
        boundaries: After each look, what a studentised difference had to exceed at least. By
            the rules ``published`` and ``released``, what a difference had to exceed; those of
            look k are multiplied by k.
        level_spent: The chance of a false rejection spent so far, at most alpha.
        looks: How many batches have been looked at, and how many there may be.
        runs: By agent, the runs a task that were looked at.
        undecided_agents: Agents that need another batch.
        statistics: Of each pair, the statistic at each look while it was compared: what the
            boundaries are for, with its sign.
        blind_looks: Looks at which nothing can be rejected, whatever the scores: there are too
            few permutations for the level.
    """

    decisions: Mapping[Pair, Decision]
    boundaries: tuple[float, ...]
    level_spent: float
    looks: tuple[int, int]
    runs: Mapping[str, int]
    undecided_agents: tuple[str, ...]
    statistics: Mapping[Pair, tuple[float, ...]]
    blind_looks: tuple[int, ...]

    def rows(self) -> list[dict[str, str]]:
        """Return one row per pair: a, b, decision."""
        return [{"a": a, "b": b, "decision": d} for (a, b), d in self.decisions.items()]


def adastop(
    scores: Mapping[str, ScoresLike | ArrayLike],
    *,
    batch: int,
    max_batches: int,
    alpha: float = 0.05,
    beta: float = 0.0,
    futility: float | None = None,
    statistic: Literal["mean", "median", "iqm"] = "mean",
    comparisons: Sequence[Pair] | None = None,
    permutations: int = 10_000,
    seed: int = 0,
    per_seed: bool = False,
    rule: Rule = "studentised",
) -> AdaStopResult:
    """Compare agents on the scores so far, and say which need more runs.

    It is a function of all scores so far and keeps no state. The chance that any two agents of the
    same distribution are told apart is at most alpha over all looks and pairs, if all agents have
    the same distribution; docs/adastop-level.md has what was measured where some differ.

    On several tasks, runs are permuted within task and batch, and the statistic is the pooled one
    of `bootstrap`.

    Args:
        scores: By agent: (runs,) on one task, (runs, tasks), or one array (runs,) a task, in the
            order in which they were run. Agents that need no more runs may have fewer.
        batch: Runs a task that are added from look to look, at least 1.
        max_batches: How many looks there may be.
        alpha: The level, over all looks and pairs.
        beta: The share of paths that may lie below the lower boundaries, over all looks. A pair
            whose difference does so is accepted early as not separated. With a positive beta
            agents that are equal stop earlier, at the price of power; beta is not the chance to
            miss a difference, which hangs on the difference.
        futility: A difference of the statistic that matters. A pair is accepted early as not
            separated once such a difference can be ruled out: see `rlbench.stats.futility`.
        statistic: ``mean``, ``median`` or ``iqm``.
        comparisons: Pairs of agents; by default all.
        permutations: Paths to draw where there are more than so many.
        seed: Of the drawing.
        per_seed: Make one score of each seed over all tasks first. With few seeds this has far
            less power.
        rule: ``studentised``, as said at the top of this module; ``published``, as it was
            published; or ``released``, as the package adastop 0.1.3 does, whose level is about
            twice alpha, and only where all paths are enumerated.

    Raises:
        InvalidScores: Scores are bad, an option is out of range, or an agent that is still
            needed has no whole batch.
        UnknownName: There is no such statistic or rule.
        UsageError: A comparison names an agent that is not there, or there are too many paths for
            the rule ``released``.
    """
    _check(alpha, beta, max_batches, permutations, rule)
    check_futility(futility, rule)
    blocks = batches_of(scores, batch, statistic, per_seed)
    pairs = pairs_of(list(blocks), comparisons)
    needed = {agent for pair in pairs for agent in pair}
    empty = [agent for agent in needed if not len(blocks[agent])]
    if empty:
        raise InvalidScores(f"{empty[0]!r} has less than one batch of {batch} runs on every task")
    decisions: dict[Pair, Decision] = dict.fromkeys(pairs, "undecided")
    runs = dict.fromkeys(blocks, 0)
    *keys, joint_key = keys_of(seed, max_batches + 1)
    paths = _PathSet(blocks, pairs, statistic, permutations, keys, rule)
    spending = _Spending(alpha, beta, max_batches, rule)

    def separated_jointly(live: Sequence[Pair], pair: Pair) -> bool:
        """Say whether a pair exceeds the boundaries of all groups of agents that it belongs to."""
        if rule != "studentised":
            return True
        look = len(paths.looked) + 1
        apart = [p for p, decision in decisions.items() if decision in ("larger", "smaller")]
        for group in groups_of(list(blocks), apart):
            within = [p for p in live if set(p) <= group]
            upto = {a: blocks[a][:look] for a in blocks if any(a in p for p in within)}
            if pair in within and len(upto) > 2:
                number = min(permutations, JOINT_PATHS)
                values = joint_statistics(upto, within, statistic, number, joint_key)
                if not spending.exceeds_last_boundary(values, within.index(pair)):
                    return False
        return True

    live = list(pairs)
    while live and len(paths.looked) < max_batches:
        look = len(paths.looked) + 1
        agents = {agent for pair in live for agent in pair}
        if any(len(blocks[agent]) < look for agent in agents):
            break
        runs.update(dict.fromkeys(agents, look * batch))
        paths.extend(live)
        live, boundary = spending.look(look, paths, live, separated_jointly, decisions)
        decisions.update(dict.fromkeys(paths.give_up(live, futility, max_batches), "not separated"))
        live = [pair for pair in live if decisions[pair] == "undecided"]
        paths.keep(boundary, live)
    if len(paths.looked) == max_batches:
        decisions.update(dict.fromkeys(live, "not separated"))
        live = []
    tasks = blocks[pairs[0][0]].shape[1]
    return AdaStopResult(
        decisions=decisions,
        boundaries=tuple(look.boundary for look in paths.looked),
        level_spent=spending.level,
        looks=(len(paths.looked), max_batches),
        runs=runs,
        undecided_agents=tuple(a for a in blocks if any(a in pair for pair in live)),
        statistics=paths.observed,
        blind_looks=blind_looks(batch, max_batches, alpha, tasks, permutations),
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
    pairs: tuple[Pair, ...]


class _PathSet:
    """The paths of the looks so far: all of them while they are few enough, then drawn ones.

    Attributes:
        looked: The looks that have passed.
        values: (paths, pairs) signed statistics at the present look; path 0 is what was observed.
        sized: Their absolute values.
        slack: By how much those that are equal may differ from rounding.
        alive: (paths,) those that no look that has passed would have rejected.
        total: How many paths there are.
        observed: Of each pair, what was observed at each look while it was compared.
        given_up: The look after which a pair was given up for futility. It keeps its statistics of
            then and goes on to count in all maxima: without it, boundaries would fall whenever
            agents look alike, and the level would not hold.
    """

    def __init__(
        self,
        blocks: Mapping[str, Floats],
        pairs: Sequence[Pair],
        statistic: str,
        permutations: int,
        keys: Sequence[int],
        rule: Rule,
    ) -> None:
        _, tasks, batch = blocks[pairs[0][0]].shape
        self._blocks, self.pairs, self._statistic = blocks, pairs, statistic
        self._sizes = [(batch, batch)] * tasks
        self._permutations, self._keys, self._rule = permutations, keys, rule
        self._paths = self._no_paths()
        self._drawn = False
        self.looked: list[_Look] = []
        self.given_up: dict[Pair, int] = {}
        self.observed: dict[Pair, tuple[float, ...]] = dict.fromkeys(pairs, ())
        self.values: Floats = np.empty((0, len(pairs)))
        self.sized: Floats = self.values
        self.slack = 0.0
        self.alive = np.empty(0, dtype=bool)
        self.total = 0

    def extend(self, live: Sequence[Pair]) -> None:
        """Go on to the next look, at which some pairs are still compared."""
        look = len(self.looked) + 1
        everything = number_of_paths(self._sizes, look)
        released = self._rule == "released"
        exact = everything <= self._permutations - released
        if released and not exact:
            raise UsageError(
                "the rule of the released package needs all paths enumerated: give more "
                "permutations"
            )
        if exact:
            self._restart(all_masks(self._sizes, look))
        elif not self._drawn:
            self._restart([self._draw(earlier) for earlier in range(look)])
        else:
            self._paths.extend(self._draw(look - 1), self._pooled(look - 1))
        self._drawn = not exact
        self.total = int(everything) if exact else self._permutations
        self.values = self._statistics(look)
        self.sized = np.abs(self.values)
        self.slack = self._slack_of(self.sized)
        for pair in live:
            self.observed[pair] += (float(self.values[0, self.pairs.index(pair)]),)

    def give_up(self, live: Sequence[Pair], futility: float | None, looks: int) -> list[Pair]:
        """Give those pairs up of which a difference that matters is ruled out; return them."""
        if futility is None or len(self.looked) + 1 == looks:
            return []
        assert self._paths.observed is not None
        look, (tasks, batch) = len(self.looked) + 1, (len(self._sizes), self._sizes[0][0])
        degrees = 2 * tasks * (look * batch - 1)
        gaps, errors = self._paths.observed
        given_up = [
            pair
            for pair, gap, error in zip(self.pairs, gaps, errors, strict=True)
            if pair in live and is_ruled_out(gap, error, futility, degrees, looks)
        ]
        self.given_up.update(dict.fromkeys(given_up, look))
        return given_up

    def keep(self, boundary: float, live: Sequence[Pair]) -> None:
        """Note a look that has passed, and drop the paths that it would have rejected."""
        look = _Look(boundary, (*live, *self.given_up))
        if look.pairs:
            self.alive = self.alive & self._within(self.sized, self.slack, look)
        self.looked.append(look)

    def _statistics(self, look: int) -> Floats:
        """Return the signed statistics of all pairs at a look, (paths, pairs)."""
        earlier = {
            pair: self._paths.statistics(then)[:, self.pairs.index(pair)]
            for pair, then in self.given_up.items()
            if then < look
        }
        values = self._paths.statistics(look)
        for pair, of_then in earlier.items():
            values[:, self.pairs.index(pair)] = of_then
        return values

    def _no_paths(self) -> Paths:
        return Paths(self._sizes, self._statistic, raw=self._rule != "studentised")

    def _restart(self, masks: Sequence[Masks]) -> None:
        self._paths = self._no_paths()
        for look, of_look in enumerate(masks):
            self._paths.extend(of_look, self._pooled(look))
        self.alive = np.ones(len(masks[0]), dtype=bool)
        for number, look_passed in enumerate(self.looked, 1):
            sized = np.abs(self._statistics(number))
            self.alive &= self._within(sized, self._slack_of(sized), look_passed)

    def _draw(self, look: int) -> Masks:
        return random_masks(self._sizes, self._keys[look], 0, self._permutations)

    def _within(self, sized: Floats, slack: float, look: _Look) -> NDArray[np.bool_]:
        at = [self.pairs.index(pair) for pair in look.pairs]
        return np.asarray(_maxima(sized, at) <= look.boundary + slack)

    def _slack_of(self, sized: Floats) -> float:
        return 0.0 if self._rule == "released" else _slack(sized)

    def _pooled(self, look: int) -> Floats:
        """Return one batch of every pair, (pairs, runs): task by task, the first agent's first.

        Agents that needed no more runs by then stand there with zeros; their pairs are decided.
        """

        def of(agent: str) -> Floats:
            batches = self._blocks[agent]
            return batches[look] if look < len(batches) else np.zeros(batches.shape[1:])

        return np.stack([np.concatenate([of(a), of(b)], axis=1).ravel() for a, b in self.pairs])


class _Spending:
    """The level spent so far, and the boundaries that follow from it."""

    def __init__(self, alpha: float, beta: float, looks: int, rule: Rule) -> None:
        self._alpha, self._beta, self._looks = alpha, beta, looks
        self._released = rule == "released"
        self.level = 0.0
        self._missed = 0.0

    def look(
        self,
        look: int,
        paths: _PathSet,
        live: list[Pair],
        separated_jointly: Callable[[Sequence[Pair], Pair], bool],
        decisions: dict[Pair, Decision],
    ) -> tuple[list[Pair], float]:
        """Decide pairs one after the other, the most different first.

        Args:
            look: The number of the look, from 1.
            paths: At that look.
            live: The pairs that are still compared.
            separated_jointly: Takes the live pairs and one of them, and says whether it exceeds
                what it must exceed besides.
            decisions: Where decisions are written.

        Returns:
            The pairs that are still compared, and the last boundary.
        """
        sized = paths.values if self._released else paths.sized
        boundary, tail, missed, slack = np.inf, 0.0, 0.0, paths.slack
        while live:
            observed = paths.sized[0, [paths.pairs.index(pair) for pair in live]]
            at = [paths.pairs.index(pair) for pair in (*live, *paths.given_up)]
            maxima = np.sort(_maxima(sized, at)[paths.alive])
            boundary, tail = self._upper(maxima, self.level, look, paths.total, slack)
            lower, missed = self._lower(maxima, look, paths.total, slack)
            most, least = live[int(observed.argmax())], live[int(observed.argmin())]
            if observed.max() - slack > boundary and separated_jointly(live, most):
                larger = paths.values[0, paths.pairs.index(most)] > 0
                decisions[most] = "larger" if larger else "smaller"
                live = [pair for pair in live if pair != most]
            elif observed.min() < lower - slack:
                decisions[least] = "not separated"
                live = [pair for pair in live if pair != least]
            else:
                break
        self.level += tail
        self._missed += missed
        return live, boundary

    def exceeds_last_boundary(self, values: Floats, pair: int) -> bool:
        """Say whether a pair exceeds the last boundary of (looks, paths, pairs) statistics."""
        sized = np.abs(values)
        maxima = sized.max(axis=2)
        slack = _slack(sized)
        alive = np.ones(maxima.shape[1], dtype=bool)
        spent, boundary = 0.0, np.inf
        for look, of_paths in enumerate(maxima, 1):
            boundary, tail = self._upper(np.sort(of_paths[alive]), spent, look, len(alive), slack)
            spent += tail
            alive &= of_paths <= boundary + slack
        return bool(abs(values[-1, 0, pair]) - slack > boundary)

    def _upper(
        self, maxima: Floats, spent: float, look: int, total: int, slack: float
    ) -> tuple[float, float]:
        """Return the least value that may be the boundary, and the share of paths above it."""
        level = self._alpha * look / self._looks * (1 + 1e-12)
        fitting = int(np.count_nonzero(spent + np.arange(len(maxima)) / total <= level))
        if not fitting:
            return np.inf, 0.0
        first = len(maxima) - fitting
        if self._released:
            return float(maxima[first]), (fitting - 1) / total
        # Those that are equal but for rounding are not above each other.
        boundary = maxima[int((maxima + slack >= maxima[first]).argmax())]
        above = len(maxima) - int(np.searchsorted(maxima, boundary + slack, "right"))
        return float(boundary), above / total

    def _lower(self, maxima: Floats, look: int, total: int, slack: float) -> tuple[float, float]:
        """Return the greatest value that may be the lower boundary, and the share below it."""
        if not self._beta:
            return -np.inf, 0.0
        below = np.searchsorted(maxima, maxima - slack, "left") / total
        fits = np.flatnonzero(self._missed + below < self._beta * look / self._looks)
        if not len(fits):
            return -np.inf, 0.0
        return float(maxima[fits[-1]]), float(below[fits[-1]])


def _maxima(values: Floats, pairs: Sequence[int]) -> Floats:
    """Return the maximum over some pairs, (paths, pairs) to (paths,)."""
    return np.asarray((values if len(pairs) == values.shape[1] else values[:, pairs]).max(axis=1))


def _slack(sized: Floats) -> float:
    """Return by how much statistics of these sizes that are equal may differ from rounding."""
    most = float(sized.max(initial=0.0))
    if not np.isfinite(most):
        most = float(sized.max(initial=0.0, where=np.isfinite(sized)))
    return TOLERANCE * most


def _check(alpha: float, beta: float, max_batches: int, permutations: int, rule: str) -> None:
    if rule not in RULES:
        raise UnknownName("rule", rule, RULES)
    if not 0 < alpha < 1 or not 0 <= beta < 1:
        raise InvalidScores(f"alpha {alpha} must be inside (0, 1), beta {beta} in [0, 1)")
    if max_batches < 1 or permutations < 2:
        raise InvalidScores("there must be at least 1 batch and 2 permutations")
