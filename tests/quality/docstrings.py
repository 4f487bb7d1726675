"""The docstring view: from what a docstring says to the function that it was taken from.

A package becomes a tree of files at their paths that hold up to 3,000 of its functions, chosen by a fixed seed, in
their order and within their classes, without any docstring. The first paragraph of a docstring is a query, its function
the only target. What ranking knows of files and names helps little here: the tree tells by code alone.
"""

import ast
import json
import random
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS, QUERIES, SEED = 3000, 150, 20
_LEAST_LINES, _LEAST_WORDS = 3, 4
_TESTS = {"tests", "test", "testing", "conftest.py"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a package: where it stands, its lines without docstring, and what that said."""

    path: str
    scope: str
    line: int
    body: tuple[str, ...]
    said: str


def build(package: Path, tree: Path) -> None:
    """Make the tree and, as `tree/../NAME.json`, its queries: text, path, first and last line."""
    if tree.exists():
        return
    chosen = random.Random(SEED)
    found = [one for file in sorted(package.rglob("*.py")) for one in _functions(file, package)]
    found = chosen.sample(found, min(FUNCTIONS, len(found)))
    asked = [one for one in found if len(one.said.split()) >= _LEAST_WORDS]
    wanted = set(chosen.sample(asked, min(QUERIES, len(asked))))
    try:
        queries = list(_write(found, wanted, tree))
        subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
        tree.with_suffix(".json").write_text(json.dumps(queries, indent=1))
    except BaseException:
        shutil.rmtree(tree, ignore_errors=True)
        raise


def _write(found: list[Function], wanted: set[Function], tree: Path) -> Iterator[tuple[str, str, int, int]]:
    by_file = defaultdict(list)
    for one in sorted(found, key=lambda one: (one.path, one.line)):
        by_file[one.path].append(one)
    for path, functions in by_file.items():
        lines: list[str] = []
        scope = ""
        for one in functions:
            if one.scope != scope:
                lines += [one.scope] * bool(one.scope)
                scope = one.scope
            if one in wanted:
                yield one.said, path, len(lines) + 1, len(lines) + len(one.body)
            lines += [*one.body, ""]
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines), encoding="utf-8")


def _functions(file: Path, package: Path) -> Iterator[Function]:
    if _TESTS & set(file.relative_to(package).parts) or file.name.startswith("test_"):
        return
    try:
        text = file.read_text(encoding="utf-8")
        module = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    lines = text.split("\n")
    path = file.relative_to(package).as_posix()
    for owner in [module, *(node for node in module.body if isinstance(node, ast.ClassDef))]:
        scope = f"class {owner.name}:" if isinstance(owner, ast.ClassDef) else ""
        for node in owner.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = _without_docstring(node, lines)
                if len(body) >= _LEAST_LINES:
                    said = (ast.get_docstring(node) or "").split("\n\n")[0]
                    yield Function(path, scope, node.lineno, body, " ".join(said.split()))


def _without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> tuple[str, ...]:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    dropped: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(
            inner
        ):
            said = inner.body[0]
            dropped |= set(range(said.lineno, (said.end_lineno or said.lineno) + 1))
    last = node.end_lineno or node.lineno
    return tuple(lines[n - 1] for n in range(first, last + 1) if n not in dropped)
