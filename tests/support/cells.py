"""Cells of a notebook: code of ``__main__`` that is in no file."""

import linecache
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def cells(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Return what runs a cell, as IPython does it, and returns all names of the notebook."""
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(source: str) -> dict[str, Any]:
        file = f"<cell {abs(hash(source))}>"
        lines = source.splitlines(keepends=True)
        monkeypatch.setitem(linecache.cache, file, (len(source), None, lines, file))
        exec(compile(source, file, "exec"), vars(main))
        return vars(main)

    return run
