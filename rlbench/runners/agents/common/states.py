"""How agents written in torch are saved: named tensors, and nothing that runs when it is read."""

from collections.abc import Mapping, Sequence
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


def gather(views: Sequence[Tensor]) -> Tensor:
    """Return tensors one after the other, copied."""
    return torch.cat([view.flatten() for view in views])


def scatter(values: Tensor, views: Sequence[Tensor]) -> None:
    """Undo `gather`.

    Raises:
        ValueError: The sizes differ: the agent that was saved had other options.
    """
    sizes = [view.numel() for view in views]
    if sum(sizes) != values.numel():
        raise ValueError(f"what was saved has {values.numel()} numbers, not {sum(sizes)}")
    for view, part in zip(views, values.split(sizes), strict=True):
        view.copy_(part.view(view.shape))
