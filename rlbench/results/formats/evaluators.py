"""Logs of evaluators: items are tasks, epochs are runs, and a metric is chosen by ``--metric``.

- inspect_ai: ``.eval``, a zip file, or ``.json``.
- lm-evaluation-harness: ``samples_TASK_DATE.jsonl`` in the model's folder.
- lerobot: ``eval_info.json``. Its episodes are those of one policy, so their mean is a run's score.
- SWE-bench: the report of a run, with lists of instances.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.errors import InvalidRecord, InvalidScores
from rlbench.results import strict_json
from rlbench.results.formats.building import table_of_values
from rlbench.results.formats.content import content_of, stem_of
from rlbench.results.reading import Reading
from rlbench.results.tables import MAX_TABLE_BYTES, Table

MAX_JSON_BYTES = 100_000_000
# What scorers of inspect_ai write for correct, partially correct, incorrect and no answer.
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_SAMPLES = re.compile(r"samples_(?P<task>.+)_\d{4}-\d\d-\d\dT.*")
_LEROBOT = {"sum_reward": "sum_rewards", "max_reward": "max_rewards", "success": "successes"}

Rows = list[list[object]]


def read_eval(path: Path, reading: Reading) -> Table:
    """Read an ``.eval`` file of inspect_ai.

    Raises:
        InvalidScores: It cannot be read, is too large, or holds no scores.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content_of(path, MAX_TABLE_BYTES))) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            names = [n for n in sizes if n.startswith("samples/") and n.endswith(".json")]
            wanted = ["header.json", *(["summaries.json"] if "summaries.json" in sizes else names)]
            if sum(sizes.get(name, 0) for name in wanted) > MAX_JSON_BYTES:
                raise InvalidScores(
                    f"cannot read {path}: unpacked it is over the limit of {MAX_JSON_BYTES:,} bytes"
                )
            header, *parts = [
                strict_json.load(archive.read(name), MAX_JSON_BYTES) for name in wanted
            ]
    except (
        OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
        InvalidRecord,
    ) as error:  # fmt: skip
        if isinstance(error, InvalidScores):
            raise
        raise InvalidScores(f"cannot read {path}: {error}") from error
    samples = [s for part in parts for s in (part if isinstance(part, list) else [part])]
    return _of_inspect(path, header, samples, reading)


def of_evaluator(path: Path, content: Mapping[str, Any], reading: Reading) -> Table | None:
    """Return the table of an evaluator's JSON, or None if it is something else."""
    if isinstance(content.get("eval"), dict) and isinstance(content.get("samples"), list):
        return _of_inspect(path, content, content["samples"], reading)
    if isinstance(content.get("per_task"), list) or isinstance(content.get("per_episode"), list):
        return _of_lerobot(path, content)
    if _are_names(content.get("resolved_ids")) or _are_names(content.get("resolved")):
        return _of_swe_bench(path, content)
    return None


def is_harness(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether lines are the samples of lm-evaluation-harness."""
    return bool(rows) and all("doc_id" in row and "filtered_resps" in row for row in rows)


def of_harness(
    path: Path, rows: Sequence[Mapping[str, Any]], places: Sequence[str], reading: Reading
) -> Table:
    """Return the table of samples, whose model is the folder's name.

    Raises:
        InvalidScores: They do not name their metrics, or lack one.
    """
    match = _SAMPLES.fullmatch(stem_of(path))
    task = match["task"] if match else stem_of(path)
    agent = {} if reading.agent or not match else {"agent": stem_of(path.resolve().parent)}
    filters = {str(row.get("filter")) for row in rows}
    out: Rows = []
    where = []
    for row, place in zip(rows, places, strict=True):
        metrics = row.get("metrics")
        if not metrics or not _are_names(metrics) or any(name not in row for name in metrics):
            raise InvalidScores(f"{path}, {place}: the sample does not name its metrics")
        for metric in metrics:
            name = f"{metric},{row.get('filter')}" if len(filters) > 1 else metric
            out.append([*agent.values(), f"{task}/{row['doc_id']}", name, _number(row[metric])])
            where.append(place)
    remark = "samples of lm-evaluation-harness: items are tasks, of one run each"
    return table_of_values(path, [*agent, "task", "metric", "score"], out, where, remark)


def _of_inspect(path: Path, header: object, samples: Sequence[object], reading: Reading) -> Table:
    about = header.get("eval") if isinstance(header, dict) else None
    if not isinstance(about, dict):
        raise InvalidScores(f"{path} does not say which task and model it is of")
    model = about.get("model")
    agent = {"agent": model} if model and not reading.agent else {}
    rows: Rows = []
    places = []
    for n, sample in enumerate(samples, 1):
        scores = sample.get("scores") if isinstance(sample, dict) else None
        if not isinstance(sample, dict) or not isinstance(scores, dict) or not scores:
            raise InvalidScores(
                f"{path}, sample {n}: it has no score; a sample that failed counts: evaluate it "
                "again, or give it the lowest score"
            )
        task = f"{about.get('task')}/{sample.get('id')}"
        for metric, score in _metrics(scores):
            rows.append([*agent.values(), task, sample.get("epoch", 1), metric, score])
            places.append(f"sample {n}")
    remark = (
        "a log of inspect_ai: items are tasks, epochs are runs; grades C, P, I, N are 1, .5, 0, 0"
    )
    return table_of_values(path, [*agent, "task", "seed", "metric", "score"], rows, places, remark)


def _metrics(scores: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the values of a sample's scorers, each a value or several by name."""
    for scorer, score in scores.items():
        value = score.get("value") if isinstance(score, dict) else score
        if isinstance(value, dict):
            for name, part in value.items():
                yield f"{scorer}/{name}", _number(part)
        else:
            yield scorer, _number(value)


def _number(value: object) -> object:
    """Return a grade as a number, and anything else as it is, to be judged later."""
    if isinstance(value, bool):
        return float(value)
    return (
        _GRADES.get(value, value) if isinstance(value, str) else "null" if value is None else value
    )


def _of_lerobot(path: Path, content: Mapping[str, Any]) -> Table:
    parts: list[tuple[dict[str, object], Mapping[str, Any]]] = []
    if isinstance(content.get("per_task"), list):
        for entry in content["per_task"]:
            if not isinstance(entry, dict) or not isinstance(entry.get("metrics"), dict):
                raise InvalidScores(f"{path}: an entry of per_task holds no metrics")
            task = f"{entry.get('task_group')}/{entry.get('task_id')}"
            parts.append(({"task": task}, entry["metrics"]))
    else:
        episodes = [episode for episode in content["per_episode"] if isinstance(episode, dict)]
        found = {
            many: [episode[one] for episode in episodes if one in episode]
            for one, many in _LEROBOT.items()
        }
        parts.append(({}, found))
    rows = [
        [*task.values(), metric, _mean(path, metric, metrics[metric])]
        for task, metrics in parts
        for metric in _LEROBOT.values()
        if metrics.get(metric)
    ]
    if not rows:
        raise InvalidScores(f"{path} has no scores: no episode has {', '.join(_LEROBOT)}")
    remark = "an evaluation of lerobot, of one policy: the score is the mean of its episodes"
    return table_of_values(path, [*parts[0][0], "metric", "score"], rows, remark=remark)


def _mean(path: Path, metric: str, values: object) -> float:
    try:
        array = np.array(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidScores(f"{path}: {metric} holds something else than numbers") from error
    with np.errstate(all="ignore"):
        return float(array.mean())


def _of_swe_bench(path: Path, content: Mapping[str, Any]) -> Table:
    lists = {name: ids for name, ids in content.items() if isinstance(ids, list)}
    resolved = lists["resolved_ids" if "resolved_ids" in lists else "resolved"]
    if not {"submitted_ids", "unresolved_ids", "completed_ids", "generated"} & set(lists):
        raise InvalidScores(
            f"{path} lists the instances that were resolved, and not those that were tried: give "
            "the report with submitted_ids, or rows with instance and score"
        )
    every = list(dict.fromkeys(str(one) for ids in lists.values() for one in ids))
    solved = {str(one) for one in resolved}
    rows = ([instance, 1.0 if instance in solved else 0.0] for instance in every)
    remark = "a report of SWE-bench: instances are tasks, of one run each; resolved is 1"
    if left := len(lists.get("incomplete_ids", [])):
        remark += f"; {left} instances that were not submitted count as 0"
    return table_of_values(path, ["task", "score"], rows, remark=remark)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
