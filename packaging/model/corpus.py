"""Wheels and the standard library to pairs of texts that belong together: what is said, and the code it is said of.

Pure but for reading the sources. A source is a wheel file or a folder; everything comes in a fixed order, so the same
sources give the same pairs. Kinds of pairs:

- `docstring`: the first paragraph of a docstring, and its function or class without it;
- `name`: the words of a function's name, and its parameters and body;
- `comment`: a comment of a line of its own, and the code below it (Python, Cython, C, C++, JavaScript).
"""

import ast
import hashlib
import io
import re
import tokenize
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cidx.text.tokenizer import terms, words

# The packages that the docstring evaluation asks about. What others carry of them is left out too.
EVALUATED = ("django", "sqlalchemy", "networkx", "pandas", "sympy", "requests")
# The repositories of the labelled development queries, by the names their packages go by.
DEVELOPMENT = (
    "flask",
    "click",
    "httpx",
    "libuv",
    "nlohmann",
    "cobra",
    "axum",
    "gson",
    "sinatra",
    "monolog",
    "express",
    "zod",
)
_LEFT_OUT = frozenset((*EVALUATED, *DEVELOPMENT))
# Copies of other projects: not what the list of sources names.
_COPIES = frozenset(
    ("_vendor", "vendor", "vendored", "_vendored", "extern", "externals", "_extern", "typeshed", "highs")
)
# What is said of a test is said of the test, not of code that somebody looks for.
_TESTS = frozenset(("test", "tests"))

_PYTHON = (".py",)
_CYTHON = (".pyx", ".pxd")
_BRACES = (".c", ".h", ".cpp", ".hpp", ".js")
_LARGEST_BYTES = 1_000_000
# Of a longer text the beginning is what its description is about.
_MOST_WORDS = 400
_LEAST_WORDS = 3
_COMMENTED_LINES = 12


@dataclass(frozen=True, slots=True)
class Pair:
    """What somebody might ask for, and the code that answers."""

    kind: str
    text: str
    code: str


@dataclass(frozen=True, slots=True)
class Function:
    """A definition: its dotted path, its docstring, its source without that, and the same without its name."""

    path: str
    docstring: str
    source: str
    body: str
    is_class: bool


@dataclass(frozen=True, slots=True)
class SourceFile:
    path: str
    text: str


def files(source: Path, *, every: bool = False) -> Iterator[SourceFile]:
    """The files of a wheel or a folder that are mined, in order, without copies of other projects."""
    if source.is_dir():
        found = (
            (path.relative_to(source).as_posix(), path.read_bytes) for path in sorted(source.rglob("*.py"))
        )
    else:
        archive = zipfile.ZipFile(source)
        found = ((name, lambda name=name: archive.read(name)) for name in sorted(archive.namelist()))
    for name, read in found:
        if name.endswith(_PYTHON + _CYTHON + _BRACES) and (every or is_mined(name)):
            data = read()
            if len(data) <= _LARGEST_BYTES:
                yield SourceFile(name, data.decode("utf-8", "replace"))


def is_mined(path: str) -> bool:
    """Whether a path is no test, no other project's copy, and not below anything named like what is evaluated."""
    folders = {part.partition(".")[0].lower() for part in path.split("/")}
    left_out = _LEFT_OUT | _COPIES | _TESTS | {"site-packages"}
    return not folders & left_out and not any(folder.startswith("test_") for folder in folders)


def pairs(file: SourceFile) -> Iterator[Pair]:
    """Everything that a file says of its code."""
    if file.path.endswith(_PYTHON):
        for function in functions(file.text):
            yield from _said_of(function)
        yield from _python_comments(file.text)
    elif file.path.endswith(_CYTHON):
        yield from _line_comments(file.text, "#")
    else:
        yield from _line_comments(file.text, "//")
        yield from _block_comments(file.text)


def functions(text: str) -> Iterator[Function]:
    """The functions and classes of a Python file, outer before inner."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    yield from _defined(tree, "", text.split("\n"))


def _defined(node: ast.AST, outer: str, lines: Sequence[str]) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            path = f"{outer}.{child.name}" if outer else child.name
            yield _function(child, path, lines)
            yield from _defined(child, path, lines)
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _defined(child, outer, lines)


def _function(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, path: str, lines: Sequence[str]
) -> Function:
    start, end = node.lineno - 1, node.end_lineno or node.lineno
    docstring = ast.get_docstring(node) or ""
    kept = list(lines[start:end])
    if docstring:
        said = node.body[0]
        kept[said.lineno - 1 - start : (said.end_lineno or said.lineno) - start] = []
    source = "\n".join(kept)
    return Function(path, docstring, source, source.replace(node.name, "", 1), isinstance(node, ast.ClassDef))


def paragraph(docstring: str) -> str:
    """The first paragraph."""
    return " ".join(docstring.partition("\n\n")[0].split())


def _said_of(function: Function) -> Iterator[Pair]:
    said = paragraph(function.docstring)
    if len(words(said)) >= _LEAST_WORDS:
        yield Pair("docstring", said, f"{function.path}\n{function.source}")
    name = terms(function.path.rpartition(".")[2])
    if len(name) > 2 and len(words(function.body)) > 2 * _LEAST_WORDS:
        yield Pair("name", " ".join(name[1:]), function.body)


def _python_comments(text: str) -> Iterator[Pair]:
    # Tokens tell a comment from a string that looks like one; a file that has none is spared that.
    if "#" in text:
        try:
            commented = {
                token.start[0] - 1: token.string
                for token in tokenize.generate_tokens(io.StringIO(text).readline)
                if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
            }
        except (tokenize.TokenError, SyntaxError):
            return
        yield from _below(commented, text.split("\n"), "#")


def _line_comments(text: str, mark: str) -> Iterator[Pair]:
    lines = text.split("\n")
    commented = {number: line.strip() for number, line in enumerate(lines) if line.lstrip().startswith(mark)}
    yield from _below(commented, lines, mark)


_BLOCK = re.compile(
    rf"^[ \t]*/\*((?:[^*]|\*(?!/))*)\*/[ \t]*\n((?:[^\n]*\S[^\n]*\n?){{1,{_COMMENTED_LINES}}})", re.MULTILINE
)


def _block_comments(text: str) -> Iterator[Pair]:
    for said, code in _BLOCK.findall(text):
        yield from _comment(said.replace("*", " "), code)


def _below(commented: dict[int, str], lines: Sequence[str], mark: str) -> Iterator[Pair]:
    """Each run of commented lines with the lines below it, up to an empty one or the next comment."""
    start = 0
    while start < len(lines):
        if start not in commented:
            start += 1
            continue
        end = start
        while end in commented:
            end += 1
        below = end
        while (
            below < len(lines)
            and below - end < _COMMENTED_LINES
            and below not in commented
            and lines[below].strip()
        ):
            below += 1
        said = " ".join(commented[number].lstrip(mark) for number in range(start, end))
        yield from _comment(said, "\n".join(lines[end:below]))
        start = below if below > end else end


_LEGAL = re.compile(
    r"copyright|licen[cs]e|all rights|noqa|type: ignore|pylint|pragma|fmt:|-\*-", re.IGNORECASE
)
_CODE = re.compile(r"[=;{}]|\w\(|->|>>>")


def _comment(said: str, code: str) -> Iterator[Pair]:
    said = " ".join(said.split())
    if min(len(words(said)), len(words(code))) <= _LEAST_WORDS or _LEGAL.search(said):
        return
    # Code that was commented out says nothing about the code below.
    if len(_CODE.findall(said)) <= len(words(said)) // 8:
        yield Pair("comment", said, code)


def shortened(text: str) -> list[str]:
    """The words of a text that count."""
    return words(text)[:_MOST_WORDS]


def unique(found: Iterator[Pair]) -> Iterator[Pair]:
    """Pairs without repetitions: the same text or the same code twice would be each other's wrong answer."""
    texts: set[bytes] = set()
    for pair in found:
        text, code = (
            hashlib.blake2b(side.encode("utf-8", "replace"), digest_size=8).digest()
            for side in (pair.text.lower(), pair.code)
        )
        keys = {text + pair.kind.encode(), code + pair.kind.encode()}
        if not keys & texts:
            texts |= keys
            yield pair
