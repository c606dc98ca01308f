"""Pictures of an episode, by numpy alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.suites.teachmyagent.bodies import SCALE, STEPS_TO_LIVE
from rlbench.suites.teachmyagent.physics import Scene
from rlbench.suites.teachmyagent.terrain import HEIGHT, STEP, Track

WIDTH, TALL = 600, 400  # pixels
STRIP_TALL = 150  # pixels of a picture of a whole track
_BEHIND = 1 / 3  # of a picture's width, what is behind the head

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]

_SKY: Color = (230, 230, 255)
_GROUND: Color = (102, 153, 76)
_ROCK: Color = (128, 110, 96)
_WATER: Color = (120, 178, 224)
_CREEPER: Color = (46, 94, 52)
_STUMP: Color = (110, 82, 60)
_HEAD: Color = (128, 102, 230)
_LIMBS: tuple[Color, Color] = ((178, 102, 152), (128, 64, 110))
_OUTLINE: Color = (60, 40, 90)
_HAND: Color = (235, 205, 30)
_RAY: Color = (230, 40, 40)
_POLE: Color = (20, 20, 20)


class _View:
    """A picture of a part of the world.

    Args:
        left: Where it begins, in metres.
        middle: The height of its middle, in metres.
        tall: Pixels.
        scale: Pixels of a metre.

    Attributes:
        picture: (tall, 600, 3)
        x: (600,) Of the columns' middles, in metres.
        y: (tall,) Of the rows' middles, in metres.
    """

    def __init__(self, left: float, middle: float, tall: int = TALL, scale: float = SCALE) -> None:
        self._left, self._top, self._scale = left, middle + tall / scale / 2, scale
        self.picture: Picture = np.empty((tall, WIDTH, 3), np.uint8)
        self.picture[:] = _SKY
        self.x = self._left + (np.arange(WIDTH) + 0.5) / scale
        self.y = self._top - (np.arange(tall) + 0.5) / scale

    def fill(self, corners: NDArray[np.float64], color: Color) -> None:
        """Fill a convex polygon (k, 2) whose corners go round against the clock."""
        (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
        columns = slice(*np.searchsorted(self.x, [left, right]).tolist())
        rows = slice(*np.searchsorted(-self.y, [-high, -low]).tolist())
        x, y = self.x[columns][None, :], self.y[rows][:, None]
        inside = np.ones((y.shape[0], x.shape[1]), np.bool_)
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            inside &= (bx - ax) * (y - ay) >= (by - ay) * (x - ax)
        self.picture[rows, columns][inside] = color

    def box(self, left: float, low: float, right: float, high: float, color: Color) -> None:
        """Fill a rectangle."""
        columns = slice(*np.searchsorted(self.x, [left, right]).tolist())
        rows = slice(*np.searchsorted(-self.y, [-high, -low]).tolist())
        self.picture[rows, columns] = color

    def line(self, a: Sequence[float], b: Sequence[float], color: Color) -> None:
        """Draw a line one pixel wide."""
        ends = np.array([a, b]) - (self._left, self._top)
        first, last = ends * (self._scale, -self._scale)
        n = int(np.abs(last - first).max()) + 2
        column, row = np.linspace(first, last, n).astype(int).T
        tall = len(self.picture)
        seen = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < tall)
        self.picture[row[seen], column[seen]] = color


def draw(scene: Scene) -> Picture:
    """Return a (400, 600, 3) picture of what is around the head."""
    head = scene.parts[scene.body.head].position
    view = _View(head.x - _BEHIND * WIDTH / SCALE, head.y)
    _draw_track(view, scene.track)
    for end in scene.rays():
        view.line((head.x, head.y), end, _RAY)
    _draw_body(view, scene)
    return view.picture


def draw_track(track: Track) -> Picture:
    """Return a (150, 600, 3) picture of a whole track, around the middle of its ground."""
    scale = WIDTH / float(track.x[-1])
    middle = (float(track.ground.min()) + float(track.ground.max())) / 2
    view = _View(0.0, middle, STRIP_TALL, scale)
    _draw_track(view, track)
    return view.picture


def _draw_track(view: _View, track: Track) -> None:
    if track.water is not None:
        view.box(0.0, track.floor, float(track.x[-1]), track.water, _WATER)
    for x, top, w, h in track.creepers.tolist():
        view.box(x, top - h, x + w, top, _CREEPER)
    ground = np.interp(view.x, track.x, track.ground)
    has_ground = (view.x >= track.x[0]) & (view.x <= track.x[-1])
    view.picture[has_ground & (view.y[:, None] <= ground)] = _GROUND
    if track.ceiling is not None:
        ceiling = np.interp(view.x, track.x, track.ceiling)
        view.picture[has_ground & (view.y[:, None] >= ceiling)] = _ROCK
    for x, y, w, h in track.stumps.tolist():
        view.box(x, y, x + w, y + h, _STUMP)
    _draw_flag(view)


def _draw_flag(view: _View) -> None:
    x = 3 * STEP
    view.line((x, HEIGHT), (x, HEIGHT + 50 / SCALE), _POLE)
    corners = [(x, HEIGHT + 50 / SCALE), (x, HEIGHT + 40 / SCALE), (x + 25 / SCALE, HEIGHT + 1.5)]
    view.fill(np.array(corners), (230, 51, 0))


def _draw_body(view: _View, scene: Scene) -> None:
    counted = scene.outside if scene.body.kind == "swimmer" else scene.under
    danger = 0.0 if scene.body.kind == "amphibian" else min(1.0, counted / STEPS_TO_LIVE)
    shapes: list[tuple[NDArray[np.float64], Color]] = []
    limb = 0
    for index, (part, made) in enumerate(zip(scene.body.parts, scene.parts, strict=True)):
        if part.is_sensor:
            continue
        if index == scene.body.head:
            red, green, blue = _HEAD
            color = (int(red + (230 - red) * danger), int(green * (1 - danger)), blue)
        elif part.density > 1.0 or part.name == "body":
            color = _HEAD
        else:
            color, limb = _LIMBS[limb % 2], limb + 1
        shapes.append((_corners(made, part.vertices), color))
    for corners, color in shapes:
        view.fill(corners, color)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            view.line(a, b, _OUTLINE)
    for hand in scene.hands():
        place = scene.parts[hand].position
        view.box(place.x - 0.1, place.y - 0.1, place.x + 0.1, place.y + 0.1, _HAND)


def _corners(made: Any, vertices: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return where the corners of a part are."""
    x, y, angle = made.position.x, made.position.y, made.angle
    local = np.array(vertices)
    c, s = np.cos(angle), np.sin(angle)
    places: NDArray[np.float64] = local @ np.array([[c, s], [-s, c]]) + (x, y)
    return places
