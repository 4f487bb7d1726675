"""Finds every line that a regular expression matches, as `rg` does, and the chunks that these lines stand in.

The index only narrows down what is read: of a file that is as it was indexed the chunks that may have such a line, of
any other all. What is found is found in the files as they are on disk. Hits come by path and line, and no file is read
before its hits are wanted.
"""

import os
import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from cidx.api.answer import Hit, Match
from cidx.api.query import Filters
from cidx.search import pattern
from cidx.search.files import File, Stretch, Texts, hit, listed, placed
from cidx.search.matching import Found, Search, TooLong
from cidx.search.patience import Apart
from cidx.search.pattern import All, Either, Literal, Need, Pattern, Word
from cidx.store import source
from cidx.store.parts import Edge, Part
from cidx.store.records import ChunkRow
from cidx.store.snapshot import Snapshot
from cidx.text.tokenizer import LONGEST_WORD, terms

# So many steps of `re` take about a second; whatever might take more is done in a process that can be ended.
_MOST_STEPS = 1e8
# An index that leaves more than this share of the chunks saves no time.
_WORTH_SHARE = 0.25
# So few chunks are read in less time than it takes to look through all terms for a part of one (38 ms of Django's
# 165,000, tests/bench/regex.py).
_FEW_CHUNKS = 300
# Shorter parts of words are in most files.
_SHORTEST_PART = 3
_MOST_PARTS = 2
# Of more texts than these a look for each takes longer than one look for the pattern.
_MOST_LITERALS = 16
_ANY_END = sys.maxsize
_CONTEXTUAL = frozenset("\u03a3\u0130")
# Files whose chunks are looked up together: more than are usually wanted need not be read.
_AT_A_TIME = 16
# To look up more chunks takes longer than to read all of their files.
_MOST_LOOKED_UP = 5000

# Ends by raising when nobody waits for the answer any more.
Check = Callable[[], None]


class Among(NamedTuple):
    """The files that may have such a line, by path; and by their ids the chunks of them that may, if that is known."""

    files: Sequence[File]
    chunks: Mapping[int, Sequence[int]] | None = None


def find(
    snapshot: Snapshot, wanted: Pattern, among: Among, *, root: Path, check: Check
) -> Iterator[tuple[ChunkRow | None, Hit]]:
    """The chunks with matching lines, in order; None for lines that no chunk had when the index was made."""
    texts = Texts(root, limit=snapshot.largest_file_bytes)
    with _Matcher(wanted, check) as matcher:
        matching: list[_Matching] = []
        for file, stretch in _stretches(snapshot, among, texts):
            check()
            if stretch is not None:
                yield from _hits(snapshot, matching)
                matching = []
                yield from _hits_within(stretch, matcher.lines(stretch.data))
            elif (data := texts.read(file.path)) is not None and (found := matcher.lines(data)):
                matching.append(_Matching(file, data, found))
            if len(matching) == _AT_A_TIME:
                yield from _hits(snapshot, matching)
                matching = []
        yield from _hits(snapshot, matching)


def candidates(snapshot: Snapshot, wanted: Pattern, filters: Filters) -> Among:
    """Where such a line may be."""
    files = listed(snapshot, filters)
    chunks = _narrowed(snapshot, wanted.need, ignores_case=wanted.ignores_case)
    if chunks is None:
        return Among(files)
    of_files: dict[int, list[int]] = defaultdict(list)
    for chunk, file in snapshot.catalogue.files_of_chunks(chunks):
        of_files[file].append(chunk)
    kept = [file for file in files if file.id in of_files]
    return Among(kept, of_files if len(chunks) <= _MOST_LOOKED_UP else None)


def _stretches(snapshot: Snapshot, among: Among, texts: Texts) -> Iterator[tuple[File, Stretch | None]]:
    """The files, each with what spans all its chunks that may match; None where all of it has to be looked through."""
    if among.chunks is None:
        yield from ((file, None) for file in among.files)
        return
    for start in range(0, len(among.files), _AT_A_TIME):
        files = among.files[start : start + _AT_A_TIME]
        of_files: dict[int, list[ChunkRow]] = defaultdict(list)
        for row in snapshot.catalogue.chunks(chunk for file in files for chunk in among.chunks[file.id]):
            of_files[row.file].append(row)
        for file in files:
            rows = sorted(of_files[file.id], key=lambda row: row.start_byte)
            yield file, texts.stretch(rows)


class _Matcher:
    """Looks for one pattern in text after text; use it in `with`."""

    def __init__(self, wanted: Pattern, check: Check) -> None:
        found = pattern.literals(wanted.need)
        folded = wanted.ignores_case
        # Beyond ASCII a letter may have more forms than two.
        if len(found) > _MOST_LITERALS or (folded and not all(map(str.isascii, found))):
            found = ()
        literals = tuple(
            (text.lower() if folded else text).encode("utf-8", "surrogateescape") for text in found
        )
        longest = wanted.cost.longest(_MOST_STEPS)
        self._search = Search(wanted.compile(), wanted.stays_in_line, literals, folded, longest)
        self._apart = Apart(wanted, () if folded else literals, check=check)

    def __enter__(self) -> "_Matcher":
        return self

    def __exit__(self, *exception: object) -> None:
        self._apart.close()

    def lines(self, data: bytes) -> list[Found]:
        try:
            return list(self._search.lines(data))
        except TooLong:
            return self._apart.lines(data)


class _Matching(NamedTuple):
    """A file with its text and what was found in it."""

    file: File
    data: bytes
    found: list[Found]


def _hits(snapshot: Snapshot, matching: Iterable[_Matching]) -> Iterator[tuple[ChunkRow | None, Hit]]:
    """The chunks with what was found in these files, looked up together."""
    spans: dict[int, list[tuple[int, int, int]]] = {one.file.id: [] for one in matching}
    for file, chunk, start, end in snapshot.catalogue.spans_of_files(spans):
        spans[file].append((start, end, chunk))
    grouped = [(one, _by_chunk(one.found, sorted(spans[one.file.id]))) for one in matching]
    wanted = [chunk for _, groups in grouped for chunk, _ in groups if chunk is not None]
    chunks = {row.id: row for row in snapshot.catalogue.chunks(wanted)}
    for one, groups in grouped:
        ends = [chunks[id_].span.end_line for id_, _ in groups if id_ is not None]
        lines = source.lines_of(one.data, max([*ends, one.found[-1][0]]))
        for id_, matches in groups:
            if id_ is None:
                yield from ((None, _added(one.file, lines, match)) for match in matches)
            else:
                row = chunks[id_]
                found = hit(placed(row, lines), score=1.0, scores={}, matched_by=("regex",), matches=matches)
                yield row, found


def _hits_within(stretch: Stretch, found: Iterable[Found]) -> Iterator[tuple[ChunkRow, Hit]]:
    """The chunks with what was found in a stretch of a file, whose lines count from its first."""
    spans = [
        (chunk.span.start_line, chunk.span.end_line, at) for at, (chunk, _, _) in enumerate(stretch.chunks)
    ]
    before = spans[0][0] - 1
    for at, matches in _by_chunk(((line + before, start, end) for line, start, end in found), spans):
        # Other chunks in between have no match: the index knows all words of a line.
        if at is not None:
            placed = stretch.chunks[at]
            yield placed.chunk, hit(placed, score=1.0, scores={}, matched_by=("regex",), matches=matches)


def _by_chunk(
    found: Iterable[Found], spans: Sequence[tuple[int, int, int]]
) -> list[tuple[int | None, list[Match]]]:
    """What was found, by the chunk that it stands in; None where there was no such line when the index was made."""

    def chunk_of(one: Found) -> int | None:
        at = bisect_right(spans, (one[0], _ANY_END)) - 1
        return spans[at][2] if at >= 0 and one[0] <= spans[at][1] else None

    return [(chunk, [Match(*one) for one in group]) for chunk, group in groupby(found, chunk_of)]


def _added(file: File, lines: list[bytes], match: Match) -> Hit:
    """A line that was added to the file since the index was made."""
    return Hit(
        path=os.fsdecode(file.path),
        start_line=match.line,
        end_line=match.line,
        language=file.language,
        symbol="",
        score=1.0,
        matched_by=("regex",),
        scores={},
        text=lines[match.line - 1].removesuffix(b"\n").decode("utf-8", "replace"),
        stale=True,
        matches=(match,),
    )


# Narrowing


def _narrowed(snapshot: Snapshot, need: Need, *, ignores_case: bool) -> frozenset[int] | None:
    """The chunks that may have such a line; None where the index does not tell.

    A line lies in one chunk, so that has all the words of the line.
    """
    match need:
        case Literal():
            return _holding(snapshot, [need], ignores_case=ignores_case)
        case Either(parts):
            return _union(_narrowed(snapshot, part, ignores_case=ignores_case) for part in parts)
    literals, others = _gather(need)
    found = [_holding(snapshot, literals, ignores_case=ignores_case)]
    if found[0] is None or len(found[0]) > _FEW_CHUNKS:
        found += [_narrowed(snapshot, other, ignores_case=ignores_case) for other in others]
    known = [chunks for chunks in found if chunks is not None]
    return frozenset.intersection(*known) if known else None


def _gather(need: All) -> tuple[list[Literal], list[Either]]:
    literals: list[Literal] = []
    others: list[Either] = []
    for part in need.parts:
        match part:
            case Literal():
                literals.append(part)
            case Either():
                others.append(part)
            case All():
                within = _gather(part)
                literals += within[0]
                others += within[1]
    return literals, others


def _union(sets: Iterable[frozenset[int] | None]) -> frozenset[int] | None:
    found: set[int] = set()
    for chunks in sets:
        if chunks is None:
            return None
        found |= chunks
    return frozenset(found)


def _holding(snapshot: Snapshot, literals: Iterable[Literal], *, ignores_case: bool) -> frozenset[int] | None:
    whole: list[str] = []
    begun: list[Part] = []
    within: list[Part] = []
    for word in (word for literal in literals for word in pattern.words(literal)):
        if word.is_whole and not ignores_case:
            whole += terms(word.text)[:1]
        elif part := _part(word, any_case=ignores_case):
            (begun if part.left is Edge.END else within).append(part)
    most = int(_WORTH_SHARE * len(snapshot.vectors)) + _FEW_CHUNKS
    found = snapshot.fulltext.holding(whole, begun, most=most)
    # Each takes a look through all terms; the longest tell most.
    for part in sorted(within, key=lambda part: -len(part.letters))[:_MOST_PARTS]:
        if found is not None and len(found) <= _FEW_CHUNKS:
            break
        more = snapshot.fulltext.holding(whole, [*begun, part], most=most)
        if more is not None:
            found = more if found is None else found & more
    return found


def _part(word: Word, *, any_case: bool) -> Part | None:
    """What a term has that comes from a word with this in it; None where that tells nothing."""
    core = word.text.strip("_")
    shortest = 1 if word.is_whole else _SHORTEST_PART
    if not shortest <= len(core) <= LONGEST_WORD:
        return None
    # Beyond ASCII a letter has more forms than two; and what small form these two have depends on their neighbours.
    if not core.isascii() and (any_case or not _CONTEXTUAL.isdisjoint(core)):
        return None
    return Part(
        core.lower(),
        _edge(word.left, word.text.startswith("_")),
        _edge(word.right, word.text.endswith("_")),
        any_case,
    )


def _edge(end: bool, underscore: bool) -> Edge:
    """Terms have no underscores at their ends, so one that a word has may be there or not."""
    if end:
        return Edge.END
    return Edge.UNDERSCORE if underscore else Edge.OPEN
