"""Headlines: who has the highest score on a board, how sure that is, and what it rests on."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rlbench.leaderboard.axes import Axis, aggregate_axis
from rlbench.leaderboard.boards import Board, Entry
from rlbench.leaderboard.captions import HEADLINE, number_of, short_number
from rlbench.results import published
from rlbench.results.published import Published
from rlbench.stats.aggregates import LABELS
from rlbench.stats.summary import SummaryRow

_DATE = re.compile(r"\d{4}(-\d\d-\d\d)?", re.ASCII)


class Lead(NamedTuple):
    """The agent with the highest score of some, and what that says.

    Attributes:
        entry: The agent.
        metric: The aggregate that they were compared by.
        claim: What follows its name, e.g. ``has the highest IQM of 17 published agents``.
        differs: The fields in which the protocol of a published one is known to differ, or nothing.
        certainty: Sentences that say this, and how far it is ranked.
    """

    entry: Entry
    metric: str
    claim: str
    differs: str
    certainty: str


class Head(NamedTuple):
    """What a board opens with, and what its card on the first page shows.

    Attributes:
        board: The board.
        leads: Who leads.
        facts: How much stands behind it.
        metric: The aggregate that is drawn.
        shown: The agents that are drawn.
        axis: Theirs.
    """

    board: Board
    leads: tuple[Lead, ...]
    facts: tuple[str, ...]
    metric: str
    shown: tuple[Entry, ...]
    axis: Axis


def head_of(board: Board, most: int) -> Head:
    """Return what a board opens with.

    Args:
        board: The board.
        most: So many agents are drawn.
    """
    metric, shown = headline_metric(board.entries), top(board, most)
    axis = aggregate_axis(entry.metrics[metric] for entry in shown)
    return Head(board, leads(board), facts(board), metric, shown, axis)


def leads(board: Board) -> tuple[Lead, ...]:
    """Return who leads the agents that were run here, and who leads the published ones.

    A part of the board without an agent that has scores on all tasks has no lead.
    """
    found = (
        _lead(board, board.own, "agent run here", "agents run here"),
        _lead(board, board.papers, "published agent", "published agents"),
    )
    return tuple(lead for lead in found if lead)


def top(board: Board, most: int) -> tuple[Entry, ...]:
    """Return the agents with the highest scores on all tasks, the highest first.

    The best of those that were run here is among them, however many published ones are above it.
    """
    found = complete(board, board.entries)
    shown = list(found[:most])
    own = next((entry for entry in found if not entry.paper), None)
    if own and own not in shown:
        shown[-1] = own
    return tuple(shown)


def complete(board: Board, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the agents with scores on all tasks and the `headline_metric`, the highest first."""
    metric = headline_metric(entries)
    found = [e for e in entries if len(e.values) == len(board.suite.tasks) and metric in e.metrics]
    return tuple(sorted(found, key=lambda entry: (-entry.metrics[metric].point, entry.agent)))


def headline_metric(entries: Iterable[Entry]) -> str:
    """Return what agents are compared by: the mean, where none of them has runs."""
    return HEADLINE if any(HEADLINE in entry.metrics for entry in entries) else "mean"


def score_text(row: SummaryRow) -> str:
    """Return an aggregate with its interval, or why it has none.

    >>> score_text(SummaryRow("BBF", "iqm", 1.032, 0.998, 1.067, "rao-wu", 52, 26))
    '1.03 [1.00, 1.07]'
    >>> score_text(SummaryRow("lone", "iqm", 0.5, None, None, "none: one run", 1, 26))
    '0.50 (no interval: one run)'
    """
    point = short_number(row.point)
    if row.low is None or row.high is None:
        return f"{point} (no interval: {row.method.removeprefix('none: ')})"
    return f"{point} [{short_number(row.low)}, {short_number(row.high)}]"


def facts(board: Board) -> tuple[str, ...]:
    """Return how much stands behind a board: its tasks, agents and runs, and their dates."""
    found = [number_of(len(board.suite.tasks), "task")]
    if board.own:
        dates = [entry.date for entry in board.own if _DATE.fullmatch(entry.date)]
        when = f", the last on {max(dates)}" if dates else ""
        runs = number_of(_runs(board.own), "run")
        found.append(f"{number_of(len(board.own), 'agent')} with {runs}{when}")
    if board.papers:
        years = sorted(entry.date for entry in board.papers if _DATE.fullmatch(entry.date))
        when = f", {' to '.join(dict.fromkeys((years[0], years[-1])))}" if years else ""
        known = _runs(board.papers)
        runs = f" with {number_of(known, 'run')}" if known else ""
        found.append(f"{number_of(len(board.papers), 'published agent')}{runs}{when}")
    return tuple(found)


def _lead(board: Board, entries: Sequence[Entry], one: str, several: str) -> Lead | None:
    found = complete(board, entries)
    if not found:
        return None
    first, metric = found[0], headline_metric(entries)
    what = "" if not first.paper else " with runs" if metric == HEADLINE else " with scores"
    compared = "" if len(found) == len(entries) else f"{what} on all tasks"
    if len(found) == 1:
        claim = f"is the only {one}{compared}"
    else:
        claim = f"has the highest {LABELS[metric]} of {len(found)} {several}{compared}"
    differs = _differs(first)
    certainty = f"Its protocol differs from this one in {differs}. " if differs else ""
    certainty += _certainty(board, first, len(found))
    return Lead(first, metric, claim, differs, certainty)


def _differs(entry: Entry) -> str:
    if not entry.paper:
        return ""
    known = [d for d in published.deviations(entry.paper) if d.theirs is not None]
    return _few([deviation.field.replace("_", " ") for deviation in known])


def _certainty(board: Board, first: Entry, compared: int) -> str:
    if not first.place:
        return f"It is not ranked ({first.not_ranked})."
    place = first.place
    text = f"Among the {place.of} agents of pool {place.pool}, whose protocols are equal, "
    if place.high == 1:
        text += "it ranks first with 95% confidence."
    else:
        alike = [
            entry.agent
            for entry in board.pools[place.pool]
            if entry is not first and entry.place and set(entry.place.tier) & set(place.tier)
        ]
        text += f"its rank is {place.low} to {place.high} with 95% confidence"
        text += f": it was not separated from {_few(alike)}." if alike else "."
    if compared > place.of:
        text += " The others are not ranked against it."
    return text


def _few(names: Sequence[str]) -> str:
    """Return up to three names, and how many more there are.

    >>> _few([]), _few(["A"]), _few(["A", "B", "C"]), _few(["A", "B", "C", "D"])
    ('', 'A', 'A, B and C', 'A, B and 2 more')
    """
    if len(names) < 2:
        return "".join(names)
    shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _runs(entries: Iterable[Entry]) -> int:
    """Return over how many runs scores were taken, as far as that is known."""
    return sum(
        _runs_behind_means(entry.paper)
        if entry.paper and entry.paper.source.means_only
        else sum(len(scores) for scores in entry.values.values())
        for entry in entries
    )


def _runs_behind_means(paper: Published) -> int:
    return sum(runs for _, runs in paper.spread.values())
