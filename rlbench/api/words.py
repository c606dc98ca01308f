"""Text for people."""

from math import floor, log10

LEAST_P = 1e-4  # smaller p-values are shown as such: no test here is right that far in the tail


def printable(text: str) -> str:
    r"""Return text with escapes for what a terminal would obey, hide or not show.

    >>> printable("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def duration(seconds: float) -> str:
    """Return a duration for people, e.g. ``41 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    whole = round(seconds)
    for size, name, small_size, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // small_size} {small_name}"
    return f"{whole} s"


def size_text(number: float) -> str:
    """Return a number of bytes for people.

    >>> size_text(812), size_text(114_500), size_text(2.5e9)
    ('812 B', '114.5 kB', '2.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number:.0f} B"


def amount(value: float) -> str:
    """Return an amount that is not negative with two decimals, or more if it is small.

    >>> amount(1234.5), amount(0.0), amount(0.00316)
    ('1,234.50', '0.00', '0.0032')
    """
    decimals = 2 if value >= 0.1 or not value else 1 - floor(log10(value))
    return f"{value:,.{decimals}f}"


def p_value_text(p_value: float) -> str:
    """Return a p-value for people; the smallest have no figures.

    >>> p_value_text(0.0153), p_value_text(3e-20)
    ('0.015', '< 0.0001')
    """
    return f"< {LEAST_P:.4f}" if p_value < LEAST_P else f"{p_value:.2g}"


def format_cell(value: object) -> str:
    """Return the text of a table's cell."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
    return printable(str(value))
