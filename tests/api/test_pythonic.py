"""Messages in Python: options of the command line become arguments."""

import ast
import re
from pathlib import Path

import pytest

from rlbench.api.pythonic import WORDS, pythonic

ROOT = Path(__file__).parents[2] / "rlbench"
NAMES = {
    "adastop",
    "agents",
    "mean",
    "tasks",
    "published",
    "uniform",
    "cuda",
    "stori",
    "wins",
}  # that are values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--store published --agents SPR is", 'store="published" agents=["SPR"] is'),
        ("say --rename 'A (a.csv)=NAME' if", 'say rename={"A (a.csv)": "NAME"} if'),
        ("add --unofficial budget=200", 'add unofficial={"budget": 200}'),
        ("--normalise-by WORST,BEST turns", 'normalise_by=("WORST", "BEST") turns'),
        ("--against has no test", "against= has no test"),
        ("say --decimal ,", 'say decimal=","'),
        ("--retention needs a suite", "retention=True needs a suite"),
        ("See: rlbench list tasks --suite x", "See: rlbench list tasks --suite x"),
        ("a -- b, a--b", "a -- b, a--b"),
    ],
)
def test_options_become_arguments(text: str, said: str) -> None:
    assert pythonic(text) == said


def test_every_word_after_an_option_is_known_to_be_a_value_or_none() -> None:
    """A message with a new word would read as if the word were the option's value."""
    seen = set()
    for part in ("api", "results", "stats", "runners"):
        for path in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = re.sub(r"rlbench [a-z]+ .*", "", node.value)
                    seen |= set(re.findall(r"(?<![\w-])--[a-z-]+ ([a-z]+)\b(?![=-])", text))
    assert len(seen) > 10
    assert seen <= WORDS | NAMES
