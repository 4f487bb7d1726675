"""Files to what the store takes of them: outline, words and vectors of their chunks, or why they are skipped.

Touches nothing but the files, so that many can be read at once, in this process or in others (`workers`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cidx.api import languages
from cidx.index import chunker, language, skipping
from cidx.index.attributes import Attributes
from cidx.index.files import Entry
from cidx.index.grammars import Laborious
from cidx.repository.settings import IndexSettings
from cidx.store import source
from cidx.store.records import FormerFile, NewFile, Reference, Span, Symbol
from cidx.text import encoding
from cidx.text.embedder import Embedder
from cidx.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of a larger file the beginning is read first: most that are so large are no text.
_LARGE_BYTES = 4_000_000
# A syntax tree takes a hundred times the memory of its file: a larger one is cut by lines.
_PARSED_BYTES = 2_000_000
# Documents that wait for their vectors, which bounds the memory that a file takes besides its text.
_MOST_WAITING = 2000


class Task(NamedTuple):
    """A file to read. With `known` (digest, language, why skipped) nothing is made of one that is still the same.

    One that is as its path was `former`ly is cut as it was then; one that is not `parsed` by lines, whatever it is.
    """

    entry: Entry
    known: tuple[bytes, str, str] | None = None
    former: FormerFile | None = None
    parsed: bool = True


class Piece(NamedTuple):
    """A chunk on its way: its content's size and key, and what full text gets of it."""

    span: Span
    size_bytes: int
    key: bytes
    body: str


class Read(NamedTuple):
    """A file on its way to the store; `same` if it is as it was known.

    With `former`, the id of a file that is back, its symbols and references are in the store.
    """

    file: NewFile
    pieces: Sequence[Piece] = ()
    symbols: Sequence[Symbol] = ()
    references: Sequence[Reference] = ()
    same: bool = False
    former: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some tasks, in their order: None for files that are gone. Vectors by the keys that were new.

    Those at the places in `put_off` are not read: only a process that can be killed should.
    """

    reads: Sequence[Read | None]
    vectors: "Mapping[bytes, NDArray[np.float32]]"
    put_off: Sequence[int] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # To another process one array goes in a tenth of the time that one for each vector takes, and a tuple in a
        # third of the time that a named one takes.
        vectors = np.array(list(self.vectors.values()))
        return _batch, (list(map(_plain, self.reads)), list(self.vectors), vectors, self.put_off)


def _batch(
    reads: Sequence[tuple[Any, ...] | None],
    keys: Sequence[bytes],
    vectors: "NDArray[np.float32]",
    put_off: Sequence[int],
) -> Batch:
    named = [None if read is None else _named(*read) for read in reads]
    return Batch(named, dict(zip(keys, vectors, strict=True)), put_off)


def _plain(read: Read | None) -> tuple[Any, ...] | None:
    if read is None:
        return None
    pieces = [(tuple(span), *rest) for span, *rest in read.pieces]
    symbols, references = list(map(tuple, read.symbols)), list(map(tuple, read.references))
    return tuple(read.file), pieces, symbols, references, read.same, read.former


def _named(
    file: Iterable[Any],
    pieces: Iterable[Sequence[Any]],
    symbols: Iterable[Iterable[Any]],
    references: Iterable[Iterable[Any]],
    same: bool,
    former: int,
) -> Read:
    return Read(
        NewFile._make(file),
        tuple(Piece(Span._make(span), *rest) for span, *rest in pieces),
        tuple(map(Symbol._make, symbols)),
        tuple(map(Reference._make, references)),
        same,
        former,
    )


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads the files of one repository. `known_of` tells which contents have vectors already.

    One that is not `patient` puts off what a parser could be at for minutes.
    """

    root: bytes
    settings: IndexSettings
    embedder: Embedder
    known_of: Callable[[AbstractSet[bytes]], AbstractSet[bytes]]
    patient: bool = True
    _vocabulary: Vocabulary = field(init=False)
    _attributes: Attributes = field(init=False)

    def __post_init__(self) -> None:
        self._attributes = Attributes(self.root)
        self._vocabulary = Vocabulary(self.embedder)

    def prepare(self, tasks: Sequence[Task], *, now_ns: int) -> Batch:
        vectors = _Vectors(self._vocabulary, self.known_of)
        reads: list[Read | None] = []
        put_off = []
        for place, task in enumerate(tasks):
            try:
                reads.append(self._read(task, vectors, now_ns))
            except Laborious:
                reads.append(None)
                put_off.append(place)
        return Batch(reads, vectors.all(), put_off)

    def _read(self, task: Task, vectors: "_Vectors", now_ns: int) -> Read | None:
        """The file as it is now; None when it is gone."""
        entry = task.entry
        why = self._why_not_unread(entry)
        if why:
            return _skipped(entry, entry.stamp, why, task)
        try:
            found = self._source(entry, now_ns)
        except (FileNotFoundError, NotADirectoryError, source.NotRegular):
            return None
        except PermissionError:
            return _skipped(entry, entry.stamp, skipping.UNREADABLE, task)
        except OSError as error:
            # It may pass, and nothing in the stamp would tell: the next run tries again.
            return _skipped(entry, source.YOUNG, f"{skipping.UNREADABLE} ({error.strerror})", task)
        if encoding.is_binary(found.data):
            return _skipped(entry, found.stamp, skipping.BINARY, task)
        return self._digest(task, found, vectors)

    def _source(self, entry: Entry, now_ns: int) -> source.Source:
        """What there is to read of a file: of a large one that is no text its beginning."""
        path, limit = self.root + b"/" + entry.path, self.settings.max_file_bytes + 1
        if entry.size_bytes > _LARGE_BYTES:
            head = source.read(path, now_ns=now_ns, limit=encoding.HEAD_BYTES)
            if encoding.is_binary(head.data):
                return head
        return source.read(path, now_ns=now_ns, limit=limit)

    def _why_not_unread(self, entry: Entry) -> str:
        """Why a file is skipped whatever is in it."""
        if entry.size_bytes > self.settings.max_file_bytes:
            return skipping.TOO_LARGE
        said = self._attributes.of(entry.path)
        if said.generated or said.vendored:
            return skipping.GENERATED if said.generated else skipping.VENDORED
        return skipping.by_name(entry.path) if said.generated is None else ""

    def _why_not(self, path: bytes, data: bytes, name: str) -> str:
        if len(data) > self.settings.max_file_bytes:
            return skipping.TOO_LARGE
        if self.settings.languages and name not in _wanted(self.settings.languages):
            return skipping.OTHER_LANGUAGE
        if skipping.is_overlong(data):
            return skipping.OVERLONG
        return skipping.by_content(data, name) if self._attributes.of(path).generated is None else ""

    def _digest(self, task: Task, found: source.Source, vectors: "_Vectors") -> Read:
        data = found.data
        name = language.detect(task.entry.path, data[: encoding.HEAD_BYTES])
        skipped = self._why_not(task.entry.path, data, name)
        file = NewFile(task.entry.path, found.stamp, source.digest(data), name, skipped)
        if skipped or _facts(file) == task.known:
            return Read(file, same=_facts(file) == task.known)
        text = encoding.utf8(data)
        former = task.former
        if former is not None and (former.digest, former.language) == (file.digest, name):
            lines = source.lines_of(text)
            pieces = tuple(self._piece(span, lines, vectors) for span in former.spans)
            return Read(file, pieces, former=former.id)
        parsed = task.parsed and len(text) <= _PARSED_BYTES
        outline = chunker.outline(text, name if parsed else language.UNKNOWN, patient=self.patient)
        lines = source.lines_of(text)
        pieces = tuple(self._piece(span, lines, vectors) for span in outline.spans)
        return Read(file, pieces, outline.symbols, outline.references)

    def _piece(self, span: Span, lines: list[bytes], vectors: "_Vectors") -> Piece:
        content = source.span_bytes(lines, span)
        said = self._vocabulary.read(b"%s\n%s" % (span.header.encode(), content) if span.header else content)
        key = source.content_key(span.header, content)
        body = self._vocabulary.body(said)
        vectors.want(key, said)
        return Piece(span, len(content), key, body)


class _Vectors:
    """The vectors of a batch in the making: documents wait until it is worth embedding them together."""

    def __init__(
        self, vocabulary: Vocabulary, known_of: Callable[[AbstractSet[bytes]], AbstractSet[bytes]]
    ) -> None:
        self._vocabulary = vocabulary
        self._known_of = known_of
        self._waiting: dict[bytes, Sequence[int]] = {}
        self._vectors: dict[bytes, NDArray[np.float32]] = {}

    def want(self, key: bytes, said: Sequence[int]) -> None:
        if key not in self._waiting and key not in self._vectors:
            self._waiting[key] = said
        if len(self._waiting) >= _MOST_WAITING or self._vocabulary.is_full:
            self._embed()

    def all(self) -> "Mapping[bytes, NDArray[np.float32]]":
        self._embed()
        return self._vectors

    def _embed(self) -> None:
        known = self._known_of(self._waiting.keys())
        new = [key for key in self._waiting if key not in known]
        vectors = self._vocabulary.embed([self._waiting[key] for key in new])
        self._vectors |= zip(new, vectors, strict=True)
        self._waiting.clear()
        if self._vocabulary.is_full:
            self._vocabulary.clear()


def _skipped(entry: Entry, stamp: bytes, why: str, task: Task) -> Read:
    file = NewFile(entry.path, stamp, b"", "", why)
    return Read(file, same=_facts(file) == task.known)


def _facts(file: NewFile) -> tuple[bytes, str, str]:
    return (file.digest, file.language, file.skipped)


@cache
def _wanted(names: tuple[str, ...]) -> frozenset[str]:
    found = (languages.by_name(name) for name in names)
    return frozenset(known for language in found if language for known in languages.family(language))
