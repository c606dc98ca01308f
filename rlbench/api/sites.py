"""`rlbench.build_leaderboard`: the static site of a leaderboard."""

import sys
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from rlbench import suites
from rlbench.api.asking import DEFAULT_STORE, parse_suite
from rlbench.api.pythonic import in_python, pythonic
from rlbench.api.stores import Tell, load_store
from rlbench.errors import UnknownName, UsageError
from rlbench.results import Loaded, Record
from rlbench.results.scores import under_other_constants
from rlbench.results.submissions import Accepted, load
from rlbench.suites import Suite

DEFAULT_SITE = Path("site")
AnyPath = str | PathLike[str]


@in_python
def build_leaderboard(
    store: AnyPath = DEFAULT_STORE,
    *,
    out: AnyPath = DEFAULT_SITE,
    suite: str | Suite | Sequence[str | Suite] = (),
    submissions: AnyPath | None = None,
    releases: AnyPath | None = None,
    replays: AnyPath | None = None,
    retrained: AnyPath | None = None,
) -> Path:
    """Build the site from the records in a store and from published scores.

    Lines on standard error say which records no board shows.

    Args:
        store: The folder of records; ``published`` for published scores alone.
        out: The folder of the site.
        suite: Suites to show; all registered ones by default.
        submissions: A folder of submissions; refused ones are left out.
        releases: A folder of releases: each gets its boards.
        replays: What ``rlbench verify --json`` prints: it gives badges.
        retrained: What ``rlbench verify --retrained --json`` prints.

    Returns:
        The first page, ``index.html``.

    Raises:
        MissingExtra: The extra ``site`` is not installed.
        UsageError: There is no such folder or suite.
    """
    named = [suite] if isinstance(suite, str | Suite) else suite
    paths = [None if path is None else Path(path) for path in (submissions, releases, replays)]
    return build(
        Path(store), Path(out), named, *paths,
        retrained=None if retrained is None else Path(retrained),
        tell=lambda line: print(pythonic(line), file=sys.stderr, flush=True),
    )  # fmt: skip


def build(
    store: Path,
    out: Path,
    named: Sequence[str | Suite],
    submissions: Path | None,
    releases: Path | None,
    replays: Path | None,
    *,
    retrained: Path | None,
    tell: Tell,
) -> Path:
    """Build the site; `tell` is told of what it does not show. See `build_leaderboard`."""
    from rlbench.leaderboard import build_site
    from rlbench.leaderboard.releases import read_release, read_replays
    from rlbench.leaderboard.retrained import read_retrained
    from rlbench.results.plans import read_plans

    if releases and not releases.is_dir():
        raise UsageError(f"there is no folder of releases at {releases}")
    chosen = [parse_suite(name) for name in named]
    if len({each.id for each in chosen}) < len(chosen):
        raise UsageError("two of the suites that --suite names have the same name and version")
    accepted = load_submissions(submissions, tell) if submissions else Accepted([], {}, [])
    # A site may show submissions alone.
    is_read = not submissions or store.exists()
    loaded = load_store(store, tell) if is_read else Loaded([], [])
    loaded = with_submissions(loaded, accepted)
    name_left_out(loaded.records, chosen, tell)
    return build_site(
        loaded,
        out,
        replays=read_replays(replays) if replays else {},
        releases=[read_release(path) for path in sorted(releases.glob("*.json"))]
        if releases
        else [],
        only=[each.name for each in chosen] if chosen else None,
        more=[each for each in chosen if each.file],
        cards=accepted.cards,
        retrained=read_retrained(retrained) if retrained else [],
        plans=read_plans(store),
    )


def load_submissions(folder: Path, tell: Tell) -> Accepted:
    """Read a folder of submissions, and tell which are left out."""
    accepted = load(folder)
    for problem in accepted.problems:
        tell(f"left out: {problem.path}: {problem.reason}")
    return accepted


def with_submissions(loaded: Loaded, accepted: Accepted) -> Loaded:
    """Return a store's records with those of submissions; a run that is in both counts once."""
    ours = {record.sha256 for record in loaded.records}
    more = [record for record in accepted.records if record.sha256 not in ours]
    return Loaded([*loaded.records, *more], [*loaded.problems, *accepted.problems])


def name_left_out(records: Sequence[Record], chosen: Sequence[Suite], tell: Tell) -> None:
    """Tell which records no board will show, although nothing is wrong with them."""
    for suite in chosen:
        if said := under_other_constants(records, suite):
            tell(f"left out: {said}")
    if not chosen:
        for name, number in sorted(Counter(record.identity.suite for record in records).items()):
            try:
                suites.get(name)
            except UnknownName:
                tell(
                    f"left out: {number} records of {name}, which is not registered: if it is in a "
                    "file, add --suite FILE"
                )
