"""`rlbench leaderboard`: the static site, its releases, and a local look at it."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import typer

from rlbench import suites
from rlbench.api.asking import DEFAULT_STORE, parse_suite
from rlbench.cli.examples import examples
from rlbench.cli.options import ReadableStoreOption, load_store
from rlbench.cli.output import echo
from rlbench.errors import UnknownName, UsageError
from rlbench.results import Loaded, Record
from rlbench.results.scores import under_other_constants
from rlbench.results.submissions import Accepted, load
from rlbench.suites import Suite

app = typer.Typer(help="Build, freeze and serve the leaderboard.", no_args_is_help=True)

HOST = "127.0.0.1"

OutOption = Annotated[Path, typer.Option("--out", help="The folder of the site.")]


@app.command("build", epilog=examples("leaderboard build"))
def build(
    store: ReadableStoreOption = DEFAULT_STORE,
    out: OutOption = Path("site"),
    releases: Annotated[
        Path | None, typer.Option("--releases", help="A folder of releases: each gets its boards.")
    ] = None,
    replays: Annotated[
        Path | None,
        typer.Option("--replays", help="The output of `rlbench verify --json`: it gives badges."),
    ] = None,
    submissions: Annotated[
        Path | None,
        typer.Option("--submissions", help="A folder of submissions; refused ones are left out."),
    ] = None,
    retrained: Annotated[
        Path | None,
        typer.Option("--retrained", help="The output of `rlbench verify --retrained --json`."),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            "--suite", help="A suite to show, by default all registered ones; or a file; repeat."
        ),
    ] = None,
) -> None:
    """Build the site from the records in a store and from published scores."""
    from rlbench.leaderboard import build_site
    from rlbench.leaderboard.releases import read_release, read_replays
    from rlbench.leaderboard.retrained import read_retrained
    from rlbench.results.plans import read_plans

    if releases and not releases.is_dir():
        raise UsageError(f"there is no folder of releases at {releases}")
    chosen = [parse_suite(name) for name in suite or ()]
    if len({each.id for each in chosen}) < len(chosen):
        raise UsageError("two of the suites that --suite names have the same name and version")
    accepted = load_submissions(submissions) if submissions else Accepted([], {}, [])
    # A site may show submissions alone.
    loaded = load_store(store) if not submissions or store.exists() else Loaded([], [])
    loaded = with_submissions(loaded, accepted)
    name_left_out(loaded.records, chosen)
    index = build_site(
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
    echo(f"site: {index}")


def load_submissions(folder: Path) -> Accepted:
    """Read a folder of submissions, and say which are left out."""
    accepted = load(folder)
    for problem in accepted.problems:
        echo(f"left out: {problem.path}: {problem.reason}", err=True)
    return accepted


def with_submissions(loaded: Loaded, accepted: Accepted) -> Loaded:
    """Return a store's records with those of submissions; a run that is in both counts once."""
    ours = {record.sha256 for record in loaded.records}
    more = [record for record in accepted.records if record.sha256 not in ours]
    return Loaded([*loaded.records, *more], [*loaded.problems, *accepted.problems])


def name_left_out(records: Sequence[Record], chosen: Sequence[Suite]) -> None:
    """Say which records no board will show, although nothing is wrong with them."""
    for suite in chosen:
        if said := under_other_constants(records, suite):
            echo(f"left out: {said}", err=True)
    if not chosen:
        for name, number in sorted(Counter(record.identity.suite for record in records).items()):
            try:
                suites.get(name)
            except UnknownName:
                echo(
                    f"left out: {number} records of {name}, which is not registered: if it is in a "
                    "file, add --suite FILE",
                    err=True,
                )


@app.command("release", epilog=examples("leaderboard release"))
def release(
    store: ReadableStoreOption = DEFAULT_STORE,
    releases: Annotated[Path, typer.Option("--releases", help="The folder of releases.")] = Path(
        "releases"
    ),
    date: Annotated[str, typer.Option("--date", help="YYYY-MM-DD; today by default.")] = "",
) -> None:
    """Freeze today's records and published scores, as a pool for rank sets."""
    from rlbench.leaderboard.releases import freeze, write_release

    day = date or datetime.now(UTC).date().isoformat()
    frozen = freeze(load_store(store).records, day)
    path = releases / f"{day}.json"
    write_release(frozen, path)
    echo(
        f"release: {path} ({len(frozen.records):,} records, {len(frozen.published)} published "
        f"sources). To show it: rlbench leaderboard build --releases {releases}"
    )


@app.command("serve", epilog=examples("leaderboard serve"))
def serve(
    out: OutOption = Path("site"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 8000,
) -> None:
    """Serve a built site to this machine alone, until Ctrl-C."""
    if not (out / "index.html").is_file():
        raise UsageError(f"there is no site at {out}: rlbench leaderboard build --out {out}")
    handler = partial(_Handler, directory=str(out))
    try:
        server = ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise UsageError(f"cannot use port {port} ({error.strerror}): --port 0") from error
    with server:
        echo(f"site: http://{HOST}:{server.server_port}/ (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            echo("ended", err=True)


class _Handler(SimpleHTTPRequestHandler):
    """Serves files; says nothing of each request."""

    def end_headers(self) -> None:
        """Keep browsers from guessing types and from holding on to a page that is built anew."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""
