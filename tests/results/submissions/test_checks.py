"""The gate refuses what is wrong for the reason that it is wrong, and accepts all else."""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.bundles import (
    TODAY,
    Draft,
    Runs,
    constant,
    draft_of,
    good,
    of_agent,
    run_agents,
    shifted,
    timed,
)
from support.classic import registered
from support.records import make_record
from support.spoiled import WRONG, Wrong, spoiled

from rlbench import suites
from rlbench.results import Record, published
from rlbench.results.submissions import Refusal, check_files
from rlbench.results.submissions.checks import check_between

GOOD, BAD = 500, 500


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Real runs; the suite stays registered while the tests of this file run."""
    folder = tmp_path_factory.mktemp("submissions")
    with registered(folder / "installed"):
        yield run_agents(folder)


def refusals(draft: Draft) -> list[Refusal]:
    files = draft.files()
    return check_files(draft.place, files, TODAY)[1]


def test_500_good_ones_are_accepted(runs: Runs) -> None:
    different = set()
    for seed in range(GOOD):
        draft = good(runs, seed)
        assert refusals(draft) == [], seed
        different.add(json.dumps(sorted(str(hash(c)) for c in draft.files().values())))
    assert len(different) > 0.98 * GOOD


def assert_refused(runs: Runs, wrong: tuple[str, str, Wrong], seed: int) -> None:
    kind, said, _ = wrong
    found = refusals(spoiled(runs, wrong, seed))
    assert {refusal.kind for refusal in found} == {kind}, (seed, kind, said, found)
    assert any(re.search(said, refusal.problem) for refusal in found), (seed, said, found)
    assert all("\n" not in str(refusal) and refusal.advice for refusal in found)


def test_500_bad_ones_are_refused_for_the_right_reason(runs: Runs) -> None:
    by_kind: dict[str, list[tuple[str, str, Wrong]]] = {}
    for one in WRONG:
        by_kind.setdefault(one[0], []).append(one)
    assert len(by_kind) == 17
    for seed in range(BAD):
        of_kind = by_kind[sorted(by_kind)[seed % len(by_kind)]]
        assert_refused(runs, of_kind[seed // len(by_kind) % len(of_kind)], seed)


def test_all_that_is_wrong_is_refused_for_the_right_reason(runs: Runs) -> None:
    assert len(WRONG) > 100
    for number, wrong in enumerate(WRONG):
        assert_refused(runs, wrong, BAD + number)


def submitted(draft: Draft) -> Any:
    files = draft.files()
    submission, refused = check_files(draft.place, files, TODAY)
    assert refused == []
    return submission


def test_an_agent_is_submitted_once(runs: Runs) -> None:
    rng = random.Random(1)
    one, two = draft_of(runs["mine"], rng), draft_of(runs["mine"], rng)
    one.fields["namespace"], two.fields["namespace"] = "ann", "bob"
    two.change_all(lambda r: shifted(r, rng))
    (found,) = check_between([submitted(two)], [submitted(one)])
    assert (found.kind, found.where.split("/")[0]) == ("agent", "bob")
    assert "this agent is in ann/" in found.problem


def test_names_that_look_like_those_of_others_are_refused(runs: Runs) -> None:
    rng = random.Random(2)
    one, two = draft_of(runs["mine"], rng), draft_of(runs["mine"], rng)
    one.fields["namespace"], two.fields["namespace"] = "ann", "bob"
    for name, refused in (("mіne", True), ("minе", True), ("mine", False), ("mine2", False)):
        renamed = draft_of(runs["mine"], rng)
        renamed.fields["namespace"] = "bob"
        renamed.change_all(lambda r, name=name: shifted(of_agent(r, name=name, version="5"), rng))
        found = list(check_between([submitted(renamed)], [submitted(one)]))
        assert [refusal.kind for refusal in found] == ["name"] * refused


def test_copies_of_another_submission_are_refused(runs: Runs) -> None:
    rng = random.Random(3)
    one = draft_of(runs["mine"], rng)
    one.fields["namespace"] = "ann"
    accepted = [submitted(one)]

    def copied(change: Callable[[Record], Record], **fields: Any) -> list[Refusal]:
        draft = draft_of(runs["mine"], rng)
        draft.fields |= {"namespace": "bob", **fields}
        draft.change_all(lambda r: change(of_agent(r, name="new")))
        return list(check_between([submitted(draft)], accepted))

    def shuffled(record: Record) -> Record:
        final = record.final
        returns = tuple(rng.sample(final.returns, len(final.returns)))
        return replace(
            record, evaluations=(*record.evaluations[:-1], replace(final, returns=returns))
        )

    (same,) = copied(lambda r: r)
    assert (same.kind, "6 such runs" in same.problem) == ("repeat", True)
    (mixed,) = copied(shuffled)
    assert (mixed.kind, "half of its scores" in mixed.problem) == ("repeat", True)
    assert copied(lambda r: shifted(r, rng)) == []
    assert copied(lambda r: r, deterministic=True) == []


def test_agents_whose_episodes_are_all_alike_may_have_equal_scores(runs: Runs) -> None:
    rng = random.Random(5)
    one, two = draft_of(runs["mine"], rng), draft_of(runs["mine"], rng)
    one.fields["namespace"], two.fields["namespace"] = "ann", "bob"
    two.change_all(lambda r: of_agent(r, name="new"))
    for draft in (one, two):
        constant(draft, rng)
    assert list(check_between([submitted(two)], [submitted(one)])) == []


def test_scores_of_a_paper_are_not_submitted_as_runs() -> None:
    """The returns average to what was published, in an order of episodes that nobody published."""
    rng = random.Random(4)
    suite = suites.get("atari100k")
    paper = published.load(suite)["SPR"]

    def draft(of: Callable[[str, int], float]) -> Draft:
        records = []
        for task in suite.tasks:
            for seed in range(3):
                score = of(task.name, seed)
                base = timed(make_record(task.name, "mine", seed, score, suite=suite))
                pairs = [(score + k, score - k) for k in rng.sample(range(1, 100), 50)]
                final = replace(base.final, returns=tuple(v for pair in pairs for v in pair))
                records.append(replace(base, evaluations=(final,)))
        return draft_of(records, rng, suite)

    honest = submitted(draft(lambda task, seed: suite.task(task).low + rng.random()))
    assert list(check_between([honest], [])) == []
    copied = submitted(draft(lambda task, seed: float(paper.values[task][seed])))
    (found,) = check_between([copied], [])
    assert found.kind == "repeat"
    assert found.problem == "half of its scores equal those of SPR, as published"
