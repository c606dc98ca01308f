"""Runs on a real Ray cluster: equal records, whatever is killed."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import LEARNED, SUITES, Bench, check_complete, learners, wait_until
from support.ray_cluster import Cluster
from support.registered import register

from rlbench.results import Record

pytestmark = pytest.mark.cluster
COMMAND_AGENT = Path(__file__).parents[2] / "examples/cmd_agent.py"

OPTIONS = ("--tasks", "Walk,Hike", "--seeds", "2", "-o", "pace=0.01")
SELDOM = 1000.0  # seconds between two checkpoints
SHARED, APART = "", "shared_store = false"
DISKS = pytest.mark.parametrize("disk", [SHARED, APART], ids=["shared", "apart"])


@pytest.fixture(scope="module")
def any_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster whose nodes know the suites of these tests."""
    pytest.importorskip("ray", reason="Ray is not installed: make test-cluster")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in register(tmp_path_factory.mktemp("registered"), SUITES).items():
            patch.setenv(name, value)
        cluster = Cluster()
        yield cluster
        cluster.end()


@pytest.fixture
def cluster(any_cluster: Cluster) -> Cluster:
    """Return the cluster, with both of its nodes."""
    any_cluster.ensure("left", "right")
    return any_cluster


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """Return the records of the local backend."""
    bench = Bench(tmp_path_factory.mktemp("local"), *OPTIONS, "--jobs", "2")
    bench.run()
    return bench.records()


def on(cluster: Cluster, folder: Path, disk: str, *options: str, every: float = 0.05) -> Bench:
    """Return a bench whose command uses the cluster."""
    address = ("--backend", "ray", "--ray-address", cluster.address)
    bench = Bench(folder, *options, *address, every=every)
    with (folder / "config.toml").open("a") as file:
        file.write(f"[ray]\n{disk}\n")
    return bench


@DISKS
def test_records_are_those_of_the_local_backend(
    disk: str, cluster: Cluster, expected: dict[str, Record], tmp_path: Path
) -> None:
    bench = on(cluster, tmp_path, disk, *OPTIONS)
    done = bench.run()
    check_complete(bench, expected)
    assert done.stderr == ""
    starts = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("start ")]
    assert set(starts) == {"left", "right"}
    assert len(list(bench.store.glob("logs/*.log"))) == 4
    assert all("nothing learned" in log.read_text() for log in bench.store.glob("logs/*.log"))


@DISKS
def test_a_node_that_is_lost(
    disk: str, cluster: Cluster, expected: dict[str, Record], tmp_path: Path
) -> None:
    bench = on(cluster, tmp_path, disk, *OPTIONS)
    process = bench.start()
    kept = wait_until(lambda: len(found := bench.kept()) == 2 and found)
    cluster.kill("right")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    assert bench.failures() == []
    check_complete(bench, expected)
    records = bench.timed_records()
    again = [key for key, record in records.items() if record.timing["signalled"]]
    assert len(again) == 1
    assert again[0] in kept
    assert records[again[0]].timing["attempts"] == 2
    assert "goes on" not in err


@DISKS
def test_a_command_that_is_killed_and_started_again(
    disk: str, cluster: Cluster, expected: dict[str, Record], tmp_path: Path
) -> None:
    bench = on(cluster, tmp_path, disk, *OPTIONS)
    process = bench.start()
    wait_until(lambda: bench.timed_records() and bench.kept())
    process.kill()
    process.communicate()
    before = bench.finished_files()
    assert before
    bench.run()
    check_complete(bench, expected)
    assert before.items() <= bench.finished_files().items()
    assert max(record.timing["attempts"] for record in bench.timed_records().values()) == 2


def test_a_command_that_is_asked_to_stop_keeps_what_it_can(
    cluster: Cluster, expected: dict[str, Record], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    bench = on(cluster, tmp_path, APART, *OPTIONS, every=SELDOM)
    with (tmp_path / "config.toml").open("a") as file:
        file.write(f'[ray.runtime_env.env_vars]\nHOLD = "3"\nJOURNAL = "{journal}"\n')
    process = bench.start()
    wait_until(lambda: len(learners(journal)) == 2)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert bench.failures() == []
    kept = bench.kept()
    assert len(kept) == 2
    assert min(kept.values()) >= LEARNED
    bench.run()
    check_complete(bench, expected)
    attempts = [record.timing["attempts"] for record in bench.timed_records().values()]
    assert sorted(attempts) == [1, 1, 2, 2]


@DISKS
def test_a_worker_that_is_killed(
    disk: str, cluster: Cluster, expected: dict[str, Record], tmp_path: Path
) -> None:
    """As on one machine: that is no failure, and the run goes on from its checkpoint."""
    journal = tmp_path / "journal"
    bench = on(cluster, tmp_path, disk, *OPTIONS)
    with (tmp_path / "config.toml").open("a") as file:
        file.write(f'[ray.runtime_env.env_vars]\nHOLD = "3"\nJOURNAL = "{journal}"\n')
    process = bench.start()
    workers = wait_until(lambda: learners(journal))
    os.kill(int(next(iter(workers))), signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    assert bench.failures() == []
    check_complete(bench, expected)
    attempts = [record.timing["attempts"] for record in bench.timed_records().values()]
    assert sorted(attempts) == [1, 1, 1, 2]


AGENT = """
from pathlib import Path

import numpy as np
from beside import ACTION

class Agent:
    def act(self, obs, first, *, phase):
        return np.full(len(obs), ACTION)

def make(task, *, seed, device, data):
    print("made in", __file__, Path(data).read_text())
    return Agent()
"""


def test_the_agent_is_on_this_machine_only(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/agent.py").write_text(AGENT)
    (tmp_path / "mine/beside.py").write_text("ACTION = 1\n")
    (tmp_path / "data.txt").write_text("the data")
    bench = on(cluster, tmp_path, APART)
    at = bench.command.index("--agent") + 1
    bench.command[at] = "mine/agent.py"
    bench.command += ["--tasks", "Walk", "--seeds", "1", "-o", "data=@data.txt"]
    bench.run()
    assert [r.identity.agent.name for r in bench.timed_records().values()] == ["agent"]
    (log,) = bench.store.glob("logs/*.log")
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("made in")]
    assert line.endswith("agent.py the data")
    assert str(tmp_path) not in line


def named(bench: Bench, agent: str, *options: str) -> Bench:
    """Return a bench whose command names another agent, on one task and seed."""
    bench.command[bench.command.index("--agent") + 1] = agent
    bench.command += ["--tasks", "Walk", "--seeds", "1", *options]
    return bench


def lines_of_logs(bench: Bench) -> list[str]:
    """Return what the agents printed where they were made."""
    logs = "".join(log.read_text() for log in bench.store.glob("logs/*.log"))
    return [line for line in logs.splitlines() if line.startswith("made in")]


def test_the_package_is_on_this_machine_only(cluster: Cluster, tmp_path: Path) -> None:
    for name, text in {
        "pack/__init__.py": "",
        "pack/deep/__init__.py": "",
        "pack/deep/agent.py": AGENT.replace("from beside", "from ..beside"),
        "pack/beside.py": "ACTION = 1\n",
        "data.txt": "the data",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    bench = named(on(cluster, tmp_path, APART), "pack.deep.agent:make", "-o", "data=@data.txt")
    bench.run()
    (line,) = lines_of_logs(bench)
    assert line.endswith("pack/deep/agent.py the data")
    assert str(tmp_path) not in line


def test_a_working_folder_is_sent_whole(cluster: Cluster, tmp_path: Path) -> None:
    """So a file that no option names is there, and an agent that is a command."""
    (tmp_path / "agent.py").write_text(AGENT.replace("from beside import ACTION", "ACTION = 1"))
    (tmp_path / "notes.txt").write_text("the notes")
    bench = named(on(cluster, tmp_path, APART), "agent.py", "-o", "data=notes.txt")
    with (tmp_path / "config.toml").open("a") as file:
        file.write('[ray.runtime_env]\nworking_dir = "."\n')
    bench.run()
    (line,) = lines_of_logs(bench)
    assert line.endswith("agent.py the notes")
    assert str(tmp_path) not in line

    (tmp_path / "command.py").write_text(COMMAND_AGENT.read_text())
    bench.command[bench.command.index("--agent") + 1] = f"cmd:{sys.executable} command.py"
    del bench.command[-2:]
    bench.run()
    assert len(bench.timed_records()) == 2


def comparison(bench: Bench) -> Bench:
    """Return a bench whose command compares two agents, whose files have one name."""
    for name, action in (("mine", 1), ("other", 0)):
        (bench.folder / name).mkdir()
        (bench.folder / name / "agent.py").write_text(AGENT)
        (bench.folder / name / "beside.py").write_text(f"ACTION = {action}\n")
    (bench.folder / "data.txt").write_text("the data")
    at = bench.command.index("run")
    agents = [f"{name}={name}/agent.py [data=@data.txt]" for name in ("mine", "other")]
    words = bench.command[at + 1 :]
    del words[words.index("--agent") : words.index("--agent") + 2]
    bench.command[at:] = [
        "compare", *agents, *words, "--run", "--tasks", "Walk", "--batch", "2",
        "--max-batches", "1", "--alpha", "0.4",
    ]  # fmt: skip
    return bench


def test_the_agents_of_a_comparison_go_side_by_side(cluster: Cluster, tmp_path: Path) -> None:
    """Each with its own code, in one queue."""
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
    here, there = comparison(Bench(folders[0])), comparison(on(cluster, folders[1], APART))
    here.run(seconds=300)
    done = there.run(seconds=300)
    assert len(there.records()) == 4
    check_complete(there, here.records())
    starts = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("start ")]
    assert set(starts[:2]) == {"mine,", "other,"}
    assert len(lines_of_logs(there)) == 4
    assert not any(str(tmp_path) in line for line in lines_of_logs(there))
