"""Policies that are evaluated as they are: no training budget is spent."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from rlbench.errors import AgentError
from rlbench.runners.agents.agent import AgentFactory, TaskInfo
from rlbench.runners.engine import examine_engine
from rlbench.runners.loops.common import (
    give_back,
    make_agent,
    seed_of_agent,
    task_info,
    ways_of,
)
from rlbench.runners.loops.evaluation import evaluate_afresh
from rlbench.runners.progress import Progress
from rlbench.suites import Scalar, Suite, Task


def run_fixed(
    suite: Suite,
    task: Task,
    factory: AgentFactory,
    *,
    config: Mapping[str, Scalar],
    seed: int,
    device: str,
    progress: Progress,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Make a policy and play the final evaluation of the protocol with it.

    Args:
        suite: The suite.
        task: One of its tasks.
        factory: Makes the policy.
        config: Options for the factory.
        seed: The run's seed.
        device: Passed on to the factory.
        progress: Filled as the run goes on; it holds the results.
        tick: Called at the start and after every vector step.

    Raises:
        AgentError: It is an agent that learns, or it failed.
        RunError: The environment failed.
    """
    with progress.clock("start"):
        progress.engine = examine_engine(suite, task)
        agent_seed = seed_of_agent(suite, task, seed)
        agent = make_agent(
            factory, _info(suite, task, seed), seed=agent_seed, device=device, config=config
        )
    try:
        if ways := ways_of(agent):
            raise AgentError(
                f"the agent learns by {ways[0]}(), and an evaluation trains nothing: run it, or "
                "give a saved policy"
            )
        with progress.clock("eval"):
            evaluate_afresh(agent, suite, task, seed, progress, tick, final=True)
    finally:
        give_back(agent)


def _info(suite: Suite, task: Task, seed: int) -> TaskInfo:
    """Return what a policy is told of its task: there are no environments to train on."""
    env = suite.make(task, split="eval", num_envs=1, seed=seed)
    try:
        return replace(task_info(suite, task, env), num_envs=0)
    finally:
        env.close()
