"""Playing the final evaluation of a record again: is the score what the actions lead to?"""

import zlib
from collections.abc import Callable
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench import suites
from rlbench.errors import RLBenchError, StoreError, UnknownName, UsageError
from rlbench.results import Evaluation, Record, Replay, Store
from rlbench.runners.agents.agent import AgentPhase, Bools
from rlbench.runners.loops.evaluation import evaluate
from rlbench.runners.loops.traces import MAX_BYTES, EvaluationTrace
from rlbench.suites import Suite


class Verdict(NamedTuple):
    """What came of playing an evaluation again.

    Attributes:
        equal: All is as the record says.
        detail: What was compared, or the first thing that differs.
    """

    equal: bool
    detail: str


class _EndOfActions(Exception):
    """Not all actions of the evaluation were kept."""


class _Player:
    """An agent that plays what was played before."""

    def __init__(self, actions: NDArray[Any]) -> None:
        self._left = iter(actions)

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        action: NDArray[Any] | None = next(self._left, None)
        if action is None:
            raise _EndOfActions
        return action


def verify(
    record: Record,
    store: Store,
    progress: Callable[[int], None] = lambda finished: None,
    suite: Suite | None = None,
) -> Verdict:
    """Play the final evaluation of a record again, by the actions that were kept.

    It shows whether the environment is the same here, and whether the returns are those that the
    actions lead to; not that the agent chose the actions.

    Args:
        record: An ``ok`` record.
        store: Where it is.
        progress: Called after every vector step with the number of episodes finished.
        suite: The record's suite, where it is in a file.

    Raises:
        StoreError: The record has no actions, or they were changed.
        UsageError: The suite is not the one of the record any more, or its environments cannot be
            made.
        MissingExtra: The environments are not installed.
    """
    identity = record.identity
    if suite is None:
        try:
            suite = suites.get(identity.suite)
        except UnknownName as error:
            raise UsageError(
                f"unknown suite {identity.suite!r}: if it is in a file, add --suite FILE"
            ) from error
    suite = suite.make_unofficial(identity.unofficial)
    task = suite.task(identity.task)
    if suite.digest(task) != identity.digest:
        here = Path(suite.file).name if suite.file else "this release"
        raise UsageError(
            f"run {identity.key} was made under other constants of {suite.id} than {here} has"
        )
    actions = _read(record, store)
    protocol = suite.protocol_of(task)
    slots = min(protocol.eval_envs, protocol.episodes)
    try:
        env = suite.make(task, split="eval", num_envs=slots, seed=identity.seed)
    except RLBenchError:
        raise
    except Exception as error:
        raise UsageError(f"the environments cannot be made: {error}") from error
    trace = EvaluationTrace(env.single_action_space)
    try:
        found = evaluate(
            _Player(actions),
            env,
            episodes=protocol.episodes,
            trace=trace,
            progress=progress,
        )
    except Exception as error:
        if not isinstance(error.__cause__, _EndOfActions):
            return Verdict(equal=False, detail=f"playing it again ended with: {error}")
        found = None
    finally:
        env.close()
    assert record.replay is not None
    return _compare(record.replay, trace, record.final, found)


def _read(record: Record, store: Store) -> NDArray[Any]:
    """Return the (steps, n, ...) actions of a record."""
    content = store.read_actions(record)
    assert record.replay is not None
    shape, dtype = record.replay.shape, np.dtype(record.replay.dtype)
    size = prod(shape) * dtype.itemsize
    if size > 2 * MAX_BYTES:
        raise StoreError(f"the actions of run {record.identity.key} are said to be {size:,} bytes")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(content, size + 1)
    except zlib.error as error:
        raise StoreError(f"the actions of run {record.identity.key} are torn: {error}") from error
    if len(data) != size:
        raise StoreError(f"the actions of run {record.identity.key} have not the size {size:,}")
    actions = np.frombuffer(data, dtype).reshape(shape)
    return actions.astype(np.int64) if dtype.kind in "iu" else actions


def _compare(
    replay: Replay, trace: EvaluationTrace, recorded: Evaluation, found: Evaluation | None
) -> Verdict:
    """Say where an evaluation and its repetition differ."""
    hashes = trace.finish()[0].hashes
    for step, (one, other) in enumerate(zip_longest(replay.hashes, hashes)):
        if one != other:
            where = "the first observation differs" if step == 0 else f"step {step} differs"
            return Verdict(equal=False, detail=f"{where}: the environment is not the same")
    seen = f"{len(hashes) - 1} steps hashed"
    if found is None:
        return Verdict(
            equal=True, detail=f"{seen}; not all actions were kept, returns not compared"
        )
    for name in ("returns", "lengths"):
        pairs = zip(getattr(recorded, name), getattr(found, name), strict=True)
        for episode, (a, b) in enumerate(pairs):
            if a != b:
                detail = f"episode {episode} has {name[:-1]} {b!r}, and the record says {a!r}"
                return Verdict(equal=False, detail=detail)
    return Verdict(equal=True, detail=f"{len(found.returns)} episodes alike, {seen}")
