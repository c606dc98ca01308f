"""What `rlbench run --dry-run` prints: the runs, and an estimate of time and disk."""

import shutil
from time import perf_counter

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


def print_plan(wanted: Wanted) -> None:
    """Print what would be run, and about what it would take.

    The time is that of the agent's earlier runs of the suite in the store. Where there are none,
    the environment alone is timed for a second, which gives a lower limit.
    """
    suite, left, loaded = wanted.suite, wanted.left, wanted.loaded
    store, jobs = wanted.store.path, wanted.at_a_time
    for identity in left:
        echo(f"{identity.key} {identity.task} seed {identity.seed}")
    echo(f"{len(left)} of {len(wanted.identities)} runs to do, {jobs} at a time, into {store}")
    if not left:
        return
    alike = [
        record
        for record in loaded.records
        if record.status == "ok"
        and record.identity.agent_key == left[0].agent_key
        and record.identity.suite == suite.id
        and record.identity.unofficial == suite.unofficial
    ]
    if alike:
        seconds = float(np.mean([record.timing["seconds"] for record in alike]))
        basis = f"from {len(alike)} runs of this agent in the store"
        size = float(np.mean([len(record.to_bytes()) for record in alike]))
    else:
        seconds = _probe(suite, left[0])
        basis = "at least: the environment alone, without the agent"
        size = 8_000.0 + 30.0 * suite.protocol_of(suite.task(left[0].task)).episodes
    total = seconds * len(left) / jobs
    free = shutil.disk_usage(next(p for p in [store, *store.absolute().parents] if p.exists())).free
    echo(f"time: about {duration(total)}, {duration(seconds)} a run ({basis})")
    echo(f"disk: about {size * len(left) / 1e6:.1f} MB of {free / 1e9:.0f} GB free")


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
