"""A package by somebody else, installed by pip: its suite, agent and teacher have names."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from support import cartpole
from support.processes import COMMAND

import rlbench

POINTS = """[rlbench.suites]
poles = others_poles:CARTPOLE
[rlbench.agents]
cross-entropy = others_poles:make_agent
[rlbench.teachers]
progress = others_poles:make_teacher
"""
METADATA = "Metadata-Version: 2.1\nName: others-poles\nVersion: 3.1\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_in(folder: Path) -> Path:
    """Write the wheel of a package of one module, which imports nothing of these tests."""
    code = Path(cartpole.__file__).read_text()
    code = code.replace('"support.cartpole:make"', '"others_poles:make"')
    code = code.replace('name="cartpole-curriculum"', 'name="poles"')
    path, info = folder / "others_poles-3.1-py3-none-any.whl", "others_poles-3.1.dist-info"
    contents = {
        "others_poles.py": code,
        f"{info}/METADATA": METADATA,
        f"{info}/WHEEL": WHEEL,
        f"{info}/entry_points.txt": POINTS,
    }
    record = "".join(f"{name},,\n" for name in (*contents, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as file:
        for name, text in {**contents, f"{info}/RECORD": record}.items():
            file.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a virtual environment with rlbench and the package."""
    folder = tmp_path_factory.mktemp("others")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    interpreter = folder / "venv/bin/python"
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    paths = (sysconfig.get_path("purelib"), Path(rlbench.__file__).parents[1])
    (site / "rlbench_of_the_tests.pth").write_text("".join(f"{path}\n" for path in paths))
    install = [sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet"]
    offline = ["--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*install, *offline, wheel_in(folder)], check=True)
    return interpreter


def test_a_suite_an_agent_and_a_teacher_of_one_package_run_by_their_names(
    python: Path, tmp_path: Path
) -> None:
    def call(*words: str) -> str:
        done = subprocess.run(
            [python, *COMMAND[1:], *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    environment = os.environ.get("PYTHONPATH", "")
    assert "support" not in environment, "the package must not find the modules of the tests"
    listed = {row["id"] for row in json.loads(call("list", "suites", "--json"))}
    assert "poles" in listed
    short = ("--suite", "poles", "--unofficial", "budget=400,eval_points=[200]")
    who = ("--agent", "cross-entropy", "--teacher", "progress", "--seeds", "1")
    assert "1 runs recorded in runs, 0 failed" in call("run", *short, *who)
    (path,) = tmp_path.glob("runs/poles-1/cross-entropy/hold/*.json")
    record = json.loads(path.read_text())
    assert record["agent"]["factory"] == "others_poles:make_agent"
    assert record["teacher"]["factory"] == "others_poles:make_teacher"
    (row,) = [r for r in json.loads(call("stats", *short, "--json")) if r["metric"] == "mean"]
    assert row["agent"].startswith("cross-entropy")
    assert "all 1 runs are in runs already" in call("run", *short, *who)
