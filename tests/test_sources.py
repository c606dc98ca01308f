"""The files that the hash of an agent's source covers."""

from pathlib import Path

import pytest

from rlbench import sources as module
from rlbench.errors import UsageError
from rlbench.runners.agents.resolving import sha256_of_files
from rlbench.sources import sources


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def init(folder: Path, *packages: str) -> None:
    for package in packages:
        (folder / package).mkdir(parents=True, exist_ok=True)
        (folder / package / "__init__.py").touch()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import nets", ["nets.py"]),
        ("import nets as n, os", ["nets.py"]),
        ("from nets import Net", ["nets.py"]),
        ("from nets import *", ["nets.py"]),
        ("def f():\n    if 1:\n        import nets", ["nets.py"]),
        ("try:\n    import nets\nexcept ImportError: ...", ["nets.py"]),
        ("import deep", ["deep.py"]),  # which imports nets in turn, and itself
        ("import parts.head", ["parts/__init__.py", "parts/head.py"]),
        ("from parts import head", ["parts/__init__.py", "parts/head.py"]),
        ("from parts import absent", ["parts/__init__.py"]),
        ("import parts.low.er", ["parts/__init__.py", "parts/low/er.py"]),
        ("import random, numpy, nothing", []),
        ("import importlib\nimportlib.import_module('nets')", []),
        ("# import nets", []),
    ],
)
def test_what_a_file_imports_from_beside_it(tmp_path: Path, text: str, expected: list[str]) -> None:
    init(tmp_path, "parts")
    write(
        tmp_path, mine=text, nets="", deep="import nets, deep", random="", unused="",
        parts__head="", parts__low__er="from .. import head\nfrom ..absent import x",
    )  # fmt: skip
    more = {"import deep": ["nets.py"], "import parts.low.er": ["parts/head.py"]}.get(text, [])
    found = sources(tmp_path / "mine.py")
    assert found == sources(tmp_path / "mine.py", "mine"), "as a module that is in no package"
    assert list(found) == sorted([*expected, *more, "mine.py"])
    assert all(path == tmp_path / name for name, path in found.items())


def test_a_module_brings_its_package(tmp_path: Path) -> None:
    init(tmp_path, "zoo", "zoo/sub", "zoo/other", "beside")
    write(
        tmp_path, zoo__sub__dqn="from . import parts\nfrom ..other.nets import Net\nimport beside\n"
        "from .... import too_high\nfrom .absent import x\n",
        zoo__sub__parts="import zoo.more", zoo__other__nets="", zoo__more="", zoo__unused="",
    )  # fmt: skip
    found = sources(tmp_path / "zoo/sub/dqn.py", "zoo.sub.dqn")
    assert list(found) == [
        "zoo/__init__.py", "zoo/more.py", "zoo/other/__init__.py", "zoo/other/nets.py",
        "zoo/sub/__init__.py", "zoo/sub/dqn.py", "zoo/sub/parts.py",
    ]  # fmt: skip


def test_the_package_behind_an_init_counts(tmp_path: Path) -> None:
    write(tmp_path, zoo__dqn="from .nets import Net", zoo__nets="")
    (tmp_path / "zoo/__init__.py").write_text("from .dqn import make")
    found = sources(tmp_path / "zoo/__init__.py", "zoo")
    assert list(found) == ["zoo/__init__.py", "zoo/dqn.py", "zoo/nets.py"]


def test_a_package_without_init(tmp_path: Path) -> None:
    write(tmp_path, zoo__dqn="from zoo import nets", zoo__nets="")
    assert list(sources(tmp_path / "zoo/dqn.py", "zoo.dqn")) == ["zoo/dqn.py", "zoo/nets.py"]


def test_installed_modules_do_not_bring_what_is_installed_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, mine="import nets", nets="")
    monkeypatch.setattr(module, "_INSTALLED", (tmp_path,))
    assert list(sources(tmp_path / "mine.py", "mine")) == ["mine.py"]


def test_a_file_that_is_not_python_counts_by_its_content(tmp_path: Path) -> None:
    write(tmp_path, mine="import broken, folder", broken="def (")
    (tmp_path / "folder.py").mkdir()
    assert list(sources(tmp_path / "mine.py", "mine")) == ["broken.py", "mine.py"]


def test_the_hash_follows_contents_and_names(tmp_path: Path) -> None:
    write(tmp_path, a="1", b="2", c="1")
    files = {name: tmp_path / f"{name}.py" for name in "abc"}
    hashes = {
        sha256_of_files({"x": files["a"]}),
        sha256_of_files({"y": files["a"]}),
        sha256_of_files({"x": files["b"]}),
        sha256_of_files({"x": files["a"], "y": files["b"]}),
        sha256_of_files({"x": files["b"], "y": files["a"]}),
    }
    assert len(hashes) == 5
    assert sha256_of_files({"x": files["a"]}) == sha256_of_files({"x": files["c"]})


@pytest.mark.parametrize(("name", "value"), [("MAX_FILES", 1), ("MAX_BYTES", 5)])
def test_it_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: int
) -> None:
    write(tmp_path, mine="import nets", nets="")
    monkeypatch.setattr(module, name, value)
    with pytest.raises(UsageError, match="from its own folder"):
        sources(tmp_path / "mine.py", "mine")


def test_a_file_that_is_run_by_its_path_is_in_no_package(tmp_path: Path) -> None:
    init(tmp_path, "zoo")
    (tmp_path / "zoo/my.agent.py").write_text("import nets")
    (tmp_path / "zoo/__init__.py").write_text("import nets")
    write(tmp_path, zoo__nets="", nets="")
    for name in ("my.agent.py", "__init__.py"):
        assert list(sources(tmp_path / "zoo" / name)) == sorted([name, "nets.py"])
