"""What the pages that compare two agents show: for templates, and as data for a script.

Each agent has a file of data, which holds its tasks and the pairs that it is the first of. So a
page loads two of them, however many agents a board has. The script computes no statistic: it
subtracts task means that are shown, and turns a pair round.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from math import asinh
from typing import Any, NamedTuple

from rlbench.errors import UsageError
from rlbench.leaderboard.boards import Board, Entry
from rlbench.leaderboard.captions import MARK
from rlbench.leaderboard.pairs import (
    MOST_AGENTS,
    MOST_ALONE,
    Ends,
    PairRow,
    ends_of,
    neighbours,
    of_neighbours,
    pairs_of,
)
from rlbench.leaderboard.tables import number
from rlbench.results import published
from rlbench.stats.aggregates import LABELS
from rlbench.stats.permutation import Pair
from rlbench.suites import Suite, slug

Fields = dict[str, str | None]

EDGE = 4.0  # % of a drawing's width, at either end
ABOVE, BELOW = 2, 19  # px from the top, where strokes of runs begin
APART = 11.0  # % between ticks, at least
# The first are kept where ticks would stand too close.
TICKS = (
    0, 1, 0.5, 2, 5, 10, 20, 50, 100, 200, 500, 1000, -0.5, -1, -2, -5, -10, -20, -50, -100,
)  # fmt: skip
NOT_KNOWN = "not known"
# What is said of a pair, by its place on the page.
PLACES = (
    "a", "b", "verdict", "note", "value", "a-point", "a-ends", "a-runs", "b-point", "b-ends",
    "b-runs", "gap-point", "gap-ends", "chance-point", "chance-ends", "p", "methods",
)  # fmt: skip
# In braces: the names of the agents, the statistic, and numbers.
WORDS = {
    "larger": "{a} is better than {b}.",
    "smaller": "{a} is worse than {b}.",
    "differ": "{a} and {b}: their distributions differ; which {statistic} is larger is not "
    "established.",
    "not separated": "{a} and {b} are not separated.",
    "not ranked": "{a} and {b}: {words} ({reason}).",
    "missing": "{a} and {b}: no numbers of this pair were computed.",
    "why missing": "Of a board with many agents, the site has all pairs of each pool, and of the "
    f"first {MOST_AGENTS} agents the other pairs ({MOST_ALONE} at most that are tested by "
    "themselves). The command `rlbench compare` computes any pair.",
    "no common": "The two have no task in common.",
    "family": "The test and the interval of the difference hold for all {family} pairs of their "
    "pool together, as rank sets do.",
    "alone": "They were tested as a pair, by themselves: rank sets do not cover them.",
    "not equal": "This does not show that they are equal.",
    "tasks": "On {n} of {total} tasks, which both have scores of.",
    "value": "Normalised {statistic}",
    "no interval": "no interval",
    "not tested": "not computed: the two were not tested",
    "too many": "not computed for this pair; `rlbench compare` does",
    "same": "No known field of the two protocols differs.",
    "no run": "no score",
    "not known": NOT_KNOWN,
    "mark": MARK,
}


class TaskLine(NamedTuple):
    """A task of two agents, drawn: places are % of the width.

    Attributes:
        task: Its name.
        a: The mean of the first agent; nothing without a score.
        b: That of the second.
        gap: The difference of the two means as they are shown.
        at_a: Where the first mean stands.
        at_b: Where the second does.
        runs_a: A path of strokes where the first agent's runs stand; nothing of means.
        runs_b: One where the second's do.
    """

    task: str
    a: str
    b: str
    gap: str
    at_a: str
    at_b: str
    runs_a: str
    runs_b: str


class Scale(NamedTuple):
    """The axis of a drawing: linear near 0, logarithmic far from it (asinh)."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value stands, in % of the width."""
        low, high = asinh(self.low), asinh(self.high)
        return round(EDGE + (asinh(value) - low) / (high - low) * (100 - 2 * EDGE), 2)

    @property
    def ticks(self) -> list[tuple[float, float]]:
        """Round values with their places; 0 and 1 always."""
        kept: list[tuple[float, float]] = []
        for value in TICKS:
            if self.low <= value <= self.high:
                at = self.at(value)
                if all(abs(at - other) >= APART for _, other in kept):
                    kept.append((value, at))
        return kept


def compare_files(board: Board, page: Callable[..., bytes]) -> Iterator[tuple[str, bytes]]:
    """Give the pages that compare two agents of a board, and their data, by name in its folder.

    Args:
        board: With at least two agents.
        page: Renders a template, at a depth below the index, with a context.
    """
    found = pairs_of(board)
    beside = of_neighbours(board, found)
    common = {"board": board, "words": WORDS}
    yield "compare.html", page(
        "compare.html", 1, **common, up="", pair=None, view=dict.fromkeys(PLACES, ""),
        protocols=[], lines=[], scale=Scale(0.0, 1.0), links=links_of(board, beside),
        data=page_data(board),
    )  # fmt: skip
    for name, content in data_files(board, found):
        yield f"compare/{name}", content
    by_slug = {entry.slug: entry for entry in board.entries}
    for pair, row in beside.items():
        a, b = (by_slug[name] for name in pair)
        scale, lines = lines_of(board, a, b)
        yield f"compare/{a.slug}.html", page(
            "compare.html", 2, **common, up="../", pair=pair, view=view_of(board, row),
            protocols=protocols_of(board, a, b), lines=lines, scale=scale, links=[], data={},
        )  # fmt: skip


def lines_of(board: Board, a: Entry, b: Entry) -> tuple[Scale, list[TaskLine]]:
    """Return the axis and the tasks of two agents, the greatest difference of means first.

    Tasks of which one agent has no score come last; those of neither are left out.
    """
    names = [task.name for task in board.tasks if task.name in a.values or task.name in b.values]
    drawn = {
        (entry.slug, task): (_shown(entry.normalised[task].mean()), _runs(entry, task))
        for entry in (a, b)
        for task in names
        if task in entry.values
    }
    all_values = [value for mean, runs in drawn.values() for value in (mean, *runs)]
    scale = Scale(min([0.0, *all_values]), max([1.0, *all_values]))
    lines: list[tuple[float, TaskLine]] = []
    for task in names:
        one, two = drawn.get((a.slug, task)), drawn.get((b.slug, task))
        gap = one[0] - two[0] if one and two else None
        line = TaskLine(
            task=task,
            a=number(one[0]) if one else "",
            b=number(two[0]) if two else "",
            gap=number(gap) if gap is not None else "",
            at_a=f"{scale.at(one[0]):g}" if one else "",
            at_b=f"{scale.at(two[0]):g}" if two else "",
            runs_a=_strokes(scale, one[1], ABOVE) if one else "",
            runs_b=_strokes(scale, two[1], BELOW) if two else "",
        )
        lines.append((float("inf") if gap is None else -gap, line))
    lines.sort(key=lambda item: item[0])
    return scale, [line for _, line in lines]


def _strokes(scale: Scale, runs: Iterable[float], top: int) -> str:
    return "".join(f"M{scale.at(value):g} {top}v5" for value in runs)


def view_of(board: Board, row: PairRow) -> dict[str, str]:
    """Return what is said of a pair, by the names of its places on the page."""
    by_slug = {entry.slug: entry for entry in board.entries}
    a, b = by_slug[row.a], by_slug[row.b]
    statistic = LABELS[row.statistic]
    names = {"a": a.agent, "b": b.agent, "statistic": statistic}
    names |= {"words": row.words, "reason": row.reason}
    return {
        "a": a.agent,
        "b": b.agent,
        "verdict": WORDS[row.decision].format_map(names),
        "note": " ".join(_notes(board, row)),
        "value": WORDS["value"].format_map(names),
        "a-point": number(row.of_a.point),
        "a-ends": _interval(row.of_a),
        "a-runs": a.runs_text,
        "b-point": number(row.of_b.point),
        "b-ends": _interval(row.of_b),
        "b-runs": b.runs_text,
        "gap-point": number(row.difference.point),
        "gap-ends": _interval(row.difference),
        "chance-point": number(row.improvement.point) if row.improvement else _no_chance(row),
        "chance-ends": _interval(row.improvement) if row.improvement else "",
        "p": "" if row.p_value is None else f"{row.p_value:.2g}",
        "methods": methods_of(row),
    }


def _notes(board: Board, row: PairRow) -> Iterator[str]:
    if row.decision == "not separated":
        yield WORDS["not equal"]
    if row.family:
        yield WORDS["family" if row.family > 1 else "alone"].format(family=f"{row.family:,}")
    yield WORDS["tasks"].format(n=len(row.tasks), total=len(board.suite.tasks))
    shown = (row.of_a, row.of_b, row.difference, row.improvement)
    if said := dict.fromkeys(ends.note for ends in shown if ends and ends.note):
        yield f"{MARK} {' '.join(said)}"


def _no_chance(row: PairRow) -> str:
    return WORDS["too many" if row.family else "not tested"]


def _interval(ends: Ends) -> str:
    if ends.low is None:
        return WORDS["no interval"]
    return f"[{number(ends.low)}, {number(ends.high)}]" + f" {MARK}" * bool(ends.note)


def methods_of(row: PairRow) -> str:
    """Return how the numbers of a pair were made."""
    of_agents = " and ".join(dict.fromkeys((row.of_a.method, row.of_b.method)))
    said = [f"of each agent: {of_agents}", f"of the difference: {row.difference.method}"]
    if row.improvement:
        said.append(f"of the probability: {row.improvement.method}")
    test = f" The p-value: {row.test}." if row.test else ""
    return f"Intervals, 95% nominal, {'; '.join(said)}.{test}"


def protocols_of(board: Board, a: Entry, b: Entry) -> list[tuple[str, str, str]]:
    """Return name, the first agent's value and the second's, of what differs or is not known."""
    ours = suite_fields(board.suite)
    one, two = (_fields(entry) or ours for entry in (a, b))
    rows = [
        (name.replace("_", " "), one[name] or NOT_KNOWN, two[name] or NOT_KNOWN)
        for name in _differing(a, b, one, two)
    ]
    terms = zip(_terms(a).items(), _terms(b).values(), strict=True)
    return rows + [(name, mine, other) for (name, mine), other in terms if mine != other]


def _differing(a: Entry, b: Entry, one: Fields, two: Fields) -> list[str]:
    if a.paper and b.paper:
        return [name for name in one if one[name] != two[name] or one[name] is None]
    paper = a.paper or b.paper
    return [deviation.field for deviation in published.deviations(paper)] if paper else []


def suite_fields(suite: Suite) -> Fields:
    """Return the fields of a suite's protocol as text; none where nothing was published."""
    try:
        return {name: _text(value) for name, value in published.fields_of(suite).items()}
    except UsageError:
        return {}


def _fields(entry: Entry) -> Fields:
    if not entry.paper:
        return {}
    return {name: _text(value) for name, value in entry.paper.fields.items()}


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return None if value is None else str(value)


def _terms(entry: Entry) -> dict[str, str]:
    return {
        "was given": ", ".join(entry.terms.given).replace("_", " ") or "nothing",
        "engine": entry.terms.engine or "the expected one",
    }


def page_data(board: Board) -> dict[str, Any]:
    """Return what the script takes that is the same for all pairs."""
    return {
        "tasks": [{"name": task.name, "page": f"tasks/{slug(task.name)}.html"}
                  for task in board.tasks],
        "total": len(board.suite.tasks),
        "fields": suite_fields(board.suite),
        "words": WORDS,
        "labels": {name: LABELS[name] for name in ("iqm", "mean")},
        "ticks": TICKS,
        "edge": EDGE,
        "apart": APART,
        "tops": [ABOVE, BELOW],
    }  # fmt: skip


def data_files(board: Board, found: Mapping[Pair, PairRow]) -> Iterator[tuple[str, bytes]]:
    """Give the name and the content of each agent's file of data.

    Args:
        board: The board.
        found: What `pairs_of` says.
    """
    firsts: dict[str, list[PairRow]] = {}
    for row in found.values():
        firsts.setdefault(row.a, []).append(row)
    for entry in board.entries:
        texts: dict[str, int] = {}
        data = {
            "name": entry.agent,
            "runs": entry.runs_text,
            "terms": _terms(entry),
            "fields": _fields(entry) or None,
            "deviates": [d.field for d in published.deviations(entry.paper)] if entry.paper else [],
            "full": {
                name: _short(ends_of(known), texts)
                for name in ("iqm", "mean")
                if (known := entry.metrics.get(name))
            },
            "tasks": [
                [_shown(entry.normalised[task.name].mean()), _runs(entry, task.name)]
                if task.name in entry.values
                else None
                for task in board.tasks
            ],
            "pairs": {row.b: _packed(row, texts) for row in firsts.get(entry.slug, [])},
        }
        data["texts"] = list(texts)
        arguments = f"{_json(entry.slug)}, {_json(data)}"
        yield f"{entry.slug}.js", f'"use strict";\nrlbenchCompare({arguments});\n'.encode()


def _packed(row: PairRow, texts: dict[str, int]) -> dict[str, Any]:
    """Return a pair for the script; names are short, for a pool has very many pairs."""
    packed: dict[str, Any] = {
        "s": row.statistic,
        "n": len(row.tasks),
        "a": _short(row.of_a, texts),
        "b": _short(row.of_b, texts),
        "d": _short(row.difference, texts),
        "i": row.improvement and _short(row.improvement, texts),
        "p": "" if row.p_value is None else f"{row.p_value:.2g}",
        "t": _place(row.test, texts),
        "is": row.decision,
        "of": row.family,
        "r": _place(row.reason, texts),
        "w": _place(row.words, texts),
    }
    return packed


def _short(ends: Ends, texts: dict[str, int]) -> list[float | int | None]:
    """Return point, low, high and the places of method and note among the texts."""
    shown = [None if value is None else _shown(value) for value in ends[:3]]
    return [*shown, _place(ends.method, texts), _place(ends.note, texts)]


def _place(text: str, texts: dict[str, int]) -> int:
    return texts.setdefault(text, len(texts))


def _shown(value: float) -> float:
    """Return a number as it is shown."""
    return float(number(value).replace(",", ""))


def _runs(entry: Entry, task: str) -> list[float]:
    """Return an agent's scores of a task; of means there are none."""
    if entry.paper and entry.paper.source.means_only:
        return []
    return [_shown(value) for value in entry.normalised[task].tolist()]


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def links_of(board: Board, rows: Iterable[Pair]) -> list[tuple[str, list[tuple[Entry, Entry]]]]:
    """Return the neighbours that have a page, under the headings of their lists."""
    there = set(rows)
    found = [
        (heading, [(a, b) for a, b in pairwise(entries) if (a.slug, b.slug) in there])
        for heading, entries in neighbours(board)
    ]
    return [(heading, pairs) for heading, pairs in found if pairs]
