"""Lidar and water, in single and double precision exactly where the original has either.

Box2D computes in single precision, and so do the original's vectors. Its scalars are Python's.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.compiled import compiled
from rlbench.suites.teachmyagent.terrain import Track

RAYS = 10
WATER_CODE, PLAIN_CODE, CREEPER_CODE = -1.0, 0.0, 1.0
_RANGE = 160 / 30
_ANGLES = {"down": (1.5, 0.0), "up": (2.3, 1.5), "full": (np.pi, 0.0)}
LIDARS = tuple(_ANGLES)

_ZERO, _ONE, _HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
_EPSILON = np.float32(1.1920928955078125e-07)
_MARGIN = np.float32(0.01)

_LEFT, _RIGHT, _CODE, _VERTICES, _NORMALS = 0, 1, 2, 3, 11  # columns of a polygon of four corners


def ray_ends(lidar: str) -> NDArray[np.float64]:
    """Return the (10, 2) ends of the rays of a lidar, from the head.

    The first looks ahead from straight below (``down``), from ahead to behind above (``up``), or
    all over the front (``full``).
    """
    sweep, begin = _ANGLES[lidar]
    angles = sweep * np.arange(RAYS) / RAYS + begin
    ends: NDArray[np.float64] = np.stack([np.sin(angles), -np.cos(angles)], axis=1) * _RANGE
    return ends


def edges_of(track: Track) -> NDArray[np.float32]:
    """Return the (m, 6) edges that rays hit, from left to right: two ends and the unit normal."""
    lines = [track.ground] if track.ceiling is None else [track.ground, track.ceiling]
    x = track.x.astype(np.float32)
    rows = np.empty((len(x) - 1, len(lines), 6), np.float32)
    for k, line in enumerate(lines):
        y = line.astype(np.float32)
        rows[:, k, 0], rows[:, k, 1], rows[:, k, 2], rows[:, k, 3] = x[:-1], y[:-1], x[1:], y[1:]
        rows[:, k, 4], rows[:, k, 5] = _units(y[1:] - y[:-1], -(x[1:] - x[:-1]))
    return rows.reshape(-1, 6)


def polygons_of(track: Track) -> NDArray[np.float32]:
    """Return the (k, 19) rectangles that rays hit, water first, the others from left to right.

    A row holds the left and the right end, the code of the surface, four corners and four unit
    normals.
    """
    x, top, w, h = track.creepers.T
    left, low, wide, tall = track.stumps.T
    corners = np.concatenate([
        np.array([] if track.water is None else [water_corners(track)]).reshape(-1, 4, 2),
        np.array([(x + w, top - h), (x + w, top), (x, top), (x, top - h)]).transpose(2, 0, 1),
        np.array([
            (left + wide, low), (left + wide, low + tall), (left, low + tall), (left, low),
        ]).transpose(2, 0, 1),
    ]).astype(np.float32)  # fmt: skip
    edges = np.roll(corners, -1, axis=1) - corners
    rows = np.empty((len(corners), 19), np.float32)
    rows[:, _LEFT], rows[:, _RIGHT] = corners[:, 2, 0], corners[:, 0, 0]
    rows[:, _CODE] = PLAIN_CODE
    rows[: track.water is not None, _CODE] = WATER_CODE
    rows[track.water is not None :][: len(x), _CODE] = CREEPER_CODE
    rows[:, _VERTICES:_NORMALS] = corners.reshape(-1, 8)
    normals = np.stack(_units(edges[..., 1], -edges[..., 0]), axis=-1)
    rows[:, _NORMALS:] = normals.reshape(-1, 8)
    return rows


def water_corners(track: Track) -> tuple[tuple[float, float], ...]:
    """Return the corners of the water, in the order in which Box2D keeps them."""
    assert track.water is not None
    end = float(track.x[-1])
    return ((end, track.floor), (end, track.water), (0.0, track.water), (0.0, track.floor))


def _units(x: Any, y: Any) -> tuple[Any, Any]:
    """Return vectors of length 1 as Box2D makes them."""
    length = np.sqrt(x * x + y * y)
    inverse = np.where(length < _EPSILON, _ONE, _ONE / np.maximum(length, _EPSILON))
    return np.where(length < _EPSILON, _ZERO, x * inverse), np.where(
        length < _EPSILON, _ZERO, y * inverse
    )


@compiled()
def _first_behind(x: Any, rows: NDArray[np.float32], column: int, first: int) -> int:
    """Return the first row from `first` on whose column, which increases, is not below x."""
    last = len(rows)
    while first < last:
        middle = (first + last) // 2
        if rows[middle, column] < x:
            first = middle + 1
        else:
            last = middle
    return first


@compiled()
def _meet_edge(px: Any, py: Any, dx: Any, dy: Any, edge: NDArray[np.float32]) -> Any:
    """Return where a ray meets an edge, as a share of its length; -1 for nowhere.

    As b2EdgeShape::RayCast.
    """
    x, y, nx, ny = edge[0], edge[1], edge[4], edge[5]
    numerator = nx * (x - px) + ny * (y - py)
    denominator = nx * dx + ny * dy
    if denominator == _ZERO:
        return -_ONE
    t = numerator / denominator
    if t < _ZERO or t > _ONE:
        return -_ONE
    qx, qy = px + t * dx, py + t * dy
    rx, ry = edge[2] - x, edge[3] - y
    s = ((qx - x) * rx + (qy - y) * ry) / (rx * rx + ry * ry)
    return -_ONE if s < _ZERO or s > _ONE else t


@compiled()
def _meet_polygon(
    px: Any, py: Any, dx: Any, dy: Any, polygon: NDArray[np.float32], best: Any
) -> Any:
    """Return where a ray enters a polygon, as a share of its length up to `best`; -1 for nowhere.

    As b2PolygonShape::RayCast; a ray that begins inside does not enter.
    """
    lower, upper, enters = _ZERO, best, False
    for i in range(4):
        nx, ny = polygon[_NORMALS + 2 * i], polygon[_NORMALS + 2 * i + 1]
        vx, vy = polygon[_VERTICES + 2 * i], polygon[_VERTICES + 2 * i + 1]
        numerator = nx * (vx - px) + ny * (vy - py)
        denominator = nx * dx + ny * dy
        if denominator == _ZERO:
            if numerator < _ZERO:
                return -_ONE
        elif denominator < _ZERO and numerator < lower * denominator:
            lower, enters = numerator / denominator, True
        elif denominator > _ZERO and numerator < upper * denominator:
            upper = numerator / denominator
        if upper < lower:
            return -_ONE
    return lower if enters else -_ONE


@compiled()
def cast_rays(
    x: float,
    y: float,
    ends: NDArray[np.float64],
    edges: NDArray[np.float32],
    polygons: NDArray[np.float32],
    wide: int,
    out: NDArray[np.float64],
    at: int,
) -> None:
    """Write how far each ray goes, as a share of its length, and the code of what it hits.

    A ray that hits nothing keeps the code of its last hit, as in the original.

    Args:
        x: Of the head.
        y: Of the head.
        ends: (10, 2) From `ray_ends`.
        edges: (m, 6) From `edges_of`.
        polygons: (k, 19) From `polygons_of`.
        wide: How many polygons go first that span the track.
        out: Gets the 10 shares from `at` on, then, where there is room, the 10 codes.
        at: Where.
    """
    n = len(ends)
    has_codes = len(out) >= at + 2 * n
    px, py = np.float32(x), np.float32(y)
    for ray in range(n):
        ex, ey = np.float32(x + ends[ray, 0]), np.float32(y + ends[ray, 1])
        dx, dy = ex - px, ey - py
        left, right = min(px, ex) - _MARGIN, max(px, ex) + _MARGIN
        best, code, hit = _ONE, 0.0, False
        for k in range(_first_behind(left, edges, 2, 0), len(edges)):
            if edges[k, 0] > right:
                break
            t = _meet_edge(px, py, dx, dy, edges[k])
            if _ZERO <= t <= best:
                best, code, hit = t, 0.0, True
        first = _first_behind(left, polygons, _RIGHT, wide)
        for j in range(len(polygons) - first + wide):
            k = j if j < wide else j - wide + first
            if j >= wide and polygons[k, _LEFT] > right:
                break
            t = _meet_polygon(px, py, dx, dy, polygons[k], best)
            if t >= _ZERO:
                best, code, hit = t, np.float64(polygons[k, _CODE]), True
        out[at + ray] = best
        if hit and has_codes:
            out[at + n + ray] = code


# Columns of what is told of a wet part: the cosine and sine of its angle, where its centre of mass
# is, its velocity and angular velocity, and the torque and angle of its joint.
COS, SIN, CX, CY, VX, VY, OMEGA, TORQUE, ANGLE = range(9)
# And of what never changes: its centre of mass in its own frame, its rotational inertia, and of its
# joint the anchor in its frame and the limits (none where lower >= upper).
LX, LY, INERTIA, AX, AY, LOWER, UPPER = range(7)

_MAX_CORNERS = 24
_DRAG, _LIFT, _PUSH = 0.25, 0.25, 0.05
_MAX_DRAG, _MAX_LIFT, _MAX_PUSH = 2000.0, 500.0, np.float32(20.0)
_GRAVITY = np.float32(10.0)


@compiled()
def _is_inside(ax: Any, ay: Any, bx: Any, by: Any, x: Any, y: Any) -> Any:
    """Say whether a point is strictly left of the line from a to b."""
    x0, y0 = np.float64(ax), np.float64(ay)
    across, up = np.float64(bx) - x0, np.float64(by) - y0
    return across * (np.float64(y) - y0) > up * (np.float64(x) - x0)


@compiled()
def _clip(
    water: NDArray[np.float32], part: NDArray[np.float32], count: int, found: NDArray[np.float32]
) -> int:
    """Cut water (4, 2) by the edges of a part (count, 2); return how many corners are left.

    Sutherland and Hodgman's, the corners in `found`.
    """
    given = np.empty((_MAX_CORNERS, 2), np.float32)
    n = 4
    found[:4] = water
    ax, ay = part[count - 1, 0], part[count - 1, 1]
    for j in range(count):
        bx, by = part[j, 0], part[j, 1]
        if n == 0:
            break
        given[:n] = found[:n]
        m = 0
        sx, sy = given[n - 1, 0], given[n - 1, 1]
        was_inside = _is_inside(ax, ay, bx, by, sx, sy)
        for i in range(n):
            ex, ey = given[i, 0], given[i, 1]
            is_inside = _is_inside(ax, ay, bx, by, ex, ey)
            if is_inside != was_inside:
                cx, cy = np.float64(ax - bx), np.float64(ay - by)
                px, py = np.float64(sx - ex), np.float64(sy - ey)
                n1 = np.float64(ax) * np.float64(by) - np.float64(ay) * np.float64(bx)
                n2 = np.float64(sx) * np.float64(ey) - np.float64(sy) * np.float64(ex)
                n3 = 1.0 / (cx * py - cy * px)
                found[m, 0] = np.float32((n1 * px - n2 * cx) * n3)
                found[m, 1] = np.float32((n1 * py - n2 * cy) * n3)
                m += 1
            if is_inside:
                found[m, 0], found[m, 1] = ex, ey
                m += 1
            sx, sy, was_inside = ex, ey, is_inside
        n = m
        ax, ay = bx, by
    return n


@compiled()
def _buoyancy(cut: NDArray[np.float32], n: int, x: Any, y: Any) -> Any:
    """Return force and torque of the displaced water, on a part with its centre at (x, y).

    Area and centroid are those of a fan of triangles from the origin, far as it is.
    """
    area = 0.0
    gx, gy = _ZERO, _ZERO
    for i in range(n):
        x1, y1 = cut[i, 0], cut[i, 1]
        x2, y2 = cut[(i + 1) % n, 0], cut[(i + 1) % n, 1]
        triangle = 0.5 * np.float64(x1 * y2 - y1 * x2)
        area += triangle
        third = np.float32(triangle * (1 / 3))
        gx += third * (x1 + x2)
        gy += third * (y1 + y2)
    if area > _EPSILON:
        inverse = np.float32(1.0 / area)
        gx *= inverse
        gy *= inverse
    lift = np.float32(area) * _GRAVITY
    return _ZERO, lift, (gx - x) * lift


@compiled()
def _unit(x: Any, y: Any) -> Any:
    """Return a vector at length 1 and its length; too short a one as it is, and 0."""
    length = np.sqrt(x * x + y * y)
    if length < _EPSILON:
        return x, y, _ZERO
    inverse = _ONE / length
    return x * inverse, y * inverse, length


@compiled()
def _add_edge(a: Any, b: Any, motion: Any, push: Any, sums: Any) -> Any:
    """Add what the water does to an edge of a part: drag and lift, and its motor's push.

    Args:
        a: (2,) Its first corner.
        b: (2,) Its second corner.
        motion: The part's centre of mass (x, y), velocity (x, y) and angular velocity.
        push: The motor's force at the centre of mass (x, y), where from there its anchor is (x, y),
            and its torque with the part's angular momentum.
        sums: Force (x, y) and torque so far.
    """
    center_x, center_y, vx, vy, omega = motion
    push_x, push_y, anchor_x, anchor_y, spin = push
    fx, fy, torque = sums
    rx, ry = _HALF * (a[0] + b[0]) - center_x, _HALF * (a[1] + b[1]) - center_y
    ux, uy, speed_f = _unit(vx - omega * ry, vy + omega * rx)
    wx, wy, length_f = _unit(b[0] - a[0], b[1] - a[1])
    speed, length = np.float64(speed_f), np.float64(length_f)
    nx, ny = wy, -wx
    facing = np.float64(nx * ux + ny * uy)
    if facing >= 0.0:
        drag = np.float32(min(facing * _DRAG * length * speed * speed, _MAX_DRAG))
        hx, hy = drag * -ux, drag * -uy
        fx += hx
        fy += hy
        torque += rx * hy - ry * hx
        along = np.float64(wx * ux + wy * uy)
        lift = np.float32(min(facing * along * _LIFT * length * speed * speed, _MAX_LIFT))
        hx, hy = lift * -uy, lift * ux
        fx += hx
        fy += hy
        torque += rx * hy - ry * hx
    share = np.float64(nx * push_x + ny * push_y)
    if share > 0.0:
        force = np.float32(share * _PUSH * length * spin * spin)
        hx = min(max(force * -push_x, -_MAX_PUSH), _MAX_PUSH)
        hy = min(max(force * -push_y, -_MAX_PUSH), _MAX_PUSH)
        fx += hx
        fy += hy
        torque += anchor_x * hy - anchor_y * hx
    return fx, fy, torque


@compiled()
def water_forces(
    water: NDArray[np.float32],
    parts: NDArray[np.int64],
    state: NDArray[np.float64],
    fixed: NDArray[np.float32],
    corners: NDArray[np.float32],
    counts: NDArray[np.int64],
    wet: int,
    out: NDArray[np.float64],
) -> None:
    """Write the force and the torque of the water on each wet part.

    Args:
        water: (4, 2) Its corners.
        parts: (w,) The wet parts' indices.
        state: (w, 9) See `COS` and what follows it.
        fixed: (p, 7) See `LX` and what follows it; of all parts, as are the next two.
        corners: (p, 8, 2) In the parts' own frames.
        counts: (p,) How many of them there are.
        wet: How many of the first rows mean anything.
        out: (w, 4) Force, torque, and whether there is water at all (1 or 0).
    """
    place = np.empty((8, 2), np.float32)
    cut = np.empty((_MAX_CORNERS, 2), np.float32)
    for row in range(wet):
        part = parts[row]
        c, s = np.float32(state[row, COS]), np.float32(state[row, SIN])
        center_x, center_y = np.float32(state[row, CX]), np.float32(state[row, CY])
        vx, vy = np.float32(state[row, VX]), np.float32(state[row, VY])
        omega = np.float32(state[row, OMEGA])
        lx, ly = fixed[part, LX], fixed[part, LY]
        # Where its own frame is, as b2Body::SynchronizeTransform has it.
        ox, oy = center_x - (c * lx - s * ly), center_y - (s * lx + c * ly)
        count = counts[part]
        for i in range(count):
            x, y = corners[part, i, 0], corners[part, i, 1]
            place[i, 0], place[i, 1] = (c * x - s * y) + ox, (s * x + c * y) + oy
        n = _clip(water, place, count, cut)
        out[row, 3] = n > 0
        if n == 0:
            continue
        push = _ZERO, _ZERO, _ZERO, _ZERO, 0.0
        angle = state[row, ANGLE]
        # A motor pushes, unless its joint is at a limit.
        if fixed[part, LOWER] < angle < fixed[part, UPPER]:
            ax, ay = fixed[part, AX], fixed[part, AY]
            anchor_x, anchor_y = (c * ax - s * ay) + ox, (s * ax + c * ay) + oy
            tau = state[row, TORQUE]
            lever = np.float32(-tau)
            spin = tau + np.float64(fixed[part, INERTIA]) * np.float64(omega)
            push = (
                lever * (center_y - anchor_y), -lever * (center_x - anchor_x),
                anchor_x - center_x, anchor_y - center_y, spin,
            )  # fmt: skip
        fx, fy, torque = _buoyancy(cut, n, center_x, center_y)
        for i in range(n):
            fx, fy, torque = _add_edge(
                cut[i], cut[(i + 1) % n], (center_x, center_y, vx, vy, omega), push,
                (fx, fy, torque),
            )  # fmt: skip
        out[row, 0], out[row, 1], out[row, 2] = fx, fy, torque
