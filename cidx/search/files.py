"""The files that a search may read, and their texts as they are on disk: never through a link, never beyond a size."""

import errno
import io
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
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
        self._changed: dict[bytes, bytes | None] = {}

    def read(self, path: bytes) -> bytes | None:
        """The text of a file in UTF-8; None where it can't be read, or lies behind a link.

        Raises where that is so for want of descriptors or memory: a hit must not be missing for that.
        """
        return self._read(path, lambda file: encoding.utf8(source.read(file, limit=self._limit).data))

    def place(self, chunk: ChunkRow) -> "Placed | None":
        """A chunk where its lines stand now; None where its file can't be read, or has become too short.

        Of a file that is as it was indexed no more than these lines is read.
        """
        if (stretch := self.stretch([chunk])) is not None:
            return stretch.chunks[0]
        if chunk.path not in self._changed:
            self._changed[chunk.path] = self.read(chunk.path)
        text = self._changed[chunk.path]
        return place(chunk, text) if text is not None else None

    def stretch(self, chunks: Sequence[ChunkRow]) -> "Stretch | None":
        """The lines of one file from the first of these chunks to the last; None unless it is as it was indexed."""
        if not chunks:
            return None
        path, stamp, start = chunks[0].path, chunks[0].stamp, chunks[0].start_byte
        size = chunks[-1].start_byte + chunks[-1].size_bytes - start
        data = self._read(path, lambda file: source.read_part(file, start, size, stamped=stamp))
        if data is None:
            return None
        placed = [_stands(chunk, data, chunk.start_byte - start) for chunk in chunks]
        return None if any(one.stale for one in placed) else Stretch(data, placed)

    def _read(self, path: bytes, read: Callable[[bytes], bytes | None]) -> bytes | None:
        file = self._root + b"/" + path
        try:
            return read(file) if self._may_enter(os.path.dirname(file)) else None
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


class Placed(NamedTuple):
    """A chunk where it stands now, with the lines that stand there; stale if they are not those that were indexed."""

    chunk: ChunkRow
    content: bytes
    stale: bool


class Stretch(NamedTuple):
    """Some lines of a file, and the chunks in them that were asked for: the first begins them, the last ends them."""

    data: bytes
    chunks: Sequence[Placed]


def _stands(chunk: ChunkRow, data: bytes, at: int) -> Placed:
    content = data[at : at + chunk.size_bytes]
    return Placed(chunk, content, stale=source.content_key(chunk.span.header, content) != chunk.key)


def place(chunk: ChunkRow, text: bytes) -> Placed | None:
    """A chunk where its lines stand now in the text of its file; where they stood if they have changed.

    None where the file has become shorter than that.
    """
    span = chunk.span
    content = _lines(text, span.start_line, span.end_line)
    if source.content_key(span.header, content) == chunk.key:
        return Placed(chunk, content, stale=False)
    lines = source.lines_of(text)
    if (found := source.find(lines, span, chunk.key)) is not None:
        return placed(chunk._replace(span=found), lines)
    return placed(chunk, lines) if span.start_line <= len(lines) else None


def placed(chunk: ChunkRow, lines: list[bytes]) -> Placed:
    """A chunk where it stood, in a file of these lines, or of these and more behind it."""
    span = chunk.span
    content = source.span_bytes(lines, span)
    stale = source.content_key(span.header, content) != chunk.key
    shown = chunk._replace(span=span._replace(end_line=min(span.end_line, len(lines)))) if stale else chunk
    return Placed(shown, content, stale)


def _lines(text: bytes, first: int, last: int) -> bytes:
    """Some lines of a text, or what there is of them; those before them are passed over and not kept."""
    stream = io.BytesIO(text)
    deque(islice(stream, first - 1), maxlen=0)
    return b"".join(islice(stream, last - first + 1))


def hit(
    placed: Placed,
    *,
    score: float,
    scores: dict[str, float],
    matched_by: Iterable[str],
    kind: str = "",
    matches: Iterable[Match] = (),
) -> Hit:
    """A chunk as a hit, with the lines that stand there now."""
    chunk = placed.chunk
    span = chunk.span
    return Hit(
        path=os.fsdecode(chunk.path),
        start_line=span.start_line,
        end_line=span.end_line,
        language=chunk.language,
        symbol=span.symbol,
        score=score,
        matched_by=tuple(matched_by),
        scores=scores,
        text=placed.content.removesuffix(b"\n").decode("utf-8", "replace"),
        stale=placed.stale,
        kind=kind,
        matches=tuple(matches),
    )
