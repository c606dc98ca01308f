"""OpenAI's own library of Procgen, through its C interface, libenv (openai/gym3, `libenv.h`).

`reference` fetches it. Its Qt is compiled in, so it needs neither OpenGL nor a package.
"""

import ctypes
import os
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_char, c_char_p, c_int, c_int32, c_uint8, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.suites.procgen import reference
from rlbench.suites.procgen.games import ACTIONS, MODES, SIDE, Frames, Game, Slots

# Its symbols stay apart from those of the Qt that envpool draws with.
APART = getattr(os, "RTLD_LOCAL", 0) | getattr(os, "RTLD_DEEPBIND", 0)

_BEGIN, _WAIT = -1, -2  # for actions: begin the next episode, leave the game as it is
_STATE_BYTES = 1 << 20  # more than a game's state takes
_UINT8, _INT32 = 1, 2  # libenv's types
_INFOS, _LEVEL = 3, 2  # how many integers are told of a game, and which one is its level

# What OpenAI's package sets unless it is told otherwise, and what it always sets.
_DEFAULTS = {
    "center_agent": True,
    "use_backgrounds": True,
    "restrict_themes": False,
    "use_monochrome_assets": False,
    "use_generated_assets": False,
    "paint_vel_info": False,
    "use_sequential_levels": False,
}
_FIXED = {"num_actions": ACTIONS, "num_threads": 0, "debug_mode": 0, "render_human": False}


class _Option(Structure):
    """A setting of a game."""

    _fields_ = (
        ("name", c_char * 128),
        ("dtype", c_int),
        ("count", c_int),
        ("data", c_void_p),
    )


class _Options(Structure):
    _fields_ = (("items", POINTER(_Option)), ("count", c_int))


class _Buffers(Structure):
    """Where the library writes to, and what it reads actions from."""

    _fields_ = (
        ("frame", POINTER(c_void_p)),
        ("reward", c_void_p),
        ("first", c_void_p),
        ("info", POINTER(c_void_p)),
        ("action", POINTER(c_void_p)),
    )


def load() -> ctypes.CDLL:
    """Load the library.

    Raises:
        UsageError: It is another file than what was fetched, or a library of the system is missing.
    """
    return _load(reference.folder())


@cache
def _load(folder: Path) -> ctypes.CDLL:
    path = reference.library(folder)
    try:
        return declared(ctypes.CDLL(str(path), APART))
    except OSError as error:
        raise UsageError(
            f"OpenAI's Procgen cannot be loaded: {error}; it needs libglib2.0-0"
        ) from error


def declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the types of the functions that are called."""
    library.libenv_make.argtypes, library.libenv_make.restype = (c_int, _Options), c_void_p
    library.libenv_set_buffers.argtypes = (c_void_p, POINTER(_Buffers))
    library.get_state.argtypes = library.set_state.argtypes = (c_void_p, c_int, c_char_p, c_int)
    library.libenv_set_buffers.restype = library.set_state.restype = None
    for function in (library.libenv_act, library.libenv_observe, library.libenv_close):
        function.argtypes, function.restype = (c_void_p,), None
    return library


def versions() -> dict[str, str]:
    """Return the versions of OpenAI's package and of the Qt in it."""
    load()
    return {"procgen": reference.VERSION, "Qt": reference.QT}


class LibenvGames:
    """Slots of OpenAI's own, played by one call; see `Games`."""

    def __init__(self, game: Game, seeds: Sequence[int]) -> None:
        self._games = Batch(load(), game, len(seeds), seed=0)
        for slot, seed in enumerate(seeds):
            one = Batch(load(), game, 1, seed)
            self._games.set_state(slot, one.state(0))
            one.close()
        self._untouched = np.ones(len(seeds), dtype=np.bool_)  # in their first episodes

    def begin(self, slots: Slots) -> tuple[Frames, NDArray[np.int32]]:
        """Begin episodes; see `Games`."""
        self._play(slots[~self._untouched[slots]], _BEGIN)
        self._untouched[slots] = False
        return self._games.frames[slots], self._games.levels[slots]

    def step(
        self, slots: Slots, actions: NDArray[np.int32]
    ) -> tuple[Frames, NDArray[np.float32], NDArray[np.bool_]]:
        """Play actions; see `Games`."""
        self._play(slots, actions)
        games = self._games
        return games.frames[slots], games.rewards[slots], games.ended[slots]

    def _play(self, slots: Slots, actions: NDArray[np.int32] | int) -> None:
        self._games.actions[:] = _WAIT
        self._games.actions[slots] = actions
        self._games.play()

    def close(self) -> None:
        """Let the games go."""
        self._games.close()


make_games = LibenvGames


class Batch:
    """A libenv environment of n games.

    Args:
        library: OpenAI's, or as it is kept here.
        game: The game.
        n: How many.
        seed: OpenAI's ``rand_seed``; it wraps to int32.

    Attributes:
        actions: (n,) int32, what `play` plays.
        frames: (n, 64, 64, 3) uint8, as all that follows written by `play`.
        rewards: (n,) float32.
        ended: (n,) bool.
        levels: (n,) int32.
    """

    def __init__(self, library: ctypes.CDLL, game: Game, n: int, seed: int) -> None:
        self._library = library
        self.actions = np.zeros(n, dtype=np.int32)
        self.frames = np.zeros((n, SIDE, SIDE, 3), dtype=np.uint8)
        self.rewards = np.zeros(n, dtype=np.float32)
        self.ended = np.zeros(n, dtype=np.bool_)
        infos = np.zeros((_INFOS, n), dtype=np.int32)
        self.levels = infos[_LEVEL]
        kept: list[Any] = [infos]
        self._handle = c_void_p(library.libenv_make(n, _options(game, seed, kept)))
        buffers = _Buffers(
            _addresses(*self.frames),
            self.rewards.ctypes.data,
            self.ended.ctypes.data,
            _addresses(*(info[k:] for info in infos for k in range(n))),
            _addresses(*(self.actions[k:] for k in range(n))),
        )
        library.libenv_set_buffers(self._handle, buffers)
        self._kept = kept, buffers  # what the library goes on reading

    def play(self) -> None:
        """Play the actions."""
        self._library.libenv_act(self._handle)
        self._library.libenv_observe(self._handle)

    def state(self, k: int) -> bytes:
        """Return the whole state of a game, its random streams too."""
        content = ctypes.create_string_buffer(_STATE_BYTES)
        size = self._library.get_state(self._handle, k, content, _STATE_BYTES)
        return content.raw[:size]

    def set_state(self, k: int, state: bytes) -> None:
        """Put a game into a state, and draw it."""
        self._library.set_state(self._handle, k, state, len(state))

    def close(self) -> None:
        """Let the games go."""
        self._library.libenv_close(self._handle)


def _options(game: Game, seed: int, kept: list[Any]) -> _Options:
    """Return the settings of a game; what they point to is added to `kept`."""
    values: dict[str, bool | int | bytes] = {
        **_DEFAULTS,
        **game.options,
        **_FIXED,
        "env_name": game.name.encode(),
        "distribution_mode": MODES[game.mode],
        "num_levels": game.levels,
        "start_level": game.first_level,
        "rand_seed": seed,
        "resource_root": os.fsencode(reference.folder() / reference.ASSETS) + b"/",
    }
    options = (_Option * len(values))()
    for option, (name, value) in zip(options, values.items(), strict=True):
        data = _data(value)
        kept.append(data)
        option.name, option.data = name.encode(), ctypes.addressof(data)
        option.dtype = _INT32 if isinstance(data, c_int32) else _UINT8
        option.count = len(value) if isinstance(value, bytes) else 1
    return _Options(options, len(options))


def _data(value: bool | int | bytes) -> Any:
    """Return a setting as the library reads it; whole numbers wrap to int32."""
    if isinstance(value, bytes):
        return ctypes.create_string_buffer(value)
    return c_uint8(value) if isinstance(value, bool) else c_int32(value)


def _addresses(*arrays: NDArray[Any]) -> Any:
    """Return a C array of where arrays lie."""
    return (c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
