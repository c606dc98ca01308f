"""How far runs are: counted as events come, equal to what all rows say."""

import random
import time
from pathlib import Path

from support.toy import TOY

from rlbench.api.progress import Display
from rlbench.results import identities
from rlbench.runners import Event, Run, resolve


def runs(number: int, folder: Path) -> list[Run]:
    who = resolve("random", {})
    return [
        Run(
            identity=identity, agent=who.recipe, teacher=None, store=str(folder), device="cpu",
            threads=1, checkpoint_every=600.0,
        )
        for identity in identities(TOY, TOY.tasks[:1], who.id, range(number))
    ]  # fmt: skip


def test_what_is_counted_is_what_the_rows_say(tmp_path: Path) -> None:
    wanted, chance = runs(12, tmp_path), random.Random(0)
    display = Display(wanted, 2, done=3, tell=lambda _: None)
    for _ in range(200):
        run = chance.choice(wanted)
        kind = chance.choice(["start", "progress", "elsewhere", "end"])
        data = {
            "progress": {"phase": "train", "budget_used": 5, "episodes": 0},
            "end": {"status": chance.choice(["ok", "failed", "stopped"]), "reason": ""},
        }.get(kind, {})
        display.listen(Event(run, kind, data))
        rows = display.rows.values()
        assert display._waiting == sum(not (row.started or row.ended) for row in rows)
        assert set(display._running) == {
            row.run.key for row in rows if row.started and not row.ended
        }


def test_the_time_left_is_that_of_what_waits_and_what_runs(tmp_path: Path, monkeypatch) -> None:
    wanted, now = runs(5, tmp_path), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    display = Display(wanted, 2, done=1, tell=lambda _: None)
    assert display.summary() == "1/6 runs"
    for run in wanted[:2]:
        display.listen(Event(run, "start", {}))
    now[0] = 110.0
    display.listen(Event(wanted[0], "end", {"status": "ok"}))
    # Each took 10 s: three wait, and the one that goes on has had its 10 s.
    assert display.summary() == "2/6 runs, about 15 s left"
    display.listen(Event(wanted[2], "start", {}))
    now[0] = 114.0
    assert display.summary() == "2/6 runs, about 13 s left"
