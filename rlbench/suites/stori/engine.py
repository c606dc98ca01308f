"""What rows of perturbations do to a game, frame by frame, over ale-py's emulator."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np
from ale_py import Action, ALEInterface
from numpy.typing import NDArray

from rlbench.suites.stori.modes import HEIGHT, WIDTH
from rlbench.suites.stori.perturbations import (
    Chance,
    Changed,
    ClearOneBit,
    Condition,
    CopyStart,
    Disc,
    Effect,
    Fires,
    HasBit,
    Left,
    NoReward,
    Once,
    OtherValue,
    Paint,
    Peek,
    Poke,
    PokeByTable,
    RandomAction,
    Rectangle,
    Restore,
    Row,
    Schedule,
    Since,
    Toggled,
    Write,
)

Picture = NDArray[np.uint8]

_NOOP = 0
_FIRES = frozenset((Action.FIRE, Action.UPFIRE, Action.RIGHTFIRE, Action.LEFTFIRE))
_BLOCK = 64  # uniform numbers drawn at once


class Draws(Protocol):
    """Where a row's random numbers come from."""

    def uniform(self) -> float:
        """Return a number of [0, 1)."""

    def below(self, number: int) -> int:
        """Return an integer from 0 to number - 1."""

    def one_of(self, options: Sequence[int]) -> int:
        """Return one of the options."""


class Stream:
    """Draws from a generator of its own, independent of what is done with them."""

    def __init__(self, seed: np.random.SeedSequence) -> None:
        uniform, integers = seed.spawn(2)
        self._uniform = np.random.default_rng(uniform)
        self._integers = np.random.default_rng(integers)
        self._ahead: list[float] = []

    def uniform(self) -> float:
        """Return a number of [0, 1)."""
        if not self._ahead:
            self._ahead = self._uniform.random(_BLOCK).tolist()[::-1]
        return self._ahead.pop()

    def below(self, number: int) -> int:
        """Return an integer from 0 to number - 1."""
        return int(self._integers.integers(number))

    def one_of(self, options: Sequence[int]) -> int:
        """Return one of the options."""
        return options[self.below(len(options))]


class _PictureRow(NamedTuple):
    """A row of the stage ``picture``.

    Attributes:
        draw: Draws what it needs; says whether it holds.
        show: Changes the picture.
        show_ahead: Puts the picture of one NOOP ahead with other RAM in its place.
        pokes: What is written into the RAM for the picture's sake.
    """

    draw: Callable[[], bool]
    show: Callable[[Picture], None]
    show_ahead: Callable[[Picture], None]
    pokes: tuple[Poke | PokeByTable, ...]


class DisturbedGame:
    """A game of which rows change actions, RAM, rewards and pictures, a frame at a time.

    Args:
        ale: The emulator, with its ROM, without sticky actions.
        rows: What is done.
        schedule: When the rows are in force.
        draws: A source of random numbers for each row.
        skip: Frames of a step, by which the schedule counts.
        original: Do exactly what the original STORI does, its faults included: draws only if all
            conditions before them hold; a picture with other RAM is that of one NOOP ahead; a
            score that is taken back gives the opposite reward in the next frame; concept B begins
            anew at each switch, and a step early if it is sudden; frames count over episodes.
    """

    def __init__(
        self,
        ale: ALEInterface,
        rows: Sequence[Row],
        schedule: Schedule,
        draws: Sequence[Draws],
        *,
        skip: int = 4,
        original: bool = False,
    ) -> None:
        self.ale = ale
        self.actions = ale.getMinimalActionSet()
        self._schedule, self._skip, self._original = schedule, skip, original
        self._watches = any(_needs_ram(row) for row in rows)
        # What conditions and effects look at and change.
        self.ram = self.previous = self.seen = self.start = b""
        self.reward = 0.0
        self.action = _NOOP
        self.frames = 0
        self._owed = 0.0
        self._in_force = False
        self._begins: list[Callable[[], None]] = []
        compiled = [(row.stage, self._row(row, d)) for row, d in zip(rows, draws, strict=True)]
        self._before_frame = [act for stage, act in compiled if stage in ("action", "before")]
        self._after_frame = [act for stage, act in compiled if stage == "after"]
        self._pictures = [
            self._picture_row(row, d)
            for row, d in zip(rows, draws, strict=True)
            if row.stage == "picture"
        ]

    def begin(self, out: Picture | None = None) -> None:
        """Take the emulator's state as the start of an episode.

        Args:
            out: (210, 160, 3) to put the first picture into.
        """
        self.frames = 0
        self._owed = 0.0
        self._in_force = False
        self._switch(self._schedule.in_force(0))
        if self._watches:
            self.start = self.previous = self.seen = self.ale.getRAM().tobytes()
        self._forget()
        if out is not None:
            self.ale.getScreenRGB(out)
        if self._in_force:
            shown = [picture for picture in self._pictures if picture.draw()]
            if out is not None:
                for picture in shown:
                    picture.show(out)
                    picture.show_ahead(out)

    def frame(self, action: int, out: Picture | None = None) -> float:
        """Play one frame.

        Args:
            action: The index of an action of the minimal set.
            out: (210, 160, 3) to put the picture into, if it is wanted. What is done does not
                depend on whether it is.

        Returns:
            The reward.
        """
        self._switch(self._due())
        self.action = action
        if self._in_force:
            self._disturbed_frame(out)
        else:
            self.reward = float(self.ale.act(self.actions[action])) + self._pay()
            if out is not None:
                self.ale.getScreenRGB(out)
            if self._watches:
                self.previous = self.seen = self.ale.getRAM().tobytes()
        self.frames += 1
        return self.reward

    def _disturbed_frame(self, out: Picture | None) -> None:
        self.ram = self.previous
        for act in self._before_frame:
            act()
        shown = [picture for picture in self._pictures if picture.draw()]
        pokes = [poke for picture in shown for poke in picture.pokes]
        hides = out is not None and bool(pokes) and not self._original
        if out is not None and hides:
            self._see_otherwise(pokes, out)
        self.reward = float(self.ale.act(self.actions[self.action])) + self._pay()
        if out is not None and not hides:
            self.ale.getScreenRGB(out)
        if self._watches:
            seen = self.ram = self.ale.getRAM().tobytes()
            for act in self._after_frame:
                act()
            self.previous, self.seen = self.ram, seen
        if out is not None:
            for picture in shown:
                picture.show(out)
                if self._original:
                    picture.show_ahead(out)

    def _due(self) -> bool:
        """Say whether the rows are in force in the frame that comes."""
        step = self.frames // self._skip
        early = self._original and self._schedule.kind == "sudden"
        return self._schedule.in_force(step + early)

    def _switch(self, in_force: bool) -> None:
        if in_force and not self._in_force and self._original and self._watches:
            self.start = self.previous = self.seen = self.ale.getRAM().tobytes()
            self._forget()
        self._in_force = in_force

    def _forget(self) -> None:
        """Begin anew what rows keep in mind."""
        for begin in self._begins:
            begin()

    def _pay(self) -> float:
        owed, self._owed = self._owed, 0.0
        return owed

    def _write(self, byte: int, value: int) -> None:
        self.ale.setRAM(byte, value)
        self.ram = self.ram[:byte] + bytes((value,)) + self.ram[byte + 1 :]

    # --- Rows, compiled once into functions without arguments.

    def _row(self, row: Row, draws: Draws) -> Callable[[], None]:
        holds = self._conditions(row.when, draws)
        effects = [self._effect(effect, draws) for effect in row.effects if _acts(effect)]
        otherwise = [self._effect(effect, draws) for effect in row.otherwise]

        def act() -> None:
            for effect in effects if holds() else otherwise:
                effect()

        return act

    def _picture_row(self, row: Row, draws: Draws) -> _PictureRow:
        holds = self._conditions(row.when, draws)
        patches = [
            _patch(rectangle)
            for effect in row.effects
            if isinstance(effect, Paint)
            for rectangle in effect.rectangles
        ]
        peeks = [effect for effect in row.effects if isinstance(effect, Peek)]
        disc = next((effect for effect in row.effects if isinstance(effect, Disc)), None)
        mask = _disc_mask(disc.radius) if disc else None
        centre = [0, 0]

        def draw() -> bool:
            held = holds()
            # Mended, it draws in every frame, so that no draw depends on another.
            if disc and (held or not self._original):
                centre[:] = draws.below(WIDTH), draws.below(HEIGHT)
            return held

        def show(out: Picture) -> None:
            for rows, columns, patch in patches:
                out[rows, columns] = patch
            if mask is not None:
                x, y = centre
                out &= mask[HEIGHT - y : 2 * HEIGHT - y, WIDTH - x : 2 * WIDTH - x]

        def show_ahead(out: Picture) -> None:
            for peek in peeks:
                self._peek(peek, out)

        pokes = tuple(poke for peek in peeks for poke in peek.pokes)
        return _PictureRow(draw, show, show_ahead, pokes)

    def _conditions(self, when: Sequence[Condition], draws: Draws) -> Callable[[], bool]:
        def is_drawn(condition: Condition) -> bool:
            return isinstance(condition, Chance | Toggled)

        ordered = when if self._original else sorted(when, key=is_drawn, reverse=True)
        used: set[int] = set()
        tests = [self._condition(condition, draws, used) for condition in ordered]
        once = next((condition for condition in when if isinstance(condition, Once)), None)
        if once:
            self._begins.append(used.clear)

        def holds() -> bool:
            for test in tests:
                if not test():
                    return False
            if once:
                used.add(self._remainder(once))
            return True

        return holds

    def _remainder(self, once: Once) -> int:
        return 0 if once.byte is None else self.ram[once.byte] % once.modulus

    def _condition(self, c: Condition, draws: Draws, used: set[int]) -> Callable[[], bool]:
        if isinstance(c, Chance):
            return lambda: draws.uniform() < c.probability
        if isinstance(c, Toggled):
            return self._toggled(c, draws)
        if isinstance(c, Changed):
            return lambda: self._has_changed(c)
        if isinstance(c, Left):
            return lambda: any(self.previous[byte] == c.value != self.ram[byte] for byte in c.bytes)
        if isinstance(c, HasBit):
            return lambda: self.ram[c.byte] % (1 << c.bits) > 0
        if isinstance(c, Fires):
            return lambda: self.actions[self.action] in _FIRES
        if isinstance(c, Once):
            return lambda: self._remainder(c) not in used
        return lambda: self._age() >= c.frame

    def _toggled(self, c: Toggled, draws: Draws) -> Callable[[], bool]:
        on = [False]

        def begin() -> None:
            on[0] = False

        def toggle() -> bool:
            on[0] ^= draws.uniform() < c.probability
            return on[0]

        self._begins.append(begin)
        return toggle

    def _has_changed(self, c: Changed) -> bool:
        old = self._old(c.since)
        number = sum(self.ram[byte] != old[byte] for byte in c.bytes)
        return number == c.exactly if c.exactly else number > 0

    def _old(self, since: Since) -> bytes:
        if since == "start":
            return self.start
        return self.previous if since == "previous" else self.seen

    def _age(self) -> int:
        """Return the frames before this one: of the episode, or as the original counts them."""
        return self.ale.getFrameNumber() - 1 if self._original else self.frames

    def _effect(self, e: Effect, draws: Draws) -> Callable[[], None]:
        if isinstance(e, RandomAction):
            return lambda: self._act_randomly(e, draws)
        if isinstance(e, Restore):
            return lambda: self._restore(e, draws)
        if isinstance(e, CopyStart):
            return lambda: self._copy_start(e)
        if isinstance(e, Write):
            return lambda: self._write_pokes(e)
        if isinstance(e, OtherValue):
            return lambda: self._write(
                e.byte,
                draws.one_of([k for k in range(e.number) if k != self.ram[e.byte] % e.number]),
            )
        if isinstance(e, ClearOneBit):
            return lambda: self._clear_one_bit(e, draws)
        assert isinstance(e, NoReward), e
        return self._cancel_reward

    def _act_randomly(self, e: RandomAction, draws: Draws) -> None:
        self.action = draws.below(e.number or len(self.actions))

    def _restore(self, e: Restore, draws: Draws) -> None:
        old = self._old(e.since)
        found = [byte for byte in e.bytes if self.ram[byte] != old[byte]]
        if e.under:
            c, x = e.under, self.ram[e.under.byte]
            found = [
                byte
                for byte in found
                if 0 <= x - c.left - c.width * ((byte - e.bytes[0]) % c.columns) <= c.width - 1
            ]
        for byte in [draws.one_of(found)] if e.one else found:
            self._write(byte, old[byte])
        if found and e.cancels_reward:
            if e.is_score and not self._original:
                self._owed = self.reward
            self._cancel_reward()

    def _cancel_reward(self) -> None:
        self.reward = 0.0

    def _copy_start(self, e: CopyStart) -> None:
        for to, origin in e.pairs:
            self._write(to, self.start[origin])

    def _clear_one_bit(self, e: ClearOneBit, draws: Draws) -> None:
        value = self.ram[e.byte]
        set_ = [bit for bit in range(e.bits) if value >> bit & 1]
        if set_:
            self._write(e.byte, value & ~(1 << draws.one_of(set_)))

    def _poke(self, pokes: Sequence[Poke | PokeByTable]) -> bool:
        """Write bytes; say whether any was written."""
        ram = self.ale.getRAM()
        written = False
        for poke in pokes:
            old = int(ram[poke.byte])
            if isinstance(poke, PokeByTable):
                value = poke.table[int(ram[poke.index]) % len(poke.table)]
            elif poke.only_if not in (None, old) or (poke.below and old >= poke.below):
                continue
            else:
                value = old & poke.keep | poke.value
            written |= value != old
            self.ale.setRAM(poke.byte, value)
        return written

    def _write_pokes(self, e: Write) -> None:
        self._poke(e.pokes)
        self.ram = self.ale.getRAM().tobytes()

    def _see_otherwise(self, pokes: Sequence[Poke | PokeByTable], out: Picture) -> None:
        """Show the picture of the frame that comes as it would be with other RAM."""
        state = self.ale.cloneState()
        self._poke(pokes)
        self.ale.act(self.actions[self.action])
        self.ale.getScreenRGB(out)
        self.ale.restoreState(state)

    def _peek(self, e: Peek, out: Picture) -> None:
        """Show the picture of one NOOP ahead with other RAM, and go back."""
        state = self.ale.cloneState()
        if self._poke(e.pokes) or e.always:
            self.ale.act(self.actions[_NOOP])
            self.ale.getScreenRGB(out)
        self.ale.restoreState(state)


def _acts(effect: Effect) -> bool:
    """Say whether an effect is done in the game, not on its picture."""
    return not isinstance(effect, Paint | Disc | Peek)


def _needs_ram(row: Row) -> bool:
    """Say whether a row looks at the game's RAM in every frame."""
    effects = (*row.effects, *row.otherwise)
    return any(isinstance(c, Changed | Left | HasBit | Once) for c in row.when) or any(
        isinstance(e, Restore | CopyStart | Write | OtherValue | ClearOneBit) for e in effects
    )


def _patch(r: Rectangle) -> tuple[slice, slice, Picture]:
    """Return where a rectangle lies, and what is copied there: faster than one colour."""
    rows, columns = slice(r.top, r.bottom + 1), slice(r.left, r.right + 1)
    shape = (r.bottom + 1 - r.top, r.right + 1 - r.left, 1)
    return rows, columns, np.tile(np.array(r.colour, dtype=np.uint8), shape)


@cache
def _disc_mask(radius: int) -> Picture:
    """Return a mask (420, 320, 3) of a disc about (210, 160): 255 inside, 0 outside."""
    y, x = np.mgrid[-HEIGHT:HEIGHT, -WIDTH:WIDTH]
    inside = x**2 + y**2 <= radius**2
    return np.repeat(np.where(inside, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
