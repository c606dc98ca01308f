"""Does an agent or a suite keep the contract? Is a submission in order? `rlbench.check` asks."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench import suites
from rlbench.api.answers import Answer
from rlbench.api.asking import parse_suite
from rlbench.api.pythonic import in_python, pythonic
from rlbench.errors import CannotImport, UsageError
from rlbench.suites import Suite

if TYPE_CHECKING:
    from rlbench.runners.check.findings import Finding

STEPS = 100  # or updates, of a check
TIMEOUT = 120.0  # seconds that one check may take
_LOOK = 0.5  # seconds between two looks at whether the process lives
_LAST_WORDS = 1.0  # seconds for findings of a process that has ended


@in_python
def check(
    agent: str | PathLike[str] | Callable[..., Any] = "",
    *,
    suite: str | Suite = "",
    task: str = "",
    config: Mapping[str, Any] | None = None,
    trust: bool = False,
    device: str = "cpu",
    steps: int = STEPS,
    timeout: float = TIMEOUT,
) -> Answer:
    """Run an agent to check that it keeps the contract; without an agent, check a suite.

    A folder is checked as submissions are: their code is not run.

    Args:
        agent: As `run` takes an agent, and importable; or a folder of submissions; or nothing.
        suite: The suite to check it on, by default ``atari100k``; or to check.
        task: By default the suite's first.
        config: Options of the agent.
        trust: Load an agent from a file that can run code.
        device: Passed on to the agent.
        steps: Steps, or updates, of a check.
        timeout: Seconds that one check of an agent may take.

    Returns:
        A row a check: its name, ``passed``, ``failed`` or ``skipped``, and what was seen. Of
        submissions, a row a problem; there is none if all is in order.

    Raises:
        UsageError: There is nothing to check, or environments cannot be made.
    """
    if agent and not callable(agent) and names_submissions(str(agent)):
        return _of_submissions(Path(agent))
    if not agent and not suite:
        raise UsageError("name an agent to check, or a suite")
    if not agent:
        found, named, findings = suite_findings(suite, task, steps)
    else:
        found, named, findings = agent_findings(
            _spec_of(agent), suite or "atari100k", task, config or {}, trust=trust, device=device,
            steps=steps, timeout=timeout,
        )  # fmt: skip
    rows = finding_rows(findings)
    return Answer(title=f"{found.id}, {named}", rows=tuple(rows), sentences=(summary_of(rows),))


def _spec_of(agent: str | PathLike[str] | Callable[..., Any]) -> str:
    from rlbench.runners.agents.objects import importable_spec

    if not callable(agent):
        return str(agent)
    if spec := importable_spec(agent):
        return spec
    raise UsageError("an agent is checked in a process of its own: put it into a file")


def _of_submissions(folder: Path) -> Answer:
    from rlbench.results.submissions import check as check_folder
    from rlbench.results.submissions import notes_of

    checked = check_folder(folder, None, "")
    return Answer(
        title=f"{folder}: {len(checked.accepted)} accepted, {len(checked.refused)} problems",
        rows=tuple(refusal._asdict() for refusal in checked.refused),
        sentences=tuple(note for one in checked.accepted for note in notes_of(one)),
    )


def names_submissions(name: str) -> bool:
    """Say whether a name is that of a folder, and not of an agent in a package or a file."""
    path = Path(name)
    return path.is_dir() and not (path / "__init__.py").exists() and not Path(f"{name}.py").exists()


def agent_findings(
    agent: str,
    suite: str | Suite,
    task: str,
    config: Mapping[str, Any],
    *,
    trust: bool,
    device: str,
    steps: int,
    timeout: float,
) -> tuple[Suite, str, Iterator["Finding"]]:
    """Return the suite and the task that an agent is checked on, and the findings as they come.

    Args:
        agent: What names it.
        suite: The suite.
        task: By default the suite's first.
        config: Options of the agent.
        trust: As `check`, as those below.
        device: The same.
        steps: The same.
        timeout: The same.

    Raises:
        UsageError: The agent or the environments cannot be made.
    """
    from rlbench.runners import resolve
    from rlbench.runners.agents.resolving import given_options

    chosen = parse_suite(suite)
    named = chosen.task(task) if task else chosen.tasks[0]
    chosen.check_can_run([named])
    try:
        options = dict(resolve(agent, config, trust=trust).recipe.options)
    except CannotImport:
        options = given_options(config)  # the first check says what is wrong
    asked = {
        "agent": agent, "suite": chosen.spec, "task": named.name, "config": options,
        "device": device, "steps": steps,
    }  # fmt: skip
    return chosen, named.name, run_checks(asked, timeout)


def suite_findings(
    name: str | Suite, task: str, steps: int, on_assumed: Callable[[str], None] = lambda _: None
) -> tuple[Suite, str, Iterator["Finding"]]:
    """Return a suite and the task that it is checked on, in this process, and the findings.

    Args:
        name: The suite, registered or in a file.
        task: By default the suite's first.
        steps: Of a check.
        on_assumed: Is told what was assumed about a file.

    Raises:
        UsageError: The environments cannot be made.
    """
    from rlbench.runners.check.suites import check_suite

    if isinstance(name, str) and suites.names_file(name):
        suite, assumed = suites.load_file(name)
        if assumed:
            on_assumed(assumed)
    else:
        suite = parse_suite(name)
    named = suite.task(task) if task else suite.tasks[0]
    suite.check_can_run([named])
    return suite, named.name, iter(check_suite(suite, named, steps=steps))


def finding_rows(findings: Iterator["Finding"]) -> list[dict[str, str]]:
    """Return a row a finding: check, status, detail."""
    return [{"check": f.name, "status": f.status, "detail": pythonic(f.detail)} for f in findings]


def summary_of(rows: list[dict[str, str]]) -> str:
    """Say how many checks passed."""
    statuses = [row["status"] for row in rows]
    return f"{statuses.count('passed')} passed, {statuses.count('failed')} failed."


def run_checks(asked: Mapping[str, Any], timeout: float) -> Iterator["Finding"]:
    """Check an agent in a process of its own, which does not outlive this call.

    Args:
        asked: What `rlbench.runners.check.agents` reads.
        timeout: Seconds that one check may take.

    Yields:
        A finding a check, whatever becomes of the process.

    Raises:
        UsageError: The environments cannot be made.
    """
    from rlbench.runners.check.agents import NAMES
    from rlbench.runners.check.findings import Finding

    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rlbench.runners.check.agents"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, inbox), daemon=True).start()
    try:
        with suppress(BrokenPipeError):
            # The pipe stays open: the process ends when it closes.
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
        for k, name in enumerate(NAMES):
            message = _receive(process, inbox, timeout)
            if isinstance(message, str):
                yield Finding(name, "failed", message)
                for left in NAMES[k + 1 :]:
                    yield Finding(left, "skipped", f"{name!r} did not pass")
                return
            if "error" in message:
                raise UsageError(message["error"])
            yield Finding(**message)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()


def _read(process: "subprocess.Popen[bytes]", inbox: "queue.Queue[dict[str, Any] | None]") -> None:
    """Put each line that the process writes into the inbox, and None at the end."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            with suppress(ValueError):
                inbox.put(json.loads(line))
    inbox.put(None)


def _receive(
    process: "subprocess.Popen[bytes]",
    inbox: "queue.Queue[dict[str, Any] | None]",
    timeout: float,
) -> dict[str, Any] | str:
    """Return the next message, or why there will be none."""
    started = time.monotonic()
    ended: float | None = None
    while True:
        try:
            message = inbox.get(timeout=_LOOK)
        except queue.Empty:
            now = time.monotonic()
            if ended is None and process.poll() is not None:
                ended = now
            # What it started may hold its pipe open after it has gone.
            if ended is not None and now > ended + _LAST_WORDS:
                return _cause_of_death(process)
            if now > started + timeout:
                return f"it was not finished after {timeout:g} s (--timeout)"
            continue
        return _cause_of_death(process) if message is None else message


def _cause_of_death(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(_LAST_WORDS)
    except subprocess.TimeoutExpired:
        return "the agent closed the pipe that findings go through"
    if code < 0:
        return f"the agent's process was ended by {signal.Signals(-code).name}"
    return f"the agent's process ended with exit code {code} before the checks were over"
