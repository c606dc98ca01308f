"""Releases: dated lists of records and published sources, which freeze who is ranked with whom.

A rank set speaks of the agents of its pool. With every agent that is added it may change, so a
number that is to be cited needs a date, and the date a list of what there was.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as calendar_date
from pathlib import Path
from typing import Any

from rlbench import __version__
from rlbench.errors import InvalidRecord, StoreError, UsageError
from rlbench.files import add_file, read_bounded
from rlbench.results import Record, published, strict_json

SCHEMA_VERSION = 1
MAX_BYTES = 64_000_000

_FIELDS = ("schema", "date", "rlbench", "records", "published")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VERSION = re.compile(r"[0-9A-Za-z.+!-]{1,40}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a board of some day was made of.

    Attributes:
        date: The day, YYYY-MM-DD.
        version: Of rlbench, which made it.
        records: The sha256 of every record, those of failed runs included.
        published: The slug of every published source to the sha256 of its scores.

    Raises:
        UsageError: The date is none.
    """

    date: str
    version: str
    records: frozenset[str]
    published: Mapping[str, str]

    def __post_init__(self) -> None:
        try:
            calendar_date.fromisoformat(self.date)
            is_date = _fits(_DATE, self.date)
        except ValueError:
            is_date = False
        if not is_date:
            raise UsageError(f"{self.date[:40]!r} is not a date of the form YYYY-MM-DD")

    def to_bytes(self) -> bytes:
        """Return the canonical file: JSON, keys and records sorted."""
        content = {
            "schema": SCHEMA_VERSION,
            "date": self.date,
            "rlbench": self.version,
            "records": sorted(self.records),
            "published": dict(self.published),
        }
        return (strict_json.dump(content) + "\n").encode()


def freeze(records: Sequence[Record], date: str) -> Release:
    """Return the release of a day.

    Args:
        records: All that there are, failed ones too: a failure must not vanish.
        date: YYYY-MM-DD.

    Raises:
        UsageError: The date is none.
    """
    return Release(
        date=date,
        version=__version__,
        records=frozenset(record.sha256 for record in records),
        published=_published(),
    )


def select(records: Sequence[Record], release: Release) -> tuple[list[Record], frozenset[str]]:
    """Return those of the records that are in a release, and the slugs of its published sources.

    Raises:
        UsageError: A record or a published source of the release is not there any more, or is not
            what it was.
    """
    by_hash = {record.sha256: record for record in records}
    if missing := sorted(release.records - by_hash.keys()):
        raise UsageError(
            f"release {release.date} names {_counted(len(missing), 'record')} that the store does "
            f"not hold, or not as {'it was' if len(missing) == 1 else 'they were'}, "
            f"e.g. {missing[0][:12]}"
        )
    here = _published()
    if other := sorted(s for s, sha256 in release.published.items() if here.get(s) != sha256):
        raise UsageError(
            f"release {release.date} names {_counted(len(other), 'published source')} that rlbench "
            f"{__version__} does not have, or with other scores, e.g. {other[0]}: build it with "
            f"rlbench {release.version}"
        )
    chosen = [record for sha256, record in by_hash.items() if sha256 in release.records]
    return chosen, frozenset(release.published)


def write_release(release: Release, path: Path) -> None:
    """Write a release: the file appears complete or not at all.

    Raises:
        UsageError: There is a file of that name; a release is never changed.
        StoreError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        add_file(path, release.to_bytes())
    except OSError as error:
        if os.path.lexists(path):
            raise UsageError(f"{path} already exists: a release is never changed") from error
        raise StoreError(f"cannot write the release {path}: {error.strerror}") from error


def read_release(path: Path) -> Release:
    """Read a release.

    Raises:
        UsageError: The file cannot be read, is larger than 64 MB, or is no release; the message
            names it.
    """
    content = _read_json(path)
    try:
        return _release_of(content)
    except UsageError as error:
        raise UsageError(f"{path} is not a release: {error}") from error


def read_replays(path: Path) -> dict[str, bool]:
    """Read what ``rlbench verify --json`` printed.

    Returns:
        The sha256 of each record to whether its final evaluation came out equal, every time.

    Raises:
        UsageError: The file cannot be read, is larger than 64 MB, or is not of that form; the
            message names it.
    """
    rows = _read_json(path)
    if not isinstance(rows, list):
        raise UsageError(f"{path} is not a list of rows, as rlbench verify --json prints it")
    replays: dict[str, bool] = {}
    for number, row in enumerate(rows, 1):
        match row:
            case {"record": str(record), "equal": bool(equal)} if _fits(_SHA256, record):
                replays[record] = equal and replays.get(record, True)
            case _:
                raise UsageError(
                    f"{path}, row {number}: not the record (64 hexadecimal digits) and equal (true "
                    "or false) that rlbench verify --json prints"
                )
    return replays


def _published() -> dict[str, str]:
    return {source.slug: published.sha256_of_scores(source) for source in published.sources()}


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _read_json(path: Path) -> Any:
    try:
        return strict_json.load(read_bounded(path, MAX_BYTES), MAX_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except InvalidRecord as error:
        raise UsageError(f"{path}: {error}") from error


def _release_of(content: Any) -> Release:
    """Return the release in plain data.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(content, dict) or set(content) != set(_FIELDS):
        raise UsageError(f"it must have the fields {', '.join(_FIELDS)}, and no others")
    schema, date, version, records, papers = (content[name] for name in _FIELDS)
    if type(schema) is not int or schema != SCHEMA_VERSION:
        raise UsageError(f"its schema is not {SCHEMA_VERSION}")
    if not isinstance(date, str):
        raise UsageError("its date is not text")
    if not _fits(_VERSION, version):
        raise UsageError("its rlbench is not a version")
    if not isinstance(records, list) or not all(_fits(_SHA256, sha256) for sha256 in records):
        raise UsageError("its records are not a list of sha256, 64 hexadecimal digits each")
    if len(set(records)) < len(records):
        raise UsageError("it names a record twice")
    if not isinstance(papers, dict) or not all(
        _fits(_SLUG, slug) and _fits(_SHA256, sha256) for slug, sha256 in papers.items()
    ):
        raise UsageError("its published sources are not slugs with a sha256 each")
    return Release(date=date, version=version, records=frozenset(records), published=papers)


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
