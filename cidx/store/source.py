"""Source files as they are on disk: read without following links, cut at newlines, checked by content.

The index does not store source text. A chunk knows the key of its content, so a reader can tell
whether the lines on disk are still the ones that were indexed.
"""

import hashlib
import io
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from cidx.store.records import Span

# A change within the clock tick of the last one leaves the same time stamps; ticks are 1 to 10 ms.
_SAME_TICK_NS = 20_000_000
# By so much the clock of a file server may be ahead of ours. What is further in the future was set by hand or by
# a clock that was wrong, and the next change will differ from it.
_SKEW_NS = 10_000_000_000

# The stamp of a file that was read so soon after its last change that another change could hide behind
# the same clock tick: it equals no file's stamp, so the file is read again.
YOUNG = b""
_STAMP = struct.Struct("<QqqQ").pack
_SIZE = struct.Struct("<Q")


# By so many lines the lines of a chunk are looked for above and below where they stood: 4 ms.
_MOST_SHIFTED = 1000


class NotRegular(OSError):
    """What the path leads to is no regular file (any more)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file's bytes, with the stamp they were read under."""

    data: bytes
    stamp: bytes


def stamp(found: os.stat_result) -> bytes:
    """What the file system says of a file without opening it, as a value to compare.

    One value, not four: a whole tree's stamps are compared on every query.
    """
    return _STAMP(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def size_of(stamp: bytes) -> int:
    """The size that a stamp tells; 0 of a young one."""
    return int(_SIZE.unpack_from(stamp)[0]) if len(stamp) >= _SIZE.size else 0


@contextmanager
def _opened(path: bytes) -> Iterator[tuple[int, os.stat_result]]:
    """A regular file's descriptor, and what the file system says of it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotRegular(f"{path!r} is not a regular file")
        yield descriptor, found
    finally:
        os.close(descriptor)


def read_part(path: bytes, start: int, size: int, *, stamped: bytes) -> bytes | None:
    """Some bytes of a regular file; None if it does not have this stamp (any more)."""
    with _opened(path) as (descriptor, found):
        return os.pread(descriptor, size, start) if stamp(found) == stamped else None


def read(path: bytes, *, limit: int | None = None, now_ns: int = 0) -> Source:
    """A regular file's bytes, or its first `limit`; with `now_ns`, a stamp too young to trust is `YOUNG`."""
    with _opened(path) as (descriptor, found):
        young = now_ns and any(
            -_SAME_TICK_NS < time_ns - now_ns < _SKEW_NS for time_ns in (found.st_mtime_ns, found.st_ctime_ns)
        )
        # One more than there is, so that a file that can't be read says so even if it claims to be empty.
        size = found.st_size + 1
        return Source(
            _read(descriptor, size if limit is None else min(size, limit)), YOUNG if young else stamp(found)
        )


def _read(descriptor: int, size: int) -> bytes:
    """So many bytes, or fewer where the file ends."""
    data = os.read(descriptor, size)
    while data and len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def content_key(header: str, text: bytes) -> bytes:
    """What a chunk's vector depends on, in 16 bytes: equal content shares a vector wherever it lies."""
    return digest(header.encode("utf-8", "surrogatepass") + b"\0" + text)


def lines_of(data: bytes, most: int | None = None) -> list[bytes]:
    """The lines of a file, or the first of them, each with its newline; split at newlines only."""
    stream = io.BytesIO(data)
    return stream.readlines() if most is None else list(islice(stream, most))


def find(lines: list[bytes], span: Span, key: bytes) -> Span | None:
    """Where the lines of a chunk stand now: where they stood, else the nearest place that has them, if one has."""
    length = span.end_line - span.start_line + 1
    last = len(lines) - length
    before = span.start_line - 1
    for offset in range(_MOST_SHIFTED + 1):
        for start in {before - offset, before + offset}:
            if (
                0 <= start <= last
                and content_key(span.header, b"".join(lines[start : start + length])) == key
            ):
                return span._replace(start_line=start + 1, end_line=start + length)
    return None


def span_bytes(lines: list[bytes], span: Span) -> bytes:
    return b"".join(lines[span.start_line - 1 : span.end_line])
