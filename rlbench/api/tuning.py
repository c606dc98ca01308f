"""Choosing the settings of agents, on seeds of their own, before they are compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
from rlbench.api.running import Wanted
from rlbench.api.study import Study, Tuning
from rlbench.results import Store
from rlbench.results.values import unofficial_text
from rlbench.stats.aggregates import LABELS
from rlbench.stats.intervals import POINTS
from rlbench.suites import Suite, Task


class Tuned(NamedTuple):
    """An agent of a study that is to be tuned.

    Attributes:
        name: Its name.
        tuning: Its settings, and the seeds that one is chosen by.
        rivals: The agent with each of the settings.
        wanted: The runs of the tuning, by setting.
    """

    name: str
    tuning: Tuning
    rivals: Entrants
    wanted: list[Wanted]

    @property
    def title(self) -> str:
        """What the runs are of."""
        return f"tuning of {self.name}: {len(self.tuning.settings)} settings"


def tune(
    study: Study,
    suite: Suite,
    tasks: Sequence[Task],
    placement: Placement,
    execute: Callable[[Tuned], bool],
    on_chosen: Callable[[Tuned, list[float]], None],
) -> list[Entrant]:
    """Return the agents of a study with the settings that did best.

    The best setting has the largest statistic over the seeds of the tuning; of several, it is the
    first. Those seeds have no part in the comparison.

    Args:
        study: The study.
        suite: Its suite.
        tasks: Its tasks.
        placement: Where runs are made.
        execute: Does the runs that are left, and says whether they all have scores. Where they
            have not, the first setting stands for the one that they will choose.
        on_chosen: Is told the statistic of each setting.
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
        one, best = Tuned(name, tuning, rivals, wanted), 0
        if execute(one):
            values = _values(one, study)
            best = int(np.argmax(values))
            on_chosen(one, values)
        chosen[name] = tuning.settings[best]
    return [study.entrant(name, chosen) for name in study.agents]


def setting_rows(one: Tuned, values: Sequence[float], statistic: str) -> list[dict[str, Any]]:
    """Return a row a setting: the setting, its statistic, and which one is chosen."""
    best = int(np.argmax(values))
    return [
        {
            "setting": unofficial_text(setting),
            statistic: value,
            "chosen": "yes" if k == best else "",
        }
        for k, (setting, value) in enumerate(zip(one.tuning.settings, values, strict=True))
    ]


def settings_title(one: Tuned, statistic: str) -> str:
    """Say what the settings were chosen by."""
    seeds = f"{len(one.tuning.seeds)} seeds, which have no part in the comparison"
    return f"tuning of {one.name}: {LABELS[statistic]} over {seeds}"


def _values(one: Tuned, study: Study) -> list[float]:
    """Return the statistic of each setting over the seeds of the tuning."""
    rivals, seeds = one.rivals, one.tuning.seeds
    records = by_key(Store(study.store).load(rivals.suite.id).records)
    raw = [raw_scores(rivals, name, seeds, records) for name in rivals.agents]
    statistic = POINTS[study.settings["statistic"]]
    return [float(statistic(normalised(rivals, of_setting))) for of_setting in raw]
