"""Words to a unit vector: a table of int8 rows, looked up for each word's terms, pooled and normalised.

The table is a file that `packaging/model/` makes. This one is untrained: a term finds its row by
a hash, so two texts are near each other as far as they share identifiers and parts of identifiers. A trained
table replaces the file and its version; whatever was embedded by another version is embedded anew.
"""

import json
import mmap
import zlib
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cidx.text.tokenizer import terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MAGIC = b"cidxmodl"
# From so many documents on a table of floats is worth making: it saves a third of their time.
_MANY = 100
MODEL_FILE = Path(__file__).parent / "model.bin"


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

    def __init__(self, header: dict[str, Any], table: "NDArray[np.int8]") -> None:
        self._version: str = header["version"]
        self._table = table
        self._rows = _RowMemo(len(table))

    @property
    def version(self) -> str:
        return self._version

    @property
    def dimensions(self) -> int:
        return int(self._table.shape[1])

    def embed(self, documents: Sequence[Mapping[str, int]]) -> "Vectors":
        pooled = np.zeros((len(documents), self.dimensions), dtype=np.float32)
        table = self._table if len(documents) < _MANY else self._floats
        for position, words in enumerate(documents):
            rows_of_words = [self._rows[word] for word in words]
            rows = np.fromiter(chain.from_iterable(rows_of_words), dtype=np.intp)
            if not len(rows):
                continue
            # A root damps what is said often, so that `self` does not drown what is said once.
            weights = np.sqrt(np.fromiter(words.values(), dtype=np.float32))
            weights = np.repeat(weights, [len(found) for found in rows_of_words])
            pooled[position] = weights @ table.take(rows, axis=0).astype(np.float32, copy=False)
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        np.divide(pooled, norms, out=pooled, where=norms > 0)
        return pooled

    @cached_property
    def _floats(self) -> "Vectors":
        return self._table.astype(np.float32)


class _RowMemo(dict[str, tuple[int, ...]]):
    """The table rows of each word seen."""

    CAPACITY = 300_000

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._count = rows

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= self.CAPACITY:
            self.clear()
        rows = self[word] = tuple(map(self._row, terms(word)))
        return rows

    def _row(self, term: str) -> int:
        return zlib.crc32(term.encode("utf-8", "surrogatepass")) % self._count


@cache
def packaged() -> TableEmbedder:
    """The model that this cidx carries, mapped into memory once a process."""
    return load(MODEL_FILE)


def load(file: Path) -> TableEmbedder:
    """Map a model file: magic, header length, JSON header, rows."""
    with file.open("rb") as stream:
        view = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    if bytes(view[:8]) != MAGIC:
        raise ValueError(f"{file} is not a model")
    size = int.from_bytes(view[8:12], "little")
    header = json.loads(bytes(view[12 : 12 + size]))
    table = np.frombuffer(view, dtype=np.int8, offset=12 + size).reshape(header["rows"], header["dimensions"])
    return TableEmbedder(header, table)


def dump(file: Path, *, version: str, table: "NDArray[np.int8]") -> None:
    """Write a model file."""
    rows, dimensions = table.shape
    header = json.dumps({"version": version, "rows": rows, "dimensions": dimensions}).encode()
    header += b" " * (-(12 + len(header)) % 64)
    file.write_bytes(MAGIC + len(header).to_bytes(4, "little") + header + table.tobytes())
