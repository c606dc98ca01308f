"""Names and other text: what cannot be seen, what looks like another's name, paths."""

import pytest

from rlbench.results.text import (
    first_invisible,
    is_visible,
    published_look_alike,
    without_paths,
)


@pytest.mark.parametrize(
    "text",
    [
        "a\nb", "a\x1b[31m", "evil\u202ename", "zero\u200bwidth", "\ud800", "soft\u00adhyphen",
        "joiner\u034fhere", "filler\u3164", "selector\ufe0f", "blank\u2800", "tag\U000e0041",
        "line\u2028", "nbsp\u00a0", "private\ue000",
    ],
)  # fmt: skip
def test_text_that_cannot_be_seen(text: str) -> None:
    assert not is_visible(text)
    assert first_invisible({"a": [1, {"b": text}]}) == text
    assert first_invisible({text: 1}) == text


@pytest.mark.parametrize("text", ["", "SPR", "DrQ(ε)", "深層強化学習", "José", "Δ-IRIS", "🤖"])
def test_text_that_can_be_seen(text: str) -> None:
    assert is_visible(text)
    assert first_invisible({"a": [text]}) is None


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("\u0405PR", "SPR"),
        ("\u0412\u0412F", "BBF"),
        ("D\u0433Q(eps)", None),
        ("\u03a1PO", "PPO"),
        ("\u03a1PO 2", None),
        ("SPR", None),
        ("spr", None),
        ("Δ-IRIS", None),
    ],
)
def test_names_that_look_like_those_of_published_agents(name: str, like: str | None) -> None:
    assert published_look_alike(name) == like


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/home/ann/my runs/w.npz'", "No such file: 'w.npz'"),
        ('File "/home/ann/agents/x.py", line 3', 'File "x.py", line 3'),
        ("cannot open /srv/data/w.npz: denied", "cannot open w.npz: denied"),
        ("at C:\\Users\\ann\\x.py here", "at x.py here"),
        (
            "ratio 3/4, and/or, 7 m/s, https://x.org/a/b",
            "ratio 3/4, and/or, 7 m/s, https://x.org/a/b",
        ),
        ("agents/x.py and ./y.py", "agents/x.py and ./y.py"),
    ],
)
def test_paths_of_a_machine_are_cut(text: str, shown: str) -> None:
    assert without_paths(text) == shown
