"""Parkour and stump tracks as gymnasium environments, and the suites' environments.

>>> import gymnasium
>>> import rlbench.envs
>>> env = gymnasium.make("rlbench/StumpTracks-v1", body="spider")
>>> obs, info = env.reset(seed=0, options={"parameters": [1.0, 4.0]})
>>> obs.shape, env.action_space.shape
((42,), (12,))
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import UnknownName, UsageError
from rlbench.suites.envs import make_slots
from rlbench.suites.suite import Constant, Split, Task
from rlbench.suites.teachmyagent import bodies, data, kernels, terrain
from rlbench.suites.teachmyagent.bodies import Body
from rlbench.suites.teachmyagent.drawing import Picture, draw, draw_track
from rlbench.suites.teachmyagent.physics import FPS, Scene
from rlbench.suites.teachmyagent.terrain import Creepers, Track
from rlbench.suites.teachmyagent.window import Window

MASTERED = 230.0  # a return above it
_PUSH = 5.0  # N, the largest at the start of an episode
_WIDTH, _SCALE = 0.25, 10.0  # of creepers and terrain in training
_LIDARS = {"walker": "down", "climber": "up", "swimmer": "full", "amphibian": "full"}
# Where the three numbers that the network gets are drawn from in training.
_BOXES = {
    "easy": ((-0.25, -0.05), (0.8, 1.0), (0.0, 0.2)),
    "medium": ((-0.35, 0.05), (0.6, 1.0), (-0.1, 0.3)),
    "hard": ((-1.0, 1.0), (-1.0, 1.0), (-1.0, 1.0)),
}
_WATER, _CREEPER_HEIGHT, _CREEPER_SPACING = (0.0, 1.0), (0.0, 4.0), (0.0, 5.0)
_SPACINGS = (0.0, 6.0)  # of stumps
_TESTS_DRAWN, _TESTS_SEED = 100, 20_210_319
_INSIDE = 1e-6  # of a quarter; single precision is finer

Observation = NDArray[np.float32]


class _TrackEnv(gymnasium.Env[Observation, NDArray[np.float32]], ABC):
    """A body on tracks that parameters describe; see its two kinds."""

    metadata = {  # noqa: RUF012 - gymnasium's
        "render_modes": ["human", "rgb_array"],
        "render_fps": FPS,
    }
    parameter_space: Box

    def __init__(self, body: Body, size: int, lidar: str, render_mode: str | None) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UnknownName("render_mode", str(render_mode), self.metadata["render_modes"])
        if lidar not in kernels.LIDARS:
            raise UnknownName("lidar", lidar, kernels.LIDARS)
        self.render_mode = render_mode
        self._body, self._lidar = body, lidar
        self.observation_space = Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = Box(-1.0, 1.0, (body.action_size,), np.float32)
        self._scene: Scene | None = None
        self._window = Window(type(self).__name__, FPS) if render_mode == "human" else None

    @abstractmethod
    def _make_track(self, parameters: list[float]) -> Track:
        """Make the track that the parameters describe.

        Raises:
            UsageError: There are not as many as a task has.
        """

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Of all that is drawn from now on.
            options: ``{"parameters": (d,)}``, the task's; drawn evenly from `parameter_space`
                where they are left out.

        Raises:
            UsageError: There are not as many parameters as a task has.
        """
        super().reset(seed=seed)
        given = (options or {}).get("parameters")
        space = self.parameter_space
        if given is None:
            given = self.np_random.uniform(space.low, space.high)
        track = self._make_track(np.asarray(given, dtype=np.float64).tolist())
        push = float(self.np_random.uniform(-_PUSH, _PUSH))
        self._scene = Scene(self._body, track, push=push, lidar=self._lidar)
        self._show()
        return self._scene.observation.astype(np.float32), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play one step; ``info["success"]`` says whether the return so far is above 230."""
        scene = self._scene
        if scene is None:
            raise UsageError("reset the environment before its first step")
        reward, is_over = scene.step(action.tolist())
        self._show()
        info = {"success": scene.score > MASTERED}
        return scene.observation.astype(np.float32), reward, is_over, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return a (400, 600, 3) picture of what is around the head; a window shows it anyway."""
        if self.render_mode != "rgb_array" or self._scene is None:
            return None
        return draw(self._scene)

    def draw_track(self) -> Picture:
        """Return a (150, 600, 3) picture of the whole track.

        Raises:
            UsageError: There is no track before the first reset.
        """
        if self._scene is None:
            raise UsageError("reset the environment before its track is drawn")
        return draw_track(self._scene.track)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _show(self) -> None:
        if self._window is not None and self._scene is not None:
            self._window.show(draw(self._scene))


class ParkourEnv(_TrackEnv):
    """Relief with a ceiling, creepers that hang from it, and water.

    Its parameters are the three numbers that the network makes terrain of, the water level (a
    share of the height), and the mean height and the spacing of the creepers, in metres. Of eight
    numbers, the sixth is the creepers' width, the seventh their spacing, and the eighth the scale
    of the terrain, as in the original's test sets.

    Observations are (d,) float32: angle and velocities of the head, whether it is under water and
    whether it is dead, then of each motor its angle, speed and perhaps contact, of each hand
    whether it touches and holds, and 10 rays of lidar: lengths, then surfaces. Actions are a
    torque for each motor in [-1, 1] and, for each hand, to grasp (above 0).

    Args:
        body: One of `bodies.names()`.
        terrain: ``easy``, ``medium`` or ``hard``: the box of the first three parameters.
        network: ``original``, or ``seeded`` for one of the same law that nothing is fetched for.
        lidar: ``down``, ``up`` or ``full``; by default what the original gives to such a body.
        render_mode: ``human`` (a window, which needs pygame), ``rgb_array`` or None.

    Raises:
        UnknownName: There is no such body, terrain or lidar.
        UsageError: The file of the original network is missing or damaged.
        MissingExtra: pygame is not installed, for ``human``.
    """

    def __init__(
        self,
        body: str = "old_classic_bipedal",
        *,
        terrain: str = "medium",
        network: str = "original",
        lidar: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        made = bodies.load(body)
        lidar = lidar or _LIDARS[made.kind]
        super().__init__(made, made.observation_size, lidar, render_mode)
        if terrain not in _BOXES:
            raise UnknownName("terrain", terrain, _BOXES)
        if network not in ("original", "seeded"):
            raise UnknownName("network", network, ("original", "seeded"))
        self._network = data.load_network(network)
        ranges = (*_BOXES[terrain], _WATER, _CREEPER_HEIGHT, _CREEPER_SPACING)
        self.parameter_space = _box(ranges)

    def _make_track(self, parameters: list[float]) -> Track:
        if len(parameters) == 6:
            *z, water, height, spacing = parameters
            width, scale = _WIDTH, _SCALE
        elif len(parameters) == 8:
            *z, water, width, height, spacing, scale = parameters
        else:
            raise UsageError(f"a parkour has 6 or 8 parameters, not {len(parameters)}")
        return terrain.parkour_track(
            terrain.draw_relief(self._network, z),
            water_level=water,
            creepers=Creepers(width=width, height=height, spacing=spacing),
            scale=scale,
            random=self.np_random,
        )


class StumpTracksEnv(_TrackEnv):
    """Flat ground with stumps on it.

    Its parameters are the mean height of the stumps (in steps of the ground, 0.467 m) and the
    space between them in metres. Observations and actions are those of `ParkourEnv`, without water
    and surfaces. No recording of the original shows climbers and swimmers here.

    Args:
        body: One of `bodies.names()`.
        heights: The range of the mean height.
        spacings: The range of the space.
        order: Of each parameter, an order of the four quarters of its range (see
            `shuffle_quarters`); None leaves them as they are.
        render_mode: ``human`` (a window, which needs pygame), ``rgb_array`` or None.

    Raises:
        UnknownName: There is no such body.
        MissingExtra: pygame is not installed, for ``human``.
    """

    def __init__(
        self,
        body: str = "old_classic_bipedal",
        *,
        heights: tuple[float, float] = (0.0, 3.0),
        spacings: tuple[float, float] = _SPACINGS,
        order: Sequence[Sequence[int]] | None = None,
        render_mode: str | None = None,
    ) -> None:
        made = bodies.load(body)
        super().__init__(made, made.stump_observation_size, "down", render_mode)
        self.parameter_space = _box((heights, spacings))
        self._order = order

    def _make_track(self, parameters: list[float]) -> Track:
        if len(parameters) != 2:
            raise UsageError(f"a stump track has 2 parameters, not {len(parameters)}")
        if self._order is not None:
            parameters = shuffle_quarters(parameters, self.parameter_space, self._order)
        height, spacing = parameters
        return terrain.stump_track(height=height, spacing=spacing, random=self.np_random)


def draw_order(dimensions: int, seed: int) -> list[list[int]]:
    """Return an order of four quarters for each parameter, as the original draws it."""
    random = np.random.RandomState(seed)
    return [random.permutation(4).tolist() for _ in range(dimensions)]


def shuffle_quarters(
    parameters: Sequence[float], space: Box, order: Sequence[Sequence[int]]
) -> list[float]:
    """Map each quarter of a parameter's range onto another one.

    Args:
        parameters: (d,) In the space.
        space: Of the parameters.
        order: Of each parameter, the number of the quarter that each quarter is mapped onto.
    """
    mapped = []
    for value, low, high, numbers in zip(
        parameters, space.low.tolist(), space.high.tolist(), order, strict=True
    ):
        width = (high - low) / 4
        quarter = min(3, int((value - low) / width))
        mapped.append(value + (numbers[quarter] - quarter) * width)
    return mapped


def unshuffle_quarters(
    parameters: Sequence[float], space: Box, order: Sequence[Sequence[int]]
) -> list[float]:
    """Return what `shuffle_quarters` maps onto parameters.

    On an edge the answer is a millionth of a quarter inside. The edge itself may belong to another
    quarter, and a teacher may round to single precision.

    Args:
        parameters: (d,) In the space.
        space: Of the parameters.
        order: Of each parameter, the number of the quarter that each quarter is mapped onto.
    """
    found = []
    for value, low, high, numbers in zip(
        parameters, space.low.tolist(), space.high.tolist(), order, strict=True
    ):
        width = (high - low) / 4
        number = min(3, int((value - low) / width))
        quarter = list(numbers).index(number)
        inside = min(max((value - low) / width - number, _INSIDE), 1 - _INSIDE)
        found.append(low + (quarter + inside) * width)
    return found


def _box(ranges: Sequence[tuple[float, float]]) -> Box:
    low, high = np.array(ranges, dtype=np.float64).T
    return Box(low, high, dtype=np.float64)


class _Tests(gymnasium.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]]):
    """Plays test tasks in turn; ``info["start"]`` numbers them.

    Args:
        env: What they are played in.
        tests: (k, d) All of them.
        slot: The number of the first.
        slots: How far it is to the next.
    """

    def __init__(
        self, env: _TrackEnv, tests: NDArray[np.float64], *, slot: int, slots: int
    ) -> None:
        super().__init__(env)
        self._tests, self._next, self._slots = tests, slot, slots

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        number = self._next % len(self._tests)
        self._next += self._slots
        obs, info = self.env.reset(seed=seed, options={"parameters": self._tests[number]})
        return obs, {**info, "start": number}


def make(
    task: Task,
    constants: Mapping[str, Constant],
    *,
    split: Split,
    num_envs: int,
    stream: np.random.SeedSequence,
) -> VectorEnv[Any, Any, Any]:
    """Make the environments of a task; see `Suite.make`.

    In an evaluation, slot k of n begins with test k and goes on with test k + n.
    """
    c: dict[str, Any] = dict(constants)
    limit = c["max_episode_steps"]
    tests = load_tests(c) if split == "eval" else None
    slots = count()

    order = _order_of(c, stream)

    def make_one() -> gymnasium.Env[Any, Any]:
        env = _make_parkour(c) if "terrain" in c else _make_stumps(c, order)
        return env if tests is None else _Tests(env, tests, slot=next(slots), slots=num_envs)

    made = make_slots(
        make_one, num_envs=num_envs, split=split, stream=stream, max_episode_steps=limit,
        restarts=tests is not None,
    )  # fmt: skip
    if split == "train":
        teaching: Any = made
        teaching.knowledge = knowledge_of(c, order)
        teaching.draw_task = partial(_draw_task, make_one)
    return made


def _draw_task(
    make_one: Callable[[], gymnasium.Env[Any, Any]], parameters: NDArray[np.float64]
) -> Picture:
    env = make_one()
    env.reset(seed=0, options={"parameters": parameters})
    track: Picture = env.get_wrapper_attr("draw_track")()
    env.close()
    return track


def knowledge_of(
    constants: Mapping[str, Any], order: Sequence[Sequence[int]] | None = None
) -> dict[str, float | tuple[float, ...]]:
    """Return what a teacher may know, at the level of expert knowledge that constants name.

    At ``none`` it is nothing. At ``low`` it is the return above which a task is mastered, and the
    range by which the original scales returns. At ``high`` it is also the mean and the standard
    deviation of easy tasks' parameters. Where quarters are shuffled, the mean is what a teacher
    must propose to get the easy task. The deviation stays, because quarters are shifted and not
    stretched; tasks in a neighbouring quarter need not be easy.

    Args:
        constants: Of the task.
        order: Of the quarters of each parameter, where they are shuffled.

    Raises:
        UnknownName: There is no such level.
        UsageError: Nobody has stated which tasks of parkour are easy.
    """
    level = constants["expert_knowledge"]
    if level not in ("none", "low", "high"):
        raise UnknownName("expert_knowledge", level, ("none", "low", "high"))
    if level == "none":
        return {}
    is_parkour = "terrain" in constants
    known: dict[str, float | tuple[float, ...]] = {
        "mastered_above": constants["score_threshold"],
        "returns_low": -150.0,
        "returns_high": 360.0 if is_parkour else 350.0,
    }
    if level == "high":
        if is_parkour:
            raise UsageError(
                "parkour has no high expert_knowledge: nobody has stated which tasks are easy"
            )
        low, high = constants["height_low"], constants["height_high"]
        mean = [min(max(0.0, low), high), _SPACINGS[1]]
        if order is not None:
            mean = unshuffle_quarters(mean, _box(((low, high), _SPACINGS)), order)
        known["easy_mean"] = tuple(mean)
        known["easy_deviation"] = (0.1 * (high - low), 0.6)
    return known


def _make_parkour(c: Mapping[str, Any]) -> _TrackEnv:
    return ParkourEnv(
        c["body"], terrain=c["terrain"], network=c["network"], lidar=c["lidar"],
        render_mode="rgb_array",
    )  # fmt: skip


def _order_of(c: Mapping[str, Any], stream: np.random.SeedSequence) -> list[list[int]] | None:
    """Return the order of quarters, the same for all slots of a run and all parts of its stream."""
    if not c.get("shuffled"):
        return None
    return draw_order(2, int(np.random.SeedSequence(stream.entropy).generate_state(1)[0]))


def _make_stumps(c: Mapping[str, Any], order: Sequence[Sequence[int]] | None) -> _TrackEnv:
    return StumpTracksEnv(
        c["body"], heights=(c["height_low"], c["height_high"]), order=order,
        render_mode="rgb_array",
    )  # fmt: skip


def load_tests(constants: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the (100, d) test tasks that constants name.

    ``walking``, ``swimming`` and ``climbing`` are the original's; ``stumps`` is a grid of heights
    in [0, 3] and spaces in [0, 6]; ``drawn``, which is not official, is drawn evenly from the
    parameters of training.

    Raises:
        UnknownName: There is no such set.
        UsageError: The file of the original's is missing or damaged.
    """
    name = constants["test_set"]
    if name == "stumps":
        axes = np.meshgrid(np.linspace(0.0, 3.0, 10), np.linspace(0.0, 6.0, 10), indexing="ij")
        return np.stack([axis.ravel() for axis in axes], axis=1)
    if name == "drawn":
        box = _BOXES[constants["terrain"]]
        low, high = np.array((*box, _WATER, _CREEPER_HEIGHT, _CREEPER_SPACING)).T
        random = np.random.default_rng(_TESTS_SEED)
        return random.uniform(low, high, (_TESTS_DRAWN, len(low)))
    known = ("walking", "swimming", "climbing")
    if name not in known:
        raise UnknownName("test_set", name, (*known, "stumps", "drawn"))
    return data.load_tests(name)
