"""Downloads hold what a board says, and enough to compute it again without our statistics."""

import csv
import json
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import trim_mean
from support.records import ATARI, make_record

from rlbench.leaderboard.boards import Board, make_boards
from rlbench.leaderboard.downloads import downloads
from rlbench.results import Record, published
from rlbench.stats.coverage import coverage_warning

Floats = NDArray[np.float64]
Scores = dict[str, dict[str, Floats]]  # agent, then task, to normalised scores (runs,)

METRICS = ("iqm", "mean", "median", "optimality_gap")
# In one process or another: of the distance between two percentiles this is hardly ever exceeded.
STANDARD_ERRORS = 5
HOSTILE = [
    '=HYPERLINK("http://evil","x")', "+1+1", "-2", "@SUM(A1)", "\tcmd", "a,b", 'a"b', "two\nlines",
    r"\input{secret}", r"\end{table}", "50%_&#$~^{", "}x{", "--''``", "half \ud800", "<b>",
    "ä é 漢",
]  # fmt: skip


class Files(NamedTuple):
    """The files of a board for programs, as somebody else's program reads them."""

    board: dict
    agents: list[dict[str, str]]
    runs: list[dict[str, str]]


def read_files(board: Board) -> Files:
    files = downloads(board)

    def refuse(name: str) -> NoReturn:
        raise AssertionError(f"{name} is not finite")

    return Files(
        json.loads(files["board.json"].decode(), parse_constant=refuse),
        read_csv(files["agents.csv"]),
        read_csv(files["runs.csv"]),
    )


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(data.decode(), newline="")))


def normalised_scores(files: Files) -> Scores:
    """Return scores from the raw ones in runs.csv and the reference scores in board.json."""
    ends = {task["task"]: (task["low"], task["high"]) for task in files.board["tasks"]}
    found: dict[str, dict[str, list[float]]] = {}
    for row in files.runs:
        low, high = ends[row["task"]]
        score = (float(row["score"]) - low) / (high - low)
        found.setdefault(row["agent"], {}).setdefault(row["task"], []).append(score)
    return {a: {t: np.array(v) for t, v in tasks.items()} for a, tasks in found.items()}


def aggregate(tasks: list[Floats], metric: str) -> Floats:
    """Return an aggregate of scores (..., runs) a task, over the last axis and tasks: (...)."""
    if metric == "iqm":
        pooled = np.concatenate(tasks, axis=-1)
        counts = {task.shape[-1] for task in tasks}
        if len(counts) == 1:
            return trim_mean(pooled, 0.25, axis=-1)
        n = pooled.shape[-1]
        weights = [np.full(t.shape[-1], n / len(tasks) / t.shape[-1]) for t in tasks]
        return weighted_iqm(pooled.reshape(-1, n), np.concatenate(weights)).reshape(
            pooled.shape[:-1]
        )
    if metric == "optimality_gap":
        return 1 - np.mean([np.minimum(task, 1).mean(axis=-1) for task in tasks], axis=0)
    means = np.stack([task.mean(axis=-1) for task in tasks])
    return means.mean(axis=0) if metric == "mean" else np.median(means, axis=0)


def bootstrap_ends(
    tasks: list[Floats], metric: str, repetitions: int, generator: np.random.Generator
) -> list[tuple[float, float]]:
    """Return both ends of the 95% interval, each with its standard error.

    Of a task's n runs n - 1 are drawn with replacement; every task weighs the same.
    """
    draws = [
        task[generator.integers(len(task), size=(repetitions, len(task) - 1))] for task in tasks
    ]
    each = sum(map(len, tasks)) / len(tasks)
    weights = np.concatenate([np.full(len(t) - 1, each / (len(t) - 1)) for t in tasks])
    if metric == "iqm":
        replicates = weighted_iqm(np.concatenate(draws, axis=1), weights)
    elif metric == "optimality_gap":
        capped = np.minimum(np.concatenate(draws, axis=1), 1)
        replicates = 1 - capped @ weights / weights.sum()
    else:
        replicates = np.mean([draw.mean(axis=1) for draw in draws], axis=0)
    ordered = np.sort(replicates)
    ends = []
    for share in (0.025, 0.975):
        spread = (repetitions * share * (1 - share)) ** 0.5
        low, high = (round(repetitions * share + side * spread) for side in (-1, 1))
        ends.append((float(np.quantile(ordered, share)), float(ordered[high] - ordered[low]) / 2))
    return ends


def weighted_iqm(draws: Floats, weights: Floats) -> Floats:
    """Return the mean of what is left of draws (repetitions, k) without a quarter at each end.

    As of n scores ``floor(n / 4)`` are left out, so is as much of the weight n, and of a draw at
    the border a part.
    """
    order = np.argsort(draws, axis=1)
    total = round(float(weights.sum()))
    upper = np.cumsum(weights[order], axis=1)
    inside = np.clip([upper - weights[order], upper], total // 4, total - total // 4)
    return (np.take_along_axis(draws, order, 1) * (inside[1] - inside[0])).sum(1) / (
        total - 2 * (total // 4)
    )


def permutation_p_values(
    pool: Scores, permutations: int, generator: np.random.Generator
) -> dict[tuple[str, str], float]:
    """Return p-values of the IQM's differences, by the single-step maximum over all pairs.

    The runs of either agent of a pair are permuted task by task; differences are divided by their
    standard deviation.
    """
    pairs = list(combinations(pool, 2))
    columns = []
    for a, b in pairs:
        parts: tuple[list[Floats], list[Floats]] = [], []
        for task, x in pool[a].items():
            both = np.tile(np.concatenate([x, pool[b][task]]), (permutations + 1, 1))
            both[1:] = generator.permuted(both[1:], axis=1)
            parts[0].append(both[:, : len(x)])
            parts[1].append(both[:, len(x) :])
        gaps = np.abs(aggregate(parts[0], "iqm") - aggregate(parts[1], "iqm"))
        columns.append(gaps / gaps.std())
    sized = np.stack(columns, axis=1)
    greatest = sized.max(axis=1)
    return {pair: float((greatest >= sized[0, k]).mean()) for k, pair in enumerate(pairs)}


def separated_pairs(pool: list[dict[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs of rows' agents that share no letter, the one with the greater IQM first."""
    return {
        (a["agent"], b["agent"])
        for a in pool
        for b in pool
        if not set(a["tier"]) & set(b["tier"]) and float(a["iqm"]) > float(b["iqm"])
    }


def pools_of(files: Files) -> list[list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in files.agents:
        if row["pool"]:
            found.setdefault(row["pool"], []).append(row)
    return list(found.values())


def some_records() -> list[Record]:
    """Return two agents on all tasks with two points a run, one on some, and failures."""
    generator = np.random.default_rng(3)
    return [
        at_two_points(make_record(task.name, agent, seed, float(generator.normal(mean))))
        for agent, mean in (("alpha", 0.0), ("beta", 900.0), ("gamma", 4.0))
        for task in ATARI.tasks
        for seed in range(4)
        if agent != "gamma" or task.name in ("Pong", "Boxing")
    ] + [make_record("Pong", agent, 9, status="failed") for agent in ("gamma", "delta")]


def at_two_points(record: Record) -> Record:
    (final,) = record.evaluations
    first = replace(final, budget_used=1000, returns=tuple(r / 2 for r in final.returns))
    return replace(record, evaluations=(first, final))


@pytest.fixture(scope="module")
def boards() -> dict[str, Board]:
    """All boards; that of Atari 100k with agents that have records too."""
    return {board.suite.name: board for board in make_boards(some_records())}


@pytest.fixture(scope="module")
def files(boards: dict[str, Board]) -> dict[str, Files]:
    return {name: read_files(board) for name, board in boards.items()}


def test_aggregates_can_be_computed_again(files: dict[str, Files]) -> None:
    checked = 0
    for name, found in files.items():
        scores = normalised_scores(found)
        assert list(scores) == [row["agent"] for row in found.agents]
        for row in found.agents:
            tasks = scores[row["agent"]]
            assert row["tasks"] == str(len(tasks))
            means_only = "means-only" in row["source"]
            if means_only:
                assert row["not_ranked"] == "its scores are means, not runs"
                behind = {run["of"] for run in found.runs if run["agent"] == row["agent"]}
                assert {row["runs_min"], row["runs_max"]} == behind
            else:
                numbers = [len(runs) for runs in tasks.values()]
                assert (row["runs_min"], row["runs_max"]) == (str(min(numbers)), str(max(numbers)))
            for metric in METRICS:
                if means_only and metric != "mean":
                    assert row[metric] == ""
                    continue
                expected = aggregate(list(tasks.values()), metric)
                assert float(row[metric]) == pytest.approx(expected, rel=1e-9, abs=1e-9), name
                checked += 1
    assert checked > 400


def test_normalised_scores_are_those_of_the_reference_scores(files: dict[str, Files]) -> None:
    for found in files.values():
        said = [float(row["normalised"]) for row in found.runs]
        of_tasks = [list(tasks.values()) for tasks in normalised_scores(found).values()]
        computed = [score for tasks in of_tasks for task in tasks for score in task]
        assert said == pytest.approx(computed, rel=1e-9, abs=1e-9)


def test_json_and_csv_say_the_same(files: dict[str, Files]) -> None:
    for found in files.values():
        for name in ("agents", "runs"):
            flat = [
                {key: "" if value is None else str(value) for key, value in row.items()}
                for row in found.board[name]
            ]
            assert flat == getattr(found, name)


def test_charts_can_be_computed_again(files: dict[str, Files]) -> None:
    profiles = improvements = 0
    for found in files.values():
        scores = normalised_scores(found)
        for row in found.board["profiles"]:
            shares = [(task > row["tau"]).mean() for task in scores[row["agent"]].values()]
            share = float(np.mean(shares))
            assert row["point"] == pytest.approx(share, abs=1e-9)
            profiles += 1
        for row in found.board["improvements"]:
            wins = [
                (np.sign(x[:, None] - scores[row["y"]][task]).mean() + 1) / 2
                for task, x in scores[row["x"]].items()
            ]
            assert row["point"] == pytest.approx(float(np.mean(wins)), abs=1e-9)
            assert row["low"] <= row["point"] <= row["high"]
            improvements += 1
    assert profiles > 10_000
    assert improvements > 30


def test_a_curve_ends_at_the_score_of_the_table(files: dict[str, Files]) -> None:
    found = files["atari100k"]
    curves = found.board["curves"]
    assert {row["agent"] for row in curves} == {"alpha", "beta"}
    for row in found.agents:
        if row["agent"] in ("alpha", "beta"):
            first, last = (curve for curve in curves if curve["agent"] == row["agent"])
            assert (first["step"], last["step"]) == (1000.0, float(ATARI.protocol.budget))
            assert last["point"] == pytest.approx(float(row["iqm"]), abs=1e-9)


@pytest.mark.parametrize("name", ["atari100k", "dmc-state", "procgen-hard", "stori", "neorl2"])
def test_intervals_are_those_of_another_bootstrap(name: str, files: dict[str, Files]) -> None:
    generator = np.random.default_rng(11)
    repetitions, theirs = 2000, 10_000
    checked = 0
    for agent, tasks in normalised_scores(files[name]).items():
        (row,) = (row for row in files[name].agents if row["agent"] == agent)
        if "means-only" in row["source"] or int(row["runs_min"]) < 2:
            continue
        assert row["interval_method"] == "stratified bootstrap, rao-wu"
        sizes = len(tasks), int(row["runs_min"])
        noted = [coverage_warning(metric, *sizes) for metric in ("iqm", "mean", "optimality_gap")]
        assert row["interval_notes"] == " ".join(filter(None, noted))
        assert row["median_low"] == row["median_high"] == ""
        for metric in ("iqm", "mean", "optimality_gap"):
            ends = bootstrap_ends(list(tasks.values()), metric, repetitions, generator)
            for side, (end, error) in zip(("low", "high"), ends, strict=True):
                both = error * (1 + repetitions / theirs) ** 0.5
                difference = abs(float(row[f"{metric}_{side}"]) - end)
                assert difference <= STANDARD_ERRORS * both + 1e-9, (agent, metric, side)
                checked += 1
    assert checked >= 12


def test_rank_sets_are_what_the_tiers_say(files: dict[str, Files]) -> None:
    several = 0
    for found in files.values():
        for pool in pools_of(found):
            apart = separated_pairs(pool)
            for row in pool:
                assert row["pool_size"] == str(len(pool))
                better = sum(b == row["agent"] for _, b in apart)
                worse = sum(a == row["agent"] for a, _ in apart)
                assert row["rank_low"] == str(1 + better)
                assert row["rank_high"] == str(len(pool) - worse)
                several += row["rank_low"] != row["rank_high"]
        for row in found.agents:
            assert bool(row["pool"]) != bool(row["not_ranked"])
    assert several


@pytest.mark.parametrize("name", ["atari100k", "dmc-state", "dmc-hard", "procgen-hard"])
def test_another_permutation_test_separates_them_too(name: str, files: dict[str, Files]) -> None:
    generator = np.random.default_rng(5)
    scores = normalised_scores(files[name])
    pools = pools_of(files[name])
    assert pools
    for pool in pools:
        p_values = permutation_p_values(
            {row["agent"]: scores[row["agent"]] for row in pool}, 499, generator
        )
        apart = separated_pairs(pool)
        assert apart
        for a, b in apart:
            assert p_values.get((a, b), p_values.get((b, a), 1.0)) <= 0.05, (a, b)


def test_runs_name_their_records(boards: dict[str, Board], files: dict[str, Files]) -> None:
    rows = {(row["agent"], row["task"], row["run"]): row for row in files["atari100k"].runs}
    for record in some_records():
        identity = record.identity
        place = (identity.agent.name, identity.task, str(identity.seed))
        if record.status != "ok":
            assert place not in rows
            continue
        row = rows[place]
        assert row["sha256"] == json.loads(record.to_bytes())["sha256"]
        assert row["key"] == identity.key
        assert float(row["score"]) == record.score
        assert row["budget_used"] == str(record.budget_used)
        assert (row["episodes"], row["seconds"], row["steps"]) == ("100", "12.5", "")
    order = [(task, run) for agent, task, run in rows if agent == "alpha"]
    assert order == [(task.name, str(seed)) for task in ATARI.tasks for seed in range(4)]
    digests = {row["task"]: row["digest"] for row in files["atari100k"].board["tasks"]}
    assert all(digests[r.identity.task] == r.identity.digest for r in some_records())
    (gamma,) = (row for row in files["atari100k"].agents if row["agent"] == "gamma")
    assert (gamma["failed"], gamma["tasks"], gamma["badge"]) == ("1", "2", "self-reported")
    assert files["atari100k"].board["without_scores"] == [{"agent": "delta", "failed": 1}]
    assert gamma["page"] == next(e.slug for e in boards["atari100k"].entries if e.agent == "gamma")


def test_runs_of_papers_are_all_that_the_sources_have(
    boards: dict[str, Board], files: dict[str, Files]
) -> None:
    for name, board in boards.items():
        rows: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in files[name].runs:
            if not row["key"]:
                rows.setdefault((row["agent"], row["task"]), []).append(row)
        found = published.load(board.suite)
        assert len(rows) == sum(len(paper.values) for paper in found.values())
        for agent, paper in found.items():
            for task, scores in paper.values.items():
                of_task = rows[agent, task]
                assert [float(row["score"]) for row in of_task] == scores.tolist()
                assert tuple(row["run"] for row in of_task) == paper.runs[task]
                stand_ins = tuple(row["run"] for row in of_task if row["stand_in"] == "yes")
                assert stand_ins == paper.stand_ins.get(task, ())
                steps = {int(row["steps"]) for row in of_task if row["steps"]}
                assert steps == set(paper.steps.get(task, ()))
                if paper.source.means_only and paper.spread:
                    assert [row["run"] for row in of_task] == ["mean"]
                    std, of = paper.spread[task]
                    assert (float(of_task[0]["std"]), int(of_task[0]["of"])) == (std, of)


def test_tables_hold_the_agents_with_runs_of_all_tasks(boards: dict[str, Board]) -> None:
    found = downloads(boards["atari100k"])
    own = table_rows(found["agents.tex"].decode())
    assert [row[0] for row in own] == ["beta", "alpha"]
    published_table = found["published.tex"].decode()
    assert len(table_rows(published_table)) == 15
    assert r"\textbf" not in published_table
    assert "Nothing is bold: their protocols differ." in published_table
    assert "MuZero" not in published_table
    assert "agents.tex" not in downloads(boards["procgen-easy"])
    assert {"agents.tex", "published.tex"} & downloads(boards["parkour"]).keys() == set()


def test_an_unofficial_board_says_so() -> None:
    suite = ATARI.make_unofficial({"budget": 2000, "episodes": 5})
    records = [make_record(task.name, "a", 0, 1.0, suite=suite) for task in suite.tasks]
    *_, board = make_boards(records, papers=frozenset(), only=["atari100k"])
    found = downloads(board)
    assert json.loads(found["board.json"])["unofficial"] == "budget=2000,episodes=5"
    assert "Unofficial: budget=2000,episodes=5." in found["agents.tex"].decode()


def test_a_board_with_nothing_on_it_has_empty_files() -> None:
    (board,) = make_boards([], papers=frozenset(), only=["stori"])
    found = read_files(board)
    assert found.agents == found.runs == []
    assert entries_of(downloads(board)["cite.bib"].decode()).keys() == {"rlbench"}


def test_hostile_names_do_no_harm() -> None:
    records = [
        make_record(task.name, name, seed, float(k), source=f"{k:064x}")
        for k, name in enumerate(HOSTILE)
        for task in ATARI.tasks
        for seed in range(2)
    ]
    (board,) = make_boards(records, papers=frozenset(), only=["atari100k"])
    found = downloads(board)
    files = read_files(board)
    assert {row["agent"] for row in files.board["agents"]} == set(HOSTILE)
    written = {name.encode(errors="backslashreplace").decode() for name in HOSTILE}
    for rows in (files.agents, files.runs):
        cells = {row["agent"] for row in rows}
        assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]
        # A name with a leading quote is told from one that got it by none being here.
        assert {cell.removeprefix("'") for cell in cells} == written
    table = found["agents.tex"].decode()
    assert len(table_rows(table)) == len(HOSTILE)
    commands = set(re.findall(r"\\([a-zA-Z]+)", table))
    assert commands <= {
        "usepackage", "begin", "centering", "caption", "toprule", "midrule", "bottomrule", "end",
        "smallskip", "footnotesize", "par", "textbf", "textbackslash", "textasciitilde",
        "textasciicircum", "textasciigrave", "textless", "textgreater",
        "resizebox", "ifdim", "width", "linewidth", "else", "fi", "raggedright",
    }  # fmt: skip
    assert re.findall(r"\\end\{table\*?\}", table) == [r"\end{table*}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sources_do_no_harm_in_bibtex(name: str, boards: dict[str, Board]) -> None:
    board = boards["stori"]
    entry = board.entries[0]
    assert entry.paper is not None
    source = replace(entry.paper.source, agent=name, path=name)
    entry = replace(entry, paper=replace(entry.paper, source=source))
    entries = entries_of(downloads(replace(board, entries=(entry,)))["cite.bib"].decode())
    assert list(entries) == ["rlbench", "agarwal2021deep", "rao1988resampling", source.slug]
    body = entries[source.slug]
    assert len(re.findall(r"^  \w+ = ", body, re.M)) == 5
    assert not re.findall(r"\\(?:input|end)\b", body)
    assert not re.findall(r"(?<!\\)[%&#$]", body)


def test_every_source_can_be_cited(boards: dict[str, Board]) -> None:
    for name, board in boards.items():
        entries = entries_of(downloads(board)["cite.bib"].decode())
        found = published.sources(name)
        assert entries.keys() >= {"rlbench", *(source.slug for source in found)}
        assert ("agarwal2021deep" in entries) == (name != "parkour")
        for source in found:
            assert f"howpublished = {{\\url{{{source.url}}}}}" in entries[source.slug]
    entries = entries_of(downloads(boards["neorl2"])["cite.bib"].decode())
    assert "author = {Fujimoto and Gu}" in entries["neorl2-train99.td3-bc"]
    assert "author = {Gao and others}" in entries["neorl2-train99.bc"]
    spr = entries_of(downloads(boards["atari100k"])["cite.bib"].decode())["atari100k.spr"]
    assert "author = {Schwarzer and others}" in spr
    assert "note = {Schwarzer et al. 2021a; runs by Agarwal et al. 2021; scores from " in spr
    assert "year = {2021}" in spr


def test_the_same_records_give_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    records = some_records()
    random.Random(2).shuffle(records)
    papers = frozenset({"atari100k.iris", "atari100k-means-only.muzero"})
    (board,) = make_boards(records, papers=papers, only=["atari100k"])
    script = f"""
import sys
from pathlib import Path
from support.records import ATARI
from rlbench.leaderboard.boards import make_boards
from rlbench.leaderboard.downloads import downloads
from rlbench.results import Record
records = [Record.from_bytes(path.read_bytes()) for path in sorted(Path("records").iterdir())]
(board,) = make_boards(records, papers=frozenset({sorted(papers)!r}), only=["atari100k"])
for name, data in downloads(board).items():
    Path(name).write_bytes(data)
"""
    (tmp_path / "records").mkdir()
    for record in records:
        (tmp_path / "records" / record.sha256).write_bytes(record.to_bytes())
    roots = [str(Path(__file__).parents[1]), str(Path(sys.modules["rlbench"].__file__).parents[1])]
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(roots)},
        check=True,
        timeout=120,
    )
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert written == downloads(board)


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of a table in LaTeX, having checked that it is well formed."""
    assert depth_of(re.sub(r"\\[{}]", "", text)) == 0
    assert re.findall(r"\\(begin|end)\{([\w*]+)\}", text) == [
        ("begin", "table*"), ("begin", "tabular"), ("end", "tabular"), ("end", "table*"),
    ]  # fmt: skip
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    rows = [re.split(r"(?<!\\)&", line) for line in body.splitlines()[1:-1]]
    assert all(len(row) == 5 and row[-1].endswith(r" \\") for row in rows)
    return [[cell.strip() for cell in row] for row in rows]


def entries_of(text: str) -> dict[str, str]:
    """Return the entries of a BibTeX file by their keys; it counts braces as BibTeX does."""
    entries: dict[str, str] = {}
    for part in re.split(r"^(?=@)", text, flags=re.M)[1:]:
        match = re.fullmatch(r"@\w+\{([a-z0-9._-]+),\n(.*)\}\s*", part, re.S)
        assert match, part
        assert depth_of(part) == 0
        assert match[1] not in entries
        entries[match[1]] = match[2]
    return entries


def depth_of(text: str) -> int:
    """Return how many braces are left open, none having been closed before it was opened."""
    depths = np.cumsum([{"{": 1, "}": -1}.get(c, 0) for c in text])
    assert depths.min() >= 0
    return int(depths[-1])
