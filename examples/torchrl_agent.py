"""DQN of torchrl's parts, learning from what the runner plays.

    pip install torchrl torch
    rlbench check examples/torchrl_agent.py --suite SUITE -o learning_starts=20

The networks, the exploration, the loss and the buffer are torchrl's; its environments and
collectors are not used. It takes vectors of observations and discrete actions.
"""

import numpy as np
import torch
from gymnasium.spaces import Discrete
from tensordict import TensorDict
from tensordict.nn import TensorDictSequential
from torchrl.data import Categorical, LazyTensorStorage, TensorDictReplayBuffer
from torchrl.envs.utils import ExplorationType, set_exploration_type
from torchrl.modules import MLP, EGreedyModule, QValueActor
from torchrl.objectives import DQNLoss, SoftUpdate

from rlbench.errors import UsageError
from rlbench.runners import TaskInfo, Transitions

__version__ = "1"


class TorchRLDQN:
    """Double DQN with a target network that follows slowly."""

    def __init__(
        self, task: TaskInfo, device: str, *, memory: int, batch_size: int, learning_starts: int,
        learning_rate: float, gamma: float, exploration: float,
    ) -> None:  # fmt: skip
        actions = int(task.action_space.n)
        self.device, self.learning_starts = device, learning_starts
        network = MLP(
            in_features=task.observation_space.shape[0], out_features=actions,
            num_cells=[64, 64], device=device,
        )  # fmt: skip
        space = Categorical(actions)
        self.actor = QValueActor(network, spec=space)
        steps = max(1, int(exploration * task.budget))
        self.noise = EGreedyModule(space, eps_end=0.05, annealing_num_steps=steps, device=device)
        self.explorer = TensorDictSequential(self.actor, self.noise)
        self.loss = DQNLoss(self.actor, action_space=space, delay_value=True, double_dqn=True)
        self.loss.make_value_estimator(gamma=gamma)
        self.target = SoftUpdate(self.loss, eps=0.995)
        self.optimizer = torch.optim.Adam(self.loss.parameters(), learning_rate)
        self.buffer = TensorDictReplayBuffer(
            storage=LazyTensorStorage(memory, device=device), batch_size=batch_size
        )

    def act(self, obs: np.ndarray, first: np.ndarray, *, phase: str) -> np.ndarray:
        """Act by the greatest value; in training now and then at random."""
        seen = TensorDict({"observation": self.tensor(obs)}, batch_size=[len(obs)])
        policy = self.explorer if phase == "train" else self.actor
        with torch.no_grad(), set_exploration_type(ExplorationType.RANDOM):
            return policy(seen)["action"].cpu().numpy()

    def observe(self, batch: Transitions) -> None:
        """Keep a step, and learn from some that are kept."""
        step = TensorDict(
            {
                "observation": self.tensor(batch.obs),
                "action": torch.as_tensor(batch.action, device=self.device),
                "next": {
                    "observation": self.tensor(batch.next_obs),
                    "reward": self.tensor(batch.reward).unsqueeze(1),
                    "terminated": self.flag(batch.terminated),
                    "done": self.flag(batch.terminated | batch.truncated),
                },
            },
            batch_size=[len(batch.reward)],
        )
        self.buffer.extend(step[torch.as_tensor(batch.active, device=self.device)])
        self.noise.step(len(batch.reward))
        if len(self.buffer) < self.learning_starts:
            return
        loss = self.loss(self.buffer.sample())["loss"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.target.step()

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """Return an array as floats on the device."""
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)

    def flag(self, array: np.ndarray) -> torch.Tensor:
        """Return (n,) flags as the (n, 1) that torchrl takes."""
        return torch.as_tensor(array, device=self.device).unsqueeze(1)


def make(
    task: TaskInfo,
    *,
    seed: int,
    device: str,
    memory: int = 50_000,
    batch_size: int = 64,
    learning_starts: int = 1_000,
    learning_rate: float = 5e-4,
    gamma: float = 0.99,
    exploration: float = 0.2,
) -> TorchRLDQN:
    """Make the agent; `-o batch_size=128` on the command line sets an option.

    `exploration` is the share of the budget in which random actions become rare.
    """
    if not isinstance(task.action_space, Discrete) or len(task.observation_space.shape) != 1:
        raise UsageError("this DQN takes vectors of observations and discrete actions")
    torch.manual_seed(seed)  # all that torchrl draws from
    return TorchRLDQN(
        task, device, memory=memory, batch_size=batch_size, learning_starts=learning_starts,
        learning_rate=learning_rate, gamma=gamma, exploration=exploration,
    )  # fmt: skip
