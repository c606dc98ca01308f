"""The face that the command has in Python: its options are called as arguments are."""

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from rlbench.api.waiting import waiting
from rlbench.errors import RLBenchError

P = ParamSpec("P")
R = TypeVar("R")

_OPTION = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)\b")


def pythonic(text: str) -> str:
    """Return a message in which options of the command line are arguments.

    >>> pythonic("give --suite or --normalise-by")
    'give suite= or normalise_by='
    """
    return _OPTION.sub(lambda found: found[1].replace("-", "_") + "=", text)


def in_python(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function compute as the command does, and its errors speak of arguments."""

    @wraps(function)
    def said_in_python(*args: P.args, **options: P.kwargs) -> R:
        try:
            with waiting():
                return function(*args, **options)
        except RLBenchError as error:
            error.args = (pythonic(str(error)), *error.args[1:])
            raise

    return said_in_python
