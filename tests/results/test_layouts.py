"""Folders of training logs: which file is the score, of which agent, task and run."""

from pathlib import Path

import numpy as np
import pytest

from rlbench.errors import InvalidScores
from rlbench.results import read_scores
from rlbench.results.reading import Reading

INPUTS = Path(__file__).parents[1] / "inputs"
MONITOR = '#{"t_start": 0.0, "env_id": "X-v0"}\nr,l,t\n1,9,1.0\n'


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        np.savez(path, **content)
    else:
        path.write_text(str(content))


def evaluations(*means: float) -> dict:
    results = np.array([[mean - 1, mean + 1] for mean in means])
    return {"timesteps": 10 * np.arange(1, len(means) + 1), "results": results}


@pytest.mark.parametrize("folder", ["zoo", "zoo/qrdqn"])
def test_evaluations_come_before_monitors(folder: str) -> None:
    found = read_scores(INPUTS / folder)
    assert found.runs["qrdqn"]["MountainCar-v0"].tolist() == [pytest.approx(-99.3)]
    assert found.seeds == {"qrdqn": {"MountainCar-v0": ["MountainCar-v0_1"]}}
    ((steps, scores),) = found.curves["qrdqn"]["MountainCar-v0"]
    assert (len(steps), scores[-1]) == (12, pytest.approx(-99.3))
    assert "means over the episodes of a run's last row in evaluations.npz" in found.note
    assert "*monitor.csv files are ignored" in found.note
    early = read_scores(INPUTS / folder, reading=Reading(at_step=100_000, agent="mine"))
    assert early.runs["mine"]["MountainCar-v0"].tolist() == [pytest.approx(-105.6)]


def test_all_runs_are_scored_alike(tmp_path: Path) -> None:
    write(tmp_path / "ppo/X-v0_1/evaluations.npz", evaluations(3, 4))
    write(tmp_path / "ppo/X-v0_1/0.monitor.csv", MONITOR)
    write(tmp_path / "ppo/X-v0_2/0.monitor.csv", MONITOR)
    found = read_scores(tmp_path)
    assert found.runs["ppo"]["X-v0"].tolist() == [1, 1]
    assert "evaluations.npz files are ignored: there is none of" in found.note
    (tmp_path / "ppo/X-v0_1/0.monitor.csv").unlink()
    with pytest.raises(InvalidScores, match=r"scored alike: .*X-v0_2 has no evaluations"):
        read_scores(tmp_path)


def test_runs_that_end_early_are_named(tmp_path: Path) -> None:
    for run, means in enumerate(((1, 2, 3), (4,))):
        write(tmp_path / f"ppo/X-v0_{run}/evaluations.npz", evaluations(*means))
    found = read_scores(tmp_path)
    assert found.runs["ppo"]["X-v0"].tolist() == [3, 4]
    assert "ppo, X-v0_1 ends at step 10 of 30; --at-step 10" in found.note


def test_progress_of_a_logger(tmp_path: Path) -> None:
    head = "time/total_timesteps,rollout/ep_rew_mean,eval/mean_reward\n"
    write(tmp_path / "ppo/X-v0_1/progress.csv", head + "1,3,\n2,,7\n3,5,\n")
    found = read_scores(tmp_path)
    assert found.runs["ppo"]["X-v0"].tolist() == [7]
    assert "score: eval/mean_reward" in found.note
    write(tmp_path / "ppo/X-v0_2/progress.csv", head + "1,3,\n")
    with pytest.raises(InvalidScores, match="cannot be scored alike"):
        read_scores(tmp_path)
    write(tmp_path / "ppo/X-v0_2/progress.csv", "a,b\n1,3\n")
    with pytest.raises(InvalidScores, match="has no columns time/total_timesteps"):
        read_scores(tmp_path)


def test_agents_of_one_name_in_two_folders(tmp_path: Path) -> None:
    for place in ("new", "old"):
        write(tmp_path / place / "ppo/X-v0_1/monitor.csv", MONITOR)
    assert set(read_scores(tmp_path).runs) == {"new/ppo", "old/ppo"}


def test_tables_that_name_their_runs(tmp_path: Path) -> None:
    for seed in (1, 0):
        write(tmp_path / f"{seed}.csv", f"agent,task,seed,score\na,x,{seed},{seed}\n")
    found = read_scores(tmp_path)
    assert found.runs["a"]["x"].tolist() == [0, 1]
    assert found.note.startswith("CSV files: 2. read as agent: agent, task: task")


@pytest.mark.parametrize(
    ("files", "reading", "message"),
    [
        ({"0.csv": "score\n1\n", "1.csv": "score\n2\n"}, Reading(), "0.csv names no agent"),
        ({"0.csv": "score\n1\n", "1.csv": "score\n2\n"}, Reading(agent="a"), "0.csv names no task"),
        ({"a/x/0.csv": "score\n1\n"}, Reading(), r"--path '\{agent\}/\{task\}/\{seed\}.csv'"),
        ({"x.txt": "1"}, Reading(), "holds neither logs .* --store"),
        ({"r/monitor.csv": MONITOR}, Reading(at_step=1), "no steps for --at-step"),
        ({"r/monitor.csv": MONITOR}, Reading(wide=True), "not a table: leave out --wide"),
        ({"a/r/monitor.csv": MONITOR, "b/r/monitor.csv": MONITOR}, Reading(agent="c"),
         "leave --agent out"),
        ({"r/evaluations.npz": {"timesteps": np.zeros(2), "results": np.zeros((3, 1))}}, Reading(),
         r"results of shape \(3, 1\) do not fit"),
        ({"r/evaluations.npz": {"timesteps": np.zeros(1), "results": np.full((1, 1), np.nan)}},
         Reading(), "row 1: 'nan' is not a finite number"),
        ({"r/evaluations.npz": {"results": np.zeros((3, 1))}}, Reading(), "no timesteps and"),
        ({"r/evaluations.npz": "text"}, Reading(), "cannot read"),
        ({"r/evaluations.npz": evaluations(1, 2)}, Reading(at_step=5),
         "begins at step 10, after --at-step 5"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused(
    files: dict, reading: Reading, message: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    with pytest.raises(InvalidScores, match=message):
        read_scores(tmp_path, reading=reading)


def test_evaluations_are_never_unpickled(tmp_path: Path) -> None:
    ragged = np.array([[1.0], [1.0, 2.0]], dtype=object)
    write(tmp_path / "r/evaluations.npz", {"timesteps": np.zeros(2), "results": ragged})
    with pytest.raises(InvalidScores, match="cannot read"):
        read_scores(tmp_path)
