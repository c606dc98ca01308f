"""`tools/fingerprint_engines.py`: the hashes that come with rlbench can be made anew."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from rlbench import suites

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools")
    import fingerprint_engines

    return fingerprint_engines


def test_it_covers_every_hash_that_is_shipped(tool: ModuleType) -> None:
    shipped = {}
    for path in ROOT.glob("rlbench/suites/*/engines.json"):
        shipped.update(json.loads(path.read_text()))
    covered = {
        suite.id: {task.name for task in suite.tasks if tool.is_stated(suite, task)}
        for suite in tool.stating()
    }
    assert covered == {name: set(tasks) for name, tasks in shipped.items()}
    assert len(shipped) > 20
    for suite in tool.stating():
        assert suite.id in json.loads(tool.file_of(suite, ROOT).read_text())


def test_hashes_of_a_suite_are_made_anew(tool: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("dm_control")
    suite = suites.get("dmc-mini")
    path = tool.file_of(suite, tmp_path)
    path.parent.mkdir(parents=True)
    original = tool.file_of(suite, ROOT).read_text()
    spoiled = json.loads(original)
    del spoiled[suite.id]["cheetah_run"]
    spoiled[suite.id]["walker_walk"] = "0" * 16
    path.write_text(json.dumps(spoiled))
    tool.renew([suite], tmp_path)
    assert path.read_text() == original


def test_an_unknown_suite_is_one_line(tool: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"no expected hashes of neorl2\. Known: atari100k, "):
        tool.main(["neorl2"])
