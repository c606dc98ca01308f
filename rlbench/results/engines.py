"""Engines of records: runs on engines that behave differently are kept apart."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from rlbench.results.record import Record
from rlbench.suites import Suite


def usual_engines(records: Iterable[Record], suite: Suite) -> dict[str, str]:
    """Return the fingerprint by which each task's runs are compared.

    It is the one that the suite expects; where it expects none, the most frequent of the records,
    of equally frequent ones the first in order.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record.engine is not None:
            counts[record.identity.task][record.engine.fingerprint] += 1
    usual = {
        task: min(count, key=lambda fingerprint: (-count[fingerprint], fingerprint))
        for task, count in counts.items()
    }
    for task in suite.tasks:
        if expected := suite.expected_engine(task):
            usual[task.name] = expected
    return usual


def other_engines(
    records: Iterable[Record], suite: Suite, usual: Mapping[str, str]
) -> dict[str, str]:
    """Return what to call the engine of each run that did not behave as usual, by record sha256.

    Args:
        records: Of the suite.
        suite: The suite, which names the packages that matter.
        usual: See `usual_engines`.

    Returns:
        E.g. ``ale-py 0.10.0``, with a fingerprint where versions do not tell two engines apart.
    """
    found: dict[str, tuple[str, Record]] = {}
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        task, engine = record.identity.task, record.engine
        if engine is None or engine.fingerprint == usual.get(task, engine.fingerprint):
            continue
        name = _versions(record, suite) or "another engine"
        found[record.sha256] = name, record
        seen[name, task].add(engine.fingerprint)
    out = {}
    for sha256, (name, record) in found.items():
        assert record.engine is not None
        several = len(seen[name, record.identity.task]) > 1
        out[sha256] = f"{name} {record.engine.fingerprint[:6]}" if several else name
    return out


def _versions(record: Record, suite: Suite) -> str:
    packages = suite.packages + suite.task(record.identity.task).packages
    versions = ((name, record.provenance.get(f"version_{name}")) for name in packages)
    return ", ".join(f"{name} {version}" for name, version in versions if version)
