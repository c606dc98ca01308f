"""List what rlbench says to users: help texts, messages of errors and printed lines.

    python tools/list_messages.py [MODULE.py ...]

Without files it reads the whole package. A message is a text in the source of at least three words,
or the docstring of a command, which is its help. `{}` stands for values. The source is not
executed. Read the list from top to bottom, as a user would meet it: short, active, standard terms.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rlbench"
LEAST = 3  # words of a message
# What is no message: code of other processes, licences, BibTeX.
NONE = re.compile(r"\s*(?:from|import) \w|@\w+\{|.*\blicence: ", re.S)
WORD = re.compile(r"(?<!\S)[\"'(\[]*[A-Za-z][a-z']*[\"')\]]*[.,:;?!]*(?!\S)")
HAS_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Text(NamedTuple):
    """A text, and where it begins."""

    path: Path
    line: int
    text: str


def messages(path: Path) -> Iterator[Text]:
    """Yield the messages in a module, in the order of its source."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node) for node in map(docstring, ast.walk(tree)) if node}
    inner: set[int] = set()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(value) for value in node.values}
        if isinstance(node, ast.FunctionDef) and is_command(node):
            found.append(Text(path, node.lineno, str(ast.get_docstring(node))))
        text = text_of(node)
        if not text or id(node) in docstrings | inner or NONE.match(text):
            continue
        if len(WORD.findall(text)) >= LEAST:
            line = getattr(node, "lineno", 0)
            found.append(Text(path, line, " ".join(text.split())))
    yield from sorted(found, key=lambda one: one.line)


def text_of(node: ast.AST) -> str:
    """Return the text of a literal, with `{}` for values; nothing for other nodes."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(value) or "{}" for value in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def docstring(node: ast.AST) -> ast.Constant | None:
    """Return the docstring of a module, a class or a function."""
    if isinstance(node, HAS_DOCSTRING) and node.body and isinstance(node.body[0], ast.Expr):
        value = node.body[0].value
        return value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return None


def is_command(function: ast.FunctionDef) -> bool:
    """Say whether a function is a command: its parameters say how the command line takes them."""
    arguments = [*function.args.args, *function.args.kwonlyargs]
    return any("typer." in ast.unparse(one.annotation) for one in arguments if one.annotation)


def first_sentences(path: Path) -> Iterator[Text]:
    """Yield the first paragraph of each docstring of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in filter(None, map(docstring, ast.walk(tree))):
        yield Text(path, node.lineno, str(node.value).strip().partition("\n\n")[0])


def modules() -> list[Path]:
    """Return the modules of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def main() -> int:
    """Print the messages."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    for path in parser.parse_args().files or modules():
        for message in messages(path):
            print(f"{path}:{message.line}: {message.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
