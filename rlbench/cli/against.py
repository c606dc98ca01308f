"""`rlbench compare --against`: agents and a constant, e.g. the human level."""

from rlbench.api.against import Against, sentence
from rlbench.api.scales import Scale
from rlbench.api.words import p_value_text
from rlbench.cli.output import echo, print_json, print_table
from rlbench.stats.aggregates import LABELS


def show_against(found: Against, statistic: str, alpha: float, scale: Scale, json: bool) -> None:
    """Print how agents compare with a constant."""
    rows = found.rows
    if json:
        print_json(rows)
        return
    for row in rows:
        echo(sentence(row))
    shown = ["a", "b", "difference", "low", "high", "improvement", "p_value", "decision"]
    texts = [
        {**row, "p_value": None if row["p_value"] is None else p_value_text(row["p_value"])}
        for row in rows
    ]
    print_table(texts, shown, f"{LABELS[statistic]} of {scale.title}")
    echo(f"Intervals: {100 * (1 - alpha):g}%, all together. Test: {found.test}.")
