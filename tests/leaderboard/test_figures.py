"""Figures hold the numbers of the statistics, say how many runs there are, and never differ."""

import csv
import hashlib
import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import matplotlib.image
import matplotlib.text
import numpy as np
import pytest

from rlbench import leaderboard, stats
from rlbench.errors import InvalidScores, StoreError, UnknownName, UsageError
from rlbench.leaderboard import (
    WIDTHS,
    Plot,
    plot_cd,
    plot_curves,
    plot_improvement,
    plot_intervals,
    plot_profiles,
    plot_ranks,
    plot_speedups,
    plot_task_curves,
    plot_tasks,
)
from rlbench.leaderboard.captions import MAX_BANDS
from rlbench.leaderboard.drawing import COLOURS, DASHES, MARKERS
from rlbench.stats.coverage import coverage_warning

STEPS = np.arange(1, 7) * 10_000
DRAWN: dict[str, Callable[..., Plot]] = {
    "intervals": plot_intervals,
    "profiles": plot_profiles,
    "curves": lambda scores, **options: plot_curves(curves_of(scores), STEPS, **options),
    "improvement": plot_improvement,
    "ranks": plot_ranks,
    "cd": plot_cd,
    "tasks": lambda scores, **options: plot_tasks(by_task(scores), **options),
    "task_curves": lambda scores, **options: plot_task_curves(
        {
            agent: {task: (STEPS, runs[:, None] * np.sqrt(STEPS)) for task, runs in tasks.items()}
            for agent, tasks in by_task(scores).items()
        },
        **options,
    ),
    "speedups": lambda scores, **options: plot_speedups(
        curves_of(scores), STEPS, baseline=next(iter(scores)), **options
    ),
}
# Of single tasks, whose intervals are not drawn from resamples.
OF_TASKS = ("tasks", "task_curves")
ODD = ["_hidden", "$x^2$", r"a%b&c#d~e^f\{g}", "=cmd()", "line\nbreak", "x" * 80, "x" * 79 + "y"]

# Draws all figures and prints the hash of every file.
SCRIPT = """
import hashlib
import numpy as np
import matplotlib
matplotlib.rcParams.update({settings!r})
from rlbench.leaderboard import *
g = np.random.default_rng(3)
scores = {{"A": g.gamma(2, size=(4, 6)), "B": g.gamma(1, size=(4, 6))}}
curves = {{a: np.cumsum(g.gamma(1, size=(4, 6, 5)), axis=2) for a in scores}}
for plot in (plot_intervals(scores), plot_profiles(scores), plot_curves(curves, range(5)),
             plot_improvement(scores), plot_ranks(scores), plot_cd(scores),
             plot_speedups(curves, range(5), baseline="B"),
             plot_tasks({{a: {{"t": s[:, 0], "u": s[:, 1]}} for a, s in scores.items()}}),
             plot_task_curves({{a: {{"t": (range(5), c[:, 0])}} for a, c in curves.items()}})):
    for form in ("pdf", "svg", "png"):
        print(plot.kind, form, hashlib.sha256(plot.to_bytes(form)).hexdigest())
    print(plot.kind, hashlib.sha256((plot.to_csv() + plot.caption).encode()).hexdigest())
"""


def make_scores(agents: int = 3, runs: int = 5, tasks: int = 8) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {f"agent {k}": generator.gamma(1 + k, size=(runs, tasks)) for k in range(agents)}


def by_task(scores: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    return {
        agent: {f"task {k}": runs for k, runs in enumerate(values.T)}
        for agent, values in scores.items()
    }


def curves_of(scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {agent: values[:, :, None] * np.sqrt(STEPS / 60_000) for agent, values in scores.items()}


def plain_iqm(scores: np.ndarray) -> float:
    values = np.sort(scores, axis=None)
    cut = len(values) // 4
    return float(values[cut : len(values) - cut].mean())


def read(plot: Plot) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(plot.to_csv())))


def texts_of(plot: Plot) -> list[str]:
    return [text.get_text() for text in plot.figure.findobj(matplotlib.text.Text)]


def output_of(script: str, hash_seed: str = "0") -> str:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "MPLBACKEND": ""},
    ).stdout  # fmt: skip


def test_two_processes_write_the_same_bytes_whatever_the_settings() -> None:
    first = output_of(SCRIPT.format(settings={}), "1")
    other = {"font.size": 20, "pdf.fonttype": 3, "lines.linewidth": 9, "savefig.bbox": "tight"}
    second = output_of(SCRIPT.format(settings=other), "2")
    assert len(first.splitlines()) == 9 * 4
    assert first == second


def test_settings_of_the_user_are_left_as_they_are() -> None:
    before = dict(matplotlib.rcParams)
    for draw in DRAWN.values():
        draw(make_scores()).to_bytes("pdf")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("kind", DRAWN)
def test_pdf_files_embed_truetype_fonts_and_no_date(kind: str) -> None:
    data = DRAWN[kind](make_scores()).to_bytes("pdf")
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    assert b"CreationDate" not in data
    box = re.search(rb"/MediaBox \[ ([^]]*)\]", data)[1].split()
    assert float(box[2]) == pytest.approx(72 * 5.5)


@pytest.mark.parametrize("kind", DRAWN)
def test_svg_files_parse_and_hold_text_as_paths(kind: str) -> None:
    data = DRAWN[kind](make_scores()).to_bytes("svg")
    root = ElementTree.fromstring(data)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "path" in tags
    assert "text" not in tags
    assert "date" not in tags
    assert root.get("width") == "396pt"


@pytest.mark.parametrize("width", WIDTHS)
def test_png_files_are_as_wide_as_the_page_says(width: str) -> None:
    data = plot_ranks(make_scores(), width=width).to_bytes("png")
    pixels, _ = struct.unpack(">II", data[16:24])
    assert pixels == pytest.approx(WIDTHS[width] * 300, abs=1)
    (per_metre,) = struct.unpack(">I", data[data.index(b"pHYs") + 4 :][:4])
    assert per_metre == round(300 / 0.0254)


@pytest.mark.parametrize("width", ["icml", "neurips"])
@pytest.mark.parametrize("kind", DRAWN)
def test_nothing_is_cut_off_and_no_text_is_tiny(kind: str, width: str) -> None:
    scores = dict(zip(ODD, make_scores(len(ODD)).values(), strict=True))
    plot = DRAWN[kind](scores, width=width)
    picture = matplotlib.image.imread(io.BytesIO(plot.to_bytes("png")))[:, :, :3]
    assert picture.min() == 0
    for edge in (picture[:4], picture[-4:], picture[:, :4], picture[:, -4:]):
        assert edge.min() == 1  # white
    shown = [text for text in plot.figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in shown) >= 7


def test_intervals_are_those_of_the_statistics() -> None:
    scores = make_scores()
    rows = {(row["agent"], row["metric"]): row for row in read(plot_intervals(scores, seed=5))}
    assert len(rows) == 3 * 4
    for agent, values in scores.items():
        plain = {
            "iqm": plain_iqm(values),
            "mean": values.mean(),
            "median": np.median(values.mean(axis=0)),
            "optimality_gap": 1 - np.minimum(values, 1).mean(),
        }
        for metric, point in plain.items():
            assert float(rows[agent, metric]["point"]) == pytest.approx(point, rel=1e-12)
        found = stats.bootstrap(values, "iqm", seed=5)
        assert float(rows[agent, "iqm"]["low"]) == found.low
        assert float(rows[agent, "iqm"]["high"]) == found.high
        assert rows[agent, "iqm"]["method"] == "stratified bootstrap, rao-wu"
        assert rows[agent, "median"]["low"] == ""
        assert {rows[agent, m][k] for m in plain for k in ("runs", "tasks", "seed")} == {"5", "8"}


def test_lines_of_intervals_stand_where_the_numbers_are() -> None:
    scores = make_scores()
    plot = plot_intervals(scores, metrics=["iqm"])
    (axes,) = plot.figure.axes
    for place, row in enumerate(plot.rows):
        spans = [line.get_xdata() for line in axes.lines if line.get_ydata()[0] == place]
        assert [row["low"], row["high"]] in [list(span) for span in spans]
        assert [row["point"]] in [list(span) for span in spans]


def test_profiles_are_those_of_the_statistics() -> None:
    scores = make_scores()
    taus = [0.25, 0.5, 2.0]
    rows = read(plot_profiles(scores, taus=taus))
    for agent, values in scores.items():
        found = stats.profile_band(values, taus)
        mine = [row for row in rows if row["agent"] == agent]
        assert [float(row["tau"]) for row in mine] == taus
        assert [float(row["point"]) for row in mine] == [(values > tau).mean() for tau in taus]
        assert [float(row["low"]) for row in mine] == found.low.tolist()
        assert [float(row["high"]) for row in mine] == found.high.tolist()


def test_curves_are_those_of_the_statistics_with_each_agent_at_its_own_steps() -> None:
    curves = curves_of(make_scores(2))
    curves["agent 1"] = curves["agent 1"][:, :, :4]
    steps = {"agent 0": STEPS, "agent 1": STEPS[:4] + 1}
    rows = read(plot_curves(curves, steps, unit="frames", statistic="mean", seed=2))
    for agent, values in curves.items():
        found = stats.learning_curve(values, "mean", seed=2)
        mine = [row for row in rows if row["agent"] == agent]
        assert [float(row["step"]) for row in mine] == steps[agent].tolist()
        points = [float(row["point"]) for row in mine]
        assert points == pytest.approx(values.mean(axis=(0, 1)), rel=1e-12)
        assert [float(row["low"]) for row in mine] == found.low.tolist()
        assert [float(row["high"]) for row in mine] == found.high.tolist()


def test_improvements_are_those_of_the_statistics() -> None:
    scores = make_scores()
    rows = read(plot_improvement(scores))
    # The agent with the larger IQM is on the left, the surest pair on top.
    assert [(row["a"], row["b"]) for row in rows] == [
        ("agent 2", "agent 0"), ("agent 1", "agent 0"), ("agent 2", "agent 1"),
    ]  # fmt: skip
    assert [row["point"] for row in rows] == sorted((row["point"] for row in rows), reverse=True)
    for row in rows:
        a, b = scores[row["a"]], scores[row["b"]]
        assert float(row["point"]) == pytest.approx((a[:, None] > b[None]).mean(), rel=1e-12)
        found = stats.improvement(a, b)
        assert (float(row["low"]), float(row["high"])) == (found.low, found.high)
    over = read(plot_improvement(scores, baseline="agent 1"))
    assert [(row["a"], row["b"]) for row in over] == [
        ("agent 2", "agent 1"), ("agent 0", "agent 1"),
    ]  # fmt: skip


def test_ranks_are_those_of_the_statistics() -> None:
    scores = make_scores(4)
    rows = read(plot_ranks(scores))
    assert [row["agent"] for row in rows] == sorted(scores, key=lambda a: -plain_iqm(scores[a]))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    for row, found in zip(rows, stats.rank_sets(scores), strict=True):
        assert (row["low"], row["high"], row["tier"]) == (
            str(found.low), str(found.high), found.tier,
        )  # fmt: skip


@pytest.mark.parametrize("kind", DRAWN)
def test_captions_name_runs_tasks_estimate_and_method(kind: str) -> None:
    caption = DRAWN[kind](make_scores(3, 6, 9), normalised_by="the scores of a@1").caption
    assert "over 9 tasks with 6 runs a task; scores are normalised by the scores of a@1" in caption
    if kind == "cd":
        assert "critical difference" in caption
        assert "Nemenyi's test at level 0.05" in caption
        return
    assert "95%" in caption
    if kind in OF_TASKS:
        assert "intervals by Student's t, each for its agent and task alone" in caption
        return
    assert "rao-wu" in caption
    if kind != "profiles":  # its band is computed without resamples
        assert "10,000 resamples" in caption
        assert "seed 0" in caption
    if kind in ("intervals", "improvement"):
        words = stats.methods_text(runs=(6, 6), tasks=9, normalised_by="")
        sentence = re.search(r"each resample.*?replicates", words)[0]
        assert re.sub(r"~\\citep\{[^}]*\}", "", sentence) in caption
    else:
        assert "interquartile mean" in caption or kind == "profiles"
    assert "\\" not in caption


def test_captions_say_that_runs_differ_and_are_few() -> None:
    scores = {"a": [np.arange(3.0), np.arange(4.0)], "b": [np.arange(3.0), np.arange(2.0)]}
    caption = plot_intervals(scores).caption
    assert "2 to 4 runs a task" in caption
    for of in ("iqm", "mean", "optimality_gap"):
        assert coverage_warning(of, tasks=2, runs=2) in caption
    assert "interval of the median" not in caption
    assert (
        "was measured to cover" not in plot_intervals(make_scores(runs=20), metrics=["iqm"]).caption
    )
    by_percentile = plot_intervals(make_scores(), method="percentile").caption
    assert "Intervals by percentile cover less often" in by_percentile
    assert coverage_warning("improvement", 2, 2) in plot_improvement(scores).caption


def test_captions_say_which_intervals_are_others_or_none() -> None:
    scores = {"a": np.ones((3, 2)), "b": np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])}
    caption = plot_intervals(scores).caption
    assert "Agents whose runs are equal on every task have none." in caption
    assert "Of scores that are all 0 or 1 they are: Clopper-Pearson, stratified" in caption
    assert "was measured to cover" not in caption
    equal = plot_intervals({"a": scores["a"]}).caption
    assert "or runs that are all equal, there are no intervals" in equal


@pytest.mark.parametrize(
    "kind", ["intervals", "profiles", "curves", "improvement", "speedups", *OF_TASKS]
)
def test_one_run_is_drawn_without_interval_and_says_so(kind: str) -> None:
    plot = DRAWN[kind](make_scores(2, runs=1))
    assert plot.to_bytes("pdf").startswith(b"%PDF")
    assert {row["low"] for row in plot.rows} == {None}
    if kind == "speedups":
        assert "Agents with one run on a task, or runs that are all equal" in plot.caption
    else:
        assert re.search("With one run on a task there are no (intervals|bands)", plot.caption)
    assert "resamples" not in plot.caption.replace("Whole curves are resampled", "")


def test_one_run_has_no_rank_set() -> None:
    with pytest.raises(InvalidScores, match="too few runs"):
        plot_ranks(make_scores(2, runs=1))


@pytest.mark.parametrize("kind", ["intervals", "profiles", "curves"])
def test_one_agent_can_be_drawn(kind: str) -> None:
    assert "of 1 agent" in DRAWN[kind](make_scores(1)).caption


@pytest.mark.parametrize("kind", ["improvement", "ranks", "cd", "speedups"])
def test_one_agent_cannot_be_compared(kind: str) -> None:
    with pytest.raises(InvalidScores, match="there is only 'agent 0'"):
        DRAWN[kind](make_scores(1))


def test_many_agents() -> None:
    scores = make_scores(20, tasks=4)
    for width in ("icml", "neurips"):
        for draw in (plot_intervals, plot_profiles, plot_ranks):
            plot = draw(scores, width=width)
            assert set(scores) <= set(texts_of(plot))
            assert plot.to_bytes("png")
    profiles = plot_profiles(scores)
    assert "not drawn" in profiles.caption
    assert len(profiles.figure.axes[0].collections) == 0
    assert len(plot_profiles(make_scores(MAX_BANDS)).figure.axes[0].collections) == MAX_BANDS
    with pytest.raises(InvalidScores, match="name a baseline"):
        plot_improvement(scores)
    assert len(plot_improvement(scores, baseline="agent 3").rows) == 19


def test_agents_differ_without_their_colours() -> None:
    assert len({(k % len(DASHES), k % len(MARKERS)) for k in range(35)}) == 35
    assert len({(k % len(DASHES), k % len(COLOURS)) for k in range(35)}) == 35
    assert len(set(COLOURS)) == len(COLOURS) >= 10


@pytest.mark.parametrize("kind", DRAWN)
def test_odd_names_are_shown_as_they_are(kind: str) -> None:
    plot = DRAWN[kind](dict(zip(ODD, make_scores(len(ODD)).values(), strict=True)))
    plot.to_bytes("svg")
    texts = texts_of(plot)
    for name in [*ODD[:4], "line break"]:
        assert any(name in text for text in texts)
    if kind != "speedups":  # its baseline is not on an axis
        assert len({text for text in texts if text.startswith("xxx")}) == 2
    text = plot.to_csv()
    assert "'=cmd()" in text
    assert "x" * 79 + "y" in text


def test_characters_that_the_font_lacks_are_named() -> None:
    plot = plot_intervals({"中 agent": make_scores(1)["agent 0"]})
    assert plot.notes == ("the figures' font has no 中: boxes stand for it",)
    assert plot.to_bytes("png")
    assert plot_intervals({"αβ": make_scores(1)["agent 0"]}).notes == ()


def test_files_are_written_whole_and_replaced(tmp_path: Path) -> None:
    plot = plot_ranks(make_scores())
    paths = plot.save(tmp_path / "new", ["pdf", "png"])
    names = ["ranks.pdf", "ranks.png", "ranks.csv", "ranks.txt"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    assert paths[0].read_bytes() == plot.to_bytes("pdf")
    assert paths[2].read_text() == plot.to_csv()
    assert paths[3].read_text() == plot.caption + "\n"
    assert paths[0].stat().st_mode & 0o044  # readable as any file
    paths[0].write_text("old")
    plot.save(tmp_path / "new")
    assert (
        hashlib.sha256(paths[0].read_bytes()).digest()
        == hashlib.sha256(plot.to_bytes("pdf")).digest()
    )


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write .*file.ranks\.pdf"):
        plot_ranks(make_scores()).save(tmp_path / "file")
    (tmp_path / "folder/ranks.pdf").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"ranks\.pdf"):
        plot_ranks(make_scores()).save(tmp_path / "folder")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["ranks.pdf"]


def test_what_does_not_fit_is_refused() -> None:
    scores = make_scores()
    with pytest.raises(UnknownName, match="Did you mean 'neurips'"):
        plot_intervals(scores, width="neurip")
    with pytest.raises(UsageError, match="1 to 40 inches"):
        plot_intervals(scores, width=0.1)
    with pytest.raises(UnknownName, match="metric"):
        plot_intervals(scores, metrics=["iqm", "best"])
    with pytest.raises(UnknownName, match="agent"):
        plot_improvement(scores, baseline="agent 9")
    with pytest.raises(UnknownName, match="format"):
        plot_intervals(scores).to_bytes("gif")  # type: ignore[arg-type]
    with pytest.raises(InvalidScores, match="increasing"):
        plot_profiles(scores, taus=[1.0, 0.5])
    with pytest.raises(InvalidScores, match="6 increasing numbers"):
        plot_curves(curves_of(scores), STEPS[:3])
    with pytest.raises(InvalidScores, match="two points"):
        plot_curves({"a": np.ones((2, 3, 1))}, [1])
    for draw in (plot_intervals, plot_profiles, plot_ranks, plot_improvement):
        with pytest.raises(InvalidScores, match="there is none"):
            draw({})


def test_matplotlib_is_imported_only_to_draw() -> None:
    found = output_of("import sys, rlbench.leaderboard; print('matplotlib' in sys.modules)")
    assert found.strip() == "False"
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import numpy as np, rlbench.leaderboard as board\n"
        "try: board.plot_intervals({'a': np.ones((2, 2))})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    assert output_of(script).strip() == (
        "MissingExtra drawing figures needs an extra: pip install 'rlbench[plot]'"
    )


def test_drawing_needs_no_state_of_pyplot() -> None:
    script = (
        "import sys, numpy as np, rlbench.leaderboard as board\n"
        "board.plot_intervals({'a': np.eye(2)}).to_bytes('png')\n"
        "print('matplotlib.pyplot' in sys.modules)\n"
    )
    assert output_of(script).strip() == "False"


def test_all_kinds_are_exported() -> None:
    assert {f"plot_{kind}" for kind in DRAWN} <= set(leaderboard.__all__)


def test_the_lines_in_the_guide_run() -> None:
    guide = Path(__file__).parents[2] / "docs/figures.md"
    (block,) = re.findall(r"```python\n(.*?)```", guide.read_text(), re.S)
    found = output_of(f"{block}\nprint(latex)\nfor p in (intervals, learning): print(p.caption)")
    assert "\\toprule" in found
    assert "over 26 tasks with 5 runs a task" in found
