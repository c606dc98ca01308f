"""Resamples of the stratified bootstrap: which runs each draw takes.

Random numbers are functions of a key and a counter (splitmix64: Steele, Lea & Flood 2014), so
that resample b is the same whatever is computed before it, in whatever pieces or threads. Resample
b of W words takes the words ``b W + 1`` to ``b W + W`` of the key's sequence. A word is cut into
lanes of 16 bits, or of 32 where a task has more than 256 runs; lane k of word w is draw
``k W + w``, and takes the run ``lane * runs >> bits`` of its task. No run's chance is off by more
than 2^-16.
"""

from collections.abc import Iterator, Sequence, Sized
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
MAX_RUNS_OF_16_BITS = 256
CHUNK = 1_000_000  # draws held in memory at a time


class Layout(NamedTuple):
    """How a resample is laid out: the draws of the tasks stand side by side.

    Attributes:
        runs: (tasks,) how many runs a task has.
        counts: (tasks,) how many of them are drawn.
        starts: (tasks,) where a task's draws begin.
        weights: (tasks,) what a draw of a task counts: all tasks count the same, however many runs
            and draws they have, and all draws together as many as there are runs.
    """

    runs: Ints
    counts: Ints
    starts: Ints
    weights: Floats

    @property
    def draws(self) -> int:
        """The draws of a resample, of all tasks."""
        return int(self.counts.sum())

    @property
    def bits(self) -> int:
        """How many bits of a random word a draw takes."""
        return 16 if self.runs.max() <= MAX_RUNS_OF_16_BITS else 32


def layout_of(tasks: Sequence[Sized], method: str) -> Layout:
    """Return how a method draws the runs of each task."""
    runs = np.array([len(task) for task in tasks])
    counts = runs - (method == "rao-wu")
    return Layout(runs, counts, _begins(counts), runs.sum() / (len(runs) * counts))


def keys_of(seed: int, number: int = 1) -> list[int]:
    """Return keys of independent sequences."""
    words = np.random.SeedSequence(seed).generate_state(number, np.uint64)
    return [int(word) for word in words]


def resamples(
    layout: Layout,
    key: int,
    repetitions: int,
    *,
    chunk: int = CHUNK,
    task_key: int | None = None,
) -> Iterator[Ints]:
    """Yield resamples, some at a time: which of all runs each draw is, (resamples, draws).

    Args:
        layout: Of a resample.
        key: Of the random numbers.
        repetitions: How many resamples.
        chunk: How many draws to yield at a time; at least one resample is.
        task_key: To draw the tasks as well, with replacement; all must have as many runs.
    """
    first = np.repeat(_begins(layout.runs), layout.counts)
    runs = np.repeat(layout.runs, layout.counts).astype(np.uint64)
    tasks = len(layout.runs)
    step = max(1, chunk // layout.draws)
    for begin in range(0, repetitions, step):
        end = min(begin + step, repetitions)
        numbers = lanes(key, layout.draws, layout.bits, begin, end)
        picks = (numbers * runs >> np.uint64(layout.bits)).astype(np.int64)
        if task_key is not None:
            which = lanes(task_key, tasks, 32, begin, end) * np.uint64(tasks)
            drawn = (which >> np.uint64(32)).astype(np.int64) * layout.runs[0]
            yield np.repeat(drawn, layout.counts, axis=1) + picks
        else:
            yield first + picks


def lanes(key: int, draws: int, bits: int, begin: int, end: int) -> NDArray[np.uint64]:
    """Return the random bits of some resamples, (end - begin, draws)."""
    a_word = 64 // bits
    words = -(-draws // a_word)
    counters = np.arange(begin * words + 1, end * words + 1, dtype=np.uint64)
    mixed = counters * np.uint64(GOLDEN_GAMMA) + np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(MIX_1)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(MIX_2)
    mixed = (mixed ^ (mixed >> np.uint64(31))).reshape(end - begin, words)
    mask = np.uint64(2**bits - 1)
    parts = [(mixed >> np.uint64(bits * lane)) & mask for lane in range(a_word)]
    return np.concatenate(parts, axis=1)[:, :draws]


def _begins(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)[:-1]])
