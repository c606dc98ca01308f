"""The offline agents: their losses against slow numpy, the contract, and seeds learned together."""

import importlib
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from scipy import special, stats
from support.command import rlbench
from support.pendulum import PENDULUM
from support.registered import register

from rlbench.errors import UsageError
from rlbench.results import Record, Store
from rlbench.runners.agents.agent import AGENTS, resolve
from rlbench.runners.check.agents import check_contract
from rlbench.runners.loops.common import dataset_info

NAMES = ("bc", "td3bc", "cql", "edac")
SMALL: dict[str, dict[str, Any]] = {
    "bc": {"choose_every": 7},
    "td3bc": {},
    "cql": {"drawn": 2, "cloning": 5},
    "edac": {"critics": 3},
}
SIZES = {"units": 16, "batch": 32, "normalize": True}
TASK = PENDULUM.tasks[0]
DATASET = PENDULUM.dataset(TASK)
INFO = dataset_info(PENDULUM, TASK, DATASET)
OBS = DATASET.validation.obs[:50]


torch = pytest.importorskip("torch", reason="needs the extra agents")

from rlbench.runners.agents import bc, cql, edac, td3bc  # noqa: E402
from rlbench.runners.agents.common.batches import Batch  # noqa: E402
from rlbench.runners.agents.common.networks import generators_of, normal  # noqa: E402
from rlbench.runners.agents.common.policies import Gaussian  # noqa: E402

MODULES = {"bc": bc, "td3bc": td3bc, "cql": cql, "edac": edac}


def make(name: str, seeds: list[int], **options: Any) -> Any:
    return MODULES[name].make_group(
        [INFO] * len(seeds), seeds, device="cpu", **{**SIZES, **SMALL[name], **options}
    )


def steps(agent: Any, updates: int, told: list[int]) -> Iterator[None]:
    return agent.fit_steps(DATASET, updates=updates, checkpoint=told.append)


def learn(agents: list[Any], updates: int) -> list[list[int]]:
    """Let agents of a group take turns until all have learned; return what each told."""
    told: list[list[int]] = [[] for _ in agents]
    going = [steps(agent, updates, said) for agent, said in zip(agents, told, strict=True)]
    while going:
        for one in list(going):
            try:
                next(one)
            except StopIteration:
                going.remove(one)
    return told


def state(agent: Any) -> dict[str, Any]:
    return agent._group.state(agent._seed)


def assert_same(left: Any, right: Any) -> None:
    mine, other = state(left), state(right)
    assert mine.keys() == other.keys()
    for name in mine:
        assert torch.equal(mine[name], other[name]), name


def test_they_are_registered_with_their_version() -> None:
    for name in NAMES:
        module, _, factory = AGENTS.own[name].target.partition(":")
        assert AGENTS.own[name].version == importlib.import_module(module).__version__
        assert (factory, AGENTS.own[name].extra) == ("make", "agents")
        assert resolve(name, {}).has_group


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_kept(name: str) -> None:
    found = {
        finding.name: finding
        for finding in check_contract(
            PENDULUM, TASK, MODULES[name].make, config={**SIZES, **SMALL[name]}, device="cpu",
            steps=20,
        )
    }  # fmt: skip
    assert [f for f in found.values() if f.status == "failed"] == []
    for check in ("exact budget", "same seed", "another seed", "save and load", "resume"):
        assert found[check].status == "passed", found[check]


CHOOSE = {"choose": True, "choose_every": 7}


@pytest.mark.parametrize("choose", [{"choose": False}, CHOOSE], ids=["last", "chosen"])
@pytest.mark.parametrize("name", NAMES)
def test_seeds_that_learn_together_learn_as_alone(name: str, choose: dict[str, Any]) -> None:
    together = make(name, [3, 4, 5], **choose)
    assert learn(together, 20) == [list(range(1, 21))] * 3
    for seed, agent in zip([3, 4, 5], together, strict=True):
        (alone,) = make(name, [seed], **choose)
        learn([alone], 20)
        assert_same(agent, alone)
        first = np.ones(len(OBS), np.bool_)
        assert np.array_equal(
            agent.act(OBS, first, phase="eval"), alone.act(OBS, first, phase="eval")
        )


def test_the_number_of_threads_makes_no_difference() -> None:
    before, found = torch.get_num_threads(), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        (agent,) = make("td3bc", [0], units=256, batch=256)
        learn([agent], 5)
        found.append(agent)
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert_same(*found)


@pytest.mark.parametrize("choose", [{"choose": False}, CHOOSE], ids=["last", "chosen"])
@pytest.mark.parametrize("name", NAMES)
def test_agents_that_were_saved_apart_wait_for_the_last(
    name: str, choose: dict[str, Any], tmp_path: Path
) -> None:
    for seed, updates in ((3, 4), (4, 9)):
        (agent,) = make(name, [seed], **choose)
        learn([agent], updates)
        (tmp_path / str(seed)).mkdir()
        agent.save(tmp_path / str(seed))
    together = make(name, [3, 4, 5], **choose)
    for k, seed in enumerate((3, 4)):
        together[k].load(tmp_path / str(seed))
    assert learn(together, 14) == [list(range(5, 15)), list(range(10, 15)), list(range(1, 15))]
    for seed, agent in zip([3, 4, 5], together, strict=True):
        (alone,) = make(name, [seed], **choose)
        learn([alone], 14)
        assert_same(agent, alone)


def test_an_agent_that_fails_leaves_the_others_alone() -> None:
    agents = make("td3bc", [3, 4, 5])
    told: list[int] = []

    def breaks(update: int) -> None:
        if update == 5:
            raise ValueError("it breaks")

    going = [steps(agents[0], 9, told), steps(agents[2], 9, told)]
    breaking = agents[1].fit_steps(DATASET, updates=9, checkpoint=breaks)
    for _ in range(4):
        for one in (going[0], breaking, going[1]):
            next(one)
    next(going[0])
    with pytest.raises(ValueError, match="it breaks"):
        next(breaking)
    for one in [*going] * 20:
        next(one, None)
    (alone,) = make("td3bc", [5])
    learn([alone], 9)
    assert_same(agents[2], alone)


WORDS = {
    "--suite": "pendulum-offline", "--seeds": "3", "--jobs": "1",
    "--unofficial": "budget=30,episodes=4,max_episode_steps=20",
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Record]]:
    """Run three seeds of an agent with small networks; return their records."""
    for name, value in register(tmp_path / "installed").items():
        monkeypatch.setenv(name, value)

    def play(agent: str, *more: str) -> list[Record]:
        store = tmp_path / f"{agent}{len(more)}"
        words = [*chain(*WORDS.items()), "-o", "units=16", "-o", "batch=32", *more]
        rlbench("run", "--agent", agent, *words, "--store", str(store), cwd=tmp_path)
        records = Store(store).load().records
        return sorted(records, key=lambda record: record.identity.seed)

    return play


def returns(records: list[Record]) -> list[tuple[float, ...]]:
    assert [record.status for record in records] == ["ok"] * 3
    return [record.evaluations[-1].returns for record in records]


def test_a_command_runs_seeds_together_with_the_same_records(run: Callable[..., Any]) -> None:
    alone, together = returns(run("td3bc")), returns(run("td3bc", "--runs-per-gpu", "3"))
    assert alone == together
    assert len(set(alone)) == 3


LEAVES = """
import os, signal
from pathlib import Path
from rlbench.runners.agents.common.offline import factory, group_factory
from rlbench.runners.agents.td3bc import TD3BC, TD3BCOptions

class Leaves(TD3BC):
    def update(self, batch, number):
        super().update(batch, number)
        with Path("made").open("a") as file:
            print(number, file=file)
        if number == 11:
            os.kill(os.getpid(), signal.SIGTERM)

make_group = group_factory("leaves", Leaves, TD3BCOptions)
make = factory(make_group, TD3BCOptions)
"""


def test_a_group_that_was_asked_to_leave_goes_on(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "leaves.py").write_text(LEAVES)
    records = run("leaves", "--runs-per-gpu", "3")
    assert [record.timing["attempts"] for record in records] == [2] * 3
    made = [int(number) for number in (tmp_path / "made").read_text().split()]
    # The first update after the break is each seed's own: the others have not begun yet.
    assert made == [*range(1, 12), 12, 12, *range(12, 31)]
    assert returns(records) == returns(run("td3bc"))


def test_groups_of_several_tasks_are_apart() -> None:
    other = replace(INFO, task="Another")
    agents = td3bc.make_group([INFO, other, INFO], [0, 1, 2], device="cpu", **SIZES)
    assert agents[0]._group is agents[2]._group
    assert agents[0]._group is not agents[1]._group


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("td3bc", {"alpha": -1.0}, "the option alpha of the agent td3bc is a number >= 0"),
        ("td3bc", {"units": 0}, "the option units of the agent td3bc is a whole number >= 1"),
        ("bc", {"choose": 1}, "the option choose of the agent bc is true or false, not 1"),
        ("cql", {"version": 1}, "the option version of the agent cql is 2 or 3, not 1"),
        ("edac", {"critics": True}, "the option critics of the agent edac is a whole number"),
    ],
)
def test_options_that_do_not_fit(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(name, [0], **options)


def test_tasks_that_do_not_fit() -> None:
    image = replace(INFO, observation_space=Box(0.0, 1.0, (4, 4)))
    with pytest.raises(UsageError, match="the agent bc needs observations that are vectors"):
        bc.make(image, seed=0, device="cpu")
    discrete = replace(INFO, action_space=Discrete(3))
    with pytest.raises(UsageError, match="the agent bc needs actions in a bounded box"):
        bc.make(discrete, seed=0, device="cpu")


def test_what_was_saved_with_other_options_is_refused(tmp_path: Path) -> None:
    make("td3bc", [0])[0].save(tmp_path)
    with pytest.raises(ValueError, match="numbers, not"):
        make("td3bc", [0], units=8)[0].load(tmp_path)


# The losses against numpy: one seed, one critic and one transition at a time.

N, D = 5, 2


@pytest.fixture
def draw() -> Callable[..., Any]:
    random = np.random.default_rng(0)
    return lambda *shape: torch.from_numpy(random.normal(size=shape))


def test_td3bc_actor_loss(draw: Callable[..., Any]) -> None:
    value, action, logged = draw(3, N), draw(3, N, D), draw(3, N, D)
    want = 0.0
    for q, a, b in zip(value.numpy(), action.numpy(), logged.numpy(), strict=True):
        want += -(0.4 / np.abs(q).mean()) * q.mean() + ((a - b) ** 2).sum() / (N * D)
    assert td3bc.actor_loss(value, action, logged, 0.4).item() == pytest.approx(want)


def test_the_weight_of_td3bc_has_no_gradient() -> None:
    value = torch.tensor([[1.0, -3.0]], requires_grad=True)
    zero = torch.zeros(1, 2, 1)
    td3bc.actor_loss(value, zero, zero, 0.4).backward()
    assert value.grad.tolist() == [[pytest.approx(-0.4 / 2.0 / 2.0)] * 2]


@pytest.mark.parametrize(("module", "critics"), [(td3bc, 2), (edac, 4)])
def test_critic_loss(module: Any, critics: int, draw: Callable[..., Any]) -> None:
    values, goal = draw(3 * critics, N, 1), draw(3, N)
    want = sum(
        ((values[critics * s + e, :, 0].numpy() - goal[s].numpy()) ** 2).mean()
        for s in range(3)
        for e in range(critics)
    )
    assert module.critic_loss(values, goal).item() == pytest.approx(want)


def batch(seeds: int = 2) -> Batch:
    generators = generators_of([9] * seeds, "cpu")
    obs, next_obs, action = (normal((N, size), generators) for size in (3, 3, D))
    return Batch(
        obs, action.tanh(), normal((N,), generators), next_obs, normal((N,), generators).gt(0) * 1.0
    )


def perceptron(network: Any, row: int, x: np.ndarray) -> np.ndarray:
    """One network on inputs, in numpy."""
    layers = [(w[row].numpy(), b[row, 0].numpy()) for w, b in network.still]
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0.0)
    return x @ layers[-1][0] + layers[-1][1]


def test_the_goal_of_td3bc() -> None:
    """Of one transition: noise is clipped, then the action; the least critic counts."""
    options = td3bc.TD3BCOptions(units=8, policy_noise=2.0, noise_clip=0.5, discount=0.9)
    learner = td3bc.TD3BC(3, D, generators_of([1, 2], "cpu"), options)
    data = batch()
    noise = normal((N, D), [g.clone_state() for g in learner._generators]).numpy()
    got = learner._goal(data).numpy()
    for s in range(2):
        for k in range(N):
            obs = data.next_obs[s, k].numpy()
            action = np.tanh(perceptron(learner._actor_target, s, obs))
            action = np.clip(action + np.clip(2.0 * noise[s, k], -0.5, 0.5), -1, 1)
            pair = np.concatenate([obs, action])
            least = min(perceptron(learner._critic_target, 2 * s + e, pair)[0] for e in range(2))
            want = data.reward[s, k].item() + 0.9 * data.goes_on[s, k].item() * least
            assert got[s, k] == pytest.approx(want, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", ["cql", "edac"])
def test_the_goal_of_soft_critics(name: str) -> None:
    options = {
        "cql": cql.CQLOptions(units=8, discount=0.9),
        "edac": edac.EDACOptions(units=8, critics=3, discount=0.9),
    }[name]
    kind = {"cql": cql.CQL, "edac": edac.EDAC}[name]
    learner = kind(3, D, generators_of([1, 2], "cpu"), options)
    data, critics = batch(), learner._critic.shape.members
    noise = normal((N, D), [g.clone_state() for g in learner._generators]).numpy()
    got = learner._goal(data, torch.tensor([[0.3], [0.7]])).numpy()
    for s, alpha in enumerate((0.3, 0.7)):
        for k in range(N):
            obs = data.next_obs[s, k].numpy()
            mean, log_deviation = np.split(perceptron(learner.actor, s, obs), 2)
            inner = mean + np.exp(np.clip(log_deviation, -20, 2)) * noise[s, k]
            density = stats.norm.logpdf(noise[s, k]) - np.clip(log_deviation, -20, 2)
            log = (density - np.log(1 - np.tanh(inner) ** 2)).sum()
            pair = np.concatenate([obs, np.tanh(inner)])
            least = min(
                perceptron(learner._target, critics * s + e, pair)[0] for e in range(critics)
            )
            soft = least - alpha * log
            want = data.reward[s, k].item() + 0.9 * data.goes_on[s, k].item() * soft
            assert got[s, k] == pytest.approx(want, rel=1e-3, abs=1e-4)


def test_bc_loss(draw: Callable[..., Any]) -> None:
    mean, log_deviation, logged = draw(3, N, D), draw(3, N, D), draw(3, N, D).tanh()
    want = 0.0
    for m, d, a in zip(mean.numpy(), log_deviation.numpy(), logged.numpy(), strict=True):
        inner = np.arctanh(a)
        logs = stats.norm.logpdf(inner, m, np.exp(d)) - np.log(1 - a**2)
        want -= logs.sum(-1).mean()
    got = bc.imitation_loss(Gaussian(mean, log_deviation), logged).item()
    assert got == pytest.approx(want)


@pytest.mark.parametrize("module", [cql, edac])
def test_soft_actor_loss(module: Any, draw: Callable[..., Any]) -> None:
    value, log, alpha = draw(3, N), draw(3, N), draw(3, 1).exp()
    want = sum(
        np.mean([alpha[s, 0].item() * log[s, k].item() - value[s, k].item() for k in range(N)])
        for s in range(3)
    )
    assert module.actor_loss(value, log, alpha).item() == pytest.approx(want)


@pytest.mark.parametrize("version", [2, 3])
def test_the_penalty_of_cql(version: int, draw: Callable[..., Any]) -> None:
    logged, drawn, densities = draw(3, 2, N), draw(3, 2, N, 6), draw(3, N, 6)
    got = cql.penalties(logged, drawn, densities, version).numpy()
    for s in range(3):
        for e in range(2):
            terms = []
            for k in range(N):
                values = drawn[s, e, k].numpy()
                if version == 3:
                    values = values - densities[s, k].numpy()
                else:
                    values = np.append(values, logged[s, e, k].item())
                terms.append(special.logsumexp(values) - logged[s, e, k].item())
            assert got[s, e] == pytest.approx(np.mean(terms))


def test_the_actions_that_cql_draws() -> None:
    """For each state: even ones, the policy's, and the policy's of the next state."""
    options = cql.CQLOptions(units=8, drawn=4)
    learner = cql.CQL(3, D, generators_of([1, 2], "cpu"), options)
    data = batch()
    clones = [g.clone_state() for g in learner._generators]
    states, actions, logs = learner._draw(data)
    assert states.shape == (2, N + N * 12, 3)
    assert torch.equal(states[:, :N], data.obs)
    assert torch.equal(actions[:, :N], data.action)
    even = torch.stack([torch.rand((N, 4, D), generator=g) for g in clones])
    here, there = (normal((N, 4, D), clones).numpy() for _ in range(2))
    for s in range(2):
        for k in range(N):
            rows = slice(N + 12 * k, N + 12 * (k + 1))
            assert torch.equal(states[s, rows], data.obs[s, k].expand(12, 3))
            found, log = actions[s, rows].numpy(), logs[s, k].numpy()
            np.testing.assert_allclose(found[:4], 2 * even[s, k].numpy() - 1, rtol=1e-6)
            np.testing.assert_allclose(log[:4], -D * np.log(2), rtol=1e-6)
            for j, (obs, noise) in enumerate(
                [(data.obs[s, k].numpy(), here[s, k]), (data.next_obs[s, k].numpy(), there[s, k])]
            ):
                mean, log_deviation = np.split(perceptron(learner.actor, s, obs), 2)
                inner = mean + np.exp(log_deviation) * noise
                places = slice(4 * (j + 1), 4 * (j + 2))
                np.testing.assert_allclose(found[places], np.tanh(inner), rtol=1e-4, atol=1e-6)
                want = stats.norm.logpdf(noise) - log_deviation - np.log(1 - np.tanh(inner) ** 2)
                np.testing.assert_allclose(log[places], want.sum(-1), rtol=1e-3, atol=1e-3)


def test_the_multiplier_of_cql_aims_at_the_gap() -> None:
    """Its first step of Adam has the size of the rate, and the sign of penalty - gap."""
    for gap, direction in ((1e3, -1.0), (1e-3, 1.0)):
        options = cql.CQLOptions(units=8, drawn=3, gap=gap, critic_rate=0.01)
        learner = cql.CQL(3, D, generators_of([1], "cpu"), options)
        learner.update(batch(1), 1)
        assert learner._log_multiplier.flat.item() == pytest.approx(0.01 * direction, rel=1e-3)


def test_how_alike_gradients_are(draw: Callable[..., Any]) -> None:
    slopes = draw(3 * 4, N, D)
    want = 0.0
    for s in range(3):
        for k in range(N):
            unit = [slopes[4 * s + e, k].numpy() for e in range(4)]
            unit = [u / np.linalg.norm(u) for u in unit]
            want += sum(unit[i] @ unit[j] for i in range(4) for j in range(4) if i != j) / 3 / N
    assert edac.similarity(slopes, 3).item() == pytest.approx(want)
    same = slopes[:1].expand(8, N, D)
    assert edac.similarity(same, 2).item() == pytest.approx(2 * 4.0)


def test_edac_takes_gradients_at_the_logged_actions() -> None:
    """One update is that of the losses, each critic by itself, by torch's own Adam."""
    options = edac.EDACOptions(units=8, critics=3, diversity=0.7)
    learner = edac.EDAC(3, D, generators_of([1], "cpu"), options)
    data, shape = batch(1), learner._critic.shape
    weights = [p.clone().requires_grad_() for pair in learner._critic.still for p in pair]
    twin = edac.EDAC(3, D, generators_of([1], "cpu"), options)
    goals = []
    real = twin._goal
    twin._goal = lambda *a: goals.append(real(*a)) or goals[-1]  # type: ignore[method-assign]
    twin.update(data, 1)
    learner.update(data, 1)
    theirs = torch.optim.Adam(weights, lr=options.critic_rate)
    loss, slopes = 0.0, []
    for e in range(3):
        layers = [
            (w[e : e + 1], b[e : e + 1]) for w, b in zip(weights[::2], weights[1::2], strict=True)
        ]
        action = data.action.clone().requires_grad_()
        values = shape(layers, torch.cat([data.obs, action], -1))[0, :, 0]
        loss = loss + ((values - goals[0][0]) ** 2).mean()
        slopes.append(torch.autograd.grad(values.sum(), action, create_graph=True)[0][0])
    for i in range(3):
        for j in range(3):
            if i != j:
                cosine = torch.cosine_similarity(slopes[i], slopes[j], dim=-1)
                loss = loss + 0.7 * cosine.mean() / 2
    loss.backward()
    theirs.step()
    for ours, other in zip(
        [p for pair in learner._critic.still for p in pair], weights, strict=True
    ):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=2e-6)


RATES = {
    "bc": {"rate": 0.05},
    "td3bc": {"rate": 0.05, "alpha": 5.0},
    "cql": {"actor_rate": 0.05, "cloning": 20},
    "edac": {"actor_rate": 0.05},
}


def validation_error(action: np.ndarray) -> float:
    """Return the mean squared error of actions; the bounds of the pendulum's are -2 and 2."""
    return float(np.square((action - DATASET.validation.action) / 2.0).mean())


def own_actions(agent: Any, name: str) -> np.ndarray:
    """Return what the network of the policy does now, in numpy."""
    obs = (DATASET.validation.obs - agent._group._middle) / agent._group._scale
    return 2.0 * np.tanh(perceptron(agent._group._learner.actor, 0, obs)[:, :1])


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_of_least_error_on_the_validation_data_acts(name: str) -> None:
    """Whatever comes later: of those that were looked at, every third."""
    options = {**CHOOSE, "choose_every": 3, **RATES[name]}
    (agent,) = make(name, [0], **options)
    first = np.ones(len(DATASET.validation), np.bool_)
    errors, seen = [], []

    def look(update: int) -> None:
        errors.append(validation_error(own_actions(agent, name)))
        acted = validation_error(agent.act(DATASET.validation.obs, first, phase="eval"))
        if update % 3 == 0:
            seen.append(errors[-1])
        assert acted == pytest.approx(min(seen, default=errors[-1]), rel=1e-4)

    agent.fit(DATASET, updates=61, checkpoint=look)
    assert errors[-1] > min(seen)


@pytest.mark.parametrize("name", ["td3bc", "cql", "edac"])
def test_the_last_update_counts_unless_it_is_said(name: str) -> None:
    (agent,) = make(name, [0], **RATES[name], choose_every=3)
    agent.fit(DATASET, updates=31, checkpoint=lambda update: None)
    first = np.ones(len(DATASET.validation), np.bool_)
    acted = agent.act(DATASET.validation.obs, first, phase="eval")
    np.testing.assert_allclose(acted, own_actions(agent, name), rtol=1e-3, atol=1e-4)
    assert not {"best", "error"} & state(agent).keys()


def test_without_validation_data_the_last_update_counts() -> None:
    none = replace(DATASET, validation=replace(
        DATASET.validation, **{f.name: getattr(DATASET.validation, f.name)[:0]
                               for f in fields(DATASET.validation)}
    ))  # fmt: skip
    (agent,) = make("td3bc", [0], **{**CHOOSE, "choose_every": 1})
    agent.fit(none, updates=5, checkpoint=lambda update: None)
    acted = agent.act(DATASET.validation.obs, np.ones(len(DATASET.validation), np.bool_),
                      phase="eval")  # fmt: skip
    np.testing.assert_allclose(acted, own_actions(agent, "td3bc"), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "most"), [("bc", 0.5), ("td3bc", 0.5)])
def test_they_learn_to_swing(name: str, most: float) -> None:
    """After 1,500 updates they do what the controller meant, beyond its fumbling."""
    (agent,) = make(name, [0], units=64, batch=128)
    agent.fit(DATASET, updates=1500, checkpoint=lambda update: None)
    env = PENDULUM.make(TASK, split="eval", num_envs=10, seed=0)
    obs, _ = env.reset()
    total, first = np.zeros(10), np.ones(10, np.bool_)
    for _ in range(200):
        obs, reward, *_ = env.step(agent.act(obs, first, phase="eval"))
        total += reward
    low, high = TASK.low, TASK.high
    assert (total.mean() - low) / (high - low) > most


@pytest.mark.parametrize("name", NAMES)
def test_the_published_settings_are_the_defaults(name: str) -> None:
    path = Path(__file__).parents[3] / "examples" / "neorl2" / f"{name}.toml"
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    assert (content["suite"], content["agent"]) == ("neorl2", name)
    assert resolve(name, content["options"]).id.config == resolve(name, {}).id.config
    assert content["options"].keys() == resolve(name, {}).id.config.keys()
