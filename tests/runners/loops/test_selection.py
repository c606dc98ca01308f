"""Selection on the validation data: an agent that keeps its best parameters by them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from support.pendulum import PENDULUM, Cloner

from rlbench.runners import Progress, TaskInfo, run_offline
from rlbench.suites import Dataset

SUITE = replace(PENDULUM, protocol=replace(PENDULUM.protocol, eval_points=())).make_unofficial(
    {"budget": 60, "episodes": 4, "max_episode_steps": 25}
)


class Chooses(Cloner):
    """Takes ever larger steps, and acts with the weights that were best on the validation data."""

    def fit(self, dataset: Dataset, *, updates: int, checkpoint: Callable[[int], None]) -> None:
        train, held = dataset.train, dataset.validation
        features, torque = self.features(train.obs), train.action[:, 0].astype(np.float64)
        wanted, seen = held.action[:, 0], self.features(held.obs)
        current, self.errors = self.weights, []
        for update in range(1, updates + 1):
            batch = self.random.integers(len(train), size=64)
            error = features[batch] @ current - torque[batch]
            current = current - 0.3 * update * error @ features[batch] / len(batch)
            self.errors.append(float(np.square(seen @ current - wanted).mean()))
            if self.errors[-1] == min(self.errors):
                self.weights = current
            checkpoint(update)


def test_what_is_chosen_by_the_validation_data_is_evaluated() -> None:
    made: list[Chooses] = []

    def make(task: TaskInfo, *, seed: int, device: str) -> Chooses:
        made.append(Chooses(seed))
        return made[-1]

    progress = Progress()
    run_offline(
        SUITE, SUITE.tasks[0], make, config={}, seed=0, device="cpu", progress=progress
    )  # fmt: skip
    (agent,) = made
    best = int(np.argmin(agent.errors))
    assert 0 < best < 59  # the last update is not the best one
    held = SUITE.dataset(SUITE.tasks[0]).validation
    error = np.square(agent.features(held.obs) @ agent.weights - held.action[:, 0]).mean()
    assert error == agent.errors[best]
    assert progress.budget_used == 60
    (final,) = progress.evaluations
    assert final.budget_used == 60
