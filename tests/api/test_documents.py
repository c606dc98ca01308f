"""The page on the Python API and the notebooks run, and print what stands in them."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from support.documents import ROOT, blocks_of, outputs_of, session

import rlbench

PAGE = ROOT / "docs/python-api.md"
NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))


def test_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    blocks = blocks_of(PAGE)
    assert {kind for kind, _ in blocks} == {"python", "python continuation", "text"}
    assert len(blocks) == PAGE.read_text().count("```") / 2
    with session(tmp_path) as run:
        printed = ""
        for kind, block in blocks:
            if kind == "text":
                lines, shown = printed.splitlines(), block.splitlines()
                assert any(lines[k : k + len(shown)] == shown for k in range(len(lines))), printed
            else:
                printed = run(block)


def test_the_page_names_all_that_is_public() -> None:
    text = PAGE.read_text()
    for name in rlbench.__all__:
        assert f"`{name}" in text, name
    for name in (n for n in vars(rlbench.Results) if not n.startswith("_") and n != "agents"):
        assert f"`.{name}(" in text


def test_the_code_in_the_readme_runs(tmp_path: Path) -> None:
    (block,) = [b for k, b in blocks_of(ROOT / "README.md") if k == "python" and "rlbench." in b]
    with session(tmp_path) as run:
        assert "SPR is better than CURL" in run(block)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_run_and_their_outputs_are_what_their_cells_give(
    notebook: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    stored = [c["outputs"] for c in json.loads(notebook.read_text())["cells"] if "outputs" in c]
    assert sum(map(bool, stored)) >= 3
    found = outputs_of(notebook, tmp_path)
    # Versions of matplotlib and its fonts differ in single pixels.
    assert sizes_of_pictures(found) == sizes_of_pictures(stored)
    assert found == stored


def sizes_of_pictures(outputs: list[list[dict[str, Any]]]) -> list[tuple[int, int]]:
    """Take the pictures out of the outputs of cells, and return their sizes."""
    from PIL import Image

    data = [output["data"] for cell in outputs for output in cell if "data" in output]
    pictures = [one.pop("image/png") for one in data if "image/png" in one]
    return [Image.open(io.BytesIO(base64.b64decode(picture))).size for picture in pictures]
