"""What the environments of a suite are, and slots of them made from one environment.

>>> import gymnasium
>>> stream = np.random.SeedSequence(0)
>>> env = make_slots(
...     lambda: gymnasium.make("CartPole-v1"),
...     num_envs=2, split="train", stream=stream, max_episode_steps=500,
... )
>>> env.reset()[0].shape
(2, 4)

Importing this module imports gymnasium, so `rlbench.suites` itself does not.
"""

import multiprocessing
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, NotRequired, Protocol, TypedDict, runtime_checkable

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Space
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.vector.utils import CloudpickleWrapper, batch_space
from numpy.typing import NDArray

from rlbench.errors import InvalidEnvironment, UsageError
from rlbench.suites.mujoco_warnings import divert_mujoco_warnings
from rlbench.suites.suite import Split

Obs = NDArray[Any]
Mask = NDArray[np.bool_]
MakeOne = Callable[[], gymnasium.Env[Any, Any]]

_LAST_WORDS = 5.0  # seconds for a worker process to end


class Info(TypedDict):
    """What an ``info`` may hold; n is the number of slots.

    Attributes:
        final_obs: (n, ...) The true final observations, in every step that ends an episode.
        start: (n,) Numbers the state in which each slot's episode began.
        life_lost: (n,) Lost lives, in steps that end no episode.
        success: (n,) Whether an episode that ends has solved its task.
        measures: (n,) each by name, what else is measured of the episodes that end.
    """

    final_obs: NotRequired[Obs]
    start: NotRequired[NDArray[np.int64]]
    life_lost: NotRequired[Mask]
    success: NotRequired[Mask]
    measures: NotRequired[dict[str, NDArray[np.float64]]]


@runtime_checkable
class Environments(Protocol):
    """What `Suite.make` returns; see there for the promises that no type can express.

    Attributes:
        num_envs: The number of slots, n.
        single_observation_space: Of one slot.
        single_action_space: Of one slot, discrete or a box.
    """

    num_envs: int
    single_observation_space: Space[Any]
    single_action_space: Space[Any]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, Any]:
        """Begin new episodes; return (n, ...) observations and an `Info`."""
        ...

    def step(self, actions: Any) -> tuple[Obs, NDArray[np.float64], Mask, Mask, Any]:
        """Play one step; return observations, rewards, terminated, truncated and an `Info`."""
        ...

    def close(self) -> None:
        """Let the environments go."""
        ...


@runtime_checkable
class Retiring(Protocol):
    """Environments whose slots can be stopped for good."""

    def retire(self, mask: Mask) -> None:
        """End the stepping of the marked slots (n,); what they return means nothing any more."""
        ...


@runtime_checkable
class Drawing(Protocol):
    """Environments that can be looked at."""

    def draw(self, slot: int) -> NDArray[np.uint8] | None:
        """Return the picture of a slot now, (height, width[, 3]); None if there is none."""
        ...


@runtime_checkable
class Parametrised(Protocol):
    """Training environments of a curriculum.

    They may also have ``knowledge``, what a teacher is told by name.

    Attributes:
        parameter_space: A box of (d,) task parameters.
    """

    parameter_space: Box


@runtime_checkable
class TaskDrawing(Protocol):
    """Training environments of a curriculum whose tasks can be looked at."""

    def draw_task(self, parameters: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the picture (height, width, 3) of the task with these parameters (d,)."""
        ...


def slot_seeds(stream: np.random.SeedSequence, num_envs: int, split: Split) -> NDArray[np.int64]:
    """Return one seed a slot, below 2^31: all distinct, even to train on and odd to evaluate on.

    A slot's seed does not depend on how many slots come after it.
    """
    seeds: dict[int, None] = {}
    generator = np.random.default_rng(stream)
    while len(seeds) < num_envs:
        seeds[int(generator.integers(2**30)) * 2 + (split == "eval")] = None
    return np.fromiter(seeds, dtype=np.int64)


def refuse_seed(seed: int | None) -> None:
    """Raise UsageError if a seed is given to `reset`: the suite's stream is the only source."""
    if seed is not None:
        raise UsageError("the seed of a suite's environments is given to Suite.make")


def check_final_obs(obs: Obs, info: dict[str, Any]) -> None:
    """Check what a step that ends an episode says of its final observations.

    Raises:
        InvalidEnvironment: There are none, or not in the form of `obs`.
    """
    final = info.get("final_obs")
    if final is None:
        raise InvalidEnvironment(
            "an episode ended without info['final_obs']: environments reset in the same step and "
            "hand over the true final observation (see rlbench check --suite)"
        )
    form = getattr(final, "shape", None), getattr(final, "dtype", None)
    if form != (obs.shape, obs.dtype):
        raise InvalidEnvironment(
            f"info['final_obs'] has shape {form[0]} and dtype {form[1]}, not {obs.shape} and "
            f"{obs.dtype} as the observations have"
        )


class EpisodeClock:
    """Sees that no episode goes on beyond the protocol's limit; a step costs an addition.

    Args:
        num_envs: The number of slots.
        limit: Steps of an episode; None for no limit.
    """

    def __init__(self, num_envs: int, limit: int | None) -> None:
        self._limit = limit
        self._now = self._oldest = 0
        self._began = np.zeros(num_envs, dtype=np.int64)

    def begin(self) -> None:
        """Begin an episode in every slot."""
        self._began[:] = self._oldest = self._now

    def tick(self) -> None:
        """Count a step of all slots.

        Raises:
            InvalidEnvironment: An episode is longer than the limit.
        """
        self._now += 1
        if self._limit is not None and self._now - self._oldest > self._limit:
            raise InvalidEnvironment(
                f"an episode had more than {self._limit} steps, the protocol's max_episode_steps"
            )

    def end(self, ended: Mask, playing: Mask | None = None) -> None:
        """Begin anew in slots whose episode has ended.

        Args:
            ended: (n,) Where.
            playing: (n,) The slots whose episodes count; by default all.
        """
        self._began[ended] = self._now
        began = self._began if playing is None else self._began[playing]
        self._oldest = int(began.min(initial=self._now))


def conform(
    env: Any, *, num_envs: int, seeds: NDArray[np.int64], max_episode_steps: int, restarts: bool
) -> VectorEnv[Any, Any, Any]:
    """Return what a suite's factory made in the form that `Suite.make` promises.

    Gymnasium's `SyncVectorEnv` and `AsyncVectorEnv`, also under wrappers, are seeded, reset in the
    same step whatever their autoreset mode, and cut off at the time limit. Any other engine is
    returned as it is, unless it says that it resets in another way.

    Args:
        env: What the factory returned.
        num_envs: How many slots were asked for.
        seeds: (n,) For gymnasium's own.
        max_episode_steps: The protocol's.
        restarts: Slots begin the next episode themselves; not in a curriculum's training.

    Raises:
        InvalidEnvironment: It cannot be brought into that form.
    """
    if not isinstance(env, VectorEnv):
        raise InvalidEnvironment(
            f"the suite's factory made a {type(env).__name__}, not a gymnasium.vector.VectorEnv: "
            "rlbench.suites.envs.make_slots makes one of a single environment"
        )
    if env.num_envs != num_envs:
        raise InvalidEnvironment(f"the suite's factory made {env.num_envs} slots, not {num_envs}")
    mode = _autoreset_mode(env)
    if not restarts:
        if mode not in (None, AutoresetMode.DISABLED):
            raise InvalidEnvironment(
                f"the training environments of a curriculum have autoreset_mode {mode.name}: "
                "they must not reset themselves (DISABLED)"
            )
        return env
    if isinstance(env.unwrapped, SyncVectorEnv | AsyncVectorEnv):
        return SameStep(env, seeds, max_episode_steps)
    if mode not in (None, AutoresetMode.SAME_STEP):
        raise InvalidEnvironment(
            f"{type(env.unwrapped).__name__} has autoreset_mode {mode.name}: a suite's "
            "environments reset in the step that ends an episode (SAME_STEP)"
        )
    return env


def _autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode | None:
    """Return how environments say that they reset; None if they do not say."""
    mode = env.metadata.get("autoreset_mode")
    try:
        return None if mode is None else AutoresetMode(mode)
    except ValueError:
        raise InvalidEnvironment(f"there is no autoreset_mode {mode!r} in gymnasium") from None


def check_space(space: Space[Any]) -> None:
    """Raise InvalidEnvironment unless observations of a space are one array."""
    if space.shape is None or space.dtype is None:
        raise InvalidEnvironment(
            f"observations in {type(space).__name__} are not supported: flatten them, e.g. by "
            "gymnasium.wrappers.FlattenObservation"
        )


class SameStep(VectorWrapper[Obs, Any, Obs, Any, NDArray[Any]]):
    """Gymnasium's vector environments in the form that `Suite.make` promises.

    Args:
        env: Gymnasium's, in any autoreset mode.
        seeds: (n,) Given to the first reset.
        max_episode_steps: Steps after which an episode is truncated.

    Raises:
        InvalidEnvironment: Its observations are not one array, or it cannot be made to reset.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], seeds: NDArray[np.int64], max_episode_steps: int
    ) -> None:
        super().__init__(env)
        check_space(env.single_observation_space)
        base, mode = env.unwrapped, _autoreset_mode(env)
        if (
            isinstance(base, AsyncVectorEnv)
            and mode == AutoresetMode.NEXT_STEP
            and not base.shared_memory
        ):
            raise InvalidEnvironment(
                "AsyncVectorEnv without shared memory resets twice in NEXT_STEP: give it "
                "autoreset_mode=AutoresetMode.SAME_STEP"
            )
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        self._resets_itself = mode == AutoresetMode.SAME_STEP
        self._seeds: list[int] | None = seeds.tolist()
        self._limit = max_episode_steps
        self._lengths = np.zeros(env.num_envs, dtype=np.int64)
        self._notes = _Notes(env.num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin new episodes in all slots; the streams go on from where they are.

        Raises:
            UsageError: A seed is given: the seeds are those that the environments were made with.
        """
        refuse_seed(seed)
        seeds: Any = self._seeds  # gymnasium's take one a slot, whatever VectorWrapper says
        obs, info = self.env.reset(seed=seeds)
        if not isinstance(info, dict):
            raise InvalidEnvironment(
                f"infos come as a {type(info).__name__}: leave out the wrapper DictInfoToList"
            )
        self._seeds = None
        self._lengths[:] = 0
        for slot in range(self.num_envs):
            self._notes.begin(slot, _of_slot(info, slot))
        return np.array(obs), self._notes.finish({})

    def step(
        self, actions: Any
    ) -> tuple[Obs, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one step in every slot."""
        raw, reward, terminated, truncated, info = self.env.step(actions)
        obs = np.array(raw)  # gymnasium may hand out a buffer of its own
        self._lengths += 1
        terminated = np.array(terminated, dtype=np.bool_)
        by_itself = terminated | truncated
        late = ~by_itself & (self._lengths >= self._limit)
        ended = by_itself | late
        said = info.get("final_info", {}) if self._resets_itself else info
        out: dict[str, Any] = {}
        for slot in range(self.num_envs):
            of_step = said if by_itself[slot] else info
            self._notes.take(out, slot, _of_slot(of_step, slot), ended=bool(ended[slot]))
        if ended.any():
            final, obs = self._begin(obs, info, by_itself, ended)
            out["final_obs"] = final
        rewards = np.array(reward, dtype=np.float64)
        return obs, rewards, terminated, truncated | late, self._notes.finish(out)

    def _begin(
        self, obs: Obs, info: dict[str, Any], by_itself: Mask, ended: Mask
    ) -> tuple[Obs, Obs]:
        """Begin episodes where some ended; return final observations and the next ones."""
        final, to_reset = obs.copy(), ended
        if self._resets_itself:
            for slot in np.flatnonzero(by_itself).tolist():
                final[slot] = info["final_obs"][slot]
                self._notes.begin(slot, _of_slot(info, slot))
            to_reset = ended & ~by_itself
        if to_reset.any():
            begun, more = self.env.reset(options={"reset_mask": to_reset.copy()})
            obs = np.where(to_reset.reshape(-1, *[1] * (obs.ndim - 1)), begun, obs)
            for slot in np.flatnonzero(to_reset).tolist():
                self._notes.begin(slot, _of_slot(more, slot))
        self._lengths[ended] = 0
        return final, obs


def _of_slot(info: dict[str, Any], slot: int) -> dict[str, Any]:
    """Return what gymnasium's info of all slots says of one, in the names of `Info`."""
    found: dict[str, Any] = {
        name: info[name][slot]
        for name in ("start", "life_lost", "success")
        if name in info and (f"_{name}" not in info or info[f"_{name}"][slot])
    }
    measures = info.get("measures", {})
    names = [name for name in measures if f"_{name}" in measures and measures[f"_{name}"][slot]]
    return {**found, "measures": {name: measures[name][slot] for name in names}}


class _Notes:
    """Puts what single environments say in their infos into one `Info`, and drops the rest.

    Args:
        num_envs: The number of slots.
    """

    def __init__(self, num_envs: int) -> None:
        self._n = num_envs
        self._start: NDArray[np.int64] | None = None

    def begin(self, slot: int, info: Mapping[str, Any]) -> None:
        """Take in what a reset says."""
        if "start" in info:
            if self._start is None:
                self._start = np.zeros(self._n, dtype=np.int64)
            self._start[slot] = info["start"]

    def take(self, out: dict[str, Any], slot: int, info: Mapping[str, Any], *, ended: bool) -> None:
        """Put what a slot's step says into the info of all."""
        name = "success" if ended else "life_lost"
        if name in info:
            out.setdefault(name, np.zeros(self._n, dtype=np.bool_))[slot] = info[name]
        if ended and info.get("measures"):
            measures = out.setdefault("measures", {})
            for name, value in info["measures"].items():
                measures.setdefault(name, np.full(self._n, np.nan))[slot] = value

    def finish(self, out: dict[str, Any]) -> dict[str, Any]:
        """Add where episodes began, once all resets have been taken in."""
        if self._start is not None:
            out["start"] = self._start.copy()
        return out


def make_slots(
    make_one: MakeOne,
    *,
    num_envs: int,
    split: Split,
    stream: np.random.SeedSequence,
    max_episode_steps: int,
    workers: int = 0,
    restarts: bool = True,
) -> VectorEnv[Any, Any, Any]:
    """Make slots of a function that makes one gymnasium environment.

    Each slot gets a seed of its own from the suite's stream. Of an environment's infos, the names
    of `Info` are kept: ``start`` of a reset, ``life_lost`` of a step, ``success`` and ``measures``
    of the step that ends an episode.

    Args:
        make_one: Makes one environment. With workers it must be a function of an importable
            module, or a `functools.partial` of one.
        num_envs: The number of slots.
        split: ``train`` or ``eval``.
        stream: Of the suite, as the factory gets it.
        max_episode_steps: Steps after which an episode is truncated.
        workers: Processes that share the slots; 0 for none but this one.
        restarts: Slots begin the next episode themselves. Otherwise they are the training
            environments of a curriculum: `make_one`'s have a ``parameter_space`` and take
            ``reset(options={"parameters": (d,)})``.

    Raises:
        InvalidEnvironment: Observations are not one array, or the environments differ.
    """
    seeds = slot_seeds(stream, num_envs, split)
    if workers:
        return _WorkerSlots(make_one, seeds, max_episode_steps, restarts, min(workers, num_envs))
    return _Slots(make_one, seeds, max_episode_steps, restarts)


class _Slots(VectorEnv[Obs, Any, NDArray[Any]]):
    """Environments stepped one after another; see `make_slots`."""

    def __init__(
        self, make_one: MakeOne, seeds: NDArray[np.int64], max_episode_steps: int, restarts: bool
    ) -> None:
        divert_mujoco_warnings()  # this may be a process of its own
        self._envs = [make_one() for _ in seeds]
        one = self._envs[0]
        check_space(one.observation_space)
        for env in self._envs:
            if (env.observation_space, env.action_space) != (
                one.observation_space,
                one.action_space,
            ):
                raise InvalidEnvironment("the environments of the slots have different spaces")
        _set_spaces(self, len(seeds), one.observation_space, one.action_space, restarts)
        self.metadata["render_fps"] = one.metadata.get("render_fps")
        if not restarts:
            self.parameter_space: Box = one.get_wrapper_attr("parameter_space")
        self._restarts, self._limit = restarts, max_episode_steps
        self._seeds: list[int | None] = seeds.tolist()
        self._active = np.ones(len(seeds), dtype=np.bool_)
        self._lengths = np.zeros(len(seeds), dtype=np.int64)
        shape: Any = one.observation_space.shape
        self._obs: Obs = np.zeros((len(seeds), *shape), one.observation_space.dtype)
        self._notes = _Notes(len(seeds))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin new episodes in all slots, or in those of a mask; see `Suite.make`.

        Raises:
            UsageError: A seed is given: the seeds are those that the environments were made with.
        """
        refuse_seed(seed)
        options = options or {}
        for slot in np.flatnonzero(options.get("reset_mask", self._active)).tolist():
            one = {"parameters": options["parameters"][slot]} if "parameters" in options else None
            self._begin(slot, one)
        return self._obs.copy(), self._notes.finish({})

    def step(
        self, actions: Any
    ) -> tuple[Obs, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one step in every slot that is not retired."""
        actions = np.array(actions)  # an environment may write into its own
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=np.bool_)
        out: dict[str, Any] = {}
        self._lengths += 1
        for slot in np.flatnonzero(self._active).tolist():
            obs, reward, over, cut, info = self._envs[slot].step(actions[slot])
            self._put(slot, obs)
            rewards[slot], terminated[slot] = reward, over
            truncated[slot] = cut or (self._lengths[slot] >= self._limit and not over)
            self._notes.take(out, slot, info, ended=bool(over or truncated[slot]))
        ended = terminated | truncated
        if self._restarts and ended.any():
            out["final_obs"] = self._obs.copy()
            for slot in np.flatnonzero(ended).tolist():
                self._begin(slot, None)
        return self._obs.copy(), rewards, terminated, truncated, self._notes.finish(out)

    def retire(self, mask: Mask) -> None:
        """End the stepping of the marked slots (n,) for good."""
        self._active &= ~mask

    def draw(self, slot: int) -> NDArray[np.uint8] | None:
        """Return what an environment with the render mode ``rgb_array`` draws; else None."""
        env = self._envs[slot]
        picture: Any = env.render() if env.render_mode == "rgb_array" else None
        return picture if picture is None else np.asarray(picture, np.uint8)

    def _begin(self, slot: int, options: dict[str, Any] | None) -> None:
        obs, info = self._envs[slot].reset(seed=self._seeds[slot], options=options)
        self._seeds[slot] = None
        self._lengths[slot] = 0
        self._put(slot, obs)
        self._notes.begin(slot, info)

    def _put(self, slot: int, obs: Any) -> None:
        shape = self._obs.shape[1:]
        if np.shape(obs) != shape:
            raise InvalidEnvironment(
                f"an observation has shape {np.shape(obs)}, not {shape} as its space says"
            )
        self._obs[slot] = obs

    def close_extras(self, **kwargs: Any) -> None:
        """Let the environments go."""
        for env in self._envs:
            env.close()


def _set_spaces(
    env: VectorEnv[Any, Any, Any], n: int, obs: Space[Any], action: Space[Any], restarts: bool
) -> None:
    """Set what a vector environment says of itself."""
    env.num_envs = n
    env.single_observation_space, env.single_action_space = obs, action
    env.observation_space, env.action_space = batch_space(obs, n), batch_space(action, n)
    mode = AutoresetMode.SAME_STEP if restarts else AutoresetMode.DISABLED
    env.metadata = {"autoreset_mode": mode}


class _WorkerSlots(VectorEnv[Obs, Any, NDArray[Any]]):
    """Slots that worker processes share; see `make_slots`.

    Each worker holds `_Slots` of its own, and does what it is asked through a pipe. It ends when
    the pipe closes, however this process ends.
    """

    def __init__(
        self,
        make_one: MakeOne,
        seeds: NDArray[np.int64],
        max_episode_steps: int,
        restarts: bool,
        workers: int,
    ) -> None:
        n = len(seeds)
        bounds = [n * k // workers for k in range(workers + 1)]
        self._parts = [slice(low, high) for low, high in pairwise(bounds)]
        context = multiprocessing.get_context("spawn")
        self._workers: list[tuple[Connection, SpawnProcess]] = []
        for part in self._parts:
            here, there = context.Pipe()
            asked = CloudpickleWrapper(make_one), seeds[part], max_episode_steps, restarts
            process = context.Process(target=_serve, args=(there, *asked), daemon=True)
            process.start()
            there.close()
            self._workers.append((here, process))
        self._active = np.ones(n, dtype=np.bool_)
        answers = [self._answer(k) for k in range(workers)]
        spaces = answers[0]
        _set_spaces(self, n, spaces[0], spaces[1], restarts)
        if not restarts:
            self.parameter_space: Box = spaces[2]
        self._results: list[Any] = [()] * workers

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """Begin new episodes in all slots, or in those of a mask; see `Suite.make`.

        Raises:
            UsageError: A seed is given: the seeds are those that the environments were made with.
        """
        refuse_seed(seed)
        options = options or {}
        for k, part in enumerate(self._parts):
            self._ask(k, "reset", {name: value[part] for name, value in options.items()})
        results = [self._answer(k) for k in range(len(self._parts))]
        self._results = [_nothing(obs, info) for obs, info in results]
        obs = np.concatenate([obs for obs, _ in results])
        return obs, _joined([info for _, info in results], obs, self._parts)

    def step(
        self, actions: Any
    ) -> tuple[Obs, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one step in every slot that is not retired."""
        running = [k for k, part in enumerate(self._parts) if self._active[part].any()]
        for k in running:
            self._ask(k, "step", actions[self._parts[k]])
        for k in running:
            self._results[k] = self._answer(k)
        obs, rewards, terminated, truncated = (
            np.concatenate([result[i] for result in self._results]) for i in range(4)
        )
        infos = [result[4] for result in self._results]
        return obs, rewards, terminated, truncated, _joined(infos, obs, self._parts)

    def retire(self, mask: Mask) -> None:
        """End the stepping of the marked slots (n,) for good."""
        self._active &= ~mask
        for k, part in enumerate(self._parts):
            if self._active[part].any():
                self._ask(k, "retire", mask[part])
                self._answer(k)
            else:
                self._results[k] = _nothing(self._results[k][0], {})

    def _ask(self, k: int, name: str, value: Any) -> None:
        try:
            self._workers[k][0].send((name, value))
        except OSError as error:
            raise InvalidEnvironment("a worker process of the environments has ended") from error

    def _answer(self, k: int) -> Any:
        pipe, process = self._workers[k]
        try:
            problem, answer = pipe.recv()
        except (EOFError, OSError) as error:
            process.join(_LAST_WORDS)
            raise InvalidEnvironment(
                f"a worker process of the environments ended with exit code {process.exitcode}"
            ) from error
        if problem:
            raise InvalidEnvironment(f"an environment in a worker process raised {problem}")
        return answer

    def close_extras(self, **kwargs: Any) -> None:
        """End the workers."""
        for pipe, _ in self._workers:
            pipe.close()
        for _, process in self._workers:
            process.join(_LAST_WORDS)
            process.kill()
            process.join()


def _serve(
    pipe: Connection, make_one: MakeOne, seeds: NDArray[np.int64], limit: int, restarts: bool
) -> None:
    """Hold slots in a worker process, and answer what is asked until the pipe closes."""
    # These go to the whole group; what is to happen is for the runner to say.
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    env: _Slots | None = None
    with suppress(EOFError, OSError):  # the pipe is closed
        try:
            env = _Slots(make_one, seeds, limit, restarts)
            space = getattr(env, "parameter_space", None)
            answer: Any = env.single_observation_space, env.single_action_space, space
            while True:
                pipe.send(("", answer))
                name, value = pipe.recv()
                answer = env.reset(options=value) if name == "reset" else getattr(env, name)(value)
        except (EOFError, OSError):
            raise
        except Exception as error:
            pipe.send((f"{type(error).__name__}: {error}", None))
    if env is not None:
        env.close()


def _nothing(obs: Obs, info: dict[str, Any]) -> tuple[Any, ...]:
    """Return a step in which nothing happened."""
    n = len(obs)
    return obs, np.zeros(n), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_), info


def _joined(infos: list[dict[str, Any]], obs: Obs, parts: list[slice]) -> dict[str, Any]:
    """Put the infos of parts of the slots together."""
    out: dict[str, Any] = {}
    for info, part in zip(infos, parts, strict=True):
        for name, value in info.items():
            if name == "measures":
                for measure, values in value.items():
                    whole = out.setdefault(name, {})
                    whole.setdefault(measure, np.full(len(obs), np.nan))[part] = values
            else:
                empty = obs.copy() if name == "final_obs" else np.zeros(len(obs), value.dtype)
                out.setdefault(name, empty)[part] = value
    return out
