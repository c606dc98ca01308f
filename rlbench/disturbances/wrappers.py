"""Disturbances of any environment: of what an agent does, sees or is paid.

A disturbance is data, with parameters that fit every environment: shares of the picture,
probabilities, steps. `DisturbedEnv` and `DisturbedVectorEnv` put one over an environment; wrappers
may stand over each other. Steps are those of the environment that is wrapped.

Pictures are (height, width) or (height, width, 1, 3 or 4 channels), and may have a first axis for a
stack, all of whose frames are disturbed alike. Vectors (n,) count as a picture one pixel high where
that makes sense; what is hidden of them turns 0.

Every episode of every slot has a random stream of its own, drawn from (seed, disturbance, slot,
episode), and as much is drawn at each of its steps whatever comes of it. So what is drawn at step t
of episode e of slot i depends on nothing else: not on actions, on the game, on the lengths of other
episodes, or on how many slots there are.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlbench.errors import UnknownName, UsageError

Stage = Literal["action", "observation", "reward"]

_CHANNELS = (1, 3, 4)  # a last axis of this length is one of colours
_AT_MOST_1 = ("probability", "share", "side")


@dataclass(frozen=True, slots=True)
class _Mode:
    """What all disturbances have: parameters that are checked."""

    name: ClassVar[str]
    stage: ClassVar[Stage]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "steps":
                fits, what = isinstance(value, int) and value >= 1, "a whole number from 1 on"
            elif field.name in _AT_MOST_1:
                fits, what = 0 <= value <= 1, "in [0, 1]"
            else:
                fits, what = 0 <= value < float("inf"), "0 or more"
            if not fits:
                raise UsageError(f"{field.name} of {type(self).__name__} must be {what}: {value}")


@dataclass(frozen=True, slots=True)
class ActionCorruption(_Mode):
    """With a probability, an action drawn uniformly from all is executed instead."""

    name: ClassVar[str] = "action-corruption"
    stage: ClassVar[Stage] = "action"
    probability: float


@dataclass(frozen=True, slots=True)
class StickyActions(_Mode):
    """With a probability, the action executed before is executed again."""

    name: ClassVar[str] = "sticky"
    stage: ClassVar[Stage] = "action"
    probability: float


@dataclass(frozen=True, slots=True)
class ActionDelay(_Mode):
    """Actions are executed some steps later; before the first one, action 0 or zeros are."""

    name: ClassVar[str] = "action-delay"
    stage: ClassVar[Stage] = "action"
    steps: int


@dataclass(frozen=True, slots=True)
class FrameDrop(_Mode):
    """With a probability, an observation is lost and the last one that came is shown again."""

    name: ClassVar[str] = "frame-drop"
    stage: ClassVar[Stage] = "observation"
    probability: float


@dataclass(frozen=True, slots=True)
class FrameFreeze(_Mode):
    """With a probability, the last observation stays for some steps more."""

    name: ClassVar[str] = "frame-freeze"
    stage: ClassVar[Stage] = "observation"
    probability: float
    steps: int = 8


@dataclass(frozen=True, slots=True)
class ObservationDelay(_Mode):
    """Observations come some steps late; before them, the episode's first one is shown."""

    name: ClassVar[str] = "observation-delay"
    stage: ClassVar[Stage] = "observation"
    steps: int


@dataclass(frozen=True, slots=True)
class GaussianNoise(_Mode):
    """Adds noise of a standard deviation in units of the range, then clips (and rounds integers).

    The range is that of the space; an entry without both bounds has the range 1.
    """

    name: ClassVar[str] = "gaussian-noise"
    stage: ClassVar[Stage] = "observation"
    sd: float


@dataclass(frozen=True, slots=True)
class SaltAndPepper(_Mode):
    """Each pixel turns black or white, with the probability of half the share each."""

    name: ClassVar[str] = "salt-and-pepper"
    stage: ClassVar[Stage] = "observation"
    share: float


@dataclass(frozen=True, slots=True)
class Occlusion(_Mode):
    """Hides a square, inside the picture at a place drawn anew each step.

    Its side is given in heights of the picture.
    """

    name: ClassVar[str] = "occlusion"
    stage: ClassVar[Stage] = "observation"
    side: float


@dataclass(frozen=True, slots=True)
class Crop(_Mode):
    """Hides a share of the picture on the left; of a vector, its first entries."""

    name: ClassVar[str] = "crop"
    stage: ClassVar[Stage] = "observation"
    share: float


@dataclass(frozen=True, slots=True)
class Disc(_Mode):
    """Hides all but a disc about a pixel that is drawn anew each step.

    Its radius is given in heights of the picture.
    """

    name: ClassVar[str] = "disc"
    stage: ClassVar[Stage] = "observation"
    radius: float


@dataclass(frozen=True, slots=True)
class Blackout(_Mode):
    """With a probability, hides the whole observation."""

    name: ClassVar[str] = "blackout"
    stage: ClassVar[Stage] = "observation"
    probability: float


@dataclass(frozen=True, slots=True)
class RewardNoise(_Mode):
    """Multiplies rewards by 1 plus normal noise."""

    name: ClassVar[str] = "reward-noise"
    stage: ClassVar[Stage] = "reward"
    sd: float


@dataclass(frozen=True, slots=True)
class RewardDrop(_Mode):
    """With a probability, the reward becomes 0."""

    name: ClassVar[str] = "reward-drop"
    stage: ClassVar[Stage] = "reward"
    probability: float


@dataclass(frozen=True, slots=True)
class RewardDelay(_Mode):
    """Rewards are paid some steps later; what is owed when the episode ends is paid then."""

    name: ClassVar[str] = "reward-delay"
    stage: ClassVar[Stage] = "reward"
    steps: int


@dataclass(frozen=True, slots=True)
class SuddenDrift(_Mode):
    """From a step of the episode on, hides a share of the picture on the left."""

    name: ClassVar[str] = "sudden-drift"
    stage: ClassVar[Stage] = "observation"
    steps: int
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class CyclicDrift(_Mode):
    """In every other stretch of so many steps, hides a share of the picture on the left."""

    name: ClassVar[str] = "cyclic-drift"
    stage: ClassVar[Stage] = "observation"
    steps: int
    share: float = 0.5


Disturbance = (
    ActionCorruption | StickyActions | ActionDelay | FrameDrop | FrameFreeze | ObservationDelay
    | GaussianNoise | SaltAndPepper | Occlusion | Crop | Disc | Blackout | RewardNoise | RewardDrop
    | RewardDelay | SuddenDrift | CyclicDrift
)  # fmt: skip

_BY_NAME: Mapping[str, type[Disturbance]] = {mode.name: mode for mode in get_args(Disturbance)}
_LOOKS = (SaltAndPepper, Occlusion, Disc)  # have a meaning in pictures alone
_HIDES = (*_LOOKS, Crop, Blackout, SuddenDrift, CyclicDrift)


def disturbance_of(name: str, amount: float, steps: int) -> Disturbance:
    """Return the disturbance of that name.

    Args:
        name: As in `Disturbance.name`, e.g. ``sticky``.
        amount: Its probability, share, radius and so on, if it has one.
        steps: Its steps, if it has some.

    Raises:
        UnknownName: There is no such disturbance.
        UsageError: A parameter is out of range.

    >>> disturbance_of("frame-freeze", 0.05, 8)
    FrameFreeze(probability=0.05, steps=8)
    """
    if name not in _BY_NAME:
        raise UnknownName("disturbance", name, _BY_NAME)
    mode = _BY_NAME[name]
    values: dict[str, Any] = {
        field.name: steps if field.name == "steps" else amount for field in fields(mode)
    }
    return mode(**values)


class DisturbedEnv(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment under a disturbance.

    Args:
        env: Any environment whose spaces the disturbance fits.
        disturbance: What goes wrong.
        seed: Of its random streams, apart from those of the environment. A seed that is given to
            `reset` goes to the environment, and the disturbance begins again at its first episode.

    Raises:
        UsageError: The disturbance does not fit the spaces.

    >>> env = DisturbedEnv(gymnasium.make("CartPole-v1"), Crop(0.5), seed=0)
    >>> env.reset(seed=0)[0][:2].tolist()  # position and velocity of the cart are hidden
    [0.0, 0.0]
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        disturbance: Disturbance,
        *,
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        RecordConstructorArgs.__init__(self, disturbance=disturbance, seed=seed)
        gymnasium.Wrapper.__init__(self, env)
        spaces = env.observation_space, env.action_space
        self._slot = _Slot(disturbance, *spaces, _root_of(seed), 0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        obs, info = self.env.reset(seed=seed, options=options)
        self._slot.begin(again=seed is not None)
        return self._slot.observation(obs), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one step."""
        obs, reward, terminated, truncated, info = self.env.step(self._slot.action(action))
        paid = self._slot.reward(float(reward), terminated or truncated)
        return self._slot.observation(obs), paid, terminated, truncated, info


class DisturbedVectorEnv(VectorWrapper[Any, Any, Any, Any, NDArray[Any]]):
    """A vector environment under a disturbance, which acts in each slot apart.

    The final observations in ``info["final_obs"]`` are disturbed like all others.

    Args:
        env: Resets a slot in the step that ends its episode (``AutoresetMode.SAME_STEP``), as
            those of `Suite.make` do.
        disturbance: What goes wrong.
        seed: Of its random streams; see `DisturbedEnv`.

    Raises:
        UsageError: The disturbance does not fit the spaces, or the environment resets otherwise.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, NDArray[Any]],
        disturbance: Disturbance,
        *,
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        super().__init__(env)
        if env.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise UsageError(
                "DisturbedVectorEnv needs an environment with autoreset_mode SAME_STEP, not "
                f"{env.metadata.get('autoreset_mode')}"
            )
        root = _root_of(seed)
        spaces = env.single_observation_space, env.single_action_space
        self._stage = disturbance.stage
        self._slots = [_Slot(disturbance, *spaces, root, i) for i in range(env.num_envs)]
        self._active = list(range(env.num_envs))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all slots.

        Raises:
            UsageError: Only some slots are to be reset.
        """
        if options and "reset_mask" in options:
            raise UsageError("DisturbedVectorEnv resets all slots together: leave reset_mask out")
        obs, info = self.env.reset(seed=seed, options=options)
        for slot in self._slots:
            slot.begin(again=seed is not None)
        return self._observations(obs), info

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one step in every slot."""
        if self._stage == "action":
            actions = np.array(actions)
            for i in self._active:
                actions[i] = self._slots[i].action(actions[i])
        obs, rewards, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        if self._stage == "reward":
            rewards = np.array(rewards, dtype=np.float64)
            for i in self._active:
                rewards[i] = self._slots[i].reward(float(rewards[i]), bool(ended[i]))
        if ended.any():
            info = self._end(ended, info)
        return self._observations(obs), rewards, terminated, truncated, info

    def retire(self, mask: NDArray[np.bool_]) -> None:
        """End the disturbing of slots for good, and their stepping if the environment can.

        Args:
            mask: (n,) True for slots whose observations, rewards and flags mean nothing from the
                next step on.
        """
        self._active = [i for i in self._active if not mask[i]]
        retire = getattr(self.env, "retire", None)
        if retire is not None:
            retire(mask)

    def _end(self, ended: NDArray[np.bool_], info: dict[str, Any]) -> dict[str, Any]:
        """Disturb final observations, and begin the next episodes of their slots."""
        final = info["final_obs"].copy()
        for i in self._active:
            if ended[i]:
                final[i] = self._slots[i].observation(final[i])
                self._slots[i].begin()
        return {**info, "final_obs": final}

    def _observations(self, obs: NDArray[Any]) -> NDArray[Any]:
        if self._stage != "observation":
            return obs
        obs = obs.copy()
        for i in self._active:
            obs[i] = self._slots[i].observation(obs[i])
        return obs


def _root_of(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)


class _Slot:
    """The disturbance of one environment: its stream, and what it keeps in mind of an episode.

    Attributes:
        stream: Of the episode.
        shown: How many observations of the episode there were.
        last: The action executed last, or the observation that came last.
        queue: What is delayed.
        frozen: For how many steps more the last observation stays.
        frames: The observation's shape as (stack, height, width, channels).
        black: What a hidden pixel turns.
        white: The other end.
        low: (*shape,) of the observation space.
        high: (*shape,) of the observation space.
        span: (*shape,) their distance, or 1.
        inside: (2 height - 1, 2 width - 1) True in a disc about the middle.
    """

    def __init__(
        self,
        disturbance: Disturbance,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        root: np.random.SeedSequence,
        number: int,
    ) -> None:
        self._disturbance = disturbance
        self._does = _DOES[type(disturbance)]
        self._root = root
        word = int.from_bytes(disturbance.name.encode(), "big")
        self._key = (*root.spawn_key, word, number)
        self._episodes = 0
        if disturbance.stage == "action":
            _check_actions(disturbance, action_space)
            self._actions: Any = action_space
        if disturbance.stage == "observation":
            self._look_at(_box_of(disturbance, observation_space))

    def begin(self, *, again: bool = False) -> None:
        """Begin the next episode, or the first one again."""
        if again:
            self._episodes = 0
        key = (*self._key, self._episodes)
        seed = np.random.SeedSequence(self._root.entropy, spawn_key=key)
        self.stream = np.random.default_rng(seed)
        self._episodes += 1
        self.shown = self.frozen = 0
        self.last: Any = None
        self.queue: deque[Any] = deque()

    def action(self, action: Any) -> Any:
        """Return what is executed instead of an action."""
        if self._disturbance.stage != "action":
            return action
        return self._does(self._disturbance, self, action)

    def observation(self, obs: Any) -> Any:
        """Return what is shown instead of an observation, as an array of its own."""
        if self._disturbance.stage != "observation":
            return obs
        out = self._does(self._disturbance, self, np.array(obs))
        self.shown += 1
        return out

    def reward(self, reward: float, ended: bool) -> float:
        """Return what is paid instead of a reward."""
        if self._disturbance.stage != "reward":
            return reward
        return float(self._does(self._disturbance, self, reward, ended))

    def any_action(self) -> Any:
        """Draw an action uniformly."""
        if isinstance(self._actions, Discrete):
            return int(self._actions.start + self.stream.integers(self._actions.n))
        box = self._actions
        return self.stream.uniform(box.low, box.high).astype(box.dtype)

    def no_action(self) -> Any:
        """Return the first action, or that of zeros."""
        if isinstance(self._actions, Discrete):
            return int(self._actions.start)
        box = self._actions
        return np.clip(np.zeros(box.shape, box.dtype), box.low, box.high)

    def hide(self, obs: NDArray[Any], where: Any) -> NDArray[Any]:
        """Turn pixels of all frames black, those that index (height, width)."""
        obs.reshape(self.frames)[(slice(None), *where)] = self.black
        return obs

    def hide_left(self, obs: NDArray[Any], share: float) -> NDArray[Any]:
        """Turn a share of all frames black."""
        return self.hide(obs, (slice(None), slice(0, round(share * self.frames[2]))))

    def _look_at(self, box: Box) -> None:
        disturbance = self._disturbance
        if isinstance(disturbance, GaussianNoise):
            self.low, self.high = box.low, box.high
            bounded = np.isfinite(box.low) & np.isfinite(box.high)
            range_ = box.high.astype(np.float64) - box.low
            self.span = np.where(bounded, range_, 1.0).astype(np.float32)
        if isinstance(disturbance, _HIDES):
            self.frames = _frames_of(disturbance, box.shape)
            self.black, self.white = 0, 0
            if len(box.shape) > 1:
                self.black, self.white = _ends_of(disturbance, box)
        if isinstance(disturbance, Disc):
            _, height, width, _ = self.frames
            y, x = np.ogrid[1 - height : height, 1 - width : width]
            self.inside = x * x + y * y <= (disturbance.radius * height) ** 2


def _check_actions(disturbance: Disturbance, space: gymnasium.Space[Any]) -> None:
    """Raise UsageError unless the disturbance can handle the actions."""
    name = type(disturbance).__name__
    if not isinstance(space, Discrete | Box):
        raise UsageError(f"{name} needs Discrete or Box actions, not {space}")
    if isinstance(space, Discrete) or not isinstance(disturbance, ActionCorruption):
        return
    if not space.is_bounded() or not np.issubdtype(space.dtype, np.floating):
        raise UsageError(f"{name} draws actions from a bounded Box of floats, not {space}")


def _box_of(disturbance: Disturbance, space: gymnasium.Space[Any]) -> Box:
    """Return the observation space, which must be a Box."""
    if not isinstance(space, Box):
        raise UsageError(f"{type(disturbance).__name__} needs observations of a Box, not {space}")
    return space


def _frames_of(disturbance: Disturbance, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the shape of an observation as (stack, height, width, channels)."""
    if len(shape) == 1 and not isinstance(disturbance, _LOOKS):
        return (1, 1, shape[0], 1)
    if len(shape) == 2:
        return (1, *shape, 1)
    if len(shape) == 3:
        return (1, *shape) if shape[-1] in _CHANNELS else (*shape, 1)
    if len(shape) == 4:
        return shape
    raise UsageError(
        f"{type(disturbance).__name__} needs pictures (height, width) or (height, width, channels),"
        f" stacked or not; observations have the shape {shape}"
    )


def _ends_of(disturbance: Disturbance, box: Box) -> tuple[Any, Any]:
    """Return what is black and what is white in a picture."""
    black, white = box.low.min(), box.high.max()
    if box.low.max() != black or box.high.min() != white or not np.isfinite([black, white]).all():
        raise UsageError(
            f"{type(disturbance).__name__} needs pictures whose pixels have one range, from black "
            f"to white: these go from {box.low.min()} to {box.high.max()}, not all alike"
        )
    return black, white


# --- What each disturbance does: draw first, always as much, and only then look at anything.


def _corrupt(d: ActionCorruption, slot: _Slot, action: Any) -> Any:
    other = slot.any_action()
    return other if slot.stream.random() < d.probability else action


def _stick(d: StickyActions, slot: _Slot, action: Any) -> Any:
    sticks = slot.stream.random() < d.probability
    if not sticks or slot.last is None:
        slot.last = _kept(action)
    return slot.last


def _delay_action(d: ActionDelay, slot: _Slot, action: Any) -> Any:
    slot.queue.append(_kept(action))
    return slot.queue.popleft() if len(slot.queue) > d.steps else slot.no_action()


def _kept(action: Any) -> Any:
    """Return an action that does not change when the agent's array does."""
    return action.copy() if isinstance(action, np.ndarray) else action


def _drop(d: FrameDrop, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    is_lost = slot.stream.random() < d.probability
    if not is_lost or slot.last is None:
        slot.last = obs
    return np.array(slot.last)


def _freeze(d: FrameFreeze, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    begins = slot.stream.random() < d.probability
    if begins and not slot.frozen and slot.last is not None:
        slot.frozen = d.steps
    if slot.frozen:
        slot.frozen -= 1
    else:
        slot.last = obs
    return np.array(slot.last)


def _delay_observation(d: ObservationDelay, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    slot.queue.append(obs)
    if len(slot.queue) > d.steps + 1:
        slot.queue.popleft()
    return np.array(slot.queue[0])


def _add_noise(d: GaussianNoise, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    noise = slot.stream.standard_normal(obs.shape, dtype=np.float32)
    noise *= slot.span
    noise *= np.float32(d.sd)
    noisy = obs + noise
    if np.issubdtype(obs.dtype, np.integer):
        np.rint(noisy, out=noisy)
    return np.clip(noisy, slot.low, slot.high).astype(obs.dtype)


def _sprinkle(d: SaltAndPepper, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    drawn = slot.stream.random(slot.frames[1:3], dtype=np.float32)
    frames = obs.reshape(slot.frames)
    frames[:, drawn < d.share / 2] = slot.black
    frames[:, drawn >= 1 - d.share / 2] = slot.white
    return obs


def _occlude(d: Occlusion, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    _, height, width, _ = slot.frames
    side = round(d.side * height)
    top = int(slot.stream.integers(height - side + 1))
    left = int(slot.stream.integers(max(width - side, 0) + 1))
    return slot.hide(obs, (slice(top, top + side), slice(left, left + side)))


def _crop(d: Crop, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, d.share)


def _leave_disc(d: Disc, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    _, height, width, _ = slot.frames
    y, x = int(slot.stream.integers(height)), int(slot.stream.integers(width))
    top, left = height - 1 - y, width - 1 - x
    return slot.hide(obs, (~slot.inside[top : top + height, left : left + width],))


def _black_out(d: Blackout, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, 1.0) if slot.stream.random() < d.probability else obs


def _drift_suddenly(d: SuddenDrift, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, d.share) if slot.shown >= d.steps else obs


def _drift_in_cycles(d: CyclicDrift, slot: _Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, d.share) if slot.shown // d.steps % 2 else obs


def _scatter_reward(d: RewardNoise, slot: _Slot, reward: float, ended: bool) -> float:
    return reward * (1.0 + d.sd * slot.stream.standard_normal())


def _drop_reward(d: RewardDrop, slot: _Slot, reward: float, ended: bool) -> float:
    return 0.0 if slot.stream.random() < d.probability else reward


def _delay_reward(d: RewardDelay, slot: _Slot, reward: float, ended: bool) -> float:
    slot.queue.append(reward)
    paid = slot.queue.popleft() if len(slot.queue) > d.steps else 0.0
    return paid + sum(slot.queue) if ended else paid


_DOES: Mapping[type[Disturbance], Callable[..., Any]] = {
    ActionCorruption: _corrupt,
    StickyActions: _stick,
    ActionDelay: _delay_action,
    FrameDrop: _drop,
    FrameFreeze: _freeze,
    ObservationDelay: _delay_observation,
    GaussianNoise: _add_noise,
    SaltAndPepper: _sprinkle,
    Occlusion: _occlude,
    Crop: _crop,
    Disc: _leave_disc,
    Blackout: _black_out,
    RewardNoise: _scatter_reward,
    RewardDrop: _drop_reward,
    RewardDelay: _delay_reward,
    SuddenDrift: _drift_suddenly,
    CyclicDrift: _drift_in_cycles,
}
