"""Vectors on disk: append-only int8 rows, each with a scale and a checksum of its own.

A row never changes once a generation counts it, so readers map the file and never lock. What lies behind the counted
rows is the left-over of a writer that did not publish; the next writer cuts it off.
A scale per row keeps scores comparable between repositories.

Scores are exact. Which of many rows are worth scoring is told by their signs alone: 32 bytes a row, made from the
mapped rows when first asked for and kept for as long as the rows are open.
"""

import mmap
import os
import zlib
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cidx.api.errors import Damaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float32]

_MAGIC = b"cidxvecs"
_HEADER_BYTES = 64
_FULL_SCALE = 127
# Up to here float32 holds every whole number.
_EXACT = 2**24
# Rows turned to float32 at a time: they stay in the processor's cache until they are multiplied, which
# halves the time (tests/bench/vectors.py).
_BLOCK = 512
# Rows whose signs are taken at a time.
_SIGNS_BLOCK = 8192
# So many rows are scored for each one that is wanted, and so many at least: among 500,000 they hold 98 % of the best
# 300 and all of the best ten (tests/bench/vectors.py). Choosing is cheaper than scoring all from four times as many on.
_SCORED_EACH = 25
_SCORED_LEAST = 4096
_WORTH_CHOOSING = 4


@dataclass(frozen=True, slots=True)
class Probe:
    """A query as rows are compared with it: whole numbers, their scale, and their signs."""

    values: "NDArray[np.float32]"
    scale: np.float32
    signs: "NDArray[np.uint64]"


class Vectors:
    """The first `count` rows of a file, mapped. Safe to share between threads."""

    def __init__(self, file: Path, count: int) -> None:
        with _open(file) as stream:
            dimensions = _read_header(stream.read(_HEADER_BYTES), file)
            dtype = _row_type(dimensions)
            if os.fstat(stream.fileno()).st_size < _HEADER_BYTES + count * dtype.itemsize:
                raise _damaged(file, f"it is shorter than its {count} rows")
            view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._rows = np.frombuffer(view, dtype=dtype, count=count, offset=_HEADER_BYTES)
        # Gathering rows of bytes takes a third of the time that gathering records takes.
        self._bytes = self._rows.view(np.int8).reshape(count, dtype.itemsize)
        self.dimensions = dimensions

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size_bytes(self) -> int:
        return self._rows.nbytes

    def probe(self, query: "NDArray[np.float32]") -> Probe:
        """A unit query, ready to be compared with rows."""
        levels = _EXACT // (_FULL_SCALE * self.dimensions)
        scale = np.float32(np.abs(query).max(initial=0.0) / levels) or np.float32(1.0)
        return Probe(np.rint(query / scale), scale, signs_of(query[None, :])[0])

    def scores(
        self, query: "NDArray[np.float32] | Probe", rows: "NDArray[np.intp] | None" = None
    ) -> "Scores":
        """The cosine of a unit query with every row, or with the given ones.

        A row's score is the same to the last bit whichever rows are scored with it: both sides are whole
        numbers small enough for float32 to add exactly in any order.
        """
        probe = query if isinstance(query, Probe) else self.probe(query)
        count = len(self._rows) if rows is None else len(rows)
        found = np.empty(count, dtype=np.float32)
        floats = np.empty((min(count, _BLOCK), self.dimensions), dtype=np.float32)
        for start in range(0, count, _BLOCK):
            end = min(start + _BLOCK, count)
            block = self._bytes[start:end] if rows is None else self._bytes.take(rows[start:end], axis=0)
            part = floats[: end - start]
            np.copyto(part, block[:, : self.dimensions])
            np.dot(part, probe.values, out=found[start:end])
        found *= self._rows["scale"] if rows is None else self._rows["scale"][rows]
        found *= probe.scale
        return found

    def candidates(
        self, probe: Probe, *, width: int, rows: "NDArray[np.intp] | None" = None, effort: float = 1.0
    ) -> "NDArray[np.intp] | None":
        """The rows, of all or of the given ones, among which the best `width` lie; None where that may be any.

        Where the signs of a row and of the query differ in few dimensions, their cosine is high. So the
        rows that agree most are worth scoring, and the best of them are hardly ever missed.
        """
        enough = max(_SCORED_LEAST, int(_SCORED_EACH * width * effort))
        if (len(self) if rows is None else len(rows)) < _WORTH_CHOOSING * enough:
            return rows
        signs = self._signs if rows is None else self._signs[:, rows]
        near = nearest_signs(signs, probe.signs, enough)
        return near if rows is None else rows[near]

    def signs(self, rows: "NDArray[np.uint32] | None" = None) -> "NDArray[np.uint64]":
        """The signs of every row, or of the given ones, a column each."""
        count = len(self._rows) if rows is None else len(rows)
        found = np.empty((-(-self.dimensions // 64), count), dtype=np.uint64)
        for start in range(0, count, _SIGNS_BLOCK):
            end = start + _SIGNS_BLOCK
            block = self._bytes[start:end] if rows is None else self._bytes[rows[start:end]]
            found[:, start:end] = signs_of(block[:, : self.dimensions]).T
        return found

    @cached_property
    def _signs(self) -> "NDArray[np.uint64]":
        return self.signs()

    def checksums(self, rows: slice) -> bytes:
        """The stored checksums of some rows: by them another file knows which vectors it belongs to."""
        return self._rows["crc"][rows].tobytes()

    def units(self, rows: "NDArray[np.intp]") -> "NDArray[np.float32]":
        """The unit vectors that rows stand for, nearly."""
        stored = self._rows[rows]
        found: NDArray[np.float32] = stored["values"] * stored["scale"][:, None]
        return found

    def raw(self, rows: "NDArray[np.intp]") -> "NDArray[Any]":
        """Rows as stored, for another file."""
        return self._rows[rows]

    def damaged_rows(self) -> list[int]:
        """The rows whose checksum is wrong."""
        found: list[int] = np.flatnonzero(self._rows["crc"] != _checksums(self._rows)).tolist()
        return found


class VectorWriter:
    """Appends rows behind those that are published. One at a time, under the writer's lock."""

    def __init__(self, file: Path, *, dimensions: int, count: int) -> None:
        self._dtype = _row_type(dimensions)
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.count = count
        try:
            if count == 0:
                header = _MAGIC + dimensions.to_bytes(4, "little")
                _write_all(self._descriptor, header.ljust(_HEADER_BYTES, b"\0"), 0)
            os.ftruncate(self._descriptor, self._end)
        except BaseException:
            self.close()
            raise

    @property
    def _end(self) -> int:
        return _HEADER_BYTES + self.count * self._dtype.itemsize

    def append(self, vectors: "NDArray[np.float32]") -> range:
        """Add unit vectors; returns their rows."""
        rows = np.zeros(len(vectors), dtype=self._dtype)
        peaks = np.abs(vectors).max(axis=1, initial=0.0)
        scales = np.where(peaks > 0, peaks / _FULL_SCALE, 1.0).astype(np.float32)
        rows["values"] = np.rint(vectors / scales[:, None])
        rows["scale"] = scales
        rows["crc"] = _checksums(rows)
        return self.append_raw(rows)

    def append_raw(self, rows: "NDArray[Any]") -> range:
        """Add rows taken from another file."""
        _write_all(self._descriptor, rows.tobytes(), self._end)
        first = self.count
        self.count += len(rows)
        return range(first, self.count)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


def signs_of(vectors: "NDArray[Any]") -> "NDArray[np.uint64]":
    """A bit a dimension, in whole words: set where a vector is above zero."""
    packed = np.packbits(vectors > 0, axis=1)
    words = np.zeros((len(vectors), -(-vectors.shape[1] // 64) * 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.view("<u8")


def nearest_signs(
    signs: "NDArray[np.uint64]", wanted: "NDArray[np.uint64]", enough: int
) -> "NDArray[np.intp]":
    """The columns that differ from the wanted signs in the fewest bits: `enough`, and all that are as near."""
    most = signs.itemsize * 8 * len(signs)
    distances = np.zeros(signs.shape[1], dtype=np.min_scalar_type(most))
    for word, column in zip(wanted, signs, strict=True):
        distances += np.bitwise_count(column ^ word)
    # Counting eight times takes a third of the time that one histogram does.
    nearest = bisect_left(range(most), enough, key=lambda most: int(np.count_nonzero(distances <= most)))
    return np.flatnonzero(distances <= nearest)


def _row_type(dimensions: int) -> "np.dtype[Any]":
    return np.dtype([("values", "i1", (dimensions,)), ("scale", "<f4"), ("crc", "<u4")])


def _checksums(rows: "NDArray[Any]") -> "NDArray[np.uint32]":
    """What the crc of each row has to be: of its values and its scale, which lie side by side."""
    data, size = memoryview(rows.tobytes()), rows.dtype.itemsize
    length = size - rows.dtype["crc"].itemsize
    sums = (zlib.crc32(data[start : start + length]) for start in range(0, len(data), size))
    return np.fromiter(sums, dtype=np.uint32, count=len(rows))


def _open(file: Path) -> Any:
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise _damaged(file, "it is missing") from None


def _read_header(header: bytes, file: Path) -> int:
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise _damaged(file, "it does not begin like a file of vectors")
    return int.from_bytes(header[8:12], "little")


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _damaged(file: Path, why: str) -> Damaged:
    return Damaged(what=f"the vectors in {file} can't be used", why=why)
