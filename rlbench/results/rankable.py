"""Who may be ranked with whom: agents under one protocol and engine that were given the same."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from rlbench.results.published import Published, obstacle
from rlbench.results.record import Record

SHARED = "shared_seeds"  # data that the seeds of an agent have in common
NO_INTERVAL = "none: the seeds share data, so the runs are not independent"
MEANS = "none: means, not runs"  # the method of an agent of which there are means alone
NOT_A_TEST = "a description, not a test"  # of two agents that are not ranked
PROTOCOLS_DIFFER = f"protocols differ: {NOT_A_TEST}"


class Terms(NamedTuple):
    """On what terms an agent's own runs were made.

    Attributes:
        given: What it was given, see `identity.GIVEN`; nothing for scores without records.
        engine: Which engine it ran on, if not the one that is expected; see `engines.other_engine`.
    """

    given: tuple[str, ...] = ()
    engine: str = ""


NOTHING = Terms()
Row = TypeVar("Row", bound=NamedTuple)


def terms_of(records: Iterable[Record], engine: str = "") -> Terms:
    """Return the terms of an agent's records."""
    return Terms(tuple(sorted({word for r in records for word in r.identity.agent.given})), engine)


def why_alone(terms: Terms) -> str:
    """Say why an agent may be ranked against none at all; nothing if it may."""
    return "its seeds share data, so its runs are not independent" if SHARED in terms.given else ""


def why_not_ranked(
    a: str, b: str, papers: Mapping[str, Published], own: Mapping[str, Terms]
) -> str:
    """Say why two agents may not be ranked against each other; nothing if they may.

    Args:
        a: An agent.
        b: Another.
        papers: What was published, of the agents that come from papers.
        own: The terms of the agents that have records.
    """
    if a in papers or b in papers:
        paper, other = (a, b) if a in papers else (b, a)
        if why := obstacle(papers[paper], papers.get(other)):
            return why
    for agent in (a, b):
        if why := why_alone(own.get(agent, NOTHING)):
            return f"{agent}: {why}"
    one, two = own.get(a, NOTHING), own.get(b, NOTHING)
    if one.given != two.given:
        return f"{a} was given {_listed(one.given)}, {b} {_listed(two.given)}"
    if one.engine != two.engine:
        engines = [terms.engine or "the expected engine" for terms in (one, two)]
        return f"{a} ran on {engines[0]}, {b} on {engines[1]}"
    return ""


def described_as(a: str, b: str, papers: Mapping[str, Published], own: Mapping[str, Terms]) -> str:
    """Return what to call the numbers of two agents that may not be ranked against each other.

    Args:
        a: An agent.
        b: Another.
        papers: What was published, of the agents that come from papers.
        own: The terms of the agents that have records.
    """
    of_means = {agent: paper for agent, paper in papers.items() if paper.source.means_only}
    return NOT_A_TEST if why_not_ranked(a, b, of_means, own) else PROTOCOLS_DIFFER


def why_no_interval(paper: Published | None, terms: Terms) -> str:
    """Say why an agent has no interval; nothing if its runs are independent.

    Args:
        paper: What was published, if it comes from a paper.
        terms: Those of its own runs.
    """
    if paper and paper.source.means_only:
        return MEANS
    return NO_INTERVAL if why_alone(terms) else ""


def ranked_together(
    agents: Iterable[str], papers: Mapping[str, Published], own: Mapping[str, Terms]
) -> list[list[str]]:
    """Return the agents in groups that may be ranked, each in the order given."""
    groups: list[list[str]] = []
    for agent in agents:
        for group in groups:
            if not why_not_ranked(group[0], agent, papers, own):
                group.append(agent)
                break
        else:
            groups.append([agent])
    return groups


def honest(row: Row, terms: Terms) -> Row:
    """Return a row of a table without its interval, where its runs are not independent.

    Args:
        row: A row with the fields low, high and method.
        terms: Those of its agent.
    """
    if not why_alone(terms):
        return row
    fields: Any = {"low": None, "high": None, "method": NO_INTERVAL}
    return row._replace(**fields)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(word.replace("_", " ") for word in words) or "nothing"
