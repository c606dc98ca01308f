"""The STORI suites: deterministic, equal to the plain engine where nothing disturbs, and mended."""

import subprocess
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import ale_py
import numpy as np
import pytest

from rlbench import suites
from rlbench.errors import UsageError
from rlbench.suites import Suite, Task
from rlbench.suites.atari.envs import AtariEnvs, slot_seeds
from rlbench.suites.stori.engine import DisturbedGame, Stream
from rlbench.suites.stori.envs import StoriEnvs
from rlbench.suites.stori.modes import modes_of, rows_of
from rlbench.suites.stori.perturbations import Paint, Row, Schedule
from rlbench.suites.stori.shrink import Shrinker

STORI, ORIGINAL = suites.get("stori"), suites.get("stori-original")
ROMS = {
    "Breakout": "breakout", "Boxing": "boxing", "Gopher": "gopher", "BankHeist": "bank_heist"
}  # fmt: skip


def played(
    suite: Suite, task: Task, *, slots: int = 2, steps: int = 60, seed: int = 3
) -> list[list[Any]]:
    """Return for each slot what came of some steps: checksums of pictures, rewards, flags."""
    return _played(suite.name, task.name, slots, steps, seed)


@cache
def _played(suite_name: str, name: str, slots: int, steps: int, seed: int) -> list[list[Any]]:
    suite = suites.get(suite_name)
    env = suite.make(suite.task(name), split="train", num_envs=slots, seed=seed)
    obs, _ = env.reset()
    traces = [[zlib.crc32(picture.tobytes())] for picture in obs]
    actions = [np.random.default_rng(slot) for slot in range(slots)]
    for _ in range(steps):
        chosen = np.array([g.integers(env.single_action_space.n) for g in actions])
        obs, reward, terminated, truncated, info = env.step(chosen)
        for slot, trace in enumerate(traces):
            trace += [
                zlib.crc32(obs[slot].tobytes()), reward[slot], terminated[slot], truncated[slot],
                info["life_lost"][slot],
            ]  # fmt: skip
    env.close()
    return traces


@cache
def loaded(game: str, place: int) -> tuple[ale_py.ALEInterface, ale_py.ALEState]:
    """Return an emulator and its state at the start: a load takes as long as 1,500 frames."""
    ale = ale_py.ALEInterface()
    ale.setInt("random_seed", 1)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(ale_py.roms.get_rom_path(ROMS[game]))
    ale.reset_game()
    return ale, ale.cloneSystemState()


def game_of(
    game: str,
    effect: str,
    probability: float = 1.0,
    *,
    original: bool = False,
    schedule: Schedule = Schedule(),  # noqa: B008 - frozen
    streams: list[Stream] | None = None,
    place: int = 0,
) -> DisturbedGame:
    """Return a disturbed game at its start; those of one place share an emulator."""
    ale, start = loaded(game, place)
    ale.restoreSystemState(start)
    rows = rows_of(game, effect, probability)
    draws = streams or [Stream(np.random.SeedSequence([0, k])) for k in range(len(rows))]
    disturbed = DisturbedGame(ale, rows, schedule, draws, skip=1, original=original)
    disturbed.begin()
    return disturbed


def frame(game: DisturbedGame, action: int) -> tuple[np.ndarray, float]:
    picture = np.empty((210, 160, 3), np.uint8)
    reward = game.frame(action, picture)
    return picture, reward


@pytest.mark.parametrize("game", ROMS)
def test_without_rows_it_equals_the_plain_engine(game: str) -> None:
    suite = STORI.make_unofficial({"max_episode_steps": 300})
    task = suite.task(f"{game}/3.1")
    constants = suite.constants(task)
    seeds = np.array([5, 77], dtype=np.int64)
    plain = AtariEnvs(task.assets["rom"], constants, seeds)
    ours = StoriEnvs(task.assets["rom"], constants, seeds, (), Schedule())
    assert plain.single_action_space == ours.single_action_space
    assert plain.single_observation_space == ours.single_observation_space
    (a, info_a), (b, info_b) = plain.reset(), ours.reset()
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(info_a["start"], info_b["start"])
    generator, ends = np.random.default_rng(0), 0
    for _ in range(400):
        actions = generator.integers(plain.single_action_space.n, size=2)
        x, y = plain.step(actions), ours.step(actions)
        for one, other in zip(x[:4], y[:4], strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(x[4]["life_lost"], y[4]["life_lost"])
        if (ended := x[2] | x[3]).any():
            np.testing.assert_array_equal(x[4]["final_obs"][ended], y[4]["final_obs"][ended])
            np.testing.assert_array_equal(x[4]["start"][ended], y[4]["start"][ended])
        ends += ended.sum()
    assert ends > 0


def test_a_time_out_is_no_end_of_the_game() -> None:
    task = STORI.task("Boxing/1")
    suite = STORI.make_unofficial({"max_episode_steps": 7})
    env = suite.make(task, split="train", num_envs=1, seed=0)
    env.reset()
    flags = [env.step(np.array([0]))[2:4] for _ in range(14)]
    assert [k for k, (_, truncated) in enumerate(flags) if truncated[0]] == [6, 13]
    assert not any(terminated[0] for terminated, _ in flags)


@pytest.mark.parametrize("suite", [STORI, ORIGINAL], ids=lambda suite: suite.name)
@pytest.mark.parametrize("name", [task.name for task in STORI.tasks])
def test_a_slot_does_not_depend_on_how_many_there_are(suite: Suite, name: str) -> None:
    task = suite.task(name)
    assert played(suite, task, slots=1)[0] == played(suite, task, slots=2)[0]


def begun(task: Task) -> list[list[Any]]:
    """Return what came of the first 20 steps of one slot, of those that other tests play too."""
    return [trace[: 1 + 20 * 5] for trace in played(STORI, task, slots=1)]


def test_another_seed_is_another_trajectory() -> None:
    for task in (task for task in STORI.tasks if "Gopher" not in task.name):  # begins slowly
        # Two seeds can draw as many no-ops; four do not.
        first = begun(task)
        traces = (played(STORI, task, slots=1, seed=seed, steps=20) for seed in range(3))
        assert any(trace != first for trace in traces), task.name


def test_processes_agree() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests/suites'); sys.path.insert(0, 'tests')\n"
        "from test_stori import STORI, played\n"
        "print([played(STORI, task, slots=1, steps=20) for task in STORI.tasks[::3]])"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=200
    )
    assert other.stdout == f"{[begun(task) for task in STORI.tasks[::3]]}\n"


@pytest.mark.parametrize("game", ROMS)
def test_looking_changes_nothing(game: str) -> None:
    """What a frame does is the same whether or not its picture is taken."""
    # One of each kind of picture: the others differ in rectangles and bytes alone.
    kinds = [mode for mode in modes_of(game) if mode.startswith(("random", "ram", "event"))]
    for effect in [*kinds, "crop 5", "blackout 1"]:
        for original in (False, True):
            seen, unseen = (
                game_of(game, effect, 0.5, original=original, place=place) for place in range(2)
            )
            generator = np.random.default_rng(1)
            for _ in range(40):
                action = int(generator.integers(len(seen.actions)))
                assert frame(seen, action)[1] == unseen.frame(action), effect
                assert (seen.ale.getRAM() == unseen.ale.getRAM()).all(), effect


def test_masks_do_not_depend_on_the_policy() -> None:
    """A disc is about the same point in every frame, whatever is played."""

    def hidden(action: int) -> list[int]:
        game = game_of("Breakout", "crop 5")
        game.actions = [ale_py.Action.NOOP, ale_py.Action.FIRE, ale_py.Action.RIGHT]
        return [zlib.crc32((frame(game, action)[0] == 0).all(axis=2)[20:30].tobytes())
                for _ in range(60)]  # fmt: skip

    # Rows 20 to 30 show the grey wall, which no ball reaches: only the mask blackens them.
    assert hidden(0) == hidden(2)
    assert len(set(hidden(0))) > 10


def test_events_draw_in_every_frame() -> None:
    """Mended, an event's draws do not depend on what happens in the game."""
    nexts = []
    for action in (0, 1):
        stream = Stream(np.random.SeedSequence(0))
        game = game_of("Breakout", "event 2", 0.25, streams=[stream])
        for _ in range(100):
            game.frame(action)
        nexts.append(stream.uniform())
    assert nexts[0] == nexts[1]


def boxing_rewards(original: bool) -> tuple[list[float], list[float]]:
    """Return the rewards of a fight in which every hit is cancelled, and of it undisturbed."""
    cancelled = game_of("Boxing", "event 2", original=original)
    plain = game_of("Boxing", "none", place=1)
    generator = np.random.default_rng(5)
    actions = generator.integers(18, size=3000).tolist()
    return [cancelled.frame(a) for a in actions], [plain.frame(a) for a in actions]


def test_a_cancelled_hit_has_the_opposite_sign_in_the_original_alone() -> None:
    mended, plain = boxing_rewards(original=False)
    assert any(plain)
    assert not any(mended)
    faulty, _ = boxing_rewards(original=True)
    assert any(faulty)


@pytest.mark.parametrize("game", ["Boxing", "Breakout"])
def test_a_hidden_picture_is_of_the_same_frame(game: str) -> None:
    """But for what is hidden, it shows what the undisturbed game shows, not one frame ahead."""
    hidden, plain = game_of(game, "ram 2"), game_of(game, "none", place=1)
    generator = np.random.default_rng(2)
    differing = []
    for _ in range(200):
        action = int(generator.integers(len(plain.actions)))
        (a, reward_a), (b, reward_b) = frame(hidden, action), frame(plain, action)
        assert reward_a == reward_b
        differing.append((a != b).any(axis=2).mean())
    assert max(differing) > 0  # something is hidden
    assert max(differing) < 0.06  # and the rest is as it is


def test_concept_b_comes_after_so_many_steps_and_goes() -> None:
    def seen(kind: Any, original: bool) -> list[bool]:
        game = game_of("Breakout", "crop 1", schedule=Schedule(kind, 5), original=original)
        return [not frame(game, 0)[0][:, :80].any() for _ in range(20)]

    assert seen("sudden", False) == [False] * 5 + [True] * 15
    assert seen("sudden", True) == [False] * 4 + [True] * 16
    for original in (False, True):
        assert seen("cyclic", original) == ([False] * 5 + [True] * 5) * 2


def test_a_carrot_dies_late_in_every_episode_but_in_the_originals_second() -> None:
    def dies(original: bool) -> list[int]:
        game = game_of("Gopher", "event 3", original=original)
        out = []
        for _ in range(2):
            before = game.ale.getRAM()[52]
            out.append(next(
                k for k in range(400) if game.frame(0) == 0 and game.ale.getRAM()[52] != before
            ))  # fmt: skip
            game.ale.reset_game()
            game.begin()
        return out

    assert dies(original=False) == [238, 238]
    assert dies(original=True) == [238, 0]


def test_many_switches_are_no_trouble() -> None:
    """The original nests a wrapper at every switch, and fails after some thousand."""
    game = game_of("Breakout", "event 1", 0.5, schedule=Schedule("cyclic", 1))
    for _ in range(5000):
        game.frame(0)
        if game.ale.game_over():
            game.ale.reset_game()
            game.begin()


def test_every_setting_of_the_paper_does_something() -> None:
    for task in STORI.tasks:
        if task.clean:
            steps = 400 if "2." in task.name else 60
            clean = played(STORI, STORI.task(task.clean), slots=1, steps=steps)
            if task.name not in ("Boxing/2.1", "BankHeist/2.1", "Gopher/2.1", "BankHeist/2.2",
                                 "Gopher/2.2"):  # rare, or later  # fmt: skip
                assert played(STORI, task, slots=1, steps=steps) != clean, task.name


def test_transfer_trains_in_the_game_as_it_is() -> None:
    suite = suites.get("stori-transfer")
    for name in ("Breakout/3.2A", "Boxing/2.1"):
        task = suite.task(name)
        seen = []
        for rows in (None, ()):
            env = suite.make(task, split="train", num_envs=1, seed=0)
            assert isinstance(env, StoriEnvs)
            if rows is not None:
                seeds = slot_seeds(suite.stream(task, "train", 0), 1, "train")
                env = StoriEnvs(task.assets["rom"], suite.constants(task), seeds, rows, Schedule())
            seen.append([env.reset()[0], *(env.step(np.array([k % 3]))[0] for k in range(30))])
        np.testing.assert_array_equal(*seen)
    task = suite.task("Breakout/3.2A")
    obs, _ = suite.make(task, split="eval", num_envs=1, seed=0).reset()
    assert not obs[0, 50:54, 4:60].any()  # where the ball is hidden


def pictures() -> Iterator[np.ndarray]:
    generator = np.random.default_rng(0)
    for _ in range(50):
        yield generator.integers(0, 256, size=(210, 160, 3), dtype=np.uint8)
        rough = generator.integers(0, 256, size=(21, 16, 3), dtype=np.uint8)
        yield rough.repeat(10, axis=0).repeat(10, axis=1)


def test_pictures_shrink_as_by_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    shrink, out = Shrinker((210, 160), (64, 64)), np.empty((64, 64, 3), np.uint8)
    for picture in pictures():
        shrink(picture, out)
        theirs = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(out, theirs)


@pytest.mark.parametrize("size", [(105, 80), (7, 160), (210, 160), (1, 1)])
def test_pictures_shrink_to_means_of_areas(size: tuple[int, int]) -> None:
    shrink, out = Shrinker((210, 160), size), np.empty((*size, 3), np.uint8)
    high, wide = 210 // size[0], 160 // size[1]
    for picture in pictures():
        shrink(picture, out)
        sums = picture.reshape(size[0], high, size[1], wide, 3).sum(axis=(1, 3), dtype=np.int64)
        np.testing.assert_array_equal(out, (2 * sums + high * wide) // (2 * high * wide))


def test_pictures_do_not_grow() -> None:
    with pytest.raises(UsageError, match="cannot be shrunk to 211x64"):
        Shrinker((210, 160), (211, 64))


def test_the_settings_are_all_different() -> None:
    names = ("stori", "stori-original", "stori-transfer")
    digests = {suite.digest(task) for suite in map(suites.get, names) for task in suite.tasks}
    assert len(digests) == 3 * 24
    assert STORI.protocol_of(STORI.task("breakout-3.2a")).environment["effect"] == "blackout 10"


def test_the_table_has_the_modes_of_the_original() -> None:
    assert {game: len(modes_of(game)) for game in ROMS} == {
        "Breakout": 24, "Boxing": 23, "Gopher": 34, "BankHeist": 28
    }  # fmt: skip
    for game in ROMS:
        for effect in modes_of(game):
            assert all(isinstance(row, Row) for row in rows_of(game, effect, 0.5))
    with pytest.raises(KeyError):
        rows_of("Breakout", "blackout 12", 1.0)
    top = rows_of("Boxing", "blackout 4", 1.0)[0].effects[0]
    assert isinstance(top, Paint)
