"""The executed contract: good agents pass it, and each fault fails its own check only."""

import itertools
import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from support.cartpole import CARTPOLE, CrossEntropy
from support.pendulum import PENDULUM, Cloner
from support.toy import TOY

from rlbench.errors import UsageError
from rlbench.runners import TaskInfo, load_factory
from rlbench.runners.check.agents import NAMES, check_contract
from rlbench.runners.check.findings import Finding

STEPS = 40
ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "rlbench/cli/templates/my_agent.py"
ONLINE = {
    "discrete": TOY,
    "box": TOY.make_unofficial({"continuous": True}),
    "four at a time": TOY.make_unofficial({"train_envs": 4}),
}
SUITES = {**ONLINE, "offline": PENDULUM, "curriculum": CARTPOLE}


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


class Fits(Cloner):
    """Learns from logged episodes; its hand trembles in evaluation."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        super().__init__(seed)
        self.points = task.eval_points
        self.tremor = np.random.default_rng((seed, 1))

    def act(self, obs, first, *, phase) -> Any:
        assert phase == "eval"
        assert self.update, "it is evaluated before it has learned"
        calm = super().act(obs, first, phase=phase)
        noise = 0.1 * self.tremor.normal(size=calm.shape)
        return np.clip(calm + noise, -2, 2).astype(np.float32)

    def save(self, folder: Path) -> None:
        super().save(folder)
        (folder / "tremor.json").write_text(json.dumps(self.tremor.bit_generator.state))

    def load(self, folder: Path) -> None:
        super().load(folder)
        self.tremor.bit_generator.state = json.loads((folder / "tremor.json").read_text())


class Searches(CrossEntropy):
    """Learns from the poles that it held longest."""

    def __init__(self, task: TaskInfo, seed: int) -> None:
        super().__init__(task, seed, population=4)


class Fixed:
    """Does not learn and draws nothing."""

    def __init__(self, task, seed) -> None: ...

    def act(self, obs, first, *, phase) -> Any:
        return np.ones(len(obs), dtype=int)


def check(agent: Callable[..., Any], kind: str = "discrete", steps: int = STEPS) -> list[Finding]:
    def factory(task, *, seed, device):
        assert device == "cpu"
        return agent(task, seed)

    suite = SUITES[kind]
    found = list(
        check_contract(suite, suite.tasks[0], factory, config={}, device="cpu", steps=steps)
    )
    assert tuple(finding.name for finding in found) == NAMES
    return found


def by_status(found: list[Finding], status: str) -> set[str]:
    return {finding.name for finding in found if finding.status == status}


def detail_of(found: list[Finding], name: str) -> str:
    (detail,) = [finding.detail for finding in found if finding.name == name]
    return detail


@pytest.mark.parametrize("kind", ONLINE)
@pytest.mark.parametrize("agent", [Watches, OwnLoop])
def test_a_good_agent_passes(agent: type[Learner], kind: str) -> None:
    found = check(agent, kind)
    assert by_status(found, "failed") == set(), found
    skipped = {"act in training", "resume"} if agent is OwnLoop else {"exact budget"}
    assert by_status(found, "skipped") == skipped | {"value"}


def test_a_good_agent_passes_offline() -> None:
    found = check(Fits, "offline")
    assert by_status(found, "failed") == set(), found
    assert by_status(found, "skipped") == {"act in training", "value"}
    assert detail_of(found, "make") == "it has act() and fit()"
    assert detail_of(found, "train") == "40 updates by fit"
    assert detail_of(found, "exact budget") == "fit() used 40 of 40 updates"
    assert "the dataset cannot be written to" in detail_of(found, "arrays unchanged")
    assert "80 updates of training, 10 episodes" in detail_of(found, "smoke run")


def test_a_good_agent_passes_in_a_curriculum() -> None:
    found = check(Searches, "curriculum", steps=400)
    assert by_status(found, "failed") == set(), found
    assert by_status(found, "skipped") == {"exact budget", "value"}
    assert "400 steps by act and observe" in detail_of(found, "train")


def test_agents_of_a_curriculum_see_its_parameters() -> None:
    seen = []

    class Looks(Searches):
        def observe(self, batch):
            seen.append(batch.parameters)
            super().observe(batch)

    assert by_status(check(Looks, "curriculum"), "failed") == set()
    assert {parameters.shape for parameters in seen} == {(4, 2)}
    assert len({row.tobytes() for parameters in seen for row in parameters}) > 4


def test_what_does_not_apply_is_skipped() -> None:
    found = check(Fixed)
    assert by_status(found, "failed") == set(), found
    assert by_status(found, "skipped") == {
        "exact budget", "another seed", "save and load", "resume", "value"
    }  # fmt: skip
    recurrent = check(Recurrent)
    assert by_status(recurrent, "failed") == set(), recurrent


def test_values_are_finite_and_asking_for_them_changes_nothing() -> None:
    class Valued(Fixed):
        asked = 0

        def value(self, obs: Any) -> Any:
            return np.arange(len(obs), dtype=np.float32)

    class Counting(Valued):
        def value(self, obs: Any) -> Any:
            self.asked += 1
            return np.full(len(obs), self.asked)

    class Alone(Valued):
        def value(self, obs: Any) -> Any:
            return 0.0

    assert "value" in by_status(check(Valued), "passed")
    assert "asking must change nothing" in detail_of(check(Counting), "value")
    assert "value answered shape ()" in detail_of(check(Alone), "value")


def test_an_agent_that_only_acts_is_fine_offline() -> None:
    make_random = load_factory("random")
    found = check(lambda task, seed: make_random(task, seed=seed, device="cpu"), "offline")
    assert by_status(found, "passed") == {
        "make", "act in evaluation", "batch sizes", "arrays unchanged", "same seed",
        "another seed", "smoke run",
    }  # fmt: skip
    assert by_status(found, "failed") == set()

    class Kept:
        def __init__(self, task, seed) -> None:
            self.torque = np.random.default_rng(seed).uniform(-2, 2)

        def act(self, obs, first, *, phase) -> Any:
            return np.full((len(obs), 1), self.torque, dtype=np.float32)

        def save(self, folder: Path) -> None:
            (folder / "torque").write_text(repr(self.torque))

        def load(self, folder: Path) -> None:
            self.torque = float((folder / "torque").read_text())

    kept = check(Kept, "offline")
    assert by_status(kept, "failed") == set(), kept
    assert "save and load" in by_status(kept, "passed")
    assert detail_of(kept, "resume") == "the agent does not learn"


def test_an_update_more_than_the_budget_is_allowed_as_in_a_run() -> None:
    class OneMore(Fits):
        def fit(self, dataset, *, updates, checkpoint):
            super().fit(dataset, updates=updates + 1, checkpoint=checkpoint)

    found = check(OneMore, "offline")
    assert by_status(found, "failed") == set(), found


def test_calling_checkpoint_at_the_points_of_the_task_is_enough() -> None:
    class Sparse(Fits):
        def fit(self, dataset, *, updates, checkpoint):
            super().fit(dataset, updates=updates, checkpoint=self.call_at_points(checkpoint))

        def call_at_points(self, checkpoint):
            return lambda update: checkpoint(update) if update in self.points else None

    found = check(Sparse, "offline")
    assert by_status(found, "failed") == set(), found


def test_a_loaded_agent_may_say_where_it_is() -> None:
    class SaysSo(Fits):
        def fit(self, dataset, *, updates, checkpoint):
            checkpoint(self.update)
            super().fit(dataset, updates=updates, checkpoint=checkpoint)

    found = check(SaysSo, "offline")
    assert by_status(found, "failed") == set(), found


@pytest.mark.parametrize("kind", ["discrete", "offline"])
def test_what_is_drawn_from_global_generators_is_put_back(kind: str) -> None:
    """Also where making the agent seeds them, as the run after an interruption would."""

    class Online(Watches):
        def __init__(self, task, seed):
            super().__init__(task, seed)
            np.random.seed(seed)  # noqa: NPY002, TID251

        def choose(self, n, phase):
            drawn = np.random.randint(2, size=n)  # noqa: NPY002
            return (super().choose(n, phase) + drawn) % 4

    class Offline(Fits):
        def __init__(self, task, seed):
            super().__init__(task, seed)
            np.random.seed(seed)  # noqa: NPY002, TID251

        def fit(self, dataset, *, updates, checkpoint):
            def count(update):
                self.weights *= np.random.uniform(0.9, 1.1)  # noqa: NPY002
                checkpoint(update)

            super().fit(dataset, updates=updates, checkpoint=count)

    found = check(Online if kind == "discrete" else Offline, kind)
    assert by_status(found, "failed") == set(), found
    assert "resume" in by_status(found, "passed")


@pytest.mark.parametrize("kind", ["discrete", "four at a time"])
def test_the_agents_to_copy_pass(kind: str, tmp_path: Path) -> None:
    """That of the README, saved as it says, and those in examples/."""
    code, *_ = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "agent_of_readme.py").write_text(code)
    program = f"cmd:{sys.executable} {ROOT / 'examples/cmd_agent.py'}"
    for spec in (f"{tmp_path}/agent_of_readme.py", str(ROOT / "examples/my_agent.py"), program):
        factory = load_factory(spec)
        found = check(lambda task, seed: factory(task, seed=seed, device="cpu"), kind)  # noqa: B023
        assert by_status(found, "failed") == set(), (spec, found)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        *((spec, kind) for spec in ("random", "noop") for kind in SUITES),
        *((str(TEMPLATE), kind) for kind in (*ONLINE, "curriculum")),
    ],
)
def test_our_own_agents_pass(spec: str, kind: str) -> None:
    factory = load_factory(spec)
    found = check(lambda task, seed: factory(task, seed=seed, device="cpu"), kind)
    assert by_status(found, "failed") == set(), found


def acts(method: Callable[..., Any], base: type = Watches) -> type:
    return type("Broken", (base,), {"act": method})


def watches(**methods: Any) -> type:
    return type("Broken", (Watches,), methods)


def fits(**methods: Any) -> type:
    return type("Broken", (Fits,), methods)


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


def fit_late(after: int) -> type:
    """Return an agent whose fit raises after so many updates."""

    def fit(self, dataset, *, updates, checkpoint):
        Cloner.fit(self, dataset, updates=min(updates, after), checkpoint=checkpoint)
        if updates > after:
            raise ValueError("I am\nlost")

    return fits(fit=fit)


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


def trembles_in_place(self, obs, first, *, phase):
    obs += 0.1
    return Fits.act(self, obs, first, phase=phase)


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


def writes_into_the_dataset(self, dataset, *, updates, checkpoint) -> None:
    dataset.train.reward[:] *= 0.1


def counts_back(self, dataset, *, updates, checkpoint) -> None:
    checkpoint(20)
    checkpoint(19)


def forgets_a_point(self, dataset, *, updates, checkpoint) -> None:
    Cloner.fit(
        self, dataset, updates=updates, checkpoint=lambda k: None if k == 20 else checkpoint(k)
    )


def stops_early(self, dataset, *, updates, checkpoint) -> None:
    Cloner.fit(self, dataset, updates=updates - 1, checkpoint=checkpoint)


def fits_for_ever(self, dataset, *, updates, checkpoint) -> None:
    for update in itertools.count(1):
        with suppress(Exception):
            checkpoint(update)


def fits_by_the_global_generator(self, dataset, *, updates, checkpoint) -> None:
    self.weights += np.random.uniform(size=self.weights.shape)  # noqa: NPY002
    Cloner.fit(self, dataset, updates=updates, checkpoint=checkpoint)


def trembles_by_its_only_generator(self, obs, first, *, phase):
    calm = Cloner.act(self, obs, first, phase=phase)
    return np.clip(calm + self.random.normal(size=calm.shape), -2, 2).astype(np.float32)


def learns_in_evaluation(self, obs, first, *, phase):
    self.rate *= 1.01
    return Fits.act(self, obs, first, phase=phase)


def forgets(*names: str, base: type = Fits) -> Callable[..., None]:
    """Return a `load` that leaves some of the agent as it was made."""

    def load(self, folder):
        kept = {name: getattr(self, name) for name in names}
        states = {k: v.bit_generator.state for k, v in kept.items() if hasattr(v, "bit_generator")}
        base.load(self, folder)
        for name, value in kept.items():
            if name in states:
                value.bit_generator.state = states[name]
            else:
                setattr(self, name, value)

    return load


def begins_anew(self, folder) -> None:
    Fits.load(self, folder)
    self.update = 1


def is_done_when_loaded(self, folder) -> None:
    Fits.load(self, folder)
    self.update = 40


def grows_bold(self, batch) -> None:
    """Learn by a count of steps, which is not saved."""
    Watches.observe(self, batch)
    self.table[0] += self.observed == 30


def not_the_largest_seed_either(task, seed) -> Fits:
    assert seed + 1 < 2**31, "the seed is too large"
    return Fits(task, seed)


COUNT = itertools.count()
GLOBAL = acts(lambda self, obs, first, *, phase: np.random.randint(4, size=len(obs)), Fixed)  # noqa: NPY002
BROKEN: dict[str, list[tuple[Callable[..., Any], str, str]]] = {
    "make": [
        (raises(RuntimeError("no memory")), "the agent raised RuntimeError: no memory", "discrete"),
        (raises(SystemExit(3)), "SystemExit: 3", "discrete"),
        (lambda task, seed: object(), "has no act()", "discrete"),
        (two_ways, "train() and observe()", "discrete"),
        (Watches, "learns by observe(), which does not fit the suite pendulum-off", "offline"),
        (OwnLoop, "train(), which does not fit the suite pendulum-offline@1: it is off", "offline"),
        (Fits, "learns by fit(), which does not fit the suite toy@1: it is online", "discrete"),
        (Fits, "suite cartpole-curriculum@1: it is curriculum", "curriculum"),
    ],
    "act in training": [
        (acts(lambda *a, phase: np.zeros(1)), "dtype float64, not an integer", "discrete"),
        (acts(lambda *a, phase: np.full((1, 3), np.nan)), "answered NaN", "box"),
        (acts(lambda *a, phase: np.full((1, 3), 1.5)), "outside Box", "box"),
        (acts(lambda *a, phase: np.zeros(1, dtype=int)), "shape (1,), not (4,)", "four at a time"),
        (acts(raises(ValueError("no"))), "act raised ValueError: no", "discrete"),
        (acts(lambda *a, phase: np.full(4, 2), Searches), "action 2, outside 0 to 1", "curriculum"),
    ],
    "train": [
        (watches(observe=raises(ValueError("no"))), "observe raised ValueError: no", "discrete"),
        (late("act", 5), "act raised ValueError: I am lost (test_agents.py, line", "discrete"),
        (loops(raises(ValueError("no"))), "train raised ValueError: no", "discrete"),
        (loops(raises(SystemExit())), "SystemExit", "discrete"),
        (fits(fit=raises(ValueError("no"))), "fit raised ValueError: no", "offline"),
        (fit_late(5), "fit raised ValueError: I am lost (test_agents.py, line", "offline"),
        (fits(fit=writes_into_the_dataset), "array is read-only", "offline"),
        (fits(fit=counts_back), "fit called checkpoint(19) after 20 updates", "offline"),
    ],
    "exact budget": [
        (loops(swallows), "went on for 1000 steps after its budget of 40", "discrete"),
        (loops(makes_its_own), "made no step", "discrete"),
        (fits(fit=forgets_a_point), "fit() did not call checkpoint(20)", "offline"),
        (fits(fit=stops_early), "fit() returned after 39 of 40 updates", "offline"),
        (fits(fit=lambda *a, **k: None), "fit() returned after 0 of 40 updates", "offline"),
        (fits(fit=fits_for_ever), "went on for 1000 updates after its budget of 40", "offline"),
    ],
    "act in evaluation": [
        (in_eval(lambda self, obs, good: good + 0.5), "dtype float64", "discrete"),
        (in_eval(lambda self, obs, good: good[:1]), "shape (1,), not (3,)", "discrete"),
        (in_eval(lambda self, obs, good: good * np.inf), "NaN or an infinite", "box"),
        (in_eval(raises(ValueError("no"))), "act raised ValueError: no", "discrete"),
        (acts(lambda *a, phase: np.full((3, 1), 2.5), Fits), "outside Box", "offline"),
    ],
    "batch sizes": [(acts(keeps_a_state_of_one_size), "act raised ValueError", "discrete")],
    "arrays unchanged": [
        (acts(changes_obs), "changed obs in act()", "discrete"),
        (acts(changes_obs, OwnLoop), "changed obs in act()", "discrete"),
        (watches(observe=changes_rewards), "changed reward in observe()", "discrete"),
        (acts(trembles_in_place, Fits), "changed obs in act()", "offline"),
    ],
    "value": [
        (watches(value=lambda self, obs: np.zeros(1)), "value answered", "discrete"),
        (watches(value=lambda self, obs: self.choose(len(obs), "eval")[:, 0]), "asking", "box"),
    ],
    "same seed": [
        (unseeded, "same seed act differently in training, from step", "discrete"),
        (GLOBAL, "same seed act differently in training", "discrete"),
        (in_eval(lambda self, obs, good: unseeded_like(good)), "in evaluation", "discrete"),
        (lambda task, seed: Fits(task, next(COUNT)), "same seed act differently in ev", "offline"),
        (fits(fit=fits_by_the_global_generator), "act differently in evaluation", "offline"),
    ],
    "another seed": [
        (not_the_largest_seed, "the seed is too large", "discrete"),
        (not_the_largest_seed_either, "the seed is too large", "offline"),
    ],
    "evaluation changes nothing": [
        (acts(one_generator), "from step 20 on", "discrete"),
        (acts(one_generator), "from step", "box"),
        (in_eval(counts_in_eval), "evaluated half-way", "discrete"),
        (loops(evaluates_in_training), "act differently in training", "discrete"),
        (acts(trembles_by_its_only_generator, Fits), "evaluated half-way and one", "offline"),
        (acts(learns_in_evaluation, Fits), "act differently in evaluation", "offline"),
    ],
    "save and load": [
        (watches(load=lambda self, folder: None), "loaded one act differently", "discrete"),
        (watches(load=None), "has save() only", "discrete"),
        (watches(save=raises(OSError("full"))), "save raised OSError: full", "discrete"),
        (watches(load=raises(KeyError("x"))), "load raised KeyError", "discrete"),
        (fits(load=forgets("weights")), "loaded one act differently in evaluation", "offline"),
        (fits(load=forgets("tremor")), "loaded one act differently in evaluation", "offline"),
        (fits(save=None), "has load() only", "offline"),
    ],
    "resume": [
        (watches(observe=grows_bold), "act differently in training, from step 30 on", "discrete"),
        (watches(observe=grows_bold), "an interruption would change a run", "box"),
        (fits(load=forgets("random")), "one that was not act differently in ev", "offline"),
        (fits(load=begins_anew), "checkpoint(2) after 20 updates: an agent that was", "offline"),
        (fits(load=is_done_when_loaded), "fit() returned after 20 of 40 updates", "offline"),
    ],
    "smoke run": [
        (late("observe", STEPS + 3), "observe raised ValueError: I am lost", "discrete"),
        (fit_late(STEPS), "fit raised ValueError: I am lost", "offline"),
    ],
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


def test_a_teacher_is_in_between_when_a_training_is_taken_up() -> None:
    forgetful = type("Broken", (Searches,), {"load": forgets("tried", base=Searches)})
    found = check(forgetful, "curriculum", steps=800)
    assert by_status(found, "failed") == {"resume"}, found
    assert "act differently in training" in detail_of(found, "resume")


def test_an_early_return_is_allowed_and_told() -> None:
    def briefly(self, env) -> None:
        env.reset()
        for _ in range(7):
            env.step(self.choose(env.num_envs, "train"))

    found = {finding.name: finding for finding in check(loops(briefly))}
    assert found["exact budget"].status == "passed"
    assert "used 7 of 40 steps" in found["exact budget"].detail


@pytest.mark.parametrize(("base", "kind"), [(Watches, "discrete"), (Fits, "offline")])
def test_agents_are_closed(base: type, kind: str) -> None:
    living: set[object] = set()

    class Holds(base):  # type: ignore[misc, valid-type]
        def __init__(self, task, seed) -> None:
            super().__init__(task, seed)
            living.add(self)

        def close(self) -> None:
            living.discard(self)

    assert by_status(check(Holds, kind), "failed") == set()
    assert living == set()


def test_environments_that_cannot_be_made_are_no_finding() -> None:
    nowhere = replace(TOY, factory="nowhere:make")
    with pytest.raises(UsageError, match="needs an extra"):
        next(check_contract(nowhere, TOY.tasks[0], Fixed, config={}, device="cpu", steps=STEPS))


def test_a_dataset_that_cannot_be_loaded_is_no_finding() -> None:
    other = replace(PENDULUM.tasks[0], assets={"dataset_sha256": "0" * 64})
    with pytest.raises(UsageError, match="has the sha256"):
        next(check_contract(PENDULUM, other, Fits, config={}, device="cpu", steps=STEPS))
