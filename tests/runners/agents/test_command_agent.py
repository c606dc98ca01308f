"""Agents that are commands: real processes, on a suite that needs nothing installed."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from support.command import run_short
from support.toy import TOY

from rlbench.errors import AgentError, UsageError
from rlbench.results import Store
from rlbench.runners import Progress, TaskInfo, Transitions, load_factory, resolve, run_online
from rlbench.runners.agents.adapters import command
from rlbench.runners.agents.agent import Valuer
from rlbench.runners.checkpoint import Checkpoints
from rlbench.runners.loops.common import task_info
from rlbench.runners.progress import Leave
from rlbench.suites import Suite

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/cmd_agent.py"
PYTHON = sys.executable
CHECKPOINTS = replace(TOY, protocol=replace(TOY.protocol, eval_points=(10, 20)))

# A command that chooses by what it sees, and at the end writes down the hash of what it was told.
CHILD = """
import hashlib, json, sys
sys.path.insert(0, {examples!r})
import cmd_agent
from cmd_agent import array, receive, send, serve

class Agent:
    def __init__(self, num_envs):
        self.num_envs, self.told, self.phases = num_envs, hashlib.sha256(), ""
    def act(self, n, phase):
        self.phases += phase[0]
        return array("q", [(7 * k + len(self.phases)) % 4 for k in range(n)])
    def observe(self, arrays):
        for name, values in arrays.items():
            self.told.update(name.encode() + values.tobytes())
    def train(self):
        send("reset")
        self.observe(serve(self, until=("reset",))[1])
        for _ in range({steps}):
            send("step", self.act(self.num_envs, "train"))
            header, arrays = serve(self, until=("step", "end"))
            if header["type"] == "end":
                return
            self.observe(arrays)
        send("end")

hello, _ = receive()
agent = Agent(hello["task"]["num_envs"])
send("hello", version=1, learns={learns!r})
try:
    serve(agent)
finally:
    print(json.dumps([hello, agent.told.hexdigest(), agent.phases]), file=open("told.json", "w"))
"""


class Equal:
    """The same in this process."""

    def __init__(self, task: TaskInfo) -> None:
        self.told, self.phases = hashlib.sha256(), ""

    def act(self, obs, first, *, phase):
        self.phases += phase[0]
        return (7 * np.arange(len(obs)) + len(self.phases)) % 4

    def tell(self, arrays: dict[str, Any]) -> None:
        for name, values in arrays.items():
            if values is not None:
                self.told.update(name.encode() + values.tobytes())


class EqualObserver(Equal):
    def observe(self, batch: Transitions) -> None:
        self.tell(batch._asdict())


class EqualTrainer(Equal):
    def train(self, env) -> None:
        self.tell({"obs": env.reset()[0]})
        while True:
            action = self.act(np.zeros(env.num_envs), None, phase="train")
            obs, reward, terminated, truncated, info = env.step(action)
            ended = terminated | truncated
            self.tell({
                "obs": obs, "reward": reward, "terminated": terminated, "truncated": truncated,
                "life_lost": np.zeros_like(ended), "active": info["active"],
            })  # fmt: skip
            if ended.any():
                self.tell({"final_obs": np.where(ended[:, None], info["final_obs"], obs)})


EQUALS = {"nothing": Equal, "observe": EqualObserver, "train": EqualTrainer}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which the process id of every command is added."""
    found: list[int] = []
    start = command.Command.__init__

    def note(self: command.Command, words: list[str]) -> None:
        start(self, words)
        found.append(self.pid)

    monkeypatch.setattr(command.Command, "__init__", note)
    return found


def play(factory: Callable[..., Any], suite: Suite = TOY, **config: Any) -> Progress:
    progress = Progress()
    run_online(
        suite, suite.tasks[0], factory, config=config, seed=0, device="cpu", progress=progress
    )
    return progress


def play_script(text: str, suite: Suite = TOY, **config: Any) -> Progress:
    """Run a Python script as a command."""
    Path("child.py").write_text(text)
    return play(load_factory(f"cmd:{PYTHON} child.py"), suite, **config)


def child(learns: str, steps: int = 10**6) -> str:
    return CHILD.format(examples=str(EXAMPLE.parent), learns=learns, steps=steps)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("num_envs", [1, 7])
@pytest.mark.parametrize("learns", EQUALS)
def test_a_command_is_told_what_an_equal_class_is_told(
    learns: str, num_envs: int, pids: list[int]
) -> None:
    suite = replace(CHECKPOINTS, protocol=replace(CHECKPOINTS.protocol, train_envs=num_envs))
    agents = []

    def factory(task: TaskInfo, *, seed: int, device: str) -> Equal:
        agents.append(EQUALS[learns](task))
        return agents[0]

    expected = play(factory, suite)
    got = play_script(child(learns), suite)
    assert got.budget_used == 50
    assert got.training == expected.training
    assert got.evaluations == expected.evaluations
    assert len(got.evaluations) == 3
    _, told, phases = json.loads(Path("told.json").read_text())
    assert phases == agents[0].phases
    assert told == agents[0].told.hexdigest()
    assert len(pids) == 1
    assert not is_there(pids[0])


def test_an_own_loop_may_end_early() -> None:
    got = play_script(child("train", steps=7))
    assert got.budget_used == got.evaluations[-1].budget_used == 7


def test_the_hello_says_what_a_factory_is_told() -> None:
    infos = []

    def factory(task: TaskInfo, *, seed: int, device: str, **config: Any) -> Equal:
        infos.append((task, seed, device, config))
        return Equal(task)

    config = {"rate": 0.5, "name": 'a "bytes":7', "deep": True}
    play(factory, **config)
    play_script(child("nothing"), **config)
    hello, _, _ = json.loads(Path("told.json").read_text())
    task = infos[0][0]
    assert [hello[key] for key in ("seed", "device", "config")] == list(infos[0][1:])
    assert hello["version"] == 1
    for name in TaskInfo.__dataclass_fields__:
        if not name.endswith("_space"):
            value = getattr(task, name)
            assert hello["task"][name] == (list(value) if isinstance(value, tuple) else value)
    assert hello["task"]["parameter_space"] is None
    assert hello["task"]["action_space"] == {"type": "discrete", "n": 4, "start": 0}
    assert hello["task"]["observation_space"] == {
        "type": "box", "shape": [2], "dtype": "float64", "low": 0.0, "high": None,
    }  # fmt: skip


def test_spaces_as_json() -> None:
    low, high = np.array([-1, -np.inf], np.float32), np.array([0.5, 2], np.float32)
    assert command.describe_space(Box(low, high)) == {
        "type": "box", "shape": [2], "dtype": "float32", "low": [-1.0, None], "high": [0.5, 2.0],
    }  # fmt: skip
    assert command.describe_space(Discrete(3, start=2)) == {"type": "discrete", "n": 3, "start": 2}
    with pytest.raises(UsageError, match="cannot be used where there is a Dict"):
        command.describe_space(Dict({"a": Discrete(2)}))


@pytest.mark.parametrize("flag", ["", " --own-loop"])
def test_the_example_in_python(flag: str) -> None:
    spec = f"cmd:{PYTHON} {EXAMPLE}{flag}"
    first, second = (play(load_factory(spec), CHECKPOINTS) for _ in range(2))
    assert first.budget_used == 50
    assert [e.budget_used for e in first.evaluations] == [10, 20, 50]
    assert first.evaluations == second.evaluations


@pytest.fixture(scope="module")
def c_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the compiled example in C, or skip."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler `cc`")
    program = tmp_path_factory.mktemp("c") / "cmd_agent"
    flags = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    subprocess.run(["cc", *flags, "-o", program, EXAMPLE.with_suffix(".c")], check=True)
    return program


def test_the_example_in_c(c_example: Path, pids: list[int]) -> None:
    got = play(load_factory(f"cmd:{c_example}"), CHECKPOINTS)
    assert got.budget_used == 50
    assert got.training == play(load_factory("noop"), CHECKPOINTS).training
    assert not is_there(pids[0])
    with pytest.raises(AgentError, match=r"the command says: .*discrete actions only"):
        play(load_factory(f"cmd:{c_example}"), TOY.make_unofficial({"continuous": True}))


# What a command does after it has said hello, once it has been asked for an action.
HELLO = f"""
import json, os, signal, struct, sys, time
sys.path.insert(0, {str(EXAMPLE.parent)!r})
from cmd_agent import *
def raw(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    out = sys.stdout.buffer
    out.write(struct.pack("<I", len(text)) + text + data)
    out.flush()
def actions(dtype, shape, data, name="action"):
    raw({{"type": "act", "arrays": [{{"name": name, "dtype": dtype, "shape": shape}}]}}, data)
receive()
"""
ASKED = HELLO + 'send("hello", version=1, learns="observe"); receive()\n'
FAULTS = {
    "exits": (ASKED + "sys.exit(3)", r"ended with exit code 3 where 'act' was expected"),
    "exits with 0": (ASKED + "os._exit(0)", r"ended with exit code 0 where"),
    "dies": (ASKED + "os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV where 'act'"),
    "unnamed signal": (ASKED + "os.kill(os.getpid(), 40)", "was ended by signal 40 where"),
    "exits at once": ("", r"ended with exit code 0 where 'hello' was expected"),
    "raises": ("raise ValueError", r"ended with exit code 1 where 'hello' was expected"),
    "stops in a message": (
        ASKED + "sys.stdout.buffer.write(struct.pack('<I', 50) + b'{}')",
        "ended with exit code 0 in the middle of a message",
    ),
    "stops in a length": (ASKED + "print('a')", "exit code 0 in the middle of a message"),
    "stops in an array": (
        ASKED + "actions('int64', [1], bytes(7))", "exit code 0 in the middle of a message",
    ),
    "closes its output": (
        ASKED + "sys.stdout.close(); os.close(1); time.sleep(60)",
        "closed its standard output where 'act' was expected",
    ),
    "closes both": (
        ASKED + "actions('int64', [1], bytes(8)); os.close(0); os.close(1); time.sleep(60)",
        "closed its standard output where 'act' was expected",
    ),
    "prints": (ASKED + "print('hello'); time.sleep(60)", r"sent b'hell' .* print to its standard"),
    "prints first": ("print('Loading the network'); import time; time.sleep(60)", "sent b'Load'"),
    "long header": (
        ASKED + "sys.stdout.buffer.write(struct.pack('<I', 1_000_001)); sys.stdout.flush();"
        "time.sleep(60)",
        "would be 1,000,001 bytes",
    ),
    "no JSON": (ASKED + "raw(b'act')", "a header that is not JSON"),
    "no UTF-8": (ASKED + r"raw(b'\xff')", "a header that is not JSON"),
    "deep JSON": (ASKED + "raw(b'[' * 99999)", "a header that is not JSON"),
    "a key twice": (ASKED + 'raw(b\'{"type":"act","type":"act"}\')', "a key appears twice"),
    "no object": (ASKED + "raw([1])", "not an object with a type"),
    "no type": (ASKED + "raw({})", "not an object with a type"),
    "a type that is not text": (ASKED + "raw({'type': ['act']})", "not an object with a type"),
    "unknown type": (ASKED + "send('dance')", "sent \"dance\" where 'act' was expected"),
    "another type": (ASKED + "send('step', array('q', [0]))", "sent \"step\" where 'act' was"),
    "no array": (ASKED + "send('act')", r"'act' with the arrays \[\], not \['action'\]"),
    "another array": (
        ASKED + "actions('int64', [1], bytes(8), 'actions')", r"the arrays \[\"actions\"\], not",
    ),
    "arrays that are none": (ASKED + "raw({'type': 'act', 'arrays': 7})", "not a list of objects"),
    "an array that is none": (ASKED + "raw({'type': 'act', 'arrays': [7]})", "not a list of obj"),
    "shape": (ASKED + "send('act', array('q', [0, 0]))", r"the shape \[2\], not \[1\]"),
    "huge shape": (ASKED + "actions('int64', [2**40], b'')", r"the shape \[1099511627776\], not"),
    "negative shape": (ASKED + "actions('int64', [-1], b'')", r"the shape \[-1\], not \[1\]"),
    "true for a size": (ASKED + "actions('int64', [True], bytes(8))", r"the shape \[true\], not"),
    "no shape": (ASKED + "actions('int64', None, b'')", r"the shape null, not \[1\]"),
    "dtype": (ASKED + "actions('object', [1], bytes(8))", 'the dtype "object"'),
    "a dtype that is none": (ASKED + "actions(['<i8'], [1], bytes(8))", "the dtype"),
    "floats": (ASKED + "actions('float64', [1], bytes(8))", "act answered dtype float64"),
    "out of range": (ASKED + "send('act', array('q', [4]))", "action 4, outside 0 to 3"),
    "version": (HELLO + "send('hello', version=2, learns='observe')", "speaks version 2"),
    "no version": (HELLO + "send('hello', learns='observe')", "speaks version null"),
    "learns": (HELLO + "send('hello', version=1, learns='fit')", 'learns = "fit", not one of noth'),
    "learns a list": (HELLO + "send('hello', version=1, learns=[])", r"learns = \[\], not one"),
    "no hello": (HELLO + "send('act')", "sent \"act\" where 'hello' was expected"),
    "error": (ASKED + "send('error', reason='no\\nGPU')", r'the command says: "no\\nGPU"'),
    "error and gone": (
        ASKED + "actions('int64', [1], bytes(8)); receive(); send('error', reason='lost')",
        'the command says: "lost"',
    ),
    "error before hello": ("import sys\n" + HELLO + "send('error', reason='no')", 'says: "no"'),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_in_one_line_and_leave_no_process(
    fault: str, pids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in FAULTS[fault][0]:
        monkeypatch.setattr(command, "_GOODBYE", 0.1)
    text, message = FAULTS[fault]
    with pytest.raises(AgentError, match=message) as caught:
        play_script(text)
    assert "\n" not in str(caught.value)
    assert not is_there(pids[0])


OWN = HELLO + 'send("hello", version=1, learns="train"); receive()\n'
OWN_FAULTS = {
    "step before reset": (OWN + "send('step', array('q', [0])); receive()", "before reset"),
    "act": (OWN + "send('act', array('q', [0]))", "\"act\" where 'reset' or 'step' or 'end' was"),
    "shape": (OWN + "send('step', array('q', [0, 0]))", r"shape \[2\], not \[1\]"),
    "out of range": (
        OWN + "send('reset'); receive(); send('step', array('q', [4])); receive()",
        "action 4, outside 0 to 3",
    ),
    "exits": (OWN + "send('reset'); receive(); sys.exit(5)", "ended with exit code 5 where"),
    "steps when it is over": (
        OWN + "send('reset'); receive()\nwhile True:\n"
        "    header, _ = receive() if send('step', array('q', [0])) else receive()\n"
        "    if header['type'] == 'end': send('step', array('q', [0])); receive()\n",
        "\"step\" where 'act' was expected",
    ),
    "dies in an evaluation": (
        OWN + "send('reset'); receive()\nwhile True:\n"
        "    header, _ = receive() if send('step', array('q', [0])) else receive()\n"
        "    if header['type'] == 'act': sys.exit(6)\n",
        "ended with exit code 6 where 'act' was expected",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", OWN_FAULTS)
def test_faults_in_a_loop_of_its_own(fault: str, pids: list[int]) -> None:
    text, message = OWN_FAULTS[fault]
    with pytest.raises(AgentError, match=message):
        play_script(text, TOY if fault.startswith("steps") else CHECKPOINTS)
    assert not is_there(pids[0])


@pytest.mark.parametrize(
    ("number", "message"),
    [("nan", "NaN"), ("inf", "infinite"), ("2", "outside Box"), ("0", "")],
)
def test_continuous_actions_are_checked(number: str, message: str) -> None:
    suite = TOY.make_unofficial({"continuous": True})
    text = HELLO + (
        "send('hello', version=1, learns='nothing')\n"
        "while (asked := receive())[0]['type'] == 'act':\n"
        "    n = len(asked[1]['first'])\n"
        f"    actions('float32', [n, 3], array('f', [float('{number}')] * 3 * n).tobytes())\n"
    )
    if message:
        with pytest.raises(AgentError, match=message):
            play_script(text, suite)
    else:
        assert play_script(text, suite).budget_used == 50


def test_a_program_that_cannot_be_started() -> None:
    Path("data").write_text("no program")
    with pytest.raises(AgentError, match=r"'nowhere' cannot be started: No such file"):
        play(load_factory("cmd:nowhere"))
    with pytest.raises(AgentError, match=r"'\./data' cannot be started: Permission denied"):
        play(load_factory("cmd:./data"))


@pytest.mark.parametrize("ignores_termination", [False, True])
def test_a_command_that_does_not_end_is_ended(
    ignores_termination: bool, pids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_GOODBYE", 0.2)
    monkeypatch.setattr(command, "_LAST_WORDS", 0.2)
    text = child("observe").replace("finally:", "finally:\n    import time; time.sleep(60)")
    if ignores_termination:
        text = f"import signal; signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN)\n{text}"
    started = time.monotonic()
    assert play_script(text).budget_used == 50
    assert time.monotonic() - started < 5
    assert not is_there(pids[0])


def test_a_command_that_does_not_read_does_not_hold_up_its_end(
    pids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_GOODBYE", 0.2)
    words = [PYTHON, "-c", "import time; time.sleep(60)"]
    running = command.Command(words)
    os.set_blocking(running._in.fileno(), False)
    with suppress(BlockingIOError):
        while os.write(running._in.fileno(), bytes(65536)):
            pass
    running.close()
    running.close()
    assert not is_there(pids[0])


def test_arrays_over_the_limit_are_not_sent() -> None:
    huge = np.broadcast_to(np.zeros((), np.uint8), (2**30 + 1,))
    with pytest.raises(AgentError, match="hold 1,073,741,825 bytes, more than"):
        command.encode("act", {"obs": huge})


def test_arrays_are_sent_in_c_order_and_little_endian() -> None:
    plain = np.arange(6, dtype="<i4").reshape(2, 3)
    for array in (plain.astype(">i4"), np.asfortranarray(plain), np.repeat(plain, 2, 1)[:, ::2]):
        assert command.encode("act", {"obs": array}) == command.encode("act", {"obs": plain})


def test_the_bytes_on_the_page_are_those_that_are_sent() -> None:
    page = (ROOT / "docs/agent-protocol.md").read_text()
    asked, answered = re.findall(r"```\n((?:[0-9a-f]{2} ){3}.*?)```", page, re.DOTALL)

    def as_bytes(text: str) -> bytes:
        length, header, *arrays = text.splitlines()
        return bytes.fromhex(length) + header.encode() + bytes.fromhex(" ".join(arrays))

    arrays = {"obs": np.array([[1, -0.5]], np.float32), "first": np.array([True])}
    assert as_bytes(asked) == command.encode("act", arrays, "train")
    Path("answer").write_bytes(as_bytes(answered))
    answers = command.Command(["cat", "answer"])
    message = answers.receive({"act": {"action": (1,)}})
    answers.close()
    assert message.arrays["action"].tolist() == [2]


def test_naming_a_command_runs_nothing(tmp_path: Path) -> None:
    program = tmp_path / "agent.sh"
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    agent = resolve("cmd:./agent.sh --rate 1", {"a": 1}).id
    assert (agent.name, agent.version, agent.config) == ("agent", "", {"a": 1})
    assert (agent.spec, agent.factory) == ("cmd:agent.sh --rate 1", "cmd")
    assert not Path("ran").exists()
    assert resolve("cmd:./agent.sh", {}, "mine").id.name == "mine"


def test_the_source_hash_covers_words_program_and_script(tmp_path: Path) -> None:
    def source(spec: str) -> str | None:
        return resolve(spec, {}).id.source

    program, script = tmp_path / "agent", tmp_path / "script.py"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    script.write_text("1")
    first, other = source("cmd:./agent --rate 1"), source("cmd:./agent --rate 2")
    assert first != other
    assert source(f"cmd:{program} --rate 1") == first, "the same program, by another path"
    program.write_text("#!/bin/sh\nexit\n")
    assert source("cmd:./agent --rate 1") not in (first, other)
    for spec in (f"cmd:{PYTHON} script.py", f"cmd:{PYTHON} -u 'script.py' --deep"):
        script.write_text("1")
        before = resolve(spec, {}).id
        script.write_text("2")
        assert resolve(spec, {}).id.source != before.source
        assert before.name == "script"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cmd:", "names no program"),
        ("cmd:  ", "names no program"),
        ("cmd:sh 'open", "No closing quotation"),
    ],
)
def test_a_command_that_cannot_be_split(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(spec, {})


def test_a_program_that_is_not_there_is_named_before_anything_runs() -> None:
    with pytest.raises(UsageError, match=r"there is no program '\./nowhere'"):
        resolve("cmd:./nowhere --flag", {})


def test_on_atari_through_the_command(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    options = ("--tasks", "Pong", "--seeds", "1")
    for flag in ("", " --own-loop"):
        spec = f"cmd:{PYTHON} cmd_agent.py{flag}"
        run_short("--agent", spec, "--name", f"rnd{flag[:3]}", *options, cwd=tmp_path)
    records = Store(tmp_path / "runs").load().records
    assert [(r.status, r.budget_used) for r in records] == [("ok", 40)] * 2
    for log in (tmp_path / "runs/logs").iterdir():
        assert "a reward of 0 in training" in log.read_text()


def test_a_command_ends_with_its_worker(tmp_path: Path) -> None:
    text = ASKED + (
        "open('pid', 'w').write(str(os.getpid()))\n"
        "os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)\n"
    )
    (tmp_path / "child.py").write_text(text)
    spec = f"cmd:{PYTHON} child.py"
    out = run_short("--agent", spec, "--tasks", "Pong", "--seeds", "1", cwd=tmp_path, code=1)
    assert "ended by SIGKILL" in out.stderr
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Say whether a process runs that is not our child; it may wait to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_goes_on_after_an_interruption(tmp_path: Path) -> None:
    """It is another process that goes on, and the run comes out as if undisturbed."""
    factory = load_factory(f"cmd:{PYTHON} {EXAMPLE}")
    undisturbed = play(factory)
    left = 0
    for moment in range(2, 60, 6):
        ticks = count(1)

        def tick(ticks: Iterator[int] = ticks, moment: int = moment) -> None:
            if next(ticks) == moment:
                raise Leave

        progress = Progress()
        with suppress(Leave):
            run_online(
                TOY, TOY.tasks[0], factory, config={}, seed=0, device="cpu", progress=progress,
                tick=tick, checkpoints=Checkpoints(tmp_path / str(moment), 10**9),
            )  # fmt: skip
        again = Progress()
        run_online(
            TOY, TOY.tasks[0], factory, config={}, seed=0, device="cpu", progress=again,
            checkpoints=Checkpoints(tmp_path / str(moment), 10**9),
        )  # fmt: skip
        left += again.resumed > 0
        assert (again.evaluations, again.training) == (
            undisturbed.evaluations, undisturbed.training,
        )  # fmt: skip
    assert left > 5


@pytest.mark.parametrize(
    ("hello", "said"),
    [
        ('learns="observe", saves=1', "saves = 1, not true or false"),
        ('learns="train", saves=True', "it owns its loop"),
        ('learns="observe", values="no"', 'values = "no", not true or false'),
    ],
)
def test_what_is_wrong_with_what_it_can_do_is_named(hello: str, said: str) -> None:
    text = child("observe").replace("learns='observe'", hello)
    assert hello in text
    with pytest.raises(AgentError, match=said):
        play_script(text)


@pytest.mark.parametrize("learns", ["nothing", "observe", "train"])
def test_a_command_says_what_it_expects(learns: str) -> None:
    text = HELLO + (
        f"send('hello', version=1, learns={learns!r}, values=True)\n"
        "while (asked := receive())[0]['type'] == 'value':\n"
        "    n = asked[0]['n']\n"
        "    raw({'type': 'value', 'arrays': [{'name': 'value', 'dtype': 'float64',"
        " 'shape': [n]}]}, array('d', range(n)).tobytes())\n"
    )
    obs = np.zeros((3, 2), dtype=np.float32)
    factory = load_factory(f"cmd:{PYTHON} -c {shlex.quote(text)}")
    env = TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0)
    agent: Any = factory(task_info(TOY, TOY.tasks[0], env), seed=0, device="cpu")
    assert isinstance(agent, Valuer)
    np.testing.assert_array_equal(agent.value(obs), [0.0, 1.0, 2.0])
    agent.close()
    env.close()


def test_a_command_that_says_nothing_of_values_is_not_asked() -> None:
    env = TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0)
    text = HELLO + "send('hello', version=1, learns='nothing'); receive()\n"
    factory = load_factory(f"cmd:{PYTHON} -c {shlex.quote(text)}")
    agent: Any = factory(task_info(TOY, TOY.tasks[0], env), seed=0, device="cpu")
    assert not isinstance(agent, Valuer)
    agent.close()
    env.close()
