"""Tools count the words of prose: no document and no message has a long sentence."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import long_sentences

    return long_sentences


@pytest.fixture
def lister(tool: ModuleType) -> ModuleType:
    import list_messages

    return list_messages


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


def test_messages_are_found_without_code(lister: ModuleType, tmp_path: Path) -> None:
    (module := tmp_path / "a.py").write_text(
        '"""Of a module. And more."""\n'
        "import typer\n"
        "CODE = 'import sys; print(this and that)'\n"
        "def say(file: Annotated[str, typer.Option(help='The file to read.')]) -> None:\n"
        '    """Say what is in a file."""\n'
        "    raise ValueError(f'cannot read {file}: no such {kind!r} here', 'a name')\n"
        "def other() -> None:\n"
        '    """No command has this docstring."""\n'
    )
    assert [(one.line, one.text) for one in lister.messages(module)] == [
        (4, "Say what is in a file."),
        (4, "The file to read."),
        (6, "cannot read {}: no such {} here"),
    ]
    assert [one.line for one in lister.first_sentences(module)] == [1, 5, 8]


def test_no_message_and_no_docstring_begins_with_a_long_sentence(
    tool: ModuleType, lister: ModuleType
) -> None:
    def texts() -> Iterator[tuple[Path, int, str]]:
        for path in lister.modules():
            for found in lister.messages(path):
                yield from ((path, found.line, one) for one in tool.sentences(found.text))
            for found in lister.first_sentences(path):
                yield from ((path, found.line, one) for one in [*tool.sentences(found.text)][:1])

    checked = list(texts())
    assert len(checked) > 4000
    assert [f"{path}:{line}: {one.text}" for path, line, one in checked if one.words > 35] == []
