"""The records of our own runs can be read and are small, and documents print what they hold."""

import re
from pathlib import Path

import numpy as np
import pytest

import rlbench
from rlbench.results import Store
from rlbench.stats import learning_curve

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "rlbench/results/reference"
MOST = 9_000_000  # bytes, for 183 runs; a run of Procgen takes .2 MB, with its episodes


def test_the_records_of_our_own_runs_are_good_and_small() -> None:
    loaded = Store(REFERENCE).load()
    assert loaded.problems == []
    assert all(record.status == "ok" for record in loaded.records)
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json"}
    assert len(files) == len(loaded.records) >= 6
    assert sum(path.stat().st_size for path in files) < MOST


def test_the_card_of_neorl2_prints_the_scores_of_our_own_runs() -> None:
    lines = (ROOT / "docs/suites/neorl2.md").read_text(encoding="utf-8").splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("| normalised score |"))
    header, _, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines[start:]]
    printed = {row[0]: row[1:] for row in rows if row[0].endswith(", 1% of the updates")}
    changed = {"budget": 10_000, "episodes": 20}
    runs = rlbench.load(store=REFERENCE, suite="neorl2", unofficial=changed)
    found = {(row["agent"], row["task"]): row for row in runs.stats(per_task=True).rows}
    for agent in ("bc", "td3bc"):
        of_agent = [found[agent, task] for task in header[1:]]
        assert all(row["runs"] == 3 for row in of_agent)
        assert printed[f"`{agent}`, 1% of the updates"] == [
            f"{short(row['mean'])} [{short(row['low'])}, {short(row['high'])}]" for row in of_agent
        ]


def test_the_card_of_neorl2_prints_what_random_actions_score() -> None:
    lines = (ROOT / "docs/suites/neorl2.md").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("| `random`, official evaluation |"))
    runs = rlbench.load(store=REFERENCE, suite="neorl2").stats(per_task=True)
    found = {row["task"]: row for row in runs.rows if row["agent"] == "random"}
    assert all(row["runs"] == 3 for row in found.values())
    of_tasks = [found[name] for name in ("DMSD", "Simglucose", "SafetyHalfCheetah")]
    assert [cell.strip() for cell in line.strip("|").split("|")][1:4] == [
        f"{short(row['mean'])} [{short(row['low'])}, {short(row['high'])}]" for row in of_tasks
    ]


def test_the_card_of_dmc_prints_the_scores_of_our_own_runs() -> None:
    card = (ROOT / "docs/suites/dmc.md").read_text(encoding="utf-8")
    records = Store(REFERENCE).load("dmc-mini@1").records
    scores = {r.identity.seed: r.score for r in records if r.identity.agent.name == "SAC"}
    printed = re.search(r"^\| score \| (.*) \|", card, re.M)
    assert printed
    assert printed[1].split(" | ") == [f"{scores[seed]:.1f}" for seed in range(3)]
    assert f"The mean is {sum(scores.values()) / 3:.1f}." in card


def test_the_card_of_families_prints_what_random_play_scores() -> None:
    card = (ROOT / "docs/suites/dmc-families.md").read_text(encoding="utf-8")
    for suite in ("dmc-context", "dmc-context-visible", "dmc-frequency", "dmc-transfer"):
        rows = {
            row["metric"]: row for row in rlbench.load(store=REFERENCE, suite=suite).stats().rows
        }
        assert (rows["iqm"]["tasks"], rows["iqm"]["runs"]) == (4, 3)
        iqm, mean = (
            f"{short(row['point'])} [{short(row['low'])}, {short(row['high'])}]"
            for row in (rows["iqm"], rows["mean"])
        )
        assert f"| `{suite}` | {iqm} | {mean} |" in card
    kept = rlbench.load(store=REFERENCE, suite="dmc-transfer").stats(retention=True).rows
    shares = {row["type"]: row for row in kept}
    for name in ("mass_up", "mass_down"):
        row = shares[name]
        share = f"{row['point']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
        assert re.sub(r"\b0\.", ".", share) in " ".join(card.split())
    evaluations = rlbench.load(store=REFERENCE, suite="dmc-frequency").stats(evaluations=True).rows
    last = {row["evaluation"]: row for row in evaluations if row["step"] == 250_000}
    for name in ("repeat_1", "repeat_16"):
        row = last[name]
        assert f"{short(row['point'])} [{short(row['low'])}, {short(row['high'])}]" in card


@pytest.mark.parametrize(
    ("page", "suite", "changed"),
    [
        ("dmc", "dmc-state", {}),
        ("dmc", "dmc-hard", {}),
        ("dmc", "dmc-vision", {"budget": 5_000}),
        ("procgen", "procgen-mini", {}),
        ("procgen", "procgen-easy", {}),
    ],
)
def test_cards_print_what_random_play_scores(
    page: str, suite: str, changed: dict[str, int]
) -> None:
    card = (ROOT / f"docs/suites/{page}.md").read_text(encoding="utf-8")
    runs = rlbench.load(store=REFERENCE, suite=suite, unofficial=changed)
    rows = runs.stats(per_task=True).rows
    assert len(rows) >= 3
    name = f"`{suite}`, {changed['budget']:,} steps" if changed else f"`{suite}`"
    for row in rows:
        assert row["runs"] == 3
        score = f"{short(row['mean'])} [{short(row['low'])}, {short(row['high'])}]"
        assert f"| {name} | {row['task']} | {score} | " in card


def test_the_card_of_parkour_prints_what_the_student_reached() -> None:
    card = (ROOT / "docs/suites/parkour.md").read_text(encoding="utf-8")
    records = Store(REFERENCE).load("stump-tracks-1m@1").records
    for teacher in ("uniform", "alp-gmm"):
        runs = [
            record for record in records
            if record.budget_used == 1_000_000 and record.identity.agent.name == "sac"
            and record.identity.teacher is not None and record.identity.teacher.name == teacher
        ]  # fmt: skip
        assert [record.identity.constants["height_high"] for record in runs] == [1.0] * 3
        points = [[np.mean(one.returns) for one in run.main_evaluations] for run in runs]
        found = learning_curve(np.array(points)[:, None], "mean")
        assert found.low is not None
        assert found.high is not None
        mastered = sorted(run.score for run in runs)
        episodes = sorted(run.training.episodes for run in runs)
        ends = zip(found.point, found.low, found.high, strict=True)
        cells = [
            ", ".join(f"{score:.0f}" for score in mastered),
            *(f"{mean:.0f} [{low:.0f}, {high:.0f}]" for mean, low, high in ends),
            f"{episodes[0]} to {episodes[-1]}",
        ]
        assert f"| `sac + {teacher}` | {' | '.join(cells)} |" in card
    short_runs = [record for record in records if record.budget_used == 150_000]
    assert [record.score for record in short_runs] == [0.0] * 6


def test_random_play_masters_no_test_of_parkour() -> None:
    found = [
        record
        for suite in ("parkour-1m@1", "stump-tracks-1m@1")
        for record in Store(REFERENCE).load(suite).records
        if record.identity.agent.name == "random"
    ]
    assert sorted(record.identity.task for record in found) == [
        "bipedal_walker", "climber", "fish", "plain", "plain", "plain",
    ]  # fmt: skip
    assert {(record.score, record.budget_used) for record in found} == {(0.0, 1_000_000)}


def short(value: float) -> str:
    """Return a number of three decimals, without a zero in front."""
    return re.sub(r"\b0\.", ".", f"{value:.3f}")
