"""Answers as people and programs read them: text, quiet lines, editors' places, paths and JSON.

Paths are relative to the root in JSON, and to the working directory in what people and editors read, so that they can
be opened from there.
"""

import json
import os
import re
from typing import Any

from cidx.api.answer import Answer, Hit
from cidx.api.query import Mode
from cidx.cli.columns import cut
from cidx.cli.session import Session
from cidx.cli.snippet import Line, best_line, matching, snippet
from cidx.text.tokenizer import query_terms

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Control characters of a file must not steer somebody's terminal.
_CONTROL = dict.fromkeys((*range(9), *range(11, 32), 127, *range(128, 160)), "�")
_CONTROL[13] = ""

_BOLD, _DIM, _CYAN, _GREEN, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[1;32m", "\x1b[0m"


def as_json(answer: Answer) -> str:
    """One JSON object; what is not UTF-8 in a path is escaped, so the output always is."""
    return dump(answer.to_json())


def dump(value: Any, *, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def jsonl(answer: Answer, session: Session) -> None:
    """Each hit as a JSON object, one a line."""
    for hit in answer.hits:
        session.out.line(dump(hit.to_json()))


def quiet(answer: Answer, session: Session) -> None:
    """`path:start-end`, one hit a line."""
    places = _Places(answer, session)
    for hit in answer.hits:
        session.out.line(places.of(hit))


def paths(answer: Answer, session: Session) -> None:
    """The path of each file with a hit, once, in the order of the hits."""
    places = _Places(answer, session)
    for path in dict.fromkeys(hit.path for hit in answer.hits):
        session.out.line(places.path(path))


def vimgrep(answer: Answer, session: Session) -> None:
    """`path:line:column:text`, as editors read it: each line that matches, or the best line of a hit."""
    places = _Places(answer, session)
    terms = query_terms(answer.query)
    for hit in answer.hits:
        path = places.path(hit.path)
        lines = hit.text.split("\n")
        if hit.matches:
            for match in hit.matches:
                text = lines[match.line - hit.start_line].translate(_CONTROL)
                session.out.line(f"{path}:{match.line}:{match.column}:{text}")
        else:
            line, column = best_line(hit, terms)
            session.out.line(f"{path}:{line.number}:{column}:{line.text.translate(_CONTROL)}")


def text(answer: Answer, session: Session, *, snippet_lines: int) -> None:
    """Each hit with the lines that fit best; those that were asked for are marked."""
    paint = _paint if session.terminal.colour else _no_paint
    terms = query_terms(answer.query)
    places = _Places(answer, session)
    for number, hit in enumerate(answer.hits):
        if number and snippet_lines:
            session.out.line()
        session.out.line(_head(hit, places, paint))
        for line in _lines(answer.mode, hit, terms, snippet_lines):
            mark = ">" if line.fits else " "
            at = paint(f"{line.number:>6}{mark}", _GREEN if line.fits else _DIM)
            session.out.line(f"{at} {_fit(line.text, session)}".rstrip())


def timing(answer: Answer) -> str:
    """Where the time went, in one line."""
    times = dict(answer.timing or {})
    kept = " (hits kept from before)" if times.pop("kept", False) else ""
    parts = ", ".join(
        f"{name.removesuffix('_ms').replace('_', ' ')} {value:.1f}" for name, value in times.items()
    )
    return f"{parts}; {answer.took_ms:.1f} ms in all, by the {answer.served_by}{kept}"


def changed(files: int) -> str:
    """`1 file has changed`."""
    return "1 file has changed" if files == 1 else f"{files} files have changed"


def _lines(mode: Mode, hit: Hit, terms: list[str], count: int) -> list[Line]:
    if not count:
        return []
    return matching(hit, count) if mode is Mode.REGEX else snippet(hit, terms, count)


def _head(hit: Hit, places: "_Places", paint: Any) -> str:
    parts = [paint(places.of(hit), _BOLD)]
    if hit.symbol:
        parts.append(paint(hit.symbol.translate(_CONTROL), _CYAN))
    if hit.kind:
        parts.append(hit.kind)
    if hit.scores:
        parts.append(paint(f"{hit.score:.2f}", _DIM))
    if hit.stale:
        parts.append("(changed since it was indexed)")
    return "  ".join(parts)


class _Places:
    """Paths, and `path:start-end` of hits, as one would open them from the working directory."""

    def __init__(self, answer: Answer, session: Session) -> None:
        self._root = answer.repository
        self._directory = os.path.realpath(session.directory)
        below = os.path.relpath(self._directory, self._root)
        self._prefix = "" if below == "." else below + "/"

    def of(self, hit: Hit) -> str:
        return f"{self.path(hit.path)}:{hit.start_line}-{hit.end_line}"

    def path(self, path: str) -> str:
        if path.startswith(self._prefix):
            found = path[len(self._prefix) :]
        else:
            found = os.path.relpath(os.path.join(self._root, path), self._directory)
        return found.replace("\n", "\\n")


def _fit(line: str, session: Session) -> str:
    line = line.expandtabs(4).translate(_CONTROL)
    return cut(line, session.terminal.columns - 8) if session.terminal.out_is_terminal else line


def _paint(text: str, style: str) -> str:
    return f"{style}{text}{_PLAIN}"


def _no_paint(text: str, _: str) -> str:
    return text
