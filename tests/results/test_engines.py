"""Runs on engines that behave differently are told apart, and never ranked together."""

from dataclasses import replace

import pytest
from support.records import ATARI, at_seed, make_record

from rlbench.results import Engine, Record, collect
from rlbench.results.engines import other_engines, usual_engines
from rlbench.results.rankable import Terms, ranked_together, terms_of, why_not_ranked

PONG = ATARI.task("Pong")
EXPECTED = ATARI.expected_engine(PONG)
UNSTATED = replace(ATARI, engines="")


def on(fingerprint: str, version: str = "0.12.1", seed: int = 0, agent: str = "a") -> Record:
    record = at_seed(make_record("Pong", agent), seed)
    return replace(
        record,
        engine=Engine(fingerprint=fingerprint, steps=200, digits=None),
        provenance={**record.provenance, "version_ale-py": version},
    )


def test_the_expected_engine_is_the_usual_one_however_rare() -> None:
    records = [on("f" * 16, seed=seed) for seed in range(3)]
    assert usual_engines(records, ATARI)["Pong"] == EXPECTED
    assert usual_engines(records, UNSTATED) == {"Pong": "f" * 16}
    assert usual_engines([on("b" * 16), on("a" * 16)], UNSTATED) == {"Pong": "a" * 16}


def test_other_engines_are_called_by_their_versions() -> None:
    old, new, silent = on("a" * 16, "0.10.0"), on(EXPECTED), on("b" * 16, "0.10.0", seed=1)
    usual = usual_engines([], ATARI)
    assert other_engines([old, new], ATARI, usual) == {old.sha256: "ale-py 0.10.0"}
    # The version does not tell these two apart.
    assert other_engines([old, silent], ATARI, usual) == {
        old.sha256: "ale-py 0.10.0 aaaaaa", silent.sha256: "ale-py 0.10.0 bbbbbb"
    }  # fmt: skip


def test_scores_of_two_engines_are_never_pooled() -> None:
    records = [on(EXPECTED, seed=0), on("a" * 16, "0.10.0", seed=1)]
    scores = collect(records, ATARI)
    assert list(scores.values) == ["a", "a [ale-py 0.10.0]"]
    assert scores.engines == {"a": "", "a [ale-py 0.10.0]": "ale-py 0.10.0"}
    assert [len(s["Pong"]) for s in scores.values.values()] == [1, 1]
    own = {a: terms_of(r, scores.engines[a]) for a, r in scores.records.items()}
    a, b = scores.values
    assert "ale-py 0.10.0" in why_not_ranked(a, b, {}, own)
    assert ranked_together(own, {}, own) == [[a], [b]]


def test_records_without_a_fingerprint_are_not_split() -> None:
    scores = collect([make_record("Pong", "a"), on(EXPECTED, seed=1)], ATARI)
    assert [len(s["Pong"]) for s in scores.values.values()] == [2]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (Terms(), Terms(), ""),
        (Terms(("pretraining",)), Terms(("pretraining",)), ""),
        (Terms(("pretraining",)), Terms(), "a was given pretraining, b nothing"),
        (Terms(("shared_seeds",)), Terms(("shared_seeds",)), "a: its seeds share data"),
    ],
)
def test_only_agents_that_were_given_the_same_are_ranked(
    one: Terms, other: Terms, reason: str
) -> None:
    found = why_not_ranked("a", "b", {}, {"a": one, "b": other})
    assert found.startswith(reason)
    assert bool(found) == bool(reason)
