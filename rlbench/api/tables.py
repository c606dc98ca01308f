"""Tables for a paper or a README."""

from typing import Any

from rlbench.api.figures import Shown, on_common_tasks, scale_text
from rlbench.api.scales import Scale
from rlbench.errors import UnknownName
from rlbench.stats.aggregates import AGGREGATES


def check_format(name: str) -> None:
    """Raise UnknownName if there is no such format."""
    from rlbench.leaderboard.tables import FORMATS

    if name not in FORMATS:
        raise UnknownName("format", name, FORMATS)


def table_text(shown: Shown, scale: Scale, *, format: str, per_task: bool) -> tuple[str, list[str]]:
    """Return a table of aggregates with intervals, and what must be said of it.

    Args:
        shown: What is shown.
        scale: On which scores are.
        format: ``latex`` or ``markdown``.
        per_task: The mean of every task instead.
    """
    from rlbench import leaderboard

    options: dict[str, Any] = {
        "format": format,
        "normalised_by": scale_text(scale),
        "not_ranked": shown.not_ranked,
        "remark": shown.remark,
    }
    if per_task:
        return leaderboard.task_table(shown.agents, **options), list(shown.notes)
    agents, more = on_common_tasks(shown.agents, scale)
    # The gap to 1 says nothing of raw scores.
    metrics = [name for name in AGGREGATES if scale.by or name != "optimality_gap"]
    lists = {agent: list(tasks.values()) for agent, tasks in agents.items()}
    return leaderboard.table(lists, metrics=metrics, **options), [*shown.notes, *more]
