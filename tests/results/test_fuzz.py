"""The reader under fire: whatever the bytes, it returns a record or refuses it in its own words.

``RLBENCH_FUZZ`` says how many mutated records are tried: 100,000 by default, a million in
``make fuzz``.
"""

import json
import os
import random
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.quick import is_quick
from support.records import make_record

from rlbench import suites
from rlbench.errors import InvalidRecord
from rlbench.results import Engine, Identity, Proposals, Record, Replay
from rlbench.suites import sha256_of

CASES = int(os.environ.get("RLBENCH_FUZZ", "100000"))
PARTS = 10
MAX_SECONDS = 1.0  # for one record
MAX_GROWTH = 200_000  # kB of memory, over all records of a part

OLD = Path(__file__).parent / "schema1"
SMALL = suites.get("atari100k").make_unofficial({"episodes": 3, "eval_points": [100, 200]})
OK = replace(
    make_record(suite=SMALL, config={"k": 5, "name": "x"}),
    replay=Replay(actions="0" * 64, dtype="uint8", shape=(5, 3), hashes=("0" * 16,)),
    engine=Engine(fingerprint="0" * 16, steps=200, digits=None),
)
PROPOSED = Proposals(
    every=1, ends=(10,), parameters=((0.5, 0.25),), returns=(1.0,), lengths=(3,), successes=(True,)
)
SEEDS = [
    OK.to_bytes(),
    make_record(suite=SMALL, status="failed").to_bytes(),
    replace(OK, proposals=PROPOSED).to_bytes(),
    *(OLD.joinpath(f"{name}.json").read_bytes() for name in ("curriculum", "failed")),
]
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 1.0, -0.0, 0.5, 1e15, 1.1e15, 1e308, 2**31, 2**63, 10**400,
    "", "a", "\ud800", "\u202e", "x" * 1001, "0" * 16, "0" * 64, "atari100k@1", "ok", "failed",
    [], [1], [[1]], [None], ["a"], {}, {"a": 1}, {"a": {"b": [1, {"c": None}]}}, [0] * 1001,
]  # fmt: skip


def place(content: Any, rng: random.Random) -> tuple[Any, Any]:
    """Return some container in JSON data, which is one itself, and one of its keys."""
    container = content
    while True:
        key = rng.choice(list(container) if isinstance(container, dict) else range(len(container)))
        if not isinstance(container[key], dict | list) or not container[key] or rng.random() < 0.2:
            return container, key
        container = container[key]


def odd(rng: random.Random) -> Any:
    return json.loads(json.dumps(rng.choice(ODD)))


def change(content: Any, rng: random.Random) -> None:
    """Change one place of JSON data."""
    container, key = place(content, rng)
    how = rng.randrange(5)
    if how == 0:
        del container[key]
    elif how == 1 and isinstance(container, dict):
        container[rng.choice(["a", "seed", "\u200b", "returns", "x" * 300])] = odd(rng)
    elif how == 2 and isinstance(container, list):
        container.extend([odd(rng)] * rng.randrange(1, 4))
    elif how == 3:
        other, there = place(content, rng)
        container[key] = json.loads(json.dumps(other[there]))
    else:
        container[key] = odd(rng)


def of_values(seed: bytes, rng: random.Random) -> bytes:
    """Change values, and leave the hash as it was."""
    content = json.loads(seed)
    for _ in range(rng.randrange(1, 4)):
        change(content, rng)
    return json.dumps(content).encode()


def of_values_consistently(seed: bytes, rng: random.Random) -> bytes:
    """Change values, and have hash, key and digest fit as far as they can."""
    content = json.loads(of_values(seed, rng))
    try:
        identity = Identity.from_dict(content)
        content |= {"digest": identity.digest, "key": identity.key}
    except Exception:
        pass  # it is too odd to have one
    content.pop("sha256", None)
    content["sha256"] = sha256_of(content)
    return json.dumps(content).encode()


def of_bytes(seed: bytes, rng: random.Random) -> bytes:
    """Change, cut, double or move bytes."""
    data = bytearray(seed)
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
            data[at:at] = rng.choice([b"NaN", b"1e999", b"[" * 2000, b'"\\ud800"', b"9" * 5000])
        else:
            del data[at:]
        data = data or bytearray(b" ")
    return bytes(data)


HOW: list[Callable[[bytes, random.Random], bytes]] = [of_values, of_values_consistently, of_bytes]


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_records_are_read_or_refused(part: int) -> None:
    rng = random.Random(part)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = 0
    for case in range(CASES // PARTS):
        data = rng.choice(HOW)(rng.choice(SEEDS), rng)
        started = time.process_time()
        try:
            record = Record.from_bytes(data)
        except InvalidRecord:
            pass
        except Exception as error:
            raise AssertionError(f"case {case} of part {part}: {data[:2000]!r}") from error
        else:
            accepted += 1
            if not record.is_old:
                assert Record.from_bytes(record.to_bytes()) == record
        if time.process_time() - started >= MAX_SECONDS:
            assert is_quick(partial(Record.from_bytes, data), MAX_SECONDS), data[:2000]
    assert accepted > 0  # else the mutations are too coarse to test anything
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH
