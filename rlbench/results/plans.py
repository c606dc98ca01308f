"""Plans of sequential comparisons: what is fixed before the first run, in a file of the store.

A plan stands in ``plans/<id>.json``. Its id is a hash of all that decides which runs are made and
what is concluded from them, so that a changed plan is another plan. It is written once and never
changed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from rlbench import __version__
from rlbench.errors import InvalidRecord, StoreError
from rlbench.files import add_file, read_bounded
from rlbench.results import strict_json
from rlbench.results.identity import AgentId
from rlbench.results.record import check_schema
from rlbench.suites import Constant, sha256_of

FOLDER = "plans"
SCHEMA_VERSION = 1
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

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the hash of the plan."""
        content = self.to_dict()
        content["agents"] = {label: agent.content() for label, agent in self.agents.items()}
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
        agents = {label: agent.to_dict() for label, agent in self.agents.items()}
        data: dict[str, Any] = json.loads(json.dumps({**asdict(self), "agents": agents}))
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ComparisonPlan":
        """Return the plan in plain data."""
        agents = {label: AgentId.from_dict(agent) for label, agent in data["agents"].items()}
        pairs = tuple((a, b) for a, b in data["comparisons"])
        return cls(**{**data, "agents": agents, "comparisons": pairs})

    def changed_from(self, other: "ComparisonPlan") -> list[str]:
        """Return in which settings it differs from another plan, each as ``alpha 0.05 -> 0.1``."""
        mine, theirs = self.to_dict(), other.to_dict()
        shown = {"agents": "the code or the options of agents", "digests": "the suite's constants"}
        return [
            shown.get(name) or f"{name} {theirs[name]} -> {mine[name]}"
            for name in mine
            if mine[name] != theirs[name]
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
        check_schema(content, "plan")
        plan = ComparisonPlan.from_dict(content["plan"])
    except OSError as error:
        raise StoreError(f"cannot read the plan {path}: {error.strerror}") from error
    except (InvalidRecord, TypeError) as error:
        raise StoreError(f"{path} is not a plan: {error}. Move it away") from error
    if plan.id != path.stem:
        raise StoreError(f"{path} was changed after it was written. Move it away")
    return FixedPlan(plan, path, content["fixed"], content["seen"])
