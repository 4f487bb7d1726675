"""Finds words as they are written: phrases in quotes, words in their own case, and words with slips of the pen.

These are full-text searches whose hits are checked on the text of the files, or which ask for more than the words
themselves. Equal scores are ordered by place.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cidx.api.answer import Hit, Match
from cidx.api.query import Query
from cidx.search import files, lines, pattern
from cidx.search.files import Placed, Texts
from cidx.search.fusion import clip
from cidx.search.lines import Check
from cidx.store import source
from cidx.store.fulltext import likeness
from cidx.store.records import ChunkRow
from cidx.store.snapshot import Snapshot
from cidx.text.tokenizer import WORD, query_terms, terms, words

_PHRASE = re.compile(r'"([^"\n]*[^"\s][^"\n]*)"')
# Candidates of a fuzzy search; up to this limit a longer answer only continues a shorter one.
_DEPTH = 300


def phrases(text: str) -> list[str]:
    """What stands in double quotes; a lone quote is text like any other."""
    return list(dict.fromkeys(_PHRASE.findall(text)))


def is_exact(query: Query) -> bool:
    """Whether hits have to be checked on the text."""
    return query.case_sensitive or bool(phrases(query.text))


def exact(snapshot: Snapshot, query: Query, *, root: Path, check: Check) -> Iterator[Hit]:
    """Chunks that hold every phrase; without one, chunks that hold any of the words in its case. Best first."""
    wanted = phrases(query.text)
    if wanted:
        sources = [re.escape(phrase) for phrase in wanted]
    else:
        sources = ["|".join(map(re.escape, sorted(set(words(query.text)), key=len, reverse=True)))]
    found: dict[int, tuple[ChunkRow, Hit]] | None = None
    for one in sources:
        if not one:
            return iter(())
        parsed = pattern.parse(one, ignore_case=not query.case_sensitive)
        among = lines.candidates(snapshot, parsed, query.filters)
        with_it = {
            chunk.id: (chunk, hit)
            for chunk, hit in lines.find(snapshot, parsed, among, root=root, check=check)
            if chunk is not None
        }
        found = with_it if found is None else _both(found, with_it)
    return _by_words(snapshot, query, found or {}, all_of_them=bool(wanted))


def like(snapshot: Snapshot, query: Query, *, root: Path) -> Iterator[Hit]:
    """Chunks with words like those of the query, best first."""
    distance = query.edit_distance or 0
    wanted = query_terms(query.text)
    scores = _alive(snapshot, query, wanted, distance)
    ceiling = snapshot.fulltext.ceiling_like(wanted, distance=distance)
    texts = Texts(root, limit=snapshot.largest_file_bytes)
    known = _Likeness(wanted, distance)
    for chunk in _placed(snapshot, scores):
        if (placed := texts.place(chunk)) is not None:
            raw = scores[chunk.id]
            yield files.hit(
                placed,
                score=clip(raw / ceiling),
                scores={"fts": raw},
                matched_by=("fts",),
                matches=known.matches(placed),
            )


def _both(
    one: dict[int, tuple[ChunkRow, Hit]], other: dict[int, tuple[ChunkRow, Hit]]
) -> dict[int, tuple[ChunkRow, Hit]]:
    """The chunks that are in both, with the lines of both."""
    found = {}
    for id_ in one.keys() & other.keys():
        chunk, hit = one[id_]
        by_line = {match.line: match for match in (*other[id_][1].matches, *hit.matches)}
        found[id_] = chunk, _with(hit, matches=tuple(by_line[line] for line in sorted(by_line)))
    return found


def _by_words(
    snapshot: Snapshot, query: Query, found: dict[int, tuple[ChunkRow, Hit]], *, all_of_them: bool
) -> Iterator[Hit]:
    """Hits ranked by the words of the query; those without any only where `all_of_them` are wanted."""
    wanted = query_terms(query.text)
    among = sorted({chunk.file for chunk, _ in found.values()})
    scores = snapshot.fulltext.search(wanted, depth=None, files=among) if found else {}
    ceiling = snapshot.fulltext.ceiling(wanted)
    kept = [id_ for id_ in found if all_of_them or id_ in scores]

    def rank(id_: int) -> tuple[float, bytes, int]:
        chunk = found[id_][0]
        return -scores.get(id_, 0.0), chunk.path, chunk.span.start_line

    for id_ in sorted(kept, key=rank):
        raw = scores.get(id_, 0.0)
        yield _with(found[id_][1], score=clip(raw / ceiling), scores={"fts": raw}, matched_by=("fts",))


def _with(hit: Hit, **changes: object) -> Hit:
    return replace(hit, **changes)  # type: ignore[arg-type]


def _alive(snapshot: Snapshot, query: Query, wanted: Sequence[str], distance: int) -> dict[int, float]:
    """The scores of the living chunks among the best."""
    allowed = [file.id for file in files.listed(snapshot, query.filters)] if query.filters else None
    depth = _DEPTH if query.limit is not None and query.limit <= _DEPTH else None
    width = depth
    while True:
        scores = snapshot.fulltext.search_like(wanted, distance=distance, depth=width, files=allowed)
        alive = {chunk.id: scores[chunk.id] for chunk in snapshot.catalogue.candidates(scores)}
        if width is None or depth is None or len(alive) >= depth or len(scores) < width:
            best = sorted(alive.items(), key=lambda item: (-item[1], item[0]))
            return dict(best[:depth])
        width *= 4


def _placed(snapshot: Snapshot, scores: dict[int, float]) -> list[ChunkRow]:
    chunks = snapshot.catalogue.chunks(scores)
    return sorted(chunks, key=lambda chunk: (-scores[chunk.id], chunk.path, chunk.span.start_line))


class _Likeness:
    """Finds the words of a text that are like wanted ones."""

    def __init__(self, wanted: Iterable[str], distance: int) -> None:
        self._wanted = [(term, likeness(term, distance)) for term in wanted]
        self._known: dict[str, bool] = {}

    def matches(self, placed: Placed) -> Iterator[Match]:
        """The first such word of each line."""
        lines = source.lines_of(placed.content)
        for number, raw in enumerate(lines, placed.chunk.span.start_line):
            line = raw.decode("utf-8", "surrogateescape")
            for found in WORD.finditer(line):
                if self._is_like(found.group()):
                    first = len(line[: found.start()].encode("utf-8", "surrogateescape"))
                    size = len(found.group().encode("utf-8", "surrogateescape"))
                    yield Match(number, first + 1, first + size + 1)
                    break

    def _is_like(self, word: str) -> bool:
        known = self._known.get(word)
        if known is None:
            known = self._known[word] = any(
                distance_within(term, wanted, most) for term in terms(word) for wanted, most in self._wanted
            )
        return known


def distance_within(one: str, other: str, most: int) -> bool:
    """Whether two words differ by at most so many letters added, left out, changed, or swapped with the next."""
    if abs(len(one) - len(other)) > most:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return False
    return row[-1] <= most
