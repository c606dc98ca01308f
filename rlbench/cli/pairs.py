"""Pairs of agents that are tested: sentences and tables for people."""

from collections.abc import Mapping, Sequence

from rlbench.api.pairs import Scores, comparison_rows, sentences
from rlbench.api.scales import Scale
from rlbench.api.words import p_value_text
from rlbench.cli.output import echo, print_table
from rlbench.stats import ranks_of
from rlbench.stats.aggregates import LABELS
from rlbench.stats.comparisons import REACHING_0, Comparison, TestStatistic


def show_comparison(
    scores: Scores,
    statistic: TestStatistic,
    alpha: float,
    scale: Scale,
    despite: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """Print what tests say of all pairs.

    Args:
        scores: By agent, on the tasks that all have.
        statistic: What is compared.
        alpha: The level.
        scale: How scores are normalised.
        despite: Why pairs are not ranked that are tested all the same; None if nobody asked.
    """
    rows, found, needed = comparison_rows(scores, statistic, alpha, scale)
    for line in sentences(found, needed, statistic, scale, despite):
        echo(line)
    marks = despite or {}
    shown = ["a", "b", "difference", "low", "high", "improvement", "p_value", "decision"]
    texts = [
        {
            **row,
            "p_value": p_value_text(row["p_value"]),
            "decision": row["decision"]
            + (" (despite protocols)" if (row["a"], row["b"]) in marks else ""),
        }
        for row in rows
    ]
    marked = {agent for pair in marks for agent in pair}
    print_table(texts, shown, f"{LABELS[statistic]} of {scale.title}")
    ranks = ranks_of(scores, found, statistic=statistic)
    print_table(
        [
            {
                "agent": row.agent,
                LABELS[statistic]: scale.sign * row.point,
                "ranks": "-" if row.low is None else f"{row.low} to {row.high}",
                "tier": (row.tier or "-") + (" (despite protocols)" if row.agent in marked else ""),
            }
            for row in ranks
        ],
        ["agent", LABELS[statistic], "ranks", "tier"],
        "possible ranks",
    )
    echo("Which of two agents that share a letter is better is not established.")
    echo(
        f"Intervals: {100 * (1 - alpha):g}%, all together, {_methods(found)}. P-values: "
        f"{found[0].test}. Ranks: {'both' if ranks[0].low else ranks[0].method}."
    )


def _methods(found: Sequence[Comparison]) -> str:
    """Return how the intervals of differences were made."""
    return "; ".join(dict.fromkeys(p.difference.method.removesuffix(REACHING_0) for p in found))
