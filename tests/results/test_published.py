"""Published scores: nothing is lost or changed, every field is filled, the rules of ranking."""

import csv
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rlbench.results.published as published
from rlbench import suites
from rlbench.errors import InvalidScores, UnknownName, UsageError
from rlbench.results.published import Published, PublishedSource, slug_of
from rlbench.results.published.fields import Deviation, differences, in_words

ROOT = Path(__file__).parents[2]
RAW = ROOT.parent / "shared/data/published"
PAGE = ROOT / "docs/published-scores.md"
FOLDER = ROOT / "rlbench/results/published"
TABLES = ("atari100k", "stori", "dmc", "procgen", "neorl2", "teachmyagent")
OWN_TASKS_OF_TDMPC2 = {
    "ball_in_cup_spin", "cheetah_jump", "cheetah_run_back", "cheetah_run_backwards",
    "cheetah_run_front", "hopper_hop_backwards", "pendulum_spin", "reacher_three_easy",
    "reacher_three_hard", "walker_run_backwards", "walker_walk_backwards",
}  # fmt: skip
ATARI = suites.get("atari100k")


def raw() -> Path:
    if not RAW.is_dir():
        pytest.skip(f"no raw tables of published scores at {RAW}")
    return RAW


def raw_rows() -> list[dict[str, str]]:
    rows = []
    for name in TABLES:
        with (raw() / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows += list(csv.DictReader(file))
    return rows


def boards_of(source: PublishedSource) -> list[Published]:
    return [published.load(suites.get(name))[source.agent] for name in source.boards]


@pytest.fixture(scope="module")
def atari() -> dict[str, Published]:
    return published.load(ATARI)


def test_every_raw_row_is_here_or_left_out_by_name() -> None:
    """Each run is found by its name, with its score, step and mark; there are no others."""
    ours = {
        (source.slug, task, run): (score, board.steps[task], run in board.stand_ins.get(task, ()))
        for source in published.sources()
        for board in boards_of(source)
        for task, scores in board.values.items()
        for run, score in zip(board.runs[task], scores.tolist(), strict=True)
    }
    left: Counter[str] = Counter()
    found = set()
    for row in raw_rows():
        task = row["task"].replace("/type", "/").removeprefix("parkour/")
        source = published.get(slug_of(row["protocol"], row["algorithm"]))
        run = (source.slug, task, "mean" if source.means_only else row["run"])
        if run not in ours:
            left[task] += 1
            continue
        score, steps, stands_in = ours[run]
        assert score == float(row["score"])
        assert int(row["step"]) in (steps or (0,))
        assert stands_in == row["protocol_note"].startswith("FALLBACK")
        found.add(run)
    assert found == set(ours)
    assert left.pop("overall") == 8
    assert left.pop("finger_turn") == 30
    assert left == dict.fromkeys(OWN_TASKS_OF_TDMPC2, 24)
    assert len(found) == 10790 + 144 + (5087 - 30 - 264) + 624 + 227 + 24 == 16602


def test_the_files_are_what_the_tool_writes(tmp_path: Path) -> None:
    tool = [sys.executable, str(ROOT / "tools/rekey_published.py"), str(raw())]
    page = shutil.copy(PAGE, tmp_path)
    options = ["--out", str(tmp_path), "--page", page]
    subprocess.run([*tool, *options], check=True, capture_output=True)
    written = {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")}
    assert written == {path.name: path.read_bytes() for path in FOLDER.glob("*.csv")}
    assert Path(page).read_bytes() == PAGE.read_bytes()


def test_the_spread_behind_a_mean_carries_over() -> None:
    with (raw() / "teachmyagent_summary.csv").open(newline="", encoding="utf-8") as file:
        theirs = {
            (f"SAC + {row['algorithm']}", row["task"].removeprefix("parkour/")): (
                float(row["mean"]), float(row["std"]), int(row["n_seeds"])
            )
            for row in csv.DictReader(file)
            if row["task"] != "parkour/overall"
        }  # fmt: skip
    ours = {
        (agent, task): (float(scores.values[task][0]), *spread)
        for agent, scores in published.load(suites.get("parkour")).items()
        for task, spread in scores.spread.items()
    }
    assert ours == theirs


def test_the_files_are_small() -> None:
    sizes = [path.stat().st_size for path in FOLDER.glob("*.csv")]
    assert len(sizes) == 6
    assert sum(sizes) < 300_000


def test_every_source_says_who_where_and_under_what_licence() -> None:
    sources = published.sources()
    assert len(sources) == 84
    assert len({source.slug for source in sources}) == 84
    for source in sources:
        assert source.paper
        assert source.path
        assert source.licence
        assert len(source.repository.commit) == 40
        assert source.repository.commit in source.url
        assert all(board.values for board in boards_of(source))
    for name in suites.names():
        agents = [source.agent for source in published.sources(name)]
        assert len(set(agents)) == len(agents), name


def test_nothing_is_here_whose_licence_forbids_commercial_use() -> None:
    assert not [source.slug for source in published.sources() if "NC" in source.licence]
    assert not [source.slug for source in published.sources() if "mr.q" in source.slug]


def test_the_attribution_page_names_every_source() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for source in published.sources():
        assert f"`{source.slug}`" in page, source.slug
        assert f"[{source.repository.name}]({source.url})" in page
        assert source.licence in page


def test_every_field_of_a_board_is_filled_for_every_source() -> None:
    for source in published.sources():
        for board in boards_of(source):
            ours = published.fields_of(board.suite)
            assert set(board.fields) == set(ours), source.slug
            for name, theirs in board.fields.items():
                assert theirs is None or type(theirs) in (type(ours[name]), str), (source, name)


def test_deviations_are_computed_from_the_suite(atari: dict[str, Published]) -> None:
    spr = atari["SPR"]
    assert published.deviations(spr) == (
        Deviation("no_ops", "0 to 29 frames", "0 to 29 agent steps"),
        Deviation("life_loss", "reported, the game goes on", "terminal, the game goes on"),
    )
    sticky = published.load(suites.get("atari100k-sticky"))["SPR"]
    assert "sticky actions 0.0 (ours 0.25)" in in_words(published.deviations(sticky))
    assert "action set minimal (ours all)" in in_words(published.deviations(sticky))


def test_storm_is_sticky(atari: dict[str, Published]) -> None:
    assert "sticky actions 0.25 (ours 0.0)" in in_words(published.deviations(atari["STORM"]))
    sticky = published.load(suites.get("atari100k-sticky"))["STORM"]
    assert "sticky" not in in_words(published.deviations(sticky))


def test_what_is_not_known_is_said() -> None:
    assert differences({"a": 1, "b": "x"}, {"a": None, "b": "x"}) == (Deviation("a", 1, None),)
    assert in_words(differences({"a_b": 1, "c": 2}, {"a_b": None, "c": 3})) == (
        "c 3 (ours 2); not known: a b"
    )
    assert in_words(()) == "none"


def test_budgets_are_those_of_the_scores() -> None:
    hard, state = (published.load(suites.get(name)) for name in ("dmc-hard", "dmc-state"))
    assert hard["SimBa-SAC"].fields["budget"] == 1_000_000
    assert state["SimBa-SAC"].fields["budget"] == "500,000 to 1,000,000"
    # The log ends 14,400 steps before 25 million: that is the same budget.
    easy = published.load(suites.get("procgen-easy"))["PPO"]
    assert easy.fields["budget"] == 24_985_600
    assert "budget" not in [deviation.field for deviation in published.deviations(easy)]
    assert "budget 2,000,000 (ours 1,000,000)" in in_words(
        published.deviations(published.load(suites.get("neorl2"))["RAMBO"])
    )


@pytest.mark.parametrize(
    ("board", "reason"),
    [
        ("stori", "read from a picture"),
        ("neorl2", "chosen by the score"),
        ("parkour", "means, not runs"),
    ],
)
def test_some_are_shown_but_never_ranked(board: str, reason: str) -> None:
    scores = list(published.load(suites.get(board)).values())
    for one in scores:
        assert reason in published.obstacle(one)
        assert all(reason in published.obstacle(one, other) for other in scores)


def test_ranking_takes_the_same_fields(atari: dict[str, Published]) -> None:
    spr, drq, bbf = (atari[agent] for agent in ("SPR", "DrQ(eps)", "BBF"))
    assert [published.obstacle(spr, other) for other in (drq, bbf)] == ["", ""]
    assert published.obstacle(atari["DreamerV3"], atari["PPO (fixed hyperparameters)"]) == ""
    assert published.obstacle(spr, atari["IRIS"]) == (
        "SPR and IRIS differ in image, resize, stack, no ops, life loss, episode limit"
    )
    assert published.obstacle(spr, atari["EfficientZero"]) == (
        "EfficientZero: its scores are means, not runs"
    )
    assert published.obstacle(spr) == "SPR and the suite differ in no ops, life loss"


def test_what_is_not_known_is_not_the_same(atari: dict[str, Published]) -> None:
    """IRIS, REM and delta-IRIS agree in all that is known, and are not ranked all the same."""
    assert published.obstacle(atari["REM"], atari["delta-IRIS"]) == "REM: not known: episodes"
    assert "differ in episodes" in published.obstacle(atari["IRIS"], atari["REM"])


def test_a_row_of_our_own_protocol_is_ranked_against_runs(atari: dict[str, Published]) -> None:
    alike = {name: v for name, v in published.fields_of(ATARI).items() if name != "budget"}
    source = replace(atari["SPR"].source, fields=alike)
    assert published.obstacle(replace(atari["SPR"], source=source)) == ""


def test_runs_pair_only_where_the_source_says_so(atari: dict[str, Published]) -> None:
    pairs = {source.agent for source in published.sources() if source.pairs}
    assert pairs == {"BC", "CQL", "EDAC", "MCQ", "TD3+BC", "COMBO", "MOBILE"}
    neorl2 = published.load(suites.get("neorl2"))
    bc = neorl2["BC"]
    matrix = bc.matrix()
    assert matrix.shape == (3, 7)
    np.testing.assert_array_equal(matrix[:, 1], bc.normalised()["Simglucose"])
    assert set(bc.runs.values()) == {("7", "42", "210")}
    for scores in (atari["BBF"], atari["delta-IRIS"], atari["SPR"], neorl2["RAMBO"]):
        with pytest.raises(InvalidScores, match="do not pair across tasks"):
            scores.matrix()


def test_boards_without_scores_and_changed_suites_are_refused() -> None:
    with pytest.raises(UsageError, match="no published scores of stump-tracks@1; there are of"):
        published.load(suites.get("stump-tracks"))
    with pytest.raises(UsageError, match="cannot be combined with unofficial ones"):
        published.load(ATARI.make_unofficial({"budget": 5}))
    with pytest.raises(UnknownName, match=r"Did you mean 'atari100k\.spr'"):
        published.get("atari100k.sprr")


def test_scores_are_in_the_order_of_the_suite(atari: dict[str, Published]) -> None:
    order = [task.name for task in ATARI.tasks]
    for scores in atari.values():
        assert list(scores.values) == order
    assert atari["SPR"].values["Pong"].shape == (100,)
    assert sorted({len(runs) for runs in atari["BBF"].values.values()})[0] == 52


def test_sources_name_known_kinds_of_scores() -> None:
    kinds = {None, "separate evaluation", "evaluation while training", "training return"}
    assert {source.fields["score"] for source in published.sources()} == kinds
    never = {source.slug for source in published.sources() if source.never_ranked}
    assert {slug.partition(".")[0] for slug in never} == {
        "atari100k-means-only", "stori-100k", "neorl2-train99", "parkour-20m-means-only",
    }  # fmt: skip
