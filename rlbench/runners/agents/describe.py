"""The process that imports an agent or a teacher, to say where its factory is and what it takes.

It reads what is asked for as one line of JSON from standard input, and answers with one on standard
output. Whatever the code prints goes to standard error.
"""

import os
import sys
import threading
from dataclasses import asdict
from typing import Any

from rlbench.errors import RLBenchError, UnknownName, UsageError
from rlbench.runners.agents import factories
from rlbench.runners.agents.agent import AGENTS, adapter_of
from rlbench.runners.check.findings import describe as describe_error
from rlbench.runners.children import end_with_parent, keep_output, what_is_asked
from rlbench.runners.teachers.teacher import TEACHERS


def answer(kind: str, spec: str) -> dict[str, Any]:
    """Return where a factory is (not for adapters) and what it takes, as JSON data.

    Or else that it is ``unknown``, or why it was ``refused`` without being imported.
    """
    adapter = adapter_of(spec) if kind == "agent" else None
    if adapter is not None:
        return {"signature": asdict(adapter.signature(spec))}
    try:
        place = factories.find(AGENTS if kind == "agent" else TEACHERS, spec)
    except UnknownName:
        return {"unknown": True}
    try:
        factories.stated_version(place)
    except UsageError as error:
        return {"refused": str(error)}
    signature = asdict(factories.describe(place))
    return {"place": {**asdict(place), "path": str(place.path)}, "signature": signature}


def main() -> None:
    """Answer what standard input asks."""
    send = keep_output()
    asked = what_is_asked()
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        result = answer(asked["kind"], asked["spec"])
    except RLBenchError as error:
        result = {"error": str(error)}
    except BaseException as error:
        result = {"error": f"importing it raised {describe_error(error)}"}
    send(result)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: threads that the code left running must not keep the process alive.
    os._exit(0)


if __name__ == "__main__":
    main()
