"""What each disturbance does in one environment."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from rlbench.disturbances.kinds import (
    ActionCorruption,
    ActionDelay,
    Blackout,
    Crop,
    CyclicDrift,
    Disc,
    Disturbance,
    FrameDrop,
    FrameFreeze,
    GaussianNoise,
    ObservationDelay,
    Occlusion,
    RewardDelay,
    RewardDrop,
    RewardNoise,
    SaltAndPepper,
    StickyActions,
    SuddenDrift,
)
from rlbench.errors import UsageError

_CHANNELS = (1, 3, 4)  # a last axis of this length is one of colours
_LOOKS = (SaltAndPepper, Occlusion, Disc)  # have a meaning in pictures alone
_HIDES = (*_LOOKS, Crop, Blackout, SuddenDrift, CyclicDrift)


class Slot:
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


def _corrupt(d: ActionCorruption, slot: Slot, action: Any) -> Any:
    other = slot.any_action()
    return other if slot.stream.random() < d.probability else action


def _stick(d: StickyActions, slot: Slot, action: Any) -> Any:
    sticks = slot.stream.random() < d.probability
    if not sticks or slot.last is None:
        slot.last = _kept(action)
    return slot.last


def _delay_action(d: ActionDelay, slot: Slot, action: Any) -> Any:
    slot.queue.append(_kept(action))
    return slot.queue.popleft() if len(slot.queue) > d.steps else slot.no_action()


def _kept(action: Any) -> Any:
    """Return an action that does not change when the agent's array does."""
    return action.copy() if isinstance(action, np.ndarray) else action


def _drop(d: FrameDrop, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    is_lost = slot.stream.random() < d.probability
    if not is_lost or slot.last is None:
        slot.last = obs
    return np.array(slot.last)


def _freeze(d: FrameFreeze, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    begins = slot.stream.random() < d.probability
    if begins and not slot.frozen and slot.last is not None:
        slot.frozen = d.steps
    if slot.frozen:
        slot.frozen -= 1
    else:
        slot.last = obs
    return np.array(slot.last)


def _delay_observation(d: ObservationDelay, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    slot.queue.append(obs)
    if len(slot.queue) > d.steps + 1:
        slot.queue.popleft()
    return np.array(slot.queue[0])


def _add_noise(d: GaussianNoise, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    noise = slot.stream.standard_normal(obs.shape, dtype=np.float32)
    noise *= slot.span
    noise *= np.float32(d.sd)
    noisy = obs + noise
    if np.issubdtype(obs.dtype, np.integer):
        np.rint(noisy, out=noisy)
    return np.clip(noisy, slot.low, slot.high).astype(obs.dtype)


def _sprinkle(d: SaltAndPepper, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    drawn = slot.stream.random(slot.frames[1:3], dtype=np.float32)
    frames = obs.reshape(slot.frames)
    frames[:, drawn < d.share / 2] = slot.black
    frames[:, drawn >= 1 - d.share / 2] = slot.white
    return obs


def _occlude(d: Occlusion, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    _, height, width, _ = slot.frames
    side = round(d.side * height)
    top = int(slot.stream.integers(height - side + 1))
    left = int(slot.stream.integers(max(width - side, 0) + 1))
    return slot.hide(obs, (slice(top, top + side), slice(left, left + side)))


def _crop(d: Crop, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, d.share)


def _leave_disc(d: Disc, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    _, height, width, _ = slot.frames
    y, x = int(slot.stream.integers(height)), int(slot.stream.integers(width))
    top, left = height - 1 - y, width - 1 - x
    return slot.hide(obs, (~slot.inside[top : top + height, left : left + width],))


def _black_out(d: Blackout, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, 1.0) if slot.stream.random() < d.probability else obs


def _drift_suddenly(d: SuddenDrift, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, d.share) if slot.shown >= d.steps else obs


def _drift_in_cycles(d: CyclicDrift, slot: Slot, obs: NDArray[Any]) -> NDArray[Any]:
    return slot.hide_left(obs, d.share) if slot.shown // d.steps % 2 else obs


def _scatter_reward(d: RewardNoise, slot: Slot, reward: float, ended: bool) -> float:
    return reward * (1.0 + d.sd * slot.stream.standard_normal())


def _drop_reward(d: RewardDrop, slot: Slot, reward: float, ended: bool) -> float:
    return 0.0 if slot.stream.random() < d.probability else reward


def _delay_reward(d: RewardDelay, slot: Slot, reward: float, ended: bool) -> float:
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
