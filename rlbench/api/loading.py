"""`rlbench.load`: scores of any source, and what can be asked of them."""

import re
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlbench import suites
from rlbench.api.answers import Answer, text_table
from rlbench.api.asking import DEFAULT_STORE, PUBLISHED, Asked, reading_of
from rlbench.api.gathering import Gathered, gather
from rlbench.api.pythonic import in_python, pythonic
from rlbench.api.scales import Scale, said_of_papers
from rlbench.api.words import p_value_text, printable
from rlbench.errors import Assumed, UnknownName, UsageError
from rlbench.results import Store, unofficial_text
from rlbench.results.scores import Curve
from rlbench.results.store import is_store
from rlbench.suites import Constant, Suite

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from rlbench.api.figures import Kind
    from rlbench.api.keeping import Picture, Shown


class Results:
    """The scores of agents, with notes on what was assumed.

    Made by `load`, `run` and `evaluate`. The answers of its methods have the notes. Scores, curves,
    frames and figures have none: the first of them to be asked for warns of each note with
    `rlbench.errors.Assumed`, once.

    Attributes:
        suite: The suite that scores are normalised by, if there is one.
        notes: What was assumed about the sources, and what must be said of them.
        title: On which scale the scores are.
    """

    def __init__(
        self,
        gathered: Gathered,
        scale: Scale,
        notes: Iterable[str] = (),
        *,
        facts: Iterable[str] = (),
        stores: Sequence[Path] = (),
    ) -> None:
        self._gathered = gathered
        self._stores = stores
        self._scale = scale
        self.suite = scale.suite
        known = list(map(pythonic, facts))  # said too, but nothing to be warned of
        said = [*notes, *gathered.notes, *said_of_papers(gathered.published)]
        self.notes = tuple(dict.fromkeys([*known, *map(pythonic, said)]))
        self._unsaid = [note for note in self.notes if note not in known]
        self.title = pythonic(scale.title)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents, in the order of the sources."""
        return tuple(self._gathered.agents)

    def scores(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Return the scores (runs,) of each agent and task, as nested dictionaries of float64.

        Tasks that an agent has no runs of are not there, and tasks may have different numbers of
        runs. ``list(scores[agent].values())`` is what the functions of `rlbench.stats` take.
        """
        self._say()
        return {
            agent: {task: scores.copy() for task, scores in tasks.items()}
            for agent, tasks in self._gathered.agents.items()
        }

    def curves(self) -> dict[str, dict[str, list[Curve]]]:
        """Return the learning curves of each agent and task, if they are known.

        A curve is a pair (steps, scores), each (points,) float64, on this scale.
        """
        self._say()
        return {agent: dict(tasks) for agent, tasks in self._gathered.curves.items()}

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas frame with one row per run: agent, task, run (from 0), seed and score.

        The column seed is there if a source has seeds, or other names of runs. It holds integers
        if all of them are, and nothing where a source has none.
        """
        import pandas as pd

        self._say()
        rows = [
            (agent, task, run, score)
            for agent, tasks in self._gathered.agents.items()
            for task, scores in tasks.items()
            for run, score in enumerate(scores.tolist())
        ]
        frame = pd.DataFrame(rows, columns=["agent", "task", "run", "score"])
        seeds = self._seeds()
        known = [seed for seed in seeds if seed is not None]
        if not known:
            return frame
        if all(_SEED.fullmatch(str(seed)) for seed in known):
            whole = [pd.NA if seed is None else int(seed) for seed in seeds]
            column: Any = pd.array(whole, dtype="int64" if len(known) == len(seeds) else "Int64")
        else:
            column = pd.array(seeds, dtype="object")
        frame.insert(3, "seed", column)
        return frame

    def _seeds(self) -> list[int | str | None]:
        """Return the seed of each run, as `to_frame` goes through them; None where it has none."""
        seeds: list[int | str | None] = []
        for agent, tasks in self._gathered.agents.items():
            for task, scores in tasks.items():
                seeds += self._gathered.seeds.get(agent, {}).get(task) or [None] * len(scores)
        return seeds

    @in_python
    def stats(
        self,
        *,
        method: str = "rao-wu",
        per_task: bool = False,
        retention: bool = False,
        evaluations: bool = False,
        against_data: bool = False,
        measures: bool = False,
        best_point: bool = False,
    ) -> Answer:
        """Return IQM, mean, median and optimality gap with 95% intervals.

        Args:
            method: Of the intervals: ``rao-wu``, ``percentile`` or ``bca``.
            per_task: The mean of every task instead.
            retention: The share of the clean score that is kept, by the type of disturbance;
                with `per_task` also by its strength.
            evaluations: The mean of each named evaluation at every evaluation point, and how far
                they are apart, e.g. the generalisation gap of Procgen.
            against_data: How agents compare with the mean return of the data that they learned
                from.
            measures: What else was measured, such as a safety cost, beside the raw score.
            best_point: Take the best evaluation of each run instead of the last: selected online,
                so it flatters.

        Raises:
            UnknownName: There is no such method.
            UsageError: Nothing is known of what is asked for.
        """
        from rlbench.api.cells import a_point_a_row, an_agent_a_row, methods_of
        from rlbench.api.offline import a_task_a_row
        from rlbench.api.summaries import method_of, summary_of, table_of, warnings_of

        scale, how = self._scale, method_of(method)
        table = table_of(
            retention=retention, evaluations=evaluations, against_data=against_data,
            measures=measures, per_task=per_task,
        )  # fmt: skip
        found = summary_of(
            self._gathered, scale, how, table=table, per_task=per_task, best_point=best_point
        )
        are_aggregates = table == "aggregates" and not per_task
        notes = warnings_of(
            found.agents, found.rows if are_aggregates else [], how, scale.suite, found.total
        )
        shown: Sequence[Mapping[str, Any]] = ()
        if are_aggregates:
            shown = an_agent_a_row(found.rows, found.total, scale.sign)
        elif table == "evaluations":
            shown = a_point_a_row(found.rows, found.total)
        elif table == "measures":
            shown = a_task_a_row(found.rows)
        said = methods_of(found.rows)
        return self._answer(found.rows, [*notes, *found.notes], sentences=said, shown=shown)

    @in_python
    def compare(
        self,
        *,
        statistic: str = "iqm",
        alpha: float = 0.05,
        against: float | None = None,
        despite_protocols: bool = False,
        stop: str = "",
        batch: int = 5,
        max_batches: int = 6,
        futility: float | None = None,
    ) -> Answer:
        """Say which agent is better, on the tasks where all of them have runs.

        Args:
            statistic: What is compared: ``iqm``, ``mean`` or ``median``.
            alpha: The level, over all pairs.
            against: Compare each agent with this constant instead, e.g. 1: the human level.
            despite_protocols: Test agents whose protocols differ all the same; every row says so.
            stop: ``adastop``: compare batch by batch, and say which agents need more runs: a pair
                that does is ``undecided``.
            batch: Runs a task in a batch.
            max_batches: How many at most.
            futility: A difference that matters: with `stop`, a pair is given up once it can be
                ruled out.

        Returns:
            A row a pair, with decisions that are right together with probability 1 - alpha.

        Raises:
            UnknownName: There is no such statistic or stopping rule.
            UsageError: There are too few agents, they have no task in common, or `stop` does not
                fit what is compared.
        """
        from rlbench.api.against import against as compare_against
        from rlbench.api.against import sentence
        from rlbench.api.apart import Question
        from rlbench.api.comparing import (
            check_number,
            check_stop,
            compared,
            is_apart,
            statistic_of,
            stopping,
        )
        from rlbench.api.scales import of_raw_scores

        chosen, found, scale = statistic_of(statistic), self._gathered, self._scale
        check_number(self.agents, 2 if against is None else 1)
        check_stop(stop, found, against)
        raw = of_raw_scores(found.agents, scale)
        if against is not None:
            result = compare_against(found, against, chosen, alpha, scale)
            said = [sentence(row) for row in result.rows]
            shown = _shown_pairs(result.rows)
            return self._answer(result.rows, [*result.notes, *raw], sentences=said, shown=shown)
        question = Question(chosen, alpha, scale, despite_protocols)
        if stop and not is_apart(found, question):
            decided = stopping(found, question, batch, max_batches, futility)
            notes = [*decided.warnings, *decided.notes, *raw]
            return self._answer(decided.rows, notes, sentences=decided.sentences)
        rows, said, notes = compared(found, question)
        return self._answer(rows, [*notes, *raw], sentences=said, shown=_shown_pairs(rows))

    @in_python
    def plan(
        self,
        *,
        statistic: str = "iqm",
        alpha: float = 0.05,
        power: float = 0.8,
        difference: float | None = None,
    ) -> Answer:
        """Return the expected power and interval width for numbers of runs.

        Args:
            statistic: What is compared.
            alpha: The level, over all pairs.
            power: The chance of separating a pair, to plan for.
            difference: To plan for; by default those seen so far, which are uncertain.

        Raises:
            UsageError: There are too few agents, or two that are not ranked together.
        """
        from rlbench.api.apart import Question
        from rlbench.api.comparing import check_number, planned, statistic_of
        from rlbench.api.pairs import NEW_RUNS, needed_text

        check_number(self.agents, 2)
        question = Question(statistic_of(statistic), alpha, self._scale, despite=False)
        found = planned(self._gathered, question, power=power, difference=difference)
        said = [f"{a} and {b}: {needed_text(n, power)}." for (a, b), n in found.needed.items()]
        return self._answer(found.rows, [*found.notes, NEW_RUNS], sentences=said)

    @in_python
    def figure(
        self, kind: "Kind" = "intervals", *, baseline: str = "", width: str | float = "neurips"
    ) -> "Figure":
        """Draw a figure; nothing is written.

        Args:
            kind: ``intervals``, ``profiles``, ``curves``, ``improvement``, ``ranks`` or ``cd``, of
                the tasks that all agents have runs of; ``tasks`` or ``task-curves``, of every task;
                ``speedups``, which needs a baseline; of a curriculum also ``teaching`` and
                ``levels``.
            baseline: The agent to draw ``improvement`` and ``speedups`` over.
            width: ``neurips``, ``icml``, ``icml-wide``, ``iclr``, ``a4``, or inches.

        Returns:
            A figure of matplotlib. Its caption is ``figure.get_label()``.

        Raises:
            InvalidScores: It cannot be drawn of these scores.
            MissingExtra: matplotlib is not installed.
            UnknownName: There is no such kind, agent or width.
        """
        from rlbench.api.figures import KINDS, draw, to_draw
        from rlbench.leaderboard import WIDTHS

        self._say()
        if kind not in KINDS:
            raise UnknownName("kind of figure", kind, KINDS)
        if isinstance(width, str) and width not in WIDTHS:
            raise UnknownName("width", width, WIDTHS)
        what = to_draw(self._gathered, self._scale, [kind])
        if baseline and baseline not in what.agents:
            raise UnknownName("agent", baseline, what.agents)
        plot = draw(kind, what, self._scale, baseline=baseline, width=width)
        plot.figure.set_label(plot.caption)
        return plot.figure

    @in_python
    def table(self, format: str = "latex", *, per_task: bool = False) -> str:
        """Return a table of aggregates with 95% intervals, for a paper or a README.

        Args:
            format: ``latex`` (booktabs) or ``markdown``.
            per_task: The mean of every task instead.

        Raises:
            UnknownName: There is no such format.
            UsageError: There is nothing to show.
        """
        from rlbench.api.figures import to_show
        from rlbench.api.tables import check_format, table_text

        self._say()
        check_format(format)
        shown = to_show(self._gathered)
        text, _ = table_text(shown, self._scale, format=format, per_task=per_task)
        return text

    @in_python
    def show(
        self, kind: "Shown" = "picture", *, agent: str = "", task: str = "", seed: int | None = None
    ) -> "Picture":
        """Return a picture of a run, which is replayed from its recorded actions.

        Args:
            kind: ``picture``, moments of the first evaluation episode; ``video``, the whole
                episode; of a curriculum also ``terrains``, tasks that the teacher proposed.
            agent: Of the run; by default any, as for those below. The first run that fits is shown.
            task: The same.
            seed: The same.

        Returns:
            The bytes of a PNG, which notebooks show; ``.save(path)`` writes them.

        Raises:
            UnknownName: There is no such kind.
            UsageError: There is no such run, or it cannot be replayed or drawn.
        """
        from rlbench.api.keeping import draw, kept

        found = kept(self._gathered.records, self._stores)
        return draw(found, kind, self.suite, agent=agent, task=task, seed=seed)

    @in_python
    def verify(self) -> Answer:
        """Replay the final evaluations of these runs from their actions, and compare returns.

        A replay does not show that the agent chose those actions. Notes name runs that could not
        be replayed, and say why.

        Returns:
            A row a run, as ``rlbench verify --json`` prints them.

        Raises:
            UsageError: No run has a record with its actions.
        """
        from rlbench.api.keeping import kept, verify_all

        return verify_all(kept(self._gathered.records, self._stores), self.suite)

    @in_python
    def export(self, path: str | PathLike[str] | None = None, *, curves: bool = False) -> Answer:
        """Return one row a run of the stores that these scores come from, failed ones too.

        Rows have raw and normalised scores, and all agents of the stores.

        Args:
            path: A file of CSV to write, as ``rlbench export`` does.
            curves: A row for each evaluation, with its step.

        Raises:
            StoreError: The file cannot be written.
            UsageError: The scores come from no store.
        """
        from rlbench.api.keeping import export_rows, kept, write_rows

        kept(self._gathered.records, self._stores)
        assert self.suite is not None  # records are read by a suite
        notes: list[str] = []
        found = export_rows(self._stores, self.suite, notes.append, curves=curves)
        if path is not None:
            write_rows(Path(path), found, curves=curves)
        names = ("agent", "task", "seed", "status", "score", "normalised", "step")
        return Answer(
            title=f"{len(found)} {'evaluations' if curves else 'runs'} of {self.suite.id}",
            rows=tuple(found),
            notes=tuple(map(pythonic, notes)),
            shown=tuple({name: row[name] for name in names if name in row} for row in found),
        )

    @in_python
    def submit(
        self,
        card: str | PathLike[str] = "card.toml",
        *,
        agent: str = "",
        actions: bool = False,
        out: str | PathLike[str] = "submissions",
        **fields: Any,
    ) -> Path:
        """Make a bundle of an agent's runs, failed ones too, to be submitted to a leaderboard.

        Args:
            card: The card, a file; without it, a card to fill in is written.
            agent: Which agent, if there are several.
            actions: Add the actions, so that others can replay.
            out: The folder of submissions.
            fields: Of the card: `namespace`, `who` (a list), `paper`, `code`, `licence` and
                `configurations`, how many you tried on the suite.

        Returns:
            The folder of the bundle.

        Raises:
            UsageError: The card is not complete, or the bundle would be refused.
        """
        from rlbench.api.keeping import kept, submit

        found = kept(self._gathered.records, self._stores)
        return submit(found, card, agent=agent, actions=actions, out=Path(out), fields=fields)

    def _answer(
        self,
        rows: Sequence[Mapping[str, Any]],
        notes: Iterable[str],
        *,
        sentences: Iterable[str] = (),
        shown: Iterable[Mapping[str, Any]] = (),
    ) -> Answer:
        """Return an answer with the notes of the sources, each said once."""
        every = dict.fromkeys([*map(pythonic, notes), *self.notes])
        return Answer(
            title=self.title,
            rows=tuple(rows),
            notes=tuple(every),
            sentences=tuple(map(pythonic, sentences)),
            shown=tuple(shown),
        )

    def _say(self) -> None:
        """Warn of what was assumed, once: who takes scores does not see the notes."""
        unsaid, self._unsaid = self._unsaid, []
        for note in unsaid:
            warnings.warn(note, Assumed, stacklevel=_outside())

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {"agent": agent, "tasks": len(tasks), "runs": sum(map(len, tasks.values()))}
            for agent, tasks in self._gathered.agents.items()
        ]

    def __repr__(self) -> str:
        """Return a table of the agents, and the notes."""
        said = map(printable, self.notes)
        return "\n".join([printable(self.title), *text_table(self._rows()), *said])

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        answer = Answer(title=self.title, rows=tuple(self._rows()), notes=self.notes)
        return answer._repr_html_()


@in_python
def load(
    *sources: Any,
    suite: str | Suite | None = None,
    store: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    agents: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    normalise_by: tuple[str, str] | None = None,
    lower_is_better: bool = False,
    unofficial: Mapping[str, Constant] | None = None,
    within: Mapping[str, float] | None = None,
    **reading: Any,
) -> Results:
    """Return the scores of agents from any number of sources.

    Args:
        sources: Stores of records, files of scores, folders of logs, ``"published"`` for the scores
            from papers, names of agents in stores or papers, frames of pandas, and mappings of
            agents to arrays (runs, tasks), or to tasks with their runs.
        suite: Normalise by this suite's reference scores. Records and papers need one; of stores
            that hold runs of one suite only it is that.
        store: Stores by name, where a source might be taken for something else.
        agents: Take these agents, in this order.
        rename: What agents are to be called, by the names that they have.
        normalise_by: Two columns of tables: the first becomes 0, the second 1.
        lower_is_better: Raw scores are losses or costs.
        unofficial: Constants of the suite that were changed.
        within: Take only runs of records whose episodes have at most this mean of a measure, e.g.
            ``{"cost": 25}``.
        reading: How files are read, where they do not say so themselves: `columns` (a role to a
            column), `columns_are`, `wide`, `metric`, `agent`, `task`, `at_step`, `decimal`, `path`.
            `docs/reading-scores.md` says what they mean.

    Raises:
        InvalidScores: Something is wrong with scores; the message names the place.
        UnknownName: There is no such agent, suite or option.
        UsageError: What is asked for does not fit.
    """
    notes: list[str] = []
    facts: list[str] = []
    named, data, stores = _sorted(sources, facts)
    stores += [Path(s) for s in ([store] if isinstance(store, str | PathLike) else store)]
    if stores and suite is None:
        suite, changed = _only_suite(stores, notes)
        unofficial = changed if unofficial is None else unofficial
    scale = Scale(
        _changed(suite, unofficial), "", ",".join(normalise_by or ()),
        lower_is_better=lower_is_better,
    )  # fmt: skip
    asked = Asked(
        sources=named,
        stores=stores,
        agents=list(agents),
        rename=dict(rename or {}),
        reading=reading_of(**reading),
        data=data,
        within=dict(within or {}),
    )
    gathered = gather(asked, scale, notes.append, curves=True)
    return Results(gathered, scale, notes, facts=facts, stores=stores or [DEFAULT_STORE])


def _changed(suite: str | Suite | None, unofficial: Mapping[str, Constant] | None) -> Suite | str:
    """Return a suite with its constants changed, or nothing."""
    if suite is None:
        if unofficial:
            raise UsageError("unofficial constants are those of a suite: name the suite")
        return ""
    found = suite if isinstance(suite, Suite) else suites.get(suite)
    return found.make_unofficial(unofficial or {})


def _sorted(
    sources: Sequence[Any], notes: list[str]
) -> tuple[list[str], dict[str, Any], list[Path]]:
    """Return the sources by name, what is in no file by such a name, and the stores."""
    named: list[str] = []
    data: dict[str, Any] = {}
    stores: list[Path] = []
    for source in sources:
        if not isinstance(source, str | PathLike):
            kind = "the arrays" if isinstance(source, Mapping) else "the frame"
            name, number = kind, 1
            while name in data:
                number += 1
                name = f"{kind} {number}"
            data[name] = source
            named.append(name)
        elif str(source) == str(PUBLISHED) and not Path(source).exists():
            stores.append(PUBLISHED)
        elif is_store(Path(source)):
            stores.append(Path(source))
            notes.append(f"{source}: a store of records.")
        else:
            named.append(str(source))
    return named, data, stores


def _only_suite(
    stores: Sequence[Path], notes: list[str]
) -> tuple[str | None, Mapping[str, Constant]]:
    """Return the suite that all records of stores are of, and its constants that are changed."""
    found = {
        (r.identity.suite, unofficial_text(r.identity.unofficial)): r.identity.unofficial
        for place in stores
        if place != PUBLISHED
        for r in Store(place).load().records
    }
    if not found:
        return None, {}
    names = [f"{suite}{' with ' if text else ''}{text}" for suite, text in sorted(found)]
    if len(found) > 1:
        raise UsageError(f"the records are of {', '.join(names)}: give suite and unofficial")
    [((suite, _), unofficial)] = found.items()
    notes.append(f"Suite: {names[0]}, which all records are of.")
    return suite, unofficial


def compare(*sources: Any, **options: Any) -> Answer:
    """Say which agent is better: ``load(*sources, ...).compare(...)`` in one call.

    Args:
        sources: As `load` takes them.
        options: `statistic`, `alpha`, `against`, `despite_protocols`, `stop`, `batch`,
            `max_batches` and `futility` are those of `Results.compare`, all others those of `load`.
    """
    own = {name: options.pop(name) for name in _OF_COMPARE if name in options}
    return load(*sources, **options).compare(**own)


def figure(kind: "Kind", *sources: Any, **options: Any) -> "Figure":
    """Draw a figure: ``load(*sources, ...).figure(kind, ...)`` in one call.

    Args:
        kind: As `Results.figure` takes it.
        sources: As `load` takes them.
        options: `baseline` and `width` are those of `Results.figure`, all others those of `load`.
    """
    own = {name: options.pop(name) for name in ("baseline", "width") if name in options}
    return load(*sources, **options).figure(kind, **own)


def _outside() -> int:
    """Return the level of the caller's caller outside of rlbench, for `warnings.warn`."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("rlbench."):
        frame, level = frame.f_back, level + 1
    return level


_SEED = re.compile(r"\d{1,18}")
_OF_COMPARE = (
    "statistic", "alpha", "against", "despite_protocols", "stop", "batch", "max_batches",
    "futility",
)  # fmt: skip


def _shown_pairs(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what a table for people shows of pairs."""
    names = ["a", "b", "difference", "low", "high", "improvement", "p_value", "decision", "reason"]
    shown = [name for name in names if any(row.get(name) is not None for row in rows)]
    return [
        {
            name: p_value_text(value)
            if name == "p_value" and (value := row[name]) is not None
            else row[name]
            for name in shown
        }
        for row in rows
    ]
