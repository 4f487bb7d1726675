"""The chunks that may answer a query, each with its exact scores of both kinds.

A score depends on the query and the chunk alone, however the chunk was found: whatever one way of looking finds is
scored the other way too.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cidx.api.query import Filters, Mode
from cidx.search.filters import allowed_files
from cidx.store.records import Candidate
from cidx.store.snapshot import Snapshot
from cidx.store.vectors import Probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Less is chance: in 192 dimensions the cosines of unrelated vectors are around 0 with a deviation of 1/14.
_LEAST_COSINE = 0.2
# Beside so many that match in words one that is near does: what is near in meaning and good mostly matches in words too
# (a quarter of them finds as much as half of them, in less time).
_WORDS_EACH = 4
# A filter that leaves a larger share of the files is applied to what was found, not to what is looked through.
_MOST_LISTED = 0.25


@dataclass(frozen=True, slots=True)
class Within:
    """The files that filters leave, and how many there are in all."""

    files: frozenset[int]
    of: int


def within(snapshot: Snapshot, filters: Filters) -> Within | None:
    """The files that the filters leave, worked out once a generation; None where there is nothing to filter by."""
    if not filters:
        return None

    def work_out() -> Within:
        listed = snapshot.catalogue.languages()
        return Within(allowed_files(listed, filters) or frozenset(), len(listed))

    return snapshot.kept(filters, work_out)


@dataclass(slots=True)
class Found:
    """Candidates by their ids, and their scores: raw, and only where there is one. `whole` if nothing else matches."""

    chunks: dict[int, Candidate] = field(default_factory=dict)
    semantic: dict[int, float] = field(default_factory=dict)
    fts: dict[int, float] = field(default_factory=dict)
    whole: bool = True

    def matching(self) -> list[Candidate]:
        """Those that have a score."""
        return [chunk for id_, chunk in self.chunks.items() if id_ in self.semantic or id_ in self.fts]

    def scores(self, chunk: int) -> dict[str, float]:
        kinds = (("semantic", self.semantic), ("fts", self.fts))
        return {kind: scores[chunk] for kind, scores in kinds if chunk in scores}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What is looked for in a snapshot: words, what is near a vector, or both."""

    snapshot: Snapshot
    mode: Mode
    terms: Sequence[str]
    probe: Probe | None
    effort: float

    def find(
        self,
        *,
        depth: int | None,
        within: Within | None = None,
        also: Iterable[int] = (),
        but: Collection[int] = (),
    ) -> Found:
        """The best of each kind, as many as `depth` (None: all), of the files that are left, but for those known.

        `also` are candidates whatever their score.
        """
        found = Found()
        if self.mode is not Mode.SEMANTIC:
            self._match(found, depth, within)
        if self.mode is not Mode.FTS and self.probe is not None:
            few = depth // _WORDS_EACH if depth is not None and self.mode is Mode.HYBRID else depth
            self._approach(found, few, within)
        found.chunks |= {
            chunk.id: chunk
            for chunk in self.snapshot.catalogue.candidates(set(also) - found.chunks.keys())
            if within is None or chunk.file in within.files
        }
        for known in found.chunks.keys() & set(but):
            del found.chunks[known]
        self._complete(found)
        return found

    def _match(self, found: Found, depth: int | None, within: Within | None) -> None:
        """The chunks whose words match best."""
        width = depth
        while True:
            scores = self.snapshot.fulltext.search(
                self.terms, depth=width, files=within.files if within else None
            )
            chunks = self.snapshot.catalogue.candidates(scores)
            if width is None or depth is None or len(chunks) >= depth or len(scores) < width:
                chunks.sort(key=lambda chunk: (-scores[chunk.id], chunk.id))
                for chunk in chunks[:depth]:
                    found.chunks[chunk.id] = chunk
                    found.fts[chunk.id] = scores[chunk.id]
                found.whole &= width is None or len(scores) < width
                return
            # Many documents are of chunks that are gone.
            width *= 4

    def _approach(self, found: Found, depth: int | None, within: Within | None) -> None:
        """The chunks whose vectors are nearest."""
        assert self.probe is not None
        rows = self._rows(within)
        enough = depth or len(self.snapshot.vectors)
        width = enough
        if within is not None and rows is None:
            # So many as hold enough that pass, and a quarter more.
            width = enough * within.of * 5 // (len(within.files) * 4)
        while True:
            near, cosines = self.snapshot.nearest(
                self.probe, width=width, least=_LEAST_COSINE, rows=rows, effort=self.effort
            )
            by_row = dict(zip(near.tolist(), cosines.tolist(), strict=True))
            chunks = [
                chunk
                for chunk in self.snapshot.catalogue.candidates_of_rows(by_row)
                if within is None or chunk.file in within.files
            ]
            if len(chunks) >= enough or len(by_row) < width:
                chunks.sort(key=lambda chunk: (-by_row[chunk.row], chunk.id))
                for chunk in chunks[:enough]:
                    found.chunks[chunk.id] = chunk
                    found.semantic[chunk.id] = by_row[chunk.row]
                found.whole &= len(by_row) < width
                return
            # Many rows are of chunks that are gone or filtered out.
            width *= 4

    def _rows(self, within: Within | None) -> "NDArray[np.intp] | None":
        """The rows that a filter leaves, where they are few: most of them are told sooner when they are met."""
        if within is None or len(within.files) > _MOST_LISTED * within.of:
            return None
        return np.array(self.snapshot.catalogue.rows_of_files(within.files), dtype=np.intp)

    def _complete(self, found: Found) -> None:
        """Score what was found in one way in the other too."""
        if self.mode is not Mode.SEMANTIC and (unknown := found.chunks.keys() - found.fts.keys()):
            found.fts |= self.snapshot.fulltext.search(self.terms, depth=len(unknown), chunks=unknown)
        unknown = found.chunks.keys() - found.semantic.keys()
        if self.mode is not Mode.FTS and self.probe is not None and unknown:
            wanted = sorted(unknown)
            rows = np.array([found.chunks[chunk].row for chunk in wanted], dtype=np.intp)
            cosines = self.snapshot.vectors.scores(self.probe, rows).tolist()
            found.semantic |= {
                chunk: cosine
                for chunk, cosine in zip(wanted, cosines, strict=True)
                if cosine >= _LEAST_COSINE
            }
