"""What can be done with the records behind scores: replayed, drawn, written as rows, submitted."""

import io
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from rlbench.api.answers import Answer
from rlbench.api.asking import PUBLISHED
from rlbench.api.stores import Tell, records_of
from rlbench.errors import RLBenchError, StoreError, UnknownName, UsageError
from rlbench.files import replace_file
from rlbench.results import Record, Store, rows, write_csv
from rlbench.results.scores import COLUMNS, CURVE_COLUMNS
from rlbench.suites import Suite

Shown = Literal["picture", "video", "terrains"]


class Kept(NamedTuple):
    """A record behind a score.

    Attributes:
        agent: What its agent is called.
        record: The record.
        store: Where it is.
    """

    agent: str
    record: Record
    store: Store


class Picture(bytes):
    """A PNG, or an animated one, which notebooks show."""

    def _repr_png_(self) -> bytes:
        return bytes(self)

    def save(self, path: str | PathLike[str]) -> Path:
        """Write it into a file, and return its path.

        Raises:
            StoreError: It cannot be written.
        """
        return write_whole(Path(path), self)

    def __repr__(self) -> str:
        """Say what it is; the bytes themselves are no text."""
        return f"<a PNG of {len(self):,} bytes: .save(path) writes it>"


def kept(records: Mapping[str, Sequence[Record]], stores: Sequence[Path]) -> list[Kept]:
    """Return the records of agents, each with the store that it is in.

    Raises:
        UsageError: There are none.
    """
    found = [
        Kept(agent, record, Store(place))
        for agent, of_agent in records.items()
        for record in of_agent
        for place in stores
        if Store(place).record_of(record.identity).is_file()
    ]
    if not found:
        raise UsageError("these scores have no records of runs: load a store, or run an agent")
    return found


def verified(record: Record, store: Store, agent: str, suite: Suite | None) -> dict[str, Any]:
    """Replay a run, and return a row: what is compared, and whether it is equal.

    Raises:
        RLBenchError: It cannot be replayed.
    """
    from rlbench.runners.replay import verify

    verdict = verify(record, store, suite=suite)
    identity = record.identity
    return {
        "record": record.sha256,
        "key": identity.key,
        "suite": identity.suite,
        "agent": agent,
        "task": identity.task,
        "seed": identity.seed,
        "equal": verdict.equal,
        "detail": verdict.detail,
    }


def verify_all(found: Sequence[Kept], suite: Suite | None) -> Answer:
    """Replay all runs that kept their actions.

    Raises:
        UsageError: There are none.
    """
    with_actions = [one for one in found if one.record.replay is not None]
    if not with_actions:
        raise UsageError("no run of these kept its actions")
    answered, notes = [], []
    for one in with_actions:
        try:
            answered.append(verified(one.record, one.store, one.agent, suite))
        except RLBenchError as error:
            identity = one.record.identity
            notes.append(f"not replayed: {identity.task}, seed {identity.seed}: {error}")
    if without := len(found) - len(with_actions):
        notes.append(f"records without actions, which are not replayed: {without}")
    equal = sum(row["equal"] for row in answered)
    return Answer(
        title=f"{equal} of {len(answered)} replays are equal",
        rows=tuple(answered),
        notes=tuple(notes),
        shown=tuple(
            {name: row[name] for name in ("agent", "task", "seed", "equal", "detail")}
            for row in answered
        ),
    )


def draw(
    found: Sequence[Kept], kind: str, suite: Suite | None, *, agent: str, task: str,
    seed: int | None,
) -> Picture:  # fmt: skip
    """Return a picture of the first run that fits.

    Raises:
        UnknownName: There is no such kind of picture.
        UsageError: There is no such run, or it cannot be drawn.
    """
    from rlbench.api.pictures import picture_of, terrains_of, video_of

    if kind not in get_args(Shown):
        raise UnknownName("kind of picture", kind, get_args(Shown))
    for one in found:
        identity = one.record.identity
        if agent in ("", one.agent) and task in ("", identity.task) and seed in (
            None, identity.seed
        ):  # fmt: skip
            break
    else:
        raise UsageError(f"no run is of agent={agent!r}, task={task!r} and seed={seed}")
    if kind == "video":
        return Picture(video_of(one.record, one.store, suite)[0])
    if kind == "terrains":
        return Picture(terrains_of(one.record, suite))
    return Picture(picture_of(one.record, one.store, suite))


def export_rows(
    stores: Iterable[Path],
    suite: Suite,
    tell: Tell,
    *,
    curves: bool,
    training_episodes: int = 0,
) -> list[dict[str, Any]]:
    """Return one row a run of stores, failed ones too; with curves one an evaluation.

    Args:
        stores: The stores.
        suite: The suite.
        tell: Is told of each bad file.
        curves: As `rlbench.results.rows` takes it.
        training_episodes: The same.

    Raises:
        UsageError: There is no record of the suite.
    """
    records = [
        record
        for place in stores
        if place != PUBLISHED
        for record in records_of(place, suite, tell, old=True)
    ]
    return rows(records, suite, curves=curves, training_episodes=training_episodes)


def csv_of(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV."""
    text = io.StringIO(newline="")
    write_csv(found, text, columns)
    return text.getvalue()


def write_rows(path: Path, found: Sequence[Mapping[str, Any]], *, curves: bool) -> None:
    """Write such rows into a file of CSV.

    Raises:
        StoreError: It cannot be written.
    """
    write_whole(path, csv_of(found, CURVE_COLUMNS if curves else COLUMNS).encode())


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file as a whole; what is no regular file, such as /dev/stdout, is written into.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            replace_file(path, content)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    return path


def submit(
    found: Sequence[Kept], card: str | PathLike[str], *, agent: str, actions: bool, out: Path,
    fields: Mapping[str, Any],
) -> Path:  # fmt: skip
    """Write the bundle of an agent's runs, failed ones too, and return its folder.

    Raises:
        UsageError: The runs are of several agents, the card is not complete, or the bundle would
            be refused.
    """
    from rlbench.api.submitting import make_bundle, one_agent

    agents = {one.agent: one for one in found if agent in ("", one.agent)}
    if len(agents) != 1:
        names = ", ".join(dict.fromkeys(one.agent for one in found))
        raise UsageError(f"a bundle holds one agent, and these are {names}: add --agent")
    [one] = agents.values()
    identity = one.record.identity
    records = one_agent(
        one.store.load().records, identity.suite, identity.agent_key, one.store.path
    )
    bundle = make_bundle(records, one.store, Path(card), fields, actions=actions, out=out)
    if bundle.refused:
        more = f" (and {len(bundle.refused) - 1} more)" if len(bundle.refused) > 1 else ""
        raise UsageError(f"refused: {bundle.refused[0]}{more}")
    return bundle.path
