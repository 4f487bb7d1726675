"""Vectors on disk: append-only int8 rows, each with a scale and a checksum of its own.

A row never changes once a generation counts it, so readers map the file and never lock. What lies behind the counted
rows is the left-over of a writer that did not publish; the next writer cuts it off.
A scale per row keeps scores comparable between repositories.
"""

import mmap
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cidx.api.errors import Damaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = b"cidxvecs"
_HEADER_BYTES = 64
_FULL_SCALE = 127
# Up to here float32 holds every whole number.
_EXACT = 2**24
# Rows turned to float32 at a time: 8 MB at 256 dimensions, whatever the size of the index.
_BLOCK = 8192


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
        self.dimensions = dimensions

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size_bytes(self) -> int:
        return self._rows.nbytes

    def scores(
        self, query: "NDArray[np.float32]", rows: "NDArray[np.intp] | None" = None
    ) -> "NDArray[np.float32]":
        """The cosine of a unit query with every row, or with the given ones.

        A row's score is the same to the last bit whichever rows are scored with it: both sides are whole
        numbers small enough for float32 to add exactly in any order.
        """
        query, query_scale = self._to_whole_numbers(query)
        count = len(self._rows) if rows is None else len(rows)
        found = np.empty(count, dtype=np.float32)
        for start in range(0, count, _BLOCK):
            end = min(start + _BLOCK, count)
            block = self._rows[start:end] if rows is None else self._rows[rows[start:end]]
            found[start:end] = (block["values"].astype(np.float32) @ query) * block["scale"]
        found *= query_scale
        return found

    def _to_whole_numbers(self, query: "NDArray[np.float32]") -> "tuple[NDArray[np.float32], np.float32]":
        levels = _EXACT // (_FULL_SCALE * self.dimensions)
        scale = np.float32(np.abs(query).max(initial=0.0) / levels) or np.float32(1.0)
        return np.rint(query / scale), scale

    def raw(self, rows: "NDArray[np.intp]") -> "NDArray[Any]":
        """Rows as stored, for another file."""
        return self._rows[rows]

    def damaged_rows(self) -> list[int]:
        """The rows whose checksum is wrong."""
        return [row for row, stored in enumerate(self._rows) if int(stored["crc"]) != _checksum(stored)]


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
        rows["crc"] = [_checksum(row) for row in rows]
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


def _row_type(dimensions: int) -> "np.dtype[Any]":
    return np.dtype([("values", "i1", (dimensions,)), ("scale", "<f4"), ("crc", "<u4")])


def _checksum(row: Any) -> int:
    return zlib.crc32(row["scale"].tobytes(), zlib.crc32(row["values"].tobytes()))


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
