"""How what a user asks for is read."""

import pytest

from rlbench.api.asking import parse_seeds
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
