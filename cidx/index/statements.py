"""Find what an SQL file creates: tables, views, functions and the like, each from its comment to its end.

Reads lines, not syntax: every database has a dialect of its own, and no grammar reads them all. A statement that
creates begins a line. A routine reaches to the next one, or to the end of what it quotes with dollars; all else to a
semicolon at the end of a line.
"""

import re
from collections.abc import Sequence

from cidx.index.grammars import HEADER_LIMIT, NAME_LIMIT, Definition

_LINE_LIMIT = 1000  # a longer line is data, and is not worth a regular expression
_PART = rb'(?:[\w$]+|"[^"]+"|`[^`]+`|\[[^\]]+\])'
_CREATE = re.compile(
    rb"(?i)create\s+(?:or\s+(?:replace|alter)\s+)?"
    rb"(?:(?:global|local|temp|temporary|unlogged|external|foreign|virtual|recursive|materialized|unique|clustered"
    rb"|nonclustered|fulltext|constraint|editionable|aggregate|definer\s*=\s*\S+|algorithm\s*=\s*\w+"
    rb"|sql\s+security\s+\w+)\s+)*"
    rb"(table|view|function|procedure|trigger|index|type|domain|sequence|schema|package(?:\s+body)?)\s+"
    rb"(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?"
    rb"(" + _PART + rb"(?:\." + _PART + rb")*)"
)
_ROUTINES = frozenset({"function", "procedure", "trigger", "package"})
_DOLLARS = re.compile(rb"\$\w*\$")
_QUOTES = str.maketrans("", "", '"`[]')


def statements(lines: Sequence[bytes]) -> list[Definition]:
    """What a file of `lines` creates, in order."""
    starts = [(row, found) for row, line in enumerate(lines) if (found := _created(line))]
    limits = [row for row, _ in starts[1:]] + [len(lines)]
    return [_define(lines, row, *found, limit=end) for (row, found), end in zip(starts, limits, strict=False)]


def _created(line: bytes) -> tuple[str, str] | None:
    """The kind and the path of what the line begins to create."""
    if line[:1] not in (b"c", b"C") or len(line) > _LINE_LIMIT:
        return None
    found = _CREATE.match(line)
    if found is None:
        return None
    path = found[2].decode(errors="replace").translate(_QUOTES)
    return found[1].split()[0].decode().lower(), path[:NAME_LIMIT]


def _define(lines: Sequence[bytes], row: int, kind: str, path: str, *, limit: int) -> Definition:
    end = _end_of_routine(lines, row, limit) if kind in _ROUTINES else _end(lines, row, limit)
    return Definition(
        name=path.rpartition(".")[2],
        path=path,
        kind=kind,
        lead_line=_lead(lines, row) + 1,
        start_line=row + 1,
        header_line=row + 1,
        end_line=end,
        header=lines[row].strip().decode(errors="replace")[:HEADER_LIMIT],
    )


def _end(lines: Sequence[bytes], row: int, limit: int) -> int:
    """The row after the first that ends with a semicolon."""
    ending = (at + 1 for at in range(row, limit) if lines[at].rstrip().endswith(b";"))
    return next(ending, _before_comments(lines, row, limit))


def _end_of_routine(lines: Sequence[bytes], row: int, limit: int) -> int:
    quote = b""
    for at in range(row, limit):
        for mark in _DOLLARS.findall(lines[at]):
            if not quote:
                quote = mark
            elif mark == quote:
                return _end(lines, at, limit)
    return _before_comments(lines, row, limit)


def _before_comments(lines: Sequence[bytes], row: int, limit: int) -> int:
    """The row after what stands above the comment of the next statement."""
    end = _lead(lines, limit) if limit < len(lines) else limit
    while end > row + 1 and not lines[end - 1].strip():
        end -= 1
    return max(end, row + 1)


def _lead(lines: Sequence[bytes], row: int) -> int:
    """The first row of the comments directly above."""
    while row and lines[row - 1].startswith((b"--", b"/*", b" *", b"*/")):
        row -= 1
    return row
