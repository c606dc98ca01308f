"""`rlbench data`: fetch datasets, and look at those that are here."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlbench import suites
from rlbench.cli.examples import examples
from rlbench.cli.options import JsonOption, tell
from rlbench.cli.output import echo, print_json, print_table, tell_in_place
from rlbench.errors import FetchError, UnknownName, UsageError
from rlbench.suites import imported
from rlbench.suites.fetching import TIMEOUT, data_folder
from rlbench.suites.neorl2 import files as neorl2
from rlbench.suites.procgen import reference
from rlbench.suites.teachmyagent.protocols import SHA256 as PARKOUR

if TYPE_CHECKING:
    from rlbench.suites.dataset import Episodes
    from rlbench.suites.describing import Description

NAMES = ("neorl2", "parkour", reference.NAME)
_INTERRUPTED = 130

app = typer.Typer(help="Fetch datasets, and inspect them.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="neorl2, parkour or procgen-reference.")]
TaskOption = Annotated[str, typer.Option("--task", help="One task; by default all.")]


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
    """Fetch what is missing, check it, and resume an earlier attempt."""
    _check(name)
    how: dict[str, Any] = {"timeout": timeout, "progress": _Progress()}
    if host:
        if not host.startswith(("http://", "https://")):
            raise UsageError(f"--host {host} is not an address of http or https")
        how["host"] = host.rstrip("/")
    try:
        if name == "neorl2":
            _fetch_neorl2(task, how)
        elif task:
            raise UsageError(f"the data of {name} are the same for all tasks: leave out --task")
        elif name == "parkour":
            echo("parkour: its data come with rlbench, so there is nothing to fetch")
        else:
            _fetch_reference(how)
    except KeyboardInterrupt:
        tell("interrupted: run the same command again to resume")
        raise typer.Exit(_INTERRUPTED) from None


def _fetch_reference(how: dict[str, Any]) -> None:
    """Fetch OpenAI's build of Procgen unless it is here."""
    if reference.status() != "verified":
        reference.fetch_reference(**how)
    echo(f"{reference.folder()}: {reference.status()}")


def _fetch_neorl2(task: str, how: dict[str, Any]) -> None:
    """Fetch the files of a task of NeoRL-2, or of all, that are not here.

    Raises:
        FetchError: Some could not be fetched; the others were.
    """
    chosen = neorl2.data_files(task)
    failures = []
    for file in chosen:
        place = {"mirror": ""} if "host" in how else {}
        try:
            echo(f"{file.path}: {_fetch_data(file, how | place)}")
        except FetchError as error:
            failures.append(error)
    if any(file.task == "Fusion" for file in chosen):
        place = {"host": f"{how['host']}/Fusion/weights"} if "host" in how else {}
        try:
            neorl2.fetch_networks(**how | place)
            echo(f"{data_folder() / 'neorl2' / 'fusion'}: verified")
        except FetchError as error:
            failures.append(error)
    for failure in failures[:-1]:
        tell(f"rlbench: {failure}")
    if failures:
        raise failures[-1]


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
        tell(f"{error}: the existing file is kept")
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
    for name in imported.names_here():
        add("imported", None, imported.path_of(name), "here")
    for file_name in PARKOUR:
        add("parkour", None, Path(file_name), "comes with rlbench")
    add(reference.NAME, None, reference.folder(), reference.status())
    if json:
        here = str(data_folder())
        print_json([
            row | {"folder": None if row["dataset"] == "parkour" else here} for row in rows
        ])  # fmt: skip
    else:
        print_table(rows, columns, f"in {data_folder()}")


@app.command("show", epilog=examples("data show"))
def show(
    name: Annotated[
        str, typer.Argument(help="neorl2, or a dataset that was imported.", metavar="NAME")
    ],
    task: TaskOption = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Draw the returns into this file, too: .png, .svg or .pdf."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show the returns, the quality and the coverage of a dataset."""
    if name == "parkour":
        raise UsageError(
            "parkour has no dataset of transitions: rlbench list tasks --suite parkour"
        )
    if name == reference.NAME:
        raise UsageError(f"{name} is an engine, not a dataset: rlbench data list")
    datasets = _of_neorl2(task) if name == "neorl2" else _of_imported(name, task)
    from rlbench.suites.describing import describe, lengths_of, returns_of

    rows = [{**about, **_row(describe(data, ends))} for about, data, ends in datasets]
    if out is not None and rows:
        from rlbench.leaderboard.data_figures import draw_data

        draw_data(
            {about["data"]: (returns_of(data), lengths_of(data)) for about, data, _ in datasets},
            out,
        )
    if json:
        print_json(rows)
    elif rows:
        print_table(rows, tuple(rows[0]))
        echo("quality: the mean return, normalised; coverage: distinct cells a transition")


# What is said of a dataset, its episodes, and the scores that are 0 and 1.
_Dataset = tuple[dict[str, Any], "Episodes", tuple[float, float] | None]


def _of_neorl2(task: str) -> list[_Dataset]:
    """Return the datasets of NeoRL-2 that are here, or those of a task."""
    from rlbench.suites.neorl2.data import as_episodes

    found: list[_Dataset] = []
    for file in neorl2.data_files(task):
        if not task and neorl2.status_here(file) == "missing":
            tell(f"{file.name} is not here: rlbench data fetch neorl2 --task {file.task}")
            continue
        data, status = neorl2.read(file)
        of = suites.get("neorl2").task(file.task)
        about = {"data": file.name, "status": status, "of": len(data.ends)}
        found.append((about, as_episodes(data.first(file.count)), (of.low, of.high)))
    return found


def _of_imported(name: str, task: str) -> list[_Dataset]:
    """Return an imported dataset."""
    if name not in imported.names_here():
        raise UnknownName("dataset", name, [*NAMES, *imported.names_here()],
                          see="rlbench data list")  # fmt: skip
    if task:
        raise UsageError(f"{name} is one dataset, and has no tasks: leave --task out")
    data = imported.load(name)
    about = {"data": name, "status": imported.content_hash(data)[:12], "of": int(data.first.sum())}
    return [(about, data, None)]


def _row(found: "Description") -> dict[str, Any]:
    from rlbench.suites.describing import QUANTILES

    quantiles = zip(QUANTILES, found.quantiles, strict=True)
    return {
        "transitions": found.transitions,
        "episodes": found.episodes,
        "terminated": found.terminated,
        "shortest": int(found.lengths[0]),
        "length": float(found.lengths[1]),
        "longest": int(found.lengths[2]),
        "return": found.mean,
        "deviation": found.deviation,
        "quality": found.quality,
        "coverage": found.coverage,
        **{f"q{q:.0%}".rstrip("%"): float(value) for q, value in quantiles},
    }


@app.command("import", epilog=examples("data import"))
def import_(
    source: Annotated[
        Path,
        typer.Argument(help="An HDF5 file of D4RL's form, or a file or folder of Minari's."),
    ],
    name: Annotated[str, typer.Option("--name", help="The name to keep it under.")],
) -> None:
    """Import a dataset in the form of D4RL or Minari under a name, and check it."""
    if name in NAMES:
        raise UsageError(f"{name} is a dataset of rlbench's own: choose another --name")
    data = imported.import_dataset(source, name)
    echo(
        f"{imported.path_of(name)}: {len(data):,} transitions, {int(data.first.sum()):,} episodes, "
        f"sha256 {imported.content_hash(data)}"
    )


@app.command("export", epilog=examples("data export"))
def export(
    name: Annotated[str, typer.Argument(help="neorl2: the only one that can be exported.")],
    task: Annotated[str, typer.Option("--task", help="Which task.")],
    out: Annotated[Path, typer.Option("--out", help="The folder of Minari's datasets.")],
) -> None:
    """Write the data of a task as datasets of Minari, one to train and one to validate."""
    if name != "neorl2":
        raise UsageError(f"only neorl2 has data to export, not {name}")
    from rlbench.suites.neorl2.envs import space_pair

    for (about, data, _), file in zip(_of_neorl2(task), neorl2.data_files(task), strict=True):
        observation_space, action_space = space_pair(file.task)
        path = imported.export_minari(
            data, out, f"neorl2/{file.name.lower()}-v1",
            observation_space=observation_space, action_space=action_space,
            description=f"{file.name} of NeoRL-2 (Gao et al. 2025, CC BY 4.0), {about['status']}",
        )  # fmt: skip
        echo(f"{path}: {len(data):,} transitions")


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
