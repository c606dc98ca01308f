"""Agents in any language: a command that speaks the protocol of ``docs/agent-protocol.md``.

The command is started without a shell, in the current folder and in our process group. Its
standard input and output carry the messages; its standard error is ours.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from rlbench.errors import AgentError, BudgetExhausted, InvalidRecord, UsageError
from rlbench.results import strict_json
from rlbench.runners.agents.agent import (
    COMMAND,
    Agent,
    AgentFactory,
    AgentPhase,
    Bools,
    TaskInfo,
    Transitions,
)
from rlbench.runners.agents.factories import Signature
from rlbench.runners.agents.resolving import Found
from rlbench.sources import hash_file

PROTOCOL_VERSION = 1
MAX_HEADER = 1_000_000  # bytes
MAX_ARRAYS = 2**30  # bytes
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
)  # fmt: skip

_LENGTH = struct.Struct("<I")
_GOODBYE = 5.0  # seconds to end after `close`
_LAST_WORDS = 1.0  # seconds to end after SIGTERM, or after its standard output has closed

Shape = tuple[int, ...]
Expected = Mapping[str, Mapping[str, Shape]]  # type of message: name of array: shape


class Message(NamedTuple):
    """What the command sent.

    Attributes:
        header: Its fields; ``type`` is a string.
        arrays: By name.
    """

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def type(self) -> str:
        """What kind of message it is."""
        return str(self.header["type"])


def identify(spec: str, options: Mapping[str, Any]) -> Found:
    """Return what is known of a command, without running it.

    The hash covers the words of the command. In place of a word that names a file, as itself or
    after a ``=``, stands the content of that file. The program, which may be an interpreter, counts
    by its content if it is named by its folder or if no other word is a file. The first file after
    the program gives the name.

    Raises:
        UsageError: The command cannot be split into words, or there is no such program.
    """
    words = split(spec)
    program = shutil.which(words[0])
    if program is None:
        raise UsageError(
            f"there is no program {words[0]!r} that may be executed; one in this folder needs ./"
            " before its name"
        )
    files = {k: path for k, word in enumerate(words) if k and (path := _file_in(word))}
    first = next(iter(files.values()), Path(words[0]))
    if not files or "/" in words[0]:
        files[0] = Path(program)
    bare = [_without_folder(word) for word in words]
    content = [[word, hash_file(files[k]) if k in files else None] for k, word in enumerate(bare)]
    for k in files:
        content[k][0] = bare[k].partition("=")[0] if "=" in bare[k] else None
    return Found(
        name=first.stem,
        factory=COMMAND.rstrip(":"),
        spec=COMMAND + shlex.join(bare),
        version="",
        source=hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        files=tuple(path.name for _, path in sorted(files.items())),
        signature=Signature(defaults={}, names=None),
    )


def _file_in(word: str) -> Path | None:
    """Return the file that a word names, or that it names after a ``=``."""
    for text in (word, word.partition("=")[2]):
        if text and Path(text).is_file():
            return Path(text)
    return None


def _without_folder(word: str) -> str:
    """Return a word without the folders of the path that it is, or that stands after a ``=``."""
    name, equals, value = word.partition("=") if "=" in word else ("", "", word)
    if value.startswith(("/", "./", "../", "~")) or Path(value).exists():
        value = Path(value).name or "."
    return name + equals + value


def split(spec: str) -> list[str]:
    """Return the words of the command in ``cmd:...``, split as a shell would.

    Raises:
        UsageError: There are none, or a quotation is left open.
    """
    try:
        words = shlex.split(spec.removeprefix(COMMAND))
    except ValueError as error:
        raise UsageError(f"the agent {spec!r} cannot be split into words: {error}") from error
    if not words:
        raise UsageError(f"the agent {spec!r} names no program")
    return words


def make_factory(spec: str) -> AgentFactory:
    """Return a factory that starts the command and makes the agent that it says it is."""
    words = split(spec)

    def make(task: TaskInfo, *, seed: int, device: str, **config: Any) -> Agent:
        hello = _pack({
            "type": "hello",
            "bytes": 0,
            "arrays": [],
            "version": PROTOCOL_VERSION,
            "task": describe_task(task),
            "seed": seed,
            "device": device,
            "config": config,
        })  # fmt: skip
        command = Command(words)
        try:
            command.send(hello)
            header = command.receive({"hello": {}}).header
            learns, saves = _how_it_learns(header)
            agent = (_SAVERS if saves else _CLASSES)[learns](command, task)
            if _says(header, "values"):
                agent.value = agent.ask_value
            return agent
        except BaseException:
            command.close()
            raise

    return make


def _how_it_learns(header: Mapping[str, Any]) -> tuple[str, bool]:
    """Return what the command's hello says: how it learns, and whether it can save itself."""
    if header.get("version") != PROTOCOL_VERSION:
        raise AgentError(
            f"the command speaks version {_short(header.get('version'))} of the protocol,"
            f" not {PROTOCOL_VERSION}"
        )
    learns = header.get("learns")
    if not isinstance(learns, str) or learns not in _CLASSES:
        raise AgentError(
            f"the command's hello says learns = {_short(learns)}, not one of {', '.join(_CLASSES)}"
        )
    saves = _says(header, "saves")
    if saves and learns not in _SAVERS:
        raise AgentError("the command's hello says that it saves itself, but it owns its loop")
    return learns, saves


def _says(header: Mapping[str, Any], name: str) -> bool:
    """Return what the command's hello says of something that it may be able to do."""
    said = header.get(name, False)
    if not isinstance(said, bool):
        raise AgentError(f"the command's hello says {name} = {_short(said)}, not true or false")
    return said


def describe_task(task: TaskInfo) -> dict[str, Any]:
    """Return the task as JSON data, with the names that `TaskInfo` has."""
    return {
        "suite": task.suite,
        "task": task.task,
        "observation_space": describe_space(task.observation_space),
        "action_space": describe_space(task.action_space),
        "num_envs": task.num_envs,
        "budget": task.budget,
        "unit": task.unit,
        "max_episode_steps": task.max_episode_steps,
        "kind": task.kind,
        "eval_points": list(task.eval_points),
        "parameter_space": task.parameter_space and describe_space(task.parameter_space),
        "knowledge": dict(task.knowledge),
    }


def describe_space(space: Space[Any]) -> dict[str, Any]:
    """Return a discrete space or a box as JSON data.

    Raises:
        UsageError: It is another kind of space.
    """
    if isinstance(space, Discrete):
        return {"type": "discrete", "n": int(space.n), "start": int(space.start)}
    if not isinstance(space, Box) or space.dtype.name not in DTYPES:
        raise UsageError(f"agents that are commands cannot be used where there is a {space}")
    return {
        "type": "box",
        "shape": list(space.shape),
        "dtype": space.dtype.name,
        "low": _describe_bound(space.low),
        "high": _describe_bound(space.high),
    }


def _describe_bound(bound: NDArray[Any]) -> Any:
    """Return one number where all are equal, else nested lists; None stands for no bound."""
    values = bound.astype(object)
    values[~np.isfinite(bound)] = None
    uniform = bound.size and (bound == bound.flat[0]).all()
    return values.flat[0] if uniform else values.tolist()


def encode(type_: str, arrays: Mapping[str, NDArray[Any]], phase: str = "") -> bytes:
    """Return the bytes of a message.

    Args:
        type_: What kind of message it is.
        arrays: (n, ...) each, in the order in which they are sent.
        phase: For ``act``.

    Raises:
        AgentError: It is over the limits of the protocol.
    """
    shapes = tuple((name, array.dtype.name, array.shape) for name, array in arrays.items())
    heading = _heading(type_, phase, shapes)
    return b"".join([heading, *(_little_endian(array).data for array in arrays.values())])


@lru_cache(maxsize=64)
def _heading(type_: str, phase: str, shapes: tuple[tuple[str, str, Shape], ...]) -> bytes:
    """Return the length and the header, which are the same in most messages of a type."""
    header: dict[str, Any] = {"type": type_}
    if phase:
        header["phase"] = phase
    if shapes:
        header["n"] = shapes[0][2][0]
    header["bytes"] = sum(prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in shapes)
    if header["bytes"] > MAX_ARRAYS:
        raise AgentError(
            f"the arrays of {type_!r} hold {header['bytes']:,} bytes, more than the protocol's"
            f" limit of {MAX_ARRAYS:,}"
        )
    header["arrays"] = [{"name": n, "dtype": d, "shape": s} for n, d, s in shapes]
    return _pack(header)


def _pack(header: Mapping[str, Any]) -> bytes:
    data = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    if len(data) > MAX_HEADER:
        raise AgentError(f"a header of {len(data):,} bytes is more than {MAX_HEADER:,}")
    return _LENGTH.pack(len(data)) + data


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in C order, its numbers little-endian."""
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


class Command:
    """A running command at the other end of two pipes.

    Args:
        words: The program and its arguments.

    Raises:
        AgentError: It cannot be started.
    """

    def __init__(self, words: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise AgentError(f"the command {words[0]!r} cannot be started: {reason}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self.pid = self._process.pid

    def send(self, data: bytes) -> None:
        """Write a message; if the command is gone, the next `receive` says how it ended."""
        left = memoryview(data)
        with suppress(BrokenPipeError):
            while left:
                left = left[os.write(self._in.fileno(), left) :]

    def receive(self, expected: Expected) -> Message:
        """Read a message.

        Args:
            expected: The arrays that it must carry, for each type that it may have.

        Raises:
            AgentError: There is none, it is not as expected, or it says that the command failed.
        """
        awaited = " or ".join(map(repr, expected))
        header = self._header(awaited)
        type_ = header["type"]
        if type_ == "error":
            raise AgentError(f"the command says: {_short(header.get('reason'))}")
        if type_ not in expected:
            raise AgentError(f"the command sent {_short(type_)} where {awaited} was expected")
        described = _described_arrays(header, expected[type_])
        return Message(header, {name: self._array(*rest) for name, rest in described.items()})

    def _header(self, awaited: str) -> dict[str, Any]:
        start = self._out.read(_LENGTH.size)
        if len(start) < _LENGTH.size:
            when = "in the middle of a message" if start else f"where {awaited} was expected"
            raise AgentError(self._end(when))
        (length,) = _LENGTH.unpack(start)
        if length > MAX_HEADER:
            raise AgentError(
                f"the command sent {start!r} where a header's length was expected, which would be"
                f" {length:,} bytes; does it print to its standard output?"
            )
        try:
            header = strict_json.load(self._read(length), MAX_HEADER)
        except InvalidRecord as error:
            raise AgentError(f"the command sent a header that is {error}") from error
        if not isinstance(header, dict) or not isinstance(header.get("type"), str):
            raise AgentError("the command sent a header that is not an object with a type")
        return header

    def _array(self, dtype: str, shape: Shape) -> NDArray[Any]:
        sent = np.dtype(dtype).newbyteorder("<")
        data = self._read(prod(shape) * sent.itemsize)
        return np.frombuffer(data, sent).astype(dtype).reshape(shape)

    def _read(self, size: int) -> bytes:
        data = self._out.read(size)
        if len(data) < size:
            raise AgentError(self._end("in the middle of a message"))
        return data

    def _end(self, when: str) -> str:
        """Say how the command, whose pipe has closed, came to its end."""
        try:
            code = self._process.wait(_LAST_WORDS)
        except subprocess.TimeoutExpired:
            return f"the command closed its standard output {when}"
        if code >= 0:
            return f"the command ended with exit code {code} {when}"
        return f"the command was ended by {_signal_name(-code)} {when}"

    def close(self) -> None:
        """Tell the command to end, and end it if it does not."""
        if self._in.closed:
            return
        with suppress(OSError):
            # It may not be reading: what it has not read must not hold us up.
            os.set_blocking(self._in.fileno(), False)
            os.write(self._in.fileno(), encode("close", {}))
        self._in.close()
        self._out.close()
        for patience, end in (
            (_GOODBYE, self._process.terminate),
            (_LAST_WORDS, self._process.kill),
        ):
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                end()
        self._process.wait()


def _described_arrays(
    header: Mapping[str, Any], expected: Mapping[str, Shape]
) -> dict[str, tuple[str, Shape]]:
    """Return dtype and shape of the arrays that follow a header, having compared them."""
    sent = header.get("arrays", [])
    if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
        raise AgentError("the command sent a header whose arrays are not a list of objects")
    names = [one.get("name") for one in sent]
    if names != list(expected):
        raise AgentError(
            f"the command sent {header['type']!r} with the arrays {_short(names)},"
            f" not {list(expected)}"
        )
    for one in sent:
        where = f"the command sent {one['name']!r} with"
        if one.get("dtype") not in DTYPES:
            raise AgentError(f"{where} the dtype {_short(one.get('dtype'))}")
        shape = list(expected[one["name"]])
        # JSON's true is no size, though Python takes it for 1.
        if one.get("shape") != shape or any(isinstance(size, bool) for size in one["shape"]):
            raise AgentError(f"{where} the shape {_short(one.get('shape'))}, not {shape}")
    return {one["name"]: (one["dtype"], tuple(one["shape"])) for one in sent}


def _short(value: Any) -> str:
    """Return how a value looks in JSON, cut off where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class CommandAgent:
    """A command that acts, and learns nothing.

    Args:
        command: It has said hello.
        task: The task.

    Attributes:
        value: Set to `ask_value` if the command said that it answers, see `Valuer`.
    """

    value: Callable[[NDArray[Any]], NDArray[Any]]

    def __init__(self, command: Command, task: TaskInfo) -> None:
        self.command = command
        self._action_shape: Shape = task.action_space.shape or ()

    def act(self, obs: NDArray[Any], first: Bools, *, phase: AgentPhase) -> NDArray[Any]:
        """Ask the command for (n, ...) actions."""
        self.command.send(encode("act", {"obs": obs, "first": first}, phase))
        shape = (len(first), *self._action_shape)
        return self.command.receive({"act": {"action": shape}}).arrays["action"]

    def ask_value(self, obs: NDArray[Any]) -> NDArray[Any]:
        """Ask the command for (n,) values of (n, ...) observations."""
        self.command.send(encode("value", {"obs": obs}))
        return self.command.receive({"value": {"value": (len(obs),)}}).arrays["value"]

    def close(self) -> None:
        """End the command."""
        self.command.close()


class CommandObserver(CommandAgent):
    """A command that learns from transitions while the runner owns the loop."""

    def observe(self, batch: Transitions) -> None:
        """Send the transitions; there is no answer."""
        arrays = {name: array for name, array in batch._asdict().items() if array is not None}
        self.command.send(encode("observe", arrays))


class CommandSaver(CommandAgent):
    """A command whose run goes on after an interruption."""

    def save(self, folder: Path) -> None:
        """Have the command write itself into a folder."""
        self._ask("save", folder)

    def load(self, folder: Path) -> None:
        """Have the command become what was saved."""
        self._ask("load", folder)

    def _ask(self, type_: str, folder: Path) -> None:
        header = {"type": type_, "bytes": 0, "arrays": [], "folder": str(folder.resolve())}
        self.command.send(_pack(header))
        self.command.receive({type_: {}})


class SavingObserver(CommandSaver, CommandObserver):
    """A command that observes, and whose run goes on after an interruption."""


class CommandTrainer(CommandAgent):
    """A command that owns its loop."""

    def train(self, env: VectorEnv[Any, Any, Any]) -> None:
        """Play what the command asks for until it ends its loop or the budget is spent."""
        self.command.send(encode("begin", {}))
        requests: Expected = {
            "reset": {}, "step": {"action": (env.num_envs, *self._action_shape)}, "end": {},
        }  # fmt: skip
        while (request := self.command.receive(requests)).type != "end":
            if request.type == "reset":
                answer = {"obs": env.reset()[0]}
            else:
                try:
                    answer = _step(env, request.arrays["action"])
                except BudgetExhausted:
                    self.command.send(encode("end", {}))
                    return
            self.command.send(encode(request.type, answer))


def _step(env: VectorEnv[Any, Any, Any], action: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Play a step of a metered environment and return what the command is told of it."""
    obs, reward, terminated, truncated, info = env.step(action)
    answer = {
        "obs": obs,
        "reward": reward,
        "terminated": terminated,
        "truncated": truncated,
        "life_lost": info.get("life_lost", np.zeros_like(terminated)),
        "active": info["active"],
    }
    ended = info["ended"].reshape(-1, *[1] * (obs.ndim - 1))
    if ended.any():
        answer["final_obs"] = np.where(ended, info["final_obs"], obs)
    return answer


_CLASSES: dict[str, type[CommandAgent]] = {
    "nothing": CommandAgent,
    "observe": CommandObserver,
    "train": CommandTrainer,
}
_SAVERS: dict[str, type[CommandAgent]] = {"nothing": CommandSaver, "observe": SavingObserver}
