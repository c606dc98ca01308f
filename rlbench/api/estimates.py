"""What runs will take: seconds and bytes, from earlier runs or else from the protocol."""

import zlib
from collections.abc import Collection, Iterable, Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np

from rlbench.api.running import Wanted
from rlbench.api.words import duration, size_text
from rlbench.results import Identity, Record
from rlbench.results.record import MAX_PROPOSALS, MAX_TRAINING_EPISODES
from rlbench.runners.engine import fixed_actions
from rlbench.runners.loops.traces import COMPRESSION, MAX_BYTES, action_dtype
from rlbench.suites import Protocol, Split, Suite, Task

_PROBE_SECONDS = 1.0  # over all tasks
_PATIENCE = 3  # times as long, where no episode ends
_PROBED_TASKS = 8
_PROBED_ACTIONS = 4096
# Of a record, measured on those of the suites: besides its episodes, and of each of them.
_RECORD_BYTES = 3_200
_EVALUATION_BYTES, _EPISODE_BYTES, _TRAINING_BYTES, _PROPOSAL_BYTES = 140, 25, 25, 45
_PARAMETER_BYTES = 20


class Estimate(NamedTuple):
    """What runs will take.

    Attributes:
        runs: How many there are.
        seconds: For which slots are taken, over all of them.
        wall: Seconds until all are done.
        disk: Bytes of records and of the actions beside them.
    """

    runs: int = 0
    seconds: float = 0.0
    wall: float = 0.0
    disk: float = 0.0

    def plus(self, other: "Estimate") -> "Estimate":
        """Return what both take, one after the other."""
        return Estimate(
            self.runs + other.runs,
            self.seconds + other.seconds,
            self.wall + other.wall,
            self.disk + other.disk,
        )


class Needs(NamedTuple):
    """What runs of an agent need.

    Attributes:
        left: Those that are to be done.
        all: As if none of them was done.
        each: The seconds of a run, on average.
        basis: Where that is known from.
        assumed: What was assumed, as a sentence; empty if there are earlier runs.
    """

    left: Estimate
    all: Estimate
    each: float
    basis: str
    assumed: str


class _Run(NamedTuple):
    """The seconds and the bytes that a run takes."""

    seconds: float
    disk: float


class _Probe(NamedTuple):
    """A look at an environment under random actions.

    Attributes:
        step: The seconds of a step.
        packed: The bytes that a step's action takes in its file.
        raw: The same before it is compressed.
        length: Steps of an episode, on average; None if none ended.
        longest: Steps of the longest, or 0.
    """

    step: float
    packed: float
    raw: int
    length: float | None
    longest: int


class Estimator:
    """Says what runs will take; each environment is timed once.

    Args:
        trains: Runs spend the budget; else there is the last evaluation only.
    """

    def __init__(self, *, trains: bool = True) -> None:
        self._trains = trains
        self._probes: dict[tuple[str, str, str], _Probe] = {}

    def needs(self, wanted: Wanted) -> Needs:
        """Return what the runs of an agent will take.

        Runs that share a process share its time, as their records say.

        Args:
            wanted: They are all of one agent.
        """
        by_task, basis, assumed = self._known(wanted) or self._guessed(wanted)
        left, every = (
            _estimate((by_task[identity.task] for identity in of), wanted)
            for of in (wanted.left, wanted.identities)
        )
        return Needs(left, every, every.seconds / every.runs, basis, assumed)

    def _known(self, wanted: Wanted) -> tuple[Mapping[str, _Run], str, str] | None:
        """Return what a run of each task takes by earlier runs, if there are any."""
        alike, basis = _alike(wanted, trains=self._trains)
        if not alike:
            return None
        of_all = _average(alike, wanted)
        by_task = {}
        for name in {identity.task for identity in wanted.identities}:
            own = [record for record in alike if record.identity.task == name]
            by_task[name] = _average(own, wanted) if own else of_all
        return by_task, f"from {len(alike)} runs of {basis} in the store", ""

    def _guessed(self, wanted: Wanted) -> tuple[Mapping[str, _Run], str, str]:
        """Return what a run of each task takes by its protocol, at most.

        Of many tasks some are timed, and stand for the others.
        """
        suite = wanted.suite
        names = list(dict.fromkeys(identity.task for identity in wanted.identities))
        number = min(len(names), _PROBED_TASKS)
        timed = [names[k * len(names) // number] for k in range(number)]
        probes = {name: self._probe(suite, suite.task(name), number) for name in timed}
        most, played, bounds = {}, list[int](), list[int]()
        for name, probe in probes.items():
            task, points = suite.task(name), wanted.points[name]
            protocol = suite.protocol_of(task)
            bound = protocol.max_episode_steps
            most[name] = _run_of(suite, task, points, probe, bound, bound, trains=self._trains)
            played.append(evaluation_episodes(protocol, points, trains=self._trains))
            bounds.append(bound)
        average = _mean(most.values())
        assumed = (
            f"all {_span(played)} evaluation episodes of a run are as long as they may be, "
            f"{_span(bounds)} steps"
        )
        ended = {name: (p, p.length) for name, p in probes.items() if p.length is not None}
        lengths = [length for _, length in ended.values()]
        if len(ended) == number and _span(lengths) != _span(bounds):
            seen = _mean(
                _run_of(
                    suite, suite.task(name), wanted.points[name], probe, length, probe.longest,
                    trains=self._trains,
                )
                for name, (probe, length) in ended.items()
            )  # fmt: skip
            assumed += (
                f" (by random actions they had {_span(lengths)} on average; then a run takes "
                f"{duration(seen.seconds)} and {size_text(seen.disk)})"
            )
        if number < len(names):
            assumed += f", and {number} of the {len(names)} tasks stand for all"
        by_task = {name: most.get(name, average) for name in names}
        return by_task, "no earlier runs: the environment alone, at its longest", assumed

    def _probe(self, suite: Suite, task: Task, share: int) -> _Probe:
        """Return a look at a task's environment, which takes one part in so many of a second."""
        key = (suite.spec, task.name, suite.digest(task))
        if key not in self._probes:
            self._probes[key] = _look(suite, task, _PROBE_SECONDS / share)
        return self._probes[key]


def evaluation_episodes(protocol: Protocol, extra: Collection[int], *, trains: bool = True) -> int:
    """Return how many episodes all evaluations of a run have: at every point, under every name.

    Args:
        protocol: Of the run's task.
        extra: Evaluation points besides those of the protocol.
        trains: The run spends the budget; else there is the last evaluation only.
    """
    if not trains:
        return len(protocol.evaluations) * protocol.episodes
    points = {*protocol.points, *(point for point in extra if point < protocol.budget)}
    before = (len(points) - 1) * protocol.episodes_at_points
    return len(protocol.evaluations) * (before + protocol.episodes)


def _estimate(runs: Iterable[_Run], wanted: Wanted) -> Estimate:
    """Return what runs take in the places that there are."""
    found = list(runs)
    seconds = sum(run.seconds for run in found)
    workers = 1 if wanted.factory is not None else len(wanted.places.slots)
    wall = max([seconds / workers, *(run.seconds for run in found)]) if found else 0.0
    return Estimate(len(found), seconds, wall, sum(run.disk for run in found))


def _alike(wanted: Wanted, *, trains: bool) -> tuple[list[Record], str]:
    """Return earlier runs of the agent, or else of its code with other options, and what of.

    Args:
        wanted: The runs that are wanted.
        trains: They spend the budget; else earlier runs did not spend it either.
    """
    suite, first = wanted.suite, wanted.identities[0]
    of_suite = [
        record
        for record in wanted.loaded.records
        if record.status == "ok"
        and record.slot_seconds is not None
        and (trains or record.budget_used == 0)
        and record.identity.suite == suite.id
        and record.identity.unofficial == suite.unofficial
    ]
    own = [record for record in of_suite if record.identity.agent_key == first.agent_key]
    if own:
        return own, "this agent"
    code = _code_of(first)
    same = [record for record in of_suite if _code_of(record.identity) == code]
    return same, "this agent's code, with other options,"


def _code_of(identity: Identity) -> tuple[tuple[str | None, ...], ...]:
    """Return what says which code an agent and its teacher are."""
    players = [who for who in (identity.agent, identity.teacher) if who is not None]
    return tuple((who.spec, who.factory, who.version, who.source) for who in players)


def _average(records: Collection[Record], wanted: Wanted) -> _Run:
    return _mean(
        _Run(record.slot_seconds or 0.0, wanted.store.size_of(record)) for record in records
    )


def _mean(runs: Iterable[_Run]) -> _Run:
    seconds, disk = np.mean(list(runs), axis=0)
    return _Run(float(seconds), float(disk))


def _run_of(
    suite: Suite,
    task: Task,
    extra: Collection[int],
    probe: _Probe,
    length: float,
    longest: float,
    *,
    trains: bool,
) -> _Run:
    """Return what a run takes whose evaluation episodes have so many steps.

    The file of actions holds those of the last evaluation, of all slots until the last has ended.

    Args:
        suite: The suite.
        task: One of its tasks.
        extra: Evaluation points besides those of the protocol.
        probe: A look at its environment.
        length: Steps of an episode, on average.
        longest: Steps of the longest.
        trains: It spends the budget.
    """
    protocol = suite.protocol_of(task)
    episodes = evaluation_episodes(protocol, extra, trains=trains)
    trained = protocol.budget if trains and protocol.kind != "offline" else 0
    points = len({*protocol.points, *extra}) if trains else 1
    slots = min(protocol.eval_envs, protocol.episodes)
    actions = slots * max(longest, -(-protocol.episodes // slots) * length)
    training = min(trained / (probe.length or protocol.max_episode_steps), MAX_TRAINING_EPISODES)
    disk = (
        min(actions, MAX_BYTES / probe.raw) * probe.packed
        + _RECORD_BYTES
        + _EVALUATION_BYTES * len(protocol.evaluations) * points
        + _EPISODE_BYTES * episodes
        + _TRAINING_BYTES * training
    )
    if protocol.kind == "curriculum":
        proposal = _PROPOSAL_BYTES + _PARAMETER_BYTES * len(suite.parameters)
        disk += proposal * min(training, MAX_PROPOSALS)
    return _Run(probe.step * (trained + episodes * length), disk)


def _look(suite: Suite, task: Task, seconds: float) -> _Probe:
    """Step an environment by random actions for so many seconds; longer if no episode ends."""
    # The training environments of other kinds cannot be stepped just so, or there are none.
    split: Split = "train" if suite.protocol_of(task).kind == "online" else "eval"
    env = suite.make(task, split=split, num_envs=1, seed=0)
    space = env.single_action_space
    actions = fixed_actions(space, _PROBED_ACTIONS)
    kept = actions.astype(action_dtype(space)).tobytes()
    env.reset()
    steps, lengths, begun, passed, started = 0, list[int](), 0, 0.0, perf_counter()
    while passed < (seconds if lengths else seconds * _PATIENCE):
        _, _, terminated, truncated, _ = env.step(actions[steps % _PROBED_ACTIONS])
        steps += 1
        if terminated[0] or truncated[0]:
            lengths.append(steps - begun)
            begun = steps
        passed = perf_counter() - started
    env.close()
    return _Probe(
        step=passed / steps,
        packed=len(zlib.compress(kept, COMPRESSION)) / _PROBED_ACTIONS,
        raw=len(kept) // _PROBED_ACTIONS,
        length=float(np.mean(lengths)) if lengths else None,
        longest=max(lengths, default=0),
    )


def _span(numbers: Iterable[float]) -> str:
    """Return the lowest and the highest of some numbers, or the one that all are."""
    found = sorted({round(number) for number in numbers})
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
