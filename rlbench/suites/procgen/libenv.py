"""OpenAI's own library of Procgen, through its C interface, libenv (openai/gym3, `libenv.h`).

`reference` fetches it. Its Qt is compiled in, so it needs neither OpenGL nor a package.
"""

import ctypes
import os
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_char, c_int, c_int32, c_uint8, c_void_p
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

_BEGIN = -1  # the action that begins an episode
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
    library.libenv_set_buffers.restype = None
    for function in (library.libenv_act, library.libenv_observe, library.libenv_close):
        function.argtypes, function.restype = (c_void_p,), None
    return library


def versions() -> dict[str, str]:
    """Return the versions of OpenAI's package and of the Qt in it."""
    load()
    return {"procgen": reference.VERSION, "Qt": reference.QT}


class LibenvGames:
    """Slots of OpenAI's own, each a game by itself; see `Games`."""

    def __init__(self, game: Game, seeds: Sequence[int]) -> None:
        n, library = len(seeds), load()
        self._act, self._observe = library.libenv_act, library.libenv_observe
        self._close = library.libenv_close
        self._frames = np.zeros((n, SIDE, SIDE, 3), dtype=np.uint8)
        self._rewards = np.zeros(n, dtype=np.float32)
        self._ended = np.zeros(n, dtype=np.bool_)
        self._infos = np.zeros((_INFOS, n), dtype=np.int32)
        self._actions = np.zeros(n, dtype=np.int32)
        self._handles: list[c_void_p] = []
        self._kept: list[Any] = []  # what the library goes on reading
        self._untouched = np.ones(n, dtype=np.bool_)  # first episodes begin by themselves
        for slot, seed in enumerate(seeds):
            handle = c_void_p(library.libenv_make(1, self._options(game, seed)))
            self._handles.append(handle)
            buffers = self._buffers(slot)
            self._kept.append(buffers)
            library.libenv_set_buffers(handle, buffers)

    def _options(self, game: Game, seed: int) -> _Options:
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
            self._kept.append(data)
            option.name, option.data = name.encode(), ctypes.addressof(data)
            option.dtype = _INT32 if isinstance(data, c_int32) else _UINT8
            option.count = len(value) if isinstance(value, bytes) else 1
        return _Options(options, len(options))

    def _buffers(self, slot: int) -> _Buffers:
        return _Buffers(
            _addresses(self._frames[slot]),
            self._rewards[slot:].ctypes.data,
            self._ended[slot:].ctypes.data,
            _addresses(*self._infos[:, slot:]),
            _addresses(self._actions[slot:]),
        )

    def begin(self, slots: Slots) -> tuple[Frames, NDArray[np.int32]]:
        """Begin episodes; see `Games`."""
        self._actions[slots] = _BEGIN
        self._play(slots[~self._untouched[slots]])
        self._untouched[slots] = False
        return self._frames[slots], self._infos[_LEVEL, slots]

    def step(
        self, slots: Slots, actions: NDArray[np.int32]
    ) -> tuple[Frames, NDArray[np.float32], NDArray[np.bool_]]:
        """Play actions; see `Games`."""
        self._actions[slots] = actions
        self._play(slots)
        return self._frames[slots], self._rewards[slots], self._ended[slots]

    def _play(self, slots: Slots) -> None:
        act, observe, handles = self._act, self._observe, self._handles
        for slot in slots.tolist():
            act(handles[slot])
            observe(handles[slot])

    def close(self) -> None:
        """Let the games go."""
        while self._handles:
            self._close(self._handles.pop())


make_games = LibenvGames


def _data(value: bool | int | bytes) -> Any:
    """Return a setting as the library reads it; whole numbers wrap to int32."""
    if isinstance(value, bytes):
        return ctypes.create_string_buffer(value)
    return c_uint8(value) if isinstance(value, bool) else c_int32(value)


def _addresses(*arrays: NDArray[Any]) -> Any:
    """Return a C array of where arrays lie."""
    return (c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
