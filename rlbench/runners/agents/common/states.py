"""How agents written in torch are saved: named tensors, and nothing that runs when it is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_FILE = "state.pt"


def save_state(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Write named tensors into an empty folder."""
    torch.save({name: tensor.detach().clone() for name, tensor in state.items()}, folder / _FILE)


def load_state(folder: Path, device: Any) -> dict[str, Tensor]:
    """Read what `save_state` wrote; a file that holds anything but data is refused."""
    state: dict[str, Tensor] = torch.load(  # noqa: TID251 - weights_only
        folder / _FILE, map_location=device, weights_only=True
    )
    return state


def put(place: Tensor, value: Tensor) -> None:
    """Copy a tensor into another.

    Raises:
        ValueError: Their shapes differ: it was saved by an agent of other options.
    """
    if place.shape != value.shape:
        raise ValueError(f"the saved state is {tuple(value.shape)}, not {tuple(place.shape)}")
    place.copy_(value)
