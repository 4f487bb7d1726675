"""Words to a unit vector: a table of int8 rows, looked up for each word's terms, pooled and normalised.

The table is a file that `packaging/model/` makes. It is mapped, not read: processes share it, and loading takes no
time. A term finds its row by its hash among the sorted hashes of the terms that were trained; any other term
gets one of the last rows, which many share, so that an unknown name is still near itself.

Pooling is exact: rows and weights are whole numbers that float32 adds without rounding in any order. So a document
has the same vector alone and in any company. Whatever was embedded by another version is embedded anew.
"""

import json
import mmap
import zlib
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cidx.text.model import MAGIC, read_header
from cidx.text.model import MODEL_FILE as MODEL_FILE
from cidx.text.tokenizer import terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

# So many documents are pooled by one matrix product of their terms' weights and rows: with more, most of the
# weights are zeros; with fewer, the calls cost more than the arithmetic.
_BLOCK = 64
# A power damps what is said often, so that `self` does not drown what is said once; what is said more often
# than any source says a word weighs no more.
_WEIGHTS = np.rint(8 * np.arange(4096) ** 0.3).astype(np.float32)
_FULL_SCALE = 127
# A query has so few: by sorting them it takes 0.27 ms, by clearing a place for every row 0.85 ms.
_FEW_ROWS = 1000
# Up to here float32 holds every whole number.
_EXACT = 2**24


class Embedder(Protocol):
    """What the index and the search need of a model."""

    @property
    def version(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, documents: Sequence[Mapping[str, int]]) -> "Vectors":
        """One unit row a document, given as its words and how often each is said; without any it is zeros."""
        ...


class TableEmbedder:
    """The packaged model. Safe to share between threads: nothing changes after loading but a memo."""

    def __init__(self, version: str, keys: "Sequence[int]", table: "NDArray[np.int8]") -> None:
        self._version = version
        self._table = table
        self._rows = Rows(keys, len(table))

    @property
    def version(self) -> str:
        return self._version

    @property
    def dimensions(self) -> int:
        return int(self._table.shape[1])

    def embed(self, documents: Sequence[Mapping[str, int]]) -> "Vectors":
        pooled = np.empty((len(documents), self.dimensions), dtype=np.float32)
        for start in range(0, len(documents), _BLOCK):
            block = documents[start : start + _BLOCK]
            pooled[start : start + len(block)] = self._pool(block)
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        np.divide(pooled, norms, out=pooled, where=norms > 0)
        return pooled

    def _pool(self, documents: Sequence[Mapping[str, int]]) -> "NDArray[Any]":
        """The weighted sums of the rows of each document's terms."""
        found = list(map(self._rows.__getitem__, chain.from_iterable(documents)))
        said = np.fromiter(chain.from_iterable(map(dict.values, documents)), np.intp, len(found))  # type: ignore[arg-type]
        document = np.repeat(np.arange(len(documents)), list(map(len, documents)))
        each = np.fromiter(map(len, found), np.intp, len(found))
        rows = np.fromiter(chain.from_iterable(found), np.intp, each.sum())
        distinct, columns = _numbered(rows, len(self._table))
        cells = np.repeat(document * len(distinct), each) + columns
        weights = np.bincount(
            cells,
            np.repeat(_WEIGHTS.take(said, mode="clip"), each),
            minlength=len(documents) * len(distinct),
        ).reshape(len(documents), len(distinct))
        # Only a document of many thousand words needs doubles to be added exactly.
        exact = weights.sum(axis=1).max(initial=0) * _FULL_SCALE < _EXACT
        kind = np.float32 if exact else np.float64
        sums: NDArray[Any] = weights.astype(kind) @ self._table.take(distinct, axis=0).astype(kind)
        return sums


def _numbered(rows: "NDArray[np.intp]", count: int) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """The distinct rows, and for each row its number among them."""
    if len(rows) < _FEW_ROWS:
        distinct, columns = np.unique(rows, return_inverse=True)
        return distinct, columns
    # Of many, sorting would take three times as long.
    numbers = np.zeros(count, dtype=np.intp)
    numbers[rows] = 1
    distinct = np.flatnonzero(numbers)
    numbers[distinct] = np.arange(len(distinct))
    return distinct, numbers[rows]


def weight(count: int) -> int:
    """What a word weighs that a document says so often."""
    return int(_WEIGHTS[min(count, len(_WEIGHTS) - 1)])


class Rows(dict[str, tuple[int, ...]]):
    """The table rows of each word seen."""

    CAPACITY = 300_000

    def __init__(self, keys: Sequence[int], rows: int) -> None:
        super().__init__()
        self._keys = keys
        self._others = rows - len(keys)

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= self.CAPACITY:
            self.clear()
        found = terms(word)
        # A whole identifier that nobody knows would drown its parts.
        if len(found) > 1 and self._known(key_of(found[0])) is None:
            found = found[1:]
        rows = self[word] = tuple(map(self._row, found))
        return rows

    def _row(self, term: str) -> int:
        key = key_of(term)
        known = self._known(key)
        return len(self._keys) + key % self._others if known is None else known

    def _known(self, key: int) -> int | None:
        row = bisect_left(self._keys, key)
        return row if row < len(self._keys) and self._keys[row] == key else None


def key_of(term: str) -> int:
    """The hash that a term is found by. That another term has the same is as likely as a row in 100,000 is wrong."""
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


@cache
def packaged() -> TableEmbedder:
    """The model that this cidx carries, mapped into memory once a process."""
    return load(MODEL_FILE)


def load(file: Path) -> TableEmbedder:
    """Map a model file: magic, header length, JSON header, sorted keys, rows."""
    with file.open("rb") as stream:
        header = read_header(stream)
        start = stream.tell()
        view = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    keys = np.frombuffer(view, dtype="<u4", count=header["terms"], offset=start)
    shape = header["rows"], header["dimensions"]
    table = np.frombuffer(view, dtype=np.int8, offset=start + keys.nbytes).reshape(shape)
    return TableEmbedder(header["version"], keys.astype("=u4", copy=False).data, table)


def dump(file: Path, *, version: str, terms: Collection[str], table: "NDArray[np.int8]") -> None:
    """Write a model file: first the rows of the terms, then those that all other terms share."""
    keys = np.array(list(map(key_of, terms)), dtype="<u4")
    order = np.argsort(keys)
    if len(np.unique(keys)) < len(keys) or len(table) <= len(keys):
        raise ValueError("a model needs a key of its own for each term, and rows for the others")
    rows, dimensions = table.shape
    facts = {"version": version, "terms": len(keys), "rows": rows, "dimensions": dimensions}
    header = json.dumps(facts).encode()
    header += b" " * (-(12 + len(header)) % 64)
    table = np.concatenate([table[: len(keys)][order], table[len(keys) :]])
    file.write_bytes(
        MAGIC + len(header).to_bytes(4, "little") + header + keys[order].tobytes() + table.tobytes()
    )
