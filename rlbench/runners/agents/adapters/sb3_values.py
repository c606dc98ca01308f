"""What the critics of Stable-Baselines3 expect."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def values_of(policy: Any, obs: NDArray[Any]) -> NDArray[np.float64]:
    """Return (n,) values of (n, ...) observations, as a policy's critic sees them."""
    with torch.no_grad():
        seen, _ = policy.obs_to_tensor(obs)
        if hasattr(policy, "predict_values"):
            values = policy.predict_values(seen)
        elif hasattr(policy, "q_net"):
            values = policy.q_net(seen).max(dim=1).values
        else:
            chosen = policy._predict(seen, deterministic=True)
            values = torch.cat(policy.critic(seen, chosen), dim=1).min(dim=1).values
    return np.asarray(values.cpu(), dtype=np.float64).reshape(len(obs))
