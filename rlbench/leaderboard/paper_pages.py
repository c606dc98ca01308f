"""Pages of papers: who published scores, of which agents, and on which boards these stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from rlbench.leaderboard.boards import Board, Entry
from rlbench.leaderboard.downloads import citation
from rlbench.results.published import PublishedSource
from rlbench.suites import slug

HOW_TAKEN = {
    "means": "Means over runs, as the repository reports them: no run is known, so no interval.",
    "runs": "The score of every run, from files of the repository.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPage:
    """What is published under one line of authors and years.

    Attributes:
        name: Of the page's file.
        title: Who published, and when; as the sources say it.
        year: Of the scores.
        uses: The agents, each with its board; in the order of the boards.
        bibtex: An entry a source.
    """

    name: str
    title: str
    year: str
    uses: tuple[tuple[Board, Entry], ...]
    bibtex: str

    @property
    def sources(self) -> tuple[PublishedSource, ...]:
        """The sources of its scores, each once."""
        found = [entry.paper.source for _, entry in self.uses if entry.paper]
        return tuple({source.slug: source for source in found}.values())

    def how_taken(self, source: PublishedSource) -> str:
        """Say how the numbers of a source were taken."""
        return HOW_TAKEN["means" if source.means_only else "runs"]


def paper_pages(boards: Sequence[Board]) -> list[PaperPage]:
    """Return a page for each paper with scores on some boards, by year (newest first) and title."""
    uses: dict[str, list[tuple[Board, Entry]]] = {}
    for board in boards:
        for entry in board.papers:
            assert entry.paper
            uses.setdefault(entry.paper.source.paper, []).append((board, entry))
    pages = []
    for title, found in uses.items():
        sources = {e.paper.source.slug: e.paper.source for _, e in found if e.paper}
        pages.append(
            PaperPage(
                name=page_name(title),
                title=title,
                year=found[0][1].date,
                uses=tuple(found),
                bibtex="\n\n".join(map(citation, sources.values())),
            )
        )
    by_title = sorted(pages, key=lambda page: page.title)
    return sorted(by_title, key=lambda page: page.year, reverse=True)


def page_name(title: str) -> str:
    """Return what a paper's page is called, without an end.

    >>> page_name("Schwarzer et al. 2021a; runs by Agarwal et al. 2021")
    'schwarzer-et-al.-2021a-runs-by-agarwal-et-al.-2021'
    """
    return slug(title)
