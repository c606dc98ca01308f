"""The generated pages of the documentation: the commands, and the public names of each module."""

import html
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer

from rlbench.cli.app import command
from rlbench.cli.examples import EXAMPLES

MODULES = [
    "rlbench",
    "rlbench.suites",
    "rlbench.runners",
    "rlbench.results",
    "rlbench.stats",
    "rlbench.leaderboard",
    "rlbench.disturbances",
    "rlbench.compat.rliable",
    "rlbench.compat.adastop",
    "rlbench.errors",
]


def reference_pages() -> dict[str, str]:
    """Return the generated pages as Markdown, by name."""
    return {"commands": commands_page()} | {name: module_page(name) for name in MODULES}


def module_page(name: str) -> str:
    """Return the reference of a module's public names, as instructions to mkdocstrings."""
    module = import_module(name)
    parts = [f"# `{name}`", str(module.__doc__).strip()]
    parts += [f"::: {name}.{public}" for public in module.__all__ if is_described(module, public)]
    return "\n\n".join(parts) + "\n"


def is_described(module: Any, name: str) -> bool:
    """Say whether a public name has a section: submodules have pages, and versions need none."""
    return not name.startswith("__") and f"{module.__name__}.{name}" not in MODULES


def commands_page() -> str:
    """Return the page: help, usage, options and examples of every verb."""
    parts = ["# Commands", "What `rlbench VERB --help` prints, for every verb."]
    for name, verb in verbs():
        parts += verb_section(name, verb)
    return "\n\n".join(parts) + "\n"


def verbs() -> Iterator[tuple[str, Any]]:
    """Yield the verbs by name, e.g. ``list suites``; a group before its verbs."""
    top: Any = typer.main.get_command(command())
    for name, verb in top.commands.items():
        yield name, verb
        for of_group, inner in getattr(verb, "commands", {}).items():
            yield f"{name} {of_group}", inner


def verb_section(name: str, verb: Any) -> Iterator[str]:
    """Yield the blocks of a verb's section."""
    context = verb.make_context(f"rlbench {name}", [], resilient_parsing=True)
    yield f"## rlbench {name}"
    yield plain(verb.help or verb.short_help)
    if not hasattr(verb, "commands"):
        usage = " ".join(verb.collect_usage_pieces(context))
        yield f"```text\nrlbench {name} {usage}\n```"
        yield options_table(verb, context)
    yield "\n".join(["```sh", *EXAMPLES[name], "```"])


def options_table(verb: Any, context: Any) -> str:
    """Return the table of a verb's arguments and options."""
    records = (parameter.get_help_record(context) for parameter in verb.params)
    rows = [
        f"| <code>{cell(html.escape(names))}</code> | {cell(plain(text))} |"
        for names, text in filter(None, records)
    ]
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def cell(text: str) -> str:
    """Return text for a cell of a table."""
    return " ".join(text.split()).replace("|", "&#124;")


def plain(text: str) -> str:
    """Return text in which nothing is markup."""
    return re.sub(r"([\\*_<>\[\]`#])", r"\\\1", text.replace("\b", ""))
