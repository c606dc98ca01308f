"""Folders of submissions: finding bundles, what a pull request changed, and what is accepted."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rlbench.errors import StoreError, UsageError
from rlbench.results.record import Record
from rlbench.results.store import Problem
from rlbench.results.submissions.bundle import (
    CARD,
    Refusal,
    link_problem,
    name_problem,
    read_bundle,
)
from rlbench.results.submissions.card import NAMESPACE, Card
from rlbench.results.submissions.checks import Submission, check_between, check_files

FOLDER = "submissions"  # in a repository
MAX_ENTRIES = 1_000_000  # of a repository
_BLOCK = 1 << 20
_OWN = "submit from a branch that changes nothing else"


class Checked(NamedTuple):
    """What came of a check.

    Attributes:
        accepted: Submissions without a refusal, of those that were checked.
        refused: All that is wrong, of all of them.
    """

    accepted: list[Submission]
    refused: list[Refusal]


def check(root: Path, base: Path | None = None, namespace: str = "") -> Checked:
    """Check a bundle, or a folder of them.

    Args:
        root: A bundle; a folder of namespaces; or a repository with a folder ``submissions``.
        base: The same folder as it was accepted. All that is not equal there must be a new bundle,
            all new bundles in one namespace, and only these are checked.
        namespace: Of whoever asks; only with `base`.

    Raises:
        UsageError: There is no such folder, or no bundle in it.
        StoreError: A folder cannot be listed.
    """
    for folder in filter(None, (root, base)):
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}")
    root = root.resolve()
    if base is None:
        top, places = _find(root)
        new, refused = set(places), list(_strays(top, places, whole=top in (root, root / FOLDER)))
    else:
        inside = _is_folder(root / FOLDER) or _is_folder(base / FOLDER)
        top = root / FOLDER if inside else root
        places = _places(top)
        new, refused = _compared(root, base, f"{FOLDER}/" if inside else "", places)
        refused += _one_namespace({place.partition("/")[0] for place in new}, namespace)
    found: dict[bool, list[Submission]] = {True: [], False: []}
    for place in places:
        files, problems = read_bundle(top / place, place)
        submission, more = check_files(place, files)
        if place in new:
            refused += [*problems, *more]
        if submission is not None:
            found[place in new].append(submission)
    refused += check_between(found[True], found[False])
    bad = {"/".join(refusal.where.split("/")[:2]) for refusal in refused}
    return Checked([s for s in found[True] if s.place not in bad], refused)


def _compared(
    root: Path, base: Path, prefix: str, places: Sequence[str]
) -> tuple[set[str], list[Refusal]]:
    """Return the bundles that are not in the base, and all other changes as refusals."""
    accepted = set(_places(base / prefix))
    changed: list[str] = []
    refused: list[Refusal] = []
    for name, problem in _changes(root, base):
        changed.append(name.removeprefix(prefix))
        refused += _own_additions(name, problem, prefix, accepted)
    touched = {"/".join(name.split("/")[:2]) for name in changed}
    return {place for place in places if place in touched} - accepted, refused


def _find(root: Path) -> tuple[Path, list[str]]:
    """Return the folder of namespaces, and the places of the bundles that are asked for.

    Raises:
        UsageError: There is no bundle.
        StoreError: A folder cannot be listed.
    """
    if os.path.lexists(root / CARD):
        return root.parent.parent, [f"{root.parent.name}/{root.name}"]
    if any(os.path.lexists(path / CARD) for path in _folders(root)):
        return root.parent, [f"{root.name}/{path.name}" for path in _folders(root)]
    top = root / FOLDER if _is_folder(root / FOLDER) else root
    places = _places(top)
    if not any(os.path.lexists(top / place / CARD) for place in places):
        raise UsageError(f"{root} holds no submission: rlbench submit makes one")
    return top, places


def _places(top: Path) -> list[str]:
    """Return the places of all bundles in a folder of namespaces; none if it is not there."""
    return [
        f"{namespace.name}/{path.name}"
        for namespace in (_folders(top) if _is_folder(top) else [])
        for path in _folders(namespace)
    ]


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise StoreError(f"cannot list {path}: {error.strerror}") from error
    return [path / name for name in sorted(names) if name != ".git"]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _strays(top: Path, places: Sequence[str], *, whole: bool) -> Iterator[Refusal]:
    """Refuse what stands in a namespace and is in no bundle, and links in place of namespaces."""
    if whole:
        with os.scandir(top) as entries:
            for name in sorted(entry.name for entry in entries if entry.is_symlink()):
                yield Refusal("link", ascii(name)[1:-1][:200], "it is a symbolic link", "remove it")
    for namespace in sorted({place.partition("/")[0] for place in places}):
        if not NAMESPACE.fullmatch(namespace):
            yield Refusal("name", ascii(namespace)[1:-1][:100], "it is not a valid namespace",
                          "use a to z, 0 to 9 and -")  # fmt: skip
        with os.scandir(top / namespace) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if not entry.is_dir(follow_symlinks=False):
                    where = ascii(f"{namespace}/{entry.name}")[1:-1][:200]
                    problem = link_problem(entry.stat(follow_symlinks=False))
                    yield Refusal("link" if problem else "file", where,
                                  problem or "it is in no bundle", "remove it")  # fmt: skip


def _changes(root: Path, base: Path) -> Iterator[tuple[str, str]]:
    """Give the path of each thing that is not as in the base, and how; nothing if it is new."""
    ours, theirs = _entries(root), _entries(base)
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours:
            yield name, "it was removed"
        elif name not in theirs:
            yield name, ""
        elif not _is_same(root / name, base / name, ours[name], theirs[name]):
            yield name, "it was changed"


def _entries(root: Path) -> dict[str, os.stat_result]:
    """Return all that is no folder, by its path below a repository."""
    found: dict[str, os.stat_result] = {}
    left = [(root, "")]
    while left:
        folder, above = left.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not above and entry.name == ".git":
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        left.append((folder / entry.name, f"{above}{entry.name}/"))
                    else:
                        found[f"{above}{entry.name}"] = entry.stat(follow_symlinks=False)
        except OSError as error:
            raise StoreError(f"cannot list {folder}: {error.strerror}") from error
        if len(found) > MAX_ENTRIES:
            raise UsageError(f"{root} holds more than {MAX_ENTRIES:,} files")
    return found


def _is_same(one: Path, other: Path, a: os.stat_result, b: os.stat_result) -> bool:
    """Say whether two things are equal files, or links to the same; nothing else is equal."""
    if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
        return False
    if stat.S_ISLNK(a.st_mode):
        return os.readlink(one) == os.readlink(other)
    if not stat.S_ISREG(a.st_mode) or a.st_size != b.st_size:
        return False
    if (a.st_mode ^ b.st_mode) & stat.S_IXUSR:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(_BLOCK):
            if block != second.read(_BLOCK):
                return False
    return True


def _own_additions(name: str, problem: str, prefix: str, accepted: set[str]) -> Iterator[Refusal]:
    """Refuse a change that is no new file in a new bundle."""
    where = ascii(name)[1:-1][:200]
    parts = name.removeprefix(prefix).split("/")
    if problem:
        yield Refusal("changed", where, problem, _OWN)
    elif not name.startswith(prefix) or len(parts) < 3:
        yield Refusal("changed", where, "it was added, but is in no bundle", _OWN)
    elif "/".join(parts[:2]) in accepted:
        yield Refusal("changed", where, "it was added to a bundle that was accepted before",
                      "ask a maintainer to add runs to it")  # fmt: skip
    elif not NAMESPACE.fullmatch(parts[0]) or name_problem(parts[1]):
        yield Refusal("name", where, "not a name of a namespace or bundle", "run rlbench submit")


def _one_namespace(found: set[str], namespace: str) -> Iterator[Refusal]:
    if namespace and (others := sorted(found - {namespace.lower()})):
        yield Refusal("namespace", ascii(others[0])[1:-1][:100], "this namespace is not "
                      f"{namespace.lower()!r}, that of the submitter",
                      "submit in your own namespace")  # fmt: skip
    elif len(found) > 1:
        yield Refusal("namespace", ", ".join(sorted(found))[:200], "additions in several folders",
                      "submit to one folder at a time")  # fmt: skip


class Accepted(NamedTuple):
    """What a site shows of a folder of submissions.

    Attributes:
        records: Of all bundles without a refusal.
        cards: Their cards, by suite id and `Identity.agent_key`.
        problems: Why others are left out.
    """

    records: list[Record]
    cards: Mapping[tuple[str, str], Card]
    problems: list[Problem]


def load(root: Path) -> Accepted:
    """Return what a folder of submissions holds; a bundle that the gate refuses is left out.

    Raises:
        UsageError: There is no such folder.
        StoreError: It cannot be listed.
    """
    checked = check(root)
    return Accepted(
        [record for s in checked.accepted for record in s.records.values()],
        {(s.suite.id, s.identity.agent_key): s.card for s in checked.accepted},
        [Problem(root / r.where, f"{r.problem}; {r.advice}") for r in checked.refused],
    )
