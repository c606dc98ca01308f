"""Tables for a paper (LaTeX with booktabs) or a README (Markdown).

Bold is never the greatest number: it marks the agents that the test of `rlbench.stats` leaves in
the best place, and only where it puts some other agent below them. A note under each table says so,
and how the intervals were made.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench import __version__
from rlbench.errors import InvalidScores, UnknownName
from rlbench.leaderboard.captions import (
    IN_TEXT,
    METRICS,
    interval_text,
    one_line,
    setting_text,
    short_names,
)
from rlbench.stats import compare_tasks, rank_sets, summarise, summarise_tasks
from rlbench.stats.aggregates import ScoresLike, columns
from rlbench.stats.comparisons import MAX_T, TestStatistic
from rlbench.stats.intervals import Method
from rlbench.stats.permutation import STATISTICS
from rlbench.stats.summary import SummaryRow

TableFormat = Literal["latex", "markdown"]
Floats = NDArray[np.float64]

FORMATS = ("latex", "markdown")

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    # After the end of a row these would be read as its options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    **{c: f"\\{c}" for c in "%_&#${}"},
}
# Of a table with intervals that fits one of a page's two columns: a name and two numbers.
_COLUMNS_OF_HALF_A_PAGE = 3
MARKDOWN = frozenset("\\`*_[]<>&|~$#")


class Cell(NamedTuple):
    """A number with its interval, None where there is none; `point` None is a hole."""

    point: float | None
    low: float | None = None
    high: float | None = None
    bold: bool = False


def table(
    scores: Mapping[str, ScoresLike],
    *,
    format: TableFormat = "latex",
    metrics: Sequence[str] = tuple(METRICS),
    normalised_by: str = "",
    method: Method = "rao-wu",
    alpha: float = 0.05,
    repetitions: int = 10_000,
    permutations: int = 10_000,
    seed: int = 0,
    not_ranked: str = "",
    remark: str = "",
    summary: Iterable[SummaryRow] | None = None,
) -> str:
    r"""Return a table of aggregates with intervals, a row an agent.

    An agent is bold in a column if its rank set by that metric (`stats.rank_sets`) begins at 1 and
    that of another agent does not. The optimality gap, which has no test, has nothing bold.

    Args:
        scores: By agent: (runs, tasks), or one array (runs,) a task; all of the same tasks.
        format: ``latex``, which needs ``\usepackage{booktabs,graphicx}``, or ``markdown``.
        metrics: Of `stats.summarise`: ``iqm``, ``mean``, ``median``, ``optimality_gap``.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        method: Of the intervals, as `stats.bootstrap` takes it.
        alpha: 1 less the level of the intervals, and of all rank sets of a column together.
        repetitions: Resamples.
        permutations: To draw where there are more than so many.
        seed: Of the drawing.
        not_ranked: Why agents may not be ranked against each other, e.g. since their protocols
            differ; then nothing is tested or bold, and the note says why.
        remark: What else the note must say.
        summary: What `stats.summarise` returned of the scores, if it is at hand.

    Raises:
        InvalidScores: There is no agent or metric, agents have different tasks, scores are bad, or
            an option is out of range.
        UnknownName: There is no such format, metric or method.
    """
    _check(format, scores)
    for metric in metrics:
        if metric not in METRICS:
            raise UnknownName("metric", metric, METRICS)
    if not metrics:
        raise InvalidScores("a table needs at least one metric")
    agents = {agent: columns(values, f"scores of {agent!r}") for agent, values in scores.items()}
    tested = cast(list[TestStatistic], [name for name in STATISTICS if name in metrics])
    bold: dict[str, set[str]] = {}
    how = ""
    if len(agents) > 1 and not not_ranked:
        for statistic in tested:
            ranks = rank_sets(
                agents, statistic=statistic, alpha=alpha, permutations=permutations,
                repetitions=repetitions, seed=seed,
            )  # fmt: skip
            best = {row.agent for row in ranks if row.low == 1}
            bold[statistic] = best if len(best) < len(agents) else set()
            how = ranks[0].method
    if summary is None:
        summary = summarise(
            agents, method=method, repetitions=repetitions, level=1 - alpha, seed=seed
        )
    cells = {
        (row.agent, row.metric): Cell(
            row.point, row.low, row.high, row.agent in bold.get(row.metric, ())
        )
        for row in summary
    }
    texts = [IN_TEXT[metric] for metric in metrics]
    what = ", ".join(texts[:-1]) + (" and " if texts[:-1] else "") + texts[-1]
    caption = f"{what[0].upper()}{what[1:]} {setting_text(agents.values(), normalised_by)}."
    notes = [
        interval_text(
            "Brackets", agents.values(), method=method, repetitions=repetitions, level=1 - alpha,
            seed=seed, of=metrics,
        ),
        "The median is reported without an interval." if "median" in metrics else "",
        "A lower optimality gap is better." if "optimality_gap" in metrics else "",
        f"Nothing is bold: {not_ranked}." if not_ranked else _bold_note(bold, how, tested, alpha),
        remark,
    ]  # fmt: skip
    return _lay_out(
        format,
        ["Agent", *(METRICS[metric] for metric in metrics)],
        [(agent, [cells[agent, metric] for metric in metrics]) for agent in agents],
        caption,
        notes,
    )


def task_table(
    scores: Mapping[str, Mapping[str, ArrayLike]],
    *,
    format: TableFormat = "latex",
    normalised_by: str = "",
    alpha: float = 0.05,
    permutations: int = 10_000,
    seed: int = 0,
    not_ranked: str = "",
    remark: str = "",
) -> str:
    r"""Return a table of means with intervals, a row a task and a column an agent.

    An agent is bold on a task if `stats.compare_tasks` finds no agent with a larger mean there, and
    finds some pair that differs there. Tested are the tasks of which all agents have as many runs.

    Args:
        scores: Agent, then task, to scores (runs,). A task that an agent lacks is shown as a hole.
        format: ``latex``, which needs ``\usepackage{booktabs,graphicx}``, or ``markdown``.
        normalised_by: What scores are normalised by, for the caption; or nothing.
        alpha: 1 less the level of each interval, and the level of the test over all pairs and
            tasks.
        permutations: To draw where there are more than so many.
        seed: Of the drawing.
        not_ranked: Why agents may not be ranked against each other, e.g. since their protocols
            differ; then nothing is tested or bold, and the note says why.
        remark: What else the note must say.

    Raises:
        InvalidScores: There is no agent, scores are bad, or an option is out of range.
        UnknownName: There is no such format.
    """
    _check(format, scores)
    rows = summarise_tasks(scores, level=1 - alpha)
    methods = dict.fromkeys(row.method for row in rows if row.low is not None)
    cells = {(row.task, row.agent): Cell(row.mean, row.low, row.high) for row in rows}
    tasks = list(dict.fromkeys(task for of_agent in scores.values() for task in of_agent))
    rankable = len(scores) > 1 and not not_ranked
    tested = [task for task in tasks if _same_runs(scores, task)] if rankable else []
    for task, losers in _losers(scores, tested, alpha, permutations, seed).items():
        for agent in set(scores) - losers:
            cells[task, agent] = cells[task, agent]._replace(bold=True)
    arrays = [[np.asarray(runs) for runs in of_agent.values()] for of_agent in scores.values()]
    notes = [
        f"Brackets are nominal {100 * (1 - alpha):g}% intervals by {' or '.join(methods)}."
        if methods
        else "With one run on a task there are no intervals.",
        f"Nothing is bold: {not_ranked}."
        if not_ranked
        else _task_note(
            len(scores), tested, tasks, alpha, any(cell.bold for cell in cells.values())
        ),
        "A dash is a task without runs." if len(cells) < len(tasks) * len(scores) else "",
        remark,
    ]
    return _lay_out(
        format,
        ["Task", *scores],
        [(task, [cells.get((task, agent), Cell(None)) for agent in scores]) for task in tasks],
        f"Mean scores by task, {setting_text(arrays, normalised_by)}.",
        notes,
    )


def number(value: float | None) -> str:
    """Return an aggregate for people: three decimals, fewer where it is large."""
    if value is None:
        return "–"
    decimals = 3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"


def escape_latex(text: str) -> str:
    r"""Return text that LaTeX prints as it is, at the beginning of a row too.

    >>> print(escape_latex("50%_x --[y]"))
    50\%\_x -{}-{[}y{]}
    """
    escaped = "".join(LATEX.get(c, c) for c in one_line(text))
    # Two hyphens would become a dash, and two apostrophes a quotation mark.
    return re.sub("-(?=-)|'(?=')", r"\g<0>{}", escaped)


def escape_markdown(text: str) -> str:
    r"""Return text that Markdown prints as it is, in a table too.

    >>> print(escape_markdown("a|b_c"))
    a\|b\_c
    """
    return "".join(f"\\{c}" if c in MARKDOWN else c for c in one_line(text))


def _check(format: str, scores: Mapping[str, object]) -> None:
    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    if not scores:
        raise InvalidScores("there is no agent to make a table of")


def _same_runs(scores: Mapping[str, Mapping[str, ArrayLike]], task: str) -> bool:
    """Say whether all agents have as many runs of a task."""
    return len({np.size(tasks[task]) if task in tasks else 0 for tasks in scores.values()}) == 1


def _losers(
    scores: Mapping[str, Mapping[str, ArrayLike]],
    tasks: Sequence[str],
    alpha: float,
    permutations: int,
    seed: int,
) -> dict[str, set[str]]:
    """Return, of each task on which agents differ, those that are surely not the best."""
    if not tasks:
        return {}
    arrays = {agent: [of_agent[task] for task in tasks] for agent, of_agent in scores.items()}
    losers: dict[str, set[str]] = {}
    for pair in compare_tasks(arrays, alpha=alpha, permutations=permutations, seed=seed):
        if pair.decision != "not separated":
            worse = pair.b if pair.decision == "larger" else pair.a
            losers.setdefault(tasks[pair.task], set()).add(worse)
    return losers


def _bold_note(bold: Mapping[str, set[str]], how: str, tested: Sequence[str], alpha: float) -> str:
    if not bold:
        return ""
    if how.startswith("too few runs"):
        return f"Nothing is bold: {how}."
    names = ", ".join(METRICS[metric] for metric in tested)
    test = f"test of each column by itself ({names}), level {alpha:g}: {how}"
    if not any(bold.values()):
        return f"Nothing is bold: by the {test}, every agent may be the best."
    return (
        "Bold: agents that may be the best (their rank set begins at 1), in columns where some "
        f"other may not; {test}."
    )


def _task_note(
    agents: int, tested: Sequence[str], tasks: Sequence[str], alpha: float, any_bold: bool
) -> str:
    if agents < 2:
        return ""
    if not tested:
        return "Nothing is bold: there is no task of which all agents have as many runs."
    test = f"{MAX_T} over all pairs and {len(tested)} tasks, level {alpha:g}"
    note = (
        f"Bold: agents that may be the best on a task, where some other may not ({test})."
        if any_bold
        else f"Nothing is bold: no two agents are separated on any task ({test})."
    )
    if len(tested) < len(tasks):
        note += " Other tasks are not tested: agents have different numbers of runs there."
    return note


def _lay_out(
    format: TableFormat,
    header: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Cell]]],
    caption: str,
    notes: Sequence[str],
) -> str:
    made_by = f"Computed with rlbench {__version__}."
    note = " ".join(text for text in [*notes, made_by] if text)
    if format == "markdown":
        return _markdown(header, rows, caption, note)
    return _latex(header, rows, caption, note)


def _latex(
    header: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]], caption: str, note: str
) -> str:
    def cell_text(cell: Cell) -> str:
        return _cell_text(
            cell,
            _latex_number,
            lambda text: f"\\textbf{{{text}}}",
            lambda text: f"{{\\scriptsize {text}}}",
            "--",
        )

    shown = short_names([name for name, _ in rows])
    if [*header[1:], *(name for name, _ in rows)] != [*short_names(header[1:]), *shown]:
        note = f"Long names are cut. {note}"
    lines = [
        " & ".join([escape_latex(name), *map(cell_text, cells)])
        for name, (_, cells) in zip(shown, rows, strict=True)
    ]
    body = [f"    {line} \\\\" for line in lines]
    names = " & ".join(escape_latex(name) for name in [header[0], *short_names(header[1:])])
    # Over both columns of a page with two; where there is one column it is a table like any other.
    float_name = "table*" if len(header) > _COLUMNS_OF_HALF_A_PAGE else "table"
    return "\n".join(
        [
            "% needs \\usepackage{booktabs,graphicx}",
            f"\\begin{{{float_name}}}[t]",
            "  \\centering",
            f"  \\caption{{{escape_latex(caption)}}}",
            "  % as wide as it is, but never wider than the text",
            "  \\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
            f"  \\begin{{tabular}}{{l{'c' * (len(header) - 1)}}}",
            "    \\toprule",
            f"    {names} \\\\",
            "    \\midrule",
            *body,
            "    \\bottomrule",
            "  \\end{tabular}}",
            "",
            "  \\smallskip",
            f"  {{\\footnotesize\\raggedright {escape_latex(note)}\\par}}",
            f"\\end{{{float_name}}}",
        ]
    )


def _markdown(
    header: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]], caption: str, note: str
) -> str:
    def cell_text(cell: Cell) -> str:
        # A bracket after a number, as a link would begin, is none without a target.
        return _cell_text(cell, _number, lambda text: f"**{text}**", str, "–")

    lines = [[escape_markdown(name) for name in header], ["---", *["---:"] * (len(header) - 1)]]
    lines += [[escape_markdown(name), *map(cell_text, cells)] for name, cells in rows]
    return "\n".join(
        [
            escape_markdown(caption),
            "",
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            escape_markdown(note),
        ]
    )


def _cell_text(
    cell: Cell,
    show: Callable[[float], str],
    embolden: Callable[[str], str],
    set_interval: Callable[[str], str],
    hole: str,
) -> str:
    if cell.point is None:
        return hole
    point = show(cell.point)
    text = embolden(point) if cell.bold else point
    if cell.low is None or cell.high is None:
        return text
    return f"{text} {set_interval(f'[{show(cell.low)}, {show(cell.high)}]')}"


def _number(value: float) -> str:
    text = number(value)
    # Nothing is minus nothing.
    return text if text.strip("-0.") else text.lstrip("-")


def _latex_number(value: float) -> str:
    return _number(value).replace("-", "$-$")
