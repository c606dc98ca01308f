"""Raw scores, costs and constants: what `stats` and `compare` say of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import rlbench

SCALES = {"Pong": 1.0, "Boxing": 1.0, "Qbert": 1.0}


def scores_file(
    folder: Path,
    agents: dict[str, float],
    scales: dict[str, float] = SCALES,
    sign: int = 1,
    noise: float = 0.3,
) -> None:
    """Write s.csv: five runs a task, about the agents' means, times the tasks' scales."""
    generator = np.random.default_rng(0)
    lines = ["agent,task,seed,score,low,high"]
    for agent, mean in agents.items():
        for task, scale in scales.items():
            for seed, more in enumerate(generator.normal(0, noise, size=5)):
                lines.append(f"{agent},{task},{seed},{sign * scale * (mean + more)},0,{scale}")
    (folder / "s.csv").write_text("\n".join(lines) + "\n")


def rows_of(*arguments: str, cwd: Path, code: int = 0) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        rlbench(*arguments, "--json", cwd=cwd, code=code).stdout
    )
    return rows


def test_raw_scores_have_no_optimality_gap(tmp_path: Path) -> None:
    scores_file(tmp_path, {"a": 1.0})
    for options, there in (([], False), (["--normalise-by", "low,high"], True)):
        rows = rows_of("stats", "s.csv", *options, cwd=tmp_path)
        (gap,) = [row for row in rows if row["metric"] == "optimality_gap"]
        assert (gap["point"] is not None) == (gap["low"] is not None) == there
        assert (gap["method"] == "none: raw scores have no gap to 1") == (not there)
        text = rlbench("stats", "s.csv", *options, cwd=tmp_path).stdout
        assert ("No interval for optimality gap: raw scores have no gap to 1." in text) != there
        assert ("optimality gap " in text) == there, "a column only where there is one"
        assert all(row["point"] is not None for row in rows if row is not gap)


@pytest.mark.parametrize("verb", ["stats", "compare", "plan"])
def test_raw_scores_of_different_sizes_are_warned_of(verb: str, tmp_path: Path) -> None:
    said = "Raw scores: Qbert is about 1,000 times larger than Pong."
    agents = {"a": 1.0, "b": 2.0}
    scores_file(tmp_path, agents, {"Pong": 1.0, "Boxing": 5.0, "Qbert": 1000.0}, noise=0.01)
    assert said in rlbench(verb, "s.csv", cwd=tmp_path).stdout
    assert said in rlbench(verb, "s.csv", "--json", cwd=tmp_path).stderr
    by = ("--normalise-by", "low,high")
    assert "Raw scores" not in rlbench(verb, "s.csv", *by, cwd=tmp_path).stdout
    scores_file(tmp_path, agents, {"Pong": 1.0, "Boxing": 5.0, "Qbert": 50.0}, noise=0.01)
    assert "Raw scores:" not in rlbench(verb, "s.csv", cwd=tmp_path).stdout


def test_costs_are_compared_the_other_way_round(tmp_path: Path) -> None:
    """In the user's sign, and with every judgement of the same scores with the other sign."""
    agents = {"x": 1.0, "y": 1.05, "z": 3.0}
    scores_file(tmp_path, agents)
    returns = rows_of("compare", "s.csv", cwd=tmp_path)
    plain = rlbench("compare", "s.csv", cwd=tmp_path).stdout
    scores_file(tmp_path, agents, sign=-1)
    costs = rows_of("compare", "s.csv", "--lower-is-better", cwd=tmp_path)
    turned = {"larger": "smaller", "smaller": "larger", "not separated": "not separated"}
    for cost, gain in zip(costs, returns, strict=True):
        assert cost["difference"] == -gain["difference"]
        assert (cost["low"], cost["high"]) == (-gain["high"], -gain["low"])
        assert cost["decision"] == turned[gain["decision"]]
        for same in ("improvement", "improvement_low", "cliffs_delta", "p_value", "runs_needed"):
            assert cost[same] == gain[same]
        assert (cost["better"], "better" in gain) == ("lower", False)
    text = rlbench("compare", "s.csv", "--lower-is-better", cwd=tmp_path).stdout
    assert "raw scores, as they stand in the files; lower is better" in text
    ranks = [line.split() for line in text.partition("possible ranks")[2].splitlines()]
    assert next([*r[:1], *r[2:5]] for r in ranks if r[:1] == ["z"]) == ["z", "1", "to", "1"]
    assert next(r[1] for r in ranks if r[:1] == ["z"]).startswith("-3.")
    assert "z 3." in " ".join(plain.partition("possible ranks")[2].split())


def test_costs_until_decided(tmp_path: Path) -> None:
    scores_file(tmp_path, {"x": 1.0, "z": 3.0})
    options = ("compare", "s.csv", "--stop", "adastop", "--batch", "5", "--max-batches", "1")
    (gain,), (cost,) = (
        rows_of(*options, *more, cwd=tmp_path) for more in ([], ["--lower-is-better"])
    )
    # x has the smaller score either way.
    assert gain == {"a": "x", "b": "z", "decision": "smaller"}
    assert cost == {**gain, "better": "lower"}


def test_statistics_of_costs(tmp_path: Path) -> None:
    scores_file(tmp_path, {"a": 1.0})
    rows = rows_of("stats", "s.csv", cwd=tmp_path)
    costs = rows_of("stats", "s.csv", "--lower-is-better", cwd=tmp_path)
    assert costs == [{**row, "better": "lower"} for row in rows]
    assert "lower is better" in rlbench("stats", "s.csv", "--lower-is-better", cwd=tmp_path).stdout
    for how in (["--normalise-by", "low,high"], ["--suite", "atari100k"]):
        error = rlbench("stats", "s.csv", "--lower-is-better", *how, cwd=tmp_path, code=2).stderr
        assert "--lower-is-better is for raw scores" in error


def test_agents_against_a_constant(tmp_path: Path) -> None:
    scores_file(tmp_path, {"x": 0.2, "y": 1.0, "z": 3.0})
    rows = rows_of("compare", "s.csv", "--against", "1.0", cwd=tmp_path)
    assert [(row["a"], row["b"], row["decision"]) for row in rows] == [
        ("x", "1", "smaller"), ("y", "1", "not separated"), ("z", "1", "larger")
    ]  # fmt: skip
    pair = rows_of("compare", "s.csv", cwd=tmp_path)[0]
    for row in rows:
        assert list(row) == list(pair)
        assert row["low"] <= row["difference"] <= row["high"]
        assert (row["p_value"] < 0.05) == (row["decision"] != "not separated")
        assert row["test"] == "stratified t, Satterthwaite, Bonferroni over 3 agents"
    text = rlbench("compare", "s.csv", "--against", "1.0", cwd=tmp_path).stdout
    for said in (
        "x is worse than 1: IQM -0.",
        "y is not separated from 1",
        "z is better than 1: IQM +2.",
        "100% of its runs are better",
        "Bonferroni over 3 agents",
        "With fewer than 6 tasks",
    ):
        assert said in text
    costs = ("compare", "s.csv", "--against", "1.0", "--lower-is-better")
    turned = rlbench(*costs, cwd=tmp_path).stdout
    for said in ("x is better than 1: IQM -0.", "z is worse than 1: IQM +2.", "lower is better"):
        assert said in turned
    assert [row["decision"] for row in rows_of(*costs, cwd=tmp_path)] == [
        row["decision"] for row in rows
    ]


def test_one_agent_is_enough_against_a_constant(tmp_path: Path) -> None:
    scores_file(tmp_path, {"mine": 2.0})
    options = ("compare", "s.csv", "--normalise-by", "low,high", "--against", "1")
    (row,) = rows_of(*options, "--statistic", "mean", cwd=tmp_path)
    assert (row["decision"], row["test"]) == ("larger", "stratified t, Satterthwaite")
    (tmp_path / "s.csv").write_text("agent,task,seed,score\nmine,Pong,0,2\n")
    text = rlbench("compare", "s.csv", "--against", "1", cwd=tmp_path).stdout
    assert "mine cannot be compared with 1: IQM +1.000, and a task has only one run." in text


def test_successes_against_a_constant(tmp_path: Path) -> None:
    """Rates stay in 0 and 1, all agents are decided, and p-values are no longer than they are."""
    hits = {"most": 29, "few": 3, "one": 1, "all": 30, "half": 15}
    lines = [
        f"{agent},Pong,{seed},{int(seed < many)}"
        for agent, many in hits.items()
        for seed in range(30)
    ]
    (tmp_path / "s.csv").write_text("\n".join(["agent,task,seed,score", *lines]))
    for statistic in ("mean", "iqm"):
        options = ("compare", "s.csv", "--against", "0.5", "--statistic", statistic)
        rows = rows_of(*options, cwd=tmp_path)
        assert [row["decision"] for row in rows] == [
            "larger", "smaller", "smaller", "larger", "not separated"
        ]  # fmt: skip
        for row in rows:
            assert -0.5 <= (row["low"] or 0) <= (row["high"] or 0) <= 0.5
            assert row["test"].startswith("Clopper-Pearson")
            assert row["test"].endswith("over 5 agents")
        text = rlbench(*options, cwd=tmp_path).stdout
        assert "p < 0.0001; 97% of its runs are better." in text
        assert "e-" not in text
        assert "fewer than 6 tasks" not in text
        assert ("--statistic mean says more" in text) == (statistic == "iqm")
    assert "one is worse than 0.5: IQM -0.500 at every success rate that its runs allow" in text
    text = rlbench("compare", "s.csv", "--against", "2", "--agents", "all", cwd=tmp_path).stdout
    said = "all cannot be compared with 2: IQM -1.000, and on every task all its runs are equal."
    assert said in text
    (tmp_path / "s.csv").write_text(
        "agent,task,seed,score\n" + "".join(f"x,Pong,{seed},{seed // 7 + 2}\n" for seed in range(8))
    )
    text = rlbench("compare", "s.csv", "--against", "2", cwd=tmp_path).stdout
    assert "x cannot be compared with 2: IQM +0.000, and the scores that the IQM keeps" in text
    assert "do not vary: try --statistic mean." in text


def test_costs_of_0_and_1_against_a_constant(tmp_path: Path) -> None:
    lines = [f"x,Pong,{seed},{int(seed < 3)}" for seed in range(30)]
    (tmp_path / "s.csv").write_text("\n".join(["agent,task,seed,score", *lines]))
    options = ("compare", "s.csv", "--against", "0.5", "--statistic", "mean")
    (row,) = rows_of(*options, cwd=tmp_path)
    (cost,) = rows_of(*options, "--lower-is-better", cwd=tmp_path)
    for same in ("difference", "low", "high", "p_value", "test", "decision"):
        assert row[same] == pytest.approx(cost[same])
    assert "x is better than 0.5" in rlbench(*options, "--lower-is-better", cwd=tmp_path).stdout


def test_costs_of_0_and_1_have_exact_intervals(tmp_path: Path) -> None:
    lines = [
        f"{agent},{task},{seed},{int(seed < hits)}"
        for agent, task, hits in (("x", "A", 2), ("x", "B", 5), ("y", "A", 6), ("y", "B", 7))
        for seed in range(8)
    ]
    (tmp_path / "s.csv").write_text("\n".join(["agent,task,seed,score", *lines]))
    for options in (("compare", "s.csv", "--statistic", "mean"), ("compare", "s.csv")):
        (row,) = rows_of(*options, cwd=tmp_path)
        (cost,) = rows_of(*options, "--lower-is-better", cwd=tmp_path)
        assert "Clopper-Pearson" in row["method"]
        for same in ("difference", "low", "high", "method", "p_value", "test", "decision"):
            assert row[same] == pytest.approx(cost[same])
        assert row["improvement_low"] == pytest.approx(1 - cost["improvement_high"])


def test_published_agents_against_the_human_level(tmp_path: Path) -> None:
    options = ("--suite", "atari100k", "--store", "published", "--against", "1")
    found = rlbench("compare", "SPR", "EfficientZero", *options, "--json", cwd=tmp_path)
    (row,) = json.loads(found.stdout)
    assert (row["a"], row["decision"]) == ("SPR", "smaller")
    assert "EfficientZero is left out: EfficientZero: its scores are means" in found.stderr
    assert "SPR (atari100k.spr)" in found.stderr
    error = rlbench("compare", "EfficientZero", *options, cwd=tmp_path, code=2).stderr
    assert "no agent can be compared with a constant" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--against", "nan"], "the constant nan"),
        (["--against", "1e16"], "the constant 1e+16"),
        (["--against", "1", "--statistic", "median"], "no reliable test of the median"),
        (["--against", "1", "--stop", "adastop"], "--stop decides between agents"),
        ([], "at least two agents"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    options: list[str], message: str, tmp_path: Path
) -> None:
    scores_file(tmp_path, {"a": 1.0})
    done = rlbench("compare", "s.csv", *options, cwd=tmp_path, code=2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
