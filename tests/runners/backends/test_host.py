"""What a node of a cluster holds, without a cluster: it runs here, with a store of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlbench import suites
from rlbench.results import Record, Store, identities
from rlbench.runners import Run, Slot, resolve
from rlbench.runners.backends.host import Ended, Host, Piece, Sent, Words
from rlbench.runners.backends.transfer import unpack

SUITE = """
name = "mine"
version = 1
protocol = {budget = 2000, episodes = 2, eval_envs = 1, max_episode_steps = 10}

[[tasks]]
id = "CartPole-v1"
low = 0
high = 500
"""
AGENT = """
import time
import numpy as np

class Agent:
    steps = 0

    def act(self, obs, first, *, phase):
        return np.zeros(len(obs), dtype=int)

    def observe(self, batch):
        self.steps += 1
        time.sleep(0.002)
        if self.steps == END:
            raise ValueError("enough")

    def save(self, folder):
        (folder / "steps").write_text(str(self.steps))

    def load(self, folder):
        self.steps = int((folder / "steps").read_text())

def make(task, *, seed, device):
    print("made")
    return Agent()
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Run:
    """Return a run of an agent, which fails at the step that the test names."""
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(SUITE)
    Path("agent.py").write_text(AGENT.replace("END", str(getattr(request, "param", 0))))
    suite, agent = suites.get("mine.toml"), resolve("agent.py", {})
    (identity,) = identities(suite, suite.tasks, agent.id, [0])
    return Run(
        identity=identity, agent=agent.recipe, teacher=None, store=str(tmp_path / "not there"),
        device="cpu", threads=1, checkpoint_every=0.5, suite_spec=suite.spec,
    )  # fmt: skip


def begin(run: Run, *pieces: bytes) -> Host:
    host = Host()
    host.prepare([run.to_dict()], shares=False)
    for piece in pieces:
        host.receive(run.key, piece)
    host.start(Slot())
    return host


def heard(host: Host) -> Iterator[Any]:
    """Yield all that it says."""
    while True:
        for message in host.hear():
            yield message
            if isinstance(message, Ended):
                return


def kinds(messages: list[Any]) -> list[str]:
    """Return what messages are, each kind once in a row."""
    named = [m["event"] if isinstance(m, dict) else type(m).__name__ for m in messages]
    return [kind for k, kind in enumerate(named) if kind not in named[max(0, k - 1) : k]]


def test_a_record_its_actions_and_its_log_come_before_its_end(run: Run, tmp_path: Path) -> None:
    messages = list(heard(begin(run)))
    assert kinds(messages)[-4:] == ["Sent", "Words", "end", "Ended"]
    (sent,) = (message for message in messages if isinstance(message, Sent))
    record = Record.from_bytes(sent.record)
    assert (record.status, record.identity) == ("ok", run.identity)
    Store(tmp_path / "store").prepare()
    Store(tmp_path / "store").write(record, sent.actions)
    Store(tmp_path / "store").read_actions(record)
    (words,) = (message for message in messages if isinstance(message, Words))
    assert words.text == b"made\n"
    assert not (tmp_path / "not there").exists()


@pytest.mark.parametrize("run", [1500], indirect=True)
def test_a_failed_run_too(run: Run) -> None:
    messages = list(heard(begin(run)))
    (sent,) = (message for message in messages if isinstance(message, Sent))
    record = Record.from_bytes(sent.record)
    assert record.error is not None
    assert record.error.reason == "observe raised ValueError: enough"
    assert b"enough" in next(m.text for m in messages if isinstance(m, Words))


def test_another_host_goes_on_from_the_checkpoint_of_one_that_is_killed(
    run: Run, tmp_path: Path
) -> None:
    host, pieces = begin(run), []
    for message in heard(host):
        if isinstance(message, Piece):
            pieces.append(message.content)
            if not message.content:
                host.request("kill")
                break
    (*_, ended) = heard(host)
    assert ended.cause == ("stopped", "the worker was ended by SIGKILL")
    (tmp_path / "archive").write_bytes(b"".join(pieces))
    unpack(tmp_path / "archive", tmp_path / "checkpoints")
    steps = int(next(tmp_path.glob("checkpoints/*/agent/steps")).read_text())
    assert 0 < steps < 2000

    messages = list(heard(begin(run, *pieces)))
    trained = [
        m["budget_used"] for m in messages if isinstance(m, dict) and m.get("phase") == "train"
    ]
    assert min(trained) >= steps
    (sent,) = (message for message in messages if isinstance(message, Sent))
    assert Record.from_bytes(sent.record).status == "ok"
