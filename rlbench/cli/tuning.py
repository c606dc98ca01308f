"""Choosing the settings of agents, on seeds of their own, before they are compared."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlbench.api.clusters import Placement
from rlbench.api.entrants import (
    Entrant,
    Entrants,
    by_key,
    normalised,
    raw_scores,
    resolve_entrants,
    want_of_all,
)
from rlbench.api.study import Study, Tuning
from rlbench.cli.dry_run import Outlook
from rlbench.cli.output import echo, print_table
from rlbench.cli.run import run_together
from rlbench.cli.sequential import How
from rlbench.results import Store
from rlbench.results.values import unofficial_text
from rlbench.stats.aggregates import LABELS
from rlbench.stats.intervals import POINTS
from rlbench.suites import Suite, Task


def tuned(
    study: Study,
    suite: Suite,
    tasks: Sequence[Task],
    placement: Placement,
    how: How,
    outlook: Outlook,
) -> tuple[list[Entrant], int]:
    """Return the agents of a study with the settings that did best, and an exit code.

    The best setting has the largest statistic over the seeds of the tuning; of several, it is the
    first. Those seeds have no part in the comparison.

    Args:
        study: The study.
        suite: Its suite.
        tasks: Its tasks.
        placement: Where runs are made.
        how: How the comparison is carried out. A dry run tells of the runs that are missing. The
            first setting then stands for the one that they will choose.
        outlook: Is told of them, and which agents await them.
    """
    chosen: dict[str, Mapping[str, Any]] = {}
    # Bases first: what is chosen for one is part of those that follow from it.
    for name in sorted(study.tuning, key=lambda name: len(study.agents[name])):
        tuning, entrant = study.tuning[name], study.entrant(name, chosen)
        named = [
            entrant._replace(name=f"{name} setting {k}", config={**entrant.config, **setting})
            for k, setting in enumerate(tuning.settings, 1)
        ]
        rivals = resolve_entrants(suite, tasks, named)
        wanted = want_of_all(
            rivals, rivals.agents, tuning.seeds, store=study.store, placement=placement
        )
        base = next((p.name for p in study.agents[name] if p.name in outlook.awaiting), "")
        title = f"tuning of {name}: {len(named)} settings"
        is_left = bool(base) or any(of_agent.left for of_agent in wanted)
        if is_left and how.dry_run:
            open_ = tuple(rivals.agents) if base else ()
            outlook.say(title + (f", on top of what is chosen for {base}" if base else ""))
            outlook.add(
                f"tuning of {name}", dict(zip(rivals.agents, wanted, strict=True)), awaiting=open_
            )
            outlook.awaiting |= {
                other for other, parts in study.agents.items() if name in {p.name for p in parts}
            }
            chosen[name] = tuning.settings[0]
            continue
        if is_left and (code := run_together(wanted, title, how.limits, quiet=how.json)):
            return [], code
        values = _values(rivals, tuning, study)
        best = int(np.argmax(values))
        if not how.json:
            _print_settings(name, tuning, values, best, study.settings["statistic"])
        chosen[name] = tuning.settings[best]
    return [study.entrant(name, chosen) for name in study.agents], 0


def _values(rivals: Entrants, tuning: Tuning, study: Study) -> list[float]:
    """Return the statistic of each setting over the seeds of the tuning."""
    records = by_key(Store(study.store).load(rivals.suite.id).records)
    raw = [raw_scores(rivals, name, tuning.seeds, records) for name in rivals.agents]
    statistic = POINTS[study.settings["statistic"]]
    return [float(statistic(normalised(rivals, of_setting))) for of_setting in raw]


def _print_settings(
    name: str, tuning: Tuning, values: Sequence[float], best: int, statistic: str
) -> None:
    rows: list[dict[str, Any]] = [
        {
            "setting": unofficial_text(setting),
            statistic: value,
            "chosen": "yes" if k == best else "",
        }
        for k, (setting, value) in enumerate(zip(tuning.settings, values, strict=True))
    ]
    seeds = f"{len(tuning.seeds)} seeds, which have no part in the comparison"
    print_table(rows, list(rows[0]), f"tuning of {name}: {LABELS[statistic]} over {seeds}")
    echo()
