"""Kill a sequential comparison anywhere: the same command again comes to the same end."""

import json
import random
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from os import kill
from pathlib import Path
from signal import SIGKILL
from typing import Any, NamedTuple

import pytest
from support.faults import Bench, Site, wait_until
from support.poles import AGENTS, GROUP, SHARED, write_files
from support.processes import COMMAND

from rlbench.results import Record

WORDS = (
    "good=agents.py:Balance", "bad=agents.py:Balance [flipped=true]", "--suite", "poles.toml",
    "--run", "--batch", "4", "--max-batches", "3", *SHARED, "--jobs", "1",
)  # fmt: skip
BATCHES = 2  # it is decided then, and cannot be before
MOMENTS = 50
WHOM = ("workers", "the command", "all at once")


class Comparison(Bench):
    """A folder in which a comparison is carried out."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        write_files(folder)
        (folder / "agents.py").write_text(AGENTS + GROUP)
        self.command = [*COMMAND, "compare", *WORDS, *options]

    def plans(self) -> dict[str, bytes]:
        """Return the files of the plans, by id."""
        return {path.stem: path.read_bytes() for path in self.store.glob("plans/*.json")}

    def seen(self) -> dict[Path, bytes]:
        """Return the plans and records that are there: they may never change."""
        plans = {path: path.read_bytes() for path in self.store.glob("plans/*.json")}
        return {**plans, **self.finished_files()}

    def strike(self, site: Site) -> None:
        """Run the command until the process at a site is killed."""
        marker = self.folder / "marker"
        marker.unlink(missing_ok=True)
        self.run(-9, 0, **site.variables(marker))
        assert marker.exists(), "the place was not reached"
        wait_until(lambda: not self.workers())


class End(NamedTuple):
    """What a comparison came to.

    Attributes:
        plans: The ids of its plans, which are hashes of all that is in them.
        decisions: The rows of the report.
        records: By key, without times.
    """

    plans: set[str]
    decisions: Any
    records: dict[str, Record]


def end_of(bench: Comparison) -> End:
    """Run the command to its end, and return what it came to."""
    bench.command.append("--json")
    out = bench.run().stdout
    return End(set(bench.plans()), json.loads(out), bench.records())


class Undisturbed(NamedTuple):
    """A comparison that nothing befell: its folder, what it came to, and the seconds it took."""

    folder: Path
    end: End
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    bench = Comparison(tmp_path_factory.mktemp("undisturbed"))
    started = time.monotonic()
    end = end_of(bench)
    ((row,), (_,)) = end.decisions, end.plans
    assert (row["decision"], row["batches"]) == ("larger", BATCHES)
    assert len(end.records) == 2 * 4 * BATCHES
    return Undisturbed(bench.folder, end, time.monotonic() - started)


def command(call: str, when: str, path: str, nth: int = 1) -> Site:
    return Site(who="command", call=call, when=when, path=path, nth=nth)


def worker(call: str, when: str, path: str, nth: int = 1, *victims: str) -> Site:
    return Site(who="worker", call=call, when=when, path=path, nth=nth, victims=victims)


RUN, NAME = "[0-9a-f]{16}", "[0-9a-f]{32}"
PLACES = {
    "before the folder of plans is made": command("mkdir", "before", "runs/plans$"),
    "in the middle of the plan": command("open", "middle", rf"plans/\.{NAME} xb"),
    "before the plan is linked": command("link", "before", rf"plans/{RUN}\.json$"),
    "after the plan is linked": command("link", "after", rf"plans/{RUN}\.json$"),
    "before the first run": command("link", "before", rf"claims/{RUN}\.json$"),
    "after the first claim": command("link", "after", rf"claims/{RUN}\.json$"),
    "in the middle of a record": worker("open", "middle", r"\.tmp/", 2, "self"),
    "before a record is linked": worker("link", "before", rf"{RUN}\.json$", 1, "self"),
    "after a record is linked": worker("link", "after", rf"{RUN}\.json$", 1, "self"),
    "after a record is linked (and the command)": worker(
        "link", "after", rf"{RUN}\.json$", 2, "parent", "self"
    ),
    "after a record is linked (only the command)": worker(
        "link", "after", rf"{RUN}\.json$", 3, "parent"
    ),
    # The store is tried for each agent of a batch: two were before.
    "between looks": command("open", "after", rf"\.tmp/\.{NAME} xb", 3),
    "after the first claim of the second batch": command("link", "after", r"claims/.*json$", 9),
    "after the last claim is removed": command("unlink", "after", rf"claims/{RUN}\.json$", 16),
}
REPORT = {
    "before the report": command("mkdir", "before", "figures$"),
    "in the middle of the figure": command("open", "middle", rf"figures/\.{NAME} xb"),
    "after the figure": command("replace", "after", r"figures/stopping\.pdf$"),
    "in the middle of its data": command("open", "middle", rf"figures/\.{NAME} xb", 2),
    "after the report": command("replace", "after", r"figures/stopping\.txt$"),
}
# One after the other, in the same comparison.
CHAIN = (
    "in the middle of the plan",
    "after the plan is linked",
    "after the first claim",
    "after a record is linked (and the command)",
    "between looks",
)


def check_end(bench: Comparison, seen: dict[Path, bytes], expected: End) -> None:
    """Check that it comes to the same, and that nothing that was there changed."""
    assert bench.failures() == []
    assert end_of(bench) == expected
    assert {path: path.read_bytes() for path in seen} == seen


def test_killed_at_one_place_after_the_other(
    undisturbed: Undisturbed, tmp_path: Path, tally
) -> None:
    bench = Comparison(tmp_path)
    for name in CHAIN:
        # Those that were not begun are counted anew by each command.
        site = replace(PLACES[name], nth=1) if name == "between looks" else PLACES[name]
        bench.strike(site)
        tally["kills of a comparison at named places"] += 1
    check_end(bench, bench.seen(), undisturbed.end)


@pytest.mark.faults
@pytest.mark.parametrize("name", PLACES)
def test_killed_at_a_place(name: str, undisturbed: Undisturbed, tmp_path: Path, tally) -> None:
    bench = Comparison(tmp_path)
    bench.strike(PLACES[name])
    tally["kills of a comparison at named places"] += 1
    check_end(bench, bench.seen(), undisturbed.end)


@pytest.mark.faults
@pytest.mark.parametrize("name", REPORT)
def test_killed_while_it_reports(
    name: str, undisturbed: Undisturbed, tmp_path: Path, tally
) -> None:
    pytest.importorskip("matplotlib")
    bench = Comparison(tmp_path, "--out", "figures")
    shutil.copytree(undisturbed.folder / "runs", bench.store)
    bench.strike(REPORT[name])
    tally["kills of a comparison at named places"] += 1
    check_end(bench, bench.seen(), undisturbed.end)
    # A file that was being written stays under a name of its own.
    written = [path.name for path in (tmp_path / "figures").iterdir() if path.name[0] != "."]
    assert sorted(written) == ["stopping.csv", "stopping.pdf", "stopping.txt"]
    rows = (tmp_path / "figures/stopping.csv").read_text().splitlines()
    assert len(rows) == 1 + BATCHES


@pytest.mark.faults
@pytest.mark.parametrize("case", range(MOMENTS))
def test_killed_at_a_random_moment(
    case: int, undisturbed: Undisturbed, tmp_path: Path, tally
) -> None:
    bench, chance = Comparison(tmp_path), random.Random(case)
    whom = WHOM[case % len(WHOM)]
    with bench.start() as process:
        time.sleep(chance.uniform(0.1, 0.8) * undisturbed.seconds)
        if whom == "workers":
            wait_until(lambda: bench.workers() or process.poll() is not None)
        victims = bench.workers() if whom != "the command" else []
        if whom != "workers":
            victims.append(process.pid)
        over = process.poll() is not None
        for victim in victims if not over else []:
            with suppress(ProcessLookupError):
                kill(victim, SIGKILL)
                tally[f"processes killed, {whom}, at random moments of a comparison"] += 1
        _, err = process.communicate(timeout=300)
    assert process.returncode in (-9, 0), err
    wait_until(lambda: not bench.workers())
    done = len(bench.records())
    where = "no plan" if not bench.plans() else f"{done // 8} batches recorded"
    tally[f"moments with {where}"] += 1
    check_end(bench, bench.seen(), undisturbed.end)
