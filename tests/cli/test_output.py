"""What the command prints: nothing in it is obeyed by a terminal, and no encoding is in its way."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import COMMAND

from rlbench import cli
from rlbench.api.words import printable
from rlbench.cli.output import echo, echo_lines, print_table

EVIL = {
    "clears the screen": "\x1b[2J\x1b[H",
    "sets the title": "\x1b]0;mine\x07",
    "one byte escape": "\x9b31m",
    "overwrites the line": "fine\rbad",
    "rubs out": "abc\b\b\bxyz",
    "a line of its own": "a\nok: all runs",
    "line separator": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "right to left": "\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "mark": "a\u200fb\u061cc",
    "invisible": "Pong\u200b\u00ad\ufeff\u2060",
    "tags": "\U000e0041\U000e007f",
    "surrogate": "\udcff\ud800",
    "null": "a\0b",
    "private": "\ue000",
    "space": "a\u00a0b\u2003c",
}


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_what_a_terminal_would_obey_is_escaped(text: str, capsys) -> None:
    assert printable(text).isprintable()
    assert printable(text).isascii()
    echo(text)
    echo(text, err=True)
    print_table([{"a": text, text: 1.0}], ["a", text], title=text)
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in out.splitlines() + err.splitlines())
    assert len(err.splitlines()) == 1
    assert out.splitlines()[0] == err.splitlines()[0] == printable(text)


def test_what_can_be_read_is_left_as_it_is(capsys) -> None:
    for text in ("", "α ± 0.5, naïve café 日本語 🤖", r"C:\new", "a'b\"c<d>&"):
        assert printable(text) == text
    echo_lines("a\nb")
    assert capsys.readouterr().out == "a\nb\n"


def test_everything_is_printed_by_one_module() -> None:
    found = []
    for path in Path(cli.__file__).parent.glob("*.py"):
        if path.name == "output.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in ("print", "Console") or name.endswith(
                    (".echo", ".secho", "stdout.write", "stderr.write", ".print")
                ):
                    found.append(f"{path.name}:{node.lineno}: {name}")
    assert found == []


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("name", ["日本\udcff", "\x1b[2J"])
def test_a_name_that_the_terminal_cannot_show_is_no_reason_to_fail(
    name: str, encoding: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    done = subprocess.run(
        [*COMMAND, "show", os.fsencode(name), "--store", os.fsencode(name)],
        cwd=tmp_path, env=environment, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    text = done.stderr.decode(encoding)
    assert text.startswith("rlbench: there is no store at ")
    assert "Traceback" not in text
    assert len(text.splitlines()) == 1
    assert text.rstrip("\n").isprintable()


def test_tables_too(tmp_path: Path) -> None:
    code = "from rlbench.cli import output; output.use_any_encoding(); "
    code += "output.print_table([{'a': '日本'}], ['a'])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert rb"\u65e5\u672c" in done.stdout
