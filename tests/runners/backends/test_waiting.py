"""What waits for a worker: runs that are executed together are runs of one agent."""

from pathlib import Path

from support.toy import TOY

from rlbench.results import Store, identities
from rlbench.runners import Run, resolve
from rlbench.runners.backends.waiting import Waiting


def runs_of(name: str, seeds: range, store: Path, **config: float) -> list[Run]:
    file = store / "agents.py"
    file.write_text("def make(task, *, seed, device, pace=0.0): ...\n")
    who = resolve(str(file), config, name)
    return [
        Run(
            identity=identity, agent=who.recipe, teacher=None, store=str(store), device="cpu",
            threads=1, checkpoint_every=600.0,
        )
        for identity in identities(TOY, TOY.tasks[:1], who.id, seeds)
    ]  # fmt: skip


def test_a_group_is_of_one_agent(tmp_path: Path) -> None:
    """A worker makes the agents of a group together, by the options of the first run."""
    Store(tmp_path).prepare()
    slow, quick = (runs_of(f"{p}", range(3), tmp_path, pace=p) for p in (0.2, 0.1))
    waiting = Waiting([*slow[:2], *quick, slow[2]], lambda _: None)
    taken = []
    while waiting:
        taken.append([(r.agent.options["pace"], r.identity.seed) for r, _ in waiting.take(4)])
    assert taken == [[(0.2, 0), (0.2, 1)], [(0.1, 0), (0.1, 1), (0.1, 2)], [(0.2, 2)]]


def test_equal_agents_of_two_names_may_share_a_group(tmp_path: Path) -> None:
    Store(tmp_path).prepare()
    runs = [*runs_of("a", range(2), tmp_path), *runs_of("b", range(2), tmp_path)]
    assert len(Waiting(runs, lambda _: None).take(4)) == 4
