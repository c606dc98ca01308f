"""Algorithms of Stable-Baselines3, for real, on their own loop; skipped where it is missing."""

from copy import deepcopy
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete
from support.command import rlbench
from support.toy import TOY, Walks

from rlbench.errors import AgentError, UnknownName, UsageError
from rlbench.results import Store
from rlbench.results.values import parse_options
from rlbench.runners import MeteredEnv, Progress, TaskInfo, load_factory, resolve, run_online
from rlbench.runners.agents.resolving import open_options
from rlbench.runners.check.agents import check_contract
from rlbench.runners.loops.training import train_by_itself

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

from rlbench.runners.agents.adapters.sb3_env import SB3Env

SMALL = {
    "PPO": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "A2C": {},
    "DQN": {"learning_starts": 10, "buffer_size": 100},
    "RecurrentPPO": {"n_steps": 16, "batch_size": 16, "n_epochs": 1},
    "QRDQN": {"learning_starts": 10, "buffer_size": 100},
    "SAC": {"learning_starts": 10, "buffer_size": 100},
    "TD3": {"learning_starts": 10, "buffer_size": 100},
}


def play(algorithm: str, num_envs: int = 1, seed: int = 0) -> Progress:
    continuous = algorithm in ("SAC", "TD3")
    suite = TOY.make_unofficial({"continuous": continuous, "train_envs": num_envs})
    suite = replace(suite, protocol=replace(suite.protocol, eval_points=(30,)))
    progress = Progress()
    run_online(
        suite, suite.tasks[0], load_factory(f"sb3:{algorithm}"), config=SMALL[algorithm],
        seed=seed, device="cpu", progress=progress,
    )  # fmt: skip
    return progress


@pytest.mark.parametrize("algorithm", SMALL)
def test_exactly_the_budget_is_trained_and_checkpoints_evaluated(algorithm: str) -> None:
    """Rollouts of 16 steps do not divide the budget of 50: it is not overspent."""
    progress = play(algorithm)
    assert progress.budget_used == 50
    assert [e.budget_used for e in progress.evaluations] == [30, 50]
    assert progress.training.episodes > 0


@pytest.mark.parametrize("algorithm", ["PPO", "DQN", "RecurrentPPO"])
def test_a_run_is_a_function_of_its_seed(algorithm: str) -> None:
    first, second = play(algorithm), play(algorithm)
    assert first.evaluations == second.evaluations
    assert first.training == second.training


def test_several_environments_side_by_side() -> None:
    assert play("PPO", num_envs=4).budget_used == 50


def test_ends_and_cuts_are_told_apart() -> None:
    """A cut-off episode is marked, with the observation that it was cut off at."""
    env = TOY.make(TOY.tasks[0], split="train", num_envs=2, seed=0)
    plain_step = env.step

    def step(actions):
        obs, reward, terminated, _, info = plain_step(actions)
        cut = terminated & np.array([True, False])
        return obs, reward, terminated & ~cut, cut, info

    env.step = step
    wrapped = SB3Env(env)
    wrapped.reset()
    seen = set()
    for _ in range(80):
        _, _, dones, infos = wrapped.step(np.zeros(2, dtype=int))
        for slot in np.flatnonzero(dones):
            length, clock = infos[slot]["terminal_observation"]
            assert length == clock
            assert infos[slot]["TimeLimit.truncated"] == (slot == 0)
            seen.add(int(slot))
    assert seen == {0, 1}


@pytest.mark.filterwarnings("ignore::UserWarning")  # advice on spaces
def test_the_checker_of_sb3_finds_nothing_wrong() -> None:
    """It takes single environments, so it sees one slot of ours."""
    from stable_baselines3.common.env_checker import check_env

    slots = SB3Env(TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0))

    class Slot(gymnasium.Env):
        observation_space, action_space = slots.observation_space, slots.action_space

        def reset(self, *, seed: Any = None, options: Any = None):
            return slots.reset()[0], {}

        def step(self, action: Any):
            obs, reward, ended, infos = slots.step(np.array([action]))
            cut = infos[0].get("TimeLimit.truncated", False)
            obs = infos[0].get("terminal_observation", obs[0])
            return obs, float(reward[0]), bool(ended[0] and not cut), cut, infos[0]

    check_env(Slot())


def test_the_release_is_the_version() -> None:
    agent = resolve("sb3:PPO", {"learning_rate": 0.001}).id
    assert (agent.name, agent.source, agent.factory) == ("PPO", None, "sb3:PPO")
    assert agent.version.startswith("stable-baselines3-")
    assert resolve("sb3:TQC", {}).id.version.startswith("sb3-contrib-")
    with pytest.raises(UnknownName, match="Did you mean 'PPO'"):
        resolve("sb3:PP0", {})


def test_the_config_holds_what_the_constructor_takes() -> None:
    kwargs = {"net_arch": [64, 64]}
    agent = resolve("sb3:PPO", {"learning_rate": 0.001, "policy_kwargs": kwargs}).id
    assert agent.config["policy_kwargs"] == kwargs
    assert (agent.config["learning_rate"], agent.config["n_steps"]) == (0.001, 2048)
    assert (agent.config["policy"], agent.config["deterministic"]) == ("", True)
    assert not {"env", "seed", "device", "task"} & set(agent.config)
    default = resolve("sb3:PPO", {"n_steps": 2048}).id
    assert default.content() == resolve("sb3:PPO", {}).id.content()
    with pytest.raises(UnknownName, match="Did you mean 'n_steps'"):
        resolve("sb3:PPO", {"n_step": 16})


def info_of(env: Any) -> TaskInfo:
    return TaskInfo(
        suite="s@1", task="t", observation_space=env.single_observation_space,
        action_space=env.single_action_space, num_envs=env.num_envs, budget=64, unit="steps",
        max_episode_steps=30, kind="online",
    )  # fmt: skip


def trained(algorithm: str = "PPO", num_envs: int = 1, **options: Any) -> Any:
    """Return an agent that has spent a small budget."""
    suite = TOY.make_unofficial({"continuous": algorithm in ("SAC", "TD3", "DDPG")})
    env = suite.make(suite.tasks[0], split="train", num_envs=num_envs, seed=0)
    meter = MeteredEnv(env, 64)
    agent = load_factory(f"sb3:{algorithm}")(
        info_of(env), seed=0, device="cpu", **SMALL.get(algorithm, {}), **options
    )
    train_by_itself(agent, meter, Progress(), lambda: None, lambda: None)
    return agent


class Lives(Walks):
    """Walks on which a life is lost in every step that ends no episode."""

    def step(self, actions: np.ndarray):
        obs, reward, terminated, truncated, info = super().step(actions)
        info["life_lost"] = ~(terminated | truncated)
        info["success"] = terminated
        return obs, reward, terminated, truncated, info


def lives(reward: float = 5.0) -> Lives:
    return Lives(2, np.random.SeedSequence(0), Discrete(4), reward)


def test_rewards_are_raw_unless_they_are_clipped() -> None:
    for options, expected in (({}, -7.0), ({"clip_reward": True}, -1.0)):
        env = SB3Env(lives(-7.0), **options)
        env.reset()
        _, reward, _, _ = env.step(np.zeros(2, dtype=int))
        assert reward.dtype == np.float32
        np.testing.assert_array_equal(reward, [expected] * 2)


def test_an_episode_that_ends_says_its_raw_return() -> None:
    """Lost lives end none, whatever the algorithm is told, and clipping does not change it."""
    env = SB3Env(lives(), clip_reward=True, terminal_on_life_loss=True)
    env.reset()
    lengths, seen = np.zeros(2, dtype=int), 0
    for _ in range(80):
        _, _, dones, infos = env.step(np.zeros(2, dtype=int))
        lengths += 1
        assert dones.all()
        for slot, info in enumerate(infos):
            assert "terminal_observation" in info
            if "episode" in info:
                assert info["episode"]["l"] == lengths[slot]
                assert info["episode"]["r"] == 5.0 * lengths[slot]
                assert info["is_success"] is True
                lengths[slot], seen = 0, seen + 1
    assert seen > 4


def test_a_lost_life_ends_nothing_unless_it_is_asked_for() -> None:
    env = SB3Env(lives())
    env.reset()
    ends = sum(env.step(np.zeros(2, dtype=int))[2].sum() for _ in range(20))
    assert 0 < ends < 40


def test_mean_episode_returns_are_logged(capfd: pytest.CaptureFixture[str]) -> None:
    trained(verbose=1)
    assert "ep_rew_mean" in capfd.readouterr().out


def test_logs_are_no_part_of_the_identity(tmp_path: Path) -> None:
    plain = resolve("sb3:PPO", {})
    logged = resolve("sb3:PPO", {"verbose": 1, "tensorboard_log": str(tmp_path)})
    assert logged.id == plain.id
    assert logged.recipe.options == {"verbose": 1, "tensorboard_log": str(tmp_path)}
    assert not {"verbose", "tensorboard_log", "stats_window_size"} & set(plain.id.config)


@pytest.mark.parametrize(
    "options",
    [
        {"normalize": True},
        {"normalize": {"norm_reward": False, "clip_obs": 5.0}},
        {"frame_stack": 4},
        {"frame_stack": 2, "normalize": True, "channels_order": "first"},
    ],
)
def test_evaluation_sees_what_training_sees(options: dict[str, Any]) -> None:
    """The same observations lead to the same input of the network, and change no statistics."""
    agent = trained(**options)
    env = agent._model.get_env()
    if agent._normalizer is not None:
        agent._normalizer.training = False
        before = deepcopy(agent._normalizer.obs_rms.__dict__)
    slots = TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=5)
    inner = env
    while not isinstance(inner, SB3Env):
        inner = inner.venv
    inner._env = slots
    raw, shown, first = [], [], [True]
    step, reset = slots.step, slots.reset
    slots.reset = lambda: (raw.append((result := reset())[0]), result)[1]
    slots.step = lambda actions: (raw.append((result := step(actions))[0]), result)[1]
    shown.append(env.reset())
    for _ in range(40):
        obs, _, dones, _ = env.step(np.zeros(1, dtype=int))
        shown.append(obs)
        first.append(bool(dones[0]))
    assert sum(first) > 2
    for one, expected, begins in zip(raw, shown, first, strict=True):
        seen = agent._see(one, np.array([begins]), "eval")
        np.testing.assert_array_equal(seen, expected)
        assert seen.dtype == expected.dtype
    if agent._normalizer is not None:
        assert not np.array_equal(shown[0], raw[0])
        for name, value in before.items():
            np.testing.assert_array_equal(agent._normalizer.obs_rms.__dict__[name], value)


@pytest.mark.parametrize("algorithm", ["PPO", "DQN", "SAC"])
def test_what_was_saved_acts_alike_with_its_statistics(algorithm: str, tmp_path: Path) -> None:
    options = {"normalize": True, "frame_stack": 3}
    agent = trained(algorithm, **options)
    agent.save(tmp_path)
    fresh = load_factory(f"sb3:{algorithm}")(
        agent._task, seed=1, device="cpu", **SMALL[algorithm], **options
    )
    with pytest.raises(AgentError, match="after training only"):
        fresh.act(np.zeros((2, 2)), np.ones(2, dtype=bool), phase="eval")
    fresh.load(tmp_path)
    spec = f"sb3-zip:{tmp_path / 'model.zip'}"
    given = {"frame_stack": 3, "normalize": tmp_path / "vecnormalize.pkl"}
    found = resolve(spec, given, trust=True)
    assert found.id.config["normalize"]["file"] == "vecnormalize.pkl"
    zipped = load_factory(spec)(
        agent._task, seed=2, device="cpu", **open_options(found.recipe.options)
    )
    generator = np.random.default_rng(0)
    for k in range(5):
        obs = generator.uniform(0, 30, (6, 2))
        first = np.full(6, k == 0) | (generator.random(6) < 0.3)
        expected = agent.act(obs, first, phase="eval")
        for other in (fresh, zipped):
            np.testing.assert_array_equal(other.act(obs, first, phase="eval"), expected)


def test_a_model_without_its_statistics_is_told_apart(tmp_path: Path) -> None:
    agent = trained("SAC", normalize=True)
    agent.save(tmp_path)
    zipped = load_factory(f"sb3-zip:{tmp_path / 'model.zip'}")
    with pytest.raises(AgentError, match=r"normalize=@vecnormalize\.pkl does not fit the task"):
        zipped(
            agent._task, seed=0, device="cpu", frame_stack=2,
            normalize=str(tmp_path / "vecnormalize.pkl"),
        )  # fmt: skip


def test_options_from_the_command_line_are_what_the_constructor_takes() -> None:
    texts = [
        'policy_kwargs={"net_arch":[8,8],"activation_fn":"ReLU","optimizer_class":"SGD"}',
        "target_kl=none", "clip_range_vf=none", "batch_size=16",
    ]  # fmt: skip
    options = {**parse_options(texts), "n_steps": 16, "n_epochs": 1}
    assert resolve("sb3:PPO", options).id.config["target_kl"] is None
    env = TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0)
    agent = load_factory("sb3:PPO")(info_of(env), seed=0, device="cpu", **options)
    agent.train(MeteredEnv(env, 10**6))
    policy = agent._model.policy
    assert [type(layer).__name__ for layer in policy.mlp_extractor.policy_net] == [
        "Linear", "ReLU", "Linear", "ReLU",
    ]  # fmt: skip
    assert policy.mlp_extractor.policy_net[0].out_features == 8
    assert type(policy.optimizer).__name__ == "SGD"


def test_lists_and_noise_of_an_algorithm_off_policy() -> None:
    options = parse_options(['train_freq=[1,"episode"]', "action_noise=0.5"])
    agent = trained("TD3", **options)
    assert agent._model.train_freq.unit.value == "episode"
    np.testing.assert_array_equal(agent._model.action_noise._sigma, [0.5] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip_reward": 1}, "clip_reward is true or false, not 1"),
        ({"frame_stack": 0}, "frame_stack is a number"),
        ({"channels_order": "middle"}, "first or last, not 'middle'"),
        ({"normalize": "yes"}, "normalize is true, false or options"),
        ({"normalize": {"clip": 5}}, "unknown option of VecNormalize"),
        ({"policy_kwargs": {"activation_fn": "Relu"}}, "activation_fn='Relu' is not in torch.nn"),
    ],
)
def test_options_that_do_not_fit_are_one_line(options: dict[str, Any], message: str) -> None:
    env = TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0)
    with pytest.raises(UsageError, match=message) as caught:
        load_factory("sb3:PPO")(info_of(env), seed=0, device="cpu", **options)
    assert "\n" not in str(caught.value)


def test_what_is_shown_is_part_of_the_identity() -> None:
    plain = resolve("sb3:DQN", {}).id
    clipped = resolve("sb3:DQN", {"clip_reward": True}).id
    assert plain.config["clip_reward"] is False
    assert clipped.config["clip_reward"] is True
    assert clipped.content() != plain.content()


def test_an_algorithm_on_the_bare_environments_is_told_what_to_do() -> None:
    from stable_baselines3 import PPO

    class Bare:
        def act(self, obs: Any, first: Any, *, phase: str) -> Any:
            raise AssertionError

        def train(self, env: Any) -> None:
            PPO("MlpPolicy", env)

    env = TOY.make(TOY.tasks[0], split="train", num_envs=1, seed=0)
    with pytest.raises(AgentError, match=r"Stable-Baselines3 takes SB3Env\(env\): import it"):
        train_by_itself(Bare(), MeteredEnv(env, 64), Progress(), lambda: None, lambda: None)


@pytest.mark.filterwarnings("ignore::UserWarning")  # advice on spaces
@pytest.mark.parametrize("options", [{}, {"clip_reward": True, "terminal_on_life_loss": True}])
def test_wrappers_of_sb3_find_nothing_wrong(options: dict[str, bool]) -> None:
    """`VecCheckNan` raises at NaN; `VecMonitor` measures the episodes that `SB3Env` reports."""
    from stable_baselines3.common.vec_env import VecCheckNan, VecMonitor

    ours = SB3Env(lives(1.0), **options)
    reported = []
    step_wait = ours.step_wait
    ours.step_wait = lambda: (
        result := step_wait(),
        reported.append([info.get("episode") for info in result[3]]),
    )[0]
    env = VecMonitor(VecCheckNan(ours, raise_exception=True))
    env.reset()
    for _ in range(40):
        _, _, _, infos = env.step(np.zeros(2, dtype=int))
        for info, mine in zip(infos, reported[-1], strict=True):
            if not options and mine is not None:
                assert (info["episode"]["r"], info["episode"]["l"]) == (mine["r"], mine["l"])
    assert any(mine for pair in reported for mine in pair)


def test_the_example_trains_with_its_callback_and_passes_the_checks(
    capfd: pytest.CaptureFixture[str],
) -> None:
    suite = TOY.make_unofficial({"budget": 400})
    example = load_factory(str(Path(__file__).parents[3] / "examples/sb3_agent.py"))
    found = {
        one.name: one
        for one in check_contract(
            suite, suite.tasks[0], example, config=SMALL["PPO"], device="cpu", steps=64
        )
    }
    assert {one.status for one in found.values()} <= {"passed", "skipped"}, found
    assert found["save and load"].status == "passed"
    assert "mean return" in capfd.readouterr().out


def test_an_algorithm_passes_the_checks() -> None:
    factory = load_factory("sb3:PPO")
    config = {**SMALL["PPO"], "normalize": True, "frame_stack": 2}
    found = list(check_contract(TOY, TOY.tasks[0], factory, config=config, device="cpu", steps=64))
    assert [one for one in found if one.status not in ("passed", "skipped")] == []
    assert "save and load" in [one.name for one in found if one.status == "passed"]


@pytest.mark.parametrize(
    ("algorithm", "teacher", "options"),
    [
        ("PPO", "uniform", {}),
        ("PPO", "spdl", {"update_every": 150, "first_update": 150, "free_updates": 1}),
        ("SAC", "alp-gmm", {"fit_every": 5, "most_gaussians": 2}),
    ],
)
def test_it_is_a_student_of_a_teacher(
    algorithm: str, teacher: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """It learns on stump tracks, from the tasks that a teacher proposes; SPDL asks for values."""
    if find_spec("Box2D") is None:
        pytest.skip("needs the extra parkour")
    if teacher == "alp-gmm":
        pytest.importorskip("sklearn", reason="needs the extra teachers")
    small = {**SMALL[algorithm], **({"learning_starts": 550} if algorithm == "SAC" else {})}
    given = {**small, **{f"teacher.{name}": value for name, value in options.items()}}
    rlbench(
        "run", "--suite", "stump-tracks-1m", "--tasks", "plain", "--seeds", "2", "-j", "1",
        "--unofficial", "budget=600,episodes=2,eval_envs=2,max_episode_steps=60",
        "--agent", f"sb3:{algorithm}", "--teacher", teacher,
        *(word for name, value in given.items() for word in ("-o", f"{name}={value}")),
        cwd=tmp_path,
    )  # fmt: skip
    first, second = Store(tmp_path / "runs").load().records
    for record in (first, second):
        assert (record.identity.agent.name, record.budget_used) == (algorithm, 600)
        assert record.identity.teacher is not None
        assert record.identity.teacher.name == teacher
        assert record.proposals is not None
        tasks = np.array(record.proposals.parameters)
        assert len(tasks) == record.training.episodes >= 10
        assert ((tasks >= 0.0) & (tasks <= [3.0, 6.0])).all()
        assert len(np.unique(tasks, axis=0)) == len(tasks)
    assert first.proposals != second.proposals
