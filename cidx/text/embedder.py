"""Terms to a unit vector: a table of int8 rows, looked up, pooled and normalised.

The table is a file that `packaging/model/` makes. This one is untrained: a term finds its row by
a hash, so two texts are near each other as far as they share identifiers and parts of identifiers. A trained
table replaces the file and its version; whatever was embedded by another version is embedded anew.
"""

import json
import mmap
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MAGIC = b"cidxmodl"
MODEL_FILE = Path(__file__).parent / "model.bin"


class Embedder(Protocol):
    """What the index and the search need of a model."""

    @property
    def version(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, documents: Sequence[Iterable[str]]) -> "Vectors":
        """One unit row a document, given as its terms; a document without terms gives zeros."""
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

    def embed(self, documents: Sequence[Iterable[str]]) -> "Vectors":
        row_of = self._rows.__getitem__
        pooled = np.zeros((len(documents), self.dimensions), dtype=np.float32)
        for position, terms in enumerate(documents):
            rows = np.fromiter(map(row_of, terms), dtype=np.intp)
            if not len(rows):
                continue
            distinct, counts = np.unique(rows, return_counts=True)
            # A root damps what is said often, so that `self` does not drown what is said once.
            pooled[position] = np.sqrt(counts, dtype=np.float32) @ self._table[distinct].astype(np.float32)
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        np.divide(pooled, norms, out=pooled, where=norms > 0)
        return pooled


class _RowMemo(dict[str, int]):
    """The table row of each term seen."""

    CAPACITY = 300_000

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._count = rows

    def __missing__(self, term: str) -> int:
        if len(self) >= self.CAPACITY:
            self.clear()
        row = self[term] = zlib.crc32(term.encode("utf-8", "surrogatepass")) % self._count
        return row


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
