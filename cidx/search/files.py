"""The files that a search may read, and their texts as they are on disk: never through a link, never beyond a size."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cidx.api.answer import Hit, Match
from cidx.api.query import Filters
from cidx.search.filters import allowed_files
from cidx.store import source
from cidx.store.records import ChunkRow
from cidx.store.snapshot import Snapshot
from cidx.text import encoding


class File(NamedTuple):
    """An indexed file."""

    id: int
    path: bytes
    language: str


def listed(snapshot: Snapshot, filters: Filters) -> tuple[File, ...]:
    """The files that the filters leave, by path."""
    return snapshot.kept(("files", filters), lambda: _list(snapshot, filters))


def _list(snapshot: Snapshot, filters: Filters) -> tuple[File, ...]:
    files = [File(*row) for row in snapshot.catalogue.languages()]
    allowed = allowed_files(files, filters)
    return tuple(
        sorted((file for file in files if allowed is None or file.id in allowed), key=lambda file: file.path)
    )


class Texts:
    """Reads files of one repository, for one query."""

    def __init__(self, root: Path, *, limit: int) -> None:
        self._root = os.fsencode(root)
        self._limit = limit
        self._trusted = {self._root: True}

    def read(self, path: bytes) -> bytes | None:
        """The text of a file in UTF-8; None where it can't be read, or lies behind a link.

        Raises where that is so for want of descriptors or memory: a hit must not be missing for that.
        """
        file = self._root + b"/" + path
        try:
            if not self._may_enter(os.path.dirname(file)):
                return None
            return encoding.utf8(source.read(file, limit=self._limit).data)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise
            return None

    def _may_enter(self, folder: bytes) -> bool:
        """Whether this is still a folder: one that has become a link since may lead anywhere."""
        known = self._trusted.get(folder)
        if known is None:
            above = self._may_enter(os.path.dirname(folder))
            known = self._trusted[folder] = above and stat.S_ISDIR(os.lstat(folder).st_mode)
        return known


def place(chunk: ChunkRow, text: bytes) -> tuple[ChunkRow, list[bytes]] | None:
    """A chunk where its lines stand now, and the lines of the file; where they stood if they have changed.

    None where the file has become shorter than that.
    """
    span = chunk.span
    lines = source.lines_of(text, span.end_line)
    if source.content_key(span.header, source.span_bytes(lines, span)) != chunk.key:
        lines = source.lines_of(text)
        if (found := source.find(lines, span, chunk.key)) is not None:
            return chunk._replace(span=found), lines
    return (chunk, lines) if span.start_line <= len(lines) else None


def hit(
    chunk: ChunkRow,
    lines: list[bytes],
    *,
    score: float,
    scores: dict[str, float],
    matched_by: Iterable[str],
    kind: str = "",
    matches: Iterable[Match] = (),
) -> Hit:
    """A chunk as a hit, with the lines that stand there now."""
    span = chunk.span
    content = source.span_bytes(lines, span)
    return Hit(
        path=os.fsdecode(chunk.path),
        start_line=span.start_line,
        end_line=min(span.end_line, len(lines)),
        language=chunk.language,
        symbol=span.symbol,
        score=score,
        matched_by=tuple(matched_by),
        scores=scores,
        text=content.removesuffix(b"\n").decode("utf-8", "replace"),
        stale=source.content_key(span.header, content) != chunk.key,
        kind=kind,
        matches=tuple(matches),
    )
