"""Code in documents and notebooks, executed in order in this process."""

import ast
import base64
import io
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from rlbench.errors import Assumed
from support.cells import cells

ROOT = Path(__file__).parents[2]


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Return the fenced blocks of a page: what follows the fence, and the content."""
    return re.findall(r"^```([a-z ]+)\n(.*?)^```$", page.read_text(), re.S | re.M)


@contextmanager
def session(folder: Path) -> Iterator[Callable[[str], str]]:
    """Yield what runs code as a cell of one notebook, and returns what it printed.

    The current folder is an empty one that has our examples. Warnings of what was assumed are no
    errors, as for a user.
    """
    (folder / "examples").symlink_to(ROOT / "examples")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        warnings.simplefilter("ignore", Assumed)
        run = cells(patch)

        def printed(source: str) -> str:
            with redirect_stdout(io.StringIO()) as out:
                run(source)
            return out.getvalue()

        yield printed


def outputs_of(notebook: Path, folder: Path) -> list[list[dict[str, Any]]]:
    """Return the outputs of each code cell, as notebooks store them: text that is printed, and the
    value of a last line that is an expression. A figure has its picture.
    """
    found = []
    with session(folder) as run:
        for cell in json.loads(notebook.read_text())["cells"]:
            if cell["cell_type"] != "code":
                continue
            source = "".join(cell["source"])
            last = ast.parse(source).body[-1]
            shown = isinstance(last, ast.Expr) and not source.rstrip().endswith(";")
            if shown:
                lines = source.splitlines()
                lines[last.lineno - 1 :] = [f"_ = ({chr(10).join(lines[last.lineno - 1 :])}\n)"]
                source = "\n".join(lines)
            printed = run(source)
            value = vars(sys.modules["__main__"])["_"] if shown else None
            found.append(_outputs(printed, value, len(found) + 1))
    return found


def _outputs(printed: str, value: object, count: int) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    if printed:
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed)})
    if value is not None:
        data: dict[str, str | list[str]] = {"text/plain": _lines(repr(value))}
        page = value._repr_html_() if hasattr(value, "_repr_html_") else None  # of figures None
        if page is not None:
            data["text/html"] = _lines(page)
        if hasattr(value, "_repr_png_"):
            data["image/png"] = base64.b64encode(value._repr_png_()).decode()
        outputs.append(
            {"output_type": "execute_result", "execution_count": count, "data": data,
             "metadata": {}}
        )  # fmt: skip
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def store_outputs(notebook: Path, folder: Path) -> None:
    """Write the outputs into a notebook: ``PYTHONPATH=tests python -m support.documents FILE``."""
    content = json.loads(notebook.read_text())
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    for count, (cell, found) in enumerate(zip(code, outputs_of(notebook, folder), strict=True), 1):
        cell |= {"execution_count": count, "outputs": found}
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        store_outputs(Path(sys.argv[1]).resolve(), Path(place))
