"""A card: what a submission says of itself, in TOML that people write."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rlbench.results.identity import GIVEN
from rlbench.results.text import is_visible

MAX_BYTES = 20_000
MAX_SEEDS = 1000
MAX_COUNT = 10**6
NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?")
_URL = re.compile(
    r"https://[a-z0-9](?:[a-z0-9.-]{0,200}[a-z0-9])?(?:[/?#][!#-;=?-\[\]_a-z~]{0,250})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a submission says of itself.

    Attributes:
        namespace: The folder of whoever submits, e.g. the name of an account.
        who: Names of people or groups.
        paper: The address of a paper; empty if there is none.
        code: The address of the agent's code; empty if it is not public.
        licence: Of the records, e.g. ``CC-BY-4.0``.
        given: What the agent was given, see `identity.GIVEN`; as its records say.
        configurations: How many configurations were tried on this suite, this one counted.
        seeds: The seeds that were planned before the first run.
        other_seeds: How many more seeds of this configuration were run and are not in the bundle.
        failed: How many failed attempts are in the bundle.
        deterministic: The agent's scores may repeat, since nothing in it is random or learned.
        note: Anything else.
    """

    namespace: str
    who: tuple[str, ...]
    paper: str
    code: str
    licence: str
    given: tuple[str, ...]
    configurations: int
    seeds: tuple[int, ...]
    other_seeds: int
    failed: int
    deterministic: bool
    note: str


def _is_text(value: object, most: int, least: int = 0) -> bool:
    return isinstance(value, str) and least <= len(value.strip()) <= most and is_visible(value)


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and least <= value <= MAX_COUNT


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and (
        value == "" or _URL.fullmatch(value.lower()) is not None
    )  # fmt: skip


def _is_namespace(value: object) -> bool:
    return isinstance(value, str) and NAMESPACE.fullmatch(value) is not None


def _is_who(value: object) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= 50 and all(
        _is_text(name, 200, 1) for name in value
    )  # fmt: skip


def _is_given(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value) and (
        value == sorted(set(value) & set(GIVEN))
    )  # fmt: skip


def _are_seeds(value: object) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_SEEDS
        and all(type(seed) is int and 0 <= seed < 2**32 for seed in value)
        and value == sorted(set(value))
    )


# Of each field: whether a value fits, what it must be, and what the file says of it.
FIELDS: dict[str, tuple[Callable[[object], bool], str, str]] = {
    "namespace": (
        _is_namespace, "1 to 39 of a-z, 0-9 and -, without - at either end",
        "your folder, e.g. the name of your account, in lowercase letters",
    ),
    "who": (_is_who, "1 to 50 names, of at most 200 visible characters each", "people or groups"),
    "paper": (_is_url, "an https:// address, or empty", "empty if there is none"),
    "code": (_is_url, "an https:// address, or empty", "empty if it is not public"),
    "licence": (
        lambda value: _is_text(value, 100, 1), "1 to 100 visible characters",
        "of these records, e.g. CC-BY-4.0",
    ),
    "given": (
        _is_given, f"a sorted list of {', '.join(GIVEN)}",
        "what the agent was given, as its records state it",
    ),
    "configurations": (
        lambda value: _is_count(value, 1), f"a number from 1 to {MAX_COUNT:,}",
        "how many configurations you tried on this suite, including this one",
    ),
    "seeds": (
        _are_seeds, f"1 to {MAX_SEEDS} seeds below 2^32, in increasing order",
        "the seeds that you planned before the first run",
    ),
    "other_seeds": (
        lambda value: _is_count(value, 0), f"a number from 0 to {MAX_COUNT:,}",
        "how many more seeds of this configuration you ran and left out",
    ),
    "failed": (
        lambda value: _is_count(value, 0), f"a number from 0 to {MAX_COUNT:,}",
        "how many failed attempts are in the bundle",
    ),
    "deterministic": (
        lambda value: isinstance(value, bool), "true or false",
        "true if nothing in the agent is random or learned, so that scores may repeat",
    ),
    "note": (
        lambda value: _is_text(value, 2000), "at most 2,000 visible characters, on one line",
        "anything else that a reader must know",
    ),
}  # fmt: skip


_EMPTY: dict[str, Any] = {"who": [], "configurations": 0}  # text, if nothing is said


def read_fields(data: bytes) -> tuple[dict[str, Any], str]:
    """Return the fields in a card's file, and why there are none; nothing if there are.

    The fields are as the file has them: `problems_of` says whether they make a card.
    """
    if len(data) > MAX_BYTES:
        return {}, f"{len(data):,} bytes, over the limit of {MAX_BYTES:,}"
    try:
        return tomllib.loads(data.decode()), ""
    except (ValueError, RecursionError) as error:
        return {}, f"not TOML: {' '.join(str(error).split())[:120]}"


def problems_of(fields: Mapping[str, Any]) -> list[str]:
    """Return what keeps fields from making a card, a line each."""
    found = [f"there is no field {name[:60]!r}" for name in fields if name not in FIELDS][:10]
    for name, (fits, must_be, _) in FIELDS.items():
        if name not in fields:
            found.append(f"{name} is missing: {must_be}")
        elif not fits(fields[name]):
            found.append(f"{name} is not {must_be}")
    return found


def card_of(fields: Mapping[str, Any]) -> Card:
    """Return the card in fields that have no problem."""
    values: Any = {n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()}
    return Card(**values)


def to_toml(fields: Mapping[str, Any]) -> bytes:
    """Return a card's file; fields that are missing are left empty, to be filled in."""
    lines = ["# The card of a submission to rlbench."]
    for name, (_, _, comment) in FIELDS.items():
        value = fields.get(name, _EMPTY.get(name, ""))
        # What JSON writes of text, numbers, booleans and lists is TOML, too.
        lines += ["", f"# {comment}", f"{name} = {json.dumps(value, ensure_ascii=False)}"]
    return ("\n".join(lines) + "\n").encode()
