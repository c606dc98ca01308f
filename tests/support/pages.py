"""What tests ask of the leaderboard's pages in a browser, and records that fill a board."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rlbench.results import Record
from rlbench.stats.comparisons import MIN_RUNS
from support.records import ATARI, make_record

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MIN_CONTRAST = 4.5  # WCAG 2, level AA


def early(record: Record) -> Record:
    """Return a record with one more checkpoint."""
    (final,) = record.evaluations
    first = replace(
        final,
        budget_used=final.budget_used // 2,
        returns=tuple(value / 2 for value in final.returns),
    )
    return replace(record, evaluations=(first, final))


def ordinary_records() -> list[Record]:
    generator = np.random.default_rng(1)
    found = []
    for place, agent in enumerate(("agent 2", "agent 10", "alpha", "Beta")):
        for task in ATARI.tasks:
            if agent == "Beta" and task.name == "Pong":
                continue
            for seed in range(MIN_RUNS + place % 2):
                share = generator.normal(0.3 * place, 0.2)
                value = task.low + share * (task.high - task.low)
                record = early(make_record(task.name, agent, seed, float(value)))
                hours = {"seconds": 3600.0 * (3 - place)} if agent != "Beta" else {}
                timing: dict[str, str | float] = {
                    "finished": f"2026-0{4 + place % 3}-01T00:00:00+00:00",
                    **hours,
                }
                found.append(replace(record, timing=timing))
    return found


def draw_charts(page: "Page") -> int:
    """Scroll to every chart and wait until it is drawn; return how many there are."""
    names = page.eval_on_selector_all("figure[data-chart]", "all => all.map(f => f.dataset.chart)")
    for name in names:
        figure = page.locator(f'figure[data-chart="{name}"]')
        figure.scroll_into_view_if_needed()
        figure.locator(".chart svg, .chart canvas").first.wait_for()
    return len(names)


def wait_until(page: "Page", condition: str) -> None:
    """Wait for a condition in JavaScript, from frame to frame; Playwright's own wait uses eval."""
    came = page.evaluate(
        f"""async () => {{
          const end = performance.now() + 20000;
          while (!({condition}) && performance.now() < end) {{
            await new Promise(requestAnimationFrame);
          }}
          return {condition};
        }}"""
    )
    assert came, (page.url, page.viewport_size, condition)


def order_of(page: "Page", table: str) -> list[str]:
    rows = f'table[aria-label="{table}"] tr[data-agent]'
    found: list[str] = page.eval_on_selector_all(rows, "all => all.map(r => r.dataset.agent)")
    return found


def shown_in(page: "Page", table: str) -> list[str]:
    rows = f'table[aria-label="{table}"] tr[data-agent]'
    found: list[str] = page.eval_on_selector_all(
        rows, "all => all.filter(r => r.checkVisibility()).map(r => r.dataset.agent)"
    )
    return found


def header(page: "Page", table: str, key: str) -> "Locator":
    return page.locator(f'table[aria-label="{table}"] th[data-sort="{key}"]')


def hit(page: "Page") -> bool:
    found: bool = page.evaluate("'__hit' in window")
    return found


# Every text of a page with too little contrast against what is painted behind it.
FAINT = """(least) => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], under) =>
    [r, g, b].map((value, place) => value * a + under[place] * (1 - a));
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(getComputedStyle(e).backgroundColor);
    return layers.reverse().reduce((under, layer) => over(rgba(layer), under), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = new Map();
  let looked = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("script, .chart, .hidden")) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const paper = behind(element);
    const ink = over(rgba(element.closest("svg") ? style.fill : style.color), paper);
    const ratio = contrast(ink, paper);
    looked += 1;
    if (ratio < least) faint.set(`${element.tagName}.${element.className} ${ratio}`, ratio);
  }
  const field = document.querySelector("input[type=search]");
  if (field) {
    const paper = behind(field);
    const ink = rgba(getComputedStyle(field, "::placeholder").color);
    const ratio = contrast(over(ink, paper), paper);
    if (ratio < least) faint.set(`placeholder ${ratio}`, ratio);
  }
  return [looked, [...faint.keys()]];
}"""
