"""Tables in long form: a row a run, or a row for each step of a run."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from rlbench.errors import InvalidScores
from rlbench.results.formats.content import stem_of
from rlbench.results.reading import EPISODE, Reading, Roles, fold, from_outside, in_words
from rlbench.results.score_files import Curve, ScoreFile
from rlbench.results.tables import Table, column_of, numbers_in, place_of, some
from rlbench.results.task_names import are_tasks, fold_task

EARLY = 0.99  # a run that ends before this share of the longest one's steps ended early
PUBLISHED = "published"  # the status of rows of scores from papers
COUNTED = ("ok", PUBLISHED)  # rows of any other status are left out
TELLING = ("options", "unofficial")  # columns of an export that tell settings of an agent apart

_UNHARMED = re.compile(r"^'(?=[=+@-])")  # the quote that `write_csv` puts before a formula
_SAID = ("agent", "task", "seed", "step", "score")

_T = TypeVar("_T")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def runs_of_long(
    table: Table, roles: Roles, normalise_by: tuple[str, str] | None, reading: Reading
) -> ScoreFile:
    """Return the scores of a table in long form, as `rlbench.results.forms.runs_of` says."""
    table, notes = _of_metric(table, roles, reading)
    path, header, known = table.path, table.header, roles.known
    if reading.task and "task" in known and not reading.path:
        raise InvalidScores(
            f"{path} has a column of tasks, {header[known['task']]!r}: leave --task out"
        )
    if reading.at_step is not None and "step" not in known:
        raise InvalidScores(f"{path} has no column of steps for --at-step: {', '.join(header)}")
    notes += _of_export(table, reading)
    if "task" not in known and "score" not in reading.columns:
        _refuse_tasks_beside(table, roles)
    rows = _rows_of(table, known, normalise_by, reading)
    seeds, more = _seeds_of(table, roles, rows)
    notes += [*more, *_merged(rows)]
    runs = _in_order(table, roles, rows, seeds)
    last = _last(table, rows, runs, seeds, reading.at_step)
    if "step" in known:
        notes += _ends(rows, runs, seeds, reading.at_step)
    of_header = {role: header[known[role]] for role in _SAID if role in known}
    outside = {
        role: from_outside(name, path)
        for role, name in (("agent", reading.agent), ("task", reading.task))
        if role not in known
    }
    ignored = [k for k in (*roles.unnamed, *roles.others) if header[k] not in (normalise_by or ())]
    said = in_words(header, outside | of_header, ignored)
    of_pairs = list(runs.of_pairs(rows))
    return ScoreFile(
        _nested((agent, task, rows.scores[last[part]]) for agent, task, part in of_pairs),
        ". ".join([said, *roles.remarks, *notes]),
        seeds=_nested(
            (agent, task, [seeds.names[rank] for rank in runs.ranks[part]])
            for agent, task, part in of_pairs
            if seeds.names
        ),
        curves=_nested(
            (agent, task, runs.curves(rows, part))
            for agent, task, part in of_pairs
            if "step" in known and seeds.is_complete
        ),
        sources=_sources_of(table, known, rows),
    )


def _nested(triples: Iterable[tuple[str, str, _T]]) -> dict[str, dict[str, _T]]:
    found: dict[str, dict[str, _T]] = {}
    for agent, task, value in triples:
        found.setdefault(agent, {})[task] = value
    return found


class _Rows(NamedTuple):
    """The rows of a table in long form, column by column.

    Attributes:
        agents: The agent of each row.
        tasks: Its task, as it is spelled.
        steps: Its step, (rows,); 0 without a column of steps.
        scores: Its score, (rows,).
        pairs: The number of its agent and task, in any spelling, (rows,).
    """

    agents: list[str]
    tasks: list[str]
    steps: Floats
    scores: Floats
    pairs: Ints


class _Seeds(NamedTuple):
    """Which run of its agent and task each row belongs to.

    Attributes:
        ranks: The run's place in the order of seeds, (rows,); -1 of a row that belongs to none.
        names: The seed at each place; none where runs have no names.
    """

    ranks: Ints
    names: list[str]

    @property
    def is_complete(self) -> bool:
        """Whether all rows belong to a run."""
        return bool((self.ranks >= 0).all())

    def said(self, row: int) -> str:
        """Return the name of a row's run, to be put behind its task."""
        return f", seed {self.names[self.ranks[row]]!r}" if self.names else ""


class _Runs(NamedTuple):
    """Rows in the order of agents and tasks, runs and steps.

    Attributes:
        order: The rows, those that belong to a run.
        begins: Where each run begins among these, (runs,).
        ends: Where it ends, (runs,).
        pairs: The number of each run's agent and task, (runs,).
        ranks: Its place in the order of seeds, (runs,).
        names: The first spelling of each task, by its folded one.
    """

    order: Ints
    begins: Ints
    ends: Ints
    pairs: Ints
    ranks: Ints
    names: dict[str, str]

    def of_pairs(self, rows: _Rows) -> Iterable[tuple[str, str, slice]]:
        """Yield each agent and task, and which runs are theirs."""
        begins = _begins(self.pairs)
        for begin, end in zip(begins, [*begins[1:], len(self.pairs)], strict=True):
            agent, task = self.whose(rows, begin)
            yield agent, task, slice(int(begin), int(end))

    def whose(self, rows: _Rows, run: int) -> tuple[str, str]:
        """Return the agent and the task of a run."""
        row = self.order[self.begins[run]]
        return rows.agents[row], self.names[fold_task(rows.tasks[row])]

    def curves(self, rows: _Rows, part: slice) -> list[Curve]:
        """Return the steps and scores of some runs."""
        at = [
            self.order[begin:end]
            for begin, end in zip(self.begins[part], self.ends[part], strict=True)
        ]
        return [(rows.steps[run], rows.scores[run]) for run in at]


def _begins(sorted_numbers: Ints) -> Ints:
    """Return where each number begins.

    >>> _begins(np.array([3, 3, 5, 5, 5])).tolist()
    [0, 2]
    """
    return np.flatnonzero(np.diff(sorted_numbers, prepend=-1))


def _numbers(values: Sequence[Hashable]) -> Ints:
    """Return a number for each value, counted as they first come.

    >>> _numbers(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    places = {value: n for n, value in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(places.__getitem__, values), np.int64, len(values))


def _rows_of(
    table: Table,
    known: Mapping[str, int],
    normalise_by: tuple[str, str] | None,
    reading: Reading,
) -> _Rows:
    scores = numbers_in(table, known["score"])
    if normalise_by is not None:
        low, high = _references(table, normalise_by)
        scores = (scores - low) / (high - low)
    agents, tasks = (
        table.columns[known[role]] if role in known else [given or stem_of(table.path)] * table.size
        for role, given in (("agent", reading.agent), ("task", reading.task))
    )
    agents = _told_apart(table, agents)
    steps = numbers_in(table, known["step"]) if "step" in known else np.zeros(table.size)
    of_names = _numbers([fold_task(name) for name in dict.fromkeys(tasks)])
    of_tasks = of_names[_numbers(tasks)]
    of_agents = _numbers(agents)
    pairs = _numbers((of_agents * (of_tasks.max() + 1) + of_tasks).tolist())
    return _Rows(agents, tasks, steps, scores, pairs)


def _references(table: Table, normalise_by: tuple[str, str]) -> tuple[Floats, Floats]:
    """Return the two reference scores of each row, each (rows,)."""
    low, high = (numbers_in(table, column_of(table, name)) for name in normalise_by)
    for n in np.flatnonzero(low == high)[:1]:
        raise InvalidScores(
            f"{table.path}, {table.places[n]}: both reference scores are {low[n]:g}"
        )
    return low, high


def _told_apart(table: Table, agents: list[str]) -> list[str]:
    """Return the names of agents, with what tells settings of one agent apart in an export."""
    agents = [_UNHARMED.sub("", name) if name[:1] == "'" else name for name in agents]
    for name in TELLING:
        if name not in table.header:
            continue
        cells = table.columns[table.header.index(name)]
        settings: dict[str, set[str]] = {}
        for agent, cell in zip(agents, cells, strict=True):
            settings.setdefault(agent, set()).add(cell)
        agents = [
            f"{agent} [{cell or f'no {name}'}]" if len(settings[agent]) > 1 else agent
            for agent, cell in zip(agents, cells, strict=True)
        ]
    return agents


def _refuse_tasks_beside(table: Table, roles: Roles) -> None:
    """Refuse columns of a suite's tasks beside a column that is called like one of scores."""
    tasks = [table.header[k] for k in roles.others if are_tasks([table.header[k]])]
    if tasks:
        scores = table.header[roles.known["score"]]
        raise InvalidScores(
            f"{table.path}: the column {scores!r} may be scores, and {some(tasks)} may be tasks: "
            f"say --wide, or --columns score={scores}"
        )


def _sources_of(table: Table, known: Mapping[str, int], rows: _Rows) -> dict[str, str]:
    """Return the published source of each agent whose rows have the status ``published``."""
    if "status" not in known or "source" not in table.header:
        return {}
    sources = table.columns[table.header.index("source")]
    statuses = table.columns[known["status"]]
    return {
        agent: source
        for agent, source, status in zip(rows.agents, sources, statuses, strict=True)
        if status.casefold() == PUBLISHED
    }


def _of_export(table: Table, reading: Reading) -> list[str]:
    """Return what an export says of its rows' suite and of constants that were changed.

    Raises:
        InvalidScores: The rows are of another suite than scores are normalised by, or of several.
    """
    if "suite" not in table.header or "unofficial" not in table.header:
        return []
    suites, constants = (
        table.columns[table.header.index(name)] for name in ("suite", "unofficial")
    )
    found = sorted(set(suites))
    if len(found) > 1 or (reading.suite and found != [reading.suite.id]):
        wanted = reading.suite.id if reading.suite else "one suite"
        raise InvalidScores(f"{table.path} holds scores of {' and '.join(found)}, not of {wanted}")
    changed = sorted(set(constants) - {""})
    return [f"UNOFFICIAL: {'; '.join(changed)}"] if changed else []


def _of_metric(table: Table, roles: Roles, reading: Reading) -> tuple[Table, list[str]]:
    """Return the rows of one metric, where a column says of which metric a row is."""
    path = table.path
    if "metric" not in roles.known:
        if reading.metric:
            raise InvalidScores(
                f"{path} has no column of metrics for --metric: {', '.join(table.header)}"
            )
        return table, []
    cells = table.columns[roles.known["metric"]]
    metrics = list(dict.fromkeys(cells))
    wanted = reading.metric or metrics[0]
    if (len(metrics) > 1 and not reading.metric) or wanted not in metrics:
        raise InvalidScores(
            f"{path} has the metrics {', '.join(metrics[:20])}: name one, --metric {metrics[0]}"
        )
    return table.take([n for n, cell in enumerate(cells) if cell == wanted]), [f"metric: {wanted}"]


def _seeds_of(table: Table, roles: Roles, rows: _Rows) -> tuple[_Seeds, list[str]]:
    """Return which run each row belongs to, and what must be said of it."""
    if "seed" in roles.known:
        cells = table.columns[roles.known["seed"]]
        names = sorted(dict.fromkeys(cells), key=place_of)
        rank = {name: n for n, name in enumerate(names)}
        return _Seeds(np.fromiter(map(rank.__getitem__, cells), np.int64, table.size), names), []
    if episodes := _episodes_in(table, roles):
        raise InvalidScores(
            f"{table.path}: the column {episodes!r} says that rows are episodes, not runs: add a "
            f"column seed, and say --columns step={episodes}"
        )
    return _runs_without_seeds(table, roles, rows)


def _episodes_in(table: Table, roles: Roles) -> str:
    """Return the name of a column that counts episodes, or nothing."""
    return next((table.header[k] for k in roles.others if fold(table.header[k]) in EPISODE), "")


def _runs_without_seeds(table: Table, roles: Roles, rows: _Rows) -> tuple[_Seeds, list[str]]:
    """Return which run each row belongs to, and what must be said of it.

    Without steps each row is a run. Of several rows at a step those at the last step are runs. The
    log of one run, without columns of agents and tasks, is its curve.
    """
    each = np.arange(table.size)
    if "step" not in roles.known:
        return _Seeds(each, []), []
    order = np.lexsort((rows.steps, rows.pairs))
    pairs, steps = rows.pairs[order], rows.steps[order]
    begins = np.flatnonzero((np.diff(pairs, prepend=-1) != 0) | (np.diff(steps, prepend=0) != 0))
    at_step = np.diff(begins, append=table.size)  # rows of a pair at one step
    of_pairs = _begins(pairs[begins])
    number_of_steps = np.diff(of_pairs, append=len(begins))
    if (number_of_steps == 1).all():
        return _Seeds(each, []), []
    most = np.maximum.reduceat(at_step, of_pairs)
    if not {"agent", "task"} & set(roles.known) and most.max() == 1:
        return _Seeds(np.zeros_like(each), []), ["no column of seeds: the rows are one run's"]
    name = table.header[roles.known["step"]]
    if ((most == 1) & (number_of_steps > 1)).any():
        raise InvalidScores(
            f"{table.path} has a column of steps, {name!r}, and none of seeds: whether rows are "
            "runs or points of one run is not known; add a column seed"
        )
    last = np.append(of_pairs[1:], len(begins)) - 1
    notes = [f"no column of seeds: the rows at the last {name} are taken as runs"]
    for pair in np.flatnonzero(at_step[last] < most):
        row = order[begins[last[pair]]]
        notes.append(
            f"{rows.agents[row]}, task {rows.tasks[row]}: {at_step[last[pair]]} rows at the last "
            f"{name}, {most[pair]} before: some runs end early"
        )
    ended = steps[begins[last]]  # by pair
    return _Seeds(np.where(rows.steps == ended[rows.pairs], each, -1), []), notes


def _merged(rows: _Rows) -> list[str]:
    """Return which tasks are spelled in two ways."""
    names = _names(rows)
    merged = sorted(set(rows.tasks) - set(names.values()))
    if not merged:
        return []
    said = ", ".join(f"{task} as {names[fold_task(task)]}" for task in merged)
    return [f"one task in two spellings, taken together: {said}"]


def _names(rows: _Rows) -> dict[str, str]:
    """Return the first spelling of each task, by its folded one."""
    names: dict[str, str] = {}
    for task in dict.fromkeys(rows.tasks):
        names.setdefault(fold_task(task), task)
    return names


def _in_order(table: Table, roles: Roles, rows: _Rows, seeds: _Seeds) -> _Runs:
    """Return the rows by agent and task, run and step.

    Raises:
        InvalidScores: A run has two rows at one step, or its task is spelled in two ways.
    """
    order = np.lexsort((rows.steps, seeds.ranks, rows.pairs))
    order = order[seeds.ranks[order] >= 0]
    pairs, ranks = rows.pairs[order], seeds.ranks[order]
    starts = (np.diff(pairs, prepend=-1) != 0) | (np.diff(ranks, prepend=-1) != 0)
    begins = np.flatnonzero(starts)
    again = np.flatnonzero(~starts & (np.diff(rows.steps[order], prepend=np.nan) == 0))
    twice = [(int(order[k]), int(order[k - 1])) for k in again]
    if seeds.names:
        spelled = _numbers(rows.tasks)[order]
        first = np.minimum.reduceat(order, begins)[np.cumsum(starts) - 1]
        odd = np.flatnonzero(spelled != _numbers(rows.tasks)[first])
        twice += [(int(order[k]), int(first[k])) for k in odd]
    if twice:
        _refuse_twice(table, roles, rows, seeds, *min(twice))
    ends = np.append(begins[1:], len(order))
    return _Runs(order, begins, ends, pairs[begins], ranks[begins], _names(rows))


def _refuse_twice(
    table: Table, roles: Roles, rows: _Rows, seeds: _Seeds, row: int, there: int
) -> None:
    """Refuse a row of a run that another row has said already."""
    said = ""
    if rows.tasks[there] != rows.tasks[row]:
        said = f", where the task is spelled {rows.tasks[there]!r}"
    elif episodes := _episodes_in(table, roles):
        said = f"; --columns step={episodes} takes the last episode of each run"
    raise InvalidScores(
        f"{table.path}, {table.places[row]}: agent {rows.agents[row]!r}, task "
        f"{rows.tasks[row]!r}{seeds.said(row)} already exists, in {table.places[there]}{said}"
    )


def _last(table: Table, rows: _Rows, runs: _Runs, seeds: _Seeds, at_step: float | None) -> Ints:
    """Return the row of each run that counts: the last one, or the last up to a step, (runs,)."""
    if at_step is None:
        return runs.order[runs.ends - 1]
    counted = np.add.reduceat(rows.steps[runs.order] <= at_step, runs.begins, dtype=np.int64)
    for run in np.flatnonzero(counted == 0)[:1]:
        row = runs.order[runs.begins[run]]
        raise InvalidScores(
            f"{table.path}: agent {rows.agents[row]!r}, task {rows.tasks[row]!r}{seeds.said(row)} "
            f"begins at step {rows.steps[row]:.15g}, after --at-step {at_step:.15g}"
        )
    return runs.order[runs.begins + counted - 1]


def _ends(rows: _Rows, runs: _Runs, seeds: _Seeds, at_step: float | None) -> list[str]:
    """Return which runs end before others of their task, if some do."""
    last = rows.steps[runs.order[runs.ends - 1]]
    tasks = _numbers([runs.whose(rows, run)[1] for run in range(len(last))])
    longest = np.full(tasks.max() + 1, -np.inf)
    np.maximum.at(longest, tasks, last)
    said = []
    if at_step is not None:
        longest = np.minimum(longest, at_step)
        said = [f"scores are those of the last step up to {at_step:.15g}"]
    early = np.flatnonzero(last < EARLY * longest[tasks])
    if not len(early):
        return said
    ended = []
    for run in early[:3]:
        agent, task = runs.whose(rows, run)
        seed = f", run {seeds.names[runs.ranks[run]]}" if seeds.names else ""
        ended.append(
            f"{agent}, task {task}{seed} ends at step {last[run]:.15g} of "
            f"{longest[tasks[run]]:.15g}"
        )
    more = f"; and {len(early) - 3} more" if len(early) > 3 else ""
    helps = f"; --at-step {last.min():.15g} cuts all runs at one budget"
    first = "; ".join(ended)
    return [*said, f"runs end early: {first}{more}{helps if at_step is None else ''}"]
