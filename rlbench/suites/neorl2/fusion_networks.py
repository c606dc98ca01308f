"""The networks that predict Fusion's plasma, in numpy and numba.

A prediction is the mean of ten recurrent networks, each of which reads a window of ten rows. Rows
of one window are rows of the next, so a new row is fed to all windows that hold it at once: 28
products of matrices in the place of 190.

The products are our own. They add in one order, whatever the number of slots, so that a slot gives
the same bits alone and among others; BLAS adds in another order for another shape.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlbench.compiled import compiled
from rlbench.errors import UsageError
from rlbench.suites.neorl2.onnx import read_constants
from rlbench.suites.neorl2.protocols import NETWORK_SHA256
from rlbench.suites.neorl2.simulator import Floats

Reals = NDArray[np.float32]

WINDOW = 10  # rows
PREDICTIONS = 19  # of a step
NETWORKS = 10
_OUTPUTS, _COLUMNS, _UNITS = 4, 21, 200
_ROWS = 4  # that a product takes at once; the rows of weights are a multiple of it too
_OWN = 24  # where the first layer's own units begin, after a row and zeros
_TOGETHER = 16  # slots: what they remember fits the processor's caches
_NEGLIGIBLE = 1e-9  # the largest weight of a unit that cannot change a sum in float32

# What outputs are standardised by: betaN, q95, q0, li.
_STEADY_MEAN = np.array([1.22379703, 5.2361062, 1.64438005, 1.12040048])
_STEADY_STD = np.array([0.72255576, 1.5622809, 0.96563557, 0.23868018])
_LSTM_MEAN = np.array([1.30934765, 5.20082444, 1.47538417, 1.14439883])
_LSTM_STD = np.array([0.74135689, 1.44731883, 0.56747578, 0.23018484])
_PRESSURE_MEAN, _PRESSURE_STD = 1.021588, 0.643390272  # betaP

FILES = tuple(NETWORK_SHA256)  # the first one, then those of the recurrent networks, then of bpw


class _Dense(NamedTuple):
    """A layer of k networks: scales and shifts what comes, multiplies and adds.

    Attributes:
        scale: (k, 1, 1, in)
        shift: (k, 1, 1, in)
        weights: (k, 1, in, out)
        bias: (k, 1, 1, out)
    """

    scale: Reals
    shift: Reals
    weights: Reals
    bias: Reals


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """All networks of the task.

    Attributes:
        nn: The network of steady states, one of one.
        bpw: The ten networks of betaP.
        scale: (10, 1, 21) What rows are multiplied by.
        shift: (10, 1, 21) What is added to them.
        first: (10, 224, 800) First layer: from a row, three zeros and its own units to the gates
            i, f, c, o.
        second: (10, d + 200, 800) Second layer: from d units of the first and its own units.
        biases: (10, 2, 800) Of both layers.
        index: (10, d) Which units of the first layer the second one reads.
        head: (10, 1, 200, 200) What reads the last units.
        head_bias: (10, 1, 1, 200)
        out: (10, 1, 200, 4) What reads the head, and gives outputs.
        out_bias: (10, 1, 1, 4)
    """

    nn: list[_Dense]
    bpw: list[_Dense]
    scale: Reals
    shift: Reals
    first: Reals
    second: Reals
    biases: Reals
    index: NDArray[np.int64]
    head: Reals
    head_bias: Reals
    out: Reals
    out_bias: Reals

    def steady(self, columns: Reals) -> Floats:
        """Return (n, 4) betaN, q95, q0 and li long after (n, 17) columns were set."""
        said = _mlp(self.nn, columns)[0].astype(np.float64)
        outputs: Floats = said * _STEADY_STD + _STEADY_MEAN
        return outputs

    def pressure(self, features: Reals) -> Floats:
        """Return (n,) betaP of (n, 8) betaN, Ip, Bt, R, a, elong, uptri, lotri."""
        said: Floats = _mlp(self.bpw, features)[..., 0].astype(np.float64).mean(axis=0)
        return said * _PRESSURE_STD + _PRESSURE_MEAN

    def predict(self, window: Reals, columns: Reals) -> tuple[Reals, Floats]:
        """Predict 19 times under new inputs.

        Args:
            window: (n, 10, 21) The last rows, the oldest first.
            columns: (n, 17) What the inputs are from now on.

        Returns:
            The (n, 10, 21) rows that are last then, and the (n, 4) last prediction.
        """
        parts = [
            self._predict(window[low : low + _TOGETHER], columns[low : low + _TOGETHER])
            for low in range(0, len(window), _TOGETHER)
        ]
        rows, last = (np.concatenate(column) for column in zip(*parts, strict=True))
        return rows, last

    def _predict(self, window: Reals, columns: Reals) -> tuple[Reals, Floats]:
        """Predict as `predict` does, for a few slots.

        Prediction p reads rows p to p + 9. Row r holds the inputs of second r and the outputs of
        second r - 1, so it is known when prediction r - 10 is.
        """
        n, seconds = len(window), WINDOW + PREDICTIONS
        after = np.repeat(columns[:, None], PREDICTIONS, axis=1)
        inputs = np.concatenate([window[..., _OUTPUTS:], after], axis=1)
        outputs = np.zeros((n, seconds, _OUTPUTS), np.float32)
        outputs[:, :WINDOW] = window[..., :_OUTPUTS]
        reading = _Reading(self, n)
        last: Floats = np.zeros((n, _OUTPUTS))
        for r in range(1, seconds):
            reading.feed(np.concatenate([outputs[:, r - 1], inputs[:, r]], axis=1), r)
            if r >= WINDOW:
                last = reading.said(r - WINDOW + 1) * _LSTM_STD + _LSTM_MEAN
                outputs[:, r] = last
        return np.concatenate([outputs[:, -WINDOW:], inputs[:, -WINDOW:]], axis=2), last


class _Reading:
    """What the recurrent networks remember of the windows that they are reading.

    Ten windows at most are read at once, and each has a place. Arrays begin with the axes of
    networks and of rows: all slots in the first place, all in the second, and so on.

    Args:
        networks: The networks.
        slots: How many.
    """

    def __init__(self, networks: Networks, slots: int) -> None:
        self._nets, self._n = networks, slots
        rows = WINDOW * slots + _ROWS - 1  # a product takes the rows after the last along
        self._own = networks.index.shape[1]  # where the second layer's own units begin
        self._first = np.zeros((NETWORKS, rows, networks.first.shape[1]), np.float32)
        self._second = np.zeros((NETWORKS, rows, networks.second.shape[1]), np.float32)
        self._cells = np.zeros((2, NETWORKS, rows, _UNITS), np.float32)
        self._gates = np.zeros((rows, 4 * _UNITS), np.float32)

    def feed(self, row: Reals, r: int) -> None:
        """Feed (n, 21) rows of number r to the windows that hold it."""
        nets = self._nets
        oldest, newest = max(1, r - WINDOW + 1), min(r, PREDICTIONS)
        number = newest - oldest + 1
        low = 0 if number == WINDOW else (oldest - 1) % WINDOW
        if newest == r:
            self._forget(r)
        part = self._part(low, number)
        self._first[:, part, :_COLUMNS] = np.tile(row * nets.scale + nets.shift, (1, number, 1))
        for k in range(NETWORKS):
            first, second, bounds = self._first[k], self._second[k], (part.start, part.stop)
            _multiply(first, nets.first[k], nets.biases[k, 0], self._gates, *bounds)
            _update(self._gates, self._cells[0, k], first, _OWN, *bounds)
            _pass_on(first, _OWN, nets.index[k], second, *bounds)
            _multiply(second, nets.second[k], nets.biases[k, 1], self._gates, *bounds)
            _update(self._gates, self._cells[1, k], second, self._own, *bounds)

    def _part(self, place: int, number: int = 1) -> slice:
        """Return the rows of places."""
        return slice(place * self._n, (place + number) * self._n)

    def _forget(self, window: int) -> None:
        """Begin to read a window."""
        part = self._part((window - 1) % WINDOW)
        self._first[:, part, _OWN:] = 0.0
        self._second[:, part, self._own :] = 0.0
        self._cells[:, :, part] = 0.0

    def said(self, window: int) -> Floats:
        """Return (n, 4) what the networks say, in the mean, of a window that was read."""
        nets, part = self._nets, self._part((window - 1) % WINDOW)
        units = self._second[:, part, None, self._own :]
        hidden = _sigmoid(np.matmul(units, nets.head) + nets.head_bias)
        each = (np.matmul(hidden, nets.out) + nets.out_bias).astype(np.float64)
        said: Floats = each[:, :, 0].mean(axis=0)
        return said


@compiled(nogil=True, error_model="numpy", fastmath={"contract"})
def _multiply(x: Reals, weights: Reals, bias: Reals, out: Reals, low: int, high: int) -> None:
    """Put bias + x @ weights of the rows from `low` to `high`, and up to three more, into `out`.

    Args:
        x: (rows, k)
        weights: (k, 800), k a multiple of four.
        bias: (800,)
        out: (rows, 800)
        low: The first row.
        high: The row after the last.
    """
    for m in range(low, high, 4):
        o0, o1, o2, o3 = out[m], out[m + 1], out[m + 2], out[m + 3]
        for j in range(800):
            o0[j] = o1[j] = o2[j] = o3[j] = bias[j]
        for k in range(0, len(weights), 4):
            w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            a0, a1, a2, a3 = x[m, k], x[m, k + 1], x[m, k + 2], x[m, k + 3]
            b0, b1, b2, b3 = x[m + 1, k], x[m + 1, k + 1], x[m + 1, k + 2], x[m + 1, k + 3]
            c0, c1, c2, c3 = x[m + 2, k], x[m + 2, k + 1], x[m + 2, k + 2], x[m + 2, k + 3]
            d0, d1, d2, d3 = x[m + 3, k], x[m + 3, k + 1], x[m + 3, k + 2], x[m + 3, k + 3]
            for j in range(800):
                # All are read before any is written: the compiler cannot know that they are apart.
                v0, v1, v2, v3 = w0[j], w1[j], w2[j], w3[j]
                p, q, r, s = o0[j], o1[j], o2[j], o3[j]
                o0[j] = p + a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3
                o1[j] = q + b0 * v0 + b1 * v1 + b2 * v2 + b3 * v3
                o2[j] = r + c0 * v0 + c1 * v1 + c2 * v2 + c3 * v3
                o3[j] = s + d0 * v0 + d1 * v1 + d2 * v2 + d3 * v3


@compiled(nogil=True, error_model="numpy", fastmath={"contract"})
def _tanh(x: Any) -> Any:
    """Return tanh as a fraction of polynomials, off by 3e-7 at most; the compiler vectorises it."""
    f = np.float32
    x = min(max(x, f(-7.905311)), f(7.905311))
    s = x * x
    p = s * f(-2.76076847742355e-16) + f(2.00018790482477e-13)
    p = p * s + f(-8.60467152213735e-11)
    p = p * s + f(5.12229709037114e-08)
    p = p * s + f(1.48572235717979e-05)
    p = p * s + f(6.37261928875436e-04)
    p = p * s + f(4.89352455891786e-03)
    q = s * f(1.19825839466702e-06) + f(1.18534705686654e-04)
    q = q * s + f(2.26843463243900e-03)
    q = q * s + f(4.89352518554385e-03)
    return x * p / q


@compiled(nogil=True, error_model="numpy", fastmath={"contract"})
def _update(gates: Reals, cells: Reals, units: Reals, own: int, low: int, high: int) -> None:
    """Update the units of some rows from their gates.

    Args:
        gates: (rows, 800) i, f, c, o before their nonlinearity, i, f and o halved.
        cells: (rows, 200) What is updated.
        units: (rows, ...) Where the units are written,
        own: from here on.
        low: The first row.
        high: The row after the last.
    """
    half = np.float32(0.5)
    for r in range(low, high):
        z, c, h = gates[r], cells[r], units[r]
        for j in range(200):
            keep = half * _tanh(z[200 + j]) + half
            take = half * _tanh(z[j]) + half
            c[j] = keep * c[j] + take * _tanh(z[400 + j])
            h[own + j] = (half * _tanh(z[600 + j]) + half) * _tanh(c[j])


@compiled(nogil=True, error_model="numpy")
def _pass_on(
    units: Reals, own: int, index: NDArray[np.int64], onward: Reals, low: int, high: int
) -> None:
    """Copy the units (d,) of some rows, counted from `own` on, to where the next layer reads."""
    for r in range(low, high):
        for i in range(len(index)):
            onward[r, i] = units[r, own + index[i]]


def _sigmoid(x: Reals) -> Reals:
    """Return the logistic function of values."""
    one = np.float32(1.0)
    with np.errstate(over="ignore"):  # of very negative values, which become 0
        return one / (one + np.exp(-x))


def _mlp(layers: list[_Dense], x: Reals) -> Reals:
    """Return (k, n, out) of (n, in): row by row, so that other rows do not matter."""
    values = x[None, :, None, :]
    for number, layer in enumerate(layers):
        if number:
            values = _sigmoid(values)
        values = np.matmul(values * layer.scale + layer.shift, layer.weights) + layer.bias
    return values[:, :, 0]


@cache
def load(folder: Path) -> Networks:
    """Load the networks.

    Args:
        folder: Which holds `FILES`.

    Raises:
        UsageError: A file is missing or is not what it should be.
    """
    read = {name: _constants(folder / name, NETWORK_SHA256[name]) for name in FILES}
    lstm = [_recurrent(read[name]) for name in FILES[1 : 1 + NETWORKS]]
    width = max(-(-len(net["index"]) // _ROWS) * _ROWS for net in lstm)
    index = np.zeros((NETWORKS, width), np.int64)
    second = np.zeros((NETWORKS, width + _UNITS, 4 * _UNITS), np.float32)
    first = np.zeros((NETWORKS, _OWN + _UNITS, 4 * _UNITS), np.float32)
    for k, net in enumerate(lstm):
        index[k, : len(net["index"])] = net["index"]  # the others have weights of 0
        second[k, : len(net["index"])], second[k, width:] = net["kernel2"], net["own2"]
        first[k, :_COLUMNS], first[k, _OWN:] = net["kernel1"], net["own1"]

    def stack(name: str) -> Reals:
        return np.stack([net[name] for net in lstm]).astype(np.float32)

    return Networks(
        nn=_dense([read[FILES[0]]], (17, 200, 200, 200, 4)),
        bpw=_dense([read[name] for name in FILES[1 + NETWORKS :]], (8, 30, 30, 2)),
        scale=stack("scale")[:, None],
        shift=stack("shift")[:, None],
        first=first,
        second=second,
        biases=stack("biases"),
        index=index,
        head=stack("head")[:, None],
        head_bias=stack("head_bias")[:, None, None],
        out=stack("out")[:, None],
        out_bias=stack("out_bias")[:, None, None],
    )


# What the two loops of a recurrent network are given: kernel, own weights and bias of each.
_LOOPS = {3: (_COLUMNS,), 4: (_UNITS,), 5: (), 14: (_UNITS,), 15: (_UNITS,), 16: ()}


def _constants(path: Path, sha256: str) -> dict[str, Reals]:
    """Return the constants of a file by name."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise UsageError("it differs from the pinned file; delete it and fetch it again")
        return read_constants(content)
    except FileNotFoundError:
        raise UsageError(
            f"the networks of Fusion are not here (no {path}): rlbench data fetch neorl2 --task "
            "Fusion"
        ) from None
    except (OSError, UsageError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _find(
    constants: dict[str, Reals], number: int, shape: tuple[int, ...], *words: str
) -> list[NDArray[np.float64]]:
    """Return the constants of a shape whose names have all words, the layers in their order.

    Raises:
        UsageError: They are not as many as expected.
    """
    found = {
        _number(name): array.astype(np.float64)
        for name, array in constants.items()
        if array.shape == shape and all(word in name for word in words)
    }
    if len(found) != number:
        raise UsageError(f"{len(found)} constants {words} of shape {shape}, not {number}")
    return [found[key] for key in sorted(found)]


def _number(name: str) -> int:
    """Return the number of the layer in a constant's name, 0 where it has none."""
    found = re.search(r"(?:batch_normalization|dense)_(\d+)", name)
    return int(found.group(1)) if found else 0


def _dense(networks: list[dict[str, Reals]], sizes: tuple[int, ...]) -> list[_Dense]:
    """Return the layers of alike MLPs."""
    layers = []
    for number, (into, out) in enumerate(pairwise(sizes), start=1):
        norm, dense = f"batch_normalization_{number}/", f"dense_{number}/"
        scale, shift, weights, bias = (
            np.stack([_find(c, 1, shape, *words)[0] for c in networks]).astype(np.float32)
            for shape, words in (
                ((into,), (norm, "/mul:")),
                ((into,), (norm, "/sub:")),
                ((into, out), (dense, "/MatMul")),
                ((out,), (dense, "/Bias")),
            )
        )
        layers.append(
            _Dense(
                scale[:, None, None], shift[:, None, None], weights[:, None], bias[:, None, None]
            )
        )
    return layers


def _recurrent(constants: dict[str, Reals]) -> dict[str, Any]:
    """Return the arrays of a recurrent network, what is constant folded into its products.

    Scales and shifts between layers become part of the weights after them. The gates i, f and o
    are halved, since the logistic function of x is (tanh(x / 2) + 1) / 2. Units of the first layer
    that the second one does not read are left out.
    """
    units, square = (_UNITS,), (_UNITS, _UNITS)
    (scale,) = _find(constants, 1, (_COLUMNS,), "/mul:")
    (shift,) = _find(constants, 1, (_COLUMNS,), "/sub:")
    (scale1,) = _find(constants, 1, (1, 1, _UNITS), "/mul:")
    (shift1,) = _find(constants, 1, (1, 1, _UNITS), "const_fold")
    scale2, scale3 = _find(constants, 2, units, "/mul:")
    shift2, shift3 = _find(constants, 2, units, "/sub:")
    (weights,), (bias,) = (
        _find(constants, 1, square, "/MatMul"),
        _find(constants, 1, units, "/Bias"),
    )
    (weights_out,) = _find(constants, 1, (_UNITS, _OUTPUTS), "/MatMul")
    (bias_out,) = _find(constants, 1, (_OUTPUTS,), "/Bias")
    kernel1, own1, bias1, kernel2, own2, bias2 = (
        _find(constants, 1, (*rows, 4 * _UNITS), f"input/_{number}:")[0]
        for number, rows in _LOOPS.items()
    )
    scale1, shift1 = scale1.ravel(), shift1.ravel()
    half = np.repeat([0.5, 0.5, 1.0, 0.5], _UNITS)
    read = np.flatnonzero(np.abs(scale1) * np.abs(kernel2).max(axis=1) > _NEGLIGIBLE)
    return {
        "scale": scale,
        "shift": shift,
        "kernel1": half * kernel1,
        "own1": half * own1,
        "index": read,
        "kernel2": half * (scale1[:, None] * kernel2)[read],
        "own2": half * own2,
        "biases": half * np.stack([bias1, bias2 + shift1 @ kernel2]),
        "head": scale2[:, None] * weights,
        "head_bias": bias + shift2 @ weights,
        "out": scale3[:, None] * weights_out,
        "out_bias": bias_out + shift3 @ weights_out,
    }
