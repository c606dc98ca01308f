"""Find sentences that are too long to read with ease in the documents.

    python tools/long_sentences.py [--words 35] [FILE.md ...]

Without files it reads README, CHANGELOG, CONTRIBUTING, SECURITY and `docs/`. Prose counts, and so
does each cell of a table, where a semicolon parts the items of a list, as a dot in the middle of a
line does in prose. Code blocks, quotations (lines that begin with ``>``), comments and headings do
not. Code or quoted text within a line counts as one word. The tool prints each long sentence with
its file, line and number of words. The exit code is 1 if there are any.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^ {0,3}(```|~~~)")
ITEM = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+")
# The end of a sentence; full stops of abbreviations and initials are none.
END = re.compile(r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bal\.)(?<!\b[A-Z]\.)(?<=[.!?])[\"')*_]*\s+")


class Sentence(NamedTuple):
    """A sentence, and the line of its file on which its paragraph begins."""

    line: int
    text: str

    @property
    def words(self) -> int:
        """Return how many words it has; what has no letter or digit is none."""
        return sum(bool(re.search(r"\w", word)) for word in self.text.split())


def paragraphs(text: str) -> Iterator[Sentence]:
    """Yield paragraphs, items of lists and cells of tables, without code and quotations."""
    lines: list[str] = []
    start, fenced = 0, False
    for number, line in enumerate([*strip_comments(text).splitlines(), ""], 1):
        fence = FENCE.match(line)
        fenced ^= bool(fence)
        apart = fence or fenced or not line.strip() or line.lstrip().startswith((">", "#", "|"))
        if lines and (apart or ITEM.match(line)):
            yield Sentence(start, " ".join(lines))
            lines = []
        if line.lstrip().startswith("|") and not fenced:
            yield from (Sentence(number, item) for item in re.split("[|;]", line))
        elif not apart:
            start = start if lines else number
            lines.append(ITEM.sub("", line).strip())


def strip_comments(text: str) -> str:
    """Return a text without HTML comments, on the same lines."""
    return re.sub(r"<!--.*?-->", lambda found: "\n" * found[0].count("\n"), text, flags=re.S)


def sentences(text: str) -> Iterator[Sentence]:
    """Yield the sentences of a document, with one word for each piece of code or quotation."""
    for line, paragraph in paragraphs(text):
        bare = re.sub(r"`[^`]*`", "CODE", paragraph)
        bare = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", bare)
        bare = re.sub(r"[\"“][^\"”]*[\"”]", "QUOTE", bare)
        parts = (part for item in bare.split(" · ") for part in END.split(item))
        yield from (Sentence(line, part.strip()) for part in parts if part)


def documents() -> list[Path]:
    """Return the documents that are read by default."""
    names = ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")
    roots = [ROOT / f"{name}.md" for name in names]
    return [*roots, *sorted(ROOT.glob("docs/**/*.md"))]


def main() -> int:
    """Print the long sentences; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--words", type=int, default=35, help="the most that a sentence may have")
    asked = parser.parse_args()
    count = total = 0
    for path in asked.files or documents():
        for sentence in sentences(path.read_text(encoding="utf-8")):
            total += bool(sentence.words)
            if sentence.words > asked.words:
                count += 1
                print(f"{path}:{sentence.line}: {sentence.words} words: {sentence.text}")
    print(f"{count} of {total} sentences have more than {asked.words} words")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
