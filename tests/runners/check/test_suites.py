"""`rlbench check --suite`: sound suites pass, and each fault fails its own check."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support import cartpole, pendulum, toy
from support.broken import broken
from support.command import rlbench
from support.counting import COUNTING, counting
from support.toy import BOARD

from rlbench import suites
from rlbench.errors import MissingExtra, UnknownName, UsageError
from rlbench.runners.check.findings import Finding
from rlbench.runners.check.suites import NAMES, check_suite
from rlbench.suites import Suite


def findings(suite: Suite, steps: int = 40) -> dict[str, Finding]:
    found = list(check_suite(suite, suite.tasks[0], steps=steps))
    assert tuple(finding.name for finding in found) == NAMES
    assert not any("\n" in finding.detail for finding in found)
    return {finding.name: finding for finding in found}


def failed(found: dict[str, Finding]) -> list[str]:
    return [name for name, finding in found.items() if finding.status == "failed"]


@pytest.mark.parametrize(
    ("suite", "skipped"),
    [
        (toy.TOY, {"curriculum"}),
        (COUNTING, {"curriculum", "retire"}),
        (cartpole.CARTPOLE, {"retire"}),
        (pendulum.PENDULUM, {"curriculum", "retire"}),
        (broken("none"), {"curriculum"}),
        (replace(toy.FIXED, starts_vary=False), {"curriculum", "starts vary", "other streams"}),
    ],
    ids=lambda value: value.name if isinstance(value, Suite) else "",
)
def test_sound_suites_pass(suite: Suite, skipped: set[str]) -> None:
    found = findings(suite)
    assert {name for name, finding in found.items() if finding.status == "skipped"} == skipped
    assert failed(found) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", suites.names())
def test_our_own_suites_pass(name: str) -> None:
    suite = suites.get(name)
    try:
        found = findings(suite, steps=100)
    except UsageError as error:
        if not isinstance(error, MissingExtra) and "no OpenGL" not in str(error):
            raise
        pytest.skip(str(error))
    assert failed(found) == []
    if suite.expected_engine(suite.tasks[0]):
        assert "as expected" in found["engine"].detail


@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        ("own stream", "same seed", "draw all that is random from the stream"),
        ("one stream", "other streams", "show the same all the time"),
        ("previous mode", "final observations", "reset in the same step"),
        ("unsaid mode", "final observations", "ended without info['final_obs']"),
        ("next episode", "final observations", "is the observation that begins the next"),
        ("arrays in arrays", "final observations", "dtype object"),
        ("crowd", "number of slots", "differ in reward"),
        ("no reset", "starts vary", "led to one state"),
        ("endless", "time limit", "had more than 4 steps"),
        ("buffer", "spaces", "writes into the observations of the step before"),
        ("float32", "spaces", "dtype float32, not (3,) and float64"),
        ("nan", "spaces", "rewards are not finite"),
        ("shape", "spaces", "observation_space is not single_observation_space for 3"),
        ("outside", "spaces", "outside Box"),
        ("retire", "retire", "slot 0 changes when slot 1 is retired"),
        ("more slots", "make", "made 4 slots, not 3"),
        ("error", "make", "ZeroDivisionError: no environment (broken.py, line "),
    ],
)
def test_a_fault_fails_its_own_check(fault: str, check: str, said: str) -> None:
    found = findings(broken(fault))
    assert found[check].status == "failed", found[check]
    assert said in found[check].detail


def test_scores_and_returns_are_possible_ones() -> None:
    task = COUNTING.tasks[0]
    for changed, said in (
        ({"returns": (0.0, 2.0)}, "is outside [0, 2]"),
        ({"high": task.low}, "cannot normalise"),
    ):
        suite = replace(COUNTING, tasks=(replace(task, **changed),))
        assert said in findings(suite)["score range"].detail


def test_an_engine_is_the_expected_one() -> None:
    detail = findings(toy.ODD)["engine"].detail
    assert "but the suite expects" in detail


def test_parameters_of_a_curriculum_do_something(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = cartpole.push

    def push(state, right, parameters, gravity=cartpole.GRAVITY):
        return plain(state, right, parameters * 0 + 1, gravity)

    monkeypatch.setattr(cartpole, "push", push)
    assert "whatever the parameters" in findings(cartpole.CARTPOLE)["curriculum"].detail


def test_all_modes_of_gymnasium_pass() -> None:
    from gymnasium.vector import AutoresetMode

    for mode in AutoresetMode:
        assert failed(findings(counting("sync", mode))) == []


# --- The command.

FILE = """
from functools import partial
import gymnasium
from rlbench.suites import Protocol, Suite, Task
from rlbench.suites.envs import make_slots

def make(task, constants, *, split, num_envs, stream):
    one = partial(gymnasium.make, task.name, max_episode_steps=constants["max_episode_steps"])
    return make_slots(
        one, num_envs=num_envs, split=split, stream=stream,
        max_episode_steps=constants["max_episode_steps"],
    )
"""
SUITE = """
POLES = Suite(
    name="poles", version=1, title="Poles", summary="Carts.",
    protocol=Protocol(budget=1000, episodes=4, eval_envs=2, max_episode_steps=500, environment={}),
    tasks=(Task(name="CartPole-v1", low=0.0, high=500.0),), references=("none", "all"),
    reference_source="by definition", factory="my_poles:make", extra="",
)
"""


def test_a_suite_in_a_file_is_checked(tmp_path: Path) -> None:
    (tmp_path / "my_poles.py").write_text(FILE + SUITE)
    out = rlbench("check", "--suite", "my_poles.py", "--json", cwd=tmp_path)
    rows = json.loads(out.stdout)
    assert [row["check"] for row in rows] == list(NAMES)
    assert {row["status"] for row in rows} == {"passed", "skipped"}
    last = rlbench("check", "--suite", "my_poles.py:POLES", cwd=tmp_path).stdout.splitlines()[-1]
    assert last == "12 passed, 0 failed (poles@1, CartPole-v1)"


def test_exit_codes(tmp_path: Path) -> None:
    said = rlbench("check", cwd=tmp_path, code=2).stderr
    assert said.startswith("rlbench: name an agent to check, or a suite")
    broken_one = FILE.replace("seed", "").replace("stream=stream", "stream=0")
    (tmp_path / "bad.py").write_text(broken_one)
    out = rlbench("check", "--suite", "bad.py", "--task", "bad", cwd=tmp_path, code=1)
    assert out.stderr.startswith("note: bad.py holds make() but no Suite; assumed: one task 'bad'")
    assert out.stdout.startswith("failed   make ")
    assert "bad.py, line" in out.stdout


@pytest.mark.parametrize(
    ("text", "spec", "said"),
    [
        (FILE + SUITE + "OTHER = Suite(**{f: getattr(POLES, f) for f in POLES.__slots__})\n",
         "{}.py", r"holds POLES, OTHER: name one, e.g. s\d.py:POLES"),
        (FILE + SUITE, "{}.py:POLE", r"unknown suite in s\d.py: 'POLE'. Did you mean 'POLES'"),
        ("x = 1\n", "{}.py", r"s\d.py has neither"),
        ("1 +\n", "{}.py", r"s\d.py cannot be imported: SyntaxError"),
        ("import sys; sys.exit(3)\n", "{}.py", "cannot be imported: SystemExit: 3"),
        (None, "{}.py", r"unknown suite 's\d.py': there is no such file"),
    ],
)  # fmt: skip
def test_what_a_file_must_hold(
    text: str | None, spec: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    NUMBER.append(0)
    name = f"s{len(NUMBER)}"
    if text is not None:
        Path(f"{name}.py").write_text(text)
    with pytest.raises(UsageError, match=said):
        suites.load_file(spec.format(name))


NUMBER: list[int] = []


def test_a_file_must_not_hide_another_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("json.py").write_text("make = print")
    with pytest.raises(UsageError, match="has the same name as another module: rename"):
        suites.load_file("json.py")


def test_what_cannot_be_checked_at_all() -> None:
    with pytest.raises(UsageError, match="cannot be run yet"):
        list(check_suite(BOARD, BOARD.tasks[0]))
    absent = replace(COUNTING, factory="nobody_has_this.envs:make", extra="atari")
    with pytest.raises(MissingExtra, match="nobody_has_this"):
        list(check_suite(absent, absent.tasks[0]))
    with pytest.raises(UnknownName):
        COUNTING.task("Clocks of another kind")
