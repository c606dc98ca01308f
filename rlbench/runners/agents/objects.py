"""Agents that are given as a class or a function, and what the hash of their source covers.

One that a new process can import is named as on the command line. One that is defined in a notebook
or in the script itself stays in its process. Its identity is then the hash of its source and of
what its source uses by name: other classes and functions that are defined there, constants, and
files that are not installed. What no hash covers is refused: variables of a function around it, and
objects such as a model that was trained before.
"""

import ast
import builtins
import hashlib
import linecache
import symtable
import sys
import sysconfig
import textwrap
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from rlbench.errors import UsageError
from rlbench.results.strict_json import dump
from rlbench.runners.agents.factories import stated_by
from rlbench.runners.agents.resolving import Found
from rlbench.sources import hash_file, sources

MAIN = "__main__"

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_INSTALLED = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")]
_OURS = Path(__file__).parents[2]
# Free variables that Python itself gives to methods, and to annotations from 3.14 on.
_OF_A_CLASS = {"__class__", "__classdict__"}


def importable_spec(factory: Callable[..., Any]) -> str:
    """Return what names a factory that a new process can import, or nothing.

    Raises:
        UsageError: It is no class or function.
    """
    if not isinstance(factory, type | FunctionType):
        raise UsageError(
            f"an agent is a spec, a class or a function, not {type(factory).__name__}; options of "
            "it go into config="
        )
    module, name = sys.modules.get(factory.__module__), factory.__name__
    if module is None or factory.__module__ == MAIN or getattr(module, name, None) is not factory:
        return ""
    path = Path(getattr(module, "__file__", None) or "")
    if path.suffix != ".py" or not path.is_file():
        return ""
    if "." in factory.__module__ or any(path.is_relative_to(place) for place in _INSTALLED):
        return f"{factory.__module__}:{name}"
    return f"{path}:{name}"


def find_object(factory: Callable[..., Any]) -> Found:
    """Return what is known of a factory that stays in this process.

    Raises:
        UsageError: Its source cannot be had, or uses what no hash covers.
    """
    covered = _Covered(factory.__name__)
    covered.add(factory)
    return Found(
        name=factory.__name__,
        factory=f"{MAIN}:{factory.__qualname__}",
        spec=f"{MAIN}:{factory.__qualname__}",
        version="",
        source=hashlib.sha256(dump(sorted(covered.parts.items())).encode()).hexdigest(),
        files=tuple(covered.parts),
        signature=stated_by(factory, vars(sys.modules[factory.__module__])),
    )


class _Definition(NamedTuple):
    """A class or a function, as it stands in a file or a cell of a notebook."""

    source: str
    names: Mapping[str, Any]  # of its module


class _Covered:
    """What the hash of an agent covers.

    Attributes:
        parts: The text of each thing, by its name.
    """

    def __init__(self, agent: str) -> None:
        self.parts: dict[str, str] = {}
        self._agent = agent

    def add(self, thing: Any) -> None:
        """Add a class or a function, and all that its source uses by name."""
        name = thing.__name__
        if name in self.parts:
            return
        found = self._definition(thing)
        self.parts[name] = found.source
        if isinstance(thing, type):
            self._add_attributes(thing)
        for used in sorted(_global_names(found.source) - {name}):
            if used in found.names:
                self._add_value(used, found.names[used])
            elif not hasattr(builtins, used) and "<locals>" in thing.__qualname__:
                raise self._refused(f"{used!r} of the function around it")

    def _add_value(self, name: str, value: Any) -> None:
        """Add what a global name stands for."""
        if isinstance(value, ModuleType):
            self.parts[name] = value.__name__
            self._add_files(value)
        elif isinstance(value, type | FunctionType | BuiltinFunctionType):
            module = sys.modules.get(value.__module__ or "builtins")
            if module is None or value.__module__ == MAIN:
                self.add(value)
            else:
                self.parts[name] = f"{value.__module__}:{value.__qualname__}"
                self._add_files(module)
        elif _is_constant(value):
            self.parts[name] = repr(value)
        else:
            raise self._refused(f"the global {name!r} ({type(value).__name__})")

    def _add_files(self, module: ModuleType) -> None:
        """Add the files of a module that is not installed."""
        path = Path(getattr(module, "__file__", None) or "")
        places = [*_INSTALLED, _OURS]
        if path.is_file() and not any(path.is_relative_to(place) for place in places):
            for name, file in sources(path, module.__name__).items():
                self.parts[name] = hash_file(file)

    def _add_attributes(self, kind: type) -> None:
        """Add the constants of a class, which may have been changed since it was defined."""
        for name, value in vars(kind).items():
            if not name.startswith("__") and _is_constant(value):
                self.parts[f"{kind.__name__}.{name}"] = repr(value)

    def _definition(self, thing: Any) -> _Definition:
        """Return the source of a class or a function.

        Raises:
            UsageError: It cannot be had, or functions have variables of a function around them.
        """
        codes = []
        for function in _functions_of(thing):
            outer = sorted({*function.__code__.co_freevars} - _OF_A_CLASS)
            if outer:
                raise self._refused(f"{outer[0]!r} of the function around it")
            codes.append(function.__code__)
        files = [codes[0].co_filename] if codes else _files_here()
        found = {_source_at(linecache.getlines(file), thing.__name__, codes) for file in files}
        found -= {""}
        source = found.pop() if len(found) == 1 else ""
        if not source:
            raise UsageError(
                f"cannot read the source of {thing.__name__!r}, so its runs could not be "
                "told from those of another agent: put it into a file"
            )
        return _Definition(source, vars(sys.modules[thing.__module__]))

    def _refused(self, what: str) -> UsageError:
        return UsageError(
            f"the agent {self._agent!r} uses {what}, which the hash of its source does not cover: "
            "make it in the agent, give it by config=, or put the agent into a file"
        )


def _files_here() -> list[str]:
    """Return the files that code of this process alone is in: the script, cells of a notebook."""
    script = getattr(sys.modules[MAIN], "__file__", None)
    cells = [name for name in list(linecache.cache) if not Path(name).is_file()]
    return [*cells, *([script] if script else [])]


def _functions_of(thing: Any) -> list[FunctionType]:
    """Return a function, or those in the body of a class."""
    if isinstance(thing, FunctionType):
        return [thing]
    found = []
    for value in vars(thing).values():
        inner = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if isinstance(inner, FunctionType) and inner.__code__.co_filename != "<string>":
            found.append(inner)
    return found


def _source_at(lines: list[str], name: str, codes: list[CodeType]) -> str:
    """Return the text of the innermost definition of a name that all codes are in, or nothing."""
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return ""
    found = ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            begin = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            end = node.end_lineno or begin
            if all(begin <= code.co_firstlineno <= end for code in codes):
                found = textwrap.dedent("".join(lines[begin - 1 : end]))
    return found


def _global_names(source: str) -> set[str]:
    """Return the names that source uses and does not bind itself."""
    names: set[str] = set()
    for table in _tables(symtable.symtable(source, "<agent>", "exec")):
        is_top = table.get_type() == "module"
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (
                symbol.is_global() or (is_top and not symbol.is_assigned())
            ):
                names.add(symbol.get_name())
    return names


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _is_constant(value: Any) -> bool:
    """Say whether a value cannot change, and whether its text says all of it."""
    if isinstance(value, tuple | frozenset):
        return all(map(_is_constant, value))
    return type(value) in _PLAIN or typing.get_origin(value) is not None
