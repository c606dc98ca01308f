"""Updates a CPU-second of the offline agents, on one core, against others' in the same run.

    make bench-agents

Peers are d3rlpy, in an environment of its own, and plain loops of our own in the style of CORL: a
module a network, torch's own Adam, no batching of networks. d3rlpy has no EDAC. All draw batches
of 256 from the same 100,000 transitions of 18 observations and 6 actions, and have networks of
2 x 256. Options are equal: CQL without cloning, 10 drawn actions, a multiplier; EDAC with 10
critics. Rounds take turns; shown are the median and the quartiles of their ratios.
"""

import argparse
import copy
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

PEER = Path(__file__).parents[1] / ".venv-d3rlpy/bin/python"
ROWS, OBS, ACTION, BATCH = 100_000, 18, 6, 256
UPDATES = {"bc": 200, "td3bc": 100, "cql": 20, "edac": 20}  # a round
OPTIONS: dict[str, dict[str, Any]] = {
    "bc": {"choose": False}, "td3bc": {}, "cql": {"cloning": 1}, "edac": {}
}  # fmt: skip


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


def ours(agent: str, seeds: int) -> Callable[[], None]:
    from gymnasium.spaces import Box

    from rlbench.runners import TaskInfo
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
    make_group = import_module(f"rlbench.runners.agents.{agent}").make_group
    agents = make_group([info] * seeds, list(range(seeds)), device="cpu", **OPTIONS[agent])
    going = [
        one.fit_steps(dataset, updates=10**9, checkpoint=lambda update: None) for one in agents
    ]

    def play() -> None:
        for _ in range(UPDATES[agent]):
            for one in going:
                next(one)

    return play


def perceptron(inputs: int, outputs: int) -> Any:
    from torch import nn

    layers = (nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    return nn.Sequential(*layers, nn.Linear(256, outputs))


class Plain:
    """What the plain loops share: the data, critics with targets, and steps of Adam."""

    agent = ""

    def __init__(self, outputs: int, critics: int) -> None:
        import torch

        arrays = transitions().items()
        self.data = {k: torch.from_numpy(np.asarray(v, np.float32)) for k, v in arrays}
        self.actor = perceptron(OBS, outputs)
        self.critics = [perceptron(OBS + ACTION, 1) for _ in range(critics)]
        self.targets = copy.deepcopy([self.actor, *self.critics])
        self.torch = torch

    def adam(self, network: Any, rate: float) -> Any:
        return self.torch.optim.Adam(network.parameters(), lr=rate)

    def draw(self) -> list[Any]:
        rows = self.torch.randint(ROWS, (BATCH,))
        return [self.data[name][rows] for name in ("obs", "action", "reward", "next_obs")]

    def value(self, critic: Any, obs: Any, action: Any) -> Any:
        return critic(self.torch.cat([obs, action], 1)).squeeze(1)

    def descend(self, loss: Any, adams: list[Any]) -> None:
        for adam in adams:
            adam.zero_grad()
        loss.backward()
        for adam in adams:
            adam.step()

    def follow(self) -> None:
        for net, target in zip([self.actor, *self.critics], self.targets, strict=True):
            for new, old in zip(net.parameters(), target.parameters(), strict=True):
                old.data.copy_(0.005 * new.data + 0.995 * old.data)

    def update(self, number: int) -> None:
        raise NotImplementedError

    def play(self) -> None:
        for number in range(UPDATES[self.agent]):
            self.update(number)


class PlainTD3BC(Plain):
    """TD3+BC as one writes it down."""

    agent = "td3bc"

    def __init__(self) -> None:
        super().__init__(ACTION, 2)
        self.actor_adam = self.adam(self.actor, 3e-4)
        self.adams = [self.adam(critic, 3e-4) for critic in self.critics]

    def goal(self, reward: Any, following: Any) -> Any:
        with self.torch.no_grad():
            noise = (self.torch.randn(BATCH, ACTION) * 1.5).clamp(-0.5, 0.5)
            chosen = (self.targets[0](following).tanh() + noise).clamp(-1, 1)
            values = [self.value(target, following, chosen) for target in self.targets[1:]]
            return reward + 0.99 * self.torch.min(*values)

    def update(self, number: int) -> None:
        obs, action, reward, following = self.draw()
        goal = self.goal(reward, following)
        errors = [self.value(critic, obs, action) - goal for critic in self.critics]
        self.descend(sum(error.square().mean() for error in errors), self.adams)
        if number % 2:
            return
        chosen = self.actor(obs).tanh()
        q = self.value(self.critics[0], obs, chosen)
        weight = 0.1 / q.abs().mean().detach()
        loss = (chosen - action).square().mean() - weight * q.mean()
        self.descend(loss, [self.actor_adam])
        self.follow()


class PlainEDAC(Plain):
    """EDAC as one writes it down: ten critics, one after the other."""

    agent = "edac"

    def __init__(self) -> None:
        super().__init__(2 * ACTION, 10)
        self.log_alpha = self.torch.zeros(1, requires_grad=True)
        self.actor_adam = self.adam(self.actor, 1e-4)
        self.alpha_adam = self.torch.optim.Adam([self.log_alpha], lr=1e-4)
        self.adams = [self.adam(critic, 3e-4) for critic in self.critics]

    def act(self, obs: Any) -> tuple[Any, Any]:
        mean, log_deviation = self.actor(obs).chunk(2, 1)
        normal = self.torch.distributions.Normal(mean, log_deviation.clamp(-20, 2).exp())
        inner = normal.rsample()
        bent = 2 * (np.log(2) - inner - self.torch.nn.functional.softplus(-2 * inner))
        return inner.tanh(), (normal.log_prob(inner) - bent).sum(1)

    def least(self, critics: list[Any], obs: Any, action: Any) -> Any:
        return self.torch.stack([self.value(c, obs, action) for c in critics]).amin(0)

    def update(self, number: int) -> None:
        obs, action, reward, following = self.draw()
        alpha = self.log_alpha.exp().detach()
        chosen, log = self.act(obs)
        loss = (alpha * log - self.least(self.critics, obs, chosen)).mean()
        self.descend(loss, [self.actor_adam])
        self.descend(-self.log_alpha * (log.detach().mean() - ACTION), [self.alpha_adam])
        with self.torch.no_grad():
            chosen, log = self.act(following)
            soft = self.least(self.targets[1:], following, chosen) - alpha * log
            goal = reward + 0.99 * soft
        total, units = 0.0, []
        for critic in self.critics:
            logged = action.clone().requires_grad_()
            value = self.value(critic, obs, logged)
            total = total + (value - goal).square().mean()
            (slope,) = self.torch.autograd.grad(value.sum(), logged, create_graph=True)
            units.append(slope / (slope.norm(dim=1, keepdim=True) + 1e-10))
        unit = self.torch.stack(units)
        pairs = self.torch.einsum("end,fnd->nef", unit, unit)
        alike = pairs.sum((1, 2)) - pairs.diagonal(dim1=1, dim2=2).sum(1)
        self.descend(total + (alike / (len(units) - 1)).mean(), self.adams)
        self.follow()


def d3rlpy_updates(agent: str, sampling: bool) -> Callable[[], None]:
    import d3rlpy

    data = transitions()
    dataset = d3rlpy.dataset.MDPDataset(
        data["obs"], data["action"], data["reward"].astype(np.float32), np.zeros(ROWS, np.float32),
        data["ends"].astype(np.float32),
    )  # fmt: skip
    algos = d3rlpy.algos
    configs = {
        "bc": lambda: algos.BCConfig(
            batch_size=BATCH, learning_rate=5e-4, policy_type="stochastic"
        ),
        "td3bc": lambda: algos.TD3PlusBCConfig(
            batch_size=BATCH, alpha=0.1, target_smoothing_sigma=1.5, target_smoothing_clip=0.5
        ),
        "cql": lambda: algos.CQLConfig(
            batch_size=BATCH, conservative_weight=5.0, alpha_threshold=5.0, n_action_samples=10,
            alpha_learning_rate=3e-4, soft_q_backup=True,
        ),
    }  # fmt: skip
    algo = configs[agent]().create(device="cpu:0")
    algo.build_with_dataset(dataset)
    same = dataset.sample_transition_batch(BATCH)

    def play() -> None:
        for _ in range(UPDATES[agent]):
            algo.update(dataset.sample_transition_batch(BATCH) if sampling else same)

    return play


PLAIN = {"td3bc": PlainTD3BC, "edac": PlainEDAC}


def kinds_of(agent: str) -> dict[str, Callable[[], Callable[[], None]]]:
    """Return the contenders by name; the first is ours, and "3 seeds" plays three."""
    kinds: dict[str, Callable[[], Callable[[], None]]] = {
        agent: lambda: ours(agent, 1),
        f"{agent}, 3 seeds together": lambda: ours(agent, 3),
    }
    if agent in PLAIN:
        kinds["a plain loop in torch"] = lambda: PLAIN[agent]().play
    if agent != "edac":
        kinds["d3rlpy"] = lambda: d3rlpy_updates(agent, True)
        kinds["d3rlpy, one batch over and over"] = lambda: d3rlpy_updates(agent, False)
    return kinds


def serve(agent: str, kind: str) -> None:
    """Play a round for each line of standard input, and say how long it took."""
    import torch

    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    play = kinds_of(agent)[kind]()
    play()
    for _ in sys.stdin:
        begin = time.process_time()
        play()
        print(time.process_time() - begin, file=out, flush=True)


class Contender:
    """A process that plays rounds when it is asked."""

    def __init__(self, agent: str, kind: str) -> None:
        python = str(PEER) if kind.startswith("d3rlpy") else sys.executable
        self.updates = UPDATES[agent] * (3 if "3 seeds" in kind else 1)
        self.process = subprocess.Popen(
            [python, "-W", "ignore", __file__, "--serve", kind, "--agent", agent],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def measure(self) -> float:
        """Return updates a CPU-second; of all seeds together."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.updates / float(self.process.stdout.readline())


def race(agent: str, rounds: int) -> None:
    kinds = [kind for kind in kinds_of(agent) if PEER.exists() or not kind.startswith("d3rlpy")]
    contenders = {kind: Contender(agent, kind) for kind in kinds}
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, contender in contenders.items():
            rates[kind].append(contender.measure())
    print(f"{'':<34}{'updates/s':>10}  {agent} is faster by [quartiles]")
    for kind in kinds:
        ratios = [a / b for a, b in zip(rates[agent], rates[kind], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        rate = statistics.median(rates[kind])
        print(f"{kind:<34}{rate:>10.0f}  {middle:.2f} [{low:.2f}, {high:.2f}]", flush=True)
    for contender in contenders.values():
        contender.process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--agent", choices=UPDATES, help="only this one")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.agent, options.serve)
        return
    for agent in [options.agent] if options.agent else UPDATES:
        race(agent, options.rounds)


if __name__ == "__main__":
    main()
