"""What `Results` can do with records: replay, draw, write rows, print tables, submit."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import command
from support.bundles import run_agents
from support.classic import registered

import rlbench
from rlbench.errors import UnknownName, UsageError

FACTS = {
    "who": ["Ann Example"], "paper": "", "code": "https://github.com/ann/agent",
    "licence": "CC-BY-4.0", "configurations": 17, "namespace": "ann",
}  # fmt: skip
OPTIONS = (
    "--who", "Ann Example", "--paper", "", "--code", "https://github.com/ann/agent", "--licence",
    "CC-BY-4.0", "--configurations", "17", "--namespace", "ann",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a store of real runs of two agents; one of them has a failed run."""
    folder = tmp_path_factory.mktemp("keeping")
    with registered(folder / "installed"):
        run_agents(folder, seeds=2)
        yield folder


@pytest.fixture
def results(folder: Path, monkeypatch: pytest.MonkeyPatch) -> rlbench.Results:
    monkeypatch.chdir(folder)
    return rlbench.load("runs", suite="classic")


def test_replays_are_those_of_the_command(results: rlbench.Results, folder: Path) -> None:
    found = results.verify()
    out = command.rlbench("verify", "--suite", "classic", "--json", cwd=folder).stdout
    order = sorted(json.loads(out), key=lambda row: row["key"])
    assert sorted(map(dict, found.rows), key=lambda row: row["key"]) == order
    assert len(order) > 2
    assert found.title == f"{len(order)} of {len(order)} replays are equal"
    alone = rlbench.load("runs", suite="classic", agents=["mine"]).verify()
    assert {row["agent"] for row in alone.rows} == {"mine"}


def test_rows_are_those_of_the_command(results: rlbench.Results, folder: Path) -> None:
    found = results.export("rows.csv")
    out = command.rlbench("export", "--suite", "classic", "--csv", "-", cwd=folder).stdout
    assert (folder / "rows.csv").read_bytes().decode() == out
    assert len(found.rows) == out.count("\n") - 1
    assert "failed" in {row["status"] for row in found.rows}
    steps = [row["step"] for row in results.export(curves=True).rows]
    assert len(steps) >= len(found.rows)


@pytest.mark.parametrize("per_task", [False, True])
def test_tables_are_those_of_the_command(
    results: rlbench.Results, folder: Path, per_task: bool
) -> None:
    words = ["--per-task"] if per_task else []
    out = command.rlbench("table", "--suite", "classic", "--format", "markdown", *words, cwd=folder)
    assert results.table("markdown", per_task=per_task).rstrip() == out.stdout.rstrip()
    with pytest.raises(UnknownName, match="format"):
        results.table("html")


def test_a_bundle_is_that_of_the_command(results: rlbench.Results, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"a bundle holds one agent, and these are .*: add agent="):
        results.submit(**FACTS)
    path = results.submit("a.toml", agent="mine", out="here", **FACTS)
    command.rlbench(
        "submit", "runs", "--agent", "mine", "--card", "b.toml", "--out", "there", *OPTIONS,
        cwd=folder,
    )  # fmt: skip
    files = {p.relative_to("here"): p.read_bytes() for p in Path("here").rglob("*") if p.is_file()}
    others = {p.relative_to("there"): p.read_bytes() for p in Path("there").rglob("*")
              if p.is_file()}  # fmt: skip
    assert files == others
    assert files
    checked = rlbench.check(path)
    assert (checked.rows, "1 accepted" in checked.title) == ((), True)
    with pytest.raises(UsageError, match=r"wrote the card c.toml: fill in namespace, who"):
        results.submit("c.toml", agent="mine")


def test_pictures_are_those_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = {"budget": 40, "episodes": 2, "max_episode_steps": 30}
    found = rlbench.run("atari100k", "random", tasks="Pong", seeds=2, unofficial=short,
                        progress=False)  # fmt: skip
    picture = found.show(seed=1)
    (key,) = [row["key"] for row in found.export().rows if row["seed"] == 1]
    command.rlbench("show", "--picture", key, "--out", "p.png", cwd=tmp_path)
    assert picture == Path("p.png").read_bytes()
    assert picture._repr_png_() == picture
    assert found.show("video", seed=1).save("v.png").read_bytes()[:4] == b"\x89PNG"
    assert "a PNG of" in repr(picture)
    for options, said in (
        ({"seed": 2}, "no run is of agent='', task='' and seed=2"),
        ({"kind": "film"}, "unknown kind of picture 'film'"),
        ({"kind": "terrains"}, "has no proposals of a teacher"),
    ):
        with pytest.raises(UsageError, match=said):
            found.show(**options)


def test_scores_of_files_have_no_records() -> None:
    found = rlbench.load({"mine": {"Pong": [1.0, 2.0]}})
    for ask in (found.verify, found.show, found.export, found.submit):
        with pytest.raises(UsageError, match="these scores have no records of runs: load a store"):
            ask()


def test_a_site_is_that_of_the_command(results: rlbench.Results, folder: Path, capsys) -> None:
    index = rlbench.build_leaderboard("runs", out="a", suite="classic")
    command.rlbench("leaderboard", "build", "--out", "b", "--suite", "classic", cwd=folder)
    assert index == Path("a/index.html")
    pages = {p.relative_to("a") for p in Path("a").rglob("*") if p.is_file()}
    assert pages == {p.relative_to("b") for p in Path("b").rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match="there is no folder of releases at none"):
        rlbench.build_leaderboard("runs", releases="none")


def test_checks_are_those_of_the_command(results: rlbench.Results, folder: Path) -> None:
    found = rlbench.check("mine.py", suite="classic", steps=20)
    out = command.rlbench("check", "mine.py", "--suite", "classic", "--steps", "20", "--json",
                          cwd=folder).stdout  # fmt: skip
    rows = json.loads(out)
    assert [(row["check"], row["status"]) for row in found.rows] == [
        (row["check"], row["status"]) for row in rows
    ]
    assert found.sentences[0].endswith(" 0 failed.")
    of_suite = rlbench.check(suite="classic", steps=20)
    assert {row["status"] for row in of_suite.rows} <= {"passed", "skipped"}
    with pytest.raises(UsageError, match="name an agent to check, or a suite"):
        rlbench.check()
