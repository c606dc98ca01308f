"""The executed contract: good agents pass it, and each fault fails its own check only."""

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from support.toy import TOY

from rlbench.errors import UsageError
from rlbench.runners import TaskInfo, load_factory
from rlbench.runners.contract import NAMES, Finding, check_contract

STEPS = 40
TEMPLATE = Path(__file__).parents[2] / "rlbench/cli/templates/my_agent.py"
SUITES = {
    "discrete": TOY,
    "box": TOY.make_unofficial({"continuous": True}),
    "four at a time": TOY.make_unofficial({"train_envs": 4}),
}


class Learner:
    """Acts by a table that it learns, with noise; can be saved."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        self.space = task.action_space
        self.random = {
            phase: np.random.default_rng((seed, k)) for k, phase in enumerate(("train", "eval"))
        }
        self.table = np.zeros(4)
        self.observed = 0

    def act(self, obs, first, *, phase) -> Any:
        return self.choose(len(obs), phase)

    def choose(self, n: int, phase: str) -> Any:
        noise = self.random[phase].random((n, 4))
        if isinstance(self.space, Discrete):
            return (noise + self.table).argmax(1)
        return np.tanh(noise + self.table)[:, :3].astype(np.float32)

    def save(self, folder: Path) -> None:
        states = {phase: r.bit_generator.state for phase, r in self.random.items()}
        (folder / "it.json").write_text(json.dumps([self.table.tolist(), states]))

    def load(self, folder: Path) -> None:
        table, states = json.loads((folder / "it.json").read_text())
        self.table = np.array(table)
        for phase, state in states.items():
            self.random[phase].bit_generator.state = state


class Watches(Learner):
    """Learns from what the runner shows it."""

    def observe(self, batch) -> None:
        self.observed += 1
        self.table[int(batch.obs[0, 1]) % 4] += 0.1 * batch.reward[0]


class OwnLoop(Learner):
    """Learns in a loop of its own."""

    def act(self, obs, first, *, phase) -> Any:
        assert phase == "eval"
        return super().act(obs, first, phase=phase)

    def train(self, env) -> None:
        obs, _ = env.reset()
        while True:
            obs, reward, *_ = env.step(self.choose(env.num_envs, "train"))
            self.table[int(obs[0, 1]) % 4] += 0.1 * reward[0]


class Recurrent(Watches):
    """Keeps a state for each slot and phase; random only by where it starts."""

    def __init__(self, task, seed) -> None:
        super().__init__(task, seed)
        self.state: dict[str, np.ndarray] = {}

    def act(self, obs, first, *, phase) -> Any:
        state = np.zeros(len(obs)) if first.all() else self.state[phase]
        self.state[phase] = np.where(first, 0, state) + obs[:, 1]
        return (self.state[phase] + self.observed).astype(int) % 4

    save = load = None


class Fixed:
    """Does not learn and draws nothing."""

    def __init__(self, task, seed) -> None: ...

    def act(self, obs, first, *, phase) -> Any:
        return np.ones(len(obs), dtype=int)


def check(agent: Callable[..., Any], kind: str = "discrete") -> list[Finding]:
    def factory(task, *, seed, device):
        assert device == "cpu"
        return agent(task, seed)

    suite = SUITES[kind]
    found = list(
        check_contract(suite, suite.tasks[0], factory, config={}, device="cpu", steps=STEPS)
    )
    assert tuple(finding.name for finding in found) == NAMES
    return found


def by_status(found: list[Finding], status: str) -> set[str]:
    return {finding.name for finding in found if finding.status == status}


@pytest.mark.parametrize("kind", SUITES)
@pytest.mark.parametrize("agent", [Watches, OwnLoop])
def test_a_good_agent_passes(agent: type[Learner], kind: str) -> None:
    found = check(agent, kind)
    assert by_status(found, "failed") == set(), found
    skipped = {"act in training"} if agent is OwnLoop else {"exact budget"}
    assert by_status(found, "skipped") == skipped


def test_what_does_not_apply_is_skipped() -> None:
    found = check(Fixed)
    assert by_status(found, "failed") == set(), found
    assert by_status(found, "skipped") == {"exact budget", "another seed", "save and load"}
    recurrent = check(Recurrent)
    assert by_status(recurrent, "failed") == set(), recurrent


@pytest.mark.parametrize("kind", SUITES)
@pytest.mark.parametrize("spec", ["random", "noop", str(TEMPLATE)])
def test_our_own_agents_pass(spec: str, kind: str) -> None:
    factory = load_factory(spec)
    found = check(lambda task, seed: factory(task, seed=seed, device="cpu"), kind)
    assert by_status(found, "failed") == set(), found


def acts(method: Callable[..., Any], base: type = Watches) -> type:
    return type("Broken", (base,), {"act": method})


def watches(**methods: Any) -> type:
    return type("Broken", (Watches,), methods)


def loops(train: Callable[..., Any]) -> type:
    return type("Broken", (OwnLoop,), {"train": train})


def late(method: str, after: int) -> type:
    """Return an agent that raises after so many calls of a method."""

    def breaks(self, *args, **options):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls > after:
            raise ValueError("I am\nlost")
        return getattr(Watches, method)(self, *args, **options)

    return watches(**{method: breaks})


def raises(error: BaseException) -> Callable[..., Any]:
    def method(*args: Any, **options: Any) -> Any:
        raise error

    return method


def in_eval(bad: Callable[..., Any]) -> type:
    def act(self, obs, first, *, phase):
        good = Watches.act(self, obs, first, phase=phase)
        return bad(self, obs, good) if phase == "eval" else good

    return acts(act)


def swallows(self, env) -> None:
    env.reset()
    while True:
        with suppress(Exception):
            env.step(np.zeros(env.num_envs, dtype=int))


def makes_its_own(self, env) -> None:
    self.table += 1.0


def unseeded(task, seed) -> Learner:
    return Watches(task, next(COUNT))


def not_the_largest_seed(task, seed) -> Learner:
    assert seed + 1 < 2**31, "the seed is too large"
    return Watches(task, seed)


def keeps_a_state_of_one_size(self, obs, first, *, phase):
    if phase == "eval":
        self.state = np.where(first, 0, getattr(self, "state", np.zeros(len(obs))) + 1)
    return Watches.act(self, obs, first, phase=phase)


def changes_obs(self, obs, first, *, phase):
    obs += 1
    return Watches.act(self, obs, first, phase=phase)


def changes_rewards(self, batch) -> None:
    np.clip(batch.reward, 0, 0.5, out=batch.reward)


def one_generator(self, obs, first, *, phase):
    return self.choose(len(obs), "train")


def counts_in_eval(self, obs, good):
    self.table[3] += 1.0
    return good


def evaluates_in_training(self, env) -> None:
    self.random["eval"] = self.random["train"]
    OwnLoop.train(self, env)


def two_ways(task, seed) -> Any:
    return type("Broken", (Watches, OwnLoop), {})(task, seed)


COUNT = itertools.count()
GLOBAL = acts(lambda self, obs, first, *, phase: np.random.randint(4, size=len(obs)), Fixed)  # noqa: NPY002
BROKEN: dict[str, list[tuple[Callable[..., Any], str, str]]] = {
    "make": [
        (raises(RuntimeError("no memory")), "the agent raised RuntimeError: no memory", "discrete"),
        (raises(SystemExit(3)), "SystemExit: 3", "discrete"),
        (lambda task, seed: object(), "has no act()", "discrete"),
        (two_ways, "train() and observe()", "discrete"),
    ],
    "act in training": [
        (acts(lambda *a, phase: np.zeros(1)), "dtype float64, not an integer", "discrete"),
        (acts(lambda *a, phase: np.full((1, 3), np.nan)), "answered NaN", "box"),
        (acts(lambda *a, phase: np.full((1, 3), 1.5)), "outside Box", "box"),
        (acts(lambda *a, phase: np.zeros(1, dtype=int)), "shape (1,), not (4,)", "four at a time"),
        (acts(raises(ValueError("no"))), "act raised ValueError: no", "discrete"),
    ],
    "train": [
        (watches(observe=raises(ValueError("no"))), "observe raised ValueError: no", "discrete"),
        (late("act", 5), "act raised ValueError: I am lost (test_contract.py, line", "discrete"),
        (loops(raises(ValueError("no"))), "train raised ValueError: no", "discrete"),
        (loops(raises(SystemExit())), "SystemExit", "discrete"),
    ],
    "exact budget": [
        (loops(swallows), "went on for 1000 steps after its budget of 40", "discrete"),
        (loops(makes_its_own), "made no step", "discrete"),
    ],
    "act in evaluation": [
        (in_eval(lambda self, obs, good: good + 0.5), "dtype float64", "discrete"),
        (in_eval(lambda self, obs, good: good[:1]), "shape (1,), not (3,)", "discrete"),
        (in_eval(lambda self, obs, good: good * np.inf), "NaN or an infinite", "box"),
        (in_eval(raises(ValueError("no"))), "act raised ValueError: no", "discrete"),
    ],
    "batch sizes": [(acts(keeps_a_state_of_one_size), "act raised ValueError", "discrete")],
    "arrays unchanged": [
        (acts(changes_obs), "changed obs in act()", "discrete"),
        (acts(changes_obs, OwnLoop), "changed obs in act()", "discrete"),
        (watches(observe=changes_rewards), "changed reward in observe()", "discrete"),
    ],
    "same seed": [
        (unseeded, "same seed act differently in training, from step", "discrete"),
        (GLOBAL, "same seed act differently in training", "discrete"),
        (in_eval(lambda self, obs, good: unseeded_like(good)), "in evaluation", "discrete"),
    ],
    "another seed": [(not_the_largest_seed, "the seed is too large", "discrete")],
    "evaluation changes nothing": [
        (acts(one_generator), "from step 20 on", "discrete"),
        (acts(one_generator), "from step", "box"),
        (in_eval(counts_in_eval), "evaluated half-way", "discrete"),
        (loops(evaluates_in_training), "act differently in training", "discrete"),
    ],
    "save and load": [
        (watches(load=lambda self, folder: None), "loaded one act differently", "discrete"),
        (watches(load=None), "has save() only", "discrete"),
        (watches(save=raises(OSError("full"))), "save raised OSError: full", "discrete"),
        (watches(load=raises(KeyError("x"))), "load raised KeyError", "discrete"),
    ],
    "smoke run": [(late("observe", STEPS + 3), "observe raised ValueError: I am lost", "discrete")],
}  # fmt: skip


def unseeded_like(actions: np.ndarray) -> np.ndarray:
    return np.random.default_rng().integers(4, size=len(actions))


def test_every_check_has_an_agent_that_fails_it() -> None:
    assert tuple(BROKEN) == NAMES


@pytest.mark.parametrize(
    ("name", "agent", "detail", "kind"),
    [(name, *case) for name, cases in BROKEN.items() for case in cases],
)
def test_a_fault_fails_its_own_check(
    name: str, agent: Callable[..., Any], detail: str, kind: str
) -> None:
    found = check(agent, kind)
    assert by_status(found, "failed") == {name}, found
    (failed,) = [finding for finding in found if finding.status == "failed"]
    assert detail in failed.detail
    assert "\n" not in failed.detail


def test_an_early_return_is_allowed_and_told() -> None:
    def briefly(self, env) -> None:
        env.reset()
        for _ in range(7):
            env.step(self.choose(env.num_envs, "train"))

    found = {finding.name: finding for finding in check(loops(briefly))}
    assert found["exact budget"].status == "passed"
    assert "used 7 of 40 steps" in found["exact budget"].detail


def test_agents_are_closed() -> None:
    living: set[object] = set()

    class Holds(Watches):
        def __init__(self, task, seed) -> None:
            super().__init__(task, seed)
            living.add(self)

        def close(self) -> None:
            living.discard(self)

    assert by_status(check(Holds), "failed") == set()
    assert living == set()


def test_environments_that_cannot_be_made_are_no_finding() -> None:
    nowhere = replace(TOY, factory="nowhere:make")
    with pytest.raises(UsageError, match="needs an extra"):
        next(check_contract(nowhere, TOY.tasks[0], Fixed, config={}, device="cpu", steps=STEPS))
