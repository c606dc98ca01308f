"""Golden cases: what original implementations returned for fixed inputs."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

OWN = Path(__file__).parents[1] / "golden/cases"


def folder() -> Path:
    """Return where the cases are read from: ``RLBENCH_GOLDEN``, or the project's own."""
    return Path(os.environ.get("RLBENCH_GOLDEN", OWN))


def read(path: Path) -> Any:
    """Return what a file of JSON holds, plain or compressed by gzip."""
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def found(pattern: str, among: Path) -> list[Path]:
    """Return the files of a folder whose name without ``.json`` or ``.json.gz`` matches."""
    return sorted([*among.glob(f"{pattern}.json"), *among.glob(f"{pattern}.json.gz")])


def content(name: str, among: Path) -> Any:
    """Return what the file ``name.json`` or ``name.json.gz`` of a folder holds, or skip."""
    paths = found(name, among)
    if not paths:
        pytest.skip(f"no {name}.json or {name}.json.gz in {among}")
    return read(paths[0])


def cases(name: str, among: Path) -> list[dict[str, Any]]:
    """Return the cases of a file of statistics, or skip."""
    listed: list[dict[str, Any]] = content(name, among)["cases"]
    assert listed, f"{name} in {among} has no cases"
    return listed


def has_one_run(*scores: Any) -> bool:
    """Say whether a task has one run alone, of scores (runs, tasks): it has no interval."""
    return any(len(of_agent) == 1 for of_agent in scores)
