"""Answers as people and programs read them: text, quiet lines and JSON.

Paths are relative to the root in JSON, and to the working directory in what people read, so that they can be
opened from there.
"""

import json
import os
import re
from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from typing import Any

from cidx.api.answer import Answer, Hit
from cidx.cli.session import Session
from cidx.text.tokenizer import query_terms

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Control characters of a file must not steer somebody's terminal.
_CONTROL = dict.fromkeys((*range(9), *range(11, 32), 127, *range(128, 160)), "�")
_CONTROL[13] = ""

_BOLD, _DIM, _CYAN, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"


def as_json(answer: Answer) -> str:
    """One JSON object; what is not UTF-8 in a path is escaped, so the output always is."""
    return dump(answer.to_json())


def dump(value: Any, *, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def quiet(answer: Answer, session: Session) -> None:
    """`path:start-end`, one hit a line."""
    places = _Places(answer, session)
    for hit in answer.hits:
        session.out.line(places.of(hit))


def text(answer: Answer, session: Session, *, snippet_lines: int) -> None:
    """Each hit with the lines that fit best."""
    paint = _paint if session.terminal.colour else _no_paint
    if not answer.hits:
        session.err.line("cidx: nothing found")
        return
    terms = query_terms(answer.query)
    places = _Places(answer, session)
    for number, hit in enumerate(answer.hits):
        if number and snippet_lines:
            session.out.line()
        session.out.line(_head(hit, places, paint))
        for line_number, line in snippet(hit, terms, snippet_lines):
            session.out.line(f"{paint(f'{line_number:>6}', _DIM)}  {_fit(line, session)}")


def changed(files: int) -> str:
    """`1 file has changed`."""
    return "1 file has changed" if files == 1 else f"{files} files have changed"


def snippet(hit: Hit, terms: Sequence[str], count: int) -> list[tuple[int, str]]:
    """The `count` lines in a row that hold the most of the query's terms, the first such place."""
    lines = hit.text.split("\n")
    if count >= len(lines):
        return list(enumerate(lines, hit.start_line))
    weights = [sum(map(line.__contains__, terms)) for line in hit.text.lower().split("\n")]
    sums = list(accumulate(weights, initial=0))
    totals = list(map(sub, sums[count:], sums))
    start = totals.index(max(totals))
    return list(enumerate(lines[start : start + count], hit.start_line + start))


def _head(hit: Hit, places: "_Places", paint: Any) -> str:
    parts = [paint(places.of(hit), _BOLD)]
    if hit.symbol:
        parts.append(paint(hit.symbol.translate(_CONTROL), _CYAN))
    parts.append(paint(f"{hit.score:.2f}", _DIM))
    if hit.stale:
        parts.append("(changed since it was indexed)")
    return "  ".join(parts)


class _Places:
    """`path:start-end` of hits, as one would open them from the working directory."""

    def __init__(self, answer: Answer, session: Session) -> None:
        self._root = answer.repository
        self._directory = os.path.realpath(session.directory)
        below = os.path.relpath(self._directory, self._root)
        self._prefix = "" if below == "." else below + "/"

    def of(self, hit: Hit) -> str:
        if hit.path.startswith(self._prefix):
            path = hit.path[len(self._prefix) :]
        else:
            path = os.path.relpath(os.path.join(self._root, hit.path), self._directory)
        return f"{path}:{hit.start_line}-{hit.end_line}".replace("\n", "\\n")


def _fit(line: str, session: Session) -> str:
    line = line.expandtabs(4).translate(_CONTROL)
    room = session.terminal.columns - 8
    if session.terminal.out_is_terminal and len(line) > room > 1:
        return line[: room - 1] + "…"
    return line


def _paint(text: str, style: str) -> str:
    return f"{style}{text}{_PLAIN}"


def _no_paint(text: str, _: str) -> str:
    return text
