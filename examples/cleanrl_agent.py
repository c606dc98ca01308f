"""PPO in one file, in the style of CleanRL, on the environments of the runner.

    pip install torch
    rlbench check examples/cleanrl_agent.py --suite SUITE -o num_steps=16

What a script of that style needs to become an agent: `train` is its loop with the environments it
is given, `act` its policy for the runner's evaluations, and its own evaluation is dropped. It takes
vectors of observations and discrete actions.
"""

import numpy as np
import torch
from gymnasium.spaces import Discrete
from gymnasium.vector import VectorEnv
from torch import nn
from torch.distributions import Categorical

from rlbench.errors import UsageError
from rlbench.runners import TaskInfo

__version__ = "1"


def layer(inputs: int, outputs: int, scale: float = 2**0.5) -> nn.Linear:
    """Return a linear layer with orthogonal weights."""
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, scale)
    nn.init.zeros_(linear.bias)
    return linear


class PPO:
    """The networks, and the loop that trains them."""

    def __init__(self, task: TaskInfo, device: str, options: dict[str, float]) -> None:
        inputs, actions = task.observation_space.shape[0], int(task.action_space.n)
        self.task, self.device, self.options = task, device, options
        body = [layer(inputs, 64), nn.Tanh(), layer(64, 64), nn.Tanh()]
        self.actor = nn.Sequential(*body, layer(64, actions, 0.01)).to(device)
        body = [layer(inputs, 64), nn.Tanh(), layer(64, 64), nn.Tanh()]
        self.critic = nn.Sequential(*body, layer(64, 1, 1.0)).to(device)
        self.parameters = [*self.actor.parameters(), *self.critic.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, options["learning_rate"], eps=1e-5)

    def act(self, obs: np.ndarray, first: np.ndarray, *, phase: str) -> np.ndarray:
        """Take the most probable actions."""
        with torch.no_grad():
            return self.actor(self.tensor(obs)).argmax(1).cpu().numpy()

    def train(self, env: VectorEnv) -> None:
        """Play and learn in turns, until the environments say that the budget is spent."""
        obs = self.tensor(env.reset()[0])
        updates = self.task.budget // (self.task.num_envs * self.options["num_steps"])
        for update in range(10**9):
            left = max(0.0, 1 - update / max(1, updates))
            self.optimizer.param_groups[0]["lr"] = left * self.options["learning_rate"]
            obs, steps = self.play(env, obs)
            self.learn(steps, self.values(obs))

    @torch.no_grad()
    def play(
        self, env: VectorEnv, obs: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return what is seen last, and (num_steps, n, ...) of what happened."""
        steps: dict[str, list[torch.Tensor]] = {
            name: [] for name in ("obs", "action", "logprob", "value", "reward", "ended")
        }
        for _ in range(self.options["num_steps"]):
            policy = Categorical(logits=self.actor(obs))
            action = policy.sample()
            next_obs, reward, terminated, truncated, info = env.step(action.cpu().numpy())
            reward = self.tensor(reward)
            if truncated.any():  # what would have followed is worth something
                final = self.values(self.tensor(info["final_obs"]))
                reward += self.options["gamma"] * final * self.tensor(truncated & ~terminated)
            ended = self.tensor(terminated | truncated)
            now = (obs, action, policy.log_prob(action), self.values(obs), reward, ended)
            for name, value in zip(steps, now, strict=True):
                steps[name].append(value)
            obs = self.tensor(next_obs)
        return obs, {name: torch.stack(values) for name, values in steps.items()}

    def learn(self, steps: dict[str, torch.Tensor], next_value: torch.Tensor) -> None:
        """Make some epochs of updates."""
        options = self.options
        advantages = torch.zeros_like(steps["reward"])
        advantage = torch.zeros_like(next_value)
        for t in reversed(range(len(advantages))):
            goes_on = 1 - steps["ended"][t]
            error = steps["reward"][t] + options["gamma"] * next_value * goes_on - steps["value"][t]
            advantage = error + options["gamma"] * options["gae_lambda"] * goes_on * advantage
            advantages[t], next_value = advantage, steps["value"][t]
        batch = {name: value.flatten(0, 1) for name, value in steps.items()}
        batch["advantage"] = advantages.flatten()
        batch["target"] = batch["advantage"] + batch["value"]
        for _ in range(options["epochs"]):
            order = torch.randperm(len(batch["target"]), device=self.device)
            for chosen in order.chunk(options["minibatches"]):
                loss = self.loss({name: value[chosen] for name, value in batch.items()})
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.parameters, 0.5)
                self.optimizer.step()

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the clipped loss of the policy, with those of the values and the entropy."""
        policy = Categorical(logits=self.actor(batch["obs"]))
        ratio = (policy.log_prob(batch["action"]) - batch["logprob"]).exp()
        clipped = ratio.clamp(1 - self.options["clip"], 1 + self.options["clip"])
        spread = batch["advantage"].std(unbiased=False) + 1e-8
        advantage = (batch["advantage"] - batch["advantage"].mean()) / spread
        gain = torch.minimum(ratio * advantage, clipped * advantage).mean()
        error = (self.critic(batch["obs"]).squeeze(1) - batch["target"]).square().mean()
        return 0.25 * error - gain - self.options["entropy"] * policy.entropy().mean()

    def values(self, obs: torch.Tensor) -> torch.Tensor:
        """Return (n,) values without a gradient."""
        with torch.no_grad():
            return self.critic(obs).squeeze(1)

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """Return an array as floats on the device."""
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)


def make(
    task: TaskInfo,
    *,
    seed: int,
    device: str,
    num_steps: int = 128,
    epochs: int = 4,
    minibatches: int = 4,
    learning_rate: float = 2.5e-4,
    gamma: float = 0.99,
    gae_lambda: float = 0.95,
    clip: float = 0.2,
    entropy: float = 0.01,
) -> PPO:
    """Make the agent; `-o num_steps=64` on the command line sets an option."""
    if not isinstance(task.action_space, Discrete) or len(task.observation_space.shape) != 1:
        raise UsageError("this PPO takes vectors of observations and discrete actions")
    torch.manual_seed(seed)  # all that it draws from
    options = {
        "num_steps": num_steps, "epochs": epochs, "minibatches": minibatches, "clip": clip,
        "learning_rate": learning_rate, "gamma": gamma, "gae_lambda": gae_lambda,
        "entropy": entropy,
    }  # fmt: skip
    return PPO(task, device, options)
