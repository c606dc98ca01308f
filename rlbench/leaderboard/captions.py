"""What tables and captions say in words: of statistics, of runs and tasks, and of intervals."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

from rlbench.stats.aggregates import AGGREGATES
from rlbench.stats.bands import CurveEstimate
from rlbench.stats.coverage import (
    LEAST,
    OTHER_METHODS,
    coverage_warning,
    coverage_warnings,
    measured_coverage,
)
from rlbench.stats.intervals import ALL_EQUAL, ONE_RUN, why_no_interval
from rlbench.stats.proportions import METHOD as BY_RATE
from rlbench.stats.proportions import are_successes
from rlbench.stats.reporting import HOW
from rlbench.stats.summary import WITHOUT_INTERVAL, SummaryRow

# Headings of tables and panels, and the words of captions.
METRICS = {name: of.label[0].upper() + of.label[1:] for name, of in AGGREGATES.items()}
HEADLINE = "iqm"  # what agents are ranked by, and boards open with
IN_TEXT = {name: of.title for name, of in AGGREGATES.items()}
TEXT_WIDTH = 5.5  # inches, of a page of NeurIPS and ICLR
ONE_RUN_TEXT = "Agents with one run on a task, or runs that are all equal, have no interval."
MARK = "\u2020"  # a dagger: there is a note on the interval
MAX_BANDS = 8  # agents; the bands of more would hide each other


def setting_text(agents: Collection[Sequence[Any]], normalised_by: str) -> str:
    """Return over how many tasks and runs scores were taken, and how they are normalised.

    Args:
        agents: The tasks of each agent, each an array whose first axis is runs.
        normalised_by: What scores are normalised by, or nothing.
    """
    sizes = [len(runs) for tasks in agents for runs in tasks]
    least, most = min(sizes), max(sizes)
    number = f"{least} to {most} runs" if least < most else number_of(least, "run")
    counts = sorted({len(tasks) for tasks in agents})
    tasks = " to ".join(str(count) for count in {counts[0]: 0, counts[-1]: 0})
    scale = f"normalised by {normalised_by}" if normalised_by else "not normalised further"
    return f"over {tasks} task{'s' * (counts[-1] > 1)} with {number} a task; scores are {scale}"


def interval_text(
    what: str,
    agents: Collection[Sequence[Any]],
    *,
    method: str,
    repetitions: int,
    level: float,
    seed: int,
    of: Collection[str],
) -> str:
    """Return how intervals were made, in the words of `stats.methods_text` but plain text.

    Args:
        what: What shows the intervals, e.g. ``Lines``.
        agents: The tasks of each agent, each an array whose first axis is runs.
        method: Of the intervals.
        repetitions: Resamples.
        level: Nominal coverage.
        seed: Of the resampling.
        of: What they are of, as `stats.coverage.coverage_warnings` takes it.
    """
    why = {why_no_interval(tasks) for tasks in agents}
    if why == {ONE_RUN}:
        return "With one run on a task there are no intervals."
    if "" not in why:
        return "With one run on a task, or runs that are all equal, there are no intervals."
    how = re.sub(r"~\\citep\{[^}]*\}", "", HOW[method][0])
    text = (
        f"{what} are nominal {level * 100:g}% stratified bootstrap intervals from "
        f"{repetitions:,} resamples (seed {seed}), {method}: {how}. They speak of these tasks, not "
        "of others."
    )
    if ONE_RUN in why:
        text += " Agents with one run on a task have none."
    if ALL_EQUAL in why and "improvement" not in of:
        text += " Agents whose runs are equal on every task have none."
    if method == "rao-wu" and any(are_successes(tasks) for tasks in agents):
        text += f" Of scores that are all 0 or 1 they are: {BY_RATE}."
    if method != "rao-wu":
        text += f" {OTHER_METHODS.format(method=method)}"
    shown = [metric for metric in of if metric not in WITHOUT_INTERVAL]
    return " ".join([text, *coverage_warnings(shown, agents)])


def coverage_note(low: float | None, method: str, statistic: str, tasks: int, runs: int) -> str:
    """Return why an interval is to be marked: how rarely it covers; nothing if often enough.

    Args:
        low: Its lower end, if there is one.
        method: How it was made; only those of the bootstrap were measured.
        statistic: As `stats.coverage.measured_coverage` takes it.
        tasks: The number of tasks.
        runs: The least number of runs a task.
    """
    if low is None or "bootstrap" not in method:
        return ""
    return coverage_warning(statistic, tasks, runs)


def mark_of(row: SummaryRow) -> str:
    """Return the mark of an aggregate whose interval covers too rarely; else nothing."""
    noted = coverage_note(row.low, row.method, row.metric, row.tasks, row.runs)
    return MARK if noted else ""


def marked_text(rows: Iterable[SummaryRow]) -> str:
    """Return what the mark in a table of aggregates says; nothing if there is none.

    The text has one sentence for each metric: that of the agent whose interval covers least.
    """
    rarest: dict[str, tuple[float, str]] = {}
    for row in rows:
        if noted := coverage_note(row.low, row.method, row.metric, row.tasks, row.runs):
            share = measured_coverage(row.metric, row.tasks, row.runs)[0]
            rarest[row.metric] = min(rarest.get(row.metric, (1.0, "")), (share, noted))
    if not rarest:
        return ""
    said = " ".join(noted for _, noted in rarest.values())
    return f"{MARK} Measured to cover less than {LEAST:.0%} of the time. {said}"


def band_text(bands: Mapping[str, CurveEstimate], seed: int) -> str:
    """Return how the bands of curves were made.

    Args:
        bands: The curves by agent.
        seed: Of the resampling.
    """
    with_band = [found for found in bands.values() if found.low is not None]
    if not with_band:
        return "With one run on a task there are no bands."
    found = with_band[0]
    drawn = f" from {found.repetitions:,} resamples (seed {seed})" if found.repetitions else ""
    methods = " or ".join(dict.fromkeys(estimate.method for estimate in with_band))
    text = f"Bands are nominal {found.level * 100:g}% bands{drawn}: {methods}."
    if len(with_band) < len(bands):
        text += " Agents with one run on a task have none."
    if len(bands) > MAX_BANDS:
        text += " Of so many agents they are not drawn; the data has them."
    return text + " They describe these tasks, not others."


def short_names(names: Sequence[str], inches: float = TEXT_WIDTH) -> list[str]:
    """Return names in one line each, cut in the middle if they are long; different ones differ.

    The cut depends on the names and the width of the page alone, so that an agent has one name in
    all figures of a width, and in tables.

    Args:
        names: In full.
        inches: The width of the figure or of the text.

    >>> short_names(["a" * 40, "b"])
    ['aaaaaaaaaaaaa…aaaaaaaaaaaaa', 'b']
    """
    lines = [one_line(name) for name in names]
    limit = max(20.0, 5 * inches)
    while True:
        cut = [_cut(line, limit) for line in lines]
        if len(set(cut)) == len(set(lines)):
            return cut
        limit += 4


def _cut(line: str, limit: float) -> str:
    """Return a line of at most so many letters' width, its middle left out."""
    if sum(map(_letters, line)) <= limit:
        return line
    begin, end = "", ""
    left = limit - 1
    for first, last in zip(line, reversed(line), strict=True):
        left -= _letters(first) + _letters(last)
        if left < 0:
            break
        begin, end = begin + first, last + end
    return f"{begin}\u2026{end}"


def _letters(c: str) -> float:
    """Return how many lower-case letters a character is about as wide as."""
    if east_asian_width(c) in "WF":
        return 2.2
    return 1.5 if c.isupper() or c in "mw@%&_+=<>~" else 1.0


def one_line(text: str) -> str:
    """Return text without line breaks and control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def number_of(number: int, noun: str) -> str:
    """Return a number and its noun.

    >>> number_of(1, "run"), number_of(3000, "run")
    ('1 run', '3,000 runs')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def short_number(value: float) -> str:
    """Return a normalised score in about three digits, with no minus before zero.

    >>> short_number(1.0317), short_number(-0.001), short_number(12.34), short_number(123.4)
    ('1.03', '0.00', '12.3', '123')
    """
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{round(value, decimals) + 0.0:.{decimals}f}"
