"""`rlbench doctor`: what this machine can run, and how to mend what is missing."""

import importlib.util
import json as json_module
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from ctypes.util import find_library
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer
from packaging.markers import Marker
from packaging.requirements import Requirement

import rlbench
from rlbench import suites
from rlbench.api.asking import DEFAULT_STORE
from rlbench.cli.options import JsonOption, StoreOption
from rlbench.cli.output import echo, print_json
from rlbench.cpus import container_limit, usable_cpus
from rlbench.errors import ALONE, BrokenSuite, RLBenchError, install_command
from rlbench.suites import Suite
from rlbench.suites.procgen import reference

Condition = Literal["ok", "missing", "warning", "broken"]

EXIT_BROKEN = 1
_PROBE_SECONDS = 60.0
_LITTLE = 1e9  # bytes of disk or memory
_ATARI_PROBE = """
import ale_py.vector_env
from rlbench import suites
games = {}
for suite in suites.load_all()[0]:
    if suite.extra == "atari":
        games.update((task.assets["rom"], (suite, task)) for task in suite.tasks)
for suite, task in games.values():
    suite.make(task, split="train", num_envs=1, seed=0).close()
print(f"{len(games)} ROMs can be loaded")
"""
_PROCGEN_PROBE = """
from rlbench import suites
suite = suites.get("procgen-easy")
suite.make(suite.tasks[0], split="train", num_envs=1, seed=0).reset()
print(", ".join(f"{name} {version}" for name, version in suite.own_versions().items()))
"""
_LACKS = 3  # the exit code of a probe that finds something missing
_SUITE_PROBE = f"""
import sys, time
from rlbench import suites
from rlbench.errors import BrokenSuite, UsageError
suite, since = suites.get(sys.argv[1]), time.monotonic()
missing = {{}}
for tried, task in enumerate(suite.tasks, 1):
    try:
        if suite.dataset_factory:
            suite.dataset(task)
        suite.make(task, split="eval", num_envs=1, seed=0).close()
    except BrokenSuite:
        raise
    except UsageError as error:
        missing.setdefault(str(error), []).append(task.name)
    if time.monotonic() > since + {_PROBE_SECONDS / 2}:
        break
odd = [f"; {{name}} {{v}}" for name, v in suite.own_versions().items() if "unverified" in v]
lacks = sum(map(len, missing.values()))
said = f"{{tried}} of {{len(suite.tasks)}} tasks were tried and "
said += f"{{tried - lacks}} can be run" if lacks else "can be run"
for message, tasks in missing.items():
    said += f"; {{', '.join(tasks)}}: {{message}}"
print(said + "".join(odd))
sys.exit({_LACKS} if lacks else 0)
"""
_UNVERIFIED = (
    "these versions were not compared with OpenAI's build, or differ from it; pip install "
    "'rlbench[procgen]' in a fresh environment brings ones that equal it, and rlbench doctor "
    "--engines compares"
)
_BROKEN_SUITE = f"{BrokenSuite.__module__}.{BrokenSuite.__name__}: "
_TORCH_PROBE = """
import json, torch
print(json.dumps([torch.__version__, torch.version.cuda, torch.cuda.device_count()]))
"""


class Row(NamedTuple):
    """One thing that was looked at.

    Attributes:
        what: The thing.
        status: ``ok``, ``missing``, ``warning``, or ``broken``: installed, but it does not work.
        detail: What was found.
        mend: What to do about it.
    """

    what: str
    status: Condition
    detail: str
    mend: str = ""


def doctor(
    store: StoreOption = DEFAULT_STORE,
    engines: Annotated[
        bool,
        typer.Option("--engines", help="Play every task for a moment: does its engine behave?"),
    ] = False,
    suite: Annotated[
        str, typer.Option("--suite", help="Only what this suite needs, e.g. atari100k, or a file.")
    ] = "",
    json: JsonOption = False,
) -> int:
    """Say what this machine can run, and how to mend what is missing.

    Exit code 1 means that something that is installed does not work, or with --engines that an
    engine does not behave as its suite expects.
    """
    rows = _engines(suite) if engines else examine(store, suite)
    if json:
        print_json([row._asdict() for row in rows])
    else:
        for row in rows:
            echo(f"{row.status:<8} {row.what:<14} {row.detail}")
            if row.mend:
                echo(f"{'':<24}-> {row.mend}")
    return EXIT_BROKEN if any(row.status == "broken" for row in rows) else 0


def examine(store: Path, suite: str = "") -> list[Row]:
    """Look at everything, or at what one suite needs; what cannot be looked at is a warning."""
    parts: dict[str, Callable[[], Iterator[Row]]] = {"python": _python, "rlbench": _rlbench}
    if suite:
        parts["suite"] = partial(_suite, suites.get(suite), suite)
    else:
        parts |= {
            "extras": _extras, "atari": _atari, "procgen": _procgen,
            "torch": _torch, "rendering": _rendering,
        }  # fmt: skip
    parts |= {"gpu": _gpus, "machine": _machine, "disk": partial(_disk, store), "kernels": _kernels}
    rows: list[Row] = []
    for what, look in parts.items():
        try:
            rows.extend(look())
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            rows.append(Row(what, "warning", f"could not be looked at: {reason}"))
    return rows


def _python() -> Iterator[Row]:
    yield Row("python", "ok", f"{platform.python_version()}, {sys.executable}")


def _rlbench() -> Iterator[Row]:
    """Look for other packages of the same name, installed or lying about."""
    ours = Path(rlbench.__file__).resolve().parent
    found = [d for d in metadata.distributions() if _name(d.metadata["Name"] or "") == "rlbench"]
    versions = sorted({d.version for d in found})
    detail = f"{rlbench.__version__}, {ours}"
    if not found:
        yield Row(
            "rlbench", "warning", f"{detail}, which is not installed",
            "pip install rlbench, so that extras and entry points are found",
        )  # fmt: skip
    elif versions != [rlbench.__version__]:
        yield Row(
            "rlbench", "warning",
            f"{detail}, but the installed version is {', '.join(versions)}",
            "pip uninstall rlbench until nothing is left of it, then install it again",
        )  # fmt: skip
    else:
        yield Row("rlbench", "ok", detail)
    for other in _others(ours):
        yield Row(
            "rlbench", "warning", f"another one is in the way: {other}",
            "rename or uninstall it; `rlbench` is safe from the current folder, `python` is not",
        )  # fmt: skip
    providers = {_name(n) for n in metadata.packages_distributions().get("rlbench", [])}
    for name in sorted(providers - {"rlbench"}):
        yield Row(
            "rlbench", "warning", f"the distribution {name!r} installs a package rlbench too",
            f"pip uninstall {name} and install rlbench again, or use a virtual environment",
        )  # fmt: skip


def _others(ours: Path) -> list[Path]:
    """Return other packages and modules of our name that Python could import instead."""
    folders = dict.fromkeys(Path(entry or ".").resolve() for entry in ["", *sys.path])
    candidates = [c for f in folders for c in (f / "rlbench/__init__.py", f / "rlbench.py")]
    return [c for c in candidates if c.is_file() and c.resolve().parent != ours]


def _extras() -> Iterator[Row]:
    """Look for the distributions that each extra asks for."""
    try:
        about = metadata.metadata("rlbench")
    except metadata.PackageNotFoundError:
        return
    requirements = [Requirement(text) for text in about.get_all("Requires-Dist") or []]
    modules = _modules()
    for extra in about.get_all("Provides-Extra") or []:
        wanted = {
            one.name: one.marker for one in requirements
            if one.marker and f'extra == "{extra}"' in str(one.marker)
            and _name(one.name) != "rlbench"
        }  # fmt: skip
        if wanted:
            yield _extra(extra, wanted, modules)


def _extra(extra: str, wanted: Mapping[str, Marker], modules: Mapping[str, Sequence[str]]) -> Row:
    """Look for the distributions of one extra, by name with the markers that say where it is for.

    Where a marker excludes this Python or system, the distribution is not missed, unless the extra
    needs it all the same.
    """
    alone = Requirement(ALONE[extra]).name if extra in ALONE else ""
    here = [n for n, marker in wanted.items() if marker.evaluate({"extra": extra}) or n == alone]
    missing = [name for name in here if not _is_installed(name, modules)]
    if missing:
        detail = f"not installed: {', '.join(missing)}"
        return Row(f"extra {extra}", "missing", detail, install_command(extra))
    found = [f"{name} {metadata.version(name)}" for name in here]
    for name in wanted.keys() - here:
        condition = str(wanted[name]).replace(f' and extra == "{extra}"', "")
        found.append(f"{name} is only for {condition}")
    if here:
        return Row(f"extra {extra}", "ok", ", ".join(found))
    return Row(f"extra {extra}", "missing", ", ".join(found), "use another version of Python")


def _modules() -> dict[str, list[str]]:
    """Return the modules that each distribution installs, by its name as indexes compare it."""
    found: dict[str, list[str]] = {}
    for module, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            found.setdefault(_name(distribution), []).append(module)
    return found


def _is_installed(name: str, modules: Mapping[str, Sequence[str]]) -> bool:
    """Say whether a distribution is there, and one of its modules can be found."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    own = [m for m in modules.get(_name(name), []) if m.isidentifier() and not m.startswith("_")]
    return any(importlib.util.find_spec(module) is not None for module in own)


def _name(name: str) -> str:
    """Return the name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _atari() -> Iterator[Row]:
    names = [suite.name for suite in suites.load_all()[0] if suite.extra == "atari"]
    mend = "pip install 'rlbench[atari]', which brings the ROMs"
    if importlib.util.find_spec("ale_py") is None:
        yield Row("ROMs", "missing", f"without ale-py there is no {', '.join(names)}", mend)
        return
    code, said = _probe(_ATARI_PROBE)
    again = "pip install --force-reinstall 'rlbench[atari]'"
    yield Row("ROMs", "broken", said, again) if code else Row("ROMs", "ok", said)


def _suite(suite: Suite, given: str) -> Iterator[Row]:
    """Load the data and make the environments of all tasks."""
    code, said = _probe(_SUITE_PROBE, given)
    if code == _LACKS:
        yield Row(suite.id, "missing", said)
    elif code == 0 and "unverified" in said:
        yield Row(suite.id, "warning", said, _UNVERIFIED)
    elif code == 0:
        yield Row(suite.id, "ok", said)
    elif (message := _own_message(said)) and not said.startswith(_BROKEN_SUITE):
        yield Row(suite.id, "missing", message)
    else:
        again = f"pip install --force-reinstall 'rlbench[{suite.extra}]'"
        mend = again if suite.extra else "repair what it comes from"
        yield Row(suite.id, "broken", message or said, mend)


def _procgen() -> Iterator[Row]:
    mend = "pip install 'rlbench[procgen]'"
    if importlib.util.find_spec("envpool") is None and not reference.is_here():
        yield Row("Procgen", "missing", "without envpool there is no procgen", mend)
        return
    code, said = _probe(_PROCGEN_PROBE)
    if code:
        message = _own_message(said)
        yield Row("Procgen", "broken", message or said, "" if message else mend)
    elif "unverified" in said:
        yield Row("Procgen", "warning", said, _UNVERIFIED)
    else:
        yield Row("Procgen", "ok", said)


def _engines(name: str) -> list[Row]:
    """Compare the engines of all tasks that can be run with what their suites expect."""
    found, problems = ([suites.get(name)], []) if name else suites.load_all()
    mend = "repair or uninstall the package that registers it"
    rows = [Row("entry point", "broken", problem, mend) for problem in problems]
    for suite in found:
        if suite.can_run:
            try:
                rows.append(_engine(suite))
            except RLBenchError as error:
                rows.append(Row(suite.id, "missing", str(error)))
    return rows


def _engine(suite: Suite) -> Row:
    """Compare the engines of one suite's tasks with what it expects, where it expects anything."""
    from rlbench.runners.engine import examine_engine
    from rlbench.runners.provenance import engine_versions

    stated = [task for task in suite.tasks if suite.expected_engine(task)]
    own = [f"{name} {version}" for name, version in engine_versions(suite).items()]
    versions = ", ".join(own) or "no engine of others"
    if not stated:
        return Row(suite.id, "ok", f"{versions}; nothing is expected of its engine")
    others = []
    for task in stated:
        found = examine_engine(suite, task).fingerprint
        if found != suite.expected_engine(task):
            others.append(f"{task.name} ({found}, not {suite.expected_engine(task)})")
    if not others:
        return Row(suite.id, "ok", f"{versions}; {len(stated)} tasks behave as expected")
    return Row(
        suite.id, "broken",
        f"{versions}; {len(others)} of {len(stated)} tasks do not behave as expected: "
        + ", ".join(others[:3]),
        f"pip install 'rlbench[{suite.extra}]' in a fresh environment; runs of this engine are "
        "compared only with each other",
    )  # fmt: skip


def _gpus() -> Iterator[Row]:
    if shutil.which("nvidia-smi") is None:
        yield Row("gpu", "missing", "no nvidia-smi on the PATH: agents run on the CPU")
        return
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(
        ["nvidia-smi", *query], capture_output=True, text=True, timeout=_PROBE_SECONDS
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = _last_line(done.stderr + done.stdout) or f"exit code {done.returncode}"
        yield Row("gpu", "warning", f"nvidia-smi: {said}", "see whether NVIDIA's driver is loaded")
        return
    for k, line in enumerate(lines):
        name, memory, driver = (part.strip() for part in line.rsplit(",", 2))
        yield Row(f"gpu cuda:{k}", "ok", f"{name}, {memory}, driver {driver}")


def _torch() -> Iterator[Row]:
    if importlib.util.find_spec("torch") is None:
        yield Row("torch", "missing", "rlbench does not need it, agents may", "pip install torch")
        return
    code, said = _probe(_TORCH_PROBE)
    if code:
        yield Row("torch", "broken", said, "pip install --force-reinstall torch")
        return
    version, cuda, devices = json_module.loads(said)
    if shutil.which("nvidia-smi") and not devices:
        built = f"built for CUDA {cuda}" if cuda else "built without CUDA"
        yield Row(
            "torch", "warning", f"{version}, {built}, sees no GPU",
            "install the build that fits the driver: https://pytorch.org/get-started/locally",
        )  # fmt: skip
    else:
        yield Row("torch", "ok", f"{version}, sees {devices} GPUs")


def _probe(code: str, *words: str) -> tuple[int, str]:
    """Run code in a process of its own.

    Args:
        code: What to run.
        words: Its arguments.

    Returns:
        Its exit code, 0 if it worked and `_LACKS` if it says that something is missing; and the
        last line that it printed, or that of its error.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, *words],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return 1, f"not ready after {_PROBE_SECONDS:.0f} s"
    if done.returncode in (0, _LACKS):
        return done.returncode, _last_line(done.stdout)
    said = _last_line(done.stderr) or f"it ended with exit code {done.returncode}"
    return done.returncode, said


def _own_message(said: str) -> str:
    """Return the message of an error of ours, which says what to do, or nothing of another."""
    kind, _, message = said.partition(": ")
    return message if kind.startswith(f"{RLBenchError.__module__}.") else ""


def _last_line(text: str) -> str:
    return next(iter(reversed(text.strip().splitlines())), "")


def _machine() -> Iterator[Row]:
    count, usable = os.cpu_count() or 1, usable_cpus()
    detail = f"{usable} usable" + (f" of {count}" if usable != count else "")
    yield Row("cpus", "ok", f"{detail}, {platform.machine()}")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = container_limit("memory.max")
    total = min(total, int(limit)) if limit.isdecimal() else total
    small = total < _LITTLE
    yield Row("memory", "warning" if small else "ok", f"{total / 1e9:.1f} GB")


def _disk(store: Path) -> Iterator[Row]:
    folder = next(p for p in [store, *store.absolute().parents] if p.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free for the store {store}"
    if not os.access(folder, os.W_OK):
        yield Row("disk", "warning", f"{folder} cannot be written to", "name another: --store")
    elif free < _LITTLE:
        yield Row("disk", "warning", detail, "free some space, or choose another place: --store")
    else:
        yield Row("disk", "ok", detail)


def _kernels() -> Iterator[Row]:
    """Look at where compiled statistics are kept, without importing numba."""
    from platformdirs import user_cache_path

    if importlib.util.find_spec("numba") is None:
        yield Row("kernels", "missing", "numba: statistics are slower", "pip install numba")
        return
    kept = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(kept) if kept else user_cache_path("rlbench", appauthor=False) / "kernels"
    there = next(p for p in [folder, *folder.absolute().parents] if p.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        yield Row("kernels", "ok", f"kept in {folder}")
    else:
        yield Row(
            "kernels", "warning", f"{folder} cannot be written to: each process compiles anew",
            "set NUMBA_CACHE_DIR to a folder that can be written to",
        )  # fmt: skip


def _rendering() -> Iterator[Row]:
    found = [name for name in ("EGL", "OSMesa") if find_library(name)]
    if found:
        yield Row("rendering", "ok", f"without a screen by {' or '.join(found)}")
    else:
        yield Row(
            "rendering", "warning", "neither EGL nor OSMesa: suites in 3D cannot draw",
            "apt install libegl1 libegl-mesa0 libgl1-mesa-dri; suites from states need neither",
        )  # fmt: skip
