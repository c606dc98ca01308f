"""JSON that means one thing: written in one form, read without trust."""

import json
from typing import Any, NoReturn

from rlbench.errors import InvalidRecord

MAX_BYTES = 1_000_000
_WIDTH = 100


def dump(value: Any, indent: int = 0) -> str:
    """Return JSON with sorted keys, an entry a line, and lists that fit on a line kept on it."""
    line = json.dumps(value, sort_keys=True, allow_nan=False)
    if not isinstance(value, dict | list | tuple) or not value or len(line) + indent <= _WIDTH:
        return line
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        items = [
            f"{json.dumps(key)}: {dump(item, indent + 1)}" for key, item in sorted(value.items())
        ]
        opening, closing = "{}"
    else:
        items = [dump(item, indent + 1) for item in value]
        opening, closing = "[]"
        if not any(isinstance(item, dict | list | tuple) for item in value):
            items = _wrap(items)
    return f"{opening}\n{pad}" + f",\n{pad}".join(items) + f"\n{' ' * indent}{closing}"


def _wrap(items: list[str]) -> list[str]:
    """Join short items into lines."""
    lines = [items[0]]
    for item in items[1:]:
        if len(lines[-1]) + len(item) + 2 > _WIDTH:
            lines.append(item)
        else:
            lines[-1] += f", {item}"
    return lines


def load(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """Read JSON from outside.

    Args:
        data: UTF-8 text.
        max_bytes: The most that is read, by default 1 MB.

    Raises:
        InvalidRecord: It is too large, not JSON, nested too deeply, holds a number that is not
            finite, or names a key twice.
    """
    if len(data) > max_bytes:
        raise InvalidRecord(f"{len(data):,} bytes, over the limit of {max_bytes:,}")
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidRecord(f"not JSON: {str(error)[:120]}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:20]} is not finite")
    return number
