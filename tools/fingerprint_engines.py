"""Write what the engines of suites are expected to do, from what they do here.

Run it on a machine whose golden tests pass: ``python tools/fingerprint_engines.py atari`` (or
``parkour``). stori26 has a row for every clean game and for every
disturbance of Pong, but for Gaussian noise, which is drawn in floating point.
"""

import json
import sys
from pathlib import Path

from rlbench import suites
from rlbench.runners.engine import examine_engine
from rlbench.suites import Suite, Task

SUITES = Path(__file__).parents[1] / "rlbench/suites"
FOLDERS = {"atari": "atari", "parkour": "teachmyagent"}  # by the suites' extra


def is_stated(suite: Suite, task: Task) -> bool:
    """Say whether the hash of a task's engine is kept."""
    if suite.name != "stori26":
        return True
    game, _, mode = task.name.partition("/")
    return mode == "clean" or (game == "Pong" and not mode.startswith("gaussian-noise"))


def main(extra: str) -> None:
    """Write the file of the suites with an extra."""
    found: dict[str, dict[str, str]] = {}
    for suite in map(suites.get, suites.names()):
        if suite.extra == extra:
            found[suite.id] = {
                task.name: examine_engine(suite, task).fingerprint
                for task in suite.tasks
                if is_stated(suite, task)
            }
    path = SUITES / FOLDERS[extra] / "engines.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
