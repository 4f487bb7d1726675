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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
# Words whose rows are kept.
_MOST_KNOWN = 20_000
# Up to here float32 holds every whole number.
_EXACT = 2**24


@dataclass(frozen=True, slots=True)
class Said:
    """What some documents say, laid flat: for each word of each document how often, and the rows of its terms."""

    documents: int
    document: "NDArray[np.intp]"  # that says a word, in ascending order
    count: "NDArray[np.intp]"
    each: "NDArray[np.intp]"  # how many rows the word has
    rows: "NDArray[np.intp]"


class Embedder(Protocol):
    """What the index and the search need of a model."""

    @property
    def version(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, documents: Sequence[Mapping[str, int]]) -> "Vectors":
        """One unit row a document, given as its words and how often each is said; without any it is zeros."""
        ...

    def rows(self, terms: Sequence[str], each: Sequence[int]) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
        """The rows of words, given as all their terms and how many each word has; and how many rows each has."""
        ...

    def pool(self, said: Said) -> "Vectors":
        """As `embed`."""
        ...


class TableEmbedder:
    """The packaged model. Safe to share between threads: nothing changes after loading but a memo."""

    def __init__(self, version: str, keys: "NDArray[np.uint32]", table: "NDArray[np.int8]") -> None:
        self._version = version
        self._keys = keys
        self._table = table
        self._known: dict[str, tuple[int, ...]] = {}

    @property
    def version(self) -> str:
        return self._version

    @property
    def dimensions(self) -> int:
        return int(self._table.shape[1])

    def embed(self, documents: Sequence[Mapping[str, int]]) -> "Vectors":
        known = self._rows_of(chain.from_iterable(documents))
        found = list(map(known.__getitem__, chain.from_iterable(documents)))
        each = np.fromiter(map(len, found), np.intp, len(found))
        rows = np.fromiter(chain.from_iterable(found), np.intp, each.sum())
        document = np.repeat(np.arange(len(documents)), list(map(len, documents)))
        count = np.fromiter(chain.from_iterable(map(dict.values, documents)), np.intp, len(found))  # type: ignore[arg-type]
        return self.pool(Said(len(documents), document, count, each, rows))

    def rows(self, terms: Sequence[str], each: Sequence[int]) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
        return rows_of(terms, each, self._keys, len(self._table) - len(self._keys))

    def _rows_of(self, words: Iterable[str]) -> Mapping[str, tuple[int, ...]]:
        """The rows of these words, among others: questions say the same words again and again."""
        known = self._known if len(self._known) < _MOST_KNOWN else {}
        new = [word for word in dict.fromkeys(words) if word not in known]
        found = list(map(terms, new))
        rows, each = self.rows(list(chain.from_iterable(found)), list(map(len, found)))
        listed, ends = rows.tolist(), each.cumsum().tolist()
        known |= {word: tuple(listed[a:b]) for word, a, b in zip(new, [0, *ends], ends, strict=False)}
        self._known = known
        return known

    def pool(self, said: Said) -> "Vectors":
        blocks = _blocks(said) if said.documents > _BLOCK else [said]
        pooled = np.concatenate([self._sums(block) for block in blocks])
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        np.divide(pooled, norms, out=pooled, where=norms > 0)
        return pooled

    def _sums(self, said: Said) -> "Vectors":
        """The weighted sums of the rows of each document's words."""
        distinct, columns = _numbered(said.rows, len(self._table))
        cells = np.repeat(said.document * len(distinct), said.each) + columns
        weights = np.bincount(
            cells,
            np.repeat(_WEIGHTS.take(said.count, mode="clip"), said.each),
            minlength=said.documents * len(distinct),
        ).reshape(said.documents, len(distinct))
        # Only a document of many thousand words needs doubles to be added exactly.
        exact = weights.sum(axis=1).max(initial=0) * _FULL_SCALE < _EXACT
        kind = np.float32 if exact else np.float64
        sums: NDArray[Any] = weights.astype(kind) @ self._table.take(distinct, axis=0).astype(kind)
        return sums.astype(np.float32, copy=False)


def _blocks(said: Said) -> Iterator[Said]:
    starts = range(0, said.documents, _BLOCK)
    words = np.searchsorted(said.document, [*starts, said.documents])
    rows = np.append(0, said.each.cumsum())[words]
    for start, some, theirs in zip(
        starts, map(slice, words, words[1:]), map(slice, rows, rows[1:]), strict=False
    ):
        yield Said(
            min(_BLOCK, said.documents - start),
            said.document[some] - start,
            said.count[some],
            said.each[some],
            said.rows[theirs],
        )


def rows_of(
    terms: Sequence[str], each: Sequence[int], known: "NDArray[np.uint32]", others: int
) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """See `Embedder.rows`; in a table of a row for each `known` key, sorted, and then those that all others share."""
    keys = np.fromiter(map(key_of, terms), np.uint32, len(terms))
    rows = np.searchsorted(known, keys)
    is_known = np.searchsorted(known, keys, side="right") > rows
    rows = np.where(is_known, rows, len(known) + keys % np.uint32(others))
    # A whole identifier that nobody knows would drown its parts.
    counts = np.array(each, dtype=np.intp)
    several = np.flatnonzero(counts > 1)
    whole = (counts.cumsum() - counts)[several]
    kept = np.ones(len(rows), dtype=bool)
    kept[whole] = is_known[whole]
    counts[several] -= ~is_known[whole]
    return rows[kept], counts


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
    return TableEmbedder(header["version"], keys.astype("=u4", copy=False), table)


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
