"""Finds what is like a place in the code: the chunks whose vectors are nearest to that of the chunk there."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cidx.api.answer import Hit
from cidx.api.errors import CidxError, Code
from cidx.api.query import Query
from cidx.search.files import Texts, hit, listed, place
from cidx.search.fusion import clip
from cidx.search.lines import Check
from cidx.search.names import chunk_at
from cidx.store.records import Candidate, ChunkRow
from cidx.store.snapshot import Snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Less is chance, as in `retrieve`.
_LEAST_COSINE = 0.2
# Up to this limit a longer answer only continues a shorter one.
_DEPTH = 300
# A filter that leaves a larger share of the files is applied to what was found.
_MOST_LISTED = 0.25


def similar(snapshot: Snapshot, query: Query, *, root: Path, check: Check) -> Iterator[Hit]:
    """The neighbours of the chunk at a place, `path:line` relative to the root; not that chunk itself."""
    path, _, line = query.text.rpartition(":")
    chunk = find_place(snapshot, os.fsencode(path), int(line))
    vector = snapshot.vectors.units(np.array([chunk.row], dtype=np.intp))[0]
    norm = float(np.linalg.norm(vector))
    if not norm:
        return
    near = _Neighbours(snapshot, query, vector / np.float32(norm)).find()
    near.pop(chunk.id, None)
    texts = Texts(root, limit=snapshot.largest_file_bytes)
    rows = snapshot.catalogue.chunks(near)
    for row in sorted(rows, key=lambda row: (-near[row.id], row.path, row.span.start_line)):
        check()
        data = texts.read(row.path)
        if data is not None and (placed := place(row, data)) is not None:
            cosine = near[row.id]
            yield hit(*placed, score=clip(cosine), scores={"semantic": cosine}, matched_by=("semantic",))


def find_place(snapshot: Snapshot, path: bytes, line: int) -> ChunkRow:
    """The chunk at a line of a file; an error says why there is none."""
    shown = os.fsdecode(path)
    files = snapshot.catalogue.files_at([path])
    if not files:
        raise _no_place(
            f"{shown} is not in the index",
            "there is no such file, or it is ignored",
            "cidx index brings new files in; paths are relative to the working directory",
        )
    if files[0].skipped:
        raise _no_place(
            f"{shown} was not indexed", f"it was skipped: {files[0].skipped}", "choose another file"
        )
    chunks = sorted(
        snapshot.catalogue.chunks_of_files([files[0].id]), key=lambda chunk: chunk.span.start_line
    )
    chunk = chunk_at(chunks, line)
    if chunk is None:
        last = chunks[-1].span.end_line if chunks else 0
        raise _no_place(
            f"{shown} has no line {line}",
            f"it had {last} lines when it was indexed",
            f"choose one from 1 to {last}" if last else "choose another file",
        )
    return chunk


class _Neighbours:
    """Looks for the chunks nearest to a vector, among the files that may answer."""

    def __init__(self, snapshot: Snapshot, query: Query, vector: "NDArray[np.float32]") -> None:
        self._snapshot = snapshot
        self._vector = vector
        shallow = query.limit is not None and query.limit <= _DEPTH
        # One more: the chunk itself is among them.
        self._enough = _DEPTH + 1 if shallow else max(len(snapshot.vectors), 1)
        self._effort = query.accuracy.effort
        self._files: set[int] | None = None
        self._rows: NDArray[np.intp] | None = None
        if query.filters:
            self._files = {file.id for file in listed(snapshot, query.filters)}
            if len(self._files) <= _MOST_LISTED * snapshot.catalogue.counts()[0]:
                self._rows = np.array(snapshot.catalogue.rows_of_files(self._files), dtype=np.intp)

    def find(self) -> dict[int, float]:
        """The cosine of each."""
        width = self._enough
        while True:
            rows, cosines = self._snapshot.nearest(
                self._vector, width=width, least=_LEAST_COSINE, rows=self._rows, effort=self._effort
            )
            by_row = dict(zip(rows.tolist(), cosines.tolist(), strict=True))
            found = [
                chunk for chunk in self._snapshot.catalogue.candidates_of_rows(by_row) if self._may(chunk)
            ]
            if len(found) >= self._enough or len(by_row) < width:
                best = sorted(found, key=lambda chunk: (-by_row[chunk.row], chunk.id))[: self._enough]
                return {chunk.id: by_row[chunk.row] for chunk in best}
            # Many rows are of chunks that are gone or filtered out.
            width *= 4

    def _may(self, chunk: Candidate) -> bool:
        return self._files is None or chunk.file in self._files


def _no_place(what: str, why: str, next_step: str) -> CidxError:
    return CidxError(Code.BAD_QUERY, what=what, why=why, next_step=next_step)
