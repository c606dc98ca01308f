"""What the columns of a table are: by their names, or as the user says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rlbench.errors import InvalidScores, UsageError
from rlbench.results.formats.content import stem_of
from rlbench.suites import Suite

# The names of a role's column, as `fold` writes them; the first that is there is preferred where
# two say the same.
ALIASES = {
    "agent": ("agent", "algorithm", "algo", "alg", "method", "model", "exp_name"),
    "task": ("task", "game", "env", "env_id", "env_name", "environment", "dataset"),
    "seed": ("seed", "run", "run_id", "trial_id"),
    "score": (
        "score", "return", "episode_return", "episodic_return", "episode_reward", "reward",
        "mean_reward", "value", "success", "ep_rew_mean", "rollout/ep_rew_mean",
        "episode_reward_mean", "eval/mean_reward", "env_runners/episode_return_mean",
        "env_runners/episode_reward_mean", "sampler_results/episode_reward_mean", "averageepret",
        "charts/episodic_return", "ys",
    ),
    "step": (
        "step", "steps", "timestep", "timesteps", "frame", "env_step", "global_step", "iteration",
        "timesteps_total", "total_timesteps", "time/total_timesteps",
        "num_env_steps_sampled_lifetime", "step_count", "totalenvinteracts", "xs",
    ),
    "status": ("status",),
    "metric": ("metric",),
}  # fmt: skip
AGENTS, TASKS = "agents", "tasks"  # what the columns of a wide table may be
EPISODE = ("episode", "episode_id", "ep")  # what counts episodes
# Words in the name of a column that holds a measure of training and is no task.
OF_LOGS = {
    "step", "steps", "timestep", "timesteps", "iter", "iteration", "iterations", "epoch",
    "epochs", "episode", "episodes", "frame", "frames", "time", "timestamp", "hour", "hours",
    "seconds", "elapsed", "fps", "sps", "loss", "return", "returns", "reward", "rewards", "rew",
    "score", "scores", "length", "len", "success", "index", "lr", "entropy",
}  # fmt: skip
OF_SPREAD = {"std", "stddev", "stdev", "sem", "stderr", "se", "ci", "ci95", "var", "variance"}
OF_MEANS = OF_SPREAD | {"mean", "means", "avg", "average", "median"}
UNNAMED = re.compile(r"(unnamed:_\d+(\.\d+)?)?")  # of an index, as pandas writes and reads it
_MOST_NAMED = 8  # ignored columns that are named one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read a file of scores, where it does not say so itself.

    Attributes:
        columns: Role to the name of its column: agent, task, seed, score, step, status or metric.
        wide: The table is wide, whatever its columns are called.
        columns_are: What the columns of a wide table without a column of agents are: ``agents``
            or ``tasks``; by default what the names of the suites' tasks say.
        metric: The metric to take from a table with a column of metrics.
        agent: The agent of a table that names none.
        task: The task of a table that names none.
        seed: The name of the one run of a file that names none.
        path: Where in a file's path its agent, task and run are named, as `patterns` reads it. It
            says what a file lacks.
        at_step: Scores are those of the last step up to this one, not of the last.
        decimal: What stands before decimals in a text, a point by default, or a comma.
        suite: The suite that scores are normalised by.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    wide: bool = False
    columns_are: str = ""
    metric: str = ""
    agent: str = ""
    task: str = ""
    seed: str = ""
    path: str = ""
    at_step: float | None = None
    decimal: str = ""
    suite: Suite | None = None

    def __post_init__(self) -> None:
        if self.decimal not in ("", ".", ","):
            raise UsageError(f"--decimal {self.decimal!r} is neither a comma nor a point")

    @property
    def options(self) -> list[str]:
        """The options of the command line that say this, but for the suite."""
        given = {
            "--columns": self.columns, "--wide": self.wide, "--columns-are": self.columns_are,
            "--metric": self.metric, "--agent": self.agent, "--task": self.task,
            "--at-step": self.at_step is not None, "--decimal": self.decimal,
        }  # fmt: skip
        return [option for option, value in given.items() if value]


class Roles(NamedTuple):
    """What the columns of a table are.

    Attributes:
        known: Role to the place of its column.
        others: Places of the columns without a role; an index without a name is none of them.
        unnamed: Places of columns without a name that count the rows.
        remarks: What must be said of the choice.
    """

    known: dict[str, int]
    others: list[int]
    unnamed: list[int]
    remarks: list[str]


def fold(name: str) -> str:
    """Return a column's name with case, spaces and hyphens folded.

    >>> fold(" Episode Reward "), fold("env-id")
    ('episode_reward', 'env_id')
    """
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def words(name: str) -> set[str]:
    """Return the words in a column's name, with case folded.

    >>> sorted(words("Episode Reward/mean"))
    ['episode', 'mean', 'reward']
    """
    return set(re.findall(r"[^\W_]+", name.casefold()))


def roles_of(
    path: Path, header: Sequence[str], columns: Sequence[Sequence[str]], reading: Reading
) -> Roles:
    """Return what the columns of a table are.

    Of two columns for one role the first in `ALIASES` is taken if both tell the same rows apart,
    and if scores or steps are the same.

    Raises:
        InvalidScores: Two columns for one role differ, or a column that the user names is missing.
    """
    folded = [fold(name) for name in header]
    named = {role: _named(path, header, role, name) for role, name in reading.columns.items()}
    known, remarks, spare = dict(named), list[str](), set[int]()
    for role, names in ALIASES.items():
        if role in named:
            continue
        found = [
            k
            for name in names
            for k, other in enumerate(folded)
            if other == name and k not in named.values()
        ]
        for k in found[1:]:
            same = _equal if role in ("score", "step") else _alike
            if not same(columns[found[0]], columns[k]):
                raise InvalidScores(
                    f"{path}: the columns {header[found[0]]!r} and {header[k]!r} may both be the "
                    f"{role}: name one, --columns {role}={header[found[0]]}"
                )
            remarks.append(f"{header[k]} says the same as {header[found[0]]}")
        spare.update(found[1:])
        if found:
            known[role] = found[0]
    unnamed = [
        k
        for k, name in enumerate(folded)
        if UNNAMED.fullmatch(name) and all(map(_is_count, columns[k]))
    ]
    taken = {*known.values(), *unnamed, *spare}
    return Roles(known, [k for k in range(len(header)) if k not in taken], unnamed, remarks)


def in_words(header: Sequence[str], taken: Mapping[str, str], ignored: Sequence[int]) -> str:
    """Return in one line what was taken as what, and which columns were ignored."""
    said = "read as " + ", ".join(f"{role}: {what}" for role, what in taken.items())
    names = [header[k] or "a column without a name" for k in ignored]
    if len(names) > _MOST_NAMED:
        names = [*names[:_MOST_NAMED], f"{len(names) - _MOST_NAMED} more"]
    return f"{said}; ignored: {', '.join(names)}" if names else said


def from_outside(name: str, path: Path) -> str:
    """Return what is said of an agent or a task that the file does not name."""
    return repr(name) if name else f"{stem_of(path)!r}, the file's name"


def _named(path: Path, header: Sequence[str], role: str, name: str) -> int:
    """Return the place of a column that the user names, as it stands or folded."""
    places = [k for k, other in enumerate(header) if other == name]
    places = places or [k for k, other in enumerate(header) if fold(other) == fold(name)]
    if len(places) != 1:
        raise InvalidScores(
            f"{path} has no column {name!r} for --columns {role}={name}: it has {', '.join(header)}"
        )
    return places[0]


def _equal(first: Sequence[str], second: Sequence[str]) -> bool:
    return first == second


def _alike(first: Sequence[str], second: Sequence[str]) -> bool:
    """Say whether two columns tell the same rows apart, in any spelling."""
    pairs = {(a.casefold(), b.casefold()) for a, b in zip(first, second, strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _is_count(cell: str) -> bool:
    whole = cell.removesuffix(".0")
    return whole.isascii() and whole.isdigit()
