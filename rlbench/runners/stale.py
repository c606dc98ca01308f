"""Unfinished runs that nothing goes on with: the source of their agent or teacher was changed.

A changed agent is another one, with runs of its own. What the old one has left stays in the store.
"""

import os
from pathlib import Path
from typing import Any

from rlbench.errors import RLBenchError
from rlbench.registry import Registry
from rlbench.results import Identity, Store
from rlbench.results.claims import Claim
from rlbench.runners.agents.agent import AGENTS, adapter_of, agent_version
from rlbench.runners.agents.resolving import version_now
from rlbench.runners.checkpoint import Checkpoints
from rlbench.runners.run import Run
from rlbench.runners.teachers.teacher import TEACHERS


def origin(run: Run) -> dict[str, Any]:
    """Return, for a run's claim, how and from where its agent and its teacher were named."""
    teacher = run.teacher and run.teacher.spec
    return {"folder": os.getcwd(), "agent": run.agent.spec, "teacher": teacher}


def is_stale(identity: Identity, said: Any) -> bool:
    """Say whether a run's agent or teacher is no longer what it was.

    None of their code is run. Where the files are not found, as on another machine, it is not.

    Args:
        identity: The run.
        said: What `origin` returned, as a claim holds it: it is not trusted.
    """
    if not isinstance(said, dict) or not isinstance(said.get("folder"), str):
        return False
    folder = Path(said["folder"])
    for registry, who in ((AGENTS, identity.agent), (TEACHERS, identity.teacher)):
        spec = said.get(registry.kind)
        if who is None or not isinstance(spec, str):
            continue
        try:
            now = _version_now(registry, spec, folder)
        except (RLBenchError, OSError, ValueError):
            continue
        if now is not None and now != (who.version, who.source):
            return True
    return False


def _version_now(registry: Registry, spec: str, folder: Path) -> tuple[str, str | None] | None:
    if registry is AGENTS and adapter_of(spec) is not None:
        return agent_version(spec, {}) if folder == Path.cwd() else None
    return version_now(registry, spec, folder)


def discard(store: Store, identity: Identity) -> int | None:
    """Remove the claim and the checkpoint of an unfinished run, unless somebody is at it.

    Returns:
        The bytes that the checkpoint had; None if nothing was removed.

    Raises:
        StoreError: The claim cannot be written.
    """
    claim = Claim.take(store.claim_of(identity), {"identity": identity.to_dict()})
    if claim is None:
        return None
    folder = store.checkpoints_of(identity)
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    Checkpoints(folder, 0.0).clear()
    claim.release({}, done=True)
    return size
