"""Values of options and constants: which there are, and how the command line writes them."""

import json
import math
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from rlbench.errors import InvalidRecord, UsageError
from rlbench.results import strict_json

MAX_DEPTH = 5  # lists and objects in each other
MAX_ITEMS = 1000  # of a list or an object
MAX_STRING = 1000  # characters
MAX_INTEGER = 2**63

_WORDS = {"true": True, "false": False, "none": None, "null": None}
_SPECIAL = frozenset(",[]{}\"'")


def plain(value: object, depth: int = 0) -> Any:
    """Return a value as a record holds it: tuples become lists.

    Args:
        value: A boolean, number, string, None, or lists and objects of these.
        depth: How many lists and objects it stands in.

    Raises:
        ValueError: It is something else, not finite, too long or nested too deeply.
    """
    if value is None or type(value) is bool:
        return value
    if type(value) in (int, float):
        return _number(value)  # type: ignore[arg-type]
    if type(value) is str:
        if len(value) > MAX_STRING or not value.isprintable():
            raise ValueError(f"strings must be printable, of at most {MAX_STRING} characters")
        return value
    if type(value) not in (list, tuple, dict):
        raise ValueError(
            f"values must be numbers, strings, booleans, none, lists or tables, not"
            f" {type(value).__name__}"
        )
    assert isinstance(value, list | tuple | dict)
    if depth == MAX_DEPTH or len(value) > MAX_ITEMS:
        raise ValueError(
            f"lists and tables may be {MAX_DEPTH} deep, and have {MAX_ITEMS:,} items each"
        )
    if isinstance(value, dict):
        if not all(type(name) is str for name in value):
            raise ValueError("the names in a table must be strings")
        return {plain(name): plain(item, depth + 1) for name, item in value.items()}
    return [plain(item, depth + 1) for item in value]


def _number(value: float) -> float:
    # The integers first: the largest of them are beyond what a float can hold.
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise ValueError("integers must fit into 64 bits")
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value


def parse_value(text: str) -> Any:
    """Return the value that the command line writes as `text`.

    ``true``, ``false``, ``none`` and numbers are read as such, ``[...]`` and ``{...}`` as JSON,
    ``@FILE`` as the path of a file; quotes keep a string a string, and all else is one.

    Raises:
        UsageError: A number is not finite, a list or an object is not JSON, or a quotation is
            left open.
    """
    text = text.strip()
    if text[:1] == "@":
        return Path(text[1:])
    try:
        value = _parse_plain(text)
        return plain(value)
    except ValueError as error:
        raise UsageError(f"{text[:100]}: {error}; to mean a string, put it in quotes") from error


def _parse_plain(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text[:1] == "'":
        if len(text) < 2 or text.find("'", 1) != len(text) - 1:
            raise ValueError("the quotation does not end at the end")
        return text[1:-1]
    if text[:1] in ('"', "[", "{"):
        try:
            return strict_json.load(text.encode())
        except (InvalidRecord, UnicodeEncodeError) as error:
            raise ValueError(str(error)) from error
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def parse_assignment(text: str) -> tuple[str, Any]:
    """Return name and value of ``name=value``, see `parse_value`.

    Raises:
        UsageError: It is not of that form, or the value cannot be read.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise UsageError(f"{text!r} is not of the form name=value")
    try:
        return name, parse_value(value)
    except UsageError as error:
        raise UsageError(f"{name}={error}") from error


def parse_assignments(text: str, strings: Container[str] = ()) -> dict[str, Any]:
    """Return the values in ``name=value,name=[1,2]``.

    Args:
        text: What the command line holds.
        strings: Names whose values are strings: a word that else means something, such as
            ``none``, is itself.

    Raises:
        UsageError: One is not of that form, a value cannot be read, or a name has two values.
    """
    return parse_options(_quoted(part, strings) for part in _split(text) if part.strip())


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``name=value`` texts by name.

    Raises:
        UsageError: One is not of that form, a value cannot be read, or a name has two values.
    """
    found: dict[str, Any] = {}
    for name, value in map(parse_assignment, texts):
        if name in found:
            raise UsageError(f"{name} has two values, {found[name]} and {value}: give it once")
        found[name] = value
    return found


def _quoted(assignment: str, strings: Container[str]) -> str:
    """Return an assignment with its value in quotes, if the name is of a string without any."""
    name, equals, value = (part.strip() for part in assignment.partition("="))
    if not equals or name not in strings or value[:1] in ('"', "'"):
        return assignment
    return f"{name}={json.dumps(value)}"


def _split(text: str) -> list[str]:
    """Split at commas, except in brackets and in quotes that open a value or stand in brackets."""
    parts, depth, quote, before = [""], 0, "", ""
    for char in text:
        if quote:
            # A backslash escapes in double quotes; two of them are no escape of what follows.
            escaped = before == "\\" and quote == '"'
            quote = "" if char == quote and not escaped else quote
            before = "" if escaped else char
            parts[-1] += char
            continue
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
        if (char == '"' and depth) or (char in "\"'" and before == "="):
            quote = char
        depth = max(0, depth + (char in "[{") - (char in "]}"))
        before = char if not char.isspace() else before
    return parts


def value_text(value: Any) -> str:
    """Return a value as `parse_value` reads it."""
    if isinstance(value, str) and not _SPECIAL & set(value) and _is_itself(value):
        return value
    if value is None:
        return "none"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _is_itself(text: str) -> bool:
    try:
        return bool(parse_value(text) == text)
    except UsageError:
        return False


def unofficial_text(values: Mapping[str, Any]) -> str:
    """Return constants or options in the form of the command line: ``budget=2000,episodes=5``."""
    return ",".join(f"{name}={value_text(value)}" for name, value in sorted(values.items()))
