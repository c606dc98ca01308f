"""Tracks: ground, ceiling, creepers and water of parkour, stumps on flat ground.

All lengths are in metres. The numbers are those of flowersteam/TeachMyAgent, commit ce15344.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlbench.suites.teachmyagent.bodies import SCALE

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

STEP = 14 / SCALE  # between two points of the ground
LENGTH = 200  # points that the network draws
PAD = 20  # flat points before them
HEIGHT = 400 / SCALE / 4  # of the ground at the start
START = STEP * PAD / 2  # where a body is put down
CEILING = 200.0  # above the ground, in units of the network
PARKOUR_END = (LENGTH + PAD - 5) * STEP
STUMPS_END = (LENGTH - 10) * STEP
_DEEP = 1000.0  # where ground and ceiling end, in units of the network
_SMALLEST_CREEPER = 0.2
_SMALLEST_STUMP = 0.05
_SPREAD = 0.1  # standard deviation of a creeper's or stump's height


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What a body moves on.

    Attributes:
        x: (m,) Of the points of ground and ceiling.
        ground: (m,) Its height.
        ceiling: (m,) Its height; None without one.
        creepers: (k, 4) Left end, top, width and height of what hangs from the ceiling.
        creepers_at: (k,) The number of the point where each begins, increasing.
        water: The height of its surface; None without any.
        floor: How deep the water is, a height.
        stumps: (s, 4) Left end, bottom, width and height.
        end: The track is done where the head is beyond it.
    """

    x: Floats
    ground: Floats
    ceiling: Floats | None = None
    creepers: Floats
    creepers_at: tuple[int, ...] = ()
    water: float | None = None
    floor: float = 0.0
    stumps: Floats
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Creepers:
    """What hangs from the ceiling; in the flesh no thinner or shorter than 0.2.

    Attributes:
        width: Of all.
        height: The mean.
        spacing: From one to the next; at least 0.01.
    """

    width: float
    height: float
    spacing: float


def seeded_network(seed: int) -> list[Singles]:
    """Draw the weights of a network by the law of the original's.

    Args:
        seed: Of the draws.

    Returns:
        Five matrices, (4, 64), (64, 64) three times and (64, 2): normal with a standard deviation
        of 2, drawn anew beyond 4.
    """
    random = np.random.default_rng(seed)
    layers = []
    for shape in ((4, 64), (64, 64), (64, 64), (64, 64), (64, 2)):
        drawn = random.normal(0.0, 2.0, shape)
        while (far := np.abs(drawn) > 4.0).any():
            drawn[far] = random.normal(0.0, 2.0, int(far.sum()))
        layers.append(drawn.astype(np.float32))
    return layers


def draw_relief(network: Sequence[Singles], z: Sequence[float]) -> Singles:
    """Return what the network draws.

    Args:
        network: Five matrices without biases.
        z: Three numbers, the shape.

    Returns:
        (200, 2) The heights of ground and ceiling, in units of the network.
    """
    h = np.empty((LENGTH, 4))
    h[:, 0] = np.arange(LENGTH, dtype=np.float32) / np.float32(LENGTH - 1)
    h[:, 1:] = np.asarray(z, dtype=np.float32)
    for number, weights in enumerate(network):
        # In double precision and without a library for matrices, machines differ the least; the
        # product is too small for threads.
        h = np.einsum("ij,jk->ik", h, weights.astype(np.float64))
        if number in (0, 2):
            h = np.tanh(h)
        elif number in (1, 3):
            h = np.logaddexp(0.0, h)
    return h.astype(np.float32)


def parkour_track(
    relief: Singles,
    *,
    water_level: float,
    creepers: Creepers | None,
    scale: float,
    random: np.random.Generator,
    ceiling_offset: float = CEILING,
    clip_offset: float = 0.0,
) -> Track:
    """Make the track of a parkour.

    Args:
        relief: (200, 2) From `draw_relief`.
        water_level: From none (0) to the highest point of the ceiling (1); at least 0.01.
        creepers: What hangs from the ceiling, if anything.
        scale: Units of the network to a metre, above 1.
        random: Draws the creepers' heights.
        ceiling_offset: Of the ceiling above the ground at the start, in units of the network.
        clip_offset: The least of it anywhere, in the same units.
    """
    ground, ceiling = relief.T / np.float32(scale)
    high = HEIGHT + ceiling_offset / scale
    ground = ground + np.float32(HEIGHT - float(ground[0]))
    ceiling = ceiling + np.float32(high - float(ceiling[0]))
    ceiling = np.maximum(ceiling, ground + np.float32(clip_offset / scale))
    points = np.concatenate([np.full(PAD, HEIGHT), ground.astype(np.float64)])
    above = np.concatenate([np.full(PAD, high), ceiling.astype(np.float64)])
    x = _added_up(STEP, LENGTH + PAD)
    floor = -_DEEP / scale
    rows, at = _hang(creepers, x, above, random) if creepers else ([], [])
    return Track(
        x=x,
        ground=points,
        ceiling=above,
        creepers=np.array(rows, dtype=np.float64).reshape(-1, 4),
        creepers_at=tuple(at),
        water=floor + max(0.01, water_level) * (float(above.max()) - floor),
        floor=floor,
        stumps=np.zeros((0, 4)),
        end=PARKOUR_END,
    )


def _added_up(step: float, n: int) -> Floats:
    """Return n points from 0 on, each the one before and a step."""
    return np.concatenate([[0.0], np.cumsum(np.full(n - 1, step))])


def _hang(
    creepers: Creepers, x: Floats, ceiling: Floats, random: np.random.Generator
) -> tuple[list[tuple[float, float, float, float]], list[int]]:
    """Hang creepers from the ceiling; return them and the points where they begin."""
    spacing = max(0.01, creepers.spacing)
    width = max(_SMALLEST_CREEPER, creepers.width)
    reach = max(1, int(width // STEP))
    last = len(x) - 1
    since = spacing
    rows, at = [], []
    for i in range(last):
        if since >= spacing:
            height = max(_SMALLEST_CREEPER, float(random.normal(creepers.height, _SPREAD)))
            top = max(ceiling[i], ceiling[min(i + reach, last)])
            rows.append((float(x[i]), float(top), width, height))
            at.append(i)
            since = 0.0
        else:
            since += x[i] - x[i - 1]
    return rows, at


def stump_track(
    *,
    height: float,
    spacing: float,
    random: np.random.Generator,
    roughness: float = 0.0,
) -> Track:
    """Make a track with stumps on it.

    Args:
        height: The mean height of the stumps, in steps of the ground; none is lower than 0.05.
        spacing: From the end of a stump to the next one; at least 0.01.
        random: Draws heights and roughness.
        roughness: Of the ground between them, in pixels.
    """
    spacing = max(0.01, spacing)
    points = [(0.0, HEIGHT), (PAD * STEP, HEIGHT)]
    stumps = []
    x, y, velocity = PAD * STEP, HEIGHT, 0.0
    while x < LENGTH * STEP:
        points.append((x, y))
        tall = max(_SMALLEST_STUMP, float(random.normal(height, _SPREAD))) * STEP
        stumps.append((x, y, STEP, tall))
        x += STEP
        if x >= LENGTH * STEP:
            break
        velocity = 0.8 * velocity + 0.01 * float(np.sign(HEIGHT - y))
        velocity += float(random.uniform(-roughness, roughness)) / SCALE
        y += velocity
        points.append((x, y))
        x += spacing
    xs, ys = np.array(points).T
    return Track(
        x=xs,
        ground=ys,
        creepers=np.zeros((0, 4)),
        stumps=np.array(stumps),
        end=STUMPS_END,
    )
