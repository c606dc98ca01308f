"""The readers of scores under fire: real files, changed as people and programs change them.

Whatever a file holds, it is read with a word on what was taken as what, or refused in our own
words. A change that keeps the values keeps the reading. ``RLBENCH_FUZZ`` says how many cases are
tried: 3,000 by default, a million in ``make fuzz``.
"""

import csv
import gzip
import io
import json
import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.quick import is_quick

from rlbench import suites
from rlbench.errors import RLBenchError, UsageError
from rlbench.results import ScoreFile, read_scores
from rlbench.results.reading import ALIASES, Reading

CASES = int(os.environ.get("RLBENCH_FUZZ", "3000"))
PARTS = 10
MAX_SECONDS = 2.0  # for one file

INPUTS = [Path(__file__).parents[1] / "inputs", Path(__file__).parents[3] / "shared/inputs/real"]
FILES = [file for folder in INPUTS for file in sorted(folder.rglob("*")) if file.is_file()]
TEXTS = [file for file in FILES if file.suffix in (".csv", ".txt")]
ATARI = suites.get("atari100k")
HOW_TO_READ = {
    "adastop": Reading(columns_are="agents"),
    "dcd": Reading(metric="test_returns"),
    "decimal": Reading(decimal=","),
    "wandb_display": Reading(agent="a", task="t"),
}
ODD_CELLS = [
    "", " ", "nan", "NaN", "inf", "-inf", "1e999", "1e300", "-2e15", "1,5", "1.5", "1.234,5", "0",
    "1_000", "٣", "x", "null", "None", "1 ± 2", "3 +/- 1", "#", '"', "'", "\u202e", "a;b", "a|b",
    "\x00", "9" * 400, "True", "ok", "failed", "Pong", "atari_alien", "group: x", "a__b__c",
]  # fmt: skip
ODD_NAMES = [
    *(name for names in ALIASES.values() for name in names), "", "Unnamed: 0", "mean", "std",
    "episode", "Pong", "pong", "Alien", "x - y", "x - y__MIN", "Wall time", "suite", "unofficial",
    "options", "source", "0", "1", "r", "# a", "name", "x__MAX",
]  # fmt: skip
ODD_VALUES: list[Any] = [
    None, True, 0, -1, 1.5, 1e15, 1.1e15, 1e308, 10**400, "", "x", "nan", "\ud800", [], [1], [[1]],
    [1, 2], [None], {}, {"a": 1}, {"a": [1]}, {"step_count": 1}, {"0": 1}, [[[1]]], {"a": [[1]]},
]  # fmt: skip

Table = list[list[str]]


def reading_of(file: Path) -> Reading:
    return next((r for name, r in HOW_TO_READ.items() if file.name.startswith(name)), Reading())


def table_of(text: str) -> Table:
    separator = ";" if ";" in text.partition("\n")[0] else "\t" if "\t" in text else ","
    return [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(row)]


def text_of(table: Table, separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(table)
    return out.getvalue()


def with_index(table: Table, rng: random.Random) -> str:
    frame = pd.read_csv(io.StringIO(text_of(table)), dtype=str, keep_default_na=False)
    return frame.to_csv(index=True, index_label=rng.choice([None, "Unnamed: 0.1"]))


def shuffled(table: Table, rng: random.Random) -> str:
    order = rng.sample(range(len(table[0])), len(table[0]))
    return text_of([[row[k] for k in order] for row in table])


def with_blank_lines(table: Table, rng: random.Random) -> str:
    lines = text_of(table).splitlines()
    for _ in range(3):
        lines.insert(rng.randrange(len(lines) + 1), "")
    return "\n".join(lines)


# What changes no value.
KEEPING: dict[str, Callable[[Table, random.Random], str | bytes]] = {
    "index": with_index,
    "columns shuffled": shuffled,
    "blank lines": with_blank_lines,
    "CRLF": lambda table, _: text_of(table).replace("\n", "\r\n"),
    "semicolons": lambda table, _: text_of(table, ";"),
    "tabs": lambda table, _: text_of(table, "\t"),
    "pipes": lambda table, _: text_of(table, "|"),
    "byte order mark": lambda table, _: text_of(table).encode("utf-8-sig"),
    "UTF-16": lambda table, _: text_of(table).encode("utf-16"),
    "no newline at the end": lambda table, _: text_of(table).removesuffix("\n"),
}


def outcome(path: Path, reading: Reading) -> ScoreFile | None:
    try:
        return read_scores(path, reading=reading)
    except RLBenchError:
        return None


def values_of(found: ScoreFile | None) -> Any:
    """Return what was read; two columns of agents may spell one agent in two ways."""
    return found and {
        (agent.casefold(), task): scores.tolist()
        for agent, tasks in found.runs.items()
        for task, scores in tasks.items()
    }


@pytest.mark.parametrize("how", KEEPING)
def test_changes_that_keep_the_values_keep_the_reading(how: str, tmp_path: Path) -> None:
    rng = random.Random(how)
    read = 0
    for file in TEXTS:
        table = table_of(file.read_text())
        if file.name.endswith("monitor.csv") or len({len(row) for row in table}) > 1:
            continue
        changed = KEEPING[how](table, rng)
        path = tmp_path / f"{file.stem}.csv"
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
        expected = values_of(outcome(file, reading_of(file)))
        assert values_of(outcome(path, reading_of(file))) == expected, file
        read += expected is not None
    assert read > 10


def odd_reading(rng: random.Random) -> Reading:
    role = rng.choice(list(ALIASES))
    columns = {role: rng.choice(ODD_NAMES) or "x"}
    return rng.choice(
        [
            Reading(agent="a"), Reading(task="t"), Reading(agent="a", task="t"), Reading(wide=True),
            Reading(columns_are="agents"), Reading(columns_are="tasks"), Reading(suite=ATARI),
            Reading(metric="return"), Reading(at_step=1000), Reading(decimal=","),
            Reading(columns=columns), Reading(columns=columns, suite=ATARI, at_step=1e6),
        ]
    )  # fmt: skip


def of_table(file: Path, rng: random.Random) -> bytes:
    """Change names, cells, rows and columns of a text table, and how it is saved."""
    table = table_of(file.read_text())
    for _ in range(rng.randrange(1, 4)):
        how, at = rng.randrange(6), rng.randrange(len(table))
        if how == 0:
            table[0][rng.randrange(len(table[0]))] = rng.choice(ODD_NAMES)
        elif how == 1 and table[at]:
            table[at][rng.randrange(len(table[at]))] = rng.choice(ODD_CELLS)
        elif how == 2:
            table.insert(at, list(table[rng.randrange(len(table))]))
        elif how == 3 and min(map(len, table)) > 1:
            k = rng.randrange(min(map(len, table)))
            table = [row[:k] + row[k + 1 :] for row in table]
        elif how == 4 and len(table) > 2:
            del table[at]
        else:
            k = rng.randrange(len(table[0]))
            table = [[*row, row[k] if k < len(row) else ""] for row in table]
            table[0][-1] = rng.choice(ODD_NAMES)
    text = text_of(table, rng.choice([",", ",", ";", "\t", "|", " "]))
    if rng.random() < 0.2:
        text = text[: rng.randrange(len(text) + 1)]  # half-written
    text = text.replace("\n", rng.choice(["\n", "\n", "\r\n", "\r", "\n\n"]))
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
    return text.encode(encoding, errors="replace")


def change(content: Any, rng: random.Random) -> Any:
    """Change one place of JSON data."""
    if not isinstance(content, dict | list) or not content or rng.random() < 0.2:
        return rng.choice(ODD_VALUES)
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = rng.choice(keys)
    how = rng.randrange(5)
    if how == 0:
        del content[key]
    elif how == 1 and isinstance(content, dict):
        content[rng.choice(ODD_NAMES)] = content.pop(key)
    elif how == 2 and isinstance(content, list):
        content.append(content[key])
    else:
        content[key] = change(content[key], rng)
    return content


def of_values(file: Path, rng: random.Random) -> bytes:
    """Change values of JSON, or of lines of it."""
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode()
    try:
        content = change(json.loads(text), rng)
        text = json.dumps(content, indent=rng.choice([None, 1]))
    except ValueError:
        rows = [json.loads(line) for line in text.splitlines()]
        at = rng.randrange(len(rows))
        rows[at] = change(rows[at], rng)
        text = "\n".join(json.dumps(row) for row in rows)
    return gzip.compress(text.encode(), 1) if file.suffix == ".gz" else text.encode()


def of_bytes(file: Path, rng: random.Random) -> bytes:
    """Change, cut, double or move bytes."""
    data = bytearray(file.read_bytes())
    for _ in range(rng.randrange(1, 4)):
        at, width = rng.randrange(len(data)), rng.randrange(1, 20)
        how = rng.randrange(5)
        if how == 0:
            data[at] = rng.randrange(256)
        elif how == 1:
            del data[at : at + width]
        elif how == 2:
            data[at:at] = data[at : at + width]
        elif how == 3:
            data[at:at] = rng.choice([b"NaN", b"1e999", b"[" * 2000, b'"\\ud800"', b"\x00", b"\n"])
        else:
            del data[at:]
        data = data or bytearray(b" ")
    return bytes(data)


def of_arrays(file: Path, rng: random.Random) -> bytes:
    """Change the shapes, kinds and names of arrays."""
    shape = tuple(rng.randrange(4) for _ in range(rng.randrange(4)))
    kind = rng.choice([np.float64, np.float16, np.int8, np.bool_, np.complex64, np.str_, ">f4"])
    array = np.ones(shape).astype(kind)
    if array.size and array.dtype.kind == "f" and rng.random() < 0.3:
        array.flat[0] = rng.choice([np.nan, np.inf, 1e4])
    if file.suffix == ".npy":
        np.save(out := io.BytesIO(), array)
    else:
        names = rng.sample(["a", "timesteps", "results", "Pong", "Alien", "score"], 2)
        np.savez(out := io.BytesIO(), **{names[0]: array, names[1]: array[..., :1]})
    return out.getvalue()


def mutated(file: Path, rng: random.Random) -> bytes:
    ways = [of_bytes]
    if file in TEXTS:
        ways = [of_table] * 4 + [of_bytes]
    elif ".json" in file.name:
        ways = [of_values] * 2 + [of_bytes]
    elif file.suffix in (".npy", ".npz"):
        ways = [of_arrays, of_bytes]
    try:
        return rng.choice(ways)(file, rng)
    except (IndexError, UnicodeDecodeError, csv.Error):
        return of_bytes(file, rng)


def check(found: ScoreFile) -> None:
    """Check that numbers are scores, with a word on what was taken as what."""
    assert found.note.startswith(("read as ", "the scores are "))
    assert found.runs
    for agent, tasks in found.runs.items():
        for task, scores in tasks.items():
            assert scores.ndim == 1
            assert len(scores)
            assert (np.abs(scores) <= 1e15).all()
            if found.seeds:
                assert len(found.seeds[agent][task]) == len(scores)
            if found.curves:
                assert len(found.curves[agent][task]) == len(scores)


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_files_are_read_or_refused(part: int, tmp_path: Path) -> None:
    rng = random.Random(part)
    read = 0
    for case in range(CASES // PARTS):
        file = rng.choice(FILES)
        path = tmp_path / file.name
        data = mutated(file, rng)
        path.write_bytes(data)
        reading = reading_of(file) if rng.random() < 0.6 else odd_reading(rng)
        started = time.process_time()
        try:
            found = read_scores(path, reading=reading)
            check(found)
            read += 1
        except RLBenchError as error:
            names_it = str(tmp_path) in str(error) or isinstance(error, UsageError)
            if "\n" in str(error) or not names_it:
                raise AssertionError(f"case {case} of part {part}: {error}") from error
        except Exception as error:
            raise AssertionError(
                f"case {case} of part {part}: {file.name}, {reading}: {data[:2000]!r}"
            ) from error
        if time.process_time() - started >= MAX_SECONDS:
            assert is_quick(partial(read_scores, path, reading=reading), MAX_SECONDS)
    assert read > CASES // PARTS // 50  # else the mutations are too coarse to test anything
