"""`tools/long_sentences.py` counts the words of prose, and some pages have no long sentence."""

from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
# Pages without a long sentence, which should stay so.
SHORT = ["SECURITY.md"]
SHORT += [f"docs/{page}.md" for page in ("index", "start", "terms", "how-we-know", "deprecation")]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import long_sentences

    return long_sentences


def test_only_prose_counts(tool: ModuleType) -> None:
    text = """# A heading of five words

Two lines, e.g. these, with `code of four words` and
"a quotation of some words". A second one!
- an item [with a link](of/many/words.md)
  that goes on

> a quotation

<!-- a comment -->
```sh
a block --of code
```
| one cell | two cells here. Twice. |
"""
    found = [(sentence.line, sentence.words) for sentence in tool.sentences(text)]
    assert [pair for pair in found if pair[1]] == [
        (3, 8), (3, 3), (5, 8), (14, 2), (14, 3), (14, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("page", SHORT)
def test_short_pages_stay_short(page: str, tool: ModuleType) -> None:
    found = tool.sentences((ROOT / page).read_text(encoding="utf-8"))
    assert [sentence.text for sentence in found if sentence.words > 35] == []
