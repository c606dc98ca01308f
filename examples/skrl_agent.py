"""The SAC of skrl, learning from what the runner plays.

    pip install skrl torch
    rlbench check examples/skrl_agent.py --suite SUITE -o learning_starts=20

skrl's own trainers are not used: its agents can be told what happened, which is what `observe` is
for. It takes vectors of observations and actions within bounds.
"""

import numpy as np
import torch
from gymnasium.spaces import Box
from skrl.agents.torch.sac import SAC, SAC_CFG
from skrl.memories.torch import RandomMemory
from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

from rlbench.errors import UsageError
from rlbench.runners import TaskInfo, Transitions

__version__ = "1"


class SkrlSAC:
    """An agent of skrl that acts within -1 and 1, and what turns that into the task's actions."""

    def __init__(self, task: TaskInfo, sac: SAC, device: str) -> None:
        self.sac, self.device = sac, device
        self.low, self.high = task.action_space.low, task.action_space.high
        self.when = {"timestep": 0, "timesteps": task.budget}

    def act(self, obs: np.ndarray, first: np.ndarray, *, phase: str) -> np.ndarray:
        """Draw actions in training; take the mean in evaluation, which draws nothing."""
        with torch.no_grad():
            if phase == "train":
                self.chosen, _ = self.sac.act(self.tensor(obs), None, **self.when)
                actions = self.chosen
            else:
                inputs = {"observations": self.tensor(obs), "states": None}
                actions, _ = self.sac.policy.compute(inputs, role="policy")
        unit = (actions.cpu().numpy() + 1) / 2
        # Clipped because rounding may lead beyond the bounds.
        return np.clip(self.low + unit * (self.high - self.low), self.low, self.high)

    def observe(self, batch: Transitions) -> None:
        """Store a step and learn."""
        if not batch.active.all():
            return  # the budget ended within the step, and training with it
        self.sac.record_transition(
            observations=self.tensor(batch.obs),
            states=None,
            actions=self.chosen,
            rewards=self.column(batch.reward),
            next_observations=self.tensor(batch.next_obs),
            next_states=None,
            terminated=self.column(batch.terminated),
            truncated=self.column(batch.truncated),
            infos={},
            **self.when,
        )
        self.sac.post_interaction(**self.when)
        self.sac.tracking_data.clear()  # nobody writes it down, so it would only grow
        self.when["timestep"] += 1

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """Return (n, ...) as skrl takes it."""
        return torch.as_tensor(array, dtype=torch.float32, device=self.device)

    def column(self, array: np.ndarray) -> torch.Tensor:
        """Return (n,) as the (n, 1) that skrl takes, of the same kind."""
        dtype = torch.bool if array.dtype == bool else torch.float32
        return torch.as_tensor(array, dtype=dtype, device=self.device).unsqueeze(1)


def make(
    task: TaskInfo, *, seed: int, device: str, memory: int = 100_000, **config: float
) -> SkrlSAC:
    """Make the agent; `-o batch_size=128` and the like set fields of skrl's `SAC_CFG`."""
    if not isinstance(task.action_space, Box) or not task.action_space.is_bounded():
        raise UsageError(f"SAC needs actions in a box with bounds, not in {task.action_space}")
    torch.manual_seed(seed)  # all that skrl draws from
    spaces = {
        "observation_space": Box(-np.inf, np.inf, task.observation_space.shape),  # of floats
        "action_space": Box(-1, 1, task.action_space.shape),
        "device": device,
    }
    hidden = {"name": "net", "layers": [256, 256], "activations": "relu"}
    models = {
        "policy": gaussian_model(
            **spaces, clip_actions=True, min_log_std=-5, output="tanh(ACTIONS)",
            network=[{**hidden, "input": "OBSERVATIONS"}],
        )
    }  # fmt: skip
    seen_and_done = "concatenate([OBSERVATIONS, ACTIONS])"
    for name in ("critic_1", "critic_2", "target_critic_1", "target_critic_2"):
        network = [{**hidden, "input": seen_and_done}]
        models[name] = deterministic_model(**spaces, network=network, output="ONE")
    for name, model in models.items():
        model.init_state_dict(role=name)
    sac = SAC(
        models=models,
        memory=RandomMemory(
            memory_size=memory // task.num_envs, num_envs=task.num_envs, device=device
        ),
        cfg=SAC_CFG(**config, experiment={"write_interval": 0, "checkpoint_interval": 0}),
        **spaces,
    )
    sac.init()
    sac.enable_training_mode(True)
    return SkrlSAC(task, sac, device)
