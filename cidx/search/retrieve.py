"""A query to ranked hits of one snapshot.

Candidates of each kind are found among the files that the filters allow; each candidate is then
scored exactly by both kinds. Equal scores are ordered by place, so answers are the same on every run.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cidx.api.answer import Hit
from cidx.api.errors import CidxError, Code, NotIndexed
from cidx.api.query import Mode, Query
from cidx.search import fusion
from cidx.search.filters import allowed_files
from cidx.search.fusion import Scored
from cidx.search.laps import Laps
from cidx.store import source
from cidx.store.records import Candidate, ChunkRow
from cidx.store.snapshot import Snapshot
from cidx.text import encoding
from cidx.text.embedder import Embedder
from cidx.text.tokenizer import query_terms, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Candidates of each kind. Up to this limit a longer answer only continues a shorter one.
_DEPTH = 300
# Hits looked up at a time: a few more than are usually asked for, as the files of some may be gone.
_SHOWN = 16
# Less is chance: in 256 dimensions the cosines of unrelated vectors are around 0 with a deviation of 1/16.
_LEAST_COSINE = 0.2
# A filter that leaves a larger share of the files is applied to what was found, not to what is looked through.
_MOST_LISTED = 0.25


def retrieve(
    snapshot: Snapshot, query: Query, *, embedder: Embedder, root: Path, laps: Laps | None = None
) -> list[Hit]:
    """The best hits, as many as the query asks for."""
    if not query.text.strip():
        raise CidxError(
            Code.BAD_QUERY,
            what="the query is empty",
            why="there is nothing to look for",
            next_step='cidx query "what you are looking for"',
        )
    laps = laps or Laps()
    search = _Search.of(snapshot, query, embedder, laps)
    ranked = search.rank(query.mode)
    laps.lap("ranking")
    hits = _hits(ranked, snapshot, root, limit=snapshot.largest_file_bytes)
    found = list(islice((hit for hit in hits if hit.score >= query.min_score), query.limit))
    laps.lap("reading")
    return found


@dataclass(slots=True)
class _Search:
    """One query on its way: what it looks for, where it may look, and the candidates met so far."""

    snapshot: Snapshot
    terms: Sequence[str]
    vector: "NDArray[np.float32] | None"
    files: frozenset[int] | None
    files_searched: int
    depth: int | None
    effort: float
    laps: Laps
    candidates: dict[int, Candidate] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Snapshot, query: Query, embedder: Embedder, laps: Laps) -> "_Search":
        text = query.text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        files, files_searched = snapshot.kept(query.filters, lambda: _allowed(snapshot, query))
        shallow = query.limit is not None and query.limit <= _DEPTH
        return cls(
            snapshot,
            query_terms(text),
            _vector(snapshot, query.mode, text, embedder),
            files,
            files_searched,
            _DEPTH if shallow else None,
            query.accuracy.effort,
            laps,
        )

    def rank(self, mode: Mode) -> list[Scored]:
        ceiling = self.snapshot.fulltext.ceiling(self.terms)
        semantic = self.nearest() if mode is not Mode.FTS else {}
        fts = self.matching() if mode is not Mode.SEMANTIC else {}
        self.laps.lap("candidates")
        match mode:
            case Mode.SEMANTIC:
                scored = fusion.single("semantic", semantic)
            case Mode.FTS:
                scored = fusion.single("fts", fts, ceiling=ceiling)
            case Mode.HYBRID:
                semantic |= self.cosines(fts.keys() - semantic.keys())
                fts |= self.matching_among(semantic.keys() - fts.keys())
                scored = fusion.fuse(semantic, fts, ceiling=ceiling)
        return sorted(scored, key=lambda one: -one.score)

    def nearest(self) -> dict[int, float]:
        """The chunks whose vectors are nearest."""
        if self.vector is None:
            return {}
        rows = self._allowed_rows()
        enough = self.depth or len(self.snapshot.vectors)
        width = enough
        if self.files is not None and rows is None:
            # So many as hold enough that pass, and a quarter more.
            width = enough * self.files_searched * 5 // (len(self.files) * 4)
        while True:
            near, scores = self.snapshot.nearest(
                self.vector, width=width, least=_LEAST_COSINE, rows=rows, effort=self.effort
            )
            by_row = dict(zip(near.tolist(), scores.tolist(), strict=True))
            found = self._remember(self.snapshot.catalogue.candidates_of_rows(by_row))
            if len(found) >= enough or len(by_row) < width:
                nearest = sorted(found, key=lambda chunk: (-by_row[chunk.row], chunk.id))[:enough]
                return {chunk.id: by_row[chunk.row] for chunk in nearest}
            # Many rows are of chunks that are gone or filtered out.
            width *= 4

    def _allowed_rows(self) -> "NDArray[np.intp] | None":
        """The rows that a filter leaves, where they are few: most of them are told sooner when they are met."""
        if self.files is None or len(self.files) > _MOST_LISTED * self.files_searched:
            return None
        return np.array(self.snapshot.catalogue.rows_of_files(self.files), dtype=np.intp)

    def matching(self) -> dict[int, float]:
        """The chunks whose words match best."""
        width = self.depth
        while True:
            scores = self.snapshot.fulltext.search(self.terms, depth=width, files=self.files)
            found = self._alive(scores)
            if width is None or self.depth is None or len(found) >= self.depth or len(scores) < width:
                best = sorted(found.items(), key=lambda item: (-item[1], item[0]))
                return dict(best[: self.depth])
            # Many documents are of chunks that are gone.
            width *= 4

    def matching_among(self, chunks: Iterable[int]) -> dict[int, float]:
        """The word scores of candidates that came from the vectors."""
        wanted = sorted(chunks)
        if not wanted:
            return {}
        return self.snapshot.fulltext.search(self.terms, depth=len(wanted), chunks=wanted)

    def cosines(self, chunks: Iterable[int]) -> dict[int, float]:
        """The cosines of candidates that came from the words, where they mean anything."""
        wanted = sorted(chunks)
        if self.vector is None or not wanted:
            return {}
        rows = np.array([self.candidates[chunk].row for chunk in wanted], dtype=np.intp)
        scores = self.snapshot.vectors.scores(self.vector, rows)
        return {chunk: float(s) for chunk, s in zip(wanted, scores, strict=True) if s >= _LEAST_COSINE}

    def _alive(self, scores: dict[int, float]) -> dict[int, float]:
        found = self._remember(self.snapshot.catalogue.candidates(scores))
        return {chunk.id: scores[chunk.id] for chunk in found}

    def _remember(self, found: list[Candidate]) -> list[Candidate]:
        allowed = [one for one in found if self.files is None or one.file in self.files]
        self.candidates |= {one.id: one for one in allowed}
        return allowed


def _allowed(snapshot: Snapshot, query: Query) -> tuple[frozenset[int] | None, int]:
    """The files that the filters leave, and of how many."""
    if not query.filters:
        return None, 0
    listed = snapshot.catalogue.languages()
    return allowed_files(listed, query.filters), len(listed)


def _vector(snapshot: Snapshot, mode: Mode, text: str, embedder: Embedder) -> "NDArray[np.float32] | None":
    """The query's vector; None where it has none or the index was embedded by another model."""
    if mode is Mode.FTS:
        return None
    if snapshot.model != embedder.version:
        if mode is Mode.HYBRID:
            return None
        raise NotIndexed(
            what="the index can't be searched by meaning yet",
            why=f"it was embedded by the model {snapshot.model}, this cidx carries {embedder.version}",
            next_step="cidx index",
        )
    # However often the query says a word.
    vector = embedder.embed([dict.fromkeys(words(text), 1)])[0]
    return vector if vector.any() else None


def _hits(ranked: Sequence[Scored], snapshot: Snapshot, root: Path, *, limit: int) -> Iterator[Hit]:
    """Read the lines of each hit; a file that is gone has nothing to show and is passed over."""
    files: dict[bytes, list[bytes] | None] = {}
    for scored, chunk in _placed(ranked, snapshot):
        if chunk.path not in files:
            files[chunk.path] = _lines(root, chunk.path, limit=limit)
        lines = files[chunk.path]
        if lines is not None and chunk.span.start_line <= len(lines):
            yield _hit(scored, chunk, lines)


def _placed(ranked: Sequence[Scored], snapshot: Snapshot) -> Iterator[tuple[Scored, ChunkRow]]:
    """The ranked with what is known of their chunks, equal scores by place; looked up as far as they are wanted."""
    start = 0
    while start < len(ranked):
        end = min(start + _SHOWN, len(ranked))
        while end < len(ranked) and ranked[end].score == ranked[end - 1].score:
            end += 1
        part = ranked[start:end]
        chunks = {chunk.id: chunk for chunk in snapshot.catalogue.chunks(one.chunk for one in part)}
        placed = [(scored, chunks[scored.chunk]) for scored in part]
        yield from sorted(placed, key=lambda one: (-one[0].score, one[1].path, one[1].span.start_line))
        start = end


def _lines(root: Path, path: bytes, *, limit: int) -> list[bytes] | None:
    file = os.fsencode(root) + b"/" + path
    folder = os.path.dirname(file)
    try:
        # A folder that has become a link since may lead anywhere.
        if os.path.realpath(folder) != folder:
            return None
        return source.lines_of(encoding.utf8(source.read(file, limit=limit).data))
    except OSError:
        return None


def _hit(scored: Scored, chunk: ChunkRow, lines: list[bytes]) -> Hit:
    span = chunk.span
    content = source.span_bytes(lines, span)
    return Hit(
        path=os.fsdecode(chunk.path),
        start_line=span.start_line,
        end_line=min(span.end_line, len(lines)),
        language=chunk.language,
        symbol=span.symbol,
        score=scored.score,
        matched_by=tuple(scored.scores),
        scores=scored.scores,
        text=content.removesuffix(b"\n").decode("utf-8", "replace"),
        stale=source.content_key(span.header, content) != chunk.key,
    )
