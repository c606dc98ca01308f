"""What can be named: suites, agents, teachers and adapters."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import NamedTuple


class Entry(NamedTuple):
    """What comes with rlbench under a name.

    Attributes:
        target: ``module:attribute``, or a module.
        version: Of an agent or a teacher, the ``__version__`` of its module; a suite states its
            own.
        extra: The optional dependencies that it needs.
    """

    target: str
    version: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """The names of one kind of thing.

    Attributes:
        kind: ``suite``, ``agent``, ``teacher`` or ``adapter``. Other packages register theirs as
            entry points of the group ``rlbench.<kind>s``, but for adapters: these run in the
            process of the command, where code of others does not run.
        own: What comes with rlbench.
    """

    kind: str
    own: Mapping[str, Entry]

    def targets(self) -> dict[str, str]:
        """Return ``module:attribute`` by name, our own first; nobody else can take our names."""
        ours = {name: entry.target for name, entry in self.own.items()}
        points = sorted(entry_points(group=f"rlbench.{self.kind}s"), key=lambda point: point.name)
        return ours | {point.name: point.value for point in points if point.name not in ours}
