"""`rlbench study`: choosing the settings of agents before they are compared, and what is said."""

from collections.abc import Sequence

from rlbench.api.clusters import Placement
from rlbench.api.entrants import Entrant
from rlbench.api.study import Study
from rlbench.api.tuning import Tuned, setting_rows, settings_title, tune
from rlbench.cli.dry_run import Outlook
from rlbench.cli.output import echo, print_table
from rlbench.cli.run import run_together
from rlbench.cli.sequential import How
from rlbench.suites import Suite, Task


class _NotTuned(Exception):
    """Some runs of a tuning have no score."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


def tuned(
    study: Study,
    suite: Suite,
    tasks: Sequence[Task],
    placement: Placement,
    how: How,
    outlook: Outlook,
) -> tuple[list[Entrant], int]:
    """Return the agents of a study with the settings that did best, and an exit code.

    Args:
        study: The study.
        suite: Its suite.
        tasks: Its tasks.
        placement: Where runs are made.
        how: How the comparison is carried out. A dry run tells of the runs that are missing. The
            first setting then stands for the one that they will choose.
        outlook: Is told of them, and which agents await them.
    """

    def execute(one: Tuned) -> bool:
        base = next((p.name for p in study.agents[one.name] if p.name in outlook.awaiting), "")
        if not base and not any(of_agent.left for of_agent in one.wanted):
            return True
        if how.dry_run:
            _tell_of(one, base, study, outlook)
            return False
        if code := run_together(one.wanted, one.title, how.limits, quiet=how.json):
            raise _NotTuned(code)
        return True

    def print_settings(one: Tuned, values: list[float]) -> None:
        if not how.json:
            statistic = study.settings["statistic"]
            rows = setting_rows(one, values, statistic)
            print_table(rows, list(rows[0]), settings_title(one, statistic))
            echo()

    try:
        return tune(study, suite, tasks, placement, execute, print_settings), 0
    except _NotTuned as error:
        return [], error.code


def _tell_of(one: Tuned, base: str, study: Study, outlook: Outlook) -> None:
    """Tell of the runs of a tuning, and note which agents await them."""
    open_ = tuple(one.rivals.agents) if base else ()
    outlook.say(one.title + (f", on top of what is chosen for {base}" if base else ""))
    outlook.add(
        f"tuning of {one.name}", dict(zip(one.rivals.agents, one.wanted, strict=True)),
        awaiting=open_,
    )  # fmt: skip
    outlook.awaiting |= {
        other for other, parts in study.agents.items() if one.name in {p.name for p in parts}
    }
