"""adastop's comparator under its own name, computed by `rlbench.stats.adastop`.

Code changes one line: ``from rlbench.compat.adastop import MultipleAgentsComparator``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.errors import InvalidScores, UsageError
from rlbench.files import replace_file
from rlbench.stats.aggregates import columns
from rlbench.stats.resampling import Floats
from rlbench.stats.stopping import AdaStopResult, adastop

__all__ = ["MultipleAgentsComparator"]

Decision = Literal["larger", "smaller", "equal", "continue"]
DECISIONS: Mapping[str, Decision] = {
    "larger": "larger",
    "smaller": "smaller",
    "not separated": "equal",
    "undecided": "continue",
}
OPTIONS = ("n", "K", "B", "alpha", "beta", "seed")


@dataclass(eq=False)
class MultipleAgentsComparator:
    """Compares agents batch by batch, until it is known which scores are larger.

    Attributes:
        n: Runs of each agent in a batch.
        K: Batches at most.
        B: Permutations to draw where there are more than so many.
        comparisons: Pairs of agents by their places in `agent_names`, (pairs, 2); by default all.
        alpha: The level, over all pairs and batches.
        beta: The share of permutations of equal agents that may end a comparison early.
        seed: Of the drawing; None is seed 0.
        agent_names: The agents, as the first call gave them.
        decisions: By comparison, e.g. ``"[0 1]"``: ``larger`` if the first agent has larger scores,
            ``smaller``, ``equal`` if the two were not told apart, or ``continue``.
        current_comparisons: The comparisons that need more runs, (pairs, 2).
        eval_values: All scores of each agent, (runs,).
        mean_eval_values: Their means, in the order of `agent_names`.
        n_iters: How many scores each agent has.
        k: How many batches have been compared.
        is_finished: Whether every comparison is decided.
        result: What `rlbench.stats.adastop` says, with boundaries; None before the first call.
    """

    n: int = 5
    K: int = 5
    B: int = 10_000
    comparisons: ArrayLike | None = None
    alpha: float = 0.01
    beta: float = 0.0
    seed: int | None = None
    agent_names: list[str] = field(default_factory=list, init=False)
    eval_values: dict[str, Floats] = field(default_factory=dict, init=False)
    k: int = field(default=0, init=False)
    result: AdaStopResult | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if np.ndim(self.n):
            raise UsageError(f"n must be one number of runs, the same of every agent: {self.n!r}")

    def partial_compare(
        self, eval_values: Mapping[str, Sequence[float] | Floats], verbose: bool = True
    ) -> None:
        """Compare the agents after one more batch.

        Args:
            eval_values: All scores of each agent so far, (runs,), in the order in which they were
                run. Agents whose comparisons are all decided may have fewer than the others.
            verbose: Print what is decided.

        Raises:
            InvalidScores: Scores are bad or too few, or an option is out of range.
            UsageError: All is decided already, or agents are missing.
        """
        if self.is_finished:
            raise UsageError("every comparison is decided: there is nothing to compare any more")
        names = self.agent_names or list(eval_values)
        if missing := [name for name in names if name not in eval_values]:
            raise UsageError(f"there are no scores of {missing[0]!r}: give those of all agents")
        scores = {
            name: columns([eval_values[name]], f"the scores of {name!r}")[0] for name in names
        }
        result = self._result_of(scores)
        before = self.decisions
        self.agent_names, self.eval_values, self.result = names, scores, result
        if verbose:
            print(f"Step {self.k}")
            for (a, b), (key, decision) in zip(
                result.decisions, self.decisions.items(), strict=True
            ):
                if decision != before.get(key, "continue"):
                    print(f"{a} vs {b}: {decision}")
        self.k += 1

    def _result_of(self, scores: Mapping[str, Floats]) -> AdaStopResult:
        """Return what is known after one batch more.

        Raises:
            InvalidScores: Scores are too few, or an option is out of range.
        """
        names = list(scores)
        upto = (self.k + 1) * self.n
        result = adastop(
            {name: values[:upto] for name, values in scores.items()},
            batch=self.n,
            max_batches=self.K,
            alpha=self.alpha,
            beta=self.beta,
            permutations=self.B,
            comparisons=[(names[i], names[j]) for i, j in self._places(len(names))],
            seed=self.seed or 0,
            statistic="mean",
        )
        for name in result.undecided_agents:
            if len(scores[name]) < upto:
                raise InvalidScores(
                    f"{name!r} has {len(scores[name])} scores and needs {upto} for batch "
                    f"{self.k + 1}"
                )
        return result

    def _places(self, agents: int) -> NDArray[np.int64]:
        """Return the comparisons by the agents' places, (pairs, 2).

        Raises:
            UsageError: They are misshapen, or there is no such place.
        """
        if self.comparisons is None:
            return np.column_stack(np.triu_indices(agents, 1))
        pairs = np.asarray(self.comparisons)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
            raise UsageError(f"comparisons must be pairs of whole numbers: {self.comparisons!r}")
        if pairs.min() < 0 or pairs.max() >= agents:
            raise UsageError(f"comparisons must name agents 0 to {agents - 1}: {pairs.tolist()}")
        return pairs

    @property
    def decisions(self) -> dict[str, Decision]:
        """What is decided, by comparison; nothing before the first call."""
        if self.result is None:
            return {}
        pairs = self._places(len(self.agent_names))
        found = self.result.decisions.values()
        return {str(pair): DECISIONS[known] for pair, known in zip(pairs, found, strict=True)}

    @property
    def current_comparisons(self) -> Any:
        """The comparisons that need more runs, (pairs, 2); those given before the first call."""
        if self.result is None:
            return self.comparisons
        pairs = self._places(len(self.agent_names))
        return pairs[[decision == "continue" for decision in self.decisions.values()]]

    @property
    def is_finished(self) -> bool:
        """Whether every comparison is decided."""
        return self.result is not None and not self.result.undecided_agents

    @property
    def level_spent(self) -> float:
        """The chance of a false rejection that was spent so far, at most alpha."""
        return 0.0 if self.result is None else self.result.level_spent

    @property
    def n_iters(self) -> dict[str, int]:
        """How many scores each agent has."""
        return {name: len(scores) for name, scores in self.eval_values.items()}

    @property
    def mean_eval_values(self) -> list[float]:
        """The mean score of each agent."""
        return [float(scores.mean()) for scores in self.eval_values.values()]

    def get_results(self) -> Any:
        """Return a row a comparison: agents, means, their difference, deviations and decision.

        Returns:
            A pandas DataFrame; where pandas is not installed, the same columns as a dict of lists.
        """
        pairs = self._places(len(self.agent_names)).tolist() if self.result else []
        scores = list(self.eval_values.values())
        means = self.mean_eval_values
        names = self.agent_names
        table = {
            "Agent1 vs Agent2": [f"{names[i]} vs {names[j]}" for i, j in pairs],
            "mean Agent1": [means[i] for i, _ in pairs],
            "mean Agent2": [means[j] for _, j in pairs],
            "mean diff": [means[i] - means[j] for i, j in pairs],
            "std Agent 1": [float(scores[i].std()) for i, _ in pairs],
            "std Agent 2": [float(scores[j].std()) for _, j in pairs],
            "decisions": list(self.decisions.values()),
        }
        try:
            import pandas as pd
        except ImportError:
            return table
        return pd.DataFrame(table)

    def save(self, path: str | Path) -> None:
        """Write the options and all scores to a JSON file, from which `load` goes on.

        Raises:
            OSError: It cannot be written.
        """
        state = {
            **{name: getattr(self, name) for name in OPTIONS},
            "comparisons": None
            if self.comparisons is None
            else np.asarray(self.comparisons).tolist(),
            "k": self.k,
            "agents": self.agent_names,
            "scores": [scores.tolist() for scores in self.eval_values.values()],
            "decisions": self.decisions,
        }
        replace_file(Path(path), json.dumps(state, default=np.generic.item).encode() + b"\n")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the comparator of a file that `save` wrote; its decisions are computed anew.

        Raises:
            UsageError: It cannot be read, is no such file, or its decisions are not those that
                follow from its scores.
        """
        try:
            state = json.loads(Path(path).read_bytes())
            loaded = cls(**{name: state[name] for name in (*OPTIONS, "comparisons")})
            if state["k"]:
                loaded.k = state["k"] - 1
                scores = dict(zip(state["agents"], state["scores"], strict=True))
                loaded.partial_compare(scores, verbose=False)
            decisions = state["decisions"]
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        except (InvalidScores, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{path} is not a saved comparison: {error}") from error
        if decisions != loaded.decisions:
            raise UsageError(
                f"{path}: this release decides otherwise on its scores: {loaded.decisions}"
            )
        return loaded
