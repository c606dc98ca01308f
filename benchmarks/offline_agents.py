"""Updates a CPU-second of `td3bc`, on one core, against others' TD3+BC in the same run.

    make bench-agents

Peers are d3rlpy, in an environment of its own, and a plain loop in the style of CORL: a module a
network, torch's own Adam, no batching. All draw batches of 256 from the same 100,000 transitions
of 18 observations and 6 actions, and have networks of 2 x 256. Rounds take turns; shown are the
median and the quartiles of their ratios.
"""

import argparse
import copy
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

PEER = Path(__file__).parents[1] / ".venv-d3rlpy/bin/python"
ROWS, OBS, ACTION, BATCH = 100_000, 18, 6, 256
UPDATES = 100  # a round


def transitions() -> dict[str, Any]:
    random = np.random.default_rng(0)
    obs = random.normal(size=(ROWS + 1, OBS)).astype(np.float32)
    action = np.tanh(random.normal(size=(ROWS, ACTION))).astype(np.float32)
    return {
        "obs": obs[:-1],
        "action": action,
        "reward": random.normal(size=ROWS),
        "next_obs": obs[1:],
        "ends": np.arange(ROWS) % 1000 == 999,
    }


def ours(seeds: int) -> Callable[[], None]:
    from gymnasium.spaces import Box

    from rlbench.runners import TaskInfo
    from rlbench.runners.agents.td3bc import make_group
    from rlbench.suites import Dataset, Episodes

    data = transitions()
    ends = data.pop("ends")
    never = np.zeros(ROWS, np.bool_)
    first = np.roll(ends, 1)
    train = Episodes(**data, terminated=never, truncated=ends, first=first)
    spaces = {
        "observation_space": Box(-np.inf, np.inf, (OBS,)), "action_space": Box(-1, 1, (ACTION,))
    }  # fmt: skip
    dataset = Dataset(train=train, validation=train, **spaces)
    info = TaskInfo(
        suite="benchmark@1", task="one", num_envs=0, budget=10**9, unit="updates",
        max_episode_steps=1000, kind="offline", **spaces,
    )  # fmt: skip
    agents = make_group([info] * seeds, list(range(seeds)), device="cpu")
    going = [
        agent.fit_steps(dataset, updates=10**9, checkpoint=lambda update: None) for agent in agents
    ]

    def play() -> None:
        for _ in range(UPDATES):
            for one in going:
                next(one)

    return play


def perceptron(inputs: int, outputs: int) -> Any:
    from torch import nn

    layers = (nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    return nn.Sequential(*layers, nn.Linear(256, outputs))


class Plain:
    """TD3+BC as one writes it down."""

    def __init__(self) -> None:
        import torch

        arrays = transitions().items()
        self.data = {k: torch.from_numpy(np.asarray(v, np.float32)) for k, v in arrays}
        self.nets = [perceptron(OBS, ACTION), *(perceptron(OBS + ACTION, 1) for _ in range(2))]
        self.targets = copy.deepcopy(self.nets)
        self.adams = [torch.optim.Adam(net.parameters(), lr=3e-4) for net in self.nets]
        self.torch = torch

    def value(self, critic: Any, obs: Any, action: Any) -> Any:
        return critic(self.torch.cat([obs, action], 1)).squeeze(1)

    def goal(self, reward: Any, following: Any) -> Any:
        with self.torch.no_grad():
            noise = (self.torch.randn(BATCH, ACTION) * 1.5).clamp(-0.5, 0.5)
            chosen = (self.targets[0](following).tanh() + noise).clamp(-1, 1)
            values = [self.value(target, following, chosen) for target in self.targets[1:]]
            return reward + 0.99 * self.torch.min(*values)

    def descend(self, loss: Any, adams: list[Any]) -> None:
        for adam in adams:
            adam.zero_grad()
        loss.backward()
        for adam in adams:
            adam.step()

    def update(self, number: int) -> None:
        actor, *critics = self.nets
        rows = self.torch.randint(ROWS, (BATCH,))
        obs, action, reward, following = (
            self.data[name][rows] for name in ("obs", "action", "reward", "next_obs")
        )
        goal = self.goal(reward, following)
        errors = [self.value(critic, obs, action) - goal for critic in critics]
        self.descend(sum(error.square().mean() for error in errors), self.adams[1:])
        if number % 2:
            return
        chosen = actor(obs).tanh()
        q = self.value(critics[0], obs, chosen)
        weight = 0.1 / q.abs().mean().detach()
        self.descend((chosen - action).square().mean() - weight * q.mean(), self.adams[:1])
        for net, target in zip(self.nets, self.targets, strict=True):
            for new, old in zip(net.parameters(), target.parameters(), strict=True):
                old.data.copy_(0.005 * new.data + 0.995 * old.data)

    def play(self) -> None:
        for number in range(UPDATES):
            self.update(number)


def d3rlpy_updates(sampling: bool) -> Callable[[], None]:
    import d3rlpy

    data = transitions()
    dataset = d3rlpy.dataset.MDPDataset(
        data["obs"], data["action"], data["reward"].astype(np.float32), np.zeros(ROWS, np.float32),
        data["ends"].astype(np.float32),
    )  # fmt: skip
    config = d3rlpy.algos.TD3PlusBCConfig(
        batch_size=BATCH, alpha=0.1, target_smoothing_sigma=1.5, target_smoothing_clip=0.5
    )
    algo = config.create(device="cpu:0")
    algo.build_with_dataset(dataset)
    same = dataset.sample_transition_batch(BATCH)

    def play() -> None:
        for _ in range(UPDATES):
            algo.update(dataset.sample_transition_batch(BATCH) if sampling else same)

    return play


KINDS: dict[str, Callable[[], Callable[[], None]]] = {
    "td3bc": lambda: ours(1),
    "td3bc, 3 seeds together": lambda: ours(3),
    "plain torch": lambda: Plain().play,
    "d3rlpy": lambda: d3rlpy_updates(True),
    "d3rlpy, one batch over and over": lambda: d3rlpy_updates(False),
}


def serve(kind: str) -> None:
    """Play a round for each line of standard input, and say how long it took."""
    import torch

    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    play = KINDS[kind]()
    play()
    for _ in sys.stdin:
        begin = time.process_time()
        play()
        print(time.process_time() - begin, file=out, flush=True)


class Contender:
    """A process that plays rounds when it is asked."""

    def __init__(self, kind: str) -> None:
        python = str(PEER) if kind.startswith("d3rlpy") else sys.executable
        self.process = subprocess.Popen(
            [python, "-W", "ignore", __file__, "--serve", kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def measure(self) -> float:
        """Return updates a CPU-second; of all seeds together."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return UPDATES / float(self.process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    kinds = [kind for kind in KINDS if PEER.exists() or not kind.startswith("d3rlpy")]
    contenders = {kind: Contender(kind) for kind in kinds}
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, contender in contenders.items():
            seeds = 3 if "3 seeds" in kind else 1
            rates[kind].append(seeds * contender.measure())
    print(f"{'':<34}{'updates/s':>10}  td3bc is faster by [quartiles]")
    for kind in kinds:
        ratios = [a / b for a, b in zip(rates["td3bc"], rates[kind], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        rate = statistics.median(rates[kind])
        print(f"{kind:<34}{rate:>10.0f}  {middle:.2f} [{low:.2f}, {high:.2f}]")
    for contender in contenders.values():
        contender.process.kill()


if __name__ == "__main__":
    main()
