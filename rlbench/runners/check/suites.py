"""The contract of suites, executed: does a suite's environment do what `Suite.make` promises?

The checks play a few steps with actions that depend on the action space alone, and with a short
time limit, so that episodes end. What they play is not official, except the engine's fingerprint.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlbench.errors import InvalidEnvironment
from rlbench.runners.check.findings import Finding, Skipped, describe
from rlbench.runners.engine import RESETS, examine_engine, fixed_actions
from rlbench.runners.loops.common import task_info
from rlbench.runners.loops.curriculum import Curriculum
from rlbench.runners.loops.evaluation import untouched_global_randomness
from rlbench.runners.loops.meter import action_check
from rlbench.runners.teachers.teacher import load_teacher
from rlbench.suites import Split, Suite, Task
from rlbench.suites.envs import Parametrised, Retiring, check_final_obs

SLOTS = 3  # environments side by side
STEPS = 100  # of a check
_EPISODE_STEPS = 15  # after which episodes are truncated, so that some end


class _Play(NamedTuple):
    """What came of T steps in n slots.

    Attributes:
        obs: (T + 1, n, ...) The first is that of the reset.
        reward: (T, n)
        terminated: (T, n)
        truncated: (T, n)
        infos: T + 1 of them.
    """

    obs: NDArray[Any]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    infos: list[dict[str, Any]]

    @property
    def ended(self) -> NDArray[np.bool_]:
        """(T, n) Where an episode ended."""
        ended: NDArray[np.bool_] = self.terminated | self.truncated
        return ended

    def slot(self, k: int, steps: int | None = None) -> bytes:
        """Return all that a slot showed in its first steps."""
        parts = (self.reward, self.terminated, self.truncated)
        last = None if steps is None else steps + 1
        return self.obs[:last, k].tobytes() + b"".join(p[:steps, k].tobytes() for p in parts)


@dataclass
class _Trial:
    """What the checks share.

    Attributes:
        official: The suite as it is.
        suite: The same with a short time limit.
        task: One of its tasks.
        steps: Of a play.
    """

    official: Suite
    suite: Suite
    task: Task
    steps: int

    @property
    def limit(self) -> int:
        """The time limit of the plays."""
        return self.suite.protocol_of(self.task).max_episode_steps

    @property
    def starts_vary(self) -> bool:
        """Whether episodes begin in different states."""
        return self.official.starts_vary and self.task.starts_vary

    @property
    def kind(self) -> str:
        """How agents learn in the suite."""
        return self.suite.protocol.kind

    def make(
        self, n: int = SLOTS, seed: int = 0, split: Split = "eval"
    ) -> VectorEnv[Any, Any, Any]:
        """Make environments; in a curriculum's training, the teacher is uniform."""
        env = self.suite.make(self.task, split=split, num_envs=n, seed=seed)
        if (self.kind, split) == ("curriculum", "train"):
            info = replace(task_info(self.suite, self.task, env), budget=n * self.steps)
            env = Curriculum(env, load_teacher("uniform"), info, seed=seed)
        return env

    @cached_property
    def whole(self) -> _Play:
        """What an evaluation of all slots shows."""
        return self.play()

    def actions(self, env: VectorEnv[Any, Any, Any], steps: int) -> NDArray[Any]:
        """Return (steps, n, ...) actions, the same in all slots."""
        return np.repeat(fixed_actions(env.single_action_space, steps), env.num_envs, axis=1)

    def play(self, n: int = SLOTS, seed: int = 0, split: Split = "eval") -> _Play:
        """Make environments and play in them."""
        return self.play_in(self.make(n, seed, split), self.steps)

    def play_in(
        self, env: VectorEnv[Any, Any, Any], steps: int, retired: int | None = None
    ) -> _Play:
        """Play in environments and close them; a slot may be retired after the first episode."""
        try:
            obs, info = env.reset()
            shown, rows, infos = [np.array(obs)], [], [info]
            for t, action in enumerate(self.actions(env, steps)):
                if retired is not None and t == self.limit and isinstance(env, Retiring):
                    env.retire(np.arange(env.num_envs) == retired)
                obs, *row, info = env.step(action)
                shown.append(np.array(obs))
                rows.append([np.array(part) for part in row])
                infos.append(info)
        finally:
            env.close()
        reward, terminated, truncated = (np.array(column) for column in zip(*rows, strict=True))
        return _Play(np.array(shown), reward, terminated, truncated, infos)


def check_suite(suite: Suite, task: Task, *, steps: int = STEPS) -> Iterator[Finding]:
    """Run a task's environments through every check of the contract.

    Args:
        suite: The suite.
        task: One of its tasks.
        steps: What is played in a check, in each slot; at least 10.

    Yields:
        A finding a check, in the order of `NAMES`. What makes no sense after an earlier failure is
        skipped.

    Raises:
        UsageError: The suite has no environments.
        MissingExtra: They are not installed.
    """
    suite.load_factory(task)
    limit = min(_EPISODE_STEPS, steps // 3, suite.protocol_of(task).max_episode_steps)
    short = suite.make_unofficial({"max_episode_steps": limit})
    trial = _Trial(suite, short, task, steps)
    lost: set[str] = set()
    for check in _CHECKS:
        lacking = [need for need in check.needs if need in lost]
        if lacking:
            finding = Finding(check.name, "skipped", f"{lacking[0]!r} did not pass")
        else:
            finding = _execute(check, trial)
        if lacking or finding.status == "failed":
            lost.add(check.name)
        yield finding


def _makes(trial: _Trial) -> str:
    splits: tuple[Split, ...] = ("eval",) if trial.kind == "offline" else ("train", "eval")
    for split in splits:
        env = trial.make(split=split)
        env.close()
    spaces = f"{env.single_observation_space}, {env.single_action_space}"
    return f"{SLOTS} slots of {' and '.join(splits)}: {spaces}"


def _fits_its_spaces(trial: _Trial) -> str:
    env = trial.make()
    try:
        action_check(env.single_action_space, SLOTS)
        for name in ("observation", "action"):
            one, all_of_them = getattr(env, f"single_{name}_space"), getattr(env, f"{name}_space")
            if all_of_them != batch_space(one, SLOTS):
                raise InvalidEnvironment(
                    f"{name}_space is not single_{name}_space for {SLOTS} slots"
                )
        obs, _ = env.reset()
        _check_obs(env, obs)
        for action in trial.actions(env, trial.steps):
            before, kept = obs, np.array(obs)
            obs, *row, _ = env.step(action)
            _check_obs(env, obs)
            _check_row(*row)
            if not np.array_equal(before, kept):
                raise InvalidEnvironment("a step writes into the observations of the step before")
    finally:
        env.close()
    return f"{trial.steps} steps fit the spaces, and none is written into later"


def _check_obs(env: VectorEnv[Any, Any, Any], obs: Any) -> None:
    space = env.single_observation_space
    form = getattr(obs, "shape", None), getattr(obs, "dtype", None)
    if form != ((env.num_envs, *(space.shape or ())), space.dtype):
        raise InvalidEnvironment(
            f"observations have shape {form[0]} and dtype {form[1]}, which is not {env.num_envs} "
            f"of {space}"
        )
    outside = [slot for slot in range(env.num_envs) if not space.contains(obs[slot])]
    if outside:
        raise InvalidEnvironment(f"the observation of slot {outside[0]} is outside {space}")


def _check_row(*row: Any) -> None:
    for name, value, dtype in zip(
        ("rewards", "terminated", "truncated"), row, (np.float64, np.bool_, np.bool_), strict=True
    ):
        form = getattr(value, "shape", None), getattr(value, "dtype", None)
        if form != ((SLOTS,), dtype):
            raise InvalidEnvironment(
                f"{name} have shape {form[0]} and dtype {form[1]}, not {(SLOTS,)} and "
                f"{dtype.__name__}"
            )
        if not np.isfinite(value).all():
            raise InvalidEnvironment(f"{name} are not finite")


def _repeats_itself(trial: _Trial) -> str:
    first, second = trial.whole, trial.play()
    for name in ("obs", "reward", "terminated", "truncated"):
        one, other = getattr(first, name), getattr(second, name)
        differ = [t for t in range(len(one)) if one[t].tobytes() != other[t].tobytes()]
        if differ:
            raise InvalidEnvironment(
                f"two makes with the same seed differ in {name}, from step {differ[0]} on: draw "
                "all that is random from the stream"
            )
    return f"{trial.steps} steps in {SLOTS} slots are the same twice"


def _has_other_streams(trial: _Trial) -> str:
    if not trial.starts_vary:
        raise Skipped("its episodes begin alike (starts_vary=False)")
    plays = {"evaluation": trial.whole}
    if trial.kind != "curriculum":  # its tests may be the same for all seeds
        plays["evaluation of another seed"] = trial.play(seed=1)
    if trial.kind != "offline":
        plays["training"] = trial.play(split="train")
        plays["training of another seed"] = trial.play(seed=1, split="train")
    seen: dict[bytes, str] = {}
    for name, play in plays.items():
        for k in range(SLOTS):
            who, shown = f"slot {k} of {name}", play.slot(k)
            if shown in seen:
                raise InvalidEnvironment(f"{seen[shown]} and {who} show the same all the time")
            seen[shown] = who
    return f"{len(seen)} slots differ: {', '.join(plays)}"


def _needs_no_number(trial: _Trial) -> str:
    plays = {1: trial.play(1), 2: trial.play(2), SLOTS: trial.whole}
    for (few, one), (many, other) in combinations(plays.items(), 2):
        for k in range(few):
            ends = np.flatnonzero(one.ended[:, k] | other.ended[:, k])
            steps = int(ends[0]) if len(ends) else trial.steps  # the step of the end is compared
            for name, last in (("obs", steps), ("reward", steps), ("terminated", steps)):
                left, right = (getattr(play, name)[: last + 1, k] for play in (one, other))
                if left.tobytes() != right.tobytes():
                    raise InvalidEnvironment(
                        f"slot {k} of {few} and slot {k} of {many} differ in {name} in their first "
                        "episode: a slot must not depend on how many there are"
                    )
    return f"the first episodes are the same with {', '.join(map(str, plays))} slots"


def _begins_differently(trial: _Trial) -> str:
    if not trial.starts_vary:
        raise Skipped("its episodes begin alike (starts_vary=False)")
    env = trial.make()
    starts: list[set[Any]] = [set() for _ in range(SLOTS)]
    try:
        for _ in range(RESETS):
            obs, info = env.reset()
            for k in range(SLOTS):
                starts[k].add((obs[k].tobytes(), *np.ravel(info.get("start", obs[:, :0])[k])))
    finally:
        env.close()
    fewest = min(map(len, starts))
    if fewest == 1:
        raise InvalidEnvironment(
            f"{RESETS} resets of slot {[len(s) for s in starts].index(1)} led to one state: a "
            "suite whose episodes begin alike says so by starts_vary=False"
        )
    return f"{RESETS} resets of a slot led to at least {fewest} states"


def _hands_over_final_obs(trial: _Trial) -> str:
    play = trial.whole
    ends = np.argwhere(play.ended).tolist()
    if not ends:
        raise Skipped("no episode ended")
    for t in np.flatnonzero(play.ended.any(axis=1)).tolist():
        check_final_obs(play.obs[t + 1], play.infos[t + 1])
    same = _compare_with_longer(trial, play)
    stay = [np.array_equal(play.infos[t + 1]["final_obs"][k], play.obs[t + 1, k]) for t, k in ends]
    if all(stay) and trial.starts_vary:
        raise InvalidEnvironment(
            f"at all {len(ends)} ends of episodes, final_obs is the observation that begins the "
            "next episode: hand over what the last step led to"
        )
    said = f"{len(ends)} ends, {int(play.terminated.sum())} of them terminal states"
    return said if same else f"{said}; a truncation does not end with what a longer limit shows"


def _compare_with_longer(trial: _Trial, play: _Play) -> bool:
    """Compare truncations with what follows there under a longer limit.

    Returns:
        Whether the final observations are the same. They may differ: emulators skip frames, and a
        limit may cut off between two.

    Raises:
        InvalidEnvironment: The next episode's first observation stands for the final one, or the
            other way round.
    """
    stream = trial.suite.stream(trial.task, "eval", 0)
    longer = trial.suite.make_unofficial({"max_episode_steps": 4 * trial.limit})
    env = longer.make_from(trial.task, stream, split="eval", num_envs=SLOTS)
    twin = trial.play_in(env, trial.limit)
    same = True
    for k in range(SLOTS):
        ends = np.flatnonzero(play.ended[: trial.limit, k])
        if len(ends) == 0 or twin.ended[: ends[0] + 1, k].any():
            continue
        t = int(ends[0])
        final, begins, goes_on = (
            play.infos[t + 1]["final_obs"][k], play.obs[t + 1, k], twin.obs[t + 1, k]
        )  # fmt: skip
        if play.obs[: t + 1, k].tobytes() != twin.obs[: t + 1, k].tobytes():
            continue  # the limit changes more than the end
        if np.array_equal(begins, goes_on):
            raise InvalidEnvironment(
                f"where slot {k} was truncated, the observation belongs to the episode that ended: "
                "reset in the same step (AutoresetMode.SAME_STEP)"
            )
        if np.array_equal(final, begins):
            raise InvalidEnvironment(
                f"where slot {k} was truncated, final_obs is the observation that begins the next "
                "episode: hand over what the last step led to"
            )
        same = same and np.array_equal(final, goes_on)
    return same


def _keeps_the_time_limit(trial: _Trial) -> str:
    play = trial.whole
    lengths = np.zeros(SLOTS, dtype=np.int64)
    for ended in play.ended:
        lengths += 1
        if (lengths > trial.limit).any():
            raise InvalidEnvironment(
                f"an episode had more than {trial.limit} steps: truncate it where the constant "
                "max_episode_steps says"
            )
        lengths[ended] = 0
    cut = int(play.truncated.sum())
    return f"no episode had more than {trial.limit} steps; {cut} were truncated"


def _retires(trial: _Trial) -> str:
    env = trial.make()
    if not isinstance(env, Retiring):
        env.close()
        raise Skipped("there is no retire(): slots that have finished are stepped on")
    whole, play = trial.whole, trial.play_in(env, trial.steps, retired=1)
    for k in (0, *range(2, SLOTS)):
        if whole.slot(k) != play.slot(k):
            raise InvalidEnvironment(f"slot {k} changes when slot 1 is retired")
    return "the other slots go on as they would have"


def _takes_parameters(trial: _Trial) -> str:
    if trial.kind != "curriculum":
        raise Skipped("the suite is not a curriculum")
    env = trial.suite.make(trial.task, split="train", num_envs=SLOTS, seed=0)
    env.close()
    space = env.parameter_space if isinstance(env, Parametrised) else None
    if space is None or not (np.isfinite(space.low) & np.isfinite(space.high)).all():
        raise InvalidEnvironment("the training environments have no parameter_space, a finite box")
    shares = np.linspace(0.05, 0.95, 3)
    shown = [_play_with(trial, space.low + share * (space.high - space.low)) for share in shares]
    if len(set(shown)) == 1:
        raise InvalidEnvironment("whatever the parameters, the training environments show the same")
    return f"{len(shown)} values of the parameters in {space} lead apart"


def _play_with(trial: _Trial, parameters: NDArray[Any]) -> bytes:
    """Return what training shows under parameters; only one slot is ever reset twice."""
    env = trial.suite.make(trial.task, split="train", num_envs=SLOTS, seed=0)
    mask = np.ones(SLOTS, dtype=np.bool_)
    options = {"parameters": np.tile(parameters, (SLOTS, 1))}
    try:
        obs, _ = env.reset(options={"reset_mask": mask, **options})
        again, _ = env.reset(options={"reset_mask": np.arange(SLOTS) == 0, **options})
        if not np.array_equal(obs[1:], again[1:]):
            raise InvalidEnvironment("a reset with a reset_mask changes slots outside the mask")
        shown = [again.tobytes()]
        for action in trial.actions(env, trial.limit):
            obs, reward, terminated, truncated, _ = env.step(action)
            shown += [obs.tobytes(), np.asarray(reward).tobytes()]
            if (terminated | truncated).any():
                break
    finally:
        env.close()
    return b"".join(shown)


def _stays_in_range(trial: _Trial) -> str:
    task = trial.task
    if not (isfinite(task.low) and isfinite(task.high)) or task.low == task.high:
        raise InvalidEnvironment(
            f"the reference scores {task.low} and {task.high} cannot normalise scores"
        )
    play = trial.whole
    returns: list[float] = []
    running = np.zeros(SLOTS)
    for reward, ended in zip(play.reward, play.ended, strict=True):
        running += reward
        returns += running[ended].tolist()
        running[ended] = 0.0
    low, high = task.returns
    wrong = [value for value in returns if not low <= value <= high]
    if wrong:
        raise InvalidEnvironment(f"a return of {wrong[0]:g} is outside [{low:g}, {high:g}]")
    seen = f"{min(returns):g} to {max(returns):g}" if returns else "none"
    return f"returns of short episodes: {seen}; possible: {low:g} to {high:g}"


def _has_one_engine(trial: _Trial) -> str:
    first, second = (examine_engine(trial.official, trial.task) for _ in range(2))
    if first != second:
        raise InvalidEnvironment(
            f"its fingerprint is {first.fingerprint}, then {second.fingerprint}: records could not "
            "be compared"
        )
    expected = trial.official.expected_engine(trial.task)
    if expected and expected != first.fingerprint:
        raise InvalidEnvironment(
            f"its fingerprint is {first.fingerprint}, but the suite expects {expected}"
        )
    as_expected = ", as expected" if expected else ""
    return f"fingerprint {first.fingerprint} of {first.steps} steps{as_expected}"


def _runs_fast(trial: _Trial) -> str:
    speeds = {}
    for n in (1, SLOTS):
        env = trial.make(n)
        try:
            env.reset()
            actions = trial.actions(env, trial.steps)
            began = perf_counter()
            for action in actions:
                env.step(action)
            speeds[n] = n * trial.steps / (perf_counter() - began)
        finally:
            env.close()
    return f"{speeds[1]:,.0f} steps/s in 1 slot, {speeds[SLOTS]:,.0f} in {SLOTS}"


class _Check(NamedTuple):
    """A check: it returns what it saw, or raises."""

    name: str
    run: Callable[[_Trial], str]
    needs: Sequence[str] = ("make",)


_STEADY = ("make", "same seed")
_CHECKS = (
    _Check("make", _makes, ()),
    _Check("spaces", _fits_its_spaces),
    _Check("same seed", _repeats_itself),
    _Check("starts vary", _begins_differently),
    _Check("other streams", _has_other_streams, (*_STEADY, "starts vary")),
    _Check("number of slots", _needs_no_number, _STEADY),
    _Check("final observations", _hands_over_final_obs),
    _Check("time limit", _keeps_the_time_limit),
    _Check("retire", _retires, _STEADY),
    _Check("curriculum", _takes_parameters),
    _Check("score range", _stays_in_range),
    _Check("engine", _has_one_engine),
    _Check("speed", _runs_fast),
)
NAMES = tuple(check.name for check in _CHECKS)


def _execute(check: _Check, trial: _Trial) -> Finding:
    """Run a check; nothing that an environment raises gets out."""
    try:
        with untouched_global_randomness():
            return Finding(check.name, "passed", check.run(trial))
    except Skipped as reason:
        return Finding(check.name, "skipped", str(reason))
    except (Exception, SystemExit) as error:
        return Finding(check.name, "failed", describe(error))
