"""Draw a board and one figure of each kind into docs/pictures/gallery, for docs/gallery.md.

    .venv/bin/python tools/draw_gallery.py [FOLDER]

Chromium draws the board. Scores are those of examples/scores.csv, and the figures of curricula come
from the records in results/reference. Curves, and the scores of the sequential comparison and of
the ablation, are made up, as the page says.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from rlbench import leaderboard, stats, suites
from rlbench.leaderboard import Plot
from rlbench.leaderboard.drawing import style
from rlbench.leaderboard.teaching import Lessons, levels_of
from rlbench.results import Loaded, Record, Store, read_scores, select
from rlbench.results.labels import labels

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/pictures/gallery"
WIDTH = "neurips"
BY = "the random and human scores of atari100k@1"
DPI = 130
SCREEN: Any = {"width": 900, "height": 900}
STEPS = np.arange(1, 21) * 5_000


def plots() -> Iterator[Plot]:
    """Yield a figure of each kind."""
    by_task = select(read_scores(ROOT / "examples/scores.csv").runs, suites.get("atari100k"))
    scores = {agent: list(tasks.values()) for agent, tasks in by_task.items()}
    yield leaderboard.plot_intervals(scores, normalised_by=BY, width=WIDTH)
    yield leaderboard.plot_profiles(scores, normalised_by=BY, width=WIDTH)
    yield leaderboard.plot_improvement(scores, normalised_by=BY, width=WIDTH)
    yield leaderboard.plot_ranks(scores, normalised_by=BY, width=WIDTH)
    yield leaderboard.plot_cd(scores, normalised_by=BY, width=WIDTH)
    yield leaderboard.plot_tasks(by_task, normalised_by=BY, width=WIDTH)
    curves = made_up_curves()
    yield leaderboard.plot_curves(curves, STEPS, width=WIDTH)
    yield leaderboard.plot_speedups(curves, STEPS, baseline="slow", width=WIDTH)
    yield leaderboard.plot_task_curves(
        {
            agent: {f"task {k}": (STEPS, runs) for k, runs in enumerate(values.swapaxes(0, 1), 1)}
            for agent, values in curves.items()
        },
        width=WIDTH,
    )
    random = np.random.default_rng(2)
    means = {"A": 0.0, "B": 1.0, "C": 1.2}
    batches = {name: [random.normal(mean, 1, size=20)] for name, mean in means.items()}
    yield leaderboard.plot_stopping(stats.adastop(batches, batch=4, max_batches=5), width=WIDTH)
    yield of_ablation()
    yield from of_curricula()


def of_ablation() -> Plot:
    """Return the figure of an ablation: made-up runs of an agent, and of three without a part."""
    random = np.random.default_rng(4)
    full = random.normal(1, 0.5, size=8)  # the means of 8 tasks
    without = {"no target network": -0.5, "no augmentation": -0.15, "no dueling": 0.02}
    scores = {
        name: [random.normal(mean + drop, 0.2, size=10) for mean in full]
        for name, drop in {"full": 0.0, **without}.items()
    }
    result = stats.adastop(
        scores, batch=5, max_batches=2, statistic="iqm",
        comparisons=[(name, "full") for name in without],
    )  # fmt: skip
    return leaderboard.plot_ablation(
        stats.drops(scores, result, base="full", statistic="iqm"),
        base="full", statistic="iqm", scores=scores, looks=2, width=WIDTH,
    )  # fmt: skip


def made_up_curves() -> dict[str, np.ndarray]:
    """Return curves (runs, tasks, points) that saturate at one score, at three speeds."""
    random = np.random.default_rng(1)
    shape = (5, 8, len(STEPS))
    return {
        agent: 1 - np.exp(-STEPS / needed * random.gamma(20, 0.05, size=(5, 8, 1)))
        + random.normal(0, 0.02, size=shape)
        for agent, needed in [("slow", 60_000), ("faster", 35_000), ("fastest", 20_000)]
    }  # fmt: skip


def of_curricula() -> Iterator[Plot]:
    """Yield the figures of a curriculum, from the reference records."""
    suite = suites.get("stump-tracks-1m")
    agents = of_student()
    yield leaderboard.plot_teaching(
        lessons_of(agents), names=suite.parameters, unit=suite.protocol.unit, width=WIDTH
    )
    threshold = suite.protocol.score_threshold
    assert threshold is not None
    yield leaderboard.plot_levels(
        {agent: [levels_of(of, threshold)] for agent, of in agents.items()}, width=WIDTH
    )


def of_student() -> dict[str, list[Record]]:
    """Return the reference records of the student that walks, by agent, in the order of seeds."""
    loaded = Store(ROOT / "rlbench/results/reference").load("stump-tracks-1m@1").records
    kept = [
        record
        for record in loaded
        if record.identity.agent.name == "sac" and record.budget_used == 1_000_000
    ]
    names = labels(record.identity for record in kept)
    found: dict[str, list[Record]] = {}
    for record in sorted(kept, key=lambda record: record.identity.seed):
        found.setdefault(names[record.identity.agent_key], []).append(record)
    return dict(sorted(found.items(), reverse=True))


def lessons_of(agents: dict[str, list[Record]]) -> dict[str, Lessons]:
    """Return what the teachers of agents proposed."""
    return {agent: found for agent, of in agents.items() if (found := Lessons.of(of))}


def picture(plot: Plot) -> bytes:
    """Return a small PNG: 64 colours of a palette."""
    buffer, small = io.BytesIO(), io.BytesIO()
    with style(plot.width):
        plot.figure.savefig(buffer, format="png", dpi=DPI)
    drawn = Image.open(buffer).convert("RGB")
    drawn.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        small, format="png", optimize=True
    )
    return small.getvalue()


def board() -> Image.Image:
    """Return the top of the board of Atari 100k, with published scores alone."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as running:
        site = Path(place) / "site"
        leaderboard.build_site(Loaded([], []), site, only=["atari100k"])
        browser = running.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport=SCREEN, color_scheme="light")
        page.goto((site / "atari100k-1/index.html").as_uri())
        seen = page.screenshot()
        browser.close()
    return Image.open(io.BytesIO(seen)).convert("RGB")


def draw(folder: Path) -> None:
    """Write the board and a picture of each kind into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    board().save(folder / "board.webp", lossless=True, method=6)
    for plot in plots():
        (folder / f"{plot.kind}.png").write_bytes(picture(plot))


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
