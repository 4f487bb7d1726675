"""Brings the index up to date: what changed is read, cut, embedded and published in one step.

One run holds the writer's lock from looking at the tree to publishing. Interrupted at any point it
leaves the old generation or the new one, never a mixture.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from cidx import log
from cidx.api.errors import CidxError, Code, Damaged, NotIndexed
from cidx.index import attributes, changes
from cidx.index.changes import Changes
from cidx.index.files import Entry, Listing
from cidx.index.progress import Progress, Report, Summary, silent
from cidx.index.reader import Batch, Read, Reader, Task
from cidx.index.workers import Setup, Workers
from cidx.repository import lock, worktrees
from cidx.repository.repository import Repository, prepare, write_failure
from cidx.repository.settings import IndexSettings
from cidx.store import seal
from cidx.store.adoption import adopt
from cidx.store.layout import is_begun
from cidx.store.records import FileRow, NewChunk
from cidx.store.writer import Writer
from cidx.text import embedder
from cidx.text.embedder import Embedder
from cidx.text.stems import stem
from cidx.text.tokenizer import terms, words

# Enough to be worth a trip to another process, little enough to show progress and keep memory small.
_BATCH_BYTES, _BATCH_FILES = 400_000, 100
# From here on other processes read: one takes a fifth of a second to start, and reads two megabytes a second.
_WORTH_WORKERS_BYTES = 2_000_000
_MOST_WORKERS = 8
# A first index is searched from then on, and again when twice as much time has passed, unless it is complete as soon as
# that: each step costs a commit.
_FIRST_STEP_S = 3.0


class Seen(NamedTuple):
    """What may have changed since a generation, as somebody has just seen it."""

    changes: Changes
    generation: int


@dataclass(slots=True, kw_only=True)
class Job:
    """What a run needs besides the repository.

    `listing` is one that was begun before, to save time; with what was `seen` the tree is not listed at all, unless
    somebody else has published since. `on_wait` is told who else is writing, `on_found` how many bytes there are to
    read; `verify` reads all of the index first, to heal what is damaged. `later` takes over what is left to do when
    all is published, and with it the lock: full text may have much to merge.
    """

    settings: IndexSettings
    embedder: Embedder
    clear: bool = False
    verify: bool = False
    wait: bool = True
    listing: Listing | None = None
    seen: Seen | None = None
    report: Report = silent
    on_wait: Callable[[str], None] | None = None
    on_found: Callable[[int], object] | None = None
    later: contextlib.ExitStack | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


def run(repository: Repository, job: Job) -> Summary:
    """One run, under the lock."""
    started = time.perf_counter()
    with contextlib.ExitStack() as rest:
        held = rest.enter_context(
            lock.writing(repository.folder, wait=job.wait, on_wait=job.on_wait, cancelled=job.cancelled)
        )
        # Whoever waited for the lock may have waited through a `git clean`.
        prepare(repository)
        job.report(Progress("looking for changes"))
        check = seal.Check(repository.index_folder) if job.verify and not job.clear else None
        tree = _Tree(repository, job)
        if job.seen is None:
            tree.entries()
        try:
            with contextlib.ExitStack() as closing:
                summary = _update(repository, job, tree, check, held, closing)
                if job.later is not None:
                    job.later.push(rest.pop_all())
                    job.later.push(closing.pop_all())
        except OSError as error:
            raise write_failure(error, repository.index_folder) from error
    summary = replace(summary, took_s=time.perf_counter() - started)
    log.get().info("index published", extra=log.fields(**summary.to_json()))
    return summary


def _update(
    repository: Repository,
    job: Job,
    tree: "_Tree",
    check: seal.Check | None,
    held: Callable[[], bool],
    closing: contextlib.ExitStack,
) -> Summary:
    """`closing` gets the writer of what has been published."""
    if job.clear:
        return _rebuild(repository, job, tree, closing, why="asked for")
    try:
        with contextlib.ExitStack() as opened:
            writer = opened.enter_context(
                Writer.update(
                    repository.index_folder,
                    model=job.embedder.version,
                    dimensions=job.embedder.dimensions,
                    check=check,
                )
            )
            summary = _Run(repository, job, writer).bring_in(tree, seen=job.seen)
            closing.push(opened.pop_all())
            return summary
    except NotIndexed as error:
        others = worktrees.index_folders(repository)
        if adopt(repository.index_folder, others, model=job.embedder.version):
            return _update(repository, replace(job, seen=None), tree, None, held, closing)
        why = error.why if is_begun(repository.index_folder) else ""
        return _rebuild(repository, job, tree, closing, why=why)
    except Damaged as error:
        if not held():
            raise CidxError(
                Code.IO,
                what=f"{repository.folder} was deleted while it was written to",
                why="the index that was being brought up to date is gone",
                next_step="cidx index",
            ) from error
        return _rebuild(repository, job, tree, closing, why=f"{error.what}: {error.why}")


def _rebuild(
    repository: Repository, job: Job, tree: "_Tree", closing: contextlib.ExitStack, *, why: str
) -> Summary:
    writer = closing.enter_context(
        Writer.rebuild(
            repository.index_folder, model=job.embedder.version, dimensions=job.embedder.dimensions
        )
    )
    return replace(_Run(repository, job, writer).bring_in(tree), rebuilt=True, why_rebuilt=why)


class _Tree:
    """The files of the repository, listed when somebody needs them."""

    def __init__(self, repository: Repository, job: Job) -> None:
        self._repository = repository
        self._begun = job.listing
        self._exclude = job.settings.exclude
        self._entries: list[Entry] | None = None

    def entries(self) -> list[Entry]:
        if self._entries is None:
            with self._begun or Listing(self._repository) as listing:
                self._entries = listing.entries(exclude=self._exclude)
        return self._entries

    def list_again(self) -> bool:
        """Whether what was listed was begun before the lock was ours: it may be older than the index."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self._entries = None
        return begun is not None


class _Run:
    """The changes of one run on their way into one writer."""

    def __init__(self, repository: Repository, job: Job, writer: Writer) -> None:
        self._repository = repository
        self._root = bytes(repository.root)
        self._job = job
        self._writer = writer
        self._chunks = 0
        self._embedded = 0
        self._added = 0
        self._changed = 0

    def bring_in(self, tree: _Tree, *, seen: Seen | None = None) -> Summary:
        if seen is None or seen.generation != self._writer.generation or self._is_here(seen.changes.gone):
            found = self._compare(tree)
        else:
            found = seen.changes
        size_bytes = found.size_bytes(limit=self._job.settings.max_file_bytes)
        if self._job.on_found is not None:
            self._job.on_found(size_bytes)
        for row in self._writer.files_at(found.gone):
            self._writer.remove_file(row)
        self._bring_in(found, size_bytes)
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
            looked_at=len(found),
            chunks_read=self._chunks,
            skipped=skipped,
            publish_s=publish_s,
        )

    def _compare(self, tree: _Tree) -> Changes:
        settings = self._job.settings
        wanted = changes.policy(settings, attributes.digest(self._root, tree.entries()))
        stamps, distrust = self._writer.stamps(), self._writer.policy != wanted
        limit = settings.max_file_bytes
        found = changes.compare(tree.entries(), stamps, limit=limit, distrust=distrust)
        if self._is_here(found.gone) and tree.list_again():
            found = changes.compare(tree.entries(), stamps, limit=limit, distrust=distrust)
        if self._writer.policy != wanted:
            self._writer.set_policy(wanted)
        return found

    def _is_here(self, paths: Iterable[bytes]) -> bool:
        return any(os.path.lexists(self._root + b"/" + path) for path in paths)

    def _bring_in(self, found: Changes, size_bytes: int) -> None:
        """Read what may have changed; what has the same content after all only gets its new stamp."""
        entries = [*found.new, *found.suspects]
        rows = {row.path: row for row in self._writer.files_at(entry.path for entry in found.suspects)}
        former = self._writer.former(entry.path for entry in entries)
        tasks = [
            Task(entry, known=_facts(rows.get(entry.path)), former=former.get(entry.path))
            for entry in entries
        ]
        batches = list(_batches(tasks))
        # What is gone was dealt with before.
        done, total = len(found.gone), len(found)
        steps = _Steps(len(batches))
        with contextlib.closing(self._prepared(batches, size_bytes)) as prepared:
            for number, tasks_of_batch in enumerate(batches, 1):
                self._check_cancelled()
                self._job.report(Progress("indexing", done, total, self._chunks))
                self._add(next(prepared), [rows.get(task.entry.path) for task in tasks_of_batch])
                done += len(tasks_of_batch)
                if self._writer.is_first and steps.is_due(number):
                    self._job.report(Progress("publishing what is there", done, total, self._chunks))
                    self._writer.publish_so_far()
                    steps.take()

    def _prepared(self, batches: Sequence[Sequence[Task]], size_bytes: int) -> Generator[Batch]:
        """What becomes of each batch: read here, or by other processes where there is much of it."""
        settings, model = self._job.settings, self._job.embedder
        in_workers = model is embedder.packaged()
        count = min(_cores(), _MOST_WORKERS, len(batches))
        if count > 1 and size_bytes >= _WORTH_WORKERS_BYTES and in_workers:
            with Workers(count, Setup(self._root, settings, self._writer.known_keys())) as workers:
                yield from workers.prepare(batches)
            return
        reader = Reader(
            root=self._root,
            settings=settings,
            embedder=model,
            known_of=lambda keys: self._writer.rows_of_keys(keys).keys(),
            patient=not in_workers,
        )
        for batch in batches:
            found = reader.prepare(batch, now_ns=time.time_ns())
            yield self._caught_up(batch, found) if found.put_off else found

    def _caught_up(self, batch: Sequence[Task], found: Batch) -> Batch:
        """A batch with what was put off, read by a process that can be killed."""
        with Workers(1, Setup(self._root, self._job.settings, frozenset())) as workers:
            late = list(workers.prepare([batch[place]] for place in found.put_off))
        reads, vectors = list(found.reads), dict(found.vectors)
        for place, one in zip(found.put_off, late, strict=True):
            [reads[place]] = one.reads
            vectors |= one.vectors
        return Batch(reads, vectors)

    def _add(self, batch: Batch, known: Sequence[FileRow | None]) -> None:
        """Store a batch; `known` is what each of its files was before."""
        rows = self._rows_for(batch)
        for read, row in zip(batch.reads, known, strict=True):
            if row is not None and read is not None and read.same:
                self._writer.set_stamp(row, read.file.stamp)
                continue
            if row is not None:
                self._writer.remove_file(row)
                self._changed += 1
            if read is not None:
                self._added += row is None and not read.file.skipped
                self._chunks += len(read.pieces)
                self._add_file(read, rows)

    def _add_file(self, read: Read, rows: Mapping[bytes, int]) -> None:
        chunks = [
            NewChunk(
                piece.span,
                piece.size_bytes,
                rows[piece.key],
                piece.body,
                _stems_of(f"{piece.span.symbol} {piece.span.names}"),
            )
            for piece in read.pieces
        ]
        path = read.file.path.decode("utf-8", "replace")
        self._writer.add_file(
            read.file,
            chunks,
            symbols=read.symbols,
            references=read.references,
            path_terms=_stems_of(path),
            former=read.former,
        )

    def _rows_for(self, batch: Batch) -> Mapping[bytes, int]:
        keys = {piece.key for read in batch.reads if read is not None for piece in read.pieces}
        rows = self._writer.rows_of_keys(keys)
        missing = [key for key in batch.vectors if key not in rows]
        if missing:
            rows |= self._writer.add_vectors(missing, [batch.vectors[key] for key in missing])
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


class _Steps:
    """When to publish what there is of a first index."""

    def __init__(self, batches: int) -> None:
        self._batches = batches
        self._step_s = _FIRST_STEP_S
        self._began = self._stepped = time.monotonic()

    def is_due(self, done: int) -> bool:
        """Whether the last step was long ago, and the rest takes as long, going by the batches that are done."""
        now = time.monotonic()
        rest_s = (now - self._began) * (self._batches - done) / done
        return now - self._stepped >= self._step_s < rest_s

    def take(self) -> None:
        self._step_s, self._stepped = 2 * self._step_s, time.monotonic()


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _facts(row: FileRow | None) -> tuple[bytes, str, str] | None:
    return None if row is None else (row.digest, row.language, row.skipped)


def _stems_of(text: str) -> str:
    """Names as full text holds them."""
    return " ".join(dict.fromkeys(chain.from_iterable(map(_stems_of_word, words(text)))))


# Most names and folders come again and again.
@lru_cache(maxsize=20_000)
def _stems_of_word(word: str) -> tuple[str, ...]:
    return tuple(map(stem, terms(word)))


def _batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    batch: list[Task] = []
    size_bytes = 0
    for task in tasks:
        batch.append(task)
        size_bytes += task.entry.size_bytes
        if size_bytes >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
