"""Pages of papers, comparisons and curricula in Chromium: hostile texts, axe-core, their height."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from support.browser import open_page
from support.records import ATARI, TEACHER, at_seed, make_record

from rlbench import suites
from rlbench.errors import InvalidRecord
from rlbench.leaderboard import build_site
from rlbench.results import AgentId, Loaded, Proposals, Record
from rlbench.results.plans import ComparisonPlan, fix_plan, read_plans

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BODIES = (
    "<script>__hit=1</script>", "<img src=x onerror=__hit=1>", "<svg onload=__hit=1>",
    "<iframe srcdoc='<script>top.__hit=1</script>'>", "<a href=javascript:__hit=1>a</a>",
    "<details open ontoggle=__hit=1>", "<style>*{background:url(//x.test)}</style>",
    " onmouseover=__hit=1 x=", " autofocus onfocus=__hit=1 ", "<meta http-equiv=refresh content=0>",
    "<base href=//x.test/>", "<link rel=stylesheet href=//x.test/a.css>", "<object data=//x.test>",
    "<form action=//x.test><button>", "<video src=//x.test onerror=__hit=1>",
    "<math><mi xlink:href=javascript:__hit=1>", "<use href=data:image/svg+xml,x>",
    "<input autofocus onfocus=__hit=1>", "<body onload=__hit=1>", "{{7*7}}",
)  # fmt: skip
BREAKOUTS = ("", '">', "'>", "</script>", "</title>", "-->", "</svg>", "</td></table>", "</pre>",
             "</a>")  # fmt: skip
PAYLOADS = [start + body for start in BREAKOUTS for body in BODIES]
STUMPS = suites.get("stump-tracks-1m")
SEEDS = 3
IN_A_PLAN = 50  # agents
TALLEST = 6000  # px at a width of 1280
AXE = os.environ.get("RLBENCH_AXE", "")
SCHEMES = ("light", "dark")


class Site(NamedTuple):
    """A built site, and the plans of the comparisons in it."""

    out: Path
    plans: list[ComparisonPlan]


def hostile(record: Record, text: str) -> Record:
    """Return the record with a text in every field that pages show."""
    agent = replace(
        record.identity.agent, name=f"{text} {record.identity.agent.name}", version=text, spec=text,
        config={"note": text}, factory=text,
    )  # fmt: skip
    identity = replace(record.identity, agent=agent)
    if record.identity.teacher:
        identity = replace(identity, teacher=replace(TEACHER, name=text, version=text))
    changed = replace(record, identity=identity, provenance={"device": text, "host": text})
    if record.error:
        changed = replace(changed, error=replace(record.error, reason=text))
    return Record.from_bytes(changed.to_bytes())


def taught(record: Record) -> Record:
    """Return the record with tasks that a teacher proposed."""
    lessons = 30
    proposals = Proposals(
        every=2,
        ends=tuple(1000 * (k + 1) for k in range(lessons)),
        parameters=tuple((3.0 * k / lessons, 6.0) for k in range(lessons)),
        returns=tuple(float(k) for k in range(lessons)),
        lengths=(500,) * lessons,
        successes=tuple(k % 3 == 0 for k in range(lessons)),
    )
    return replace(record, proposals=proposals)


def stands(text: str) -> bool:
    """Say whether a record may hold a text."""
    try:
        hostile(make_record(), text)
    except InvalidRecord:
        return False
    return True


def hostile_records() -> list[Record]:
    """Return runs of agents that are called by payloads; the first run of each is complete."""
    generator = np.random.default_rng(0)
    found = []
    for number, text in enumerate(filter(stands, PAYLOADS)):
        for seed in range(SEEDS):
            value = 300.0 + generator.normal(0.0, 20.0)
            record = make_record("Alien", f"{number}", seed, value)
            found.append(hostile(record, text))
        found.append(hostile(make_record("Alien", f"{number}", 9, status="failed"), text))
        if number < 20:
            lesson = make_record("plain", f"{number}", 0, 10.0 * number, suite=STUMPS)
            found.append(hostile(taught(lesson), text))
    return found


def long_records() -> list[Record]:
    """Return 100 runs a task of one agent on all tasks, each on another machine."""
    found = []
    for task in ATARI.tasks:
        first = make_record(task.name, "long", 0, 100.0)
        for seed in range(100):
            record = at_seed(first, seed)
            found.append(replace(record, provenance={"host": f"machine {task.name} {seed}"}))
    return found


def plans_of(records: list[Record]) -> list[ComparisonPlan]:
    """Return plans that each compare an agent with some others; all agents are in one."""
    atari = [record for record in records if record.identity.suite == ATARI.id]
    agents: dict[str, AgentId] = {r.identity.agent.name: r.identity.agent for r in atari}
    names = list(agents)
    return [
        ComparisonPlan(
            suite=ATARI.id, unofficial={}, digests={"Alien": ATARI.digest(ATARI.task("Alien"))},
            agents={name: agents[name] for name in names[begin : begin + IN_A_PLAN]},
            comparisons=tuple((names[begin], b) for b in names[begin + 1 : begin + IN_A_PLAN]),
            first_seed=0, batch=SEEDS, max_batches=2, alpha=0.05, futility=None, statistic="mean",
        )
        for begin in range(0, len(names), IN_A_PLAN)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def site(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("pages")
    bad = hostile_records()
    assert len(PAYLOADS) == 200
    plans = plans_of(bad)
    assert sum(len(plan.agents) for plan in plans) > 150
    for plan in plans:
        fix_plan(folder, plan, seen=0)
    build_site(
        Loaded([*bad, *long_records()], []), folder / "site", plans=read_plans(folder),
        only=["atari100k", STUMPS.name],
    )  # fmt: skip
    return Site(folder / "site", plans)


def pages_of(site: Site) -> list[str]:
    """Return a page of each kind."""
    boards = ("atari100k-1", "stump-tracks-1m-1")
    agents = [path for board in boards for path in sorted((site.out / board / "agents").iterdir())]
    neighbours = sorted((site.out / "atari100k-1/compare").glob("*.html"))
    some = [path for path in agents if path.name.startswith(("long", "script", "atari100k.spr"))]
    return [
        "index.html", "papers/index.html",
        "papers/schwarzer-et-al.-2021a-runs-by-agarwal-et-al.-2021.html",
        *(f"{board}/index.html" for board in boards),
        *(f"atari100k-1/comparisons/{plan.id}.html" for plan in site.plans),
        "stump-tracks-1m-1/curricula.html",
        "atari100k-1/tasks/alien.html",
        "atari100k-1/compare.html",
        *(f"atari100k-1/compare/{path.name}" for path in neighbours[:1]),
        *(str(path.relative_to(site.out)) for path in some[:6]),
    ]  # fmt: skip


def test_hostile_texts_do_nothing_on_any_kind_of_page(browser: "Browser", site: Site) -> None:
    names = pages_of(site)
    with open_page(browser, viewport={"width": 1280, "height": 800}) as (page, seen):
        for name in names:
            page.goto(f"{site.out.as_uri()}/{name}")
            page.wait_for_load_state()
            for details in page.query_selector_all("details"):
                details.evaluate("node => { node.open = true; }")
            assert page.evaluate("window.__hit === undefined"), name
            assert page.locator("main").count() == 1, name
            assert page.locator("footer").count() == 1, name
            assert page.locator("iframe, object, form[action], base, video").count() == 0, name
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (name, wide)
    seen.failed.clear()  # a page may be left before its pictures are there
    seen.assert_clean(site.out.as_uri())


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_screen(browser: "Browser", site: Site, width: int) -> None:
    with open_page(browser, viewport={"width": width, "height": 800}) as (page, _):
        for name in pages_of(site):
            page.goto(f"{site.out.as_uri()}/{name}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_pages_of_agents_are_short_and_hold_every_run(browser: "Browser", site: Site) -> None:
    with open_page(browser, viewport={"width": 1280, "height": 800}, java_script_enabled=False) as (
        page,
        _,
    ):
        for path in (site.out / "atari100k-1/agents").iterdir():
            if not path.name.startswith(("long", "atari100k.")):
                continue
            page.goto(path.as_uri())
            box = page.locator("body").bounding_box()
            assert box, path.name
            assert box["height"] < TALLEST, path.name
        path = next((site.out / "atari100k-1/agents").glob("long-*.html"))
        page.goto(path.as_uri())
        assert page.locator("#runs ~ details tbody tr").count() == 100 * len(ATARI.tasks)
        summary = page.locator("details.runs > summary")
        row = page.locator("#runs ~ details tbody tr").first
        assert not row.is_visible()
        summary.focus()
        page.keyboard.press("Enter")
        page.locator("details.runs > details > summary").first.focus()
        page.keyboard.press("Enter")
        assert row.is_visible()


def test_a_comparison_says_what_was_decided(browser: "Browser", site: Site) -> None:
    plan = site.plans[0]
    with open_page(browser) as (page, _):
        page.goto(f"{site.out.as_uri()}/atari100k-1/index.html")
        page.locator(f"a[href='comparisons/{plan.id}.html']").click()
        pairs = len(plan.comparisons)
        assert page.locator("ul.decisions li").count() == pairs
        assert page.locator("table[aria-label=Decisions] tbody tr").count() == pairs
        assert page.locator("svg.boundary").count() == 36
        assert plan.id in page.locator("#plan ~ dl").inner_text()


@pytest.mark.skipif(not AXE, reason="needs axe-core: RLBENCH_AXE names its axe.min.js")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing(browser: "Browser", site: Site, scheme: str) -> None:
    """`make test-axe` gets axe-core."""
    script = Path(AXE).read_text(encoding="utf-8")
    with open_page(browser, viewport={"width": 1280, "height": 800}, color_scheme=scheme,
                   bypass_csp=True) as (page, _):  # fmt: skip
        found = {}
        for name in pages_of(site):
            page.goto(f"{site.out.as_uri()}/{name}")
            page.evaluate(script)
            result = page.evaluate("axe.run({resultTypes: ['violations']})")
            bad = {v["id"]: v["nodes"][0]["html"][:200] for v in result["violations"]}
            if bad:
                found[name] = bad
        assert not found
