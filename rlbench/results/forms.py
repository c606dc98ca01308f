"""Scores from tables that any tool may have written.

Long form: a row a run, with the columns ``agent``, ``task``, ``score`` and, if they are known,
``seed`` and ``step`` (the last step of a run counts). Wide form: a row a run and a column a task,
with ``agent`` and ``seed`` if they are known, or a column an agent. `reading` says which other
names of columns are understood, and what a user may say. What is not understood is refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rlbench.errors import InvalidScores
from rlbench.results.long_form import COUNTED, runs_of_long
from rlbench.results.reading import OF_MEANS, OF_SPREAD, Reading, Roles, fold, roles_of, words
from rlbench.results.score_files import ScoreFile
from rlbench.results.tables import SPREAD, Table, table_of
from rlbench.results.wide_form import runs_of_wide

_GROUP = re.compile(r"\w+: .+")  # how Weights & Biases names a group of runs


def runs_of(
    table: Table,
    normalise_by: tuple[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008
) -> ScoreFile:
    """Return the scores of a table in long or wide form.

    Args:
        table: Rows whose ``status`` is not ``ok`` or ``published`` are left out.
        normalise_by: Two columns of the long form with the reference scores of the row's task:
            a score becomes ``(score - first) / (second - first)``.
        reading: What the user says of the table.

    Returns:
        Agent, then task, to scores (runs,) in the order of seeds, or of the table without them.
        Without a column for it, the agent is the file's name. The note says what was read as what.

    Raises:
        InvalidScores: There are no scores, one is not a finite number, a run appears twice, rows
            are no runs, or what the columns are is not clear; the message names the row or the
            columns, and the option that helps.
    """
    path, header = table.path, table.header
    if len(set(header)) != len(header):
        raise InvalidScores(f"{path} names a column twice: {', '.join(header)}")
    roles = roles_of(path, header, table.columns, reading)
    _refuse_means(table, roles)
    table, remarks = _with_status(table, roles.known)
    of_file = [table.remark] if table.remark else []
    roles = roles._replace(remarks=[*of_file, *roles.remarks, *remarks])
    if reading.agent and "agent" in roles.known and not reading.path:
        raise InvalidScores(
            f"{path} has a column of agents, {header[roles.known['agent']]!r}: leave --agent out"
        )
    if reading.metric and _is_transposed(header, roles):
        table = _turned(table, roles, reading.metric)
        roles = Roles({"task": 0, "seed": 1, "score": 2}, [], [], roles.remarks)
        reading = replace(reading, metric="")
    if "score" in roles.known and not reading.wide and not reading.columns_are:
        return runs_of_long(table, roles, normalise_by, reading)
    if normalise_by is not None:
        raise InvalidScores(f"{path} has a column a task: only the long form is normalised by two")
    return runs_of_wide(table, roles, reading)


def _is_transposed(header: Sequence[str], roles: Roles) -> bool:
    """Say whether rows are ``METRIC:TASK`` and columns the numbers of runs."""
    return set(roles.known) == {"metric"} and all(header[k].isdecimal() for k in roles.others)


def _turned(table: Table, roles: Roles, metric: str) -> Table:
    """Return a transposed table's scores of one metric in long form: task, seed, score."""
    cells = [cell.partition(":")[::2] for cell in table.columns[roles.known["metric"]]]
    if metric not in (known := list(dict.fromkeys(name for name, _ in cells))):
        raise InvalidScores(f"{table.path} has the metrics {', '.join(known[:20])}, no {metric!r}")
    turned = [
        (table.places[n], [task, table.header[k], table.columns[k][n]])
        for n, (name, task) in enumerate(cells)
        if name == metric
        for k in roles.others
        if table.columns[k][n]
    ]
    return table_of(table.path, ["task", "run", "score"], turned)


def _with_status(table: Table, known: Mapping[str, int]) -> tuple[Table, list[str]]:
    """Return the table's rows that count, and what was left out."""
    if "status" not in known:
        return table, []
    cells = table.columns[known["status"]]
    kept = [n for n, cell in enumerate(cells) if cell.casefold() in COUNTED]
    said = ", ".join(
        repr(cell) for cell in sorted({cell for cell in cells if cell.casefold() not in COUNTED})
    )
    if not kept:
        raise InvalidScores(
            f"{table.path} has no scores: rows count whose {table.header[known['status']]} is "
            f"'ok', and there are only {said}"
        )
    left = table.size - len(kept)
    if not left:
        return table, []
    return table.take(kept), [f"left out: {left} rows with the status {said}"]


def _refuse_means(table: Table, roles: Roles) -> None:
    """Refuse means over runs, of which no interval and no test can be made."""
    header = table.header
    # Further down `number_of` says so.
    spread = [cells[0] for cells in table.columns if SPREAD.search(cells[0])]
    why = f"{table.places[0]} has {spread[0]!r}" if spread else ""
    means = [header[k] for k in roles.others if words(header[k]) & OF_MEANS]
    if means and "seed" not in roles.known:
        if "score" not in roles.known:
            why = why or f"there is no column of scores, but {', '.join(means)}"
        else:
            of_pair = [k for role, k in roles.known.items() if role in ("agent", "task", "step")]
            pairs = {tuple(table.columns[k][n] for k in of_pair) for n in range(table.size)}
            if len(pairs) == table.size and any(words(name) & OF_SPREAD for name in means):
                why = why or f"beside the score there is {', '.join(means)}, and no seed"
    names = [k for k in roles.others if fold(header[k]) == "name"]
    if names and "seed" not in roles.known and all(map(_GROUP.fullmatch, table.columns[names[0]])):
        why = why or f"its rows are groups of runs, {table.columns[names[0]][0]!r}"
    if why:
        raise InvalidScores(
            f"{table.path} holds means without runs ({why}): statistics need the score of every run"
        )
