"""Playing the final evaluation of a record again: is its score right, and what did it look like?"""

import zlib
from collections.abc import Callable, Collection, Sequence
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench import suites
from rlbench.errors import RLBenchError, StoreError, UnknownName, UsageError
from rlbench.results import Evaluation, Record, Replay, Store
from rlbench.runners.agents.agent import AgentPhase, Bools
from rlbench.runners.loops.evaluation import evaluate
from rlbench.runners.loops.traces import HASHED_STEPS, MAX_BYTES, EvaluationTrace
from rlbench.suites import Suite, Task
from rlbench.suites.envs import Drawing, TaskDrawing

Frame = NDArray[np.uint8]  # (height, width, 3)
_MOST_FPS = 1000


class Film(NamedTuple):
    """Pictures of an episode.

    Attributes:
        frames: (height, width, 3) uint8 each.
        fps: Steps a second, where the environments say so.
    """

    frames: list[Frame]
    fps: int | None


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
    suite, task = _suite_of(record, suite)
    actions = _read(record, store)
    env = _environments(record, suite, task)
    trace = EvaluationTrace(env.single_action_space)
    try:
        found = evaluate(
            _Player(actions),
            env,
            episodes=suite.protocol_of(task).episodes,
            trace=trace,
            progress=progress,
        )
    except Exception as error:
        if not isinstance(error.__cause__, _EndOfActions):
            return Verdict(equal=False, detail=f"its replay ended with: {error}")
        found = None
    finally:
        env.close()
    assert record.replay is not None
    return _compare(record.replay, trace, record.final, found)


def frames(
    record: Record, store: Store, steps: Collection[int], suite: Suite | None = None
) -> Film:
    """Return pictures of the first episode of a record's final evaluation, played again.

    They are what the environments draw, or else what the agent saw, where that is a picture: the
    newest of a stack.

    Args:
        record: An ``ok`` record.
        store: Where it is.
        steps: Of the episode, from 0: the state before that step.
        suite: As `verify`.

    Returns:
        A picture a step that the episode has, in their order.

    Raises:
        StoreError: As `verify`.
        UsageError: The same; there are no pictures, or the environment is not the same here.
        MissingExtra: The environments are not installed.
    """
    suite, task = _suite_of(record, suite)
    actions = _read(record, store)
    assert record.replay is not None
    env = _environments(record, suite, task, drawn=True)
    key = record.identity.key
    film = _Film(env, record.replay.hashes, set(steps))
    try:
        evaluate(_Player(actions), env, episodes=suite.protocol_of(task).episodes, trace=film)
    except _EndOfFilm:
        fps = env.metadata.get("render_fps")
        is_speed = isinstance(fps, int) and 0 < fps <= _MOST_FPS
        return Film(film.frames, fps if is_speed else None)
    except _NoPicture as error:
        raise UsageError(
            f"the environments of {suite.id} do not render, and observations of "
            f"{error} are not pictures"
        ) from None
    except Exception as error:
        if isinstance(error.__cause__, _EndOfActions):
            raise UsageError(f"not all actions of run {key} were kept") from None
        raise UsageError(f"run {key} cannot be replayed: {error}") from error
    finally:
        env.close()
    raise UsageError(f"run {key} ended before its first episode did")


def task_frames(record: Record, moments: int, suite: Suite | None = None) -> list[Frame]:
    """Return pictures of tasks that a record's teacher proposed, evenly spread over time.

    What is random in a task besides its parameters is drawn anew.

    Args:
        record: Of a curriculum.
        moments: How many pictures at most; the first and the last proposal are among them.
        suite: As `verify`.

    Raises:
        UsageError: The record has no proposals, or its environments draw no tasks.
        MissingExtra: The environments are not installed.
    """
    suite, task = _suite_of(record, suite)
    key = record.identity.key
    if record.proposals is None or not record.proposals.parameters:
        raise UsageError(f"run {key} has no proposals of a teacher")
    rows = np.array(record.proposals.parameters, dtype=np.float64)
    chosen = np.unique(np.linspace(0, len(rows) - 1, moments).round().astype(int))
    env = suite.make(task, split="train", num_envs=1, seed=record.identity.seed)
    try:
        if not isinstance(env, TaskDrawing):
            raise UsageError(f"the environments of {suite.id} draw no tasks")
        return [env.draw_task(row) for row in rows[chosen]]
    finally:
        env.close()


class _EndOfFilm(Exception):
    """The first episode is over."""


class _NoPicture(Exception):
    """An observation is no picture; the message is its shape."""


class _Film(EvaluationTrace):
    """Pictures of the first slot while its first episode goes on, as far as all is as recorded."""

    def __init__(
        self, env: VectorEnv[Any, Any, Any], hashes: Sequence[str], steps: Collection[int]
    ) -> None:
        super().__init__(env.single_action_space)
        self._env, self._recorded, self._steps = env, hashes, steps
        self._now = 0
        self.frames: list[Frame] = []

    def start(self, obs: NDArray[Any]) -> None:
        super().start(obs)
        self._take(obs)

    def step(
        self,
        action: NDArray[Any],
        obs: NDArray[Any],
        reward: NDArray[np.float64],
        ended: NDArray[np.bool_],
    ) -> None:
        super().step(action, obs, reward, ended)
        self._now += 1
        if ended[0]:
            raise _EndOfFilm
        self._take(obs)

    def _take(self, obs: NDArray[Any]) -> None:
        hashes = self.finish()[0].hashes if self._now <= HASHED_STEPS else ()
        if tuple(self._recorded[: len(hashes)]) != tuple(hashes):
            raise UsageError(f"step {self._now} differs: the environment is not the same")
        if self._now in self._steps:
            drawn = self._env.draw(0) if isinstance(self._env, Drawing) else None
            self.frames.append(_as_picture(obs[0] if drawn is None else drawn))


def _as_picture(array: NDArray[Any]) -> Frame:
    """Return an array as a picture, (height, width, 3); the newest of a stack of them."""
    shape = array.shape
    is_stack = array.ndim == 4 or (array.ndim == 3 and shape[-1] not in (1, 3))
    is_known = array.dtype == np.uint8 and array.ndim in (2, 3, 4)
    if not is_known or (is_stack and shape[0] >= shape[1]):  # a stack along another axis
        raise _NoPicture(f"shape {shape} and dtype {array.dtype}")
    if is_stack:
        array = array[-1]
    if array.ndim == 2:
        array = array[:, :, None]
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _suite_of(record: Record, suite: Suite | None) -> tuple[Suite, Task]:
    """Return the suite and task of a record; the suite may be given, if it is in a file.

    Raises:
        UsageError: The suite is not the one of the record any more, or not known.
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
    return suite, task


def _environments(
    record: Record, suite: Suite, task: Task, *, drawn: bool = False
) -> VectorEnv[Any, Any, Any]:
    """Return fresh environments of the final evaluation; `drawn` as `Suite.make` has it.

    Raises:
        MissingExtra: They are not installed.
        UsageError: They cannot be made.
    """
    protocol = suite.protocol_of(task)
    slots = min(protocol.eval_envs, protocol.episodes)
    try:
        return suite.make(
            task, split="eval", num_envs=slots, seed=record.identity.seed, drawn=drawn
        )
    except RLBenchError:
        raise
    except Exception as error:
        raise UsageError(f"the environments cannot be made: {error}") from error


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
        raise StoreError(f"the actions of run {record.identity.key} do not have the size {size:,}")
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
