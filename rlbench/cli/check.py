"""`rlbench check`: does an agent or a suite keep the contract? Is a submission in order?"""

import json as json_module
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlbench.api.asking import parse_options, parse_suite
from rlbench.cli.check_submissions import check_submissions, names_submissions
from rlbench.cli.options import JsonOption, suite_names
from rlbench.cli.output import echo, print_json
from rlbench.errors import CannotImport, UsageError

if TYPE_CHECKING:
    from rlbench.runners.check.findings import Finding

EXIT_FAILED = 1
_LOOK = 0.5  # seconds between two looks at whether the process lives
_LAST_WORDS = 1.0  # seconds for findings of a process that has ended


def check(
    agent: Annotated[
        str,
        typer.Argument(
            help="my_agent, file.py[:factory], module:factory; or a folder of submissions."
        ),
    ] = "",
    suite: Annotated[
        str,
        typer.Option(
            "--suite",
            help="The suite to check it on: atari100k, file.toml or file.py.",
            autocompletion=suite_names,
        ),
    ] = "",
    task: Annotated[str, typer.Option("--task", help="By default the suite's first.")] = "",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the agent."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load an agent from a file that can run code.")
    ] = False,
    device: Annotated[str, typer.Option("--device", help="Passed on to the agent.")] = "cpu",
    steps: Annotated[
        int, typer.Option("--steps", min=10, help="Steps, or updates, of a check.")
    ] = 100,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds that one check may take.")
    ] = 120,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", help="The submissions before this one; nothing in them may change."
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", help="With --against: the namespace of who submits.")
    ] = "",
    json: JsonOption = False,
) -> int:
    """Run an agent to check that it keeps the contract; without an agent, check a suite.

    Exit code 1 means that a check failed. A folder is checked as submissions (rlbench submit):
    their code is not run, and exit code 2 means that something is refused.
    """
    if against or (agent and names_submissions(agent)):
        if not agent or suite or option:
            raise UsageError("--against needs a folder of submissions, and takes no --suite")
        return check_submissions(Path(agent), against, namespace, json=json)
    if namespace:
        raise UsageError("--namespace needs --against")
    if not agent:
        if not suite:
            raise UsageError("name an agent to check, or a suite: rlbench check --suite NAME")
        if option or trust:
            raise UsageError("--option and --trust are for an agent: name one")
        return _check_suite(suite, task, steps, json=json)
    from rlbench.runners import resolve
    from rlbench.runners.agents.resolving import given_options

    chosen = parse_suite(suite or "atari100k")
    named = chosen.task(task) if task else chosen.tasks[0]
    options = parse_options(option)
    chosen.check_can_run([named])
    try:
        config = dict(resolve(agent, options, trust=trust).recipe.options)
    except CannotImport:
        config = given_options(options)  # the first check says what is wrong
    asked = {
        "agent": agent, "suite": chosen.spec, "task": named.name, "config": config,
        "device": device, "steps": steps,
    }  # fmt: skip
    return _report(run_checks(asked, timeout), f"{chosen.id}, {named.name}", json=json)


def _check_suite(name: str, task: str, steps: int, *, json: bool) -> int:
    """Check a suite, registered or in a file, in this process."""
    from rlbench import suites
    from rlbench.runners.check.suites import check_suite

    if suites.names_file(name):
        suite, assumed = suites.load_file(name)
        if assumed:
            echo(f"note: {assumed}", err=True)
    else:
        suite = suites.get(name)
    named = suite.task(task) if task else suite.tasks[0]
    suite.check_can_run([named])
    findings = check_suite(suite, named, steps=steps)
    return _report(findings, f"{suite.id}, {named.name}", json=json)


def _report(found: Iterable["Finding"], what: str, *, json: bool) -> int:
    """Print findings as they come; return the exit code."""
    findings = []
    for finding in found:
        findings.append(finding)
        if not json:
            echo(f"{finding.status:<8} {finding.name:<26} {finding.detail}")
    failed = [finding.name for finding in findings if finding.status == "failed"]
    if json:
        print_json([{"check": f.name, "status": f.status, "detail": f.detail} for f in findings])
    else:
        passed = sum(finding.status == "passed" for finding in findings)
        echo(f"{passed} passed, {len(failed)} failed ({what})")
    return EXIT_FAILED if failed else 0


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
            process.stdin.write(json_module.dumps(asked).encode() + b"\n")
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
                inbox.put(json_module.loads(line))
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
