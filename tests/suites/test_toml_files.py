"""Suites in TOML files: what they say, what they may not, and what their digest covers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers as gymnasium_wrappers
from gymnasium.utils.env_checker import check_env

from rlbench import suites
from rlbench.errors import UnknownName, UsageError
from rlbench.suites import Suite, gymnasium_ids
from rlbench.suites.toml_files import MAX_BYTES, WRAPPERS, parse

HEAD = 'name = "small"\nversion = 1\n'
PROTOCOL = "[protocol]\nbudget = 300\nepisodes = 4\neval_envs = 2\nmax_episode_steps = 20\n"
POLE = '[[tasks]]\nid = "CartPole-v1"\nlow = 20\nhigh = 500\n'
CLIMB = '[[tasks]]\nid = "Pendulum-v1"\nname = "Up"\nlow = -1500\nhigh = -150\nbudget = 500\n'
TEXT = HEAD + PROTOCOL + POLE + CLIMB


def changed(old: str, new: str) -> str:
    """Return the text with one thing in it changed."""
    assert TEXT.count(old) >= 1
    return TEXT.replace(old, new, 1)


def digests(text: str) -> list[str]:
    suite = parse(text, "small.toml")
    return [suite.digest(task) for task in suite.tasks]


def test_what_a_file_says() -> None:
    suite = parse(TEXT, "small.toml")
    assert (suite.id, suite.title, suite.references) == ("small@1", "small", ("low", "high"))
    pole, up = suite.tasks
    assert (pole.name, pole.low, pole.high) == ("CartPole-v1", 20.0, 500.0)
    assert suite.protocol_of(pole).budget == 300
    assert (suite.protocol_of(up).budget, suite.constants(up)["gymnasium_id"]) == (
        500, "Pendulum-v1",
    )  # fmt: skip


# A change, and the numbers of the tasks whose digest it changes.
@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("low = 20", "low = 21.5 # measured", []),
        ("version = 1", 'version = 1\ntitle = "Other"\nsummary = "Other."', []),
        ("version = 1", "version = 1\nwrappers = []\nkwargs = {}\npackages = []", []),
        ("version = 1", "version = 2", [0, 1]),
        ('"small"', '"smaller"', [0, 1]),
        ("budget = 300", "budget = 301", [0]),
        ("episodes = 4", "episodes = 5", [0, 1]),
        ("max_episode_steps = 20", "max_episode_steps = 21", [0, 1]),
        ("version = 1", 'version = 1\nwrappers = ["FlattenObservation"]', [0, 1]),
        ("version = 1", 'version = 1\npackages = ["numpy"]', [0, 1]),
        ('id = "Pendulum-v1"', 'id = "Pendulum-v1"\nkwargs = {g = 9.0}', [1]),
        ('id = "CartPole-v1"', 'id = "CartPole-v0"\nname = "CartPole-v1"', [0]),
        ('id = "CartPole-v1"', 'id = "CartPole-v1"\nwrappers = ["FlattenObservation"]', [0]),
    ],
)
def test_the_digest_covers_what_changes_a_run(old: str, new: str, changes: list[int]) -> None:
    before, after = digests(TEXT), digests(changed(old, new))
    assert [k for k in range(2) if before[k] != after[k]] == changes


def test_defaults_of_wrappers_are_part_of_the_digest() -> None:
    short, long = (
        changed("version = 1", f"version = 1\nwrappers = [{{name = 'RescaleAction'{more}}}]")
        for more in ("", ", min_action = -1, max_action = 1.0")
    )
    assert digests(short) == digests(long)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", "verzion = 1", "key in small.toml: 'verzion'. Did you mean 'version'"),
        ("budget = 300", "bugdet = 300", "small.toml: protocol: 'bugdet'. Did you mean 'budget'"),
        ("high = 500", "hihg = 500", "task CartPole-v1: 'hihg'. Did you mean 'high'"),
        ("version = 1", "", "small.toml needs version"),
        ("episodes = 4", "", "small.toml: protocol needs episodes"),
        ("low = 20", "", "task CartPole-v1 needs low"),
        (PROTOCOL, "", "needs protocol"),
        (POLE + CLIMB, "", "needs tasks"),
        (POLE + CLIMB, "[tasks]\nx = 1\n", r"tasks must be tables, one a task"),
        ("version = 1", "version = 0", "version must be an integer from 1 to 999,999, not 0"),
        ("version = 1", "version = true", "not True"),
        ("budget = 300", "budget = 1e3", "budget must be an integer from 1 .* not 1000.0"),
        ("budget = 300", "budget = 9223372036854775808", "budget must be an integer from 1"),
        ("low = 20", "low = nan", "task CartPole-v1: low must be a finite number, not nan"),
        ("high = 500", "high = inf", "high must be a finite number, not inf"),
        ("high = 500", 'high = "500"', "high must be a finite number, not '500'"),
        ('"small"', '"Small Suite"', "name must be lowercase letters.*e.g. 'small-suite'"),
        ('"small"', '"../../etc"', "name must be lowercase letters"),
        ('"small"', '"日本"', "name must be lowercase letters"),
        ('"CartPole-v1"', '"CartPole"', r"id must be a gymnasium id, \[namespace/\]name-vN"),
        ('"CartPole-v1"', '"os:CartPole-v1"', "an id without a module: name the package"),
        ('"CartPole-v1"', '"../x-v1"', "id must be a gymnasium id"),
        ('name = "Up"', 'name = "a\\nb"', "name must be printable text"),
        ("version = 1", 'version = 1\nwrappers = ["Flatten"]', "Did you mean 'FlattenObservation'"),
        ("version = 1", 'version = 1\nwrappers = ["NormalizeReward"]', "scores are of raw rewards"),
        ("version = 1", 'version = 1\nwrappers = ["NormalizeObservation"]', "go on in evaluation"),
        ("version = 1", 'version = 1\nwrappers = ["TimeLimit"]', "without TimeLimit: max_episode"),
        ("version = 1", "version = 1\nwrappers = [{name = 'FrameStackObservation'}]",
         "FrameStackObservation needs stack_size"),
        ("version = 1", "version = 1\nwrappers = [{name = 'ClipAction', x = 1}]",
         "unknown key in small.toml: wrappers: ClipAction: 'x'"),
        ("version = 1", "version = 1\nwrappers = [1]", "must be names, or tables like"),
        ("version = 1", "version = 1\nwrappers = 3", "wrappers must be a list of at most 10"),
        ("version = 1", 'version = 1\nkwargs = {render_mode = "human"}', "rlbench show sets it"),
        ("version = 1", 'version = 1\nkwargs = {xml_file = "/etc/passwd"}', "without paths: xml_f"),
        ("version = 1", 'version = 1\nkwargs = {entry_point = "os:system"}', "without paths"),
        ("version = 1", "version = 1\nkwargs = {x = [1]}", "but 'x' is not"),
        ("version = 1", "version = 1\nkwargs = {x = nan}", "finite: x is nan"),
        ("version = 1", 'version = 1\npackages = ["os.path"]', "names of installed modules"),
        ("version = 1", "version = 1\nversion = 1", "small.toml is not TOML: Cannot overwrite"),
        ("version = 1", "version = ", "small.toml is not TOML: Invalid value"),
        ("version = 1", "version = 1\nx = " + "[" * 5000, "small.toml is not TOML"),
        ("version = 1", "version = 1\n" + "a." * 50_000 + "a = 1", "a key of more than 100 parts"),
        ("budget = 300", "budget = 300\neval_points = [9, 5]", "small.toml: eval_points must be"),
        ("budget = 300", "budget = 300\nscore_threshold = 1", "small.toml: the score rule 'mean'"),
        ("budget = 300", 'budget = 300\nscore_rule = "sum"', "must be 'mean' or 'percent_above'"),
        ("high = 500", "high = 500\nreturns = [1]", "returns must be a list of two"),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say(old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse(changed(old, new), "small.toml")
    assert "\n" not in str(caught.value)


def load(folder: Path, text: str | bytes) -> Suite:
    path = folder / "small.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return suites.get(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + PROTOCOL + POLE * 1001, r"tasks must be at most 1,000, not 1,001"),
        (HEAD + PROTOCOL + POLE * 1_000_000, rf"over the limit of {MAX_BYTES:,} bytes"),
        (HEAD + PROTOCOL + POLE * 2, "two tasks are called 'CartPole-v1'"),
        (changed('name = "Up"', 'name = "cartpole v1"'), "which differ too little"),
        (changed("high = 500", "high = 20"), "CartPole-v1 are both 20: scores cannot be"),
        (changed("high = 500", "high = 500\nreturns = [9, 1]"), "are not a range: 9 to 1"),
        (changed('"small"', '"stori"'), "'stori' belongs to a suite of rlbench: choose another"),
        (b"\xff\xfe", "small.toml is not UTF-8 text"),
        (b"", "small.toml needs name"),
    ],
)
def test_what_a_suite_in_a_file_may_not_be(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(tmp_path, text)


def test_all_wrappers_are_gymnasiums() -> None:
    some: dict[str, Any] = {
        "delay": 2, "filter_keys": ["a"], "stack_size": 4, "min_obs": 0.0, "max_obs": 1.0,
        "shape": [8, 9], "repeat_action_probability": 0.25,
    }  # fmt: skip
    for name, takes in WRAPPERS.items():
        assert hasattr(gymnasium_wrappers, name)
        row = "".join(f", {key} = {some[key]}" for key in takes if key in some)
        text = changed("version = 1", f"version = 1\nwrappers = [{{name = '{name}'{row}}}]")
        assert parse(text, "small.toml").protocol.environment["wrappers"] != "[]"


# Of each wrapper, an id, and the space that comes of it.
@pytest.mark.parametrize(
    ("task", "wrappers", "shape"),
    [
        ("CartPole-v1", "{name = 'FrameStackObservation', stack_size = 3}", (3, 4)),
        ("CartPole-v1", "'TimeAwareObservation'", (5,)),
        ("CartPole-v1", "{name = 'DelayObservation', delay = 2}", (4,)),
        ("CartPole-v1", "{name = 'StickyAction', repeat_action_probability = 0.25}", (4,)),
        ("Pendulum-v1", "'ClipAction'", (3,)),
        ("Pendulum-v1", "'RescaleAction', 'FlattenObservation'", (3,)),
        ("Pendulum-v1", "{name = 'RescaleObservation', min_obs = 0, max_obs = 1}", (3,)),
    ],
)
def test_environments_under_wrappers(task: str, wrappers: str, shape: tuple[int, ...]) -> None:
    text = changed("version = 1", f"version = 1\nwrappers = [{wrappers}]")
    suite = parse(text.replace('"CartPole-v1"', f'"{task}"'), "small.toml")
    shown = []
    for _ in range(2):
        env = suite.make(suite.tasks[0], split="eval", num_envs=2, seed=1)
        obs, _ = env.reset()
        assert obs.shape == (2, *shape)
        env.action_space.seed(0)
        steps = [env.step(env.action_space.sample())[0] for _ in range(30)]
        shown.append(np.array([obs, *steps]))
        env.close()
    assert np.array_equal(*shown)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pendulum's own actions are not in [-1, 1]
def test_gymnasium_finds_nothing_wrong_with_one_environment() -> None:
    text = changed("version = 1", "version = 1\nwrappers = ['FlattenObservation']")
    suite = parse(text, "small.toml")
    for task in suite.tasks:
        check_env(gymnasium_ids.make_one(suite.constants(task)), skip_render_check=True)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('id = "CartPol-v1"', "unknown gymnasium id 'CartPol-v1'.*Did you mean 'CartPole-v1'"),
        ('id = "CartPole-v7"', "unknown gymnasium id 'CartPole-v7'.*Did you mean 'CartPole-v"),
        ('id = "nobody/Has-v0"', "unknown gymnasium id 'nobody/Has-v0': a package"),
        ('id = "Blackjack-v1"', "Blackjack-v1: observations in Tuple are not supported"),
        ('id = "Pairs-v0"', "Pairs-v0 has actions in MultiDiscrete, which are not supported"),
        ('id = "CartPole-v1"\nkwargs = {mass = 2}', "CartPole-v1 cannot be made: TypeError"),
        ('id = "CartPole-v1"\nwrappers = ["RescaleAction"]', "RescaleAction cannot wrap CartPole"),
    ],
)
def test_environments_that_cannot_be_used(tmp_path: Path, row: str, said: str) -> None:
    suite = load(tmp_path, changed('id = "CartPole-v1"', row))
    with pytest.raises(UsageError, match=f"small.toml: task .*{said}") as caught:
        suite.check_can_run(suite.tasks)
    assert "\n" not in str(caught.value)


class Pairs(gymnasium.Env[Any, Any]):
    """An environment whose actions are pairs."""

    observation_space = gymnasium.spaces.Box(0, 1, (2,))
    action_space = gymnasium.spaces.MultiDiscrete([2, 2])


gymnasium.register("Pairs-v0", Pairs)


def test_packages_are_imported_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = load(tmp_path, changed("version = 1", 'version = 1\npackages = ["nobody_has"]'))
    with pytest.raises(UsageError, match="package 'nobody_has' is not installed: pip install"):
        missing.check_can_run(missing.tasks)
    # A module that no installed package has is not imported, though it could be.
    (tmp_path / "beside.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.syspath_prepend(tmp_path)
    beside = load(tmp_path, changed("version = 1", 'version = 1\npackages = ["beside"]'))
    with pytest.raises(UsageError, match="package 'beside' is not installed"):
        beside.check_can_run(beside.tasks)
    here = load(tmp_path, changed("version = 1", 'version = 1\npackages = ["jinja2"]'))
    here.check_can_run(here.tasks)
    assert here.packages == ("jinja2",)


def test_ids_are_looked_for_when_something_is_run_only(tmp_path: Path) -> None:
    """Scores can be read where the package of the environments is not installed."""
    suite = load(tmp_path, changed('id = "CartPole-v1"', 'id = "nobody/Has-v0"'))
    assert suite.normalise(suite.tasks[0], np.array([260.0])).tolist() == [0.5]
    with pytest.raises(UnknownName):
        replace(suite).make(suite.tasks[0], split="eval", num_envs=1, seed=0)
