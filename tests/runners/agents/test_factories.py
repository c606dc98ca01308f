"""Where a factory is, and what it takes, told without running it where that is possible."""

import sys
from pathlib import Path
from typing import Any

import pytest

from rlbench.errors import UnknownName, UsageError
from rlbench.registry import Entry, Registry
from rlbench.runners.agents.factories import (
    Place,
    describe,
    find,
    find_file,
    load,
    names_file,
    signature_of,
    stated_version,
    without_folders,
)

NOTHING = Registry("agent", {})


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])


def place_of(text: str, factory: str = "make", name: str = "mine.py") -> Place:
    Path(name).write_text(text)
    return find(NOTHING, f"{name}:{factory}")


@pytest.mark.parametrize("spec", ["mine.py", "./mine.py", "mine", "mine.py:make"])
def test_a_file_has_many_names_and_one_canonical_one(spec: str) -> None:
    Path("mine.py").write_text("raise SystemExit('it was run')\n")
    place = find_file(spec, {})
    assert place is not None
    assert (place.canonical, place.name, place.is_file) == ("mine:make", "mine", True)
    assert place.path == Path("mine.py").resolve()


def test_registered_names_go_before_files_of_that_name() -> None:
    Path("random.py").write_text("")
    assert find_file("random", {"random": "x:make"}) is None
    ours = Registry("agent", {"random": Entry("rlbench.runners.agents.random:make", "1")})
    assert find(ours, "random").module == "rlbench.runners.agents.random"


def test_only_paths_name_files() -> None:
    assert names_file("a/b")
    assert names_file("b.py:left")
    assert not names_file("pkg.mod:left")
    assert without_folders("a/two.py:left") == "two.py:left"
    assert without_folders("pkg.mod:left") == "pkg.mod:left"


def test_what_names_nothing_says_where_was_looked() -> None:
    with pytest.raises(UnknownName, match=r"there is no folder .*nowhere"):
        find(NOTHING, "nowhere/mine.py")
    Path("sub").mkdir()
    Path("sub/mine.py").write_text("")
    with pytest.raises(UnknownName, match=r"sub/mine\.py"):
        find(NOTHING, "mine.py")
    for spec in ("nosuchmodule:make", "json.nothing:make", "", ".relative"):
        with pytest.raises(UnknownName):
            find(NOTHING, spec)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("def make(): ...", ""),
        ("__version__ = '1.2'\nclass make: ...", "1.2"),
        ("__version__: str = '3'\nfrom x import make", "3"),
        ("__version__ = version()\nimport y as make", ""),
        ("try:\n    from x import make\nexcept ImportError:\n    make = None\n", ""),
        ("if True:\n    __version__ = '4'\n    def make(): ...", "4"),
        ("from x import *", ""),
        ("def __getattr__(name): ...", ""),
        ("raise SystemExit\nmake = 1", ""),
    ],
)
def test_versions_are_read_without_running_the_file(text: str, version: str) -> None:
    assert stated_version(place_of(text)) == version


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("def other(): ...", UnknownName, "'make'"),
        ("def make(:", UsageError, "is not Python"),
        ("a = 1\0", UsageError, "is not Python"),
        (f"__version__ = '{'1' * 101}'\ndef make(): ...", UsageError, "printable"),
        ("__version__ = 'a\\nb'\ndef make(): ...", UsageError, "printable"),
    ],
)
def test_files_without_such_a_factory(text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        stated_version(place_of(text))


def test_a_signature_has_what_the_runner_does_not_hand_over() -> None:
    def make(
        task: Any, *, seed: int, device: str, lr: float = 0.1, net: Any = (), name: str, f=len
    ):
        """Take some."""

    found = signature_of(make)
    assert found.names == ("lr", "net", "name", "f")
    assert found.required == ("name",)
    assert dict(found.defaults) == {"lr": 0.1, "net": []}


def test_a_factory_may_take_anything_or_not_say() -> None:
    assert signature_of(lambda task, **rest: None).names is None
    assert signature_of(type).names is None  # written in C


def test_what_a_module_says_of_itself_is_read_when_it_is_imported() -> None:
    text = "GIVEN = ('pretraining',)\ndef make(task, *, k=5): ...\ndef make_group(): ...\n"
    found = describe(place_of(text, name="told.py"))
    assert (found.given, found.has_group, dict(found.defaults)) == (
        ("pretraining",),
        True,
        {"k": 5},
    )
    with pytest.raises(UsageError, match=r"GIVEN in odd\.py is not a tuple of words"):
        describe(place_of("GIVEN = 'pretraining'\ndef make(task): ...\n", name="odd.py"))
    with pytest.raises(UsageError, match="no function or class 'make'"):
        describe(place_of("make = 3\n", name="number.py"))


def test_a_file_can_import_what_stands_beside_it() -> None:
    Path("agents").mkdir()
    Path("agents/beside_it.py").write_text("VALUE = 7\n")
    Path("agents/main_one.py").write_text("from beside_it import VALUE\ndef make(): return VALUE\n")
    factory = load(find(NOTHING, "agents/main_one.py"))
    assert factory is not None
    assert factory() == 7
    assert load(find(NOTHING, "agents/main_one.py"), "make_group") is None
