"""`tools/long_sentences.py` counts the words of prose, and no document has a long sentence."""

from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


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
| one cell | two cells here. Twice; more · of it. |
"""
    found = [(sentence.line, sentence.words) for sentence in tool.sentences(text)]
    assert [pair for pair in found if pair[1]] == [
        (3, 8), (3, 3), (5, 8), (14, 2), (14, 3), (14, 1), (14, 1), (14, 2),
    ]  # fmt: skip


def test_no_document_has_a_long_sentence(tool: ModuleType) -> None:
    found = [
        f"{path}:{sentence.line}: {sentence.text}"
        for path in tool.documents()
        for sentence in tool.sentences(path.read_text(encoding="utf-8"))
        if sentence.words > 35
    ]
    assert found == []
