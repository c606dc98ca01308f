"""From what names an agent to its identity: options with their defaults, files, sources."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rlbench.errors import CannotImport, MissingExtra, UnknownName, UsageError
from rlbench.registry import Registry
from rlbench.runners import load_factory, resolve, resolve_teacher
from rlbench.runners.agents import resolving
from rlbench.runners.agents.agent import AGENTS
from rlbench.runners.agents.factories import find, stated_version
from rlbench.runners.agents.resolving import Resolved, open_options
from rlbench.runners.teachers.teacher import TEACHERS

PLAIN = "def make(task, *, seed, device, k=5, **config):\n    return (k, config)\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p])


def mine(text: str = PLAIN, /, spec: str = "mine", **options: Any) -> Resolved:
    Path("mine.py").write_text(text)
    return resolve(spec, options)


def test_two_entry_points_of_one_file_are_two_agents() -> None:
    text = "def left(task, *, seed, device): ...\ndef fire(task, *, seed, device): ...\n"
    left, fire = (mine(text, spec=f"mine.py:{name}").id for name in ("left", "fire"))
    assert (left.factory, fire.factory) == ("mine:left", "mine:fire")
    assert left.content() != fire.content()
    Path("zoo").mkdir()
    Path("zoo/__init__.py").touch()
    Path("zoo/two.py").write_text(text)
    left, fire = (resolve(f"zoo.two:{name}", {}).id for name in ("left", "fire"))
    assert (left.factory, fire.factory) == ("zoo.two:left", "zoo.two:fire")


@pytest.mark.parametrize("spec", ["mine", "mine.py", "./mine.py", "mine.py:make", "{here}/mine.py"])
def test_however_a_file_is_named_it_is_the_same_agent(spec: str) -> None:
    named = mine(spec=spec.format(here=Path.cwd())).id
    assert named.content() == mine().id.content()
    assert named.factory == "mine:make"
    assert "/" not in named.spec


def test_the_config_holds_the_defaults() -> None:
    assert mine().id.config == {"k": 5}
    assert mine(k=5).id.content() == mine().id.content()
    assert mine(k=7, other=[1]).id.config == {"k": 7, "other": [1]}
    assert mine(k=7).recipe.options == {"k": 7}
    changed = mine(PLAIN.replace("k=5", "k=6") + "__version__ = '1'\n").id
    assert changed.config == {"k": 6}


def test_defaults_come_from_wherever_the_factory_does() -> None:
    Path("parts.py").write_text(
        "class Agent:\n    def __init__(self, task, seed, device, hidden=(8, 8), *, act=print,"
        " rate=1e-3, name=None): ...\n"
    )
    found = mine("from parts import Agent as make\n").id
    assert found.config == {"hidden": [8, 8], "rate": 0.001, "name": None}
    wrapped = mine("import functools, parts\nmake = functools.partial(parts.Agent, rate=2)\n").id
    assert wrapped.config["rate"] == 2
    assert mine("make = dict\n").id.config == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 1}, "'seed' is reserved"),
        ({"device": "cuda"}, "'device' is reserved"),
        ({"task": 1}, "'task' is reserved"),
        ({"kk": 1}, r"option of the agent 'mine': 'kk'. Did you mean 'k'"),
        ({}, "needs the option 'need'"),
        ({"need": float("nan")}, "'need': nan is not finite"),
        ({"need": object()}, "not object"),
        ({"need": "/etc/passwd"}, "path of this machine: write need=@FILE"),
        ({"need": ["x", {"y": "/etc"}]}, "path of this machine"),
        ({"need": Path("nothing")}, "need=@nothing: there is no such file"),
        ({"need": Path()}, "there is no such file"),
        ({"need": {"file": "x", "sha256": "0"}}, "need=@FILE"),
        ({"need": ["x" * 900] * 200}, "longer than 100,000 characters"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        mine("def make(task, seed, device, need, k=5): ...\n", **options)
    assert "\n" not in str(raised.value)


def test_names_of_options() -> None:
    assert mine(**{"learning-rate": 1}).id.config == {"k": 5, "learning-rate": 1}
    for name in ("a b", "", "é", "x" * 101):
        with pytest.raises(UsageError, match="not a name of an option"):
            mine(**{name: 1})


def test_an_option_may_name_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "w.npz").write_bytes(b"one")
    first = mine(weights=Path("deep/w.npz"))
    kept = first.id.config["weights"]
    assert kept["file"] == "w.npz"
    assert len(kept["sha256"]) == 64
    assert str(tmp_path) not in str(first.id)
    assert open_options(first.recipe.options) == {"weights": str(folder / "w.npz")}
    (folder / "w.npz").rename(tmp_path / "w.npz")
    assert mine(weights=Path("w.npz")).id.content() == first.id.content()
    with pytest.raises(UsageError, match=r"weights=@w.npz: the file is not there"):
        open_options(first.recipe.options)
    second = mine(weights=Path("w.npz"))
    (tmp_path / "w.npz").write_bytes(b"two")
    with pytest.raises(UsageError, match=r"weights=@w.npz: the file is not what it was"):
        open_options(second.recipe.options)
    assert mine(weights=Path("w.npz")).id.config["weights"] != kept


@pytest.mark.parametrize(
    "path", ["/home/ann/secret/w.bin", "~/w.bin", "~ann/w.bin", "C:\\Users\\Ann\\w.bin", "/tmp"]
)
def test_paths_of_a_machine_are_no_options(path: str) -> None:
    for value in (path, [path], {"log": [path]}):
        with pytest.raises(UsageError, match="'f' holds a path of this machine: write f=@FILE"):
            mine(f=value)
    text = f"def make(task, *, seed, device, f={path!r}):\n    pass\n"
    with pytest.raises(UsageError, match=r"default of the option 'f' of the agent .* is a path"):
        mine(text)
    assert mine(text, f="w.bin").id.config == {"f": "w.bin"}


@pytest.mark.parametrize("value", ["/", "a/b", "ALE/Pong-v5", "~", "c:", "//", "logs/x", "1/2"])
def test_what_only_looks_like_a_path_is_an_option(value: str) -> None:
    assert mine(f=value).id.config["f"] == value


def test_a_changed_sibling_is_another_agent() -> None:
    Path("nets.py").write_text("WIDTH = 1\n")
    text = PLAIN + "def late():\n    import nets\n"
    first = mine(text)
    assert first.files == ("mine.py", "nets.py")
    assert first.source_text == f"source {str(first.id.source)[:6]} (mine.py, nets.py)"
    Path("nets.py").write_text("WIDTH = 2\n")
    assert mine(text).id.source != first.id.source
    stated = mine(text + "__version__ = '3'\n")
    assert (stated.id.version, stated.id.source, stated.files) == ("3", None, ())
    assert stated.source_text == "version 3; changes of its files make no new runs"


def test_a_changed_package_behind_an_init_is_another_agent() -> None:
    Path("zoo").mkdir()
    Path("zoo/__init__.py").write_text("from .dqn import make\n")
    Path("zoo/dqn.py").write_text(PLAIN)
    first = resolve("zoo:make", {})
    assert first.files == ("zoo/__init__.py", "zoo/dqn.py")
    Path("zoo/dqn.py").write_text(PLAIN + "# changed\n")
    assert resolve("zoo:make", {}).id.source != first.id.source


def test_no_code_of_an_agent_runs_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    note = "import os, pathlib\npathlib.Path('ran').write_text(str(os.getpid()))\nprint('noise')\n"
    Path("zoo").mkdir()
    Path("zoo/__init__.py").write_text(note)
    Path("zoo/dqn.py").write_text(PLAIN)
    for spec in ("zoo.dqn:make", "zoo.dqn"):
        resolve(spec, {})
        assert int(Path("ran").read_text()) != os.getpid()
    assert mine(note + PLAIN).id.config == {"k": 5}
    assert int(Path("ran").read_text()) != os.getpid()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('no\\nluck')", r"raised ValueError: no luck \(mine.py, line 1\)"),
        ("import nothing_here", r"No module named 'nothing_here' \(mine.py, line 1\)"),
        ("raise SystemExit('done')", "raised SystemExit: done"),
        ("import broken", r"SyntaxError: .*broken.py, line 1"),
        ("import os; os._exit(3)", "ended its process with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended its process by SIGSEGV"),
        ("import os; os.closerange(3, 99)", "cannot be imported"),
        ("import time; time.sleep(60)", "takes longer than 3 s"),
        ("import subprocess; subprocess.run(['sleep', '60'])", "takes longer than 3 s"),
        ("GIVEN = 'pretraining'", "GIVEN in mine.py is not a tuple of words"),
        ("GIVEN = ('magic',)", "'magic'"),
        ("make.given = (1,)", "not a tuple of words"),
        ("make = 5", "no function or class 'make'"),
    ],
)
def test_an_agent_that_cannot_be_imported_is_one_line(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in text:
        monkeypatch.setattr(resolving, "IMPORT_SECONDS", 3)
    Path("broken.py").write_text("def (")
    with pytest.raises(CannotImport, match=message) as raised:
        mine(f"{'' if 'make.' in text else text}\n{PLAIN}{text}\n")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("the agent 'mine' cannot be imported: ")


def test_a_package_that_cannot_be_imported_is_not_taken_for_unknown() -> None:
    Path("zoo").mkdir()
    Path("zoo/__init__.py").write_text("import nothing_here\n")
    Path("zoo/dqn.py").write_text(PLAIN)
    with pytest.raises(CannotImport, match="No module named 'nothing_here'"):
        resolve("zoo.dqn:make", {})
    with pytest.raises(UnknownName, match=r"unknown agent 'zooo\.dqn:make'"):
        resolve("zooo.dqn:make", {})


def test_what_an_agent_was_given() -> None:
    assert mine().id.given == ()
    stated = PLAIN + "GIVEN = ['pretraining', 'human_labels']\n"
    assert mine(stated).id.given == ("human_labels", "pretraining")
    assert mine(stated + "make.given = ()\n").id.given == ()
    Path("mine.py").write_text(stated)
    found = resolve("mine", {}, given=["shared_seeds", "pretraining"]).id
    assert found.given == ("human_labels", "pretraining", "shared_seeds")
    with pytest.raises(UnknownName, match="'magic'"):
        resolve("random", {}, given=["magic"])


def test_a_group_may_stand_beside_the_factory() -> None:
    assert not mine().has_group
    assert mine(PLAIN + "def make_group(): ...\n").has_group
    assert mine(PLAIN + "from functools import partial as make_group\n").has_group


@pytest.mark.parametrize(
    ("registry", "name"), [(kind, name) for kind in (AGENTS, TEACHERS) for name in kind.own],
    ids=lambda value: value.kind if isinstance(value, Registry) else value,
)  # fmt: skip
def test_what_comes_with_rlbench_states_its_version(registry: Registry, name: str) -> None:
    entry = registry.own[name]
    assert entry.version
    assert stated_version(find(registry, name)) == entry.version
    if entry.extra in ("agents", "teachers-torch"):
        pytest.importorskip("torch", reason=f"no torch: pip install 'rlbench[{entry.extra}]'")
    Path("runs.json").write_text("{}")
    options = {"history": Path("runs.json")} if name == "again" else {}
    find_by = resolve if registry is AGENTS else resolve_teacher
    by_name, by_module = find_by(name, options).id, find_by(entry.target, options).id
    assert by_name.content() == by_module.content()


def test_a_raised_version_is_another_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resolve("random", {}).id
    monkeypatch.setitem(AGENTS.own, "random", AGENTS.own["random"]._replace(version="2"))
    assert resolve("random", {}).id == replace(before, version="2")


def test_ours_that_need_an_extra_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ours.py").write_text("import nothing_here\n" + PLAIN)
    lacking = AGENTS.own["random"]._replace(target="ours:make", extra="agents")
    monkeypatch.setitem(AGENTS.own, "random", lacking)
    with pytest.raises(MissingExtra, match=r"the agent 'random' needs an extra.*\[agents\]"):
        resolve("random", {})


def test_registered_names_are_display_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "zoo-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[rlbench.agents]\nDeepQ = zoo_impl:make\n")
    Path("zoo_impl.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = resolve("DeepQ", {}).id
    assert (found.name, found.factory, found.spec) == ("DeepQ", "zoo_impl:make", "DeepQ")
    assert found.source == resolve("zoo_impl", {}).id.source


def test_commands_show_no_folder_and_hash_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    program, data = folder / "agent.sh", folder / "w.bin"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    data.write_text("1")
    spec = f"cmd:{program} --weights={data} --out {folder} {data}"
    first = resolve(spec, {}).id
    assert first.spec == "cmd:agent.sh --weights=w.bin --out deep w.bin"
    assert str(tmp_path) not in str(first)
    data.write_text("2")
    second = resolve(spec, {}).id
    assert second.source != first.source
    program.write_text("#!/bin/sh\n#\n")
    assert resolve(spec, {}).id.source not in (first.source, second.source)
    other = resolve(f"cmd:{program} --weights={data} --out {folder} --more {data}", {}).id
    assert other.source != resolve(spec, {}).id.source


def test_a_factory_gets_what_was_given_only() -> None:
    named = mine(k=7)
    assert load_factory(named.recipe.spec)(None, seed=0, device="cpu", **named.recipe.options) == (
        7, {},
    )  # fmt: skip


def test_a_factory_that_a_module_has_not_is_said_without_importing_it() -> None:
    Path("zoo").mkdir()
    Path("zoo/__init__.py").touch()
    Path("zoo/dqn.py").write_text(PLAIN + "raise ValueError('imported')\n")
    with pytest.raises(UsageError, match=r"factory in .*dqn\.py: 'mak'\. Did you mean 'make'"):
        resolve("zoo.dqn:mak", {})


def test_a_file_with_dots_in_its_name() -> None:
    Path("my.agent.py").write_text(PLAIN)
    found = resolve("my.agent.py", {})
    assert (found.id.name, found.id.factory) == ("my.agent", "my.agent:make")
    assert found.files == ("my.agent.py",)


def test_a_module_in_an_archive_and_a_file_that_cannot_be_read_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with zipfile.ZipFile("zoo.zip", "w") as archive:
        archive.writestr("zipped.py", PLAIN)
    monkeypatch.setenv("PYTHONPATH", str(Path("zoo.zip").absolute()))
    with pytest.raises(UsageError, match=r"cannot read .*zoo\.zip"):
        resolve("zipped", {})
    Path("nets.py").symlink_to("/proc/self/mem")  # it opens, and cannot be read
    with pytest.raises(UsageError, match=r"cannot read what mine\.py imports: Input/output error"):
        mine(PLAIN + "def late():\n    import nets\n")


@pytest.mark.parametrize("name", ["json", "random", "numpy", "pytest"])
def test_a_file_that_would_take_the_place_of_a_module_is_refused(name: str) -> None:
    """Other code that imports the module would get the agent instead."""
    Path(f"{name}.py").write_text(PLAIN)
    with pytest.raises(UsageError, match=rf"{name}\.py has the name .*: rename the file") as caught:
        resolve(f"{name}.py", {})
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="rename the file"):
        resolve_teacher(f"./{name}.py", {})


def test_a_file_in_a_folder_of_that_name_is_an_agent(tmp_path: Path) -> None:
    Path("json").mkdir()
    Path("json/mine.py").write_text(PLAIN)
    assert resolve("json/mine.py", {}).id.name == "mine"


@pytest.mark.parametrize("inits", [(), ("zoo", "zoo/small")])
def test_a_file_that_imports_relatively_is_told_its_name(inits: tuple[str, ...]) -> None:
    Path("zoo/small").mkdir(parents=True)
    Path("zoo/small/nets.py").write_text("K = 5\n")
    Path("zoo/small/mine.py").write_text("from .nets import K\n" + PLAIN)
    for folder in inits:
        Path(folder, "__init__.py").touch()
    name, folder = ("zoo.small.mine", Path.cwd()) if inits else ("small.mine", Path.cwd() / "zoo")
    with pytest.raises(CannotImport, match=f"name it as {name}:make, in the folder {folder}$"):
        resolve("zoo/small/mine.py", {})
    os.chdir(folder)
    assert resolve(f"{name}:make", {}).id.config == {"k": 5}


def test_a_file_in_another_script_is_told_to_take_a_name() -> None:
    Path("агент.py").write_text(PLAIN)
    with pytest.raises(UsageError, match=r"'агент' has no letter .*: add --name"):
        resolve("агент.py", {})
    assert resolve("агент.py", {}, "agent").id.name == "agent"
