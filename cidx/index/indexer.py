"""Brings the index up to date: what changed is read, cut, embedded and published in one step.

One run holds the writer's lock from looking at the tree to publishing. Interrupted at any point it
leaves the old generation or the new one, never a mixture.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from cidx import log
from cidx.api.errors import CidxError, Code, Damaged, NotIndexed
from cidx.index import changes, reader
from cidx.index.changes import Changes
from cidx.index.files import Entry, Listing
from cidx.index.progress import Progress, Report, Summary, silent
from cidx.repository import lock
from cidx.repository.repository import Repository, prepare, write_failure
from cidx.repository.settings import IndexSettings
from cidx.store.records import FileRow, NewChunk
from cidx.store.writer import Writer
from cidx.text.embedder import Embedder
from cidx.text.tokenizer import TermMemo, query_terms

# Enough rows for one matrix product to be worth its call, few enough to show progress and keep memory small.
_BATCH_CHUNKS = 512


@dataclass(slots=True, kw_only=True)
class Job:
    """What a run needs besides the repository; `on_wait` is told who else is writing."""

    settings: IndexSettings
    embedder: Embedder
    clear: bool = False
    wait: bool = True
    report: Report = silent
    on_wait: Callable[[str], None] | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


def run(repository: Repository, job: Job) -> Summary:
    """One run, under the lock."""
    started = time.perf_counter()
    with lock.writing(repository.folder, wait=job.wait, on_wait=job.on_wait, cancelled=job.cancelled) as held:
        prepare(repository)
        # Whoever waited for the lock may have waited through a `git clean`.
        prepare(repository)
        job.report(Progress("looking for changes"))
        with Listing(repository) as listing:
            entries = listing.entries(exclude=job.settings.exclude)
        try:
            summary = _update(repository, job, entries, held)
        except OSError as error:
            raise write_failure(error, repository.index_folder) from error
    summary = replace(summary, took_s=time.perf_counter() - started)
    log.get().info("index published", extra=log.fields(**summary.to_json()))
    return summary


def _update(repository: Repository, job: Job, entries: list[Entry], held: Callable[[], bool]) -> Summary:
    if job.clear:
        return _rebuild(repository, job, entries, why="asked for")
    try:
        with Writer.update(
            repository.index_folder, model=job.embedder.version, dimensions=job.embedder.dimensions
        ) as writer:
            return _Run(repository, job, writer).bring_in(entries)
    except NotIndexed as error:
        return _rebuild(repository, job, entries, why=error.why)
    except Damaged as error:
        if not held():
            raise CidxError(
                Code.IO,
                what=f"{repository.folder} was deleted while it was written to",
                why="the index that was being brought up to date is gone",
                next_step="cidx index",
            ) from error
        return _rebuild(repository, job, entries, why=f"{error.what}: {error.why}")


def _rebuild(repository: Repository, job: Job, entries: list[Entry], *, why: str) -> Summary:
    with Writer.rebuild(
        repository.index_folder, model=job.embedder.version, dimensions=job.embedder.dimensions
    ) as writer:
        return replace(_Run(repository, job, writer).bring_in(entries), rebuilt=True, why_rebuilt=why)


class _Run:
    """The changes of one run on their way into one writer."""

    def __init__(self, repository: Repository, job: Job, writer: Writer) -> None:
        self._root = bytes(repository.root)
        self._job = job
        self._writer = writer
        self._memo = TermMemo()
        self._chunks = 0
        self._embedded = 0
        self._added = 0
        self._changed = 0

    def bring_in(self, entries: list[Entry]) -> Summary:
        wanted = changes.policy(self._job.settings)
        found = changes.compare(entries, self._writer.stamps(), distrust=self._writer.policy != wanted)
        self._writer.set_policy(wanted)
        for row in self._writer.files_at(found.gone):
            self._writer.remove_file(row)
        for batch in _batches(self._read_all(found)):
            self._add(batch)
        self._check_cancelled()
        self._job.report(Progress("publishing", len(found), len(found), self._chunks))
        # Asked before publishing: what is published must not fail any more.
        files, chunks = self._writer.counts()
        skipped = self._writer.skipped()
        generation, publish_s = self._writer.publish()
        return Summary(
            generation=generation,
            files=files,
            chunks=chunks,
            added=self._added,
            changed=self._changed,
            removed=len(found.gone),
            embedded=self._embedded,
            skipped=skipped,
            publish_s=publish_s,
        )

    def _read_all(self, found: Changes) -> Iterator[reader.Read]:
        """Read what may have changed; what has the same content after all only gets its new stamp."""
        rows = {row.path: row for row in self._writer.files_at(entry.path for entry in found.suspects)}
        work = [*found.new, *found.suspects]
        for done, entry in enumerate(work):
            row = rows.get(entry.path)
            self._check_cancelled()
            self._job.report(Progress("indexing", done, len(work), self._chunks))
            read = reader.read(self._root, entry, self._job.settings, self._memo, now_ns=time.time_ns())
            if row is not None and read is not None and _is_same(read, row):
                self._writer.set_stamp(row, read.file.stamp)
                continue
            if row is not None:
                self._writer.remove_file(row)
                self._changed += 1
            elif read is not None and not read.file.skipped:
                self._added += 1
            if read is not None:
                self._chunks += len(read.pieces)
                yield read

    def _add(self, batch: list[reader.Read]) -> None:
        rows = self._rows_for(batch)
        for read in batch:
            chunks = [
                NewChunk(piece.span, rows[piece.key], piece.body, _terms_of(piece.span.symbol))
                for piece in read.pieces
            ]
            path = read.file.path.decode("utf-8", "replace")
            self._writer.add_file(read.file, chunks, read.symbols, _terms_of(path))

    def _rows_for(self, batch: list[reader.Read]) -> dict[bytes, int]:
        words = {piece.key: piece.words for read in batch for piece in read.pieces}
        rows = self._writer.rows_of_keys(words)
        missing = [key for key in words if key not in rows]
        if missing:
            vectors = self._job.embedder.embed([words[key] for key in missing])
            rows |= self._writer.add_vectors(missing, vectors)
            self._embedded += len(missing)
        return rows

    def _check_cancelled(self) -> None:
        if self._job.cancelled.is_set():
            raise CidxError(
                Code.INTERRUPTED,
                what="indexing was interrupted",
                why="it was asked to stop",
                next_step="cidx index goes on from the published generation",
            )


def _is_same(read: reader.Read, row: FileRow) -> bool:
    file = read.file
    return (file.digest, file.language, file.skipped) == (row.digest, row.language, row.skipped)


def _terms_of(text: str) -> str:
    return " ".join(query_terms(text))


def _batches(reads: Iterable[reader.Read]) -> Iterator[list[reader.Read]]:
    batch: list[reader.Read] = []
    chunks = 0
    for read in reads:
        batch.append(read)
        chunks += len(read.pieces)
        if chunks >= _BATCH_CHUNKS:
            yield batch
            batch, chunks = [], 0
    if batch:
        yield batch
