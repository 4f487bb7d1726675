"""Find the definitions and the references in a file with the tree-sitter grammar of its language.

One parse and one query give both. A language is a row in `table.py` and a query file; there is no code
per language. In a query

- `@name` is the node whose text names a definition, and is required for one;
- `@receiver`, if captured, is what the name belongs to though it does not enclose it (Go's methods);
- `@lead` alone is a comment, decorator or attribute: it goes with a definition directly below it;
- `@inner` and `@outer` widen: a definition that is `@inner` reaches as far as `@outer` (C++ templates);
- `@import`, `@call` and `@inherit` name what is imported, called (or made, or applied as a decorator) or
  inherited from: the last part of what stands there (`loads` of `json.loads(x)`), and for a module that is
  imported as a whole what is written (`a.b`, `./lib`, `stdio.h`);
- any capture beginning with `_` serves a predicate only;
- every other capture is the whole definition, and the capture's name is its kind.

Where several patterns give one `@name`, the widest definition wins (a decorated function is matched bare
and with its decorators), and of two equally wide the earlier pattern. What names a definition is no
reference. Of each (name, kind) the first reference of a file is kept: it tells who uses what, and where.

Any bytes are fine: source with errors gives what the parser could save. A language without a grammar, or
whose grammar is not installed, gives None. Grammars are loaded on first use and shared by all threads
(they are immutable); a parser lives for one call only, it costs under 1 µs.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import inf
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, NamedTuple

from cidx.index.grammars.table import GRAMMARS as GRAMMARS
from cidx.store.records import Reference

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query


class Definition(NamedTuple):
    """One named piece of a file. Lines are 1-based and inclusive.

    `start_line` includes decorators, `lead_line` also the comments and attributes directly above.
    `header` is the text of `header_line`, where the name stands.
    """

    name: str
    path: str
    kind: str
    lead_line: int
    start_line: int
    header_line: int
    end_line: int
    header: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a file defines, outer before inner, and what it refers to; both in order."""

    definitions: Sequence[Definition] = ()
    references: tuple[Reference, ...] = ()


# A function directly inside one of these is a method.
_CLASS_LIKE = frozenset({"class", "struct", "enum", "trait", "interface", "impl", "object", "extension"})

# Bounds for hostile or generated input. Deeper definitions are part of what encloses them: a path of
# more names helps nobody, and 100,000 nested functions would need paths of 10 GB. A definition on a line
# longer than LINE_LIMIT is minified code, where names mean nothing, and so is a reference. No file that a
# person wrote refers to REFERENCE_LIMIT different names (Django's largest has 500).
DEPTH_LIMIT = 12
NAME_LIMIT = 120
HEADER_LIMIT = 160
LINE_LIMIT = 2000
REFERENCE_LIMIT = 2000

# The query cursor looks at all later siblings of a token that no named node follows, so a run of n
# tokens inside an ERROR node takes n * n / 2 steps: 12 s for 100,000 brackets. Above this many squared
# steps (0.2 s) the file is not code in this language, whatever its name says.
_ERROR_STEPS_LIMIT = 10_000**2

# Error recovery takes time in the square of the size for input that is made for it (100 KB of `()` are 90 s
# of Bash). Code takes 0.2 µs a byte, so only such input is ever given up. There is no such limit on the
# query: its cursor crashes when given a callback (tree-sitter 0.26.1).
_COST_S = 1.0
_COST_S_PER_BYTE = 5e-6

# The parser asks between its steps, and a step has no bound itself: at the end of 30 KB of `%w(` in short lines one
# holds up Java's and Rust's for half a minute, and the interpreter with it. Only a process that can be killed is
# safe from that. Such input has taken many steps by then (`%w(` 4 a byte, `/*` as Python 2), where of 11,500 files
# that people wrote 37 take more than this, and those are tables of numbers and minified code. Longer names in
# between would hide it.
_STEPS_A_CALL = 100
# To ask for the time at each call would cost a fifteenth of the parsing.
_CALLS_A_LOOK = 16
_STEPS_PER_BYTE, _STEPS_LEAST = 1.2, 1500

_NO_KIND = frozenset({"name", "receiver"})
_QUOTES = b"\"'`<>"


class Laborious(Exception):
    """Parsing takes more steps than code does, and may have no end."""


def read(source: bytes, language: str, *, patient: bool = True) -> Found | None:
    """What is found in `source`; None where there is no grammar. Who is not patient gets `Laborious` sometimes."""
    loaded = _load(language)
    if loaded is None:
        return None
    found: dict[int, _Match] = {}
    borders = _Borders()
    text = _Text(source)
    matches = [] if text.is_no_code() else _matches(loaded, source, patient=patient)
    uses: list[dict[str, list[Node]]] = []
    use_patterns = loaded.use_patterns
    for pattern, captures in matches:
        if pattern in use_patterns:
            uses.append(captures)
        elif "name" in captures:
            _add_match(found, pattern, captures)
        elif "lead" in captures:
            borders.add_lead(captures["lead"][0])
        else:
            borders.widen(captures["inner"][0], captures["outer"][0])
    named = sorted((borders.widened(match) for match in found.values()), key=_order)
    return Found(list(_name_all(named, text, borders)), _references(uses, text, found))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A grammar with its query; matches of `use_patterns` are references."""

    language: "Language"
    query: "Query"
    use_patterns: frozenset[int]
    unread: re.Pattern[bytes] | None


@cache
def _load(language: str) -> _Loaded | None:
    grammar = GRAMMARS.get(language)
    if grammar is None:
        return None
    try:
        from tree_sitter import Language, Query

        pointer: Callable[[], object] = getattr(import_module(grammar.module), grammar.pointer)
    except (ImportError, AttributeError):
        return None
    here = Path(__file__).parent
    text = "".join((here / f"{name}.scm").read_text("ascii") for name in grammar.queries)
    loaded = Language(pointer())
    query = Query(loaded, text)
    unread = re.compile(grammar.unread) if grammar.unread else None
    return _Loaded(loaded, query, frozenset(_use_patterns(query, text)), unread)


def _use_patterns(query: "Query", text: str) -> Iterator[int]:
    """The patterns that capture neither a definition nor what goes with one."""
    for pattern in range(query.pattern_count):
        body = text[query.start_byte_for_pattern(pattern) : query.end_byte_for_pattern(pattern)]
        if not any(capture in body for capture in ("@name", "@lead", "@inner")):
            yield pattern


def _matches(loaded: _Loaded, source: bytes, *, patient: bool) -> "list[tuple[int, dict[str, list[Node]]]]":
    """What the query finds; nothing where the source is not code in this language, or too costly."""
    from tree_sitter import Parser, QueryCursor

    if loaded.unread is not None:
        source = loaded.unread.sub(lambda macro: b" " * len(macro[0]), source)
    end_s = thread_time() + _COST_S + len(source) * _COST_S_PER_BYTE
    most_calls = inf if patient else (_STEPS_LEAST + _STEPS_PER_BYTE * len(source)) / _STEPS_A_CALL
    calls = 0

    def is_too_much(*_: object) -> bool:
        nonlocal calls
        calls += 1
        return calls > most_calls or (calls % _CALLS_A_LOOK == 0 and thread_time() > end_s)

    try:
        tree = Parser(loaded.language).parse(
            # The parser takes all at once; predicates ask again for each name that they look at.
            lambda offset, _: source[offset : offset + NAME_LIMIT] if offset else source,
            progress_callback=is_too_much,
        )
    except ValueError:  # what it raises when told to stop
        if calls > most_calls:
            raise Laborious from None
        return []
    if tree.root_node.has_error and _is_garbage(tree.root_node):
        return []
    return QueryCursor(loaded.query).matches(tree.root_node)


def _is_garbage(root: "Node") -> bool:
    """Whether the query would drown in the tokens of errors: see `_ERROR_STEPS_LIMIT`."""
    steps = 0
    pending = [root]
    while pending:
        node = pending.pop()
        children = node.children
        if node.is_error and len(children) > 100:
            steps += _token_steps(children)
            if steps > _ERROR_STEPS_LIMIT:
                return True
        pending += [child for child in children if child.has_error]
    return False


def _token_steps(children: "Sequence[Node]") -> int:
    steps = run = 0
    for child in children:
        if child.is_named:
            steps += run * run
            run = 0
        else:
            run += 1
    return steps + run * run


class _Match(NamedTuple):
    start: int
    end: int
    pattern: int
    kind: str
    node: "Node"
    name: "Node"
    receivers: "Sequence[Node]"


def _order(match: _Match) -> tuple[int, int, int]:
    return match.start, -match.end, match.pattern


def _add_match(found: dict[int, _Match], pattern: int, captures: "dict[str, list[Node]]") -> None:
    name = captures["name"][0]
    kind = next(key for key in captures if key not in _NO_KIND and key[0] != "_")
    node = captures[kind][0]
    match = _Match(node.start_byte, node.end_byte, pattern, kind, node, name, captures.get("receiver", ()))
    known = found.get(name.start_byte)
    if known is None or _order(match) < _order(known):
        found[name.start_byte] = match


class _Borders:
    """What belongs to a definition though its node does not hold it."""

    def __init__(self) -> None:
        self.leads: dict[int, tuple[int, int]] = {}
        self.outer: dict[tuple[int, int], Node] = {}

    def add_lead(self, node: "Node") -> None:
        """Keep the lead by its last row; Rust's line comments end at column 0 of the next one."""
        (row, column), end = node.start_point, node.end_point
        self.leads[end.row if end.column else end.row - 1] = (row, column)

    def widen(self, inner: "Node", outer: "Node") -> None:
        self.outer[inner.start_byte, inner.end_byte] = outer

    def widened(self, match: _Match) -> _Match:
        while (node := self.outer.get((match.start, match.end))) is not None:
            start, end = node.start_byte, node.end_byte
            if (start, end) == (match.start, match.end):
                break
            match = _Match(start, end, match.pattern, match.kind, node, match.name, match.receivers)
        return match

    def lead_row(self, row: int, lines: list[bytes]) -> int:
        """The first row of the comments and attributes that end on the row above, and so on upward."""
        while (lead := self.leads.get(row - 1)) is not None:
            above, column = lead
            if lines[above][:column].strip():
                break
            row = above
        return row


class _Text:
    """Lines and names of a source, as text."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.lines = source.split(b"\n")

    def is_no_code(self) -> bool:
        """Data and minified code, whose names mean nothing and whose parsing may have no end."""
        lengths = list(map(len, self.lines))
        long_bytes = sum(filter(LINE_LIMIT.__lt__, lengths)) if max(lengths) > LINE_LIMIT else 0
        return long_bytes > max(len(self.source) // 2, 2 * LINE_LIMIT) or b"\0" in self.source

    def of(self, node: "Node") -> str:
        end = min(node.end_byte, node.start_byte + NAME_LIMIT)
        return self.source[node.start_byte : end].decode(errors="replace").strip("\"'`#:")

    def header(self, row: int) -> str:
        return self.lines[row][: 2 * HEADER_LIMIT].decode(errors="replace").strip()[:HEADER_LIMIT]


def _name_all(matches: list[_Match], text: _Text, borders: _Borders) -> Iterator[Definition]:
    enclosing: list[tuple[_Match, Definition]] = []
    for match in matches:
        while enclosing and not _encloses(enclosing[-1][0], match):
            enclosing.pop()
        row = match.name.start_point.row
        if len(enclosing) >= DEPTH_LIMIT or len(text.lines[row]) > LINE_LIMIT:
            continue
        definition = _define(match, enclosing[-1][1] if enclosing else None, text, borders)
        enclosing.append((match, definition))
        yield definition


def _encloses(outer: _Match, inner: _Match) -> bool:
    """One node may define several names, as in Go's `var x, y = 1, 2`: they stand side by side."""
    return inner.start < outer.end and (inner.start, inner.end) != (outer.start, outer.end)


def _define(match: _Match, parent: Definition | None, text: _Text, borders: _Borders) -> Definition:
    name = text.of(match.name)
    parts = [parent.path] if parent else []
    parts += (text.of(receiver).replace("::", ".") for receiver in match.receivers)
    in_class = parent is not None and parent.kind in _CLASS_LIKE
    row, end = match.node.start_point.row, match.node.end_point
    header_row = match.name.start_point.row
    return Definition(
        name=name,
        path=".".join([*parts, name]),
        kind="method" if in_class and match.kind == "function" else match.kind,
        lead_line=borders.lead_row(row, text.lines) + 1,
        start_line=row + 1,
        header_line=header_row + 1,
        end_line=max(row, end.row if end.column else end.row - 1) + 1,
        header=text.header(header_row),
    )


def _references(
    uses: "Iterable[dict[str, list[Node]]]", text: _Text, defined: dict[int, _Match]
) -> tuple[Reference, ...]:
    line, at = 1, 0
    kept: dict[tuple[str, bytes], Reference] = {}
    for start, kind, name in sorted(_first_uses(uses, text.source, defined)):
        line, at = line + text.source.count(b"\n", at, start), start
        if (kind, name) not in kept and len(text.lines[line - 1]) <= LINE_LIMIT:
            kept[kind, name] = Reference(name.decode(errors="replace"), kind, line)
            if len(kept) == REFERENCE_LIMIT:
                break
    return tuple(kept.values())


def _first_uses(
    uses: "Iterable[dict[str, list[Node]]]", source: bytes, defined: dict[int, _Match]
) -> Iterator[tuple[int, str, bytes]]:
    """Where each (kind, name) is first used; the inner loop runs for every call of a repository."""
    firsts: dict[str, dict[bytes, int]] = {"import": {}, "call": {}, "inherit": {}}
    for captures in uses:
        for kind, nodes in captures.items():
            first = firsts.get(kind)
            if first is None:
                continue
            for node in nodes:
                start = node.start_byte
                name = source[start : node.end_byte]
                if start < first.get(name, start + 1) and start not in defined:
                    first[name] = start
    for kind, first in firsts.items():
        for written, start in first.items():
            name = written.strip(_QUOTES)
            if name and len(name) <= NAME_LIMIT and b"\n" not in name:
                yield start, kind, name
