"""Transitions that batches are drawn from: logged ones, or those that an agent meets."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

_Array = NDArray[Any]


class Batch(NamedTuple):
    """Transitions of S seeds, n each; float32.

    Attributes:
        obs: (S, n, o)
        action: (S, n, a)
        reward: (S, n)
        next_obs: (S, n, o)
        goes_on: (S, n) 0 where the episode terminated, else 1.
    """

    obs: Tensor
    action: Tensor
    reward: Tensor
    next_obs: Tensor
    goes_on: Tensor


class Replay:
    """A table of the last transitions: a row holds all that one has, so a batch is one look-up.

    Args:
        capacity: Rows.
        obs_size: Numbers in an observation.
        action_size: Numbers in an action.
        device: Where the table is.

    Attributes:
        added: How many were added, those that were overwritten too.
    """

    def __init__(self, capacity: int, obs_size: int, action_size: int, device: Any) -> None:
        self._widths = [obs_size, action_size, 1, obs_size, 1]
        self._rows = torch.zeros(capacity, sum(self._widths), device=device)
        self.added = 0

    def __len__(self) -> int:
        """Return the number of transitions that can be drawn."""
        return min(self.added, len(self._rows))

    def add(
        self, obs: _Array, action: _Array, reward: _Array, next_obs: _Array, terminated: _Array
    ) -> None:
        """Add n transitions, at most as many as the table has rows.

        Args:
            obs: (n, o)
            action: (n, a) As networks see them.
            reward: (n,)
            next_obs: (n, o)
            terminated: (n,) bool. A truncated episode goes on.
        """
        parts = (obs, action, reward[:, None], next_obs, 1.0 - terminated[:, None])
        rows = torch.from_numpy(np.concatenate(parts, axis=1, dtype=np.float32))
        places = (self.added + torch.arange(len(rows))) % len(self._rows)
        self._rows[places.to(self._rows.device)] = rows.to(self._rows.device)
        self.added += len(rows)

    def draw(self, generators: Sequence[Generator], size: int) -> Batch:
        """Draw a batch for each seed, from its generator, with replacement.

        Args:
            generators: One a seed.
            size: Of each batch.
        """
        places = torch.cat(
            [torch.randint(len(self), (size,), generator=g, device=g.device) for g in generators]
        )
        rows = self._rows.index_select(0, places).view(len(generators), size, -1)
        obs, action, reward, next_obs, goes_on = rows.split(self._widths, -1)
        return Batch(obs, action, reward.squeeze(-1), next_obs, goes_on.squeeze(-1))

    def state(self) -> dict[str, Tensor]:
        """Return what `restore` takes."""
        return {"rows": self._rows[: len(self)], "added": torch.tensor(self.added)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Become what another replay of this capacity was."""
        self.added = int(state["added"])
        self._rows[: len(self)] = state["rows"]
