"""The modes of the original STORI as rows: what is disturbed, where and how, in four games.

From ARY2260/stori (commit 84a1380; Barsainyan, Lim and Liu 2025, arXiv 2509.01793). A mode has a
kind of the original's configuration and its number there: ``crop 5``, ``blackout 10``, ``ram 2``,
``event 3``; and ``random action``. No class, no branch stands for a game.
"""

from collections.abc import Mapping

from rlbench.suites.stori.perturbations import (
    Chance,
    Changed,
    ClearOneBit,
    Colour,
    Column,
    CopyStart,
    Disc,
    Effect,
    Fires,
    HasBit,
    Left,
    NoReward,
    NotBefore,
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
    Toggled,
    Write,
)

WIDTH, HEIGHT = 160, 210  # of the picture

_ALL = (0, 159, 0, 209)
_CROPS: Mapping[int, tuple[Effect, ...]] = {
    0: (),
    1: (Paint((Rectangle(0, 79, 0, 209),)),),
    2: (Paint((Rectangle(80, 159, 0, 209),)),),
    3: (Paint((Rectangle(0, 159, 0, 104),)),),
    4: (Paint((Rectangle(0, 159, 105, 209),)),),
    5: (Disc(75),),
}

# --- Breakout: the wall is bytes 0 to 35, the ball 99 (x) and 101 (y).

_WALL = tuple(range(36))
_BLOCKS = Rectangle(8, 151, 57, 92)
_PADDLE = Rectangle(7, 152, 189, 195)
_SCORE = Rectangle(2, 158, 3, 16)
_BALL_TOP = Rectangle(8, 151, 105, 130)
_BALL_MIDDLE = Rectangle(8, 151, 131, 156)
_BALL_BOTTOM = Rectangle(8, 151, 157, 182)

# The original's author marks this one as faulty.
_PATTERN = {
    0: 62, 1: 61, 2: 60, 3: 62, 5: 60, 6: 240, 7: 127, 8: 120, 9: 112, 10: 119, 11: 120, 12: 0,
    **dict.fromkeys(range(13, 18), 240),
    18: 57, 19: 218, **dict.fromkeys(range(20, 24), 219), 24: 239, 25: 239, 26: 238, 27: 237,
    28: 235, 29: 231,
}  # fmt: skip

# --- Boxing: x 32 and 33, y 34 and 35, score 18 and 19 (player, enemy), colours 1 to 3.

_RING_COLOUR: Colour = (110, 156, 66)


def _ring(left: int, right: int, top: int, bottom: int) -> Rectangle:
    return Rectangle(left, right, top, bottom, _RING_COLOUR)


_RING = _ring(32, 127, 36, 176)
_ENEMY_SCORE = _ring(87, 134, 1, 16)
_PLAYER_SCORE = _ring(33, 69, 1, 16)
_CLOCK = _ring(57, 97, 14, 27)

# --- Gopher: what is dug is bytes 0 to 23 in six columns, the farmer's x 31, carrots bits of 52.

_GROUND = tuple(range(24))
_UNDER_FARMER = Column(byte=31, columns=6, left=19.0, width=130 / 6)
_DUG_BEFORE: Colour = (187, 159, 71)
_DUG: Colour = (223, 183, 85)


def _across(top: int, bottom: int, colour: Colour = (0, 0, 0)) -> Rectangle:
    return Rectangle(0, 159, top, bottom, colour)


def _attack(left: int, right: int) -> tuple[Rectangle, ...]:
    return (
        Rectangle(left, right, 146, 150, (101, 209, 174)),
        Rectangle(left, right, 151, 155, (117, 231, 194)),
        Rectangle(left, right, 156, 160, (132, 252, 212)),
    )


_ATTACK_LEFT, _ATTACK_RIGHT = _attack(0, 59), _attack(100, 159)
_ROWS = ((161, 168), (168, 176), (176, 182), (183, 194))
_FARMER, _BELOW_NOSE = _across(87, 145), _across(104, 145)
_DUCK, _GOPHER_SCORE = _across(26, 56), _across(0, 25)

# --- BankHeist: the city 0, bomb 12, banks and police 24 to 26, fuel 86 (0 is full).

_BANKS = (24, 25, 26)
_WALL_TOP, _WALL_LEFT = Rectangle(12, 147, 37, 44), Rectangle(12, 15, 37, 177)
_WALL_BOTTOM, _WALL_RIGHT = Rectangle(12, 147, 173, 177), Rectangle(144, 147, 37, 177)
_FUEL = Rectangle(12, 73, 11, 36, (0, 0, 148))
_LIVES = Rectangle(78, 147, 11, 36, (0, 0, 148))
_BANK_SCORE = Rectangle(12, 147, 178, 186, (162, 98, 33))

_BLACKOUTS: Mapping[str, Mapping[int, tuple[Rectangle, ...]]] = {
    "Breakout": {
        1: (_BLOCKS, _PADDLE, _SCORE, _BALL_TOP, _BALL_MIDDLE, _BALL_BOTTOM),
        2: (_BLOCKS,),
        3: (_PADDLE,),
        4: (_SCORE,),
        5: (_BALL_TOP,),
        6: (_BALL_MIDDLE,),
        7: (_BALL_BOTTOM,),
        8: (_BLOCKS, _PADDLE),
        9: (_BLOCKS, _SCORE),
        10: (_BALL_TOP, _BALL_BOTTOM),
        11: (_BALL_TOP, _BALL_MIDDLE, _BALL_BOTTOM),
    },
    "Boxing": {
        1: (_RING, _ENEMY_SCORE, _PLAYER_SCORE, _CLOCK),
        2: (_ring(32, 80, 36, 176),),
        3: (_ring(81, 127, 36, 176),),
        4: (_RING,),
        5: (_ENEMY_SCORE,),
        6: (_PLAYER_SCORE,),
        7: (_ENEMY_SCORE, _PLAYER_SCORE),
        8: (_CLOCK,),
        9: (_ENEMY_SCORE, _PLAYER_SCORE, _CLOCK),
    },
    "Gopher": {
        1: (
            _across(161, 200, _DUG_BEFORE), _FARMER, _DUCK, _GOPHER_SCORE, *_ATTACK_LEFT,
            *_ATTACK_RIGHT,
        ),
        2: (*_ATTACK_LEFT, *_ATTACK_RIGHT),
        3: _ATTACK_LEFT,
        4: _ATTACK_RIGHT,
        5: (_across(161, 200, _DUG_BEFORE),),
        6: (_across(164, 200, _DUG_BEFORE),),
        **{7 + 2 * k: (_across(a, b, _DUG_BEFORE),) for k, (a, b) in enumerate(_ROWS)},
        **{8 + 2 * k: (_across(a, b, _DUG),) for k, (a, b) in enumerate(_ROWS)},
        15: (_FARMER,),
        16: (_BELOW_NOSE,),
        17: (_DUCK,),
        18: (_GOPHER_SCORE,),
    },
    "BankHeist": {
        1: (_WALL_TOP, _WALL_LEFT, _WALL_BOTTOM, _WALL_RIGHT, _FUEL, _LIVES, _BANK_SCORE),
        2: (_WALL_TOP, _WALL_LEFT, _WALL_BOTTOM, _WALL_RIGHT),
        3: (_WALL_TOP,),
        4: (_WALL_LEFT,),
        5: (_WALL_BOTTOM,),
        6: (_WALL_RIGHT,),
        7: (_WALL_LEFT, _WALL_RIGHT),
        8: (_FUEL,),
        9: (_LIVES,),
        10: (_BANK_SCORE,),
    },
}  # fmt: skip

_PEEKS: Mapping[str, Mapping[int, Peek]] = {
    "Breakout": {
        1: Peek(tuple(Poke(byte, value) for byte, value in _PATTERN.items())),
        2: Peek((Poke(99, 0), Poke(101, 0))),
    },
    "Boxing": {1: Peek((Poke(3, 214),)), 2: Peek((Poke(2, 214),)), 3: Peek((Poke(1, 214),))},
    "Gopher": {
        **{
            mode: Peek((Poke(52, 0, keep=255 - bits),))
            for mode, bits in {1: 0b100, 2: 0b010, 3: 0b001, 4: 0b111}.items()
        },
        5: Peek((Poke(92, 128),), always=False),
    },
    "BankHeist": {
        1: Peek((Poke(8, 155), Poke(28, 12))),
        2: Peek((Poke(86, 0),)),
        3: Peek((Poke(66, 0), Poke(68, 0))),
        4: Peek((PokeByTable(69, (30, 190, 46, 126), index=0),)),
        5: Peek(tuple(Poke(bank, 255, only_if=253) for bank in _BANKS), always=False),
        6: Peek(tuple(Poke(bank, 255, only_if=254) for bank in _BANKS), always=False),
    },
}


def _events(game: str, mode: int, p: float) -> tuple[Row, ...]:
    chance = Chance(p)
    table: Mapping[str, Mapping[int, tuple[Row, ...]]] = {
        "Breakout": {
            # A block that was hit stands again; in 2 for no reward.
            k: (Row(
                "after",
                (Changed(_WALL, "start"), Changed(_WALL, "previous"), chance),
                (Restore(_WALL, "previous", cancels_reward=k == 2),),
            ),)
            for k in (1, 2)
        }
        | {
            # A broken column is whole again.
            3: (Row(
                "after", (Changed(_WALL, "start"), chance), (Restore(_WALL, "start", one=True),)
            ),)
        },
        "Boxing": {
            # The boxers change colours.
            1: (Row(
                "before", (Toggled(p),), (CopyStart(((1, 2), (2, 1))),),
                (CopyStart(((1, 1), (2, 2))),),
            ),),
            # A hit does not count.
            2: (Row(
                "after",
                (Changed((18, 19), "previous", exactly=1), chance),
                (Restore((18, 19), "previous", cancels_reward=True, is_score=True),),
            ),),
            # The boxers find themselves in each other's corner.
            3: (Row("before", (chance,), (CopyStart(((32, 33), (33, 32), (34, 35), (35, 34))),)),),
        },
        "Gopher": {
            # What the farmer fills is open again; in 2 for no reward.
            k: (Row(
                "after",
                (Fires(), Changed(_GROUND, "start"), Changed(_GROUND, "previous"), chance),
                (Restore(
                    _GROUND, "previous", under=_UNDER_FARMER, cancels_reward=k == 2
                ),),
            ),)
            for k in (1, 2)
        }
        | {
            # A carrot dies.
            3: (Row(
                "after", (Once(), NotBefore(238), HasBit(52, 3), chance), (ClearOneBit(52, 3),)
            ),)
        },
        "BankHeist": {
            # A bomb is a dud.
            1: (Row(
                "after", (Changed((12,), "start"), Changed((12,), "seen"), chance),
                (Restore((12,), "seen"),),
            ),),
            # The fuel leaks, once a city.
            2: (Row(
                "after", (Once(byte=0, modulus=4), chance), (Write((Poke(86, 12, below=12),)),)
            ),),
            # The car is in another city.
            3: (Row("after", (chance,), (OtherValue(0, 4),)),),
            # A bank is empty.
            4: (Row("after", (Left(_BANKS, 253), chance), (NoReward(),)),),
        },
    }  # fmt: skip
    return table[game][mode]


def rows_of(game: str, effect: str, probability: float) -> tuple[Row, ...]:
    """Return the rows of a mode.

    Args:
        game: Breakout, Boxing, Gopher or BankHeist.
        effect: ``none``; ``random action``, or ``random action of the first 10``; or a kind and its
            number, e.g. ``blackout 10``.
        probability: That it acts in a frame.

    Raises:
        KeyError: The game has no such mode.
    """
    kind, _, number = effect.partition(" ")
    chance = (Chance(probability),)
    if effect == "none" or number == "0":
        # A picture that nothing is done to still takes its draw, as the original does.
        return (Row("picture", chance, ()),) if number == "0" and kind != "event" else ()
    if kind == "random":
        first = int(number.removeprefix("action of the first ")) if "first" in number else None
        return (Row("action", chance, (RandomAction(first),)),)
    if kind == "event":
        return _events(game, int(number), probability)
    mode = int(number)
    if kind == "crop":
        effects = _CROPS[mode]
    elif kind == "blackout":
        effects = (Paint(_BLACKOUTS[game][mode]),)
    else:
        effects = (_PEEKS[game][mode],)
    return (Row("picture", chance, effects),)


def modes_of(game: str) -> tuple[str, ...]:
    """Return the names of all modes of a game, as `rows_of` takes them."""
    events = {"Breakout": 3, "Boxing": 3, "Gopher": 3, "BankHeist": 4}
    return (
        "none",
        "random action",
        *(f"crop {k}" for k in _CROPS),
        *(f"blackout {k}" for k in _BLACKOUTS[game]),
        *(f"ram {k}" for k in _PEEKS[game]),
        *(f"event {k}" for k in range(1, events[game] + 1)),
    )
