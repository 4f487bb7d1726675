"""One file to what the store takes of it: its outline and the words of its chunks, or why it is skipped.

Touches nothing but the file, so that many can be read at once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from cidx.api import languages
from cidx.index import chunker, language
from cidx.index.files import Entry
from cidx.repository.settings import IndexSettings
from cidx.store import source
from cidx.store.records import NewFile, Span, Symbol
from cidx.text.tokenizer import TermMemo, words

# git looks for a NUL byte in as much of a file to call it binary.
_HEAD_BYTES = 8000


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk on its way: its content's key, what full text gets of it, and its words for the embedder."""

    span: Span
    key: bytes
    body: str
    words: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Read:
    """A file on its way to the store."""

    file: NewFile
    pieces: Sequence[Piece] = ()
    symbols: Sequence[Symbol] = ()


def read(root: bytes, entry: Entry, settings: IndexSettings, memo: TermMemo, *, now_ns: int) -> Read | None:
    """The file as it is now; None when it is gone."""
    if entry.size_bytes > settings.max_file_bytes:
        return Read(NewFile(entry.path, entry.stamp, b"", "", "too large"))
    try:
        found = source.read(root + b"/" + entry.path, now_ns=now_ns, limit=settings.max_file_bytes + 1)
    except (FileNotFoundError, NotADirectoryError, source.NotRegular):
        return None
    except PermissionError:
        return Read(NewFile(entry.path, entry.stamp, b"", "", "unreadable"))
    except OSError as error:
        # It may pass, and nothing in the stamp would tell: the next run tries again.
        return Read(NewFile(entry.path, source.YOUNG, b"", "", f"unreadable ({error.strerror})"))
    return _digest(entry.path, found, settings, memo)


def _digest(path: bytes, found: source.Source, settings: IndexSettings, memo: TermMemo) -> Read:
    data = found.data
    name = language.detect(path, data[:_HEAD_BYTES])
    skipped = _why_not(data, name, settings)
    file = NewFile(path, found.stamp, source.digest(data), name, skipped)
    if skipped:
        return Read(file)
    outline = chunker.outline(data, name)
    lines = source.lines_of(data)
    return Read(file, [_piece(span, lines, memo) for span in outline.spans], outline.symbols)


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


def _piece(span: Span, lines: list[bytes], memo: TermMemo) -> Piece:
    content = source.span_bytes(lines, span)
    text = content.decode("utf-8", "replace")
    found = words(f"{span.header}\n{text}" if span.header else text)
    return Piece(
        span,
        source.content_key(span.header, content),
        " ".join(map(memo.__getitem__, found)),
        Counter(found),
    )
