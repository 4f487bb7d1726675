"""Full text: BM25 over the terms of chunks. The only place that knows tantivy.

The index holds a superset of the living chunks: documents are added before the catalogue publishes them
and removed only by the writer after the one that buried them. Whoever searches drops what is not alive.
Terms come ready from `cidx.text`, so tantivy only splits at spaces. Positions are not
kept: phrases can be checked on the text itself, and the index stays smaller.
"""

import ctypes
import errno
import json
import math
import struct
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import tantivy
from tantivy import Occur, Query

from cidx.api.errors import Damaged
from cidx.store.parts import Edge, Part
from cidx.text.stems import stem
from cidx.text.tokenizer import OVERLONG

# What a match in each field is worth. The names in `symbol` and `path` are stems (`cidx.text.stems`), the words in
# `body` are as they stand there.
BOOSTS = {"body": 1.0, "symbol": 0.7, "path": 0.5}
# A pasted log has thousands of terms; the rarest of them decide, the rest only cost time.
MOST_TERMS = 64
# Up to so many numbers are quicker named one by one than as a set (100: 0.33 against 0.86 ms).
_FEW = 250
# Terms that have a part: of more the chunks are hardly fewer than all. And so large a list of all terms is kept.
_MOST_LISTED = 4096
_LARGEST_VOCABULARY_BYTES = 16_000_000
# The fields that together hold every word of a chunk's lines.
_TEXT_FIELDS = ("body",)
# tantivy's BM25 saturates at k1 + 1 = 2.2 times the inverse document frequency.
_SATURATION = 2.2
# What each letter of a term is worth that another one resembles: five letters count as much as a rare term.
_LIKE = 0.25
# The least memory that tantivy accepts for one indexing thread.
SMALL_HEAP_BYTES = 15_000_000
# Numbers of prctl(2), from linux/prctl.h, and how late a thread with nothing to do may wake.
_SET_TIMER_SLACK, _RESET = 29, 0
_SLACK_S = 10


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("chunk", indexed=True, fast=True)
    builder.add_unsigned_field("file", indexed=True)
    for field in BOOSTS:
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


class _Plan(NamedTuple):
    """What is asked for some terms, and what a chunk that says them all often would score."""

    query: Query | None
    ceiling: float


class FullText:
    """A searcher on one commit; what is committed later is not seen. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._asked_for_parts = 0
        try:
            with _lazy_threads(), _panics_are_damage():
                index = tantivy.Index.open(str(folder))
                self._schema = index.schema
                self._searcher = index.searcher()
            self._planned: tuple[Sequence[str], _Plan] = ((), _Plan(None, 1.0))
        except (ValueError, OSError) as error:
            raise Damaged(what=f"the full text in {folder} can't be used", why=str(error)) from None

    def search(
        self,
        terms: Sequence[str],
        *,
        depth: int | None,
        files: Collection[int] | None = None,
        chunks: Collection[int] | None = None,
    ) -> dict[int, float]:
        """The chunks that match best, with their scores; only of the given files or chunks, if any are given.

        A filter changes no score, so a filtered answer is the unfiltered one with lines left out.
        """
        query = self._plan(terms).query
        if query is None or not self._searcher.num_docs:
            return {}
        for field, allowed in (("file", files), ("chunk", chunks)):
            if allowed is not None:
                among = Query.const_score_query(self._among(field, allowed), 0.0)
                query = Query.boolean_query([(Occur.Must, query), (Occur.Must, among)])
        return self._scores(query, depth or self._searcher.num_docs)

    def _among(self, field: str, numbers: Collection[int]) -> Query:
        """What has one of these numbers; a few are named one by one, in a third of the time that a set takes."""
        if not 0 < len(numbers) <= _FEW:
            return Query.term_set_query(self._schema, field, list(numbers))
        named = [Query.term_query(self._schema, field, number, "basic") for number in numbers]
        return Query.boolean_query([(Occur.Should, query) for query in named])

    def search_like(
        self, terms: Sequence[str], *, distance: int, depth: int | None, files: Collection[int] | None = None
    ) -> dict[int, float]:
        """As `search`, also by the known terms within an edit distance; a short term may differ by less.

        What a term merely resembles counts the same however rare it is; the longer the term, the more.
        """
        clauses = []
        for term in terms[:MOST_TERMS]:
            for field, boost in BOOSTS.items():
                exact = self._clause(field, term)
                clauses.append((Occur.Should, Query.boost_query(exact, boost)))
                for letters in range(1, likeness(term, distance) + 1):
                    like = Query.fuzzy_term_query(self._schema, field, term, letters)
                    clauses.append((Occur.Should, Query.const_score_query(like, boost * len(term) * _LIKE)))
        if not clauses or not self._searcher.num_docs:
            return {}
        query = Query.boolean_query(clauses)
        if files is not None:
            among = Query.const_score_query(self._among("file", files), 0.0)
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, among)])
        return self._scores(query, depth or self._searcher.num_docs)

    def ceiling_like(self, terms: Sequence[str], *, distance: int) -> float:
        """As `ceiling`, for `search_like`."""
        likely = sum(len(term) * _LIKE * likeness(term, distance) for term in terms[:MOST_TERMS])
        return self.ceiling(terms) + likely

    def holding(
        self, terms: Iterable[str], parts: Iterable[Part] = (), *, most: int
    ) -> frozenset[int] | None:
        """The chunks that hold each of these terms, and for each part a term that has it.

        None if there are more than `most`, or nothing to go by. A chunk with a word too long to be a term may hold what
        a part is meant to find.
        """
        wanted = [
            [Query.term_query(self._schema, field, term, "freq") for field in _TEXT_FIELDS] for term in terms
        ]
        for part in parts:
            if (found := self._with(part)) is not None:
                marks = [Query.term_query(self._schema, field, OVERLONG, "freq") for field in _TEXT_FIELDS]
                wanted.append([*found, *marks])
        if not wanted:
            return None
        clauses = [
            (Occur.Must, Query.boolean_query([(Occur.Should, query) for query in queries]))
            for queries in wanted
        ]
        query = Query.const_score_query(Query.boolean_query(clauses), 0.0)
        chunks = self._scores(query, most + 1)
        return frozenset(chunks) if len(chunks) <= most else None

    def _with(self, part: Part) -> list[Query] | None:
        """What finds the terms that have this; None where they are too many to tell anything."""
        if part.left is not Edge.END:
            # To look through all terms takes tantivy as long as writing a fifth of them down does: whoever asks again
            # is answered from the list.
            self._asked_for_parts += 1
            if self._asked_for_parts > 1 and (listed := self._vocabulary):
                found = list(islice(part.having(listed), _MOST_LISTED + 1))
                if len(found) > _MOST_LISTED:
                    return None
                return [Query.term_set_query(self._schema, field, found) for field in _TEXT_FIELDS]
        return [Query.regex_query(self._schema, field, part.expression) for field in _TEXT_FIELDS]

    @cached_property
    def _vocabulary(self) -> bytes:
        """Every term between newlines; empty where that would be too large to keep."""
        with _panics_are_damage():
            terms = {
                term for field in _TEXT_FIELDS for term, _ in self._searcher.terms_with_prefix(field, "")
            }
        listed = "\n".join(("", *terms, "")).encode()
        return listed if len(listed) <= _LARGEST_VOCABULARY_BYTES else b""

    def _scores(self, query: Query, limit: int) -> dict[int, float]:
        with _panics_are_damage():
            found = self._searcher.search(query, limit=limit, count=False).hits
            ids = self._searcher.fast_field_values("chunk", [address for _, address in found])
        return {int(chunk): score for chunk, (score, _) in zip(ids, found, strict=True) if chunk is not None}

    def ceiling(self, terms: Sequence[str]) -> float:
        """What the score of a chunk that says every known term often in its body comes near to."""
        return self._plan(terms).ceiling

    def chunk_ids(self) -> set[int]:
        """Every chunk held, dead ones included."""
        with _panics_are_damage():
            found = self._searcher.search(
                Query.all_query(), limit=max(1, self._searcher.num_docs), count=False
            ).hits
            ids = self._searcher.fast_field_values("chunk", [address for _, address in found])
        return {int(chunk) for chunk in ids if chunk is not None}

    def _plan(self, terms: Sequence[str]) -> "_Plan":
        """What to ask for the rarest of the terms. One search asks several times: the last plan is kept."""
        asked, plan = self._planned
        if asked is not terms:
            with _panics_are_damage():
                counted = [(self._frequencies(term), term) for term in dict.fromkeys(terms)]
            known = [(max(found.values()), term, found) for found, term in counted if found]
            known = sorted(known)[:MOST_TERMS] if len(known) > MOST_TERMS else known
            clauses = [
                (Occur.Should, Query.boost_query(self._clause(field, term), BOOSTS[field]))
                for _, term, fields in known
                for field in fields
            ]
            plan = _Plan(
                Query.boolean_query(clauses) if clauses else None,
                sum(_SATURATION * self._rarity(most) for most, _, _ in known) or 1.0,
            )
            self._planned = (terms, plan)
        return plan

    def _clause(self, field: str, term: str) -> Query:
        return Query.term_query(self._schema, field, _form(field, term), "freq")

    def _frequencies(self, term: str) -> dict[str, int]:
        """In how many chunks each field says a term, where any does."""
        counted = ((field, self._searcher.doc_freq(field, _form(field, term))) for field in BOOSTS)
        return {field: count for field, count in counted if count}

    def _rarity(self, frequency: int) -> float:
        return math.log(1 + (self._searcher.num_docs - frequency + 0.5) / (frequency + 0.5))


def _form(field: str, term: str) -> str:
    """How a field holds a term."""
    return term if field == "body" else stem(term)


def likeness(term: str, distance: int) -> int:
    """By how many letters another term may differ from this one: a short one would resemble everything."""
    return min(distance, (len(term) - 1) // 2)


@contextmanager
def _panics_are_damage() -> Iterator[None]:
    """What tantivy reads is checked when it is opened and by `damage`; beyond that it trusts the bytes."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise Damaged(what="the full text can't be searched", why=str(error)) from None
    except BaseException as error:
        # A class of tantivy's own that can't be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise Damaged(what="the full text can't be searched", why="tantivy broke off") from None


@contextmanager
def _lazy_threads() -> Iterator[None]:
    """Threads started meanwhile may wake late.

    Whatever is opened, tantivy starts a thread that looks at meta.json twice a second for as long as the searcher
    lives, for a reader that we never ask to reload; no option of tantivy-py stops it, nor does dropping the index.
    A thread inherits the timer slack of the one that starts it, so on Linux this one wakes six times a minute.
    It also ends that much later than its searcher, holding nothing.
    """
    if sys.platform != "linux":
        yield
        return
    control = ctypes.CDLL(None).prctl
    control(_SET_TIMER_SLACK, ctypes.c_ulong(_SLACK_S * 10**9))
    try:
        yield
    finally:
        control(_SET_TIMER_SLACK, ctypes.c_ulong(_RESET))


class FullTextWriter:
    """Adds and removes documents; `commit` makes them durable. One at a time, under the writer's lock."""

    def __init__(self, folder: Path, *, create: bool, heap_bytes: int = SMALL_HEAP_BYTES) -> None:
        self._folder = folder
        if create:
            folder.mkdir(mode=0o700)
        try:
            index = tantivy.Index(_schema(), path=str(folder)) if create else tantivy.Index.open(str(folder))
            self._writer = index.writer(heap_size=heap_bytes, num_threads=1)
        except (ValueError, OSError) as error:
            raise _failure(folder, error) from error
        self._schema = index.schema

    def add(self, chunk: int, file: int, *, body: str, symbol: str, path: str) -> None:
        document = tantivy.Document()
        document.add_unsigned("chunk", chunk)
        document.add_unsigned("file", file)
        document.add_text("body", body)
        document.add_text("symbol", symbol)
        document.add_text("path", path)
        try:
            self._writer.add_document(document)
        except (ValueError, OSError) as error:
            # The thread that writes has died; of what, only a commit says, and it can't succeed.
            self.commit()
            raise _failure(self._folder, error) from error

    def remove(self, chunks: Sequence[int], *, from_id: int) -> None:
        """Remove these chunks, and all from an id on: what a writer left that never published."""
        range_ = Query.range_query(self._schema, "chunk", tantivy.FieldType.Unsigned, lower_bound=from_id)
        self._writer.delete_documents_by_query(range_)
        if chunks:
            self._writer.delete_documents_by_query(Query.term_set_query(self._schema, "chunk", list(chunks)))

    def commit(self) -> None:
        try:
            self._writer.commit()
        except (ValueError, OSError) as error:
            raise _failure(self._folder, error) from error

    def close(self) -> None:
        """Let running merges end, so that segments do not pile up; what was committed needs none of them."""
        try:
            self._writer.wait_merging_threads()
        except (ValueError, OSError):
            # A merge that failed (a full disk) is tried again after the next commit.
            pass


# Behind what tantivy writes to a file: a note in JSON with the checksum of the rest, its length, and this number.
_FOOTER, _MAGIC = struct.Struct("<II"), 1337
_SEGMENT_FILES = frozenset(("idx", "pos", "term", "store", "fast", "fieldnorm"))


def damage(folder: Path) -> str:
    """What is wrong with the files of the commit; empty if they are as tantivy wrote them."""
    try:
        json.loads((folder / ".managed.json").read_bytes())
        segments = json.loads((folder / "meta.json").read_bytes())["segments"]
        for id_ in (segment["segment_id"].replace("-", "") for segment in segments):
            files = list(folder.glob(f"{id_}.*"))
            if _SEGMENT_FILES - {file.suffix[1:] for file in files}:
                return f"files of the segment {id_} are missing"
            for file in files:
                if not _is_whole(file.read_bytes()):
                    return f"{file.name} is not as it was written"
        FullText(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Damaged) as error:
        return f"the full text can't be read: {error}"
    return ""


def _is_whole(data: bytes) -> bool:
    if len(data) < _FOOTER.size:
        return False
    length, magic = _FOOTER.unpack(data[-_FOOTER.size :])
    end = len(data) - _FOOTER.size - length
    if magic != _MAGIC or end < 0:
        return False
    written: int = json.loads(data[end : -_FOOTER.size])["crc"]
    return written == zlib.crc32(data[:end])


def _failure(folder: Path, error: Exception) -> Exception:
    """tantivy reports the system's refusals as text; a full disk has to stay recognisable."""
    text = str(error)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EROFS):
        if f"os error {number}" in text or f"code: {number}," in text:
            return OSError(number, text, str(folder))
    return Damaged(what=f"the full text in {folder} can't be used", why=text)
