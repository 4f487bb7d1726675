"""Definitions and uses of names, from the catalogue, each checked on the line where it stands.

Definitions come by how well their names fit, then by place; uses by place alone.
"""

import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path

from cidx.api.answer import Hit, Match
from cidx.api.errors import CidxError, Code
from cidx.api.query import Query
from cidx.search.files import File, Texts, listed
from cidx.search.lines import Check
from cidx.store import source
from cidx.store.records import ChunkRow, Symbol
from cidx.store.snapshot import Snapshot

# How a name may fit, best first.
_FITS = (1.0, 0.9, 0.7, 0.5)


def symbols(snapshot: Snapshot, query: Query, *, root: Path, check: Check) -> Iterator[Hit]:
    """The definitions of a name, then of names that begin with it, then of names that hold it; all without one."""
    allowed = {file.id: file for file in listed(snapshot, query.filters)}
    scope, _, name = query.text.strip().rpartition(".")
    if not _is_utf8(name):
        # No name that the index holds is so.
        return
    found = [
        (fit, allowed[id_], symbol)
        for id_, symbol in snapshot.catalogue.symbols_like(name)
        if id_ in allowed
        and (not query.kinds or symbol.kind in query.kinds)
        and _is_within(symbol, scope)
        and (fit := _fit(symbol.name, name, case_sensitive=query.case_sensitive))
    ]
    if not found and query.kinds:
        _check_kinds(snapshot, query.kinds)
    found.sort(key=lambda one: (-one[0], one[1].path, one[2].start_line, one[2].path))
    texts = _Texts(snapshot, root)
    for fit, file, symbol in found:
        check()
        lines = texts.lines(file)
        if symbol.start_line <= len(lines):
            yield texts.hit(
                file,
                symbol.start_line,
                symbol.end_line,
                symbol=symbol.path,
                kind=symbol.kind,
                score=fit,
                matched_by="symbol",
                matches=_named(lines, symbol.name, range(symbol.start_line, symbol.end_line + 1)),
            )


def references(snapshot: Snapshot, query: Query, *, root: Path, check: Check) -> Iterator[Hit]:
    """Where a name is imported, called or inherited from: the first place of each kind in each file."""
    allowed = {file.path: file for file in listed(snapshot, query.filters)}
    name = query.text.strip().rpartition(".")[2]
    texts = _Texts(snapshot, root)
    found = [
        (allowed[path], line, kind)
        for path, kind, line in snapshot.catalogue.references(name)
        if path in allowed and (not query.kinds or kind in query.kinds)
    ]
    for file, line, kind in sorted(found, key=lambda one: (one[0].path, one[1], one[2])):
        check()
        # A checksum found the place: the line itself says whether the name is there.
        if matches := list(_named(texts.lines(file), name, range(line, line + 1))):
            symbol = texts.enclosing(file, line)
            yield texts.hit(
                file, line, line, symbol=symbol, kind=kind, score=1.0, matched_by="reference", matches=matches
            )


def _check_kinds(snapshot: Snapshot, wanted: Iterable[str]) -> None:
    known = snapshot.catalogue.symbol_kinds()
    unknown = [kind for kind in wanted if kind not in known]
    if unknown:
        raise CidxError(
            Code.BAD_QUERY,
            what=f"no definition here is a {unknown[0]}",
            why=f"the kinds in this repository are {', '.join(known)}"
            if known
            else "there are no definitions",
            next_step="choose one of them",
        )


def _is_utf8(name: str) -> bool:
    return name == name.encode("utf-8", "replace").decode()


def _is_within(symbol: Symbol, scope: str) -> bool:
    path = f".{symbol.path.removesuffix(symbol.name)}"
    return not scope or path.lower().endswith(f".{scope}.".lower())


def _fit(name: str, wanted: str, *, case_sensitive: bool) -> float:
    """How well a name fits: is it, is it in another case, begins with it, holds it; 0 if none."""
    if name == wanted or not wanted:
        return _FITS[0]
    if not case_sensitive:
        if name.lower() == wanted.lower():
            return _FITS[1]
        name, wanted = name.lower(), wanted.lower()
    if name.startswith(wanted):
        return _FITS[2]
    return _FITS[3] if wanted in name else 0.0


def _named(lines: list[bytes], name: str, numbers: Iterable[int]) -> Iterator[Match]:
    """The first of these lines that says the name as a word."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for number in numbers:
        if number > len(lines):
            return
        line = lines[number - 1].decode("utf-8", "surrogateescape")
        if found := word.search(line):
            first, size = (
                len(part.encode("utf-8", "surrogateescape")) for part in (line[: found.start()], name)
            )
            yield Match(number, first + 1, first + size + 1)
            return


class _Texts:
    """The lines of files, and what the index knows of them; each file is looked up once."""

    def __init__(self, snapshot: Snapshot, root: Path) -> None:
        self._snapshot = snapshot
        self._texts = Texts(root, limit=snapshot.largest_file_bytes)
        self._file: File | None = None
        self._lines: list[bytes] = []
        self._chunks: list[ChunkRow] = []

    def lines(self, file: File) -> list[bytes]:
        self._turn_to(file)
        return self._lines

    def enclosing(self, file: File, line: int) -> str:
        """The symbol of the chunk that a line stands in."""
        self._turn_to(file)
        chunk = chunk_at(self._chunks, line)
        return chunk.span.symbol if chunk is not None else ""

    def hit(
        self,
        file: File,
        start: int,
        end: int,
        *,
        symbol: str,
        kind: str,
        score: float,
        matched_by: str,
        matches: Iterable[Match],
    ) -> Hit:
        self._turn_to(file)
        end = min(end, len(self._lines))
        text = b"".join(self._lines[start - 1 : end])
        return Hit(
            path=os.fsdecode(file.path),
            start_line=start,
            end_line=end,
            language=file.language,
            symbol=symbol,
            score=score,
            matched_by=(matched_by,),
            scores={},
            text=text.removesuffix(b"\n").decode("utf-8", "replace"),
            stale=any(self._is_stale(chunk) for chunk in self._chunks if _overlap(chunk, start, end)),
            kind=kind,
            matches=tuple(matches),
        )

    def _is_stale(self, chunk: ChunkRow) -> bool:
        content = source.span_bytes(self._lines, chunk.span)
        return source.content_key(chunk.span.header, content) != chunk.key

    def _turn_to(self, file: File) -> None:
        if self._file is file:
            return
        data = self._texts.read(file.path)
        self._file = file
        self._lines = source.lines_of(data) if data is not None else []
        self._chunks = sorted(
            self._snapshot.catalogue.chunks_of_files([file.id]), key=lambda chunk: chunk.span.start_line
        )


def chunk_at(chunks: list[ChunkRow], line: int) -> ChunkRow | None:
    """The chunk, of those of a file in order, that a line stands in."""
    at = bisect_right([chunk.span.start_line for chunk in chunks], line) - 1
    return chunks[at] if at >= 0 and line <= chunks[at].span.end_line else None


def _overlap(chunk: ChunkRow, start: int, end: int) -> bool:
    return chunk.span.start_line <= end and start <= chunk.span.end_line
