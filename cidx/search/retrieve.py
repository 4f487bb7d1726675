"""A query to ranked hits of one snapshot.

Ranking begins with candidates that depend on the query and the generation alone: as many of each kind as `_DEPTH`, of
all files. They come first in every answer, in one order, and give the evidence about files; filters leave some of them
out. Only an answer that they do not fill goes on with what else matches. So a filter never reorders, and a limit cuts
the same list.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cidx.api.answer import Hit
from cidx.api.errors import NotIndexed
from cidx.api.query import Mode, Query
from cidx.search import fusion, intent, roles
from cidx.search.candidates import Found, Looking, Within, within
from cidx.search.files import Texts, hit
from cidx.search.laps import Laps
from cidx.search.ranking import Ranked, Ranking, Weights, score
from cidx.search.roles import Bearing
from cidx.store.snapshot import Snapshot
from cidx.store.vectors import Probe
from cidx.text.embedder import Embedder
from cidx.text.tokenizer import words

# First candidates of each kind: 200 find no more, whether there are a thousand chunks or ten thousand.
_DEPTH = 64
# Further ones within a filter, up to an answer of so many; a longer one looks at all that matches.
_FURTHER = 1000
# Hits looked up at a time: as many as are usually wanted.
_SHOWN = 10
# A name that is defined more often has no place that is meant.
_MOST_DEFINITIONS = 64
# Files of which more is kept than the catalogue says: about 600 bytes each.
_MOST_BEARINGS = 20_000
WEIGHTS = Weights()


def retrieve(
    snapshot: Snapshot, query: Query, *, embedder: Embedder, root: Path, laps: Laps | None = None
) -> list[Hit]:
    """The best hits, as many as the query asks for."""
    laps = laps or Laps()
    search = _Search.of(snapshot, query, embedder)
    laps.lap("understanding")
    hits = _hits(search.ranked(query.limit, laps), snapshot, root)
    found = list(islice((hit for hit in hits if hit.score >= query.min_score), query.limit))
    laps.lap("reading")
    return found


class _Shown(NamedTuple):
    """A ranked chunk with what a hit shows of its scores."""

    chunk: int
    score: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Search:
    """One query on its way: what it looks for, where it may look, and what it is worth there."""

    looking: Looking
    within: Within | None
    ranking: Ranking
    ceiling: float

    @classmethod
    def of(cls, snapshot: Snapshot, query: Query, embedder: Embedder) -> "_Search":
        text = query.text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        asked = intent.read(text)
        mode = Mode.FTS if snapshot.lean else query.mode
        looking = Looking(
            snapshot=snapshot,
            mode=mode,
            terms=asked.terms,
            probe=_probe(snapshot, mode, text, embedder),
            effort=query.accuracy.effort,
        )
        ranking = Ranking(asked, WEIGHTS, *_homes(snapshot, asked.names))
        return cls(looking, within(snapshot, query.filters), ranking, snapshot.fulltext.ceiling(asked.terms))

    def ranked(self, limit: int | None, laps: Laps) -> Iterator[_Shown]:
        """What matches, best first; what comes after the first candidates is looked for when it is wanted."""
        found = self.looking.find(depth=_DEPTH, also=self.ranking.defining | self.ranking.exporting)
        laps.lap("candidates")
        first = self.ranking.first(found.matching(), self._relevance(found), self._bearings(found))
        laps.lap("ranking")
        yield from self._shown(first, found, most=1.0)
        if found.whole or not first:
            return
        # Whoever wants them all gets them all; what a filter leaves may be many.
        shallow = self.within is not None and limit is not None and limit <= _FURTHER
        known = frozenset(chunk for _, _, chunk in first)
        found = self.looking.find(depth=_FURTHER if shallow else None, within=self.within, but=known)
        further = self.ranking.further(found.matching(), self._relevance(found), self._bearings(found))
        yield from self._shown(further, found, most=score(-first[-1][0]))
        laps.lap("further candidates")

    def _relevance(self, found: Found) -> dict[int, float]:
        share = {Mode.SEMANTIC: 1.0, Mode.FTS: 0.0}.get(self.looking.mode, fusion.SEMANTIC)
        return fusion.relevance(found.semantic, found.fts, ceiling=self.ceiling, share=share)

    def _bearings(self, found: Found) -> Mapping[int, Bearing]:
        """What ranking knows of their files, by id: of many it is kept with the generation once it was asked for."""
        known: dict[int, Bearing] = self.looking.snapshot.kept("bearings", dict)
        files = {chunk.file for chunk in found.chunks.values()}
        bearings = {file: known[file] for file in files & known.keys()}
        catalogue = self.looking.snapshot.catalogue
        for id_, path, language in catalogue.named(files - bearings.keys()):
            later = roles.next_version(path)
            superseded = later is not None and catalogue.has_folder(later)
            bearings[id_] = roles.bearing(path, language, superseded=superseded)
            if len(known) < _MOST_BEARINGS:
                known[id_] = bearings[id_]
        return bearings

    def _shown(self, ranked: Sequence[Ranked], found: Found, *, most: float) -> Iterator[_Shown]:
        """Those that the filters leave."""
        files = self.within.files if self.within is not None else None
        for worth, _, chunk in ranked:
            if files is None or found.chunks[chunk].file in files:
                yield _Shown(chunk, min(most, score(-worth)), found.scores(chunk))


def _homes(snapshot: Snapshot, names: Sequence[str]) -> tuple[frozenset[int], frozenset[int]]:
    """The chunks that define these names; of those that nothing here defines, the ones that pass them on to others."""
    defining: set[int] = set()
    exporting: set[int] = set()
    for name in names:
        found = snapshot.catalogue.defining(name, most=_MOST_DEFINITIONS)
        defining |= found
        if not found:
            exporting |= {
                chunk
                for chunk, path in snapshot.catalogue.importing(name, most=_MOST_DEFINITIONS)
                if roles.is_entrance(path)
            }
    return frozenset(defining), frozenset(exporting)


def _probe(snapshot: Snapshot, mode: Mode, text: str, embedder: Embedder) -> Probe | None:
    """The query as rows are compared with it; None where it has none or the index was embedded by another model."""
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
    return snapshot.vectors.probe(vector) if vector.any() else None


def _hits(ranked: Iterator[_Shown], snapshot: Snapshot, root: Path) -> Iterator[Hit]:
    """Read the lines of each hit; a file that is gone has nothing to show and is passed over."""
    texts = Texts(root, limit=snapshot.largest_file_bytes)
    while part := list(islice(ranked, _SHOWN)):
        chunks = {chunk.id: chunk for chunk in snapshot.catalogue.chunks(one.chunk for one in part)}
        for one in part:
            if (placed := texts.place(chunks[one.chunk])) is not None:
                yield hit(placed, score=one.score, scores=one.scores, matched_by=one.scores)
