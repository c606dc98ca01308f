"""Agents made with other people's libraries, for real: saved models, JAX, and skrl.

Each needs its library and is skipped where that is missing.
"""

import io
import json
import zipfile
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Space
from support.command import rlbench
from support.toy import TOY

from rlbench.errors import AgentError, MissingExtra, UnknownName, UsageError
from rlbench.runners import Progress, TaskInfo, load_factory, resolve, run_online
from rlbench.runners.agents.adapters.sb3 import ALGORITHMS
from rlbench.runners.agents.adapters.sb3_zip import MAX_DATA, find_algorithm
from rlbench.runners.agents.agent import SB3

SKRL_AGENT = str(Path(__file__).parents[3] / "examples/skrl_agent.py")
SBX_SAC = {"learning_starts": 10, "buffer_size": 1000, "batch_size": 16}
SBX_DQN = {**SBX_SAC, "exploration_fraction": 1.0}
SKRL = {"learning_starts": 10, "batch_size": 16, "memory": 1000}

Actions = list[np.ndarray]


class Played(NamedTuple):
    """What became of a run; what an agent does in evaluation depends on all it has learned."""

    progress: Progress
    trained: Actions
    evaluated: Actions


def play(
    spec: str,
    config: dict[str, Any],
    *,
    discrete: bool = False,
    seed: int = 0,
    evaluated: bool = True,
    **constants: Any,
) -> Played:
    """Run an agent; unless it is `evaluated`, something else acts in evaluation."""
    suite = TOY.make_unofficial({"continuous": not discrete, "budget": 200, **constants})
    suite = replace(suite, protocol=replace(suite.protocol, eval_points=(100,)))
    played = Played(Progress(), [], [])

    def factory(task: TaskInfo, **options: Any) -> Any:
        agent = load_factory(spec)(task, **options)
        act, train = agent.act, getattr(agent, "train", None)

        def recorded_act(obs, first, *, phase):
            if phase == "eval" and not evaluated:
                space = task.action_space
                return np.zeros((len(first), *space.shape), space.dtype)
            actions = act(obs, first, phase=phase)
            (played.trained if phase == "train" else played.evaluated).append(actions.copy())
            return actions

        def recorded_train(env):
            step = env.step
            env.step = lambda actions: played.trained.append(actions.copy()) or step(actions)
            train(env)

        agent.act = recorded_act
        if train:
            agent.train = recorded_train
        return agent

    run_online(
        suite, suite.tasks[0], factory, config=config, seed=seed, device="cpu",
        progress=played.progress,
    )  # fmt: skip
    return played


def assert_exact(played: Played, budget: int = 200) -> None:
    progress = played.progress
    assert progress.budget_used == budget
    assert [evaluation.budget_used for evaluation in progress.evaluations] == [100, budget]
    assert [len(evaluation.returns) for evaluation in progress.evaluations] == [6, 6]
    assert progress.training.episodes > 0
    assert played.trained
    assert played.evaluated


def assert_same(one: Played, other: Played) -> None:
    assert one.progress.evaluations == other.progress.evaluations
    assert one.progress.training == other.progress.training
    assert equal(one.trained, other.trained)
    assert equal(one.evaluated, other.evaluated)


def equal(left: Actions, right: Actions) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def task_of(observations: Space, actions: Space) -> TaskInfo:
    return TaskInfo(
        suite="s@1", task="t", observation_space=observations, action_space=actions, num_envs=1,
        budget=1, unit="steps", max_episode_steps=1, kind="online",
    )  # fmt: skip


# Saved models


@pytest.fixture(scope="module")
def sb3() -> Any:
    pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed")
    return pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed")


def new_model(algorithm: str, policy: str = "MlpPolicy", **options: Any) -> Any:
    """Make a model for the small task, with actions that the algorithm can take."""
    from rlbench.runners.agents.adapters.sb3_env import SB3Env

    suite = TOY.make_unofficial({"continuous": algorithm not in ("DQN", "QRDQN")})
    env = suite.make(suite.tasks[0], split="train", num_envs=1, seed=0)
    kind = getattr(import_module(ALGORITHMS[SB3][algorithm]), algorithm)
    return kind(policy, SB3Env(env), seed=0, device="cpu", **options)


@pytest.fixture(scope="module")
def trained(sb3: Any) -> Any:
    return new_model("PPO", n_steps=32, batch_size=32, n_epochs=1).learn(256)


@pytest.fixture
def saved(trained: Any, tmp_path: Path) -> Path:
    trained.save(tmp_path / "mine.zip")
    return tmp_path / "mine.zip"


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON in a saved model."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    data = json.loads(members["data"])
    change(data)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, json.dumps(data) if name == "data" else content)


def booby_trap(path: Path, marker: Path) -> None:
    """Have a saved model make a file when it is loaded."""
    import cloudpickle

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    def change(data: dict[str, Any]) -> None:
        data["policy_class"][":serialized:"] = b64encode(cloudpickle.dumps(Trap())).decode()

    rewrite(path, change)


def test_a_saved_model_plays_as_it_was_saved(trained: Any, saved: Path) -> None:
    spec = f"sb3-zip:{saved}"
    played = play(spec, {})
    assert_exact(played)
    assert_same(played, play(spec, {}))
    agent = load_factory(spec)(
        task_of(trained.observation_space, trained.action_space), seed=1, device="cpu"
    )
    obs = np.random.default_rng(0).uniform(0, 30, (5, 2))
    expected, _ = trained.predict(obs, deterministic=True)
    answer = agent.act(obs, np.ones(5, dtype=bool), phase="eval")
    np.testing.assert_array_equal(answer, expected)
    assert len(np.unique(answer, axis=0)) == 5


def test_a_saved_model_draws_from_the_seed_of_the_run(saved: Path) -> None:
    stochastic = {"deterministic": False}
    spec = f"sb3-zip:{saved}"
    played = play(spec, stochastic)
    assert_same(played, play(spec, stochastic))
    obs, first = np.zeros((3, 2)), np.ones(3, dtype=bool)
    task = task_of(Box(0, np.inf, (2,)), Box(-1, 1, (3,)))
    one, two = (
        load_factory(spec)(task, seed=seed, device="cpu", **stochastic).act(
            obs, first, phase="eval"
        )
        for seed in (0, 1)
    )
    assert not np.array_equal(one, two)


def test_a_saved_model_is_known_by_its_content(saved: Path) -> None:
    agent = resolve(f"sb3-zip:{saved}", {"deterministic": False}, trust=True).id
    assert (agent.name, agent.version) == ("mine", "")
    view = {"frame_stack": 1, "channels_order": "", "normalize": None}
    assert agent.config == {"algorithm": "PPO", "deterministic": False, **view}
    assert (agent.factory, agent.given) == ("sb3-zip:PPO", ("pretraining",))
    copy = saved.rename(saved.with_name("copy.zip"))
    assert resolve(f"sb3-zip:{copy}", {}, trust=True).id.source == agent.source
    rewrite(copy, lambda data: data.update(seed=1))
    assert resolve(f"sb3-zip:{copy}", {}, trust=True).id.source != agent.source


def test_a_saved_model_must_be_trusted(saved: Path) -> None:
    with pytest.raises(UsageError, match=r"runs code that is in it; add --trust") as caught:
        resolve(f"sb3-zip:{saved}", {})
    assert "\n" not in str(caught.value)


def test_only_a_saved_model_must_be_trusted(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def make(): ...\n")
    for spec in ("random", str(tmp_path / "mine.py"), "cmd:sh"):
        assert resolve(spec, {}, trust=False) == resolve(spec, {}, trust=True)


def test_nothing_is_unpickled_to_resolve_a_model(saved: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    booby_trap(saved, marker)
    with pytest.raises(UsageError, match="--trust"):
        resolve(f"sb3-zip:{saved}", {})
    resolve(f"sb3-zip:{saved}", {}, trust=True)
    resolve(f"sb3-zip:{saved}", {"algorithm": "PPO"}, trust=True)
    factory = load_factory(f"sb3-zip:{saved}")
    assert not marker.exists()
    with suppress(Exception):
        factory(task_of(Box(0, 1), Box(0, 1)), seed=0, device="cpu")
    assert marker.exists(), "the trap would not have shown anything"


def test_the_command_line_asks_for_trust(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("ale_py", reason="the command is run on atari100k")
    marker = tmp_path / "ran"
    booby_trap(saved, marker)
    agent = "sb3-zip:mine.zip"
    run = ["run", "--suite", "atari100k", "--agent", agent, "--tasks", "Pong", "--dry-run"]
    for command in (run, ["check", agent, "--task", "Pong"]):
        out = rlbench(*command, cwd=tmp_path, code=2)
        assert "--trust" in out.stderr
    assert "Pong" in rlbench(*run, "--trust", cwd=tmp_path).stdout
    assert not marker.exists()
    rlbench("check", agent, "--task", "Pong", "--trust", cwd=tmp_path, code=1)
    assert marker.exists()


@pytest.mark.parametrize("algorithm", ALGORITHMS[SB3])
def test_a_saved_model_tells_its_algorithm(sb3: Any, tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "it.zip"
    recurrent = algorithm == "RecurrentPPO"
    model = new_model(algorithm, "MlpLstmPolicy" if recurrent else "MlpPolicy")
    model.save(path)
    # DDPG is TD3 with other settings, and has its policies.
    assert find_algorithm(path) == algorithm.replace("DDPG", "TD3")
    task = task_of(model.observation_space, model.action_space)
    agent = load_factory(f"sb3-zip:{path}")(task, seed=1, device="cpu")
    obs, first = np.random.default_rng(0).uniform(0, 30, (3, 2)), np.ones(3, dtype=bool)
    expected, _ = model.predict(obs, episode_start=first, deterministic=True)
    np.testing.assert_array_equal(agent.act(obs, first, phase="eval"), expected)


def test_a_policy_of_its_own_needs_the_algorithm_named(saved: Path) -> None:
    rewrite(saved, lambda data: data["policy_class"].update(__module__="my_policies"))
    spec = f"sb3-zip:{saved}"
    with pytest.raises(UsageError, match=r"-o algorithm= and one of A2C, .*PPO"):
        resolve(spec, {}, trust=True)
    with pytest.raises(UnknownName, match="Did you mean 'PPO'"):
        resolve(spec, {"algorithm": "PP0"}, trust=True)
    assert resolve(spec, {"algorithm": "PPO"}, trust=True).id.config["algorithm"] == "PPO"
    assert_exact(play(spec, {"algorithm": "PPO"}))


def test_recurrent_state_is_kept_for_each_phase(sb3: Any, tmp_path: Path) -> None:
    new_model("RecurrentPPO", "MlpLstmPolicy").save(tmp_path / "it.zip")
    obs = np.ones((2, 2))
    first, later = np.ones(2, dtype=bool), np.zeros(2, dtype=bool)

    def answers(*, evaluated: bool) -> Actions:
        task = task_of(Box(0, np.inf, (2,)), Box(-1, 1, (3,)))
        agent = load_factory(f"sb3-zip:{tmp_path}/it.zip")(task, seed=0, device="cpu")
        found = [agent.act(obs, first, phase="train")]
        if evaluated:
            other = np.ones(5, dtype=bool)
            agent.act(9 * np.ones((5, 2)), other, phase="eval")
        return [*found, agent.act(obs, later, phase="train")]

    assert equal(answers(evaluated=True), answers(evaluated=False))
    assert not np.array_equal(*answers(evaluated=False)), "the state must make a difference"


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (Box(0, 1, (3,)), Box(-1, 1, (3,)), "saved for observations in .* the task has Box"),
        (Box(0, 255, (2,), np.uint8), Box(-1, 1, (3,)), "saved for observations"),
        (Discrete(2), Box(-1, 1, (3,)), "saved for observations in .* the task has Discrete"),
        (Box(0, 1, (2,)), Box(-1, 1, (2,)), "saved for actions"),
        (Box(0, 1, (2,)), Box(-2, 2, (3,)), "saved for actions"),
        (Box(0, 1, (2,)), Discrete(3), "saved for actions in .* the task has Discrete"),
    ],
)
def test_other_spaces_are_refused(
    saved: Path, observations: Space, actions: Space, message: str
) -> None:
    factory = load_factory(f"sb3-zip:{saved}")
    with pytest.raises(AgentError, match=message):
        factory(task_of(observations, actions), seed=0, device="cpu")


def test_bounds_of_observations_and_precision_do_not_matter(saved: Path) -> None:
    task = task_of(Box(-5, 5, (2,), np.float32), Box(-1, 1, (3,), np.float64))
    agent = load_factory(f"sb3-zip:{saved}")(task, seed=0, device="cpu")
    obs = np.zeros((4, 2), dtype=np.float32)
    assert agent.act(obs, np.ones(4, dtype=bool), phase="eval").shape == (4, 3)


def test_an_image_may_have_channels_last(sb3: Any, tmp_path: Path) -> None:
    """Stable-Baselines3 trains on images with the channels first, whatever they come as."""
    from gymnasium import Env
    from stable_baselines3.common.env_util import make_vec_env

    class Images(Env):
        observation_space = Box(0, 255, (36, 40, 3), np.uint8)
        action_space = Discrete(4)

        def reset(self, *, seed=None, options=None):
            return self.observation_space.sample(), {}

    model = sb3.A2C("CnnPolicy", make_vec_env(Images), device="cpu")
    model.save(tmp_path / "it.zip")
    assert model.observation_space.shape == (3, 36, 40)
    task = task_of(Images.observation_space, Images.action_space)
    agent = load_factory(f"sb3-zip:{tmp_path}/it.zip")(task, seed=0, device="cpu")
    obs = np.random.default_rng(0).integers(0, 256, (6, 36, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        agent.act(obs, np.ones(6, dtype=bool), phase="eval"),
        model.predict(obs, deterministic=True)[0],
    )
    turned = task_of(Box(0, 255, (40, 3, 36), np.uint8), Images.action_space)
    with pytest.raises(AgentError, match="saved for observations"):
        load_factory(f"sb3-zip:{tmp_path}/it.zip")(turned, seed=0, device="cpu")


def zipped(**members: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file '.*it.zip'"),
        (b"", "is not a model saved by Stable-Baselines3: File is not a zip file"),
        (b"PK no zip", "is not a model saved by Stable-Baselines3: File is not a zip file"),
        (zipped(other="{}"), "is not a model saved by Stable-Baselines3: .*no item named 'data'"),
        (zipped(data="{"), "is not a model saved by Stable-Baselines3: Expecting property name"),
        (
            zipped(data="[]"),
            "is not a model saved by Stable-Baselines3: its data are not a JSON object",
        ),
        (
            zipped(data="[" * 10**6),
            "is not a model saved by Stable-Baselines3: .*(recursion|Stack overflow)",
        ),
        (zipped(data=" " * (MAX_DATA + 1)), "is not a model saved by .*: 67,108,865 bytes of data"),
        (zipped(data="{}"), "does not tell its algorithm"),
        (zipped(data='{"policy_class": 3}'), "does not tell its algorithm"),
        (zipped(data='{"policy_class": {"__module__": []}}'), "does not tell its algorithm"),
    ],
)
def test_what_is_no_saved_model_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "it.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        resolve(f"sb3-zip:{path}", {}, trust=True)
    assert "\n" not in str(caught.value)


# JAX

jax_warns = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def sbx() -> None:
    pytest.importorskip("sbx", reason="sbx-rl is not installed")


@pytest.fixture(scope="module")
def sac(sbx: None) -> Played:
    """Return a run that several tests look at: compiling takes seconds."""
    return play("sbx:SAC", SBX_SAC)


@jax_warns
def test_jax_trains_for_exactly_the_budget(sac: Played) -> None:
    assert_exact(sac)
    assert_same(sac, play("sbx:SAC", SBX_SAC))


@jax_warns
def test_jax_draws_from_the_seed_of_the_run(sbx: None) -> None:
    played, other = (play("sbx:DQN", SBX_DQN, discrete=True, seed=seed) for seed in (0, 1))
    assert_exact(played)
    assert not equal(played.trained, other.trained)


@jax_warns
def test_random_evaluation_leaves_jax_as_it_was(sac: Played) -> None:
    config = {**SBX_SAC, "deterministic": False}
    played = play("sbx:SAC", config)
    assert equal(played.trained, sac.trained)
    assert not equal(played.evaluated, sac.evaluated)


def test_random_evaluation_leaves_training_as_it_was(sb3: Any) -> None:
    config = {"learning_starts": 10, "exploration_final_eps": 0.9, "buffer_size": 1000}
    by_mode = play("sb3:DQN", config, discrete=True)
    played = play("sb3:DQN", {**config, "deterministic": False}, discrete=True)
    assert equal(played.trained, by_mode.trained)
    assert not equal(played.evaluated, by_mode.evaluated)


@jax_warns
def test_jax_computes_on_the_device_that_is_asked_for(sbx: None) -> None:
    import jax

    jax.config.update("jax_default_device", None)
    load_factory("sbx:SAC")(task_of(Box(0, 1), Box(0, 1)), seed=0, device="cpu:0")
    assert jax.config.jax_default_device == jax.devices("cpu")[0]


@jax_warns
def test_the_release_of_sbx_is_the_version(sbx: None) -> None:
    agent = resolve("sbx:SAC", {"learning_rate": 0.001}).id
    assert (agent.name, agent.source) == ("SAC", None)
    assert agent.version == f"sbx-rl-{metadata.version('sbx-rl')}"


def test_sbx_has_its_own_algorithms() -> None:
    with pytest.raises(UnknownName, match="unknown algorithm 'A2C'"):
        resolve("sbx:A2C", {})


@pytest.mark.parametrize(("spec", "extra"), [("sbx:SAC", "sbx"), ("sb3-zip:it.zip", "sb3")])
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, extra: str
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.chdir(tmp_path)
    Path("it.zip").write_bytes(zipped(data="{}"))
    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(MissingExtra, match=rf"rlbench\[{extra}\]"):
        resolve(spec, {"algorithm": "PPO"} if extra == "sb3" else {}, trust=True)


# skrl


@pytest.fixture
def skrl() -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("skrl", reason="skrl is not installed")


def test_skrl_learns_from_what_the_runner_plays(skrl: None) -> None:
    played = play(SKRL_AGENT, SKRL)
    assert_exact(played)
    assert_same(played, play(SKRL_AGENT, SKRL))
    other = play(SKRL_AGENT, SKRL, seed=1)
    assert not equal(played.trained, other.trained)
    untrained = play(SKRL_AGENT, {**SKRL, "learning_starts": 1000})
    assert not equal(played.evaluated, untrained.evaluated)


def test_evaluation_leaves_skrl_as_it_was(skrl: None) -> None:
    left_alone = play(SKRL_AGENT, SKRL, evaluated=False)
    assert equal(play(SKRL_AGENT, SKRL).trained, left_alone.trained)


def test_skrl_ignores_slots_that_were_not_charged(skrl: None) -> None:
    """Of 4 environments only 2 are charged in the last step of 202."""
    played = play(SKRL_AGENT, SKRL, budget=202, train_envs=4)
    assert_exact(played, 202)
    assert len(played.trained) == 51


@pytest.mark.parametrize("actions", [Discrete(3), Box(-np.inf, np.inf, (2,))])
def test_skrl_needs_actions_in_a_box_with_bounds(skrl: None, actions: Space) -> None:
    with pytest.raises(UsageError, match="actions in a box"):
        load_factory(SKRL_AGENT)(task_of(Box(0, 1, (2,)), actions), seed=0, device="cpu")


def test_skrl_acts_within_the_bounds_of_the_task(skrl: None) -> None:
    low, high = np.array([0, -7], np.float32), np.array([0.1, 300], np.float32)
    task = task_of(Box(-1, 1, (2,)), Box(low, high))
    agent = load_factory(SKRL_AGENT)(task, seed=0, device="cpu")
    obs = np.random.default_rng(0).normal(0, 100, (500, 2))
    actions = agent.act(obs, np.ones(500, dtype=bool), phase="train")
    assert (actions >= low).all()
    assert (actions <= high).all()
    np.testing.assert_array_equal([actions.min(0), actions.max(0)], [low, high])
