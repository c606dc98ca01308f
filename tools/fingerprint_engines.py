"""Write what the engines of suites are expected to do, from what they do here.

Run it on a machine whose golden tests pass: ``python tools/fingerprint_engines.py`` for all suites
that ship expected hashes (``engines.json``), or name some: ``... procgen-mini dmc-state``. Suites
that are not named keep theirs. stori26 has a row for every clean game and for every disturbance of
Pong, but for Gaussian noise, which is drawn in floating point. Suites of DeepMind Control from
pixels have none: OpenGL's implementations differ in single pixels.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rlbench import suites
from rlbench.runners.engine import examine_engine
from rlbench.suites import Suite, Task

ROOT = Path(__file__).parents[1]


def is_stated(suite: Suite, task: Task) -> bool:
    """Say whether the hash of a task's engine is kept."""
    if suite.constants(task).get("observation") == "pixels":
        return False
    if suite.name != "stori26":
        return True
    game, _, mode = task.name.partition("/")
    return mode == "clean" or (game == "Pong" and not mode.startswith("gaussian-noise"))


def stating() -> list[Suite]:
    """Return the suites that ship expected hashes."""
    found = [suite for suite in map(suites.get, suites.names()) if suite.engines]
    return [suite for suite in found if any(is_stated(suite, task) for task in suite.tasks)]


def file_of(suite: Suite, root: Path) -> Path:
    """Return the file of a suite's hashes, e.g. of ``rlbench.suites.dmc:engines.json``."""
    package, _, name = suite.engines.partition(":")
    return root.joinpath(*package.split("."), name)


def renew(chosen: Iterable[Suite], root: Path = ROOT) -> None:
    """Write the hashes of suites anew into their files below a folder."""
    order = [suite.id for suite in stating()]
    for suite in chosen:
        path = file_of(suite, root)
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        found[suite.id] = {
            task.name: examine_engine(suite, task).fingerprint
            for task in suite.tasks
            if is_stated(suite, task)
        }
        ordered = {name: found[name] for name in sorted(found, key=order.index)}
        path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
        print(f"{suite.id}: {len(found[suite.id])} tasks in {path}", flush=True)


def main(names: Sequence[str]) -> None:
    """Write the hashes of the named suites, or of all."""
    known = {suite.name: suite for suite in stating()}
    if unknown := sorted(set(names) - set(known)):
        sys.exit(f"no expected hashes of {', '.join(unknown)}. Known: {', '.join(known)}")
    renew([known[name] for name in names or known])


if __name__ == "__main__":
    main(sys.argv[1:])
