"""One word for one thing: words that CONTRIBUTING gives a better one for are not used."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A pattern to what to say instead, as the list of words in CONTRIBUTING has it.
INSTEAD = {
    r"literature": "published",
    r"catalogues?": "published sources",
    r"hyper-?parameters?": "config",
    r"snapshots?": "checkpoint",
    r"leader-board|leader board": "leaderboard",
}
# Where they are names of others: columns of their files, their agents.
NAMES = r"`[^`]*`|\"[^\"]*\"|fixed hyperparameters|fixed-hyperparameters"


def texts() -> list[Path]:
    """Return the files whose words are ours."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
    for suffix in ("py", "html", "js", "toml"):
        found += ROOT.glob(f"rlbench/**/*.{suffix}")
    return found


@pytest.mark.parametrize("pattern", INSTEAD)
def test_one_word_stands_for_one_thing(pattern: str) -> None:
    word = re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
    for path in texts():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = word.search(re.sub(NAMES, "", line))
            assert not found, f"{path.relative_to(ROOT)}:{number}: say {INSTEAD[pattern]!r}"
