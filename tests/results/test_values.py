"""Values are read and written in one way on the command line, in files and in tables."""

from pathlib import Path
from typing import Any

import pytest

from rlbench.errors import UsageError
from rlbench.results import unofficial_text
from rlbench.results.values import (
    MAX_DEPTH,
    parse_assignment,
    parse_assignments,
    parse_options,
    parse_value,
    plain,
    value_text,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("True", True),
        ("false", False),
        ("none", None),
        ("null", None),
        ("ReLU", "ReLU"),
        ("", ""),
        ("a b", "a b"),
        ("don't", "don't"),
        ("1.2.3", "1.2.3"),
        ('"5"', "5"),
        ("'5'", "5"),
        ('"none"', "none"),
        ('"@handle"', "@handle"),
        ("@w.npz", Path("w.npz")),
        ("[256,256]", [256, 256]),
        ("[]", []),
        ('{"net_arch":[64,64],"tanh":true,"clip":null}',
         {"net_arch": [64, 64], "tanh": True, "clip": None}),
    ],
)  # fmt: skip
def test_a_value_is_what_it_looks_like(text: str, value: Any) -> None:
    found = parse_value(f" {text} ")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inf", "not finite"),
        ("-Infinity", "not finite"),
        ("nan", "not finite"),
        ("1e999", "not finite"),
        ("[1e999]", "not finite"),
        ("[NaN]", "NaN is not a JSON number"),
        ("[1,", "not JSON"),
        ("[relu,tanh]", "not JSON"),
        ('{"a":1,"a":2}', "appears twice"),
        ('"5', "not JSON"),
        ("'5", "quotation"),
        ("9223372036854775809", "64 bits"),
        ("\ud800", "printable"),
        ("a\u202eb", "printable"),
        ('["a\\u0000"]', "printable"),
        ("x" * 1001, "at most 1000"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"{MAX_DEPTH} deep"),
        ("[" * 100_000 + "]" * 100_000, "not JSON"),
    ],
)
def test_what_no_record_could_hold_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        parse_assignment(f"x={text}")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400
    assert str(raised.value).startswith("x=")


@pytest.mark.parametrize("text", ["x", "=5", ""])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(UsageError, match="name=value"):
        parse_assignment(text)


VALUES = {
    "budget": 2000,
    "points": [500, 1000],
    "rate": 1.0,
    "tiny": 1e-300,
    "on": True,
    "off": False,
    "nothing": None,
    "empty": "",
    "word": "relu",
    "spaces": "a b",
    "number": "5",
    "float": "1e5",
    "infinite": "inf",
    "truth": "True",
    "none": "none",
    "comma": "a,b=c",
    "bracket": "[1,2",
    "curly": "}",
    "quote": '"',
    "escaped": '\\",x=1',
    "apostrophe": "don't",
    "equals": "a=b",
    "file": "@w.npz",
    "leading": " x",
    "nested": {"a": [1, {"b": "],}\\"}], "c": None, 'd"': "x,y"},
}


@pytest.mark.parametrize("name", VALUES)
def test_text_round_trips(name: str) -> None:
    found = parse_value(value_text(VALUES[name]))
    assert found == VALUES[name]
    assert type(found) is type(VALUES[name])


def test_a_list_of_assignments_round_trips() -> None:
    assert parse_assignments(unofficial_text(VALUES)) == VALUES
    assert parse_assignments("") == {}
    assert parse_assignments("a=1, b=[1,2] ,c={\"d\":[3,4]},") == {
        "a": 1, "b": [1, 2], "c": {"d": [3, 4]},
    }  # fmt: skip
    assert unofficial_text({"b": True, "a": 2}) == "a=2,b=true"


def test_a_name_has_one_value() -> None:
    with pytest.raises(UsageError, match="a has two values, 5 and 7: give it once"):
        parse_assignments("a=5,b=1,a=7")
    with pytest.raises(UsageError, match="a has two values"):
        parse_options(["a=5", "a=5"])


def test_strings_are_themselves_where_only_strings_can_be() -> None:
    assert parse_assignments("a=none,b=none", {"a"}) == {"a": "none", "b": None}
    assert parse_assignments("a=5,a2='none',c=", {"a", "a2", "c"}) == {
        "a": "5", "a2": "none", "c": "",
    }  # fmt: skip
    texts = {name: value for name, value in VALUES.items() if isinstance(value, str)}
    assert parse_assignments(unofficial_text(VALUES), texts) == VALUES
    for text in ("a=x\u202ey", "a=" + "x" * 1001, 'a="x'):
        with pytest.raises(UsageError, match=r"^a="):
            parse_assignments(text, {"a"})


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        {1, 2},
        b"x",
        object(),
        Path("x"),
        float("nan"),
        [float("inf")],
        "a\nb",
        [[[[[[1]]]]]],
    ],
)
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        plain(value)


def test_tuples_become_lists() -> None:
    assert plain((1, (2.5, {"a": (None,)}))) == [1, [2.5, {"a": [None]}]]
