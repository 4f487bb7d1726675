"""Files to what the store takes of them: outline, words and vectors of their chunks, or why they are skipped.

Touches nothing but the files, so that many can be read at once, in this process or in others (`workers`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from cidx.api import languages
from cidx.index import chunker, language
from cidx.index.files import Entry
from cidx.repository.settings import IndexSettings
from cidx.store import source
from cidx.store.records import NewFile, Reference, Span, Symbol
from cidx.text.embedder import Embedder
from cidx.text.tokenizer import TermMemo, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# git looks for a NUL byte in as much of a file to call it binary.
_HEAD_BYTES = 8000


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read. With `known` (digest, language, why skipped) nothing is made of one that is still the same."""

    entry: Entry
    known: tuple[bytes, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk on its way: its content's key and what full text gets of it."""

    span: Span
    key: bytes
    body: str


@dataclass(frozen=True, slots=True)
class Read:
    """A file on its way to the store; `same` if it is as it was known."""

    file: NewFile
    pieces: Sequence[Piece] = ()
    symbols: Sequence[Symbol] = ()
    references: Sequence[Reference] = ()
    same: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some tasks, in their order: None for files that are gone. Vectors by the keys that were new."""

    reads: Sequence[Read | None]
    vectors: "Mapping[bytes, NDArray[np.float32]]"


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads the files of one repository. `known_of` tells which contents have vectors already."""

    root: bytes
    settings: IndexSettings
    embedder: Embedder
    known_of: Callable[[AbstractSet[bytes]], AbstractSet[bytes]]
    _memo: TermMemo = field(default_factory=TermMemo)

    def prepare(self, tasks: Sequence[Task], *, now_ns: int) -> Batch:
        words_by_key: dict[bytes, Mapping[str, int]] = {}
        reads = [self._read(task, words_by_key, now_ns) for task in tasks]
        known = self.known_of(words_by_key.keys())
        new = [key for key in words_by_key if key not in known]
        vectors = self.embedder.embed([words_by_key[key] for key in new])
        return Batch(reads, dict(zip(new, vectors, strict=True)))

    def _read(self, task: Task, words_by_key: dict[bytes, Mapping[str, int]], now_ns: int) -> Read | None:
        """The file as it is now; None when it is gone."""
        entry, limit = task.entry, self.settings.max_file_bytes
        if entry.size_bytes > limit:
            return _skipped(entry, entry.stamp, "too large", task)
        try:
            found = source.read(self.root + b"/" + entry.path, now_ns=now_ns, limit=limit + 1)
        except (FileNotFoundError, NotADirectoryError, source.NotRegular):
            return None
        except PermissionError:
            return _skipped(entry, entry.stamp, "unreadable", task)
        except OSError as error:
            # It may pass, and nothing in the stamp would tell: the next run tries again.
            return _skipped(entry, source.YOUNG, f"unreadable ({error.strerror})", task)
        return self._digest(task, found, words_by_key)

    def _digest(self, task: Task, found: source.Source, words_by_key: dict[bytes, Mapping[str, int]]) -> Read:
        data = found.data
        name = language.detect(task.entry.path, data[:_HEAD_BYTES])
        skipped = _why_not(data, name, self.settings)
        file = NewFile(task.entry.path, found.stamp, source.digest(data), name, skipped)
        if skipped or _facts(file) == task.known:
            return Read(file, same=_facts(file) == task.known)
        outline = chunker.outline(data, name)
        lines = source.lines_of(data)
        pieces = [self._piece(span, lines, words_by_key) for span in outline.spans]
        return Read(file, pieces, outline.symbols, outline.references)

    def _piece(self, span: Span, lines: list[bytes], words_by_key: dict[bytes, Mapping[str, int]]) -> Piece:
        content = source.span_bytes(lines, span)
        text = content.decode("utf-8", "replace")
        found = words(f"{span.header}\n{text}" if span.header else text)
        key = source.content_key(span.header, content)
        if key not in words_by_key:
            words_by_key[key] = Counter(found)
        return Piece(span, key, " ".join(map(self._memo.__getitem__, found)))


def _skipped(entry: Entry, stamp: bytes, why: str, task: Task) -> Read:
    file = NewFile(entry.path, stamp, b"", "", why)
    return Read(file, same=_facts(file) == task.known)


def _facts(file: NewFile) -> tuple[bytes, str, str]:
    return (file.digest, file.language, file.skipped)


def _why_not(data: bytes, name: str, settings: IndexSettings) -> str:
    if len(data) > settings.max_file_bytes:
        return "too large"
    if b"\0" in data[:_HEAD_BYTES]:
        return "binary"
    if settings.languages and name not in _wanted(settings.languages):
        return "other language"
    return ""


@cache
def _wanted(names: tuple[str, ...]) -> frozenset[str]:
    found = (languages.by_name(name) for name in names)
    return frozenset(known for language in found if language for known in languages.family(language))
