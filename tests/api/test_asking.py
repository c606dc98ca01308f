"""How what a user asks for is read."""

import pytest

from rlbench.api.asking import parse_eval_points, parse_seeds, parse_suite
from rlbench.errors import UsageError


def test_a_number_counts_seeds_and_a_range_names_them() -> None:
    assert parse_seeds("3") == [0, 1, 2]
    assert parse_seeds("0-0") == [0]
    assert parse_seeds("0,2,5-7,2") == [0, 2, 5, 6, 7]


@pytest.mark.parametrize("text", ["0", " 00 "])
def test_no_seed_at_all_is_told_how_to_name_seed_0(text: str) -> None:
    with pytest.raises(UsageError, match="write 0-0 for seed 0"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["", "a", "-1", "3-1", "4294967296-4294967296", "20000"])
def test_what_names_no_seeds_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="neither a number of seeds"):
        parse_seeds(text)


def test_too_many_evaluations_are_refused_however_large_the_budget() -> None:
    assert len(parse_eval_points("201", 100_000)) == 200
    for text in ("202", "1000", "50000"):
        with pytest.raises(UsageError, match="at most 200"):
            parse_eval_points(text, 100_000)


@pytest.mark.parametrize(
    "text", ["none", "None", "null", "true", "5", "nan", "[1]", "@x", '"none"']
)
def test_a_constant_that_is_a_string_takes_any_word(text: str) -> None:
    suite = parse_suite("stump-tracks", f"episodes=5, expert_knowledge = {text}, shuffled=true")
    word = text.strip('"')
    assert suite.unofficial == {"episodes": 5, "expert_knowledge": word, "shuffled": True}


def test_a_constant_that_is_no_string_takes_none_of_them() -> None:
    for text in ("none", "true", '"5"', "five"):
        with pytest.raises(UsageError, match="'episodes' takes int, not"):
            parse_suite("stump-tracks", f"episodes={text}")
