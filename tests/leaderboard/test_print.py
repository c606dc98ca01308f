"""Figures in print: no text overlaps or is cut, names are alike, and LaTeX takes the files."""

import shutil
import subprocess
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy import stats as scipy_stats

from rlbench import stats
from rlbench.errors import InvalidScores
from rlbench.leaderboard import (
    WIDTHS,
    Plot,
    plot_cd,
    plot_improvement,
    plot_intervals,
    plot_profiles,
    plot_ranks,
    plot_speedups,
    plot_stopping,
    plot_task_curves,
    plot_tasks,
    plot_teaching,
    table,
    task_table,
)
from rlbench.leaderboard.captions import short_names
from rlbench.leaderboard.drawing import PRESETS, style
from rlbench.leaderboard.rank_figures import not_separated
from rlbench.leaderboard.task_figures import MAX_TASKS
from rlbench.leaderboard.teaching import Lessons

FEW = {"repetitions": 50}
STEPS = np.arange(1, 6) * 10_000
LONG = "an agent with a long name, and options lr=3e-4, n="
GALLERY = Path(__file__).parents[2] / "docs/pictures/gallery"


def names(number: int) -> list[str]:
    """Return names of agents, two of them long and alike."""
    return [f"{LONG}5", f"{LONG}7", *(f"Agent-{k}" for k in range(2, number))][:number]


def make(number: int, tasks: int = 6) -> dict[str, np.ndarray]:
    """Return scores; two agents tie, and one has a single run."""
    random = np.random.default_rng(number)
    scores = {
        name: random.gamma(1 + k % 7, size=(5, tasks)) for k, name in enumerate(names(number))
    }
    if number > 3:
        scores["Agent-3"] = scores["Agent-2"].copy()
        scores["Agent-4"] = scores["Agent-4"][:1]
    return scores


def by_task(scores: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return scores by task; the second agent lacks the first task."""
    return {
        agent: {
            f"DemonAttack{k}": runs for k, runs in enumerate(values.T) if agent != f"{LONG}7" or k
        }
        for agent, values in scores.items()
    }


def curves(scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {agent: values[:, :, None] * np.sqrt(STEPS / 5e4) for agent, values in scores.items()}


def task_curves(scores: dict[str, np.ndarray], width: str) -> Plot:
    return plot_task_curves(
        {
            agent: {task: (STEPS, runs[:, None] * np.sqrt(STEPS)) for task, runs in of.items()}
            for agent, of in by_task(scores).items()
        },
        width=width,
    )


def sequential(scores: dict[str, np.ndarray], width: str) -> Plot:
    random = np.random.default_rng(0)
    runs = {agent: [random.normal(k, 1, size=9)] for k, agent in enumerate(list(scores)[:5])}
    return plot_stopping(stats.adastop(runs, batch=3, max_batches=3), width=width)


def taught(scores: dict[str, np.ndarray], width: str) -> Plot:
    random = np.random.default_rng(0)
    lessons = {
        agent: Lessons(
            np.sort(random.uniform(0, 1e6, 20)), random.uniform(size=(20, 2)), np.zeros(20),
            np.ones(20, dtype=bool), 3, 1,
        )
        for agent in list(scores)[:6]
    }  # fmt: skip
    return plot_teaching(lessons, names=("stump height", "stump spacing"), width=width)


def without_single_runs(scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {agent: values for agent, values in scores.items() if len(values) > 1}


DRAWN: dict[str, Callable[[dict[str, np.ndarray], str], Plot]] = {
    "intervals": lambda s, width: plot_intervals(s, width=width, **FEW),
    "profiles": lambda s, width: plot_profiles(s, width=width),
    "improvement": lambda s, width: plot_improvement(
        s, baseline=f"{LONG}5" if len(s) > 9 else None, width=width, **FEW
    ),
    "ranks": lambda s, width: plot_ranks(
        without_single_runs(s), width=width, permutations=200, **FEW
    ),
    "cd": lambda s, width: plot_cd(s, width=width),
    "speedups": lambda s, width: plot_speedups(
        curves(s), STEPS, baseline=f"{LONG}5", width=width, **FEW
    ),
    "tasks": lambda s, width: plot_tasks(by_task(s), width=width),
    "task-curves": task_curves,
    "stopping": sequential,
    "teaching": taught,
}


def texts_of(plot: Plot) -> list[tuple[Text, Bbox]]:
    """Return the texts that are drawn, with the boxes that they fill."""
    with style(plot.width):
        canvas = FigureCanvasAgg(plot.figure)
        canvas.draw()
    shown = [axes for axes in plot.figure.axes if axes.get_visible()]
    hidden = {id(text) for axes in plot.figure.axes for text in axes.findobj(Text)}
    # Ticks beyond the ends of an axis have labels too, which are not drawn.
    for axes in shown:
        hidden -= {id(text) for text in axes.findobj(Text)}
        hidden |= {id(text) for axis in (axes.xaxis, axes.yaxis) for text in labels_of(axis)}
        hidden -= {id(text) for text in shown_labels(axes)}
    return [
        (text, text.get_window_extent(canvas.get_renderer()))
        for text in plot.figure.findobj(Text)
        if id(text) not in hidden and text.get_text().strip() and text.get_visible()
    ]


def labels_of(axis: Axis) -> list[Text]:
    return [
        label
        for tick in [*axis.majorTicks, *axis.minorTicks]
        for label in (tick.label1, tick.label2)
    ]


def shown_labels(axes: Axes) -> list[Text]:
    if not axes.axison:
        return []
    return [
        label
        for axis in (axes.xaxis, axes.yaxis)
        if axis.get_visible()
        for tick in axis._update_ticks()
        for label in (tick.label1, tick.label2)
        if label.get_visible()
    ]


@pytest.mark.parametrize(("width", "number"), [("neurips", 3), ("icml", 12), ("icml", 25)])
@pytest.mark.parametrize("kind", DRAWN)
def test_no_texts_overlap_or_leave_the_page(kind: str, width: str, number: int) -> None:
    plot = DRAWN[kind](make(number), width)
    assert plot.figure.get_figheight() <= 9.01
    texts = texts_of(plot)
    page = plot.figure.bbox
    assert len(texts) > 5
    for text, box in texts:
        assert box.x0 >= page.x0 - 0.5, text
        assert box.y0 >= page.y0 - 0.5, text
        assert box.x1 <= page.x1 + 0.5, text
        assert box.y1 <= page.y1 + 0.5, text
    for (a, box_a), (b, box_b) in combinations(texts, 2):
        across = min(box_a.x1, box_b.x1) - max(box_a.x0, box_b.x0)
        down = min(box_a.y1, box_b.y1) - max(box_a.y0, box_b.y0)
        # A box holds the room for letters below the line: lines may touch by a tenth.
        assert across <= 0.5 or down <= 0.12 * min(box_a.height, box_b.height), (a, b)


@pytest.mark.parametrize("width", PRESETS)
def test_text_has_the_size_and_the_font_of_the_venue(width: str) -> None:
    plot = plot_ranks(make(3), width=width, permutations=200, **FEW)
    preset = PRESETS[width]
    sizes = {text.get_fontsize() for text, _ in texts_of(plot)}
    assert sizes == {preset.text, preset.text - 1}
    labels = [text for text, _ in texts_of(plot) if "rank by" in text.get_text()]
    assert [label.get_fontsize() for label in labels] == [preset.text]
    data = plot.to_bytes("pdf")
    assert (b"STIXGeneral" in data) == preset.serif
    assert b"/MediaBox [ 0 0 %g " % (72 * WIDTHS[width]) in data


def test_names_are_alike_in_legends_axes_and_tables() -> None:
    scores = make(3)
    short = short_names(list(scores), WIDTHS["neurips"])
    assert all("…" in name for name in short[:2])
    assert len(set(short)) == 3
    assert short[2] == "Agent-2"
    for kind in ("intervals", "profiles", "ranks", "cd", "tasks", "task-curves", "teaching"):
        plot = DRAWN[kind](scores, "neurips")
        assert set(short) <= {text.get_text() for text, _ in texts_of(plot)}, kind
        assert "Long names are cut; the data has them in full." in plot.caption
        assert f"{LONG}7" in {row["agent"] for row in plot.rows}
    for text in (table(scores, **FEW), task_table(by_task(scores))):
        assert all(name in text for name in short)
        assert "Long names are cut." in text
    assert f"{LONG}5" in table(scores, format="markdown", **FEW).replace("\\", "")


def test_the_interval_is_in_front_of_its_marker() -> None:
    (axes, *_) = plot_intervals(make(3), metrics=["iqm"], **FEW).figure.axes
    markers = [line for line in axes.lines if len(line.get_xdata()) == 1]
    whiskers = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert len(markers) == len(whiskers) == 3
    assert min(w.get_zorder() for w in whiskers) > max(m.get_zorder() for m in markers)
    assert min(w.get_markersize() for w in whiskers) > max(m.get_markersize() for m in markers)
    points = [row["point"] for row in plot_intervals(make(3), metrics=["iqm"], **FEW).rows]
    assert points == sorted(points, reverse=True)


def test_mean_ranks_and_the_critical_difference_are_those_of_demsar() -> None:
    scores = make(3, tasks=12)
    plot = plot_cd(scores)
    means = np.array([values.mean(axis=0) for values in scores.values()])
    ranks = scipy_stats.rankdata(-means, axis=0).mean(axis=1)
    assert {row["agent"]: row["mean_rank"] for row in plot.rows} == pytest.approx(
        dict(zip(scores, ranks, strict=True))
    )
    # Demsar 2006, table 5a: q of three agents at .05 is 2.343.
    assert plot.rows[0]["critical_difference"] == pytest.approx(2.343 * np.sqrt(12 / 72), rel=1e-3)
    statistic, _ = scipy_stats.friedmanchisquare(*means)
    assert plot.rows[0]["statistic"] == pytest.approx(statistic)


def test_bars_join_all_pairs_that_are_not_separated_and_no_other() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        ranks = np.sort(random.uniform(1, 9, size=8)).tolist()
        critical = random.uniform(0, 9)
        groups = not_separated(ranks, critical)
        joined = {(a, b) for low, high in groups for a, b in combinations(range(low, high + 1), 2)}
        assert joined == {
            (a, b) for a, b in combinations(range(8), 2) if ranks[b] - ranks[a] <= critical
        }
        assert len(groups) == len({low for low, _ in groups}) == len({high for _, high in groups})


def test_nothing_is_separated_where_friedmans_test_finds_no_difference() -> None:
    same = np.random.default_rng(0).normal(size=(3, 8))
    plot = plot_cd({"a": same, "b": same[:, ::-1], "c": same[::-1]})
    assert float(plot.rows[0]["p_value"]) > 0.05
    assert {row["tier"] for row in plot.rows} == {"a"}
    assert "Friedman's test finds no difference" in plot.caption
    assert "The tasks are the sample" in plot.caption


def test_means_of_tasks_have_students_intervals() -> None:
    scores = make(3)
    plot = plot_tasks(by_task(scores))
    assert len(plot.rows) == 3 * 6 - 1
    assert "missing where an agent has no runs of a task (1 times)" in plot.caption
    for row in plot.rows:
        runs = scores[str(row["agent"])][:, int(str(row["task"])[-1])]
        found = scipy_stats.ttest_1samp(runs, 0).confidence_interval(0.95)
        assert row["point"] == pytest.approx(runs.mean())
        assert (row["low"], row["high"]) == pytest.approx((found.low, found.high))
    curve = task_curves(scores, "neurips")
    last = {(row["agent"], row["task"]): row["point"] for row in curve.rows}
    for row in plot.rows:
        assert last[row["agent"], row["task"]] == pytest.approx(row["point"] * np.sqrt(STEPS[-1]))
    with pytest.raises(InvalidScores, match=f"at most {MAX_TASKS}"):
        plot_tasks({"a": {str(k): np.ones(2) for k in range(MAX_TASKS + 1)}})


def test_speedups_are_counted_at_evaluation_points() -> None:
    steps = [0, 10, 20, 30, 40]
    base = np.broadcast_to(np.array([0.0, 1, 2, 3, 4]), (3, 2, 5))
    quick = np.broadcast_to(np.array([0.0, 2, 4, 6, 8]), (3, 2, 5))
    never = np.broadcast_to(np.array([0.0, 1, 1, 1, 1]), (3, 2, 5))
    plot = plot_speedups(
        {"base": base, "never": never, "quick": quick}, steps, baseline="base", **FEW
    )
    rows = {row["agent"]: row for row in plot.rows}
    assert list(rows) == ["quick", "never"]
    assert (rows["quick"]["point"], rows["quick"]["steps"], rows["quick"]["score"]) == (2, 20, 4)
    assert (rows["never"]["point"], rows["never"]["steps"]) == (None, None)
    assert rows["quick"]["low"] is None  # all runs are equal
    assert "the agent does not reach the score" in plot.caption
    # With runs that vary a little, each step is known up to the evaluation before it.
    noise = np.array([-0.01, 0, 0.01])[:, None, None] * np.array([0, 0, 0, 0, 1])
    rows = {
        row["agent"]: row
        for row in plot_speedups(
            {"base": base + noise, "never": never + noise, "quick": quick + 9 * noise}, steps,
            baseline="base", **FEW,
        ).rows
    }  # fmt: skip
    assert rows["quick"]["low"] == pytest.approx(30 / 30)
    assert rows["quick"]["high"] == pytest.approx(40 / 10)
    assert (rows["never"]["low"], rows["never"]["high"]) == (0.0, pytest.approx(40 / 40))


def test_intervals_of_speedups_cover() -> None:
    random = np.random.default_rng(0)
    steps = np.arange(1, 21) * 5.0

    def runs(rate: float) -> np.ndarray:
        slopes = random.normal(1, 0.15, size=(5, 10, 1))
        return slopes * rate * steps / 100 + random.normal(0, 0.05, size=(5, 10, 20))

    found = [
        stats.speedup(runs(1.7), steps, runs(1.0), steps, repetitions=200, statistic="mean")
        for _ in range(100)
    ]
    assert sum(one.low <= 1.7 <= one.high for one in found) >= 95


def test_the_gallery_has_each_kind_and_is_small() -> None:
    from rlbench.api.figures import KINDS

    pictures = sorted(GALLERY.glob("*.png"))
    assert {path.stem for path in pictures} == {*KINDS, "ablation", "stopping"}
    assert sum(path.stat().st_size for path in pictures) < 600_000
    page = (GALLERY.parents[1] / "gallery.md").read_text()
    for path in pictures:
        assert f"(pictures/gallery/{path.name})" in page


@pytest.mark.skipif(
    not (shutil.which("pdflatex") or shutil.which("tectonic")),
    reason="neither pdflatex nor tectonic is installed",
)
@pytest.mark.parametrize("width", ["neurips", "icml"])
def test_latex_takes_tables_and_figures_at_their_own_width(tmp_path: Path, width: str) -> None:
    scores = {"50% of_all & [x]": make(3)["Agent-2"], **make(3)}
    inches = WIDTHS[width]
    for kind in ("intervals", "ranks", "cd"):
        DRAWN[kind](scores, width).save(tmp_path)
    (tmp_path / "table.tex").write_text(table(scores, **FEW) + task_table(by_task(scores)))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass[10pt]{article}\n\\usepackage{booktabs,graphicx,times}\n"
        "\\usepackage[T1]{fontenc}\n"
        f"\\usepackage[textwidth={inches}in,textheight=9in,paperwidth=8.5in,paperheight=11in]"
        "{geometry}\n\\begin{document}\n"
        + "\n".join(
            f"\\noindent\\setbox0\\hbox{{\\includegraphics{{{kind}.pdf}}}}"
            "\\typeout{WIDE \\the\\wd0 \\space OF \\the\\textwidth}\\usebox0\n\n"
            for kind in ("intervals", "ranks", "cd")
        )
        + "\\input{table.tex}\n\\end{document}\n"
    )
    engine = shutil.which("pdflatex") or shutil.which("tectonic")
    options = ["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in str(engine) else []
    done = subprocess.run(
        [str(engine), *options, "paper.tex"], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000
    if options:
        assert "Overfull" not in done.stdout
        wide = [line for line in done.stdout.splitlines() if line.startswith("WIDE")]
        assert len(wide) == 3
        for line in wide:
            figure, text = (float(part.removesuffix("pt")) for part in line.split()[1::2])
            assert figure == pytest.approx(text, abs=0.5)
