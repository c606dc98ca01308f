"""Where MuJoCo's warnings go.

By itself MuJoCo appends them to a file MUJOCO_LOG.TXT in the current folder.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def divert_mujoco_warnings() -> None:
    """Have this process print MuJoCo's warnings on standard error and write no file.

    Standard error is a run's log. Where MuJoCo is not imported yet, this happens when it is. Where
    another package takes the warnings, as dm_control does, it goes on doing so.
    """
    mujoco = sys.modules.get("mujoco")
    if mujoco is not None:
        _divert(mujoco)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _divert(mujoco: Any) -> None:
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_print)


def _print(message: str) -> None:
    print(f"MuJoCo warns: {message}", file=sys.stderr)


class _Finder(MetaPathFinder):
    """Finds MuJoCo, once, where the others do: models can warn as soon as they are loaded."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != "mujoco":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _divert(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
