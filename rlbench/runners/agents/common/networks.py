"""Perceptrons of several members for several seeds: one batched product a layer.

Arrays begin with an axis of seeds. Nothing is summed across it, so what a seed learns does not
depend on the others.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

Layers = list[tuple[Tensor, Tensor]]
Bounds = Callable[[int, int], tuple[float, float]]

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


def lecun(inputs: int, outputs: int) -> tuple[float, float]:
    """Return the bounds of uniform weights and biases as in torch's ``nn.Linear``."""
    return 1.0 / math.sqrt(inputs), 1.0 / math.sqrt(inputs)


def glorot(inputs: int, outputs: int) -> tuple[float, float]:
    """Return those of Glorot and Bengio 2010 (AISTATS), eq. 16; biases are 0."""
    return math.sqrt(6.0 / (inputs + outputs)), 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MLP:
    """The shape of a perceptron. The parameters of S seeds are one flat tensor.

    It holds, layer after layer, the weights of all seeds and members, then their biases.

    Attributes:
        sizes: Inputs, hidden units of each layer, and outputs.
        members: Of an ensemble.
        activation: Between layers.
        bounds: From the inputs and outputs of a layer to the bounds of its first weights and
            biases, which are uniform.
    """

    sizes: tuple[int, ...]
    members: int = 1
    activation: Callable[[Tensor], Tensor] = torch.relu_
    bounds: Bounds = lecun

    def draw(self, generators: Sequence[Generator]) -> Tensor:
        """Draw the (S * size,) first parameters of S seeds, each from its generator."""
        parts: list[Tensor] = []
        for inputs, outputs in self._pairs():
            for rows, bound in zip((inputs, 1), self.bounds(inputs, outputs), strict=True):
                shape = (self.members, rows, outputs)
                parts += [_uniform(shape, bound, generator) for generator in generators]
        return torch.cat([part.flatten() for part in parts])

    def layers(self, flat: Tensor) -> Layers:
        """Return views of flat parameters: (S * E, in, out) weights, (S * E, 1, out) biases."""
        parts = self._split(flat)
        sizes = [outputs for _, outputs in self._pairs()]
        weights, biases = parts[::2], parts[1::2]
        return [
            (w.view(-1, inputs, outputs), b.view(-1, 1, outputs))
            for w, b, inputs, outputs in zip(weights, biases, self.sizes, sizes, strict=False)
        ]

    def __call__(self, layers: Layers, x: Tensor) -> Tensor:
        """Map inputs to outputs.

        Args:
            layers: Of S seeds and E members, or a part of them.
            x: (S, n, in) The same for all members, or (S * E, n, in).

        Returns:
            (S * E, n, out), the members of a seed next to each other.
        """
        if (members := len(layers[0][0]) // len(x)) > 1:
            x = x.repeat_interleave(members, 0)
        for weight, bias in layers[:-1]:
            x = self.activation(torch.baddbmm(bias, x, weight))
        weight, bias = layers[-1]
        if weight.shape[-1] == 1:
            # baddbmm would round otherwise for one seed than for several, and is no faster.
            return (x * weight.mT).sum(-1, keepdim=True) + bias
        return torch.baddbmm(bias, x, weight)

    def of_seed(self, flat: Tensor, seed: int) -> list[Tensor]:
        """Return views of the parameters of one seed, by its place."""
        seeds = len(flat) // self.size
        return [part.view(seeds, -1)[seed] for part in self._split(flat)]

    @property
    def size(self) -> int:
        """The number of parameters of a seed."""
        return sum(self._counts())

    def _pairs(self) -> list[tuple[int, int]]:
        return list(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    def _counts(self) -> list[int]:
        return [self.members * rows * o for i, o in self._pairs() for rows in (i, 1)]

    def _split(self, flat: Tensor) -> Sequence[Tensor]:
        """Return the weights and the biases of each layer: views with one backward step."""
        counts = self._counts()
        seeds = len(flat) // sum(counts)
        views: Sequence[Tensor] = flat.split([seeds * count for count in counts])
        return views


def _uniform(shape: tuple[int, ...], bound: float, generator: Generator) -> Tensor:
    drawn = torch.empty(shape, device=generator.device)
    return drawn.uniform_(-bound, bound, generator=generator)


class Network:
    """An MLP of several seeds that is trained by Adam.

    Args:
        shape: Of one seed.
        generators: One a seed, of the first parameters.
        rate: Adam's step size.

    Attributes:
        shape: The same.
        flat: (S * size,) Parameters.
        moments: (2, S * size) Adam's, of the gradient and of its square.
        still: The layers without gradients; they follow `flat`.
    """

    def __init__(self, shape: MLP, generators: Sequence[Generator], *, rate: float) -> None:
        self.shape, self._rate = shape, rate
        self.flat = shape.draw(generators)
        self.moments = torch.zeros(2, len(self.flat), device=self.flat.device)
        self.still = shape.layers(self.flat)
        self._leaf = self.flat.detach().requires_grad_()

    def layers(self) -> Layers:
        """Return the layers for a loss that `descend` takes."""
        return self.shape.layers(self._leaf)

    def descend(self, loss: Tensor, step: int) -> None:
        """Make one step of Adam down a scalar loss, the sum over seeds; the first step is 1."""
        (gradient,) = torch.autograd.grad(loss, self._leaf)
        adam(self.flat, gradient, self.moments, step=step, rate=self._rate)

    def of_seed(self, seed: int) -> list[Tensor]:
        """Return views of all that a seed has, by its place."""
        flats = (self.flat, *self.moments)
        return [view for flat in flats for view in self.shape.of_seed(flat, seed)]


class Target:
    """A copy of a network that follows it slowly.

    Attributes:
        shape: Of one seed.
        flat: (S * size,) Parameters.
        still: Its layers, without gradients.
    """

    def __init__(self, network: Network) -> None:
        self.shape, self.flat = network.shape, network.flat.clone()
        self.still = self.shape.layers(self.flat)

    def follow(self, network: Network, share: float) -> None:
        """Go a share of the way to the network's parameters (Lillicrap et al. 2016, alg. 1)."""
        self.flat.lerp_(network.flat, share)

    def of_seed(self, seed: int) -> list[Tensor]:
        """Return views of the parameters of a seed, by its place."""
        return self.shape.of_seed(self.flat, seed)


class Numbers:
    """A number a seed, which Adam may train, such as the logarithm of a multiplier.

    Args:
        first: Its first value.
        generators: One a seed; none is drawn from.
        rate: Adam's step size.

    Attributes:
        flat: (S,) The numbers.
    """

    def __init__(self, first: float, generators: Sequence[Generator], *, rate: float = 0.0) -> None:
        self.flat = torch.full((len(generators),), first, device=generators[0].device)
        self._moments, self._rate = torch.zeros(2, len(generators), device=self.flat.device), rate

    def descend(self, gradient: Tensor, step: int) -> None:
        """Make one step of Adam, given the (S,) gradient; the first step is 1."""
        adam(self.flat, gradient, self._moments, step=step, rate=self._rate)

    def of_seed(self, seed: int) -> list[Tensor]:
        """Return views of all that a seed has, by its place."""
        return [flat[seed : seed + 1] for flat in (self.flat, *self._moments)]


def adam(flat: Tensor, gradient: Tensor, moments: Tensor, *, step: int, rate: float) -> None:
    """Change parameters by a step of Adam (Kingma and Ba 2015, algorithm 1).

    Args:
        flat: (P,) Parameters, changed in place.
        gradient: (P,) Theirs.
        moments: (2, P) Of the gradient and its square, changed in place.
        step: From 1.
        rate: The step size.
    """
    mean, square = moments[0], moments[1]
    mean.lerp_(gradient, 1.0 - _BETAS[0])
    square.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1.0 - _BETAS[1])
    root = square.sqrt().div_(math.sqrt(1.0 - _BETAS[1] ** step)).add_(_EPSILON)
    flat.addcdiv_(mean, root, value=-rate / (1.0 - _BETAS[0] ** step))


def members(layers: Layers, which: slice) -> Layers:
    """Return some of the (S * E) perceptrons: ``slice(2, 3)``, or ``slice(None, None, E)``."""
    return [(weight[which], bias[which]) for weight, bias in layers]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread, so that sums do not depend on the number of cores.

    Products of this size gain little from more threads, and lose much where others use the cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def generators_of(seeds: Sequence[int], device: Any) -> list[Generator]:
    """Return a generator for each seed; the global one is never drawn from."""
    return [Generator(device=device).manual_seed(seed) for seed in seeds]


def normal(shape: tuple[int, ...], generators: Sequence[Generator]) -> Tensor:
    """Draw (S, *shape) standard normal numbers, each seed's from its generator."""
    return torch.stack([torch.randn(shape, generator=g, device=g.device) for g in generators])


def uniform(shape: tuple[int, ...], generators: Sequence[Generator]) -> Tensor:
    """Draw (S, *shape) numbers evenly from [0, 1), each seed's from its generator."""
    return torch.stack([torch.rand(shape, generator=g, device=g.device) for g in generators])
