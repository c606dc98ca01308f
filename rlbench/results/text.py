"""Text that shows itself: nothing in it is invisible, moves the cursor or poses as another name."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

# An absolute path; in quotes it may hold spaces. The one in a web address is none.
_PATH = re.compile(
    r"""(?P<quote>['"])(?:[A-Za-z]:)?[\\/][^'"]+(?P=quote)"""
    r"""|(?<![\w:/.\\~-])(?:[A-Za-z]:[\\/]|/)[^\s'",;:()]+"""
)

# Characters that Python counts as printable though nothing is seen of them: fillers, joiners,
# selectors of variants and the blank Braille pattern (Unicode 15, Default_Ignorable_Code_Point).
_UNSEEN = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
_UNSEEN |= {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}

# Letters that look like Latin ones: Cyrillic, Greek and a few others (after Unicode's TS 39).
_LATIN = str.maketrans(
    "АВЕЅІЈКМНОРСТХУҮЗԚԜѴаеѕіјорсухԁԛԝѵһӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧανοριυγωϲͿıɡɑꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ01",
    "ABESIJKMHOPCTXYY3QWVaesijopcyxdqwvhlABEZHIKMNOPTYXavopiuywcJigaBPDTGKJCZFNLSRVHWXYAEIOUOl",
)


def is_visible(text: str) -> bool:
    r"""Say whether text holds only characters that are seen, and ordinary spaces.

    >>> is_visible("DrQ(ε)"), is_visible("SPR\u200b"), is_visible("a\tb"), is_visible("\ud800")
    (True, False, False, False)
    """
    if text.isascii():
        return text.isprintable()
    return text.isprintable() and not any(ord(letter) in _UNSEEN for letter in text)


def first_invisible(value: Any) -> str | None:
    """Return the first text in JSON data, keys included, that is not visible."""
    return next((text for text in _texts(value) if not is_visible(text)), None)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if not isinstance(item, int | float):
                yield from _texts(item)


def without_paths(text: str) -> str:
    """Return text with absolute paths cut down to the names of their files.

    >>> without_paths("no '/home/ann/a b/w.npz' in /srv/x (see https://x.org/a/b)")
    "no 'w.npz' in x (see https://x.org/a/b)"
    """
    return _PATH.sub(_base_name, text)


def one_line(text: str) -> str:
    """Return text fit for a record: one visible line of at most 2,000 characters, without paths."""
    line = without_paths(" ".join(text.split()))
    return "".join(c if is_visible(c) else "?" for c in line)[:2000] or "no reason given"


def _base_name(match: re.Match[str]) -> str:
    quote = match["quote"] or ""
    path = match[0].removeprefix(quote).removesuffix(quote).rstrip("/\\")
    return quote + re.split(r"[/\\]", path)[-1] + quote


def published_look_alike(name: str) -> str | None:
    r"""Return the published agent that a name looks like without being equal to it.

    Only names with letters outside ASCII can look like another: ``spr`` is not ``SPR``.

    >>> published_look_alike("\u0405PR"), published_look_alike("SPR")
    ('SPR', None)
    """
    if name.isascii():
        return None
    return _published().get(skeleton(name))


def skeleton(name: str) -> str:
    """Return a name in the Latin letters that it looks like, without marks and spaces."""
    plain = unicodedata.normalize("NFKD", name)
    letters = (c for c in plain if not unicodedata.combining(c) and not c.isspace())
    return "".join(letters).translate(_LATIN)


@cache
def _published() -> dict[str, str]:
    from rlbench.results.published.source import SOURCES

    return {skeleton(source.agent): source.agent for source in SOURCES}
