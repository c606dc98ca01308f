"""What is compared: many files, agents by name, choosing, renaming, and agents of one name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import rlbench
from support.records import make_record

from rlbench import suites
from rlbench.results import Store, published

INPUTS = Path(__file__).parents[1] / "inputs"
WALKERS = tuple(str(INPUTS / f"adastop_walker{n}.csv") for n in (1, 2))
ATARI = suites.get("atari100k")
SUITE = ("--suite", "atari100k")


def rows_of(*arguments: str, cwd: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(rlbench(*arguments, "--json", cwd=cwd).stdout)
    return rows


def error_of(*arguments: str, cwd: Path) -> str:
    lines = rlbench(*arguments, cwd=cwd, code=2).stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def agents_of(*arguments: str, cwd: Path) -> list[str]:
    rows = rows_of("stats", *arguments, "--per-task", cwd=cwd)
    return list(dict.fromkeys(row["agent"] for row in rows))


def write(path: Path, agent: str, seeds: range, task: str = "Pong", more: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'"{agent}",{task},{seed},{seed + more}' for seed in seeds]
    path.write_text("\n".join(["agent,task,seed,score", *lines, ""]))


def own(folder: Path, agent: str = "IRIS", share: float = 0.5) -> str:
    """Write scores of an agent on all games of Atari 100k, and return the file's name."""
    generator = np.random.default_rng(0)
    lines = [
        f"{agent},{t.name},{s},{t.low + (t.high - t.low) * generator.normal(share, 0.1)}"
        for t in ATARI.tasks
        for s in range(3)
    ]
    (folder / "mine.csv").write_text("\n".join(["agent,task,seed,score", *lines, ""]))
    return "mine.csv"


def test_files_of_one_agent_are_one_source(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "me", range(8, 12))
    write(tmp_path / "b.csv", "me", range(2, 4))
    write(tmp_path / "c.csv", "me", range(2), "Boxing")
    done = rlbench("stats", "a.csv", "b.csv", "c.csv", "--per-task", "--json", cwd=tmp_path)
    rows = json.loads(done.stdout)
    assert {(r["agent"], r["task"], r["runs"]) for r in rows} == {
        ("me", "Pong", 6), ("me", "Boxing", 2)
    }  # fmt: skip
    assert "Taken together: me of 3 files, a.csv, b.csv, c.csv." in done.stderr


def test_a_run_in_two_files_is_refused_or_renamed(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "me", range(3))
    write(tmp_path / "b.csv", "me", range(2, 5))
    error = error_of("stats", "a.csv", "b.csv", cwd=tmp_path)
    assert "the run '2' of 'me' on Pong is in a.csv and in b.csv" in error
    assert "--rename 'me (b.csv)=NAME'" in error
    both = agents_of("a.csv", "b.csv", "--rename", "me (b.csv)=you", cwd=tmp_path)
    assert both == ["me", "you"]


def test_agents_named_by_their_files_are_told_apart(tmp_path: Path) -> None:
    for place in ("old", "new"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "dqn.csv").write_text("task,seed,score\nPong,0,1\nPong,1,2\n")
    files = ("old/dqn.csv", "new/dqn.csv")
    assert agents_of(*files, cwd=tmp_path) == ["dqn (old/dqn.csv)", "dqn (new/dqn.csv)"]
    error = error_of("stats", *files, "--agent", "dqn", cwd=tmp_path)
    assert "is in old/dqn.csv and in new/dqn.csv" in error


def test_folders_that_name_one_agent(tmp_path: Path) -> None:
    for place, seed in (("old", 0), ("new", 1)):
        run = tmp_path / f"{place}/ppo/X-v0_{seed}"
        run.mkdir(parents=True)
        (run / "monitor.csv").write_text('#{"t_start": 0, "env_id": "X-v0"}\nr,l,t\n1,9,1\n')
    folders = ("old/ppo", "new/ppo")
    assert agents_of(*folders, cwd=tmp_path) == ["ppo (old/ppo)", "ppo (new/ppo)"]
    (row,) = rows_of("stats", *folders, "--agent", "ppo", "--per-task", cwd=tmp_path)
    assert (row["agent"], row["runs"]) == ("ppo", 2)


def test_files_that_name_no_agent(tmp_path: Path) -> None:
    for task in ("walker_walk", "cheetah_run"):
        (tmp_path / f"{task}.csv").write_text("seed,score\n0,1\n1,2\n")
    files = ("walker_walk.csv", "cheetah_run.csv")
    said = rlbench("stats", *files, "--per-task", cwd=tmp_path).stdout
    assert "walker_walk.csv, cheetah_run.csv name no agent: each is taken as one" in said
    assert "say --agent NAME" in error_of("compare", *files, cwd=tmp_path)
    rows = rows_of("stats", *files, "--agent", "me", "--per-task", cwd=tmp_path)
    assert [(r["agent"], r["task"]) for r in rows] == [("me", "walker_walk"), ("me", "cheetah_run")]


def test_files_and_folders_by_their_paths(tmp_path: Path) -> None:
    for seed in (0, 1, 10):
        file = tmp_path / f"logs/ppo/cup_catch_{seed}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"step,reward\n0,1\n10,{seed}\n")
    pattern = ("--path", "{agent}/{task}_{seed}.csv")
    (row,) = rows_of("stats", "logs", *pattern, "--per-task", cwd=tmp_path)
    assert (row["agent"], row["task"], row["runs"]) == ("ppo", "cup_catch", 3)
    files = [f"logs/ppo/cup_catch_{seed}.csv" for seed in (10, 1, 0)]
    assert rows_of("stats", *files, *pattern, "--per-task", cwd=tmp_path) == [row]
    assert "logs/ppo/cup_catch_0.csv names no agent" in error_of("stats", "logs/ppo", cwd=tmp_path)
    assert "--path '{agent}/{task}_{seed}.csv'" in error_of("stats", "logs", cwd=tmp_path)
    error = error_of("stats", "logs", "--path", "{agent}-{task}.csv", cwd=tmp_path)
    assert "there are logs/ppo/cup_catch_0.csv, logs/ppo/cup_catch_1.csv" in error
    assert "unknown placeholder" in error_of("stats", "logs", "--path", "{a}.csv", cwd=tmp_path)


def test_many_files_are_spoken_of_in_one_line(tmp_path: Path) -> None:
    for seed in range(8):
        (tmp_path / f"Pong_{seed}.csv").write_text("step,reward\n0,1\n10,2\n")
    files = [f"Pong_{seed}.csv" for seed in range(8)]
    pattern = ("--path", "{task}_{seed}.csv", "--agent", "me")
    done = rlbench("stats", *files, *pattern, "--per-task", cwd=tmp_path)
    said = [line for line in done.stdout.splitlines() if "read as" in line]
    assert len(said) == 1
    assert "Pong_0.csv, Pong_1.csv, Pong_2.csv and 5 more" in said[0]
    assert "8 files" in said[0]


def test_agents_are_chosen_in_the_order_given(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "hp [k=1, l=2]", range(3))
    for agent in ("b", "c"):
        write(tmp_path / f"{agent}.csv", agent, range(3))
    files = ("a.csv", "b.csv", "c.csv")
    chosen = ("--agents", "c,hp [k=1, l=2]")
    assert agents_of(*files, *chosen, cwd=tmp_path) == ["c", "hp [k=1, l=2]"]
    new = ("--rename", "hp [k=1, l=2]=hp,b=B")
    assert agents_of(*files, *new, cwd=tmp_path) == ["hp", "B", "c"]
    assert "Did you mean 'b'" in error_of("stats", *files, "--agents", "B", cwd=tmp_path)
    assert "unknown agent to rename 'x'" in error_of("stats", *files, "--rename", "x=y",
                                                     cwd=tmp_path)  # fmt: skip
    assert "is not OLD=NEW" in error_of("stats", *files, "--rename", "x", cwd=tmp_path)


def test_published_agents_by_name_in_every_verb(tmp_path: Path) -> None:
    assert agents_of("SPR", *SUITE, cwd=tmp_path) == ["SPR"]
    text = rlbench("table", "BBF", "SPR", *SUITE, "--format", "markdown", "--per-task",
                   cwd=tmp_path).stdout  # fmt: skip
    assert "| Task" in text
    assert "BBF | SPR" in text.splitlines()[2]
    done = rlbench("figures", "SPR", *SUITE, "--kind", "profiles", "--out", "f", cwd=tmp_path)
    assert "profiles: f/profiles.pdf" in done.stdout.replace("\\", "/")
    assert "SPR (atari100k.spr)" in rlbench("stats", "SPR", *SUITE, "--json", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SPRR", *SUITE], "unknown agent 'SPRR'. Did you mean 'SPR'? There is no such file: SPRR"),
        (["SPR"], "'SPR' is a published agent, and needs a suite: add --suite atari100k"),
        (["nobody"], "no such file: nobody; an agent of a store or a paper needs a suite"),
        (["mime.csv", *SUITE], "cannot read mime.csv: no such file; there is mine.csv"),
        (["SPR", *SUITE, "--agents", "IRIS"], "unknown agent 'IRIS'"),
    ],
)
def test_what_is_neither_a_file_nor_an_agent(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    own(tmp_path)
    for verb in ("stats", "compare", "plan", "table"):
        assert message in error_of(verb, *arguments, cwd=tmp_path)


def test_ones_own_agent_beside_the_published_one(tmp_path: Path) -> None:
    file = own(tmp_path)
    done = rlbench("stats", file, "IRIS", *SUITE, "--json", cwd=tmp_path)
    points = {r["agent"]: r["point"] for r in json.loads(done.stdout) if r["metric"] == "iqm"}
    assert list(points) == ["IRIS (mine.csv)", "IRIS (published)"]
    assert points["IRIS (published)"] == pytest.approx(0.501, abs=5e-4)
    apart = "Kept apart, though their names are equal: IRIS (mine.csv), IRIS (published)"
    assert apart in done.stderr
    every = (file, *SUITE, "--store", "published")
    new = ("--rename", "IRIS (mine.csv)=mine", "--agents", "SPR,mine,IRIS")
    assert agents_of(*every, *new, cwd=tmp_path) == ["SPR", "mine", "IRIS"]
    rlbench("export", *SUITE, "--store", "published", "--csv", "papers.csv", cwd=tmp_path)
    chosen = ("--agents", "IRIS (mine.csv),IRIS (papers.csv)")
    rows = rows_of("stats", file, "papers.csv", *SUITE, *chosen, cwd=tmp_path)
    assert {(r["agent"], r["source"]) for r in rows} == {
        ("IRIS (mine.csv)", None), ("IRIS (papers.csv)", "atari100k.iris")
    }  # fmt: skip


def test_a_folder_is_taken_before_an_agent_of_its_name(tmp_path: Path) -> None:
    write(tmp_path / "IRIS/a.csv", "mine", range(3))
    done = rlbench("stats", "IRIS", *SUITE, "--per-task", "--json", cwd=tmp_path)
    assert {row["agent"] for row in json.loads(done.stdout)} == {"mine"}
    assert "IRIS is a file or folder here, and was taken as such" in done.stderr


def test_another_protocol_is_described_and_not_tested(tmp_path: Path) -> None:
    command = ("compare", own(tmp_path, "mine"), "SPR", *SUITE)
    (row,) = rows_of(*command, cwd=tmp_path)
    assert (row["p_value"], row["decision"], row["tasks"]) == (None, "not ranked", 26)
    assert row["low"] < row["difference"] == row["a_point"] - row["b_point"] < row["high"]
    assert row["a_low"] < row["a_point"] < row["a_high"]
    assert row["method"] == "stratified bootstrap, rao-wu"
    assert "despite_protocols" not in row
    first, *rest = rlbench(*command, cwd=tmp_path).stdout.splitlines()
    assert first.startswith("mine: IQM 0.")
    for said in ("; SPR: IQM 0.337 [0.326, 0.348]; difference +0.", "on 26 of 26 tasks in common",
                 "protocols differ: a description, not a test", "differ in no ops"):  # fmt: skip
        assert said in first
    text = "\n".join(rest)
    assert "life loss terminal" in text
    for word in ("p value", "better", "possible ranks"):
        assert word not in text


def test_a_test_despite_protocols_says_so(tmp_path: Path) -> None:
    command = ("compare", own(tmp_path, "mine"), "SPR", "EfficientZero", *SUITE)
    rows = rows_of(*command, "--despite-protocols", cwd=tmp_path)
    tested = {(r["a"], r["b"]): r for r in rows if r["p_value"] is not None}
    assert set(tested) == {("mine", "SPR")}
    assert tested["mine", "SPR"]["despite_protocols"].startswith("SPR and the suite differ in")
    assert all(r["despite_protocols"] is None for r in rows if r["p_value"] is None)
    lines = rlbench(*command[:3], *SUITE, "--despite-protocols", cwd=tmp_path).stdout.splitlines()
    about = [n for n, line in enumerate(lines) if "mine" in line and "mine.csv" not in line]
    assert len(about) == 3  # the sentence, the table, the ranks
    assert all("despite protocols" in lines[n] for n in about)


def test_scores_that_are_those_of_a_paper_are_named(tmp_path: Path) -> None:
    paper = published.load(ATARI)["STORM"]
    lines = [f"new,{task},{scores.mean():.1f}" for task, scores in paper.values.items()]
    (tmp_path / "means.csv").write_text("\n".join(["agent,task,score", *lines, ""]))
    said = rlbench("stats", "means.csv", *SUITE, "--per-task", cwd=tmp_path).stdout
    assert "means.csv: the scores of new are those of STORM (atari100k.storm) on 26 of 26" in said
    assert "its protocol deviations apply: sticky actions 0.25 (ours 0.0)" in said
    assert "are those of" not in rlbench("stats", own(tmp_path), *SUITE, cwd=tmp_path).stdout


def test_no_task_in_common_names_those_spelled_alike(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a", range(3), "walker_walk")
    write(tmp_path / "b.csv", "b", range(3), "walkerwalk")
    for verb in ("compare", "table"):
        error = error_of(verb, "a.csv", "b.csv", cwd=tmp_path)
        assert "no task in common: a has walker_walk, b has walkerwalk" in error
        assert "Most similar names: 'walker_walk' and 'walkerwalk'" in error


def test_adastop_says_in_which_order_runs_are_taken(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a", range(3))
    write(tmp_path / "b.csv", "b", range(3), more=1.0)
    stop = ("--stop", "adastop", "--batch", "3", "--max-batches", "1")
    done = rlbench("compare", "a.csv", "b.csv", *stop, cwd=tmp_path, code=None)
    assert "Runs are taken in the order of seeds." in done.stdout
    stop = ("--columns-are", "agents", "--stop", "adastop", "--max-batches", "2")
    done = rlbench("compare", *WALKERS, *stop, cwd=tmp_path, code=None)
    assert "Runs have no numbers as seeds and are taken in the order of the files." in done.stdout
    assert done.stdout.count("Batches of the same agents") == 1
    assert "Taken together" not in done.stdout


def test_sources_of_curves(tmp_path: Path) -> None:
    for agent in ("ppo", "sac"):
        for seed in range(2):
            file = tmp_path / f"logs/{agent}/Pong_{seed}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"step,reward\n0,1\n10,{seed}\n")
    options = ("--path", "{agent}/{task}_{seed}.csv", "--kind", "curves", "--rename", "sac=SAC")
    rlbench("figures", "logs", *options, "--out", "f", cwd=tmp_path)
    text = (tmp_path / "f/curves.csv").read_text()
    assert "ppo" in text
    assert "SAC" in text


def test_agents_of_stores_and_papers_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for agent in ("hp", "IRIS"):
        for seed in range(3):
            store.write(make_record("Pong", agent, seed, score=float(seed)))
    assert agents_of("hp", "SPR", *SUITE, cwd=tmp_path) == ["hp", "SPR"]
    assert agents_of("SPR", "hp", *SUITE, "--store", "runs", cwd=tmp_path) == ["SPR", "hp"]
    done = rlbench("stats", "IRIS", *SUITE, "--per-task", "--json", cwd=tmp_path)
    assert {row["task"] for row in json.loads(done.stdout)} == {"Pong"}
    assert "IRIS: from the store runs; with --store published, from a paper." in done.stderr
    both = (*SUITE, "--store", "runs", "--store", "published")
    assert agents_of("IRIS", *both, cwd=tmp_path) == ["IRIS (published)", "IRIS (runs)"]
    assert agents_of(*SUITE, "--rename", "hp=HP", cwd=tmp_path) == ["IRIS", "HP"]
    error = error_of("stats", *SUITE, "--rename", "hp=IRIS", cwd=tmp_path)
    assert "--rename calls two agents of runs 'IRIS'" in error
