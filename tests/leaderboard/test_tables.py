"""Tables hold the numbers of the statistics; bold is what the test says; names come out whole."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rlbench import stats
from rlbench.errors import InvalidScores, UnknownName
from rlbench.leaderboard import table, task_table
from rlbench.leaderboard.site import number
from rlbench.leaderboard.tables import escape_latex, escape_markdown

ODD = [
    r"%_&#$~^\{}", "[x]", "*best*", "a|b", "<b>&amp;", "--''``", "=cmd()", "line\nbreak", "ä é",
    "`code`", r"\input{secret}", "?`!`",
]  # fmt: skip


def make_scores(shifts: list[float], runs: int = 6, tasks: int = 5) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {
        f"agent {k}": generator.normal(shift, 1, size=(runs, tasks))
        for k, shift in enumerate(shifts)
    }


def by_task(scores: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    return {
        agent: {f"task {t}": column for t, column in enumerate(values.T)}
        for agent, values in scores.items()
    }


def cells_of(text: str) -> dict[str, list[str]]:
    """Return the cells of a table in Markdown by their first."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [re.split(r" (?<!\\)\| ", line[2:-2]) for line in lines]
    return {row[0]: row[1:] for row in rows}


def bold_in(text: str, column: int) -> set[str]:
    return {name for name, row in cells_of(text).items() if row[column].startswith("**")}


def test_numbers_are_those_of_the_statistics() -> None:
    scores = make_scores([1.0, 1.5, 12.0])
    text = table(scores, format="markdown", seed=4)
    rows = cells_of(text)
    assert rows["Agent"] == ["IQM", "Mean", "Median", "Optimality gap"]
    for agent, values in scores.items():
        cells = [cell.replace("*", "") for cell in rows[agent]]
        for cell, metric in zip(cells, ["iqm", "mean", "median", "optimality_gap"], strict=True):
            found = stats.bootstrap(values, metric, seed=4)
            interval = f" [{number(found.low)}, {number(found.high)}]"
            assert cell == number(found.point) + (interval if metric != "median" else "")
        assert cells[1].startswith(number(float(values.mean())))


def test_bold_is_exactly_who_may_be_the_best() -> None:
    scores = make_scores([0.0, 3.0, 3.1, 1.0])
    text = table(scores, format="markdown")
    for column, statistic in enumerate(["iqm", "mean", "median"]):
        best = {row.agent for row in stats.rank_sets(scores, statistic=statistic) if row.low == 1}
        assert best == {"agent 1", "agent 2"}
        assert bold_in(text, column) == best
    assert bold_in(text, 3) == set()
    assert "Bold: agents that may be the best" in text
    latex = table(scores)
    bold_rows = [line for line in latex.splitlines() if "\\textbf" in line]
    assert [line.split(" & ")[0].strip() for line in bold_rows] == ["agent 1", "agent 2"]
    assert all(line.count("\\textbf") == 3 for line in bold_rows)


def test_bold_depends_on_the_column() -> None:
    # A few enormous scores: they move the mean and not the trimmed mean.
    scores = make_scores([0.0, 2.0], runs=10)
    scores["agent 0"][:2] += 1_000
    text = table(scores, format="markdown")
    for column, statistic in enumerate(["iqm", "mean", "median"]):
        best = {row.agent for row in stats.rank_sets(scores, statistic=statistic) if row.low == 1}
        assert bold_in(text, column) == (best if len(best) < 2 else set())


def test_the_greatest_is_not_bold_if_it_is_not_separated() -> None:
    scores = make_scores([1.0, 1.05], runs=3)
    assert {row.low for row in stats.rank_sets(scores)} == {1}
    for form in ("latex", "markdown"):
        text = table(scores, format=form)
        assert "textbf" not in text
        assert "**" not in text
        assert "Nothing is bold" in text


def test_one_agent_or_one_run_has_nothing_bold() -> None:
    text = table(make_scores([1.0]), format="markdown")
    assert "bold" not in text.casefold()
    text = table(make_scores([0.0, 9.0], runs=1), format="markdown")
    assert "**" not in text
    assert "Nothing is bold: too few runs" in text
    assert "With one run on a task there are no intervals." in text
    assert " [" not in text


def test_agents_that_may_not_be_ranked_are_not() -> None:
    scores = make_scores([0.0, 9.0])
    for text in (
        table(scores, format="markdown", not_ranked="the budgets differ", remark="Mind it."),
        task_table(
            by_task(scores), format="markdown", not_ranked="the budgets differ", remark="Mind it."
        ),
    ):
        assert "**" not in text
        assert "Nothing is bold: the budgets differ." in text
        assert "Mind it." in text


def test_the_note_says_how() -> None:
    text = table(make_scores([0.0, 4.0], 6, 5), format="markdown", normalised_by="the x of y@1")
    assert "over 5 tasks with 6 runs a task; scores are normalised by the x of y@1." in text
    for words in ("95%", "10,000 resamples", "rao-wu", "one run fewer", "step-down max-T", "0.05"):
        assert words in text
    assert "optimality gap" not in table(make_scores([0.0]), metrics=["iqm"]).casefold()


def test_task_tables_are_those_of_the_statistics() -> None:
    scores = by_task(make_scores([0.0, 6.0, 6.2], runs=8))
    scores["agent 0"]["task 2"] = scores["agent 1"]["task 2"] + 0.1  # as good there
    text = task_table(scores, format="markdown")
    rows = cells_of(text)
    assert rows["Task"] == ["agent 0", "agent 1", "agent 2"]
    for row in stats.summarise_tasks(scores):
        cell = rows[row.task][int(row.agent[-1])].replace("*", "")
        assert cell == f"{number(row.mean)} [{number(row.low)}, {number(row.high)}]"
        assert cell.startswith(number(float(scores[row.agent][row.task].mean())))
    arrays = {agent: list(tasks.values()) for agent, tasks in scores.items()}
    worse = {
        (pair.task, pair.b if pair.decision == "larger" else pair.a)
        for pair in stats.compare_tasks(arrays)
        if pair.decision != "not separated"
    }
    assert worse == {(task, "agent 0") for task in (0, 1, 3, 4)}
    for task in range(5):
        bold = [cell.startswith("**") for cell in rows[f"task {task}"]]
        assert bold == ([False] * 3 if task == 2 else [False, True, True])


def test_holes_are_shown_and_unequal_runs_are_not_tested() -> None:
    scores = by_task(make_scores([0.0, 9.0], runs=8))
    del scores["agent 0"]["task 1"]
    scores["agent 0"]["task 2"] = scores["agent 0"]["task 2"][:5]
    text = task_table(scores, format="markdown")
    rows = cells_of(text)
    assert rows["task 1"][0] == "–"
    assert {task for task, row in rows.items() if row[1].startswith("**")} == {
        "task 0", "task 3", "task 4",
    }  # fmt: skip
    assert "over all pairs and 3 tasks" in text
    assert "A dash is a task without runs." in text
    assert " & -- & " in next(
        line + " & " for line in task_table(scores).splitlines() if "task 1" in line
    )


def test_nothing_is_minus_nothing() -> None:
    scores = {"a": np.array([[-0.0001], [0.0001], [-0.0001]])}
    for form in ("latex", "markdown"):
        assert "-0.000" not in table(scores, format=form)
        assert "$-$0.000" not in table(scores, format=form)
    assert "$-$1.500" in table({"a": np.full((2, 2), -1.5)}, metrics=["mean"])


def test_latex_has_booktabs_and_as_many_columns_as_it_says() -> None:
    text = table(make_scores([0.0, 1.0, 2.0]))
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1
    assert "\\hline" not in text
    spec = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len(rows) == 4
    assert {line.count(" & ") + 1 for line in rows} == {len(spec)}


def test_latex_tables_take_both_columns_of_a_page_only_if_they_must() -> None:
    scores = make_scores([0.0, 1.0])
    for metrics, name in ((["iqm", "mean"], "table"), (["iqm", "mean", "median"], "table*")):
        lines = table(scores, metrics=metrics).splitlines()
        assert lines[1] == f"\\begin{{{name}}}[t]"
        assert lines[-1] == f"\\end{{{name}}}"


@pytest.mark.parametrize("name", ODD)
def test_latex_names_are_escaped(name: str) -> None:
    escaped = escape_latex(name)
    # What is left besides commands, groups and escaped characters is plain.
    rest = re.sub(r"\\text\w+\{\}|\\[%_&#${}]|\{[\[\]*]\}|\{\}", "", escaped)
    assert not set(rest) & set("\\%_&#$~^{}[]*|<>`\n")
    assert "--" not in rest.replace("-{}-", "") or "-{}-" in escaped
    assert escaped.count("{") - escaped.count("\\{") == escaped.count("}") - escaped.count("\\}")


def test_latex_escapes_by_hand() -> None:
    assert escape_latex(r"50%_&#$") == r"50\%\_\&\#\$"
    assert escape_latex("~^") == r"\textasciitilde{}\textasciicircum{}"
    assert escape_latex("\\{}") == r"\textbackslash{}\{\}"
    assert escape_latex("[a]*") == "{[}a{]}{*}"
    assert escape_latex("---") == "-{}-{}-"
    assert escape_latex("DrQ(eps)-v2") == "DrQ(eps)-v2"


@pytest.mark.parametrize("name", ODD)
def test_markdown_names_come_back(name: str) -> None:
    escaped = escape_markdown(name)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped) == name.replace("\n", " ")
    assert not re.search(r"(?<!\\)(\\\\)*[|*_<`$]", escaped)
    rows = table({name: np.ones((2, 2)), "other": np.ones((2, 2))}, format="markdown").splitlines()
    (line,) = [row for row in rows if row.startswith(f"| {escaped} |")]
    assert len(re.findall(r"(?<!\\)\|", line)) == 6


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("name", ["aggregates", "tasks"])
def test_latex_compiles(name: str, tmp_path: Path) -> None:
    names = [odd for odd in ODD if odd.isascii()]
    scores = dict(zip(names, make_scores([0.0] * len(names)).values(), strict=True))
    some = dict(list(by_task(scores).items())[:3])
    text = table(scores) if name == "aggregates" else task_table(some)
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
        f"{text}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-no-shell-escape", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_many_agents() -> None:
    scores = make_scores([k / 4 for k in range(20)], runs=4)
    rows = cells_of(table(scores, format="markdown"))
    assert len(rows) == 22
    assert len(cells_of(task_table(by_task(scores), format="markdown"))["task 0"]) == 20


def test_what_does_not_fit_is_refused() -> None:
    scores = make_scores([0.0, 1.0])
    with pytest.raises(UnknownName, match="format"):
        table(scores, format="html")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="metric"):
        table(scores, metrics=["iqn"])
    with pytest.raises(InvalidScores, match="no agent"):
        table({})
    with pytest.raises(InvalidScores, match="no agent"):
        task_table({})
    with pytest.raises(InvalidScores, match="one metric"):
        table(scores, metrics=[])
