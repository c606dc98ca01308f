"""`rlbench status`, `rlbench verify`, `rlbench run --config`, and where runs may be."""

import dataclasses
import json
import os
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from support.command import SHORT, rlbench, run_short
from support.faults import Bench, wait_until
from support.processes import COMMAND
from support.registered import register
from support.toy import TOY

from rlbench.api.places import parse_places
from rlbench.errors import UsageError
from rlbench.leaderboard.releases import read_replays
from rlbench.results import Record, Store
from rlbench.runners import Slot

PONG = ("--agent", "random", "--tasks", "Pong", "--seeds", "1")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    run_short(*PONG, cwd=folder)
    return folder


def copied(folder: Path, target: Path) -> tuple[Store, Record]:
    """Return a store with the one record of another, to be changed."""
    subprocess.run(["cp", "-r", folder / "runs", target / "runs"], check=True)
    store = Store(target / "runs")
    (record,) = store.load().records
    return store, record


def test_an_evaluation_is_played_again_and_found_equal(played: Path) -> None:
    (record,) = Store(played / "runs").load().records
    assert record.replay is not None
    assert record.replay.shape == (30, 2)
    out = rlbench("verify", record.identity.key[:6], cwd=played)
    assert out.stdout.startswith(f"equal: {record.identity.key} Pong seed 0: 2 episodes alike")
    out = rlbench("verify", record.identity.key, "--json", cwd=played)
    (row,) = json.loads(out.stdout)
    assert row["equal"] is True
    assert row["record"] == record.sha256
    assert out.stderr.startswith(f"equal: {record.identity.key} Pong seed 0: 2 episodes alike")


def test_all_runs_that_kept_their_actions_are_played(played: Path, tmp_path: Path) -> None:
    store, record = copied(played, tmp_path)
    of_seed_1 = dataclasses.replace(record.identity, seed=1)
    store.write(dataclasses.replace(record, identity=of_seed_1, replay=None))
    out = rlbench("verify", "--json", cwd=tmp_path)
    assert out.stderr.splitlines()[0] == "records without actions, which are not replayed: 1"
    (tmp_path / "replays.json").write_text(out.stdout)
    assert read_replays(tmp_path / "replays.json") == {record.sha256: True}
    (path,) = store.path.glob("*/*/*/0-*.json")
    path.unlink()
    err = rlbench("verify", cwd=tmp_path, code=2).stderr
    assert "no run in the store runs ended well and kept its actions" in err
    assert len(err.splitlines()) == 1


def test_one_run_that_differs_is_found_among_all(played: Path, tmp_path: Path) -> None:
    store, record = copied(played, tmp_path)
    last = record.evaluations[-1]
    longer = dataclasses.replace(last, lengths=(last.lengths[0] - 1, *last.lengths[1:]))
    forged = dataclasses.replace(record, evaluations=(*record.evaluations[:-1], longer))
    (path,) = store.path.glob("*/*/*/*.json")
    path.write_bytes(forged.to_bytes())
    out = rlbench("verify", "--json", cwd=tmp_path, code=1)
    (tmp_path / "replays.json").write_text(out.stdout)
    assert read_replays(tmp_path / "replays.json") == {forged.sha256: False}
    assert "episode 0 has length" in out.stderr


def test_another_return_is_found_out(played: Path, tmp_path: Path) -> None:
    store, record = copied(played, tmp_path)
    last = record.evaluations[-1]
    better = dataclasses.replace(last, returns=(last.returns[0] + 1, *last.returns[1:]))
    forged = dataclasses.replace(record, evaluations=(*record.evaluations[:-1], better))
    (path,) = store.path.glob("*/*/*/*.json")
    path.write_bytes(forged.to_bytes())
    out = rlbench("verify", record.identity.key, cwd=tmp_path, code=1)
    assert "DIFFERENT" in out.stdout
    assert "episode 0 has return" in out.stdout


def test_another_environment_is_found_out_at_its_first_step(played: Path, tmp_path: Path) -> None:
    store, record = copied(played, tmp_path)
    assert record.replay is not None
    hashes = list(record.replay.hashes)
    hashes[5] = "0" * 16
    other = dataclasses.replace(
        record, replay=dataclasses.replace(record.replay, hashes=tuple(hashes))
    )
    (path,) = store.path.glob("*/*/*/*.json")
    path.write_bytes(other.to_bytes())
    out = rlbench("verify", record.identity.key, cwd=tmp_path, code=1)
    assert "step 5 differs: the environment is not the same" in out.stdout


@pytest.mark.parametrize("damage", ["gone", "changed", "bomb"])
def test_actions_that_cannot_be_read_are_named(damage: str, played: Path, tmp_path: Path) -> None:
    store, record = copied(played, tmp_path)
    (actions,) = store.path.glob("*/*/*/*.actions")
    if damage == "gone":
        actions.unlink()
    elif damage == "changed":
        actions.write_bytes(actions.read_bytes() + b" ")
    else:
        assert record.replay is not None
        content = zlib.compress(b"\0" * 10**7)
        replay = dataclasses.replace(record.replay, actions=_sha256(content))
        (path,) = store.path.glob("*/*/*/*.json")
        path.write_bytes(dataclasses.replace(record, replay=replay).to_bytes())
        actions.with_name(f"{path.stem}-{replay.actions[:16]}.actions").write_bytes(content)
    err = rlbench("verify", record.identity.key, cwd=tmp_path, code=1).stderr
    expected = {"gone": "cannot read the actions", "changed": "were changed", "bomb": "the size 60"}
    assert expected[damage] in err
    assert len(err.splitlines()) == 1


def test_one_run_that_cannot_be_played_does_not_stop_the_others(
    played: Path, tmp_path: Path
) -> None:
    store, record = copied(played, tmp_path)
    content = store.read_actions(record)
    others = {
        "has no actions": dataclasses.replace(record.identity, seed=1),
        "under other constants": dataclasses.replace(
            record.identity, seed=2, constants={**record.identity.constants, "noop_max": 29}
        ),
        "unknown suite": dataclasses.replace(record.identity, seed=3, suite="chess@1"),
    }
    for reason, identity in others.items():
        replay = None if reason == "has no actions" else record.replay
        store.write(dataclasses.replace(record, identity=identity, replay=replay), content)
    keys = [identity.key for identity in others.values()]
    out = rlbench("verify", *keys, record.identity.key, "--json", cwd=tmp_path, code=1)
    lines = out.stderr.splitlines()
    assert len(lines) == 4
    for line, reason, key in zip(lines, others, keys, strict=False):
        assert line.startswith(f"not replayed: {key} Pong seed ")
        assert reason in line
    assert lines[3].startswith(f"equal: {record.identity.key}")
    (tmp_path / "replays.json").write_text(out.stdout)
    assert read_replays(tmp_path / "replays.json") == {record.sha256: True}


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_runs_that_are_not_there_are_named(played: Path) -> None:
    err = rlbench("verify", "ffff", cwd=played, code=2).stderr
    assert "no run that ended well has a key that starts with 'ffff'" in err


SLOW = """
import time
import numpy as np
class Slow:
    def act(self, obs, first, *, phase):
        time.sleep(0.05)
        return np.zeros(len(obs), dtype=int)
def make(task, *, seed, device):
    return Slow()
"""


def test_status_shows_what_is_going_on_and_what_was_left(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    assert "there are no runs in" in rlbench(
        "status", "--store", ".", cwd=tmp_path
    ).stdout  # fmt: skip
    process = subprocess.Popen(
        [*COMMAND, "run", "--suite", "atari100k", "--unofficial", SHORT.replace("40", "4000"),
         "--agent", "slow", "--tasks", "Pong", "--seeds", "1"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        rows: list[dict[str, object]] = []
        while time.monotonic() < deadline and not (rows and rows[0]["budget_used"]):
            if (tmp_path / "runs").is_dir():
                rows = json.loads(rlbench("status", "--json", cwd=tmp_path).stdout)
        (row,) = rows
        assert (row["state"], row["phase"], row["task"]) == ("running", "train", "Pong")
        assert row["budget"] == 4000
        assert str(process.pid) in str(row["where"])
    finally:
        process.terminate()
    assert process.wait(30) == 130
    (row,) = json.loads(rlbench("status", "--json", cwd=tmp_path).stdout)
    assert (row["state"], row["attempt"]) == ("left", 1)
    assert "left" in rlbench("status", cwd=tmp_path).stdout


KEEPS = """
import json
import time
import numpy as np
class Keeps:
    def act(self, obs, first, *, phase):
        time.sleep(0.02)
        return np.zeros(len(obs), dtype=int)
    def observe(self, batch): ...
    def save(self, folder):
        (folder / "all.json").write_text(json.dumps(list(range(1000))))
    def load(self, folder): ...
def make(task, *, seed, device):
    return Keeps()
"""


def left_by(agent: str, bench: Bench, store: Store) -> str:
    """Have a run be interrupted once it has a checkpoint; return its key."""
    process = bench.start()
    wait_until(lambda: list(store.path.glob("checkpoints/*/[0-9]*")))
    process.terminate()
    process.communicate(timeout=60)
    (claim,) = store.path.glob("claims/*.json")
    assert json.loads(claim.read_text())["origin"]["agent"] == agent
    return claim.stem


def test_what_a_changed_agent_has_left_is_stale_and_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(KEEPS)
    bench = Bench(tmp_path, "--tasks", "Walk", "--seeds", "1", agent="mine.py")
    key = left_by("mine.py", bench, Store(bench.store))

    def status(*options: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, "status", "--json", *options]
        return subprocess.run(
            command, cwd=tmp_path, env=bench.environment, capture_output=True, text=True, check=True
        )

    (row,) = json.loads(status("--clean").stdout)
    assert row["state"] == "to go on"
    assert list(bench.store.glob(f"checkpoints/{key}/[0-9]*"))
    (tmp_path / "mine.py").write_text(KEEPS + "# better\nprint('imported')\n")
    done = status()
    assert [row["state"] for row in json.loads(done.stdout)] == ["stale"]
    assert "imported" not in done.stdout + done.stderr, "code of the agent was run"
    done = status("--clean")
    assert done.stderr.startswith("removed: mine, Walk, seed 0: 0.0 MB; its source was changed")
    assert json.loads(done.stdout) == []
    assert bench.left_over() == []


def test_what_somebody_is_at_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(KEEPS.replace("0.02", "0.2"))
    bench = Bench(tmp_path, "--tasks", "Walk", "--seeds", "1", agent="mine")
    process = bench.start()
    try:
        wait_until(lambda: list(bench.store.glob("checkpoints/*/[0-9]*")))
        (tmp_path / "mine.py").write_text(KEEPS)
        (row,) = json.loads(
            subprocess.run(
                [*COMMAND, "status", "--clean", "--json"], cwd=tmp_path, env=bench.environment,
                capture_output=True, text=True, check=True,
            ).stdout
        )  # fmt: skip
        assert row["state"] == "running"
        assert list(bench.store.glob("checkpoints/*/[0-9]*"))
    finally:
        process.terminate()
        process.communicate(timeout=60)


ODD = [-1, True, 10**400, "\x1b[2J", [1], {"a": {"b": [{}]}}, None]


def test_odd_claims_are_named_and_none_can_do_harm(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "--tasks", "Walk", "--seeds", "1")
    store = Store(bench.store)
    bench.run()
    (record,) = store.load().records
    identity = dataclasses.replace(record.identity, seed=7)
    good = {"token": "t", "host": "elsewhere", "since": time.time(), "identity": identity.to_dict()}
    names = ("host", "pid", "attempt", "signalled", "phase", "budget_used", "episodes", "origin",
             "since")  # fmt: skip
    for number, (name, odd) in enumerate((name, odd) for name in names for odd in ODD):
        (store.path / "claims" / f"{number}.json").write_text(json.dumps({**good, name: odd}))
    (store.path / "claims/none.json").write_text('{"token": "t", "identity": {"seed": []}}')
    (store.path / "claims/list.json").write_text('{"token": "t", "identity": [[]]}')
    os.mkfifo(store.path / "claims/pipe.json")
    done = subprocess.run(
        [*COMMAND, "status", "--json"], cwd=tmp_path, env=bench.environment, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == len(ODD) * (len(names) - 1) + 2, "of those of `since` one or two will do"
    for row in rows:
        for name in ("budget_used", "episodes", "attempt"):
            assert type(row[name]) is int
    named = done.stderr.splitlines()
    assert all("it is not a claim" in line for line in named)
    assert {"none", "list", "pipe"} <= {line.split(".json")[0].split("/")[-1] for line in named}
    shown = subprocess.run(
        [*COMMAND, "status"], cwd=tmp_path, env=bench.environment, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    assert "\\x1b[2J" in shown.stdout
    bench.run()


def test_options_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        'suite = "atari100k"\nagent = "random"\ntasks = ["Pong", "Boxing"]\nseeds = 1\n'
        "checkpoint_every = 60\n[unofficial]\nbudget = 40\nepisodes = 2\nmax_episode_steps = 30\n"
    )
    out = rlbench("run", "--config", "my.toml", "--dry-run", cwd=tmp_path)
    assert "2 of 2 runs to do" in out.stdout
    rlbench("run", "--config", "my.toml", "--tasks", "Pong", cwd=tmp_path)
    (record,) = Store(tmp_path / "runs").load().records
    assert (record.identity.task, record.budget_used) == ("Pong", 40)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede = 1", "unknown option in my.toml: 'sede'. Did you mean 'seeds'?"),
        ("seeds = ", "the file my.toml is not TOML"),
        ("options = 3", "my.toml: options is not a table"),
        ("checkpoint_every = 0", "is not a number of seconds"),
        ('track = "wandb"', "is not a list of names"),
        ('track = ["loud"]', "unknown tracker 'loud'"),
        ('jobs = "many"', "Invalid value for '--jobs'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(text)
    run = ("run", "--suite", "atari100k", "--agent", "random", "--config", "my.toml")
    err = rlbench(*run, cwd=tmp_path, code=2).stderr
    assert said in err
    assert len(err.splitlines()) == 1
    err = rlbench(*run[:-1], "none.toml", cwd=tmp_path, code=2).stderr
    assert "cannot read the file none.toml" in err


def test_a_run_has_at_most_23_flags() -> None:
    from typer.main import get_command

    from rlbench.cli.app import command

    parameters = get_command(command()).commands["run"].params
    assert len([p for p in parameters if p.name != "help"]) <= 23


@pytest.fixture
def four_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\nprintf '0\\n1\\n2\\n3\\n'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def gpus(device: str, **changed: int | bool) -> tuple[list[str], int]:
    """Return the GPUs of the workers, and the runs a worker."""
    asked = {"jobs": 0, "runs_per_gpu": 1, "runs": 100, "has_group": False, **changed}
    places = parse_places(device, **asked)  # type: ignore[arg-type]
    assert all(slot.device == "cuda:0" for slot in places.slots)
    return [slot.gpu for slot in places.slots], places.group


@pytest.mark.usefixtures("four_gpus")
def test_runs_are_spread_over_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpus("cuda") == (["0", "1", "2", "3"], 1)
    assert gpus("auto") == (["0", "1", "2", "3"], 1)
    assert gpus("cuda:2,1") == (["2", "1"], 1)
    assert gpus("cuda:0,1", runs_per_gpu=2) == (["0", "1", "0", "1"], 1)
    assert gpus("cuda:0,1", runs_per_gpu=2, jobs=3) == (["0", "1", "0"], 1)
    assert gpus("cuda:0,1", runs_per_gpu=2, runs=3) == (["0", "1", "0"], 1)
    assert gpus("cuda:0,1", runs_per_gpu=3, has_group=True) == (["0", "1"], 3)
    assert gpus("cuda:0,1", runs_per_gpu=3, has_group=True, runs=3) == (["0"], 3)
    # What the system lets us see is all there is, in its order.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-abc,3")
    assert gpus("cuda:1,0") == (["3", "GPU-abc"], 1)
    with pytest.raises(UsageError, match="there are 2 GPUs here, from 0"):
        parse_places("cuda:2", jobs=0, runs_per_gpu=1, runs=1, has_group=False)


def test_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    asked = {"jobs": 0, "runs": 1, "has_group": False}
    with pytest.raises(UsageError, match="there is no GPU here"):
        parse_places("cuda", runs_per_gpu=1, **asked)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="needs --device cuda, or an agent with a make_group"):
        parse_places("cpu", runs_per_gpu=2, **asked)  # type: ignore[arg-type]
    assert parse_places("auto", runs_per_gpu=1, **asked).slots == [Slot("cpu")]  # type: ignore[arg-type]


GROUP = """
import os
import numpy as np

MADE = []


class Member:
    def __init__(self, task, seed, members):
        self.random = np.random.default_rng(seed)
        self.eval_random = np.random.default_rng(seed + 1)
        self.calls, self.members = [], members

    def act(self, obs, first, *, phase):
        random = self.random if phase == "train" else self.eval_random
        if phase == "train":
            MADE.append(("act", self.members.index(self)))
        return random.integers(4, size=len(obs))

    def observe(self, batch):
        MADE.append(("observe", self.members.index(self)))
        if os.environ.get("BREAK") and self.members.index(self) == 1 and len(MADE) > 20:
            raise ValueError("one of them breaks")

    def close(self):
        print("members", len(self.members), "order", MADE[:8])


def make(task, *, seed, device, **config):
    members = []
    members.append(Member(task, seed, members))
    return members[0]


def make_group(tasks, seeds, *, device, **config):
    members = []
    members.extend(Member(task, seed, members) for task, seed in zip(tasks, seeds, strict=True))
    return members
"""


def run_grouped(
    folder: Path, *options: str, code: int = 0, **environment: str
) -> dict[int, Record]:
    (folder / "grouped.py").write_text(GROUP)
    variables = register(folder / "installed", {TOY.name: "support.toy:TOY"})
    done = subprocess.run(
        [*COMMAND, "run", "--suite", TOY.name, "--agent", "grouped", "--seeds", "3",
         "--jobs", "1", *options],
        cwd=folder, env={**os.environ, **variables, **environment}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    records = Store(folder / "runs").load().records
    return {record.identity.seed: record for record in records}


def test_a_group_is_stepped_together_and_each_run_comes_out_as_alone(tmp_path: Path) -> None:
    for name in ("alone", "together", "breaking"):
        (tmp_path / name).mkdir()
    alone = run_grouped(tmp_path / "alone")
    together = run_grouped(tmp_path / "together", "--runs-per-gpu", "3")
    strip = {"timing": {}, "provenance": {}}
    for seed in range(3):
        assert dataclasses.replace(together[seed], **strip) == dataclasses.replace(
            alone[seed], **strip
        )
        assert together[seed].timing["together"] == 3
        assert "together" not in alone[seed].timing
    (log,) = (tmp_path / "together/runs/logs").iterdir()
    order = [("act", k) for k in range(3)] + [("observe", k) for k in range(3)]
    assert f"members 3 order {order[:8]}"[:60] in log.read_text()
    broken = run_grouped(
        tmp_path / "breaking", "--runs-per-gpu", "3", code=1, BREAK="1"
    )  # fmt: skip
    assert [broken[seed].status for seed in range(3)] == ["ok", "failed", "ok"]
    assert broken[1].error is not None
    assert "one of them breaks" in broken[1].error.reason
    assert dataclasses.replace(broken[2], **strip) == dataclasses.replace(alone[2], **strip)


def test_hashes_of_the_first_steps_differ_where_the_environment_does() -> None:
    """Two streams, two hashes; the same stream, the same hash."""
    from rlbench.runners.loops.evaluation import evaluate
    from rlbench.runners.loops.traces import HASHED_STEPS, EvaluationTrace

    class Zero:
        def act(self, obs, first, *, phase):
            return np.zeros(len(obs), dtype=int)

    found = []
    for seed in (0, 0, 1):
        env = TOY.make(TOY.tasks[0], split="eval", num_envs=4, seed=seed)
        trace = EvaluationTrace(env.single_action_space)
        evaluate(Zero(), env, episodes=40, trace=trace)
        found.append(trace.finish()[0])
    assert found[0] == found[1]
    assert found[0].hashes[0] != found[2].hashes[0]
    assert len(found[0].hashes) <= HASHED_STEPS + 1
