"""What the suites' own `papers` functions are made of: fields by which protocols are told apart."""

from collections.abc import Mapping

from rlbench.suites.suite import Constant

Field = bool | int | float | str | None
Constants = Mapping[str, Constant]


def number(constants: Constants, name: str) -> int:
    """Return a constant that is a whole number."""
    value = constants[name]
    assert isinstance(value, int)
    return value


def field(constants: Constants, name: str) -> Field:
    """Return a constant that is no tuple."""
    value = constants[name]
    assert not isinstance(value, tuple)
    return value


def picture(constants: Constants, colours: str) -> str:
    """Return size and colours, e.g. ``84x84 gray``."""
    return f"{constants['height']}x{constants['width']} {colours}"
