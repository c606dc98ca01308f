"""`rlbench data`: fetch datasets, and look at those that are here."""

import sys
import time
from typing import Annotated, Any

import typer

from rlbench import suites
from rlbench.cli.examples import examples
from rlbench.cli.options import JsonOption, tell
from rlbench.cli.output import echo, print_json, print_table, tell_in_place
from rlbench.errors import FetchError, UnknownName, UsageError
from rlbench.suites.fetching import TIMEOUT, data_folder, status_of
from rlbench.suites.neorl2 import files as neorl2
from rlbench.suites.procgen import reference
from rlbench.suites.teachmyagent.protocols import SHA256 as PARKOUR

NAMES = ("neorl2", "parkour", reference.NAME)
_INTERRUPTED = 130

app = typer.Typer(help="Fetch datasets, and look at those that are here.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="neorl2, parkour or procgen-reference.")]
TaskOption = Annotated[str, typer.Option("--task", help="One task; else all.")]


@app.command("fetch", epilog=examples("data fetch"))
def fetch(
    name: NameArgument,
    task: TaskOption = "",
    host: Annotated[
        str, typer.Option("--host", help="Another host with the official files (and no mirror).")
    ] = "",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds to wait for any byte.")
    ] = TIMEOUT,
) -> None:
    """Fetch what is not here yet, check it, and go on where an earlier attempt ended."""
    _check(name)
    if name == "parkour":
        wanted = ", ".join(f"{file} (sha256 {digest})" for file, digest in PARKOUR.items())
        raise UsageError(
            f"parkour's files have no address with a known checksum: put them in {data_folder()} "
            f"yourself: {wanted}"
        )
    how: dict[str, Any] = {"timeout": timeout, "progress": _Progress()}
    if host:
        how["host"] = host.rstrip("/")
    try:
        if name == reference.NAME:
            if task:
                raise UsageError(f"{name} has no tasks: leave out --task")
            _fetch_reference(how)
        else:
            _fetch_neorl2(task, how)
    except KeyboardInterrupt:
        tell("interrupted: the same command goes on with what came")
        raise typer.Exit(_INTERRUPTED) from None


def _fetch_reference(how: dict[str, Any]) -> None:
    """Fetch OpenAI's build of Procgen unless it is here."""
    if reference.status() != "verified":
        reference.fetch_reference(**how)
    echo(f"{reference.folder()}: {reference.status()}")


def _fetch_neorl2(task: str, how: dict[str, Any]) -> None:
    """Fetch the files of a task of NeoRL-2, or of all, that are not here."""
    chosen = neorl2.data_files(task)
    for file in chosen:
        place = {"mirror": ""} if "host" in how else {}
        echo(f"{file.path}: {_fetch_data(file, how | place)}")
    if any(file.task == "Fusion" for file in chosen):
        place = {"host": f"{how['host']}/Fusion/weights"} if "host" in how else {}
        neorl2.fetch_networks(**how | place)
        echo(f"{data_folder() / 'neorl2' / 'fusion'}: verified")


def _fetch_data(file: neorl2.DataFile, how: dict[str, Any]) -> str:
    """Fetch a file unless the official one is here; return what is here then."""
    status = neorl2.status_here(file)
    if status == "verified":
        return status
    if status != "unverified":
        return neorl2.fetch_data(file, tell, **how)
    try:
        return neorl2.fetch_data(file, tell, **how | {"mirror": ""})
    except FetchError as error:
        tell(f"{error}: the file that is here stays")
        return status


@app.command("list", epilog=examples("data list"))
def list_data(json: JsonOption = False) -> None:
    """List the files of all datasets: which are here, and whether they are the official ones."""
    rows: list[dict[str, Any]] = []

    def add(name: str, task: str | None, path: Any, status: str) -> None:
        rows.append(dict(zip(columns, (name, task, path.name, status), strict=True)))

    columns = ("dataset", "task", "file", "status")
    for file in neorl2.data_files(""):
        add("neorl2", file.task, file.path, neorl2.status_here(file))
    add("neorl2", "Fusion", data_folder() / "neorl2" / "fusion", neorl2.networks_status())
    for file_name in PARKOUR:
        path = data_folder() / file_name
        add("parkour", None, path, status_of(path, PARKOUR[file_name]))
    add(reference.NAME, None, reference.folder(), reference.status())
    if json:
        print_json([row | {"folder": str(data_folder())} for row in rows])
    else:
        print_table(rows, columns, f"in {data_folder()}")


@app.command("show", epilog=examples("data show"))
def show(name: NameArgument, task: TaskOption = "", json: JsonOption = False) -> None:
    """Show what the data are like: returns, their quality, and how much they cover."""
    _check(name)
    if name == "parkour":
        raise UsageError(
            "parkour has no dataset of transitions: rlbench list tasks --suite parkour"
        )
    if name == reference.NAME:
        raise UsageError(f"{name} is an engine, not a dataset: rlbench data list")
    from rlbench.suites.neorl2.data import QUANTILES, describe

    rows = []
    for file in neorl2.data_files(task):
        if not task and neorl2.status_here(file) == "missing":
            tell(f"{file.name} is not here: rlbench data fetch neorl2 --task {file.task}")
            continue
        data, status = neorl2.read(file)
        found = describe(data.first(file.count), suites.get("neorl2").task(file.task))
        rows.append(
            {
                "data": file.name,
                "status": status,
                "transitions": found.transitions,
                "episodes": found.episodes,
                "of": len(data.ends),
                "terminated": found.terminated,
                "shortest": int(found.lengths[0]),
                "length": float(found.lengths[1]),
                "longest": int(found.lengths[2]),
                "return": found.mean,
                "deviation": found.deviation,
                "quality": found.quality,
                "coverage": found.coverage,
                **{
                    f"q{q:.0%}".rstrip("%"): float(value)
                    for q, value in zip(QUANTILES, found.quantiles, strict=True)
                },
            }
        )
    if json:
        print_json(rows)
    elif rows:
        print_table(rows, tuple(rows[0]))
        echo("quality: the mean return, normalised; coverage: distinct cells a transition")


def _check(name: str) -> None:
    if name not in NAMES:
        raise UnknownName("dataset", name, NAMES, see="rlbench data list")


class _Progress:
    """Says on standard error how far a file is: on a terminal in place, else at its end."""

    def __init__(self) -> None:
        self._told = 0.0

    def __call__(self, name: str, here: int, total: int | None) -> None:
        now, done = time.monotonic(), here == total
        if sys.stderr.isatty():
            if now - self._told > 0.2 or done:
                self._told = now
                share = f" of {total / 1e6:.1f}" if total else ""
                tell_in_place(f"{name}: {here / 1e6:.1f}{share} MB ", done=done)
        elif done:
            tell(f"{name}: {here / 1e6:.1f} MB")
