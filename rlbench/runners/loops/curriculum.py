"""Curricula: a teacher chooses the task of every training episode."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlbench.errors import (
    AgentError,
    InvalidEnvironment,
    StaleCheckpoint,
    TeacherError,
    UsageError,
)
from rlbench.results import Proposals
from rlbench.results.record import MAX_PROPOSALS
from rlbench.runners.agents.agent import Agent, Bools, TaskInfo, Valuer
from rlbench.runners.loops.meter import Step
from rlbench.runners.teachers.teacher import Asker, Discounter, TeacherFactory, TeacherSaver


class Curriculum(VectorWrapper[NDArray[Any], Any, NDArray[Any], Any, NDArray[Any]]):
    """Training environments that begin every episode with what the teacher proposes.

    ``info["parameters"]`` (n, d) is of the episodes that the step belongs to.

    Args:
        env: The suite's training environments.
        make_teacher: Makes the teacher.
        info: What the teacher is told.
        seed: The teacher's own.

    Attributes:
        charged: (n,) The slots that a step is charged for, as its budget's meter says.

    Raises:
        UsageError: There is no teacher.
        TeacherError: It could not be made.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        make_teacher: TeacherFactory | None,
        info: TaskInfo,
        *,
        seed: int,
    ) -> None:
        if make_teacher is None:
            raise UsageError(f"the suite {info.suite} is a curriculum: name a --teacher")
        if info.parameter_space is None:
            raise InvalidEnvironment(f"the suite {info.suite} does not say its task parameters")
        try:
            self._teacher = make_teacher(info, seed=seed)
        except Exception as error:
            message = f"making the teacher raised {type(error).__name__}: {error}"
            raise TeacherError(message) from error
        super().__init__(env)
        n = env.num_envs
        self.parameter_space = info.parameter_space
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        self.charged = np.ones(n, dtype=np.bool_)
        self._used = 0
        self._parameters = np.zeros((n, *info.parameter_space.shape))
        self._first_obs: NDArray[Any] = np.zeros(0)
        self._returns, self._lengths = np.zeros(n), np.zeros(n, dtype=np.int64)
        self._discounted = np.zeros(n)
        self._discount = self._teacher.discount if isinstance(self._teacher, Discounter) else None
        self._every, self._episodes = 1, 0
        self._kept: list[tuple[int, tuple[float, ...], float, int, bool]] = []

    def meet(self, agent: Agent) -> None:
        """Let the teacher ask the agent, if it is one that does.

        Raises:
            UsageError: The agent cannot answer.
        """
        if not isinstance(self._teacher, Asker):
            return
        if not isinstance(agent, Valuer):
            raise UsageError(
                "the teacher asks what the agent expects, but the agent has no value(obs):"
                " sac, ppo, sb3:SAC and sb3:PPO have it"
            )
        self._teacher.ask(partial(value_of, agent))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin an episode in every slot; what was going on is dropped, and not reported."""
        obs, info = self._begin(np.ones(self.num_envs, dtype=np.bool_))
        self._first_obs = obs.copy()
        return obs, info

    def step(self, actions: NDArray[Any]) -> Step:
        """Play one step; where an episode ends, report it and begin the next."""
        obs, reward, terminated, truncated, info = self.env.step(actions)
        self._returns += reward
        if self._discount is not None:
            self._discounted += reward * self._discount**self._lengths
        self._lengths += 1
        info["parameters"] = self._parameters.copy()
        self._used += int(self.charged.sum())
        ended = terminated | truncated
        if (ended & self.charged).any():
            self._report(ended & self.charged, info)
        if ended.any():
            final = obs
            begun, more = self._begin(ended)
            mask = ended.reshape(-1, *[1] * (obs.ndim - 1))
            obs = np.where(mask, begun, final)
            self._first_obs = np.where(mask, begun, self._first_obs)
            info = {**more, **info, "final_obs": final}
        return obs, reward, terminated, truncated, info

    def proposals(self) -> Proposals:
        """Return what was proposed so far, thinned evenly to what a record holds."""
        columns = list(zip(*self._kept, strict=True)) or [(), (), (), (), ()]
        return Proposals(
            every=self._every, ends=columns[0], parameters=columns[1], returns=columns[2],
            lengths=columns[3], successes=columns[4],
        )  # fmt: skip

    def can_save(self, *, replays: bool) -> bool:
        """Say whether the run can go on after an interruption.

        Args:
            replays: The training actions will be played again, to a new teacher. What it asks of
                the agent would then be answered by a later one.
        """
        if replays:
            return not isinstance(self._teacher, Asker)
        return isinstance(self._teacher, TeacherSaver)

    def save(self, folder: Path) -> None:
        """Keep the teacher, and what it has proposed."""
        assert isinstance(self._teacher, TeacherSaver)
        folder.mkdir()
        try:
            self._teacher.save(folder)
        except OSError:
            raise
        except Exception as error:
            raise TeacherError(f"save raised {type(error).__name__}: {error}") from error

    def go_on(self, folder: Path, used: int, episodes: int, proposals: Proposals) -> None:
        """Go on from what an earlier attempt kept, in new episodes.

        Raises:
            StaleCheckpoint: The teacher could not load what it saved.
        """
        if not isinstance(self._teacher, TeacherSaver):
            raise StaleCheckpoint("the teacher has no save() and load() any more")
        try:
            self._teacher.load(folder)
        except Exception as error:
            message = f"the teacher's load raised {type(error).__name__}: {error}"
            raise StaleCheckpoint(message) from error
        self._used, self._every = used, proposals.every
        self._episodes = episodes
        self._kept = list(zip(
            proposals.ends, proposals.parameters, proposals.returns, proposals.lengths,
            proposals.successes, strict=True,
        ))  # fmt: skip

    def _begin(self, mask: Bools) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin episodes in the marked slots with what the teacher proposes."""
        self._parameters[mask] = self._propose(int(mask.sum()))
        self._returns[mask] = self._discounted[mask] = 0.0
        self._lengths[mask] = 0
        return self.env.reset(options={"reset_mask": mask, "parameters": self._parameters.copy()})

    def _propose(self, n: int) -> NDArray[np.float64]:
        space = self.parameter_space
        try:
            proposed = np.asarray(self._teacher.propose(n), dtype=np.float64)
        except Exception as error:
            raise TeacherError(f"propose raised {type(error).__name__}: {error}") from error
        if proposed.shape != (n, *space.shape):
            raise TeacherError(f"propose answered shape {proposed.shape}, not {(n, *space.shape)}")
        if not (np.isfinite(proposed).all() and (proposed >= space.low).all()
                and (proposed <= space.high).all()):  # fmt: skip
            raise TeacherError(f"propose answered parameters outside {space}")
        return proposed

    def _report(self, ended: Bools, info: dict[str, Any]) -> None:
        """Tell the teacher of episodes that have ended, and note one in so many."""
        successes = np.asarray(info.get("success", np.zeros(self.num_envs, dtype=np.bool_)))
        episodes = (
            self._parameters[ended], self._returns[ended], self._lengths[ended], successes[ended],
        )  # fmt: skip
        for parameters, score, length, success in zip(*episodes, strict=True):
            self._episodes += 1
            if self._episodes % self._every == 0:
                row = (tuple(parameters.tolist()), float(score), int(length), bool(success))
                self._kept.append((self._used, *row))
            if len(self._kept) > MAX_PROPOSALS:
                self._kept = self._kept[1::2]
                self._every *= 2
        more = {} if self._discount is None else {"discounted": self._discounted[ended]}
        tell: Callable[..., None] = self._teacher.report
        try:
            tell(*episodes, self._first_obs[ended], **more)
        except AgentError:
            raise
        except Exception as error:
            raise TeacherError(f"report raised {type(error).__name__}: {error}") from error


def value_of(agent: Valuer, obs: NDArray[Any]) -> NDArray[np.float64]:
    """Return (n,) what an agent expects from (n, ...) observations on.

    Raises:
        AgentError: It raised, or answered what is no value.
    """
    try:
        values = np.asarray(agent.value(obs), dtype=np.float64)
    except AgentError:
        raise
    except Exception as error:
        raise AgentError(f"value raised {type(error).__name__}: {error}") from error
    if values.shape != (len(obs),) or not np.isfinite(values).all():
        raise AgentError(f"value answered shape {values.shape}, not {len(obs)} finite numbers")
    return values
