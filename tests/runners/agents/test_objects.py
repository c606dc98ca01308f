"""Agents given as classes and functions: their names, and what the hash of their source covers."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cells import cells

from rlbench.errors import UsageError
from rlbench.results import Store
from rlbench.runners.agents.objects import find_object, importable_spec
from rlbench.runners.agents.random import make as make_random

AGENT = """
class Agent:
    step: int = 3

    def __init__(self, task, *, seed, device, size=4):
        self.size = size

    def act(self, obs, first, *, phase):
        return choose(obs) * RATE
"""
HELPER = """
import math

RATE = 0.5

def choose(obs):
    return math.floor(obs[0])
"""


@pytest.fixture
def run_cell(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    return cells(monkeypatch)


def test_a_class_of_a_notebook_is_told_by_its_source(run_cell) -> None:
    run_cell(HELPER)
    first = find_object(run_cell(AGENT)["Agent"])
    assert first.name == "Agent"
    assert first.factory == "__main__:Agent"
    assert set(first.files) == {"Agent", "Agent.step", "choose", "RATE", "math"}
    assert first.signature.defaults == {"size": 4}
    run_cell("unused = [1]")
    assert find_object(run_cell(AGENT)["Agent"]).source == first.source


@pytest.mark.parametrize(
    "change",
    [
        "RATE = 0.25",
        "def choose(obs):\n    return 0",
        AGENT.replace("size=4", "size=5"),
        "Agent.step = 4",
        "import json as math",
    ],
)
def test_what_it_uses_changes_the_hash(run_cell, change: str) -> None:
    run_cell(HELPER)
    before = find_object(run_cell(AGENT)["Agent"]).source
    assert find_object(run_cell(change)["Agent"]).source != before


def test_files_that_are_not_installed_are_covered(
    run_cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_helpers.py").write_text("def choose(obs):\n    return 1\n")
    monkeypatch.delitem(sys.modules, "my_helpers", raising=False)
    run_cell("RATE = 1\nfrom my_helpers import choose\nimport numpy as np")
    agent = run_cell(AGENT)["Agent"]
    before = find_object(agent)
    assert "my_helpers.py" in before.files
    (tmp_path / "my_helpers.py").write_text("def choose(obs):\n    return 2\n")
    assert find_object(agent).source != before.source
    sys.modules.pop("my_helpers")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("model = [1.0]\ndef make(task, **_):\n    return model", r"the global 'model' \(list\)"),
        ("def outer():\n    x = 1\n    def make(task, **_):\n        return x\n    return make\n"
         "make = outer()", "'x' of the function around it"),
        ("def outer(base):\n    class make(base):\n        def act(self, obs): return obs\n"
         "    return make\nmake = outer(object)", "'base' of the function around it"),
        ("make = type('make', (), {'act': print})", "cannot read the source of 'make'"),
        ("make = lambda task: 0", "cannot read the source of '<lambda>'"),
        ("from functools import wraps\ndef twice(f):\n    @wraps(f)\n    def g(*a): return f(*a)\n"
         "    return g\n@twice\ndef make(task): return 0", "'f' of the function around it"),
    ],
)  # fmt: skip
def test_what_no_hash_covers_is_refused_in_one_line(run_cell, source: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        find_object(run_cell(source)["make"])
    assert "\n" not in str(caught.value)


def test_a_class_without_functions_is_found_by_its_name_if_there_is_one_only(run_cell) -> None:
    base = "class Base:\n    def act(self, obs): return obs\n"
    run_cell(base)
    names = run_cell("class Agent(Base):\n    rate = 3\n")
    assert set(find_object(names["Agent"]).files) == {"Agent", "Agent.rate", "Base"}
    names = run_cell("class Agent(Base):\n    rate = 4\n")
    with pytest.raises(UsageError, match="cannot read the source"):
        find_object(names["Agent"])


def test_what_can_be_imported_is_named_as_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "an_agent.py").write_text("def make(task): ...\nother = make\n")
    import an_agent  # type: ignore[import-not-found]

    assert importable_spec(an_agent.make) == f"{tmp_path}/an_agent.py:make"
    an_agent.make.__name__ = "gone"
    assert importable_spec(an_agent.other) == ""
    assert importable_spec(make_random) == "rlbench.runners.agents.random:make"
    assert importable_spec(Store) == "rlbench.results.store:Store"
    with pytest.raises(UsageError, match="a spec, a class or a function, not dict"):
        importable_spec({})  # type: ignore[arg-type]
    sys.modules.pop("an_agent")
