"""Finds what is like a place in the code: the chunks whose vectors are nearest to that of the chunk there."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cidx.api.answer import Hit
from cidx.api.errors import CidxError, Code
from cidx.api.query import Mode, Query
from cidx.search.candidates import Looking, within
from cidx.search.files import Texts, hit
from cidx.search.fusion import clip
from cidx.search.lines import Check
from cidx.search.names import chunk_at
from cidx.store.records import ChunkRow
from cidx.store.snapshot import Snapshot

# Up to this limit a longer answer only continues a shorter one.
_DEPTH = 300


def similar(snapshot: Snapshot, query: Query, *, root: Path, check: Check) -> Iterator[Hit]:
    """The neighbours of the chunk at a place, `path:line` relative to the root; not that chunk itself."""
    path, _, line = query.text.rpartition(":")
    chunk = find_place(snapshot, os.fsencode(path), int(line))
    vector = snapshot.vectors.units(np.array([chunk.row], dtype=np.intp))[0]
    norm = float(np.linalg.norm(vector))
    if not norm:
        return
    looking = Looking(
        snapshot=snapshot,
        mode=Mode.SEMANTIC,
        terms=(),
        probe=snapshot.vectors.probe(vector / np.float32(norm)),
        effort=query.accuracy.effort,
    )
    shallow = query.limit is not None and query.limit <= _DEPTH
    # One more: the chunk itself is among them.
    near = looking.find(
        depth=_DEPTH + 1 if shallow else None, within=within(snapshot, query.filters)
    ).semantic
    near.pop(chunk.id, None)
    texts = Texts(root, limit=snapshot.largest_file_bytes)
    rows = snapshot.catalogue.chunks(near)
    for row in sorted(rows, key=lambda row: (-near[row.id], row.path, row.span.start_line)):
        check()
        if (placed := texts.place(row)) is not None:
            cosine = near[row.id]
            yield hit(placed, score=clip(cosine), scores={"semantic": cosine}, matched_by=("semantic",))


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


def _no_place(what: str, why: str, next_step: str) -> CidxError:
    return CidxError(Code.BAD_QUERY, what=what, why=why, next_step=next_step)
