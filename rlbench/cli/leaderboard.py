"""`rlbench leaderboard`: the static site, its releases, and a local look at it."""

from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import typer

from rlbench.api import sites
from rlbench.api.asking import DEFAULT_STORE
from rlbench.cli.examples import examples
from rlbench.cli.options import ReadableStoreOption, load_store, tell
from rlbench.cli.output import echo
from rlbench.errors import UsageError

app = typer.Typer(help="Build, freeze and serve the leaderboard.", no_args_is_help=True)

HOST = "127.0.0.1"

OutOption = Annotated[Path, typer.Option("--out", help="The folder of the site.")]


@app.command("build", epilog=examples("leaderboard build"))
def build(
    store: ReadableStoreOption = DEFAULT_STORE,
    out: OutOption = sites.DEFAULT_SITE,
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
    index = sites.build(
        store, out, suite or (), submissions, releases, replays, retrained=retrained, tell=tell
    )
    echo(f"site: {index}")


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
    out: OutOption = sites.DEFAULT_SITE,
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
