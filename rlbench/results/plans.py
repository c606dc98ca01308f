"""Plans of sequential comparisons: what is fixed before the first run, in a file of the store.

A plan stands in ``plans/<id>.json``. Its id is a hash of all that decides which runs are made and
what is concluded from them, so that a changed plan is another plan. It is written once and never
changed.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench import __version__
from rlbench.errors import InvalidRecord, StoreError
from rlbench.files import add_file, read_bounded
from rlbench.results import strict_json
from rlbench.results.identity import AgentId, identities
from rlbench.results.record import Record, check_schema
from rlbench.suites import Constant, Suite, Task, sha256_of

FOLDER = "plans"
SCHEMA_VERSION = 2
MAX_BYTES = 1_000_000

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPlan:
    """What a sequential comparison is.

    Attributes:
        suite: The suite's id.
        unofficial: Its constants that are changed.
        digests: The digest of each task, by name.
        agents: By label.
        comparisons: Pairs of labels.
        first_seed: The first seed of the first batch; each batch takes the seeds that follow.
        batch: Runs a task in a batch.
        max_batches: How many looks there may be.
        alpha: The level, over all pairs and looks.
        futility: The difference that matters, see `rlbench.stats.futility`; None for no futility.
        statistic: What is compared.
        rule: Of `rlbench.stats.adastop`.
        spending: How the level is spent over the looks, and with futility the chance to give up a
            pair whose difference matters: in equal parts.
        teachers: By the label of the agent, in a curriculum.
    """

    suite: str
    unofficial: Mapping[str, Constant]
    digests: Mapping[str, str]
    agents: Mapping[str, AgentId]
    comparisons: tuple[Pair, ...]
    first_seed: int
    batch: int
    max_batches: int
    alpha: float
    futility: float | None
    statistic: str
    rule: str = "studentised"
    spending: str = "linear"
    teachers: Mapping[str, AgentId] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the hash of the plan."""
        content = self.to_dict()
        for name, of_label in self._players().items():
            content[name] = {label: who.content() for label, who in of_label.items()}
        return sha256_of(content)[:16]

    def seeds(self, batch: int) -> list[int]:
        """Return the seeds of a batch, from 1."""
        begin = self.first_seed + (batch - 1) * self.batch
        return list(range(begin, begin + self.batch))

    @property
    def all_seeds(self) -> list[int]:
        """The seeds of all batches."""
        return [seed for batch in range(1, self.max_batches + 1) for seed in self.seeds(batch)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        data = asdict(self)
        del data["teachers"]  # a plan without them is as it was before there were any
        for name, of_label in self._players().items():
            data[name] = {label: who.to_dict() for label, who in of_label.items()}
        plain: dict[str, Any] = json.loads(json.dumps(data))
        return plain

    def _players(self) -> dict[str, Mapping[str, AgentId]]:
        return {"agents": self.agents, **({"teachers": self.teachers} if self.teachers else {})}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ComparisonPlan":
        """Return the plan in plain data."""
        agents, teachers = (
            {label: AgentId.from_dict(who) for label, who in data.get(name, {}).items()}
            for name in ("agents", "teachers")
        )
        pairs = tuple((a, b) for a, b in data["comparisons"])
        return cls(**{**data, "agents": agents, "teachers": teachers, "comparisons": pairs})

    def changed_from(self, other: "ComparisonPlan") -> list[str]:
        """Return in which settings it differs from another plan, each as ``alpha 0.05 -> 0.1``."""
        mine, theirs = self.to_dict(), other.to_dict()
        shown = {
            "agents": "the code or the options of agents",
            "digests": "the suite's constants",
            "teachers": "the code or the options of teachers",
        }
        return [
            shown.get(name) or f"{name} {theirs[name]} -> {mine[name]}"
            for name in mine
            if mine[name] != theirs.get(name)
        ]


class FixedPlan(NamedTuple):
    """A plan that is in a store.

    Attributes:
        plan: The plan.
        path: Its file.
        fixed: When it was written, in ISO 8601, UTC.
        seen: How many of its runs had a record by then.
    """

    plan: ComparisonPlan
    path: Path
    fixed: str
    seen: int


def recorded(
    plan: ComparisonPlan, suite: Suite, records: Iterable[Record]
) -> dict[str, dict[tuple[str, int], Record]]:
    """Return by label, then task and seed, the records of the plan's runs that ended well.

    Args:
        plan: The plan.
        suite: Its suite, with the constants of the plan.
        records: Any, of the last of each run.
    """
    ended = {record.identity.key: record for record in records if record.status == "ok"}
    tasks = [suite.task(name) for name in plan.digests]
    found = {}
    for label, agent in plan.agents.items():
        runs = identities(suite, tasks, agent, plan.all_seeds, plan.teachers.get(label))
        found[label] = {(run.task, run.seed): ended[run.key] for run in runs if run.key in ended}
    return found


def whole_batches(
    plan: ComparisonPlan,
    suite: Suite,
    tasks: Sequence[Task],
    runs: Mapping[tuple[str, int], Record],
) -> list[NDArray[np.float64]]:
    """Return an agent's normalised scores in whole batches.

    Args:
        plan: The plan.
        suite: Its suite.
        tasks: Those of the plan, in any order.
        runs: The agent's records, by task and seed.

    Returns:
        One array (runs,) a task, in the order of seeds.
    """
    seeds: list[int] = []
    for batch in range(1, plan.max_batches + 1):
        if not all((task.name, seed) in runs for task in tasks for seed in plan.seeds(batch)):
            break
        seeds += plan.seeds(batch)
    return [
        suite.normalise(task, np.array([runs[task.name, seed].score for seed in seeds], float))
        for task in tasks
    ]


def decision_text(
    a: str, b: str, decision: str, *, statistic: str, after: str, ruled_out: float | None = None
) -> str:
    """Return what was decided between two agents, in words.

    The test is one of equal distributions, so it does not say that one agent's statistic is larger,
    only that it was larger in the runs (`rlbench.stats.stopping.CLAIM`).

    Args:
        a: The first agent.
        b: The second.
        decision: Of the test: ``larger``, ``smaller`` or ``equal``.
        statistic: What is compared, in words.
        after: When it was decided, in words.
        ruled_out: The difference that was ruled out before the plan was at its end, if any.
    """
    if decision in ("larger", "smaller"):
        return f"{a} and {b} are told apart {after}: the {statistic} of {a} was {decision}."
    if ruled_out is not None:
        return (
            f"{a} and {b} are not separated: a difference of {ruled_out:g} was ruled out {after}."
        )
    return f"{a} and {b} are not separated {after}."


def read_plans(store: Path) -> list[FixedPlan]:
    """Return the plans in a store, in the order of their ids.

    Raises:
        StoreError: A file is no plan.
    """
    folder = store / FOLDER
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return [_read(path) for path in paths if re.fullmatch(r"[0-9a-f]{16}\.json", path.name)]


def fix_plan(store: Path, plan: ComparisonPlan, seen: int) -> FixedPlan:
    """Write a plan, unless it already exists, and return it.

    Args:
        store: Where.
        plan: What.
        seen: How many of its runs have a record.

    Raises:
        StoreError: It cannot be written, or what is in its place is no plan.
    """
    path = store / FOLDER / f"{plan.id}.json"
    content = {
        "schema_version": SCHEMA_VERSION,
        "fixed": datetime.now(UTC).isoformat(timespec="seconds"),
        "rlbench": __version__,
        "seen": seen,
        "plan": plan.to_dict(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        add_file(path, (strict_json.dump(content) + "\n").encode())
    except FileExistsError:
        pass  # another command may have been faster
    except OSError as error:
        raise StoreError(f"cannot write the plan {path}: {error.strerror}") from error
    return _read(path)


def _read(path: Path) -> FixedPlan:
    try:
        content = strict_json.load(read_bounded(path, MAX_BYTES))
        if isinstance(content, dict) and content.get("schema_version") == 1:
            raise StoreError(
                f"{path} is a plan of schema 1, which does not say how the level is spent. Move it "
                "away: the same command fixes it again and keeps its runs"
            )
        check_schema(content, "plan")
        plan = ComparisonPlan.from_dict(content["plan"])
    except OSError as error:
        raise StoreError(f"cannot read the plan {path}: {error.strerror}") from error
    except (InvalidRecord, TypeError) as error:
        raise StoreError(f"{path} is not a plan: {error}. Move it away") from error
    if plan.id != path.stem:
        raise StoreError(f"{path} was changed after it was written. Move it away")
    return FixedPlan(plan, path, content["fixed"], content["seen"])
