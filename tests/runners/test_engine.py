"""Engines: their hash repeats itself and tells planted faults."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.pendulum import PENDULUM
from support.toy import TOY, Walks

from rlbench import suites
from rlbench.errors import InvalidEnvironment
from rlbench.runners.engine import examine_engine
from rlbench.suites import Suite

ATARI = suites.get("atari100k")
PONG = ATARI.task("Pong")


def of(suite: Suite) -> str:
    return examine_engine(suite, suite.tasks[0]).fingerprint


def test_it_is_the_same_in_every_process() -> None:
    code = (
        "from support.toy import TOY\n"
        "from rlbench.runners.engine import examine_engine\n"
        "print(examine_engine(TOY, TOY.tasks[0]).fingerprint)"
    )
    folder = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stdout.strip() == of(TOY)


def test_it_leaves_global_randomness_alone() -> None:
    np.random.seed(3)  # noqa: NPY002, TID251 - it is what is looked at
    of(TOY)
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002, TID251
    assert np.random.random() == drawn  # noqa: NPY002


@pytest.mark.parametrize("name", ["Pong", "Breakout", "Freeway"])
def test_the_installed_emulator_is_as_expected(name: str) -> None:
    task = ATARI.task(name)
    assert examine_engine(ATARI, task).fingerprint == ATARI.expected_engine(task) != ""


def test_an_emulator_that_ignores_actions_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from ale_py.vector_env import AtariVectorEnv

    send = AtariVectorEnv.send
    monkeypatch.setattr(AtariVectorEnv, "send", lambda self, a: send(self, np.zeros_like(a)))
    assert examine_engine(ATARI, PONG).fingerprint != ATARI.expected_engine(PONG)


def test_resets_that_do_not_vary_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(env: Walks, slot: int) -> None:
        env.lengths[slot], env.clocks[slot] = 3, 0

    monkeypatch.setattr(Walks, "_begin", begin)
    with pytest.raises(InvalidEnvironment, match="8 resets of Walk led to one state"):
        of(TOY)
    assert of(replace(TOY, starts_vary=False))


def test_rewards_that_differ_are_found() -> None:
    richer = replace(
        TOY, protocol=replace(TOY.protocol, environment={"continuous": False, "reward": 1.5})
    )
    assert of(richer) != of(TOY)


def test_digits_forgive_what_processors_differ_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the last digits, as another processor makes it, changes the exact hash only."""
    from support import pendulum

    exact, rounded = PENDULUM, replace(PENDULUM, engine_digits=3, engine_steps=20)
    before = of(exact), of(rounded)
    swing = pendulum.swing
    monkeypatch.setattr(pendulum, "swing", lambda *a: swing(*a) * (1 + 1e-9))
    assert of(exact) != before[0]
    assert of(rounded) == before[1]
    monkeypatch.setattr(pendulum, "swing", lambda *a: swing(*a) * 1.01)
    assert of(rounded) != before[1]


def test_simulators_are_the_same_on_an_older_processor() -> None:
    """It is imitated: numpy, the C library and BLAS are told to leave newer instructions alone."""
    from numpy._core._multiarray_umath import __cpu_features__ as has

    newer = [name for name in has if name.startswith(("AVX2", "FMA3", "AVX512")) and has[name]]
    if not newer:
        pytest.skip("this processor has no newer instructions")
    tasks = ["DMSD", "Simglucose"]
    if importlib.util.find_spec("mujoco"):
        tasks.append("SafetyHalfCheetah")
    code = (
        "import sys\n"
        "from rlbench import suites\n"
        "from rlbench.runners.engine import examine_engine\n"
        "suite = suites.get('neorl2')\n"
        "for name in sys.argv[1:]: print(examine_engine(suite, suite.task(name)).fingerprint)"
    )
    older = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(newer), "OPENBLAS_CORETYPE": "Prescott",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
    }  # fmt: skip
    here, there = (
        subprocess.run(
            [sys.executable, "-c", code, *tasks], env={**os.environ, **more}, capture_output=True,
            text=True, check=True,
        ).stdout.split()
        for more in ({}, older)
    )  # fmt: skip
    assert here == there
    assert len(here) == len(tasks)
