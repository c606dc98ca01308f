"""Functions compiled by numba, and kept, so that only the first call ever compiles.

They are kept in the user's cache folder: ``NUMBA_CACHE_DIR``, or that of the operating system.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

numba: Any
try:
    numba = import_module("numba")
except ImportError:
    numba = None

F = TypeVar("F", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[F], F]:
    """Return what compiles a function, or leaves it as it is where numba is missing.

    Args:
        options: Of `numba.njit`.
    """
    return lambda function: _compile(function, options) if numba else function


def _compile(function: F, options: dict[str, Any]) -> F:
    kept = numba.config.CACHE_DIR
    try:
        numba.config.CACHE_DIR = kept or _cache_folder()
        kernel: F = numba.njit(**options, cache=True)(function)
    except RuntimeError:  # no folder can be written to
        kernel = numba.njit(**options)(function)
    finally:
        numba.config.CACHE_DIR = kept
    return kernel


def _cache_folder() -> str:
    from platformdirs import user_cache_path

    return str(user_cache_path("rlbench", appauthor=False) / "kernels")
