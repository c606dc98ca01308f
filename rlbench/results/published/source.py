"""The published sources: whose scores, from where, under which licence, and under what protocol.

They stand in ``.toml`` files, each beside the ``.csv`` file with its scores: the repositories, the
protocols, and the sources that name one of each. What a protocol does was read in the code of the
repositories, where that was possible; what was not found out is ``unknown``. Three kinds of score
are told apart: evaluation episodes after training, evaluation episodes while training, and returns
of training episodes.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

from rlbench.results.published.fields import NEVER_RANKED, Fields
from rlbench.suites import slug
from rlbench.suites.papers import Field

FILES = ("atari100k", "stori", "dmc", "procgen", "neorl2", "parkour")  # with scores and sources
UNKNOWN = "unknown"


class Repository(NamedTuple):
    """Where scores were taken from.

    Attributes:
        name: On GitHub.
        commit: The commit that was read.
        licence: What it says of itself.
    """

    name: str
    commit: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSource:
    """Scores of one agent under one protocol, as somebody published them.

    Attributes:
        slug: Its name, e.g. ``atari100k.spr``.
        agent: The display name; one of a board.
        boards: The suites whose tasks it has scores of; the one that it is nearest to first.
        file: The file beside this module with its scores.
        paper: Whose agent it is, and whose runs, if that is somebody else.
        repository: Where the scores were taken from.
        path: Of the file or the files in the repository.
        note: What a reader must know, if there is anything.
        fields: The protocol, without the budget, which is computed from the scores' steps.
        means_only: Each task has one mean over runs, and no runs.
        pairs: A run has the same seed on every task, so runs may be resampled whole.
    """

    slug: str
    agent: str
    boards: tuple[str, ...]
    file: str
    paper: str
    repository: Repository
    path: str
    note: str
    fields: Fields
    means_only: bool
    pairs: bool

    @property
    def url(self) -> str:
        """The repository as it was read."""
        return f"https://github.com/{self.repository.name}/tree/{self.repository.commit}"

    @property
    def year(self) -> str:
        """The year in which the scores were published: the last that `paper` names."""
        return str(re.findall(r"\b\d{4}", self.paper)[-1])

    @property
    def licence(self) -> str:
        """The licence of the repository; only figures and names were taken."""
        return self.repository.licence

    @property
    def never_ranked(self) -> str:
        """Why its scores are shown but never ranked; nothing if they may be."""
        if self.means_only:
            return "its scores are means, not runs"
        return NEVER_RANKED.get(str(self.fields["selection"]), "")


def slug_of(protocol: str, algorithm: str) -> str:
    """Return the slug of a source by the names that the raw tables give it.

    >>> slug_of("dmc_state_tdmpc2", "TD-MPC2")
    'dmc-state-tdmpc2.td-mpc2'
    """
    return f"{slug(protocol).replace('_', '-')}.{slug(algorithm)}"


def _sources_in(file: str) -> Iterator[PublishedSource]:
    """Yield the sources of a file, in its order."""
    text = (files(__package__) / f"{file}.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    repositories = {name: Repository(**of) for name, of in content["repositories"].items()}
    protocols = {
        name: {field: _field(value) for field, value in protocol.items()}
        for name, protocol in content["protocols"].items()
    }
    for source in content["sources"]:
        yield PublishedSource(
            slug=source["slug"],
            agent=source["agent"],
            boards=tuple(source["boards"]),
            file=file,
            paper=source["paper"],
            repository=repositories[source["repository"]],
            path=source["path"],
            note=source.get("note", ""),
            fields=protocols[source["protocol"]],
            means_only=source.get("means_only", False),
            pairs=source.get("pairs", False),
        )


def _field(value: Any) -> Field:
    return None if value == UNKNOWN else value


SOURCES: tuple[PublishedSource, ...] = tuple(
    source for file in FILES for source in _sources_in(file)
)
