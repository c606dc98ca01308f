"""What `--dry-run` prints: the runs, and an estimate of time, disk and cost."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rlbench.api.estimates import Estimate, Estimator, Needs
from rlbench.api.running import Wanted
from rlbench.api.words import amount, duration, size_text
from rlbench.cli.output import echo, print_json

_NOT_COUNTED = "checkpoints of unfinished runs come on top"


def print_plan(wanted: Sequence[Wanted], price: float | None) -> None:
    """Print what would be run, and about what it would take.

    The time and the disk are those of an agent's earlier runs of the suite in the store. Where
    there are none, the environment alone is timed for a second, and evaluation episodes are taken
    to be as long as they may be.

    Args:
        wanted: The runs of each agent.
        price: Of an hour of a slot, if the cost is asked for.
    """
    outlook = Outlook(price)
    outlook.add("", {of_agent.agent.id.name: of_agent for of_agent in wanted})


class Outlook:
    """What a dry run says, part by part: lines for people, or rows for a program.

    Args:
        price: Of an hour of a slot, if the cost is asked for.
        json: Print rows, at the end.
        trains: Runs spend the budget; else policies are evaluated as they are.

    Attributes:
        awaiting: The agents of a study whose settings are not chosen yet.
    """

    def __init__(self, price: float | None, *, json: bool = False, trains: bool = True) -> None:
        self.awaiting: set[str] = set()
        self._price, self._json = price, json
        self._estimator = Estimator(trains=trains)
        self._total, self._parts = Estimate(), 0
        self._suite: str | None = None  # of the part that is told of
        self._rows: list[dict[str, Any]] = []
        self._assumed: set[str] = set()  # what was said of it

    def say(self, text: str) -> None:
        """Print a line for people."""
        if not self._json:
            echo(text)

    def add(
        self,
        part: str,
        wanted: Mapping[str, Wanted],
        *,
        batches: int = 1,
        called: str = "batches",
        awaiting: Collection[str] = (),
    ) -> None:
        """Tell of runs.

        Args:
            part: What they are of, for a program.
            wanted: By agent; all share the same places.
            batches: How many there may be of these runs; these are the first.
            called: What these are called.
            awaiting: The agents whose settings are not chosen yet: all of their runs are counted.
        """
        self._suite = next(iter(wanted.values())).suite.id
        found: dict[str, Needs] = {}
        for name, of_agent in wanted.items():
            is_open = name in awaiting
            runs = replace(of_agent, left=of_agent.identities) if is_open else of_agent
            found[name] = self._estimator.needs(runs)
            self._tell_of_agent(part, name, runs, found[name], is_open=is_open)
        slots = len(next(iter(wanted.values())).places.slots)
        total = _together([needs.left for needs in found.values()], found, slots)
        if len(wanted) > 1:
            self._tell_of_all("all of these", part, total)
        if batches > 1:
            more = _together([needs.all for needs in found.values()], found, slots)
            for _ in range(batches - 1):
                total = total.plus(more)
            self._tell_of_all(
                f"and all {called} that may follow, at most", f"all {called}, at most", total
            )
        self._total, self._parts = self._total.plus(total), self._parts + 1

    def end(self) -> None:
        """Say what all parts take, if there are several; print the rows."""
        self._suite = None
        if self._parts > 1:
            self._tell_of_all("the whole study, at most", "the whole study, at most", self._total)
        if self._json:
            print_json(self._rows)

    def _tell_of_agent(
        self, part: str, name: str, wanted: Wanted, needs: Needs, *, is_open: bool
    ) -> None:
        """Tell of the runs of an agent."""
        found, store, jobs = needs.left, wanted.store.path, wanted.at_a_time
        self._keep(part, name, found, jobs, f"{needs.basis}; {needs.assumed}".removesuffix("; "))
        if self._json:
            return
        for identity in () if is_open else wanted.left:
            echo(f"{identity.key} {identity.task} seed {identity.seed}")
        awaits = ", whose setting is not chosen yet" if is_open else ""
        echo(
            f"{found.runs} of {len(wanted.identities)} runs to do of {name}{awaits}, "
            f"{jobs} at a time, into {store}"
        )
        if not found.runs:
            return
        free = shutil.disk_usage(next(p for p in [store, *store.absolute().parents] if p.exists()))
        each = duration(found.seconds / found.runs)
        echo(f"time: about {duration(found.wall)}, {each} a run ({needs.basis})")
        echo(f"disk: about {size_text(found.disk)} of {size_text(free.free)} free; {_NOT_COUNTED}")
        if needs.assumed and needs.assumed not in self._assumed:
            echo(f"assumed: {needs.assumed}")
            self._assumed.add(needs.assumed)
        if self._price is not None:
            echo(f"cost: about {_cost_text(found, self._price)}")

    def _tell_of_all(self, title: str, part: str, found: Estimate) -> None:
        """Tell of the runs of all agents."""
        self._keep(part, None, found, None, "")
        said = f"{found.runs} runs, about {duration(found.wall)}, {size_text(found.disk)}"
        cost = f", {_cost_text(found, self._price)}" if self._price is not None else ""
        self.say(f"{title}: {said}{cost}")

    def _keep(
        self, part: str, agent: str | None, found: Estimate, jobs: int | None, basis: str
    ) -> None:
        """Keep a row."""
        price = self._price
        self._rows.append({
            "suite": self._suite, "part": part, "agent": agent,
            "runs": found.runs, "at_a_time": jobs,
            "seconds": round(found.seconds, 3), "wall_seconds": round(found.wall, 3),
            "disk_bytes": round(found.disk),
            "cost": None if price is None else found.seconds / 3600 * price,
            "basis": basis,
        })  # fmt: skip


def _together(parts: Sequence[Estimate], needs: Mapping[str, Needs], slots: int) -> Estimate:
    """Return what the runs of several agents take, side by side in so many slots."""
    total = Estimate()
    for part in parts:
        total = total.plus(part)
    longest = max(of_agent.each for of_agent in needs.values()) if total.runs else 0.0
    return total._replace(wall=max(total.seconds / slots, longest))


def _cost_text(found: Estimate, price: float) -> str:
    hours = found.seconds / 3600
    return f"{amount(hours * price)} for {amount(hours)} slot hours at {price:g} each"
