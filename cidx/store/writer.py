"""The next generation in the making: changes go in, `publish` makes them visible at once, or never.

An edit goes into the current base: vectors are appended, full text gets the new documents, and the
catalogue's commit publishes. A rebuild fills a new base and replaces the pointer. Whatever a writer that died
left behind is cut off or removed by the next one. Only the holder of the writer's lock may make one.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cidx.api.errors import CidxError, Damaged, NotIndexed
from cidx.store import layout, seal
from cidx.store.catalogue import Catalogue
from cidx.store.fulltext import SMALL_HEAP_BYTES, FullTextWriter
from cidx.store.records import FileRow, FormerFile, NewChunk, NewFile, Reference, Symbol
from cidx.store.vectors import Vectors, VectorWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Enough for tantivy to write few, large segments in a first index.
_REBUILD_HEAP_BYTES = 100_000_000
# Symbols and references of so many removed files lie in the catalogue at most, as a share of those that it has.
_MOST_REMOVED = 0.25


class Writer:
    """Not safe to share between threads. Close it in any case; without `publish` nothing happened."""

    def __init__(
        self,
        index: Path,
        base: layout.Base,
        catalogue: Catalogue,
        *,
        rebuild: bool,
        dimensions: int,
        donor: "_Donor | None" = None,
        sealed: str | None = None,
    ) -> None:
        self._index = index
        self._base = base
        self._catalogue = catalogue
        self._rebuild = rebuild
        self._donor = donor
        # Without a check the state that was sealed is not known, so it is not sealed again.
        self._seals, self._sealed = rebuild or sealed is not None, sealed or ""
        self._published = self._has_steps = False
        self._fulltext: FullTextWriter | None = None
        self._generation: int = catalogue.meta("generation")
        self._removed: int = catalogue.meta("removed")
        self._next_file: int = catalogue.meta("next_file")
        self._next_chunk: int = catalogue.meta("next_chunk")
        self._vectors = VectorWriter(base.vectors, dimensions=dimensions, count=catalogue.meta("rows"))

    @classmethod
    def update(cls, index: Path, *, model: str, dimensions: int, check: seal.Check | None = None) -> "Writer":
        """A writer on the current base; NotIndexed where there is none for this model.

        One whose base is checked seals it in the end.
        """
        base = layout.current(index)
        wrong = check.damage() if check is not None else ""
        layout.remove_leftovers(index)
        if wrong:
            raise Damaged(what=f"the index in {index} is damaged", why=wrong)
        sealed = seal.take(base)
        catalogue = Catalogue.open(base.catalogue)
        try:
            catalogue.begin_writing()
            if catalogue.meta("model") != model:
                raise NotIndexed(
                    what=f"the index in {index} was made with the model {catalogue.meta('model')}",
                    why=f"this cidx carries {model}",
                    next_step="cidx index",
                )
            known = None if check is None else sealed
            return cls(index, base, catalogue, rebuild=False, dimensions=dimensions, sealed=known)
        except BaseException:
            catalogue.close()
            raise

    @classmethod
    def rebuild(cls, index: Path, *, model: str, dimensions: int) -> "Writer":
        """A writer on a new, empty base, which takes what vectors it can from the current one."""
        with contextlib.ExitStack() as undo:
            layout.remove_leftovers(index)
            undo.callback(layout.remove_leftovers, index)
            donor = _Donor.open(index, model)
            base = layout.new_base(index)
            catalogue = Catalogue.create(base.catalogue)
            undo.callback(catalogue.close)
            generation = donor.generation if donor is not None else 0
            catalogue.set_meta(
                generation=generation, next_file=1, next_chunk=1, rows=0, removed=0, model=model, policy=""
            )
            writer = cls(index, base, catalogue, rebuild=True, dimensions=dimensions, donor=donor)
            undo.pop_all()
            return writer

    @property
    def generation(self) -> int:
        """The one that this writer goes on from."""
        return self._generation

    @property
    def is_first(self) -> bool:
        """Whether nothing can be searched but what this writer publishes."""
        return self._has_steps or (self._rebuild and self._donor is None)

    @property
    def policy(self) -> str:
        """What decided, when this was indexed, which files are indexed."""
        return str(self._catalogue.meta("policy"))

    def set_policy(self, policy: str) -> None:
        self._catalogue.set_meta(policy=policy)

    def stamps(self) -> dict[bytes, bytes]:
        return self._catalogue.stamps()

    def files_at(self, paths: Iterable[bytes]) -> list[FileRow]:
        return self._catalogue.files_at(paths)

    def former(self, paths: Iterable[bytes]) -> dict[bytes, FormerFile]:
        """What these paths held last before what they hold now, where that is remembered."""
        return self._catalogue.former(paths)

    def counts(self) -> tuple[int, int]:
        return self._catalogue.counts()

    def skipped(self) -> dict[str, int]:
        return self._catalogue.skipped()

    def known_keys(self) -> frozenset[bytes]:
        """The contents that have vectors, here or in the base that is being replaced."""
        here = frozenset(key for key, _ in self._catalogue.embeddings())
        return here | self._donor.rows.keys() if self._donor is not None else here

    def rows_of_keys(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """The vectors that exist for these contents, here or in the base that is being replaced."""
        wanted = set(keys)
        found = self._catalogue.rows_of_keys(wanted)
        if self._donor is not None and (missing := wanted - found.keys()):
            found |= self._adopt(self._donor, missing)
        return found

    def _adopt(self, donor: "_Donor", keys: set[bytes]) -> dict[bytes, int]:
        offered = {key: donor.rows[key] for key in keys if key in donor.rows}
        if not offered:
            return {}
        stored = donor.vectors.raw(np.fromiter(offered.values(), dtype=np.intp))
        rows = self._vectors.append_raw(stored)
        self._catalogue.add_embeddings(offered, rows)
        return dict(zip(offered, rows, strict=True))

    def add_vectors(
        self, keys: Sequence[bytes], vectors: "Sequence[NDArray[np.float32]]"
    ) -> dict[bytes, int]:
        """Store new vectors under the keys of their contents."""
        rows = self._vectors.append(np.asarray(vectors))
        self._catalogue.add_embeddings(keys, rows)
        return dict(zip(keys, rows, strict=True))

    def remove_file(self, file: FileRow) -> None:
        self._begin_change()
        self._catalogue.remove_file(file.id, generation=self._generation + 1)
        self._removed += 1

    def set_stamp(self, file: FileRow, stamp: bytes) -> None:
        """The file was touched but has the same content."""
        self._catalogue.set_stamp(file.id, stamp)

    def add_file(
        self,
        file: NewFile,
        chunks: Sequence[NewChunk],
        *,
        symbols: Sequence[Symbol] = (),
        references: Sequence[Reference] = (),
        path_terms: str,
        former: int = 0,
    ) -> None:
        """With `former`, the file of this id is back, and has its symbols and references already."""
        fulltext = self._begin_change()
        if former:
            id_ = former
            self._catalogue.forget_former(file.path, id_)
            self._removed -= 1
        else:
            id_ = self._next_file
            self._next_file += 1
        self._catalogue.add_file(id_, file, first_chunk=self._next_chunk, chunks=len(chunks))
        self._catalogue.add_chunks(id_, self._next_chunk, chunks)
        self._catalogue.add_symbols(id_, symbols)
        self._catalogue.add_references(id_, references)
        for chunk_id, chunk in enumerate(chunks, self._next_chunk):
            fulltext.add(chunk_id, id_, body=chunk.body, symbol=chunk.symbol_terms, path=path_terms)
        self._next_chunk += len(chunks)

    def publish(self) -> tuple[int, float]:
        """Make it visible; returns the generation and how long publishing took, in seconds.

        Without a change of content the generation stays what it was.
        """
        started = time.perf_counter()
        if self._rebuild:
            self._begin_change()
        if self._fulltext is not None:
            self._generation += 1
            self._vectors.sync()
            self._fulltext.commit()
            if self._removed > _MOST_REMOVED * self._catalogue.counts()[0]:
                self._removed = self._catalogue.purge(generation=self._generation)
            self._catalogue.set_meta(
                generation=self._generation,
                removed=self._removed,
                next_file=self._next_file,
                next_chunk=self._next_chunk,
                rows=self._vectors.count,
            )
        if self._rebuild:
            self._catalogue.settle()
            layout.publish(self._index, self._base)
            self._rebuild = False
            layout.remove_leftovers(self._index)
        else:
            self._catalogue.commit()
            if self._has_steps:
                self._catalogue.compact()
        self._published = True
        return self._generation, time.perf_counter() - started

    def publish_so_far(self) -> None:
        """Make visible what is there, and go on: a first index is searched before it is complete."""
        self.publish()
        self._catalogue.begin_writing()
        self._published, self._has_steps = False, True

    def close(self) -> None:
        """Give everything back; what was not published is dropped here or by the next writer."""
        try:
            if self._fulltext is not None:
                self._fulltext.close()
        finally:
            self._vectors.close()
            if self._published and self._seals:
                self._seal()
            self._catalogue.close()
            if self._rebuild:
                # Only what is ours: the lock may be somebody else's by now, if the folder was deleted meanwhile.
                layout.remove(self._base)

    def _seal(self) -> None:
        # Whatever keeps it from being made: without a seal the next writer looks closer.
        with contextlib.suppress(OSError, CidxError):
            if self._sealed and self._fulltext is None and not self._catalogue.changes:
                seal.put_back(self._base, self._sealed)
            elif self._catalogue.fold():
                seal.make(self._base)

    def _begin_change(self) -> FullTextWriter:
        """Full text, ready for the first change of content; frees it of what died before this run.

        What dies in this run stays: readers of the published generation still find it.
        """
        if self._fulltext is None:
            heap = _REBUILD_HEAP_BYTES if self._rebuild else SMALL_HEAP_BYTES
            self._fulltext = FullTextWriter(self._base.fulltext, create=self._rebuild, heap_bytes=heap)
            self._fulltext.remove(self._catalogue.dead(), from_id=self._next_chunk)
            self._catalogue.forget_dead()
        return self._fulltext

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Donor:
    """The base that a rebuild replaces, as a source of vectors: those that are whole and of the same model."""

    def __init__(self, base: layout.Base, model: str) -> None:
        with contextlib.closing(Catalogue.open_to_read(base.catalogue)) as catalogue:
            if wrong := catalogue.damage():
                raise Damaged(what=f"the catalogue {base.catalogue} can't be used", why=wrong)
            self.generation: int = catalogue.meta("generation")
            self.vectors = Vectors(base.vectors, catalogue.meta("rows"))
            damaged = set(self.vectors.damaged_rows())
            offered = catalogue.embeddings() if catalogue.meta("model") == model else ()
            self.rows = {key: row for key, row in offered if row not in damaged}

    @classmethod
    def open(cls, index: Path, model: str) -> "_Donor | None":
        try:
            base = layout.current(index)
            # A wrong row would give a chunk somebody else's vector.
            return None if seal.is_broken(base, base.catalogue) else cls(base, model)
        except (CidxError, OSError):
            return None
