"""Find out whether a function of scores does nothing but ask for metrics.

Such a function is called once with probes in place of arrays. A metric answers a probe with a
token, which says what was asked of which scores. Neither holds a number or allows arithmetic,
comparison or a look inside, so a function that does more than arrange metrics raises, or returns
something else than tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray


def _refuse(*_: object) -> NoReturn:
    raise TypeError("this stands for scores and holds none")


@dataclass(frozen=True, eq=False, slots=True)
class Probe:
    """What stands for an array of scores.

    Attributes:
        source: Which argument of the function it is.
        shape: Of the scores.
        point: Which one scores of several were cut down to.
    """

    source: int
    shape: tuple[int, ...]
    point: int = 0

    __array__ = __bool__ = __eq__ = _refuse

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> "Probe":
        """Return the scores at a point: ``[..., k]`` or ``[:, :, k]``."""
        if self.ndim != 3 or key[:-1] not in ((...,), (slice(None), slice(None))):
            _refuse()
        point = range(self.shape[2])[index(key[-1])]
        return Probe(self.source, self.shape[:2], point)


@dataclass(frozen=True, eq=False, slots=True)
class Token:
    """What stands for a number.

    Attributes:
        metric: A name that the kernels know, or ``improvement``.
        of: The scores it is of, or the two agents' scores.
    """

    metric: str
    of: tuple[Probe, ...]

    __bool__ = __eq__ = _refuse


def ask(metric: str, *scores: Any) -> Any:
    """Return the token for a metric of scores (runs, tasks)."""
    if not all(isinstance(probe, Probe) and probe.ndim == 2 for probe in scores):
        _refuse()
    return Token(metric, scores)


def asked(
    function: Callable[..., Any], arrays: Sequence[NDArray[np.generic]]
) -> list[Token] | None:
    """Return what a function of arrays asks for, or None where it does anything else."""
    probes = [Probe(source, array.shape) for source, array in enumerate(arrays)]
    try:
        answer = np.atleast_1d(function(*probes))
    except Exception:  # whatever it was, the function is now called with arrays
        return None
    tokens: list[Any] = answer.tolist()
    if answer.ndim != 1 or not tokens or not all(isinstance(token, Token) for token in tokens):
        return None
    return tokens
