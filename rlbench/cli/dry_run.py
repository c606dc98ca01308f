"""What `--dry-run` prints: the runs, and an estimate of time, disk and cost."""

import shutil
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np

from rlbench.api.running import Wanted
from rlbench.api.words import duration
from rlbench.cli.output import echo
from rlbench.errors import AgentError
from rlbench.results import Identity
from rlbench.runners.loops.meter import action_check
from rlbench.suites import Split, Suite

_PROBE_SECONDS = 1.0
_PROBE_EPISODE_STEPS = 1000


class Estimate(NamedTuple):
    """What runs will take.

    Attributes:
        runs: How many there are.
        seconds: For which slots are taken, over all of them.
        wall: Seconds until all are done.
        disk: Bytes.
    """

    runs: float
    seconds: float
    wall: float
    disk: float

    def plus(self, other: "Estimate") -> "Estimate":
        """Return what both take, one after the other."""
        return Estimate(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, number: float) -> "Estimate":
        """Return what so many times these runs take."""
        return Estimate(*(number * value for value in self))

    def text(self, price: float | None) -> str:
        """Return it in words, with the cost at a price of an hour of a slot."""
        said = f"{self.runs:.0f} runs, about {duration(self.wall)}, {self.disk / 1e6:.1f} MB"
        return f"{said}, {_cost_text(self, price)}" if price is not None else said


def print_plan(wanted: Sequence[Wanted], price: float | None, *, batches: int = 1) -> None:
    """Print what would be run, and about what it would take.

    The time is that of an agent's earlier runs of the suite in the store. Where there are none,
    the environment alone is timed for a second, which gives a lower limit.

    Args:
        wanted: The runs of each agent, which are done one after the other.
        price: Of an hour of a slot, if the cost is asked for.
        batches: How many there may be of these runs; these are the first.
    """
    total = Estimate(0, 0.0, 0.0, 0.0)
    for of_agent in wanted:
        total = total.plus(_print_agent(of_agent, price))
    if len(wanted) > 1:
        echo(f"all of these: {total.text(price)}")
    if batches > 1 and total.runs:
        of_batch = sum(len(of_agent.identities) for of_agent in wanted) / total.runs
        most = total.plus(total.times(of_batch * (batches - 1)))
        echo(f"and all batches that may follow, at most: {most.text(price)}")


def _print_agent(wanted: Wanted, price: float | None) -> Estimate:
    """Print what would be run of an agent; return what it would take."""
    left, store, jobs = wanted.left, wanted.store.path, wanted.at_a_time
    for identity in left:
        echo(f"{identity.key} {identity.task} seed {identity.seed}")
    echo(f"{len(left)} of {len(wanted.identities)} runs to do, {jobs} at a time, into {store}")
    if not left:
        return Estimate(0, 0.0, 0.0, 0.0)
    each, size, basis = _of_a_run(wanted)
    group = 1 if wanted.factory is not None else wanted.places.group
    found = Estimate(len(left), each * len(left) / group, each * len(left) / jobs, size * len(left))
    free = shutil.disk_usage(next(p for p in [store, *store.absolute().parents] if p.exists())).free
    echo(f"time: about {duration(found.wall)}, {duration(each)} a run ({basis})")
    echo(f"disk: about {found.disk / 1e6:.1f} MB of {free / 1e9:.0f} GB free")
    if price is not None:
        echo(f"cost: about {_cost_text(found, price)}")
    return found


def _cost_text(found: Estimate, price: float) -> str:
    hours = found.seconds / 3600
    return f"{hours * price:,.2f} for {hours:,.2f} slot hours at {price:g} each"


def _of_a_run(wanted: Wanted) -> tuple[float, float, str]:
    """Return the seconds and the bytes that a run takes, and where that is known from."""
    suite, first = wanted.suite, wanted.left[0]
    alike = [
        record
        for record in wanted.loaded.records
        if record.status == "ok"
        and record.slot_seconds is not None
        and record.identity.agent_key == first.agent_key
        and record.identity.suite == suite.id
        and record.identity.unofficial == suite.unofficial
    ]
    if alike:
        seconds = float(np.mean([record.slot_seconds or 0.0 for record in alike]))
        size = float(np.mean([len(record.to_bytes()) for record in alike]))
        return seconds, size, f"from {len(alike)} runs of this agent in the store"
    size = 8_000.0 + 30.0 * suite.protocol_of(suite.task(first.task)).episodes
    return _probe(suite, first), size, "at least: the environment alone, without the agent"


def _probe(suite: Suite, identity: Identity) -> float:
    """Return the seconds that a run's environment alone takes.

    Evaluation episodes are taken to last 1,000 steps. Updates from a dataset are not counted.
    """
    task = suite.task(identity.task)
    protocol = suite.protocol_of(task)
    # The training environments of other kinds cannot be stepped just so, or there are none.
    split: Split = "train" if protocol.kind == "online" else "eval"
    env = suite.make(task, split=split, num_envs=1, seed=identity.seed)
    env.reset()
    action = np.zeros((1, *(env.single_action_space.shape or ())), env.single_action_space.dtype)
    try:
        action = action_check(env.single_action_space, 1)(action)
    except AgentError:
        action = env.action_space.sample()
    steps, started = 0, perf_counter()
    while perf_counter() - started < _PROBE_SECONDS:
        env.step(action)
        steps += 1
    env.close()
    each = (perf_counter() - started) / steps
    trained = 0 if protocol.kind == "offline" else protocol.budget
    length = min(_PROBE_EPISODE_STEPS, protocol.max_episode_steps)
    return each * (trained + protocol.episodes * length)
