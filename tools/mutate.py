"""Plant faults in a module, one at a time, and count how many of them its tests find.

    python tools/mutate.py MODULE.py TEST... [--sample N] [--seed N]

A fault is one change of the syntax tree: a comparison, an operator, `and` and `or`, a number, a
truth value, a condition turned round, a statement or a returned value left out. So many of them are
drawn at random. Each is written into a copy of the working tree, in which pytest runs the tests
until the first fails. Texts, annotations and docstrings are left as they are. Printed are the
faults that no test found, with the line as it reads then, and the share of those that were found.
A fault that changes nothing that can be seen counts as not found: look at each.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 600.0  # tests that take longer have found the fault
SWAPS: dict[type[ast.AST], list[type[ast.AST]]] = {
    ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt], ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn],
    ast.NotIn: [ast.In], ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.And: [ast.Or],
    ast.Or: [ast.And], ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div],
    ast.Div: [ast.Mult], ast.FloorDiv: [ast.Mult], ast.Mod: [ast.Mult], ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd], ast.Pow: [ast.Mult],
}  # fmt: skip


def swapped(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Return a node's field of operators, with one of them swapped."""
    match node:
        case ast.BinOp(op=ast.Div(), right=ast.JoinedStr() | ast.Constant(value=str())):
            return  # of a path: any test would find it
        case ast.Compare(ops=operators):
            for at, operator in enumerate(operators):
                for other in SWAPS.get(type(operator), []):
                    yield "ops", [*operators[:at], other(), *operators[at + 1 :]]
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) | ast.AugAssign(op=operator):
            for other in SWAPS.get(type(operator), []):
                yield "op", other()


def faults_of(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Return faults that can be planted in a node: the name of a field, and its new value."""
    yield from swapped(node)
    match node:
        case ast.Constant(value=bool(value)):
            yield "value", not value
        case ast.Constant(value=int(value) | float(value)):
            yield "value", value + 1
        case ast.If() | ast.IfExp() | ast.While() | ast.Assert():
            yield "test", ast.UnaryOp(ast.Not(), node.test)
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield "value", ast.Constant(None)


def is_left_out(statement: ast.stmt) -> bool:
    """Say whether leaving a statement out is a fault to plant."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return False  # a docstring
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Delete() | ast.Continue():
            return True
    return False


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Return the nodes of code that runs, annotations aside."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from nodes(child)


def mutants(source: str) -> list[tuple[int, str]]:
    """Return the line and the changed source of every fault."""
    found: list[tuple[int, str]] = []
    tree = ast.parse(source)
    for node in nodes(tree):
        for name, value in list(faults_of(node)):
            present = getattr(node, name)
            setattr(node, name, value)
            found.append((node.lineno, ast.unparse(ast.fix_missing_locations(copy.copy(tree)))))
            setattr(node, name, present)
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            for at, statement in enumerate(body if isinstance(body, list) else []):
                if is_left_out(statement):
                    body[at] = ast.copy_location(ast.Pass(), statement)
                    found.append((statement.lineno, ast.unparse(tree)))
                    body[at] = statement
    return found


def first_change(before: str, after: str) -> str:
    """Return what differs first, as it was and is."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    old, new = next((old.strip(), new.strip()) for old, new in pairs if old != new)
    same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    start = max(0, same - 40)
    return f"{old[start : start + 80]}  ->  {new[start : start + 80]}"


def first_failure(tests: list[str], folder: Path) -> str:
    """Return what the first test that fails in a copy of the tree says; empty if none does."""
    command = [
        sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m",
        "not slow and not faults", *tests,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"more than {SECONDS:g} s"
    return done.stdout[-1000:] if done.returncode else ""


def main() -> None:
    """Plant the faults and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--sample", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for part in ("rlbench", "tests", "docs", "examples", "pyproject.toml"):
            copied = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copied(ROOT / part, folder / part)
        source = (folder / given.module).read_text()
        plain = ast.unparse(ast.parse(source))
        (folder / given.module).write_text(plain)
        if failure := first_failure(given.tests, folder):
            sys.exit(f"the tests fail before any fault is planted: {failure}")
        every = mutants(source)
        chosen = random.Random(given.seed).sample(every, min(given.sample, len(every)))
        missed = 0
        for line, changed in sorted(chosen):
            (folder / given.module).write_text(changed)
            if not first_failure(given.tests, folder):
                missed += 1
                print(f"  {given.module}:{line}: {first_change(plain, changed)}", flush=True)
    print(f"{given.module}: {len(chosen) - missed} of {len(chosen)} found, of {len(every)} faults")


if __name__ == "__main__":
    main()
