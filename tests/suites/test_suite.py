"""Suites as data: names, digests, unofficial constants, streams."""

import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import rlbench
from support.registered import register

from rlbench import suites
from rlbench.errors import MissingExtra, UnknownName, UsageError
from rlbench.suites import Protocol, sha256_of, slug

ATARI = suites.get("atari100k")


@given(st.text(max_size=200))
def test_slugs_are_safe_in_paths(name: str) -> None:
    try:
        made = slug(name)
    except UsageError:
        return
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", made)
    assert slug(made) == made


@pytest.mark.parametrize("name", ["", "...", "///", "\u202e", "日本"])
def test_names_without_a_letter_have_no_slug(name: str) -> None:
    with pytest.raises(UsageError, match="no letter or digit"):
        slug(name)


def test_26_tasks_with_the_reference_scores_of_the_papers() -> None:
    assert len(ATARI.tasks) == 26
    assert (ATARI.task("pong").low, ATARI.task("PONG").high) == (-20.7, 14.6)
    assert ATARI.normalise(ATARI.task("Boxing"), np.array([0.1, 12.1])).tolist() == [0.0, 1.0]


def test_reference_scores_equal_the_published_table() -> None:
    path = Path(__file__).parents[3] / "shared/data/published/reference_scores.csv"
    if not path.is_file():
        pytest.skip(f"no published scores at {path}")
    import csv

    from rlbench.suites.atari.games import GAMES

    ours = {game.name: game for game in GAMES}
    compared = 0
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["suite"] == "atari100k":
                assert getattr(ours[row["task"]], row["kind"]) == float(row["score"])
                compared += 1
    assert compared == 2 * len(GAMES) == 114


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"'atari100'.*Did you mean 'atari100k'\?"):
        suites.get("atari100")
    with pytest.raises(UnknownName, match=r"Did you mean 'Pong'\?"):
        ATARI.task("Pnog")
    with pytest.raises(UnknownName, match=r"Did you mean 'budget'\?"):
        ATARI.make_unofficial({"bugdet": 1})


def test_versions_are_checked() -> None:
    assert suites.get("atari100k@1") is ATARI
    with pytest.raises(UsageError, match="has version 1 here, not 2"):
        suites.get("atari100k@2")


def test_every_constant_changes_the_digest() -> None:
    task = ATARI.task("Pong")
    digests = {ATARI.digest(task)}
    constants = ATARI.protocol.constants()
    changed = 0
    for name, value in constants.items():
        if name in ("evaluations", "score_rule"):
            continue
        if isinstance(value, tuple):
            other = replace(ATARI, protocol=replace(ATARI.protocol, **{name: (5,)}))
        else:
            new = (
                (not value)
                if isinstance(value, bool)
                else f"{value}x"
                if isinstance(value, str)
                else value + 1
            )
            other = ATARI.make_unofficial({name: new})
        digests.add(other.digest(task))
        changed += 1
    for values in (
        {"score_rule": "percent_above", "score_threshold": 1.0},
        {"score_rule": "percent_above", "score_threshold": 2.0},
        {"evaluations": {"test": {}, "train": {}}},
        {"evaluations": {"test": {}, "train": {"noop_max": 3}}},
        {"evaluations": {"inside": {}}},
    ):
        other = replace(ATARI, protocol=replace(ATARI.protocol, **values))
        digests.add(other.digest(task))
        changed += 1
    digests.add(ATARI.digest(replace(task, assets={**task.assets, "rom_md5": "0" * 32})))
    digests.add(replace(ATARI, version=2).digest(task))
    assert len(digests) == 1 + changed + 2
    assert changed == len(fields(Protocol)) - 4 + 5 + len(ATARI.protocol.environment)


def test_the_digest_covers_nothing_else() -> None:
    task = ATARI.task("Pong")
    same = replace(ATARI, title="x", summary="x", notes=(), reference_source="x", factory="x:y")
    assert same.digest(replace(task, low=0.0, high=1.0)) == ATARI.digest(task)


def test_digests_are_the_same_in_every_process_and_never_change() -> None:
    """A change here orphans every record: it needs a new version of the suite.

    A board that cannot be run has no records yet, and its digests are still free.
    """
    pinned = json.loads((Path(__file__).parent / "digests.json").read_text())
    for suite in filter(lambda suite: suite.can_run, map(suites.get, suites.names())):
        digests = {task.name: suite.digest(task) for task in suite.tasks}
        assert pinned[suite.id] == (digests if len(digests) < 100 else sha256_of(digests))


def test_unofficial_constants_have_their_type_checked() -> None:
    with pytest.raises(UsageError, match="takes int, not 'many'"):
        ATARI.make_unofficial({"budget": "many"})
    with pytest.raises(UsageError, match="takes bool, not 1"):
        ATARI.make_unofficial({"grayscale": 1})
    with pytest.raises(UsageError, match="at least 1: 0"):
        ATARI.make_unofficial({"budget": 0})
    assert ATARI.make_unofficial({"sticky_actions": 1}).unofficial == {"sticky_actions": 1}


def test_tasks_may_override_constants_and_unofficial_ones_go_first() -> None:
    task = replace(ATARI.task("Pong"), overrides={"budget": 7, "episodes": 3})
    assert ATARI.protocol_of(task).budget == 7
    unofficial = ATARI.make_unofficial({"budget": 9})
    assert (unofficial.protocol_of(task).budget, unofficial.protocol_of(task).episodes) == (9, 3)


def test_streams_differ_by_role_seed_task_and_constants() -> None:
    pong, boxing = ATARI.task("Pong"), ATARI.task("Boxing")
    streams = [
        ATARI.stream(pong, "train", 0),
        ATARI.stream(pong, "eval", 0),
        ATARI.stream(pong, "agent", 0),
        ATARI.stream(pong, "teacher", 0),
        ATARI.stream(pong, "train", 1),
        ATARI.stream(boxing, "train", 0),
        ATARI.make_unofficial({"budget": 5}).stream(pong, "train", 0),
    ]
    assert len({tuple(stream.generate_state(4)) for stream in streams}) == len(streams)


def make_with_an_extra(*args: object, **options: object) -> None:
    import a_module_that_nobody_has  # noqa: F401


def test_a_task_may_need_an_extra_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlbench.suites.atari.envs.make", make_with_an_extra)
    task = replace(ATARI.task("Pong"), extra="box2d")
    with pytest.raises(MissingExtra, match=r"the task Pong of atari100k@1 .*'rlbench\[box2d\]'"):
        ATARI.make(task, split="eval", num_envs=1, seed=0)
    with pytest.raises(ModuleNotFoundError):
        ATARI.make(ATARI.task("Pong"), split="eval", num_envs=1, seed=0)


def test_a_missing_extra_says_what_to_install() -> None:
    suite = replace(ATARI, factory="package_that_is_not_there.envs:make")
    with pytest.raises(MissingExtra, match=r"pip install 'rlbench\[atari\]'.*'package_that_is_not"):
        suite.make(suite.task("Pong"), split="train", num_envs=1, seed=0)
    with pytest.raises(UsageError, match="needs the module 'package_that_is_not_there', which is"):
        replace(suite, extra="").load_factory()


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("rlbench.suites.atari.no_such_module:make", "No module named 'rlbench.suites.atari.no_"),
        ("rlbench.suites.atari.envs:no_such_function", "AttributeError: .*'no_such_function'"),
        ("broken_by_zero:make", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_module_is_no_missing_extra(
    factory: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_by_zero.py").write_text("make = 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=f"the suite atari100k@1 is broken: .*{said}") as caught:
        replace(ATARI, factory=factory).load_factory()
    assert not isinstance(caught.value, MissingExtra)
    assert "\n" not in str(caught.value)


def test_constants_do_not_hide_each_other() -> None:
    for environment in ({"budget": 7}, {"kind": "x"}):
        with pytest.raises(
            UsageError, match=f"two constants are named '{next(iter(environment))}'"
        ):
            replace(ATARI.protocol, environment=environment)
    task = replace(ATARI.task("Pong"), assets={"frame_skip": "4"})
    with pytest.raises(UsageError, match="two constants are named 'frame_skip'"):
        ATARI.digest(task)
    suite = replace(ATARI, protocol=replace(ATARI.protocol, environment={"suite": "another"}))
    with pytest.raises(UsageError, match="two constants are named 'suite'"):
        suite.digest(suite.tasks[0])


def test_a_broken_entry_point_is_named_and_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tmp_path / "site", {
        "bad-module": "broken_by_zero:SUITE", "no-suite": "support.toy:make",
        "no-module": "support.nowhere:SUITE", "toy-fixed": "support.toy:FIXED",
    })  # fmt: skip
    (tmp_path / "site/broken_by_zero.py").write_text("SUITE = 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    found, problems = suites.load_all()
    assert "toy-fixed" in {suite.name for suite in found}
    assert len(problems) == 3
    for name, said in (("bad-module", "ZeroDivisionError"), ("no-suite", "is not a Suite"),
                       ("no-module", "No module named 'support.nowhere'")):  # fmt: skip
        (problem,) = [line for line in problems if repr(name) in line]
        assert said in problem
        assert "\n" not in problem
    out = rlbench("list", "suites", cwd=tmp_path)
    assert out.stderr.count("note: the entry point '") == 3
    assert "atari100k" in out.stdout
    assert "toy-fixed" in out.stdout


def test_suites_import_no_environment() -> None:
    code = (
        "import sys; from rlbench import suites; suites.get('atari100k'); print([m for m in "
        "('ale_py', 'gymnasium', 'scipy', 'pandas', 'rich', 'typer') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
