"""envpool's compiled library of Procgen, over the Qt that OpenAI's own build draws with.

Only that library is loaded. Importing the package envpool would register its other environments,
which takes seconds and needs their assets.
"""

import ctypes
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import UsageError
from rlbench.suites.procgen.games import MODES, Frames, Game, Slots

# Every golden trace is played bit for bit by envpool with Qt in these versions.
VERIFIED = {("1.2.5", "5.15.2")}

_LIBRARY = "envpool.procgen.procgen_envpool"
_QT = (
    "libicudata.so.56", "libicuuc.so.56", "libicui18n.so.56", "libQt5Core.so.5", "libQt5Gui.so.5"
)  # fmt: skip
_SHOWN = ("obs", "reward", "done", "info:level_seed")


@cache
def load() -> ModuleType:
    """Load Qt, then envpool's library of Procgen.

    Raises:
        ModuleNotFoundError: envpool or its assets are not installed.
        UsageError: A library of the system is missing, or envpool is too old.
    """
    folder = _folder("envpool") / "procgen"
    assets()
    module = sys.modules.get(_LIBRARY)
    if module is None:
        _load_qt()
        spec = PathFinder.find_spec(_LIBRARY, [str(folder)])
        if spec is None or spec.loader is None:
            raise UsageError(f"there is no Procgen in {folder}: pip install 'rlbench[procgen]'")
        try:
            module = importlib.util.module_from_spec(spec)
            # Under its own name, so that a later import of envpool takes this one.
            sys.modules[_LIBRARY] = module
            spec.loader.exec_module(module)
        except ImportError as error:
            sys.modules.pop(_LIBRARY, None)
            raise UsageError(_advice(str(error))) from error
    if "env_seed" not in module._ProcgenEnvSpec._config_keys:
        raise UsageError(
            f"envpool {_version('envpool')} cannot seed each environment: "
            "pip install 'rlbench[procgen]' brings 1.2.5"
        )
    return module


def assets() -> str:
    """Return the folder of pictures that the games are drawn with.

    Raises:
        ModuleNotFoundError: They are not installed.
    """
    return str(_folder("envpool_assets"))


def versions() -> dict[str, str]:
    """Return the versions of envpool and of the Qt that is loaded; marked if not yet verified."""
    load()
    found = _version("envpool"), _qt_version()
    mark = "" if found in VERIFIED else " (unverified)"
    return {"envpool": found[0] + mark, "Qt": found[1]}


class PoolGames:
    """Slots of envpool's; see `Games`."""

    def __init__(self, game: Game, seeds: Sequence[int]) -> None:
        self._pool = make_pool(game, seeds)
        self._shown = [self._pool._state_keys.index(name) for name in _SHOWN]

    def begin(self, slots: Slots) -> tuple[Frames, NDArray[np.int32]]:
        """Begin episodes; see `Games`."""
        self._pool._reset(slots)
        frames, _, _, levels = self._receive()
        return frames, levels

    def step(
        self, slots: Slots, actions: NDArray[np.int32]
    ) -> tuple[Frames, NDArray[np.float32], NDArray[np.bool_]]:
        """Play actions; see `Games`."""
        self._pool._send([slots, slots, actions])
        frames, rewards, ended, _ = self._receive()
        return frames, rewards, ended

    def _receive(self) -> list[NDArray[Any]]:
        state = self._pool._recv()
        return [state[k] for k in self._shown]

    def close(self) -> None:
        """Let the games go."""
        del self._pool


make_games = PoolGames


def make_pool(game: Game, seeds: Sequence[int]) -> Any:
    """Make environments of a game.

    Args:
        game: The game.
        seeds: One a slot, below 2^32. Each slot then is what OpenAI's package makes with
            ``num=1`` and this ``rand_seed``.

    Returns:
        envpool's pool. ``_reset(ids)`` and ``_send([ids, ids, actions])`` take (k,) int32 and are
        followed by ``_recv()``, which returns arrays (k, ...) in the order of ``_state_keys`` and
        of the ids. An ended episode waits for a reset.
    """
    from_class = load()._ProcgenEnvSpec
    config = dict(zip(from_class._config_keys, from_class._default_config_values, strict=True))
    config |= game.options
    config |= {
        "num_envs": len(seeds),
        "batch_size": len(seeds),
        "num_threads": 1,
        "base_path": assets(),
        "env_seed": [_first_draw(seed) for seed in seeds],
        "env_name": game.name,
        "channel_first": False,
        "num_levels": game.levels,
        "start_level": game.first_level,
        "distribution_mode": MODES[game.mode],
    }
    spec = from_class(tuple(config[name] for name in from_class._config_keys))
    return load()._ProcgenEnvPool(spec)


def _first_draw(seed: int) -> int:
    """Return by what OpenAI's package seeds the level generator of its first environment, int32."""
    word = np.random.RandomState(seed).randint(2**32, dtype=np.uint32)
    return int(word.astype(np.int32))


def _folder(package: str) -> Path:
    """Return the folder of a package without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(next(iter(spec.submodule_search_locations)))


def _load_qt() -> None:
    """Load the Qt of the wheel pyqt5-qt5, where it is installed; else the system's will be."""
    spec = importlib.util.find_spec("PyQt5")
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place) / "Qt5/lib"
        if all((folder / name).is_file() for name in _QT):
            try:
                for name in _QT:
                    ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                raise UsageError(_advice(str(error))) from error
            return


def _advice(error: str) -> str:
    """Return what to install when a shared library cannot be loaded."""
    missing = error.partition(":")[0]
    if missing.startswith(("libQt5", "libicu")):
        return f"Procgen draws with Qt, and {missing} is missing: pip install 'rlbench[procgen]'"
    if missing.startswith("lib"):
        return (
            f"Procgen draws with Qt, which needs {missing}: apt install libgl1 libglib2.0-0 "
            "(or what holds it on your system)"
        )
    return f"envpool's Procgen cannot be loaded: {error}"


def _qt_version() -> str:
    try:
        ask = ctypes.CDLL("libQt5Core.so.5").qVersion  # the one that is loaded
    except OSError:
        return "unknown"
    ask.restype = ctypes.c_char_p
    return bytes(ask()).decode()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
