"""Kill the command or a worker at every named place where files change."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.faults import Bench, Site, check_complete, seal, wait_until

from rlbench.results import Record, Training
from rlbench.runners.checkpoint import Checkpoints

OPTIONS = ("--tasks", "Walk", "--seeds", "0-1", "--jobs", "1", "-o", "pace=0.004")
RUN, NAME = "[0-9a-f]{16}", "[0-9a-f]{32}"
CHECKPOINTS = f"checkpoints/{RUN}"


def worker(call: str, when: str, path: str, nth: int = 1) -> Site:
    return Site(who="worker", call=call, when=when, path=path, nth=nth)


def command(call: str, when: str, path: str, nth: int = 1) -> Site:
    return Site(who="command", call=call, when=when, path=path, nth=nth)


def around(make, call: str, path: str, nth: int = 1) -> dict[str, Site]:
    """Return the places before and after a call."""
    return {when: make(call, when, path, nth) for when in ("before", "after")}


def named(name: str, sites: dict[str, Site]) -> dict[str, Site]:
    return {f"{when} {name}": site for when, site in sites.items()}


# In a run that begins, or goes on from a checkpoint.
EVER = {
    **named("the store is tried", around(command, "fsync", rf"\.tmp/\.{NAME}$")),
    "after a claim's file is made": command("open", "after", rf"claims/\.{NAME} xb"),
    "in the middle of a claim": command("open", "middle", rf"claims/\.{NAME} xb"),
    "before a claim is linked": command("link", "before", rf"claims/{RUN}\.json$"),
    **named("a claim's file is removed", around(command, "unlink", rf"claims/\.{NAME}$")),
    "after the log is opened": command("fstat", "after", rf"logs/{RUN}\.log$"),
    "after the actions are opened": worker("open", "after", rf"{CHECKPOINTS}/actions (wb|r\+b)"),
    "in the middle of the actions": worker("open", "middle", rf"{CHECKPOINTS}/actions (wb|r\+b)"),
    **named("the actions are flushed", around(worker, "fsync", f"{CHECKPOINTS}/actions$")),
    **named("a checkpoint's folder is made", around(worker, "mkdir", rf"{CHECKPOINTS}/\.{NAME}$")),
    "before the agent is kept": worker("mkdir", "after", rf"{CHECKPOINTS}/\.{NAME}/agent$"),
    "in the middle of what the agent keeps": worker("open", "middle", r"/\..*/learner\.json w"),
    "in the middle of the evaluation's actions": worker("open", "middle", r"/\..*/replayed w", 2),
    "in the middle of the state": worker("open", "middle", r"/state\.json w"),
    **named("the state is flushed", around(worker, "fsync", r"/state\.json$")),
    **named("a checkpoint is renamed", around(worker, "rename", f"{CHECKPOINTS}/[0-9]")),
    **named("the second is renamed", around(worker, "rename", f"{CHECKPOINTS}/[0-9]", 2)),
    **named("the checkpoints' folder is flushed", around(worker, "fsync", f"{CHECKPOINTS}$", 2)),
    **named("an old state is removed", around(worker, "unlink", rf"{CHECKPOINTS}/[0-9-]+/state")),
    **named("an old checkpoint is removed", around(worker, "rmtree", f"{CHECKPOINTS}/[0-9]")),
    "in the middle of its removal": worker("unlink", "after", r"^(replayed|learner\.json)$"),
    "after the actions beside a record are made": worker("open", "after", r"\.tmp/"),
    "in the middle of the actions beside a record": worker("open", "middle", r"\.tmp/"),
    **named("they are flushed", around(worker, "fsync", r"\.tmp/")),
    **named("they are linked", around(worker, "link", r"\.actions$")),
    **named("their file is removed", around(worker, "unlink", r"\.tmp/")),
    "after a record's file is made": worker("open", "after", r"\.tmp/", 2),
    "in the middle of a record": worker("open", "middle", r"\.tmp/", 2),
    **named("a record is flushed", around(worker, "fsync", r"\.tmp/", 2)),
    **named("a record is linked", around(worker, "link", r"\.json$")),
    **named("a record's file is removed", around(worker, "unlink", r"\.tmp/", 2)),
    **named("a record's folder is flushed", around(worker, "fsync", "walks-1/[^/]*/walk$", 2)),
    **named("the checkpoints are removed", around(worker, "rmtree", f"{CHECKPOINTS}$")),
    "in the middle of their removal": worker("unlink", "after", "^actions$"),
    **named("a claim is removed", around(command, "unlink", rf"claims/{RUN}\.json$")),
}  # fmt: skip
# Only in one that begins.
FIRST = {
    "after a claim is linked": command("link", "after", rf"claims/{RUN}\.json$"),
    **named("the run's folder is made", around(worker, "mkdir", f"{CHECKPOINTS}$")),
}
# Only in one that goes on.
ONWARD = {
    "after the claims are locked": command("fstat", "after", r"claims/\.lock$"),
    "after a second claim's file is made": command("open", "after", rf"claims/\.{NAME} xb", 2),
    **named("a claim is taken over", around(command, "replace", rf"claims/{RUN}\.json$")),
    "after the state is opened": worker("fstat", "after", r"/state\.json$"),
    "after the agent's state is opened": worker("open", "after", r"/learner\.json r"),
    "after the actions are opened to be read": worker("fstat", "after", f"{CHECKPOINTS}/actions$"),
}
# In one that begins anew.
ANEW = {
    **named("a state is removed", around(worker, "unlink", rf"{CHECKPOINTS}/[0-9-]+/state")),
    **named("a checkpoint is removed", around(worker, "rmtree", f"{CHECKPOINTS}/[0-9]")),
    "in the middle of a checkpoint's removal": worker("unlink", "after", r"^replayed$"),
    "in the middle of the removal": worker("unlink", "after", "^actions$"),
    **named("the checkpoints are removed", around(worker, "rmtree", f"{CHECKPOINTS}$")),
}
BOTH = {f"{name} (and the command)": replace(site, victims=("parent", "self"))
        for name, site in EVER.items()
        if site.who == "worker" and name.startswith("after")}  # fmt: skip
PARENT = {f"{name} (only the command)": replace(site, victims=("parent",))
          for name, site in EVER.items()
          if site.who == "worker" and name.startswith("before")}  # fmt: skip
BEGUN_AT = Site(
    who="worker", call="rename", when="after", path=f"{CHECKPOINTS}/[0-9]", nth=2,
    victims=("parent", "self"),
)  # fmt: skip
CASES = [
    (name, site, store)
    for store, sites in {
        "begins": {**EVER, **BOTH, **PARENT, **FIRST},
        "goes on": {**EVER, **BOTH, **PARENT, **ONWARD},
        "begins anew": ANEW,
    }.items()
    for name, site in sites.items()
]

# One after the other, in the same run.
CHAIN = [
    FIRST["after a claim is linked"],
    EVER["in the middle of a claim"],
    EVER["in the middle of the actions"],
    EVER["in the middle of the state"],
    EVER["after a checkpoint is renamed"],
    ONWARD["after a claim is taken over"],
    EVER["in the middle of its removal"],
    BOTH["after the second is renamed (and the command)"],
    EVER["after the actions beside a record are made"],
    EVER["after they are linked"],
    EVER["in the middle of a record"],
    EVER["after a record is linked"],
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """Return the records of a command that nothing befell."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"), *OPTIONS)
    bench.run()
    check_complete(bench, records := bench.records())
    assert len(records) == 2
    return records


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return stores with a finished run.

    In the second another has a checkpoint, in the third one that its agent cannot load.
    """
    fresh = Bench(tmp_path_factory.mktemp("fresh"), *OPTIONS)
    fresh.command[fresh.command.index("--seeds") + 1] = "1"
    fresh.run()
    begun = Bench(tmp_path_factory.mktemp("begun"), *OPTIONS)
    shutil.copytree(fresh.store, begun.store)
    strike(begun, BEGUN_AT)
    assert begun.kept()
    stale = tmp_path_factory.mktemp("stale") / "runs"
    shutil.copytree(begun.store, stale)
    for state in stale.glob("checkpoints/*/*/agent/learner.json"):
        state.write_text("{}")
        seal(state.parents[1])
    return {"begins": fresh.store, "goes on": begun.store, "begins anew": stale}


def strike(bench: Bench, site: Site, **variables: str) -> None:
    """Run the command until the process at a site is killed."""
    marker = bench.folder / "marker"
    marker.unlink(missing_ok=True)
    bench.run(-9, 0, 1, **site.variables(marker), **variables)
    assert marker.exists(), "the place was not reached"
    wait_until(lambda: not bench.workers(), 5.0)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("site", "store"),
    [pytest.param(site, store, id=f"{name}, {store}") for name, site, store in CASES],
)
def test_killed_at_a_place(
    site: Site, store: str, stores, undisturbed, tmp_path: Path, tally
) -> None:
    bench = Bench(tmp_path, *OPTIONS)
    shutil.copytree(stores[store], bench.store)
    had = bench.kept()
    strike(bench, site)
    tally["kills at named places"] += 1
    finished = bench.finished_files()
    if len(bench.records()) == 1:
        kept = bench.kept()
        assert store == "begins anew" or all(kept.get(key, -1) >= had[key] for key in had)
    assert bench.failures() == []
    bench.run()
    for path, content in finished.items():
        assert path.read_bytes() == content
    check_complete(bench, undisturbed)


# Of a command whose worker has left without a word.
FAILING = {
    "in the middle of a failed run's record": command("open", "middle", r"\.tmp/", 2),
    **named("it is linked", around(command, "link", r"\.failed1\.json$")),
    **named("its file is removed", around(command, "unlink", r"\.tmp/", 2)),
    **named("its claim is given free", around(command, "replace", rf"claims/{RUN}\.json$")),
}


@pytest.mark.faults
@pytest.mark.parametrize("name", FAILING)
def test_killed_while_a_failure_is_recorded(name: str, tmp_path: Path, tally) -> None:
    bench = Bench(
        tmp_path, "--tasks", "Exit 7", "--seeds", "1", agent="faults.agents:make",
        suite="misbehaviours", suites={"misbehaviours": "faults.agents:MISBEHAVIOURS"},
    )  # fmt: skip
    strike(bench, FAILING[name])
    tally["kills at named places"] += 1
    finished = bench.finished_files()
    recorded = len(bench.failures())
    assert recorded == (
        name not in ("in the middle of a failed run's record", "before it is linked")
    )
    bench.run(1)
    assert len(bench.failures()) == recorded + 1
    assert bench.failures()[-1].timing["attempts"] == 2
    for path, content in finished.items():
        assert path.read_bytes() == content


@pytest.mark.faults
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_a_sign_of_life_is_given(
    when: str, stores, undisturbed, tmp_path: Path, tally
) -> None:
    bench = Bench(tmp_path, *OPTIONS)
    shutil.copytree(stores["begins"], bench.store)
    strike(bench, command("replace", when, rf"claims/{RUN}\.json$"), HOLD="8")
    tally["kills at named places"] += 1
    bench.run()
    check_complete(bench, undisturbed)


FIRST_EVALUATION = 90
DAMAGE = {
    "a bit": lambda content: bytes(byte ^ 64 * (at == 5) for at, byte in enumerate(content)),
    "the end": lambda content: content[:-1],
    "everything": lambda content: b"",
}


@pytest.mark.faults
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["actions", "*/state.json", "*/replayed", "*/agent/learner.json"])
def test_a_damaged_checkpoint_is_not_taken_for_a_failure_of_the_agent(
    file: str, damage: str, stores, undisturbed, tmp_path: Path, tally
) -> None:
    bench = Bench(tmp_path, *OPTIONS)
    shutil.copytree(stores["goes on"], bench.store)
    site = BEGUN_AT
    while max((had := bench.kept()).values()) <= FIRST_EVALUATION:
        strike(bench, site)
        if bench.kept() == had:  # a slow machine keeps several checkpoints at one place
            site = replace(site, nth=site.nth + 1)
    had = bench.kept()
    for path in bench.store.glob(f"checkpoints/*/{file}"):
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    tally["damaged checkpoints"] += 1
    assert bench.kept() != had
    bench.run()
    check_complete(bench, undisturbed)


def test_many_checkpoints_at_the_same_budget(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 1.0)
    state = dict.fromkeys(("evaluations", "parts"), ()) | dict.fromkeys(
        ("digest", "proposals", "replay", "engine", "seconds", "randomness")
    )
    state["training"] = Training(episodes=0, ends=(), returns=())
    for number in range(4):
        checkpoints.save(
            lambda folder, n=number: (folder / "agent").write_text(str(n)), b"", b"",
            budget_used=60, **state,
        )  # fmt: skip
        found = Checkpoints(tmp_path, 1.0).latest()
        assert found is not None
        assert (found.folder / "agent").read_text() == str(number)


def test_killed_at_one_place_after_the_other(undisturbed, tmp_path: Path, tally) -> None:
    bench = Bench(tmp_path, *OPTIONS)
    finished: dict[Path, bytes] = {}
    for site in CHAIN:
        if site.who == "worker":  # the command would do the rest
            site = replace(site, victims=("parent", "self"))
        strike(bench, site)
        tally["kills at named places"] += 1
        for path, content in finished.items():
            assert path.read_bytes() == content
        finished = bench.finished_files()
    bench.run()
    check_complete(bench, undisturbed)
    assert bench.failures() == []
