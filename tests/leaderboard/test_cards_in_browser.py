"""Cards on the site: any text that the gate lets in is shown as it is, and nothing of it runs."""

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.browser import open_page
from support.bundles import draft_of
from support.payloads import PAYLOADS
from support.records import make_record

from rlbench import suites
from rlbench.leaderboard import build_site
from rlbench.leaderboard.retrained import Retrained
from rlbench.results import Loaded
from rlbench.results.submissions.card import card_of, problems_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FIELDS = ("who", "licence", "note", "paper", "code", "namespace")
MINI = suites.get("dmc-mini")


class Site(NamedTuple):
    """A site of agents whose cards hold payloads.

    Attributes:
        out: Its folder.
        shown: The page of an agent to the texts that it must show.
        refused: Field to the payloads that no card can hold there.
    """

    out: Path
    shown: dict[str, list[str]]
    refused: dict[str, set[str]]


@pytest.fixture(scope="module")
def site(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Site:
    out = tmp_path_factory.mktemp("cards") / "site"
    refused: dict[str, set[str]] = {name: set() for name in FIELDS}
    records, cards, texts = [], {}, {}
    again: list[Retrained] = []
    for number, payload in enumerate(PAYLOADS):
        # Runs of one task: nothing of these agents is ranked or drawn.
        record = make_record(
            MINI.tasks[0].name, f"agent {number}", score=1.0, suite=MINI, length=500
        )
        fields: dict[str, Any] = dict(draft_of([record], random.Random(number), MINI).fields)
        held = []
        for name in FIELDS:
            value: Any = [payload, payload] if name == "who" else payload
            if problems_of({**fields, name: value}):
                refused[name].add(payload)
            else:
                fields[name] = value
                held.append(payload)
        key = (MINI.id, record.identity.agent_key)
        cards[key] = card_of(fields)
        again.append(Retrained(
            suite=MINI.id, agent_key=key[1], records="0" * 64, by=payload, date="2026-01-01",
            runs=3, difference=0.1, low=-0.1, high=0.3,
        ))  # fmt: skip
        records.append(record)
        texts[f"agent {number}"] = held
    build_site(Loaded(records, []), out, only=["dmc-mini"], cards=cards, retrained=again)
    shown = {}
    for path in sorted((out / "dmc-mini-1/agents").glob("agent-*.html")):
        name = "agent " + path.name.split("-")[1]
        shown[path.as_uri()] = texts[name]
    return Site(out, shown, refused)


def test_cards_hold_any_visible_text_and_no_address_but_https(site: Site) -> None:
    assert len(PAYLOADS) >= 200
    assert site.refused["paper"] == site.refused["code"] == set(PAYLOADS)
    accepted = {name: len(PAYLOADS) - len(found) for name, found in site.refused.items()}
    assert min(accepted["who"], accepted["licence"], accepted["note"]) > 180, accepted
    assert accepted["namespace"] <= 6, accepted  # words such as null, which do nothing


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_texts_of_cards_are_inert(browser: "Browser", site: Site, every: int) -> None:
    """Of all, which takes a minute, or of every fifth."""
    assert len(site.shown) == len(PAYLOADS)
    with open_page(browser) as (page, seen):
        for address, texts in list(site.shown.items())[::every]:
            page.goto(address)
            facts = page.locator("dd").all_text_contents()
            assert all(any(text in fact for fact in facts) for text in texts), (address, texts)
            assert not page.evaluate("'__hit' in window")
            links = page.locator("dl.facts a").evaluate_all("all => all.map(a => a.href)")
            assert all(link.startswith("https://") for link in links)
        seen.assert_clean(f"{site.out.as_uri()}/")


def test_a_page_without_a_card_says_nothing_of_one(tmp_path: Path) -> None:
    record = make_record(MINI.tasks[0].name, "plain", score=1.0, suite=MINI, length=500)
    build_site(Loaded([record], []), tmp_path / "site", only=["dmc-mini"])
    (page,) = (tmp_path / "site/dmc-mini-1/agents").glob("plain-*.html")
    assert "Submitted by" not in page.read_text()
