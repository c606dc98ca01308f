"""The engine that plays Procgen: OpenAI's own build where it was fetched, else envpool's."""

from rlbench.suites.procgen import libenv, pool, reference
from rlbench.suites.procgen.games import Engine


def chosen() -> Engine:
    """Return the engine that plays here."""
    return libenv if reference.is_here() else pool


def versions() -> dict[str, str]:
    """Return the versions of the engine that plays here, by name."""
    return chosen().versions()
