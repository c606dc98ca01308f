"""Tables for people: a row an agent, the best first, and nothing cut however narrow it gets."""

import re
from pathlib import Path

import pytest
from support.command import rlbench

from rlbench import suites
from rlbench.api.cells import an_agent_a_row, methods_of
from rlbench.cli import output
from rlbench.cli.output import print_table

SCORES = str(Path(__file__).parents[2] / "examples/scores.csv")
CELL = r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Be a terminal of 80 columns that shows no bold."""
    monkeypatch.setattr(output, "_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    return monkeypatch


def first_words(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def test_stats_has_a_row_an_agent(tmp_path: Path) -> None:
    text = rlbench("stats", SCORES, "--suite", "atari100k", cwd=tmp_path).stdout
    lines = text.splitlines()
    head = next(line for line in lines if line.split()[:1] == ["agent"])
    headings = ["agent", "tasks", "runs", "IQM", "mean", "median", "optimality gap"]
    assert re.split(r"\s{2,}", head.strip()) == headings
    rows = [line for line in lines if "26/26" in line]
    assert first_words("\n".join(rows)) == ["SPR", "DrQ(eps)", "CURL"], "the best IQM first"
    for row in rows:
        assert re.fullmatch(rf" +\S+ +26/26 +5 +({CELL} +){{2}}0\.\d+ +{CELL} *", row)
    assert text.count("rao-wu") == 1
    assert "Intervals: 95%, stratified bootstrap, rao-wu.\n" in text
    assert "No interval for median: the interval of the median is unreliable" in text


def test_lower_is_better_turns_the_order_round(tmp_path: Path) -> None:
    lines = [f"{a},t{t},{s},{v + s}" for a, v in (("x", 1), ("y", 9)) for t in "12" for s in (0, 1)]
    (tmp_path / "s.csv").write_text("\n".join(["agent,task,seed,score", *lines]) + "\n")
    for options, order in (([], ["y", "x"]), (["--lower-is-better"], ["x", "y"])):
        text = rlbench("stats", "s.csv", *options, cwd=tmp_path).stdout
        assert [word for word in first_words(text) if word in ("x", "y")] == order


def test_means_come_last_and_say_why(tmp_path: Path) -> None:
    options = ["stats", "--suite", "atari100k", "--store", "published"]
    text = rlbench(*options, cwd=tmp_path).stdout
    table = text[: text.index("published scores:")]
    assert [word for word in first_words(table) if word in ("SPR", "BBF", "MuZero")] == [
        "BBF", "SPR", "MuZero"
    ]  # fmt: skip
    assert re.search(r"^ +SPR +26/26 +100 +0\.337 \[0\.326, 0\.348\]", table, re.MULTILINE)
    assert "No interval for mean and median of EfficientZero, MuZero: means, not runs." in text
    assert "No interval for median of all but EfficientZero, MuZero: " in text


def test_a_cell_a_task(tmp_path: Path) -> None:
    options = ["stats", SCORES, "--suite", "atari100k", "--per-task"]
    text = rlbench(*options, cwd=tmp_path).stdout
    assert re.search(r"^ +SPR +Alien +0\.087 \[0\.074, 0\.101\] +0\.011 +5 *$", text, re.MULTILINE)
    assert "Intervals: 95%, Student's t.\n" in text


def test_methods_that_differ_are_told_apart() -> None:
    def row(agent: str, metric: str, method: str) -> dict[str, object]:
        return {"agent": agent, "metric": metric, "point": 1.0, "low": None, "high": None,
                "method": method, "runs": 3, "tasks": 1}  # fmt: skip

    rows = [
        row("a", "iqm", "bootstrap"), row("a", "mean", "t"),
        row("b", "iqm", "none: one run"), row("b", "mean", "t"),
    ]  # fmt: skip
    assert methods_of(rows) == [
        "Intervals, 95%, for IQM of a: bootstrap.",
        "Intervals, 95%, for mean: t.",
        "No interval for IQM of b: one run.",
    ]
    assert [list(cells.values()) for cells in an_agent_a_row(rows, 2, 1)] == [
        ["a", "1/2", 3, "1.000", "1.000"], ["b", "1/2", 3, "1.000", "1.000"]
    ]  # fmt: skip


def test_80_columns_show_all_of_stats(terminal: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = rlbench("stats", SCORES, "--suite", "atari100k", cwd=tmp_path).stdout
    table = text[: text.index("Intervals:")]
    assert max(map(len, table.splitlines())) <= 80
    assert len(re.findall(CELL, table)) == 9, "three intervals of three agents, none in two lines"
    assert first_words(table).count("SPR") == 2, "the last columns follow below"


def test_80_columns_show_the_ids_of_suites(terminal: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = rlbench("list", "suites", cwd=tmp_path).stdout
    assert max(map(len, text.splitlines())) <= 80
    ids = {suites.get(name).id for name in suites.names()}
    assert ids <= set(first_words(text))
    words = " ".join(re.findall(r"\S+", text))
    assert "26 Atari games in 100,000 steps" in words
    assert "…" not in text


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_nothing_is_cut(columns: int, terminal: pytest.MonkeyPatch, capsys) -> None:
    terminal.setenv("COLUMNS", str(columns))
    cells = {"agent": "A" * 30, "note": "word " * 12 + "end", "IQM": "0.1 [0, 1]", "runs": 12345}
    print_table([cells], list(cells))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert out.count("A") % 30 == 0
    assert (out.count("word"), out.count("end")) == (12, 1)
    assert "12345" in out
    assert "…" not in out
