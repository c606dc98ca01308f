"""Agents that misbehave: each is recorded with the reason, and the other runs go on."""

import re

import pytest
from faults.agents import FAULTS, GOOD, SLOW
from support.faults import Bench, wait_until

from rlbench.results import Record, Store

SILENCE = 10.0  # seconds


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """Run all of them in one command; return the records by task."""
    bench = Bench(
        tmp_path_factory.mktemp("agents"), "--tasks", ",".join(FAULTS), "--seeds", "1",
        "--jobs", str(len(SLOW) + 2), "--step-timeout", str(SILENCE), agent="faults.agents:make",
        suite="misbehaviours", suites={"misbehaviours": "faults.agents:MISBEHAVIOURS"}, every=0.001,
    )  # fmt: skip
    out = bench.run(1)
    wait_until(lambda: bench.workers() == [], 5.0)
    loaded = Store(bench.store).load()
    assert loaded.problems == []
    written = [r for r in loaded.records if (r.identity.task, r.status) != ("Forge", "ok")]
    found = {record.identity.task: record for record in written}
    assert sorted(found) == sorted(FAULTS)
    assert len(written) == len(FAULTS) == len(loaded.records) - 1, "one record a run"
    failed = [line for line in out.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == sum(fault.status != "ok" for fault in FAULTS.values())
    assert all(name.startswith(("claims/", "checkpoints/")) for name in bench.left_over())
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_an_agent_that_misbehaves(name: str, records: dict[str, Record], tally) -> None:
    tally["agents that misbehave"] += name not in GOOD
    fault, record = FAULTS[name], records[name]
    assert record.status == fault.status, record.error
    if record.error is None:
        assert record.budget_used == 60
        return
    assert fault.reason in record.error.reason
    assert record.error.reason.isprintable()
    if fault.phase is not None:
        by_signal = "again and again" in record.error.reason
        assert record.timing["signalled"] == (4 if by_signal else 0)
        assert record.error.phase == fault.phase
        # Of a worker that has no time to say so it is not known how far it was.
        if not re.search("was ended by|exit code|no step was finished", record.error.reason):
            assert record.error.step == fault.step
