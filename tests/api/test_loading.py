"""`rlbench.load`: all that the command line says of scores, from Python, with the same numbers."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import command
from support.records import ATARI, make_record

import rlbench
from rlbench.errors import Assumed, InvalidScores, MissingExtra, UnknownName, UsageError
from rlbench.results import Store

ROOT = Path(__file__).parents[2]
FILE = str(ROOT / "examples" / "scores.csv")
SPEAKS = pytest.mark.filterwarnings("ignore::rlbench.errors.Assumed")
TASKS = ("Pong", "Boxing", "Breakout", "Freeway", "Qbert", "Assault")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two agents on six tasks with three runs each."""
    folder = tmp_path_factory.mktemp("store") / "runs"
    rng = np.random.default_rng(3)
    for agent in ("left", "right"):
        for name in TASKS:
            task = ATARI.task(name)
            for seed in range(3):
                share = rng.random() * (0.2 if agent == "left" else 0.6)
                score = task.low + share * (task.high - task.low)
                Store(folder).write(make_record(name, agent, seed, round(score), version="1"))
    return folder


def printed(*words: str, cwd: Path = ROOT) -> tuple[list[dict], list[str]]:
    """Return the rows and the notes that the command prints."""
    done = command.rlbench(*words, "--json", cwd=cwd, code=None)
    return json.loads(done.stdout), done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "ask"),
    [
        (["stats"], lambda found: found.stats()),
        (["stats", "--per-task"], lambda found: found.stats(per_task=True)),
        (["stats", "--method", "bca"], lambda found: found.stats(method="bca")),
        (["compare"], lambda found: found.compare()),
        (["compare", "--against", "0.3"], lambda found: found.compare(against=0.3)),
        (
            ["compare", "--statistic", "mean", "--alpha", "0.1"],
            lambda found: found.compare(statistic="mean", alpha=0.1),
        ),
        (
            ["compare", "--stop", "adastop", "--batch", "1", "--max-batches", "3"],
            lambda found: found.compare(stop="adastop", batch=1, max_batches=3),
        ),
        (["plan", "--difference", "0.2"], lambda found: found.plan(difference=0.2)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_rows_and_notes_are_those_of_the_command(words, ask, store: Path) -> None:
    rows, notes = printed(*words, "--store", str(store), "--suite", "atari100k")
    answer = ask(rlbench.load(store, suite="atari100k"))
    assert list(answer.rows) == rows
    assert {note.removeprefix("warning: ") for note in notes} <= set(answer.notes)


def test_batches_are_compared_and_what_to_run_is_said(store: Path) -> None:
    done = command.rlbench("compare", "--store", str(store), "--suite", "atari100k", "--stop",
                           "adastop", "--batch", "3", cwd=ROOT, code=None)  # fmt: skip
    answer = rlbench.compare(store, suite="atari100k", stop="adastop", batch=3)
    assert answer.sentences
    assert set(answer.sentences) <= set(done.stdout.splitlines())
    with pytest.raises(UsageError, match="stop= decides between agents, not against="):
        rlbench.compare(store, stop="adastop", against=1.0)
    with pytest.raises(UnknownName, match="unknown stopping rule 'adastopp'"):
        rlbench.compare(store, stop="adastopp")
    with pytest.raises(UsageError, match="are published: leave stop= out"):
        rlbench.compare("SPR", "CURL", suite="atari100k", stop="adastop")


@SPEAKS
def test_published_agents_and_files_answer_alike() -> None:
    rows, notes = printed("compare", FILE, "--suite", "atari100k")
    found = rlbench.load(FILE, suite="atari100k")
    answer = found.compare()
    assert list(answer.rows) == rows
    assert set(notes) <= set(answer.notes)
    assert found.agents == ("SPR", "DrQ(eps)", "CURL")
    published, said = printed("compare", "SPR", "CURL", "--suite", "atari100k")
    by_name = rlbench.load("SPR", "CURL", suite="atari100k")
    assert list(by_name.compare().rows) == published
    assert set(said) <= set(by_name.compare().notes)
    everybody = rlbench.load("published", suite="atari100k")
    assert {"SPR", "CURL"} < set(everybody.agents)


def test_agents_that_may_not_be_ranked_are_described() -> None:
    names = rlbench.load("published", suite="atari100k").agents
    other = next(name for name in names if name not in ("SPR", "CURL", "DrQ(eps)"))
    rows, _ = printed("compare", "SPR", "CURL", other, "--suite", "atari100k")
    answer = rlbench.load("SPR", "CURL", other, suite="atari100k").compare()
    assert list(answer.rows) == rows
    despite = rlbench.compare("SPR", "CURL", suite="atari100k", despite_protocols=True)
    assert all("despite_protocols" in row for row in despite.rows)
    assert any("despite protocols" in line for line in despite.sentences)


def test_scores_curves_and_frames(store: Path) -> None:
    found = rlbench.load(store, suite="atari100k")
    scores = found.scores()
    assert {len(runs) for tasks in scores.values() for runs in tasks.values()} == {3}
    frame = found.to_frame()
    assert len(frame) == 2 * len(TASKS) * 3
    pong = frame[(frame.agent == "right") & (frame.task == "Pong")].score
    assert pong.tolist() == scores["right"]["Pong"].tolist()
    steps, values = found.curves()["right"]["Pong"][0]
    assert steps.tolist() == [100_000.0]
    assert values.tolist() == pong.tolist()[:1]
    scores["right"]["Pong"][:] = 0.0  # a copy
    assert found.scores()["right"]["Pong"].tolist() == pong.tolist()
    assert f"{store}: a store of records." in found.notes  # said, but nothing to be warned of
    assert frame.seed.tolist() == [0, 1, 2] * 2 * len(TASKS)
    assert frame.seed.dtype == "int64"


def test_what_was_assumed_is_said_once_where_scores_leave_without_it() -> None:
    for ask in (
        lambda found: found.scores(),
        lambda found: found.curves(),
        lambda found: found.to_frame(),
    ):
        found = rlbench.load(FILE, suite="atari100k")
        with pytest.warns(Assumed) as caught:
            ask(found)
        assert tuple(str(warning.message) for warning in caught) == found.notes
        assert {warning.filename for warning in caught} == {__file__}
        ask(found)  # a second warning would be an error
    found = rlbench.load(FILE, suite="atari100k")
    assert set(found.notes) <= set(found.compare().notes)  # answers have the notes
    pytest.importorskip("matplotlib")
    with pytest.warns(Assumed) as caught:
        rlbench.figure("intervals", FILE, suite="atari100k")
    assert {warning.filename for warning in caught} == {__file__}


@SPEAKS
def test_frames_have_the_seeds_of_the_sources(store: Path, tmp_path: Path) -> None:
    arrays = {"A": {task: [1.0, 2.0] for task in TASKS}}
    assert list(rlbench.load(arrays).to_frame().columns) == ["agent", "task", "run", "score"]
    both = rlbench.load(store, arrays, suite="atari100k").to_frame()
    assert both[both.agent == "left"].seed.tolist() == [0, 1, 2] * len(TASKS)
    assert both[both.agent == "A"].seed.isna().all()
    file = tmp_path / "runs.csv"
    file.write_text("agent,task,seed,score\nx,pong,7,1\nx,pong,3,2\nx,boxing,s-1,3\n")
    frame = rlbench.load(file, suite="atari100k").to_frame()
    scores = {
        seed: ATARI.normalise(ATARI.task(task), np.array([raw]))[0]
        for seed, task, raw in (("7", "Pong", 1.0), ("3", "Pong", 2.0), ("s-1", "Boxing", 3.0))
    }
    assert dict(zip(frame.seed, frame.score, strict=True)) == scores


def test_the_suite_of_a_store_is_found_and_said(store: Path, tmp_path: Path) -> None:
    assert "Suite: atari100k@1, which all records are of." in rlbench.load(store).notes
    other = Store(tmp_path / "runs")
    other.write(make_record())
    other.write(make_record(suite=ATARI.make_unofficial({"budget": 200})))
    with pytest.raises(UsageError, match="of atari100k@1, atari100k@1 with budget=200: give suite"):
        rlbench.load(tmp_path / "runs")
    found = rlbench.load(tmp_path / "runs", suite="atari100k", unofficial={"budget": 200})
    assert "UNOFFICIAL: budget=200" in found.title


@SPEAKS
def test_arrays_and_frames_are_sources() -> None:
    rng = np.random.default_rng(0)
    arrays = {"A": rng.random((5, 3)), "B": rng.random((5, 3)) + 1}
    found = rlbench.load(arrays)
    assert found.scores()["A"]["task 2"].tolist() == arrays["A"][:, 1].tolist()
    assert found.compare().rows[0]["decision"] == "smaller"
    costs = rlbench.load(arrays, lower_is_better=True)
    assert costs.compare().rows[0]["better"] == "lower"
    frame = pd.DataFrame(
        {"agent": ["x", "x", "y"], "task": "Pong", "seed": [0, 1, 0], "score": [1.0, 2.0, 3.0]}
    )
    both = rlbench.load(frame, {"A": {"pong": [1.0, 2.0]}}, frame.assign(agent="z", seed=[0, 1, 2]),
                        suite="atari100k", rename={"A": "arrays"})  # fmt: skip
    assert both.agents == ("x", "y", "arrays", "z")
    assert any(note.startswith("the frame 2: read as agent") for note in both.notes)


def test_what_is_said_reaches_terminals_and_notebooks_without_being_obeyed() -> None:
    evil = "<script>alert(1)</script>\x1b[2J"
    found = rlbench.load({evil: {"a": [1.0, 2.0], "b": [1.0, 2.0]}, "b": {"a": [2.0], "b": [3.0]}})
    for shown in (found, found.stats(per_task=True)):
        assert "\x1b" not in repr(shown)
        assert evil.split("\x1b")[0] in repr(shown)
        assert "<script>" not in shown._repr_html_()
        assert "&lt;script&gt;" in shown._repr_html_()
    assert repr(found).splitlines()[-1].startswith("the arrays: read as agents")


@SPEAKS
def test_figures_are_drawn_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    figure = rlbench.figure("profiles", FILE, suite="atari100k", width="icml")
    assert isinstance(figure, matplotlib.figure.Figure)
    assert figure.get_figwidth() == pytest.approx(3.25)
    assert "profile" in figure.get_label()
    assert list(tmp_path.iterdir()) == []
    found = rlbench.load(FILE, suite="atari100k")
    with pytest.raises(UnknownName, match="unknown kind of figure 'bars'"):
        found.figure("bars")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match=r"unknown agent 'SPRR'\. Did you mean 'SPR'"):
        found.figure("improvement", baseline="SPRR")
    with pytest.raises(InvalidScores, match="no run has several evaluation points"):
        found.figure("curves")


@pytest.mark.parametrize(
    ("sources", "options", "error", "said"),
    [
        ([], {"suite": "atary"}, UnknownName, "unknown suite 'atary'"),
        ([{"A": {"t": [1.0]}}], {"columnz": {}}, UnknownName, "Did you mean 'columns'"),
        (["no.csv"], {}, UsageError, "cannot read no.csv: no such file"),
        (["SPR"], {}, UsageError, 'needs a suite: add suite="atari100k"'),
        ([FILE], {"unofficial": {"budget": 1}}, UsageError, "name the suite"),
        ([FILE], {"columns": {"scores": "x"}}, UnknownName, "role of a column 'scores'"),
        ([3], {}, InvalidScores, "from a path or a frame, not int"),
        ([{"A": {"t": [1.0]}}], {"at_step": 3.0}, InvalidScores, "leave out at_step="),
    ],
)
def test_mistakes_are_told_in_one_line(sources, options, error, said) -> None:
    with pytest.raises(error, match=said) as caught:
        rlbench.load(*sources, **options)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)


def test_one_agent_is_not_compared() -> None:
    with pytest.raises(UsageError, match="at least two agents: there is only 'A'"):
        rlbench.load({"A": {"t": [1.0, 2.0]}}).compare()


@SPEAKS
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"rlbench\[plot\]"):
        rlbench.figure("intervals", FILE, suite="atari100k")
