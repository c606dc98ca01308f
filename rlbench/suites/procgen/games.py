"""What an engine of Procgen plays, and what every engine can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SIDE = 64  # of the picture, in pixels
ACTIONS = 15
MODES = {"easy": 0, "hard": 1, "extreme": 2, "memory": 10}

Frames = NDArray[np.uint8]  # (k, 64, 64, 3)
Slots = NDArray[np.int32]  # (k,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """A game and what its levels are drawn from.

    Attributes:
        name: E.g. ``coinrun``.
        mode: ``easy``, ``hard``, ``extreme`` or ``memory``, where the game has it.
        levels: How many levels there are; 0 for all, 2^31 less one.
        first_level: The number of the first.
        options: Procgen's own by name, where they are not its defaults.
    """

    name: str
    mode: str
    levels: int
    first_level: int = 0
    options: Mapping[str, bool] = field(default_factory=dict)


class Games(Protocol):
    """Slots of one game; arrays that are returned belong to the caller."""

    def begin(self, slots: Slots) -> tuple[Frames, NDArray[np.int32]]:
        """Begin episodes in slots (k,); return their frames and their levels (k,)."""
        ...

    def step(
        self, slots: Slots, actions: NDArray[np.int32]
    ) -> tuple[Frames, NDArray[np.float32], NDArray[np.bool_]]:
        """Play actions (k,) in slots (k,); return frames, rewards (k,) and what ended (k,).

        The frame of an ended episode is its last one. The slot then waits for `begin`.
        """
        ...

    def close(self) -> None:
        """Let the games go."""
        ...


class Engine(Protocol):
    """A module that plays Procgen."""

    def load(self) -> object:
        """Load the compiled library.

        Raises:
            ModuleNotFoundError: A package is not installed.
            UsageError: The library, or one that it needs, is missing or is not the right one.
        """
        ...

    def make_games(self, game: Game, seeds: Sequence[int]) -> Games:
        """Make slots of a game, one for each seed below 2^32.

        A slot is what OpenAI's package makes with ``num=1`` and the seed as ``rand_seed``.
        """
        ...

    def versions(self) -> dict[str, str]:
        """Return the versions of the library and of its Qt, by name."""
        ...
