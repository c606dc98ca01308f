"""Before the first run: an agent to start from, the contract, and what the machine can do."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from support.command import rlbench
from support.processes import COMMAND
from support.registered import register

from rlbench import errors
from rlbench.cli import doctor as doctors
from rlbench.runners.check.agents import NAMES

QUICK = ["--steps", "10", "--task", "Pong"]


def write(folder: Path, act: str, before: str = "") -> None:
    """Write an agent that does something in act."""
    (folder / "bad.py").write_text(
        f"import os, signal, sys, time\nimport numpy as np\n{before}\n"
        "class Bad:\n    def act(self, obs, first, *, phase):\n"
        f"        {act}\n        return np.zeros(len(obs), dtype=int)\n\n"
        "def make(task, *, seed, device, **config):\n    return Bad()\n"
    )


def findings(folder: Path, *options: str, code: int) -> list[dict[str, str]]:
    out = rlbench("check", "bad", *QUICK, *options, "--json", cwd=folder, code=code)
    found: list[dict[str, str]] = json.loads(out.stdout)
    assert tuple(row["check"] for row in found) == NAMES
    return found


def the_failure(found: list[dict[str, str]]) -> tuple[str, str]:
    """Return the one failed check; all after it were skipped."""
    (k,) = [k for k, row in enumerate(found) if row["status"] == "failed"]
    assert {row["status"] for row in found[k + 1 :]} <= {"skipped"}
    return found[k]["check"], found[k]["detail"]


def checkers_in(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"rlbench.runners.check.agents" in command and (process / "cwd").resolve() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_init_writes_an_agent_that_passes(tmp_path: Path) -> None:
    out = rlbench("init", cwd=tmp_path)
    assert "rlbench check my_agent.py" in out.stdout
    out = rlbench("check", "my_agent.py", "-o", "stretch=20", "--steps", "60", cwd=tmp_path)
    lines = out.stdout.splitlines()
    assert [line[9:35].strip() for line in lines[:-1]] == list(NAMES)
    assert lines[-1] == "12 passed, 0 failed (atari100k@1, Alien)"


@pytest.mark.parametrize(
    ("agent", "suite", "code", "last"),
    [
        ("support.pendulum:make_cloner", "pendulum-offline", 0, "12 passed, 0 failed"),
        ("support.cartpole:make_agent", "cartpole-curriculum", 0, "12 passed, 0 failed"),
        ("support.cartpole:make_agent", "pendulum-offline", 1, "0 passed, 1 failed"),
    ],
)
def test_suites_of_other_packages(
    agent: str, suite: str, code: int, last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in register(tmp_path / "site").items():
        monkeypatch.setenv(name, value)
    out = rlbench("check", agent, "--suite", suite, "--steps", "40", cwd=tmp_path, code=code)
    lines = out.stdout.splitlines()
    assert [line[9:35].strip() for line in lines[:-1]] == list(NAMES)
    assert lines[-1].startswith(f"{last} ({suite}@1, ")
    if code:
        assert lines[0].startswith("failed   make ")
        assert "learns by observe(), which does not fit the suite pendulum-off" in lines[0]


def test_init_does_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("precious")
    error = rlbench("init", "mine.py", cwd=tmp_path, code=2).stderr
    assert error.startswith("rlbench: mine.py already exists")
    assert (tmp_path / "mine.py").read_text() == "precious"
    rlbench("init", "mine.py", "--force", cwd=tmp_path)
    assert "rlbench check mine.py\n" in (tmp_path / "mine.py").read_text()
    assert "ends in .py" in rlbench("init", "mine", cwd=tmp_path, code=2).stderr
    assert "cannot write" in rlbench("init", "no/mine.py", cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize(
    ("act", "before", "check", "detail"),
    [
        ("os._exit(0)", "", "act in training", "ended with exit code 0 before"),
        ("sys.exit(0)", "", "act in training", "SystemExit: 0 (bad.py, line 6)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "", "act in training", "ended by SIGSEGV"),
        ("", "import nothing_of_the_kind", "make", "nothing_of_the_kind"),
        ("os.closerange(3, 99); time.sleep(60)", "", "act in training", "closed the pipe"),
    ],
)
def test_an_agent_that_crashes(
    act: str, before: str, check: str, detail: str, tmp_path: Path
) -> None:
    write(tmp_path, act or "pass", before)
    name, said = the_failure(findings(tmp_path, code=1))
    assert name == check
    assert detail in said


def test_an_agent_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    write(tmp_path, "time.sleep(600)")
    name, said = the_failure(findings(tmp_path, "--timeout", "4", code=1))
    assert (name, said) == ("act in training", "it was not finished after 4 s (--timeout)")
    assert checkers_in(tmp_path) == []


def test_what_an_agent_prints_is_no_finding(tmp_path: Path) -> None:
    fake = '{"name": "make", "status": "failed", "detail": ""}'
    write(tmp_path, f"print('{fake}'); os.write(1, b'x\\n'); phase == 'eval' and os._exit(7)")
    out = rlbench("check", "bad", *QUICK, "--json", cwd=tmp_path, code=1)
    name, said = the_failure(json.loads(out.stdout))
    assert name == "act in evaluation"
    assert "ended with exit code 7" in said
    assert "x\n" in out.stderr


def test_the_agent_ends_with_the_command(tmp_path: Path) -> None:
    write(tmp_path, "time.sleep(600)")
    process = subprocess.Popen([*COMMAND, "check", "bad"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"passed   make")
    assert len(checkers_in(tmp_path)) == 1
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    deadline = time.monotonic() + 5
    while checkers_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert checkers_in(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rando"], "Did you mean 'random'"),
        (["random", "--suite", "atari"], "Did you mean 'atari100k'"),
        (["random", "--task", "Pongg"], "Did you mean 'Pong'"),
        (["random", "-o", "x"], "name=value"),
    ],
)
def test_a_users_mistake_is_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    (line,) = rlbench("check", *arguments, cwd=tmp_path, code=2).stderr.splitlines()
    assert message in line


def doctor(folder: Path, *options: str, code: int = 0, **environment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [*COMMAND, "doctor", "--json", *options],
        cwd=folder, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert all(list(row) == ["what", "status", "detail", "mend"] for row in rows)
    return rows


def test_doctor_of_this_machine(tmp_path: Path) -> None:
    rows = {row["what"]: row for row in doctor(tmp_path)}
    wanted = {"python", "rlbench", "extra atari", "ROMs", "torch", "cpus", "memory", "disk"}
    assert wanted | {"kernels", "rendering"} <= set(rows)
    assert rows["ROMs"] == {
        "what": "ROMs", "status": "ok", "detail": "26 ROMs can be loaded", "mend": ""
    }  # fmt: skip
    assert rows["rlbench"]["status"] == "ok"
    assert all(row["mend"] for row in rows.values() if row["what"].startswith("extra") and
               row["status"] == "missing")  # fmt: skip


def test_doctor_of_one_suite_makes_its_tasks_and_looks_at_nothing_that_it_does_not_need(
    tmp_path: Path,
) -> None:
    env = register(tmp_path / "suites")
    rows = {row["what"]: row for row in doctor(tmp_path, "--suite", "toy-odd", **env)}
    assert rows["toy-odd@1"]["status"] == "ok"
    assert rows["toy-odd@1"]["detail"] == "1 of 1 tasks were tried and can be run"
    assert not any(what.startswith("extra") or what in ("ROMs", "torch") for what in rows)
    assert {"python", "rlbench", "memory", "disk"} <= set(rows)


def test_doctor_says_what_a_suite_lacks(tmp_path: Path) -> None:
    rows = {row["what"]: row for row in doctor(tmp_path, "--suite", "neorl2", RLBENCH_DATA="none")}
    assert rows["neorl2@1"]["status"] == "missing"
    said = rows["neorl2@1"]["detail"]
    assert said.startswith("7 of 7 tasks were tried and 0 can be run")
    for task in ("Pipeline", "DMSD", "SafetyHalfCheetah"):
        assert f"; {task}: " in said
        assert f"rlbench data fetch neorl2 --task {task}" in said
    (tmp_path / "ale_py.py").write_text("raise ImportError('symbol not found')\n")
    sick = doctor(tmp_path, "--suite", "atari100k", code=1, PYTHONPATH=str(tmp_path))
    (row,) = [row for row in sick if row["what"] == "atari100k@1"]
    assert row["status"] == "broken"
    assert "symbol not found" in row["detail"]
    assert "rlbench[atari]" in row["mend"]
    done = subprocess.run(
        [*COMMAND, "doctor", "--suite", "nothing"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown suite 'nothing'" in done.stderr


def rows_of_extras(
    folder: Path, requires: list[str], installed: dict[str, str]
) -> list[tuple[str, ...]]:
    """Return what is said of the extras where rlbench wants and has other distributions.

    Args:
        folder: An empty one, which is put on the path.
        requires: What rlbench wants.
        installed: The distributions there, and the module of each.
    """
    extras = sorted({text.split('"')[-2] for text in requires})
    about = [f"Requires-Dist: {text}" for text in requires]
    about += [f"Provides-Extra: {extra}" for extra in extras]
    found = {"rlbench": "Version: 9\n" + "\n".join(about), **dict.fromkeys(installed, "Version: 1")}
    for name, text in found.items():
        of = folder / f"{name.replace('-', '_')}-1.dist-info"
        of.mkdir()
        (of / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n{text}\n")
        (of / "top_level.txt").write_text(installed.get(name, "rlbench"))
    code = "import json\nfrom rlbench.cli.doctor import _extras\nprint(json.dumps(list(_extras())))"
    out = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    return [tuple(row) for row in json.loads(out.stdout)]


def test_doctor_finds_packages_whose_modules_have_other_names(tmp_path: Path) -> None:
    """As tensorboardX, sbx-rl and opencv-python-headless do."""
    requires = [
        'tensorboardX; extra == "a"', 'Some_Thing-rl; extra == "b"', 'half-gone; extra == "c"',
    ]  # fmt: skip
    installed = {"tensorboardX": "tensorboardX", "Some_Thing-rl": "sthg", "half-gone": "gone"}
    for module in ("tensorboardX", "sthg"):
        (tmp_path / f"{module}.py").touch()
    rows = rows_of_extras(tmp_path, requires, installed)
    assert [row[:2] for row in rows] == [
        ("extra a", "ok"), ("extra b", "ok"), ("extra c", "missing"),
    ]  # fmt: skip


def test_doctor_does_not_miss_what_is_for_another_python_or_system(tmp_path: Path) -> None:
    (tmp_path / "here.py").touch()
    rows = rows_of_extras(
        tmp_path,
        [
            'nowhere; python_version < "3" and extra == "none"',
            'here>=1; extra == "some"',
            'nowhere>=2; sys_platform == "plan9" and extra == "some"',
            'nowhere; python_version > "3" and extra == "wanted"',
        ],
        {"here": "here"},
    )
    only = "nowhere is only for"
    assert rows == [
        ("extra none", "missing", f'{only} python_version < "3"', "use another version of Python"),
        ("extra some", "ok", f'here 1, {only} sys_platform == "plan9"', ""),
        ("extra wanted", "missing", "not installed: nowhere", "pip install 'rlbench[wanted]'"),
    ]


def test_doctor_misses_what_an_extra_needs_and_cannot_ask_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As dm-control on Python 3.13 and later."""
    wanted = {"nowhere": Marker('python_version < "3" and extra == "some"')}
    assert doctors._extra("some", wanted, {}).mend == "use another version of Python"
    monkeypatch.setitem(errors.ALONE, "some", "nowhere>=1,<2")
    assert doctors._extra("some", wanted, {}) == (
        "extra some", "missing", "not installed: nowhere",
        "pip install 'rlbench[some]' && pip install --no-deps 'nowhere>=1,<2'",
    )  # fmt: skip


def test_doctor_of_a_sick_machine(tmp_path: Path) -> None:
    """Stand-ins for what is broken or in the way; each is named with what to do."""
    path, here = tmp_path / "path", tmp_path / "here"
    path.mkdir()
    here.mkdir()
    (path / "ale_py.py").write_text("raise ImportError('symbol not found')\n")
    (path / "torch.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)\n")
    (here / "rlbench.py").touch()
    robots = path / "robots-1.0.dist-info"
    robots.mkdir()
    (robots / "METADATA").write_text("Metadata-Version: 2.1\nName: robots\nVersion: 1.0\n")
    (robots / "top_level.txt").write_text("rlbench\n")
    other = path / "rlbench-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: RLBench\nVersion: 9.9\n")
    smi = path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    smi.chmod(0o755)
    (tmp_path / "file").touch()
    environment = {
        "PATH": f"{path}:{os.environ['PATH']}",
        "PYTHONPATH": str(path),
        "NUMBA_CACHE_DIR": str(tmp_path / "file/cache"),
    }
    rows = doctor(here, code=1, **environment)
    said = [f"{row['what']}: {row['status']}: {row['detail']}" for row in rows]
    for part in (
        "ROMs: broken: ImportError: symbol not found",
        "torch: broken: ",
        "rlbench: warning: another one is in the way: ",
        "the distribution 'robots' installs a package rlbench too",
        "9.9",
        "gpu: warning: nvidia-smi: No devices were found",
        "kernels: warning: ",
    ):
        assert any(part in line for line in said), (part, said)
    assert all(row["mend"] for row in rows if row["status"] in ("broken", "warning"))
    done = subprocess.run(
        [*COMMAND, "doctor"],
        cwd=here, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 1
    assert all(f"{row['status']:<8} {row['what']}" in done.stdout for row in rows)


def test_doctor_names_gpus(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        "__version__ = '9'\nclass version:\n    cuda = '13.0'\n"
        "class cuda:\n    device_count = staticmethod(lambda: 0)\n"
    )
    (tmp_path / "ale_py.py").write_text("raise ImportError('left out, to be quick')\n")
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA H100, 80 GB, 81559 MiB, 570.1'\n")
    smi.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}
    rows = {row["what"]: row for row in doctor(tmp_path, code=1, **environment)}
    assert rows["gpu cuda:0"]["detail"] == "NVIDIA H100, 80 GB, 81559 MiB, driver 570.1"
    assert (rows["torch"]["status"], rows["torch"]["detail"]) == (
        "warning", "9, built for CUDA 13.0, sees no GPU"
    )  # fmt: skip


def test_the_commands_do_not_import_what_they_look_for(tmp_path: Path) -> None:
    code = "import sys, rlbench.cli.doctor, rlbench.cli.check; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert not {"numba", "torch", "ale_py", "gymnasium"} & set(out.stdout.split())
