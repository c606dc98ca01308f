"""An agent that is a command, in Python with nothing but its standard library.

    rlbench run --suite atari100k --agent "cmd:python examples/cmd_agent.py" --tasks Pong --seeds 3
    rlbench run --suite atari100k --agent "cmd:python examples/cmd_agent.py --own-loop" ...

It acts at random and learns nothing, but it is told of every transition; with `--own-loop` it asks
for its steps itself. `docs/agent-protocol.md` says what goes over the pipes. Copy `receive`,
`send` and `serve`; they hold for any agent.
"""

import json
import random
import struct
import sys
from array import array

# The letters that memoryview and array have for the protocol's dtypes.
LETTERS = {
    "bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "uint8": "B",
    "uint16": "H", "uint32": "I", "uint64": "Q", "float32": "f", "float64": "d",
}  # fmt: skip


def receive() -> tuple[dict, dict]:
    """Read a message: its header, and its arrays by name, indexed like `obs[slot, row]`."""
    (length,) = struct.unpack("<I", read(4))
    header = json.loads(read(length))
    arrays = {}
    for described in header["arrays"]:
        letter, shape = LETTERS[described["dtype"]], described["shape"]
        size = struct.calcsize(letter)
        for n in shape:
            size *= n
        arrays[described["name"]] = memoryview(read(size)).cast(letter, shape)
    return header, arrays


def read(size: int) -> bytes:
    """Read so many bytes, or end if the runner is gone."""
    data = sys.stdin.buffer.read(size)
    if len(data) < size:
        sys.exit("the runner is gone")
    return data


def send(type_: str, action: array | None = None, **fields: object) -> None:
    """Write a message, with the actions if it has any."""
    header = {"type": type_, **fields}
    if action is not None:
        header["arrays"] = [{"name": "action", "dtype": "int64", "shape": [len(action)]}]
    data = json.dumps(header).encode()
    out = sys.stdout.buffer
    out.write(struct.pack("<I", len(data)) + data + (b"" if action is None else action.tobytes()))
    out.flush()


class Agent:
    """Draws actions at random."""

    def __init__(self, task: dict, seed: int) -> None:
        space = task["action_space"]
        if space["type"] != "discrete":
            send("error", reason="this example plays with discrete actions only")
            sys.exit(1)
        self.num_envs = task["num_envs"]
        self.actions = range(space["start"], space["start"] + space["n"])
        # A generator for each phase: evaluation must not change how training goes on.
        self.random = {phase: random.Random(f"{seed} {phase}") for phase in ("train", "eval")}
        self.reward = 0.0

    def act(self, n: int, phase: str) -> array:
        """Choose an action for each of n slots."""
        return array("q", self.random[phase].choices(self.actions, k=n))

    def observe(self, arrays: dict) -> None:
        """Learn from a step in each slot: here, only add up the rewards."""
        self.reward += sum(r for r, a in zip(arrays["reward"], arrays["active"], strict=True) if a)

    def save(self, folder: str) -> None:
        """Write all that was learned and drawn: after an interruption the run goes on from it."""
        state = {"reward": self.reward, "random": {p: r.getstate() for p, r in self.random.items()}}
        with open(f"{folder}/agent.json", "w") as file:
            json.dump(state, file)

    def load(self, folder: str) -> None:
        """Become what was saved."""
        with open(f"{folder}/agent.json") as file:
            state = json.load(file)
        self.reward = state["reward"]
        for phase, (version, words, gauss) in state["random"].items():
            self.random[phase].setstate((version, tuple(words), gauss))

    def train(self) -> None:
        """Ask for steps until the budget is spent."""
        send("reset")
        serve(self, until=("reset",))
        while True:
            send("step", self.act(self.num_envs, "train"))
            header, arrays = serve(self, until=("step", "end"))
            if header["type"] == "end":
                return
            self.observe(arrays)


def serve(agent: Agent, until: tuple[str, ...] = ()) -> tuple[dict, dict]:
    """Do what the runner asks for, until it sends one of these types of message."""
    while True:
        header, arrays = receive()
        if header["type"] in until:
            return header, arrays
        if header["type"] == "act":
            send("act", agent.act(len(arrays["first"]), header["phase"]))
        elif header["type"] == "observe":
            agent.observe(arrays)
        elif header["type"] in ("save", "load"):
            getattr(agent, header["type"])(header["folder"])
            send(header["type"])
        elif header["type"] == "begin":
            agent.train()
        elif header["type"] == "close":
            print(f"a reward of {agent.reward:g} in training", file=sys.stderr)
            sys.exit()


def main() -> None:
    """Say hello, then serve."""
    hello, _ = receive()
    agent = Agent(hello["task"], hello["seed"])
    own_loop = "--own-loop" in sys.argv
    send("hello", version=1, learns="train" if own_loop else "observe", saves=not own_loop)
    serve(agent)


if __name__ == "__main__":
    main()
