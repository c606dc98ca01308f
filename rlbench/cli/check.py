"""`rlbench check`: does an agent or a suite keep the contract? Is a submission in order?"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlbench.api.checking import (
    STEPS,
    TIMEOUT,
    agent_findings,
    names_submissions,
    suite_findings,
)
from rlbench.cli.check_submissions import check_submissions
from rlbench.cli.options import JsonOption, suite_names
from rlbench.cli.output import echo, print_json
from rlbench.errors import UsageError
from rlbench.results.values import parse_options

if TYPE_CHECKING:
    from rlbench.runners.check.findings import Finding

EXIT_FAILED = 1


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
    ] = STEPS,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds that one check may take.")
    ] = TIMEOUT,
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
        chosen, named, findings = suite_findings(
            suite, task, steps, lambda assumed: echo(f"note: {assumed}", err=True)
        )
        return _report(findings, f"{chosen.id}, {named}", json=json)
    options = parse_options(option or [])
    chosen, named, findings = agent_findings(
        agent, suite or "atari100k", task, options, trust=trust, device=device, steps=steps,
        timeout=timeout,
    )  # fmt: skip
    return _report(findings, f"{chosen.id}, {named}", json=json)


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
