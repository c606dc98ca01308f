"""The gate under fire: whatever a bundle holds, it is accepted or refused in the gate's own words.

``RLBENCH_FUZZ`` says how many cases are tried: 100,000 by default, a million in ``make fuzz``. Most
change the card or ``bundle.json``; one in fifty changes any bytes of a whole bundle. Records have
a million cases of their own in `tests/results/test_fuzz.py`.
"""

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from support.bundles import TODAY, draft_of
from support.quick import is_quick
from support.records import make_record

from rlbench import suites
from rlbench.errors import InvalidRecord
from rlbench.results import Record, strict_json
from rlbench.results.submissions import card as cards
from rlbench.results.submissions import check_files
from rlbench.results.submissions.bundle import CARD, SUMMARY
from rlbench.results.submissions.checks import RULES, Submission

CASES = int(os.environ.get("RLBENCH_FUZZ", "100000"))
PARTS = 10
WHOLE = 50  # one case in so many is a whole bundle
MAX_SECONDS = 1.0  # for one case
SUMMARY_RULE = next(rule for rule in RULES if rule.__name__ == "_summary")
PIECES = [
    b"=", b"[", b"]", b"{", b"}", b'"', b'"""', b"'", b"#", b"\n", b"\\u202e", b"\\U0010ffff",
    b"\xff", b"\x00", b"1e999", b"nan", b"inf", b"-0", b"0x7fffffffffffffffffff", b"9" * 5000,
    b"[" * 3000, b"[[a.b]]", b"a.b.c = 1\n", b"1979-05-27T07:32:00Z", b"true", b"who", b"seeds = [",
    b"https://x.org", "\u200b".encode(), "Ω".encode(), b"\r", b"\\", b": null,", b'"a": ',
]  # fmt: skip


def _bundle() -> tuple[str, dict[str, bytes]]:
    suite = suites.get("dmc-mini")
    times: dict[str, str | float] = {
        "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T10:00:00+00:00",
        "seconds": 36000.0,
    }  # fmt: skip
    records: list[Record] = []
    for task in suite.tasks:
        record = make_record(task.name, score=1.0, suite=suite, length=500)
        final = record.final
        points = tuple(replace(final, budget_used=p) for p in suite.protocol_of(task).points)
        records.append(replace(record, timing=times, evaluations=points))
    draft = draft_of(records, random.Random(0), suite)
    files = draft.files()
    return draft.place, files


PLACE, FILES = _bundle()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Change, cut, double or move bytes, or put in what means something to a reader."""
    found = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at, width = rng.randrange(len(found) + 1), rng.randrange(1, 30)
        how = rng.randrange(6)
        if how == 0 and at < len(found):
            found[at] = rng.randrange(256)
        elif how == 1:
            del found[at : at + width]
        elif how == 2:
            found[at:at] = found[rng.randrange(len(found) + 1) :][:width]
        elif how == 3:
            del found[at:]
        else:
            found[at:at] = rng.choice(PIECES)
    return bytes(found)


def odd_values(data: bytes, rng: random.Random) -> bytes:
    """Change a value of ``bundle.json``, and leave it JSON."""
    content = json.loads(data)
    at = content
    while True:
        key = rng.choice(list(at))
        if not isinstance(at[key], dict) or not at[key] or rng.random() < 0.3:
            break
        at = at[key]
    values = [None, True, 0, -1, 1e308, "", [], {}, [[]], {"a": {}}, "\u202e", 10**400]
    at[rng.choice([key, "a", "\ud800"])] = rng.choice(values)
    return json.dumps(content).encode()


def try_card(rng: random.Random, _: Submission) -> bool:
    fields, why = cards.read_fields(mutated(FILES[CARD], rng))
    if why or cards.problems_of(fields):
        return False
    made = cards.card_of(fields)
    again, _why = cards.read_fields(cards.to_toml(fields))
    assert cards.card_of(again) == made
    return True


def try_summary(rng: random.Random, good: Submission) -> bool:
    how: Callable[[bytes, random.Random], bytes] = rng.choice([mutated, odd_values])
    data = how(FILES[SUMMARY], rng)
    try:
        summary = strict_json.load(data)
    except InvalidRecord:
        return False
    return not list(SUMMARY_RULE(replace(good, summary=summary)))


def try_bundle(rng: random.Random, _: Submission) -> bool:
    name = rng.choice(sorted(FILES))
    files = {**FILES, name: mutated(FILES[name], rng)}
    if rng.random() < 0.1:
        del files[rng.choice(sorted(files))]
    _submission, refused = check_files(PLACE, files, TODAY)
    assert all(refusal.problem and refusal.kind and refusal.advice for refusal in refused)
    return not refused


@pytest.mark.parametrize("part", range(PARTS))
def test_bundles_are_accepted_or_refused(part: int) -> None:
    good, refused = check_files(PLACE, FILES, TODAY)
    assert good is not None
    assert refused == []
    rng = random.Random(part)
    accepted = 0
    for case in range(CASES // PARTS):
        state = rng.getstate()
        how = try_bundle if case % WHOLE == 0 else try_summary if case % 3 == 0 else try_card
        started = time.process_time()
        try:
            accepted += how(rng, good)
        except Exception as error:
            raise AssertionError(
                f"case {case} of part {part}: {how.__name__} {state[1][:3]}"
            ) from error
        if time.process_time() - started >= MAX_SECONDS:
            again = random.Random()
            again.setstate(state)
            assert is_quick(partial(how, again, good), MAX_SECONDS)
    assert 0 < accepted < CASES // PARTS
