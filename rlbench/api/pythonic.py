"""The face that the command has in Python: its options are called as arguments are."""

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from rlbench.api.waiting import waiting
from rlbench.errors import RLBenchError

P = ParamSpec("P")
R = TypeVar("R")

_COMMAND = r"rlbench(?: [a-z]+)+(?: --[a-z-]+(?: [\w.,=-]+)?)*"
_VALUE = r"'[^']*'|\"[^\"]*\"|[^\s;:]*[^\s;:.,)]|,"
_OPTION = re.compile(rf"({_COMMAND})|(?<![\w-])--([a-z]+(?:-[a-z]+)*)\b(?: ({_VALUE})(?!\w))?")
_FLAGS = {"despite-protocols", "lower-is-better", "per-task", "retention", "trust", "wide"}
_NUMBERS = {
    "against",
    "alpha",
    "at-step",
    "batch",
    "difference",
    "max-batches",
    "runs-per-gpu",
    "seeds",
}
# What may stand after an option in a sentence and is no value of it.
WORDS = {
    "a", "and", "calls", "cuts", "decides", "gives", "has", "if", "is", "names", "needs",
    "normalises", "or", "out", "says", "takes", "turns", "where", "with", "would",
}  # fmt: skip


def pythonic(text: str) -> str:
    """Return a message in which options of the command line are arguments.

    >>> pythonic("give --suite or --normalise-by")
    'give suite= or normalise_by='
    >>> pythonic("add --suite, e.g. --suite atari100k")
    'add suite=, e.g. suite="atari100k"'
    >>> pythonic("say --columns score=x; --at-step 100 cuts. See: rlbench list runs --store runs")
    'say columns={"score": "x"}; at_step=100 cuts. See: rlbench list runs --store runs'
    """
    return _OPTION.sub(_argument, text)


def _argument(found: re.Match[str]) -> str:
    command, option, value = found.groups()
    if command:
        return str(command)
    name = option.replace("-", "_")
    if option in _FLAGS:
        return f"{name}=True" + (f" {value}" if value else "")
    if value is None or value in WORDS:
        return f"{name}=" + (f" {value}" if value else "")
    return f"{name}={_value(option, value)}"


def _value(option: str, text: str) -> str:
    """Return the value of an option as Python takes it."""
    if text[0] in "'\"" and text[-1] == text[0]:
        text = text[1:-1]
    if option in _NUMBERS and re.fullmatch(r"[\d.]+", text):
        return text
    if option in ("columns", "rename", "unofficial") and "=" in text:
        key, _, value = text.partition("=")
        shown = value if option == "unofficial" and re.fullmatch(r"[\d.]+", value) else None
        return f"{{{_quoted(key)}: {shown or _quoted(value)}}}"
    if option == "normalise-by" and text.count(",") == 1:
        return "({}, {})".format(*map(_quoted, text.split(",")))
    return f"[{_quoted(text)}]" if option == "agents" else _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


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
