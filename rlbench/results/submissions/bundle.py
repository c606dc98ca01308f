"""A bundle: the records of one agent on one suite with their card, as files in a folder.

::

    NAMESPACE/SUITE-VERSION-AGENT-KEY/card.toml      what people say of it
                                      bundle.json    its runs, their hashes and scores
                                      records/       a store; actions beside records are optional
"""

import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from math import fsum
from pathlib import Path
from typing import Any, NamedTuple

from rlbench.errors import StoreError, UsageError
from rlbench.files import read_bounded
from rlbench.results import strict_json
from rlbench.results.identity import Identity
from rlbench.results.record import Record
from rlbench.results.store import MAX_ACTIONS, Store
from rlbench.results.submissions import card as cards
from rlbench.results.submissions.card import Card
from rlbench.suites import Suite

CARD, SUMMARY, RECORDS = "card.toml", "bundle.json", "records"
SCHEMA_VERSION = 1
MAX_FILES = 20_000
MAX_DEPTH = 5  # folders and file below a bundle
MAX_SUMMARY = 5_000_000  # bytes
MAX_ACTIONS_FILE = 10_000_000
MAX_BUNDLE = 100_000_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{w}{n}" for w in ("com", "lpt") for n in range(10))}

Files = Mapping[str, bytes]  # path below the bundle to content


class Refusal(NamedTuple):
    """Why a submission is refused.

    Attributes:
        kind: Which rule; a word that stays.
        where: The file or folder.
        problem: What is wrong.
        advice: What to do.
    """

    kind: str
    where: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}; {self.advice}"


def place_of(namespace: str, identity: Identity) -> str:
    """Return where the bundle of an agent on a suite stands below the folder of submissions."""
    suite, agent, _ = identity.folder
    return f"{namespace}/{suite}-{agent}-{identity.agent_key[:8]}"


def names_of(records: Sequence[Record]) -> dict[str, Record]:
    """Return records by their files below a bundle; failed attempts are numbered by their end."""
    store = Store(RECORDS)
    found: dict[str, Record] = {}
    attempts: dict[str, int] = {}
    for record in sorted(records, key=lambda r: (str(r.timing.get("finished", "")), r.sha256)):
        path = store.record_of(record.identity)
        if record.status != "ok":
            number = attempts[record.identity.key] = attempts.get(record.identity.key, 0) + 1
            path = path.with_name(f"{path.stem}.failed{number}.json")
        found[path.as_posix()] = record
    return dict(sorted(found.items()))


def actions_name(path: str, record: Record) -> str:
    """Return the file of a record's actions below a bundle; nothing if it has none to replay."""
    if record.replay is None:
        return ""
    return f"{path.removesuffix('.json')}-{record.replay.actions[:16]}.actions"


def summary_of(records: Mapping[str, Record], files: Files, suite: Suite) -> dict[str, Any]:
    """Return what ``bundle.json`` holds: the runs, the hashes of their files, and their scores.

    Args:
        records: By file; of one agent.
        files: At least the files of the records.
        suite: The suite of all records.
    """
    identity = next(iter(records.values())).identity
    scores: dict[str, dict[str, float]] = {}
    for record in records.values():
        if record.status == "ok":
            of_task = scores.setdefault(record.identity.task, {})
            of_task[str(record.identity.seed)] = record.score
    means = {task: fsum(runs.values()) / len(runs) for task, runs in scores.items()}
    shares = []
    for name, mean in means.items():
        task = suite.task(name)
        shares.append((mean - task.low) / (task.high - task.low))
    return {
        "schema": SCHEMA_VERSION,
        "suite": identity.suite,
        "agent": identity.agent.name,
        "agent_key": identity.agent_key,
        "files": {name: sha256(files[name]).hexdigest() for name in sorted(records)},
        "scores": scores,
        "means": means,
        "normalised_mean": fsum(shares) / len(shares) if shares else None,
    }


def make_bundle(records: Sequence[Record], card: Card, suite: Suite) -> dict[str, bytes]:
    """Return the files of a bundle.

    Args:
        records: Of one agent on one suite, failed attempts included.
        card: Its card.
        suite: The suite.
    """
    named = names_of(records)
    files = {name: record.to_bytes() for name, record in named.items()}
    fields = {n: list(v) if isinstance(v, tuple) else v for n, v in _fields(card).items()}
    summary = strict_json.dump(summary_of(named, files, suite)) + "\n"
    return {CARD: cards.to_toml(fields), SUMMARY: summary.encode(), **files}


def _fields(card: Card) -> dict[str, Any]:
    return {name: getattr(card, name) for name in cards.FIELDS}


def actions_of(records: Sequence[Record], store: Store) -> dict[str, bytes]:
    """Return the files of actions that a store has, by their names below a bundle.

    Raises:
        StoreError: One was changed, or is larger than a bundle may hold.
    """
    found = {}
    for path, record in names_of(records).items():
        name = actions_name(path, record)
        if record.status == "ok" and name:
            found[name] = store.read_actions(record)
            if len(found[name]) > MAX_ACTIONS_FILE:
                raise StoreError(
                    f"the actions of run {record.identity.key} have {len(found[name]):,} bytes, "
                    f"over the limit of {MAX_ACTIONS_FILE:,}: leave out --actions"
                )
    return found


def write_bundle(files: Files, folder: Path) -> None:
    """Write a bundle: the folder appears complete or not at all.

    Raises:
        UsageError: It is there already.
        StoreError: It cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(folder):
            raise UsageError(f"{folder} is there already: remove it, or choose another --out")
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as apart:
            fresh = Path(apart) / "bundle"
            for name, content in files.items():
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            os.replace(fresh, folder)
    except OSError as error:
        raise StoreError(f"cannot write the bundle {folder}: {error.strerror}") from error


def name_problem(name: str) -> str:
    """Say why a file or folder may not be called so; nothing if it may."""
    if not _NAME.fullmatch(name):
        return "a name has 1 to 200 of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
    if name.endswith(".") or name.split(".")[0] in _RESERVED:
        return "some systems do not allow this file name"
    return ""


def read_bundle(folder: Path, where: str) -> tuple[dict[str, bytes], list[Refusal]]:
    """Read the files of a bundle without trust: no link is followed, and all is bounded.

    Args:
        folder: The bundle.
        where: What to call it in refusals.

    Returns:
        Path below the bundle to content, of all that may be read; and what is refused.
    """
    files: dict[str, bytes] = {}
    refused: list[Refusal] = []
    total = 0
    for number, (name, path, problem) in enumerate(_walk(folder, "", refused, where)):
        if number >= MAX_FILES or total > MAX_BUNDLE:
            refused.append(Refusal(
                "size", where, f"over the limit of {MAX_FILES:,} files or {MAX_BUNDLE:,} bytes",
                "leave out the actions, or split the suite",
            ))  # fmt: skip
            break
        if problem:
            refused.append(
                Refusal("link", f"{where}/{_shown(name)}", problem, "commit plain files")
            )
            continue
        try:
            files[name] = read_bounded(path, limit_of(name))
            total += len(files[name])
        except OSError as error:
            refused.append(
                Refusal("size", f"{where}/{name}", str(error.strerror), "make it smaller")
            )
    return files, refused


def limit_of(name: str) -> int:
    """Return how many bytes a file of a bundle may have, by its name."""
    if name.endswith(".actions"):
        return min(MAX_ACTIONS_FILE, MAX_ACTIONS)
    return {CARD: cards.MAX_BYTES, SUMMARY: MAX_SUMMARY}.get(name, strict_json.MAX_BYTES)


def _walk(
    folder: Path, above: str, refused: list[Refusal], where: str
) -> Iterator[tuple[str, Path, str]]:
    """Give the name below the bundle, the path and the problem of each thing that is no folder."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        refused.append(Refusal("size", f"{where}/{above}", f"cannot be listed: {error.strerror}",
                               "make the folder readable"))  # fmt: skip
        return
    for entry in found:
        name = f"{above}{entry.name}"
        if problem := name_problem(entry.name):
            refused.append(Refusal("name", f"{where}/{_shown(name)}", problem, "rename it"))
            continue
        if entry.is_dir(follow_symlinks=False):
            if name.count("/") + 2 > MAX_DEPTH:
                refused.append(Refusal("place", f"{where}/{name}", "nested too deeply",
                                       "use rlbench submit"))  # fmt: skip
                continue
            yield from _walk(folder / entry.name, f"{name}/", refused, where)
        else:
            yield name, folder / entry.name, link_problem(entry.stat(follow_symlinks=False))


def link_problem(status: os.stat_result) -> str:
    """Say why something is no plain file of its own; nothing if it is."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a file but a pipe, a socket or a device"
    return "it is a hard link to another file" if status.st_nlink > 1 else ""


def _shown(name: str) -> str:
    """Return a name that may hold anything in ASCII."""
    return ascii(name)[1:-1][:120]
