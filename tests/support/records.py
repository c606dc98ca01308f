"""Records to test with, made as a run makes them."""

from dataclasses import replace

from rlbench import suites
from rlbench.results import AgentId, Evaluation, Failure, Identity, Record, Training
from rlbench.suites import Suite

ATARI = suites.get("atari100k")
TEACHER = AgentId(
    name="teacher", version="1", spec="teacher", config={}, source=None, factory="teacher:make"
)


def make_record(
    task: str = "Pong",
    agent: str = "tester",
    seed: int = 0,
    score: float = -20.0,
    *,
    suite: Suite = ATARI,
    status: str = "ok",
    config: dict[str, object] | None = None,
    source: str | None = "0" * 64,
    version: str = "",
    factory: str = "tester:make",
    given: tuple[str, ...] = (),
    length: int = 1000,
) -> Record:
    """Return a record whose episodes average to the score."""
    chosen = suite.task(task)
    protocol = suite.protocol_of(chosen)
    ok = status == "ok"
    evaluation = Evaluation(
        budget_used=protocol.budget,
        returns=(float(score),) * protocol.episodes,
        lengths=(length,) * protocol.episodes,
        distinct_starts=min(7, protocol.episodes),
    )
    return Record(
        identity=Identity(
            suite=suite.id,
            task=chosen.name,
            constants=suite.constants(chosen),
            unofficial=dict(suite.unofficial),
            agent=AgentId(
                name=agent,
                version=version,
                spec="tester.py",
                config=config or {},
                source=source,
                factory=factory,
                given=given,
            ),
            teacher=TEACHER if protocol.kind == "curriculum" else None,
            seed=seed,
        ),
        status=status,
        error=None if ok else Failure(phase="train", step=17, reason="act raised ValueError: no"),
        budget_used=protocol.budget if ok else 17,
        evaluations=(evaluation,) if ok else (),
        training=Training(episodes=2, ends=(10, 16), returns=(1.0, -1.5)),
        provenance={"version_python": "3.11", "cpus": 2, "device": "cpu"},
        timing={"started": "2026-01-01T00:00:00+00:00", "seconds": 12.5},
    )


def at_seed(record: Record, seed: int) -> Record:
    """Return the record of another seed."""
    return replace(record, identity=replace(record.identity, seed=seed))
