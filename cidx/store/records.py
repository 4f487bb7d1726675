"""The values that the index writes and a search reads back. Lines are 1-based and inclusive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition: `name` is `method`, `path` is `Thing.method`."""

    name: str
    path: str
    kind: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Span:
    """The lines of one chunk, and where in the code they stand.

    `symbol` is the path of the one definition that the chunk shows (or is a piece of), else of what
    encloses it, else empty. `header` is the signature line of that definition when the chunk itself
    does not show it: the second piece of a long function still knows whose piece it is.
    """

    start_line: int
    end_line: int
    symbol: str = ""
    kind: str = ""
    header: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """How one file is cut: `spans` cover every line exactly once, in order."""

    spans: tuple[Span, ...]
    symbols: tuple[Symbol, ...] = ()


@dataclass(frozen=True, slots=True)
class FileStat:
    """What the file system says without opening a file; equal stats mean an unchanged file.

    `mtime_ns` is -1 where the file was read so soon after its last change that another change could
    hide behind the same clock tick: such a stat equals none, so the file is read again.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the catalogue. `skipped` says why it has no chunks; empty for an indexed file."""

    id: int
    path: bytes
    stat: FileStat
    digest: bytes
    language: str
    skipped: str


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be added to the catalogue."""

    path: bytes
    stat: FileStat
    digest: bytes
    language: str
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk to be added: its lines, its vector's row, and the terms it is found by."""

    span: Span
    row: int
    body: str
    symbol_terms: str


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk of the catalogue with what a hit shows of its file. `key` is `content_key` of its text."""

    id: int
    file: int
    path: bytes
    language: str
    span: Span
    row: int
    key: bytes
