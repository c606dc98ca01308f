"""The page on the Python API and the notebook run, and print what stands in them."""

import json
from pathlib import Path

import pytest
from support.documents import ROOT, blocks_of, outputs_of, session

import rlbench

PAGE = ROOT / "docs/python-api.md"
NOTEBOOK = ROOT / "examples/compare.ipynb"


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
    for name in ("scores", "to_frame", "curves", "stats", "compare", "plan", "figure"):
        assert f"`.{name}(" in text
        assert hasattr(rlbench.Results, name)


def test_the_code_in_the_readme_runs(tmp_path: Path) -> None:
    (block,) = [b for k, b in blocks_of(ROOT / "README.md") if k == "python" and "rlbench." in b]
    with session(tmp_path) as run:
        assert "SPR is better than CURL" in run(block)


def test_the_notebook_runs_and_its_outputs_are_what_its_cells_give(tmp_path: Path) -> None:
    stored = [c["outputs"] for c in json.loads(NOTEBOOK.read_text())["cells"] if "outputs" in c]
    assert sum(map(bool, stored)) >= 3
    assert outputs_of(NOTEBOOK, tmp_path) == stored
