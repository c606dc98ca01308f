"""Small torch networks of teachers, whose draws are all from the teacher's own generator."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


def linear(
    random: np.random.Generator, inputs: int, outputs: int, dtype: torch.dtype = torch.float32
) -> nn.Linear:
    """Return a layer with weights of Glorot and Bengio 2010 (uniform), and biases of 0.

    Args:
        random: Of the weights.
        inputs: Its inputs.
        outputs: Its outputs.
        dtype: Of its numbers.
    """
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=dtype)
    bound = np.sqrt(6.0 / (inputs + outputs))
    weights = random.uniform(-bound, bound, size=(outputs, inputs))
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weights))
        layer.bias.zero_()
    return layer


def save_networks(folder: Path, **parts: Any) -> None:
    """Write the states of networks and optimisers into a folder."""
    torch.save({name: part.state_dict() for name, part in parts.items()}, folder / "networks.pt")


def load_networks(folder: Path, **parts: Any) -> None:
    """Give networks and optimisers the states that were saved."""
    states = torch.load(folder / "networks.pt", weights_only=True)  # noqa: TID251 - no pickle
    for name, part in parts.items():
        part.load_state_dict(states[name])
